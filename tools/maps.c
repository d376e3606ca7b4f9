/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * vmarea maps: the address spaces of a recording, as /proc/PID/maps would show them, or one of its
 * neighbours there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "cmds.h"
#include "feed.h"

#define PAGE	4096ul

/* What is printed of an mm. */
struct form {
	const char *option;
	int (*print)(struct mm_user *mm, mm_writer write, void *arg);
	bool needs_pages;
};

struct maps {
	unsigned long pid, at;
	const struct form *form;	/* NULL: maps */
	unsigned long printed;
	int error;			/* -errno: a report could not be made */
};

static void help(void)
{
	fputs("usage: vmarea maps [--pid N] [--at N] [--pages] [FORM] FILE\n"
	      "\n"
	      "Prints each address space of a recording (or an strace log) as it was at its end.\n"
	      "\n"
	      "      --at N      after the Nth call, those that exist then\n"
	      "      --pid N     only the one of process (or thread) N\n"
	      "      --pages     with memory behind the areas, as far as the recording tells: all\n"
	      "                  of it after record --touch, else the areas' first touches\n"
	      "      --arena MIB how much memory that is (4096); only what is used is taken\n"
	      "  -h, --help      this\n"
	      "\n"
	      "One of these forms, else that of /proc/PID/maps:\n"
	      "      --smaps     of /proc/PID/smaps; without --pages the lines about areas\n"
	      "      --rollup    of /proc/PID/smaps_rollup (with pages)\n"
	      "      --pagemap   what /proc/PID/pagemap says, by runs of pages (with pages)\n"
	      "      --statm     of /proc/PID/statm\n"
	      "      --json      all of it, as JSON: a list of address spaces\n"
	      "\n"
	      "Examples:\n"
	      "  vmarea maps --at 100 traces/gcc.vtrace.zst\n"
	      "  vmarea maps --rollup traces/shell-touch.vtrace.zst\n", stdout);
}

/* -------------------------------------------------------------------------------- pagemap -- */

static const struct {
	uint64_t bit;
	const char *name;
} word_bits[] = {
	{ MM_PAGEMAP_PRESENT, "present" }, { MM_PAGEMAP_SWAPPED, "swapped" },
	{ MM_PAGEMAP_GUARD, "guard" }, { MM_PAGEMAP_FILE, "file" },
	{ MM_PAGEMAP_EXCLUSIVE, "exclusive" }, { MM_PAGEMAP_SOFT_DIRTY, "soft-dirty" },
};

/* Pages side by side of which pagemap says the same, but for their frames. */
struct run {
	unsigned long start, end;
	uint64_t bits;
	mm_writer write;
	void *arg;
	struct mm_user *mm;
};

static int print_run(struct run *run)
{
	char *line;
	int result;

	if (!run->bits)
		return 0;
	line = cli_printf("%lx-%lx", run->start, run->end);
	for (size_t i = 0; i < sizeof(word_bits) / sizeof(word_bits[0]); i++) {
		char *longer;

		if (!(run->bits & word_bits[i].bit))
			continue;
		longer = cli_printf("%s %s", line, word_bits[i].name);
		free(line);
		line = longer;
	}
	result = run->write(run->arg, line, strlen(line));
	free(line);
	return result ? result : run->write(run->arg, "\n", 1);
}

static int add_word(struct run *run, unsigned long addr, uint64_t bits)
{
	int result = 0;

	if (bits != run->bits || addr != run->end) {
		result = print_run(run);
		run->start = addr;
		run->bits = bits;
	}
	run->end = addr + PAGE;
	return result;
}

