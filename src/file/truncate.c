/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Pages that leave a file: its size, holes, and the end of the inode.
 *
 * The order of a truncation is told in filemap.c.  Pages are dropped in batches under the index's
 * lock, as long as their page locks are free and nobody maps them; the one that is not is dealt
 * with alone, where its lock can be waited for.
 */
#include <vmarea/file.h>

#include "base/str.h"
#include "file/swapped.h"
#include "phys/copy.h"
#include "sync/witness.h"

#define ALL_PAGES		BIT(PI_INDEX_BITS)
#define BATCH			64u		/* what one node of the index holds */

struct batch {
	unsigned int nr;
	void *items[BATCH];
};

/* Under the index's lock, so it only tries.  Who locks the page next finds it nobody's. */
static bool take_page(void *arg, unsigned long index, void *item)
{
	struct batch *batch = arg;
	struct page *page = item;
	bool mapped;

	if (batch->nr == BATCH)
		return false;
	if (!item_is_page(item)) {
		batch->items[batch->nr++] = item;
		return true;
	}
	if (!page_trylock(page))
		return false;
	mapped = atomic_load_relaxed(&page->mapcount);
	if (!mapped) {
		atomic_store_relaxed(&page->mapping, NULL);
		batch->items[batch->nr++] = page;
	}
	page_unlock(page);
	return !mapped;
}

static void unmap(struct address_space *mapping, unsigned long first, unsigned long end,
		  enum unmap_what what)
	__must_hold(&mapping->invalidate_lock) __may_sleep
{
	const struct page_cache *cache = mapping->instance->cache;

	if (cache && cache->unmap)
		cache->unmap(mapping, first, end, what);
}

/* The page at @index is locked, or mapped.  Nobody else takes pages out, so it is still there. */
static void drop_one(struct address_space *mapping, unsigned long index, enum unmap_what what)
	__must_hold(&mapping->invalidate_lock) __may_sleep
{
	struct page *page = pi_load(&mapping->pages, index);

	page_get(page);
	page_lock(page);
	if (atomic_load_relaxed(&page->mapcount))
		unmap(mapping, index, index + 1, what);
	filemap_remove(mapping, page);
	page_unlock(page);
	page_put(page);
}

static void put_item(struct address_space *mapping, void *item)
{
	if (item_is_page(item))
		page_put(item);
	else
		item_drop(mapping->instance->swap, item);
}

static void drop_pages(struct address_space *mapping, unsigned long first, unsigned long end,
		       enum unmap_what what)
	__must_hold(&mapping->invalidate_lock) __may_sleep
{
	struct batch batch;

	while (first < end) {
		batch.nr = 0;
		spin_lock(&mapping->lock);
		first = pi_erase_range(&mapping->pages, first, end, take_page, &batch);
		spin_unlock(&mapping->lock);
		for (unsigned int i = 0; i < batch.nr; i++)
			put_item(mapping, batch.items[i]);
		if (first < end && batch.nr < BATCH)
			drop_one(mapping, first++, what);
	}
}

/*
 * Bytes of one page, if it is there: a page that is not is read, or begins as zeros, later.  One in
 * swap has been brought back, lock_for_parts().
 */
static void zero_part(struct address_space *mapping, u64 start, u64 end)
	__must_hold(&mapping->invalidate_lock) __may_sleep
{
	struct page *page = start < end ? filemap_find_any(mapping, start >> PAGE_SHIFT) : NULL;

	if (!page)
		return;
	page_lock(page);
	frame_zero((char *)page_bytes(page) + start % PAGE_SIZE, end - start);
	/* Of another file the page is where the bytes are kept, too, and those were told. */
	if (mapping->kind & FILE_SHMEM)
		filemap_mark_dirty(page);
	page_unlock(page);
	page_put(page);
}

