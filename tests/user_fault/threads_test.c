/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Programs' threads that fault, handlers that answer, and those who pull the areas away. */
#include <stdlib.h>

#include "faults.h"

#define MISSING		USER_FAULT_MISSING
#define PAGES		64ul
#define NR_PROGRAMS	3

static struct memory m;
static struct user_faults *uf;
static u32 stop;			/* a */
static unsigned long rounds = 150;

/* The byte that page @page has in each round. */
static int byte_of(unsigned long page)
{
	return (int)(page % 250 + 1);
}

static void *handler(void *arg)
{
	struct user_fault_msg msgs[4];
	long nr;

	while ((nr = user_faults_read(uf, msgs, 4)) > 0) {
		for (long i = 0; i < nr; i++) {
			unsigned long page = (msgs[i].address - at(0)) / PAGE;
			long done = faults_copy(uf, page, 1, byte_of(page), 0);

			/* Another was faster, the range is being pulled away: to him who waits. */
			if (done != (long)PAGE)
				user_faults_wake(uf, at(page), PAGE);
		}
	}
	assert_int_equal(nr, -EBADF);
	return NULL;
}

/* Every page has its byte, whoever came first. */
static void *program(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg;

	for (unsigned long i = 0; i < rounds; i++) {
		unsigned long page = (unsigned long)rand_r(&seed) % PAGES;

		assert_int_equal(get(&m, page), byte_of(page));
		if (i % 8 == 0)
			assert_int_equal(mm_madvise(m.s.mm, at(page), PAGE, MADV_DONTNEED), 0);
	}
	return NULL;
}

static void open_with(unsigned long nr_registered)
{
	memory_open(&m);
	stop = 0;
	assert_int_equal(space_map(&m.s, 0, PAGES, RW, ANON), 0);
	uf = faults_make(&m, 0);
	assert_int_equal(faults_register(uf, 0, nr_registered, MISSING), 0);
}

static void handlers_serve_programs(void **state)
{
	pthread_t handlers[2], programs[NR_PROGRAMS];

	open_with(PAGES);
	for (int i = 0; i < 2; i++)
		handlers[i] = start(handler, NULL);
	for (int i = 0; i < NR_PROGRAMS; i++)
		programs[i] = start(program, (void *)(uintptr_t)(i + 1));
	for (int i = 0; i < NR_PROGRAMS; i++)
		finish(programs[i]);
	user_faults_close(uf);
	for (int i = 0; i < 2; i++)
		finish(handlers[i]);
	user_faults_put(uf);
	memory_close(&m);
}

/* Whatever it finds: the byte, zeros where nobody is asked any more, or nothing. */
static void *careless_program(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg;

	while (!atomic_load_acquire(&stop)) {
		unsigned long page = (unsigned long)rand_r(&seed) % PAGES;
		int byte = get(&m, page);

		assert_true(byte == byte_of(page) || !byte || byte == NO_BYTE(MAPERR) ||
			    byte == NO_BYTE(KILLED));
		if (byte == NO_BYTE(KILLED))
			break;
	}
	return NULL;
}

/* Nobody is left asleep, whatever happens to the areas. */
static void areas_are_pulled_away(void **state)
{
	pthread_t handler_thread, programs[NR_PROGRAMS];
	unsigned int seed = 99;

	open_with(PAGES);
	handler_thread = start(handler, NULL);
	for (int i = 0; i < NR_PROGRAMS; i++)
		programs[i] = start(careless_program, (void *)(uintptr_t)(i + 1));
	for (unsigned long i = 0; i < rounds; i++) {
		unsigned long page = (unsigned long)rand_r(&seed) % PAGES;
		unsigned long nr = (unsigned long)rand_r(&seed) % (PAGES - page) + 1;

		switch (rand_r(&seed) % 4) {
		case 0:
			assert_int_equal(space_unmap(&m.s, page, nr), 0);
			assert_int_equal(space_map(&m.s, page, nr, RW, ANON), 0);
			break;
		case 1:
			assert_int_equal(faults_unregister(uf, page, nr), 0);
			break;
		case 2:
			assert_int_equal(faults_register(uf, page, nr, MISSING), 0);
			break;
		default:
			assert_int_equal(mm_madvise(m.s.mm, at(page), nr * PAGE, MADV_DONTNEED),
					 0);
			break;
		}
	}
	atomic_store_release(&stop, 1);
	user_faults_close(uf);
	finish(handler_thread);
	for (int i = 0; i < NR_PROGRAMS; i++)
		finish(programs[i]);
	user_faults_put(uf);
	memory_close(&m);
}

