/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Pages that go to swap and come back: what every call finds of them, and what is counted. */
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <vmarea/reclaim.h>
#include <vmarea/report.h>

#include "store.h"

static struct memory m;
static struct store s;

#define swap_out_at(page)	mm_swap_out(m.s.mm, m.s.v, (page))

static void open_with_swap(u32 nr_slots)
{
	memory_open(&m);
	store_on(&s, m.s.v, nr_slots, 0);
}

/* @nr pages with their number + 1 as bytes. */
static void map_and_fill(unsigned long page, unsigned long nr)
{
	assert_int_equal(space_map(&m.s, page, nr, RW, ANON), 0);
	for (unsigned long i = page; i < page + nr; i++)
		assert_int_equal(put(&m, i, (unsigned char)(i + 1)), MM_FAULT_DONE);
}

static void close_with_swap(void)
{
	instance_validate(m.s.v);
	assert_int_equal(mm_munmap(m.s.mm, at(0), SPACE_PAGES * PAGE_SIZE), 0);
	assert_int_equal(store_used(&s, m.s.v), 0);
	store_off(&s, m.s.v);
	memory_close(&m);
}

static bool in_core(unsigned long page)
{
	unsigned char vec;

	assert_int_equal(mm_mincore(m.s.mm, at(page), PAGE_SIZE, &vec), 0);
	return vec;
}

static u64 pagemap_at(unsigned long page)
{
	u64 word;

	assert_int_equal(mm_pagemap_read(m.s.mm, at(page), 1, &word), 1);
	return word;
}

/* Is the state wrong, and does the walker say so with this word? */
static void assert_wrong(const char *word)
{
	char why[256] = "";

	assert_int_equal(vmarea_validate(m.s.v, why, sizeof(why)), -EINVAL);
	if (!strstr(why, word))
		fail_msg("\"%s\" without \"%s\"", why, word);
}

/* -------------------------------------------------------------------------------------- */

/* Each invariant of the slots, broken by hand. */
static void what_is_broken_is_noticed(void **state)
{
	struct swap_area *area;
	struct swap_slot *slot;
	struct page *page;

	open_with_swap(8);
	map_and_fill(0, 2);
	assert_int_equal(swap_out_at(0), 0);
	page = mm_page_get(m.s.mm, 1);
	assert_int_equal(swap_out_at(1), -EAGAIN);
	instance_validate(m.s.v);
	area = m.s.v->swap->areas[s.id];

	slot = &area->slots[0];
	slot->users++;
	assert_wrong("users");
	slot->users--;
	area->nr_used++;
	assert_wrong("nr_used");
	area->nr_used--;
	area->groups[0]--;
	assert_wrong("group");
	area->groups[0]++;

	page->private++;
	assert_wrong("another's");
	page->private--;
	area->slots[5].pfn = page->pfn;
	assert_wrong("free slot");
	area->slots[5].pfn = 0;

	slot = &area->slots[0];
	slot->users = 0;
	assert_wrong("nobody uses");
	slot->users = 1;
	page_put(page);
	close_with_swap();
}

static void a_page_goes_and_comes_back(void **state)
{
	struct mm_page_counts counts;
	unsigned long frames;

	open_with_swap(16);
	map_and_fill(0, 4);
	frames = memory_free_frames(m.s.v);
	assert_int_equal(swap_out_at(1), 0);
	assert_int_equal(memory_free_frames(m.s.v), frames + 1);
	assert_int_equal(store_used(&s, m.s.v), 1);
	assert_int_equal(mm_swapped(m.s.mm), 1);
	assert_int_equal(mm_rss(m.s.mm), 3);
	assert_false(in_core(1));
	assert_true(pagemap_at(1) & MM_PAGEMAP_SWAPPED);
	assert_false(pagemap_at(1) & (MM_PAGEMAP_PRESENT | MM_PAGEMAP_FILE));
	assert_int_equal(swap_out_at(2), 0);
	assert_int_equal(pagemap_at(2) & MM_PAGEMAP_FRAME, s.id | 1 << 5);
	assert_int_equal(get(&m, 2), 3);
	mm_count_pages(m.s.mm, 0, ~0ul, &counts);
	assert_int_equal(counts.swap, PAGE_SIZE);
	assert_int_equal(counts.swap_pss, PAGE_SIZE << MM_PSS_SHIFT);
	memory_validate(m.s.mm);
	instance_validate(m.s.v);

	assert_int_equal(get(&m, 1), 2);
	assert_int_equal(store_used(&s, m.s.v), 0);
	assert_int_equal(mm_swapped(m.s.mm), 0);
	assert_true(mm_attrs(m.s.mm, 1) & PT_WRITE);
	assert_int_equal(memory_free_frames(m.s.v), frames);
	close_with_swap();
}

