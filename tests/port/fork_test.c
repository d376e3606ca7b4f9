/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The host forks while we are busy: the child must not hang and lose nothing. */
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "port/port.h"

/* The child starts threads, which the thread sanitizer refuses unless told not to. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "die_after_fork=0";
}

/* A child that hangs is killed by this, and fails the test. */
#define CHILD_SECONDS	30

static u32 inside, leave, stop;		/* atomic, futexes */
static u32 works, callbacks, done;	/* atomic */

static void set(u32 *word)
{
	atomic_store_release(word, 1);
	port_wake(word, INT_MAX);
}

static void wait_for(u32 *word)
{
	while (!atomic_load_acquire(word))
		port_wait(word, 0, PORT_NO_DEADLINE);
}

static void in_child(void (*fn)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		alarm(CHILD_SECONDS);
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void count_work(struct port_work *w)
{
	(void)w;
	atomic_add_relaxed(&works, 1);
}

static void count_callback(struct port_rcu_head *head)
{
	(void)head;
	atomic_add_relaxed(&callbacks, 1);
}

static void set_done(struct port_rcu_head *head)
{
	(void)head;
	atomic_store_release(&done, 1);
}

static void use_everything(void)
{
	struct port_rcu_head head;
	struct port_work work = { .queued = 0 };
	u32 w = atomic_load_relaxed(&works);

	port_rcu_read_lock();
	port_rcu_read_unlock();
	port_synchronize_rcu();
	atomic_store_relaxed(&done, 0);
	port_call_rcu(&head, set_done);
	port_rcu_barrier();
	VM_BUG_ON(!atomic_load_acquire(&done));
	VM_BUG_ON(port_work(&work, count_work));
	port_work_flush();
	VM_BUG_ON(atomic_load_relaxed(&works) != w + 1);
	VM_BUG_ON(port_thread_id() != (u32)gettid());
}

static void test_child_works(void **state)
{
	(void)state;
	/* Before any thread of ours was started, and after. */
	in_child(use_everything);
	use_everything();
	in_child(use_everything);
	use_everything();
}

/* ------------------------------------------------------------- another thread is reading -- */

static void *long_reader(void *flag)
{
	port_rcu_read_lock();
	set(&inside);
	wait_for(flag);
	port_rcu_read_unlock();
	return NULL;
}

/* In the child the reader does not exist any more: nobody waits for it. */
static void test_fork_beside_reader(void **state)
{
	pthread_t thread;

	(void)state;
	atomic_store_relaxed(&inside, 0);
	atomic_store_relaxed(&leave, 0);
	assert_int_equal(pthread_create(&thread, NULL, long_reader, &leave), 0);
	wait_for(&inside);
	in_child(use_everything);
	set(&leave);
	pthread_join(thread, NULL);
	use_everything();
}

/* What it queues is not on its stack: in the child, that stack is somebody else's. */
static void *busy_reader(void *arg)
{
	struct port_rcu_head *head = arg;

	while (!atomic_load_relaxed(&stop)) {
		port_rcu_read_lock();
		port_rcu_read_unlock();
		port_call_rcu(head, count_callback);
		port_rcu_barrier();
	}
	return NULL;
}

/*
 * The address sanitizer's allocator is not stopped by a fork: its locks may be held by a thread that
 * is not in the child, where the first free() then waits for ever.
 */
#if defined(__SANITIZE_ADDRESS__)
# define ALLOCATOR_SURVIVES	0
#elif defined(__has_feature)
# if __has_feature(address_sanitizer)
#  define ALLOCATOR_SURVIVES	0
# endif
#endif
#ifndef ALLOCATOR_SURVIVES
# define ALLOCATOR_SURVIVES	1
#endif

static void test_forks_beside_busy_threads(void **state)
{
	static struct port_rcu_head heads[2];
	pthread_t threads[2];

	(void)state;
	if (!ALLOCATOR_SURVIVES)
		skip();
	atomic_store_relaxed(&stop, 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, busy_reader, &heads[i]), 0);
	for (int i = 0; i < 20; i++)
		in_child(use_everything);
	atomic_store_relaxed(&stop, 1);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

/* ----------------------------------------------------- what is queued is queued twice -- */

static struct port_work first, second;
static struct port_rcu_head pending;

static void blocking_work(struct port_work *w)
{
	(void)w;
	set(&inside);
	wait_for(&leave);
}

static void expect_inherited(void)
{
	port_work_flush();
	port_rcu_barrier();
	VM_BUG_ON(atomic_load_relaxed(&works) != 1, "%u works", works);
	VM_BUG_ON(atomic_load_relaxed(&callbacks) != 1, "%u callbacks", callbacks);
}

/*
 * A work runs, another is queued behind it, and so is a callback.  Parent and child each count
 * both, whether they run before the fork or after it.
 */
static void test_pending_in_child(void **state)
{
	(void)state;
	atomic_store_relaxed(&works, 0);
	atomic_store_relaxed(&callbacks, 0);
	atomic_store_relaxed(&inside, 0);
	atomic_store_relaxed(&leave, 0);
	assert_int_equal(port_work(&first, blocking_work), 0);
	wait_for(&inside);
	assert_int_equal(port_work(&second, count_work), 0);
	port_call_rcu(&pending, count_callback);
	/* The fork waits for the work that runs. */
	set(&leave);
	in_child(expect_inherited);
	expect_inherited();
}

/* ------------------------------------------- what both share is queued in the parent alone -- */

static u32 reader_leave;			/* atomic, futex */
static u32 shared_works, shared_callbacks;	/* atomic */
static struct port_work blocker, shared_work;
static struct {
	struct port_rcu_head head;
	struct port_rcu_head other_head;
} *shared;				/* in memory of both */

static void count_shared_work(struct port_work *w)
{
	(void)w;
	atomic_add_relaxed(&shared_works, 1);
}

static void count_shared_callback(struct port_rcu_head *head)
{
	(void)head;
	atomic_add_relaxed(&shared_callbacks, 1);
}

/* The fork lets a work and a callback end first: some that are shared may have run by then. */
static void expect_own(void)
{
	u32 works_before = atomic_load_relaxed(&shared_works);
	u32 callbacks_before = atomic_load_relaxed(&shared_callbacks);

	port_work_flush();
	port_rcu_barrier();
	VM_BUG_ON(atomic_load_relaxed(&shared_works) != works_before, "%u works", shared_works);
	VM_BUG_ON(atomic_load_relaxed(&shared_callbacks) != callbacks_before, "%u callbacks",
		  shared_callbacks);
	VM_BUG_ON(atomic_load_relaxed(&callbacks) != 1, "%u callbacks", callbacks);
	use_everything();
}

/* Neither run nor looked at in the child: there it is the parent's, who may have used it again. */
static void test_shared_is_not_inherited(void **state)
{
	pthread_t reader;

	(void)state;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	assert_ptr_not_equal(shared, MAP_FAILED);
	atomic_store_relaxed(&callbacks, 0);
	atomic_store_relaxed(&inside, 0);
	atomic_store_relaxed(&leave, 0);
	atomic_store_relaxed(&reader_leave, 0);
	assert_int_equal(pthread_create(&reader, NULL, long_reader, &reader_leave), 0);
	wait_for(&inside);
	atomic_store_relaxed(&inside, 0);
	assert_int_equal(port_work(&blocker, blocking_work), 0);
	wait_for(&inside);
	assert_int_equal(port_work_shared(&shared_work, count_shared_work), 0);
	port_call_rcu_shared(&shared->head, count_shared_callback);
	port_call_rcu(&pending, count_callback);
	port_call_rcu_shared(&shared->other_head, count_shared_callback);
	/* The fork waits for the work that runs, and would for the reader if a grace period had begun. */
	set(&reader_leave);
	pthread_join(reader, NULL);
	set(&leave);
	in_child(expect_own);
	port_work_flush();
	port_rcu_barrier();
	assert_int_equal(atomic_load_relaxed(&shared_works), 1);
	assert_int_equal(atomic_load_relaxed(&shared_callbacks), 2);
	assert_int_equal(atomic_load_relaxed(&callbacks), 1);
	munmap(shared, sizeof(*shared));
}

static u64 parents_number;

static void expect_other_number(void)
{
	VM_BUG_ON(port_random() == parents_number);
}

/* The child must not draw the number that the parent draws next. */
static void test_random_differs(void **state)
{
	pid_t pid;
	int fds[2], status;
	u64 mine, childs;

	(void)state;
	parents_number = port_random();
	in_child(expect_other_number);
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		childs = port_random();
		_exit(write(fds[1], &childs, sizeof(childs)) != sizeof(childs));
	}
	mine = port_random();
	assert_int_equal(read(fds[0], &childs, sizeof(childs)), sizeof(childs));
	assert_int_not_equal(mine, childs);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(fds[0]);
	close(fds[1]);
}

/* A fork that would hang is refused with a message instead. */
static void test_fork_in_read_section(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	assert_true(pid >= 0);
	if (!pid) {
		struct sigaction dfl = { .sa_handler = SIG_DFL };

		sigaction(SIGABRT, &dfl, NULL);
		close(STDERR_FILENO);
		alarm(CHILD_SECONDS);
		port_rcu_read_lock();
		_exit(fork() ? 1 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_child_works),
		cmocka_unit_test(test_fork_beside_reader),
		cmocka_unit_test(test_forks_beside_busy_threads),
		cmocka_unit_test(test_pending_in_child),
		cmocka_unit_test(test_shared_is_not_inherited),
		cmocka_unit_test(test_random_differs),
		cmocka_unit_test(test_fork_in_read_section),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
