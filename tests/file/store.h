/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Where a file's bytes are kept: in memory, with a note of what was written in which order. */
#ifndef TESTS_FILE_STORE_H
#define TESTS_FILE_STORE_H

#include "pages.h"

#define STORE_PAGES	64ul

struct store {
	u8 bytes[STORE_PAGES * PAGE];
	u32 writes;			/* a */
	unsigned long order[256];	/* the pages, of the first writes */
	size_t last_bytes;		/* of the last write */
	int error;			/* what write_page() returns instead, once */
	void (*during)(struct store *store);	/* once, inside of a write */
};

static inline int store_read_page(struct file *file, uint64_t offset, void *to, size_t bytes)
{
	struct store *store = file_private_data(file);

	memcpy(to, store->bytes + offset, bytes);
	return 0;
}

static inline int store_write_page(struct file *file, uint64_t offset, const void *from,
				   size_t bytes)
{
	struct store *store = file_private_data(file);
	void (*during)(struct store *store) = store->during;
	u32 nth = atomic_add_relaxed(&store->writes, 1);
	int err = store->error;

	VM_BUG_ON(!bytes || bytes > PAGE || offset % PAGE || offset + bytes > sizeof(store->bytes),
		  "asked to write %zu bytes at %lx", bytes, (unsigned long)offset);
	if (nth < ARRAY_SIZE(store->order))
		store->order[nth] = offset >> PAGE_SHIFT;
	store->last_bytes = bytes;
	store->error = 0;
	if (err)
		return err;
	memcpy(store->bytes + offset, from, bytes);
	store->during = NULL;
	if (during)
		during(store);
	return 0;
}

static const struct file_operations store_ops = {
	.owner = "store", .read_page = store_read_page, .write_page = store_write_page,
};

static inline struct file *store_open(struct machine *m, struct store *store, unsigned int flags,
				      u64 size, struct file *same_inode)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/store", .flags = FILE_READ | flags,
		.ops = &store_ops, .private_data = store, .size_bytes = size,
		.same_inode = same_inode,
	};
	struct file *file;

	assert_int_equal(file_create(m->v, &desc, &file), 0);
	return file;
}

#endif