static int visit_area(const struct area_info *info, void *arg)
{
	struct run *run = arg;
	uint64_t words[512];
	unsigned long addr = info->start;
	int result = 0;

	/* The word of what was never touched is 0: a TiB of that takes seconds, not minutes. */
	while (!result && addr < info->end) {
		size_t most = sizeof(words) / sizeof(words[0]), left = (info->end - addr) / PAGE;
		long nr = mm_pagemap_read(run->mm, addr, left < most ? left : most, words);

		if (nr <= 0)
			return (int)nr;
		for (long i = 0; i < nr && !result; i++, addr += PAGE)
			result = add_word(run, addr, words[i] & ~MM_PAGEMAP_FRAME);
	}
	return result;
}

static int report_pagemap(struct mm_user *mm, mm_writer write, void *arg)
{
	struct run run = { .write = write, .arg = arg, .mm = mm };
	int result = mm_for_each_area(mm, 0, ~0ul, visit_area, &run);

	return result ? result : print_run(&run);
}

/* ---------------------------------------------------------------------------------- forms -- */

enum { FORM_SMAPS, FORM_ROLLUP, FORM_PAGEMAP, FORM_STATM, FORM_JSON, NR_FORMS };

static const struct form forms[NR_FORMS] = {
	[FORM_SMAPS] = { "--smaps", mm_report_smaps, false },
	[FORM_ROLLUP] = { "--rollup", mm_report_smaps_rollup, true },
	[FORM_PAGEMAP] = { "--pagemap", report_pagemap, true },
	[FORM_STATM] = { "--statm", mm_report_statm, false },
	[FORM_JSON] = { "--json", mm_report_json, false },
};

static int print(void *arg, const char *text, size_t bytes)
{
	(void)arg;
	return fwrite(text, 1, bytes, stdout) == bytes ? 0 : -1;
}

/* What is not UTF-8 as in mm_report_json(): U+DC00 and the byte. */
static void put_json_string(const char *text)
{
	putchar('"');
	for (size_t n; *text; text += n ? n : 1) {
		const unsigned int byte = (unsigned char)*text;

		n = cli_character(text);
		if (!n || byte < ' ') {
			printf("\\u%04x", n ? byte : 0xdc00 + byte);
			continue;
		}
		if (byte == '"' || byte == '\\')
			putchar('\\');
		fwrite(text, 1, n, stdout);
	}
	putchar('"');
}

/* What stands before the report of an mm. */
static void put_head(struct maps *m, const struct play_task *task, const char *when)
{
	const char *path = task->process->path ? task->process->path : "?";

	if (m->form != &forms[FORM_JSON]) {
		printf("%s# process %ld, %s, %s\n", m->printed ? "\n" : "", task->process->pid,
		       path, when);
		return;
	}
	printf("%s{\"process\": %ld, \"path\": ", m->printed ? ",\n" : "[", task->process->pid);
	put_json_string(path);
	fputs(", \"when\": ", stdout);
	put_json_string(when);
	fputs(", \"mm\": ", stdout);
}

static bool is_wanted(const struct maps *m, const struct player *p, const struct play_task *task)
{
	return !m->pid || player_is_of(p, task, m->pid);
}

static void show(struct maps *m, struct player *p, struct play_task *task, const char *when)
{
	int (*report)(struct mm_user *, mm_writer, void *) = m->form ? m->form->print
								     : mm_report_maps;
	int error;

	if (!is_wanted(m, p, task))
		return;
	put_head(m, task, when);
	error = report(task->mm->user, print, NULL);
	if (error)
		m->error = error;
	if (m->form == &forms[FORM_JSON])
		putchar('}');
	m->printed++;
}

static void ends(struct player *p, struct play_task *task, void *arg)
{
	struct maps *m = arg;

	if (!m->at)
		show(m, p, task, "at its end");
}

/* ----------------------------------------------------------------------------------- file -- */

static void show_living(struct maps *m, struct player *p)
{
	char *when = m->at ? cli_printf("after %lu calls", p->calls) : cli_strdup("still alive");

	for (struct play_mm *mm = p->mms; mm; mm = mm->next) {
		struct play_task *t = p->tasks;

		while (t && (t->mm != mm || !is_wanted(m, p, t)))
			t = t->next;
		if (t)
			show(m, p, t, when);
	}
	free(when);
}

