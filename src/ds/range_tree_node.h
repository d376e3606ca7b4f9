/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The nodes of a range tree and the search inside one: what the inlined lookup needs.
 * For use by range_tree.h and the range_tree_*.c files only.
 *
 *	leaf	 start | start | ... | start	one line and a bit more: the search reads only this
 *		  end     end            end	and then one slot
 *		  item    item           item
 *		  tag     tag            tag
 *
 *	inner	  key  |  key  | ... |  key	first start below the child, exactly
 *		 child   child         child
 *		  gap     gap           gap	largest free range inside the child, or between it
 *						and the next child *of the same node*
 *
 * Places behind the last used one hold RT_NO_KEY, which is above every start.  So a search
 * counts over the whole array, with a fixed number of steps and no branch to mispredict.
 */
#ifndef DS_RANGE_TREE_NODE_H
#define DS_RANGE_TREE_NODE_H

#include "base/atomic.h"
#include "base/compiler.h"
#include "port/port.h"

/* What fits: with these two a node is 512 bytes, eight lines, and both kinds share one pool. */
#define RT_LEAF_SLOTS		15
#define RT_INNER_SLOTS		19
#define RT_NODE_BYTES		512

/* Levels of the highest tree.  With three children a node, which is pessimistic: 40 million. */
#define RT_MAX_LEVELS		16

/* A start is below its end, so none is this high. */
#define RT_NO_KEY		(~0ul)

enum rt_node_state {
	RT_NODE_PUBLISHED,		/* readers may be in it: only its link and rcu change */
	RT_NODE_FRESH,			/* made since the last publish: the writer's alone */
	RT_NODE_DEAD,			/* was fresh and is no longer in the tree */
};

struct rt_slot {
	unsigned long end;		/* o */
	void *item;			/* o */
	unsigned long tag;		/* o */
};

/*
 * What guards a field: src/TAGS.  The writer alone has a fresh node; one that is published nobody
 * writes, but for what is not r.
 */
struct rt_node {
	u8 level;			/* r	0: leaf */
	u8 nr;				/* r	used places, never 0 in a published node */
	u8 state;			/* w	enum rt_node_state */
	u8 last_pos;			/* w	leaf: where the last insert went */
	u8 run;				/* w	leaf: how many inserts in a row went there */
	union {
		struct {
			unsigned long start[RT_LEAF_SLOTS];		/* r */
			struct rt_slot slot[RT_LEAF_SLOTS];		/* r */
		} leaf;
		struct {
			unsigned long key[RT_INNER_SLOTS];		/* r */
			struct rt_node *child[RT_INNER_SLOTS];		/* r */
			unsigned long gap[RT_INNER_SLOTS];		/* r */
			unsigned long last_end;		/* r	of the last entry below */
		} inner;
	};
	struct rt_node *link;		/* o	free, fresh, retired, bag */
	struct port_rcu_head rcu;	/* o	first of a bag */
} __cacheline_aligned;

_Static_assert(sizeof(struct rt_node) == RT_NODE_BYTES, "a node is eight lines");

/*
 * The bound that a search for @addr compares with: a key is at or below addr if it is below
 * this.  RT_NO_KEY never is, also for the highest addr.
 */
static __always_inline unsigned long rt_search_bound(unsigned long addr)
{
	return addr + (addr != RT_NO_KEY);
}

/*
 * Keeps two sums apart.  A compiler that adds them into one makes each comparison wait for the
 * one before (clang does): as many cycles as there are keys.
 */
#define rt_keep_apart(sum)	__asm__("" : "+r"(sum))

/* Number of starts below @bound; 0 to nr. */
static __always_inline unsigned int rt_leaf_rank(const struct rt_node *node, unsigned long bound)
{
	const unsigned long *start = node->leaf.start;
	unsigned long even = 0, odd = 0;

#pragma GCC unroll 8
	for (unsigned int i = 0; i < RT_LEAF_SLOTS - 1; i += 2) {
		even += start[i] < bound;
		odd += start[i + 1] < bound;
	}
	even += start[RT_LEAF_SLOTS - 1] < bound;
	rt_keep_apart(odd);
	return (unsigned int)(even + odd);
}

/* The child to go to: the last whose key is below @bound, or the first if none is. */
static __always_inline unsigned int rt_inner_rank(const struct rt_node *node, unsigned long bound)
{
	const unsigned long *key = node->inner.key;
	unsigned long even = 0, odd = 0;

#pragma GCC unroll 16
	for (unsigned int i = 1; i < RT_INNER_SLOTS; i += 2) {
		even += key[i] < bound;
		odd += key[i + 1] < bound;
	}
	rt_keep_apart(odd);
	return (unsigned int)(even + odd);
}

/*
 * From this level of the root on, some 200,000 entries, most of a lookup is waiting for memory,
 * and another search is better: see rt_snap_find_tall().
 */
#define RT_TALL_LEVEL		5

_Static_assert(RT_LEAF_SLOTS % 2 == 1 && RT_INNER_SLOTS % 2 == 1, "the searches go in pairs");

#endif
