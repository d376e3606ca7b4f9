/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Frames: the memory behind areas.
 *
 * A *frame* is 4096 bytes of an arena, and has a number (pfn), a struct page and an address here;
 * each of the three gives the others in a few instructions.  A *block* is 2^order frames, side by
 * side and aligned to their size, that are allocated and freed as one; its first frame is the
 * *head*, which has the count of references, the others are *tails*.
 *
 * The essay is in page_alloc.c.
 */
#ifndef PHYS_PHYS_H
#define PHYS_PHYS_H

#include "base/atomic.h"
#include "base/bits.h"
#include "base/list.h"
#include "port/port.h"
#include "sync/spinlock.h"

#define PAGE_MAX_ORDER		9u		/* 2 MiB */
#define BLOCK_FRAMES		BIT(PAGE_MAX_ORDER)

/*
 * What guards a field: src/TAGS.  The owner of a frame is who allocated it, until somebody else can
 * find it; of one with a table, pgtable/; in a list, the arena's lock while free, the lru lock
 * later.  Written once is before the frame is handed out for the first time.
 * To the analysis of locks a page is its page lock.
 */
context_lock_struct(page) {
	u32 refs;				/* a	0: free, or a tail */
	s32 mapcount;				/* a	entries that map this frame alone */
	u32 flags;				/* a	order in the low bits, then PG_* */
	u32 pfn;				/* 1 */
	union {
		void *mapping;			/* o/a	it is a page of that; a: PG_ANON, a file */
		struct page *next;		/* o	chains of tables */
		u32 *live;			/* 1	a loose page: its instance's count */
	};
	unsigned long index;			/* o	which page of that */
	union {
		struct list_head lru;		/* o */
		struct port_rcu_head rcu;	/* o	on its way to be freed */
		u64 used_lines;			/* a	of a linked table: see pgtable/table.h */
	};
	union {
		unsigned long private;		/* o */
		s32 nr_leaves;			/* a	the first tail: leaves that map its block */
		void *bytes;			/* 1	a loose page: its memory */
		struct arena *arena;		/* 1	frame 0: whose frames these are */
		struct spinlock table_lock;	/* i	the entries of a PMD or PTE table */
	};
} __cacheline_aligned;

/* In a debug build the lock checker's label is in the lock. */
_Static_assert(sizeof(struct page) == (VMAREA_DEBUG ? 2 : 1) * CACHELINE_BYTES,
	       "a frame costs one cache line");

#define PG_ORDER_MASK		0xfu
#define PG_FREE			BIT(4)		/* head of a free block */
#define PG_TAIL			BIT(5)		/* not the first of its block */
#define PG_ZERO			BIT(6)		/* free, and every byte is known to be 0 */
#define PG_LOOSE		BIT(7)		/* of no arena: see page_alloc_loose() */
#define PG_TABLE		BIT(8)		/* a page table; index is its level */
#define PG_ANON			BIT(9)		/* counted as anonymous where it is mapped */
#define PG_SHMEM		BIT(10)		/* counted as shared memory */
#define PG_LOCKED		BIT(11)		/* page_lock.h */
#define PG_WAITED_FOR		BIT(12)		/* and somebody sleeps for it */
#define PG_TOUCHED		BIT(13)		/* used, if not by way of an entry: reclaim/ */
#define PG_CHANCE		BIT(14)		/* was found used once, when it was looked at */
#define PG_ACTIVE		BIT(15)		/* and once more */
#define PG_FIRST_FREE_BIT	16		/* from here on: the rooms above */

/* ---------------------------------------------------------------------------- the arena -- */

struct arena;

/* In frames.  A snapshot: while others allocate, the three parts need not add up. */
struct arena_stats {
	unsigned long total;
	unsigned long free;			/* in no cache */
	unsigned long cached;			/* free, and kept near a thread */
	unsigned long fresh;			/* of free: never handed out since the creation */
	unsigned long free_blocks[PAGE_MAX_ORDER + 1];	/* by order, without the fresh ones */
};

/*
 * @bytes of frames, a multiple of the page size, at most ARENA_MAX_BYTES.  Nothing of it is the
 * host's memory yet.  0; -EINVAL: @bytes; -ENOMEM: the host refuses.
 */
#define ARENA_MAX_BYTES		BIT(43)
int arena_create(unsigned long bytes, struct arena **out)	__may_sleep __must_check;

/* All frames must have been freed, those given to RCU too (port_rcu_barrier()). */
void arena_destroy(struct arena *arena)				__may_sleep;

