/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What a memory call costs: the library's beside the running kernel's system calls, in turn.
 *
 * The kernel does more: page tables, mmu notifiers, the way in and out.  What is compared is what an
 * embedder saves who tracks areas here and does not ask the host.
 *
 * Each figure is the median of 9 runs of at least 30 ms, ns an operation, one line of JSON.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <vmarea/vmarea.h>

#define RUNS		9
#define RUN_NS		30000000ull
#define PAGE		4096ul

static struct vmarea *instance;
static struct mm_user *mm;
static char *window;			/* the kernel's, reserved, so that both sides have room */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void must(int ok)
{
	if (!ok)
		abort();
}

#define RW	(PROT_READ | PROT_WRITE)
#define ANON	(MAP_PRIVATE | MAP_ANONYMOUS)

/* ------------------------------------------------------------- the library -- */

static void our_mmap_munmap(void)
{
	long addr = mm_mmap(mm, 0, PAGE, RW, ANON, NULL, 0);

	must(addr > 0);
	must(!mm_munmap(mm, (unsigned long)addr, PAGE));
}

static void our_mprotect(void)
{
	must(!mm_mprotect(mm, 0x40000000 + 4 * PAGE, PAGE, PROT_READ));
	must(!mm_mprotect(mm, 0x40000000 + 4 * PAGE, PAGE, RW));
}

static void our_mremap(void)
{
	must(mm_mremap(mm, 0x50000000, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, 0x50100000) > 0);
	must(mm_mremap(mm, 0x50100000, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, 0x50000000) > 0);
}

static void our_lock_vma(void)
{
	struct vma_ref *vma = lock_vma_under_rcu(mm, 0x40000000);

	must(vma != NULL);
	vma_end_read(vma);
}

static void our_range_ok(void)
{
	must(mm_range_ok(mm, 0x40000000, PAGE, PROT_READ));
}

static void our_fork(void)
{
	struct mm_user *child;

	must(!mm_fork(mm, &child));
	mmput(child);
}

/* --------------------------------------------------------------- the kernel -- */

static void their_mmap_munmap(void)
{
	void *p = mmap(NULL, PAGE, RW, ANON, -1, 0);

	must(p != MAP_FAILED);
	must(!munmap(p, PAGE));
}

static void their_mprotect(void)
{
	must(!mprotect(window + 4 * PAGE, PAGE, PROT_READ));
	must(!mprotect(window + 4 * PAGE, PAGE, RW));
}

static void their_mremap(void)
{
	char *from = window + 0x100000, *to = window + 0x200000;

	must(mremap(from, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	must(mremap(to, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, from) == from);
}

/* ---------------------------------------------------------------- measuring -- */

static double run(void (*op)(void))
{
	uint64_t start = now_ns(), t;
	unsigned long done = 0;

	do {
		for (int i = 0; i < 64; i++)
			op();
		done += 64;
		t = now_ns();
	} while (t - start < RUN_NS);
	return (double)(t - start) / (double)done;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void print(const char *who, const char *what, unsigned long areas, double *ns)
{
	qsort(ns, RUNS, sizeof(ns[0]), by_value);
	printf("{\"index\": \"%s\", \"what\": \"%s\", \"n\": %lu, \"threads\": 1, \"ns\": %.1f, "
	       "\"min\": %.1f, \"max\": %.1f}\n", who, what, areas, ns[RUNS / 2], ns[0],
	       ns[RUNS - 1]);
	fflush(stdout);
}

/* One run of each in turn, so that both see the same machine. */
static void compare(const char *what, unsigned long areas, void (*ours)(void), void (*theirs)(void))
{
	double a[RUNS], b[RUNS];

	run(ours);
	for (int i = 0; i < RUNS; i++) {
		a[i] = run(ours);
		b[i] = theirs ? run(theirs) : 0;
	}
	print("vmarea", what, areas, a);
	if (theirs)
		print("kernel", what, areas, b);
}

/* @nr areas that do not merge, as far from the ones that are measured as the window goes. */
static void crowd(unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++)
		must(mm_mmap(mm, 0x100000000ul + 2 * i * PAGE, PAGE, PROT_READ, ANON | MAP_FIXED, NULL,
			     0) > 0);
}

int main(void)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;
	struct mm_config mm_config = MM_CONFIG_INIT;
	struct mm_stats stats;

	must(!vmarea_create(&config, &instance));
	must(!mm_create(instance, &mm_config, &mm));
	must(mm_mmap(mm, 0x40000000, 16 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) > 0);
	must(mm_mmap(mm, 0x50000000, PAGE, RW, ANON | MAP_FIXED, NULL, 0) > 0);
	window = mmap(NULL, 0x400000, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
	must(window != MAP_FAILED);
	must(mmap(window, 16 * PAGE, RW, ANON | MAP_FIXED, -1, 0) == window);
	must(munmap(window + 0x100000, 0x300000) == 0);
	must(mmap(window + 0x100000, PAGE, RW, ANON | MAP_FIXED, -1, 0) != MAP_FAILED);
	crowd(28);

	compare("mmap+munmap", 30, our_mmap_munmap, their_mmap_munmap);
	compare("mprotect split+merge", 30, our_mprotect, their_mprotect);
	compare("mremap there and back", 30, our_mremap, their_mremap);
	compare("lock_vma_under_rcu+vma_end_read", 30, our_lock_vma, NULL);
	compare("mm_range_ok", 30, our_range_ok, NULL);
	compare("fork+exit of the areas", 30, our_fork, NULL);
	crowd(10000);
	compare("mmap+munmap", 10000, our_mmap_munmap, NULL);
	compare("lock_vma_under_rcu+vma_end_read", 10000, our_lock_vma, NULL);
	mm_get_stats(mm, &stats);
	printf("{\"index\": \"vmarea\", \"what\": \"bytes an area, all told\", \"n\": %lu, "
	       "\"threads\": 1, \"ns\": %.1f}\n", stats.nr_areas,
	       (double)stats.bytes / (double)stats.nr_areas);
	mmput(mm);
	vmarea_destroy(instance);
	return 0;
}
