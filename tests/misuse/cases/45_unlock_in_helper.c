/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A helper drops its caller's lock, and does not say so.
 *
 * borrowck	pointer 'vma' may be used after 'mmap_read_unlock'
 * tsa		releasing context 'vma_stable' that was not held
 * tsa14	mutex 'vma_stable' is still held at the end of function
 * tsa19,tsa22,marks22	context 'vma_stable' is still held at the end of function
 */
#include "misuse.h"

static void helper(struct mmap_read *lock)
#ifdef FIXED
	__releases_shared(vma_stable)
#endif
{
	mmap_read_unlock(lock);
}

MISUSE
{
	struct mmap_read *lock = mmap_read_lock(mm);
	struct vma_ref *vma = vma_lookup(lock, MIXED);

#ifdef FIXED
	if (vma)
		sink = vma_start(vma);
	helper(lock);
#else
	helper(lock);
	if (vma)
		sink = vma_start(vma);
#endif
}