static void a_write_to_a_swapped_page_needs_one_fault(void **state)
{
	open_with_swap(16);
	map_and_fill(0, 2);
	assert_int_equal(swap_out_at(0), 0);
	assert_int_equal(put(&m, 0, 9), MM_FAULT_DONE);
	assert_int_equal(get(&m, 0), 9);
	assert_int_equal(store_used(&s, m.s.v), 0);
	close_with_swap();
}

/* Read once, one page again; and each has its own after a write. */
static void what_a_fork_shares_is_one_page_again(void **state)
{
	struct mm_page_counts counts;
	struct mm_user *child;
	struct swap_info info;

	open_with_swap(16);
	map_and_fill(0, 2);
	assert_int_equal(swap_out_at(0), 0);
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	assert_int_equal(swap_out_at(1), 0);
	assert_int_equal(mm_swapped(m.s.mm) + mm_swapped(child), 4);
	assert_int_equal(store_used(&s, m.s.v), 2);
	mm_count_pages(child, 0, ~0ul, &counts);
	assert_int_equal(counts.swap, 2 * PAGE_SIZE);
	assert_int_equal(counts.swap_pss, PAGE_SIZE << MM_PSS_SHIFT);
	instance_validate(m.s.v);
	for (unsigned long i = 0; i < 2; i++) {
		assert_int_equal(get(&m, i), i + 1);
		assert_int_equal(store_used(&s, m.s.v), 2 - i);
		assert_false(mm_attrs(m.s.mm, i) & PT_WRITE);
		instance_validate(m.s.v);
		assert_int_equal(mm_get(child, i), i + 1);
		assert_int_equal(mm_frame(child, i), mm_frame(m.s.mm, i));
	}
	assert_int_equal(vmarea_swap_info(m.s.v, s.id, &info), 0);
	assert_int_equal(info.nr_reads, 2);
	assert_int_equal(info.nr_writes, 2);
	assert_int_equal(mm_put(child, 0, 77), MM_FAULT_DONE);
	assert_int_equal(put(&m, 1, 78), MM_FAULT_DONE);
	assert_int_equal(get(&m, 0), 1);
	assert_int_equal(mm_get(child, 1), 2);
	mmput(child);
	close_with_swap();
}

/* A page that was read, and is mapped by one of its users only, is written to by that one. */
static void a_write_beside_a_swapped_sharer_is_not_seen_by_it(void **state)
{
	struct mm_user *child;

	open_with_swap(16);
	map_and_fill(0, 1);
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	assert_int_equal(swap_out_at(0), 0);
	assert_int_equal(put(&m, 0, 50), MM_FAULT_DONE);
	assert_int_equal(mm_get(child, 0), 1);
	assert_int_equal(mm_put(child, 0, 51), MM_FAULT_DONE);
	assert_int_equal(get(&m, 0), 50);
	mmput(child);
	close_with_swap();
}

/* It goes a second time without a write, as long as one has not come back. */
static void what_is_in_the_cache_is_not_written_twice(void **state)
{
	struct mm_user *child;
	struct swap_info info;

	open_with_swap(16);
	map_and_fill(0, 1);
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	assert_int_equal(swap_out_at(0), 0);
	assert_int_equal(get(&m, 0), 1);
	assert_true(mm_mincore(child, at(0), PAGE_SIZE, (unsigned char[1]){ 0 }) == 0);
	assert_int_equal(swap_out_at(0), 0);
	assert_int_equal(vmarea_swap_info(m.s.v, s.id, &info), 0);
	assert_int_equal(info.nr_writes, 1);
	assert_int_equal(info.nr_used, 1);
	assert_int_equal(get(&m, 0), 1);
	assert_int_equal(mm_get(child, 0), 1);
	mmput(child);
	close_with_swap();
}

