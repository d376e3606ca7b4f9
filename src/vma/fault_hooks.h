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
	witness_call();
	struct vma_ref *handle;
	vm_fault_t answer;

	might_sleep();
	handle = section_begin(SECTION_HOOK_READ, vma, name);
	answer = hook(handle, vmf);
	section_end(handle, "struct vma_ref", SECTIONS_VMA, name);
	return answer;
}

#endif
