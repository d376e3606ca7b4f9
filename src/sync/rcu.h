/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * RCU read sections, as atomic context that debug builds track: no thread may sleep in one.  The
 * promises are those of port.h, whose functions serve for all else: what is freed goes through
 * port_call_rcu().  What a signal handler may call takes the port's read lock, too (api/query.c).
 */
#ifndef SYNC_RCU_H
#define SYNC_RCU_H

#include "sync/witness.h"

static __always_inline void rcu_read_lock_at(const char *place)	__enters_atomic;
static __always_inline void rcu_read_unlock_at(const char *place)	__leaves_atomic;

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

#endif
