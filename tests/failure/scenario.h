/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Calls to be made with failures inside.  A call returns what the documented error for want of the
 * host's memory is translated to: -ENOMEM; anything else is success, and must be the same each time.
 */
#ifndef TESTS_FAILURE_SCENARIO_H
#define TESTS_FAILURE_SCENARIO_H

#include "world.h"

struct scenario {
	const char *name;
	long (*call)(struct mm_user *mm);
	void (*before)(void);			/* NULL: the world as world_open() makes it */
	/*
	 * Where the header says that an error may leave a part done: makes that state of a fresh
	 * world.  NULL: an error leaves everything as it was.
	 */
	long (*partial)(struct mm_user *mm);
	/* Its result and state are a driver's doing, who contradicts itself: they need be sound. */
	bool any_state;
};

extern const struct scenario memory_calls[], object_calls[];
extern const size_t nr_memory_calls, nr_object_calls;

#define CALL(name, expr)							\
	static long name(struct mm_user *mm) { return (expr); }

#endif
