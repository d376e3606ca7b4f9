/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Sets of address ranges: sorted arrays, for the few hundred that a program has.
 */
#include "ranges.h"

#include <stdlib.h>
#include <string.h>

#include "cli.h"

static size_t first_ending_above(const struct ranges *set, unsigned long addr)
{
	size_t low = 0, high = set->nr;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (set->r[middle].addr + set->r[middle].len > addr)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

bool ranges_meet(const struct ranges *set, unsigned long start, unsigned long end)
{
	size_t i = first_ending_above(set, start);

	return i < set->nr && set->r[i].addr < end;
}

static void insert_at(struct ranges *set, size_t i, unsigned long start, unsigned long end)
{
	if (set->nr == set->room) {
		set->room = set->room ? set->room * 2 : 16;
		set->r = cli_realloc(set->r, set->room * sizeof(*set->r));
	}
	memmove(set->r + i + 1, set->r + i, (set->nr - i) * sizeof(*set->r));
	set->r[i] = (struct mm_range){ start, end - start };
	set->nr++;
}

void ranges_remove(struct ranges *set, unsigned long start, unsigned long end)
{
	size_t i = first_ending_above(set, start);

	while (i < set->nr && set->r[i].addr < end) {
		unsigned long a = set->r[i].addr, e = a + set->r[i].len;

		memmove(set->r + i, set->r + i + 1, (set->nr - i - 1) * sizeof(*set->r));
		set->nr--;
		if (a < start)
			insert_at(set, i++, a, start);
		if (e > end)
			insert_at(set, i++, end, e);
	}
}

void ranges_add(struct ranges *set, unsigned long start, unsigned long end)
{
	ranges_remove(set, start, end);
	insert_at(set, first_ending_above(set, start), start, end);
}

void ranges_copy(struct ranges *to, const struct ranges *from)
{
	to->nr = to->room = from->nr;
	to->r = cli_alloc((from->nr + 1) * sizeof(*to->r));
	if (from->nr)
		memcpy(to->r, from->r, from->nr * sizeof(*to->r));
}
