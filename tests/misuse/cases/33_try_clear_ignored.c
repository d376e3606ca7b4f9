/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * vma_try_clear_maywrite() fails on a writable vma, and nobody listens.
 *
 * bare,gcc,borrowck	ignoring return value of 'vma_try_clear_maywrite' declared with attribute
 * tsa		ignoring return value of function declared with 'warn_unused_result' attribute
 */
#include "misuse.h"

HOOK;
static int hook(struct file *file, struct vma_new *vma)
{
	(void)file;
#ifdef FIXED
	return vma_try_clear_maywrite(vma);
#else
	vma_try_clear_maywrite(vma);
	return 0;
#endif
}

MISUSE
{
	run_hook(m, hook, VM_READ | VM_WRITE);
}
