/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * fork(), exec() and the references to an mm.
 */
#include <limits.h>
#include <pthread.h>

#include "steps.h"

#define RO	PROT_READ
#define FIXED	(MREMAP_MAYMOVE | MREMAP_FIXED)

static const struct scenario merging[] = {
	{ "what the child inherits touched does not merge with what is new", STEPS(
		MAP(0, 1, RW), TOUCH(0), FORK, MAP(1, 1, RW), AREAS("[0..1)rw-p [1..2)rw-p"),
		TOUCH(0), MAP(2, 1, RW), AREAS("[0..1)rw-p [1..3)rw-p"), PARENT,
		MAP(1, 1, RW), AREAS("[0..2)rw-p")) },
	{ "the parent merges while the child lives", STEPS(
		MAP(0, 1, RW), TOUCH(0), FORK, PARENT, MAP(1, 1, RW), AREAS("[0..2)rw-p")) },
	{ "what is split in the child joins again", STEPS(
		MAP(0, 3, RW), TOUCH(0), FORK, PROTECT(1, 1, RO, 0),
		AREAS("[0..1)rw-p [1..2)r--p [2..3)rw-p"), PROTECT(1, 1, RW, 0),
		AREAS("[0..3)rw-p")) },
	{ "what is inherited untouched merges", STEPS(
		MAP(0, 1, RW), FORK, MAP(1, 1, RW), AREAS("[0..2)rw-p")) },
	{ "between touched and untouched, the untouched one takes it", STEPS(
		MAP(0, 1, RW), TOUCH(0), MAP(2, 1, RW), FORK, MAP(1, 1, RW),
		AREAS("[0..1)rw-p [1..3)rw-p")) },
	{ "identical neighbours persist until something changes", STEPS(
		MAP(0, 1, RW), MAP(1, 1, RW), MLOCK2(0, 1, MLOCK_ONFAULT, 0),
		AREAS("[0..1)rw-p [1..2)rw-p"), FORK, MARKS("[0..1)rw-p:ac [1..2)rw-p:ac"),
		PROTECT(0, 2, RW, 0), AREAS("[0..1)rw-p [1..2)rw-p"),
		PROTECT(0, 2, RO, 0), AREAS("[0..2)r--p")) },
	{ "inherited beside new: changed together, still apart", STEPS(
		MAP(0, 1, RW), TOUCH(0), FORK, MAP(1, 1, RW), PROTECT(0, 2, RW, 0),
		AREAS("[0..1)rw-p [1..2)rw-p"), PROTECT(0, 2, RO, 0),
		AREAS("[0..1)r--p [1..2)r--p"), PROTECT(0, 2, RW, 0),
		AREAS("[0..1)rw-p [1..2)rw-p")) },
	{ "a touched area is moved in the child as in the parent", STEPS(
		MAP(0, 2, RW), TOUCH(0), FORK, MREMAP(1, 1, 1, FIXED, 10, 10),
		AREAS("[0..1)rw-p [10..11)rw-p"), MREMAP(10, 1, 1, FIXED, 1, 1),
		AREAS("[0..2)rw-p")) },
};

