/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The lock checker of debug builds.  In a release build all of this is nothing.
 *
 * A lock tells the checker before it waits, when it has been taken, and when it is given back;
 * see witness.c for what is reported.  Locks of sync/ do so themselves.  A lock made elsewhere
 * (the one in a VMA) calls the same functions:
 *
 *	witness_before(lock, rank, subclass, place);	it may wait: not for a trylock
 *	...						taken
 *	witness_after(lock, rank, subclass, mode, place);
 *	...
 *	witness_release(lock, mode, place);
 *
 * place is WITNESS_HERE, or what the caller was given as its own caller's.  subclass is 0, or
 * more for the second, third... lock of one rank that is taken in a fixed order.
 */
#ifndef SYNC_WITNESS_H
#define SYNC_WITNESS_H

#include "port/port.h"
#include "sync/rank.h"

enum witness_mode {
	WITNESS_SHARED,
	WITNESS_EXCLUSIVE,
	WITNESS_SPIN,			/* exclusive, and its holder is in atomic context */
};

#define __WITNESS_STR(x)	#x
#define __WITNESS_LINE(x)	__WITNESS_STR(x)

#ifdef CONFIG_VMAREA_DEBUG

# define WITNESS_HERE		(__FILE__ ":" __WITNESS_LINE(__LINE__))

/* A member of each lock. */
# define WITNESS_MEMBER		u32 rank;
# define witness_rank(lock)	((lock)->rank)
# define witness_set_rank(lock, to)	((lock)->rank = (to))

/* Reports an order that could deadlock, or a second attempt at a lock already held. */
void witness_before(const void *lock, u32 rank, unsigned int subclass, const char *place);

/* Notes that @lock is held.  Reports it if it already was, unless both are shared. */
void witness_after(const void *lock, u32 rank, unsigned int subclass, enum witness_mode mode,
		   const char *place);

/* Reports a lock that is not held, or is held in another mode. */
void witness_release(const void *lock, enum witness_mode mode, const char *place);

/* Exclusive to shared. */
void witness_downgrade(const void *lock, const char *place);

/* Is @lock held by this thread, in @mode or a stronger one? */
bool witness_holds(const void *lock, enum witness_mode mode);

/* Reports if @lock is not held so. */
void witness_assert_held_at(const void *lock, u32 rank, enum witness_mode mode, const char *place);

/* Reports that @field of the struct @type at @object was written without what it @needs. */
void witness_unguarded(const char *type, const void *object, const char *field, const char *needs,
		       const char *place);

/* Reports each lock, and an RCU read section, that this thread still has. */
void witness_assert_none_held_at(const char *place);

void witness_rcu_enter(const char *place);
void witness_rcu_leave(const char *place);

/* Reports if this thread is in atomic context. */
void witness_might_sleep(const char *place);

/*
 * Sends the calling thread's reports to fn(arg, text); when fn returns, the thread goes on as
 * if all were well.  NULL: back to the default, which is port_panic().
 */
void witness_set_report(void (*fn)(void *arg, const char *text), void *arg);

#else

# define WITNESS_HERE		NULL
# define WITNESS_MEMBER
# define witness_rank(lock)	LOCK_RANK_NONE
# define witness_set_rank(lock, to)	((void)(to))

/* Their arguments have no effects, and count as used. */
# define witness_before(lock, rank, subclass, place)				\
	((void)(lock), (void)(rank), (void)(subclass), (void)(place))
# define witness_after(lock, rank, subclass, mode, place)			\
	((void)(lock), (void)(rank), (void)(subclass), (void)(mode), (void)(place))
# define witness_release(lock, mode, place)	((void)(lock), (void)(mode), (void)(place))
# define witness_downgrade(lock, place)		((void)(lock), (void)(place))
# define witness_assert_held_at(lock, rank, mode, place)			\
	((void)(lock), (void)(rank), (void)(mode), (void)(place))
# define witness_assert_none_held_at(place)	((void)(place))
# define witness_rcu_enter(place)		((void)(place))
# define witness_rcu_leave(place)		((void)(place))
# define witness_might_sleep(place)		((void)(place))

#endif

static inline void might_sleep_at(const char *place)	__may_sleep;
static inline void might_sleep_at(const char *place)
{
	witness_might_sleep(place);
}

/* Says, and in a debug build checks, that what follows may sleep. */
#define might_sleep()			might_sleep_at(WITNESS_HERE)
#define witness_assert_none_held()	witness_assert_none_held_at(WITNESS_HERE)
#define witness_assert_held(lock, mode)						\
	witness_assert_held_at((lock), witness_rank(lock), (mode), WITNESS_HERE)

#endif
