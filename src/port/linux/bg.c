/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A background thread that serves a queue.
 *
 * Pushing is a compare-and-swap on one of a few stacks, so it needs no lock and no memory.  The
 * thread works in *rounds*: it takes all stacks, waits out a grace period if its queue has one,
 * and runs what it took, oldest first.  It is started by the first push, serves for ever, and
 * sleeps when there is nothing to do.  A wake-up across CPUs costs tens of microseconds, so it
 * is made only when the thread has said that it sleeps (bell), and a thread with a grace period
 * naps first to let a batch gather: about a hundred wake-ups a second at most.
 *
 * Flush.  Who waits reads the number of rounds begun and waits until the next one is done: that
 * one takes everything pushed before.  Ordering, by letter:
 *
 *	a  push (release) -> take (acquire): the item's contents reach the thread.
 *	b  push; fence; read bell   |  bell = 1; fence; look at the stacks.  One sees the other:
 *	   no push goes unserved.
 *	c  push; fence; read begun  |  begun++; fence; take the stacks.  The round that the
 *	   flusher waits for either is a later one, or takes what was pushed.
 *	d  done (release) -> flusher (acquire): what the items did reaches the flusher.
 *
 * Two queues.  A work may flush the callbacks of RCU, which wait for no work.  So a fork, which has
 * to stop both, stops the works first: one that waits so comes to its end.
 *
 * Fork of the host.  The thread takes items and runs each of them under `running`, which the
 * forking thread holds across the fork.  So the child finds no item half run, and every item
 * either in a stack or in the batch.  There is no thread in the child until something is
 * pushed or flushed; it then waits out a new grace period and runs what it inherits.  Items in
 * memory that the child shares, or that work on it, are kept apart.  The child forgets them without
 * a look: what they say and link is the parent's, who goes on using it.
 *
 * Failure.  If no thread can be started, items stay queued, every later push tries again, and a
 * flush runs them itself.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>

#include "port/linux/bg.h"

/* Who owned the queue a moment ago may be somebody whose thread then did not start. */
#define BG_LOOK_AGAIN_NS	(20ull * 1000 * 1000)

/* Works tear address spaces down, which is shallow. */
#define BG_STACK_BYTES	(512ul << 10)

/* The queue that this thread serves.  A work may wait for callbacks, and then serve both. */
static PORT_TLS const struct port_bg *bg_inside;

static void bg_wait_for_items(struct port_bg *bg)	__may_sleep;
static void *bg_main(void *arg)				__may_sleep;

static void bg_lock(struct port_bg *bg)
{
	if (pthread_mutex_lock(&bg->running))
		port_panic("%s: mutex", bg->name);
}

static void bg_unlock(struct port_bg *bg)
{
	if (pthread_mutex_unlock(&bg->running))
		port_panic("%s: mutex", bg->name);
}

static bool bg_has_items(struct port_bg *bg)
{
	for (int kind = 0; kind < PORT_BG_KINDS; kind++) {
		if (atomic_load_relaxed(&bg->batches[kind].first))
			return true;
		for (int i = 0; i < BG_STRIPES; i++)
			if (atomic_load_relaxed(&bg->stripes[kind][i].top))
				return true;
	}
	return false;
}

/* Moves a stack to the end of the batch, turned round: oldest first. */
static void bg_take_stripe(struct bg_batch *batch, struct bg_stripe *stripe)
{
	struct port_item *item = atomic_xchg_acquire(&stripe->top, NULL);	/* a */
	struct port_item *oldest = NULL, *newest = item;

	port_tsan_acquire(&stripe->top);
	while (item) {
		struct port_item *older = item->next;

		item->next = oldest;
		oldest = item;
		item = older;
	}
	if (!oldest)
		return;
	atomic_store_relaxed(batch->end, oldest);
	batch->end = &newest->next;
}

static void bg_take(struct port_bg *bg)
{
	bg_lock(bg);
	atomic_store_relaxed(&bg->force, 0);
	atomic_add_relaxed(&bg->begun, 1);
	atomic_fence_seq_cst();				/* c */
	for (int kind = 0; kind < PORT_BG_KINDS; kind++)
		for (int i = 0; i < BG_STRIPES; i++)
			bg_take_stripe(&bg->batches[kind], &bg->stripes[kind][i]);
	bg_unlock(bg);
}

static struct port_item *bg_first(struct bg_batch *batch)
{
	struct port_item *item = batch->first;

	if (!item)
		return NULL;
	atomic_store_relaxed(&batch->first, item->next);
	if (!item->next)
		batch->end = &batch->first;
	return item;
}

/* Runs the first item of the batches.  False if there is none. */
static bool bg_run_one(struct port_bg *bg)
{
	struct port_item *item;

	bg_lock(bg);
	item = bg_first(&bg->batches[PORT_BG_OWN]);
	if (!item)
		item = bg_first(&bg->batches[PORT_BG_SHARED]);
	if (item)
		bg->run(item);
	bg_unlock(bg);
	return item;
}

static bool bg_has_batch(struct port_bg *bg)
{
	return atomic_load_relaxed(&bg->batches[PORT_BG_OWN].first) ||
	       atomic_load_relaxed(&bg->batches[PORT_BG_SHARED].first);
}

