/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The picture, as SVG.
 *
 * A column shows one address space, high addresses above.  Terms:
 *
 *	segment		one area: a coloured piece of the bar
 *	block		areas side by side that belong together: one file's with its .bss, or a run
 *			of anonymous ones; it has one label
 *	gap		free addresses: a thin line, a labelled space, or a break of the axis
 *
 * Heights are logarithmic: a page is a few pixels and a terabyte is not a hundred times the
 * picture, so both can be seen.  The layout is made once from the top (struct block holds each
 * block's place) and then drawn.
 */
#include "draw.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define PAGE		4096ul
#define MIB		(1ul << 20)
#define GIB		(1ul << 30)

#define MARGIN		28.0
#define HEAD		132.0	/* title and legend */
#define LEGEND_ROW	22.0	/* more of it for pages */
#define COLUMN_HEAD	58.0
#define COLUMN		450.0
#define ADDRESS		104.0	/* the bar begins here in a column */
#define BAR		112.0
#define LABEL		(ADDRESS + BAR + 12.0)
#define TEXT_ROW	15.0	/* the least height of a block: its label must fit */
#define BLOCK_MOST	150.0
#define NAME_CHARS	25
#define TALLEST		1100.0	/* a column beyond is continued beside itself */

struct block {
	size_t first, nr;		/* areas */
	double y, height;		/* upper edge */
	unsigned long gap;		/* free bytes above it */
	double gap_height;
};

struct column {
	const struct drawn_mm *mm;
	struct block *blocks;		/* from the top */
	size_t nr;
	double height;
	bool continued;			/* of the column to the left */
};

struct columns {
	struct column *c;
	size_t nr;
};

/* --------------------------------------------------------------------------------- words -- */

/* As cli_character(), without the two characters that XML may not have: U+FFFE, U+FFFF. */
static size_t character(const char *text)
{
	return !strncmp(text, "\xef\xbf\xbe", 3) || !strncmp(text, "\xef\xbf\xbf", 3)
		? 0 : cli_character(text);
}

/* A name need not be UTF-8; a picture that is not is shown by nobody. */
static void put_text(FILE *to, const char *text)
{
	for (size_t n; *text; text += n ? n : 1) {
		n = character(text);
		switch (*text) {
		case '&': fputs("&amp;", to); break;
		case '<': fputs("&lt;", to); break;
		case '>': fputs("&gt;", to); break;
		default:
			if (!n)
				fputs("\ufffd", to);
			else if ((unsigned char)*text >= ' ')
				fwrite(text, 1, n, to);
		}
	}
}

/* Where the character after the first @nr of @text begins. */
static const char *behind(const char *text, size_t nr)
{
	for (; nr && *text; nr--) {
		size_t n = character(text);

		text += n ? n : 1;
	}
	return text;
}

/* @text shortened in the middle to @most characters. */
static void put_short(FILE *to, const char *text, size_t most)
{
	size_t n = 0, half = most / 2;
	char *cut;

	for (const char *s = text; *s; s = behind(s, 1))
		n++;
	if (n <= most) {
		put_text(to, text);
		return;
	}
	cut = cli_printf("%.*s\u2026%s", (int)(behind(text, half) - text), text,
			 behind(text, n - (most - half - 1)));
	put_text(to, cut);
	free(cut);
}

/* -------------------------------------------------------------------------------- colour -- */

enum { P_NONE, P_R, P_RW, P_RX, P_RWX, P_OTHER, NR_PROTS };

static const struct {
	const char *fill, *line, *perms, *meaning;
} prots[NR_PROTS] = {
	[P_NONE] = { "#eceae4", "#b9b4a6", "---", "reserved" },
	[P_R] = { "#a9cdea", "#5b93bd", "r--", "read" },
	[P_RW] = { "#f6c467", "#c58a17", "rw-", "read, write" },
	[P_RX] = { "#8fcf9f", "#3f9257", "r-x", "read, execute" },
	[P_RWX] = { "#e5685f", "#a82a22", "rwx", "all three" },
	[P_OTHER] = { "#c3a6df", "#7f57a8", "other", "write or execute only" },
};

static int prot_of(vm_flags_t flags)
{
	switch (flags & (VM_READ | VM_WRITE | VM_EXEC)) {
	case 0: return P_NONE;
	case VM_READ: return P_R;
	case VM_READ | VM_WRITE: return P_RW;
	case VM_READ | VM_EXEC: return P_RX;
	case VM_READ | VM_WRITE | VM_EXEC: return P_RWX;
	default: return P_OTHER;
	}
}

/* -------------------------------------------------------------------------------- layout -- */

static double segment_height(const struct drawn_area *a)
{
	return 2.5 + 2.1 * log2((double)((a->end - a->start) / PAGE));
}

static bool is_plain_anon(const struct drawn_area *a)
{
	return !a->inode && !a->name[0];
}

/* Does @high, right above @low, belong to its block? */
static bool belongs(const struct drawn_area *low, const struct drawn_area *high,
		    const struct drawn_area *first)
{
	if (low->end != high->start)
		return false;
	if (is_plain_anon(low) && is_plain_anon(high))
		return true;
	if (low->inode)
		return (high->inode == low->inode && high->dev_major == low->dev_major &&
			high->dev_minor == low->dev_minor) ||
		       (is_plain_anon(high) && (low->flags & (VM_WRITE | VM_SHARED)) == VM_WRITE &&
			high->end - high->start <= MIB);
	return !strcmp(low->name, high->name) && !is_plain_anon(first);
}

static double gap_height(unsigned long gap)
{
	if (!gap)
		return 2;
	if (gap < 64 * 1024)
		return 4;
	if (gap < GIB)
		return 15;
	return 34;
}

static double block_height(const struct drawn_mm *mm, const struct block *b)
{
	double height = 0;

	for (size_t i = 0; i < b->nr; i++)
		height += segment_height(&mm->areas[b->first + i]);
	return height < TEXT_ROW ? TEXT_ROW : height > BLOCK_MOST ? BLOCK_MOST : height;
}

/* The blocks of @mm from the top; *@nr of them, @height in all. */
static struct block *make_blocks(const struct drawn_mm *mm, size_t *nr, double *height)
{
	struct block *blocks = cli_alloc((mm->nr + 1) * sizeof(*blocks));
	unsigned long above = 0;

	*nr = 0;
	*height = 0;
	for (size_t end = mm->nr; end > 0;) {
		struct block *b = &blocks[(*nr)++];
		size_t first = end - 1;

		while (first > 0 && mm->areas[first - 1].end == mm->areas[first].start)
			first--;
		/* From the lowest of a run without gaps up: a block begins with its file. */
		for (size_t i = first + 1; i < end; i++)
			if (!belongs(&mm->areas[i - 1], &mm->areas[i], &mm->areas[first]))
				first = i;
		b->first = first;
		b->nr = end - first;
		b->height = block_height(mm, b);
		b->gap = above ? above - mm->areas[end - 1].end : 0;
		b->gap_height = above ? gap_height(b->gap) : 0;
		*height += b->height + b->gap_height;
		above = mm->areas[first].start;
		end = first;
	}
	return blocks;
}

static struct column *add_column(struct columns *to, const struct drawn_mm *mm)
{
	to->c = cli_realloc(to->c, (to->nr + 1) * sizeof(*to->c));
	to->c[to->nr] = (struct column){ .mm = mm };
	return &to->c[to->nr++];
}

static void lay_out(struct columns *to, const struct drawn_mm *mm)
{
	double total, y = COLUMN_HEAD, most;
	size_t nr;
	struct block *blocks = make_blocks(mm, &nr, &total);
	struct column *c = add_column(to, mm);

	c->blocks = blocks;
	most = COLUMN_HEAD + total / ceil(total / TALLEST) + BLOCK_MOST / 2;
	for (size_t i = 0; i < nr; i++) {
		struct block *b = &blocks[i];

		if (c->nr && y + b->gap_height + b->height > most) {
			c->height = y + 16;
			c = add_column(to, mm);
			c->blocks = b;
			c->continued = true;
			y = COLUMN_HEAD;
		}
		y += b->gap_height;
		b->y = y;
		y += b->height;
		c->nr++;
	}
	c->height = y + 16;
}

/* --------------------------------------------------------------------------------- pages -- */

/* The right part of the bar, in rows by address: what is there is drawn from the left on. */
#define STRIP		34.0
#define ROW_LEAST	1.6

static void put_row(FILE *to, const struct drawn_part *part, double x, double y, double height)
{
	if (!part->bytes)
		return;
	for (int state = 0; state < NR_DRAWN_STATES; state++) {
		double width = STRIP * (double)part->in[state] / (double)part->bytes;

		if (!part->in[state])
			continue;
		if (width < 1)		/* a page of a TiB is there, too */
			width = 1;
		fprintf(to, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" "
			"fill=\"%s\"/>", x, y, width, height, drawn_looks[state].fill);
		x += width;
	}
}

/* As many rows as can be told apart: each has some of the area's parts. */
static void put_strip(FILE *to, const struct drawn_area *a, double x, double y, double height)
{
	unsigned int rows = (unsigned int)(height / ROW_LEAST);

	if (!a->nr_parts)
		return;
	if (rows > a->nr_parts)
		rows = a->nr_parts;
	if (!rows)
		rows = 1;
	fprintf(to, "<rect x=\"%.1f\" y=\"%.2f\" width=\"%.1f\" height=\"%.2f\" fill=\"#ffffff\" "
		"fill-opacity=\"0.75\"/>", x, y, STRIP, height);
	for (unsigned int row = 0; row < rows; row++) {
		struct drawn_part sum = { 0 };

		for (unsigned int i = a->nr_parts * row / rows; i < a->nr_parts * (row + 1) / rows;
		     i++) {
			sum.bytes += a->parts[i].bytes;
			for (int state = 0; state < NR_DRAWN_STATES; state++)
				sum.in[state] += a->parts[i].in[state];
		}
		put_row(to, &sum, x, y + height * (rows - row - 1) / rows, height / rows);
	}
}

static void put_states(FILE *to, const struct drawn_part *sum)
{
	char size[32];

	for (int state = 0; state < NR_DRAWN_STATES; state++)
		if (sum->in[state])
			fprintf(to, ", %s %s", drawn_size(sum->in[state], size),
				drawn_looks[state].name);
}

static void put_legend_pages(FILE *to, double x, double y)
{
	fprintf(to, "<text class=\"s\" x=\"%.1f\" y=\"%.1f\">pages, at the right of the bar:</text>\n",
		x, y + 10.5);
	x += 170;
	for (int state = 0; state < NR_DRAWN_STATES; state++) {
		fprintf(to, "<rect x=\"%.1f\" y=\"%.1f\" width=\"22\" height=\"13\" fill=\"%s\" "
			"stroke=\"%s\"/><text class=\"s\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", x, y,
			drawn_looks[state].fill, drawn_looks[state].line, x + 28, y + 10.5,
			drawn_looks[state].name);
		x += 92;
	}
}

/* ------------------------------------------------------------------------------- drawing -- */

static void put_title(FILE *to, const struct drawn_area *a)
{
	const struct drawn_part sum = drawn_sum(a);
	char size[32];
	char flags[128];

	vm_flags_format(a->flags, flags);
	fprintf(to, "<title>%lx-%lx  %s  %s", a->start, a->end, drawn_size(a->end - a->start, size),
		prots[prot_of(a->flags)].perms);
	fputs(a->flags & VM_SHARED ? " shared" : "", to);
	put_states(to, &sum);
	fputs("\n", to);
	put_text(to, a->name);
	fprintf(to, "\n%s</title>", flags);
}

static void put_segment(FILE *to, const struct drawn_area *a, double x, double y, double height)
{
	int prot = prot_of(a->flags);
	bool special = a->flags & (VM_PFNMAP | VM_IO | VM_MIXEDMAP) || !strcmp(a->name, "[vdso]");

	fputs("<g>", to);
	put_title(to, a);
	fprintf(to, "<rect x=\"%.1f\" y=\"%.2f\" width=\"%.1f\" height=\"%.2f\" fill=\"%s\" "
		"stroke=\"%s\" stroke-width=\"%s\"/>", x, y, BAR, height, prots[prot].fill,
		prots[prot].line, height < 4 ? "0.25" : "0.7");
	if (prot == P_NONE || special || a->flags & VM_SHARED)
		fprintf(to, "<rect x=\"%.1f\" y=\"%.2f\" width=\"%.1f\" height=\"%.2f\" "
			"fill=\"url(#%s)\"/>", x, y, BAR, height,
			prot == P_NONE ? "none" : special ? "special" : "shared");
	put_strip(to, a, x + BAR - STRIP, y, height);
	if (a->flags & VM_LOCKED)
		fprintf(to, "<rect x=\"%.1f\" y=\"%.2f\" width=\"4\" height=\"%.2f\" "
			"fill=\"#30302c\"/>", x, y, height);
	if (height >= 11)
		fprintf(to, "<text class=\"p\" x=\"%.1f\" y=\"%.2f\">%s%s</text>",
			x + (a->nr_parts ? BAR - STRIP : BAR) / 2, y + height / 2 + 3.3, prot == P_OTHER ? (a->flags & VM_EXEC ? "--x" : "-w-")
							     : prots[prot].perms,
			a->flags & VM_SHARED ? "s" : "");
	if (a->flags & VM_GROWSDOWN)
		fprintf(to, "<path d=\"M%.1f %.2f l-5 -7 h10 z\" fill=\"#7a5200\"/>", x + BAR - 12,
			y + height + 5);
	fputs("</g>\n", to);
}

/* What a block is called: its file, its name, or that it is anonymous. */
static void put_label(FILE *to, const struct column *c, const struct block *b, double x, double y)
{
	const struct drawn_area *a = &c->mm->areas[b->first], *last = a + b->nr - 1;
	const char *slash = strrchr(a->name, '/');
	const char *name = a->name[0] == '/' && slash && slash[1] ? slash + 1 : a->name;
	char size[32];

	if (!strcmp(a->name, "/dev/zero (deleted)"))
		name = "shared anonymous";
	fprintf(to, "<text class=\"%s\" x=\"%.1f\" y=\"%.2f\">", a->name[0] ? "n" : "a", x, y);
	put_short(to, a->name[0] ? name : "anonymous", NAME_CHARS);
	fprintf(to, "<tspan class=\"s\" dx=\"6\">%s", drawn_size(last->end - a->start, size));
	if (b->nr > 1)
		fprintf(to, ", %zu areas", b->nr);
	fputs("</tspan></text>\n", to);
}

static void put_block(FILE *to, const struct column *c, const struct block *b, double x)
{
	const struct drawn_area *areas = &c->mm->areas[b->first];
	double total = 0, y = b->y;

	for (size_t i = 0; i < b->nr; i++)
		total += segment_height(&areas[i]);
	for (size_t i = b->nr; i-- > 0;) {
		double height = segment_height(&areas[i]) * b->height / total;

		put_segment(to, &areas[i], x + ADDRESS, y, height);
		y += height;
	}
	put_label(to, c, b, x + LABEL, b->y + b->height / 2 + 3.6);
	fprintf(to, "<text class=\"x\" x=\"%.1f\" y=\"%.2f\">%lx</text>\n", x + ADDRESS - 8,
		b->y + b->height - 2, areas[0].start);
}

/* Free space below @y. */
static void put_gap(FILE *to, const struct block *b, double x, double y)
{
	double left = x + ADDRESS, middle = y + b->gap_height / 2;
	char size[32];

	if (b->gap_height < 10)
		return;
	if (b->gap < GIB) {
		fprintf(to, "<path class=\"d\" d=\"M%.1f %.2f v%.2f M%.1f %.2f v%.2f\"/>", left, y,
			b->gap_height, left + BAR, y, b->gap_height);
	} else {	/* the axis is broken */
		for (int side = 0; side < 2; side++)
			fprintf(to, "<path class=\"d\" d=\"M%.1f %.2f v%.2f m-6 3 l12 -6 m-12 10 "
				"l12 -6 m-6 4 v%.2f\"/>", left + side * BAR, y,
				b->gap_height / 2 - 3, b->gap_height / 2 - 7);
	}
	fprintf(to, "<text class=\"g\" x=\"%.1f\" y=\"%.2f\">%s free</text>\n", left + BAR / 2,
		middle + 3, drawn_size(b->gap, size));
}

static void put_column_head(FILE *to, const struct column *c, double x)
{
	const struct drawn_mm *mm = c->mm;
	const char *slash = strrchr(mm->path, '/');
	unsigned long total = 0, reserved = 0;
	struct drawn_part pages = { 0 };
	char size[32], none[32];

	for (size_t i = 0; i < mm->nr; i++) {
		unsigned long bytes = mm->areas[i].end - mm->areas[i].start;
		const struct drawn_part sum = drawn_sum(&mm->areas[i]);

		for (int state = 0; state < NR_DRAWN_STATES; state++)
			pages.in[state] += sum.in[state];
		if (prot_of(mm->areas[i].flags) == P_NONE)
			reserved += bytes;
		else
			total += bytes;
	}
	if (c->continued) {
		fprintf(to, "<text class=\"s\" x=\"%.1f\" y=\"33\">process %ld, continued</text>\n",
			x + 4, mm->pid);
		return;
	}
	fprintf(to, "<text class=\"h\" x=\"%.1f\" y=\"16\">", x + 4);
	put_short(to, slash && slash[1] ? slash + 1 : mm->path, 34);
	fprintf(to, "<tspan class=\"s\" dx=\"8\">process %ld, %s</tspan></text>\n", mm->pid,
		mm->when);
	fprintf(to, "<text class=\"s\" x=\"%.1f\" y=\"33\">%zu areas, %s mapped", x + 4, mm->nr,
		drawn_size(total, size));
	if (reserved)
		fprintf(to, ", %s reserved", drawn_size(reserved, none));
	put_states(to, &pages);
	fputs("</text>\n", to);
	fprintf(to, "<line x1=\"%.1f\" y1=\"42\" x2=\"%.1f\" y2=\"42\" stroke=\"#c9c6bd\"/>\n",
		x + 4, x + COLUMN - 24);
}

static void put_legend(FILE *to, double x, double y)
{
	static const double widths[NR_PROTS] = { 118, 88, 132, 148, 112, 100 };

	for (int i = 0; i < NR_PROTS; i++) {
		fprintf(to, "<rect x=\"%.1f\" y=\"%.1f\" width=\"22\" height=\"13\" fill=\"%s\" "
			"stroke=\"%s\"/>", x, y, prots[i].fill, prots[i].line);
		if (i == P_NONE)
			fprintf(to, "<rect x=\"%.1f\" y=\"%.1f\" width=\"22\" height=\"13\" "
				"fill=\"url(#none)\"/>", x, y);
		fprintf(to, "<text class=\"l\" x=\"%.1f\" y=\"%.1f\"><tspan class=\"m\">%s</tspan>"
			"<tspan class=\"s\" dx=\"5\">%s</tspan></text>\n", x + 28, y + 10.5,
			i == P_OTHER ? "-w- --x" : prots[i].perms,
			i == P_OTHER ? "" : prots[i].meaning);
		x += widths[i];
	}
}

static void put_legend_marks(FILE *to, double x, double y)
{
	static const struct { const char *fill, *text; } marks[] = {
		{ "shared", "shared" }, { "special", "the kernel's or a driver's" },
	};

	for (int i = 0; i < 2; i++) {
		fprintf(to, "<rect x=\"%.1f\" y=\"%.1f\" width=\"22\" height=\"13\" "
			"fill=\"#a9cdea\" stroke=\"#5b93bd\"/><rect x=\"%.1f\" y=\"%.1f\" "
			"width=\"22\" height=\"13\" fill=\"url(#%s)\"/>"
			"<text class=\"s\" x=\"%.1f\" y=\"%.1f\">%s</text>\n",
			x, y, x, y, marks[i].fill, x + 28, y + 10.5, marks[i].text);
		x += i ? 180 : 100;
	}
	fprintf(to, "<rect x=\"%.1f\" y=\"%.1f\" width=\"22\" height=\"13\" fill=\"#f6c467\" "
		"stroke=\"#c58a17\"/><rect x=\"%.1f\" y=\"%.1f\" width=\"4\" height=\"13\" "
		"fill=\"#30302c\"/><text class=\"s\" x=\"%.1f\" y=\"%.1f\">locked</text>\n",
		x, y, x, y, x + 28, y + 10.5);
	x += 92;
	fprintf(to, "<path d=\"M%.1f %.1f l-5 -7 h10 z\" fill=\"#7a5200\"/><text class=\"s\" "
		"x=\"%.1f\" y=\"%.1f\">grows down</text>\n", x + 10, y + 10, x + 22, y + 10.5);
	x += 104;
	fprintf(to, "<path class=\"d\" d=\"M%.1f %.1f v3 m-6 3 l12 -6 m-12 10 l12 -6 m-6 4 v3\"/>"
		"<text class=\"s\" x=\"%.1f\" y=\"%.1f\">axis broken: 1 GiB or more free</text>\n",
		x + 8, y, x + 22, y + 10.5);
}

static const char style[] =
	"<style>\n"
	"text{font-family:'Inter','Helvetica Neue','DejaVu Sans',Arial,sans-serif;font-size:11px;"
	"fill:#2b2a27}\n"
	".t{font-size:19px;font-weight:600}.h{font-size:14px;font-weight:600}\n"
	".n{font-weight:500}.a{fill:#6d6a62}.s{font-size:10.5px;font-weight:400;fill:#77746b}\n"
	".m,.x,.p{font-family:'DejaVu Sans Mono','Menlo',monospace}\n"
	".x{font-size:9px;fill:#9a968b;text-anchor:end}\n"
	".p{font-size:9px;fill:#3b3a36;text-anchor:middle}\n"
	".g{font-size:9.5px;fill:#9a968b;text-anchor:middle;font-style:italic}\n"
	".d{stroke:#b9b4a6;stroke-width:1;fill:none}\n"
	"</style>\n"
	"<defs>\n"
	"<pattern id=\"none\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" "
	"patternTransform=\"rotate(45)\"><rect width=\"1.1\" height=\"6\" fill=\"#cdc8ba\"/>"
	"</pattern>\n"
	"<pattern id=\"shared\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\">"
	"<rect width=\"1.3\" height=\"5\" fill=\"#2b2a27\" fill-opacity=\"0.28\"/></pattern>\n"
	"<pattern id=\"special\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\">"
	"<circle cx=\"2.5\" cy=\"2.5\" r=\"0.9\" fill=\"#2b2a27\" fill-opacity=\"0.32\"/>"
	"</pattern>\n"
	"</defs>\n";

static void put_column(FILE *to, const struct column *c, double x)
{
	put_column_head(to, c, x);
	for (size_t i = 0; i < c->nr; i++) {
		const struct block *b = &c->blocks[i];

		put_gap(to, b, x, b->y - b->gap_height);
		put_block(to, c, b, x);
	}
}

static int by_order(const void *a, const void *b)
{
	const struct drawn_mm *left = a, *right = b;

	return left->order < right->order ? -1 : left->order > right->order;
}

int draw_svg(FILE *to, const struct picture *picture)
{
	struct columns columns = { 0 };
	const double head = HEAD + (picture->pages ? LEGEND_ROW : 0);
	double width, height = 0;

	qsort(picture->mms, picture->nr, sizeof(*picture->mms), by_order);
	for (size_t i = 0; i < picture->nr; i++)
		lay_out(&columns, &picture->mms[i]);
	for (size_t i = 0; i < columns.nr; i++)
		if (columns.c[i].height > height)
			height = columns.c[i].height;
	width = 2 * MARGIN + COLUMN * (double)(columns.nr > 1 ? columns.nr : 2) + 4;
	height += head + MARGIN + (picture->footer[0] ? 20 : 0);
	fprintf(to, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
		"viewBox=\"0 0 %.0f %.0f\">\n%s<rect width=\"100%%\" height=\"100%%\" "
		"fill=\"#fdfcf9\"/>\n", width, height, width, height, style);
	fprintf(to, "<text class=\"t\" x=\"%.1f\" y=\"42\">", MARGIN + 4);
	put_short(to, picture->title, 80);
	fprintf(to, "</text>\n<text class=\"s\" x=\"%.1f\" y=\"61\">", MARGIN + 4);
	put_text(to, picture->subtitle);
	fputs(" \u00b7 high addresses above, heights logarithmic</text>\n", to);
	put_legend(to, MARGIN + 4, 76);
	put_legend_marks(to, MARGIN + 4, 98);
	if (picture->pages)
		put_legend_pages(to, MARGIN + 4, 98 + LEGEND_ROW);
	for (size_t i = 0; i < columns.nr; i++) {
		fprintf(to, "<g transform=\"translate(%.1f %.1f)\">\n",
			MARGIN + COLUMN * (double)i, head);
		put_column(to, &columns.c[i], 0);
		fputs("</g>\n", to);
	}
	if (picture->footer[0]) {
		fprintf(to, "<text class=\"s\" x=\"%.1f\" y=\"%.1f\">", MARGIN + 4, height - 18);
		put_text(to, picture->footer);
		fputs("</text>\n", to);
	}
	fputs("</svg>\n", to);
	for (size_t i = 0; i < columns.nr; i++)
		if (!columns.c[i].continued)	/* the others point into these */
			free(columns.c[i].blocks);
	free(columns.c);
	return ferror(to) ? -1 : 0;
}
