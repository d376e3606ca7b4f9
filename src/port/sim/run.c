/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * One execution: threads, whose turn it is, and how it ends.
 *
 * Turns change in sim_point() only, and there on the stack of the thread that gives its turn away.
 * A coroutine is begun with makecontext() and afterwards switched with _setjmp() and _longjmp(),
 * which save no signal mask and so make no system call.
 *
 * Set-up and the check at the end run as the main thread, without choices: the others get a turn
 * only when it cannot go on.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "port/sim/sim.h"
#include "base/errno.h"

struct sim sim;

/* Spinners that were let go on one after the other, with nothing else happening. */
#define IDLE_RELAXES_MAX	64

/* Of the port's own clock: a step takes this long. */
#define STEP_NS			100

/* --------------------------------------------------------------------------- reports -- */

void sim_report(const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(sim.report + sim.report_len, sizeof(sim.report) - sim.report_len, fmt, args);
	va_end(args);
	sim.report_len = min(sim.report_len + (size_t)n, sizeof(sim.report) - 1);
}

const char *sim_failure_name(enum sim_failure why)
{
	static const char *const names[] = {
		[FAIL_NONE] = "none", [FAIL_CHECK] = "check failed",
		[FAIL_BUG] = "assertion failed", [FAIL_RACE] = "data race",
		[FAIL_MEMORY] = "memory error", [FAIL_LEAK] = "leak",
		[FAIL_DEADLOCK] = "deadlock", [FAIL_LOST_WAKEUP] = "lost wake-up",
		[FAIL_LIVELOCK] = "livelock",
	};

	return names[why];
}

static void leave_execution(void)
{
	_longjmp(sim.host, 1);
}

void sim_fail(enum sim_failure why, const char *fmt, ...)
{
	va_list args;
	int n;

	sim.failure = why;
	sim_report("%s: ", sim_failure_name(why));
	va_start(args, fmt);
	n = vsnprintf(sim.report + sim.report_len, sizeof(sim.report) - sim.report_len, fmt, args);
	va_end(args);
	sim.report_len = min(sim.report_len + (size_t)n, sizeof(sim.report) - 1);
	sim_report("\n");
	if (why != FAIL_DEADLOCK && why != FAIL_LOST_WAKEUP && why != FAIL_LEAK && sim.current)
		trace_stack(sim.current->id);
	leave_execution();
	__builtin_unreachable();
}

void sim_prune(void)
{
	sim.pruned = true;
	leave_execution();
	__builtin_unreachable();
}

/* ----------------------------------------------------------------- who could go on -- */

static bool asleep_may_go_on(const struct sim_thread *t)
{
	if (t->woken || sim.budget.spurious)
		return true;
	return t->deadline_ns != PORT_NO_DEADLINE &&
	       (sim.budget.timeouts || t->deadline_ns <= sim.now_ns);
}

static bool users_done(void)
{
	for (u32 i = SIM_FIRST_USER; i < SIM_FIRST_USER + SIM_USERS; i++)
		if (sim.thread[i].state != SIM_UNUSED && sim.thread[i].state != SIM_DONE)
			return false;
	return true;
}

static bool may_go_on(const struct sim_thread *t)
{
	if (t->state == SIM_UNUSED || t->state == SIM_DONE)
		return false;
	switch (t->op.kind) {
	case OP_ASLEEP:
		return asleep_may_go_on(t);
	case OP_RELAX:
		return t->relaxed_at != sim.write_seq;
	case OP_GRACE:
		return rcu_grace_over(&t->grace);
	case OP_CALLBACK:
		return rcu_callback_ready();
	case OP_WORK:
		return work_ready();
	case OP_RCU_BARRIER:
		return rcu_barrier_over(t);
	case OP_WORK_FLUSH:
		return work_flush_over(t);
	case OP_MUTEX_LOCK:
		return !*t->mutex;
	case OP_JOIN:
		return users_done() && !rcu_callbacks_queued() && !work_ready();
	default:
		return true;
	}
}

u32 sim_enabled(void)
{
	u32 mask = 0;

	for (u32 i = 0; i < SIM_THREADS; i++)
		if (may_go_on(&sim.thread[i]))
			mask |= 1u << i;
	return mask;
}

