/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Read-copy-update, by liburcu.
 */
#include <stddef.h>

#include <urcu/static/urcu-bp.h>
#include <urcu/urcu-bp.h>

#include "bg.h"

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
	port_bg_push(&port_rcu_bg, &head->item);
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
