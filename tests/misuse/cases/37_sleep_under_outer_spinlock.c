/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The inner of two spinlocks is dropped, and it sleeps under the outer one.
 *
 * tsa22	cannot call function 'mmap_read_lock' while context 'atomic_context' is held
 */
#include "misuse.h"

MISUSE
{
	struct mmap_read *lock;

	spin_lock(&lock_a);
	spin_lock(&lock_b);
	spin_unlock(&lock_b);
#ifdef FIXED
	spin_unlock(&lock_a);
	lock = mmap_read_lock(mm);
	mmap_read_unlock(lock);
#else
	lock = mmap_read_lock(mm);
	mmap_read_unlock(lock);
	spin_unlock(&lock_a);
#endif
}
