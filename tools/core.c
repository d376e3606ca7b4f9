/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * vmarea core: a core file of a process of a recording, as it was at its end.
 *
 * A process may have several address spaces, one after another, by exec.  Each is written when it
 * ends, over the one before, so that what is left is the last one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vmarea/core.h>

#include "cli.h"
#include "cmds.h"
#include "feed.h"
#include "output.h"

struct core {
	const char *path;
	unsigned long pid, filter;	/* pid 0: the first process */
	struct output out;
	unsigned long written;		/* times */
	uint64_t bytes, holes;		/* of what is there now */
	unsigned long areas;
	long process;			/* whose it is */
	char *program;
	int error;			/* -errno: it could not be written */
};

static void help(void)
{
	fputs("usage: vmarea core [--pid N] [--filter MASK] -o CORE FILE\n"
	      "\n"
	      "Writes a core file of a process of a recording (or an strace log), as it was at its\n"
	      "end, for gdb: gdb -c CORE, or gdb PROGRAM CORE.  Its memory is that of a recording\n"
	      "of record --touch; others tell the areas, and their bytes are zeros.  Registers are\n"
	      "in no recording: they are zeros, too.\n"
	      "\n"
	      "  -o, --output CORE   where to write it\n"
	      "      --pid N         of process (or thread) N; else of the first one\n"
	      "      --filter MASK   which memory (0x33), as in /proc/PID/coredump_filter: the sum\n"
	      "                      of 0x1 private and 0x2 shared anonymous, 0x4 private and 0x8\n"
	      "                      shared of files, 0x10 ELF headers, 0x20 private and 0x40\n"
	      "                      shared huge pages, 0x80 private and 0x100 shared DAX\n"
	      "      --arena MIB     how much memory to replay in (4096); only what is used is taken\n"
	      "  -h, --help          this\n"
	      "\n"
	      "Example:\n"
	      "  vmarea record --touch -o ls.vtrace -- ls /\n"
	      "  vmarea core -o ls.core ls.vtrace && gdb -c ls.core\n", stdout);
}

/* -------------------------------------------------------------------------------- writing -- */

static int write_some(void *arg, const char *bytes, size_t nr)
{
	struct core *core = arg;

	core->bytes += nr;
	while (nr) {
		ssize_t n = write(core->out.fd, bytes, nr);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		nr -= (size_t)n;
	}
	return 0;
}

static int skip_some(void *arg, uint64_t bytes)
{
	struct core *core = arg;

	core->bytes += bytes;
	core->holes += bytes;
	return lseek(core->out.fd, (off_t)bytes, SEEK_CUR) < 0 ? -errno : 0;
}

static int count_area(const struct area_info *info, void *arg)
{
	struct core *core = arg;

	(void)info;
	core->areas++;
	return 0;
}

/* "/bin/cat" -> "cat" */
static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int write_core(struct core *core, const struct play_task *task)
{
	struct mm_core_config config = MM_CORE_CONFIG_INIT;
	int error;

	config.filter = (unsigned int)core->filter;
	config.machine = task->mm->config.table_format;
	config.pid = (int32_t)task->process->pid;
	config.name = last_part(core->program);
	config.arguments = core->program;
	config.skip = skip_some;
	error = output_begin(&core->out);
	if (error)
		return -error;
	error = mm_report_core(task->mm->user, &config, write_some, core);
	if (error)
		return error;
	/* A hole at the end. */
	if (ftruncate(core->out.fd, (off_t)core->bytes))
		return -errno;
	return mm_for_each_area(task->mm->user, 0, ~0ul, count_area, core);
}

static unsigned long wanted(const struct core *core, const struct player *p)
{
	return core->pid ? core->pid : (unsigned long)p->first_process;
}

static bool is_wanted(const struct core *core, const struct player *p, const struct play_task *task)
{
	return player_is_of(p, task, wanted(core, p));
}

static void dump(struct core *core, const struct play_task *task)
{
	if (core->error)
		return;
	free(core->program);
	core->program = cli_strdup(task->process->path ? task->process->path : "?");
	core->process = task->process->pid;
	core->bytes = 0;
	core->holes = 0;
	core->areas = 0;
	core->error = write_core(core, task);
	core->written++;
}

/* --------------------------------------------------------------------------------- playing -- */

