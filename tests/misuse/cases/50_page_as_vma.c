/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Something else altogether, where any VMA would do.
 *
 * bare,gcc	incompatible type for argument 1 of 'vma_start'
 * tsa		passing 'struct page *' to parameter of incompatible type 'vma_any'
 */
#include "misuse.h"

MISUSE
{
	struct mmap_read *lock = mmap_read_lock(mm);
	struct vma_ref *vma = vma_lookup(lock, MIXED);

	if (vma)
#ifdef FIXED
		sink = vma_start(vma);
#else
		sink = vma_start(a_page);
#endif
	mmap_read_unlock(lock);
}
