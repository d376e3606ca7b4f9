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

static void ask_and_use(void)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;
	struct vmarea *v;

	for (int i = 0; i < 20; i++)
		EXPECT(!crowd_ground_wrong(&crowd));
	EXPECT(!vmarea_create(&config, &v));
	use_mm(v);
	vmarea_destroy(v);
	EXPECT(!crowd_ground_wrong(&crowd));
}

static void beside_memory_calls(void **state)
{
	unsigned long before, after = 0;

	crowd_start(&crowd, 2);
	before = crowd.rounds[0] + crowd.rounds[1];
	for (int i = 0; i < NR_FORKS; i++)
		run_child(ask_and_use);
	/* The parent's threads have gone on. */
	do {
		after = crowd.rounds[0] + crowd.rounds[1];
		sched_yield();
	} while (after == before);
	crowd_end(&crowd);
}

/* The same machine goes on in the child. */
static void use_same_machine(void)
{
	EXPECT(!crowd_ground_wrong(&crowd));
	use_mm(crowd.s.v);
	EXPECT(!crowd_ground_wrong(&crowd));
}

static void new_mm_in_same_machine(void **state)
{
	crowd_start(&crowd, 2);
	for (int i = 0; i < NR_FORKS; i++)
		run_child(use_same_machine);
	crowd_end(&crowd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(beside_memory_calls),
		cmocka_unit_test(new_mm_in_same_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
