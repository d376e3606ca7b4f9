/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A scenario with failures inside: see failure_test.c. */
#include "frames.h"
#include "failure.h"
#include "scenario.h"

/* One run, and what became of it. */
struct run {
	enum world_kind kind;
	enum pools pools;
	long n, m;			/* 0: none fails */
	long left_over;			/* frames that there are; -1: as many as the arena has */
	long asked;			/* sites that the call came to */
	long ret;
	long done;			/* pages, where the call may stop half way */
	char *before, *after;
	struct frames_picture pages_before, pages_after;
};

/*
 * What a run without a failure gives, whatever the pools; and what a part of it gives.  Pages
 * remember what the pools were warmed with: where there was an mprotect() there may be a fault yet.
 */
struct expected {
	long ret;
	char *after, *partial;
	struct frames_picture pages_after, pages_partial;
};

static const char *const pools_names[NR_POOLS] = { "dry", "fresh", "warm" };
static const char *const kind_names[NR_WORLDS] = { "areas", "frames", "window" };

static void wrong(const struct scenario *s, const struct run *run, const char *what)
{
	if (run->left_over >= 0)
		tally_wrong("%s, %s, %ld frames left: result %ld: %s\n", s->name,
			    kind_names[run->kind], run->left_over, run->ret, what);
	else
		tally_wrong("%s, %s, %s pools, failing %ld and %ld of %ld: result %ld: %s\n",
			    s->name, kind_names[run->kind], pools_names[run->pools], run->n,
			    run->m, run->asked, run->ret, what);
}

static void wrong_picture(const struct scenario *s, const struct run *run, const char *what,
			  const char *should_be, const char *is)
{
	wrong(s, run, what);
	world_print_difference(should_be, is);
}

static void check_sound(const struct scenario *s, const struct run *run)
{
	char why[256] = "";

	if (!world_is_sound(why, sizeof(why)))
		wrong(s, run, why);
}

static void begin(const struct scenario *s, struct run *run)
{
	world_open_as(run->kind);
	if (s->before)
		s->before();
	world_prepare(run->pools);
	run->before = world_picture();
	frames_take_picture(&run->pages_before);
}

static void forget_after(struct run *run)
{
	free(run->after);
	run->after = NULL;
	frames_free_picture(&run->pages_after);
}

static void end(struct run *run)
{
	long left = world_close();

	forget_after(run);
	free(run->before);
	frames_free_picture(&run->pages_before);
	/* Counted once, not in each of the worlds that come after. */
	tally.nr_leaks += labs(left - tally.nr_left);
	tally.nr_left = left;
}

static void make_call(const struct scenario *s, struct run *run)
{
	unsigned long count;

	w.progress = -1;
	if (run->left_over >= 0)
		hog_take((unsigned long)run->left_over);
	count = port_alloc_count();
	port_fail_both(run->n, run->m);
	run->ret = s->call(w.mm);
	port_fail_both(0, 0);
	run->asked = (long)(port_alloc_count() - count);
	if (run->left_over >= 0)
		hog_give_back();
	world_refill();
	run->after = world_picture();
	frames_take_picture(&run->pages_after);
}

/* ---------------------------------------------------------- what is allowed -- */

/* No memory, in the words of this call. */
static bool said_no_memory(const struct run *run, const struct partial *partial)
{
	return run->ret == -ENOMEM || (run->ret < 0 && partial && partial->error == run->ret);
}

/*
 * The text but for the line that says which areas have an anon chain: who touches areas may have
 * touched some of them.
 */
static bool same_areas(const char *a, const char *b)
{
	const char *mark_a = strstr(a, "\nareas "), *mark_b = strstr(b, "\nareas ");

	assert_true(mark_a && mark_b);
	mark_a = strchr(mark_a + 1, '\n') + 1;
	mark_b = strchr(mark_b + 1, '\n') + 1;
	return mark_a - a == mark_b - b && !memcmp(a, b, (size_t)(mark_a - a)) &&
	       !strcmp(strchr(mark_a, '\n'), strchr(mark_b, '\n'));
}

