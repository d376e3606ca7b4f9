/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * RCU and background work, as bad as their contract allows.
 *
 * A grace period remembers which sections were open when it began and is over once those have
 * ended. Whoever waits for one can go on at that moment, the earliest legal one, and need not
 * before anybody else has: the search decides.  Callbacks are run by one thread, in the order they
 * came, and between any two of them anything may happen.
 *
 * What is ordered, by vector clocks:
 *
 *	a  What a section that was open at the beginning, or had ended before it, did comes before
 *	the
 *	   end of the grace period.  A section that began later orders nothing, even if it ended
 *	   sooner: so a reader that might have reached what is freed is reported however fast it
 *	   was.
 *	b  A section that begins after the grace period did knows what its beginner knew.  That is
 *	   visibility only: no plain access is excused by it.
 *	c  call_rcu() before its callback, port_work() before its function, callbacks and works
 *	before
 *	   the end of the barrier that waits for them.
 */
#include <string.h>

#include "port/sim/sim.h"
#include "base/errno.h"

#define QUEUED_MAX	1024

struct callback {
	struct port_rcu_head *head;
	struct sim_grace grace;		/* its order: what has to be before the callback */
};

static struct {
	struct callback callback[QUEUED_MAX];
	u32 nr, done;			/* callbacks queued, callbacks run */
	u32 sections;			/* begun so far */
	struct vclock begun_view;	/* b: what beginners of grace periods knew */
	struct vclock done_clock, done_view;

	struct vclock order[QUEUED_MAX];	/* what is before the end of a callback */

	struct port_work *work[QUEUED_MAX];
	struct vclock work_clock[QUEUED_MAX], work_view[QUEUED_MAX];
	u32 nr_work, done_work;
	struct vclock work_done_clock, work_done_view;
	struct vclock push_order[QUEUED_MAX];	/* what is before the push of a work, */
	struct vclock work_order[QUEUED_MAX];	/* and before its end */
} rcu;

/*
 * The objects that commuting is decided by.  What waits for a grace period or for works has none:
 * it can go on once that is over, and who ends it says so (search_tell()).
 */
static const char rcu_object, work_object;

void rcu_reset(void)
{
	rcu.nr = rcu.done = rcu.nr_work = rcu.done_work = rcu.sections = 0;
	memset(&rcu.begun_view, 0, sizeof(rcu.begun_view));
	memset(&rcu.done_clock, 0, sizeof(rcu.done_clock));
	memset(&rcu.done_view, 0, sizeof(rcu.done_view));
	memset(&rcu.work_done_clock, 0, sizeof(rcu.work_done_clock));
	memset(&rcu.work_done_view, 0, sizeof(rcu.work_done_view));
}

static void point(enum sim_op_kind kind, bool writes, const void *object, const void *pc)
{
	sim_point(&(struct sim_op){ .kind = kind, .writes = writes, .object = object, .pc = pc });
	trace_step(&sim.current->op, 0);
}

/* The calling thread waits until it can go on; *after is then what let it. */
static void wait_point(enum sim_op_kind kind, const struct vclock *after, const void *pc)
{
	sim_point(&(struct sim_op){ .kind = kind, .writes = true, .after = after, .pc = pc });
	trace_step(&sim.current->op, 0);
}

/* What is before the end of the first @nr callbacks, or works: they end one after the other. */
static const struct vclock *end_of(const struct vclock order[QUEUED_MAX], u32 nr)
{
	return nr ? &order[(nr - 1) % QUEUED_MAX] : NULL;
}

static void tell_end(struct vclock order[QUEUED_MAX], u32 nr)
{
	order[(nr - 1) % QUEUED_MAX] = (struct vclock){ 0 };
	search_tell(&order[(nr - 1) % QUEUED_MAX]);
}

const struct vclock *rcu_next_order(void)
{
	return &rcu.callback[rcu.done % QUEUED_MAX].grace.order;
}

const struct vclock *work_next_order(void)
{
	return &rcu.push_order[rcu.done_work % QUEUED_MAX];
}

/* ------------------------------------------------------------------------- read side -- */

