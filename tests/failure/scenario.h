/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Calls to be made with failures inside.  A call returns what the documented error for want of the
 * host's memory is translated to: -ENOMEM; anything else is success, and must be the same each time.
 */
#ifndef TESTS_FAILURE_SCENARIO_H
#define TESTS_FAILURE_SCENARIO_H

#include "frames.h"

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
	bool areas_only;			/* with pages it is another call: an error as it is */
};

extern const struct scenario memory_calls[], object_calls[], page_calls[], swap_calls[];
extern const size_t nr_memory_calls, nr_object_calls, nr_page_calls, nr_swap_calls;

/* What a call on an mm with pages leaves done where there was no memory for the rest: partial.c. */
struct partial {
	const char *name;		/* of the scenario */
	enum frames_left left;
	int error;			/* beside -ENOMEM; 0: none */
	bool areas;			/* areas may be as after the whole call */
	bool in_success;		/* it may also say that it is done, or how much is */
	const char *words;		/* the public header's, or Linux's */
};

/* NULL: everything stays as it was. */
const struct partial *partial_of(const char *name);

/* run.c: the scenario in a world of this kind with each failure, and what came of it. */
void run_scenario(const struct scenario *s, enum world_kind kind);

#define CALL(name, expr)							\
	static long name(struct mm_user *mm) { return (expr); }

#endif
