/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Pages that go to swap.  The essay is in swap_out.c. */
#ifndef RECLAIM_SWAP_OUT_H
#define RECLAIM_SWAP_OUT_H

#include "rmap/rmap.h"
#include "swap/swap.h"

/*
 * The locked anonymous page goes to swap; the caller has one reference, and has taken it off its
 * list.  0: it is mapped nowhere, its bytes are in a slot if anybody may still want them, and the
 * frame is the caller's alone.  After an error it is where it was, or in the swap cache, and comes
 * back by a fault:
 *
 *	-ENOSPC		no swap, or none free
 *	-EBUSY		somebody has pinned it; a page of a block that others use, too; 2^29 have it
 *	-EAGAIN		somebody uses it just now, or with RMAP_TRY changes who maps it
 *	-EIO		it could not be written
 */
int swap_out(struct vmarea *instance, struct page *page, enum rmap_wait wait)
	__must_hold(page) __may_sleep __must_check;

#endif
