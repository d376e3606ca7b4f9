/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * fork() and exec(): an mm that is like another, and an mm that begins anew.
 *
 * fork() copies the areas one by one and in order, and joins none:
 *
 *	VM_DONTCOPY		not in the child
 *	VM_WIPEONFORK		in the child as if never touched
 *	VM_LOCKED, LOCKONFAULT	dropped in the child, and mlockall(MCL_FUTURE) with them
 *	VM_ACCOUNT		promised again, area by area: -ENOMEM if one is refused
 *	VM_UFFD_*		dropped: the child's faults are its own
 *	touched			the child's area has the parent's anon_vmas and one of its own, and
 *				its pages by copy-on-write (fault/pages_fork.c)
 *
 * It has two steps.  The first copies, and may fail: no hook has been called then, and what there
 * is of the child is thrown away; for want of a frame it begins anew (retry.c).  The second calls
 * the open() hooks, and cannot fail.  The parent's mmap write lock is held all the time, and with
 * it the child's, which nobody else knows: an order that needs no rule but "parent first".
 *
 * The parent's areas are write-locked: who reads one under its VMA lock is waited for, so that for
 * drivers the moment of the copy is one without readers.
 */
#include "mm/lifetime.h"
#include "mm/mm.h"
#include "vma/handle.h"

static int copy_area(struct mm_struct *child, struct vm_area_struct *vma)
	__must_hold(vma_stable) __may_sleep
{
	struct vm_area_struct *copy;
	int err = map_reserve(child, 1, 0);

	if (err)
		return err;
	/* Against the parent's limits, as in Linux: the child is nobody yet. */
	if (vma->vm_flags & VM_ACCOUNT) {
		err = mm_commit(vma->vm_mm, vma_pages(vma));
		if (err)
			return err;
	}
	copy = vma_copy(child, vma);
	vma_init(copy, vm_start, vma->vm_start);
	vma_init(copy, vm_end, vma->vm_end);
	vma_init(copy, vm_flags, copy->vm_flags & ~(VM_LOCKED_MASK | VM_UFFD_MASK));
	vma_init(copy, user_faults, NULL);
	/* What is kept of the huge page pool is kept for the parent (shared_anon.c). */
	if ((vma->vm_flags & (VM_HUGETLB | VM_MAYSHARE)) == VM_HUGETLB)
		vma_init(copy, vm_private_data, NULL);
	if (!(vma->vm_flags & VM_WIPEONFORK))
		err = anon_fork(copy, vma);
	if (err) {
		if (vma->vm_flags & VM_ACCOUNT)
			mm_uncommit(child, vma_pages(vma));
		vma_discard(copy);
		return err;
	}
	mm_account(child, copy->vm_flags, (long)vma_pages(vma));
	map_insert(copy);
	return pages_fork(copy, vma);
}

static int copy_areas(struct mm_struct *child, struct mm_struct *mm)
	__must_hold(vma_stable) __may_sleep
{
	struct rt_entry entry;
	struct rt_iter it;

	rt_iter_init(&it, rt_working(&mm->areas), 0);
	while (rt_iter_next(&it, &entry)) {
		struct vm_area_struct *vma = entry.item;
		int err;

		vma_lock_write(vma);
		if (vma->vm_flags & VM_DONTCOPY)
			continue;
		err = copy_area(child, vma);
		if (err)
			return err;
	}
	return 0;
}

static void open_areas(struct mm_struct *child)
	__must_hold(vma_stable) __may_sleep
{
	struct rt_entry entry;
	struct rt_iter it;

	rt_iter_init(&it, rt_working(&child->areas), 0);
	while (rt_iter_next(&it, &entry))
		vma_ops_open(entry.item);
}

