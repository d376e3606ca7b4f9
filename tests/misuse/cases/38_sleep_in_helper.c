/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * It sleeps, but in a helper that does not say so.
 *
 * tsa		calling function 'mmap_read_lock' requires negative capability '!atomic_context'
 */
#include "misuse.h"

static void helper(struct mm_user *mm)
#ifdef FIXED
	__may_sleep
#endif
{
	struct mmap_read *lock = mmap_read_lock(mm);

	mmap_read_unlock(lock);
}

MISUSE
{
	spin_lock(&lock_a);
#ifdef FIXED
	spin_unlock(&lock_a);
	helper(mm);
#else
	helper(mm);
	spin_unlock(&lock_a);
#endif
}
