/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * vmarea maps: the address spaces of a recording, as /proc/PID/maps would show them.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "cmds.h"
#include "feed.h"

struct maps {
	unsigned long pid, at;
	bool smaps;
	unsigned long printed;
};

static void help(void)
{
	fputs("usage: vmarea maps [--pid N] [--at N] [--smaps] FILE\n"
	      "\n"
	      "Prints each address space of a recording (or an strace log) as it was at its end.\n"
	      "\n"
	      "      --at N    after the Nth call, those that exist then\n"
	      "      --pid N   only the one of process (or thread) N\n"
	      "      --smaps   with sizes and flags, as /proc/PID/smaps has them\n"
	      "  -h, --help    this\n"
	      "\n"
	      "Example:\n"
	      "  vmarea maps --at 100 traces/gcc.vtrace.zst\n", stdout);
}

static int print(void *arg, const char *text, size_t bytes)
{
	(void)arg;
	return fwrite(text, 1, bytes, stdout) == bytes ? 0 : -1;
}

static void show(struct maps *m, struct play_task *task, const char *when)
{
	if (m->pid && m->pid != (unsigned long)task->tid &&
	    m->pid != (unsigned long)task->process->pid)
		return;
	printf("%s# process %ld, %s, %s\n", m->printed++ ? "\n" : "", task->process->pid,
	       task->process->path ? task->process->path : "?", when);
	if (m->smaps)
		(void)mm_report_smaps(task->mm->user, print, NULL);
	else
		(void)mm_report_maps(task->mm->user, print, NULL);
}

static void ends(struct player *p, struct play_task *task, void *arg)
{
	struct maps *m = arg;

	(void)p;
	if (!m->at)
		show(m, task, "at its end");
}

/* Those that are alive: one task of each mm. */
static int done(struct player *p, const struct trace_header *h, const char *kind, void *arg)
{
	struct maps *m = arg;
	char *when = m->at ? cli_printf("after %lu calls", p->calls) : cli_strdup("still alive");

	(void)h;
	(void)kind;
	for (struct play_mm *mm = p->mms; mm; mm = mm->next) {
		struct play_task *t = p->tasks;

		while (t && (t->mm != mm || (m->pid && m->pid != (unsigned long)t->tid &&
					     m->pid != (unsigned long)t->process->pid)))
			t = t->next;
		if (t)
			show(m, t, when);
	}
	free(when);
	if (p->defect) {
		cli_error("maps", "%s: a defect of the library: %s", p->path, p->defect);
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

int cmd_maps(int argc, char **argv)
{
	static const struct option options[] = {
		{ "pid", required_argument, NULL, 'p' },
		{ "at", required_argument, NULL, 'a' },
		{ "smaps", no_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct maps m = { 0 };
	struct feed feed = {
		.cmd = "maps", .no_compare = true, .mm_ends = ends, .done = done, .arg = &m,
	};
	int c;

	while ((c = cli_getopt("maps", argc, argv, ":h", options)) != -1) {
		switch (c) {
		case 'p':
			if (!cli_number("maps", "--pid", optarg, 1, 0x7fffffff, &m.pid))
				return EXIT_USAGE;
			break;
		case 'a':
			if (!cli_number("maps", "--at", optarg, 1, ~0ul, &m.at))
				return EXIT_USAGE;
			break;
		case 's':
			m.smaps = true;
			break;
		case 'h':
			help();
			return EXIT_GOOD;
		default:
			return EXIT_USAGE;
		}
	}
	if (optind + 1 != argc)
		return cli_usage("maps", optind == argc ? "which file? (vmarea maps FILE)"
							: "one file at a time");
	feed.stop_after = m.at;
	return feed_file(&feed, argv[optind]);
}
