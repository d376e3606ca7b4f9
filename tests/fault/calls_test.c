/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What memory calls do to pages, as LINUX.md has it and the manual pages say. */
#include "memory.h"

static struct mm_user *fork_of(struct memory *m)
{
	struct mm_user *child;

	assert_int_equal(mm_fork(m->s.mm, &child), 0);
	memory_validate(m->s.mm);
	memory_validate(child);
	return child;
}

/* --------------------------------------------------------------------------------- fork -- */

static void fork_shares_until_a_write(void **state)
{
	struct mm_user *child;
	unsigned long frame;
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 4, RW, ANON), 0);
	assert_int_equal(put(&m, 1, 1), MM_FAULT_DONE);
	frame = mm_frame(m.s.mm, 1);
	child = fork_of(&m);
	assert_int_equal(mm_frame(child, 1), frame);
	assert_int_equal(mm_rss(child), 1);
	assert_int_equal(mm_put(child, 1, 2), MM_FAULT_DONE);
	assert_int_not_equal(mm_frame(child, 1), frame);
	assert_int_equal(get(&m, 1), 1);
	assert_int_equal(mm_get(child, 1), 2);
	/* The parent is alone with it now, and has it back. */
	assert_int_equal(put(&m, 1, 3), MM_FAULT_DONE);
	assert_int_equal(mm_frame(m.s.mm, 1), frame);
	assert_int_equal(mm_get(child, 1), 2);
	memory_validate(child);
	mmput(child);
	memory_close(&m);
}

static void the_last_of_a_fork_has_the_page_back(void **state)
{
	struct mm_user *child;
	unsigned long frame;
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 1, RW, ANON), 0);
	assert_int_equal(put(&m, 0, 1), MM_FAULT_DONE);
	frame = mm_frame(m.s.mm, 0);
	child = fork_of(&m);
	assert_false(mm_attrs(m.s.mm, 0) & PT_WRITE);
	mmput(child);
	assert_int_equal(put(&m, 0, 2), MM_FAULT_DONE);
	assert_int_equal(mm_frame(m.s.mm, 0), frame);
	memory_close(&m);
}

static void fork_wipes_and_leaves_out(void **state)
{
	struct mm_user *child;
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 3, RW, ANON), 0);
	for (unsigned long i = 0; i < 3; i++)
		assert_int_equal(put(&m, i, 1), MM_FAULT_DONE);
	assert_int_equal(mm_madvise(m.s.mm, at(0), 4096, MADV_WIPEONFORK), 0);
	assert_int_equal(mm_madvise(m.s.mm, at(1), 4096, MADV_DONTFORK), 0);
	child = fork_of(&m);
	assert_int_equal(mm_get(child, 0), 0);
	assert_int_equal(mm_get(child, 1), NO_BYTE(MAPERR));
	assert_int_equal(mm_get(child, 2), 1);
	assert_int_equal(get(&m, 0), 1);
	mmput(child);
	memory_close(&m);
}

static void a_pinned_page_is_copied_by_the_fork(void **state)
{
	struct mm_translation t;
	struct mm_user *child;
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 3, RW, ANON), 0);
	for (unsigned long i = 0; i < 3; i++)
		assert_int_equal(put(&m, i, 1), MM_FAULT_DONE);
	assert_int_equal(mm_translate(m.s.mm, byte_at(1), MM_ACCESS_WRITE, &t), MM_FAULT_DONE);
	child = fork_of(&m);
	/* What is written by the frame is the parent's, whatever the parent does meanwhile. */
	*(char *)t.bytes = 9;
	assert_int_equal(get(&m, 1), 9);
	assert_int_equal(mm_get(child, 1), 1);
	assert_int_equal(put(&m, 1, 10), MM_FAULT_DONE);
	assert_int_equal(*(char *)t.bytes, 10);
	assert_int_equal(mm_frame(child, 0), mm_frame(m.s.mm, 0));
	assert_int_not_equal(mm_frame(child, 1), mm_frame(m.s.mm, 1));
	mm_translation_put(&t);
	mmput(child);
	memory_close(&m);
}

