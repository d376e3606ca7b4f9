/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What belongs to a thread: its number, the lock checker's bytes, fork guards; and the mutexes and
 * condition variables of POSIX, so that a driver's own locks are part of the execution.
 *
 * The functions named pthread_mutex_* and pthread_cond_* stand before the C library's in the
 * program.  Outside of an execution there is one thread, which needs no lock.
 *
 * What an unlock orders: nothing but the step that takes the mutex next.  Who waits for it while it
 * is given back may still be overtaken, and the search has to try that too; so a waiter learns of
 * the unlock when it gets the mutex and not before (search.c, note_dependence()).
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

bool mutex_is_free(const void *mutex)
{
	return !*(const u32 *)mutex;
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

static void mutex_lock(pthread_mutex_t *mutex, const void *pc)
{
	struct sim_thread *me = sim.current;

	if (*mutex_word(mutex) == me->id + 1)
		sim_fail(FAIL_DEADLOCK, "T%u %s takes a mutex that it holds", me->id, me->name);
	me->mutex = mutex_word(mutex);
	sim_point(&(struct sim_op){ .kind = OP_MUTEX_LOCK, .writes = true, .object = mutex,
				    .pc = pc });
	mutex_take(mutex);
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
	if (sim_running())
		mutex_lock(mutex, __builtin_return_address(0));
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

static void mutex_unlock(pthread_mutex_t *mutex, const void *pc)
{
	struct sim_thread *me = sim.current;
	u32 i;

	sim_point(&(struct sim_op){ .kind = OP_MUTEX_UNLOCK, .writes = true, .object = mutex,
				    .pc = pc });
	if (*mutex_word(mutex) != me->id + 1)
		sim_fail(FAIL_BUG, "T%u %s gives back a mutex that it does not hold", me->id,
			 me->name);
	i = mutex_slot(mutex);
	released[i].clock = me->clock;
	released[i].view = me->view;
	clock_tick(me);
	*mutex_word(mutex) = 0;
	trace_step(&me->op, 0);
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	if (sim_running())
		mutex_unlock(mutex, __builtin_return_address(0));
	return 0;
}

/* ----------------------------------------------------------------- condition variables -- */

/*
 * First a waiter is one, then it gives the mutex back: who signals in between wakes it, as who
 * signals with the mutex held does.  A signal orders nothing for the threads; the mutex does that.
 */
int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	struct sim_thread *me = sim.current;
	const void *pc = __builtin_return_address(0);

	if (!sim_running())
		return 0;
	sim_point(&(struct sim_op){ .kind = OP_COND_WAIT, .writes = true, .object = cond,
				    .pc = pc });
	trace_step(&me->op, 0);
	me->cond = cond;
	me->word = NULL;
	me->deadline_ns = PORT_NO_DEADLINE;
	me->woken = me->timed_out = false;
	me->woken_order = (struct vclock){ 0 };
	mutex_unlock(mutex, pc);
	sim_sleep(cond, pc);
	me->cond = NULL;
	mutex_lock(mutex, pc);
	return 0;
}

/* The C library's would wait for real, on a mutex that is not its own. */
int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
			   const struct timespec *until)
{
	struct sim_thread *me = sim.current;

	(void)cond, (void)mutex, (void)until;
	if (!sim_running())
		return ETIMEDOUT;
	sim_fail(FAIL_BUG, "T%u %s waits at a condition variable with a deadline: not in this port",
		 me->id, me->name);
}

static void cond_wake(struct sim_thread *t)
{
	t->woken = true;
	search_tell(&t->woken_order);
}

/* Those who wait there and have not been woken, as bits. */
static u32 cond_begin(pthread_cond_t *cond, const void *pc)
{
	u32 waiters = 0;

	sim_point(&(struct sim_op){ .kind = OP_COND_WAKE, .writes = true, .object = cond,
				    .pc = pc });
	for (u32 i = 0; i < SIM_THREADS; i++)
		if (sim.thread[i].cond == cond && !sim.thread[i].woken)
			waiters |= 1u << i;
	trace_step(&sim.current->op, (u32)__builtin_popcount(waiters));
	return waiters;
}

/* Which of several is left open, so it is a choice. */
int pthread_cond_signal(pthread_cond_t *cond)
{
	u32 waiters, nr;

	if (!sim_running())
		return 0;
	waiters = cond_begin(cond, __builtin_return_address(0));
	if (!waiters)
		return 0;
	nr = (u32)__builtin_popcount(waiters);
	for (u32 skip = nr > 1 ? search_value(nr) : 0; skip; skip--)
		waiters &= waiters - 1;
	cond_wake(&sim.thread[__builtin_ctz(waiters)]);
	return 0;
}

int pthread_cond_broadcast(pthread_cond_t *cond)
{
	if (!sim_running())
		return 0;
	for (u32 waiters = cond_begin(cond, __builtin_return_address(0)); waiters;
	     waiters &= waiters - 1)
		cond_wake(&sim.thread[__builtin_ctz(waiters)]);
	return 0;
}
