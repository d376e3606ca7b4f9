/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Write-back: what was stored to the pages of a file goes to where the file's bytes are kept.
 *
 * A page is *dirty* from a store, or from when an entry allows stores, until its write-back begins.
 * Dirty pages have a mark in the index, so that they are found in order and for the price of those
 * that are found.  A file whose pages have nowhere to go (FILE_SHMEM, no write_page() hook) is not
 * written back; of FILE_SHMEM only the flag is kept, for reports.
 *
 *	       filemap_mark_dirty()
 *	 clean --------------------> dirty <--------------------------+
 *	   ^                           | 1. flag and mark cleared     | a store meanwhile,
 *	   |                           | 2. entries write-protected   | an error, a pin, nobody
 *	   |                           | 3. the size is looked at     | knows who maps it
 *	   |       write_page()        v                              |
 *	   +---------------------- write-back ------------------------+
 *
 * All of it is done under the page lock, so who wants to map the page anew waits for it; who has it
 * mapped may load as before, and store after a fault, which takes no page lock: it makes the page
 * dirty beside the write-back, and the next one writes it again.  The invalidate lock is held for
 * read, too: while a truncation or a hole has that, nothing is on its way to where the bytes are
 * kept, and so they can be cut there first, without old bytes coming back.
 *
 * What was stored behind the end of the file is no part of it: a sync that has to write the page
 * there clears the rest of it first, as Linux does, so that it is gone when the file grows.
 *
 * A sync waits for the write-back that another thread has begun of a page in its range: that has
 * FILEMAP_WRITEBACK until it has ended, and is locked.
 *
 * Ordering
 *  (A) A store is followed by filemap_mark_dirty(), a release even if the page was dirty already.
 *	Step 1 is an acquire.  So either it comes after, and what is written has the store; or it
 *	comes before, and the page is dirty again.
 *  (B) Stores by way of an entry: the fault that allows them marks the page under the table lock,
 *	and step 2 takes that lock.  Either it finds the entry, and stores before it are written; or
 *	the fault comes after it, and sees that the page is clean.
 *  (C) Step 3 comes after step 2: a size that grew before a store past the old end is seen with it.
 *	file_write() makes the file longer before it marks the page, and (A) does the rest.
 *
 * What step 2 cannot see.  A pin allows stores by the frame's number: a page that is pinned then is
 * written and stays dirty.  So does a page that is mapped, where nobody keeps the reverse map.
 *
 * Errors.  A page whose write_page() failed stays dirty, and the next sync tries again.  Each error
 * is counted by the inode.  Each open file remembers how many there were when it was told last: one
 * sync by way of it returns the newest error if there are more by now.  A file that is opened later
 * is told of those that nobody has been told of.
 *
 * Who writes.  Any file that is open on the inode for writing and has the hook; a sync by way of
 * another borrows such a one.  What can make pages dirty is one of them, or an area that keeps one,
 * so when the last goes it writes all that is dirty.
 *
 * Rejected
 *  - A flag and a queue for pages under write-back, so that their lock is free.  The hook returns
 *    when the bytes are written, so there is a thread that can hold it.
 *  - Clean after an error, as on Linux: the store would be lost with nobody but the log to know.
 */
#include <vmarea/file.h>

#include "base/bug.h"
#include "base/errno.h"
#include "file/filemap.h"
#include "sync/witness.h"

#define ALL_PAGES		BIT(PI_INDEX_BITS)

/* -------------------------------------------------------------------------------- marking -- */

static void mark_in(struct address_space *mapping, struct page *page)
{
	spin_lock(&mapping->lock);
	if (pi_load(&mapping->pages, page->index) == page)
		pi_set_mark(&mapping->pages, page->index, FILEMAP_DIRTY);
	/* (A) */
	atomic_or_release(&page->flags, PG_DIRTY);
	spin_unlock(&mapping->lock);
}

void filemap_mark_dirty(struct page *page)
{
	/* (A): it changes nothing, and is ordered. */
	u32 flags = atomic_or_release(&page->flags, 0);
	struct address_space *mapping;

	if (flags & PG_DIRTY)
		return;
	/* The page may be leaving; an inode that it was of stays until the end of the section. */
	rcu_read_lock();
	mapping = flags & (PG_ANON | PG_SHMEM | PG_LOOSE) ? NULL :
		  atomic_load_relaxed(&page->mapping);
	if (mapping)
		mark_in(mapping, page);
	else
		page_set_flags(page, PG_DIRTY);
	rcu_read_unlock();
}

/* --------------------------------------------------------------------------------- errors -- */

/* The newest error that this file has not been told of, or 0. */
static int take_error(struct file *file)
{
	struct address_space *mapping = file->mapping;
	int err = 0;

	spin_lock(&mapping->lock);
	if (file->errors_told != mapping->write_errors) {
		file->errors_told = mapping->write_errors;
		mapping->errors_told = mapping->write_errors;
		err = mapping->write_error;
	}
	spin_unlock(&mapping->lock);
	return err;
}

/* -------------------------------------------------------------------------------- writers -- */

static bool can_write_back(const struct file *file)
{
	return file->ops && file->ops->write_page && (file_flags(file) & FILE_WRITE) &&
	       !(file->mapping->kind & (FILE_SHMEM | FILE_HUGETLB));
}

void writeback_open(struct file *file)
{
	struct address_space *mapping = file->mapping;

	spin_lock(&mapping->lock);
	file->errors_told = mapping->errors_told;
	if (can_write_back(file))
		list_add_tail(&file->on_writers, &mapping->writers);
	spin_unlock(&mapping->lock);
}

struct file *filemap_get_writer(struct address_space *mapping)
{
	struct file *writer = NULL;
	struct list_head *at;

