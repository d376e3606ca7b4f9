/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Memory under pressure, with swap: every byte is right at the end.
 *
 * With a number as its argument, `everything at once` is that many MiB in an eighth of it: see
 * scripts/soak.sh.
 */
#include "../swap/store.h"
#include "disk.h"

static struct memory m;
static struct store store;
static struct disk disk;
static struct file *file;
static unsigned long nr_mib = 32;

static void open_with(unsigned long arena_pages, unsigned long slots, enum vmarea_thp thp)
{
	memory_init(&m, arena_pages * PAGE_SIZE);
	m.s.config.thp = thp;
	memory_create(&m);
	store_on(&store, m.s.v, (u32)slots, 0);
}

static void close_all(void)
{
	memory_validate(m.s.mm);
	assert_int_equal(space_unmap(&m.s, 0, SPACE_PAGES), 0);
	assert_int_equal(vmarea_swapoff(m.s.v, store.id), 0);
	store_free(&store);
	memory_close(&m);
}

/* No two of them are alike, and no two pages. */
static u64 word_of(unsigned long page, unsigned long i)
{
	return (page << 16 | i) * 0x9e3779b97f4a7c15ul | 1;
}

static void fill(struct mm_user *mm, unsigned long page)
{
	u64 words[PAGE_SIZE / 8];
	enum mm_fault fault;

	for (unsigned long i = 0; i < ARRAY_SIZE(words); i++)
		words[i] = word_of(page, i);
	assert_int_equal(mm_write(mm, at(page), words, PAGE_SIZE, &fault), PAGE_SIZE);
}

static void check_page(struct mm_user *mm, unsigned long page)
{
	u64 words[PAGE_SIZE / 8];
	enum mm_fault fault;

	assert_int_equal(mm_read(mm, at(page), words, PAGE_SIZE, &fault), PAGE_SIZE);
	for (unsigned long i = 0; i < ARRAY_SIZE(words); i++)
		if (words[i] != word_of(page, i))
			fail_msg("page %lu, word %lu: %llx", page, i, (unsigned long long)words[i]);
}

static void fill_all(unsigned long nr)
{
	assert_int_equal(space_map(&m.s, 0, nr, RW, ANON), 0);
	for (unsigned long i = 0; i < nr; i++)
		fill(m.s.mm, i);
}

static void check_all(unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++)
		check_page(m.s.mm, i);
}

static void test_memory_larger_than_the_arena(void **state)
{
	open_with(512, 4000, VMAREA_THP_NEVER);
	fill_all(2000);
	check_all(2000);
	assert_true(reclaim_stats(&m).swapped > 3000);
	close_all();
}

static void test_blocks_are_split(void **state)
{
	open_with(2560, 8000, VMAREA_THP_ALWAYS);
	fill_all(12 * PT_ENTRIES);
	assert_true(reclaim_stats(&m).split > 0);
	check_all(12 * PT_ENTRIES);
	close_all();
}

static void test_an_mm_swaps_its_own(void **state)
{
	struct mm_user *other;

	open_with(4096, 4000, VMAREA_THP_NEVER);
	assert_int_equal(mm_create(m.s.v, &m.s.mm_config, &other), 0);
	assert_int_equal(mm_mmap(other, at(0), 100 * PAGE_SIZE, RW, ANON | MAP_FIXED, NULL, 0),
			 at(0));
	for (unsigned long i = 0; i < 100; i++)
		fill(other, i);
	assert_int_equal(mm_set_limit(m.s.mm, 300 * PAGE_SIZE), 0);
	fill_all(1500);
	assert_true(mm_rss(m.s.mm) <= 300);
	check_all(1500);
	assert_true(mm_rss(m.s.mm) <= 300);
	assert_int_equal(mm_rss(other), 100);
	mmput(other);
	close_all();
}

/* A block goes by its own mm's limit as by the instance's, be it in pieces that a pin has kept. */
static void test_blocks_go_by_a_limit_of_the_mm(void **state)
{
	struct mm_translation t;

	open_with(4096, 4000, VMAREA_THP_ALWAYS);
	fill_all(PT_ENTRIES);
	assert_int_equal(mm_set_limit(m.s.mm, 200 * PAGE_SIZE), 0);
	assert_true(mm_rss(m.s.mm) <= 200);
	check_all(PT_ENTRIES);
	assert_int_equal(mm_set_limit(m.s.mm, 0), 0);

	assert_int_equal(space_unmap(&m.s, 0, PT_ENTRIES), 0);
	fill_all(PT_ENTRIES);
	assert_int_equal(mm_translate(m.s.mm, byte_at(7), MM_ACCESS_WRITE, &t), MM_FAULT_DONE);
	assert_int_equal(mm_madvise(m.s.mm, at(0), PAGE_SIZE, MADV_DONTNEED), 0);
	mm_translation_put(&t);
	assert_int_equal(mm_set_limit(m.s.mm, 200 * PAGE_SIZE), 0);
	assert_true(mm_rss(m.s.mm) <= 200);
	for (unsigned long i = 1; i < PT_ENTRIES; i++)
		check_page(m.s.mm, i);
	close_all();
}

