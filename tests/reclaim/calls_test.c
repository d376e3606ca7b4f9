/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Memory calls that find no frame: they take pages back and go through, or fail and change nothing.
 *
 * Before the call a driver takes every frame there is.  What is left to take back is FUEL pages of
 * the mm, if their swap can be written to.
 */
#include <semaphore.h>

#include <vmarea/file.h>
#include <vmarea/reclaim.h>
#include <vmarea/user_fault.h>

#include "../swap/store.h"
#include "disk.h"

#define ARENA_PAGES	4096ul
#define FUEL		400ul
#define WORK		100000ul		/* where calls do their work: 2 MiB-aligned below */
#define SPAN		PT_ENTRIES		/* pages of a table */
#define NR_SPANS	40ul
#define NR_AREAS	200ul
#define HEAP		500000ul
#define SPENT		700000ul		/* see take_all_frames() */

static struct memory m;
static struct store store;
static struct page *hog[ARENA_PAGES];
static unsigned long nr_hog, nr_spent;

static unsigned long work(unsigned long page)
{
	return ALIGN(WORK, SPAN) + page;
}

/* And what is left in frames of anon_vmas, by areas that have one and no page. */
static void take_all_frames(void)
{
	struct area_desc area = {
		.flags = VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE, .touched = true,
	};
	struct page *page;
	int err = 0;

	vmarea_set_reclaim_when(m.s.v, VMAREA_RECLAIM_WHEN_ASKED);
	while ((page = alloc_page(m.s.v)))
		hog[nr_hog++] = page;
	for (; !err; nr_spent++) {
		area.start = at(SPENT + nr_spent * 2);
		area.end = area.start + PAGE_SIZE;
		area.pgoff = area.start >> PAGE_SHIFT;
		err = mm_add_area(m.s.mm, &area);
	}
	assert_int_equal(err, -ENOMEM);
	vmarea_set_reclaim_when(m.s.v, VMAREA_RECLAIM_AT_LIMITS);
}

static void give_frames_back(void)
{
	while (nr_hog)
		__free_page(hog[--nr_hog]);
}

static void open_all(void)
{
	nr_spent = 0;
	memory_init(&m, ARENA_PAGES * PAGE_SIZE);
	m.s.config.thp = VMAREA_THP_NEVER;
	m.s.mm_config.caps |= MM_CAP_IPC_LOCK;
	m.s.mm_config.start_brk = m.s.mm_config.brk = at(HEAP);
	memory_create(&m);
	store_on(&store, m.s.v, 8000, 0);
	assert_int_equal(space_map(&m.s, 0, FUEL, RW, ANON), 0);
	for (unsigned long i = 0; i < FUEL; i++)
		assert_int_equal(put(&m, i, (unsigned char)(i * 3 + 1)), MM_FAULT_DONE);
}

static void check_fuel(struct mm_user *mm)
{
	for (unsigned long i = 0; i < FUEL; i++)
		assert_int_equal(mm_get(mm, i), (unsigned char)(i * 3 + 1));
}

static void close_all(void)
{
	give_frames_back();
	check_fuel(m.s.mm);
	memory_validate(m.s.mm);
	assert_int_equal(mm_munlockall(m.s.mm), 0);
	assert_int_equal(space_unmap(&m.s, 0, SPACE_PAGES), 0);
	store_off(&store, m.s.v);
	memory_close(&m);
}

/* ------------------------------------------------------------------------------- the calls -- */

static void nothing(void)
{
}

/* A page in each 2 MiB, so that whatever copies or moves them wants a table for each. */
static void touch_spans(void)
{
	assert_int_equal(space_map(&m.s, work(0), NR_SPANS * SPAN, RW, ANON), 0);
	for (unsigned long i = 0; i < NR_SPANS; i++)
		assert_int_equal(put(&m, work(i * SPAN + 7), (unsigned char)i), MM_FAULT_DONE);
}

static void check_spans(struct mm_user *mm, unsigned long first)
{
	for (unsigned long i = 0; i < NR_SPANS; i++)
		assert_int_equal(mm_get(mm, first + i * SPAN + 7), (unsigned char)i);
}

