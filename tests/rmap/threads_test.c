/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Those who come to a page by its file or its anon_vma, beside those who come by its address: one
 * thread cuts, punches and unmaps the file, one moves pages to other frames, cleans and ages them,
 * and two load, store, map, protect, move and fork.
 *
 * What each may find.  A page was written to with its place in its region (a stamp), or is zeros.
 * Each of the two has a page of its own in which it counts: no move of the page may lose a count.
 * A child of a fork is one thread's alone: what it read there of anonymous memory it reads again.
 * Behind the end of the file nothing can be read or written, from the moment it was cut.
 *
 * Then the same with blocks of 2 MiB: two threads fault, split, collapse, move and fork, and one
 * comes by the pages.
 */
#include "../sync/crew.h"
#include "scan.h"

#define REGION_PAGES	64ul
#define WRITERS		2
#define ROUNDS		12000

enum region { ANONYMOUS, MOVED, PRIVATE, SHARED, REGIONS, COUNTERS = REGIONS };

static struct memory m;
static struct file *file;
static u64 counts[WRITERS];		/* each is its writer's */
static u32 nr_moved;			/* atomic */

static unsigned long page_of(enum region region, unsigned long i)
{
	return (unsigned long)region * REGION_PAGES + i;
}

static unsigned long any_page(struct worker *w)
{
	return pick(w, REGIONS * REGION_PAGES);
}

static u64 stamp(unsigned long page)
{
	return 0x5eed0000u + page % REGION_PAGES;
}

static enum mm_fault load(struct mm_user *mm, unsigned long page, u64 *word)
{
	enum mm_fault fault;

	*word = 0;
	mm_read(mm, at(page) + 8, word, sizeof(*word), &fault);
	check(fault != MM_FAULT_OOM);
	check(!*word || *word == stamp(page));
	return fault;
}

static enum mm_fault store(struct mm_user *mm, unsigned long page)
{
	u64 word = stamp(page);
	enum mm_fault fault;

	mm_write(mm, at(page) + 8, &word, sizeof(word), &fault);
	check(fault != MM_FAULT_OOM);
	return fault;
}

static void map_region(enum region region)
{
	bool of_file = region == PRIVATE || region == SHARED;

	check(mm_mmap(m.s.mm, at(page_of(region, 0)), REGION_PAGES * PAGE_SIZE, RW,
		      MAP_FIXED | (region == SHARED ? MAP_SHARED : MAP_PRIVATE) |
		      (of_file ? 0 : MAP_ANONYMOUS), of_file ? file : NULL, 0) ==
	      (long)at(page_of(region, 0)));
}

/* ------------------------------------------------------------------- by the address -- */

static void count_once(struct worker *w)
{
	unsigned long addr = at(page_of(COUNTERS, (unsigned long)w->nr));
	enum mm_fault fault;
	u64 seen = 0;

	mm_read(m.s.mm, addr, &seen, sizeof(seen), &fault);
	check(fault == MM_FAULT_DONE && seen == counts[w->nr]);
	counts[w->nr]++;
	mm_write(m.s.mm, addr, &counts[w->nr], sizeof(counts[w->nr]), &fault);
	check(fault == MM_FAULT_DONE);
}

static void fork_and_look(struct worker *w)
{
	unsigned long own = page_of(COUNTERS, (unsigned long)w->nr), i, first;
	enum mm_fault fault[8], again;
	struct mm_user *child;
	u64 before[8], after, count = 0;

	check(!mm_fork(m.s.mm, &child));
	first = page_of(ANONYMOUS, pick(w, REGION_PAGES - 8));
	for (i = 0; i < 8; i++)
		fault[i] = load(child, first + i, &before[i]);
	count_once(w);
	for (i = 0; i < 8; i++) {
		check(load(child, first + i, &after) == fault[i]);
		check(before[i] == after);
	}
	mm_read(child, at(own), &count, sizeof(count), &again);
	check(again == MM_FAULT_DONE && count == counts[w->nr] - 1);
	store(child, page_of(PRIVATE, pick(w, REGION_PAGES)));
	store(child, first);
	if (!pick(w, 8)) {
		char why[256] = "";

		check(!mm_validate(child, why, sizeof(why)));
		if (why[0])
			port_log("child: %s", why);
	}
	mmput(child);
}

static void call(struct worker *w)
{
	unsigned long nr = 1 + pick(w, 12), page = page_of(pick(w, REGIONS),
							   pick(w, REGION_PAGES - nr));
	unsigned long bytes = nr * PAGE_SIZE;

	switch (pick(w, 8)) {
	case 0:
		mm_munmap(m.s.mm, at(page), bytes);
		break;
	case 1:
		map_region(pick(w, REGIONS));
		break;
	case 2:
		mm_mprotect(m.s.mm, at(page), bytes, pick(w, 3) ? RW : PROT_READ);
		break;
	case 3:
		mm_mremap(m.s.mm, at(page_of(ANONYMOUS, 0)), REGION_PAGES * PAGE_SIZE,
			  REGION_PAGES * PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
			  at(page_of(MOVED, 0)));
		map_region(ANONYMOUS);
		break;
	case 4:
		mm_madvise(m.s.mm, at(page), bytes, pick(w, 2) ? MADV_DONTNEED : MADV_REMOVE);
		break;
	default:
		fork_and_look(w);
	}
}

