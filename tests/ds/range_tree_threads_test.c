/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Readers of a range tree beside its writer: in other threads, in a signal handler on top of
 * it, and in a process forked from it.
 *
 * The writer turns one world after the other into being.  In each, all tags are the world's
 * number, so a reader who sees two numbers has seen a write section half done.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "model.h"

#define READERS		3
#define PAGE		0x1000ul

struct world {
	struct range_tree t;
	struct rng rng;
	unsigned long span;		/* places: entry i is at page 2 * i if it exists */
	unsigned long number;		/* of the working version; the tag of all its entries */
	u32 stop;			/* atomic: the writer has done its part */
	u64 looked[READERS];		/* atomic: versions looked at, by each reader */
};

static bool rt_find_place(const struct world *w, unsigned long i, struct rt_entry *e)
{
	return rt_find(&w->t, 2 * i * PAGE, e);
}

static void toggle(struct world *w, unsigned long i)
{
	struct rt_entry e;

	if (rt_find_place(w, i, &e))
		rt_erase(&w->t, e.start);
	else
		rt_insert(&w->t, 2 * i * PAGE, (2 * i + 1) * PAGE, NULL, w->number);
}

/* Some come, some go, some change size, and all that are left get the new number. */
static void change_world(struct world *w)
{
	struct rt_entry e;
	unsigned long at = 0;

	w->number++;
	for (int n = 0; n < 10; n++)
		toggle(w, rng_below(&w->rng, w->span));
	if (rng_below(&w->rng, 8) == 0) {
		unsigned long from = rng_below(&w->rng, w->span);

		rt_erase_range(&w->t, 2 * from * PAGE, 2 * (from + 20) * PAGE);
	}
	while (rt_find_first(&w->t, at, &e)) {
		rt_update(&w->t, e.start, e.start, e.start + 1 + rng_below(&w->rng, PAGE), NULL,
			  w->number);
		at = e.start + PAGE;
	}
}

static void reserve_world(struct world *w)
{
	if (rt_reserve(&w->t, rt_count(&w->t) + 30, 10))
		abort();
}

static void build_world(struct world *w, unsigned long span)
{
	w->span = span;
	rt_init(&w->t);
	for (unsigned long i = 0; i < span; i += 2) {
		if (rt_reserve(&w->t, 0, 1))
			abort();
		toggle(w, i);
	}
	rt_publish(&w->t);
}

/* All of one snapshot: returns the number of its world.  Aborts if there are two. */
static unsigned long look(struct rt_snapshot s, unsigned long none)
{
	unsigned long number = none, end = 0, nr = 0, back = 0;
	struct rt_entry e, same;
	struct rt_iter it;

	rt_iter_init(&it, s, 0);
	while (rt_iter_next(&it, &e)) {
		VM_BUG_ON(nr && e.tag != number, "tag %lu in world %lu", e.tag, number);
		VM_BUG_ON(e.start < end || e.start >= e.end, "order");
		VM_BUG_ON(!rt_snap_find(s, e.start, &same) || same.tag != e.tag, "find");
		number = e.tag;
		end = e.end;
		nr++;
	}
	while (rt_iter_prev(&it, &e))
		back++;
	VM_BUG_ON(back != nr, "%lu forward, %lu back", nr, back);
	return number;
}

struct reader {
	pthread_t thread;
	struct world *w;
	int nr;
};

static void *read_worlds(void *arg)
{
	struct reader *r = arg;
	struct world *w = r->w;
	unsigned long last = 0, i = 0;

	while (!atomic_load_acquire(&w->stop)) {
		struct rt_entry e;
		unsigned long number;

		port_rcu_read_lock();
		number = look(rt_snapshot_rcu(&w->t), last);
		VM_BUG_ON(number < last, "back from world %lu to %lu", last, number);
		last = number;
		/* Each of these has a root of its own: never an older one. */
		for (int n = 0; n < 20; n++) {
			i = (i + 7) % w->span;
			if (!rt_lookup_rcu(&w->t, 2 * i * PAGE, &e))
				continue;
			VM_BUG_ON(e.tag < last || e.start != 2 * i * PAGE, "world %lu", e.tag);
			last = e.tag;
		}
		port_rcu_read_unlock();
		atomic_store_relaxed(&w->looked[r->nr], w->looked[r->nr] + 1);
	}
	return NULL;
}

static bool all_have_looked(struct world *w, u64 times)
{
	for (int i = 0; i < READERS; i++)
		if (atomic_load_relaxed(&w->looked[i]) < times)
			return false;
	return true;
}

