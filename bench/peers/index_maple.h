/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Linux's maple tree, built for user space from Debian's linux-source package, with RCU and an
 * outer lock, as an mm uses it.  Its harness allocates nodes with malloc under a mutex; the caches
 * below replace it by something quicker, so that the tree is measured and not malloc.
 */
#define CONFIG_64BIT 1
#define MAPLE_32BIT 0
#include "shared.h"
#include "linux/init.h"
#include "../../../lib/maple_tree.c"

#define INDEX_NAME "maple"

static DEFINE_MTREE(index_tree);

/* The whole key space is known to the searches; what is below and above it is not offered. */
static inline void index_init(void)
{
	maple_tree_init();
	mt_init_flags(&index_tree, MT_FLAGS_ALLOC_RANGE | MT_FLAGS_USE_RCU | MT_FLAGS_LOCK_EXTERN);
}

static inline void index_thread_enter(void)	{ rcu_register_thread(); }
static inline void index_thread_leave(void)	{ rcu_unregister_thread(); }

static inline void index_store(unsigned long start, unsigned long end, void *item)
{
	MA_STATE(mas, &index_tree, start, end - 1);

	if (mas_store_gfp(&mas, item, GFP_KERNEL))
		abort();
}

static inline void index_insert(unsigned long start, unsigned long end, void *item)
{
	index_store(start, end, item);
}

static inline void index_erase(unsigned long start, unsigned long end)
{
	index_store(start, end, NULL);
}

static inline void *index_lookup(unsigned long addr)
{
	MA_STATE(mas, &index_tree, addr, addr);
	void *item;

	rcu_read_lock();
	item = mas_walk(&mas);
	rcu_read_unlock();
	return item;
}

#define INDEX_REFS
static inline void *index_lookup_ref_unref(unsigned long addr)
{
	MA_STATE(mas, &index_tree, addr, addr);
	unsigned int *ref;

	rcu_read_lock();
	ref = mas_walk(&mas);
	if (ref)
		__atomic_fetch_add(ref, 1, __ATOMIC_ACQUIRE);
	rcu_read_unlock();
	if (ref)
		__atomic_fetch_sub(ref, 1, __ATOMIC_RELEASE);
	return ref;
}

static inline unsigned long index_gap_top(unsigned long size)
{
	MA_STATE(mas, &index_tree, 0, 0);

	return mas_empty_area_rev(&mas, 0x10000, 0x7fffffffefff, size) ? 0 : mas.last + 1;
}

static inline unsigned long index_gap_bottom(unsigned long size)
{
	MA_STATE(mas, &index_tree, 0, 0);

	return mas_empty_area(&mas, 0x10000000, 0x7fffffffefff, size) ? 0 : mas.index;
}

#include "maple_slab.h"

/* Nodes in use, once RCU has freed what it may. */
static inline size_t index_bytes(void)
{
	rcu_barrier();
	return node_bytes();
}
