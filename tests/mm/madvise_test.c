/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * madvise() and process_madvise(): which areas an advice is refused for, what it leaves on them,
 * and how a call over several areas and holes ends.
 */
#include <pthread.h>
#include <sched.h>

#include "marks.h"

#define HUGE_PAGES	512ul

struct refusal {
	const char *what;
	int advice;
	long want;
};

/* Every row against the area at page 0. */
static void check_rows(struct space *s, const struct refusal *rows, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		long got = advise(s, 0, 1, rows[i].advice);

		if (got != rows[i].want)
			fail_msg("%s: advice %d: %ld, want %ld", rows[i].what, rows[i].advice, got,
				 rows[i].want);
	}
}

#define CHECK_ROWS(s, rows)	check_rows((s), (rows), sizeof(rows) / sizeof((rows)[0]))

static void arguments_are_checked_in_linux_order(void **state)
{
	static const struct {
		unsigned long addr, len;
		int advice;
		long want;
	} calls[] = {
		{ 1, SPACE_PAGE, MADV_NORMAL, -EINVAL },
		{ 0, 0, MADV_NORMAL, 0 },
		{ 0, 0, 9999, -EINVAL },
		{ 1, 0, 9999, -EINVAL },
		{ 1, 0, MADV_NORMAL, -EINVAL },
		{ 0, ~0ul, MADV_NORMAL, -EINVAL },
		{ 0, -SPACE_PAGE, MADV_NORMAL, -EINVAL },
		{ 0, SPACE_PAGE, 5, -EINVAL },
		{ 0, SPACE_PAGE, 26, -EINVAL },
		{ 0, SPACE_PAGE, 104, -EINVAL },
		{ 0, SPACE_PAGE, -1, -EINVAL },
		{ 8 * SPACE_PAGE, SPACE_PAGE, MADV_DONTNEED, -ENOMEM },
		{ 8 * SPACE_PAGE, SPACE_PAGE, MADV_DONTDUMP, -ENOMEM },
		{ 8 * SPACE_PAGE, 0, MADV_POPULATE_READ, 0 },
		{ 0, 1, MADV_NORMAL, 0 },
	};
	struct space s;

	(void)state;
	space_open(&s);
	map_anon(&s, 0, 3, RW);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		long got = mm_madvise(s.mm, at(0) + calls[i].addr, calls[i].len, calls[i].advice);

		if (got != calls[i].want)
			fail_msg("call %zu: %ld, want %ld", i, got, calls[i].want);
	}
	assert_marks(&s, "[0..3)rw-p:ac");
	space_close(&s);
}

static void each_flag_is_set_and_taken_away(void **state)
{
	static const struct {
		int set, undo;
		const char *middle;	/* flags of the middle page once set */
		const char *undone;	/* the whole map when it is undone */
	} pairs[] = {
		{ MADV_DONTDUMP, MADV_DODUMP, "ac dd", "[0..3)rw-p:ac" },
		{ MADV_DONTFORK, MADV_DOFORK, "dc ac", "[0..3)rw-p:ac" },
		{ MADV_WIPEONFORK, MADV_KEEPONFORK, "ac wf", "[0..3)rw-p:ac" },
		{ MADV_MERGEABLE, MADV_UNMERGEABLE, "ac mg", "[0..3)rw-p:ac" },
		{ MADV_RANDOM, MADV_NORMAL, "rr ac", "[0..3)rw-p:ac" },
		{ MADV_SEQUENTIAL, MADV_NORMAL, "sr ac", "[0..3)rw-p:ac" },
		{ MADV_HUGEPAGE, MADV_NOHUGEPAGE, "ac hg",
		  "[0..1)rw-p:ac [1..2)rw-p:ac nh [2..3)rw-p:ac" },
	};
	struct space s;
	char want[128];

	(void)state;
	space_open(&s);
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		space_clear(&s);
		map_anon(&s, 0, 3, RW);
		assert_int_equal(advise(&s, 1, 1, pairs[i].set), 0);
		snprintf(want, sizeof(want), "[0..1)rw-p:ac [1..2)rw-p:%s [2..3)rw-p:ac",
			 pairs[i].middle);
		assert_marks(&s, want);
		assert_int_equal(advise(&s, 1, 1, pairs[i].undo), 0);
		assert_marks(&s, pairs[i].undone);
	}
	/* RANDOM and SEQUENTIAL replace one another. */
	space_clear(&s);
	map_anon(&s, 0, 1, RW);
	advise(&s, 0, 1, MADV_RANDOM);
	advise(&s, 0, 1, MADV_SEQUENTIAL);
	assert_marks(&s, "[0..1)rw-p:sr ac");
	advise(&s, 0, 1, MADV_RANDOM);
	assert_marks(&s, "[0..1)rw-p:rr ac");
	space_close(&s);
}

