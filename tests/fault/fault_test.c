/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* One fault at a time: what it leaves behind, and what it says. */
#include "memory.h"

static void reading_maps_the_zero_page(void **state)
{
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 4, RW, ANON), 0);
	assert_int_equal(get(&m, 1), 0);
	assert_int_equal(mm_frame(m.s.mm, 1), page_pfn(arena_zero_page(m.s.v->arena)));
	assert_true(mm_attrs(m.s.mm, 1) & PT_SPECIAL);
	assert_false(mm_attrs(m.s.mm, 1) & PT_WRITE);
	assert_int_equal(mm_frame(m.s.mm, 0), 0);
	assert_int_equal(mm_rss(m.s.mm), 0);
	memory_close(&m);
}

static void writing_gets_a_frame(void **state)
{
	unsigned char page[4096], zeros[4096] = { 0 };
	enum mm_fault fault;
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 4, RW, ANON), 0);
	assert_int_equal(put(&m, 1, 7), MM_FAULT_DONE);
	assert_int_equal(mm_read(m.s.mm, at(1), page, 4096, &fault), 4096);
	assert_int_equal(page[123], 7);
	page[123] = 0;
	assert_memory_equal(page, zeros, 4096);
	assert_int_equal(mm_rss(m.s.mm), 1);
	/* After a read, too: the zero page gives way. */
	assert_int_equal(get(&m, 2), 0);
	assert_int_equal(put(&m, 2, 9), MM_FAULT_DONE);
	assert_int_equal(get(&m, 2), 9);
	assert_int_equal(mm_rss(m.s.mm), 2);
	memory_close(&m);
}

static void rights_are_x86s(void **state)
{
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 1, PROT_WRITE, ANON), 0);
	assert_int_equal(space_map(&m.s, 1, 1, PROT_EXEC, ANON), 0);
	assert_int_equal(space_map(&m.s, 2, 1, PROT_NONE, ANON), 0);
	assert_int_equal(space_map(&m.s, 3, 1, PROT_READ, ANON), 0);
	assert_int_equal(get(&m, 0), 0);
	assert_int_equal(get(&m, 1), 0);
	assert_int_equal(get(&m, 2), NO_BYTE(ACCERR));
	assert_int_equal(put(&m, 2, 1), MM_FAULT_ACCERR);
	assert_int_equal(put(&m, 3, 1), MM_FAULT_ACCERR);
	assert_int_equal(put(&m, 4, 1), MM_FAULT_MAPERR);
	assert_int_equal(get(&m, 4), NO_BYTE(MAPERR));
	assert_int_equal(mm_handle_fault(m.s.mm, at(1), MM_ACCESS_EXEC), MM_FAULT_DONE);
	/* The page is there all the same. */
	assert_int_equal(mm_handle_fault(m.s.mm, at(3), MM_ACCESS_EXEC), MM_FAULT_ACCERR);
	assert_int_not_equal(mm_frame(m.s.mm, 3), 0);
	assert_int_equal(mm_handle_fault(m.s.mm, ~0ul, MM_ACCESS_READ), MM_FAULT_MAPERR);
	memory_close(&m);
}

static void a_stack_grows_under_a_fault(void **state)
{
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 2000, 1, RW, ANON | MAP_GROWSDOWN), 0);
	assert_int_equal(put(&m, 1990, 5), MM_FAULT_DONE);
	assert_int_equal(get(&m, 1990), 5);
	assert_int_equal(get(&m, 1995), 0);
	assert_int_equal(get(&m, 1989), 0);
	assert_int_equal(mm_rss(m.s.mm), 1);
	memory_close(&m);
}

static void copies_stop_at_the_first_bad_byte(void **state)
{
	unsigned char buf[3 * 4096];
	enum mm_fault fault;
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 2, RW, ANON), 0);
	memset(buf, 0x5a, sizeof(buf));
	assert_int_equal(mm_write(m.s.mm, at(0) + 100, buf, sizeof(buf), &fault), 8192 - 100);
	assert_int_equal(fault, MM_FAULT_MAPERR);
	assert_int_equal(mm_read(m.s.mm, at(1) + 4001, buf, 200, &fault), 95);
	assert_int_equal(fault, MM_FAULT_MAPERR);
	assert_int_equal(buf[94], 0x5a);
	assert_int_equal(mm_read(m.s.mm, at(7), buf, 0, &fault), 0);
	assert_int_equal(fault, MM_FAULT_DONE);
	assert_int_equal(mm_read(m.s.mm, ~0ul - 10, buf, 200, &fault), 0);
	assert_int_equal(fault, MM_FAULT_MAPERR);
	memory_close(&m);
}

