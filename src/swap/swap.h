/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Slots of swap areas, who names them, and the pages that have them in memory.  The essay is in
 * swap.c.
 *
 * A slot's *number* is what a swap entry has: which area, and which slot of it.
 */
#ifndef SWAP_SWAP_H
#define SWAP_SWAP_H

#include <vmarea/swap.h>

#include "base/errno.h"
#include "instance/instance.h"
#include "phys/page_lock.h"
#include "sync/rcu.h"

/* In the swap cache: page->private is its slot's number.  Set under the page lock. */
#define PG_SWAPPED		BIT(PG_FIRST_FREE_BIT + 9)
/* And the slot has not these bytes yet. */
#define PG_UNWRITTEN		BIT(PG_FIRST_FREE_BIT + 10)

#define SWAP_AREA_SHIFT		40u

struct swap_slot {
	u32 users;				/* a	entries, and who holds it; 0: free */
	u32 pfn;				/* a	the page that has its bytes; 0: none; or: */
	u32 nr_seen;				/* o	entries that the walker came by */
};

/* The slot is named by the index of a file. */
#define SWAP_OF_FILE		UINT32_MAX

static inline bool swap_is_pfn(u32 pfn)
{
	return pfn && pfn != SWAP_OF_FILE;
}

/* Slots are looked for by groups. */
#define SWAP_GROUP		256u

struct swap_area {
	const struct swap_ops *ops;		/* 1 */
	void *private_data;			/* 1 */
	u32 nr_slots;				/* 1 */
	int priority;				/* 1 */
	char name[64];				/* 1 */
	bool open;				/* a	slots may be taken; under space->lock */
	u32 nr_used;				/* a	written under space->lock */
	u32 nr_freed;				/* a	a swapoff sleeps on it */
	u32 next;				/* space->lock	where to look for a slot */
	u64 nr_reads, nr_writes, nr_errors;	/* a */
	u16 *groups;				/* space->lock	slots in use, by group */
	struct swap_slot slots[];		/* i */
};

/* All of an instance. */
struct swap_space {
	struct spinlock lock;			/* i	rank: swap */
	struct arena *arena;			/* 1 */
	struct page *frames;			/* 1	the struct of the arena's frame 0 */
	unsigned int last;			/* lock	whose slot was taken last */
	struct swap_area *areas[VMAREA_SWAP_AREAS];	/* r	by lock */
};

/* For an instance with an arena.  0; -ENOMEM. */
int swap_space_create(struct vmarea *instance)			__may_sleep __must_check;
/* No slot is in use. */
void swap_space_destroy(struct vmarea *instance)		__may_sleep;

/* ------------------------------------------------------------------------------ users -- */

/* One more: the caller is one, or has the lock of a table whose entry is one. */
void swap_get(struct swap_space *space, u64 number);
/* One less.  The last lets go of the slot and of its page. */
void swap_put(struct swap_space *space, u64 number);
/*
 * Must there be no more?  Entries become leaves of the slot's page, and leaves entries; so both are
 * counted, and a quarter of what a count can hold is the end.  As swap_get().
 */
#define SWAP_MOST_USERS	(1u << 29)
bool swap_is_full(struct swap_space *space, u64 number);
/* For who has a number that may be nobody's by now: false. */
bool swap_try_get(struct swap_space *space, u64 number)	__must_check;
/* Right now. */
u32 swap_users(struct swap_space *space, u64 number);

/* ------------------------------------------------------------------------------ cache -- */

/* The page that has the slot's bytes, or will have when it is not locked any more.  A reference. */
struct page *swap_find(struct swap_space *space, u64 number)	__must_check;
static inline bool swap_is_cached(struct swap_space *space, u64 number);

/* Has the locked page the bytes of the slot?  It does as long as an entry names that. */
static inline bool swap_is_at(const struct page *page, u64 number)	__must_hold(page);
static inline bool swap_is_at(const struct page *page, u64 number)
{
	return (page_flags(page) & PG_SWAPPED) && page->private == number;
}

