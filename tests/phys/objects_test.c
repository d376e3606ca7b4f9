/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Small objects in frames, by one thread and by several; and the page lock, by several. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../ds/model.h"
#include "../sync/threads.h"
#include "phys/objects.h"
#include "phys/page_lock.h"

#define FRAMES		64ul
#define BYTES		576u
#define PER_FRAME	7u
#define WORKERS		3

static struct arena *arena;
static struct objects pool;

static unsigned long free_frames(void)
{
	struct arena_stats stats;

	arena_get_stats(arena, &stats);
	return stats.free + stats.cached;
}

static int open_pool(void **state)
{
	(void)state;
	assert_int_equal(arena_create(FRAMES * PAGE_SIZE, &arena), 0);
	objects_init(&pool, arena, BYTES);
	return 0;
}

static int close_pool(void **state)
{
	(void)state;
	objects_destroy(&pool);
	assert_int_equal(free_frames(), FRAMES - 1);
	arena_destroy(arena);
	return 0;
}

static void check_fresh(const char *object)
{
	VM_BUG_ON((uintptr_t)object % 64, "object %p", (const void *)object);
	for (unsigned int i = 0; i < BYTES; i++)
		VM_BUG_ON(object[i], "byte %u is %d", i, object[i]);
}

/* As many as fit, all apart, zero each time; frames come and go one by one. */
static void test_until_full(void **state)
{
	void *objects[FRAMES * PER_FRAME];
	unsigned int nr = 0;

	(void)state;
	while ((objects[nr] = objects_alloc(&pool))) {
		check_fresh(objects[nr]);
		memset(objects[nr], 1 + (int)(nr % 250), BYTES);
		nr++;
	}
	assert_int_equal(nr, (FRAMES - 1) * PER_FRAME);
	assert_int_equal(free_frames(), 0);
	for (unsigned int i = 0; i < nr; i++)
		for (unsigned int j = 0; j < BYTES; j++)
			assert_int_equal(((u8 *)objects[i])[j], 1 + i % 250);
	/* One of each frame is kept: nothing is freed until it goes, too. */
	for (unsigned int i = 0; i < nr; i++)
		if (i % PER_FRAME)
			objects_free(&pool, objects[i]);
	assert_int_equal(free_frames(), 0);
	for (unsigned int i = 0; i < nr; i += PER_FRAME)
		objects_free(&pool, objects[i]);
}

static void *work(void *arg)
{
	struct rng rng = { .state = 1 + (uintptr_t)arg };
	void *held[40] = { 0 };

	for (int i = 0; i < 20000; i++) {
		void **slot = &held[rng_below(&rng, 40)];

		if (*slot) {
			objects_free(&pool, *slot);
			*slot = NULL;
			continue;
		}
		*slot = objects_alloc(&pool);
		VM_BUG_ON(!*slot, "no object");
		check_fresh(*slot);
		memset(*slot, 0xff, BYTES);
	}
	for (int i = 0; i < 40; i++)
		if (held[i])
			objects_free(&pool, held[i]);
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t workers[WORKERS];

	(void)state;
	for (uintptr_t i = 0; i < WORKERS; i++)
		workers[i] = start(work, (void *)i);
	for (int i = 0; i < WORKERS; i++)
		finish(workers[i]);
}

#ifdef CONFIG_VMAREA_DEBUG
static void test_failures(void **state)
{
	void *object;

	(void)state;
	/* The object, and the frame for it. */
	for (long n = 1; n <= 2; n++) {
		port_fail_nth(n);
		assert_null(objects_alloc(&pool));
		assert_int_equal(free_frames(), FRAMES - 1);
	}
	port_fail_nth(3);
	object = objects_alloc(&pool);
	port_fail_nth(0);
	assert_non_null(object);
	objects_free(&pool, object);
}
#endif

/* ------------------------------------------------------------------------------ page lock -- */

static struct page *page;
static unsigned long inside;		/* plain: the page lock guards it */

static void *lock_often(void *arg)
{
	for (int i = 0; i < 20000; i++) {
		if (i % 3 || !page_trylock(page))
			page_lock(page);
		inside++;
		VM_BUG_ON(!page_is_locked(page), "inside");
		/* Others change flags beside it. */
		page_set_flags(page, BIT(PG_FIRST_FREE_BIT + 1 + (uintptr_t)arg));
		if (i % 500 == 0)
			port_yield();
		page_unlock(page);
		page_clear_flags(page, BIT(PG_FIRST_FREE_BIT + 1 + (uintptr_t)arg));
	}
	return NULL;
}

static void test_page_lock(void **state)
{
	pthread_t workers[WORKERS];

	(void)state;
	page = page_alloc(arena, 0, PAGE_ANYTHING);
	assert_non_null(page);
	for (uintptr_t i = 0; i < WORKERS; i++)
		workers[i] = start(lock_often, (void *)i);
	for (int i = 0; i < WORKERS; i++)
		finish(workers[i]);
	assert_int_equal(inside, WORKERS * 20000);
	assert_int_equal(page_flags(page), 0);
	page_put(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_until_full, open_pool, close_pool),
		cmocka_unit_test_setup_teardown(test_threads, open_pool, close_pool),
#ifdef CONFIG_VMAREA_DEBUG
		cmocka_unit_test_setup_teardown(test_failures, open_pool, close_pool),
#endif
		cmocka_unit_test_setup_teardown(test_page_lock, open_pool, close_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
