/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Changes of a range tree.
 *
 * Each goes the same way: find the place from the root down and note the path; make every node
 * of the path fresh (path_own); change the leaf; split or join where it got too full or too
 * empty; tell the nodes above what their children look like now.
 */
#include "ds/range_tree_pool.h"

/*
 * A node below MIN looks for a neighbour to join with, and finds one if JOIN places suffice for
 * both: the difference to the whole node keeps the next insert from splitting it again.
 */
#define LEAF_MIN		(RT_LEAF_SLOTS / 3)
#define LEAF_JOIN		(RT_LEAF_SLOTS - 3)
#define INNER_MIN		(RT_INNER_SLOTS / 3)
#define INNER_JOIN		(RT_INNER_SLOTS - 3)

/* So many inserts in a row at one place of a leaf are taken for a series. */
#define SERIES			3

/* Indexed by level.  slot[0] is the place in the leaf, slot[l] the child of node[l] to go to. */
struct rt_path {
	struct rt_node *node[RT_MAX_LEVELS];
	unsigned int slot[RT_MAX_LEVELS];
	unsigned int top;
};

static unsigned long first_start(const struct rt_node *node)
{
	return node->level ? node->inner.key[0] : node->leaf.start[0];
}

static unsigned long last_end(const struct rt_node *node)
{
	return node->level ? node->inner.last_end : node->leaf.slot[node->nr - 1].end;
}

static unsigned long largest_gap(const struct rt_node *node)
{
	unsigned long gap = 0;

	if (node->level) {
		for (unsigned int i = 0; i < node->nr; i++)
			gap = max(gap, node->inner.gap[i]);
	} else {
		for (unsigned int i = 1; i < node->nr; i++)
			gap = max(gap, node->leaf.start[i] - node->leaf.slot[i - 1].end);
	}
	return gap;
}

/* ------------------------------------------------------------------ what nodes know above -- */

static unsigned long gap_at(const struct rt_node *node, unsigned int i)
{
	const struct rt_node *child = node->inner.child[i];
	unsigned long gap = largest_gap(child);

	if (i + 1 < node->nr)
		gap = max(gap, node->inner.key[i + 1] - last_end(child));
	return gap;
}

/* Children from..to of @node, as far as there are any, are new or have changed. */
static void inner_refresh(struct rt_node *node, unsigned int from, unsigned int to)
{
	if (!node->nr)
		return;
	to = min(to, node->nr - 1u);
	from = min(from, to);
	for (unsigned int i = from; i <= to; i++)
		node->inner.key[i] = first_start(node->inner.child[i]);
	/* The gap to the child before is that one's. */
	for (unsigned int i = from ? from - 1 : 0; i <= to; i++)
		node->inner.gap[i] = gap_at(node, i);
	node->inner.last_end = last_end(node->inner.child[node->nr - 1]);
}

/* Child @i has changed.  False if nobody above can tell. */
static bool inner_update(struct rt_node *node, unsigned int i)
{
	struct rt_node *child = node->inner.child[i];
	unsigned long key = first_start(child), gap, end;
	bool changed = false;

	if (key != node->inner.key[i]) {
		node->inner.key[i] = key;
		if (i)
			node->inner.gap[i - 1] = gap_at(node, i - 1);
		changed = true;
	}
	gap = gap_at(node, i);
	if (gap != node->inner.gap[i]) {
		node->inner.gap[i] = gap;
		changed = true;
	}
	end = last_end(node->inner.child[node->nr - 1]);
	if (end != node->inner.last_end) {
		node->inner.last_end = end;
		changed = true;
	}
	return changed;
}

/* The path's node at @level has changed, and is still where it was. */
static void path_refresh(struct rt_path *p, unsigned int level)
{
	while (level < p->top) {
		level++;
		if (!inner_update(p->node[level], p->slot[level]))
			break;
	}
}

/* ------------------------------------------------------------------------------ paths -- */

/* To the last entry that starts at or below @addr: slot[0] is behind it, 0 if there is none. */
static void path_find(struct range_tree *t, struct rt_path *p, unsigned long addr)
{
	const unsigned long bound = rt_search_bound(addr);
	struct rt_node *node = t->work.root;

	p->top = node->level;
	while (node->level) {
		unsigned int slot = rt_inner_rank(node, bound);

		p->node[node->level] = node;
		p->slot[node->level] = slot;
		node = node->inner.child[slot];
	}
	p->node[0] = node;
	p->slot[0] = rt_leaf_rank(node, bound);
}

