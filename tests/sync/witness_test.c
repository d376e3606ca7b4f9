/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Each mistake that the lock checker knows is made once, and its report read. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sync/rcu.h"
#include "sync/rwsem.h"
#include "sync/spinlock.h"
#include "threads.h"

static struct rwsem mmap_lock, other_mmap_lock, i_mmap;
static struct spinlock table, other_table, lru;

static char reports[4][8192];
static int nr_reports;

static void note_report(void *arg, const char *text)
{
	(void)arg;
	if (nr_reports < 4)
		snprintf(reports[nr_reports], sizeof(reports[0]), "%s", text);
	nr_reports++;
}

static int set_up(void **state)
{
	(void)state;
	rwsem_init(&mmap_lock, LOCK_RANK_MMAP);
	rwsem_init(&other_mmap_lock, LOCK_RANK_MMAP);
	rwsem_init(&i_mmap, LOCK_RANK_I_MMAP);
	spin_lock_init(&table, LOCK_RANK_TABLE);
	spin_lock_init(&other_table, LOCK_RANK_TABLE);
	spin_lock_init(&lru, LOCK_RANK_LRU);
	witness_set_report(note_report, NULL);
	nr_reports = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	witness_set_report(NULL, NULL);
	return 0;
}

/* Exactly one report since the last look, which says all of @parts. */
static void expect_report(const char *const *parts)
{
	assert_int_equal(nr_reports, 1);
	for (; *parts; parts++)
		if (!strstr(reports[0], *parts))
			fail_msg("no \"%s\" in \"%s\"", *parts, reports[0]);
	nr_reports = 0;
}

#define EXPECT(...)	expect_report((const char *const[]){ __VA_ARGS__, NULL })
#define LINE(at)	(snprintf(line_buf, sizeof(line_buf), "witness_test.c:%d", at), line_buf)

static char line_buf[64];

static void test_right_order_is_silent(void **state)
{
	(void)state;
	rwsem_write_lock(&mmap_lock);
	rwsem_write_lock_nested(&other_mmap_lock, 1);
	rwsem_read_lock(&i_mmap);
	spin_lock(&table);
	spin_lock_nested(&other_table, 1);
	spin_lock(&lru);
	/* Given back in any order. */
	spin_unlock(&table);
	rwsem_read_unlock(&i_mmap);
	spin_unlock(&lru);
	spin_unlock(&other_table);
	rwsem_write_unlock(&other_mmap_lock);
	rwsem_downgrade(&mmap_lock);
	assert_true(witness_holds(&mmap_lock, WITNESS_SHARED));
	assert_false(witness_holds(&mmap_lock, WITNESS_EXCLUSIVE));
	rwsem_read_unlock(&mmap_lock);
	assert_false(witness_holds(&mmap_lock, WITNESS_SHARED));
	rcu_read_lock();
	rcu_read_lock();
	spin_lock(&lru);
	spin_unlock(&lru);
	rcu_read_unlock();
	rcu_read_unlock();
	might_sleep();
	witness_assert_none_held();
	assert_int_equal(nr_reports, 0);
}

static void test_wrong_order(void **state)
{
	int line;

	(void)state;
	rwsem_read_lock(&i_mmap); line = __LINE__;
	rwsem_write_lock(&mmap_lock);
	EXPECT("lock order: mmap lock 0x", "while holding i_mmap lock 0x", "(read) taken at ",
	       LINE(line));
	rwsem_write_unlock(&mmap_lock);
	rwsem_read_unlock(&i_mmap);
}

static void test_same_rank(void **state)
{
	(void)state;
	spin_lock_nested(&table, 1);
	spin_lock_nested(&other_table, 1);
	EXPECT("lock order: table lock", "while holding table lock", "(spin)");
	spin_unlock(&other_table);
	spin_lock(&other_table);
	EXPECT("lock order: table lock");
	spin_unlock(&other_table);
	spin_unlock(&table);
}

/* A trylock may go against the order, but what is waited for inside it may not. */
static void test_trylock(void **state)
{
	(void)state;
	rwsem_read_lock(&i_mmap);
	assert_true(rwsem_read_trylock(&mmap_lock));
	assert_int_equal(nr_reports, 0);
	rwsem_read_unlock(&i_mmap);
	spin_lock(&lru);
	assert_true(spin_trylock(&table));
	assert_int_equal(nr_reports, 0);
	spin_unlock(&lru);
	spin_unlock(&table);
	rwsem_read_unlock(&mmap_lock);

	assert_true(rwsem_read_trylock(&i_mmap));
	rwsem_read_lock(&mmap_lock);
	EXPECT("lock order: mmap lock");
	rwsem_read_unlock(&mmap_lock);
	rwsem_read_unlock(&i_mmap);
}

static void test_recursion(void **state)
{
	(void)state;
	rwsem_read_lock(&mmap_lock);
	/* It happens to work today; with a writer between the two it would not. */
	rwsem_read_lock(&mmap_lock);
	EXPECT("lock recursion: mmap lock", "while holding mmap lock");
	rwsem_read_unlock(&mmap_lock);
	assert_true(rwsem_read_trylock(&mmap_lock));
	assert_int_equal(nr_reports, 0);
	rwsem_read_unlock(&mmap_lock);
	rwsem_read_unlock(&mmap_lock);
}

static void test_release(void **state)
{
	(void)state;
	witness_release(&i_mmap, NULL, WITNESS_SHARED, WITNESS_HERE);
	EXPECT("release of a lock that is not held", "witness_test.c:");
	rwsem_read_lock(&mmap_lock);
	witness_release(&mmap_lock, NULL, WITNESS_EXCLUSIVE, WITNESS_HERE);
	EXPECT("release in the wrong mode: mmap lock", "(read) taken at ");
	witness_after(&mmap_lock, LOCK_RANK_MMAP, 0, WITNESS_SHARED, WITNESS_HERE);
	witness_downgrade(&mmap_lock, WITNESS_HERE);
	EXPECT("downgrade of a lock that is not held for writing: mmap lock");
	rwsem_read_unlock(&mmap_lock);
}

