/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * mprotect(): arguments, partial effects, promises, limits, and where areas split and join.
 */
#include "marks.h"

#define NR_AREAS_SMALL	4

static void arguments_are_checked_in_linux_order(void **state)
{
	static const struct {
		unsigned long addr, len, prot;
		long want;
	} calls[] = {
		{ 1, 4096, PROT_READ, -EINVAL },
		{ 1, 0, 0xff, -EINVAL },
		{ 0, 0, 0xff, 0 },
		{ 0, 0, PROT_READ, 0 },
		{ 64 * SPACE_PAGE, 0, PROT_READ, 0 },
		{ 64 * SPACE_PAGE, SPACE_PAGE, PROT_READ, -ENOMEM },
		{ 0, ~0ul, PROT_READ, -ENOMEM },
		{ 0, ~0ul, 0xff, -ENOMEM },
		{ 0, SPACE_PAGE, 0x10, -EINVAL },
		{ 64 * SPACE_PAGE, SPACE_PAGE, 0x10, -EINVAL },
		{ 0, SPACE_PAGE, PROT_READ | PROT_SEM, 0 },
		{ 0, SPACE_PAGE, PROT_GROWSDOWN | PROT_GROWSUP | PROT_READ, -EINVAL },
		{ 0, 0, PROT_GROWSDOWN | PROT_GROWSUP, -EINVAL },
		{ 0, SPACE_PAGE, PROT_GROWSDOWN | PROT_READ, -EINVAL },
		{ 0, SPACE_PAGE, PROT_GROWSUP | PROT_READ, -EINVAL },
		{ 64 * SPACE_PAGE, SPACE_PAGE, PROT_GROWSDOWN | PROT_READ, -ENOMEM },
		{ 0, SPACE_PAGE, PROT_GROWSDOWN | 0x10, -EINVAL },
		{ 0, 1, PROT_READ, 0 },
	};
	struct space s;

	(void)state;
	space_open(&s);
	map_anon(&s, 0, 3, RW);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		long got = mm_mprotect(s.mm, at(0) + calls[i].addr, calls[i].len, calls[i].prot);

		if (got != calls[i].want)
			fail_msg("call %zu: %ld, want %ld", i, got, calls[i].want);
	}
	assert_areas(&s, "[0..1)r--p [1..3)rw-p");
	space_close(&s);
}

static void there_are_no_protection_keys(void **state)
{
	struct space s;

	(void)state;
	space_open(&s);
	map_anon(&s, 0, 1, RW);
	assert_int_equal(mm_pkey_mprotect(s.mm, at(0), SPACE_PAGE, PROT_READ, 0), -EINVAL);
	assert_int_equal(mm_pkey_mprotect(s.mm, at(0), SPACE_PAGE, PROT_READ, -2), -EINVAL);
	assert_int_equal(mm_pkey_mprotect(s.mm, at(9), SPACE_PAGE, PROT_READ, 1), -EINVAL);
	assert_int_equal(mm_pkey_mprotect(s.mm, at(0), 0, PROT_READ, 1), 0);
	assert_areas(&s, "[0..1)rw-p");
	assert_int_equal(mm_pkey_mprotect(s.mm, at(0), SPACE_PAGE, PROT_READ, -1), 0);
	assert_areas(&s, "[0..1)r--p");
	space_close(&s);
}

