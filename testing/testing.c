/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * vt_main(): the searches that are made, what is printed, and the replay of one execution.
 *
 * Each search of each scenario is a *run*.  It ends with its schedules counted, or with the first
 * failure: then its report is printed, and the command that shows exactly that execution again.
 *
 * A token names an execution: the budgets, whether an allocation failed, and either the seed or the
 * path (search.h).
 *
 *	random:SEED/s2.p0.t1.f0		pct:SEED/s2.p0.t1.f0	path:17=2,40=1/s1.p0.t0.f3
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <vmarea/testing.h>

#include "port/sim/search.h"
#include "sync/witness.h"
#include "vma/handle.h"

struct options {
	const char *program;
	const char *scenario, *search, *replay, *twin;
	unsigned long schedules, seconds;
	u64 seed;
	struct sim_budget limit;
	bool limit_given, no_memory, trace, expect_failure, quiet;
	u32 depth, preemptions;
	unsigned long fail_at;
};

/* One search of one scenario. */
struct run {
	const struct vt_scenario *vt;
	struct sim_scenario sim;
	const char *what;			/* for the line that is printed */
	struct search_setting set;
	unsigned long schedules;		/* at most; 0: no bound */
	unsigned long seconds;
	unsigned long fail_at;
	u32 fail_one_in;
};

struct outcome {
	u64 executions, pruned;
	double seconds;
	bool failed, complete;			/* complete: a search of all orders came to its end */
	u32 steps;				/* of the longest */
	char token[SEARCH_TOKEN_BYTES + 128];
	char report[SIM_REPORT_BYTES];
};

#define MAX_STEPS		20000u
#define DEFAULT_SCHEDULES	100000ul
#define RANDOM_SCHEDULES	3000ul
#define DEFAULT_PREEMPTIONS	2u
#define PCT_DEPTH		3u

