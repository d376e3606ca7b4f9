/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A write locked VMA is still written to after mmap_write_downgrade().
 *
 * borrowck	pointer 'mut' used after 'mmap_write_downgrade'
 * tsa		calling function 'vma_set_anon_name' requires holding context 'vma_stable' exclusively
 */
#include "misuse.h"

MISUSE
{
	struct mmap_write *lock = mmap_write_lock(mm);
	struct mmap_read *read;
	struct vma_ref *vma = vma_lookup(lock, PLAIN);
	struct vma_mut *mut;

	if (!vma) {
		mmap_write_unlock(lock);
		return;
	}
	mut = vma_start_write(lock, vma);
#ifdef FIXED
	sink = vma_set_anon_name(mut, "heap");
	read = mmap_write_downgrade(lock);
#else
	read = mmap_write_downgrade(lock);
	sink = vma_set_anon_name(mut, "heap");
#endif
	mmap_read_unlock(read);
}
