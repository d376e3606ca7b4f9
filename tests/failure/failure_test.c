/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Every place where the world may refuse does so once, in every call.
 *
 * A scenario is a call on a fresh copy of one crowded address space.  It is run once as it is, and
 * then with the n-th allocation made to fail, for n = 1, 2, ... until there is no n-th; and with the
 * n-th and the m-th, where the call goes on after the n-th to an m-th.  All that with pools that are
 * dry, fresh and warm.  After each:
 *
 *  - the result is -ENOMEM, and the address space is what it was, to the last flag, total, promise
 *    and hook; or the result and the address space are those of the run without a failure (the
 *    call could do without);
 *  - the walkers find nothing, and a driver was told of each of its areas;
 *  - the same call again, without a failure, does what it should;
 *  - when all is gone nothing is allocated, promised or open.
 *
 * The same calls, and accesses to pages of every kind (page_calls.c), in a world with frames and in
 * one that a window of the host shows, where each call to the host may fail as well.  There the
 * picture has every entry of the page tables with the bytes behind it, mincore() and RSS too
 * (frames.c), and what Linux leaves half done is listed in partial.c.  Beside the n-th failure there
 * are arenas that are full, up to every few frames.
 *
 * Then the same for allocations in the background, and for what else can be refused (waits.c).  In
 * the end each site that the sources have must have failed (sites.c).
 *
 * --threads: only what has more than one, for the thread sanitizer, to which the rest is slow and
 * says nothing.  Debug builds only: a release build has no sites.
 */
#include "failure.h"
#include "scenario.h"

struct tally tally;

void tally_wrong(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	tally.nr_wrong++;
}

static void calls_fail(const struct scenario *calls, size_t nr, enum world_kind kind)
{
	for (size_t i = 0; i < nr; i++)
		if (kind == WORLD_AREAS || !calls[i].areas_only)
			run_scenario(&calls[i], kind);
}

static void memory_calls_fail(void **state)
{
	calls_fail(memory_calls, nr_memory_calls, WORLD_AREAS);
}

static void object_calls_fail(void **state)
{
	calls_fail(object_calls, nr_object_calls, WORLD_AREAS);
}

static void calls_fail_with_frames(void **state)
{
	calls_fail(memory_calls, nr_memory_calls, WORLD_FRAMES);
	calls_fail(object_calls, nr_object_calls, WORLD_FRAMES);
	calls_fail(page_calls, nr_page_calls, WORLD_FRAMES);
	calls_fail(swap_calls, nr_swap_calls, WORLD_FRAMES);
}

static void calls_fail_beside_a_window(void **state)
{
	calls_fail(memory_calls, nr_memory_calls, WORLD_WINDOW);
	calls_fail(object_calls, nr_object_calls, WORLD_WINDOW);
	calls_fail(page_calls, nr_page_calls, WORLD_WINDOW);
}

static void all_sites_failed(void **state)
{
	unsigned long nr_missing = check_source_sites();

	printf("%lu sites, %lu cases, %lu of them with pages, %lu wrong states, %lu leaks\n",
	       tally.nr_sites, tally.nr_cases, tally.nr_page_cases, tally.nr_wrong,
	       tally.nr_leaks);
	assert_int_equal(nr_missing, 0);
	assert_int_equal(tally.nr_wrong, 0);
	assert_int_equal(tally.nr_leaks, 0);
}

static void nothing_wrong(void **state)
{
	assert_int_equal(tally.nr_wrong, 0);
	assert_int_equal(tally.nr_leaks, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest with_threads[] = {
		cmocka_unit_test(no_background_thread),
		cmocka_unit_test(background_fails),
		cmocka_unit_test(waits_end_for_no_reason),
		cmocka_unit_test(nothing_wrong),
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_background_thread),		/* the first: none runs yet */
		cmocka_unit_test(memory_calls_fail),
		cmocka_unit_test(object_calls_fail),
		cmocka_unit_test(calls_fail_with_frames),
		cmocka_unit_test(calls_fail_beside_a_window),
		cmocka_unit_test(background_fails),
		cmocka_unit_test(large_copy_fails),
		cmocka_unit_test(frames_stay),
		cmocka_unit_test(no_entropy),
		cmocka_unit_test(waits_end_for_no_reason),
		cmocka_unit_test(all_sites_failed),		/* the last: it adds up */
	};

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1 && !strcmp(argv[1], "--threads"))
		return cmocka_run_group_tests(with_threads, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