static void holes_are_passed_over(void **state)
{
	struct space s;

	(void)state;
	space_open(&s);
	map_anon(&s, 0, 1, RW);
	map_anon(&s, 2, 1, RW);
	assert_int_equal(advise(&s, 0, 3, MADV_DONTDUMP), -ENOMEM);
	assert_marks(&s, "[0..1)rw-p:ac dd [2..3)rw-p:ac dd");
	assert_int_equal(advise(&s, 0, 8, MADV_DODUMP), -ENOMEM);
	assert_marks(&s, "[0..1)rw-p:ac [2..3)rw-p:ac");
	assert_int_equal(advise(&s, 0, 3, MADV_DONTNEED), -ENOMEM);
	/* What refuses ends it; what came before stays. */
	map_anon(&s, 1, 1, PROT_READ);
	assert_int_equal(seal(&s, 1, 1), 0);
	assert_int_equal(advise(&s, 0, 3, MADV_DONTFORK), -EPERM);
	assert_marks(&s, "[0..1)rw-p:dc ac [1..2)r--p:sl [2..3)rw-p:ac");
	space_close(&s);
}

static void the_area_limit_is_eagain(void **state)
{
	struct space s;

	(void)state;
	space_init(&s);
	s.config.max_map_count = 2;
	space_create(&s);
	map_anon(&s, 0, 3, RW);
	assert_int_equal(advise(&s, 1, 1, MADV_DONTDUMP), -EAGAIN);
	assert_marks(&s, "[0..1)rw-p:ac [1..3)rw-p:ac");
	assert_int_equal(advise(&s, 2, 1, MADV_DONTDUMP), -EAGAIN);
	assert_int_equal(advise(&s, 0, 3, MADV_DONTNEED), 0);
	assert_int_equal(advise(&s, 0, 3, MADV_DONTDUMP), 0);
	assert_marks(&s, "[0..3)rw-p:ac dd");
	space_close(&s);
}

static void kinds_of_area_refuse_what_does_not_suit_them(void **state)
{
	static const struct refusal anonymous[] = {
		{ "anonymous", MADV_WILLNEED, 0 },
		{ "anonymous", MADV_COLD, 0 },
		{ "anonymous", MADV_PAGEOUT, 0 },
		{ "anonymous", MADV_FREE, 0 },
		{ "anonymous", MADV_DONTNEED, 0 },
		{ "anonymous", MADV_DONTNEED_LOCKED, 0 },
		{ "anonymous", MADV_REMOVE, -EINVAL },
		{ "anonymous", MADV_GUARD_INSTALL, 0 },
		{ "anonymous", MADV_GUARD_REMOVE, 0 },
	};
	static const struct refusal locked[] = {
		{ "locked", MADV_WILLNEED, 0 },
		{ "locked", MADV_COLD, -EINVAL },
		{ "locked", MADV_PAGEOUT, -EINVAL },
		{ "locked", MADV_FREE, -EINVAL },
		{ "locked", MADV_DONTNEED, -EINVAL },
		{ "locked", MADV_DONTNEED_LOCKED, 0 },
		{ "locked", MADV_GUARD_INSTALL, -EINVAL },
		{ "locked", MADV_GUARD_REMOVE, 0 },
		{ "locked, small", MADV_COLLAPSE, -EINVAL },
	};
	static const struct refusal private_file[] = {
		{ "private file", MADV_WILLNEED, 0 },
		{ "private file", MADV_FREE, -EINVAL },
		{ "private file", MADV_REMOVE, -EACCES },
		{ "private file", MADV_WIPEONFORK, -EINVAL },
		{ "private file", MADV_KEEPONFORK, 0 },
		{ "private file", MADV_DONTNEED, 0 },
		{ "private file", MADV_GUARD_INSTALL, 0 },
	};
	static const struct refusal shared_file[] = {
		{ "shared file", MADV_FREE, -EINVAL },
		{ "shared file", MADV_REMOVE, 0 },
		{ "shared file", MADV_WIPEONFORK, -EINVAL },
		{ "shared file", MADV_MERGEABLE, 0 },
		{ "shared file", MADV_UNMERGEABLE, 0 },
	};
	static const struct refusal droppable[] = {
		{ "droppable", MADV_DODUMP, -EINVAL },
		{ "droppable", MADV_KEEPONFORK, -EINVAL },
		{ "droppable", MADV_MERGEABLE, 0 },
		{ "droppable", MADV_FREE, 0 },
		{ "droppable", MADV_HUGEPAGE, 0 },
	};
	struct file *file, *zero;
	struct space s;

	(void)state;
	space_open(&s);
	map_anon(&s, 0, 1, RW);
	CHECK_ROWS(&s, anonymous);
	assert_int_equal(mm_mlock(s.mm, at(0), SPACE_PAGE), 0);
	CHECK_ROWS(&s, locked);

	file = space_file(&s, 4, 0, FILE_PLACE_ANY);
	assert_int_equal(space_map_file(&s, 0, 1, RW, MAP_PRIVATE, file, 0), 0);
	CHECK_ROWS(&s, private_file);
	assert_int_equal(space_map_file(&s, 0, 1, RW, MAP_SHARED, file, 0), 0);
	CHECK_ROWS(&s, shared_file);
	assert_marks(&s, "[0..1)rw-s");
	/* May be written, though it is not now. */
	assert_int_equal(space_map_file(&s, 0, 1, PROT_READ, MAP_SHARED, file, 0), 0);
	assert_int_equal(advise(&s, 0, 1, MADV_REMOVE), 0);
	file_set_flags(file, FILE_SEAL_WRITE, 0);
	assert_int_equal(advise(&s, 0, 1, MADV_REMOVE), -EPERM);
	file_set_flags(file, 0, FILE_SEAL_WRITE);
	assert_int_equal(mm_mlock(s.mm, at(0), SPACE_PAGE), 0);
	assert_int_equal(advise(&s, 0, 1, MADV_REMOVE), -EINVAL);

	/* /dev/zero, private: anonymous, but for those who ask for a file. */
	zero = space_file(&s, 0, FILE_DEV_ZERO, FILE_PLACE_ANY);
	assert_int_equal(space_map_file(&s, 0, 1, RW, MAP_PRIVATE, zero, 0), 0);
	assert_int_equal(advise(&s, 0, 1, MADV_FREE), 0);
	assert_int_equal(advise(&s, 0, 1, MADV_REMOVE), -EACCES);
	assert_int_equal(advise(&s, 0, 1, MADV_WIPEONFORK), -EINVAL);

	assert_int_equal(space_map(&s, 0, 1, RW, MAP_DROPPABLE | MAP_ANONYMOUS), 0);
	CHECK_ROWS(&s, droppable);
	assert_marks(&s, "[0..1)rw-p:nr wf dd hg dp");
	file_put(zero);
	file_put(file);
	space_close(&s);
}

