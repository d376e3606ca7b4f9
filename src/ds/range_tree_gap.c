/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Free ranges.
 *
 * A free range lies before the first entry or behind some entry, up to the next one or to the
 * end of all addresses.  The second kind is what nodes know about: gap[i] bounds those behind
 * the entries of child i, except that the one behind the last entry of a node ends somewhere
 * else, at @next, which is handed down.
 *
 * A search enters a child only if that bound is large enough.  The free range that is meant by
 * the bound may still be cut short by [lo, hi), but only in a child that contains lo or hi, and
 * there is at most one of each in a level: so at most two ways down lead to nothing.
 */
#include "ds/range_tree.h"

struct gap_search {
	unsigned long lo, hi, size;
	struct rt_range *gap;
};

/* Is the free range [start, end), cut to [lo, hi), large enough? */
static bool fits(const struct gap_search *s, unsigned long start, unsigned long end)
{
	start = max(start, s->lo);
	end = min(end, s->hi);
	if (start >= end || end - start < s->size)
		return false;
	*s->gap = (struct rt_range){ .start = start, .end = end };
	return true;
}

static unsigned long last_end(const struct rt_node *node)
{
	return node->level ? node->inner.last_end : node->leaf.slot[node->nr - 1].end;
}

/* Start of what follows place @i. */
static unsigned long next_start(const struct rt_node *node, unsigned int i, unsigned long next)
{
	if (i + 1 == node->nr)
		return next;
	return node->level ? node->inner.key[i + 1] : node->leaf.start[i + 1];
}

/* Can there be anything behind the entries of child @i? */
static bool worth(const struct gap_search *s, const struct rt_node *node, unsigned int i,
		  unsigned long next)
{
	unsigned long gap = node->inner.gap[i];

	if (i + 1 == node->nr)
		gap = max(gap, next - node->inner.last_end);
	return gap >= s->size;
}

/* The highest one behind an entry of @node.  @next: where the one behind the last ends. */
static bool last_below(const struct gap_search *s, const struct rt_node *node, unsigned long next)
{
	unsigned int i = node->level ? rt_inner_rank(node, s->hi) + 1 : rt_leaf_rank(node, s->hi);

	while (i--) {
		unsigned long end = next_start(node, i, next);

		if (end <= s->lo)
			return false;
		if (!node->level) {
			if (fits(s, node->leaf.slot[i].end, end))
				return true;
		} else if (worth(s, node, i, next) &&
			   last_below(s, node->inner.child[i], end)) {
			return true;
		}
	}
	return false;
}

/* The lowest one. */
static bool first_below(const struct gap_search *s, const struct rt_node *node, unsigned long next)
{
	/* The range around lo is behind the last entry that starts at or below it. */
	const unsigned long bound = rt_search_bound(s->lo);
	unsigned int i = node->level ? rt_inner_rank(node, bound) : rt_leaf_rank(node, bound);

	if (!node->level && i)
		i--;
	for (; i < node->nr; i++) {
		if ((node->level ? node->inner.key[i] : node->leaf.start[i]) >= s->hi)
			return false;
		if (!node->level) {
			if (fits(s, node->leaf.slot[i].end, next_start(node, i, next)))
				return true;
		} else if (worth(s, node, i, next) &&
			   first_below(s, node->inner.child[i], next_start(node, i, next))) {
			return true;
		}
	}
	return false;
}

static unsigned long first_start(const struct rt_node *root)
{
	return root->level ? root->inner.key[0] : root->leaf.start[0];
}

bool rt_gap_last(const struct range_tree *t, unsigned long lo, unsigned long hi,
		 unsigned long size, struct rt_range *gap)
{
	const struct gap_search s = { .lo = lo, .hi = hi, .size = max(size, 1ul), .gap = gap };
	const struct rt_node *root = t->work.root;

	if (lo >= hi || hi - lo < s.size)
		return false;
	if (!root)
		return fits(&s, 0, RT_NO_KEY);
	return fits(&s, last_end(root), RT_NO_KEY) ||
	       last_below(&s, root, last_end(root)) ||
	       fits(&s, 0, first_start(root));
}

bool rt_gap_first(const struct range_tree *t, unsigned long lo, unsigned long hi,
		  unsigned long size, struct rt_range *gap)
{
	const struct gap_search s = { .lo = lo, .hi = hi, .size = max(size, 1ul), .gap = gap };
	const struct rt_node *root = t->work.root;

	if (lo >= hi || hi - lo < s.size)
		return false;
	if (!root)
		return fits(&s, 0, RT_NO_KEY);
	return fits(&s, 0, first_start(root)) ||
	       first_below(&s, root, last_end(root)) ||
	       fits(&s, last_end(root), RT_NO_KEY);
}
