/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Reverse maps, one thing at a time. */
#include "../swap/store.h"
#include "scan.h"

#define MIGRATIONS	3

static struct file *open_file(struct memory *m, unsigned int flags, unsigned long nr)
{
	return space_file(&m->s, nr, flags, FILE_PLACE_ANY);
}

static struct page *page_at(struct mm_user *mm, unsigned long page)
{
	return pfn_page(mm_from_user(mm)->pgt->frames, mm_frame(mm, page));
}

static void map_shared(struct mm_user *mm, unsigned long page, unsigned long nr, int flags,
		       struct file *file, unsigned long pgoff)
{
	assert_int_equal(mm_mmap(mm, at(page), nr * PAGE_SIZE, RW, (unsigned long)flags | MAP_FIXED,
				 file, pgoff * PAGE_SIZE), at(page));
}

/* ------------------------------------------------------------------------- truncation -- */

/* The end of the file is the end for everyone, copies included; what is left keeps its copies. */
static void a_file_that_shrinks_takes_its_pages_back(void **state)
{
	struct mm_user *other, *child;
	struct memory m;
	struct file *file;

	memory_open(&m);
	file = open_file(&m, 0, 8);
	assert_int_equal(mm_create(m.s.v, &m.s.mm_config, &other), 0);
	map_shared(m.s.mm, 0, 8, MAP_SHARED, file, 0);
	map_shared(m.s.mm, 16, 8, MAP_PRIVATE, file, 0);
	map_shared(other, 32, 4, MAP_PRIVATE, file, 4);
	for (unsigned long i = 0; i < 8; i++) {
		assert_int_equal(put(&m, i, (unsigned char)(1 + i)), MM_FAULT_DONE);
		assert_int_equal(put(&m, 16 + i, (unsigned char)(101 + i)), MM_FAULT_DONE);
	}
	assert_int_equal(mm_get(other, 32), 5);
	assert_int_equal(mm_put(other, 33, 66), MM_FAULT_DONE);
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	assert_int_equal(mm_get(child, 22), 107);

	file_set_size(file, 5 * PAGE_SIZE + 200);
	for (unsigned long i = 0; i < 8; i++) {
		const int bus = NO_BYTE(BUS);

		assert_int_equal(get(&m, i), i < 6 ? (int)i + 1 : bus);
		assert_int_equal(get(&m, 16 + i), i < 6 ? 101 + (int)i : bus);
		assert_int_equal(mm_get(child, 16 + i), i < 6 ? 101 + (int)i : bus);
	}
	assert_int_equal(mm_get(other, 32), 5);
	assert_int_equal(mm_get(other, 33), 66);
	assert_int_equal(mm_put(other, 34, 1), MM_FAULT_BUS);
	/* Longer again, it has zeros there. */
	file_set_size(file, 8 * PAGE_SIZE);
	assert_int_equal(get(&m, 7), 0);
	assert_int_equal(get(&m, 23), 0);
	assert_int_equal(mm_get(child, 22), 0);
	memory_validate(child);
	memory_validate(other);
	mmput(child);
	mmput(other);
	file_put(file);
	memory_close(&m);
}

/* A hole takes the file's pages from all, and nobody's copies. */
static void a_hole_leaves_copies(void **state)
{
	struct mm_user *other;
	struct memory m;
	struct file *file;

	memory_open(&m);
	file = open_file(&m, FILE_SHMEM, 8);
	assert_int_equal(mm_create(m.s.v, &m.s.mm_config, &other), 0);
	map_shared(m.s.mm, 0, 8, MAP_SHARED, file, 0);
	map_shared(other, 0, 8, MAP_PRIVATE, file, 0);
	for (unsigned long i = 0; i < 8; i++)
		assert_int_equal(put(&m, i, 1), MM_FAULT_DONE);
	assert_int_equal(mm_put(other, 2, 9), MM_FAULT_DONE);
	assert_int_equal(mm_get(other, 3), 1);
	assert_int_equal(file_punch_hole(file, 2 * PAGE_SIZE, 2 * PAGE_SIZE), 0);
	assert_int_equal(mm_frame(m.s.mm, 2) + mm_frame(m.s.mm, 3), 0);
	assert_int_equal(get(&m, 2), 0);
	assert_int_equal(mm_get(other, 2), 9);
	assert_int_equal(mm_get(other, 3), 0);
	/* MADV_REMOVE is the same, from wherever it comes. */
	map_shared(other, 32, 8, MAP_SHARED, file, 0);
	assert_int_equal(put(&m, 3, 4), MM_FAULT_DONE);
	assert_int_equal(mm_get(other, 3), 4);
	assert_int_equal(mm_madvise(other, at(34), 2 * PAGE_SIZE, MADV_REMOVE), 0);
	assert_int_equal(get(&m, 3), 0);
	assert_int_equal(mm_get(other, 2), 9);
	assert_int_equal(mm_get(other, 3), 0);
	memory_validate(other);
	mmput(other);
	file_put(file);
	memory_close(&m);
}

