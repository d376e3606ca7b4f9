/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The same, but it is the end of the scope that calls mmput().
 *
 * tsa22	cannot call function '__free_mmput' while context 'atomic_context' is held
 */
#include "misuse.h"

MISUSE
{
	spin_lock(&lock_a);
	{
#ifdef FIXED
		struct mm_user *u __free(mmput_async) = mmget_not_zero(m);
#else
		struct mm_user *u __free(mmput) = mmget_not_zero(m);
#endif

		sink = !!u;
	}
	spin_unlock(&lock_a);
}
