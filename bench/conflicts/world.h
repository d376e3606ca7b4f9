/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The state in which calls are compared: an mm, or two that are alike.
 *
 *	region 0	 [ 0] [ 1] [ 2] ... [47]	what side A works on, and what both look at
 *	region 1	 [ 0] [ 1] [ 2] ... [47]	what side B works on
 *
 * An area is 4 pages, private, writable and anonymous, 12 free pages follow; so areas of different
 * number do not merge, and a tree has two levels.  Some have a use of their own, below.  Each mm
 * has been written to, mapped and unmapped before, so that its pools are filled as they are in one
 * that lives: what a first call costs is not what scales or does not.
 */
#ifndef WORLD_H
#define WORLD_H

#include <vmarea/vmarea.h>

#define PAGE		4096ul
#define AREA_BYTES	(4 * PAGE)
#define AREA_STRIDE	(16 * PAGE)
#define REGION_AREAS	48
#define REGION(nr)	(0x100000000ul + (nr) * 0x100000000ul)
#define AREA_AT(region, nr)	(REGION(region) + (nr) * AREA_STRIDE)

#define HEAP_START	0x40000000ul
#define HEAP_END	(HEAP_START + 64 * PAGE)

#define RW		(PROT_READ | PROT_WRITE)
#define ANON		(MAP_PRIVATE | MAP_ANONYMOUS)

/* In each region, by number of the area. */
enum {
	NR_OWN = 20,		/* nobody has written to it; the pages behind it are free */
	NR_TOUCHED = 22,	/* somebody has */
	NR_FILE = 24,		/* maps the instance's file, all others are anonymous */
	NR_SHARED = 36,		/* region 0: both look at it */
};

enum side_nr { SIDE_A, SIDE_B };

/* Where side B works.  Side A is always in the first mm. */
enum place { PLACE_MM, PLACE_MMS, PLACE_INSTANCES, NR_PLACES };

/* What a call is made with. */
struct side {
	struct vmarea *instance;
	struct mm_user *mm;
	struct file *file;
	struct mm_user *child;		/* forked from mm; NULL once it has ended */
	struct mm_user *made;		/* by the call; NULL: none */
	unsigned long shared;		/* the same for both sides */
	unsigned long near;		/* the sides' are neighbours in one leaf and in memory */
	unsigned long own, touched, mapped;
	unsigned long of_shared;	/* the side's own page in it, of which there is none */
	unsigned long brk;
};

/* What there is beside the areas. */
#define NEEDS_CHILD	0x1u		/* forks of the mms */
#define NEEDS_PAGES	0x2u		/* an arena: what was touched has pages, and bytes */
#define NEEDS_ALL	0x3u

/* All on the thread that called recorder_enter(RECORDER_THREADS - 1). */
void world_make(enum place place, unsigned int needs);
void world_side(enum side_nr nr, struct side *side);
/* On the thread that will make the side's call: it has freed pages before. */
void world_warm(struct side *side);
/* Nothing is queued for the background, and the threads behind it sleep. */
void world_quiet(void);
/* @sides are what was lent to calls. */
void world_end(struct side sides[2]);

#endif