static void check_pages(const struct scenario *s, struct run *run,
			const struct frames_picture *after, enum frames_left left, bool replaces)
{
	char why[200];
	const char *what = frames_compare(&run->pages_before, &run->pages_after, after, left,
					  replaces, &run->done, why);

	if (what)
		wrong(s, run, what);
	else if (left == LEFT_FIRST && w.progress >= 0 && w.progress != run->done)
		tally_wrong("%s, failing %ld: says that %ld pages are done, and it is %ld\n",
			    s->name, run->n, w.progress, run->done);
}

static bool pages_are(const struct run *run, const struct frames_picture *pages)
{
	long changed;
	char why[200];

	return !frames_compare(pages, &run->pages_after, NULL, LEFT_NOTHING, false,
			       &changed, why);
}

/* All of it is done, or as many pages of it as there was memory for. */
static void check_success(const struct scenario *s, struct run *run,
			  const struct expected *expected, const struct partial *partial)
{
	bool some = partial && partial->in_success;

	if (run->ret != expected->ret && !(some && run->ret >= 0))
		wrong(s, run, "neither no memory nor success");
	else if (some ? !same_areas(run->after, expected->after) :
			strcmp(run->after, expected->after))
		wrong_picture(s, run, "success, and another state", expected->after, run->after);
	else if (some)
		check_pages(s, run, &expected->pages_after, partial->left, true);
	else if (!pages_are(run, &expected->pages_after))
		wrong(s, run, "success, and other pages");
}

/* Nothing happened; or the part that the header allows. */
static void check_failure(const struct scenario *s, struct run *run,
			  const struct expected *expected, const struct partial *partial)
{
	if (expected->partial && !strcmp(run->after, expected->partial) &&
	    pages_are(run, &expected->pages_partial))
		return;
	if (partial) {
		if (!same_areas(run->after, run->before) &&
		    !(partial->areas && same_areas(run->after, expected->after)))
			wrong_picture(s, run, "areas are not what they were", run->before,
				      run->after);
		check_pages(s, run, &expected->pages_after, partial->left, false);
		return;
	}
	if (strcmp(run->after, run->before))
		wrong_picture(s, run, "not what it was", run->before, run->after);
	check_pages(s, run, NULL, LEFT_NOTHING, false);
}

static void check_state(const struct scenario *s, struct run *run,
			const struct expected *expected)
{
	const struct partial *partial = run->kind == WORLD_AREAS ? NULL : partial_of(s->name);

	if (s->any_state)
		return;
	if (said_no_memory(run, partial))
		check_failure(s, run, expected, partial);
	else
		check_success(s, run, expected, partial);
}

static void check_retry(const struct scenario *s, struct run *run, const struct expected *expected)
{
	if (!said_no_memory(run, partial_of(s->name)) || s->any_state)
		return;
	run->n = run->m = 0;
	run->left_over = -1;
	forget_after(run);
	make_call(s, run);
	if (run->ret != expected->ret || strcmp(run->after, expected->after))
		wrong_picture(s, run, "the call again is another one", expected->after, run->after);
	else if (!pages_are(run, &expected->pages_after))
		wrong(s, run, "the call again leaves other pages");
	check_sound(s, run);
}

/* --------------------------------------------------------------------- runs -- */

/* True if all that was to fail was come to. */
static bool run_failing(const struct scenario *s, struct run run, const struct expected *expected)
{
	bool reached;

	begin(s, &run);
	make_call(s, &run);
	reached = run.left_over >= 0 || run.asked >= max(run.n, run.m);
	check_sound(s, &run);
	if (reached)
		check_state(s, &run, expected);
	check_retry(s, &run, expected);
	end(&run);
	return reached;
}

