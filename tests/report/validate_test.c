/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * mm_validate() finds what it says it looks for: each invariant is broken by hand, found, and mended.
 * A test has the numbers that validate.c gives them.  Those of the tree itself, behind I1, are
 * broken in tests/ds.
 */
#include <pthread.h>

#include "broken.h"
#include "file/file.h"
#include "mm/mm.h"
#include "vma/handle.h"

static struct mm_struct *mm;

static int walk(char *why, size_t why_bytes)
{
	return mm_validate(s.mm, why, why_bytes);
}

static int setup(void **state)
{
	space_init(&s);
	s.config.nr_huge_2m_pages = 4;
	space_create(&s);
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

static void i1_tree(void **state)
{
	struct rt_node *root = mm->areas.root;
	char why[160];

	mm->areas.root = NULL;
	assert_int_equal(mm_validate(s.mm, why, sizeof(why)), -EINVAL);
	assert_memory_equal(why, "6: two published roots", 22);
	mm->areas.root = root;
	assert_broken(mm->areas.published.count, 4, "7: entries: 4, 3");
}

/* As if a section had forgotten to publish; what changed is that nothing did. */
static void i1_published(void **state)
{
	struct vm_area_struct *vma = area(8);

	assert_int_equal(rt_reserve(&mm->areas, 1, 0), 0);
	rt_update(&mm->areas, at(8), at(8), at(9), vma, vma->vm_flags);
	/* The walker's own section publishes it. */
	assert_says("changes of an earlier write section are not published");
	assert_sound();
}

static void update(unsigned long page, unsigned long end, void *item, vm_flags_t flags)
{
	mm_write_lock(mm);
	assert_int_equal(map_reserve(mm, 0, 1), 0);
	rt_update(&mm->areas, at(page), at(page), end, item, flags);
	mm_write_unlock(mm);
}

static void i2_entry(void **state)
{
	struct vm_area_struct *vma = area(2);

	assert_broken(vma->vm_end, at(3) - 1,
		      "area at 0x200000002000: the VMA has other bounds than its entry");
	assert_broken(vma->vm_flags, vma->vm_flags | VM_WRITE,
		      "area at 0x200000002000: the VMA has other flags than its entry");
	assert_broken(vma->vm_mm, NULL, "area at 0x200000002000: the VMA is of another mm");
	update(2, at(3), NULL, vma->vm_flags);
	assert_says("area at 0x200000002000: no VMA");
	update(2, at(3), vma, vma->vm_flags);
	assert_sound();
}

static void i3_bounds(void **state)
{
	struct vm_area_struct *vma = area(2);

	update(2, at(3) - 1, vma, vma->vm_flags);
	vma->vm_end = at(3) - 1;
	assert_says("area at 0x200000002000: bounds are not page-aligned");
	update(2, at(3), vma, vma->vm_flags);
	vma->vm_end = at(3);
	assert_sound();
	assert_broken(mm->task_size, at(2), "area at 0x200000002000: ends above task_size");
}

static void i4_vma_lock(void **state)
{
	struct vm_area_struct *vma = area(2);

	assert_broken(vma->vm_refcnt, 0, "area at 0x200000002000: detached");
	assert_broken(vma->vm_refcnt, VMA_WRITER | 1,
		      "area at 0x200000002000: a writer waits, and has not got the mmap lock");
	assert_broken(vma->vm_lock_seq, mm->mm_lock_seq + 1,
		      "area at 0x200000002000: write-locked before anyone locked it");
	assert_broken(vma->vm_lock_seq, 2,
		      "area at 0x200000002000: was write-locked outside a write section");
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

static void i5_flags(void **state)
{
	assert_flags_break(VM_PFNMAP | VM_MIXEDMAP, "VM_PFNMAP and VM_MIXEDMAP");
	assert_flags_break(VM_READ, "VM_READ without VM_MAYREAD");
	assert_flags_break(VM_WRITE, "VM_WRITE without VM_MAYWRITE");
	assert_flags_break(VM_EXEC, "VM_EXEC without VM_MAYEXEC");
	assert_flags_break(VM_SHARED, "VM_SHARED without VM_MAYSHARE");
	assert_flags_break(VM_LOCKONFAULT, "VM_LOCKONFAULT without VM_LOCKED");
	assert_flags_break(VM_LOCKED | VM_IO, "VM_LOCKED of what is not locked");
	assert_flags_break(VM_LOCKED | VM_HUGETLB, "VM_LOCKED of what is not locked");
	assert_flags_break(VM_ACCOUNT | VM_SHARED | VM_MAYSHARE, "VM_ACCOUNT and VM_SHARED");
	assert_flags_break(VM_ACCOUNT | VM_NORESERVE, "VM_ACCOUNT and VM_NORESERVE");
	assert_flags_break(VM_ACCOUNT | VM_HUGETLB, "VM_ACCOUNT and VM_HUGETLB");
	assert_flags_break(VM_SEQ_READ | VM_RAND_READ, "VM_SEQ_READ and VM_RAND_READ");
	assert_flags_break(VM_HUGEPAGE | VM_NOHUGEPAGE, "VM_HUGEPAGE and VM_NOHUGEPAGE");
	assert_flags_break(VM_GROWSDOWN | VM_MAYSHARE, "VM_GROWSDOWN, shared");
	assert_flags_break(VM_WIPEONFORK | VM_MAYSHARE, "VM_WIPEONFORK, shared");
	assert_flags_break(VM_DROPPABLE, "VM_DROPPABLE, shared or to be promised");
}

static void i6_totals(void **state)
{
	assert_broken(mm->map_count, 4, "map_count is 4, should be 3");
	assert_broken(mm->total_vm, 5, "total_vm is 5, should be 4");
	assert_broken(mm->data_vm, 1, "data_vm is 1, should be 2");
	assert_broken(mm->exec_vm, 0, "exec_vm is 0, should be 1");
	assert_broken(mm->stack_vm, 9, "stack_vm is 9, should be 0");
	assert_broken(mm->locked_vm, 1, "locked_vm is 1, should be 0");
	assert_broken(mm->locked_stray, 1, "locked_vm is 0, should be 1");
}

static void i7_anonymous(void **state)
{
	struct vm_area_struct *touched = area(0), *shared;
	/* Its first word is the count of areas. */
	u32 *refs = (u32 *)touched->anon;

	assert_non_null(touched->anon);
	assert_int_equal(space_map(&s, 20, 1, RW, MAP_SHARED | MAP_ANONYMOUS), 0);
	shared = area(20);
	assert_broken(shared->anon, touched->anon,
		      "area at 0x200000014000: shared, and has anonymous memory");
	assert_broken(*refs, 0, "area at 0x200000000000: its anon_vmas do not add up");
	assert_broken(*refs, 2, "area at 0x200000000000: its anon_vmas do not add up");
	assert_broken(area(8)->anon, touched->anon, "areas of an anon chain is 1, should be 2");
}

static void i7_spare_chains(void **state)
{
	assert_null(mm->spare_anon);
	assert_broken(mm->spare_anon, area(0)->anon,
		      "an anon chain is laid in, and somebody has it");
	mm_write_lock(mm);
	assert_int_equal(anon_reserve(mm, 2), 0);
	mm_write_unlock(mm);
	assert_sound();
	mm_write_lock(mm);
	anon_unreserve(mm);
	mm_write_unlock(mm);
}

static void i8_lists(void **state)
{
	struct vm_area_struct dead = { .vm_refcnt = 1, .vm_mm = mm };
	char expected[64];

	snprintf(expected, sizeof(expected), "nr_spare is %u, should be %u", mm->nr_spare + 1,
		 mm->nr_spare);
	assert_broken(mm->nr_spare, mm->nr_spare + 1, expected);
	assert_non_null(mm->spare);
	assert_broken(mm->spare->vm_refcnt, 1, "area at 0x0: spare, and attached");
	/* The end of the walker's section puts it where all dead ones go: take it out again. */
	mm->dead = &dead;
	assert_says("area at 0x0: removed, and waits for a section's end");
	assert_ptr_equal(mm->spare, &dead);
	mm->spare = dead.next_free;
	mm->nr_spare--;
	assert_sound();
}

static void i9_users(void **state)
{
	assert_broken(mm->mm_users, 0, "mm_users is 0, should be 1");
	assert_broken(mm->mm_count, 0, "mm_count is 0, should be 1");
}

static void i10_file(void **state)
{
	struct file *file = space_file(&s, 4, 0, FILE_PLACE_ANY);
	struct vm_area_struct *vma;
	struct space other;

	space_open(&other);
	assert_int_equal(space_map_file(&s, 20, 1, PROT_READ, MAP_PRIVATE, file, 0), 0);
	vma = area(20);
	assert_broken(file->refs, 0, "area at 0x200000014000: its file is gone");
	assert_broken(file->instance, other.v,
		      "area at 0x200000014000: its file is of another instance");
	assert_broken(vma->special, "[it]", "area at 0x200000014000: special, and has a file");
	assert_broken(vma->vm_ops, NULL, "area at 0x200000014000: anonymous, and has a file");
	assert_broken(file->flags, file->flags | FILE_HUGETLB,
		      "area at 0x200000014000: VM_HUGETLB is not what its file says");
	assert_broken(vma->vm_pgdelta, ~0ul - (at(20) >> PAGE_SHIFT),
		      "area at 0x200000014000: its file offsets wrap");
	file_put(file);
	space_close(&other);
}

static void i10_nothing(void **state)
{
	struct vm_area_struct *vma = area(8);

	assert_broken(vma->vm_ops, &file_vm_ops,
		      "area at 0x200000008000: neither anonymous nor of something");
	assert_broken(vma->special, "[it]",
		      "area at 0x200000008000: neither anonymous nor of something");
	assert_flags_break(VM_HUGETLB, "VM_HUGETLB without a file");
}

static void i10_huge_pages(void **state)
{
	struct vm_area_struct *vma;

	assert_int_equal(space_map(&s, 512, 512, RW, ANON | MAP_HUGETLB), 0);
	vma = area(512);
	assert_sound();
	assert_broken(vma->vm_pgdelta, vma->vm_pgdelta + 1,
		      "area at 0x200000200000: a part of a huge page");
}

static void i11_locks(void **state)
{
	struct kill_waiter waiter;
	struct list_head *ring = &mm->kill.waiting;

	assert_broken(mm->page_table_lock.word, SPIN_HELD, "page_table_lock is held");
	assert_broken(mm->kill.lock.word, SPIN_HELD,
		      "the lock of those who wait killably is held");
	kill_group_join(&mm->kill, &waiter);
	assert_sound();
	assert_broken(ring->prev, ring, "who waits killably is lost");
	assert_broken(mm->kill.fired, true, "killed, and a waiter was not told");
	kill_group_fire(&mm->kill);
	assert_sound();
	kill_group_leave(&mm->kill, &waiter);
}

/* A debug build does not come so far: the section's beginning asserts it. */
static void i11_sequence(void **state)
{
	char expected[80];

	if (VMAREA_DEBUG)
		skip();
	snprintf(expected, sizeof(expected), "mm_lock_seq in a write section is %u, should be %u",
		 mm->mm_lock_seq + 2, mm->mm_lock_seq + 3);
	mm->mm_lock_seq++;
	assert_says(expected);
	mm->mm_lock_seq++;
	assert_sound();
}

static void *walk_elsewhere(void *arg)
{
	assert_says("mmap_lock: somebody is inside beside a writer");
	return NULL;
}

/* The walker has the mmap lock, and is held up by another, when a reader appears. */
static void i11_mmap_lock(void **state)
{
	pthread_t thread;

	mm->page_table_lock.word = SPIN_HELD;
	assert_int_equal(pthread_create(&thread, NULL, walk_elsewhere, NULL), 0);
	while (!rwsem_is_write_locked(&mm->mmap_lock))
		port_yield();
	atomic_add_relaxed(&mm->mmap_lock.state, RWSEM_IN);
	/* Pairs with the walker's attempts to have it. */
	atomic_store_release(&mm->page_table_lock.word, SPIN_FREE);
	assert_int_equal(pthread_join(thread, NULL), 0);
	atomic_sub_relaxed(&mm->mmap_lock.state, RWSEM_IN);
	assert_sound();
}

static void i12_layout(void **state)
{
	assert_broken(mm->mmap_base, mm->task_size + PAGE_SIZE,
		      "mmap_base: not a page below task_size");
	assert_broken(mm->mmap_legacy_base, 5, "mmap_base: not a page below task_size");
	assert_broken(mm->start_code, mm->end_code + 1, "code: no range below task_size");
	assert_broken(mm->end_data, mm->task_size + 1, "data: no range below task_size");
	assert_broken(mm->start_brk, mm->brk + 1, "brk: no range below task_size");
	assert_broken(mm->start_stack, mm->task_size + 1, "start_stack is above task_size");
}

#define BREAKS(test)	cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BREAKS(i1_tree),
		BREAKS(i1_published),
		BREAKS(i2_entry),
		BREAKS(i3_bounds),
		BREAKS(i4_vma_lock),
		BREAKS(i5_flags),
		BREAKS(i6_totals),
		BREAKS(i7_anonymous),
		BREAKS(i7_spare_chains),
		BREAKS(i8_lists),
		BREAKS(i9_users),
		BREAKS(i10_file),
		BREAKS(i10_nothing),
		BREAKS(i10_huge_pages),
		BREAKS(i11_locks),
		BREAKS(i11_sequence),
		BREAKS(i11_mmap_lock),
		BREAKS(i12_layout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
