/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * mlock() and its kind: what the 6.18 kernel does, case by case.
 */
#include <limits.h>

#include "steps.h"

#define RO	PROT_READ

static const struct scenario ranges[] = {
	{ "a locked page does not merge with others, until it is unlocked", STEPS(
		MAP(0, 3, RW), MLOCK(1, 1, 0), AREAS("[0..1)rw-p [1..2)rw-p [2..3)rw-p"),
		LOCKED(1), MUNLOCK(1, 1, 0), AREAS("[0..3)rw-p"), LOCKED(0),
		MLOCK2(1, 1, MLOCK_ONFAULT, 0),
		MARKS("[0..1)rw-p:ac [1..2)rw-p:lo lf ac [2..3)rw-p:ac"),
		LOCKED(1)) },
	{ "locking again and otherwise is not counted again", STEPS(
		MAP(0, 4, RW), MLOCK(0, 2, 0), LOCKED(2), MLOCK2(0, 4, MLOCK_ONFAULT, 0), LOCKED(4),
		MARKS("[0..4)rw-p:lo lf ac"), MLOCK(1, 1, 0), LOCKED(4),
		MARKS("[0..1)rw-p:lo lf ac [1..2)rw-p:lo ac [2..4)rw-p:lo lf ac"),
		MUNLOCKALL, LOCKED(0), AREAS("[0..4)rw-p")) },
	{ "a hole ends it, and what came before stays changed", STEPS(
		MAP(0, 2, RW), MAP(3, 2, RW), MLOCK(0, 5, -ENOMEM), LOCKED(2),
		MARKS("[0..2)rw-p:lo ac [3..5)rw-p:ac"), MLOCK(3, 2, 0),
		MUNLOCK(0, 5, -ENOMEM), MARKS("[0..2)rw-p:ac [3..5)rw-p:lo ac"), LOCKED(2)) },
	{ "nothing is touched if it ends in a hole", STEPS(
		MAP(0, 1, RW), MAP(2, 1, RW), MLOCK(0, 3, -ENOMEM), MUNLOCK(0, 1, 0),
		MAP(1, 1, RW), TOUCH(1), AREAS("[0..3)rw-p")) },
	{ "an empty range is fine anywhere, a hole is not", STEPS(
		MLOCK(0, 0, 0), MUNLOCK(0, 0, 0), MLOCK(0, 1, -ENOMEM), MUNLOCK(0, 1, -ENOMEM),
		MLOCK2(0, 1, MLOCK_ONFAULT, -ENOMEM), MLOCK2(0, 1, 2, -EINVAL)) },
	{ "across protections and kinds", STEPS(
		MAP(0, 1, RW), MAP(1, 1, RO), MAP_SHM(2, 1, RW), MLOCK(0, 3, 0), LOCKED(3),
		MARKS("[0..1)rw-p:lo ac [1..2)r--p:lo [2..3)rw-s:lo")) },
	{ "a locked page is not given up to madvise, and mprotect keeps it", STEPS(
		MAP(0, 2, RW), MLOCK(0, 2, 0), { STEP_ADVISE, { 0, 2, MADV_DONTNEED }, -EINVAL },
		PROTECT(0, 1, RO, 0), MARKS("[0..1)r--p:lo ac [1..2)rw-p:lo ac"), LOCKED(2),
		UNMAP(0, 1), LOCKED(1)) },
};

