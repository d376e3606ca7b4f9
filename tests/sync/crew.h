/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What tests of threads at random share: some threads work, each with random numbers of its own, and
 * the others are there for them until the last worker is done.
 *
 * The seed is printed, and taken from VMAREA_SEED.
 */
#ifndef TESTS_SYNC_CREW_H
#define TESTS_SYNC_CREW_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "threads.h"

#define CREW_MAX	8u

struct worker {
	unsigned long random;
	unsigned int nr;
};

static u32 failures;			/* atomic */
static u32 writers_left;		/* atomic */

/* cmocka's assertions are for one thread. */
#define check(cond)								\
	do {									\
		if (!(cond)) {							\
			port_log("%s:%d: " #cond, __FILE__, __LINE__);		\
			atomic_add_relaxed(&failures, 1);			\
		}								\
	} while (0)

static inline unsigned long pick(struct worker *w, unsigned long below)
{
	w->random = w->random * 6364136223846793005ul + 1442695040888963407ul;
	return (w->random >> 33) % below;
}

static inline bool writers_are_done(void)
{
	return !atomic_load_relaxed(&writers_left);
}

/* The last thing that one of them does. */
static inline void writer_is_done(void)
{
	atomic_sub_relaxed(&writers_left, 1);
}

/*
 * Runs work[0 .. @nr - 1], each on a thread with a struct worker, to their ends; the first @writers are
 * those that the others wait for.  Nothing may have failed.
 */
static inline void crew_run(void *(*const work[])(void *arg), unsigned int nr, unsigned int writers)
{
	const char *text = getenv("VMAREA_SEED");
	unsigned long seed = text ? strtoul(text, NULL, 0) : (unsigned long)time(NULL);
	struct worker workers[CREW_MAX];
	pthread_t threads[CREW_MAX];

	assert_true(nr <= CREW_MAX);
	print_message("VMAREA_SEED=%lu\n", seed);
	writers_left = writers;
	for (unsigned int i = 0; i < nr; i++) {
		workers[i] = (struct worker){ .random = seed + i * 7919ul, .nr = i };
		threads[i] = start(work[i], &workers[i]);
	}
	for (unsigned int i = 0; i < nr; i++)
		finish(threads[i]);
	assert_int_equal(failures, 0);
}

#endif