static void a_debugger_writes_where_the_program_may_not(void **state)
{
	enum mm_fault fault;
	struct memory m;
	char c = 'x';

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 1, PROT_READ, ANON), 0);
	assert_int_equal(space_map(&m.s, 1, 1, PROT_NONE, ANON), 0);
	assert_int_equal(get(&m, 0), 0);
	assert_int_equal(mm_access(m.s.mm, byte_at(0), &c, 1, MM_REMOTE_WRITE, &fault), 0);
	assert_int_equal(fault, MM_FAULT_ACCERR);
	assert_int_equal(mm_access(m.s.mm, byte_at(0), &c, 1, MM_REMOTE_WRITE | MM_REMOTE_FORCED,
				   &fault), 1);
	assert_int_equal(get(&m, 0), 'x');
	assert_int_equal(put(&m, 0, 1), MM_FAULT_ACCERR);
	assert_int_equal(mm_access(m.s.mm, byte_at(1), &c, 1, 0, &fault), 0);
	assert_int_equal(mm_access(m.s.mm, byte_at(1), &c, 1, MM_REMOTE_WRITE | MM_REMOTE_FORCED,
				   &fault), 1);
	c = 0;
	assert_int_equal(mm_access(m.s.mm, byte_at(1), &c, 1, MM_REMOTE_FORCED, &fault), 1);
	assert_int_equal(c, 'x');
	assert_int_equal(get(&m, 1), NO_BYTE(ACCERR));
	memory_close(&m);
}

static void a_translation_is_the_memory(void **state)
{
	struct mm_translation t;
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 1, RW, ANON), 0);
	assert_int_equal(mm_translate(m.s.mm, byte_at(0), MM_ACCESS_WRITE, &t), MM_FAULT_DONE);
	assert_int_equal(t.frame, mm_frame(m.s.mm, 0));
	assert_int_equal(t.prot, PROT_READ | PROT_WRITE);
	*(char *)t.bytes = 42;
	assert_int_equal(get(&m, 0), 42);
	/* It outlives the page's place. */
	assert_int_equal(space_unmap(&m.s, 0, 1), 0);
	assert_int_equal(*(char *)t.bytes, 42);
	mm_translation_put(&t);
	assert_int_equal(mm_translate(m.s.mm, byte_at(0), MM_ACCESS_READ, &t), MM_FAULT_MAPERR);
	memory_close(&m);
}

static void unmapping_gives_back_frames_and_tables(void **state)
{
	struct mm_stats stats;
	unsigned long tables;
	struct memory m;

	memory_open(&m);
	mm_get_stats(m.s.mm, &stats);
	tables = stats.table_pages;
	assert_int_equal(space_map(&m.s, 0, 4096, RW, ANON), 0);
	for (unsigned long i = 0; i < 4096; i += 7)
		assert_int_equal(put(&m, i, (unsigned char)i), MM_FAULT_DONE);
	mm_get_stats(m.s.mm, &stats);
	assert_int_equal(stats.anon_pages, 4096 / 7 + 1);
	assert_true(stats.table_pages >= tables + 8);
	assert_int_equal(space_unmap(&m.s, 600, 2000), 0);
	for (unsigned long i = 0; i < 4096; i += 7)
		assert_int_equal(get(&m, i), i >= 600 && i < 2600 ? NO_BYTE(MAPERR)
								  : (unsigned char)i);
	/* MAP_FIXED replaces, and begins anew. */
	assert_int_equal(space_map(&m.s, 0, 300, RW, ANON), 0);
	assert_int_equal(get(&m, 7), 0);
	assert_int_equal(space_unmap(&m.s, 0, 4096), 0);
	mm_get_stats(m.s.mm, &stats);
	assert_int_equal(stats.anon_pages, 0);
	assert_int_equal(stats.table_pages, tables);
	memory_close(&m);
}

static void exec_begins_anew(void **state)
{
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 8, RW, ANON), 0);
	assert_int_equal(put(&m, 3, 3), MM_FAULT_DONE);
	m.s.mm_config.levels = m.s.mm_config.levels == 5 ? 4 : 5;
	assert_int_equal(mm_exec(m.s.mm, &m.s.mm_config), -EINVAL);
	assert_int_equal(get(&m, 3), 3);
	m.s.mm_config.levels = 0;
	assert_int_equal(mm_exec(m.s.mm, &m.s.mm_config), 0);
	assert_int_equal(mm_rss(m.s.mm), 0);
	assert_int_equal(get(&m, 3), NO_BYTE(MAPERR));
	memory_close(&m);
}

static void levels_are_chosen_by_mm(void **state)
{
	struct mm_config config = MM_CONFIG_INIT;
	struct mm_user *mm;
	struct memory m;

	memory_open(&m);
	config.levels = 2;
	assert_int_equal(mm_create(m.s.v, &config, &mm), -EINVAL);
	config.levels = 3;
	assert_int_equal(mm_create(m.s.v, &config, &mm), -EINVAL);
	config.levels = 5;
	config.task_size = 1ul << 56;
	assert_int_equal(mm_create(m.s.v, &config, &mm), 0);
	assert_int_equal(mm_mmap(mm, 1ul << 55, 4096, RW, ANON | MAP_FIXED, NULL, 0), 1l << 55);
	assert_int_equal(mm_handle_fault(mm, 1ul << 55, MM_ACCESS_WRITE), MM_FAULT_DONE);
	mmput(mm);
	memory_close(&m);
}

