/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Shrinkers: how much each is asked for, and that none is asked after it has left. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <vmarea/shrinker.h>
#include <vmarea/vmarea.h>

/* A cache of nothing but a number. */
struct cache {
	struct shrinker shrinker;
	unsigned long nr;		/* objects it has; atomic */
	unsigned long keeps;		/* of these it cannot give */
	unsigned long nr_scans, largest;
	bool stops, looks_at_nothing, fails;
	bool gone;			/* unregister has returned; atomic */
};

static struct vmarea *v;

static struct cache *cache_of(struct shrinker *shrinker)
{
	return (struct cache *)((char *)shrinker - offsetof(struct cache, shrinker));
}

static unsigned long count(struct shrinker *shrinker)
{
	struct cache *c = cache_of(shrinker);

	assert_false(__atomic_load_n(&c->gone, __ATOMIC_RELAXED));
	return __atomic_load_n(&c->nr, __ATOMIC_RELAXED);
}

static unsigned long scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct cache *c = cache_of(shrinker);
	unsigned long nr = sc->nr_to_scan, can = c->nr - c->keeps;

	assert_int_equal(sc->nr_scanned, nr);
	c->nr_scans++;
	if (nr > c->largest)
		c->largest = nr;
	if (c->stops)
		return SHRINK_STOP;
	if (c->fails)
		return -12ul;			/* -ENOMEM, and no number */
	if (c->looks_at_nothing) {
		sc->nr_scanned = 0;
		return 0;
	}
	if (nr > can)
		nr = can;
	c->nr -= nr;
	return nr;
}

static void cache_open(struct cache *c, unsigned long nr, unsigned int seeks, unsigned long batch)
{
	*c = (struct cache){
		.shrinker = { .name = "test", .count = count, .scan = scan, .seeks = seeks,
			      .batch = batch },
		.nr = nr,
	};
	shrinker_register(v, &c->shrinker);
}

static int open_instance(void **state)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;

	return vmarea_create(&config, &v);
}

static int close_instance(void **state)
{
	vmarea_destroy(v);
	return 0;
}

static void nobody_to_ask(void **state)
{
	assert_int_equal(vmarea_shrink(v, 1), 0);
}

static void gives_what_it_has(void **state)
{
	struct cache c;

	cache_open(&c, 1000, SHRINKER_DEFAULT_SEEKS, 10);
	assert_int_equal(vmarea_shrink(v, 0), 0);
	assert_int_equal(c.nr_scans, 0);
	assert_int_equal(vmarea_shrink(v, ~0ul), 1000);
	assert_int_equal(c.nr, 0);
	assert_int_equal(c.largest, 10);
	assert_int_equal(vmarea_shrink(v, 1), 0);
	shrinker_unregister(&c.shrinker);
	c.nr = 5;
	assert_int_equal(vmarea_shrink(v, 5), 0);
}

/* Little is asked for of much; at last all is, even the last object of a large batch. */
static void asks_little_first(void **state)
{
	struct cache c;

	cache_open(&c, 1ul << 20, SHRINKER_DEFAULT_SEEKS, 64);
	/* The first pass: count >> 12, times 4 / 2. */
	assert_int_equal(vmarea_shrink(v, 1), 512);
	/* 2^20 - 512 >> 12 is 255. */
	assert_int_equal(vmarea_shrink(v, 1), 448);
	shrinker_unregister(&c.shrinker);
	cache_open(&c, 1, SHRINKER_DEFAULT_SEEKS, 1000);
	assert_int_equal(vmarea_shrink(v, 1), 1);
	shrinker_unregister(&c.shrinker);
}

/* Who has twice as much, or is half as dear, gives twice as much. */
static void in_proportion(void **state)
{
	struct cache a, b, free;

	cache_open(&a, 1ul << 20, 2, 1);
	cache_open(&b, 1ul << 21, 4, 1);
	cache_open(&free, 1000, 0, 1);
	assert_int_equal(vmarea_shrink(v, 1), 512 + 512 + 500);
	assert_int_equal(a.nr, (1ul << 20) - 512);
	assert_int_equal(b.nr, (1ul << 21) - 512);
	assert_int_equal(free.nr, 500);
	shrinker_unregister(&b.shrinker);		/* from the middle */
	assert_int_equal(vmarea_shrink(v, 1), 510 + 250);
	shrinker_unregister(&free.shrinker);
	shrinker_unregister(&a.shrinker);
}

