/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * With --touch: what is in the pages.
 *
 * A program's loads and stores are not seen; what has come of them is, whenever the mm is held for
 * a memory call.  A *look* goes over the pages that are there in a range, found by PAGEMAP_SCAN,
 * and reads them through /proc/PID/mem.  Pages that are not there are not read: nothing appears by
 * looking.  There are four kinds of look.
 *
 *	sync	before a call: what replay's mm lacks is told, until it is as the kernel's.  A page
 *		of the mm's own that is new or has changed is a `store` of the bytes that differ
 *		from what replay has there; a page of a file is a `page` of the file, once for all,
 *		and a `read` of it where it is mapped; so is the zero page.
 *	hollow	before a call that takes the pages away: that there are some (`own`, `read`) is
 *		enough, so that something is there to be taken away.
 *	files	after a call and before its line: contents of files that the call itself made
 *		appear (MAP_POPULATE, mlock()), which it needs in replay, too.
 *	check	after a call: a `check` of what is there now, contents as numbers.
 *
 * In a sync nothing is known of pages that were never told, and what they were made from is: zeros,
 * or the page of the file.  So the store is of what differs from that, and that the rest came from
 * there is what the next check proves.  Where replay may have a page about which nothing is known
 * (a hollow one whose call failed) the range is *murky*, and the whole page is told.
 *
 * Bytes of files' pages are told where a private copy of the page was made, or bytes have been told
 * before; others get a stand-in (contents.h), and so does everything once --touch-bytes are used
 * up.
 *
 * What is not compared: pages of shared areas while the recording has more than one mm, because
 * those run on; after a call during which the mm's other tasks ran, or while one is on its way out
 * (the kernel clears its tid in memory); huge pages of hugetlbfs, the kernel's own areas.
 *
 * Cost: each page that is there in the range of a call is read twice, in mlockall(), fork(), exec()
 * and exit() and after every --touch-every calls those of the whole mm.  After a call on a range at
 * most CHECK_PAGES are compared.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "record.h"

#define CHECK_PAGES	4096ul
#define BATCH		64ul		/* pages read at once */

enum look_kind { LOOK_SYNC, LOOK_HOLLOW, LOOK_FILES, LOOK_CHECK };

struct look {
	struct recorder *r;
	struct mm *mm;
	enum look_kind kind;
	unsigned long most;		/* CHECK: pages that are still compared */
	unsigned long nr_own;		/* pages of the mm's own that were met */
	/* of the area */
	struct seen_area area;
	unsigned int file;		/* its id, 0: none, or not known */
	int fd;				/* of the file, or -1 */
	struct known_pages *in_file;	/* what is known of it; NULL: it has none */
	/* the run that is being put together, 0 long: none */
	unsigned long run_start, run_end, line_start;
	enum known_kind run_kind;
	uint64_t run_number;
	bool run_read;			/* of `read`, else of `own` */
};

/* ------------------------------------------------------------------------------ contents -- */

static unsigned long bytes_that_differ(const unsigned char *a, const unsigned char *b)
{
	unsigned long n = 0;

	for (unsigned int i = 0; i < CONTENTS_BYTES; i++)
		n += a[i] != (b ? b[i] : 0);
	return n;
}

/* The rest of a line that fills a page; false: with a stand-in. */
static bool tell_contents(struct recorder *r, const void *page, uint64_t number, const void *before,
			  bool whole)
{
	unsigned long bytes = bytes_that_differ(page, whole ? NULL : before);

	if (bytes > r->touch_bytes) {
		text_printf(r->out, " =%lx\n", number);
		known_add_stand_in(number);
		return false;
	}
	r->touch_bytes -= bytes;
	if (whole)
		text_printf(r->out, " whole");
	trace_write_pieces(r->out, page, whole ? NULL : before);
	text_printf(r->out, "\n");
	return true;
}

/* --------------------------------------------------------------------------------- files -- */

static unsigned long page_in_file(const struct look *l, unsigned long addr)
{
	return (l->area.offset + (addr - l->area.start)) & ~(PAGE - 1);
}

