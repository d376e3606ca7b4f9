/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A swap area in memory, that can be made to fail, and that notices what it should not be asked. */
#ifndef TESTS_SWAP_STORE_H
#define TESTS_SWAP_STORE_H

#include <stdlib.h>

#include <vmarea/swap.h>

#include "../fault/memory.h"
#include "fault/swap.h"
#include "reclaim/swap_out.h"
#include "rmap/rmap.h"

struct store {
	unsigned int id;
	u32 nr_slots;
	unsigned char *bytes;
	u32 *busy;			/* a	by slot: somebody reads or writes it */
	unsigned char *written;		/* by slot */
	u32 fail_reads, fail_writes;	/* a	all, as long as it is not 0 */
	u32 nr_clashes;			/* a	two at one slot, or a read of what was never written */
	u32 nr_released;		/* a */
};

static inline void store_enter(struct store *s, u64 slot)
{
	if (slot >= s->nr_slots || atomic_xchg_acquire(&s->busy[slot], 1u))
		atomic_add_relaxed(&s->nr_clashes, 1);
}

static inline int store_read(void *private_data, uint64_t slot, void *to)
{
	struct store *s = private_data;

	if (atomic_load_relaxed(&s->fail_reads))
		return -EIO;
	store_enter(s, slot);
	if (!s->written[slot])
		atomic_add_relaxed(&s->nr_clashes, 1);
	memcpy(to, s->bytes + slot * PAGE_SIZE, PAGE_SIZE);
	/* Pairs with store_enter(). */
	atomic_store_release(&s->busy[slot], 0);
	return 0;
}

static inline int store_write(void *private_data, uint64_t slot, const void *from)
{
	struct store *s = private_data;

	if (atomic_load_relaxed(&s->fail_writes))
		return -EIO;
	store_enter(s, slot);
	s->written[slot] = 1;
	memcpy(s->bytes + slot * PAGE_SIZE, from, PAGE_SIZE);
	/* Pairs with store_enter(). */
	atomic_store_release(&s->busy[slot], 0);
	return 0;
}

static inline void store_release(void *private_data)
{
	struct store *s = private_data;

	atomic_add_relaxed(&s->nr_released, 1);
}

static const struct swap_ops store_ops = {
	.read_page = store_read, .write_page = store_write, .release = store_release,
};

static inline void store_on(struct store *s, struct vmarea *v, u32 nr_slots, int priority)
{
	struct swap_desc desc = {
		.size = sizeof(desc), .name = "store", .ops = &store_ops, .private_data = s,
		.nr_slots = nr_slots, .priority = priority,
	};

	*s = (struct store){ .nr_slots = nr_slots };
	s->bytes = malloc(nr_slots * PAGE_SIZE);
	s->busy = calloc(nr_slots, sizeof(*s->busy));
	s->written = calloc(nr_slots, 1);
	assert_int_equal(vmarea_swapon(v, &desc, &s->id), 0);
}

static inline void store_free(struct store *s)
{
	assert_int_equal(s->nr_released, 1);
	assert_int_equal(s->nr_clashes, 0);
	free(s->bytes);
	free(s->busy);
	free(s->written);
}

static inline void store_off(struct store *s, struct vmarea *v)
{
	assert_int_equal(vmarea_swapoff(v, s->id), 0);
	store_free(s);
}

static inline u64 store_used(const struct store *s, struct vmarea *v)
{
	struct swap_info info;

	assert_int_equal(vmarea_swap_info(v, s->id, &info), 0);
	return info.nr_used;
}

/* The page of the leaf at @page, with a reference, or NULL. */
static inline struct page *mm_page_get(struct mm_user *user, unsigned long page)
{
	return gup_fast(mm_from_user(user)->pgt, at(page), 0);
}

/* swap_out() of what is mapped at @page, as who chooses pages does it.  -ENOENT: nothing is. */
static inline int mm_swap_out(struct mm_user *user, struct vmarea *v, unsigned long page)
{
	struct page *p = mm_page_get(user, page);
	int err;

	if (!p)
		return -ENOENT;
	if (!(page_flags(p) & PG_ANON) || page_order(p) || (page_flags(p) & PG_TAIL)) {
		page_put(page_head(p));
		return -ENOENT;
	}
	page_lock(p);
	err = swap_out(v, p, RMAP_WAIT);
	page_unlock(p);
	page_put(p);
	return err;
}

static inline unsigned long mm_swapped(struct mm_user *mm)
{
	struct mm_stats stats;

	mm_get_stats(mm, &stats);
	return stats.swap_pages;
}

static inline void instance_validate(struct vmarea *v)
{
	char why[256] = "";

	if (vmarea_validate(v, why, sizeof(why)))
		fail_msg("%s", why);
}

#endif
