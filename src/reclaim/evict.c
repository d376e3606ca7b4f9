/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * One page: how old is it, and how does it go?
 *
 *	     found used	      found used	     found used
 *	new ------------> CHANCE ------------> ACTIVE <-----+
 *	 |  ^		    |		       |   |________|
 *	 |  +---------------|------------------+
 *	 |	 not used   |	    not used
 *	 v		    v
 *	taken		  taken
 *
 * A new page is used: by the fault that made it.  So what is used once goes when the second look at
 * it finds nothing, and what is found used twice gets two more looks.
 *
 * All of it is done under the page lock, which is tried: a page that is being filled, moved or
 * taken is somebody's.  Locks of reverse maps are tried, too, as long as other pages go.
 */
#include "base/atomic.h"
#include "file/swapped.h"
#include "reclaim/reclaim.h"
#include "reclaim/swap_out.h"
#include "rmap/rmap.h"
#include "vma/anon.h"

/* What a page of an arena is beside those that are taken back. */
#define PG_OTHER	(PG_FREE | PG_TAIL | PG_TABLE | PG_LOOSE)

bool evict_is_candidate(const struct reclaim *r, struct page *page)
{
	u32 flags = page_flags(page);

	if (flags & PG_OTHER)
		return false;
	if (flags & PG_ANON)
		return r->can_swap || (flags & (PG_LAZYFREE | PG_SWAPPED));
	if (flags & PG_SHMEM)
		return r->can_swap && !(flags & PG_ORDER_MASK) && (flags & PG_UPTODATE);
	return !(flags & PG_ORDER_MASK) && (flags & PG_UPTODATE) &&
	       (flags & (PG_BACKED | PG_DIRTY));
}

/* Not one that is about to be mapped for the first time, nor one that has left its file. */
static bool is_known(struct page *page)
	__must_hold(page)
{
	if (page_flags(page) & PG_ANON)
		return page_order(page) || page_mapcount(page) || (page_flags(page) & PG_SWAPPED);
	return page->mapping;
}

static u64 *stat_of(struct reclaim *r, size_t offset)
{
	return (u64 *)((char *)&r->instance->reclaim.stats + offset);
}

/* Relaxed: numbers to look at. */
#define count(r, field)	\
	atomic_add_relaxed(stat_of((r), offsetof(struct vmarea_reclaim_stats, field)), 1)

/* --------------------------------------------------------------------------------- age -- */

/* Has it been used since the last look?  -EAGAIN: who maps it is being changed. */
static int take_used(const struct reclaim *r, struct page *page)
	__must_hold(page) __may_sleep
{
	int nr = rmap_referenced(page, r->wait);

	if (nr < 0)
		return nr;
	if (page_flags(page) & PG_TOUCHED) {
		page_clear_flags(page, PG_TOUCHED);
		return 1;
	}
	/* It has just been read in, and who waited for it comes to map it. */
	if (!page_mapcount(page) && !page_order(page) && !(page_flags(page) & PG_CHANCE))
		return 1;
	return nr > 0;
}

/* The picture above.  True: it is to be taken. */
static bool grow_old(struct page *page, bool used)
{
	u32 flags = page_flags(page);

	if (!used && (flags & PG_ACTIVE))
		page_clear_flags(page, PG_ACTIVE | PG_CHANCE);
	else if (!used)
		return true;
	else
		page_set_flags(page, flags & PG_CHANCE ? PG_ACTIVE : PG_CHANCE);
	return false;
}

/* -------------------------------------------------------------------------------- going -- */

/* False: it is dirty, and nobody can write it back.  Who has it mapped keeps it so. */
static bool find_writer(struct page *page, struct file **writer)
	__must_hold(page)
{
	bool wanted = (page_flags(page) & (PG_ANON | PG_SHMEM | PG_DIRTY)) == PG_DIRTY;

	if (!*writer && wanted)
		*writer = filemap_get_writer(page->mapping);
	return *writer || !wanted;
}

/* Out of every table, before it is written: so that nobody stores to it any more. */
static int unmap_file(const struct reclaim *r, struct page *page)
	__must_hold(page) __may_sleep
{
	struct rmap_unmap how = { .leave = RMAP_LEAVE_NONE, .wait = r->wait };
	int err;

	/* The references of the index, of entries, and ours. */
	if (page_refs(page) > 2 + (u32)page_mapcount(page))
		return page_is_pinned(page) ? -EBUSY : -EAGAIN;
	if (!page_mapcount(page))
		return 0;
	err = rmap_unmap(page, &how);
	if (how.dirty)
		filemap_mark_dirty(page);
	return err;
}

