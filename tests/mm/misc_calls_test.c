/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The small calls: msync(), mincore(), remap_file_pages(), and what prctl() says of memory.
 */
#include "marks.h"

/* -------------------------------------------------------- msync(), mincore() -- */

static void msync_looks_for_holes_and_locks(void **state)
{
	/* Area, hole, locked area: a page each. */
	static const struct {
		unsigned long addr, len;
		int flags;
		long want;
	} calls[] = {
		{ 0, SPACE_PAGE, 8, -EINVAL },
		{ 1, SPACE_PAGE, 0, -EINVAL },
		{ 1, 0, 0, -EINVAL },
		{ 0, SPACE_PAGE, MS_ASYNC | MS_SYNC, -EINVAL },
		{ 0, -SPACE_PAGE - 1, MS_ASYNC | MS_SYNC, -EINVAL },
		{ 0, -SPACE_PAGE - 1, 0, -ENOMEM },
		{ 0, ~0ul, MS_ASYNC, 0 },
		{ 64 * SPACE_PAGE, 0, 0, 0 },
		{ 0, SPACE_PAGE, 0, 0 },
		{ 0, SPACE_PAGE, MS_ASYNC, 0 },
		{ 0, SPACE_PAGE, MS_SYNC | MS_INVALIDATE, 0 },
		{ 0, 3 * SPACE_PAGE, 0, -ENOMEM },
		{ 0, 3 * SPACE_PAGE, MS_ASYNC, -ENOMEM },
		{ 0, 3 * SPACE_PAGE, MS_SYNC, -ENOMEM },
		{ 0, 3 * SPACE_PAGE, MS_INVALIDATE, -EBUSY },
		{ 0, 3 * SPACE_PAGE, MS_ASYNC | MS_INVALIDATE, -EBUSY },
		{ 0, 2 * SPACE_PAGE, MS_INVALIDATE, -ENOMEM },
		{ SPACE_PAGE, SPACE_PAGE, MS_INVALIDATE, -ENOMEM },
		{ 2 * SPACE_PAGE, SPACE_PAGE, MS_INVALIDATE, -EBUSY },
		{ 2 * SPACE_PAGE, 8 * SPACE_PAGE, MS_INVALIDATE, -EBUSY },
		{ 2 * SPACE_PAGE, SPACE_PAGE, MS_ASYNC, 0 },
	};
	struct space s;

	(void)state;
	space_open(&s);
	map_anon(&s, 0, 1, RW);
	map_anon(&s, 2, 1, RW);
	assert_int_equal(mm_mlock(s.mm, at(2), SPACE_PAGE), 0);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		long got = mm_msync(s.mm, at(0) + calls[i].addr, calls[i].len, calls[i].flags);

		if (got != calls[i].want)
			fail_msg("call %zu: %ld, want %ld", i, got, calls[i].want);
	}
	space_close(&s);
}

static const struct vm_operations_struct driver_vm_ops = { 0 };

static int driver_mmap(struct file *file, struct vma_new *vma)
{
	(void)file;
	vma_set_owner(vma, &driver_vm_ops, NULL);
	vma_set_dontexpand(vma);
	return 0;
}

static void a_drivers_file_cannot_be_synced(void **state)
{
	static const struct file_operations ops = { .owner = "test", .mmap = driver_mmap };
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/dev/x", .flags = FILE_READ | FILE_WRITE,
		.ops = &ops,
	};
	struct file *driver, *file;
	struct space s;

	(void)state;
	space_open(&s);
	assert_int_equal(file_create(s.v, &desc, &driver), 0);
	file = space_file(&s, 1, 0, FILE_PLACE_ANY);
	assert_int_equal(space_map_file(&s, 0, 1, RW, MAP_SHARED, file, 0), 0);
	assert_int_equal(space_map_file(&s, 1, 1, RW, MAP_SHARED, driver, 0), 0);
	assert_int_equal(mm_msync(s.mm, at(0), SPACE_PAGE, MS_SYNC), 0);
	assert_int_equal(mm_msync(s.mm, at(0), 2 * SPACE_PAGE, MS_ASYNC), 0);
	assert_int_equal(mm_msync(s.mm, at(0), 2 * SPACE_PAGE, MS_SYNC), -EINVAL);
	file_put(file);
	file_put(driver);
	space_close(&s);
}

