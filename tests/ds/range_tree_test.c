/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The range tree against a sorted array: every question after random changes, publishes and
 * aborts; snapshots; allocation failures; sizes from nothing to a million.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model.h"

static void check_tree(const struct range_tree *t)
{
	char why[200];

	if (rt_check(t, why, sizeof(why)))
		fail_msg("rt_check: %s", why);
}

static void assert_entry(const struct rt_entry *a, const struct rt_entry *b)
{
	assert_int_equal(a->start, b->start);
	assert_int_equal(a->end, b->end);
	assert_ptr_equal(a->item, b->item);
	assert_int_equal(a->tag, b->tag);
}

/* All of @s, both ways, is all of @m. */
static void assert_same(struct rt_snapshot s, const struct model *m)
{
	struct rt_entry e;
	struct rt_iter it;

	rt_iter_init(&it, s, 0);
	for (size_t i = 0; i < m->nr; i++) {
		assert_true(rt_iter_next(&it, &e));
		assert_entry(&e, &m->e[i]);
	}
	assert_false(rt_iter_next(&it, &e));
	for (size_t i = m->nr; i-- > 0; ) {
		assert_true(rt_iter_prev(&it, &e));
		assert_entry(&e, &m->e[i]);
	}
	assert_false(rt_iter_prev(&it, &e));
}

static void ask_snapshot(struct rt_snapshot s, const struct model *m, unsigned long addr)
{
	const size_t at = model_at(m, addr);
	size_t before = at;
	struct rt_entry e;
	struct rt_iter it;
	bool inside = at < m->nr && m->e[at].start <= addr;

	assert_int_equal(rt_snap_find(s, addr, &e), inside);
	if (inside)
		assert_entry(&e, &m->e[at]);
	assert_int_equal(rt_snap_find_first(s, addr, &e), at < m->nr);
	if (at < m->nr)
		assert_entry(&e, &m->e[at]);
	if (before < m->nr && m->e[before].start < addr)
		before++;
	assert_int_equal(rt_snap_find_prev(s, addr, &e), before > 0);
	if (before)
		assert_entry(&e, &m->e[before - 1]);

	rt_iter_init(&it, s, addr);
	assert_int_equal(rt_iter_prev(&it, &e), at > 0);
	if (at) {
		assert_entry(&e, &m->e[at - 1]);
		assert_true(rt_iter_next(&it, &e));
		assert_entry(&e, &m->e[at - 1]);
	}
	assert_int_equal(rt_iter_next(&it, &e), at < m->nr);
	if (at < m->nr)
		assert_entry(&e, &m->e[at]);
}

static void ask_gaps(const struct range_tree *t, const struct model *m, unsigned long lo,
		     unsigned long hi, unsigned long size)
{
	struct rt_range want = { 0 }, got = { 0 };
	bool found = false;

	for (size_t i = 0; i <= m->nr && !found; i++)
		found = model_gap_fits(m, i, lo, hi, size, &want);
	assert_int_equal(rt_gap_first(t, lo, hi, size, &got), found);
	assert_int_equal(got.start, want.start);
	assert_int_equal(got.end, want.end);

	want = got = (struct rt_range){ 0 };
	found = false;
	for (size_t i = m->nr + 1; i-- > 0 && !found; )
		found = model_gap_fits(m, i, lo, hi, size, &want);
	assert_int_equal(rt_gap_last(t, lo, hi, size, &got), found);
	assert_int_equal(got.start, want.start);
	assert_int_equal(got.end, want.end);
}

/* ------------------------------------------------------------------------ random steps -- */

struct run {
	struct rng rng;
	struct range_tree t;
	struct model work;		/* what the writer sees */
	struct model published;		/* what readers see */
	unsigned long span;		/* addresses in use: small makes it crowded */
	size_t most;			/* entries */
	unsigned long serial;		/* makes each item and tag different */
};

static struct rt_entry fresh_entry(struct run *r, unsigned long start, unsigned long end)
{
	r->serial++;
	return (struct rt_entry){
		.start = start, .end = end,
		.item = (void *)(r->serial * 16), .tag = r->serial ^ 0x5555,
	};
}

