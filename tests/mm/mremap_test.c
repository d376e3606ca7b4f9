/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * mremap(): what the 6.18 kernel does, case by case.
 */
#include <limits.h>

#include "mm/mm.h"
#include "steps.h"

#define MAYMOVE		MREMAP_MAYMOVE
#define FIXED		(MREMAP_MAYMOVE | MREMAP_FIXED)
#define DONTUNMAP	(MREMAP_MAYMOVE | MREMAP_DONTUNMAP)
#define DONTUNMAP_TO	(DONTUNMAP | MREMAP_FIXED)
#define RO		PROT_READ
#define SHARED		MAP_SHARED
#define PRIVATE		MAP_PRIVATE

/* ------------------------------------------------------------- scenarios -- */

static const struct scenario in_place[] = {
	{ "the same size is no change, even over a hole", STEPS(
		MAP(0, 1, RW), MREMAP(0, 4, 4, 0, 0, 0), MREMAP(0, 4, 4, MAYMOVE, 0, 0),
		MREMAP(50, 4, 4, 0, 0, -EFAULT), AREAS("[0..1)rw-p")) },
	{ "growing into free space, then up to the next area", STEPS(
		MAP(0, 1, RW), MREMAP(0, 1, 2, 0, 0, 0), AREAS("[0..2)rw-p"),
		MAP(3, 1, RW), MREMAP(0, 2, 3, 0, 0, 0), AREAS("[0..4)rw-p")) },
	{ "two touched areas grow to meet and stay two", STEPS(
		MAP(8, 2, RW), TOUCH(8), MAP(12, 1, RW), TOUCH(12),
		MREMAP(8, 2, 4, 0, 0, 8), AREAS("[8..12)rw-p [12..13)rw-p")) },
	{ "growing is blocked by the next area", STEPS(
		MAP(0, 1, RW), MAP(1, 1, RO), MREMAP(0, 1, 2, 0, 0, -ENOMEM),
		MREMAP(0, 1, 2, MAYMOVE, 0, ANYWHERE), AREAS("[1..2)r--p")) },
	{ "only an area's tail grows in place", STEPS(
		MAP(0, 8, RW), MREMAP(2, 2, 4, 0, 0, -ENOMEM), AREAS("[0..8)rw-p"),
		MREMAP(2, 2, 4, MAYMOVE, 0, ANYWHERE), AREAS("[0..2)rw-p [4..8)rw-p")) },
	{ "shrinking may span areas and holes, growing may not", STEPS(
		MAP(0, 2, RW), MAP(2, 1, RO), MAP(4, 1, RW),
		MREMAP(0, 3, 4, MAYMOVE, 0, -EFAULT), MREMAP(0, 5, 2, 0, 0, 0),
		AREAS("[0..2)rw-p")) },
	{ "a sealed tail is not cut off", STEPS(
		MAP(0, 2, RW), MAP(2, 1, RO), SEAL(2, 1), MREMAP(0, 3, 2, 0, 0, -EPERM),
		AREAS("[0..2)rw-p [2..3)r--p"), MREMAP(2, 1, 1, 0, 0, -EPERM)) },
};

