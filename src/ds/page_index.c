/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Page index: a radix tree of 64-way nodes.
 *
 * Six bits of the index choose a slot on each level.  The tree is as high as its largest index
 * needs, and the root knows its own height, so a reader that has loaded the root knows how to go
 * on:
 *
 *	root    shift 6    [0] [1] [2] ... [63]		entry 130 = 2 * 64 + 2
 *	                    |       |
 *	leaves  shift 0   0..63  128..191		an empty leaf does not exist
 *
 * A file of one page to 256 KiB is one node; nine levels cover 2^52.  Sparse keys cost a path of
 * nodes each, dense ones 576 bytes for 64.
 *
 * Marks.  Each node has for each mark a word with a bit for each slot; in an inner node it says
 * that something below has the mark.  That there is an entry is the first of these marks, so a
 * search for the next entry and one for the next dirty one are the same code, and skip 64 slots
 * with one instruction.
 *
 * The tree grows at the top: a new root with the old one in slot 0.  It shrinks there, too, when
 * only slot 0 is left.  A node whose last entry goes is unlinked, and its parent if it was the last
 * there.  What has been unlinked keeps what it pointed to until its grace period is over, so
 * whoever is in it finds the way out: below an old root is still the tree.
 *
 * Ordering
 *  (A) A slot and the root are written by a release, after what they lead to is complete, and read
 *	by an acquire.  So R3.
 *  (B) Marks are relaxed.  A reader that takes a bit for set looks at the slot, which may be NULL
 *	by now: it goes on.  One that misses a bit misses an entry that was inserted during the
 *	call.
 *
 * Invariants, outside of a write section:
 *  1. A child's shift is its parent's less PI_BITS; its parent and offset lead back to it; the
 *     root's parent is NULL.
 *  2. PI_PRESENT has the bit of a slot if and only if the slot is not NULL.
 *  3. Another mark of an inner node has a bit if and only if the child has any; at the bottom, only
 *     where there is an entry.
 *  4. No node is empty, and a root that is no leaf has more than slot 0.
 *  5. nr is the number of entries.
 *
 * Failure.  Nodes are allocated by pi_prepare() only, without the lock; it counts what is missing
 * on the path.  Should others have removed nodes of the path until the lock is taken, the insert
 * says -EAGAIN and has changed nothing.  Erasing and marking need no memory.
 *
 * Rejected
 *  - An entry in the root pointer itself, for files of one page: a node less there, one more case
 *    everywhere.
 *  - Allocation for the worst case, 17 nodes, before each insert: nearly always none is needed.
 *  - Parents for readers to go up by: they change when the tree grows and shrinks.  A search keeps
 *    its way down in nine words.
 *  - Entries that span 2^n keys: a block of frames can be entered frame by frame.
 */
#include "ds/page_index.h"

static unsigned int slot_of(const struct pi_node *node, unsigned long index)
{
	return (index >> node->shift) % PI_FANOUT;
}

static u64 mark_bits(const struct pi_node *node, enum pi_mark mark)
{
	return atomic_load_relaxed(&node->marks[mark]);		/* (B) */
}

/* Levels that a tree needs for @index. */
static unsigned int levels_for(unsigned long index)
{
	return max(1u, DIV_ROUND_UP(fls64(index), PI_BITS));
}

/* ------------------------------------------------------------------------------- readers -- */

/* The way down: which node, and which of its slots. */
struct way {
	const struct pi_node *node[PI_LEVELS];
	unsigned int slot[PI_LEVELS];
};

/* @index, or the start of what is in @slot if that is further. */
static unsigned long advance(const struct pi_node *node, unsigned long index, unsigned int slot)
{
	if (slot_of(node, index) == slot)
		return index;
	return ALIGN_DOWN(index, BIT(node->shift + PI_BITS)) | (unsigned long)slot << node->shift;
}

void *pi_find(const struct page_index *pi, unsigned long *index, enum pi_mark mark)
{
	const struct pi_node *node = atomic_load_acquire(&pi->root);	/* (A) */
	unsigned long at = *index;
	unsigned int depth = 0, slot;
	struct way way;

	if (!node || at >> node->shift >= PI_FANOUT)
		return NULL;
	slot = slot_of(node, at);
	for (;;) {
		u64 bits = slot < PI_FANOUT ? mark_bits(node, mark) & ~0ull << slot : 0;
		void *below;

		if (!bits) {
			if (!depth--)
				return NULL;
			node = way.node[depth];
			slot = way.slot[depth] + 1;
			continue;
		}
		slot = ffs64(bits) - 1;
		at = advance(node, at, slot);
		below = atomic_load_acquire(&node->slots[slot]);	/* (A) */
		if (!below) {
			slot++;						/* (B) */
		} else if (!node->shift) {
			*index = at;
			return below;
		} else {
			way.node[depth] = node;
			way.slot[depth++] = slot;
			node = below;
			slot = slot_of(node, at);
		}
	}
}

