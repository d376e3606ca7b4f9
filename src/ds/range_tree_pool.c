/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The life of a node.
 *
 *	heap -> free -> fresh -> published -> retired -> bag -> free
 *	                  |                                |  \-> home -> free
 *	                  \-> dead -> free                 \-> heap
 *
 * Each change of the tree makes some nodes and retires as many, so the pool and the bag pass
 * the same few nodes round.  What keeps them apart is a grace period, and there are three ways
 * to have one:
 *
 *   1. A full bag is sent off by port_call_rcu() and comes home when readers have left, which
 *	takes milliseconds.  Enough for anyone who changes the tree now and then.
 *   2. A writer who needs a node while one bag is out and the next is full has outrun that.  It
 *	waits for a grace period itself: below a microsecond if no reader is inside, 30 if one is
 *	on another CPU, milliseconds if one has lost its CPU.  The nodes it gets are still in this
 *	CPU's cache, unlike those of way 1.
 *   3. A bag that the pool has no use for, because the tree has shrunk, goes to the heap after
 *	its grace period.
 *
 * So what a tree keeps beside its live nodes is some three bags and what rt_reserve() was last
 * asked for; of that a little only, after rt_unreserve(): who changes thousands of entries reserves
 * for the worst, and may be the last for long.  How much a bag holds follows from what waiting
 * costs.  It starts with 4 nodes.  If waits turn out dear for each node that shares them, it
 * doubles: a writer who is alone settles at 64, one beside busy readers at 1,000 or so.  If waits
 * are cheap, or way 1 is enough, it halves.
 */
#include "base/errno.h"
#include "ds/range_tree_pool.h"

#define BAG_NODES_MIN		4
#define BAG_NODES_MAX		4096

/* What a pool keeps of a reserve.  More than that is a large call's, which can pay for it. */
#define RESERVE_KEPT		256u

/*
 * A wait is dear above, and cheap below, so many ns for each node that it brings back.  As long
 * as a bag is small beside the tree its memory does not matter, and less is dear.
 */
#define DEAR_NS			16
#define DEAR_NS_IN_LARGE	4
#define CHEAP_NS		1
#define LARGE_IN_BAGS		16

/* So many dear waits more than other ones change the size, and the reverse. */
#define BAG_PATIENCE		4

static void bag_wait(struct range_tree *t)				__may_sleep;
static int pool_grow(struct range_tree *t, unsigned long need)		__may_sleep;

static void chain_push(struct rt_chain *chain, struct rt_node *node)
{
	node->link = chain->first;
	if (!chain->first)
		chain->last = node;
	chain->first = node;
	chain->nr++;
}

/* Puts all of @from in front of @to. */
static void chain_splice(struct rt_chain *to, struct rt_chain *from)
{
	if (!from->first)
		return;
	from->last->link = to->first;
	if (!to->first)
		to->last = from->last;
	to->first = from->first;
	to->nr += from->nr;
	*from = (struct rt_chain){ 0 };
}

static void nodes_free(struct rt_node *node)
{
	while (node) {
		struct rt_node *next = node->link;

		port_free(node, sizeof(*node));
		node = next;
	}
}

/* ---------------------------------------------------------------- one node at a time -- */

struct rt_node *rt_node_take(struct range_tree *t, unsigned int level)
{
	struct rt_node *node = t->free.first;

	VM_BUG_ON(!node, "more changes than rt_reserve() was asked for: %lu nodes", t->need);
	t->free.first = node->link;
	t->free.nr--;
	if (t->free.first)
		__builtin_prefetch(t->free.first, 1);
	node->level = (u8)level;
	node->nr = 0;
	node->state = RT_NODE_FRESH;
	node->last_pos = 0;
	node->run = 0;
	node->link = t->fresh;
	t->fresh = node;
	t->work.nr_nodes[level]++;
	return node;
}

/*
 * All that readers see behind the first word.  An assignment would be a "rep movs", which takes
 * longer to start than these sixty moves take.
 */
