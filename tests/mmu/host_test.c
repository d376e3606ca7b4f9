/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Windows, one thread: plain loads and stores against the arena; what is refused; what the host is
 * asked for, and what happens when it refuses.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "window.h"

/* The sanitizer would end a child that starts a thread, as the children here do. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "die_after_fork=0";
}

static struct world w;
static const struct host_window_config plain;

/* ----------------------------------------------------------------- accesses that are refused -- */

static sigjmp_buf out;
static struct host_fault told;

static bool leave(struct host_window *window, const struct host_fault *fault, void *arg)
{
	(void)window;
	assert_ptr_equal(arg, &w);
	told = *fault;
	siglongjmp(out, 1);
}

static const struct host_window_config leaving = { .refused = leave, .arg = &w };

/* Not DONE: what refused() was told. */
static enum mm_fault try_load(unsigned long page)
{
	if (sigsetjmp(out, 1))
		return told.why;
	(void)*word_at(&w, page);
	return MM_FAULT_DONE;
}

static enum mm_fault try_store(unsigned long page, u64 value)
{
	if (sigsetjmp(out, 1))
		return told.why;
	*word_at(&w, page) = value;
	return MM_FAULT_DONE;
}

static void test_plain(void **state)
{
	const struct pt_format *f = &pt_format_x86_64;

	(void)state;
	world_make(&w, 512, 4, &plain);
	allow(&w, 0, 512, RW);
	/* Read: accessed, and not dirty; then written to. */
	assert_int_equal(*word_at(&w, 3), 0);
	assert_true(pte_accessed(f, look(&w.space.pt, addr_at(3))));
	assert_false(pte_dirty(f, look(&w.space.pt, addr_at(3))));
	*word_at(&w, 3) = 42;
	assert_int_equal(*frame_at(&w, 3), 42);
	assert_true(pte_dirty(f, look(&w.space.pt, addr_at(3))));
	assert_int_equal(w.resolved, 1);
	*frame_at(&w, 3) = 43;
	assert_int_equal(*word_at(&w, 3), 43);
	/* Written to first: one fault. */
	*word_at(&w, 4) = 44;
	assert_int_equal(w.resolved, 2);
	assert_int_equal(stats_of(&w).maps, 3);
	assert_int_equal(stats_of(&w).pages, 2);
	/* Dropped, it comes back without the fault path. */
	host_window_drop(w.window);
	assert_int_equal(stats_of(&w).pages, 0);
	assert_int_equal(*word_at(&w, 3) + *word_at(&w, 4), 87);
	assert_int_equal(w.resolved, 2);
	/* Cleaned, the next store is noted again. */
	pt_change_range(&w.space.pt, addr_at(0), addr_at(512), (struct pt_change){ .clear = f->dirty });
	assert_int_equal(*word_at(&w, 4), 44);
	assert_false(pte_dirty(f, look(&w.space.pt, addr_at(4))));
	*word_at(&w, 4) = 45;
	assert_true(pte_dirty(f, look(&w.space.pt, addr_at(4))));
	world_end(&w);
}

static void test_refused(void **state)
{
	(void)state;
	world_make(&w, 512, 4, &leaving);
	assert_int_equal(try_load(5), MM_FAULT_MAPERR);
	assert_int_equal(told.addr, addr_at(5));
	assert_int_equal(told.access, MM_ACCESS_READ);
	allow(&w, 5, 1, PT_READ);
	assert_int_equal(try_load(5), MM_FAULT_DONE);
	assert_int_equal(try_store(5, 1), MM_FAULT_ACCERR);
	assert_int_equal(told.access, MM_ACCESS_WRITE);
	/* More rights: no invalidation, the store faults once more. */
	allow(&w, 5, 1, RW);
	assert_int_equal(try_store(5, 1), MM_FAULT_DONE);
	/* Fewer rights: at once. */
	allow(&w, 5, 1, PT_READ);
	pt_protect_range(&w.space.pt, addr_at(5), addr_at(6), PT_READ);
	assert_int_equal(try_store(5, 2), MM_FAULT_ACCERR);
	assert_int_equal(*word_at(&w, 5), 1);
	allow(&w, 5, 1, 0);
	zap(&w.space.pt, addr_at(0), addr_at(512));
	assert_int_equal(try_load(5), MM_FAULT_MAPERR);
	assert_int_equal(stats_of(&w).pages, 0);
	world_end(&w);
}

