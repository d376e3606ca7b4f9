/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Faults, as far as areas see them: which are refused, and which touch an area.  Whether an area is
 * touched shows in what it merges with: two that were touched apart are joined by nothing.
 */
#include <errno.h>

#include "space.h"

#define PAGES_2M	512ul
#define NONE		PROT_NONE
#define R		PROT_READ
#define W		PROT_WRITE
#define X		PROT_EXEC

struct access_case {
	unsigned long prot;
	enum mm_access access;
	enum mm_fault fault;
};

static const struct access_case access_cases[] = {
	{ W, MM_ACCESS_READ, MM_FAULT_DONE },
	{ X, MM_ACCESS_READ, MM_FAULT_DONE },
	{ W, MM_ACCESS_WRITE, MM_FAULT_DONE },
	{ NONE, MM_ACCESS_READ, MM_FAULT_ACCERR },
	{ NONE, MM_ACCESS_EXEC, MM_FAULT_ACCERR },
	{ R, MM_ACCESS_READ, MM_FAULT_DONE },
	{ R, MM_ACCESS_WRITE, MM_FAULT_ACCERR },
	{ RW, MM_ACCESS_EXEC, MM_FAULT_ACCERR },
	{ R | X, MM_ACCESS_WRITE, MM_FAULT_ACCERR },
	{ X, MM_ACCESS_EXEC, MM_FAULT_DONE },
};

static void protection(void **state)
{
	struct space s;

	(void)state;
	space_open(&s);
	for (size_t i = 0; i < sizeof(access_cases) / sizeof(access_cases[0]); i++) {
		const struct access_case *c = &access_cases[i];

		assert_int_equal(space_map(&s, 2 * i, 1, c->prot, ANON), 0);
		assert_int_equal(mm_touch(s.mm, at(2 * i) + 5, c->access), c->fault);
		assert_int_equal(mm_touch(s.mm, at(2 * i + 1), c->access), MM_FAULT_MAPERR);
	}
	assert_int_equal(mm_touch(s.mm, 0xffff800000000000, MM_ACCESS_READ), MM_FAULT_MAPERR);
	assert_int_equal(mm_touch(s.mm, ~0ul, MM_ACCESS_READ), MM_FAULT_MAPERR);
	space_close(&s);
}

/*
 * Is the area at page 0 of the window touched?  A touched one is put at page 2, and what is then
 * mapped between joins both unless the first was touched, too.
 */
static bool is_touched(struct space *s, struct file *file)
{
	unsigned long flags = MAP_PRIVATE | (file ? 0 : MAP_ANONYMOUS);

	assert_int_equal(space_map_file(s, 2, 1, RW, flags, file, 2), 0);
	space_write(s, 2);
	assert_int_equal(space_map_file(s, 1, 1, RW, flags, file, 1), 0);
	space_areas_in(s, SPACE_BASE, at(0), at(16));
	if (!strcmp(s->text, "[0..3)rw-p"))
		return false;
	assert_string_equal(s->text, "[0..2)rw-p [2..3)rw-p");
	return true;
}

static void writes_touch_and_reads_do_not(void **state)
{
	static const enum mm_access access[] = {
		MM_ACCESS_READ, MM_ACCESS_WRITE, MM_ACCESS_EXEC,
	};

	(void)state;
	for (int i = 0; i < 3; i++) {
		for (int of_file = 0; of_file < 2; of_file++) {
			struct file *file = NULL;
			struct space s;

			space_open(&s);
			if (of_file)
				file = space_file(&s, 8, 0, FILE_PLACE_ANY);
			assert_int_equal(space_map_file(&s, 0, 1, RW, of_file ? MAP_PRIVATE : ANON,
							file, 0), 0);
			mm_touch(s.mm, at(0), access[i]);
			assert_int_equal(is_touched(&s, file), access[i] == MM_ACCESS_WRITE);
			if (file)
				file_put(file);
			space_close(&s);
		}
	}
}

static void beyond_the_end_of_a_file(void **state)
{
	struct file *file;
	struct space s;

	(void)state;
	space_open(&s);
	file = space_file(&s, 0, 0, FILE_PLACE_ANY);
	assert_int_equal(space_map_file(&s, 0, 2, RW, MAP_SHARED, file, 0), 0);
	assert_int_equal(space_read(&s, 0), MM_FAULT_BUS);
	file_set_size(file, 1);
	assert_int_equal(space_read(&s, 0), MM_FAULT_DONE);
	assert_int_equal(space_write(&s, 1), MM_FAULT_BUS);
	/* The page is looked for before it turns out that it may not be executed. */
	assert_int_equal(mm_touch(s.mm, at(1), MM_ACCESS_EXEC), MM_FAULT_BUS);
	assert_int_equal(mm_touch(s.mm, at(0), MM_ACCESS_EXEC), MM_FAULT_ACCERR);
	assert_int_equal(mm_mprotect(s.mm, at(0), 2 * SPACE_PAGE, PROT_NONE), 0);
	assert_int_equal(space_read(&s, 1), MM_FAULT_ACCERR);
	file_put(file);
	space_close(&s);
}

