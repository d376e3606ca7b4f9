/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A fair reader/writer lock whose waiters sleep.  The mmap lock is one.
 *
 * Any number of readers, or one writer.  What rwsem.c promises, by letter:
 *
 *	F1  From the moment a writer waits, no new reader enters before a writer has been in.
 *	F2  Readers that wait when a writer leaves enter together, before the next writer.  So
 *	    a reader waits for at most one writer after the readers before it, and a writer for
 *	    at most one batch of readers between two writers.
 *	F3  A newcomer may overtake writers that sleep, while one of them is being woken and not
 *	    longer: a woken writer that finds the lock taken again is the next to have it.
 *	F4  A waiter that gives up (time limit, kill) leaves the others as if it had never come.
 *	O1  Everything a holder did is seen by holders after it.
 *
 * The uncontended case is one compare-and-swap for each of lock and unlock, in line.
 *
 * The lock is a few words without pointers and without pthread types, so it works in memory
 * shared by processes.  Its memory must stay until unlock has returned.  It is not recursive,
 * not even for reading: a writer may have come between the two.
 */
#ifndef SYNC_RWSEM_H
#define SYNC_RWSEM_H

#include "sync/kill.h"
#include "sync/witness.h"

/*
 *	 63        44 43        24 23         4 3 2 1 0
 *	+------------+------------+------------+-+-+-+-+
 *	|  writers   |  readers   |  readers   |P|K|F|W|
 *	|  waiting   |  waiting   |  inside    | | | | |
 *	+------------+------------+------------+-+-+-+-+
 */
#define RWSEM_WRITER		(1ull << 0)	/* a writer is inside */
#define RWSEM_FRONT		(1ull << 1)	/* one writer waits as the next one in */
#define RWSEM_WOKEN		(1ull << 2)	/* a writer has been woken and is on its way */
#define RWSEM_PHASE		(1ull << 3)	/* flips when waiting readers are let in */
#define RWSEM_IN		(1ull << 4)	/* one reader inside */
#define RWSEM_IN_MASK		(0xfffffull * RWSEM_IN)
#define RWSEM_RWAIT		(1ull << 24)	/* one reader waiting */
#define RWSEM_RWAIT_MASK	(0xfffffull * RWSEM_RWAIT)
#define RWSEM_WWAIT		(1ull << 44)	/* one writer waiting */
#define RWSEM_WWAIT_MASK	(0xfffffull * RWSEM_WWAIT)

/* A gate is a futex: counted up by 2 when it opens; bit 0 says that somebody sleeps there. */
context_lock_struct(rwsem) {
	u64 state;			/* a	as drawn above */
	u32 readers_gate;		/* a	all waiting readers */
	u32 writers_gate;		/* a	waiting writers but the front one; no bit 0 */
	u32 front_gate;			/* a	the front writer */
	WITNESS_MEMBER
};

/* Ends the wait early.  Zeroed would be a time limit in the past: use RWSEM_PATIENT. */
struct rwsem_patience {
	u64 deadline_ns;
	struct kill_switch *kill;	/* NULL: cannot be killed */
};

#define RWSEM_PATIENT	((struct rwsem_patience){ .deadline_ns = PORT_NO_DEADLINE })

int rwsem_read_wait(struct rwsem *sem, struct rwsem_patience patience)	__may_sleep;
int rwsem_write_wait(struct rwsem *sem, struct rwsem_patience patience)	__may_sleep;
void rwsem_read_wake(struct rwsem *sem);
void rwsem_write_wake(struct rwsem *sem);
void rwsem_downgrade_state(struct rwsem *sem);

/* Marks for the analysis first; what is behind them follows. */
static inline void rwsem_init_at(struct rwsem *sem, enum lock_rank rank, const char *place)
	__assumes_ctx_lock(sem);
static __always_inline void rwsem_read_lock_at(struct rwsem *sem, unsigned int subclass,
					       const char *place)
	__acquires_shared(sem) __may_sleep;
static __always_inline void rwsem_write_lock_at(struct rwsem *sem, unsigned int subclass,
						const char *place)
	__acquires(sem) __may_sleep;
static __always_inline int rwsem_read_lock_patient_at(struct rwsem *sem,
						      struct rwsem_patience patience,
						      const char *place)
	__cond_acquires_shared(0, sem) __may_sleep __must_check;
static __always_inline int rwsem_write_lock_patient_at(struct rwsem *sem,
						       struct rwsem_patience patience,
						       const char *place)
	__cond_acquires(0, sem) __may_sleep __must_check;
static __always_inline bool rwsem_read_trylock_at(struct rwsem *sem, const char *place)
	__cond_acquires_shared(true, sem) __must_check;
