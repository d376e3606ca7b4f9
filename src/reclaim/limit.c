/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * When pages are taken back: at a limit.
 *
 *	instance	the arena hands out no more frames (arena_set_limit()), or has no more
 *	mm		mm_over_limit(), asked before a page is added to the mm
 *
 * Either ends a fault with "out of memory", and the first a call; outside of all locks it is
 * decided whether to try again: as long as somebody frees something, and not for ever, since others
 * may be faster in taking what was freed.  A try in which nobody freed anything counts for more,
 * and the next takes what it finds and waits for whom it finds:
 *
 *	1	others freed something meanwhile
 *	16	others held pages: for a moment, though they may wait for a CPU
 *	256	there was nothing
 *
 * With 1024 it is out of memory.
 *
 * A batch, not a page: whoever had to reclaim frees a 64th of the limit, between 32 and 512 pages,
 * so that the next faults find some.  Of a small limit 32 pages are much, or all: there it is an
 * eighth, and a page at least.
 *
 * A memory call (mm/retry.c) may want many frames at once, and does not know how many: a fork wants
 * a table for each 2 MiB.  So each try asks for twice as much, up to 16 batches.  What the try
 * before it had got, it has given back.
 *
 * Tables are frames again after a grace period.  A call waits for that at each try, and everybody
 * else when there was nothing: who maps and unmaps fast may have all frames on their way back.  But
 * not a fault in the handler of a signal that has interrupted an RCU read section.
 */
#include "base/atomic.h"
#include "base/errno.h"
#include "pgtable/pgtable.h"
#include "reclaim/reclaim.h"
#include "vma/handle.h"

#define MOST_TRIES	1024u
#define HELD_UP		16u			/* tries that one counts for that met others */
#define IN_VAIN		256u			/* and one that met nobody and nothing */
#define BATCH_PART	64u
#define BATCH_LEAST	32ul
#define BATCH_MOST	512ul
#define BATCH_LARGEST_PART 8u
#define MOST_DOUBLINGS	4u

static unsigned long batch_of(unsigned long limit)
{
	unsigned long nr = max(BATCH_LEAST, min(limit / BATCH_PART, BATCH_MOST));

	return max(min(nr, limit / BATCH_LARGEST_PART), 1ul);
}

static unsigned long resident(const struct mm_struct *mm)
{
	return pt_count(mm->pgt, PT_ANON) + pt_count(mm->pgt, PT_FILE) +
	       pt_count(mm->pgt, PT_SHMEM);
}

bool mm_over_limit(const struct mm_struct *mm, unsigned long nr)
{
	unsigned long limit = atomic_load_relaxed(&mm->resident_limit);

	return unlikely(limit) && resident(mm) + nr > limit;
}

/* Pages above the limit; 0: there is none. */
static unsigned long nr_above(const struct mm_struct *mm, unsigned long limit)
{
	unsigned long have = resident(mm);

	return limit && have > limit ? have - limit : 0;
}

/* Pages above the limit, and room for a batch. */
static unsigned long excess(const struct mm_struct *mm, unsigned long limit)
{
	unsigned long have = resident(mm), goal = limit - min(limit, batch_of(limit));

	return limit && have > goal ? have - goal : 0;
}

/* ------------------------------------------------------------------------------- retry -- */

/* By all threads, since the beginning. */
static u64 nr_freed_ever(struct vmarea *instance)
{
	struct vmarea_reclaim_stats now;

	vmarea_get_reclaim_stats(instance, &now);
	return now.dropped + now.swapped + now.discarded + now.shrunk;
}

/* Here it would wait for itself: see above. */
static void wait_for_tables(void)
	__may_sleep
{
	if (!port_rcu_read_ongoing())
		port_rcu_barrier();
}

/* How many tries one counts for. */
static unsigned int cost_of_try(struct vmarea *instance, struct reclaim_from from, unsigned long nr)
	__must_not_hold(vma_stable) __may_sleep
{
	u64 before = nr_freed_ever(instance);
	struct reclaim_result result = reclaim_pages(instance, from, nr);

	if (result.nr_freed)
		return 1;
	wait_for_tables();
	port_yield();
	if (nr_freed_ever(instance) != before)
		return 1;
	return result.busy ? HELD_UP : IN_VAIN;
}

static bool may_try_again(const struct vmarea *instance, unsigned int nr_tries)
{
	return atomic_load_relaxed(&instance->reclaim.when) != VMAREA_RECLAIM_WHEN_ASKED &&
	       nr_tries < MOST_TRIES;
}

static bool try_again(struct vmarea *instance, struct reclaim_from from, unsigned long nr,
		      unsigned int *nr_tries)
	__must_not_hold(vma_stable) __may_sleep
{
	if (!may_try_again(instance, *nr_tries))
		return false;
	/* Others may have made room meanwhile. */
	if (!nr) {
		++*nr_tries;
		return true;
	}
	atomic_add_relaxed(&instance->reclaim.stats.waits, 1);
	from.again = *nr_tries >= HELD_UP;
	*nr_tries += cost_of_try(instance, from, nr);
	return true;
}

