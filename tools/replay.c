/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * vmarea replay: plays recordings and strace logs on the library, and tells what was not as the
 * kernel had it.
 */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "cmds.h"
#include "feed.h"

struct replay {
	bool json, quiet, terminal;
	struct json_object *list;
	unsigned long next_progress;	/* line */
};

static void help(void)
{
	fputs("usage: vmarea replay [--pages] [--json] [--validate] FILE...\n"
	      "\n"
	      "Makes the memory calls of a recording on the library.  Every result has to be the\n"
	      "recorded one and every map identical.  A log of strace -f (with or without -o, -y,\n"
	      "-t, -tt) may stand in the place of a recording; it does not tell which pages were\n"
	      "touched, which files are one, and how calls of threads overlapped, so lines that\n"
	      "only these could explain are counted apart, as undetermined.\n"
	      "\n"
	      "      --pages          with memory behind the areas.  A recording of record --touch\n"
	      "                       is always replayed so: its bytes are stored, and what is in\n"
	      "                       the pages is compared.  Of others the touches are faults\n"
	      "      --arena MIB      how much memory that is (4096); only what is used is taken\n"
	      "      --json           one JSON object a file\n"
	      "      --validate       check every invariant of the mm after each call (slow)\n"
	      "  -q, --quiet          only what is wrong\n"
	      "  -h, --help           this\n"
	      "\n"
	      "Exit status: 0 no difference, 1 differences, 2 wrong usage or a file that cannot\n"
	      "be read, 3 a defect of the library.\n"
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

static void progress(const struct player *p, unsigned long line, const struct text_in *text,
		     void *arg)
{
	struct replay *r = arg;
	unsigned long done, size;

	if (!r->terminal || line < r->next_progress)
		return;
	r->next_progress = line + 5000;
	text_progress(text, &done, &size);
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
	printf("%s: %lu calls, %lu process%s, %lu map%s, peak %lu areas, %lu difference%s, ",
	       p->path, p->calls, p->processes, p->processes == 1 ? "" : "es", p->maps,
	       p->maps == 1 ? "" : "s", p->peak_areas, p->differences,
	       p->differences == 1 ? "" : "s");
	if (p->undetermined)
		printf("%lu undetermined, ", p->undetermined);
	printf("%.2f ms, ", (double)p->call_ns / 1e6);
	tell_rate(calls_a_second(p));
	putchar('\n');
	if (p->pages)
		printf("  pages: %lu written, %lu compared, %lu difference%s\n", p->pages_stored,
		       p->pages_compared, p->page_differences,
		       p->page_differences == 1 ? "" : "s");
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
		cli_error("replay", "%s: a defect of the library: %s", p->path, p->defect);
	fflush(stdout);
}

/* In JSON all is UTF-8: what of @text is not becomes U+FFFD. */
static char *as_utf8(const char *text)
{
	char *clean = cli_alloc(3 * strlen(text) + 1), *to = clean;

	for (size_t n; *text; text += n ? n : 1) {
		n = cli_character(text);
		to = mempcpy(to, n ? text : "\ufffd", n ? n : 3);
	}
	return clean;
}

static struct json_object *new_string(const char *text)
{
	char *clean = as_utf8(text);
	struct json_object *string = json_object_new_string(clean);

	free(clean);
	return string;
}

static void add_json(struct replay *r, const struct player *p, const struct trace_header *h,
		     const char *kind)
{
	struct json_object *o = json_object_new_object(), *reasons = json_object_new_object();

	json_object_object_add(o, "file", new_string(p->path));
	json_object_object_add(o, "kind", json_object_new_string(kind));
	json_object_object_add(o, "kernel", new_string(h->kernel));
	json_object_object_add(o, "calls", json_object_new_uint64(p->calls));
	json_object_object_add(o, "processes", json_object_new_uint64(p->processes));
	json_object_object_add(o, "maps", json_object_new_uint64(p->maps));
	json_object_object_add(o, "peak_areas", json_object_new_uint64(p->peak_areas));
	json_object_object_add(o, "differences", json_object_new_uint64(p->differences));
	if (p->pages) {
		json_object_object_add(o, "pages_written", json_object_new_uint64(p->pages_stored));
		json_object_object_add(o, "pages_compared",
				       json_object_new_uint64(p->pages_compared));
		json_object_object_add(o, "page_differences",
				       json_object_new_uint64(p->page_differences));
	}
	json_object_object_add(o, "undetermined", json_object_new_uint64(p->undetermined));
	for (size_t i = 0; i < p->nr_reasons; i++) {
		char *text = as_utf8(p->reasons[i].text);

		json_object_object_add(reasons, text, json_object_new_uint64(p->reasons[i].count));
		free(text);
	}
	json_object_object_add(o, "reasons", reasons);
	json_object_object_add(o, "seconds", json_object_new_double((double)p->call_ns / 1e9));
	json_object_object_add(o, "calls_per_second", json_object_new_double(calls_a_second(p)));
	if (p->first_difference)
		json_object_object_add(o, "first_difference", new_string(p->first_difference));
	if (p->defect)
		json_object_object_add(o, "defect", new_string(p->defect));
	json_object_array_add(r->list, o);
}

static int done(struct player *p, const struct trace_header *h, const char *kind, void *arg)
{
	struct replay *r = arg;

	if (r->json)
		add_json(r, p, h, kind);
	else
		tell(r, p);
	return p->defect ? EXIT_DEFECT : p->differences ? EXIT_CHECK : EXIT_GOOD;
}

int cmd_replay(int argc, char **argv)
{
	static const struct option options[] = {
		{ "pages", no_argument, NULL, 'p' },
		{ "arena", required_argument, NULL, 'a' },
		{ "json", no_argument, NULL, 'j' },
		{ "validate", no_argument, NULL, 'v' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct replay r = { .terminal = isatty(2) };
	struct feed feed = { .cmd = "replay", .progress = progress, .done = done, .arg = &r };
	unsigned long mib = 0;
	int c, worst = EXIT_GOOD;

	while ((c = cli_getopt("replay", argc, argv, ":qh", options)) != -1) {
		switch (c) {
		case 'p':
			feed.pages = true;
			break;
		case 'a':
			if (!cli_number("replay", "--arena", optarg, 1, 1ul << 24, &mib))
				return EXIT_USAGE;
			feed.arena_bytes = mib << 20;
			break;
		case 'j':
			r.json = true;
			break;
		case 'v':
			feed.validate = true;
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
		int status;

		r.next_progress = 0;
		status = feed_file(&feed, argv[i]);
		if (status > worst)
			worst = status;
	}
	if (r.json)
		puts(json_object_to_json_string_ext(r.list, JSON_C_TO_STRING_PRETTY |
							    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(r.list);
	return worst;
}
