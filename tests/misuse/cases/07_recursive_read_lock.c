/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Read locked twice by one thread: deadlock, if a writer comes between.
 *
 * tsa		cannot call function 'mmap_read_lock' while context 'vma_stable' is held
 * tsa14,tsa19	acquiring context 'vma_stable' that is already held
 * tsa14,tsa19	releasing context 'vma_stable' that was not held
 */
#include "misuse.h"

static void inner(struct mm_user *mm) __may_sleep
{
	struct mmap_read *lock = mmap_read_lock(mm);

	mmap_read_unlock(lock);
}

MISUSE
{
	struct mmap_read *lock = mmap_read_lock(mm);
	struct mmap_read *lock2;

#ifdef FIXED
	mmap_read_unlock(lock);
	inner(mm);
	lock2 = mmap_read_trylock(mm);
	if (lock2)
		mmap_read_unlock(lock2);
#else
	inner(mm);
	lock2 = mmap_read_lock(mm);
	mmap_read_unlock(lock2);
	mmap_read_unlock(lock);
#endif
}