/* What is in the file's page at the moment is told, unless it has been. */
static void tell_file(struct look *l, unsigned long offset, const void *page, bool with_bytes)
{
	struct known_page *known = known_page(l->in_file, offset, true);
	uint64_t number = contents_number(page);
	struct recorder *r = l->r;
	const void *before = known->bytes ? known->bytes->bytes : NULL;

	if (known->kind && known->number == number && (known->bytes || !with_bytes))
		return;
	text_printf(r->out, "page f%u %lu", l->file, offset / PAGE);
	if (!with_bytes && !before) {
		text_printf(r->out, " =%lx\n", number);
		known_add_stand_in(number);
		known_set(known, KNOWN_FILE, number, NULL);
		return;
	}
	if (tell_contents(r, page, number, before, !before))
		known_set(known, KNOWN_FILE, number, page);
	else
		known_set(known, KNOWN_FILE, number, NULL);
}

/* Replay's bytes of the file's page, of which a private copy was made; NULL: not known. */
static const void *copied_from(struct look *l, unsigned long addr)
{
	unsigned char page[PAGE] = { 0 };
	unsigned long offset = page_in_file(l, addr);
	struct known_page *known;

	if (!l->file || l->fd < 0 || pread(l->fd, page, PAGE, (off_t)offset) < 0)
		return NULL;
	tell_file(l, offset, page, true);
	known = known_page(l->in_file, offset, true);
	return known->bytes ? known->bytes->bytes : NULL;
}

/* --------------------------------------------------------------------------- runs of lines -- */

static void end_run(struct look *l)
{
	static const char *const names[] = { "", "own", "zero", "file" };
	struct text_out *out = l->r->out;
	unsigned long nr = (l->run_end - l->run_start) / PAGE;

	if (!nr)
		return;
	if (l->kind == LOOK_CHECK) {
		text_printf(out, " %s:%lu+%lu", names[l->run_kind],
			    (l->run_start - l->line_start) / PAGE, nr);
		if (l->run_kind != KNOWN_ZERO)
			text_printf(out, "=%lx", l->run_number);
	} else {
		text_printf(out, "%s m%u 0x%lx %lu\n", l->run_read ? "read" : "own", l->mm->id,
			    l->run_start, nr);
	}
	l->run_start = l->run_end = 0;
}

static void add_to_run(struct look *l, unsigned long addr, enum known_kind kind, uint64_t number,
		       bool read)
{
	if (l->run_start == l->run_end || addr != l->run_end || kind != l->run_kind ||
	    number != l->run_number || read != l->run_read ||
	    (l->run_end - l->run_start) / PAGE == TRACE_MAX_PAGES) {
		end_run(l);
		l->run_start = addr;
		l->run_kind = kind;
		l->run_read = read;
		l->run_number = number;
	}
	l->run_end = addr + PAGE;
}

/* -------------------------------------------------------------------------- a page is seen -- */

static void sync_own(struct look *l, unsigned long addr, const unsigned char *page)
{
	struct known_page *known = known_page(&l->mm->known, addr, true);
	uint64_t number = contents_number(page);
	const void *before = NULL;
	bool whole = false;

	if (known->kind == KNOWN_OWN && known->number == number)
		return;
	if (known->kind == KNOWN_OWN) {
		before = known->bytes ? known->bytes->bytes : NULL;
		whole = !before && known->number;
	} else if (l->area.inode) {
		before = copied_from(l, addr);
		whole = !before;
	}
	whole |= ranges_meet(&l->mm->murky, addr, addr + PAGE);
	text_printf(l->r->out, "store m%u 0x%lx", l->mm->id, addr);
	if (tell_contents(l->r, page, number, before, whole))
		known_set(known, KNOWN_OWN, number, page);
	else
		known_set(known, KNOWN_OWN, number, NULL);
}

