/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * An area put in as it is: a program's image, or a map that was read elsewhere.
 *
 * It is taken at its word.  No limit is asked, nothing merges, no hook is called; but it counts in
 * every total, so that what follows is judged rightly.
 *
 * What another was promised it cannot break: of a file with F_SEAL_WRITE there is no area that may
 * be stored through (file/seals.c).  With F_SEAL_FUTURE_WRITE there may be one from before.
 */
#include "base/atomic.h"
#include "file/filemap.h"
#include "mm/mm.h"
#include "vma/rules.h"

static bool is_whole(const struct area_desc *area)
{
	unsigned int shift = area->file->huge_shift;

	return IS_ALIGNED(area->start | area->end, BIT(shift)) &&
	       IS_ALIGNED(area->pgoff, BIT(shift - PAGE_SHIFT));
}

/* Pages that a file can have: offsets of their bytes are numbers. */
#define MAX_FILE_PAGES	(1ul << (63 - PAGE_SHIFT))

static bool is_sane(const struct mm_struct *mm, const struct area_desc *area)
	__must_hold_shared(vma_stable)
{
	bool huge = area->file && (file_flags(area->file) & FILE_HUGETLB);
	unsigned long nr_pages = (area->end - area->start) >> PAGE_SHIFT;

	if (!page_aligned(area->start) || !page_aligned(area->end) || area->start >= area->end ||
	    area->end > mm->task_size || area->pgoff + nr_pages < area->pgoff ||
	    (area->file && area->pgoff + nr_pages > MAX_FILE_PAGES))
		return false;
	/* It is registered with nobody yet. */
	if (vma_flags_wrong(area->flags) || (area->flags & VM_UFFD_MASK))
		return false;
	/* What is shared is a file's, and has no copies of pages. */
	if ((area->flags & VM_MAYSHARE) && (!area->file || area->touched))
		return false;
	/* Its pages are frames of the mm's own arena. */
	if (area->file && area->file->instance != mm->instance)
		return false;
	/* Huge pages are what their file says, and whole. */
	if (huge != !!(area->flags & VM_HUGETLB) || (huge && !is_whole(area)))
		return false;
	return !(area->file && area->special);
}

static const struct vm_operations_struct *ops_of(const struct area_desc *area)
{
	if (area->special)
		return &special_vm_ops;
	if (!area->file)
		return NULL;
	if (area->flags & VM_HUGETLB)
		return &hugetlb_vm_ops;
	if ((file_flags(area->file) & FILE_DEV_ZERO) && !(area->flags & VM_SHARED))
		return NULL;
	return &file_vm_ops;
}

static void insert(struct mm_struct *mm, const struct area_desc *area)
	__must_hold(vma_stable) __may_sleep
{
	struct vm_area_struct *vma = vma_new(mm);
	unsigned long nr_pages = (area->end - area->start) >> PAGE_SHIFT;

	vma_init(vma, vm_start, area->start);
	vma_init(vma, vm_end, area->end);
	vma_init(vma, vm_flags, area->flags);
	vma_init(vma, vm_pgdelta, area->pgoff - (area->start >> PAGE_SHIFT));
	vma_init(vma, vm_file, area->file ? file_get(area->file) : NULL);
	vma_init(vma, vm_ops, ops_of(area));
	vma_init(vma, special, area->special);
	map_insert(vma);
	mm_account(mm, area->flags, (long)nr_pages);
	if (area->flags & VM_LOCKED)
		mm_add(mm, locked_vm, nr_pages);
	if (area->flags & VM_ACCOUNT)
		atomic_add_relaxed(&mm->instance->committed, (long)nr_pages);
	/* It was laid in: nothing is allocated. */
	if (area->touched)
		VM_BUG_ON(anon_prepare(vma));
}

static int reserve(struct mm_struct *mm, const struct area_desc *area)
	__must_hold(vma_stable) __may_sleep
{
	int err = map_reserve(mm, 1, 2);

	return !err && area->touched ? anon_reserve(mm, 1) : err;
}

static int add(struct mm_struct *mm, const struct area_desc *area)
	__must_hold(vma_stable) __may_sleep
{
	const vm_flags_t stores = VM_SHARED | VM_MAYWRITE;
	struct address_space *inode = area->file ? area->file->mapping : NULL;
	bool gate = inode && (area->flags & stores) == stores;
	int err;

	if (gate && !filemap_enter_writable(inode))
		return -EPERM;
	err = reserve(mm, area);
	if (!err)
		insert(mm, area);
	if (gate)
		filemap_leave_writable(inode);
	return err;
}

static int add_once(struct mm_struct *mm, const struct area_desc *area)
	__must_not_hold(vma_stable) __may_sleep
{
	int err = mm_write_lock_killable(mm);

	if (err)
		return err;
	if (!is_sane(mm, area))
		err = -EINVAL;
	else if (vma_in(mm, area->start, area->end))
		err = -EEXIST;
	else
		err = add(mm, area);
	anon_unreserve(mm);
	mm_write_unlock(mm);
	return err;
}

int mm_add_area(struct mm_user *user, const struct area_desc *area)
{
	witness_call();
	struct mm_struct *mm = mm_of(user);
	unsigned int nr_tries = 0;
	long ret;

	do
		ret = add_once(mm, area);
	while (mm_call_again(mm->instance, &ret, &nr_tries));
	return (int)ret;
}
