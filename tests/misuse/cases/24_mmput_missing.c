/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A reference is leaked on an early return.
 *
 * analyze22	Potential leak of memory pointed to by 'u'
 */
#include "misuse.h"

static int work(struct mm_struct *m) __may_sleep
{
#ifdef FIXED
	struct mm_user *u __free(mmput) = mmget_not_zero(m);
#else
	struct mm_user *u = mmget_not_zero(m);
#endif
	struct mmap_read *lock;
	struct vma_ref *vma;

	if (!u)
		return -ENOENT;
	lock = mmap_read_lock(u);
	vma = vma_lookup(lock, NOWHERE);
	if (!vma) {
		mmap_read_unlock(lock);
		return -EAGAIN;
	}
	mmap_read_unlock(lock);
#ifndef FIXED
	mmput(u);
#endif
	return 0;
}

MISUSE
{
	sink = work(m);
}
