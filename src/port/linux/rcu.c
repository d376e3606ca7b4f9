/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Read-copy-update, by liburcu's flavour bp.
 *
 * Why bp.  A reader may be any thread of the embedding program, in a signal handler too, so it
 * cannot be asked to register by hand; memb, mb and qsbr ask for that, and qsbr for a call
 * now and then besides.  bp registers a thread at its first read section.  Measured (AMD EPYC,
 * a virtual machine, gcc 12 -O2, lock, one load, unlock; median of 9, the range is below 10%
 * but for mb):
 *
 *	qsbr	0.24 ns		registration, and quiescent states reported by the thread
 *	memb	0.64		registration
 *	bp	0.77		nothing
 *	ours	0.71		nothing; see below
 *	mb	58		registration; two full barriers
 *
 * bp is memb with one pointer more to follow.  Both cost two plain stores, because the other
 * side executes the barriers for them: membarrier() interrupts the CPUs on which our threads
 * run.  Where the kernel lacks it, readers fall back to full barriers, at the price of mb.
 *
 * What is ours.  The read side is inlined in port_linux.h from the four symbols it touches, so
 * that neither liburcu's headers nor the C library's come with it, and with a TLS access that
 * needs no call.  Below the layout is checked against the library's header; so the library is
 * to be compiled against the liburcu (ABI 8) that it runs with.  call_rcu is ours too: bg.c.
 * liburcu's own would start a thread in the atfork handler of every child, cannot hand a batch
 * over to the child, and does not return when it cannot have a thread.
 *
 * Signal handlers.  Registration blocks all signals, then takes a mutex that no thread holds
 * with signals open, and gets its memory by mmap().  So it may happen in a handler, with two
 * reservations that concern the host: pthread_setspecific() may allocate if more than 32 keys
 * were made before liburcu's (made when it is loaded), and a thread's very first TLS access must
 * not allocate, which initial-exec ensures.
 *
 * Grace periods.  A reader that is preempted makes the writer poll every 10 ms after a short
 * spin.  All waiting here is done by a background thread or said to sleep.
 *
 * The thread sanitizer does not see liburcu's orderings, and is told of them: leaving a read
 * section releases, the end of a grace period acquires.  That is what RCU promises, except that
 * the sanitizer also orders sections that began after the grace period did.  So of the defects
 * "a reader still reaches what was freed" it misses those in which the reader was faster, and
 * sees those in which it was slower.  That entering a section acquires is true as well, and not
 * told, since nothing here depends on it: what is found is found by an acquire load.
 */
#include <stddef.h>

#include <urcu/static/urcu-bp.h>
#include <urcu/urcu-bp.h>

#include "port/linux/bg.h"

_Static_assert(offsetof(struct urcu_bp_reader, ctr) == 0, "the reader slot begins with ctr");
_Static_assert(offsetof(struct urcu_bp_gp, ctr) == 0, "the grace period begins with ctr");
_Static_assert(sizeof(((struct urcu_bp_reader *)0)->ctr) == sizeof(unsigned long), "ctr is long");
_Static_assert(PORT_URCU_NEST == URCU_BP_GP_COUNT, "unit of nesting");
_Static_assert(PORT_URCU_NEST_MASK == URCU_BP_GP_CTR_NEST_MASK, "mask of nesting");

/* Freed memory piles up while a batch gathers: at a million frees a second, 5000 objects. */
#define RCU_NAP_NS	(5ull * 1000 * 1000)

char port_rcu_tsan[PORT_RCU_TSAN_NAMES];

void port_synchronize_rcu(void)
{
	VM_BUG_ON(port_rcu_read_ongoing(), "it would wait for itself");
	urcu_bp_synchronize_rcu();
	for (int i = 0; i < PORT_RCU_TSAN_NAMES; i++)
		port_tsan_acquire(&port_rcu_tsan[i]);
}

static void rcu_run(struct port_item *item)
{
	struct port_rcu_head *head = container_of(item, struct port_rcu_head, item);

	head->fn(head);
}

struct port_bg port_rcu_bg =
	PORT_BG_INIT(port_rcu_bg, rcu_run, port_synchronize_rcu, RCU_NAP_NS, "vmarea-rcu");

void port_call_rcu(struct port_rcu_head *head, void (*fn)(struct port_rcu_head *head))
{
	head->fn = fn;
	port_bg_push(&port_rcu_bg, &head->item, PORT_BG_OWN);
}

void port_call_rcu_shared(struct port_rcu_head *head, void (*fn)(struct port_rcu_head *head))
{
	head->fn = fn;
	port_bg_push(&port_rcu_bg, &head->item, PORT_BG_SHARED);
}

void port_rcu_barrier(void)
{
	VM_BUG_ON(port_rcu_read_ongoing(), "it would wait for itself");
	port_bg_flush(&port_rcu_bg);
}

/* The grace period's mutex is taken second: a round in its grace period holds it, not running. */
void port_rcu_before_fork(void)
{
	if (port_rcu_read_ongoing())
		port_panic("fork() in an RCU read section");
	port_bg_before_fork(&port_rcu_bg);
	urcu_bp_before_fork();
}

void port_rcu_after_fork_parent(void)
{
	urcu_bp_after_fork_parent();
	port_bg_after_fork_parent(&port_rcu_bg);
}

void port_rcu_after_fork_child(void)
{
	urcu_bp_after_fork_child();
	port_bg_after_fork_child(&port_rcu_bg);
}