static const struct vm_operations_struct io_ops = { 0 };

static int io_mmap(struct file *file, struct vma_new *vma)
{
	(void)file;
	vma_set_owner(vma, &io_ops, NULL);
	vma_set_io(vma);
	vma_set_dontcopy(vma);
	vma_set_dontdump(vma);
	return 0;
}

static void a_drivers_area_is_left_alone(void **state)
{
	static const struct file_operations ops = { .owner = "test", .mmap = io_mmap };
	static const struct refusal rows[] = {
		{ "io", MADV_DOFORK, -EINVAL },
		{ "io", MADV_DODUMP, -EINVAL },
		{ "io", MADV_GUARD_INSTALL, -EINVAL },
		{ "io", MADV_GUARD_REMOVE, -EINVAL },
		{ "io", MADV_MERGEABLE, 0 },
		{ "io", MADV_POPULATE_READ, -EINVAL },
		{ "io", MADV_REMOVE, -ENODEV },
		{ "io", MADV_COLLAPSE, -EINVAL },
		{ "io", MADV_DONTFORK, 0 },
	};
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/dev/x", .flags = FILE_READ | FILE_WRITE,
		.ops = &ops,
	};
	struct file *file;
	struct space s;

	(void)state;
	space_open(&s);
	assert_int_equal(file_create(s.v, &desc, &file), 0);
	assert_int_equal(space_map_file(&s, 0, 2, RW, MAP_SHARED, file, 0), 0);
	CHECK_ROWS(&s, rows);
	assert_marks(&s, "[0..2)rw-s:io dc dd");
	file_put(file);
	space_close(&s);
}

static void a_seal_refuses_to_lose_pages(void **state)
{
	static const struct refusal read_only[] = {
		{ "sealed r", MADV_DONTNEED, -EPERM },
		{ "sealed r", MADV_DONTNEED_LOCKED, -EPERM },
		{ "sealed r", MADV_FREE, -EPERM },
		{ "sealed r", MADV_REMOVE, -EPERM },
		{ "sealed r", MADV_DONTFORK, -EPERM },
		{ "sealed r", MADV_WIPEONFORK, -EPERM },
		{ "sealed r", MADV_GUARD_INSTALL, -EPERM },
		{ "sealed r", MADV_GUARD_REMOVE, 0 },
		{ "sealed r", MADV_HUGEPAGE, 0 },
		{ "sealed r", MADV_DONTDUMP, 0 },
		{ "sealed r", MADV_KEEPONFORK, 0 },
		{ "sealed r", MADV_POPULATE_READ, 0 },
		{ "sealed r", MADV_POPULATE_WRITE, -EINVAL },
	};
	static const struct refusal writable[] = {
		{ "sealed rw", MADV_DONTNEED, 0 },
		{ "sealed rw", MADV_DONTFORK, 0 },
		{ "sealed rw", MADV_WIPEONFORK, 0 },
		{ "sealed rw", MADV_GUARD_INSTALL, 0 },
	};
	static const struct refusal file_rows[] = {
		{ "sealed file", MADV_DONTNEED, 0 },
		{ "sealed file", MADV_DONTFORK, 0 },
		{ "sealed file", MADV_WIPEONFORK, -EINVAL },
		{ "sealed file", MADV_REMOVE, -EACCES },
		{ "sealed file", MADV_FREE, -EINVAL },
	};
	struct file *file, *zero;
	struct space s;

	(void)state;
	space_open(&s);
	map_anon(&s, 0, 1, PROT_READ);
	seal(&s, 0, 1);
	CHECK_ROWS(&s, read_only);
	space_close(&s);

	space_open(&s);
	map_anon(&s, 0, 1, RW);
	seal(&s, 0, 1);
	CHECK_ROWS(&s, writable);
	space_close(&s);

	space_open(&s);
	file = space_file(&s, 4, 0, FILE_PLACE_ANY);
	assert_int_equal(space_map_file(&s, 0, 1, PROT_READ, MAP_PRIVATE, file, 0), 0);
	seal(&s, 0, 1);
	CHECK_ROWS(&s, file_rows);
	/* Private /dev/zero is anonymous. */
	zero = space_file(&s, 0, FILE_DEV_ZERO, FILE_PLACE_ANY);
	assert_int_equal(space_map_file(&s, 4, 1, PROT_READ, MAP_PRIVATE, zero, 0), 0);
	seal(&s, 4, 1);
	assert_int_equal(advise(&s, 4, 1, MADV_DONTNEED), -EPERM);
	file_put(zero);
	file_put(file);
	space_close(&s);
}