static __always_inline bool rwsem_write_trylock_at(struct rwsem *sem, const char *place)
	__cond_acquires(true, sem) __must_check;
static __always_inline void rwsem_read_unlock_at(struct rwsem *sem, const char *place)
	__releases_shared(sem);
static __always_inline void rwsem_write_unlock_at(struct rwsem *sem, const char *place)
	__releases(sem);
static __always_inline void rwsem_downgrade_at(struct rwsem *sem, const char *place)
	__releases(sem) __acquires_shared(sem);

static inline __no_context_analysis void
rwsem_init_at(struct rwsem *sem, enum lock_rank rank, const char *place)
{
	sem->state = 0;
	sem->readers_gate = 0;
	sem->writers_gate = 0;
	sem->front_gate = 0;
	witness_init(sem, rank, place);
}

/* Takes it for reading if no writer is inside or waits (F1). */
static __always_inline bool rwsem_read_try(struct rwsem *sem)
{
	u64 s = atomic_load_relaxed(&sem->state);

	while (!(s & (RWSEM_WRITER | RWSEM_WWAIT_MASK)))
		/* O1: pairs with the releases of all unlocks. */
		if (atomic_cas_acquire(&sem->state, &s, s + RWSEM_IN))
			return true;
	return false;
}

/* Takes it for writing if nobody is inside or waits. */
static __always_inline bool rwsem_write_try(struct rwsem *sem)
{
	u64 s = atomic_load_relaxed(&sem->state);

	/* O1: pairs with the releases of all unlocks. */
	return !(s & ~RWSEM_PHASE) && atomic_cas_acquire(&sem->state, &s, s | RWSEM_WRITER);
}

static __always_inline __no_context_analysis void
rwsem_read_lock_at(struct rwsem *sem, unsigned int subclass, const char *place)
{
	might_sleep_at(place);
	witness_before(sem, witness_class_of(sem), subclass, place);
	if (unlikely(!rwsem_read_try(sem)))
		rwsem_read_wait(sem, RWSEM_PATIENT);
	witness_after(sem, witness_class_of(sem), subclass, WITNESS_SHARED, place);
	witness_taken(sem, place);
}

static __always_inline __no_context_analysis void
rwsem_write_lock_at(struct rwsem *sem, unsigned int subclass, const char *place)
{
	might_sleep_at(place);
	witness_before(sem, witness_class_of(sem), subclass, place);
	if (unlikely(!rwsem_write_try(sem)))
		rwsem_write_wait(sem, RWSEM_PATIENT);
	witness_after(sem, witness_class_of(sem), subclass, WITNESS_EXCLUSIVE, place);
	witness_taken(sem, place);
}

static __always_inline __no_context_analysis int
rwsem_read_lock_patient_at(struct rwsem *sem, struct rwsem_patience patience, const char *place)
{
	int err = 0;

	might_sleep_at(place);
	witness_before(sem, witness_class_of(sem), 0, place);
	if (unlikely(!rwsem_read_try(sem)))
		err = rwsem_read_wait(sem, patience);
	if (!err) {
		witness_after(sem, witness_class_of(sem), 0, WITNESS_SHARED, place);
		witness_taken(sem, place);
	}
	return err;
}

static __always_inline __no_context_analysis int
rwsem_write_lock_patient_at(struct rwsem *sem, struct rwsem_patience patience, const char *place)
{
	int err = 0;

	might_sleep_at(place);
	witness_before(sem, witness_class_of(sem), 0, place);
	if (unlikely(!rwsem_write_try(sem)))
		err = rwsem_write_wait(sem, patience);
	if (!err) {
		witness_after(sem, witness_class_of(sem), 0, WITNESS_EXCLUSIVE, place);
		witness_taken(sem, place);
	}
	return err;
}

static __always_inline __no_context_analysis bool
rwsem_read_trylock_at(struct rwsem *sem, const char *place)
{
	if (!rwsem_read_try(sem))
		return false;
	witness_after(sem, witness_class_of(sem), 0, WITNESS_SHARED, place);
	witness_taken(sem, place);
	return true;
}

static __always_inline __no_context_analysis bool
rwsem_write_trylock_at(struct rwsem *sem, const char *place)
{
	if (!rwsem_write_try(sem))
		return false;
	witness_after(sem, witness_class_of(sem), 0, WITNESS_EXCLUSIVE, place);
	witness_taken(sem, place);
	return true;
}

