/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Swap: slots, and the pages that have them in memory.
 *
 * Terms.  A *slot* has room for the bytes of one page.  A *swap entry* is what a page table has in
 * the place of a leaf: it names a slot.  Its *users* are the entries that name it, and whoever
 * works on it for a moment.  A page that is in the *swap cache* is the one that has, or is about to
 * have, the bytes of a slot; the slot says which (pfn), and the page says of which slot (private).
 *
 *	page table         slot                page
 *	 mm A: entry --+
 *	 mm B: entry --+--> users 2, pfn ----> PG_SWAPPED, private
 *	 mm C: leaf  ----------------------->
 *
 * How a page goes out (reclaim/swap_out.c):
 *
 *	1. the page gets a slot, and is in the cache
 *	2. each leaf of it becomes an entry that names the slot: nobody can write to it any more
 *	3. the bytes are written to the slot
 *	4. nobody has a reference?  then it leaves the cache, and the frame is free
 *
 * and comes back (fault/swap.c):
 *
 *	1. it is found in the cache; or a frame is put there, locked, and filled from the slot
 *	2. the entry becomes a leaf again, if it is still the entry
 *	3. of the last entry the slot is freed, and the page leaves the cache
 *
 * So what several mms share is read once, and is one page again.
 *
 * Shared memory needs no such page: it has one place that all look in, the file's index, which
 * names the slot (file/swapped.c).  A slot of that kind has SWAP_OF_FILE for a page.  Who comes to
 * it by the number of an entry that is gone is not to read it, and is told that nobody uses it.
 *
 * While a page is in the cache nobody writes to it: the cache has a reference, and so a write finds
 * that it is not alone and copies (fault/anon.c).  Only between 1 and 2 of its way out may the page
 * be exclusive and written to, and then the slot has nothing of it yet.  What is written to
 * a slot is therefore written once; a page that was read back and is mapped by some of its users
 * only is still as the slot has it, and goes out a second time without a write.
 *
 * Locks
 *	the page lock	who reads, writes, maps or unmaps a page of the cache has it
 *	the table lock	keeps an entry, and with it its slot: one that has a user is not freed
 *	the swap lock	a spinlock inside of both: slots change between free and used, and pages
 *			enter and leave the cache
 *
 * Users come and go without the swap lock, but for the first and the last.  The last takes the page
 * out of the cache without its page lock: who has that and found no entry has no use for the page;
 * and who works on the slot itself, because he fills the page or writes it, is a user of it.
 *
 * Counts.  A fork makes users without end, so at SWAP_MOST_USERS it is refused, and a page that has
 * as many references, or a slot with as many users, does not go out.  What turns into one another
 * is then less than three times that: SWAP_MOST_USERS of each when a page goes out, which makes
 * users of all, and as many leaves again while there are less of those.
 *
 * Ordering
 *  (A) A page is found in an RCU read section: a reference, and a second look whether the slot
 *	still has it.  The store of pfn is a release after page->private, the load an acquire.
 *  (B) A page that leaves if nobody else has a reference is not to be found first, and is then
 *	frozen: who had found it before gets no reference, looks again, and need not wait.  If it
 *	cannot be frozen it is to be found again; who has not found it meanwhile and reads the slot
 *	finds it when he puts his own page there, under the swap lock.
 *
 * Invariants, whenever the swap lock is free
 *  1. A slot without users has no page; it is counted neither in nr_used nor in its group.
 *  2. A page with PG_SWAPPED is the page of the slot that it names, and the slot's is that page.
 *  3. While nobody works on it, a slot has as many users as there are entries that name it, of
 *     page tables and of indexes of files.
 *
 * Failure.  The cache and the slots have all their memory from the beginning: nothing is allocated
 * on the way out, which is gone when there is none.  On the way back a frame may be missing; then
 * the entry stays.  A page that cannot be read is a bus error, and the entry stays.
 *
 * Rejected
 *  - An index of pages by slot (ds/page_index.h), as files have: its nodes are frames, and pages
 *    go out when there are none.  Four bytes a slot cost less than a node where it is full.
 *  - A mark in the entry that its page was exclusive: who is the only user of the slot and finds
 *    nobody else at the page is its owner, which also holds if the others have left meanwhile.
 *  - Reading neighbours of a slot that was asked for (read-ahead): what would be in core then
 *    depends on the order in which programs came to be swapped.
 */
#include "swap/swap.h"

