/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * mm_count_unmerged(): the pairs that Linux leaves side by side are counted, those that only look
 * alike are not, and calls that leave none leave none.
 */
#include <stdlib.h>

#include "../mm/space.h"

static struct space s;

static int setup(void **state)
{
	space_open(&s);
	return 0;
}

static int teardown(void **state)
{
	space_close(&s);
	return 0;
}

/* The pairs of @mm; -1: none, else the page where the first one meets. */
static void assert_unmerged(struct mm_user *mm, unsigned long expected, long page)
{
	unsigned long first = at(0) - SPACE_PAGE;

	assert_int_equal(mm_count_unmerged(mm, &first), expected);
	assert_int_equal(mm_count_unmerged(mm, NULL), expected);
	assert_int_equal((long)(first - at(0)) / (long)SPACE_PAGE, page);
}

static void neighbours_that_differ(void **state)
{
	struct file *file = space_file(&s, 8, 0, FILE_PLACE_ANY);

	assert_unmerged(s.mm, 0, -1);
	assert_int_equal(space_map(&s, 0, 1, RW, ANON), 0);
	assert_int_equal(space_map(&s, 1, 1, PROT_READ, ANON), 0);
	assert_int_equal(space_map(&s, 2, 1, PROT_READ, ANON | MAP_NORESERVE), 0);
	assert_int_equal(space_map_file(&s, 3, 1, PROT_READ, MAP_PRIVATE, file, 0), 0);
	/* Another page of the file than the one that would go on. */
	assert_int_equal(space_map_file(&s, 4, 1, PROT_READ, MAP_PRIVATE, file, 4), 0);
	/* A hole is between. */
	assert_int_equal(space_map(&s, 6, 1, RW, ANON), 0);
	assert_int_equal(space_map(&s, 8, 1, RW, ANON), 0);
	/* Each shared anonymous object is a file of its own. */
	assert_int_equal(space_map(&s, 10, 1, RW, MAP_SHARED | MAP_ANONYMOUS), 0);
	assert_int_equal(space_map(&s, 11, 1, RW, MAP_SHARED | MAP_ANONYMOUS), 0);
	assert_unmerged(s.mm, 0, -1);
	file_put(file);
}

/* What was touched apart does not join, and so does not count: the left one had the middle. */
static void different_anonymous_memory(void **state)
{
	for (unsigned long page = 0; page < 3; page++)
		assert_int_equal(space_map(&s, page, 1, page == 1 ? PROT_READ : RW, ANON), 0);
	assert_int_equal(space_write(&s, 0), MM_FAULT_DONE);
	assert_int_equal(space_write(&s, 2), MM_FAULT_DONE);
	assert_int_equal(mm_mprotect(s.mm, at(1), SPACE_PAGE, RW), 0);
	assert_areas(&s, "[0..2)rw-p [2..3)rw-p");
	assert_unmerged(s.mm, 0, -1);
}

/* fork() drops VM_LOCKED and joins nothing; a call that really changes one of them does. */
static void forked(void **state)
{
	struct mm_user *child;

	assert_int_equal(space_map(&s, 0, 2, RW, ANON), 0);
	assert_int_equal(space_map(&s, 4, 2, RW, ANON), 0);
	assert_int_equal(mm_mlock2(s.mm, at(0), SPACE_PAGE, MLOCK_ONFAULT), 0);
	assert_int_equal(mm_mlock2(s.mm, at(5), SPACE_PAGE, MLOCK_ONFAULT), 0);
	assert_unmerged(s.mm, 0, -1);
	assert_int_equal(mm_fork(s.mm, &child), 0);
	assert_unmerged(child, 2, 1);
	assert_int_equal(mm_mprotect(child, at(0), 2 * SPACE_PAGE, RW), 0);
	assert_unmerged(child, 2, 1);
	assert_int_equal(mm_mprotect(child, at(0), 2 * SPACE_PAGE, PROT_READ), 0);
	assert_unmerged(child, 1, 5);
	mmput(child);
}