static void formats_are_chosen_by_mm(void **state)
{
	struct mm_config config = MM_CONFIG_INIT;
	struct mm_page_table table;
	struct mm_user *mm, *child;
	struct memory m;

	memory_open(&m);
	config.table_format = (enum mm_table_format)2;
	assert_int_equal(mm_create(m.s.v, &config, &mm), -EINVAL);
	config.table_format = MM_TABLE_RISCV;
	config.levels = 3;
	assert_int_equal(mm_create(m.s.v, &config, &mm), -EINVAL);
	config.task_size = config.mmap_base = config.mmap_legacy_base = 1ul << 38;
	assert_int_equal(mm_create(m.s.v, &config, &mm), 0);
	assert_int_equal(mm_mmap(mm, 1ul << 37, 4096, RW, ANON | MAP_FIXED, NULL, 0), 1l << 37);
	assert_int_equal(mm_handle_fault(mm, 1ul << 37, MM_ACCESS_WRITE), MM_FAULT_DONE);
	assert_int_equal(mm_fork(mm, &child), 0);
	assert_true(mm_get_page_table(child, &table));
	assert_int_equal(table.format, MM_TABLE_RISCV);
	assert_int_equal(table.levels, 3);
	memory_validate(child);
	mmput(child);
	/* An exec may name what it has, or nothing. */
	assert_int_equal(mm_exec(mm, &config), 0);
	config.table_format = MM_TABLE_X86_64;
	config.levels = 0;
	assert_int_equal(mm_exec(mm, &config), 0);
	assert_true(mm_get_page_table(mm, &table));
	assert_int_equal(table.format, MM_TABLE_RISCV);
	mmput(mm);
	config.task_size = 1ul << 46;
	config.table_format = MM_TABLE_X86_64;
	assert_int_equal(mm_create(m.s.v, &config, &mm), 0);
	config.table_format = MM_TABLE_RISCV;
	assert_int_equal(mm_exec(mm, &config), -EINVAL);
	mmput(mm);
	memory_close(&m);
}

static void without_frames_nothing_can_be_read(void **state)
{
	enum mm_fault fault;
	struct space s;
	char c;

	space_open(&s);
	assert_int_equal(space_map(&s, 0, 1, RW, ANON), 0);
	assert_int_equal(mm_handle_fault(s.mm, at(0), MM_ACCESS_WRITE), MM_FAULT_DONE);
	assert_int_equal(mm_read(s.mm, at(0), &c, 1, &fault), 0);
	assert_int_equal(fault, MM_FAULT_BUS);
	space_close(&s);
}

static void no_frame_is_an_outcome(void **state)
{
	unsigned long i;
	struct memory m;

	memory_open_with(&m, 1ul << 20);
	assert_int_equal(space_map(&m.s, 0, 512, RW, ANON), 0);
	for (i = 0; i < 512 && put(&m, i, 1) == MM_FAULT_DONE; i++)
		;
	assert_in_range(i, 100, 256);
	assert_int_equal(put(&m, i, 1), MM_FAULT_OOM);
	/* What needs no frame goes on; and a frame that comes back is used again. */
	assert_int_equal(get(&m, i), 0);
	assert_int_equal(space_unmap(&m.s, 0, 1), 0);
	assert_int_equal(put(&m, i, 1), MM_FAULT_DONE);
	memory_close(&m);
}

/* process_vm_writev() looks at what is there; a debugger's write is as the program's own. */
static void a_stack_grows_for_debuggers_only(void **state)
{
	enum mm_fault fault;
	struct memory m;
	char c = 7;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 20, 1, RW, ANON | MAP_GROWSDOWN), 0);
	assert_int_equal(mm_access(m.s.mm, byte_at(18), &c, 1, MM_REMOTE_WRITE, &fault), 0);
	assert_int_equal(fault, MM_FAULT_MAPERR);
	assert_int_equal(mm_access(m.s.mm, byte_at(18), &c, 1, 0, &fault), 0);
	assert_areas(&m.s, "[20..21)rw-p");
	assert_int_equal(mm_access(m.s.mm, byte_at(18), &c, 1, MM_REMOTE_WRITE | MM_REMOTE_FORCED,
				   &fault), 1);
	assert_areas(&m.s, "[18..21)rw-p");
	assert_int_equal(get(&m, 18), 7);
	memory_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reading_maps_the_zero_page),
		cmocka_unit_test(writing_gets_a_frame),
		cmocka_unit_test(rights_are_x86s),
		cmocka_unit_test(a_stack_grows_under_a_fault),
		cmocka_unit_test(copies_stop_at_the_first_bad_byte),
		cmocka_unit_test(a_debugger_writes_where_the_program_may_not),
		cmocka_unit_test(a_translation_is_the_memory),
		cmocka_unit_test(unmapping_gives_back_frames_and_tables),
		cmocka_unit_test(exec_begins_anew),
		cmocka_unit_test(levels_are_chosen_by_mm),
		cmocka_unit_test(formats_are_chosen_by_mm),
		cmocka_unit_test(without_frames_nothing_can_be_read),
		cmocka_unit_test(no_frame_is_an_outcome),
		cmocka_unit_test(a_stack_grows_for_debuggers_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
