/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* memory_bench: the running kernel. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memory_bench.h"

#define RW	(PROT_READ | PROT_WRITE)
#define MAX_ATTEMPTS	12
#define ANON	(MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

/* ------------------------------------------------------------------------------- threads -- */

struct racer {
	void (*work)(unsigned int nth, double *ns);
	unsigned int nth;
	unsigned int *ready, nr;
	double ns[MAX_FIGURES];
	uint64_t cpu, wall;
};

static uint64_t wall_ns(void)
{
	struct timespec now;

	must(!clock_gettime(CLOCK_MONOTONIC, &now));
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* On a CPU of its own, if the program may use so many. */
static void pin(unsigned int nth)
{
	cpu_set_t allowed, one;

	CPU_ZERO(&one);
	must(!sched_getaffinity(getpid(), sizeof(allowed), &allowed));
	if (CPU_COUNT(&allowed) < 2)
		return;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || nth--)
			continue;
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		return;
	}
}

static void *race(void *arg)
{
	struct racer *r = arg;

	if (r->nr > 1)
		pin(r->nth);
	__atomic_add_fetch(r->ready, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(r->ready, __ATOMIC_SEQ_CST) < r->nr)
		sched_yield();
	r->cpu = cpu_ns();
	r->wall = wall_ns();
	r->work(r->nth, r->ns);
	r->cpu = cpu_ns() - r->cpu;
	r->wall = wall_ns() - r->wall;
	return NULL;
}

/* One attempt.  Returns how much longer it took than the CPU time that the threads had. */
static double run_once(unsigned int nr, void (*work)(unsigned int nth, double *ns), double *ns)
{
	unsigned int ready = 0;
	struct racer racers[2] = { { .work = work, .nth = 0, .ready = &ready, .nr = nr },
				   { .work = work, .nth = 1, .ready = &ready, .nr = nr } };
	double cpu = 0, wall = 0;
	pthread_t threads[2];

	for (unsigned int i = 0; i < nr; i++)
		must(!pthread_create(&threads[i], NULL, race, &racers[i]));
	for (unsigned int i = 0; i < nr; i++)
		must(!pthread_join(threads[i], NULL));
	for (unsigned int i = 0; i < nr; i++) {
		cpu += (double)racers[i].cpu;
		wall += (double)racers[i].wall;
		for (unsigned int figure = 0; figure < MAX_FIGURES; figure++)
			ns[figure] += racers[i].ns[figure] / nr;
	}
	return wall / cpu;
}

static double slowest = 1;

double cpus_two_threads_had(void)
{
	return 2 / slowest;
}

/* Threads that are taken off their CPUs do not meet, and find cold caches when they come back. */
void run_threads(unsigned int nr, void (*work)(unsigned int nth, double *ns), double *ns)
{
	double best = 0;

	for (int attempt = 0; attempt < MAX_ATTEMPTS && !(best && best < 1.05); attempt++) {
		double got[MAX_FIGURES] = { 0 };
		double stretch = run_once(nr, work, got);

		if (!best || stretch < best) {
			best = stretch;
			memcpy(ns, got, sizeof(got));
		}
	}
	if (nr == 2 && best > slowest)
		slowest = best;
}

/* -------------------------------------------------------------------------------- faults -- */

static char *one_area, *own_areas, *holes, *forked;

static char *map_at(char *at, size_t bytes)
{
	char *p = mmap(at, bytes, RW, ANON | (at ? MAP_FIXED : 0), -1, 0);

	must(p != MAP_FAILED);
	madvise(p, bytes, MADV_NOHUGEPAGE);
	return p;
}

static char *reserve(size_t bytes)
{
	char *p = mmap(NULL, bytes + 2 * MIB, PROT_NONE, ANON, -1, 0);

	must(p != MAP_FAILED);
	return (char *)(((uintptr_t)p + 2 * MIB - 1) & ~(2 * MIB - 1));
}

static void touch(char *p, size_t bytes)
{
	for (size_t at = 0; at < bytes; at += PAGE)
		*(volatile char *)(p + at) = 1;
}

static void look(const char *p, size_t bytes)
{
	for (size_t at = 0; at < bytes; at += PAGE)
		(void)*(const volatile char *)(p + at);
}

static void fault_and_zap(char *p, double *ns)
{
	uint64_t start;

	touch(p, FAULT_BYTES);
	must(!madvise(p, FAULT_BYTES, MADV_DONTNEED));
	start = cpu_ns();
	for (int i = 0; i < FAULT_TIMES; i++) {
		touch(p, FAULT_BYTES);
		lap(&ns[WRITE], &start, FAULT_TIMES * FAULT_PAGES);
		must(!madvise(p, FAULT_BYTES, MADV_DONTNEED));
		lap(&ns[ZAP], &start, FAULT_TIMES * FAULT_PAGES);
	}
	for (int i = 0; i < FAULT_TIMES / 4; i++) {
		start = cpu_ns();
		look(p, FAULT_BYTES);
		lap(&ns[READ], &start, FAULT_TIMES / 4 * FAULT_PAGES);
		must(!madvise(p, FAULT_BYTES, MADV_DONTNEED));
	}
	ns[STORE] = ns[WRITE];
}

