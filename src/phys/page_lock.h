/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The page lock: one page's identity, what it is a page of, and who is filling it.
 *
 * A sleeping lock in two bits of the flags, so it costs no memory, and needs a reference to the
 * page.  The flags are the word to sleep on:
 *
 *	free --lock--> PG_LOCKED --a waiter goes to sleep--> PG_LOCKED | PG_WAITED_FOR
 *
 * Unlocking clears both and wakes all: most of them want to know that the page is filled, and do
 * not stay.  Another change of the flags wakes nobody, and one that comes before the sleep only
 * makes the waiter look again.  Not fair.
 *
 * A holder sees what the holders before it did: the unlock is a release, taking it an acquire.
 */
#ifndef PHYS_PAGE_LOCK_H
#define PHYS_PAGE_LOCK_H

#include "phys/phys.h"

void page_lock_wait(struct page *page)		__may_sleep;
void page_unlock_wake(struct page *page);
/*
 * Until it is not locked, or has not been for a moment.  Needs no reference: if the page is another
 * by now, the wait was for nothing.
 */
void page_wait_unlocked(struct page *page)	__may_sleep;

static __always_inline void page_lock_at(struct page *page, const char *place)
	__acquires(page) __may_sleep;
static __always_inline bool page_trylock_at(struct page *page, const char *place)
	__cond_acquires(true, page) __must_check;
static __always_inline void page_unlock_at(struct page *page, const char *place)
	__releases(page);

static __always_inline bool page_lock_try(struct page *page)
{
	u32 flags = page_flags(page);

	while (!(flags & PG_LOCKED))
		/* Pairs with the release in page_unlock_at(). */
		if (atomic_cas_acquire(&page->flags, &flags, flags | PG_LOCKED))
			return true;
	return false;
}

static __always_inline __no_context_analysis void
page_lock_at(struct page *page, const char *place)
{
	might_sleep_at(place);
	witness_before(page, LOCK_RANK_PAGE, 0, place);
	if (unlikely(!page_lock_try(page)))
		page_lock_wait(page);
	witness_after(page, LOCK_RANK_PAGE, 0, WITNESS_EXCLUSIVE, place);
}

static __always_inline __no_context_analysis bool
page_trylock_at(struct page *page, const char *place)
{
	if (!page_lock_try(page))
		return false;
	witness_after(page, LOCK_RANK_PAGE, 0, WITNESS_EXCLUSIVE, place);
	return true;
}

static __always_inline __no_context_analysis void
page_unlock_at(struct page *page, const char *place)
{
	u32 was;

	witness_release(page, NULL, WITNESS_EXCLUSIVE, place);
	/* Pairs with the acquires of page_lock_try(). */
	was = atomic_and_release(&page->flags, ~(u32)(PG_LOCKED | PG_WAITED_FOR));
	VM_DEBUG_ON(!(was & PG_LOCKED), "pfn %u is not locked", page->pfn);
	if (unlikely(was & PG_WAITED_FOR))
		page_unlock_wake(page);
}

/* For assertions: by somebody. */
static inline bool page_is_locked(const struct page *page)
{
	return page_flags(page) & PG_LOCKED;
}

#define page_lock(page)		page_lock_at((page), WITNESS_HERE)
/* True if taken.  Never waits. */
#define page_trylock(page)	page_trylock_at((page), WITNESS_HERE)
#define page_unlock(page)	page_unlock_at((page), WITNESS_HERE)

#endif