static void mincore_fills_up_to_the_hole(void **state)
{
	unsigned char vec[4];
	struct space s;

	(void)state;
	space_open(&s);
	map_anon(&s, 0, 1, RW);
	map_anon(&s, 1, 1, PROT_NONE);
	memset(vec, 7, sizeof(vec));
	assert_int_equal(mm_mincore(s.mm, at(0) + 1, SPACE_PAGE, vec), -EINVAL);
	assert_int_equal(mm_mincore(s.mm, at(0) + 1, ~0ul, vec), -EINVAL);
	assert_int_equal(mm_mincore(s.mm, at(0), ~0ul, vec), -ENOMEM);
	assert_int_equal(mm_mincore(s.mm, -SPACE_PAGE, SPACE_PAGE, vec), -ENOMEM);
	assert_int_equal(mm_mincore(s.mm, 0x7ffffffff000, SPACE_PAGE, vec), -ENOMEM);
	assert_int_equal(mm_mincore(s.mm, 0x7ffffffff000, 0, vec), 0);
	assert_int_equal(mm_mincore(s.mm, 1ul << 63, 0, vec), -ENOMEM);
	assert_int_equal(mm_mincore(s.mm, at(8), 0, vec), 0);
	assert_int_equal(mm_mincore(s.mm, at(8), 1, vec), -ENOMEM);
	assert_int_equal(vec[0], 7);
	assert_int_equal(mm_mincore(s.mm, at(0), SPACE_PAGE + 1, NULL), 0);
	assert_int_equal(mm_mincore(s.mm, at(0), 1, vec), 0);
	assert_int_equal(vec[0], 0);
	assert_int_equal(vec[1], 7);
	vec[0] = 7;
	assert_int_equal(mm_mincore(s.mm, at(0), 4 * SPACE_PAGE, vec), -ENOMEM);
	assert_int_equal(vec[0], 0);
	assert_int_equal(vec[1], 0);
	assert_int_equal(vec[2], 7);
	space_close(&s);
}

/* -------------------------------------------------------- remap_file_pages() -- */

static long remap(struct space *s, unsigned long page, unsigned long nr, unsigned long pgoff,
		  unsigned long flags)
{
	return mm_remap_file_pages(s->mm, at(page), nr * SPACE_PAGE, 0, pgoff, flags);
}

static void remapping_is_mapping_again(void **state)
{
	struct area_info info;
	struct file *file;
	struct space s;

	(void)state;
	space_open(&s);
	file = space_file(&s, 64, 0, FILE_PLACE_ANY);
	map_anon(&s, 16, 1, RW);
	assert_int_equal(remap(&s, 16, 1, 0, 0), -EINVAL);
	assert_int_equal(remap(&s, 20, 1, 0, 0), -EINVAL);
	assert_int_equal(space_unmap(&s, 16, 1), 0);
	assert_int_equal(space_map_file(&s, 0, 8, RW, MAP_SHARED, file, 0), 0);
	assert_int_equal(remap(&s, 0, 0, 0, 0), -EINVAL);
	assert_int_equal(mm_remap_file_pages(s.mm, at(0), SPACE_PAGE, PROT_READ, 0, 0), -EINVAL);
	assert_int_equal(remap(&s, 0, 1, ~0ul, 0), -EINVAL);
	assert_int_equal(remap(&s, 0, 1, 1ul << 52, 0), -EOVERFLOW);
	assert_int_equal(remap(&s, 0, 9, 0, 0), -EINVAL);
	assert_areas(&s, "[0..8)rw-s");

	/* Address and size are rounded down. */
	assert_int_equal(mm_remap_file_pages(s.mm, at(0) + 100, SPACE_PAGE + 5, 0, 3, 0), 0);
	assert_areas(&s, "[0..1)rw-s [1..8)rw-s");
	assert_int_equal(remap(&s, 2, 2, 7, 0), 0);
	assert_areas(&s, "[0..1)rw-s [1..2)rw-s [2..4)rw-s [4..8)rw-s");
	assert_int_equal(mm_query(s.mm, at(3), &info), 0);
	assert_int_equal(info.pgoff, 7);
	area_info_put(&info);
	assert_int_equal(remap(&s, 0, 8, 0, 0), 0);
	assert_areas(&s, "[0..8)rw-s");

	/* Over areas that differ: refused.  The protection is kept, locked stays locked. */
	assert_int_equal(protect(&s, 2, 1, PROT_READ), 0);
	assert_int_equal(remap(&s, 0, 4, 0, 0), -EINVAL);
	assert_int_equal(remap(&s, 2, 1, 9, ~0ul), 0);
	assert_areas(&s, "[0..2)rw-s [2..3)r--s [3..8)rw-s");
	assert_int_equal(mm_mlock(s.mm, at(0), SPACE_PAGE), 0);
	assert_int_equal(remap(&s, 0, 1, 9, 0), 0);
	assert_marks(&s, "[0..1)rw-s:lo [1..2)rw-s [2..3)r--s [3..8)rw-s");
	file_put(file);
	space_close(&s);
}

