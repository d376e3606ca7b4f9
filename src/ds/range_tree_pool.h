/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Where the nodes of a range tree come from and go to.  For the range_tree_*.c files only. */
#ifndef DS_RANGE_TREE_POOL_H
#define DS_RANGE_TREE_POOL_H

#include "ds/range_tree.h"

/*
 * Where one bag at a time waits for its grace period and comes back from it.  It outlives the
 * tree if it has to, so that rt_destroy() need not wait.
 */
enum rt_home_state {
	RT_HOME_EMPTY,			/* no bag; the tree's */
	RT_HOME_WAITING,		/* a bag waits; RCU's */
	RT_HOME_BACK,			/* its grace period is over; the tree's again */
	RT_HOME_ORPHAN,			/* a bag waits, the tree is gone: the callback frees all */
};

struct rt_home {
	struct port_rcu_head rcu;	/* o	while it waits RCU's, else the tree's */
	struct rt_node *bag, *bag_last;	/* o	first and last node; the same */
	u32 state;			/* a	enum rt_home_state */
};

/* A node of the pool, now fresh.  rt_reserve() has seen to it that there is one. */
struct rt_node *rt_node_take(struct range_tree *t, unsigned int level);

/* A fresh node with the contents of @old, which is retired. */
struct rt_node *rt_node_clone(struct range_tree *t, struct rt_node *old);

/* @node has left the working tree. */
void rt_node_drop(struct range_tree *t, struct rt_node *node);

/* Makes the pool hold @need nodes. */
int rt_pool_fill(struct range_tree *t, unsigned long need)	__may_sleep;

/* At a publish: readers that come now cannot reach the retired nodes.  Into the bag with them. */
void rt_pool_retire(struct range_tree *t);

/* At a publish: fresh nodes become published ones, dead ones go back to the pool. */
void rt_pool_settle(struct range_tree *t);

/* At an abort: all fresh nodes go back to the pool, the retired ones are retired no more. */
void rt_pool_recall(struct range_tree *t);

void rt_pool_unreserve(struct range_tree *t);
void rt_pool_trim(struct range_tree *t);

/* All that is not in the tree. */
void rt_pool_destroy(struct range_tree *t);

#endif
