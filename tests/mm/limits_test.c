/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What bounds a mapping, and with which errno each limit answers.
 */
#include <errno.h>
#include <pthread.h>

#include "mm/mm.h"
#include "space.h"

#define MIB	(1ul << 20)
#define GIB	(1ul << 30)

static long map(struct space *s, unsigned long len, unsigned long prot, unsigned long flags)
{
	long ret = mm_mmap(s->mm, 0, len, prot, ANON | flags, NULL, 0);

	return ret > 0 ? 0 : ret;
}

static void data_limit_counts_private_writable_memory(void **state)
{
	struct space s;
	long none;

	(void)state;
	space_init(&s);
	s.mm_config.rlimit[MM_RLIMIT_DATA] = 8 * MIB;
	space_create(&s);
	assert_int_equal(map(&s, 64 * MIB, RW, 0), -ENOMEM);
	none = mm_mmap(s.mm, 0, 64 * MIB, PROT_NONE, ANON, NULL, 0);
	assert_true(none > 0);
	assert_int_equal(mm_mprotect(s.mm, (unsigned long)none, 64 * MIB, RW), -ENOMEM);
	assert_int_equal(map(&s, 64 * MIB, PROT_READ, 0), 0);
	assert_int_equal(map(&s, 64 * MIB, RW, MAP_GROWSDOWN), 0);
	assert_int_equal(map(&s, 8 * MIB, RW, 0), 0);
	assert_int_equal(map(&s, 1, RW, 0), -ENOMEM);
	space_close(&s);
}

static void data_limit_of_zero_is_for_the_heap_alone(void **state)
{
	struct space s;

	(void)state;
	space_init(&s);
	s.mm_config.rlimit[MM_RLIMIT_DATA] = 0;
	s.mm_config.start_brk = s.mm_config.brk = SPACE_BASE;
	space_create(&s);
	assert_int_equal(map(&s, 64 * MIB, RW, 0), 0);
	assert_int_equal(mm_brk(s.mm, SPACE_BASE + 1), SPACE_BASE);
	space_close(&s);
}

static void address_space_limit_counts_everything(void **state)
{
	struct space s;

	(void)state;
	space_init(&s);
	s.mm_config.rlimit[MM_RLIMIT_AS] = GIB;
	space_create(&s);
	assert_int_equal(map(&s, 2 * GIB, PROT_NONE, MAP_NORESERVE), -ENOMEM);
	assert_int_equal(space_map(&s, 0, 4096, RW, ANON), 0);
	assert_int_equal(mm_mremap(s.mm, at(0), 16 * MIB, 2 * GIB, MREMAP_MAYMOVE, 0), -ENOMEM);
	/* What is replaced does not count twice: this is all there may be. */
	assert_int_equal(map(&s, GIB - 16 * MIB, PROT_NONE, 0), 0);
	assert_int_equal(space_map(&s, 0, 4096, RW, ANON), 0);
	assert_int_equal(map(&s, 1, PROT_NONE, 0), -ENOMEM);
	space_close(&s);
}

static void locked_memory_limit(void **state)
{
	struct space s;

	(void)state;
	space_init(&s);
	s.mm_config.rlimit[MM_RLIMIT_MEMLOCK] = 64 << 10;
	space_create(&s);
	assert_int_equal(map(&s, MIB, RW, MAP_LOCKED), -EAGAIN);
	assert_int_equal(space_map(&s, 0, 256, RW, ANON), 0);
	assert_int_equal(mm_mlock(s.mm, at(0), MIB), -ENOMEM);
	assert_int_equal(mm_mlock(s.mm, at(0), 64 << 10), 0);
	assert_areas(&s, "[0..16)rw-p [16..256)rw-p");
	assert_int_equal(mm_mlock(s.mm, at(16), SPACE_PAGE), -ENOMEM);
	assert_int_equal(mm_mremap(s.mm, at(0), 64 << 10, 128 << 10, MREMAP_MAYMOVE, 0), -EAGAIN);
	assert_int_equal(mm_set_caps(s.mm, MM_CAP_IPC_LOCK), 0);
	assert_int_equal(mm_mlock(s.mm, at(0), MIB), 0);
	assert_int_equal(map(&s, MIB, RW, MAP_LOCKED), 0);
	space_close(&s);
}