static void what_takes_pages_away_frees_slots(void **state)
{
	struct mm_user *child;

	open_with_swap(32);
	map_and_fill(0, 10);
	for (unsigned long i = 0; i < 10; i++)
		assert_int_equal(swap_out_at(i), 0);
	assert_int_equal(store_used(&s, m.s.v), 10);
	assert_int_equal(space_unmap(&m.s, 0, 1), 0);
	assert_int_equal(store_used(&s, m.s.v), 9);
	assert_int_equal(mm_madvise(m.s.mm, at(1), PAGE_SIZE, MADV_DONTNEED), 0);
	assert_int_equal(store_used(&s, m.s.v), 8);
	assert_int_equal(get(&m, 1), 0);
	/* Linux does not keep for a while what is in swap, either. */
	assert_int_equal(mm_madvise(m.s.mm, at(2), PAGE_SIZE, MADV_FREE), 0);
	assert_int_equal(store_used(&s, m.s.v), 7);
	assert_int_equal(get(&m, 2), 0);
	assert_int_equal(mm_madvise(m.s.mm, at(3), PAGE_SIZE, MADV_GUARD_INSTALL), 0);
	assert_int_equal(store_used(&s, m.s.v), 6);
	assert_int_equal(get(&m, 3), NO_BYTE(MAPERR));
	assert_int_equal(space_map(&m.s, 4, 1, RW, ANON | MAP_FIXED), 0);
	assert_int_equal(store_used(&s, m.s.v), 5);
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	assert_int_equal(mm_munmap(m.s.mm, at(0), 10 * PAGE_SIZE), 0);
	assert_int_equal(store_used(&s, m.s.v), 5);
	assert_int_equal(mm_get(child, 9), 10);
	assert_int_equal(store_used(&s, m.s.v), 4);
	mmput(child);
	assert_int_equal(store_used(&s, m.s.v), 0);
	close_with_swap();
}

static void mremap_and_mprotect_take_it_along(void **state)
{
	open_with_swap(16);
	map_and_fill(0, 3);
	for (unsigned long i = 0; i < 3; i++)
		assert_int_equal(swap_out_at(i), 0);
	assert_int_equal(mm_mremap(m.s.mm, at(0), 3 * PAGE_SIZE, 3 * PAGE_SIZE,
				   MREMAP_MAYMOVE | MREMAP_FIXED, at(100)), at(100));
	assert_int_equal(mm_swapped(m.s.mm), 3);
	assert_int_equal(mm_mprotect(m.s.mm, at(100), PAGE_SIZE, PROT_READ), 0);
	assert_int_equal(mm_mprotect(m.s.mm, at(101), PAGE_SIZE, PROT_NONE), 0);
	assert_int_equal(get(&m, 100), 1);
	assert_false(mm_attrs(m.s.mm, 100) & PT_WRITE);
	assert_int_equal(put(&m, 100, 9), MM_FAULT_ACCERR);
	assert_int_equal(get(&m, 101), NO_BYTE(ACCERR));
	assert_int_equal(mm_swapped(m.s.mm), 2);
	assert_int_equal(mm_mprotect(m.s.mm, at(100), 2 * PAGE_SIZE, RW), 0);
	assert_int_equal(put(&m, 100, 9), MM_FAULT_DONE);
	assert_int_equal(get(&m, 101), 2);
	assert_int_equal(get(&m, 102), 3);
	close_with_swap();
}

static void mlock_and_willneed_read_in(void **state)
{
	open_with_swap(16);
	map_and_fill(0, 6);
	for (unsigned long i = 0; i < 6; i++)
		assert_int_equal(swap_out_at(i), 0);
	assert_int_equal(mm_mlock(m.s.mm, at(0), 2 * PAGE_SIZE), 0);
	assert_int_equal(mm_swapped(m.s.mm), 4);
	assert_int_equal(mm_madvise(m.s.mm, at(3), 2 * PAGE_SIZE, MADV_WILLNEED), 0);
	assert_false(in_core(2));
	assert_true(in_core(3) && in_core(4));
	assert_int_equal(mm_swapped(m.s.mm), 4);
	s.fail_reads = 1;
	assert_int_equal(get(&m, 3), 4);
	assert_int_equal(put(&m, 4, 9), MM_FAULT_DONE);
	s.fail_reads = 0;
	instance_validate(m.s.v);
	close_with_swap();
}

