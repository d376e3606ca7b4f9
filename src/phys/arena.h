/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Inside of the room: the arena, its free blocks (buddy.c) and its caches (cache.c).
 *
 * What guards a field: src/TAGS.  busy is the word by which a thread takes a slot.
 */
#ifndef PHYS_ARENA_H
#define PHYS_ARENA_H

#include "phys/phys.h"

/*
 * A slot keeps 2 MiB, so that what a thread gives back and takes again stays in its CPU's caches;
 * refills and spills move 32 frames.  In a small arena all slots keep a quarter of it at most, and
 * a batch is half of what a slot keeps: what a thread holds in a busy slot is missing to others.
 */
#define CACHE_SLOTS		16u		/* a power of two */
#define CACHE_FRAMES		512u		/* a power of two */
#define CACHE_MIN_FRAMES	2u
#define CACHE_BATCH_ORDER	5u

struct frame_cache {
	u32 busy;				/* a	1: somebody is in it */
	u32 nr;					/* s	and relaxed, for statistics */
	u32 first;				/* s	where the one is that was put first */
	struct page *frames[CACHE_FRAMES];	/* s	a ring; the last one goes first */
} __attribute__((aligned(2 * CACHELINE_BYTES)));

/* Free blocks of one order, by what is known of their bytes. */
enum block_content { BLOCK_DIRTY, BLOCK_ZERO, BLOCK_CONTENTS };

struct arena {
	struct port_arena window;		/* 1 */
	struct page *frames;			/* 1	== window.base: the struct of frame 0 */
	struct page *zero_page;			/* 1 */
	unsigned long first, end;		/* 1	frame numbers */
	u32 cache_frames;			/* 1	so many in a slot at most */
	u32 batch_order;			/* 1	of a refill or spill */
	struct port_fork_guard fork_guard;	/* 1	keeps the lock free in forked children */

	struct spinlock lock __cacheline_aligned; /* i	rank: arena */
	unsigned long fresh;			/* lock	from here on nobody has had a frame */
	unsigned long nr_free;			/* lock	the fresh ones too */
	unsigned long nr_withheld;		/* lock	of those, so many stay free */
	struct page *huge_zero;			/* lock	NULL: it has no users; they may read it */
	unsigned long huge_zero_users;		/* lock */
	struct list_head blocks[PAGE_MAX_ORDER + 1][BLOCK_CONTENTS]; /* lock */

	struct frame_cache caches[CACHE_SLOTS];	/* i */
};

/* ----------------------------------------------------------------------- buddy.c: blocks -- */

void buddy_init(struct arena *arena);

/*
 * A block of @order, as it is; NULL: none, or the limit is reached.  Its bytes preferably, and
 * PG_ZERO if, as wanted.
 */
struct page *buddy_take(struct arena *arena, unsigned int order, enum block_content want)
	__must_hold(&arena->lock);

/* The same of what has been in use before: NULL rather than something fresh. */
struct page *buddy_take_used(struct arena *arena, unsigned int order, enum block_content want)
	__must_hold(&arena->lock);

/* A free block of just this kind, for a moment: no limit counts.  NULL: there is none. */
struct page *buddy_borrow(struct arena *arena, unsigned int order, enum block_content content)
	__must_hold(&arena->lock);

/* Takes back a block, and joins it with its free neighbours. */
void buddy_put(struct arena *arena, struct page *page, unsigned int order,
	       enum block_content content) __must_hold(&arena->lock);

/* ----------------------------------------------------------------------- cache.c: frames -- */

struct page *cache_take(struct arena *arena, enum block_content want);
void cache_put(struct arena *arena, struct page *page);
/* Everything that is in a cache goes back to the blocks. */
void cache_drain(struct arena *arena);
unsigned long cache_nr_frames(const struct arena *arena);

/* A frame that lay in a block gets its number before anyone sees it alone. */
static inline void page_number(const struct arena *arena, struct page *page)
{
	/* Written once only: readers without a lock may meet a frame that comes again. */
	if (!page->pfn)
		page->pfn = (u32)(page - arena->frames);
}

static inline enum block_content page_content(const struct page *page)
{
	return page_flags(page) & PG_ZERO ? BLOCK_ZERO : BLOCK_DIRTY;
}

#endif