static const struct option longopts[] = {
	{ "list", no_argument, NULL, 'l' },
	{ "scenario", required_argument, NULL, 's' },
	{ "search", required_argument, NULL, 'S' },
	{ "schedules", required_argument, NULL, 'n' },
	{ "seconds", required_argument, NULL, 'T' },
	{ "seed", required_argument, NULL, 'e' },
	{ "stale", required_argument, NULL, 'w' },
	{ "spurious", required_argument, NULL, 'u' },
	{ "timeouts", required_argument, NULL, 't' },
	{ "preemptions", required_argument, NULL, 'p' },
	{ "depth", required_argument, NULL, 'd' },
	{ "fail-alloc", required_argument, NULL, 'f' },
	{ "no-memory", no_argument, NULL, 'm' },
	{ "replay", required_argument, NULL, 'r' },
	{ "expect-failure", no_argument, NULL, 'x' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static void usage(FILE *out, const char *program)
{
	fprintf(out,
		"usage: %s [OPTIONS]\n"
		"Runs scenarios under every schedule, or many, and says what it found.\n\n"
		"  --list               the scenarios\n"
		"  --scenario NAME      only this one\n"
		"  --search KIND        all, bounded, random, pct, or no-memory; default: each in turn\n"
		"  --schedules N        at most so many executions a search (default %lu; random %lu)\n"
		"  --seconds N          at most so long a search\n"
		"  --seed N             of random and pct (default 1)\n"
		"  --stale N            so many loads of an execution may return an older value\n"
		"  --spurious N         so many sleeps of an execution may end for no reason\n"
		"  --timeouts N         so many deadlines of an execution may pass early\n"
		"  --preemptions N      of the bounded search (default %u)\n"
		"  --depth N            of pct: the number of ordering constraints (default %u)\n"
		"  --fail-alloc N       the N-th allocation of the threads fails\n"
		"  --replay TOKEN       one execution again, step by step\n"
		"  --expect-failure     exit 0 if something is found, 1 if not\n"
		"  --quiet              only failures\n\n"
		"example: %s --scenario NAME --search all --stale 1\n",
		program, DEFAULT_SCHEDULES, RANDOM_SCHEDULES, DEFAULT_PREEMPTIONS, PCT_DEPTH, program);
}

/* ----------------------------------------------------------------- for the scenario -- */

void vt_fail(const char *file, int line, const char *cond, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (!sim_running()) {
		fprintf(stderr, "%s:%d: %s%s\n", file, line, cond, text);
		exit(1);
	}
	sim_fail(FAIL_CHECK, "%s:%d: %s%s", file, line, cond, text);
}

void vt_note(const char *fmt, ...)
{
	char text[90];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	trace_note("%s", text);
}

bool vt_memory_was_refused(void)
{
	return sim.failed_one;
}

/* ------------------------------------------------------------------------------- runs -- */

static void fill_scenario(struct sim_scenario *to, const struct vt_scenario *from)
{
	*to = (struct sim_scenario){ .name = from->name, .setup = from->setup,
				     .finish = from->finish };
	while (to->nr_threads < VT_THREADS && from->threads[to->nr_threads].run) {
		to->threads[to->nr_threads] = from->threads[to->nr_threads].run;
		to->thread_names[to->nr_threads] = from->threads[to->nr_threads].name;
		to->nr_threads++;
	}
}

static double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void describe_held(void *lock_state)
{
	char text[1024];

	witness_describe_held(lock_state, text, sizeof(text));
	if (text[0])
		sim_report("%s", text);
}

/* What the nets of a debug build remember, and what would make executions depend on one another. */
static void forget(void)
{
	witness_forget_order();
	sections_forget();
}

static void make_token(const struct run *run, char *buf, size_t bytes)
{
	const struct sim_budget *limit = &run->set.limit;
	size_t len;

	if (run->set.kind == SEARCH_RANDOM || run->set.kind == SEARCH_PCT) {
		len = (size_t)snprintf(buf, bytes, "%s:%llu",
				       run->set.kind == SEARCH_RANDOM ? "random" : "pct",
				       (unsigned long long)(run->set.seed + search_executions() - 1));
		if (run->set.kind == SEARCH_PCT)
			len += (size_t)snprintf(buf + len, bytes - len, ",%u,%u", run->set.depth,
						run->set.length);
	} else {
		len = (size_t)snprintf(buf, bytes, "path:");
		search_token(buf + len, bytes - len);
		len = strlen(buf);
	}
	snprintf(buf + len, bytes - len, "/s%u.u%u.t%u.f%lu.m%u", limit->stale, limit->spurious,
		 limit->timeouts, run->fail_at, run->fail_one_in);
}

static void set_up_sim(const struct run *run)
{
	sim.max_steps = MAX_STEPS;
	sim.fail_at = run->fail_at;
	sim.fail_one_in = run->fail_one_in;
	sim.warnings_fail = !(run->vt->flags & VT_WARNINGS);
	sim.describe_held = describe_held;
	sim.forget = forget;
}

/* All executions of a run.  *reached: the allocation that was to fail was asked for. */
static void execute(struct run *run, struct outcome *out, bool *reached)
{
	double start = now_seconds();

	memset(out, 0, sizeof(*out));
	fill_scenario(&run->sim, run->vt);
	set_up_sim(run);
	search_begin(&run->set);
	for (;;) {
		bool good;

		if ((run->schedules && search_executions() >= run->schedules) ||
		    (run->seconds && now_seconds() - start > (double)run->seconds))
			break;
		if (!search_next()) {
			out->complete = true;
			break;
		}
		good = sim_execute(&run->sim);
		search_end_of_execution();
		out->steps = max(out->steps, sim.steps);
		if (reached)
			*reached |= sim.failed_one;
		if (!good) {
			out->failed = true;
			make_token(run, out->token, sizeof(out->token));
			snprintf(out->report, sizeof(out->report), "%s", sim.report);
			break;
		}
	}
	out->executions = search_executions();
	out->pruned = search_pruned();
	out->seconds = now_seconds() - start;
}

static void print_outcome(const struct options *opt, const struct run *run,
			  const struct outcome *out)
{
	char pruned[40] = "";

	if (out->pruned)
		snprintf(pruned, sizeof(pruned), " (%llu alike)", (unsigned long long)out->pruned);
	if (!opt->quiet || (out->failed && !opt->expect_failure))
		printf("%-28s %-22s %9llu schedules%s%s, up to %u steps, %.1f s: %s\n",
		       run->vt->name, run->what, (unsigned long long)out->executions, pruned,
		       out->complete ? ", all" : "", out->steps, out->seconds,
		       out->failed ? "FOUND" : "ok");
	if (out->failed && !(opt->quiet && opt->expect_failure)) {
		printf("%s\n  replay: %s --scenario %s --replay '%s'\n", out->report, opt->program,
		       run->vt->name, out->token);
	}
	fflush(stdout);
}

/* True: something was found. */
static bool do_run(const struct options *opt, struct run *run)
{
	static struct outcome out;

	run->seconds = opt->seconds;
	execute(run, &out, NULL);
	print_outcome(opt, run, &out);
	return out.failed;
}

static u32 nr_threads(const struct vt_scenario *vt)
{
	struct sim_scenario sim_scenario;

	fill_scenario(&sim_scenario, vt);
	return sim_scenario.nr_threads;
}

static bool wants(const struct options *opt, const char *kind)
{
	return !opt->search || !strcmp(opt->search, kind);
}

static struct run run_of(const struct options *opt, const struct vt_scenario *vt,
			 enum search_kind kind, const char *what)
{
	struct run run = { .vt = vt, .what = what, .fail_at = opt->fail_at };

	run.set.kind = kind;
	run.set.seed = opt->seed;
	run.set.depth = opt->depth;
	run.set.limit = opt->limit;
	run.set.limit.preemptions = ~0u;
	run.schedules = opt->schedules ? opt->schedules : DEFAULT_SCHEDULES;
	return run;
}

static bool run_all(const struct options *opt, const struct vt_scenario *vt)
{
	struct run run = run_of(opt, vt, SEARCH_ALL, "all");

	if (do_run(opt, &run))
		return true;
	if (opt->limit_given)
		return false;
	run.what = "all, one stale load";
	run.set.limit.stale = 1;
	return do_run(opt, &run);
}

static bool run_bounded(const struct options *opt, const struct vt_scenario *vt)
{
	char what[40];
	struct run run = run_of(opt, vt, SEARCH_BOUNDED, what);

	run.set.limit.preemptions = opt->preemptions;
	snprintf(what, sizeof(what), "%u preemptions", opt->preemptions);
	return do_run(opt, &run);
}

static bool run_random(const struct options *opt, const struct vt_scenario *vt, enum search_kind kind)
{
	struct run run = run_of(opt, vt, kind, kind == SEARCH_PCT ? "pct" : "random");

	if (!opt->schedules)
		run.schedules = RANDOM_SCHEDULES;
	if (!opt->limit_given)
		run.set.limit = (struct sim_budget){ .stale = 4, .spurious = 1, .timeouts = 1,
						     .preemptions = ~0u };
	if (kind == SEARCH_PCT) {
		/* How long an execution is: the first one tells. */
		static struct outcome probe;
		struct run first = run;

		first.schedules = 1;
		first.set.length = 100;
		execute(&first, &probe, NULL);
		run.set.length = probe.steps;
	}
	return do_run(opt, &run);
}

/* The n-th allocation of the threads fails, for n = 1, 2, ... until nobody asks for an n-th. */
static bool run_no_memory(const struct options *opt, const struct vt_scenario *vt)
{
	static struct outcome out;
	u64 executions = 0;
	unsigned long n = 0;
	bool reached;
	double start = now_seconds();

	do {
		struct run run = run_of(opt, vt, SEARCH_RANDOM, "allocation fails");

		n++;
		reached = false;
		run.schedules = 100;
		run.fail_at = n;
		execute(&run, &out, &reached);
		executions += out.executions;
		if (out.failed) {
			print_outcome(opt, &run, &out);
			return true;
		}
	} while (reached);
	if (!opt->quiet)
		printf("%-28s %-22s %9llu schedules, %lu allocations, %.1f s: ok\n", vt->name,
		       "allocation fails", (unsigned long long)executions, n - 1,
		       now_seconds() - start);
	return false;
}

/* True: something was found. */
static bool explore(const struct options *opt, const struct vt_scenario *vt)
{
	bool many = nr_threads(vt) > 2;

	if (wants(opt, "all") && (opt->search || !many) && run_all(opt, vt))
		return true;
	if (wants(opt, "bounded") && (opt->search || many) && run_bounded(opt, vt))
		return true;
	if (wants(opt, "random") && run_random(opt, vt, SEARCH_RANDOM))
		return true;
	if (wants(opt, "pct") && run_random(opt, vt, SEARCH_PCT))
		return true;
	return wants(opt, "no-memory") && (vt->flags & VT_NO_MEMORY) && run_no_memory(opt, vt);
}

/* ------------------------------------------------------------------------------ replay -- */

/* Fills @run from the token.  False: it is none. */
static bool parse_token(struct run *run, char *token)
{
	struct sim_budget *limit = &run->set.limit;
	char *budgets = strchr(token, '/'), *value = strchr(token, ':');
	unsigned long long seed;

	if (!budgets || !value || value > budgets)
		return false;
	*budgets++ = 0;
	*value++ = 0;
	limit->preemptions = ~0u;
	if (sscanf(budgets, "s%u.u%u.t%u.f%lu.m%u", &limit->stale, &limit->spurious,
		   &limit->timeouts, &run->fail_at, &run->fail_one_in) != 5)
		return false;
	if (!strcmp(token, "path")) {
		run->set.kind = SEARCH_PATH;
		run->set.path = value;
		return true;
	}
	run->set.kind = !strcmp(token, "pct") ? SEARCH_PCT : SEARCH_RANDOM;
	if (strcmp(token, "pct") && strcmp(token, "random"))
		return false;
	if (run->set.kind == SEARCH_PCT &&
	    sscanf(value, "%llu,%u,%u", &seed, &run->set.depth, &run->set.length) != 3)
		return false;
	if (run->set.kind == SEARCH_RANDOM && sscanf(value, "%llu", &seed) != 1)
		return false;
	run->set.seed = seed;
	return true;
}

static int replay(const struct options *opt, const struct vt_scenario *vt)
{
	static struct outcome out;
	struct run run = run_of(opt, vt, SEARCH_RANDOM, "replay");
	char *token = strdup(opt->replay);

	if (!token || !parse_token(&run, token)) {
		fprintf(stderr, "%s: --replay: %s: no token; one looks like random:7/s0.u0.t0.f0.m0\n",
			opt->program, opt->replay);
		return 2;
	}
	run.schedules = 1;
	sim.trace = stdout;
	execute(&run, &out, NULL);
	trace_flush();
	sim.trace = NULL;
	printf("%s\n", out.failed ? out.report : "ok");
	free(token);
	return out.failed ? 1 : 0;
}

/* ------------------------------------------------------------------------ command line -- */

static bool number(const struct options *opt, const char *name, const char *text,
		   unsigned long limit, unsigned long *out)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (!*text || *end || *text == '-') {
		fprintf(stderr, "%s: --%s: %s: not a number\n", opt->program, name, text);
		return false;
	}
	if (value > limit) {
		fprintf(stderr, "%s: --%s: %s is too large, at most %lu\n", opt->program, name, text,
			limit);
		return false;
	}
	*out = value;
	return true;
}

static bool known_search(const struct options *opt)
{
	static const char *const kinds[] = { "all", "bounded", "random", "pct", "no-memory" };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(opt->search, kinds[i]))
			return true;
	fprintf(stderr, "%s: --search: %s: not one of all, bounded, random, pct, no-memory\n",
		opt->program, opt->search);
	return false;
}

