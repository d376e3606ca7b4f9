/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What a read fault maps beside the page that was asked for. */
#include <pthread.h>
#include <vmarea/file.h>

#include "file/filemap.h"
#include "memory.h"

#define PAGES		64ul

static struct memory m;
static struct file *file;

static void begin(unsigned long around, unsigned int flags)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/f", .flags = flags | FILE_READ | FILE_WRITE,
		.size_bytes = PAGES * 4096,
	};

	memory_init(&m, MEMORY_BYTES);
	m.s.config.fault_around_bytes = around;
	memory_create(&m);
	assert_int_equal(file_create(m.s.v, &desc, &file), 0);
}

static void end(void)
{
	file_put(file);
	memory_close(&m);
}

/* The cache has pages [first, end) from now on. */
static void have(unsigned long first, unsigned long end)
{
	for (unsigned long i = first; i < end; i++)
		assert_int_equal(file_write(file, i * 4096 + 123, &(char){ (char)i }, 1), 1);
}

/* A # for each page of the window that is mapped, . for others. */
static const char *mapped(unsigned long first, unsigned long nr)
{
	static char text[PAGES + 1];

	for (unsigned long i = 0; i < nr; i++)
		text[i] = mm_frame(m.s.mm, first + i) ? '#' : '.';
	text[nr] = 0;
	return text;
}

static void map(unsigned long page, unsigned long nr, int flags, unsigned long pgoff)
{
	assert_int_equal(space_map_file(&m.s, page, nr, RW, (unsigned long)flags, file, pgoff), 0);
}

static void what_is_at_hand_comes_along(void **state)
{
	begin(64 << 10, 0);
	map(0, 40, MAP_SHARED, 0);
	have(1, 3);
	have(5, 6);
	have(14, 18);
	assert_int_equal(get(&m, 5), 5);
	assert_string_equal(mapped(0, 18), ".##..#........##..");
	assert_int_equal(mm_rss(m.s.mm), 5);
	/* One that had to be made brings along the others, too. */
	assert_int_equal(get(&m, 20), 0);
	assert_string_equal(mapped(16, 8), "##..#...");
	/* Read-only: stores are heard of. */
	assert_int_equal(file_flags(file) & FILE_SHMEM, 0);
	assert_int_equal(mm_attrs(m.s.mm, 2) & (PT_WRITE | PT_ACCESSED), PT_ACCESSED);
	assert_int_equal(put(&m, 2, 77), MM_FAULT_DONE);
	assert_int_equal(mm_attrs(m.s.mm, 2) & (PT_WRITE | PT_DIRTY), PT_WRITE | PT_DIRTY);
	end();
}

static void a_write_brings_itself(void **state)
{
	begin(64 << 10, 0);
	map(0, 16, MAP_SHARED, 0);
	map(16, 16, MAP_PRIVATE, 0);
	have(0, 16);
	assert_int_equal(put(&m, 3, 1), MM_FAULT_DONE);
	assert_int_equal(put(&m, 19, 1), MM_FAULT_DONE);
	assert_string_equal(mapped(0, 32), "...#...............#............");
	/* What is there stays: the copy, and what became writable. */
	assert_int_equal(get(&m, 0), 0);
	assert_int_equal(get(&m, 16), 0);
	assert_string_equal(mapped(0, 32), "################################");
	assert_int_equal(get(&m, 19), 1);
	assert_int_not_equal(mm_frame(m.s.mm, 19), mm_frame(m.s.mm, 3));
	assert_int_equal(mm_attrs(m.s.mm, 3) & PT_WRITE, PT_WRITE);
	end();
}

/* As many pages as ever from the beginning of an area, as on Linux; and not past its end. */
static void it_keeps_to_the_area(void **state)
{
	begin(64 << 10, 0);
	have(0, PAGES);
	map(4, 40, MAP_PRIVATE, 4);
	map(64 + 16, 3, MAP_PRIVATE, 0);
	get(&m, 9);
	assert_string_equal(mapped(0, 24), "....################....");
	get(&m, 64 + 17);
	assert_string_equal(mapped(64 + 14, 6), "..###.");
	end();
}

