/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What frames and page tables cost: ns an operation, the median of 9 runs of at least 20 ms, and in
 * brackets the least and the most.
 *
 *	pages_bench [WORDS]	only the lines that contain WORDS
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "phys/phys.h"

#define RUNS		9
#define RUN_NS		20000000ull

static const char *only;

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* ---------------------------------------------------------------- measuring -- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* ns for one call of op() that does @per operations. */
static double one_run(void (*op)(void *arg), void *arg, unsigned long per)
{
	u64 start = port_now_ns(), now;
	unsigned long done = 0;

	do {
		for (int i = 0; i < 16; i++)
			op(arg);
		done += 16 * per;
		now = port_now_ns();
	} while (now - start < RUN_NS);
	return (double)(now - start) / (double)done;
}

static void report(const char *what, double *ns)
{
	qsort(ns, RUNS, sizeof(ns[0]), by_value);
	printf("%-44s %8.1f  [%.1f..%.1f]\n", what, ns[RUNS / 2], ns[0], ns[RUNS - 1]);
	fflush(stdout);
}

static bool wanted(const char *what)
{
	return !only || strstr(what, only);
}

static void measure(const char *what, void (*op)(void *arg), void *arg, unsigned long per)
{
	double ns[RUNS];

	if (!wanted(what))
		return;
	one_run(op, arg, per);
	for (int i = 0; i < RUNS; i++)
		ns[i] = one_run(op, arg, per);
	report(what, ns);
}

struct racer {
	void (*op)(void *arg);
	void *arg;
	unsigned long per;
	double ns;
};

static void *race(void *arg)
{
	struct racer *r = arg;

	r->ns = one_run(r->op, r->arg, r->per);
	return NULL;
}

/* Two threads at once, each with an argument of its own: ns of one of them an operation. */
static void measure_two(const char *what, void (*op)(void *arg), void *a, void *b, unsigned long per)
{
	double ns[RUNS];

	if (!wanted(what))
		return;
	for (int i = 0; i < RUNS; i++) {
		struct racer left = { op, a, per, 0 }, right = { op, b, per, 0 };
		pthread_t thread;

		must(!pthread_create(&thread, NULL, race, &left));
		race(&right);
		must(!pthread_join(thread, NULL));
		ns[i] = (left.ns + right.ns) / 2;
	}
	report(what, ns);
}

/* ------------------------------------------------------------------- frames -- */

static struct arena *arena;

static void alloc_free(void *arg)
{
	(void)arg;
	for (int i = 0; i < 64; i++) {
		struct page *page = page_alloc(arena, 0, PAGE_ANYTHING);

		must(page);
		page_put(page);
	}
}

/* Past what a cache holds, so that refills and spills are in it. */
static void alloc_free_256(void *arg)
{
	struct page *pages[256];

	(void)arg;
	for (int i = 0; i < 256; i++)
		pages[i] = page_alloc(arena, 0, PAGE_ANYTHING);
	for (int i = 0; i < 256; i++)
		page_put(pages[i]);
}

static void alloc_free_zeroed(void *arg)
{
	(void)arg;
	for (int i = 0; i < 64; i++)
		page_put(page_alloc(arena, 0, PAGE_ZEROED));
}

static void alloc_free_2m(void *arg)
{
	(void)arg;
	page_put(page_alloc(arena, PAGE_MAX_ORDER, PAGE_ANYTHING));
}

static void get_put(void *arg)
{
	for (int i = 0; i < 64; i++) {
		page_get(arg);
		page_put(arg);
	}
}

static void frames(void)
{
	struct page *page;

	must(!arena_create(256ul << 20, &arena));
	measure("alloc+free", alloc_free, NULL, 64);
	measure_two("alloc+free, each of two threads", alloc_free, NULL, NULL, 64);
	measure("alloc+free, 256 at once", alloc_free_256, NULL, 256);
	measure_two("alloc+free, 256 at once, each of two threads", alloc_free_256, NULL, NULL, 256);
	measure("alloc+free, zeroed", alloc_free_zeroed, NULL, 64);
	measure("alloc+free, 2 MiB", alloc_free_2m, NULL, 1);
	page = page_alloc(arena, 0, PAGE_ANYTHING);
	measure("get+put", get_put, page, 64);
	page_put(page);
	arena_destroy(arena);
}

int main(int argc, char **argv)
{
	only = argc > 1 ? argv[1] : NULL;
	frames();
	return 0;
}
