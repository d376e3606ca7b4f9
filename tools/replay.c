/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * vmarea replay: plays recordings and strace logs on the library, and tells what was not as the
 * kernel had it.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "cmds.h"
#include "play.h"
#include "strace.h"

struct replay {
	bool json, validate, quiet, terminal;
	struct json_object *list;
	unsigned long next_progress;	/* line */
	const struct text_in *text;
};

static void help(void)
{
	fputs("usage: vmarea replay [--json] [--validate] FILE...\n"
	      "\n"
	      "Makes the memory calls of a recording on the library.  Every result has to be the\n"
	      "recorded one and every map identical.  A log of strace -f (with or without -o, -y,\n"
	      "-t, -tt) may stand in the place of a recording; it does not tell which pages were\n"
	      "touched, which files are one, and how calls of threads overlapped, so lines that only\n"
	      "these could explain are counted apart, as undetermined.\n"
	      "\n"
	      "      --json           one JSON object a file\n"
	      "      --validate       check every invariant of the mm after each call (slow)\n"
	      "  -q, --quiet          only what is wrong\n"
	      "  -h, --help           this\n"
	      "\n"
	      "Exit status: 0 no difference, 1 differences, 2 wrong usage or a file that cannot be\n"
	      "read, 3 a defect of the library.\n"
	      "\n"
	      "Example:\n"
	      "  vmarea replay traces/*.vtrace.zst\n"
	      "  strace -f -o ls.log ls && vmarea replay ls.log\n", stdout);
}

/* ------------------------------------------------------------------------------- telling -- */

static void clear_progress(const struct replay *r)
{
	if (r->terminal)
		fputs("\r\033[K", stderr);
}

static void progress(const struct player *p, unsigned long line, void *arg)
{
	struct replay *r = arg;
	unsigned long done, size;

	if (!r->terminal || line < r->next_progress)
		return;
	r->next_progress = line + 5000;
	text_progress(r->text, &done, &size);
	fprintf(stderr, "\r\033[K%s: line %lu, %lu calls, %lu differences", p->path, line, p->calls,
		p->differences);
	if (size && done < size)
		fprintf(stderr, ", %lu%%", done * 100 / size);
	fflush(stderr);
}

static double calls_a_second(const struct player *p)
{
	return p->call_ns ? (double)p->calls * 1e9 / (double)p->call_ns : 0;
}

static void tell_rate(double rate)
{
	if (rate >= 1e6)
		printf("%.2f M calls/s", rate / 1e6);
	else
		printf("%.0f k calls/s", rate / 1e3);
}

static void tell(const struct replay *r, const struct player *p)
{
	bool good = !p->differences && !p->undetermined && !p->defect;

	clear_progress(r);
	if (r->quiet && good)
		return;
	printf("%s: %lu calls, %lu process%s, %lu maps, peak %lu areas, %lu difference%s, ", p->path,
	       p->calls, p->processes, p->processes == 1 ? "" : "es", p->maps, p->peak_areas,
	       p->differences, p->differences == 1 ? "" : "s");
	if (p->undetermined)
		printf("%lu undetermined, ", p->undetermined);
	printf("%.2f ms, ", (double)p->call_ns / 1e6);
	tell_rate(calls_a_second(p));
	putchar('\n');
	for (size_t i = 0; i < p->nr_reasons; i++)
		printf("  undetermined, %lu: %s\n", p->reasons[i].count, p->reasons[i].text);
	if (p->first_difference) {
		printf("  the first difference:\n");
		for (const char *l = p->first_difference; *l;) {
			size_t n = strcspn(l, "\n");

			printf("  %.*s\n", (int)n, l);
			l += n + (l[n] == '\n');
		}
	}
	if (p->defect)
		fprintf(stderr, "vmarea replay: %s: a defect of the library: %s\n", p->path, p->defect);
	fflush(stdout);
}

static void add_json(struct replay *r, const struct player *p, const struct trace_header *h,
		     const char *kind)
{
	struct json_object *o = json_object_new_object(), *reasons = json_object_new_object();

	json_object_object_add(o, "file", json_object_new_string(p->path));
	json_object_object_add(o, "kind", json_object_new_string(kind));
	json_object_object_add(o, "kernel", json_object_new_string(h->kernel));
	json_object_object_add(o, "calls", json_object_new_uint64(p->calls));
	json_object_object_add(o, "processes", json_object_new_uint64(p->processes));
	json_object_object_add(o, "maps", json_object_new_uint64(p->maps));
	json_object_object_add(o, "peak_areas", json_object_new_uint64(p->peak_areas));
	json_object_object_add(o, "differences", json_object_new_uint64(p->differences));
	json_object_object_add(o, "undetermined", json_object_new_uint64(p->undetermined));
	for (size_t i = 0; i < p->nr_reasons; i++)
		json_object_object_add(reasons, p->reasons[i].text,
				       json_object_new_uint64(p->reasons[i].count));
	json_object_object_add(o, "reasons", reasons);
	json_object_object_add(o, "seconds", json_object_new_double((double)p->call_ns / 1e9));
	json_object_object_add(o, "calls_per_second", json_object_new_double(calls_a_second(p)));
	if (p->first_difference)
		json_object_object_add(o, "first_difference",
				       json_object_new_string(p->first_difference));
	if (p->defect)
		json_object_object_add(o, "defect", json_object_new_string(p->defect));
	json_object_array_add(r->list, o);
}