static void test_out_of_frames(void **state)
{
	unsigned long i = 0;

	(void)state;
	world_make(&w, 1024, 2, &leaving);
	allow(&w, 0, 1024, RW);
	while (i < 1024 && try_store(i, i) == MM_FAULT_DONE)
		i++;
	assert_in_range(i, 300, 512);
	assert_int_equal(told.why, MM_FAULT_OOM);
	while (i--)
		assert_int_equal(*word_at(&w, i), i);
	world_end(&w);
}

/* ------------------------------------------------------------------------------ real signals -- */

static volatile sig_atomic_t got_signal, got_code;
static void *volatile got_addr;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)context;
	got_signal = sig;
	got_code = info->si_code;
	got_addr = info->si_addr;
	siglongjmp(out, 1);
}

static void signal_of(volatile u64 *at)
{
	got_signal = 0;
	if (!sigsetjmp(out, 1))
		*at = 1;
}

/* The handler that was there before gets what is refused, and what is not ours; and is back then. */
static void test_previous_handler(void **state)
{
	struct sigaction mine = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO }, before, now;
	long page_bytes_host = sysconf(_SC_PAGESIZE);

	(void)state;
	sigaction(SIGSEGV, &mine, &before);
	world_make(&w, 512, 4, &plain);
	signal_of(word_at(&w, 9));
	assert_int_equal(got_signal, SIGSEGV);
	assert_int_equal(got_code, SEGV_MAPERR);
	assert_ptr_equal(got_addr, word_at(&w, 9));
	allow(&w, 9, 1, PT_READ);
	signal_of(word_at(&w, 9));
	assert_int_equal(got_code, SEGV_ACCERR);
	/* Not in a window. */
	signal_of((volatile u64 *)(uintptr_t)page_bytes_host);
	assert_int_equal(got_signal, SIGSEGV);
	assert_ptr_equal(got_addr, (void *)(uintptr_t)page_bytes_host);
	/* Sent by somebody. */
	got_signal = 0;
	if (!sigsetjmp(out, 1))
		raise(SIGSEGV);
	assert_int_equal(got_signal, SIGSEGV);
	assert_true(got_code <= 0);
	world_end(&w);
	sigaction(SIGSEGV, &before, &now);
	assert_true(now.sa_sigaction == on_signal);
}

static int how_child_ends(unsigned long page, u64 value)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child) {
		*word_at(&w, page) = value;
		_exit(*word_at(&w, page) == value ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

/* Nobody was there before: the default.  And the child of a host fork sees the parent's frames. */
static void test_default_signal(void **state)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL }, before, before_bus;
	int status;

	(void)state;
	sigaction(SIGSEGV, &dfl, &before);
	sigaction(SIGBUS, &dfl, &before_bus);
	world_make(&w, 512, 2, &plain);
	status = how_child_ends(1, 1);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	allow(&w, 0, 2, RW);
	*word_at(&w, 1) = 7;
	assert_int_equal(how_child_ends(1, 8), 0);
	assert_int_equal(*word_at(&w, 1), 8);
	/* No frame for it: a bus error. */
	while (page_alloc(w.space.arena, 0, PAGE_ANYTHING))
		continue;
	status = how_child_ends(0, 1);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	host_window_destroy(w.window);
	mmu_end(&w.mmu);
	free(w.rights);
	sigaction(SIGSEGV, &before, NULL);
	sigaction(SIGBUS, &before_bus, NULL);
}