/* Those that are alive: one task of each mm. */
static int done(struct player *p, const struct trace_header *h, const char *kind, void *arg)
{
	struct maps *m = arg;

	(void)h;
	(void)kind;
	show_living(m, p);
	if (m->form == &forms[FORM_JSON])
		puts(m->printed ? "]" : "[]");
	if (p->defect) {
		cli_error("maps", "%s: a defect of the library: %s", p->path, p->defect);
		return EXIT_DEFECT;
	}
	if (m->error) {
		cli_error("maps", "%s: an address space could not be printed: %s", p->path,
			  m->error == -1 ? "the output cannot be written" : strerror(-m->error));
		return EXIT_DEFECT;
	}
	if (m->printed)
		return EXIT_GOOD;
	if (m->pid)
		cli_error("maps", "%s: no process %lu has an address space%s", p->path, m->pid,
			  m->at ? " then" : "");
	else
		cli_error("maps", "%s: no address space", p->path);
	return EXIT_CHECK;
}

/* Option values that are forms come after every letter. */
#define OPTION_FORM	256

static int set_form(struct maps *m, const struct form *form)
{
	if (m->form && m->form != form)
		return cli_usage("maps", "%s and %s: one form at a time", m->form->option,
				 form->option);
	m->form = form;
	return EXIT_GOOD;
}

/* EXIT_GOOD; or the status to end with, @c being an option. */
static int take_option(struct maps *m, struct feed *feed, int c)
{
	unsigned long mib;

	if (c >= OPTION_FORM)
		return set_form(m, &forms[c - OPTION_FORM]);
	switch (c) {
	case 'p':
		return cli_number("maps", "--pid", optarg, 1, 0x7fffffff, &m->pid) ? EXIT_GOOD
										   : EXIT_USAGE;
	case 'a':
		return cli_number("maps", "--at", optarg, 1, ~0ul, &m->at) ? EXIT_GOOD : EXIT_USAGE;
	case 'P':
		feed->pages = true;
		return EXIT_GOOD;
	case 'A':
		if (!cli_number("maps", "--arena", optarg, 1, 1ul << 24, &mib))
			return EXIT_USAGE;
		feed->arena_bytes = mib << 20;
		return EXIT_GOOD;
	default:
		return EXIT_USAGE;
	}
}

int cmd_maps(int argc, char **argv)
{
	static const struct option options[] = {
		{ "pid", required_argument, NULL, 'p' },
		{ "at", required_argument, NULL, 'a' },
		{ "pages", no_argument, NULL, 'P' },
		{ "arena", required_argument, NULL, 'A' },
		{ "smaps", no_argument, NULL, OPTION_FORM + FORM_SMAPS },
		{ "rollup", no_argument, NULL, OPTION_FORM + FORM_ROLLUP },
		{ "pagemap", no_argument, NULL, OPTION_FORM + FORM_PAGEMAP },
		{ "statm", no_argument, NULL, OPTION_FORM + FORM_STATM },
		{ "json", no_argument, NULL, OPTION_FORM + FORM_JSON },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct maps m = { 0 };
	struct feed feed = {
		.cmd = "maps", .no_compare = true, .mm_ends = ends, .done = done, .arg = &m,
	};
	int c;

	while ((c = cli_getopt("maps", argc, argv, ":h", options)) != -1) {
		int status = EXIT_GOOD;

		if (c == 'h') {
			help();
			return EXIT_GOOD;
		}
		status = take_option(&m, &feed, c);
		if (status != EXIT_GOOD)
			return status;
	}
	if (optind + 1 != argc)
		return cli_usage("maps", optind == argc ? "which file? (vmarea maps FILE)"
							: "one file at a time");
	if (m.form && m.form->needs_pages)
		feed.pages = true;
	feed.stop_after = m.at;
	return feed_file(&feed, argv[optind]);
}
