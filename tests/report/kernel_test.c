/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Prints the kernel's own text again: the areas of this process are read from /proc/self/smaps, put
 * into an mm one by one, and reported.  Every byte has to be the kernel's, but for the lines of
 * smaps that are about pages.
 *
 * The process first maps a bit of everything.  [vsyscall] is no area of the process: left out.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../mm/space.h"

#define TEXT_BYTES	(1u << 20)

static char kernel_text[TEXT_BYTES];	/* all of smaps */
static char maps[TEXT_BYTES], smaps[TEXT_BYTES];	/* what of it is to be printed */
static char ours[TEXT_BYTES];
static size_t ours_len;

static int write_ours(void *arg, const char *text, size_t bytes)
{
	assert_true(ours_len + bytes < TEXT_BYTES);
	memcpy(ours + ours_len, text, bytes);
	ours_len += bytes;
	ours[ours_len] = 0;
	return 0;
}

static void map_some(void)
{
	char dir[] = "/tmp/vmarea we ird\nXXXXXX";
	long page = sysconf(_SC_PAGESIZE);
	int fd = mkstemp(dir), zero = open("/dev/zero", O_RDWR), memfd = memfd_create("m", 0);
	char *p;

	assert_true(fd >= 0 && zero >= 0 && memfd >= 0);
	assert_int_equal(ftruncate(fd, 8 * page) | ftruncate(memfd, 8 * page), 0);
	assert_true(mmap(NULL, 4 * page, PROT_READ, MAP_SHARED, fd, 2 * page) != MAP_FAILED);
	assert_int_equal(unlink(dir), 0);
	assert_true(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 5 * page) != MAP_FAILED);
	assert_true(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, zero, 0) != MAP_FAILED);
	assert_true(mmap(NULL, page, PROT_READ, MAP_SHARED, memfd, page) != MAP_FAILED);
	assert_true(mmap(NULL, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			 -1, 0) != MAP_FAILED);
	assert_true(mmap(NULL, page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0) != MAP_FAILED);
	p = mmap(NULL, 20 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(p != MAP_FAILED);
	madvise(p, page, MADV_DONTFORK);
	madvise(p + 2 * page, page, MADV_DONTDUMP);
	madvise(p + 4 * page, page, MADV_RANDOM);
	madvise(p + 6 * page, page, MADV_SEQUENTIAL);
	madvise(p + 8 * page, page, MADV_WIPEONFORK);
	madvise(p + 10 * page, page, MADV_HUGEPAGE);
	madvise(p + 12 * page, page, MADV_NOHUGEPAGE);
	madvise(p + 14 * page, page, MADV_MERGEABLE);
	mlock(p + 16 * page, page);
	mlock2(p + 18 * page, page, 1);
	close(fd);
	close(zero);
	close(memfd);
}

/* One read() of a text that changes while it is read would tear: the buffer is there before. */
static void read_smaps(void)
{
	int fd = open("/proc/self/smaps", O_RDONLY);
	size_t len = 0;
	ssize_t n;

	assert_true(fd >= 0);
	while ((n = read(fd, kernel_text + len, TEXT_BYTES - 1 - len)) > 0)
		len += (size_t)n;
	assert_true(len > 0 && len < TEXT_BYTES - 1);
	kernel_text[len] = 0;
	close(fd);
}

static vm_flags_t parse_flags(const char *text)
{
	static const struct {
		const char *letters;
		vm_flags_t flag;
	} names[] = {
		{ "rd", VM_READ }, { "wr", VM_WRITE }, { "ex", VM_EXEC }, { "sh", VM_SHARED },
		{ "mr", VM_MAYREAD }, { "mw", VM_MAYWRITE }, { "me", VM_MAYEXEC },
		{ "ms", VM_MAYSHARE }, { "gd", VM_GROWSDOWN }, { "pf", VM_PFNMAP },
		{ "gu", VM_MAYBE_GUARD }, { "lo", VM_LOCKED }, { "io", VM_IO },
		{ "sr", VM_SEQ_READ }, { "rr", VM_RAND_READ }, { "dc", VM_DONTCOPY },
		{ "de", VM_DONTEXPAND }, { "lf", VM_LOCKONFAULT }, { "ac", VM_ACCOUNT },
		{ "nr", VM_NORESERVE }, { "ht", VM_HUGETLB }, { "sf", VM_SYNC },
		{ "ar", VM_ARCH_1 }, { "wf", VM_WIPEONFORK }, { "dd", VM_DONTDUMP },
		{ "sd", VM_SOFTDIRTY }, { "mm", VM_MIXEDMAP }, { "hg", VM_HUGEPAGE },
		{ "nh", VM_NOHUGEPAGE }, { "mg", VM_MERGEABLE }, { "dp", VM_DROPPABLE },
		{ "sl", VM_SEALED },
	};
	vm_flags_t flags = 0;

	for (; text[0] && text[1] && text[0] != '\n'; text += 3) {
		size_t i = 0;

		while (i < sizeof(names) / sizeof(names[0]) && memcmp(names[i].letters, text, 2))
			i++;
		/* A flag that the library does not have: the test would have to learn it. */
		if (i == sizeof(names) / sizeof(names[0]))
			fail_msg("unknown flag %.2s", text);
		flags |= names[i].flag;
	}
	return flags;
}

