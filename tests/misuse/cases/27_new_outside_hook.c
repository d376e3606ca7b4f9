/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A vma_new is kept, and used when the hook is over.
 *
 * tsa		calling function '__vm_flags_set' requires holding context 'vma_setup' exclusively
 * tsa		calling function '__vm_flags_set' requires holding context 'vma_stable' exclusively
 * cocci	kept: a handle in a static variable
 */
#include "misuse.h"

#ifndef FIXED
static struct vma_new *kept;
#endif

HOOK;
static int hook(struct file *file, struct vma_new *vma)
{
	(void)file;
#ifdef FIXED
	vm_flags_set(vma, VM_IO);
#else
	kept = vma;
#endif
	return 0;
}

MISUSE
{
	run_hook(m, hook, VM_READ);
#ifndef FIXED
	vm_flags_set(kept, VM_IO);
#endif
}