/* In a child of its own: what it does to handlers is gone with it.  How it ends. */
static int run_child(int (*fn)(void))
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child) {
		alarm(30);
		_exit(fn());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

#define BAD_ADDRESS	((volatile u64 *)(uintptr_t)64)

static void touch_bad_address(void)
{
	volatile u64 *volatile at = BAD_ADDRESS;

	*at = 1;
}

static volatile sig_atomic_t times;

/* As a handler that prints something, returns, and lets the fault come again. */
static void only_once(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	(void)context;
	if (++times > 1)
		_exit(3);
}

static int fault_before_one_shot(void)
{
	struct sigaction mine = { .sa_sigaction = only_once, .sa_flags = SA_SIGINFO | SA_RESETHAND };

	sigaction(SIGSEGV, &mine, NULL);
	world_make(&w, 512, 2, &plain);
	touch_bad_address();
	return 4;
}

static int send_what_is_ignored(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGSEGV, &ignore, NULL);
	sigaction(SIGBUS, &ignore, NULL);
	world_make(&w, 512, 2, &plain);
	raise(SIGSEGV);
	kill(getpid(), SIGBUS);
	return 0;
}

static int fault_that_is_ignored(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGSEGV, &ignore, NULL);
	world_make(&w, 512, 2, &plain);
	touch_bad_address();
	return 4;
}

/* A handler for one time, and none at all, are what they would be without windows. */
static void test_flags_of_previous_handler(void **state)
{
	int status;

	(void)state;
	status = run_child(fault_before_one_shot);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	assert_int_equal(run_child(send_what_is_ignored), 0);
	status = run_child(fault_that_is_ignored);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static struct sigaction below;

static void pass_to_below(int sig, siginfo_t *info, void *context)
{
	below.sa_sigaction(sig, info, context);
}

/* The program's handler lies over ours when the last window goes, and when the next one comes. */
static int make_windows_below_handler(void)
{
	struct sigaction mine = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	struct sigaction over = { .sa_sigaction = pass_to_below, .sa_flags = SA_SIGINFO }, now;

	sigaction(SIGSEGV, &mine, NULL);
	world_make(&w, 512, 2, &plain);
	sigaction(SIGSEGV, &over, &below);
	world_end(&w);
	for (int round = 0; round < 2; round++) {
		world_make(&w, 512, 2, &plain);
		allow(&w, 1, 1, RW);
		*word_at(&w, 1) = 5;
		if (*frame_at(&w, 1) != 5)
			return 3;
		signal_of(BAD_ADDRESS);
		if (got_signal != SIGSEGV || got_addr != BAD_ADDRESS)
			return 4;
		if (round)
			sigaction(SIGSEGV, &below, NULL);
		world_end(&w);
	}
	sigaction(SIGSEGV, NULL, &now);
	return now.sa_sigaction == on_signal ? 0 : 5;
}

static void test_handler_above(void **state)
{
	(void)state;
	assert_int_equal(run_child(make_windows_below_handler), 0);
}

/* ------------------------------------------------------------------------- runs, areas, budget -- */

/* Areas of the host that lie in the window and can be accessed. */
static unsigned long host_areas(void)
{
	unsigned long low = (unsigned long)host_window_at(w.window, START), start, end, nr = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512], rights[8];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %7s", &start, &end, rights) == 3 && start >= low &&
		    start < low + w.nr_pages * PAGE_SIZE && rights[0] == 'r')
			nr++;
	fclose(maps);
	return nr;
}

