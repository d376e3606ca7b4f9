/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * vma_mm() is good for as long as the VMA is; keep it with mmget_not_zero().
 *
 * borrowck	pointer 'u' used after 'mmap_read_unlock'
 */
#include "misuse.h"

static struct mm_user *mm_at(struct mm_user *mm) __may_sleep
{
	struct mmap_read *lock = mmap_read_lock(mm);
	struct vma_ref *vma = vma_lookup(lock, MIXED);
	struct mm_user *u = NULL;

	if (vma)
#ifdef FIXED
		u = mmget_not_zero(mm_user_mm(vma_mm(vma)));
#else
		u = vma_mm(vma);
#endif
	mmap_read_unlock(lock);
	return u;
}

MISUSE
{
	struct mm_user *u = mm_at(mm);

	if (u)
		mmput(u);
}
