/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <stdbool.h>

#include "tree.h"

static bool before(const struct tree_node *node, unsigned long key, unsigned long offset)
{
	return node->key < key || (node->key == key && node->offset < offset);
}

void tree_insert(struct tree_node **root, struct tree_node *node)
{
	struct tree_node **at = root, **left = &node->left, **right = &node->right, *rest;

	while (*at && (*at)->priority >= node->priority)
		at = before(*at, node->key, node->offset) ? &(*at)->right : &(*at)->left;
	/* What was here goes below the node: to its left or right, each by the way it lies. */
	for (rest = *at; rest;) {
		if (before(rest, node->key, node->offset)) {
			*left = rest;
			left = &rest->right;
			rest = rest->right;
		} else {
			*right = rest;
			right = &rest->left;
			rest = rest->left;
		}
	}
	*left = NULL;
	*right = NULL;
	*at = node;
}

void tree_remove(struct tree_node **root, struct tree_node *node)
{
	struct tree_node **at = root, *left = node->left, *right = node->right;

	while (*at != node)
		at = before(*at, node->key, node->offset) ? &(*at)->right : &(*at)->left;
	while (left && right) {
		if (left->priority > right->priority) {
			*at = left;
			at = &left->right;
			left = left->right;
		} else {
			*at = right;
			at = &right->left;
			right = right->left;
		}
	}
	*at = left ? left : right;
}

struct tree_node *tree_from(struct tree_node *root, unsigned long key, unsigned long offset)
{
	struct tree_node *best = NULL;

	while (root) {
		if (before(root, key, offset)) {
			root = root->right;
		} else {
			best = root;
			root = root->left;
		}
	}
	return best;
}