/* The area of a slot that is in use, which keeps it. */
static struct swap_area *area_of(struct swap_space *space, u64 number)
{
	struct swap_area *area =
		atomic_load_relaxed(&space->areas[swap_area_of(number) % VMAREA_SWAP_AREAS]);

	VM_BUG_ON(!area || swap_offset_of(number) >= area->nr_slots, "there is no slot %llx",
		  (unsigned long long)number);
	return area;
}

static struct swap_slot *slot_of(struct swap_space *space, u64 number)
{
	return &area_of(space, number)->slots[swap_offset_of(number)];
}

/* ------------------------------------------------------------------------------ users -- */

void swap_get(struct swap_space *space, u64 number)
{
	u32 before = atomic_add_relaxed(&slot_of(space, number)->users, 1);

	VM_BUG_ON(!before, "slot %llx is nobody's", (unsigned long long)number);
}

/* Whoever comes with such a number has it from an entry that is gone. */
static bool swap_is_of_file(struct swap_space *space, u64 number)
{
	struct swap_area *area;
	const struct swap_slot *slot;
	bool of_file;

	rcu_read_lock();
	slot = swap_slot(space, number, &area);
	of_file = slot && atomic_load_relaxed(&slot->pfn) == SWAP_OF_FILE;
	rcu_read_unlock();
	return of_file;
}

bool swap_try_get(struct swap_space *space, u64 number)
{
	struct swap_area *area;
	struct swap_slot *slot;
	u32 users = 0;

	rcu_read_lock();
	slot = swap_slot(space, number, &area);
	if (slot)
		users = atomic_load_relaxed(&slot->users);
	while (users && !atomic_cas_relaxed(&slot->users, &users, users + 1))
		;
	rcu_read_unlock();
	return users;
}

u32 swap_users(struct swap_space *space, u64 number)
{
	struct swap_area *area;
	const struct swap_slot *slot;
	u32 users = 0;

	rcu_read_lock();
	slot = swap_slot(space, number, &area);
	if (slot)
		users = atomic_load_relaxed(&slot->users);
	rcu_read_unlock();
	return users;
}

bool swap_is_full(struct swap_space *space, u64 number)
{
	u64 nr = swap_users(space, number);
	struct page *page = swap_find(space, number);

	if (page) {
		nr += page_refs(page);
		page_put(page);
	}
	return nr >= SWAP_MOST_USERS;
}

/* Its page is in the cache no more; the reference that the cache had is the caller's. */
static void uncache(struct swap_slot *slot, struct page *page)
{
	atomic_store_relaxed(&slot->pfn, 0);
	page_clear_flags(page, PG_SWAPPED | PG_UNWRITTEN);
}

static struct page *page_of(const struct swap_space *space, const struct swap_slot *slot)
{
	u32 pfn = atomic_load_relaxed(&slot->pfn);

	return swap_is_pfn(pfn) ? pfn_page(space->frames, pfn) : NULL;
}

/* Somebody may have come meanwhile. */
static void put_last(struct swap_space *space, struct swap_area *area, struct swap_slot *slot)
{
	struct page *page = NULL;

	spin_lock(&space->lock);
	/* Pairs with itself: what the users did is done before the slot is another's. */
	if (atomic_sub_acq_rel(&slot->users, 1) == 1) {
		page = page_of(space, slot);
		if (page)
			uncache(slot, page);
		else
			atomic_store_relaxed(&slot->pfn, 0);
		area->groups[(slot - area->slots) / SWAP_GROUP]--;
		atomic_sub_relaxed(&area->nr_used, 1);
		if (!atomic_load_relaxed(&area->open)) {
			atomic_add_relaxed(&area->nr_freed, 1);
			port_wake(&area->nr_freed, 1);
		}
	}
	spin_unlock(&space->lock);
	if (page)
		page_put(page);
}

void swap_put(struct swap_space *space, u64 number)
{
	struct swap_area *area = area_of(space, number);
	struct swap_slot *slot = &area->slots[swap_offset_of(number)];
	u32 users = atomic_load_relaxed(&slot->users);

	VM_BUG_ON(!users, "slot %llx is nobody's", (unsigned long long)number);
	while (users > 1)
		/* Pairs with put_last(). */
		if (atomic_cas_release(&slot->users, &users, users - 1))
			return;
	put_last(space, area, slot);
}

/* ------------------------------------------------------------------------------- find -- */

struct page *swap_find(struct swap_space *space, u64 number)
{
	struct page *page = NULL;
	struct swap_area *area;
	struct swap_slot *slot;

