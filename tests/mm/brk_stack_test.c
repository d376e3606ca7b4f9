/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The heap and stacks: what grows, how far, and what stops it.
 */
#include <errno.h>

#include "space.h"

#define STACK_ANON	(ANON | MAP_GROWSDOWN)
#define START_BRK	at(0)

static void open_with_heap(struct space *s)
{
	space_init(s);
	s->mm_config.start_brk = s->mm_config.brk = START_BRK;
	space_create(s);
}

static unsigned long brk_to(struct space *s, unsigned long page)
{
	return (mm_brk(s->mm, at(page)) - SPACE_BASE) / SPACE_PAGE;
}

static unsigned long data_pages(struct space *s)
{
	struct mm_stats stats;

	mm_get_stats(s->mm, &stats);
	return stats.data_pages;
}

/* ------------------------------------------------------------------- heap -- */

static void break_is_a_byte_and_the_area_is_pages(void **state)
{
	struct space s;

	(void)state;
	open_with_heap(&s);
	assert_int_equal(mm_brk(s.mm, 0), START_BRK);
	assert_areas(&s, "");
	assert_int_equal(mm_brk(s.mm, START_BRK + 1), START_BRK + 1);
	assert_areas(&s, "[0..1)rw-p");
	assert_int_equal(mm_brk(s.mm, START_BRK + SPACE_PAGE), START_BRK + SPACE_PAGE);
	assert_areas(&s, "[0..1)rw-p");
	assert_int_equal(mm_brk(s.mm, START_BRK + SPACE_PAGE + 1), START_BRK + SPACE_PAGE + 1);
	assert_areas(&s, "[0..2)rw-p");
	assert_int_equal(data_pages(&s), 2);
	assert_int_equal(mm_brk(s.mm, START_BRK - 1), START_BRK + SPACE_PAGE + 1);
	assert_int_equal(mm_brk(s.mm, START_BRK), START_BRK);
	assert_areas(&s, "");
	space_close(&s);
}

static void a_map_above_the_break_joins_the_heap(void **state)
{
	struct space s;

	(void)state;
	open_with_heap(&s);
	assert_int_equal(brk_to(&s, 4), 4);
	assert_int_equal(space_map(&s, 4, 4, RW, ANON), 0);
	assert_areas(&s, "[0..8)rw-p");
	assert_int_equal(mm_mprotect(s.mm, at(2), SPACE_PAGE, PROT_READ), 0);
	assert_areas(&s, "[0..2)rw-p [2..3)r--p [3..8)rw-p");
	assert_int_equal(space_unmap(&s, 3, 1), 0);
	assert_areas(&s, "[0..2)rw-p [2..3)r--p [4..8)rw-p");
	/* Over the map: refused.  Back below it: what is left there goes. */
	assert_int_equal(brk_to(&s, 5), 4);
	assert_int_equal(brk_to(&s, 1), 1);
	assert_areas(&s, "[0..1)rw-p [4..8)rw-p");
	space_close(&s);
}

static void a_page_stays_free_below_the_next_map(void **state)
{
	struct space s;

	(void)state;
	open_with_heap(&s);
	assert_int_equal(space_map(&s, 8, 1, RW, ANON), 0);
	assert_int_equal(brk_to(&s, 8), 0);
	assert_int_equal(brk_to(&s, 7), 7);
	assert_areas(&s, "[0..7)rw-p [8..9)rw-p");
	space_close(&s);
}

static void a_guard_gap_stays_free_below_a_stack(void **state)
{
	struct space s;

	(void)state;
	open_with_heap(&s);
	assert_int_equal(space_map(&s, 300, 1, RW, STACK_ANON), 0);
	assert_int_equal(brk_to(&s, 44), 0);
	assert_int_equal(brk_to(&s, 43), 43);
	space_close(&s);
}

/* The program's data ends where the heap begins: two areas, though they are alike. */
static void the_heap_does_not_join_what_is_below_it(void **state)
{
	struct space s;

	(void)state;
	space_init(&s);
	s.mm_config.start_brk = s.mm_config.brk = at(4);
	space_create(&s);
	assert_int_equal(space_map(&s, 0, 4, RW, ANON), 0);
	assert_int_equal(brk_to(&s, 6), 6);
	assert_areas(&s, "[0..4)rw-p [4..6)rw-p");
	assert_int_equal(brk_to(&s, 8), 8);
	assert_areas(&s, "[0..4)rw-p [4..8)rw-p");
	space_close(&s);
}

