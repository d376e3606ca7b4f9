/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The mmap lock from outside: every call gives up when its mm is killed, waits end at their time,
 * a downgraded lock lets readers in, and a speculative read that was not disturbed saw one moment.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "../mm/space.h"

static struct space s;

static void in_thread(void *(*fn)(void *), void *arg)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, fn, arg), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

/* ------------------------------------------------------------ killed */

enum { NR_CALLS = 20 };

static struct file *file, *segment;
static long results[NR_CALLS];
static atomic_int nr_waiting;

static long make_call(int which)
{
	const struct area_desc area = { .start = at(60), .end = at(61), .flags = VM_READ };
	struct mm_user *child;

	switch (which) {
	case 0: return mm_mmap(s.mm, 0, SPACE_PAGE, RW, ANON, NULL, 0);
	case 1: return mm_munmap(s.mm, at(0), SPACE_PAGE);
	case 2: return mm_mprotect(s.mm, at(0), SPACE_PAGE, PROT_NONE);
	case 3: return mm_pkey_mprotect(s.mm, at(0), SPACE_PAGE, PROT_NONE, -1);
	case 4: return mm_mremap(s.mm, at(0), SPACE_PAGE, 2 * SPACE_PAGE, MREMAP_MAYMOVE, 0);
	case 5: return mm_madvise(s.mm, at(0), SPACE_PAGE, MADV_DONTFORK);
	case 6: return mm_mlock(s.mm, at(0), SPACE_PAGE);
	case 7: return mm_mlock2(s.mm, at(0), SPACE_PAGE, MLOCK_ONFAULT);
	case 8: return mm_munlock(s.mm, at(0), SPACE_PAGE);
	case 9: return mm_mlockall(s.mm, MCL_FUTURE);
	case 10: return mm_munlockall(s.mm);
	case 11: return mm_mseal(s.mm, at(0), SPACE_PAGE, 0);
	case 12: return mm_remap_file_pages(s.mm, at(0), SPACE_PAGE, 0, 0, 0);
	case 13: return mm_shmat(s.mm, segment, 0, 0);
	case 14: return mm_shmdt(s.mm, at(0));
	case 15: return mm_set_anon_name(s.mm, at(0), SPACE_PAGE, "name");
	case 16: return mm_set_thp_disable(s.mm, true);
	case 17: return mm_add_area(s.mm, &area);
	case 18: return mm_fork(s.mm, &child);
	default: return mm_exec(s.mm, &s.mm_config);
	}
}

static void *one_call(void *arg)
{
	int which = (int)(intptr_t)arg;

	nr_waiting++;
	results[which] = make_call(which);
	return NULL;
}

/* Whether a call waits already or is still on its way: it ends, and nothing has changed. */
static void kill_ends_calls(void **state)
{
	pthread_t threads[NR_CALLS];
	struct mmap_write *lock;

	space_open(&s);
	file = space_file(&s, 10, 0, FILE_PLACE_ANY);
	segment = space_file(&s, 10, FILE_SHMEM, FILE_PLACE_SHMEM);
	assert_int_equal(space_map(&s, 0, 2, RW, ANON), 0);
	assert_int_equal(space_map_file(&s, 4, 1, PROT_READ, MAP_SHARED, file, 0), 0);
	lock = mmap_write_lock(s.mm);
	for (int i = 0; i < NR_CALLS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, one_call, (void *)(intptr_t)i),
				 0);
	while (nr_waiting < NR_CALLS)
		sched_yield();
	mm_kill(s.mm);
	for (int i = 0; i < NR_CALLS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (int i = 0; i < NR_CALLS; i++) {
		if (results[i] != -EINTR)
			fail_msg("call %d: %ld", i, results[i]);
	}
	mmap_write_unlock(lock);
	assert_areas(&s, "[0..2)rw-p [4..5)r--s");
	/* What need not wait is done, even for the dying: exit has to unmap. */
	assert_int_equal(space_unmap(&s, 0, 2), 0);
	assert_areas(&s, "[4..5)r--s");
	file_put(file);
	file_put(segment);
	space_close(&s);
}

/* The child of a killed mm is alive; so are the others. */
static void kill_is_of_one_mm(void **state)
{
	struct mm_user *child;
	struct mmap_write *lock;

	space_open(&s);
	assert_int_equal(space_map(&s, 0, 2, RW, ANON), 0);
	mm_kill(s.mm);
	assert_int_equal(mm_fork(s.mm, &child), 0);
	lock = mmap_write_lock_killable(child);
	assert_non_null(lock);
	mmap_write_unlock(lock);
	mmput(child);
	space_close(&s);
}

/* ------------------------------------------------------------ until */

static uint64_t now_ns(void)
{
	struct timespec t;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &t), 0);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

#define A_WHILE_NS	2000000u

