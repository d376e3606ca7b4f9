/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The spinlock alone: its three states, and that a waiter gives its CPU away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "sync/spinlock.h"
#include "threads.h"

static struct spinlock lock;

static u32 word(void)
{
	return atomic_load_relaxed(&lock.word);
}

static void test_states(void **state)
{
	(void)state;
	spin_lock_init(&lock, LOCK_RANK_LRU);
	assert_false(spin_is_locked(&lock));
	spin_lock(&lock);
	assert_int_equal(word(), SPIN_HELD);
	assert_true(spin_is_locked(&lock));
	assert_false(spin_try(&lock));
	spin_unlock(&lock);
	assert_int_equal(word(), SPIN_FREE);
	assert_true(spin_trylock(&lock));
	assert_int_equal(word(), SPIN_HELD);
	spin_unlock(&lock);
	assert_int_equal(word(), SPIN_FREE);
}

struct waiter {
	u64 cpu_ns;
	pthread_t thread;
};

static u64 cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (u64)t.tv_sec * 1000000000ull + (u64)t.tv_nsec;
}

static void *lock_once(void *arg)
{
	struct waiter *w = arg;
	u64 before = cpu_ns();

	spin_lock(&lock);
	w->cpu_ns = cpu_ns() - before;
	spin_unlock(&lock);
	return NULL;
}

/* The holder is away for 100 ms; the waiters' CPU time is nothing like that. */
static void test_waiters_sleep(void **state)
{
	struct waiter waiters[3];
	u32 never = 0;

	(void)state;
	spin_lock_init(&lock, LOCK_RANK_LRU);
	spin_lock(&lock);
	for (int i = 0; i < 3; i++)
		waiters[i].thread = start(lock_once, &waiters[i]);
	wait_until(word() == SPIN_WAITED_FOR);
	port_wait(&never, 0, port_now_ns() + 100ull * 1000 * 1000);
	spin_unlock(&lock);
	for (int i = 0; i < 3; i++) {
		finish(waiters[i].thread);
		assert_true(waiters[i].cpu_ns < 50ull * 1000 * 1000);
	}
	assert_int_equal(word(), SPIN_FREE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_waiters_sleep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
