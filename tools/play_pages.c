/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What record --touch adds: bytes are stored into the mm as the program stored them, and after the
 * calls the pages are compared with the kernel's.
 *
 * Compared are contents, as numbers (contents.h); that pages of a private mapping are there, where
 * mincore() can tell that: in anonymous areas; that others are not; and how many pages of its own
 * the mm has.  Whether more is there is not asked where huge pages may have been made, which hangs
 * on the machine's free memory.  Which pages of files are mapped is not compared at all: Linux maps
 * neighbours when it likes, and takes them away.
 *
 * A page of a file is written to through a second file that is open on the inode, which no area
 * maps.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "contents.h"
#include "play.h"

#define PAGE_BYTES	((unsigned long)CONTENTS_BYTES)

static const char *fault_text(enum mm_fault fault)
{
	static const char *const names[] = {
		[MM_FAULT_DONE] = "done", [MM_FAULT_MAPERR] = "SIGSEGV, nothing is mapped there",
		[MM_FAULT_ACCERR] = "SIGSEGV, it may not be accessed so",
		[MM_FAULT_BUS] = "SIGBUS", [MM_FAULT_OOM] = "out of memory",
		[MM_FAULT_KILLED] = "killed",
	};

	return names[fault];
}

int play_no_frames(char **why)
{
	*why = cli_printf("no memory is left for pages: a larger --arena is needed");
	return -1;
}

static void page_differs(struct player *p, char *text)
{
	p->page_differences++;
	player_differs(p, text);
}

/* --------------------------------------------------------------------------------- files -- */

void play_link_inode(const struct player *p, const struct trace_file *desc, struct file_desc *d)
{
	const unsigned int kind = FILE_SHMEM | FILE_HUGETLB;

	if (!p->pages || desc->hook || !desc->inode || desc->flags & FILE_DEV_ZERO)
		return;
	for (size_t i = p->nr_files; i-- > 1;) {
		const struct play_file *f = &p->files[i];

		if (f->file && !f->desc.hook && f->desc.inode == desc->inode &&
		    f->desc.dev_major == desc->dev_major && f->desc.dev_minor == desc->dev_minor &&
		    !((f->desc.flags ^ desc->flags) & kind) &&
		    !(f->desc.flags & FILE_DEV_ZERO)) {
			d->same_inode = f->file;
			return;
		}
	}
}

static bool has_pages(const struct player *p, const struct play_file *f)
{
	return p->pages && !f->desc.hook && !(f->desc.flags & (FILE_DEV_ZERO | FILE_HUGETLB));
}

/* Faults go by whole pages, and what is told of the last one holds all its bytes. */
static void set_size(struct play_file *f, uint64_t bytes)
{
	file_set_size(f->file, bytes < 1ul << 62 ? (bytes + PAGE_BYTES - 1) & -PAGE_BYTES
						 : 1ul << 62);
}

void play_set_size(const struct player *p, struct play_file *f)
{
	uint64_t size = f->desc.size_bytes;

	if (!has_pages(p, f))
		return;
	/* An image whose size is not told. */
	if (!size && !(f->desc.flags & (FILE_SHMEM | FILE_WRITE)))
		size = 1ul << 40;
	set_size(f, size);
}

static int open_contents(struct player *p, struct play_file *f)
{
	struct file_desc d = {
		.size = sizeof(d), .name = f->desc.name, .inode = f->desc.inode,
		.dev_major = f->desc.dev_major, .dev_minor = f->desc.dev_minor,
		.flags = FILE_READ | FILE_WRITE | (f->desc.flags & FILE_SHMEM),
		.same_inode = f->file,
	};

	return f->contents ? 0 : file_create(p->vmarea, &d, &f->contents);
}

