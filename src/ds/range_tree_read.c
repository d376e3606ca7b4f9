/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Questions to one version of a range tree, and the iterator. */
#include "ds/range_tree.h"

static void entry_get(const struct rt_node *leaf, unsigned int slot, struct rt_entry *e)
{
	e->start = leaf->leaf.start[slot];
	e->end = leaf->leaf.slot[slot].end;
	e->item = leaf->leaf.slot[slot].item;
	e->tag = leaf->leaf.slot[slot].tag;
}

/*
 * rt_inner_rank() in two steps, of which the second is among the four keys behind the one that
 * the first has found.  That makes half as many comparisons and one lookup a little slower; but
 * the processor then has room for the next lookup while this one waits for memory.
 *
 * The groups begin at 0, 5, 10 and 14, so that the last one ends with the last key.  Of the third
 * the last key is the fourth's first, which is not below the bound.
 */
static __always_inline unsigned int inner_rank_in_steps(const struct rt_node *node,
							unsigned long bound)
{
	const unsigned long *key = node->inner.key;
	unsigned long group, in_group;

	group = 5ul * ((key[5] < bound) + (key[10] < bound)) + 4ul * (key[14] < bound);
	key += group;
	in_group = (key[1] < bound) + (key[2] < bound) + (key[3] < bound) + (key[4] < bound);
	return (unsigned int)(group + in_group);
}

_Static_assert(RT_INNER_SLOTS == 14 + 5, "the last group ends with the last key");

bool rt_snap_find_tall(struct rt_snapshot s, unsigned long addr, struct rt_entry *e)
{
	const unsigned long bound = rt_search_bound(addr);
	const struct rt_node *node = s.root;

	for (unsigned int level = node->level; level; level--)
		node = node->inner.child[inner_rank_in_steps(node, bound)];
	/* Which line of the leaf is wanted is known only when its keys have come: fetch all. */
	for (unsigned int i = 0; i < RT_NODE_BYTES; i += CACHELINE_BYTES)
		__builtin_prefetch((const char *)node + i);
	return rt_leaf_find(node, addr, bound, e);
}

bool rt_snap_find_first(struct rt_snapshot s, unsigned long addr, struct rt_entry *e)
{
	const unsigned long bound = rt_search_bound(addr);
	const struct rt_node *node = s.root, *next = NULL;
	unsigned int rank;

	if (!node)
		return false;
	while (node->level) {
		rank = rt_inner_rank(node, bound);
		if (rank + 1 < node->nr)
			next = node->inner.child[rank + 1];
		node = node->inner.child[rank];
	}
	rank = rt_leaf_rank(node, bound);
	if (rank && addr < node->leaf.slot[rank - 1].end) {
		entry_get(node, rank - 1, e);
		return true;
	}
	if (rank < node->nr) {
		entry_get(node, rank, e);
		return true;
	}
	if (!next)
		return false;
	while (next->level)
		next = next->inner.child[0];
	entry_get(next, 0, e);
	return true;
}

bool rt_snap_find_prev(struct rt_snapshot s, unsigned long addr, struct rt_entry *e)
{
	const struct rt_node *node = s.root;
	unsigned int rank;

	if (!node)
		return false;
	/* Keys below addr: addr itself is the bound. */
	while (node->level)
		node = node->inner.child[rt_inner_rank(node, addr)];
	rank = rt_leaf_rank(node, addr);
	if (!rank)
		return false;
	entry_get(node, rank - 1, e);
	return true;
}

bool rt_find(const struct range_tree *t, unsigned long addr, struct rt_entry *e)
{
	return rt_snap_find(rt_working(t), addr, e);
}

bool rt_find_first(const struct range_tree *t, unsigned long addr, struct rt_entry *e)
{
	return rt_snap_find_first(rt_working(t), addr, e);
}

bool rt_find_prev(const struct range_tree *t, unsigned long addr, struct rt_entry *e)
{
	return rt_snap_find_prev(rt_working(t), addr, e);
}

/* ---------------------------------------------------------------------------- iterator -- */

void rt_iter_init(struct rt_iter *it, struct rt_snapshot s, unsigned long addr)
{
	const unsigned long bound = rt_search_bound(addr);
	const struct rt_node *node = s.root;
	unsigned int rank;

	it->levels = 0;
	if (!node)
		return;
	it->levels = node->level + 1;
	while (node->level) {
		rank = rt_inner_rank(node, bound);
		it->node[node->level] = node;
		it->slot[node->level] = (u8)rank;
		node = node->inner.child[rank];
	}
	rank = rt_leaf_rank(node, bound);
	if (rank && addr < node->leaf.slot[rank - 1].end)
		rank--;
	it->node[0] = node;
	it->slot[0] = (u8)rank;
}

/* From child @slot of the node at @level down to the first, or behind the last, entry. */
static void descend_first(struct rt_iter *it, unsigned int level)
{
	while (level) {
		const struct rt_node *node = it->node[level]->inner.child[it->slot[level]];

		level--;
		it->node[level] = node;
		it->slot[level] = 0;
	}
}

static void descend_last(struct rt_iter *it, unsigned int level)
{
	while (level) {
		const struct rt_node *node = it->node[level]->inner.child[it->slot[level]];

		level--;
		it->node[level] = node;
		it->slot[level] = (u8)(level ? node->nr - 1 : node->nr);
	}
}

bool rt_iter_next(struct rt_iter *it, struct rt_entry *e)
{
	if (!it->levels)
		return false;
	if (unlikely(it->slot[0] == it->node[0]->nr)) {
		unsigned int level = 1;

		while (level < it->levels && it->slot[level] + 1 == it->node[level]->nr)
			level++;
		if (level == it->levels)
			return false;
		it->slot[level]++;
		descend_first(it, level);
	}
	entry_get(it->node[0], it->slot[0]++, e);
	return true;
}

bool rt_iter_prev(struct rt_iter *it, struct rt_entry *e)
{
	if (!it->levels)
		return false;
	if (unlikely(!it->slot[0])) {
		unsigned int level = 1;

		while (level < it->levels && !it->slot[level])
			level++;
		if (level == it->levels)
			return false;
		it->slot[level]--;
		descend_last(it, level);
	}
	entry_get(it->node[0], --it->slot[0], e);
	return true;
}
