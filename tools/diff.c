/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * `vmarea diff`: is the library what the running kernel is?
 *
 * The parts.  A *round* is some thousand calls on a fresh address space, drawn from the seed and
 * the round's number (diff_gen.c).  The library makes them first (diff_side.c) and leaves in shared
 * memory each call, its result, and the map after it.  The *agent* (diff_agent.c), a process that
 * consists of nearly nothing else, makes them on the kernel, and compares result and map after
 * every call; VmFlags and totals every 500 calls and at the end, with what else smaps tells where
 * there are pages every 150.  Both use the same addresses, whether given or chosen, because the
 * library begins with the agent's own map (diff_run.c).
 *
 * A difference is run again and made shorter (diff_shrink.c) and told (diff_report.c).  All work is
 * done in child processes, so that a library that dies is a finding, too.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "cmds.h"
#include "diff.h"

enum { MAX_JOBS = 64, MAX_REPORTED = 20 };

struct options {
	unsigned long seed, round, calls, jobs, window, overcommit;
	uint64_t ops;
	struct memory_setup memory;
	const char *script;
	bool keep_going, json, quiet, no_shrink;
};

struct job {
	struct diff_context *context;
	struct worker *worker;
	struct plan plan;
	pid_t pid;			/* 0: not running */
};

struct run {
	const struct options *options;
	struct diff_context *context;	/* for trials */
	struct job job[MAX_JOBS];
	unsigned long differences;
	struct timespec began;
};

/* -------------------------------------------------------------------------------- options -- */

static void help(void)
{
	fputs("usage: vmarea diff [OPTIONS]\n"
	      "\n"
	      "Makes random memory calls on the running kernel and on the library, and compares\n"
	      "every result and the whole map after each call.\n"
	      "\n"
	      "  --seed N        which calls (default 1)\n"
	      "  --calls N       how many (default 200000)\n"
	      "  --round N       begin at this round of the seed (default 0)\n"
	      "  --jobs N        processes at once (default 1)\n"
	      "  --window PAGES  size of the range that most calls are about (default 64)\n"
	      "  --only CALL     only this call, and others given so; mmap is always one of them\n"
	      "  --without CALL  not this call; may be given several times\n"
	      "  --touch         load and store, too, and compare bytes, signals and pages\n"
	      "  --mmu PATH      with --touch, how the library's memory is accessed: none\n"
	      "                  (default); soft, a software TLB; host, windows of this process\n"
	      "  --files         with --touch: also change files under their mappings, read and\n"
	      "                  write them, and compare their bytes and sizes\n"
	      "  --levels N      with --touch, of the library's page tables: 4 (default) or 5\n"
	      "  --script FILE   the calls of this file instead, as a difference left them\n"
	      "  --overcommit N  set vm.overcommit_memory to it for the while (whole machine)\n"
	      "  --keep-going    go on after a difference\n"
	      "  --no-shrink     report it as it was met\n"
	      "  --json          the summary as JSON\n"
	      "  --quiet         no progress\n"
	      "\n"
	      "Needs Linux 6.11 or later.  As root it also makes the calls that only root may.\n"
	      "\n"
	      "Calls:", stdout);
	for (unsigned int op = OP_MMAP; op < NR_OPS; op++)
		printf(" %s", op_name(op));
	fputs("\n\nExamples:\n"
	      "  vmarea diff --seed 7 --calls 5000000\n"
	      "  vmarea diff --script vmarea-diff-7-12.script\n", stdout);
}

enum { OPT_SEED = 256, OPT_CALLS, OPT_ROUND, OPT_JOBS, OPT_WINDOW, OPT_ONLY, OPT_WITHOUT,
       OPT_TOUCH, OPT_MMU, OPT_LEVELS, OPT_FILES, OPT_SCRIPT, OPT_OVERCOMMIT, OPT_KEEP_GOING,
       OPT_NO_SHRINK, OPT_JSON, OPT_QUIET };

