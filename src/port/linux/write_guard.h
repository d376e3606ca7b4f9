/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Calls by which the kernel tells a program twice that it cannot write.
 *
 *	EFBIG	SIGXFSZ		the file would be longer than the process is allowed (RLIMIT_FSIZE)
 *	EPIPE	SIGPIPE		nobody reads
 *
 * The signal ends a program that knows nothing of it.  The library's caller is told by an error, or
 * need not be told, so the signal is kept from him:
 *
 *	write_guard_begin(&guard);
 *	... write(), pwrite(), ftruncate() ...
 *	write_guard_end(&guard, errno of the last, or 0);
 *
 * It is the thread's own, so it is this thread that has it pending in between.  One that was
 * pending before is the program's, and stays.  May be used in a signal handler; errno is kept.
 */
#ifndef PORT_LINUX_WRITE_GUARD_H
#define PORT_LINUX_WRITE_GUARD_H

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

struct write_guard {
	sigset_t old;			/* what the thread has blocked */
	sigset_t pending;		/* the program's */
};

static inline void write_guard_begin(struct write_guard *guard)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGXFSZ);
	sigaddset(&signals, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &signals, &guard->old);
	/* What is not blocked is not pending, but for a moment. */
	sigemptyset(&guard->pending);
	if (sigismember(&guard->old, SIGXFSZ) || sigismember(&guard->old, SIGPIPE))
		sigpending(&guard->pending);
}

static inline void write_guard_end(const struct write_guard *guard, int error)
{
	const int number = error == EFBIG ? SIGXFSZ : error == EPIPE ? SIGPIPE : 0;
	const struct timespec at_once = { 0 };
	int saved = errno;
	sigset_t signals;

	if (number && !sigismember(&guard->pending, number)) {
		sigemptyset(&signals);
		sigaddset(&signals, number);
		while (sigtimedwait(&signals, NULL, &at_once) < 0 && errno == EINTR)
			;
	}
	pthread_sigmask(SIG_SETMASK, &guard->old, NULL);
	errno = saved;
}

#endif
