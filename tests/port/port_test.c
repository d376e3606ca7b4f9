/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Memory, waiting, clock, chance, threads and background work. */
#include <errno.h>
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

#define MIB	(1ul << 20)

/* ------------------------------------------------------------------------------ memory -- */

static void test_alloc(void **state)
{
	static const size_t sizes[] = { 1, 63, 64, 4096, 100000, MIB - 1, MIB, 3 * MIB + 5 };
	static const char zero[4096];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (int again = 0; again < 2; again++) {
			char *p = port_alloc(sizes[i]);

			assert_non_null(p);
			assert_int_equal((uintptr_t)p % 64, 0);
			for (size_t at = 0; at < sizes[i]; at += sizeof(zero))
				assert_memory_equal(p + at, zero, min(sizeof(zero), sizes[i] - at));
			/* So that memory given out again is seen to be zeroed again. */
			memset(p, 0xa5, sizes[i]);
			port_free(p, sizes[i]);
		}
	}
	port_free(NULL, 100);
}

static void test_alloc_fails(void **state)
{
	(void)state;
	assert_null(port_alloc((size_t)1 << 60));
}

#ifdef CONFIG_VMAREA_DEBUG

static void *fail_none(void *arg)
{
	void *p = port_alloc(8);

	port_free(p, 8);
	*(bool *)arg = p;
	return NULL;
}

static void test_fail_nth(void **state)
{
	unsigned long count = port_alloc_count();
	long live = port_live_allocs();
	bool other_got_it = false;
	pthread_t thread;
	void *p[4];

	(void)state;
	port_fail_nth(3);
	assert_int_equal(pthread_create(&thread, NULL, fail_none, &other_got_it), 0);
	pthread_join(thread, NULL);
	assert_true(other_got_it);
	for (int i = 0; i < 4; i++)
		p[i] = port_alloc(16);
	assert_non_null(p[0]);
	assert_non_null(p[1]);
	assert_null(p[2]);
	assert_non_null(p[3]);
	assert_int_equal(port_alloc_count(), count + 4);
	assert_int_equal(port_live_allocs(), live + 3);
	for (int i = 0; i < 4; i++)
		port_free(p[i], 16);
	assert_int_equal(port_live_allocs(), live);

	port_fail_nth(1);
	port_fail_nth(0);
	p[0] = port_alloc(16);
	assert_non_null(p[0]);
	port_free(p[0], 16);
}

# define DEBUG_TESTS	cmocka_unit_test(test_fail_nth),
#else
# define DEBUG_TESTS
#endif

/* ----------------------------------------------------------------------------- waiting -- */

static void test_wait_returns(void **state)
{
	u32 word = 1;
	u64 soon = port_now_ns() + 1000 * 1000;

	(void)state;
	errno = 77;
	assert_int_equal(port_wait(&word, 2, PORT_NO_DEADLINE), 0);
	assert_int_equal(port_wait(&word, 1, 0), -ETIMEDOUT);
	assert_int_equal(port_wait(&word, 1, soon), -ETIMEDOUT);
	assert_true(port_now_ns() >= soon);
	port_wake(&word, INT_MAX);
	assert_int_equal(errno, 77);
}

struct pingpong {
	u32 turn;			/* atomic, futex */
	u32 rounds[2];
};

static void play(struct pingpong *game, u32 me)
{
	for (int i = 0; i < 300; i++) {
		while (atomic_load_acquire(&game->turn) != me)
			port_wait(&game->turn, !me, PORT_NO_DEADLINE);
		game->rounds[me]++;
		atomic_store_release(&game->turn, !me);
		port_wake(&game->turn, 1);
	}
}

static void *play_one(void *game)
{
	play(game, 1);
	return NULL;
}

static void test_wait_wakes(void **state)
{
	struct pingpong game = { .turn = 0 };
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, play_one, &game), 0);
	play(&game, 0);
	pthread_join(thread, NULL);
	assert_int_equal(game.rounds[0], 300);
	assert_int_equal(game.rounds[1], 300);
}

static void test_wait_between_processes(void **state)
{
	struct pingpong *game = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				     -1, 0);
	pid_t pid;
	int status;

	(void)state;
	assert_ptr_not_equal(game, MAP_FAILED);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		play(game, 1);
		_exit(0);
	}
	play(game, 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(game->rounds[0] + game->rounds[1], 600);
	munmap(game, 4096);
}

static void test_clock_and_chance(void **state)
{
	u64 a = port_now_ns(), b, bits = 0, ones = ~0ull;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		b = port_now_ns();
		assert_true(b >= a);
		a = b;
	}
	for (int i = 0; i < 200; i++) {
		a = port_random();
		bits |= a;
		ones &= a;
	}
	assert_int_equal(bits, ~0ull);
	assert_int_equal(ones, 0);
}

