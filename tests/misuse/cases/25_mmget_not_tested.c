/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * mmget_not_zero() fails when the process has died.
 *
 * analyze22	Nullable pointer is passed to a callee that requires a non-null 1st parameter
 */
#include "misuse.h"

MISUSE
{
	struct mm_user *u;
	struct mmap_read *lock;

	u = mmget_not_zero(m);
#ifdef FIXED
	if (!u)
		return;
#endif
	lock = mmap_read_lock(u);
	mmap_read_unlock(lock);
	mmput(u);
}
