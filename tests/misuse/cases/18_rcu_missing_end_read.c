/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * vma_end_read() is forgotten on an error path.
 *
 * tsa14	mutex 'vma_stable' is not held on every path through here
 * tsa19,tsa22,marks22	context 'vma_stable' is not held on every path through here
 * analyze22	Potential leak of memory pointed to by 'vma'
 */
#include "misuse.h"

static int work(struct mm_user *mm)
{
	struct vma_ref *vma = lock_vma_under_rcu(mm, MIXED);
	int err = 0;

	if (!vma)
		return -EAGAIN;
	if (vma_start(vma) == MIXED)
#ifdef FIXED
		err = -EINVAL;
#else
		return -EINVAL;
#endif
	vma_end_read(vma);
	return err;
}

MISUSE
{
	sink = work(mm);
}
