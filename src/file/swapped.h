/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Pages of files in memory that go to swap, and come back.  The essay is in swapped.c. */
#ifndef FILE_SWAPPED_H
#define FILE_SWAPPED_H

#include "file/filemap.h"

/*
 * The locked page of the file, which no entry maps, goes to swap; the caller has one reference.  0:
 * that is the only one, and the page is nobody's.  After an error it is the file's as before:
 *
 *	-ENOSPC		no swap, or none free
 *	-EAGAIN		somebody uses it just now
 *	-EIO		it could not be written
 */
int filemap_swap_out(struct address_space *mapping, struct page *page)
	__must_hold(page) __must_hold_shared(&mapping->invalidate_lock) __may_sleep __must_check;

/*
 * What the file has at @pgoff, filled, with a reference; read back from swap if need be.  0;
 * -ENOENT: nothing, it is a hole; -ENOMEM; -EIO: it cannot be read.
 */
int filemap_get_kept(struct address_space *mapping, unsigned long pgoff, struct page **out)
	__must_hold_shared(&mapping->invalidate_lock) __may_sleep __must_check;

/* Is there a page at @pgoff, be it in swap?  As of now. */
bool filemap_has(struct address_space *mapping, unsigned long pgoff)	__must_check;

/*
 * The first number at *@pgoff or behind it, before @end, that is in swap; false: there is none.  As
 * of now.
 */
bool filemap_next_swapped(struct address_space *mapping, unsigned long *pgoff, unsigned long end)
	__must_check;

/* Pages of [first, end) that are in swap are read back, as many as can be had. */
void filemap_will_need(struct address_space *mapping, unsigned long first, unsigned long end)
	__may_sleep;
/*
 * A swapoff: reads back all that is in swap area @id.  What cannot be read is lost from then on.
 * 0; -ENOMEM.
 */
int filemap_swapoff(struct address_space *mapping, unsigned int id)	__may_sleep __must_check;

/* The walker: the index names these slots. */
void filemap_see_slots(struct address_space *mapping);

/* ------------------------------------------------------------------- inside of the room -- */

/*
 * One step of a lookup that found no page.  0: a page that was read back, filled; -ENOENT: nothing
 * is there; -ECHANGED: look again; -EAGAIN: @how does not wait; -ENOMEM, -EIO.
 */
int filemap_swap_in(struct address_space *mapping, unsigned long pgoff, enum filemap_get how,
		    struct page **out)
	__must_hold_shared(&mapping->invalidate_lock) __may_sleep __must_check;

#endif
