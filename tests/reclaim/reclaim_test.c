/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Which pages are taken back, when, and that their bytes are the same after it. */
#include <vmarea/file.h>
#include <vmarea/shrinker.h>

#include "disk.h"

static struct memory m;
static struct disk disk;
static struct file *file;

#define SHARED		((unsigned long)MAP_SHARED)
#define PRIVATE		((unsigned long)MAP_PRIVATE)

static void open_with(unsigned long arena_pages, unsigned long file_pages)
{
	memory_init(&m, arena_pages * PAGE_SIZE);
	m.s.config.thp = VMAREA_THP_NEVER;
	memory_create(&m);
	file = disk_open(&disk, m.s.v, file_pages);
}

static void close_all(void)
{
	memory_validate(m.s.mm);
	space_unmap(&m.s, 0, SPACE_PAGES);
	disk_close(&disk, file);
	memory_close(&m);
}

static void map_disk(unsigned long page, unsigned long nr, unsigned long how)
{
	assert_int_equal(space_map_file(&m.s, page, nr, RW, how, file, 0), 0);
}

static void read_all(unsigned long page, unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++)
		assert_int_equal(get(&m, page + i), disk_byte(i));
}

/* ------------------------------------------------------------------------ pages of files -- */

static void test_a_file_larger_than_the_arena_is_read(void **state)
{
	open_with(512, 2000);
	map_disk(0, 2000, SHARED);
	read_all(0, 2000);
	read_all(0, 2000);
	assert_true(reclaim_stats(&m).dropped > 3000);
	assert_int_equal(disk.writes, 0);
	close_all();
}

static void test_what_is_stored_is_written_back_before_it_is_dropped(void **state)
{
	open_with(512, 2000);
	map_disk(0, 2000, SHARED);
	for (unsigned long i = 0; i < 2000; i++)
		assert_int_equal(put(&m, i, (unsigned char)i), MM_FAULT_DONE);
	for (unsigned long i = 0; i < 2000; i++)
		assert_int_equal(get(&m, i), (unsigned char)i);
	assert_true(reclaim_stats(&m).written > 1000);
	assert_int_equal(file_sync(file, 0, UINT64_MAX), 0);
	for (unsigned long i = 0; i < 2000; i++)
		assert_int_equal(disk.bytes[i * PAGE_SIZE + 123], (unsigned char)i);
	close_all();
}

static void test_file_calls_reclaim_too(void **state)
{
	unsigned char page[PAGE_SIZE];

	open_with(512, 2000);
	for (unsigned long i = 0; i < 2000; i++) {
		memset(page, (int)(i + 1), sizeof(page));
		assert_int_equal(file_write(file, i * PAGE_SIZE, page, sizeof(page)),
				 sizeof(page));
	}
	for (unsigned long i = 0; i < 2000; i++) {
		assert_int_equal(file_read(file, i * PAGE_SIZE + 17, page, 1), 1);
		assert_int_equal(page[0], (unsigned char)(i + 1));
	}
	close_all();
}

static void test_a_page_that_cannot_be_written_stays(void **state)
{
	open_with(2048, 100);
	map_disk(0, 100, SHARED);
	for (unsigned long i = 0; i < 100; i++)
		assert_int_equal(put(&m, i, 0x55), MM_FAULT_DONE);
	disk.write_error = -EIO;
	reclaim_all_unused(&m);
	assert_int_equal(reclaim_stats(&m).dropped, 0);
	for (unsigned long i = 0; i < 100; i++)
		assert_int_equal(get(&m, i), 0x55);
	/* Each was tried, and the error is for whoever syncs. */
	assert_true(disk.writes >= 100);
	disk.write_error = 0;
	assert_int_equal(file_sync(file, 0, UINT64_MAX), -EIO);
	reclaim_all_unused(&m);
	assert_int_equal(reclaim_stats(&m).dropped, 100);
	for (unsigned long i = 0; i < 100; i++)
		assert_int_equal(get(&m, i), 0x55);
	close_all();
}