static const struct option longs[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "calls", required_argument, NULL, OPT_CALLS },
	{ "round", required_argument, NULL, OPT_ROUND },
	{ "jobs", required_argument, NULL, OPT_JOBS },
	{ "window", required_argument, NULL, OPT_WINDOW },
	{ "only", required_argument, NULL, OPT_ONLY },
	{ "without", required_argument, NULL, OPT_WITHOUT },
	{ "touch", no_argument, NULL, OPT_TOUCH },
	{ "mmu", required_argument, NULL, OPT_MMU },
	{ "levels", required_argument, NULL, OPT_LEVELS },
	{ "files", no_argument, NULL, OPT_FILES },
	{ "script", required_argument, NULL, OPT_SCRIPT },
	{ "overcommit", required_argument, NULL, OPT_OVERCOMMIT },
	{ "keep-going", no_argument, NULL, OPT_KEEP_GOING },
	{ "no-shrink", no_argument, NULL, OPT_NO_SHRINK },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "quiet", no_argument, NULL, OPT_QUIET },
	{ NULL, 0, NULL, 0 },
};

static bool path_option(struct memory_setup *memory)
{
	int path = path_by_name(optarg);

	if (path < 0)
		cli_usage("diff", "--mmu: '%s' is none of none, soft, host", optarg);
	else
		memory->path = (enum memory_path)path;
	return path >= 0;
}

/* The kernel's addresses are to fit. */
static bool levels_option(struct memory_setup *memory)
{
	unsigned long levels;

	if (!cli_number("diff", "--levels", optarg, 4, 5, &levels))
		return false;
	memory->levels = (unsigned int)levels;
	return true;
}

static bool number_option(struct options *o, int c)
{
	switch (c) {
	case OPT_SEED:
		return cli_number("diff", "--seed", optarg, 0, ~0ul, &o->seed);
	case OPT_CALLS:
		return cli_number("diff", "--calls", optarg, 1, 1ul << 50, &o->calls);
	case OPT_ROUND:
		return cli_number("diff", "--round", optarg, 0, 1ul << 50, &o->round);
	case OPT_OVERCOMMIT:
		return cli_number("diff", "--overcommit", optarg, 0, 2, &o->overcommit);
	case OPT_JOBS:
		return cli_number("diff", "--jobs", optarg, 1, MAX_JOBS, &o->jobs);
	default:
		return cli_number("diff", "--window", optarg, 16, 4096, &o->window);
	}
}

static bool op_option(uint64_t *ops)
{
	int op = op_by_name(optarg);

	if (op < 0)
		cli_usage("diff", "there is no call '%s'", optarg);
	else
		*ops |= 1ul << op;
	return op >= 0;
}

static int choose_ops(struct options *o, uint64_t only, uint64_t without)
{
	const uint64_t accesses = 1ul << OP_LOAD | 1ul << OP_STORE | 1ul << OP_PEEK |
				  1ul << OP_POKE;

	const uint64_t file_io = 1ul << OP_PUNCH | 1ul << OP_FILE_READ | 1ul << OP_FILE_WRITE |
				 1ul << OP_FILE_SYNC | 1ul << OP_ADD_SEALS;

	if (!o->memory.touch && (only & accesses))
		return cli_usage("diff", "load, store, peek, poke: no bytes without --touch");
	if (!o->memory.files && (only & file_io))
		return cli_usage("diff", "punch, file_read, file_write, file_sync, add_seals: "
				 "not without --files");
	if (!o->memory.touch)
		without |= accesses;
	if (!o->memory.files)
		without |= file_io;
	o->ops = (only ? only | 1ul << OP_MMAP : ~0ul) & ~without & ~(1ul << OP_CHECK) &
		 ((1ul << NR_OPS) - 1);
	if (!o->ops)
		return cli_usage("diff", "--without: no call is left to be made");
	return -1;
}

