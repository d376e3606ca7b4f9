/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Frames of an arena.
 *
 * The window.  An arena is one window of the host's memory (port.h), and a frame's number is its
 * place in the window: pfn n is the 4096 bytes at n * 4096, in memory and in the file behind it.
 * So the file is what a machine would call physical memory, frame numbers are physical addresses,
 * and whoever maps the file has the same numbers: a second mapping of some frames, or hardware that
 * walks the page tables that lie in them.
 *
 *	byte 0                first * 4096                             end * 4096
 *	| struct page 0 1 2 ..| frame | frame | frame |   fresh ...      |
 *	  64 bytes a frame      handed out, cached, or in a free block
 *
 * The structs lie at the start, in the frames that are numbered below `first` and are never handed
 * out.  So there is no frame 0 and a number of 0 means none; and struct, number and bytes of a
 * frame are found from one another without knowing the arena.  All of it is sparse: what nobody has
 * had is no memory yet, neither the frame nor its struct.
 *
 * The host forks.  The frames are shared by parent and child, so the child must leave them alone;
 * the structs are its own copy.  So what was queued for RCU before the fork can be freed in both,
 * each in its own books, and the books of the parent stay right.
 *
 * Three stores, from the near one to the far one:
 *
 *	caches		single frames near a thread			cache.c
 *	blocks		2^0 to 2^9 frames, halved and joined		buddy.c
 *	fresh		what is left of the window, in order		buddy.c
 *
 * A block's life, by its head:
 *
 *	free  --page_alloc()-->  refs 1, order n  --page_get()-->  refs 2 ..  --last put-->  free
 *	                           | page_try_split(): 2^n frames, refs 1, order 0
 *
 * Bytes.  Fresh frames are zero, since the host says so; so are those whose memory was given back
 * to it.  A frame that was freed is dirty.  PG_ZERO on a free frame remembers which, and only dirty
 * ones are zeroed, outside of every lock, by whoever asked for zeros.
 *
 * Counts.  refs: who may look at the bytes.  Each entry of a page table that maps a frame holds
 * one, each handle too.  A tail has none: it lives as long as its head.  mapcount: entries that map
 * the frame alone; nr_leaves, in the first tail: those that map the whole block.  Whoever makes the
 * entries counts them.
 *
 * Locking.  One spinlock for the blocks, of rank arena: it is taken inside of everything, table
 * locks as well.  A slot of the caches is tried, never waited for.  Counts and flags are atomic.
 *
 * Ordering
 *  (A) page_put() is a release, the last one an acquire: what any holder did is before the free.
 *  (B) page_ready() releases the first reference after the struct has been filled, and
 *      page_try_get() acquires: a reader without a lock sees the struct of who allocated the frame.
 *
 * Invariants
 *  1. refs of a free frame and of a tail is 0; so page_try_get() fails on it.
 *  2. PG_FREE is set in the heads of free blocks and nowhere else, under the arena's lock.
 *  3. A free block's buddy of the same order is not free.
 *  4. total = free + cached + in use.
 *
 * Failure.  No frame is an everyday event: NULL, and nothing has changed.  Before that, what lies
 * in other threads' caches is collected.  A debug build makes the n-th call fail on demand.
 *
 * Loose pages.  An instance without an arena (bookkeeping only) still has pages for its drivers.
 * Each is a struct and 4096 bytes of ordinary memory, counted in a word of the instance, so that an
 * instance that is destroyed too early can say so.
 *
 * Rejected
 *  - Structs of their own mapping, or made on demand: a second lookup for each pfn, and a failure
 *    in the middle of an allocation.
 *  - A lock-free stack of frames for all threads: its head is a line that all write.
 *  - Caches in thread-local memory: a thread that ends takes them along, and so does a program that
 *    runs its own thread-local storage.
 *  - Zeroing on free: half of what is freed is filled with other bytes next.
 */
#include "base/str.h"
#include "phys/arena.h"

void page_count_bug(const struct page *page)
{
	port_panic("page %p, pfn %u: count %u, flags %x: freed twice?", (const void *)page,
		   page->pfn, page_refs(page), page_flags(page));
}

/* Tails are marked before the head can be found. */
static void page_ready(const struct arena *arena, struct page *page, unsigned int order)
{
	for (unsigned long i = 1; i < BIT(order); i++) {
		page_number(arena, page + i);
		atomic_store_relaxed(&page[i].mapcount, 0);
		atomic_store_relaxed(&page[i].flags, PG_TAIL | order);
	}
	if (order)
		atomic_store_relaxed(&page[1].nr_leaves, 0);
	page_number(arena, page);
	page->mapping = NULL;
	page->index = 0;
	page->private = 0;
	atomic_store_relaxed(&page->mapcount, 0);
	atomic_store_relaxed(&page->flags, order);
	/* (B): pairs with page_try_get(). */
	atomic_store_release(&page->refs, 1);
}

