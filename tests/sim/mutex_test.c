/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Mutexes and condition variables of POSIX under the search of all orders: every order in which
 * threads can get a mutex is seen.  Small programs whose outcomes are counted by hand, and random
 * ones whose outcomes are compared with those of a search without reductions.
 */
#include <pthread.h>

#include "one.h"

static pthread_mutex_t lock[2];
static pthread_cond_t arrived;
static u32 trail, tokens, shared[2];
static u32 waited[3];

static void begin(void)
{
	for (u32 i = 0; i < 2; i++)
		pthread_mutex_init(&lock[i], NULL);
	pthread_cond_init(&arrived, NULL);
	trail = tokens = 0;
	memset(shared, 0, sizeof(shared));
	memset(waited, 0, sizeof(waited));
}

#define SCENARIO(nr, ...)							\
	{ .nr_threads = (nr), .threads = { __VA_ARGS__ },			\
	  .thread_names = { "a", "b", "c" }, .setup = begin }

/* ---------------------------------------------------------------------------- outcomes -- */

static u64 outcome_set[4096];
static u32 nr_outcomes;

static void keep(u64 what)
{
	for (u32 i = 0; i < nr_outcomes; i++)
		if (outcome_set[i] == what)
			return;
	assert_true(nr_outcomes < ARRAY_SIZE(outcome_set));
	outcome_set[nr_outcomes++] = what;
}

static void keep_trail(void)
{
	keep(trail);
}

/* The number of outcomes of all executions. */
static u32 outcomes_of(struct sim_scenario *scenario, const struct search_setting *set,
		       u64 *executions)
{
	enum sim_failure why;

	nr_outcomes = 0;
	*executions = run_all(scenario, set, &why);
	if (why)
		fail_msg("%s", sim.report);
	return nr_outcomes;
}

static void has_outcomes(struct sim_scenario *scenario, u32 nr)
{
	struct search_setting set = all_orders(0);
	u64 executions;

	assert_int_equal(outcomes_of(scenario, &set, &executions), nr);
	print_message("%u outcomes, %llu executions\n", nr, (unsigned long long)executions);
}

/* --------------------------------------------------------------------- counted by hand -- */

/* Under the mutex, so with plain accesses. */
static void append(u32 id)
{
	trail = trail * 4 + id;
}

static void section(u32 id)
{
	pthread_mutex_lock(&lock[0]);
	append(id);
	pthread_mutex_unlock(&lock[0]);
}

static void once_1(void) { section(1); }
static void once_2(void) { section(2); }
static void once_3(void) { section(3); }
static void twice_1(void) { section(1); section(1); }
static void twice_2(void) { section(2); section(2); }
static void twice_3(void) { section(3); section(3); }

/* Sections of k threads, n_1 to n_k of them: (n_1 + ... + n_k)! / (n_1! ... n_k!) orders. */
static void test_every_order_of_sections(void **state)
{
	struct sim_scenario one_one = SCENARIO(2, once_1, once_2);
	struct sim_scenario two_two = SCENARIO(2, twice_1, twice_2);
	struct sim_scenario three = SCENARIO(3, once_1, once_2, once_3);
	struct sim_scenario two_one_one = SCENARIO(3, twice_1, once_2, once_3);
	struct sim_scenario two_each = SCENARIO(3, twice_1, twice_2, twice_3);

	(void)state;
	one_one.finish = two_two.finish = three.finish = keep_trail;
	two_one_one.finish = two_each.finish = keep_trail;
	has_outcomes(&one_one, 2);
	has_outcomes(&two_two, 6);
	has_outcomes(&three, 6);
	has_outcomes(&two_one_one, 12);
	has_outcomes(&two_each, 90);
}

static void try_section(u32 id)
{
	if (pthread_mutex_trylock(&lock[0]))
		return;
	append(id);
	pthread_mutex_unlock(&lock[0]);
}

static void try_2(void) { try_section(2); }
static void try_3(void) { try_section(3); }

/*
 * One waits and one only tries: 12, 21, 1.  One waits twice: 211, 121, 112, 11.  One waits, two
 * try: 6 orders of all three; 12, 21, 13, 31 if one is refused; 1 if both are.
 */