/* As Linux: process_vm_readv() pins what it reads, a debugger does not. */
static void only_a_pin_for_reading_parts_a_page(void **state)
{
	struct mm_user *child;
	enum mm_fault fault;
	unsigned char c;
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 2, RW, ANON), 0);
	assert_int_equal(put(&m, 0, 1), MM_FAULT_DONE);
	child = fork_of(&m);
	assert_int_equal(mm_access(child, byte_at(0), &c, 1, MM_REMOTE_FORCED, &fault), 1);
	assert_int_equal(c, 1);
	assert_int_equal(mm_get(child, 0), 1);
	assert_int_equal(mm_frame(child, 0), mm_frame(m.s.mm, 0));
	assert_int_equal(mm_access(child, byte_at(0), &c, 1, 0, &fault), 1);
	assert_int_equal(c, 1);
	assert_int_not_equal(mm_frame(child, 0), mm_frame(m.s.mm, 0));
	memory_validate(child);
	mmput(child);
	memory_close(&m);
}

static void a_pin_for_reading_is_of_an_own_page(void **state)
{
	struct mm_translation t;
	struct mm_user *child;
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 2, RW, ANON), 0);
	assert_int_equal(put(&m, 0, 1), MM_FAULT_DONE);
	child = fork_of(&m);
	assert_int_equal(mm_translate(m.s.mm, byte_at(0), MM_ACCESS_READ, &t), MM_FAULT_DONE);
	assert_int_not_equal(mm_frame(child, 0), t.frame);
	assert_int_equal(put(&m, 0, 2), MM_FAULT_DONE);
	assert_int_equal(*(char *)t.bytes, 2);
	assert_int_equal(mm_get(child, 0), 1);
	mm_translation_put(&t);
	mmput(child);
	memory_close(&m);
}

static void mprotect_does_not_part_a_pin_from_its_page(void **state)
{
	struct mm_translation t;
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 1, RW, ANON), 0);
	assert_int_equal(mm_translate(m.s.mm, byte_at(0), MM_ACCESS_WRITE, &t), MM_FAULT_DONE);
	assert_int_equal(mm_mprotect(m.s.mm, at(0), 4096, PROT_READ), 0);
	assert_int_equal(mm_mprotect(m.s.mm, at(0), 4096, RW), 0);
	assert_int_equal(put(&m, 0, 5), MM_FAULT_DONE);
	assert_int_equal(*(char *)t.bytes, 5);
	mm_translation_put(&t);
	memory_close(&m);
}

/* ----------------------------------------------------------------------------- mprotect -- */

static void mprotect_changes_entries(void **state)
{
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 4, RW, ANON), 0);
	for (unsigned long i = 0; i < 3; i++)
		assert_int_equal(put(&m, i, 7), MM_FAULT_DONE);
	assert_int_equal(mm_mprotect(m.s.mm, at(1), 4096, PROT_READ), 0);
	assert_int_equal(put(&m, 1, 8), MM_FAULT_ACCERR);
	assert_int_equal(get(&m, 1), 7);
	assert_int_equal(mm_mprotect(m.s.mm, at(1), 4096, PROT_NONE), 0);
	assert_int_equal(get(&m, 1), NO_BYTE(ACCERR));
	memory_validate(m.s.mm);
	assert_int_equal(mm_rss(m.s.mm), 3);
	assert_int_equal(mm_mprotect(m.s.mm, at(0), 4 * 4096, RW), 0);
	assert_false(mm_attrs(m.s.mm, 1) & PT_WRITE);
	assert_int_equal(get(&m, 1), 7);
	assert_int_equal(put(&m, 1, 8), MM_FAULT_DONE);
	assert_int_equal(get(&m, 1), 8);
	memory_close(&m);
}

/* ------------------------------------------------------------------------------- mremap -- */

static void mremap_moves_pages(void **state)
{
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 2048, RW, ANON), 0);
	for (unsigned long i = 0; i < 2048; i += 3)
		assert_int_equal(put(&m, i, (unsigned char)i), MM_FAULT_DONE);
	/* Whole tables, then pieces. */
	assert_int_equal(mm_mremap(m.s.mm, at(0), 2048 * 4096, 2048 * 4096,
				   MREMAP_MAYMOVE | MREMAP_FIXED, at(8192)), at(8192));
	memory_validate(m.s.mm);
	assert_int_equal(mm_mremap(m.s.mm, at(8192), 2048 * 4096, 2049 * 4096,
				   MREMAP_MAYMOVE | MREMAP_FIXED, at(20001)), at(20001));
	for (unsigned long i = 0; i < 2048; i++)
		assert_int_equal(get(&m, 20001 + i), i % 3 ? 0 : (unsigned char)i);
	assert_int_equal(get(&m, 20001 + 2048), 0);
	assert_int_equal(get(&m, 8192), NO_BYTE(MAPERR));
	assert_int_equal(mm_mremap(m.s.mm, at(20001), 4096 * 2049, 4096 * 5, 0, 0), at(20001));
	assert_int_equal(mm_rss(m.s.mm), 2);
	memory_close(&m);
}

