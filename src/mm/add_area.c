/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * An area put in as it is: a program's image, or a map that was read elsewhere.
 *
 * It is taken at its word.  No limit is asked, nothing merges, no hook is called; but it counts in
 * every total, so that what follows is judged rightly.
 */
#include "base/atomic.h"
#include "mm/mm.h"

struct flag_rule {
	vm_flags_t has;			/* an area with all of these */
	vm_flags_t needs;		/* has all of these, */
	vm_flags_t excludes;		/* and none of these */
	const char *text;
};

static const struct flag_rule flag_rules[] = {
	{ VM_PFNMAP, 0, VM_MIXEDMAP, "VM_PFNMAP and VM_MIXEDMAP" },
	{ VM_READ, VM_MAYREAD, 0, "VM_READ without VM_MAYREAD" },
	{ VM_WRITE, VM_MAYWRITE, 0, "VM_WRITE without VM_MAYWRITE" },
	{ VM_EXEC, VM_MAYEXEC, 0, "VM_EXEC without VM_MAYEXEC" },
	{ VM_SHARED, VM_MAYSHARE, 0, "VM_SHARED without VM_MAYSHARE" },
	{ VM_LOCKONFAULT, VM_LOCKED, 0, "VM_LOCKONFAULT without VM_LOCKED" },
	{ VM_ACCOUNT, 0, VM_SHARED, "VM_ACCOUNT and VM_SHARED" },
	{ VM_ACCOUNT, 0, VM_NORESERVE, "VM_ACCOUNT and VM_NORESERVE" },
	{ VM_SEQ_READ, 0, VM_RAND_READ, "VM_SEQ_READ and VM_RAND_READ" },
	{ VM_HUGEPAGE, 0, VM_NOHUGEPAGE, "VM_HUGEPAGE and VM_NOHUGEPAGE" },
	{ VM_DROPPABLE, VM_NORESERVE, VM_MAYSHARE, "VM_DROPPABLE, shared or to be promised" },
};

const char *mm_flags_conflict(vm_flags_t flags)
{
	for (size_t i = 0; i < ARRAY_SIZE(flag_rules); i++) {
		const struct flag_rule *rule = &flag_rules[i];

		if ((flags & rule->has) == rule->has &&
		    ((flags & rule->needs) != rule->needs || (flags & rule->excludes)))
			return rule->text;
	}
	return NULL;
}

static bool is_sane(const struct mm_struct *mm, const struct area_desc *area)
	__must_hold_shared(vma_stable)
{
	if (!page_aligned(area->start) || !page_aligned(area->end) || area->start >= area->end ||
	    area->end > mm->task_size)
		return false;
	if (mm_flags_conflict(area->flags))
		return false;
	/* What is shared is a file's, and has no copies of pages. */
	if ((area->flags & VM_MAYSHARE) && (!area->file || area->touched))
		return false;
	/* Huge pages are what their file says. */
	if ((area->flags & VM_HUGETLB) &&
	    !(area->file && (file_flags(area->file) & FILE_HUGETLB)))
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

int mm_add_area(struct mm_user *user, const struct area_desc *area)
{
	witness_call();
	struct mm_struct *mm = mm_of(user);
	int err = mm_write_lock_killable(mm);

	if (err)
		return err;
	if (!is_sane(mm, area))
		err = -EINVAL;
	else if (vma_in(mm, area->start, area->end))
		err = -EEXIST;
	if (!err)
		err = map_reserve(mm, 1, 2);
	if (!err && area->touched)
		err = anon_reserve(mm, 1);
	if (!err)
		insert(mm, area);
	anon_unreserve(mm);
	mm_write_unlock(mm);
	return err;
}
