/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Searches: the reductions lose no outcome, a path replays the execution it was written for, and the
 * bounded search is what it says.
 */
#include <stdio.h>

#include "one.h"

static u32 shared[4], own[4];
static u32 trail;

static void begin(void)
{
	memset(shared, 0, sizeof(shared));
	memset(own, 0, sizeof(own));
	trail = 0;
}

static void run(struct sim_scenario *scenario, const struct search_setting *set, u64 *executions)
{
	enum sim_failure why;

	scenario->setup = begin;
	*executions = run_all(scenario, set, &why);
	if (why)
		fail_msg("%s", sim.report);
}

#define SCENARIO(nr, ...)							\
	{ .nr_threads = (nr), .threads = { __VA_ARGS__ },			\
	  .thread_names = { "a", "b", "c", "d" } }

/* ---- threads with nothing in common have one order */

static void own_0(void) { atomic_add_relaxed(&own[0], 1); atomic_add_relaxed(&own[0], 1); }
static void own_1(void) { atomic_add_relaxed(&own[1], 1); atomic_add_relaxed(&own[1], 1); }
static void own_2(void) { atomic_add_relaxed(&own[2], 1); atomic_add_relaxed(&own[2], 1); }

static void test_independent_threads_have_one_order(void **state)
{
	struct sim_scenario three = SCENARIO(3, own_0, own_1, own_2);
	struct search_setting set = all_orders(0);
	u64 executions;

	(void)state;
	run(&three, &set, &executions);
	assert_int_equal(executions, 1);
}

/* ---- n writers of one word have n! orders, each an outcome of its own */

static void append(u32 id)
{
	u32 old = atomic_load_relaxed(&trail);

	while (!atomic_cas_relaxed(&trail, &old, old * 4 + id))
		;
}

static void append_1(void) { append(1); }
static void append_2(void) { append(2); }
static void append_3(void) { append(3); }

static void trail_outcome(void)
{
	outcome(trail);
}

static void test_every_order_of_writers(void **state)
{
	struct sim_scenario three = SCENARIO(3, append_1, append_2, append_3);
	struct search_setting set = all_orders(0);
	u64 executions;

	(void)state;
	three.finish = trail_outcome;
	run(&three, &set, &executions);
	assert_int_equal(__builtin_popcountll(seen), 6);
}

/*
 * ---- what the reductions may not lose: the outcomes of random programs under ALL are those of
 * BOUNDED without a bound, which tries everything.
 */

struct instruction {
	u8 kind, at, value;
};

enum { NOTHING, READ, WRITE };

static struct instruction program[3][4];
static u32 got[3][4];

static void interpret(u32 id)
{
	for (u32 i = 0; i < 4; i++) {
		const struct instruction *in = &program[id][i];

		if (in->kind == WRITE)
			atomic_store_relaxed(&shared[in->at], in->value);
		else if (in->kind == READ)
			got[id][i] = atomic_load_relaxed(&shared[in->at]);
	}
}

static void interpret_0(void) { interpret(0); }
static void interpret_1(void) { interpret(1); }
static void interpret_2(void) { interpret(2); }

static u64 outcome_set[1024];
static u32 nr_outcomes;

static void keep_outcome(void)
{
	u64 hash = 1469598103934665603ull;

	for (u32 id = 0; id < 3; id++)
		for (u32 i = 0; i < 4; i++)
			hash = (hash ^ (got[id][i] + 1)) * 1099511628211ull;
	for (u32 i = 0; i < 3; i++)
		hash = (hash ^ (shared[i] + 1)) * 1099511628211ull;
	for (u32 i = 0; i < nr_outcomes; i++)
		if (outcome_set[i] == hash)
			return;
	assert_true(nr_outcomes < ARRAY_SIZE(outcome_set));
	outcome_set[nr_outcomes++] = hash;
}

static u64 rng = 7;

static u32 pick(u32 n)
{
	rng = rng * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)(rng >> 33) % n;
}