static void *write_and_map(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < ROUNDS; i++) {
		u64 word;

		switch (pick(w, 16)) {
		case 0:
			call(w);
			break;
		case 1 ... 7:
			store(m.s.mm, any_page(w));
			break;
		case 8 ... 9:
			count_once(w);
			break;
		default:
			load(m.s.mm, any_page(w), &word);
		}
	}
	writer_is_done();
	return NULL;
}

/* ---------------------------------------------------------------------- by the file -- */

static void cut(struct worker *w)
{
	unsigned long nr = pick(w, REGION_PAGES);
	u64 word;

	file_set_size(file, nr * PAGE_SIZE);
	for (int i = 0; i < 4; i++) {
		unsigned long behind = nr + pick(w, REGION_PAGES - nr);

		check(load(m.s.mm, page_of(SHARED, behind), &word) != MM_FAULT_DONE);
		check(load(m.s.mm, page_of(PRIVATE, behind), &word) != MM_FAULT_DONE);
		check(store(m.s.mm, page_of(PRIVATE, behind)) != MM_FAULT_DONE);
	}
	file_set_size(file, REGION_PAGES * PAGE_SIZE);
}

static void *cut_and_punch(void *arg)
{
	struct worker *w = arg;

	while (!writers_are_done()) {
		unsigned long nr = 1 + pick(w, 16), first = pick(w, REGION_PAGES - nr);

		switch (pick(w, 4)) {
		case 0:
			cut(w);
			break;
		case 1:
			check(!file_punch_hole(file, first * PAGE_SIZE, nr * PAGE_SIZE));
			break;
		case 2:
			unmap_mapping_range(file->mapping, first, first + nr,
					    pick(w, 2) ? UNMAP_SHARED : UNMAP_COPIES);
			break;
		default:
			/* Either is right. */
			if (unmap_mapping_range_try(file->mapping, first, first + nr, UNMAP_SHARED))
				port_yield();
		}
	}
	return NULL;
}

/* ---------------------------------------------------------------------- by the page -- */

static void move_page(struct page *page)
{
	struct page *to = page_alloc(page_arena(page), 0, PAGE_ANYTHING);
	int err = to ? rmap_migrate(page, to) : -ENOMEM;

	check(!err || err == -EAGAIN || err == -EBUSY || err == -ENOMEM);
	if (!err)
		atomic_add_relaxed(&nr_moved, 1);
	if (to)
		page_put(to);
}

static void clean_page(struct worker *w, struct page *page)
{
	struct rmap_unmap how = { .leave = RMAP_LEAVE_NONE, .wait = RMAP_WAIT };

	page_lock(page);
	rmap_referenced(page, pick(w, 2) ? RMAP_WAIT : RMAP_TRY);
	if (!(page_flags(page) & PG_ANON)) {
		rmap_mkclean(page);
		if (pick(w, 2)) {
			int err = rmap_unmap(page, &how);

			/* A store to it is a pin. */
			check(!err || err == -EAGAIN || err == -EBUSY);
		}
	}
	page_unlock(page);
}

static void *move_and_clean(void *arg)
{
	struct worker *w = arg;

	while (!writers_are_done()) {
		unsigned long at_page = pick(w, 3) ? any_page(w) :
					page_of(COUNTERS, pick(w, WRITERS));
		struct page *page = gup_fast(mm_from_user(m.s.mm)->pgt, at(at_page), PT_READ);

		if (!page)
			continue;
		if (pick(w, 3))
			move_page(page);
		else
			clean_page(w, page);
		page_put(page);
	}
	return NULL;
}

/* --------------------------------------------------------------------------- blocks -- */

#define HUGE		512ul			/* pages in 2 MiB */
#define BLOCKS		3ul
#define BLOCK_ROUNDS	3000

static u32 nr_split;			/* the seeker's */
static u32 nr_collapsed;		/* atomic */

static void map_blocks(void)
{
	check(mm_mmap(m.s.mm, at(0), BLOCKS * HUGE * PAGE_SIZE, RW,
		      MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0) == (long)at(0));
	check(!mm_madvise(m.s.mm, at(0), BLOCKS * HUGE * PAGE_SIZE, MADV_HUGEPAGE));
}

/* A page of one of few in each block, so that all meet. */
static unsigned long block_page(struct worker *w)
{
	return pick(w, BLOCKS) * HUGE + pick(w, 8) * 64;
}