/* The rest of the page that @start lies in. */
static void zero_rest(struct address_space *mapping, u64 start)
	__must_hold(&mapping->invalidate_lock) __may_sleep
{
	if (start % PAGE_SIZE)
		zero_part(mapping, start, start + (PAGE_SIZE - start % PAGE_SIZE));
}

/*
 * What was stored through a mapping past the end, in the last page, is no part of the file when
 * that grows.  (Linux 6.18 keeps it in a memfd, and so does this; a memfd clears it when it
 * shrinks.)
 */
static void forget_past_end(struct address_space *mapping)
	__must_hold(&mapping->invalidate_lock) __may_sleep
{
	if (!(mapping->kind & FILE_SHMEM))
		zero_rest(mapping, mapping_size(mapping));
}

void filemap_zero_gap(struct address_space *mapping, u64 offset)
{
	u64 size, rest;

	if (mapping->kind & FILE_SHMEM)
		return;
	rwsem_write_lock(&mapping->invalidate_lock);
	size = mapping_size(mapping);
	rest = PAGE_SIZE - size % PAGE_SIZE;
	if (size % PAGE_SIZE && offset > size)
		zero_part(mapping, size, size + min(rest, offset - size));
	rwsem_write_unlock(&mapping->invalidate_lock);
}

/*
 * Is the page that the file ends in to be written, with bytes behind the end?  By its mark, which
 * is there while the page is hidden, too.
 */
static bool ends_in_dirty_page(struct address_space *mapping, unsigned long first,
			       unsigned long last)
{
	u64 size = mapping_size(mapping);
	unsigned long pgoff = size >> PAGE_SHIFT, at = pgoff;
	bool dirty;

	if (!(size % PAGE_SIZE) || pgoff < first || pgoff >= last)
		return false;
	rcu_read_lock();
	dirty = pi_find(&mapping->pages, &at, FILEMAP_DIRTY) && at == pgoff;
	rcu_read_unlock();
	return dirty;
}

void filemap_end_in_zeros(struct address_space *mapping, unsigned long first, unsigned long last)
{
	if (!ends_in_dirty_page(mapping, first, last))
		return;
	rwsem_write_lock(&mapping->invalidate_lock);
	zero_rest(mapping, mapping_size(mapping));
	rwsem_write_unlock(&mapping->invalidate_lock);
}

static void set_size(struct address_space *mapping, u64 bytes)
	__must_hold(&mapping->invalidate_lock) __may_sleep
{
	u64 before = mapping_size(mapping);

	if (bytes > before)
		forget_past_end(mapping);
	/* (D): pairs with mapping_size(). */
	atomic_store_release(&mapping->size_bytes, bytes);
	if (bytes < before) {
		unmap(mapping, mapping_end(mapping), ALL_PAGES, UNMAP_COPIES);
		drop_pages(mapping, mapping_end(mapping), ALL_PAGES, UNMAP_COPIES);
		/* Copies that were made of pages before these were dropped. */
		unmap(mapping, mapping_end(mapping), ALL_PAGES, UNMAP_COPIES);
	}
	/* Also where the end stays: what was stored past it goes. */
	if (bytes <= before)
		zero_rest(mapping, bytes);
}

/*
 * -ENOMEM, -EIO: else what is to be zero would be there again when it can be read.  Of a page that
 * is lost nothing ever is.
 */
static int bring_back_part(struct address_space *mapping, u64 at)
	__must_hold(&mapping->invalidate_lock) __may_sleep
{
	struct page *page;
	int err;

	if (!(at % PAGE_SIZE) || !(mapping->kind & FILE_SHMEM))
		return 0;
	err = filemap_get_kept(mapping, at >> PAGE_SHIFT, &page);
	if (!err)
		page_put(page);
	if (err == -EIO && pi_load(&mapping->pages, at >> PAGE_SHIFT) == ITEM_LOST)
		return 0;
	return err == -ENOENT ? 0 : err;
}

/*
 * The invalidate lock for write, and the pages in whose middle @start and @end lie are in memory if
 * they are anywhere.  0; -ENOMEM, -EIO: not locked.
 */