static const struct scenario moving[] = {
	{ "an untouched area is renumbered, a touched one is not", STEPS(
		MAP(0, 1, RW), MREMAP(0, 1, 1, FIXED, 10, 10), MAP(11, 1, RW),
		AREAS("[10..12)rw-p"), UNMAP(10, 2),
		MAP(0, 1, RW), TOUCH(0), MREMAP(0, 1, 1, FIXED, 10, 10), MAP(11, 1, RW),
		AREAS("[10..11)rw-p [11..12)rw-p")) },
	{ "a touched tail moved away comes back and joins again", STEPS(
		MAP(0, 2, RW), TOUCH(0), TOUCH(1), MREMAP(1, 1, 1, FIXED, 10, 10),
		AREAS("[0..1)rw-p [10..11)rw-p"), MREMAP(10, 1, 1, FIXED, 1, 1),
		AREAS("[0..2)rw-p")) },
	{ "what is mapped into a hole of a moved touched area stays apart", STEPS(
		MAP(0, 3, RW), TOUCH(0), MREMAP(0, 3, 3, FIXED, 10, 10),
		MREMAP(11, 2, 2, FIXED, 20, 20), MAP(11, 1, RW),
		AREAS("[10..11)rw-p [11..12)rw-p [20..22)rw-p")) },
	{ "moved beside a touched area, with other pages", STEPS(
		MAP(0, 1, RW), TOUCH(0), MAP(5, 1, RW), TOUCH(5),
		MREMAP(5, 1, 1, FIXED, 1, 1), AREAS("[0..1)rw-p [1..2)rw-p")) },
	{ "an untouched area merges with itself", STEPS(
		MAP(4, 4, RW), MREMAP(4, 4, 4, FIXED, 0, 0), AREAS("[0..4)rw-p"),
		MREMAP(2, 2, 2, FIXED, 4, 4), AREAS("[0..2)rw-p [4..6)rw-p"),
		MREMAP(4, 1, 1, FIXED, 6, 6), AREAS("[0..2)rw-p [5..7)rw-p")) },
	{ "from one part of a touched area onto another", STEPS(
		MAP(0, 8, RW), TOUCH(0), MREMAP(4, 2, 2, FIXED, 0, 0),
		AREAS("[0..2)rw-p [2..4)rw-p [6..8)rw-p")) },
	{ "what is at the target goes", STEPS(
		MAP(0, 2, RW), MAP(8, 4, RO), MREMAP(0, 2, 2, FIXED, 9, 9),
		AREAS("[8..9)r--p [9..11)rw-p [11..12)r--p")) },
	{ "moved and shrunk, moved and grown", STEPS(
		MAP(0, 2, RW), MREMAP(0, 2, 1, FIXED, 32, 32), AREAS("[32..33)rw-p"),
		MREMAP(32, 1, 3, FIXED, 40, 40), AREAS("[40..43)rw-p")) },
	{ "grown away from the middle", STEPS(
		MAP(0, 8, RW), TOUCH(0), MREMAP(2, 2, 4, FIXED, 20, 20),
		AREAS("[0..2)rw-p [4..8)rw-p [20..24)rw-p")) },
	{ "the tail that a shrinking move cuts off may be elsewhere", STEPS(
		MAP(0, 2, RW), MAP(3, 2, RO), MREMAP(0, 5, 2, FIXED, 20, 20),
		AREAS("[20..22)rw-p")) },
	{ "errors before the target is cleared leave it", STEPS(
		MAP(8, 2, RW), MREMAP(0, 1, 1, FIXED, 8, -EFAULT),
		MREMAP(0, 1, 2, FIXED, 8, -EFAULT), MAP(0, 1, RW),
		MREMAP(0, 2, 3, FIXED, 8, -EFAULT), MREMAP(0, 3, 2, FIXED, 8, -EFAULT),
		AREAS("[0..1)rw-p [8..10)rw-p")) },
	{ "a sealed target stays, and so does the source", STEPS(
		MAP(0, 2, RW), MAP(4, 2, RW), SEAL(5, 1), MREMAP(0, 2, 2, FIXED, 4, -EPERM),
		AREAS("[0..2)rw-p [4..5)rw-p [5..6)rw-p")) },
	{ "a sealed tail fails after the target has been cleared", STEPS(
		MAP(0, 2, RW), MAP(2, 2, RO), SEAL(2, 2), MAP(20, 4, RO),
		MREMAP(0, 4, 2, FIXED, 20, -EPERM),
		AREAS("[0..2)rw-p [2..4)r--p [22..24)r--p")) },
	{ "a private /dev/zero is anonymous", STEPS(
		MAP_FILE(0, 2, RW, PRIVATE, ZERO_FILE, 5), MREMAP(0, 2, 2, FIXED, 20, 20),
		MAP_FILE(22, 1, RW, PRIVATE, ZERO_FILE, (long)(SPACE_BASE / PAGE) + 22),
		AREAS("[20..23)rw-p")) },
	{ "a file keeps its offset", STEPS(
		MAP_FILE(0, 3, RO, SHARED, PLAIN_FILE, 0), MREMAP(1, 2, 2, FIXED, 20, 20),
		MAP_FILE(22, 1, RO, SHARED, PLAIN_FILE, 3),
		AREAS("[0..1)r--s [20..23)r--s"), MREMAP(20, 3, 3, FIXED, 1, 1),
		AREAS("[0..4)r--s")) },
};

static const struct scenario duplicating[] = {
	{ "length 0 gives a second view of shared pages", STEPS(
		MAP_SHM(0, 2, RW), MREMAP(0, 0, 2, 0, 0, -ENOMEM),
		MREMAP(0, 0, 2, MAYMOVE, 0, ANYWHERE), MREMAP(0, 0, 5, FIXED, 30, 30),
		MREMAP(1, 0, 2, FIXED, 40, 40), AREAS("[0..2)rw-s [30..35)rw-s [40..42)rw-s")) },
	{ "a copy of what follows joins", STEPS(
		MAP_SHM(0, 2, RW), MREMAP(0, 0, 1, FIXED, 30, 30),
		MREMAP(1, 0, 1, FIXED, 31, 31), AREAS("[0..2)rw-s [30..32)rw-s")) },
	{ "of private pages there is none", STEPS(
		MAP(0, 2, RW), MREMAP(0, 0, 2, MAYMOVE, 0, -EINVAL),
		MREMAP(0, 0, 2, FIXED, 8, -EINVAL), AREAS("[0..2)rw-p")) },
	{ "onto the source itself: it is gone", STEPS(
		MAP_SHM(0, 4, RW), MREMAP(1, 0, 2, FIXED, 1, -EFAULT),
		AREAS("[0..1)rw-s [3..4)rw-s")) },
};

