/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A Judy array of starts under a pthread rwlock; the ends are in the items. */
#include <Judy.h>

#define INDEX_NAME "Judy+rwlock"

struct index_range {
	unsigned long end;
	void *item;
};

static Pvoid_t index_array;
static pthread_rwlock_t index_lock = PTHREAD_RWLOCK_INITIALIZER;

static inline void index_init(void)		{ }
static inline void index_thread_enter(void)	{ }
static inline void index_thread_leave(void)	{ }

static inline void *index_lookup(unsigned long addr)
{
	struct index_range **slot;
	Word_t key = addr;
	void *item = NULL;

	pthread_rwlock_rdlock(&index_lock);
	slot = (struct index_range **)JudyLLast(index_array, &key, PJE0);
	if (slot && addr < (*slot)->end)
		item = (*slot)->item;
	pthread_rwlock_unlock(&index_lock);
	return item;
}

static inline void index_insert(unsigned long start, unsigned long end, void *item)
{
	struct index_range *range = malloc(sizeof(*range));
	struct index_range **slot;

	if (!range)
		abort();
	range->end = end;
	range->item = item;
	pthread_rwlock_wrlock(&index_lock);
	slot = (struct index_range **)JudyLIns(&index_array, start, PJE0);
	*slot = range;
	pthread_rwlock_unlock(&index_lock);
}

static inline void index_erase(unsigned long start, unsigned long end)
{
	struct index_range **slot, *range;

	(void)end;
	pthread_rwlock_wrlock(&index_lock);
	slot = (struct index_range **)JudyLGet(index_array, start, PJE0);
	range = *slot;
	JudyLDel(&index_array, start, PJE0);
	pthread_rwlock_unlock(&index_lock);
	free(range);
}

static inline unsigned long index_gap_top(unsigned long size)	{ (void)size; return 0; }
static inline unsigned long index_gap_bottom(unsigned long size) { (void)size; return 0; }
static inline size_t index_bytes(void)
{
	return JudyLMemUsed(index_array) + nr_ranges * (sizeof(struct index_range) + 8);
}
