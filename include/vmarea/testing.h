/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Every schedule of a small scenario: for drivers' tests, and the library's own.
 *
 * A scenario is a set-up, up to five threads and a check at the end.  The program is linked with
 * libvmarea-testing in place of libvmarea: the same sources over a port in which threads are
 * coroutines, and a search decides after each step whose turn it is.  docs/TESTING-YOUR-DRIVER.md
 * shows it from the first line to the first defect.
 *
 *	static void setup(void)		{ make an instance, an mm, the driver's state }
 *	static void sender(void)	{ use it }
 *	static void receiver(void)	{ unmap it }
 *	static void finish(void)	{ VT_CHECK(what must be true now); take everything down }
 *
 *	static const struct vt_scenario race = {
 *		.name = "send-unmap", .setup = setup, .finish = finish,
 *		.threads = { { "sender", sender }, { "receiver", receiver } },
 *	};
 *	int main(int argc, char **argv)
 *	{
 *		return vt_main(argc, argv, (const struct vt_scenario *const[]){ &race, NULL });
 *	}
 *
 * Compile the driver and its test with -fsanitize=thread, and link without it (pkg-config
 * vmarea-testing says so): each atomic access is then a step, and each plain one is watched for
 * races and for use after free.  pthread_mutex_lock() and pthread_cond_wait() and their kind may be
 * used in it, without deadlines; other ways to wait for another thread of the program may not.
 *
 * An execution is run thousands of times in one process, so set-up has to give each variable its
 * first value.  Nothing may depend on the clock, on addresses or on chance.
 */
#ifndef VMAREA_TESTING_H
#define VMAREA_TESTING_H

#include <stdbool.h>
#include <stdint.h>

#include <vmarea/vmarea.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VT_THREADS	5

struct vt_thread {
	const char *name;
	void (*run)(void);
};

/* An allocation may fail at any time: threads take -ENOMEM and NULL for an answer. */
#define VT_NO_MEMORY	0x1u
/* Mistakes that the library reports and survives (VM_WARN_ON) are part of the scenario. */
#define VT_WARNINGS	0x2u

struct vt_scenario {
	const char *name;			/* for the command line */
	const char *about;			/* what must hold, one line */
	void (*setup)(void);
	struct vt_thread threads[VT_THREADS];	/* ends at the first without run */
	void (*finish)(void);			/* all threads have ended; leave nothing allocated */
	unsigned int flags;			/* VT_* */
};

/*
 * Runs what the command line asks for (--help), by default every search on every scenario.
 * @scenarios ends with NULL.  The exit code: 0 nothing found, 1 something was, 2 wrong usage.
 */
int vt_main(int argc, char **argv, const struct vt_scenario *const *scenarios);

/* Ends the execution as a failure.  For VT_CHECK(). */
__attribute__((noreturn, format(printf, 4, 5)))
void vt_fail(const char *file, int line, const char *cond, const char *fmt, ...);

/* What must be true, in a thread or at the end; a printf format and its values may follow. */
#define VT_CHECK(cond, ...)							\
	((cond) ? (void)0 : vt_fail(__FILE__, __LINE__, #cond, " " __VA_ARGS__))

/* A line in the trace of the calling thread: what a replay should show. */
__attribute__((format(printf, 1, 2)))
void vt_note(const char *fmt, ...);

/* Has an allocation of this execution been made to fail? */
bool vt_memory_was_refused(void);

#ifdef __cplusplus
}
#endif
#endif
