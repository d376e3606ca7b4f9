/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Sets of address ranges.
 */
#ifndef TOOLS_RANGES_H
#define TOOLS_RANGES_H

#include <vmarea/vmarea.h>

/* Disjoint, sorted.  All zero is the empty set; free(r) ends it. */
struct ranges {
	struct mm_range *r;	/* addr, len */
	size_t nr, room;
};

void ranges_add(struct ranges *set, unsigned long start, unsigned long end);
void ranges_remove(struct ranges *set, unsigned long start, unsigned long end);
bool ranges_meet(const struct ranges *set, unsigned long start, unsigned long end);
void ranges_copy(struct ranges *to, const struct ranges *from);

#endif
