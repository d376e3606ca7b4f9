/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Taking pages back.  The essay is in reclaim.c.
 *
 * All of it is called with no lock of any mm, file or page held.
 */
#ifndef RECLAIM_RECLAIM_H
#define RECLAIM_RECLAIM_H

#include <vmarea/reclaim.h>

#include "rmap/rmap.h"
#include "vma/types.h"

/* Whose pages, and which. */
struct reclaim_from {
	struct mm_struct *mm;			/* NULL: anybody's */
	unsigned long start, end;		/* of @mm: only these, used or not */
	bool again;				/* nothing went: take any, wait for reverse maps */
};

/* How it went. */
struct reclaim_result {
	unsigned long nr_freed;
	bool busy;				/* others held pages: more in a moment, perhaps */
};

/* Up to about @nr pages. */
struct reclaim_result reclaim_pages(struct vmarea *instance, struct reclaim_from from,
				    unsigned long nr)
	__must_not_hold(vma_stable) __may_sleep;

/* ---- limit.c */

/* Would @nr more pages be more than @mm may have? */
bool mm_over_limit(const struct mm_struct *mm, unsigned long nr);

/*
 * For who got no frame in @mm, or was told that it may have no more: true if it should try again.
 * *nr_tries starts at 0.
 */
bool reclaim_for_retry(struct mm_struct *mm, unsigned int *nr_tries)
	__must_not_hold(vma_stable) __may_sleep;
/* The same for who has no mm: the pages of files. */
bool reclaim_for_file(struct vmarea *instance, unsigned int *nr_tries)
	__must_not_hold(vma_stable) __may_sleep;
/* For a memory call, which may want many, in no RCU read section, as is no call that sleeps. */
bool reclaim_for_call(struct vmarea *instance, unsigned int *nr_tries)
	__must_not_hold(vma_stable) __may_sleep;

/* ---- evict.c */

/* What a page is taken for: whatever its age. */
enum reclaim_mind { RECLAIM_OLD, RECLAIM_ANY };

/* One call of reclaim_pages(). */
struct reclaim {
	struct vmarea *instance;
	enum reclaim_mind mind;
	enum rmap_wait wait;			/* for locks of reverse maps */
	bool can_swap;				/* there are free slots */
	unsigned long nr_freed;
	unsigned long nr_seen;			/* pages that could go, would they be old */
	unsigned long nr_split;			/* blocks that have become pages */
	bool busy;
};

/* May it be one to take?  At a glance, of any frame: for who will look again. */
bool evict_is_candidate(const struct reclaim *r, struct page *page);
/* Looks at a page how old it is, and frees it if it can.  The caller's reference is put. */
void evict_page(struct reclaim *r, struct page *page)	__may_sleep;

/* ---- shrinker.c */

/* Asks each shrinker for a 2^@priority-th of what it has.  How many objects were freed. */
unsigned long shrink_pass(struct vmarea *instance, unsigned int priority)	__may_sleep;
#define SHRINK_FIRST_PRIORITY	12u

#endif
