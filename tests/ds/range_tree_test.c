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

#include "ds/range_tree_pool.h"
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
	unsigned long may_touch;	/* what a batch has reserved and not used yet */
	unsigned long may_insert;
};

/* Reserves for one step, unless the batch that it is part of has done so. */
static void reserve(struct run *r, unsigned long nr_touched, unsigned long nr_inserted)
{
	if (r->may_touch >= nr_touched && r->may_insert >= nr_inserted) {
		r->may_touch -= nr_touched;
		r->may_insert -= nr_inserted;
		return;
	}
	r->may_touch = 0;
	r->may_insert = 0;
	assert_int_equal(rt_reserve(&r->t, nr_touched, nr_inserted), 0);
}

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
	reserve(r, 0, 1);
	rt_insert(&r->t, e.start, e.end, e.item, e.tag);
	model_put(&r->work, at, e);
}

static void step_erase(struct run *r, unsigned long addr)
{
	const size_t at = model_at(&r->work, addr);

	if (at == r->work.nr)
		return;
	reserve(r, 1, 0);
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
	reserve(r, 2, 0);
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
	reserve(r, 1, 0);
	rt_update(&r->t, old, e.start, e.end, e.item, e.tag);
	r->work.e[at] = e;
}

/* The steps to come have exactly what they reserve: the pool is empty before. */
static void step_batch(struct run *r)
{
	r->may_touch = rng_below(&r->rng, 60);
	r->may_insert = rng_below(&r->rng, 60);
	rt_trim(&r->t);
	assert_int_equal(rt_reserve(&r->t, r->may_touch, r->may_insert), 0);
}

static void end_batch(struct run *r)
{
	r->may_touch = 0;
	r->may_insert = 0;
}

static void step_publish(struct run *r)
{
	end_batch(r);
	rt_publish(&r->t);
	model_free(&r->published);
	r->published = model_copy(&r->work);
}

static void step_abort(struct run *r)
{
	end_batch(r);
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
		reserve(r, 0, 1);
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
	else if (what < 93)
		step_batch(r);
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

/* ---------------------------------------------------------------------- single questions -- */

#define PAGE	0x1000ul

static void insert(struct range_tree *t, unsigned long start, unsigned long end)
{
	assert_int_equal(rt_reserve(t, 0, 1), 0);
	rt_insert(t, start, end, (void *)start, start);
}

static void fill_upward(struct range_tree *t, unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++) {
		insert(t, 2 * i * PAGE, (2 * i + 1) * PAGE);
		rt_publish(t);
	}
}

static void fill_downward(struct range_tree *t, unsigned long nr)
{
	for (unsigned long i = nr; i-- > 0; ) {
		insert(t, 2 * i * PAGE, (2 * i + 1) * PAGE);
		rt_publish(t);
	}
}

/* Also what is on its way back from a grace period. */
static void trim_all(struct range_tree *t)
{
	port_rcu_barrier();
	rt_trim(t);
}

static void test_empty(void **state)
{
	struct rt_range gap;
	struct rt_entry e;
	struct rt_iter it;
	struct range_tree t;

	rt_init(&t);
	assert_false(rt_find(&t, 0, &e));
	assert_false(rt_find_first(&t, 0, &e));
	assert_false(rt_find_prev(&t, ~0ul, &e));
	rt_iter_init(&it, rt_working(&t), 0);
	assert_false(rt_iter_next(&it, &e));
	assert_false(rt_iter_prev(&it, &e));
	assert_true(rt_gap_last(&t, 5, 10, 5, &gap));
	assert_int_equal(gap.start, 5);
	assert_int_equal(gap.end, 10);
	assert_false(rt_gap_first(&t, 5, 10, 6, &gap));
	assert_false(rt_gap_first(&t, 10, 10, 0, &gap));
	assert_false(rt_gap_last(&t, 10, 5, 1, &gap));
	rt_erase_range(&t, 0, ~0ul);
	rt_publish(&t);
	rt_abort(&t);
	assert_int_equal(rt_count(&t), 0);
	assert_int_equal(rt_memory_bytes(&t), 0);
	check_tree(&t);
	rt_destroy(&t);
}