/* None merges with its neighbours, and each may get an anon_vma. */
static void map_areas(void)
{
	for (unsigned long i = 0; i < NR_AREAS; i++) {
		assert_int_equal(space_map(&m.s, work(i * 2), 1, RW, ANON), 0);
		assert_int_equal(space_map(&m.s, work(i * 2 + 1), 1, PROT_READ, ANON), 0);
	}
}

static void lock_read_only_areas(void)
{
	map_areas();
	for (unsigned long i = 0; i < NR_AREAS * 2; i++) {
		assert_int_equal(mm_mprotect(m.s.mm, at(work(i)), PAGE_SIZE, PROT_READ), 0);
		/* What would be alike is not. */
		assert_int_equal(mm_madvise(m.s.mm, at(work(i)), PAGE_SIZE,
					    i % 2 ? MADV_DONTFORK : MADV_DOFORK), 0);
		assert_int_equal(mm_mlock2(m.s.mm, at(work(i)), PAGE_SIZE, 0), 0);
	}
}

static struct mm_user *child;

static long call_fork(void)
{
	return mm_fork(m.s.mm, &child);
}

static void check_child(void)
{
	check_spans(child, work(0));
	check_fuel(child);
	memory_validate(child);
	mmput(child);
}

static long call_create(void)
{
	return mm_create(m.s.v, &m.s.mm_config, &child);
}

static void put_child(void)
{
	mmput(child);
}

/* Not aligned to the tables, so that none moves whole. */
#define TARGET		(NR_SPANS * SPAN * 2 + 3)

static long call_mremap(void)
{
	long ret = mm_mremap(m.s.mm, at(work(0)), NR_SPANS * SPAN * PAGE_SIZE,
			     NR_SPANS * SPAN * PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
			     at(work(TARGET)));

	return ret == (long)at(work(TARGET)) ? 0 : ret;
}

static void check_moved(void)
{
	check_spans(m.s.mm, work(TARGET));
	assert_int_equal(get(&m, work(7)), NO_BYTE(MAPERR));
}

/* Three areas, with holes; the last one wants most. */
static void touch_pieces(void)
{
	touch_spans();
	assert_int_equal(space_unmap(&m.s, work(2 * SPAN), 1), 0);
	assert_int_equal(space_unmap(&m.s, work(20 * SPAN), 1), 0);
}

/* What is behind it is cut off before the rest moves. */
static void touch_more(void)
{
	touch_spans();
	assert_int_equal(space_map(&m.s, work(NR_SPANS * SPAN), 10, RW, ANON), 0);
	/* And this is cleared. */
	assert_int_equal(space_map(&m.s, work(TARGET), 10, PROT_READ, ANON), 0);
}

static long call_shrink(void)
{
	long ret = mm_mremap(m.s.mm, at(work(0)), (NR_SPANS * SPAN + 10) * PAGE_SIZE,
			     NR_SPANS * SPAN * PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
			     at(work(TARGET)));

	return ret == (long)at(work(TARGET)) ? 0 : ret;
}

static void check_shrunk(void)
{
	check_moved();
	assert_int_equal(get(&m, work(NR_SPANS * SPAN)), NO_BYTE(MAPERR));
}

static long call_grow(void)
{
	long ret = mm_mremap(m.s.mm, at(work(0)), NR_SPANS * SPAN * PAGE_SIZE,
			     (NR_SPANS + 1) * SPAN * PAGE_SIZE, MREMAP_MAYMOVE, 0);

	if (ret < 0)
		return ret;
	/* Back, with all frames there are: the rest of the test looks for it there. */
	give_frames_back();
	assert_int_equal(mm_mremap(m.s.mm, (unsigned long)ret, NR_SPANS * SPAN * PAGE_SIZE,
				   NR_SPANS * SPAN * PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
				   at(work(TARGET))), at(work(TARGET)));
	return mm_munmap(m.s.mm, (unsigned long)ret, (NR_SPANS + 1) * SPAN * PAGE_SIZE);
}

