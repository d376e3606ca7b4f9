/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* An arena as a whole: made, measured, made smaller, unmade.  See page_alloc.c. */
#include "base/errno.h"
#include "phys/arena.h"

/* Below this a hole costs the host more than the memory is worth: 64 KiB. */
#define TRIM_ORDER	4u

/* For @nr structs, in whole blocks.  A frame holds 64 structs (debug: 32), one of them its own. */
static unsigned long map_frames(unsigned long nr)
{
	return ALIGN(DIV_ROUND_UP(nr, PAGE_SIZE / sizeof(struct page) - 1), BLOCK_FRAMES);
}

/* In the child, too, tables come back that were given to RCU before the fork. */
static void hold_lock(struct port_fork_guard *guard)
{
	spin_hold_over_fork(&container_of(guard, struct arena, fork_guard)->lock);
}

static void let_go_lock(struct port_fork_guard *guard)
{
	spin_let_go_after_fork(&container_of(guard, struct arena, fork_guard)->lock);
}

int arena_create(unsigned long bytes, struct arena **out)
{
	unsigned long nr = bytes >> PAGE_SHIFT;
	unsigned long first = map_frames(ALIGN(nr, BLOCK_FRAMES));
	struct arena *arena;
	int err = -ENOMEM;

	if (!nr || !PAGE_ALIGNED(bytes) || bytes > ARENA_MAX_BYTES)
		return -EINVAL;
	arena = port_alloc(sizeof(*arena));
	if (!arena)
		return -ENOMEM;
	if (port_arena_create(&arena->window, ALIGN(first + nr, BLOCK_FRAMES) << PAGE_SHIFT,
			      first << PAGE_SHIFT))
		goto free;
	arena->frames = arena->window.base;
	arena->frames->arena = arena;
	arena->first = first;
	arena->end = first + nr;
	arena->nr_withheld = 0;
	arena->cache_frames = (u32)min(max(nr / (4 * CACHE_SLOTS), (unsigned long)CACHE_MIN_FRAMES),
				       (unsigned long)CACHE_FRAMES);
	arena->batch_order = min(fls64(arena->cache_frames) - 2u, CACHE_BATCH_ORDER);
	spin_lock_init(&arena->lock, LOCK_RANK_ARENA);
	buddy_init(arena);
	arena->zero_page = page_alloc(arena, 0, PAGE_ZEROED);
	if (!arena->zero_page)
		goto destroy;
	arena->fork_guard.hold = hold_lock;
	arena->fork_guard.let_go = let_go_lock;
	port_fork_guard_add(&arena->fork_guard);
	*out = arena;
	return 0;
destroy:
	port_arena_destroy(&arena->window);
free:
	port_free(arena, sizeof(*arena));
	return err;
}

void arena_destroy(struct arena *arena)
	__context_unsafe("nobody else is left")
{
	unsigned long nr = arena->end - arena->first;

	port_fork_guard_del(&arena->fork_guard);
	page_put(arena->zero_page);
	cache_drain(arena);
	VM_BUG_ON(arena->nr_free != nr,
		  "%lu of %lu frames are in use: a page was not freed, or not unpinned",
		  nr - arena->nr_free, nr);
	port_arena_destroy(&arena->window);
	port_free(arena, sizeof(*arena));
}

const struct port_arena *arena_window(const struct arena *arena)
{
	return &arena->window;
}

struct page *arena_zero_page(const struct arena *arena)
{
	return arena->zero_page;
}

/* One more user, of @made if there is no such block.  NULL: there is none, nor is @made. */
static struct page *join_huge_zero(struct arena *arena, struct page *made)
{
	struct page *page;

	spin_lock(&arena->lock);
	if (!arena->huge_zero && made) {
		page_get(made);
		atomic_store_relaxed(&arena->huge_zero, made);
	}
	page = arena->huge_zero;
	if (page)
		arena->huge_zero_users++;
	spin_unlock(&arena->lock);
	return page;
}

