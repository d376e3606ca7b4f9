/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The questions: what they answer when nobody else is at work.
 */
#include <errno.h>

#include "../mm/space.h"
#include "port/port.h"

#define HEAP	0x10000000ul
#define STACK	0x7ffffffde000ul

static void open_with_heap(struct space *s)
{
	space_init(s);
	s->mm_config.start_brk = HEAP;
	s->mm_config.brk = HEAP;
	s->mm_config.start_stack = STACK + 2 * SPACE_PAGE + 100;
	space_create(s);
}

static void range_ok(void **state)
{
	struct space s;

	space_open(&s);
	assert_int_equal(space_map(&s, 0, 2, RW, ANON), 0);
	assert_int_equal(space_map(&s, 2, 1, PROT_READ, ANON), 0);
	assert_int_equal(space_map(&s, 3, 1, PROT_READ | PROT_EXEC, ANON), 0);
	assert_int_equal(space_map(&s, 5, 1, PROT_NONE, ANON), 0);
	assert_true(mm_range_ok(s.mm, at(0), 4 * SPACE_PAGE, PROT_READ));
	assert_true(mm_range_ok(s.mm, at(0) + 1, 4 * SPACE_PAGE - 1, PROT_READ));
	assert_true(mm_range_ok(s.mm, at(0), 2 * SPACE_PAGE, RW));
	assert_false(mm_range_ok(s.mm, at(0), 2 * SPACE_PAGE + 1, RW));
	assert_false(mm_range_ok(s.mm, at(0), 4 * SPACE_PAGE, PROT_EXEC));
	assert_true(mm_range_ok(s.mm, at(3), 1, PROT_READ | PROT_EXEC));
	assert_false(mm_range_ok(s.mm, at(0), 4 * SPACE_PAGE + 1, PROT_READ));
	assert_false(mm_range_ok(s.mm, at(0) - 1, 2, PROT_READ));
	assert_false(mm_range_ok(s.mm, at(4), 1, PROT_NONE));
	assert_true(mm_range_ok(s.mm, at(5), SPACE_PAGE, PROT_NONE));
	assert_false(mm_range_ok(s.mm, at(5), 1, PROT_READ));
	/* Nothing is always there, and what wraps never is. */
	assert_true(mm_range_ok(s.mm, at(4), 0, RW));
	assert_false(mm_range_ok(s.mm, at(0), ~0ul, PROT_READ));
	assert_false(mm_range_ok(s.mm, ~0ul, 1, PROT_NONE));
	space_close(&s);
}

static void range_ok_over_many(void **state)
{
	struct space s;

	space_open(&s);
	for (unsigned long i = 0; i < 200; i++)
		assert_int_equal(space_map(&s, i, 1, i % 2 ? RW : PROT_READ, ANON), 0);
	assert_true(mm_range_ok(s.mm, at(0), 200 * SPACE_PAGE, PROT_READ));
	assert_true(mm_range_ok(s.mm, at(7) + 9, 150 * SPACE_PAGE, PROT_READ));
	assert_int_equal(space_unmap(&s, 120, 1), 0);
	assert_false(mm_range_ok(s.mm, at(0), 200 * SPACE_PAGE, PROT_READ));
	assert_true(mm_range_ok(s.mm, at(0), 120 * SPACE_PAGE, PROT_READ));
	space_close(&s);
}

static void query_copies_out(void **state)
{
	struct area_info info;
	struct file *file;
	struct space s;

	space_open(&s);
	file = space_file(&s, 100, 0, FILE_PLACE_ANY);
	assert_int_equal(space_map_file(&s, 4, 4, PROT_READ, MAP_SHARED, file, 10), 0);
	assert_int_equal(space_unmap(&s, 4, 1), 0);
	assert_int_equal(mm_query(s.mm, at(6) + 17, &info), 0);
	assert_int_equal(info.start, at(5));
	assert_int_equal(info.end, at(8));
	assert_int_equal(info.pgoff, 11);
	assert_ptr_equal(info.file, file);
	assert_string_equal(info.name, "");
	assert_true(info.flags & VM_MAYSHARE);
	/* The reference outlives the area and the caller's own. */
	file_put(file);
	assert_int_equal(space_unmap(&s, 0, 100), 0);
	assert_int_equal(file_size(info.file), 100 * SPACE_PAGE);
	area_info_put(&info);
	assert_null(info.file);
	assert_int_equal(mm_query(s.mm, at(6), &info), -ENOENT);
	space_close(&s);
}

