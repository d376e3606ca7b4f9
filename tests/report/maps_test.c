/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The text of maps and smaps, line by line, and the two letters of each flag.  The lines were taken
 * from Linux 6.18.
 */
#include "../mm/space.h"

struct buffer {
	char text[8192];
	size_t len;
	int stop_after;
	int calls;
};

static int write_buffer(void *arg, const char *text, size_t bytes)
{
	struct buffer *b = arg;

	assert_true(bytes > 0 && b->len + bytes < sizeof(b->text));
	memcpy(b->text + b->len, text, bytes);
	b->len += bytes;
	b->text[b->len] = 0;
	return ++b->calls == b->stop_after ? -7 : 0;
}

#define PRIVATE_RW	(VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | VM_ACCOUNT)
#define PRIVATE_RX	(VM_READ | VM_EXEC | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC)

static void add(struct space *s, unsigned long start, unsigned long end, vm_flags_t flags,
		struct file *file, unsigned long pgoff, const char *special)
{
	const struct area_desc desc = {
		.start = start, .end = end, .flags = flags, .file = file, .pgoff = pgoff,
		.special = special,
	};

	assert_int_equal(mm_add_area(s->mm, &desc), 0);
}

static struct file *named(struct space *s, const char *name, unsigned int major,
			  unsigned int minor, uint64_t inode, unsigned int flags)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = name, .dev_major = major, .dev_minor = minor,
		.inode = inode, .flags = FILE_READ | FILE_WRITE | flags,
	};
	struct file *file;

	assert_int_equal(file_create(s->v, &desc, &file), 0);
	return file;
}

static void assert_maps(struct space *s, const char *expected)
{
	struct buffer b = { .len = 0 };

	assert_int_equal(mm_report_maps(s->mm, write_buffer, &b), 0);
	assert_string_equal(b.text, expected);
}

static void empty(void **state)
{
	struct buffer b = { .len = 0 };
	struct space s;

	space_open(&s);
	assert_int_equal(mm_report_maps(s.mm, write_buffer, &b), 0);
	assert_int_equal(b.calls, 0);
	space_close(&s);
}

static void lines(void **state)
{
	struct file *cat, *deleted, *zero;
	struct space s;

	space_init(&s);
	s.mm_config.start_brk = 0x5581dd700000;
	s.mm_config.brk = 0x5581dd721000;
	s.mm_config.start_stack = 0x7fff8d6c3010;
	space_create(&s);
	cat = named(&s, "/usr/bin/cat", 0xfe, 0, 247134, 0);
	deleted = named(&s, "/tmp/we ird\nname", 8, 0x11, 42, FILE_DELETED);
	zero = named(&s, "/dev/zero", 0, 6, 5, 0);
	add(&s, 0x1000, 0x2000, PRIVATE_RW, NULL, 0, NULL);
	add(&s, 0x55dfaa520000, 0x55dfaa522000, PRIVATE_RX, cat, 0, NULL);
	add(&s, 0x55dfaa522000, 0x55dfaa527000, PRIVATE_RX, cat, 2, NULL);
	add(&s, 0x5581dd700000, 0x5581dd721000, PRIVATE_RW, NULL, 0x5581dd700, NULL);
	add(&s, 0x7f0000000000, 0x7f0000001000,
	    VM_READ | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | VM_MAYSHARE | VM_SHARED, deleted, 5,
	    NULL);
	/* Private /dev/zero is anonymous memory, and shows its file all the same. */
	add(&s, 0x7f0000002000, 0x7f0000003000, PRIVATE_RW, zero, 5, NULL);
	/* Mapped shared from a file that is open for reading: 's' by VM_MAYSHARE. */
	add(&s, 0x7f0000004000, 0x7f0000005000, VM_READ | VM_MAYREAD | VM_MAYEXEC | VM_MAYSHARE,
	    cat, 0x100000, NULL);
	add(&s, 0x7f0000006000, 0x7f0000007000, VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC, NULL, 0,
	    NULL);
	add(&s, 0x7fff8d6a3000, 0x7fff8d6c4000, PRIVATE_RW | VM_GROWSDOWN, NULL, 0x7ffffffde,
	    NULL);
	add(&s, 0x7fff8d7d0000, 0x7fff8d7d2000, PRIVATE_RX, NULL, 0, "[vdso]");
	file_put(cat);
	file_put(deleted);
	file_put(zero);
	assert_maps(&s,
"00001000-00002000 rw-p 00000000 00:00 0 \n"
"5581dd700000-5581dd721000 rw-p 00000000 00:00 0                          [heap]\n"
"55dfaa520000-55dfaa522000 r-xp 00000000 fe:00 247134                     /usr/bin/cat\n"
"55dfaa522000-55dfaa527000 r-xp 00002000 fe:00 247134                     /usr/bin/cat\n"
"7f0000000000-7f0000001000 r--s 00005000 08:11 42                         /tmp/we ird\\012name (deleted)\n"
"7f0000002000-7f0000003000 rw-p 00005000 00:06 5                          /dev/zero\n"
"7f0000004000-7f0000005000 r--s 100000000 fe:00 247134                    /usr/bin/cat\n"
"7f0000006000-7f0000007000 ---p 00000000 00:00 0 \n"
"7fff8d6a3000-7fff8d6c4000 rw-p 00000000 00:00 0                          [stack]\n"
"7fff8d7d0000-7fff8d7d2000 r-xp 00000000 00:00 0                          [vdso]\n");
	space_close(&s);
}

