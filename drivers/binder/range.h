/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A range of pages in the address space of a process, filled by the threads of others.  range.c
 * says how; range_insert.c and range_fault.c say how the process comes to see them, and why no page
 * can come to a VMA that is not the range's.
 *
 * Pages are numbered from the start of the mapping; `end` is exclusive.  Errors: 0 or -errno, and
 * then nothing has changed.
 */
#ifndef BINDER_RANGE_H
#define BINDER_RANGE_H

#include <vmarea/driver.h>

#define BINDER_PAGE		4096ul
/* A longer mapping is used up to here. */
#define BINDER_MAX_PAGES	1024ul

/* The pages of all ranges of one instance that nobody uses, and their shrinker. */
struct binder_pool;
struct binder_range;

/* 0; -ENOMEM. */
int binder_pool_create(struct vmarea *instance, struct binder_pool **out) __may_sleep __must_check;
/*
 * Nobody asks for its pages any more.  Ranges may live on, as long as an address space is on its way by
 * mmput_async().
 */
void binder_pool_destroy(struct binder_pool *pool)	__may_sleep;

/* How pages are shown: by the sender, who inserts them; by the receiver's faults. */
struct binder_range_ops;
extern const struct binder_range_ops binder_by_insert, binder_by_fault;

/* A range that is not mapped yet, of @mm and for ever.  0; -ENOMEM. */
int binder_range_create(struct binder_pool *pool, struct mm_struct *mm,
			const struct binder_range_ops *ops, struct binder_range **out)
	__may_sleep __must_check;
/* From release() of the file that it was mapped by, if it was: no VMA has it any more. */
void binder_range_file_gone(struct binder_range *range)	__may_sleep;
/* That has been, and nobody will use it. */
void binder_range_destroy(struct binder_range *range)	__may_sleep;

/*
 * From the mmap() hook of @file, whose release() says so: @vma becomes the range's.  0; -EINVAL:
 * another mm; -EPERM: writable; -EBUSY: it has been mapped before; -ENOMEM.
 */
int binder_range_mmap(struct binder_range *range, struct file *file, struct vma_new *vma)
	__in_mmap_hook;

/* 0: not mapped yet.  Then it stays, mapped or no more. */
unsigned long binder_range_nr_pages(struct binder_range *range);
unsigned long binder_range_start(struct binder_range *range);

/*
 * Pages [first, end) are there, and stay until binder_range_stop() with the same.  Nests: a page
 * that two use is used until both stop.  From any thread, with no lock held.  0; -ESRCH, of pages
 * that are inserted only: the process is gone, or there is not the range's VMA but nothing or
 * another; -ENOMEM.
 */
int binder_range_use(struct binder_range *range, unsigned long first, unsigned long end)
	__must_not_hold(vma_stable) __may_sleep __must_check;
/* They may go from now on; until then they keep what is in them. */
void binder_range_stop(struct binder_range *range, unsigned long first, unsigned long end);

/* Bytes of pages that the caller uses: @offset is from the start of the mapping. */
void binder_range_write(struct binder_range *range, unsigned long offset, const void *from,
			size_t bytes);
void binder_range_clear(struct binder_range *range, unsigned long offset, size_t bytes);

/* For tests: what there is of page @nr at this moment. */
enum binder_page_state {
	BINDER_PAGE_NONE,		/* no page */
	BINDER_PAGE_IDLE,		/* one that may go */
	BINDER_PAGE_USED,		/* one that stays, or is on its way */
};
enum binder_page_state binder_range_state(struct binder_range *range, unsigned long nr);

#endif