/* By pages [first, end), by everyone; and not at all while somebody changes who maps the file. */
static void a_range_is_unmapped_or_not(void **state)
	__context_unsafe("takes a lock that it is not told of")
{
	struct address_space *mapping;
	struct memory m;
	struct file *file;

	memory_open(&m);
	file = open_file(&m, FILE_SHMEM, 8);
	mapping = file->mapping;
	map_shared(m.s.mm, 0, 4, MAP_SHARED, file, 2);
	map_shared(m.s.mm, 8, 8, MAP_SHARED, file, 0);
	for (unsigned long i = 0; i < 16; i++)
		assert_int_equal(get(&m, i), i < 4 || i >= 8 ? 0 : NO_BYTE(MAPERR));
	rwsem_write_lock(&mapping->i_mmap_lock);
	assert_false(unmap_mapping_range_try(mapping, 0, 8, UNMAP_SHARED));
	rwsem_write_unlock(&mapping->i_mmap_lock);
	assert_int_equal(mm_rss(m.s.mm), 12);
	unmap_mapping_range(mapping, 3, 3, UNMAP_SHARED);
	assert_int_equal(mm_rss(m.s.mm), 12);
	assert_true(unmap_mapping_range_try(mapping, 3, 5, UNMAP_SHARED));
	assert_int_equal(mm_rss(m.s.mm), 8);
	assert_int_equal(mm_frame(m.s.mm, 1) + mm_frame(m.s.mm, 2), 0);
	assert_int_equal(mm_frame(m.s.mm, 11) + mm_frame(m.s.mm, 12), 0);
	unmap_mapping_range(mapping, 0, ~0ul, UNMAP_COPIES);
	assert_int_equal(mm_rss(m.s.mm), 0);
	file_put(file);
	memory_close(&m);
}

/* -------------------------------------------------------------------- bits and pages -- */

static void what_is_used_and_written_is_known(void **state)
{
	struct mm_user *other;
	struct page *page;
	struct memory m;
	struct file *file;

	memory_open(&m);
	file = open_file(&m, FILE_SHMEM, 4);
	assert_int_equal(mm_create(m.s.v, &m.s.mm_config, &other), 0);
	map_shared(m.s.mm, 0, 4, MAP_SHARED, file, 0);
	map_shared(other, 8, 4, MAP_SHARED, file, 0);
	assert_int_equal(put(&m, 1, 1), MM_FAULT_DONE);
	assert_int_equal(mm_get(other, 9), 1);
	page = page_at(other, 9);
	page_get(page);
	page_lock(page);
	assert_int_equal(rmap_referenced(page, RMAP_WAIT), 2);
	assert_int_equal(rmap_referenced(page, RMAP_TRY), 0);
	assert_int_equal(rmap_mkclean(page), 1);
	assert_int_equal(rmap_mkclean(page), 0);
	assert_int_equal(mm_attrs(m.s.mm, 1) & (PT_WRITE | PT_DIRTY), 0);
	page_unlock(page);
	assert_int_equal(put(&m, 1, 2), MM_FAULT_DONE);
	page_lock(page);
	assert_int_equal(rmap_referenced(page, RMAP_WAIT), 1);
	assert_int_equal(rmap_mkclean(page), 1);
	page_unlock(page);
	page_put(page);
	mmput(other);
	file_put(file);
	memory_close(&m);
}

