/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Pages of files in memory that are in swap.
 *
 * Such a file has nowhere to write its pages to, so reclaim sends them to swap.  Entries of page
 * tables then say nothing: who faults comes by the file's index again, and that is the one place
 * that names the slot.  What the index has at a number:
 *
 *	              filemap_swap_out()            it was written
 *	     page  --------------------->  leaving  -------------->  slot
 *	      ^  ^                            |                       |
 *	      |  +--- used, or not written ---+                       |
 *	      +------------ filemap_swap_in(): locked, being read ----+
 *	                                      cannot be read: slot again, or lost (swapoff)
 *
 * Going out.  The page is locked, and in no page table; with its lock it stays so.  If nobody has a
 * reference but the index and the caller, it is made *leaving*, so that nobody can get one to store
 * with: its bytes do not change while they are written.  Who wants it meanwhile takes a reference
 * to wait with; then the page is the file's again, its slot is given back, and the write was for
 * nothing.
 *
 * Coming back.  A new page takes the place of the slot, locked, and is filled from it, as another
 * file's page is by read_page(): all who want it wait for that lock.  The slot is free then, and
 * the page dirty: no copy of it is kept.
 *
 * So there is no page with two states to be looked for in a swap cache: the index has all.
 *
 * Locks.  Whoever goes from one state to the next has the invalidate lock for read, from the first
 * to the last, and changes the item under the mapping lock.  So truncation and holes, which have it
 * for write, find pages, slots, and lost pages, and nothing under way; and a slot that they drop is
 * used by nobody.
 *
 * Invariants, whenever the invalidate lock is free
 *  1. A slot that an index names has a user for that, and its bytes are written.
 *  2. An item has the mark FILEMAP_SWAPPED if it is a slot, and only then.
 *  3. No page is leaving.
 *
 * Rejected
 *  - The swap cache, as for anonymous memory: there it is what several page tables share.
 *  - The page in the index while it is written, and a look afterwards whether somebody stored to
 *    it, as in write-back.  Who packs or sums up what he is to keep would see it change.
 *  - A copy that stays in swap until the page is written to: mapped pages may be at any time.
 */
#include "file/swapped.h"

static struct swap_space *space_of(const struct address_space *mapping)
{
	return mapping->instance->swap;
}

static void *item_at(struct address_space *mapping, unsigned long pgoff)
{
	void *item;

	rcu_read_lock();
	item = pi_load(&mapping->pages, pgoff);
	rcu_read_unlock();
	return item;
}

/* ---------------------------------------------------------------------------------- out -- */

/* Hidden first: filemap.c, (C). */
static int begin_leaving(struct address_space *mapping, struct page *page)
	__must_hold(page)
{
	bool alone;

	spin_lock(&mapping->lock);
	pi_replace(&mapping->pages, page->index, item_of_leaving(page));
	alone = page_try_freeze(page, 2);
	if (alone)
		page_unfreeze(page, 2);
	else
		pi_replace(&mapping->pages, page->index, page);
	spin_unlock(&mapping->lock);
	return alone ? 0 : -EAGAIN;
}

/* @err: of the write.  0: the slot has its place. */
static int end_leaving(struct address_space *mapping, struct page *page, u64 number, int err)
	__must_hold(page)
{
	spin_lock(&mapping->lock);
	if (!err && !page_try_freeze(page, 2))
		err = -EAGAIN;
	pi_replace(&mapping->pages, page->index, err ? page : item_of_slot(number));
	if (!err) {
		pi_set_mark(&mapping->pages, page->index, FILEMAP_SWAPPED);
		atomic_store_relaxed(&page->mapping, NULL);
		page_unfreeze(page, 1);
	}
	spin_unlock(&mapping->lock);
	return err;
}

int filemap_swap_out(struct address_space *mapping, struct page *page)
{
	struct swap_space *space = space_of(mapping);
	u64 number;
	int err = swap_take_slot(space, &number);

	if (err)
		return err;
	err = begin_leaving(mapping, page);
	if (!err) {
		err = swap_write_slot(space, number, page_bytes(page));
		err = end_leaving(mapping, page, number, err);
	}
	if (err)
		swap_put(space, number);
	return err;
}

/* ----------------------------------------------------------------------------------- in -- */

/* For whoever writes it: with a reference, so that it is the file's page again. */
static void wait_leaving(struct address_space *mapping, unsigned long pgoff, const void *leaving)
	__may_sleep
{
	struct page *page = (struct page *)((unsigned long)leaving & ~ITEM_BITS);
	bool held;

	spin_lock(&mapping->lock);
	held = pi_load(&mapping->pages, pgoff) == leaving;
	if (held)
		page_get(page);
	spin_unlock(&mapping->lock);
	if (!held)
		return;
	page_wait_unlocked(page);
	page_put(page);
}

/* The page takes the place of the slot.  -ECHANGED: it is not there any more. */
static int take_place(struct address_space *mapping, unsigned long pgoff, const void *item,
		      struct page *page)
	__must_hold(page)
{
	bool there;

	page_set_flags(page, PG_SHMEM);
	atomic_store_relaxed(&page->mapping, (void *)mapping);
	page->index = pgoff;
	page_get(page);
	spin_lock(&mapping->lock);
	there = pi_load(&mapping->pages, pgoff) == item;
	if (there) {
		pi_replace(&mapping->pages, pgoff, page);
		pi_clear_mark(&mapping->pages, pgoff, FILEMAP_SWAPPED);
	}
	spin_unlock(&mapping->lock);
	if (!there) {
		atomic_store_relaxed(&page->mapping, NULL);
		page_put(page);
	}
	return there ? 0 : -ECHANGED;
}