static const struct scenario inheriting[] = {
	{ "DONTFORK is not inherited, WIPEONFORK is as if new, locks are dropped", STEPS(
		MAP(0, 1, RW), MAP(1, 1, RW), MAP(2, 1, RW), ADVISE(1, 1, MADV_DONTFORK),
		MAP(8, 1, RW), TOUCH(8), ADVISE(8, 1, MADV_WIPEONFORK), MAP(12, 1, RW),
		MLOCK(12, 1, 0), FORK,
		MARKS("[0..1)rw-p:ac [2..3)rw-p:ac [8..9)rw-p:ac wf [12..13)rw-p:ac"), LOCKED(0),
		MAP(9, 1, RW), ADVISE(9, 1, MADV_WIPEONFORK), AREAS(
		"[0..1)rw-p [2..3)rw-p [8..10)rw-p [12..13)rw-p"),
		PARENT, LOCKED(1), MARKS(
		"[0..1)rw-p:ac [1..2)rw-p:dc ac [2..3)rw-p:ac [8..9)rw-p:ac wf "
		"[12..13)rw-p:lo ac")) },
	{ "MCL_FUTURE is not inherited", STEPS(
		MLOCKALL(MCL_FUTURE, 0), FORK, MAP(0, 1, RW), MARKS("[0..1)rw-p:ac"), PARENT,
		MAP(0, 1, RW), MARKS("[0..1)rw-p:lo ac")) },
	{ "limits and rights are", STEPS(
		CAPS(0), LIMIT(MM_RLIMIT_MEMLOCK, PAGE), MAP(0, 2, RW), FORK, MLOCK(0, 2, -ENOMEM),
		MLOCK(0, 1, 0), LIMIT(MM_RLIMIT_MEMLOCK, 2 * PAGE), MLOCK(0, 2, 0), PARENT,
		MLOCK(0, 2, -ENOMEM)) },
	{ "files, shared memory, seals", STEPS(
		MAP_FILE(0, 2, RO, MAP_PRIVATE, PLAIN_FILE, 0), MAP_SHM(2, 2, RW), MAP(4, 1, RW),
		SEAL(4, 1), FORK, MARKS("[0..2)r--p [2..4)rw-s [4..5)rw-p:ac sl"),
		{ STEP_UNMAP, { 4, 1 }, -EPERM },
		MAP_FILE(5, 1, RO, MAP_PRIVATE, PLAIN_FILE, 5), UNMAP(0, 4), PARENT,
		AREAS("[0..2)r--p [2..4)rw-s [4..5)rw-p")) },
	{ "parent and child change apart", STEPS(
		MAP(0, 4, RW), FORK, UNMAP(1, 1), PROTECT(2, 1, RO, 0),
		AREAS("[0..1)rw-p [2..3)r--p [3..4)rw-p"), PARENT, AREAS("[0..4)rw-p")) },
};

static void test_merging(void **state)
{
	run_scenarios(merging, ARRAY_LEN(merging));
}

static void test_inheriting(void **state)
{
	run_scenarios(inheriting, ARRAY_LEN(inheriting));
}

/* ---------------------------------------------------------------- totals -- */

static struct mm_stats stats_of(struct mm_user *mm)
{
	struct mm_stats stats;

	mm_get_stats(mm, &stats);
	return stats;
}

static void test_totals(void **state)
{
	struct mm_stats parent, child;
	struct mm_user *mm;
	struct space s;

	space_open(&s);
	map_anon(&s, 0, 4, RW);
	map_anon(&s, 4, 2, PROT_READ | PROT_EXEC);
	map_anon(&s, 8, 3, RW);
	assert_int_equal(space_map(&s, 20, 5, RW, ANON | MAP_GROWSDOWN), 0);
	assert_int_equal(advise(&s, 8, 3, MADV_DONTFORK), 0);
	assert_int_equal(mm_mlock(s.mm, at(0), PAGE), 0);
	assert_int_equal(mm_fork(s.mm, &mm), 0);
	parent = stats_of(s.mm);
	child = stats_of(mm);
	assert_int_equal(parent.nr_areas, 5);
	assert_int_equal(child.nr_areas, 4);
	assert_int_equal(child.total_pages, parent.total_pages - 3);
	assert_int_equal(child.data_pages, parent.data_pages - 3);
	assert_int_equal(child.exec_pages, 2);
	assert_int_equal(child.stack_pages, 5);
	assert_int_equal(parent.locked_pages, 1);
	assert_int_equal(child.locked_pages, 0);
	assert_int_equal(child.committed_pages, 9);
	assert_int_equal(vmarea_committed_pages(s.v), 12 + 9);
	mmput(mm);
	assert_int_equal(vmarea_committed_pages(s.v), 12);
	space_close(&s);
}

/* Each area is promised in turn; what was promised before the one that is refused is taken back. */
static void test_refused_memory(void **state)
{
	struct mm_user *child = NULL;
	struct space s;

	space_init(&s);
	s.config.overcommit = VMAREA_OVERCOMMIT_NEVER;
	s.config.total_ram_pages = 60;
	s.config.overcommit_ratio = 50;
	s.config.user_reserve_kbytes = 0;
	s.config.admin_reserve_kbytes = 0;
	space_create(&s);
	map_anon(&s, 0, 8, RW);
	map_anon(&s, 10, 8, RW);
	assert_int_equal(space_write(&s, 0), MM_FAULT_DONE);
	assert_int_equal(mm_fork(s.mm, &child), -ENOMEM);
	assert_null(child);
	assert_int_equal(vmarea_committed_pages(s.v), 16);
	assert_areas(&s, "[0..8)rw-p [10..18)rw-p");
	assert_int_equal(advise(&s, 10, 8, MADV_DONTFORK), 0);
	assert_int_equal(mm_fork(s.mm, &child), 0);
	assert_int_equal(vmarea_committed_pages(s.v), 24);
	mmput(child);
	space_close(&s);
}