/* ---------------------------------------------------------------- nobody could go on -- */

/* Time passes up to the nearest deadline.  False if nobody has one. */
static bool pass_time(void)
{
	struct sim_thread *next = NULL;

	for (u32 i = 0; i < SIM_THREADS; i++) {
		struct sim_thread *t = &sim.thread[i];

		if (t->state == SIM_ASLEEP && t->deadline_ns != PORT_NO_DEADLINE &&
		    (!next || t->deadline_ns < next->deadline_ns))
			next = t;
	}
	if (!next)
		return false;
	sim.now_ns = max(sim.now_ns, next->deadline_ns);
	return true;
}

/* One spinner looks again, the others stay.  False if there is none. */
static bool let_spinner_look(void)
{
	for (u32 i = 0; i < SIM_THREADS; i++) {
		struct sim_thread *t = &sim.thread[(sim.idle_relaxes + i) % SIM_THREADS];

		if (t->state != SIM_READY || t->op.kind != OP_RELAX)
			continue;
		if (++sim.idle_relaxes > IDLE_RELAXES_MAX)
			return false;
		t->relaxed_at = sim.write_seq - 1;
		return true;
	}
	return false;
}

static const char *waits_for(const struct sim_thread *t, char *buf, size_t bytes)
{
	char object[160];

	switch (t->op.kind) {
	case OP_ASLEEP:
		if (!t->word) {
			heap_describe(t->cond, object, sizeof(object));
			snprintf(buf, bytes, "waits at condition variable %s", object);
			break;
		}
		heap_describe(t->word, object, sizeof(object));
		snprintf(buf, bytes, "sleeps on %s, which was %#x and is %#x", object, t->expected,
			 (u32)memory_latest(t->word, 4));
		break;
	case OP_RELAX:
		snprintf(buf, bytes, "spins");
		break;
	case OP_GRACE:
		snprintf(buf, bytes, "waits for a grace period");
		break;
	case OP_RCU_BARRIER:
		snprintf(buf, bytes, "waits for RCU callbacks");
		break;
	case OP_WORK_FLUSH:
		snprintf(buf, bytes, "waits for background work");
		break;
	case OP_MUTEX_LOCK:
		heap_describe(t->mutex, object, sizeof(object));
		snprintf(buf, bytes, "waits for mutex %s, held by T%u", object, *t->mutex - 1);
		break;
	case OP_JOIN:
		snprintf(buf, bytes, "waits for the threads to end");
		break;
	default:
		snprintf(buf, bytes, "could go on");
		break;
	}
	return buf;
}

/* A sleeper whose word has moved on was not woken when it should have been. */
static bool sleeper_was_forgotten(void)
{
	for (u32 i = 0; i < SIM_THREADS; i++) {
		const struct sim_thread *t = &sim.thread[i];

		if (t->state == SIM_ASLEEP && t->word && memory_latest(t->word, 4) != t->expected)
			return true;
	}
	return false;
}

__attribute__((noreturn)) static void fail_stuck(void)
{
	bool spins = sim.idle_relaxes > IDLE_RELAXES_MAX;
	enum sim_failure why = spins ? FAIL_LIVELOCK :
			       sleeper_was_forgotten() ? FAIL_LOST_WAKEUP : FAIL_DEADLOCK;
	char buf[320];

	sim.failure = why;
	sim_report("%s: no thread can go on\n", sim_failure_name(why));
	for (u32 i = 0; i < SIM_THREADS; i++) {
		struct sim_thread *t = &sim.thread[i];
		bool idle = t->op.kind == OP_CALLBACK || t->op.kind == OP_WORK;

		if (t->state == SIM_UNUSED || t->state == SIM_DONE ||
		    (idle && !(i == SIM_RCU && rcu_callbacks_queued())))
			continue;
		if (i == SIM_RCU && idle)
			snprintf(buf, sizeof(buf), "has callbacks whose grace period does not end");
		else
			waits_for(t, buf, sizeof(buf));
		sim_report("  T%u %-12s %s%s\n", i, t->name, buf,
			   t->rcu_depth ? "; in an RCU read section" : "");
		if (sim.describe_held)
			sim.describe_held(t->lock_state);
		trace_stack(i);
	}
	leave_execution();
	__builtin_unreachable();
}