/* The node at the bottom that @index belongs in; NULL: there is none. */
static struct pi_node *leaf_of(const struct page_index *pi, unsigned long index)
{
	void *const *slot = pi_slot(pi, index);

	if (!slot)
		return NULL;
	return container_of((void *)(slot - index % PI_FANOUT), struct pi_node, slots);
}

bool pi_has_mark(const struct page_index *pi, unsigned long index, enum pi_mark mark)
{
	const struct pi_node *leaf = leaf_of(pi, index);

	return leaf && mark_bits(leaf, mark) & BIT(slot_of(leaf, index));
}

/* --------------------------------------------------------------------------------- nodes -- */

/* How many nodes are missing for an entry at @index; the writer, or an RCU reader. */
static unsigned int nodes_missing(const struct page_index *pi, unsigned long index)
{
	const struct pi_node *node = atomic_load_acquire(&pi->root);	/* (A) */
	unsigned int want = levels_for(index), have;

	if (!node)
		return want;
	have = node->shift / PI_BITS + 1;
	/* New roots, and under the last of them a way of its own. */
	if (want > have)
		return want - have + want - 1;
	for (; node->shift; have--) {
		node = atomic_load_acquire(&node->slots[slot_of(node, index)]);	/* (A) */
		if (!node)
			return have - 1;
	}
	return 0;
}

int pi_prepare(const struct page_index *pi, struct pi_stash *stash, unsigned long index)
{
	unsigned int missing;

	port_rcu_read_lock();
	missing = nodes_missing(pi, index);
	port_rcu_read_unlock();
	while (stash->nr < missing) {
		struct pi_node *node = pi->memory->alloc(pi->memory);

		if (!node)
			return -ENOMEM;
		node->next = stash->first;
		stash->first = node;
		stash->nr++;
	}
	return 0;
}

static struct pi_node *stash_take(struct pi_stash *stash, unsigned int shift)
{
	struct pi_node *node = stash->first;

	stash->first = node->next;
	stash->nr--;
	node->parent = NULL;
	node->shift = shift;
	return node;
}

void pi_stash_empty(const struct page_index *pi, struct pi_stash *stash)
{
	while (stash->nr)
		pi->memory->free(pi->memory, stash_take(stash, 0));
}

static void node_free_rcu(struct port_rcu_head *head)
{
	struct pi_node *node = container_of(head, struct pi_node, rcu);

	node->memory->free(node->memory, node);
}

/* It cannot be found any more; readers may be in it. */
static void node_retire(const struct page_index *pi, struct pi_node *node)
{
	node->memory = pi->memory;
	port_call_rcu_shared(&node->rcu, node_free_rcu);
}

/* -------------------------------------------------------------------------------- insert -- */

static void set_bits(struct pi_node *node, enum pi_mark mark, u64 bits)
{
	atomic_store_relaxed(&node->marks[mark], mark_bits(node, mark) | bits);
}

static void link_node(struct pi_node *parent, unsigned int slot, struct pi_node *node)
{
	node->parent = parent;
	node->offset = slot;
	/* (A): it is empty, or the tree so far. */
	atomic_store_release(&parent->slots[slot], node);
}

/* A new root on top of the old one. */
static void grow(struct page_index *pi, struct pi_stash *stash)
{
	struct pi_node *old = pi->root;
	struct pi_node *root = stash_take(stash, old->shift + PI_BITS);

	for (unsigned int mark = 0; mark < PI_MARKS; mark++)
		root->marks[mark] = old->marks[mark] ? 1 : 0;
	link_node(root, 0, old);
	atomic_store_release(&pi->root, root);		/* (A) */
}

int pi_insert(struct page_index *pi, struct pi_stash *stash, unsigned long index, void *item)
{
	struct pi_node *node;

	VM_DEBUG_ON(index >> PI_INDEX_BITS || !item, "index %lx, item %p", index, item);
	if (pi_load(pi, index))
		return -EEXIST;
	if (nodes_missing(pi, index) > stash->nr)
		return -EAGAIN;
	if (!pi->root)
		/* (A): it is empty. */
		atomic_store_release(&pi->root,
				     stash_take(stash, (levels_for(index) - 1) * PI_BITS));
	while (index >> pi->root->shift >= PI_FANOUT)
		grow(pi, stash);
	for (node = pi->root; node->shift; node = node->slots[slot_of(node, index)]) {
		unsigned int slot = slot_of(node, index);

		if (!node->slots[slot])
			link_node(node, slot, stash_take(stash, node->shift - PI_BITS));
		set_bits(node, PI_PRESENT, BIT(slot));
	}
	atomic_store_release(&node->slots[index % PI_FANOUT], item);	/* (A) */
	set_bits(node, PI_PRESENT, BIT(index % PI_FANOUT));
	atomic_store_relaxed(&pi->nr, pi->nr + 1);
	return 0;
}

