/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * mmput() may sleep: mmput_async() it had to be.
 *
 * tsa22	cannot call function 'mmput' while context 'atomic_context' is held
 */
#include "misuse.h"

MISUSE
{
	struct mm_user *u = mmget_not_zero(m);

	if (!u)
		return;
	spin_lock(&lock_a);
#ifdef FIXED
	mmput_async(u);
#else
	mmput(u);
#endif
	spin_unlock(&lock_a);
}