static void test_huge_pages(void **state)
{
	const unsigned long nr = (2ul << 20) / PAGE;
	struct mm_user *child;
	struct space s;

	space_init(&s);
	s.config.nr_huge_2m_pages = 2;
	space_create(&s);
	assert_int_equal(space_map(&s, 0, 2 * nr, RW, ANON | MAP_HUGETLB), 0);
	assert_int_equal(mm_fork(s.mm, &child), 0);
	/* The child has none of the pool, and gives none back. */
	assert_int_equal(mm_munmap(child, at(0), 2 * nr * PAGE), 0);
	assert_int_equal(mm_mmap(child, 0, nr * PAGE, RW, ANON | MAP_HUGETLB, NULL, 0), -ENOMEM);
	mmput(child);
	assert_int_equal(space_map(&s, 4 * nr, nr, RW, ANON | MAP_HUGETLB), -ENOMEM);
	space_close(&s);
}

/* --------------------------------------------------------------- drivers -- */

static struct {
	int opened, closed, released;
	struct mm_struct *last;
} driver;

static void driver_open(struct vma_mut *vma) __must_hold_shared(vma_stable)
{
	driver.opened++;
	driver.last = mm_user_mm(vma_mm(vma));
}

static void driver_close(struct vma_mut *vma) __must_hold_shared(vma_stable)
{
	driver.closed++;
	driver.last = mm_user_mm(vma_mm(vma));
}

static const struct vm_operations_struct driver_vm_ops = {
	.open = driver_open, .close = driver_close,
};

static int driver_mmap(struct file *file, struct vma_new *vma) __in_mmap_hook
{
	vma_set_owner(vma, &driver_vm_ops, NULL);
	return 0;
}

static void driver_release(struct file *file)
{
	driver.released++;
}

static const struct file_operations driver_ops = {
	.owner = "test", .mmap = driver_mmap, .release = driver_release,
};

static void map_driver(struct space *s, unsigned long page, unsigned long nr)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/dev/test", .ops = &driver_ops, .inode = 9,
		.flags = FILE_READ | FILE_WRITE,
	};
	struct file *file;

	memset(&driver, 0, sizeof(driver));
	assert_int_equal(file_create(s->v, &desc, &file), 0);
	assert_int_equal(space_map_file(s, page, nr, RW, MAP_SHARED, file, 0), 0);
	/* From here on the file lives by its areas. */
	file_put(file);
}

static void test_driver_is_told(void **state)
{
	struct mm_user *child;
	struct space s;

	space_open(&s);
	map_driver(&s, 0, 2);
	assert_int_equal(mm_fork(s.mm, &child), 0);
	assert_int_equal(driver.opened, 1);
	assert_ptr_equal(driver.last, mm_user_mm(child));
	space_clear(&s);
	assert_int_equal(driver.closed, 1);
	assert_ptr_equal(driver.last, mm_user_mm(s.mm));
	assert_int_equal(driver.released, 0);
	mmput(child);
	assert_int_equal(driver.closed, 2);
	assert_int_equal(driver.released, 1);
	space_close(&s);
}

/* A fork that fails has told no driver of anything. */
static void test_failed_fork_is_silent(void **state)
{
	struct mm_user *child;
	struct space s;

	space_init(&s);
	s.config.overcommit = VMAREA_OVERCOMMIT_NEVER;
	s.config.total_ram_pages = 20;
	s.config.overcommit_ratio = 50;
	space_create(&s);
	map_driver(&s, 0, 2);
	assert_int_equal(mm_set_caps(s.mm, MM_CAP_SYS_ADMIN), 0);
	map_anon(&s, 4, 8, RW);
	assert_int_equal(mm_fork(s.mm, &child), -ENOMEM);
	assert_int_equal(driver.opened, 0);
	assert_int_equal(driver.closed, 0);
	space_clear(&s);
	assert_int_equal(driver.closed, 1);
	assert_int_equal(driver.released, 1);
	space_close(&s);
}

/* ------------------------------------------------------------------ exec -- */

