/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Range tree: one writer, readers that are never in its way.
 *
 * TERMS
 *
 *   entry	[start, end) with an item and a tag.  Entries do not overlap.
 *   node	512 bytes: a leaf with up to 15 entries, or an inner node with up to 19 children.
 *   version	a root and what can be reached from it.  There are two: the published one, which
 *		readers see, and the working one, which the writer changes.
 *   fresh	a node made since the last publish: in the working version only.
 *   retired	a node that has left the working version, and is still in the published one.
 *   bag	nodes retired by earlier publishes, of which no reader may know any more before
 *		they are used again.
 *
 * STRUCTURE
 *
 * A B+ tree, and a persistent one: a node that readers can reach is never changed.  The writer
 * copies it instead, and so must copy what points to it, up to the root:
 *
 *	    root      root'		insert into C, then publish: root', B' and C' are new; A and
 *	   /    \    /    |		D belong to both versions.  A reader who holds root sees the
 *	  A      B  A     B'		old one until it leaves its read section.
 *	        / \      /  |
 *	       C   D    C'  D
 *
 * A node copied once since the last publish is fresh and is then changed in place, so a write
 * section pays for each node once, however many changes it makes there.
 *
 * What is in the nodes is drawn in range_tree_node.h.  A lookup reads the keys of a node in one
 * go, counting those at or below the address: 15 to 19 comparisons that depend on nothing but
 * the node's address beat any branch that cannot be predicted.
 *
 * Inner nodes hold for each child the largest free range in it, where the one between a child
 * and the next of the same node counts as the former's.  The one between the last child and
 * what follows is known further up, in the node where the two ways part.
 *
 * INVARIANTS (checked by rt_check())
 *
 *   1. Entries are in ascending order, not empty and do not overlap.
 *   2. All leaves have level 0, and a child is one level below its parent.
 *   3. No node is empty; an inner root has two children at least.
 *   4. key[i] is the first start below child i, last_end the last end below the node; gap[i] is
 *	exactly as described above.
 *   5. Places behind the last used one hold RT_NO_KEY.
 *   6. Nodes of the published version are RT_NODE_PUBLISHED; what else is in the working
 *	version is RT_NODE_FRESH and on the fresh list.
 *   7. The counts of entries and of nodes by level are those of the tree.  Each node that the
 *	tree owns is in one place: in a version, fresh, free, in the bag or away with one.
 *   8. Nodes are away if and only if a bag waits for its grace period, or has come back from it.
 *
 * There is no minimum fill.  A node that gets small joins a neighbour if both fit into one with
 * room to spare, else it stays as it is.  Moving entries between neighbours would copy a second
 * node for every one that becomes small, and buy little.
 *
 * ORDERING
 *
 *   a. rt_publish() stores the root with release, after all nodes are written; readers load it
 *	with acquire.  They load nothing else that changes.
 *   b. Nodes are retired to RCU only after that store.  So a reader that comes after the start
 *	of the grace period cannot find them.
 *   c. Nodes are written again only after the grace period.
 *
 * A reader thus takes a number of steps bounded by the tree's height, whatever the writer does
 * or has stopped doing: it is wait-free.  It needs nothing from the writer, so it may be in a
 * signal handler on top of one.  A writer that vanishes in the midst (host fork) leaves the
 * published version as it was.
 *
 * FAILURE
 *
 * Only rt_reserve() fails, and before anything is changed.  Its bound, with k entries touched
 * and m inserted, for each level l with n(l) nodes:
 *
 *   copies	Each change is at one leaf and owns one path, so it copies at most one node a
 *		level; and a node that is in the tree now can be copied once: min(k + m, n(l)).
 *		Joining copies nothing, for the node that became small takes in the other one.
 *		rt_erase_range() makes fresh the paths to its two ends only, so it counts as two.
 *   splits	Of leaves, at most one for each insert: m.  An inner node that is split or joined
 *		has three places free at least, so it takes four new children to split it again:
 *		min(m, n(l) + m / 4).
 *   growth	The first leaf of an empty tree, which then lacks one split, or a new root: 1. A
 *		new root has two children: 18 splits below it make the next one, and each of these
 *		took 4 children to come about. So m inserts add a root, another if m is 18, and
 *		one for each factor 4 beyond. The new levels together get at most m / 8 nodes in
 *		this way, roots and what is split between them.
 *
 * WHAT WAS REJECTED
 *
 *   Changing nodes in place with a sequence count: readers retry, and a reader in a signal
 *   handler on top of the writer would do so for ever.
 *   Separate locks or counts in nodes: readers would write to shared lines.
 *   A minimum fill with borrowing; binary search in nodes; nodes of two sizes, each with a pool
 *   of its own: measured or reckoned slower.
 */
#include "base/bits.h"
#include "ds/range_tree_pool.h"

/* Beyond any memory; and sums of such numbers do not overflow. */
#define RESERVE_MAX		(1ul << 40)

void rt_init(struct range_tree *t)
{
	*t = (struct range_tree){ 0 };
}

/* As deep as the tree is high. */
static void free_subtree(struct rt_node *node)
{
	if (node->level)
		for (unsigned int i = 0; i < node->nr; i++)
			free_subtree(node->inner.child[i]);
	port_free(node, sizeof(*node));
}

void rt_destroy(struct range_tree *t)
{
	rt_abort(t);
	if (t->root)
		free_subtree(t->root);
	rt_pool_destroy(t);
	*t = (struct range_tree){ 0 };
}

/* How many levels @m inserts can add: see FAILURE. */
static unsigned int growth(unsigned long m)
{
	return m < 18 ? 1 : 2 + ilog2(m / 18) / 2;
}

int rt_reserve(struct range_tree *t, unsigned long nr_touched, unsigned long nr_inserted)
{
	const unsigned long m = nr_inserted, changes = nr_touched + nr_inserted;
	const struct rt_shape *work = &t->work;
	unsigned long need = 1 + m / 8 + m;

	VM_DEBUG_ON(port_rcu_read_ongoing(), "a grace period would not end");
	if (unlikely(nr_touched > RESERVE_MAX || m > RESERVE_MAX))
		return -ENOMEM;
	if (work->root) {
		if (unlikely(work->root->level + growth(m) >= RT_MAX_LEVELS))
			return -ENOMEM;
		need += min(changes, (unsigned long)work->nr_nodes[0]);
		for (unsigned int l = 1; l <= work->root->level; l++)
			need += min(changes, (unsigned long)work->nr_nodes[l]) +
				min(m, work->nr_nodes[l] + m / 4);
	}
	return rt_pool_fill(t, need);
}

void rt_publish(struct range_tree *t)
{
	if (!t->fresh && t->work.root == t->published.root)
		return;
	rt_pool_settle(t);
	/* Pairs with the acquire in rt_snapshot_rcu(). */
	atomic_store_release(&t->root, t->work.root);
	t->published = t->work;
	rt_pool_retire(t);
}

void rt_abort(struct range_tree *t)
{
	rt_pool_recall(t);
	t->work = t->published;
}

void rt_unreserve(struct range_tree *t)
{
	rt_pool_unreserve(t);
}

void rt_trim(struct range_tree *t)
{
	rt_pool_trim(t);
}

size_t rt_memory_bytes(const struct range_tree *t)
{
	return t->nr_owned * sizeof(struct rt_node) + (t->home ? sizeof(*t->home) : 0);
}