/* A random place; now and then one of the ends of all addresses. */
static unsigned long random_addr(struct run *r)
{
	switch (rng_below(&r->rng, 64)) {
	case 0:
		return 0;
	case 1:
		return ~0ul - rng_below(&r->rng, 3);
	default:
		return rng_below(&r->rng, r->span);
	}
}

static void step_insert(struct run *r, unsigned long addr)
{
	const size_t at = model_at(&r->work, addr);
	unsigned long start = model_gap_start(&r->work, at);
	unsigned long end = at < r->work.nr ? r->work.e[at].start : ~0ul;
	struct rt_entry e;

	if (r->work.nr >= r->most || addr < start || addr >= end)
		return;
	/* The whole gap, or something inside that begins at addr. */
	if (rng_below(&r->rng, 8)) {
		start = addr;
		if (end - start > 40 && rng_below(&r->rng, 32))
			end = start + 1 + rng_below(&r->rng, 40);
	} else if (end - start > 1000) {
		return;
	}
	e = fresh_entry(r, start, end);
	assert_int_equal(rt_reserve(&r->t, 0, 1), 0);
	rt_insert(&r->t, e.start, e.end, e.item, e.tag);
	model_put(&r->work, at, e);
}

static void step_erase(struct run *r, unsigned long addr)
{
	const size_t at = model_at(&r->work, addr);

	if (at == r->work.nr)
		return;
	assert_int_equal(rt_reserve(&r->t, 1, 0), 0);
	rt_erase(&r->t, r->work.e[at].start);
	model_cut(&r->work, at, 1);
}

static void step_erase_range(struct run *r, unsigned long start, unsigned long end)
{
	size_t from = model_at(&r->work, start), to;

	if (from < r->work.nr && r->work.e[from].start < start)
		from++;
	for (to = from; to < r->work.nr && r->work.e[to].end <= end; to++)
		;
	assert_int_equal(rt_reserve(&r->t, 2, 0), 0);
	rt_erase_range(&r->t, start, end);
	model_cut(&r->work, from, to - from);
}

static void step_update(struct run *r, unsigned long addr)
{
	const size_t at = model_at(&r->work, addr);
	unsigned long lo, hi, old;
	struct rt_entry e;

	if (at == r->work.nr)
		return;
	old = r->work.e[at].start;
	e = fresh_entry(r, old, r->work.e[at].end);
	lo = model_gap_start(&r->work, at);
	hi = at + 1 < r->work.nr ? r->work.e[at + 1].start : ~0ul;
	switch (rng_below(&r->rng, 5)) {
	case 0:				/* item and tag only */
		break;
	case 1:				/* all there is room for */
		if (hi - lo < 1000) {
			e.start = lo;
			e.end = hi;
		}
		break;
	case 2:				/* smaller, from the left */
		e.start += rng_below(&r->rng, e.end - e.start);
		break;
	case 3:				/* smaller, from the right */
		e.end -= rng_below(&r->rng, e.end - e.start);
		break;
	case 4:				/* somewhere else, between the same neighbours */
		if (hi - lo < 1000) {
			e.start = lo + rng_below(&r->rng, hi - lo);
			e.end = e.start + 1 + rng_below(&r->rng, hi - e.start);
		}
		break;
	}
	assert_int_equal(rt_reserve(&r->t, 1, 0), 0);
	rt_update(&r->t, old, e.start, e.end, e.item, e.tag);
	r->work.e[at] = e;
}

static void step_publish(struct run *r)
{
	rt_publish(&r->t);
	model_free(&r->published);
	r->published = model_copy(&r->work);
}

static void step_abort(struct run *r)
{
	rt_abort(&r->t);
	model_free(&r->work);
	r->work = model_copy(&r->published);
}