/* 512 pages, some of them in swap: a block is made of them all the same. */
static void a_collapse_brings_in_what_it_needs(void **state)
{
	const unsigned long first = 512;

	open_with_swap(600);
	map_and_fill(first, 512);
	assert_int_equal(mm_madvise(m.s.mm, at(first), 512 * PAGE_SIZE, MADV_HUGEPAGE), 0);
	for (unsigned long i = 0; i < 512; i += 3)
		assert_int_equal(swap_out_at(first + i), 0);
	assert_int_equal(mm_madvise(m.s.mm, at(first), 512 * PAGE_SIZE, MADV_COLLAPSE), 0);
	assert_int_equal(mm_leaves(m.s.mm), 1);
	assert_int_equal(store_used(&s, m.s.v), 0);
	for (unsigned long i = 0; i < 512; i++)
		assert_int_equal(get(&m, first + i), (first + i + 1) & 0xff);
	close_with_swap();
}

/* It may be read later. */
/* The first error ends it: what is behind that stays where it is. */
static void ranges_are_collapsed_one_by_one(void **state)
{
	const unsigned long huge = 512 * PAGE_SIZE;
	const struct mm_range ranges[] = { { at(512), huge }, { at(1024), huge }, { at(1536), huge } };

	memory_open_with(&m, 8 * huge);
	store_on(&s, m.s.v, 2048, 0);
	map_and_fill(512, 512);
	map_and_fill(1536, 512);
	/* Never touched, it has nothing to collapse. */
	assert_int_equal(space_map(&m.s, 1024, 512, PROT_READ, ANON), 0);
	for (unsigned long i = 0; i < 8; i++) {
		assert_int_equal(swap_out_at(512 + i), 0);
		assert_int_equal(swap_out_at(1536 + i), 0);
	}
	assert_int_equal(mm_process_madvise(m.s.mm, ranges, 3, MADV_COLLAPSE, 0, false), (long)huge);
	assert_int_equal(mm_swapped(m.s.mm), 8);
	assert_int_equal(mm_process_madvise(m.s.mm, ranges + 1, 2, MADV_COLLAPSE, 0, false),
			 -EINVAL);
	assert_int_equal(mm_swapped(m.s.mm), 8);
	assert_int_equal(mm_process_madvise(m.s.mm, ranges + 2, 1, MADV_COLLAPSE, 0, false),
			 (long)huge);
	assert_int_equal(mm_swapped(m.s.mm), 0);
	assert_int_equal(get(&m, 515), (515 + 1) % 256);
	assert_int_equal(get(&m, 1540), (1540 + 1) % 256);
	close_with_swap();
}

static void a_collapse_loses_nothing(void **state)
{
	open_with_swap(8);
	assert_int_equal(space_map(&m.s, 512, 512, RW, ANON), 0);
	for (unsigned long i = 0; i < 4; i++)
		assert_int_equal(put(&m, 512 + i, (unsigned char)(i + 1)), MM_FAULT_DONE);
	assert_int_equal(swap_out_at(513), 0);
	assert_int_equal(swap_out_at(514), 0);
	s.fail_reads = 1;
	assert_int_equal(mm_madvise(m.s.mm, at(512), 512 * PAGE_SIZE, MADV_COLLAPSE), -EAGAIN);
	s.fail_reads = 0;
	for (unsigned long i = 0; i < 4; i++)
		assert_int_equal(get(&m, 512 + i), i + 1);
	assert_int_equal(mm_madvise(m.s.mm, at(512), 512 * PAGE_SIZE, MADV_COLLAPSE), 0);
	close_with_swap();
}

