/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Runs a program that knows nothing of the library (guest.c) in a window: its pointers are ordinary
 * pointers, and its memory is an mm's.
 *
 *	window [--size MIB] GUEST.so
 *
 * It sorts @size of random numbers, searches a tree, and runs into its guard page.  Then the mm is
 * forked, and the child appears in a second window: both write to what they share, each sees its own.
 * The exit status is 0 if all of it was as it should be, 1 if not, 2 for a wrong command line.
 */
#include <dlfcn.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <vmarea/host.h>

#include "guest.h"

#define MIB		(1ul << 20)
#define MAX_MIB		(1ul << 20)
#define START		0x100000000ul
#define TREE_KEYS	100000u

/* The guest's system: one mm, and where it appears. */
struct os {
	struct guest_os calls;
	struct mm_user *mm;
	struct host_window *window;
};

static struct {
	__typeof__(guest_make) *make;
	__typeof__(guest_sort) *sort;
	__typeof__(guest_check) *check;
	__typeof__(guest_tree) *tree;
	__typeof__(guest_tree_find) *tree_find;
	__typeof__(guest_scribble) *scribble;
	__typeof__(guest_digest) *digest;
	__typeof__(guest_overrun) *overrun;
} guest;

static int failures;

static void expect(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "not as expected: %s\n", what);
		failures++;
	}
}

static void need(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "window: %s\n", what);
		exit(1);
	}
}

/* ----------------------------------------------------------------------- the guest's system -- */

static char *window_base(const struct os *os)
{
	return host_window_at(os->window, START);
}

static void *os_map(struct guest_os *calls, size_t bytes)
{
	struct os *os = (struct os *)calls;
	long addr = mm_mmap(os->mm, 0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    NULL, 0);

	return addr < 0 ? NULL : host_window_at(os->window, (unsigned long)addr);
}

static int os_guard(struct guest_os *calls, void *at, size_t bytes)
{
	struct os *os = (struct os *)calls;
	unsigned long addr = START + (unsigned long)((char *)at - window_base(os));

	return mm_mprotect(os->mm, addr, bytes, PROT_NONE) ? -1 : 0;
}

static void open_window(struct os *os, struct mm_user *mm, unsigned long bytes)
{
	struct host_window_config config = {
		.size = sizeof(config), .start = START, .bytes = bytes,
	};

	os->calls = (struct guest_os){ .map = os_map, .guard = os_guard };
	os->mm = mm;
	need(!host_window_create(mm_mmu(mm), &config, &os->window), "no window");
}

static void load_guest(const char *path)
{
	void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (!object) {
		fprintf(stderr, "window: %s\n", dlerror());
		exit(2);
	}
#define LOAD(name)	need((guest.name = dlsym(object, "guest_" #name)) != NULL, "no guest_" #name)
	LOAD(make);
	LOAD(sort);
	LOAD(check);
	LOAD(tree);
	LOAD(tree_find);
	LOAD(scribble);
	LOAD(digest);
	LOAD(overrun);
#undef LOAD
}

/* ------------------------------------------------------------------------------------ steps -- */

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print_window(const struct os *os, const char *what, double since)
{
	struct host_window_stats stats;

	host_window_get_stats(os->window, &stats);
	printf("%-34s %8.2f s, %lu pages shown, %lu calls to the host so far\n", what,
	       seconds() - since, stats.pages, stats.maps);
}

static sigjmp_buf out_of_guest;
static volatile sig_atomic_t armed, caught_code;
static void *volatile caught_at;

/* The program's own handler: it hears what the mm refused, as if the mm were this process. */
static void on_segv(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (!armed) {
		signal(sig, SIG_DFL);
		return;
	}
	caught_at = info->si_addr;
	caught_code = info->si_code;
	siglongjmp(out_of_guest, 1);
}

static void run_into_guard(struct guest_array *array, int code, const char *what)
{
	uint64_t last = array->values[array->nr - 1];

	caught_at = NULL;
	armed = 1;
	if (!sigsetjmp(out_of_guest, 1))
		guest.overrun(array);
	armed = 0;
	expect(caught_at == array->values + array->nr && caught_code == code, what);
	array->values[array->nr - 1] = last;
}

