/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Breaking a rule, and reading the report: for tests of debug builds.
 *
 * By itself a report ends the program.  expect_report() receives it instead, on the thread that
 * called it, and goes on; expect_death() lets a child die of it, for what cannot go on.
 */
#ifndef TESTS_RULES_REPORTS_H
#define TESTS_RULES_REPORTS_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sync/witness.h"

#define MAX_REPORTS	4
#define REPORT_ROOM	8192

struct reports {
	int nr;
	char text[MAX_REPORTS][REPORT_ROOM];
};

static struct reports reports;

static inline void note_report(void *arg, const char *text)
{
	(void)arg;
	if (reports.nr < MAX_REPORTS)
		snprintf(reports.text[reports.nr], REPORT_ROOM, "%s", text);
	reports.nr++;
}

/* Reports of the calling thread are noted from here on, until stop_noting(). */
static inline void note_reports(void)
{
	reports.nr = 0;
	witness_set_report(note_report, NULL);
}

static inline void stop_noting(void)
{
	witness_set_report(NULL, NULL);
}

/* @text has each of @parts, in this order. */
static inline void check_report(const char *text, const char *const *parts)
{
	const char *at = text;

	for (; *parts; parts++) {
		at = strstr(at, *parts);
		if (!at)
			fail_msg("no \"%s\", or not there, in:\n%s", *parts, text);
		at += strlen(*parts);
	}
}

/* One report since the last look, which has all of @parts in this order. */
static inline void check_one_report(const char *const *parts)
{
	if (reports.nr != 1)
		fail_msg("%d reports, the first: %s", reports.nr, reports.nr ? reports.text[0] : "");
	check_report(reports.text[0], parts);
	/* Whoever looks for the cause wants a stack with names, and is told what to do. */
	reports.nr = 0;
}

#define PARTS(...)		((const char *const[]){ __VA_ARGS__, NULL })
#define expect_report(...)	check_one_report(PARTS(__VA_ARGS__))
#define expect_no_report()	assert_int_equal(reports.nr, 0)

/* What fn() prints in a child of its own, which dies of SIGABRT. */
static inline void check_death(void (*fn)(void), const char *const *parts)
{
	static char out[REPORT_ROOM];
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	int fds[2], status;
	size_t at = 0;
	ssize_t got;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		sigaction(SIGABRT, &dfl, NULL);
		dup2(fds[1], STDERR_FILENO);
		witness_set_report(NULL, NULL);
		fn();
		_exit(0);
	}
	close(fds[1]);
	while ((got = read(fds[0], out + at, sizeof(out) - 1 - at)) > 0)
		at += (size_t)got;
	out[at] = 0;
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
		fail_msg("status %x, and:\n%s", status, out);
	check_report(out, parts);
}

#define expect_death(fn, ...)	check_death((fn), PARTS(__VA_ARGS__))

/* "file.c:12", good until the next four calls. */
static inline const char *place_of_line(const char *file, int line)
{
	static char text[4][64];
	static int next;
	const char *slash = strrchr(file, '/');
	char *to = text[next++ % 4];

	snprintf(to, sizeof(text[0]), "%s:%d", slash ? slash + 1 : file, line);
	return to;
}

#define LINE(at)	place_of_line(__FILE__, (at))

#endif
