/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The advices that go over a range page by page, and let go of the mmap lock where they have to
 * wait: madvise.c has what they are for.
 */
#include "fault/swap.h"
#include "file/filemap.h"
#include "mm/advise.h"

/* Pages of f->vma up to @end.  0: f->addr is where it got, look the area up again. */
static int advance(struct fault *f, unsigned long end)
	__must_hold_shared(vma_stable) __may_sleep
{
	enum mm_fault fault = fault_populate(f, min(f->vma->vm_end, end));

	return fault == FAULT_RETRY ? 0 : fault_errno(fault);
}

/* Are the bytes of the page lost?  Linux tells that from other bus errors here alone. */
static bool is_lost(const struct fault *f)
	__must_hold_shared(vma_stable)
{
	struct pgtable *pt = f->mm->pgt;
	unsigned int level;

	return mm_has_pages(f->mm) &&
	       pte_soft_type(pt->format, pt_look(pt, f->addr, &level)) == PT_SOFT_POISON;
}

/*
 * Ends at the first page that cannot be had: -ENOMEM in a hole, -EINVAL if the area does not allow
 * the access, -EFAULT beyond the end of a file, -EHWPOISON if its bytes are lost, -EINTR if nobody
 * answers before mm_kill().  Guard gaps of stacks are holes: nothing grows.
 */
int mm_advise_touch(struct mm_struct *mm, unsigned long start, unsigned long end,
		    enum mm_access access)
{
	vm_flags_t right = access == MM_ACCESS_WRITE ? VM_WRITE : VM_READ;
	struct fault f = { .mm = mm, .addr = start, .access = access, .how = FAULT_POPULATE };
	int err = 0;

	while (!err && f.addr < end) {
		f.vma = vma_at(mm, f.addr);
		if (!f.vma)
			err = -ENOMEM;
		else if ((f.vma->vm_flags & (VM_IO | VM_PFNMAP)) || !(f.vma->vm_flags & right))
			err = -EINVAL;
		else
			err = advance(&f, end);
	}
	if (err == -EFAULT && is_lost(&f))
		err = -EHWPOISON;
	fault_forget(&f);
	return err;
}

/* Area by area, as mm_advise_range(); others may change the map while the lock is let go of. */
int mm_advise_read(struct mm_struct *mm, unsigned long start, unsigned long end)
	__context_unsafe("lets go of the lock in between")
{
	int result = 0;

	while (start < end) {
		const struct vm_area_struct *vma = vma_in(mm, start, end);
		unsigned long first, nr;
		struct file *file;

		if (!vma)
			return -ENOMEM;
		if (start < vma->vm_start) {
			start = vma->vm_start;
			result = -ENOMEM;
		}
		if (!vma->vm_file)
			swap_will_need(vma, start, min(vma->vm_end, end));
		first = vma_pgoff_at(vma, start);
		nr = (min(vma->vm_end, end) - start) >> PAGE_SHIFT;
		start = vma->vm_end;
		file = file_to_read(vma);
		if (!file)
			continue;
		mm_read_unlock(mm);
		filemap_read_in(file, first, first + nr);
		file_put(file);
		mm_read_lock(mm);
	}
	return result;
}

/* Each page is looked up for reading, and given up; the area stays as it is. */
int mm_advise_poison(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct fault f = { .mm = mm, .addr = start, .access = MM_ACCESS_READ };
	int err = 0;

	if (!mm_capable(mm, MM_CAP_SYS_ADMIN))
		return -EPERM;
	while (!err && f.addr < end) {
		f.vma = vma_at(mm, f.addr);
		if (!f.vma || (f.vma->vm_flags & (VM_IO | VM_PFNMAP)) ||
		    !(f.vma->vm_flags & VM_READ))
			err = -EFAULT;
		else
			err = advance(&f, end);
	}
	fault_forget(&f);
	return err;
}