static void a_call_ends_at_what_it_cannot_change(void **state)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/ro", .flags = FILE_READ, .size_bytes = SPACE_PAGE,
	};
	struct space s;
	struct file *file;

	(void)state;
	space_open(&s);
	/* A hole. */
	map_anon(&s, 0, 1, RW);
	map_anon(&s, 2, 1, RW);
	assert_int_equal(protect(&s, 0, 3, PROT_READ), -ENOMEM);
	assert_areas(&s, "[0..1)r--p [2..3)rw-p");
	/* A hole at the start: nothing. */
	assert_int_equal(protect(&s, 1, 2, PROT_READ), -ENOMEM);
	assert_areas(&s, "[0..1)r--p [2..3)rw-p");
	/* A shared file that was opened for reading. */
	space_clear(&s);
	assert_int_equal(file_create(s.v, &desc, &file), 0);
	map_anon(&s, 0, 1, PROT_READ);
	assert_int_equal(space_map_file(&s, 1, 1, PROT_READ, MAP_SHARED, file, 0), 0);
	map_anon(&s, 2, 1, PROT_READ);
	assert_int_equal(protect(&s, 0, 3, RW), -EACCES);
	assert_areas(&s, "[0..1)rw-p [1..2)r--s [2..3)r--p");
	file_put(file);
	/* A seal, even if nothing would change behind it. */
	space_clear(&s);
	map_anon(&s, 0, 3, RW);
	assert_int_equal(seal(&s, 1, 1), 0);
	assert_int_equal(protect(&s, 1, 1, RW), -EPERM);
	assert_int_equal(protect(&s, 0, 3, PROT_READ), -EPERM);
	assert_areas(&s, "[0..1)r--p [1..2)rw-p [2..3)rw-p");
	space_close(&s);
}

static void areas_split_and_join(void **state)
{
	struct space s;

	(void)state;
	space_open(&s);
	map_anon(&s, 0, 3, RW);
	assert_int_equal(space_write(&s, 1), MM_FAULT_DONE);
	assert_int_equal(protect(&s, 1, 1, PROT_READ), 0);
	assert_areas(&s, "[0..1)rw-p [1..2)r--p [2..3)rw-p");
	assert_int_equal(protect(&s, 1, 1, RW), 0);
	assert_areas(&s, "[0..3)rw-p");
	/* Split, both sides touched: they stay apart, the middle goes to the left. */
	space_clear(&s);
	map_anon(&s, 0, 3, RW);
	assert_int_equal(protect(&s, 1, 1, PROT_READ), 0);
	space_write(&s, 0);
	space_write(&s, 2);
	assert_int_equal(protect(&s, 1, 1, RW), 0);
	assert_areas(&s, "[0..2)rw-p [2..3)rw-p");
	/* Over several areas of different kinds. */
	space_clear(&s);
	map_anon(&s, 0, 1, RW);
	map_anon(&s, 1, 1, PROT_NONE);
	map_anon(&s, 2, 1, PROT_READ | PROT_EXEC);
	map_anon(&s, 3, 2, RW);
	assert_int_equal(protect(&s, 0, 4, PROT_READ), 0);
	assert_areas(&s, "[0..4)r--p [4..5)rw-p");
	space_close(&s);
}

