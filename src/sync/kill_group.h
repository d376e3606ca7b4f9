/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Telling all threads that wait for one thing to give up, now and later.
 *
 * A kill switch (kill.h) belongs to one waiting thread.  A group is the list of the switches of
 * those that wait at the moment: each joins before it may have to sleep and leaves afterwards.
 * Whoever joins a group that was fired finds its own switch fired already.
 */
#ifndef SYNC_KILL_GROUP_H
#define SYNC_KILL_GROUP_H

#include "base/list.h"
#include "sync/kill.h"
#include "sync/spinlock.h"

struct kill_group {
	struct spinlock lock;			/* i	rank INSTANCE: firing takes no lock */
	struct list_head waiting __guarded_by(&lock); /* lock */
	bool fired __guarded_by(&lock);		/* lock */
};

/* On the stack of the thread that waits. */
struct kill_waiter {
	struct kill_switch kill;		/* i */
	struct list_head link;			/* group->lock */
};

static inline void kill_group_init(struct kill_group *group)
{
	spin_lock_init(&group->lock, LOCK_RANK_INSTANCE);
	list_init(&group->waiting);
	group->fired = false;
}

/* Never sleeps.  Not in a signal handler: it takes a spinlock. */
static inline void kill_group_fire(struct kill_group *group)
{
	struct kill_waiter *waiter;

	spin_lock(&group->lock);
	group->fired = true;
	list_for_each_entry(waiter, &group->waiting, link)
		kill_switch_fire(&waiter->kill);
	spin_unlock(&group->lock);
}

static inline void kill_group_join(struct kill_group *group, struct kill_waiter *waiter)
{
	kill_switch_init(&waiter->kill);
	spin_lock(&group->lock);
	list_add_tail(&waiter->link, &group->waiting);
	if (group->fired)
		kill_switch_fire(&waiter->kill);
	spin_unlock(&group->lock);
}

static inline void kill_group_leave(struct kill_group *group, struct kill_waiter *waiter)
{
	spin_lock(&group->lock);
	list_del(&waiter->link);
	spin_unlock(&group->lock);
}

#endif
