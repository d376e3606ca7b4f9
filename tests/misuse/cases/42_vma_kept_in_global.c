/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A VMA is stored, and used by another function under another lock.
 *
 * cocci	kept: a handle in a static variable
 */
#include "misuse.h"

#ifdef FIXED
static unsigned long kept;
#else
static struct vma_ref *kept;
#endif
static void keep(struct mm_user *mm) __may_sleep
{
	CLASS(mmap_read, lock)(mm);
#ifdef FIXED
	kept = MIXED;
	(void)lock;
#else
	kept = vma_lookup(lock, MIXED);
#endif
}
static void use(struct mm_user *mm) __may_sleep
{
	CLASS(mmap_read, lock)(mm);
#ifdef FIXED
	struct vma_ref *vma = vma_lookup(lock, kept);

	if (vma)
		sink = vma_start(vma);
#else
	(void)lock;
	if (kept)
		sink = vma_start(kept);
#endif
}

MISUSE
{
	keep(mm);
	use(mm);
}
