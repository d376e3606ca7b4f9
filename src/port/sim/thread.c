/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What belongs to a thread: its number, the lock checker's bytes, fork guards; and the mutexes of
 * POSIX, so that a driver's own locks are part of the execution.
 *
 * The functions named pthread_mutex_* stand before the C library's in the program.  Outside of an
 * execution there is one thread, which needs no lock.
 */
#include <errno.h>
#include <pthread.h>

#include "port/sim/sim.h"

u32 port_thread_id(void)
{
	return sim.current ? sim.current->id + 1 : SIM_THREADS + 1;
}

void *port_thread_state(void)
{
	static _Alignas(16) unsigned char outside[PORT_THREAD_STATE_BYTES];

	return sim.current ? sim.current->lock_state : outside;
}

void port_thread_on_exit(void (*fn)(void *state))
{
	if (sim.current)
		sim.current->on_exit = fn;
}

void port_fork_guard_add(struct port_fork_guard *guard)
{
	(void)guard;
}

void port_fork_guard_del(struct port_fork_guard *guard)
{
	(void)guard;
}

/* ----------------------------------------------------------------------------- mutexes -- */

/* The first word of a mutex is 0 while it is free, in glibc and here: else its owner + 1. */
static u32 *mutex_word(pthread_mutex_t *mutex)
{
	return (u32 *)mutex;
}

/* What the owner before published; by the mutex's place in a small table. */
#define MUTEXES		64

static struct {
	const void *mutex;
	u32 gen;
	struct vclock clock, view;
} released[MUTEXES];

static u32 mutex_slot(const void *mutex)
{
	u32 i = (u32)((uintptr_t)mutex >> 4) % MUTEXES;

	for (u32 tries = 0; tries < MUTEXES; tries++, i = (i + 1) % MUTEXES) {
		if (released[i].gen == sim.gen && released[i].mutex != mutex)
			continue;
		if (released[i].gen != sim.gen) {
			released[i].gen = sim.gen;
			released[i].mutex = mutex;
			released[i].clock = (struct vclock){ 0 };
			released[i].view = (struct vclock){ 0 };
		}
		return i;
	}
	sim_fail(FAIL_MEMORY, "more than %u mutexes in one execution", MUTEXES);
}

static void mutex_take(pthread_mutex_t *mutex)
{
	struct sim_thread *me = sim.current;
	u32 i = mutex_slot(mutex);

	*mutex_word(mutex) = me->id + 1;
	vclock_join(&me->clock, &released[i].clock);
	vclock_join(&me->view, &released[i].view);
	trace_step(&me->op, 1);
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
	struct sim_thread *me = sim.current;

	if (!sim_running())
		return 0;
	if (*mutex_word(mutex) == me->id + 1)
		sim_fail(FAIL_DEADLOCK, "T%u %s takes a mutex that it holds", me->id, me->name);
	me->mutex = mutex_word(mutex);
	sim_point(&(struct sim_op){ .kind = OP_MUTEX_LOCK, .writes = true, .object = mutex,
				    .pc = __builtin_return_address(0) });
	mutex_take(mutex);
	return 0;
}

int pthread_mutex_trylock(pthread_mutex_t *mutex)
{
	if (!sim_running())
		return 0;
	sim_point(&(struct sim_op){ .kind = OP_MUTEX_TRYLOCK, .writes = true, .object = mutex,
				    .pc = __builtin_return_address(0) });
	if (*mutex_word(mutex)) {
		trace_step(&sim.current->op, 0);
		return EBUSY;
	}
	mutex_take(mutex);
	return 0;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	struct sim_thread *me = sim.current;
	u32 i;

	if (!sim_running())
		return 0;
	sim_point(&(struct sim_op){ .kind = OP_MUTEX_UNLOCK, .writes = true, .object = mutex,
				    .pc = __builtin_return_address(0) });
	if (*mutex_word(mutex) != me->id + 1)
		sim_fail(FAIL_BUG, "T%u %s gives back a mutex that it does not hold", me->id,
			 me->name);
	i = mutex_slot(mutex);
	released[i].clock = me->clock;
	released[i].view = me->view;
	clock_tick(me);
	*mutex_word(mutex) = 0;
	for (u32 k = 0; k < SIM_THREADS; k++)
		if (sim.thread[k].op.kind == OP_MUTEX_LOCK &&
		    sim.thread[k].mutex == mutex_word(mutex))
			search_edge(me, &sim.thread[k]);
	trace_step(&me->op, 0);
	return 0;
}