static void a_page_is_unmapped_everywhere(void **state)
{
	struct rmap_unmap how = { .leave = RMAP_LEAVE_NONE };
	struct page *page, *pinned;
	struct mm_user *child;
	struct memory m;
	struct store store;
	struct file *file;
	unsigned int level;

	memory_open(&m);
	file = open_file(&m, FILE_SHMEM, 4);
	map_shared(m.s.mm, 0, 4, MAP_SHARED, file, 0);
	map_shared(m.s.mm, 8, 4, MAP_PRIVATE, file, 0);
	assert_int_equal(put(&m, 1, 1), MM_FAULT_DONE);
	assert_int_equal(get(&m, 9), 1);
	page = page_at(m.s.mm, 1);
	page_get(page);
	page_lock(page);
	assert_int_equal(rmap_unmap(page, &how), 0);
	assert_int_equal(how.nr, 2);
	assert_true(how.dirty);
	page_unlock(page);
	page_put(page);
	assert_int_equal(mm_rss(m.s.mm), 0);
	assert_int_equal(get(&m, 9), 1);

	/* Anonymous, in two mms, to a swap entry. */
	assert_int_equal(space_map(&m.s, 16, 1, RW, ANON), 0);
	assert_int_equal(put(&m, 16, 7), MM_FAULT_DONE);
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	page = page_at(child, 16);
	page_get(page);
	page_lock(page);
	store_on(&store, m.s.v, 8, 0);
	how = (struct rmap_unmap){ .leave = RMAP_LEAVE_SWAP };
	assert_int_equal(swap_hold_page(m.s.v->swap, page, &how.swap_number), 0);
	assert_int_equal(rmap_unmap(page, &how), 0);
	assert_int_equal(how.nr, 2);
	page_unlock(page);
	assert_int_equal(pt_look(mm_from_user(child)->pgt, at(16), &level).raw,
			 pte_soft(PT_SOFT_SWAP, how.swap_number).raw);
	assert_int_equal(swap_users(m.s.v->swap, how.swap_number), 3);
	swap_put(m.s.v->swap, how.swap_number);
	page_put(page);
	mmput(child);
	assert_int_equal(space_unmap(&m.s, 16, 1), 0);
	store_off(&store, m.s.v);

	/* What is pinned stays. */
	assert_int_equal(space_map(&m.s, 20, 1, RW, ANON), 0);
	assert_int_equal(mm_pin_pages(m.s.mm, at(20), 1, MM_ACCESS_WRITE, &pinned), 1);
	page_lock(pinned);
	assert_int_equal(rmap_unmap(pinned, &how), -EBUSY);
	page_unlock(pinned);
	assert_ptr_equal(page_at(m.s.mm, 20), pinned);
	mm_unpin_pages(&pinned, 1);
	file_put(file);
	memory_close(&m);
}

/* ----------------------------------------------------------------------------- moving -- */

/* The page behind an address moves; 0 or -errno. */
static int migrate(struct mm_user *mm, unsigned long at_page)
{
	struct page *page = page_at(mm, at_page), *to;
	int err;

	page_get(page);
	to = page_alloc(page_arena(page), 0, PAGE_ANYTHING);
	assert_non_null(to);
	err = rmap_migrate(page, to);
	if (!err) {
		assert_ptr_equal(page_at(mm, at_page), to);
		assert_int_equal(page_refs(page), 1);
		assert_int_equal(page->mapcount, 0);
	} else {
		assert_ptr_equal(page_at(mm, at_page), page);
		assert_int_equal(page_refs(to), 1);
	}
	page_put(page);
	page_put(to);
	return err;
}