static void no_locked_memory_at_all_is_another_errno(void **state)
{
	struct space s;

	(void)state;
	space_init(&s);
	s.mm_config.rlimit[MM_RLIMIT_MEMLOCK] = 0;
	space_create(&s);
	assert_int_equal(map(&s, SPACE_PAGE, RW, MAP_LOCKED), -EPERM);
	space_close(&s);
}

static void guessing_refuses_what_can_never_fit(void **state)
{
	struct space s;

	(void)state;
	space_init(&s);
	s.config.total_ram_pages = 32 * GIB / SPACE_PAGE;
	space_create(&s);
	assert_int_equal(map(&s, 1024 * GIB, RW, 0), -ENOMEM);
	assert_int_equal(map(&s, 1024 * GIB, RW, MAP_NORESERVE), 0);
	assert_int_equal(map(&s, 1024 * GIB, PROT_NONE, 0), 0);
	assert_int_equal(map(&s, 20 * GIB, RW, 0), 0);
	/* Each call is looked at alone. */
	assert_int_equal(map(&s, 32 * GIB, RW, 0), 0);
	assert_int_equal(map(&s, 32 * GIB + 1, RW, 0), -ENOMEM);
	assert_int_equal(vmarea_committed_pages(s.v), 52 * GIB / SPACE_PAGE);
	space_close(&s);
}

struct commit_case {
	enum vmarea_overcommit mode;
	unsigned int ratio;
	unsigned long kbytes;		/* instead of the ratio */
	unsigned long swap_pages;
	unsigned int nr_huge_2m_pages;
	unsigned int caps;
	unsigned long fits;		/* the most that is promised, in pages; 0: no bound */
};

/* 1,000,000 pages of memory; the administrator's reserve is 2048 pages, the user's 32768. */
static const struct commit_case commit_cases[] = {
	{ VMAREA_OVERCOMMIT_ALWAYS, 50, 0, 0, 0, 0, 0 },
	{ VMAREA_OVERCOMMIT_GUESS, 50, 0, 0, 0, 0, 1000000 },
	{ VMAREA_OVERCOMMIT_GUESS, 50, 0, 5000, 0, 0, 1005000 },
	/* The promise must stay below the limit, so one less than it. */
	{ VMAREA_OVERCOMMIT_NEVER, 50, 0, 0, 0, MM_CAP_SYS_ADMIN, 499999 },
	{ VMAREA_OVERCOMMIT_NEVER, 50, 0, 0, 0, 0, 497951 },
	{ VMAREA_OVERCOMMIT_NEVER, 80, 0, 1000, 0, MM_CAP_SYS_ADMIN, 800999 },
	{ VMAREA_OVERCOMMIT_NEVER, 50, 400000, 0, 0, MM_CAP_SYS_ADMIN, 99999 },
	{ VMAREA_OVERCOMMIT_NEVER, 50, 0, 0, 1000, MM_CAP_SYS_ADMIN, 243999 },
};

static void overcommit_modes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(commit_cases) / sizeof(commit_cases[0]); i++) {
		const struct commit_case *c = &commit_cases[i];
		struct mm_struct *mm;
		struct space s;

		space_init(&s);
		s.config.total_ram_pages = 1000000;
		s.config.total_swap_pages = c->swap_pages;
		s.config.overcommit = c->mode;
		s.config.overcommit_ratio = c->ratio;
		s.config.overcommit_kbytes = c->kbytes;
		s.config.nr_huge_2m_pages = c->nr_huge_2m_pages;
		s.mm_config.caps = c->caps;
		space_create(&s);
		mm = mm_of(s.mm);
		if (c->fits)
			assert_int_equal(mm_commit(mm, c->fits + 1), -ENOMEM);
		else
			assert_int_equal(mm_commit(mm, 1ul << 40), 0);
		assert_int_equal(vmarea_committed_pages(s.v), c->fits ? 0 : 1ul << 40);
		mm_uncommit(mm, c->fits ? 0 : 1ul << 40);
		assert_int_equal(mm_commit(mm, c->fits), 0);
		assert_int_equal(vmarea_committed_pages(s.v), c->fits);
		mm_uncommit(mm, c->fits);
		space_close(&s);
	}
}

/* Memory without end, and swap beside it, is no less than memory alone. */
static void a_machine_without_end(void **state)
{
	struct space s;

	(void)state;
	space_init(&s);
	s.config.total_ram_pages = ~0ul;
	s.config.total_swap_pages = 1000;
	space_create(&s);
	assert_int_equal(map(&s, 1024 * GIB, RW, 0), 0);
	space_close(&s);
}

