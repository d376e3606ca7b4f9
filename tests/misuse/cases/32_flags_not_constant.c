/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Flags that the compiler cannot check.
 *
 * bare,gcc,borrowck	expression in static assertion is not constant
 * tsa14	static_assert expression is not an integral constant expression
 * tsa19,tsa22,marks22,analyze22	static assertion expression is not an integral constant expression
 */
#include "misuse.h"

HOOK;
static int hook(struct file *file, struct vma_new *vma)
{
	(void)file;
#ifdef FIXED
	vm_flags_set(vma, VM_DONTDUMP | VM_DONTCOPY);
#else
	vm_flags_set(vma, sink);
#endif
	return 0;
}

MISUSE
{
	run_hook(m, hook, VM_READ);
}
