/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A page index whose nodes are of the heap, for tests. */
#ifndef TESTS_DS_PAGE_INDEX_HEAP_H
#define TESTS_DS_PAGE_INDEX_HEAP_H

#include "ds/page_index.h"

static long heap_live;			/* atomic: nodes */

static inline struct pi_node *heap_node_alloc(struct pi_memory *memory)
{
	struct pi_node *node = port_alloc(sizeof(*node));

	if (node)
		atomic_add_relaxed(&heap_live, 1);
	return node;
}

static inline void heap_node_free(struct pi_memory *memory, struct pi_node *node)
{
	atomic_sub_relaxed(&heap_live, 1);
	port_free(node, sizeof(*node));
}

static struct pi_memory heap_nodes = { .alloc = heap_node_alloc, .free = heap_node_free };

/* One thread, so nobody comes between: 0; -EEXIST; -ENOMEM. */
static inline int heap_insert(struct page_index *pi, unsigned long index, void *item)
{
	struct pi_stash stash = { 0 };
	int err = pi_prepare(pi, &stash, index);

	if (!err)
		err = pi_insert(pi, &stash, index, item);
	pi_stash_empty(pi, &stash);
	return err;
}

#endif