static void guards_mark_the_whole_area_for_good(void **state)
{
	struct file *file;
	struct space s;

	(void)state;
	space_open(&s);
	map_anon(&s, 0, 3, RW);
	assert_int_equal(advise(&s, 1, 1, MADV_GUARD_INSTALL), 0);
	assert_marks(&s, "[0..3)rw-p:gu ac");
	map_anon(&s, 3, 1, RW);
	assert_marks(&s, "[0..4)rw-p:gu ac");
	assert_int_equal(protect(&s, 2, 2, PROT_READ), 0);
	assert_marks(&s, "[0..2)rw-p:gu ac [2..4)r--p:gu ac");
	assert_int_equal(protect(&s, 2, 2, RW), 0);
	assert_int_equal(advise(&s, 0, 4, MADV_GUARD_REMOVE), 0);
	assert_marks(&s, "[0..4)rw-p:gu ac");

	/* What joins it, from either side, has the mark too. */
	for (int low = 0; low < 2; low++) {
		space_clear(&s);
		map_anon(&s, 0, 1, low ? RW : PROT_READ);
		map_anon(&s, 1, 1, low ? PROT_READ : RW);
		assert_int_equal(advise(&s, !low, 1, MADV_GUARD_INSTALL), 0);
		assert_int_equal(protect(&s, low, 1, RW), 0);
		assert_marks(&s, "[0..2)rw-p:gu ac");
	}

	/* Anonymous ones are touched by it: two with guards do not join. */
	space_clear(&s);
	map_anon(&s, 0, 1, RW);
	map_anon(&s, 2, 1, RW);
	advise(&s, 0, 1, MADV_GUARD_INSTALL);
	advise(&s, 2, 1, MADV_GUARD_INSTALL);
	map_anon(&s, 1, 1, RW);
	assert_marks(&s, "[0..2)rw-p:gu ac [2..3)rw-p:gu ac");

	/* File areas are not. */
	space_clear(&s);
	file = space_file(&s, 8, 0, FILE_PLACE_ANY);
	assert_int_equal(space_map_file(&s, 0, 2, RW, MAP_PRIVATE, file, 0), 0);
	assert_int_equal(space_map_file(&s, 3, 1, RW, MAP_PRIVATE, file, 3), 0);
	advise(&s, 0, 1, MADV_GUARD_INSTALL);
	space_write(&s, 3);
	assert_int_equal(space_map_file(&s, 2, 1, RW, MAP_PRIVATE, file, 2), 0);
	assert_marks(&s, "[0..4)rw-p:gu ac");

	/* The second area refuses: the first has its guards. */
	space_clear(&s);
	map_anon(&s, 0, 2, RW);
	assert_int_equal(mm_mlock(s.mm, at(1), SPACE_PAGE), 0);
	assert_int_equal(advise(&s, 0, 2, MADV_GUARD_INSTALL), -EINVAL);
	assert_marks(&s, "[0..1)rw-p:gu ac [1..2)rw-p:lo ac");
	/* A hole is a hole. */
	space_clear(&s);
	map_anon(&s, 0, 1, PROT_NONE);
	assert_int_equal(advise(&s, 0, 2, MADV_GUARD_INSTALL), -ENOMEM);
	assert_marks(&s, "[0..1)---p:gu");
	file_put(file);
	space_close(&s);
}