static void a_page_moves_under_all_who_map_it(void **state)
{
	struct mm_user *child;
	struct memory m;
	struct file *file;

	memory_open(&m);
	file = open_file(&m, FILE_SHMEM, 4);
	map_shared(m.s.mm, 0, 4, MAP_SHARED, file, 0);
	map_shared(m.s.mm, 8, 4, MAP_PRIVATE, file, 0);
	assert_int_equal(space_map(&m.s, 16, 4, RW, ANON), 0);
	assert_int_equal(put(&m, 1, 5), MM_FAULT_DONE);
	assert_int_equal(get(&m, 9), 5);
	assert_int_equal(put(&m, 16, 6), MM_FAULT_DONE);
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	assert_int_equal(put(&m, 17, 7), MM_FAULT_DONE);
	assert_int_equal(mm_get(child, 1), 5);
	for (int i = 0; i < MIGRATIONS; i++) {
		/* A file's, mapped three times; anonymous, shared by a fork; exclusive. */
		assert_int_equal(migrate(child, 1), 0);
		assert_int_equal(migrate(child, 16), 0);
		assert_int_equal(migrate(m.s.mm, 17), 0);
		assert_int_equal(mm_frame(child, 1), mm_frame(m.s.mm, 9));
		assert_int_equal(mm_frame(child, 16), mm_frame(m.s.mm, 16));
		assert_int_equal(mm_get(child, 1), 5);
		assert_int_equal(get(&m, 16), 6);
		assert_int_equal(get(&m, 17), 7);
		memory_validate(m.s.mm);
		memory_validate(child);
	}
	/* Nothing was lost of what entries allow, nor of who must copy. */
	assert_true(mm_attrs(m.s.mm, 17) & PT_WRITE);
	assert_true(mm_attrs(m.s.mm, 17) & PT_DIRTY);
	assert_true(mm_attrs(m.s.mm, 1) & PT_WRITE);
	assert_int_equal(mm_put(child, 16, 8), MM_FAULT_DONE);
	assert_int_equal(get(&m, 16), 6);
	assert_int_equal(put(&m, 1, 9), MM_FAULT_DONE);
	assert_int_equal(mm_get(child, 1), 9);
	assert_int_equal(get(&m, 9), 9);
	mmput(child);
	file_put(file);
	memory_close(&m);
}

/* Somebody holds it: not now, and nothing has changed. */
static void a_page_in_use_does_not_move(void **state)
{
	struct page *page, *pinned;
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 2, RW, ANON), 0);
	assert_int_equal(put(&m, 0, 3), MM_FAULT_DONE);
	page = gup_fast(mm_from_user(m.s.mm)->pgt, at(0), PT_READ);
	assert_non_null(page);
	assert_int_equal(migrate(m.s.mm, 0), -EAGAIN);
	assert_true(mm_attrs(m.s.mm, 0) & PT_WRITE);
	memory_validate(m.s.mm);
	page_put(page);
	assert_int_equal(mm_pin_pages(m.s.mm, at(0), 1, MM_ACCESS_WRITE, &pinned), 1);
	assert_int_equal(migrate(m.s.mm, 0), -EBUSY);
	memory_validate(m.s.mm);
	mm_unpin_pages(&pinned, 1);
	assert_int_equal(migrate(m.s.mm, 0), 0);
	assert_int_equal(get(&m, 0), 3);
	memory_close(&m);
}

/* ----------------------------------------------------------------------------- blocks -- */

#define HUGE	512ul			/* pages in 2 MiB */

static void open_with_leaves(struct memory *m, unsigned long nr)
{
	memory_open(m);
	assert_int_equal(space_map(&m->s, 0, nr * HUGE, RW, ANON), 0);
	assert_int_equal(mm_madvise(m->s.mm, at(0), nr * HUGE * PAGE_SIZE, MADV_HUGEPAGE), 0);
	for (unsigned long i = 0; i < nr; i++)
		assert_int_equal(put(m, i * HUGE, 1), MM_FAULT_DONE);
	assert_int_equal(mm_leaves(m->s.mm), nr);
}

/* Every page of both is found, as one of a leaf or by itself; and each knows its place. */
static void assert_all_found(struct mm_user *mm, struct mm_user *child)
{
	static struct scan all;
	char why[160] = "";

	all.nr = 0;
	scan_mm(&all, mm);
	if (child)
		scan_mm(&all, child);
	scan_sort(&all);
	scan_check(&all);
	if (vmarea_validate(mm_from_user(mm)->instance, why, sizeof(why)))
		fail_msg("%s", why);
}

