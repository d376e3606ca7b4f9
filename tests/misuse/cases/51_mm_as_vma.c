/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The lock where the VMA should be.
 *
 * bare,gcc	incompatible type for argument 1 of 'zap_vma_range'
 * tsa		passing 'struct mmap_read *' to parameter of incompatible type 'vma_any'
 */
#include "misuse.h"

MISUSE
{
	struct mmap_read *lock = mmap_read_lock(mm);
	struct vma_ref *vma = vma_lookup(lock, MIXED);

	if (vma)
#ifdef FIXED
		zap_vma_range(vma, MIXED, PAGE_SIZE);
#else
		zap_vma_range(lock, MIXED, PAGE_SIZE);
#endif
	mmap_read_unlock(lock);
}