/* Something behind it, so that it has to move. */
static void touch_and_bar(void)
{
	touch_spans();
	assert_int_equal(space_map(&m.s, work(NR_SPANS * SPAN), 1, PROT_READ, ANON), 0);
}

static void map_spans(void)
{
	assert_int_equal(space_map(&m.s, work(0), NR_SPANS * SPAN, RW, ANON), 0);
}

static long call_guard(void)
{
	return mm_madvise(m.s.mm, at(work(0)), NR_SPANS * SPAN * PAGE_SIZE, MADV_GUARD_INSTALL);
}

static void check_guards(void)
{
	for (unsigned long i = 0; i < NR_SPANS; i++)
		assert_int_equal(get(&m, work(i * SPAN + 9)), NO_BYTE(MAPERR));
}

static long call_process_guard(void)
{
	const struct mm_range ranges[] = {
		{ at(work(0)), SPAN * PAGE_SIZE },
		{ at(work(SPAN)), (NR_SPANS - 1) * SPAN * PAGE_SIZE },
	};
	long ret = mm_process_madvise(m.s.mm, ranges, ARRAY_SIZE(ranges), MADV_GUARD_INSTALL, 0,
				      true);

	return ret == NR_SPANS * SPAN * PAGE_SIZE ? 0 : ret;
}

static long call_mlock(void)
{
	return mm_mlock2(m.s.mm, at(work(0)), NR_AREAS * 2 * PAGE_SIZE, MLOCK_ONFAULT);
}

static long call_mlockall(void)
{
	return mm_mlockall(m.s.mm, MCL_CURRENT | MCL_ONFAULT);
}

static long call_mprotect(void)
{
	return mm_mprotect(m.s.mm, at(work(0)), NR_AREAS * 2 * PAGE_SIZE, RW);
}

static long call_populate(void)
{
	for (unsigned long i = 0; i < NR_AREAS; i++) {
		long err = mm_madvise(m.s.mm, at(work(i * 2)), PAGE_SIZE, MADV_POPULATE_WRITE);

		if (err)
			return err;
	}
	return 0;
}

static void check_populated(void)
{
	for (unsigned long i = 0; i < NR_AREAS; i++)
		assert_int_equal(get(&m, work(i * 2)), 0);
}

static long call_mmap(void)
{
	for (unsigned long i = 0; i < NR_AREAS; i++) {
		long err = space_map(&m.s, work(i * 2), 1, RW, ANON | MAP_POPULATE);

		if (err)
			return err;
	}
	return 0;
}

static void lock_future(void)
{
	assert_int_equal(mm_mlockall(m.s.mm, MCL_FUTURE), 0);
}

static long call_brk(void)
{
	unsigned long brk = at(HEAP) + PAGE_SIZE;

	return mm_brk(m.s.mm, brk) == brk ? 0 : -ENOMEM;
}

static struct user_faults *uf;

static void register_spans(void)
{
	struct user_faults_config config = USER_FAULTS_CONFIG_INIT;

	map_spans();
	assert_int_equal(user_faults_create(m.s.mm, &config, &uf), 0);
	assert_int_equal(user_faults_register(uf, at(work(0)), NR_SPANS * SPAN * PAGE_SIZE,
					      USER_FAULT_MISSING), 0);
}

static long call_fill(void)
{
	static const unsigned char bytes[PAGE_SIZE] = { [123] = 77 };

	for (unsigned long i = 0; i < NR_SPANS; i++) {
		long ret = user_faults_copy(uf, at(work(i * SPAN)), bytes, PAGE_SIZE, 0);

		if (ret != PAGE_SIZE)
			return ret;
	}
	return 0;
}

static void check_filled(void)
{
	for (unsigned long i = 0; i < NR_SPANS; i++)
		assert_int_equal(get(&m, work(i * SPAN)), 77);
	user_faults_put(uf);
}

/* Their bytes have to come back, and the fuel goes elsewhere. */
static struct store second;

