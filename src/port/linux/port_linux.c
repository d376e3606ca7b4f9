/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The port to a Linux process.
 *
 * Files: port_linux.c (memory, waiting, clock, threads, messages), rcu.c (grace periods),
 * work.c (background work), bg.c (the thread behind both), arena.c and host_window.c (frames, and
 * where they appear besides), failure.c and backtrace.c (for debug builds).
 *
 * Memory comes from the C library up to a megabyte, and from the kernel above, where its pages
 * are zero already.  port_free() is told the size, so neither needs a header.
 *
 * Waiting is the futex, in its form for memory that processes may share.
 *
 * Thread-local variables live here and nowhere else in the library: the cached thread id, the
 * random number generator, and in debug builds the counters of injected failures and the lock
 * checker's bytes.  All are initial-exec, so an access never calls anything.  The price: when the
 * library is loaded by dlopen(), they must fit into what the C library keeps for that, which the
 * few bytes of a release build do.
 *
 * State of the whole process: the two background queues, the sites that have warned, the count of
 * live allocations, what could not be unmapped, the lists of fork guards and of windows, and the
 * handlers of faults that were there before the first window.  But for guards and windows nothing
 * of it is an instance's.
 *
 * Fork.  Handlers are registered when the library is loaded.  Before the fork they stop the
 * background threads between two items and take liburcu's mutexes, and after it they let them
 * go; in the child they also forget the threads and the cached thread id.
 *
 * Unloading.  The background threads never end, so the library cannot be unloaded once they
 * have started.
 *
 * Failure.  Memory and threads may be refused, and that is reported or survived.  What cannot be
 * survived, a mutex or a futex that does not work, is port_panic().
 */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "port/linux/bg.h"
#include "port/linux/write_guard.h"

/* -------------------------------------------------------------------- per-thread state -- */

PORT_TLS u32 port_tid_cache;
static PORT_TLS u64 random_state;

u32 port_tid_fill(void)
{
	port_tid_cache = (u32)gettid();
	return port_tid_cache;
}

/* ------------------------------------------------------------------------------ memory -- */

/* From here on the kernel's zeroed pages are cheaper than zeroing. */
#define MAP_FROM_BYTES	(1ul << 20)

static void *alloc_zeroed(size_t bytes)
{
	void *p;

	if (bytes >= MAP_FROM_BYTES) {
		p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		return p == MAP_FAILED ? NULL : p;
	}
	if (posix_memalign(&p, CACHELINE_BYTES, bytes))
		return NULL;
	return memset(p, 0, bytes);
}

/*
 * A mapping that the kernel would not take back.  Its neighbours are ordinary memory of the host's,
 * with which it makes one area of the kernel's map; taking it out of the middle makes two, and a
 * process may have 65530.  Its pages are given back at once and the address range with the next
 * large port_free(), when there may be room again.
 */
struct stranded {
	struct stranded *next;
	size_t bytes;
};
static struct stranded *stranded;		/* atomic: taken as a whole, so no ABA */

static void strand(struct stranded *first, struct stranded *last)
{
	last->next = atomic_load_relaxed(&stranded);
	/* Pairs with the exchange in unmap_stranded(). */
	while (!atomic_cas_release(&stranded, &last->next, first))
		;
}

static void unmap(void *p, size_t bytes)
{
	struct stranded *s = p;

	if (!port_fail_kind(PORT_FAIL_UNMAP) && !munmap(p, bytes))
		return;
	if (madvise(p, bytes, MADV_DONTNEED))
		port_panic("port_free(%p, %zu): %s", p, bytes, strerror(errno));
	s->bytes = bytes;
	strand(s, s);
}

static void unmap_stranded(void)
{
	struct stranded *s;

	if (likely(!atomic_load_relaxed(&stranded)))
		return;
	/* Pairs with the release in strand(): bytes and next are written. */
	s = atomic_xchg_acquire(&stranded, NULL);
	while (s) {
		struct stranded *next = s->next;

		unmap(s, s->bytes);
		s = next;
	}
}

static void free_zeroed(void *p, size_t bytes)
{
	int saved;

	if (bytes < MAP_FROM_BYTES) {
		free(p);
		return;
	}
	saved = errno;
	unmap_stranded();
	unmap(p, bytes);
	errno = saved;
}