static void without_the_mark_guards_touch_everything(void **state)
{
	struct space s;

	(void)state;
	space_init(&s);
	s.config.features &= ~VMAREA_FEATURE_GUARD_FLAG;
	space_create(&s);
	map_anon(&s, 0, 1, RW);
	map_anon(&s, 2, 1, RW);
	advise(&s, 0, 1, MADV_GUARD_INSTALL);
	advise(&s, 2, 1, MADV_GUARD_INSTALL);
	assert_marks(&s, "[0..1)rw-p:ac [2..3)rw-p:ac");
	map_anon(&s, 1, 1, RW);
	assert_marks(&s, "[0..2)rw-p:ac [2..3)rw-p:ac");
	space_close(&s);
}

static void populating_touches(void **state)
{
	struct file *file;
	struct space s;

	(void)state;
	space_open(&s);
	map_anon(&s, 0, 1, PROT_WRITE);
	assert_int_equal(advise(&s, 0, 1, MADV_POPULATE_READ), -EINVAL);
	assert_int_equal(advise(&s, 0, 2, MADV_POPULATE_WRITE), -ENOMEM);
	assert_int_equal(protect(&s, 0, 1, RW), 0);
	map_anon(&s, 2, 1, RW);
	space_write(&s, 2);
	map_anon(&s, 1, 1, RW);
	assert_areas(&s, "[0..2)rw-p [2..3)rw-p");

	space_clear(&s);
	map_anon(&s, 0, 1, PROT_READ);
	map_anon(&s, 1, 1, RW);
	map_anon(&s, 2, 1, PROT_NONE);
	assert_int_equal(advise(&s, 0, 2, MADV_POPULATE_WRITE), -EINVAL);
	assert_int_equal(advise(&s, 0, 2, MADV_POPULATE_READ), 0);
	assert_int_equal(advise(&s, 0, 3, MADV_POPULATE_READ), -EINVAL);
	assert_int_equal(advise(&s, 2, 1, MADV_POPULATE_READ), -EINVAL);
	assert_int_equal(advise(&s, 8, 1, MADV_POPULATE_READ), -ENOMEM);

	/* Beyond the end of a file; a private area has been touched all the same. */
	space_clear(&s);
	file = space_file(&s, 1, 0, FILE_PLACE_ANY);
	assert_int_equal(space_map_file(&s, 0, 2, RW, MAP_SHARED, file, 0), 0);
	assert_int_equal(advise(&s, 0, 1, MADV_POPULATE_WRITE), 0);
	assert_int_equal(advise(&s, 0, 2, MADV_POPULATE_READ), -EFAULT);
	assert_int_equal(advise(&s, 1, 1, MADV_POPULATE_WRITE), -EFAULT);
	space_clear(&s);
	assert_int_equal(space_map_file(&s, 0, 2, RW, MAP_PRIVATE, file, 0), 0);
	assert_int_equal(advise(&s, 1, 1, MADV_POPULATE_WRITE), -EFAULT);
	file_set_size(file, 8 * SPACE_PAGE);
	assert_int_equal(space_map_file(&s, 3, 1, RW, MAP_PRIVATE, file, 3), 0);
	space_write(&s, 3);
	assert_int_equal(space_map_file(&s, 2, 1, RW, MAP_PRIVATE, file, 2), 0);
	assert_areas(&s, "[0..3)rw-p [3..4)rw-p");
	file_put(file);
	space_close(&s);
}