static void swap_spans_elsewhere(void)
{
	store_on(&second, m.s.v, 500, 1);
	touch_spans();
	assert_int_equal(mm_madvise(m.s.mm, at(work(0)), NR_SPANS * SPAN * PAGE_SIZE,
				    MADV_PAGEOUT), 0);
	assert_int_equal(store_used(&second, m.s.v), NR_SPANS);
}

static long call_swapoff(void)
{
	return vmarea_swapoff(m.s.v, second.id);
}

static void check_swapped(void)
{
	store_free(&second);
	check_spans(m.s.mm, work(0));
}

static const struct {
	const char *name;
	void (*before)(void);
	long (*call)(void);
	void (*after)(void);
	bool in_steps;			/* a failure leaves what came before it */
} calls[] = {
	{ "fork", touch_spans, call_fork, check_child, false },
	{ "mm_create", nothing, call_create, put_child, false },
	{ "mremap", touch_spans, call_mremap, check_moved, false },
	{ "mremap, three areas", touch_pieces, call_mremap, check_moved, true },
	{ "mremap, with a tail", touch_more, call_shrink, check_shrunk, true },
	{ "mremap, longer", touch_and_bar, call_grow, check_moved, false },
	{ "guards", map_spans, call_guard, check_guards, true },
	{ "guards by process_madvise", map_spans, call_process_guard, check_guards, true },
	{ "mlock", map_areas, call_mlock, nothing, false },
	{ "mlockall", map_areas, call_mlockall, nothing, false },
	{ "mprotect", lock_read_only_areas, call_mprotect, nothing, false },
	{ "populate", map_areas, call_populate, check_populated, true },
	{ "mmap", nothing, call_mmap, nothing, true },
	{ "brk", lock_future, call_brk, nothing, false },
	{ "user_faults_copy", register_spans, call_fill, check_filled, true },
	{ "swapoff", swap_spans_elsewhere, call_swapoff, check_swapped, true },
};

/* ---------------------------------------------------------------------------------- tests -- */

static void note(size_t i, const char *what, long ret)
{
	if (ret)
		fail_msg("%s, %s: %ld", calls[i].name, what, ret);
}

static void expect_no_memory(size_t i, long ret)
{
	if (ret != -ENOMEM)
		fail_msg("%s, with nothing to take: %ld", calls[i].name, ret);
}

static void test_calls_take_pages_back(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		struct vmarea_reclaim_stats before;

		open_all();
		calls[i].before();
		take_all_frames();
		before = reclaim_stats(&m);
		note(i, "with pages to take", calls[i].call());
		assert_true(reclaim_stats(&m).swapped > before.swapped);
		give_frames_back();
		calls[i].after();
		close_all();
	}
}

/*
 * What the mm says of itself, but for what the library keeps for later.  A page that could not be
 * written to its slot is in core, and its entry names the slot.
 */
static struct mm_stats stats_of(struct mm_user *mm)
{
	struct mm_stats stats;

	mm_get_stats(mm, &stats);
	stats.bytes = 0;
	stats.anon_pages += stats.swap_pages;
	stats.swap_pages = 0;
	return stats;
}

/* -ENOMEM is what remains, soon; when pages go again, the same call succeeds. */
static void test_calls_fail_when_nothing_goes(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		struct mm_stats before, after;
		u64 waits;

		open_all();
		calls[i].before();
		take_all_frames();
		atomic_store_relaxed(&store.fail_writes, 1);
		before = stats_of(m.s.mm);
		waits = reclaim_stats(&m).waits;
		expect_no_memory(i, calls[i].call());
		assert_in_range(reclaim_stats(&m).waits - waits, 1, 200);
		after = stats_of(m.s.mm);
		if (!calls[i].in_steps)
			assert_memory_equal(&before, &after, sizeof(before));
		memory_validate(m.s.mm);
		atomic_store_relaxed(&store.fail_writes, 0);
		note(i, "after a failure", calls[i].call());
		give_frames_back();
		calls[i].after();
		close_all();
	}
}

