/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The flags are written to by hand.
 *
 * bare,gcc,borrowck	invalid use of undefined type 'struct vma_ref'
 * analyze22,tsa	incomplete definition of type 'struct vma_ref'
 */
#include "misuse.h"

MISUSE
{
	struct mmap_write *lock = mmap_write_lock(mm);
	struct vma_ref *vma = vma_lookup(lock, PLAIN);

	if (vma)
#ifdef FIXED
		sink = vma_flags(vma);
#else
		vma->vm_flags |= VM_PFNMAP;
#endif
	mmap_write_unlock(lock);
}