static void same_work(unsigned int nth, double *ns)
{
	fault_and_zap(one_area + nth * FAULT_BYTES, ns);
}

static void own_work(unsigned int nth, double *ns)
{
	fault_and_zap(own_areas + 2 * nth * FAULT_BYTES, ns);
}

void their_faults_one(double *ns)
{
	run_threads(1, same_work, ns);
}

void their_faults_same(double *ns)
{
	run_threads(2, same_work, ns);
}

void their_faults_own(double *ns)
{
	run_threads(2, own_work, ns);
}

/* What of a fault no lock and no counter can make slower: of what else two threads share, the machine. */
static void zero_work(unsigned int nth, double *ns)
{
	char *at = own_areas + 2 * nth * FAULT_BYTES;
	uint64_t start;

	memset(at, 1, FAULT_BYTES);
	start = cpu_ns();
	for (int i = 0; i < FAULT_TIMES; i++)
		for (size_t page = 0; page < FAULT_BYTES; page += PAGE) {
			memset(at + page, 0, PAGE);
			__asm__ volatile("" : : "r"(at + page) : "memory");
		}
	lap(ns, &start, FAULT_TIMES * FAULT_PAGES);
	madvise(at, FAULT_BYTES, MADV_DONTNEED);
}

void bare_zeroing(double *ns)
{
	double got[MAX_FIGURES] = { 0 };

	run_threads(1, zero_work, got);
	ns[ALONE] = got[0];
	run_threads(2, zero_work, got);
	ns[TOGETHER] = got[0];
}

/* -------------------------------------------------------------------------------- munmap -- */

static double unmap_holes(size_t bytes)
{
	double ns = 0;
	uint64_t start;

	for (unsigned long i = 0; i < NR_HOLES; i++) {
		char *at = holes + i * HOLE_STRIDE + HOLE_OFFSET;

		touch(map_at(at, PAGE), PAGE);
		map_at(at + 2 * PAGE, bytes);
		touch(map_at(at + 3 * PAGE + bytes, PAGE), PAGE);
	}
	start = cpu_ns();
	for (unsigned long i = 0; i < NR_HOLES; i++)
		must(!munmap(holes + i * HOLE_STRIDE + HOLE_OFFSET + 2 * PAGE, bytes));
	lap(&ns, &start, NR_HOLES);
	must(mmap(holes, NR_HOLES * HOLE_STRIDE, PROT_NONE, ANON | MAP_FIXED, -1, 0) == holes);
	return ns;
}

void their_unmaps(double *ns)
{
	uint64_t start;

	ns[SMALL] = unmap_holes(PAGE);
	ns[LARGE] = unmap_holes(GIB);
	start = cpu_ns();
	for (unsigned int i = 0; i < MAP_TIMES; i++) {
		char *p = mmap(NULL, PAGE, RW, ANON, -1, 0);

		touch(p, PAGE);
		must(!munmap(p, PAGE));
	}
	lap(&ns[TOUCHED], &start, MAP_TIMES);
}

/* ---------------------------------------------------------------------------------- fork -- */

/* Without what a C library does before and after. */
static pid_t bare_fork(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	must(pid >= 0);
	return pid;
}

/* Waits until the parent has done its part; then what it takes to give the memory up. */
static void child(const int *go, const int *told)
{
	const size_t bytes = fork_bytes();
	uint64_t start;
	double ns = 0;
	char byte;

	close(go[1]);
	must(!read(go[0], &byte, 1));
	start = cpu_ns();
	munmap(forked, bytes);
	lap(&ns, &start, (double)(bytes / PAGE));
	must(write(told[1], &ns, sizeof(ns)) == sizeof(ns));
	_exit(0);
}

void their_fork(double *ns)
{
	const size_t bytes = fork_bytes();
	int go[2], told[2];
	uint64_t start;
	pid_t pid;

	touch(forked, bytes);
	must(!pipe(go) && !pipe(told));
	start = cpu_ns();
	pid = bare_fork();
	if (!pid)
		child(go, told);
	lap(&ns[COPY], &start, (double)(bytes / PAGE));
	touch(forked, COW_BYTES);
	lap(&ns[COW], &start, COW_BYTES / PAGE);
	close(go[1]);
	must(read(told[0], &ns[EXIT], sizeof(double)) == sizeof(double));
	must(waitpid(pid, NULL, 0) == pid);
	start = cpu_ns();
	touch(forked + COW_BYTES, COW_BYTES);
	lap(&ns[REUSE], &start, COW_BYTES / PAGE);
	close(go[0]);
	close(told[0]);
	close(told[1]);
}