/* -------------------------------------------------------------------------- switching -- */

static void switch_to(struct sim_thread *next)
{
	struct sim_thread *me = sim.current;

	if (me == next)
		return;
	if (_setjmp(me->jump))
		return;
	sim.current = next;
	if (next->started)
		_longjmp(next->jump, 1);
	next->started = true;
	setcontext(&next->context);
	abort();
}

/*
 * Could nobody go on but sleepers that nobody wakes and no deadline?  That they may wake for no
 * reason does not save them: it would hide that a wake-up was forgotten.
 */
static bool only_by_luck(u32 enabled)
{
	for (u32 i = 0; i < SIM_THREADS; i++) {
		const struct sim_thread *t = &sim.thread[i];

		if ((enabled & (1u << i)) && (t->op.kind != OP_ASLEEP || t->woken ||
					      t->deadline_ns != PORT_NO_DEADLINE))
			return false;
	}
	return true;
}

/* Somebody whose turn it is.  Does not return if there is nobody. */
static struct sim_thread *pick(void)
{
	u32 enabled;

	for (;;) {
		enabled = sim_enabled();
		if (!only_by_luck(enabled))
			return &sim.thread[search_thread(enabled)];
		if (!pass_time() && !let_spinner_look())
			fail_stuck();
	}
}

/* The thread that is asleep goes on: why, is decided here. */
static void wake_up(struct sim_thread *t)
{
	if (!t->woken) {
		bool late = t->deadline_ns != PORT_NO_DEADLINE && t->deadline_ns <= sim.now_ns;

		if (!late && t->deadline_ns != PORT_NO_DEADLINE && sim.budget.timeouts) {
			sim.budget.timeouts--;
			sim.now_ns = t->deadline_ns;
			late = true;
		} else if (!late) {
			sim.budget.spurious--;
		}
		t->timed_out = late;
	}
	t->state = SIM_READY;
}

static bool moves_spinners(const struct sim_op *op)
{
	return op->writes && op->kind != OP_RCU_LOCK && op->kind != OP_FENCE;
}

void sim_point(const struct sim_op *op)
{
	struct sim_thread *me = sim.current;

	me->op = *op;
	me->frame = __builtin_frame_address(0);
	if (op->kind == OP_RELAX)
		me->relaxed_at = sim.write_seq;
	switch_to(pick());
	/* Here it is this thread's turn again. */
	if (me->op.kind == OP_ASLEEP)
		wake_up(me);
	me->clock.at[me->id]++;
	me->view.at[me->id] = me->clock.at[me->id];
	if (moves_spinners(&me->op)) {
		sim.write_seq++;
		sim.idle_relaxes = 0;
	}
	search_step();
	if (++sim.steps > sim.max_steps)
		sim_fail(FAIL_LIVELOCK, "more than %u steps", sim.max_steps);
}

/* ---------------------------------------------------------------------------- threads -- */

static void thread_entry(void)
{
	struct sim_thread *me = sim.current;

	search_step();
	me->clock.at[me->id]++;
	me->view.at[me->id] = me->clock.at[me->id];
	me->fn();
	if (me->rcu_depth)
		sim_fail(FAIL_BUG, "T%u %s ends in an RCU read section", me->id, me->name);
	if (me->on_exit)
		me->on_exit(me->lock_state);
	sim_point(&(struct sim_op){ .kind = OP_EXIT, .pc = __builtin_return_address(0) });
	trace_step(&me->op, 0);
	me->state = SIM_DONE;
	search_tell(&sim.thread[SIM_MAIN].woken_order);
	switch_to(pick());
	abort();
}

static void *stacks;

