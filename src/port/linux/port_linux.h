/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The port to a Linux process: declarations, and what is inlined.  The contract is in
 * ../port.h, the reasons are in port_linux.c.
 *
 * No header of the C library or of liburcu is included here, so that the core stays free of
 * their names (brk(), for one).  The four symbols of liburcu-bp that the read side touches are
 * declared below under names of ours; rcu.c checks them against the library's own header.
 */
#ifndef PORT_LINUX_H
#define PORT_LINUX_H

#include "base/atomic.h"
#include "port/tsan.h"

/* ------------------------------------------------------------------------------ memory -- */

/* Of a debug build more is in failure.h, included at the end. */
#ifdef CONFIG_VMAREA_DEBUG
void *port_alloc_at(size_t bytes, const char *here)	__must_check __may_sleep;
long port_live_allocs(void);
#else
void *port_alloc(size_t bytes)				__must_check __may_sleep;
#endif
void port_free(void *p, size_t bytes);

/* ------------------------------------------------------------------------------ waiting -- */

int port_wait(const u32 *word, u32 expected, u64 deadline_ns)	__may_sleep;
void port_wake(u32 *word, int nr);
void port_yield(void);
#define PORT_SPIN_ROUNDS(n)	(n)

#if defined(__x86_64__)
# define port_cpu_relax()	__builtin_ia32_pause()
#elif defined(__aarch64__)
# define port_cpu_relax()	__asm__ __volatile__("yield" ::: "memory")
#else
# define port_cpu_relax()	barrier()
#endif

/* --------------------------------------------------------------------- clock and chance -- */

u64 port_now_ns(void);
u64 port_random(void);

/* ----------------------------------------------------------------------------- threads -- */

/*
 * initial-exec: the address is the thread pointer plus a constant, so there is no call that
 * could allocate the variable lazily, which would not do in a signal handler.
 */
#define PORT_TLS	__thread __attribute__((tls_model("initial-exec")))

#ifdef CONFIG_VMAREA_DEBUG
void *port_thread_state(void);
void port_thread_on_exit(void (*fn)(void *state));
unsigned int port_backtrace(const void **pcs, unsigned int max);
void port_describe_pc(const void *pc, char *buf, size_t bytes);
#endif

extern PORT_TLS u32 port_tid_cache;
u32 port_tid_fill(void);

static inline u32 port_thread_id(void)
{
	u32 id = port_tid_cache;

	return likely(id) ? id : port_tid_fill();
}

/* ------------------------------------------------------------------- fork of the host -- */

struct port_fork_guard {
	struct port_fork_guard *next;		/* the port's */
	void (*hold)(struct port_fork_guard *guard);
	void (*let_go)(struct port_fork_guard *guard);
};

void port_fork_guard_add(struct port_fork_guard *guard)		__may_sleep;
void port_fork_guard_del(struct port_fork_guard *guard)		__may_sleep;

/* ---------------------------------------------------------------------- background work -- */

/* The link of everything that waits for a background thread.  The queue's while queued. */
struct port_item {
	struct port_item *next;
};

struct port_work {
	struct port_item item;
	void (*fn)(struct port_work *w);
	u32 queued;				/* atomic: 1 from port_work() until fn is called */
};

int port_work(struct port_work *w, void (*fn)(struct port_work *w));
int port_work_shared(struct port_work *w, void (*fn)(struct port_work *w));
void port_work_flush(void)				__may_sleep;

/* --------------------------------------------------------------------------------- RCU -- */

struct port_rcu_head {
	struct port_item item;
	void (*fn)(struct port_rcu_head *head);
};

/* Its first member is the counter of this thread's reader slot. */
extern PORT_TLS unsigned long *port_urcu_reader __asm__("urcu_bp_reader");
/* The counter that a reader copies when it enters. */
extern unsigned long port_urcu_gp __asm__("urcu_bp_gp");
/* Not 0: the writer makes readers execute a barrier, so they need none of their own. */
extern int port_urcu_membarrier __asm__("urcu_bp_has_sys_membarrier");
void port_urcu_register(void) __asm__("urcu_bp_register");

#define PORT_URCU_NEST		1ul
#define PORT_URCU_NEST_MASK	((1ul << (sizeof(long) * 4)) - 1)

/* What readers publish on leaving, spread over some names so that they do not all meet in one. */
#define PORT_RCU_TSAN_NAMES	8
extern char port_rcu_tsan[PORT_RCU_TSAN_NAMES];

/*
 * Pairs with the two membarrier() calls of a grace period, or is the full barrier itself where
 * the kernel has no membarrier().
 */
static inline void port_rcu_reader_fence(void)
{
	if (likely(port_urcu_membarrier))
		barrier();
	else
		atomic_fence_seq_cst();		/* pairs with the fences of a grace period */
}

static inline void port_rcu_read_lock(void)
{
	unsigned long *slot = port_urcu_reader, ctr;

	if (unlikely(!slot)) {
		port_urcu_register();
		slot = port_urcu_reader;
	}
	ctr = *slot;
	if (likely(!(ctr & PORT_URCU_NEST_MASK))) {
		atomic_store_relaxed(slot, atomic_load_relaxed(&port_urcu_gp));
		port_rcu_reader_fence();
	} else {
		atomic_store_relaxed(slot, ctr + PORT_URCU_NEST);
		barrier();
	}
}

static inline void port_rcu_read_unlock(void)
{
	unsigned long *slot = port_urcu_reader;

	port_tsan_release(&port_rcu_tsan[port_thread_id() % PORT_RCU_TSAN_NAMES]);
	port_rcu_reader_fence();
	atomic_store_relaxed(slot, *slot - PORT_URCU_NEST);
	barrier();
}

static inline bool port_rcu_read_ongoing(void)
{
	unsigned long *slot = port_urcu_reader;

	return slot && (*slot & PORT_URCU_NEST_MASK);
}

/* Acquire rather than consume, as every compiler makes of it: pairs with port_rcu_assign(). */
#define port_rcu_dereference(p)		atomic_load_acquire(&(p))
/* Pairs with port_rcu_dereference(): what was written to *v before is seen by who finds v. */
#define port_rcu_assign(p, v)		atomic_store_release(&(p), (v))

void port_call_rcu(struct port_rcu_head *head, void (*fn)(struct port_rcu_head *head));
void port_call_rcu_shared(struct port_rcu_head *head, void (*fn)(struct port_rcu_head *head));
void port_synchronize_rcu(void)				__may_sleep;
void port_rcu_barrier(void)				__may_sleep;

/* Last, since it puts a macro before port_wait(). */
#include "port/linux/failure.h"

#endif
