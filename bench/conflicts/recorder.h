/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Records which memory the library touches, thread by thread.
 *
 * The library is compiled with -fsanitize=thread and linked with this in place of the sanitizer's
 * run time: before each access that could be to shared memory the compiler has put a call, and
 * here is what it calls.  Atomic operations are made here, and recorded.
 *
 * Recorded is what a thread does between recorder_begin() and recorder_end(), its own stack left
 * out.  The same access from the same place is recorded once: the question is which lines are
 * touched, not how often.
 *
 * What happens is the same in each run, to the address:
 *
 *   Memory.  Each thread has a heap of its own that only grows, at a fixed place; recorder_reset()
 *	empties all.  So nothing is seen twice under one address, and what two threads allocate is
 *	apart, as with any allocator that has caches for threads.  Blocks are aligned to lines as
 *	port_alloc() promises, and no two share one.
 *	Arenas are where the host puts them, and recorded as if they were at fixed places.
 *   Grace periods.  One thread at a time is at work and none is in a read section, so a grace
 *	period may end at any time.  It ends at recorder_settle(), where callbacks are called; or
 *	at once for who waits for it.  A recorded port_call_rcu() still does what it does, but
 *	with a head that is empty, so that the thread behind it is of no consequence.
 *   Time.  The clock goes on by one microsecond each time it is asked.
 *
 * What is not seen: the C library, liburcu's own code, the kernel.  Waiting for a grace period,
 * which is liburcu's, is recorded as what it does to readers: it writes the number that they copy
 * and reads each slot that they write.
 */
#ifndef RECORDER_H
#define RECORDER_H

#include <stddef.h>
#include <stdint.h>

enum recorder_kind { RECORDER_READ = 'r', RECORDER_WRITE = 'w', RECORDER_ATOMIC = 'a' };

struct recorder_access {
	uintptr_t addr, pc;
	uint32_t bytes;
	enum recorder_kind kind;
};

/* A block of a heap, and who asked for it: callers, innermost first.  Or a piece of an arena. */
#define RECORDER_CALLERS	3
struct recorder_block {
	uintptr_t addr, caller[RECORDER_CALLERS];
	size_t bytes;
	const char *label;		/* what the piece is; NULL: a block */
};

#define RECORDER_THREADS	3

/*
 * Once for each thread that is to be seen, at its beginning, @nr from 0.  Gives it an id that is
 * the same in each run (the library spreads some lines by it) and a slot with RCU.
 */
void recorder_enter(unsigned int nr);

void recorder_begin(void);
/* The calling thread's records since then, valid until the next begin. */
size_t recorder_end(const struct recorder_access **log);

/* Ends the grace period of all that was given to port_call_rcu(). */
void recorder_settle(void);
/* All heaps are empty and all arenas are gone: nothing that was allocated is in use. */
void recorder_reset(void);
/* The block that @addr is in, valid until the next call; NULL: it is in none. */
const struct recorder_block *recorder_block_of(uintptr_t addr);
/* A number that two equal histories since the last reset have in common. */
uint64_t recorder_fingerprint(void);
/* Where its reader slot is: a line that each of its RCU read sections writes. */
uintptr_t recorder_rcu_slot(unsigned int nr);

/* In place of the C library's, by libc_names.h. */
void *observed_memcpy(void *to, const void *from, size_t bytes);
void *observed_memmove(void *to, const void *from, size_t bytes);
void *observed_memset(void *to, int byte, size_t bytes);
int observed_memcmp(const void *a, const void *b, size_t bytes);
int observed_memalign(void **out, size_t align, size_t bytes);
void observed_free(void *p);

#endif