static void shared_anonymous_memory_is_remapped(void **state)
{
	struct space s;

	(void)state;
	space_open(&s);
	assert_int_equal(space_map(&s, 0, 4, RW, MAP_SHARED | MAP_ANONYMOUS), 0);
	assert_int_equal(remap(&s, 0, 1, 2, 0), 0);
	assert_areas(&s, "[0..1)rw-s [1..4)rw-s");
	assert_int_equal(remap(&s, 0, 4, 4, 0), 0);
	assert_areas(&s, "[0..4)rw-s");
	assert_int_equal(mm_set_anon_name(s.mm, at(0), SPACE_PAGE, "still anonymous"), 0);
	assert_int_equal(seal(&s, 0, 1), 0);
	assert_int_equal(remap(&s, 0, 1, 2, 0), -EPERM);
	space_close(&s);
}

/* ------------------------------------------------------------------ prctl() -- */

static const char *name_of(struct space *s, unsigned long page)
{
	static char name[96];
	struct area_info info;

	assert_int_equal(mm_query(s->mm, at(page), &info), 0);
	memcpy(name, info.name, sizeof(name));
	area_info_put(&info);
	return name;
}

static long name_pages(struct space *s, unsigned long page, unsigned long nr, const char *name)
{
	return mm_set_anon_name(s->mm, at(page), nr * SPACE_PAGE, name);
}

static void names_split_and_join(void **state)
{
	struct space s;

	(void)state;
	space_open(&s);
	map_anon(&s, 0, 3, RW);
	assert_int_equal(name_pages(&s, 1, 1, "middle"), 0);
	assert_areas(&s, "[0..1)rw-p [1..2)rw-p [2..3)rw-p");
	assert_string_equal(name_of(&s, 1), "[anon:middle]");
	assert_string_equal(name_of(&s, 0), "");
	/* The same text is the same name. */
	assert_int_equal(name_pages(&s, 0, 1, "middle"), 0);
	assert_areas(&s, "[0..2)rw-p [2..3)rw-p");
	assert_int_equal(name_pages(&s, 0, 2, "other"), 0);
	assert_string_equal(name_of(&s, 0), "[anon:other]");
	assert_int_equal(name_pages(&s, 0, 3, NULL), 0);
	assert_areas(&s, "[0..3)rw-p");
	/* "" is a name, and no name is none. */
	assert_int_equal(name_pages(&s, 0, 1, ""), 0);
	assert_string_equal(name_of(&s, 0), "[anon:]");
	assert_areas(&s, "[0..1)rw-p [1..3)rw-p");
	space_close(&s);
}

