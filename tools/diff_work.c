/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Rounds of random calls, and trials of given ones.
 *
 * A round is a list of calls on a fresh address space: first all of it on the library, then all of
 * it on the kernel, compared there call by call.  That order is possible because nothing the
 * library is told depends on what the kernel answered.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"
#include "cmds.h"
#include "diff.h"

/* A round takes a tenth of a second; a library that hangs is killed by an alarm. */
enum { TEXT_EVERY = 500, TEXT_OF_PAGES_EVERY = 150, MAX_SECONDS = 120, MAX_TRIES = 5,
       MAX_IDLE_ROUNDS = 200 };

void *shared_alloc(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		cli_error("diff", "out of memory");
		exit(EXIT_DEFECT);
	}
	return p;
}

void shared_free(void *p, size_t bytes)
{
	munmap(p, bytes);
}

static struct start_state *start_of(struct diff_context *context, const struct round_setup *setup)
{
	return &context->start[setup->layout][setup->drop_caps][setup->keep_vdso];
}

void context_open(struct diff_context *context)
{
	struct sigaction dont_care = { .sa_handler = SIG_DFL };
	sigset_t child;

	/* So that the end of an agent can be waited for with a limit. */
	sigaction(SIGCHLD, &dont_care, NULL);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	machine_probe(&context->machine);
	files_open(&context->files);
	runner_open(&context->runner, &context->machine, &context->files);
	for (unsigned int i = 0; i < NR_LAYOUTS * 4; i++) {
		const struct round_setup setup = { .layout = (enum layout)(i / 4),
						   .drop_caps = i & 1, .keep_vdso = i & 2 };
		const struct round_setup bare = { .layout = setup.layout };
		struct start_state *start = start_of(context, &setup);

		runner_probe(&context->runner, &setup, start);
		if (!setup.keep_vdso)
			continue;
		/* Where placement begins is seen only while nothing is there. */
		start->config.mmap_base = start_of(context, &bare)->config.mmap_base;
		start->config.mmap_legacy_base =
			start_of(context, &bare)->config.mmap_legacy_base;
	}
}

void context_close(struct diff_context *context)
{
	runner_close(&context->runner);
	files_close(&context->files);
}

/* ------------------------------------------------------------------------------- findings -- */

static uint32_t copy_map(const struct agent_shared *shared, uint32_t at, struct diff_area *to)
{
	const struct diff_map *map = (const void *)&shared->arena[at];

	memcpy(to, map->area, map->nr * sizeof(to[0]));
	return map->nr;
}

/* The calls up to @at, without the comparisons that were put in between. */
static void copy_script(const struct agent_shared *shared, uint32_t at, struct script *script)
{
	script->nr = 0;
	for (uint32_t i = 0; i <= at && i < AGENT_MAX_CALLS; i++)
		if (shared->calls[i].op != OP_CHECK)
			script->call[script->nr++] = shared->calls[i];
}

static void copy_difference(const struct agent_shared *shared, struct finding *f)
{
	const struct diff_call *call = &shared->calls[shared->at];
	const struct diff_map *map = (const void *)&shared->arena[call->map];

	f->call = *call;
	f->difference = shared->difference;
	f->result = shared->result;
	f->value = shared->value;
	f->pages = shared->pages;
	f->nr_expected = copy_map(shared, call->map, f->expected);
	f->expected_text_bytes = map->text_bytes;
	memcpy(f->expected_text, &map->area[map->nr], map->text_bytes);
	f->nr_found = shared->found_nr;
	memcpy(f->found, shared->found, f->nr_found * sizeof(f->found[0]));
	f->found_text_bytes = f->difference == DIFFERS_TEXT ? shared->found_text_bytes : 0;
	memcpy(f->found_text, shared->found_text, f->found_text_bytes);
	f->nr_before = 0;
	for (uint32_t i = shared->at; i-- > 0;) {
		if (shared->calls[i].proc != call->proc || shared->calls[i].op == OP_EXIT)
			continue;
		f->nr_before = copy_map(shared, shared->calls[i].map, f->before);
		break;
	}
}

static void make_finding(const struct agent_shared *shared, const struct round_setup *setup,
			 const char *invariant, struct finding *f)
{
	f->script.setup = *setup;
	f->kind = FOUND_NOTHING;
	switch (shared->status) {
	case AGENT_DONE:
		if (!invariant)
			return;
		f->kind = FOUND_INVARIANT;
		snprintf(f->why, sizeof(f->why), "%s", invariant);
		copy_script(shared, shared->nr_calls - 1, &f->script);
		return;
	case AGENT_DIFFERS:
		f->kind = FOUND_DIFFERENCE;
		copy_difference(shared, f);
		break;
	case AGENT_BROKEN:
		f->kind = FOUND_AGENT_DEATH;
		snprintf(f->why, sizeof(f->why), "the agent's own call failed: line %llu, %lld",
			 (unsigned long long)shared->where, (long long)shared->result);
		break;
	default:
		f->kind = FOUND_AGENT_DEATH;
		snprintf(f->why, sizeof(f->why), shared->where ?
			 "the agent died: fault at 0x%llx, instruction 0x%llx" :
			 "the agent died or hangs: signal %llu",
			 (unsigned long long)shared->fault_addr, (unsigned long long)shared->where);
	}
	copy_script(shared, shared->at, &f->script);
	f->call = shared->calls[shared->at];
}

