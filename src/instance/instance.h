/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The machine that mms live on: limits, the count of promised pages, and the pool of VMA memory.
 *
 * There are no globals in the library: what two mms share, they share through this.
 *
 * Everything an instance has can be found from it: mms and files are on its rolls, VMA memory is in
 * slabs.  So a walker (report/validate_instance.c) can add up what there is.  A roll costs a lock
 * for a few instructions where an mm or a file begins and ends.  There are several, by the thread
 * that makes the object, so that forks on two CPUs need not write one line for it.
 *
 * What guards a field: src/TAGS.
 */
#ifndef INSTANCE_INSTANCE_H
#define INSTANCE_INSTANCE_H

#include <vmarea/reclaim.h>
#include <vmarea/vmarea.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/list.h"
#include "sync/spinlock.h"

struct arena;
struct objects;
struct page_cache;
struct shrinker;
struct swap_space;
struct vm_area_struct;
struct vma_slab;

#define INSTANCE_ROLLS		8u

struct instance_roll {
	struct spinlock lock;			/* i */
	struct list_head mms __guarded_by(&lock); /* lock	mm_struct.on_roll */
	struct list_head files __guarded_by(&lock); /* lock	file.on_roll */
} __cacheline_aligned;

/* In what is on a roll. */
struct roll_entry {
	struct list_head link;			/* roll->lock */
	struct instance_roll *roll;		/* 1 */
};

/* Of taking back pages: relaxed all, whose turn it is and numbers to look at. */
struct reclaim_state {
	u64 hand;				/* a	frames that were gone past, for ever */
	enum vmarea_reclaim_when when;		/* a */
	struct vmarea_reclaim_stats stats;	/* a */
} __cacheline_aligned;

struct vmarea {
	/* In front, since what faults read should lie with nothing that calls write. */
	struct arena *arena;			/* 1	frames; NULL: regions only */
	struct page_cache *cache;		/* 1	what files share; NULL: no arena */
	struct swap_space *swap;		/* 1	slots and their pages; NULL: no arena */
	struct objects *anon_pool;		/* 1	for anon_vmas; NULL: no arena */
	struct vmarea_config config;		/* 1 */
	long committed __cacheline_aligned;	/* a	pages promised; relaxed: a count to check */
	u32 nr_objects;				/* a	mms, files and loose pages: 0 at destroy */
	u32 nr_put_later;			/* a	mms that are torn down by mmput_async() */
	u64 nr_numbered;			/* a	mms that were given a number; relaxed */
	u64 next_inode;				/* a	for shared anonymous objects; relaxed */
	long huge_free[2];			/* a	2 MiB, 1 GiB pages not reserved; relaxed */

	struct spinlock pool_lock;		/* i */
	struct port_fork_guard fork_guard;	/* 1	keeps all locks free in forked children */
	struct vm_area_struct *pool __guarded_by(&pool_lock); /* pool_lock	see vma/pool.c */
	struct vma_slab *slabs __guarded_by(&pool_lock); /* pool_lock */

	struct spinlock shrinker_lock;		/* i */
	struct shrinker *shrinkers __guarded_by(&shrinker_lock); /* shrinker_lock */

	struct instance_roll rolls[INSTANCE_ROLLS];	/* i */
	struct reclaim_state reclaim;		/* i */
};

static inline bool has_feature(const struct vmarea *instance, unsigned int feature)
{
	return instance->config.features & feature;
}

/* Where what the calling thread makes now is listed. */
static inline struct instance_roll *instance_roll_here(struct vmarea *instance)
{
	return &instance->rolls[port_thread_id() % INSTANCE_ROLLS];
}

static inline void instance_enlist_mm(struct vmarea *instance, struct roll_entry *entry)
{
	struct instance_roll *roll = instance_roll_here(instance);

	entry->roll = roll;
	spin_lock(&roll->lock);
	list_add_tail(&entry->link, &roll->mms);
	spin_unlock(&roll->lock);
}

static inline void instance_enlist_file(struct vmarea *instance, struct roll_entry *entry)
{
	struct instance_roll *roll = instance_roll_here(instance);

	entry->roll = roll;
	spin_lock(&roll->lock);
	list_add_tail(&entry->link, &roll->files);
	spin_unlock(&roll->lock);
}

static inline void instance_delist(struct roll_entry *entry)
{
	spin_lock(&entry->roll->lock);
	list_del(&entry->link);
	spin_unlock(&entry->roll->lock);
}

static inline void instance_shrinkers_init(struct vmarea *instance)
	__context_unsafe("nobody else knows it yet")
{
	spin_lock_init(&instance->shrinker_lock, LOCK_RANK_INSTANCE);
	instance->shrinkers = NULL;
}

static inline void instance_rolls_init(struct vmarea *instance)
	__context_unsafe("nobody else knows it yet")
{
	for (unsigned int i = 0; i < INSTANCE_ROLLS; i++) {
		spin_lock_init(&instance->rolls[i].lock, LOCK_RANK_INSTANCE);
		list_init(&instance->rolls[i].mms);
		list_init(&instance->rolls[i].files);
	}
}

/* The sizes of huge pages, as powers of two of bytes. */
#define HUGE_SHIFT_2M	21u
#define HUGE_SHIFT_1G	30u

/* How many pages the machine has of one size, by the index into huge_free. */
static inline long nr_huge_pages(const struct vmarea_config *config, int i)
{
	return i ? config->nr_huge_1g_pages : config->nr_huge_2m_pages;
}

/* How many of that size are neither in use nor kept for anybody. */
static inline long huge_pages_free(const struct vmarea *instance, unsigned int shift)
{
	return atomic_load_relaxed(&instance->huge_free[shift == HUGE_SHIFT_1G]);
}

static inline void huge_pages_put(struct vmarea *instance, unsigned int shift, long nr)
{
	atomic_add_relaxed(&instance->huge_free[shift == HUGE_SHIFT_1G], nr);
}

/* Takes @nr, all or none: true if there were so many. */
static inline bool huge_pages_take(struct vmarea *instance, unsigned int shift, long nr)
{
	long have = huge_pages_free(instance, shift);

	do {
		if (have < nr)
			return false;
	} while (!atomic_cas_relaxed(&instance->huge_free[shift == HUGE_SHIFT_1G], &have,
				     have - nr));
	return true;
}

#endif