static void *stack_of(u32 id)
{
	size_t each = SIM_STACK_BYTES + 4096;

	if (!stacks) {
		stacks = mmap(NULL, each * SIM_THREADS, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (stacks == MAP_FAILED)
			port_panic("no memory for stacks");
		for (u32 i = 0; i < SIM_THREADS; i++)
			if (mprotect((char *)stacks + i * each + 4096, SIM_STACK_BYTES,
				     PROT_READ | PROT_WRITE))
				port_panic("no memory for stacks");
	}
	return (char *)stacks + id * each + 4096;
}

/* Everything but the stack begins anew. */
static void thread_make(u32 id, const char *name, void (*fn)(void))
{
	struct sim_thread *t = &sim.thread[id];

	memset(t, 0, sizeof(*t));
	t->id = id;
	t->random = 0x9e3779b97f4a7c15ull + id;
	t->fn = fn;
	t->state = SIM_READY;
	t->op.kind = OP_START;
	t->deadline_ns = PORT_NO_DEADLINE;
	snprintf(t->name, sizeof(t->name), "%s", name);
	t->stack = stack_of(id);
	getcontext(&t->context);
	t->context.uc_stack.ss_sp = t->stack;
	t->context.uc_stack.ss_size = SIM_STACK_BYTES;
	t->context.uc_link = NULL;
	makecontext(&t->context, thread_entry, 0);
}

/* What the main thread did is known to all the others. */
static void start_users(void)
{
	const struct sim_scenario *s = sim.scenario;
	struct sim_thread *main = &sim.thread[SIM_MAIN];

	for (u32 i = 0; i < s->nr_threads; i++) {
		struct sim_thread *t = &sim.thread[SIM_FIRST_USER + i];

		thread_make(t - sim.thread, s->thread_names[i], s->threads[i]);
		t->clock = main->clock;
		t->view = main->view;
	}
	vclock_join(&sim.thread[SIM_RCU].clock, &main->clock);
	vclock_join(&sim.thread[SIM_RCU].view, &main->view);
	vclock_join(&sim.thread[SIM_WORK].clock, &main->clock);
	vclock_join(&sim.thread[SIM_WORK].view, &main->view);
	clock_tick(main);
}

static void join_users(void)
{
	struct sim_thread *main = &sim.thread[SIM_MAIN];

	sim_point(&(struct sim_op){ .kind = OP_JOIN,
				    .after = &sim.thread[SIM_MAIN].woken_order });
	for (u32 i = SIM_FIRST_USER; i < SIM_THREADS; i++) {
		vclock_join(&main->clock, &sim.thread[i].clock);
		vclock_join(&main->view, &sim.thread[i].view);
	}
}

static void main_thread(void)
{
	const struct sim_scenario *s = sim.scenario;

	if (s->setup)
		s->setup();
	trace_note("the threads start");
	start_users();
	sim.phase = SIM_RACE;
	join_users();
	sim.phase = SIM_FINISH;
	trace_note("the threads have ended");
	if (s->finish)
		s->finish();
	heap_check_leaks();
	leave_execution();
}

bool sim_execute(const struct sim_scenario *scenario)
{
	sim.gen++;
	sim.scenario = scenario;
	sim.steps = 0;
	sim.write_seq = 1;
	sim.idle_relaxes = 0;
	sim.now_ns = 1000000000;
	sim.sleep_nr = 0;
	sim.budget = sim.limit;
	sim.allocs = 0;
	sim.failed_one = false;
	sim.failure = FAIL_NONE;
	sim.report_len = 0;
	sim.report[0] = 0;
	sim.pruned = false;
	sim.crashed = false;
	memset(&sim.sc_clock, 0, sizeof(sim.sc_clock));
	if (sim.forget)
		sim.forget();
	crash_watch();
	memory_reset();
	race_reset();
	heap_reset();
	arena_reset();
	rcu_reset();
	for (u32 i = 0; i < SIM_THREADS; i++)
		sim.thread[i].state = SIM_UNUSED;
	thread_make(SIM_MAIN, "main", main_thread);
	thread_make(SIM_RCU, "rcu", rcu_main);
	thread_make(SIM_WORK, "work", work_main);
	sim.thread[SIM_RCU].op.kind = OP_CALLBACK;
	sim.thread[SIM_RCU].op.after = rcu_next_order();
	sim.thread[SIM_WORK].op.kind = OP_WORK;
	sim.thread[SIM_WORK].op.after = work_next_order();
	sim.phase = SIM_SETUP;
	sim.current = &sim.thread[SIM_MAIN];
	if (!_setjmp(sim.host)) {
		sim.current->started = true;
		setcontext(&sim.current->context);
	}
	sim.phase = SIM_OUTSIDE;
	sim.current = NULL;
	return sim.failure == FAIL_NONE;
}

/* ---------------------------------------------------------------------------- waiting -- */

/*
 * The calling thread sleeps until it is woken at @object.  Woken, that commutes with everything and
 * comes after the wake-up; for no reason or too late, not with being woken.
 */
void sim_sleep(const void *object, const void *pc)
{
	struct sim_thread *me = sim.current;
	bool by_luck = sim.limit.spurious || sim.limit.timeouts;

	me->state = SIM_ASLEEP;
	sim_point(&(struct sim_op){ .kind = OP_ASLEEP, .writes = true, .bytes = 4, .pc = pc,
				    .object = by_luck ? object : NULL,
				    .after = by_luck ? NULL : &me->woken_order });
	trace_step(&me->op, me->woken);
}

int port_wait(const u32 *word, u32 expected, u64 deadline_ns)
{
	struct sim_thread *me = sim.current;
	const void *pc = __builtin_return_address(0);
	u32 now;

	sim_point(&(struct sim_op){ .kind = OP_WAIT, .writes = true, .bytes = 4, .object = word,
				    .pc = pc });
	memory_full_fence(me);
	now = (u32)memory_latest(word, 4);
	trace_step(&me->op, now);
	if (now != expected)
		return 0;
	if (deadline_ns <= port_now_ns())
		return -ETIMEDOUT;
	me->word = word;
	me->expected = expected;
	me->deadline_ns = deadline_ns;
	me->sleep_nr = ++sim.sleep_nr;
	me->woken = me->timed_out = false;
	me->woken_order = (struct vclock){ 0 };
	sim_sleep(word, pc);
	memory_full_fence(me);
	return me->timed_out ? -ETIMEDOUT : 0;
}

static struct sim_thread *longest_asleep(const u32 *word)
{
	struct sim_thread *first = NULL;

	for (u32 i = 0; i < SIM_THREADS; i++) {
		struct sim_thread *t = &sim.thread[i];

		if (t->state == SIM_ASLEEP && t->word == word && !t->woken &&
		    (!first || t->sleep_nr < first->sleep_nr))
			first = t;
	}
	return first;
}

void port_wake(u32 *word, int nr)
{
	struct sim_thread *me = sim.current, *t;
	u32 woken = 0;

	sim_point(&(struct sim_op){ .kind = OP_WAKE, .writes = true, .bytes = 4, .object = word,
				    .pc = __builtin_return_address(0) });
	memory_full_fence(me);
	while (nr-- > 0 && (t = longest_asleep(word))) {
		t->woken = true;
		vclock_join(&t->view, &me->view);
		search_tell(&t->woken_order);
		woken++;
	}
	trace_step(&me->op, woken);
}

/*
 * The core's spinners look PORT_SPIN_ROUNDS() times and go on: to make them wait for somebody's
 * write would take away the executions in which nobody writes.  So nothing happens the first time.
 * Who comes back to the same place, and nobody has written since, may be one that spins for ever.
 */
void port_cpu_relax(void)
{
	struct sim_thread *me = sim.current;
	const void *pc = __builtin_return_address(0);

	if (me->relax_pc != pc || me->relax_seq != sim.write_seq) {
		me->relax_pc = pc;
		me->relax_seq = sim.write_seq;
		return;
	}
	sim_point(&(struct sim_op){ .kind = OP_RELAX, .pc = pc });
}

void port_yield(void)
{
	sim_point(&(struct sim_op){ .kind = OP_RELAX, .pc = __builtin_return_address(0) });
}

u64 port_now_ns(void)
{
	struct sim_thread *me = sim.current;

	/* A thread's own steps only: what others do at the same time does not change the answer. */
	return sim.now_ns + STEP_NS * me->clock.at[me->id];
}

/* Marsaglia's xorshift64*, from the same seed in every execution. */
u64 port_random(void)
{
	u64 *random = &sim.current->random;

	*random ^= *random >> 12;
	*random ^= *random << 25;
	*random ^= *random >> 27;
	return *random * 0x2545f4914f6cdd1dull;
}