static void test_assert_held(void **state)
{
	(void)state;
	witness_assert_held(&mmap_lock, WITNESS_SHARED);
	EXPECT("needed and not held: mmap lock");
	rwsem_read_lock(&mmap_lock);
	witness_assert_held(&mmap_lock, WITNESS_SHARED);
	assert_int_equal(nr_reports, 0);
	witness_assert_held(&mmap_lock, WITNESS_EXCLUSIVE);
	EXPECT("needed for writing and held for reading: mmap lock");
	rwsem_read_unlock(&mmap_lock);
}

static void test_sleep_under_spinlock(void **state)
{
	int line;

	(void)state;
	spin_lock(&lru); line = __LINE__;
	might_sleep();
	EXPECT("sleeping in atomic context", "while holding lru lock", LINE(line));
	spin_unlock(&lru);
	/* Every sleeping lock asks. */
	spin_lock(&lru);
	rwsem_read_lock(&mmap_lock);
	assert_int_equal(nr_reports, 2);
	assert_non_null(strstr(reports[0], "sleeping in atomic context"));
	assert_non_null(strstr(reports[1], "lock order"));
	nr_reports = 0;
	rwsem_read_unlock(&mmap_lock);
	spin_unlock(&lru);
	might_sleep();
	assert_int_equal(nr_reports, 0);
}

static void test_sleep_in_read_section(void **state)
{
	int line;

	(void)state;
	rcu_read_lock(); line = __LINE__;
	rcu_read_lock();
	rcu_read_unlock();
	might_sleep();
	EXPECT("sleeping in atomic context", "RCU read section entered at", LINE(line));
	rcu_read_unlock();
	might_sleep();
	assert_int_equal(nr_reports, 0);
	witness_rcu_leave(WITNESS_HERE);
	EXPECT("rcu_read_unlock() outside of a read section");
}

static void test_left_behind(void **state)
{
	(void)state;
	rwsem_read_lock(&mmap_lock);
	rcu_read_lock();
	witness_assert_none_held();
	assert_int_equal(nr_reports, 2);
	assert_non_null(strstr(reports[0], "still held at "));
	assert_non_null(strstr(reports[0], "mmap lock"));
	assert_non_null(strstr(reports[1], "RCU read section entered at "));
	rcu_read_unlock();
	rwsem_read_unlock(&mmap_lock);
}

static void *ends_with_lock(void *arg)
{
	(void)arg;
	witness_set_report(note_report, NULL);
	rwsem_read_lock(&i_mmap);
	return NULL;
}

static void test_left_behind_by_thread(void **state)
{
	(void)state;
	finish(start(ends_with_lock, NULL));
	EXPECT("still held at the end of the thread: i_mmap lock");
}

/* What one thread holds is nothing to another. */
static void *takes_outer(void *arg)
{
	rwsem_read_lock(&mmap_lock);
	*(bool *)arg = !witness_holds(&i_mmap, WITNESS_SHARED);
	rwsem_read_unlock(&mmap_lock);
	return NULL;
}

static void test_threads_are_apart(void **state)
{
	bool apart = false;

	(void)state;
	rwsem_write_lock(&i_mmap);
	finish(start(takes_outer, &apart));
	rwsem_write_unlock(&i_mmap);
	assert_true(apart);
	assert_int_equal(nr_reports, 0);
}

static void lock_in_handler(int signal)
{
	(void)signal;
	spin_lock(&lru);
	spin_unlock(&lru);
}

/* A handler that uses locks in between leaves the interrupted thread's list as it was. */
static void test_signal_handler(void **state)
{
	struct sigaction act = { .sa_handler = lock_in_handler }, old;

	(void)state;
	sigaction(SIGUSR1, &act, &old);
	rwsem_read_lock(&mmap_lock);
	raise(SIGUSR1);
	spin_lock(&table);
	raise(SIGUSR1);
	spin_unlock(&table);
	rwsem_read_unlock(&mmap_lock);
	sigaction(SIGUSR1, &old, NULL);
	witness_assert_none_held();
	assert_int_equal(nr_reports, 0);
}

/* Without a hook the first report ends the process. */
static void test_default_is_panic(void **state)
{
	int fds[2], status;
	char out[8192] = "";
	size_t at = 0;
	ssize_t got;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct sigaction dfl = { .sa_handler = SIG_DFL };

		sigaction(SIGABRT, &dfl, NULL);
		dup2(fds[1], STDERR_FILENO);
		witness_set_report(NULL, NULL);
		rwsem_read_lock(&i_mmap);
		rwsem_read_lock(&mmap_lock);
		_exit(0);
	}
	close(fds[1]);
	while ((got = read(fds[0], out + at, sizeof(out) - 1 - at)) > 0)
		at += (size_t)got;
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_non_null(strstr(out, "panic: lock order: mmap lock"));
}

#define TEST(fn)	cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_right_order_is_silent),
		TEST(test_wrong_order),
		TEST(test_same_rank),
		TEST(test_trylock),
		TEST(test_recursion),
		TEST(test_release),
		TEST(test_assert_held),
		TEST(test_sleep_under_spinlock),
		TEST(test_sleep_in_read_section),
		TEST(test_left_behind),
		TEST(test_left_behind_by_thread),
		TEST(test_threads_are_apart),
		TEST(test_signal_handler),
		TEST(test_default_is_panic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