static void copy_body(struct rt_node *to, const struct rt_node *from)
{
	typedef unsigned long pair __attribute__((vector_size(16), aligned(8), may_alias));
	const pair *src = (const pair *)&from->leaf;
	pair *dst = (pair *)&to->leaf;

#pragma GCC unroll 30
	for (unsigned int i = 0; i < sizeof(from->leaf) / sizeof(pair); i++)
		dst[i] = src[i];
}

_Static_assert(sizeof(((struct rt_node *)0)->leaf) % 16 == 0 &&
	       sizeof(((struct rt_node *)0)->leaf) >= sizeof(((struct rt_node *)0)->inner),
	       "copy_body() copies either kind");

struct rt_node *rt_node_clone(struct range_tree *t, struct rt_node *old)
{
	struct rt_node *node = rt_node_take(t, old->level);

	node->nr = old->nr;
	node->last_pos = old->last_pos;
	node->run = old->run;
	copy_body(node, old);
	rt_node_drop(t, old);
	return node;
}

void rt_node_drop(struct range_tree *t, struct rt_node *node)
{
	t->work.nr_nodes[node->level]--;
	if (node->state == RT_NODE_FRESH)
		node->state = RT_NODE_DEAD;
	else
		chain_push(&t->retired, node);
}

/* ------------------------------------------------------------------------------- bags -- */

static void bag_to_heap_rcu(struct port_rcu_head *head)
{
	nodes_free(container_of(head, struct rt_node, rcu));
}

static void bag_to_home_rcu(struct port_rcu_head *head)
{
	struct rt_home *home = container_of(head, struct rt_home, rcu);

	/* Release: pairs with bag_collect().  Acquire: pairs with rt_pool_destroy(). */
	if (atomic_xchg_acq_rel(&home->state, RT_HOME_BACK) != RT_HOME_ORPHAN)
		return;
	nodes_free(home->bag);
	port_free(home, sizeof(*home));
}

/* The chain in front of the pool.  Only its length matters there, so ->last is not kept. */
static void pool_add(struct range_tree *t, struct rt_node *first, struct rt_node *last,
		     unsigned long nr)
{
	last->link = t->free.first;
	t->free.first = first;
	t->free.nr += nr;
}

static void bag_collect(struct range_tree *t)
{
	struct rt_home *home = t->home;

	/* Pairs with the exchange in bag_to_home_rcu(): the grace period is over. */
	if (!t->nr_away || atomic_load_acquire(&home->state) != RT_HOME_BACK)
		return;
	atomic_store_relaxed(&home->state, RT_HOME_EMPTY);
	pool_add(t, home->bag, home->bag_last, t->nr_away);
	t->nr_away = 0;
}

static void bag_resize(struct range_tree *t, int pressure)
{
	t->pressure += pressure;
	if (t->pressure >= BAG_PATIENCE) {
		t->bag_nodes = min(2 * t->bag_nodes, (u32)BAG_NODES_MAX);
		t->pressure = 0;
	} else if (t->pressure <= -BAG_PATIENCE) {
		t->bag_nodes = max(t->bag_nodes / 2, (u32)BAG_NODES_MIN);
		t->pressure = 0;
	}
}

/* How many nodes the pool may hold before it gives back. */
static unsigned long pool_limit(const struct range_tree *t)
{
	return t->bag_nodes + t->need;
}

static void bag_send(struct range_tree *t)
{
	struct rt_chain bag = t->bag;

	if (t->free.nr + t->nr_away + bag.nr > pool_limit(t) + 2ul * t->bag_nodes) {
		t->nr_owned -= bag.nr;
		port_call_rcu(&bag.first->rcu, bag_to_heap_rcu);
	} else if (!t->nr_away && t->home) {
		t->home->bag = bag.first;
		t->home->bag_last = bag.last;
		t->nr_away = bag.nr;
		atomic_store_relaxed(&t->home->state, RT_HOME_WAITING);
		port_call_rcu(&t->home->rcu, bag_to_home_rcu);
		bag_resize(t, -1);
	} else {
		return;			/* full, and kept for way 2 */
	}
	t->bag = (struct rt_chain){ 0 };
}

static void pool_shrink(struct range_tree *t, unsigned long nr)
{
	while (t->free.nr > nr) {
		struct rt_node *node = t->free.first;

		t->free.first = node->link;
		t->free.nr--;
		t->nr_owned--;
		port_free(node, sizeof(*node));
	}
}

