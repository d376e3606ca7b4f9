/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * RCU under Linux's names: the port's, with atomic context tracked in debug builds.
 *
 * The promises are those of port.h.  What is freed goes through call_rcu() with a struct
 * port_rcu_head inside it; what is found is read with rcu_dereference() and published with
 * rcu_assign_pointer().
 */
#ifndef SYNC_RCU_H
#define SYNC_RCU_H

#include "sync/witness.h"

static __always_inline void rcu_read_lock_at(const char *place)	__enters_atomic;
static __always_inline void rcu_read_unlock_at(const char *place)	__leaves_atomic;
static inline void synchronize_rcu_at(const char *place)	__may_sleep;
static inline void rcu_barrier_at(const char *place)		__may_sleep;

static __always_inline __no_context_analysis void rcu_read_lock_at(const char *place)
{
	port_rcu_read_lock();
	witness_rcu_enter(place);
}

static __always_inline __no_context_analysis void rcu_read_unlock_at(const char *place)
{
	witness_rcu_leave(place);
	port_rcu_read_unlock();
}

/* In an RCU read section no thread may sleep.  Sections nest. */
#define rcu_read_lock()			rcu_read_lock_at(WITNESS_HERE)
#define rcu_read_unlock()		rcu_read_unlock_at(WITNESS_HERE)

#define rcu_dereference(p)		port_rcu_dereference(p)
#define rcu_assign_pointer(p, v)	port_rcu_assign(p, v)

/* fn(head) runs after all read sections that are open now, in another thread; it must not sleep. */
static inline void call_rcu(struct port_rcu_head *head, void (*fn)(struct port_rcu_head *head))
{
	port_call_rcu(head, fn);
}

static inline void synchronize_rcu_at(const char *place)
{
	might_sleep_at(place);
	port_synchronize_rcu();
}

static inline void rcu_barrier_at(const char *place)
{
	might_sleep_at(place);
	port_rcu_barrier();
}

/* Waits for the read sections that are open now. */
#define synchronize_rcu()		synchronize_rcu_at(WITNESS_HERE)
/* Waits for the callbacks that are queued now.  Not from a callback. */
#define rcu_barrier()			rcu_barrier_at(WITNESS_HERE)

#endif
