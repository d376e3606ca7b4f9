/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The page range of Binder: its slots, and the pool of pages that nobody uses.
 *
 * Terms.  The *receiver* is the process whose mm has the mapping; it reads.  A *sender* is any other
 * thread; it brings pages and writes to them.  A *slot* is the place of one page of the range.  The
 * *pool* has the pages of all ranges that are there and not used, and a shrinker that frees them.  A
 * *use* is one binder_range_use() without its binder_range_stop().
 *
 *	range  start                                      slot i is at start + i * 4096
 *	       | used | none | idle | none | idle | used |
 *	                        |             |
 *	pool  idle  <-----------+-------------+---------- other ranges'; longest idle first
 *
 *	          use: show            stop
 *	    NONE ------------> USED ---------> IDLE
 *	      ^                     <---------  |
 *	      |                       use       |
 *	      +---------------------------------+	scan(): taken, freed
 *
 *	slot->users > 0			USED; page is NULL while the first user brings it
 *	slot->users == 0, page		IDLE, and in pool->idle
 *	slot->users == 0, no page	NONE
 *
 * How the receiver comes to see a page, and how that is undone, there are two ways (range_ops.h):
 *
 *	range_insert.c	the sender inserts it into the receiver's mm; the scan finds the VMA again
 *	range_fault.c	the receiver's fault finds it in its slot; the scan takes it out of the
 *			file, wherever that is mapped
 *
 * Order of locks.  Whoever waits for one holds none below:
 *
 *	place lock	of a range: what its slots have, and what is shown of that, is being changed
 *	slots lock	of a range, a spinlock to the checker: slot->users, slot->page
 *	idle lock	of the pool, likewise: the list
 *
 * Locks of the receiver's mm come after the place lock in one way, before it in the other; each has
 * a place lock of its own kind.  An mmap() hook comes with the mmap lock and takes the slots lock.
 *
 * The scan comes from the other end: what it finds first is an entry of the list.  As long as it has
 * the idle lock, the slot stays in the list and so the range exists.  Under it, it tries: the place
 * lock, whatever else there is to be had, the slots lock; any that cannot be had at once ends the
 * try, and the slot goes to the end of the list.  Only then does it take the page out of slot and
 * list, and let go of the two spinlocks.  From there on it is the place lock that keeps the range:
 * binder_range_destroy() takes what there is of the range off the list with the place lock held.
 *
 * The place lock also keeps a sender from showing a page where the scan has yet to take the one
 * before out of sight: the slot says NONE already, and the entry is still there.
 *
 * Lifetimes.  The range has the receiver's mm_struct grabbed and no user of it: a range does not
 * keep a dead process's memory.  Nor does it keep the file, which has it: a sender may have the
 * range a little longer, and then nothing shows its pages any more.  A page has one reference of
 * the slot's, and one of each entry's that maps it; so a page that a slot gives up while the mm is
 * torn down stays a page until its entry goes.
 *
 * Rejected.  One lock for slots and entries: the mmap() hook comes with the mmap lock, a sender that
 * inserts has to take it.  Taking out of sight under the list's lock: it sleeps.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "range_ops.h"

/* After an allocation failed: so many pages are asked for, by whom it failed. */
#define SHRINK_PAGES	32ul

static struct vmarea_lock_class slots_class = VMAREA_LOCK_CLASS("binder slots lock");
static struct vmarea_lock_class idle_class = VMAREA_LOCK_CLASS("binder idle lock");

/* ----------------------------------------------------------------------- slots -- */

/* Slots lock. */
static void idle_add(struct slot *slot)
{
	struct binder_pool *pool = slot->range->pool;

	binder_lock(&pool->lock);
	TAILQ_INSERT_TAIL(&pool->idle, slot, idle);
	__atomic_store_n(&pool->nr_idle, pool->nr_idle + 1, __ATOMIC_RELAXED);
	binder_unlock(&pool->lock);
}

