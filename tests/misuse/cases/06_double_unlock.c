/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Unlocked twice.
 *
 * gcc,borrowck	pointer 'lock' used after 'mmap_read_unlock'
 * tsa		releasing context 'vma_stable' that was not held
 * analyze22	Attempt to release already released memory
 */
#include "misuse.h"

MISUSE
{
	struct mmap_read *lock = mmap_read_lock(mm);

	mmap_read_unlock(lock);
#ifndef FIXED
	mmap_read_unlock(lock);
#endif
}