/* A page of a shared area that may be written to: told as a store, known for the object. */
static void sync_shared(struct look *l, unsigned long addr, const unsigned char *page)
{
	struct known_page *known = known_page(l->in_file, page_in_file(l, addr), true);
	uint64_t number = contents_number(page);
	const void *before = known->bytes ? known->bytes->bytes : NULL;
	bool whole = known->kind && known->number && !before;

	if (known->kind ? known->number == number : !number)
		return;
	text_printf(l->r->out, "store m%u 0x%lx", l->mm->id, addr);
	if (tell_contents(l->r, page, number, before, whole))
		known_set(known, KNOWN_FILE, number, page);
	else
		known_set(known, KNOWN_FILE, number, NULL);
}

static void sync_page(struct look *l, unsigned long addr, enum known_kind kind,
		      const unsigned char *page)
{
	struct known_page *known;

	if (kind == KNOWN_OWN) {
		sync_own(l, addr, page);
		return;
	}
	if (kind == KNOWN_FILE && l->in_file && l->area.shared && l->area.writable)
		sync_shared(l, addr, page);
	else if (kind == KNOWN_FILE && l->file)
		tell_file(l, page_in_file(l, addr), page, false);
	known = known_page(&l->mm->known, addr, true);
	if (known->kind == kind)
		return;
	known_set(known, kind, 0, NULL);
	add_to_run(l, addr, kind, 0, true);
}

static void hollow_page(struct look *l, unsigned long addr, enum known_kind kind)
{
	struct known_page *known = known_page(&l->mm->known, addr, true);

	if (known->kind == kind)
		return;
	/* What a private copy is made from stays hollow as well. */
	if (kind == KNOWN_OWN || l->file || !l->in_file)
		add_to_run(l, addr, kind, 0, kind != KNOWN_OWN);
}

static void files_page(struct look *l, unsigned long addr, enum known_kind kind,
		       const unsigned char *page)
{
	struct known_page *known = known_page(&l->mm->known, addr, false);

	if (!l->file || (known && known->kind == kind))
		return;
	if (kind == KNOWN_FILE)
		tell_file(l, page_in_file(l, addr), page, false);
	else if (kind == KNOWN_OWN)
		copied_from(l, addr);
}

static void check_page(struct look *l, unsigned long addr, enum known_kind kind,
		       const unsigned char *page)
{
	struct known_page *known = known_page(&l->mm->known, addr, true);
	uint64_t number = contents_number(page);

	if (kind == KNOWN_FILE) {
		/* As the file was told to be, or it cannot be compared. */
		struct known_page *in_file =
			l->in_file ? known_page(l->in_file, page_in_file(l, addr), false) : NULL;

		if (!in_file || !in_file->kind || in_file->number != number)
			return;
	} else if (known->kind != kind || known->number != number) {
		/* The call has made it, or brought it here. */
		known_set(known, kind, number,
			  kind == KNOWN_ZERO || known_stand_in(number) ? NULL : page);
	}
	add_to_run(l, addr, kind, number, false);
}

static void see(struct look *l, unsigned long addr, enum known_kind kind, const unsigned char *page)
{
	l->nr_own += kind == KNOWN_OWN;
	switch (l->kind) {
	case LOOK_SYNC:
		sync_page(l, addr, kind, page);
		break;
	case LOOK_HOLLOW:
		hollow_page(l, addr, kind);
		break;
	case LOOK_FILES:
		files_page(l, addr, kind, page);
		break;
	case LOOK_CHECK:
		check_page(l, addr, kind, page);
		break;
	}
}

/* ---------------------------------------------------------------------------------- looks -- */

/* All pages of a run that sample_pages() found, or those that can be read. */
static void see_found(struct look *l, const struct found_pages *found)
{
	static unsigned char pages[BATCH * PAGE];

	for (unsigned long addr = found->start; addr < found->end;) {
		unsigned long want = found->end - addr < BATCH * PAGE ? found->end - addr
								      : BATCH * PAGE;
		ssize_t got = PAGE;

		if (l->kind == LOOK_HOLLOW)
			want = PAGE;
		else
			got = pread(l->mm->mem_fd, pages, want, (off_t)addr);
		if (got < (ssize_t)PAGE) {		/* not memory: a driver's */
			addr += PAGE;
			continue;
		}
		for (unsigned long i = 0; i < (unsigned long)got / PAGE; i++, addr += PAGE)
			see(l, addr, found->kind, pages + i * PAGE);
	}
}