static void collapsing_needs_pages_and_room(void **state)
{
	struct file *file;
	struct space s;

	(void)state;
	space_open(&s);
	map_anon(&s, 0, 2 * HUGE_PAGES, RW);
	assert_int_equal(advise(&s, 0, HUGE_PAGES, MADV_COLLAPSE), -EINVAL);
	space_write(&s, 0);
	assert_int_equal(advise(&s, 0, HUGE_PAGES, MADV_COLLAPSE), 0);
	/* No whole huge page inside: fine if it begins or ends with one. */
	assert_int_equal(advise(&s, 0, 1, MADV_COLLAPSE), 0);
	assert_int_equal(advise(&s, 1, HUGE_PAGES - 1, MADV_COLLAPSE), 0);
	assert_int_equal(advise(&s, 1, 100, MADV_COLLAPSE), -EINVAL);
	assert_int_equal(advise(&s, 0, 2 * HUGE_PAGES + 1, MADV_COLLAPSE), -ENOMEM);
	/* Locked and inaccessible ones do. */
	assert_int_equal(mm_mlock(s.mm, at(0), HUGE_PAGES * SPACE_PAGE), 0);
	assert_int_equal(advise(&s, 0, HUGE_PAGES, MADV_COLLAPSE), 0);
	assert_int_equal(mm_munlock(s.mm, at(0), HUGE_PAGES * SPACE_PAGE), 0);
	assert_int_equal(protect(&s, 0, HUGE_PAGES, PROT_NONE), 0);
	assert_int_equal(advise(&s, 0, HUGE_PAGES, MADV_COLLAPSE), 0);
	/* Not if huge pages are not wanted. */
	assert_int_equal(mm_set_thp_disable(s.mm, true), 0);
	assert_int_equal(advise(&s, 0, HUGE_PAGES, MADV_COLLAPSE), -EINVAL);
	assert_int_equal(mm_set_thp_disable(s.mm, false), 0);
	assert_int_equal(advise(&s, 0, HUGE_PAGES, MADV_NOHUGEPAGE), 0);
	assert_int_equal(advise(&s, 0, HUGE_PAGES, MADV_COLLAPSE), -EINVAL);
	/* The area is too small, or lies askew. */
	space_clear(&s);
	map_anon(&s, 1, 2 * HUGE_PAGES - 2, RW);
	space_write(&s, 1);
	assert_int_equal(advise(&s, HUGE_PAGES, 1, MADV_COLLAPSE), -EINVAL);
	/* Ordinary files cannot; swap-backed ones can where the file has a huge page too. */
	space_clear(&s);
	file = space_file(&s, 4 * HUGE_PAGES, 0, FILE_PLACE_ANY);
	assert_int_equal(space_map_file(&s, 0, HUGE_PAGES, RW, MAP_SHARED, file, 0), 0);
	assert_int_equal(advise(&s, 0, HUGE_PAGES, MADV_COLLAPSE), -EINVAL);
	file_put(file);
	file = space_file(&s, HUGE_PAGES, FILE_SHMEM, FILE_PLACE_SHMEM);
	assert_int_equal(space_map_file(&s, 0, HUGE_PAGES, RW, MAP_SHARED, file, 0), 0);
	assert_int_equal(advise(&s, 0, HUGE_PAGES, MADV_COLLAPSE), 0);
	assert_int_equal(space_map_file(&s, 0, HUGE_PAGES, RW, MAP_SHARED, file, 1), 0);
	assert_int_equal(advise(&s, 0, HUGE_PAGES, MADV_COLLAPSE), -EINVAL);
	assert_int_equal(space_map_file(&s, 0, HUGE_PAGES, RW, MAP_SHARED, file, HUGE_PAGES), 0);
	assert_int_equal(advise(&s, 0, HUGE_PAGES, MADV_COLLAPSE), -EINVAL);
	file_put(file);
	space_close(&s);
}

static void huge_files_go_by_huge_pages(void **state)
{
	struct space s;

	(void)state;
	space_init(&s);
	s.config.nr_huge_2m_pages = 4;
	space_create(&s);
	assert_int_equal(space_map(&s, 0, 2 * HUGE_PAGES, RW, ANON | MAP_HUGETLB), 0);
	assert_int_equal(advise(&s, 0, HUGE_PAGES, MADV_DONTNEED), 0);
	assert_int_equal(advise(&s, 0, 1, MADV_DONTNEED), 0);
	assert_int_equal(advise(&s, 1, HUGE_PAGES, MADV_DONTNEED), -EINVAL);
	assert_int_equal(advise(&s, 0, HUGE_PAGES, MADV_FREE), -EINVAL);
	assert_int_equal(advise(&s, 0, HUGE_PAGES, MADV_COLD), -EINVAL);
	assert_int_equal(advise(&s, 0, HUGE_PAGES, MADV_GUARD_INSTALL), -EINVAL);
	assert_int_equal(advise(&s, 0, HUGE_PAGES, MADV_COLLAPSE), -EINVAL);
	space_close(&s);
}

static void machines_may_lack_an_advice(void **state)
{
	struct space s;

	(void)state;
	space_init(&s);
	s.config.features &= ~(VMAREA_FEATURE_KSM | VMAREA_FEATURE_THP |
			       VMAREA_FEATURE_MEMORY_FAILURE);
	space_create(&s);
	map_anon(&s, 0, 1, RW);
	assert_int_equal(advise(&s, 0, 1, MADV_MERGEABLE), -EINVAL);
	assert_int_equal(advise(&s, 0, 1, MADV_UNMERGEABLE), -EINVAL);
	assert_int_equal(advise(&s, 0, 1, MADV_HUGEPAGE), -EINVAL);
	assert_int_equal(advise(&s, 0, 1, MADV_NOHUGEPAGE), -EINVAL);
	assert_int_equal(advise(&s, 0, 0, MADV_COLLAPSE), -EINVAL);
	assert_int_equal(advise(&s, 0, 1, MADV_HWPOISON), -EINVAL);
	assert_int_equal(advise(&s, 0, 1, MADV_SOFT_OFFLINE), -EINVAL);
	space_close(&s);

	space_open(&s);
	map_anon(&s, 0, 1, RW);
	map_anon(&s, 1, 1, PROT_NONE);
	assert_int_equal(advise(&s, 0, 1, MADV_HWPOISON), -EPERM);
	assert_int_equal(advise(&s, 0, 0, MADV_HWPOISON), 0);
	mm_set_caps(s.mm, MM_CAP_SYS_ADMIN);
	assert_int_equal(advise(&s, 0, 1, MADV_HWPOISON), 0);
	assert_int_equal(advise(&s, 0, 1, MADV_SOFT_OFFLINE), 0);
	assert_int_equal(advise(&s, 0, 2, MADV_SOFT_OFFLINE), -EFAULT);
	assert_int_equal(advise(&s, 8, 1, MADV_SOFT_OFFLINE), -EFAULT);
	space_close(&s);
}