#ifdef CONFIG_VMAREA_DEBUG

static long live_allocs;			/* atomic */

long port_live_allocs(void)
{
	return atomic_load_relaxed(&live_allocs);
}

void *port_alloc_at(size_t bytes, const char *here)
{
	void *p;

	VM_BUG_ON(!bytes);
	if (port_fail_site_at(here))
		return NULL;
	p = alloc_zeroed(bytes);
	if (p)
		atomic_add_relaxed(&live_allocs, 1);
	return p;
}

void port_free(void *p, size_t bytes)
{
	if (!p)
		return;
	atomic_sub_relaxed(&live_allocs, 1);
	free_zeroed(p, bytes);
}

#else

void *port_alloc(size_t bytes)
{
	return alloc_zeroed(bytes);
}

void port_free(void *p, size_t bytes)
{
	if (p)
		free_zeroed(p, bytes);
}

#endif

/* ----------------------------------------------------------------------------- waiting -- */

/*
 * Without FUTEX_PRIVATE_FLAG, so that a lock can lie in memory shared by processes.  A port for
 * one process only may add it: the kernel then finds the sleepers without looking up the page.
 */
#define PORT_FUTEX_FLAGS	0

#define NS_PER_S		1000000000ull

int (port_wait)(const u32 *word, u32 expected, u64 deadline_ns)
{
	struct timespec at = {
		.tv_sec = (time_t)(deadline_ns / NS_PER_S),
		.tv_nsec = (long)(deadline_ns % NS_PER_S),
	};
	int saved = errno, err = 0;

	/* WAIT_BITSET takes a deadline, on the monotonic clock; WAIT takes a duration. */
	if (syscall(SYS_futex, word, FUTEX_WAIT_BITSET | PORT_FUTEX_FLAGS, expected,
		    deadline_ns == PORT_NO_DEADLINE ? NULL : &at, NULL,
		    FUTEX_BITSET_MATCH_ANY) < 0)
		err = errno;
	errno = saved;
	VM_BUG_ON(err && err != EAGAIN && err != EINTR && err != ETIMEDOUT, "futex: %d", err);
	return err == ETIMEDOUT ? -ETIMEDOUT : 0;
}

/* An error here means that the word is gone, and nobody sleeps on what is not there. */
void port_wake(u32 *word, int nr)
{
	int saved = errno;

	syscall(SYS_futex, word, FUTEX_WAKE | PORT_FUTEX_FLAGS, nr, NULL, NULL, 0);
	errno = saved;
}

void port_yield(void)
{
	sched_yield();
}

/* -------------------------------------------------------------------- clock and chance -- */

u64 port_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * NS_PER_S + (u64)now.tv_nsec;
}

