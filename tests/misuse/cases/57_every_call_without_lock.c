/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Everything that wants a stable VMA, by a function that does not say that it is given one.
 *
 * tsa		calling function 'vma_as_owned_mixedmap' requires holding context 'vma_stable'
 * tsa		calling function 'vma_lookup' requires holding context 'vma_stable'
 * tsa		calling function 'vma_find' requires holding context 'vma_stable'
 * tsa		calling function 'vma_as_mixedmap' requires holding context 'vma_stable'
 * tsa		calling function 'vma_start' requires holding context 'vma_stable'
 * tsa		calling function 'vma_end' requires holding context 'vma_stable'
 * tsa		calling function 'vma_flags' requires holding context 'vma_stable'
 * tsa		calling function 'vma_pgoff' requires holding context 'vma_stable'
 * tsa		calling function 'vma_mm' requires holding context 'vma_stable'
 * tsa		calling function 'vma_file' requires holding context 'vma_stable'
 * tsa		calling function 'vma_private_data' requires holding context 'vma_stable'
 * tsa		calling function 'vma_is_owner' requires holding context 'vma_stable'
 * tsa		calling function 'zap_vma_range' requires holding context 'vma_stable'
 * tsa		calling function 'vm_insert_page' requires holding context 'vma_stable'
 * tsa		calling function 'vm_insert_pages' requires holding context 'vma_stable'
 * tsa		calling function 'vm_insert_mixed' requires holding context 'vma_stable'
 * tsa		calling function 'vm_insert_pfn' requires holding context 'vma_stable'
 * tsa		calling function 'vm_insert_pfn_pmd' requires holding context 'vma_stable'
 * tsa		calling function 'vma_as_pfnmap' requires holding context 'vma_stable'
 * tsa		calling function 'vma_as_owned_pfnmap' requires holding context 'vma_stable'
 * tsa		calling function 'vma_start_write' requires holding context 'vma_stable' exclusively
 * tsa		calling function 'vma_set_anon_name' requires holding context 'vma_stable' exclusively
 */
#include "misuse.h"

void use(struct mmap_write *lock, struct vma_ref *vma, struct vma_mixedmap *mixed,
	 struct vma_pfnmap *pfnmap, struct vma_mut *mut) __may_sleep
#ifdef FIXED
	__must_hold(vma_stable)
#endif
	;
void use(struct mmap_write *lock, struct vma_ref *vma, struct vma_mixedmap *mixed,
	 struct vma_pfnmap *pfnmap, struct vma_mut *mut)
{
	struct vma_mixedmap *owned = vma_as_owned_mixedmap(vma, NULL, a_page);
	struct vma_ref *found = vma_lookup(lock, MIXED);
	struct vma_ref *next = vma_find(lock, MIXED);

	sink = owned || vma_as_mixedmap(vma);
	sink = vma_start(vma);
	sink = vma_end(mixed);
	sink = vma_flags(mut);
	sink = vma_pgoff(vma);
	sink = !!vma_mm(vma);
	sink = !!vma_file(vma);
	sink = !!vma_private_data(vma);
	sink = vma_is_owner(vma, NULL, a_page);
	zap_vma_range(vma, MIXED, PAGE_SIZE);
	sink = vm_insert_page(mixed, MIXED, a_page);
	sink = vm_insert_pages(mixed, MIXED, &a_page, &(unsigned long){ 1 });
	sink = vm_insert_mixed(mixed, MIXED, page_to_pfn(a_page));
	sink = vm_insert_pfn(pfnmap, MIXED, page_to_pfn(a_page));
	sink = vm_insert_pfn_pmd(pfnmap, MIXED, page_to_pfn(a_page), 0);
	sink = vma_as_pfnmap(vma) || vma_as_owned_pfnmap(vma, NULL, a_page);
	mut = vma_start_write(lock, vma);
	sink = vma_set_anon_name(mut, found && next ? NULL : "name");
}
