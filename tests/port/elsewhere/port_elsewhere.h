/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What a port has to declare, and nothing more: for a machine without a C library, a host that never
 * forks, and release builds.  The contract is in src/port/port.h, the way in docs/PORTING.md.
 */
#ifndef PORT_ELSEWHERE_H
#define PORT_ELSEWHERE_H

#include "base/atomic.h"

/* Memory. */
void *port_alloc(size_t bytes)			__must_check __may_sleep;
void port_free(void *p, size_t bytes);
#define PORT_HERE				""
#define port_fail_site()			false
#define port_fail_site_at(here)			((void)(here), false)

/* Waiting. */
int port_wait(const u32 *word, u32 expected, u64 deadline_ns)	__may_sleep;
void port_wake(u32 *word, int nr);
void port_yield(void);
#define PORT_SPIN_ROUNDS(n)			(n)
#define port_cpu_relax()			barrier()

/* Clock, chance, threads. */
u64 port_now_ns(void);
u64 port_random(void);
u32 port_thread_id(void);

/* A host that never forks calls neither. */
struct port_fork_guard {
	void (*hold)(struct port_fork_guard *guard);
	void (*let_go)(struct port_fork_guard *guard);
};
static inline void port_fork_guard_add(struct port_fork_guard *guard)
{
}
static inline void port_fork_guard_del(struct port_fork_guard *guard)
{
}

/* Background work. */
struct port_work {
	struct port_work *next;
	void (*fn)(struct port_work *w);
	u32 queued;
};
int port_work(struct port_work *w, void (*fn)(struct port_work *w));
#define port_work_shared(w, fn)			port_work((w), (fn))
void port_work_flush(void)			__may_sleep;

/* RCU. */
struct port_rcu_head {
	struct port_rcu_head *next;
	void (*fn)(struct port_rcu_head *head);
};
void port_rcu_read_lock(void);
void port_rcu_read_unlock(void);
bool port_rcu_read_ongoing(void);
/* Pairs with port_rcu_assign(). */
#define port_rcu_dereference(p)			atomic_load_acquire(&(p))
/* Pairs with port_rcu_dereference(). */
#define port_rcu_assign(p, v)			atomic_store_release(&(p), (v))
void port_call_rcu(struct port_rcu_head *head, void (*fn)(struct port_rcu_head *head));
#define port_call_rcu_shared(head, fn)		port_call_rcu((head), (fn))
void port_synchronize_rcu(void)			__may_sleep;
void port_rcu_barrier(void)			__may_sleep;

#endif
