/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Shared memory that goes to swap beside everything else: in three mms two threads load, store and
 * fork, one reads and writes by calls, cuts and punches, one sends pages out, one turns the swap
 * off and on.
 *
 * What each may find.  A page has its stamp, or zeros, since somebody has cut it.  Each of the two
 * has pages in which he counts, that nobody cuts: no page that goes or comes back may lose a count.
 */
#include "../sync/crew.h"
#include "shmem.h"

#define COUNTERS	32ul		/* the first pages of the file; the rest is cut and written */
#define PAGES		96ul
#define ROUNDS		60000
#define WRITERS		2

static struct memory m;
static struct store stores[2];
static struct file *file;
static struct mm_user *mms[WRITERS];
static u64 counts[WRITERS][COUNTERS];	/* each is its writer's */
static u32 nr_out, nr_off;		/* atomic */

static u64 stamp(unsigned long page)
{
	return 0x5eed0000u + page;
}

static unsigned long cut_page(struct worker *w)
{
	return COUNTERS + pick(w, PAGES - COUNTERS);
}

/* Past the end is what others have cut. */
static void load_or_store(struct worker *w)
{
	unsigned long page = cut_page(w);
	u64 word = stamp(page);
	enum mm_fault fault;

	if (pick(w, 2)) {
		mm_write(mms[w->nr], at(page) + 8, &word, sizeof(word), &fault);
	} else {
		word = 0;
		mm_read(mms[w->nr], at(page) + 8, &word, sizeof(word), &fault);
		check(!word || word == stamp(page));
	}
	check(fault == MM_FAULT_DONE || fault == MM_FAULT_BUS);
}

/* One by his mapping, the other by his, and each by calls, too. */
static void count_once(struct worker *w)
{
	unsigned long page = pick(w, COUNTERS / WRITERS) * WRITERS + w->nr;
	enum mm_fault fault = MM_FAULT_DONE;
	u64 seen = 0;

	if (pick(w, 2))
		mm_read(mms[pick(w, WRITERS)], at(page) + 16, &seen, sizeof(seen), &fault);
	else
		check(file_read(file, page * PAGE_SIZE + 16, &seen, sizeof(seen)) == sizeof(seen));
	check(fault == MM_FAULT_DONE && seen == counts[w->nr][page]);
	seen = ++counts[w->nr][page];
	if (pick(w, 2))
		mm_write(mms[pick(w, WRITERS)], at(page) + 16, &seen, sizeof(seen), &fault);
	else
		check(file_write(file, page * PAGE_SIZE + 16, &seen, sizeof(seen)) ==
		      sizeof(seen));
	check(fault == MM_FAULT_DONE);
}

/* A private copy has the same, and the child's shared area, too. */
static void fork_and_look(struct worker *w)
{
	unsigned long page = pick(w, COUNTERS / WRITERS) * WRITERS + w->nr;
	struct mm_user *child;
	enum mm_fault fault;
	u64 seen = 0, other = ~0ul;

	check(!mm_fork(mms[w->nr], &child));
	mm_read(child, at(page) + 16, &seen, sizeof(seen), &fault);
	check(fault == MM_FAULT_DONE && seen == counts[w->nr][page]);
	mm_write(child, at(1000 + page) + 24, &other, sizeof(other), &fault);
	check(fault == MM_FAULT_DONE);
	mm_read(child, at(1000 + page) + 16, &seen, sizeof(seen), &fault);
	check(fault == MM_FAULT_DONE && seen == counts[w->nr][page]);
	mmput(child);
}

static void call(struct worker *w)
{
	unsigned long page = cut_page(w);
	u64 word = stamp(page);

	switch (pick(w, 8)) {
	case 0:
		check(!file_truncate(file, page * PAGE_SIZE + 8 * pick(w, 3)));
		check(!file_truncate(file, PAGES * PAGE_SIZE));
		break;
	case 1:
		check(!file_punch_hole(file, page * PAGE_SIZE - 8, PAGE_SIZE * pick(w, 4) + 16));
		break;
	case 2:
		mm_madvise(mms[w->nr], at(page), PAGE_SIZE, MADV_REMOVE);
		break;
	case 3:
		mm_madvise(mms[w->nr], at(0), PAGES * PAGE_SIZE, MADV_WILLNEED);
		break;
	case 4:
		mm_madvise(mms[w->nr], at(pick(w, PAGES)), 3 * PAGE_SIZE, MADV_DONTNEED);
		break;
	case 5:
		check(file_write(file, page * PAGE_SIZE + 8, &word, sizeof(word)) == sizeof(word));
		break;
	default:
		fork_and_look(w);
	}
}

static void *use(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < ROUNDS; i++) {
		switch (pick(w, 16)) {
		case 0:
			call(w);
			break;
		case 1 ... 7:
			count_once(w);
			break;
		default:
			load_or_store(w);
		}
	}
	writer_is_done();
	return NULL;
}

static void *send_out(void *arg)
{
	struct worker *w = arg;

	while (!writers_are_done()) {
		int err = shmem_send_out(file, pick(w, PAGES));

		check(!err || err == -ENOENT || err == -ENOSPC || err == -EBUSY || err == -EAGAIN);
		if (!err)
			atomic_add_relaxed(&nr_out, 1);
		if (!pick(w, 64))
			vmarea_reclaim(m.s.v, 8);
	}
	return NULL;
}

static void *turn_off_and_on(void *arg)
{
	struct store *s = &stores[1];

	while (!writers_are_done()) {
		check(!vmarea_swapoff(m.s.v, s->id));
		check(s->nr_released == 1 && !s->nr_clashes);
		free(s->bytes);
		free(s->busy);
		free(s->written);
		store_on(s, m.s.v, 40, 1);
		nr_off++;
		for (u64 used = 0; !writers_are_done() && used < 20; used = store_used(s, m.s.v))
			port_yield();
	}
	return NULL;
}

static void map_all(void)
{
	file = shmem_open(m.s.v, PAGES);
	mms[0] = m.s.mm;
	assert_int_equal(mm_create(m.s.v, &m.s.mm_config, &mms[1]), 0);
	for (int i = 0; i < WRITERS; i++) {
		assert_int_equal(mm_mmap(mms[i], at(0), PAGES * PAGE_SIZE, RW,
					 MAP_SHARED | MAP_FIXED, file, 0), at(0));
		assert_int_equal(mm_mmap(mms[i], at(1000), PAGES * PAGE_SIZE, RW,
					 MAP_PRIVATE | MAP_FIXED, file, 0), at(1000));
	}
}

static void pages_go_and_come_while_they_are_used(void **state)
{
	static void *(*const work[])(void *arg) = { use, use, send_out, turn_off_and_on };

	memory_open(&m);
	store_on(&stores[0], m.s.v, 1000, 0);
	store_on(&stores[1], m.s.v, 40, 1);
	map_all();
	crew_run(work, ARRAY_SIZE(work), WRITERS);
	print_message("%u pages out, %u times off\n", nr_out, nr_off);
	assert_true(nr_out > 100 && nr_off);
	instance_validate(m.s.v);
	mmput(mms[1]);
	assert_int_equal(mm_munmap(m.s.mm, at(0), SPACE_PAGES * PAGE_SIZE), 0);
	file_put(file);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(store_used(&stores[i], m.s.v), 0);
		store_off(&stores[i], m.s.v);
	}
	memory_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_go_and_come_while_they_are_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
