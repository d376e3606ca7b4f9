/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Atomic locations: which stores a load may return.
 *
 * A location keeps its last stores in the order in which they took effect.  A store carries
 *
 *	who made it, and when by that thread's own count
 *	what the writer publishes with it: its clocks if it is a release, those of its last release
 *	fence if it is relaxed; a read-modify-write passes on what the store it replaces published
 *	who has *seen* it so far, and when: its writer, and every thread whose load returned it
 *
 * A load may return a store unless the thread knows of a newer one.  It knows of a store if
 * somebody had seen it at a moment that the thread's view includes.  That one rule gives all four
 * coherence rules, and happens-before between different locations: knowing is passed on by joining
 * views.
 *
 *	T1: x = 1; y.release = 1	T2: y.acquire reads 1, so T2's view includes T1 up to there:
 *					T2 knows of x = 1, and may not read the 0 before it
 *
 * The real memory always has the last store.  A plain store (an initialisation, a memset) shows
 * when memory and history differ: then the history is forgotten and begins with what is there.
 *
 * How many old stores a location keeps bounds how stale a load can be; how many stale loads an
 * execution has is bounded by its budget.
 */
#include <string.h>

#include "port/sim/sim.h"

#define HISTORY		4
#define LOCATIONS	4096		/* of one execution; a power of two */
#define NEVER		(~0u)

struct store {
	u64 value;
	bool publishes;
	struct vclock clock, view;	/* published */
	struct vclock seen;		/* when by whom first; NEVER */
};

struct location {
	u32 gen;			/* of another execution: an empty place */
	u32 nr, newest;
	const void *at;
	struct store store[HISTORY];
};

static struct location locations[LOCATIONS];

void memory_reset(void)
{
	/* sim.gen has moved: all places are empty. */
}

static u64 read_value(const void *p, u32 bytes)
{
	u64 value = 0;

	memcpy(&value, p, bytes);
	return value;
}

static void write_value(void *p, u32 bytes, u64 value)
{
	memcpy(p, &value, bytes);
}

u64 memory_latest(const void *p, u32 bytes)
{
	return read_value(p, bytes);
}

/* What was there before anybody looked: known to all. */
static void begin_history(struct location *loc, u64 value)
{
	struct store *s = &loc->store[0];

	loc->nr = 1;
	loc->newest = 0;
	s->value = value;
	s->publishes = false;
	memset(&s->seen, 0, sizeof(s->seen));
}

static struct location *location_of(const void *p, u32 bytes)
{
	u64 value = read_value(p, bytes);
	u32 i = (u32)(((uintptr_t)p >> 2) * 2654435761u) % LOCATIONS;
	struct location *loc;

	for (u32 tries = 0; tries < LOCATIONS; tries++, i = (i + 1) % LOCATIONS) {
		loc = &locations[i];
		if (loc->gen == sim.gen && loc->at != p)
			continue;
		if (loc->gen != sim.gen) {
			loc->gen = sim.gen;
			loc->at = p;
			begin_history(loc, value);
		} else if (loc->store[loc->newest].value != value) {
			begin_history(loc, value);
		}
		return loc;
	}
	sim_fail(FAIL_LIVELOCK, "more than %u atomic locations in one execution", LOCATIONS);
}

static struct store *store_ago(struct location *loc, u32 ago)
{
	return &loc->store[(loc->newest + HISTORY - ago) % HISTORY];
}

static bool knows(const struct sim_thread *t, const struct store *s)
{
	for (int i = 0; i < SIM_THREADS; i++)
		if (s->seen.at[i] != NEVER && s->seen.at[i] <= t->view.at[i])
			return true;
	return false;
}

/* How many stores, from the newest back, a load may return: at least one. */
static u32 nr_visible(struct location *loc, const struct sim_thread *t)
{
	u32 nr = 1;

	while (nr < loc->nr && !knows(t, store_ago(loc, nr - 1)))
		nr++;
	return nr;
}

static bool is_acquire(enum sim_order order)
{
	return order == ORDER_ACQUIRE || order >= ORDER_ACQ_REL;
}

static bool is_release(enum sim_order order)
{
	return order >= ORDER_RELEASE;
}

/* @t has read @s. */
static void take(struct sim_thread *t, struct store *s, enum sim_order order)
{
	if (s->seen.at[t->id] == NEVER)
		s->seen.at[t->id] = t->clock.at[t->id];
	if (!s->publishes)
		return;
	if (is_acquire(order)) {
		vclock_join(&t->clock, &s->clock);
		vclock_join(&t->view, &s->view);
	} else {
		vclock_join(&t->pending_clock, &s->clock);
		vclock_join(&t->pending_view, &s->view);
	}
}

/* @replaced: the store that a read-modify-write has read; NULL for a plain store. */
static void push(struct location *loc, struct sim_thread *t, u64 value, enum sim_order order,
		 const struct store *replaced)
{
	struct vclock clock, view;
	struct store *s;

	if (is_release(order)) {
		clock = t->clock;
		view = t->view;
	} else {
		clock = t->fence_clock;
		view = t->fence_view;
	}
	if (replaced && replaced->publishes) {
		vclock_join(&clock, &replaced->clock);
		vclock_join(&view, &replaced->view);
	}
	loc->newest = (loc->newest + 1) % HISTORY;
	loc->nr = min(loc->nr + 1, (u32)HISTORY);
	s = &loc->store[loc->newest];
	s->value = value;
	s->publishes = true;
	s->clock = clock;
	s->view = view;
	memset(&s->seen, 0xff, sizeof(s->seen));
	s->seen.at[t->id] = t->clock.at[t->id];
	clock_tick(t);
}

