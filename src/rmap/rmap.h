/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * From a frame, or a range of a file, to every entry that maps it.  The essay is in rmap.c.
 *
 * No lock of an mm is taken or needed here, so all of it may be used by who has none: a write-back,
 * a shrinker, a truncation.
 */
#ifndef RMAP_RMAP_H
#define RMAP_RMAP_H

#include "file/filemap.h"
#include "pgtable/pgtable.h"
#include "phys/page_lock.h"
#include "swap/swap.h"
#include "vma/anon.h"
#include "vma/types.h"

/* ------------------------------------------------------------------------------- frames -- */

/*
 * In all of these the caller has a reference to the page.  It may be one of a block of 2 MiB: the
 * reference, its lock and its pins are then the head's, and the block stays one.  A page of a file
 * is locked, so that it stays that; an anonymous one is what it is for life, and is locked where it
 * says so.  A driver's page, which no file has, is found nowhere.
 */

/* May a lock be waited for?  RMAP_TRY: never sleeps. */
enum rmap_wait { RMAP_WAIT, RMAP_TRY };

enum rmap_order {
	RMAP_LIKELY_FIRST,		/* stops when as many are found as the page has */
	RMAP_PARENTS_FIRST,		/* to the end; a fork at the same time hides nothing */
};

enum rmap_look_for {
	RMAP_LEAVES,			/* what maps the page */
	RMAP_MOVED,			/* what did, until rmap_migrate() began */
};

struct rmap_walk;

/* An entry of the page; its table is locked.  False: no more are wanted. */
typedef bool rmap_entry_fn(struct rmap_walk *walk, struct pt_slot *slot);

struct rmap_walk {
	struct page *page;
	rmap_entry_fn *fn;
	void *arg;			/* for fn */
	enum rmap_wait wait;
	enum rmap_order order;
	enum rmap_look_for look_for;
	bool by_pieces;			/* leaves of 2 MiB are split first: fn sees none */
	const struct vm_area_struct *vma;	/* for fn: where the entry is */
	unsigned long nr_areas;		/* out: looked at */
	unsigned long nr_entries;	/* out: found */
};

/* 0; -EAGAIN: RMAP_TRY, and a lock was taken. */
int rmap_walk(struct rmap_walk *walk)			__may_sleep __must_check;

/*
 * How many entries said since the last call that the page was accessed; they do not any more.
 * -EAGAIN as above.
 */
int rmap_referenced(struct page *page, enum rmap_wait wait)	__may_sleep;

/*
 * For the write-back of a locked page of a file: nobody writes to it any more without a fault.
 * Returns how many entries were dirty or could have become so.
 */
int rmap_mkclean(struct page *page)			__must_hold(page) __may_sleep;

/* What is left at each place. */
enum rmap_leave {
	RMAP_LEAVE_NONE,		/* nothing: only for pages that can be had again */
	RMAP_LEAVE_SWAP,		/* a swap entry: PT_SOFT_SWAP with a number */
};

struct rmap_unmap {
	enum rmap_leave leave;
	u64 swap_number;
	enum rmap_wait wait;
	bool dirty;			/* out: an entry said so; add it to what is known */
	unsigned int nr;		/* out: entries that were taken out */
};

/*
 * Takes the locked page out of every table; leaves of 2 MiB are split for that.  0: it is mapped
 * nowhere.  -EAGAIN: as above, or a fork went on beside it; some may be left.  -EBUSY: it, or
 * another page of its block, is pinned, or an area that shows it is locked: some are left.
 */
int rmap_unmap(struct page *page, struct rmap_unmap *how)
	__must_hold(page) __may_sleep __must_check;

/*
 * Takes an anonymous page that MADV_FREE said was not needed out of the one entry it has, which is
 * none after it, if the page has not been written to since.  0: it is mapped nowhere, and the
 * caller's alone.  -EBUSY: written to, pinned, shared, in a locked area; -EAGAIN: RMAP_TRY.
 */
int rmap_discard(struct page *page, enum rmap_wait wait)
	__must_hold(page) __may_sleep __must_check;

/*
 * Moves what is in @page, a frame of order 0, to @to, a new frame with any bytes, and makes every
 * entry name that.  Meanwhile faults wait.  0: @page is nobody's; @to has references for what it is
 * part of, and the caller's.  -EAGAIN: somebody uses @page or changes who maps it; -EBUSY: it is
 * pinned, or part of a block: nothing has changed.  The caller has no page lock.
 */
int rmap_migrate(struct page *page, struct page *to)	__may_sleep __must_check;

/* ------------------------------------------------------------------------------ blocks -- */

/*
 * Are all references to the block those of the table that @slot lies in, and @own, 0 or 1, of
 * the caller's?  Then it comes apart, and what is not mapped of it is free.  The caller's is of the
 * head.
 */
bool rmap_take_apart(const struct pt_slot *slot, struct page *head, u32 own)
	__must_hold(slot);

/*
 * Splits the leaf that maps the locked block, and the block, if nobody else has it.  The caller has
 * one reference.  False: it stays a block.
 */
bool rmap_split_block(struct page *head, enum rmap_wait wait)
	__must_hold(head) __may_sleep;

/* ------------------------------------------------------------------ ranges of a file -- */

/*
 * Pages [first, end) of @mapping out of every page table.  It may sleep, and cannot fail.  Needs no
 * lock, and may be called with any that comes before the i_mmap lock.  Faults that come later map
 * what they find then: who wants them to find nothing sees to that first.
 */
void unmap_mapping_range(struct address_space *mapping, unsigned long first, unsigned long end,
			 enum unmap_what what)	__may_sleep;
/* The same for who may not sleep.  False: somebody changes who maps the file; nothing was done. */
bool unmap_mapping_range_try(struct address_space *mapping, unsigned long first, unsigned long end,
			     enum unmap_what what)	__must_check;

/* ------------------------------------------------------------------------------- counts -- */

/*
 * Anonymous pages are pinned only while they are exclusive (pin.c).  Others may have as many
 * references as a pin: those of a thousand forks, or of a block that is in pieces in two mms.
 */
static inline bool rmap_may_be_pinned(struct page *page)
{
	if ((page_flags(page) & (PG_ANON | PG_EXCLUSIVE)) == PG_ANON)
		return false;
	return page_is_pinned(page_head(page));
}

/* For gather_ops.removed: the entry counted, and what it noted of a file's page is kept there. */
static inline void rmap_gone(struct mmu_gather *gather, const struct pt_zapped *zapped)
{
	struct page *page = zapped->page;

	if (!page) {
		if (pte_soft_type(gather->pt->format, zapped->entry) == PT_SOFT_SWAP)
			swap_put(gather->pt->swap, pte_soft_number(zapped->entry));
		return;
	}
	if (pte_dirty(gather->pt->format, zapped->entry) &&
	    !(page_flags(page) & (PG_ANON | PG_DIRTY)))
		filemap_mark_dirty(page);
	atomic_sub_relaxed(page_map_counter(page, zapped->level == PT_PMD), 1);
}

/* For gather_ops.moved: the entry counted in its frame's mapcount. */
static inline void rmap_moved_gone(struct mmu_gather *gather, pte_t entry)
{
	struct page *page = pfn_page(gather->pt->frames, pte_migrate_pfn(entry));

	atomic_sub_relaxed(&page->mapcount, 1);
}

#endif
