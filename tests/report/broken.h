/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * For tests that break an invariant by hand, in an address space of their own, and read what the
 * walker says.  The test supplies walk(): mm_validate() or vmarea_validate().
 */
#ifndef TESTS_REPORT_BROKEN_H
#define TESTS_REPORT_BROKEN_H

#include <errno.h>

#include "../mm/space.h"

static struct space s;

static int walk(char *why, size_t why_bytes);

static inline void assert_says(const char *expected)
{
	char why[160];

	assert_int_equal(walk(why, sizeof(why)), -EINVAL);
	assert_string_equal(why, expected);
}

static inline void assert_sound(void)
{
	char why[160];
	int err = walk(why, sizeof(why));

	if (err)
		fail_msg("%s", why);
	assert_string_equal(why, "");
}

/* Sets @lvalue to @wrong for one walk. */
#define assert_broken(lvalue, wrong, expected)					\
	do {									\
		__typeof__(lvalue) __was = (lvalue);				\
										\
		(lvalue) = (wrong);						\
		assert_says(expected);						\
		(lvalue) = __was;						\
		assert_sound();							\
	} while (0)

#endif