static void a_block_is_found_whole_and_in_pieces(void **state)
{
	struct mm_user *child;
	struct memory m;

	open_with_leaves(&m, 3);
	assert_all_found(m.s.mm, NULL);
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	assert_all_found(m.s.mm, child);
	/* Split by a copy, by a bound, by a hole; it stays a block, or comes apart. */
	assert_int_equal(mm_put(child, 7, 2), MM_FAULT_DONE);
	assert_int_equal(mm_mprotect(m.s.mm, at(HUGE + 3), 5 * PAGE_SIZE, PROT_READ), 0);
	assert_int_equal(mm_madvise(child, at(2 * HUGE + 9), PAGE_SIZE, MADV_DONTNEED), 0);
	assert_int_equal(mm_leaves(m.s.mm) + mm_leaves(child), 3);
	assert_all_found(m.s.mm, child);
	/* Moved, by a leaf and by pieces. */
	assert_int_equal(mm_mremap(m.s.mm, at(2 * HUGE), HUGE * PAGE_SIZE, HUGE * PAGE_SIZE,
				   MREMAP_MAYMOVE | MREMAP_FIXED, at(8 * HUGE)), at(8 * HUGE));
	assert_int_equal(mm_mremap(child, at(0), HUGE * PAGE_SIZE, HUGE * PAGE_SIZE,
				   MREMAP_MAYMOVE | MREMAP_FIXED, at(10 * HUGE + 1)),
			 at(10 * HUGE + 1));
	assert_all_found(m.s.mm, child);
	mmput(child);
	assert_int_equal(put(&m, 7, 3), MM_FAULT_DONE);
	assert_all_found(m.s.mm, NULL);
	/* 512 pages become a block again. */
	assert_int_equal(mm_madvise(m.s.mm, at(0), HUGE * PAGE_SIZE, MADV_COLLAPSE), 0);
	assert_int_equal(get(&m, 7), 3);
	assert_all_found(m.s.mm, NULL);
	memory_close(&m);
}

/* Who was the last to have it: the block is that area's own from then on. */
static void a_block_that_is_left_is_found_by_one_look(void **state)
{
	struct rmap_walk walk = { .fn = scan_found };
	static struct scan found;
	struct mm_user *child;
	struct memory m;

	open_with_leaves(&m, 1);
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	assert_int_equal(space_unmap(&m.s, 0, HUGE), 0);
	assert_int_equal(mm_put(child, 9, 4), MM_FAULT_DONE);
	assert_int_equal(mm_leaves(child), 1);
	walk.page = page_at(child, 0) + 9;
	walk.arg = &found;
	assert_int_equal(rmap_walk(&walk), 0);
	assert_int_equal(walk.nr_entries, 1);
	assert_int_equal(walk.nr_areas, 1);
	assert_int_equal(found.at[0].addr, at(9));
	assert_all_found(m.s.mm, child);
	mmput(child);
	memory_close(&m);
}

/* Leaves are split for it, and the other 511 stay. */
static void a_page_of_a_block_is_unmapped_alone(void **state)
{
	struct rmap_unmap how = { .leave = RMAP_LEAVE_SWAP };
	struct mm_user *child;
	struct page *head;
	struct memory m;
	struct page *holder;
	struct store store;
	unsigned int level;

	open_with_leaves(&m, 1);
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	/* A slot, by way of a page that nobody maps. */
	store_on(&store, m.s.v, 8, 0);
	holder = page_alloc(m.s.v->arena, 0, PAGE_ANYTHING);
	page_lock(holder);
	assert_int_equal(swap_hold_page(m.s.v->swap, holder, &how.swap_number), 0);
	page_unlock(holder);
	head = page_at(m.s.mm, 0);
	page_get(head);
	page_lock(head);
	assert_int_equal(rmap_referenced(head + 3, RMAP_WAIT), 1);
	assert_int_equal(mm_leaves(m.s.mm) + mm_leaves(child), 2);
	assert_int_equal(rmap_unmap(head + 3, &how), 0);
	assert_int_equal(how.nr, 2);
	page_unlock(head);
	assert_int_equal(page_mapcount(head + 3), 0);
	assert_int_equal(mm_leaves(m.s.mm) + mm_leaves(child), 0);
	assert_int_equal(pt_look(mm_from_user(child)->pgt, at(3), &level).raw,
			 pte_soft(PT_SOFT_SWAP, how.swap_number).raw);
	for (unsigned long i = 0; i < HUGE; i++) {
		if (i != 3)
			assert_int_equal(mm_get(child, i), get(&m, i));
	}
	page_put(head);
	assert_int_equal(space_unmap(&m.s, 3, 1), 0);
	assert_int_equal(mm_munmap(child, at(3), PAGE_SIZE), 0);
	swap_put(m.s.v->swap, how.swap_number);
	page_put(holder);
	store_off(&store, m.s.v);
	assert_all_found(m.s.mm, child);
	mmput(child);
	memory_close(&m);
}

