/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The slow path of page_lock.h. */

#include "phys/page_lock.h"

/* Whoever sleeps has set PG_WAITED_FOR in @flags. */
static void sleep_on(struct page *page, u32 flags) __may_sleep
{
	if ((flags & PG_WAITED_FOR) ||
	    atomic_cas_relaxed(&page->flags, &flags, flags | PG_WAITED_FOR))
		port_wait(&page->flags, flags | PG_WAITED_FOR, PORT_NO_DEADLINE);
}

void page_lock_wait(struct page *page)
{
	while (!page_lock_try(page)) {
		u32 flags = page_flags(page);

		if (flags & PG_LOCKED)
			sleep_on(page, flags);
	}
}

void page_wait_unlocked(struct page *page)
{
	u32 flags;

	might_sleep();
	witness_before(page, LOCK_RANK_PAGE, 0, WITNESS_HERE);
	/* Relaxed: what it was locked for is looked at by other ways. */
	while ((flags = page_flags(page)) & PG_LOCKED)
		sleep_on(page, flags);
}

void page_unlock_wake(struct page *page)
{
	port_wake(&page->flags, PORT_WAKE_ALL);
}
