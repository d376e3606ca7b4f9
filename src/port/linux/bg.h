/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A background thread with a queue: what port_work() and port_call_rcu() have in common.
 * Only for the files of this folder.
 */
#ifndef PORT_LINUX_BG_H
#define PORT_LINUX_BG_H

#include <pthread.h>

#include "port/port.h"

/*
 * What an item lies in, or works on: the process's own memory, of which a forked child has a copy,
 * or some that the child shares, where both would write to the same.
 */
enum port_bg_kind { PORT_BG_OWN, PORT_BG_SHARED, PORT_BG_KINDS };

/* Callers push on different lines, by thread, so that they do not all write one. */
#define BG_STRIPES	8

struct bg_stripe {
	struct port_item *top;		/* atomic: newest first */
} __cacheline_aligned;

/* What a round has still to run, oldest first. */
struct bg_batch {
	struct port_item *first;
	struct port_item **end;
};

struct port_bg {
	struct bg_stripe stripes[PORT_BG_KINDS][BG_STRIPES];

	/* What to do with an item, and what to wait for between taking a batch and running it. */
	void (*run)(struct port_item *item);
	void (*grace)(void);
	u64 nap_ns;			/* how long to collect a batch */
	const char *name;

	u32 owned;			/* atomic: 1 while a thread serves the queue */
	u32 bell;			/* atomic, futex: 1 while that thread sleeps */
	u32 force;			/* atomic, futex: 1 if somebody waits for the next round */
	u32 begun;			/* atomic: rounds begun */
	u32 done;			/* atomic, futex: rounds done */

	/*
	 * Held while items are taken or one is run, and across a fork of the host.  Guards
	 * batches.
	 */
	pthread_mutex_t running;
	struct bg_batch batches[PORT_BG_KINDS];
};

#define PORT_BG_INIT(self, run_fn, grace_fn, nap, thread_name)			\
	{ .run = run_fn, .grace = grace_fn, .nap_ns = nap, .name = thread_name,	\
	  .running = PTHREAD_MUTEX_INITIALIZER,					\
	  .batches = { { .end = &(self).batches[PORT_BG_OWN].first },		\
		       { .end = &(self).batches[PORT_BG_SHARED].first } } }

void port_bg_push(struct port_bg *bg, struct port_item *item, enum port_bg_kind kind);
void port_bg_flush(struct port_bg *bg)			__may_sleep;

void port_bg_before_fork(struct port_bg *bg);
void port_bg_after_fork_parent(struct port_bg *bg);
void port_bg_after_fork_child(struct port_bg *bg);

/* rcu.c and work.c, for the handlers in port_linux.c. */
extern struct port_bg port_rcu_bg;
extern struct port_bg port_work_bg;
void port_rcu_before_fork(void);
void port_rcu_after_fork_parent(void);
void port_rcu_after_fork_child(void);

#endif
