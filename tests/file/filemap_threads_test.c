/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Threads that want the same pages of one inode, while another cuts it short, lets it grow and
 * punches holes into it, in an arena that is too small for all of it.
 */
#include "../ds/model.h"
#include "../sync/threads.h"
#include "pages.h"

#define WORKERS		3
#define ROUNDS		40000
#define PAGES		300ul		/* of the file, in an arena of ARENA_PAGES */

static struct machine machine;
static struct disk disk;
static struct file *files[2];
static u32 done;
static u32 mapped[PAGES];		/* a: entries that a page table would have */

/* -------------------------------------------------------------- one fill for all who want it -- */

#define WAITERS		4
static struct file *slow;
static u32 go, fills, wanted;

/* Does not return before all others are on their way, and lets the first attempt fail. */
static int slow_read_page(struct file *file, uint64_t offset, void *to, size_t bytes)
{
	u32 nth = atomic_add_relaxed(&fills, 1);

	wait_until(atomic_load_relaxed(&wanted) == WAITERS);
	if (!nth)
		return -EIO;
	memset(to, 'f', bytes);
	return 0;
}

static const struct file_operations slow_ops = { .owner = "test", .read_page = slow_read_page };

static void *want(void *arg)
{
	struct page *page = NULL;
	int err;

	wait_for_flag(&go);
	atomic_add_relaxed(&wanted, 1);
	err = filemap_get_page(slow, 5, FILEMAP_WAIT, &page);
	if (err)
		return NULL;
	VM_BUG_ON(((char *)page_bytes(page))[77] != 'f', "not filled");
	page_put(page);
	return page;
}

static void test_one_fill(void **state)
{
	const struct file_desc desc = { .size = sizeof(desc), .name = "/slow", .flags = FILE_READ,
					.size_bytes = 1ul << 20, .ops = &slow_ops };
	pthread_t threads[WAITERS];
	void *page, *first = NULL;
	int failed = 0;

	machine_open(&machine);
	assert_int_equal(file_create(machine.v, &desc, &slow), 0);
	for (int i = 0; i < WAITERS; i++)
		threads[i] = start(want, NULL);
	raise_flag(&go);
	for (int i = 0; i < WAITERS; i++) {
		pthread_join(threads[i], &page);
		failed += !page;
		if (page && first)
			assert_ptr_equal(page, first);
		if (page)
			first = page;
	}
	/* Who was first is told; another tries again; the rest share what it got. */
	assert_int_equal(failed, 1);
	assert_int_equal(fills, 2);
	file_put(slow);
	machine_close(&machine);
}

/* ------------------------------------------------------------------------------------ storm -- */

/* As the reverse map does: afterwards no page table has an entry for them. */
static void unmap(struct address_space *mapping, unsigned long first, unsigned long end,
		  enum unmap_what what)
{
	for (unsigned long i = first; i < min(end, PAGES); i++) {
		/* Pairs with the release in fault(). */
		u32 pfn = atomic_xchg_acquire(&mapped[i], 0);
		struct page *page;

		if (!pfn)
			continue;
		page = pfn_page(arena_frames(machine.v->arena), pfn);
		atomic_sub_relaxed(&page->mapcount, 1);
		page_put(page);
	}
}

/* A fault: map it under the page lock, if it is still there. */
static void fault(struct file *file, unsigned long pgoff, enum filemap_get how)
{
	struct page *page;
	u32 none = 0;
	int err = filemap_get_page(file, pgoff, how, &page);

	VM_BUG_ON(err && err != -EPASTEND && err != -ENOMEM && err != -EIO &&
		  (err != -EAGAIN || how != FILEMAP_TRY), "%d", err);
	if (err)
		return;
	if (page_trylock(page)) {
		if (filemap_is_at(page, file->mapping, pgoff)) {
			page_get(page);
			atomic_add_relaxed(&page->mapcount, 1);
			/* Pairs with the acquire in unmap(). */
			if (!atomic_cas_release(&mapped[pgoff], &none, (u32)page_pfn(page))) {
				VM_BUG_ON(none != page_pfn(page), "two pages at %lu", pgoff);
				atomic_sub_relaxed(&page->mapcount, 1);
				page_put(page);
			}
		}
		page_unlock(page);
	}
	page_put(page);
}

/* Byte 8 of a page is never written by the test: it is what the disk has, or was cut off. */
static void *work(void *arg)
{
	struct rng rng = { .state = 1 + 31 * (uintptr_t)arg };

	for (int i = 0; i < ROUNDS; i++) {
		struct file *file = files[rng_below(&rng, 2)];
		unsigned long pgoff = rng_below(&rng, PAGES);
		u8 byte;
		long n;

		switch (rng_below(&rng, 4)) {
		case 0:
			fault(file, pgoff, FILEMAP_TRY);
			break;
		case 1:
			fault(file, pgoff, FILEMAP_WAIT);
			break;
		default:
			n = file_read(file, pgoff * PAGE + 8, &byte, 1);
			VM_BUG_ON(n == 1 && byte != disk_byte(&disk, pgoff * PAGE + 8),
				  "page %lu: byte %u", pgoff, byte);
			VM_BUG_ON(n < 0 && n != -EIO && n != -ENOMEM, "%ld", n);
		}
		if (rng_below(&rng, 50) == 0)
			atomic_store_relaxed(&disk.fails, 1);
	}
	return NULL;
}

