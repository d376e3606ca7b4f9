/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Split and merge: see merge.c for Linux's rules.  The mmap write lock is held, and map_reserve()
 * has been called: none of these allocates.
 */
#ifndef VMA_MERGE_H
#define VMA_MERGE_H

#include "vma/map.h"

/* An area that is proposed for [start, end), where there is none, and what it would be like. */
struct vma_proposal {
	struct mm_struct *mm;
	unsigned long start, end;
	vm_flags_t flags;
	unsigned long pgdelta;
	struct file *file;
	struct anon_chain *anon;		/* of the area it is a copy of, or NULL */
	const struct vm_area_struct *copied_from;
	struct anon_name *name;
	struct user_faults *user_faults;
};

/*
 * Grows a neighbour (or two, that then are one) over the proposed range.  NULL: no neighbour is
 * alike, make a new one.  Totals are the caller's.
 */
struct vm_area_struct *vma_merge_new(const struct vma_proposal *p)
	__must_hold(vma_stable) __may_sleep;

/* What is to be changed of a piece of an area; begin with vma_as_is(). */
struct vma_change {
	vm_flags_t flags;
	struct anon_name *name;
	struct user_faults *user_faults;
};

static inline struct vma_change vma_as_is(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	return (struct vma_change){
		.flags = vma->vm_flags, .name = vma->anon_name, .user_faults = vma->user_faults,
	};
}

/*
 * Makes [start, end) of @vma an area with @to, by merging with what is alike and adjacent, else by
 * splitting.  Returns the area that now holds [start, end), changed.  NULL: *err is -ENOMEM (area
 * limit) or the driver's may_split() error; as with Linux a first split may have been done.
 */
struct vm_area_struct *vma_modify(struct vm_area_struct *vma, unsigned long start,
				  unsigned long end, const struct vma_change *to, int *err)
	__must_hold(vma_stable) __may_sleep;

/*
 * Would the rules join these two, were one of them changed into what it is already?  @high is the
 * area after @low.
 */
bool vma_could_merge(const struct vm_area_struct *low, const struct vm_area_struct *high)
	__must_hold_shared(vma_stable);

enum split_keep {
	SPLIT_KEEP_LOW,			/* @vma stays [start, addr), the new one is above */
	SPLIT_KEEP_HIGH,		/* @vma stays [addr, end), the new one is below */
};

/* 0; -ENOMEM at the area limit; a driver's may_split() error.  Nothing changed then. */
int vma_split(struct vm_area_struct *vma, unsigned long addr, enum split_keep keep)
	__must_hold(vma_stable) __may_sleep;
/* The same, not looking at the area limit. */
int vma_split_unlimited(struct vm_area_struct *vma, unsigned long addr, enum split_keep keep)
	__must_hold(vma_stable) __may_sleep;

/* May [vma->end, new_end) be added to @vma by the rules of merging, with what follows? */
struct vm_area_struct *vma_merge_extend(struct vm_area_struct *vma, unsigned long delta)
	__must_hold(vma_stable) __may_sleep;

#endif
