/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A helper uses a VMA, does not say it must be stable, and is called without.
 *
 * borrowck 2	pointer 'vma' may be used after 'mmap_read_unlock'
 * tsa		calling function 'vma_end' requires holding context 'vma_stable'
 * tsa		calling function 'vma_start' requires holding context 'vma_stable'
 */
#include "misuse.h"

static unsigned long size_of(struct vma_ref *vma)
#ifdef FIXED
	__must_hold_shared(vma_stable)
#endif
{
	return vma_end(vma) - vma_start(vma);
}

MISUSE
{
	struct mmap_read *lock = mmap_read_lock(mm);
	struct vma_ref *vma = vma_lookup(lock, MIXED);

#ifdef FIXED
	if (vma)
		sink = size_of(vma);
	mmap_read_unlock(lock);
#else
	mmap_read_unlock(lock);
	if (vma)
		sink = size_of(vma);
#endif
}
