/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Write-back, one call at a time: what is written, in which order, and who is told of errors. */
#include <vmarea/file.h>

#include "store.h"

static struct store store;
static struct machine m;
static struct file *file;

static void setup(u64 size)
{
	memset(&store, 0, sizeof(store));
	machine_open(&m);
	file = store_open(&m, &store, FILE_WRITE, size, NULL);
}

static void check(void)
{
	char why[128];

	if (!filemap_check(file->mapping, why, sizeof(why)))
		fail_msg("%s", why);
}

static void put(u64 at, u8 byte)
{
	assert_int_equal(file_write(file, at, &byte, 1), 1);
}

static int sync_all(struct file *f)
{
	return file_sync(f, 0, UINT64_MAX);
}

static bool is_dirty(unsigned long pgoff)
{
	struct page *page = get(file, pgoff);
	bool dirty = page_flags(page) & PG_DIRTY;

	page_put(page);
	return dirty;
}

static void test_in_order_and_once(void **state)
{
	static const u8 whole[PAGE] = { 9 };

	setup(20 * PAGE);
	put(7 * PAGE + 1, 7);
	put(3 * PAGE + 5, 3);
	assert_int_equal(file_write(file, 12 * PAGE, whole, PAGE), PAGE);
	/* Read, and nothing else. */
	page_put(get(file, 5));
	check();
	assert_int_equal(store.writes, 0);
	assert_int_equal(sync_all(file), 0);
	assert_int_equal(store.writes, 3);
	assert_int_equal(store.order[0], 3);
	assert_int_equal(store.order[1], 7);
	assert_int_equal(store.order[2], 12);
	assert_int_equal(store.bytes[7 * PAGE + 1], 7);
	assert_int_equal(store.bytes[3 * PAGE + 5], 3);
	assert_int_equal(store.bytes[12 * PAGE], 9);
	check();
	assert_int_equal(sync_all(file), 0);
	assert_int_equal(store.writes, 3);
	put(3 * PAGE + 6, 4);
	assert_int_equal(sync_all(file), 0);
	assert_int_equal(store.order[3], 3);
	file_put(file);
	assert_int_equal(store.writes, 4);
	machine_close(&m);
}

static void test_ranges(void **state)
{
	setup(20 * PAGE);
	for (u64 i = 0; i < 10; i++)
		put(i * PAGE, 1);
	assert_int_equal(file_sync(file, 1, 0), -EINVAL);
	assert_int_equal(file_sync(file, PAGE, PAGE), 0);
	assert_int_equal(store.writes, 0);
	/* The last byte of page 1 and the first of page 3. */
	assert_int_equal(file_sync(file, 2 * PAGE - 1, 3 * PAGE + 1), 0);
	assert_int_equal(store.writes, 3);
	assert_true(is_dirty(0) && !is_dirty(1) && !is_dirty(2) && !is_dirty(3) && is_dirty(4));
	assert_int_equal(file_sync(file, 20 * PAGE, UINT64_MAX), 0);
	assert_int_equal(store.writes, 3);
	check();
	/* The last file that can write it writes the rest. */
	file_put(file);
	assert_int_equal(store.writes, 10);
	machine_close(&m);
}

static void test_tail(void **state)
{
	setup(0);
	put(PAGE + 99, 5);
	assert_int_equal(sync_all(file), 0);
	assert_int_equal(store.last_bytes, 100);
	/* It grows: what was past the end is zero, and the page is as clean as it was. */
	file_set_size(file, 2 * PAGE);
	assert_int_equal(sync_all(file), 0);
	assert_int_equal(store.writes, 1);
	put(PAGE + 200, 6);
	file_set_size(file, PAGE + 150);
	assert_int_equal(sync_all(file), 0);
	assert_int_equal(store.last_bytes, 150);
	/* What is dropped is not written. */
	put(5 * PAGE, 1);
	file_set_size(file, PAGE);
	assert_int_equal(sync_all(file), 0);
	assert_int_equal(store.writes, 2);
	check();
	file_put(file);
	machine_close(&m);
}

/* A sync of the page that the file ends in clears what was stored behind; one of others does not. */
static void test_stores_behind_the_end(void **state)
{
	struct page *page;
	u8 *bytes;

	setup(PAGE + 100);
	assert_int_equal(filemap_get_page(file, 1, FILEMAP_WAIT, &page), 0);
	bytes = page_bytes(page);
	bytes[99] = 1;
	bytes[100] = 2;
	assert_int_equal(sync_all(file), 0);
	assert_int_equal(bytes[100], 2);
	filemap_mark_dirty(page);
	assert_int_equal(file_sync(file, 0, PAGE), 0);
	assert_int_equal(bytes[100], 2);
	assert_int_equal(file_sync(file, PAGE, PAGE + 1), 0);
	assert_int_equal(bytes[99], 1);
	assert_int_equal(bytes[100], 0);
	assert_int_equal(store.bytes[PAGE + 99], 1);
	page_put(page);
	check();
	file_put(file);
	machine_close(&m);
}

