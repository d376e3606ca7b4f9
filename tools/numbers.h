/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What belongs to a number: to that of a task, a process, a descriptor.  At the cost of one look,
 * however many there are.
 */
#ifndef TOOLS_NUMBERS_H
#define TOOLS_NUMBERS_H

#include <stddef.h>

struct numbers_entry {
	long number;
	void *value;			/* NULL: there is none here */
};

/* All zero is the empty one. */
struct numbers {
	struct numbers_entry *entries;
	size_t room, nr;		/* a power of two, or 0; entries in use */
};

/* NULL: it has nothing. */
void *numbers_get(const struct numbers *t, long number);
/* @value, not NULL, in the place of what it had. */
void numbers_put(struct numbers *t, long number, void *value);
/* It has nothing any more.  What it had. */
void *numbers_take(struct numbers *t, long number);
void numbers_free(struct numbers *t);

#endif
