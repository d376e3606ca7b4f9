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
 * Then the same for allocations in the background, and for what else can be refused (waits.c).  In
 * the end each site that the sources have must have failed (sites.c).
 *
 * --threads: only what has more than one, for the thread sanitizer, to which the rest is slow and
 * says nothing.  Debug builds only: a release build has no sites.
 */
#include "failure.h"
#include "scenario.h"

struct tally tally;

/* One run, and what became of it. */
struct run {
	enum pools pools;
	long n, m;			/* 0: none fails */
	long asked;			/* sites that the call came to */
	long ret;
	char *before, *after;
};

/* What a run without a failure gives, whatever the pools; and what a part of it gives. */
struct expected {
	long ret;
	char *after, *partial;
};

static const char *const pools_names[NR_POOLS] = { "dry", "fresh", "warm" };

void tally_wrong(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	tally.nr_wrong++;
}

static void wrong(const struct scenario *s, const struct run *run, const char *what)
{
	tally_wrong("%s, %s pools, failing %ld and %ld of %ld: result %ld: %s\n", s->name,
		    pools_names[run->pools], run->n, run->m, run->asked, run->ret, what);
}

static void wrong_picture(const struct scenario *s, const struct run *run, const char *what,
			  const char *should_be, const char *is)
{
	wrong(s, run, what);
	world_print_difference(should_be, is);
}

static void check_sound(const struct scenario *s, const struct run *run)
{
	char why[256] = "";

	if (!world_is_sound(why, sizeof(why)))
		wrong(s, run, why);
}

static void begin(const struct scenario *s, struct run *run)
{
	world_open();
	if (s->before)
		s->before();
	world_prepare(run->pools);
	run->before = world_picture();
}

static void end(struct run *run)
{
	long left = world_close();

	free(run->before);
	free(run->after);
	/* Counted once, not in each of the worlds that come after. */
	tally.nr_leaks += labs(left - tally.nr_left);
	tally.nr_left = left;
}

static void make_call(const struct scenario *s, struct run *run)
{
	unsigned long count = port_alloc_count();

	port_fail_both(run->n, run->m);
	run->ret = s->call(w.mm);
	port_fail_both(0, 0);
	run->asked = (long)(port_alloc_count() - count);
	world_refill();
	run->after = world_picture();
}

/* The state after a failure: nothing happened, or the part that the header allows, or all did. */
static void check_state(const struct scenario *s, const struct run *run,
			const struct expected *expected)
{
	if (s->any_state)
		return;
	if (run->ret != -ENOMEM) {
		if (run->ret != expected->ret)
			wrong(s, run, "neither -ENOMEM nor success");
		else if (strcmp(run->after, expected->after))
			wrong_picture(s, run, "success, and another state", expected->after,
				      run->after);
		return;
	}
	if (expected->partial && !strcmp(run->after, expected->partial))
		return;
	if (strcmp(run->after, run->before))
		wrong_picture(s, run, "not what it was", run->before, run->after);
}

static void check_retry(const struct scenario *s, struct run *run, const struct expected *expected)
{
	if (run->ret != -ENOMEM || s->any_state)
		return;
	run->n = run->m = 0;
	free(run->after);
	make_call(s, run);
	if (run->ret != expected->ret || strcmp(run->after, expected->after))
		wrong_picture(s, run, "the call again is another one", expected->after, run->after);
	check_sound(s, run);
}

/* True if all that was to fail was come to. */
static bool run_failing(const struct scenario *s, enum pools pools, long n, long m,
			const struct expected *expected)
{
	struct run run = { .pools = pools, .n = n, .m = m };
	bool reached;

	begin(s, &run);
	make_call(s, &run);
	reached = run.asked >= max(n, m);
	check_sound(s, &run);
	if (reached)
		check_state(s, &run, expected);
	check_retry(s, &run, expected);
	end(&run);
	return reached;
}

/* Without a failure.  Returns how many sites it came to. */
static long run_through(const struct scenario *s, enum pools pools, struct expected *expected)
{
	struct run run = { .pools = pools };
	long asked;

	begin(s, &run);
	make_call(s, &run);
	check_sound(s, &run);
	if (run.ret < 0)
		wrong(s, &run, "an error without a failure");
	if (!expected->after) {
		expected->ret = run.ret;
		expected->after = strdup(run.after);
	} else if (run.ret != expected->ret || strcmp(run.after, expected->after)) {
		wrong_picture(s, &run, "it depends on the pools", expected->after, run.after);
	}
	asked = run.asked;
	end(&run);
	return asked;
}

static void see_partial(const struct scenario *s, struct expected *expected)
{
	struct run run = { .pools = POOLS_FRESH };

	if (!s->partial)
		return;
	begin(s, &run);
	assert_true(s->partial(w.mm) >= 0);
	expected->partial = world_picture();
	end(&run);
}

static void run_scenario(const struct scenario *s)
{
	struct expected expected = { 0 };
	long most = 0, nr_cases = 0;

	see_partial(s, &expected);
	for (enum pools pools = 0; pools < NR_POOLS; pools++) {
		long asked = run_through(s, pools, &expected);

		for (long n = 1; n <= asked; n++) {
			if (!run_failing(s, pools, n, 0, &expected))
				break;
			nr_cases++;
			for (long m = n + 1; run_failing(s, pools, n, m, &expected); m++)
				nr_cases++;
		}
		most = max(most, asked);
	}
	free(expected.after);
	free(expected.partial);
	tally.nr_cases += nr_cases;
	printf("%-28s %3ld sites %4ld cases\n", s->name, most, nr_cases);
}

static void memory_calls_fail(void **state)
{
	for (size_t i = 0; i < nr_memory_calls; i++)
		run_scenario(&memory_calls[i]);
}

static void object_calls_fail(void **state)
{
	for (size_t i = 0; i < nr_object_calls; i++)
		run_scenario(&object_calls[i]);
}

static void all_sites_failed(void **state)
{
	unsigned long nr_missing = check_source_sites();

	printf("%lu sites, %lu cases, %lu wrong states, %lu leaks\n", tally.nr_sites,
	       tally.nr_cases, tally.nr_wrong, tally.nr_leaks);
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
