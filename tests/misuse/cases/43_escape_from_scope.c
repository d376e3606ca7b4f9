/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A VMA leaves the block that its lock ends with.
 *
 * borrowck	pointer 'vma' may be used after 'mmap_read_unlock'
 * tsa19,tsa22,marks22	calling function 'vma_start' requires holding context 'vma_stable'
 */
#include "misuse.h"

MISUSE
{
	struct vma_ref *vma;

	{
		CLASS(mmap_read, lock)(mm);
		vma = vma_lookup(lock, MIXED);
#ifdef FIXED
		if (vma)
			sink = vma_start(vma);
#endif
	}
#ifndef FIXED
	if (vma)
		sink = vma_start(vma);
#endif
}
