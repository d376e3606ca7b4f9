/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * munmap(), and the removal of areas that others need.
 *
 *	AAAAAAAA  BBBB CCCCCCCC		the range is cut out in two steps:
 *	    ^------------^
 *	AAAAaaaa  BBBB cccCCCCC		1. what lies across its ends is split, seals are looked at
 *	AAAA              CCCCC		2. what lies inside goes
 *
 * All that can be refused is refused in step 1; as in Linux a split made by then stays.
 */
#include "mm/mm.h"
#include "vma/handle.h"

static bool is_sealed(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	return vma->vm_flags & VM_SEALED;
}

/* The split at the lower end.  The area limit may be passed by one, to help to free memory. */
static int cut_start(struct vm_area_struct *vma, unsigned long start, unsigned long end)
	__must_hold(vma_stable) __may_sleep
{
	struct mm_struct *mm = vma->vm_mm;

	if (start <= vma->vm_start)
		return 0;
	if (end < vma->vm_end && mm->map_count >= mm->instance->config.max_map_count)
		return -ENOMEM;
	if (is_sealed(vma))
		return -EPERM;
	return vma_split_unlimited(vma, start, SPLIT_KEEP_HIGH);
}

int mm_cut_locked(struct mm_struct *mm, unsigned long start, unsigned long end,
		  struct unmap_totals *totals)
{
	struct vm_area_struct *vma = vma_in(mm, start, end);
	int err;

	*totals = (struct unmap_totals){ 0 };
	if (!vma)
		return 0;
	err = cut_start(vma, start, end);
	if (err)
		return err;
	for (; vma && vma->vm_start < end; vma = vma_after(vma)) {
		if (is_sealed(vma))
			return -EPERM;
		if (vma->vm_end > end) {
			err = vma_split_unlimited(vma, end, SPLIT_KEEP_LOW);
			if (err)
				return err;
		}
		totals->nr_pages += vma_pages(vma);
		if (vma->vm_flags & VM_ACCOUNT)
			totals->nr_accounted += vma_pages(vma);
	}
	return 0;
}

void mm_forget_area(struct mm_struct *mm, const struct vm_area_struct *vma)
{
	unsigned long nr_pages = vma_pages(vma);

	mm_account(mm, vma->vm_flags, -(long)nr_pages);
	if (vma->vm_flags & VM_LOCKED)
		mm_sub(mm, locked_vm, nr_pages);
	if (vma->vm_flags & VM_HUGETLB)
		hugetlb_forget(vma);
}

void mm_drop_cut_locked(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct vm_area_struct *vma = vma_in(mm, start, end);

	if (!vma)
		return;
	for (; vma && vma->vm_start < end; vma = vma_after(vma)) {
		/* Its readers leave, and its pages go, before the driver hears that it ends. */
		vma_lock_write(vma);
		pages_zap(mm, vma->vm_start, vma->vm_end, ZAP_ALL);
		user_area_leaves(vma, vma->vm_start, vma->vm_end);
		mm_forget_area(mm, vma);
		vma_ops_close(vma);
	}
	map_remove_range(mm, start, end);
	pages_free_tables(mm, start, end);
}

int mm_unmap_locked(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct unmap_totals totals;
	int err = mm_cut_locked(mm, start, end, &totals);

	if (err)
		return err;
	mm_drop_cut_locked(mm, start, end);
	mm_uncommit(mm, totals.nr_accounted);
	return 0;
}

/* munmap()'s argument checks and the above: @len in bytes, as the program gave it. */
static int munmap_locked(struct mm_struct *mm, unsigned long start, unsigned long len)
	__must_hold(vma_stable) __may_sleep
{
	unsigned long end;
	int err;

	if (!page_aligned(start) || start > mm->task_size || len > mm->task_size - start)
		return -EINVAL;
	end = start + page_align(len);
	if (end == start)
		return -EINVAL;
	err = map_reserve_range(mm, start, end, 0);
	return err ? err : mm_unmap_locked(mm, start, end);
}

long mm_munmap(struct mm_user *user, unsigned long addr, unsigned long len)
{
	witness_call();
	struct mm_struct *mm = mm_of(user);
	int err = mm_write_lock_killable(mm);

	if (err)
		return err;
	err = munmap_locked(mm, addr, len);
	mm_write_unlock(mm);
	return err;
}