static void test_ends_of_all_addresses(void **state)
{
	struct range_tree t;
	struct rt_range gap;
	struct rt_entry e;

	rt_init(&t);
	insert(&t, 0, ~0ul);
	rt_publish(&t);
	assert_true(rt_find(&t, 0, &e));
	assert_true(rt_find(&t, ~0ul - 1, &e));
	assert_false(rt_find(&t, ~0ul, &e));
	assert_false(rt_find_first(&t, ~0ul, &e));
	assert_true(rt_find_prev(&t, ~0ul, &e));
	assert_false(rt_find_prev(&t, 0, &e));
	assert_false(rt_gap_first(&t, 0, ~0ul, 1, &gap));
	assert_false(rt_gap_last(&t, 0, ~0ul, 1, &gap));
	rt_destroy(&t);
}

/* Readers see nothing of a section until it is published, then all of it; an abort never was. */
static void test_publish_and_abort(void **state)
{
	struct range_tree t;
	struct rt_snapshot old;
	struct rt_entry e;

	rt_init(&t);
	fill_upward(&t, 500);
	assert_int_equal(rt_reserve(&t, 3, 1), 0);
	port_rcu_read_lock();
	old = rt_snapshot_rcu(&t);
	rt_erase(&t, 0);
	rt_erase(&t, 800 * PAGE);
	rt_update(&t, 2 * PAGE, 3 * PAGE, 4 * PAGE, NULL, 7);
	rt_insert(&t, 801 * PAGE, 802 * PAGE, NULL, 8);
	assert_true(rt_lookup_rcu(&t, 0, &e));
	assert_false(rt_lookup_rcu(&t, 801 * PAGE, &e));
	assert_false(rt_lookup_rcu(&t, 3 * PAGE, &e));
	assert_false(rt_find(&t, 0, &e));
	assert_true(rt_find(&t, 801 * PAGE, &e));
	rt_publish(&t);
	assert_false(rt_lookup_rcu(&t, 0, &e));
	assert_false(rt_lookup_rcu(&t, 800 * PAGE, &e));
	assert_true(rt_lookup_rcu(&t, 801 * PAGE, &e));
	assert_int_equal(e.tag, 8);
	assert_true(rt_lookup_rcu(&t, 3 * PAGE, &e));
	assert_int_equal(e.tag, 7);
	/* The old snapshot is what it was. */
	assert_true(rt_snap_find(old, 0, &e));
	assert_true(rt_snap_find(old, 800 * PAGE, &e));
	assert_false(rt_snap_find(old, 801 * PAGE, &e));
	assert_false(rt_snap_find(old, 3 * PAGE, &e));
	port_rcu_read_unlock();

	assert_int_equal(rt_reserve(&t, 2, 0), 0);
	rt_erase_range(&t, 0, 600 * PAGE);
	assert_int_equal(rt_count(&t), 199 + 1);
	check_tree(&t);
	rt_abort(&t);
	assert_int_equal(rt_count(&t), 499);
	assert_true(rt_find(&t, 3 * PAGE, &e));
	check_tree(&t);
	rt_destroy(&t);
}

/* A reader that stays keeps its version through many later ones. */
static void test_old_snapshots(void **state)
{
	enum { VERSIONS = 40 };
	struct run r = { .rng = rng_start(__func__), .span = 20000, .most = 600 };
	struct model versions[VERSIONS];
	struct rt_snapshot snaps[VERSIONS];

	rt_init(&r.t);
	for (int i = 0; i < 3000; i++)
		step(&r, 0);
	step_publish(&r);
	/* For all that follows: a reader must not wait for a grace period. */
	r.may_touch = 400;
	r.may_insert = 400;
	assert_int_equal(rt_reserve(&r.t, r.may_touch, r.may_insert), 0);
	port_rcu_read_lock();
	for (int v = 0; v < VERSIONS; v++) {
		for (int i = 0; i < 5; i++) {
			step_insert(&r, random_addr(&r));
			step_erase(&r, random_addr(&r));
			step_update(&r, random_addr(&r));
		}
		rt_publish(&r.t);
		versions[v] = model_copy(&r.work);
		snaps[v] = rt_snapshot_rcu(&r.t);
	}
	for (int v = 0; v < VERSIONS; v++) {
		assert_same(snaps[v], &versions[v]);
		model_free(&versions[v]);
	}
	port_rcu_read_unlock();
	check_tree(&r.t);
	rt_destroy(&r.t);
	model_free(&r.work);
	model_free(&r.published);
}