static void test_runs(void **state)
{
	struct page *block;

	(void)state;
	world_make(&w, 2048, 8, &plain);
	allow(&w, 0, 2048, RW);
	/* 16 frames side by side, at pages 16 to 31: one mapping, whichever page is touched. */
	block = page_alloc(w.space.arena, 4, PAGE_ZEROED);
	assert_true(page_try_split(block, 1));
	for (unsigned long i = 0; i < 16; i++)
		assert_int_equal(pt_install(&w.space.pt, NULL, addr_at(16 + i), PT_PTE, PTE_NONE,
				 pte_leaf(w.space.pt.format, PT_PTE, page_pfn(block) + i,
					  USER_RW | PT_DIRTY)), 0);
	*word_at(&w, 21) = 1;
	assert_int_equal(stats_of(&w).pages, 16);
	for (unsigned long i = 16; i < 32; i++)
		*word_at(&w, i) = i;
	assert_int_equal(stats_of(&w).maps, 1);
	assert_int_equal(host_areas(), 1);
	assert_true(pte_accessed(w.space.pt.format, look(&w.space.pt, addr_at(16))));
	/* One of them goes: the others stay. */
	zap(&w.space.pt, addr_at(20), addr_at(21));
	assert_int_equal(stats_of(&w).pages, 15);
	assert_int_equal(host_areas(), 2);
	assert_int_equal(*word_at(&w, 31), 31);
	assert_int_equal(stats_of(&w).maps, 1);
	/* The zero page, time and again: zeros in one mapping. */
	w.zeros = true;
	for (unsigned long i = 64; i < 80; i++)
		assert_int_equal(host_window_touch(w.window, addr_at(i), MM_ACCESS_READ),
				 MM_FAULT_DONE);
	host_window_drop(w.window);
	assert_int_equal(*word_at(&w, 70), 0);
	assert_int_equal(stats_of(&w).pages, 16);
	*word_at(&w, 71) = 1;
	assert_int_equal(*word_at(&w, 70) + *word_at(&w, 71) + *word_at(&w, 72), 1);
	/* 2 MiB at once. */
	map_new_huge(&w.space.pt, addr_at(1024), USER_RW);
	host_window_drop(w.window);
	for (unsigned long i = 0; i < PT_ENTRIES; i++)
		*word_at(&w, 1024 + i) = i;
	assert_int_equal(stats_of(&w).pages, PT_ENTRIES);
	assert_int_equal(host_areas(), 1);
	world_end(&w);
}

static u64 step(u64 *random)
{
	*random = *random * 6364136223846793005ull + 1442695040888963407ull;
	return *random >> 33;
}

#define MANY_PAGES	(24 * 512u)

/* Page by page, in the order of their frames: the host joins them, and the books know. */
static void test_side_by_side(void **state)
{
	static const struct host_window_config small = { .max_areas = MIN_AREAS };
	const unsigned long nr = 4 * PT_ENTRIES;

	(void)state;
	world_make(&w, nr, 16, &small);
	allow(&w, 0, nr, RW);
	for (unsigned long at = 0; at < nr; at += PT_ENTRIES) {
		struct page *block = page_alloc(w.space.arena, PAGE_MAX_ORDER, PAGE_ZEROED);

		assert_true(page_try_split(block, 1));
		for (unsigned long i = 0; i < PT_ENTRIES; i++) {
			assert_int_equal(pt_install(&w.space.pt, NULL, addr_at(at + i), PT_PTE,
						    PTE_NONE,
						    pte_leaf(w.space.pt.format, PT_PTE,
							     page_pfn(block) + i,
							     USER_RW | PT_DIRTY)), 0);
			*word_at(&w, at + i) = i;
			if (i % 61 == 0)
				assert_true(host_areas() <= stats_of(&w).areas);
		}
	}
	assert_int_equal(stats_of(&w).pages, nr);
	assert_int_equal(stats_of(&w).drops, 0);
	world_end(&w);
}

/* Never more areas than the budget, never more than the books say, and every byte is kept. */
static void test_small_budget(void **state)
{
	static const struct host_window_config small = { .max_areas = MIN_AREAS };
	static u64 want[MANY_PAGES];
	u64 random = 1;

	(void)state;
	memset(want, 0, sizeof(want));
	world_make(&w, MANY_PAGES, 64, &small);
	allow(&w, 0, MANY_PAGES, RW);
	for (int i = 0; i < 6000; i++) {
		unsigned long page = step(&random) % MANY_PAGES;
		struct host_window_stats stats;

		assert_int_equal(*word_at(&w, page), want[page]);
		*word_at(&w, page) = want[page] = step(&random);
		if (step(&random) % 16 == 0) {
			zap(&w.space.pt, addr_at(page), addr_at(page + 1));
			want[page] = 0;
		}
		if (i % 512)
			continue;
		stats = stats_of(&w);
		assert_true(stats.areas <= stats.max_areas);
		assert_true(host_areas() <= stats.areas);
	}
	assert_true(stats_of(&w).drops > 100);
	world_end(&w);
}