static void test_a_block_is_paged_out(void **state)
{
	open_with(4096, 4000, VMAREA_THP_ALWAYS);
	fill_all(2 * PT_ENTRIES);
	assert_int_equal(mm_madvise(m.s.mm, at(0), PT_ENTRIES * PAGE_SIZE, MADV_PAGEOUT), 0);
	assert_int_equal(mm_rss(m.s.mm), PT_ENTRIES);
	assert_int_equal(mm_swapped(m.s.mm), PT_ENTRIES);
	check_all(2 * PT_ENTRIES);
	close_all();
}

/* Nothing goes to an area that a swapoff is emptying: for that nobody loses what is mapped. */
static void test_nothing_is_taken_for_an_area_that_ends(void **state)
{
	unsigned long shared = 2 * PT_ENTRIES;

	open_with(4096, 4000, VMAREA_THP_ALWAYS);
	fill_all(PT_ENTRIES);
	assert_int_equal(space_map(&m.s, shared, 4, RW, MAP_SHARED | MAP_ANONYMOUS), 0);
	fill(m.s.mm, shared);
	assert_int_equal(swap_area_close(m.s.v->swap, store.id), 0);
	reclaim_all_unused(&m);
	assert_int_equal(reclaim_stats(&m).split, 0);
	assert_int_equal(mm_leaves(m.s.mm), 1);
	assert_true(mm_frame(m.s.mm, shared));
	swap_area_reopen(m.s.v->swap, store.id);
	reclaim_all_unused(&m);
	assert_int_equal(mm_rss(m.s.mm), 0);
	check_all(PT_ENTRIES);
	check_page(m.s.mm, shared);
	close_all();
}

static void test_full_swap_is_out_of_memory(void **state)
{
	unsigned long i;

	open_with(512, 300, VMAREA_THP_NEVER);
	assert_int_equal(space_map(&m.s, 0, 2000, RW, ANON), 0);
	for (i = 0; i < 2000; i++)
		if (put(&m, i, (unsigned char)i) != MM_FAULT_DONE)
			break;
	assert_in_range(i, 600, 812);
	/* There is room again, also to bring something back. */
	assert_int_equal(mm_madvise(m.s.mm, at(0), 100 * PAGE_SIZE, MADV_DONTNEED), 0);
	for (unsigned long j = 100; j < i; j++)
		assert_int_equal(get(&m, j), (unsigned char)j);
	assert_int_equal(put(&m, i, 1), MM_FAULT_DONE);
	close_all();
}

static void test_swap_that_fails_loses_nothing(void **state)
{
	unsigned long i;

	open_with(512, 4000, VMAREA_THP_NEVER);
	atomic_store_relaxed(&store.fail_writes, 1);
	assert_int_equal(space_map(&m.s, 0, 2000, RW, ANON), 0);
	for (i = 0; i < 2000; i++)
		if (put(&m, i, (unsigned char)i) != MM_FAULT_DONE)
			break;
	assert_true(i < 512);
	for (unsigned long j = 0; j < i; j++)
		assert_int_equal(get(&m, j), (unsigned char)j);
	atomic_store_relaxed(&store.fail_writes, 0);
	assert_int_equal(put(&m, i, 1), MM_FAULT_DONE);
	close_all();
}

static void test_pageout_is_at_once(void **state)
{
	struct mm_stats stats;

	open_with(2048, 1000, VMAREA_THP_NEVER);
	fill_all(100);
	assert_int_equal(mm_madvise(m.s.mm, at(10), 50 * PAGE_SIZE, MADV_PAGEOUT), 0);
	mm_get_stats(m.s.mm, &stats);
	assert_int_equal(stats.anon_pages, 50);
	assert_int_equal(stats.swap_pages, 50);
	check_all(100);
	close_all();
}

