/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A way to tell a thread that waits to give up.
 *
 * A thread that can be killed owns a switch and hands it to each wait that may be broken off.
 * Anyone may fire it, once or often, from a signal handler too; from then on every such wait
 * that would have to sleep ends with -EINTR.
 *
 * The waiter writes into the switch which word it is about to sleep on; who fires it changes
 * that word and wakes it.  Ordering:
 *
 *	a  waiter: word = w; fence; look at fired   |  fire: fired = 1; fence; read word.
 *	   One sees the other, so the waiter does not sleep through it.
 *	b  waiter: word = NULL; fence; read busy    |  fire: busy++; fence; read word.
 *	   Either the firing thread finds no word any more, or the waiter sees that it is busy
 *	   with one and stays until it is done: the lock may be freed after that.
 */
#ifndef SYNC_KILL_H
#define SYNC_KILL_H

#include "port/port.h"

struct kill_switch {
	u32 fired;			/* a */
	u32 busy;			/* a	threads inside kill_switch_fire() */
	u32 *word;			/* a	what its owner sleeps on; NULL: it does not */
};

/* Must not be in use. */
static inline void kill_switch_init(struct kill_switch *ks)
{
	ks->fired = 0;
	ks->busy = 0;
	ks->word = NULL;
}

static inline bool kill_switch_fired(const struct kill_switch *ks)
{
	return atomic_load_relaxed(&ks->fired);
}

/* Never sleeps. */
void kill_switch_fire(struct kill_switch *ks);

/*
 * Sleeps on *gate while it is @seen.  0: woken, or for no reason.  -ETIMEDOUT, -EINTR.
 * @ks may be NULL.  Every user of a gate lets bit 0 alone be set and cleared by others: firing a
 * switch adds 2.
 */
int kill_switch_wait(struct kill_switch *ks, u32 *gate, u32 seen, u64 deadline_ns)	__may_sleep;

#endif