static void test_every_order_of_tries(void **state)
{
	struct sim_scenario two = SCENARIO(2, once_1, try_2);
	struct sim_scenario twice = SCENARIO(2, try_2, twice_1);
	struct sim_scenario three = SCENARIO(3, once_1, try_2, try_3);

	(void)state;
	two.finish = twice.finish = three.finish = keep_trail;
	has_outcomes(&two, 3);
	has_outcomes(&twice, 4);
	has_outcomes(&three, 11);
}

static void wait_and_append(u32 id)
{
	pthread_mutex_lock(&lock[0]);
	while (!tokens) {
		waited[id] = 1;
		pthread_cond_wait(&arrived, &lock[0]);
	}
	tokens--;
	append(id);
	pthread_mutex_unlock(&lock[0]);
}

static void consume_1(void) { wait_and_append(1); }
static void consume_2(void) { wait_and_append(2); }

static void give_both(void)
{
	pthread_mutex_lock(&lock[0]);
	tokens = 2;
	pthread_cond_broadcast(&arrived);
	pthread_mutex_unlock(&lock[0]);
}

static void give_each(void)
{
	for (u32 i = 0; i < 2; i++) {
		pthread_mutex_lock(&lock[0]);
		tokens++;
		pthread_mutex_unlock(&lock[0]);
		pthread_cond_signal(&arrived);
	}
}

static void keep_waits(void)
{
	keep(trail * 4 + waited[1] * 2 + waited[2]);
}

/* Each has waited or not, and either is first, which a woken one that is overtaken is not: 8. */
static void test_every_order_of_waiters(void **state)
{
	struct sim_scenario both = SCENARIO(3, consume_1, consume_2, give_both);
	struct sim_scenario each = SCENARIO(3, consume_1, consume_2, give_each);

	(void)state;
	both.finish = each.finish = keep_waits;
	has_outcomes(&both, 8);
	has_outcomes(&each, 8);
}

/* Each who comes late enough does not wait; each wakes the next. */
static void arrive_and_leave(u32 id)
{
	pthread_mutex_lock(&lock[0]);
	append(id);
	if (!tokens) {
		pthread_cond_wait(&arrived, &lock[0]);
		append(id);
	}
	pthread_cond_signal(&arrived);
	pthread_mutex_unlock(&lock[0]);
}

static void relay_1(void) { arrive_and_leave(1); }
static void relay_2(void) { arrive_and_leave(2); }

static void relay_begin(void)
{
	pthread_mutex_lock(&lock[0]);
	append(3);
	tokens = 1;
	pthread_cond_signal(&arrived);
	pthread_mutex_unlock(&lock[0]);
}

/*
 * Both wait: 2 orders to come and, as a signal may wake either, 2 to go.  One waits: it goes before
 * or after the other, which is either.  None waits: 2.  So 4 + 4 + 2.
 */
static void test_a_signal_wakes_any(void **state)
{
	struct sim_scenario relay = SCENARIO(3, relay_1, relay_2, relay_begin);

	(void)state;
	relay.finish = keep_trail;
	has_outcomes(&relay, 10);
}

static void wait_without_looking(void)
{
	pthread_mutex_lock(&lock[0]);
	pthread_cond_wait(&arrived, &lock[0]);
	pthread_mutex_unlock(&lock[0]);
}

static void signal_once(void)
{
	pthread_cond_signal(&arrived);
}

static void wait_and_look_once(void)
{
	pthread_mutex_lock(&lock[0]);
	if (!tokens)
		pthread_cond_wait(&arrived, &lock[0]);
	if (!tokens)
		sim_fail(FAIL_CHECK, "woken for nothing");
	pthread_mutex_unlock(&lock[0]);
}

static void wait_with_deadline(void)
{
	struct timespec until = { 0 };

	pthread_mutex_lock(&lock[0]);
	pthread_cond_timedwait(&arrived, &lock[0], &until);
	pthread_mutex_unlock(&lock[0]);
}

static enum sim_failure failure_of(struct sim_scenario *scenario, u32 spurious)
{
	struct search_setting set = all_orders(0);
	enum sim_failure why;

	set.limit.spurious = spurious;
	run_all(scenario, &set, &why);
	return why;
}

static void test_what_waiters_do_wrong_is_found(void **state)
{
	struct sim_scenario early = SCENARIO(2, wait_without_looking, signal_once);
	struct sim_scenario once = SCENARIO(2, wait_and_look_once, give_both);
	struct sim_scenario deadline = SCENARIO(1, wait_with_deadline);

	(void)state;
	assert_int_equal(failure_of(&early, 0), FAIL_DEADLOCK);
	assert_non_null(strstr(sim.report, "waits at condition variable"));
	assert_int_equal(failure_of(&once, 0), FAIL_NONE);
	assert_int_equal(failure_of(&once, 1), FAIL_CHECK);
	assert_int_equal(failure_of(&deadline, 0), FAIL_BUG);
}

