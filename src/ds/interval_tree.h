/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Closed intervals [first, last] of numbers, that may overlap one another and be equal: which of
 * them meet a given one?  Nodes lie inside of objects; nothing is allocated, and nothing can fail.
 *
 * Intervals are in order of their first number, and of those that are equal in it the one that
 * came later is behind.  To find the next that meets a given one takes O(log n), expected.
 *
 * There is no lock in here: whoever owns the tree says which one it is, shared for looking,
 * exclusive for changing.  The essay is in interval_tree.c.
 */
#ifndef DS_INTERVAL_TREE_H
#define DS_INTERVAL_TREE_H

#include "base/bits.h"
#include "base/compiler.h"

struct it_node {
	struct it_node *parent;		/* o */
	struct it_node *left, *right;	/* o */
	unsigned long first, last;	/* o	the caller's, before it is inserted */
	unsigned long max;		/* o	the largest `last` of it and of all below */
	u32 priority;			/* o	never larger than the parent's */
	bool inside;			/* o	of a tree */
};

struct it_tree {
	struct it_node *root;		/* o */
	unsigned long nr;		/* o */
	u32 dice;			/* o	where priorities come from; any number */
};

/* What is looked for. */
struct it_span {
	unsigned long first, last;
};

/* node->first and ->last are set, and it is in no tree. */
void it_insert(struct it_tree *tree, struct it_node *node);
void it_erase(struct it_tree *tree, struct it_node *node);

/* The first, or the last, that meets @span; NULL: none does. */
struct it_node *it_first(const struct it_tree *tree, struct it_span span);
struct it_node *it_last(const struct it_tree *tree, struct it_span span);
/* The next one behind @node, or before it, which need not meet @span itself. */
struct it_node *it_next(struct it_node *node, struct it_span span);
struct it_node *it_prev(struct it_node *node, struct it_span span);

static inline bool it_empty(const struct it_tree *tree)
{
	return !tree->root;
}

/* The least interval that has all of them in it; the tree is not empty. */
struct it_span it_extent(const struct it_tree *tree);

/* The walker: every invariant. */
bool it_check(const struct it_tree *tree);
/* Is @node in this tree?  Asked of all of its nodes, the whole tree is checked once. */
bool it_has(const struct it_tree *tree, const struct it_node *node);

#endif
