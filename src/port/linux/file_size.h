/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Calls that may make a file longer than the process is allowed (RLIMIT_FSIZE).
 *
 * They fail with EFBIG, and the kernel sends the thread SIGXFSZ, which ends a program that knows
 * nothing of it.  The library's caller is told by an error, so the signal is kept from him:
 *
 *	file_size_begin(&guard);
 *	... pwrite(), ftruncate() ...
 *	file_size_end(&guard, errno of the last, or 0);
 *
 * The signal is the thread's own, so it is this thread that has it pending in between.  One that
 * was pending before is the program's, and stays.  May be used in a signal handler; errno is kept.
 */
#ifndef PORT_LINUX_FILE_SIZE_H
#define PORT_LINUX_FILE_SIZE_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct file_size_guard {
	sigset_t old;			/* what the thread has blocked */
	bool pending;			/* the signal, before */
};

static inline void file_size_begin(struct file_size_guard *guard)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGXFSZ);
	pthread_sigmask(SIG_BLOCK, &signals, &guard->old);
	/* What is not blocked is not pending, but for a moment. */
	guard->pending = sigismember(&guard->old, SIGXFSZ) == 1 && !sigpending(&signals) &&
			 sigismember(&signals, SIGXFSZ) == 1;
}

static inline void file_size_end(const struct file_size_guard *guard, int error)
{
	const struct timespec at_once = { 0 };
	int saved = errno;
	sigset_t signals;

	if (error == EFBIG && !guard->pending) {
		sigemptyset(&signals);
		sigaddset(&signals, SIGXFSZ);
		while (sigtimedwait(&signals, NULL, &at_once) < 0 && errno == EINTR)
			;
	}
	pthread_sigmask(SIG_SETMASK, &guard->old, NULL);
	errno = saved;
}

#endif