/* To the entry that starts at @start: slot[0] is its place. */
static void path_find_start(struct range_tree *t, struct rt_path *p, unsigned long start)
{
	VM_BUG_ON(!t->work.root, "no entry starts at %lx: the tree is empty", start);
	path_find(t, p, start);
	VM_BUG_ON(!p->slot[0], "no entry starts at or below %lx", start);
	p->slot[0]--;
	VM_BUG_ON(p->node[0]->leaf.start[p->slot[0]] != start,
		  "no entry starts at %lx, the one before at %lx", start,
		  p->node[0]->leaf.start[p->slot[0]]);
}

/* Makes the nodes from the root down to @level the writer's own. */
static void path_own(struct range_tree *t, struct rt_path *p, unsigned int level)
{
	for (unsigned int l = p->top + 1; l-- > level; ) {
		struct rt_node *node = p->node[l];

		if (node->state == RT_NODE_FRESH)
			continue;
		node = rt_node_clone(t, node);
		p->node[l] = node;
		if (l == p->top)
			t->work.root = node;
		else
			p->node[l + 1]->inner.child[p->slot[l + 1]] = node;
	}
}

/* --------------------------------------------------------------------------- in a node -- */

/* Moves the places from..nr-1 to @to and following ones; used for both directions. */
static void leaf_move(struct rt_node *dst, unsigned int to, const struct rt_node *src,
		      unsigned int from)
{
	const unsigned int nr = src->nr - from;

	__builtin_memmove(&dst->leaf.start[to], &src->leaf.start[from],
			  nr * sizeof(dst->leaf.start[0]));
	__builtin_memmove(&dst->leaf.slot[to], &src->leaf.slot[from],
			  nr * sizeof(dst->leaf.slot[0]));
}

static void inner_move(struct rt_node *dst, unsigned int to, const struct rt_node *src,
		       unsigned int from)
{
	const unsigned int nr = src->nr - from;

	__builtin_memmove(&dst->inner.key[to], &src->inner.key[from],
			  nr * sizeof(dst->inner.key[0]));
	__builtin_memmove(&dst->inner.child[to], &src->inner.child[from],
			  nr * sizeof(dst->inner.child[0]));
	__builtin_memmove(&dst->inner.gap[to], &src->inner.gap[from],
			  nr * sizeof(dst->inner.gap[0]));
}

/* The search counts over all places: those behind the last hold RT_NO_KEY. */
static void leaf_set_nr(struct rt_node *leaf, unsigned int nr)
{
	leaf->nr = (u8)nr;
	for (unsigned int i = nr; i < RT_LEAF_SLOTS; i++)
		leaf->leaf.start[i] = RT_NO_KEY;
}

static void inner_set_nr(struct rt_node *node, unsigned int nr)
{
	node->nr = (u8)nr;
	for (unsigned int i = nr; i < RT_INNER_SLOTS; i++)
		node->inner.key[i] = RT_NO_KEY;
}

static void leaf_put(struct rt_node *leaf, unsigned int pos, const struct rt_entry *e)
{
	leaf->leaf.start[pos] = e->start;
	leaf->leaf.slot[pos] = (struct rt_slot){ .end = e->end, .item = e->item, .tag = e->tag };
}

static void leaf_add(struct rt_node *leaf, unsigned int pos, const struct rt_entry *e)
{
	leaf_move(leaf, pos + 1, leaf, pos);
	leaf_put(leaf, pos, e);
	leaf->nr++;
}

static void leaf_remove(struct rt_node *leaf, unsigned int pos, unsigned int nr)
{
	leaf_move(leaf, pos, leaf, pos + nr);
	leaf_set_nr(leaf, leaf->nr - nr);
}

static void inner_add(struct rt_node *node, unsigned int pos, struct rt_node *child)
{
	inner_move(node, pos + 1, node, pos);
	node->inner.child[pos] = child;
	node->nr++;
}

static void inner_remove(struct rt_node *node, unsigned int pos, unsigned int nr)
{
	inner_move(node, pos, node, pos + nr);
	inner_set_nr(node, node->nr - nr);
}

/* ----------------------------------------------------------------------------- growing -- */

/* A root above the old one and @right. */
static void grow_root(struct range_tree *t, struct rt_node *right)
{
	struct rt_node *left = t->work.root;
	struct rt_node *root = rt_node_take(t, left->level + 1u);

	VM_BUG_ON(root->level >= RT_MAX_LEVELS);
	root->inner.child[0] = left;
	root->inner.child[1] = right;
	inner_set_nr(root, 2);
	inner_refresh(root, 0, 1);
	t->work.root = root;
}