/* -------------------------------------------------------------------------- thread ids -- */

static void *store_id(void *arg)
{
	*(u32 *)arg = port_thread_id();
	return NULL;
}

static void test_thread_id(void **state)
{
	u32 other = 0, mine = port_thread_id();
	pthread_t thread;

	(void)state;
	assert_int_not_equal(mine, 0);
	assert_int_equal(pthread_create(&thread, NULL, store_id, &other), 0);
	pthread_join(thread, NULL);
	assert_int_not_equal(other, 0);
	assert_int_not_equal(other, mine);
	assert_int_equal(port_thread_id(), mine);
}

/* ---------------------------------------------------------------------- background work -- */

struct job {
	struct port_work work;
	int runs;
	int number;
	u32 thread;
};

static int order[8], order_len;
static u32 hold;			/* atomic, futex: works wait while it is 1 */

static void wait_while_held(void)
{
	while (atomic_load_acquire(&hold))
		port_wait(&hold, 1, PORT_NO_DEADLINE);
}

static void let_go(void)
{
	atomic_store_release(&hold, 0);
	port_wake(&hold, INT_MAX);
}

static void run_job(struct port_work *w)
{
	struct job *job = container_of(w, struct job, work);

	wait_while_held();
	job->runs++;
	job->thread = port_thread_id();
	order[order_len++] = job->number;
}

static void run_and_free(struct port_work *w)
{
	port_free(container_of(w, struct job, work), sizeof(struct job));
}

static void run_again(struct port_work *w)
{
	struct job *job = container_of(w, struct job, work);

	if (++job->runs < 5)
		assert_int_equal(port_work(w, run_again), 0);
}

static void test_work(void **state)
{
	struct job jobs[3] = { { .number = 0 }, { .number = 1 }, { .number = 2 } };

	(void)state;
	order_len = 0;
	atomic_store_relaxed(&hold, 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(port_work(&jobs[i].work, run_job), 0);
	/* The first may have begun, and can be queued again; the others cannot have. */
	assert_int_equal(port_work(&jobs[2].work, run_job), -EBUSY);
	let_go();
	port_work_flush();
	assert_int_equal(order_len, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(jobs[i].runs, 1);
		assert_int_equal(order[i], i);
		assert_int_not_equal(jobs[i].thread, port_thread_id());
	}
	assert_int_equal(port_work(&jobs[1].work, run_job), 0);
	port_work_flush();
	assert_int_equal(jobs[1].runs, 2);
}

static void test_work_frees_itself(void **state)
{
	struct job *job = port_alloc(sizeof(*job));

	(void)state;
	assert_non_null(job);
	assert_int_equal(port_work(&job->work, run_and_free), 0);
	port_work_flush();
}

static void test_work_queues_itself(void **state)
{
	struct job job = { .runs = 0 };

	(void)state;
	assert_int_equal(port_work(&job.work, run_again), 0);
	for (int i = 0; i < 5; i++)
		port_work_flush();
	assert_int_equal(job.runs, 5);
}

static void test_flush_with_nothing(void **state)
{
	(void)state;
	port_work_flush();
	port_work_flush();
}

static volatile sig_atomic_t nr_signals;

static void note_signal(int number)
{
	(void)number;
	nr_signals++;
}

/* Whoever reads the program's errors has gone: that ends no program that was only warned. */
static void test_nobody_reads_messages(void **state)
{
	int pipes[2], own = dup(STDERR_FILENO), seen;

	(void)state;
	assert_true(own >= 0);
	assert_int_equal(pipe(pipes), 0);
	close(pipes[0]);
	signal(SIGPIPE, note_signal);
	dup2(pipes[1], STDERR_FILENO);
	errno = EXDEV;
	port_log("nobody reads this");
	seen = errno;
	dup2(own, STDERR_FILENO);
	assert_int_equal(seen, EXDEV);
	assert_int_equal(nr_signals, 0);
	/* The program's own are as before. */
	assert_int_equal(write(pipes[1], "x", 1), -1);
	assert_int_equal(nr_signals, 1);
	signal(SIGPIPE, SIG_DFL);
	close(pipes[1]);
	close(own);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alloc),
		cmocka_unit_test(test_alloc_fails),
		DEBUG_TESTS
		cmocka_unit_test(test_wait_returns),
		cmocka_unit_test(test_wait_wakes),
		cmocka_unit_test(test_wait_between_processes),
		cmocka_unit_test(test_clock_and_chance),
		cmocka_unit_test(test_thread_id),
		cmocka_unit_test(test_work),
		cmocka_unit_test(test_work_frees_itself),
		cmocka_unit_test(test_work_queues_itself),
		cmocka_unit_test(test_flush_with_nothing),
		cmocka_unit_test(test_nobody_reads_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
