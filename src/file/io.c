/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Reading and writing a file's bytes where its mappings have them.
 *
 * Bytes are copied page by page.  A read needs a reference to the page and nothing else; only that
 * there is no page, and so zeros, has to be seen with the invalidate lock held.  A write holds that
 * for read from before the page is got until the size has grown to what was written: no truncation
 * falls in between, which would leave a page past the end.
 *
 * A page that is written as a whole is not read before: a new frame gets the bytes, and then it is
 * added, so that nobody sees it half done.
 *
 * A file that may only be appended to is written at its end, wherever the caller says.  Where that
 * is has to stay so until all is written, so it holds the lock for write: what two threads append
 * is one behind the other.  Only to take back pages does it let go; has the file grown meanwhile,
 * that was all, as a write that finds no memory may do less than it was asked for.
 */
#include "base/str.h"
#include "file/swapped.h"
#include "phys/copy.h"

/* Of [at, at + bytes) what lies in one page. */
static size_t part_of_page(u64 at, size_t bytes)
{
	return min(bytes, (size_t)(PAGE_SIZE - at % PAGE_SIZE));
}

bool filemap_try_again(const struct address_space *mapping, int err, unsigned int *nr_tries)
{
	const struct page_cache *cache = mapping->instance->cache;

	return err == -ENOMEM && cache && cache->reclaim &&
	       cache->reclaim(mapping->instance, nr_tries);
}

static u64 most_bytes(const struct file *file)
{
	return file->max_bytes ? min(file->max_bytes, (u64)INT64_MAX) : INT64_MAX;
}

static char *bytes_at(struct page *page, u64 at)
{
	return (char *)page_bytes(page) + at % PAGE_SIZE;
}

/* ---------------------------------------------------------------------------------- read -- */

/*
 * Looks again for a page that was not found: is it in swap, is there a hole, or has the file become
 * shorter since its size was looked at?  NULL in *@page: a hole.
 */
static int find_hole(struct address_space *mapping, u64 at, struct page **page) __may_sleep
{
	int err = 0;

	rwsem_read_lock(&mapping->invalidate_lock);
	if (at < mapping_size(mapping))
		err = filemap_get_kept(mapping, at >> PAGE_SHIFT, page);
	else
		err = -EPASTEND;
	rwsem_read_unlock(&mapping->invalidate_lock);
	return err == -ENOENT ? 0 : err;
}

static int read_part(struct file *file, u64 at, void *to, size_t bytes) __may_sleep
{
	struct page *page = filemap_find_page(file->mapping, at >> PAGE_SHIFT);
	int err = 0;

	if (!page)
		err = filemap_is_zero_filled(file) ?
		      find_hole(file->mapping, at, &page) :
		      filemap_get_page(file, at >> PAGE_SHIFT, FILEMAP_WAIT, &page);
	if (err)
		return err;
	if (!page) {
		memset(to, 0, bytes);
		return 0;
	}
	frame_load(to, bytes_at(page, at), bytes);
	page_touch(page);
	page_put(page);
	return 0;
}

long file_read(struct file *file, uint64_t offset, void *to, size_t bytes)
{
	size_t done = 0;
	int err = 0;
	witness_call();

	if (offset > INT64_MAX)
		return -EINVAL;
	if (!(file_flags(file) & FILE_READ))
		return -EBADF;
	if (!file->instance->arena)
		return -EOPNOTSUPP;
	bytes = min(bytes, (size_t)INT64_MAX);
	while (done < bytes) {
		u64 at = offset + done, size = file_size(file);
		unsigned int nr_tries = 0;
		size_t part;

		if (at >= size)
			break;
		part = min(part_of_page(at, bytes - done), (size_t)(size - at));
		do
			err = read_part(file, at, (char *)to + done, part);
		while (filemap_try_again(file->mapping, err, &nr_tries));
		if (err)
			break;
		done += part;
	}
	/* Past the end: it has become shorter since. */
	return done || err == -EPASTEND ? (long)done : err;
}

/* --------------------------------------------------------------------------------- write -- */

/* A page of which every byte is given.  -EEXIST: it is there by now. */
static int add_written(struct address_space *mapping, u64 at, const void *from, struct page **out)
	__must_hold_shared(&mapping->invalidate_lock) __may_sleep
{
	struct page *page = page_alloc(mapping->instance->arena, 0, PAGE_ANYTHING);
	int err;

	if (!page)
		return -ENOMEM;
	memcpy(page_bytes(page), from, PAGE_SIZE);
	/* Until it is known what it is, as in filemap.c. */
	page_lock(page);
	page_set_flags(page, PG_UPTODATE);
	err = filemap_add(mapping, at >> PAGE_SHIFT, page);
	page_unlock(page);
	if (err)
		page_put(page);
	else
		*out = page;
	return err;
}

