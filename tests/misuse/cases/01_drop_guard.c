/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The lock is dropped, then the VMA is used.
 *
 * borrowck	pointer 'vma' may be used after 'mmap_read_unlock'
 * tsa		calling function 'vma_start' requires holding context 'vma_stable'
 * cocci	a vma used after its lock was dropped
 */
#include "misuse.h"

MISUSE
{
	struct mmap_read *lock = mmap_read_lock(mm);
	struct vma_ref *vma = vma_lookup(lock, MIXED);

#ifdef FIXED
	if (vma)
		sink = vma_start(vma);
	mmap_read_unlock(lock);
#else
	mmap_read_unlock(lock);
	if (vma)
		sink = vma_start(vma);
#endif
}