/* -------------------------------------------------------- process_madvise() -- */

#define CAP_BYTES	0x7ffff000l		/* what one call may cover */

static void several_ranges_end_at_the_first_error(void **state)
{
	const struct mm_range ranges[] = {
		{ at(0), SPACE_PAGE }, { at(4), SPACE_PAGE }, { at(8), SPACE_PAGE },
		{ at(1), SPACE_PAGE },
	};
	const struct mm_range with_hole[] = { { at(2), 3 * SPACE_PAGE }, { at(0), SPACE_PAGE } };
	const struct mm_range odd[] = { { at(0), 100 }, { at(1), SPACE_PAGE } };
	const struct mm_range unaligned[] = { { at(0), SPACE_PAGE }, { at(1) + 1, SPACE_PAGE } };
	struct space s;

	(void)state;
	space_open(&s);
	map_anon(&s, 0, 3, RW);
	map_anon(&s, 4, 1, RW);
	assert_int_equal(mm_process_madvise(s.mm, ranges, 2, MADV_DONTDUMP, 0, true), 8192);
	assert_marks(&s, "[0..1)rw-p:ac dd [1..3)rw-p:ac [4..5)rw-p:ac dd");
	assert_int_equal(mm_process_madvise(s.mm, ranges, 4, MADV_DODUMP, 0, true), 8192);
	assert_marks(&s, "[0..3)rw-p:ac [4..5)rw-p:ac");
	assert_int_equal(mm_process_madvise(s.mm, ranges + 2, 1, MADV_DODUMP, 0, true), -ENOMEM);
	assert_int_equal(mm_process_madvise(s.mm, with_hole, 2, MADV_DONTFORK, 0, true), -ENOMEM);
	assert_marks(&s, "[0..2)rw-p:ac [2..3)rw-p:dc ac [4..5)rw-p:dc ac");
	assert_int_equal(mm_process_madvise(s.mm, odd, 2, MADV_DONTNEED, 0, true), 4196);
	assert_int_equal(mm_process_madvise(s.mm, unaligned, 2, MADV_DONTNEED, 0, true), 4096);
	assert_int_equal(mm_process_madvise(s.mm, unaligned + 1, 1, MADV_DONTNEED, 0, true),
			 -EINVAL);
	assert_int_equal(mm_process_madvise(s.mm, ranges, 1, MADV_GUARD_INSTALL, 0, true), 4096);
	space_close(&s);
}

static void ranges_are_checked_in_linux_order(void **state)
{
	const struct mm_range one = { at(0), SPACE_PAGE };
	const struct mm_range empty_first[] = { { at(0) + 1, 0 }, { at(0), SPACE_PAGE } };
	const struct mm_range empty_later[] = {
		{ at(0), 0 }, { at(0) + 1, 0 }, { at(0), SPACE_PAGE },
	};
	const struct mm_range negative[] = { { at(0), SPACE_PAGE }, { at(0), ~0ul } };
	const struct mm_range beyond = { 0x7ffffffff000, SPACE_PAGE };
	const struct mm_range at_end = { 0x7ffffffff000, 0 };
	const struct mm_range kernel = { 1ul << 63, 0 };
	static struct mm_range many[1025];
	struct space s;

	(void)state;
	space_open(&s);
	map_anon(&s, 0, 1, RW);
	assert_int_equal(mm_process_madvise(s.mm, &one, 0, 9999, 0, true), 0);
	assert_int_equal(mm_process_madvise(s.mm, &one, 0, MADV_DONTNEED, 1, true), -EINVAL);
	assert_int_equal(mm_process_madvise(s.mm, &one, 1, 9999, 0, true), -EINVAL);
	assert_int_equal(mm_process_madvise(s.mm, many, 1024, 9999, 0, true), 0);
	assert_int_equal(mm_process_madvise(s.mm, many, 1025, MADV_NORMAL, 0, true), -EINVAL);
	assert_int_equal(mm_process_madvise(s.mm, empty_first, 2, MADV_NORMAL, 0, true), -EINVAL);
	assert_int_equal(mm_process_madvise(s.mm, empty_first, 1, MADV_NORMAL, 0, true), 0);
	assert_int_equal(mm_process_madvise(s.mm, empty_later, 3, MADV_NORMAL, 0, true), 4096);
	assert_int_equal(mm_process_madvise(s.mm, negative, 2, MADV_NORMAL, 0, true), -EINVAL);
	assert_int_equal(mm_process_madvise(s.mm, &beyond, 1, MADV_NORMAL, 0, true), -EFAULT);
	assert_int_equal(mm_process_madvise(s.mm, &beyond, 1, MADV_DONTNEED, 0, false), -EFAULT);
	assert_int_equal(mm_process_madvise(s.mm, &at_end, 1, MADV_NORMAL, 0, true), 0);
	assert_int_equal(mm_process_madvise(s.mm, &kernel, 1, MADV_NORMAL, 0, true), -EFAULT);
	space_close(&s);
}

