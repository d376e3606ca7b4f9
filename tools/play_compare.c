/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Our map against the kernel's, line by line.
 *
 * Every character has to agree, but for three things: [vsyscall] is no area and is left out; the
 * inode of a shared anonymous object is a number that each kernel makes up, so theirs and ours must
 * stand for each other one to one through the whole recording; and a file that was renamed has the
 * name that the recording told last.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "play.h"

#define CONTEXT	3	/* lines shown around a difference */

struct map_line {
	const char *text;		/* not ended by NUL */
	size_t bytes;
	unsigned long start, end;
	/* taken apart only when the text differs */
	unsigned int dev_major, dev_minor;
	unsigned long inode;
	const char *name;
	size_t before_inode, name_bytes;
};

struct map_lines {
	struct map_line *l;
	size_t nr;
};

/* ------------------------------------------------------------------------------- our map -- */

struct buffer {
	char *text;
	size_t used, room;
};

static int append(void *arg, const char *text, size_t bytes)
{
	struct buffer *b = arg;

	if (b->used + bytes + 1 > b->room) {
		b->room = (b->used + bytes + 1) * 2;
		b->text = cli_realloc(b->text, b->room);
	}
	memcpy(b->text + b->used, text, bytes);
	b->used += bytes;
	b->text[b->used] = '\0';
	return 0;
}

char *play_map_text(struct player *p, struct play_mm *mm)
{
	struct buffer b = { 0 };
	int error;

	append(&b, "", 0);
	error = mm_report_maps(mm->user, append, &b);
	if (error)
		player_defect(p, "mm_report_maps(): error %d", -error);
	return b.text;
}

/* --------------------------------------------------------------------------------- lines -- */

static void take_apart(struct map_line *l)
{
	char *line = strndup(l->text, l->bytes);
	int before = 0, after = 0;

	if (!line)
		abort();
	if (sscanf(line, "%*x-%*x %*s %*x %x:%x %n%lu %n", &l->dev_major, &l->dev_minor, &before,
		   &l->inode, &after) < 3)
		after = (int)l->bytes;
	l->before_inode = (size_t)before;
	l->name = l->text + after;
	l->name_bytes = l->bytes - (size_t)after;
	free(line);
}

static struct map_lines split(const char *text)
{
	struct map_lines lines = { 0 };
	size_t room = 0;

	while (*text) {
		const char *end = strchr(text, '\n');
		struct map_line line = { .text = text };
		char *rest;

		line.bytes = end ? (size_t)(end - text) : strlen(text);
		line.start = strtoul(text, &rest, 16);
		line.end = *rest == '-' ? strtoul(rest + 1, NULL, 16) : 0;
		text += line.bytes + (end ? 1 : 0);
		if (line.bytes > 10 && !strncmp(line.text + line.bytes - 10, "[vsyscall]", 10))
			continue;
		if (lines.nr == room) {
			room = room ? room * 2 : 64;
			lines.l = cli_realloc(lines.l, room * sizeof(*lines.l));
		}
		lines.l[lines.nr++] = line;
	}
	return lines;
}

static bool is_named(const struct map_line *l, const char *name)
{
	return l->name_bytes == strlen(name) && !memcmp(l->name, name, l->name_bytes);
}

static bool is_shared_anon(const struct map_line *l)
{
	return l->dev_major == 0 && (is_named(l, "/dev/zero (deleted)") ||
				     is_named(l, "/anon_hugepage (deleted)"));
}

/* Do the two inodes stand for each other?  A new pair is remembered. */
static bool pair(struct player *p, unsigned long theirs, unsigned long ours)
{
	for (size_t i = 0; i < p->nr_inodes; i++)
		if (p->inodes[i].theirs == theirs || p->inodes[i].ours == ours)
			return p->inodes[i].theirs == theirs && p->inodes[i].ours == ours;
	p->inodes = cli_realloc(p->inodes, (p->nr_inodes + 1) * sizeof(*p->inodes));
	p->inodes[p->nr_inodes++] = (struct inode_pair){ theirs, ours };
	return true;
}