static int lock_for_parts(struct address_space *mapping, u64 start, u64 end)
	__cond_acquires(0, &mapping->invalidate_lock) __may_sleep
{
	unsigned int nr_tries = 0;
	int err;

	do {
		rwsem_write_lock(&mapping->invalidate_lock);
		err = bring_back_part(mapping, start);
		if (!err)
			err = bring_back_part(mapping, end);
		if (!err)
			return 0;
		rwsem_write_unlock(&mapping->invalidate_lock);
	} while (filemap_try_again(mapping, err, &nr_tries));
	return err;
}

void filemap_set_size(struct address_space *mapping, u64 bytes)
{
	/* It cannot fail: what is behind the end and cannot be had stays, as on Linux. */
	if (lock_for_parts(mapping, bytes, bytes))
		rwsem_write_lock(&mapping->invalidate_lock);
	set_size(mapping, bytes);
	rwsem_write_unlock(&mapping->invalidate_lock);
}

static int may_truncate(const struct file *file, u64 bytes)
{
	u32 flags = file_flags(file);

	if (!(flags & FILE_WRITE) || bytes > INT64_MAX)
		return -EINVAL;
	if (flags & FILE_APPEND_ONLY)
		return -EPERM;
	if (file->max_bytes && bytes > file->max_bytes)
		return -EFBIG;
	return (flags & FILE_HUGETLB) && !IS_ALIGNED(bytes, BIT(file->huge_shift)) ? -EINVAL : 0;
}

static int ask_set_size(struct file *file, u64 bytes)
	__must_hold(&file->mapping->invalidate_lock) __may_sleep
{
	int err = file->ops->set_size(file, bytes);

	return FILE_ANSWER(file, "set_size()", err);
}

int file_truncate(struct file *file, uint64_t bytes)
{
	struct address_space *mapping = file->mapping;
	int err = may_truncate(file, bytes);
	witness_call();

	if (err)
		return err;
	err = lock_for_parts(mapping, bytes, bytes);
	if (err)
		return err;
	if (filemap_seals(file) & (bytes < mapping_size(mapping) ? F_SEAL_SHRINK :
				   bytes > mapping_size(mapping) ? F_SEAL_GROW : 0))
		err = -EPERM;
	else if (file->ops && file->ops->set_size)
		err = ask_set_size(file, bytes);
	if (!err)
		set_size(mapping, bytes);
	rwsem_write_unlock(&mapping->invalidate_lock);
	if (!err)
		file_unreserve(file, bytes);
	return err;
}

/* ------------------------------------------------------------------------ told by others -- */

/*
 * The page that the file ended in, if it is there: what comes behind that end, as it is now.
 * *no_frame: there is none to read it to.
 */
static int read_rest(struct file *file, u64 before, u64 now, bool *no_frame)
	__must_hold(&file->mapping->invalidate_lock) __may_sleep
{
	u64 start = ALIGN_DOWN(before, PAGE_SIZE), bytes = min(now - start, (u64)PAGE_SIZE);
	struct page *page, *fresh;
	int err;

	if (start == before || !file->ops->read_page)
		return 0;
	page = filemap_find_any(file->mapping, start >> PAGE_SHIFT);
	if (!page)
		return 0;
	fresh = page_alloc(file->instance->arena, 0, PAGE_ANYTHING);
	err = fresh ? file_ops_read_page(file, start, page_bytes(fresh), bytes) : -ENOMEM;
	*no_frame = !fresh;
	if (!err) {
		page_lock(page);
		frame_store((char *)page_bytes(page) + (before - start),
			    (char *)page_bytes(fresh) + (before - start), start + bytes - before);
		page_unlock(page);
	}
	if (fresh)
		page_put(fresh);
	page_put(page);
	return err;
}

