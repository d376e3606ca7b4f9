/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The host forks while tables wait for their grace period and other threads are in the allocator.
 *
 * In the child the queue of RCU is run as well, and gives frames back: that must neither hang, at a
 * lock that a thread has which is not there any more, nor be seen by the parent.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "../sync/threads.h"
#include "space.h"

#define FORKS	40

/* The sanitizer would end a child that starts a thread, as the child of a fork does here. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "die_after_fork=0";
}

static struct space s;
static u32 done;

static void *busy(void *arg)
{
	struct page *pages[100];

	(void)arg;
	while (!atomic_load_relaxed(&done)) {
		for (int i = 0; i < 100; i++)
			pages[i] = page_alloc(s.arena, 0, PAGE_ANYTHING);
		for (int i = 0; i < 100; i++)
			if (pages[i])
				page_put(pages[i]);
	}
	return NULL;
}

static void test_fork(void **state)
{
	pthread_t other;

	(void)state;
	space_make(&s, &machines[0], 16, NULL);
	other = start(busy, NULL);
	for (int i = 0; i < FORKS; i++) {
		struct page *kept = map_new(&s.pt, pt_limit(&s.pt) - PAGE_SIZE, USER_RW);
		int status;
		pid_t child;

		for (unsigned long gib = 0; gib < 20; gib++)
			map_new(&s.pt, gib << 30, USER_RW);
		empty(&s.pt);			/* 41 tables and more go to RCU */
		child = fork();
		assert_true(child >= 0);
		if (!child) {
			port_rcu_barrier();
			_exit(page_refs(kept) == 0 ? 0 : 1);
		}
		/* The parent's books, while the child changes its own. */
		map_new(&s.pt, 0, USER_RW);
		port_rcu_barrier();
		empty(&s.pt);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
	raise_flag(&done);
	finish(other);
	space_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_fork) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
