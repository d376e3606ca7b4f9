/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Several machines in one process, at work at the same time: what one is told, promised or refused
 * is nothing to the others.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "../mm/space.h"

/* ------------------------------------------------------------ side by side */

static void settings_are_its_own(void **state)
{
	struct space strict, plain;
	struct file *file;

	space_init(&strict);
	strict.config.max_map_count = 3;
	strict.config.mmap_min_addr = 16 * SPACE_PAGE;
	strict.config.overcommit = VMAREA_OVERCOMMIT_NEVER;
	strict.config.total_ram_pages = 2000;	/* 512 of them behind the huge page */
	strict.config.user_reserve_kbytes = strict.config.admin_reserve_kbytes = 0;
	strict.config.nr_huge_2m_pages = 1;
	strict.config.features &= ~VMAREA_FEATURE_ANON_NAMES;
	space_create(&strict);
	space_open(&plain);

	/* The number of areas. */
	for (unsigned long i = 0; i < 8; i++) {
		assert_int_equal(space_map(&strict, 2 * i, 1, PROT_READ, ANON), i < 4 ? 0 : -ENOMEM);
		assert_int_equal(space_map(&plain, 2 * i, 1, PROT_READ, ANON), 0);
	}
	space_unmap(&strict, 0, 16);
	/* Promised memory. */
	assert_int_equal(space_map(&strict, 0, 800, RW, ANON), -ENOMEM);
	assert_int_equal(space_map(&plain, 20, 800, RW, ANON), 0);
	assert_int_equal(space_map(&strict, 0, 400, RW, ANON), 0);
	assert_int_equal(vmarea_committed_pages(strict.v), 400);
	assert_int_equal(vmarea_committed_pages(plain.v), 800);
	/* The lowest address, the pool of huge pages, what was built in. */
	assert_int_equal(mm_mmap(strict.mm, SPACE_PAGE, SPACE_PAGE, RW, ANON | MAP_FIXED, NULL, 0),
			 -EPERM);
	assert_int_equal(mm_mmap(plain.mm, SPACE_PAGE, SPACE_PAGE, RW, ANON | MAP_FIXED, NULL, 0),
			 SPACE_PAGE);
	assert_true(mm_mmap(strict.mm, 0, 512 * SPACE_PAGE, RW, ANON | MAP_HUGETLB, NULL, 0) > 0);
	assert_int_equal(mm_mmap(plain.mm, 0, 512 * SPACE_PAGE, RW, ANON | MAP_HUGETLB, NULL, 0),
			 -ENOMEM);
	assert_int_equal(mm_set_anon_name(strict.mm, at(0), SPACE_PAGE, "name"), -EINVAL);
	assert_int_equal(mm_set_anon_name(plain.mm, at(20), SPACE_PAGE, "name"), 0);
	/* The same address is another area in each. */
	file = space_file(&plain, 10, 0, FILE_PLACE_ANY);
	assert_int_equal(space_map_file(&plain, 0, 1, PROT_READ, MAP_SHARED, file, 0), 0);
	assert_false(mm_range_ok(plain.mm, at(0), SPACE_PAGE, RW));
	assert_true(mm_range_ok(strict.mm, at(0), SPACE_PAGE, RW));
	file_put(file);

	/* One goes, the other stays. */
	space_close(&strict);
	assert_true(mm_range_ok(plain.mm, at(20), 800 * SPACE_PAGE, RW));
	space_close(&plain);
}

/* Two address spaces of one machine share its memory, and nothing else. */
static void mms_of_one_machine(void **state)
{
	struct mm_config config = MM_CONFIG_INIT;
	struct mm_user *second;
	struct space s;

	space_init(&s);
	s.config.overcommit = VMAREA_OVERCOMMIT_NEVER;
	s.config.total_ram_pages = 1000;
	s.config.user_reserve_kbytes = s.config.admin_reserve_kbytes = 0;
	space_create(&s);
	assert_int_equal(mm_create(s.v, &config, &second), 0);
	assert_int_equal(space_map(&s, 0, 400, RW, ANON), 0);
	assert_int_equal(mm_mmap(second, 0, 200 * SPACE_PAGE, RW, ANON, NULL, 0), -ENOMEM);
	assert_int_equal(mm_set_rlimit(second, MM_RLIMIT_AS, 50 * SPACE_PAGE), 0);
	assert_int_equal(space_unmap(&s, 0, 400), 0);
	assert_int_equal(mm_mmap(second, 0, 200 * SPACE_PAGE, RW, ANON, NULL, 0), -ENOMEM);
	assert_int_equal(space_map(&s, 0, 400, RW, ANON), 0);
	assert_true(mm_mmap(second, 0, 50 * SPACE_PAGE, RW, ANON, NULL, 0) > 0);
	assert_int_equal(vmarea_committed_pages(s.v), 450);
	/* One is killed, and waits no more; the other does as it likes. */
	mm_kill(second);
	mmput(second);
	assert_int_equal(vmarea_committed_pages(s.v), 400);
	space_close(&s);
}