static const struct scenario leaving[] = {
	{ "the source stays, as if never touched", STEPS(
		MAP(0, 4, RW), TOUCH(0), MREMAP(0, 4, 4, DONTUNMAP_TO, 16, 16),
		AREAS("[0..4)rw-p [16..20)rw-p"), MAP(4, 1, RW),
		AREAS("[0..5)rw-p [16..20)rw-p"), MAP(20, 1, RW),
		AREAS("[0..5)rw-p [16..20)rw-p [20..21)rw-p")) },
	{ "part of an area leaves the rest its pages", STEPS(
		MAP(0, 4, RW), TOUCH(0), MREMAP(0, 2, 2, DONTUNMAP_TO, 20, 20),
		AREAS("[0..4)rw-p [20..22)rw-p"), MAP(22, 1, RW),
		AREAS("[0..4)rw-p [20..22)rw-p [22..23)rw-p")) },
	{ "a source that had been moved keeps its numbering", STEPS(
		MAP(0, 2, RW), TOUCH(0), MREMAP(0, 2, 2, FIXED, 20, 20),
		MREMAP(20, 2, 2, DONTUNMAP_TO, 40, 40), MAP(22, 1, RW),
		AREAS("[20..22)rw-p [22..23)rw-p [40..42)rw-p")) },
	{ "an untouched area merges with its copy", STEPS(
		MAP(0, 4, RW), MREMAP(0, 2, 2, DONTUNMAP_TO, 4, 4), AREAS("[0..6)rw-p")) },
	{ "a touched one does not", STEPS(
		MAP(0, 4, RW), TOUCH(0), MREMAP(0, 4, 4, DONTUNMAP_TO, 4, 4),
		AREAS("[0..4)rw-p [4..8)rw-p")) },
	{ "the address without FIXED is a hint", STEPS(
		MAP(0, 4, RW), MREMAP(0, 4, 4, DONTUNMAP, 40, 40), MAP(60, 1, RO),
		MREMAP(0, 4, 4, DONTUNMAP, 58, ANYWHERE),
		AREAS("[0..4)rw-p [40..44)rw-p [60..61)r--p")) },
	{ "several areas, with FIXED only", STEPS(
		MAP(0, 2, RW), MAP(2, 2, RO), MAP(5, 1, RW), TOUCH(0),
		MREMAP(0, 4, 4, DONTUNMAP, 40, -EFAULT),
		MREMAP(0, 6, 6, DONTUNMAP_TO, 40, 40),
		AREAS("[0..2)rw-p [2..4)r--p [5..6)rw-p "
		      "[40..42)rw-p [42..44)r--p [45..46)rw-p")) },
	{ "no change of size", STEPS(
		MAP(0, 2, RW), MREMAP(0, 2, 3, DONTUNMAP, 20, -EINVAL),
		MREMAP(0, 2, 1, DONTUNMAP, 20, -EINVAL),
		MREMAP(0, 2, 2, MREMAP_DONTUNMAP, 20, -EINVAL), AREAS("[0..2)rw-p")) },
};

static const struct scenario several[] = {
	{ "areas of any kind move together", STEPS(
		MAP(0, 1, RW), MAP_FILE(1, 1, RO, PRIVATE, PLAIN_FILE, 0), MAP_SHM(2, 1, RW),
		MREMAP(0, 3, 3, FIXED, 20, 20), AREAS("[20..21)rw-p [21..22)r--p [22..23)rw-s")) },
	{ "what is beneath a hole of the source stays", STEPS(
		MAP(0, 1, RW), MAP(2, 1, RW), MAP(20, 4, RO), MREMAP(0, 3, 3, FIXED, 20, 20),
		AREAS("[20..21)rw-p [21..22)r--p [22..23)rw-p [23..24)r--p")) },
	{ "a hole at the start is refused, one at the end is not", STEPS(
		MAP(1, 1, RW), MREMAP(0, 2, 2, FIXED, 20, -EFAULT), AREAS("[1..2)rw-p"),
		MREMAP(1, 3, 3, FIXED, 40, 40), AREAS("[40..41)rw-p")) },
	{ "parts of the first and the last", STEPS(
		MAP(0, 3, RW), MAP(3, 3, RO), MREMAP(2, 2, 2, FIXED, 20, 20),
		AREAS("[0..2)rw-p [4..6)r--p [20..21)rw-p [21..22)r--p")) },
	{ "a seal stops it after the first", STEPS(
		MAP(0, 1, RW), MAP(1, 1, RW), SEAL(1, 1), MREMAP(0, 2, 2, FIXED, 20, -EPERM),
		AREAS("[1..2)rw-p [20..21)rw-p")) },
	{ "a private /dev/zero moves alone", STEPS(
		MAP(0, 2, RW), MAP_FILE(2, 2, RW, PRIVATE, ZERO_FILE, 5),
		MREMAP(0, 4, 4, FIXED, 20, -EFAULT), AREAS("[2..4)rw-p [20..22)rw-p"),
		MREMAP(2, 3, 3, FIXED, 30, -EFAULT), MREMAP(2, 2, 2, FIXED, 30, 30),
		AREAS("[20..22)rw-p [30..32)rw-p")) },
	{ "a change of size is for one area", STEPS(
		MAP(0, 2, RW), MAP(2, 2, RO), MREMAP(0, 4, 5, FIXED, 20, -EFAULT),
		MREMAP(0, 4, 3, FIXED, 20, -EFAULT), MREMAP(0, 4, 2, FIXED, 20, 20),
		AREAS("[20..22)rw-p")) },
};

