/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The VMA is used after vma_end_read().
 *
 * gcc,borrowck	pointer 'vma' used after 'vma_end_read'
 * tsa		calling function 'vma_start' requires holding context 'vma_stable'
 * analyze22	Use of memory after it is released
 */
#include "misuse.h"

MISUSE
{
	struct vma_ref *vma = lock_vma_under_rcu(mm, MIXED);

	if (!vma)
		return;
#ifdef FIXED
	sink = vma_start(vma);
	vma_end_read(vma);
#else
	vma_end_read(vma);
	sink = vma_start(vma);
#endif
}
