/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The walker: is an mm what it must be between two write sections?
 *
 * It holds the mmap lock for write, so no call is half done.  Readers of VMA locks and pins come
 * and go beside it; what they may change is not believed to stand still.
 *
 *	I1	the tree is sound by its own rules, and all of it is published
 *	I2	an entry says what its VMA says: bounds, flags, mm
 *	I3	bounds are page-aligned and not empty, and no two areas overlap
 *	I4	a VMA is attached, and neither write-locked nor waited for by a writer
 *	I5	flags that exclude each other are not both set, and those that need another have it
 *	I6	total_vm, data_vm, exec_vm, stack_vm and locked_vm are sums over the areas, and
 *		map_count is their number
 *	I7	an area with anonymous memory is private, and its chain is sound
 *	I8	the list of spare VMAs is as long as it says, all of them detached; none is dead
 *	I9	somebody uses the mm
 */
#include <vmarea/debug.h>

#include "base/str.h"
#include "mm/mm.h"
#include "vma/handle.h"

struct check {
	struct mm_struct *mm;
	struct text why;
	struct mm_struct sums;		/* only the totals are used */
	unsigned long end;		/* of the area before */
	unsigned long nr;
};

/* Says what is wrong at @addr; returns -EINVAL, for brevity's sake. */
static int wrong(struct check *c, unsigned long addr, const char *what)
{
	text_str(&c->why, "area at 0x");
	text_hex(&c->why, addr);
	text_str(&c->why, ": ");
	text_str(&c->why, what);
	return -EINVAL;
}

static int wrong_count(struct check *c, const char *what, unsigned long is, unsigned long should_be)
{
	text_str(&c->why, what);
	text_str(&c->why, " is ");
	text_dec(&c->why, is);
	text_str(&c->why, ", should be ");
	text_dec(&c->why, should_be);
	return -EINVAL;
}

/* ----------------------------------------------------------------- flags */

/* I5 */
static int check_flags(struct check *c, const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	const char *conflict = mm_flags_conflict(vma->vm_flags);

	return conflict ? wrong(c, vma->vm_start, conflict) : 0;
}

/* ------------------------------------------------------------- one area */

/* I2, I3 */
static int check_entry(struct check *c, const struct rt_entry *entry)
	__must_hold_shared(vma_stable)
{
	const struct vm_area_struct *vma = entry->item;

	if (!vma)
		return wrong(c, entry->start, "no VMA");
	if (vma->vm_start != entry->start || vma->vm_end != entry->end)
		return wrong(c, entry->start, "the VMA has other bounds than its entry");
	if (vma->vm_flags != entry->tag)
		return wrong(c, entry->start, "the VMA has other flags than its entry");
	if (vma->vm_mm != c->mm)
		return wrong(c, entry->start, "the VMA is of another mm");
	if (!page_aligned(entry->start) || !page_aligned(entry->end))
		return wrong(c, entry->start, "bounds are not page-aligned");
	if (entry->start >= entry->end)
		return wrong(c, entry->start, "empty");
	if (entry->start < c->end)
		return wrong(c, entry->start, "overlaps the one before");
	return 0;
}

/* I4.  More than 1: readers and pins, which may come at any time. */
static int check_lock(struct check *c, const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	u32 refcnt = atomic_load_relaxed(&vma->vm_refcnt);

	if (!(refcnt & ~VMA_WRITER))
		return wrong(c, vma->vm_start, "detached");
	if (refcnt & VMA_WRITER)
		return wrong(c, vma->vm_start, "a writer waits, and has not got the mmap lock");
	if (atomic_load_relaxed(&vma->vm_lock_seq) == atomic_load_relaxed(&c->mm->mm_lock_seq))
		return wrong(c, vma->vm_start, "write-locked before anyone locked it");
	return 0;
}

/* I7 */
static int check_anon(struct check *c, const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	if (!vma->anon)
		return 0;
	if (vma->vm_flags & VM_MAYSHARE)
		return wrong(c, vma->vm_start, "shared, and has anonymous memory");
	if (!anon_chain_sound(vma->anon))
		return wrong(c, vma->vm_start, "its anon_vmas do not add up");
	return 0;
}

