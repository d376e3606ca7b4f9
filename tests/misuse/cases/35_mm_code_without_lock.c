/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The mm's own code, which sees the struct, forgets the lock.
 *
 * tsa19,tsa22,marks22	writing variable 'anon_name' requires holding context 'vma_stable' exclusively
 */
#include "misuse.h"

/* As an mm declares its own fields: the struct is not the driver's to see. */
struct vm_area_struct {
	const char *anon_name __guarded_by(vma_stable);
};

static struct vm_area_struct *struct_of(struct vma_ref *vma)
{
	union {
		struct vma_ref *handle;
		struct vm_area_struct *vma;
	} same = { .handle = vma };

	return same.vma;
}

static void poke(struct vm_area_struct *vma)
#ifdef FIXED
	__must_hold(vma_stable)
#endif
{
	vma->anon_name = "poked";
}

MISUSE
{
#ifdef FIXED
	struct mmap_write *lock = mmap_write_lock(mm);
#else
	struct mmap_read *lock = mmap_read_lock(mm);
#endif
	struct vma_ref *vma = vma_lookup(lock, PLAIN);

	if (vma)
		poke(struct_of(vma));
#ifdef FIXED
	mmap_write_unlock(lock);
#else
	mmap_read_unlock(lock);
#endif
}