static void query_next_goes_up(void **state)
{
	struct area_info info;
	struct space s;

	space_open(&s);
	assert_int_equal(mm_query_next(s.mm, 0, &info), -ENOENT);
	assert_int_equal(space_map(&s, 1, 1, RW, ANON), 0);
	assert_int_equal(space_map(&s, 5, 1, RW, ANON), 0);
	assert_int_equal(mm_query_next(s.mm, 0, &info), 0);
	assert_int_equal(info.start, at(1));
	assert_int_equal(mm_query_next(s.mm, info.end, &info), 0);
	assert_int_equal(info.start, at(5));
	assert_int_equal(mm_query_next(s.mm, info.end - 1, &info), 0);
	assert_int_equal(info.start, at(5));
	assert_int_equal(mm_query_next(s.mm, info.end, &info), -ENOENT);
	space_close(&s);
}

static void assert_name(struct space *s, unsigned long addr, const char *expected)
{
	struct area_info info;

	assert_int_equal(mm_query(s->mm, addr, &info), 0);
	assert_string_equal(info.name, expected);
	area_info_put(&info);
}

static void names(void **state)
{
	struct area_desc vdso = {
		.start = at(8), .end = at(9), .special = "[vdso]",
		.flags = VM_READ | VM_EXEC | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC,
	};
	struct area_desc stack = {
		.start = STACK, .end = STACK + 3 * SPACE_PAGE,
		.flags = VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC |
			 VM_GROWSDOWN | VM_ACCOUNT,
	};
	struct space s;

	open_with_heap(&s);
	assert_int_equal(mm_brk(s.mm, HEAP + 3 * SPACE_PAGE), HEAP + 3 * SPACE_PAGE);
	assert_int_equal(mm_add_area(s.mm, &vdso), 0);
	assert_int_equal(mm_add_area(s.mm, &stack), 0);
	assert_int_equal(space_map(&s, 0, 1, RW, ANON), 0);
	assert_int_equal(space_map(&s, 2, 1, RW, MAP_SHARED | MAP_ANONYMOUS), 0);
	assert_name(&s, HEAP, "[heap]");
	assert_name(&s, STACK, "[stack]");
	assert_name(&s, at(8), "[vdso]");
	assert_name(&s, at(0), "");
	assert_name(&s, at(2), "");
	assert_int_equal(mm_set_anon_name(s.mm, at(0), SPACE_PAGE, "my pool"), 0);
	assert_name(&s, at(0), "[anon:my pool]");
	assert_int_equal(mm_set_anon_name(s.mm, at(2), SPACE_PAGE, "shared"), 0);
	assert_name(&s, at(2), "[anon_shmem:shared]");
	/* What is heap or stack says so, whatever it was named. */
	assert_int_equal(mm_set_anon_name(s.mm, HEAP, 3 * SPACE_PAGE, "mine"), 0);
	assert_name(&s, HEAP, "[heap]");
	space_close(&s);
}

/* ------------------------------------------------------------- all areas */

struct walk {
	unsigned long nr;
	unsigned long end;
	unsigned long stop_after;
};

static int visit(const struct area_info *info, void *arg)
{
	struct walk *walk = arg;

	assert_true(info->start >= walk->end);
	walk->end = info->end;
	return ++walk->nr == walk->stop_after ? 77 : 0;
}

static void for_each_in_order(void **state)
{
	struct walk walk = { 0 };
	struct space s;

	space_open(&s);
	assert_int_equal(mm_for_each_area(s.mm, 0, ~0ul, visit, &walk), 0);
	assert_int_equal(walk.nr, 0);
	for (unsigned long i = 0; i < 300; i++)
		assert_int_equal(space_map(&s, 2 * i, 1, RW, ANON), 0);
	assert_int_equal(mm_for_each_area(s.mm, 0, ~0ul, visit, &walk), 0);
	assert_int_equal(walk.nr, 300);
	/* All that touch the range, and no others. */
	walk = (struct walk){ 0 };
	assert_int_equal(mm_for_each_area(s.mm, at(4) + 1, at(8), visit, &walk), 0);
	assert_int_equal(walk.nr, 2);
	assert_int_equal(walk.end, at(7));
	walk = (struct walk){ .stop_after = 10 };
	assert_int_equal(mm_for_each_area(s.mm, 0, ~0ul, visit, &walk), 77);
	assert_int_equal(walk.nr, 10);
	space_close(&s);
}

/* No lock is held in the visitor: it may call anything, and what it changes it does not see. */
static int unmap_it(const struct area_info *info, void *arg)
{
	struct space *s = arg;

	assert_int_equal(mm_munmap(s->mm, info->start, info->end - info->start), 0);
	if (info->file)
		assert_int_equal(file_size(info->file), 7 * SPACE_PAGE);
	return 0;
}

