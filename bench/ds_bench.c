/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The range tree by itself: what index_bench.c, which asks all indexes the same few questions,
 * does not show.
 *
 *	ds_bench [NR_RANGES...]		10 to 1,000,000 if none is given
 *
 * One line of JSON a figure: the median of 7 runs, the least and the most, in ns an operation
 * (bytes a range for the figures named so).  Ranges are laid out as areas are: 1 to 64 pages,
 * half of them with a gap of 1 to 16 pages in front, one gap in 100 of 64 to 256.
 *
 * "lookup" are independent of one another, so the processor works on several at a time; each
 * of "lookup, dependent" needs the result of the one before, which is what one costs to wait
 * for.  Both include the RCU read lock.  "insert+erase" publishes twice a pair.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ds/range_tree.h"

#define RUNS		7
#define RUN_NS		20000000u
#define BATCH		1024u
#define NR_ADDRS	(1u << 16)
#define PAGE		4096ul

static struct range_tree tree;
static struct rt_entry *ranges;
static size_t nr_ranges;
static unsigned long *addrs;		/* each in a random range */
static uint64_t rng = 88172645463325252ull;

static uint64_t next_random(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *need(void *p)
{
	if (!p) {
		fprintf(stderr, "ds_bench: out of memory\n");
		exit(3);
	}
	return p;
}

static void add(size_t i)
{
	const struct rt_entry *e = &ranges[i];

	if (rt_reserve(&tree, 0, 1))
		need(NULL);
	rt_insert(&tree, e->start, e->end, e->item, e->tag);
	rt_publish(&tree);
}

static void remove_one(size_t i)
{
	if (rt_reserve(&tree, 1, 0))
		need(NULL);
	rt_erase(&tree, ranges[i].start);
	rt_publish(&tree);
}

static void lay_out(size_t n)
{
	unsigned long at = 0x10000000;

	nr_ranges = n;
	ranges = need(calloc(n, sizeof(*ranges)));
	addrs = need(calloc(NR_ADDRS, sizeof(*addrs)));
	for (size_t i = 0; i < n; i++) {
		if (next_random() % 100 == 0)
			at += PAGE * (64 + next_random() % 192);
		else if (next_random() & 1)
			at += PAGE * (1 + next_random() % 16);
		ranges[i].start = at;
		at += PAGE * (1 + next_random() % 64);
		ranges[i].end = at;
		ranges[i].item = &ranges[i];
	}
	for (size_t i = 0; i < NR_ADDRS; i++) {
		const struct rt_entry *e = &ranges[next_random() % n];

		addrs[i] = e->start + next_random() % (e->end - e->start);
	}
}

static void fill_at_random(void)
{
	size_t *order = need(calloc(nr_ranges, sizeof(*order)));

	for (size_t i = 0; i < nr_ranges; i++) {
		size_t j = next_random() % (i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	for (size_t i = 0; i < nr_ranges; i++)
		add(order[i]);
	free(order);
}

/* -------------------------------------------------------------------- the operations -- */

/* Each does BATCH of something and returns a number that depends on all of it. */
typedef unsigned long (*op_fn)(size_t from);

static unsigned long op_lookup(size_t from)
{
	unsigned long found = 0;

	for (size_t i = 0; i < BATCH; i++) {
		struct rt_entry e;

		port_rcu_read_lock();
		found += rt_lookup_rcu(&tree, addrs[(from + i) % NR_ADDRS], &e);
		port_rcu_read_unlock();
	}
	return found;
}

static unsigned long op_lookup_dependent(size_t from)
{
	unsigned long zero = 0, found = 0;

	for (size_t i = 0; i < BATCH; i++) {
		struct rt_entry e = { 0 };

		port_rcu_read_lock();
		found += rt_lookup_rcu(&tree, addrs[(from + i) % NR_ADDRS] + zero, &e);
		port_rcu_read_unlock();
		zero = e.tag;
	}
	return found;
}

static unsigned long op_iterate(size_t from)
{
	unsigned long sum = 0;
	struct rt_entry e;
	struct rt_iter it;

	port_rcu_read_lock();
	rt_iter_init(&it, rt_snapshot_rcu(&tree), addrs[from % NR_ADDRS]);
	for (size_t i = 0; i < BATCH; i++) {
		if (!rt_iter_next(&it, &e))
			rt_iter_init(&it, rt_snapshot_rcu(&tree), 0);
		sum += e.start;
	}
	port_rcu_read_unlock();
	return sum;
}

static unsigned long op_insert_erase(size_t from)
{
	for (size_t i = 0; i < BATCH; i++) {
		size_t r = (from + i) * 2654435761u % nr_ranges;

		remove_one(r);
		add(r);
	}
	return 1;
}

static unsigned long op_update(size_t from)
{
	for (size_t i = 0; i < BATCH; i++) {
		const struct rt_entry *e = &ranges[(from + i) * 2654435761u % nr_ranges];

		if (rt_reserve(&tree, 1, 0))
			need(NULL);
		rt_update(&tree, e->start, e->start, e->end, e->item, e->tag);
		rt_publish(&tree);
	}
	return 1;
}

/* 64 pages, at or below a random address: as mremap() and hints look for a place. */
static unsigned long op_gap_last(size_t from)
{
	unsigned long sum = 0;
	struct rt_range gap;

	for (size_t i = 0; i < BATCH; i++)
		if (rt_gap_last(&tree, PAGE, addrs[(from + i) % NR_ADDRS], 64 * PAGE, &gap))
			sum += gap.start;
	return sum;
}

static unsigned long op_gap_first(size_t from)
{
	unsigned long sum = 0;
	struct rt_range gap;

	for (size_t i = 0; i < BATCH; i++)
		if (rt_gap_first(&tree, addrs[(from + i) % NR_ADDRS], ~0ul, 64 * PAGE, &gap))
			sum += gap.start;
	return sum;
}

/* -------------------------------------------------------------------------- measuring -- */

struct worker {
	pthread_t thread;
	pthread_barrier_t *barrier;
	op_fn op;
	size_t from;
	int cpu;
	double ns;			/* an operation */
	unsigned long sum;		/* keeps the compiler from dropping the work */
};

static void *run_worker(void *arg)
{
	struct worker *w = arg;
	uint64_t start, now;
	size_t done = 0;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(w->cpu, &set);
	/* Where there is one CPU only the threads share it, and the figure shows it. */
	(void)sched_setaffinity(0, sizeof(set), &set);
	pthread_barrier_wait(w->barrier);
	start = now_ns();
	do {
		w->sum += w->op(w->from + done);
		done += BATCH;
		now = now_ns();
	} while (now - start < RUN_NS);
	w->ns = (double)(now - start) / (double)done;
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void print(const char *name, int threads, double *ns, size_t nr)
{
	qsort(ns, nr, sizeof(*ns), by_value);
	printf("{\"name\": \"%s\", \"n\": %zu, \"threads\": %d, \"ns\": %.2f, \"min\": %.2f, "
	       "\"max\": %.2f}\n", name, nr_ranges, threads, ns[nr / 2], ns[0], ns[nr - 1]);
	fflush(stdout);
}

/* One thread for each operation that is not NULL; the first run warms up. */
static void measure(const char *name, op_fn op, const char *other_name, op_fn other)
{
	const int threads = other ? 2 : 1;
	double ns[2][RUNS];

	for (int run = -1; run < RUNS; run++) {
		pthread_barrier_t barrier;
		struct worker w[2];

		pthread_barrier_init(&barrier, NULL, (unsigned int)threads);
		for (int i = 0; i < threads; i++) {
			w[i] = (struct worker){ .barrier = &barrier, .op = i ? other : op, .cpu = i,
						.from = (size_t)(run + 1) * 104729u + (size_t)i * 7919u };
			if (pthread_create(&w[i].thread, NULL, run_worker, &w[i]))
				need(NULL);
		}
		for (int i = 0; i < threads; i++) {
			pthread_join(w[i].thread, NULL);
			if (run >= 0)
				ns[i][run] = w[i].ns;
		}
		pthread_barrier_destroy(&barrier);
	}
	if (op == other)
		for (int run = 0; run < RUNS; run++)
			ns[0][run] = (ns[0][run] + ns[1][run]) / 2;
	print(name, threads, ns[0], RUNS);
	if (other && op != other)
		print(other_name, threads, ns[1], RUNS);
}

static void print_bytes(const char *name)
{
	double bytes;

	port_rcu_barrier();
	rt_trim(&tree);
	bytes = (double)rt_memory_bytes(&tree) / (double)nr_ranges;
	print(name, 1, &bytes, 1);
}

/* A whole tree removed by one call, an entry's share of that. */
static void measure_erase_range(void)
{
	double ns[RUNS];

	for (int run = 0; run < RUNS; run++) {
		uint64_t start = now_ns();

		if (rt_reserve(&tree, 2, 0))
			need(NULL);
		rt_erase_range(&tree, 0, ~0ul);
		ns[run] = (double)(now_ns() - start) / (double)nr_ranges;
		rt_abort(&tree);
	}
	print("erase_range of all, a range", 1, ns, RUNS);
}

static void bench(size_t n)
{
	lay_out(n);
	rt_init(&tree);
	for (size_t i = n; i-- > 0; )
		add(i);
	print_bytes("bytes a range, filled downward");
	rt_destroy(&tree);
	rt_init(&tree);
	fill_at_random();
	print_bytes("bytes a range, filled at random");
	measure("lookup", op_lookup, NULL, NULL);
	measure("lookup", op_lookup, NULL, op_lookup);
	measure("lookup, dependent", op_lookup_dependent, NULL, NULL);
	measure("iterate, a range", op_iterate, NULL, NULL);
	measure("insert+erase", op_insert_erase, NULL, NULL);
	measure("update", op_update, NULL, NULL);
	measure("lookup beside a writer", op_lookup, "insert+erase beside a reader",
		op_insert_erase);
	measure("free range below an address", op_gap_last, NULL, NULL);
	measure("free range above an address", op_gap_first, NULL, NULL);
	measure_erase_range();
	rt_destroy(&tree);
	free(ranges);
	free(addrs);
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = { 10, 100, 1000, 10000, 100000, 1000000 };

	for (int i = 1; i < argc; i++) {
		char *end;
		unsigned long n = strtoul(argv[i], &end, 10);

		if (!n || *end || n > 100000000) {
			fprintf(stderr, "usage: ds_bench [NR_RANGES...]\n"
				"%s: not a number from 1 to 100000000\n", argv[i]);
			return 2;
		}
		bench(n);
	}
	for (size_t i = 0; argc == 1 && i < ARRAY_SIZE(sizes); i++)
		bench(sizes[i]);
	return 0;
}