/* The page's bytes as they shall be; @page holds those that are there. */
static void fill(unsigned char *page, const struct trace_pages *pages)
{
	if (pages->fill == FILL_STAND_IN) {
		contents_stand_in(page, pages->number);
		return;
	}
	if (pages->fill == FILL_WHOLE)
		memset(page, 0, PAGE_BYTES);
	for (size_t i = 0; i < pages->nr_pieces; i++)
		memcpy(page + pages->pieces[i].offset, pages->bytes + pages->pieces[i].offset,
		       pages->pieces[i].bytes);
}

static int on_page(struct player *p, const struct trace_event *e, struct play_file *f, char **why)
{
	uint64_t offset = e->value * PAGE_BYTES;
	unsigned char page[PAGE_BYTES];
	long n;

	if (!has_pages(p, f)) {
		*why = cli_printf("f%u has no pages that could be told", e->file);
		return -1;
	}
	if (open_contents(p, f))
		return play_no_frames(why);
	/* It was mapped, so the file goes as far; behind its end the kernel has zeros. */
	if (file_size(f->file) < offset + PAGE_BYTES)
		file_set_size(f->file, offset + PAGE_BYTES);
	n = file_read(f->contents, offset, page, PAGE_BYTES);
	if (n == (long)PAGE_BYTES) {
		fill(page, &e->pages);
		n = file_write(f->contents, offset, page, PAGE_BYTES);
	}
	if (n == -ENOMEM)
		return play_no_frames(why);
	if (n != (long)PAGE_BYTES) {
		*why = cli_printf("f%u has no page %lu: error %ld", e->file, e->value, -n);
		return -1;
	}
	return 0;
}

/* -------------------------------------------------------------------------- loads, stores -- */

static enum mm_fault read_bytes(struct play_mm *mm, unsigned long addr, void *to, size_t bytes)
{
	enum mm_fault fault;

	/* What the program can no longer read is read all the same, as the recorder did. */
	if (mm_read(mm->user, addr, to, bytes, &fault) != bytes && fault == MM_FAULT_ACCERR)
		mm_access(mm->user, addr, to, bytes, MM_REMOTE_FORCED, &fault);
	return fault;
}

static enum mm_fault write_bytes(struct play_mm *mm, unsigned long addr, void *from, size_t bytes)
{
	enum mm_fault fault;

	if (mm_write(mm->user, addr, from, bytes, &fault) != bytes && fault == MM_FAULT_ACCERR)
		mm_access(mm->user, addr, from, bytes, MM_REMOTE_WRITE | MM_REMOTE_FORCED, &fault);
	return fault;
}

/* What is there, once more: the page is the mm's own then. */
static enum mm_fault write_same(struct play_mm *mm, unsigned long addr)
{
	unsigned char byte;
	enum mm_fault fault = read_bytes(mm, addr, &byte, 1);

	return fault == MM_FAULT_DONE ? write_bytes(mm, addr, &byte, 1) : fault;
}

static enum mm_fault store(struct play_mm *mm, unsigned long addr, const struct trace_pages *pages)
{
	unsigned char page[PAGE_BYTES];
	enum mm_fault fault = MM_FAULT_DONE;

	if (pages->fill != FILL_PATCH) {
		fill(page, pages);
		return write_bytes(mm, addr, page, PAGE_BYTES);
	}
	if (!pages->nr_pieces)
		return write_same(mm, addr);
	for (size_t i = 0; i < pages->nr_pieces && fault == MM_FAULT_DONE; i++)
		fault = write_bytes(mm, addr + pages->pieces[i].offset,
				    pages->bytes + pages->pieces[i].offset,
				    pages->pieces[i].bytes);
	return fault;
}

static int faulted(struct player *p, struct play_mm *mm, unsigned long addr, const char *what,
		   enum mm_fault fault, char **why)
{
	char *map;

	if (fault == MM_FAULT_OOM)
		return play_no_frames(why);
	map = play_map_around(p, mm, addr);
	page_differs(p, cli_printf("%s:%lu: m%u: the page at 0x%lx was %s\n  here:     %s\n"
				     "  the map here:\n%s", p->path, p->line, mm->id, addr, what,
				     fault_text(fault), map));
	free(map);
	return 0;
}

