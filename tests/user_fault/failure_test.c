/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Every piece of memory that a call asks for is refused once: afterwards the areas and the pages
 * are what they were, and the walker is content.
 */
#include <vmarea/reclaim.h>

#include "faults.h"

static struct memory m;
static struct user_faults *uf;

static void setup(void)
{
	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 8, RW, ANON), 0);
	assert_int_equal(space_map(&m.s, 8, 8, PROT_READ, ANON), 0);
	uf = faults_make(&m, 0);
	assert_int_equal(faults_register(uf, 2, 2, USER_FAULT_MISSING), 0);
}

static void teardown(void)
{
	if (uf)
		user_faults_put(uf);
	memory_close(&m);
}

static long make_one(void)
{
	struct user_faults_config config = USER_FAULTS_CONFIG_INIT;
	struct user_faults *other;
	int err = user_faults_create(m.s.mm, &config, &other);

	if (!err)
		user_faults_put(other);
	return err;
}

static long register_more(void)
{
	return faults_register(uf, 1, 10, USER_FAULT_MISSING);
}

static long unregister_part(void)
{
	return faults_unregister(uf, 3, 4);
}

static long copy(void)
{
	return faults_copy(uf, 3, 1, 7, 0);
}

static long zero(void)
{
	return faults_zero(uf, 3, 1);
}

static void a_failure_changes_nothing(void **state)
{
	long (*const calls[])(void) = { make_one, register_more, unregister_part, copy, zero };

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		long ret = -ENOMEM, n;

		for (n = 1; ret == -ENOMEM; n++) {
			unsigned long rss;
			char before[sizeof(m.s.text)];

			setup();
			/* Or else a call is made again, and the failure is not. */
			vmarea_set_reclaim_when(m.s.v, VMAREA_RECLAIM_WHEN_ASKED);
			rss = mm_rss(m.s.mm);
			assert_areas(&m.s, "[0..2)rw-p [2..4)rw-p [4..8)rw-p [8..16)r--p");
			memcpy(before, m.s.text, sizeof(before));
			port_fail_nth(n);
			ret = calls[i]();
			port_fail_nth(0);
			if (ret == -ENOMEM) {
				assert_areas(&m.s, before);
				assert_int_equal(mm_rss(m.s.mm), rss);
				assert_int_equal(mm_frame(m.s.mm, 3), 0);
				memory_validate(m.s.mm);
			}
			teardown();
		}
		assert_true(ret >= 0);
		assert_true(n > 2);
	}
}

/* Without memory for that its areas keep their flags, and are as if they had none. */
static void closing_cannot_fail(void **state)
{
	struct user_faults *other;

	setup();
	port_fail_nth(1);
	user_faults_put(uf);
	port_fail_nth(0);
	uf = NULL;
	assert_areas(&m.s, "[0..2)rw-p [2..4)rw-p [4..8)rw-p [8..16)r--p");
	memory_validate(m.s.mm);
	assert_int_equal(get(&m, 2), 0);
	other = faults_make(&m, 0);
	assert_int_equal(faults_register(other, 0, 4, USER_FAULT_MISSING), 0);
	assert_areas(&m.s, "[0..4)rw-p [4..8)rw-p [8..16)r--p");
	user_faults_put(other);
	assert_areas(&m.s, "[0..8)rw-p [8..16)r--p");
	teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_changes_nothing),
		cmocka_unit_test(closing_cannot_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
