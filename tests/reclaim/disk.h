/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A file whose bytes are elsewhere, in the memory of the test, with counts of who came for them. */
#ifndef TESTS_RECLAIM_DISK_H
#define TESTS_RECLAIM_DISK_H

#include <stdlib.h>

#include "../fault/memory.h"
#include "phys/copy.h"
#include "reclaim/reclaim.h"

struct disk {
	unsigned char *bytes;
	unsigned long nr_pages;
	unsigned int reads, writes;	/* a */
	int write_error;		/* a	instead of writing */
};

static inline int disk_mmap(struct file *file, struct vma_new *vma) __in_mmap_hook;
static inline int disk_mmap(struct file *file, struct vma_new *vma)
{
	return 0;
}

static inline int disk_read_page(struct file *file, uint64_t offset, void *to, size_t bytes)
{
	struct disk *disk = file_private_data(file);

	__atomic_add_fetch(&disk->reads, 1, __ATOMIC_RELAXED);
	frame_load(to, disk->bytes + offset, bytes);
	return 0;
}

static inline int disk_write_page(struct file *file, uint64_t offset, const void *from,
				  size_t bytes)
{
	struct disk *disk = file_private_data(file);
	int err = __atomic_load_n(&disk->write_error, __ATOMIC_RELAXED);

	__atomic_add_fetch(&disk->writes, 1, __ATOMIC_RELAXED);
	/* Others may be storing to the page. */
	if (!err)
		frame_load(disk->bytes + offset, from, bytes);
	return err;
}

static const struct file_operations disk_ops = {
	.owner = "disk", .mmap = disk_mmap, .read_page = disk_read_page,
	.write_page = disk_write_page,
};

static inline unsigned char disk_byte(unsigned long page)
{
	return (unsigned char)(page * 7 + 3);
}

/* Every byte of page n is disk_byte(n). */
static inline struct file *disk_open(struct disk *disk, struct vmarea *v, unsigned long nr_pages)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/disk", .flags = FILE_READ | FILE_WRITE,
		.ops = &disk_ops, .private_data = disk, .size_bytes = nr_pages * PAGE_SIZE,
	};
	struct file *file;

	*disk = (struct disk){ .bytes = malloc(nr_pages * PAGE_SIZE), .nr_pages = nr_pages };
	assert_non_null(disk->bytes);
	for (unsigned long i = 0; i < nr_pages; i++)
		memset(disk->bytes + i * PAGE_SIZE, disk_byte(i), PAGE_SIZE);
	assert_int_equal(file_create(v, &desc, &file), 0);
	return file;
}

static inline void disk_close(struct disk *disk, struct file *file)
{
	file_put(file);
	free(disk->bytes);
}

static inline struct vmarea_reclaim_stats reclaim_stats(struct memory *m)
{
	struct vmarea_reclaim_stats stats;

	vmarea_get_reclaim_stats(m->s.v, &stats);
	return stats;
}

/* Looked at so often that whoever does not use them has none left. */
static inline void reclaim_all_unused(struct memory *m)
{
	while (vmarea_reclaim(m->s.v, 1ul << 20))
		;
}

#endif