/* Halves the full @node and adds @child behind the one at @slot.  Returns the right half. */
static struct rt_node *inner_split(struct range_tree *t, struct rt_node *node, unsigned int slot,
				   struct rt_node *child)
{
	const unsigned int half = RT_INNER_SLOTS / 2;
	const unsigned int cut = slot < half ? half : half + 1;
	struct rt_node *right = rt_node_take(t, node->level);

	inner_move(right, 0, node, cut);
	inner_set_nr(right, node->nr - cut);
	inner_set_nr(node, cut);
	if (slot < cut)
		inner_add(node, slot + 1, child);
	else
		inner_add(right, slot + 1 - cut, child);
	if (slot >= cut) {
		inner_refresh(right, slot - cut, slot + 1 - cut);
		slot = cut;
	} else {
		right->inner.last_end = last_end(right->inner.child[right->nr - 1]);
	}
	inner_refresh(node, slot, slot + 1);
	/* What is now the last had a gap to the one behind it, which has moved away. */
	inner_refresh(node, node->nr - 1, node->nr - 1);
	return right;
}

/* @right has come to exist behind the path's node at @level, which has changed too. */
static void path_grown(struct range_tree *t, struct rt_path *p, unsigned int level,
		       struct rt_node *right)
{
	for (;;) {
		struct rt_node *node;
		unsigned int slot;

		if (level == p->top) {
			grow_root(t, right);
			return;
		}
		level++;
		node = p->node[level];
		slot = p->slot[level];
		if (node->nr < RT_INNER_SLOTS) {
			inner_add(node, slot + 1, right);
			inner_refresh(node, slot, slot + 1);
			path_refresh(p, level);
			return;
		}
		right = inner_split(t, node, slot, right);
	}
}

/*
 * Where to cut a full leaf into which something comes at @pos.  A series of inserts, each
 * below the one before (as Linux places areas, from the top down) or each above it, will go on
 * here; so the cut is made here, and leaves a full leaf behind in place of a half empty one.
 * Unless the smaller part would be what is left behind.
 */
static unsigned int leaf_cut(const struct rt_node *leaf, unsigned int pos)
{
	const unsigned int half = RT_LEAF_SLOTS / 2;

	if (leaf->run >= SERIES) {
		bool upward = pos > leaf->last_pos;

		if (upward ? pos >= RT_LEAF_SLOTS - half : pos <= half)
			return pos;
	}
	return pos < half ? half : half + 1;
}

static struct rt_node *leaf_split(struct range_tree *t, struct rt_node *leaf, unsigned int pos,
				  const struct rt_entry *e)
{
	const unsigned int cut = leaf_cut(leaf, pos);
	struct rt_node *right = rt_node_take(t, 0);

	leaf_move(right, 0, leaf, cut);
	leaf_set_nr(right, leaf->nr - cut);
	leaf_set_nr(leaf, cut);
	leaf->run = 0;
	if (cut && pos >= cut)
		leaf_add(right, pos - cut, e);
	else
		leaf_add(leaf, pos, e);
	return right;
}

static void leaf_note_insert(struct rt_node *leaf, unsigned int pos)
{
	if (pos == leaf->last_pos || pos == leaf->last_pos + 1u)
		leaf->run += leaf->run < SERIES;
	else
		leaf->run = 0;
	leaf->last_pos = (u8)pos;
}

/* In a debug build: no entry is where @e is to go. */
static void check_free(const struct range_tree *t, const struct rt_entry *e)
{
	struct rt_entry other;

	VM_BUG_ON(e->start >= e->end, "empty range [%lx, %lx)", e->start, e->end);
	VM_DEBUG_ON(rt_find_first(t, e->start, &other) && other.start < e->end,
		    "[%lx, %lx) runs into [%lx, %lx)", e->start, e->end, other.start, other.end);
}

/* In a debug build: the neighbours of the entry at @old_start leave room for @e. */
static void check_neighbours(const struct range_tree *t, unsigned long old_start,
			     const struct rt_entry *e)
{
	struct rt_entry old, other;

	VM_BUG_ON(e->start >= e->end, "empty range [%lx, %lx)", e->start, e->end);
	VM_DEBUG_ON(rt_find_prev(t, old_start, &other) && other.end > e->start,
		    "[%lx, %lx) runs into [%lx, %lx)", e->start, e->end, other.start, other.end);
	VM_DEBUG_ON(rt_find(t, old_start, &old) && rt_find_first(t, old.end, &other) &&
		    other.start < e->end,
		    "[%lx, %lx) runs into [%lx, %lx)", e->start, e->end, other.start, other.end);
}