/* A number's option.  False: it was no good, and that was said. */
static bool take_number(struct options *opt, int c, const char *name)
{
	unsigned long value = 0;
	unsigned long limit = c == 'e' || c == 'n' ? ~0ul >> 1 : c == 'T' ? 1000000 : 65535;

	if (!number(opt, name, optarg, limit, &value))
		return false;
	switch (c) {
	case 'n':
		opt->schedules = value;
		break;
	case 'T':
		opt->seconds = value;
		break;
	case 'e':
		opt->seed = value;
		break;
	case 'w':
		opt->limit.stale = (u32)value;
		opt->limit_given = true;
		break;
	case 'u':
		opt->limit.spurious = (u32)value;
		opt->limit_given = true;
		break;
	case 't':
		opt->limit.timeouts = (u32)value;
		opt->limit_given = true;
		break;
	case 'p':
		opt->preemptions = (u32)value;
		break;
	case 'd':
		opt->depth = (u32)value;
		break;
	case 'f':
		opt->fail_at = value;
		break;
	}
	return true;
}

static void list(const struct vt_scenario *const *scenarios)
{
	for (; *scenarios; scenarios++)
		printf("%-28s %u threads  %s\n", (*scenarios)->name, nr_threads(*scenarios),
		       (*scenarios)->about ? (*scenarios)->about : "");
}

