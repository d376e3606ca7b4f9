/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The allocator against a model: a table of who has which frame.
 *
 * Random blocks of random orders are taken and given back, at random moments the arena is nearly
 * full; no two owners have a frame in common, bytes stay what their owner wrote, zeros are zeros,
 * and at the end everything joins again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "phys/phys.h"

#define FRAMES		5000ul		/* no multiple of a block */
#define MAX_BLOCKS	4096
#define STEPS		60000

static struct {
	struct page *page;
	unsigned int order;
	u64 stamp;
} blocks[MAX_BLOCKS];
static unsigned int nr_blocks;
static unsigned long nr_used = 1;	/* the zero page */
static u8 owned[2 * FRAMES];
static u64 seed;

static u64 rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* First and last word of each frame. */
static void stamp(struct page *page, unsigned int order, u64 value)
{
	for (unsigned long i = 0; i < BIT(order); i++) {
		u64 *words = pfn_bytes(page_zeroth(page), page_pfn(page) + i);

		words[0] = words[511] = value + i;
	}
}

static bool stamped(struct page *page, unsigned int order, u64 value)
{
	for (unsigned long i = 0; i < BIT(order); i++) {
		u64 *words = pfn_bytes(page_zeroth(page), page_pfn(page) + i);

		if (words[0] != value + i || words[511] != value + i)
			return false;
	}
	return true;
}

static bool zeroed(struct page *page, unsigned int order)
{
	const u64 *words = page_bytes(page);

	for (unsigned long i = 0; i < (PAGE_SIZE << order) / sizeof(u64); i++)
		if (words[i])
			return false;
	return true;
}

static void own(struct page *page, unsigned int order, u8 by)
{
	for (unsigned long i = 0; i < BIT(order); i++) {
		unsigned long pfn = page_pfn(page) + i;

		assert_true(pfn < sizeof(owned));
		if (owned[pfn] == by)
			fail_msg("seed %#lx: frame %lu of order %u is %s", (unsigned long)seed, pfn,
				 order, by ? "taken twice" : "freed twice");
		owned[pfn] = by;
	}
}

static void take(struct arena *arena)
{
	unsigned int order = (unsigned int)(rnd() % 4 ? rnd() % 3 : rnd() % (PAGE_MAX_ORDER + 1));
	bool zero = rnd() % 2;
	struct page *page;

	if (nr_blocks == MAX_BLOCKS)
		return;
	page = page_alloc(arena, order, zero ? PAGE_ZEROED : PAGE_ANYTHING);
	if (!page) {
		/* Single frames are to be had while there are any. */
		assert_true(order || nr_used == FRAMES);
		return;
	}
	own(page, order, 1);
	if (zero)
		assert_true(zeroed(page, order));
	blocks[nr_blocks].page = page;
	blocks[nr_blocks].order = order;
	blocks[nr_blocks].stamp = rnd();
	stamp(page, order, blocks[nr_blocks].stamp);
	nr_blocks++;
	nr_used += BIT(order);
}

static void give(void)
{
	unsigned int i;

	if (!nr_blocks)
		return;
	i = (unsigned int)(rnd() % nr_blocks);
	assert_true(stamped(blocks[i].page, blocks[i].order, blocks[i].stamp));
	own(blocks[i].page, blocks[i].order, 0);
	if (blocks[i].order && rnd() % 4 == 0) {
		assert_true(page_try_split(blocks[i].page, 1));
		for (unsigned long k = 0; k < BIT(blocks[i].order); k++)
			page_put(blocks[i].page + k);
	} else {
		page_put(blocks[i].page);
	}
	nr_used -= BIT(blocks[i].order);
	blocks[i] = blocks[--nr_blocks];
}

static void test_model(void **state)
{
	struct arena *arena;
	struct arena_stats stats;

	(void)state;
	assert_int_equal(arena_create(FRAMES * PAGE_SIZE, &arena), 0);
	for (int step = 0; step < STEPS; step++) {
		/* Waves: more takes than gives, then the other way round. */
		if (rnd() % 100 < (step / 3000 % 2 ? 40 : 60))
			take(arena);
		else
			give();
		if (step % 4096 == 0)
			arena_trim(arena);
		if (step % 64 == 0) {
			arena_get_stats(arena, &stats);
			assert_int_equal(stats.free + stats.cached + nr_used, FRAMES);
		}
	}
	while (nr_blocks)
		give();
	arena_trim(arena);		/* empties the caches */
	arena_get_stats(arena, &stats);
	assert_int_equal(stats.free, FRAMES - 1);
	/* All but the block of the zero page, and the ragged end, are whole. */
	assert_int_equal(stats.free_blocks[PAGE_MAX_ORDER] + stats.fresh / BLOCK_FRAMES,
			 FRAMES / BLOCK_FRAMES - 1);
	arena_destroy(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_model) };
	const char *given = getenv("VMAREA_SEED");

	seed = given ? strtoull(given, NULL, 0) : port_random();
	seed |= 1;
	print_message("VMAREA_SEED=%#lx\n", (unsigned long)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