static void test_exec(void **state)
{
	struct mm_config next = MM_CONFIG_INIT;
	struct mm_stats stats;
	struct space s;

	space_open(&s);
	assert_int_equal(mm_set_rlimit(s.mm, MM_RLIMIT_AS, 100 * PAGE), 0);
	map_driver(&s, 0, 2);
	map_anon(&s, 4, 4, RW);
	assert_int_equal(seal(&s, 4, 1), 0);
	assert_int_equal(mm_mlock(s.mm, at(5), PAGE), 0);
	assert_int_equal(mm_mlockall(s.mm, MCL_FUTURE), 0);
	next.mmap_base = 0x7fff00001000;
	next.start_brk = next.brk = 0x500000;
	next.rlimit[MM_RLIMIT_AS] = PAGE;
	next.brk--;
	assert_int_equal(mm_exec(s.mm, &next), -EINVAL);
	assert_int_equal(driver.closed, 0);

	next.brk++;
	assert_int_equal(mm_exec(s.mm, &next), 0);
	assert_areas(&s, "");
	assert_int_equal(driver.closed, 1);
	assert_int_equal(driver.released, 1);
	assert_int_equal(vmarea_committed_pages(s.v), 0);
	stats = stats_of(s.mm);
	assert_int_equal(stats.nr_areas, 0);
	assert_int_equal(stats.total_pages + stats.data_pages + stats.locked_pages, 0);
	assert_int_equal(stats.brk, 0x500000);

	/* The new layout; the old limits; nothing is locked any more. */
	assert_int_equal(mm_mmap(s.mm, 0, PAGE, RW, ANON, NULL, 0), 0x7fff00000000);
	assert_int_equal(mm_mmap(s.mm, 0, 100 * PAGE, RW, ANON, NULL, 0), -ENOMEM);
	assert_int_equal(stats_of(s.mm).locked_pages, 0);
	space_close(&s);
}

/* ------------------------------------------------------------ references -- */

static void test_references(void **state)
{
	struct mm_user *second, *third;
	struct mm_struct *mm;
	struct space s;

	space_open(&s);
	map_driver(&s, 0, 2);
	map_anon(&s, 4, 2, RW);
	mm = mm_user_mm(s.mm);
	mmgrab(mm);
	second = mmget(s.mm);
	assert_ptr_equal(mm_user_mm(second), mm);
	mmput(s.mm);
	/* Alive by the other user. */
	assert_int_equal(driver.closed, 0);
	third = mmget_not_zero(mm);
	assert_non_null(third);
	mmput(third);
	mmput(second);
	assert_int_equal(driver.closed, 1);
	assert_int_equal(driver.released, 1);
	assert_int_equal(vmarea_committed_pages(s.v), 0);
	/* Gone, and the struct is there to say so. */
	assert_null(mmget_not_zero(mm));
	mmdrop(mm);
	vmarea_destroy(s.v);
}

/* The last put from where nobody may sleep: another thread does the work. */
static void test_put_async(void **state)
{
	struct space s;

	space_open(&s);
	map_driver(&s, 0, 2);
	map_anon(&s, 4, 2, RW);
	assert_int_equal(space_write(&s, 4), MM_FAULT_DONE);
	mmput_async(mmget(s.mm));
	assert_int_equal(driver.closed, 0);
	mmput_async(s.mm);
	vmarea_destroy(s.v);
	assert_int_equal(driver.closed, 1);
	assert_int_equal(driver.released, 1);
}

#define NR_LINKS	2000

/* The end of one address space is what ends the next: its file has a user of that. */
static struct {
	struct mm_user *next[NR_LINKS];
	unsigned int nr_released;
} links;

static int link_mmap(struct file *file, struct vma_new *vma)	{ return 0; }

static void link_release(struct file *file)
{
	struct mm_user **next = file_private_data(file);

	links.nr_released++;
	if (*next)
		mmput_async(*next);
}

static const struct file_operations link_ops = {
	.owner = "link", .mmap = link_mmap, .release = link_release,
};

static void map_link(struct vmarea *v, struct mm_user *mm, struct mm_user **next)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .ops = &link_ops, .private_data = next,
		.name = "/dev/link", .flags = FILE_READ,
	};
	struct file *file;

	assert_int_equal(file_create(v, &desc, &file), 0);
	assert_int_equal(mm_mmap(mm, at(0), SPACE_PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0),
			 (long)at(0));
	file_put(file);
}