/* Slots lock and idle lock. */
static void idle_del_locked(struct slot *slot)
{
	struct binder_pool *pool = slot->range->pool;

	TAILQ_REMOVE(&pool->idle, slot, idle);
	__atomic_store_n(&pool->nr_idle, pool->nr_idle - 1, __ATOMIC_RELAXED);
}

/* Slots lock. */
static void idle_del(struct slot *slot)
{
	struct binder_pool *pool = slot->range->pool;

	binder_lock(&pool->lock);
	idle_del_locked(slot);
	binder_unlock(&pool->lock);
}

/* Slots lock. */
static void slot_put(struct slot *slot)
{
	if (!--slot->users && slot->page)
		idle_add(slot);
}

/* One more user.  True if the page is there. */
static bool slot_get(struct binder_range *range, unsigned long nr)
{
	struct slot *slot = &range->slots[nr];
	bool there;

	binder_lock(&range->lock);
	there = slot->page;
	if (!slot->users++ && there)
		idle_del(slot);
	binder_unlock(&range->lock);
	return there;
}

struct page *slot_page(struct binder_range *range, unsigned long nr)
{
	struct page *page;

	binder_lock(&range->lock);
	page = range->slots[nr].page;
	binder_unlock(&range->lock);
	return page;
}

struct page *slot_take_page(struct slot *slot)
{
	struct binder_range *range = slot->range;
	struct page *page;

	if (!binder_trylock(&range->lock))
		return NULL;
	page = slot->page;
	slot->page = NULL;
	idle_del_locked(slot);
	binder_unlock(&range->lock);
	return page;
}

void slot_put_back_page(struct slot *slot, struct page *page)
{
	struct binder_range *range = slot->range;

	binder_lock(&range->lock);
	slot->page = page;
	/* A new user waits for the place lock, and will find it. */
	if (!slot->users)
		idle_add(slot);
	binder_unlock(&range->lock);
}

static void slot_set_page(struct binder_range *range, unsigned long nr, struct page *page)
{
	binder_lock(&range->lock);
	range->slots[nr].page = page;
	binder_unlock(&range->lock);
}

/* ----------------------------------------------------------------- the sender's -- */

static struct page *new_page(struct vmarea *instance) __must_not_hold(vma_stable) __may_sleep
{
	struct page *page = alloc_page(instance);

	if (page)
		return page;
	return vmarea_shrink(instance, SHRINK_PAGES) ? alloc_page(instance) : NULL;
}

/* The caller is a user of the slot already: what comes stays. */
static int bring_page(struct binder_range *range, unsigned long nr)
	__must_not_hold(vma_stable) __may_sleep
{
	struct page *page = new_page(range->pool->instance);
	int err = 0;

	if (!page)
		return -ENOMEM;
	binder_lock(&range->place_lock);
	/* Another user may have been faster. */
	if (!slot_page(range, nr)) {
		err = range->ops->show(range, nr, page);
		if (!err) {
			slot_set_page(range, nr, page);
			page = NULL;
		}
	}
	binder_unlock(&range->place_lock);
	if (page)
		__free_page(page);
	return err;
}

int binder_range_use(struct binder_range *range, unsigned long first, unsigned long end)
{
	for (unsigned long nr = first; nr < end; nr++) {
		int err = slot_get(range, nr) ? 0 : bring_page(range, nr);

		if (err) {
			binder_range_stop(range, first, nr + 1);
			return err;
		}
	}
	return 0;
}

void binder_range_stop(struct binder_range *range, unsigned long first, unsigned long end)
{
	binder_lock(&range->lock);
	for (unsigned long nr = first; nr < end; nr++)
		slot_put(&range->slots[nr]);
	binder_unlock(&range->lock);
}

/* A used page does not change, so this is about the pointer. */
static unsigned char *byte_at(struct binder_range *range, unsigned long offset)
{
	struct page *page = slot_page(range, offset / BINDER_PAGE);

	return (unsigned char *)page_address(page) + offset % BINDER_PAGE;
}

