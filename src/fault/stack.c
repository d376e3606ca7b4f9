/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Stacks: areas with VM_GROWSDOWN, which a fault below them extends.
 *
 *	prev            stack_guard_gap          new pages      the stack
 *	|------|...............................|xxxxxxxxxxxxxx|------------|
 *	                                       addr           vm_start     vm_end
 *
 * Any distance may be grown at once.  What is asked, in this order: the lowest address; the gap, if
 * what lies below can be accessed and is no stack itself (a PROT_NONE area serves as a gap); the
 * address space; RLIMIT_STACK, against the whole of the stack; locked memory; overcommit.
 *
 * As on Linux the area counts as touched once the gap has been found wide enough, even if one of
 * the limits then refuses.
 */
#include "fault/fault.h"
#include "vma/anon.h"
#include "vma/instance.h"
#include "vma/limits.h"
#include "vma/map.h"

static bool keeps_gap(const struct vm_area_struct *vma, unsigned long addr)
	__must_hold_shared(vma_stable)
{
	const struct vm_area_struct *prev = vma_before(vma->vm_mm, vma->vm_start);
	unsigned long gap;

	if (!prev || mm_is_stack(prev->vm_flags) || !(prev->vm_flags & VM_ACCESS_FLAGS))
		return true;
	gap = (unsigned long)vma->vm_mm->instance->config.stack_guard_gap_pages << PAGE_SHIFT;
	/* Wraps for an address inside @prev, whom nobody asks to grow. */
	return addr - prev->vm_end >= gap;
}

/* Is there room for the pages within the limits?  If so they are promised. */
static bool admit(struct vm_area_struct *vma, unsigned long addr, unsigned long nr_pages)
	__must_hold_shared(vma_stable)
{
	struct mm_struct *mm = vma->vm_mm;

	if (nr_pages > vma_pgoff_at(vma, vma->vm_start))
		return false;
	if (!mm_may_expand(mm, vma->vm_flags, nr_pages) ||
	    vma->vm_end - addr > mm_rlimit(mm, MM_RLIMIT_STACK) ||
	    !mm_may_lock(mm, vma->vm_flags, nr_pages << PAGE_SHIFT) || mm_commit(mm, nr_pages))
		return false;
	/* It is asked for in any case, but only what VM_ACCOUNT marks is taken back later. */
	if (!(vma->vm_flags & VM_ACCOUNT))
		mm_uncommit(mm, nr_pages);
	return true;
}

int mm_expand_down_locked(struct vm_area_struct *vma, unsigned long addr)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned long nr_pages;

	mm_assert_write_locked(mm);
	if (!mm_is_stack(vma->vm_flags))
		return -EFAULT;
	addr = PAGE_ALIGN_DOWN(addr);
	if (addr < mm_lowest_addr(mm) || !keeps_gap(vma, addr))
		return -EFAULT;
	if (anon_prepare(vma))
		return -ENOMEM;
	nr_pages = (vma->vm_start - addr) >> PAGE_SHIFT;
	if (!admit(vma, addr, nr_pages))
		return -EFAULT;
	if (vma->vm_flags & VM_LOCKED)
		mm_add(mm, locked_vm, nr_pages);
	mm_account(mm, vma->vm_flags, (long)nr_pages);
	map_resize(vma, addr, vma->vm_end);
	return 0;
}

enum mm_fault grow_stack(struct mm_struct *mm, unsigned long addr)
{
	enum mm_fault fault = MM_FAULT_DONE;
	struct vm_area_struct *vma;
	int err;

	mm_write_lock(mm);
	vma = vma_first(mm, addr);
	if (!vma) {
		fault = MM_FAULT_MAPERR;
	} else if (vma->vm_start > addr) {
		err = map_reserve(mm, 0, 1);
		if (!err)
			err = mm_expand_down_locked(vma, addr);
		if (err)
			fault = err == -ENOMEM ? MM_FAULT_OOM : MM_FAULT_MAPERR;
	}
	mm_write_unlock(mm);
	return fault;
}
