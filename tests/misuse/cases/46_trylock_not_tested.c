/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * mmap_read_trylock() may fail.
 *
 * tsa		releasing context 'vma_stable' that was not held
 * analyze22	Nullable pointer is passed to a callee that requires a non-null 1st parameter
 */
#include "misuse.h"

MISUSE
{
	struct mmap_read *lock = mmap_read_trylock(mm);

#ifdef FIXED
	if (!lock)
		return;
#endif
	mmap_read_unlock(lock);
}
