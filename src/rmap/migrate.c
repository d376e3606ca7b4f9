/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A page moves to another frame, while it is mapped in many places.
 *
 *	1. lock the page; for a file's, the invalidate lock as well: it stays the file's
 *	2. each entry becomes one that says: this is being moved
 *	3. nobody else has a reference?  then nobody can get one: a file's page is hidden in the
 *	   index until 4 is done, and nobody looks for an anonymous one (page_try_freeze)
 *	4. the bytes, what it is, its place in the file
 *	5. each such entry becomes one for the new frame, with the rights that the old one had
 *	6. unlock: faults that came by such an entry go on
 *
 * If 3 fails, 5 is done for the old frame, and nothing has happened.
 *
 * In between the entries are in their areas' hands: a munmap takes them out, mprotect() makes them
 * say less, mremap() moves them, fork() copies them.  They hold no reference but count in the old
 * frame's mapcount, from and to which they go under their table's lock: it is 0 when step 5 ends.
 *
 * gup_fast() may have read an entry before 2 and take its reference after: it looks again, finds
 * the entry changed, and puts it.  If that comes between 2 and 3, the page counts as in use.
 */
#include "base/str.h"
#include "rmap/rmap.h"
#include "vma/anon.h"

struct migration {
	struct page *from, *to;		/* the same one: back again */
	struct address_space *mapping;	/* NULL: anonymous */
	int err;
};

/* Step 2. */
static bool take_out(struct rmap_walk *walk, struct pt_slot *slot)
	__must_hold(slot)
{
	struct migration *m = walk->arg;
	pte_t was;

	if (slot->level != PT_PTE || rmap_may_be_pinned(m->from)) {
		m->err = -EBUSY;
		return false;
	}
	/* First nothing, so that no more is noted in what is about to be written down. */
	was = pt_slot_exchange(slot, PTE_NONE);
	pt_slot_exchange(slot, pte_migrate(m->from->pfn, pte_attrs(slot->pt->format, was)));
	page_put(m->from);
	return true;
}

/* Step 5. */
static bool put_back(struct rmap_walk *walk, struct pt_slot *slot)
	__must_hold(slot)
{
	const struct migration *m = walk->arg;
	u32 attrs = pte_migrate_attrs(pt_slot_get(slot));

	page_get(m->to);
	atomic_add_relaxed(&m->to->mapcount, 1);
	atomic_sub_relaxed(&m->from->mapcount, 1);
	/* A private page that can be written to is in this one place. */
	if ((page_flags(m->to) & PG_ANON) && (attrs & PT_WRITE))
		page_set_flags(m->to, PG_EXCLUSIVE);
	pt_slot_exchange(slot, pte_leaf(slot->pt->format, PT_PTE, m->to->pfn, attrs));
	return true;
}

static void walk_all(struct rmap_walk *walk) __may_sleep
{
	int err = rmap_walk(walk);

	VM_BUG_ON(err, "rmap_walk() does not wait");
}

/* Entries that a fork made out of sight of the first round are found by the second. */
static void put_all_back(struct migration *m) __may_sleep
{
	struct rmap_walk walk = {
		.page = m->from, .fn = put_back, .arg = m, .look_for = RMAP_MOVED,
	};

	if (m->to != m->from) {
		walk_all(&walk);
		if (!atomic_load_relaxed(&m->from->mapcount))
			return;
	}
	walk.order = RMAP_PARENTS_FIRST;
	walk_all(&walk);
	VM_DEBUG_ON(m->to != m->from && atomic_load_relaxed(&m->from->mapcount),
		    "pfn %u is named by %d entries", m->from->pfn, m->from->mapcount);
}

/* Steps 3 and 4.  Who may find a file's page meanwhile is the file's to say: filemap.c, (C). */
static int become(struct migration *m)
	__context_unsafe("the page lock, and the invalidate lock if there is a file to have one")
{
	const u32 kept = PG_ANON | PG_SHMEM | PG_UPTODATE | PG_DIRTY | PG_BACKED |
			 PG_TOUCHED | PG_CHANCE | PG_ACTIVE;
	struct page *from = m->from, *to = m->to;

	if (m->mapping)
		return filemap_replace(m->mapping, from, to, kept);
	if (!page_try_freeze(from, 1))
		return -EAGAIN;
	memcpy(page_bytes(to), page_bytes(from), PAGE_SIZE);
	page_set_flags(to, page_flags(from) & kept);
	to->index = from->index;
	/* Pairs with anon_get(). */
	atomic_store_release(&to->mapping, atomic_load_relaxed(&from->mapping));
	page_unfreeze(from, 1);
	return 0;
}

/* Steps 2 to 4. */
static int take_all_out(struct migration *m) __may_sleep
{
	struct rmap_walk walk = { .page = m->from, .fn = take_out, .arg = m };

	for (int round = 0; round < 2 && !m->err; round++) {
		walk_all(&walk);
		if (!m->err && !become(m))
			return 0;
		walk.order = RMAP_PARENTS_FIRST;
	}
	return m->err ? m->err : -EAGAIN;
}

/* Locked; @mapping is NULL for an anonymous page. */
static int migrate_locked(struct page *page, struct page *to, struct address_space *mapping)
	__must_hold(page) __may_sleep
{
	struct migration m = { .from = page, .to = to, .mapping = mapping };
	int err = take_all_out(&m);

	if (err)
		m.to = page;
	put_all_back(&m);
	if (!err && mapping) {
		atomic_store_relaxed(&page->mapping, NULL);
		page_put(page);
	}
	return err;
}

/* The file's part of step 1.  Only tried: it comes before the page lock. */
static int migrate_file(struct page *page, struct page *to)
	__must_hold(page) __may_sleep
{
	struct address_space *mapping = page->mapping;
	int err;

	if (!mapping)
		return -EBUSY;
	if (!rwsem_read_trylock(&mapping->invalidate_lock))
		return -EAGAIN;
	err = filemap_is_uptodate(page) ? migrate_locked(page, to, mapping) : -EAGAIN;
	rwsem_read_unlock(&mapping->invalidate_lock);
	return err;
}

int rmap_migrate(struct page *page, struct page *to)
{
	const u32 other = PG_TAIL | PG_LOOSE | PG_TABLE | PG_ORDER_MASK;
	int err;

	if (page_flags(page) & other)
		return -EBUSY;
	page_lock(page);
	/* Nobody else has it, but who goes by the frames may find it while it becomes a page. */
	if (page_trylock(to)) {
		err = page_flags(page) & PG_ANON ? migrate_locked(page, to, NULL) :
						   migrate_file(page, to);
		page_unlock(to);
	} else {
		err = -EAGAIN;
	}
	page_unlock(page);
	return err;
}