static void names_are_refused_in_linux_order(void **state)
{
	char longest[81];
	struct file *file;
	struct space s;

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[80] = '\0';
	space_open(&s);
	map_anon(&s, 0, 1, RW);
	map_anon(&s, 2, 1, RW);
	/* The name comes first. */
	assert_int_equal(mm_set_anon_name(s.mm, at(0), 0, "a]b"), -EINVAL);
	assert_int_equal(name_pages(&s, 0, 1, "tab\t"), -EINVAL);
	assert_int_equal(name_pages(&s, 0, 1, longest), -EINVAL);
	assert_int_equal(name_pages(&s, 0, 1, longest + 1), 0);
	assert_int_equal(mm_set_anon_name(s.mm, at(0) + 1, SPACE_PAGE, "x"), -EINVAL);
	assert_int_equal(mm_set_anon_name(s.mm, at(0), ~0ul, "x"), -EINVAL);
	assert_int_equal(mm_set_anon_name(s.mm, at(0), -SPACE_PAGE, "x"), -EINVAL);
	assert_int_equal(name_pages(&s, 9, 0, "x"), 0);
	assert_int_equal(name_pages(&s, 9, 1, "x"), -ENOMEM);
	/* Holes are passed over. */
	assert_int_equal(name_pages(&s, 0, 3, "y"), -ENOMEM);
	assert_string_equal(name_of(&s, 0), "[anon:y]");
	assert_string_equal(name_of(&s, 2), "[anon:y]");
	/* A file's area ends it; what came before is named. */
	file = space_file(&s, 1, 0, FILE_PLACE_ANY);
	assert_int_equal(space_map_file(&s, 1, 1, RW, MAP_PRIVATE, file, 0), 0);
	assert_int_equal(name_pages(&s, 0, 3, "z"), -EBADF);
	assert_string_equal(name_of(&s, 0), "[anon:z]");
	assert_string_equal(name_of(&s, 2), "[anon:y]");
	file_put(file);
	/* An unlinked swap-backed file can be named, as shared anonymous memory can. */
	file = space_file(&s, 1, FILE_SHMEM | FILE_DELETED, FILE_PLACE_SHMEM);
	assert_int_equal(space_map_file(&s, 1, 1, RW, MAP_SHARED, file, 0), 0);
	assert_int_equal(name_pages(&s, 1, 1, "m"), 0);
	file_put(file);
	space_close(&s);

	space_init(&s);
	s.config.features &= ~VMAREA_FEATURE_ANON_NAMES;
	space_create(&s);
	map_anon(&s, 0, 1, RW);
	assert_int_equal(name_pages(&s, 0, 1, "x"), -EINVAL);
	space_close(&s);

	/* The area limit. */
	space_init(&s);
	s.config.max_map_count = 1;
	space_create(&s);
	map_anon(&s, 0, 2, RW);
	assert_int_equal(name_pages(&s, 0, 1, "x"), -EAGAIN);
	assert_int_equal(name_pages(&s, 0, 2, "x"), 0);
	space_close(&s);
}

static void memory_merge_marks_old_and_new(void **state)
{
	struct file *file;
	struct space s;

	(void)state;
	space_open(&s);
	file = space_file(&s, 4, 0, FILE_PLACE_ANY);
	map_anon(&s, 0, 1, RW);
	map_anon(&s, 1, 1, PROT_READ);
	assert_int_equal(space_map_file(&s, 2, 1, RW, MAP_SHARED, file, 0), 0);
	assert_int_equal(space_map_file(&s, 3, 1, RW, MAP_PRIVATE, file, 0), 0);
	assert_int_equal(mm_get_memory_merge(s.mm), 0);
	assert_int_equal(mm_set_memory_merge(s.mm, true), 0);
	assert_int_equal(mm_get_memory_merge(s.mm), 1);
	assert_marks(&s, "[0..1)rw-p:ac mg [1..2)r--p:mg [2..3)rw-s [3..4)rw-p:ac mg");
	/* madvise() can take one out; switching on again does nothing. */
	assert_int_equal(advise(&s, 0, 1, MADV_UNMERGEABLE), 0);
	assert_int_equal(mm_set_memory_merge(s.mm, true), 0);
	map_anon(&s, 4, 1, RW);
	assert_int_equal(space_map_file(&s, 5, 1, RW, MAP_SHARED, file, 0), 0);
	assert_marks(&s, "[0..1)rw-p:ac [1..2)r--p:mg [2..3)rw-s [3..4)rw-p:ac mg [4..5)rw-p:ac mg "
			 "[5..6)rw-s");
	assert_int_equal(mm_set_memory_merge(s.mm, false), 0);
	assert_marks(&s, "[0..1)rw-p:ac [1..2)r--p [2..3)rw-s [3..4)rw-p:ac [4..5)rw-p:ac "
			 "[5..6)rw-s");
	/* Off when it is off: what madvise() marked stays. */
	assert_int_equal(advise(&s, 0, 1, MADV_MERGEABLE), 0);
	assert_int_equal(mm_set_memory_merge(s.mm, false), 0);
	assert_int_equal(mm_get_memory_merge(s.mm), 0);
	assert_marks(&s, "[0..1)rw-p:ac mg [1..2)r--p [2..3)rw-s [3..4)rw-p:ac [4..5)rw-p:ac "
			 "[5..6)rw-s");
	file_put(file);
	space_close(&s);

	space_init(&s);
	s.config.features &= ~VMAREA_FEATURE_KSM;
	space_create(&s);
	assert_int_equal(mm_set_memory_merge(s.mm, true), -EINVAL);
	assert_int_equal(mm_get_memory_merge(s.mm), -EINVAL);
	space_close(&s);
}