/* -1: go on; else the exit code. */
static int parse(struct options *opt, int argc, char **argv,
		 const struct vt_scenario *const *scenarios)
{
	int c, which = 0;

	while ((c = getopt_long(argc, argv, "", longopts, &which)) != -1) {
		switch (c) {
		case 'l':
			list(scenarios);
			return 0;
		case 'h':
			usage(stdout, opt->program);
			return 0;
		case 's':
			opt->scenario = optarg;
			break;
		case 'S':
			opt->search = optarg;
			if (!known_search(opt))
				return 2;
			break;
		case 'r':
			opt->replay = optarg;
			break;
		case 'x':
			opt->expect_failure = true;
			break;
		case 'q':
			opt->quiet = true;
			break;
		case '?':
			usage(stderr, opt->program);
			return 2;
		default:
			if (!take_number(opt, c, longopts[which].name))
				return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "%s: %s: nothing is expected here; see --help\n", opt->program,
			argv[optind]);
		return 2;
	}
	if (opt->replay && !opt->scenario && scenarios[1]) {
		fprintf(stderr, "%s: --replay needs --scenario; --list names them\n", opt->program);
		return 2;
	}
	return -1;
}

int vt_main(int argc, char **argv, const struct vt_scenario *const *scenarios)
{
	struct options opt = { .program = argv[0], .seed = 1, .depth = PCT_DEPTH,
			       .preemptions = DEFAULT_PREEMPTIONS };
	bool found = false, any = false;
	int rc = parse(&opt, argc, argv, scenarios);

	if (rc >= 0)
		return rc;
	for (; *scenarios; scenarios++) {
		if (opt.scenario && strcmp(opt.scenario, (*scenarios)->name))
			continue;
		any = true;
		if (opt.replay)
			return replay(&opt, *scenarios);
		found |= explore(&opt, *scenarios);
	}
	if (!any) {
		fprintf(stderr, "%s: --scenario: %s: there is none of this name; --list names them\n",
			opt.program, opt.scenario);
		return 2;
	}
	return found != opt.expect_failure;
}
