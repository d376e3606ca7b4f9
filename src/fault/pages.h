/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the memory calls do to pages.  Each of these does nothing in a mm without pages.
 *
 * Ranges are in bytes, page-aligned.  Locks are those of LOCKING.md's table of page-table work;
 * "its VMA" is the one that the range lies in.
 */
#ifndef FAULT_PAGES_H
#define FAULT_PAGES_H

#include "fault/fault.h"

/* What a page table is like: of struct mm_config. */
struct pages_shape {
	enum mm_table_format format;
	unsigned int levels;			/* 0: the usual */
};

static inline struct pages_shape pages_shape_in(const struct mm_config *config)
{
	return (struct pages_shape){ config->table_format, config->levels };
}

/* That of @mm; all 0 if it has no pages. */
struct pages_shape pages_shape_of(const struct mm_struct *mm);

/*
 * A page table for @mm, if its instance has frames.  0; -EINVAL: no such @shape; -ENOFRAME: for the
 * root; -ENOMEM.
 */
int pages_create(struct mm_struct *mm, struct pages_shape shape) __may_sleep __must_check;
/* Nobody else can reach the mm's pages any more: all of them go, and the tables. */
void pages_destroy(struct mm_struct *mm);

/* Is there such a table, and does task_size fit into it? */
bool pages_shape_valid(struct pages_shape shape, unsigned long task_size);

/* What of a range a zap leaves there. */
enum zap_what {
	ZAP_ALL,			/* nothing: the range is unmapped */
	ZAP_PAGES,			/* guards: the area stays */
	ZAP_GUARDS,			/* all but guards */
	ZAP_SWAPPED,			/* all but what is in swap */
};

/* Its VMA is stable. */
void pages_zap(struct mm_struct *mm, unsigned long start, unsigned long end, enum zap_what what)
	__must_hold_shared(vma_stable);

/* The same with ZAP_PAGES, and tables for small pages that are empty then. */
void pages_discard(struct mm_struct *mm, unsigned long start, unsigned long end)
	__must_hold_shared(vma_stable);

/*
 * Tables that reach into [start, end) and that no area of the working tree needs: all of the range
 * is zapped and out of the tree.  The mmap write lock.
 */
void pages_free_tables(struct mm_struct *mm, unsigned long start, unsigned long end)
	__must_hold(vma_stable);

/* Entries take the rights that @flags give.  The VMA's write lock. */
void pages_protect(struct mm_struct *mm, unsigned long start, unsigned long end, vm_flags_t flags)
	__must_hold(vma_stable);

/*
 * Prepare: what moving may need; 0 or -ENOFRAME.  Then pages_move() cannot fail, and neither can
 * moving the same back.  pages_move_done() in any case.  Write locks of both VMAs; the target is
 * empty.
 */
int pages_move_prepare(struct mm_struct *mm, struct pt_stash *stash, unsigned long from,
		       unsigned long to, unsigned long bytes)
	__must_hold(vma_stable) __must_check;
void pages_move(struct mm_struct *mm, struct pt_stash *stash, unsigned long from, unsigned long to,
		unsigned long bytes)
	__must_hold(vma_stable);
void pages_move_done(struct pt_stash *stash);

/*
 * Accessed bits are cleared, and with PAGES_CLEAN dirty bits of anonymous pages.  Pages that nobody
 * else maps are the next to be taken, and with PAGES_CLEAN are not needed unless they are written
 * to again.  VMA stable.
 */
enum pages_age { PAGES_OLD, PAGES_CLEAN };
void pages_age(struct mm_struct *mm, unsigned long start, unsigned long end, enum pages_age age)
	__must_hold_shared(vma_stable);

/* Zaps the range and makes each page of it a guard.  0; -ENOFRAME: no change.  Write locks. */
int pages_guard(struct mm_struct *mm, unsigned long start, unsigned long end)
	__must_hold(vma_stable) __must_check;

/*
 * MADV_COLLAPSE of the 2 MiB that lie in the range whole.  0: each is a leaf, or there is nothing
 * to do; -EINVAL: one that has no pages, or a guard; -EBUSY: more than the mm may have; -ENOMEM: no
 * block; -ENOFRAME: a table to put aside; -EAGAIN: pages that others hold.  After an error some may
 * be leaves.  The mmap write lock.
 */
int pages_collapse(struct vm_area_struct *vma, unsigned long start, unsigned long end)
	__must_hold(vma_stable) __may_sleep __must_check;
/* What a table maps that was detached from @start, and the table. */
void pages_drop_table(struct mm_struct *mm, unsigned long start, struct page *table)
	__must_hold(vma_stable);

/* A byte for each page, 0 or 1: is it in core?  VMA stable. */
void pages_in_core(const struct vm_area_struct *vma, unsigned long start, unsigned long end,
		   unsigned char *vec)
	__must_hold_shared(vma_stable);

/*
 * fork: @copy, of another mm, gets what @vma has.  0; -ENOFRAME: it has a part of it, and the
 * parent's entries may be write-protected.  Both mms' mmap write locks and @vma's write lock.
 */
int pages_fork(struct vm_area_struct *copy, struct vm_area_struct *vma)
	__must_hold(vma_stable) __must_check;

/* What a driver shows in a row: pages, with references of their own, or frames without a page. */
struct pages_row {
	const struct vm_area_struct *vma;
	unsigned long addr;
	unsigned long nr;
	struct page *const *pages;		/* NULL: frames */
	unsigned long pfn;
};

/*
 * Shows them, up to the first that cannot be: the row is what is left then.  0; -EBUSY: something
 * is there; -ENOMEM: a table.
 */
int pages_insert(struct pages_row *row)
	__must_hold_shared(vma_stable) __must_check;

/*
 * The row's 2 MiB of frames, with address and number aligned to that.  0: they are there, perhaps
 * since before, and can be written to if @rights and the area say so; -EBUSY: others are there, or
 * a table for small pages; -ENOMEM: a table.
 */
enum block_rights { BLOCK_READ_ONLY, BLOCK_WRITABLE };
int pages_insert_block(const struct pages_row *row, enum block_rights rights)
	__must_hold_shared(vma_stable) __must_check;

/* All in pages. */
struct pages_stats {
	unsigned long anon, file, shmem, swap;
	unsigned long tables;			/* those put aside for leaves of 2 MiB, too */
};
struct pages_stats pages_get_stats(const struct mm_struct *mm);

#endif