void finding_of_death(const struct diff_context *context, int signal, struct finding *finding)
{
	const struct agent_shared *shared = context->runner.shared;

	finding->kind = FOUND_LIBRARY_DEATH;
	snprintf(finding->why, sizeof(finding->why), "the library died: signal %d (%s)", signal,
		 strsignal(signal));
	copy_script(shared, shared->at, &finding->script);
	finding->call = shared->calls[shared->at];
}

/*
 * The calls in shared memory, on the kernel.  khugepaged may have a hand in what is found there, or
 * a write-back, which clears what is behind the end of a file: then it is done again.
 */
static void run_calls(struct diff_context *context, const struct round_setup *setup,
		      const char *invariant, struct finding *f)
{
	unsigned long collapsed, written;
	int tries = 0;

	do {
		collapsed = machine_nr_collapsed();
		written = machine_nr_written();
		runner_run(&context->runner, setup);
		make_finding(context->runner.shared, setup, invariant, f);
	} while (f->kind == FOUND_DIFFERENCE && setup->memory.touch && ++tries < MAX_TRIES &&
		 (machine_nr_collapsed() != collapsed || machine_nr_written() != written));
}

/* --------------------------------------------------------------------------------- rounds -- */

static void count(struct worker *worker, const struct agent_shared *shared)
{
	for (uint32_t i = 0; i < shared->nr_calls; i++) {
		const struct diff_call *call = &shared->calls[i];

		worker->counts.texts += call->text;
		if (call->op == OP_CHECK)
			continue;
		worker->counts.per_op[call->op]++;
		worker->counts.calls++;
	}
	worker->counts.rounds++;
}

static void one_round(struct diff_context *context, struct side *side, const struct plan *plan,
		      struct worker *worker)
{
	struct agent_shared *shared = context->runner.shared;
	uint64_t left = plan->calls - worker->counts.calls;
	uint32_t text_every = side->memory.touch ? TEXT_OF_PAGES_EVERY : TEXT_EVERY;
	const char *invariant;
	struct diff_call call;
	struct gen gen;

	alarm(MAX_SECONDS);
	gen_begin(&gen, plan->seed, worker->round, &plan->gen);
	if (gen.nr_calls > left)
		gen.nr_calls = (uint32_t)left;
	worker->finding.script.setup = gen.setup;
	side_begin(side, start_of(context, &gen.setup));
	for (uint32_t made = 0, tries = 0; made < gen.nr_calls && tries < 4 * AGENT_MAX_CALLS;
	     tries++) {
		enum step step;

		gen_call(&gen, side, &call);
		call.text = made % text_every == text_every - 1;
		step = side_step(side, &call);
		if (step == STEP_FULL)
			break;
		made += step == STEP_DONE;
	}
	side_finish(side);
	invariant = side_end(side);
	run_calls(context, &gen.setup, invariant, &worker->finding);
	count(worker, shared);
	worker->finding.seed = plan->seed;
	worker->finding.round = worker->round;
}

void worker_rounds(struct diff_context *context, const struct plan *plan, struct worker *worker)
{
	struct side *side = cli_alloc(sizeof(*side));
	unsigned int idle = 0;
	uint64_t before;

	worker->finding.kind = FOUND_NOTHING;
	side_open(side, &context->machine, &context->files, context->runner.shared,
		  &plan->gen.memory);
	for (worker->round = plan->first; worker->counts.calls < plan->calls;
	     worker->round += plan->step) {
		before = worker->counts.calls;
		one_round(context, side, plan, worker);
		if (worker->finding.kind != FOUND_NOTHING)
			break;
		idle = worker->counts.calls == before ? idle + 1 : 0;
		if (idle == MAX_IDLE_ROUNDS) {
			cli_usage("diff", "in %u rounds none of the calls of --only could be made",
				  idle);
			_exit(EXIT_USAGE);
		}
	}
}

/* --------------------------------------------------------------------------------- trials -- */

static void trial_here(struct diff_context *context, const struct script *script,
		       struct finding *finding)
{
	struct side *side = cli_alloc(sizeof(*side));
	const char *invariant;

	side_open(side, &context->machine, &context->files, context->runner.shared,
		  &script->setup.memory);
	side_begin(side, start_of(context, &script->setup));
	finding->left_out = 0;
	for (uint32_t i = 0; i < script->nr; i++) {
		struct diff_call call = script->call[i];

		call.text = script->setup.text_always;
		finding->left_out += side_step(side, &call) != STEP_DONE;
	}
	side_finish(side);
	invariant = side_end(side);
	run_calls(context, &script->setup, invariant, finding);
}

void trial(struct diff_context *context, const struct script *script, struct finding *finding)
{
	pid_t pid = fork();
	int status;

	if (pid < 0) {
		cli_error("diff", "fork: %s", strerror(errno));
		exit(EXIT_DEFECT);
	}
	if (!pid) {
		alarm(MAX_SECONDS);
		trial_here(context, script, finding);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	finding->script.setup = script->setup;
	if (WIFSIGNALED(status))
		finding_of_death(context, WTERMSIG(status), finding);
	else if (WEXITSTATUS(status))
		exit(WEXITSTATUS(status));
}
