/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Threads at random on the pages of several address spaces: what the parts of the program share.
 * The essay is in pages.c.
 */
#ifndef TESTS_STRESS_PAGES_H
#define TESTS_STRESS_PAGES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <vmarea/debug.h>
#include <vmarea/host.h>
#include <vmarea/soft_tlb.h>

#include "census.h"

#define PAGE		4096ul
#define BASE		0x10000000ul		/* below 2^38, and of 2 MiB */
#define REGION_PAGES	1024ul			/* two tables */
#define NR_REGIONS	8ul
#define NR_PAGES	(NR_REGIONS * REGION_PAGES)
#define NR_THREADS	4u
#define NR_SLOTS	5u
#define NR_PINS		8u			/* held by one thread across calls */

enum region {
	ANON,			/* private; comes back from MOVED */
	MOVED,			/* where mremap() takes ANON and HUGE to */
	FLOORED,		/* private; nothing is ever moved to it */
	HUGE,			/* the same, with MADV_HUGEPAGE */
	SHARED_ANON,
	SHMEM,
	PRIVATE_FILE,
	SHARED_FILE,
};

static inline enum region region_of(unsigned long page)
{
	return (enum region)(page / REGION_PAGES);
}

/* Nothing that was stored elsewhere, or before, is ever put there. */
static inline bool has_floor(unsigned long page)
{
	return region_of(page) == FLOORED || region_of(page) == HUGE;
}

static inline unsigned long floor_index(unsigned long page)
{
	return page - FLOORED * REGION_PAGES;
}

static inline unsigned long addr_of(unsigned long page)
{
	return BASE + page * PAGE;
}

/* ------------------------------------------------------------------- address spaces -- */

#define MAX_DEPTH	24u
#define SHADOW_GROUP	32ul

/* version, page of its group, frame (0: none) */
static inline uint64_t shadow_word(uint64_t version, unsigned long page, unsigned long pfn)
{
	return version << 37 | (uint64_t)(page % SHADOW_GROUP) << 32 | pfn;
}

/* An mm and what the program knows of it; as long as somebody has a reference. */
struct space {
	struct mm_user *mm;
	unsigned int refs;			/* atomic */
	struct space *next;			/* of all there are: spaces_lock */
	/* Whose stamps may be in it: its own, and its ancestors' up to the fork. */
	unsigned int depth;
	struct ancestor { uint32_t id, until; } line[MAX_DEPTH];
	/* What is older than this is gone: tickets, atomic; by floor_index(). */
	uint32_t floor[2 * REGION_PAGES];
	/* The last store by a thread: what is older may not come back.  Its own, or at rest. */
	uint32_t own[NR_THREADS][2 * REGION_PAGES];
	/* A device that remembers a frame of each group of pages: shadow_word(), atomic. */
	struct mmu_notifier notifier;
	uint64_t shadow[NR_PAGES / SHADOW_GROUP];
};

extern struct vmarea *instance;
extern struct file *shmem_file, *disk_file;

struct space *space_root(unsigned long random);	/* NULL: no memory */
struct space *space_fork(struct space *parent, long *err);
static inline uint32_t space_id(const struct space *space)
{
	return space->line[space->depth - 1].id;
}

struct space *space_get(struct space *space);
void space_put(struct space *space, bool async);
extern struct space *all_spaces;		/* at rest */

/* ------------------------------------------------------------------------ threads -- */

struct pin {
	struct page *page;			/* NULL: none */
	unsigned long index;			/* of its page in the address space */
	uint32_t mm;				/* id */
	bool write;
};

struct thread {
	pthread_t id;
	uint64_t random;
	unsigned int nr;
	struct space *space;			/* has a reference, for some operations */
	struct pin pins[NR_PINS];
	struct soft_tlb *tlb;
	struct soft_tlb_space *tlb_space;	/* attached to space */
	struct host_window *window;
};

extern struct thread threads[NR_THREADS];

static inline unsigned long pick(struct thread *t, unsigned long below)
{
	t->random = t->random * 6364136223846793005ull + 1442695040888963407ull;
	return (t->random >> 33) % below;
}

/* What happened, by kind of operation: for the line at the end. */
enum op {
	OP_LOAD, OP_STORE, OP_FAULT, OP_SOFT_LOAD, OP_SOFT_STORE, OP_HOST_LOAD, OP_HOST_STORE,
	OP_REMOTE, OP_TRANSLATE, OP_PIN, OP_PINNED_STORE, OP_GUP_FAST, OP_SHADOW,
	OP_MAP, OP_UNMAP, OP_PROTECT, OP_MOVE, OP_FORK, OP_EXIT, OP_EXEC, OP_CREATE,
	OP_DONTNEED, OP_FREE, OP_COLD, OP_PAGEOUT, OP_POPULATE, OP_COLLAPSE, OP_HUGEPAGE, OP_GUARD,
	OP_REMOVE, OP_WIPE, OP_LOCK, OP_MINCORE, OP_FILE_READ, OP_FILE_WRITE, OP_FILE_SIZE, OP_TRIM,
	OP_VALIDATE, NR_OPS,
};

enum outcome { DONE, REFUSED, NO_MEMORY, NR_OUTCOMES };

void count(struct thread *t, enum op op, enum outcome outcome);
void operate(struct thread *t);
void close_slots(struct thread *t);
void trim(struct thread *t);

/* Before the threads rest, and when they end. */
void let_go_of_space(struct thread *t);
void unpin_all(struct thread *t);

/* --------------------------------------------------------------------- what must hold -- */

/* Everything, while nobody calls anything. */
void take_census(void);

/* ---------------------------------------------------------------------- stamps: stamp.c -- */

/* Words of a page: one for the stores of each thread, and one for its stores to pinned frames. */
static inline unsigned long word_of(const struct thread *t)
{
	return 64 * (1 + t->nr);
}

static inline unsigned long pinned_word_of(const struct thread *t)
{
	return 64 * (1 + NR_THREADS + t->nr);
}

/* From here on until stamp_done() a store of this thread's may be on its way. */
uint64_t stamp_new(struct thread *t, uint32_t mm, unsigned long page);
void stamp_done(struct thread *t);
/* What the disk has. */
uint64_t stamp_of_disk(unsigned long page);
/* A word of a page of some mm: is it of this place at all? */
void stamp_check_place(uint64_t word, unsigned long page);

/* Before a load, what then must not be older. */
struct expected {
	uint32_t floor, own;
};
struct expected stamp_expect(const struct thread *t, const struct space *space, unsigned long page,
			     unsigned long at);
void stamp_check(const struct space *space, unsigned long page, uint64_t word,
		 struct expected expected);
/* Of a thread's own word, when the store is done. */
void stamp_stored(struct thread *t, struct space *space, unsigned long page, uint64_t word);

/* A discard: from before the call, and then of what it has discarded. */
uint32_t stamp_horizon(void);
void stamp_discarded(struct space *space, unsigned long page, unsigned long nr, uint32_t horizon);
uint32_t stamp_now(void);

#endif
