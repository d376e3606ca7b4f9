/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The lock checker of debug builds.  In a release build all of this is nothing.
 *
 * A lock tells the checker before it waits, when it has been taken, and when it is given back;
 * see witness.c for what is reported.  Locks of sync/ do so themselves.  A lock made elsewhere
 * (the one in a VMA, a driver's own) calls the same functions:
 *
 *	witness_before(lock, class, subclass, place);	it may wait: not for a trylock
 *	...						taken
 *	witness_after(lock, class, subclass, mode, place);
 *	...
 *	witness_release(lock, label, mode, place);
 *
 * class is a rank (rank.h) or what witness_class() made of a name.  place is WITNESS_HERE, or what
 * the caller was given as its own caller's.  subclass is 0, or more for the second, third... lock
 * of one class that is taken in a fixed order.
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

# include "base/atomic.h"

# define WITNESS_HERE		(__FILE__ ":" __WITNESS_LINE(__LINE__))

/* What each lock of sync/ says of itself. */
struct witness_label {
	u32 class;			/* 1 */
	u32 taker;			/* a	took it last and has it; 0: nobody known */
	const char *taken_at;		/* a */
};

# define WITNESS_MEMBER		struct witness_label label; /* i */
# define witness_label(lock)	(&(lock)->label)
# define witness_class_of(lock)	((lock)->label.class)
# define witness_init(lock, rank, place)					\
	((lock)->label = (struct witness_label){ .class = witness_class_at((rank), (place)) })
/* Says who has @lock, to whoever then tries to give it back. */
# define witness_taken(lock, place)	witness_label_taken(&(lock)->label, (place))
void witness_label_taken(struct witness_label *label, const char *place);

/* The class of all locks that are called @name, a string that stays.  The first call makes it. */
u32 witness_class(const char *name);
/* @rank itself; for LOCK_RANK_NONE the class of all locks that are initialised at @place. */
u32 witness_class_at(enum lock_rank rank, const char *place);

/* Reports an order that could deadlock, or a second attempt at a lock already held. */
void witness_before(const void *lock, u32 class, unsigned int subclass, const char *place);

/* Notes that @lock is held.  Reports it if it already was, unless both are shared. */
void witness_after(const void *lock, u32 class, unsigned int subclass, enum witness_mode mode,
		   const char *place);

/* Reports a lock that is not held, or is held in another mode.  @label may be NULL. */
void witness_release(const void *lock, struct witness_label *label, enum witness_mode mode,
		     const char *place);

/* Exclusive to shared. */
void witness_downgrade(const void *lock, const char *place);

/* Is @lock held by this thread, in @mode or a stronger one? */
bool witness_holds(const void *lock, enum witness_mode mode);

/* Reports if @lock is not held so. */
void witness_assert_held_at(const void *lock, u32 class, enum witness_mode mode,
			    const char *place);

/* Reports each lock, and an RCU read section, that this thread still has. */
void witness_assert_none_held_at(const char *place);

/* What was held when a call of the program began. */
struct witness_call {
	const char *name;
	u32 nr;
	u32 rcu_depth;
};

struct witness_call witness_call_begins(const char *name);
/* Reports what has been taken since and is still held. */
void witness_call_returns(const struct witness_call *call);

/* Among the declarations of a function that the program calls, and that leaves nothing held. */
# define witness_call()								\
	const struct witness_call __witness_call				\
		__attribute__((cleanup(witness_call_returns), unused)) =	\
		witness_call_begins(__func__)

/* The call of a driver's hook: the same, and reports say whose hook the thread is in. */
struct witness_hook {
	struct witness_call call;
	const char *outer;		/* the driver of the hook that this one is called in */
};

struct witness_hook witness_hook_begins(const char *name, const char *driver);
void witness_hook_returns(const struct witness_hook *hook);

# define witness_hook(driver)							\
	const struct witness_hook __witness_hook				\
		__attribute__((cleanup(witness_hook_returns), unused)) =	\
		witness_hook_begins(__func__, (driver))

void witness_rcu_enter(const char *place);
void witness_rcu_leave(const char *place);

/*
 * For a program that runs many small ones (vmarea/testing.h): forgets the orders that were learned,
 * so that each begins alike; and what a thread holds, a line for each lock, from its
 * port_thread_state().
 */
void witness_forget_order(void);
void witness_describe_held(const void *state, char *buf, size_t bytes);

/* Reports if this thread is in atomic context. */
void witness_might_sleep(const char *place);

/*
 * For checkers of other rooms: a report in the witness's form, with the calling thread's stack and
 * all that it holds.  Each string may be NULL but the first.
 */
struct witness_finding {
	const char *summary;		/* the first line, after which may come " at @place" */
	const char *place;
	const char *rule;		/* what is broken, in a sentence */
	const char *details;		/* lines of its own, each indented by two and ended */
	const char *advice;
};

void witness_report_finding(const struct witness_finding *finding);

/*
 * Sends the calling thread's reports to fn(arg, text); when fn returns, the thread goes on as
 * if all were well.  NULL: back to the default, which is to print the text and then port_panic()
 * with its first line.
 */
void witness_set_report(void (*fn)(void *arg, const char *text), void *arg);

#else

# define WITNESS_HERE		NULL
# define WITNESS_MEMBER
# define witness_label(lock)	NULL
# define witness_class_of(lock)	LOCK_RANK_NONE
# define witness_init(lock, rank, place)	((void)(rank), (void)(place))
# define witness_taken(lock, place)	((void)(place))

/* Their arguments have no effects, and count as used. */
# define witness_before(lock, class, subclass, place)				\
	((void)(lock), (void)(class), (void)(subclass), (void)(place))
# define witness_after(lock, class, subclass, mode, place)			\
	((void)(lock), (void)(class), (void)(subclass), (void)(mode), (void)(place))
# define witness_release(lock, label, mode, place)				\
	((void)(lock), (void)(label), (void)(mode), (void)(place))
# define witness_downgrade(lock, place)		((void)(lock), (void)(place))
# define witness_assert_held_at(lock, class, mode, place)			\
	((void)(lock), (void)(class), (void)(mode), (void)(place))
# define witness_assert_none_held_at(place)	((void)(place))
# define witness_call()				struct __witness_no_call
# define witness_hook(driver)			struct __witness_no_hook
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
	witness_assert_held_at((lock), witness_class_of(lock), (mode), WITNESS_HERE)

#endif