/* Without a random offset the heap begins in the last page of the data, which it then extends. */
static void the_heap_joins_the_page_it_begins_in(void **state)
{
	struct space s;

	(void)state;
	space_init(&s);
	s.mm_config.start_brk = s.mm_config.brk = at(3) + 100;
	space_create(&s);
	assert_int_equal(space_map(&s, 0, 4, RW, ANON), 0);
	assert_int_equal(brk_to(&s, 6), 6);
	assert_areas(&s, "[0..6)rw-p");
	space_close(&s);
}

static void the_data_limit_holds_data_and_heap(void **state)
{
	struct space s;

	(void)state;
	space_init(&s);
	s.mm_config.start_brk = s.mm_config.brk = START_BRK;
	s.mm_config.start_data = at(100);
	s.mm_config.end_data = at(103);
	s.mm_config.rlimit[MM_RLIMIT_DATA] = 8 * SPACE_PAGE;
	space_create(&s);
	assert_int_equal(mm_brk(s.mm, at(5) + 1), START_BRK);
	assert_int_equal(brk_to(&s, 5), 5);
	/* Shrinking is held against the limit as well: it has been lowered below what is there. */
	assert_int_equal(mm_set_rlimit(s.mm, MM_RLIMIT_DATA, SPACE_PAGE), 0);
	assert_int_equal(brk_to(&s, 4), 5);
	space_close(&s);
}

static void other_limits_leave_the_break(void **state)
{
	struct space s;

	(void)state;
	space_init(&s);
	s.config.total_ram_pages = 1000;
	s.mm_config.start_brk = s.mm_config.brk = START_BRK;
	s.mm_config.rlimit[MM_RLIMIT_AS] = 2000 * SPACE_PAGE;
	s.mm_config.rlimit[MM_RLIMIT_MEMLOCK] = 4 * SPACE_PAGE;
	space_create(&s);
	assert_int_equal(brk_to(&s, 1001), 0);
	assert_int_equal(brk_to(&s, 1000), 1000);
	assert_int_equal(brk_to(&s, 2000), 2000);
	assert_int_equal(brk_to(&s, 2001), 2000);
	assert_int_equal(brk_to(&s, 0), 0);
	assert_int_equal(mm_mlockall(s.mm, MCL_FUTURE), 0);
	assert_int_equal(brk_to(&s, 5), 0);
	assert_int_equal(brk_to(&s, 4), 4);
	space_close(&s);
}

/* A locked heap is populated, and so touched: it merges with no other touched area. */
static void a_locked_heap_is_touched(void **state)
{
	struct space s;

	(void)state;
	open_with_heap(&s);
	assert_int_equal(brk_to(&s, 2), 2);
	assert_int_equal(mm_mlockall(s.mm, MCL_FUTURE), 0);
	assert_int_equal(brk_to(&s, 4), 4);
	assert_areas(&s, "[0..2)rw-p [2..4)rw-p");
	assert_int_equal(mm_munlockall(s.mm), 0);
	assert_areas(&s, "[0..4)rw-p");
	assert_int_equal(space_map(&s, 5, 1, RW, ANON), 0);
	assert_int_equal(space_write(&s, 5), MM_FAULT_DONE);
	assert_int_equal(space_map(&s, 4, 1, RW, ANON), 0);
	assert_areas(&s, "[0..5)rw-p [5..6)rw-p");
	space_close(&s);
}

static void read_implies_exec(void **state)
{
	struct space s;

	(void)state;
	space_init(&s);
	s.mm_config.start_brk = s.mm_config.brk = START_BRK;
	s.mm_config.personality = MM_PERS_READ_IMPLIES_EXEC;
	space_create(&s);
	assert_int_equal(brk_to(&s, 2), 2);
	assert_areas(&s, "[0..2)rwxp");
	space_close(&s);
}

static void a_sealed_heap_does_not_shrink(void **state)
{
	struct space s;

	(void)state;
	open_with_heap(&s);
	assert_int_equal(brk_to(&s, 4), 4);
	assert_int_equal(mm_mseal(s.mm, at(1), SPACE_PAGE, 0), 0);
	assert_int_equal(brk_to(&s, 0), 4);
	assert_int_equal(brk_to(&s, 2), 2);
	assert_areas(&s, "[0..1)rw-p [1..2)rw-p");
	space_close(&s);
}