static void one_call_covers_so_much_and_no_more(void **state)
{
	const unsigned long half = 0x80000000ul;
	const struct mm_range halves[] = { { at(0), half }, { at(0) + half, half } };
	const struct mm_range whole[] = { { at(0), 2 * half }, { at(0), SPACE_PAGE } };
	struct space s;

	(void)state;
	space_open(&s);
	map_anon(&s, 0, 2 * half / SPACE_PAGE, PROT_NONE);
	assert_int_equal(mm_process_madvise(s.mm, whole, 1, MADV_RANDOM, 0, true), CAP_BYTES);
	assert_int_equal(mm_process_madvise(s.mm, whole, 2, MADV_RANDOM, 0, true), CAP_BYTES);
	assert_int_equal(mm_process_madvise(s.mm, halves, 2, MADV_RANDOM, 0, true), CAP_BYTES);
	assert_marks(&s, "[0..524287)---p:rr [524287..1048576)---p");
	space_close(&s);
}

static void others_may_be_given_hints_only(void **state)
{
	static const int remote[] = { MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED };
	static const int local[] = {
		MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_DONTNEED, MADV_FREE, MADV_REMOVE,
		MADV_DONTFORK, MADV_DOFORK, MADV_MERGEABLE, MADV_UNMERGEABLE, MADV_HUGEPAGE,
		MADV_NOHUGEPAGE, MADV_DONTDUMP, MADV_DODUMP, MADV_WIPEONFORK, MADV_KEEPONFORK,
		MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_DONTNEED_LOCKED, MADV_GUARD_INSTALL,
		MADV_GUARD_REMOVE, MADV_HWPOISON, 9999,
	};
	const struct mm_range one = { at(0), SPACE_PAGE };
	struct space s;

	(void)state;
	space_open(&s);
	map_anon(&s, 0, HUGE_PAGES, RW);
	space_write(&s, 0);
	for (size_t i = 0; i < sizeof(remote) / sizeof(remote[0]); i++)
		assert_int_equal(mm_process_madvise(s.mm, &one, 1, remote[i], 0, false), 4096);
	assert_int_equal(mm_process_madvise(s.mm, &one, 1, MADV_COLLAPSE, 0, false), 4096);
	for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++) {
		assert_int_equal(mm_process_madvise(s.mm, &one, 1, local[i], 0, false), -EINVAL);
		assert_int_equal(mm_process_madvise(s.mm, &one, 0, local[i], 0, false), -EINVAL);
	}
	assert_marks(&s, "[0..512)rw-p:ac");
	space_close(&s);
}

static void *write_first_page(void *arg)
{
	assert_int_equal(space_write(arg, 0), MM_FAULT_DONE);
	return NULL;
}

/* Both hold the mmap lock for read: one asks if the area was touched while the other touches it. */
static void collapsing_beside_the_first_touch(void **state)
{
	pthread_t thread;
	struct space s;
	long ret;

	(void)state;
	space_open(&s);
	assert_int_equal(space_map(&s, 0, HUGE_PAGES, RW, ANON), 0);
	assert_int_equal(pthread_create(&thread, NULL, write_first_page, &s), 0);
	while ((ret = advise(&s, 0, HUGE_PAGES, MADV_COLLAPSE)) == -EINVAL)
		sched_yield();
	assert_int_equal(ret, 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	space_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments_are_checked_in_linux_order),
		cmocka_unit_test(each_flag_is_set_and_taken_away),
		cmocka_unit_test(holes_are_passed_over),
		cmocka_unit_test(the_area_limit_is_eagain),
		cmocka_unit_test(kinds_of_area_refuse_what_does_not_suit_them),
		cmocka_unit_test(a_drivers_area_is_left_alone),
		cmocka_unit_test(a_seal_refuses_to_lose_pages),
		cmocka_unit_test(guards_mark_the_whole_area_for_good),
		cmocka_unit_test(without_the_mark_guards_touch_everything),
		cmocka_unit_test(populating_touches),
		cmocka_unit_test(collapsing_needs_pages_and_room),
		cmocka_unit_test(collapsing_beside_the_first_touch),
		cmocka_unit_test(huge_files_go_by_huge_pages),
		cmocka_unit_test(machines_may_lack_an_advice),
		cmocka_unit_test(several_ranges_end_at_the_first_error),
		cmocka_unit_test(ranges_are_checked_in_linux_order),
		cmocka_unit_test(one_call_covers_so_much_and_no_more),
		cmocka_unit_test(others_may_be_given_hints_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
