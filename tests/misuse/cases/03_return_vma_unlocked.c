/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A function returns a VMA whose lock it has dropped.
 *
 * borrowck	pointer 'vma' may be used after 'mmap_read_unlock'
 * tsa		calling function 'vma_start' requires holding context 'vma_stable'
 */
#include "misuse.h"

#ifdef FIXED
static unsigned long find(struct mm_user *mm) __may_sleep
{
	struct mmap_read *lock = mmap_read_lock(mm);
	struct vma_ref *vma = vma_lookup(lock, MIXED);
	unsigned long start = 0;

	if (vma)
		start = vma_start(vma);
	mmap_read_unlock(lock);
	return start;
}

MISUSE
{
	sink = find(mm);
}
#else
static struct vma_ref *find(struct mm_user *mm) __may_sleep
{
	struct mmap_read *lock = mmap_read_lock(mm);
	struct vma_ref *vma = vma_lookup(lock, MIXED);

	mmap_read_unlock(lock);
	return vma;
}

MISUSE
{
	struct vma_ref *vma = find(mm);

	if (vma)
		sink = vma_start(vma);
}
#endif
