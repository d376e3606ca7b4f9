/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A machine with frames, and files to read: byte n of a test file is known, can be changed behind
 * the library's back, and each read of a page is counted.
 */
#ifndef TESTS_FILE_PAGES_H
#define TESTS_FILE_PAGES_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <vmarea/debug.h>
#include <vmarea/vmarea.h>

#include "base/atomic.h"
#include "file/filemap.h"

#define PAGE		((unsigned long)PAGE_SIZE)
#define ARENA_PAGES	1024ul

struct machine {
	struct vmarea *v;
	unsigned long free;		/* frames, at the beginning */
};

/* What is behind a file; the first letter of its name. */
struct disk {
	u32 reads;			/* atomic: read_page() was called so often */
	u32 fails;			/* atomic: so many calls fail first */
	int error;			/* with that; 0: -EIO */
	u8 salt;			/* changes every byte */
};

static inline u8 disk_byte(const struct disk *disk, u64 offset)
{
	return (u8)(offset + (offset >> 12) + (offset >> 33) + disk->salt);
}

static inline int disk_read_page(struct file *file, uint64_t offset, void *to, size_t bytes)
{
	struct disk *disk = file_private_data(file);
	u32 left = atomic_load_relaxed(&disk->fails);

	VM_BUG_ON(!bytes || bytes > PAGE || offset % PAGE || offset + bytes > file_size(file),
		  "asked for %zu bytes at %lx", bytes, (unsigned long)offset);
	atomic_add_relaxed(&disk->reads, 1);
	while (left)
		if (atomic_cas_relaxed(&disk->fails, &left, left - 1))
			return disk->error ? disk->error : -EIO;
	for (size_t i = 0; i < bytes; i++)
		((u8 *)to)[i] = disk_byte(disk, offset + i);
	return 0;
}

static const struct file_operations disk_ops = { .owner = "test", .read_page = disk_read_page };

static inline unsigned long free_frames(const struct machine *m)
{
	struct arena_stats stats;

	arena_get_stats(m->v->arena, &stats);
	return stats.free + stats.cached;
}

static inline void machine_open(struct machine *m)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;

	config.arena_bytes = ARENA_PAGES * PAGE;
	assert_int_equal(vmarea_create(&config, &m->v), 0);
	m->free = free_frames(m);
}

/* Nothing is left: no page, no node of an index. */
static inline void machine_close(struct machine *m)
{
	port_rcu_barrier();
	assert_int_equal(free_frames(m), m->free);
	vmarea_destroy(m->v);
}

static inline struct file *file_make(struct machine *m, unsigned int flags, struct disk *disk,
				     u64 size, struct file *same_inode)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/test", .flags = FILE_READ | FILE_WRITE | flags,
		.ops = disk ? &disk_ops : NULL, .private_data = disk, .size_bytes = size,
		.same_inode = same_inode,
	};
	struct file *file;

	assert_int_equal(file_create(m->v, &desc, &file), 0);
	return file;
}

static inline struct page *get(struct file *file, unsigned long pgoff)
{
	struct page *page = NULL;

	assert_int_equal(filemap_get_page(file, pgoff, FILEMAP_WAIT, &page), 0);
	assert_non_null(page);
	return page;
}

static inline u8 byte_at(struct file *file, u64 offset)
{
	struct page *page = get(file, offset >> PAGE_SHIFT);
	u8 byte = ((u8 *)page_bytes(page))[offset % PAGE];

	page_put(page);
	return byte;
}

#endif
