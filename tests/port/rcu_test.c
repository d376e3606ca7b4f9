/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Grace periods: that callbacks wait for readers, and no longer than that. */
#include <limits.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "port/port.h"

#define READERS		3
#define UPDATES		2000

struct object {
	struct port_rcu_head rcu;
	u64 value;			/* written before it is published, and when it is freed */
	u64 copy;
};

static u32 ran;				/* atomic: callbacks */

static void free_object(struct port_rcu_head *head)
{
	struct object *object = container_of(head, struct object, rcu);

	/* A reader that still looks would see this, or the race detector would. */
	object->value = 0;
	port_free(object, sizeof(*object));
	atomic_add_relaxed(&ran, 1);
}

static struct object *new_object(u64 value)
{
	struct object *object = port_alloc(sizeof(*object));

	VM_BUG_ON(!object);
	object->value = value;
	object->copy = value;
	return object;
}

struct gate {
	u32 inside;			/* atomic, futex: the reader is in its section */
	u32 leave;			/* atomic, futex: it may go */
};

static void wait_for(u32 *word)
{
	while (!atomic_load_acquire(word))
		port_wait(word, 0, PORT_NO_DEADLINE);
}

static void set(u32 *word)
{
	atomic_store_release(word, 1);
	port_wake(word, INT_MAX);
}

static void *nested_reader(void *arg)
{
	struct gate *gate = arg;

	port_rcu_read_lock();
	port_rcu_read_lock();
	port_rcu_read_unlock();
	/* Still inside: the sections nest. */
	VM_BUG_ON(!port_rcu_read_ongoing());
	set(&gate->inside);
	wait_for(&gate->leave);
	port_rcu_read_unlock();
	VM_BUG_ON(port_rcu_read_ongoing());
	return NULL;
}

static void *barrier_in_thread(void *arg)
{
	port_rcu_barrier();
	set(arg);
	return NULL;
}

static void test_callback_waits(void **state)
{
	struct gate gate = { 0 };
	pthread_t reader, waiter;
	u32 before = atomic_load_relaxed(&ran), passed = 0;

	(void)state;
	assert_int_equal(pthread_create(&reader, NULL, nested_reader, &gate), 0);
	wait_for(&gate.inside);
	port_call_rcu(&new_object(1)->rcu, free_object);
	assert_int_equal(pthread_create(&waiter, NULL, barrier_in_thread, &passed), 0);
	/* Time for it to go wrong, not time that it needs to go right. */
	port_wait(&passed, 0, port_now_ns() + 30 * 1000 * 1000);
	assert_int_equal(atomic_load_relaxed(&passed), 0);
	assert_int_equal(atomic_load_relaxed(&ran), before);
	set(&gate.leave);
	pthread_join(waiter, NULL);
	assert_int_equal(atomic_load_relaxed(&ran), before + 1);
	pthread_join(reader, NULL);
}

static void *synchronize_in_thread(void *arg)
{
	port_synchronize_rcu();
	set(arg);
	return NULL;
}

static void test_synchronize_waits(void **state)
{
	struct gate gate = { 0 };
	pthread_t reader, waiter;
	u32 passed = 0;

	(void)state;
	assert_int_equal(pthread_create(&reader, NULL, nested_reader, &gate), 0);
	wait_for(&gate.inside);
	assert_int_equal(pthread_create(&waiter, NULL, synchronize_in_thread, &passed), 0);
	port_wait(&passed, 0, port_now_ns() + 30 * 1000 * 1000);
	assert_int_equal(atomic_load_relaxed(&passed), 0);
	set(&gate.leave);
	pthread_join(waiter, NULL);
	pthread_join(reader, NULL);
}

static void test_barrier_covers_all(void **state)
{
	u32 before = atomic_load_relaxed(&ran);

	(void)state;
	for (int i = 0; i < 1000; i++)
		port_call_rcu(&new_object(1)->rcu, free_object);
	port_rcu_barrier();
	assert_int_equal(atomic_load_relaxed(&ran), before + 1000);
	port_rcu_barrier();
}

/* ------------------------------------------------------------------------------- stress -- */

static struct object *shared;		/* RCU; replaced by the updater */
static u32 stop;			/* atomic */

static void *reader(void *arg)
{
	u64 last = 0;

	(void)arg;
	while (!atomic_load_relaxed(&stop)) {
		struct object *object;

		port_rcu_read_lock();
		object = port_rcu_dereference(shared);
		VM_BUG_ON(object->value != object->copy || object->value < last,
			  "%llu %llu after %llu", (unsigned long long)object->value,
			  (unsigned long long)object->copy, (unsigned long long)last);
		last = object->value;
		port_rcu_read_unlock();
	}
	return NULL;
}

static void test_readers_beside_updates(void **state)
{
	u32 before = atomic_load_relaxed(&ran);
	pthread_t threads[READERS];

	(void)state;
	shared = new_object(1);
	atomic_store_relaxed(&stop, 0);
	for (int i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reader, NULL), 0);
	for (u64 i = 2; i < UPDATES; i++) {
		struct object *old = shared;

		port_rcu_assign(shared, new_object(i));
		if (i % 500) {
			port_call_rcu(&old->rcu, free_object);
		} else {
			port_synchronize_rcu();
			free_object(&old->rcu);
		}
	}
	atomic_store_relaxed(&stop, 1);
	for (int i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	port_call_rcu(&shared->rcu, free_object);
	port_rcu_barrier();
	assert_int_equal(atomic_load_relaxed(&ran), before + UPDATES - 1);
}

/* ------------------------------------------------------------------------------ signals -- */

static void read_in_handler(int signal)
{
	(void)signal;
	port_rcu_read_lock();
	port_rcu_read_unlock();
}

/* The thread's very first use of RCU is in the handler. */
static void *interrupted(void *arg)
{
	raise(SIGUSR1);
	VM_BUG_ON(port_rcu_read_ongoing());
	port_rcu_read_lock();
	raise(SIGUSR1);
	VM_BUG_ON(!port_rcu_read_ongoing());
	port_rcu_read_unlock();
	*(bool *)arg = true;
	return NULL;
}

static void test_in_signal_handler(void **state)
{
	struct sigaction act = { .sa_handler = read_in_handler }, old;
	pthread_t thread;
	bool done = false;

	(void)state;
	sigaction(SIGUSR1, &act, &old);
	assert_int_equal(pthread_create(&thread, NULL, interrupted, &done), 0);
	pthread_join(thread, NULL);
	assert_true(done);
	sigaction(SIGUSR1, &old, NULL);
	port_synchronize_rcu();
}

/* Readers go without a barrier of their own only where a writer can make them execute one. */
static void test_knows_its_kernel(void **state)
{
	long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
	bool expedited = commands > 0 && (commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED);

	(void)state;
	assert_int_equal(!!port_urcu_membarrier, expedited);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_callback_waits),
		cmocka_unit_test(test_synchronize_waits),
		cmocka_unit_test(test_barrier_covers_all),
		cmocka_unit_test(test_readers_beside_updates),
		cmocka_unit_test(test_in_signal_handler),
		cmocka_unit_test(test_knows_its_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
