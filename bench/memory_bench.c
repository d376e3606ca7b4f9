/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Memory beside the running kernel's: faults, zap, munmap, fork, and the ways to get at a page.
 *
 *	memory_bench [--quick]
 *
 * Every figure is taken once in each round, ours and the kernel's in turn, so that both see the same
 * machine; the first round warms up and is thrown away.  Times are CPU time of the threads that
 * work: what else the machine does counts little, and time spent asleep at a lock not at all.  A
 * ratio is the median of the rounds' ratios, in brackets the least and the most.
 *
 * The kernel's fault includes the processor's way in and out, and the walk of its own tables; ours
 * is what an emulator pays for the same access of its guest: a call of mm_handle_fault(), or a store
 * through a soft TLB that misses.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "memory_bench.h"

#define MAX_ROUNDS	15u

bool quick;

/* ------------------------------------------------------------------------------- figures -- */

/* What is measured together: fn() fills in ns[]. */
struct group {
	void (*ours)(double *ns);
	void (*theirs)(double *ns);
};

static const struct group groups[] = {
	[ONE] = { our_faults_one, their_faults_one },
	[SAME] = { our_faults_same, their_faults_same },
	[OWN] = { our_faults_own, their_faults_own },
	[ZEROING] = { NULL, bare_zeroing },
	[UNMAP] = { our_unmaps, their_unmaps },
	[FORK] = { our_fork, their_fork },
	[LOADS] = { our_loads, their_loads },
	[WINDOW] = { our_window, their_window },
	[GUP] = { our_gup, NULL },
	[FILES] = { our_files, their_files },
	[RECLAIM] = { our_reclaim, their_reclaim },
};

#define NR_GROUPS	(sizeof(groups) / sizeof(groups[0]))

static double samples[NR_GROUPS][2][MAX_FIGURES][MAX_ROUNDS];
static unsigned int rounds;

/* ------------------------------------------------------------------------------- the table -- */

enum side { OURS, THEIRS };
enum bound { NO_BOUND, AT_MOST, AT_LEAST };

/* The ratio of two figures.  A scaling is how much more two threads do than one. */
struct row {
	const char *what, *beside;
	struct figure { unsigned char group, side, nth; } a, b;
	enum bound bound;
	double target;
	bool scaling;
};

#define KERNEL(what, group, nth, bound, target)						\
	{ what, "kernel", { group, OURS, nth }, { group, THEIRS, nth }, bound, target, false }
#define SCALING(what, group, side, nth, bound, target)					\
	{ what, "1 thread", { group, side, nth }, { ONE, side, nth }, bound, target, true }