static void test_private_copies_are_nobodys_file(void **state)
{
	open_with(2048, 100);
	map_disk(0, 100, PRIVATE);
	for (unsigned long i = 0; i < 100; i += 2)
		assert_int_equal(put(&m, i, 0x77), MM_FAULT_DONE);
	reclaim_all_unused(&m);
	for (unsigned long i = 0; i < 100; i++)
		assert_int_equal(get(&m, i), i % 2 ? disk_byte(i) : 0x77);
	close_all();
}

/* What nobody could read again is not dropped. */
static void test_memory_of_its_own_stays(void **state)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/memfd",
		.flags = FILE_READ | FILE_WRITE | FILE_SHMEM, .size_bytes = 50 * PAGE_SIZE,
	};
	struct file *memfd;

	open_with(2048, 1);
	assert_int_equal(file_create(m.s.v, &desc, &memfd), 0);
	assert_int_equal(space_map_file(&m.s, 0, 50, RW, SHARED, memfd, 0), 0);
	for (unsigned long i = 0; i < 50; i++)
		assert_int_equal(put(&m, i, 0x33), MM_FAULT_DONE);
	reclaim_all_unused(&m);
	assert_int_equal(mm_rss(m.s.mm), 50);
	for (unsigned long i = 0; i < 50; i++)
		assert_int_equal(get(&m, i), 0x33);
	file_put(memfd);
	close_all();
}

static void test_pinned_pages_stay(void **state)
{
	struct page *pages[10];

	open_with(2048, 100);
	map_disk(0, 100, SHARED);
	read_all(0, 100);
	assert_int_equal(mm_pin_pages(m.s.mm, at(20), 10, MM_ACCESS_READ, pages), 10);
	reclaim_all_unused(&m);
	assert_int_equal(mm_rss(m.s.mm), 10);
	for (unsigned long i = 0; i < 10; i++)
		assert_int_equal(mm_frame(m.s.mm, 20 + i), page_pfn(pages[i]));
	mm_unpin_pages(pages, 10);
	reclaim_all_unused(&m);
	assert_int_equal(mm_rss(m.s.mm), 0);
	read_all(0, 100);
	close_all();
}

static void test_locked_pages_stay(void **state)
{
	open_with(2048, 100);
	map_disk(0, 100, SHARED);
	read_all(0, 100);
	assert_int_equal(mm_mlock(m.s.mm, at(40), 20 * PAGE_SIZE), 0);
	reclaim_all_unused(&m);
	assert_int_equal(mm_rss(m.s.mm), 20);
	assert_int_equal(mm_munlock(m.s.mm, at(40), 20 * PAGE_SIZE), 0);
	reclaim_all_unused(&m);
	assert_int_equal(mm_rss(m.s.mm), 0);
	close_all();
}

/* A child maps them, too; one look takes them from both. */
static void test_pages_go_from_all_who_map_them(void **state)
{
	struct mm_user *child;

	open_with(2048, 100);
	map_disk(0, 100, SHARED);
	read_all(0, 100);
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	for (unsigned long i = 0; i < 100; i++)
		assert_int_equal(mm_get(child, i), disk_byte(i));
	reclaim_all_unused(&m);
	assert_int_equal(mm_rss(m.s.mm), 0);
	assert_int_equal(mm_rss(child), 0);
	for (unsigned long i = 0; i < 100; i++)
		assert_int_equal(mm_get(child, i), disk_byte(i));
	mmput(child);
	close_all();
}

/* ---------------------------------------------------------------------------------- age -- */

