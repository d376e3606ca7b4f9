/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A process stores to a file of the host by way of mappings and writes it back, and is killed at some
 * moment.  What the file has then:
 *
 *	one thread, syncs in between	each page as it was at the last sync or later, whole
 *	one stores while one syncs	each word of eight bytes, whole
 *
 * The process tells by memory that it shares with us which round it has begun, and which is synced.
 */
#include <vmarea/file.h>
#include <vmarea/host_file.h>

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../sync/threads.h"
#include "memory.h"

#define PAGES		32ul
#define WORDS		(4096 / sizeof(u64))
#define KILLS		24

/* In memory that both have. */
static struct told {
	u64 begun[PAGES];			/* atomic: by page */
	u64 synced[PAGES];			/* atomic */
	u64 rounds;				/* atomic */
	u32 stop;				/* atomic: no, a kill ends it */
} *told;

static struct memory m;
static struct file *file;

/* ---------------------------------------------------------------- the process that dies -- */

static void store_page(unsigned long page, u64 round)
{
	u64 words[WORDS];
	enum mm_fault fault;

	for (unsigned long i = 0; i < WORDS; i++)
		words[i] = round << 32 | page;
	atomic_store_relaxed(&told->begun[page], round);
	assert_int_equal(mm_write(m.s.mm, at(page), words, 4096, &fault), 4096);
}

static void sync_all(void)
{
	u64 stored[PAGES];

	for (unsigned long i = 0; i < PAGES; i++)
		stored[i] = atomic_load_relaxed(&told->begun[i]);
	assert_int_equal(mm_msync(m.s.mm, at(0), PAGES * 4096, MS_SYNC), 0);
	for (unsigned long i = 0; i < PAGES; i++)
		atomic_store_relaxed(&told->synced[i], stored[i]);
}

static void *sync_for_ever(void *arg)
{
	while (!atomic_load_relaxed(&told->stop))
		assert_int_equal(file_sync(file, 0, UINT64_MAX), 0);
	return NULL;
}

/* A sync after as many pages as the round's number says, in no order. */
static _Noreturn void store_and_sync(int fd, bool beside)
{
	pthread_t thread;

	memory_open(&m);
	assert_int_equal(host_file_open(m.s.v, fd, HOST_FILE_TAKE, &file), 0);
	assert_int_equal(space_map_file(&m.s, 0, PAGES, RW, MAP_SHARED, file, 0), 0);
	if (beside)
		assert_int_equal(pthread_create(&thread, NULL, sync_for_ever, NULL), 0);
	for (u64 round = 1;; round++) {
		for (unsigned long i = 0; i < PAGES; i++) {
			store_page(i * 5 % PAGES, round);
			if (!beside && i == round % PAGES)
				sync_all();
		}
		atomic_store_relaxed(&told->rounds, round);
	}
}

/* ----------------------------------------------------------------------------- the other -- */

static u64 word_of(const u64 *words, unsigned long page, unsigned long nth)
{
	u64 round = words[nth] >> 32;

	if (words[nth] && (words[nth] & UINT32_MAX) != page)
		fail_msg("page %lu, word %lu: %lx is nothing that was stored", page, nth,
			 (unsigned long)words[nth]);
	if (round > told->begun[page] || round < told->synced[page])
		fail_msg("page %lu, word %lu: of round %lu, %lu is synced and %lu begun", page, nth,
			 (unsigned long)round, (unsigned long)told->synced[page],
			 (unsigned long)told->begun[page]);
	return round;
}

static void check_file(int fd, bool whole)
{
	for (unsigned long page = 0; page < PAGES; page++) {
		u64 words[WORDS], first;

		assert_int_equal(pread(fd, words, 4096, (off_t)page * 4096), 4096);
		first = word_of(words, page, 0);
		for (unsigned long i = 1; i < WORDS; i++)
			if (word_of(words, page, i) != first && whole)
				fail_msg("page %lu is torn at word %lu", page, i);
	}
}

static int new_file(void)
{
	char name[] = "host-crash-XXXXXX";
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	assert_int_equal(unlink(name), 0);
	assert_int_equal(ftruncate(fd, PAGES * 4096), 0);
	return fd;
}

/* Not to win a race: whenever it comes, the file must be whole. */
static void wait_a_moment(unsigned int nth)
{
	const struct timespec moment = { .tv_nsec = (long)(nth * 7919 % 40) * 500000 };

	while (!atomic_load_relaxed(&told->rounds))
		sched_yield();
	nanosleep(&moment, NULL);
}

static void kill_and_look(unsigned int nth, bool beside)
{
	int fd = new_file(), status;
	pid_t child;

	memset(told, 0, sizeof(*told));
	child = fork();
	assert_true(child >= 0);
	if (!child)
		store_and_sync(fd, beside);
	wait_a_moment(nth);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	check_file(fd, !beside);
	close(fd);
}

static void a_kill_leaves_each_page_old_or_new(void **state)
{
	for (unsigned int i = 0; i < KILLS; i++)
		kill_and_look(i, false);
}

static void a_kill_leaves_each_word_old_or_new(void **state)
{
	for (unsigned int i = 0; i < KILLS; i++)
		kill_and_look(i, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kill_leaves_each_page_old_or_new),
		cmocka_unit_test(a_kill_leaves_each_word_old_or_new),
	};

	told = mmap(NULL, sizeof(*told), RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (told == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