static void mremap_dontunmap_leaves_an_empty_area(void **state)
{
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 4, RW, ANON), 0);
	assert_int_equal(put(&m, 2, 2), MM_FAULT_DONE);
	assert_int_equal(mm_mremap(m.s.mm, at(0), 4 * 4096, 4 * 4096,
				   MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, at(16)),
			 at(16));
	assert_int_equal(get(&m, 2), 0);
	assert_int_equal(get(&m, 18), 2);
	memory_close(&m);
}

/* ------------------------------------------------------------------------------ madvise -- */

static long advise(struct memory *m, unsigned long page, unsigned long nr, int advice)
{
	return mm_madvise(m->s.mm, at(page), nr * 4096, advice);
}

static void dontneed_makes_zeros(void **state)
{
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 4, RW, ANON), 0);
	for (unsigned long i = 0; i < 4; i++)
		assert_int_equal(put(&m, i, 7), MM_FAULT_DONE);
	assert_int_equal(advise(&m, 1, 2, MADV_DONTNEED), 0);
	assert_int_equal(mm_rss(m.s.mm), 2);
	assert_int_equal(get(&m, 0), 7);
	assert_int_equal(get(&m, 1), 0);
	assert_int_equal(get(&m, 3), 7);
	memory_close(&m);
}

static void free_and_cold_keep_the_bytes(void **state)
{
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 2, RW, ANON), 0);
	assert_int_equal(put(&m, 0, 7), MM_FAULT_DONE);
	assert_int_equal(put(&m, 1, 7), MM_FAULT_DONE);
	assert_int_equal(advise(&m, 0, 1, MADV_FREE), 0);
	assert_false(mm_attrs(m.s.mm, 0) & (PT_DIRTY | PT_ACCESSED));
	assert_int_equal(advise(&m, 1, 1, MADV_COLD), 0);
	assert_int_equal(mm_attrs(m.s.mm, 1) & (PT_DIRTY | PT_ACCESSED), PT_DIRTY);
	assert_int_equal(get(&m, 0), 7);
	assert_int_equal(put(&m, 0, 8), MM_FAULT_DONE);
	assert_int_equal(mm_attrs(m.s.mm, 0) & (PT_DIRTY | PT_ACCESSED), PT_DIRTY | PT_ACCESSED);
	assert_int_equal(get(&m, 1), 7);
	memory_close(&m);
}

static void guards_are_holes_that_stay(void **state)
{
	struct mm_user *child;
	unsigned char vec[4];
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 4, RW, ANON), 0);
	for (unsigned long i = 0; i < 4; i++)
		assert_int_equal(put(&m, i, 7), MM_FAULT_DONE);
	assert_int_equal(advise(&m, 1, 2, MADV_GUARD_INSTALL), 0);
	memory_validate(m.s.mm);
	assert_int_equal(put(&m, 1, 1), MM_FAULT_MAPERR);
	assert_int_equal(get(&m, 2), NO_BYTE(MAPERR));
	assert_int_equal(get(&m, 3), 7);
	assert_int_equal(mm_mincore(m.s.mm, at(0), 4 * 4096, vec), 0);
	assert_memory_equal(vec, "\1\0\0\1", 4);
	assert_int_equal(advise(&m, 0, 4, MADV_DONTNEED), 0);
	assert_int_equal(advise(&m, 0, 4, MADV_POPULATE_WRITE), -EFAULT);
	assert_int_equal(get(&m, 2), NO_BYTE(MAPERR));
	child = fork_of(&m);
	assert_int_equal(mm_get(child, 1), NO_BYTE(MAPERR));
	mmput(child);
	assert_int_equal(mm_mprotect(m.s.mm, at(0), 4 * 4096, PROT_READ), 0);
	assert_int_equal(get(&m, 1), NO_BYTE(MAPERR));
	assert_int_equal(advise(&m, 1, 1, MADV_GUARD_REMOVE), 0);
	assert_int_equal(get(&m, 1), 0);
	assert_int_equal(get(&m, 2), NO_BYTE(MAPERR));
	memory_close(&m);
}

