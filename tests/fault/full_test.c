/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Pages that are mapped as often as can be counted.  To map one so often takes gigabytes of tables,
 * so the counts are set as if somebody had: who must not add to them is out of memory, takes back
 * nobody's pages for it, and everything is as it was.
 */
#include <vmarea/user_fault.h>

#include "../swap/store.h"
#include "driver.h"
#include "reclaim/reclaim.h"

#define BLOCK	512ul			/* pages in 2 MiB */

static struct memory m;
static struct mm_user *child;

/* As many as it takes, by others; and they let go of it. */
static u32 fill_up(struct page *head, u32 most)
{
	u32 nr = most - page_refs(head);

	page_get_many(head, nr);
	return nr;
}

/* Nobody has looked for pages that could go. */
static void assert_no_reclaim(void)
{
	struct vmarea_reclaim_stats stats;

	vmarea_get_reclaim_stats(m.s.v, &stats);
	assert_int_equal(stats.waits, 0);
	assert_int_equal(stats.scanned, 0);
}

static void assert_no_fork(void)
{
	assert_int_equal(mm_fork(m.s.mm, &child), -ENOMEM);
	assert_no_reclaim();
}

/* There is room for one more. */
static void assert_fork(unsigned long page, unsigned char value)
{
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	assert_int_equal(mm_get(child, page), value);
	memory_validate(child);
	mmput(child);
	memory_validate(m.s.mm);
}

/* ------------------------------------------------------------------------ pages of a file -- */

static struct page *open_shared(void)
{
	struct file *file;

	memory_open(&m);
	file = space_file(&m.s, 4, FILE_SHMEM | FILE_READ | FILE_WRITE, FILE_PLACE_SHMEM);
	assert_int_equal(space_map_file(&m.s, 0, 4, RW, MAP_SHARED, file, 0), 0);
	assert_int_equal(space_map_file(&m.s, 8, 4, RW, MAP_SHARED, file, 0), 0);
	file_put(file);
	for (unsigned long i = 0; i < 4; i++)
		assert_int_equal(put(&m, i, (unsigned char)(i + 1)), MM_FAULT_DONE);
	return mm_page_get(m.s.mm, 1);
}

static void close_shared(struct page *page)
{
	page_put(page);
	space_unmap(&m.s, 0, SPACE_PAGES);
	memory_close(&m);
}

static void a_file_maps_no_more(void **state)
{
	struct page *page = open_shared();
	u32 others = fill_up(page, PAGE_MOST_REFS);

	/* Its neighbours are mapped around it. */
	assert_int_equal(get(&m, 8), 1);
	assert_int_equal(mm_rss(m.s.mm), 4 + 3);
	assert_int_equal(get(&m, 9), NO_BYTE(OOM));
	assert_int_equal(put(&m, 9, 5), MM_FAULT_OOM);
	assert_int_equal(mm_touch_range(m.s.mm, at(8), 4 * PAGE_SIZE, MM_ACCESS_READ),
			 MM_FAULT_OOM);
	assert_int_equal(mm_madvise(m.s.mm, at(8), 4 * PAGE_SIZE, MADV_POPULATE_READ), -ENOMEM);
	assert_int_equal(page_mapcount(page), 1);
	assert_no_reclaim();
	page_put_many(page, others);
	assert_int_equal(get(&m, 9), 2);
	close_shared(page);
}

static void an_answer_maps_no_more(void **state)
{
	struct user_faults_config config = USER_FAULTS_CONFIG_INIT;
	struct page *page = open_shared();
	struct user_faults *uf;
	u32 others;

	assert_int_equal(user_faults_create(m.s.mm, &config, &uf), 0);
	assert_int_equal(user_faults_register(uf, at(8), 4 * PAGE_SIZE, USER_FAULT_MINOR), 0);
	others = fill_up(page, PAGE_MOST_REFS);
	assert_int_equal(user_faults_continue(uf, at(9), PAGE_SIZE, 0), -ENOMEM);
	assert_no_reclaim();
	page_put_many(page, others);
	assert_int_equal(user_faults_continue(uf, at(9), PAGE_SIZE, 0), PAGE_SIZE);
	user_faults_put(uf);
	close_shared(page);
}

/* ---------------------------------------------------------------------- pages of a driver -- */

static void a_driver_inserts_no_more(void **state)
{
	struct mmap_read *lock;
	struct vma_ref *vma;
	struct driver d;
	u32 others;

	memory_open(&m);
	driver_open(&d, &m);
	d.mixedmap = true;
	d.answer = VM_FAULT_SIGBUS;
	assert_int_equal(driver_map(&d, &m, 0, 4, RW, MAP_SHARED), 0);
	others = fill_up(d.pages[0], PAGE_MOST_REFS);
	lock = mmap_read_lock(m.s.mm);
	vma = vma_lookup(lock, at(0));
	assert_int_equal(vm_insert_page(vma_as_mixedmap(vma), at(0), d.pages[0]), -ENOMEM);
	page_put_many(d.pages[0], others);
	assert_int_equal(vm_insert_page(vma_as_mixedmap(vma), at(0), d.pages[0]), 0);
	mmap_read_unlock(lock);
	/* Nor does a fork show it once more. */
	others = fill_up(d.pages[0], PAGE_MOST_REFS);
	assert_no_fork();
	page_put_many(d.pages[0], others);
	assert_fork(0, 1);
	driver_close(&d, &m);
	memory_close(&m);
}

