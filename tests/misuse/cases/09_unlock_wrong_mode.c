/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Locked for write, unlocked for read.
 *
 * bare,gcc,borrowck	passing argument 1 of 'mmap_read_unlock' from incompatible pointer type
 * gcc		'mmap_read_unlock' called on pointer returned from a mismatched allocation function
 * analyze22,tsa	incompatible pointer types passing 'struct mmap_write *' to parameter of type 'struct
 * tsa14,tsa19	releasing context 'vma_stable' using shared access, expected exclusive access
 */
#include "misuse.h"

MISUSE
{
	struct mmap_write *lock = mmap_write_lock(mm);

#ifdef FIXED
	mmap_write_unlock(lock);
#else
	mmap_read_unlock(lock);
#endif
}