/* Layout, limits and rights: all but areas, totals, and what was locked for the future. */
static void copy_settings(struct mm_struct *child, const struct mm_struct *mm)
	__must_hold(vma_stable)
{
	mm_set(child, def_flags, mm->def_flags & ~VM_LOCKED_MASK);
	mm_set(child, task_size, mm->task_size);
	mm_set(child, mmap_base, mm->mmap_base);
	mm_set(child, mmap_legacy_base, mm->mmap_legacy_base);
	mm_set(child, bottom_up, mm->bottom_up);
	mm_set(child, thp_disable, mm->thp_disable);
	mm_set(child, memory_merge, mm->memory_merge);
	mm_set(child, start_code, mm->start_code);
	mm_set(child, end_code, mm->end_code);
	mm_set(child, start_data, mm->start_data);
	mm_set(child, end_data, mm->end_data);
	mm_set(child, start_brk, mm->start_brk);
	mm_set(child, brk, mm->brk);
	mm_set(child, start_stack, mm->start_stack);
	for (int i = 0; i < MM_NR_RLIMITS; i++)
		child->rlimit[i] = mm_rlimit(mm, i);
	child->caps = atomic_load_relaxed(&mm->caps);
	child->personality = atomic_load_relaxed(&mm->personality);
}

/* Two locks of one rank: the parent's first, and the child's is not contended. */
static void lock_child(struct mm_struct *child)
	__must_hold(vma_stable) __may_sleep __context_unsafe("the token is the parent's already")
{
	rwsem_write_lock_nested(&child->mmap_lock, 1);
	mm_write_begin(child);
}

static void unlock_child(struct mm_struct *child)
	__must_hold(vma_stable) __may_sleep __context_unsafe("the token is the parent's")
{
	mm_write_unlock(child);
}

static int fork_once(struct mm_struct *mm, struct mm_struct **out)
	__must_not_hold(vma_stable) __may_sleep
{
	struct mm_struct *child;
	int err = mm_alloc(mm->instance, pages_shape_of(mm), &child);

	if (err)
		return err;
	err = mm_write_lock_killable(mm);
	if (err) {
		mm_discard(child);
		return err;
	}
	lock_child(child);
	copy_settings(child, mm);
	err = copy_areas(child, mm);
	if (!err)
		open_areas(child);
	unlock_child(child);
	mm_write_unlock(mm);
	if (err) {
		mm_discard(child);
		return err;
	}
	*out = child;
	return 0;
}

int mm_fork(struct mm_user *user, struct mm_user **out)
{
	witness_call();
	struct mm_struct *mm = mm_of(user), *child = NULL;
	unsigned int nr_tries = 0;
	long ret;

	do
		ret = fork_once(mm, &child);
	while (mm_call_again(mm->instance, &ret, &nr_tries));
	if (ret)
		return (int)ret;
	mm_publish(child);
	*out = handle_user(child);
	return 0;
}

/* ----------------------------------------------------------------- exec -- */

int mm_exec(struct mm_user *user, const struct mm_config *config)
{
	witness_call();
	struct mm_struct *mm = mm_of(user);
	struct pages_shape shape = pages_shape_of(mm), asked = pages_shape_in(config);
	unsigned long nr_accounted;
	int err;

	if (!mm_layout_valid(mm->instance, shape, config))
		return -EINVAL;
	if (mm_has_pages(mm) && ((asked.levels && asked.levels != shape.levels) ||
				 (asked.format && asked.format != shape.format)))
		return -EINVAL;
	err = mm_write_lock_killable(mm);
	if (err)
		return err;
	/* All of a range counts as two entries, however many it has. */
	err = map_reserve(mm, 0, 2);
	if (!err) {
		/* Seals do not outlive the program that made them. */
		nr_accounted = mm_count_committed(mm);
		mm_drop_cut_locked(mm, 0, ~0ul);
		mm_uncommit(mm, nr_accounted);
		mm_set(mm, def_flags, mm->def_flags & ~VM_LOCKED_MASK);
		mm_set(mm, locked_vm, 0);
		mm_set(mm, locked_stray, 0);
		mm_set_layout(mm, config);
	}
	mm_write_unlock(mm);
	return err;
}
