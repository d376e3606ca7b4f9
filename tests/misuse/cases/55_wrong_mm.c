/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * One mm is locked, a VMA of another is used.
 *
 * cocci	other_vma: a handle in a static variable
 */
#include "misuse.h"

#ifdef FIXED
static unsigned long other_vma;
#else
static struct vma_ref *other_vma;
#endif
static void use(struct mm_user *mm) __may_sleep
{
	struct mmap_read *lock = mmap_read_lock(mm);
#ifdef FIXED
	struct vma_ref *vma = vma_lookup(lock, other_vma);

	if (vma)
		sink = vma_start(vma);
#else
	if (other_vma)
		sink = vma_start(other_vma);
#endif
	mmap_read_unlock(lock);
}

MISUSE
{
	struct mm_user *mm2 __free(mmput) = mmget_not_zero(m);
	struct mmap_read *lock = mmap_read_lock(mm);

#ifdef FIXED
	other_vma = MIXED;
#else
	other_vma = vma_lookup(lock, MIXED);
#endif
	mmap_read_unlock(lock);
	if (mm2)
		use(mm2);
}