/* Also where there is no heap: it begins and ends at 0, as what is rounded up past the last page. */
static void the_break_stays_in_the_address_space(void **state)
{
	struct space s;

	(void)state;
	space_open(&s);
	assert_int_equal(mm_brk(s.mm, ~0ul), 0);
	assert_int_equal(mm_brk(s.mm, -SPACE_PAGE + 1), 0);
	space_close(&s);
	open_with_heap(&s);
	assert_int_equal(mm_brk(s.mm, ~0ul), START_BRK);
	assert_int_equal(mm_brk(s.mm, s.mm_config.task_size + 1), START_BRK);
	space_close(&s);
}

/* ----------------------------------------------------------------- stacks -- */

static void a_stack_grows_any_distance_at_once(void **state)
{
	struct mm_stats stats;
	struct space s;

	(void)state;
	space_open(&s);
	assert_int_equal(space_map(&s, 2000, 1, RW, STACK_ANON), 0);
	assert_int_equal(space_write(&s, 1999), MM_FAULT_DONE);
	assert_areas(&s, "[1999..2001)rw-p");
	assert_int_equal(space_read(&s, 1900), MM_FAULT_DONE);
	assert_int_equal(space_write(&s, 1000), MM_FAULT_DONE);
	assert_areas(&s, "[1000..2001)rw-p");
	mm_get_stats(s.mm, &stats);
	assert_int_equal(stats.stack_pages, 1001);
	assert_int_equal(stats.total_pages, 1001);
	assert_int_equal(stats.committed_pages, 1001);
	space_close(&s);
}

struct neighbour_case {
	unsigned long prot, flags;
	unsigned long page;		/* touched; the neighbour is [1700..1701) */
	enum mm_fault fault;
	const char *areas;
};

static const struct neighbour_case neighbour_cases[] = {
	{ RW, ANON, 1990, MM_FAULT_DONE, "[1700..1701)rw-p [1990..2001)rw-p" },
	{ RW, ANON, 1957, MM_FAULT_DONE, "[1700..1701)rw-p [1957..2001)rw-p" },
	{ RW, ANON, 1956, MM_FAULT_MAPERR, "[1700..1701)rw-p [2000..2001)rw-p" },
	{ PROT_READ, ANON, 1900, MM_FAULT_MAPERR, "[1700..1701)r--p [2000..2001)rw-p" },
	{ PROT_NONE, ANON, 1800, MM_FAULT_DONE, "[1700..1701)---p [1800..2001)rw-p" },
	{ PROT_NONE, ANON, 1701, MM_FAULT_DONE, "[1700..1701)---p [1701..2001)rw-p" },
	{ RW, STACK_ANON, 1701, MM_FAULT_DONE, "[1700..1701)rw-p [1701..2001)rw-p" },
};

static void a_stack_keeps_away_from_what_can_be_accessed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(neighbour_cases) / sizeof(neighbour_cases[0]); i++) {
		const struct neighbour_case *c = &neighbour_cases[i];
		struct space s;

		space_open(&s);
		assert_int_equal(space_map(&s, 1700, 1, c->prot, c->flags), 0);
		assert_int_equal(space_map(&s, 2000, 1, RW, STACK_ANON), 0);
		assert_int_equal(space_read(&s, c->page), c->fault);
		assert_areas(&s, c->areas);
		space_close(&s);
	}
}

static void the_stack_limit_is_for_each_stack(void **state)
{
	struct space s;

	(void)state;
	space_init(&s);
	s.mm_config.rlimit[MM_RLIMIT_STACK] = 1 << 20;
	space_create(&s);
	assert_int_equal(space_map(&s, 2000, 1, RW, STACK_ANON), 0);
	assert_int_equal(space_map(&s, 4000, 1, RW, STACK_ANON), 0);
	assert_int_equal(space_write(&s, 1745), MM_FAULT_DONE);
	assert_int_equal(space_write(&s, 1744), MM_FAULT_MAPERR);
	assert_int_equal(space_write(&s, 1700), MM_FAULT_MAPERR);
	assert_int_equal(space_write(&s, 3745), MM_FAULT_DONE);
	assert_areas(&s, "[1745..2001)rw-p [3745..4001)rw-p");
	space_close(&s);
}

