/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The walker: is an mm what it must be between two write sections?
 *
 * It holds the mmap lock for write, so no call is half done.  Readers of VMA locks and pins come
 * and go beside it; what they may change is not believed to stand still.
 *
 * The tree
 *	I1	It is sound by its own rules (ds/range_tree.c: order, levels, keys, gaps, counts,
 *		and where each node is), and all of it is published.  There are no parent pointers:
 *		a node may belong to several versions.
 *	I2	An entry says what its VMA says: bounds, flags, mm.
 *	I3	Bounds are page-aligned and not above task_size.  (I1 has that no area is empty and
 *		no two overlap.)
 * An area
 *	I4	It is attached, and neither write-locked nor waited for by a writer.  The number it
 *		was last write-locked with is odd, as those of write sections are.
 *	I5	Flags that exclude each other are not both set, and those that need another have it
 *		(vma/rules.c).
 *	I7	If it has anonymous memory it is private (or may have guards, which such a machine
 *		remembers so: madvise.c), and its chain is sound.  A chain counts the areas that
 *		have it.  Chains that are laid in belong to nobody.
 *	I10	What it maps: nothing, something special, or a file that is alive and of the same
 *		instance; offsets do not wrap.  It is anonymous only without a file, or with
 *		/dev/zero.  Its pages are huge if the file's are, and then all of them whole.
 *	I21	With pages, it is in the tree of what it maps and in those of its anon_vmas, by its
 *		bounds; without, in none.
 * The mm
 *	I6	total_vm, data_vm, exec_vm, stack_vm and locked_vm are sums over the areas, and
 *		map_count is their number.
 *	I8	The list of spare VMAs is as long as it says, all of them detached; none is dead.
 *	I9	Somebody uses it.
 *	I11	Its locks: nobody is inside the mmap lock but the walker, and mm_lock_seq is odd
 *		while it is; the others can be had.  Who waits killably is on the list of those who
 *		do, and has been told if the mm was killed.
 *	I12	Its layout: what begins ends later, and below task_size.
 *
 * Those of an instance, from I13 on, are in validate_instance.c; those of its pages, P1 to P6, in
 * validate_pages.c.
 *
 * No violation: two neighbours that the rules of merging would join.  As on Linux they may stand
 * side by side after fork(), which drops VM_LOCKED and merges nothing; after a call that stopped
 * half way, or could not have all three of a row; and after mm_set_memory_merge().
 * mm_count_unmerged() counts them.
 *
 * Cost: a walk over the tree, of the areas another two, and one over the page table.  Nothing is
 * allocated.
 */
#include <vmarea/debug.h>

#include "file/filemap.h"
#include "report/walk.h"
#include "vma/handle.h"
#include "vma/rmap_place.h"
#include "vma/rules.h"

/* Some tenths of a second, in which any holder is given a CPU. */
#define LOCK_TRIES	100000

struct check {
	struct mm_struct *mm;
	struct text *why;
	struct mm_struct sums;		/* only the totals are used */
	struct walk_totals own;
	bool count_files;
};

/* Says what is wrong at @addr; returns -EINVAL, for brevity's sake. */
static int wrong(struct check *c, unsigned long addr, const char *what)
{
	text_str(c->why, "area at 0x");
	text_hex(c->why, addr);
	text_str(c->why, ": ");
	text_str(c->why, what);
	return -EINVAL;
}

/* The same for something that is in no place. */
static int wrong_mm(struct check *c, const char *what)
{
	text_str(c->why, what);
	return -EINVAL;
}

int walk_wrong_count(struct text *why, const char *what, unsigned long is, unsigned long should_be)
{
	text_str(why, what);
	text_str(why, " is ");
	text_dec(why, is);
	text_str(why, ", should be ");
	text_dec(why, should_be);
	return -EINVAL;
}

static int wrong_count(struct check *c, const char *what, unsigned long is, unsigned long should_be)
{
	return walk_wrong_count(c->why, what, is, should_be);
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
	if (entry->end > c->mm->task_size)
		return wrong(c, entry->start, "ends above task_size");
	return 0;
}

