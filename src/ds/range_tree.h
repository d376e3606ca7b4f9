/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Range tree: ranges of unsigned long that do not overlap, each with a pointer and a word.
 *
 * One writer at a time, who holds a lock of the caller's; any number of readers beside it, who
 * hold nothing but the RCU read lock.  Every change goes to the writer's own version of the
 * tree.  rt_publish() makes all changes since the last one visible to readers at once; until
 * then rt_abort() takes them back.  A reader that has loaded the root once (a snapshot) sees
 * one published version, whole, until it leaves its RCU read section.
 *
 * Readers take no lock, wait for nobody, allocate nothing and write nothing.  So the functions
 * named _rcu or rt_snap_, and the iterator on a snapshot, may run in a signal handler that
 * interrupted the writer, and in the child of a host fork() whose writer did not survive.
 *
 * A write section looks like this:
 *
 *	err = rt_reserve(t, 2, 1);	the only step that can fail, and the only one that sleeps
 *	if (err)
 *		return err;		nothing has changed
 *	rt_update(t, ...);
 *	rt_insert(t, ...);
 *	rt_publish(t);			or rt_abort(t)
 *
 * Units are the caller's: bytes, pages.  Ends are exclusive.  A range is never empty and its
 * end is at most ~0ul, so the address ~0ul is in no range.
 *
 * How it works is told in range_tree.c.
 */
#ifndef DS_RANGE_TREE_H
#define DS_RANGE_TREE_H

#include "base/errno.h"
#include "ds/range_tree_node.h"

struct rt_entry {
	unsigned long start;
	unsigned long end;
	void *item;
	unsigned long tag;
};

struct rt_range {
	unsigned long start;
	unsigned long end;
};

/* One version of the tree: what readers see, or what the writer sees. */
struct rt_shape {
	struct rt_node *root;			/* o	NULL: no entries */
	unsigned long count;			/* o	entries */
	u32 nr_nodes[RT_MAX_LEVELS];		/* o */
};

/* Nodes chained by their link. */
struct rt_chain {
	struct rt_node *first;			/* o */
	struct rt_node *last;			/* o */
	unsigned long nr;			/* o */
};

struct rt_home;

/* What guards a field: src/TAGS. */
struct range_tree {
	struct rt_node *root __cacheline_aligned;	/* r	NULL: no entries */

	struct rt_shape work __cacheline_aligned;	/* w	with changes since the publish */
	struct rt_shape published;			/* w	what rt_abort() goes back to */
	struct rt_node *fresh;			/* w	made since the publish */
	struct rt_chain retired;		/* w	replaced since the publish */
	struct rt_chain bag;			/* w	replaced before it; readers may be inside */
	struct rt_chain free;			/* w	the pool; ->last is not kept */
	struct rt_home *home;			/* w	where a bag comes back to; NULL at first */
	unsigned long nr_away;			/* w	nodes on their way there */
	unsigned long nr_owned;			/* w	nodes in this tree, its pool and its bags */
	unsigned long need;			/* w	what the last rt_reserve() asked for */
	u32 bag_nodes;				/* w	a bag of so many is full */
	s32 pressure;				/* w	above 0: too few; see range_tree_pool.c */
};

/* What a reader works with.  Valid in the RCU read section, or writer lock, it was taken in. */
struct rt_snapshot {
	const struct rt_node *root;
};

/* ----------------------------------------------------------------------------- life -- */

/* An empty tree.  Allocates nothing. */
void rt_init(struct range_tree *t);

/*
 * Frees everything; unpublished changes are dropped.  No reader and no writer may be left or
 * come.  Waits for nothing: nodes whose grace period is still running are freed at its end.
 */
void rt_destroy(struct range_tree *t);

/* -------------------------------------------------------- writer: prepare and finish -- */

/*
 * Makes sure that the changes up to the next rt_publish(), rt_abort() or rt_reserve() cannot
 * fail: rt_update() and rt_erase() of up to @nr_touched entries and rt_insert() of up to
 * @nr_inserted, anywhere in the tree, in any order.  An rt_erase_range() counts as two
 * touched, whatever it removes.  Changes of the same entry count each time.
 *
 * 0, or -ENOMEM: then nothing has changed and the tree is as usable as before, unpublished
 * changes included.  May sleep, may wait for a grace period: not in an RCU read section.
 */
int rt_reserve(struct range_tree *t, unsigned long nr_touched, unsigned long nr_inserted)
	__must_check __may_sleep;

/* Readers that load the root from now on see all changes made so far.  Cannot fail. */
void rt_publish(struct range_tree *t);

/* Drops all changes since the last rt_publish().  Readers notice nothing.  Cannot fail. */
void rt_abort(struct range_tree *t);

/*
 * After rt_publish() or rt_abort(): of what was reserved, and not used, up to 256 KB stay for the
 * next changes.
 */
void rt_unreserve(struct range_tree *t);

/*
 * Gives pooled memory back; a tree that is changed all day keeps 50 KB, beside busy
 * readers 1 MB, for the next changes.  The next rt_reserve() will have to allocate.
 */
void rt_trim(struct range_tree *t);

/* ------------------------------------------------------------------ writer: changes -- */
/* Each within what rt_reserve() was asked for; none can fail, none sleeps. */

/* The range must be free; start < end. */
void rt_insert(struct range_tree *t, unsigned long start, unsigned long end, void *item,
	       unsigned long tag);

/* Removes the entry that starts at @start, which must exist. */
void rt_erase(struct range_tree *t, unsigned long start);

/*
 * Removes all entries that lie wholly inside [start, end); those that stick out stay.  Whole
 * subtrees go at once: the cost is that of giving back their nodes.
 */
