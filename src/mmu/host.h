/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Inside of the room: a window and the books of what it shows.  The essay is in host.c. */
#ifndef MMU_HOST_H
#define MMU_HOST_H

#include <vmarea/host.h>

#include "mmu/mmu.h"

#define REGION_PAGES		512u		/* 2 MiB */
#define REGION_WORDS		(REGION_PAGES / 64)
#define RUN_PAGES		16u		/* one mapping of the host, if the frames allow */
#define MIN_AREAS		64u

/* 2 MiB of a window: which of its pages are shown, and for what.  All under the window's lock. */
struct host_region {
	u64 shown[REGION_WORDS];		/* lock */
	u64 readable[REGION_WORDS];		/* lock */
	u64 writable[REGION_WORDS];		/* lock */
	u32 nr_shown;				/* lock */
	u32 areas;				/* lock	at most so many of the host lie in it */
};

/* 1 written at creation; i its own lock. */
struct host_window {
	struct port_window port;		/* 1 */
	struct mmu_notifier notifier;		/* 1 */
	struct port_fork_guard fork_guard;	/* 1 */
	struct mmu *mmu;			/* 1 */
	unsigned long start;			/* 1	the mm's address of the first byte */
	struct host_window_config config;	/* 1 */
	unsigned long nr_regions;		/* 1 */
	struct host_region *regions;		/* lock	the array itself: 1 */
	u64 *used;				/* lock	a bit a region: it shows something */
	struct spinlock lock;			/* i	rank: mmu */
	unsigned long pages, areas;		/* lock	sums over regions */
	unsigned long maps, drops;		/* lock	statistics */
	unsigned long hand;			/* lock	the region to be dropped next */
};

/* Pages that lie side by side, in the window and in the arena, and are shown in the same way. */
struct host_run {
	unsigned long page;			/* the first one's number in the window */
	unsigned long nr;
	unsigned long pfn;
	unsigned int allow;			/* PORT_SHOW_* */
	bool zeros;				/* each of them is the zero page */
	unsigned int joined;			/* on so many sides the host has more of it */
};

/* host_map.c.  0; -ENOMEM: the host refuses even when nothing else is shown. */
int host_show(struct host_window *w, const struct host_run *run)
	__must_hold(&w->lock) __must_check;
/* Nothing of pages [first, end) is shown any more.  One call to the host, if anything was. */
void host_hide(struct host_window *w, unsigned long first, unsigned long end) __must_hold(&w->lock);
/* Is it shown so that this access cannot fault? */
bool host_is_shown(const struct host_window *w, unsigned long page, enum mm_access access)
	__must_hold(&w->lock);

unsigned long host_used_words(const struct host_window *w);

#endif
