/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Small objects of one size in frames, for what a fault needs: the host's allocator may not be
 * called there, since the program that faults may be inside of it.
 *
 *	frame	| object | object | ... | object | rest |
 *
 * The struct page of such a frame has the chain of its free objects and how many are in use; frames
 * with both kinds are in a list.  A frame without an object in use is freed at once, so a pool that
 * is empty owns nothing.
 */
#ifndef PHYS_OBJECTS_H
#define PHYS_OBJECTS_H

#include "phys/phys.h"

/* What guards a field: src/TAGS. */
struct objects {
	struct arena *arena;			/* 1 */
	unsigned int bytes;			/* 1	of one, with padding */
	unsigned int per_frame;			/* 1 */
	struct spinlock lock;			/* i	rank: arena */
	struct list_head partial __guarded_by(&lock);	/* lock	frames with a free object */
	unsigned long nr_used __guarded_by(&lock);	/* lock	objects */
};

/* Objects of @bytes, aligned as its largest power of two, 64 at most. */
void objects_init(struct objects *pool, struct arena *arena, unsigned int bytes);
/* All have been freed. */
void objects_destroy(struct objects *pool);

/*
 * Zeroed; NULL: no frame.  Waits for nobody but the lock.  In a debug build each call is a place
 * for an injected failure.
 */
void *objects_alloc(struct objects *pool)	__must_check;
void objects_free(struct objects *pool, void *object);

#endif