void rt_erase_range(struct range_tree *t, unsigned long start, unsigned long end);

/*
 * Changes the entry that starts at @old_start, which must exist, to these values.  The new
 * range may overlap the old one and must not touch any other entry.
 */
void rt_update(struct range_tree *t, unsigned long old_start, unsigned long start,
	       unsigned long end, void *item, unsigned long tag);

/* ---------------------------------------------------------------- writer: questions -- */
/* These see the unpublished changes.  True: *e is written; false: *e is untouched. */

/* The entry that contains @addr. */
bool rt_find(const struct range_tree *t, unsigned long addr, struct rt_entry *e);

/* The first entry that ends above @addr: it contains addr or follows it. */
bool rt_find_first(const struct range_tree *t, unsigned long addr, struct rt_entry *e);

/* The last entry that starts below @addr. */
bool rt_find_prev(const struct range_tree *t, unsigned long addr, struct rt_entry *e);

/* Number of entries. */
static inline unsigned long rt_count(const struct range_tree *t)
{
	return t->work.count;
}

/*
 * The highest, or lowest, free range that has at least @size inside [lo, hi).  *gap is all of
 * that free range that lies in [lo, hi).  False if there is none; size 0 counts as 1.
 * Logarithmic, whatever the number of ranges that are too small.
 */
bool rt_gap_last(const struct range_tree *t, unsigned long lo, unsigned long hi,
		 unsigned long size, struct rt_range *gap);
bool rt_gap_first(const struct range_tree *t, unsigned long lo, unsigned long hi,
		  unsigned long size, struct rt_range *gap);

/* Bytes allocated for the tree, its pool, and nodes that wait for readers to leave. */
size_t rt_memory_bytes(const struct range_tree *t);

/* The writer's version, for the iterator and the rt_snap_ functions.  Ends at any change. */
static inline struct rt_snapshot rt_working(const struct range_tree *t)
{
	return (struct rt_snapshot){ .root = t->work.root };
}

/* -------------------------------------------------------------------------- readers -- */

/* Needs the RCU read lock, and is good as long as that is held. */
static inline struct rt_snapshot rt_snapshot_rcu(const struct range_tree *t)
{
	/* Pairs with the release in rt_publish(): all nodes below are written. */
	return (struct rt_snapshot){ .root = atomic_load_acquire(&t->root) };
}

/* The entry of @leaf that contains @addr, if one does. */
static __always_inline bool rt_leaf_find(const struct rt_node *leaf, unsigned long addr,
					 unsigned long bound, struct rt_entry *e)
{
	const unsigned int rank = rt_leaf_rank(leaf, bound);
	const struct rt_slot *slot;

	if (unlikely(!rank))
		return false;
	slot = &leaf->leaf.slot[rank - 1];
	if (addr >= slot->end)
		return false;
	e->start = leaf->leaf.start[rank - 1];
	e->end = slot->end;
	e->item = slot->item;
	e->tag = slot->tag;
	return true;
}

/* rt_snap_find() for high trees. */
bool rt_snap_find_tall(struct rt_snapshot s, unsigned long addr, struct rt_entry *e);

/* The entry that contains @addr; inlined, since it is what the tree is for. */
static __always_inline bool rt_snap_find(struct rt_snapshot s, unsigned long addr,
					 struct rt_entry *e)
{
	const unsigned long bound = rt_search_bound(addr);
	const struct rt_node *node = s.root;

	if (unlikely(!node))
		return false;
	if (unlikely(node->level >= RT_TALL_LEVEL))
		return rt_snap_find_tall(s, addr, e);
	while (node->level)
		node = node->inner.child[rt_inner_rank(node, bound)];
	return rt_leaf_find(node, addr, bound, e);
}

/* Needs the RCU read lock; e->item is what the publisher promises for that long. */
static inline bool rt_lookup_rcu(const struct range_tree *t, unsigned long addr,
				 struct rt_entry *e)
{
	return rt_snap_find(rt_snapshot_rcu(t), addr, e);
}

/* As rt_find_first() and rt_find_prev(), in a snapshot. */
bool rt_snap_find_first(struct rt_snapshot s, unsigned long addr, struct rt_entry *e);
bool rt_snap_find_prev(struct rt_snapshot s, unsigned long addr, struct rt_entry *e);

/*
 * A position between two entries of a snapshot.  rt_iter_next() gives the entry behind it and
 * steps over it, rt_iter_prev() the one before it; false at the end, where the position stays.
 * A step costs O(1) on average.  About 150 bytes: it lives on the stack.
 */
struct rt_iter {
	const struct rt_node *node[RT_MAX_LEVELS];	/* from the leaf up; of one snapshot */
	u8 slot[RT_MAX_LEVELS];			/* in the leaf: entries before the position */
	u8 levels;				/* 0: the snapshot is empty */
};

/* rt_iter_next() gives the first entry that ends above @addr, rt_iter_prev() the last that
 * ends at or below it. */
void rt_iter_init(struct rt_iter *it, struct rt_snapshot s, unsigned long addr);
bool rt_iter_next(struct rt_iter *it, struct rt_entry *e);
bool rt_iter_prev(struct rt_iter *it, struct rt_entry *e);

/* ---------------------------------------------------------------------------- check -- */

/*
 * Walks both versions and the pool and checks every invariant that range_tree.c lists.  0, or
 * -EINVAL with a sentence in @why (cut to @why_bytes, which is at least 1).  Needs the writer's
 * lock.  Time and nothing else is proportional to the number of nodes.
 */
int rt_check(const struct range_tree *t, char *why, size_t why_bytes);

#endif
