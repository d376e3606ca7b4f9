/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * vm_insert_page() does not take the page over.
 *
 * analyze22	Potential leak of memory pointed to by 'page'
 */
#include "misuse.h"

static int work(struct vma_mixedmap *vma) __must_hold_shared(vma_stable) __may_sleep
{
#ifdef FIXED
	struct page *page __free(free_page) = alloc_page(instance);
#else
	struct page *page = alloc_page(instance);
#endif

	if (!page)
		return -ENOMEM;
	return vm_insert_page(vma, MIXED, page);
}

MISUSE
{
	struct vma_ref *vma = lock_vma_under_rcu(mm, MIXED);
	struct vma_mixedmap *mixed;

	if (vma) {
		mixed = vma_as_mixedmap(vma);
		if (mixed)
			sink = work(mixed);
		vma_end_read(vma);
	}
}
