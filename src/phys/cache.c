/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Frames near a thread.
 *
 * The arena's lock is one for all.  So single frames are kept in slots, and a thread goes to the
 * slot that its id selects: threads that are started one after another have different ones.  In the
 * common case a slot's lines, and the structs of the frames in it, are written by one thread only:
 * a refill takes 32 frames side by side, and what a thread frees it gets again, up to 2 MiB.  A
 * frame that another CPU has just written to costs more to zero than to allocate.
 *
 * A slot is only ever *tried*: a thread that finds it busy goes to the next one, and after a few to
 * the blocks.  So nobody waits for a thread that the host took off its CPU inside a slot, nor,
 * after a fork of the host, for one that does not exist any more.
 *
 * There is no thread-local state here, and a thread that ends leaves nothing that is its own.
 */
#include "phys/arena.h"

#define CACHE_TRIES	4u

static bool slot_enter(struct frame_cache *slot)
{
	u32 idle = 0;

	/* Pairs with slot_leave(). */
	return !atomic_load_relaxed(&slot->busy) && atomic_cas_acquire(&slot->busy, &idle, 1);
}

static void slot_leave(struct frame_cache *slot)
{
	/* Pairs with slot_enter(): the next one sees the frames. */
	atomic_store_release(&slot->busy, 0);
}

/* A slot of the caller's, or near it; NULL: all of those are busy. */
static struct frame_cache *slot_find(struct arena *arena)
{
	u32 id = port_thread_id();

	for (u32 i = 0; i < CACHE_TRIES; i++) {
		struct frame_cache *slot = &arena->caches[(id + i) % CACHE_SLOTS];

		if (likely(slot_enter(slot)))
			return slot;
	}
	return NULL;
}

static void slot_push(struct frame_cache *slot, struct page *page)
{
	slot->frames[(slot->first + slot->nr) % CACHE_FRAMES] = page;
	atomic_store_relaxed(&slot->nr, slot->nr + 1);
}

static struct page *slot_pop(struct frame_cache *slot)
{
	atomic_store_relaxed(&slot->nr, slot->nr - 1);
	return slot->frames[(slot->first + slot->nr) % CACHE_FRAMES];
}

/* A run of frames; the lowest is the next to be taken, so that neighbours stay neighbours. */
static void slot_push_run(struct arena *arena, struct frame_cache *slot, struct page *run,
			  unsigned int order)
{
	u32 zero = page_flags(run) & PG_ZERO;

	for (unsigned long i = BIT(order); i-- > 0;) {
		page_number(arena, run + i);
		atomic_store_relaxed(&run[i].flags, zero);
		slot_push(slot, run + i);
	}
}

/*
 * A batch: a run if there is one so long, else shorter ones; and rather those than what is fresh,
 * since that is memory that the host has still to find.
 */
static void slot_refill(struct arena *arena, struct frame_cache *slot, enum block_content want)
{
	unsigned int order = arena->batch_order;
	struct page *run;

	spin_lock(&arena->lock);
	while (slot->nr < BIT(arena->batch_order)) {
		run = buddy_take_used(arena, order, want);
		if (run)
			slot_push_run(arena, slot, run, order);
		else if (!order--)
			break;
	}
	for (order = arena->batch_order; !slot->nr; order--) {
		run = buddy_take(arena, order, want);
		if (run)
			slot_push_run(arena, slot, run, order);
		else if (!order)
			break;
	}
	spin_unlock(&arena->lock);
}

/* The @nr frames that were longest in the slot go back. */
static void slot_spill(struct arena *arena, struct frame_cache *slot, u32 nr)
{
	spin_lock(&arena->lock);
	for (u32 i = 0; i < nr; i++) {
		struct page *page = slot->frames[(slot->first + i) % CACHE_FRAMES];

		buddy_put(arena, page, 0, page_content(page));
	}
	spin_unlock(&arena->lock);
	slot->first = (slot->first + nr) % CACHE_FRAMES;
	atomic_store_relaxed(&slot->nr, slot->nr - nr);
}

static struct page *take_uncached(struct arena *arena, enum block_content want)
{
	struct page *page;

	spin_lock(&arena->lock);
	page = buddy_take(arena, 0, want);
	spin_unlock(&arena->lock);
	return page;
}

struct page *cache_take(struct arena *arena, enum block_content want)
{
	struct frame_cache *slot = slot_find(arena);
	struct page *page = NULL;

	if (unlikely(!slot))
		return take_uncached(arena, want);
	if (unlikely(!slot->nr))
		slot_refill(arena, slot, want);
	if (likely(slot->nr))
		page = slot_pop(slot);
	slot_leave(slot);
	return page;
}

void cache_put(struct arena *arena, struct page *page)
{
	struct frame_cache *slot = slot_find(arena);

	if (unlikely(!slot)) {
		spin_lock(&arena->lock);
		buddy_put(arena, page, 0, page_content(page));
		spin_unlock(&arena->lock);
		return;
	}
	if (unlikely(slot->nr == arena->cache_frames))
		slot_spill(arena, slot, BIT(arena->batch_order));
	slot_push(slot, page);
	slot_leave(slot);
}

/* A busy slot is passed over once its owner has had the time of a refill. */
#define DRAIN_SPINS	1000

void cache_drain(struct arena *arena)
{
	for (u32 i = 0; i < CACHE_SLOTS; i++) {
		struct frame_cache *slot = &arena->caches[i];
		int spins = 0;

		while (!slot_enter(slot) && ++spins < DRAIN_SPINS)
			port_cpu_relax();
		if (spins == DRAIN_SPINS)
			continue;
		if (slot->nr)
			slot_spill(arena, slot, slot->nr);
		slot_leave(slot);
	}
}

unsigned long cache_nr_frames(const struct arena *arena)
{
	unsigned long nr = 0;

	for (u32 i = 0; i < CACHE_SLOTS; i++)
		nr += atomic_load_relaxed(&arena->caches[i].nr);
	return nr;
}
