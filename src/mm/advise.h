/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The walk that the calls of madvise()'s family make over a range: see madvise.c.
 */
#ifndef MM_ADVISE_H
#define MM_ADVISE_H

#include "mm/mm.h"

/* A part of an area, [start, end) inside it. */
struct area_part {
	struct vm_area_struct *vma;
	unsigned long start, end;
};

/*
 * What is done to one part.  0 or -errno; it may have put what the part belongs to now into
 * part->vma, which then reaches from start to end at least.
 */
typedef int (*area_advisor)(struct area_part *part, const void *arg);

/*
 * Advises each part of [start, end) in turn.  Holes are passed over and make the result -ENOMEM; an
 * error of an advisor ends the walk and is returned.  The mmap lock is held as the advisor needs.
 */
int mm_advise_range(struct mm_struct *mm, unsigned long start, unsigned long end,
		    area_advisor advise, const void *arg)
	__must_hold_shared(vma_stable) __may_sleep;

/*
 * Gives the part flags and a name, by splitting and merging.  0; -EAGAIN: area limit; a driver's
 * may_split() error.  mmap write lock held and the reserve made.
 */
int mm_change_part(struct area_part *part, const struct vma_change *to)
	__must_hold(vma_stable) __may_sleep;

/*
 * The checks of a range that madvise() and its relatives begin with.  1: nothing to do; 0: *end is
 * set; -EINVAL.
 */
static inline int mm_check_advised(unsigned long start, unsigned long len, unsigned long *end)
{
	unsigned long aligned = page_align(len);

	if (!page_aligned(start) || (len && !aligned) || start + aligned < start)
		return -EINVAL;
	*end = start + aligned;
	return *end == start;
}

/* ---- advise_pages.c: the mmap lock is held in any mode, and let go of in between. */

/* MADV_POPULATE_READ and WRITE. */
int mm_advise_touch(struct mm_struct *mm, unsigned long start, unsigned long end,
		    enum mm_access access)
	__must_hold_shared(vma_stable) __may_sleep;
/* MADV_WILLNEED. */
int mm_advise_read(struct mm_struct *mm, unsigned long start, unsigned long end)
	__must_hold_shared(vma_stable) __may_sleep;
/* MADV_HWPOISON and SOFT_OFFLINE. */
int mm_advise_poison(struct mm_struct *mm, unsigned long start, unsigned long end)
	__must_hold_shared(vma_stable) __may_sleep;

#endif
