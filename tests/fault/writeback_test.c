/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Stores by way of mappings, and msync().  Which entries map a page is known here: all are in the
 * window of one mm.
 */
#include <vmarea/file.h>

#include "../sync/threads.h"
#include "phys/copy.h"
#include "file/filemap.h"
#include "memory.h"

#define PAGES		8ul
#define BYTES		(PAGES * 4096)

static struct memory m;
static struct file *file;

/* ------------------------------------------------------------------ where the bytes are kept */

static unsigned char kept[BYTES];
static u32 writes;			/* a */
static int error;			/* a	of the next write */
static int read_error;			/* of all reads; 0: none */

static int plain_mmap(struct file *f, struct vma_new *vma) __in_mmap_hook;
static int plain_mmap(struct file *f, struct vma_new *vma)
{
	return 0;
}

static int read_page(struct file *f, uint64_t offset, void *to, size_t bytes)
{
	if (!read_error)
		frame_load(to, kept + offset, bytes);
	return read_error;
}

static int write_page(struct file *f, uint64_t offset, const void *from, size_t bytes)
{
	const u64 *in = from;
	u64 *out = (u64 *)(kept + offset);
	int err = atomic_xchg_acquire(&error, 0);

	atomic_add_relaxed(&writes, 1);
	for (size_t i = 0; !err && i < bytes / sizeof(u64); i++)
		atomic_store_relaxed(&out[i], atomic_load_relaxed(&in[i]));
	return err;
}

static const struct file_operations ops = {
	.owner = "store", .mmap = plain_mmap, .read_page = read_page, .write_page = write_page,
};

static void setup(void)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/f", .inode = 1, .ops = &ops,
		.flags = FILE_READ | FILE_WRITE, .size_bytes = BYTES,
	};

	memset(kept, 0, sizeof(kept));
	writes = 0;
	error = 0;
	read_error = 0;
	memory_open(&m);
	assert_int_equal(file_create(m.s.v, &desc, &file), 0);
	assert_int_equal(space_map_file(&m.s, 0, PAGES, RW, MAP_SHARED, file, 0), 0);
}

static unsigned char *kept_at(unsigned long page)
{
	return &kept[byte_at(page) - at(0)];
}

static long msync_pages(unsigned long first, unsigned long nr, int flags)
{
	return mm_msync(m.s.mm, at(first), nr * 4096, flags);
}

/* ----------------------------------------------------------------------------------- one call */

static void stores_are_written_back(void **state)
{
	setup();
	assert_int_equal(get(&m, 5), 0);
	assert_int_equal(put(&m, 2, 22), MM_FAULT_DONE);
	assert_int_equal(put(&m, 3, 33), MM_FAULT_DONE);
	assert_int_equal(msync_pages(0, PAGES, MS_ASYNC), 0);
	assert_int_equal(writes, 0);
	assert_int_equal(msync_pages(2, 1, MS_SYNC), 0);
	assert_int_equal(writes, 1);
	assert_int_equal(*kept_at(2), 22);
	assert_int_equal(*kept_at(3), 0);
	assert_int_equal(mm_attrs(m.s.mm, 2) & (PT_WRITE | PT_DIRTY), 0);
	/* A load leaves it clean, a store does not. */
	assert_int_equal(get(&m, 2), 22);
	assert_int_equal(msync_pages(0, PAGES, MS_SYNC), 0);
	assert_int_equal(writes, 2);
	assert_int_equal(put(&m, 2, 23), MM_FAULT_DONE);
	assert_int_equal(msync_pages(0, PAGES, MS_SYNC), 0);
	assert_int_equal(*kept_at(2), 23);
	assert_int_equal(writes, 3);
	/* Unmapped, and written by whoever goes last. */
	assert_int_equal(put(&m, 4, 44), MM_FAULT_DONE);
	file_put(file);
	assert_int_equal(writes, 3);
	assert_int_equal(mm_munmap(m.s.mm, at(0), BYTES), 0);
	assert_int_equal(*kept_at(4), 44);
	assert_int_equal(writes, 4);
	memory_close(&m);
}