/* Is @name, with or without " (deleted)", what the recording says the file is called now? */
static bool is_renamed(const struct player *p, const struct map_line *theirs)
{
	for (size_t i = 0; i < p->nr_files; i++) {
		const struct play_file *f = &p->files[i];
		size_t n = f->renamed ? strlen(f->renamed) : 0;

		if (n && f->desc.inode == theirs->inode && f->desc.dev_major == theirs->dev_major &&
		    f->desc.dev_minor == theirs->dev_minor && theirs->name_bytes >= n &&
		    !memcmp(theirs->name, f->renamed, n) &&
		    (theirs->name_bytes == n ||
		     is_named(&(struct map_line){ .name = theirs->name + n,
						  .name_bytes = theirs->name_bytes - n },
			      " (deleted)")))
			return true;
	}
	return false;
}

static bool same_line(struct player *p, struct map_line *theirs, struct map_line *ours)
{
	bool same = theirs->bytes == ours->bytes && !memcmp(theirs->text, ours->text, ours->bytes);

	/* Nearly every line is the same and has no shared anonymous object. */
	if (same && (!memchr(ours->text, '/', ours->bytes) ||
		     !memmem(ours->text, ours->bytes, " (deleted)", 10)))
		return true;
	take_apart(theirs);
	take_apart(ours);
	if (theirs->before_inode != ours->before_inode ||
	    memcmp(theirs->text, ours->text, ours->before_inode))
		return false;
	if (is_shared_anon(theirs) && is_shared_anon(ours))
		return pair(p, theirs->inode, ours->inode);
	return same || (theirs->inode == ours->inode && is_renamed(p, theirs));
}

/* ---------------------------------------------------------------------------- difference -- */

static void show(struct buffer *b, char mark, const struct map_line *l)
{
	char head[6] = { ' ', ' ', ' ', ' ', mark, ' ' };

	append(b, head, 6);
	append(b, l->text, l->bytes);
	append(b, "\n", 1);
}

/* The lines of both from the first that differs: "-" theirs alone, "+" ours alone. */
static char *tell(struct player *p, struct play_mm *mm, struct map_lines *theirs,
		  struct map_lines *ours, size_t first)
{
	struct buffer b = { 0 };
	size_t i = first > CONTEXT ? first - CONTEXT : 0, j = i, after = 0;
	char *head = cli_printf("%s:%lu: the map of m%u is not the kernel's (- the kernel's alone, "
				"+ ours alone):\n", p->path, p->line, mm->id);

	append(&b, head, strlen(head));
	free(head);
	while ((i < theirs->nr || j < ours->nr) && after < CONTEXT && b.used < 16384) {
		if (i < theirs->nr && j < ours->nr && same_line(p, &theirs->l[i], &ours->l[j])) {
			show(&b, ' ', &theirs->l[i]);
			after += i >= first;
			i++;
			j++;
		} else if (i < theirs->nr &&
			   (j == ours->nr || theirs->l[i].start <= ours->l[j].start)) {
			show(&b, '-', &theirs->l[i++]);
		} else {
			show(&b, '+', &ours->l[j++]);
		}
	}
	return b.text;
}

/* Flags of an area known only by its line; what we had there may know more. */
static vm_flags_t flags_of_line(struct play_mm *mm, const struct map_line *l)
{
	const char *perms = memchr(l->text, ' ', l->bytes);
	vm_flags_t flags = VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
	struct area_info info;

	if (!perms)
		return flags;
	flags |= (perms[1] == 'r' ? VM_READ : 0) | (perms[2] == 'w' ? VM_WRITE : 0) |
		 (perms[3] == 'x' ? VM_EXEC : 0) |
		 (perms[4] == 's' ? VM_SHARED | VM_MAYSHARE : 0);
	if (!mm_query(mm->user, l->start, &info)) {
		flags = (info.flags & ~(VM_READ | VM_WRITE | VM_EXEC)) |
			(flags & (VM_READ | VM_WRITE | VM_EXEC));
		area_info_put(&info);
	} else if ((flags & (VM_WRITE | VM_SHARED)) == VM_WRITE) {
		flags |= VM_ACCOUNT;
	}
	return flags;
}