static const struct scenario touching[] = {
	{ "what is private and writable is touched", STEPS(
		MAP(0, 1, RW), MAP(2, 1, RW), MLOCK(0, 1, 0), MLOCK(2, 1, 0), MUNLOCK(0, 1, 0),
		MUNLOCK(2, 1, 0), MAP(1, 1, RW), AREAS("[0..2)rw-p [2..3)rw-p")) },
	{ "what is read only is not", STEPS(
		MAP(0, 1, RO), MAP(2, 1, RO), MLOCK(0, 1, 0), MLOCK(2, 1, 0),
		MUNLOCK(0, 3, -ENOMEM),
		MUNLOCK(2, 1, 0), MAP(1, 1, RO), AREAS("[0..3)r--p")) },
	{ "nor what is to be locked when it is touched", STEPS(
		MAP(0, 1, RW), MAP(2, 1, RW), MLOCK2(0, 1, MLOCK_ONFAULT, 0),
		MLOCK2(2, 1, MLOCK_ONFAULT, 0), MUNLOCKALL, MAP(1, 1, RW), AREAS("[0..3)rw-p")) },
	{ "what cannot be accessed is locked all the same, and the call fails there", STEPS(
		MAP(0, 2, RW), MAP(2, 1, PROT_NONE), MAP(3, 1, RW), MLOCK(0, 4, -ENOMEM), LOCKED(4),
		MARKS("[0..2)rw-p:lo ac [2..3)---p:lo [3..4)rw-p:lo ac"), MUNLOCKALL,
		MAP(4, 1, RW), TOUCH(4), AREAS("[0..2)rw-p [2..3)---p [3..5)rw-p")) },
	{ "write-only and execute-only memory can be touched", STEPS(
		MAP(0, 1, PROT_WRITE), MAP(1, 1, PROT_EXEC), MLOCK(0, 2, 0), LOCKED(2)) },
	{ "beyond the end of a file it cannot", STEPS(
		MAP_FILE(0, 3, RW, MAP_SHARED, PLAIN_FILE, 14), MLOCK(0, 3, -ENOMEM), LOCKED(3),
		MLOCK(0, 2, 0),
		MAP_FILE(0, 3, RO, MAP_PRIVATE, PLAIN_FILE, 14), MLOCK(0, 3, -ENOMEM),
		MAP_FILE(0, 3, RW, MAP_PRIVATE, PLAIN_FILE, 14), MLOCK(0, 3, -ENOMEM)) },
	{ "droppable memory is passed over", STEPS(
		MAP_AS(0, 2, RW, MAP_DROPPABLE | MAP_ANONYMOUS), MLOCK(0, 2, 0), LOCKED(0),
		MARKS("[0..2)rw-p:nr wf dd dp")) },
	{ "a locked mapping is touched by mmap", STEPS(
		MAP_AS(0, 1, RW, ANON | MAP_LOCKED),
		MAP_AS(2, 1, RW, ANON | MAP_POPULATE), LOCKED(1),
		MUNLOCK(0, 1, 0), MAP(1, 1, RW), AREAS("[0..2)rw-p [2..3)rw-p")) },
};

static const struct scenario all[] = {
	{ "which flags there are", STEPS(
		MLOCKALL(0, -EINVAL), MLOCKALL(MCL_ONFAULT, -EINVAL), MLOCKALL(8, -EINVAL),
		MLOCKALL(MCL_CURRENT | 8, -EINVAL)) },
	{ "what is there is locked and touched, and passed over if it cannot be", STEPS(
		MAP(0, 1, RW), MAP(2, 1, RW), MAP(4, 1, RO), MAP(6, 1, PROT_NONE), MAP(7, 1, RW),
		MLOCKALL(MCL_CURRENT, 0), LOCKED(5), MAP(9, 1, RW), LOCKED(5), MUNLOCKALL,
		LOCKED(0), MAP(1, 1, RW), TOUCH(9), MAP(8, 1, RW),
		AREAS("[0..2)rw-p [2..3)rw-p [4..5)r--p [6..7)---p [7..9)rw-p [9..10)rw-p")) },
	{ "what is to come is locked and touched", STEPS(
		MAP(0, 1, RW), MLOCKALL(MCL_FUTURE, 0), LOCKED(0), MAP(1, 1, RW), LOCKED(1),
		AREAS("[0..1)rw-p [1..2)rw-p"), MUNLOCKALL, AREAS("[0..2)rw-p"), MAP(2, 1, RW),
		LOCKED(0), AREAS("[0..3)rw-p")) },
	{ "both, on fault; and then only what is there", STEPS(
		MAP(0, 1, RW), MLOCKALL(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT, 0), MAP(1, 1, RW),
		MARKS("[0..2)rw-p:lo lf ac"), LOCKED(2), MLOCKALL(MCL_CURRENT, 0), MAP(2, 1, RW),
		MARKS("[0..2)rw-p:lo ac [2..3)rw-p:ac")) },
	{ "MCL_FUTURE alone leaves what is locked", STEPS(
		MAP(0, 1, RW), MLOCK(0, 1, 0), MLOCKALL(MCL_FUTURE, 0), LOCKED(1)) },
	{ "identical neighbours are joined", STEPS(
		MAP(0, 1, RW), MAP(1, 1, RW), MLOCK2(0, 1, MLOCK_ONFAULT, 0), FORK,
		AREAS("[0..1)rw-p [1..2)rw-p"), CAPS(MM_CAP_IPC_LOCK), MLOCKALL(MCL_CURRENT, 0),
		AREAS("[0..2)rw-p")) },
};

