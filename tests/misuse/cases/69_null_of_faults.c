/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What may be NULL of frames and faults, used without a look at it.
 *
 * analyze22 4	Nullable pointer is passed to a callee that requires a non-null 1st parameter
 */
#include "misuse.h"

#ifdef FIXED
# define TESTED(p)	if (p)
#else
# define TESTED(p)
#endif

__nonnull_begin
void take(void *p);
__nonnull_end

void null_as_pfnmap(struct vma_ref *vma) __no_context_analysis;
void null_as_pfnmap(struct vma_ref *vma)
{
	struct vma_pfnmap *p = vma_as_pfnmap(vma);

	TESTED(p)
		take(p);
}

void null_as_owned_pfnmap(struct vma_ref *vma) __no_context_analysis;
void null_as_owned_pfnmap(struct vma_ref *vma)
{
	struct vma_pfnmap *p = vma_as_owned_pfnmap(vma, NULL, a_page);

	TESTED(p)
		take(p);
}

void null_set_pfnmap(struct vma_new *vma) __no_context_analysis;
void null_set_pfnmap(struct vma_new *vma)
{
	struct vma_pfnmap *p = vma_set_pfnmap(vma);

	TESTED(p)
		take(p);
}

void null_fault_page(struct vm_fault *vmf);
void null_fault_page(struct vm_fault *vmf)
{
	struct page *p = vmf->page;

	TESTED(p)
		take(p);
}