/* The range, a part of the area, in pieces that a line of the recording can hold. */
static void look_at_area(struct look *l, unsigned long start, unsigned long end)
{
	bool private_anon = !l->area.inode && !l->area.shared;
	struct found_pages found;
	bool there = sample_pages(l->mm, start, end, &found);

	while (start < end) {
		unsigned long most = TRACE_MAX_PAGES * PAGE, stop;

		if (!there && (l->kind != LOOK_CHECK || !private_anon))
			break;
		stop = end - start > most ? start + most : end;
		l->line_start = start;
		if (l->kind == LOOK_CHECK)
			text_printf(l->r->out, "check m%u 0x%lx %lu", l->mm->id, start,
				    (stop - start) / PAGE);
		while (there && found.start < stop) {
			struct found_pages part = found;

			if (part.end > stop)
				part.end = stop;
			see_found(l, &part);
			if (part.end < found.end)
				found.start = part.end;
			else
				there = sample_pages(l->mm, part.end, end, &found);
		}
		end_run(l);
		if (l->kind == LOOK_CHECK)
			text_printf(l->r->out, "\n");
		if (!there)
			break;
		start = found.start > stop ? found.start : stop;
	}
}

/* Pages that are there, to bound what a check costs. */
static unsigned long end_of_check(struct look *l, unsigned long start, unsigned long end)
{
	struct found_pages found;

	for (unsigned long at = start; sample_pages(l->mm, at, end, &found); at = found.end) {
		unsigned long nr = (found.end - found.start) / PAGE;

		if (nr > l->most)
			return found.start + l->most * PAGE;
		l->most -= nr;
	}
	return end;
}

static bool begin_area(struct look *l)
{
	struct seen_area *a = &l->area;

	if (!strncmp(a->name, "[v", 2) || a->huge_pages)
		return false;
	l->file = a->inode ? file_of_seen(l->mm, a, &l->fd) : 0;
	l->in_file = a->inode ? known_file(a->dev_major, a->dev_minor, a->inode) : NULL;
	return l->kind != LOOK_CHECK || !a->shared || !l->r->mms->next;
}

static void look(struct look *l, unsigned long start, unsigned long end)
{
	start &= ~(PAGE - 1);
	end = end > -PAGE ? -PAGE : (end + PAGE - 1) & ~(PAGE - 1);
	while (start < end && sample_area(l->mm, start, true, &l->area) && l->area.start < end) {
		unsigned long stop = l->area.end < end ? l->area.end : end;

		if (l->area.start > start)
			start = l->area.start;
		if (begin_area(l)) {
			unsigned long last = stop;

			if (l->kind == LOOK_CHECK)
				last = end_of_check(l, start, stop);
			look_at_area(l, start, last);
			if (last != stop)
				break;
		}
		start = stop;
	}
}

/* May what comes of a call be compared: did nobody else change the memory? */
static bool quiet(const struct recorder *r, const struct mm *mm)
{
	if (mm->loose)
		return false;
	for (const struct task *t = r->tasks; t; t = t->next)
		if (t->mm == mm && t->state == TASK_EXITING)
			return false;
	return true;
}

static bool followed(const struct recorder *r, const struct mm *mm)
{
	return r->touch && mm->imaged && !mm->foreign;
}

static void look_for(struct recorder *r, struct mm *mm, enum look_kind kind, unsigned long start,
		     unsigned long len)
{
	struct look l = { .r = r, .mm = mm, .kind = kind, .most = CHECK_PAGES };
	unsigned long end = start + len < start ? ~0ul : start + len;

	if (kind != LOOK_CHECK || quiet(r, mm))
		look(&l, start, end);
}

