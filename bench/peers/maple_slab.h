/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the maple tree wants of its surroundings: a cache of nodes.  A list under a spinlock, which
 * the RCU thread gives back to and the writer takes from.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

int nr_allocated, preempt_count, test_verbose, kmalloc_verbose;

struct kmem_cache {
	pthread_spinlock_t lock;
	unsigned int size, align;
	void *free;
	size_t in_use;
};

static struct kmem_cache *the_cache;

struct kmem_cache *kmem_cache_create(const char *name, unsigned int size, unsigned int align,
				     unsigned int flags, void (*ctor)(void *))
{
	struct kmem_cache *cache = calloc(1, sizeof(*cache));

	(void)name, (void)flags, (void)ctor;
	if (!cache)
		abort();
	pthread_spin_init(&cache->lock, 0);
	cache->size = size;
	cache->align = align;
	the_cache = cache;
	return cache;
}

static void *take(struct kmem_cache *cache)
{
	void *p;

	pthread_spin_lock(&cache->lock);
	p = cache->free;
	if (p)
		cache->free = *(void **)p;
	cache->in_use++;
	pthread_spin_unlock(&cache->lock);
	return p ? p : aligned_alloc(cache->align, cache->size);
}

void *kmem_cache_alloc_lru(struct kmem_cache *cache, struct list_lru *lru, int gfp)
{
	void *p = take(cache);

	(void)lru;
	if (gfp & __GFP_ZERO)
		memset(p, 0, cache->size);
	return p;
}

void kmem_cache_free(struct kmem_cache *cache, void *p)
{
	pthread_spin_lock(&cache->lock);
	*(void **)p = cache->free;
	cache->free = p;
	cache->in_use--;
	pthread_spin_unlock(&cache->lock);
}

int kmem_cache_alloc_bulk(struct kmem_cache *cache, gfp_t gfp, size_t n, void **list)
{
	for (size_t i = 0; i < n; i++)
		list[i] = kmem_cache_alloc_lru(cache, NULL, (int)gfp);
	return (int)n;
}

void kmem_cache_free_bulk(struct kmem_cache *cache, size_t n, void **list)
{
	for (size_t i = 0; i < n; i++)
		kmem_cache_free(cache, list[i]);
}

static size_t node_bytes(void)
{
	return the_cache->in_use * the_cache->size;
}