void rt_pool_retire(struct range_tree *t)
{
	chain_splice(&t->bag, &t->retired);
	if (t->bag.nr < t->bag_nodes)
		return;
	bag_collect(t);
	bag_send(t);
	pool_shrink(t, pool_limit(t));
}

/* Way 2.  The caller of rt_reserve() may sleep. */
static void bag_wait(struct range_tree *t)
{
	const unsigned long nr_nodes = t->nr_owned - t->free.nr - t->nr_away - t->bag.nr;
	const u64 start = port_now_ns();
	u64 ns, dear = DEAR_NS;

	if (nr_nodes > LARGE_IN_BAGS * t->bag_nodes)
		dear = DEAR_NS_IN_LARGE;
	port_synchronize_rcu();
	ns = port_now_ns() - start;
	if (ns > dear * t->bag.nr)
		bag_resize(t, 1);
	else if (ns < CHEAP_NS * t->bag.nr)
		bag_resize(t, -1);
	pool_add(t, t->bag.first, t->bag.last, t->bag.nr);
	t->bag = (struct rt_chain){ 0 };
}

static int pool_grow(struct range_tree *t, unsigned long need)
{
	while (t->free.nr < need) {
		struct rt_node *node = port_alloc(sizeof(*node));

		if (!node)
			return -ENOMEM;
		pool_add(t, node, node, 1);
		t->nr_owned++;
	}
	return 0;
}

int rt_pool_fill(struct range_tree *t, unsigned long need)
{
	t->need = need;
	if (likely(t->free.nr >= need))
		return 0;
	if (unlikely(!t->home)) {
		t->home = port_alloc(sizeof(*t->home));
		if (!t->home)
			return -ENOMEM;
	}
	if (!t->bag_nodes)
		t->bag_nodes = BAG_NODES_MIN;
	bag_collect(t);
	if (t->free.nr < need && t->bag.nr >= t->bag_nodes)
		bag_wait(t);
	return pool_grow(t, need);
}

/* ------------------------------------------------------------------ publish and abort -- */

void rt_pool_settle(struct range_tree *t)
{
	struct rt_node *node = t->fresh;

	t->fresh = NULL;
	while (node) {
		struct rt_node *next = node->link;

		if (node->state == RT_NODE_DEAD)
			pool_add(t, node, node, 1);
		else
			node->state = RT_NODE_PUBLISHED;
		node = next;
	}
}

void rt_pool_recall(struct range_tree *t)
{
	struct rt_node *node = t->fresh;

	t->fresh = NULL;
	while (node) {
		struct rt_node *next = node->link;

		pool_add(t, node, node, 1);
		node = next;
	}
	t->retired = (struct rt_chain){ 0 };
}

/* ------------------------------------------------------------------------ less memory -- */

void rt_pool_unreserve(struct range_tree *t)
{
	if (likely(t->need <= RESERVE_KEPT))
		return;
	t->need = RESERVE_KEPT;
	pool_shrink(t, pool_limit(t));
}

void rt_pool_trim(struct range_tree *t)
{
	t->need = 0;
	t->bag_nodes = BAG_NODES_MIN;
	t->pressure = 0;
	bag_collect(t);
	if (t->bag.first) {
		t->nr_owned -= t->bag.nr;
		port_call_rcu(&t->bag.first->rcu, bag_to_heap_rcu);
		t->bag = (struct rt_chain){ 0 };
	}
	pool_shrink(t, 0);
}

void rt_pool_destroy(struct range_tree *t)
{
	struct rt_home *home = t->home;

	nodes_free(t->bag.first);
	nodes_free(t->free.first);
	if (!home)
		return;
	/* Release: pairs with bag_to_home_rcu(), which then frees.  Acquire: if it came before. */
	switch (atomic_xchg_acq_rel(&home->state, RT_HOME_ORPHAN)) {
	case RT_HOME_WAITING:
		return;
	case RT_HOME_BACK:
		nodes_free(home->bag);
		break;
	}
	port_free(home, sizeof(*home));
}
