/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Readers of a page index beside its writers.
 *
 * Entries whose index is a multiple of 64 Ki stay all the time (R1); all others come and go, so that
 * leaves, paths and roots do.  An item says which index it is for (R2), in memory that is written
 * just before it is inserted and wiped a grace period after it is erased (R3).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../sync/threads.h"
#include "model.h"
#include "page_index_heap.h"
#include "sync/spinlock.h"

#define READERS		2
#define WRITERS		2
#define ROUNDS		60000
#define STAYING		4ul
#define STRIDE		(1ul << 16)

struct item {
	unsigned long index;		/* plain: published by the insert */
	struct port_rcu_head rcu;
};

static struct page_index pi;
static struct spinlock lock;
static u32 done;
static struct item staying[STAYING];
static long items;			/* atomic: allocated */

static void item_free_rcu(struct port_rcu_head *head)
{
	struct item *item = container_of(head, struct item, rcu);

	item->index = ~0ul;
	atomic_sub_relaxed(&items, 1);
	port_free(item, sizeof(*item));
}

static void insert(struct item *item)
{
	struct pi_stash stash = { 0 };
	int err;

	do {
		err = pi_prepare(&pi, &stash, item->index);
		VM_BUG_ON(err, "no memory");
		spin_lock(&lock);
		err = pi_insert(&pi, &stash, item->index, item);
		if (!err && item->index % 3 == 0)
			pi_set_mark(&pi, item->index, PI_MARK_1);
		spin_unlock(&lock);
	} while (err == -EAGAIN);
	pi_stash_empty(&pi, &stash);
	if (err)
		item_free_rcu(&item->rcu);
}

struct gone {
	struct item *item[100];
	unsigned int nr;
};

static bool take_one(void *arg, unsigned long index, void *item)
{
	struct gone *gone = arg;
	const struct item *this = item;

	VM_BUG_ON(this->index != index, "item %lx at %lx", this->index, index);
	if (index % STRIDE == 0)
		return false;
	gone->item[gone->nr++] = item;
	return true;
}

static void erase(unsigned long first, unsigned long nr)
{
	struct gone gone = { .nr = 0 };
	char why[128];

	spin_lock(&lock);
	pi_erase_range(&pi, first, first + nr, take_one, &gone);
	VM_BUG_ON(first % 64 == 0 && !pi_check(&pi, why, sizeof(why)), "%s", why);
	spin_unlock(&lock);
	while (gone.nr)
		port_call_rcu(&gone.item[--gone.nr]->rcu, item_free_rcu);
}

/* Close to what stays, or so far that the root has to grow. */
static unsigned long some_index(struct rng *rng)
{
	unsigned long r = rng_next(rng);

	if (rng_below(rng, 8) == 0)
		return (1ul << (20 + r % 31)) + 1;
	return r % STAYING * STRIDE + 1 + (r >> 8) % 300;
}

static void *write_some(void *arg)
{
	struct rng rng = { .state = 1 + 7919 * (uintptr_t)arg };

	for (int i = 0; i < ROUNDS; i++) {
		unsigned long index = some_index(&rng);

		if (rng_below(&rng, 2)) {
			struct item *item = port_alloc(sizeof(*item));

			VM_BUG_ON(!item, "no memory");
			atomic_add_relaxed(&items, 1);
			item->index = index;
			insert(item);
			continue;
		}
		erase(index, 1 + rng_below(&rng, 90));
	}
	return NULL;
}

static void look(enum pi_mark mark, unsigned long *nr)
{
	unsigned long at = 0, staying_seen = 0;
	struct item *item;

	port_rcu_read_lock();
	while ((item = pi_find(&pi, &at, mark))) {
		VM_BUG_ON(item->index != at, "item %lx at %lx", item->index, at);
		VM_BUG_ON(mark == PI_MARK_1 && at % 3, "%lx was never marked", at);
		staying_seen += at % STRIDE == 0;
		at++;
		++*nr;
	}
	port_rcu_read_unlock();
	VM_BUG_ON(mark == PI_PRESENT && staying_seen != STAYING, "%lu of those that stay",
		  staying_seen);
}

static void *read_all(void *arg)
{
	struct rng rng = { .state = 77 + (uintptr_t)arg };
	unsigned long nr = 0;

	while (!atomic_load_relaxed(&done)) {
		unsigned long index = some_index(&rng);
		struct item *item;

		look(PI_PRESENT, &nr);
		look(PI_MARK_1, &nr);
		port_rcu_read_lock();
		item = pi_load(&pi, index);
		VM_BUG_ON(item && item->index != index, "item %lx at %lx", item->index, index);
		index = index % STAYING * STRIDE;
		VM_BUG_ON(pi_load(&pi, index) != &staying[index / STRIDE], "%lx is gone", index);
		port_rcu_read_unlock();
	}
	return (void *)nr;
}

static void test_threads(void **state)
{
	pthread_t writers[WRITERS], readers[READERS];

	(void)state;
	pi_init(&pi, &heap_nodes);
	spin_lock_init(&lock, LOCK_RANK_NONE);
	for (unsigned long i = 0; i < STAYING; i++) {
		staying[i].index = i * STRIDE;
		assert_int_equal(heap_insert(&pi, i * STRIDE, &staying[i]), 0);
	}
	for (uintptr_t i = 0; i < READERS; i++)
		readers[i] = start(read_all, (void *)i);
	for (uintptr_t i = 0; i < WRITERS; i++)
		writers[i] = start(write_some, (void *)i);
	for (int i = 0; i < WRITERS; i++)
		finish(writers[i]);
	raise_flag(&done);
	for (int i = 0; i < READERS; i++)
		finish(readers[i]);
	for (unsigned long at = 0; pi_find(&pi, &at, PI_PRESENT);) {
		if (at % STRIDE == 0)
			pi_erase(&pi, at);
		else
			erase(at, 1);
	}
	assert_null(pi.root);
	port_rcu_barrier();
	assert_int_equal(heap_live, 0);
	assert_int_equal(items, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_threads) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
