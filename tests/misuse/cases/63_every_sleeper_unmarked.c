/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Each function that may sleep, by one that does not say that it may.
 *
 * tsa		calling function 'alloc_page' requires negative capability '!atomic_context'
 * tsa		calling function 'alloc_contig_pages' requires negative capability '!atomic_context'
 * tsa		calling function 'mmput' requires negative capability '!atomic_context'
 * tsa		calling function 'mmap_read_lock' requires negative capability '!atomic_context'
 * tsa		calling function 'mmap_read_lock_killable' requires negative capability '!atomic_context'
 * tsa		calling function 'mmap_read_lock_until' requires negative capability '!atomic_context'
 * tsa		calling function 'mmap_write_lock' requires negative capability '!atomic_context'
 * tsa 3	calling function 'mmap_write_unlock' requires negative capability '!atomic_context'
 * tsa		calling function 'mmap_write_lock_killable' requires negative capability '!atomic_context'
 * tsa		calling function 'mmap_write_lock_until' requires negative capability '!atomic_context'
 * tsa		calling function 'mmap_write_downgrade' requires negative capability '!atomic_context'
 * tsa		calling function 'vma_start_write' requires negative capability '!atomic_context'
 * tsa		calling function 'zap_vma_range' requires negative capability '!atomic_context'
 * tsa		calling function 'vm_insert_page' requires negative capability '!atomic_context'
 * tsa		calling function 'vm_insert_pages' requires negative capability '!atomic_context'
 * tsa		calling function 'vm_insert_mixed' requires negative capability '!atomic_context'
 * tsa		calling function 'vm_insert_pfn' requires negative capability '!atomic_context'
 * tsa		calling function 'vm_insert_pfn_pmd' requires negative capability '!atomic_context'
 * tsa		calling function 'unmap_mapping_pages' requires negative capability '!atomic_context'
 * tsa		calling function 'vma_set_anon_name' requires negative capability '!atomic_context'
 * tsa		calling function 'vm_map_pages' requires negative capability '!atomic_context'
 * tsa		calling function 'remap_pfn_range' requires negative capability '!atomic_context'
 * tsa		calling function 'class_mmap_read_constructor' requires negative capability
 * tsa		calling function 'class_mmap_write_constructor' requires negative capability
 * tsa19,tsa22,marks22	calling function '__free_mmput' requires negative capability '!atomic_context'
 * tsa19,tsa22,marks22	calling function 'class_mmap_write_destructor' requires negative capability
 */
#include "misuse.h"

#ifdef FIXED
# define SLEEPS		__may_sleep
#else
# define SLEEPS
#endif

void refs(struct mm_user *mm) SLEEPS;
void refs(struct mm_user *mm)
{
	struct page *page = alloc_page(instance);

	if (page)
		__free_page(page);
	sink = alloc_contig_pages(instance, 0, &a_page);
	mmput(mm);
}

void read_locks(struct mm_user *mm) SLEEPS;
void read_locks(struct mm_user *mm)
{
	struct mmap_read *lock = mmap_read_lock(mm);

	mmap_read_unlock(lock);
	lock = mmap_read_lock_killable(mm);
	if (lock)
		mmap_read_unlock(lock);
	lock = mmap_read_lock_until(mm, 1);
	if (lock)
		mmap_read_unlock(lock);
}

void write_locks(struct mm_user *mm) SLEEPS;
void write_locks(struct mm_user *mm)
{
	struct mmap_write *lock = mmap_write_lock(mm);

	mmap_write_unlock(lock);
	lock = mmap_write_lock_killable(mm);
	if (lock)
		mmap_write_unlock(lock);
	lock = mmap_write_lock_until(mm, 1);
	if (lock)
		mmap_write_unlock(lock);
}

void downgrade(struct mmap_write *lock) __releases(vma_stable) SLEEPS;
void downgrade(struct mmap_write *lock)
{
	struct mmap_read *read = mmap_write_downgrade(lock);

	mmap_read_unlock(read);
}

void vmas(struct mmap_write *lock, struct vma_ref *vma, struct vma_mixedmap *mixed,
	  struct vma_pfnmap *pfnmap)
	__must_hold(vma_stable) SLEEPS;
void vmas(struct mmap_write *lock, struct vma_ref *vma, struct vma_mixedmap *mixed,
	  struct vma_pfnmap *pfnmap)
{
	struct vma_mut *mut = vma_start_write(lock, vma);

	zap_vma_range(vma, MIXED, PAGE_SIZE);
	sink = vm_insert_page(mixed, MIXED, a_page);
	sink = vm_insert_pages(mixed, MIXED, &a_page, &(unsigned long){ 1 });
	sink = vm_insert_mixed(mixed, MIXED, 1);
	sink = vm_insert_pfn(pfnmap, MIXED, 1);
	sink = vm_insert_pfn_pmd(pfnmap, MIXED, 0, 0);
	unmap_mapping_pages(a_file, 0, 1);
	sink = vma_set_anon_name(mut, NULL);
}

void in_hook(struct vma_new *vma) __in_mmap_hook SLEEPS;
void in_hook(struct vma_new *vma)
{
	sink = vm_map_pages(vma, &a_page, 1);
	sink = remap_pfn_range(vma, MIXED, 1, PAGE_SIZE);
}

void scopes(struct mm_struct *m) SLEEPS;
void scopes(struct mm_struct *m)
{
	struct mm_user *mm __free(mmput) = mmget_not_zero(m);

	sink = !!mm;
}

void read_scope(struct mm_user *mm) SLEEPS;
void read_scope(struct mm_user *mm)
{
	CLASS(mmap_read, lock)(mm);

	sink = !!lock;
}

void write_scope(struct mm_user *mm) SLEEPS;
void write_scope(struct mm_user *mm)
{
	CLASS(mmap_write, lock)(mm);

	sink = !!lock;
}