/* Of its own size one process has to leave the 32nd part, up to the reserve. */
static void a_big_process_leaves_something(void **state)
{
	struct space s;
	struct mm_struct *mm;

	(void)state;
	space_init(&s);
	s.config.total_ram_pages = 1000000;
	s.config.overcommit = VMAREA_OVERCOMMIT_NEVER;
	s.mm_config.caps = MM_CAP_SYS_ADMIN;
	space_create(&s);
	mm = mm_of(s.mm);
	assert_int_equal(map(&s, 320000 * SPACE_PAGE, PROT_NONE, 0), 0);
	assert_int_equal(mm_commit(mm, 490000), -ENOMEM);
	assert_int_equal(mm_commit(mm, 489999), 0);
	mm_uncommit(mm, 489999);
	assert_int_equal(map(&s, 3200000 * SPACE_PAGE, PROT_NONE, 0), 0);
	assert_int_equal(mm_commit(mm, 500000 - 32768), -ENOMEM);
	assert_int_equal(mm_commit(mm, 500000 - 32769), 0);
	mm_uncommit(mm, 500000 - 32769);
	space_close(&s);
}

/* Without overcommit MAP_NORESERVE asks in vain. */
static void noreserve_counts_when_nothing_is_overcommitted(void **state)
{
	struct space s;

	(void)state;
	space_init(&s);
	s.config.total_ram_pages = 100000;
	s.config.overcommit = VMAREA_OVERCOMMIT_NEVER;
	space_create(&s);
	assert_int_equal(map(&s, 100000 * SPACE_PAGE, RW, MAP_NORESERVE), -ENOMEM);
	assert_int_equal(map(&s, 1000 * SPACE_PAGE, RW, MAP_NORESERVE), 0);
	assert_int_equal(vmarea_committed_pages(s.v), 1000);
	space_close(&s);
}

struct kind_case {
	vm_flags_t flags;
	bool data, stack, accountable;
	unsigned int total;		/* which of data, exec, stack counts it; 0: none */
};

static const struct kind_case kind_cases[] = {
	{ VM_READ, false, false, false, 0 },
	{ VM_READ | VM_WRITE, true, false, true, 'd' },
	{ VM_WRITE | VM_EXEC, true, false, true, 'd' },
	{ VM_READ | VM_EXEC, false, false, false, 'x' },
	{ VM_READ | VM_EXEC | VM_SHARED, false, false, false, 'x' },
	{ VM_READ | VM_WRITE | VM_SHARED, false, false, false, 0 },
	{ VM_READ | VM_WRITE | VM_NORESERVE, true, false, false, 'd' },
	{ VM_READ | VM_WRITE | VM_GROWSDOWN, false, true, true, 's' },
	{ VM_READ | VM_EXEC | VM_GROWSDOWN, false, true, false, 's' },
};

static void kinds_of_area(void **state)
{
	struct space s;
	struct mm_struct *mm;

	(void)state;
	space_open(&s);
	mm = mm_of(s.mm);
	for (size_t i = 0; i < sizeof(kind_cases) / sizeof(kind_cases[0]); i++) {
		const struct kind_case *c = &kind_cases[i];

		assert_int_equal(mm_is_data(c->flags), c->data);
		assert_int_equal(mm_is_stack(c->flags), c->stack);
		assert_int_equal(mm_is_accountable(NULL, c->flags), c->accountable);
		mm_write_lock(mm);
		mm_account(mm, c->flags, 3);
		assert_int_equal(mm->total_vm, 3);
		assert_int_equal(mm->data_vm, c->total == 'd' ? 3 : 0);
		assert_int_equal(mm->exec_vm, c->total == 'x' ? 3 : 0);
		assert_int_equal(mm->stack_vm, c->total == 's' ? 3 : 0);
		mm_account(mm, c->flags, -3);
		mm_write_unlock(mm);
		assert_int_equal(mm->total_vm, 0);
	}
	space_close(&s);
}

static void huge_files_are_not_accounted(void **state)
{
	struct space s;
	struct file *file;

	(void)state;
	space_open(&s);
	file = space_file(&s, 512, FILE_HUGETLB, FILE_PLACE_ANY);
	assert_false(mm_is_accountable(file, VM_READ | VM_WRITE));
	file_put(file);
	space_close(&s);
}