	rcu_read_lock();
	slot = swap_slot(space, number, &area);
	while (slot) {
		u32 pfn = atomic_load_acquire(&slot->pfn);		/* (A) */

		page = swap_is_pfn(pfn) ? pfn_page(space->frames, pfn) : NULL;
		if (!page)
			break;
		if (page_try_get(page)) {
			if (atomic_load_relaxed(&slot->pfn) == pfn)
				break;
			page_put(page);
		}
	}
	rcu_read_unlock();
	return page;
}

/* ---------------------------------------------------------------------------- in, out -- */

/* The page has the slot from now on, and the cache a reference. */
static void cache(struct swap_slot *slot, struct page *page, u64 number)
	__must_hold(page)
{
	page_get(page);
	page->private = number;
	page_set_flags(page, PG_SWAPPED);
	atomic_store_release(&slot->pfn, page->pfn);			/* (A) */
}

/* How many slots the group of slot @at has. */
static u32 group_size(const struct swap_area *area, u32 at)
{
	return min(SWAP_GROUP, area->nr_slots - ALIGN_DOWN(at, SWAP_GROUP));
}

/* A free slot; there is one. */
static u32 find_free(const struct swap_area *area)
{
	u32 at = area->next;

	for (;;) {
		if (at >= area->nr_slots)
			at = 0;
		if (area->groups[at / SWAP_GROUP] == group_size(area, at))
			at = ALIGN_DOWN(at, SWAP_GROUP) + SWAP_GROUP;
		else if (atomic_load_relaxed(&area->slots[at].users))
			at++;
		else
			return at;
	}
}

static bool has_room(const struct swap_area *area)
{
	return area && atomic_load_relaxed(&area->open) &&
	       atomic_load_relaxed(&area->nr_used) < area->nr_slots;
}

/* Of the highest priority; of equals the next in turn. */
static struct swap_area *choose_area(struct swap_space *space, unsigned int *id)
	__must_hold(&space->lock)
{
	struct swap_area *best = NULL;

	for (unsigned int i = 1; i <= VMAREA_SWAP_AREAS; i++) {
		unsigned int at = (space->last + i) % VMAREA_SWAP_AREAS;
		struct swap_area *area = space->areas[at];

		if (has_room(area) && (!best || area->priority > best->priority)) {
			best = area;
			*id = at;
		}
	}
	return best;
}

/* With one user: the caller.  NULL: there is none. */
static struct swap_slot *take_slot(struct swap_space *space, u64 *number)
	__must_hold(&space->lock)
{
	unsigned int id;
	struct swap_area *area = choose_area(space, &id);
	u32 at;

	if (!area)
		return NULL;
	at = find_free(area);
	area->next = at + 1;
	area->groups[at / SWAP_GROUP]++;
	atomic_add_relaxed(&area->nr_used, 1);
	space->last = id;
	*number = (u64)id << SWAP_AREA_SHIFT | at;
	/* Relaxed: nobody has the number but by entries, which are made later. */
	atomic_store_relaxed(&area->slots[at].users, 1);
	return &area->slots[at];
}

static int give_slot(struct swap_space *space, struct page *page, u64 *number)
	__must_hold(&space->lock) __must_hold(page)
{
	struct swap_slot *slot = take_slot(space, number);

	if (!slot)
		return -ENOSPC;
	page_set_flags(page, PG_UNWRITTEN);
	cache(slot, page, *number);
	return 0;
}

int swap_take_slot(struct swap_space *space, u64 *number)
{
	struct swap_slot *slot;

	spin_lock(&space->lock);
	slot = take_slot(space, number);
	if (slot)
		/* Relaxed: enter() looks with the lock held. */
		atomic_store_relaxed(&slot->pfn, SWAP_OF_FILE);
	spin_unlock(&space->lock);
	return slot ? 0 : -ENOSPC;
}

int swap_hold_page(struct swap_space *space, struct page *page, u64 *number)
{
	struct swap_area *area;
	u32 *users;
	int err = 0;

	if (page_refs(page) >= SWAP_MOST_USERS)
		return -EBUSY;
	spin_lock(&space->lock);
	if (!(page_flags(page) & PG_SWAPPED)) {
		err = give_slot(space, page, number);
	} else {
		*number = page->private;
		area = area_of(space, *number);
		users = &area->slots[swap_offset_of(*number)].users;
		if (!atomic_load_relaxed(&area->open))
			err = -ENOSPC;
		else if (atomic_load_relaxed(users) >= SWAP_MOST_USERS)
			err = -EBUSY;
		else
			atomic_add_relaxed(users, 1);
	}
	spin_unlock(&space->lock);
	return err;
}

