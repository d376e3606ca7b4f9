/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A page index against a sorted array: every kind of key, every operation, the walker again and
 * again; and what happens at its edges and when memory runs out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model.h"
#include "page_index_heap.h"

#define LAST		(BIT(PI_INDEX_BITS) - 1)
#define MOST		600u
#define STEPS		15000

static void check(const struct page_index *pi)
{
	char why[128];

	if (!pi_check(pi, why, sizeof(why)))
		fail_msg("%s", why);
}

/* ------------------------------------------------------------------------------ the model -- */

struct line {
	unsigned long index;
	void *item;
	u32 marks;			/* a bit for each enum pi_mark */
};

struct lines {
	struct line e[MOST];
	unsigned int nr;
};

/* The first line at @index or behind it. */
static unsigned int line_at(const struct lines *m, unsigned long index)
{
	unsigned int i = 0;

	while (i < m->nr && m->e[i].index < index)
		i++;
	return i;
}

static bool is_line(const struct lines *m, unsigned int i, unsigned long index)
{
	return i < m->nr && m->e[i].index == index;
}

static void line_put(struct lines *m, unsigned int i, unsigned long index, void *item)
{
	memmove(&m->e[i + 1], &m->e[i], (m->nr - i) * sizeof(m->e[0]));
	m->e[i] = (struct line){ .index = index, .item = item, .marks = BIT(PI_PRESENT) };
	m->nr++;
}

static void line_cut(struct lines *m, unsigned int i, unsigned int nr)
{
	memmove(&m->e[i], &m->e[i + nr], (m->nr - i - nr) * sizeof(m->e[0]));
	m->nr -= nr;
}

/* --------------------------------------------------------------------- one step in both -- */

struct both {
	struct page_index pi;
	struct lines m;
	struct rng rng;
	unsigned int hunger;		/* erases are so much more likely than inserts, of 16 */
};

/* Runs, lone ones, the last ones, and neighbours of what is there. */
static unsigned long some_index(struct both *b)
{
	unsigned long r = rng_next(&b->rng);

	switch (rng_below(&b->rng, 5)) {
	case 0:
		return r % 200;
	case 1:
		return (r % 7 << 30) + r / 7 % 130;
	case 2:
		return LAST - r % 100;
	case 3:
		return r & LAST & ~0ul << rng_below(&b->rng, PI_INDEX_BITS);
	default:
		if (!b->m.nr)
			return r % 64;
		r = b->m.e[r % b->m.nr].index + rng_below(&b->rng, 3) - 1;
		return r & LAST;
	}
}

static void step_insert(struct both *b, unsigned long index)
{
	unsigned int i = line_at(&b->m, index);
	void *item = (void *)(rng_next(&b->rng) | 1);

	if (is_line(&b->m, i, index)) {
		assert_int_equal(heap_insert(&b->pi, index, item), -EEXIST);
	} else if (b->m.nr < MOST) {
		assert_int_equal(heap_insert(&b->pi, index, item), 0);
		line_put(&b->m, i, index, item);
	}
}

static void step_erase(struct both *b, unsigned long index)
{
	unsigned int i = line_at(&b->m, index);

	if (is_line(&b->m, i, index)) {
		assert_ptr_equal(pi_erase(&b->pi, index), b->m.e[i].item);
		line_cut(&b->m, i, 1);
	} else {
		assert_null(pi_erase(&b->pi, index));
	}
}

struct taking {
	const struct line *next;
	unsigned int left;		/* then it refuses */
};

static bool take(void *arg, unsigned long index, void *item)
{
	struct taking *t = arg;

	assert_int_equal(index, t->next->index);
	assert_ptr_equal(item, t->next->item);
	if (!t->left)
		return false;
	t->left--;
	t->next++;
	return true;
}

static void step_erase_range(struct both *b, unsigned long first, unsigned long end)
{
	unsigned int i = line_at(&b->m, first), nr = line_at(&b->m, end) - i;
	struct taking t = { .next = &b->m.e[i], .left = (unsigned int)rng_below(&b->rng, 2 * MOST) };
	unsigned int taken = min(nr, t.left);
	unsigned long stopped = pi_erase_range(&b->pi, first, end, take, &t);

	assert_int_equal(stopped, taken < nr ? b->m.e[i + taken].index : end);
	line_cut(&b->m, i, taken);
}

static void step_mark(struct both *b, unsigned long index, enum pi_mark mark)
{
	unsigned int i = line_at(&b->m, index);

	if (!is_line(&b->m, i, index)) {
		pi_clear_mark(&b->pi, index, mark);
		assert_false(pi_has_mark(&b->pi, index, mark));
		return;
	}
	if (rng_below(&b->rng, 2)) {
		pi_set_mark(&b->pi, index, mark);
		b->m.e[i].marks |= BIT(mark);
	} else {
		pi_clear_mark(&b->pi, index, mark);
		b->m.e[i].marks &= ~BIT(mark);
	}
}