static void populating_is_for_real(void **state)
{
	unsigned char vec[8];
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 8, RW, ANON), 0);
	assert_int_equal(advise(&m, 0, 2, MADV_POPULATE_READ), 0);
	assert_int_equal(mm_rss(m.s.mm), 0);
	assert_int_equal(advise(&m, 2, 2, MADV_POPULATE_WRITE), 0);
	assert_int_equal(mm_rss(m.s.mm), 2);
	assert_int_equal(mm_mlock(m.s.mm, at(4), 4096), 0);
	assert_int_equal(mm_rss(m.s.mm), 3);
	assert_int_equal(mm_mincore(m.s.mm, at(0), 8 * 4096, vec), 0);
	assert_memory_equal(vec, "\1\1\1\1\1\0\0\0", 8);
	assert_int_equal(space_map(&m.s, 16, 4, RW, ANON | MAP_POPULATE), 0);
	assert_int_equal(space_map(&m.s, 32, 4, PROT_READ, ANON | MAP_LOCKED), 0);
	assert_int_equal(mm_rss(m.s.mm), 7);
	assert_int_equal(mm_mlockall(m.s.mm, MCL_CURRENT), 0);
	assert_int_equal(mm_rss(m.s.mm), 12);
	memory_close(&m);
}

/* ------------------------------------------------------------------------------ drivers -- */

static int mixed_mmap(struct file *file, struct vma_new *vma) __in_mmap_hook;
static int mixed_mmap(struct file *file, struct vma_new *vma)
{
	vma_set_mixedmap(vma);
	return 0;
}

static const struct file_operations mixed_ops = { .owner = "test", .mmap = mixed_mmap };

static int insert(struct memory *m, unsigned long page, struct page *frame)
{
	struct mmap_read *lock = mmap_read_lock(m->s.mm);
	struct vma_ref *vma = vma_lookup(lock, at(page));
	int err = vm_insert_page(vma_as_mixedmap(vma), at(page), frame);

	mmap_read_unlock(lock);
	return err;
}

static void drivers_pages_are_seen_and_zapped(void **state)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .ops = &mixed_ops, .name = "/dev/mixed",
		.flags = FILE_READ | FILE_WRITE,
	};
	struct mm_user *child;
	struct page *frame;
	struct file *file;
	struct memory m;

	memory_open(&m);
	assert_int_equal(file_create(m.s.v, &desc, &file), 0);
	assert_int_equal(space_map_file(&m.s, 0, 4, RW, MAP_SHARED, file, 0), 0);
	assert_int_equal(space_map_file(&m.s, 8, 4, RW, MAP_PRIVATE, file, 0), 0);
	file_put(file);
	frame = alloc_page(m.s.v);
	assert_int_equal(get(&m, 1), NO_BYTE(BUS));
	assert_int_equal(insert(&m, 1, frame), 0);
	assert_int_equal(insert(&m, 1, frame), -EBUSY);
	assert_int_equal(insert(&m, 9, frame), 0);
	assert_int_equal(put(&m, 1, 4), MM_FAULT_DONE);
	assert_int_equal(((char *)page_address(frame))[123], 4);
	assert_int_equal(get(&m, 9), 4);
	/* Private: a copy. */
	assert_int_equal(put(&m, 9, 5), MM_FAULT_DONE);
	assert_int_equal(get(&m, 1), 4);
	child = fork_of(&m);
	assert_int_equal(mm_put(child, 1, 6), MM_FAULT_DONE);
	assert_int_equal(get(&m, 1), 6);
	mmput(child);
	{
		struct mmap_read *lock = mmap_read_lock(m.s.mm);
		struct vma_ref *vma = vma_lookup(lock, at(0));

		zap_vma_range(vma, at(0), 4 * 4096);
		mmap_read_unlock(lock);
	}
	assert_int_equal(get(&m, 1), NO_BYTE(BUS));
	assert_int_equal(page_refs(frame), 1);
	__free_page(frame);
	memory_close(&m);
}

