/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What frames and page tables cost: ns an operation, the median of 9 runs of at least 20 ms, and in
 * brackets the least and the most.
 *
 * Time is the thread's CPU time, so that what else the machine does counts little.  Lines that two
 * threads write are in it; sleep at a lock is not.
 *
 *	pages_bench [WORDS]	only the lines that contain WORDS
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pgtable/pgtable.h"

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

static u64 cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (u64)t.tv_sec * 1000000000ull + (u64)t.tv_nsec;
}

/* ns for one call of op() that does @per operations. */
static double one_run(void (*op)(void *arg), void *arg, unsigned long per)
{
	u64 start = cpu_ns(), now;
	unsigned long done = 0;

	do {
		for (int i = 0; i < 16; i++)
			op(arg);
		done += 16 * per;
		now = cpu_ns();
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
static void measure_two(const char *what, void (*op)(void *arg), void *a, void *b,
			unsigned long per)
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
	measure_two("alloc+free, 256 at once, each of two threads", alloc_free_256, NULL, NULL,
		    256);
	measure("alloc+free, zeroed", alloc_free_zeroed, NULL, 64);
	measure("alloc+free, 2 MiB", alloc_free_2m, NULL, 1);
	page = page_alloc(arena, 0, PAGE_ANYTHING);
	measure("get+put", get_put, page, 64);
	page_put(page);
	arena_destroy(arena);
}

/* -------------------------------------------------------------- page tables -- */

#define BASE		0x7f0000000000ul
#define SPAN_PAGES	(4 * PT_ENTRIES)	/* 8 MiB: four PTE tables */
#define ATTRS		(PT_READ | PT_WRITE | PT_USER | PT_ACCESSED)

static struct pgtable pt;

static void install(unsigned long addr, struct page *page)
{
	must(!pt_install(&pt, NULL, addr, PT_PTE, PTE_NONE,
			 pte_leaf(pt.format, PT_PTE, page_pfn(page), ATTRS)));
}

static void zap(struct pgtable *from, unsigned long start, unsigned long end)
{
	struct mmu_gather gather;

	mmu_gather_init(&gather, from, NULL, NULL);
	pt_zap_range(&gather, start, end);
	mmu_gather_flush(&gather);
}

/* One page at a time: what a fault and an munmap() do, without the frame's zeroing. */
static void install_zap(void *arg)
{
	unsigned long base = (uintptr_t)arg;

	for (unsigned long i = 0; i < 64; i++) {
		unsigned long addr = base + i * PAGE_SIZE;

		install(addr, page_alloc(arena, 0, PAGE_ANYTHING));
		zap(&pt, addr, addr + PAGE_SIZE);
	}
}

/* 512 pages one after another, then zapped in one. */
static void install_zap_512(void *arg)
{
	unsigned long base = (uintptr_t)arg;

	for (unsigned long i = 0; i < PT_ENTRIES; i++)
		install(base + i * PAGE_SIZE, page_alloc(arena, 0, PAGE_ANYTHING));
	zap(&pt, base, base + PMD_SIZE);
}

static void fill(void)
{
	for (unsigned long i = 0; i < SPAN_PAGES; i++)
		install(BASE + i * PAGE_SIZE, page_alloc(arena, 0, PAGE_ANYTHING));
}

static void look(void *arg)
{
	unsigned int level;

	(void)arg;
	for (unsigned long i = 0; i < SPAN_PAGES; i++)
		must(!pte_none(pt_look(&pt, BASE + i * PAGE_SIZE, &level)));
}

static void gup(void *arg)
{
	unsigned long first = (uintptr_t)arg;

	for (unsigned long i = first; i < first + PT_ENTRIES; i++)
		page_put(gup_fast(&pt, BASE + i * PAGE_SIZE, PT_READ));
}

static int count_entry(void *arg, unsigned long addr, unsigned int level, pte_t entry)
{
	(void)addr;
	(void)level;
	(void)entry;
	++*(unsigned long *)arg;
	return 0;
}

static void walk(void *arg)
{
	unsigned long nr = 0;

	(void)arg;
	must(!pt_walk(&pt, BASE, BASE + SPAN_PAGES * PAGE_SIZE, count_entry, &nr));
	must(nr == SPAN_PAGES);
}

static void protect(void *arg)
{
	(void)arg;
	pt_protect_range(&pt, BASE, BASE + SPAN_PAGES * PAGE_SIZE, PT_READ);
	pt_protect_range(&pt, BASE, BASE + SPAN_PAGES * PAGE_SIZE, PT_READ | PT_EXEC);
}

static int share(struct pt_copy *copy, unsigned long addr, unsigned int level, pte_t entry,
		 struct page *page)
{
	(void)copy;
	(void)addr;
	(void)level;
	(void)entry;
	(void)page;
	return PT_COPY_COW;
}

/* A child's tables and their end as well. */
static void copy_zap(void *arg)
{
	struct pt_config config = { .arena = arena, .format = pt.format, .levels = pt.levels };
	struct pgtable child;
	struct pt_copy copy = { .from = &pt, .to = &child, .decide = share };
	struct mmu_gather gather;

	(void)arg;
	must(!pt_create(&child, &config));
	must(!pt_copy_range(&copy, BASE, BASE + SPAN_PAGES * PAGE_SIZE));
	mmu_gather_init(&gather, &child, NULL, NULL);
	pt_zap_range(&gather, 0, pt_limit(&child));
	pt_free_tables(&gather, 0, pt_limit(&child));
	mmu_gather_flush(&gather);
	pt_destroy(&child);
}

/* There and back: 8 MiB, as whole tables or entry by entry. */
static void move(unsigned long to)
{
	const unsigned long bytes = SPAN_PAGES * PAGE_SIZE;
	struct pt_stash stash = { 0 };

	must(!pt_move_prepare(&pt, &stash, BASE, to, bytes));
	pt_move_range(&pt, &stash, BASE, to, bytes);
	pt_stash_empty(&stash);
	must(!pt_move_prepare(&pt, &stash, to, BASE, bytes));
	pt_move_range(&pt, &stash, to, BASE, bytes);
	pt_stash_empty(&stash);
}

static void move_tables(void *arg)
{
	(void)arg;
	move(BASE - (1ul << 30));
}

static void move_entries(void *arg)
{
	(void)arg;
	move(BASE - (2ul << 30) + PAGE_SIZE);
}

static void tables(void)
{
	struct pt_config config = { .format = &pt_format_x86_64, .levels = 4 };

	must(!arena_create(256ul << 20, &arena));
	config.arena = arena;
	must(!pt_create(&pt, &config));
	measure("install+zap", install_zap, (void *)BASE, 64);
	measure_two("install+zap, each of two threads", install_zap, (void *)BASE,
		    (void *)(BASE + PMD_SIZE), 64);
	measure("install, zap of 512", install_zap_512, (void *)BASE, PT_ENTRIES);
	zap(&pt, 0, pt_limit(&pt));
	fill();
	printf("%-44s %8.0f\n", "bytes of tables for a MiB of 8 MiB",
	       (double)(pt.nr_tables + 1) * PAGE_SIZE / (SPAN_PAGES * PAGE_SIZE >> 20));
	measure("look", look, NULL, SPAN_PAGES);
	measure("gup_fast+put", gup, 0, PT_ENTRIES);
	measure_two("gup_fast+put, each of two threads", gup, 0, (void *)PT_ENTRIES, PT_ENTRIES);
	measure("walk, an entry", walk, NULL, SPAN_PAGES);
	measure("protect, an entry", protect, NULL, 2 * SPAN_PAGES);
	measure("copy and zap of the copy, an entry", copy_zap, NULL, SPAN_PAGES);
	measure("move of whole tables, a table", move_tables, NULL, 2 * SPAN_PAGES / PT_ENTRIES);
	measure("move of entries, an entry", move_entries, NULL, 2 * SPAN_PAGES);
	zap(&pt, 0, pt_limit(&pt));
}

int main(int argc, char **argv)
{
	only = argc > 1 ? argv[1] : NULL;
	frames();
	tables();
	return 0;
}
