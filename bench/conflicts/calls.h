/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef CALLS_H
#define CALLS_H

#include "world.h"

/*
 * A call that is compared with others.  It has to succeed.  What it asks and what it changes, and
 * so which ones commute with it, is in commute.py.
 */
struct call {
	const char *name;
	void (*make)(struct side *side);
	unsigned int needs;		/* NEEDS_* */
};

extern const struct call calls[];
extern const unsigned int nr_calls;

#endif
