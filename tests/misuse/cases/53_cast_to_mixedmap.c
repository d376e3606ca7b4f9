/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * C lets you cast.
 *
 * cocci	a cast to a handle type
 */
#include "misuse.h"

MISUSE
{
	struct mmap_read *lock = mmap_read_lock(mm);
	struct vma_ref *vma = vma_lookup(lock, PLAIN);

	if (vma) {
#ifdef FIXED
		struct vma_mixedmap *mixed = vma_as_mixedmap(vma);
#else
		struct vma_mixedmap *mixed = (struct vma_mixedmap *)vma;
#endif
		if (mixed)
			sink = vm_insert_page(mixed, PLAIN, a_page);
	}
	mmap_read_unlock(lock);
}