/* I4.  More than 1: readers and pins, which may come at any time. */
static int check_lock(struct check *c, const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	u32 refcnt = atomic_load_relaxed(&vma->vm_refcnt);
	u32 seq = atomic_load_relaxed(&vma->vm_lock_seq);

	if (!(refcnt & ~VMA_WRITER))
		return wrong(c, vma->vm_start, "detached");
	if (refcnt & VMA_WRITER)
		return wrong(c, vma->vm_start, "a writer waits, and has not got the mmap lock");
	if (seq == atomic_load_relaxed(&c->mm->mm_lock_seq))
		return wrong(c, vma->vm_start, "write-locked before anyone locked it");
	if (seq && !(seq & 1))
		return wrong(c, vma->vm_start, "was write-locked outside a write section");
	return 0;
}

/* I5 */
static int check_flags(struct check *c, const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	const char *what = vma_flags_wrong(vma->vm_flags);

	if (!!(vma->vm_flags & VM_UFFD_MASK) != !!vma->user_faults)
		return wrong(c, vma->vm_start, "registered for user faults, and with nobody");
	return what ? wrong(c, vma->vm_start, what) : 0;
}

/* I7, but for the number of areas: that is known at the end. */
static int check_anon(struct check *c, const struct vm_area_struct *vma)
	__must_hold(vma_stable)
{
	if (!vma->anon)
		return 0;
	anon_chain_see(vma->anon);
	if ((vma->vm_flags & VM_MAYSHARE) &&
	    has_feature(c->mm->instance, VMAREA_FEATURE_GUARD_FLAG))
		return wrong(c, vma->vm_start, "shared, and has anonymous memory");
	if (!anon_chain_sound(vma->anon))
		return wrong(c, vma->vm_start, "its anon_vmas do not add up");
	return 0;
}

/* I10, where there is a file. */
static int check_file(struct check *c, const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	const struct file *file = vma->vm_file;
	u32 flags = file_flags(file);

	if (!atomic_load_relaxed(&file->refs))
		return wrong(c, vma->vm_start, "its file is gone");
	if (file->instance != c->mm->instance)
		return wrong(c, vma->vm_start, "its file is of another instance");
	if (vma->special)
		return wrong(c, vma->vm_start, "special, and has a file");
	if (vma_is_anonymous(vma) && !(flags & FILE_DEV_ZERO))
		return wrong(c, vma->vm_start, "anonymous, and has a file");
	if (!!(flags & FILE_HUGETLB) != !!(vma->vm_flags & VM_HUGETLB))
		return wrong(c, vma->vm_start, "VM_HUGETLB is not what its file says");
	if ((flags & FILE_HUGETLB) &&
	    (!IS_ALIGNED(vma->vm_start | vma->vm_end, BIT(file->huge_shift)) ||
	     !IS_ALIGNED(vma->vm_pgdelta, BIT(file->huge_shift - PAGE_SHIFT))))
		return wrong(c, vma->vm_start, "a part of a huge page");
	return 0;
}

/* I10 */
static int check_object(struct check *c, const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	unsigned long first = vma_pgoff_at(vma, vma->vm_start);

	if (first + vma_pages(vma) < first)
		return wrong(c, vma->vm_start, "its file offsets wrap");
	if (vma->vm_file)
		return check_file(c, vma);
	if (!!vma->special == vma_is_anonymous(vma))
		return wrong(c, vma->vm_start, "neither anonymous nor of something");
	if (vma->vm_flags & VM_HUGETLB)
		return wrong(c, vma->vm_start, "VM_HUGETLB without a file");
	return 0;
}

static void add_area(struct check *c, const struct vm_area_struct *vma)
	__must_hold(vma_stable)
{
	unsigned long nr_pages = vma_pages(vma);

	mm_account(&c->sums, vma->vm_flags, (long)nr_pages);
	if (vma->vm_flags & VM_LOCKED)
		mm_add(&c->sums, locked_vm, nr_pages);
	if (vma->vm_flags & VM_ACCOUNT)
		c->own.nr_accounted += nr_pages;
	if (vma->vm_flags & VM_HUGETLB)
		c->own.nr_huge[vma->vm_file->huge_shift == HUGE_SHIFT_1G] += hugetlb_kept(vma);
	if (c->count_files && vma->vm_file) {
		vma->vm_file->nr_areas_seen++;
		vma->vm_file->mapping->nr_areas_seen++;
	}
	c->own.nr_areas++;
}

