/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * VM_PFNMAP, and VM_MIXEDMAP as well.
 *
 * bare,gcc,borrowck	static assertion failed: "vm_flags_set() sets VM_IO, VM_DONTEXPAND, VM_DONTCOPY and
 * tsa14	static_assert failed due to requirement '!((16384UL | 1024UL) & ~(16384UL | 262144UL |
 * tsa19,tsa22,marks22,analyze22	static assertion failed due to requirement '!((16384UL | 1024UL) & ~(16384UL | 262144UL |
 */
#include "misuse.h"

HOOK;
static int hook(struct file *file, struct vma_new *vma)
{
	(void)file;
	vma_set_mixedmap(vma);
#ifdef FIXED
	vm_flags_set(vma, VM_IO);
#else
	vm_flags_set(vma, VM_IO | VM_PFNMAP);
#endif
	return 0;
}

MISUSE
{
	run_hook(m, hook, VM_READ);
}