static int on_access(struct player *p, const struct trace_event *e, struct play_mm *mm, char **why)
{
	unsigned long nr = e->kind == EV_STORE ? 1 : e->pages.nr;

	for (unsigned long i = 0; i < nr; i++) {
		unsigned long addr = e->value + i * PAGE_BYTES;
		enum mm_fault fault;
		unsigned char byte;

		if (e->kind == EV_STORE)
			fault = store(mm, addr, &e->pages);
		else if (e->kind == EV_OWN)
			fault = write_same(mm, addr);
		else
			fault = read_bytes(mm, addr, &byte, 1);
		if (fault != MM_FAULT_DONE)
			return faulted(p, mm, addr, e->kind == EV_READ ? "read" : "written to",
				       fault, why);
		p->pages_stored += e->kind != EV_READ;
	}
	return 0;
}

/* ----------------------------------------------------------------------------- comparing -- */

struct check {
	struct player *p;
	struct play_mm *mm;
	const struct trace_event *e;
	unsigned char *in_core;		/* of mincore(), a byte a page */
	unsigned char *may_tell;	/* the page lies where that tells of the mm's pages: */
};
#define TELLS_ABSENT	0x1		/* one that is there, and not in the kernel, is wrong */
#define TELLS_PRESENT	0x2		/* one that is not there is wrong */

static bool huge_pages_happen(const struct player *p, vm_flags_t flags)
{
	return flags & VM_HUGEPAGE || (p->thp_always && !(flags & VM_NOHUGEPAGE));
}

static int note_area(const struct area_info *info, void *arg)
{
	struct check *c = arg;
	unsigned long first = c->e->value, end = first + c->e->pages.nr * PAGE_BYTES;
	unsigned char tells = TELLS_PRESENT;

	if (info->file || info->flags & (VM_SHARED | VM_IO | VM_PFNMAP | VM_MIXEDMAP | VM_HUGETLB) ||
	    (info->name[0] == '[' && info->name[1] == 'v'))
		return 0;
	if (!huge_pages_happen(c->p, info->flags))
		tells |= TELLS_ABSENT;
	for (unsigned long addr = info->start > first ? info->start : first;
	     addr < info->end && addr < end; addr += PAGE_BYTES)
		c->may_tell[(addr - first) / PAGE_BYTES] = tells;
	(void)mm_mincore(c->mm->user, info->start > first ? info->start : first,
			 (info->end < end ? info->end : end) -
			 (info->start > first ? info->start : first),
			 c->in_core + (info->start > first ? info->start - first : 0) / PAGE_BYTES);
	return 0;
}

static void tell_presence(struct check *c, unsigned long page, bool here)
{
	unsigned long addr = c->e->value + page * PAGE_BYTES;
	char *map = play_map_around(c->p, c->mm, addr);

	page_differs(c->p, cli_printf("%s:%lu: m%u: the page at 0x%lx\n"
					"  recorded: is %sthere\n  here:     is %sthere\n"
					"  the map here:\n%s", c->p->path, c->p->line, c->mm->id,
					addr, here ? "not " : "", here ? "" : "not ", map));
	free(map);
}

/* The pages before @first that are in no run. */
static void check_absent(struct check *c, unsigned long page, unsigned long first)
{
	for (; page < first; page++) {
		if (!(c->may_tell[page] & TELLS_ABSENT))
			continue;
		c->p->pages_compared++;
		if (c->in_core[page] & 1) {
			tell_presence(c, page, true);
			return;
		}
	}
}