static int check_area(struct check *c, const struct rt_entry *entry)
	__must_hold(vma_stable) __may_sleep
{
	struct vm_area_struct *vma = entry->item;
	int err = check_entry(c, entry);

	if (!err)
		err = check_lock(c, vma);
	if (!err)
		err = check_flags(c, vma);
	if (!err)
		err = check_anon(c, vma);
	if (!err)
		err = check_object(c, vma);
	if (!err && !rmap_is_shown(vma))
		err = wrong(c, vma->vm_start, "cannot be found from its pages");
	if (!err)
		add_area(c, vma);
	return err;
}

/* -------------------------------------------------------------- the mm */

/* I7: no one else takes from the list, as the mmap lock is held for write. */
static int check_spare_chains(struct check *c)
	__must_hold(vma_stable)
{
	struct anon_chain *chain = c->mm->spare_anon;

	for (; chain; chain = anon_chain_next_spare(chain))
		if (!anon_chain_fresh(chain))
			return wrong_mm(c, "an anon chain is laid in, and somebody has it");
	return 0;
}

/* I7: goes on after a violation, because the chains have to forget what they have seen. */
static int check_chains(struct check *c, int err)
	__must_hold(vma_stable)
{
	struct rt_entry entry;
	struct rt_iter it;

	rt_iter_init(&it, rt_working(&c->mm->areas), 0);
	while (rt_iter_next(&it, &entry)) {
		const struct vm_area_struct *vma = entry.item;
		u32 seen = vma && vma->anon ? anon_chain_take_seen(vma->anon) : 0;

		if (!err && seen && seen != anon_chain_areas(vma->anon))
			err = wrong_count(c, "areas of an anon chain", anon_chain_areas(vma->anon),
					  seen);
	}
	return err;
}

/* I1: behind what is in c->why already. */
static int check_tree(struct check *c)
{
	struct text *why = c->why;
	int err = rt_check(&c->mm->areas, why->buf + why->len, why->bytes - why->len);

	why->len += str_len(why->buf + why->len);
	return err;
}

/* I1 to I5, I7, I10 */
static int check_areas(struct check *c)
	__must_hold(vma_stable) __may_sleep
{
	const struct range_tree *areas = &c->mm->areas;
	struct rt_entry entry;
	struct rt_iter it;
	int err = check_tree(c);

	if (err)
		return err;
	if (areas->fresh || areas->retired.first || rt_working(areas).root != areas->root)
		return wrong_mm(c, "changes of an earlier write section are not published");
	rt_iter_init(&it, rt_working(areas), 0);
	while (!err && rt_iter_next(&it, &entry))
		err = check_area(c, &entry);
	if (!err)
		err = check_spare_chains(c);
	return check_chains(c, err);
}

/* I6 */
static int check_totals(struct check *c)
	__must_hold_shared(vma_stable)
{
	const struct mm_struct *mm = c->mm, *sums = &c->sums;

	if (mm->map_count != c->own.nr_areas)
		return wrong_count(c, "map_count", mm->map_count, c->own.nr_areas);
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
	__must_hold(vma_stable)
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
	c->own.nr_spares = nr;
	if (mm->dead)
		return wrong(c, mm->dead->vm_start, "removed, and waits for a section's end");
	if (!atomic_load_relaxed(&mm->mm_users))
		return wrong_count(c, "mm_users", 0, 1);
	if (!atomic_load_relaxed(&mm->mm_count))
		return wrong_count(c, "mm_count", 0, 1);
	return 0;
}

bool walk_can_lock(struct spinlock *lock)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (spin_trylock(lock)) {
			spin_unlock(lock);
			return true;
		}
		port_yield();
	}
	return false;
}

/* The ring of those who wait killably.  Its lock is held. */
static const char *kill_group_wrong(const struct kill_group *group)
	__must_hold(&group->lock)
{
	const struct list_head *link = &group->waiting;

	do {
		if (link->next->prev != link)
			return "who waits killably is lost";
		link = link->next;
		if (link != &group->waiting && group->fired &&
		    !kill_switch_fired(&list_entry(link, struct kill_waiter, link)->kill))
			return "killed, and a waiter was not told";
	} while (link != &group->waiting);
	return NULL;
}