static int check_area(struct check *c, const struct rt_entry *entry)
	__must_hold(vma_stable)
{
	const struct vm_area_struct *vma = entry->item;
	int err = check_entry(c, entry);

	if (!err)
		err = check_lock(c, vma);
	if (!err)
		err = check_flags(c, vma);
	if (!err)
		err = check_anon(c, vma);
	if (err)
		return err;
	mm_account(&c->sums, vma->vm_flags, (long)vma_pages(vma));
	if (vma->vm_flags & VM_LOCKED)
		mm_add(&c->sums, locked_vm, vma_pages(vma));
	c->end = vma->vm_end;
	c->nr++;
	return 0;
}

/* -------------------------------------------------------------- the mm */

/* I1 to I5, I7 */
static int check_areas(struct check *c)
	__must_hold(vma_stable)
{
	struct rt_entry entry;
	struct rt_iter it;
	int err = rt_check(&c->mm->areas, c->why.buf, c->why.bytes);

	if (err)
		return err;
	if (rt_working(&c->mm->areas).root != c->mm->areas.root)
		return wrong(c, 0, "not all changes of an earlier write section are published");
	rt_iter_init(&it, rt_working(&c->mm->areas), 0);
	while (!err && rt_iter_next(&it, &entry))
		err = check_area(c, &entry);
	return err;
}

/* I6 */
static int check_totals(struct check *c)
	__must_hold_shared(vma_stable)
{
	const struct mm_struct *mm = c->mm, *sums = &c->sums;

	if (mm->map_count != c->nr)
		return wrong_count(c, "map_count", mm->map_count, c->nr);
	if (mm->total_vm != sums->total_vm)
		return wrong_count(c, "total_vm", mm->total_vm, sums->total_vm);
	if (mm->data_vm != sums->data_vm)
		return wrong_count(c, "data_vm", mm->data_vm, sums->data_vm);
	if (mm->exec_vm != sums->exec_vm)
		return wrong_count(c, "exec_vm", mm->exec_vm, sums->exec_vm);
	if (mm->stack_vm != sums->stack_vm)
		return wrong_count(c, "stack_vm", mm->stack_vm, sums->stack_vm);
	if (mm->locked_vm != sums->locked_vm + mm->locked_stray)
		return wrong_count(c, "locked_vm", mm->locked_vm,
				   sums->locked_vm + mm->locked_stray);
	return 0;
}

/* I8, I9 */
static int check_lists(struct check *c)
	__must_hold_shared(vma_stable)
{
	const struct mm_struct *mm = c->mm;
	unsigned long nr = 0;

	for (const struct vm_area_struct *vma = mm->spare; vma; vma = vma->next_free) {
		if (atomic_load_relaxed(&vma->vm_refcnt))
			return wrong(c, vma->vm_start, "spare, and attached");
		if (++nr > mm->nr_spare)
			break;
	}
	if (nr != mm->nr_spare)
		return wrong_count(c, "nr_spare", mm->nr_spare, nr);
	if (mm->dead)
		return wrong(c, mm->dead->vm_start, "removed, and waits for a section's end");
	if (!atomic_load_relaxed(&mm->mm_users))
		return wrong_count(c, "mm_users", 0, 1);
	if (!atomic_load_relaxed(&mm->mm_count))
		return wrong_count(c, "mm_count", 0, 1);
	return 0;
}

int mm_validate(struct mm_user *user, char *why, size_t why_bytes)
{
	witness_call();
	struct check c = { .mm = mm_from_user(user), .why = text_in(why, why_bytes) };
	int err;

	mm_make_private(&c.sums);
	mm_write_lock(c.mm);
	err = check_areas(&c);
	if (!err)
		err = check_totals(&c);
	if (!err)
		err = check_lists(&c);
	mm_write_unlock(c.mm);
	return err;
}
