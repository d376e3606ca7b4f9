/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A page goes to swap: the steps are in swap/swap.c.
 *
 * Who comes by meanwhile.  A fault that meets an entry finds the page in the cache, locked, and
 * waits without a lock; so it has a reference, the page stays, and what was written is found to be
 * of no use this time.  A fork copies entries and leaves: of entries it makes users, and what it
 * makes of leaves is found by the second round of the walk.  A zap takes out either; when the last
 * is gone nobody wants the bytes, and they are not written.
 *
 * A pin is of an exclusive page, taken under the lock of its table, as the walk looks for it.  So
 * is a write: after the entry has been exchanged nobody has a translation that allows one.
 */
#include "reclaim/swap_out.h"

/* In its slot, and taken out of the cache. */
static int write_out(struct swap_space *space, struct page *page, u64 number)
	__must_hold(page) __may_sleep
{
	int err;

	/*
	 * The caller alone: there are no entries any more.  Who still comes by the number of one
	 * may read what was never written, and finds no entry to map it at.
	 */
	if (swap_users(space, number) > 1) {
		err = swap_write_page(space, page, number);
		if (err)
			return err;
	}
	return swap_leave_page(space, page, number) ? 0 : -EAGAIN;
}

int swap_out(struct vmarea *instance, struct page *page, enum rmap_wait wait)
{
	struct rmap_unmap how = { .leave = RMAP_LEAVE_SWAP, .wait = wait };
	struct swap_space *space = instance->swap;
	int err;

	if (page_flags(page) & (PG_TAIL | PG_ORDER_MASK))
		return -EBUSY;
	err = swap_hold_page(space, page, &how.swap_number);
	if (err)
		return err;
	err = rmap_unmap(page, &how);
	if (!err)
		err = write_out(space, page, how.swap_number);
	swap_put(space, how.swap_number);
	return err;
}
