/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The host forks while other threads are anywhere inside memory calls.  In the child those threads
 * are gone, as if stopped for ever at that point: what was asked without a lock before can be
 * asked there too, and a new address space has nothing of the old one's locks.
 */
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crowd.h"

#define NR_FORKS	60

/* The child starts a thread, which the thread sanitizer refuses unless told not to. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "die_after_fork=0";
}

/*
 * The C library's allocator is whole in the child.  Those of the sanitizers are not: another thread
 * may have had their locks.  There children allocate only if no thread was at work.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
# define ALLOCATOR_SURVIVES	0
#elif defined(__has_feature)
# if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#  define ALLOCATOR_SURVIVES	0
# endif
#endif
#ifndef ALLOCATOR_SURVIVES
# define ALLOCATOR_SURVIVES	1
#endif

/* A child that hangs is ended by this, and fails the test. */
#define CHILD_SECONDS	30

static struct crowd crowd;

/* Not cmocka's: a child that fails must not go on with the tests. */
#define EXPECT(cond)							\
	do {								\
		if (!(cond)) {						\
			dprintf(2, "child: line %d: %s\n", __LINE__, #cond); \
			_exit(1);					\
		}							\
	} while (0)

static void run_child(void (*fn)(void))
{
	int status = -1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		alarm(CHILD_SECONDS);
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Calls of every kind, torn down with their RCU callbacks and background work. */
static void use_mm(struct vmarea *v)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/child", .flags = FILE_READ, .size_bytes = 1 << 20,
	};
	struct mm_config config = MM_CONFIG_INIT;
	struct mm_user *mm, *child;
	struct area_info info;
	struct file *file;
	char why[256];

	EXPECT(!mm_create(v, &config, &mm));
	EXPECT(!file_create(v, &desc, &file));
	for (unsigned long i = 0; i < 40; i++)
		EXPECT(mm_mmap(mm, at(2 * i), SPACE_PAGE, RW, ANON | MAP_FIXED, NULL, 0) ==
		       (long)at(2 * i));
	EXPECT(mm_mmap(mm, at(1), SPACE_PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0) ==
	       (long)at(1));
	EXPECT(mm_range_ok(mm, at(0), 3 * SPACE_PAGE, PROT_READ));
	EXPECT(!mm_query(mm, at(1), &info) && info.file == file);
	area_info_put(&info);
	EXPECT(!mm_munmap(mm, at(0), 20 * SPACE_PAGE));
	EXPECT(!mm_mprotect(mm, at(20), SPACE_PAGE, PROT_READ));
	EXPECT(!mm_touch(mm, at(22), MM_ACCESS_WRITE));
	EXPECT(!mm_fork(mm, &child));
	EXPECT(!mm_validate(mm, why, sizeof(why)) && !mm_validate(child, why, sizeof(why)));
	mmput_async(child);
	mmput(mm);
	file_put(file);
}

static void ask(void)
{
	for (int i = 0; i < 20; i++)
		EXPECT(!crowd_ground_wrong(&crowd));
}

static void questions_beside_memory_calls(void **state)
{
	unsigned long before, after = 0;

	crowd_start(&crowd, 2);
	before = crowd.rounds[0] + crowd.rounds[1];
	for (int i = 0; i < NR_FORKS; i++)
		run_child(ask);
	/* The parent's threads have gone on. */
	do {
		after = crowd.rounds[0] + crowd.rounds[1];
		sched_yield();
	} while (after == before);
	crowd_end(&crowd);
}

static void use_new_machine(void)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;
	struct vmarea *v;

	EXPECT(!vmarea_create(&config, &v));
	use_mm(v);
	vmarea_destroy(v);
	EXPECT(!crowd_ground_wrong(&crowd));
}

static void new_mm_in_new_machine(void **state)
{
	crowd_start(&crowd, ALLOCATOR_SURVIVES ? 2 : 0);
	for (int i = 0; i < NR_FORKS; i++)
		run_child(use_new_machine);
	crowd_end(&crowd);
}

/* What address spaces of one machine share is not locked for ever by who is gone. */
static void use_same_machine(void)
{
	use_mm(crowd.s.v);
	EXPECT(!crowd_ground_wrong(&crowd));
}

static void new_mm_in_same_machine(void **state)
{
	crowd_start(&crowd, ALLOCATOR_SURVIVES ? 2 : 0);
	for (int i = 0; i < NR_FORKS; i++)
		run_child(use_same_machine);
	crowd_end(&crowd);
}

/* Nobody else was in it: an mm from before the fork works in both. */
static struct space alone;

static void use_old_mm(void)
{
	EXPECT(mm_range_ok(alone.mm, at(0), 2 * SPACE_PAGE, RW));
	EXPECT(!space_map(&alone, 4, 1, RW, ANON));
	EXPECT(!space_unmap(&alone, 0, 1));
	EXPECT(!mm_range_ok(alone.mm, at(0), SPACE_PAGE, PROT_NONE));
	mmput(alone.mm);
	vmarea_destroy(alone.v);
}

static void old_mm_that_nobody_used(void **state)
{
	space_open(&alone);
	assert_int_equal(space_map(&alone, 0, 2, RW, ANON), 0);
	crowd_start(&crowd, ALLOCATOR_SURVIVES ? 2 : 0);
	for (int i = 0; i < NR_FORKS; i++) {
		run_child(use_old_mm);
		assert_areas(&alone, "[0..2)rw-p");
	}
	crowd_end(&crowd);
	space_close(&alone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(questions_beside_memory_calls),
		cmocka_unit_test(new_mm_in_new_machine),
		cmocka_unit_test(new_mm_in_same_machine),
		cmocka_unit_test(old_mm_that_nobody_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
