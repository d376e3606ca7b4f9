/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * vma_as_mixedmap() says no, and nobody listens.
 *
 * analyze22	Nullable pointer is passed to a callee that requires a non-null 1st parameter
 */
#include "misuse.h"

MISUSE
{
	struct mmap_read *lock = mmap_read_lock(mm);
	struct vma_ref *vma = vma_lookup(lock, PLAIN);

	if (vma) {
		struct vma_mixedmap *mixed = vma_as_mixedmap(vma);

#ifdef FIXED
		if (mixed)
#endif
			sink = vm_insert_page(mixed, PLAIN, a_page);
	}
	mmap_read_unlock(lock);
}