static void other_limits_stop_a_stack(void **state)
{
	struct space s;

	(void)state;
	space_init(&s);
	s.config.total_ram_pages = 1000;
	s.mm_config.rlimit[MM_RLIMIT_AS] = 1500 * SPACE_PAGE;
	s.mm_config.rlimit[MM_RLIMIT_MEMLOCK] = 10 * SPACE_PAGE;
	space_create(&s);
	assert_int_equal(space_map(&s, 4000, 1, RW, STACK_ANON), 0);
	assert_int_equal(space_write(&s, 2999), MM_FAULT_MAPERR);
	assert_int_equal(space_write(&s, 3000), MM_FAULT_DONE);
	assert_int_equal(space_write(&s, 2500), MM_FAULT_MAPERR);
	assert_int_equal(space_write(&s, 2501), MM_FAULT_DONE);
	assert_int_equal(space_unmap(&s, 2501, 1500), 0);

	assert_int_equal(space_map(&s, 4000, 1, RW, STACK_ANON | MAP_LOCKED), 0);
	assert_int_equal(space_write(&s, 3990), MM_FAULT_MAPERR);
	assert_int_equal(space_write(&s, 3991), MM_FAULT_DONE);
	assert_areas(&s, "[3991..4001)rw-p");
	space_close(&s);
}

static void a_stack_ends_above_the_lowest_address(void **state)
{
	struct space s;
	const unsigned long stack = 0x40000;

	(void)state;
	space_open(&s);
	assert_int_equal(mm_mmap(s.mm, stack, SPACE_PAGE, RW, STACK_ANON | MAP_FIXED, NULL, 0),
			 stack);
	assert_int_equal(mm_touch(s.mm, 0xffff, MM_ACCESS_WRITE), MM_FAULT_MAPERR);
	assert_int_equal(mm_touch(s.mm, 0x10000, MM_ACCESS_WRITE), MM_FAULT_DONE);
	space_close(&s);
}

/* Grown although the access is then refused, and touched although growing is refused. */
static void what_a_refused_access_leaves_behind(void **state)
{
	struct space s;

	(void)state;
	space_init(&s);
	s.mm_config.rlimit[MM_RLIMIT_STACK] = 16 * SPACE_PAGE;
	space_create(&s);
	assert_int_equal(space_map(&s, 500, 1, PROT_READ, STACK_ANON), 0);
	assert_int_equal(space_write(&s, 495), MM_FAULT_ACCERR);
	assert_areas(&s, "[495..501)r--p");
	assert_int_equal(space_unmap(&s, 495, 6), 0);

	assert_int_equal(space_map(&s, 1000, 1, RW, STACK_ANON), 0);
	assert_int_equal(space_read(&s, 900), MM_FAULT_MAPERR);
	assert_int_equal(space_map(&s, 1002, 1, RW, STACK_ANON), 0);
	assert_int_equal(space_write(&s, 1002), MM_FAULT_DONE);
	assert_int_equal(space_map(&s, 1001, 1, RW, STACK_ANON), 0);
	assert_areas(&s, "[1000..1002)rw-p [1002..1003)rw-p");
	space_close(&s);
}

/* A stack without a promise is asked for one all the same, and none stays. */
static void a_stack_without_reserve(void **state)
{
	struct space s;

	(void)state;
	space_init(&s);
	s.config.total_ram_pages = 100;
	space_create(&s);
	assert_int_equal(space_map(&s, 1000, 1, RW, STACK_ANON | MAP_NORESERVE), 0);
	assert_int_equal(space_write(&s, 899), MM_FAULT_MAPERR);
	assert_int_equal(space_write(&s, 900), MM_FAULT_DONE);
	assert_int_equal(vmarea_committed_pages(s.v), 0);
	space_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(break_is_a_byte_and_the_area_is_pages),
		cmocka_unit_test(a_map_above_the_break_joins_the_heap),
		cmocka_unit_test(a_page_stays_free_below_the_next_map),
		cmocka_unit_test(a_guard_gap_stays_free_below_a_stack),
		cmocka_unit_test(the_heap_does_not_join_what_is_below_it),
		cmocka_unit_test(the_heap_joins_the_page_it_begins_in),
		cmocka_unit_test(the_data_limit_holds_data_and_heap),
		cmocka_unit_test(other_limits_leave_the_break),
		cmocka_unit_test(a_locked_heap_is_touched),
		cmocka_unit_test(read_implies_exec),
		cmocka_unit_test(a_sealed_heap_does_not_shrink),
		cmocka_unit_test(the_break_stays_in_the_address_space),
		cmocka_unit_test(a_stack_grows_any_distance_at_once),
		cmocka_unit_test(a_stack_keeps_away_from_what_can_be_accessed),
		cmocka_unit_test(the_stack_limit_is_for_each_stack),
		cmocka_unit_test(other_limits_stop_a_stack),
		cmocka_unit_test(a_stack_ends_above_the_lowest_address),
		cmocka_unit_test(what_a_refused_access_leaves_behind),
		cmocka_unit_test(a_stack_without_reserve),
	};

	return cmocka_run_group_tests_name("mm/brk_stack", tests, NULL, NULL);
}
