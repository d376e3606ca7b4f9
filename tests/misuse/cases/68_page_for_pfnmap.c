/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A page for a VMA that shows frames, and a frame for one that shows pages.
 *
 * bare,gcc,borrowck	passing argument 1 of 'vm_insert_page' from incompatible pointer type
 * bare,gcc,borrowck	passing argument 1 of 'vm_insert_pfn' from incompatible pointer type
 * analyze22,tsa	incompatible pointer types passing 'struct vma_pfnmap *' to parameter of type 'struct
 * analyze22,tsa	incompatible pointer types passing 'struct vma_mixedmap *' to parameter of type 'struct
 */
#include "misuse.h"

void show(struct vma_mixedmap *mixed, struct vma_pfnmap *pfnmap) __may_sleep
	__must_hold_shared(vma_stable);
void show(struct vma_mixedmap *mixed, struct vma_pfnmap *pfnmap)
{
#ifdef FIXED
	sink = vm_insert_page(mixed, MIXED, a_page);
	sink = vm_insert_pfn(pfnmap, MIXED, page_to_pfn(a_page));
#else
	sink = vm_insert_page(pfnmap, MIXED, a_page);
	sink = vm_insert_pfn(mixed, MIXED, page_to_pfn(a_page));
#endif
}
