/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The kernel's habit: mmget_not_zero() called for its effect.
 *
 * bare,gcc,borrowck	ignoring return value of 'mmget_not_zero' declared with attribute 'warn_unused_result'
 * tsa		ignoring return value of function declared with 'warn_unused_result' attribute
 * analyze22	Potential memory leak
 */
#include "misuse.h"

MISUSE
{
#ifdef FIXED
	struct mm_user *u __free(mmput) = mmget_not_zero(m);

	(void)u;
#else
	mmget_not_zero(m);
#endif
}
