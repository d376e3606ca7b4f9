/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Recordings: any bytes are read, and what can be read is played, with the walker after each call.
 * A recording that makes no sense is refused or comes out different; it is never a defect of the
 * library (exit status 3).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "reader.h"
#include "tools/cmds.h"
#include "tools/feed.h"

static int throw_away(void *arg, const char *text, size_t bytes)
{
	(void)arg;
	(void)text;
	(void)bytes;
	return 0;
}

/* What the commands maps and draw do with an mm. */
static void ends(struct player *p, struct play_task *task, void *arg)
{
	(void)p;
	(void)arg;
	(void)mm_report_smaps(task->mm->user, throw_away, NULL);
}

static int done(struct player *p, const struct trace_header *h, const char *kind, void *arg)
{
	(void)h;
	(void)kind;
	*(char **)arg = p->defect ? strdup(p->defect) : NULL;
	return p->defect ? EXIT_DEFECT : EXIT_GOOD;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *defect = NULL;
	const struct feed feed = {
		.cmd = "replay", .validate = true, .arena_bytes = 32ul << 20, .mm_ends = ends,
		.done = done, .arg = &defect,
	};
	int status;

	reader_silence();
	status = feed_file(&feed, reader_file(data, size));
	reader_speak();
	if (status == EXIT_DEFECT) {
		fprintf(stderr, "DEFECT: %s\n", defect);
		abort();
	}
	return 0;
}