#define PAGES_2M	512ul

static void huge_pages_beyond_all_memory_leave_none_to_promise(void **state)
{
	struct space s;

	(void)state;
	space_init(&s);
	s.config.overcommit = VMAREA_OVERCOMMIT_NEVER;
	s.config.total_ram_pages = PAGES_2M;
	s.config.nr_huge_2m_pages = 2;
	s.config.user_reserve_kbytes = s.config.admin_reserve_kbytes = 0;
	space_create(&s);
	assert_int_equal(map(&s, SPACE_PAGE, RW, 0), -ENOMEM);
	space_close(&s);
}

/* What a shared mapping sets aside is the file's: not lost when the file is. */
static void shared_huge_pages_come_back_with_the_file(void **state)
{
	struct space s;
	struct file *file;

	(void)state;
	space_init(&s);
	s.config.nr_huge_2m_pages = 2;
	space_create(&s);
	file = space_file(&s, 2 * PAGES_2M, FILE_HUGETLB, FILE_PLACE_ANY);
	assert_int_equal(space_map_file(&s, 0, PAGES_2M, RW, MAP_SHARED, file, 0), 0);
	assert_int_equal(map(&s, 4 * MIB, RW, MAP_HUGETLB), -ENOMEM);
	/* The same page again is no more. */
	assert_int_equal(space_map_file(&s, PAGES_2M, PAGES_2M, RW, MAP_SHARED, file, 0), 0);
	assert_int_equal(space_unmap(&s, 0, 2 * PAGES_2M), 0);
	assert_int_equal(map(&s, 4 * MIB, RW, MAP_HUGETLB), -ENOMEM);
	file_put(file);
	assert_int_equal(map(&s, 4 * MIB, RW, MAP_HUGETLB), 0);
	space_close(&s);
}

struct mapper {
	struct file *file;
	struct mm_user *mm;
};

static void *map_more_and_more(void *arg)
{
	const struct mapper *m = arg;

	for (unsigned long nr = 1; nr <= 64; nr++)
		assert_int_equal(mm_mmap(m->mm, at(0), nr * 2 * MIB, RW, MAP_SHARED | MAP_FIXED,
					 m->file, 0), at(0));
	return NULL;
}

/* One file in two mms, each with its own mmap lock: together they set aside what one would. */
static void two_mms_set_the_same_huge_pages_aside(void **state)
{
	struct mapper a, b;
	pthread_t thread;
	struct space s;

	(void)state;
	space_init(&s);
	s.config.nr_huge_2m_pages = 128;
	space_create(&s);
	a = (struct mapper){ space_file(&s, 64 * PAGES_2M, FILE_HUGETLB, FILE_PLACE_ANY), s.mm };
	b = a;
	assert_int_equal(mm_create(s.v, &s.mm_config, &b.mm), 0);
	assert_int_equal(pthread_create(&thread, NULL, map_more_and_more, &b), 0);
	map_more_and_more(&a);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(map(&s, 65 * 2 * MIB, RW, MAP_HUGETLB), -ENOMEM);
	assert_int_equal(map(&s, 64 * 2 * MIB, RW, MAP_HUGETLB), 0);
	mmput(b.mm);
	file_put(a.file);
	space_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_limit_counts_private_writable_memory),
		cmocka_unit_test(data_limit_of_zero_is_for_the_heap_alone),
		cmocka_unit_test(address_space_limit_counts_everything),
		cmocka_unit_test(locked_memory_limit),
		cmocka_unit_test(no_locked_memory_at_all_is_another_errno),
		cmocka_unit_test(guessing_refuses_what_can_never_fit),
		cmocka_unit_test(overcommit_modes),
		cmocka_unit_test(a_machine_without_end),
		cmocka_unit_test(a_big_process_leaves_something),
		cmocka_unit_test(noreserve_counts_when_nothing_is_overcommitted),
		cmocka_unit_test(kinds_of_area),
		cmocka_unit_test(huge_files_are_not_accounted),
		cmocka_unit_test(huge_pages_beyond_all_memory_leave_none_to_promise),
		cmocka_unit_test(shared_huge_pages_come_back_with_the_file),
		cmocka_unit_test(two_mms_set_the_same_huge_pages_aside),
	};

	return cmocka_run_group_tests_name("mm/limits", tests, NULL, NULL);
}
