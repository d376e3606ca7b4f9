/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the tests of locks share: threads, flags to wait for, and waiting until a lock looks so. */
#ifndef TESTS_SYNC_THREADS_H
#define TESTS_SYNC_THREADS_H

#include <limits.h>
#include <pthread.h>

#include "port/port.h"

static inline pthread_t start(void *(*fn)(void *arg), void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, fn, arg))
		port_panic("pthread_create");
	return thread;
}

static inline void finish(pthread_t thread)
{
	if (pthread_join(thread, NULL))
		port_panic("pthread_join");
}

/* A flag is 0 until somebody raises it. */
static inline void raise_flag(u32 *flag)
{
	atomic_store_release(flag, 1);
	port_wake(flag, INT_MAX);
}

static inline void wait_for_flag(u32 *flag)
{
	while (!atomic_load_acquire(flag))
		port_wait(flag, 0, PORT_NO_DEADLINE);
}

/* Polls: what is waited for is a state that the code under test does not announce. */
#define wait_until(cond)							\
	do {									\
		while (!(cond))							\
			port_yield();						\
	} while (0)

#endif
