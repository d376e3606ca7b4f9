/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Each kind of failure is noticed, called by its name, and what is right is not. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "one.h"

static u32 word, other;
static unsigned long plain;
static struct { u8 a, b; } bytes;
static void *block;
static pthread_mutex_t first, second;

static void begin(void)
{
	word = other = 0;
	plain = 0;
	bytes.a = bytes.b = 0;
	block = NULL;
	memset(&first, 0, sizeof(first));
	memset(&second, 0, sizeof(second));
}

static enum sim_failure found_after(void (*setup)(void), void (*a)(void), void (*b)(void),
				    void (*finish)(void))
{
	struct search_setting set = all_orders(1);
	struct sim_scenario scenario = {
		.setup = setup, .finish = finish, .nr_threads = 2,
		.threads = { a, b }, .thread_names = { "one", "two" },
	};
	enum sim_failure why;

	run_all(&scenario, &set, &why);
	return why;
}

static enum sim_failure found(void (*a)(void), void (*b)(void), void (*finish)(void))
{
	return found_after(begin, a, b, finish);
}

/* ---- races */

static void write_plain(void)
{
	plain++;
}

static void locked_write(void)
{
	pthread_mutex_lock(&first);
	plain++;
	pthread_mutex_unlock(&first);
}

static void publish_relaxed(void)
{
	plain = 1;
	atomic_store_relaxed(&word, 1);
}

static void publish_release(void)
{
	plain = 1;
	atomic_store_release(&word, 1);		/* with read_published() */
}

static void read_published(void)
{
	if (atomic_load_acquire(&word))		/* with publish_release() */
		outcome(plain);
}

static void write_a(void)
{
	bytes.a = 1;
}

static void write_b(void)
{
	bytes.b = 1;
}

static void atomic_word(void)
{
	atomic_add_relaxed(&word, 1);
}

static void plain_word(void)
{
	word = 3;
}

static void test_races(void **state)
{
	(void)state;
	assert_int_equal(found(write_plain, write_plain, NULL), FAIL_RACE);
	assert_non_null(strstr(sim.report, "write_plain"));
	assert_non_null(strstr(sim.report, "plain+0"));
	assert_int_equal(found(locked_write, locked_write, NULL), FAIL_NONE);
	assert_int_equal(found(locked_write, write_plain, NULL), FAIL_RACE);
	assert_int_equal(found(publish_release, read_published, NULL), FAIL_NONE);
	assert_int_equal(found(publish_relaxed, read_published, NULL), FAIL_RACE);
	assert_int_equal(found(write_a, write_b, NULL), FAIL_NONE);
	assert_int_equal(found(atomic_word, atomic_word, NULL), FAIL_NONE);
	assert_int_equal(found(atomic_word, plain_word, NULL), FAIL_RACE);
}

/* ---- memory */

static void publish_block(void)
{
	atomic_store_release(&block, port_alloc(64));	/* with use_block() */
}

static void use_block(void)
{
	u64 *p = atomic_load_acquire(&block);		/* with publish_block() */

	if (p)
		outcome((unsigned int)*p);
}

static void free_block_at_once(void)
{
	publish_block();
	port_free(atomic_xchg_acq_rel(&block, NULL), 64);	/* with use_block() */
}

struct counted {
	struct port_rcu_head rcu;
	u64 value;
};

static void free_counted(struct port_rcu_head *head)
{
	port_free(container_of(head, struct counted, rcu), sizeof(struct counted));
}

static void use_block_rcu(void)
{
	struct counted *p;

	port_rcu_read_lock();
	p = atomic_load_acquire(&block);		/* with free_block_rcu() */
	if (p)
		outcome((unsigned int)p->value);
	port_rcu_read_unlock();
}

static void free_block_rcu(void)
{
	struct counted *p;

	atomic_store_release(&block, port_alloc(sizeof(*p)));	/* with use_block_rcu() */
	p = block;
	atomic_store_relaxed(&block, NULL);
	port_call_rcu(&p->rcu, free_counted);
}

/* The callback is given before the pointer is taken away: a later section may still find it. */
static void free_block_rcu_too_early(void)
{
	struct counted *p = port_alloc(sizeof(*p));

	atomic_store_release(&block, p);		/* with use_block_rcu() */
	port_call_rcu(&p->rcu, free_counted);
	atomic_store_relaxed(&block, NULL);
}

static void wait_for_callbacks(void)
{
	port_rcu_barrier();
}

static void free_twice(void)
{
	void *p = port_alloc(8);

	port_free(p, 8);
	port_free(p, 8);
}

static void leave_it(void)
{
	block = port_alloc(8);
}

static void nothing(void)
{
}

static void test_memory(void **state)
{
	enum sim_failure why;

	(void)state;
	why = found(free_block_at_once, use_block, NULL);
	assert_true(why == FAIL_MEMORY || why == FAIL_RACE);
	assert_int_equal(found(free_block_rcu, use_block_rcu, wait_for_callbacks), FAIL_NONE);
	why = found(free_block_rcu_too_early, use_block_rcu, wait_for_callbacks);
	assert_true(why == FAIL_MEMORY || why == FAIL_RACE);
	assert_int_equal(found(free_twice, nothing, NULL), FAIL_MEMORY);
	assert_int_equal(found(leave_it, nothing, NULL), FAIL_LEAK);
	assert_non_null(strstr(sim.report, "noticed_test.c"));
}

