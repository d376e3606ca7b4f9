/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Checks for embedders' own tests.  The walkers are in every build.
 */
#ifndef VMAREA_DEBUG_H
#define VMAREA_DEBUG_H

#include <vmarea/vmarea.h>

#ifdef __cplusplus
extern "C" {
#endif
__nonnull_begin

/*
 * Checks every invariant of an mm: the tree's order, gaps and counts, each VMA against its entry and
 * what it maps, locks and their numbers, totals against their sums.  0, or -EINVAL with the first
 * violation in @why, a string in @why_bytes bytes, at least one.  Beside other threads' calls it is
 * as safe as any call, and sees the mm between two of them.  Takes the mmap lock for write: none may
 * be held.  Allocates nothing.
 */
VMAREA_API int mm_validate(struct mm_user *mm, char *why, size_t why_bytes) __may_sleep;

/*
 * The same for each mm of an instance, and their sums against the instance's counts: memory
 * promised, huge pages kept, references to files, memory of VMAs.  For a quiet moment: no other
 * thread may be inside a call for this instance, its mms or files.  Waits for background work; so
 * not from a hook.  Allocates nothing.
 */
VMAREA_API int vmarea_validate(struct vmarea *instance, char *why, size_t why_bytes) __may_sleep;

/*
 * Pairs of neighbours that the rules of merging would join, and that stand side by side.  That is no
 * violation: as on Linux it happens after mm_fork(), after a call that stopped half way, where two
 * of three could join only, and after mm_set_memory_merge().  A test that makes only calls after
 * which there are none can ask.  *@first, if there is one and @first is not NULL, is the address
 * where the two of the first pair meet.
 */
VMAREA_API unsigned long mm_count_unmerged(struct mm_user *mm, unsigned long *__nullable first)
	__may_sleep;

/* ----------------------------------------------------------- locks of drivers -- */

/*
 * A driver's own mutexes and spinlocks, told to the lock checker of a library that was built with
 * -Ddebug_checks=true.  In any other build these functions are there and do nothing.
 *
 * A class is all locks that play one part.  The checker learns the order in which classes are taken,
 * mmap locks and VMA locks among them, and reports the first time that an order occurs which with
 * what it has seen before could end in a deadlock: it need not happen.  It also reports sleeping
 * under a lock of VMAREA_LOCK_SPIN, a lock that is taken twice, released by a thread that does not
 * hold it, or held at the return of a memory call that took it, or at the end of a thread.
 *
 *	static struct vmarea_lock_class cache_class = VMAREA_LOCK_CLASS("my driver's cache lock");
 *
 *	vmarea_lock_acquiring(&cache->mutex, &cache_class);	it may wait: not for a trylock
 *	pthread_mutex_lock(&cache->mutex);
 *	vmarea_lock_acquired(&cache->mutex, &cache_class, VMAREA_LOCK_EXCLUSIVE);
 *	...
 *	vmarea_lock_released(&cache->mutex, VMAREA_LOCK_EXCLUSIVE);
 *	pthread_mutex_unlock(&cache->mutex);
 *
 * @lock is any address that stands for the lock.  Whoever takes it gives it back, on one thread.  A
 * report is printed and ends the program.
 */
struct vmarea_lock_class {
	const char *name;		/* stays; two classes of one name are one */
	unsigned int id;		/* the library's */
};

#define VMAREA_LOCK_CLASS(text)		{ (text), 0 }

enum vmarea_lock_mode {
	VMAREA_LOCK_SHARED,
	VMAREA_LOCK_EXCLUSIVE,
	VMAREA_LOCK_SPIN,		/* exclusive, and nobody may sleep under it */
};

/* For a class that is not static: the same as VMAREA_LOCK_CLASS(@name). */
VMAREA_API void vmarea_lock_class_init(struct vmarea_lock_class *class_, const char *name);

/* @subclass is 0, or more for the second, third... lock of one class taken in a fixed order. */
VMAREA_API void vmarea_lock_acquiring_at(const void *lock, struct vmarea_lock_class *class_,
					 unsigned int subclass, const char *place);
VMAREA_API void vmarea_lock_acquired_at(const void *lock, struct vmarea_lock_class *class_,
					unsigned int subclass, enum vmarea_lock_mode mode,
					const char *place);
VMAREA_API void vmarea_lock_released_at(const void *lock, enum vmarea_lock_mode mode,
					const char *place);

#define __VMAREA_TEXT(x)	#x
#define __VMAREA_LINE(x)	__VMAREA_TEXT(x)
#define __VMAREA_HERE		(__FILE__ ":" __VMAREA_LINE(__LINE__))

#define vmarea_lock_acquiring(lock, class_)					\
	vmarea_lock_acquiring_at((lock), (class_), 0, __VMAREA_HERE)
#define vmarea_lock_acquired(lock, class_, mode)				\
	vmarea_lock_acquired_at((lock), (class_), 0, (mode), __VMAREA_HERE)
#define vmarea_lock_released(lock, mode)					\
	vmarea_lock_released_at((lock), (mode), __VMAREA_HERE)

__nonnull_end
#ifdef __cplusplus
}
#endif
#endif
