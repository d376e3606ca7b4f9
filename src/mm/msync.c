/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * msync() and mincore().  No page of a bookkeeping mm is in core.
 *
 * MS_SYNC writes back without a lock of the mm, area by area, and looks for the next area anew: a
 * map that others change meanwhile is synced as it is met.  MS_ASYNC starts nothing, as on Linux:
 * what is dirty is known anyway.
 */
#include <vmarea/file.h>

#include "base/atomic.h"
#include "mm/mm.h"

/* What a driver with ops of its own has mapped has no way to be written back; all others do. */
static bool can_sync(const struct vm_area_struct *vma)
{
	return vma->vm_ops == &file_vm_ops ||
	       (file_flags(vma->vm_file) & (FILE_SHMEM | FILE_HUGETLB));
}

struct sync {
	unsigned long start, end;		/* of what is left */
	int flags;				/* MS_* */
	bool hole;				/* there was one */
	struct file *file;			/* a reference: to be synced next, or NULL */
	u64 first, last;			/* bytes of it */
};

/*
 * Goes to the next area that has something to be written back, or the end.  Holes are passed over
 * and remembered, but for MS_ASYNC alone: that does nothing at all, and so ends at the first.
 */
static int next_to_sync(const struct mm_struct *mm, struct sync *s)
	__must_hold_shared(vma_stable)
{
	while (s->start < s->end) {
		const struct vm_area_struct *vma = vma_in(mm, s->start, s->end);

		if (!vma)
			return -ENOMEM;
		if (s->start < vma->vm_start) {
			s->hole = true;
			if (s->flags == MS_ASYNC)
				return -ENOMEM;
			s->start = vma->vm_start;
		}
		if ((s->flags & MS_INVALIDATE) && (vma->vm_flags & VM_LOCKED))
			return -EBUSY;
		if ((s->flags & MS_SYNC) && vma->vm_file && (vma->vm_flags & VM_SHARED)) {
			if (!can_sync(vma))
				return -EINVAL;
			s->file = file_get(vma->vm_file);
			s->first = (u64)vma_pgoff_at(vma, s->start) << PAGE_SHIFT;
			s->last = s->first + (min(s->end, vma->vm_end) - s->start);
		}
		s->start = vma->vm_end;
		if (s->file)
			break;
	}
	return 0;
}

static int sync_range(struct mm_struct *mm, struct sync *s) __must_not_hold(vma_stable) __may_sleep
{
	int err;

	do {
		mm_read_lock(mm);
		s->file = NULL;
		err = next_to_sync(mm, s);
		mm_read_unlock(mm);
		if (s->file) {
			err = file_sync(s->file, s->first, s->last);
			file_put(s->file);
		}
	} while (!err && s->start < s->end);
	return err;
}

long mm_msync(struct mm_user *user, unsigned long addr, unsigned long len, int flags)
{
	witness_call();
	struct mm_struct *mm = mm_of(user);
	unsigned long end = addr + page_align(len);
	struct sync sync = { .start = addr, .end = end, .flags = flags };
	int err;

	if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) || !page_aligned(addr) ||
	    ((flags & MS_ASYNC) && (flags & MS_SYNC)))
		return -EINVAL;
	if (end < addr)
		return -ENOMEM;
	if (end == addr)
		return 0;
	err = sync_range(mm, &sync);
	return !err && sync.hole ? -ENOMEM : err;
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
