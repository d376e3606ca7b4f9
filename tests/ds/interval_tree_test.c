/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * An interval tree against an array: the same answers in the same order, forwards and backwards,
 * whatever is put in and taken out; and no deeper than chance makes it, in whatever order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ds/interval_tree.h"
#include "model.h"

#define MOST	300u
#define STEPS	20000

/* In the order that the tree has to have. */
struct array {
	struct it_node *at[MOST];
	unsigned int nr;
};

static void array_put(struct array *a, struct it_node *node)
{
	unsigned int i = a->nr++;

	for (; i > 0 && a->at[i - 1]->first > node->first; i--)
		a->at[i] = a->at[i - 1];
	a->at[i] = node;
}

static void array_cut(struct array *a, struct it_node *node)
{
	unsigned int i = 0;

	while (a->at[i] != node)
		i++;
	memmove(&a->at[i], &a->at[i + 1], (--a->nr - i) * sizeof(a->at[0]));
}

static bool meets(const struct it_node *node, struct it_span span)
{
	return node->first <= span.last && node->last >= span.first;
}

static void compare(const struct it_tree *tree, const struct array *a, struct it_span span)
{
	struct it_node *node = it_first(tree, span);

	for (unsigned int i = 0; i < a->nr; i++) {
		if (!meets(a->at[i], span))
			continue;
		assert_ptr_equal(node, a->at[i]);
		node = it_next(node, span);
	}
	assert_null(node);
	node = it_last(tree, span);
	for (unsigned int i = a->nr; i-- > 0;) {
		if (!meets(a->at[i], span))
			continue;
		assert_ptr_equal(node, a->at[i]);
		node = it_prev(node, span);
	}
	assert_null(node);
}

/* Short, long, equal to others, and at both ends of the numbers. */
static struct it_span some_span(struct rng *rng)
{
	struct it_span span = { .first = rng_below(rng, 100) };

	span.last = span.first + (rng_below(rng, 4) ? rng_below(rng, 6) : rng_below(rng, 200));
	if (!rng_below(rng, 20))
		span.last = ~0ul;
	return span;
}

static void test_model(void **state)
{
	struct rng rng = rng_start("model");
	static struct it_node nodes[MOST];
	struct it_tree tree = { 0 };
	static struct array a;

	for (int step = 0; step < STEPS; step++) {
		struct it_node *node = &nodes[rng_below(&rng, step % 2000 < 1000 ? MOST : 20)];

		if (node->inside) {
			it_erase(&tree, node);
			array_cut(&a, node);
		} else {
			struct it_span span = some_span(&rng);

			node->first = span.first;
			node->last = span.last;
			it_insert(&tree, node);
			array_put(&a, node);
		}
		assert_true(it_check(&tree));
		compare(&tree, &a, some_span(&rng));
		if (a.nr) {
			struct it_span extent = it_extent(&tree);
			unsigned long most = 0;

			for (unsigned int i = 0; i < a.nr; i++)
				most = max(most, a.at[i]->last);
			assert_int_equal(extent.first, a.at[0]->first);
			assert_int_equal(extent.last, most);
		}
	}
}

static unsigned int depth(const struct it_node *node)
{
	unsigned int d = 0;

	for (; node; node = node->parent)
		d++;
	return d;
}

/* Ascending, descending, all equal: 10,000 nodes stay within 3.5 times log2 of that. */
static void test_depth(void **state)
{
	enum { NR = 10000 };
	struct it_node *nodes = calloc(NR, sizeof(*nodes));

	assert_non_null(nodes);
	for (int order = 0; order < 3; order++) {
		struct it_tree tree = { .dice = (u32)order };
		unsigned int deepest = 0;

		for (unsigned int i = 0; i < NR; i++) {
			nodes[i].first = order == 0 ? i : order == 1 ? NR - i : 7;
			nodes[i].last = nodes[i].first + 1;
			it_insert(&tree, &nodes[i]);
		}
		for (unsigned int i = 0; i < NR; i++)
			deepest = max(deepest, depth(&nodes[i]));
		assert_true(deepest < 47);
		assert_true(it_check(&tree));
		for (unsigned int i = 0; i < NR; i++)
			it_erase(&tree, &nodes[i]);
		assert_true(it_empty(&tree));
	}
	free(nodes);
}

/* The walker finds each thing that can be wrong. */
static void test_walker(void **state)
{
	struct it_tree tree = { 0 };
	struct it_node n[8] = { 0 };

	for (unsigned long i = 0; i < 8; i++) {
		n[i].first = i;
		n[i].last = i + 2;
		it_insert(&tree, &n[i]);
	}
	assert_true(it_check(&tree));
	tree.root->max++;
	assert_false(it_check(&tree));
	tree.root->max--;
	tree.nr++;
	assert_false(it_check(&tree));
	tree.nr--;
	n[3].inside = false;
	assert_false(it_check(&tree));
	n[3].inside = true;
	n[3].first = 6;
	assert_false(it_check(&tree));
	n[3].first = 3;
	tree.root->priority = 0;
	assert_false(it_check(&tree));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_walker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