void port_rcu_read_lock(void)
{
	struct sim_thread *me = sim.current;

	if (me->rcu_depth++)
		return;
	if (sim_racing())
		point(OP_RCU_LOCK, false, &rcu_object, __builtin_return_address(0));
	me->rcu_section = ++rcu.sections;
	vclock_join(&me->view, &rcu.begun_view);		/* b */
}

/* a: @me leaves a section that @grace may be waiting for. */
static void grace_hears(struct sim_grace *grace, const struct sim_thread *me)
{
	if (grace->section[me->id] != me->rcu_section)
		return;
	vclock_join(&grace->clock, &me->clock);
	vclock_join(&grace->view, &me->view);
	search_tell(&grace->order);
}

static void tell_graces(const struct sim_thread *me)
{
	for (u32 i = rcu.done; i != rcu.nr; i++)
		grace_hears(&rcu.callback[i % QUEUED_MAX].grace, me);
	for (u32 i = 0; i < SIM_THREADS; i++)
		if (sim.thread[i].op.kind == OP_GRACE)
			grace_hears(&sim.thread[i].grace, me);
}

void port_rcu_read_unlock(void)
{
	struct sim_thread *me = sim.current;

	if (!me->rcu_depth)
		sim_fail(FAIL_BUG, "rcu_read_unlock() outside of a read section");
	if (--me->rcu_depth)
		return;
	me->rcu_depth = 1;
	if (sim_racing())
		point(OP_RCU_UNLOCK, false, &rcu_object, __builtin_return_address(0));
	me->rcu_depth = 0;
	me->rcu_left_clock = me->clock;
	me->rcu_left_view = me->view;
	tell_graces(me);
	clock_tick(me);
	me->rcu_section = 0;
}

bool port_rcu_read_ongoing(void)
{
	return sim.current && sim.current->rcu_depth;
}

/* ----------------------------------------------------------------------- grace periods -- */

static void grace_begin(struct sim_grace *grace)
{
	struct sim_thread *me = sim.current;

	memory_full_fence(me);
	for (u32 i = 0; i < SIM_THREADS; i++)
		grace->section[i] = sim.thread[i].rcu_section;
	grace->clock = me->clock;
	grace->view = me->view;
	grace->order = (struct vclock){ 0 };
	search_tell(&grace->order);
	/* a: sections that have ended already. */
	for (u32 i = 0; i < SIM_THREADS; i++) {
		vclock_join(&grace->clock, &sim.thread[i].rcu_left_clock);
		vclock_join(&grace->view, &sim.thread[i].rcu_left_view);
	}
	vclock_join(&rcu.begun_view, &me->view);		/* b */
	clock_tick(me);
}

bool rcu_grace_over(const struct sim_grace *grace)
{
	for (u32 i = 0; i < SIM_THREADS; i++)
		if (grace->section[i] && sim.thread[i].rcu_section == grace->section[i])
			return false;
	return true;
}

static void grace_end(const struct sim_grace *grace)
{
	struct sim_thread *me = sim.current;

	vclock_join(&me->clock, &grace->clock);
	vclock_join(&me->view, &grace->view);
	memory_full_fence(me);
}

void port_synchronize_rcu(void)
{
	struct sim_thread *me = sim.current;
	const void *pc = __builtin_return_address(0);

	if (me->rcu_depth)
		sim_fail(FAIL_BUG, "port_synchronize_rcu() in an RCU read section");
	point(OP_RCU_SYNC, true, &rcu_object, pc);
	grace_begin(&me->grace);
	wait_point(OP_GRACE, &me->grace.order, pc);
	grace_end(&me->grace);
}

void port_call_rcu(struct port_rcu_head *head, void (*fn)(struct port_rcu_head *head))
{
	struct callback *cb;

	if (sim_racing())
		point(OP_RCU_CALL, true, &rcu_object, __builtin_return_address(0));
	if (rcu.nr - rcu.done == QUEUED_MAX)
		sim_fail(FAIL_MEMORY, "more than %u callbacks wait", QUEUED_MAX);
	head->fn = fn;
	cb = &rcu.callback[rcu.nr++ % QUEUED_MAX];
	cb->head = head;
	grace_begin(&cb->grace);
}

