/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * msync() and mincore().  Nothing is written back; and no page of a bookkeeping mm is in core.
 */
#include "base/atomic.h"
#include "mm/mm.h"

/* What a driver with ops of its own has mapped has no way to be written back; all others do. */
static bool can_sync(const struct vm_area_struct *vma)
{
	return vma->vm_ops == &file_vm_ops ||
	       (file_flags(vma->vm_file) & (FILE_SHMEM | FILE_HUGETLB));
}

/*
 * Holes are passed over and make the result -ENOMEM, but for MS_ASYNC alone: that does nothing at
 * all, and so ends at the first.
 */
static int sync_range(const struct mm_struct *mm, unsigned long start, unsigned long end, int flags)
	__must_hold_shared(vma_stable)
{
	int result = 0;

	while (start < end) {
		const struct vm_area_struct *vma = vma_in(mm, start, end);

		if (!vma)
			return -ENOMEM;
		if (start < vma->vm_start) {
			result = -ENOMEM;
			if (flags == MS_ASYNC)
				return result;
		}
		if ((flags & MS_INVALIDATE) && (vma->vm_flags & VM_LOCKED))
			return -EBUSY;
		if ((flags & MS_SYNC) && vma->vm_file && (vma->vm_flags & VM_SHARED) &&
		    !can_sync(vma))
			return -EINVAL;
		start = vma->vm_end;
	}
	return result;
}

long mm_msync(struct mm_user *user, unsigned long addr, unsigned long len, int flags)
{
	witness_call();
	struct mm_struct *mm = mm_of(user);
	unsigned long end = addr + page_align(len);
	int err;

	if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) || !page_aligned(addr) ||
	    ((flags & MS_ASYNC) && (flags & MS_SYNC)))
		return -EINVAL;
	if (end < addr)
		return -ENOMEM;
	if (end == addr)
		return 0;
	mm_read_lock(mm);
	err = sync_range(mm, addr, end, flags);
	mm_read_unlock(mm);
	return err;
}

/*
 * -EINVAL: @addr is not page-aligned.  -ENOMEM: the range leaves the address space, or has a hole;
 * @vec is filled up to the hole.  A NULL @vec is not written to.  (-EFAULT, for a vector that
 * cannot be written to, is the embedder's to find: it is not in this address space.)
 */
long mm_mincore(struct mm_user *user, unsigned long addr, unsigned long len, unsigned char *vec)
{
	witness_call();
	struct mm_struct *mm = mm_of(user);
	unsigned long end, nr_pages;
	int err = 0;

	if (!page_aligned(addr))
		return -EINVAL;
	/* Relaxed: an exec() counts from the next call on. */
	if (check_add_overflow(addr, len, &end) || end > atomic_load_relaxed(&mm->task_size))
		return -ENOMEM;
	nr_pages = DIV_ROUND_UP(len, PAGE_SIZE);
	end = addr + nr_pages * PAGE_SIZE;
	mm_read_lock(mm);
	while (addr < end) {
		const struct vm_area_struct *vma = vma_at(mm, addr);
		unsigned long part;

		if (!vma) {
			err = -ENOMEM;
			break;
		}
		part = (min(vma->vm_end, end) - addr) >> PAGE_SHIFT;
		if (vec) {
			pages_in_core(vma, addr, min(vma->vm_end, end), vec);
			vec += part;
		}
		addr = vma->vm_end;
	}
	mm_read_unlock(mm);
	return err;
}
