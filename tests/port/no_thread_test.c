/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * No background thread can be had.  The queue's code is compiled into the test with a
 * pthread_create() that fails as often as it is told to.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int scarce_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			 void *arg);

#define pthread_create scarce_create
#include "port/linux/bg.c"
#undef pthread_create

static int refusals;			/* how many more times */

static int scarce_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			 void *arg)
{
	if (refusals > 0) {
		refusals--;
		return EAGAIN;
	}
	return pthread_create(thread, attr, fn, arg);
}

static u32 callbacks, works;		/* atomic */
static u32 work_thread;

static void count_callback(struct port_rcu_head *head)
{
	(void)head;
	atomic_add_relaxed(&callbacks, 1);
}

static void count_work(struct port_work *w)
{
	(void)w;
	work_thread = port_thread_id();
	atomic_add_relaxed(&works, 1);
}

static void test_flush_runs_them(void **state)
{
	static struct port_rcu_head heads[3];
	static struct port_work work[3];

	(void)state;
	refusals = 1000;
	for (int i = 0; i < 3; i++) {
		port_call_rcu(&heads[i], count_callback);
		assert_int_equal(port_work(&work[i], count_work), 0);
	}
	assert_int_equal(atomic_load_relaxed(&callbacks), 0);
	assert_int_equal(atomic_load_relaxed(&works), 0);
	port_rcu_barrier();
	assert_int_equal(atomic_load_relaxed(&callbacks), 3);
	port_work_flush();
	assert_int_equal(atomic_load_relaxed(&works), 3);
	assert_int_equal(work_thread, port_thread_id());
}

static u32 seen_by_work;

/* What a release() may come to in a work: frames that wait for readers are waited for. */
static void wait_for_callbacks(struct port_work *w)
{
	static struct port_rcu_head head;

	(void)w;
	port_call_rcu(&head, count_callback);
	port_rcu_barrier();
	atomic_store_relaxed(&seen_by_work, atomic_load_relaxed(&callbacks));
}

static void test_work_waits_for_callbacks(void **state)
{
	static struct port_work work;
	u32 before = atomic_load_relaxed(&callbacks);

	(void)state;
	assert_int_equal(port_work(&work, wait_for_callbacks), 0);
	port_work_flush();
	assert_int_equal(atomic_load_relaxed(&seen_by_work), before + 1);
}

static void test_later_push_tries_again(void **state)
{
	static struct port_work first, second;

	(void)state;
	refusals = 1;
	assert_int_equal(port_work(&first, count_work), 0);
	assert_int_equal(refusals, 0);
	assert_int_equal(port_work(&second, count_work), 0);
	port_work_flush();
	assert_int_equal(atomic_load_relaxed(&works), 5);
	assert_int_not_equal(work_thread, port_thread_id());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flush_runs_them),
		cmocka_unit_test(test_work_waits_for_callbacks),
		cmocka_unit_test(test_later_push_tries_again),
		cmocka_unit_test(test_work_waits_for_callbacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
