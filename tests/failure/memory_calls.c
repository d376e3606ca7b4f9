/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The memory calls of vmarea.h, one by one, on the crowded address space of world.c. */
#include "scenario.h"

#define MOVE		MREMAP_MAYMOVE
#define MOVE_TO		(MREMAP_MAYMOVE | MREMAP_FIXED)
#define FIXED		(ANON | MAP_FIXED)
#define SHARED		(MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED)

/* ----------------------------------------------------------------- mmap -- */

CALL(mmap_anywhere, mm_mmap(mm, 0, 8 * PAGE, RW, ANON, NULL, 0))
CALL(mmap_inside, mm_mmap(mm, AT(2), 2 * PAGE, PROT_READ, FIXED, NULL, 0))
CALL(mmap_merges_both, mm_mmap(mm, AT(301), PAGE, RW, FIXED, NULL, 0))
CALL(mmap_over_many, mm_mmap(mm, AT(5), 30 * PAGE, RW, FIXED, NULL, 0))
CALL(mmap_over_singles, mm_mmap(mm, AT(310), 50 * PAGE, RW, FIXED, NULL, 0))
CALL(mmap_shared, mm_mmap(mm, AT(5), 8 * PAGE, RW, SHARED, NULL, 0))
CALL(mmap_shared_noreserve, mm_mmap(mm, AT(5), 8 * PAGE, RW, SHARED | MAP_NORESERVE, NULL, 0))
CALL(mmap_file, mm_mmap(mm, AT(5), 8 * PAGE, RW, MAP_SHARED | MAP_FIXED, w.file, 0))
CALL(mmap_file_private, mm_mmap(mm, AT(5), 8 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, w.file, 0))
CALL(mmap_locked, mm_mmap(mm, AT(5), 8 * PAGE, RW, FIXED | MAP_LOCKED, NULL, 0))
CALL(mmap_populate, mm_mmap(mm, AT(600), 8 * PAGE, RW, FIXED | MAP_POPULATE, NULL, 0))
CALL(mmap_populate_file, mm_mmap(mm, AT(600), 8 * PAGE, RW,
				 MAP_PRIVATE | MAP_FIXED | MAP_POPULATE, w.file, 0))
CALL(mmap_populate_huge, mm_mmap(mm, HUGE_AT(1), HUGE, RW,
				 FIXED | MAP_HUGETLB | MAP_POPULATE, NULL, 0))
CALL(mmap_huge, mm_mmap(mm, HUGE_AT(0), 2 * HUGE, RW, FIXED | MAP_HUGETLB, NULL, 0))
CALL(mmap_huge_shared, mm_mmap(mm, HUGE_AT(8), 2 * HUGE, RW, SHARED | MAP_HUGETLB, NULL, 0))
CALL(mmap_huge_file, mm_mmap(mm, HUGE_AT(3), 2 * HUGE, RW, MAP_SHARED | MAP_FIXED, w.huge, 4 * HUGE))
CALL(mmap_zero_private, mm_mmap(mm, AT(5), 8 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, w.zero, 0))
CALL(mmap_zero_shared, mm_mmap(mm, AT(5), 8 * PAGE, RW, MAP_SHARED | MAP_FIXED, w.zero, 0))
CALL(mmap_device, mm_mmap(mm, AT(600), 4 * PAGE, RW, MAP_SHARED | MAP_FIXED, w.device, 0))
CALL(mmap_device_over, mm_mmap(mm, AT(5), 50 * PAGE, RW, MAP_SHARED | MAP_FIXED, w.device, 0))
CALL(mmap_over_device, mm_mmap(mm, AT(52), 2 * PAGE, RW, FIXED, NULL, 0))
CALL(mmap_stack, mm_mmap(mm, AT(650), PAGE, RW, FIXED | MAP_GROWSDOWN, NULL, 0))
CALL(mmap_droppable, mm_mmap(mm, AT(5), PAGE, RW, MAP_DROPPABLE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0))
CALL(mmap_noreplace, mm_mmap(mm, AT(650), PAGE, RW, ANON | MAP_FIXED_NOREPLACE, NULL, 0))
CALL(munmap_5_to_55, mm_munmap(mm, AT(5), 50 * PAGE))

/* What a driver may need in its hooks. */
static void in_mmap(void)
{
	w.allocating = HOOK_MMAP;
}

static void in_may_split(void)
{
	w.allocating = HOOK_MAY_SPLIT;
}

