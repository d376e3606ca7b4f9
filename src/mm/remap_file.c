/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * remap_file_pages(), as Linux has it since nonlinear mappings are gone: the range is mapped again
 * with other pages of the same file, as mmap(MAP_SHARED | MAP_FIXED | MAP_POPULATE) does.
 */
#include "mm/mm.h"

/* Is all of [start, end) of the same file, with the same flags, and no hole in it? */
static bool is_uniform(const struct mm_struct *mm, const struct vm_area_struct *vma,
		       unsigned long end)
	__must_hold_shared(vma_stable)
{
	const struct vm_area_struct *next = vma;

	while (next->vm_end < end) {
		next = vma_at(mm, next->vm_end);
		if (!next || next->vm_file != vma->vm_file || next->vm_flags != vma->vm_flags)
			return false;
	}
	return true;
}

static unsigned long prot_of_flags(vm_flags_t flags)
{
	return (flags & VM_READ ? PROT_READ : 0) | (flags & VM_WRITE ? PROT_WRITE : 0) |
	       (flags & VM_EXEC ? PROT_EXEC : 0);
}

static long remap_locked(struct mm_struct *mm, unsigned long start, unsigned long size,
			 unsigned long pgoff, unsigned long map_flags, bool *populate)
	__must_hold(vma_stable) __may_sleep
{
	struct vm_area_struct *vma = vma_at(mm, start);
	struct file *file;
	long ret;

	if (!vma || !(vma->vm_flags & VM_SHARED) || !is_uniform(mm, vma, start + size))
		return -EINVAL;
	if (vma->vm_flags & VM_LOCKED)
		map_flags |= MAP_LOCKED;
	/* The area may go, and its reference with it. */
	file = file_get(vma->vm_file);
	ret = mm_mmap_locked(mm, start, size, prot_of_flags(vma->vm_flags), map_flags, 0, file,
			     pgoff);
	file_put(file);
	*populate = mm_wants_populate(mm, map_flags);
	return ret;
}

long mm_remap_file_pages(struct mm_user *user, unsigned long addr, unsigned long size,
			 unsigned long prot, unsigned long pgoff, unsigned long flags)
{
	witness_call();
	struct mm_struct *mm = mm_of(user);
	unsigned int nr_tries = 0;
	bool populate = false;
	long ret;

	if (prot)
		return -EINVAL;
	addr = PAGE_ALIGN_DOWN(addr);
	size = PAGE_ALIGN_DOWN(size);
	if (addr + size <= addr || pgoff + (size >> PAGE_SHIFT) < pgoff)
		return -EINVAL;
	flags = (flags & MAP_NONBLOCK) | MAP_SHARED | MAP_FIXED | MAP_POPULATE;
	do {
		ret = mm_write_lock_killable(mm);
		if (ret)
			return ret;
		ret = remap_locked(mm, addr, size, pgoff, flags, &populate);
		mm_write_unlock(mm);
	} while (mm_call_again(mm->instance, &ret, &nr_tries));
	if (ret < 0)
		return ret;
	if (populate)
		mm_populate(mm, addr, size);
	return 0;
}