struct page *arena_huge_zero_get(struct arena *arena)
{
	struct page *page = join_huge_zero(arena, NULL), *made;

	if (page)
		return page;
	made = page_alloc(arena, PAGE_MAX_ORDER, PAGE_ZEROED);
	if (!made)
		return NULL;
	page = join_huge_zero(arena, made);
	page_put(made);
	return page;
}

void arena_huge_zero_put(struct arena *arena)
{
	struct page *unused = NULL;

	spin_lock(&arena->lock);
	if (!--arena->huge_zero_users) {
		unused = arena->huge_zero;
		atomic_store_relaxed(&arena->huge_zero, NULL);
	}
	spin_unlock(&arena->lock);
	if (unused)
		page_put(unused);
}

bool arena_is_huge_zero(const struct arena *arena, unsigned long pfn)
{
	return arena->frames + pfn == atomic_load_relaxed(&arena->huge_zero);
}

void arena_collect(struct arena *arena)
{
	cache_drain(arena);
}

void arena_set_limit(struct arena *arena, unsigned long frames)
{
	unsigned long total = arena->end - arena->first;

	spin_lock(&arena->lock);
	arena->nr_withheld = total - min(frames, total);
	spin_unlock(&arena->lock);
}

unsigned long arena_limit(struct arena *arena)
{
	unsigned long limit;

	spin_lock(&arena->lock);
	limit = arena->end - arena->first - arena->nr_withheld;
	spin_unlock(&arena->lock);
	return limit;
}

struct arena_span arena_used_span(struct arena *arena)
{
	struct arena_span span = { .first = arena->first };

	spin_lock(&arena->lock);
	span.end = arena->fresh;
	spin_unlock(&arena->lock);
	return span;
}

unsigned long arena_nr_frames(const struct arena *arena)
{
	return arena->end - arena->first;
}

unsigned long arena_nr_free(struct arena *arena)
{
	unsigned long nr;

	spin_lock(&arena->lock);
	nr = arena->nr_free;
	spin_unlock(&arena->lock);
	return nr + cache_nr_frames(arena);
}

static unsigned long list_length(const struct list_head *head)
{
	unsigned long nr = 0;

	for (const struct list_head *link = head->next; link != head; link = link->next)
		nr++;
	return nr;
}

void arena_get_stats(struct arena *arena, struct arena_stats *stats)
{
	*stats = (struct arena_stats){ .total = arena->end - arena->first };
	spin_lock(&arena->lock);
	stats->free = arena->nr_free;
	stats->fresh = arena->end - arena->fresh;
	for (unsigned int order = 0; order <= PAGE_MAX_ORDER; order++)
		for (int content = 0; content < BLOCK_CONTENTS; content++)
			stats->free_blocks[order] += list_length(&arena->blocks[order][content]);
	spin_unlock(&arena->lock);
	stats->cached = cache_nr_frames(arena);
}

static struct page *take_dirty(struct arena *arena, unsigned int order)
{
	struct page *page;

	spin_lock(&arena->lock);
	page = buddy_borrow(arena, order, BLOCK_DIRTY);
	spin_unlock(&arena->lock);
	return page;
}

static void put_back(struct arena *arena, struct page *page, unsigned int order,
		     enum block_content content)
{
	spin_lock(&arena->lock);
	buddy_put(arena, page, order, content);
	spin_unlock(&arena->lock);
}

/* Large blocks first: what is put back can only join a larger one that has been passed. */
unsigned long arena_trim(struct arena *arena)
{
	unsigned long nr = 0;

	cache_drain(arena);
	for (unsigned int order = PAGE_MAX_ORDER; order >= TRIM_ORDER; order--) {
		struct page *page;

		while ((page = take_dirty(arena, order))) {
			if (port_arena_discard(&arena->window, page_pfn(page) << PAGE_SHIFT,
					       PAGE_SIZE << order)) {
				put_back(arena, page, order, BLOCK_DIRTY);
				return nr;
			}
			put_back(arena, page, order, BLOCK_ZERO);
			nr += BIT(order);
		}
	}
	return nr;
}