static void test_who_asks_himself_is_told_at_once(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		struct vmarea_reclaim_stats before;

		open_all();
		calls[i].before();
		take_all_frames();
		vmarea_set_reclaim_when(m.s.v, VMAREA_RECLAIM_WHEN_ASKED);
		before = reclaim_stats(&m);
		expect_no_memory(i, calls[i].call());
		assert_int_equal(reclaim_stats(&m).waits, before.waits);
		assert_int_equal(reclaim_stats(&m).swapped, before.swapped);
		vmarea_set_reclaim_when(m.s.v, VMAREA_RECLAIM_AT_LIMITS);
		note(i, "when it may", calls[i].call());
		give_frames_back();
		calls[i].after();
		close_all();
	}
}

/* No page that goes would make room there. */
static void test_limits_of_other_kinds_take_nothing(void **state)
{
	struct vmarea_reclaim_stats before;

	open_all();
	touch_spans();
	take_all_frames();
	before = reclaim_stats(&m);
	assert_int_equal(mm_set_rlimit(m.s.mm, MM_RLIMIT_AS, PAGE_SIZE), 0);
	assert_int_equal(space_map(&m.s, work(NR_SPANS * SPAN), 1, RW, ANON), -ENOMEM);
	assert_int_equal(mm_mremap(m.s.mm, at(work(0)), PAGE_SIZE, 2 * PAGE_SIZE, MREMAP_MAYMOVE,
				   0), -ENOMEM);
	assert_int_equal(mm_set_rlimit(m.s.mm, MM_RLIMIT_AS, ~0ul), 0);
	/* Holes, and no place. */
	assert_int_equal(mm_mprotect(m.s.mm, at(400000), PAGE_SIZE, RW), -ENOMEM);
	assert_int_equal(mm_madvise(m.s.mm, at(400000), PAGE_SIZE, MADV_POPULATE_WRITE), -ENOMEM);
	assert_int_equal(mm_mmap(m.s.mm, 0, 1ul << 60, RW, ANON | MAP_NORESERVE, NULL, 0),
			 -ENOMEM);
	assert_int_equal(reclaim_stats(&m).waits, before.waits);
	assert_int_equal(reclaim_stats(&m).swapped, before.swapped);
	close_all();
}

/* -------------------------------------------------------------------------------- drivers -- */

static unsigned int nr_mmaps, nr_opens, nr_closes, nr_moves;

static void driver_open(struct vma_mut *vma)
{
	nr_opens++;
}

static void driver_close(struct vma_mut *vma)
{
	nr_closes++;
}

static int driver_moved(struct vma_mut *vma)
{
	nr_moves++;
	return 0;
}

static const struct vm_operations_struct driver_vm_ops = {
	.open = driver_open, .close = driver_close, .mremap = driver_moved,
};

static int driver_mmap(struct file *file, struct vma_new *vma) __in_mmap_hook
{
	nr_mmaps++;
	vma_set_owner(vma, &driver_vm_ops, NULL);
	return *(int *)file_private_data(file);
}

static const struct file_operations driver_ops = { .owner = "driver", .mmap = driver_mmap };

static struct file *driver_file(int *answer)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/driver", .flags = FILE_READ | FILE_WRITE,
		.ops = &driver_ops, .private_data = answer, .size_bytes = PAGE_SIZE,
	};
	struct file *file;

	assert_int_equal(file_create(m.s.v, &desc, &file), 0);
	nr_mmaps = nr_opens = nr_closes = nr_moves = 0;
	return file;
}