static void first_leaf(struct range_tree *t, const struct rt_entry *e)
{
	struct rt_node *leaf = rt_node_take(t, 0);

	leaf_put(leaf, 0, e);
	leaf_set_nr(leaf, 1);
	t->work.root = leaf;
}

void rt_insert(struct range_tree *t, unsigned long start, unsigned long end, void *item,
	       unsigned long tag)
{
	const struct rt_entry e = { .start = start, .end = end, .item = item, .tag = tag };
	struct rt_node *leaf;
	struct rt_path p;

	check_free(t, &e);
	t->work.count++;
	if (!t->work.root) {
		first_leaf(t, &e);
		return;
	}
	path_find(t, &p, start);
	path_own(t, &p, 0);
	leaf = p.node[0];
	if (leaf->nr == RT_LEAF_SLOTS) {
		path_grown(t, &p, 0, leaf_split(t, leaf, p.slot[0], &e));
		return;
	}
	leaf_add(leaf, p.slot[0], &e);
	leaf_note_insert(leaf, p.slot[0]);
	path_refresh(&p, 0);
}

/* --------------------------------------------------------------------------- shrinking -- */

/* Moves all of @from, which is to the right of @to, into it. */
static void node_append(struct rt_node *to, struct rt_node *from)
{
	const unsigned int seam = to->nr;

	if (!to->level) {
		leaf_move(to, seam, from, 0);
		leaf_set_nr(to, seam + from->nr);
		return;
	}
	inner_move(to, seam, from, 0);
	inner_set_nr(to, seam + from->nr);
	inner_refresh(to, seam, seam);
}

/* The same, but @to is the one that stays on the right. */
static void node_prepend(struct rt_node *to, struct rt_node *from)
{
	const unsigned int seam = from->nr;

	if (!to->level) {
		leaf_move(to, seam, to, 0);
		leaf_move(to, 0, from, 0);
		leaf_set_nr(to, seam + to->nr);
		return;
	}
	inner_move(to, seam, to, 0);
	inner_move(to, 0, from, 0);
	inner_set_nr(to, seam + to->nr);
	inner_refresh(to, seam, seam);
}

/*
 * Joins child @slot of @parent, which is fresh and has become small, with a neighbour.  The
 * child takes in the neighbour and not the reverse, since it is fresh and so needs no copy.
 * False if there is no neighbour small enough.
 */
static bool join(struct range_tree *t, struct rt_node *parent, unsigned int slot)
{
	struct rt_node *node = parent->inner.child[slot];
	const unsigned int most = node->level ? INNER_JOIN : LEAF_JOIN;
	struct rt_node *other;

	if (slot + 1 < parent->nr) {
		other = parent->inner.child[slot + 1];
		if (node->nr + other->nr <= most) {
			node_append(node, other);
			inner_remove(parent, slot + 1, 1);
			inner_refresh(parent, slot, slot);
			rt_node_drop(t, other);
			return true;
		}
	}
	if (slot) {
		other = parent->inner.child[slot - 1];
		if (node->nr + other->nr <= most) {
			node_prepend(node, other);
			inner_remove(parent, slot - 1, 1);
			inner_refresh(parent, slot - 1, slot - 1);
			rt_node_drop(t, other);
			return true;
		}
	}
	return false;
}

static void shrink_root(struct range_tree *t)
{
	struct rt_node *root = t->work.root;

	if (!root->nr) {
		rt_node_drop(t, root);
		t->work.root = NULL;
		return;
	}
	while (root->level && root->nr == 1) {
		t->work.root = root->inner.child[0];
		rt_node_drop(t, root);
		root = t->work.root;
	}
}

/* The path's node at @level, which is fresh, has lost something, perhaps all it had. */
static void path_shrunk(struct range_tree *t, struct rt_path *p, unsigned int level)
{
	for (; level < p->top; level++) {
		struct rt_node *node = p->node[level];
		struct rt_node *parent = p->node[level + 1];
		const unsigned int slot = p->slot[level + 1];

		if (!node->nr) {
			inner_remove(parent, slot, 1);
			/* The one before has another neighbour now, or none. */
			inner_refresh(parent, slot, slot);
			rt_node_drop(t, node);
		} else if (node->nr >= (level ? INNER_MIN : LEAF_MIN) || !join(t, parent, slot)) {
			path_refresh(p, level);
			return;
		}
	}
	shrink_root(t);
}