static size_t in_page(unsigned long offset, size_t bytes)
{
	size_t left = BINDER_PAGE - offset % BINDER_PAGE;

	return bytes < left ? bytes : left;
}

void binder_range_write(struct binder_range *range, unsigned long offset, const void *from,
			size_t bytes)
{
	const unsigned char *at = from;

	while (bytes) {
		size_t nr = in_page(offset, bytes);

		memcpy(byte_at(range, offset), at, nr);
		at += nr;
		offset += nr;
		bytes -= nr;
	}
}

void binder_range_clear(struct binder_range *range, unsigned long offset, size_t bytes)
{
	while (bytes) {
		size_t nr = in_page(offset, bytes);

		memset(byte_at(range, offset), 0, nr);
		offset += nr;
		bytes -= nr;
	}
}

enum binder_page_state binder_range_state(struct binder_range *range, unsigned long nr)
{
	enum binder_page_state state = BINDER_PAGE_NONE;

	binder_lock(&range->lock);
	if (range->slots[nr].users)
		state = BINDER_PAGE_USED;
	else if (range->slots[nr].page)
		state = BINDER_PAGE_IDLE;
	binder_unlock(&range->lock);
	return state;
}

/* ----------------------------------------------------------------- the shrinker's -- */

static struct binder_pool *pool_of(struct shrinker *shrinker)
{
	return (struct binder_pool *)((char *)shrinker - offsetof(struct binder_pool, shrinker));
}

static unsigned long count_idle(struct shrinker *shrinker)
{
	return __atomic_load_n(&pool_of(shrinker)->nr_idle, __ATOMIC_RELAXED);
}

/* Idle lock, which it lets go of.  True if a page was freed. */
static bool reclaim(struct binder_pool *pool, struct slot *slot) __must_not_hold(vma_stable)
	__may_sleep
{
	struct binder_range *range = slot->range;
	struct page *page;

	if (!binder_trylock(&range->place_lock)) {
		binder_unlock(&pool->lock);
		return false;
	}
	page = range->ops->take(pool, slot);
	binder_unlock(&range->place_lock);
	/* The range may be gone from here on. */
	if (page)
		__free_page(page);
	return page;
}

static unsigned long scan_idle(struct shrinker *shrinker, struct shrink_control *sc)
	__must_not_hold(vma_stable) __may_sleep;

static unsigned long scan_idle(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct binder_pool *pool = pool_of(shrinker);
	unsigned long nr, freed = 0;

	for (nr = 0; nr < sc->nr_to_scan; nr++) {
		struct slot *slot;

		binder_lock(&pool->lock);
		slot = TAILQ_FIRST(&pool->idle);
		if (!slot) {
			binder_unlock(&pool->lock);
			break;
		}
		/* What cannot be had is passed over. */
		TAILQ_REMOVE(&pool->idle, slot, idle);
		TAILQ_INSERT_TAIL(&pool->idle, slot, idle);
		freed += reclaim(pool, slot);
	}
	sc->nr_scanned = nr;
	return freed;
}

/* ----------------------------------------------------------------- beginning and end -- */

int binder_pool_create(struct vmarea *instance, struct binder_pool **out)
{
	struct binder_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return -ENOMEM;
	pool->instance = instance;
	pool->refs = 1;
	binder_lock_init(&pool->lock, &idle_class, VMAREA_LOCK_SPIN);
	TAILQ_INIT(&pool->idle);
	pool->shrinker = (struct shrinker){ .name = "binder", .count = count_idle,
					    .scan = scan_idle, .seeks = SHRINKER_DEFAULT_SEEKS };
	shrinker_register(instance, &pool->shrinker);
	*out = pool;
	return 0;
}

