/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The walker over all invariants of a range tree; their numbers are those of range_tree.c. */
#include "base/str.h"
#include "ds/range_tree_pool.h"

struct rt_walk {
	struct rt_shape seen;		/* what the walk has counted */
	unsigned long end;		/* of the last entry so far */
	unsigned long nr_fresh;
	bool working;			/* fresh nodes are allowed */
	struct text why;
};

/* What a node's parent must know about it. */
struct rt_summary {
	unsigned long start, end, gap;
};

static bool complain(struct rt_walk *w, const char *what, unsigned long a, unsigned long b)
{
	text_str(&w->why, what);
	text_str(&w->why, ": ");
	text_hex(&w->why, a);
	text_str(&w->why, ", ");
	text_hex(&w->why, b);
	return false;
}

static bool check_leaf(struct rt_walk *w, const struct rt_node *leaf, struct rt_summary *sum)
{
	sum->gap = 0;
	for (unsigned int i = 0; i < leaf->nr; i++) {
		unsigned long start = leaf->leaf.start[i], end = leaf->leaf.slot[i].end;

		if (start >= end)
			return complain(w, "1: empty range", start, end);
		if (start < w->end)
			return complain(w, "1: starts before the one before ends", start, w->end);
		if (i)
			sum->gap = max(sum->gap, start - w->end);
		w->end = end;
	}
	for (unsigned int i = leaf->nr; i < RT_LEAF_SLOTS; i++)
		if (leaf->leaf.start[i] != RT_NO_KEY)
			return complain(w, "5: start in an unused place", leaf->leaf.start[i], i);
	sum->start = leaf->leaf.start[0];
	sum->end = w->end;
	w->seen.count += leaf->nr;
	return true;
}

static bool check_node(struct rt_walk *w, const struct rt_node *node, struct rt_summary *sum);

static bool check_inner(struct rt_walk *w, const struct rt_node *node, struct rt_summary *sum)
{
	unsigned long gap = 0;

	sum->gap = 0;
	for (unsigned int i = 0; i < node->nr; i++) {
		const struct rt_node *child = node->inner.child[i];
		struct rt_summary below;

		if (child->level + 1 != node->level)
			return complain(w, "2: level of a child", child->level, node->level);
		if (!check_node(w, child, &below))
			return false;
		if (below.start != node->inner.key[i])
			return complain(w, "4: key", node->inner.key[i], below.start);
		if (i) {
			/* The last round's gap ends where this child starts. */
			gap = max(gap, below.start - sum->end);
			if (gap != node->inner.gap[i - 1])
				return complain(w, "4: gap", node->inner.gap[i - 1], gap);
			sum->gap = max(sum->gap, gap);
		} else {
			sum->start = below.start;
		}
		gap = below.gap;
		sum->end = below.end;
	}
	if (gap != node->inner.gap[node->nr - 1])
		return complain(w, "4: last gap", node->inner.gap[node->nr - 1], gap);
	sum->gap = max(sum->gap, gap);
	if (sum->end != node->inner.last_end)
		return complain(w, "4: last end", node->inner.last_end, sum->end);
	for (unsigned int i = node->nr; i < RT_INNER_SLOTS; i++)
		if (node->inner.key[i] != RT_NO_KEY)
			return complain(w, "5: key in an unused place", node->inner.key[i], i);
	return true;
}

/* As deep as the tree is high. */
static bool check_node(struct rt_walk *w, const struct rt_node *node, struct rt_summary *sum)
{
	if (!node->nr || node->nr > (node->level ? RT_INNER_SLOTS : RT_LEAF_SLOTS))
		return complain(w, "3: used places", node->nr, node->level);
	if (node->state != RT_NODE_PUBLISHED && !(w->working && node->state == RT_NODE_FRESH))
		return complain(w, "6: state", node->state, node->level);
	w->nr_fresh += node->state == RT_NODE_FRESH;
	w->seen.nr_nodes[node->level]++;
	return node->level ? check_inner(w, node, sum) : check_leaf(w, node, sum);
}

static bool check_version(struct rt_walk *w, const struct rt_shape *shape)
{
	const struct rt_node *root = shape->root;
	struct rt_summary sum;

	if (root && root->level >= RT_MAX_LEVELS)
		return complain(w, "2: level of the root", root->level, RT_MAX_LEVELS);
	if (root && !check_node(w, root, &sum))
		return false;
	if (root && root->level && root->nr < 2)
		return complain(w, "3: children of the root", root->nr, root->level);
	if (w->seen.count != shape->count)
		return complain(w, "7: entries", shape->count, w->seen.count);
	for (unsigned int l = 0; l < RT_MAX_LEVELS; l++)
		if (w->seen.nr_nodes[l] != shape->nr_nodes[l])
			return complain(w, "7: nodes of a level", shape->nr_nodes[l],
					w->seen.nr_nodes[l]);
	return true;
}

/* Has the chain as many nodes as it says, and the last one for its last? */
static bool check_chain(struct rt_walk *w, const char *what, const struct rt_chain *chain,
			bool keeps_last)
{
	const struct rt_node *last = NULL;
	unsigned long nr = 0;

	/* A ring would have no end. */
	for (const struct rt_node *n = chain->first; n && nr <= chain->nr; n = n->link) {
		last = n;
		nr++;
	}
	if (nr != chain->nr)
		return complain(w, what, chain->nr, nr);
	if (keeps_last && nr && last != chain->last)
		return complain(w, what, (unsigned long)chain->last, (unsigned long)last);
	return true;
}

/* A bag that comes back after its grace period may be back already. */
static bool check_away(struct rt_walk *w, const struct range_tree *t)
{
	u32 state = t->home ? atomic_load_relaxed(&t->home->state) : RT_HOME_EMPTY;
	bool away = state == RT_HOME_WAITING || state == RT_HOME_BACK;

	if (state == RT_HOME_ORPHAN || away != !!t->nr_away)
		return complain(w, "8: nodes away, state", t->nr_away, state);
	return true;
}

/* Each node that the tree owns is in exactly one place. */
static bool check_pool(struct rt_walk *w, const struct range_tree *t)
{
	unsigned long nr_fresh = 0, nr = t->nr_away;

	for (const struct rt_node *node = t->fresh; node; node = node->link) {
		nr_fresh += node->state == RT_NODE_FRESH;
		nr++;
	}
	if (nr_fresh != w->nr_fresh)
		return complain(w, "6: fresh nodes", nr_fresh, w->nr_fresh);
	if (!check_chain(w, "7: free nodes", &t->free, false) ||
	    !check_chain(w, "7: nodes in the bag", &t->bag, true) ||
	    !check_chain(w, "7: retired nodes", &t->retired, true))
		return false;
	nr += t->free.nr + t->bag.nr;
	for (unsigned int l = 0; l < RT_MAX_LEVELS; l++)
		nr += t->published.nr_nodes[l];
	if (nr != t->nr_owned)
		return complain(w, "7: nodes owned", t->nr_owned, nr);
	return check_away(w, t);
}

int rt_check(const struct range_tree *t, char *why, size_t why_bytes)
{
	struct rt_walk published = { .why = text_in(why, why_bytes) };
	struct rt_walk working = { .why = text_in(why, why_bytes), .working = true };

	if (t->root != t->published.root)
		complain(&published, "6: two published roots", (unsigned long)t->root,
			 (unsigned long)t->published.root);
	else if (check_version(&published, &t->published) && check_version(&working, &t->work) &&
		 check_pool(&working, t))
		return 0;
	return -EINVAL;
}