/* What is used between the looks stays; what was read once goes. */
static void test_what_is_used_stays(void **state)
{
	unsigned int reads;

	open_with(1024, 4000);
	map_disk(0, 4000, SHARED);
	read_all(0, 50);
	for (unsigned long i = 50; i < 4000; i++) {
		assert_int_equal(get(&m, i), disk_byte(i));
		/* All of these are used again and again. */
		if (!(i % 25))
			read_all(0, 50);
	}
	reads = disk.reads;
	read_all(0, 50);
	assert_int_equal(disk.reads, reads);
	/* Read anew a few times, before a look could tell them from the others: of 8000. */
	assert_in_range(disk.reads, 4000, 4300);
	close_all();
}

static void test_what_is_used_by_file_calls_stays(void **state)
{
	unsigned char byte;
	unsigned int reads;

	open_with(1024, 4000);
	for (unsigned long i = 50; i < 4000; i++) {
		assert_int_equal(file_read(file, i * PAGE_SIZE, &byte, 1), 1);
		for (unsigned long j = 0; !(i % 25) && j < 50; j++)
			assert_int_equal(file_read(file, j * PAGE_SIZE, &byte, 1), 1);
	}
	reads = disk.reads;
	for (unsigned long j = 0; j < 50; j++)
		assert_int_equal(file_read(file, j * PAGE_SIZE, &byte, 1), 1);
	assert_int_equal(disk.reads, reads);
	close_all();
}

/* ------------------------------------------------------------------------------- limits -- */

static unsigned long frames_used(void)
{
	struct arena_stats stats;

	arena_get_stats(m.s.v->arena, &stats);
	return stats.total - stats.free - stats.cached;
}

static void test_an_instance_keeps_its_limit(void **state)
{
	open_with(4096, 3000);
	map_disk(0, 3000, SHARED);
	assert_int_equal(vmarea_limit(m.s.v), 4096 * PAGE_SIZE);
	read_all(0, 3000);
	assert_true(frames_used() > 3000);
	/* At once. */
	assert_int_equal(vmarea_set_limit(m.s.v, 500 * PAGE_SIZE), 0);
	assert_int_equal(vmarea_limit(m.s.v), 500 * PAGE_SIZE);
	assert_true(frames_used() <= 500);
	read_all(0, 3000);
	assert_true(frames_used() <= 500);
	/* And no more. */
	assert_int_equal(vmarea_set_limit(m.s.v, 0), 0);
	read_all(0, 3000);
	assert_true(frames_used() > 3000);
	close_all();
}

static void test_an_mm_keeps_its_limit_by_its_own_pages(void **state)
{
	struct mm_user *other;
	struct disk disk2;
	struct file *file2;

	open_with(8192, 3000);
	file2 = disk_open(&disk2, m.s.v, 200);
	assert_int_equal(mm_create(m.s.v, &m.s.mm_config, &other), 0);
	assert_int_equal(mm_mmap(other, at(0), 200 * PAGE_SIZE, RW, MAP_SHARED | MAP_FIXED, file2,
				 0), at(0));
	for (unsigned long i = 0; i < 200; i++)
		assert_int_equal(mm_get(other, i), disk_byte(i));
	map_disk(0, 3000, SHARED);
	assert_int_equal(mm_limit(m.s.mm), 0);
	assert_int_equal(mm_set_limit(m.s.mm, 400 * PAGE_SIZE), 0);
	for (unsigned long i = 0; i < 3000; i++) {
		assert_int_equal(get(&m, i), disk_byte(i));
		assert_true(mm_rss(m.s.mm) <= 400);
	}
	assert_int_equal(mm_rss(other), 200);
	assert_int_equal(mm_set_limit(m.s.mm, 100 * PAGE_SIZE), 0);
	assert_true(mm_rss(m.s.mm) <= 100);
	assert_int_equal(mm_set_limit(m.s.mm, 0), 0);
	read_all(0, 3000);
	assert_int_equal(mm_rss(m.s.mm), 3000);
	mmput(other);
	disk_close(&disk2, file2);
	close_all();
}

