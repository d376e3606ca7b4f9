/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Files to players.
 */
#include "feed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "cmds.h"
#include "strace.h"

static void clear_line(const struct feed *feed)
{
	if (feed->progress && isatty(2))
		fputs("\r\033[K", stderr);
}

static void set_up(const struct feed *feed, struct player *p)
{
	p->validate = feed->validate;
	p->no_compare = feed->no_compare;
	p->stop_after = feed->stop_after;
	p->mm_ends = feed->mm_ends;
	p->arg = feed->arg;
}

/* false: a line is no line of a recording, or does not fit what came before; it has been told. */
static bool play_recording(const struct feed *feed, struct player *p, struct trace_in *in,
			   struct text_in *text)
{
	struct trace_event event;
	bool good = true;

	while (good && !p->defect && !(p->stop_after && p->calls >= p->stop_after)) {
		int got = trace_next(in, &event);
		char *why = NULL;

		if (got > 0 && player_event(p, &event, &why)) {
			clear_line(feed);
			fprintf(stderr, "%s:%lu: %s\n", p->path, event.line, why);
			good = false;
		}
		free(why);
		if (got > 0 && feed->progress)
			feed->progress(p, event.line, text, feed->arg);
		trace_event_free(&event);
		if (got < 0) {
			clear_line(feed);
			fprintf(stderr, "%s\n", trace_error(in));
			good = false;
		}
		if (!got)
			break;
	}
	return good;
}

/* A player with pages, if somebody asks for them; NULL and a message. */
static struct player *new_player(const struct feed *feed, const char *path,
				 const struct trace_header *header)
{
	/* maps and draw show areas unless they are asked for pages. */
	bool pages = feed->pages ||
		     (header->version >= TRACE_VERSION_PAGES && !feed->no_compare);
	unsigned long bytes = feed->arena_bytes ? feed->arena_bytes : FEED_ARENA_BYTES;
	struct player *p;
	int error;

	if (!pages)
		bytes = 0;
	p = player_new(path, header, bytes, &error);
	if (p)
		return p;
	if (bytes && error != -EINVAL)
		fprintf(stderr, "%s: there is no arena of %lu MiB (--arena): %s\n", path,
			bytes >> 20, strerror(-error));
	else
		fprintf(stderr, "%s: the header describes no machine that can be\n", path);
	return NULL;
}

static int feed_recording(const struct feed *feed, struct text_in *text, const char *path)
{
	struct trace_header header;
	struct trace_in *in = trace_open(text, path, &header);
	struct player *p;
	int status = EXIT_USAGE;

	if (!in)
		return EXIT_USAGE;
	p = new_player(feed, path, &header);
	if (p) {
		set_up(feed, p);
		if (play_recording(feed, p, in, text))
			status = feed->done(p, &header, "recording", feed->arg);
		p->mm_ends = NULL;
		player_free(p);
	}
	trace_header_free(&header);
	trace_close(in);
	return status;
}

static int feed_strace(const struct feed *feed, struct text_in *text, const char *path)
{
	struct trace_header header;
	struct strace_log log = { 0 };
	struct player *p;
	char *nothing[] = { NULL }, *why = NULL;
	int status = EXIT_USAGE;

	if (!strace_read(text, path, &log, &why)) {
		fprintf(stderr, "%s\n", why);
		free(why);
		strace_free(&log);
		return EXIT_USAGE;
	}
	machine_header(&header, nothing);
	p = new_player(feed, path, &header);
	if (p) {
		set_up(feed, p);
		strace_play(p, &log);
		status = feed->done(p, &header, "strace", feed->arg);
		p->mm_ends = NULL;
		player_free(p);
	}
	trace_header_free(&header);
	strace_free(&log);
	return status;
}

int feed_file(const struct feed *feed, const char *path)
{
	struct text_in *text = text_open(path);
	int status = EXIT_USAGE;

	if (!text) {
		cli_error(feed->cmd, "%s: %s", path, strerror(errno));
		return EXIT_USAGE;
	}
	if (trace_is_recording(text))
		status = feed_recording(feed, text, path);
	else if (text_failure(text))
		cli_error(feed->cmd, "%s: %s", path, text_failure(text));
	else if (strace_is_log(text))
		status = feed_strace(feed, text, path);
	else
		fprintf(stderr, "%s:1: this is neither a recording (it would begin with "
			"'vmarea-trace') nor a log of strace\n", path);
	text_close(text);
	return status;
}
