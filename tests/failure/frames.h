/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The pages of the world: some of each kind, touched, shared, pinned, guarded, locked; and a picture
 * of them all.  In a world of areas only there are none, and all of this is empty.
 */
#ifndef TESTS_FAILURE_FRAMES_H
#define TESTS_FAILURE_FRAMES_H

#include <vmarea/host.h>

#include "world.h"

#define FRAMES_ARENA_BYTES	(16ul << 20)
/* A window's reach: AT(0) and 1024 pages on. */
#define WINDOW_PAGES		1024ul

/* The steps of world_open_as() and world_close(), in this order. */
void frames_begin(void);
void frames_touch(void);
void frames_let_go(void);
void frames_end(void);

/* The child: it has what the parent had when AT(40) to AT(48) was forked; NULL. */
struct mm_user *frames_kin(void);
/* WORLD_WINDOW; else NULL. */
struct host_window *frames_window(void);

/* The mm's and the child's walkers, and what the window shows against the tables. */
bool frames_are_sound(char *why, size_t why_bytes);

/* ------------------------------------------------------------- pictures -- */

/* One entry of a page table, or one byte of mincore()'s answer. */
struct look {
	unsigned long addr;
	u32 attrs, flags;		/* rights, accessed, dirty; of the page, or of a soft entry */
	u64 bytes;			/* a hash of all of them */
};

struct looks {
	struct look *at;
	size_t nr, room;
};

struct frames_picture {
	struct looks mm, kin, core;
	unsigned long rss[4];		/* anonymous, of files, shmem, swapped */
};

void frames_take_picture(struct frames_picture *picture);
void frames_free_picture(struct frames_picture *picture);

/* How a picture may differ from the one before, on the way to the one after. */
enum frames_left {
	LEFT_NOTHING,			/* it does not */
	LEFT_RIGHTS,			/* anonymous pages may have lost the right to be written to */
	LEFT_CACHE,			/* tables do not; pages of files may have come */
	LEFT_FIRST,			/* of the entries that change, the first so many have */
	LEFT_FIRST_OF_AREA,		/* the same in each area */
	LEFT_SOME,			/* each entry has changed, or has not */
};

/*
 * What is wrong, as text in @why; NULL if nothing is.  *nr_changed: entries that are as after and
 * not as before.  @after may be NULL for LEFT_NOTHING and LEFT_RIGHTS.  @replaces: what was there
 * may be gone before anything comes in its place.
 */
const char *frames_compare(const struct frames_picture *before, const struct frames_picture *is,
			   const struct frames_picture *after, enum frames_left left,
			   bool replaces, long *nr_changed, char why[200]);

/* ------------------------------------------------------------------ hog -- */

/* Takes every frame but @left_over. */
void hog_take(unsigned long left_over);
void hog_give_back(void);

#endif
