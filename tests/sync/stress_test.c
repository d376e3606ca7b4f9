/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Everything the two locks can do, at random, from several threads, with counters that only agree
 * if nobody was inside with a writer.  A lost wake-up shows as a test that does not end.
 *
 *	stress_test [SEED [OPERATIONS]]
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/errno.h"
#include "sync/rwsem.h"
#include "sync/spinlock.h"
#include "threads.h"

#define THREADS		4
#define US		1000ull

static u64 seed;
static int operations = 20000;

static struct rwsem sem;
static unsigned long a, b;		/* sem; b is always a outside of a write section */
static u32 inside_readers, inside_writers;	/* atomic */

static struct spinlock spin;
static unsigned long counted;		/* spin */

struct worker {
	u64 random;
	struct kill_switch kill;
	u32 done;			/* flag: the killer leaves it alone */
	unsigned long writes, given_up, spins;
	pthread_t thread;
};

static struct worker workers[THREADS];
static u32 stop;			/* atomic */

static u64 next_random(struct worker *w)
{
	w->random = w->random * 6364136223846793005ull + 1442695040888963407ull;
	return w->random >> 33;
}

static void check_reading(void)
{
	u32 readers = atomic_add_relaxed(&inside_readers, 1);

	VM_BUG_ON(atomic_load_relaxed(&inside_writers), "reader %u beside a writer", readers);
	VM_BUG_ON(a != b, "a %lu b %lu", a, b);
}

static void done_reading(void)
{
	atomic_sub_relaxed(&inside_readers, 1);
	rwsem_read_unlock(&sem);
}

static void check_writing(struct worker *w)
{
	VM_BUG_ON(atomic_add_relaxed(&inside_writers, 1), "two writers");
	VM_BUG_ON(atomic_load_relaxed(&inside_readers), "a writer beside readers");
	w->writes++;
	a++;
	if (next_random(w) % 64 == 0)
		port_yield();
	b++;
	atomic_sub_relaxed(&inside_writers, 1);
}

static void one_read(struct worker *w)
{
	u64 limit = port_now_ns() + next_random(w) % 50 * US;
	int err = 0;

	switch (next_random(w) % 4) {
	case 0:
		err = rwsem_read_trylock(&sem) ? 0 : -EBUSY;
		break;
	case 1:
		err = rwsem_read_lock_until(&sem, limit);
		break;
	case 2:
		err = rwsem_read_lock_killable(&sem, &w->kill);
		break;
	default:
		rwsem_read_lock(&sem);
		break;
	}
	if (err) {
		w->given_up++;
		return;
	}
	check_reading();
	done_reading();
}

static void one_write(struct worker *w)
{
	u64 limit = port_now_ns() + next_random(w) % 50 * US;
	int err = 0;

	switch (next_random(w) % 4) {
	case 0:
		err = rwsem_write_trylock(&sem) ? 0 : -EBUSY;
		break;
	case 1:
		err = rwsem_write_lock_until(&sem, limit);
		break;
	case 2:
		err = rwsem_write_lock_killable(&sem, &w->kill);
		break;
	default:
		rwsem_write_lock(&sem);
		break;
	}
	if (err) {
		w->given_up++;
		return;
	}
	check_writing(w);
	if (next_random(w) % 4) {
		rwsem_write_unlock(&sem);
	} else {
		rwsem_downgrade(&sem);
		check_reading();
		done_reading();
	}
}

static void one_spin(struct worker *w)
{
	if (next_random(w) % 4)
		spin_lock(&spin);
	else if (!spin_trylock(&spin))
		return;
	counted++;
	w->spins++;
	if (next_random(w) % 256 == 0)
		port_yield();
	spin_unlock(&spin);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < operations; i++) {
		/* Fired at some time by the killer; made whole again now and then. */
		if (i % 16 == 0)
			atomic_store_relaxed(&w->kill.fired, 0);
		if (next_random(w) % 2)
			one_read(w);
		else
			one_write(w);
		one_spin(w);
	}
	raise_flag(&w->done);
	return NULL;
}

static void *kill_them(void *arg)
{
	(void)arg;
	for (u32 i = 0; !atomic_load_relaxed(&stop); i++) {
		kill_switch_fire(&workers[i % THREADS].kill);
		port_yield();
	}
	return NULL;
}

static void test_stress(void **state)
{
	unsigned long writes = 0, spins = 0, given_up = 0;
	pthread_t killer;

	(void)state;
	printf("seed %llu, %d operations\n", (unsigned long long)seed, operations);
	rwsem_init(&sem, LOCK_RANK_MMAP);
	spin_lock_init(&spin, LOCK_RANK_LRU);
	killer = start(kill_them, NULL);
	for (int i = 0; i < THREADS; i++) {
		workers[i].random = seed + (u64)i;
		workers[i].thread = start(work, &workers[i]);
	}
	for (int i = 0; i < THREADS; i++) {
		finish(workers[i].thread);
		writes += workers[i].writes;
		spins += workers[i].spins;
		given_up += workers[i].given_up;
	}
	atomic_store_relaxed(&stop, 1);
	finish(killer);
	printf("%lu writes, %lu given up\n", writes, given_up);
	assert_int_equal(a, writes);
	assert_int_equal(b, writes);
	assert_int_equal(counted, spins);
	assert_int_equal(sem.state & ~RWSEM_PHASE, 0);
	assert_int_equal(spin.word, SPIN_FREE);
	/* Each way of giving up has been taken. */
	assert_true(given_up > 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stress),
	};

	seed = argc > 1 ? strtoull(argv[1], NULL, 0) : port_random();
	if (argc > 2)
		operations = atoi(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