static __always_inline __no_context_analysis void
rwsem_read_unlock_at(struct rwsem *sem, const char *place)
{
	u64 was;

	witness_release(sem, witness_label(sem), WITNESS_SHARED, place);
	/* O1: pairs with the acquire of the writer that follows. */
	was = atomic_sub_release(&sem->state, RWSEM_IN);
	VM_DEBUG_ON(!(was & RWSEM_IN_MASK), "not read locked: %llx", (unsigned long long)was);
	if (unlikely((was & RWSEM_IN_MASK) == RWSEM_IN && (was & RWSEM_WWAIT_MASK)))
		rwsem_read_wake(sem);
}

static __always_inline __no_context_analysis void
rwsem_write_unlock_at(struct rwsem *sem, const char *place)
{
	u64 s = atomic_load_relaxed(&sem->state);

	witness_release(sem, witness_label(sem), WITNESS_EXCLUSIVE, place);
	VM_DEBUG_ON(!(s & RWSEM_WRITER), "not write locked: %llx", (unsigned long long)s);
	/* O1: pairs with the acquires of the holders that follow. */
	if (unlikely((s & ~RWSEM_PHASE) != RWSEM_WRITER ||
		     !atomic_cas_release(&sem->state, &s, s & RWSEM_PHASE)))
		rwsem_write_wake(sem);
}

static __always_inline __no_context_analysis void
rwsem_downgrade_at(struct rwsem *sem, const char *place)
{
	witness_downgrade(sem, place);
	rwsem_downgrade_state(sem);
}

/* For assertions: by some thread, not necessarily the caller's.  See witness_assert_held(). */
static inline bool rwsem_is_write_locked(const struct rwsem *sem)
{
	return atomic_load_relaxed(&sem->state) & RWSEM_WRITER;
}

static inline bool rwsem_is_locked(const struct rwsem *sem)
{
	return atomic_load_relaxed(&sem->state) & (RWSEM_WRITER | RWSEM_IN_MASK);
}

/* Somebody waits: a long holder may want to give the lock up for a moment. */
static inline bool rwsem_is_contended(const struct rwsem *sem)
{
	return atomic_load_relaxed(&sem->state) & (RWSEM_RWAIT_MASK | RWSEM_WWAIT_MASK);
}

/* Of LOCK_RANK_NONE: one class with all locks that are initialised at the same place. */
#define rwsem_init(sem, rank)		rwsem_init_at((sem), (rank), WITNESS_HERE)
#define rwsem_read_lock(sem)		rwsem_read_lock_at((sem), 0, WITNESS_HERE)
#define rwsem_write_lock(sem)		rwsem_write_lock_at((sem), 0, WITNESS_HERE)

/* The second lock of one rank, in an order that the caller keeps: subclass 1, 2... */
#define rwsem_write_lock_nested(sem, subclass)	rwsem_write_lock_at((sem), (subclass), WITNESS_HERE)

/* For who tries first and waits if that fails: checked as if it had waited. */
#define rwsem_may_wait(sem)							\
	do {									\
		might_sleep();							\
		witness_before((sem), witness_class_of(sem), 0, WITNESS_HERE);	\
	} while (0)

/* True if taken.  Never waits, never overtakes a waiter. */
#define rwsem_read_trylock(sem)		rwsem_read_trylock_at((sem), WITNESS_HERE)
#define rwsem_write_trylock(sem)	rwsem_write_trylock_at((sem), WITNESS_HERE)

/* 0: taken.  -ETIMEDOUT: it would have been necessary to sleep past port_now_ns() == deadline. */
#define rwsem_read_lock_until(sem, deadline)					\
	rwsem_read_lock_patient_at((sem),					\
		(struct rwsem_patience){ .deadline_ns = (deadline) }, WITNESS_HERE)
#define rwsem_write_lock_until(sem, deadline)					\
	rwsem_write_lock_patient_at((sem),					\
		(struct rwsem_patience){ .deadline_ns = (deadline) }, WITNESS_HERE)

/* 0: taken.  -EINTR: it would have been necessary to sleep, and the switch @ks has been fired. */
#define rwsem_read_lock_killable(sem, ks)					\
	rwsem_read_lock_patient_at((sem),					\
		(struct rwsem_patience){ PORT_NO_DEADLINE, (ks) }, WITNESS_HERE)
#define rwsem_write_lock_killable(sem, ks)					\
	rwsem_write_lock_patient_at((sem),					\
		(struct rwsem_patience){ PORT_NO_DEADLINE, (ks) }, WITNESS_HERE)

#define rwsem_read_unlock(sem)		rwsem_read_unlock_at((sem), WITNESS_HERE)
#define rwsem_write_unlock(sem)		rwsem_write_unlock_at((sem), WITNESS_HERE)

/* From writing to reading without letting a writer in between.  Lets waiting readers in. */
#define rwsem_downgrade(sem)		rwsem_downgrade_at((sem), WITNESS_HERE)

#endif
