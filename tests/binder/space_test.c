/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The rules of buffers, by the numbers of drivers/binder/space.c; and what a range refuses. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "port/port.h"
#include "world.h"

#define NR_PAGES	16ul
#define ALL		(NR_PAGES * PAGE)

static struct world w;
static struct mm_user *mm;
static struct end end;
static struct binder_space *space;

static int open_world(void **state)
{
	world_open(&w, 4ul << 20);
	mm = world_mm(&w);
	end_open(&w, mm, &end);
	assert_int_equal(end_map(&end, mm, AT, NR_PAGES), (long)AT);
	space = binder_proc_space(end.proc);
	return 0;
}

static int close_world(void **state)
{
	mmput(mm);
	end_close(&end);
	world_close(&w);
	return 0;
}

static int alloc_from(size_t bytes, bool oneway, long sender, struct binder_buffer **out)
{
	struct binder_request request = { .data_bytes = bytes, .oneway = oneway, .sender = sender };
	struct binder_space_stats stats;
	int err = binder_space_alloc(space, &request, out);

	assert_int_equal(binder_space_check(space, &stats), 0);
	return err;
}

static struct binder_buffer *alloc(size_t bytes)
{
	struct binder_buffer *buffer;

	assert_int_equal(alloc_from(bytes, false, 0, &buffer), 0);
	return buffer;
}

static void release(struct binder_buffer *buffer)
{
	struct binder_space_stats stats;

	binder_space_free(space, buffer);
	assert_int_equal(binder_space_check(space, &stats), 0);
}

static void sizes(void **state)
{
	struct binder_request request = { .data_bytes = 1, .offsets_bytes = 9, .extra_bytes = 8 };
	struct binder_buffer *a, *b;

	assert_int_equal(binder_space_alloc(space, &request, &a), 0);
	assert_int_equal(binder_buffer_bytes(a), 8 + 16 + 8);
	b = alloc(0);
	assert_int_equal(binder_buffer_bytes(b), 8);
	assert_int_equal(binder_buffer_offset(b), 32);
	release(a);
	release(b);
}

static void too_large(void **state)
{
	struct binder_request request = { .data_bytes = SIZE_MAX };
	struct binder_buffer *b;

	assert_int_equal(alloc_from(ALL + 1, false, 0, &b), -ENOSPC);
	assert_int_equal(binder_space_alloc(space, &request, &b), -EINVAL);
	request = (struct binder_request){ .data_bytes = SIZE_MAX - 7, .offsets_bytes = 8 };
	assert_int_equal(binder_space_alloc(space, &request, &b), -EINVAL);
	request = (struct binder_request){ .data_bytes = SIZE_MAX - 15, .extra_bytes = 9 };
	assert_int_equal(binder_space_alloc(space, &request, &b), -EINVAL);
	b = alloc(ALL);
	assert_int_equal(alloc_from(0, false, 0, &(struct binder_buffer *){ NULL }), -ENOSPC);
	release(b);
}

/* Holes of 64, 32, 48 and the rest: each size goes to the smallest that holds it. */
static void best_fit(void **state)
{
	static const size_t holes[] = { 64, 32, 48 };
	struct binder_buffer *hole[3], *wall[3], *b;

	for (int i = 0; i < 3; i++) {
		hole[i] = alloc(holes[i]);
		wall[i] = alloc(8);
	}
	for (int i = 0; i < 3; i++)
		release(hole[i]);
	b = alloc(40);
	assert_int_equal(binder_buffer_offset(b), 64 + 8 + 32 + 8);
	release(b);
	b = alloc(32);
	assert_int_equal(binder_buffer_offset(b), 64 + 8);
	release(b);
	b = alloc(49);
	assert_int_equal(binder_buffer_offset(b), 0);
	release(b);
	b = alloc(65);
	assert_int_equal(binder_buffer_offset(b), 64 + 32 + 48 + 3 * 8);
	release(b);
	for (int i = 0; i < 3; i++)
		release(wall[i]);
}

static void half_without_answer(void **state)
{
	struct binder_space_stats stats;
	struct binder_buffer *a, *b, *c;

	assert_int_equal(alloc_from(ALL / 2 + 8, true, 1, &a), -ENOSPC);
	assert_int_equal(alloc_from(ALL / 2, true, 1, &a), 0);
	assert_int_equal(alloc_from(1, true, 1, &b), -ENOSPC);
	b = alloc(ALL / 4);
	release(a);
	assert_int_equal(binder_space_check(space, &stats), 0);
	assert_int_equal(stats.oneway_left, ALL / 2);
	assert_int_equal(alloc_from(8, true, 1, &c), 0);
	release(b);
	release(c);
}

