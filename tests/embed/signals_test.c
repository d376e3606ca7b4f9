/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Signals that interrupt threads anywhere inside memory calls, and handlers that ask what is
 * mapped: as an emulator does when its guest faults.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>

#include "crowd.h"

#define NR_SIGNALS	3000
#define NR_NESTED	4

static struct crowd crowd;
static struct space quiet;
static atomic_int handled, nested, wrong;
static sem_t ended;		/* one handler, from the outside */

/* An address space that nobody changes answers in the same way each time. */
static bool quiet_is_wrong(void)
{
	struct area_info info;
	bool ok = mm_range_ok(quiet.mm, at(0), 3 * SPACE_PAGE, PROT_READ) &&
		  !mm_range_ok(quiet.mm, at(0), 3 * SPACE_PAGE, RW) &&
		  mm_query(quiet.mm, at(3), &info) != 0 && !mm_query_next(quiet.mm, at(1), &info);

	return !ok || info.start != at(1) || info.end != at(3) || info.flags & VM_WRITE;
}

static void inner_handler(int signal)
{
	wrong += crowd_ground_wrong(&crowd);
	wrong += quiet_is_wrong();
	handled++;
}

static void handler(int signal)
{
	inner_handler(signal);
	sem_post(&ended);
}

static void wait_for_handler(void)
{
	while (sem_wait(&ended))
		assert_int_equal(errno, EINTR);
}

/* In a call, in a question, in a handler: wherever it is when the signal comes. */
static void interrupts_calls(void **state)
{
	struct sigaction action = { .sa_handler = handler };

	assert_int_equal(sem_init(&ended, 0, 0), 0);
	sigemptyset(&action.sa_mask);
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	space_open(&quiet);
	assert_int_equal(space_map(&quiet, 0, 1, RW, ANON), 0);
	assert_int_equal(space_map(&quiet, 1, 2, PROT_READ, ANON), 0);
	crowd_start(&crowd, 2);
	for (int i = 0; i < NR_SIGNALS; i++) {
		assert_int_equal(pthread_kill(crowd.threads[i % 2], SIGUSR1), 0);
		wait_for_handler();
	}
	crowd_end(&crowd);
	assert_int_equal(handled, NR_SIGNALS);
	assert_int_equal(wrong, 0);
	space_close(&quiet);
}

/* Handlers that interrupt handlers: the questions are asked in the middle of themselves. */
static void outer_handler(int signal)
{
	for (int i = 0; i < NR_NESTED; i++) {
		raise(SIGUSR1);
		wrong += crowd_ground_wrong(&crowd);
	}
	nested++;
	sem_post(&ended);
}

static void interrupts_handlers(void **state)
{
	struct sigaction action = { .sa_handler = inner_handler }, outer = { .sa_handler = outer_handler };
	int rounds = NR_SIGNALS / 10;

	handled = 0;
	nested = 0;
	wrong = 0;
	sigemptyset(&action.sa_mask);
	sigemptyset(&outer.sa_mask);
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	assert_int_equal(sigaction(SIGUSR2, &outer, NULL), 0);
	space_open(&quiet);
	assert_int_equal(space_map(&quiet, 0, 1, RW, ANON), 0);
	assert_int_equal(space_map(&quiet, 1, 2, PROT_READ, ANON), 0);
	crowd_start(&crowd, 2);
	for (int i = 0; i < rounds; i++) {
		assert_int_equal(pthread_kill(crowd.threads[0], SIGUSR2), 0);
		wait_for_handler();
	}
	crowd_end(&crowd);
	assert_int_equal(nested, rounds);
	/* The thread sanitizer puts signals off, and joins them. */
	assert_true(handled >= rounds);
	assert_int_equal(wrong, 0);
	space_close(&quiet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interrupts_calls),
		cmocka_unit_test(interrupts_handlers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
