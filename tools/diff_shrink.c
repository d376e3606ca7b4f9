/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * From some thousand calls to a handful: pieces are left out, halves first, single calls last, for
 * as long as what is left still shows a finding; then arguments are made simpler.  Any finding of
 * the same kind will do: the shortest way to a defect is what is wanted, not the way it was met.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "diff.h"

struct shrinking {
	struct diff_context *context;
	struct finding *best;		/* the shortest so far */
	struct finding *tried;		/* in shared memory */
	struct script *candidate;
	uint32_t trials;
	time_t until;			/* a trial that hangs takes long */
};

enum { MAX_TRIALS = 4000, MAX_SECONDS = 120 };

/* Is the candidate a finding, too?  Then it is the best one: it ends where it differs. */
static bool keeps(struct shrinking *s)
{
	uint64_t seed = s->best->seed, round = s->best->round;

	if (s->trials++ >= MAX_TRIALS || time(NULL) > s->until)
		return false;
	trial(s->context, s->candidate, s->tried);
	if (s->tried->kind != s->best->kind)
		return false;
	*s->best = *s->tried;
	s->best->seed = seed;
	s->best->round = round;
	return true;
}

static bool without(struct shrinking *s, uint32_t from, uint32_t nr)
{
	const struct script *best = &s->best->script;

	*s->candidate = *best;
	memmove(&s->candidate->call[from], &best->call[from + nr],
		(best->nr - from - nr) * sizeof(best->call[0]));
	s->candidate->nr = best->nr - nr;
	return keeps(s);
}

static void remove_calls(struct shrinking *s)
{
	uint32_t piece = s->best->script.nr / 2;

	while (piece) {
		bool gone = false;

		/* From the end: what is near the difference is rarely to be spared, the rest is. */
		for (uint32_t end = s->best->script.nr; end >= piece && end;) {
			uint32_t from = end - piece;

			if (without(s, from, piece)) {
				gone = true;
				end = s->best->script.nr < from ? s->best->script.nr : from;
			} else {
				end = from;
			}
		}
		if (!gone || piece > 1)
			piece /= 2;
	}
}

static bool with_arg(struct shrinking *s, uint32_t at, unsigned int arg, uint64_t value)
{
	if (at >= s->best->script.nr || s->best->script.call[at].arg[arg] == value)
		return false;
	*s->candidate = s->best->script;
	s->candidate->call[at].arg[arg] = value;
	return keeps(s);
}

/* Fewer bits, fewer pages. */
static void simplify_arg(struct shrinking *s, uint32_t at, unsigned int arg)
{
	uint64_t value = s->best->script.call[at].arg[arg];

	if (value > DIFF_PAGE && value < 1ul << 30 && !(value % DIFF_PAGE)) {
		for (uint64_t less = DIFF_PAGE; less < value; less *= 2)
			if (with_arg(s, at, arg, less))
				return;
		return;
	}
	if (value >= 1ul << 30)
		return;
	for (uint64_t bit = 1ul << 29; bit && at < s->best->script.nr; bit >>= 1)
		if (s->best->script.call[at].arg[arg] & bit)
			with_arg(s, at, arg, s->best->script.call[at].arg[arg] & ~bit);
}

/* What a forked process did, its parent may do as well. */
static bool without_fork(struct shrinking *s, uint32_t at)
{
	const struct script *best = &s->best->script;
	uint8_t parent = best->call[at].proc;
	uint64_t child = best->call[at].arg[0];

	*s->candidate = *best;
	s->candidate->nr = at;
	for (uint32_t i = at + 1; i < best->nr; i++) {
		struct diff_call *call = &s->candidate->call[s->candidate->nr++];

		*call = best->call[i];
		if (call->proc == child)
			call->proc = parent;
	}
	return keeps(s);
}

static void simplify(struct shrinking *s)
{
	for (uint32_t at = 0; at < s->best->script.nr; at++)
		if (s->best->script.call[at].op == OP_FORK && without_fork(s, at))
			at--;
	for (uint32_t at = 0; at < s->best->script.nr; at++)
		for (unsigned int arg = 0; at < s->best->script.nr &&
		     arg < op_nr_args(s->best->script.call[at].op); arg++)
			simplify_arg(s, at, arg);
}

void shrink(struct diff_context *context, struct finding *finding)
{
	struct shrinking s = { .context = context, .best = finding,
		.tried = shared_alloc(sizeof(*s.tried)),
		.candidate = cli_alloc(sizeof(*s.candidate)),
		.until = time(NULL) + MAX_SECONDS };

	/* Once as it is: what does not come again cannot be made shorter. */
	*s.candidate = finding->script;
	if (!keeps(&s))
		goto out;
	if (finding->script.nr > 400)
		remove_calls(&s);
	/* Flags that differ unseen show at once, if every call is followed by a look at them. */
	*s.candidate = finding->script;
	s.candidate->setup.text_always = true;
	keeps(&s);
	remove_calls(&s);
	simplify(&s);
	remove_calls(&s);
out:
	free(s.candidate);
	shared_free(s.tried, sizeof(*s.tried));
}
