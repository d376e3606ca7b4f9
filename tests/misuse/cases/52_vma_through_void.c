/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * C lets a void pointer be anything.
 *
 * cocci	a void pointer used as a handle
 */
#include "misuse.h"

MISUSE
{
	struct mmap_read *lock = mmap_read_lock(mm);
	struct vma_ref *vma = vma_lookup(lock, MIXED);
	void *p = m;

	(void)p;
	if (vma)
#ifdef FIXED
		sink = vma_start(vma);
#else
		sink = vma_start(p);
#endif
	mmap_read_unlock(lock);
}
