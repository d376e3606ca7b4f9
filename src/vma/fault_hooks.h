/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Calls of the hooks that a fault asks (vmarea/driver_fault.h).  As those of handle.h each is a
 * section, and must leave no lock held that it took.
 */
#ifndef VMA_FAULT_HOOKS_H
#define VMA_FAULT_HOOKS_H

#include <vmarea/driver_fault.h>

#include "vma/handle.h"

typedef vm_fault_t vma_fault_hook(struct vma_ref *vma, struct vm_fault *vmf);

/* @name: "fault()". */
static inline vm_fault_t vma_ops_fault(vma_fault_hook *hook, const char *name,
				       struct vm_area_struct *vma, struct vm_fault *vmf)
	__must_hold_shared(vma_stable) __may_sleep
{
	witness_hook(driver_name(vma));
	struct vma_ref *handle;
	vm_fault_t answer;

	might_sleep();
	handle = section_begin(SECTION_HOOK_READ, vma, name);
	answer = hook(handle, vmf);
	section_end(handle, "struct vma_ref", SECTIONS_VMA, name);
	return answer;
}

/* vma_has_op() */
static inline vm_fault_t vma_ops_huge_fault(struct vm_area_struct *vma, struct vm_fault *vmf,
					    unsigned int order)
	__must_hold_shared(vma_stable) __may_sleep
{
	witness_hook(driver_name(vma));
	struct vma_ref *handle;
	vm_fault_t answer;

	might_sleep();
	handle = section_begin(SECTION_HOOK_READ, vma, "huge_fault()");
	answer = vma->vm_ops->huge_fault(handle, vmf, order);
	section_end(handle, "struct vma_ref", SECTIONS_VMA, "huge_fault()");
	return answer;
}

/* vma_has_op() */
static inline void vma_ops_map_pages(struct vm_area_struct *vma, struct vm_fault *vmf,
				     unsigned long start, unsigned long end)
	__must_hold_shared(vma_stable) __may_sleep
{
	witness_hook(driver_name(vma));
	struct vma_ref *handle;

	might_sleep();
	handle = section_begin(SECTION_HOOK_READ, vma, "map_pages()");
	vma->vm_ops->map_pages(handle, vmf, start, end);
	section_end(handle, "struct vma_ref", SECTIONS_VMA, "map_pages()");
}

/* vma_has_op() */
static inline long vma_ops_access(struct vm_area_struct *vma, unsigned long addr, void *buf,
				  size_t len, bool write)
	__must_hold_shared(vma_stable) __may_sleep
{
	witness_hook(driver_name(vma));
	struct vma_ref *handle;
	long done;

	might_sleep();
	handle = section_begin(SECTION_HOOK_READ, vma, "access()");
	done = vma->vm_ops->access(handle, addr, buf, len, write);
	section_end(handle, "struct vma_ref", SECTIONS_VMA, "access()");
	return done;
}

#endif