/* The first page of the range is there: what ends the access is that it may not be executed. */
static void first_page_refuses_execution(void **state)
{
	struct file *file;
	struct space s;

	(void)state;
	space_open(&s);
	file = space_file(&s, 1, 0, FILE_PLACE_ANY);
	assert_int_equal(space_map_file(&s, 0, 2, RW, MAP_SHARED, file, 0), 0);
	assert_int_equal(mm_touch_range(s.mm, at(0), 2 * SPACE_PAGE, MM_ACCESS_EXEC),
			 MM_FAULT_ACCERR);
	assert_int_equal(mm_touch_range(s.mm, at(1), SPACE_PAGE, MM_ACCESS_EXEC), MM_FAULT_BUS);
	assert_int_equal(mm_touch_range(s.mm, at(0), 2 * SPACE_PAGE, MM_ACCESS_READ), MM_FAULT_BUS);
	file_put(file);
	space_close(&s);
}

static int changes_nothing(struct file *file, struct vma_new *vma) __in_mmap_hook
{
	return 0;
}

/* A hook that leaves the area as it is makes no driver of the file. */
static void hooked_file_has_an_end(void **state)
{
	static const struct file_operations hooked = { .owner = "test", .mmap = changes_nothing };
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/f", .inode = 1, .ops = &hooked,
		.flags = FILE_READ | FILE_WRITE, .size_bytes = SPACE_PAGE,
	};
	struct file *file;
	struct space s;

	(void)state;
	space_open(&s);
	assert_int_equal(file_create(s.v, &desc, &file), 0);
	assert_int_equal(space_map_file(&s, 0, 2, RW, MAP_SHARED, file, 0), 0);
	assert_int_equal(space_read(&s, 0), MM_FAULT_DONE);
	assert_int_equal(space_read(&s, 1), MM_FAULT_BUS);
	assert_int_equal(mm_madvise(s.mm, at(0), 2 * SPACE_PAGE, MADV_REMOVE), 0);
	assert_int_equal(mm_msync(s.mm, at(0), 2 * SPACE_PAGE, MS_SYNC), 0);
	file_put(file);
	space_close(&s);
}

static void a_private_write_beyond_the_end_touches(void **state)
{
	static const enum mm_access access[] = { MM_ACCESS_READ, MM_ACCESS_WRITE };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct file *file;
		struct space s;

		space_open(&s);
		file = space_file(&s, 0, 0, FILE_PLACE_ANY);
		assert_int_equal(space_map_file(&s, 0, 1, RW, MAP_PRIVATE, file, 0), 0);
		assert_int_equal(mm_touch(s.mm, at(0), access[i]), MM_FAULT_BUS);
		assert_int_equal(is_touched(&s, file), access[i] == MM_ACCESS_WRITE);
		file_put(file);
		space_close(&s);
	}
}

/* The object is as long as the first map of it. */
static void beyond_the_end_of_shared_memory(void **state)
{
	struct space s;

	(void)state;
	space_open(&s);
	assert_int_equal(space_map(&s, 0, 2, RW, MAP_SHARED | MAP_ANONYMOUS), 0);
	assert_int_equal(mm_mremap(s.mm, at(0), 2 * SPACE_PAGE, 3 * SPACE_PAGE, 0, 0), at(0));
	assert_int_equal(space_write(&s, 1), MM_FAULT_DONE);
	assert_int_equal(space_write(&s, 2), MM_FAULT_BUS);
	space_close(&s);
}

struct huge_case {
	unsigned long nr;		/* pages of the area, which begins at a multiple of 2 MiB */
	unsigned long advice_nr;	/* pages from its start that are advised; 0: none */
	bool thp_disable;
	bool touched;			/* by a read of its first page */
};

static const struct huge_case huge_cases[] = {
	{ PAGES_2M, PAGES_2M, false, true },
	{ PAGES_2M - 1, PAGES_2M - 1, false, false },
	{ PAGES_2M, 0, false, false },
	{ PAGES_2M, PAGES_2M, true, false },
	{ 2 * PAGES_2M, 2 * PAGES_2M, false, true },
};

static void map_like(struct space *s, unsigned long page, const struct huge_case *c)
{
	assert_int_equal(space_map(s, page, 1, RW, ANON), 0);
	if (c->advice_nr)
		assert_int_equal(mm_madvise(s->mm, at(page), SPACE_PAGE, MADV_HUGEPAGE), 0);
}