static void test_each_file_is_told_once(void **state)
{
	struct file *reader, *late;

	setup(4 * PAGE);
	reader = store_open(&m, &store, 0, 0, file);
	put(0, 1);
	put(PAGE, 2);
	store.error = -ENOSPC;
	assert_int_equal(sync_all(file), -ENOSPC);
	/* It goes on behind the page that failed, and that is still dirty. */
	assert_int_equal(store.writes, 2);
	assert_int_equal(store.bytes[PAGE], 2);
	assert_true(is_dirty(0) && !is_dirty(1));
	check();
	/* Somebody has been told, so who comes later is not. */
	late = store_open(&m, &store, 0, 0, file);
	assert_int_equal(sync_all(file), 0);
	assert_int_equal(store.bytes[0], 1);
	assert_int_equal(sync_all(late), 0);
	assert_int_equal(file_sync(reader, PAGE, PAGE), -ENOSPC);
	assert_int_equal(sync_all(reader), 0);
	file_put(late);
	file_put(reader);
	file_put(file);
	machine_close(&m);
}

static void test_error_of_the_last_put(void **state)
{
	struct file *reader, *late;

	setup(4 * PAGE);
	reader = store_open(&m, &store, 0, 0, file);
	put(0, 1);
	store.error = -EIO;
	file_put(file);
	assert_int_equal(store.writes, 1);
	/* Nobody was told. */
	late = store_open(&m, &store, 0, 0, reader);
	assert_int_equal(sync_all(late), -EIO);
	assert_int_equal(sync_all(late), 0);
	assert_int_equal(sync_all(reader), -EIO);
	file_put(late);
	file_put(reader);
	machine_close(&m);
}

static void test_a_reader_borrows_a_writer(void **state)
{
	struct file *reader;

	setup(4 * PAGE);
	reader = store_open(&m, &store, 0, 0, file);
	put(2 * PAGE, 8);
	assert_int_equal(sync_all(reader), 0);
	assert_int_equal(store.bytes[2 * PAGE], 8);
	put(3 * PAGE, 9);
	/* A reader's end writes nothing. */
	file_put(reader);
	assert_int_equal(store.writes, 1);
	file_put(file);
	assert_int_equal(store.bytes[3 * PAGE], 9);
	machine_close(&m);
}

/* As by an entry, whose fault takes no page lock. */
static void store_again(struct store *unused)
{
	struct page *page = filemap_find_page(file->mapping, 1);

	*(u8 *)page_bytes(page) = 77;
	filemap_mark_dirty(page);
	page_put(page);
}

static void test_a_store_meanwhile(void **state)
{
	setup(4 * PAGE);
	put(PAGE, 1);
	store.during = store_again;
	assert_int_equal(sync_all(file), 0);
	assert_int_equal(store.bytes[PAGE], 1);
	assert_true(is_dirty(1));
	check();
	assert_int_equal(sync_all(file), 0);
	assert_int_equal(store.bytes[PAGE], 77);
	assert_false(is_dirty(1));
	file_put(file);
	machine_close(&m);
}

static u32 protected;

static int mkclean(struct page *page)
{
	protected++;
	return page_mapcount(page);
}

static void test_what_is_mapped(void **state)
{
	struct page *page;

	setup(4 * PAGE);
	put(0, 1);
	page = get(file, 0);
	atomic_add_relaxed(&page->mapcount, 1);
	m.v->cache->mkclean = NULL;
	assert_int_equal(sync_all(file), 0);
	assert_int_equal(store.writes, 1);
	assert_true(is_dirty(0));
	m.v->cache->mkclean = mkclean;
	assert_int_equal(sync_all(file), 0);
	assert_int_equal(protected, 1);
	assert_false(is_dirty(0));
	/* A pin may store at any time. */
	put(0, 2);
	page_get_many(page, PIN_BIAS);
	assert_int_equal(sync_all(file), 0);
	assert_true(is_dirty(0));
	page_put_many(page, PIN_BIAS);
	assert_int_equal(sync_all(file), 0);
	assert_false(is_dirty(0));
	atomic_sub_relaxed(&page->mapcount, 1);
	/* It leaves, and somebody who still had it stores to it. */
	file_set_size(file, 0);
	filemap_mark_dirty(page);
	assert_true(page_flags(page) & PG_DIRTY);
	page_put(page);
	check();
	file_put(file);
	machine_close(&m);
}

static void test_nowhere_to_go(void **state)
{
	struct file *shm;

	setup(4 * PAGE);
	file_put(file);
	shm = store_open(&m, &store, FILE_WRITE | FILE_SHMEM, 4 * PAGE, NULL);
	assert_int_equal(file_write(shm, 0, "a", 1), 1);
	assert_int_equal(sync_all(shm), 0);
	file_put(shm);
	file = file_make(&m, 0, NULL, 4 * PAGE, NULL);
	put(0, 1);
	assert_int_equal(sync_all(file), 0);
	assert_true(is_dirty(0));
	check();
	file_put(file);
	assert_int_equal(store.writes, 0);
	machine_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order_and_once),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_tail),
		cmocka_unit_test(test_stores_behind_the_end),
		cmocka_unit_test(test_each_file_is_told_once),
		cmocka_unit_test(test_error_of_the_last_put),
		cmocka_unit_test(test_a_reader_borrows_a_writer),
		cmocka_unit_test(test_a_store_meanwhile),
		cmocka_unit_test(test_what_is_mapped),
		cmocka_unit_test(test_nowhere_to_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
