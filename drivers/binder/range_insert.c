/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A page range whose senders insert its pages into the receiver's mm.
 *
 *	sender			place lock > mmap lock, or VMA lock > slots lock
 *				VMA looked up, owner checked, vm_insert_page()
 *	scan()			tries place lock, VMA lock or mmap lock, slots lock; zaps
 *
 * A receiver never faults, and finds its message's pages mapped.  Each sender and the scan have to
 * find the mm and the VMA first, and may find neither.
 *
 * Each look at the mm begins with mmget_not_zero(), and ends with mmput_async(): if it has become
 * the last user, the teardown closes the VMA, puts the file, and comes back with
 * binder_range_destroy(), for which a sender is the wrong thread and a shrinker, called with
 * anybody's locks, is not allowed.
 *
 * Why no page can come to a VMA that is not the range's.  The address was remembered, and the
 * process may since have unmapped it, mapped something else there, moved another mapping over it.
 *
 *	1  The VMA is looked up under the lock that the insertion is made under: between the two it
 *	   can neither change nor go.
 *	2  It is looked up in the mm that the range was mapped in.  A fork's copy is in another.
 *	3  It must have our ops and this range as its data (vma_as_owned_mixedmap()): nobody but
 *	   binder_range_mmap() sets the two.  Another range's VMA has other data.
 *	4  Nor is it an old VMA with the address of a new range: a VMA keeps its file, and the file
 *	   keeps the range until release().
 *	5  Within it, address and slot belong together: the range is mapped once in its life, and the
 *	   VMA is not moved (our mremap() hook refuses) nor made longer (MIXEDMAP and DONTEXPAND).
 *	   What is cut off or out of it is no VMA of ours any more, and 3 refuses it there.
 *
 * 3 is the check; the tests build this file once without it, and have to fail.
 *
 * What a receiver can do to itself: MADV_DONTNEED takes its entries away, and what it reads then is
 * SIGBUS until the page has gone and come again; MADV_DOFORK and fork give its child a copy of
 * entries that are there at that moment.
 *
 * Rejected.  A flag that close() clears, instead of 3: it says that our VMA went, which is over when
 * it is read; what has to be known is what is there now.
 */
#include <errno.h>

#include "range_ops.h"

static struct vmarea_lock_class place_class = VMAREA_LOCK_CLASS("binder place lock");

static int refuse_move(struct vma_mut *vma)
{
	return -EINVAL;
}

static const struct vm_operations_struct insert_vm_ops = { .mremap = refuse_move };

/* ----------------------------------------------------------------- the sender's -- */

/* The owner check, 3 of the essay. */
static int insert_checked(struct binder_range *range, struct vma_ref *vma, unsigned long addr,
			  struct page *page) __must_hold_shared(vma_stable) __may_sleep
{
	struct vma_mixedmap *mixed = vma_as_owned_mixedmap(vma, &insert_vm_ops, range);

	if (!mixed)
		return -ESRCH;
	return vm_insert_page(mixed, addr, page);
}

/* Place lock. */
static int insert_in_mm(struct binder_range *range, struct mm_user *mm, unsigned long addr,
			struct page *page) __must_not_hold(vma_stable) __may_sleep
{
	struct vma_ref *vma = lock_vma_under_rcu(mm, addr);
	struct mmap_read *lock;
	int err;

	if (vma) {
		err = insert_checked(range, vma, addr, page);
		vma_end_read(vma);
		return err;
	}
	lock = mmap_read_lock(mm);
	vma = vma_lookup(lock, addr);
	err = vma ? insert_checked(range, vma, addr, page) : -ESRCH;
	mmap_read_unlock(lock);
	return err;
}

static int show_now(struct binder_range *range, unsigned long nr, struct page *page)
	__must_not_hold(vma_stable) __may_sleep;

static int show_now(struct binder_range *range, unsigned long nr, struct page *page)
{
	struct mm_user *mm = mmget_not_zero(range->mm);
	int err;

	if (!mm)
		return -ESRCH;
	err = insert_in_mm(range, mm, range->start + nr * BINDER_PAGE, page);
	mmput_async(mm);
	return err;
}

/* --------------------------------------------------------------- the shrinker's -- */

/* Where there is another VMA now, or none, the entry went with ours. */
static void zap_checked(struct binder_range *range, struct vma_ref *vma, unsigned long addr)
	__must_hold_shared(vma_stable) __may_sleep
{
	if (vma_is_owner(vma, &insert_vm_ops, range))
		zap_vma_range(vma, addr, BINDER_PAGE);
}

/* Place lock, and idle lock, which it lets go of. */
static struct page *take_in_mm(struct binder_pool *pool, struct slot *slot, struct mm_user *mm)
	__must_not_hold(vma_stable) __may_sleep
{
	struct binder_range *range = slot->range;
	unsigned long addr = range->start + slot_nr(slot) * BINDER_PAGE;
	struct vma_ref *vma = lock_vma_under_rcu(mm, addr);
	struct mmap_read *lock;
	struct page *page;

	if (vma) {
		page = slot_take_page(slot);
		binder_unlock(&pool->lock);
		if (page)
			zap_checked(range, vma, addr);
		vma_end_read(vma);
		return page;
	}
	lock = mmap_read_trylock(mm);
	if (!lock) {
		binder_unlock(&pool->lock);
		return NULL;
	}
	page = slot_take_page(slot);
	binder_unlock(&pool->lock);
	vma = page ? vma_lookup(lock, addr) : NULL;
	if (vma)
		zap_checked(range, vma, addr);
	mmap_read_unlock(lock);
	return page;
}

static struct page *take_now(struct binder_pool *pool, struct slot *slot)
	__must_not_hold(vma_stable) __may_sleep;

static struct page *take_now(struct binder_pool *pool, struct slot *slot)
{
	struct mm_user *mm = mmget_not_zero(slot->range->mm);
	struct page *page;

	if (mm) {
		page = take_in_mm(pool, slot, mm);
		mmput_async(mm);
	} else {
		page = slot_take_page(slot);
		binder_unlock(&pool->lock);
	}
	return page;
}

const struct binder_range_ops binder_by_insert = {
	.name = "insert", .vm_ops = &insert_vm_ops, .place_class = &place_class,
	.show = show_now, .take = take_now,
};
