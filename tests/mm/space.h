/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * An address space to test in: a machine, an mm, a window in it, and the window's areas as a line
 * of text.
 *
 *	struct space s;
 *	space_open(&s);
 *	space_map(&s, 0, 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
 *	assert_areas(&s, "[0..2)rw-p");
 *	space_close(&s);
 *
 * Positions and lengths are in pages; a position counts from the window's base.
 */
#ifndef TESTS_MM_SPACE_H
#define TESTS_MM_SPACE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <vmarea/debug.h>
#include <vmarea/vmarea.h>

#define SPACE_PAGE	4096ul
#ifndef SPACE_BASE
# define SPACE_BASE	0x200000000000ul	/* far from where a search begins */
#endif
#define SPACE_PAGES	0x100000ul
#define RW		(PROT_READ | PROT_WRITE)
#define ANON		(MAP_PRIVATE | MAP_ANONYMOUS)

struct space {
	struct vmarea_config config;	/* change between space_init() and space_create() */
	struct mm_config mm_config;
	struct vmarea *v;
	struct mm_user *mm;
	char text[4096];
};

static inline void space_init(struct space *s)
{
	*s = (struct space){ .config = VMAREA_CONFIG_INIT, .mm_config = MM_CONFIG_INIT };
}

static inline void space_create(struct space *s)
{
	assert_int_equal(vmarea_create(&s->config, &s->v), 0);
	assert_int_equal(mm_create(s->v, &s->mm_config, &s->mm), 0);
}

static inline void space_open(struct space *s)
{
	space_init(s);
	space_create(s);
}

/* Whatever a test did, the invariants hold and nothing stays promised. */
static inline void space_close(struct space *s)
{
	char why[256] = "";

	if (vmarea_validate(s->v, why, sizeof(why)))
		fail_msg("%s", why);
	mmput(s->mm);
	assert_int_equal(vmarea_committed_pages(s->v), 0);
	vmarea_destroy(s->v);
}

static inline unsigned long at(unsigned long page)
{
	return SPACE_BASE + page * SPACE_PAGE;
}

/* mmap() at a place of the window: 0 or -errno. */
static inline long space_map(struct space *s, unsigned long page, unsigned long nr,
			     unsigned long prot, unsigned long flags)
{
	long ret = mm_mmap(s->mm, at(page), nr * SPACE_PAGE, prot, flags | MAP_FIXED, NULL, 0);

	return ret == (long)at(page) ? 0 : ret;
}

static inline long space_map_file(struct space *s, unsigned long page, unsigned long nr,
				  unsigned long prot, unsigned long flags, struct file *file,
				  unsigned long pgoff)
{
	long ret = mm_mmap(s->mm, at(page), nr * SPACE_PAGE, prot, flags | MAP_FIXED, file,
			   pgoff * SPACE_PAGE);

	return ret == (long)at(page) ? 0 : ret;
}

static inline long space_unmap(struct space *s, unsigned long page, unsigned long nr)
{
	return mm_munmap(s->mm, at(page), nr * SPACE_PAGE);
}

static inline enum mm_fault space_write(struct space *s, unsigned long page)
{
	return mm_touch(s->mm, at(page), MM_ACCESS_WRITE);
}

static inline enum mm_fault space_read(struct space *s, unsigned long page)
{
	return mm_touch(s->mm, at(page), MM_ACCESS_READ);
}

/* An ordinary file of @nr pages. */
static inline struct file *space_file(struct space *s, unsigned long nr, unsigned int flags,
				      enum file_placement placement)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/f", .inode = 1, .placement = placement,
		.flags = flags | FILE_READ | FILE_WRITE, .size_bytes = nr * SPACE_PAGE,
	};
	struct file *file;

	assert_int_equal(file_create(s->v, &desc, &file), 0);
	return file;
}

struct space_line {
	struct space *s;
	unsigned long base;
	size_t used;
};

static inline int space_add_area(const struct area_info *info, void *arg)
{
	struct space_line *line = arg;

	line->used += (size_t)snprintf(
		line->s->text + line->used, sizeof(line->s->text) - line->used,
		"%s[%ld..%ld)%c%c%c%c", line->used ? " " : "",
		(long)(info->start - line->base) / (long)SPACE_PAGE,
		(long)(info->end - line->base) / (long)SPACE_PAGE,
		info->flags & VM_READ ? 'r' : '-', info->flags & VM_WRITE ? 'w' : '-',
		info->flags & VM_EXEC ? 'x' : '-', info->flags & VM_MAYSHARE ? 's' : 'p');
	assert_true(line->used < sizeof(line->s->text));
	return 0;
}

/* The areas that touch [start, end), in pages from @base. */
static inline const char *space_areas_in(struct space *s, unsigned long base, unsigned long start,
					 unsigned long end)
{
	struct space_line line = { .s = s, .base = base };

	s->text[0] = '\0';
	assert_int_equal(mm_for_each_area(s->mm, start, end, space_add_area, &line), 0);
	return s->text;
}

#define assert_areas(s, expected)						\
	assert_string_equal(space_areas_in((s), SPACE_BASE, SPACE_BASE,		\
					   SPACE_BASE + SPACE_PAGES * SPACE_PAGE), (expected))

#endif
