/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * An ordered set of buffers: a treap, a search tree by (key, offset) that is a heap by a priority
 * drawn at random, and so about as deep as the logarithm of its size.  The nodes lie in the buffers:
 * nothing is allocated, nothing fails.
 */
#ifndef BINDER_TREE_H
#define BINDER_TREE_H

#include <stddef.h>
#include <stdint.h>

struct tree_node {
	struct tree_node *left, *right;
	unsigned long key, offset;
	uint64_t priority;
};

void tree_insert(struct tree_node **root, struct tree_node *node);
/* @node is in it. */
void tree_remove(struct tree_node **root, struct tree_node *node);
/* The first that is not before (key, offset), or NULL. */
struct tree_node *tree_from(struct tree_node *root, unsigned long key, unsigned long offset);

#endif