/* Stores to pages that are protected again and again: each is asked for, none is lost. */
static void *storing_program(void *arg)
{
	unsigned long page = (unsigned long)(uintptr_t)arg;

	for (unsigned long i = 1; i <= rounds; i++) {
		assert_int_equal(put(&m, page, (unsigned char)i), MM_FAULT_DONE);
		assert_int_equal(get(&m, page), (unsigned char)i);
	}
	return NULL;
}

static void *allowing_handler(void *arg)
{
	struct user_fault_msg msg;
	long nr;

	while ((nr = user_faults_read(uf, &msg, 1)) == 1)
		assert_int_equal(user_faults_writeprotect(uf, msg.address, PAGE, 0), 0);
	assert_int_equal(nr, -EBADF);
	return NULL;
}

static void writes_are_asked_for_at_random(void **state)
{
	pthread_t handler_thread, programs[NR_PROGRAMS];

	open_with(PAGES);
	assert_int_equal(faults_unregister(uf, 0, PAGES), 0);
	if (!mm_from_user(m.s.mm)->pgt->format->user_wp) {
		user_faults_put(uf);
		memory_close(&m);
		return;
	}
	assert_int_equal(faults_register(uf, 0, PAGES, USER_FAULT_WP), 0);
	handler_thread = start(allowing_handler, NULL);
	for (int i = 0; i < NR_PROGRAMS; i++)
		programs[i] = start(storing_program, (void *)(uintptr_t)i);
	for (unsigned long i = 0; i < rounds; i++)
		assert_int_equal(user_faults_writeprotect(uf, at(0), PAGES * PAGE,
							  USER_FAULT_PROTECT), 0);
	for (int i = 0; i < NR_PROGRAMS; i++)
		finish(programs[i]);
	user_faults_close(uf);
	finish(handler_thread);
	user_faults_put(uf);
	memory_close(&m);
}

/* Nobody answers; the process is killed while its threads begin to wait. */
static void a_kill_ends_all_waits(void **state)
{
	for (int round = 0; round < 20; round++) {
		struct accessor a[NR_PROGRAMS];
		struct user_fault_msg msg;

		open_with(PAGES);
		for (unsigned long i = 0; i < NR_PROGRAMS; i++)
			accessor_start(&a[i], &m, i, MM_ACCESS_WRITE);
		if (round % 2)
			assert_int_equal(user_faults_read(uf, &msg, 1), 1);
		mm_kill(m.s.mm);
		for (unsigned long i = 0; i < NR_PROGRAMS; i++)
			assert_int_equal(accessor_end(&a[i]), MM_FAULT_KILLED);
		faults_expect_none(uf);
		user_faults_put(uf);
		memory_close(&m);
	}
}

/* notify() comes for each wait; whoever reads then finds the message, or it is gone already. */
static u32 nr_told;			/* a */

static void note(void *arg)
{
	atomic_add_release((u32 *)arg, 1);
}

static void event_loops_are_told(void **state)
{
	struct user_faults_config config = USER_FAULTS_CONFIG_INIT;
	struct user_fault_msg msg;
	struct accessor a;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, PAGES, RW, ANON), 0);
	config.notify = note;
	config.arg = &nr_told;
	assert_int_equal(user_faults_create(m.s.mm, &config, &uf), 0);
	assert_int_equal(faults_register(uf, 0, PAGES, MISSING), 0);
	accessor_start(&a, &m, 9, MM_ACCESS_READ);
	wait_until(atomic_load_acquire(&nr_told) == 1);
	assert_int_equal(user_faults_try_read(uf, &msg, 1), 1);
	assert_int_equal(msg.address, at(9));
	assert_int_equal(faults_zero(uf, 9, 1), PAGE);
	assert_int_equal(accessor_end(&a), MM_FAULT_DONE);
	assert_int_equal(atomic_load_acquire(&nr_told), 1);
	user_faults_put(uf);
	memory_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handlers_serve_programs),
		cmocka_unit_test(areas_are_pulled_away),
		cmocka_unit_test(writes_are_asked_for_at_random),
		cmocka_unit_test(a_kill_ends_all_waits),
		cmocka_unit_test(event_loops_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
