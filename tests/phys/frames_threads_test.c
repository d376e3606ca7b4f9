/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Threads that take, stamp, hand to one another and free frames, in an arena that is too small for
 * all of them: so refills, spills and collections meet.  Others count references on frames that
 * they find by number, as lockless readers do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../sync/threads.h"
#include "phys/phys.h"

#define WORKERS		3
#define ROUNDS		100000
#define HELD		128
#define FRAMES		160ul

static struct arena *arena;
static struct page *exchange[16];	/* atomic: a frame on its way to another thread */
static unsigned long failures;		/* atomic */
static u32 done;

static void check_and_put(struct page *page)
{
	u64 *words = page_bytes(page);

	VM_BUG_ON(words[1] != (u64)(uintptr_t)page, "frame %lu was somebody else's",
		  page_pfn(page));
	words[1] = 0;
	page_put(page);
}

static struct page *take_one(void)
{
	struct page *page = page_alloc(arena, 0, PAGE_ZEROED);
	u64 *words;

	if (!page) {
		atomic_add_relaxed(&failures, 1);
		return NULL;
	}
	words = page_bytes(page);
	VM_BUG_ON(words[1], "frame %lu is not zero", page_pfn(page));
	words[1] = (u64)(uintptr_t)page;
	return page;
}

static void *work(void *arg)
{
	u64 random = (u64)(uintptr_t)arg + 1;
	struct page *held[HELD] = { 0 };

	for (int i = 0; i < ROUNDS; i++) {
		struct page **slot, *page;

		random = random * 6364136223846793005ull + 1442695040888963407ull;
		slot = &held[(random >> 33) % HELD];
		if (*slot) {
			/* Pairs with itself: the bytes go with the frame. */
			page = atomic_xchg_acq_rel(&exchange[(random >> 40) % 16], *slot);
			*slot = NULL;
			if (page)
				check_and_put(page);
		} else {
			*slot = take_one();
		}
	}
	for (int i = 0; i < HELD; i++)
		if (held[i])
			check_and_put(held[i]);
	return NULL;
}

/* References that come and go on frames of others; the last one frees, whoever has it. */
static void *look(void *arg)
{
	struct page *frames = arena_frames(arena);
	unsigned long first = page_pfn(arena_zero_page(arena)) & ~(BLOCK_FRAMES - 1);

	(void)arg;
	while (!atomic_load_relaxed(&done)) {
		for (unsigned long i = 0; i < FRAMES; i++) {
			struct page *page = pfn_page(frames, first + i);

			if (page_try_get(page))
				page_put(page);
		}
		port_yield();
	}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t workers[WORKERS], looker;
	struct arena_stats stats;

	(void)state;
	assert_int_equal(arena_create(FRAMES * PAGE_SIZE, &arena), 0);
	looker = start(look, NULL);
	for (uintptr_t i = 0; i < WORKERS; i++)
		workers[i] = start(work, (void *)i);
	for (int i = 0; i < WORKERS; i++)
		finish(workers[i]);
	raise_flag(&done);
	finish(looker);
	for (int i = 0; i < 16; i++)
		if (exchange[i])
			check_and_put(exchange[i]);
	arena_get_stats(arena, &stats);
	assert_int_equal(stats.free + stats.cached, FRAMES - 1);
	arena_destroy(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_threads) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