/* ------------------------------------------------------------------------------ random -- */

/*
 * Programs of blocks.  A block is an access to a shared word: as it is, under one of two mutexes, or
 * under it if it can be had at once.
 */
enum { BARE, LOCKED, TRIED, KINDS };

struct block {
	u8 kind, mutex, at, value;		/* value 0: a load */
};

static struct block program[3][3];
static u32 got[3][3], nr_blocks;

static void access_word(u32 id, u32 i)
{
	const struct block *b = &program[id][i];

	if (b->value)
		atomic_store_relaxed(&shared[b->at], b->value);
	else
		got[id][i] = atomic_load_relaxed(&shared[b->at]);
}

static void run_program(u32 id)
{
	for (u32 i = 0; i < nr_blocks; i++) {
		pthread_mutex_t *mutex = &lock[program[id][i].mutex];

		switch (program[id][i].kind) {
		case BARE:
			access_word(id, i);
			break;
		case TRIED:
			if (pthread_mutex_trylock(mutex)) {
				got[id][i] = 99;
				break;
			}
			access_word(id, i);
			pthread_mutex_unlock(mutex);
			break;
		case LOCKED:
			pthread_mutex_lock(mutex);
			access_word(id, i);
			pthread_mutex_unlock(mutex);
			break;
		}
	}
}

static void run_0(void) { run_program(0); }
static void run_1(void) { run_program(1); }
static void run_2(void) { run_program(2); }

static void program_begin(void)
{
	begin();
	memset(got, 0, sizeof(got));
}

static void keep_got(void)
{
	u64 hash = 1469598103934665603ull;

	for (u32 i = 0; i < 9; i++)
		hash = (hash ^ (got[i / 3][i % 3] + 1)) * 1099511628211ull;
	for (u32 i = 0; i < 2; i++)
		hash = (hash ^ (shared[i] + 1)) * 1099511628211ull;
	keep(hash);
}

static u64 rng = 11;

static u32 pick(u32 n)
{
	rng = rng * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)(rng >> 33) % n;
}

static void make_program(u32 nr_threads)
{
	memset(program, 0, sizeof(program));
	for (u32 id = 0; id < nr_threads; id++)
		for (u32 i = 0; i < nr_blocks; i++)
			program[id][i] = (struct block){
				.kind = (u8)pick(KINDS), .mutex = (u8)(pick(3) == 2), .at = (u8)pick(2),
				.value = pick(2) ? (u8)(1 + id * 4 + i) : 0 };
}

/* ALL has every outcome that there is without reductions. */
static void reductions_lose_nothing(u32 nr_threads, u32 blocks, u32 rounds)
{
	struct sim_scenario scenario = SCENARIO(nr_threads, run_0, run_1, run_2);
	u64 all_sum = 0, every_sum = 0;

	scenario.setup = program_begin;
	scenario.finish = keep_got;
	nr_blocks = blocks;
	while (rounds--) {
		struct search_setting all = all_orders(0), every = all_orders(0);
		u64 executions;
		u32 nr_all;

		make_program(nr_threads);
		nr_all = outcomes_of(&scenario, &all, &executions);
		all_sum += executions;
		every.kind = SEARCH_BOUNDED;
		assert_int_equal(outcomes_of(&scenario, &every, &executions), nr_all);
		every_sum += executions;
	}
	assert_true(all_sum < every_sum);
	print_message("%u threads: %llu executions by ALL, %llu without reductions\n", nr_threads,
		      (unsigned long long)all_sum, (unsigned long long)every_sum);
}

static void test_reductions_lose_nothing(void **state)
{
	(void)state;
	reductions_lose_nothing(2, 2, 60);
	reductions_lose_nothing(2, 3, 10);
	reductions_lose_nothing(3, 1, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_order_of_sections),
		cmocka_unit_test(test_every_order_of_tries),
		cmocka_unit_test(test_every_order_of_waiters),
		cmocka_unit_test(test_a_signal_wakes_any),
		cmocka_unit_test(test_what_waiters_do_wrong_is_found),
		cmocka_unit_test(test_reductions_lose_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
