/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * mmput() while the mmap lock is held that the reference keeps alive.
 *
 * borrowck	pointer 'lock' used after 'mmput'
 */
#include "misuse.h"

MISUSE
{
	struct mm_user *u = mmget_not_zero(m);
	struct mmap_read *lock;

	if (!u)
		return;
	lock = mmap_read_lock(u);
#ifdef FIXED
	mmap_read_unlock(lock);
	mmput(u);
#else
	mmput(u);
	mmap_read_unlock(lock);
#endif
}
