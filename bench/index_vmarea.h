/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Our range tree: each insert and each erase is published by itself. */
#include "base/atomic.h"
#include "ds/range_tree.h"
#include "sync/rcu.h"

#define INDEX_NAME "vmarea"

static struct range_tree index_tree;

static inline void index_init(void)		{ rt_init(&index_tree); }
static inline void index_thread_enter(void)	{ }
static inline void index_thread_leave(void)	{ }

static inline void index_insert(unsigned long start, unsigned long end, void *item)
{
	if (rt_reserve(&index_tree, 1, 1))
		abort();
	rt_insert(&index_tree, start, end, item, 0);
	rt_publish(&index_tree);
}

static inline void index_erase(unsigned long start, unsigned long end)
{
	(void)end;
	if (rt_reserve(&index_tree, 1, 0))
		abort();
	rt_erase(&index_tree, start);
	rt_publish(&index_tree);
}

static inline void *index_lookup(unsigned long addr)
{
	struct rt_entry entry;
	void *item = NULL;

	rcu_read_lock();
	if (rt_lookup_rcu(&index_tree, addr, &entry))
		item = entry.item;
	rcu_read_unlock();
	return item;
}

#define INDEX_REFS
static inline void *index_lookup_ref_unref(unsigned long addr)
{
	struct rt_entry entry;
	unsigned int *ref = NULL;

	rcu_read_lock();
	if (rt_lookup_rcu(&index_tree, addr, &entry)) {
		ref = entry.item;
		atomic_add_acquire(ref, 1);
	}
	rcu_read_unlock();
	if (ref)
		atomic_sub_release(ref, 1);
	return ref;
}

static inline unsigned long index_gap_top(unsigned long size)
{
	struct rt_range gap;

	return rt_gap_last(&index_tree, 0x10000, 0x7ffffffff000, size, &gap) ? gap.end : 0;
}

static inline unsigned long index_gap_bottom(unsigned long size)
{
	struct rt_range gap;

	return rt_gap_first(&index_tree, 0x10000000, 0x7ffffffff000, size, &gap) ? gap.start : 0;
}

static inline size_t index_bytes(void)		{ return rt_memory_bytes(&index_tree); }