static const struct scenario limits[] = {
	{ "up to the limit; what is locked already does not count twice", STEPS(
		CAPS(0), LIMIT(MM_RLIMIT_MEMLOCK, 16 * PAGE), MAP(0, 64, RW), MLOCK(0, 17, -ENOMEM),
		LOCKED(0), MLOCK(0, 16, 0), MLOCK(0, 16, 0), MLOCK(4, 4, 0), MLOCK(0, 17, -ENOMEM),
		MLOCK(20, 1, -ENOMEM), LOCKED(16), AREAS("[0..16)rw-p [16..64)rw-p"),
		MUNLOCK(0, 8, 0), MLOCK(4, 12, 0), LOCKED(12)) },
	{ "a part of a page is a page", STEPS(
		CAPS(0), LIMIT(MM_RLIMIT_MEMLOCK, 2 * PAGE + 1), MAP(0, 4, RW),
		MLOCK(0, 3, -ENOMEM),
		MLOCK(0, 2, 0)) },
	{ "the limit comes before the hole", STEPS(
		CAPS(0), LIMIT(MM_RLIMIT_MEMLOCK, 2 * PAGE), MLOCK(0, 3, -ENOMEM),
		MLOCK(0, 1, -ENOMEM)) },
	{ "a limit of 0 forbids it all", STEPS(
		CAPS(0), LIMIT(MM_RLIMIT_MEMLOCK, 0), MAP(0, 1, RW), MLOCK(0, 1, -EPERM),
		MLOCK(0, 0, -EPERM), MLOCK2(0, 1, 2, -EINVAL), MLOCKALL(0, -EINVAL),
		MLOCKALL(MCL_FUTURE, -EPERM), MUNLOCK(0, 1, 0), MUNLOCKALL) },
	{ "all that is mapped must fit; what is to come need not yet", STEPS(
		CAPS(0), LIMIT(MM_RLIMIT_MEMLOCK, 2 * PAGE), MAP(0, 3, RW),
		MLOCKALL(MCL_CURRENT, -ENOMEM), MLOCKALL(MCL_CURRENT | MCL_FUTURE, -ENOMEM),
		MLOCKALL(MCL_FUTURE, 0), { STEP_MAP, { 8, 3, RW, ANON }, -EAGAIN }, MAP(8, 2, RW),
		LOCKED(2)) },
	{ "MAP_LOCKED beyond it: EAGAIN", STEPS(
		CAPS(0), LIMIT(MM_RLIMIT_MEMLOCK, 2 * PAGE),
		{ STEP_MAP, { 0, 3, RW, ANON | MAP_LOCKED }, -EAGAIN },
		MAP_AS(0, 2, RW, ANON | MAP_LOCKED)) },
	{ "the capability knows no limit", STEPS(
		LIMIT(MM_RLIMIT_MEMLOCK, 0), MAP(0, 64, RW), MLOCK(0, 64, 0),
		MLOCKALL(MCL_CURRENT | MCL_FUTURE, 0), LOCKED(64)) },
};