/* Whoever may have a huge page gets one at the first access, be it a read. */
static void reads_of_huge_pages_touch(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(huge_cases) / sizeof(huge_cases[0]); i++) {
		const struct huge_case *c = &huge_cases[i];
		unsigned long nr = c->nr;
		struct space s;
		char touched[64], fresh[64];

		space_open(&s);
		assert_int_equal(mm_set_thp_disable(s.mm, c->thp_disable), 0);
		assert_int_equal(space_map(&s, 0, nr, RW, ANON), 0);
		if (c->advice_nr)
			assert_int_equal(mm_madvise(s.mm, at(0), c->advice_nr * SPACE_PAGE,
						    MADV_HUGEPAGE), 0);
		assert_int_equal(space_read(&s, 0), MM_FAULT_DONE);
		/* As is_touched() does it, at the far end. */
		map_like(&s, nr + 1, c);
		assert_int_equal(space_write(&s, nr + 1), MM_FAULT_DONE);
		map_like(&s, nr, c);
		snprintf(touched, sizeof(touched), "[0..%lu)rw-p [%lu..%lu)rw-p", nr + 1, nr + 1,
			 nr + 2);
		snprintf(fresh, sizeof(fresh), "[0..%lu)rw-p", nr + 2);
		if (c->advice_nr && c->touched)
			assert_areas(&s, touched);
		else
			assert_areas(&s, fresh);
		space_close(&s);
	}
}

static void hugetlb_pages(void **state)
{
	const unsigned long flags = ANON | MAP_HUGETLB;
	struct space s;

	(void)state;
	space_init(&s);
	s.config.nr_huge_2m_pages = 1;
	space_create(&s);
	assert_int_equal(space_map(&s, 0, PAGES_2M, RW, flags), 0);
	assert_int_equal(space_read(&s, 511), MM_FAULT_DONE);
	/* The only page is promised to the one above. */
	assert_int_equal(space_map(&s, 1024, PAGES_2M, RW, flags | MAP_NORESERVE), 0);
	assert_int_equal(space_read(&s, 1024), MM_FAULT_BUS);
	assert_int_equal(space_unmap(&s, 0, PAGES_2M), 0);
	assert_int_equal(space_read(&s, 1024), MM_FAULT_DONE);
	space_close(&s);
}

static void a_range_is_touched_up_to_what_stops_it(void **state)
{
	struct space s;

	(void)state;
	space_open(&s);
	assert_int_equal(space_map(&s, 0, 1, RW, ANON), 0);
	assert_int_equal(space_map(&s, 1, 1, RW, ANON | MAP_NORESERVE), 0);
	assert_int_equal(space_map(&s, 3, 1, R, ANON), 0);
	assert_int_equal(mm_touch_range(s.mm, at(0), 0, MM_ACCESS_WRITE), MM_FAULT_DONE);
	assert_int_equal(mm_touch_range(s.mm, at(0) + 1, 2 * SPACE_PAGE - 1, MM_ACCESS_WRITE),
			 MM_FAULT_DONE);
	assert_int_equal(mm_touch_range(s.mm, at(0) + 1, 2 * SPACE_PAGE, MM_ACCESS_WRITE),
			 MM_FAULT_MAPERR);
	assert_int_equal(mm_touch_range(s.mm, at(3), SPACE_PAGE, MM_ACCESS_WRITE),
			 MM_FAULT_ACCERR);
	assert_int_equal(mm_touch_range(s.mm, ~0ul - 1, 4, MM_ACCESS_READ), MM_FAULT_MAPERR);
	assert_int_equal(mm_touch_range(s.mm, ~0ul - 8192, 8192, MM_ACCESS_READ),
			 MM_FAULT_MAPERR);
	space_close(&s);
}

/* The hole below a stack is no hole to a range that is accessed from below. */
static void a_range_grows_the_stack_it_meets(void **state)
{
	struct space s;

	(void)state;
	space_open(&s);
	assert_int_equal(space_map(&s, 0, 2, PROT_NONE, ANON), 0);
	assert_int_equal(space_map(&s, 40, 1, RW, ANON | MAP_GROWSDOWN), 0);
	assert_int_equal(mm_touch_range(s.mm, at(30), 11 * SPACE_PAGE, MM_ACCESS_READ),
			 MM_FAULT_DONE);
	assert_areas(&s, "[0..2)---p [30..41)rw-p");
	space_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(protection),
		cmocka_unit_test(writes_touch_and_reads_do_not),
		cmocka_unit_test(beyond_the_end_of_a_file),
		cmocka_unit_test(first_page_refuses_execution),
		cmocka_unit_test(hooked_file_has_an_end),
		cmocka_unit_test(a_private_write_beyond_the_end_touches),
		cmocka_unit_test(beyond_the_end_of_shared_memory),
		cmocka_unit_test(reads_of_huge_pages_touch),
		cmocka_unit_test(hugetlb_pages),
		cmocka_unit_test(a_range_is_touched_up_to_what_stops_it),
		cmocka_unit_test(a_range_grows_the_stack_it_meets),
	};

	return cmocka_run_group_tests_name("mm/touch", tests, NULL, NULL);
}