static void the_promise_follows_the_protection(void **state)
{
	struct space s;
	struct file *file;

	(void)state;
	space_open(&s);
	file = space_file(&s, 16, 0, FILE_PLACE_ANY);

	/* Untouched anonymous: taken back, so it joins a fresh one. */
	map_anon(&s, 0, 1, RW);
	map_anon(&s, 1, 1, PROT_READ);
	assert_int_equal(vmarea_committed_pages(s.v), 1);
	assert_int_equal(protect(&s, 0, 1, PROT_READ), 0);
	assert_marks(&s, "[0..2)r--p");
	assert_int_equal(vmarea_committed_pages(s.v), 0);

	/* Touched: it stays. */
	space_clear(&s);
	map_anon(&s, 0, 1, RW);
	space_write(&s, 0);
	map_anon(&s, 1, 1, PROT_READ);
	assert_int_equal(protect(&s, 0, 1, PROT_READ), 0);
	assert_marks(&s, "[0..1)r--p:ac [1..2)r--p");
	assert_int_equal(vmarea_committed_pages(s.v), 1);
	assert_int_equal(protect(&s, 0, 2, RW), 0);
	assert_marks(&s, "[0..2)rw-p:ac");
	assert_int_equal(vmarea_committed_pages(s.v), 2);

	/* Read-touched is untouched. */
	space_clear(&s);
	map_anon(&s, 0, 1, RW);
	space_read(&s, 0);
	map_anon(&s, 1, 1, PROT_READ);
	assert_int_equal(protect(&s, 0, 1, PROT_READ), 0);
	assert_marks(&s, "[0..2)r--p");

	/* A private file keeps it, touched or not. */
	space_clear(&s);
	assert_int_equal(space_map_file(&s, 0, 1, RW, MAP_PRIVATE, file, 0), 0);
	assert_int_equal(space_map_file(&s, 1, 1, PROT_READ, MAP_PRIVATE, file, 1), 0);
	assert_int_equal(protect(&s, 0, 1, PROT_READ), 0);
	assert_marks(&s, "[0..1)r--p:ac [1..2)r--p");

	/* NORESERVE never has one. */
	space_clear(&s);
	assert_int_equal(space_map(&s, 0, 1, PROT_NONE, ANON | MAP_NORESERVE), 0);
	map_anon(&s, 1, 1, RW);
	assert_int_equal(protect(&s, 0, 1, RW), 0);
	assert_marks(&s, "[0..1)rw-p:nr [1..2)rw-p:ac");

	/* From nothing to writable: one area with its neighbour; and back. */
	space_clear(&s);
	map_anon(&s, 0, 2, PROT_NONE);
	map_anon(&s, 2, 1, RW);
	assert_int_equal(protect(&s, 1, 1, RW), 0);
	assert_marks(&s, "[0..1)---p [1..3)rw-p:ac");
	assert_int_equal(protect(&s, 1, 2, PROT_NONE), 0);
	assert_marks(&s, "[0..3)---p");
	file_put(file);
	space_close(&s);
}

static void totals_follow_the_protection(void **state)
{
	struct mm_stats stats;
	struct space s;

	(void)state;
	space_open(&s);
	map_anon(&s, 0, 8, RW);
	mm_get_stats(s.mm, &stats);
	assert_int_equal(stats.data_pages, 8);
	assert_int_equal(protect(&s, 2, 3, PROT_READ | PROT_EXEC), 0);
	mm_get_stats(s.mm, &stats);
	assert_int_equal(stats.data_pages, 5);
	assert_int_equal(stats.exec_pages, 3);
	assert_int_equal(stats.total_pages, 8);
	assert_int_equal(protect(&s, 0, 8, PROT_READ), 0);
	mm_get_stats(s.mm, &stats);
	assert_int_equal(stats.data_pages, 0);
	assert_int_equal(stats.exec_pages, 0);
	space_close(&s);
}

static void limits_refuse_what_becomes_data(void **state)
{
	struct space s;

	(void)state;
	space_open(&s);
	mm_set_rlimit(s.mm, MM_RLIMIT_DATA, 8 * SPACE_PAGE);
	map_anon(&s, 0, 16, PROT_NONE);
	assert_int_equal(protect(&s, 0, 16, RW), -ENOMEM);
	assert_marks(&s, "[0..16)---p");
	assert_int_equal(protect(&s, 0, 8, RW), 0);
	assert_marks(&s, "[0..8)rw-p:ac [8..16)---p");
	assert_int_equal(protect(&s, 8, 1, RW), -ENOMEM);
	assert_int_equal(protect(&s, 8, 1, PROT_READ), 0);
	space_close(&s);

	/* Memory that can never be there: refused, and nothing stays promised. */
	space_init(&s);
	s.config.total_ram_pages = 64;
	space_create(&s);
	map_anon(&s, 0, 128, PROT_NONE);
	assert_int_equal(protect(&s, 0, 128, RW), -ENOMEM);
	assert_marks(&s, "[0..128)---p");
	assert_int_equal(vmarea_committed_pages(s.v), 0);
	assert_int_equal(protect(&s, 0, 64, RW), 0);
	space_close(&s);
}