void rt_erase(struct range_tree *t, unsigned long start)
{
	struct rt_path p;

	path_find_start(t, &p, start);
	path_own(t, &p, 0);
	leaf_remove(p.node[0], p.slot[0], 1);
	t->work.count--;
	path_shrunk(t, &p, 0);
}

/* Gives back @node and all below it.  As deep as the tree is high. */
static void drop_subtree(struct range_tree *t, struct rt_node *node)
{
	if (node->level) {
		for (unsigned int i = 0; i < node->nr; i++)
			drop_subtree(t, node->inner.child[i]);
	} else {
		t->work.count -= node->nr;
	}
	rt_node_drop(t, node);
}

/*
 * Makes the path lead to the first entry that starts at or above @start.  False if there is
 * none.
 */
static bool path_find_from(struct range_tree *t, struct rt_path *p, unsigned long start)
{
	unsigned int level = 0;

	if (!t->work.root)
		return false;
	path_find(t, p, start);
	if (p->slot[0] && p->node[0]->leaf.start[p->slot[0] - 1] == start) {
		p->slot[0]--;
		return true;
	}
	if (p->slot[0] < p->node[0]->nr)
		return true;
	do {
		if (++level > p->top)
			return false;
	} while (p->slot[level] + 1 == p->node[level]->nr);
	p->slot[level]++;
	while (level) {
		struct rt_node *node = p->node[level]->inner.child[p->slot[level]];

		level--;
		p->node[level] = node;
		p->slot[level] = 0;
	}
	return true;
}

/* Entries of the path's leaf, from its place on, that end at or below @end. */
static void erase_in_leaf(struct range_tree *t, struct rt_path *p, unsigned long end)
{
	const unsigned int pos = p->slot[0];
	struct rt_node *leaf = p->node[0];
	unsigned int nr = 1;

	while (pos + nr < leaf->nr && leaf->leaf.slot[pos + nr].end <= end)
		nr++;
	path_own(t, p, 0);
	leaf_remove(p->node[0], pos, nr);
	t->work.count -= nr;
	path_shrunk(t, p, 0);
}

/* Children of the path's node at @level, from its place on, that end at or below @end. */
static void erase_in_inner(struct range_tree *t, struct rt_path *p, unsigned int level,
			   unsigned long end)
{
	const unsigned int pos = p->slot[level];
	struct rt_node *node;
	unsigned int nr = 0;

	path_own(t, p, level);
	node = p->node[level];
	while (pos + nr < node->nr && last_end(node->inner.child[pos + nr]) <= end)
		drop_subtree(t, node->inner.child[pos + nr++]);
	inner_remove(node, pos, nr);
	inner_refresh(node, pos, pos);
	path_shrunk(t, p, level);
}

/*
 * Takes as much as one node allows in each round: from the first leaf the entries at its end,
 * from the node above it whole leaves, and so on up to the node that both ends have in common,
 * and down again on the other side.  Two nodes of each level, those on the way to the two ends
 * of the range, are all that is copied.
 */
void rt_erase_range(struct range_tree *t, unsigned long start, unsigned long end)
{
	struct rt_path p;

	while (path_find_from(t, &p, start)) {
		unsigned int level = 0;

		if (p.node[0]->leaf.slot[p.slot[0]].end > end)
			return;
		/* The highest node that begins with this entry and ends inside the range. */
		while (level <= p.top && !p.slot[level] && last_end(p.node[level]) <= end)
			level++;
		if (level > p.top) {
			drop_subtree(t, t->work.root);
			t->work.root = NULL;
		} else if (level) {
			erase_in_inner(t, &p, level, end);
		} else {
			erase_in_leaf(t, &p, end);
		}
	}
}

/* ---------------------------------------------------------------------------- changing -- */

void rt_update(struct range_tree *t, unsigned long old_start, unsigned long start,
	       unsigned long end, void *item, unsigned long tag)
{
	const struct rt_entry e = { .start = start, .end = end, .item = item, .tag = tag };
	struct rt_node *leaf;
	struct rt_path p;
	bool moved;

	check_neighbours(t, old_start, &e);
	path_find_start(t, &p, old_start);
	path_own(t, &p, 0);
	leaf = p.node[0];
	moved = old_start != start || leaf->leaf.slot[p.slot[0]].end != end;
	leaf_put(leaf, p.slot[0], &e);
	if (moved)
		path_refresh(&p, 0);
}