/* -1: go on; else the exit status. */
static int parse_options(int argc, char **argv, struct options *o)
{
	const char *needs_touch = NULL;
	uint64_t only = 0, without = 0;
	bool good = true;
	int c;

	optind = 1;
	while (good && (c = cli_getopt("diff", argc, argv, ":h", longs)) != -1) {
		switch (c) {
		case 'h':
			help();
			return EXIT_GOOD;
		case '?':
			return EXIT_USAGE;
		case OPT_ONLY:
			good = op_option(&only);
			break;
		case OPT_WITHOUT:
			good = op_option(&without);
			break;
		case OPT_SCRIPT:
			o->script = optarg;
			break;
		case OPT_TOUCH:
			o->memory.touch = true;
			break;
		case OPT_MMU:
			good = path_option(&o->memory);
			needs_touch = "--mmu";
			break;
		case OPT_LEVELS:
			good = levels_option(&o->memory);
			needs_touch = "--levels";
			break;
		case OPT_FILES:
			o->memory.files = true;
			needs_touch = "--files";
			break;
		case OPT_KEEP_GOING:
			o->keep_going = true;
			break;
		case OPT_NO_SHRINK:
			o->no_shrink = true;
			break;
		case OPT_JSON:
			o->json = true;
			break;
		case OPT_QUIET:
			o->quiet = true;
			break;
		default:
			good = number_option(o, c);
		}
	}
	if (!good)
		return EXIT_USAGE;
	if (optind < argc)
		return cli_usage("diff", "what is '%s' for?", argv[optind]);
	if (needs_touch && !o->memory.touch)
		return cli_usage("diff", "%s is about pages: add --touch", needs_touch);
	if (o->memory.touch && !o->memory.levels)
		o->memory.levels = 4;
	return choose_ops(o, only, without);
}

/* ----------------------------------------------------------------------------- overcommit -- */

enum { OVERCOMMIT_AS_IS = 3 };

static int overcommit_fd = -1;
static char overcommit_before;

/* Also in a signal handler. */
static void restore_overcommit(void)
{
	/* Nobody is left to be told of an error. */
	if (overcommit_fd >= 0 && pwrite(overcommit_fd, &overcommit_before, 1, 0) != 1)
		return;
	overcommit_fd = -1;
}

static void on_end(int signo)
{
	restore_overcommit();
	signal(signo, SIG_DFL);
	raise(signo);
}

static bool set_overcommit(unsigned long mode)
{
	const char digit = (char)('0' + mode);

	overcommit_fd = open("/proc/sys/vm/overcommit_memory", O_RDWR | O_CLOEXEC);
	if (overcommit_fd < 0 || pread(overcommit_fd, &overcommit_before, 1, 0) != 1 ||
	    pwrite(overcommit_fd, &digit, 1, 0) != 1) {
		cli_error("diff", "--overcommit: vm.overcommit_memory cannot be set: %s",
			  strerror(errno));
		return false;
	}
	atexit(restore_overcommit);
	signal(SIGINT, on_end);
	signal(SIGTERM, on_end);
	signal(SIGHUP, on_end);
	return true;
}

/* ---------------------------------------------------------------------------------- totals -- */

static struct worker_counts totals(const struct run *run)
{
	struct worker_counts sum = { 0 };

	for (unsigned long i = 0; i < run->options->jobs; i++) {
		const struct worker_counts *counts = &run->job[i].worker->counts;

		sum.calls += counts->calls;
		sum.rounds += counts->rounds;
		sum.texts += counts->texts;
		for (int op = 0; op < NR_OPS; op++)
			sum.per_op[op] += counts->per_op[op];
	}
	return sum;
}

static double seconds_since(const struct timespec *began)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - began->tv_sec) +
		(double)(now.tv_nsec - began->tv_nsec) / 1e9;
}

static void print_progress(const struct run *run)
{
	struct worker_counts sum;

	if (run->options->quiet || !isatty(STDERR_FILENO))
		return;
	sum = totals(run);
	fprintf(stderr, "\r%llu of %lu calls, %.0f calls/s, %lu differences ",
		(unsigned long long)sum.calls, run->options->calls,
		(double)sum.calls / seconds_since(&run->began), run->differences);
}

