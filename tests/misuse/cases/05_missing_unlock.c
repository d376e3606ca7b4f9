/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The lock stays held on an error path.
 *
 * tsa14	mutex 'vma_stable' is not held on every path through here
 * tsa19,tsa22,marks22	context 'vma_stable' is not held on every path through here
 */
#include "misuse.h"

static int work(struct mm_user *mm) __may_sleep
{
	struct mmap_read *lock = mmap_read_lock(mm);
	struct vma_ref *vma = vma_lookup(lock, NOWHERE);

	if (!vma) {
#ifdef FIXED
		mmap_read_unlock(lock);
#endif
		return -EINVAL;
	}
	sink = vma_start(vma);
	mmap_read_unlock(lock);
	return 0;
}

MISUSE
{
	sink = work(mm);
}