static void a_pin_of_a_swapped_page_brings_it_back_and_keeps_it(void **state)
{
	struct page *pinned;

	open_with_swap(16);
	map_and_fill(0, 1);
	assert_int_equal(swap_out_at(0), 0);
	assert_int_equal(mm_pin_pages(m.s.mm, at(0), 1, MM_ACCESS_READ, &pinned), 1);
	assert_int_equal(swap_out_at(0), -EBUSY);
	assert_int_equal(store_used(&s, m.s.v), 0);
	assert_int_equal(mm_frame(m.s.mm, 0), page_pfn(pinned));
	assert_true(page_flags(pinned) & PG_EXCLUSIVE);
	instance_validate(m.s.v);
	mm_unpin_pages(&pinned, 1);
	assert_int_equal(swap_out_at(0), 0);
	close_with_swap();
}

/* Who holds a page while it goes keeps the frame, and the next fault finds it there. */
static void a_page_that_is_held_stays_in_the_cache(void **state)
{
	unsigned long pfn;
	struct page *held;

	open_with_swap(16);
	map_and_fill(0, 1);
	held = mm_page_get(m.s.mm, 0);
	pfn = page_pfn(held);
	assert_int_equal(swap_out_at(0), -EAGAIN);
	assert_int_equal(mm_swapped(m.s.mm), 1);
	assert_true(in_core(0));
	instance_validate(m.s.v);
	s.fail_reads = 1;
	assert_int_equal(get(&m, 0), 1);
	s.fail_reads = 0;
	assert_int_equal(mm_frame(m.s.mm, 0), pfn);
	page_put(held);
	instance_validate(m.s.v);
	assert_int_equal(put(&m, 0, 5), MM_FAULT_DONE);
	close_with_swap();
}

/* A page that is in the cache and nowhere mapped is not one that MADV_FREE gave up. */
static void what_stays_in_the_cache_is_not_discarded(void **state)
{
	struct vmarea_reclaim_stats stats;
	struct page *page;

	open_with_swap(8);
	map_and_fill(0, 1);
	assert_int_equal(mm_madvise(m.s.mm, at(0), PAGE_SIZE, MADV_FREE), 0);
	/* Somebody has it, and it goes to swap all the same. */
	page = mm_page_get(m.s.mm, 0);
	assert_int_equal(swap_out_at(0), -EAGAIN);
	assert_int_equal(vmarea_reclaim(m.s.v, 1), 0);
	vmarea_get_reclaim_stats(m.s.v, &stats);
	assert_int_equal(stats.discarded, 0);
	page_put(page);
	assert_int_equal(vmarea_reclaim(m.s.v, 1), 1);
	assert_int_equal(get(&m, 0), 1);
	close_with_swap();
}

static void what_is_full_or_fails_leaves_the_page(void **state)
{
	open_with_swap(2);
	map_and_fill(0, 4);
	s.fail_writes = 1;
	assert_int_equal(swap_out_at(0), -EIO);
	assert_int_equal(get(&m, 0), 1);
	assert_int_equal(store_used(&s, m.s.v), 0);
	s.fail_writes = 0;
	assert_int_equal(swap_out_at(0), 0);
	assert_int_equal(swap_out_at(1), 0);
	assert_int_equal(swap_out_at(2), -ENOSPC);
	assert_int_equal(get(&m, 2), 3);
	instance_validate(m.s.v);
	/* What cannot be read can be asked for again. */
	s.fail_reads = 1;
	assert_int_equal(get(&m, 0), NO_BYTE(BUS));
	assert_int_equal(put(&m, 1, 3), MM_FAULT_BUS);
	instance_validate(m.s.v);
	s.fail_reads = 0;
	assert_int_equal(get(&m, 0), 1);
	assert_int_equal(get(&m, 1), 2);
	close_with_swap();
}

/* A read that another thread makes needless while it goes on, and that fails. */
static u32 reading, needless;

static int read_in_vain(void *private_data, uint64_t slot, void *to)
{
	/* Each pairs with the main thread. */
	atomic_store_release(&reading, 1);
	port_wake(&reading, 1);
	while (!atomic_load_acquire(&needless))
		port_wait(&needless, 0, PORT_NO_DEADLINE);
	return -EIO;
}

static int write_nowhere(void *private_data, uint64_t slot, const void *from)
{
	return 0;
}

static void *load_byte(void *arg)
{
	*(int *)arg = get(&m, 0);
	return NULL;
}