static void tell_contents(struct check *c, unsigned long addr, uint64_t theirs, uint64_t ours)
{
	char *map = play_map_around(c->p, c->mm, addr);

	page_differs(c->p, cli_printf("%s:%lu: m%u: the page at 0x%lx has other contents\n"
					"  recorded: number %016lx\n  here:     number %016lx\n"
					"  the map here:\n%s", c->p->path, c->p->line, c->mm->id,
					addr, theirs, ours, map));
	free(map);
}

/* Up to the first of the run that differs. */
static int check_run(struct check *c, const struct trace_run *run, char **why)
{
	for (unsigned int i = 0; i < run->nr; i++) {
		unsigned long page = run->first + i, addr = c->e->value + page * PAGE_BYTES;
		unsigned char bytes[PAGE_BYTES];
		enum mm_fault fault;
		uint64_t number;

		c->p->pages_compared++;
		if (run->kind != RUN_FILE && c->may_tell[page] & TELLS_PRESENT &&
		    !(c->in_core[page] & 1)) {
			tell_presence(c, page, false);
			return 0;
		}
		fault = read_bytes(c->mm, addr, bytes, PAGE_BYTES);
		if (fault != MM_FAULT_DONE)
			return faulted(c->p, c->mm, addr, "there", fault, why);
		number = contents_number(bytes);
		if (number != run->number) {
			tell_contents(c, addr, run->number, number);
			return 0;
		}
	}
	return 0;
}

static int on_check(struct player *p, const struct trace_event *e, struct play_mm *mm, char **why)
{
	const struct trace_pages *pages = &e->pages;
	struct check c = {
		.p = p, .mm = mm, .e = e, .in_core = cli_alloc(pages->nr),
		.may_tell = cli_alloc(pages->nr),
	};
	unsigned long at = 0;
	int error = mm_for_each_area(mm->user, e->value, e->value + pages->nr * PAGE_BYTES,
				     note_area, &c);

	for (size_t i = 0; i < pages->nr_runs && !error; i++) {
		check_absent(&c, at, pages->runs[i].first);
		error = check_run(&c, &pages->runs[i], why);
		at = pages->runs[i].first + pages->runs[i].nr;
	}
	if (!error)
		check_absent(&c, at, pages->nr);
	free(c.in_core);
	free(c.may_tell);
	return error;
}

static int find_huge(const struct area_info *info, void *arg)
{
	return huge_pages_happen(arg, info->flags) || info->flags & VM_HUGETLB;
}

static int on_rss(struct player *p, const struct trace_event *e, struct play_mm *mm)
{
	struct mm_stats stats;

	if (mm_for_each_area(mm->user, 0, ~0ul, find_huge, p))
		return 0;
	mm_get_stats(mm->user, &stats);
	if (stats.anon_pages != e->value)
		page_differs(p, cli_printf("%s:%lu: m%u: pages of its own\n  recorded: %lu\n"
					     "  here:     %lu\n", p->path, p->line, mm->id, e->value,
					     stats.anon_pages));
	return 0;
}

int play_pages_event(struct player *p, const struct trace_event *e, char **why)
{
	struct play_file *f = e->file < p->nr_files ? &p->files[e->file] : NULL;
	struct play_mm *mm;

	if (e->kind == EV_SIZE || e->kind == EV_PAGE) {
		if (!f || !f->file) {
			*why = cli_printf("there is no file f%u", e->file);
			return -1;
		}
		if (e->kind == EV_PAGE)
			return p->pages ? on_page(p, e, f, why) : 0;
		if (has_pages(p, f))
			set_size(f, e->value);
		return 0;
	}
	mm = player_mm(p, e->mm);
	if (!mm) {
		*why = cli_printf("there is no mm m%u", e->mm);
		return -1;
	}
	if (!p->pages)
		return 0;
	switch (e->kind) {
	case EV_CHECK:
		return p->no_compare ? 0 : on_check(p, e, mm, why);
	case EV_RSS:
		return p->no_compare ? 0 : on_rss(p, e, mm);
	default:
		return on_access(p, e, mm, why);
	}
}