static void the_area_limit_leaves_one_stray_split(void **state)
{
	struct space s;

	(void)state;
	space_init(&s);
	s.config.max_map_count = NR_AREAS_SMALL;
	space_create(&s);
	map_anon(&s, 0, 3, RW);
	map_anon(&s, 10, 1, RW);
	map_anon(&s, 12, 1, RW);
	/* Three areas: one split fits, the second does not. */
	assert_int_equal(protect(&s, 1, 1, PROT_READ), -ENOMEM);
	assert_marks(&s, "[0..1)rw-p:ac [1..3)rw-p:ac [10..11)rw-p:ac [12..13)rw-p:ac");
	/* Nothing was promised or counted twice for it: space_close() looks. */
	assert_int_equal(protect(&s, 2, 1, PROT_READ), -ENOMEM);
	assert_int_equal(protect(&s, 0, 3, PROT_READ), 0);
	assert_marks(&s, "[0..3)r--p [10..11)rw-p:ac [12..13)rw-p:ac");
	space_close(&s);
}

static void no_change_joins_nothing(void **state)
{
	struct space s;

	(void)state;
	space_open(&s);
	/* The mark alone kept them apart, and goes without a merge. */
	map_anon(&s, 0, 1, RW);
	map_anon(&s, 1, 1, RW);
	assert_int_equal(advise(&s, 1, 1, MADV_MERGEABLE), 0);
	assert_int_equal(mm_set_memory_merge(s.mm, true), 0);
	assert_int_equal(mm_set_memory_merge(s.mm, false), 0);
	assert_marks(&s, "[0..1)rw-p:ac [1..2)rw-p:ac");
	assert_int_equal(protect(&s, 0, 2, RW), 0);
	assert_marks(&s, "[0..1)rw-p:ac [1..2)rw-p:ac");
	assert_int_equal(protect(&s, 0, 2, PROT_READ), 0);
	assert_marks(&s, "[0..2)r--p");
	space_close(&s);
}

static void growsdown_begins_at_the_stack(void **state)
{
	struct space s;

	(void)state;
	space_open(&s);
	assert_int_equal(space_map(&s, 4, 2, RW, ANON | MAP_GROWSDOWN), 0);
	assert_int_equal(protect(&s, 3, 2, PROT_GROWSDOWN | PROT_READ), 0);
	assert_marks(&s, "[4..5)r--p:gd [5..6)rw-p:gd ac");
	assert_int_equal(protect(&s, 1, 1, PROT_GROWSDOWN | RW), -ENOMEM);
	assert_int_equal(protect(&s, 5, 3, PROT_GROWSDOWN | PROT_READ), -ENOMEM);
	assert_marks(&s, "[4..6)r--p:gd");
	space_close(&s);

	space_open(&s);
	assert_int_equal(space_map(&s, 0, 4, RW, ANON | MAP_GROWSDOWN), 0);
	assert_int_equal(protect(&s, 2, 1, PROT_GROWSDOWN | PROT_READ), 0);
	assert_areas(&s, "[0..3)r--p [3..4)rw-p");
	space_close(&s);
}

static void read_may_imply_exec(void **state)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/noexec", .flags = FILE_READ | FILE_NOEXEC,
		.size_bytes = SPACE_PAGE,
	};
	struct file *file;
	struct space s;

	(void)state;
	space_open(&s);
	assert_int_equal(file_create(s.v, &desc, &file), 0);
	mm_set_personality(s.mm, MM_PERS_READ_IMPLIES_EXEC);
	map_anon(&s, 0, 2, PROT_NONE);
	assert_int_equal(space_map_file(&s, 2, 1, PROT_NONE, MAP_PRIVATE, file, 0), 0);
	map_anon(&s, 3, 1, PROT_NONE);
	assert_int_equal(protect(&s, 0, 1, PROT_WRITE), 0);
	assert_int_equal(protect(&s, 1, 3, PROT_READ), 0);
	assert_areas(&s, "[0..1)-w-p [1..2)r-xp [2..3)r--p [3..4)r-xp");
	assert_int_equal(protect(&s, 2, 1, PROT_EXEC), -EACCES);
	file_put(file);
	space_close(&s);
}

