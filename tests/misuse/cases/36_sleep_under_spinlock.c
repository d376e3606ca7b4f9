/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The mmap lock, which sleeps, under a spinlock.
 *
 * tsa22	cannot call function 'mmap_read_lock' while context 'atomic_context' is held
 */
#include "misuse.h"

MISUSE
{
	struct mmap_read *lock;

	spin_lock(&lock_a);
#ifdef FIXED
	lock = mmap_read_trylock(mm);
	if (lock)
		mmap_read_unlock(lock);
#else
	lock = mmap_read_lock(mm);
	mmap_read_unlock(lock);
#endif
	spin_unlock(&lock_a);
}
