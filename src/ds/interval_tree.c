/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A binary search tree by the first number of each interval, which is also a heap by a random
 * priority (a treap), with the largest last number of each subtree noted at its root:
 *
 *			 [4, 9] max 20
 *			/             \
 *		[1, 20] max 20	    [6, 7] max 12
 *					   \
 *					  [8, 12] max 12
 *
 * Below a node whose max is less than what is looked for begins with, nothing meets it; right of
 * one whose first is greater than it ends with, neither.  So each step of a search goes down, or up
 * a path that it came by.
 *
 * The shape is that of a tree into which the nodes came in the order of their priorities.  These
 * come from the tree's own generator and not from what is stored, so no order of insertions makes
 * it deep: its expected depth is 1.4 log2 n, and twice that is hardly ever seen.  Nothing recurses.
 *
 * Invariants
 *  1. left->first <= node->first <= right->first, and so for all below.
 *  2. node->max is the largest of its own last and its children's max.
 *  3. No child has a higher priority than its parent.
 *
 * Rejected: a red-black tree, three times the code for the same bound; a sorted array, in which
 * the 10,000 mappings of a C library would be shifted for each program that begins.
 */
#include "base/bug.h"
#include "ds/interval_tree.h"

/* ------------------------------------------------------------------------------- change -- */

static void update_max(struct it_node *node)
{
	unsigned long most = node->last;

	if (node->left)
		most = max(most, node->left->max);
	if (node->right)
		most = max(most, node->right->max);
	node->max = most;
}

/* Puts @node, or nothing, where @old hangs. */
static void replace(struct it_tree *tree, struct it_node *old, struct it_node *node)
{
	struct it_node *parent = old->parent;

	if (!parent)
		tree->root = node;
	else if (parent->left == old)
		parent->left = node;
	else
		parent->right = node;
	if (node)
		node->parent = parent;
}

/* @node and its parent change places; the order stays. */
static void rotate_up(struct it_tree *tree, struct it_node *node)
{
	struct it_node *parent = node->parent, *moved;

	replace(tree, parent, node);
	if (parent->left == node) {
		moved = node->right;
		parent->left = moved;
		node->right = parent;
	} else {
		moved = node->left;
		parent->right = moved;
		node->left = parent;
	}
	if (moved)
		moved->parent = parent;
	parent->parent = node;
	update_max(parent);
	update_max(node);
}

/* Numbers without a pattern that a caller could follow: xorshift32. */
static u32 roll(struct it_tree *tree)
{
	u32 x = tree->dice ? tree->dice : 0x9e3779b9u;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	tree->dice = x;
	return x;
}

void it_insert(struct it_tree *tree, struct it_node *node)
{
	struct it_node **link = &tree->root, *parent = NULL;

	VM_DEBUG_ON(node->inside, "[%lx, %lx] is in a tree", node->first, node->last);
	VM_DEBUG_ON(node->first > node->last, "[%lx, %lx]", node->first, node->last);
	while (*link) {
		parent = *link;
		parent->max = max(parent->max, node->last);
		link = node->first < parent->first ? &parent->left : &parent->right;
	}
	node->parent = parent;
	node->left = node->right = NULL;
	node->max = node->last;
	node->priority = roll(tree);
	node->inside = true;
	*link = node;
	tree->nr++;
	while (node->parent && node->parent->priority < node->priority)
		rotate_up(tree, node);
}

void it_erase(struct it_tree *tree, struct it_node *node)
{
	struct it_node *parent;

	VM_DEBUG_ON(!node->inside, "[%lx, %lx] is in no tree", node->first, node->last);
	while (node->left && node->right)
		rotate_up(tree, node->left->priority < node->right->priority ? node->right :
									       node->left);
	replace(tree, node, node->left ? node->left : node->right);
	for (parent = node->parent; parent; parent = parent->parent)
		update_max(parent);
	node->inside = false;
	tree->nr--;
}

