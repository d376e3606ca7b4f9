/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A machine with one crowded address space, a driver that counts, and a picture of all that can be
 * seen of it.  There is one at a time.
 */
#ifndef TESTS_FAILURE_WORLD_H
#define TESTS_FAILURE_WORLD_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <vmarea/debug.h>

#include "port/port.h"

#define PAGE		4096ul
#define HUGE		(512 * PAGE)
#define AT(page)	(0x10000000ul + (page) * PAGE)
/* Where huge pages are, by huge pages. */
#define HUGE_AT(nr)	(0x40000000ul + (nr) * HUGE)
#define RW		(PROT_READ | PROT_WRITE)
#define ANON		(MAP_PRIVATE | MAP_ANONYMOUS)

/* How much of what a call may need is there already. */
enum pools {
	POOLS_DRY,		/* no VMA and no tree node is free, anywhere */
	POOLS_FRESH,		/* as the making of the address space left them */
	POOLS_WARM,		/* as many a call left them */
	NR_POOLS,
};

/* What an address space has beside areas. */
enum world_kind {
	WORLD_AREAS,		/* nothing */
	WORLD_FRAMES,		/* pages of each kind, and a child that shares some: frames.c */
	WORLD_WINDOW,		/* the same, and a window of the host that shows them */
	NR_WORLDS,
};

#define NR_ANCESTORS	4

#define HOOK_MMAP	1u
#define HOOK_MAY_SPLIT	2u
#define HOOK_MREMAP	4u
#define HOOK_MPROTECT	8u

struct world {
	enum world_kind kind;
	struct vmarea *v;
	struct mm_user *mm;
	struct mm_user *ancestors[NR_ANCESTORS];	/* whom mm comes from by fork; or NULL */
	struct file *file;		/* ordinary */
	struct file *zero;		/* /dev/zero */
	struct file *segment;		/* SysV shared memory of 4 pages */
	struct file *huge;		/* a file of huge pages */
	struct file *device;		/* of the driver below */

	long nr_open;			/* areas, by the driver's hooks */
	unsigned int nr_released;
	unsigned int allocating;	/* hooks that take a page and give it back: or -ENOMEM */
	bool release_works;		/* release() makes an address space of its own */
	int refuse_mremap;		/* what the mremap() hook returns */
	char note[64];			/* what a call has seen beside its result */
	long progress;			/* pages that a call says it has done; -1: it does not say */
	struct vm_area_struct *drained;	/* VMAs that are out of the way */
};

extern struct world w;

void world_open(void);		/* WORLD_AREAS */
void world_open_as(enum world_kind kind);
/* Nothing is promised or open any more, or it fails; returns how many allocations are left. */
long world_close(void);

/* One more file of the driver, one page of it mapped at @addr, and no other reference to it. */
void world_map_late_device(unsigned long addr);

/* Two areas where one was, as a call may leave behind that fails after its first split. */
void world_split(unsigned long addr);

void world_prepare(enum pools pools);
/* No tree node is free: how many a call allocates does not depend on when a grace period ended. */
void world_trim(void);
/* What POOLS_DRY took away is back. */
void world_refill(void);

/*
 * Areas, flags, names, totals, hooks, promises, huge pages.  To be freed.  What pages are there it
 * does not say: frames.h.
 */
char *world_picture(void);
/* Two pictures, from the first line on that is not the same. */
void world_print_difference(const char *should_be, const char *is);

/* Do the walkers find nothing, and are the driver's areas those that it was told of?  Else @why. */
bool world_is_sound(char *why, size_t why_bytes);

#endif
