/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What memory_bench measures: on our side (memory_ours.c), on the kernel's (memory_theirs.c), and on
 * both where pages are taken back (memory_reclaim.c).
 */
#ifndef MEMORY_BENCH_H
#define MEMORY_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#define PAGE		4096ul
#define MIB		(1ul << 20)
#define GIB		(1ul << 30)

/* What is measured together, and the figures of each. */
enum group_name { ONE, SAME, OWN, ZEROING, UNMAP, FORK, LOADS, WINDOW, GUP, FILES, RECLAIM };
enum { WRITE, ZAP, READ, STORE };		/* ONE, SAME, OWN */
enum { ALONE, TOGETHER };			/* ZEROING */
enum { SMALL, LARGE, TOUCHED };			/* UNMAP */
enum { COPY, COW, REUSE, EXIT };		/* FORK */
enum { RANDOM, SEQUENTIAL };			/* LOADS */
enum { FIRST, SCATTERED, BESIDE };		/* WINDOW */
enum { AROUND, UNMAPPED };			/* FILES */
enum { DROPPED, TO_SWAP, FROM_SWAP };		/* RECLAIM */
#define MAX_FIGURES	4u

extern bool quick;

void make_ours(void);
void end_ours(void);
void our_faults_one(double *ns);
void our_faults_same(double *ns);
void our_faults_own(double *ns);
void our_unmaps(double *ns);
void our_fork(double *ns);
void our_loads(double *ns);
void our_window(double *ns);
void our_gup(double *ns);
void our_files(double *ns);

struct memory_cost {
	double tables_a_mib, structs_a_mib;
};
struct memory_cost our_cost(void);

void make_theirs(void);
void their_faults_one(double *ns);
void their_faults_same(double *ns);
void their_faults_own(double *ns);
void bare_zeroing(double *ns);
void their_unmaps(double *ns);
void their_fork(double *ns);
void their_loads(double *ns);
void their_window(double *ns);
void their_files(double *ns);
double their_tables_a_mib(void);

void make_our_reclaim(void);
void end_our_reclaim(void);
void our_reclaim(double *ns);
void make_their_reclaim(void);
void their_reclaim(double *ns);

/* ------------------------------------------------------------------------ what both do -- */

/*
 * Two threads fault in FAULT_BYTES each, in one area or each in its own: once to warm up, and
 * FAULT_TIMES.  What is zeroed by both fits the caches: else two threads measure the memory.
 */
#define FAULT_BYTES	(2 * MIB)
#define FAULT_PAGES	(FAULT_BYTES / PAGE)
#define FAULT_TIMES	64

/* A read fault on a file whose pages are in core maps so many: one in each is asked for. */
#define AROUND_BYTES	(64ul << 10)

/* Areas to be unmapped one by one, with touched neighbours, so that there are tables around. */
#define NR_HOLES	16ul
#define HOLE_STRIDE	(2 * GIB)
#define HOLE_OFFSET	(300 * MIB + 5 * PAGE)
#define MAP_TIMES	64u

/* Of what a fork copies; and the part that is copied on write while the child is there. */
static inline size_t fork_bytes(void)
{
	return quick ? GIB / 4 : GIB;
}
#define COW_BYTES	(16 * MIB)

/* Loads from a working set. */
#define NR_LOADS	65536u
#define WORKING_SET	(4 * MIB)

/* Pages of a window, and a stride that leaves no two of them side by side. */
#define WINDOW_PAGES	512ul
#define WINDOW_STRIDE	205ul

static inline void must(bool ok)
{
	if (!ok)
		abort();
}

/* This thread's time on a CPU. */
static inline uint64_t cpu_ns(void)
{
	struct timespec now;

	must(!clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now));
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint64_t random_offset(uint64_t *at)
{
	*at = *at * 6364136223846793005ull + 1442695040888963407ull;
	return (*at >> 33) % (WORKING_SET / 8) * 8;
}

/* Adds the time since *start to *ns, by @per operations, and starts anew. */
static inline void lap(double *ns, uint64_t *start, double per)
{
	uint64_t now = cpu_ns();

	*ns += (double)(now - *start) / per;
	*start = cpu_ns();
}

/*
 * work(0) and work(1) at the same time on two CPUs, or the first alone; ns[] is the mean of what they
 * say.  Again, some times, if they were taken off their CPUs.
 */
double cpus_two_threads_had(void);	/* in the worst of the rounds */
void run_threads(unsigned int nr, void (*work)(unsigned int nth, double *ns), double *ns);

#endif