static void in_mremap(void)
{
	w.allocating = HOOK_MREMAP;
}

static void in_mprotect(void)
{
	w.allocating = HOOK_MPROTECT;
}

/* The state after the first of two splits. */
static long split_at_5(struct mm_user *mm)
{
	world_split(AT(5));
	return 0;
}

static long split_at_52(struct mm_user *mm)
{
	world_split(AT(52));
	return 0;
}

static void lock_future(void)
{
	assert_int_equal(mm_mlockall(w.mm, MCL_FUTURE), 0);
}

static void merge_memory(void)
{
	assert_int_equal(mm_set_memory_merge(w.mm, true), 0);
}

/* --------------------------------------------- munmap, mprotect, mremap -- */

CALL(munmap_inside, mm_munmap(mm, AT(2), 2 * PAGE))
CALL(munmap_over_many, mm_munmap(mm, AT(5), 38 * PAGE))
CALL(munmap_singles, mm_munmap(mm, AT(300), 80 * PAGE))
CALL(munmap_device_inside, mm_munmap(mm, AT(52), 2 * PAGE))
CALL(munmap_huge, mm_munmap(mm, HUGE_AT(4), HUGE))
CALL(munmap_all, mm_munmap(mm, 0, 0x7ffffffff000))

CALL(mprotect_inside, mm_mprotect(mm, AT(2), 2 * PAGE, PROT_READ))
CALL(mprotect_joins_three, mm_mprotect(mm, AT(8), 8 * PAGE, RW))
CALL(mprotect_over_many, mm_mprotect(mm, AT(5), 20 * PAGE, PROT_READ))
CALL(mprotect_makes_writable, mm_mprotect(mm, AT(9), 3 * PAGE, RW))
CALL(mprotect_locked, mm_mprotect(mm, AT(203), 3 * PAGE, PROT_READ))
CALL(mprotect_touches, mm_mprotect(mm, AT(9), 3 * PAGE, RW))
CALL(mprotect_device, mm_mprotect(mm, AT(52), 2 * PAGE, PROT_READ))
CALL(pkey_mprotect, mm_pkey_mprotect(mm, AT(2), 2 * PAGE, PROT_READ, -1))

/* Locked and readable only: made writable it is touched. */
static void lock_readable(void)
{
	assert_int_equal(mm_mlock(w.mm, AT(8), 8 * PAGE), 0);
}

CALL(mremap_grow, mm_mremap(mm, AT(40), 8 * PAGE, 10 * PAGE, 0, 0))
CALL(mremap_grow_locked, mm_mremap(mm, AT(200), 16 * PAGE, 20 * PAGE, 0, 0))
CALL(mremap_move_locked, mm_mremap(mm, AT(200), 16 * PAGE, 20 * PAGE, MOVE_TO, AT(600)))
CALL(mremap_move, mm_mremap(mm, AT(2), 3 * PAGE, 3 * PAGE, MOVE_TO, AT(20)))
CALL(mremap_grow_away, mm_mremap(mm, AT(2), 3 * PAGE, 9 * PAGE, MOVE, 0))
CALL(mremap_many, mm_mremap(mm, AT(2), 28 * PAGE, 28 * PAGE, MOVE_TO, AT(600)))
CALL(mremap_singles, mm_mremap(mm, AT(300), 70 * PAGE, 70 * PAGE, MOVE_TO, AT(600)))
CALL(mremap_dontunmap, mm_mremap(mm, AT(2), 3 * PAGE, 3 * PAGE, MOVE | MREMAP_DONTUNMAP, 0))
CALL(mremap_duplicate, mm_mremap(mm, AT(24), 0, 4 * PAGE, MOVE, 0))
CALL(mremap_shrink, mm_mremap(mm, AT(0), 8 * PAGE, 3 * PAGE, 0, 0))
CALL(mremap_shrink_many, mm_mremap(mm, AT(0), 30 * PAGE, 3 * PAGE, 0, 0))
CALL(mremap_shrink_away, mm_mremap(mm, AT(0), 30 * PAGE, 3 * PAGE, MOVE_TO, AT(600)))
CALL(mremap_file, mm_mremap(mm, AT(18), 3 * PAGE, 3 * PAGE, MOVE_TO, AT(42)))
CALL(mremap_huge, mm_mremap(mm, HUGE_AT(0), HUGE, HUGE, MOVE_TO, HUGE_AT(9)))
CALL(mremap_named, mm_mremap(mm, AT(61), PAGE, PAGE, MOVE_TO, AT(600)))
CALL(mremap_device, mm_mremap(mm, AT(52), 2 * PAGE, 2 * PAGE, MOVE_TO, AT(42)))
CALL(munmap_42_to_44, mm_munmap(mm, AT(42), 2 * PAGE))