/* In the child inherited memory does not join what is new. */
static void inherited_beside_new(void **state)
{
	struct mm_user *child;

	assert_int_equal(space_map(&s, 0, 1, RW, ANON), 0);
	assert_int_equal(space_write(&s, 0), MM_FAULT_DONE);
	assert_int_equal(mm_fork(s.mm, &child), 0);
	assert_int_equal(mm_mmap(child, at(1), SPACE_PAGE, RW, ANON | MAP_FIXED, NULL, 0), at(1));
	assert_unmerged(child, 0, -1);
	mmput(child);
}

/* The switch marks areas one by one. */
static void marked_one_by_one(void **state)
{
	assert_int_equal(space_map(&s, 0, 2, RW, ANON), 0);
	assert_int_equal(mm_madvise(s.mm, at(1), SPACE_PAGE, MADV_MERGEABLE), 0);
	assert_unmerged(s.mm, 0, -1);
	assert_int_equal(mm_set_memory_merge(s.mm, true), 0);
	assert_unmerged(s.mm, 1, 1);
}

/* Nobody is told when a driver's area is joined away, so it is not. */
static void driver_that_counts(void **state)
{
	struct file *segment = space_file(&s, 4, FILE_SHMEM, FILE_PLACE_SHMEM);

	assert_int_equal(mm_shmat(s.mm, segment, at(0), 0), at(0));
	assert_int_equal(mm_mprotect(s.mm, at(1), SPACE_PAGE, PROT_READ), 0);
	assert_int_equal(mm_mprotect(s.mm, at(1), SPACE_PAGE, RW), 0);
	assert_areas(&s, "[0..1)rw-s [1..2)rw-s [2..4)rw-s");
	assert_unmerged(s.mm, 0, -1);
	file_put(segment);
}

/* One random call of those that never leave a pair: no fork, no limit, no switch. */
static void random_call(unsigned int *seed)
{
	static const unsigned long prots[] = { PROT_NONE, PROT_READ, RW };
	static const int advices[] = { MADV_RANDOM, MADV_NORMAL, MADV_DONTFORK, MADV_DOFORK };
	unsigned long start = at(rand_r(seed) % 60), len = (1 + rand_r(seed) % 8) * SPACE_PAGE;

	switch (rand_r(seed) % 8) {
	case 0:
	case 1:
		mm_mmap(s.mm, start, len, prots[rand_r(seed) % 3], ANON | MAP_FIXED, NULL, 0);
		break;
	case 2:
		mm_munmap(s.mm, start, len);
		break;
	case 3:
		mm_mprotect(s.mm, start, len, prots[rand_r(seed) % 3]);
		break;
	case 4:
		mm_madvise(s.mm, start, len, advices[rand_r(seed) % 4]);
		break;
	case 5:
		mm_set_anon_name(s.mm, start, len, rand_r(seed) % 2 ? "a" : NULL);
		break;
	case 6:
		if (rand_r(seed) % 2)
			mm_mlock2(s.mm, start, len, MLOCK_ONFAULT);
		else
			mm_munlock(s.mm, start, len);
		break;
	case 7:
		mm_touch(s.mm, start, MM_ACCESS_WRITE);
		break;
	}
}

static void calls_that_leave_none(void **state)
{
	const char *given = getenv("VMAREA_SEED");
	unsigned int seed = given ? strtoul(given, NULL, 0) : 20260611u, used = seed;

	for (int i = 0; i < 20000; i++) {
		unsigned long first = 0;

		random_call(&used);
		if (mm_count_unmerged(s.mm, &first))
			fail_msg("VMAREA_SEED=%u: call %d leaves a pair at page %ld", seed, i,
				 (long)(first - at(0)) / (long)SPACE_PAGE);
	}
}

#define TEST(test)	cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(neighbours_that_differ),
		TEST(different_anonymous_memory),
		TEST(forked),
		TEST(inherited_beside_new),
		TEST(marked_one_by_one),
		TEST(driver_that_counts),
		TEST(calls_that_leave_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
