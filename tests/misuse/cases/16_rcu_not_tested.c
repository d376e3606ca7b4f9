/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * lock_vma_under_rcu() may fail at any time.
 *
 * tsa		calling function 'vma_start' requires holding context 'vma_stable'
 * tsa		releasing context 'vma_stable' that was not held
 * analyze22	Nullable pointer is passed to a callee that requires a non-null 1st parameter
 */
#include "misuse.h"

MISUSE
{
	struct vma_ref *vma = lock_vma_under_rcu(mm, NOWHERE);

#ifdef FIXED
	if (!vma)
		return;
#endif
	sink = vma_start(vma);
	vma_end_read(vma);
}
