/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * vma_lookup() finds nothing, and nobody looks.
 *
 * analyze22	Nullable pointer is passed to a callee that requires a non-null 1st parameter
 */
#include "misuse.h"

MISUSE
{
	struct mmap_read *lock = mmap_read_lock(mm);
	struct vma_ref *vma = vma_lookup(lock, NOWHERE);
	struct vma_mixedmap *mixed;

#ifdef FIXED
	if (vma)
#endif
	{
		mixed = vma_as_mixedmap(vma);
		sink = !!mixed;
	}
	mmap_read_unlock(lock);
}