/* Two threads of four instructions, or three of two. */
static void make_program(u32 nr_threads)
{
	u32 len = nr_threads == 2 ? 4 : 2;

	memset(program, 0, sizeof(program));
	for (u32 id = 0; id < nr_threads; id++)
		for (u32 i = 0; i < len; i++)
			program[id][i] = (struct instruction){
				.kind = pick(2) ? WRITE : READ, .at = (u8)pick(2),
				.value = (u8)(1 + id * 4 + i) };
}

/* All outcomes are reached with the reductions, in SC and with a stale load. */
static void reductions_lose_nothing(u32 nr_threads, u32 stale, u32 rounds)
{
	struct sim_scenario scenario = SCENARIO(nr_threads, interpret_0, interpret_1, interpret_2);
	u64 all_sum = 0, every_sum = 0;

	scenario.finish = keep_outcome;
	while (rounds--) {
		struct search_setting all = all_orders(stale), every = all_orders(stale);
		u64 executions;
		u32 nr_all;

		make_program(nr_threads);
		nr_outcomes = 0;
		run(&scenario, &all, &executions);
		all_sum += executions;
		nr_all = nr_outcomes;
		every.kind = SEARCH_BOUNDED;
		run(&scenario, &every, &executions);
		every_sum += executions;
		assert_int_equal(nr_outcomes, nr_all);
	}
	assert_true(all_sum < every_sum);
	print_message("%u threads, %u stale: %llu executions by ALL, %llu without reductions\n",
		      nr_threads, stale, (unsigned long long)all_sum,
		      (unsigned long long)every_sum);
}

static void test_reductions_lose_nothing(void **state)
{
	(void)state;
	reductions_lose_nothing(2, 0, 40);
	reductions_lose_nothing(2, 1, 10);
	reductions_lose_nothing(3, 0, 15);
}

/* ---- replay */

static void test_path_replays(void **state)
{
	struct sim_scenario three = SCENARIO(3, append_1, append_2, append_3);
	struct search_setting set = { .kind = SEARCH_RANDOM, .limit.preemptions = ~0u };
	char token[SEARCH_TOKEN_BYTES];

	(void)state;
	three.setup = begin;
	three.finish = trail_outcome;
	for (u64 seed = 0; seed < 200; seed++) {
		struct search_setting path = set;
		u64 by_seed;

		set.seed = seed;
		seen = 0;
		search_begin(&set);
		assert_true(search_next());
		assert_true(sim_execute(&three));
		search_token(token, sizeof(token));
		by_seed = seen;
		path.kind = SEARCH_PATH;
		path.path = token;
		seen = 0;
		search_begin(&path);
		assert_true(search_next());
		assert_true(sim_execute(&three));
		assert_int_equal(seen, by_seed);
		assert_false(search_next());
	}
}

static void test_no_preemptions_is_one_after_the_other(void **state)
{
	struct sim_scenario two = SCENARIO(2, append_1, append_2);
	struct search_setting set = { .kind = SEARCH_BOUNDED };
	u64 executions;

	(void)state;
	two.finish = trail_outcome;
	run(&two, &set, &executions);
	assert_int_equal(__builtin_popcountll(seen), 2);
	assert_true(executions <= 4);
}

/* What is left over from the execution before makes nonsense of a choice, and is said so. */
static u32 left_over;

static void begins_once(void)
{
	if (!left_over)
		append(3);
	left_over = 1;
	atomic_add_relaxed(&own[0], 1);
	append(1);
}

static void test_what_is_left_over_is_noticed(void **state)
{
	struct sim_scenario two = SCENARIO(2, begins_once, append_2);
	struct search_setting set = all_orders(0);
	enum sim_failure why;

	(void)state;
	two.setup = begin;
	left_over = 0;
	run_all(&two, &set, &why);
	assert_int_equal(why, FAIL_BUG);
	assert_non_null(strstr(sim.report, "not deterministic"));
}

/* PCT with two ordering constraints finds what needs one, within n k executions on average. */
static u32 flag;

static void set_flag_late(void)
{
	for (u32 i = 0; i < 20; i++)
		atomic_add_relaxed(&own[0], 1);
	atomic_store_relaxed(&flag, 1);
	atomic_store_relaxed(&flag, 0);
}

static void look_at_flag(void)
{
	if (atomic_load_relaxed(&flag))
		sim_fail(FAIL_CHECK, "seen");
}

