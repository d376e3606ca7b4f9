/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the accessors of guard.h check, in debug builds.
 *
 * "Holds" means this thread: that somebody holds the lock, which the lock's own word could tell, is
 * no reason for anybody else to write.
 */
#include "vma/guard.h"

#ifdef CONFIG_VMAREA_DEBUG

/* Nobody is counted, and nobody can be: see lock.c. */
static bool is_detached(const struct vm_area_struct *vma)
{
	return !atomic_load_relaxed(&vma->vm_refcnt);
}

static bool is_write_locked(const struct vm_area_struct *vma)
{
	return atomic_load_relaxed(&vma->vm_lock_seq) ==
	       atomic_load_relaxed(&vma->vm_mm->mm_lock_seq);
}

static bool is_private(const struct mm_struct *mm)
{
	return atomic_load_relaxed(&mm->known_to) == port_thread_id();
}

static bool holds_mmap_write(const struct mm_struct *mm)
{
	return witness_holds(&mm->mmap_lock, WITNESS_EXCLUSIVE);
}

static bool may_set(const struct vm_area_struct *vma)
{
	return holds_mmap_write(vma->vm_mm) && (is_detached(vma) || is_write_locked(vma));
}

static void complain(const char *type, const void *object, struct guard_site site,
		     const char *needs)
{
	witness_unguarded(type, object, site.field, needs, site.place);
}

void guard_vma_init(const struct vm_area_struct *vma, struct guard_site site)
{
	if (!is_detached(vma))
		complain("vm_area_struct", vma, site, "a VMA that is not attached");
}

void guard_vma_set(const struct vm_area_struct *vma, struct guard_site site)
{
	if (!may_set(vma))
		complain("vm_area_struct", vma, site,
			 "the mmap lock of its mm for write, and the VMA's write lock");
}

void guard_vma_anon(const struct vm_area_struct *vma, struct guard_site site)
{
	const struct mm_struct *mm = vma->vm_mm;

	if (witness_holds(&mm->page_table_lock, WITNESS_SPIN) &&
	    witness_holds(&mm->mmap_lock, WITNESS_SHARED))
		return;
	if (!may_set(vma))
		complain("vm_area_struct", vma, site,
			 "page_table_lock and the mmap lock, or the mmap lock for write and the "
			 "VMA's write lock");
}

void guard_vma_next(const struct vm_area_struct *vma, const void *lock, struct guard_site site)
{
	if (!witness_holds(lock, WITNESS_EXCLUSIVE))
		complain("vm_area_struct", vma, site,
			 "the lock of the chain that the VMA goes on");
}

void guard_mm_init(const struct mm_struct *mm, struct guard_site site)
{
	if (!is_private(mm))
		complain("mm_struct", mm, site, "an mm that nobody else knows");
}

void guard_mm_set(const struct mm_struct *mm, struct guard_site site)
{
	if (!holds_mmap_write(mm) && !is_private(mm))
		complain("mm_struct", mm, site, "its mmap lock for write");
}

void guard_mm_ptl(const struct mm_struct *mm, struct guard_site site)
{
	if (!witness_holds(&mm->page_table_lock, WITNESS_SPIN))
		complain("mm_struct", mm, site, "its page_table_lock");
}

#endif
