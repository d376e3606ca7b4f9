/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Prints smaps, a line of ----, and the same mm as JSON: for json_test.py.  With "areas" no pages; with
 * "usage" who uses what instead, as text and JSON.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vmarea/usage.h>
#include <vmarea/vmarea.h>

#define PAGE	4096ul
#define BASE	0x200000000000ul
#define RW	(PROT_READ | PROT_WRITE)

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s failed\n", what);
	exit(1);
}

static int print(void *arg, const char *text, size_t bytes)
{
	(void)arg;
	return fwrite(text, 1, bytes, stdout) == bytes ? 0 : -1;
}

static void map_file(struct vmarea *v, struct mm_user *mm, const char *name, unsigned long page)
{
	struct file_desc desc = {
		.size = sizeof(desc), .name = name, .inode = 1ul << 40, .dev_major = 0xfe,
		.flags = FILE_READ | FILE_WRITE | (page & 1 ? FILE_DELETED : 0),
		.size_bytes = 8 * PAGE,
	};
	struct file *file;

	need(!file_create(v, &desc, &file), "file_create");
	need(mm_mmap(mm, BASE + page * PAGE, PAGE, RW, MAP_PRIVATE | MAP_FIXED, file, PAGE) ==
	     (long)(BASE + page * PAGE), "mmap of a file");
	file_put(file);
}

static void fill(struct vmarea *v, struct mm_user *mm)
{
	static const char *const names[] = {
		"/plain", "/q\"uo\\te", "/con\ttrol\n\x01", "/ünïcödé \xf0\x9f\x98\x80", "/not \xff\xfe utf8",
		"/cut \xe2\x82", "/long form \xc0\xaf", "/surrogate \xed\xa0\x80", "/far \xf4\x90\x80\x80",
	};

	for (unsigned long i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		map_file(v, mm, names[i], 16 + 2 * i + (i & 1));
	need(mm_mmap(mm, BASE, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0) ==
	     (long)BASE, "mmap");
	need(!mm_mlock2(mm, BASE + 2 * PAGE, PAGE, 1), "mlock2");
}

static void print_mm(struct mm_user *mm)
{
	need(!mm_report_smaps(mm, print, NULL), "smaps");
	puts("----");
	need(!mm_report_json(mm, print, NULL), "json");
}

/* More mms than are sorted at a time. */
static void print_usage(struct vmarea *v, struct mm_user *mm)
{
	struct mm_user *children[40];

	for (unsigned long i = 0; i < 40; i++) {
		need(!mm_fork(mm, &children[i]), "fork");
		need(!mm_munmap(children[i], BASE + i % 3 * PAGE, PAGE), "munmap");
	}
	need(!vmarea_report_usage(v, print, NULL), "usage");
	puts("----");
	need(!vmarea_report_usage_json(v, print, NULL), "usage as json");
	for (unsigned long i = 0; i < 40; i++)
		mmput(children[i]);
}

int main(int argc, char **argv)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;
	struct mm_config mm_config = MM_CONFIG_INIT;
	struct mm_user *mm, *child;
	struct vmarea *v;

	if (argc < 2 || strcmp(argv[1], "areas"))
		config.arena_bytes = 64ul << 20;
	need(!vmarea_create(&config, &v), "vmarea_create");
	need(!mm_create(v, &mm_config, &mm), "mm_create");
	fill(v, mm);
	for (unsigned long page = 0; page < 3; page++)
		need(mm_handle_fault(mm, BASE + page * PAGE, MM_ACCESS_WRITE) == MM_FAULT_DONE,
		     "fault");
	need(mm_handle_fault(mm, BASE + 16 * PAGE, MM_ACCESS_READ) == MM_FAULT_DONE, "fault");
	need(!mm_fork(mm, &child), "fork");
	need(mm_handle_fault(mm, BASE, MM_ACCESS_WRITE) == MM_FAULT_DONE, "fault");
	if (argc > 1 && !strcmp(argv[1], "usage"))
		print_usage(v, mm);
	else
		print_mm(mm);
	mmput(child);
	mmput(mm);
	vmarea_destroy(v);
	return 0;
}