static void check_whole(struct recorder *r, struct mm *mm)
{
	struct look l = { .r = r, .mm = mm, .kind = LOOK_CHECK, .most = ~0ul };

	if (!quiet(r, mm))
		return;
	look(&l, 0, ~0ul);
	text_printf(r->out, "rss m%u %lu\n", mm->id, l.nr_own);
}

void touch_page(struct recorder *r, struct mm *mm, unsigned long addr)
{
	if (followed(r, mm))
		look_for(r, mm, LOOK_SYNC, addr, PAGE);
}

void touch_whole(struct recorder *r, struct mm *mm)
{
	if (!followed(r, mm))
		return;
	files_sizes_changed(r, mm);
	look_for(r, mm, LOOK_SYNC, 0, ~0ul);
	check_whole(r, mm);
}

/* ------------------------------------------------------------------------------ of a call -- */

static bool empties(unsigned long advice)
{
	return advice == MADV_DONTNEED || advice == MADV_REMOVE || advice == MADV_FREE ||
	       advice == 24 /* MADV_DONTNEED_LOCKED */;
}

static void before_mremap(struct recorder *r, struct mm *mm, const unsigned long *a)
{
	look_for(r, mm, LOOK_SYNC, a[0], a[1] ? a[1] : a[2]);
	if (a[3] & MREMAP_FIXED)
		look_for(r, mm, LOOK_HOLLOW, a[4], a[2]);
}

void touch_before(struct recorder *r, struct task *task)
{
	struct mm *mm = task->mm;
	const unsigned long *a = task->args;

	if (!followed(r, mm))
		return;
	files_sizes_changed(r, mm);
	if (call_is_fork(task)) {
		look_for(r, mm, LOOK_SYNC, 0, ~0ul);
		return;
	}
	switch (task->call.id) {
	case CALL_MMAP:
		if (a[3] & MAP_FIXED)
			look_for(r, mm, LOOK_HOLLOW, a[0], a[1]);
		break;
	case CALL_MUNMAP:
		look_for(r, mm, LOOK_HOLLOW, a[0], a[1]);
		break;
	case CALL_BRK:
		if (a[0] && a[0] < mm->brk)
			look_for(r, mm, LOOK_HOLLOW, (a[0] + PAGE - 1) & ~(PAGE - 1),
				 mm->brk - a[0]);
		break;
	case CALL_MREMAP:
		before_mremap(r, mm, a);
		break;
	case CALL_MADVISE:
		look_for(r, mm, empties(a[2]) ? LOOK_HOLLOW : LOOK_SYNC, a[0], a[1]);
		break;
	case CALL_MPROTECT: case CALL_PKEY_MPROTECT: case CALL_MLOCK: case CALL_MLOCK2:
	case CALL_MUNLOCK: case CALL_REMAP_FILE_PAGES:
		look_for(r, mm, LOOK_SYNC, a[0], a[1]);
		break;
	case CALL_MLOCKALL: case CALL_PROCESS_MADVISE:
		look_for(r, mm, LOOK_SYNC, 0, ~0ul);
		break;
	default:
		break;
	}
}

/* Where a call that ends so may have made pages. */
static struct mm_range made_by(const struct task *task, unsigned long result)
{
	const unsigned long *a = task->args;

	switch (task->call.id) {
	case CALL_MMAP:
		return (struct mm_range){ result, is_error(result) ? 0 : a[1] };
	case CALL_MREMAP:
		return (struct mm_range){ result, is_error(result) ? 0 : a[2] };
	case CALL_MPROTECT: case CALL_PKEY_MPROTECT: case CALL_MLOCK: case CALL_MLOCK2:
	case CALL_REMAP_FILE_PAGES:
		return (struct mm_range){ a[0], a[1] };
	case CALL_MADVISE:
		/* Lazily freed and cold pages may go at any time. */
		return (struct mm_range){ a[0], a[2] == MADV_FREE || a[2] == MADV_PAGEOUT ? 0
											  : a[1] };
	case CALL_MLOCKALL:
		return (struct mm_range){ 0, ~0ul };
	default:
		return (struct mm_range){ 0, 0 };
	}
}

