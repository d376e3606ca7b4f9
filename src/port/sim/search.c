/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Searches: which thread is next, and which of several values a load returns.
 *
 * TERMS
 *
 *   choice	a question that the execution asks: the next thread, or a value out of n.
 *   quiet	the answer 0: the running thread goes on, a load sees the last store.
 *   node	a choice of the depth-first search: what could be answered, and what has been.
 *
 * RANDOM answers each question by the seed.  PCT (Burckhardt and others, 2010) gives each thread a
 * priority and lets the highest go on; at depth - 1 steps, chosen in advance, the running one
 * becomes the lowest.  It finds a defect that needs d ordering constraints among n threads and k
 * steps with probability 1 / (n k^(d-1)) at least, each time.
 *
 * ALL is a depth-first search over all choices, made finite by two reductions:
 *
 *   dynamic partial order reduction (Flanagan and Godefroid, 2005), with source sets (Abdulla and
 *   others, 2014)
 *	Two steps *depend* on each other if they are of one object and one of them writes.  When a
 *	step is done, the last steps that it depends on, and that nothing orders before it, are
 *	looked up: at each such node the other order has to be tried too.  So a thread that can
 *	begin an execution of that order is added to the node's backtrack set; which it is matters:
 *	one that cannot might be asleep, and then nobody would begin it.  Threads that nobody adds
 *	are never tried.
 *   sleep sets (Godefroid, 1996)
 *	What has been explored from a node need not be explored again behind a sibling until
 *	something dependent happens.
 *
 *   What is before a step is kept in vector clocks over nodes: the steps of the same thread, the
 *   steps that it depends on, and those that let it go on if it waited (search_tell()).
 *
 * With a budget of stale loads, spurious wake-ups or timeouts, ALL is exhaustive within that
 * budget.
 *
 * BOUNDED is the same walk without reductions, in which a thread that could go on is preempted at
 * most so many times.  It is for three threads and more, where ALL has no end.
 *
 * A path names the answers that were not quiet by the number of their question, so it is short, and
 * readable enough to play with.
 */
#include <stdlib.h>
#include <string.h>

#include "port/sim/search.h"

#define NODES_MAX	65536
#define DEPS		8192		/* objects of one execution; a power of two */

struct node {
	u8 is_value, chosen, nr, running;
	u8 enabled, backtrack, done, asleep;	/* thread nodes: a bit for each thread */
	struct {
		const void *object;
		bool writes;
	} op[SIM_THREADS];
	struct vclock before;		/* what is before the step that it chose, and that step */
};

/* Who did what to one object. */
struct dep {
	const void *object;
	u32 gen;
	s32 w_node, r_node[SIM_THREADS];
	s32 lock_node;			/* who took the mutex last */
	u32 w_thread, lock_thread;
	enum sim_op_kind w_kind;
	struct vclock w_clock, r_clock;
};

static struct {
	struct search_setting set;
	u64 rng, executions, pruned;

	u32 asked;			/* questions of this execution */
	struct {
		u32 question;
		u8 answer;
	} loud[2048];			/* answers that were not quiet */
	u32 nr_loud;

	/* PCT */
	u32 priority[SIM_THREADS], lowest;
	u32 change_at[16];

	/* ALL and BOUNDED */
	struct node *node;
	u32 nr_nodes, depth;		/* of the path to follow; how far it has been */
	s32 step_node;			/* the node that chose the step under way */
	s32 repeated;			/* nodes before this one are as last time */
	struct vclock before[SIM_THREADS];
	struct dep dep[DEPS];
	bool first;
} s;

/* ------------------------------------------------------------------------------ chance -- */