static void bg_round(struct port_bg *bg)
{
	u32 round;

	bg_take(bg);
	round = atomic_load_relaxed(&bg->begun);
	if (bg_has_batch(bg) && bg->grace)
		bg->grace();
	while (bg_run_one(bg))
		;
	atomic_store_release(&bg->done, round);		/* d */
	port_wake(&bg->done, INT_MAX);
}

static bool bg_idle(struct port_bg *bg)
{
	return !bg_has_items(bg) && !atomic_load_relaxed(&bg->force);
}

static void bg_wait_for_items(struct port_bg *bg)
{
	while (bg_idle(bg)) {
		atomic_store_relaxed(&bg->bell, 1);
		atomic_fence_seq_cst();			/* b */
		if (bg_idle(bg))
			port_wait(&bg->bell, 1, PORT_NO_DEADLINE);
		atomic_store_relaxed(&bg->bell, 0);
	}
	if (bg->nap_ns && !atomic_load_relaxed(&bg->force))
		port_wait(&bg->force, 0, port_now_ns() + bg->nap_ns);
}

static void *bg_main(void *arg)
{
	struct port_bg *bg = arg;

	bg_inside = bg;
	for (;;) {
		bg_wait_for_items(bg);
		bg_round(bg);
	}
	return NULL;
}

/* The thread inherits its creator's signal mask; the host's signals are not for it. */
static int bg_create_thread(struct port_bg *bg)
{
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t thread;
	int err;

	err = pthread_attr_init(&attr);
	if (err)
		return -err;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, BG_STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = port_fail_kind(PORT_FAIL_THREAD) ? EAGAIN :
		pthread_create(&thread, &attr, bg_main, bg);
	if (!err)
		pthread_setname_np(thread, bg->name);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -err;
}

/* True if a thread serves the queue, now or already. */
static bool bg_start(struct port_bg *bg)
{
	u32 unowned = 0;

	if (likely(atomic_load_relaxed(&bg->owned)))
		return true;
	/* Pairs with the releases of the owner before us: here and in bg_round_by_hand(). */
	if (!atomic_cas_acquire(&bg->owned, &unowned, 1))
		return true;
	if (!bg_create_thread(bg))
		return true;
	/* Pairs with the acquires of the next owner. */
	atomic_store_release(&bg->owned, 0);
	return false;
}

static void bg_ring(struct port_bg *bg)
{
	u32 asleep = 1;

	if (atomic_load_relaxed(&bg->bell) && atomic_cas_relaxed(&bg->bell, &asleep, 0))
		port_wake(&bg->bell, 1);
}

void port_bg_push(struct port_bg *bg, struct port_item *item, enum port_bg_kind kind)
{
	struct bg_stripe *stripe = &bg->stripes[kind][port_thread_id() % BG_STRIPES];
	struct port_item *top = atomic_load_relaxed(&stripe->top);

	port_tsan_release(&stripe->top);
	do {
		item->next = top;
	} while (!atomic_cas_release(&stripe->top, &top, item));	/* a */
	atomic_fence_seq_cst();						/* b, c */
	bg_start(bg);
	bg_ring(bg);
}

/* No thread can be had: do a round here.  False if there is one after all. */
static bool bg_round_by_hand(struct port_bg *bg)
{
	const struct port_bg *outer = bg_inside;
	u32 unowned = 0;

	/* Pairs with the release below, of the round before this one. */
	if (!atomic_cas_acquire(&bg->owned, &unowned, 1))
		return false;
	bg_inside = bg;
	bg_round(bg);
	bg_inside = outer;
	/* Pairs with the acquires of the next owner: what this round did is seen by its rounds. */
	atomic_store_release(&bg->owned, 0);
	return true;
}

void port_bg_flush(struct port_bg *bg)
{
	u32 target, done;

	VM_BUG_ON(bg_inside == bg, "%s waits for itself", bg->name);
	atomic_fence_seq_cst();				/* c */
	target = atomic_load_relaxed(&bg->begun) + 1;
	for (;;) {
		done = atomic_load_acquire(&bg->done);	/* d */
		if ((s32)(done - target) >= 0)
			return;
		atomic_store_relaxed(&bg->force, 1);
		atomic_fence_seq_cst();			/* b */
		if (!bg_start(bg) && bg_round_by_hand(bg))
			continue;
		port_wake(&bg->force, 1);
		bg_ring(bg);
		port_wait(&bg->done, done, port_now_ns() + BG_LOOK_AGAIN_NS);
	}
}

void port_bg_before_fork(struct port_bg *bg)
{
	if (bg_inside)
		port_panic("fork() from a callback or a work of %s", bg->name);
	bg_lock(bg);
}

void port_bg_after_fork_parent(struct port_bg *bg)
{
	bg_unlock(bg);
}

void port_bg_after_fork_child(struct port_bg *bg)
{
	struct bg_batch *shared = &bg->batches[PORT_BG_SHARED];

	for (int i = 0; i < BG_STRIPES; i++)
		atomic_store_relaxed(&bg->stripes[PORT_BG_SHARED][i].top, NULL);
	atomic_store_relaxed(&shared->first, NULL);
	shared->end = &shared->first;
	atomic_store_relaxed(&bg->owned, 0);
	atomic_store_relaxed(&bg->bell, 0);
	atomic_store_relaxed(&bg->force, 0);
	bg_unlock(bg);
}
