/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The places of areas in reverse maps: the tree of its file, and that of its anon chain.  See
 * rmap_place.c.  In a mm without pages none of this does anything.
 */
#ifndef VMA_RMAP_PLACE_H
#define VMA_RMAP_PLACE_H

#include "vma/types.h"

/*
 * Locks the trees that areas of @mm with this file and this chain (NULL: none) are in, until
 * rmap_hold_end().  What happens to them in between nobody sees half done.  May be nested; then
 * they are of what the outermost said.  Who waits for an area's readers does it before.
 */
void rmap_hold_begin(struct mm_struct *mm, const struct file *file,
		     const struct anon_chain *chain)
	__must_hold(vma_stable) __may_sleep;
void rmap_hold_end(struct mm_struct *mm)	__must_hold(vma_stable);

/* All that follows between the two.  @vma can be found from its pages, by its bounds of now. */
void rmap_show(struct vm_area_struct *vma)	__must_hold(vma_stable);
/* Not any more. */
void rmap_hide(struct vm_area_struct *vma)	__must_hold(vma_stable);
/* @vma, which is shown or not, has @chain from now on: a reference, or NULL. */
void rmap_set_anon(struct vm_area_struct *vma, struct anon_chain *chain)
	__must_hold(vma_stable);

/* Every area of @mm, which nobody uses any more and whose entries are gone. */
void rmap_hide_all(struct mm_struct *mm)	__may_sleep;

/* For the walker: is @vma, an area of the tree, where it must be? */
bool rmap_is_shown(struct vm_area_struct *vma)	__must_hold(vma_stable) __may_sleep;

#endif
