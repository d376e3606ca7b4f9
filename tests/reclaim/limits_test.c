/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What an mm may have in core: who keeps to it beside plain faults, and what does not count. */
#include <vmarea/driver_fault.h>
#include <vmarea/file.h>
#include <vmarea/user_fault.h>

#include "../swap/store.h"
#include "disk.h"

#define LIMIT	40ul

static struct memory m;
static struct disk disk;
static struct file *file;

static void open_with(unsigned long file_pages)
{
	memory_init(&m, 8192 * PAGE_SIZE);
	m.s.config.thp = VMAREA_THP_NEVER;
	memory_create(&m);
	file = disk_open(&disk, m.s.v, file_pages);
	assert_int_equal(space_map_file(&m.s, 0, file_pages, RW, MAP_SHARED, file, 0), 0);
	assert_int_equal(mm_set_limit(m.s.mm, LIMIT * PAGE_SIZE), 0);
}

static void close_all(void)
{
	memory_validate(m.s.mm);
	space_unmap(&m.s, 0, SPACE_PAGES);
	disk_close(&disk, file);
	memory_close(&m);
}

/* Up to the limit, and none of it can go. */
static void fill(unsigned long page)
{
	for (unsigned long i = 0; i < LIMIT; i++)
		assert_int_equal(put(&m, page + i, 5), MM_FAULT_DONE);
	assert_int_equal(put(&m, page + LIMIT, 5), MM_FAULT_OOM);
}

/* Each of @nr pages of the file is read, and no more than @most go for any. */
static void read_one_by_one(unsigned long nr, unsigned long most)
{
	for (unsigned long i = 0; i < nr; i++) {
		u64 before = reclaim_stats(&m).dropped;

		assert_int_equal(get(&m, i), disk_byte(i));
		assert_in_range(reclaim_stats(&m).dropped - before, 0, most);
	}
	assert_true(reclaim_stats(&m).dropped >= nr / 2);
}

/* A batch is a part of what one has, not all of it. */
static void test_few_go_of_few(void **state)
{
	for (unsigned long limit = 1; limit <= 512; limit *= 2) {
		open_with(1024);
		assert_int_equal(mm_set_limit(m.s.mm, limit * PAGE_SIZE), 0);
		read_one_by_one(1024, limit < 16 ? 1 : min(limit / 8, 32ul));
		assert_true(mm_rss(m.s.mm) >= limit - limit / 8);
		close_all();
	}
}

static void test_few_frames_go_of_few(void **state)
{
	for (unsigned long limit = 64; limit <= 512; limit *= 2) {
		open_with(1024);
		assert_int_equal(mm_set_limit(m.s.mm, 0), 0);
		assert_int_equal(vmarea_set_limit(m.s.v, limit * PAGE_SIZE), 0);
		read_one_by_one(1024, min(limit / 8, 32ul));
		close_all();
	}
}

/* The zero page is nobody's, so there is always room for it. */
static void test_zeros_do_not_count(void **state)
{
	open_with(1);
	assert_int_equal(space_map(&m.s, 1000, 3 * LIMIT, RW, ANON), 0);
	fill(1000);
	for (unsigned long i = LIMIT; i < 3 * LIMIT; i++)
		assert_int_equal(get(&m, 1000 + i), 0);
	assert_int_equal(put(&m, 1000 + LIMIT, 5), MM_FAULT_OOM);
	assert_int_equal(mm_rss(m.s.mm), LIMIT);
	assert_int_equal(reclaim_stats(&m).dropped, 0);
	close_all();
}

/* Nor is a frame that a driver shows without a page. */
static struct page *shown;

static vm_fault_t show_frame(struct vma_ref *vma, struct vm_fault *vmf)
	__must_hold_shared(vma_stable) __may_sleep;

static vm_fault_t show_frame(struct vma_ref *vma, struct vm_fault *vmf)
{
	int err = vm_insert_pfn(vma_as_pfnmap(vma), vmf->address, page_to_pfn(shown));

	return err ? VM_FAULT_SIGBUS : VM_FAULT_NOPAGE;
}

static const struct vm_operations_struct frame_vm_ops = { .fault = show_frame };

