/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * mseal(), and what the other calls may still do to a sealed area.
 */
#include "marks.h"

static void arguments_are_checked_in_linux_order(void **state)
{
	static const struct {
		unsigned long addr, len, flags;
		long want;
	} calls[] = {
		{ 0, SPACE_PAGE, 1, -EINVAL },
		{ 1, SPACE_PAGE, 0, -EINVAL },
		{ 1, 0, 0, -EINVAL },
		{ 0, ~0ul, 0, -EINVAL },
		{ 0, -SPACE_PAGE, 0, -EINVAL },
		{ 9 * SPACE_PAGE, 0, 0, 0 },
		{ 0, 0, 2, -EINVAL },
		{ 0, 4 * SPACE_PAGE, 0, -ENOMEM },
		{ 8 * SPACE_PAGE, SPACE_PAGE, 0, -ENOMEM },
	};
	struct space s;

	(void)state;
	space_open(&s);
	map_anon(&s, 0, 2, RW);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		long got = mm_mseal(s.mm, at(0) + calls[i].addr, calls[i].len, calls[i].flags);

		if (got != calls[i].want)
			fail_msg("call %zu: %ld, want %ld", i, got, calls[i].want);
	}
	assert_marks(&s, "[0..2)rw-p:ac");
	space_close(&s);

	space_init(&s);
	s.config.features &= ~VMAREA_FEATURE_MSEAL;
	space_create(&s);
	map_anon(&s, 0, 1, RW);
	assert_int_equal(mm_mseal(s.mm, at(0), SPACE_PAGE, 1), -ENOSYS);
	space_close(&s);
}

static void a_hole_is_seen_before_anything_is_sealed(void **state)
{
	struct space s;

	(void)state;
	space_open(&s);
	map_anon(&s, 0, 1, RW);
	map_anon(&s, 1, 1, PROT_READ);
	map_anon(&s, 3, 1, RW);
	assert_int_equal(seal(&s, 0, 4), -ENOMEM);
	assert_int_equal(seal(&s, 2, 2), -ENOMEM);
	assert_marks(&s, "[0..1)rw-p:ac [1..2)r--p [3..4)rw-p:ac");
	assert_int_equal(seal(&s, 0, 2), 0);
	assert_marks(&s, "[0..1)rw-p:ac sl [1..2)r--p:sl [3..4)rw-p:ac");
	assert_int_equal(seal(&s, 0, 2), 0);
	space_close(&s);
}

static void sealed_areas_split_and_join(void **state)
{
	struct space s;

	(void)state;
	space_open(&s);
	map_anon(&s, 0, 6, RW);
	assert_int_equal(seal(&s, 1, 1), 0);
	assert_int_equal(seal(&s, 4, 1), 0);
	assert_marks(&s, "[0..1)rw-p:ac [1..2)rw-p:ac sl [2..4)rw-p:ac [4..5)rw-p:ac sl "
			 "[5..6)rw-p:ac");
	assert_int_equal(seal(&s, 0, 6), 0);
	assert_marks(&s, "[0..6)rw-p:ac sl");
	space_close(&s);

	space_open(&s);
	map_anon(&s, 0, 2, RW);
	map_anon(&s, 2, 2, PROT_READ);
	map_anon(&s, 4, 2, RW);
	assert_int_equal(seal(&s, 1, 1), 0);
	assert_int_equal(seal(&s, 0, 5), 0);
	assert_marks(&s, "[0..2)rw-p:ac sl [2..4)r--p:sl [4..5)rw-p:ac sl [5..6)rw-p:ac");
	space_close(&s);

	/* A new map does not join a sealed one, until it is sealed too. */
	space_open(&s);
	map_anon(&s, 0, 1, PROT_READ);
	seal(&s, 0, 1);
	map_anon(&s, 1, 1, PROT_READ);
	assert_marks(&s, "[0..1)r--p:sl [1..2)r--p");
	seal(&s, 1, 1);
	assert_marks(&s, "[0..2)r--p:sl");
	space_close(&s);
}

static void the_area_limit_ends_it_half_done(void **state)
{
	struct space s;

	(void)state;
	space_init(&s);
	s.config.max_map_count = 3;
	space_create(&s);
	map_anon(&s, 0, 2, PROT_READ);
	map_anon(&s, 2, 3, RW);
	assert_int_equal(seal(&s, 1, 2), -ENOMEM);
	assert_marks(&s, "[0..1)r--p [1..2)r--p:sl [2..5)rw-p:ac");
	space_close(&s);
}

static void a_sealed_area_stays_as_it_is(void **state)
{
	struct space s;

	(void)state;
	space_open(&s);
	map_anon(&s, 0, 3, RW);
	assert_int_equal(seal(&s, 1, 1), 0);
	assert_int_equal(protect(&s, 1, 1, PROT_READ), -EPERM);
	assert_int_equal(space_unmap(&s, 1, 1), -EPERM);
	assert_int_equal(mm_mremap(s.mm, at(1), SPACE_PAGE, 2 * SPACE_PAGE, MREMAP_MAYMOVE, 0),
			 -EPERM);
	assert_int_equal(space_map(&s, 1, 1, RW, ANON), -EPERM);
	assert_int_equal(advise(&s, 1, 1, MADV_DONTNEED), 0);
	assert_int_equal(advise(&s, 1, 1, MADV_DONTDUMP), 0);
	assert_marks(&s, "[0..1)rw-p:ac [1..2)rw-p:ac dd sl [2..3)rw-p:ac");
	/* munmap() of all is refused whole, mprotect() stops at the seal. */
	assert_int_equal(space_unmap(&s, 0, 3), -EPERM);
	assert_int_equal(protect(&s, 0, 3, PROT_READ), -EPERM);
	assert_marks(&s, "[0..1)r--p [1..2)rw-p:ac dd sl [2..3)rw-p:ac");
	space_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments_are_checked_in_linux_order),
		cmocka_unit_test(a_hole_is_seen_before_anything_is_sealed),
		cmocka_unit_test(sealed_areas_split_and_join),
		cmocka_unit_test(the_area_limit_ends_it_half_done),
		cmocka_unit_test(a_sealed_area_stays_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