/* The window, for who maps the same frames elsewhere: pfn n is at byte n * PAGE_SIZE of it. */
const struct port_arena *arena_window(const struct arena *arena);

/* The frame that stands for zeros wherever nobody has written.  Never freed; not to be written. */
struct page *arena_zero_page(const struct arena *arena);

/*
 * The same as a block of 2 MiB.  It is made when the first asks for it, and goes when all who did
 * have given it back.  NULL: there is no such block.
 */
struct page *arena_huge_zero_get(struct arena *arena)		__must_check;
void arena_huge_zero_put(struct arena *arena);
/* Is it that?  Of a frame that the caller has got so, or an entry of who has. */
bool arena_is_huge_zero(const struct arena *arena, unsigned long pfn);

void arena_get_stats(struct arena *arena, struct arena_stats *stats);
/* Of these, total, and free and cached together: without going through lists. */
unsigned long arena_nr_frames(const struct arena *arena);
unsigned long arena_nr_free(struct arena *arena);

/*
 * At most so many frames are handed out, be there more or not: page_alloc() is as if the arena were
 * so large.  Who has more has them still.  The zero page counts, and what caches keep.
 */
void arena_set_limit(struct arena *arena, unsigned long frames);
unsigned long arena_limit(struct arena *arena);
/* What lies in caches goes back: no limit counts for who takes a frame from there. */
void arena_collect(struct arena *arena);

/* The numbers of all frames that anybody has had. */
struct arena_span {
	unsigned long first, end;
};
struct arena_span arena_used_span(struct arena *arena);

/*
 * Gives the memory of free frames back to the host, from blocks of 64 KiB on.  Returns how many
 * frames.  Meanwhile the block it works on is not free.
 */
unsigned long arena_trim(struct arena *arena)			__may_sleep;

/* ------------------------------------------------------------------------ taking, giving -- */

/* What the bytes of a new frame are. */
enum page_fill { PAGE_ANYTHING, PAGE_ZEROED };

/*
 * A block of 2^@order frames, with one reference.  NULL: there is none so large, nothing changed.
 * Waits for nobody but the arena's lock.  In a debug build each call is a place for an injected
 * failure.
 */
struct page *page_alloc(struct arena *arena, unsigned int order, enum page_fill fill) __must_check;

/* Zeroed frames in a row, the first a multiple of 2^@order.  Each is a page with one reference. */
struct page *page_alloc_row(struct arena *arena, unsigned int order) __must_check;

/* A driver's page where there is no arena: the host's ordinary memory, counted in @live. */
struct page *page_alloc_loose(u32 *live)			__may_sleep __must_check;

/*
 * Makes a block into 2^order frames, one reference each, if @refs are all its references and are
 * the caller's; else false.  Meanwhile nobody gets a reference.  The frames have the flags that
 * they had as tails, the head's mapping, and its index counted up.
 */
bool page_try_split(struct page *head, u32 refs);

/* The last reference but those of put: frees.  A put orders what its holder did before the free. */
void page_free_last(struct page *head);
void __cold page_count_bug(const struct page *page);

/* ------------------------------------------------------------------------------- lookups -- */

static inline u32 page_flags(const struct page *page)
{
	return atomic_load_relaxed(&page->flags);
}

static inline unsigned int page_order(const struct page *page)
{
	return page_flags(page) & PG_ORDER_MASK;
}

/* Of a tail, its head; else the page itself.  The page may be freed meanwhile: look again. */
static inline struct page *page_head(struct page *page)
{
	u32 flags = page_flags(page);

	if (likely(!(flags & PG_TAIL)))
		return page;
	return page - (page->pfn & (BIT(flags & PG_ORDER_MASK) - 1));
}

static inline unsigned long page_pfn(const struct page *page)
{
	return page->pfn;
}

/* The structs of all frames lie at the start of the window, from that of frame 0 on. */
static inline struct page *page_zeroth(const struct page *page)
{
	return (struct page *)page - page->pfn;
}

static inline struct arena *page_arena(const struct page *page)
{
	return page_zeroth(page)->arena;
}

/* The first of its bytes; of a loose page, too. */
static inline void *page_bytes(const struct page *page)
{
	if (unlikely(page_flags(page) & PG_LOOSE))
		return page->bytes;
	return (char *)page_zeroth(page) + ((unsigned long)page->pfn << PAGE_SHIFT);
}

/* What a lookup by number needs, for who keeps it at hand. */
static inline struct page *arena_frames(const struct arena *arena)
{
	return arena_window(arena)->base;
}

static inline struct page *pfn_page(struct page *frames, unsigned long pfn)
{
	return frames + pfn;
}

