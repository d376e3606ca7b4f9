/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * For each letter of src/vma/types.h a field is written with too little held, and the report names
 * the field, what it needs, and what is held.  Written with enough, nobody complains.
 */
#include <pthread.h>

#include "../mm/space.h"
#include "mm/mm.h"
#include "reports.h"

static struct space s;
static struct mm_struct *mm;

static int set_up(void **state)
{
	(void)state;
	space_open(&s);
	assert_int_equal(space_map(&s, 0, 4, RW, ANON), 0);
	mm = mm_user_mm(s.mm);
	note_reports();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	stop_noting();
	space_close(&s);
	return 0;
}

/* V */
static void bounds_of_a_vma(void **state)
{
	struct vm_area_struct *vma;
	int line;

	(void)state;
	mm_read_lock(mm);
	vma = vma_at(mm, at(1));
	vma_set(vma, vm_end, vma->vm_end); line = __LINE__;
	expect_report("field written under too little: vm_area_struct.vm_end of 0x", LINE(line),
		      "rule: to write vm_end needs the mmap lock of its mm, held for write by this "
		      "thread, and the VMA's write lock",
		      "now: here", "bounds_of_a_vma+0x", "VMA: [0x",
		      "attached, not write-locked", "held: mmap lock 0x", "(read) taken at",
		      "what to do: mm_write_lock() in a caller, then vma_lock_write()");
	mm_read_unlock(mm);

	mm_write_lock(mm);
	vma_set(vma, vm_flags, vma->vm_flags);
	expect_report("vm_area_struct.vm_flags", "attached, not write-locked", "(write)");
	vma_lock_write(vma);
	vma_set(vma, vm_flags, vma->vm_flags);
	vma_set_release(vma, anon_name, vma->anon_name);
	expect_no_report();
	mm_write_unlock(mm);
	vma_set_release(vma, anon_name, vma->anon_name);
	expect_report("vm_area_struct.anon_name", "held: nothing");
}

/* The lock is held, by somebody else. */
static void *sets_flags(void *arg)
{
	struct vm_area_struct *vma = arg;

	note_reports();
	vma_set(vma, vm_flags, vma->vm_flags);
	stop_noting();
	return NULL;
}

static void under_another_threads_lock(void **state)
{
	struct vm_area_struct *vma;
	pthread_t thread;

	(void)state;
	mm_write_lock(mm);
	vma = vma_at(mm, at(1));
	vma_lock_write(vma);
	assert_int_equal(pthread_create(&thread, NULL, sets_flags, vma), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	expect_report("vm_area_struct.vm_flags", "held for write by this thread", "sets_flags+0x",
		      "attached, write-locked", "held: nothing");
	mm_write_unlock(mm);
}

/* 1 */
static void written_once(void **state)
{
	struct vm_area_struct *vma;

	(void)state;
	mm_write_lock(mm);
	vma = vma_at(mm, at(1));
	vma_init(vma, vm_ops, vma->vm_ops);
	expect_report("vm_area_struct.vm_ops", "needs a VMA that nobody can find", "attached",
		      "held: mmap lock", "what to do: set it before map_insert()");
	assert_int_equal(map_reserve(mm, 1, 0), 0);
	vma = vma_new(mm);
	vma_init(vma, vm_ops, NULL);
	vma_discard(vma);
	expect_no_report();
	mm_init(mm, instance, mm->instance);
	expect_report("mm_struct.instance", "an mm that nobody else knows yet",
		      "before mm_make_known()");
	mm_write_unlock(mm);
}

/* p */
static void anon_chain_of_a_vma(void **state)
{
	struct vm_area_struct *vma;

	(void)state;
	mm_read_lock(mm);
	vma = vma_at(mm, at(1));
	vma_set_anon(vma, NULL);
	expect_report("vm_area_struct.anon of", "needs page_table_lock and the mmap lock",
		      "held: mmap lock", "what to do: anon_prepare()");
	spin_lock(&mm->page_table_lock);
	vma_set_anon(vma, NULL);
	spin_unlock(&mm->page_table_lock);
	mm_read_unlock(mm);
	expect_no_report();
	mm_write_lock(mm);
	vma_lock_write(vma);
	vma_set_anon(vma, NULL);
	mm_write_unlock(mm);
	expect_no_report();
}

/* f */
static void chain_of_free_vmas(void **state)
{
	struct vm_area_struct *vma;

	(void)state;
	mm_read_lock(mm);
	vma = vma_at(mm, at(1));
	vma_set_next(vma, &mm->mmap_lock, NULL);
	expect_report("vm_area_struct.next_free", "the lock of the chain", "(read)",
		      "the pool's lock for the pool");
	mm_read_unlock(mm);
}

/* m, w */
static void totals_of_an_mm(void **state)
{
	int line;

	(void)state;
	mm_read_lock(mm);
	mm_add(mm, total_vm, 0); line = __LINE__;
	expect_report("field written under too little: mm_struct.total_vm of 0x", LINE(line),
		      "rule: to write total_vm needs its mmap lock, held for write by this thread",
		      "totals_of_an_mm+0x", "held: mmap lock", "(read)",
		      "what to do: mm_write_lock() in a caller");
	mm_set_relaxed(mm, brk, mm->brk);
	expect_report("mm_struct.brk");
	mm_read_unlock(mm);
	mm_set(mm, spare, mm->spare);
	expect_report("mm_struct.spare", "held: nothing");
	mm_write_lock(mm);
	mm_sub(mm, total_vm, 0);
	mm_set(mm, spare, mm->spare);
	mm_write_unlock(mm);
	expect_no_report();
}

/* t */
static void spare_chains(void **state)
{
	(void)state;
	mm_write_lock(mm);
	mm_set_ptl(mm, spare_anon, mm->spare_anon);
	expect_report("mm_struct.spare_anon", "needs its page_table_lock", "held: mmap lock",
		      "what to do: spin_lock(&mm->page_table_lock) around it");
	mm_write_unlock(mm);
}

#define TEST(fn)	cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bounds_of_a_vma),
		TEST(under_another_threads_lock),
		TEST(written_once),
		TEST(anon_chain_of_a_vma),
		TEST(chain_of_free_vmas),
		TEST(totals_of_an_mm),
		TEST(spare_chains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