/* Replay has a page in the range perhaps, and nothing is known of it. */
static void now_murky(struct mm *mm, unsigned long start, unsigned long len)
{
	unsigned long end = start + len < start ? ~0ul : start + len;

	start &= ~(PAGE - 1);
	end = end > -PAGE ? -PAGE : (end + PAGE - 1) & ~(PAGE - 1);
	if (end <= start)
		return;
	known_forget(&mm->known, start, end);
	ranges_add(&mm->murky, start, end);
}

/* What is known no longer, in replay as well. */
static void after_hollow(struct mm *mm, const struct task *task, unsigned long result)
{
	const unsigned long *a = task->args;

	switch (task->call.id) {
	case CALL_MMAP:
		if (a[3] & MAP_FIXED && is_error(result))
			now_murky(mm, a[0], a[1]);
		break;
	case CALL_MUNMAP:
		if (is_error(result))
			now_murky(mm, a[0], a[1]);
		break;
	case CALL_MREMAP:
		if (a[3] & MREMAP_FIXED && is_error(result))
			now_murky(mm, a[4], a[2]);
		break;
	case CALL_MADVISE:
		if (!empties(a[2]))
			break;
		if (is_error(result) || a[2] == MADV_FREE)
			now_murky(mm, a[0], a[1]);
		else
			known_forget(&mm->known, a[0], a[0] + ((a[1] + PAGE - 1) & ~(PAGE - 1)));
		break;
	case CALL_PROCESS_MADVISE:
		now_murky(mm, 0, ~0ul);
		break;
	default:
		break;
	}
}

/* MADV_REMOVE empties pages of files: what was told of them does not count any more. */
static void forget_removed(struct mm *mm, unsigned long start, unsigned long end)
{
	struct seen_area a;

	for (; start < end && sample_area(mm, start, true, &a) && a.start < end; start = a.end)
		if (a.inode)
			known_forget(known_file(a.dev_major, a.dev_minor, a.inode), 0, ~0ul);
}

void touch_files(struct recorder *r, struct task *task, unsigned long result)
{
	struct mm_range made = made_by(task, result);

	if (!followed(r, task->mm))
		return;
	after_hollow(task->mm, task, result);
	if (task->call.id == CALL_MADVISE && task->args[2] == MADV_REMOVE)
		forget_removed(task->mm, task->args[0], task->args[0] + task->args[1]);
	if (made.len && task->call.id != CALL_MREMAP)
		look_for(r, task->mm, LOOK_FILES, made.addr, made.len);
}

void touch_after(struct recorder *r, struct task *task, unsigned long result)
{
	struct mm_range made = made_by(task, result);
	struct mm *mm = task->mm;

	if (!followed(r, mm))
		return;
	if (made.len)
		look_for(r, mm, LOOK_CHECK, made.addr, made.len);
	if (task->call.id == CALL_MREMAP && !is_error(result) && task->args[3] & 4 /* DONTUNMAP */)
		look_for(r, mm, LOOK_CHECK, task->args[0], task->args[1]);
	if (mm->nr_calls % r->touch_every == 0)
		touch_whole(r, mm);
}

/* --------------------------------------------------------------------------------- forks -- */

void touch_stopped(struct recorder *r, struct mm *mm)
{
	if (!mm->fresh)
		return;
	mm->fresh = false;
	touch_whole(r, mm);
}

void touch_forget(struct mm *mm, unsigned long start, unsigned long end)
{
	known_forget(&mm->known, start, end);
	ranges_remove(&mm->murky, start, end);
}

void touch_copied(struct mm *to, const struct mm *from)
{
	known_copy(&to->known, &from->known);
	ranges_copy(&to->murky, &from->murky);
	to->fresh = true;
}

void touch_gone(struct mm *mm)
{
	known_forget(&mm->known, 0, ~0ul);
	free(mm->murky.r);
}
