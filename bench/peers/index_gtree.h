/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* GLib's GTree (an AVL tree) under a pthread rwlock. */
#include <glib.h>

#define INDEX_NAME "GTree+rwlock"

struct index_range {
	unsigned long start, end;
};

static GTree *index_tree;
static pthread_rwlock_t index_lock = PTHREAD_RWLOCK_INITIALIZER;

/* Ranges that overlap are equal: so an address finds the range around it. */
static gint index_order(gconstpointer a, gconstpointer b, gpointer data)
{
	const struct index_range *x = a, *y = b;

	(void)data;
	return x->end <= y->start ? -1 : x->start >= y->end;
}

static inline void index_init(void)
{
	index_tree = g_tree_new_full(index_order, NULL, g_free, NULL);
}

static inline void index_thread_enter(void)	{ }
static inline void index_thread_leave(void)	{ }

static inline void *index_lookup(unsigned long addr)
{
	struct index_range key = { addr, addr + 1 };
	void *item;

	pthread_rwlock_rdlock(&index_lock);
	item = g_tree_lookup(index_tree, &key);
	pthread_rwlock_unlock(&index_lock);
	return item;
}

static inline void index_insert(unsigned long start, unsigned long end, void *item)
{
	struct index_range *key = g_new(struct index_range, 1);

	key->start = start;
	key->end = end;
	pthread_rwlock_wrlock(&index_lock);
	g_tree_insert(index_tree, key, item);
	pthread_rwlock_unlock(&index_lock);
}

static inline void index_erase(unsigned long start, unsigned long end)
{
	struct index_range key = { start, end };

	pthread_rwlock_wrlock(&index_lock);
	g_tree_remove(index_tree, &key);
	pthread_rwlock_unlock(&index_lock);
}

static inline unsigned long index_gap_top(unsigned long size)	{ (void)size; return 0; }
static inline unsigned long index_gap_bottom(unsigned long size) { (void)size; return 0; }
static inline size_t index_bytes(void)		{ return 0; }
