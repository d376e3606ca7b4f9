/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Unlocked on one path, used on both.
 *
 * borrowck	pointer 'vma' may be used after 'mmap_read_unlock'
 * tsa14	mutex 'vma_stable' is not held on every path through here
 * tsa		calling function 'vma_start' requires holding context 'vma_stable'
 * tsa		releasing context 'vma_stable' that was not held
 * tsa19,tsa22,marks22	context 'vma_stable' is not held on every path through here
 * cocci	a vma used after its lock was dropped
 */
#include "misuse.h"

MISUSE
{
	struct mmap_read *lock = mmap_read_lock(mm);
	struct vma_ref *vma = vma_lookup(lock, MIXED);
#ifdef FIXED
	if (one) {
		mmap_read_unlock(lock);
		return;
	}
	if (vma)
		sink = vma_start(vma);
	mmap_read_unlock(lock);
#else
	int early = one;

	if (early)
		mmap_read_unlock(lock);
	if (vma)
		sink = vma_start(vma);
	if (!early)
		mmap_read_unlock(lock);
#endif
}
