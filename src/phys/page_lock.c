/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The slow path of page_lock.h. */
#include <limits.h>

#include "phys/page_lock.h"

void page_lock_wait(struct page *page)
{
	while (!page_lock_try(page)) {
		u32 flags = page_flags(page);

		if ((flags & PG_LOCKED) &&
		    ((flags & PG_WAITED_FOR) ||
		     atomic_cas_relaxed(&page->flags, &flags, flags | PG_WAITED_FOR)))
			port_wait(&page->flags, flags | PG_WAITED_FOR, PORT_NO_DEADLINE);
	}
}

void page_unlock_wake(struct page *page)
{
	port_wake(&page->flags, INT_MAX);
}