static inline void *pfn_bytes(struct page *frames, unsigned long pfn)
{
	return (char *)frames + (pfn << PAGE_SHIFT);
}

/* -------------------------------------------------------------------------------- counts -- */

/*
 * An entry is a reference, and a pin many; whoever has the memory for tables can make them without
 * end.  Here it is: half of what a count can hold, so that as many threads as there may be, which
 * all find room for one more, do not get past that.
 */
#define PAGE_MOST_REFS	(1u << 30)

/* Must there be no more entries and pins?  To take other pages back does not help. */
static inline bool page_is_full(const struct page *head)
{
	return unlikely(atomic_load_relaxed(&head->refs) >= PAGE_MOST_REFS);
}

/* One more, or @nr more, for who has one already.  @head is no tail. */
static inline void page_get_many(struct page *head, u32 nr)
{
	u32 before = atomic_add_relaxed(&head->refs, nr);

	if (unlikely(!before || before > INT32_MAX))
		page_count_bug(head);
}

static inline void page_get(struct page *head)
{
	page_get_many(head, 1);
}

/*
 * For who found the page without a lock: false if it is free.  Whoever succeeds must look again
 * whether it is still the page that was meant; it may have been freed and allocated in between.
 */
static inline bool page_try_get(struct page *head)
{
	u32 refs = atomic_load_relaxed(&head->refs);

	do {
		if (!refs)
			return false;
		/* Orders the second look after it, and pairs with the release in page_ready(). */
	} while (!atomic_cas_acquire(&head->refs, &refs, refs + 1));
	return true;
}

static inline void page_put_many(struct page *head, u32 nr)
{
	/* Pairs with itself: what any holder did is before the free. */
	u32 before = atomic_sub_acq_rel(&head->refs, nr);

	if (unlikely(before < nr))
		page_count_bug(head);
	if (before == nr)
		page_free_last(head);
}

static inline void page_put(struct page *head)
{
	page_put_many(head, 1);
}

static inline u32 page_refs(const struct page *head)
{
	return atomic_load_relaxed(&head->refs);
}

/*
 * No references for a while, for who has all of them and is sure that nobody without a lock gets
 * one: page_try_get() fails.  False: there are others.
 */
static inline bool page_try_freeze(struct page *head, u32 refs)
{
	/* Acquire pairs with the puts of others; release with the try_get of who comes too late. */
	return atomic_cas_acq_rel(&head->refs, &refs, 0);
}

static inline void page_unfreeze(struct page *head, u32 refs)
{
	/* Pairs with page_try_get(): who succeeds sees what was done meanwhile. */
	atomic_store_release(&head->refs, refs);
}

/*
 * Who maps a frame is counted in two places: entries of it alone in its mapcount, leaves of its
 * whole block in nr_leaves of the block's first tail.  An entry's count, for who makes or drops
 * one; @page is the head if it is a leaf's.
 */
static inline s32 *page_map_counter(struct page *page, bool leaf)
{
	return leaf ? &page[1].nr_leaves : &page->mapcount;
}

static inline s32 page_nr_leaves(const struct page *head)
{
	/* Pairs with the split of a leaf, which counts its pieces before it takes the leaf back. */
	return page_order(head) ? atomic_load_acquire(&head[1].nr_leaves) : 0;
}

/*
 * How many entries map this frame.  While a leaf is split it may count twice, but never not at all:
 * leaves first.
 */
static inline s32 page_mapcount(struct page *page)
{
	s32 leaves = page_nr_leaves(page_head(page));

	return leaves + atomic_load_relaxed(&page->mapcount);
}

/*
 * A *pin* is PIN_BIAS references: many enough to be told from others, so that a fork gives the
 * child a copy at once of an anonymous page that somebody is writing to by its frame, and a
 * write-back knows that there may be stores that it does not see.
 */
#define PIN_BIAS	1024u

static inline bool page_is_pinned(const struct page *head)
{
	/* Pairs with the put of the last pin: what was stored by way of it is seen. */
	return atomic_load_acquire(&head->refs) >= PIN_BIAS;
}

static inline void page_set_flags(struct page *page, u32 flags)
{
	atomic_or_relaxed(&page->flags, flags);
}

/* It is used; for what is found old first when frames are short. */
static inline void page_touch(struct page *page)
{
	if (!(page_flags(page) & PG_TOUCHED))
		page_set_flags(page, PG_TOUCHED);
}

static inline void page_clear_flags(struct page *page, u32 flags)
{
	atomic_and_relaxed(&page->flags, ~flags);
}

#endif
