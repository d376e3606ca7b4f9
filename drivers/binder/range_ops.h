/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What a page range is made of, for range.c and for the two ways in which its pages are shown. */
#ifndef BINDER_RANGE_OPS_H
#define BINDER_RANGE_OPS_H

#include <sys/queue.h>
#include <vmarea/driver_fault.h>
#include <vmarea/shrinker.h>

#include "lock.h"
#include "range.h"

struct slot {
	struct page *page;			/* slots lock; leaves with the place lock, too */
	unsigned int users;			/* slots lock */
	struct binder_range *range;		/* once */
	TAILQ_ENTRY(slot) idle;			/* idle lock */
};

struct binder_pool {
	struct vmarea *instance;		/* once */
	unsigned int refs;			/* atomic: the owner's, and one of each range */
	struct shrinker shrinker;
	struct binder_lock lock;		/* the idle lock */
	TAILQ_HEAD(idle_list, slot) idle;	/* lock */
	unsigned long nr_idle;			/* lock to write */
};

struct binder_range {
	struct binder_pool *pool;		/* once */
	const struct binder_range_ops *ops;	/* once */
	struct mm_struct *mm;			/* once; grabbed */
	struct binder_lock place_lock;
	struct binder_lock lock;		/* the slots lock */
	/* Set by the one mmap(), lock; cleared when it goes, place lock.  NULL: nobody maps it. */
	struct file *file;
	unsigned long start, pgoff;		/* lock; written by the one mmap() */
	unsigned long nr_pages;			/* lock; likewise.  0: not mapped yet */
	struct slot *slots;			/* lock; likewise */
};

struct binder_range_ops {
	const char *name;
	const struct vm_operations_struct *vm_ops;
	/* What the lock checker learns of the place lock is not the same for both. */
	struct vmarea_lock_class *place_class;
	/*
	 * Place lock.  The slot @nr, which has none, is about to have @page: it is seen by the
	 * receiver, now or as soon as it looks.  0; -ESRCH: by nobody; -ENOMEM.
	 */
	int (*show)(struct binder_range *range, unsigned long nr, struct page *page);
	/*
	 * Place lock, and idle lock, which it lets go of.  The page of an idle slot, which nobody
	 * sees any more, out of slot and list; NULL: not now.  Only tries, as all of a shrinker.
	 */
	struct page *(*take)(struct binder_pool *pool, struct slot *slot);
};

static inline unsigned long slot_nr(const struct slot *slot)
{
	return (unsigned long)(slot - slot->range->slots);
}

/* Under any lock that keeps it: a user of it, or the place lock. */
struct page *slot_page(struct binder_range *range, unsigned long nr);
/* Place lock and idle lock: the page of an idle slot, out of slot and list; NULL: not now. */
struct page *slot_take_page(struct slot *slot);
/* The same place lock, never let go of since: it could not be taken after all. */
void slot_put_back_page(struct slot *slot, struct page *page);

#endif
