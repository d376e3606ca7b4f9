/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A sorted array that does what a range tree does, slowly and obviously; and random numbers
 * from a seed that a failing test prints.
 */
#ifndef TESTS_DS_MODEL_H
#define TESTS_DS_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ds/range_tree.h"

struct model {
	struct rt_entry *e;
	size_t nr, room;
};

struct rng {
	uint64_t state;
};

/* xorshift64*; below 2^64 and never stuck, for a state that is not 0. */
static inline uint64_t rng_next(struct rng *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * 0x2545f4914f6cdd1dull;
}

static inline unsigned long rng_below(struct rng *r, unsigned long n)
{
	return (unsigned long)(rng_next(r) >> 11) % n;
}

/* VMAREA_SEED in the environment replays a run. */
static inline struct rng rng_start(const char *test)
{
	const char *text = getenv("VMAREA_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : port_random();

	printf("%s: VMAREA_SEED=%#llx\n", test, (unsigned long long)seed);
	fflush(stdout);
	return (struct rng){ .state = seed ? seed : 1 };
}

/* Place of the first entry that ends above @addr. */
static inline size_t model_at(const struct model *m, unsigned long addr)
{
	size_t lo = 0, hi = m->nr;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (m->e[mid].end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static inline void model_put(struct model *m, size_t at, struct rt_entry e)
{
	if (m->nr == m->room) {
		m->room = m->room ? 2 * m->room : 64;
		m->e = realloc(m->e, m->room * sizeof(*m->e));
		if (!m->e)
			abort();
	}
	memmove(&m->e[at + 1], &m->e[at], (m->nr - at) * sizeof(*m->e));
	m->e[at] = e;
	m->nr++;
}

static inline void model_cut(struct model *m, size_t at, size_t nr)
{
	if (nr)
		memmove(&m->e[at], &m->e[at + nr], (m->nr - at - nr) * sizeof(*m->e));
	m->nr -= nr;
}

static inline struct model model_copy(const struct model *m)
{
	struct model copy = { .nr = m->nr, .room = m->nr };

	if (m->nr) {
		copy.e = malloc(m->nr * sizeof(*m->e));
		if (!copy.e)
			abort();
		memcpy(copy.e, m->e, m->nr * sizeof(*m->e));
	}
	return copy;
}

static inline void model_free(struct model *m)
{
	free(m->e);
	*m = (struct model){ 0 };
}

/* Start of the free range in front of entry @i; entry nr stands for the end of all addresses. */
static inline unsigned long model_gap_start(const struct model *m, size_t i)
{
	return i ? m->e[i - 1].end : 0;
}

static inline bool model_gap_fits(const struct model *m, size_t i, unsigned long lo,
				  unsigned long hi, unsigned long size, struct rt_range *gap)
{
	unsigned long start = model_gap_start(m, i);
	unsigned long end = i < m->nr ? m->e[i].start : ~0ul;

	start = start > lo ? start : lo;
	end = end < hi ? end : hi;
	if (start >= end || end - start < size)
		return false;
	*gap = (struct rt_range){ .start = start, .end = end };
	return true;
}

#endif
