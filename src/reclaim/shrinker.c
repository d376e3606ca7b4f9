/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Shrinkers: asking those who keep pages to give some back.
 *
 * Terms.  An *object* is whatever a shrinker counts in, mostly a page.  A *pass* asks each shrinker
 * of the instance once, with a *priority* p: for count >> p objects, weighted.  A *run* of a
 * shrinker is what one pass does with it: count(), then scan() in batches.
 *
 *	instance->shrinkers -> A -> B -> C		newest first
 *	                            ^ refs: 1 for being registered, 1 for each pass that stands here
 *
 * How much is asked for.  delta = (count >> p) * 4 / seeks; who costs nothing to make again (seeks
 * 0) is asked for half of what it has at once.  What a run leaves, less than a batch or what scan()
 * did not want to look at, is *deferred*: the next run begins with it, but never asks for more than
 * twice what there is, so that somebody who refused long does not lose everything at once.
 *
 * Locking.  The list and refs are guarded by the instance's shrinker lock, a spinlock, which is not
 * held while a hook runs.  A pass holds a reference to the shrinker it stands at, and one that is
 * referenced stays in the list: so its `next` is good when the pass comes back for it.  To the lock
 * checker a run is a lock held for reading, and to unregister is to wait for it: it reports a hook
 * that unregisters itself, or that waits for a lock which somebody holds who unregisters.  To
 * unregister is to mark the shrinker as leaving, which makes passes go by, to give up the reference
 * of being registered, and to wait for the others.  Whoever gives up the last one takes it out.
 *
 * Ordering.
 *	O1  What a run did happens before shrinker_unregister() returns: refs is stored with release
 *	    by who gives up a reference, and loaded with acquire by who waits.
 *	O2  After the store of 0 the memory is the owner's again; only its address is used, to wake.
 *
 * Invariants.
 *	I1  Each shrinker in the list has refs > 0, and refs > 1 or not leaving.
 *	I2  A pass visits no shrinker twice, and each that is registered throughout the pass once:
 *	    new ones come in front.
 *	I3  A run ends: each scan() makes its work less, or ends it.  What no number of objects
 *	    can be is reported, and taken for none.
 *
 * Failure: none.  Nothing is allocated, since this is called when there is nothing.
 *
 * Rejected.  Calling the hooks in an RCU read section: they sleep.  A lock held for reading over a
 * pass: who unregisters one shrinker would wait for the slowest of all others.  Calling from inside
 * of alloc_page(): its caller may hold a lock of an mm, which a hook would then try, and get, a
 * second time on one thread.
 */
#include <vmarea/shrinker.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "base/bug.h"
#include "instance/instance.h"
#include "port/port.h"
#include "reclaim/reclaim.h"
#include "sync/witness.h"

#define DEFAULT_BATCH		128ul

/* ---------------------------------------------------------------- the list -- */

void shrinker_register(struct vmarea *instance, struct shrinker *shrinker)
{
	VM_BUG_ON(shrinker->refs, "shrinker %s is registered already", shrinker->name);
	shrinker->instance = instance;
	shrinker->deferred = 0;
	shrinker->leaving = false;
	shrinker->refs = 1;
	spin_lock(&instance->shrinker_lock);
	shrinker->next = instance->shrinkers;
	instance->shrinkers = shrinker;
	spin_unlock(&instance->shrinker_lock);
}

/* Gives up a reference.  True for the last: it is out of the list, and its owner is to be woken. */
static bool put_locked(struct vmarea *instance, struct shrinker *shrinker)
	__must_hold(&instance->shrinker_lock)
{
	struct shrinker **link = &instance->shrinkers;
	u32 refs = atomic_load_relaxed(&shrinker->refs) - 1;

	if (!refs) {
		while (*link != shrinker)
			link = &(*link)->next;
		*link = shrinker->next;
	}
	/* O1: pairs with the acquire in shrinker_unregister(). */
	atomic_store_release(&shrinker->refs, refs);
	return !refs;
}

void shrinker_unregister(struct shrinker *shrinker)
{
	struct vmarea *instance = shrinker->instance;
	u32 refs;

	might_sleep();
	VM_BUG_ON(!instance, "shrinker %s is not registered", shrinker->name);
	witness_before(shrinker, LOCK_RANK_SHRINKER, 0, WITNESS_HERE);
	spin_lock(&instance->shrinker_lock);
	shrinker->leaving = true;
	put_locked(instance, shrinker);
	spin_unlock(&instance->shrinker_lock);
	/* O1: pairs with the release in put_locked(). */
	while ((refs = atomic_load_acquire(&shrinker->refs)))
		port_wait(&shrinker->refs, refs, PORT_NO_DEADLINE);
	shrinker->instance = NULL;
}