static void flag_begin(void)
{
	begin();
	flag = 0;
}

static void test_pct_finds_the_moment(void **state)
{
	struct sim_scenario two = { .setup = flag_begin, .nr_threads = 2,
		.threads = { set_flag_late, look_at_flag }, .thread_names = { "a", "b" } };
	struct search_setting set = { .kind = SEARCH_PCT, .seed = 1, .depth = 2, .length = 26,
				      .limit.preemptions = ~0u };
	bool found = false;

	(void)state;
	search_begin(&set);
	for (u32 i = 0; i < 1000 && !found && search_next(); i++)
		found = !sim_execute(&two);
	assert_true(found);
	print_message("found after %llu executions\n", (unsigned long long)search_executions());
}

/*
 * ---- what is done later, by a callback or a work, is as late as it may be: a thread that hands
 * over two and stores in between says nothing of the first
 */

static struct port_rcu_head callback[2];
static struct port_work work[2];
static u32 later[2];

static void later_begin(void)
{
	begin();
	memset(callback, 0, sizeof(callback));
	memset(work, 0, sizeof(work));
	memset(later, 0, sizeof(later));
}

static void callback_looks(struct port_rcu_head *head)
{
	later[head - callback] = atomic_load_relaxed(&shared[0]);
}

static void work_looks(struct port_work *w)
{
	later[w - work] = atomic_load_relaxed(&shared[0]);
}

static void call_twice(void)
{
	port_call_rcu(&callback[0], callback_looks);
	atomic_store_relaxed(&shared[0], 1);
	port_call_rcu(&callback[1], callback_looks);
	atomic_store_relaxed(&shared[0], 2);
}

static void push_twice(void)
{
	port_work(&work[0], work_looks);
	atomic_store_relaxed(&shared[0], 1);
	port_work(&work[1], work_looks);
	atomic_store_relaxed(&shared[0], 2);
}

static void wait_for_callbacks(void)
{
	port_rcu_barrier();
	own[0] = atomic_load_relaxed(&shared[0]);
}

static void wait_for_works(void)
{
	port_work_flush();
	own[0] = atomic_load_relaxed(&shared[0]);
}

static void read_in_section(void)
{
	port_rcu_read_lock();
	own[0] = atomic_load_relaxed(&shared[0]);
	port_rcu_read_unlock();
}

static void later_outcome(void)
{
	outcome(later[0] * 9 + later[1] * 3 + own[0]);
}

/* The first sees 0, 1 or 2, the second 1 or 2 and not less: 5 ways.  @other's load by itself: 3. */
static void looks_late(void (*twice)(void), void (*other)(void))
{
	struct sim_scenario alone = SCENARIO(1, twice), both = SCENARIO(2, twice, other);
	struct search_setting all = all_orders(0), every = all_orders(0);
	enum sim_failure why;
	u64 seen_by_all, alike;

	alone.setup = both.setup = later_begin;
	alone.finish = both.finish = later_outcome;
	run_all(&alone, &all, &why);
	assert_int_equal(why, FAIL_NONE);
	assert_int_equal(__builtin_popcountll(seen), 5);
	alike = run_all(&both, &all, &why);
	assert_int_equal(why, FAIL_NONE);
	seen_by_all = seen;
	every.kind = SEARCH_BOUNDED;
	assert_true(run_all(&both, &every, &why) > alike);
	assert_int_equal(why, FAIL_NONE);
	assert_int_equal(seen_by_all, seen);
}

static void test_later_may_be_any_time(void **state)
{
	(void)state;
	looks_late(call_twice, read_in_section);
	looks_late(call_twice, wait_for_callbacks);
	looks_late(push_twice, wait_for_works);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_independent_threads_have_one_order),
		cmocka_unit_test(test_every_order_of_writers),
		cmocka_unit_test(test_reductions_lose_nothing),
		cmocka_unit_test(test_later_may_be_any_time),
		cmocka_unit_test(test_path_replays),
		cmocka_unit_test(test_no_preemptions_is_one_after_the_other),
		cmocka_unit_test(test_what_is_left_over_is_noticed),
		cmocka_unit_test(test_pct_finds_the_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