/* Many at one place, upward or downward, as a program that maps a lot does. */
static void step_series(struct run *r)
{
	unsigned long addr = rng_below(&r->rng, r->span);
	const bool up = rng_below(&r->rng, 2);

	for (unsigned long n = rng_below(&r->rng, 60); n; n--) {
		size_t at = model_at(&r->work, addr);
		struct rt_entry e;

		if (r->work.nr >= r->most || addr + 2 > r->span || addr < 4)
			return;
		if (at < r->work.nr && r->work.e[at].start < addr + 2)
			return;
		e = fresh_entry(r, addr, addr + 2);
		assert_int_equal(rt_reserve(&r->t, 0, 1), 0);
		rt_insert(&r->t, e.start, e.end, e.item, e.tag);
		model_put(&r->work, at, e);
		addr = up ? addr + 3 : addr - 3;
	}
}

static void step(struct run *r, unsigned long shrinking)
{
	const unsigned long what = rng_below(&r->rng, 100);
	unsigned long addr = random_addr(r);

	if (what < 2)
		step_series(r);
	else if (what < 42)
		shrinking ? step_erase(r, addr) : step_insert(r, addr);
	else if (what < 60)
		shrinking ? step_insert(r, addr) : step_erase(r, addr);
	else if (what < 62)
		step_erase_range(r, addr, addr + rng_below(&r->rng, r->span / 8));
	else if (what < 80)
		step_update(r, addr);
	else if (what < 90)
		step_publish(r);
	else if (what < 92)
		step_abort(r);
	else if (what < 99)
		ask_snapshot(rt_working(&r->t), &r->work, addr);
	else
		ask_gaps(&r->t, &r->work, addr, addr + rng_below(&r->rng, ~addr | 1),
			 1 + rng_below(&r->rng, 60));
	assert_int_equal(rt_count(&r->t), r->work.nr);
}

static void check_all(struct run *r)
{
	unsigned long lo = random_addr(r), hi = random_addr(r);

	check_tree(&r->t);
	assert_same(rt_working(&r->t), &r->work);
	port_rcu_read_lock();
	assert_same(rt_snapshot_rcu(&r->t), &r->published);
	ask_snapshot(rt_snapshot_rcu(&r->t), &r->published, lo);
	port_rcu_read_unlock();
	for (unsigned long size = 0; size < 100; size += 1 + size / 2) {
		ask_gaps(&r->t, &r->work, 0, ~0ul, size ? size : 1);
		ask_gaps(&r->t, &r->work, lo < hi ? lo : hi, lo < hi ? hi : lo, size ? size : 1);
	}
}

static void run_random(const char *name, unsigned long span, size_t most, unsigned long steps,
		       unsigned long check_every)
{
	struct run r = { .rng = rng_start(name), .span = span, .most = most };

	rt_init(&r.t);
	for (unsigned long i = 0; i < steps; i++) {
		step(&r, (i / (4 * most)) % 2);
		if (i % check_every == 0)
			check_all(&r);
	}
	step_publish(&r);
	check_all(&r);
	step_erase_range(&r, 0, ~0ul);
	assert_int_equal(rt_count(&r.t), 0);
	check_all(&r);
	rt_destroy(&r.t);
	model_free(&r.work);
	model_free(&r.published);
}

/* A million steps in all, more with VMAREA_SOAK=factor. */
static unsigned long soak(unsigned long steps)
{
	const char *text = getenv("VMAREA_SOAK");

	return text ? steps * strtoul(text, NULL, 0) : steps;
}

static void test_random_one_leaf(void **state)
{
	run_random(__func__, 300, 15, soak(200000), 20);
}

static void test_random_crowded(void **state)
{
	run_random(__func__, 2000, 300, soak(300000), 200);
}

static void test_random_sparse(void **state)
{
	run_random(__func__, 1000000, 3000, soak(400000), 4000);
}

static void test_random_deep(void **state)
{
	run_random(__func__, 100000000, 20000, soak(600000), 60000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_one_leaf),
		cmocka_unit_test(test_random_crowded),
		cmocka_unit_test(test_random_sparse),
		cmocka_unit_test(test_random_deep),
	};

	return cmocka_run_group_tests_name("range_tree", tests, NULL, NULL);
}