/* The page that has them now, with a reference. */
static int put_bytes(struct file *file, u64 at, const void *from, size_t bytes, struct page **out)
	__must_hold_shared(&file->mapping->invalidate_lock) __may_sleep
{
	struct page *page = filemap_find_page(file->mapping, at >> PAGE_SHIFT);
	int err = -EEXIST;

	if (!page && bytes == PAGE_SIZE)
		err = add_written(file->mapping, at, from, out);
	if (!page && err == -EEXIST)
		err = filemap_get_locked(file, at >> PAGE_SHIFT, FILEMAP_WAIT, FILEMAP_EXTEND,
					 &page);
	if (!page)
		return err;
	frame_store(bytes_at(page, at), from, bytes);
	*out = page;
	return 0;
}

static int check_seals(struct file *file, u64 end)
	__must_hold_shared(&file->mapping->invalidate_lock)
{
	u32 seals = filemap_seals(file);

	if (seals & FILE_SEALS_WRITE)
		return -EPERM;
	return (seals & F_SEAL_GROW) && end > file_size(file) ? -EPERM : 0;
}

/* And makes the file as long. */
static int write_locked(struct file *file, u64 at, const void *from, size_t bytes)
	__must_hold_shared(&file->mapping->invalidate_lock) __may_sleep
{
	struct page *page = NULL;
	int err = check_seals(file, at + bytes);

	if (!err)
		err = put_bytes(file, at, from, bytes, &page);
	if (err)
		return err;
	mapping_grow(file->mapping, at + bytes);
	/* Now: a write-back before it would have ended at the old size. */
	filemap_mark_dirty(page);
	page_touch(page);
	page_put(page);
	return 0;
}

static int write_part(struct file *file, u64 at, const void *from, size_t bytes) __may_sleep
{
	struct address_space *mapping = file->mapping;
	int err;

	rwsem_read_lock(&mapping->invalidate_lock);
	err = write_locked(file, at, from, bytes);
	rwsem_read_unlock(&mapping->invalidate_lock);
	return err;
}

static long write_at(struct file *file, u64 offset, const char *from, size_t bytes) __may_sleep
{
	u64 limit = most_bytes(file);
	size_t done = 0;
	int err = 0;

	if (offset >= limit)
		return -EFBIG;
	bytes = min(bytes, (size_t)(limit - offset));
	if (offset > file_size(file))
		filemap_zero_gap(file->mapping, offset);
	while (done < bytes && !err) {
		size_t part = part_of_page(offset + done, bytes - done);
		unsigned int nr_tries = 0;

		do
			err = write_part(file, offset + done, from + done, part);
		while (filemap_try_again(file->mapping, err, &nr_tries));
		if (!err)
			done += part;
	}
	return done ? (long)done : err;
}

/* What is written to the end of a file, and how much of it is there. */
struct append {
	const char *from;
	size_t bytes, done;
	u64 end;			/* of what is there */
};

static int append_locked(struct file *file, struct append *a)
	__must_hold(&file->mapping->invalidate_lock) __may_sleep
{
	u64 limit = most_bytes(file);
	int err = 0;

	if (!a->done)
		a->end = file_size(file);
	else if (a->end != file_size(file))
		return 0;
	if (a->end >= limit)
		return a->done ? 0 : -EFBIG;
	a->bytes = min(a->bytes, a->done + (size_t)(limit - a->end));
	while (a->done < a->bytes && !err) {
		size_t part = part_of_page(a->end, a->bytes - a->done);

		err = write_locked(file, a->end, a->from + a->done, part);
		if (!err) {
			a->done += part;
			a->end += part;
		}
	}
	return err;
}

static long append(struct file *file, const char *from, size_t bytes) __may_sleep
{
	struct append a = { .from = from, .bytes = bytes };
	unsigned int nr_tries = 0;
	int err;

	do {
		size_t before = a.done;

		rwsem_write_lock(&file->mapping->invalidate_lock);
		err = append_locked(file, &a);
		rwsem_write_unlock(&file->mapping->invalidate_lock);
		if (a.done > before)
			nr_tries = 0;
	} while (filemap_try_again(file->mapping, err, &nr_tries));
	return a.done ? (long)a.done : err;
}

long file_write(struct file *file, uint64_t offset, const void *from, size_t bytes)
{
	u32 flags = file_flags(file);
	witness_call();

	if (offset > INT64_MAX)
		return -EINVAL;
	if (!(flags & FILE_WRITE))
		return -EBADF;
	if (flags & FILE_HUGETLB)
		return -EINVAL;
	if (!file->instance->arena)
		return -EOPNOTSUPP;
	if (!bytes)
		return 0;
	return flags & FILE_APPEND_ONLY ? append(file, from, bytes) :
					  write_at(file, offset, from, bytes);
}

/* --------------------------------------------------------------------------------- holes -- */

int filemap_check_hole(const struct file *file, u64 offset, u64 bytes)
{
	if (!bytes || offset > INT64_MAX || bytes > INT64_MAX)
		return -EINVAL;
	return offset + bytes > most_bytes(file) ? -EFBIG : 0;
}

int file_punch_hole(struct file *file, uint64_t offset, uint64_t bytes)
{
	int err = filemap_check_hole(file, offset, bytes);
	witness_call();

	if (err == -EINVAL)
		return err;
	if (!(file_flags(file) & FILE_WRITE))
		return -EBADF;
	if (file_flags(file) & FILE_APPEND_ONLY)
		return -EPERM;
	return err ? err : filemap_punch(file, offset, offset + bytes);
}
