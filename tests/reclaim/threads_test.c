/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Pages that are taken back from two threads that use them, in an arena that has room for a part:
 * by their own faults, by a third thread that takes as it likes and moves the limit, and by advice.
 *
 * Every second page of the file is one worker's: nobody else stores to it, by mapping or by call,
 * so he knows what it must have.  Each also has anonymous pages, which go to swap, and some that he
 * may have given up with MADV_FREE, which are then zeros or what they were; and he forks, and maps
 * the file anew.
 */
#include <vmarea/file.h>

#include "../sync/crew.h"
#include "../swap/store.h"
#include "disk.h"

#define FILE_PAGES	400ul
#define ARENA_PAGES	640ul
#define WINDOW		1000ul		/* each worker's own mapping of the file */
#define LAZY		2000ul		/* and his anonymous pages */
#define LAZY_PAGES	20ul
#define OWN		7000ul		/* more of them, kept */
#define OWN_PAGES	300ul
#define WORKERS		2
#define ROUNDS		20000

static struct memory m;
static struct disk disk;
static struct store swap;
static struct file *file;

/* What a worker's pages have. */
static struct known {
	u64 words[FILE_PAGES];
	u64 lazy[LAZY_PAGES];
	u64 own[OWN_PAGES];
	bool given_up[LAZY_PAGES];
} known[WORKERS];

static unsigned long own_page(struct worker *w)
{
	return pick(w, FILE_PAGES / WORKERS) * WORKERS + w->nr;
}

/*
 * A fault gives up after so many tries: what it got back may have gone to others each time, on a busy
 * machine.  So who is told so comes again, but not for ever.
 */
static bool come_again(enum mm_fault fault, unsigned int *tries)
{
	if (fault != MM_FAULT_OOM || ++*tries > 1000)
		return false;
	port_yield();
	return true;
}

static long read_word(unsigned long page, u64 *word)
{
	unsigned int tries = 0;
	long got;

	do
		got = file_read(file, page * PAGE_SIZE, word, sizeof(*word));
	while (got == -ENOMEM && come_again(MM_FAULT_OOM, &tries));
	return got;
}

static long write_word(unsigned long page, const u64 *word)
{
	unsigned int tries = 0;
	long put;

	do
		put = file_write(file, page * PAGE_SIZE, word, sizeof(*word));
	while (put == -ENOMEM && come_again(MM_FAULT_OOM, &tries));
	return put;
}

static u64 load(struct mm_user *mm, unsigned long page)
{
	enum mm_fault fault;
	unsigned int tries = 0;
	u64 word = 0;

	do
		mm_read(mm, at(page), &word, sizeof(word), &fault);
	while (come_again(fault, &tries));
	check(fault == MM_FAULT_DONE);
	return word;
}

static void store(struct mm_user *mm, unsigned long page, u64 word)
{
	enum mm_fault fault;
	unsigned int tries = 0;

	do
		mm_write(mm, at(page), &word, sizeof(word), &fault);
	while (come_again(fault, &tries));
	check(fault == MM_FAULT_DONE);
}

/* ----------------------------------------------------------------------------- workers -- */

static void use_mapping(struct worker *w)
{
	unsigned long page = own_page(w), where = pick(w, 2) ? page : WINDOW * (w->nr + 3) + page;

	check(load(m.s.mm, where) == known[w->nr].words[page]);
	if (pick(w, 2))
		store(m.s.mm, where, ++known[w->nr].words[page]);
}

static void use_own(struct worker *w)
{
	unsigned long i = pick(w, OWN_PAGES), page = OWN + OWN_PAGES * w->nr + i;

	check(load(m.s.mm, page) == known[w->nr].own[i]);
	if (pick(w, 2))
		store(m.s.mm, page, ++known[w->nr].own[i]);
}

static void use_calls(struct worker *w)
{
	unsigned long page = own_page(w);
	u64 word = 0;

	check(read_word(page, &word) == sizeof(word));
	check(word == known[w->nr].words[page]);
	known[w->nr].words[page]++;
	check(write_word(page, &known[w->nr].words[page]) == sizeof(word));
}

static void map_window(unsigned int nr)
{
	unsigned long addr = at(WINDOW * (nr + 3));

	check(mm_mmap(m.s.mm, addr, FILE_PAGES * PAGE_SIZE, RW, MAP_SHARED | MAP_FIXED, file, 0) ==
	      (long)addr);
}

static void map_anew(struct worker *w)
{
	check(!mm_munmap(m.s.mm, at(WINDOW * (w->nr + 3)), FILE_PAGES * PAGE_SIZE));
	map_window(w->nr);
}

static void fork_and_look(struct worker *w)
{
	struct mm_user *child;
	int err = mm_fork(m.s.mm, &child);

	check(!err);
	if (err)
		return;
	for (int left = 8; left--;) {
		unsigned long file_page = own_page(w), i = pick(w, OWN_PAGES);
		unsigned long page = OWN + OWN_PAGES * w->nr + i;

		check(load(child, file_page) == known[w->nr].words[file_page]);
		check(load(child, page) == known[w->nr].own[i]);
		/* A copy of its own: the parent will not see it. */
		if (!left)
			store(child, page, ~known[w->nr].own[i]);
	}
	mmput(child);
}

