/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Threads that come to pages by their files and by their frames, beside threads that come by
 * addresses: what the parts of the program share.  The essay is in files.c.
 */
#ifndef TESTS_STRESS_FILES_H
#define TESTS_STRESS_FILES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <vmarea/file.h>
#include <vmarea/reclaim.h>
#include <vmarea/soft_tlb.h>
#include <vmarea/swap.h>

#include "census.h"

#define PAGE		4096ul
#define BASE		0x10000000ul
#define REGION_PAGES	64ul
#define NR_THREADS	4u
#define NR_SLOTS	4u			/* mms that can be taken */

/* Of a file: these are never cut nor punched; then come those that are punched, and those cut. */
#define KEPT_PAGES	32ul
#define CUT_PAGE	48ul			/* the file is never shorter */

enum region {
	ANON,			/* private; comes back from ANON_MOVED */
	ANON_MOVED,
	ANON_SHARED,		/* of a root mm and those forked of it */
	SHMEM_SHARED,
	SHMEM_PRIVATE,
	DISK_SHARED,		/* comes back from DISK_MOVED */
	DISK_MOVED,
	DISK_PRIVATE,
	NR_CALLED,		/* so many are unmapped, discarded, protected */
	COUNTERS = NR_CALLED,	/* private, and only lost by a defect: anonymous */
	COUNTERS_OF_DISK,	/* copies of the first pages of the file */
	NR_REGIONS,
};

static inline unsigned long addr_of(enum region region, unsigned long page)
{
	return BASE + ((unsigned long)region * REGION_PAGES + page) * PAGE;
}

enum which { SHMEM, DISK, NR_FILES, NO_FILE = NR_FILES };

static inline enum which file_of(enum region region)
{
	switch (region) {
	case SHMEM_SHARED: case SHMEM_PRIVATE:
		return SHMEM;
	case DISK_SHARED: case DISK_MOVED: case DISK_PRIVATE: case COUNTERS_OF_DISK:
		return DISK;
	default:
		return NO_FILE;
	}
}

static inline bool is_shared(enum region region)
{
	return region == ANON_SHARED || region == SHMEM_SHARED || region == DISK_SHARED ||
	       region == DISK_MOVED;
}

/* ------------------------------------------------------------------------- words -- */

/*
 * The words of a page that are stored to: one of each thread for shared memory, and one of each for
 * private memory, which no file ever shows.  Both in each half of the page: a file may end between.
 */
static inline unsigned long shared_word(unsigned int thread)
{
	return 960 * (1 + thread);
}

static inline unsigned long private_word(unsigned int thread)
{
	return shared_word(thread) + 64;
}

/* Stored by @thread as its @ticket-th store, for @mm (0: for a file), to @page of @region. */
uint64_t stamp(enum region region, unsigned long page, unsigned int thread, uint32_t mm,
	       uint32_t ticket);
/* The ticket of a word that @thread alone stores to; 0: nobody has.  @mm: out. */
uint32_t stamp_read(enum region region, unsigned long page, unsigned int thread, uint64_t word,
		    uint32_t *mm);

/* ----------------------------------------------------------------- address spaces -- */

#define MAX_DEPTH	24u
#define NR_COUNTERS	8ul			/* pages, of each of the two regions */

struct counter {
	uint32_t least;				/* atomic: what the owner has stored last, or more */
	bool exactly;				/* the owner's: it is that */
};

struct space {
	struct mm_user *mm;
	unsigned int refs;			/* atomic */
	struct space *next;			/* of all there are: spaces_lock */
	unsigned int depth;
	/* Whose private words may be in it, and by each thread up to which ticket. */
	struct ancestor { uint32_t id, until[NR_THREADS]; } line[MAX_DEPTH];
	struct counter counters[2][NR_COUNTERS][NR_THREADS];
};

struct space *space_root(void);			/* NULL: no memory */
struct space *space_fork(struct space *parent, long *err);
struct space *space_get(struct space *space);
void space_put(struct space *space, bool async);
static inline uint32_t space_id(const struct space *space)
{
	return space->line[space->depth - 1].id;
}

/* ---------------------------------------------------------------------- threads -- */

struct thread {
	pthread_t id;
	uint64_t random;
	unsigned int nr;
	uint32_t tickets;			/* atomic: drawn so far */
	struct space *space;			/* has a reference, for some operations */
	struct soft_tlb *tlb;
	struct soft_tlb_space *tlb_space;	/* attached to space; NULL: no memory */
	struct file *disk;			/* its own, to be told of errors */
	/* Of shared words of the files: its own last store, and what it has seen of others. */
	uint32_t own[NR_FILES][REGION_PAGES];
	uint32_t seen[NR_FILES][KEPT_PAGES][NR_THREADS];
};

extern struct thread threads[NR_THREADS];
extern struct vmarea *instance;
extern struct file *files[NR_FILES];		/* what is mapped */
extern uint64_t store[REGION_PAGES * PAGE / 8];	/* atomic: what DISK is kept in */
extern pthread_mutex_t size_lock;		/* the size of DISK, and of what it is kept in */

static inline uint64_t kept(unsigned long offset)
{
	return __atomic_load_n(&store[offset / 8], __ATOMIC_RELAXED);
}

static inline void keep(unsigned long offset, uint64_t word)
{
	__atomic_store_n(&store[offset / 8], word, __ATOMIC_RELAXED);
}

static inline unsigned long pick(struct thread *t, unsigned long below)
{
	t->random = t->random * 6364136223846793005ull + 1442695040888963407ull;
	return (t->random >> 33) % below;
}

enum op {
	OP_LOAD, OP_STORE, OP_SOFT_STORE, OP_COUNT, OP_FAULT, OP_FILE_READ, OP_FILE_WRITE,
	OP_MIGRATE, OP_MIGRATE_FILE, OP_IDLE, OP_CLEAN, OP_UNMAP_PAGE, OP_SYNC, OP_MSYNC, OP_SIZE,
	OP_PUNCH, OP_REMOVE, OP_UNMAP_RANGE, OP_UNMAP_TRY, OP_DONTNEED, OP_FREE, OP_COLD, OP_PAGEOUT,
	OP_MAP, OP_UNMAP, OP_PROTECT, OP_MOVE, OP_FORK, OP_EXIT, OP_CREATE, OP_VALIDATE,
	OP_RECLAIM, NR_OPS,
};

enum outcome { DONE, REFUSED, NO_MEMORY, NR_OUTCOMES };

void count(struct thread *t, enum op op, enum outcome outcome);
void operate(struct thread *t);
void let_go_of_space(struct thread *t);
void close_slots(struct thread *t);
/* The file becomes shorter, and what it is kept in. */
void cut_disk(unsigned long bytes);

#endif
