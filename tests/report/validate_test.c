/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * mm_validate() finds what it says it looks for: each invariant is broken by hand, found, and mended.
 */
#include "../mm/space.h"
#include "mm/mm.h"
#include "vma/handle.h"

static struct space s;
static struct mm_struct *mm;

static int setup(void **state)
{
	space_open(&s);
	mm = mm_from_user(s.mm);
	assert_int_equal(space_map(&s, 0, 2, RW, ANON), 0);
	assert_int_equal(space_map(&s, 2, 1, PROT_READ | PROT_EXEC, ANON), 0);
	assert_int_equal(space_map(&s, 8, 1, PROT_READ, ANON), 0);
	assert_int_equal(space_write(&s, 0), MM_FAULT_DONE);
	return 0;
}

static int teardown(void **state)
{
	space_close(&s);
	return 0;
}

static struct vm_area_struct *area(unsigned long page)
{
	struct vm_area_struct *vma;

	mm_read_lock(mm);
	vma = vma_at(mm, at(page));
	mm_read_unlock(mm);
	assert_non_null(vma);
	return vma;
}

static void assert_says(const char *expected)
{
	char why[160];

	assert_int_equal(mm_validate(s.mm, why, sizeof(why)), -EINVAL);
	assert_string_equal(why, expected);
}

static void assert_sound(void)
{
	char why[160];

	assert_int_equal(mm_validate(s.mm, why, sizeof(why)), 0);
	assert_string_equal(why, "");
}

/* Sets @lvalue to @wrong for one validation. */
#define assert_broken(lvalue, wrong, expected)					\
	do {									\
		__typeof__(lvalue) __was = (lvalue);				\
										\
		(lvalue) = (wrong);						\
		assert_says(expected);						\
		(lvalue) = __was;						\
		assert_sound();							\
	} while (0)

static void totals(void **state)
{
	assert_sound();
	assert_broken(mm->map_count, 4, "map_count is 4, should be 3");
	assert_broken(mm->total_vm, 5, "total_vm is 5, should be 4");
	assert_broken(mm->data_vm, 1, "data_vm is 1, should be 2");
	assert_broken(mm->exec_vm, 0, "exec_vm is 0, should be 1");
	assert_broken(mm->stack_vm, 9, "stack_vm is 9, should be 0");
	assert_broken(mm->locked_vm, 1, "locked_vm is 1, should be 0");
}

static void entries(void **state)
{
	struct vm_area_struct *vma = area(2);

	assert_broken(vma->vm_end, at(3) - 1,
		      "area at 0x200000002000: the VMA has other bounds than its entry");
	assert_broken(vma->vm_flags, vma->vm_flags | VM_WRITE,
		      "area at 0x200000002000: the VMA has other flags than its entry");
	assert_broken(vma->vm_mm, NULL, "area at 0x200000002000: the VMA is of another mm");
	assert_broken(vma->vm_refcnt, 0, "area at 0x200000002000: detached");
	assert_broken(vma->vm_refcnt, VMA_WRITER | 1,
		      "area at 0x200000002000: a writer waits, and has not got the mmap lock");
	assert_broken(vma->vm_lock_seq, mm->mm_lock_seq + 1,
		      "area at 0x200000002000: write-locked before anyone locked it");
}

/* Flags that no call would set: put into the VMA and its entry. */
static void assert_flags_break(vm_flags_t flags, const char *expected)
{
	struct vm_area_struct *vma = area(8);
	vm_flags_t was = vma->vm_flags;
	char text[160];

	mm_write_lock(mm);
	assert_int_equal(map_reserve(mm, 0, 2), 0);
	map_set_flags(vma, flags);
	mm_write_unlock(mm);
	snprintf(text, sizeof(text), "area at 0x200000008000: %s", expected);
	assert_says(text);
	mm_write_lock(mm);
	assert_int_equal(map_reserve(mm, 0, 2), 0);
	map_set_flags(vma, was);
	mm_write_unlock(mm);
	assert_sound();
}

static void exclusions(void **state)
{
	assert_flags_break(VM_PFNMAP | VM_MIXEDMAP, "VM_PFNMAP and VM_MIXEDMAP");
	assert_flags_break(VM_READ, "VM_READ without VM_MAYREAD");
	assert_flags_break(VM_WRITE, "VM_WRITE without VM_MAYWRITE");
	assert_flags_break(VM_EXEC, "VM_EXEC without VM_MAYEXEC");
	assert_flags_break(VM_SHARED, "VM_SHARED without VM_MAYSHARE");
	assert_flags_break(VM_LOCKONFAULT, "VM_LOCKONFAULT without VM_LOCKED");
	assert_flags_break(VM_ACCOUNT | VM_SHARED | VM_MAYSHARE, "VM_ACCOUNT and VM_SHARED");
	assert_flags_break(VM_ACCOUNT | VM_NORESERVE, "VM_ACCOUNT and VM_NORESERVE");
	assert_flags_break(VM_SEQ_READ | VM_RAND_READ, "VM_SEQ_READ and VM_RAND_READ");
	assert_flags_break(VM_HUGEPAGE | VM_NOHUGEPAGE, "VM_HUGEPAGE and VM_NOHUGEPAGE");
	assert_flags_break(VM_DROPPABLE, "VM_DROPPABLE, shared or to be promised");
}

static void lists(void **state)
{
	char expected[64];

	snprintf(expected, sizeof(expected), "nr_spare is %u, should be %u", mm->nr_spare + 1,
		 mm->nr_spare);
	assert_broken(mm->nr_spare, mm->nr_spare + 1, expected);
	assert_non_null(mm->spare);
	assert_broken(mm->spare->vm_refcnt, 1, "area at 0x0: spare, and attached");
}

static void anonymous(void **state)
{
	struct vm_area_struct *touched = area(0), *shared;

	assert_non_null(touched->anon);
	assert_int_equal(space_map(&s, 20, 1, RW, MAP_SHARED | MAP_ANONYMOUS), 0);
	shared = area(20);
	assert_broken(shared->anon, touched->anon,
		      "area at 0x200000014000: shared, and has anonymous memory");
}

static void unpublished(void **state)
{
	struct rt_node *root = mm->areas.root;

	/* As if a section had forgotten to publish. */
	mm->areas.root = NULL;
	assert_int_equal(mm_validate(s.mm, s.text, sizeof(s.text)), -EINVAL);
	mm->areas.root = root;
	assert_sound();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(totals, setup, teardown),
		cmocka_unit_test_setup_teardown(entries, setup, teardown),
		cmocka_unit_test_setup_teardown(exclusions, setup, teardown),
		cmocka_unit_test_setup_teardown(lists, setup, teardown),
		cmocka_unit_test_setup_teardown(anonymous, setup, teardown),
		cmocka_unit_test_setup_teardown(unpublished, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