static void a_read_that_nobody_needs_may_fail(void **state)
{
	static const struct swap_ops ops = {
		.read_page = read_in_vain, .write_page = write_nowhere,
	};
	const struct swap_desc desc = {
		.size = sizeof(desc), .name = "x", .ops = &ops, .nr_slots = 1,
	};
	pthread_t loader;
	unsigned int id;
	int byte;

	memory_open(&m);
	assert_int_equal(vmarea_swapon(m.s.v, &desc, &id), 0);
	map_and_fill(0, 1);
	assert_int_equal(swap_out_at(0), 0);
	assert_int_equal(pthread_create(&loader, NULL, load_byte, &byte), 0);
	while (!atomic_load_acquire(&reading))
		port_wait(&reading, 0, PORT_NO_DEADLINE);
	assert_int_equal(mm_madvise(m.s.mm, at(0), PAGE_SIZE, MADV_DONTNEED), 0);
	atomic_store_release(&needless, 1);
	port_wake(&needless, 1);
	assert_int_equal(pthread_join(loader, NULL), 0);
	assert_int_equal(byte, 0);
	assert_int_equal(vmarea_swapoff(m.s.v, id), 0);
	memory_close(&m);
}

static void areas_are_used_by_priority_and_in_turn(void **state)
{
	struct store low, high;

	open_with_swap(4);
	map_and_fill(0, 12);
	store_on(&low, m.s.v, 4, -1);
	store_on(&high, m.s.v, 4, 0);
	for (unsigned long i = 0; i < 4; i++)
		assert_int_equal(swap_out_at(i), 0);
	assert_int_equal(store_used(&s, m.s.v), 2);
	assert_int_equal(store_used(&high, m.s.v), 2);
	assert_int_equal(store_used(&low, m.s.v), 0);
	for (unsigned long i = 4; i < 12; i++)
		assert_int_equal(swap_out_at(i), 0);
	assert_int_equal(store_used(&low, m.s.v), 4);
	instance_validate(m.s.v);
	store_off(&high, m.s.v);
	assert_int_equal(mm_swapped(m.s.mm), 8);
	for (unsigned long i = 0; i < 12; i++)
		assert_int_equal(get(&m, i), i + 1);
	store_off(&low, m.s.v);
	close_with_swap();
}

static void swapoff_brings_everything_back(void **state)
{
	struct mm_user *child;

	open_with_swap(64);
	map_and_fill(0, 50);
	for (unsigned long i = 0; i < 50; i++)
		assert_int_equal(swap_out_at(i), 0);
	assert_int_equal(mm_mprotect(m.s.mm, at(7), PAGE_SIZE, PROT_NONE), 0);
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	assert_int_equal(mm_put(child, 9, 1), MM_FAULT_DONE);
	assert_int_equal(vmarea_swapoff(m.s.v, s.id), 0);
	assert_int_equal(mm_swapped(m.s.mm) + mm_swapped(child), 0);
	assert_int_equal(mm_rss(m.s.mm), 50);
	instance_validate(m.s.v);
	assert_int_equal(mm_frame(m.s.mm, 3), mm_frame(child, 3));
	assert_int_equal(mm_mprotect(m.s.mm, at(7), PAGE_SIZE, RW), 0);
	for (unsigned long i = 0; i < 50; i++)
		assert_int_equal(get(&m, i), i + 1);
	assert_int_equal(mm_get(child, 9), 1);
	assert_int_equal(vmarea_swapoff(m.s.v, s.id), -EINVAL);
	assert_int_equal(swap_out_at(0), -ENOSPC);
	mmput(child);
	store_free(&s);
	memory_close(&m);
}

static void swapoff_without_memory_changes_nothing(void **state)
{
	struct page *hoard = NULL, *page;

	open_with_swap(64);
	map_and_fill(0, 40);
	for (unsigned long i = 0; i < 40; i++)
		assert_int_equal(swap_out_at(i), 0);
	while ((page = page_alloc(m.s.v->arena, 0, PAGE_ANYTHING))) {
		page->next = hoard;
		hoard = page;
	}
	for (int i = 0; i < 10; i++) {
		page = hoard;
		hoard = page->next;
		page->mapping = NULL;
		page_put(page);
	}
	assert_int_equal(vmarea_swapoff(m.s.v, s.id), -ENOMEM);
	assert_true(mm_swapped(m.s.mm) >= 30);
	instance_validate(m.s.v);
	assert_int_equal(swap_out_at(0), 0);
	while (hoard) {
		page = hoard;
		hoard = page->next;
		page->mapping = NULL;
		page_put(page);
	}
	for (unsigned long i = 0; i < 40; i++)
		assert_int_equal(get(&m, i), i + 1);
	close_with_swap();
}