/* Nothing of it can go: that is an outcome, and the next fault is another. */
static void test_no_more_is_out_of_memory(void **state)
{
	unsigned long i;

	open_with(4096, 1);
	assert_int_equal(space_map(&m.s, 0, 2000, RW, ANON), 0);
	assert_int_equal(mm_set_limit(m.s.mm, 300 * PAGE_SIZE), 0);
	for (i = 0; i < 2000; i++)
		if (put(&m, i, 1) != MM_FAULT_DONE)
			break;
	assert_int_equal(i, 300);
	assert_int_equal(put(&m, i, 1), MM_FAULT_OOM);
	assert_int_equal(get(&m, 0), 1);
	assert_int_equal(mm_madvise(m.s.mm, at(0), PAGE_SIZE, MADV_DONTNEED), 0);
	assert_int_equal(put(&m, i, 1), MM_FAULT_DONE);
	assert_int_equal(mm_set_limit(m.s.mm, 0), 0);
	assert_int_equal(put(&m, i + 1, 1), MM_FAULT_DONE);

	assert_int_equal(vmarea_set_limit(m.s.v, 1 * PAGE_SIZE), 0);
	for (i = 500; i < 2000; i++)
		if (put(&m, i, 1) != MM_FAULT_DONE)
			break;
	assert_int_equal(put(&m, i, 1), MM_FAULT_OOM);
	assert_int_equal(vmarea_set_limit(m.s.v, 0), 0);
	assert_int_equal(put(&m, i, 1), MM_FAULT_DONE);
	close_all();
}

static void test_populate_reclaims(void **state)
{
	open_with(1024, 3000);
	map_disk(0, 3000, SHARED);
	assert_int_equal(mm_madvise(m.s.mm, at(0), 3000 * PAGE_SIZE, MADV_POPULATE_READ), 0);
	assert_true(reclaim_stats(&m).dropped > 1500);
	read_all(0, 3000);
	close_all();
}

/* ------------------------------------------------------------------------------- advice -- */

static void test_free_is_zeros_under_pressure_only(void **state)
{
	open_with(2048, 1);
	assert_int_equal(space_map(&m.s, 0, 100, RW, ANON), 0);
	for (unsigned long i = 0; i < 100; i++)
		assert_int_equal(put(&m, i, 9), MM_FAULT_DONE);
	assert_int_equal(mm_madvise(m.s.mm, at(0), 60 * PAGE_SIZE, MADV_FREE), 0);
	for (unsigned long i = 0; i < 100; i++)
		assert_int_equal(get(&m, i), 9);
	/* Written again: needed. */
	for (unsigned long i = 0; i < 20; i++)
		assert_int_equal(put(&m, i, 10), MM_FAULT_DONE);
	reclaim_all_unused(&m);
	assert_int_equal(reclaim_stats(&m).discarded, 40);
	assert_int_equal(mm_rss(m.s.mm), 60);
	for (unsigned long i = 0; i < 100; i++)
		assert_int_equal(get(&m, i), i < 20 ? 10 : i < 60 ? 0 : 9);
	close_all();
}

/* A child has it by the same frame: then it stays. */
static void test_free_of_a_shared_page_stays(void **state)
{
	struct mm_user *child;

	open_with(2048, 1);
	assert_int_equal(space_map(&m.s, 0, 10, RW, ANON), 0);
	for (unsigned long i = 0; i < 10; i++)
		assert_int_equal(put(&m, i, 9), MM_FAULT_DONE);
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	assert_int_equal(mm_madvise(m.s.mm, at(0), 10 * PAGE_SIZE, MADV_FREE), 0);
	reclaim_all_unused(&m);
	for (unsigned long i = 0; i < 10; i++)
		assert_int_equal(mm_get(child, i), 9);
	mmput(child);
	close_all();
}

