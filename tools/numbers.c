/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * An array that is at most half full.  A number is looked for from its home on, up to a free entry;
 * so nothing is free between a home and its number, and who takes one out moves up those behind.
 */
#include "numbers.h"

#include <stdint.h>
#include <stdlib.h>

#include "cli.h"

/* Numbers that follow one another, and multiples of a power of two, are spread: by 2^64 / phi. */
static size_t home_of(const struct numbers *t, long number)
{
	uint64_t product = (uint64_t)number * 0x9e3779b97f4a7c15ull;

	return (size_t)(product >> 32) & (t->room - 1);
}

/* Its entry, or the free one where it is to be.  There is room. */
static struct numbers_entry *find(const struct numbers *t, long number)
{
	size_t at = home_of(t, number);

	while (t->entries[at].value && t->entries[at].number != number)
		at = (at + 1) & (t->room - 1);
	return &t->entries[at];
}

void *numbers_get(const struct numbers *t, long number)
{
	return t->nr ? find(t, number)->value : NULL;
}

static void grow(struct numbers *t)
{
	struct numbers larger = { .room = t->room ? t->room * 2 : 16, .nr = t->nr };

	larger.entries = cli_alloc(larger.room * sizeof(*larger.entries));
	for (size_t i = 0; i < t->room; i++)
		if (t->entries[i].value)
			*find(&larger, t->entries[i].number) = t->entries[i];
	free(t->entries);
	*t = larger;
}

void numbers_put(struct numbers *t, long number, void *value)
{
	struct numbers_entry *e;

	if (2 * (t->nr + 1) > t->room)
		grow(t);
	e = find(t, number);
	t->nr += !e->value;
	*e = (struct numbers_entry){ number, value };
}

void *numbers_take(struct numbers *t, long number)
{
	struct numbers_entry *e = t->nr ? find(t, number) : NULL;
	void *value = e ? e->value : NULL;

	if (!value)
		return NULL;
	t->nr--;
	e->value = NULL;
	for (size_t at = (size_t)(e - t->entries + 1) & (t->room - 1); t->entries[at].value;
	     at = (at + 1) & (t->room - 1)) {
		struct numbers_entry moved = t->entries[at];

		t->entries[at].value = NULL;
		*find(t, moved.number) = moved;
	}
	return value;
}

void numbers_free(struct numbers *t)
{
	free(t->entries);
	*t = (struct numbers){ 0 };
}
