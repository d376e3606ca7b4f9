/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A lock for sections of a few instructions.
 *
 * A holder never sleeps, but the host may take its CPU away, and then spinning would burn a whole
 * time slice for nothing.  So a waiter spins for about as long as a section lasts and then
 * sleeps on the word, which has three values:
 *
 *	0 free --lock--> 1 held --a waiter goes to sleep--> 2 held, wake somebody
 *
 * A waiter takes the lock with 2, since it cannot know whether it was the last one; the price is
 * one needless wake-up at the end of a queue.  Not fair: whoever comes at the right moment has
 * it.  One word without pointers, so it works in memory shared by processes.
 *
 * Between spin_lock() and spin_unlock() is atomic context.
 */
#ifndef SYNC_SPINLOCK_H
#define SYNC_SPINLOCK_H

#include "sync/witness.h"

context_lock_struct(spinlock) {
	u32 word;			/* a	futex */
	WITNESS_MEMBER
};

enum { SPIN_FREE, SPIN_HELD, SPIN_WAITED_FOR };

void spin_lock_wait(struct spinlock *lock);

static inline void spin_lock_init_at(struct spinlock *lock, enum lock_rank rank, const char *place)
	__assumes_ctx_lock(lock);
static __always_inline void spin_lock_at(struct spinlock *lock, unsigned int subclass,
					 const char *place)
	__acquires(lock) __enters_atomic;
static __always_inline bool spin_trylock_at(struct spinlock *lock, const char *place)
	__cond_acquires(true, lock) __cond_enters_atomic __must_check;
static __always_inline void spin_unlock_at(struct spinlock *lock, const char *place)
	__releases(lock) __leaves_atomic;

static inline __no_context_analysis void
spin_lock_init_at(struct spinlock *lock, enum lock_rank rank, const char *place)
{
	lock->word = SPIN_FREE;
	witness_init(lock, rank, place);
}

static __always_inline bool spin_try(struct spinlock *lock)
{
	u32 old = SPIN_FREE;

	/* Pairs with the release in spin_unlock_at(). */
	return atomic_cas_acquire(&lock->word, &old, SPIN_HELD);
}

static __always_inline __no_context_analysis void
spin_lock_at(struct spinlock *lock, unsigned int subclass, const char *place)
{
	witness_before(lock, witness_class_of(lock), subclass, place);
	if (unlikely(!spin_try(lock)))
		spin_lock_wait(lock);
	witness_after(lock, witness_class_of(lock), subclass, WITNESS_SPIN, place);
	witness_taken(lock, place);
}

static __always_inline __no_context_analysis bool
spin_trylock_at(struct spinlock *lock, const char *place)
{
	if (!spin_try(lock))
		return false;
	witness_after(lock, witness_class_of(lock), 0, WITNESS_SPIN, place);
	witness_taken(lock, place);
	return true;
}

static __always_inline __no_context_analysis void
spin_unlock_at(struct spinlock *lock, const char *place)
{
	witness_release(lock, witness_label(lock), WITNESS_SPIN, place);
	/* Pairs with the acquires of spin_try() and spin_lock_wait(). */
	if (unlikely(atomic_xchg_release(&lock->word, SPIN_FREE) == SPIN_WAITED_FOR))
		port_wake(&lock->word, 1);
}

/*
 * For a fork guard (port.h).  The checker is not told: locks of one rank are held by the dozen, in
 * the order in which the port has them.
 */
static inline __no_context_analysis void spin_hold_over_fork(struct spinlock *lock)
{
	if (!spin_try(lock))
		spin_lock_wait(lock);
}

/* In the child there is nobody to wake, which does no harm. */
static inline __no_context_analysis void spin_let_go_after_fork(struct spinlock *lock)
{
	/* Pairs as in spin_unlock_at(). */
	if (atomic_xchg_release(&lock->word, SPIN_FREE) == SPIN_WAITED_FOR)
		port_wake(&lock->word, 1);
}

/* For assertions: held by somebody. */
static inline bool spin_is_locked(const struct spinlock *lock)
{
	return atomic_load_relaxed(&lock->word) != SPIN_FREE;
}

/* Of LOCK_RANK_NONE: one class with all locks that are initialised at the same place. */
#define spin_lock_init(lock, rank)	spin_lock_init_at((lock), (rank), WITNESS_HERE)
#define spin_lock(lock)			spin_lock_at((lock), 0, WITNESS_HERE)
/* The second lock of one rank, in an order that the caller keeps: subclass 1, 2... */
#define spin_lock_nested(lock, subclass)	spin_lock_at((lock), (subclass), WITNESS_HERE)
/* True if taken.  Never waits. */
#define spin_trylock(lock)		spin_trylock_at((lock), WITNESS_HERE)
#define spin_unlock(lock)		spin_unlock_at((lock), WITNESS_HERE)

#endif
