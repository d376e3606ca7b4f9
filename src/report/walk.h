/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the walker of one mm and that of an instance share.  See validate.c. */
#ifndef REPORT_WALK_H
#define REPORT_WALK_H

#include "base/str.h"
#include "mm/mm.h"

/* What an mm has of its instance's. */
struct walk_totals {
	unsigned long nr_areas, nr_spares;	/* VMAs */
	unsigned long nr_accounted;		/* pages */
	long nr_huge[2];			/* as huge_free */
};

/*
 * I1 to I12 of @mm, whose users are not 0.  0; -EINVAL: the first violation is in @why.  With
 * @totals the mm is added to them, and each of its files counts the areas (file.nr_areas_seen).
 */
int walk_mm(struct mm_struct *mm, struct text *why, struct walk_totals *totals)
	__must_not_hold(vma_stable) __may_sleep;

/*
 * P1 to P6 of @mm: see validate_pages.c.  As walk_mm().  Write-locks every area, so that no fault
 * is inside.  WALK_ALONE: nobody else calls anything, and P6 is looked at, too.
 */
enum walk_beside { WALK_BESIDE_OTHERS, WALK_ALONE };
int walk_pages(struct mm_struct *mm, enum walk_beside beside, struct text *why)
	__must_hold(vma_stable) __may_sleep;

/* "@what is 3, should be 4"; -EINVAL, for brevity's sake. */
int walk_wrong_count(struct text *why, const char *what, unsigned long is, unsigned long should_be);

/* Takes @lock and gives it back; false if it is held for longer than any section lasts. */
bool walk_can_lock(struct spinlock *lock);

#endif