static void ends(struct player *p, struct play_task *task, void *arg)
{
	struct core *core = arg;

	if (is_wanted(core, p, task))
		dump(core, task);
}

static int tell(const struct core *core, const struct player *p)
{
	if (core->error) {
		cli_error("core", "%s: %s", core->path, strerror(-core->error));
		return EXIT_DEFECT;
	}
	if (!core->written) {
		cli_error("core", "%s: no process %lu has an address space ('vmarea maps %s' lists "
			  "those there are)", p->path, wanted(core, p), p->path);
		return EXIT_CHECK;
	}
	fprintf(stderr, "%s: process %ld, %s: %lu areas, %llu bytes, %llu of them holes\n",
		core->path, core->process, core->program, core->areas,
		(unsigned long long)core->bytes, (unsigned long long)core->holes);
	return EXIT_GOOD;
}

static int done(struct player *p, const struct trace_header *h, const char *kind, void *arg)
{
	struct core *core = arg;

	(void)h;
	(void)kind;
	for (struct play_task *t = p->tasks; t; t = t->next)
		if (t->mm && is_wanted(core, p, t)) {
			dump(core, t);
			break;
		}
	if (p->defect) {
		cli_error("core", "%s: a defect of the library: %s", p->path, p->defect);
		return EXIT_DEFECT;
	}
	return tell(core, p);
}

/* ------------------------------------------------------------------------------ the command -- */

static int open_and_feed(struct core *core, const struct feed *feed, const char *path)
{
	int status, error;

	if (cli_same_file(path, core->path))
		return cli_usage("core", "%s is the file to be read: another one for -o", core->path);
	error = output_open(&core->out, core->path, O_NONBLOCK, 0600);
	if (error) {
		cli_error("core", "%s: %s", core->path, strerror(error));
		return EXIT_USAGE;
	}
	if (!core->out.regular) {
		output_drop(&core->out);
		return cli_usage("core", "%s: not a regular file: a core file has holes", core->path);
	}
	status = feed_file(feed, path);
	if (core->error || !core->written)
		output_drop(&core->out);
	else
		error = output_keep(&core->out);
	if (error) {
		cli_error("core", "%s: %s", core->path, strerror(error));
		status = EXIT_DEFECT;
	}
	free(core->program);
	return status;
}

/* EXIT_GOOD; or the status to end with, @c being an option. */
static int take_option(struct core *core, struct feed *feed, int c)
{
	unsigned long mib;

	switch (c) {
	case 'o':
		core->path = optarg;
		return EXIT_GOOD;
	case 'p':
		return cli_number("core", "--pid", optarg, 1, 0x7fffffff, &core->pid) ? EXIT_GOOD
										      : EXIT_USAGE;
	case 'f':
		return cli_number("core", "--filter", optarg, 0, MM_CORE_FILTER_ALL, &core->filter)
			? EXIT_GOOD : EXIT_USAGE;
	case 'A':
		if (!cli_number("core", "--arena", optarg, 1, 1ul << 24, &mib))
			return EXIT_USAGE;
		feed->arena_bytes = mib << 20;
		return EXIT_GOOD;
	default:
		return EXIT_USAGE;
	}
}

int cmd_core(int argc, char **argv)
{
	static const struct option options[] = {
		{ "output", required_argument, NULL, 'o' },
		{ "pid", required_argument, NULL, 'p' },
		{ "filter", required_argument, NULL, 'f' },
		{ "arena", required_argument, NULL, 'A' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct core core = { .filter = MM_CORE_FILTER_DEFAULT };
	struct feed feed = {
		.cmd = "core", .no_compare = true, .pages = true, .mm_ends = ends,
		.done = done, .arg = &core,
	};
	int c;

	while ((c = cli_getopt("core", argc, argv, ":o:h", options)) != -1) {
		int status;

		if (c == 'h') {
			help();
			return EXIT_GOOD;
		}
		status = take_option(&core, &feed, c);
		if (status != EXIT_GOOD)
			return status;
	}
	if (optind + 1 != argc)
		return cli_usage("core", optind == argc ? "which file? (vmarea core -o CORE FILE)"
							: "one file at a time");
	if (!core.path)
		return cli_usage("core", "where to? (-o CORE)");
	return open_and_feed(&core, &feed, argv[optind]);
}
