/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Copying to and from an address space, and finding the frame behind an address.
 *
 * A piece is what lies in one page:
 *
 *	[ ..xxxx | xxxxxxxx | xxx..... ]	each page is had for the access, and then copied
 *
 * so the copy stops at the first page that cannot be had, with all bytes before it done.  But a
 * write to another process has many pages before it stores to the first, as Linux's has: to make
 * one private may copy a page of a file that the same write stores to by a shared area.
 *
 * The page is held while it is copied, and no lock is: the caller's buffer may be anything, memory
 * that faults itself not excepted.  For reading a reference does, and the page may be one that
 * others share, too (but see mm_access()).  For writing it takes a pin: otherwise a fork between
 * finding the page and storing to it would share the page, and the store would show up in the child
 * long after.
 */
#include "phys/copy.h"
#include "fault/fault.h"
#include "file/filemap.h"
#include "vma/handle.h"

/* A copy on its way. */
struct transfer {
	struct mm_struct *mm;
	unsigned long addr;
	void *to;			/* one of the two is the caller's buffer */
	const void *from;
	size_t left;
	unsigned int how;		/* FAULT_* */
	size_t done;
};

/* The page at t->addr, with a reference; *put is how to give it back. */
static enum mm_fault get_page(const struct transfer *t, struct page **page, u32 *refs)
	__must_not_hold(vma_stable) __may_sleep
{
	struct pinned pinned = { .page = NULL };
	enum mm_fault fault;

	mm_may_read_lock(t->mm);
	*refs = pin_refs(t->how);
	*page = NULL;
	if (t->to && !(t->how & (FAULT_REMOTE | FAULT_FORCED)))
		*page = gup_fast(t->mm->pgt, t->addr, PT_READ);
	if (*page) {
		/* The entry was not written to. */
		page_touch(page_head(*page));
		return MM_FAULT_DONE;
	}
	fault = fault_pin(t->mm, t->addr, t->to ? MM_ACCESS_READ : MM_ACCESS_WRITE, t->how,
			  &pinned);
	*page = pinned.page;
	return fault;
}

/*
 * Memory that has no page to copy by, for a debugger: its driver does a piece of @bytes.  By a
 * buffer of ours, since the caller's may fault and the driver is called with the mmap lock.
 */
static size_t ask_driver(const struct transfer *t, size_t bytes)
	__must_not_hold(vma_stable) __may_sleep
{
	char piece[256];
	long got;

	if (!(t->how & FAULT_FORCED))
		return 0;
	bytes = min(bytes, sizeof(piece));
	if (!t->to)
		memcpy(piece, (const char *)t->from + t->done, bytes);
	got = driver_access(t->mm, t->addr, piece, bytes, !t->to);
	if (got > 0 && t->to)
		memcpy((char *)t->to + t->done, piece, (size_t)got);
	return got > 0 ? (size_t)got : 0;
}

/* As much of what is left as lies in one page. */
static size_t piece_bytes(const struct transfer *t)
{
	return min(t->left, PAGE_SIZE - t->addr % PAGE_SIZE);
}

static void advance(struct transfer *t, size_t bytes)
{
	t->done += bytes;
	t->left -= bytes;
	t->addr += bytes;
}

/*
 * Others store by way of the page, and not of an entry: so it is the page of shared memory that is
 * dirty.  Of other files it is by now.
 */
static void store_bytes(const struct transfer *t, struct page *page, char *to, size_t bytes)
{
	frame_store(to, (const char *)t->from + t->done, bytes);
	if ((t->how & (FAULT_REMOTE | FAULT_FORCED)) && (page_flags(page) & PG_SHMEM))
		filemap_mark_dirty(page);
}

/* The next piece, which lies in @page, whose references are put. */
static void copy_piece(struct transfer *t, struct page *page, u32 refs)
{
	size_t bytes = piece_bytes(t);
	char *frame = (char *)page_bytes(page) + t->addr % PAGE_SIZE;

	if (t->to)
		frame_load((char *)t->to + t->done, frame, bytes);
	else
		store_bytes(t, page, frame, bytes);
	page_put_many(page_head(page), refs);
	advance(t, bytes);
}

static enum mm_fault transfer_piece(struct transfer *t)
	__must_not_hold(vma_stable) __may_sleep
{
	struct page *page;
	size_t bytes;
	u32 refs;
	enum mm_fault fault = get_page(t, &page, &refs);

	if (fault == MM_FAULT_ACCERR) {
		bytes = ask_driver(t, piece_bytes(t));
		advance(t, bytes);
		return bytes ? MM_FAULT_DONE : MM_FAULT_ACCERR;
	}
	if (fault == MM_FAULT_DONE)
		copy_piece(t, page, refs);
	return fault;
}

static enum mm_fault start_fault(const struct transfer *t)
{
	return mm_has_pages(t->mm) || !t->left ? MM_FAULT_DONE : MM_FAULT_BUS;
}

static size_t transfer(struct transfer *t, enum mm_fault *fault)
	__must_not_hold(vma_stable) __may_sleep
{
	*fault = start_fault(t);
	while (t->left && *fault == MM_FAULT_DONE)
		*fault = transfer_piece(t);
	return t->done;
}

/* --------------------------------------------------------------------- ahead, to another -- */

/* Pages that are had before the first is stored to, as process_vm_writev() has them. */
#define AHEAD_FEW	16ul
#define AHEAD_MOST	1024ul

struct ahead {
	struct page **pages;
	unsigned long room, nr;
	u32 refs;
};

