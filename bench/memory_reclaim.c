/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * memory_bench: pages taken back.
 *
 * A clean page of a file that nobody else uses, by MADV_PAGEOUT on both sides; the kernel's file is
 * one of the folder the program runs in, ours has its bytes in memory.  And an anonymous page to a
 * swap area in memory and back, which has no peer here: the kernel of a test machine has no swap.
 */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vmarea/driver.h>
#include <vmarea/swap.h>
#include <vmarea/vmarea.h>

#include "memory_bench.h"

#define TAKEN_BYTES	(4 * MIB)
#define TAKEN_PAGES	(TAKEN_BYTES / PAGE)
#define TAKEN_TIMES	8
#define FILE_AREA	0x100000000ul
#define ANON_AREA	0x140000000ul

/* ---------------------------------------------------------------------------------- ours -- */

static struct vmarea *instance;
static struct mm_user *mm;
static char store[TAKEN_BYTES], swapped[2 * TAKEN_BYTES];

static int allow(struct file *file, struct vma_new *vma) __in_mmap_hook;
static int allow(struct file *file, struct vma_new *vma)
{
	return 0;
}

static int read_file_page(struct file *file, uint64_t offset, void *to, size_t bytes)
{
	memcpy(to, store + offset, bytes);
	return 0;
}

static int read_slot(void *private_data, uint64_t slot, void *to)
{
	memcpy(to, swapped + slot * PAGE, PAGE);
	return 0;
}

static int write_slot(void *private_data, uint64_t slot, const void *from)
{
	memcpy(swapped + slot * PAGE, from, PAGE);
	return 0;
}

static void make_file(void)
{
	static const struct file_operations ops = {
		.owner = "bench", .mmap = allow, .read_page = read_file_page,
	};
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/bench", .ops = &ops, .inode = 1,
		.flags = FILE_READ, .size_bytes = TAKEN_BYTES,
	};
	struct file *file;

	must(!file_create(instance, &desc, &file));
	must(mm_mmap(mm, FILE_AREA, TAKEN_BYTES, PROT_READ, MAP_SHARED | MAP_FIXED, file, 0) ==
	     (long)FILE_AREA);
	file_put(file);
}

void make_our_reclaim(void)
{
	static const struct swap_ops ops = { .read_page = read_slot, .write_page = write_slot };
	const struct swap_desc desc = {
		.size = sizeof(desc), .name = "memory", .ops = &ops, .nr_slots = 2 * TAKEN_PAGES,
	};
	struct vmarea_config config = VMAREA_CONFIG_INIT;
	struct mm_config mm_config = MM_CONFIG_INIT;
	unsigned int id;

	config.arena_bytes = 32 * MIB;
	config.thp = VMAREA_THP_NEVER;
	must(!vmarea_create(&config, &instance));
	must(!mm_create(instance, &mm_config, &mm));
	must(!vmarea_swapon(instance, &desc, &id));
	make_file();
	must(mm_mmap(mm, ANON_AREA, TAKEN_BYTES, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0) == (long)ANON_AREA);
}

void end_our_reclaim(void)
{
	mmput(mm);
	vmarea_destroy(instance);
}

static void touch(unsigned long at, enum mm_access access)
{
	for (unsigned long end = at + TAKEN_BYTES; at < end; at += PAGE)
		must(mm_handle_fault(mm, at, access) == MM_FAULT_DONE);
}

void our_reclaim(double *ns)
{
	uint64_t start;

	for (int i = 0; i < TAKEN_TIMES; i++) {
		struct mm_stats stats;

		touch(FILE_AREA, MM_ACCESS_READ);
		touch(ANON_AREA, MM_ACCESS_WRITE);
		start = cpu_ns();
		must(!mm_madvise(mm, FILE_AREA, TAKEN_BYTES, MADV_PAGEOUT));
		lap(&ns[DROPPED], &start, TAKEN_TIMES * TAKEN_PAGES);
		must(!mm_madvise(mm, ANON_AREA, TAKEN_BYTES, MADV_PAGEOUT));
		lap(&ns[TO_SWAP], &start, TAKEN_TIMES * TAKEN_PAGES);
		mm_get_stats(mm, &stats);
		must(!stats.file_pages && stats.swap_pages == TAKEN_PAGES);
		start = cpu_ns();
		touch(ANON_AREA, MM_ACCESS_WRITE);
		lap(&ns[FROM_SWAP], &start, TAKEN_TIMES * TAKEN_PAGES);
	}
}

/* -------------------------------------------------------------------------------- theirs -- */

static char *area;

void make_their_reclaim(void)
{
	char name[] = "bench-XXXXXX";
	int fd = mkstemp(name);

	must(fd >= 0 && !unlink(name));
	must(write(fd, store, TAKEN_BYTES) == (ssize_t)TAKEN_BYTES && !fsync(fd));
	area = mmap(NULL, TAKEN_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	must(area != MAP_FAILED && !close(fd));
}

/* In a file system of memory they stay. */
static bool most_are_gone(void)
{
	unsigned char in_core[TAKEN_PAGES];
	unsigned long nr = 0;

	must(!mincore(area, TAKEN_BYTES, in_core));
	for (unsigned long i = 0; i < TAKEN_PAGES; i++)
		nr += in_core[i] & 1;
	return nr < TAKEN_PAGES / 2;
}

void their_reclaim(double *ns)
{
	for (int i = 0; i < TAKEN_TIMES; i++) {
		uint64_t start;

		must(!madvise(area, TAKEN_BYTES, MADV_POPULATE_READ));
		start = cpu_ns();
		must(!madvise(area, TAKEN_BYTES, MADV_PAGEOUT));
		lap(&ns[DROPPED], &start, TAKEN_TIMES * TAKEN_PAGES);
		if (!most_are_gone())
			ns[DROPPED] = NAN;
	}
}
