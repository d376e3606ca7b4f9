/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A VMA of one locked section is used in the next one.
 *
 * borrowck	pointer 'vma' may be used after 'mmap_read_unlock'
 * cocci	a vma used after its lock was dropped
 */
#include "misuse.h"

MISUSE
{
	struct mmap_read *lock = mmap_read_lock(mm);
	struct vma_ref *vma = vma_lookup(lock, MIXED);

	mmap_read_unlock(lock);
	lock = mmap_read_lock(mm);
#ifdef FIXED
	vma = vma_lookup(lock, MIXED);
#endif
	if (vma)
		sink = vma_start(vma);
	mmap_read_unlock(lock);
}