bool swap_claim_page(struct swap_space *space, struct page *page, u64 number)
{
	struct swap_slot *slot = slot_of(space, number);
	bool alone;

	spin_lock(&space->lock);
	/*
	 * The cache's reference, and the caller's.  Who gets one in between by swap_find() locks
	 * the page after the caller, and finds that it is not the slot's: swap_is_at().
	 */
	alone = atomic_load_relaxed(&slot->users) == 1 && page_refs(page) == 2 &&
		!page_mapcount(page);
	if (alone)
		uncache(slot, page);
	spin_unlock(&space->lock);
	if (alone)
		page_put(page);
	return alone;
}

bool swap_leave_page(struct swap_space *space, struct page *page, u64 number)
{
	struct swap_slot *slot = slot_of(space, number);
	bool alone;

	spin_lock(&space->lock);
	atomic_store_relaxed(&slot->pfn, 0);
	alone = page_try_freeze(page, 2);				/* (B) */
	if (alone) {
		uncache(slot, page);
		page_unfreeze(page, 1);
	} else {
		atomic_store_release(&slot->pfn, page->pfn);		/* (A) */
	}
	spin_unlock(&space->lock);
	return alone;
}

/* ---------------------------------------------------------------------- reading, writing -- */

static int outcome_of(struct swap_area *area, int err)
{
	if (!err)
		return 0;
	atomic_add_relaxed(&area->nr_errors, 1);
	VM_WARN_ON(err > 0, "swap area %s: an op says %d", area->name, err);
	return -EIO;
}

int swap_write_slot(struct swap_space *space, u64 number, const void *from)
{
	struct swap_area *area = area_of(space, number);

	atomic_add_relaxed(&area->nr_writes, 1);
	return outcome_of(area, area->ops->write_page(area->private_data, swap_offset_of(number),
						      from));
}

int swap_read_slot(struct swap_space *space, u64 number, void *to)
{
	struct swap_area *area = area_of(space, number);

	atomic_add_relaxed(&area->nr_reads, 1);
	return outcome_of(area, area->ops->read_page(area->private_data, swap_offset_of(number),
						     to));
}

int swap_write_page(struct swap_space *space, struct page *page, u64 number)
{
	int err;

	if (!(page_flags(page) & PG_UNWRITTEN))
		return 0;
	err = swap_write_slot(space, number, page_bytes(page));
	if (!err)
		page_clear_flags(page, PG_UNWRITTEN);
	return err;
}

static bool enter(struct swap_space *space, struct page *page, u64 number)
	__must_hold(page)
{
	struct swap_slot *slot = slot_of(space, number);
	bool first;

	spin_lock(&space->lock);
	first = !atomic_load_relaxed(&slot->pfn);
	if (first)
		cache(slot, page, number);
	spin_unlock(&space->lock);
	return first;
}

static void leave(struct swap_space *space, struct page *page, u64 number)
	__must_hold(page)
{
	struct swap_slot *slot = slot_of(space, number);

	spin_lock(&space->lock);
	uncache(slot, page);
	spin_unlock(&space->lock);
	page_put(page);
}

/* The caller is a user.  -EEXIST: somebody else was first. */
static int fill_locked(struct swap_space *space, struct page *page, u64 number)
	__must_hold(page) __may_sleep
{
	int err;

	page_set_flags(page, PG_ANON);
	if (!enter(space, page, number))
		return -EEXIST;
	err = swap_read_slot(space, number, page_bytes(page));
	if (err)
		leave(space, page, number);
	return err;
}

static int fill(struct swap_space *space, u64 number, struct page **out) __may_sleep
{
	struct page *page = page_alloc(space->arena, 0, PAGE_ANYTHING);
	int err;

	if (!page)
		return -ENOMEM;
	page_lock(page);
	err = fill_locked(space, page, number);
	page_unlock(page);
	if (err)
		page_put(page);
	else
		*out = page;
	return err;
}

int swap_read_page(struct swap_space *space, u64 number, struct page **out)
{
	int err;

	do {
		struct page *page = swap_find(space, number);

		if (page) {
			page_wait_unlocked(page);
			*out = page;
			return 0;
		}
		if (swap_is_of_file(space, number) || !swap_try_get(space, number))
			return -ENOENT;
		err = fill(space, number, out);
		swap_put(space, number);
	} while (err == -EEXIST);
	return err;
}