/* From @prev, or NULL for the start of a pass, on to the next that stays; NULL at the end. */
static struct shrinker *next_shrinker(struct vmarea *instance, struct shrinker *prev)
{
	struct shrinker *next;
	bool gone = false;

	spin_lock(&instance->shrinker_lock);
	next = prev ? prev->next : instance->shrinkers;
	while (next && next->leaving)
		next = next->next;
	if (next)
		atomic_store_relaxed(&next->refs, atomic_load_relaxed(&next->refs) + 1);
	if (prev)
		gone = put_locked(instance, prev);
	spin_unlock(&instance->shrinker_lock);
	if (gone)
		port_wake(&prev->refs, 1);	/* O2 */
	return next;
}

/* -------------------------------------------------------------------- a run -- */

/* Twice @nr, or as much as there can be. */
static unsigned long twice(unsigned long nr)
{
	return nr > ~0ul / 2 ? ~0ul : nr * 2;
}

/* Relaxed, here and where it is added to: a number of objects, with nothing behind it. */
static unsigned long take_deferred(struct shrinker *shrinker)
{
	unsigned long deferred = atomic_load_relaxed(&shrinker->deferred);

	while (!atomic_cas_relaxed(&shrinker->deferred, &deferred, 0))
		;
	return deferred;
}

static unsigned long wanted(struct shrinker *shrinker, unsigned long count, unsigned int priority)
{
	unsigned long part = count >> priority, delta;

	if (!shrinker->seeks)
		delta = count / 2 + count % 2;
	else if (part > ~0ul / 4)
		delta = count;
	else
		delta = part * 4 / shrinker->seeks;
	if (check_add_overflow(delta, take_deferred(shrinker), &delta))
		delta = ~0ul;
	return min(delta, twice(count));
}

/* No number of objects is so large: an error, or one of the words that Linux has for none. */
#define IS_NUMBER(shrinker, hook, nr)						\
	(!VM_WARN_ON((nr) > ~0ul / 2, "shrinker %s: " hook " says %ld", (shrinker)->name,	\
		     (long)(nr)))

static unsigned long shrinker_count(struct shrinker *shrinker) __may_sleep
{
	witness_hook(shrinker->name);

	return shrinker->count(shrinker);
}

static unsigned long shrinker_scan(struct shrinker *shrinker, struct shrink_control *sc) __may_sleep
{
	witness_hook(shrinker->name);

	return shrinker->scan(shrinker, sc);
}

static unsigned long run(struct shrinker *shrinker, unsigned int priority) __may_sleep
{
	unsigned long batch = shrinker->batch ? shrinker->batch : DEFAULT_BATCH;
	unsigned long count = shrinker_count(shrinker), freed = 0, left;

	if (!count || !IS_NUMBER(shrinker, "count()", count))
		return 0;
	left = wanted(shrinker, count, priority);
	/* Less than a batch waits for more, unless it is all there is, or the last pass. */
	while (left && (left >= batch || left >= count || !priority)) {
		unsigned long nr = min(left, batch), done;
		struct shrink_control sc = { .nr_to_scan = nr, .nr_scanned = nr };

		done = shrinker_scan(shrinker, &sc);
		if (done == SHRINK_STOP || !IS_NUMBER(shrinker, "scan()", done))
			break;
		freed += done;
		if (!sc.nr_scanned)
			break;
		left -= min(sc.nr_scanned, left);	/* I3 */
	}
	atomic_add_relaxed(&shrinker->deferred, left);
	return freed;
}

unsigned long shrink_pass(struct vmarea *instance, unsigned int priority)
{
	struct shrinker *at = NULL;
	unsigned long freed = 0;

	while ((at = next_shrinker(instance, at))) {
		witness_before(at, LOCK_RANK_SHRINKER, 0, WITNESS_HERE);
		witness_after(at, LOCK_RANK_SHRINKER, 0, WITNESS_SHARED, WITNESS_HERE);
		freed += run(at, priority);
		witness_release(at, NULL, WITNESS_SHARED, WITNESS_HERE);
	}
	return freed;
}

unsigned long vmarea_shrink(struct vmarea *instance, unsigned long nr)
{
	unsigned long freed = 0;

	might_sleep();
	for (unsigned int pass = 0; pass <= SHRINK_FIRST_PRIORITY && freed < nr; pass++)
		freed += shrink_pass(instance, SHRINK_FIRST_PRIORITY - pass);
	return freed;
}
