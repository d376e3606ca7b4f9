/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * VM_MAYWRITE was cleared for good, and is set again.
 *
 * bare,gcc,borrowck	static assertion failed: "vm_flags_set() sets VM_IO, VM_DONTEXPAND, VM_DONTCOPY and
 * tsa14	static_assert failed due to requirement '!((32UL) & ~(16384UL | 262144UL | 131072UL |
 * tsa19,tsa22,marks22,analyze22	static assertion failed due to requirement '!((32UL) & ~(16384UL | 262144UL | 131072UL |
 */
#include "misuse.h"

HOOK;
static int hook(struct file *file, struct vma_new *vma)
{
	(void)file;
	if (vma_try_clear_maywrite(vma))
		return -EINVAL;
#ifndef FIXED
	vm_flags_set(vma, VM_MAYWRITE);
#endif
	return 0;
}

MISUSE
{
	run_hook(m, hook, VM_READ);
}
