/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The deterministic port: one scenario, run again and again, each time in another order.
 *
 * TERMS
 *
 *   execution	one run of a scenario from set-up to the check at the end.  Everything that could
 *		differ between two executions is a *choice*, and the list of choices is the
 *		execution: the same choices give the same steps, bit for bit.
 *   thread	a coroutine with a stack of its own.  One runs at a time; there are no others.
 *   step	one operation that other threads could notice: an atomic access, a fence, a wait, a
 *		wake, an RCU operation, a lock, an allocation.  Before each the running thread says
 *		what it is about to do (sim_point()), and the search says which thread goes on.
 *   search	who makes the choices: at random, by priorities (PCT), or all of them (search.c).
 *
 * WHAT RUNS
 *
 * The core's own sources, compiled with -fsanitize=thread and linked without the sanitizer's
 * library.  The compiler turns every atomic and every plain access into a call, and those calls end
 * here (hooks.c).  So nothing in src/ is written for this port, a driver's code takes part too when
 * compiled so, and what is checked is what the compiler was given.
 *
 * MEMORY (memory.c)
 *
 *   Atomic locations keep their last few stores.  A load may return any of them that the C11 rules
 *   allow: not one older than what the thread knows of, by its own accesses, by acquire loads of
 *   releases, or by fences.  So a store buffer (my store, then my load, and another thread the
 *   other way round), a relaxed store that overtakes another, and a relaxed load that is too early
 *   are executions here although x86 would never show the last two.  Loads do not see the future:
 *   load buffering is not modelled.  A read-modify-write sees the last store.
 *
 *   Plain accesses are checked by vector clocks (race.c): two of one place, one of them a write, by
 *   two threads that nothing orders are reported in whatever order they happened to come.  That is
 *   what finds an acquire or a release that is missing on the way to plain data.
 *
 *   A full fence joins what all full fences know, as in the store-buffering argument; that orders
 *   atomics, and makes no plain access race-free.
 *
 * RCU (rcu.c) is as bad as it may be: a callback may run as soon as all sections that were open at
 * call_rcu() have ended, or much later; a grace period orders what the contract says and no more.
 *
 * TIME passes when nothing else can happen: then the sleeper with the nearest deadline wakes up.
 * A search may also let a deadline pass, or a sleeper wake for no reason, at any moment, some times
 * in each execution.
 *
 * WHAT IS NOTICED
 *
 *   data races, use after free, double free, leaks; failed assertions of the library (VM_BUG_ON),
 *   of the witness, and of the scenario; deadlock, lost wake-up, livelock.
 *
 * DETERMINISM.  Memory comes from an arena at a fixed address, a part for each thread, never used
 * twice in one execution; so addresses do not depend on the order of threads.  Nothing is taken
 * from the clock, from the kernel or from address-space randomisation.
 *
 * NOT COVERED: interrupts (signal handlers), forks of the host, load buffering, torn accesses, what
 * is not compiled with the instrumentation (the C library's memcpy, for one), and of POSIX what is
 * neither a plain mutex nor a condition variable without a deadline.
 */
#ifndef PORT_SIM_SIM_H
#define PORT_SIM_SIM_H

#include <setjmp.h>
#include <stdio.h>
#include <ucontext.h>

#include "port/port.h"

#define SIM_THREADS	8		/* all that there can be; a clock has a place for each */
#define SIM_MAIN	0		/* set-up, and the check at the end */
#define SIM_FIRST_USER	1
#define SIM_USERS	5
#define SIM_RCU		6		/* runs callbacks */
#define SIM_WORK	7		/* runs background work */

struct vclock {
	u32 at[SIM_THREADS];
};

static inline void vclock_join(struct vclock *into, const struct vclock *from)
{
	for (int i = 0; i < SIM_THREADS; i++)
		into->at[i] = max(into->at[i], from->at[i]);
}

enum sim_op_kind {
	OP_START, OP_EXIT, OP_JOIN,
	OP_LOAD, OP_STORE, OP_RMW, OP_FENCE,
	OP_WAIT, OP_ASLEEP, OP_WAKE, OP_RELAX,
	OP_RCU_LOCK, OP_RCU_UNLOCK, OP_RCU_CALL, OP_RCU_SYNC, OP_GRACE, OP_RCU_BARRIER, OP_CALLBACK,
	OP_WORK_PUSH, OP_WORK, OP_WORK_FLUSH,
	OP_MUTEX_LOCK, OP_MUTEX_TRYLOCK, OP_MUTEX_UNLOCK, OP_COND_WAIT, OP_COND_WAKE,
	OP_ALLOC, OP_FREE,
};

enum sim_order { ORDER_RELAXED, ORDER_ACQUIRE, ORDER_RELEASE, ORDER_ACQ_REL, ORDER_SEQ_CST };

/* What a thread is about to do. */
struct sim_op {
	enum sim_op_kind kind;
	enum sim_order order;
	bool writes;			/* two operations on one object commute if neither does */
	u32 bytes;
	const void *object;		/* NULL: commutes with everything */
	/*
	 * Of one that waits: the steps that let it go on, once it can (search_tell()).  NULL: its
	 * object says which.
	 */
	const struct vclock *after;
	const void *pc;			/* where, for the trace */
	const char *place;		/* the same as file:line, where there is one */
};

/* A grace period that some thread waits for: the sections that were open when it began. */
struct sim_grace {
	u32 section[SIM_THREADS];	/* 0: was in none */
	struct vclock clock, view;	/* of who began it */
	struct vclock order;		/* the steps that it needs, for the search */
};

#define SIM_STACK_BYTES	(256u << 10)
#define SIM_NAME_BYTES	24

enum sim_state { SIM_UNUSED, SIM_READY, SIM_ASLEEP, SIM_DONE };

struct sim_thread {
	u32 id;
	enum sim_state state;
	char name[SIM_NAME_BYTES];
	void (*fn)(void);

	struct sim_op op;		/* the next one */
	struct vclock clock;		/* happens before now: for plain accesses */
	struct vclock view;		/* known now: clock and full fences; for atomic loads */
	struct vclock fence_clock, fence_view;		/* at the last release fence */
	struct vclock pending_clock, pending_view;	/* for the next acquire fence */

	/* OP_ASLEEP */
	const u32 *word;		/* NULL: at a condition variable */
	u32 expected;
	const void *cond;		/* it waits there, or is about to; or NULL */
	struct vclock woken_order;	/* who woke it, for the search */
	u64 deadline_ns;
	u32 sleep_nr;			/* who came first */
	bool woken, timed_out;

	u64 relaxed_at;			/* OP_RELAX: sim.write_seq, which has to move */
	const void *relax_pc;		/* port_cpu_relax(): where it was last, */
	u64 relax_seq;			/* and sim.write_seq then */
	u32 barrier_target;		/* OP_RCU_BARRIER, OP_WORK_FLUSH: so many have to be done */
	const u32 *mutex;		/* OP_MUTEX_LOCK */

	u64 random;
	u32 rcu_depth, rcu_section;	/* 0: in none */
	struct vclock rcu_left_clock, rcu_left_view;	/* at the last end of a section */
	struct sim_grace grace;		/* OP_GRACE */

	unsigned long allocs, fail_at;	/* port_fail_nth() */
	void (*on_exit)(void *state);
	_Alignas(16) unsigned char lock_state[PORT_THREAD_STATE_BYTES];

	const void **frame;		/* where it gave its turn away, for a report */
	jmp_buf jump;
	ucontext_t context;
	bool started;
	void *stack;
};

enum sim_phase { SIM_OUTSIDE, SIM_SETUP, SIM_RACE, SIM_FINISH };

enum sim_failure {
	FAIL_NONE, FAIL_CHECK, FAIL_BUG, FAIL_RACE, FAIL_MEMORY, FAIL_LEAK, FAIL_DEADLOCK,
	FAIL_LOST_WAKEUP, FAIL_LIVELOCK,
};

#define SIM_REPORT_BYTES	16384

struct sim_scenario {
	const char *name;
	void (*setup)(void);
	void (*threads[SIM_USERS])(void);
	const char *thread_names[SIM_USERS];
	u32 nr_threads;
	void (*finish)(void);
};

/* What an execution may do that a quiet machine would not; each is used up as it happens. */
struct sim_budget {
	u32 stale;			/* loads that return an older store */
	u32 spurious;			/* sleeps that end for no reason */
	u32 timeouts;			/* deadlines that pass although others could go on */
	u32 preemptions;		/* switches away from a thread that could go on */
};

struct sim {
	struct sim_thread thread[SIM_THREADS];
	struct sim_thread *current;
	const struct sim_scenario *scenario;
	enum sim_phase phase;

	u32 gen;			/* the execution's number: what is older is empty */
	u32 steps, max_steps;
	u64 write_seq;			/* steps that could end somebody's spinning */
	u32 idle_relaxes;		/* spinners let go on because nobody else could */
	u64 now_ns;			/* moves when nobody can go on; see port_now_ns() */
	u32 sleep_nr;
	struct sim_budget budget, limit;
	struct vclock sc_clock;		/* what full fences know */

	unsigned long fail_at, allocs;	/* of the whole race: the n-th fails; 0: none */
	u32 fail_one_in;		/* 0, or at random */
	bool failed_one;

	enum sim_failure failure;
	char report[SIM_REPORT_BYTES];
	size_t report_len;
	unsigned long warnings;
	bool warnings_fail;		/* VM_WARN_ON() ends the execution */

	bool crashed;			/* the stack of sim.current is where its frame says */
	bool pruned;			/* the search wants no more of this execution */
	FILE *trace;			/* NULL: none */
	void (*describe_held)(void *lock_state);	/* adds to the report; NULL: nobody can */
	void (*forget)(void);		/* before each execution; NULL: nothing else has a memory */
	jmp_buf host;
};

extern struct sim sim;

/* ------------------------------------------------------------------------------- run.c -- */

/* One execution, by the choices of the search.  False: something was found, see sim.report. */
bool sim_execute(const struct sim_scenario *scenario);

/*
 * @t has published what it knows.  What it does from here on, before its next step too, is not a
 * part of that: a plain access behind a release is not ordered by it.
 */
static inline void clock_tick(struct sim_thread *t)
{
	t->view.at[t->id] = ++t->clock.at[t->id];
}

/* Are we inside an execution? */
static inline bool sim_running(void)
{
	return sim.phase != SIM_OUTSIDE;
}

/* True while threads run beside one another. */
static inline bool sim_racing(void)
{
	return sim.phase == SIM_RACE;
}

/*
 * The calling thread is about to do @op, and may lose its turn first.  When this returns the
 * operation is the execution's next step.
 */
void sim_point(const struct sim_op *op);
/* The calling thread sleeps until its woken is true, or for as long as luck and deadline say. */
void sim_sleep(const void *object, const void *pc);

/* Ends the execution with a report: does not return. */
__attribute__((noreturn)) void sim_fail(enum sim_failure why, const char *fmt, ...) __printf(2, 3);
/* The search has seen enough of this one. */
__attribute__((noreturn)) void sim_prune(void);
void sim_report(const char *fmt, ...) __printf(1, 2);
const char *sim_failure_name(enum sim_failure why);
/* Which thread could go on now, as a mask. */
u32 sim_enabled(void);

/* ---------------------------------------------------------------------------- memory.c -- */

void memory_reset(void);
u64 memory_load(const void *p, u32 bytes, enum sim_order order, const void *pc);
void memory_store(void *p, u32 bytes, u64 value, enum sim_order order, const void *pc);

enum sim_rmw { RMW_XCHG, RMW_ADD, RMW_SUB, RMW_AND, RMW_OR, RMW_XOR, RMW_NAND };
u64 memory_rmw(void *p, u32 bytes, enum sim_rmw how, u64 operand, enum sim_order order,
	       const void *pc);
/* The value found; it was stored if that is @expected. */
u64 memory_cas(void *p, u32 bytes, u64 expected, u64 value, enum sim_order order, const void *pc);
void memory_fence(enum sim_order order, const void *pc);
/* What is there now, for everybody: for who has a lock of the machine's (a futex). */
u64 memory_latest(const void *p, u32 bytes);
/* The calling thread knows what all full fences know, and the reverse. */
void memory_full_fence(struct sim_thread *t);

/* ------------------------------------------------------------------------------ race.c -- */

void race_reset(void);
void race_plain(const void *p, u32 bytes, bool writes, const void *pc);
void race_atomic(const void *p, u32 bytes, bool writes, const void *pc);
void race_freed(const void *p, size_t bytes, const void *pc);
/* Is it memory that is watched? */
bool race_watched(const void *p);

/* ------------------------------------------------------------------------------ heap.c -- */

void heap_reset(void);
/*
 * For code under test (malloc.c): no bytes are one, NULL if memory is to run out.  @pc: who asks.
 */
void *heap_alloc(size_t bytes, const void *pc);
void heap_free(void *p, const void *pc);
/* Of the block of this execution that begins at @p, freed or not; 0: there is none. */
size_t heap_bytes(const void *p);
/* Fails the execution if something is left. */
void heap_check_leaks(void);
/* "block 3 (mm/lifetime.c:95) + 0x40", or a symbol, or an address. */
void heap_describe(const void *p, char *buf, size_t bytes);
#define SIM_HEAP_BASE	0x100000000000ul
#define SIM_HEAP_BYTES	(64ul << 20)

/* ----------------------------------------------------------------------------- arena.c -- */

void arena_reset(void);
#define SIM_ARENA_BASE	(SIM_HEAP_BASE + SIM_HEAP_BYTES)
#define SIM_ARENA_BYTES	(64ul << 20)
/* Both together: what is watched beside the program's own data. */
#define SIM_WATCHED_BYTES	(SIM_HEAP_BYTES + SIM_ARENA_BYTES)

/* ----------------------------------------------------------------------------- crash.c -- */

/* A fault of the hardware ends this execution, not the program. */
void crash_watch(void);

/* ------------------------------------------------------------------------------- rcu.c -- */

void rcu_reset(void);
bool rcu_grace_over(const struct sim_grace *grace);
bool rcu_callback_ready(void);
bool rcu_callbacks_queued(void);
bool work_ready(void);
bool rcu_barrier_over(const struct sim_thread *t);
bool work_flush_over(const struct sim_thread *t);
void rcu_main(void);
void work_main(void);
/* The steps that the next callback, or work, needs: filled in until it can be run. */
const struct vclock *rcu_next_order(void);
const struct vclock *work_next_order(void);

/* ---------------------------------------------------------------------------- search.c -- */

/* The next thread, out of @enabled, which is not empty. */
u32 search_thread(u32 enabled);
/* One of @nr; 0 is what a quiet machine would do. */
u32 search_value(u32 nr);
/* The operation that sim.current announced is being done: for the search that counts orders. */
void search_step(void);
/* What sim.current has done, and what that needed, come before a step that waits for *order. */
void search_tell(struct vclock *order);

/* ---------------------------------------------------------------------------- thread.c -- */

/* Would an attempt to take it succeed now? */
bool mutex_is_free(const void *mutex);

/* ----------------------------------------------------------------------------- trace.c -- */

void trace_step(const struct sim_op *op, u64 value);
void trace_note(const char *fmt, ...) __printf(1, 2);
/* Where the calling thread is, as lines of a report. */
void trace_stack(u32 thread);
/* Writes what was traced, with file names and lines. */
void trace_flush(void);

#endif