/* What is not done is not forgotten, and not paid back with all that there is. */
static void defers(void **state)
{
	struct cache c;

	cache_open(&c, 1ul << 16, 2, 64);
	c.stops = true;
	assert_int_equal(vmarea_shrink(v, 1), 0);
	assert_int_equal(c.nr_scans, 13 - 1);		/* the first pass asks for 32: no batch */
	c.stops = false;
	c.nr = 1ul << 10;
	c.keeps = (1ul << 10) - 1;
	c.nr_scans = 0;
	/* Twice what there is, and one is freed. */
	assert_int_equal(vmarea_shrink(v, 1), 1);
	assert_int_equal(c.nr_scans, 2048 / 64);
	shrinker_unregister(&c.shrinker);
}

static void looks_at_nothing(void **state)
{
	struct cache c;

	cache_open(&c, 100, 2, 10);
	c.looks_at_nothing = true;
	assert_int_equal(vmarea_shrink(v, 1), 0);
	assert_in_range(c.nr_scans, 1, 13);
	shrinker_unregister(&c.shrinker);
}

/* Linux's word for "nothing, and there will be none", and an error number: no counts. */
static void says_what_is_no_number(void **state)
{
	static const unsigned long counts[] = { ~0ul - 1, -12ul };
	struct cache c;

	for (int i = 0; i < 2; i++) {
		cache_open(&c, counts[i], SHRINKER_DEFAULT_SEEKS, 0);
		assert_int_equal(vmarea_shrink(v, 1), 0);
		assert_int_equal(c.nr_scans, 0);
		shrinker_unregister(&c.shrinker);
	}
	cache_open(&c, 100, SHRINKER_DEFAULT_SEEKS, 0);
	c.fails = true;
	assert_int_equal(vmarea_shrink(v, 1), 0);
	assert_true(c.nr_scans > 0);
	shrinker_unregister(&c.shrinker);
}

static void each_instance_has_its_own(void **state)
{
	struct vmarea *first = v;
	struct cache c;

	cache_open(&c, 100, 2, 1);
	open_instance(state);
	assert_int_equal(vmarea_shrink(v, 100), 0);
	close_instance(state);
	v = first;
	assert_int_equal(vmarea_shrink(v, 100), 100);
	shrinker_unregister(&c.shrinker);
}

/* ---- threads: passes without end, while shrinkers come and go */

#define NR_WALKERS	2
#define NR_ROUNDS	3000

static bool walkers_stop;

static unsigned long count_all(struct shrinker *shrinker)
{
	struct cache *c = cache_of(shrinker);

	if (__atomic_load_n(&c->gone, __ATOMIC_RELAXED))
		abort();
	__atomic_fetch_add(&c->nr_scans, 1, __ATOMIC_RELAXED);
	return 1;
}

static unsigned long scan_none(struct shrinker *shrinker, struct shrink_control *sc)
{
	if (__atomic_load_n(&cache_of(shrinker)->gone, __ATOMIC_RELAXED))
		abort();
	return 0;
}

static void *walk(void *arg)
{
	while (!__atomic_load_n(&walkers_stop, __ATOMIC_RELAXED))
		vmarea_shrink(v, 1);
	return NULL;
}

static struct cache *cache_new(void)
{
	struct cache *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	c->shrinker = (struct shrinker){ .name = "test", .count = count_all, .scan = scan_none };
	shrinker_register(v, &c->shrinker);
	return c;
}

static void cache_delete(struct cache *c)
{
	shrinker_unregister(&c->shrinker);
	__atomic_store_n(&c->gone, true, __ATOMIC_RELAXED);
	free(c);
}

static void leaves_while_asked(void **state)
{
	struct cache *stays = cache_new(), *c[3];
	pthread_t threads[NR_WALKERS];

	walkers_stop = false;
	for (int i = 0; i < NR_WALKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, walk, NULL), 0);
	for (int round = 0; round < NR_ROUNDS; round++) {
		for (int i = 0; i < 3; i++)
			c[i] = cache_new();
		for (int i = 0; i < 3; i++)
			cache_delete(c[(i + round) % 3]);
	}
	while (!__atomic_load_n(&stays->nr_scans, __ATOMIC_RELAXED))
		;
	__atomic_store_n(&walkers_stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < NR_WALKERS; i++)
		pthread_join(threads[i], NULL);
	cache_delete(stays);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_to_ask),
		cmocka_unit_test(gives_what_it_has),
		cmocka_unit_test(asks_little_first),
		cmocka_unit_test(in_proportion),
		cmocka_unit_test(defers),
		cmocka_unit_test(looks_at_nothing),
		cmocka_unit_test(says_what_is_no_number),
		cmocka_unit_test(each_instance_has_its_own),
		cmocka_unit_test(leaves_while_asked),
	};

	return cmocka_run_group_tests(tests, open_instance, close_instance);
}