/* The driver refuses, and nobody else: the target is gone, and the call is not one of no memory. */
static long mremap_refused(struct mm_user *mm)
{
	long ret = mremap_device(mm);

	return ret == -EBUSY ? 0 : ret;
}

static void refuse_mremap(void)
{
	w.refuse_mremap = -EBUSY;
}

/* Put in from elsewhere: locked, and nobody has touched it yet. */
static void add_locked(void)
{
	assert_int_equal(mm_add_area(w.mm, &(struct area_desc){
		.start = AT(650), .end = AT(652), .pgoff = AT(650) / PAGE,
		.flags = VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | VM_ACCOUNT |
			 VM_LOCKED }), 0);
}

CALL(mremap_grow_untouched, mm_mremap(mm, AT(650), 2 * PAGE, 4 * PAGE, 0, 0))

/* -------------------------------------------------------------- madvise -- */

CALL(madvise_dontfork, mm_madvise(mm, AT(2), 20 * PAGE, MADV_DONTFORK))
CALL(madvise_random, mm_madvise(mm, AT(2), 2 * PAGE, MADV_RANDOM))
CALL(madvise_sequential, mm_madvise(mm, AT(2), 28 * PAGE, MADV_SEQUENTIAL))
CALL(madvise_wipeonfork, mm_madvise(mm, AT(2), 12 * PAGE, MADV_WIPEONFORK))
CALL(madvise_dontdump, mm_madvise(mm, AT(51), 2 * PAGE, MADV_DONTDUMP))
CALL(madvise_mergeable, mm_madvise(mm, AT(2), 12 * PAGE, MADV_MERGEABLE))
CALL(madvise_hugepage, mm_madvise(mm, AT(2), 12 * PAGE, MADV_HUGEPAGE))
CALL(madvise_populate, mm_madvise(mm, AT(300), PAGE, MADV_POPULATE_WRITE))
CALL(madvise_populate_read, mm_madvise(mm, AT(8), 8 * PAGE, MADV_POPULATE_READ))
CALL(madvise_populate_many, mm_madvise(mm, AT(0), 2 * PAGE, MADV_POPULATE_WRITE))
CALL(madvise_guard, mm_madvise(mm, AT(300), PAGE, MADV_GUARD_INSTALL))
CALL(madvise_guard_many, mm_madvise(mm, AT(0), 20 * PAGE, MADV_GUARD_INSTALL))
CALL(madvise_guard_remove, mm_madvise(mm, AT(0), 20 * PAGE, MADV_GUARD_REMOVE))
CALL(madvise_dontneed, mm_madvise(mm, AT(0), 20 * PAGE, MADV_DONTNEED))
/* A driver that has no memory for a split is the one case of -EAGAIN without a limit. */
static long madvise_device(struct mm_user *mm)
{
	long ret = mm_madvise(mm, AT(52), 2 * PAGE, MADV_RANDOM);

	return ret == -EAGAIN ? -ENOMEM : ret;
}

static const struct mm_range ranges[] = {
	{ AT(2), 2 * PAGE }, { AT(9), 2 * PAGE }, { AT(300), PAGE }, { AT(304), PAGE },
	{ AT(308), 0 }, { AT(41), 3 * PAGE },
};
#define NR_RANGES	(sizeof(ranges) / sizeof(ranges[0]))

CALL(process_madvise_cold, mm_process_madvise(mm, ranges, NR_RANGES, MADV_COLD, 0, false))
CALL(process_madvise_flags, mm_process_madvise(mm, ranges, NR_RANGES, MADV_RANDOM, 0, true))
CALL(process_madvise_guard, mm_process_madvise(mm, ranges, NR_RANGES, MADV_GUARD_INSTALL, 0, true))
CALL(process_madvise_populate, mm_process_madvise(mm, ranges, NR_RANGES, MADV_POPULATE_READ, 0, true))

/* ---------------------------------------------------------------- locks -- */

