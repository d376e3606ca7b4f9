/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Threads that are held up at random, for LD_PRELOAD: scripts/perturb.sh runs tests with it.
 *
 * A test that leans on time ("the callback is still pending", "the thread is there by now") passes
 * on a fast machine.  Here a thread may be held up for some milliseconds before and after each
 * mutex, futex, start of a thread and fork: as on a machine whose CPUs others use, but at the places
 * where it matters.  Nothing else changes, so whoever fails has a defect, or his test has.
 *
 *	PERTURB_MILLE	how many of a thousand mutexes and futexes: 20
 *	PERTURB_US	for how long at most: 15000
 *
 * It asks the kernel by itself, and has no memory but its own: the functions that it stands before
 * are those of sanitizers, too, and are called where nothing may be allocated.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define AT_STARTS	400u	/* of a thousand threads, and forks */
#define MOST_STARTS	(1u << 17)	/* that have not begun yet */

struct start {
	void *(*fn)(void *arg);
	void *arg;
};

static uint64_t per_mille = 20, most_us = 15000;
static struct start starts[MOST_STARTS];
static unsigned int next_start;		/* atomic */
static __thread uint64_t random_state;

static int (*real_lock)(pthread_mutex_t *mutex);
static int (*real_unlock)(pthread_mutex_t *mutex);
static int (*real_create)(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *arg),
			  void *arg);
static long (*real_syscall)(long nr, ...);
static pid_t (*real_fork)(void);

static long ask(long nr, long a, long b)
{
#if defined(__x86_64__)
	long result;

	__asm__ volatile("syscall" : "=a" (result) : "0" (nr), "D" (a), "S" (b)
			 : "rcx", "r11", "memory");
	return result;
#else
	return real_syscall(nr, a, b);
#endif
}

static uint64_t draw(void)
{
	struct timespec now;

	if (!random_state) {
		ask(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now);
		random_state = ((uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15u) ^
			       ((uint64_t)ask(SYS_gettid, 0, 0) << 32) ^ 1;
	}
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Half of those that are held up only for a moment. */
static void hold_up(uint64_t mille)
{
	uint64_t random = draw(), us = (random >> 20) % most_us;
	struct timespec time;
	int saved = errno;

	if (random % 1000 >= mille)
		return;
	if (random >> 63)
		us /= 50;
	time = (struct timespec){ .tv_nsec = (long)us * 1000 };
	ask(SYS_nanosleep, (long)&time, 0);
	errno = saved;
}

static uint64_t number(const char *name, uint64_t otherwise, uint64_t most)
{
	const char *text = getenv(name);
	uint64_t n = text ? strtoull(text, NULL, 10) : otherwise;

	return n && n <= most ? n : otherwise;
}

static void *next(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (!found)
		abort();
	return found;
}

/* Whoever is first: constructors of others may come before ours. */
static void prepare(void)
{
	if (real_fork)
		return;
	per_mille = number("PERTURB_MILLE", per_mille, 1000);
	most_us = number("PERTURB_US", most_us, 900000);
	real_lock = (int (*)(pthread_mutex_t *))next("pthread_mutex_lock");
	real_unlock = (int (*)(pthread_mutex_t *))next("pthread_mutex_unlock");
	real_create = (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *),
			       void *))next("pthread_create");
	real_syscall = (long (*)(long, ...))next("syscall");
	real_fork = (pid_t (*)(void))next("fork");
}

__attribute__((constructor)) static void begin(void)
{
	prepare();
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
	int err;

	prepare();
	hold_up(per_mille);
	err = real_lock(mutex);
	hold_up(per_mille);
	return err;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	int err;

	prepare();
	err = real_unlock(mutex);
	hold_up(per_mille);
	return err;
}

static void *begin_late(void *arg)
{
	struct start start = *(struct start *)arg;

	hold_up(AT_STARTS);
	return start.fn(start.arg);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *arg), void *arg)
{
	unsigned int nr = __atomic_fetch_add(&next_start, 1, __ATOMIC_RELAXED) % MOST_STARTS;
	int err;

	prepare();
	starts[nr] = (struct start){ .fn = fn, .arg = arg };
	err = real_create(thread, attr, begin_late, &starts[nr]);
	hold_up(AT_STARTS);
	return err;
}

pid_t fork(void)
{
	pid_t pid;

	prepare();
	hold_up(AT_STARTS);
	pid = real_fork();
	if (!pid)
		random_state = 0;
	hold_up(AT_STARTS);
	return pid;
}

long syscall(long nr, ...)
{
	long args[6], result;
	va_list list;

	va_start(list, nr);
	for (int i = 0; i < 6; i++)
		args[i] = va_arg(list, long);
	va_end(list);
	prepare();
	if (nr == SYS_futex)
		hold_up(per_mille);
	result = real_syscall(nr, args[0], args[1], args[2], args[3], args[4], args[5]);
	if (nr == SYS_futex)
		hold_up(per_mille);
	return result;
}
