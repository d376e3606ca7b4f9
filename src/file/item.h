/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the index of a file in memory (FILE_SHMEM) has in the place of a page.  The essay is in
 * swapped.c.  Other files have none of it but ITEM_LEAVING, as long as the index is locked.
 */
#ifndef FILE_ITEM_H
#define FILE_ITEM_H

#include "ds/page_index.h"
#include "swap/swap.h"

/* An *item* is a page's pointer, or has one of these bits set. */
#define ITEM_SLOT		1ul		/* a slot's number, moved up by ITEM_SHIFT */
#define ITEM_LEAVING		2ul		/* a page that is not to be found just now */
#define ITEM_BITS		3ul
#define ITEM_SHIFT		2u
#define ITEM_LOST		((void *)ITEM_BITS)	/* bytes that could not be read */

static inline bool item_is_page(const void *item)
{
	return !((unsigned long)item & ITEM_BITS);
}

static inline bool item_is_slot(const void *item)
{
	return ((unsigned long)item & ITEM_BITS) == ITEM_SLOT;
}

static inline void *item_of_slot(u64 number)
{
	return (void *)(number << ITEM_SHIFT | ITEM_SLOT);
}

static inline u64 item_slot(const void *item)
{
	return (u64)item >> ITEM_SHIFT;
}

static inline void *item_of_leaving(struct page *page)
{
	return (void *)((unsigned long)page | ITEM_LEAVING);
}

/* An item that no index has any more. */
static inline void item_drop(struct swap_space *space, void *item)
{
	if (item_is_slot(item))
		swap_put(space, item_slot(item));
}

#endif