static int ask_get_size(struct file *file, u64 *now)
	__must_hold(&file->mapping->invalidate_lock) __may_sleep
{
	int err = file->ops->get_size(file, now);

	err = FILE_ANSWER(file, "get_size()", err);
	if (!err && VM_WARN_ON(*now > INT64_MAX, "driver %s: get_size() says %llu bytes",
			       file_driver(file), (unsigned long long)*now))
		return -EINVAL;
	return err;
}

static int refresh(struct file *file, bool *no_frame) __may_sleep
{
	struct address_space *mapping = file->mapping;
	u64 before, now;
	int err;

	*no_frame = false;
	rwsem_write_lock(&mapping->invalidate_lock);
	before = now = mapping_size(mapping);
	err = ask_get_size(file, &now);
	if (!err && now > before) {
		forget_past_end(mapping);
		err = read_rest(file, before, now, no_frame);
		if (!err)
			/* (D): pairs with mapping_size(). */
			atomic_store_release(&mapping->size_bytes, now);
	} else if (!err && now < before) {
		err = bring_back_part(mapping, now);
		*no_frame = err == -ENOMEM;
		if (!err)
			set_size(mapping, now);
	}
	rwsem_write_unlock(&mapping->invalidate_lock);
	return err;
}

int file_refresh(struct file *file)
{
	unsigned int nr_tries = 0;
	bool no_frame;
	int err;
	witness_call();

	if (!file->ops || !file->ops->get_size)
		return -EOPNOTSUPP;
	do
		err = refresh(file, &no_frame);
	while (no_frame && filemap_try_again(file->mapping, err, &nr_tries));
	return err;
}

/* --------------------------------------------------------------------------------- holes -- */

/*
 * What is punched of [start, end), where the end of the file lies in it.  A memory file takes that
 * for bytes like others.  Linux's file systems have nothing to do behind the end, and if the hole
 * reaches there it has all of the last page.
 */
static u64 hole_end(const struct address_space *mapping, u64 start, u64 end)
	__must_hold_shared(&mapping->invalidate_lock)
{
	u64 size = mapping_size(mapping);

	if ((mapping->kind & FILE_SHMEM) || end <= size)
		return end;
	return start < size ? ALIGN(size, PAGE_SIZE) : start;
}

static void punch(struct address_space *mapping, u64 start, u64 end)
	__must_hold(&mapping->invalidate_lock) __may_sleep
{
	unsigned long first = DIV_ROUND_UP(start, PAGE_SIZE), last;

	end = hole_end(mapping, start, end);
	last = end >> PAGE_SHIFT;
	if (first > last) {
		zero_part(mapping, start, end);
	} else {
		zero_rest(mapping, start);
		zero_part(mapping, (u64)last << PAGE_SHIFT, end);
	}
	if (first < last) {
		unmap(mapping, first, last, UNMAP_SHARED);
		drop_pages(mapping, first, last, UNMAP_SHARED);
	}
}

static int ask_punch_hole(struct file *file, u64 start, u64 end)
	__must_hold(&file->mapping->invalidate_lock) __may_sleep
{
	int err = file->ops->punch_hole(file, start, end - start);

	return FILE_ANSWER(file, "punch_hole()", err);
}

int filemap_punch(struct file *file, u64 start, u64 end)
{
	struct address_space *mapping = file->mapping;
	int err = lock_for_parts(mapping, start, end);

	if (err)
		return err;
	if (filemap_seals(file) & FILE_SEALS_WRITE)
		err = -EPERM;
	else if (file->ops && file->ops->punch_hole)
		err = ask_punch_hole(file, start, end);
	if (!err)
		punch(mapping, start, end);
	rwsem_write_unlock(&mapping->invalidate_lock);
	return err;
}

void filemap_drop_all(struct address_space *mapping)
{
	rwsem_write_lock(&mapping->invalidate_lock);
	drop_pages(mapping, 0, ALL_PAGES, UNMAP_SHARED);
	rwsem_write_unlock(&mapping->invalidate_lock);
}
