/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The picture as text: a line for each area, high addresses above as in the SVG, and in it a cell
 * for each part of the area, from its lowest address on.  A cell shows the state that most of what
 * is there in that part is in, however little that is.
 */
#include "draw.h"

#include <stdlib.h>
#include <string.h>

static const char reset[] = "\033[0m";

static char cell_of(const struct drawn_part *part, const struct drawn_look **look)
{
	unsigned long there = 0;
	int most = 0;

	for (int state = 0; state < NR_DRAWN_STATES; state++) {
		there += part->in[state];
		if (part->in[state] > part->in[most])
			most = state;
	}
	*look = there ? &drawn_looks[most] : NULL;
	return there ? drawn_looks[most].letter : '.';
}

static void put_cells(FILE *to, const struct drawn_area *a, bool colours)
{
	const char *before = NULL;
	unsigned int i;

	fputs(" [", to);
	for (i = 0; i < a->nr_parts; i++) {
		const struct drawn_look *look;
		char cell = cell_of(&a->parts[i], &look);
		const char *escape = look ? look->escape : NULL;

		if (colours && escape != before)
			fputs(escape ? escape : reset, to);
		before = escape;
		putc(cell, to);
	}
	if (colours && before)
		fputs(reset, to);
	putc(']', to);
	for (; a->name[0] && i < DRAWN_PARTS; i++)	/* names below each other */
		putc(' ', to);
}

static void put_area(FILE *to, const struct picture *picture, const struct drawn_area *a,
		     bool colours)
{
	const vm_flags_t flags = a->flags;
	char size[32];

	fprintf(to, "  %012lx %c%c%c%c %8s", a->start, flags & VM_READ ? 'r' : '-',
		flags & VM_WRITE ? 'w' : '-', flags & VM_EXEC ? 'x' : '-',
		flags & VM_MAYSHARE ? 's' : 'p', drawn_size(a->end - a->start, size));
	if (picture->pages)
		put_cells(to, a, colours);
	fprintf(to, "%s%s\n", a->name[0] ? " " : "", a->name);
}

static void put_mm(FILE *to, const struct picture *picture, const struct drawn_mm *mm, bool colours)
{
	struct drawn_part sum = { 0 };
	char size[32];

	for (size_t i = 0; i < mm->nr; i++) {
		const struct drawn_part area = drawn_sum(&mm->areas[i]);

		for (int state = 0; state < NR_DRAWN_STATES; state++)
			sum.in[state] += area.in[state];
	}
	fprintf(to, "\nprocess %ld, %s, %s: %zu areas", mm->pid, mm->path, mm->when, mm->nr);
	for (int state = 0; state < NR_DRAWN_STATES; state++)
		if (sum.in[state])
			fprintf(to, ", %s %s", drawn_size(sum.in[state], size),
				drawn_looks[state].name);
	putc('\n', to);
	for (size_t i = mm->nr; i-- > 0;) {
		const struct drawn_area *a = &mm->areas[i];

		if (i + 1 < mm->nr && mm->areas[i + 1].start != a->end)
			fprintf(to, "  %17s %8s free\n", "",
				drawn_size(mm->areas[i + 1].start - a->end, size));
		put_area(to, picture, a, colours);
	}
}

static void put_legend(FILE *to, bool colours)
{
	fputs("pages:", to);
	for (int state = 0; state < NR_DRAWN_STATES; state++)
		fprintf(to, " %s%c%s %s,", colours ? drawn_looks[state].escape : "",
			drawn_looks[state].letter, colours ? reset : "", drawn_looks[state].name);
	fputs(" . not there\n", to);
}

int draw_text(FILE *to, const struct picture *picture, bool colours)
{
	fprintf(to, "%s\n%s\n", picture->title, picture->subtitle);
	if (picture->pages)
		put_legend(to, colours);
	for (size_t i = 0; i < picture->nr; i++)
		put_mm(to, picture, &picture->mms[i], colours);
	if (picture->footer[0])
		fprintf(to, "\n%s\n", picture->footer);
	return ferror(to) ? -1 : 0;
}
