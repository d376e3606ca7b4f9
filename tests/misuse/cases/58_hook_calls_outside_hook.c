/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Everything that an mmap() hook may do, by a function that does not say it is part of one.
 *
 * tsa		calling function 'vma_set_mixedmap' requires holding context 'vma_setup' exclusively
 * tsa		calling function 'vma_set_mixedmap' requires holding context 'vma_stable' exclusively
 * tsa 4	calling function '__vm_flags_set' requires holding context 'vma_setup' exclusively
 * tsa 4	calling function '__vm_flags_set' requires holding context 'vma_stable' exclusively
 * tsa		calling function 'vma_set_owner' requires holding context 'vma_setup' exclusively
 * tsa		calling function 'vma_set_owner' requires holding context 'vma_stable' exclusively
 * tsa		calling function 'vma_try_clear_mayread' requires holding context 'vma_setup' exclusively
 * tsa		calling function 'vma_try_clear_mayread' requires holding context 'vma_stable' exclusively
 * tsa		calling function 'vma_try_clear_maywrite' requires holding context 'vma_setup' exclusively
 * tsa		calling function 'vma_try_clear_maywrite' requires holding context 'vma_stable'
 * tsa		calling function 'vm_map_pages' requires holding context 'vma_setup' exclusively
 * tsa		calling function 'vm_map_pages' requires holding context 'vma_stable' exclusively
 * tsa		calling function 'vma_set_pfnmap' requires holding context 'vma_setup' exclusively
 * tsa		calling function 'vma_set_pfnmap' requires holding context 'vma_stable' exclusively
 * tsa		calling function 'remap_pfn_range' requires holding context 'vma_setup' exclusively
 * tsa		calling function 'remap_pfn_range' requires holding context 'vma_stable' exclusively
 * tsa		calling function 'vma_try_clear_mayexec' requires holding context 'vma_setup' exclusively
 * tsa		calling function 'vma_try_clear_mayexec' requires holding context 'vma_stable' exclusively
 */
#include "misuse.h"

int configure(struct vma_new *vma) __may_sleep
#ifdef FIXED
	__in_mmap_hook
#endif
	;
int configure(struct vma_new *vma)
{
	struct vma_mixedmap *mixed = vma_set_mixedmap(vma);

	vma_set_io(vma);
	vma_set_dontexpand(vma);
	vma_set_dontcopy(vma);
	vma_set_dontdump(vma);
	vma_set_owner(vma, NULL, mixed);
	if (vma_try_clear_mayread(vma) || vma_try_clear_maywrite(vma))
		return -EINVAL;
	if (vm_map_pages(vma, &a_page, 1) || !vma_set_pfnmap(vma) ||
	    remap_pfn_range(vma, MIXED, page_to_pfn(a_page), PAGE_SIZE))
		return -EINVAL;
	return vma_try_clear_mayexec(vma);
}
