/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The reference that keeps the address space alive is put too early.
 *
 * gcc		pointer 'u' used after 'mmput'
 * borrowck 2	pointer 'u' used after 'mmput'
 * analyze22	Use of memory after it is released
 */
#include "misuse.h"

MISUSE
{
	struct mm_user *u = mmget_not_zero(m);
	struct mmap_read *lock;

	if (!u)
		return;
#ifdef FIXED
	lock = mmap_read_lock(u);
	mmap_read_unlock(lock);
	mmput(u);
#else
	mmput(u);
	lock = mmap_read_lock(u);
	mmap_read_unlock(lock);
#endif
}
