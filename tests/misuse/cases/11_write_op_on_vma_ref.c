/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The mmap lock is held for write, but the VMA itself is not write locked.
 *
 * bare,gcc,borrowck	passing argument 1 of 'vma_set_anon_name' from incompatible pointer type
 * analyze22,tsa	incompatible pointer types passing 'struct vma_ref *' to parameter of type 'struct
 */
#include "misuse.h"

MISUSE
{
	struct mmap_write *lock = mmap_write_lock(mm);
	struct vma_ref *vma = vma_lookup(lock, PLAIN);

	if (vma)
#ifdef FIXED
		sink = vma_set_anon_name(vma_start_write(lock, vma), "heap");
#else
		sink = vma_set_anon_name(vma, "heap");
#endif
	mmap_write_unlock(lock);
}