static unsigned int in_core(struct memory *m, unsigned long page, unsigned int nr)
{
	unsigned char vec[16];
	unsigned int sum = 0;

	assert_int_equal(mm_mincore(m->s.mm, at(page), nr * 4096ul, vec), 0);
	for (unsigned int i = 0; i < nr; i++)
		sum += vec[i] & 1;
	return sum;
}

/* As mmap() does, so do the others that map: shmat() and remap_file_pages(). */
static void what_is_mapped_locked_is_filled(void **state)
{
	struct file_desc desc = { .size = sizeof(desc), .name = "/SYSV00000000",
		.flags = FILE_READ | FILE_WRITE | FILE_SHMEM, .size_bytes = 4 * 4096 };
	struct file *segment;
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 4, RW, MAP_SHARED | MAP_ANONYMOUS), 0);
	assert_int_equal(mm_mlock(m.s.mm, at(0), 4096), 0);
	assert_int_equal(in_core(&m, 0, 4), 1);
	assert_int_equal(mm_remap_file_pages(m.s.mm, at(0), 4096, 0, 2, MAP_NONBLOCK), 0);
	assert_int_equal(in_core(&m, 0, 4), 2);
	assert_int_equal(mm_remap_file_pages(m.s.mm, at(1), 4096, 0, 3, MAP_NONBLOCK), 0);
	assert_int_equal(in_core(&m, 0, 4), 2);
	assert_int_equal(file_create(m.s.v, &desc, &segment), 0);
	assert_int_equal(mm_mlockall(m.s.mm, MCL_FUTURE), 0);
	assert_int_equal(mm_shmat(m.s.mm, segment, at(16), 0), (long)at(16));
	assert_int_equal(in_core(&m, 16, 4), 4);
	file_put(segment);
	memory_close(&m);
}

/* ---------------------------------------------------------------------------------- pins -- */

static void pins_have_an_end(void **state)
{
	const u32 most = 1u << 30;
	struct mm_translation where;
	struct page *zeros, *page;
	struct memory m;
	u32 others;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 2, RW, ANON), 0);
	assert_int_equal(mm_pin_pages(m.s.mm, at(0), 1, MM_ACCESS_READ, &zeros), 1);
	/* As if somebody had pinned gigabytes of what was never written to. */
	others = most - page_refs(zeros);
	page_get_many(zeros, others);
	assert_int_equal(mm_pin_pages(m.s.mm, at(1), 1, MM_ACCESS_READ, &page), -ENOMEM);
	assert_int_equal(mm_pin_pages(m.s.mm, at(1), 1, MM_ACCESS_READ, &page), -ENOMEM);
	assert_int_equal(mm_translate(m.s.mm, at(0), MM_ACCESS_READ, &where), MM_FAULT_OOM);
	assert_int_equal(page_refs(zeros), most);
	assert_int_equal(get(&m, 1), 0);
	assert_int_equal(mm_pin_pages(m.s.mm, at(1), 1, MM_ACCESS_WRITE, &page), 1);
	mm_unpin_pages(&page, 1);
	page_put_many(zeros, others);
	assert_int_equal(mm_pin_pages(m.s.mm, at(0), 1, MM_ACCESS_READ, &page), 1);
	mm_unpin_pages(&page, 1);
	mm_unpin_pages(&zeros, 1);
	memory_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pins_have_an_end),
		cmocka_unit_test(fork_shares_until_a_write),
		cmocka_unit_test(the_last_of_a_fork_has_the_page_back),
		cmocka_unit_test(fork_wipes_and_leaves_out),
		cmocka_unit_test(a_pinned_page_is_copied_by_the_fork),
		cmocka_unit_test(only_a_pin_for_reading_parts_a_page),
		cmocka_unit_test(a_pin_for_reading_is_of_an_own_page),
		cmocka_unit_test(mprotect_does_not_part_a_pin_from_its_page),
		cmocka_unit_test(mprotect_changes_entries),
		cmocka_unit_test(mremap_moves_pages),
		cmocka_unit_test(mremap_dontunmap_leaves_an_empty_area),
		cmocka_unit_test(dontneed_makes_zeros),
		cmocka_unit_test(free_and_cold_keep_the_bytes),
		cmocka_unit_test(guards_are_holes_that_stay),
		cmocka_unit_test(populating_is_for_real),
		cmocka_unit_test(what_is_mapped_locked_is_filled),
		cmocka_unit_test(drivers_pages_are_seen_and_zapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