static const struct row rows[] = {
	KERNEL("anonymous write fault, 1 thread", ONE, WRITE, AT_MOST, 0.25),
	KERNEL("  2 threads, same area, each", SAME, WRITE, AT_MOST, 0.25),
	KERNEL("  2 threads, own areas, each", OWN, WRITE, AT_MOST, 0.25),
	SCALING("  2 threads, same area, against 1", SAME, OURS, WRITE, AT_LEAST, 1.9),
	SCALING("  2 threads, own areas, against 1", OWN, OURS, WRITE, AT_LEAST, 1.9),
	SCALING("  the kernel's: same area, against 1", SAME, THEIRS, WRITE, NO_BOUND, 0),
	SCALING("  the kernel's: own areas, against 1", OWN, THEIRS, WRITE, NO_BOUND, 0),
	{ "  zeroing a page, no fault: against 1", "1 thread", { ZEROING, THEIRS, TOGETHER },
	  { ZEROING, THEIRS, ALONE }, NO_BOUND, 0, true },
	KERNEL("the same as a store by a soft TLB", ONE, STORE, AT_MOST, 0.25),
	KERNEL("read fault, zero page", ONE, READ, NO_BOUND, 0),
	SCALING("  2 threads, same area, against 1", SAME, OURS, READ, NO_BOUND, 0),
	SCALING("  2 threads, own areas, against 1", OWN, OURS, READ, NO_BOUND, 0),
	KERNEL("read fault of a file, 16 pages: each", FILES, AROUND, NO_BOUND, 0),
	KERNEL("  zap of such a page", FILES, UNMAPPED, NO_BOUND, 0),
	KERNEL("a clean page of a file taken back", RECLAIM, DROPPED, NO_BOUND, 0),
	KERNEL("copy-on-write fault", FORK, COW, NO_BOUND, 0),
	KERNEL("write fault after the child is gone", FORK, REUSE, NO_BOUND, 0),
	KERNEL("zap of a page, 1 thread", ONE, ZAP, AT_MOST, 0.25),
	KERNEL("  2 threads, same area, each", SAME, ZAP, AT_MOST, 0.25),
	KERNEL("  2 threads, own areas, each", OWN, ZAP, AT_MOST, 0.25),
	KERNEL("munmap of 4 KiB, untouched", UNMAP, SMALL, NO_BOUND, 0),
	KERNEL("munmap of 1 GiB, untouched", UNMAP, LARGE, NO_BOUND, 0),
	{ "  1 GiB against 4 KiB", "4 KiB", { UNMAP, OURS, LARGE }, { UNMAP, OURS, SMALL }, AT_MOST,
	  1.1, false },
	KERNEL("mmap, touch, munmap of 4 KiB", UNMAP, TOUCHED, NO_BOUND, 0),
	KERNEL("fork, a page of 1 GiB touched", FORK, COPY, AT_MOST, 0.4),
	KERNEL("exit, a page of 1 GiB shared", FORK, EXIT, NO_BOUND, 0),
	{ "soft-TLB load, random in 4 MiB", "plain", { LOADS, OURS, RANDOM },
	  { LOADS, THEIRS, RANDOM }, NO_BOUND, 0, false },
	{ "soft-TLB load, sequential", "plain", { LOADS, OURS, SEQUENTIAL },
	  { LOADS, THEIRS, SEQUENTIAL }, NO_BOUND, 0, false },
	{ "window: first store to a page", "bare", { WINDOW, OURS, FIRST }, { WINDOW, THEIRS, FIRST },
	  NO_BOUND, 0, false },
	{ "window: store, page in core, scattered", "bare", { WINDOW, OURS, SCATTERED },
	  { WINDOW, THEIRS, SCATTERED }, NO_BOUND, 0, false },
	{ "window: store, page in core, side by side", "bare x16", { WINDOW, OURS, BESIDE },
	  { WINDOW, THEIRS, BESIDE }, NO_BOUND, 0, false },
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Sorts. */
static double median(double *values)
{
	qsort(values, rounds, sizeof(values[0]), by_value);
	return values[rounds / 2];
}

static const double *of(struct figure f)
{
	return samples[f.group][f.side][f.nth];
}

static double median_of(struct figure f)
{
	double copy[MAX_ROUNDS];

	memcpy(copy, of(f), sizeof(copy));
	return median(copy);
}

/* Returns whether it is missed. */
static bool print_row(const struct row *row)
{
	double ratios[MAX_ROUNDS], middle, beyond = 0;

	for (unsigned int i = 0; i < rounds; i++)
		ratios[i] = row->scaling ? 2 * of(row->b)[i] / of(row->a)[i]
					 : of(row->a)[i] / of(row->b)[i];
	middle = median(ratios);
	printf("%-42s %9.2f %9.2f %-8s %6.3f [%.3f..%.3f]", row->what, median_of(row->a),
	       median_of(row->b), row->beside, middle, ratios[0], ratios[rounds - 1]);
	if (row->bound == AT_MOST)
		beyond = middle / row->target - 1;
	else if (row->bound == AT_LEAST)
		beyond = row->target / middle - 1;
	if (row->bound)
		printf("  %s %.2f: %s", row->bound == AT_MOST ? "at most" : "at least", row->target,
		       beyond > 0 ? "MISSED" : "met");
	if (beyond > 0)
		printf(" by %.0f%%", beyond * 100);
	printf("\n");
	return beyond > 0;
}

static void print_table(void)
{
	const struct figure pinned = { GUP, OURS, 0 };
	const struct figure out = { RECLAIM, OURS, TO_SWAP }, in = { RECLAIM, OURS, FROM_SWAP };
	struct memory_cost cost = our_cost();
	unsigned int missed = 0, bounds = 0;
	struct utsname name;

	uname(&name);
	printf("%s %s, ns of CPU time an operation, medians of %u rounds%s\n", name.sysname,
	       name.release, rounds, quick ? ", quick" : "");
	printf("two threads had %.2f CPUs or more; with much less than 2 they seldom met\n",
	       cpus_two_threads_had());
	printf("%-42s %9s %9s %-8s %6s\n", "", "ours", "beside", "", "ratio");
	for (unsigned long i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		missed += print_row(&rows[i]);
		bounds += rows[i].bound != NO_BOUND;
	}
	printf("%-42s %9.2f\n", "gup_fast and put, without a lock", median_of(pinned));
	printf("%-42s %9.2f\n", "an anonymous page to swap in memory", median_of(out));
	printf("%-42s %9.2f\n", "  and back, by a write fault", median_of(in));
	printf("%-42s %9.0f %9.0f kernel\n", "bytes of page tables a MiB of memory",
	       cost.tables_a_mib, their_tables_a_mib());
	printf("%-42s %9.0f\n", "bytes of struct page a MiB of memory", cost.structs_a_mib);
	printf("%u of %u targets missed\n", missed, bounds);
}

/* -------------------------------------------------------------------------------- rounds -- */

static void run_group(unsigned int nth, unsigned int side, int round)
{
	void (*run)(double *ns) = side == OURS ? groups[nth].ours : groups[nth].theirs;
	double ns[MAX_FIGURES] = { 0 };

	if (!run)
		return;
	run(ns);
	for (unsigned int i = 0; round >= 0 && i < MAX_FIGURES; i++)
		samples[nth][side][i][round] = ns[i];
}

int main(int argc, char **argv)
{
	quick = argc == 2 && !strcmp(argv[1], "--quick");
	if (argc > 2 || (argc == 2 && !quick)) {
		fprintf(stderr, "usage: memory_bench [--quick]\n");
		return 2;
	}
	rounds = quick ? 5 : MAX_ROUNDS;
	make_ours();
	make_theirs();
	make_our_reclaim();
	make_their_reclaim();
	for (int round = -1; round < (int)rounds; round++)
		for (unsigned int nth = 0; nth < NR_GROUPS; nth++)
			for (unsigned int side = OURS; side <= THEIRS; side++)
				run_group(nth, side, round);
	print_table();
	end_our_reclaim();
	end_ours();
	return 0;
}