bool rcu_callbacks_queued(void)
{
	return rcu.done != rcu.nr;
}

bool rcu_callback_ready(void)
{
	return rcu.done != rcu.nr && rcu_grace_over(&rcu.callback[rcu.done % QUEUED_MAX].grace);
}

void rcu_main(void)
{
	struct sim_thread *me = sim.current;

	for (;;) {
		struct callback cb = rcu.callback[rcu.done % QUEUED_MAX];

		trace_step(&me->op, 0);
		grace_end(&cb.grace);
		cb.head->fn(cb.head);
		rcu.done++;
		vclock_join(&rcu.done_clock, &me->clock);
		vclock_join(&rcu.done_view, &me->view);
		tell_end(rcu.order, rcu.done);
		sim_point(&(struct sim_op){ .kind = OP_CALLBACK, .after = rcu_next_order() });
	}
}

bool rcu_barrier_over(const struct sim_thread *t)
{
	return (s32)(rcu.done - t->barrier_target) >= 0;
}

void port_rcu_barrier(void)
{
	struct sim_thread *me = sim.current;

	if (me->rcu_depth)
		sim_fail(FAIL_BUG, "port_rcu_barrier() in an RCU read section");
	point(OP_RCU_SYNC, true, &rcu_object, __builtin_return_address(0));
	me->barrier_target = rcu.nr;
	wait_point(OP_RCU_BARRIER, end_of(rcu.order, me->barrier_target),
		   __builtin_return_address(0));
	vclock_join(&me->clock, &rcu.done_clock);		/* c */
	vclock_join(&me->view, &rcu.done_view);
	memory_full_fence(me);
}

/* --------------------------------------------------------------------- background work -- */

int port_work(struct port_work *w, void (*fn)(struct port_work *w))
{
	struct sim_thread *me = sim.current;
	u32 i;

	if (sim_racing())
		point(OP_WORK_PUSH, true, &work_object, __builtin_return_address(0));
	if (w->queued)
		return -EBUSY;
	w->queued = 1;
	w->fn = fn;
	i = rcu.nr_work++ % QUEUED_MAX;
	rcu.work[i] = w;
	rcu.work_clock[i] = me->clock;
	rcu.work_view[i] = me->view;
	clock_tick(me);
	rcu.push_order[i] = (struct vclock){ 0 };
	search_tell(&rcu.push_order[i]);
	return 0;
}

bool work_ready(void)
{
	return rcu.done_work != rcu.nr_work;
}

void work_main(void)
{
	struct sim_thread *me = sim.current;

	for (;;) {
		u32 i = rcu.done_work % QUEUED_MAX;
		struct port_work *w = rcu.work[i];

		trace_step(&me->op, 0);
		vclock_join(&me->clock, &rcu.work_clock[i]);	/* c */
		vclock_join(&me->view, &rcu.work_view[i]);
		w->queued = 0;
		w->fn(w);
		rcu.done_work++;
		vclock_join(&rcu.work_done_clock, &me->clock);
		vclock_join(&rcu.work_done_view, &me->view);
		tell_end(rcu.work_order, rcu.done_work);
		sim_point(&(struct sim_op){ .kind = OP_WORK, .writes = true,
					    .object = &work_object, .after = work_next_order() });
	}
}

bool work_flush_over(const struct sim_thread *t)
{
	return (s32)(rcu.done_work - t->barrier_target) >= 0;
}

void port_work_flush(void)
{
	struct sim_thread *me = sim.current;

	point(OP_WORK_PUSH, true, &work_object, __builtin_return_address(0));
	me->barrier_target = rcu.nr_work;
	wait_point(OP_WORK_FLUSH, end_of(rcu.work_order, me->barrier_target),
		   __builtin_return_address(0));
	vclock_join(&me->clock, &rcu.work_done_clock);		/* c */
	vclock_join(&me->view, &rcu.work_done_view);
	memory_full_fence(me);
}