/* More than a quarter of all: said of one, and again only after there was room. */
static void spam_by_bytes(void **state)
{
	struct binder_buffer *a, *b, *c, *d;

	assert_int_equal(alloc_from(ALL / 4, true, 7, &a), 0);
	assert_false(binder_buffer_is_spam(a));
	/* Another sender's, and little is left. */
	assert_int_equal(alloc_from(ALL / 5, true, 8, &b), 0);
	assert_false(binder_buffer_is_spam(b));
	assert_int_equal(alloc_from(8, true, 7, &c), 0);
	assert_true(binder_buffer_is_spam(c));
	assert_int_equal(alloc_from(8, true, 7, &d), 0);
	assert_false(binder_buffer_is_spam(d));
	release(c);
	release(d);
	release(b);
	assert_int_equal(alloc_from(8, true, 8, &c), 0);
	assert_false(binder_buffer_is_spam(c));
	assert_int_equal(alloc_from(ALL / 5, true, 7, &b), 0);
	assert_true(binder_buffer_is_spam(b));
	release(a);
	release(b);
	release(c);
}

static void spam_by_number(void **state)
{
	struct binder_buffer *many[51], *b;

	assert_int_equal(alloc_from(ALL / 4, true, 1, &b), 0);
	for (int i = 0; i < 51; i++) {
		size_t bytes = i ? 8 : ALL / 5;

		assert_int_equal(alloc_from(bytes, true, 2, &many[i]), 0);
		assert_int_equal(binder_buffer_is_spam(many[i]), i == 50);
	}
	for (int i = 0; i < 51; i++)
		release(many[i]);
	release(b);
}

static void cleared_when_asked(void **state)
{
	struct binder_request request = { .data_bytes = 3 * PAGE, .clear = true };
	char bytes[3 * PAGE], found[3 * PAGE], zeros[3 * PAGE] = { 0 };
	struct binder_buffer *wall = alloc(100), *b;
	unsigned long offset;
	enum mm_fault fault;

	memset(bytes, 'x', sizeof(bytes));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(binder_space_alloc(space, &request, &b), 0);
		offset = binder_buffer_offset(b);
		binder_range_write(binder_proc_range(end.proc), offset, bytes, sizeof(bytes));
		assert_int_equal(mm_read(mm, AT + offset, found, sizeof(found), &fault),
				 sizeof(found));
		assert_memory_equal(found, bytes, sizeof(found));
		release(b);
		assert_int_equal(mm_read(mm, AT + offset, found, sizeof(found), &fault),
				 sizeof(found));
		assert_memory_equal(found, request.clear ? zeros : bytes, sizeof(found));
		request.clear = false;
	}
	release(wall);
}

/* Idle pages go, the longest idle first; those in use do not. */
static void reclaim_in_order(void **state)
{
	struct binder_range *range = binder_proc_range(end.proc);
	unsigned long nr = 0;

	world_reclaim(&w);
	assert_int_equal(binder_range_use(range, 0, 4), 0);
	assert_int_equal(binder_range_use(range, 3, 5), 0);
	binder_range_stop(range, 0, 4);
	assert_int_equal(binder_range_state(range, 3), BINDER_PAGE_USED);
	assert_int_equal(binder_range_use(range, 0, 1), 0);
	binder_range_stop(range, 0, 1);
	/* Page 0 was used last; how many go at once is the shrinker's to say. */
	for (unsigned long page = 1; page <= 3; page++) {
		unsigned long which = page % 3;

		if (binder_range_state(range, which) == BINDER_PAGE_NONE)
			continue;
		nr = vmarea_shrink(w.v, 1);
		assert_true(nr >= 1);
	}
	assert_int_equal(binder_range_state(range, 0), BINDER_PAGE_NONE);
	assert_int_equal(binder_range_state(range, 3), BINDER_PAGE_USED);
	assert_int_equal(vmarea_shrink(w.v, 1), 0);
	assert_true(has_page(mm, AT + 4 * PAGE));
	binder_range_stop(range, 3, 5);
	assert_int_equal(vmarea_shrink(w.v, 2), 2);
	assert_false(has_page(mm, AT + 4 * PAGE));
}

/* Another process, a second time, writable, moved, grown: the mapping is what it was. */
static void one_mapping(void **state)
{
	struct mm_user *other = world_mm(&w);
	struct end unmapped;

	assert_int_equal(end_map(&end, other, AT, NR_PAGES), -EINVAL);
	assert_int_equal(end_map(&end, mm, 2 * AT, NR_PAGES), -EBUSY);
	end_open(&w, other, &unmapped);
	assert_int_equal(mm_mmap(other, AT, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED,
				 unmapped.file, 0), -EPERM);
	assert_int_equal(binder_send(unmapped.proc, &(struct binder_message){ .data = "" }),
			 -ESRCH);
	end_close(&unmapped);
	mmput(other);
	assert_int_equal(mm_mremap(mm, AT, ALL, ALL, MREMAP_MAYMOVE | MREMAP_FIXED, 2 * AT),
			 -EINVAL);
	assert_int_equal(mm_mremap(mm, AT, ALL, 2 * ALL, 0, 0), -EFAULT);
	assert_int_equal(mm_mprotect(mm, AT, ALL, PROT_READ | PROT_WRITE), -EACCES);
	release(alloc(ALL));
}