/* ------------------------------------------------------------------------------ fences -- */

void memory_full_fence(struct sim_thread *t)
{
	vclock_join(&t->view, &sim.sc_clock);
	vclock_join(&sim.sc_clock, &t->view);
}

static void acquire_fence(struct sim_thread *t)
{
	vclock_join(&t->clock, &t->pending_clock);
	vclock_join(&t->view, &t->pending_view);
}

static void release_fence(struct sim_thread *t)
{
	t->fence_clock = t->clock;
	t->fence_view = t->view;
	clock_tick(t);
}

void memory_fence(enum sim_order order, const void *pc)
{
	struct sim_thread *me = sim.current;

	if (order == ORDER_SEQ_CST) {
		/* Two of them commute in a memory without stale loads. */
		sim_point(&(struct sim_op){ .kind = OP_FENCE, .order = order, .pc = pc,
					    .writes = sim.limit.stale,
					    .object = sim.limit.stale ? &sim.sc_clock : NULL });
		trace_step(&me->op, 0);
	}
	if (is_acquire(order))
		acquire_fence(me);
	if (order == ORDER_SEQ_CST)
		memory_full_fence(me);
	if (is_release(order))
		release_fence(me);
}

/* ---------------------------------------------------------------------------- accesses -- */

/* A sequentially consistent access is one between two full fences: stronger than C11 asks. */
static void around_seq_cst(enum sim_order order)
{
	if (order == ORDER_SEQ_CST)
		memory_full_fence(sim.current);
}

static void announce(enum sim_op_kind kind, const void *p, u32 bytes, enum sim_order order,
		     const void *pc)
{
	sim_point(&(struct sim_op){ .kind = kind, .order = order, .writes = kind != OP_LOAD,
				    .bytes = bytes, .object = p, .pc = pc });
	race_atomic(p, bytes, kind != OP_LOAD, pc);
	around_seq_cst(order);
}

u64 memory_load(const void *p, u32 bytes, enum sim_order order, const void *pc)
{
	struct sim_thread *me = sim.current;
	struct location *loc;
	struct store *s;
	u32 nr, which = 0;

	if (!sim_racing())
		return read_value(p, bytes);
	announce(OP_LOAD, p, bytes, order, pc);
	loc = location_of(p, bytes);
	nr = sim.budget.stale ? nr_visible(loc, me) : 1;
	if (nr > 1)
		which = search_value(nr);
	if (which)
		sim.budget.stale--;
	s = store_ago(loc, which);
	take(me, s, order);
	around_seq_cst(order);
	trace_step(&me->op, s->value);
	if (which)
		trace_note("^ stale: %u newer", which);
	return s->value;
}

void memory_store(void *p, u32 bytes, u64 value, enum sim_order order, const void *pc)
{
	struct sim_thread *me = sim.current;
	struct location *loc;

	if (!sim_racing()) {
		write_value(p, bytes, value);
		return;
	}
	announce(OP_STORE, p, bytes, order, pc);
	loc = location_of(p, bytes);
	write_value(p, bytes, value);
	push(loc, me, read_value(p, bytes), order, NULL);
	around_seq_cst(order);
	trace_step(&me->op, value);
}

static u64 combine(enum sim_rmw how, u64 old, u64 operand)
{
	switch (how) {
	case RMW_XCHG:
		return operand;
	case RMW_ADD:
		return old + operand;
	case RMW_SUB:
		return old - operand;
	case RMW_AND:
		return old & operand;
	case RMW_OR:
		return old | operand;
	case RMW_XOR:
		return old ^ operand;
	case RMW_NAND:
		return ~(old & operand);
	}
	return old;
}

/* The last store is read and @value takes its place. */
static void replace(void *p, u32 bytes, u64 value, enum sim_order order)
{
	struct location *loc = location_of(p, bytes);
	struct store read = loc->store[loc->newest];

	take(sim.current, &loc->store[loc->newest], order);
	write_value(p, bytes, value);
	push(loc, sim.current, read_value(p, bytes), order, &read);
	around_seq_cst(order);
}

u64 memory_rmw(void *p, u32 bytes, enum sim_rmw how, u64 operand, enum sim_order order,
	       const void *pc)
{
	u64 old;

	if (!sim_racing()) {
		old = read_value(p, bytes);
		write_value(p, bytes, combine(how, old, operand));
		return old;
	}
	announce(OP_RMW, p, bytes, order, pc);
	old = read_value(p, bytes);
	replace(p, bytes, combine(how, old, operand), order);
	trace_step(&sim.current->op, read_value(p, bytes));
	return old;
}

u64 memory_cas(void *p, u32 bytes, u64 expected, u64 value, enum sim_order order, const void *pc)
{
	u64 old;

	if (!sim_racing()) {
		old = read_value(p, bytes);
		if (old == expected)
			write_value(p, bytes, value);
		return old;
	}
	announce(OP_RMW, p, bytes, order, pc);
	old = read_value(p, bytes);
	if (old == expected) {
		replace(p, bytes, value, order);
	} else {
		struct location *loc = location_of(p, bytes);

		/* A failure orders nothing, and reads the last store. */
		take(sim.current, &loc->store[loc->newest], ORDER_RELAXED);
	}
	trace_step(&sim.current->op, read_value(p, bytes));
	return old;
}