static void it_keeps_to_the_table(void **state)
{
	begin(64 << 10, 0);
	have(0, PAGES);
	/* The area begins 4 pages before the end of a table. */
	map(508, 32, MAP_PRIVATE, 0);
	get(&m, 509);
	assert_string_equal(mapped(504, 16), "....####........");
	get(&m, 512);
	assert_string_equal(mapped(504, 30), "....####################......");
	end();
}

static void it_keeps_to_the_file(void **state)
{
	begin(64 << 10, 0);
	have(0, PAGES);
	map(0, 16, MAP_SHARED, 0);
	file_set_size(file, 5 * 4096 + 1);
	/* Linux maps the others before it finds that this one does not exist. */
	assert_int_equal(get(&m, 9), NO_BYTE(BUS));
	assert_string_equal(mapped(0, 16), "######..........");
	end();
}

static void *get_first(void *arg)
{
	get(&m, 0);
	return arg;
}

static void what_is_locked_stays_out(void **state)
	__context_unsafe("holds a page lock over calls")
{
	struct page *page;
	pthread_t other;

	begin(64 << 10, 0);
	have(0, 8);
	map(0, 8, MAP_SHARED, 0);
	page = filemap_find_page(file->mapping, 3);
	assert_non_null(page);
	page_lock(page);
	/* By another thread: who holds the lock of a page must not fault. */
	assert_int_equal(pthread_create(&other, NULL, get_first, NULL), 0);
	assert_int_equal(pthread_join(other, NULL), 0);
	page_unlock(page);
	page_put(page);
	assert_string_equal(mapped(0, 8), "###.####");
	end();
}

static void guards_stay(void **state)
{
	begin(64 << 10, 0);
	have(0, 8);
	map(0, 8, MAP_PRIVATE, 0);
	assert_int_equal(mm_madvise(m.s.mm, at(2), 2 * 4096, MADV_GUARD_INSTALL), 0);
	get(&m, 5);
	assert_string_equal(mapped(0, 8), "##..####");
	assert_int_equal(get(&m, 2), NO_BYTE(MAPERR));
	end();
}

static void the_knob_says_how_far(void **state)
{
	static const unsigned long bytes[] = { 0, 4096, 8192, 2ul << 20 };
	static const unsigned long pages[] = { 1, 1, 2, PAGES };
	struct vmarea_config config = VMAREA_CONFIG_INIT;
	struct vmarea *v;

	for (int i = 0; i < 4; i++) {
		begin(bytes[i], FILE_SHMEM);
		have(0, PAGES);
		map(0, PAGES, MAP_SHARED, 0);
		get(&m, 20);
		assert_int_equal(mm_rss(m.s.mm), pages[i]);
		end();
	}
	config.fault_around_bytes = 2048;
	assert_int_equal(vmarea_create(&config, &v), -EINVAL);
	config.fault_around_bytes = 3 * 4096;
	assert_int_equal(vmarea_create(&config, &v), -EINVAL);
	config.fault_around_bytes = 4ul << 20;
	assert_int_equal(vmarea_create(&config, &v), -EINVAL);
}

/* What came along is found by who cuts the file. */
static void a_truncation_takes_it_back(void **state)
{
	begin(64 << 10, FILE_SHMEM);
	have(0, 16);
	map(0, 16, MAP_SHARED, 0);
	get(&m, 0);
	assert_int_equal(mm_rss(m.s.mm), 16);
	file_set_size(file, 4 * 4096);
	assert_int_equal(mm_rss(m.s.mm), 4);
	assert_int_equal(get(&m, 4), NO_BYTE(BUS));
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_at_hand_comes_along),
		cmocka_unit_test(a_write_brings_itself),
		cmocka_unit_test(it_keeps_to_the_area),
		cmocka_unit_test(it_keeps_to_the_table),
		cmocka_unit_test(it_keeps_to_the_file),
		cmocka_unit_test(what_is_locked_stays_out),
		cmocka_unit_test(guards_stay),
		cmocka_unit_test(the_knob_says_how_far),
		cmocka_unit_test(a_truncation_takes_it_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
