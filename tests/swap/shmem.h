/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Shared memory that goes to swap, page by page. */
#ifndef TESTS_SWAP_SHMEM_H
#define TESTS_SWAP_SHMEM_H

#include <vmarea/file.h>

#include "file/swapped.h"
#include "store.h"

static inline struct file *shmem_open(struct vmarea *v, unsigned long nr_pages)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/memfd:swapped",
		.flags = FILE_READ | FILE_WRITE | FILE_SHMEM | FILE_SEALABLE,
		.size_bytes = nr_pages * PAGE_SIZE,
	};
	struct file *file;

	assert_int_equal(file_create(v, &desc, &file), 0);
	return file;
}

static inline int shmem_unmap_and_send(struct file *file, struct page *page)
	__must_hold(page) __must_hold_shared(&file->mapping->invalidate_lock) __may_sleep
{
	struct rmap_unmap how = { .leave = RMAP_LEAVE_NONE, .wait = RMAP_TRY };
	int err = page_mapcount(page) ? rmap_unmap(page, &how) : 0;

	return err ? err : filemap_swap_out(file->mapping, page);
}

/* Page @pgoff goes to swap, as reclaim sends it there.  -ENOENT: it is not in memory. */
static inline int shmem_send_out(struct file *file, unsigned long pgoff)
{
	struct page *page = filemap_find_page(file->mapping, pgoff);
	int err = -EAGAIN;

	if (!page)
		return -ENOENT;
	if (page_trylock(page)) {
		if (!filemap_is_at(page, file->mapping, pgoff)) {
			err = -ENOENT;
		} else if (rwsem_read_trylock(&file->mapping->invalidate_lock)) {
			err = shmem_unmap_and_send(file, page);
			rwsem_read_unlock(&file->mapping->invalidate_lock);
		}
		page_unlock(page);
	}
	page_put(page);
	return err;
}

#endif