/* All areas of the host in the window, those of what is reserved, too. */
static unsigned long areas_in_window(void)
{
	unsigned long low = (unsigned long)host_window_at(w.window, START), start, end, nr = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 && end > low &&
		    start < low + w.nr_pages * PAGE_SIZE)
			nr++;
	fclose(maps);
	return nr;
}

/* A page joins its neighbours, and to make room for it they are dropped. */
static void test_neighbours_are_dropped(void **state)
{
	static const struct host_window_config small = { .max_areas = MIN_AREAS };
	const struct pt_format *f = &pt_format_x86_64;
	struct page *block;

	(void)state;
	world_make(&w, 512, 8, &small);
	allow(&w, 0, 512, RW);
	block = page_alloc(w.space.arena, 2, PAGE_ZEROED);
	assert_true(page_try_split(block, 1));
	for (unsigned long i = 0; i < 3; i += 2) {
		assert_int_equal(pt_install(&w.space.pt, NULL, addr_at(100 + i), PT_PTE, PTE_NONE,
					    pte_leaf(f, PT_PTE, page_pfn(block) + i,
						     USER_RW | PT_DIRTY)), 0);
		*word_at(&w, 100 + i) = i;
	}
	for (unsigned long i = 200; stats_of(&w).areas + 2 <= MIN_AREAS; i += 2)
		*word_at(&w, i) = i;
	assert_int_equal(stats_of(&w).drops, 0);
	assert_int_equal(pt_install(&w.space.pt, NULL, addr_at(101), PT_PTE, PTE_NONE,
				    pte_leaf(f, PT_PTE, page_pfn(block) + 1, USER_RW | PT_DIRTY)),
			 0);
	*word_at(&w, 101) = 1;
	assert_int_equal(stats_of(&w).drops, 1);
	assert_true(areas_in_window() <= stats_of(&w).areas + 1);
	page_put(block + 3);
	world_end(&w);
}

/* A sanitizer maps memory of its own at any time, and ends the process when the host refuses. */
#if defined(PORT_TSAN) || defined(__SANITIZE_ADDRESS__)
# define SANITIZED	1
#elif defined(__has_feature)
# if __has_feature(address_sanitizer)
#  define SANITIZED	1
# endif
#endif
#ifndef SANITIZED
# define SANITIZED	0
#endif

/* The process's own limit: without a budget the host refuses, and everything goes on. */
static void test_host_limit(void **state)
{
	static const struct host_window_config boundless = { .max_areas = ~0ul };
	unsigned long nr = 2 * port_window_max_areas() + 5000;

	(void)state;
	if (SANITIZED || nr > 200000)
		skip();
	world_make(&w, nr, 8, &boundless);
	allow(&w, 0, nr, RW);
	w.zeros = true;
	*word_at(&w, 0) = 1;
	for (unsigned long i = 2; i < nr; i += 2)
		assert_int_equal(*word_at(&w, i), 0);
	assert_true(stats_of(&w).drops > 0);
	assert_int_equal(*word_at(&w, 0), 1);
	world_end(&w);
}

/* ---------------------------------------------------------------------------------- failures -- */