static void *change(void *arg)
{
	struct rng rng = { .state = 99 };

	while (!atomic_load_relaxed(&done)) {
		struct file *file = files[rng_below(&rng, 2)];
		unsigned long first = rng_below(&rng, PAGES);

		/* Whole pages: nothing is zeroed in place that others read meanwhile. */
		if (rng_below(&rng, 3)) {
			file_set_size(file, first * PAGE);
			for (unsigned long i = first; i < PAGES; i++)
				VM_BUG_ON(atomic_load_relaxed(&mapped[i]), "%lu is mapped", i);
			VM_BUG_ON(filemap_nr_pages(file->mapping) > first, "too many pages");
			file_set_size(file, PAGES * PAGE);
		} else {
			VM_BUG_ON(file_punch_hole(file, first * PAGE, 20 * PAGE), "punch");
		}
		port_yield();
	}
	return NULL;
}

static void test_storm(void **state)
{
	pthread_t workers[WORKERS], changer;
	char why[128];

	machine_open(&machine);
	machine.v->cache->unmap = unmap;
	disk.salt = 11;
	files[0] = file_make(&machine, 0, &disk, PAGES * PAGE, NULL);
	files[1] = file_make(&machine, 0, &disk, 0, files[0]);
	changer = start(change, NULL);
	for (uintptr_t i = 0; i < WORKERS; i++)
		workers[i] = start(work, (void *)i);
	for (int i = 0; i < WORKERS; i++)
		finish(workers[i]);
	raise_flag(&done);
	finish(changer);
	assert_true(filemap_check(files[0]->mapping, why, sizeof(why)));
	/* As unmapping the areas would. */
	unmap(files[0]->mapping, 0, PAGES, UNMAP_SHARED);
	file_put(files[0]);
	file_put(files[1]);
	machine_close(&machine);
}

/* --------------------------------------------------------------- writers of one growing file -- */

static struct file *growing;

/* Each its own 16-byte records, where no other writes, near the end that all push on. */
static void *append(void *arg)
{
	u8 record[16];

	memset(record, 1 + (int)(uintptr_t)arg, sizeof(record));
	for (u64 i = 0; i < 2000; i++) {
		u64 at = (i * WORKERS + (uintptr_t)arg) * sizeof(record);

		VM_BUG_ON(file_write(growing, at, record, sizeof(record)) != sizeof(record),
			  "write");
	}
	return NULL;
}

static void test_writers(void **state)
{
	pthread_t workers[WORKERS];

	machine_open(&machine);
	growing = file_make(&machine, FILE_SHMEM, NULL, 0, NULL);
	for (uintptr_t i = 0; i < WORKERS; i++)
		workers[i] = start(append, (void *)i);
	for (int i = 0; i < WORKERS; i++)
		finish(workers[i]);
	assert_int_equal(file_size(growing), 2000 * WORKERS * 16);
	for (u64 i = 0; i < 2000 * WORKERS; i++)
		assert_int_equal(byte_at(growing, 16 * i + 15), 1 + i % WORKERS);
	file_put(growing);
	machine_close(&machine);
}

/* Records that lie across pages now and then: each is in one piece, and none is lost. */
#define RECORD		24

static void *append_to_end(void *arg)
{
	u8 record[RECORD];

	memset(record, 1 + (int)(uintptr_t)arg, sizeof(record));
	for (int i = 0; i < 2000; i++)
		VM_BUG_ON(file_write(growing, 0, record, sizeof(record)) != sizeof(record),
			  "append");
	return NULL;
}

static void appends_are_whole(void **state)
{
	unsigned int nr[WORKERS] = { 0 };
	pthread_t workers[WORKERS];
	u8 record[RECORD];

	machine_open(&machine);
	growing = file_make(&machine, FILE_SHMEM | FILE_APPEND_ONLY, NULL, 0, NULL);
	for (uintptr_t i = 0; i < WORKERS; i++)
		workers[i] = start(append_to_end, (void *)i);
	for (int i = 0; i < WORKERS; i++)
		finish(workers[i]);
	assert_int_equal(file_size(growing), 2000 * WORKERS * RECORD);
	for (u64 i = 0; i < 2000 * WORKERS; i++) {
		assert_int_equal(file_read(growing, i * RECORD, record, RECORD), RECORD);
		assert_in_range(record[0], 1, WORKERS);
		assert_memory_equal(record, record + 1, RECORD - 1);
		nr[record[0] - 1]++;
	}
	for (int i = 0; i < WORKERS; i++)
		assert_int_equal(nr[i], 2000);
	file_put(growing);
	machine_close(&machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_fill),
		cmocka_unit_test(test_storm),
		cmocka_unit_test(test_writers),
		cmocka_unit_test(appends_are_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
