/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The host forks while tables wait for their grace period and other threads are in the allocator.
 *
 * In the child the queue of RCU is run as well, and gives frames back: that must neither hang, at a
 * lock that a thread has which is not there any more, nor be seen by the parent.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "../sync/threads.h"
#include "ds/page_index.h"
#include "phys/objects.h"
#include "space.h"

#define FORKS	40

/* The sanitizer would end a child that starts a thread, as the child of a fork does here. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "die_after_fork=0";
}

static struct space s;
static u32 started, done;
static u32 nr_called;			/* behind the tables of so many forks */

static void *busy(void *arg)
{
	struct page *pages[100];

	(void)arg;
	raise_flag(&started);
	while (!atomic_load_relaxed(&done)) {
		for (int i = 0; i < 100; i++)
			pages[i] = page_alloc(s.arena, 0, PAGE_ANYTHING);
		for (int i = 0; i < 100; i++)
			if (pages[i])
				page_put(pages[i]);
	}
	return NULL;
}

static void count_call(struct port_rcu_head *head)
{
	nr_called++;
}

/*
 * A thread that begins allocates, and the address sanitizer's allocator is not stopped by a fork: a
 * thread that a child starts may wait for ever for one of its locks, before it comes to what is to
 * run there.  So there the child asks for frames, and for no thread.
 */
#if defined(__SANITIZE_ADDRESS__)
# define STARTS_THREADS	0
#elif defined(__has_feature)
# if __has_feature(address_sanitizer)
#  define STARTS_THREADS	0
# endif
#endif
#ifndef STARTS_THREADS
# define STARTS_THREADS	1
#endif

/* The child's exit status. */
static int in_child(u32 nr_forks)
{
	struct page *page = page_alloc(s.arena, 0, PAGE_ANYTHING);

	if (page)
		page_put(page);
	if (!STARTS_THREADS)
		return 0;
	port_rcu_barrier();
	return nr_called == nr_forks ? 0 : 1;
}

static void test_fork(void **state)
{
	static struct port_rcu_head heads[FORKS];
	pthread_t other;

	(void)state;
	space_make(&s, &machines[0], 16, NULL);
	other = start(busy, NULL);
	wait_for_flag(&started);
	for (u32 i = 0; i < FORKS; i++) {
		int status;
		pid_t child;

		for (unsigned long gib = 0; gib < 20; gib++)
			map_new(&s.pt, gib << 30, USER_RW);
		empty(&s.pt);			/* 40 tables and more go to RCU */
		port_call_rcu(&heads[i], count_call);
		child = fork();
		assert_true(child >= 0);
		if (!child)
			_exit(in_child(i + 1));
		/* The parent's books, while the child changes its own. */
		map_new(&s.pt, 0, USER_RW);
		port_rcu_barrier();
		empty(&s.pt);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
	raise_flag(&done);
	finish(other);
	space_end(&s);
}

/* ------------------------------------------------------------- nodes that lie in frames -- */

static struct objects pool;
static u32 inside, leave;

static struct pi_node *node_alloc(struct pi_memory *memory)
{
	(void)memory;
	return objects_alloc(&pool);
}

static void node_free(struct pi_memory *memory, struct pi_node *node)
{
	(void)memory;
	objects_free(&pool, node);
}

static void *long_reader(void *arg)
{
	(void)arg;
	port_rcu_read_lock();
	raise_flag(&inside);
	wait_for_flag(&leave);
	port_rcu_read_unlock();
	return NULL;
}

static void add(struct page_index *pi, unsigned long index)
{
	struct pi_stash stash = { 0 };

	assert_int_equal(pi_prepare(pi, &stash, index), 0);
	assert_int_equal(pi_insert(pi, &stash, index, &pool), 0);
	pi_stash_empty(pi, &stash);
}

/* One is gone and waits for readers.  The child must not give it back: its bytes are the parent's. */
static void test_nodes_in_frames(void **state)
{
	struct pi_memory memory = { .alloc = node_alloc, .free = node_free };
	struct page_index pi, other_pi;
	struct pi_node *node;
	unsigned char before[sizeof(*node)];
	pthread_t reader;
	int status;
	pid_t child;

	(void)state;
	space_make(&s, &machines[0], 16, NULL);
	objects_init(&pool, s.arena, sizeof(struct pi_node));
	pi_init(&pi, &memory);
	pi_init(&other_pi, &memory);
	add(&other_pi, 0);
	add(&pi, 0);
	node = pi.root;
	reader = start(long_reader, NULL);
	wait_for_flag(&inside);
	assert_ptr_equal(pi_erase(&pi, 0), &pool);
	memcpy(before, node, sizeof(before));
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		port_rcu_barrier();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_memory_equal(before, node, sizeof(before));
	raise_flag(&leave);
	finish(reader);
	assert_ptr_equal(pi_erase(&other_pi, 0), &pool);
	port_rcu_barrier();
	objects_destroy(&pool);
	space_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fork), cmocka_unit_test(test_nodes_in_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
