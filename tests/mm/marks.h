/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Areas with what maps does not show: "[0..2)rw-p:ac dd [2..3)r--p".  After the colon are the names
 * of VmFlags, without those that the protection and the kind of the mapping say already.
 */
#ifndef TESTS_MM_MARKS_H
#define TESTS_MM_MARKS_H

#include <errno.h>
#include <stdlib.h>

#include "space.h"

#define MARKS_SHOWN	(VM_READ | VM_WRITE | VM_EXEC | VM_SHARED | VM_MAYSHARE |	\
			 VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC)

static inline int marks_add_area(const struct area_info *info, void *arg)
{
	struct space_line *line = arg;
	char *text = line->s->text;
	char flags[128];
	size_t len;
	int err = space_add_area(info, arg);

	len = vm_flags_format(info->flags & ~MARKS_SHOWN, flags);
	if (err || !len)
		return err;
	flags[len - 1] = '\0';
	line->used += (size_t)snprintf(text + line->used, sizeof(line->s->text) - line->used,
				       ":%s", flags);
	return 0;
}

static inline const char *marks(struct space *s)
{
	struct space_line line = { .s = s, .base = SPACE_BASE };

	s->text[0] = '\0';
	assert_int_equal(mm_for_each_area(s->mm, SPACE_BASE, SPACE_BASE + SPACE_PAGES * SPACE_PAGE,
					  marks_add_area, &line), 0);
	return s->text;
}

#define assert_marks(s, expected)	assert_string_equal(marks(s), (expected))

static inline long protect(struct space *s, unsigned long page, unsigned long nr,
			   unsigned long prot)
{
	return mm_mprotect(s->mm, at(page), nr * SPACE_PAGE, prot);
}

static inline long advise(struct space *s, unsigned long page, unsigned long nr, int advice)
{
	return mm_madvise(s->mm, at(page), nr * SPACE_PAGE, advice);
}

static inline long seal(struct space *s, unsigned long page, unsigned long nr)
{
	return mm_mseal(s->mm, at(page), nr * SPACE_PAGE, 0);
}

/* Room for the next case. */
static inline void space_clear(struct space *s)
{
	assert_int_equal(space_unmap(s, 0, SPACE_PAGES), 0);
}

#define map_anon(s, page, nr, prot)						\
	assert_int_equal(space_map((s), (page), (nr), (prot), ANON), 0)

#endif