/* ---- waiting for ever */

static void first_then_second(void)
{
	pthread_mutex_lock(&first);
	pthread_mutex_lock(&second);
	pthread_mutex_unlock(&second);
	pthread_mutex_unlock(&first);
}

static void second_then_first(void)
{
	pthread_mutex_lock(&second);
	pthread_mutex_lock(&first);
	pthread_mutex_unlock(&first);
	pthread_mutex_unlock(&second);
}

static void sleep_on_word(void)
{
	while (!atomic_load_relaxed(&word))
		port_wait(&word, 0, PORT_NO_DEADLINE);
}

static void set_and_wake(void)
{
	atomic_store_relaxed(&word, 1);
	port_wake(&word, 1);
}

static void set_only(void)
{
	atomic_store_relaxed(&word, 1);
}

static void spin_for_word(void)
{
	while (!atomic_load_relaxed(&word))
		port_cpu_relax();
}

static void set_other(void)
{
	atomic_store_relaxed(&other, 1);
}

static void synchronize_in_section(void)
{
	port_rcu_read_lock();
	port_synchronize_rcu();
	port_rcu_read_unlock();
}

static void test_waiting(void **state)
{
	(void)state;
	assert_int_equal(found(first_then_second, second_then_first, NULL), FAIL_DEADLOCK);
	assert_non_null(strstr(sim.report, "held by T"));
	/* Both threads' stacks. */
	assert_non_null(strstr(sim.report, "(first_then_second)"));
	assert_non_null(strstr(sim.report, "(second_then_first)"));
	assert_int_equal(found(first_then_second, first_then_second, NULL), FAIL_NONE);
	assert_int_equal(found(sleep_on_word, set_and_wake, NULL), FAIL_NONE);
	assert_int_equal(found(sleep_on_word, set_only, NULL), FAIL_LOST_WAKEUP);
	assert_int_equal(found(sleep_on_word, set_other, NULL), FAIL_DEADLOCK);
	assert_int_equal(found(spin_for_word, set_only, NULL), FAIL_NONE);
	assert_int_equal(found(spin_for_word, set_other, NULL), FAIL_LIVELOCK);
	assert_int_equal(found(synchronize_in_section, nothing, NULL), FAIL_BUG);
}

static int *volatile no_place = (int *)16;

static void use_nothing(void)
{
	*no_place = 1;
}

static void test_crash(void **state)
{
	(void)state;
	assert_int_equal(found(use_nothing, nothing, NULL), FAIL_MEMORY);
	assert_non_null(strstr(sim.report, "use_nothing"));
	/* And the next one is as good as the first. */
	assert_int_equal(found(use_nothing, nothing, NULL), FAIL_MEMORY);
	assert_int_equal(found(nothing, nothing, NULL), FAIL_NONE);
}

static void assert_word(void)
{
	VM_BUG_ON(atomic_load_relaxed(&word));
}

static void test_assertions(void **state)
{
	(void)state;
	assert_int_equal(found(assert_word, set_only, NULL), FAIL_BUG);
	assert_non_null(strstr(sim.report, "assert_word"));
	assert_int_equal(found(assert_word, nothing, NULL), FAIL_NONE);
}

/* ---- what the code under test has from malloc() */

static unsigned long *volatile own;

static void allocate(void)
{
	own = malloc(sizeof(*own));
}

static void use_own(void)
{
	*own = 1;
}

static void free_own(void)
{
	free((void *)own);
}

static void allocate_and_free(void)
{
	char *volatile p = malloc(10), *volatile copy = strdup("the C library's");

	assert_true(p && copy && (u8)p[9] == 0xa5);
	p[9] = 1;
	p = realloc(p, 20);
	assert_true(p && p[9] == 1);
	free(p);
	free(copy);
	p = calloc(2, 8);
	assert_true(p && !p[15]);
	free(p);
	free(NULL);
}

static void free_own_twice(void)
{
	allocate();
	free_own();
	free_own();
}

static void use_old_after_realloc(void)
{
	allocate();
	free(realloc((void *)own, 100));
	use_own();
}

static void refused(void)
{
	void *volatile p = malloc(1);

	outcome(p != NULL);
	free(p);
}

static void test_allocator(void **state)
{
	enum sim_failure why;

	(void)state;
	assert_int_equal(found(allocate_and_free, allocate_and_free, NULL), FAIL_NONE);
	assert_int_equal(found(allocate, nothing, free_own), FAIL_NONE);
	assert_int_equal(found(allocate, nothing, NULL), FAIL_LEAK);
	assert_non_null(strstr(sim.report, "(allocate)"));
	assert_int_equal(found(free_own_twice, nothing, NULL), FAIL_MEMORY);
	assert_int_equal(found(use_old_after_realloc, nothing, NULL), FAIL_MEMORY);
	why = found_after(allocate, use_own, free_own, NULL);
	assert_true(why == FAIL_MEMORY || why == FAIL_RACE);
	sim.fail_at = 1;
	assert_int_equal(found(refused, nothing, NULL), FAIL_NONE);
	sim.fail_at = 0;
	assert_int_equal(seen, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_races),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_allocator),
		cmocka_unit_test(test_waiting),
		cmocka_unit_test(test_crash),
		cmocka_unit_test(test_assertions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