static u64 random_seed(void)
{
	int saved = errno;
	u64 seed = 0;

	if (port_fail_kind(PORT_FAIL_ENTROPY) ||
	    getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		seed = port_now_ns() ^ ((u64)port_thread_id() << 40);
	errno = saved;
	return seed ? seed : 1;
}

/* Marsaglia's xorshift64* (2003; Vigna 2014): one state word, never 0, a stream for each thread. */
u64 port_random(void)
{
	u64 x = random_state;

	if (unlikely(!x))
		x = random_seed();
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	random_state = x;
	return x * 0x2545f4914f6cdd1dull;
}

/* ------------------------------------------------------------------------ thread state -- */

#ifdef CONFIG_VMAREA_DEBUG

static PORT_TLS struct {
	_Alignas(16) unsigned char state[PORT_THREAD_STATE_BYTES];
	void (*on_exit)(void *state);
} self;
static pthread_key_t exit_key;

void *port_thread_state(void)
{
	return self.state;
}

static void thread_exits(void *arg)
{
	(void)arg;
	self.on_exit(self.state);
}

void port_thread_on_exit(void (*fn)(void *state))
{
	self.on_exit = fn;
	pthread_setspecific(exit_key, &self);
}

static int thread_state_init(void)
{
	return pthread_key_create(&exit_key, thread_exits);
}

#else

static int thread_state_init(void)
{
	return 0;
}

#endif

/* ---------------------------------------------------------------------------- messages -- */

#define LINE_BYTES	1024

/* One write() a line, so that lines of several threads do not mix. */
static void write_line(const char *prefix, const char *fmt, va_list args)
{
	struct write_guard guard;
	char line[LINE_BYTES];
	int at, n, saved = errno;

	at = snprintf(line, sizeof(line) - 1, "vmarea: %s", prefix);
	n = vsnprintf(line + at, sizeof(line) - 1 - (size_t)at, fmt, args);
	at = min(at + n, (int)sizeof(line) - 2);
	line[at++] = '\n';
	write_guard_begin(&guard);
	write_guard_end(&guard, write(STDERR_FILENO, line, (size_t)at) < 0 ? errno : 0);
	errno = saved;
}

void port_log(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	write_line("", fmt, args);
	va_end(args);
}

void port_panic(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	write_line("panic: ", fmt, args);
	va_end(args);
	abort();
}

static void site_line(const char *what, const struct bug_site *site, const char *fmt, va_list args)
{
	char prefix[LINE_BYTES / 2];

	/* What is always true where it stands says nothing. */
	bool says = strcmp(site->cond, "true");

	snprintf(prefix, sizeof(prefix), "%s:%d: %s: %s(): %s%s", site->file, site->line, what,
		 site->func, says ? site->cond : "", says ? ":" : "");
	write_line(prefix, fmt, args);
}

void port_bug(const struct bug_site *site, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	site_line("BUG", site, fmt, args);
	va_end(args);
	abort();
}

#define WARN_SITES	128

static const struct bug_site *warned[WARN_SITES];	/* atomic; filled from the front */
static unsigned long warn_count;			/* atomic */

/* True the first time for each of the first WARN_SITES sites. */
static bool warn_is_new(const struct bug_site *site)
{
	for (int i = 0; i < WARN_SITES; i++) {
		const struct bug_site *found = NULL;

		if (atomic_cas_relaxed(&warned[i], &found, site))
			return true;
		if (found == site)
			return false;
	}
	return false;
}

void port_warn(const struct bug_site *site, const char *fmt, ...)
{
	va_list args;

	atomic_add_relaxed(&warn_count, 1);
	if (!warn_is_new(site))
		return;
	va_start(args, fmt);
	site_line("WARNING", site, fmt, args);
	va_end(args);
}

unsigned long port_warn_count(void)
{
	return atomic_load_relaxed(&warn_count);
}

/* -------------------------------------------------------------------- fork of the host -- */

static pthread_mutex_t guards_lock = PTHREAD_MUTEX_INITIALIZER;
static struct port_fork_guard *guards;		/* guards_lock */

static void lock_guards(void)
{
	if (pthread_mutex_lock(&guards_lock))
		port_panic("fork guards: mutex");
}

static void unlock_guards(void)
{
	if (pthread_mutex_unlock(&guards_lock))
		port_panic("fork guards: mutex");
}

void port_fork_guard_add(struct port_fork_guard *guard)
{
	lock_guards();
	guard->next = guards;
	guards = guard;
	unlock_guards();
}

void port_fork_guard_del(struct port_fork_guard *guard)
{
	struct port_fork_guard **link = &guards;

	lock_guards();
	while (*link != guard)
		link = &(*link)->next;
	*link = guard->next;
	unlock_guards();
}

static void hold_guards(void)
{
	lock_guards();
	for (struct port_fork_guard *guard = guards; guard; guard = guard->next)
		guard->hold(guard);
}

static void let_go_guards(void)
{
	for (struct port_fork_guard *guard = guards; guard; guard = guard->next)
		guard->let_go(guard);
	unlock_guards();
}

/*
 * Works may wait for a grace period, callbacks never for a work: works are stopped first.  Either
 * may take what a guard holds, so the guards come last.
 */
static void before_fork(void)
{
	port_bg_before_fork(&port_work_bg);
	port_rcu_before_fork();
	hold_guards();
}

static void after_fork_parent(void)
{
	let_go_guards();
	port_rcu_after_fork_parent();
	port_bg_after_fork_parent(&port_work_bg);
}

static void after_fork_child(void)
{
	let_go_guards();
	port_tid_cache = 0;
	random_state = 0;
	port_rcu_after_fork_child();
	port_bg_after_fork_child(&port_work_bg);
}

__attribute__((constructor)) static void port_init(void)
{
	if (pthread_atfork(before_fork, after_fork_parent, after_fork_child) ||
	    thread_state_init())
		port_panic("out of memory at start");
}