/* I11 */
static int check_locks(struct check *c)
	__must_hold(vma_stable)
{
	struct mm_struct *mm = c->mm;
	const char *what;
	u64 state;

	if (!(atomic_load_relaxed(&mm->mm_lock_seq) & 1))
		return wrong_count(c, "mm_lock_seq in a write section",
				   atomic_load_relaxed(&mm->mm_lock_seq),
				   atomic_load_relaxed(&mm->mm_lock_seq) | 1);
	if (!walk_can_lock(&mm->page_table_lock))
		return wrong_mm(c, "page_table_lock is held");
	if (!walk_can_lock(&mm->kill.lock))
		return wrong_mm(c, "the lock of those who wait killably is held");
	spin_lock(&mm->kill.lock);
	what = kill_group_wrong(&mm->kill);
	spin_unlock(&mm->kill.lock);
	if (what)
		return wrong_mm(c, what);
	state = atomic_load_relaxed(&mm->mmap_lock.state);
	if (!(state & RWSEM_WRITER) || (state & RWSEM_IN_MASK))
		return wrong_mm(c, "mmap_lock: somebody is inside beside a writer");
	return 0;
}

static bool is_range(unsigned long start, unsigned long end, unsigned long limit)
{
	return start <= end && end <= limit;
}

/* I12 */
static int check_layout(struct check *c)
	__must_hold_shared(vma_stable)
{
	const struct mm_struct *mm = c->mm;

	if (!page_aligned(mm->task_size | mm->mmap_base | mm->mmap_legacy_base) ||
	    mm->mmap_base > mm->task_size || mm->mmap_legacy_base > mm->task_size)
		return wrong_mm(c, "mmap_base: not a page below task_size");
	if (!is_range(mm->start_code, mm->end_code, mm->task_size))
		return wrong_mm(c, "code: no range below task_size");
	if (!is_range(mm->start_data, mm->end_data, mm->task_size))
		return wrong_mm(c, "data: no range below task_size");
	if (!is_range(mm->start_brk, mm->brk, mm->task_size))
		return wrong_mm(c, "brk: no range below task_size");
	if (mm->start_stack > mm->task_size)
		return wrong_mm(c, "start_stack is above task_size");
	return 0;
}

static void add_totals(struct walk_totals *totals, const struct walk_totals *own)
{
	totals->nr_areas += own->nr_areas;
	totals->nr_spares += own->nr_spares;
	totals->nr_accounted += own->nr_accounted;
	totals->nr_huge[0] += own->nr_huge[0];
	totals->nr_huge[1] += own->nr_huge[1];
}

int walk_mm(struct mm_struct *mm, struct text *why, struct walk_totals *totals)
{
	struct check c = { .mm = mm, .why = why, .count_files = totals };
	int err;

	mm_make_private(&c.sums);
	mm_write_lock(mm);
	err = check_locks(&c);
	if (!err)
		err = check_areas(&c);
	if (!err)
		err = check_totals(&c);
	if (!err)
		err = check_lists(&c);
	if (!err)
		err = check_layout(&c);
	if (!err)
		err = walk_pages(mm, totals ? WALK_ALONE : WALK_BESIDE_OTHERS, why);
	mm_write_unlock(mm);
	if (totals)
		add_totals(totals, &c.own);
	return err;
}

int mm_validate(struct mm_user *user, char *why, size_t why_bytes)
{
	witness_call();
	struct text text = text_in(why, why_bytes);

	return walk_mm(mm_from_user(user), &text, NULL);
}

/* ------------------------------------------------------------- unmerged */

unsigned long mm_count_unmerged(struct mm_user *user, unsigned long *first)
{
	witness_call();
	struct mm_struct *mm = mm_from_user(user);
	struct vm_area_struct *low, *high;
	unsigned long nr = 0;

	mm_read_lock(mm);
	for (low = vma_first(mm, 0); low; low = high) {
		high = vma_after(low);
		if (high && vma_could_merge(low, high) && !nr++ && first)
			*first = high->vm_start;
	}
	mm_read_unlock(mm);
	return nr;
}
