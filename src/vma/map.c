/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The areas of an mm, kept in its range tree.
 *
 * A tree entry is [vm_start, vm_end) -> VMA with vm_flags as its tag.  The VMA and its entry are
 * always changed together, here.  Changes go to the writer's version of the tree, which
 * mm_write_unlock() publishes.
 *
 * Reserve first: map_reserve() puts VMAs on mm->spare and nodes into the tree's pool, so that
 * nothing after it can fail for want of memory.  What is left over serves the next call, as far as
 * it is not much.
 */
#include "pgtable/pgtable.h"
#include "port/port.h"
#include "vma/instance.h"
#include "vma/lock.h"
#include "vma/map.h"
#include "vma/rmap_place.h"

static struct vm_area_struct *entry_vma(bool found, const struct rt_entry *entry)
{
	return found ? entry->item : NULL;
}

struct vm_area_struct *vma_at(const struct mm_struct *mm, unsigned long addr)
{
	struct rt_entry entry;

	return entry_vma(rt_find(&mm->areas, addr, &entry), &entry);
}

struct vm_area_struct *vma_first(const struct mm_struct *mm, unsigned long addr)
{
	struct rt_entry entry;

	return entry_vma(rt_find_first(&mm->areas, addr, &entry), &entry);
}

struct vm_area_struct *vma_before(const struct mm_struct *mm, unsigned long addr)
{
	struct rt_entry entry;

	return entry_vma(rt_find_prev(&mm->areas, addr, &entry), &entry);
}

unsigned long vma_count(const struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct vm_area_struct *vma = vma_in(mm, start, end);
	unsigned long nr = 0;

	for (; vma && vma->vm_start < end; vma = vma_after(vma))
		nr++;
	return nr;
}

int map_reserve(struct mm_struct *mm, unsigned long nr_new, unsigned long nr_touched)
{
	might_sleep();
	mm_assert_write_locked(mm);
	if (port_fail_site())
		return -ENOMEM;
	while (mm->nr_spare < nr_new) {
		struct vm_area_struct *vma = vma_pool_alloc(mm->instance);

		if (!vma)
			return -ENOMEM;
		vma_set_next(vma, &mm->mmap_lock, mm->spare);
		mm_set(mm, spare, vma);
		mm_add(mm, nr_spare, 1);
	}
	return rt_reserve(&mm->areas, nr_touched, nr_new);
}

/* Two splits at most, and the neighbours on both sides may be grown or joined. */
int map_reserve_range(struct mm_struct *mm, unsigned long start, unsigned long end,
		      unsigned long nr_new)
{
	return map_reserve(mm, nr_new + 2, vma_count(mm, start, end) + 4);
}

static struct vm_area_struct *spare_pop(struct mm_struct *mm)
	__must_hold(vma_stable)
{
	struct vm_area_struct *vma = mm->spare;

	VM_BUG_ON(!vma, "a VMA beyond what map_reserve() was asked for");
	mm_set(mm, spare, vma->next_free);
	mm_sub(mm, nr_spare, 1);
	return vma;
}

void map_unreserve(struct mm_struct *mm, unsigned int keep)
{
	while (mm->nr_spare > keep)
		vma_pool_free(mm->instance, spare_pop(mm));
	rt_unreserve(&mm->areas);
}

struct vm_area_struct *vma_new(struct mm_struct *mm)
{
	struct vm_area_struct *vma = spare_pop(mm);

	/* A late reader may look at the two words behind it: those stay as detaching left them. */
	__builtin_memset(vma, 0, offsetof(struct vm_area_struct, vm_lock_seq));
	vma_set_next(vma, &mm->mmap_lock, NULL);
	vma_init(vma, vm_mm, mm);
	return vma;
}

void vma_discard(struct vm_area_struct *vma)
{
	struct mm_struct *mm = vma->vm_mm;

	/* Dropped with those that a write section removes: file_put() may not be called here. */
	vma_attach(vma);
	vma_set_next(vma, &mm->mmap_lock, mm->dead);
	mm_set(mm, dead, vma);
}

void map_insert(struct vm_area_struct *vma)
{
	struct mm_struct *mm = vma->vm_mm;

	mm_assert_write_locked(mm);
	vma_attach(vma);
	rt_insert(&mm->areas, vma->vm_start, vma->vm_end, vma, vma->vm_flags);
	mm_add(mm, map_count, 1);
	rmap_hold_begin(mm, vma->vm_file, vma->anon);
	rmap_show(vma);
	rmap_hold_end(mm);
}

static void bury(struct vm_area_struct *vma)
	__must_hold(vma_stable) __may_sleep
{
	struct mm_struct *mm = vma->vm_mm;

	vma_lock_write(vma);
	rmap_hold_begin(mm, vma->vm_file, vma->anon);
	rmap_hide(vma);
	rmap_hold_end(mm);
	vma_set_next(vma, &mm->mmap_lock, mm->dead);
	mm_set(mm, dead, vma);
	mm_sub(mm, map_count, 1);
}

void map_remove(struct vm_area_struct *vma)
{
	rt_erase(&vma->vm_mm->areas, vma->vm_start);
	bury(vma);
}

void map_remove_range(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct vm_area_struct *vma = vma_in(mm, start, end);
	struct vm_area_struct *next;

	for (; vma && vma->vm_start < end; vma = next) {
		VM_DEBUG_ON(vma->vm_start < start || vma->vm_end > end);
		next = vma_after(vma);
		bury(vma);
	}
	rt_erase_range(&mm->areas, start, end);
}

/* No leaf of 2 MiB lies across a bound. */
static void split_leaf(const struct vm_area_struct *vma, unsigned long addr)
	__must_hold(vma_stable)
{
	if (vma->vm_mm->pgt && addr > vma->vm_start && addr < vma->vm_end &&
	    !IS_ALIGNED(addr, PMD_SIZE))
		pt_split(vma->vm_mm->pgt, addr);
}

void map_resize(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	struct mm_struct *mm = vma->vm_mm;

	vma_lock_write(vma);
	split_leaf(vma, start);
	split_leaf(vma, end);
	rt_update(&mm->areas, vma->vm_start, start, end, vma, vma->vm_flags);
	rmap_hold_begin(mm, vma->vm_file, vma->anon);
	rmap_hide(vma);
	vma_set(vma, vm_start, start);
	vma_set(vma, vm_end, end);
	rmap_show(vma);
	rmap_hold_end(mm);
}

void map_set_flags(struct vm_area_struct *vma, vm_flags_t flags)
{
	if (flags == vma->vm_flags)
		return;
	vma_lock_write(vma);
	/* Who has found a page of it by a reverse map looks whether it is locked. */
	vma_set_relaxed(vma, vm_flags, flags);
	rt_update(&vma->vm_mm->areas, vma->vm_start, vma->vm_start, vma->vm_end, vma, flags);
}