static const struct scenario locked[] = {
	{ "a locked area that grows is touched and counted", STEPS(
		MAP(0, 2, RW), MLOCK(0, 2, 0), LOCKED(2), MREMAP(0, 2, 4, 0, 0, 0), LOCKED(4),
		MREMAP(0, 4, 1, 0, 0, 0), LOCKED(1), MREMAP(0, 1, 1, FIXED, 20, 20), LOCKED(1),
		MREMAP(20, 1, 3, FIXED, 30, 30), LOCKED(3), MARKS("[30..33)rw-p:lo ac")) },
	{ "growing beyond the limit: EAGAIN", STEPS(
		CAPS(0), LIMIT(MM_RLIMIT_MEMLOCK, 3 * PAGE), MAP(0, 2, RW), MLOCK(0, 2, 0),
		MREMAP(0, 2, 3, 0, 0, 0), MREMAP(0, 3, 4, 0, 0, -EAGAIN),
		MREMAP(0, 3, 3, FIXED, 20, 20), MREMAP(20, 3, 4, FIXED, 30, -EAGAIN), LOCKED(3)) },
	{ "DONTUNMAP: the copy is locked, and the source goes on being counted", STEPS(
		MAP(0, 4, RW), MLOCK(0, 4, 0), MREMAP(0, 4, 4, DONTUNMAP_TO, 20, 20), LOCKED(8),
		MARKS("[0..4)rw-p:ac [20..24)rw-p:lo ac"), UNMAP(0, 30), LOCKED(4)) },
	{ "DONTUNMAP of a part unlocks the whole area", STEPS(
		MAP(0, 4, RW), MLOCK(0, 4, 0), MREMAP(1, 2, 2, DONTUNMAP_TO, 20, 20), LOCKED(6),
		MARKS("[0..4)rw-p:ac [20..22)rw-p:lo ac"), UNMAP(0, 30), LOCKED(4)) },
	{ "and the copy too, if it is the same area", STEPS(
		MAP(0, 4, RW), MLOCK2(0, 4, MLOCK_ONFAULT, 0),
		MREMAP(0, 4, 4, DONTUNMAP_TO, 4, 4), MARKS("[0..8)rw-p:ac"), LOCKED(8),
		UNMAP(0, 8), LOCKED(8)) },
};

static const struct scenario limited[] = {
	{ "RLIMIT_AS bounds growing and DONTUNMAP", STEPS(
		MAP(0, 4, RW), LIMIT(MM_RLIMIT_AS, 6 * PAGE), MREMAP(0, 4, 7, 0, 0, -ENOMEM),
		MREMAP(0, 4, 4, DONTUNMAP, 20, -ENOMEM), MREMAP(0, 4, 6, 0, 0, 0),
		MREMAP(0, 6, 6, FIXED, 20, 20), AREAS("[20..26)rw-p")) },
	{ "RLIMIT_DATA bounds what is private and writable", STEPS(
		MAP(0, 4, RW), MAP(10, 4, RO), LIMIT(MM_RLIMIT_DATA, 5 * PAGE),
		MREMAP(0, 4, 6, 0, 0, -ENOMEM), MREMAP(10, 4, 6, 0, 0, 10),
		MREMAP(0, 4, 5, 0, 0, 0)) },
};

static void test_in_place(void **state)
{
	run_scenarios(in_place, ARRAY_LEN(in_place));
}

static void test_moving(void **state)
{
	run_scenarios(moving, ARRAY_LEN(moving));
}

static void test_duplicating(void **state)
{
	run_scenarios(duplicating, ARRAY_LEN(duplicating));
}

static void test_leaving(void **state)
{
	run_scenarios(leaving, ARRAY_LEN(leaving));
}