CALL(mlock_inside, mm_mlock(mm, AT(2), 2 * PAGE))
CALL(mlock_many, mm_mlock(mm, AT(2), 14 * PAGE))
CALL(mlock_untouched, mm_mlock(mm, AT(300), PAGE))
CALL(mlock_device, mm_mlock(mm, AT(52), 2 * PAGE))
CALL(mlock2_onfault, mm_mlock2(mm, AT(2), 30 * PAGE, MLOCK_ONFAULT))
CALL(munlock_inside, mm_munlock(mm, AT(203), 2 * PAGE))
CALL(mlockall_now, mm_mlockall(mm, MCL_CURRENT))
CALL(mlockall_both, mm_mlockall(mm, MCL_CURRENT | MCL_FUTURE))
CALL(mlockall_onfault, mm_mlockall(mm, MCL_CURRENT | MCL_ONFAULT))
CALL(munlockall_now, mm_munlockall(mm))
CALL(mseal_inside, mm_mseal(mm, AT(2), 2 * PAGE, 0))
CALL(mseal_many, mm_mseal(mm, AT(2), 20 * PAGE, 0))

/* --------------------------------------------------------------- others -- */

CALL(name_inside, mm_set_anon_name(mm, AT(2), 2 * PAGE, "another"))
CALL(name_many, mm_set_anon_name(mm, AT(2), 12 * PAGE, "another"))
CALL(name_away, mm_set_anon_name(mm, AT(61), 2 * PAGE, NULL))
CALL(merge_on, mm_set_memory_merge(mm, true))
CALL(merge_off, mm_set_memory_merge(mm, false))
CALL(thp_off, mm_set_thp_disable(mm, true))
CALL(remap_file, mm_remap_file_pages(mm, AT(25), 2 * PAGE, 0, 4, 0))
CALL(shm_attach, mm_shmat(mm, w.segment, 0, 0))
CALL(shm_attach_over, mm_shmat(mm, w.segment, AT(4), SHM_REMAP))
CALL(shm_attach_readable, mm_shmat(mm, w.segment, 0, SHM_RDONLY))
CALL(shm_detach, mm_shmdt(mm, AT(600)))
CALL(msync, mm_msync(mm, AT(0), 8 * PAGE, MS_SYNC))
CALL(mincore, mm_mincore(mm, AT(0), 8 * PAGE, NULL))

static void attach(void)
{
	assert_int_equal(mm_shmat(w.mm, w.segment, AT(600), 0), AT(600));
	assert_int_equal(mm_mprotect(w.mm, AT(601), PAGE, PROT_READ), 0);
}

static long brk_to(struct mm_user *mm, unsigned long brk)
{
	return mm_brk(mm, brk) == brk ? 0 : -ENOMEM;
}

CALL(brk_up, brk_to(mm, AT(1004)))
CALL(brk_down, brk_to(mm, AT(1001)))

static void some_heap(void)
{
	assert_int_equal(brk_to(w.mm, AT(1004)), 0);
}

/* Something else where the heap goes on: what is added cannot join it. */
static void sealed_heap(void)
{
	some_heap();
	assert_int_equal(mm_madvise(w.mm, AT(1000), 4 * PAGE, MADV_DONTFORK), 0);
}

CALL(brk_on, brk_to(mm, AT(1010)))

static long by_fault(enum mm_fault fault)
{
	return fault == MM_FAULT_OOM ? -ENOMEM : (long)fault;
}

CALL(touch_fresh, by_fault(mm_touch(mm, AT(300), MM_ACCESS_WRITE)))
CALL(touch_huge, by_fault(mm_touch(mm, HUGE_AT(0), MM_ACCESS_READ)))
CALL(touch_file, by_fault(mm_touch(mm, AT(17), MM_ACCESS_WRITE)))
CALL(touch_stack, by_fault(mm_touch(mm, AT(897), MM_ACCESS_WRITE)))
CALL(touch_range, by_fault(mm_touch_range(mm, AT(8), 20 * PAGE, MM_ACCESS_READ)))
/* Area by area: the first stays touched. */
CALL(touch_two, by_fault(mm_touch_range(mm, AT(650), 2 * PAGE, MM_ACCESS_WRITE)))
CALL(touch_first, by_fault(mm_touch(mm, AT(650), MM_ACCESS_WRITE)))

static void two_kinds(void)
{
	assert_int_equal(mm_mmap(w.mm, AT(650), PAGE, RW, FIXED, NULL, 0), AT(650));
	assert_int_equal(mm_mmap(w.mm, AT(651), PAGE, RW, FIXED | MAP_NORESERVE, NULL, 0), AT(651));
}