/* A call that was made again has told drivers what happened once. */
static void test_hooks_are_called_once(void **state)
{
	struct vmarea_reclaim_stats before;
	int answer = 0;
	struct file *file;

	open_all();
	file = driver_file(&answer);
	touch_spans();
	assert_int_equal(space_map_file(&m.s, work(NR_SPANS * SPAN), 1, RW, MAP_SHARED, file, 0), 0);
	assert_int_equal(nr_mmaps, 1);
	take_all_frames();
	before = reclaim_stats(&m);
	assert_int_equal(call_fork(), 0);
	assert_true(reclaim_stats(&m).waits > before.waits);
	assert_int_equal(nr_opens, 1);
	assert_int_equal(nr_closes, 0);
	take_all_frames();
	before = reclaim_stats(&m);
	assert_int_equal(mm_mremap(m.s.mm, at(work(0)), (NR_SPANS * SPAN + 1) * PAGE_SIZE,
				   (NR_SPANS * SPAN + 1) * PAGE_SIZE,
				   MREMAP_MAYMOVE | MREMAP_FIXED, at(work(TARGET))),
			 at(work(TARGET)));
	assert_true(reclaim_stats(&m).waits > before.waits);
	assert_int_equal(nr_opens, 2);
	assert_int_equal(nr_moves, 1);
	assert_int_equal(nr_closes, 1);
	give_frames_back();
	check_child();
	check_spans(m.s.mm, work(TARGET));
	file_put(file);
	close_all();
}

static sem_t released;
static long call_in_release;

static void release_and_fork(struct file *file)
{
	call_in_release = call_fork();
	sem_post(&released);
}

/* The last put of an mm is carried out by the background thread, and there release() may call. */
static void test_release_in_background_takes_pages_back(void **state)
{
	static const struct file_operations ops = {
		.owner = "driver", .mmap = driver_mmap, .release = release_and_fork,
	};
	struct file_desc desc = {
		.size = sizeof(desc), .name = "/driver", .flags = FILE_READ, .ops = &ops,
		.size_bytes = PAGE_SIZE,
	};
	struct vmarea_reclaim_stats before;
	struct mm_user *leaving;
	struct file *file;
	int answer = 0;

	open_all();
	assert_int_equal(sem_init(&released, 0, 0), 0);
	desc.private_data = &answer;
	assert_int_equal(file_create(m.s.v, &desc, &file), 0);
	assert_int_equal(mm_create(m.s.v, &m.s.mm_config, &leaving), 0);
	assert_int_equal(mm_mmap(leaving, at(work(0)), PAGE_SIZE, PROT_READ,
				 MAP_SHARED | MAP_FIXED, file, 0), at(work(0)));
	file_put(file);
	touch_spans();
	take_all_frames();
	before = reclaim_stats(&m);
	mmput_async(leaving);
	while (sem_wait(&released))
		;
	assert_int_equal(call_in_release, 0);
	assert_true(reclaim_stats(&m).waits > before.waits);
	sem_destroy(&released);
	give_frames_back();
	check_child();
	check_spans(m.s.mm, work(0));
	close_all();
}

/* Its own word, and the program gets it. */
static void test_a_hook_without_memory_is_asked_once(void **state)
{
	int answer = -ENOMEM;
	struct file *file;

	open_all();
	file = driver_file(&answer);
	take_all_frames();
	assert_int_equal(space_map_file(&m.s, work(0), 1, RW, MAP_SHARED, file, 0), -ENOMEM);
	assert_int_equal(nr_mmaps, 1);
	assert_int_equal(nr_closes, 0);
	file_put(file);
	close_all();
}

/* Whatever it says: 512 is what a kernel's driver calls ERESTARTSYS. */
static void test_what_a_hook_says_is_not_taken_for_ours(void **state)
{
	struct file *file;
	int answer;

	open_all();
	file = driver_file(&answer);
	for (answer = -1; answer >= -4095; answer--) {
		nr_mmaps = 0;
		assert_int_equal(space_map_file(&m.s, work(0), 1, RW, MAP_SHARED, file, 0), answer);
		assert_int_equal(nr_mmaps, 1);
	}
	file_put(file);
	close_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls_take_pages_back),
		cmocka_unit_test(test_calls_fail_when_nothing_goes),
		cmocka_unit_test(test_who_asks_himself_is_told_at_once),
		cmocka_unit_test(test_limits_of_other_kinds_take_nothing),
		cmocka_unit_test(test_hooks_are_called_once),
		cmocka_unit_test(test_release_in_background_takes_pages_back),
		cmocka_unit_test(test_a_hook_without_memory_is_asked_once),
		cmocka_unit_test(test_what_a_hook_says_is_not_taken_for_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