/* ------------------------------------------------------------------------ anonymous pages -- */

static void a_fork_shares_no_more(void **state)
{
	struct page *page;
	u32 others;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 4, RW, ANON), 0);
	assert_int_equal(put(&m, 1, 7), MM_FAULT_DONE);
	/* One that is exclusive and has so many is pinned, and copied. */
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	page = mm_page_get(m.s.mm, 1);
	others = fill_up(page, SWAP_MOST_USERS);
	assert_no_fork();
	assert_int_equal(page_mapcount(page), 2);
	page_put_many(page, others);
	page_put(page);
	mmput(child);
	assert_fork(1, 7);
	memory_close(&m);
}

/* Each leaf may come to be 512 entries. */
static void a_fork_shares_no_more_blocks(void **state)
{
	const u32 nr = SWAP_MOST_USERS / BLOCK;
	struct page *head;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, BLOCK, RW, ANON), 0);
	assert_int_equal(mm_madvise(m.s.mm, at(0), BLOCK * PAGE_SIZE, MADV_HUGEPAGE), 0);
	assert_int_equal(put(&m, 1, 7), MM_FAULT_DONE);
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	head = page_head(mm_page_get(m.s.mm, 0));
	page_put(head);
	assert_int_equal(page_nr_leaves(head), 2);
	page_get_many(head, nr);
	atomic_add_relaxed(page_map_counter(head, true), (s32)nr);
	assert_no_fork();
	assert_int_equal(page_nr_leaves(head), nr + 2);
	atomic_sub_relaxed(page_map_counter(head, true), (s32)nr);
	page_put_many(head, nr);
	mmput(child);
	assert_fork(1, 7);
	memory_close(&m);
}

/* ----------------------------------------------------------------------------------- swap -- */

static struct swap_slot *slot_at(unsigned long page)
{
	struct swap_area *area;
	unsigned int level;
	pte_t entry = pt_look(mm_from_user(m.s.mm)->pgt, at(page), &level);

	assert_int_equal(pte_soft_type(mm_from_user(m.s.mm)->pgt->format, entry), PT_SOFT_SWAP);
	return swap_slot(m.s.v->swap, pte_soft_number(entry), &area);
}

static void open_swap(struct store *s)
{
	memory_open(&m);
	store_on(s, m.s.v, 8, 0);
	assert_int_equal(space_map(&m.s, 0, 4, RW, ANON), 0);
	assert_int_equal(put(&m, 1, 7), MM_FAULT_DONE);
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	assert_int_equal(mm_swap_out(m.s.mm, m.s.v, 1), 0);
}

static void close_swap(struct store *s)
{
	mmput(child);
	assert_fork(1, 7);
	space_unmap(&m.s, 0, SPACE_PAGES);
	store_off(s, m.s.v);
	memory_close(&m);
}

static void a_slot_has_no_more_users(void **state)
{
	struct mm_user *kin = NULL;
	struct swap_slot *slot;
	struct store s;

	open_swap(&s);
	slot = slot_at(1);
	assert_int_equal(slot->users, 2);
	slot->users = SWAP_MOST_USERS;
	assert_int_equal(mm_fork(m.s.mm, &kin), -ENOMEM);
	assert_int_equal(slot->users, SWAP_MOST_USERS);
	slot->users = 2;
	close_swap(&s);
}

/* Some have it as a leaf, and others as an entry. */
static void a_slot_and_its_page_are_one(void **state)
{
	struct mm_user *kin = NULL;
	struct swap_slot *slot;
	struct page *page;
	struct store s;
	u32 others;

	open_swap(&s);
	slot = slot_at(1);
	assert_int_equal(mm_get(child, 1), 7);
	page = mm_page_get(child, 1);
	others = fill_up(page, SWAP_MOST_USERS - 1);
	assert_int_equal(mm_fork(m.s.mm, &kin), -ENOMEM);
	/* Nor does such a page become entries. */
	page_get(page);
	assert_int_equal(mm_swap_out(child, m.s.v, 1), -EBUSY);
	page_put_many(page, others + 1);
	slot->users += SWAP_MOST_USERS;
	assert_int_equal(mm_swap_out(child, m.s.v, 1), -EBUSY);
	slot->users -= SWAP_MOST_USERS;
	page_put(page);
	assert_int_equal(mm_swap_out(child, m.s.v, 1), 0);
	close_swap(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_maps_no_more),
		cmocka_unit_test(an_answer_maps_no_more),
		cmocka_unit_test(a_driver_inserts_no_more),
		cmocka_unit_test(a_fork_shares_no_more),
		cmocka_unit_test(a_fork_shares_no_more_blocks),
		cmocka_unit_test(a_slot_has_no_more_users),
		cmocka_unit_test(a_slot_and_its_page_are_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