static void print_json(const struct run *run, const struct worker_counts *sum, double seconds)
{
	const char *between = "";

	printf("{\"kernel\": \"%s\", \"seed\": %lu, \"calls\": %llu, \"rounds\": %llu, "
	       "\"seconds\": %.3f, \"calls_per_second\": %.0f, \"differences\": %lu, "
	       "\"per_call\": {",
	       run->context->machine.release, run->options->seed, (unsigned long long)sum->calls,
	       (unsigned long long)sum->rounds, seconds, (double)sum->calls / seconds,
	       run->differences);
	for (unsigned int op = OP_MMAP; op < NR_OPS; op++) {
		printf("%s\"%s\": %llu", between, op_name(op), (unsigned long long)sum->per_op[op]);
		between = ", ";
	}
	puts("}}");
}

static void print_summary(const struct run *run)
{
	const struct worker_counts sum = totals(run);
	double seconds = seconds_since(&run->began);
	int column = 0;

	if (!run->options->quiet && isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	if (run->options->json) {
		print_json(run, &sum, seconds);
		return;
	}
	printf("%s: seed %lu, %llu calls in %llu rounds, %.1f s, %.0f calls/s, %lu differences\n",
	       run->context->machine.release, run->options->seed, (unsigned long long)sum.calls,
	       (unsigned long long)sum.rounds, seconds, (double)sum.calls / seconds,
	       run->differences);
	if (run->differences && strncmp(run->context->machine.release, "Linux 6.18.", 11))
		puts("The library follows Linux 6.18; another release may differ from that.");
	for (unsigned int op = OP_MMAP; op < NR_OPS; op++)
		if (sum.per_op[op])
			printf("%s%s %llu", column++ % 8 ? ", " : column > 1 ? "\n  " : "  ",
			       op_name(op), (unsigned long long)sum.per_op[op]);
	putchar('\n');
}

/* ----------------------------------------------------------------------------------- jobs -- */

static void start_job(struct job *job)
{
	pid_t parent = getpid();

	fflush(stdout);
	job->pid = fork();
	if (job->pid < 0) {
		cli_error("diff", "fork: %s", strerror(errno));
		exit(EXIT_DEFECT);
	}
	if (job->pid)
		return;
	/* What is to be put back is the program's, not the worker's. */
	overcommit_fd = -1;
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_DEFECT);
	worker_rounds(job->context, &job->plan, job->worker);
	_exit(EXIT_GOOD);
}

static void tell_round(const struct options *o, const struct finding *finding)
{
	fputs("as it was met: vmarea diff", stderr);
	if (o->memory.touch)
		fprintf(stderr, " --touch --mmu %s --levels %u%s", path_name(o->memory.path),
			o->memory.levels, o->memory.files ? " --files" : "");
	fprintf(stderr, " --seed %llu --round %llu --calls %u\n",
		(unsigned long long)finding->seed, (unsigned long long)finding->round,
		ROUND_MAX_CALLS);
}