static void test_several(void **state)
{
	run_scenarios(several, ARRAY_LEN(several));
}

static void test_locked(void **state)
{
	run_scenarios(locked, ARRAY_LEN(locked));
}

static void test_limited(void **state)
{
	run_scenarios(limited, ARRAY_LEN(limited));
}

/* ------------------------------------------------------------- arguments -- */

static void test_arguments(void **state)
{
	const unsigned long task_size = 0x7ffffffff000ul;
	const struct {
		unsigned long addr, old_len, new_len, flags, new_addr;
		long expect;
	} calls[] = {
		{ at(0), PAGE, PAGE, 8, 0, -EINVAL },
		{ at(0) + 1, PAGE, PAGE, 0, 0, -EINVAL },
		{ at(0), PAGE, 0, 0, 0, -EINVAL },
		{ at(0), PAGE, -1ul, MAYMOVE, 0, -EINVAL },
		{ at(0), PAGE, task_size + 1, 0, 0, -EINVAL },
		{ at(0), PAGE, task_size, 0, 0, -ENOMEM },
		{ at(0), PAGE, task_size, MAYMOVE, 0, -ENOMEM },
		{ at(0), -1ul, PAGE, 0, 0, -EINVAL },		/* wraps to length 0 */
		{ at(0), -2 * PAGE, PAGE, 0, 0, -EINVAL },	/* too much to cut off */
		{ at(0), PAGE, PAGE, MREMAP_FIXED, at(9), -EINVAL },
		{ at(0), PAGE, PAGE, FIXED, at(9) + 1, -EINVAL },
		{ at(0), PAGE, PAGE, FIXED, task_size, -EINVAL },
		{ at(0), 2 * PAGE, 2 * PAGE, FIXED, at(1), -EINVAL },
		{ at(1), PAGE, 2 * PAGE, FIXED, at(0), -EINVAL },
		{ -2 * PAGE, PAGE, PAGE, 0, 0, -EFAULT },
		{ -2 * PAGE, 16 * PAGE, 16 * PAGE, FIXED, at(0), -EFAULT },
		/* Lengths are rounded up; without a target new_addr is not looked at. */
		{ at(0), 1, 1, 0, 12345, (long)at(0) },
	};
	struct stage st;

	stage_open(&st);
	map_anon(&st.s, 0, 1, RW);
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		long ret = mm_mremap(st.s.mm, calls[i].addr, calls[i].old_len, calls[i].new_len,
				     calls[i].flags, calls[i].new_addr);

		if (ret != calls[i].expect)
			fail_msg("call %zu: %ld, not %ld", i, ret, calls[i].expect);
		assert_areas(&st.s, "[0..1)rw-p");
	}
	/* The low end: FIXED may go there with the capability, and is not rounded as a hint is. */
	assert_int_equal(mm_mremap(st.s.mm, at(0), PAGE, PAGE, FIXED, 0), -EPERM);
	assert_int_equal(mm_set_caps(st.s.mm, MM_CAP_SYS_RAWIO), 0);
	assert_int_equal(mm_mremap(st.s.mm, at(0), PAGE, PAGE, FIXED, 0), 0);
	assert_int_equal(mm_munmap(st.s.mm, 0, PAGE), 0);
	stage_close(&st);
}

/* ------------------------------------------------------------ area limit -- */

#define LIMIT_AREAS	40

/* What is tried at each number of areas: five of the window, the others are filling. */
struct at_limit {
	const char *name;
	struct step step;
	int room;		/* succeeds while so many areas or more are missing to the limit */
};

static const struct at_limit at_limit[] = {
	{ "FIXED", MREMAP(0, 2, 2, FIXED, 70, 70), 6 },
	{ "FIXED, shrinking", MREMAP(8, 3, 2, FIXED, 70, 70), 6 },
	{ "FIXED, growing", MREMAP(8, 3, 4, FIXED, 70, 70), 6 },
	{ "DONTUNMAP", MREMAP(8, 3, 3, DONTUNMAP, 70, 70), 6 },
	{ "growing elsewhere", MREMAP(0, 2, 3, MAYMOVE, 0, ANYWHERE), 4 },
	{ "duplicating", MREMAP(16, 0, 2, MAYMOVE, 0, ANYWHERE), 4 },
	{ "growing in place", MREMAP(30, 4, 5, 0, 0, 30), -1 },
	{ "shrinking in place", MREMAP(8, 3, 2, 0, 0, 8), -1 },
};