bool reclaim_for_file(struct vmarea *instance, unsigned int *nr_tries)
{
	struct reclaim_from anybody = { .mm = NULL };

	return try_again(instance, anybody, batch_of(arena_limit(instance->arena)), nr_tries);
}

bool reclaim_for_call(struct vmarea *instance, unsigned int *nr_tries)
{
	unsigned long nr = batch_of(arena_limit(instance->arena)) << min(*nr_tries, MOST_DOUBLINGS);
	struct reclaim_from anybody = { .mm = NULL };

	if (!may_try_again(instance, *nr_tries))
		return false;
	port_rcu_barrier();
	return try_again(instance, anybody, nr, nr_tries);
}

bool reclaim_for_retry(struct mm_struct *mm, unsigned int *nr_tries)
{
	unsigned long limit = atomic_load_relaxed(&mm->resident_limit);
	struct reclaim_from itself = { .mm = mm };

	if (mm_over_limit(mm, 1))
		return try_again(mm->instance, itself, excess(mm, limit), nr_tries);
	return reclaim_for_file(mm->instance, nr_tries);
}

/* ------------------------------------------------------------------------------- calls -- */

void vmarea_set_reclaim_when(struct vmarea *instance, enum vmarea_reclaim_when when)
{
	atomic_store_relaxed(&instance->reclaim.when, when);
}

/* Until it is so, or nothing more goes, and not for ever: what shrinkers free need be no frames. */
static void shrink_to_limit(struct vmarea *instance)
	__must_not_hold(vma_stable) __may_sleep
{
	struct reclaim_from anybody = { .mm = NULL };
	unsigned long limit = arena_limit(instance->arena), used;
	unsigned int nr_tries = 0;
	struct arena_stats stats;

	do {
		arena_get_stats(instance->arena, &stats);
		/* The parts are of different moments. */
		used = stats.total - min(stats.total, stats.free + stats.cached);
	} while (used > limit && nr_tries++ < MOST_TRIES &&
		 reclaim_pages(instance, anybody, used - limit).nr_freed);
	arena_collect(instance->arena);
}

int vmarea_set_limit(struct vmarea *instance, uint64_t bytes)
{
	witness_call();
	unsigned long frames = bytes ? bytes >> PAGE_SHIFT : ~0ul;

	if (!instance->arena)
		return -EOPNOTSUPP;
	arena_set_limit(instance->arena, frames);
	shrink_to_limit(instance);
	return 0;
}

uint64_t vmarea_limit(struct vmarea *instance)
{
	return instance->arena ? (u64)arena_limit(instance->arena) << PAGE_SHIFT : 0;
}

int mm_set_limit(struct mm_user *user, uint64_t bytes)
{
	witness_call();
	struct mm_struct *mm = mm_from_user(user);
	struct reclaim_from itself = { .mm = mm };
	/* Less than a page is a limit, too. */
	unsigned long limit = bytes ? max(bytes >> PAGE_SHIFT, 1ul) : 0;
	unsigned int nr_tries = 0;
	unsigned long nr;

	if (!mm->pgt)
		return -EOPNOTSUPP;
	atomic_store_relaxed(&mm->resident_limit, limit);
	/* Others may fault faster, or unmap: looked at once. */
	while ((nr = nr_above(mm, limit)) && nr_tries++ < MOST_TRIES &&
	       reclaim_pages(mm->instance, itself, nr).nr_freed)
		;
	return 0;
}

uint64_t mm_limit(struct mm_user *user)
{
	return (u64)atomic_load_relaxed(&mm_from_user(user)->resident_limit) << PAGE_SHIFT;
}

unsigned long vmarea_reclaim(struct vmarea *instance, unsigned long nr_pages)
{
	witness_call();
	struct reclaim_from anybody = { .mm = NULL };

	return instance->arena ? reclaim_pages(instance, anybody, nr_pages).nr_freed : 0;
}

unsigned long mm_reclaim(struct mm_user *user, unsigned long nr_pages)
{
	witness_call();
	struct reclaim_from itself = { .mm = mm_from_user(user) };

	return itself.mm->pgt ? reclaim_pages(itself.mm->instance, itself, nr_pages).nr_freed : 0;
}

void vmarea_get_reclaim_stats(const struct vmarea *instance, struct vmarea_reclaim_stats *stats)
{
	const struct vmarea_reclaim_stats *now = &instance->reclaim.stats;

	*stats = (struct vmarea_reclaim_stats){
		.scanned = atomic_load_relaxed(&now->scanned),
		.kept = atomic_load_relaxed(&now->kept),
		.dropped = atomic_load_relaxed(&now->dropped),
		.written = atomic_load_relaxed(&now->written),
		.swapped = atomic_load_relaxed(&now->swapped),
		.split = atomic_load_relaxed(&now->split),
		.discarded = atomic_load_relaxed(&now->discarded),
		.shrunk = atomic_load_relaxed(&now->shrunk),
		.refused = atomic_load_relaxed(&now->refused),
		.waits = atomic_load_relaxed(&now->waits),
	};
}