/* What is stored by the frame after MADV_FREE is needed as what is stored by the address. */
static void test_free_of_a_pinned_page_stays(void **state)
{
	struct mm_translation t;

	open_with(2048, 1);
	assert_int_equal(space_map(&m.s, 0, 1, RW, ANON), 0);
	assert_int_equal(mm_translate(m.s.mm, byte_at(0), MM_ACCESS_WRITE, &t), MM_FAULT_DONE);
	*(unsigned char *)t.bytes = 9;
	assert_int_equal(mm_madvise(m.s.mm, at(0), PAGE_SIZE, MADV_FREE), 0);
	*(unsigned char *)t.bytes = 10;
	mm_translation_put(&t);
	reclaim_all_unused(&m);
	assert_int_equal(get(&m, 0), 10);
	/* The next one is as good as any. */
	assert_int_equal(mm_madvise(m.s.mm, at(0), PAGE_SIZE, MADV_FREE), 0);
	reclaim_all_unused(&m);
	assert_int_equal(get(&m, 0), 0);
	close_all();
}

static void test_pageout_is_at_once(void **state)
{
	open_with(2048, 100);
	map_disk(0, 100, SHARED);
	read_all(0, 100);
	for (unsigned long i = 0; i < 10; i++)
		assert_int_equal(put(&m, i, 0x42), MM_FAULT_DONE);
	assert_int_equal(mm_madvise(m.s.mm, at(0), 60 * PAGE_SIZE, MADV_PAGEOUT), 0);
	assert_int_equal(mm_rss(m.s.mm), 40);
	assert_int_equal(disk.writes, 10);
	for (unsigned long i = 0; i < 100; i++)
		assert_int_equal(get(&m, i), i < 10 ? 0x42 : disk_byte(i));
	close_all();
}

/* Up to the area that may not be advised, across holes. */
static void test_pageout_ends_where_it_is_refused(void **state)
{
	open_with(2048, 100);
	map_disk(0, 100, SHARED);
	read_all(0, 100);
	space_unmap(&m.s, 10, 10);
	assert_int_equal(mm_mlock(m.s.mm, at(40), 20 * PAGE_SIZE), 0);
	assert_int_equal(mm_madvise(m.s.mm, at(0), 100 * PAGE_SIZE, MADV_PAGEOUT), -EINVAL);
	for (unsigned long i = 0; i < 100; i++)
		assert_int_equal(mm_frame(m.s.mm, i) != 0, i >= 40);
	close_all();
}

/* Of several ranges the one that it ends in is advised as far as by madvise(). */
static void test_pageout_of_ranges_ends_where_it_is_refused(void **state)
{
	const struct mm_range ranges[] = {
		{ at(0), 20 * PAGE_SIZE }, { at(20), 40 * PAGE_SIZE }, { at(80), 20 * PAGE_SIZE },
	};

	open_with(2048, 100);
	map_disk(0, 100, SHARED);
	read_all(0, 100);
	assert_int_equal(mm_mlock(m.s.mm, at(40), 20 * PAGE_SIZE), 0);
	assert_int_equal(mm_process_madvise(m.s.mm, ranges, 3, MADV_PAGEOUT, 0, false),
			 20 * PAGE_SIZE);
	for (unsigned long i = 0; i < 100; i++)
		assert_int_equal(mm_frame(m.s.mm, i) != 0, i >= 40);
	/* One with a hole is advised, and is the last. */
	read_all(0, 100);
	assert_int_equal(space_unmap(&m.s, 5, 10), 0);
	assert_int_equal(mm_process_madvise(m.s.mm, ranges, 3, MADV_PAGEOUT, 0, false), -ENOMEM);
	for (unsigned long i = 0; i < 100; i++)
		assert_int_equal(mm_frame(m.s.mm, i) != 0, i >= 20);
	/* The first is refused at once. */
	assert_int_equal(mm_process_madvise(m.s.mm, ranges + 1, 2, MADV_PAGEOUT, 0, false), -EINVAL);
	for (unsigned long i = 0; i < 100; i++)
		assert_int_equal(mm_frame(m.s.mm, i) != 0, i >= 40);
	close_all();
}