static void try_at_limit(const struct at_limit *try, int missing)
{
	unsigned long nr = 5;
	struct space s;
	struct stage st = { 0 };
	long ret;

	space_init(&s);
	s.config.max_map_count = LIMIT_AREAS;
	space_create(&s);
	map_anon(&s, 0, 2, RW);
	map_anon(&s, 2, 1, RO);
	map_anon(&s, 8, 3, RW);
	map_anon(&s, 30, 4, RW);
	assert_int_equal(space_map(&s, 16, 2, RW, MAP_SHARED | MAP_ANONYMOUS), 0);
	for (; nr < (unsigned long)(LIMIT_AREAS - missing); nr++)
		map_anon(&s, 200 + 2 * nr, 1, RW);
	/* Bad arguments come before the limit, a bad source after it if there is a target. */
	assert_int_equal(mm_mremap(s.mm, at(30), 2 * PAGE, 2 * PAGE, FIXED, at(31)), -EINVAL);
	assert_int_equal(mm_mremap(s.mm, at(60), 2 * PAGE, 3 * PAGE, MAYMOVE, 0), -EFAULT);
	assert_int_equal(mm_mremap(s.mm, at(60), 2 * PAGE, 2 * PAGE, FIXED, at(64)),
			 missing >= 6 ? -EFAULT : -ENOMEM);
	st.s = s;
	ret = step_call(&st, &try->step);
	if (ret != (missing >= try->room ? try->step.expect : -ENOMEM))
		fail_msg("%s, %d below the limit: %ld", try->name, missing, ret);
	space_close(&s);
}

static void test_area_limit(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(at_limit); i++) {
		for (int missing = -1; missing < 9; missing++)
			try_at_limit(&at_limit[i], missing);
	}
}

/* -------------------------------------------------------- promised memory -- */

static void test_promised(void **state)
{
	struct space s;

	space_init(&s);
	s.config.overcommit = VMAREA_OVERCOMMIT_NEVER;
	s.config.total_ram_pages = 42;
	s.config.overcommit_ratio = 50;			/* less than 21 pages */
	s.config.user_reserve_kbytes = 0;
	s.config.admin_reserve_kbytes = 0;
	space_create(&s);
	map_anon(&s, 0, 12, RW);
	assert_int_equal(vmarea_committed_pages(s.v), 12);
	/* A move takes the promise along, also out of the middle, and needs no room for both. */
	assert_int_equal(in_pages(mm_mremap(s.mm, at(2), 6 * PAGE, 6 * PAGE, FIXED, at(40))), 40);
	assert_int_equal(vmarea_committed_pages(s.v), 12);
	assert_marks(&s, "[0..2)rw-p:ac [8..12)rw-p:ac [40..46)rw-p:ac");
	/* Growing promises what it adds. */
	assert_int_equal(mm_mremap(s.mm, at(40), 6 * PAGE, 15 * PAGE, MAYMOVE, 0), -ENOMEM);
	assert_int_equal(in_pages(mm_mremap(s.mm, at(40), 6 * PAGE, 10 * PAGE, 0, 0)), 40);
	assert_int_equal(vmarea_committed_pages(s.v), 16);
	/* Leaving the source promises all of it. */
	assert_int_equal(mm_mremap(s.mm, at(40), 10 * PAGE, 10 * PAGE, DONTUNMAP, at(60)),
			 -ENOMEM);
	assert_int_equal(in_pages(mm_mremap(s.mm, at(8), 4 * PAGE, 4 * PAGE, DONTUNMAP, at(60))),
			 60);
	assert_int_equal(vmarea_committed_pages(s.v), 20);
	assert_int_equal(mm_mremap(s.mm, at(40), 10 * PAGE, 2 * PAGE, 0, 0), (long)at(40));
	assert_int_equal(vmarea_committed_pages(s.v), 12);
	space_clear(&s);
	assert_int_equal(vmarea_committed_pages(s.v), 0);
	space_close(&s);
}

static void test_huge_pages(void **state)
{
	const unsigned long huge = 2ul << 20, nr = huge / PAGE;
	struct space s;

	space_init(&s);
	s.config.nr_huge_2m_pages = 3;
	space_create(&s);
	assert_int_equal(space_map(&s, 0, 2 * nr, RW, ANON | MAP_HUGETLB), 0);
	assert_int_equal(mm_mremap(s.mm, at(1), huge, huge, FIXED, at(4 * nr)), -EINVAL);
	assert_int_equal(mm_mremap(s.mm, at(0), huge, huge, FIXED, at(4 * nr + 1)), -EINVAL);
	assert_int_equal(mm_mremap(s.mm, at(0), huge, huge, 0, at(1)), -EINVAL);
	assert_int_equal(mm_mremap(s.mm, at(0), 2 * huge, 3 * huge, MAYMOVE, 0), -EINVAL);
	assert_int_equal(mm_mremap(s.mm, at(0), huge, huge, DONTUNMAP, at(4 * nr)), -EINVAL);
	/* Lengths are rounded up to whole pages. */
	assert_int_equal(mm_mremap(s.mm, at(nr), PAGE, PAGE, FIXED, at(4 * nr)),
			 (long)at(4 * nr));
	assert_areas(&s, "[0..512)rw-p [2048..2560)rw-p");
	/* The two that move keep their pages of the pool: there is one for somebody else. */
	assert_int_equal(space_map(&s, 8 * nr, 2 * nr, RW, ANON | MAP_HUGETLB), -ENOMEM);
	assert_int_equal(space_map(&s, 8 * nr, nr, RW, ANON | MAP_HUGETLB), 0);
	space_clear(&s);
	assert_int_equal(space_map(&s, 0, 3 * nr, RW, ANON | MAP_HUGETLB), 0);
	space_close(&s);
}