/* Looks everything up that the model knows, from @index on. */
static void compare(const struct both *b, unsigned long index, enum pi_mark mark)
{
	unsigned int i = line_at(&b->m, index);
	unsigned long at = index;

	assert_ptr_equal(pi_load(&b->pi, index),
			 is_line(&b->m, i, index) ? b->m.e[i].item : NULL);
	assert_int_equal(pi_has_mark(&b->pi, index, mark),
			 is_line(&b->m, i, index) && (b->m.e[i].marks & BIT(mark)));
	for (; i < b->m.nr; i++) {
		if (!(b->m.e[i].marks & BIT(mark)))
			continue;
		assert_ptr_equal(pi_find(&b->pi, &at, mark), b->m.e[i].item);
		assert_int_equal(at, b->m.e[i].index);
		at++;
	}
	index = at;
	if (at <= LAST)
		assert_null(pi_find(&b->pi, &at, mark));
	assert_int_equal(at, index);
	assert_int_equal(pi_count(&b->pi), b->m.nr);
}

static void step(struct both *b)
{
	enum pi_mark mark = (enum pi_mark)(PI_MARK_0 + rng_below(&b->rng, 3));
	unsigned long index = some_index(b);

	if (rng_below(&b->rng, 4000) == 0)
		b->hunger = (unsigned int)rng_below(&b->rng, 12);
	switch (rng_below(&b->rng, 4)) {
	case 0:
	case 1:
		if (rng_below(&b->rng, 16) < b->hunger)
			step_erase(b, b->m.nr ? b->m.e[index % b->m.nr].index : index);
		else
			step_insert(b, index);
		break;
	case 2:
		step_mark(b, index, mark);
		break;
	default:
		if (rng_below(&b->rng, 200))
			compare(b, index, (enum pi_mark)rng_below(&b->rng, PI_MARKS));
		else
			step_erase_range(b, index, min(LAST + 1, index + (rng_next(&b->rng) &
						       (BIT(1 + rng_below(&b->rng, 52)) - 1))));
	}
	for (unsigned int m = 0; m < PI_MARKS; m++) {
		u32 any = 0;

		for (unsigned int i = 0; i < b->m.nr; i++)
			any |= b->m.e[i].marks;
		assert_int_equal(pi_any_mark(&b->pi, (enum pi_mark)m), !!(any & BIT(m)));
	}
}

static void test_model(void **state)
{
	struct both *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	b->rng = rng_start("page index");
	pi_init(&b->pi, &heap_nodes);
	for (int i = 0; i < STEPS; i++) {
		step(b);
		if (i % 32 == 0 || b->m.nr < 10)
			check(&b->pi);
	}
	while (b->m.nr)
		step_erase_range(b, 0, LAST + 1);
	check(&b->pi);
	assert_null(b->pi.root);
	port_rcu_barrier();
	assert_int_equal(heap_live, 0);
	free(b);
}

/* ------------------------------------------------------------------------- one by one -- */

static bool take_any(void *arg, unsigned long index, void *item)
{
	return true;
}

static void test_edges(void **state)
{
	struct page_index pi;
	unsigned long at = 0;
	int one, two;

	pi_init(&pi, &heap_nodes);
	assert_null(pi_load(&pi, 0));
	assert_null(pi_load(&pi, LAST));
	assert_null(pi_find(&pi, &at, PI_PRESENT));
	assert_null(pi_erase(&pi, 5));
	assert_int_equal(pi_erase_range(&pi, 3, LAST, take_any, NULL), LAST);
	assert_int_equal(heap_insert(&pi, LAST, &one), 0);
	assert_int_equal(pi.root->shift, (PI_LEVELS - 1) * PI_BITS);
	assert_int_equal(heap_insert(&pi, 0, &two), 0);
	check(&pi);
	assert_ptr_equal(pi_find(&pi, &at, PI_PRESENT), &two);
	at++;
	assert_ptr_equal(pi_find(&pi, &at, PI_PRESENT), &one);
	assert_int_equal(at, LAST);
	/* With the far one the upper levels go. */
	assert_ptr_equal(pi_erase(&pi, LAST), &one);
	assert_int_equal(pi.root->shift, 0);
	check(&pi);
	assert_ptr_equal(pi_load(&pi, 0), &two);
	assert_null(pi_load(&pi, 64));
	assert_ptr_equal(pi_erase(&pi, 0), &two);
	assert_null(pi.root);
	port_rcu_barrier();
}

/* A mark far behind is found without looking at what lies between, and survives a growing root. */
static void test_marks_go_up(void **state)
{
	struct page_index pi;
	unsigned long at = 0;
	int item;

	pi_init(&pi, &heap_nodes);
	assert_int_equal(heap_insert(&pi, 7, &item), 0);
	pi_set_mark(&pi, 7, PI_MARK_1);
	for (unsigned long i = 1000; i < 2000; i++)
		assert_int_equal(heap_insert(&pi, i, &item), 0);
	check(&pi);
	pi_set_mark(&pi, 1999, PI_MARK_1);
	assert_non_null(pi_find(&pi, &at, PI_MARK_1));
	assert_int_equal(at, 7);
	at = 8;
	assert_non_null(pi_find(&pi, &at, PI_MARK_1));
	assert_int_equal(at, 1999);
	pi_erase(&pi, 1999);
	assert_true(pi_any_mark(&pi, PI_MARK_1));
	pi_clear_mark(&pi, 7, PI_MARK_1);
	assert_false(pi_any_mark(&pi, PI_MARK_1));
	check(&pi);
	assert_int_equal(pi_erase_range(&pi, 0, LAST, take_any, NULL), LAST);
	port_rcu_barrier();
}

