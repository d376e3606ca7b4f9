/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Failure injection itself: which site fails, and what the table of sites says.  Debug builds. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "port/port.h"

#define MEGABYTE	(1ul << 20)

/* Which of the next @nr sites fail, as bits. */
static unsigned long failures(int nr)
{
	unsigned long bits = 0;

	for (int i = 0; i < nr; i++)
		bits |= (unsigned long)port_fail_site() << i;
	return bits;
}

static void test_nth(void **state)
{
	port_fail_nth(3);
	assert_int_equal(failures(8), 1 << 2);
	port_fail_both(2, 5);
	assert_int_equal(failures(8), 1 << 1 | 1 << 4);
	port_fail_both(2, 5);
	port_fail_nth(4);
	assert_int_equal(failures(8), 1 << 3);
	port_fail_nth(1);
	port_fail_nth(0);
	assert_int_equal(failures(8), 0);
}

static void *fails_elsewhere(void *arg)
{
	unsigned long *bits = arg;

	*bits = failures(4);
	return NULL;
}

static unsigned long failures_of_thread(void)
{
	unsigned long bits = 0;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, fails_elsewhere, &bits), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	return bits;
}

static void test_own_thread_only(void **state)
{
	unsigned long count = port_alloc_count();

	port_fail_nth(2);
	assert_int_equal(failures_of_thread(), 0);
	assert_int_equal(port_alloc_count(), count);
	assert_int_equal(failures(4), 1 << 1);
}

static void test_any_thread(void **state)
{
	unsigned long count = port_alloc_count_of_all();

	port_fail_nth_of_all(6);
	assert_int_equal(failures(4), 0);
	assert_int_equal(failures_of_thread(), 1 << 1);
	assert_int_equal(port_alloc_count_of_all(), count + 8);
	port_fail_nth_of_all(0);
}

static void test_random_repeats(void **state)
{
	unsigned long first, second;

	port_fail_random(7, 3);
	first = failures(64);
	port_fail_random(7, 3);
	second = failures(64);
	assert_int_equal(first, second);
	/* About a third: far from none and from all. */
	assert_in_range(__builtin_popcountl(first), 8, 40);
	port_fail_random(8, 3);
	assert_int_not_equal(failures(64), first);
	port_fail_random(7, 0);
	assert_int_equal(failures(64), 0);
}

static void test_kinds(void **state)
{
	port_fail_random(1, 1);
	assert_false(port_fail_kind(PORT_FAIL_THREAD));
	port_fail_kinds(1u << PORT_FAIL_THREAD);
	assert_true(port_fail_kind(PORT_FAIL_THREAD));
	assert_false(port_fail_site());
	port_fail_kinds(1u << PORT_FAIL_MEMORY);
	port_fail_random(0, 0);
}

/* The site whose name ends in @end. */
static struct port_site site_named(const char *end)
{
	static struct port_site sites[256];
	size_t nr = port_fail_sites(sites, 256);

	assert_in_range(nr, 1, 256);
	for (size_t i = 0; i < nr; i++) {
		const char *here = sites[i].here;

		if (strlen(here) >= strlen(end) &&
		    !strcmp(here + strlen(here) - strlen(end), end))
			return sites[i];
	}
	fail_msg("no site %s", end);
	return sites[0];
}

static void test_table(void **state)
{
	struct port_site site;
	size_t nr = port_fail_sites(NULL, 0);

	port_fail_nth(2);
	for (int i = 0; i < 5; i++)
		assert_int_equal(port_fail_kind_at(PORT_FAIL_MEMORY, "some/file.c:77"), i == 1);
	site = site_named("/file.c:77");
	assert_int_equal(site.kind, PORT_FAIL_MEMORY);
	assert_int_equal(site.asked, 5);
	assert_int_equal(site.failed, 1);
	assert_int_equal(port_fail_sites(NULL, 0), nr + 1);
}

static void test_names_its_caller(void **state)
{
	long live = port_live_allocs();
	void *p;
	int line;

	port_fail_nth(1);
	line = __LINE__; p = port_alloc(8);
	assert_null(p);
	assert_int_equal(port_live_allocs(), live);
	{
		char end[64];

		snprintf(end, sizeof(end), "tests/port/failure_test.c:%d", line);
		assert_int_equal(site_named(end).failed, 1);
	}
}

static void test_wakes_for_no_reason(void **state)
{
	u32 word = 5;

	port_fail_kinds(1u << PORT_FAIL_WAKE);
	port_fail_nth(1);
	errno = 33;
	assert_int_equal(port_wait(&word, 5, PORT_NO_DEADLINE), 0);
	assert_int_equal(errno, 33);
	port_fail_kinds(1u << PORT_FAIL_MEMORY);
	assert_int_equal(port_wait(&word, 5, port_now_ns() + 1000), -ETIMEDOUT);
}

static void *random_number(void *arg)
{
	u64 *number = arg;

	*number = port_random();
	return NULL;
}

static void test_no_randomness(void **state)
{
	u64 numbers[2] = { 0 };
	pthread_t thread;

	port_fail_kinds(1u << PORT_FAIL_ENTROPY);
	port_fail_random(1, 1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_create(&thread, NULL, random_number, &numbers[i]), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_int_not_equal(numbers[i], 0);
	}
	assert_int_not_equal(numbers[0], numbers[1]);
	port_fail_random(0, 0);
	port_fail_kinds(1u << PORT_FAIL_MEMORY);
}

/* Is @p mapped by anybody? */
static bool is_mapped(void *p)
{
	return !msync(p, 4096, MS_ASYNC);
}

/* What the kernel will not take back now is taken back by a later free, and was emptied at once. */
static void test_not_unmapped_now(void **state)
{
	char *p = port_alloc(2 * MEGABYTE), *other = port_alloc(MEGABYTE);

	assert_non_null(p);
	assert_non_null(other);
	p[MEGABYTE] = 1;
	port_fail_kinds(1u << PORT_FAIL_UNMAP);
	port_fail_nth(1);
	errno = 33;
	port_free(p, 2 * MEGABYTE);
	assert_int_equal(errno, 33);
	assert_true(is_mapped(p));
	assert_int_equal(p[MEGABYTE], 0);
	/* Refused once more, beside another that goes. */
	port_fail_nth(1);
	port_free(other, MEGABYTE);
	assert_false(is_mapped(other));
	assert_true(is_mapped(p));
	port_fail_nth(0);
	other = port_alloc(MEGABYTE);
	assert_non_null(other);
	port_free(other, MEGABYTE);
	assert_false(is_mapped(p));
	port_fail_kinds(1u << PORT_FAIL_MEMORY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nth),
		cmocka_unit_test(test_own_thread_only),
		cmocka_unit_test(test_any_thread),
		cmocka_unit_test(test_random_repeats),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_names_its_caller),
		cmocka_unit_test(test_wakes_for_no_reason),
		cmocka_unit_test(test_no_randomness),
		cmocka_unit_test(test_not_unmapped_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