static void *give_up(void *arg)
{
	uint64_t deadline = now_ns() + A_WHILE_NS;

	assert_null(mmap_write_lock_until(s.mm, deadline));
	assert_true(now_ns() >= deadline);
	deadline = now_ns() + A_WHILE_NS;
	assert_null(mmap_read_lock_until(s.mm, deadline));
	assert_true(now_ns() >= deadline);
	return NULL;
}

static void *write_gives_up(void *arg)
{
	uint64_t deadline = now_ns() + A_WHILE_NS;

	assert_null(mmap_write_lock_until(s.mm, deadline));
	assert_true(now_ns() >= deadline);
	return NULL;
}

/* Who gave up leaves nothing behind: readers and writers come in as before. */
static void waits_end_at_their_time(void **state)
{
	struct mmap_write *write;
	struct mmap_read *read, *second;

	space_open(&s);
	write = mmap_write_lock(s.mm);
	in_thread(give_up, NULL);
	mmap_write_unlock(write);
	read = mmap_read_lock(s.mm);
	in_thread(write_gives_up, NULL);
	second = mmap_read_trylock(s.mm);
	assert_non_null(second);
	mmap_read_unlock(second);
	mmap_read_unlock(read);
	write = mmap_write_trylock(s.mm);
	assert_non_null(write);
	mmap_write_unlock(write);
	space_close(&s);
}

/* ------------------------------------------------------------ downgrade */

static atomic_int nr_readers_in;

static void *wait_to_read(void *arg)
{
	struct mmap_read *lock = mmap_read_lock(s.mm);
	struct vma_ref *vma = vma_lookup(lock, at(0));

	assert_non_null(vma);
	nr_readers_in++;
	/* All are in at the same time, with the one that was the writer. */
	while (nr_readers_in < 4)
		sched_yield();
	mmap_read_unlock(lock);
	return NULL;
}

static void *no_writer(void *arg)
{
	assert_null(mmap_write_trylock(s.mm));
	return NULL;
}

static void downgrade_lets_readers_in(void **state)
{
	pthread_t threads[3];
	struct mmap_write *write;
	struct mmap_read *read;
	struct vma_mut *mut;
	struct vma_ref *ref;

	space_open(&s);
	assert_int_equal(space_map(&s, 0, 2, RW, ANON), 0);
	nr_readers_in = 0;
	write = mmap_write_lock(s.mm);
	mut = vma_start_write(write, vma_lookup(write, at(0)));
	assert_int_equal(vma_set_anon_name(mut, "renamed"), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, wait_to_read, NULL), 0);
	read = mmap_write_downgrade(write);
	nr_readers_in++;
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	in_thread(no_writer, NULL);
	/* The VMA write lock of the section is over: its readers come in beside us. */
	ref = lock_vma_under_rcu(s.mm, at(1));
	assert_non_null(ref);
	vma_end_read(ref);
	ref = vma_lookup(read, at(0));
	assert_non_null(ref);
	assert_int_equal(vma_end(ref), at(2));
	mmap_read_unlock(read);
	space_close(&s);
}

/* ------------------------------------------------------------ speculation */

#define NR_SPECULATIONS	3000

static atomic_bool stop;

/* The two places change hands: one of them is mapped, never both, never none. */
static void *swap(void *arg)
{
	while (!stop) {
		if (mm_mremap(s.mm, at(0), SPACE_PAGE, SPACE_PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			      at(8)) != (long)at(8) ||
		    mm_mremap(s.mm, at(8), SPACE_PAGE, SPACE_PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			      at(0)) != (long)at(0))
			return (void *)1;
	}
	return NULL;
}

/* Two questions, each of its own moment; undisturbed, they were of one. */
static void undisturbed_is_one_moment(void **state)
{
	int valid = 0, wrong = 0;
	pthread_t thread;
	void *failed;

	space_open(&s);
	assert_int_equal(space_map(&s, 0, 1, RW, ANON), 0);
	assert_int_equal(pthread_create(&thread, NULL, swap, NULL), 0);
	while (valid < NR_SPECULATIONS) {
		unsigned int seq;
		bool here, there;

		if (!mmap_lock_speculate_try_begin(s.mm, &seq)) {
			sched_yield();
			continue;
		}
		here = mm_range_ok(s.mm, at(0), SPACE_PAGE, RW);
		there = mm_range_ok(s.mm, at(8), SPACE_PAGE, RW);
		if (mmap_lock_speculate_retry(s.mm, seq))
			continue;
		valid++;
		wrong += here == there;
	}
	stop = true;
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	assert_int_equal(wrong, 0);
	space_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kill_ends_calls),
		cmocka_unit_test(kill_is_of_one_mm),
		cmocka_unit_test(waits_end_at_their_time),
		cmocka_unit_test(downgrade_lets_readers_in),
		cmocka_unit_test(undisturbed_is_one_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