	spin_lock(&mapping->lock);
	for (at = mapping->writers.next; !writer && at != &mapping->writers; at = at->next) {
		writer = container_of(at, struct file, on_writers);
		/* It leaves the list before its memory goes. */
		if (!file_get_rcu(writer))
			writer = NULL;
	}
	spin_unlock(&mapping->lock);
	return writer;
}

/* One that can write for @file, with a reference; NULL: nobody. */
static struct file *writer_for(struct file *file)
{
	return can_write_back(file) ? file_get(file) : filemap_get_writer(file->mapping);
}

/* -------------------------------------------------------------------------------- writing -- */

/* Step 1.  False: it is clean. */
static bool begin(struct address_space *mapping, struct page *page)
	__must_hold(page)
{
	bool dirty;

	spin_lock(&mapping->lock);
	/* (A) */
	dirty = atomic_and_acquire(&page->flags, ~(u32)PG_DIRTY) & PG_DIRTY;
	if (dirty) {
		pi_clear_mark(&mapping->pages, page->index, FILEMAP_DIRTY);
		pi_set_mark(&mapping->pages, page->index, FILEMAP_WRITEBACK);
	}
	spin_unlock(&mapping->lock);
	return dirty;
}

static void end(struct address_space *mapping, struct page *page, int err)
	__must_hold(page)
{
	spin_lock(&mapping->lock);
	pi_clear_mark(&mapping->pages, page->index, FILEMAP_WRITEBACK);
	if (err) {
		mapping->write_error = err;
		mapping->write_errors++;
	}
	spin_unlock(&mapping->lock);
}

/* Step 2.  True: there may be stores that nobody hears of. */
static bool protect(const struct page_cache *cache, struct page *page)
	__must_hold(page) __may_sleep
{
	/* Who would map it now waits for the page lock. */
	if (page_mapcount(page) && !cache->mkclean)
		return true;
	if (page_mapcount(page))
		cache->mkclean(page);
	return page_is_pinned(page);
}

static int write_bytes(struct file *writer, struct page *page)
	__must_hold(page) __may_sleep
{
	u64 offset = (u64)page->index << PAGE_SHIFT;
	u64 size = mapping_size(writer->mapping);		/* (C) */
	int err;

	/* About to be dropped. */
	if (offset >= size)
		return 0;
	err = writer->ops->write_page(writer, offset, page_bytes(page),
				      min(size - offset, (u64)PAGE_SIZE));
	if (VM_WARN_ON(err > 0 || err < -MAX_ERRNO, "driver %s: write_page() says %d",
		       file_driver(writer), err))
		return -EIO;
	if (!err && writer->ops->read_page)
		page_set_flags(page, PG_BACKED);
	return err;
}

int filemap_write_back(struct file *writer, struct page *page)
{
	struct address_space *mapping = writer->mapping;
	bool again;
	int err;

	if (!begin(mapping, page))
		return 0;
	again = protect(writer->instance->cache, page);
	err = write_bytes(writer, page);
	if (again || err)
		filemap_mark_dirty(page);
	end(mapping, page, err);
	return err;
}

static void write_page(struct file *writer, struct page *page, unsigned long index) __may_sleep
{
	struct address_space *mapping = writer->mapping;

	rwsem_read_lock(&mapping->invalidate_lock);
	page_lock(page);
	if (filemap_is_at(page, writer->mapping, index))
		filemap_write_back(writer, page);
	page_unlock(page);
	rwsem_read_unlock(&mapping->invalidate_lock);
}

/* The first page at *@index or behind it with the mark, and a reference. */
static struct page *next_marked(struct address_space *mapping, unsigned long *index,
				unsigned long last, enum pi_mark mark)
{
	struct page *page;
	bool held;

	do {
		spin_lock(&mapping->lock);
		page = pi_find(&mapping->pages, index, mark);
		if (page && *index >= last)
			page = NULL;
		held = page && page_try_get(page);
		spin_unlock(&mapping->lock);
	} while (page && !held);
	return page;
}

static void write_dirty(struct file *writer, unsigned long first, unsigned long last) __may_sleep
{
	struct page *page;

	for (; (page = next_marked(writer->mapping, &first, last, FILEMAP_DIRTY)); first++) {
		write_page(writer, page, first);
		page_put(page);
	}
}

/* For what others have begun to write. */
static void wait_written(struct address_space *mapping, unsigned long first, unsigned long last)
	__may_sleep
{
	struct page *page;

	for (; (page = next_marked(mapping, &first, last, FILEMAP_WRITEBACK)); first++) {
		page_lock(page);
		page_unlock(page);
		page_put(page);
	}
}

int file_sync(struct file *file, uint64_t start, uint64_t end)
{
	unsigned long first = start >> PAGE_SHIFT;
	unsigned long last = (end >> PAGE_SHIFT) + !!(end % PAGE_SIZE);
	struct file *writer;
	witness_call();

	if (start > end)
		return -EINVAL;
	writer = writer_for(file);
	if (writer) {
		filemap_end_in_zeros(file->mapping, first, last);
		write_dirty(writer, first, last);
		file_put(writer);
	}
	wait_written(file->mapping, first, last);
	return take_error(file);
}

void writeback_close(struct file *file)
	__context_unsafe("as the last file_put(), which may do what release() does")
{
	struct address_space *mapping = file->mapping;
	bool last;

	if (!can_write_back(file))
		return;
	spin_lock(&mapping->lock);
	list_del(&file->on_writers);
	last = list_empty(&mapping->writers);
	spin_unlock(&mapping->lock);
	if (last)
		write_dirty(file, 0, ALL_PAGES);
}
