/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The mmap lock is taken for write by a thread that has it for read: deadlock.
 *
 * tsa		cannot call function 'mmap_write_lock' while context 'vma_stable' is held
 * tsa		acquiring context 'vma_stable' that is already held
 * tsa		releasing context 'vma_stable' using exclusive access, expected shared access
 * tsa		releasing context 'vma_stable' that was not held
 */
#include "misuse.h"

MISUSE
{
	struct mmap_read *r = mmap_read_lock(mm);
	struct mmap_write *w;

#ifdef FIXED
	mmap_read_unlock(r);
	w = mmap_write_lock(mm);
	mmap_write_unlock(w);
#else
	w = mmap_write_lock(mm);
	mmap_write_unlock(w);
	mmap_read_unlock(r);
#endif
}