static void what_swapoff_cannot_read_is_lost(void **state)
{
	struct page *page;

	open_with_swap(8);
	map_and_fill(0, 2);
	assert_int_equal(swap_out_at(0), 0);
	s.fail_reads = 1;
	assert_int_equal(vmarea_swapoff(m.s.v, s.id), 0);
	assert_int_equal(get(&m, 0), NO_BYTE(BUS));
	assert_int_equal(get(&m, 1), 2);
	instance_validate(m.s.v);
	/* As Linux 6.18 says it of a page of UFFDIO_POISON: here alone by an errno of its own. */
	assert_int_equal(mm_madvise(m.s.mm, at(0), PAGE_SIZE, MADV_POPULATE_READ), -EHWPOISON);
	assert_int_equal(mm_madvise(m.s.mm, at(0), PAGE_SIZE, MADV_POPULATE_WRITE), -EHWPOISON);
	assert_int_equal(mm_pin_pages(m.s.mm, at(0), 1, MM_ACCESS_READ, &page), -EFAULT);
	assert_int_equal(mm_mlock(m.s.mm, at(0), PAGE_SIZE), -ENOMEM);
	assert_int_equal(mm_munlock(m.s.mm, at(0), PAGE_SIZE), 0);
	assert_int_equal(mm_madvise(m.s.mm, at(0), PAGE_SIZE, MADV_DONTNEED), 0);
	assert_int_equal(get(&m, 0), 0);
	assert_int_equal(mm_madvise(m.s.mm, at(0), PAGE_SIZE, MADV_POPULATE_WRITE), 0);
	store_free(&s);
	memory_close(&m);
}

static void copies_of_a_file_s_pages_go_too(void **state)
{
	struct file *file;

	open_with_swap(8);
	file = space_file(&m.s, 4, 0, FILE_PLACE_ANY);
	assert_int_equal(mm_mmap(m.s.mm, at(0), 4 * PAGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED, file, 0),
			 at(0));
	assert_int_equal(put(&m, 1, 5), MM_FAULT_DONE);
	assert_int_equal(put(&m, 2, 6), MM_FAULT_DONE);
	assert_int_equal(swap_out_at(1), 0);
	assert_int_equal(swap_out_at(2), 0);
	file_set_size(file, 2 * PAGE_SIZE);
	assert_int_equal(store_used(&s, m.s.v), 1);
	assert_int_equal(get(&m, 1), 5);
	assert_int_equal(get(&m, 2), NO_BYTE(BUS));
	file_put(file);
	close_with_swap();
}

static void what_is_asked_wrongly_is_refused(void **state)
{
	struct swap_desc desc = { .size = sizeof(desc), .name = "x", .ops = &store_ops, .nr_slots = 1 };
	struct swap_info info;
	struct space bare;
	unsigned int id;

	space_open(&bare);
	assert_int_equal(vmarea_swapon(bare.v, &desc, &id), -EOPNOTSUPP);
	assert_int_equal(vmarea_swapoff(bare.v, 0), -EINVAL);
	assert_int_equal(vmarea_swap_info(bare.v, 0, &info), -ENOENT);
	space_close(&bare);

	memory_open(&m);
	desc.nr_slots = 0;
	assert_int_equal(vmarea_swapon(m.s.v, &desc, &id), -EINVAL);
	desc.nr_slots = 1ul << 32;
	assert_int_equal(vmarea_swapon(m.s.v, &desc, &id), -EINVAL);
	desc.nr_slots = 1;
	desc.size = 8;
	assert_int_equal(vmarea_swapon(m.s.v, &desc, &id), -EINVAL);
	assert_int_equal(vmarea_swapoff(m.s.v, 0), -EINVAL);
	assert_int_equal(vmarea_swapoff(m.s.v, VMAREA_SWAP_AREAS), -EINVAL);
	assert_int_equal(vmarea_swap_info(m.s.v, VMAREA_SWAP_AREAS, &info), -ENOENT);
	memory_close(&m);
}