/*
 * The page, read if need be, with a reference; not locked at some moment.  0; -ENOENT: nobody uses
 * the slot; -ENOMEM; -EIO.
 */
int swap_read_page(struct swap_space *space, u64 number, struct page **out)
	__may_sleep __must_check;

/*
 * A slot for the page, or the one that it has, with the caller as a user: swap_put().  0; -ENOSPC:
 * there is none, or it is in an area that is being emptied; -EBUSY: so many have it that they could
 * not all be users.
 */
int swap_hold_page(struct swap_space *space, struct page *page, u64 *number)
	__must_hold(page) __must_check;
/* What the slot is to have.  0 or -EIO. */
int swap_write_page(struct swap_space *space, struct page *page, u64 number)
	__must_hold(page) __may_sleep __must_check;

/*
 * Takes the page out if the caller's entry is the only user of its slot, and the caller has the
 * only reference: then it can be had for good.
 */
bool swap_claim_page(struct swap_space *space, struct page *page, u64 number)
	__must_hold(page) __must_check;
/* Takes the page out if nobody but the caller has a reference. */
bool swap_leave_page(struct swap_space *space, struct page *page, u64 number)
	__must_hold(page) __must_check;

/* ----------------------------------------------------------------- slots without the cache -- */

/* A slot for bytes of a file, with the caller as its user: swap_put().  0; -ENOSPC. */
int swap_take_slot(struct swap_space *space, u64 *number)	__must_check;
/* The caller is a user, and alone at it.  0 or -EIO. */
int swap_write_slot(struct swap_space *space, u64 number, const void *from)
	__may_sleep __must_check;
int swap_read_slot(struct swap_space *space, u64 number, void *to)
	__may_sleep __must_check;

/* ------------------------------------------------------------------------------ areas -- */

/* Is there a slot that may be taken?  As of now. */
bool swap_has_room(const struct swap_space *space);

static inline unsigned int swap_area_of(u64 number)
{
	return (unsigned int)(number >> SWAP_AREA_SHIFT);
}

static inline u32 swap_offset_of(u64 number)
{
	return (u32)number;
}

/* No slot of it is given away any more.  0; -EINVAL: no such area; -EBUSY: it is so already. */
int swap_area_close(struct swap_space *space, unsigned int id)	__must_check;
void swap_area_reopen(struct swap_space *space, unsigned int id);
/* Of an area that the caller has closed. */
bool swap_area_is_used(struct swap_space *space, unsigned int id);
/* How many slots have been freed, and a wait for more, which ends after a while in any case. */
u32 swap_area_nr_freed(struct swap_space *space, unsigned int id);
void swap_area_wait_freed(struct swap_space *space, unsigned int id, u32 seen)	__may_sleep;
/* It is not used any more. */
void swap_area_remove(struct swap_space *space, unsigned int id)	__may_sleep;

/* ----------------------------------------------------- for the walker: nobody calls anything -- */

/* An entry names it. */
void swap_see(struct swap_space *space, u64 number);
/* Have all slots as many users as were seen?  Forgets what was seen.  Else *why says what. */
bool swap_check(struct swap_space *space, const char **why);

/* -------------------------------------------------------------------------- definitions -- */

/* NULL: there is no such slot. */
static inline struct swap_slot *swap_slot(struct swap_space *space, u64 number,
					  struct swap_area **out)
{
	struct swap_area *area;

	if (swap_area_of(number) >= VMAREA_SWAP_AREAS)
		return NULL;
	/* Pairs with the release in vmarea_swapon(). */
	area = atomic_load_acquire(&space->areas[swap_area_of(number)]);
	*out = area;
	if (!area || swap_offset_of(number) >= area->nr_slots)
		return NULL;
	return &area->slots[swap_offset_of(number)];
}

static inline bool swap_is_cached(struct swap_space *space, u64 number)
{
	struct swap_area *area;
	const struct swap_slot *slot;
	bool cached;

	rcu_read_lock();
	slot = swap_slot(space, number, &area);
	cached = slot && swap_is_pfn(atomic_load_relaxed(&slot->pfn));
	rcu_read_unlock();
	return cached;
}

#endif