/* Steele, Lea and Flood's splitmix64 (2014). */
static u64 random_next(void)
{
	u64 x = s.rng += 0x9e3779b97f4a7c15ull;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

static u32 random_below(u32 n)
{
	return (u32)(random_next() % n);
}

static u32 random_bit(u32 mask)
{
	u32 skip = random_below((u32)__builtin_popcount(mask));

	while (skip--)
		mask &= mask - 1;
	return (u32)__builtin_ctz(mask);
}

/* --------------------------------------------------------------------------- life cycle -- */

void search_begin(const struct search_setting *setting)
{
	if (!s.node) {
		s.node = calloc(NODES_MAX, sizeof(*s.node));
		if (!s.node)
			port_panic("no memory for the search");
	}
	s.set = *setting;
	s.executions = s.pruned = 0;
	s.nr_nodes = 0;
	s.first = true;
	sim.limit = setting->limit;
}

/* The deepest node with something left to try.  False: none. */
static bool backtrack(void)
{
	while (s.nr_nodes) {
		struct node *n = &s.node[s.nr_nodes - 1];

		if (n->is_value) {
			if (++n->chosen < n->nr)
				return true;
		} else {
			u8 left = n->backtrack & (u8)~(n->done | n->asleep);

			if (left) {
				n->chosen = (u8)__builtin_ctz(left);
				n->done |= (u8)(1u << n->chosen);
				return true;
			}
		}
		s.nr_nodes--;
	}
	return false;
}

static void pct_begin(void)
{
	u32 points = min(s.set.depth ? s.set.depth - 1 : 0, (u32)ARRAY_SIZE(s.change_at));

	s.lowest = SIM_THREADS;
	for (u32 i = 0; i < SIM_THREADS; i++)
		s.priority[i] = SIM_THREADS + 1 + (u32)(random_next() >> 40);
	for (u32 i = 0; i < ARRAY_SIZE(s.change_at); i++)
		s.change_at[i] = i < points ? 1 + random_below(max(s.set.length, 2u)) : 0;
}

bool search_next(void)
{
	bool all = s.set.kind == SEARCH_ALL || s.set.kind == SEARCH_BOUNDED;

	if (all && !s.first && !backtrack())
		return false;
	if (s.set.kind == SEARCH_PATH && !s.first)
		return false;
	/* Each execution of a random search has a seed of its own, so it can be replayed alone. */
	s.rng = s.set.seed + s.executions;
	s.first = false;
	s.executions++;
	s.asked = s.nr_loud = s.depth = 0;
	s.step_node = -1;
	s.repeated = (s32)s.nr_nodes - 1;
	memset(s.before, 0, sizeof(s.before));
	if (s.set.kind == SEARCH_PCT)
		pct_begin();
	return true;
}

void search_end_of_execution(void)
{
	if (sim.pruned)
		s.pruned++;
}

u64 search_executions(void)
{
	return s.executions;
}

u64 search_pruned(void)
{
	return s.pruned;
}

/* -------------------------------------------------------------------------------- paths -- */

static void note_answer(u32 answer, u32 quiet)
{
	if (answer != quiet && s.nr_loud < ARRAY_SIZE(s.loud)) {
		s.loud[s.nr_loud].question = s.asked;
		s.loud[s.nr_loud].answer = (u8)answer;
		s.nr_loud++;
	}
	s.asked++;
}

void search_token(char *buf, size_t bytes)
{
	size_t len = 0;

	buf[0] = 0;
	for (u32 i = 0; i < s.nr_loud && len + 16 < bytes; i++)
		len += (size_t)snprintf(buf + len, bytes - len, "%s%u=%u", i ? "," : "",
					s.loud[i].question, s.loud[i].answer);
}

/* The path's answer to the question that is being asked. */
static u32 path_answer(u32 quiet)
{
	const char *at = s.set.path;

	while (at && *at) {
		char *end;
		unsigned long question = strtoul(at, &end, 10);
		unsigned long answer = *end == '=' ? strtoul(end + 1, &end, 10) : 0;

		if (question == s.asked)
			return (u32)answer;
		at = *end == ',' ? end + 1 : NULL;
	}
	return quiet;
}

/* -------------------------------------------------------------------- depth-first search -- */

static bool dependent(const struct node *n, u32 a, u32 b)
{
	return n->op[a].object && n->op[a].object == n->op[b].object &&
	       (n->op[a].writes || n->op[b].writes);
}

/* Sleeping threads of the node before that what it did has not woken. */
static u8 still_asleep(const struct node *before)
{
	u8 asleep = (before->asleep | before->done) & (u8)~(1u << before->chosen);
	u8 mask = 0;

	for (u32 i = 0; i < SIM_THREADS; i++)
		if ((asleep & (1u << i)) && !dependent(before, i, before->chosen))
			mask |= (u8)(1u << i);
	return mask;
}

static struct node *new_node(void)
{
	struct node *n;

	if (s.nr_nodes == NODES_MAX)
		sim_fail(FAIL_LIVELOCK, "more than %u choices", NODES_MAX);
	n = &s.node[s.nr_nodes++];
	memset(n, 0, sizeof(*n));
	return n;
}

static bool may_preempt(u32 running, u32 enabled)
{
	return !(enabled & (1u << running)) || sim.budget.preemptions;
}

static bool somebody_spins(void)
{
	for (u32 i = 0; i < SIM_THREADS; i++)
		if (sim.thread[i].state == SIM_READY && sim.thread[i].op.kind == OP_RELAX)
			return true;
	return false;
}

static struct node *new_thread_node(u32 enabled, u32 quiet)
{
	struct node *n = new_node();
	u32 awake;

	n->enabled = (u8)enabled;
	n->running = (u8)sim.current->id;
	for (u32 i = 0; i < SIM_THREADS; i++) {
		n->op[i].object = sim.thread[i].op.object;
		n->op[i].writes = sim.thread[i].op.writes;
	}
	if (s.set.kind == SEARCH_ALL && s.step_node >= 0)
		n->asleep = still_asleep(&s.node[s.step_node]);
	/* A spinner goes on after anybody's write: what its wake-up depends on is not an object. */
	if (somebody_spins())
		n->asleep = 0;
	awake = enabled & ~(u32)n->asleep;
	if (!awake) {
		s.nr_nodes--;
		sim_prune();
	}
	n->chosen = (u8)((awake & (1u << quiet)) ? quiet : (u32)__builtin_ctz(awake));
	n->backtrack = (u8)(1u << n->chosen);
	if (s.set.kind == SEARCH_BOUNDED && may_preempt(n->running, enabled))
		n->backtrack = (u8)enabled;
	n->done = (u8)(1u << n->chosen);
	return n;
}

/* Is the choice that is asked for the one that was asked for last time? */
static bool same_choice(const struct node *n, u32 enabled)
{
	if (n->is_value || n->enabled != (u8)enabled)
		return false;
	for (u32 i = 0; i < SIM_THREADS; i++)
		if (n->op[i].object != sim.thread[i].op.object ||
		    n->op[i].writes != sim.thread[i].op.writes)
			return false;
	return true;
}

static u32 walk_thread(u32 enabled, u32 quiet)
{
	struct node *n;

	if (s.depth < s.nr_nodes) {
		n = &s.node[s.depth];
		if (!same_choice(n, enabled))
			sim_fail(FAIL_BUG, "the scenario is not deterministic: choice %u differs",
				 s.asked);
	} else {
		n = new_thread_node(enabled, quiet);
	}
	s.step_node = (s32)s.depth++;
	return n->chosen;
}

static u32 walk_value(u32 nr)
{
	struct node *n;

	if (s.depth < s.nr_nodes) {
		n = &s.node[s.depth];
		if (!n->is_value || n->nr != nr)
			sim_fail(FAIL_BUG, "the scenario is not deterministic: choice %u differs",
				 s.asked);
	} else {
		n = new_node();
		n->is_value = 1;
		n->nr = (u8)nr;
	}
	s.depth++;
	return n->chosen;
}

/* --------------------------------------------------------------------- what depends on what -- */

static struct dep *dep_of(const void *object)
{
	u32 i = (u32)(((uintptr_t)object >> 2) * 2654435761u) % DEPS;

	for (u32 tries = 0; tries < DEPS; tries++, i = (i + 1) % DEPS) {
		struct dep *d = &s.dep[i];

		if (d->gen == sim.gen && d->object == object)
			return d;
		if (d->gen == sim.gen)
			continue;
		memset(d, 0, sizeof(*d));
		d->gen = sim.gen;
		d->object = object;
		d->w_node = d->lock_node = -1;
		memset(d->r_node, 0xff, sizeof(d->r_node));
		return d;
	}
	sim_fail(FAIL_LIVELOCK, "more than %u objects in one execution", DEPS);
}

/* Is the step of node @a before that of node @b, which came later? */
static bool is_before(s32 a, s32 b)
{
	return s.node[b].before.at[s.node[a].chosen] > (u32)a;
}

/*
 * The steps after node @at that do not need what it chose, and then the one that @me is about to
 * do: which threads could have been the first of them?  Bits.
 *
 *	at ... k ... m ... me		k, m: not after at.  A thread's first step among them is an
 *					initial if none of the others is before it.
 */
static u32 initials(s32 at, u32 me)
{
	const struct node *last = &s.node[s.step_node];
	u32 first[SIM_THREADS] = { 0 };		/* of each thread among them: node + 1 */
	bool me_is_first = true;
	u32 mask = 0;

	for (s32 k = at + 1; k < s.step_node; k++) {
		const struct node *n = &s.node[k];
		bool is_first = true;

		if (n->is_value || is_before(at, k))
			continue;
		if (last->op[me].object && n->op[n->chosen].object == last->op[me].object &&
		    (n->op[n->chosen].writes || last->op[me].writes))
			me_is_first = false;
		if (first[n->chosen])
			continue;
		for (u32 r = 0; r < SIM_THREADS; r++)
			is_first &= !first[r] || n->before.at[r] < first[r];
		first[n->chosen] = (u32)k + 1;
		if (is_first)
			mask |= 1u << n->chosen;
	}
	for (u32 r = 0; r < SIM_THREADS; r++)
		me_is_first &= !first[r] || s.before[me].at[r] < first[r];
	if (!first[me] && me_is_first)
		mask |= 1u << me;
	return mask;
}

/*
 * The step that @me is about to do could have come before what node @at chose.  One of the threads
 * that could begin such an execution has to be tried there; one that is tried already will do.
 */
static void try_before(s32 at, u32 me)
{
	struct node *n = &s.node[at];
	u32 mask;

	/* Both in the part that is repeated: it was seen to when they were first met. */
	if (s.step_node < s.repeated)
		return;
	mask = initials(at, me);
	if (mask & n->backtrack)
		return;
	mask &= n->enabled;
	n->backtrack |= (u8)(mask ? mask & -mask : n->enabled);
}

static bool unordered(s32 node, u32 thread, u32 me)
{
	return node >= 0 && thread != me && (u32)node + 1 > s.before[me].at[thread];
}

static bool takes_mutex(const struct sim_op *op)
{
	return op->kind == OP_MUTEX_LOCK ||
	       (op->kind == OP_MUTEX_TRYLOCK && mutex_is_free(op->object));
}

static void note_dependence(const struct sim_op *op, u32 me)
{
	struct dep *d = dep_of(op->object);
	struct vclock *before = &s.before[me];

	/* A lock is not taken before it is given back: the other order is that of the takers. */
	if (op->kind == OP_MUTEX_LOCK && unordered(d->lock_node, d->lock_thread, me))
		try_before(d->lock_node, me);
	if (unordered(d->w_node, d->w_thread, me) &&
	    !(op->kind == OP_MUTEX_LOCK && d->w_kind == OP_MUTEX_UNLOCK))
		try_before(d->w_node, me);
	for (u32 q = 0; op->writes && q < SIM_THREADS; q++)
		if (unordered(d->r_node[q], q, me))
			try_before(d->r_node[q], me);
	vclock_join(before, &d->w_clock);
	if (op->writes)
		vclock_join(before, &d->r_clock);
	before->at[me] = (u32)s.step_node + 1;
	if (takes_mutex(op)) {
		d->lock_node = s.step_node;
		d->lock_thread = me;
	}
	if (op->writes) {
		d->w_node = s.step_node;
		d->w_thread = me;
		d->w_kind = op->kind;
		d->w_clock = *before;
		memset(d->r_node, 0xff, sizeof(d->r_node));
		memset(&d->r_clock, 0, sizeof(d->r_clock));
	} else {
		d->r_node[me] = s.step_node;
		vclock_join(&d->r_clock, before);
	}
}

void search_step(void)
{
	const struct sim_thread *me = sim.current;

	if (!sim_racing() || s.set.kind != SEARCH_ALL || s.step_node < 0)
		return;
	if (me->op.after)
		vclock_join(&s.before[me->id], me->op.after);
	if (me->op.object)
		note_dependence(&me->op, me->id);
	else
		s.before[me->id].at[me->id] = (u32)s.step_node + 1;
	s.node[s.step_node].before = s.before[me->id];
}

void search_tell(struct vclock *order)
{
	vclock_join(order, &s.before[sim.current->id]);
}

/* ---------------------------------------------------------------------------- questions -- */

static u32 pct_thread(u32 enabled)
{
	u32 best = (u32)__builtin_ctz(enabled);

	for (u32 i = 0; i < ARRAY_SIZE(s.change_at); i++) {
		if (!s.change_at[i] || s.change_at[i] > sim.steps)
			continue;
		s.priority[sim.current->id] = --s.lowest;
		s.change_at[i] = 0;
	}
	for (u32 i = 0; i < SIM_THREADS; i++)
		if ((enabled & (1u << i)) && s.priority[i] > s.priority[best])
			best = i;
	return best;
}

static u32 quiet_thread(u32 enabled)
{
	u32 running = sim.current->id;

	return enabled & (1u << running) ? running : (u32)__builtin_ctz(enabled);
}

u32 search_thread(u32 enabled)
{
	u32 quiet = quiet_thread(enabled), answer = quiet;

	if (!sim_racing())
		return quiet;
	switch (s.set.kind) {
	case SEARCH_RANDOM:
		answer = random_bit(enabled);
		break;
	case SEARCH_PCT:
		answer = pct_thread(enabled);
		break;
	case SEARCH_ALL:
	case SEARCH_BOUNDED:
		answer = walk_thread(enabled, quiet);
		break;
	case SEARCH_PATH:
		answer = path_answer(quiet);
		if (!(enabled & (1u << answer)))
			sim_fail(FAIL_BUG, "choice %u of the path: T%u cannot go on", s.asked,
				 answer);
		break;
	}
	note_answer(answer, quiet);
	if (answer != sim.current->id && (enabled & (1u << sim.current->id)) &&
	    sim.budget.preemptions)
		sim.budget.preemptions--;
	return answer;
}

u32 search_value(u32 nr)
{
	u32 answer = 0;

	switch (s.set.kind) {
	case SEARCH_RANDOM:
	case SEARCH_PCT:
		answer = random_below(2) ? random_below(nr) : 0;
		break;
	case SEARCH_ALL:
	case SEARCH_BOUNDED:
		answer = walk_value(nr);
		break;
	case SEARCH_PATH:
		answer = path_answer(0);
		if (answer >= nr)
			sim_fail(FAIL_BUG, "choice %u of the path: %u of %u", s.asked, answer, nr);
		break;
	}
	note_answer(answer, 0);
	return answer;
}