static void tell(struct run *run, struct finding *finding)
{
	char *path;

	run->differences++;
	if (run->differences > MAX_REPORTED)
		return;
	if (!run->options->no_shrink)
		shrink(run->context, finding);
	if (!run->options->quiet && isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	report_finding(stderr, run->context, finding);
	path = report_save(run->context, finding);
	if (path)
		fprintf(stderr, "again: vmarea diff --script %s\n", path);
	if (!run->options->script)
		tell_round(run->options, finding);
	free(path);
}

/* A worker has ended: why, and does it go on?  true: it does. */
static bool end_job(struct run *run, struct job *job, int status)
{
	job->pid = 0;
	if (WIFSIGNALED(status)) {
		job->worker->finding.seed = job->plan.seed;
		job->worker->finding.round = job->worker->round;
		finding_of_death(job->context, WTERMSIG(status), &job->worker->finding);
	} else if (WEXITSTATUS(status)) {
		exit(WEXITSTATUS(status));
	}
	if (job->worker->finding.kind == FOUND_NOTHING)
		return false;
	tell(run, &job->worker->finding);
	job->plan.first = job->worker->round + job->plan.step;
	return run->options->keep_going && job->worker->counts.calls < job->plan.calls;
}

static void run_jobs(struct run *run)
{
	const struct timespec tick = { .tv_sec = 1 };
	const struct options *o = run->options;
	unsigned long running = o->jobs;
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	for (unsigned long i = 0; i < o->jobs; i++)
		start_job(&run->job[i]);
	while (running) {
		bool stop = run->differences && !o->keep_going;
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (!pid) {
			sigtimedwait(&child, NULL, &tick);
			print_progress(run);
		}
		for (unsigned long i = 0; i < o->jobs; i++) {
			struct job *job = &run->job[i];

			if (stop && job->pid)
				kill(job->pid, SIGTERM);
			if (pid <= 0 || job->pid != pid)
				continue;
			if (stop)
				job->pid = 0;
			else if (end_job(run, job, status)) {
				start_job(job);
				continue;
			}
			running--;
		}
	}
}

static void prepare_jobs(struct run *run)
{
	const struct options *o = run->options;

	for (unsigned long i = 0; i < o->jobs; i++) {
		struct job *job = &run->job[i];

		job->context = cli_alloc(sizeof(*job->context));
		context_open(job->context);
		job->worker = shared_alloc(sizeof(*job->worker));
		job->plan = (struct plan){ .seed = o->seed, .first = o->round + i,
			.step = o->jobs, .calls = o->calls / o->jobs + (i < o->calls % o->jobs),
			.gen = { .files = &job->context->files,
				 .window_pages = (uint32_t)o->window, .ops = o->ops,
				 .memory = o->memory } };
	}
}

static void finish_jobs(struct run *run)
{
	for (unsigned long i = 0; i < run->options->jobs; i++) {
		context_close(run->job[i].context);
		free(run->job[i].context);
	}
	context_close(run->context);
	free(run->context);
}

/* What was left out was not compared. */
static void tell_script(const struct run *run, const struct script *script,
			const struct finding *finding)
{
	printf("%s: %u calls, ", run->context->machine.release, script->nr);
	if (finding->left_out)
		printf("%u of them left out, ", finding->left_out);
	puts("no difference");
}

static int run_script(struct run *run)
{
	struct finding *finding = shared_alloc(sizeof(*finding));
	struct script *script = cli_alloc(sizeof(*script));
	int status = EXIT_USAGE;

	if (script_read(run->options->script, script))
		goto out;
	for (int always = 0; always < 2 && finding->kind == FOUND_NOTHING; always++) {
		script->setup.text_always = always;
		trial(run->context, script, finding);
	}
	status = finding->kind == FOUND_NOTHING ? EXIT_GOOD : EXIT_CHECK;
	if (status)
		report_finding(stderr, run->context, finding);
	else
		tell_script(run, script, finding);
out:
	context_close(run->context);
	free(run->context);
	free(script);
	return status;
}

int cmd_diff(int argc, char **argv)
{
	struct options options = { .seed = 1, .calls = 200000, .jobs = 1, .window = 64,
				   .overcommit = OVERCOMMIT_AS_IS };
	struct run run = { .options = &options };
	int status = parse_options(argc, argv, &options);

	if (status >= 0)
		return status;
	if (options.overcommit != OVERCOMMIT_AS_IS && !set_overcommit(options.overcommit))
		return EXIT_USAGE;
	run.context = cli_alloc(sizeof(*run.context));
	context_open(run.context);
	if (options.script)
		return run_script(&run);
	prepare_jobs(&run);
	clock_gettime(CLOCK_MONOTONIC, &run.began);
	run_jobs(&run);
	print_summary(&run);
	finish_jobs(&run);
	return run.differences ? EXIT_CHECK : EXIT_GOOD;
}
