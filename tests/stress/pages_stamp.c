/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Stamps.
 *
 *	63   61 60   58 57       48 47     32 31       0
 *	   5     kind      page       mm        ticket
 *
 * A ticket is drawn for each store, so it says what is older.  A thread says from when on it may have
 * a ticket whose store is not done yet; the *horizon* is the oldest of these: each store with an
 * older ticket was done when somebody asked for it.  So, after a call that discards pages,
 *
 *	what is found in them has a ticket of the horizon before the call or later, or is 0.
 *
 * In a child, tickets of ancestors are from before the end of the fork.  And a thread's own word
 * never has an older ticket than its own last store there, whatever others do: 0 if they discard it.
 *
 * All of this is relaxed, so that it orders nothing that the library should: drawing a ticket is a
 * full fence on the machines this runs on, and calls of the library are none that a compiler moves
 * anything across.
 */
#include "pages.h"

#define TAG		5ull
#define DISK		0xffffu

static uint32_t tickets;
static struct { uint32_t since; } __attribute__((aligned(64))) on_the_way[NR_THREADS];

#define NEVER		UINT32_MAX

static unsigned int kind_of(unsigned long page)
{
	enum region region = region_of(page);

	/* mremap() takes pages from one of these to another. */
	if (region <= HUGE)
		return 1;
	return region == PRIVATE_FILE || region == SHARED_FILE ? 2 : 3 + (region == SHMEM);
}

static bool is_private(unsigned long page)
{
	return region_of(page) <= HUGE || region_of(page) == PRIVATE_FILE;
}

static uint64_t stamp(unsigned long page, uint32_t mm, uint32_t ticket)
{
	return TAG << 61 | (uint64_t)kind_of(page) << 58 | (uint64_t)(page % REGION_PAGES) << 48 |
	       (uint64_t)(mm & 0xffff) << 32 | ticket;
}

uint32_t stamp_now(void)
{
	return __atomic_load_n(&tickets, __ATOMIC_RELAXED);
}

uint64_t stamp_new(struct thread *t, uint32_t mm, unsigned long page)
{
	/* What is stored to a file is the file's, and private mappings show it. */
	if (region_of(page) == SHARED_FILE)
		mm = DISK;
	__atomic_store_n(&on_the_way[t->nr].since, stamp_now() + 1, __ATOMIC_RELAXED);
	return stamp(page, mm, __atomic_fetch_add(&tickets, 1, __ATOMIC_RELAXED) + 1);
}

void stamp_done(struct thread *t)
{
	__atomic_store_n(&on_the_way[t->nr].since, NEVER, __ATOMIC_RELAXED);
}

uint64_t stamp_of_disk(unsigned long page)
{
	return stamp(page, DISK, NEVER);
}

uint32_t stamp_horizon(void)
{
	uint32_t horizon = stamp_now() + 1;

	for (unsigned int i = 0; i < NR_THREADS; i++) {
		uint32_t since = __atomic_load_n(&on_the_way[i].since, __ATOMIC_RELAXED);

		/* 0: it has not stored anything yet. */
		if (since && since < horizon)
			horizon = since;
	}
	return horizon;
}

void stamp_discarded(struct space *space, unsigned long page, unsigned long nr, uint32_t horizon)
{
	for (unsigned long i = page; has_floor(page) && i < page + nr; i++) {
		uint32_t was = __atomic_load_n(&space->floor[floor_index(i)], __ATOMIC_RELAXED);

		while (was < horizon &&
		       !__atomic_compare_exchange_n(&space->floor[floor_index(i)], &was, horizon, true,
						    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			;
	}
}

void stamp_check_place(uint64_t word, unsigned long page)
{
	uint64_t like = stamp(page, 0, 0);

	CHECK(!word || (word >> 48) == (like >> 48), "page %lu of region %d has %#lx",
	      page % REGION_PAGES, region_of(page), (unsigned long)word);
}

struct expected stamp_expect(const struct thread *t, const struct space *space, unsigned long page,
			     unsigned long at)
{
	struct expected e = { 0 };

	if (!has_floor(page))
		return e;
	e.floor = __atomic_load_n(&space->floor[floor_index(page)], __ATOMIC_RELAXED);
	if (at == word_of(t))
		e.own = space->own[t->nr][floor_index(page)];
	return e;
}

/* May the stores of @mm with @ticket be seen in @space? */
static bool in_line(const struct space *space, uint32_t mm, uint32_t ticket)
{
	for (unsigned int i = 0; i < space->depth; i++)
		if ((space->line[i].id & 0xffff) == mm)
			return ticket <= space->line[i].until;
	return mm == DISK;
}

void stamp_check(const struct space *space, unsigned long page, uint64_t word,
		 struct expected expected)
{
	uint32_t ticket = (uint32_t)word, mm = (word >> 32) & 0xffff;

	stamp_check_place(word, page);
	if (!word || !is_private(page))
		return;
	CHECK(in_line(space, mm, ticket), "page %lu of region %d of mm %u has a store %u by mm %u",
	      page % REGION_PAGES, region_of(page), space_id(space), ticket, mm);
	CHECK(ticket >= expected.floor, "page %lu of region %d: store %u was discarded before %u",
	      page % REGION_PAGES, region_of(page), ticket, expected.floor);
	CHECK(ticket >= expected.own, "page %lu of region %d: store %u is back after store %u",
	      page % REGION_PAGES, region_of(page), ticket, expected.own);
}

void stamp_stored(struct thread *t, struct space *space, unsigned long page, uint64_t word)
{
	if (has_floor(page))
		space->own[t->nr][floor_index(page)] = (uint32_t)word;
}
