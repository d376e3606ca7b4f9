/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What a soft TLB and a window of the host cost, beside what a program would do without: ns of CPU
 * time an operation, the median of 9 runs, in brackets the least and the most; and the same of the
 * ratios to the line before.  Both of a pair are measured in turn, run by run.
 *
 *	mmu_bench [WORDS]	only the pairs that contain WORDS
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "mmu/host.h"
#include "mmu/soft.h"

#define RUNS		9
#define RUN_NS		10000000ull
#define START		(PMD_SIZE * 16)
#define WORKING_SET	(4ul << 20)
#define HOST_PAGES	512ul

static const char *only;
static struct arena *arena;
static struct pgtable pt;
static struct mmu mmu;
static struct soft_tlb *tlb, *tiny;
static struct soft_tlb_space *space, *tiny_space;
static struct host_window *window;
static volatile u64 sink;

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* -------------------------------------------------------------------------------- measuring -- */

struct side {
	const char *what;
	unsigned long (*op)(void);		/* how many operations it was */
	double ns[RUNS];
};

/* This thread's time on a CPU: others may be running on it as well. */
static u64 cpu_ns(void)
{
	struct timespec now;

	must(!clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now));
	return (u64)now.tv_sec * 1000000000 + (u64)now.tv_nsec;
}