static int finish(struct replay *r, struct player *p, const struct trace_header *h,
		  const char *kind, bool broken)
{
	int status = p->defect ? EXIT_DEFECT : p->differences ? EXIT_CHECK : EXIT_GOOD;

	if (r->json && !broken)
		add_json(r, p, h, kind);
	else if (!broken)
		tell(r, p);
	player_free(p);
	return broken ? EXIT_USAGE : status;
}

/* ------------------------------------------------------------------------------- playing -- */

/* A line that is no line of a recording, or does not fit what came before: told, and the end. */
static bool play_recording(struct replay *r, struct player *p, struct trace_in *in)
{
	struct trace_event event;
	bool good = true;
	int got;

	while (good && !p->defect && (got = trace_next(in, &event)) != 0) {
		char *why = NULL;

		if (got < 0) {
			clear_progress(r);
			fprintf(stderr, "%s\n", trace_error(in));
			good = false;
		} else if (player_event(p, &event, &why)) {
			clear_progress(r);
			fprintf(stderr, "%s:%lu: %s\n", p->path, event.line, why);
			good = false;
		}
		free(why);
		progress(p, event.line, r);
		trace_event_free(&event);
	}
	if (good && !p->defect && trace_error(in)) {
		clear_progress(r);
		fprintf(stderr, "%s\n", trace_error(in));
		good = false;
	}
	return good;
}

static int replay_recording(struct replay *r, struct text_in *text, const char *path)
{
	struct trace_header header;
	struct trace_in *in = trace_open(text, path, &header);
	struct player *p;
	bool good;
	int status;

	if (!in)
		return EXIT_USAGE;
	p = player_new(path, &header);
	if (!p) {
		fprintf(stderr, "%s: the header describes no machine that can be\n", path);
		trace_header_free(&header);
		trace_close(in);
		return EXIT_USAGE;
	}
	p->validate = r->validate;
	good = play_recording(r, p, in);
	status = finish(r, p, &header, "recording", !good);
	trace_header_free(&header);
	trace_close(in);
	return status;
}

static int replay_strace(struct replay *r, struct text_in *text, const char *path)
{
	struct trace_header header = { .version = TRACE_VERSION };
	struct strace_log log = { 0 };
	struct player *p;
	char *why = NULL;
	int status;

	if (!strace_read(text, path, &log, &why)) {
		fprintf(stderr, "%s\n", why);
		free(why);
		strace_free(&log);
		return EXIT_USAGE;
	}
	machine_header(&header, (char *[]){ NULL });
	p = player_new(path, &header);
	if (!p)
		abort();
	p->validate = r->validate;
	strace_play(p, &log, progress, r);
	status = finish(r, p, &header, "strace", false);
	trace_header_free(&header);
	strace_free(&log);
	return status;
}

static int replay_file(struct replay *r, const char *path)
{
	struct text_in *text = text_open(path);
	int status;

	if (!text) {
		cli_error("replay", "%s: %s", path, strerror(errno));
		return EXIT_USAGE;
	}
	r->text = text;
	r->next_progress = 0;
	if (trace_is_recording(text)) {
		status = replay_recording(r, text, path);
	} else if (text_failure(text)) {
		cli_error("replay", "%s: %s", path, text_failure(text));
		status = EXIT_USAGE;
	} else if (strace_is_log(text)) {
		status = replay_strace(r, text, path);
	} else {
		fprintf(stderr, "%s:1: this is neither a recording (it would begin with "
			"'vmarea-trace') nor a log of strace\n", path);
		status = EXIT_USAGE;
	}
	text_close(text);
	return status;
}

int cmd_replay(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "validate", no_argument, NULL, 'v' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct replay r = { .terminal = isatty(2) };
	int c, worst = EXIT_GOOD;

	while ((c = cli_getopt("replay", argc, argv, ":qh", options)) != -1) {
		switch (c) {
		case 'j':
			r.json = true;
			break;
		case 'v':
			r.validate = true;
			break;
		case 'q':
			r.quiet = true;
			break;
		case 'h':
			help();
			return EXIT_GOOD;
		default:
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return cli_usage("replay", "which file? (vmarea replay FILE...)");
	r.list = json_object_new_array();
	for (int i = optind; i < argc; i++) {
		int status = replay_file(&r, argv[i]);

		if (status > worst)
			worst = status;
	}
	if (r.json)
		puts(json_object_to_json_string_ext(r.list, JSON_C_TO_STRING_PRETTY |
							    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(r.list);
	return worst;
}