static void run_worlds(const char *name, unsigned long span, unsigned long versions, u64 looks)
{
	struct world w = { .rng = rng_start(name) };
	struct reader readers[READERS];
	char why[200];

	build_world(&w, span);
	for (int i = 0; i < READERS; i++) {
		readers[i] = (struct reader){ .w = &w, .nr = i };
		assert_int_equal(pthread_create(&readers[i].thread, NULL, read_worlds,
						&readers[i]), 0);
	}
	/* Both sides have had their share. */
	while (w.number < versions || !all_have_looked(&w, looks)) {
		reserve_world(&w);
		change_world(&w);
		if (rng_below(&w.rng, 8)) {
			rt_publish(&w.t);
		} else {
			rt_abort(&w.t);
			w.number--;
		}
		if (w.number % 64 == 0)
			assert_int_equal(rt_check(&w.t, why, sizeof(why)), 0);
		if (w.number > versions)
			port_yield();
	}
	atomic_store_release(&w.stop, 1);
	for (int i = 0; i < READERS; i++)
		assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
	assert_int_equal(rt_check(&w.t, why, sizeof(why)), 0);
	rt_destroy(&w.t);
}

static void test_worlds_small(void **state)
{
	run_worlds(__func__, 20, 20000, 1000);
}

static void test_worlds_large(void **state)
{
	run_worlds(__func__, 1000, 400, 100);
}

/* ------------------------------------------------------------- in a handler on top of it -- */

static struct world *handler_world;
static unsigned long handler_last;	/* the handler's; read when it can run no more */
static u32 handler_ran;			/* atomic */

static void handler(int sig)
{
	unsigned long number;

	port_rcu_read_lock();
	number = look(rt_snapshot_rcu(&handler_world->t), handler_last);
	port_rcu_read_unlock();
	VM_BUG_ON(number < handler_last, "back from world %lu to %lu", handler_last, number);
	handler_last = number;
	atomic_add_relaxed(&handler_ran, 1);
}

static void *send_signals(void *arg)
{
	const pthread_t *writer = arg;

	/* The next one when the last has been taken: signals that wait would be one. */
	for (u32 n = 0; n < 3000; n++) {
		if (pthread_kill(*writer, SIGUSR1))
			abort();
		while (atomic_load_relaxed(&handler_ran) <= n)
			port_yield();
	}
	atomic_store_release(&handler_world->stop, 1);
	return NULL;
}

static void test_signal_handler(void **state)
{
	struct world w = { .rng = rng_start(__func__) };
	struct sigaction act = { .sa_handler = handler }, old;
	pthread_t self = pthread_self(), sender;

	build_world(&w, 200);
	handler_world = &w;
	assert_int_equal(sigaction(SIGUSR1, &act, &old), 0);
	assert_int_equal(pthread_create(&sender, NULL, send_signals, &self), 0);
	while (!atomic_load_acquire(&w.stop)) {
		reserve_world(&w);
		change_world(&w);
		rt_publish(&w.t);
	}
	assert_int_equal(pthread_join(sender, NULL), 0);
	assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
	assert_int_equal(atomic_load_relaxed(&handler_ran), 3000);
	assert_true(handler_last > 0);
	rt_destroy(&w.t);
}

/* --------------------------------------------------------------------- in a forked child -- */

/* The child is forked in the midst of a write section, and its writer does not exist. */
static void test_fork_in_write_section(void **state)
{
	struct world w = { .rng = rng_start(__func__) };
	unsigned long number;
	int status;
	pid_t pid;

	build_world(&w, 300);
	reserve_world(&w);
	change_world(&w);
	rt_publish(&w.t);
	reserve_world(&w);
	change_world(&w);
	number = w.number;
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		port_rcu_read_lock();
		number = look(rt_snapshot_rcu(&w.t), 0);
		port_rcu_read_unlock();
		_exit(number == 1 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	rt_publish(&w.t);
	port_rcu_read_lock();
	assert_int_equal(look(rt_snapshot_rcu(&w.t), 0), number);
	port_rcu_read_unlock();
	rt_destroy(&w.t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_worlds_small),
		cmocka_unit_test(test_worlds_large),
		cmocka_unit_test(test_signal_handler),
		cmocka_unit_test(test_fork_in_write_section),
	};

	return cmocka_run_group_tests_name("range_tree_threads", tests, NULL, NULL);
}
