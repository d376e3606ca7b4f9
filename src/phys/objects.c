/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * See objects.h.  Of a frame's struct, whose owner the pool is: mapping is the first free object,
 * each of which begins with the next; private, the number in use; lru, the list of partial frames.
 *
 * No two locks: a frame is got before and given back after the pool's lock is held.
 */
#include "base/str.h"
#include "phys/objects.h"

void objects_init(struct objects *pool, struct arena *arena, unsigned int bytes)
	__no_context_analysis
{
	unsigned int align = min(bytes & -bytes, (unsigned int)CACHELINE_BYTES);

	pool->arena = arena;
	pool->bytes = ALIGN(max(bytes, (unsigned int)sizeof(void *)), align);
	pool->per_frame = (unsigned int)PAGE_SIZE / pool->bytes;
	spin_lock_init(&pool->lock, LOCK_RANK_ARENA);
	list_init(&pool->partial);
	pool->nr_used = 0;
}

void objects_destroy(struct objects *pool) __context_unsafe("nobody else has it")
{
	VM_BUG_ON(pool->nr_used, "%lu objects of %u bytes are left", pool->nr_used, pool->bytes);
}

/* Chains all objects of a new frame. */
static void carve(const struct objects *pool, struct page *page)
{
	char *bytes = page_bytes(page);
	void *next = NULL;

	for (unsigned int i = pool->per_frame; i-- > 0;) {
		void **object = (void **)(bytes + (size_t)i * pool->bytes);

		*object = next;
		next = object;
	}
	page->mapping = next;
	page->private = 0;
}

static void *take(struct objects *pool) __must_hold(&pool->lock)
{
	struct page *page;
	void **object;

	if (list_empty(&pool->partial))
		return NULL;
	page = list_first_entry(&pool->partial, struct page, lru);
	object = page->mapping;
	page->mapping = *object;
	page->private++;
	if (!page->mapping)
		list_del(&page->lru);
	pool->nr_used++;
	return object;
}

void *objects_alloc(struct objects *pool)
{
	void *object;

	if (port_fail_site())
		return NULL;
	spin_lock(&pool->lock);
	object = take(pool);
	spin_unlock(&pool->lock);
	if (unlikely(!object)) {
		struct page *page = page_alloc(pool->arena, 0, PAGE_ANYTHING);

		if (!page)
			return NULL;
		carve(pool, page);
		spin_lock(&pool->lock);
		list_add(&page->lru, &pool->partial);
		object = take(pool);
		spin_unlock(&pool->lock);
	}
	memset(object, 0, pool->bytes);
	return object;
}

void objects_free(struct objects *pool, void *object)
{
	struct page *frames = arena_frames(pool->arena);
	unsigned long offset = (unsigned long)((char *)object - (char *)frames);
	struct page *page = pfn_page(frames, offset >> PAGE_SHIFT);
	bool empty;

	spin_lock(&pool->lock);
	*(void **)object = page->mapping;
	if (!page->mapping)
		list_add(&page->lru, &pool->partial);
	page->mapping = object;
	page->private--;
	pool->nr_used--;
	empty = !page->private;
	if (empty)
		list_del(&page->lru);
	spin_unlock(&pool->lock);
	if (empty)
		page_put(page);
}