struct area {
	struct area_desc desc;
	unsigned long inode;
	unsigned int major, minor;
	char name[512];
};

static bool parse_head(const char *line, struct area *area)
{
	char perms[5];
	int at = 0;

	*area = (struct area){ 0 };
	if (sscanf(line, "%lx-%lx %4s %lx %x:%x %lu %n", &area->desc.start, &area->desc.end, perms,
		   &area->desc.pgoff, &area->major, &area->minor, &area->inode, &at) < 7 || !at)
		return false;
	area->desc.pgoff /= SPACE_PAGE;
	if (line[at] && line[at] != '\n')
		sscanf(line + at, "%511[^\n]", area->name);
	return true;
}

/* The kernel's text, unescaped: what the file is called. */
static void unescape(char *name)
{
	char *newline;

	while ((newline = strstr(name, "\\012"))) {
		*newline = '\n';
		memmove(newline + 1, newline + 4, strlen(newline + 4) + 1);
	}
}

static struct file *file_of(struct space *s, struct area *area)
{
	static const char deleted[] = " (deleted)";
	struct file_desc desc = {
		.size = sizeof(desc), .name = area->name, .inode = area->inode,
		.dev_major = area->major, .dev_minor = area->minor, .flags = FILE_READ | FILE_WRITE,
	};
	size_t len = strlen(area->name);
	struct file *file;

	if (len > strlen(deleted) && !strcmp(area->name + len - strlen(deleted), deleted)) {
		area->name[len - strlen(deleted)] = 0;
		desc.flags |= FILE_DELETED;
	}
	unescape(area->name);
	assert_int_equal(file_create(s->v, &desc, &file), 0);
	return file;
}

static const char *special_of(const char *name)
{
	static const char *const names[] = { "[vdso]", "[vvar]", "[vvar_vclock]" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i], name))
			return names[i];
	return NULL;
}

static void add_area(struct space *s, struct area *area)
{
	if (area->name[0] == '/')
		area->desc.file = file_of(s, area);
	area->desc.special = special_of(area->name);
	assert_int_equal(mm_add_area(s->mm, &area->desc), 0);
	if (area->desc.file)
		file_put(area->desc.file);
}

/* Which lines are kept, and where heap and stack are: before the mm is made. */
static void prepare(struct space *s)
{
	bool keep = false;

	for (char *line = kernel_text; *line; line = strchr(line, '\n') + 1) {
		size_t len = (size_t)(strchr(line, '\n') - line) + 1;
		struct area area;

		if (parse_head(line, &area)) {
			keep = strcmp(area.name, "[vsyscall]");
			if (keep)
				strncat(maps, line, len);
			if (!strcmp(area.name, "[heap]")) {
				s->mm_config.start_brk = area.desc.start;
				s->mm_config.brk = area.desc.end;
			}
			if (!strcmp(area.name, "[stack]"))
				s->mm_config.start_stack = area.desc.end - 8;
		} else if (strncmp(line, "Size:", 5) && strncmp(line, "KernelPageSize:", 15) &&
			   strncmp(line, "MMUPageSize:", 12) && strncmp(line, "VmFlags:", 8)) {
			continue;
		}
		if (keep)
			strncat(smaps, line, len);
	}
}

/* An area's flags are the last of its lines. */
static void fill(struct space *s)
{
	struct area area = { 0 };

	for (char *line = kernel_text; *line; line = strchr(line, '\n') + 1) {
		struct area next;

		if (parse_head(line, &next))
			area = next;
		if (strncmp(line, "VmFlags: ", 9) || !strcmp(area.name, "[vsyscall]"))
			continue;
		area.desc.flags = parse_flags(line + 9);
		add_area(s, &area);
	}
}

static void same_text(void **state)
{
	struct space s;

	map_some();
	read_smaps();
	space_init(&s);
	prepare(&s);
	space_create(&s);
	fill(&s);
	assert_true(strlen(maps) > 1000 && strlen(smaps) > strlen(maps));
	ours_len = 0;
	assert_int_equal(mm_report_maps(s.mm, write_ours, NULL), 0);
	assert_string_equal(ours, maps);
	ours_len = 0;
	assert_int_equal(mm_report_smaps(s.mm, write_ours, NULL), 0);
	assert_string_equal(ours, smaps);
	space_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(same_text) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