static int frame_mmap(struct file *driver, struct vma_new *vma) __in_mmap_hook;
static int frame_mmap(struct file *driver, struct vma_new *vma)
{
	vma_set_owner(vma, &frame_vm_ops, NULL);
	return vma_set_pfnmap(vma) ? 0 : -EINVAL;
}

static const struct file_operations frame_ops = { .owner = "frames", .mmap = frame_mmap };

static void test_frames_do_not_count(void **state)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/frames", .flags = FILE_READ | FILE_WRITE,
		.ops = &frame_ops,
	};
	struct file *driver;

	open_with(1);
	shown = alloc_page(m.s.v);
	assert_non_null(shown);
	((char *)page_address(shown))[123] = 9;
	assert_int_equal(file_create(m.s.v, &desc, &driver), 0);
	assert_int_equal(space_map_file(&m.s, 2000, 2, RW, MAP_SHARED, driver, 0), 0);
	assert_int_equal(space_map(&m.s, 1000, 3 * LIMIT, RW, ANON), 0);
	fill(1000);
	assert_int_equal(get(&m, 2000), 9);
	assert_int_equal(put(&m, 2001, 10), MM_FAULT_DONE);
	assert_int_equal(mm_rss(m.s.mm), LIMIT);
	assert_int_equal(space_unmap(&m.s, 2000, 2), 0);
	file_put(driver);
	__free_page(shown);
	close_all();
}

/* There is nothing past the end of a file that could be one page too many. */
static void test_the_end_of_a_file_is_no_limit(void **state)
{
	open_with(1);
	assert_int_equal(space_map_file(&m.s, 2000, 2, RW, MAP_SHARED, file, 0), 0);
	assert_int_equal(space_map(&m.s, 1000, 3 * LIMIT, RW, ANON), 0);
	fill(1000);
	assert_int_equal(get(&m, 2000), NO_BYTE(OOM));
	assert_int_equal(get(&m, 2001), NO_BYTE(BUS));
	close_all();
}

/* Who is asked for a page is asked at the limit, too: the answer may be zeros. */
static void test_a_question_does_not_count(void **state)
{
	struct user_faults_config config = USER_FAULTS_CONFIG_INIT;
	struct user_faults *uf;

	open_with(1);
	config.features = USER_FAULTS_SIGBUS;
	assert_int_equal(user_faults_create(m.s.mm, &config, &uf), 0);
	assert_int_equal(space_map(&m.s, 2000, 2, RW, ANON), 0);
	assert_int_equal(space_map(&m.s, 2002, 2, RW, MAP_SHARED | MAP_ANONYMOUS), 0);
	assert_int_equal(user_faults_register(uf, at(2000), 4 * PAGE_SIZE, USER_FAULT_MISSING),
			 0);
	assert_int_equal(space_map(&m.s, 1000, 3 * LIMIT, RW, ANON), 0);
	fill(1000);
	for (unsigned long i = 2000; i < 2004; i++) {
		assert_int_equal(get(&m, i), NO_BYTE(BUS));
		assert_int_equal(put(&m, i, 1), MM_FAULT_BUS);
	}
	assert_int_equal(user_faults_zeropage(uf, at(2000), PAGE_SIZE, 0), PAGE_SIZE);
	assert_int_equal(get(&m, 2000), 0);
	assert_int_equal(put(&m, 2000, 1), MM_FAULT_OOM);
	user_faults_put(uf);
	close_all();
}

static void test_pages_near_by_count(void **state)
{
	unsigned char byte;

	open_with(200);
	/* All are at hand. */
	for (unsigned long i = 0; i < 200; i++)
		assert_int_equal(file_read(file, i * PAGE_SIZE, &byte, 1), 1);
	for (unsigned long i = 0; i < 200; i++) {
		assert_int_equal(get(&m, i), disk_byte(i));
		assert_true(mm_rss(m.s.mm) <= LIMIT);
	}
	close_all();
}

