/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The deterministic port: declarations.  The contract is in ../port.h; what stands behind these
 * names is told in sim.h, and how to use it in vmarea/testing.h.
 *
 * Nothing is inlined: the core is compiled with the compiler's thread sanitizer instrumentation,
 * so its atomics and its plain accesses are calls into this port too (hooks.c).
 */
#ifndef PORT_SIM_H
#define PORT_SIM_H

#include "base/atomic.h"

#define __PORT_STR(x)		#x
#define __PORT_LINE(x)		__PORT_STR(x)
#define PORT_HERE		(__FILE__ ":" __PORT_LINE(__LINE__))

/* ------------------------------------------------------------------------------ memory -- */

void *port_alloc_at(size_t bytes, const char *site)	__must_check __may_sleep;
#define port_alloc(bytes)	port_alloc_at((bytes), PORT_HERE)
void port_free(void *p, size_t bytes);

void port_fail_nth(long n);
unsigned long port_alloc_count(void);
long port_live_allocs(void);
bool port_fail_site_at(const char *site)		__must_check;
#define port_fail_site()	port_fail_site_at(PORT_HERE)

/* ------------------------------------------------------------------------------ waiting -- */

int port_wait(const u32 *word, u32 expected, u64 deadline_ns)	__may_sleep;
void port_wake(u32 *word, int nr);
void port_yield(void);
void port_cpu_relax(void);

/* One thread runs at a time: what a spinner waits for does not come while it spins. */
#define PORT_SPIN_ROUNDS(n)	1

/* --------------------------------------------------------------------- clock and chance -- */

u64 port_now_ns(void);
u64 port_random(void);

/* ----------------------------------------------------------------------------- threads -- */

u32 port_thread_id(void);
void *port_thread_state(void);
void port_thread_on_exit(void (*fn)(void *state));
unsigned int port_backtrace(const void **pcs, unsigned int max);
void port_describe_pc(const void *pc, char *buf, size_t bytes);

/* ------------------------------------------------------------------- fork of the host -- */

/* There is no host that forks here: guards are never called. */
struct port_fork_guard {
	struct port_fork_guard *next;
	void (*hold)(struct port_fork_guard *guard);
	void (*let_go)(struct port_fork_guard *guard);
};

void port_fork_guard_add(struct port_fork_guard *guard)		__may_sleep;
void port_fork_guard_del(struct port_fork_guard *guard)		__may_sleep;

/* ---------------------------------------------------------------------- background work -- */

struct port_work {
	struct port_work *next;			/* the port's, while queued */
	void (*fn)(struct port_work *w);
	u32 queued;
};

int port_work(struct port_work *w, void (*fn)(struct port_work *w));
/* Nobody forks here. */
#define port_work_shared(w, fn)		port_work((w), (fn))
void port_work_flush(void)				__may_sleep;

/* --------------------------------------------------------------------------------- RCU -- */

struct port_rcu_head {
	struct port_rcu_head *next;		/* the port's, until fn is called */
	void (*fn)(struct port_rcu_head *head);
};

void port_rcu_read_lock(void);
void port_rcu_read_unlock(void);
bool port_rcu_read_ongoing(void);

/* Pairs with port_rcu_assign(): acquire rather than consume, as in the port to Linux. */
#define port_rcu_dereference(p)		atomic_load_acquire(&(p))
/* Pairs with port_rcu_dereference(). */
#define port_rcu_assign(p, v)		atomic_store_release(&(p), (v))

void port_call_rcu(struct port_rcu_head *head, void (*fn)(struct port_rcu_head *head));
#define port_call_rcu_shared(head, fn)	port_call_rcu((head), (fn))
void port_synchronize_rcu(void)				__may_sleep;
void port_rcu_barrier(void)				__may_sleep;

#endif
