/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * vma_end_read() of a VMA that the mmap lock keeps stable.
 *
 * tsa14	mutex 'vma_stable' is not held on every path through here
 * tsa		releasing context 'vma_stable' that was not held
 * tsa19,tsa22,marks22	context 'vma_stable' is not held on every path through here
 */
#include "misuse.h"

MISUSE
{
	struct mmap_read *lock = mmap_read_lock(mm);
	struct vma_ref *vma = vma_lookup(lock, MIXED);

	if (vma) {
		sink = vma_start(vma);
#ifndef FIXED
		vma_end_read(vma);
#endif
	}
	mmap_read_unlock(lock);
}
