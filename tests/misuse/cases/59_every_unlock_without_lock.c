/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Locks are released that this function was not handed.
 *
 * tsa 4	releasing context 'vma_stable' that was not held
 */
#include "misuse.h"

#ifdef FIXED
# define GIVES_BACK		__releases(vma_stable) __may_sleep
# define GIVES_BACK_SHARED	__releases_shared(vma_stable)
#else
# define GIVES_BACK		__may_sleep
# define GIVES_BACK_SHARED
#endif

void read_unlock(struct mmap_read *lock) GIVES_BACK_SHARED;
void read_unlock(struct mmap_read *lock)
{
	mmap_read_unlock(lock);
}

void write_unlock(struct mmap_write *lock) GIVES_BACK;
void write_unlock(struct mmap_write *lock)
{
	mmap_write_unlock(lock);
}

void downgrade(struct mmap_write *lock) GIVES_BACK;
void downgrade(struct mmap_write *lock)
{
	struct mmap_read *read = mmap_write_downgrade(lock);

	mmap_read_unlock(read);
}

void end_read(struct vma_ref *vma) GIVES_BACK_SHARED;
void end_read(struct vma_ref *vma)
{
	vma_end_read(vma);
}
