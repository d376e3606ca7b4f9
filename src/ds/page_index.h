/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Page index: an unsigned long below 2^52 -> a pointer, for keys that lie in runs with gaps of any
 * size between them.  The pages of a file are kept so.
 *
 * One writer at a time, who holds a lock of the caller's; any number of readers beside it, who hold
 * nothing but the RCU read lock, and then take no lock, wait for nobody and write nothing.  What
 * they promise:
 *
 *	R1  An entry that is there during all of a pi_slot() or pi_find() is found.
 *	R2  What is found was there, with that key, at some moment during the call.
 *	R3  What its writer did before the insert is seen by whoever finds it.
 *
 * An entry may have marks, and pi_find() goes from one marked entry to the next in the time that it
 * takes to go down the tree, however many unmarked ones lie between.
 *
 * Inserting takes nodes, which are got before the lock is taken:
 *
 *	do {
 *		err = pi_prepare(pi, &stash, index);		may fail and sleep
 *		if (err)
 *			break;
 *		spin_lock(lock);
 *		err = pi_insert(pi, &stash, index, item);	-EAGAIN: others came between
 *		spin_unlock(lock);
 *	} while (err == -EAGAIN);
 *	pi_stash_empty(pi, &stash);
 *
 * How it works is told in page_index.c.
 */
#ifndef DS_PAGE_INDEX_H
#define DS_PAGE_INDEX_H

#include "base/atomic.h"
#include "base/bits.h"
#include "base/errno.h"
#include "port/port.h"

#define PI_INDEX_BITS	52u			/* a file of 2^63 bytes has 2^51 pages */
#define PI_BITS		6u			/* of the index, for each level */
#define PI_FANOUT	64u
#define PI_LEVELS	9u			/* DIV_ROUND_UP(PI_INDEX_BITS, PI_BITS) */

/* What an entry can be looked for by.  The marks have the meaning that the owner gives them. */
enum pi_mark { PI_PRESENT, PI_MARK_0, PI_MARK_1, PI_MARK_2, PI_MARKS };

/* What guards a field: src/TAGS.  The owner is who frees the node, once it cannot be found. */
struct pi_node {
	void *slots[PI_FANOUT];			/* r	nodes; at the bottom items */
	u64 marks[PI_MARKS];			/* r	relaxed: a bit for each slot */
	union {
		struct pi_node *parent;		/* w	NULL: it is the root */
		struct pi_node *next;		/* w	in a stash */
		struct pi_memory *memory;	/* o	where it goes after the grace period */
	};
	u32 shift;				/* 1	of the index; 0 at the bottom */
	u32 offset;				/* w	which slot of the parent it is in */
	struct port_rcu_head rcu;		/* o */
};

_Static_assert(sizeof(struct pi_node) <= 576, "seven nodes fit into a page");

/* Where nodes come from.  alloc(): zeroed, or NULL; free() is called in RCU callbacks, too. */
struct pi_memory {
	struct pi_node *(*alloc)(struct pi_memory *memory);		/* 1 */
	void (*free)(struct pi_memory *memory, struct pi_node *node);	/* 1 */
};

struct page_index {
	struct pi_node *root;			/* r	NULL: no entries */
	unsigned long nr;			/* r	relaxed: entries */
	struct pi_memory *memory;		/* 1 */
};

static inline void pi_init(struct page_index *pi, struct pi_memory *memory)
{
	*pi = (struct page_index){ .memory = memory };
}

/* ------------------------------------------ readers: RCU read lock, or the writer's lock -- */

/*
 * Where the item of @index is; NULL: there is no place for it.  The place stays until the end of
 * the read section, and holds NULL from when the entry is erased.
 */
static inline void *const *pi_slot(const struct page_index *pi, unsigned long index)
{
	/* (A): what a pointer leads to is complete. */
	struct pi_node *node = atomic_load_acquire(&pi->root);

	if (!node || index >> node->shift >= PI_FANOUT)
		return NULL;
	while (node->shift) {
		/* (A) */
		node = atomic_load_acquire(&node->slots[(index >> node->shift) % PI_FANOUT]);
		if (!node)
			return NULL;
	}
	return &node->slots[index % PI_FANOUT];
}

/* What @slot holds now. */
static inline void *pi_slot_item(void *const *slot)
{
	return atomic_load_acquire(slot);	/* (A) */
}

/* The item of @index; NULL: none. */
static inline void *pi_load(const struct page_index *pi, unsigned long index)
{
	void *const *slot = pi_slot(pi, index);

	return slot ? pi_slot_item(slot) : NULL;
}

/*
 * The first item at *@index or behind it that has @mark (PI_PRESENT: any), and its index.  NULL:
 * there is none, and *@index is as it was.
 */
void *pi_find(const struct page_index *pi, unsigned long *index, enum pi_mark mark);

/* Does the entry at @index have the mark?  False, too, if there is none. */
bool pi_has_mark(const struct page_index *pi, unsigned long index, enum pi_mark mark);

/* Has any entry? */
static inline bool pi_any_mark(const struct page_index *pi, enum pi_mark mark)
{
	const struct pi_node *node = atomic_load_acquire(&pi->root);	/* (A) */

	return node && atomic_load_relaxed(&node->marks[mark]);
}

static inline unsigned long pi_count(const struct page_index *pi)
{
	return atomic_load_relaxed(&pi->nr);
}

/* --------------------------------------------------------- the writer, but for pi_prepare -- */

/* Nodes that are in no tree.  Starts as { 0 }. */
struct pi_stash {
	struct pi_node *first;
	unsigned int nr;
};

/*
 * Without the lock: fills @stash with what an insert at @index would need now.  0; -ENOMEM: the
 * stash has as many as could be had.
 */
int pi_prepare(const struct page_index *pi, struct pi_stash *stash, unsigned long index)
	__must_check;
void pi_stash_empty(const struct page_index *pi, struct pi_stash *stash);

/*
 * 0; -EEXIST: there is one already; -EAGAIN: @stash has too few nodes, prepare again.  After an
 * error nothing has changed.  @item is not NULL.
 */
int pi_insert(struct page_index *pi, struct pi_stash *stash, unsigned long index, void *item)
	__must_check;

/* Another item in place of the one that is at @index; its marks stay. */
void pi_replace(struct page_index *pi, unsigned long index, void *item);

/* Returns what was there, or NULL.  Its marks are gone, too. */
void *pi_erase(struct page_index *pi, unsigned long index);

/*
 * Erases entries of [first, end) in order, as long as take() says so, which is called for each
 * while it is still there: a grace period for the item begins after this has returned.  Returns
 * where it stopped: the index of the entry that was refused, or @end.
 */
typedef bool pi_take_fn(void *arg, unsigned long index, void *item);
unsigned long pi_erase_range(struct page_index *pi, unsigned long first, unsigned long end,
			     pi_take_fn *take, void *arg);

/* Of an entry that exists; @mark is not PI_PRESENT.  Setting what is set changes nothing. */
void pi_set_mark(struct page_index *pi, unsigned long index, enum pi_mark mark);
void pi_clear_mark(struct page_index *pi, unsigned long index, enum pi_mark mark);

/*
 * The walker: every invariant.  True; or false and the first violation in @why, @why_bytes long.
 * The writer's lock, or nobody else about.
 */
bool pi_check(const struct page_index *pi, char *why, size_t why_bytes);

#endif