static void msync_tells_once(void **state)
{
	setup();
	assert_int_equal(put(&m, 1, 1), MM_FAULT_DONE);
	error = -ENOSPC;
	assert_int_equal(msync_pages(0, PAGES, MS_SYNC), -ENOSPC);
	assert_int_equal(*kept_at(1), 0);
	assert_int_equal(msync_pages(0, PAGES, MS_SYNC), 0);
	assert_int_equal(*kept_at(1), 1);
	/* A hole: what lies around it is written all the same. */
	assert_int_equal(put(&m, 1, 2), MM_FAULT_DONE);
	assert_int_equal(put(&m, 6, 6), MM_FAULT_DONE);
	assert_int_equal(mm_munmap(m.s.mm, at(3), 4096), 0);
	assert_int_equal(msync_pages(0, PAGES, MS_SYNC), -ENOMEM);
	assert_int_equal(*kept_at(1), 2);
	assert_int_equal(*kept_at(6), 6);
	/* A lock that MS_INVALIDATE meets: what lies before it is written. */
	assert_int_equal(put(&m, 1, 3), MM_FAULT_DONE);
	assert_int_equal(put(&m, 6, 7), MM_FAULT_DONE);
	assert_int_equal(mm_mlock(m.s.mm, at(5), 4096), 0);
	assert_int_equal(msync_pages(4, 4, MS_SYNC | MS_INVALIDATE), -EBUSY);
	assert_int_equal(*kept_at(6), 6);
	assert_int_equal(msync_pages(0, 3, MS_SYNC | MS_INVALIDATE), 0);
	assert_int_equal(*kept_at(1), 3);
	file_put(file);
	memory_close(&m);
}

static void private_stores_are_not(void **state)
{
	setup();
	assert_int_equal(space_map_file(&m.s, PAGES, PAGES, RW, MAP_PRIVATE, file, 0), 0);
	assert_int_equal(put(&m, PAGES + 1, 9), MM_FAULT_DONE);
	assert_int_equal(put(&m, 2, 2), MM_FAULT_DONE);
	assert_int_equal(msync_pages(PAGES, PAGES, MS_SYNC), 0);
	assert_int_equal(writes, 0);
	assert_int_equal(file_sync(file, 0, UINT64_MAX), 0);
	assert_int_equal(writes, 1);
	assert_int_equal(*kept_at(1), 0);
	file_put(file);
	memory_close(&m);
}

/* Whatever number it has: nobody asks for ever. */
static void a_page_that_cannot_be_read_is_a_bus_error(void **state)
{
	static const int errors[] = { -EIO, -ENXIO, -EEXIST, -EAGAIN, -ENOENT };

	setup();
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		read_error = errors[i];
		assert_int_equal(get(&m, 1), NO_BYTE(BUS));
		assert_int_equal(put(&m, 1, 1), MM_FAULT_BUS);
		assert_int_equal(mm_madvise(m.s.mm, at(1), 4096, MADV_POPULATE_READ), -EFAULT);
	}
	read_error = 0;
	assert_int_equal(get(&m, 1), 0);
	file_put(file);
	memory_close(&m);
}

/* ------------------------------------------------------------------------------------ threads */

#define ROUNDS		2000

static u32 done;

static void store_at(unsigned long page, unsigned long word, u64 value)
{
	enum mm_fault fault;

	VM_BUG_ON(mm_write(m.s.mm, at(page) + word * 8, &value, 8, &fault) != 8, "%d", fault);
}

/* The words of its own that each thread stores to, and what is kept of them. */
static void *store_and_sync(void *arg)
{
	unsigned long word = (uintptr_t)arg;

	for (u64 i = 1; i <= ROUNDS; i++) {
		unsigned long page = i % 4;
		const u64 *in = (const u64 *)(kept + page * 4096) + word;

		store_at(page, word, i);
		if (i % 3)
			continue;
		VM_BUG_ON(msync_pages(page, 1, MS_SYNC), "msync");
		VM_BUG_ON(atomic_load_relaxed(in) != i, "%lu is kept of %lu",
			  (unsigned long)atomic_load_relaxed(in), (unsigned long)i);
	}
	return NULL;
}

/* Pages leave the table, dirty, and those behind the others the file. */
static void *take_away(void *arg)
{
	for (unsigned long i = 0; !atomic_load_relaxed(&done); i++) {
		VM_BUG_ON(mm_madvise(m.s.mm, at(i % 4), 4096, MADV_DONTNEED), "madvise");
		file_set_size(file, 4 * 4096);
		file_set_size(file, BYTES);
		port_yield();
	}
	return NULL;
}

static void no_store_is_lost(void **state)
{
	pthread_t threads[2], taker;

	setup();
	done = 0;
	taker = start(take_away, NULL);
	for (uintptr_t i = 0; i < 2; i++)
		threads[i] = start(store_and_sync, (void *)i);
	for (int i = 0; i < 2; i++)
		finish(threads[i]);
	raise_flag(&done);
	finish(taker);
	file_put(file);
	memory_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stores_are_written_back),
		cmocka_unit_test(msync_tells_once),
		cmocka_unit_test(private_stores_are_not),
		cmocka_unit_test(a_page_that_cannot_be_read_is_a_bus_error),
		cmocka_unit_test(no_store_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
