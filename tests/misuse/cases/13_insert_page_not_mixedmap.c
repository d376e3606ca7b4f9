/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * vm_insert_page() on a VMA nobody has looked at the VM_MIXEDMAP flag of.
 *
 * bare,gcc,borrowck	passing argument 1 of 'vm_insert_page' from incompatible pointer type
 * analyze22,tsa	incompatible pointer types passing 'struct vma_ref *' to parameter of type 'struct
 */
#include "misuse.h"

MISUSE
{
	struct mmap_read *lock = mmap_read_lock(mm);
	struct vma_ref *vma = vma_lookup(lock, PLAIN);

	if (vma) {
#ifdef FIXED
		struct vma_mixedmap *mixed = vma_as_mixedmap(vma);

		if (mixed)
			sink = vm_insert_page(mixed, PLAIN, a_page);
#else
		sink = vm_insert_page(vma, PLAIN, a_page);
#endif
	}
	mmap_read_unlock(lock);
}
