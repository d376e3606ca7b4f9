/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Each result that must be looked at, and nobody does.
 *
 * bare,gcc,borrowck	ignoring return value of 'mmget_not_zero' declared with attribute 'warn_unused_result'
 * bare,gcc,borrowck	ignoring return value of 'mmget' declared with attribute 'warn_unused_result'
 * bare,gcc	ignoring return value of 'mmap_read_lock' declared with attribute 'warn_unused_result'
 * bare,gcc	ignoring return value of 'mmap_read_trylock' declared with attribute 'warn_unused_result'
 * bare,gcc	ignoring return value of 'mmap_read_lock_killable' declared with attribute
 * bare,gcc	ignoring return value of 'mmap_read_lock_until' declared with attribute
 * bare,gcc	ignoring return value of 'mmap_write_lock' declared with attribute 'warn_unused_result'
 * bare,gcc	ignoring return value of 'mmap_write_trylock' declared with attribute 'warn_unused_result'
 * bare,gcc	ignoring return value of 'mmap_write_lock_killable' declared with attribute
 * bare,gcc	ignoring return value of 'mmap_write_lock_until' declared with attribute
 * bare,gcc,borrowck	ignoring return value of 'mmap_lock_speculate_try_begin' declared with attribute
 * bare,gcc,borrowck	ignoring return value of 'mmap_lock_speculate_retry' declared with attribute
 * bare,gcc	ignoring return value of 'vma_lookup' declared with attribute 'warn_unused_result'
 * bare,gcc	ignoring return value of 'vma_find' declared with attribute 'warn_unused_result'
 * bare,gcc	ignoring return value of 'lock_vma_under_rcu' declared with attribute 'warn_unused_result'
 * bare,gcc	ignoring return value of 'vma_start_write' declared with attribute 'warn_unused_result'
 * bare,gcc	ignoring return value of 'vma_as_mixedmap' declared with attribute 'warn_unused_result'
 * bare,gcc	ignoring return value of 'vma_as_owned_mixedmap' declared with attribute
 * bare,gcc,borrowck	ignoring return value of 'vm_insert_page' declared with attribute 'warn_unused_result'
 * bare,gcc,borrowck	ignoring return value of 'vm_insert_pages' declared with attribute 'warn_unused_result'
 * bare,gcc,borrowck	ignoring return value of 'vm_insert_mixed' declared with attribute 'warn_unused_result'
 * bare,gcc,borrowck	ignoring return value of 'vm_insert_pfn' declared with attribute 'warn_unused_result'
 * bare,gcc,borrowck	ignoring return value of 'vm_insert_pfn_pmd' declared with attribute
 * bare,gcc,borrowck	ignoring return value of 'vm_map_pages' declared with attribute 'warn_unused_result'
 * bare,gcc,borrowck	ignoring return value of 'remap_pfn_range' declared with attribute 'warn_unused_result'
 * bare,gcc,borrowck	ignoring return value of 'vma_set_pfnmap' declared with attribute 'warn_unused_result'
 * bare,gcc,borrowck	ignoring return value of 'unmap_mapping_pages_try' declared with attribute
 * bare,gcc	ignoring return value of 'vma_as_pfnmap' declared with attribute 'warn_unused_result'
 * bare,gcc	ignoring return value of 'vma_as_owned_pfnmap' declared with attribute
 * bare,gcc,borrowck	ignoring return value of 'vma_set_anon_name' declared with attribute 'warn_unused_result'
 * bare,gcc,borrowck	ignoring return value of 'vma_try_clear_mayread' declared with attribute
 * bare,gcc,borrowck	ignoring return value of 'vma_try_clear_maywrite' declared with attribute
 * bare,gcc,borrowck	ignoring return value of 'vma_try_clear_mayexec' declared with attribute
 * bare,gcc,borrowck	ignoring return value of 'alloc_page' declared with attribute 'warn_unused_result'
 * bare,gcc,borrowck	ignoring return value of 'alloc_contig_pages' declared with attribute
 * bare,gcc,borrowck	ignoring return value of 'mmap_write_downgrade' declared with attribute
 * borrowck 16	value computed is not used
 * tsa 35	ignoring return value of function declared with 'warn_unused_result' attribute
 * analyze22 13	Potential memory leak
 */
#include "misuse.h"

#ifdef FIXED
# define LOOK(expr)	sink = (unsigned long)(expr)
# define KEEP(expr)	hand_away(expr)
#else
# define LOOK(expr)	(expr)
# define KEEP(expr)	(expr)
#endif

/* Without marks of locks: what they would say of such a function is not the point here. */
void ignore(struct mm_struct *m, struct mm_user *mm, struct mmap_write *w, struct vma_ref *vma,
	    struct vma_mixedmap *mixed, struct vma_pfnmap *pfnmap, struct vma_mut *mut,
	    struct vma_new *new_vma, unsigned int *seq) __no_context_analysis;
void ignore(struct mm_struct *m, struct mm_user *mm, struct mmap_write *w, struct vma_ref *vma,
	    struct vma_mixedmap *mixed, struct vma_pfnmap *pfnmap, struct vma_mut *mut,
	    struct vma_new *new_vma, unsigned int *seq)
{
	KEEP(mmget_not_zero(m));
	KEEP(mmget(mm));
	KEEP(mmap_read_lock(mm));
	KEEP(mmap_read_trylock(mm));
	KEEP(mmap_read_lock_killable(mm));
	KEEP(mmap_read_lock_until(mm, 1));
	KEEP(mmap_write_lock(mm));
	KEEP(mmap_write_trylock(mm));
	KEEP(mmap_write_lock_killable(mm));
	KEEP(mmap_write_lock_until(mm, 1));
	LOOK(mmap_lock_speculate_try_begin(mm, seq));
	LOOK(mmap_lock_speculate_retry(mm, *seq));
	KEEP(vma_lookup(w, MIXED));
	KEEP(vma_find(w, MIXED));
	KEEP(lock_vma_under_rcu(mm, MIXED));
	KEEP(vma_start_write(w, vma));
	KEEP(vma_as_mixedmap(vma));
	KEEP(vma_as_owned_mixedmap(vma, NULL, a_page));
	LOOK(vm_insert_page(mixed, MIXED, a_page));
	LOOK(vm_insert_pages(mixed, MIXED, &a_page, &(unsigned long){ 1 }));
	LOOK(vm_insert_mixed(mixed, MIXED, 1));
	LOOK(vm_insert_pfn(pfnmap, MIXED, 1));
	LOOK(vm_insert_pfn_pmd(pfnmap, MIXED, 0, 0));
	LOOK(unmap_mapping_pages_try(a_file, 0, 1));
	LOOK(vm_map_pages(new_vma, &a_page, 1));
	LOOK(remap_pfn_range(new_vma, MIXED, 1, PAGE_SIZE));
	KEEP(vma_set_pfnmap(new_vma));
	KEEP(vma_as_pfnmap(vma));
	KEEP(vma_as_owned_pfnmap(vma, NULL, a_page));
	LOOK(vma_set_anon_name(mut, NULL));
	LOOK(vma_try_clear_mayread(new_vma));
	LOOK(vma_try_clear_maywrite(new_vma));
	LOOK(vma_try_clear_mayexec(new_vma));
	KEEP(alloc_page(instance));
	LOOK(alloc_contig_pages(instance, 0, &a_page));
	KEEP(mmap_write_downgrade(w));
}
