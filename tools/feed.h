/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Opens a recording or an strace log, whichever it is, and plays it.
 */
#ifndef TOOLS_FEED_H
#define TOOLS_FEED_H

#include "play.h"

#define FEED_ARENA_BYTES	(4ul << 30)	/* only what is used of it costs memory */

struct feed {
	const char *cmd;		/* for messages */
	bool validate, no_compare;
	bool pages;			/* also where the recording does not ask for them */
	unsigned long arena_bytes;	/* of an instance with pages; 0: FEED_ARENA_BYTES */
	unsigned long stop_after;	/* calls; 0: to the end */
	/* Now and then; may be NULL. */
	void (*progress)(const struct player *p, unsigned long line, const struct text_in *text,
			 void *arg);
	/* As in struct player; may be NULL. */
	void (*mm_ends)(struct player *p, struct play_task *task, void *arg);
	/* At the end of a file that could be read, with what is alive still there: the status. */
	int (*done)(struct player *p, const struct trace_header *header, const char *kind,
		    void *arg);
	void *arg;
};

/* An exit status: that of done(), or EXIT_USAGE with a message if the file cannot be played. */
int feed_file(const struct feed *feed, const char *path);

#endif