static void visitor_may_change_all(void **state)
{
	struct file *file;
	struct space s;

	space_open(&s);
	file = space_file(&s, 7, 0, FILE_PLACE_ANY);
	assert_int_equal(space_map(&s, 0, 1, RW, ANON), 0);
	assert_int_equal(space_map_file(&s, 2, 1, PROT_READ, MAP_PRIVATE, file, 0), 0);
	assert_int_equal(space_map_file(&s, 4, 1, PROT_READ, MAP_PRIVATE, file, 0), 0);
	file_put(file);
	assert_int_equal(mm_for_each_area(s.mm, 0, ~0ul, unmap_it, &s), 0);
	assert_areas(&s, "");
	space_close(&s);
}

/* The driver is asked for the name when there is a lock to call it under. */
static const char *driver_name(struct vma_ref *vma)
{
	return vma_pgoff(vma) ? "[driver]" : NULL;
}

static const struct vm_operations_struct named_ops = { .name = driver_name };

static int named_mmap(struct file *file, struct vma_new *vma)
{
	vma_set_owner(vma, &named_ops, file);
	return 0;
}

static const struct file_operations named_file_ops = { .owner = "named", .mmap = named_mmap };

static int collect_name(const struct area_info *info, void *arg)
{
	char *text = arg;

	strcat(text, info->name);
	strcat(text, ";");
	return 0;
}

static void driver_names_its_areas(void **state)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/dev/named", .ops = &named_file_ops,
		.flags = FILE_READ | FILE_WRITE,
	};
	char text[64] = "";
	struct file *file;
	struct space s;

	space_open(&s);
	assert_int_equal(file_create(s.v, &desc, &file), 0);
	assert_int_equal(space_map_file(&s, 0, 1, PROT_READ, MAP_SHARED, file, 0), 0);
	assert_int_equal(space_map_file(&s, 2, 1, PROT_READ, MAP_SHARED, file, 5), 0);
	assert_int_equal(mm_for_each_area(s.mm, 0, ~0ul, collect_name, text), 0);
	assert_string_equal(text, ";[driver];");
	assert_name(&s, at(2), "");
	file_put(file);
	space_close(&s);
}

static void statistics(void **state)
{
	struct mm_stats stats;
	struct space s;

	open_with_heap(&s);
	assert_int_equal(mm_brk(s.mm, HEAP + 3 * SPACE_PAGE), HEAP + 3 * SPACE_PAGE);
	assert_int_equal(space_map(&s, 0, 2, RW, ANON), 0);
	assert_int_equal(space_map(&s, 10, 5, PROT_READ | PROT_EXEC, ANON), 0);
	assert_int_equal(space_map(&s, 20, 4, RW, ANON | MAP_NORESERVE), 0);
	assert_int_equal(mm_mlock(s.mm, at(0), SPACE_PAGE), 0);
	mm_get_stats(s.mm, &stats);
	assert_int_equal(stats.nr_areas, 5);
	assert_int_equal(stats.total_pages, 14);
	assert_int_equal(stats.data_pages, 9);
	assert_int_equal(stats.exec_pages, 5);
	assert_int_equal(stats.stack_pages, 0);
	assert_int_equal(stats.locked_pages, 1);
	assert_int_equal(stats.committed_pages, 5);
	assert_int_equal(stats.committed_pages, vmarea_committed_pages(s.v));
	assert_int_equal(stats.start_brk, HEAP);
	assert_int_equal(stats.brk, HEAP + 3 * SPACE_PAGE);
	assert_true(stats.bytes > 5 * 100);
	space_close(&s);
}

#ifdef CONFIG_VMAREA_DEBUG
static void no_memory_for_the_copy(void **state)
{
	struct walk walk = { 0 };
	struct space s;
	long live;

	space_open(&s);
	assert_int_equal(space_map(&s, 0, 1, RW, ANON), 0);
	live = port_live_allocs();
	port_fail_nth(1);
	assert_int_equal(mm_for_each_area(s.mm, 0, ~0ul, visit, &walk), -ENOMEM);
	port_fail_nth(0);
	assert_int_equal(walk.nr, 0);
	assert_int_equal(port_live_allocs(), live);
	space_close(&s);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(range_ok),
		cmocka_unit_test(range_ok_over_many),
		cmocka_unit_test(query_copies_out),
		cmocka_unit_test(query_next_goes_up),
		cmocka_unit_test(names),
		cmocka_unit_test(for_each_in_order),
		cmocka_unit_test(visitor_may_change_all),
		cmocka_unit_test(driver_names_its_areas),
		cmocka_unit_test(statistics),
#ifdef CONFIG_VMAREA_DEBUG
		cmocka_unit_test(no_memory_for_the_copy),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