/* Another writer removes the path for which the nodes had been counted. */
static void test_prepared_for_another_tree(void **state)
{
	struct pi_stash stash = { 0 };
	struct page_index pi;
	int item;

	pi_init(&pi, &heap_nodes);
	assert_int_equal(heap_insert(&pi, 1ul << 40, &item), 0);
	assert_int_equal(pi_prepare(&pi, &stash, (1ul << 40) + 1), 0);
	assert_int_equal(stash.nr, 0);
	pi_erase(&pi, 1ul << 40);
	assert_int_equal(pi_insert(&pi, &stash, (1ul << 40) + 1, &item), -EAGAIN);
	assert_int_equal(pi_count(&pi), 0);
	assert_int_equal(pi_prepare(&pi, &stash, (1ul << 40) + 1), 0);
	assert_int_equal(pi_insert(&pi, &stash, (1ul << 40) + 1, &item), 0);
	assert_int_equal(stash.nr, 0);
	pi_erase(&pi, (1ul << 40) + 1);
	port_rcu_barrier();
}

/* The walker finds what is broken: each invariant once. */
static void test_walker(void **state)
{
	struct page_index pi;
	char why[128];
	int item;

	pi_init(&pi, &heap_nodes);
	assert_int_equal(heap_insert(&pi, 1, &item), 0);
	assert_int_equal(heap_insert(&pi, 100, &item), 0);
#define BROKEN(field, value, number)						\
	do {									\
		__typeof__(field) kept = (field);				\
		(field) = (value);						\
		assert_false(pi_check(&pi, why, sizeof(why)));			\
		assert_memory_equal(why, number, 2);				\
		(field) = kept;							\
		assert_true(pi_check(&pi, why, sizeof(why)));			\
	} while (0)
	struct pi_node *leaf = pi.root->slots[1];

	BROKEN(leaf->shift, PI_BITS, "1:");
	BROKEN(leaf->parent, NULL, "1:");
	BROKEN(leaf->offset, 0, "1:");
	BROKEN(pi.root->parent, leaf, "1:");
	BROKEN(leaf->slots[3], &item, "2:");
	BROKEN(leaf->slots[36], NULL, "2:");
	BROKEN(leaf->marks[PI_MARK_2], BIT(36), "3:");
	BROKEN(pi.root->marks[PI_MARK_0], 2, "3:");
	BROKEN(pi.root->marks[PI_MARK_0], 4, "3:");
	BROKEN(pi.root->marks[PI_PRESENT], 1, "4:");
	BROKEN(pi.root->marks[PI_PRESENT], 0, "4:");
	BROKEN(pi.nr, 3, "5:");
#undef BROKEN
	pi_erase_range(&pi, 0, LAST, take_any, NULL);
	port_rcu_barrier();
}

#ifdef CONFIG_VMAREA_DEBUG
/* However far it gets, the tree is as it was. */
static void test_no_memory(void **state)
{
	struct page_index pi;
	int item, err = -ENOMEM;

	pi_init(&pi, &heap_nodes);
	assert_int_equal(heap_insert(&pi, 3, &item), 0);
	for (long n = 1; err; n++) {
		long live = heap_live;

		port_fail_nth(n);
		err = heap_insert(&pi, LAST, &item);
		port_fail_nth(0);
		check(&pi);
		if (!err)
			assert_int_equal(n, 17);	/* 8 roots and 8 nodes below */
		else
			assert_int_equal(heap_live, live);
		assert_int_equal(pi_count(&pi), err ? 1 : 2);
	}
	pi_erase_range(&pi, 0, LAST + 1, take_any, NULL);
	port_rcu_barrier();
}
#endif

/* Another item, the same place and marks. */
static void test_replace(void **state)
{
	struct page_index pi;
	int item, other;

	pi_init(&pi, &heap_nodes);
	assert_int_equal(heap_insert(&pi, 70, &item), 0);
	pi_set_mark(&pi, 70, PI_MARK_1);
	pi_replace(&pi, 70, &other);
	check(&pi);
	assert_ptr_equal(pi_load(&pi, 70), &other);
	assert_true(pi_has_mark(&pi, 70, PI_MARK_1));
	assert_int_equal(pi_count(&pi), 1);
	assert_ptr_equal(pi_erase(&pi, 70), &other);
	port_rcu_barrier();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_marks_go_up),
		cmocka_unit_test(test_prepared_for_another_tree),
		cmocka_unit_test(test_walker),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_model),
#ifdef CONFIG_VMAREA_DEBUG
		cmocka_unit_test(test_no_memory),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
