/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A red-black tree (that of Debian's linux-source package, built for user space) under a lock: what
 * most address-space trackers are.  RB_LOCK_BR chooses Concurrency Kit's big-reader lock over the
 * pthread rwlock.
 */
#include <linux/rbtree.h>

struct index_node {
	struct rb_node node;
	unsigned long start, end;
	void *item;
};

static struct rb_root index_root = RB_ROOT;

#ifdef RB_LOCK_BR
# include <ck_brlock.h>
# define INDEX_NAME "rbtree+brlock"
static ck_brlock_t index_lock = CK_BRLOCK_INITIALIZER;
static _Thread_local ck_brlock_reader_t index_reader;
static inline void index_thread_enter(void)	{ ck_brlock_read_register(&index_lock, &index_reader); }
static inline void index_thread_leave(void)	{ ck_brlock_read_unregister(&index_lock, &index_reader); }
# define index_read_lock()	ck_brlock_read_lock(&index_lock, &index_reader)
# define index_read_unlock()	ck_brlock_read_unlock(&index_reader)
# define index_write_lock()	ck_brlock_write_lock(&index_lock)
# define index_write_unlock()	ck_brlock_write_unlock(&index_lock)
#else
# define INDEX_NAME "rbtree+rwlock"
static pthread_rwlock_t index_lock = PTHREAD_RWLOCK_INITIALIZER;
static inline void index_thread_enter(void)	{ }
static inline void index_thread_leave(void)	{ }
# define index_read_lock()	pthread_rwlock_rdlock(&index_lock)
# define index_read_unlock()	pthread_rwlock_unlock(&index_lock)
# define index_write_lock()	pthread_rwlock_wrlock(&index_lock)
# define index_write_unlock()	pthread_rwlock_unlock(&index_lock)
#endif

static inline void index_init(void)		{ }

static inline struct index_node *index_find(unsigned long addr)
{
	struct rb_node *at = index_root.rb_node;

	while (at) {
		struct index_node *n = rb_entry(at, struct index_node, node);

		if (addr < n->start)
			at = at->rb_left;
		else if (addr >= n->end)
			at = at->rb_right;
		else
			return n;
	}
	return NULL;
}

static inline void *index_lookup(unsigned long addr)
{
	struct index_node *n;
	void *item;

	index_read_lock();
	n = index_find(addr);
	item = n ? n->item : NULL;
	index_read_unlock();
	return item;
}

static inline void index_insert(unsigned long start, unsigned long end, void *item)
{
	struct rb_node **link = &index_root.rb_node, *parent = NULL;
	struct index_node *n = malloc(sizeof(*n));

	if (!n)
		abort();
	n->start = start;
	n->end = end;
	n->item = item;
	index_write_lock();
	while (*link) {
		parent = *link;
		link = start < rb_entry(parent, struct index_node, node)->start ? &parent->rb_left
										: &parent->rb_right;
	}
	rb_link_node(&n->node, parent, link);
	rb_insert_color(&n->node, &index_root);
	index_write_unlock();
}

static inline void index_erase(unsigned long start, unsigned long end)
{
	struct index_node *n;

	(void)end;
	index_write_lock();
	n = index_find(start);
	if (!n)
		abort();
	rb_erase(&n->node, &index_root);
	index_write_unlock();
	free(n);
}

static inline unsigned long index_gap_top(unsigned long size)	{ (void)size; return 0; }
static inline unsigned long index_gap_bottom(unsigned long size) { (void)size; return 0; }
static inline size_t index_bytes(void)		{ return nr_ranges * (sizeof(struct index_node) + 8); }