/* --------------------------------------------------------------------------------- loads -- */

static char *loaded;
static volatile uint64_t sink;

void their_loads(double *ns)
{
	uint64_t at = 1, sum = 0, start = cpu_ns();

	for (unsigned int i = 0; i < NR_LOADS; i++)
		sum += *(volatile uint64_t *)(loaded + random_offset(&at));
	lap(&ns[RANDOM], &start, NR_LOADS);
	for (unsigned int i = 0; i < NR_LOADS; i++)
		sum += *(volatile uint64_t *)(loaded + i * 8);
	lap(&ns[SEQUENTIAL], &start, NR_LOADS);
	sink = sum;
}

/* -------------------------------------------------------------------------------- window -- */

static char *bare;
static int bare_fd;
static bool bare_beside;

/* The least that a program can do about a fault: one page, or the sixteen around it. */
static void bare_handler(int sig, siginfo_t *info, void *context)
{
	unsigned long page = (unsigned long)((char *)info->si_addr - bare) / PAGE;
	unsigned long nr = bare_beside ? 16 : 1, from;

	(void)sig;
	(void)context;
	page -= page % nr;
	from = bare_beside ? page : page * WINDOW_STRIDE % WINDOW_PAGES;
	if (mmap(bare + page * PAGE, nr * PAGE, RW, MAP_SHARED | MAP_FIXED | MAP_POPULATE, bare_fd,
		 (off_t)(from * PAGE)) == MAP_FAILED)
		abort();
}

static double touch_bare(bool beside)
{
	struct sigaction mine = { .sa_sigaction = bare_handler, .sa_flags = SA_SIGINFO }, before;
	uint64_t start;
	double ns = 0;

	bare_beside = beside;
	must(mmap(bare, WINDOW_PAGES * PAGE, PROT_NONE, ANON | MAP_FIXED, -1, 0) == bare);
	must(!sigaction(SIGSEGV, &mine, &before));
	start = cpu_ns();
	touch(bare, WINDOW_PAGES * PAGE);
	lap(&ns, &start, WINDOW_PAGES);
	must(!sigaction(SIGSEGV, &before, NULL));
	return ns;
}

/* A first store is one page at a time: nobody knows yet that its neighbours will be wanted. */
void their_window(double *ns)
{
	ns[FIRST] = touch_bare(false);
	ns[SCATTERED] = touch_bare(false);
	ns[BESIDE] = touch_bare(true);
}

/* -------------------------------------------------------------------------------- set-up -- */

static char *file_area;

static void make_file_area(void)
{
	static const char zeros[PAGE];
	int fd = memfd_create("bench", MFD_CLOEXEC);

	must(fd >= 0);
	for (size_t at = 0; at < FAULT_BYTES; at += PAGE)
		must(pwrite(fd, zeros, PAGE, (off_t)at) == PAGE);
	file_area = mmap(reserve(FAULT_BYTES), FAULT_BYTES, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
	must(file_area != MAP_FAILED && !close(fd));
}

void their_files(double *ns)
{
	uint64_t start = cpu_ns();

	for (int i = 0; i < FAULT_TIMES; i++) {
		for (size_t at = 0; at < FAULT_BYTES; at += AROUND_BYTES)
			look(file_area + at, PAGE);
		lap(&ns[AROUND], &start, FAULT_TIMES * FAULT_PAGES);
		must(!madvise(file_area, FAULT_BYTES, MADV_DONTNEED));
		lap(&ns[UNMAPPED], &start, FAULT_TIMES * FAULT_PAGES);
	}
}

void make_theirs(void)
{
	one_area = map_at(reserve(2 * FAULT_BYTES), 2 * FAULT_BYTES);
	own_areas = reserve(4 * FAULT_BYTES);
	map_at(own_areas, FAULT_BYTES);
	map_at(own_areas + 2 * FAULT_BYTES, FAULT_BYTES);
	holes = reserve(NR_HOLES * HOLE_STRIDE);
	forked = map_at(NULL, fork_bytes());
	loaded = map_at(NULL, WORKING_SET);
	touch(loaded, WORKING_SET);
	make_file_area();
	bare = reserve(WINDOW_PAGES * PAGE);
	bare_fd = memfd_create("bare", MFD_CLOEXEC);
	must(bare_fd >= 0 && !ftruncate(bare_fd, WINDOW_PAGES * PAGE));
}

/* What forked takes; all else of the program is little beside it. */
double their_tables_a_mib(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	unsigned long kib = 0, with;
	char line[128];

	must(status != NULL);
	for (int pass = 0; pass < 2; pass++) {
		rewind(status);
		with = kib;
		while (fgets(line, sizeof(line), status))
			(void)sscanf(line, "VmPTE: %lu", &kib);
		if (!pass)
			must(!munmap(forked, fork_bytes()));
	}
	fclose(status);
	return (double)((with - kib) << 10) / (double)(fork_bytes() / MIB);
}
