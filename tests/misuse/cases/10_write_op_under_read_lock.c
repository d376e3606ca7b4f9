/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * An operation that needs the write lock, with the read lock.
 *
 * bare,gcc	passing argument 1 of 'vma_start_write' from incompatible pointer type
 * borrowck 2	passing argument 1 of 'vma_start_write' from incompatible pointer type
 * analyze22,tsa	incompatible pointer types passing 'struct mmap_read *' to parameter of type 'struct
 * tsa14,tsa19	calling function 'vma_set_anon_name' requires holding context 'vma_stable' exclusively
 * tsa14,tsa19	calling function 'vma_start_write' requires holding context 'vma_stable' exclusively
 */
#include "misuse.h"

MISUSE
{
#ifdef FIXED
	struct mmap_write *lock = mmap_write_lock(mm);
#else
	struct mmap_read *lock = mmap_read_lock(mm);
#endif
	struct vma_ref *vma = vma_lookup(lock, PLAIN);

	if (vma)
		sink = vma_set_anon_name(vma_start_write(lock, vma), "heap");
#ifdef FIXED
	mmap_write_unlock(lock);
#else
	mmap_read_unlock(lock);
#endif
}