static void huge_pages_can_be_switched_off(void **state)
{
	struct space s;

	(void)state;
	space_open(&s);
	assert_int_equal(mm_get_thp_disable(s.mm), 0);
	assert_int_equal(mm_set_thp_disable(s.mm, true), 0);
	assert_int_equal(mm_get_thp_disable(s.mm), 1);
	assert_int_equal(mm_set_thp_disable(s.mm, false), 0);
	assert_int_equal(mm_get_thp_disable(s.mm), 0);
	space_close(&s);
}

static int add(struct space *s, unsigned long page, unsigned long nr, struct area_desc area)
{
	char why[160];
	int err;

	area.start = at(page);
	area.end = at(page + nr);
	err = mm_add_area(s->mm, &area);
	if (mm_validate(s->mm, why, sizeof(why)))
		fail_msg("%s", why);
	return err;
}

/* What is put in as it is must be something that could be. */
static void added_area_is_sane(void **state)
{
	const vm_flags_t may = VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
	struct file *huge, *file;
	struct space s;

	(void)state;
	space_open(&s);
	huge = space_file(&s, 1024, FILE_HUGETLB, FILE_PLACE_ANY);
	file = space_file(&s, 8, 0, FILE_PLACE_ANY);
#define ADD(page, nr, ...)	add(&s, page, nr, (struct area_desc){ __VA_ARGS__ })
	assert_int_equal(ADD(0, 1, .flags = VM_READ), -EINVAL);
	assert_int_equal(ADD(0, 1, .flags = may | VM_SEQ_READ | VM_RAND_READ), -EINVAL);
	assert_int_equal(ADD(0, 1, .flags = may | VM_PFNMAP | VM_MIXEDMAP), -EINVAL);
	assert_int_equal(ADD(0, 1, .flags = may | VM_LOCKED | VM_IO), -EINVAL);
	assert_int_equal(ADD(0, 2, .flags = may, .file = file, .pgoff = ~0ul), -EINVAL);
	assert_int_equal(ADD(0, 1, .flags = may, .file = file, .pgoff = 1ul << 51), -EINVAL);
	assert_int_equal(ADD(0, 1, .flags = may, .file = file, .pgoff = 1ul << 52), -EINVAL);
	assert_int_equal(ADD(0, 512, .flags = may, .file = huge), -EINVAL);
	assert_int_equal(ADD(0, 512, .flags = may | VM_HUGETLB, .file = file), -EINVAL);
	assert_int_equal(ADD(0, 512, .flags = may | VM_HUGETLB), -EINVAL);
	assert_int_equal(ADD(0, 8, .flags = may | VM_HUGETLB, .file = huge), -EINVAL);
	assert_int_equal(ADD(1, 512, .flags = may | VM_HUGETLB, .file = huge), -EINVAL);
	assert_int_equal(ADD(0, 512, .flags = may | VM_HUGETLB, .file = huge, .pgoff = 1),
			 -EINVAL);
	assert_areas(&s, "");
	assert_int_equal(ADD(0, 512, .flags = may | VM_HUGETLB, .file = huge), 0);
	assert_int_equal(ADD(512, 1, .flags = may | VM_SHARED | VM_MAYSHARE, .file = file,
			     .touched = true), -EINVAL);
	assert_int_equal(ADD(512, 1, .flags = may | VM_SHARED | VM_MAYSHARE, .file = file), 0);
	assert_int_equal(ADD(513, 1, .flags = may | VM_READ, .pgoff = 0, .touched = true), 0);
#undef ADD
	file_put(huge);
	file_put(file);
	space_close(&s);
}