/* Nodes that are full at every level, and inserts that each meet another of them. */
static void test_reserve_suffices_in_full_trees(void **state)
{
	static const unsigned long sizes[] = { 1, 15, 16, 240, 285, 286, 3000, 20000 };

	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		for (unsigned long m = 1; m < 600; m += 1 + m) {
			unsigned long apart = max(sizes[s] / m, 1ul), done = 0;
			struct range_tree t;

			rt_init(&t);
			fill_upward(&t, sizes[s]);
			trim_all(&t);
			assert_int_equal(rt_reserve(&t, 0, m), 0);
			for (; done < m && done * apart < sizes[s]; done++) {
				unsigned long start = (2 * done * apart + 1) * PAGE;

				rt_insert(&t, start, start + PAGE, NULL, 0);
			}
			check_tree(&t);
			rt_abort(&t);
			check_tree(&t);
			assert_int_equal(rt_count(&t), sizes[s]);
			rt_destroy(&t);
		}
	}
}

/* Any range out of a large tree costs two paths. */
static void test_erase_range_of_many(void **state)
{
	struct rng rng = rng_start(__func__);
	const unsigned long nr = 30000;
	struct range_tree t;

	rt_init(&t);
	fill_upward(&t, nr);
	for (int i = 0; i < 200; i++) {
		unsigned long from = rng_below(&rng, nr), to = from + rng_below(&rng, nr - from);
		struct rt_entry e;

		rt_trim(&t);
		assert_int_equal(rt_reserve(&t, 2, 0), 0);
		/* One byte into the entries at both ends: these stay. */
		rt_erase_range(&t, 2 * from * PAGE + 1, (2 * to + 1) * PAGE - 1);
		assert_int_equal(rt_count(&t), to > from ? nr - (to - from - 1) : nr);
		if (i % 10 == 0)
			check_tree(&t);
		assert_true(rt_find(&t, 2 * from * PAGE, &e));
		if (to > from + 1) {
			assert_true(rt_find_first(&t, (2 * from + 1) * PAGE, &e));
			assert_int_equal(e.start, 2 * to * PAGE);
		}
		rt_abort(&t);
	}
	rt_destroy(&t);
}

/* A program that maps downward, or upward, gets full leaves. */
static void test_series_fill_leaves(void **state)
{
	const unsigned long nr = 10000;
	struct range_tree t;

	rt_init(&t);
	fill_upward(&t, nr);
	trim_all(&t);
	assert_true(rt_memory_bytes(&t) < 42 * nr);
	rt_destroy(&t);
	rt_init(&t);
	/* Something above and below, as the stack and the program are. */
	insert(&t, 2 * nr * PAGE, (2 * nr + 1) * PAGE);
	fill_downward(&t, nr);
	trim_all(&t);
	assert_true(rt_memory_bytes(&t) < 42 * nr);
	rt_destroy(&t);
}

/* The worst that a large call has to think of hardly ever comes, and it may be the last for long. */
static void test_reserve_goes_back(void **state)
{
	struct range_tree t;
	size_t live;

	rt_init(&t);
	assert_int_equal(rt_reserve(&t, 0, 20000), 0);
	for (unsigned long i = 0; i < 20000; i++)
		rt_insert(&t, 2 * i * PAGE, (2 * i + 1) * PAGE, NULL, 0);
	rt_publish(&t);
	trim_all(&t);
	live = rt_memory_bytes(&t);
	assert_int_equal(rt_reserve(&t, 20000, 20000), 0);
	assert_true(rt_memory_bytes(&t) > live + 2000 * RT_NODE_BYTES);
	rt_update(&t, 0, 0, PAGE, NULL, 1);
	rt_publish(&t);
	rt_unreserve(&t);
	assert_true(rt_memory_bytes(&t) < live + 300 * RT_NODE_BYTES);
	/* Nor when nothing was changed. */
	assert_int_equal(rt_reserve(&t, 20000, 20000), 0);
	rt_publish(&t);
	rt_unreserve(&t);
	assert_true(rt_memory_bytes(&t) < live + 300 * RT_NODE_BYTES);
	check_tree(&t);
	rt_destroy(&t);
}