static void pool_put(struct binder_pool *pool)
{
	/* What each range did with the list is done before the last one takes it apart. */
	if (__atomic_fetch_sub(&pool->refs, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	binder_lock_destroy(&pool->lock);
	free(pool);
}

void binder_pool_destroy(struct binder_pool *pool)
{
	shrinker_unregister(&pool->shrinker);
	pool_put(pool);
}

int binder_range_create(struct binder_pool *pool, struct mm_struct *mm,
			const struct binder_range_ops *ops, struct binder_range **out)
{
	struct binder_range *range = calloc(1, sizeof(*range));

	if (!range)
		return -ENOMEM;
	__atomic_fetch_add(&pool->refs, 1, __ATOMIC_RELAXED);
	range->pool = pool;
	range->ops = ops;
	range->mm = mm;
	mmgrab(mm);
	binder_lock_init(&range->place_lock, ops->place_class, VMAREA_LOCK_EXCLUSIVE);
	binder_lock_init(&range->lock, &slots_class, VMAREA_LOCK_SPIN);
	*out = range;
	return 0;
}

void binder_range_file_gone(struct binder_range *range)
{
	binder_lock(&range->place_lock);
	range->file = NULL;
	binder_unlock(&range->place_lock);
}

void binder_range_destroy(struct binder_range *range)
{
	/* A scan that has found a slot before has this lock; then the list has nothing of ours. */
	binder_lock(&range->place_lock);
	binder_lock(&range->lock);
	for (unsigned long nr = 0; nr < range->nr_pages; nr++)
		if (range->slots[nr].page && !range->slots[nr].users)
			idle_del(&range->slots[nr]);
	binder_unlock(&range->lock);
	binder_unlock(&range->place_lock);
	for (unsigned long nr = 0; nr < range->nr_pages; nr++)
		if (range->slots[nr].page)
			__free_page(range->slots[nr].page);
	binder_lock_destroy(&range->place_lock);
	binder_lock_destroy(&range->lock);
	mmdrop(range->mm);
	pool_put(range->pool);
	free(range->slots);
	free(range);
}

static struct slot *slots_create(struct binder_range *range, unsigned long nr_pages)
{
	struct slot *slots = calloc(nr_pages, sizeof(*slots));

	for (unsigned long nr = 0; slots && nr < nr_pages; nr++)
		slots[nr].range = range;
	return slots;
}

int binder_range_mmap(struct binder_range *range, struct file *file, struct vma_new *vma)
{
	unsigned long nr_pages = (vma_end(vma) - vma_start(vma)) / BINDER_PAGE;
	struct slot *slots;
	bool first;

	if (mm_user_mm(vma_mm(vma)) != range->mm)
		return -EINVAL;
	if (vma_try_clear_maywrite(vma))
		return -EPERM;
	if (nr_pages > BINDER_MAX_PAGES)
		nr_pages = BINDER_MAX_PAGES;
	slots = slots_create(range, nr_pages);
	if (!slots)
		return -ENOMEM;
	binder_lock(&range->lock);
	first = !range->slots;
	if (first) {
		range->file = file;
		range->start = vma_start(vma);
		range->pgoff = vma_pgoff(vma);
		range->nr_pages = nr_pages;
		range->slots = slots;
	}
	binder_unlock(&range->lock);
	if (!first) {
		free(slots);
		return -EBUSY;
	}
	vma_set_owner(vma, range->ops->vm_ops, range);
	vma_set_mixedmap(vma);
	vma_set_dontcopy(vma);
	vma_set_dontexpand(vma);
	return 0;
}

unsigned long binder_range_nr_pages(struct binder_range *range)
{
	unsigned long nr_pages;

	binder_lock(&range->lock);
	nr_pages = range->nr_pages;
	binder_unlock(&range->lock);
	return nr_pages;
}

unsigned long binder_range_start(struct binder_range *range)
{
	unsigned long start;

	binder_lock(&range->lock);
	start = range->start;
	binder_unlock(&range->lock);
	return start;
}