static struct trace_area area_of_line(struct player *p, struct play_mm *mm, struct map_line *l)
{
	struct trace_area a = { .start = l->start, .end = l->end };
	unsigned long offset = 0;

	take_apart(l);
	a.flags = flags_of_line(mm, l);
	if (sscanf(l->text, "%*x-%*x %*s %lx", &offset) == 1)
		a.pgoff = offset / 4096;
	if (!l->inode) {
		if (l->name_bytes && l->name[0] == '[' && !is_named(l, "[heap]") &&
		    !is_named(l, "[stack]"))
			a.special = strndup(l->name, l->name_bytes);
		return a;
	}
	for (size_t i = p->nr_files; i-- > 1 && !a.file;)
		if (p->files[i].file && p->files[i].desc.inode == l->inode &&
		    p->files[i].desc.dev_major == l->dev_major &&
		    p->files[i].desc.dev_minor == l->dev_minor)
			a.file = (unsigned int)i;
	return a;
}

/* Puts the kernel's areas in the place of ours, so that later differences are new ones. */
static void take_over(struct player *p, struct play_mm *mm, struct map_lines *theirs)
{
	struct mm_config config = mm->config;
	struct trace_area *areas = cli_alloc(theirs->nr * sizeof(*areas));
	struct mm_stats stats;

	mm_get_stats(mm->user, &stats);
	config.start_brk = stats.start_brk;
	config.brk = stats.brk;
	for (size_t i = 0; i < theirs->nr; i++)
		areas[i] = area_of_line(p, mm, &theirs->l[i]);
	if (mm_exec(mm->user, &config))
		player_defect(p, "mm_exec() failed");
	for (size_t i = 0; i < theirs->nr; i++) {
		struct area_desc d = {
			.start = areas[i].start, .end = areas[i].end, .flags = areas[i].flags,
			.file = player_file(p, areas[i].file), .pgoff = areas[i].pgoff,
			.special = player_name(p, areas[i].special),
		};

		if (!d.file && !d.special)
			d.pgoff = d.start / 4096;
		(void)mm_add_area(mm->user, &d);
		free(areas[i].special);
	}
	free(areas);
}

void play_compare_map(struct player *p, struct play_mm *mm, const char *text)
{
	char *mine = play_map_text(p, mm);
	struct map_lines theirs = split(text), ours = split(mine);
	size_t i = 0;

	while (i < theirs.nr && i < ours.nr && same_line(p, &theirs.l[i], &ours.l[i]))
		i++;
	if (i < theirs.nr || i < ours.nr) {
		player_differs(p, tell(p, mm, &theirs, &ours, i));
		take_over(p, mm, &theirs);
	}
	free(theirs.l);
	free(ours.l);
	free(mine);
}

char *play_map_around(struct player *p, struct play_mm *mm, unsigned long addr)
{
	char *text = play_map_text(p, mm);
	struct map_lines lines = split(text);
	struct buffer b = { 0 };
	size_t at = 0;

	append(&b, "", 0);
	while (at < lines.nr && lines.l[at].end <= addr)
		at++;
	for (size_t i = at > CONTEXT ? at - CONTEXT : 0; i < lines.nr && i < at + CONTEXT; i++)
		show(&b, lines.l[i].start <= addr && addr < lines.l[i].end ? '>' : ' ',
		     &lines.l[i]);
	free(lines.l);
	free(text);
	return b.text;
}