static void there_are_so_many_areas_and_no_more(void **state)
{
	static struct store stores[VMAREA_SWAP_AREAS];
	struct swap_desc desc = { .size = sizeof(desc), .name = "x", .ops = &store_ops, .nr_slots = 1 };
	unsigned int id;

	memory_open(&m);
	for (unsigned int i = 0; i < VMAREA_SWAP_AREAS; i++)
		store_on(&stores[i], m.s.v, 1 + i, 0);
	assert_int_equal(vmarea_swapon(m.s.v, &desc, &id), -EPERM);
	memory_close(&m);
	/* What is left goes with the instance. */
	for (unsigned int i = 0; i < VMAREA_SWAP_AREAS; i++)
		store_free(&stores[i]);
}

static void a_file_of_the_host_holds_the_bytes(void **state)
{
	char path[] = "/tmp/vmarea-swap-XXXXXX";
	int fd = mkstemp(path);
	struct swap_desc desc = {
		.size = sizeof(desc), .name = "a file", .ops = swap_fd_ops(),
		.private_data = swap_fd(fd), .nr_slots = 300,
	};
	struct swap_info info;
	unsigned int id;

	assert_true(fd >= 0);
	unlink(path);
	memory_open(&m);
	assert_int_equal(vmarea_swapon(m.s.v, &desc, &id), 0);
	map_and_fill(0, 200);
	for (unsigned long i = 0; i < 200; i++)
		assert_int_equal(swap_out_at(i), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), 200 * PAGE_SIZE);
	assert_int_equal(vmarea_swap_info(m.s.v, id, &info), 0);
	assert_string_equal(info.name, "a file");
	assert_int_equal(info.nr_used, 200);
	for (unsigned long i = 0; i < 200; i++)
		assert_int_equal(get(&m, i), (i + 1) & 0xff);
	/* Writes that would go to the end of it are none. */
	assert_int_equal(fcntl(fd, F_SETFL, O_APPEND), 0);
	assert_int_not_equal(swap_out_at(0), 0);
	assert_int_equal(get(&m, 0), 1);
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	/* A file that was cut has lost them. */
	assert_int_equal(swap_out_at(0), 0);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(get(&m, 0), NO_BYTE(BUS));
	assert_int_equal(vmarea_swapoff(m.s.v, id), 0);
	memory_close(&m);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_broken_is_noticed),
		cmocka_unit_test(a_page_goes_and_comes_back),
		cmocka_unit_test(a_write_to_a_swapped_page_needs_one_fault),
		cmocka_unit_test(what_a_fork_shares_is_one_page_again),
		cmocka_unit_test(a_write_beside_a_swapped_sharer_is_not_seen_by_it),
		cmocka_unit_test(what_is_in_the_cache_is_not_written_twice),
		cmocka_unit_test(what_takes_pages_away_frees_slots),
		cmocka_unit_test(mremap_and_mprotect_take_it_along),
		cmocka_unit_test(mlock_and_willneed_read_in),
		cmocka_unit_test(a_collapse_brings_in_what_it_needs),
		cmocka_unit_test(ranges_are_collapsed_one_by_one),
		cmocka_unit_test(a_collapse_loses_nothing),
		cmocka_unit_test(a_pin_of_a_swapped_page_brings_it_back_and_keeps_it),
		cmocka_unit_test(a_page_that_is_held_stays_in_the_cache),
		cmocka_unit_test(what_stays_in_the_cache_is_not_discarded),
		cmocka_unit_test(what_is_full_or_fails_leaves_the_page),
		cmocka_unit_test(a_read_that_nobody_needs_may_fail),
		cmocka_unit_test(areas_are_used_by_priority_and_in_turn),
		cmocka_unit_test(swapoff_brings_everything_back),
		cmocka_unit_test(swapoff_without_memory_changes_nothing),
		cmocka_unit_test(what_swapoff_cannot_read_is_lost),
		cmocka_unit_test(copies_of_a_file_s_pages_go_too),
		cmocka_unit_test(what_is_asked_wrongly_is_refused),
		cmocka_unit_test(there_are_so_many_areas_and_no_more),
		cmocka_unit_test(a_file_of_the_host_holds_the_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