static struct page *take(struct arena *arena, unsigned int order, enum block_content want)
{
	struct page *page;

	if (!order)
		return cache_take(arena, want);
	spin_lock(&arena->lock);
	page = buddy_take(arena, order, want);
	spin_unlock(&arena->lock);
	return page;
}

/* The same, also from what lies in caches.  NULL: there is none. */
static struct page *take_any(struct arena *arena, unsigned int order, enum block_content want)
{
	struct page *page = take(arena, order, want);

	VM_DEBUG_ON(order > PAGE_MAX_ORDER, "order %u", order);
	if (likely(page))
		return page;
	cache_drain(arena);
	return take(arena, order, want);
}

static enum block_content content_for(enum page_fill fill)
{
	return fill == PAGE_ZEROED ? BLOCK_ZERO : BLOCK_DIRTY;
}

struct page *page_alloc(struct arena *arena, unsigned int order, enum page_fill fill)
{
	enum block_content want = content_for(fill), have;
	struct page *page;

	if (port_fail_site())
		return NULL;
	page = take_any(arena, order, want);
	if (!page)
		return NULL;
	have = page_content(page);
	page_ready(arena, page, order);
	if (want == BLOCK_ZERO && have == BLOCK_DIRTY)
		memset(page_bytes(page), 0, PAGE_SIZE << order);
	return page;
}

/*
 * Not a block that is split: who finds a frame without a lock may have a reference to the head for
 * a moment, since what it was before.
 */
struct page *page_alloc_row(struct arena *arena, unsigned int order)
{
	enum block_content have;
	struct page *page;

	if (port_fail_site())
		return NULL;
	page = take_any(arena, order, BLOCK_ZERO);
	if (!page)
		return NULL;
	have = page_content(page);
	for (unsigned long i = 0; i < BIT(order); i++)
		page_ready(arena, page + i, 0);
	if (have == BLOCK_DIRTY)
		memset(page_bytes(page), 0, PAGE_SIZE << order);
	return page;
}

struct page *page_alloc_loose(u32 *live)
{
	struct page *page = port_alloc(sizeof(*page));

	if (!page)
		return NULL;
	page->bytes = port_alloc(PAGE_SIZE);
	if (!page->bytes) {
		port_free(page, sizeof(*page));
		return NULL;
	}
	page->live = live;
	page->flags = PG_LOOSE;
	page->refs = 1;
	atomic_add_relaxed(live, 1);
	return page;
}

static void free_loose(struct page *page)
{
	u32 *live = page->live;

	port_free(page->bytes, PAGE_SIZE);
	port_free(page, sizeof(*page));
	atomic_sub_release(live, 1);	/* pairs with the load in vmarea_destroy() */
}

void page_free_last(struct page *page)
{
	unsigned int order = page_order(page);
	struct arena *arena;

	if (unlikely(page_flags(page) & PG_LOOSE)) {
		free_loose(page);
		return;
	}
	/* Each of them has a reference, or had: it is theirs again. */
	if (VM_WARN_ON(page_mapcount(page) && !order,
		       "pfn %u is freed, and %d entries show it: a driver has put it too often",
		       page->pfn, page_mapcount(page))) {
		atomic_add_relaxed(&page->refs, (u32)page_mapcount(page));
		return;
	}
	VM_DEBUG_ON(page_mapcount(page), "pfn %u is mapped %d times", page->pfn,
		    page_mapcount(page));
	arena = page_arena(page);
	for (unsigned long i = 0; i < BIT(order); i++)
		atomic_store_relaxed(&page[i].flags, 0);
	if (!order) {
		cache_put(arena, page);
		return;
	}
	spin_lock(&arena->lock);
	buddy_put(arena, page, order, BLOCK_DIRTY);
	spin_unlock(&arena->lock);
}

/* From the tails to the head: who finds a tail that is none any more finds a frame. */
bool page_try_split(struct page *head, u32 refs)
{
	unsigned long nr = BIT(page_order(head));

	if (!page_try_freeze(head, refs))
		return false;
	for (unsigned long i = 1; i < nr; i++) {
		head[i].mapping = head->mapping;
		head[i].index = head->index + i;
		head[i].private = 0;
		page_clear_flags(&head[i], (u32)PG_TAIL | PG_ORDER_MASK);
		page_unfreeze(&head[i], 1);
	}
	page_clear_flags(head, PG_ORDER_MASK);
	page_unfreeze(head, 1);
	return true;
}