/* What is put while the instance is destroyed, by what is torn down then, is waited for, too. */
static void test_put_async_puts_another(void **state)
{
	struct mm_user *mm;
	struct space s;

	space_open(&s);
	links.nr_released = 0;
	mm = s.mm;
	for (int i = 0; i < NR_LINKS; i++) {
		links.next[i] = NULL;
		if (i + 1 < NR_LINKS)
			assert_int_equal(mm_create(s.v, &s.mm_config, &links.next[i]), 0);
		map_link(s.v, mm, &links.next[i]);
		mm = links.next[i];
	}
	mmput_async(s.mm);
	vmarea_destroy(s.v);
	assert_int_equal(links.nr_released, NR_LINKS);
}

#define NR_RACERS	4
#define NR_ROUNDS	2000

static void *get_and_put(void *arg)
{
	for (int i = 0; i < NR_ROUNDS; i++) {
		struct mm_user *user = mmget_not_zero(arg);

		if (!user)
			break;
		if (i & 1)
			mmput_async(user);
		else
			mmput(user);
	}
	mmdrop(arg);
	return NULL;
}

/* Whoever is last, it is torn down once. */
static void test_last_put_is_one(void **state)
{
	pthread_t racer[NR_RACERS];
	struct space s;

	space_open(&s);
	map_driver(&s, 0, 1);
	for (int i = 0; i < NR_RACERS; i++) {
		mmgrab(mm_user_mm(s.mm));
		assert_int_equal(pthread_create(&racer[i], NULL, get_and_put, mm_user_mm(s.mm)), 0);
	}
	mmput(s.mm);
	for (int i = 0; i < NR_RACERS; i++)
		assert_int_equal(pthread_join(racer[i], NULL), 0);
	vmarea_destroy(s.v);
	assert_int_equal(driver.closed, 1);
	assert_int_equal(driver.released, 1);
}

/* ---------------------------------------------------------- configuration -- */

static void test_instance_config(void **state)
{
	const struct vmarea_config good = VMAREA_CONFIG_INIT;
	struct vmarea_config bad[7];
	struct vmarea *v = NULL;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		bad[i] = good;
	bad[0].size--;
	bad[1].features = 1u << 31;
	bad[2].overcommit = 3;
	bad[3].total_ram_pages = 0;
	bad[4].max_map_count = 0;
	bad[5].mmap_min_addr = ~0ul;
	bad[6].lsm_mmap_min_addr = ~0ul;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(vmarea_create(&bad[i], &v), -EINVAL);
		assert_null(v);
	}
	assert_int_equal(vmarea_create(&good, &v), 0);
	assert_int_equal(vmarea_committed_pages(v), 0);
	vmarea_destroy(v);
}

static void test_mm_config(void **state)
{
	const struct mm_config good = MM_CONFIG_INIT;
	struct mm_config bad[10];
	struct mm_user *mm = NULL;
	struct space s;

	space_open(&s);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		bad[i] = good;
	bad[0].size++;
	bad[1].task_size = 0;
	bad[2].task_size += 1;
	bad[3].task_size = 1ul << 57;
	bad[4].mmap_base = bad[4].task_size + PAGE;
	bad[5].mmap_legacy_base += 8;
	bad[6].start_code = 1;
	bad[7].end_data = ~0ul;
	bad[8].start_brk = PAGE;
	bad[9].caps = 1u << 30;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(mm_create(s.v, &bad[i], &mm), -EINVAL);
		assert_null(mm);
	}
	assert_int_equal(mm_set_rlimit(s.mm, MM_NR_RLIMITS, 0), -EINVAL);
	assert_int_equal(mm_set_caps(s.mm, 1u << 30), -EINVAL);
	assert_int_equal(mm_set_personality(s.mm, MM_PERS_READ_IMPLIES_EXEC), 0);
	map_anon(&s, 0, 1, RO);
	assert_areas(&s, "[0..1)r-xp");
	space_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merging),
		cmocka_unit_test(test_inheriting),
		cmocka_unit_test(test_totals),
		cmocka_unit_test(test_refused_memory),
		cmocka_unit_test(test_huge_pages),
		cmocka_unit_test(test_driver_is_told),
		cmocka_unit_test(test_failed_fork_is_silent),
		cmocka_unit_test(test_exec),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_put_async),
		cmocka_unit_test(test_put_async_puts_another),
		cmocka_unit_test(test_last_put_is_one),
		cmocka_unit_test(test_instance_config),
		cmocka_unit_test(test_mm_config),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
