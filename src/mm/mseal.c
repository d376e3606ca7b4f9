/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * mseal(): what a range is like can no longer be changed.
 *
 * A hole anywhere in the range is found before the first area is sealed.  After that only the area
 * limit, or a driver that will not have its area split, can end the call half done.  There is no
 * way to take a seal away; a sealed area obeys it wherever VM_SEALED is looked at: munmap(),
 * mprotect(), mremap(), MAP_FIXED, and advices that throw away what could not have been
 * overwritten.
 */
#include "mm/advise.h"

static bool has_hole(const struct mm_struct *mm, unsigned long start, unsigned long end)
	__must_hold_shared(vma_stable)
{
	while (start < end) {
		const struct vm_area_struct *vma = vma_at(mm, start);

		if (!vma)
			return true;
		start = vma->vm_end;
	}
	return false;
}

static int seal_locked(struct mm_struct *mm, unsigned long start, unsigned long end)
	__must_hold(vma_stable) __may_sleep
{
	int err;

	if (has_hole(mm, start, end))
		return -ENOMEM;
	err = map_reserve_range(mm, start, end, 0);
	if (err)
		return err;
	while (start < end) {
		struct vm_area_struct *vma = vma_at(mm, start);
		struct vma_change to = vma_as_is(vma);

		if (!(to.flags & VM_SEALED)) {
			to.flags |= VM_SEALED;
			vma = vma_modify(vma, start, min(vma->vm_end, end), &to, &err);
			if (!vma)
				return err;
		}
		start = vma->vm_end;
	}
	return 0;
}

long mm_mseal(struct mm_user *user, unsigned long addr, unsigned long len, unsigned long flags)
{
	witness_call();
	struct mm_struct *mm = mm_of(user);
	unsigned long end;
	int err;

	if (!has_feature(mm->instance, VMAREA_FEATURE_MSEAL))
		return -ENOSYS;
	if (flags)
		return -EINVAL;
	err = mm_check_advised(addr, len, &end);
	if (err)
		return err < 0 ? err : 0;
	err = mm_write_lock_killable(mm);
	if (err)
		return err;
	err = seal_locked(mm, addr, end);
	mm_write_unlock(mm);
	return err;
}
