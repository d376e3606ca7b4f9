/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Which site fails, and the table of sites.  See failure.h.
 *
 * The table is filled by whoever comes to a site first, with a compare-and-swap, and nothing is
 * ever taken out.  So it may be asked anywhere, a signal handler included.  All counts are relaxed:
 * they order nothing.
 */
#include "port/port.h"

#ifdef CONFIG_VMAREA_DEBUG

#include "base/atomic.h"
#include "base/str.h"

/* Some forty in src/, and those of the tests. */
#define NR_PLACES	256u

struct place {
	const char *here;			/* atomic: NULL: free */
	u32 kind;				/* atomic */
	unsigned long asked, failed;		/* atomic */
};

static struct place places[NR_PLACES];

static PORT_TLS struct {
	unsigned long count;
	unsigned long fail_at[2];		/* 0: none */
} self;

/* What all threads share. */
static struct {
	u32 kinds;				/* atomic, as all of these */
	unsigned long count;
	unsigned long fail_at;			/* 0: none */
	unsigned long one_in;			/* 0: none */
	unsigned long base;			/* count when the seed was given */
	u64 seed;
} all = { .kinds = 1u << PORT_FAIL_MEMORY };

/* One place for each text: an inline function's site is named by each file that includes it. */
static struct place *find_place(const char *here)
{
	unsigned int hash = 0;

	for (const char *s = here; *s; s++)
		hash = 31 * hash + (unsigned char)*s;
	for (unsigned int i = 0; i < NR_PLACES; i++) {
		struct place *place = &places[(hash + i) % NR_PLACES];
		const char *found = NULL;

		if (atomic_cas_relaxed(&place->here, &found, here) || found == here ||
		    str_eq(found, here))
			return place;
	}
	port_panic("%s: more than %u sites", here, NR_PLACES);
}

/* Steele, Lea and Flood's SplitMix64 (2014): any input gives bits that look random. */
static u64 mix(u64 x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

static bool is_chosen(void)
{
	unsigned long nr = ++self.count;
	unsigned long nr_of_all = atomic_add_relaxed(&all.count, 1) + 1;
	unsigned long one_in = atomic_load_relaxed(&all.one_in);
	unsigned long nr_of_seed = nr_of_all - atomic_load_relaxed(&all.base);

	return nr == self.fail_at[0] || nr == self.fail_at[1] ||
	       nr_of_all == atomic_load_relaxed(&all.fail_at) ||
	       (one_in && !(mix(atomic_load_relaxed(&all.seed) ^ mix(nr_of_seed)) % one_in));
}

bool port_fail_kind_at(enum port_fail_kind kind, const char *here)
{
	struct place *place = find_place(here);

	atomic_store_relaxed(&place->kind, kind);
	atomic_add_relaxed(&place->asked, 1);
	if (!(atomic_load_relaxed(&all.kinds) & (1u << kind)) || !is_chosen())
		return false;
	atomic_add_relaxed(&place->failed, 1);
	return true;
}

void port_fail_kinds(unsigned int mask)
{
	atomic_store_relaxed(&all.kinds, mask);
}

static unsigned long counted_from(unsigned long count, long n)
{
	return n > 0 ? count + (unsigned long)n : 0;
}

void port_fail_both(long n, long m)
{
	self.fail_at[0] = counted_from(self.count, n);
	self.fail_at[1] = counted_from(self.count, m);
}

void port_fail_nth(long n)
{
	port_fail_both(n, 0);
}

void port_fail_nth_of_all(long n)
{
	atomic_store_relaxed(&all.fail_at, counted_from(atomic_load_relaxed(&all.count), n));
}

void port_fail_random(u64 seed, long one_in)
{
	atomic_store_relaxed(&all.seed, seed);
	atomic_store_relaxed(&all.base, atomic_load_relaxed(&all.count));
	atomic_store_relaxed(&all.one_in, one_in > 0 ? (unsigned long)one_in : 0);
}

unsigned long port_alloc_count(void)
{
	return self.count;
}

unsigned long port_alloc_count_of_all(void)
{
	return atomic_load_relaxed(&all.count);
}

size_t port_fail_sites(struct port_site *sites, size_t room)
{
	size_t nr = 0;

	for (unsigned int i = 0; i < NR_PLACES; i++) {
		struct place *place = &places[i];
		const char *here = atomic_load_relaxed(&place->here);

		if (!here)
			continue;
		if (nr < room)
			sites[nr] = (struct port_site){
				.here = here,
				.kind = atomic_load_relaxed(&place->kind),
				.asked = atomic_load_relaxed(&place->asked),
				.failed = atomic_load_relaxed(&place->failed),
			};
		nr++;
	}
	return nr;
}

#endif