/* As many as there is room for, or up to one that cannot be had. */
static enum mm_fault get_ahead(const struct transfer *t, struct ahead *ahead)
	__must_not_hold(vma_stable) __may_sleep
{
	struct transfer next = *t;
	enum mm_fault fault = MM_FAULT_DONE;

	ahead->nr = 0;
	while (next.left && ahead->nr < ahead->room && fault == MM_FAULT_DONE) {
		fault = get_page(&next, &ahead->pages[ahead->nr], &ahead->refs);
		if (fault == MM_FAULT_DONE) {
			ahead->nr++;
			advance(&next, piece_bytes(&next));
		}
	}
	return fault;
}

/* Who fails after some has those stored to, and is asked for once more: it may be its turn now. */
static size_t transfer_ahead(struct transfer *t, struct ahead *ahead, enum mm_fault *fault)
	__must_not_hold(vma_stable) __may_sleep
{
	*fault = start_fault(t);
	while (t->left && *fault == MM_FAULT_DONE) {
		*fault = get_ahead(t, ahead);
		if (ahead->nr)
			*fault = MM_FAULT_DONE;
		for (unsigned long i = 0; i < ahead->nr; i++)
			copy_piece(t, ahead->pages[i], ahead->refs);
	}
	return t->done;
}

/* Without memory for the list there is a shorter one. */
static size_t write_remote(struct transfer *t, enum mm_fault *fault)
	__must_not_hold(vma_stable) __may_sleep
{
	struct page *few[AHEAD_FEW];
	struct ahead ahead = { .pages = few, .room = AHEAD_FEW };
	unsigned long nr = min((t->addr % PAGE_SIZE + t->left - 1) / PAGE_SIZE + 1, AHEAD_MOST);
	struct page **many = t->left && nr > AHEAD_FEW ? port_alloc(nr * sizeof(*many)) : NULL;
	size_t done;

	if (many)
		ahead = (struct ahead){ .pages = many, .room = nr };
	done = transfer_ahead(t, &ahead, fault);
	if (many)
		port_free(many, nr * sizeof(*many));
	return done;
}

/* ------------------------------------------------------------------------------- copies -- */

size_t mm_read(struct mm_user *user, unsigned long addr, void *to, size_t len, enum mm_fault *fault)
{
	witness_call();
	struct transfer t = {
		.mm = mm_from_user(user), .addr = addr, .to = to, .left = len, .how = FAULT_PEEK,
	};

	return transfer(&t, fault);
}

size_t mm_write(struct mm_user *user, unsigned long addr, const void *from, size_t len,
		enum mm_fault *fault)
{
	witness_call();
	struct transfer t = { .mm = mm_from_user(user), .addr = addr, .from = from, .left = len };

	return transfer(&t, fault);
}

size_t mm_access(struct mm_user *user, unsigned long addr, void *buf, size_t len,
		 unsigned int flags, enum mm_fault *fault)
{
	witness_call();
	bool write = flags & MM_REMOTE_WRITE;
	bool forced = flags & MM_REMOTE_FORCED;
	/* Linux pins what process_vm_readv() reads, and a debugger's page it only holds. */
	struct transfer t = {
		.mm = mm_from_user(user), .addr = addr, .left = len,
		.to = write ? NULL : buf, .from = write ? buf : NULL,
		.how = FAULT_REMOTE | (forced ? FAULT_FORCED : 0) |
		       (forced && !write ? FAULT_PEEK : 0),
	};

	return write && !forced ? write_remote(&t, fault) : transfer(&t, fault);
}

/* ------------------------------------------------------------------------------- frames -- */

enum mm_fault mm_translate(struct mm_user *user, unsigned long addr, enum mm_access access,
			   struct mm_translation *out)
{
	witness_call();
	struct mm_struct *mm = mm_from_user(user);
	struct pinned pinned;
	enum mm_fault fault;

	if (!mm_has_pages(mm))
		return MM_FAULT_BUS;
	fault = fault_pin(mm, addr, access, FAULT_KEEP, &pinned);
	if (fault != MM_FAULT_DONE)
		return fault;
	*out = (struct mm_translation){
		.bytes = (char *)page_bytes(pinned.page) + addr % PAGE_SIZE,
		.frame = page_pfn(pinned.page),
		.prot = PROT_READ | (access == MM_ACCESS_WRITE ? PROT_WRITE : 0) |
			(pinned.rights & PT_EXEC ? PROT_EXEC : 0),
		.page = pinned.page,
	};
	return MM_FAULT_DONE;
}

void mm_translation_put(struct mm_translation *translation)
{
	page_unpin(translation->page);
	translation->page = NULL;
}

long mm_pin_pages(struct mm_user *user, unsigned long addr, unsigned long nr_pages,
		  enum mm_access access, struct page **pages)
{
	witness_call();
	struct mm_struct *mm = mm_from_user(user);
	enum mm_fault fault = MM_FAULT_DONE;
	unsigned long done = 0;
	struct pinned pinned;

	if (nr_pages && !mm_has_pages(mm))
		return -EFAULT;
	while (done < nr_pages && fault == MM_FAULT_DONE) {
		fault = fault_pin(mm, addr + done * PAGE_SIZE, access, FAULT_KEEP, &pinned);
		if (fault == MM_FAULT_DONE)
			pages[done++] = pinned.page;
	}
	return done ? (long)done : fault_errno(fault);
}

void mm_unpin_pages(struct page **pages, unsigned long nr_pages)
{
	for (unsigned long i = 0; i < nr_pages; i++)
		page_unpin(pages[i]);
}
