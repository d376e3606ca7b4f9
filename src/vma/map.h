/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The areas of an mm: find, add, change, remove.  All under the mmap lock; changes need it for
 * write, after map_reserve() made sure that they cannot fail.
 */
#ifndef VMA_MAP_H
#define VMA_MAP_H

#include "vma/types.h"

/* The area that contains @addr; the first that ends above it; the last that starts below it. */
struct vm_area_struct *vma_at(const struct mm_struct *mm, unsigned long addr)
	__must_hold_shared(vma_stable);
struct vm_area_struct *vma_first(const struct mm_struct *mm, unsigned long addr)
	__must_hold_shared(vma_stable);
struct vm_area_struct *vma_before(const struct mm_struct *mm, unsigned long addr)
	__must_hold_shared(vma_stable);

/* The first area that touches [start, end), or NULL. */
static inline struct vm_area_struct *vma_in(const struct mm_struct *mm, unsigned long start,
					    unsigned long end) __must_hold_shared(vma_stable)
{
	struct vm_area_struct *vma = vma_first(mm, start);

	return vma && vma->vm_start < end ? vma : NULL;
}

/* The next area after @vma, touching it or not. */
static inline struct vm_area_struct *vma_after(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	return vma_first(vma->vm_mm, vma->vm_end);
}

/* How many areas touch [start, end): what a call over the range may have to change. */
unsigned long vma_count(const struct mm_struct *mm, unsigned long start, unsigned long end)
	__must_hold_shared(vma_stable);

/*
 * Prepares for up to @nr_new areas made and @nr_touched existing ones changed or removed until the
 * write section ends.  0; -ENOMEM: nothing changed.  May be called again in the same section.
 */
int map_reserve(struct mm_struct *mm, unsigned long nr_new, unsigned long nr_touched)
	__must_hold(vma_stable) __may_sleep __must_check;

/* The same for a call over [start, end) that may split at both ends and make @nr_new more. */
int map_reserve_range(struct mm_struct *mm, unsigned long start, unsigned long end,
		      unsigned long nr_new)
	__must_hold(vma_stable) __may_sleep __must_check;

/* What was reserved goes back, but for @keep VMAs and a few nodes.  All is published. */
void map_unreserve(struct mm_struct *mm, unsigned int keep)	__must_hold(vma_stable);

/* A zeroed VMA from the reserve, with vm_mm set; not in the tree.  Never NULL. */
struct vm_area_struct *vma_new(struct mm_struct *mm)	__must_hold(vma_stable);
/*
 * The same, like @vma in all but bounds and anon: the file and the name are shared, no hook is
 * called.  The bounds and a chain are the caller's to set, and vm_ops->open() to call.
 */
struct vm_area_struct *vma_copy(struct mm_struct *to, const struct vm_area_struct *vma)
	__must_hold(vma_stable);
/* One that was never inserted goes back (its file, name and anon are dropped). */
void vma_discard(struct vm_area_struct *vma)	__must_hold(vma_stable);

/* Into the tree, attached and write-locked; counts in map_count. */
void map_insert(struct vm_area_struct *vma)	__must_hold(vma_stable) __may_sleep;
/* Out of the tree; freed with its references when the write section ends. */
void map_remove(struct vm_area_struct *vma)	__must_hold(vma_stable) __may_sleep;
/* All areas wholly inside [start, end), at once. */
void map_remove_range(struct mm_struct *mm, unsigned long start, unsigned long end)
	__must_hold(vma_stable) __may_sleep;
/* New bounds, that overlap no other area; takes the VMA's write lock. */
void map_resize(struct vm_area_struct *vma, unsigned long start, unsigned long end)
	__must_hold(vma_stable) __may_sleep;
/* New flags; takes the VMA's write lock. */
void map_set_flags(struct vm_area_struct *vma, vm_flags_t flags)
	__must_hold(vma_stable) __may_sleep;

#endif
