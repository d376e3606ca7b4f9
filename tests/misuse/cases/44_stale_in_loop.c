/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A VMA is kept from one turn of a loop to the next.
 *
 * cocci	a vma used after its lock was dropped
 */
#include "misuse.h"

MISUSE
{
	struct vma_ref *vma = NULL;

	for (int i = 0; i < 2; i++) {
		struct mmap_read *lock = mmap_read_lock(mm);

#ifndef FIXED
		if (!vma)
#endif
			vma = vma_lookup(lock, MIXED);
		if (vma)
			sink = vma_start(vma);
		mmap_read_unlock(lock);
	}
}