/* The lock comes before a page lock: tried.  With it no hole is filled again that is being made. */
static int write_file(struct reclaim *r, struct file *writer, struct page *page)
	__must_hold(page) __may_sleep
{
	struct address_space *mapping = writer->mapping;
	int err;

	if (!rwsem_read_trylock(&mapping->invalidate_lock))
		return -EAGAIN;
	err = filemap_write_back(writer, page);
	rwsem_read_unlock(&mapping->invalidate_lock);
	if (!err)
		count(r, written);
	return err;
}

static int evict_file(struct reclaim *r, struct page *page, struct file **writer)
	__must_hold(page) __may_sleep
{
	int err = unmap_file(r, page);

	if (!err && !find_writer(page, writer))
		err = -EBUSY;
	if (!err && *writer)
		err = write_file(r, *writer, page);
	if (!err)
		err = filemap_evict(page);
	if (!err)
		count(r, dropped);
	return err;
}

/* Not what the pool of huge pages counts.  If no slot is left it has lost entries, and no more. */
static int evict_shmem(struct reclaim *r, struct page *page)
	__must_hold(page) __may_sleep
{
	struct address_space *mapping = page->mapping;
	int err;

	if (mapping->kind & FILE_HUGETLB)
		return -EBUSY;
	if (!rwsem_read_trylock(&mapping->invalidate_lock))
		return -EAGAIN;
	err = unmap_file(r, page);
	if (!err)
		err = filemap_swap_out(mapping, page);
	/* The last put of the file waits for this lock, and the inode for readers. */
	rcu_read_lock();
	rwsem_read_unlock(&mapping->invalidate_lock);
	rcu_read_unlock();
	if (!err)
		count(r, swapped);
	return err;
}

static int evict_anon(struct reclaim *r, struct page *page)
	__must_hold(page) __may_sleep
{
	int err;

	if (page_flags(page) & PG_LAZYFREE) {
		err = rmap_discard(page, r->wait);
		if (!err)
			count(r, discarded);
		if (err != -EBUSY)
			return err;
		page_clear_flags(page, PG_LAZYFREE);
	}
	err = swap_out(r->instance, page, r->wait);
	if (!err)
		count(r, swapped);
	return err;
}

/* Its pages are looked at next. */
static int split(struct reclaim *r, struct page *head)
	__must_hold(head) __may_sleep
{
	if (rmap_split_block(head, r->wait)) {
		count(r, split);
		r->nr_split++;
	}
	return -EBUSY;
}

static int evict(struct reclaim *r, struct page *page, struct file **writer)
	__must_hold(page) __may_sleep
{
	if (page_order(page))
		return split(r, page);
	if (page_flags(page) & PG_ANON)
		return evict_anon(r, page);
	return page_flags(page) & PG_SHMEM ? evict_shmem(r, page) : evict_file(r, page, writer);
}

/* 0: the caller's reference is the only one. */
static int try_evict(struct reclaim *r, struct page *page, struct file **writer)
	__must_hold(page) __may_sleep
{
	int used, err;

	/* It may have been another page when it was looked at. */
	if (!evict_is_candidate(r, page) || !is_known(page) || !find_writer(page, writer))
		return -EBUSY;
	count(r, scanned);
	r->nr_seen++;
	used = take_used(r, page);
	if (used < 0)
		return used;
	if (!grow_old(page, used) && r->mind == RECLAIM_OLD) {
		count(r, kept);
		return -EBUSY;
	}
	err = evict(r, page, writer);
	if (err)
		count(r, refused);
	return err;
}

void evict_page(struct reclaim *r, struct page *page)
{
	struct file *writer = NULL;
	int err = -EAGAIN;

	if (page_trylock(page)) {
		err = try_evict(r, page, &writer);
		page_unlock(page);
	}
	if (!err)
		r->nr_freed++;
	else if (err == -EAGAIN)
		r->busy = true;
	page_put(page);
	/* Now: if it is the last, it writes what is dirty, and locks pages. */
	if (writer)
		file_put(writer);
}