/* --------------------------------------------------------------------------------- marks -- */

void pi_set_mark(struct page_index *pi, unsigned long index, enum pi_mark mark)
{
	struct pi_node *node = leaf_of(pi, index);

	VM_BUG_ON(!node || !node->slots[index % PI_FANOUT] || mark == PI_PRESENT,
		  "mark %d of index %lx, where there is no entry", mark, index);
	for (; node && !(node->marks[mark] & BIT(slot_of(node, index))); node = node->parent)
		set_bits(node, mark, BIT(slot_of(node, index)));
}

/* Clears the bits of a node, and as far up as a word has become 0. */
static void clear_bits(struct pi_node *node, enum pi_mark mark, u64 bits)
{
	while (node) {
		if (!(node->marks[mark] & bits))
			return;
		atomic_store_relaxed(&node->marks[mark], node->marks[mark] & ~bits);
		if (node->marks[mark])
			return;
		bits = BIT(node->offset);
		node = node->parent;
	}
}

void pi_clear_mark(struct page_index *pi, unsigned long index, enum pi_mark mark)
{
	struct pi_node *node = leaf_of(pi, index);

	VM_BUG_ON(mark == PI_PRESENT, "index %lx: only an erase takes an entry away", index);
	if (node)
		clear_bits(node, mark, BIT(slot_of(node, index)));
}

/* --------------------------------------------------------------------------------- erase -- */

/* As long as all is below slot 0 of the root, that is the root. */
static void shrink(struct page_index *pi)
{
	struct pi_node *root = pi->root;

	while (root && root->shift && root->marks[PI_PRESENT] == 1) {
		struct pi_node *below = root->slots[0];

		below->parent = NULL;
		atomic_store_release(&pi->root, below);		/* (A) */
		node_retire(pi, root);
		root = below;
	}
}

/* Its last entry has gone. */
static void unlink_empty(struct page_index *pi, struct pi_node *node)
{
	while (node && !node->marks[PI_PRESENT]) {
		struct pi_node *parent = node->parent;
		/* Relaxed: NULL leads nowhere. */
		if (parent) {
			atomic_store_relaxed(&parent->slots[node->offset], NULL);
			atomic_store_relaxed(&parent->marks[PI_PRESENT],
					     parent->marks[PI_PRESENT] & ~BIT(node->offset));
		} else {
			atomic_store_relaxed(&pi->root, NULL);
		}
		node_retire(pi, node);
		node = parent;
	}
	shrink(pi);
}

/* Takes the entries of @bits out of a node at the bottom. */
static void leaf_erase(struct page_index *pi, struct pi_node *leaf, u64 bits)
{
	for (u64 rest = bits; rest; rest &= rest - 1)
		atomic_store_relaxed(&leaf->slots[ffs64(rest) - 1], NULL);
	for (unsigned int mark = PI_MARK_0; mark < PI_MARKS; mark++)
		clear_bits(leaf, mark, bits);
	atomic_store_relaxed(&leaf->marks[PI_PRESENT], leaf->marks[PI_PRESENT] & ~bits);
	atomic_store_relaxed(&pi->nr, pi->nr - popcount64(bits));
	unlink_empty(pi, leaf);
}

void pi_replace(struct page_index *pi, unsigned long index, void *item)
{
	struct pi_node *leaf = leaf_of(pi, index);

	VM_BUG_ON(!leaf || !leaf->slots[index % PI_FANOUT], "nothing is at %lu", index);
	atomic_store_release(&leaf->slots[index % PI_FANOUT], item);	/* (A) */
}

void *pi_erase(struct page_index *pi, unsigned long index)
{
	struct pi_node *leaf = leaf_of(pi, index);
	void *item = leaf ? leaf->slots[index % PI_FANOUT] : NULL;

	if (item)
		leaf_erase(pi, leaf, BIT(index % PI_FANOUT));
	return item;
}

unsigned long pi_erase_range(struct page_index *pi, unsigned long first, unsigned long end,
			     pi_take_fn *take, void *arg)
{
	unsigned long at = first;
	bool refused = false;

	while (!refused && pi_find(pi, &at, PI_PRESENT) && at < end) {
		struct pi_node *leaf = leaf_of(pi, at);
		unsigned long base = ALIGN_DOWN(at, PI_FANOUT);
		u64 rest = leaf->marks[PI_PRESENT] & ~0ull << at % PI_FANOUT;
		u64 taken = 0;

		for (; rest && !refused; rest &= rest - 1) {
			at = base + ffs64(rest) - 1;
			if (at >= end)
				break;
			refused = !take(arg, at, leaf->slots[at % PI_FANOUT]);
			if (!refused)
				taken |= BIT(at % PI_FANOUT);
		}
		if (taken)
			leaf_erase(pi, leaf, taken);
		if (!refused)
			at = base + PI_FANOUT;
	}
	return refused ? at : end;
}