/*
 * MADV_DOFORK: a child has a copy of the entries.  It keeps them where pages are taken out of one mm,
 * and loses them where they are taken out of the file.
 */
static void a_childs_copy(void **state)
{
	struct binder_range *range = binder_proc_range(end.proc);
	struct mm_user *child;

	world_reclaim(&w);
	assert_int_equal(mm_madvise(mm, AT, ALL, MADV_DOFORK), 0);
	assert_int_equal(binder_range_use(range, 0, 1), 0);
	assert_true(has_page(mm, AT));
	assert_int_equal(mm_fork(mm, &child), 0);
	assert_true(has_page(child, AT));
	binder_range_stop(range, 0, 1);
	world_reclaim(&w);
	assert_false(has_page(mm, AT));
	assert_int_equal(has_page(child, AT), !world_by_fault());
	/* What comes later is the parent's. */
	assert_int_equal(binder_range_use(range, 1, 2), 0);
	assert_true(has_page(mm, AT + PAGE));
	assert_false(has_page(child, AT + PAGE));
	binder_range_stop(range, 1, 2);
	mmput(child);
}

/* All of memory, in pages[]; how many.  What is on its way back, such as tables, is waited for. */
static unsigned int take_all(struct page **pages, unsigned int max)
{
	unsigned int nr = 0;

	port_rcu_barrier();
	while (nr < max && (pages[nr] = alloc_page(w.v)))
		nr++;
	assert_true(nr > 0 && nr < max);
	return nr;
}

/* All of memory is someone's: it is Binder's own idle pages that make room. */
static void makes_room(void **state)
{
	enum { MAX = 2048 };
	static struct page *pages[MAX];
	unsigned int nr;
	struct binder_buffer *b;

	release(alloc(ALL));
	nr = take_all(pages, MAX);
	/* The idle ones are taken as they are; then there is nothing to be had. */
	b = alloc(PAGE);
	release(b);
	world_reclaim(&w);
	while (nr < MAX && (pages[nr] = alloc_page(w.v)))
		nr++;
	assert_int_equal(alloc_from(PAGE, false, 0, &b), -ENOMEM);
	assert_int_equal(binder_range_state(binder_proc_range(end.proc), 0), BINDER_PAGE_NONE);
	/* One page for one that is used, and asked for again when it is idle. */
	__free_page(pages[--nr]);
	assert_int_equal(binder_range_use(binder_proc_range(end.proc), 0, 1), 0);
	assert_int_equal(binder_range_use(binder_proc_range(end.proc), 1, 2), -ENOMEM);
	binder_range_stop(binder_proc_range(end.proc), 0, 1);
	assert_int_equal(binder_range_use(binder_proc_range(end.proc), 1, 2), 0);
	assert_int_equal(binder_range_state(binder_proc_range(end.proc), 0), BINDER_PAGE_NONE);
	binder_range_stop(binder_proc_range(end.proc), 1, 2);
	while (nr)
		__free_page(pages[--nr]);
}

/* A buffer that nobody got has told nobody: the next one does. */
static void spam_is_not_told_by_what_fails(void **state)
{
	static struct page *pages[2048];
	struct binder_buffer *a, *b, *c, *wall;
	unsigned int nr;

	world_reclaim(&w);
	assert_int_equal(alloc_from(ALL / 4, true, 7, &a), 0);
	assert_int_equal(alloc_from(ALL / 5, true, 8, &b), 0);
	wall = alloc(PAGE / 2);
	nr = take_all(pages, 2048);
	assert_int_equal(alloc_from(PAGE / 2, true, 7, &c), -ENOMEM);
	while (nr)
		__free_page(pages[--nr]);
	assert_int_equal(alloc_from(PAGE / 2, true, 7, &c), 0);
	assert_true(binder_buffer_is_spam(c));
	release(a);
	release(b);
	release(c);
	release(wall);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(too_large),
		cmocka_unit_test(best_fit),
		cmocka_unit_test(half_without_answer),
		cmocka_unit_test(spam_by_bytes),
		cmocka_unit_test(spam_by_number),
		cmocka_unit_test(cleared_when_asked),
		cmocka_unit_test(reclaim_in_order),
		cmocka_unit_test(one_mapping),
		cmocka_unit_test(a_childs_copy),
		cmocka_unit_test(makes_room),
		cmocka_unit_test(spam_is_not_told_by_what_fails),
	};

	world_choose(&argc, argv);
	return cmocka_run_group_tests(tests, open_world, close_world);
}