/* Before Linux 6.17: one area at a time. */
/* A move of many areas reserves five for each, and uses one or two. */
static void what_was_reserved_goes_back(void **state)
{
	enum { NR = 1000, FEW = 8 };
	const struct mm_struct *mm;
	struct space s;

	(void)state;
	space_open(&s);
	mm = mm_from_user(s.mm);
	for (unsigned long i = 0; i < NR; i++)
		assert_int_equal(space_map(&s, i, 1, i % 2 ? PROT_READ : RW, ANON), 0);
	assert_int_equal(mm_mremap(s.mm, at(0), NR * SPACE_PAGE, NR * SPACE_PAGE,
				   MREMAP_MAYMOVE | MREMAP_FIXED, at(4 * NR)), at(4 * NR));
	assert_in_range(mm->nr_spare, 0, FEW);
	/* The same when it is refused at the first of them. */
	assert_int_equal(mm_mseal(s.mm, at(4 * NR), SPACE_PAGE, 0), 0);
	assert_int_equal(mm_mremap(s.mm, at(4 * NR), NR * SPACE_PAGE, NR * SPACE_PAGE,
				   MREMAP_MAYMOVE | MREMAP_FIXED, at(0)), -EPERM);
	assert_in_range(mm->nr_spare, 0, FEW);
	space_close(&s);
}

static void test_single_areas_only(void **state)
{
	struct space s;

	space_init(&s);
	s.config.features &= ~VMAREA_FEATURE_MULTI_MREMAP;
	space_create(&s);
	map_anon(&s, 0, 1, RW);
	map_anon(&s, 1, 1, RO);
	assert_int_equal(mm_mremap(s.mm, at(0), 2 * PAGE, 2 * PAGE, FIXED, at(8)), -EFAULT);
	assert_areas(&s, "[0..1)rw-p [1..2)r--p");
	assert_int_equal(mm_mremap(s.mm, at(1), PAGE, PAGE, FIXED, at(8)), (long)at(8));
	space_close(&s);
}

/* --------------------------------------------------------------- drivers -- */

static struct {
	int opened, closed, moved;
	int splits_allowed;		/* then may_split() says no; -1: always yes */
	int move_answer;
	vm_flags_t hook_flags;
} driver;

static void driver_open(struct vma_mut *vma)
{
	driver.opened++;
}

static void driver_close(struct vma_mut *vma)
{
	driver.closed++;
}

static int driver_may_split(struct vma_ref *vma, unsigned long addr)
{
	if (!driver.splits_allowed)
		return -EBUSY;
	driver.splits_allowed--;
	return 0;
}

static int driver_mremap(struct vma_mut *vma)
{
	driver.moved++;
	return driver.move_answer;
}

static const struct vm_operations_struct driver_vm_ops = {
	.open = driver_open, .close = driver_close, .may_split = driver_may_split,
	.mremap = driver_mremap,
};

static int driver_mmap(struct file *file, struct vma_new *vma) __in_mmap_hook
{
	vma_set_owner(vma, &driver_vm_ops, file_private_data(file));
	if (driver.hook_flags & VM_DONTEXPAND)
		vma_set_dontexpand(vma);
	if (driver.hook_flags & VM_IO)
		vma_set_io(vma);
	return 0;
}

static const struct file_operations driver_ops = { .owner = "test", .mmap = driver_mmap };

static struct file *driver_file(struct space *s)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/dev/test", .ops = &driver_ops, .inode = 9,
		.flags = FILE_READ | FILE_WRITE,
	};
	struct file *file;

	memset(&driver, 0, sizeof(driver));
	driver.splits_allowed = -1;
	assert_int_equal(file_create(s->v, &desc, &file), 0);
	return file;
}

#define assert_driver(o, c, m) do {						\
		assert_int_equal(driver.opened, o);				\
		assert_int_equal(driver.closed, c);				\
		assert_int_equal(driver.moved, m);				\
	} while (0)