/* The first look takes them; the others are given a second chance. */
static void test_cold_goes_first(void **state)
{
	open_with(2048, 100);
	map_disk(0, 100, SHARED);
	read_all(0, 100);
	assert_int_equal(mm_madvise(m.s.mm, at(25), 50 * PAGE_SIZE, MADV_COLD), 0);
	assert_int_equal(vmarea_reclaim(m.s.v, 50), 50);
	for (unsigned long i = 0; i < 100; i++)
		assert_int_equal(mm_frame(m.s.mm, i) != 0, i < 25 || i >= 75);
	close_all();
}

/* ---------------------------------------------------------------------------- shrinkers -- */

static unsigned long nr_objects;

static unsigned long count_objects(struct shrinker *shrinker)
{
	return nr_objects;
}

static unsigned long scan_objects(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long nr = min(nr_objects, sc->nr_to_scan);

	nr_objects -= nr;
	return nr;
}

static void test_shrinkers_are_asked(void **state)
{
	struct shrinker shrinker = {
		.name = "test", .count = count_objects, .scan = scan_objects, .seeks = 2,
		.batch = 8,
	};

	open_with(512, 2000);
	nr_objects = 1000;
	shrinker_register(m.s.v, &shrinker);
	map_disk(0, 2000, SHARED);
	read_all(0, 2000);
	assert_true(nr_objects < 1000);
	assert_int_equal(reclaim_stats(&m).shrunk, 1000 - nr_objects);
	shrinker_unregister(&shrinker);
	close_all();
}

/* It has as many as ever, and none of them lies in a frame. */
static unsigned long count_endless(struct shrinker *shrinker)
{
	return 100;
}

static unsigned long scan_endless(struct shrinker *shrinker, struct shrink_control *sc)
{
	return sc->nr_to_scan;
}

static void test_a_limit_that_cannot_be_kept_is_set(void **state)
{
	struct shrinker shrinker = {
		.name = "endless", .count = count_endless, .scan = scan_endless, .seeks = 2,
		.batch = 8,
	};

	open_with(512, 1);
	shrinker_register(m.s.v, &shrinker);
	assert_int_equal(vmarea_set_limit(m.s.v, PAGE_SIZE), 0);
	assert_int_equal(vmarea_set_limit(m.s.v, 0), 0);
	shrinker_unregister(&shrinker);
	close_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_file_larger_than_the_arena_is_read),
		cmocka_unit_test(test_what_is_stored_is_written_back_before_it_is_dropped),
		cmocka_unit_test(test_file_calls_reclaim_too),
		cmocka_unit_test(test_a_page_that_cannot_be_written_stays),
		cmocka_unit_test(test_private_copies_are_nobodys_file),
		cmocka_unit_test(test_memory_of_its_own_stays),
		cmocka_unit_test(test_pinned_pages_stay),
		cmocka_unit_test(test_locked_pages_stay),
		cmocka_unit_test(test_pages_go_from_all_who_map_them),
		cmocka_unit_test(test_what_is_used_stays),
		cmocka_unit_test(test_what_is_used_by_file_calls_stays),
		cmocka_unit_test(test_an_instance_keeps_its_limit),
		cmocka_unit_test(test_an_mm_keeps_its_limit_by_its_own_pages),
		cmocka_unit_test(test_no_more_is_out_of_memory),
		cmocka_unit_test(test_populate_reclaims),
		cmocka_unit_test(test_free_is_zeros_under_pressure_only),
		cmocka_unit_test(test_free_of_a_shared_page_stays),
		cmocka_unit_test(test_free_of_a_pinned_page_stays),
		cmocka_unit_test(test_pageout_is_at_once),
		cmocka_unit_test(test_pageout_ends_where_it_is_refused),
		cmocka_unit_test(test_pageout_of_ranges_ends_where_it_is_refused),
		cmocka_unit_test(test_cold_goes_first),
		cmocka_unit_test(test_shrinkers_are_asked),
		cmocka_unit_test(test_a_limit_that_cannot_be_kept_is_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
