/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The walker over an instance: do its mms, its files and its own counts agree?
 *
 * They change without a common lock, each by atomic operations of its own, so they agree only while
 * nobody calls anything: the caller sees to that, and what runs in the background is waited for.
 *
 *	I13	Each mm on the rolls is of this instance.  One with users keeps I1 to I12; one
 *		without has neither areas nor spare VMAs.
 *	I14	A file has a reference for each area that maps it, of whatever mm.
 *	I15	What is promised is what areas with VM_ACCOUNT and shared anonymous objects were.
 *	I16	Huge pages are free, or kept for an area, or kept for a file.
 *	I17	Each VMA of a slab is an area, spare, or in the pool, and is in one of these once:
 *		as many are attached as there are areas, as many are not as the lists have.
 *	I18	nr_objects counts the mms and files on the rolls, and pages.
 *	I19	The locks of the pool and of the rolls can be had.
 *	I20	The pages of a file are where it says, and keep the invariants of filemap.c.
 *		(I21 is an area's: validate.c.)
 *	I23	A slot of a swap area has as many users as entries and files name it: see
 *		swap/swap.c.
 *	I22	An inode's tree of areas has those that were seen, and no more.
 */
#include <vmarea/debug.h>

#include "base/atomic.h"
#include "file/swapped.h"
#include "mm/lifetime.h"
#include "port/port.h"
#include "report/walk.h"
#include "swap/swap.h"
#include "vma/handle.h"
#include "vma/instance.h"

struct instance_check {
	struct vmarea *instance;
	struct text *why;
	struct walk_totals totals;
	unsigned long nr_mms, nr_files;
};

static int wrong(struct instance_check *c, const char *what)
{
	text_str(c->why, what);
	return -EINVAL;
}

/* ------------------------------------------------------------------ mms */

/* I13, no users. */
static int check_dead_mm(struct instance_check *c, const struct mm_struct *mm)
	__context_unsafe("nobody uses it")
{
	if (rt_count(&mm->areas) || mm->map_count)
		return wrong(c, "no user, and areas");
	if (mm->spare || mm->nr_spare || mm->dead || mm->spare_anon)
		return wrong(c, "no user, and spare VMAs");
	return 0;
}

/* I23 */
static int see_entry(void *arg, unsigned long addr, unsigned int level, pte_t e)
{
	const struct pgtable *pt = arg;

	if (pte_soft_type(pt->format, e) == PT_SOFT_SWAP)
		swap_see(pt->swap, pte_soft_number(e));
	return 0;
}

static int check_mm(struct instance_check *c, struct mm_struct *mm) __may_sleep
{
	struct mm_user *user;
	int err;

	text_str(c->why, "mm ");
	text_dec(c->why, c->nr_mms++);
	text_str(c->why, ": ");
	if (mm->instance != c->instance)
		return wrong(c, "of another instance");
	user = mmget_not_zero(mm);
	if (!user)
		return check_dead_mm(c, mm);
	err = walk_mm(mm, c->why, &c->totals);
	if (!err && mm_has_pages(mm))
		pt_walk(mm->pgt, 0, pt_limit(mm->pgt), see_entry, mm->pgt);
	mmput(user);
	return err;
}

static int check_roll_of_mms(struct instance_check *c, struct instance_roll *roll) __may_sleep
{
	struct mm_struct *mm = NULL;
	int err = 0;

	while ((mm = mm_next_on_roll(roll, mm))) {
		err = check_mm(c, mm);
		if (err) {
			mmdrop(mm);
			return err;
		}
		*c->why = text_in(c->why->buf, c->why->bytes);
	}
	return 0;
}

static int check_mms(struct instance_check *c) __may_sleep
{
	int err = 0;

	for (unsigned int i = 0; !err && i < INSTANCE_ROLLS; i++)
		err = check_roll_of_mms(c, &c->instance->rolls[i]);
	return err;
}

/* I23: each inode once, however often it is open. */
static void see_slots_of_files(struct instance_roll *roll)
{
	struct file *file;

	spin_lock(&roll->lock);
	list_for_each_entry(file, &roll->files, on_roll.link) {
		if (!file->mapping->slots_seen)
			filemap_see_slots(file->mapping);
		file->mapping->slots_seen = true;
	}
	spin_unlock(&roll->lock);
}

/* I23.  What was seen is forgotten, after a violation too. */
static int check_swap(struct instance_check *c, int err)
{
	const char *what;

	for (unsigned int i = 0; i < INSTANCE_ROLLS; i++)
		see_slots_of_files(&c->instance->rolls[i]);
	if (!c->instance->swap || swap_check(c->instance->swap, &what) || err)
		return err;
	text_str(c->why, "swap: ");
	return wrong(c, what);
}

/* ---------------------------------------------------------------- files */

struct file_totals {
	unsigned long nr_committed;
	long nr_huge[2];
};

static void name_file(struct instance_check *c, const struct file *file)
{
	text_str(c->why, "file ");
	text_str(c->why, file->name);
	text_str(c->why, ": ");
}

/* I14, I20 */
static int check_file(struct instance_check *c, struct file *file)
{
	unsigned long refs = atomic_load_relaxed(&file->refs), seen = file->nr_areas_seen;
	char why[64];

	if (file->instance != c->instance)
		return wrong(c, "a file of another instance");
	name_file(c, file);
	if (!filemap_check(file->mapping, why, sizeof(why)))
		return wrong(c, why);
	/* I22; without frames there is no such tree. */
	if (c->instance->arena && file->mapping->i_mmap.nr != file->mapping->nr_areas_seen)
		return walk_wrong_count(c->why, "areas that map it", file->mapping->i_mmap.nr,
					file->mapping->nr_areas_seen);
	if (refs >= seen && refs) {
		*c->why = text_in(c->why->buf, c->why->bytes);
		return 0;
	}
	return walk_wrong_count(c->why, "references", refs, seen);
}

/* Each forgets the areas it was seen in, after a violation too. */
static int check_roll_of_files(struct instance_check *c, struct instance_roll *roll, int err,
			       struct file_totals *totals)
{
	struct file *file;

	spin_lock(&roll->lock);
	list_for_each_entry(file, &roll->files, on_roll.link) {
		if (!err)
			err = check_file(c, file);
		file->nr_areas_seen = 0;
		totals->nr_committed += shared_anon_committed(file);
		totals->nr_huge[file->huge_shift == HUGE_SHIFT_1G] +=
			(long)atomic_load_relaxed(&file->reserved);
		c->nr_files++;
	}
	spin_unlock(&roll->lock);
	return err;
}

/* After all files were looked at: several may have one inode. */
static void forget_inodes(struct instance_roll *roll)
{
	struct file *file;

	spin_lock(&roll->lock);
	list_for_each_entry(file, &roll->files, on_roll.link) {
		file->mapping->nr_areas_seen = 0;
		file->mapping->slots_seen = false;
	}
	spin_unlock(&roll->lock);
}

static int check_files(struct instance_check *c, int err, struct file_totals *totals)
{
	*totals = (struct file_totals){ 0 };
	for (unsigned int i = 0; i < INSTANCE_ROLLS; i++)
		err = check_roll_of_files(c, &c->instance->rolls[i], err, totals);
	for (unsigned int i = 0; i < INSTANCE_ROLLS; i++)
		forget_inodes(&c->instance->rolls[i]);
	return err;
}

/* --------------------------------------------------------------- counts */

/* I15, I16, I18 */
static int check_counts(struct instance_check *c, const struct file_totals *files)
{
	struct vmarea *instance = c->instance;
	unsigned long promised = c->totals.nr_accounted + files->nr_committed;
	unsigned long nr_objects = atomic_load_relaxed(&instance->nr_objects);

	if (vmarea_committed_pages(instance) != promised)
		return walk_wrong_count(c->why, "committed", vmarea_committed_pages(instance),
					promised);
	for (int i = 0; i < 2; i++) {
		long free = nr_huge_pages(&instance->config, i) - c->totals.nr_huge[i] -
			    files->nr_huge[i];

		if (atomic_load_relaxed(&instance->huge_free[i]) != free)
			return walk_wrong_count(c->why, i ? "huge_free[1]" : "huge_free[0]",
				(unsigned long)atomic_load_relaxed(&instance->huge_free[i]),
				(unsigned long)free);
	}
	if (nr_objects < c->nr_mms + c->nr_files)
		return walk_wrong_count(c->why, "nr_objects", nr_objects,
					c->nr_mms + c->nr_files);
	return 0;
}

/* I17.  The pool's lock is held: many a thread waits if there are many VMAs, but none calls. */
static int check_vmas(struct instance_check *c)
	__must_hold(&c->instance->pool_lock)
{
	unsigned long nr_attached = 0, nr_detached = 0, nr_free = c->totals.nr_spares;

	for (const struct vma_slab *slab = c->instance->slabs; slab; slab = slab->next)
		for (int i = 0; i < SLAB_VMAS; i++) {
			bool attached = atomic_load_relaxed(&slab->vma[i].vm_refcnt);

			nr_attached += attached;
			nr_detached += !attached;
		}
	for (const struct vm_area_struct *vma = c->instance->pool; vma; vma = vma->next_free) {
		if (atomic_load_relaxed(&vma->vm_refcnt))
			return wrong(c, "an attached VMA is in the pool");
		/* A ring would have no end. */
		if (++nr_free > nr_detached)
			break;
	}
	if (nr_attached != c->totals.nr_areas)
		return walk_wrong_count(c->why, "attached VMAs", nr_attached, c->totals.nr_areas);
	if (nr_free != nr_detached)
		return walk_wrong_count(c->why, "VMAs in the pool or spare", nr_free, nr_detached);
	return 0;
}

int vmarea_validate(struct vmarea *instance, char *why, size_t why_bytes)
{
	witness_call();
	struct text text = text_in(why, why_bytes);
	struct instance_check c = { .instance = instance, .why = &text };
	struct file_totals files;
	int err;

	port_work_flush();
	/* I19 */
	for (unsigned int i = 0; i < INSTANCE_ROLLS; i++)
		if (!walk_can_lock(&instance->rolls[i].lock))
			return wrong(&c, "the lock of a roll is held");
	if (!walk_can_lock(&instance->pool_lock))
		return wrong(&c, "the pool's lock is held");
	err = check_files(&c, check_swap(&c, check_mms(&c)), &files);
	if (!err)
		err = check_counts(&c, &files);
	if (err)
		return err;
	spin_lock(&c.instance->pool_lock);
	err = check_vmas(&c);
	spin_unlock(&c.instance->pool_lock);
	return err;
}