static void give_place_back(struct address_space *mapping, void *item, struct page *page)
	__must_hold(page)
{
	spin_lock(&mapping->lock);
	pi_replace(&mapping->pages, page->index, item);
	pi_set_mark(&mapping->pages, page->index, FILEMAP_SWAPPED);
	spin_unlock(&mapping->lock);
	atomic_store_relaxed(&page->mapping, NULL);
	page_put(page);
}

static int fill_locked(struct address_space *mapping, unsigned long pgoff, void *item,
		       struct page *page)
	__must_hold(page) __may_sleep
{
	int err = take_place(mapping, pgoff, item, page);

	if (err)
		return err;
	err = swap_read_slot(space_of(mapping), item_slot(item), page_bytes(page));
	if (err) {
		give_place_back(mapping, item, page);
		return err;
	}
	page_set_flags(page, PG_DIRTY);
	/* Pairs with filemap_is_uptodate(). */
	atomic_or_release(&page->flags, PG_UPTODATE);
	swap_put(space_of(mapping), item_slot(item));
	return 0;
}

static int fill(struct address_space *mapping, unsigned long pgoff, void *item,
		struct page **out) __may_sleep
{
	struct page *page = page_alloc(mapping->instance->arena, 0, PAGE_ANYTHING);
	int err;

	if (!page)
		return -ENOMEM;
	page_lock(page);
	err = fill_locked(mapping, pgoff, item, page);
	page_unlock(page);
	if (err)
		page_put(page);
	else
		*out = page;
	return err;
}

int filemap_swap_in(struct address_space *mapping, unsigned long pgoff, enum filemap_get how,
		    struct page **out)
{
	void *item = item_at(mapping, pgoff);

	if (!item)
		return -ENOENT;
	if (item_is_page(item))
		return -ECHANGED;
	if (how == FILEMAP_TRY)
		return -EAGAIN;
	if (item == ITEM_LOST)
		return -EIO;
	if (item_is_slot(item))
		return fill(mapping, pgoff, item, out);
	wait_leaving(mapping, pgoff, item);
	return -ECHANGED;
}

int filemap_get_kept(struct address_space *mapping, unsigned long pgoff, struct page **out)
{
	struct page *page;
	int err;

	do {
		page = filemap_find_any(mapping, pgoff);
		err = 0;
		if (!page)
			err = filemap_swap_in(mapping, pgoff, FILEMAP_WAIT, &page);
		else if (!filemap_is_uptodate(page) && !filemap_wait_filled(page))
			err = -ECHANGED;
		if (err == -ECHANGED && page)
			page_put(page);
	} while (err == -ECHANGED);
	if (!err)
		*out = page;
	return err;
}

/* ------------------------------------------------------------------------ what is there -- */

bool filemap_has(struct address_space *mapping, unsigned long pgoff)
{
	return item_at(mapping, pgoff);
}

bool filemap_next_swapped(struct address_space *mapping, unsigned long *pgoff, unsigned long end)
{
	unsigned long at = *pgoff;
	bool found;

	rcu_read_lock();
	found = pi_find(&mapping->pages, &at, FILEMAP_SWAPPED) && at < end;
	rcu_read_unlock();
	if (found)
		*pgoff = at;
	return found;
}

static int read_back(struct address_space *mapping, unsigned long pgoff) __may_sleep
{
	struct page *page;
	int err;

	rwsem_read_lock(&mapping->invalidate_lock);
	err = filemap_get_kept(mapping, pgoff, &page);
	rwsem_read_unlock(&mapping->invalidate_lock);
	if (!err)
		page_put(page);
	return err;
}

void filemap_will_need(struct address_space *mapping, unsigned long first, unsigned long end)
{
	for (; filemap_next_swapped(mapping, &first, end); first++)
		if (read_back(mapping, first) == -ENOMEM)
			return;
}

/* ------------------------------------------------------------------------------ swapoff -- */

/* Its bytes cannot be read, and their slot is about to go. */
static void lose(struct address_space *mapping, unsigned long pgoff, void *item) __may_sleep
{
	bool there;

	rwsem_read_lock(&mapping->invalidate_lock);
	spin_lock(&mapping->lock);
	there = pi_load(&mapping->pages, pgoff) == item;
	if (there) {
		pi_replace(&mapping->pages, pgoff, ITEM_LOST);
		pi_clear_mark(&mapping->pages, pgoff, FILEMAP_SWAPPED);
	}
	spin_unlock(&mapping->lock);
	if (there)
		item_drop(space_of(mapping), item);
	rwsem_read_unlock(&mapping->invalidate_lock);
}

int filemap_swapoff(struct address_space *mapping, unsigned int id)
{
	for (unsigned long at = 0; filemap_next_swapped(mapping, &at, ~0ul); at++) {
		void *item = item_at(mapping, at);
		unsigned int nr_tries = 0;
		int err;

		if (!item_is_slot(item) || swap_area_of(item_slot(item)) != id)
			continue;
		do
			err = read_back(mapping, at);
		while (filemap_try_again(mapping, err, &nr_tries));
		if (err == -EIO)
			lose(mapping, at, item);
		else if (err == -ENOMEM)
			return err;
	}
	return 0;
}

void filemap_see_slots(struct address_space *mapping)
{
	for (unsigned long at = 0; filemap_next_swapped(mapping, &at, ~0ul); at++)
		swap_see(space_of(mapping), item_slot(item_at(mapping, at)));
}