/* A name begins at column 73, or one blank after what is longer. */
static void long_prefix_and_name(void **state)
{
	char name[3000], expected[3100];
	struct file *file;
	struct space s;

	space_init(&s);
	s.mm_config.task_size = 1ul << 56;
	space_create(&s);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	file = named(&s, name, 0xfffff, 0xfffff, 18446744073709551615ul, 0);
	add(&s, 0xfffffff0000000, 0xfffffff0001000, PRIVATE_RX, file, 0x123456789abcd, NULL);
	file_put(file);
	snprintf(expected, sizeof(expected),
		 "fffffff0000000-fffffff0001000 r-xp 123456789abcd000 fffff:fffff "
		 "18446744073709551615 %s\n", name);
	assert_maps(&s, expected);
	space_close(&s);
}

static void given_names(void **state)
{
	struct space s;

	space_open(&s);
	assert_int_equal(space_map(&s, 0, 1, RW, ANON), 0);
	assert_int_equal(space_map(&s, 2, 1, RW, MAP_SHARED | MAP_ANONYMOUS), 0);
	assert_int_equal(mm_set_anon_name(s.mm, at(0), SPACE_PAGE, "glibc: malloc"), 0);
	assert_int_equal(mm_set_anon_name(s.mm, at(2), SPACE_PAGE, "pool 7"), 0);
	assert_maps(&s,
"200000000000-200000001000 rw-p 00000000 00:00 0                          [anon:glibc: malloc]\n"
"200000002000-200000003000 rw-s 00000000 00:01 1                          [anon_shmem:pool 7]\n");
	space_close(&s);
}

static void smaps_lines(void **state)
{
	struct buffer b = { .len = 0 };
	struct space s;

	space_init(&s);
	s.config.nr_huge_2m_pages = 1;
	space_create(&s);
	assert_int_equal(space_map(&s, 0, 512, RW, ANON | MAP_HUGETLB), 0);
	add(&s, 0x1000, 0x5000, PRIVATE_RW | VM_DONTDUMP | VM_SEALED, NULL, 0, NULL);
	assert_int_equal(mm_report_smaps(s.mm, write_buffer, &b), 0);
	assert_string_equal(b.text,
"00001000-00005000 rw-p 00000000 00:00 0 \n"
"Size:                 16 kB\n"
"KernelPageSize:        4 kB\n"
"MMUPageSize:           4 kB\n"
"VmFlags: rd wr mr mw me ac dd sl \n"
"200000000000-200000200000 rw-p 00000000 00:01 1                          /anon_hugepage (deleted)\n"
"Size:               2048 kB\n"
"KernelPageSize:     2048 kB\n"
"MMUPageSize:        2048 kB\n"
"VmFlags: rd wr mr mw me de ht \n");
	space_close(&s);
}

static void writer_can_stop(void **state)
{
	struct buffer b = { .stop_after = 2 };
	struct space s;

	space_open(&s);
	for (unsigned long i = 0; i < 100; i++)
		assert_int_equal(space_map(&s, 2 * i, 1, RW, ANON), 0);
	assert_int_equal(mm_report_maps(s.mm, write_buffer, &b), -7);
	assert_int_equal(b.calls, 2);
	space_close(&s);
}

static void flags(void **state)
{
	static const struct {
		vm_flags_t flags;
		const char *text;
	} rows[] = {
		{ VM_NONE, "" },
		{ VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC, "mr mw me " },
		{ PRIVATE_RW, "rd wr mr mw me ac " },
		{ PRIVATE_RW | VM_MAYBE_GUARD, "rd wr mr mw me gu ac " },
		{ PRIVATE_RW | VM_GROWSDOWN, "rd wr mr mw me gd ac " },
		{ PRIVATE_RW | VM_NOHUGEPAGE, "rd wr mr mw me ac nh " },
		{ PRIVATE_RW | VM_DONTDUMP | VM_SEALED, "rd wr mr mw me ac dd sl " },
		{ (PRIVATE_RW & ~VM_ACCOUNT) | VM_NORESERVE | VM_WIPEONFORK | VM_DONTDUMP |
		  VM_DROPPABLE, "rd wr mr mw me nr wf dd dp " },
		{ VM_READ | VM_WRITE | VM_SHARED | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC |
		  VM_MAYSHARE, "rd wr sh mr mw me ms " },
		{ VM_READ | VM_MAYREAD | VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP,
		  "rd mr pf io de dd " },
		{ ~0ul, "rd wr ex sh mr mw me ms gd um pf gu uw lo io sr rr dc de lf ac nr ht sf "
			"ar wf dd sd mm hg nh mg dp ui sl " },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char buf[128];

		memset(buf, 'x', sizeof(buf));
		assert_int_equal(vm_flags_format(rows[i].flags, buf), strlen(rows[i].text));
		assert_string_equal(buf, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty),
		cmocka_unit_test(lines),
		cmocka_unit_test(long_prefix_and_name),
		cmocka_unit_test(given_names),
		cmocka_unit_test(smaps_lines),
		cmocka_unit_test(writer_can_stop),
		cmocka_unit_test(flags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