static void one_run(struct side *s, int run)
{
	u64 start = cpu_ns(), now;
	unsigned long done = 0;

	do {
		done += s->op();
		now = cpu_ns();
	} while (now - start < RUN_NS);
	s->ns[run] = (double)(now - start) / (double)done;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Sorted afterwards. */
static double median(double *values)
{
	qsort(values, RUNS, sizeof(values[0]), by_value);
	return values[RUNS / 2];
}

static void print_side(struct side *s)
{
	double middle = median(s->ns);

	printf("%-50s %8.2f  [%.2f..%.2f]", s->what, middle, s->ns[0], s->ns[RUNS - 1]);
}

/* @base's op may be NULL: nothing to compare with.  The ratio is that of each pair of runs. */
static void compare(struct side base, struct side ours)
{
	double ratios[RUNS], middle;

	if (only && !strstr(ours.what, only) && !(base.what && strstr(base.what, only)))
		return;
	/* The first is to warm up. */
	for (int run = -1; run < RUNS; run++) {
		int at = run < 0 ? 0 : run;

		if (base.op)
			one_run(&base, at);
		one_run(&ours, at);
		ratios[at] = base.op ? ours.ns[at] / base.ns[at] : 1;
	}
	middle = median(ratios);
	if (base.op) {
		print_side(&base);
		printf("\n");
	}
	print_side(&ours);
	if (base.op)
		printf("  ratio %.2f [%.2f..%.2f]", middle, ratios[0], ratios[RUNS - 1]);
	printf("\n");
	fflush(stdout);
}

/* ---------------------------------------------------------------------------- the soft TLB -- */

#define LOADS		4096u
#define A_BLOCK		8u			/* accesses from one safepoint to the next */

static char *plain;

static inline u64 next(u64 at)
{
	return at * 6364136223846793005ull + 1442695040888963407ull;
}

static inline u64 random_offset(u64 *at)
{
	*at = next(*at);
	return (*at >> 33) % (WORKING_SET / 8) * 8;
}

static unsigned long plain_random(void)
{
	u64 at = 1, sum = 0;

	for (unsigned int i = 0; i < LOADS; i++)
		sum += *(volatile u64 *)(plain + random_offset(&at));
	sink = sum;
	return LOADS;
}

static unsigned long soft_random(void)
{
	u64 at = 1, sum = 0, value = 0;

	soft_tlb_begin(tlb);
	for (unsigned int i = 0; i < LOADS; i++) {
		if (i % A_BLOCK == 0)
			soft_tlb_poll(tlb);
		must(soft_tlb_load(tlb, START + random_offset(&at), &value, 8));
		sum += value;
	}
	soft_tlb_end(tlb);
	sink = sum;
	return LOADS;
}

static unsigned long plain_sequential(void)
{
	u64 sum = 0;

	for (unsigned int i = 0; i < LOADS; i++)
		sum += *(volatile u64 *)(plain + i * 8);
	sink = sum;
	return LOADS;
}

static unsigned long soft_sequential(void)
{
	u64 sum = 0, value = 0;

	soft_tlb_begin(tlb);
	for (unsigned int i = 0; i < LOADS; i++) {
		if (i % A_BLOCK == 0)
			soft_tlb_poll(tlb);
		must(soft_tlb_load(tlb, START + i * 8, &value, 8));
		sum += value;
	}
	soft_tlb_end(tlb);
	sink = sum;
	return LOADS;
}

/* What is loaded decides where the next load goes: the latency of a hit. */
static unsigned long plain_dependent(void)
{
	u64 at = 0;

	for (unsigned int i = 0; i < LOADS; i++)
		at = *(volatile u64 *)(plain + (at + i * 72) % 16384);
	sink = at;
	return LOADS;
}

static unsigned long soft_dependent(void)
{
	u64 at = 0;

	soft_tlb_begin(tlb);
	for (unsigned int i = 0; i < LOADS; i++) {
		if (i % A_BLOCK == 0)
			soft_tlb_poll(tlb);
		must(soft_tlb_load(tlb, START + (at + i * 72) % 16384, &at, 8));
	}
	soft_tlb_end(tlb);
	sink = at;
	return LOADS;
}

static unsigned long plain_store(void)
{
	u64 at = 1;

	for (unsigned int i = 0; i < LOADS; i++)
		*(volatile u64 *)(plain + random_offset(&at)) = 0;
	return LOADS;
}

static unsigned long soft_store(void)
{
	u64 at = 1, value = 0;

	soft_tlb_begin(tlb);
	for (unsigned int i = 0; i < LOADS; i++) {
		if (i % A_BLOCK == 0)
			soft_tlb_poll(tlb);
		must(soft_tlb_store(tlb, START + random_offset(&at), &value, 8));
	}
	soft_tlb_end(tlb);
	return LOADS;
}

/* A section for one access. */
static unsigned long soft_bracketed(void)
{
	u64 at = 1, value = 0;

	for (unsigned int i = 0; i < LOADS; i++) {
		soft_tlb_begin(tlb);
		must(soft_tlb_load(tlb, START + random_offset(&at), &value, 8));
		soft_tlb_end(tlb);
		sink = value;
	}
	return LOADS;
}

/* 16 entries for 64 pages. */
static unsigned long soft_miss(void)
{
	u64 value;

	soft_tlb_begin(tiny);
	for (unsigned int i = 0; i < LOADS; i++)
		must(soft_tlb_load(tiny, START + i % 64 * PAGE_SIZE, &value, 8));
	soft_tlb_end(tiny);
	return LOADS;
}

/* The tables are not changed: what it costs to tell two TLBs and a window. */
static unsigned long invalidate_unused(void)
{
	for (unsigned int i = 0; i < 64; i++)
		mmu.ops.invalidate(&pt, START + WORKING_SET, START + WORKING_SET + PAGE_SIZE,
				   MMU_LEAVES);
	return 64;
}

/* ------------------------------------------------------------------------------- the window -- */

static char *bare;
static int bare_fd;
static unsigned long bare_run = 1;		/* pages that the handler maps */
static unsigned long shuffled[HOST_PAGES];

/* The least that a program can do about a fault. */
static void bare_handler(int sig, siginfo_t *info, void *context)
{
	unsigned long page = ((unsigned long)info->si_addr - (unsigned long)bare) >> PAGE_SHIFT;
	unsigned long file_page = bare_run == 1 ? shuffled[page] : ALIGN_DOWN(page, bare_run);

	(void)sig;
	(void)context;
	page = ALIGN_DOWN(page, bare_run);
	if (mmap(bare + page * PAGE_SIZE, bare_run * PAGE_SIZE, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED | MAP_POPULATE, bare_fd,
		 (off_t)(file_page * PAGE_SIZE)) == MAP_FAILED)
		abort();
}

static void bare_reset(void)
{
	must(mmap(bare, HOST_PAGES * PAGE_SIZE, PROT_NONE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != MAP_FAILED);
}

static unsigned long touch_bare(unsigned long run)
{
	struct sigaction mine = { .sa_sigaction = bare_handler, .sa_flags = SA_SIGINFO }, before;

	bare_run = run;
	must(!sigaction(SIGSEGV, &mine, &before));
	for (unsigned long i = 0; i < HOST_PAGES; i++)
		*(volatile u64 *)(bare + i * PAGE_SIZE) = i;
	must(!sigaction(SIGSEGV, &before, NULL));
	bare_reset();
	return HOST_PAGES;
}

static unsigned long bare_single(void)
{
	return touch_bare(1);
}

static unsigned long bare_sixteen(void)
{
	return touch_bare(16);
}

static unsigned long touch_window(unsigned long start)
{
	volatile char *at = host_window_at(window, start);

	for (unsigned long i = 0; i < HOST_PAGES; i++)
		*(volatile u64 *)(at + i * PAGE_SIZE) = i;
	host_window_drop(window);
	return HOST_PAGES;
}

#define SCATTERED	(START + 2 * WORKING_SET)
#define SIDE_BY_SIDE	(SCATTERED + PMD_SIZE)

static unsigned long window_single(void)
{
	return touch_window(SCATTERED);
}

static unsigned long window_sixteen(void)
{
	return touch_window(SIDE_BY_SIDE);
}

/* ---------------------------------------------------------------------------------- set-up -- */

static enum mm_fault resolve(struct mmu *m, unsigned long addr, enum mm_access access)
{
	(void)m;
	(void)addr;
	(void)access;
	return MM_FAULT_MAPERR;
}

static void map(unsigned long addr, unsigned long pfn)
{
	const u32 attrs = PT_READ | PT_WRITE | PT_USER | PT_ACCESSED | PT_DIRTY;

	must(!pt_install(&pt, NULL, addr, PT_PTE, PTE_NONE,
			 pte_leaf(pt.format, PT_PTE, pfn, attrs)));
}

/* 2 MiB of frames, in the order of @order, or side by side if that is NULL. */
static void map_block(unsigned long addr, const unsigned long *order)
{
	struct page *block = page_alloc(arena, PAGE_MAX_ORDER, PAGE_ZEROED);

	must(block);
	must(page_try_split(block, 1));
	for (unsigned long i = 0; i < HOST_PAGES; i++)
		map(addr + i * PAGE_SIZE, page_pfn(block) + (order ? order[i] : i));
}

static void make_space(void)
{
	struct pt_config config = { .format = &pt_format_x86_64, .levels = 4, .mmu = &mmu.ops };
	struct host_window_config window_config = {
		.size = sizeof(window_config), .start = START, .bytes = 64ul << 20,
	};

	must(!arena_create(64ul << 20, &arena));
	config.arena = arena;
	mmu_init(&mmu, &pt, resolve);
	must(!pt_create(&pt, &config));
	/* An odd stride: each page once, none beside the one before. */
	for (unsigned long i = 0; i < HOST_PAGES; i++)
		shuffled[i] = i * 205 % HOST_PAGES;
	for (unsigned long at = 0; at < WORKING_SET; at += PMD_SIZE)
		map_block(START + at, NULL);
	map_block(SCATTERED, shuffled);
	map_block(SIDE_BY_SIDE, NULL);
	must(!soft_tlb_create(10, &tlb) && !soft_tlb_create(4, &tiny));
	must(!soft_tlb_attach(tlb, &mmu, &space) && !soft_tlb_attach(tiny, &mmu, &tiny_space));
	soft_tlb_switch(tlb, space);
	soft_tlb_switch(tiny, tiny_space);
	must(!host_window_create(&mmu, &window_config, &window));
}

static void make_bare(void)
{
	plain = mmap(NULL, WORKING_SET, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	bare_fd = memfd_create("bare", MFD_CLOEXEC);
	bare = mmap(NULL, HOST_PAGES * PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(plain != MAP_FAILED && bare_fd >= 0 && bare != MAP_FAILED);
	must(!ftruncate(bare_fd, HOST_PAGES * PAGE_SIZE));
	bare_reset();
}

static void bare_gone(void)
{
	munmap(plain, WORKING_SET);
	munmap(bare, HOST_PAGES * PAGE_SIZE);
	close(bare_fd);
}

static void end_space(void)
{
	struct mmu_gather gather;

	host_window_destroy(window);
	soft_tlb_detach(tlb, space);
	soft_tlb_detach(tiny, tiny_space);
	soft_tlb_destroy(tlb);
	soft_tlb_destroy(tiny);
	mmu_gather_init(&gather, &pt, NULL, NULL);
	pt_zap_range(&gather, 0, pt_limit(&pt));
	pt_free_tables(&gather, 0, pt_limit(&pt));
	mmu_gather_flush(&gather);
	pt_destroy(&pt);
	port_rcu_barrier();
	arena_destroy(arena);
}

#define SIDE(text, fn)	((struct side){ .what = (text), .op = (fn) })
#define NOTHING		((struct side){ 0 })

int main(int argc, char **argv)
{
	if (argc > 2) {
		fprintf(stderr, "usage: mmu_bench [WORDS]\n");
		return 2;
	}
	only = argc == 2 ? argv[1] : NULL;
	make_space();
	make_bare();
	compare(SIDE("plain load, random in 4 MiB", plain_random),
		SIDE("soft load, random in 4 MiB", soft_random));
	compare(SIDE("plain load, sequential", plain_sequential),
		SIDE("soft load, sequential", soft_sequential));
	compare(SIDE("plain load, each depends on the one before", plain_dependent),
		SIDE("soft load, each depends on the one before", soft_dependent));
	compare(SIDE("plain store, random in 4 MiB", plain_store),
		SIDE("soft store, random in 4 MiB", soft_store));
	compare(NOTHING, SIDE("soft load, a section for each", soft_bracketed));
	compare(NOTHING, SIDE("soft miss, the page is mapped", soft_miss));
	compare(NOTHING, SIDE("invalidate a page that 2 TLBs and a window lack", invalidate_unused));
	compare(SIDE("bare SIGSEGV + mmap of 1 page, a page", bare_single),
		SIDE("window fault, scattered frames, a page", window_single));
	compare(SIDE("bare SIGSEGV + mmap of 16 pages, a page", bare_sixteen),
		SIDE("window fault, 16 frames side by side, a page", window_sixteen));
	bare_gone();
	end_space();
	return 0;
}