static void test_ranges(void **state)
{
	run_scenarios(ranges, ARRAY_LEN(ranges));
}

static void test_touching(void **state)
{
	run_scenarios(touching, ARRAY_LEN(touching));
}

static void test_all(void **state)
{
	run_scenarios(all, ARRAY_LEN(all));
}

static void test_limits(void **state)
{
	run_scenarios(limits, ARRAY_LEN(limits));
}

/* Addresses are rounded down, lengths up; both may wrap. */
static void test_rounding(void **state)
{
	struct stage st;

	stage_open(&st);
	map_anon(&st.s, 0, 3, RW);
	assert_int_equal(mm_mlock(st.s.mm, at(0) + 100, PAGE), 0);
	assert_areas(&st.s, "[0..2)rw-p [2..3)rw-p");
	assert_int_equal(mm_munlock(st.s.mm, at(1) + 1, 1), 0);
	assert_areas(&st.s, "[0..1)rw-p [1..3)rw-p");
	assert_int_equal(mm_mlock(st.s.mm, at(0), -1ul), 0);
	assert_int_equal(mm_mlock(st.s.mm, at(0), -2 * PAGE), -EINVAL);
	assert_int_equal(mm_munlock(st.s.mm, at(0), -2 * PAGE), -EINVAL);
	assert_int_equal(mm_set_caps(st.s.mm, 0), 0);
	assert_int_equal(mm_mlock(st.s.mm, at(0), -2 * PAGE), -ENOMEM);
	assert_int_equal(locked_pages(st.s.mm), 1);
	stage_close(&st);
}

/* A split needs room below the area limit: in the middle two. */
static void test_area_limit(void **state)
{
	const unsigned int limit = 20;

	for (unsigned long missing = 0; missing < 4; missing++) {
		struct space s;

		space_init(&s);
		s.config.max_map_count = limit;
		space_create(&s);
		map_anon(&s, 0, 3, RW);
		for (unsigned long i = 1; i < limit - missing; i++)
			map_anon(&s, 10 * i, 1, RW);
		assert_int_equal(mm_mlock(s.mm, at(1), PAGE), missing < 2 ? -ENOMEM : 0);
		/* As with Linux the first of two splits may have been made. */
		assert_int_equal(locked_pages(s.mm), missing < 2 ? 0 : 1);
		assert_int_equal(mm_mlock(s.mm, at(10), PAGE), 0);
		space_close(&s);
	}
}

static int special_mmap(struct file *file, struct vma_new *vma) __in_mmap_hook
{
	vma_set_io(vma);
	return 0;
}

/* A driver's areas are not locked, do not count and are not touched. */
static void test_special(void **state)
{
	static const struct file_operations ops = { .owner = "test", .mmap = special_mmap };
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/dev/test", .ops = &ops, .inode = 9,
		.flags = FILE_READ | FILE_WRITE,
	};
	struct file *file;
	struct stage st;

	stage_open(&st);
	assert_int_equal(file_create(st.s.v, &desc, &file), 0);
	assert_int_equal(space_map_file(&st.s, 0, 2, RW, MAP_PRIVATE, file, 0), 0);
	map_anon(&st.s, 2, 1, RW);
	assert_int_equal(mm_mlock(st.s.mm, at(0), 3 * PAGE), 0);
	assert_marks(&st.s, "[0..2)rw-p:io ac [2..3)rw-p:lo ac");
	assert_int_equal(locked_pages(st.s.mm), 1);
	file_put(file);
	stage_close(&st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_touching),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_rounding),
		cmocka_unit_test(test_area_limit),
		cmocka_unit_test(test_special),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