/* Without a failure.  Returns how many sites it came to. */
static long run_through(const struct scenario *s, struct run run, struct expected *expected)
{
	begin(s, &run);
	make_call(s, &run);
	check_sound(s, &run);
	if (run.ret < 0)
		wrong(s, &run, "an error without a failure");
	if (!expected->after) {
		expected->ret = run.ret;
		expected->after = strdup(run.after);
	} else if (run.ret != expected->ret || strcmp(run.after, expected->after)) {
		wrong_picture(s, &run, "it depends on the pools", expected->after, run.after);
	}
	frames_free_picture(&expected->pages_after);
	expected->pages_after = run.pages_after;
	run.pages_after = (struct frames_picture){ 0 };
	end(&run);
	return run.asked;
}

static void see_partial(const struct scenario *s, struct run run, struct expected *expected)
{
	if (!s->partial)
		return;
	free(expected->partial);
	frames_free_picture(&expected->pages_partial);
	begin(s, &run);
	assert_true(s->partial(w.mm) >= 0);
	world_refill();
	expected->partial = world_picture();
	frames_take_picture(&expected->pages_partial);
	end(&run);
}

/*
 * Where a call asks for hundreds of frames at one site, one of many is like the next: beyond the
 * first that many, some.
 */
#define EACH_OF		48
#define NR_BEYOND	10

static long fail_each(const struct scenario *s, struct run run, long asked,
		      const struct expected *expected)
{
	long nr_cases = 0;

	for (run.n = 1; run.n <= asked; run.n += run.n < EACH_OF ? 1 : 1 + asked / NR_BEYOND) {
		run.m = 0;
		if (!run_failing(s, run, expected))
			break;
		nr_cases++;
		/* Where failures come one by one without an end, a few will do. */
		for (run.m = run.n + 1; run.m <= run.n + EACH_OF; run.m++) {
			if (!run_failing(s, run, expected))
				break;
			nr_cases++;
			if (run.kind != WORLD_AREAS)
				break;
		}
	}
	return nr_cases;
}

/* Every level up to one at which the call has what it needs. */
static long fill_up(const struct scenario *s, const struct expected *expected)
{
	struct run run = { .kind = WORLD_FRAMES, .pools = POOLS_FRESH };
	unsigned long wrong_before = tally.nr_wrong;
	long nr_cases = 0;
	bool whole = false;

	for (; !whole && run.left_over < 2048 && tally.nr_wrong == wrong_before;
	     run.left_over += 1 + run.left_over / 4) {
		struct run level = run;

		begin(s, &level);
		make_call(s, &level);
		check_sound(s, &level);
		check_state(s, &level, expected);
		whole = level.ret == expected->ret && pages_are(&level, &expected->pages_after);
		check_retry(s, &level, expected);
		end(&level);
		nr_cases++;
	}
	return nr_cases;
}

void run_scenario(const struct scenario *s, enum world_kind kind)
{
	struct expected expected = { 0 };
	long most = 0, nr_cases = 0;

	for (enum pools pools = 0; pools < NR_POOLS; pools++) {
		struct run run = { .kind = kind, .pools = pools, .left_over = -1 };
		long asked;

		/* Frames and windows have nothing to do with pools; but what comes before is more. */
		if ((kind == WORLD_WINDOW && pools != POOLS_FRESH) ||
		    (kind == WORLD_FRAMES && pools == POOLS_WARM))
			continue;
		see_partial(s, run, &expected);
		asked = run_through(s, run, &expected);
		nr_cases += fail_each(s, run, asked, &expected);
		most = max(most, asked);
		if (kind == WORLD_FRAMES && pools == POOLS_FRESH)
			nr_cases += fill_up(s, &expected);
	}
	free(expected.after);
	free(expected.partial);
	frames_free_picture(&expected.pages_after);
	frames_free_picture(&expected.pages_partial);
	tally.nr_cases += (unsigned long)nr_cases;
	if (kind != WORLD_AREAS)
		tally.nr_page_cases += (unsigned long)nr_cases;
	printf("%-24s %-7s %4ld sites %5ld cases\n", s->name, kind_names[kind], most, nr_cases);
}