/* ------------------------------------------------------------ limits and rights */

#define NR_ROUNDS	1000

static atomic_bool stop;

static void set_all(struct mm_user *mm, unsigned long as_bytes, unsigned int personality,
		    unsigned int caps)
{
	mm_set_rlimit(mm, MM_RLIMIT_AS, as_bytes);
	mm_set_personality(mm, personality);
	mm_set_caps(mm, caps);
}

static void *change_settings(void *arg)
{
	do {
		set_all(arg, 0, 0, 0);
		set_all(arg, MM_RLIM_INFINITY, MM_PERS_READ_IMPLIES_EXEC, MM_CAP_IPC_LOCK);
	} while (!stop);
	return NULL;
}

/* Set by another thread at any time: each call goes by the old value or the new one. */
static void settings_change_beside_calls(void **state)
{
	pthread_t thread;
	struct space s;

	space_open(&s);
	assert_int_equal(pthread_create(&thread, NULL, change_settings, s.mm), 0);
	for (int i = 0; i < NR_ROUNDS; i++) {
		long ret = space_map(&s, 0, 1, PROT_READ, ANON);

		assert_true(ret == 0 || ret == -ENOMEM);
		ret = mm_mlock(s.mm, at(0), 1);
		assert_true(ret == 0 || ret == -ENOMEM);
		assert_int_equal(space_unmap(&s, 0, 1), 0);
	}
	stop = true;
	assert_int_equal(pthread_join(thread, NULL), 0);
	/* The last ones hold from now on. */
	assert_int_equal(space_map(&s, 0, 1, PROT_READ, ANON), 0);
	assert_areas(&s, "[0..1)r-xp");
	space_close(&s);
}

/* ------------------------------------------------------------ at the same time */

#define NR_MACHINES	3
#define NR_LIVES	20

static atomic_int wrong;

/* What a machine gives depends on its number alone. */
static void live(unsigned long nr)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;
	struct mm_config mm_config = MM_CONFIG_INIT;
	struct mm_user *mm, *child;
	struct mm_stats stats;
	struct vmarea *v;
	char why[256];

	config.max_map_count = 10 + nr;
	if (vmarea_create(&config, &v) || mm_create(v, &mm_config, &mm)) {
		wrong++;
		return;
	}
	/* One more than the limit, as in Linux. */
	for (unsigned long i = 0; i < 20; i++) {
		long ret = mm_mmap(mm, at(2 * i), (1 + nr) * SPACE_PAGE, RW, ANON | MAP_FIXED |
				   (i % 2 ? MAP_NORESERVE : 0), NULL, 0);

		if (nr == 0 && ret != (i <= 10 ? (long)at(2 * i) : -ENOMEM))
			wrong++;
	}
	mm_get_stats(mm, &stats);
	if (vmarea_committed_pages(v) != stats.committed_pages || stats.nr_areas > 11 + nr)
		wrong++;
	if (mm_fork(mm, &child)) {
		wrong++;
	} else {
		if (vmarea_committed_pages(v) != 2 * stats.committed_pages)
			wrong++;
		mmput_async(child);
	}
	if (mm_validate(mm, why, sizeof(why)))
		wrong++;
	mmput(mm);
	vmarea_destroy(v);
}

static void *lives(void *arg)
{
	for (int i = 0; i < NR_LIVES; i++)
		live((unsigned long)(uintptr_t)arg);
	return NULL;
}

static void come_and_go_beside_each_other(void **state)
{
	pthread_t threads[NR_MACHINES];

	for (int i = 0; i < NR_MACHINES; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, lives, (void *)(intptr_t)i), 0);
	for (int i = 0; i < NR_MACHINES; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_are_its_own),
		cmocka_unit_test(mms_of_one_machine),
		cmocka_unit_test(settings_change_beside_calls),
		cmocka_unit_test(come_and_go_beside_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
