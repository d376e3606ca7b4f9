/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The heap: brk() moves its end.
 *
 *	start_data   end_data     start_brk            brk
 *	|------------|            |--------------------|xxxxxx|  page  | next area
 *	 counts with the heap                           grown    free
 *	 towards RLIMIT_DATA
 *
 * The break is a byte, the area ends at the page above it.  Between the heap and the next area one
 * page stays free, and before a stack its guard gap.  The pages are ordinary private anonymous
 * memory: they join the area below if that is alike and belongs to the heap, and an ordinary
 * mapping right above the break may join them.
 *
 * brk() has no error: it returns the break, which is the old one if it could not be moved.
 */
#include "base/atomic.h"
#include "mm/mm.h"

static bool fits_data_limit(const struct mm_struct *mm, unsigned long brk)
	__must_hold_shared(vma_stable)
{
	unsigned long limit = mm_rlimit(mm, MM_RLIMIT_DATA);

	return limit == MM_RLIM_INFINITY ||
	       (brk - mm->start_brk) + (mm->end_data - mm->start_data) <= limit;
}

/* What brk() asks before anything is looked at in the tree's neighbourhood. */
static bool may_grow(const struct mm_struct *mm, unsigned long start, unsigned long end)
	__must_hold_shared(vma_stable)
{
	const struct vm_area_struct *next;

	if (mm_place(mm, NULL, start, end - start, 0, MAP_FIXED) < 0 ||
	    !mm_may_lock(mm, mm->def_flags, end - start))
		return false;
	next = vma_first(mm, start);
	return !next || end + PAGE_SIZE <= vma_start_with_gap(next);
}

static vm_flags_t heap_flags(const struct mm_struct *mm)
	__must_hold_shared(vma_stable)
{
	vm_flags_t flags = VM_READ | VM_WRITE | VM_MAY_FLAGS | VM_ACCOUNT | mm->def_flags;

	if (atomic_load_relaxed(&mm->personality) & MM_PERS_READ_IMPLIES_EXEC)
		flags |= VM_EXEC;
	if (mm->memory_merge)
		flags |= VM_MERGEABLE;
	return flags;
}

/* Grows the area below, if it is the heap's, or makes one.  The reserve is made. */
static void add_pages(struct mm_struct *mm, unsigned long start, unsigned long end,
		      vm_flags_t flags)
	__must_hold(vma_stable) __may_sleep
{
	const struct vm_area_struct *below = vma_before(mm, start);
	const struct vma_proposal proposal = {
		.mm = mm, .start = start, .end = end, .flags = flags,
	};
	struct vm_area_struct *vma = NULL;

	/* The program's own data may end where the heap begins: it stays an area of its own. */
	if (below && below->vm_end == start && start > mm->start_brk)
		vma = vma_merge_new(&proposal);
	if (!vma) {
		vma = vma_new(mm);
		vma_init(vma, vm_start, start);
		vma_init(vma, vm_end, end);
		vma_init(vma, vm_flags, flags);
		map_insert(vma);
	}
	if (has_feature(mm->instance, VMAREA_FEATURE_SOFT_DIRTY))
		map_set_flags(vma, vma->vm_flags | VM_SOFTDIRTY);
}

static bool grow(struct mm_struct *mm, unsigned long start, unsigned long end)
	__must_hold(vma_stable) __may_sleep
{
	unsigned long nr_pages = (end - start) >> PAGE_SHIFT;
	vm_flags_t flags = heap_flags(mm);

	if (!may_grow(mm, start, end) || !mm_may_expand(mm, flags, nr_pages) ||
	    mm->map_count > mm->instance->config.max_map_count ||
	    map_reserve_range(mm, start, end, 1) || mm_commit(mm, nr_pages))
		return false;
	add_pages(mm, start, end, flags);
	mm_account(mm, flags, (long)nr_pages);
	if (flags & VM_LOCKED)
		mm_add(mm, locked_vm, nr_pages);
	return true;
}

static bool shrink(struct mm_struct *mm, unsigned long start, unsigned long end)
	__must_hold(vma_stable) __may_sleep
{
	return vma_in(mm, start, end) && !map_reserve_range(mm, start, end, 0) &&
	       !mm_unmap_locked(mm, start, end);
}

/* Moves the break, or leaves all as it is: -errno.  *grown: bytes added above the old end. */
static int move_break(struct mm_struct *mm, unsigned long brk, unsigned long *grown)
	__must_hold(vma_stable) __may_sleep
{
	unsigned long old_end = page_align(mm->brk);
	unsigned long new_end = page_align(brk);
	int err = 0;

	/* The last page's bytes would round up to an end of 0. */
	if (brk < mm->start_brk || brk > mm->task_size || !fits_data_limit(mm, brk))
		return -ENOMEM;
	if (brk > mm->brk && new_end != old_end) {
		if (mm->def_flags & VM_LOCKED)
			err = anon_reserve(mm, 1);
		if (err)
			return err;
		if (!grow(mm, old_end, new_end)) {
			anon_unreserve(mm);
			return -ENOMEM;
		}
		*grown = new_end - old_end;
	} else if (new_end != old_end && !shrink(mm, new_end, old_end)) {
		return -ENOMEM;
	}
	mm_set_relaxed(mm, brk, brk);	/* mm_query() names [heap] by it */
	return 0;
}

unsigned long mm_brk(struct mm_user *user, unsigned long brk)
{
	witness_call();
	struct mm_struct *mm = mm_of(user);
	unsigned long start, now, grown = 0;
	unsigned int nr_tries = 0;
	bool locked;
	long ret;

	do {
		mm_write_lock(mm);
		start = page_align(mm->brk);
		ret = move_break(mm, brk, &grown);
		now = mm->brk;
		locked = mm->def_flags & VM_LOCKED;
		mm_write_unlock(mm);
	} while (mm_call_again(mm->instance, &ret, &nr_tries));
	if (grown && locked)
		mm_populate(mm, start, grown);
	return now;
}
