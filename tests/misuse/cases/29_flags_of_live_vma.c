/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Flags of a VMA that is in use are set as if it were new.
 *
 * bare,gcc,borrowck	passing argument 1 of '__vm_flags_set' from incompatible pointer type
 * analyze22,tsa	incompatible pointer types passing 'struct vma_ref *' to parameter of type 'struct
 * tsa14,tsa19	calling function '__vm_flags_set' requires holding context 'vma_setup' exclusively
 * tsa14,tsa19	calling function '__vm_flags_set' requires holding context 'vma_stable' exclusively
 */
#include "misuse.h"

MISUSE
{
	struct mmap_read *lock = mmap_read_lock(mm);
	struct vma_ref *vma = vma_lookup(lock, PLAIN);

	if (vma)
#ifdef FIXED
		sink = vma_flags(vma);
#else
		vm_flags_set(vma, VM_IO);
#endif
	mmap_read_unlock(lock);
}