static void test_answers_to_user_faults_count(void **state)
{
	struct user_faults_config config = USER_FAULTS_CONFIG_INIT;
	static const unsigned char bytes[PAGE_SIZE] = { [123] = 77 };
	struct user_faults *uf;

	open_with(LIMIT);
	assert_int_equal(space_map(&m.s, 1000, 100, RW, ANON), 0);
	assert_int_equal(user_faults_create(m.s.mm, &config, &uf), 0);
	assert_int_equal(user_faults_register(uf, at(1000), 100 * PAGE_SIZE, USER_FAULT_MISSING),
			 0);
	for (unsigned long i = 0; i < LIMIT; i++)
		assert_int_equal(get(&m, i), disk_byte(i));
	/* The mm's own pages go for them, and then there are none. */
	for (unsigned long i = 0; i < LIMIT; i++) {
		assert_int_equal(user_faults_copy(uf, at(1000 + i), bytes, PAGE_SIZE, 0),
				 PAGE_SIZE);
		assert_true(mm_rss(m.s.mm) <= LIMIT);
	}
	assert_int_equal(user_faults_copy(uf, at(1000 + LIMIT), bytes, PAGE_SIZE, 0), -ENOMEM);
	assert_int_equal(user_faults_zeropage(uf, at(1000 + LIMIT), PAGE_SIZE, 0), PAGE_SIZE);
	assert_int_equal(mm_rss(m.s.mm), LIMIT);
	for (unsigned long i = 0; i < LIMIT; i++)
		assert_int_equal(get(&m, 1000 + i), 77);
	user_faults_put(uf);
	close_all();
}

static long collapse(unsigned long page, unsigned long nr)
{
	return mm_madvise(m.s.mm, at(page), nr * PAGE_SIZE, MADV_COLLAPSE);
}

/* Holes become memory. */
static void test_a_collapse_counts(void **state)
{
	open_with(1);
	assert_int_equal(space_map(&m.s, 512, 1024, RW, ANON), 0);
	assert_int_equal(put(&m, 512, 5), MM_FAULT_DONE);
	assert_int_equal(collapse(512, 512), -EBUSY);
	assert_int_equal(mm_rss(m.s.mm), 1);
	assert_int_equal(mm_set_limit(m.s.mm, 600 * PAGE_SIZE), 0);
	assert_int_equal(collapse(512, 512), 0);
	assert_int_equal(mm_rss(m.s.mm), 512);
	assert_int_equal(get(&m, 512), 5);
	/* And what is there already is no more than it was. */
	assert_int_equal(mm_set_limit(m.s.mm, 0), 0);
	for (unsigned long i = 0; i < 512; i++)
		assert_int_equal(put(&m, 1024 + i, 6), MM_FAULT_DONE);
	assert_int_equal(mm_set_limit(m.s.mm, 1024 * PAGE_SIZE), 0);
	assert_int_equal(collapse(1024, 512), 0);
	assert_int_equal(mm_rss(m.s.mm), 1024);
	close_all();
}

/* It does not bring in what it may not have. */
static void test_a_collapse_of_swap_counts(void **state)
{
	struct store s;

	open_with(1);
	store_on(&s, m.s.v, 1024, 0);
	assert_int_equal(space_map(&m.s, 512, 512, RW, ANON), 0);
	for (unsigned long i = 0; i < 512; i++) {
		assert_int_equal(put(&m, 512 + i, (unsigned char)i), MM_FAULT_DONE);
		assert_true(mm_rss(m.s.mm) <= LIMIT);
	}
	assert_true(collapse(512, 512) < 0);
	assert_true(mm_rss(m.s.mm) <= LIMIT);
	for (unsigned long i = 0; i < 512; i++)
		assert_int_equal(get(&m, 512 + i), i & 0xff);
	space_unmap(&m.s, 512, 512);
	store_off(&s, m.s.v);
	close_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_few_go_of_few),
		cmocka_unit_test(test_few_frames_go_of_few),
		cmocka_unit_test(test_zeros_do_not_count),
		cmocka_unit_test(test_a_question_does_not_count),
		cmocka_unit_test(test_frames_do_not_count),
		cmocka_unit_test(test_the_end_of_a_file_is_no_limit),
		cmocka_unit_test(test_pages_near_by_count),
		cmocka_unit_test(test_answers_to_user_faults_count),
		cmocka_unit_test(test_a_collapse_counts),
		cmocka_unit_test(test_a_collapse_of_swap_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
