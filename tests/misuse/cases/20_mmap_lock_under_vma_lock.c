/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The mmap lock is taken with a VMA lock held: deadlock with vma_start_write().
 *
 * tsa		cannot call function 'mmap_read_lock' while context 'vma_stable' is held
 * tsa14,tsa19	acquiring context 'vma_stable' that is already held
 * tsa14,tsa19	releasing context 'vma_stable' that was not held
 */
#include "misuse.h"

MISUSE
{
	struct vma_ref *vma = lock_vma_under_rcu(mm, MIXED);
	struct mmap_read *lock;

	if (!vma)
		return;
#ifdef FIXED
	vma_end_read(vma);
	lock = mmap_read_lock(mm);
	mmap_read_unlock(lock);
#else
	lock = mmap_read_lock(mm);
	mmap_read_unlock(lock);
	vma_end_read(vma);
#endif
}