static void test_driver_is_told(void **state)
{
	struct space s;
	struct file *file;

	space_open(&s);
	file = driver_file(&s);
	assert_int_equal(space_map_file(&s, 0, 4, RW, MAP_SHARED, file, 0), 0);
	assert_driver(0, 0, 0);
	/* A move is one more, told of it, and one less. */
	assert_int_equal(in_pages(mm_mremap(s.mm, at(0), 4 * PAGE, 4 * PAGE, FIXED, at(20))), 20);
	assert_driver(1, 1, 1);
	/* Out of the middle: two splits on top. */
	assert_int_equal(in_pages(mm_mremap(s.mm, at(21), 2 * PAGE, 2 * PAGE, FIXED, at(40))), 40);
	assert_driver(4, 2, 2);
	assert_areas(&s, "[20..21)rw-s [23..24)rw-s [40..42)rw-s");
	space_clear(&s);
	assert_driver(4, 5, 2);
	file_put(file);
	space_close(&s);
}

static void test_driver_refuses(void **state)
{
	struct space s;
	struct file *file;

	space_open(&s);
	file = driver_file(&s);
	assert_int_equal(space_map_file(&s, 0, 4, RW, MAP_PRIVATE, file, 0), 0);
	assert_int_equal(vmarea_committed_pages(s.v), 4);
	driver.splits_allowed = 0;
	assert_int_equal(mm_mremap(s.mm, at(0), 2 * PAGE, 2 * PAGE, FIXED, at(20)), -EBUSY);
	assert_driver(0, 0, 0);
	/* Moved, not wanted there, moved back; also if it was to grow. */
	driver.splits_allowed = -1;
	driver.move_answer = -EPERM;
	assert_int_equal(mm_mremap(s.mm, at(0), 4 * PAGE, 4 * PAGE, FIXED, at(20)), -EPERM);
	assert_driver(1, 1, 1);
	assert_int_equal(mm_mremap(s.mm, at(0), 4 * PAGE, 6 * PAGE, FIXED, at(20)), -EPERM);
	assert_areas(&s, "[0..4)rw-p");
	assert_int_equal(vmarea_committed_pages(s.v), 4);
	/* It changes its mind while the source is being cut out: both stay, both are promised. */
	driver.move_answer = 0;
	driver.splits_allowed = 1;
	assert_int_equal(mm_mremap(s.mm, at(0), 2 * PAGE, 2 * PAGE, FIXED, at(20)), (long)at(20));
	assert_areas(&s, "[0..4)rw-p [20..22)rw-p");
	assert_int_equal(vmarea_committed_pages(s.v), 6);
	driver.splits_allowed = -1;
	file_put(file);
	space_close(&s);
}

static void test_driver_flags(void **state)
{
	struct space s;
	struct file *file;

	space_open(&s);
	file = driver_file(&s);
	driver.hook_flags = VM_DONTEXPAND;
	assert_int_equal(space_map_file(&s, 0, 2, RW, MAP_SHARED, file, 0), 0);
	assert_int_equal(mm_mremap(s.mm, at(0), 2 * PAGE, 3 * PAGE, MAYMOVE, 0), -EFAULT);
	assert_int_equal(mm_mremap(s.mm, at(0), 0, PAGE, MAYMOVE, 0), -EFAULT);
	assert_int_equal(mm_mremap(s.mm, at(0), 2 * PAGE, 2 * PAGE, DONTUNMAP, at(8)), -EINVAL);
	assert_int_equal(mm_mremap(s.mm, at(0), 2 * PAGE, 2 * PAGE, FIXED, at(8)), (long)at(8));
	assert_int_equal(mm_mremap(s.mm, at(8), 2 * PAGE, PAGE, 0, 0), (long)at(8));
	/* Without VM_DONTEXPAND it may grow, but not where it is: such an area is like no other. */
	driver.hook_flags = VM_IO;
	assert_int_equal(space_map_file(&s, 20, 2, RW, MAP_SHARED, file, 0), 0);
	assert_int_equal(mm_mremap(s.mm, at(20), 2 * PAGE, 3 * PAGE, MAYMOVE, 0), -ENOMEM);
	assert_int_equal(mm_mremap(s.mm, at(20), 2 * PAGE, 3 * PAGE, FIXED, at(30)), (long)at(30));
	assert_areas(&s, "[8..9)rw-s [30..33)rw-s");
	file_put(file);
	space_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_place),
		cmocka_unit_test(test_moving),
		cmocka_unit_test(test_duplicating),
		cmocka_unit_test(test_leaving),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_locked),
		cmocka_unit_test(test_limited),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_area_limit),
		cmocka_unit_test(test_promised),
		cmocka_unit_test(test_huge_pages),
		cmocka_unit_test(what_was_reserved_goes_back),
		cmocka_unit_test(test_single_areas_only),
		cmocka_unit_test(test_driver_is_told),
		cmocka_unit_test(test_driver_refuses),
		cmocka_unit_test(test_driver_flags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