static void sort_and_search(struct os *os, unsigned long bytes, struct guest_array *array,
			    void **tree)
{
	double start = seconds();

	need(!guest.make(&os->calls, bytes, 1, array), "no memory for the array");
	print_window(os, "random numbers made", start);
	start = seconds();
	guest.sort(array);
	print_window(os, "sorted", start);
	expect(!guest.check(array), "the numbers are sorted, and the same");
	*tree = guest.tree(&os->calls, TREE_KEYS);
	need(*tree != NULL, "no memory for the tree");
	expect(guest.tree_find(*tree, TREE_KEYS) == TREE_KEYS, "all keys are in the tree");
}

/* What the child sees of the parent's pointers. */
static void *in_child(const struct os *child, const struct os *parent, void *at)
{
	return window_base(child) + ((char *)at - window_base(parent));
}

static void fork_and_write(struct os *parent, struct guest_array *array, void *tree,
			   unsigned long window_bytes)
{
	struct guest_array copy = *array;
	uint64_t before = guest.digest(array), mine;
	struct mm_user *mm;
	struct os child;
	double start = seconds();

	need(!mm_fork(parent->mm, &mm), "no fork");
	printf("%-34s %8.2f s\n", "forked", seconds() - start);
	open_window(&child, mm, window_bytes);
	copy.values = in_child(&child, parent, array->values);
	start = seconds();
	guest.scribble(array, 0, 8, 1);
	mine = guest.digest(array);
	expect(mine != before, "the parent has written");
	expect(guest.digest(&copy) == before, "the child does not see what the parent writes");
	guest.scribble(&copy, 0, 8, 2);
	guest.scribble(&copy, 7, 8, 3);
	expect(guest.digest(&copy) != before && guest.digest(&copy) != mine,
	       "the child has written");
	expect(guest.digest(array) == mine, "the parent does not see what the child writes");
	print_window(&child, "copied on write on both sides", start);
	expect(guest.tree_find(in_child(&child, parent, tree), TREE_KEYS) == TREE_KEYS,
	       "the child has the tree");
	run_into_guard(&copy, SEGV_ACCERR, "the child's guard page is SIGSEGV, SEGV_ACCERR");
	host_window_destroy(child.window);
	mmput(mm);
	expect(guest.digest(array) == mine, "the parent is as it was when the child is gone");
}

static void run(unsigned long bytes)
{
	struct sigaction action = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO };
	struct vmarea_config config = VMAREA_CONFIG_INIT;
	struct mm_config mm_config = MM_CONFIG_INIT;
	unsigned long window_bytes = bytes + 16 * MIB;
	struct guest_array array;
	struct vmarea *instance;
	struct mm_user *mm;
	struct os os;
	void *tree;

	/* Before the window: its handler passes on to this one what is the program's error. */
	need(!sigaction(SIGSEGV, &action, NULL), "no handler");
	config.arena_bytes = 2 * bytes + 64 * MIB;
	need(!vmarea_create(&config, &instance), "no instance");
	mm_config.mmap_base = START + window_bytes;
	need(!mm_create(instance, &mm_config, &mm), "no mm");
	open_window(&os, mm, window_bytes);
	sort_and_search(&os, bytes, &array, &tree);
	run_into_guard(&array, SEGV_ACCERR, "the guard page is SIGSEGV, SEGV_ACCERR");
	fork_and_write(&os, &array, tree, window_bytes);
	/* What is unmapped is gone, whoever still has a pointer to it. */
	need(!mm_munmap(mm, START, window_bytes), "no munmap");
	armed = 1;
	if (!sigsetjmp(out_of_guest, 1))
		(void)guest.digest(&array);
	armed = 0;
	expect(caught_at == array.values && caught_code == SEGV_MAPERR,
	       "what is unmapped is SIGSEGV, SEGV_MAPERR");
	host_window_destroy(os.window);
	mmput(mm);
	vmarea_destroy(instance);
}

int main(int argc, char **argv)
{
	unsigned long mib = 16;
	char *end = "";

	if (argc == 4 && !strcmp(argv[1], "--size")) {
		mib = strtoul(argv[2], &end, 10);
		if (*end || end == argv[2] || mib < 2 || mib > MAX_MIB || mib % 2) {
			fprintf(stderr, "window: --size: %s is no even number of MiB from 2 to %lu\n",
				argv[2], MAX_MIB);
			return 2;
		}
	} else if (argc != 2) {
		fprintf(stderr, "usage: window [--size MIB] GUEST.so\n");
		return 2;
	}
	load_guest(argv[argc - 1]);
	run(mib * MIB);
	printf("%s\n", failures ? "FAILED" : "all as expected");
	return failures != 0;
}