static void test_arguments(void **state)
{
	struct host_window_config config;
	struct host_window *other = NULL;

	(void)state;
	world_make(&w, 512, 2, &plain);
	config = (struct host_window_config){
		.size = sizeof(config), .start = START, .bytes = HOST_WINDOW_ALIGN,
	};
	config.base = host_window_at(w.window, START);
	assert_int_equal(host_window_create(&w.mmu, &config, &other), -EEXIST);
	config.base = (void *)PAGE_SIZE;
	assert_int_equal(host_window_create(&w.mmu, &config, &other), -EINVAL);
	config.base = NULL;
	config.bytes = 0;
	assert_int_equal(host_window_create(&w.mmu, &config, &other), -EINVAL);
	config.bytes = HOST_WINDOW_ALIGN;
	config.start = -HOST_WINDOW_ALIGN;
	assert_int_equal(host_window_create(&w.mmu, &config, &other), -EINVAL);
	config.start = START;
	config.max_areas = MIN_AREAS - 1;
	assert_int_equal(host_window_create(&w.mmu, &config, &other), -EINVAL);
	config.max_areas = 0;
	config.size--;
	assert_int_equal(host_window_create(&w.mmu, &config, &other), -EINVAL);
	assert_null(other);
	/* Two windows of one mm: what one writes the other reads. */
	config.size++;
	assert_int_equal(host_window_create(&w.mmu, &config, &other), 0);
	allow(&w, 0, 1, RW);
	*word_at(&w, 0) = 5;
	assert_int_equal(*(u64 *)host_window_at(other, START), 5);
	host_window_destroy(other);
	world_end(&w);
}

#ifdef CONFIG_VMAREA_DEBUG

/* Each call to the host is refused once, in turn, in each of the things that a window does. */
static void test_injected(void **state)
{
	const struct pt_change clean = { .clear = pt_format_x86_64.dirty };
	unsigned long calls = 0;

	(void)state;
	world_make(&w, 2048, 8, &plain);
	allow(&w, 0, 2048, RW);
	for (long n = 1; n <= 12; n++) {
		for (unsigned long i = 0; i < 2048; i += 300)
			*word_at(&w, i) = i + 1;
		/* There, not shown, while others are: nothing but the host can fail. */
		for (unsigned long i = 1; i < 302; i += 300)
			*word_at(&w, i) = 0;
		pt_change_range(&w.space.pt, addr_at(1), addr_at(2), clean);
		pt_change_range(&w.space.pt, addr_at(301), addr_at(302), clean);
		port_fail_nth(n);
		calls = port_alloc_count();
		/* Shown, hidden in part, dropped. */
		*word_at(&w, 1) = 1;
		assert_int_equal(*word_at(&w, 301), 0);
		zap(&w.space.pt, addr_at(1), addr_at(2));
		zap(&w.space.pt, addr_at(301), addr_at(302));
		assert_int_equal(*word_at(&w, 300), 301);
		host_window_drop(w.window);
		port_fail_nth(0);
		for (unsigned long i = 0; i < 2048; i += 300)
			assert_int_equal(*word_at(&w, i), i + 1);
		assert_int_equal(*word_at(&w, 1), 0);
		zap(&w.space.pt, addr_at(1), addr_at(2));
	}
	assert_true(port_alloc_count() - calls > 4);
	world_end(&w);
}

static void test_injected_creation(void **state)
{
	struct host_window_config config = {
		.size = sizeof(config), .start = START, .bytes = HOST_WINDOW_ALIGN,
	};
	struct host_window *other = NULL;
	long live;

	(void)state;
	world_make(&w, 512, 2, &plain);
	live = port_live_allocs();
	for (long n = 1; n <= 4; n++) {
		port_fail_nth(n);
		assert_int_equal(host_window_create(&w.mmu, &config, &other), -ENOMEM);
		assert_null(other);
		assert_int_equal(port_live_allocs(), live);
	}
	world_end(&w);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_out_of_frames), cmocka_unit_test(test_previous_handler),
		cmocka_unit_test(test_default_signal),
		cmocka_unit_test(test_flags_of_previous_handler),
		cmocka_unit_test(test_handler_above), cmocka_unit_test(test_runs),
		cmocka_unit_test(test_neighbours_are_dropped),
		cmocka_unit_test(test_side_by_side),
		cmocka_unit_test(test_small_budget), cmocka_unit_test(test_host_limit),
		cmocka_unit_test(test_arguments),
#ifdef CONFIG_VMAREA_DEBUG
		cmocka_unit_test(test_injected), cmocka_unit_test(test_injected_creation),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