/* A locked private area that becomes writable has been written to, as merging shows. */
static void locked_areas_are_touched(void **state)
{
	struct space s;

	(void)state;
	space_open(&s);
	for (int onfault = 0; onfault < 2; onfault++) {
		map_anon(&s, 0, 1, PROT_READ);
		assert_int_equal(mm_mlock2(s.mm, at(0), SPACE_PAGE,
					   onfault ? MLOCK_ONFAULT : 0), 0);
		assert_int_equal(protect(&s, 0, 1, RW), 0);
		map_anon(&s, 2, 1, RW);
		space_write(&s, 2);
		assert_int_equal(mm_munlock(s.mm, at(0), SPACE_PAGE), 0);
		map_anon(&s, 1, 1, RW);
		assert_areas(&s, onfault ? "[0..3)rw-p" : "[0..2)rw-p [2..3)rw-p");
		space_clear(&s);
	}
	space_close(&s);
}

/* ----------------------------------------------------------------- drivers -- */

struct seen {
	unsigned long start, end;
	vm_flags_t flags;
	int calls, refuse;
};

static int see_mprotect(struct vma_mut *vma, unsigned long start, unsigned long end,
			vm_flags_t newflags)
{
	struct seen *seen = vma_private_data(vma);

	seen->start = start;
	seen->end = end;
	seen->flags = newflags;
	seen->calls++;
	return seen->refuse;
}

static const struct vm_operations_struct seeing_ops = { .mprotect = see_mprotect };

static int seeing_mmap(struct file *file, struct vma_new *vma)
{
	vma_set_owner(vma, &seeing_ops, file_private_data(file));
	return vma_try_clear_mayexec(vma);
}

static void a_driver_is_asked_first(void **state)
{
	static const struct file_operations ops = { .owner = "test", .mmap = seeing_mmap };
	struct seen seen = { 0 };
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/dev/x", .flags = FILE_READ | FILE_WRITE,
		.ops = &ops, .private_data = &seen,
	};
	struct file *file;
	struct space s;

	(void)state;
	space_open(&s);
	assert_int_equal(file_create(s.v, &desc, &file), 0);
	assert_int_equal(space_map_file(&s, 1, 4, RW, MAP_SHARED, file, 0), 0);
	map_anon(&s, 0, 1, RW);
	assert_int_equal(protect(&s, 0, 3, PROT_READ), 0);
	assert_int_equal(seen.calls, 1);
	assert_int_equal(seen.start, at(1));
	assert_int_equal(seen.end, at(3));
	assert_int_equal(seen.flags & (VM_READ | VM_WRITE), VM_READ);
	assert_areas(&s, "[0..1)r--p [1..3)r--s [3..5)rw-s");
	/* What the driver took away is gone before it is asked. */
	assert_int_equal(protect(&s, 3, 1, PROT_EXEC), -EACCES);
	assert_int_equal(seen.calls, 1);
	seen.refuse = -EIO;
	assert_int_equal(protect(&s, 0, 5, RW), -EIO);
	assert_areas(&s, "[0..1)rw-p [1..3)r--s [3..5)rw-s");
	file_put(file);
	space_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments_are_checked_in_linux_order),
		cmocka_unit_test(there_are_no_protection_keys),
		cmocka_unit_test(a_call_ends_at_what_it_cannot_change),
		cmocka_unit_test(areas_split_and_join),
		cmocka_unit_test(the_promise_follows_the_protection),
		cmocka_unit_test(totals_follow_the_protection),
		cmocka_unit_test(limits_refuse_what_becomes_data),
		cmocka_unit_test(the_area_limit_leaves_one_stray_split),
		cmocka_unit_test(no_change_joins_nothing),
		cmocka_unit_test(growsdown_begins_at_the_stack),
		cmocka_unit_test(read_may_imply_exec),
		cmocka_unit_test(locked_areas_are_touched),
		cmocka_unit_test(a_driver_is_asked_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
