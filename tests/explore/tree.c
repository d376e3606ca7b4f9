/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A walk of the range tree against nodes that are split, joined, freed and used again.  The tree
 * alone, as the lock that keeps writers apart is its user's.
 *
 * Entry i is [10 i, 10 i + 8) with item &items[i].
 */
#include "explore.h"
#include "ds/range_tree.h"
#include "sync/rcu.h"

#define MAX_ITEMS	400

static struct range_tree tree;
static char items[MAX_ITEMS];
static unsigned long nr_first;		/* entries at set-up; odd ones may go, and more may come */

static void insert(unsigned long i)
{
	rt_insert(&tree, 10 * i, 10 * i + 8, &items[i], i);
}

static void make(unsigned long nr)
{
	rt_init(&tree);
	nr_first = nr;
	for (unsigned long i = 0; i < nr; i++) {
		VT_CHECK(!rt_reserve(&tree, 0, 1));
		insert(i);
		/* So that few nodes are retired before the threads start. */
		if (i + 1 == nr)
			rt_publish(&tree);
	}
}

static void finish(void)
{
	char why[200];

	VT_CHECK(!rt_check(&tree, why, sizeof(why)), "%s", why);
	rt_destroy(&tree);
	port_rcu_barrier();
}

/* One version: entries in order, each what it was inserted as, even ones of set-up all there. */
static void check_walk(struct rt_snapshot version)
{
	unsigned long next_even = 0;
	struct rt_entry entry;
	struct rt_iter it;

	rt_iter_init(&it, version, 0);
	while (rt_iter_next(&it, &entry)) {
		unsigned long i = entry.start / 10;

		VT_CHECK(entry.item == &items[i] && entry.end == 10 * i + 8 && entry.tag == i);
		VT_CHECK(i <= next_even || next_even >= nr_first, "%lu is missing", next_even);
		if (i == next_even)
			next_even += 2;
	}
	VT_CHECK(next_even >= nr_first, "%lu is missing", next_even);
}

static void walker(void)
{
	rcu_read_lock();
	check_walk(rt_snapshot_rcu(&tree));
	rcu_read_unlock();
}

static void seeker(void)
{
	struct rt_entry entry;

	rcu_read_lock();
	VT_CHECK(rt_lookup_rcu(&tree, 4, &entry) && entry.item == &items[0]);
	VT_CHECK(!rt_lookup_rcu(&tree, 9, &entry));
	rcu_read_unlock();
}

/* A leaf is full: it is split, and a root grows above. */
static void setup_split(void)
{
	make(RT_LEAF_SLOTS);
}

static void split(void)
{
	if (!done(rt_reserve(&tree, 0, 1)))
		return;
	insert(RT_LEAF_SLOTS);
	rt_publish(&tree);
}

/* Two leaves that join when one more entry goes, and the root goes with it. */
static void setup_join(void)
{
	make(RT_LEAF_SLOTS + 1);
	for (unsigned long i = 3; i <= 13; i += 2) {
		VT_CHECK(!rt_reserve(&tree, 1, 0));
		rt_erase(&tree, 10 * i);
	}
	rt_publish(&tree);
}

static void join(void)
{
	if (!done(rt_reserve(&tree, 2, 0)))
		return;
	rt_erase(&tree, 10);
	rt_erase(&tree, 150);
	rt_publish(&tree);
}

/* More nodes than the pool has use for. */
static void setup_free(void)
{
	make(MAX_ITEMS);
	nr_first = 1;
}

static void erase_most(void)
{
	if (!done(rt_reserve(&tree, 2, 0)))
		return;
	rt_erase_range(&tree, 10, 10 * MAX_ITEMS);
	rt_publish(&tree);
}

/* Each publication retires a node, and each takes one. */
static void setup_few(void)
{
	make(4);
}

static void change(unsigned int times)
{
	while (times--) {
		if (!done(rt_reserve(&tree, 1, 0)))
			return;
		rt_update(&tree, 10, 10, 18, &items[1], 1);
		rt_publish(&tree);
	}
}

/* A bag goes and comes home. */
static void recycle(void)
{
	change(7);
}

/* One is out and the next is full: the writer waits. */
static void outrun(void)
{
	change(11);
}

#define TREE(var, what, text, first, writer)					\
	const struct vt_scenario var = {					\
		.name = what, .about = text, .setup = first, .finish = finish,	\
		.flags = VT_NO_MEMORY, .threads = { THREAD(walker), THREAD(writer) }, \
	}

TREE(tree_split, "tree-split", "a leaf is split, a root grows", setup_split, split);
TREE(tree_join, "tree-join", "leaves join, the root goes", setup_join, join);
TREE(tree_free, "tree-free", "nodes go to the heap after a grace period", setup_free, erase_most);
TREE(tree_recycle, "tree-recycle", "nodes are used again after a grace period", setup_few, recycle);
TREE(tree_wait, "tree-wait", "a writer that waits for its nodes", setup_few, outrun);

const struct vt_scenario tree_readers = {
	.name = "tree-readers", .about = "a walk and a search beside nodes that are used again",
	.setup = setup_few, .finish = finish, .flags = VT_NO_MEMORY,
	.threads = { THREAD(walker), THREAD(seeker), THREAD(recycle) },
};

/* A bag is out when the tree is destroyed; a section holds its grace period up. */
static void setup_orphan(void)
{
	make(4);
	change(5);
}

static void destroyer(void)
{
	rt_destroy(&tree);
}

static void bystander(void)
{
	rcu_read_lock();
	rcu_read_unlock();
}

static void finish_orphan(void)
{
	port_rcu_barrier();
}

const struct vt_scenario tree_orphan = {
	.name = "tree-orphan", .about = "rt_destroy() beside a bag that comes home",
	.setup = setup_orphan, .finish = finish_orphan,
	.threads = { THREAD(destroyer), THREAD(bystander) },
};
