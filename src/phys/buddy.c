/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Free blocks.
 *
 * A block of order n starts at a frame number that is a multiple of 2^n.  Its *buddy* is the other
 * half of the block of order n + 1 around it: the number with bit n turned.  Who needs a smaller
 * block than there is halves one; who frees a block whose buddy is free joins the two, and so on.
 *
 *	order 2   |       a       |
 *	order 1   |   b   |   c   |	b and c are buddies
 *	order 0   | d | e |
 *
 * Only the head of a free block has PG_FREE, with the block's order beside it, so one look at the
 * buddy's struct page decides.  A frame in a cache is not PG_FREE: it is in use, to us.
 *
 * What nobody has had yet is not in a list: its structs have not been touched, so a large arena
 * costs nothing.  Blocks of the highest order are added to the lists from there one by one.  No
 * buddy is across that border, since the border is a multiple of the largest block.  (At the
 * arena's end the last block may be a few smaller ones; the structs beyond them exist, and are 0.)
 *
 * A joined block is zero if both halves are.  Otherwise what was known of one half is forgotten; it
 * will be zeroed again, for nothing, when it is taken.
 */
#include "phys/arena.h"

void buddy_init(struct arena *arena)
	__context_unsafe("nobody else knows the arena yet")
{
	for (unsigned int order = 0; order <= PAGE_MAX_ORDER; order++)
		for (int content = 0; content < BLOCK_CONTENTS; content++)
			list_init(&arena->blocks[order][content]);
	arena->fresh = arena->first;
	arena->nr_free = arena->end - arena->first;
}

static void block_insert(struct arena *arena, struct page *page, unsigned int order,
			 enum block_content content) __must_hold(&arena->lock)
{
	page_number(arena, page);
	atomic_store_relaxed(&page->flags,
			     order | PG_FREE | (content == BLOCK_ZERO ? PG_ZERO : 0));
	list_add(&page->lru, &arena->blocks[order][content]);
}

static void block_remove(struct page *page)
{
	list_del(&page->lru);
	atomic_store_relaxed(&page->flags, page_flags(page) & PG_ZERO);
}

/* The next fresh block: one of the highest order, or the arena's ragged end in pieces. */
static bool grow(struct arena *arena) __must_hold(&arena->lock)
{
	unsigned long nr = min(BLOCK_FRAMES, arena->end - arena->fresh);
	bool grown = nr;

	while (nr) {
		unsigned int order = ilog2(nr);

		block_insert(arena, arena->frames + arena->fresh, order, BLOCK_ZERO);
		arena->fresh += BIT(order);
		nr -= BIT(order);
	}
	return grown;
}

/* The smallest block that is large enough; of several, one whose bytes are as wanted. */
static struct page *find(struct arena *arena, unsigned int *order, enum block_content want)
	__must_hold(&arena->lock)
{
	for (; *order <= PAGE_MAX_ORDER; ++*order) {
		struct list_head *lists = arena->blocks[*order];
		struct list_head *wanted = &lists[want], *other = &lists[!want];

		if (!list_empty(wanted))
			return list_first_entry(wanted, struct page, lru);
		if (!list_empty(other))
			return list_first_entry(other, struct page, lru);
	}
	return NULL;
}

struct page *buddy_borrow(struct arena *arena, unsigned int order, enum block_content content)
{
	struct list_head *blocks = &arena->blocks[order][content];
	struct page *page;

	if (list_empty(blocks))
		return NULL;
	page = list_first_entry(blocks, struct page, lru);
	block_remove(page);
	arena->nr_free -= BIT(order);
	return page;
}

static bool may_take(const struct arena *arena, unsigned int order) __must_hold(&arena->lock)
{
	return arena->nr_free >= arena->nr_withheld + BIT(order);
}

struct page *buddy_take_used(struct arena *arena, unsigned int order, enum block_content want)
{
	unsigned int have = order;
	struct page *page = may_take(arena, order) ? find(arena, &have, want) : NULL;

	if (!page)
		return NULL;
	block_remove(page);
	while (have > order) {
		have--;
		block_insert(arena, page + BIT(have), have, page_content(page));
	}
	arena->nr_free -= BIT(order);
	return page;
}

struct page *buddy_take(struct arena *arena, unsigned int order, enum block_content want)
{
	struct page *page;

	do
		page = buddy_take_used(arena, order, want);
	while (!page && may_take(arena, order) && grow(arena));
	return page;
}

/* The buddy's head if the buddy is a free block of the same size. */
static struct page *free_buddy(struct arena *arena, struct page *page, unsigned int order)
	__must_hold(&arena->lock)
{
	struct page *buddy = arena->frames + (page->pfn ^ BIT(order));

	if ((page_flags(buddy) & (PG_FREE | PG_ORDER_MASK)) != (PG_FREE | order))
		return NULL;
	return buddy;
}

void buddy_put(struct arena *arena, struct page *page, unsigned int order,
	       enum block_content content)
{
	arena->nr_free += BIT(order);
	while (order < PAGE_MAX_ORDER) {
		struct page *buddy = free_buddy(arena, page, order);

		if (!buddy)
			break;
		content = min(content, page_content(buddy));
		block_remove(buddy);
		atomic_store_relaxed(&buddy->flags, 0);
		atomic_store_relaxed(&page->flags, 0);
		page = min(page, buddy);
		order++;
	}
	block_insert(arena, page, order, content);
}