/* A block does not move; what has come apart does, and then others hold it. */
static void pages_of_a_block_move_when_it_is_apart(void **state)
{
	struct page *page;
	struct memory m;

	open_with_leaves(&m, 1);
	assert_int_equal(migrate(m.s.mm, 0), -EBUSY);
	assert_int_equal(mm_leaves(m.s.mm), 1);
	assert_int_equal(mm_madvise(m.s.mm, at(0), PAGE_SIZE, MADV_DONTNEED), 0);
	assert_int_equal(migrate(m.s.mm, 1), 0);
	assert_all_found(m.s.mm, NULL);
	/* Who looks for a page holds it, so it is not collapsed meanwhile. */
	page = page_at(m.s.mm, 1);
	page_get(page);
	assert_int_equal(mm_madvise(m.s.mm, at(0), HUGE * PAGE_SIZE, MADV_COLLAPSE), -EAGAIN);
	page_put(page);
	assert_all_found(m.s.mm, NULL);
	memory_close(&m);
}

/* A fork gives the child a page of its own of what is pinned: found by the child's area. */
static void what_a_fork_copies_of_a_block_is_found(void **state)
{
	struct mm_user *child;
	struct page *pinned;
	struct memory m;

	open_with_leaves(&m, 1);
	assert_int_equal(mm_pin_pages(m.s.mm, at(77), 1, MM_ACCESS_WRITE, &pinned), 1);
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	assert_all_found(m.s.mm, child);
	mm_unpin_pages(&pinned, 1);
	mmput(child);
	memory_close(&m);
}

/* ------------------------------------------------------------------------------- cost -- */

#define CHILDREN	10000u

static bool count_it(struct rmap_walk *walk, struct pt_slot *slot)
{
	return true;
}

static unsigned long areas_looked_at(struct page *page, unsigned long nr_expected)
{
	struct rmap_walk walk = { .page = page, .fn = count_it };

	assert_int_equal(rmap_walk(&walk), 0);
	assert_int_equal(walk.nr_entries, nr_expected);
	return walk.nr_areas;
}

static void move_to(struct page *page, struct page *to)
{
	page_get(page);
	assert_int_equal(rmap_migrate(page, to), 0);
	page_put(page);
}

/*
 * One process forks 10,000 times, and writes a new page now and then, so that the last k children
 * have it.  To take it out of all tables, or to move it, k + 1 areas are looked at; and for a page
 * that is a child's alone one.
 */
static void cost_is_by_who_has_the_page(void **state)
{
	static const unsigned int nr_sharing[] = { CHILDREN, 1000, 100, 10, 1, 0 };
	struct mm_user **children = calloc(CHILDREN, sizeof(children[0]));
	struct memory m;

	assert_non_null(children);
	memory_open_with(&m, 512ul << 20);
	assert_int_equal(space_map(&m.s, 0, 8, RW, ANON), 0);
	for (unsigned int i = 0, next = 0; i <= CHILDREN; i++) {
		if (next < ARRAY_SIZE(nr_sharing) && i == CHILDREN - nr_sharing[next])
			assert_int_equal(put(&m, next++, 1), MM_FAULT_DONE);
		if (i < CHILDREN)
			assert_int_equal(mm_fork(m.s.mm, &children[i]), 0);
	}
	for (unsigned long i = 0; i < ARRAY_SIZE(nr_sharing); i++) {
		struct page *to = page_alloc(m.s.v->arena, 0, PAGE_ANYTHING);
		unsigned long k = nr_sharing[i], nr;

		nr = areas_looked_at(page_at(m.s.mm, i), k + 1);
		print_message("shared by %lu of %u children: %lu areas looked at\n", k, CHILDREN, nr);
		assert_int_equal(nr, k + 1);
		assert_non_null(to);
		move_to(page_at(m.s.mm, i), to);
		assert_int_equal(page_mapcount(to), k + 1);
		page_put(to);
	}
	assert_int_equal(mm_put(children[77], 7, 1), MM_FAULT_DONE);
	assert_int_equal(areas_looked_at(page_at(children[77], 7), 1), 1);
	/* One that its area has taken as its own, when it was the last to have it. */
	assert_int_equal(mm_put(children[9995], 3, 2), MM_FAULT_DONE);
	assert_int_equal(areas_looked_at(page_at(children[9995], 3), 1), 1);
	assert_true(areas_looked_at(page_at(m.s.mm, 3), 10) <= 11);
	for (unsigned int i = 0; i < CHILDREN; i++)
		mmput(children[i]);
	free(children);
	memory_close(&m);
}

