/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Kill switches and groups of them, without a lock around. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/errno.h"
#include "sync/kill_group.h"
#include "threads.h"

static struct kill_switch kill_switch;
static u32 gate;

/* The gate never opens, but somebody else's kill moves it: then back to sleep, as in a lock. */
static int wait_at_gate(struct kill_switch *ks)
{
	int err;

	do {
		err = kill_switch_wait(ks, &gate, atomic_load_acquire(&gate), PORT_NO_DEADLINE);
	} while (!err);
	return err;
}

static void test_fired_before(void **state)
{
	(void)state;
	kill_switch_init(&kill_switch);
	assert_false(kill_switch_fired(&kill_switch));
	kill_switch_fire(&kill_switch);
	kill_switch_fire(&kill_switch);
	assert_true(kill_switch_fired(&kill_switch));
	assert_int_equal(kill_switch_wait(&kill_switch, &gate, gate, PORT_NO_DEADLINE), -EINTR);
	kill_switch_init(&kill_switch);
	assert_int_equal(kill_switch_wait(&kill_switch, &gate, gate + 2, PORT_NO_DEADLINE), 0);
	assert_int_equal(kill_switch_wait(&kill_switch, &gate, gate, 0), -ETIMEDOUT);
	assert_int_equal(kill_switch_wait(NULL, &gate, gate, 0), -ETIMEDOUT);
}

static void *waits(void *arg)
{
	struct kill_switch *ks = arg;

	VM_BUG_ON(wait_at_gate(ks) != -EINTR);
	return NULL;
}

static void test_fired_while_waiting(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) {
		pthread_t thread;

		kill_switch_init(&kill_switch);
		thread = start(waits, &kill_switch);
		/* On every other round wait until it is about to sleep. */
		wait_until(i % 2 || atomic_load_relaxed(&kill_switch.word));
		kill_switch_fire(&kill_switch);
		finish(thread);
		assert_null(kill_switch.word);
		assert_int_equal(kill_switch.busy, 0);
	}
}

static void fire_in_handler(int signal)
{
	(void)signal;
	kill_switch_fire(&kill_switch);
}

static u32 thread_up, thread_done;	/* flags */

static void *waits_for_signal(void *arg)
{
	raise_flag(&thread_up);
	waits(arg);
	raise_flag(&thread_done);
	return NULL;
}

/*
 * The thread sanitizer keeps a signal back until the thread's next atomic access or call of the C
 * library.  If it comes just before the sleep, there is none: then it is sent again.
 */
static void send_again(pthread_t thread)
{
#ifdef PORT_TSAN
	while (!atomic_load_acquire(&thread_done)) {
		pthread_kill(thread, SIGUSR1);
		port_yield();
	}
#else
	(void)thread;
#endif
}

/* A handler fires the switch of the very thread that it interrupts. */
static void test_fired_in_signal_handler(void **state)
{
	struct sigaction act = { .sa_handler = fire_in_handler }, old;
	pthread_t thread;

	(void)state;
	sigaction(SIGUSR1, &act, &old);
	for (int i = 0; i < 100; i++) {
		kill_switch_init(&kill_switch);
		thread_up = thread_done = 0;
		thread = start(waits_for_signal, &kill_switch);
		wait_for_flag(&thread_up);
		assert_int_equal(pthread_kill(thread, SIGUSR1), 0);
		send_again(thread);
		finish(thread);
	}
	sigaction(SIGUSR1, &old, NULL);
}

static struct kill_group group;

static void *joins_and_waits(void *arg)
{
	struct kill_waiter waiter;

	(void)arg;
	kill_group_join(&group, &waiter);
	VM_BUG_ON(wait_at_gate(&waiter.kill) != -EINTR);
	kill_group_leave(&group, &waiter);
	return NULL;
}

static unsigned int members(void)
{
	struct kill_waiter *waiter;
	unsigned int n = 0;

	spin_lock(&group.lock);
	list_for_each_entry(waiter, &group.waiting, link)
		n++;
	spin_unlock(&group.lock);
	return n;
}

static void test_group(void **state)
{
	pthread_t threads[3];

	(void)state;
	kill_group_init(&group);
	for (int i = 0; i < 3; i++)
		threads[i] = start(joins_and_waits, NULL);
	wait_until(members() == 3);
	kill_group_fire(&group);
	for (int i = 0; i < 3; i++)
		finish(threads[i]);
	assert_int_equal(members(), 0);
	/* Whoever comes later is dead on arrival. */
	finish(start(joins_and_waits, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fired_before),
		cmocka_unit_test(test_fired_while_waiting),
		cmocka_unit_test(test_fired_in_signal_handler),
		cmocka_unit_test(test_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