/* A machine that marks no areas remembers guards by an anon_vma, in whatever area. */
static void guards_in_shared_memory_are_sound(void **state)
{
	struct space s;

	(void)state;
	space_init(&s);
	s.config.features &= ~VMAREA_FEATURE_GUARD_FLAG;
	space_create(&s);
	assert_int_equal(space_map(&s, 0, 2, RW, MAP_SHARED | MAP_ANONYMOUS), 0);
	assert_int_equal(mm_madvise(s.mm, at(0), SPACE_PAGE, MADV_GUARD_INSTALL), 0);
	space_close(&s);
}

/* It has come to be in another way, and is what it was all the same. */
static void remapped_to_its_place_it_joins(void **state)
{
	struct space s;

	(void)state;
	space_open(&s);
	assert_int_equal(space_map(&s, 1, 4, RW, MAP_SHARED | MAP_ANONYMOUS), 0);
	assert_int_equal(mm_mprotect(s.mm, at(2), SPACE_PAGE, PROT_READ), 0);
	assert_int_equal(mm_remap_file_pages(s.mm, at(2), SPACE_PAGE, 0, 1, 0), 0);
	assert_areas(&s, "[1..2)rw-s [2..3)r--s [3..5)rw-s");
	assert_int_equal(mm_mprotect(s.mm, at(2), SPACE_PAGE, RW), 0);
	assert_areas(&s, "[1..5)rw-s");
	space_close(&s);
}

/* Their pages are frames of another arena. */
static void files_of_others_are_refused(void **state)
{
	struct space s, other;
	struct file *file;

	(void)state;
	space_open(&s);
	space_open(&other);
	file = space_file(&other, 2, FILE_SHMEM, FILE_PLACE_SHMEM);
	assert_int_equal(space_map_file(&s, 0, 2, RW, MAP_SHARED, file, 0), -EINVAL);
	assert_int_equal(space_map_file(&s, 0, 2, PROT_READ, MAP_PRIVATE, file, 0), -EINVAL);
	assert_int_equal(mm_shmat(s.mm, file, at(0), 0), -EINVAL);
	assert_int_equal(mm_add_area(s.mm, &(struct area_desc){
		.start = at(0), .end = at(2), .file = file, .flags = VM_READ | VM_MAYREAD }),
		-EINVAL);
	assert_areas(&s, "");
	/* Where no file is asked for, none is looked at. */
	assert_int_equal(space_map_file(&s, 0, 2, RW, ANON, file, 0), 0);
	assert_int_equal(space_map_file(&other, 0, 2, RW, MAP_SHARED, file, 0), 0);
	file_put(file);
	space_close(&s);
	space_close(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(msync_looks_for_holes_and_locks),
		cmocka_unit_test(a_drivers_file_cannot_be_synced),
		cmocka_unit_test(mincore_fills_up_to_the_hole),
		cmocka_unit_test(remapping_is_mapping_again),
		cmocka_unit_test(shared_anonymous_memory_is_remapped),
		cmocka_unit_test(names_split_and_join),
		cmocka_unit_test(names_are_refused_in_linux_order),
		cmocka_unit_test(memory_merge_marks_old_and_new),
		cmocka_unit_test(huge_pages_can_be_switched_off),
		cmocka_unit_test(added_area_is_sane),
		cmocka_unit_test(guards_in_shared_memory_are_sound),
		cmocka_unit_test(remapped_to_its_place_it_joins),
		cmocka_unit_test(files_of_others_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
