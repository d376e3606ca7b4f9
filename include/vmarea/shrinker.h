/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Shrinkers: who keeps pages of an instance that it could do without, and gives some back when asked.
 *
 *	static unsigned long count(struct shrinker *shrinker);
 *	static unsigned long scan(struct shrinker *shrinker, struct shrink_control *sc);
 *
 *	cache->shrinker = (struct shrinker){ .name = "cache", .count = count, .scan = scan,
 *					     .seeks = SHRINKER_DEFAULT_SEEKS };
 *	shrinker_register(instance, &cache->shrinker);
 *	...
 *	shrinker_unregister(&cache->shrinker);
 *
 * They are asked when a fault, or a call that makes pages, found no frame and has let go of all its
 * locks (vmarea/reclaim.h): never from inside of an allocation.  So a driver whose alloc_page() was
 * NULL calls vmarea_shrink() or vmarea_reclaim(), where it holds no lock of an mm, and tries again.
 */
#ifndef VMAREA_SHRINKER_H
#define VMAREA_SHRINKER_H

#include <vmarea/driver.h>

#ifdef __cplusplus
extern "C" {
#endif
__nonnull_begin

struct shrink_control {
	unsigned long nr_to_scan;		/* look at so many objects, at most */
	/* How many were looked at: nr_to_scan before the call, for the hook to lower. */
	unsigned long nr_scanned;
};

/* What scan() returns when it cannot go on for now, whatever it has freed. */
#define SHRINK_STOP		(~0ul)

/* What it costs to make an object again, against a page that is read from a disk. */
#define SHRINKER_DEFAULT_SEEKS	2u

/*
 * The memory is the caller's: from shrinker_register() until shrinker_unregister() has returned it
 * stays where it is.
 *
 * Both hooks are called with no lock of the library's held, by several threads at once.  They count
 * as called by somebody who holds any lock of any mm, file or driver that one may hold and sleep: so
 * a hook may *try* a lock, and waits only for those inside which nobody ever comes here.  It does
 * not call alloc_page(), vmarea_shrink() or shrinker_unregister(), and ends an mm's reference with
 * mmput_async().  A number above LONG_MAX, as an error would be, is reported and taken for 0.
 */
struct shrinker {
	const char *name;			/* for reports; stays */
	/* How many objects could be freed.  An estimate; 0: not now. */
	unsigned long (*count)(struct shrinker *shrinker);
	/*
	 * Looks at up to sc->nr_to_scan objects, longest unused first, and frees those it can.  How
	 * many; or SHRINK_STOP.  An object that could not be had is passed over, and counts as
	 * looked at.
	 */
	unsigned long (*scan)(struct shrinker *shrinker, struct shrink_control *sc);
	unsigned int seeks;			/* 0: costs nothing to make again */
	unsigned long batch;			/* how many objects one scan() is asked for; 0: 128 */

	/* The library's. */
	struct shrinker *__nullable next;
	struct vmarea *__nullable instance;
	unsigned long deferred;
	unsigned int refs;
	bool leaving;
};

/* From its return on it is asked.  One that is registered already ends the program. */
VMAREA_API void shrinker_register(struct vmarea *instance, struct shrinker *shrinker);

/*
 * When it returns, nobody is in a hook any more, and nobody will call one.  Waits for those that
 * are: so not from a hook, and without any lock that a hook waits for.
 */
VMAREA_API void shrinker_unregister(struct shrinker *shrinker)	__may_sleep;

/*
 * Asks the shrinkers of @instance for @nr objects: first each for a 4096th of what it has, then for
 * twice as much, and so on to all, until @nr are freed; so who has more gives more.  How many were
 * freed: perhaps fewer, perhaps more.  Any number of threads at once.
 *
 * Hooks try the locks of any mm, and so this thread holds none, of no mm and no VMA; other locks
 * that it holds are not waited for.
 */
VMAREA_API unsigned long vmarea_shrink(struct vmarea *instance, unsigned long nr)
	__must_not_hold(vma_stable) __may_sleep;

__nonnull_end
#ifdef __cplusplus
}
#endif
#endif