/* Of a private page that is in swap the page of the file, which it hides, says nothing. */
static void test_a_swapped_copy_is_not_in_core(void **state)
{
	unsigned char vec[4];
	struct file *plain;

	open_with(2048, 1000, VMAREA_THP_NEVER);
	plain = space_file(&m.s, 4, 0, FILE_PLACE_ANY);
	assert_int_equal(space_map_file(&m.s, 0, 4, RW, MAP_PRIVATE, plain, 0), 0);
	for (unsigned long i = 0; i < 4; i++)
		assert_int_equal(get(&m, i), 0);
	assert_int_equal(put(&m, 1, 1), MM_FAULT_DONE);
	assert_int_equal(put(&m, 2, 2), MM_FAULT_DONE);
	assert_int_equal(mm_madvise(m.s.mm, at(1), PAGE_SIZE, MADV_PAGEOUT), 0);
	assert_int_equal(mm_swapped(m.s.mm), 1);
	assert_int_equal(mm_mincore(m.s.mm, at(0), 4 * PAGE_SIZE, vec), 0);
	for (unsigned long i = 0; i < 4; i++)
		assert_int_equal(vec[i], i != 1);
	assert_int_equal(get(&m, 1), 1);
	assert_int_equal(mm_mincore(m.s.mm, at(1), PAGE_SIZE, vec), 0);
	assert_int_equal(vec[0], 1);
	file_put(plain);
	close_all();
}

/* What a child has, too, goes by age, and not because one of the two says so. */
static void test_children_keep_their_bytes(void **state)
{
	struct mm_user *child;

	open_with(768, 4000, VMAREA_THP_NEVER);
	fill_all(300);
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	assert_int_equal(mm_madvise(m.s.mm, at(0), 300 * PAGE_SIZE, MADV_PAGEOUT), 0);
	assert_int_equal(mm_rss(child), 300);
	assert_int_equal(space_map(&m.s, 1000, 1000, RW, ANON), 0);
	for (unsigned long i = 1000; i < 2000; i++)
		fill(m.s.mm, i);
	assert_true(mm_rss(child) < 300);
	for (unsigned long i = 0; i < 300; i++) {
		check_page(child, i);
		assert_int_equal(mm_put(m.s.mm, i, 0), MM_FAULT_DONE);
		check_page(child, i);
	}
	mmput(child);
	close_all();
}

/*
 * A quarter anonymous, a quarter shared memory, half a file, with blocks, in an eighth of it.  Each page is written, in an order
 * that comes back to some of them, then each is read.
 */
static void test_everything_at_once(void **state)
{
	unsigned long half = nr_mib * 128, step = 7919, page = 0;

	open_with(nr_mib * 256 / 2, half + 1024, VMAREA_THP_ALWAYS);
	file = disk_open(&disk, m.s.v, half);
	assert_int_equal(vmarea_set_limit(m.s.v, (uint64_t)nr_mib << 17), 0);
	assert_int_equal(space_map(&m.s, 0, half / 2, RW, ANON), 0);
	assert_int_equal(space_map(&m.s, half / 2, half / 2, RW, MAP_SHARED | MAP_ANONYMOUS), 0);
	assert_int_equal(space_map_file(&m.s, half, half, RW, MAP_SHARED, file, 0), 0);
	for (unsigned long i = 0; i < half * 2; i++) {
		fill(m.s.mm, page);
		if (!(i % 5))
			check_page(m.s.mm, i % 2 ? page : 0);
		page = (page + step) % (half * 2);
	}
	check_all(half * 2);
	assert_true(reclaim_stats(&m).swapped > half / 2);
	assert_true(reclaim_stats(&m).written > half / 2);
	memory_validate(m.s.mm);
	assert_int_equal(space_unmap(&m.s, half, half), 0);
	/* The last put writes back what is left. */
	file_put(file);
	for (unsigned long i = 0; i < half; i++)
		assert_int_equal(((u64 *)disk.bytes)[i * PAGE_SIZE / 8 + 9], word_of(half + i, 9));
	free(disk.bytes);
	close_all();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_larger_than_the_arena),
		cmocka_unit_test(test_blocks_are_split),
		cmocka_unit_test(test_an_mm_swaps_its_own),
		cmocka_unit_test(test_blocks_go_by_a_limit_of_the_mm),
		cmocka_unit_test(test_a_block_is_paged_out),
		cmocka_unit_test(test_nothing_is_taken_for_an_area_that_ends),
		cmocka_unit_test(test_full_swap_is_out_of_memory),
		cmocka_unit_test(test_swap_that_fails_loses_nothing),
		cmocka_unit_test(test_pageout_is_at_once),
		cmocka_unit_test(test_a_swapped_copy_is_not_in_core),
		cmocka_unit_test(test_children_keep_their_bytes),
		cmocka_unit_test(test_everything_at_once),
	};

	if (argc > 1)
		nr_mib = strtoul(argv[1], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