/* Fork, exit, fork: what is looked at, and each area's chain, does not grow. */
static void chains_stay_short(void **state)
{
	struct mm_user *mm, *child;
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 2, RW, ANON), 0);
	assert_int_equal(put(&m, 0, 1), MM_FAULT_DONE);
	mm = mmget(m.s.mm);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(mm_fork(mm, &child), 0);
		mmput(mm);
		mm = child;
		assert_int_equal(mm_put(mm, 1, (unsigned char)i), MM_FAULT_DONE);
	}
	assert_true(areas_looked_at(page_at(mm, 0), 2) <= 2);
	assert_int_equal(areas_looked_at(page_at(mm, 1), 1), 1);
	memory_validate(mm);
	mmput(mm);
	memory_close(&m);
}

/* ---------------------------------------------------------------------------- walkers -- */

static void assert_walker_says(const struct memory *m, const char *expected)
{
	char why[160] = "";

	assert_int_equal(vmarea_validate(m->s.v, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, expected));
}

/* Breaks @what, has it found, and mends it. */
#define assert_found(what, broken, expected)					\
	do {									\
		__typeof__(what) __was = (what);				\
		(what) = (broken);						\
		assert_walker_says(&m, expected);				\
		(what) = __was;							\
		memory_validate(m.s.mm);					\
	} while (0)

static void what_cannot_be_found_is_noticed(void **state)
	__context_unsafe("there is no other thread")
{
	struct vm_area_struct *vma, *anon;
	char why[160] = "";
	struct page *page;
	struct memory m;
	struct file *file;

	memory_open(&m);
	file = open_file(&m, 0, 4);
	map_shared(m.s.mm, 0, 4, MAP_SHARED, file, 0);
	map_shared(m.s.mm, 8, 2, MAP_SHARED, file, 1);
	assert_int_equal(space_map(&m.s, 16, 2, RW, ANON), 0);
	assert_int_equal(put(&m, 1, 1), MM_FAULT_DONE);
	assert_int_equal(put(&m, 16, 1), MM_FAULT_DONE);
	vma = vma_at(mm_from_user(m.s.mm), at(0));
	anon = vma_at(mm_from_user(m.s.mm), at(16));
	assert_found(vma->file_place.last, 9, "cannot be found from its pages");
	assert_found(vma->file_place.inside, false, "cannot be found from its pages");
	assert_found(vma->anon_place.inside, true, "cannot be found from its pages");
	assert_found(anon->anon_place.first, anon->anon_place.first - 1,
		     "cannot be found from its pages");
	assert_found(anon->file_place.inside, true, "cannot be found from its pages");
	page = page_at(m.s.mm, 1);
	assert_found(page->index, 2, "a page that cannot be found from its frame");
	assert_found(page->mapping, NULL, "a page that cannot be found from its frame");
	page = page_at(m.s.mm, 16);
	assert_found(page->index, 2, "a page that cannot be found from its frame");
	assert_found(page->mapping, file->mapping, "a page that cannot be found from its frame");
	file->mapping->i_mmap.nr++;
	assert_int_equal(vmarea_validate(m.s.v, why, sizeof(why)), -EINVAL);
	file->mapping->i_mmap.nr--;
	assert_int_equal(vmarea_validate(m.s.v, why, sizeof(why)), 0);
	file_put(file);
	memory_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_that_shrinks_takes_its_pages_back),
		cmocka_unit_test(a_hole_leaves_copies),
		cmocka_unit_test(a_range_is_unmapped_or_not),
		cmocka_unit_test(what_is_used_and_written_is_known),
		cmocka_unit_test(a_page_is_unmapped_everywhere),
		cmocka_unit_test(a_page_moves_under_all_who_map_it),
		cmocka_unit_test(a_page_in_use_does_not_move),
		cmocka_unit_test(a_block_is_found_whole_and_in_pieces),
		cmocka_unit_test(a_block_that_is_left_is_found_by_one_look),
		cmocka_unit_test(a_page_of_a_block_is_unmapped_alone),
		cmocka_unit_test(pages_of_a_block_move_when_it_is_apart),
		cmocka_unit_test(what_a_fork_copies_of_a_block_is_found),
		cmocka_unit_test(cost_is_by_who_has_the_page),
		cmocka_unit_test(chains_stay_short),
		cmocka_unit_test(what_cannot_be_found_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
