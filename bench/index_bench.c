/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What an index of ranges costs: ours and its peers, the same loop around each.
 *
 * Compiled once for each index, with -DINDEX='"index_NAME.h"'.  That header supplies, inline:
 *
 *	INDEX_NAME
 *	index_init(), index_thread_enter(), index_thread_leave()
 *	index_insert(start, end, item)		the range is free
 *	index_erase(start, end)			an inserted range
 *	void *index_lookup(addr)		the item, under the index's own read side
 *	unsigned long index_gap_top(size), index_gap_bottom(size)	0: the index cannot
 *	size_t index_bytes()			0: unknown
 *	INDEX_REFS, index_ref(item), index_unref(item)	a reference taken and dropped, if it has one
 *
 * Each figure is the median of 7 runs of at least 40 ms, with the least and the most, in ns an
 * operation.  One line of JSON a figure.
 */
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
static size_t nr_ranges;
#include INDEX

#define RUNS		7
#define RUN_NS		40000000ull
#define NR_ADDRS	(1u << 16)	/* 512 KiB of addresses: streams, and stays in L2 */

static unsigned long *starts, *ends;	/* the ranges, in order */
static unsigned long *addrs;		/* one in a random range each, at random */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t rng = 88172645463325252ull;

static uint64_t next_random(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static void *item_of(size_t i)
{
	static char *items;

	if (!items)
		items = aligned_alloc(64, 64 * (nr_ranges + 1));
	if (!items)
		abort();
	return items + 64 * i;
}

/* Areas of 1 to 64 pages, every other gap 1 to 16 pages and the rest none: as programs have them. */
static void lay_out(size_t n)
{
	unsigned long at = 0x10000000;

	nr_ranges = n;
	starts = malloc(n * sizeof(*starts));
	ends = malloc(n * sizeof(*ends));
	addrs = malloc(NR_ADDRS * sizeof(*addrs));
	if (!starts || !ends || !addrs)
		abort();
	for (size_t i = 0; i < n; i++) {
		at += next_random() & 1 ? 4096 * (1 + next_random() % 16) : 0;
		starts[i] = at;
		at += 4096 * (1 + next_random() % 64);
		ends[i] = at;
	}
	for (size_t i = 0; i < NR_ADDRS; i++) {
		size_t r = next_random() % n;

		addrs[i] = starts[r] + next_random() % (ends[r] - starts[r]);
	}
	(void)item_of(0);
}

static void fill(void)
{
	size_t *order = malloc(nr_ranges * sizeof(*order));

	if (!order)
		abort();
	for (size_t i = 0; i < nr_ranges; i++)
		order[i] = i;
	for (size_t i = nr_ranges; i > 1; i--) {
		size_t j = next_random() % i, t = order[i - 1];

		order[i - 1] = order[j];
		order[j] = t;
	}
	for (size_t i = 0; i < nr_ranges; i++)
		index_insert(starts[order[i]], ends[order[i]], item_of(order[i]));
	free(order);
}

/* ------------------------------------------------------------ the operations -- */

static size_t op_lookup(size_t from, size_t n)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += index_lookup(addrs[(from + i) & (NR_ADDRS - 1)]) != NULL;
	if (found != n)
		abort();
	return n;
}

#ifdef INDEX_REFS
static size_t op_ref(size_t from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!index_lookup_ref_unref(addrs[(from + i) & (NR_ADDRS - 1)]))
			abort();
	return n;
}
#endif

static size_t op_insert_erase(size_t from, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t r = (size_t)((from + i) * 2654435761u) % nr_ranges;

		index_erase(starts[r], ends[r]);
		index_insert(starts[r], ends[r], item_of(r));
	}
	return n;
}

static size_t op_gap_top(size_t from, size_t n)
{
	(void)from;
	for (size_t i = 0; i < n; i++)
		if (!index_gap_top(64 * 4096))
			return 0;
	return n;
}

static size_t op_gap_bottom(size_t from, size_t n)
{
	(void)from;
	for (size_t i = 0; i < n; i++)
		if (!index_gap_bottom(64 * 4096))
			return 0;
	return n;
}

/* ------------------------------------------------------------- measuring -- */

struct worker {
	pthread_t thread;
	pthread_barrier_t *barrier;
	size_t (*op)(size_t from, size_t n);
	size_t batch, from;
	int cpu;
	double ns;			/* an operation */
};

static void *run_worker(void *arg)
{
	struct worker *w = arg;
	uint64_t start, t;
	size_t done = 0;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(w->cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	index_thread_enter();
	pthread_barrier_wait(w->barrier);
	start = now_ns();
	do {
		size_t n = w->op(w->from + done, w->batch);

		if (!n)
			break;
		done += n;
		t = now_ns();
	} while (t - start < RUN_NS);
	w->ns = done ? (double)(t - start) / (double)done : 0;
	index_thread_leave();
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void measure(const char *what, int threads, size_t (*op)(size_t, size_t), size_t batch)
{
	double ns[RUNS];

	for (int run = -1; run < RUNS; run++) {
		pthread_barrier_t barrier;
		struct worker w[2];
		double sum = 0;

		pthread_barrier_init(&barrier, NULL, (unsigned int)threads);
		for (int i = 0; i < threads; i++) {
			w[i] = (struct worker){ .barrier = &barrier, .op = op, .batch = batch,
						.from = (size_t)i * 7919 + (size_t)(run + 1) * 104729,
						.cpu = i };
			pthread_create(&w[i].thread, NULL, run_worker, &w[i]);
		}
		for (int i = 0; i < threads; i++) {
			pthread_join(w[i].thread, NULL);
			sum += w[i].ns;
		}
		pthread_barrier_destroy(&barrier);
		if (run >= 0)
			ns[run] = sum / threads;
	}
	qsort(ns, RUNS, sizeof(ns[0]), by_value);
	if (ns[RUNS / 2] <= 0)
		return;
	printf("{\"index\": \"%s\", \"what\": \"%s\", \"n\": %zu, \"threads\": %d, "
	       "\"ns\": %.2f, \"min\": %.2f, \"max\": %.2f}\n",
	       INDEX_NAME, what, nr_ranges, threads, ns[RUNS / 2], ns[0], ns[RUNS - 1]);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000;

	if (!n) {
		fprintf(stderr, "usage: %s NR_RANGES\n", argv[0]);
		return 2;
	}
	lay_out(n);
	index_init();
	index_thread_enter();
	fill();
	if (index_bytes())
		printf("{\"index\": \"%s\", \"what\": \"bytes a range\", \"n\": %zu, \"threads\": 1, "
		       "\"ns\": %.2f}\n", INDEX_NAME, n, (double)index_bytes() / (double)n);
	measure("lookup", 1, op_lookup, 4096);
	measure("lookup", 2, op_lookup, 4096);
#ifdef INDEX_REFS
	measure("lookup, lock, unlock", 1, op_ref, 4096);
	measure("lookup, lock, unlock", 2, op_ref, 4096);
#endif
	measure("insert+erase", 1, op_insert_erase, 256);
	measure("free range from the top", 1, op_gap_top, 256);
	measure("free range from the bottom", 1, op_gap_bottom, 256);
	index_thread_leave();
	return 0;
}