/* What the child has is its own: it stays as it was, whoever splits, collapses or writes. */
static void fork_blocks(struct worker *w)
{
	unsigned long page = block_page(w);
	struct mm_user *child;
	u64 before, after;

	check(!mm_fork(m.s.mm, &child));
	load(child, page, &before);
	store(m.s.mm, page);
	if (!pick(w, 3))
		check(mm_madvise(child, at(page / HUGE * HUGE), HUGE * PAGE_SIZE, MADV_COLLAPSE) !=
		      -EFAULT);
	load(child, page, &after);
	check(before == after);
	store(child, page);
	mmput(child);
}

static void call_blocks(struct worker *w)
{
	unsigned long page = block_page(w), first = page / HUGE * HUGE;

	switch (pick(w, 6)) {
	case 0:
		mm_mprotect(m.s.mm, at(page), 64 * PAGE_SIZE, pick(w, 2) ? RW : PROT_READ);
		break;
	case 1:
		mm_madvise(m.s.mm, at(page), 3 * PAGE_SIZE, MADV_DONTNEED);
		break;
	case 2:
		mm_madvise(m.s.mm, at(first), HUGE * PAGE_SIZE, MADV_DONTNEED);
		break;
	case 3:
		mm_mprotect(m.s.mm, at(first), HUGE * PAGE_SIZE, RW);
		if (!mm_madvise(m.s.mm, at(first), HUGE * PAGE_SIZE, MADV_COLLAPSE))
			atomic_add_relaxed(&nr_collapsed, 1);
		break;
	case 4:
		mm_mremap(m.s.mm, at(first), HUGE * PAGE_SIZE, HUGE * PAGE_SIZE,
			  MREMAP_MAYMOVE | MREMAP_FIXED, at((BLOCKS + 1) * HUGE));
		mm_mremap(m.s.mm, at((BLOCKS + 1) * HUGE), HUGE * PAGE_SIZE, HUGE * PAGE_SIZE,
			  MREMAP_MAYMOVE | MREMAP_FIXED, at(first));
		break;
	default:
		fork_blocks(w);
	}
}

static void *use_blocks(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < BLOCK_ROUNDS; i++) {
		u64 word;

		if (!pick(w, 8))
			call_blocks(w);
		else if (pick(w, 2))
			store(m.s.mm, block_page(w));
		else
			load(m.s.mm, block_page(w), &word);
	}
	writer_is_done();
	return NULL;
}

static bool no_leaf(struct rmap_walk *walk, struct pt_slot *slot)
{
	check(slot->level == PT_PTE);
	return true;
}

/* One who ages, splits and moves: no byte changes by that. */
static void *seek_blocks(void *arg)
{
	struct worker *w = arg;

	while (!writers_are_done()) {
		struct page *page = gup_fast(mm_from_user(m.s.mm)->pgt, at(block_page(w)), PT_READ);
		struct rmap_walk walk = { .page = page, .fn = no_leaf, .by_pieces = true };

		if (!page)
			continue;
		if (page_flags(page_head(page)) & PG_ANON) {
			switch (pick(w, 3)) {
			case 0:
				rmap_referenced(page, pick(w, 2) ? RMAP_WAIT : RMAP_TRY);
				break;
			case 1:
				check(!rmap_walk(&walk));
				nr_split += walk.nr_entries > 0;
				break;
			default:
				move_page(page);
			}
		}
		page_put(page_head(page));
	}
	return NULL;
}

static void blocks_are_sought_while_they_are_split_and_collapsed(void **state)
{
	static void *(*const work[])(void *arg) = { use_blocks, use_blocks, seek_blocks };
	static struct scan all;
	char why[256] = "";

	memory_open_with(&m, 256ul << 20);
	map_blocks();
	crew_run(work, ARRAY_SIZE(work), WRITERS);
	assert_true(nr_split && nr_collapsed);
	if (vmarea_validate(m.s.v, why, sizeof(why)))
		fail_msg("%s", why);
	scan_mm(&all, m.s.mm);
	scan_sort(&all);
	scan_check(&all);
	memory_close(&m);
}

/* -------------------------------------------------------------------------------------- */

static void pages_are_sought_while_they_are_mapped(void **state)
{
	static void *(*const work[])(void *arg) = {
		write_and_map, write_and_map, cut_and_punch, move_and_clean,
	};
	static struct scan all;
	char why[256] = "";

	memory_open_with(&m, 256ul << 20);
	file = space_file(&m.s, REGION_PAGES, 0, FILE_PLACE_ANY);
	for (int i = 0; i < REGIONS; i++)
		map_region((enum region)i);
	assert_int_equal(space_map(&m.s, page_of(COUNTERS, 0), REGION_PAGES, RW, ANON), 0);
	crew_run(work, ARRAY_SIZE(work), WRITERS);
	assert_true(nr_moved > 20);
	if (vmarea_validate(m.s.v, why, sizeof(why)))
		fail_msg("%s", why);
	scan_mm(&all, m.s.mm);
	scan_sort(&all);
	scan_check(&all);
	file_put(file);
	memory_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_are_sought_while_they_are_mapped),
		cmocka_unit_test(blocks_are_sought_while_they_are_split_and_collapsed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