/* A stack, and below it what was touched: two steps, and the first stays done. */
CALL(touch_stack_range, by_fault(mm_touch_range(mm, AT(897), 3 * PAGE, MM_ACCESS_WRITE)))

#define S(name, ...)	{ #name, name, __VA_ARGS__ }

const struct scenario memory_calls[] = {
	S(mmap_anywhere), S(mmap_inside), S(mmap_merges_both), S(mmap_over_many),
	S(mmap_over_singles), S(mmap_shared), S(mmap_shared_noreserve), S(mmap_file),
	S(mmap_file_private), S(mmap_locked), S(mmap_populate), S(mmap_populate_file),
	S(mmap_populate_huge), S(mmap_huge), S(mmap_huge_shared), S(mmap_huge_file),
	S(mmap_zero_private), S(mmap_zero_shared), S(mmap_device), S(mmap_device_over),
	S(mmap_over_device), S(mmap_stack), S(mmap_droppable), S(mmap_noreplace),
	{ "mmap_locked_in_future", mmap_over_many, lock_future },
	{ "mmap_with_merging", mmap_over_many, merge_memory },
	{ "mmap_hook", mmap_device_over, in_mmap, munmap_5_to_55 },
	{ "mmap_split_hook", mmap_device_over, in_may_split, split_at_5 },
	{ "mmap_split_hook_twice", mmap_over_device, in_may_split, split_at_52 },

	S(munmap_inside), S(munmap_over_many), S(munmap_singles), S(munmap_device_inside),
	S(munmap_huge), S(munmap_all),
	{ "munmap_split_hook", munmap_device_inside, in_may_split, split_at_52 },

	S(mprotect_inside), S(mprotect_joins_three), S(mprotect_over_many),
	S(mprotect_makes_writable), S(mprotect_locked), S(mprotect_touches, lock_readable),
	S(mprotect_device), S(pkey_mprotect),
	{ "mprotect_hook", mprotect_device, in_mprotect },
	{ "mprotect_split_hook", mprotect_device, in_may_split, split_at_52 },

	S(mremap_grow), S(mremap_grow_locked), S(mremap_move_locked), S(mremap_move),
	S(mremap_grow_away), S(mremap_many), S(mremap_singles), S(mremap_dontunmap),
	S(mremap_duplicate), S(mremap_shrink), S(mremap_shrink_many), S(mremap_shrink_away),
	S(mremap_file), S(mremap_huge), S(mremap_named), S(mremap_device),
	S(mremap_refused, refuse_mremap), S(mremap_grow_untouched, add_locked),
	{ "mremap_hook", mremap_device, in_mremap, munmap_42_to_44 },
	{ "mremap_split_hook", mremap_device, in_may_split, .any_state = true },

	S(madvise_dontfork), S(madvise_random), S(madvise_sequential), S(madvise_wipeonfork),
	S(madvise_dontdump), S(madvise_mergeable), S(madvise_hugepage), S(madvise_populate),
	S(madvise_populate_read), S(madvise_populate_many), S(madvise_guard),
	S(madvise_guard_many), S(madvise_guard_remove), S(madvise_dontneed), S(madvise_device),
	{ "madvise_split_hook", madvise_device, in_may_split, split_at_52 },
	S(process_madvise_cold), S(process_madvise_flags), S(process_madvise_guard),
	S(process_madvise_populate),

	S(mlock_inside), S(mlock_many), S(mlock_untouched), S(mlock_device, .areas_only = true), S(mlock2_onfault),
	S(munlock_inside), S(mlockall_now), S(mlockall_both), S(mlockall_onfault),
	S(munlockall_now), S(mseal_inside), S(mseal_many),

	S(name_inside), S(name_many), S(name_away), S(merge_on), S(merge_off, merge_memory),
	S(thp_off), S(remap_file), S(shm_attach), S(shm_attach_over), S(shm_detach, attach),
	S(msync), S(mincore),
	S(brk_up), S(brk_down, some_heap), S(brk_on, some_heap),
	{ "brk_beside", brk_on, sealed_heap },
	{ "brk_locked", brk_up, lock_future },
	{ "shm_locked", shm_attach, lock_future },
	{ "shm_readable_locked", shm_attach_readable, lock_future },
	S(touch_fresh), S(touch_huge), S(touch_file), S(touch_stack), S(touch_range),
	S(touch_stack_range), S(touch_two, two_kinds, touch_first),
};

const size_t nr_memory_calls = sizeof(memory_calls) / sizeof(memory_calls[0]);