static void advise(struct worker *w)
{
	static const int advice[] = { MADV_COLD, MADV_PAGEOUT, MADV_POPULATE_READ };
	unsigned long first = pick(w, 2) ? pick(w, FILE_PAGES - 20) :
					   OWN + pick(w, WORKERS * OWN_PAGES - 20);

	unsigned int tries = 0;
	int nr = advice[pick(w, 3)];
	long err;

	do
		err = mm_madvise(m.s.mm, at(first), 20 * PAGE_SIZE, nr);
	while (err == -ENOMEM && come_again(MM_FAULT_OOM, &tries));
	check(!err);
}

static void use_lazy(struct worker *w)
{
	unsigned long i = pick(w, LAZY_PAGES), page = LAZY + LAZY_PAGES * w->nr + i;
	u64 word = load(m.s.mm, page);

	check(word == known[w->nr].lazy[i] || (known[w->nr].given_up[i] && !word));
	switch (pick(w, 3)) {
	case 0:
		known[w->nr].lazy[i] = pick(w, 1ul << 30) + 1;
		known[w->nr].given_up[i] = false;
		store(m.s.mm, page, known[w->nr].lazy[i]);
		break;
	case 1:
		known[w->nr].lazy[i] = word;
		known[w->nr].given_up[i] = true;
		check(!mm_madvise(m.s.mm, at(page), PAGE_SIZE, MADV_FREE));
		break;
	}
}

static void *work(void *arg)
{
	static void (*const ops[])(struct worker *w) = {
		use_mapping, use_mapping, use_mapping, use_own, use_own, use_own,
		use_calls, use_calls, use_lazy, use_lazy, use_lazy, advise,
	};
	struct worker *w = arg;

	for (int i = 0; i < ROUNDS; i++) {
		if (!(i % 64))
			fork_and_look(w);
		else if (!(i % 48))
			map_anew(w);
		else
			ops[pick(w, ARRAY_SIZE(ops))](w);
	}
	writer_is_done();
	return NULL;
}

/* ------------------------------------------------------------------------------ the third -- */

static void *take(void *arg)
{
	struct worker *w = arg;

	while (!writers_are_done()) {
		switch (pick(w, 8)) {
		case 0:
			check(!vmarea_set_limit(m.s.v, (ARENA_PAGES - pick(w, 80)) * PAGE_SIZE));
			break;
		case 1:
			check(!mm_set_limit(m.s.mm, (300 + pick(w, 200)) * PAGE_SIZE));
			break;
		case 2:
			mm_reclaim(m.s.mm, pick(w, 50));
			break;
		case 3:
			check(!file_sync(file, 0, UINT64_MAX));
			break;
		default:
			vmarea_reclaim(m.s.v, pick(w, 50));
		}
	}
	return NULL;
}

static void pages_come_and_go(void **state)
{
	static void *(*const crew[])(void *arg) = { work, work, take };

	memory_init(&m, ARENA_PAGES * PAGE_SIZE);
	m.s.config.thp = VMAREA_THP_NEVER;
	memory_create(&m);
	file = disk_open(&disk, m.s.v, FILE_PAGES);
	memset(disk.bytes, 0, FILE_PAGES * PAGE_SIZE);
	assert_int_equal(space_map_file(&m.s, 0, FILE_PAGES, RW, MAP_SHARED, file, 0), 0);
	assert_int_equal(space_map(&m.s, LAZY, LAZY_PAGES * WORKERS, RW, ANON), 0);
	assert_int_equal(space_map(&m.s, OWN, OWN_PAGES * WORKERS, RW, ANON), 0);
	store_on(&swap, m.s.v, 2000, 0);
	for (unsigned int i = 0; i < WORKERS; i++)
		map_window(i);
	crew_run(crew, ARRAY_SIZE(crew), WORKERS);
	assert_int_equal(vmarea_set_limit(m.s.v, 0), 0);
	assert_int_equal(file_sync(file, 0, UINT64_MAX), 0);
	for (unsigned long i = 0; i < FILE_PAGES; i++)
		assert_int_equal(*(u64 *)(disk.bytes + i * PAGE_SIZE),
				 known[i % WORKERS].words[i]);
	assert_true(reclaim_stats(&m).dropped > 1000);
	assert_true(reclaim_stats(&m).written > 100);
	assert_true(reclaim_stats(&m).swapped > 1000);
	memory_validate(m.s.mm);
	assert_int_equal(space_unmap(&m.s, 0, SPACE_PAGES), 0);
	assert_int_equal(vmarea_swapoff(m.s.v, swap.id), 0);
	store_free(&swap);
	disk_close(&disk, file);
	memory_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