/* What a tree keeps after it was large is bounded by what it was asked for last. */
static void test_memory_goes_back(void **state)
{
	struct range_tree t;

	rt_init(&t);
	/* In one section: how many nodes a busy writer keeps depends on how long it had to wait. */
	assert_int_equal(rt_reserve(&t, 0, 20000), 0);
	for (unsigned long i = 0; i < 20000; i++)
		rt_insert(&t, 2 * i * PAGE, (2 * i + 1) * PAGE, NULL, 0);
	rt_publish(&t);
	assert_true(rt_memory_bytes(&t) > 20000 * sizeof(struct rt_entry));
	assert_int_equal(rt_reserve(&t, 2, 0), 0);
	rt_erase_range(&t, 30 * PAGE, ~0ul);
	rt_publish(&t);
	assert_true(rt_memory_bytes(&t) < 600 * RT_NODE_BYTES);
	trim_all(&t);
	assert_true(rt_memory_bytes(&t) <= 4 * RT_NODE_BYTES);
	check_tree(&t);
	rt_destroy(&t);
}

static void test_million(void **state)
{
	const unsigned long nr = 1000000;
	struct rng rng = rng_start(__func__);
	unsigned long *order = malloc(nr * sizeof(*order));
	struct range_tree t;
	struct rt_entry e;
	struct rt_iter it;

	assert_non_null(order);
	for (unsigned long i = 0; i < nr; i++) {
		unsigned long j = rng_below(&rng, i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	rt_init(&t);
	for (unsigned long i = 0; i < nr; i++) {
		insert(&t, 2 * order[i] * PAGE, (2 * order[i] + 1) * PAGE);
		if (i % 3 == 0)
			rt_publish(&t);
	}
	rt_publish(&t);
	assert_int_equal(rt_count(&t), nr);
	check_tree(&t);
	assert_true(rt_memory_bytes(&t) < 60 * nr);

	port_rcu_read_lock();
	for (unsigned long i = 0; i < nr; i += 3) {
		assert_true(rt_lookup_rcu(&t, 2 * order[i] * PAGE + 17, &e));
		assert_int_equal(e.tag, 2 * order[i] * PAGE);
		assert_false(rt_lookup_rcu(&t, (2 * order[i] + 1) * PAGE, &e));
	}
	rt_iter_init(&it, rt_snapshot_rcu(&t), 0);
	for (unsigned long i = 0; i < nr; i++) {
		assert_true(rt_iter_next(&it, &e));
		assert_int_equal(e.start, 2 * i * PAGE);
	}
	assert_false(rt_iter_next(&it, &e));
	port_rcu_read_unlock();

	for (unsigned long i = 0; i < nr; i += 2) {
		assert_int_equal(rt_reserve(&t, 1, 0), 0);
		rt_erase(&t, 2 * order[i] * PAGE);
	}
	rt_publish(&t);
	check_tree(&t);
	assert_int_equal(rt_count(&t), nr / 2);
	rt_destroy(&t);
	free(order);
}

/*
 * Above every pointer to a node: where programs have their stacks and libraries.  What a search reads
 * beside the keys is then below what it looks for.
 */
static void test_tall_and_high(void **state)
{
	const unsigned long nr = 400000, base = 1ul << 62;
	struct range_tree t;
	struct rt_entry e;

	(void)state;
	rt_init(&t);
	for (unsigned long i = 0; i < nr; i++) {
		insert(&t, base + 2 * i * PAGE, base + (2 * i + 1) * PAGE);
		if (i % 64 == 0)
			rt_publish(&t);
	}
	rt_publish(&t);
	assert_true(t.root->level >= RT_TALL_LEVEL);
	port_rcu_read_lock();
	for (unsigned long i = 0; i < nr; i++) {
		assert_true(rt_lookup_rcu(&t, base + 2 * i * PAGE + 17, &e));
		assert_int_equal(e.start, base + 2 * i * PAGE);
		assert_false(rt_lookup_rcu(&t, base + (2 * i + 1) * PAGE, &e));
	}
	port_rcu_read_unlock();
	rt_destroy(&t);
}

#ifdef CONFIG_VMAREA_DEBUG

/* Each allocation in rt_reserve() made to fail, for trees in each state. */
static void reserve_failing(struct run *r, unsigned long nr_touched, unsigned long nr_inserted)
{
	for (long nth = 1; ; nth++) {
		int err;

		rt_trim(&r->t);
		port_fail_nth(nth);
		err = rt_reserve(&r->t, nr_touched, nr_inserted);
		port_fail_nth(0);
		check_tree(&r->t);
		assert_same(rt_working(&r->t), &r->work);
		port_rcu_read_lock();
		assert_same(rt_snapshot_rcu(&r->t), &r->published);
		port_rcu_read_unlock();
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
	}
}

static void test_reserve_fails(void **state)
{
	struct run r = { .rng = rng_start(__func__), .span = 3000, .most = 400 };

	rt_init(&r.t);
	port_fail_nth(1);
	assert_int_equal(rt_reserve(&r.t, 0, 1), -ENOMEM);
	port_fail_nth(2);
	assert_int_equal(rt_reserve(&r.t, 0, 1), -ENOMEM);
	port_fail_nth(0);
	assert_int_equal(rt_count(&r.t), 0);
	for (int i = 0; i < 60; i++) {
		for (int k = 0; k < 40; k++)
			step(&r, 0);
		end_batch(&r);
		reserve_failing(&r, rng_below(&r.rng, 10), rng_below(&r.rng, 10));
	}
	check_all(&r);
	rt_destroy(&r.t);
	model_free(&r.work);
	model_free(&r.published);
}

/* Nothing is lost on any way, the one of nodes that a grace period holds back included. */
static void test_no_leak(void **state)
{
	long before;

	port_rcu_barrier();
	before = port_live_allocs();
	for (unsigned long nr = 1; nr < 5000; nr = 3 * nr + 1) {
		struct range_tree t;

		rt_init(&t);
		fill_upward(&t, nr);
		insert(&t, ~0ul - 5, ~0ul);
		rt_destroy(&t);
	}
	port_rcu_barrier();
	assert_int_equal(port_live_allocs(), before);
}

#else

/* Failures are injected, and allocations counted, by the port of a debug build. */
static void test_reserve_fails(void **state)
{
	skip();
}

static void test_no_leak(void **state)
{
	skip();
}

#endif

static void test_reserve_refuses_the_absurd(void **state)
{
	struct range_tree t;

	rt_init(&t);
	assert_int_equal(rt_reserve(&t, ~0ul, 0), -ENOMEM);
	assert_int_equal(rt_reserve(&t, 0, ~0ul), -ENOMEM);
	assert_int_equal(rt_memory_bytes(&t), 0);
	rt_destroy(&t);
}

/* An inner root with one child, and nothing else wrong: its second one is taken away. */
static void test_check_finds_a_root_too_many(void **state)
{
	struct rt_node *root, was;
	struct range_tree t;
	char why[100];

	rt_init(&t);
	fill_upward(&t, RT_LEAF_SLOTS + 1);
	root = t.root;
	was = *root;
	assert_int_equal(root->nr, 2);
	root->nr = 1;
	root->inner.key[1] = RT_NO_KEY;
	root->inner.last_end = root->inner.child[0]->leaf.slot[root->inner.child[0]->nr - 1].end;
	assert_int_equal(rt_check(&t, why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "3: children of the root: 1, 1");
	*root = was;
	check_tree(&t);
	rt_destroy(&t);
}

/* The walker must see what it is there to see. */
static void test_check_finds(void **state)
{
	struct rt_node *root, *leaf, *last;
	unsigned long kept;
	struct range_tree t;
	char why[100];

	rt_init(&t);
	fill_upward(&t, 100);
	root = t.root;
	leaf = root->inner.child[2];
	last = root->inner.child[root->nr - 1];
	/* What is away is back: nobody else changes anything from here on. */
	port_rcu_barrier();
	assert_int_equal(rt_check(&t, why, sizeof(why)), 0);

#define FINDS(place, value, sentence)						\
	do {									\
		kept = (unsigned long)(place);					\
		place = (__typeof__(place))(value);				\
		assert_int_equal(rt_check(&t, why, sizeof(why)), -EINVAL);	\
		assert_memory_equal(why, sentence, strlen(sentence));		\
		place = (__typeof__(place))kept;				\
	} while (0)

	FINDS(leaf->leaf.slot[3].end, leaf->leaf.start[3], "1: empty range");
	FINDS(leaf->leaf.slot[3].end, leaf->leaf.start[4] + 1, "1: starts before");
	FINDS(leaf->level, 1, "2: level of a child");
	FINDS(root->level, RT_MAX_LEVELS, "2: level of the root");
	FINDS(leaf->nr, 0, "3: used places");
	FINDS(root->inner.key[2], root->inner.key[2] + 1, "4: key");
	FINDS(root->inner.gap[2], root->inner.gap[2] - 1, "4: gap");
	FINDS(root->inner.gap[root->nr - 1], 2 * PAGE, "4: last gap");
	FINDS(root->inner.last_end, root->inner.last_end + 1, "4: last end");
	FINDS(root->inner.key[RT_INNER_SLOTS - 1], 5, "5: key");
	FINDS(last->leaf.start[RT_LEAF_SLOTS - 1], 5, "5: start");
	FINDS(leaf->state, RT_NODE_FRESH, "6: state");
	FINDS(t.published.root, leaf, "6: two published");
	FINDS(t.published.count, 99, "7: entries");
	FINDS(t.published.nr_nodes[0], 99, "7: nodes of a level");
	FINDS(t.free.nr, t.free.nr + 1, "7: free");
	assert_non_null(t.free.first);
	FINDS(t.free.first->link, t.free.first, "7: free");
	FINDS(t.bag.nr, t.bag.nr + 1, "7: nodes in the bag");
	FINDS(t.bag.last, leaf, "7: nodes in the bag");
	FINDS(t.nr_owned, t.nr_owned + 1, "7: nodes owned");
	FINDS(t.retired.nr, 1, "7: retired");
	FINDS(t.home->state, t.nr_away ? RT_HOME_EMPTY : RT_HOME_WAITING, "8: nodes away");
	FINDS(t.home->state, RT_HOME_ORPHAN, "8: nodes away");
#undef FINDS
	check_tree(&t);
	rt_destroy(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_ends_of_all_addresses),
		cmocka_unit_test(test_publish_and_abort),
		cmocka_unit_test(test_old_snapshots),
		cmocka_unit_test(test_reserve_suffices_in_full_trees),
		cmocka_unit_test(test_erase_range_of_many),
		cmocka_unit_test(test_series_fill_leaves),
		cmocka_unit_test(test_reserve_goes_back),
		cmocka_unit_test(test_memory_goes_back),
		cmocka_unit_test(test_million),
		cmocka_unit_test(test_tall_and_high),
		cmocka_unit_test(test_reserve_fails),
		cmocka_unit_test(test_no_leak),
		cmocka_unit_test(test_reserve_refuses_the_absurd),
		cmocka_unit_test(test_check_finds),
		cmocka_unit_test(test_check_finds_a_root_too_many),
		cmocka_unit_test(test_random_one_leaf),
		cmocka_unit_test(test_random_crowded),
		cmocka_unit_test(test_random_sparse),
		cmocka_unit_test(test_random_deep),
	};

	return cmocka_run_group_tests_name("range_tree", tests, NULL, NULL);
}
