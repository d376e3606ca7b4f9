/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The mmap lock of an mm that may have no users any more.
 *
 * bare,gcc,borrowck	passing argument 1 of 'class_mmap_read_constructor' from incompatible pointer type
 * analyze22,tsa	incompatible pointer types passing 'struct mm_struct *' to parameter of type 'struct
 */
#include "misuse.h"

MISUSE
{
#ifdef FIXED
	struct mm_user *u __free(mmput) = mmget_not_zero(m);

	if (!u)
		return;
	CLASS(mmap_read, lock)(u);
#else
	CLASS(mmap_read, lock)(m);
#endif
	(void)lock;
}