/* -------------------------------------------------------------------------------- look -- */

static bool meets(const struct it_node *node, struct it_span span)
{
	return node->first <= span.last && node->last >= span.first;
}

/* May something below it meet @span, as far as max says? */
static bool reaches(const struct it_node *node, struct it_span span)
{
	return node && node->max >= span.first;
}

/* The first one in the subtree at @node, which reaches. */
static struct it_node *first_below(struct it_node *node, struct it_span span)
{
	for (;;) {
		/* If it begins behind the span, so does all that is right of it. */
		while (reaches(node->left, span))
			node = node->left;
		if (node->first > span.last)
			return NULL;
		if (node->last >= span.first)
			return node;
		if (!reaches(node->right, span))
			return NULL;
		node = node->right;
	}
}

struct it_node *it_first(const struct it_tree *tree, struct it_span span)
{
	return reaches(tree->root, span) ? first_below(tree->root, span) : NULL;
}

/* The nearest above of which @node is on the left side, or NULL. */
static struct it_node *up_from_left(struct it_node *node)
{
	struct it_node *child;

	do {
		child = node;
		node = node->parent;
	} while (node && node->right == child);
	return node;
}

static struct it_node *up_from_right(struct it_node *node)
{
	struct it_node *child;

	do {
		child = node;
		node = node->parent;
	} while (node && node->left == child);
	return node;
}

struct it_node *it_next(struct it_node *node, struct it_span span)
{
	for (;;) {
		if (reaches(node->right, span))
			return first_below(node->right, span);
		node = up_from_left(node);
		if (!node || node->first > span.last)
			return NULL;
		if (meets(node, span))
			return node;
	}
}

/* As far to the right as something may meet @span; itself perhaps not. */
static struct it_node *rightmost(struct it_node *node, struct it_span span)
{
	while (node->first <= span.last && reaches(node->right, span))
		node = node->right;
	return node;
}

struct it_node *it_prev(struct it_node *node, struct it_span span)
{
	do {
		if (reaches(node->left, span))
			node = rightmost(node->left, span);
		else
			node = up_from_right(node);
	} while (node && !meets(node, span));
	return node;
}

struct it_node *it_last(const struct it_tree *tree, struct it_span span)
{
	struct it_node *node;

	if (!reaches(tree->root, span))
		return NULL;
	node = rightmost(tree->root, span);
	return meets(node, span) ? node : it_prev(node, span);
}

struct it_span it_extent(const struct it_tree *tree)
{
	const struct it_node *node = tree->root;

	while (node->left)
		node = node->left;
	return (struct it_span){ .first = node->first, .last = tree->root->max };
}

/* ------------------------------------------------------------------------------- walker -- */

static bool sound(const struct it_node *node)
{
	unsigned long most = node->last;

	if (!node->inside || node->first > node->last)
		return false;
	for (int side = 0; side < 2; side++) {
		const struct it_node *child = side ? node->right : node->left;

		if (!child)
			continue;
		if (child->parent != node || child->priority > node->priority)
			return false;
		most = max(most, child->max);
	}
	return node->max == most;
}

bool it_check(const struct it_tree *tree)
{
	const struct it_span all = { .first = 0, .last = ~0ul };
	const struct it_node *before = NULL;
	unsigned long nr = 0;

	if (tree->root && tree->root->parent)
		return false;
	for (struct it_node *node = it_first(tree, all); node; node = it_next(node, all)) {
		if (!sound(node) || (before && before->first > node->first))
			return false;
		before = node;
		nr++;
	}
	return nr == tree->nr;
}

bool it_has(const struct it_tree *tree, const struct it_node *node)
{
	if (!node->inside)
		return false;
	if (tree->root == node)
		return it_check(tree);
	for (; node->parent; node = node->parent)
		if (node->parent->left != node && node->parent->right != node)
			return false;
	return tree->root == node;
}
