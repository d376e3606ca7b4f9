/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What no call shows: which areas have been written to, and how far stacks have grown.
 *
 * An area is touched when it has a page of its own: present or swapped, neither the file's nor the
 * shared zero page.  PAGEMAP_SCAN finds the first such page of a range; where the kernel lacks it
 * (before 6.7), pagemap is read.  Areas are looked up one at a time by PROCMAP_QUERY, or in
 * /proc/PID/maps where the kernel lacks that (before 6.11).
 *
 * Only areas that a call changes or lies beside are looked at before it, and their neighbours: what
 * a write fault decides (which anon_vma an area gets) hangs on the areas beside it alone, so it is
 * enough to know of it before any of those change.  A fork, which hangs on all, looks at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli.h"
#include "record.h"

/* From the kernel's documentation; the headers of Debian 12 are older. */
struct procmap_query {
	uint64_t size, query_flags, query_addr;
	uint64_t vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
	uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
	uint64_t vma_name_addr, build_id_addr;
};
#define PROCMAP_QUERY_IOCTL	_IOWR('f', 17, struct procmap_query)
#define PROCMAP_OR_NEXT		0x10

struct scan_region {
	uint64_t start, end, categories;
};
struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define PAGEMAP_SCAN_IOCTL	_IOWR('f', 16, struct scan_arg)
#define SCAN_FILE		(1u << 2)
#define SCAN_PRESENT		(1u << 3)
#define SCAN_SWAPPED		(1u << 4)
#define SCAN_ZERO		(1u << 5)
#define SCAN_HUGE		(1u << 6)
#define SCAN_GUARD		(1u << 8)	/* since 6.15: MADV_GUARD_INSTALL, no page */

#define HUGE_PAGE		(2ul << 20)

/* ---------------------------------------------------------------------------------- looking -- */

void sample_open(struct mm *mm, pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/maps", tid);
	mm->maps_fd = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/pagemap", tid);
	mm->pagemap_fd = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/mem", tid);
	mm->mem_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (mm->maps_fd < 0 || mm->pagemap_fd < 0 || mm->mem_fd < 0) {
		cli_error("record", "/proc/%d: %s", tid, strerror(errno));
		exit(3);
	}
}

/* One line of /proc/PID/maps. */
bool sample_parse_line(const char *line, struct seen_area *a)
{
	char perms[8] = "";
	unsigned long inode;
	int at = 0;

	if (sscanf(line, "%lx-%lx %7s %lx %x:%x %lu %n", &a->start, &a->end, perms, &a->offset,
		   &a->dev_major, &a->dev_minor, &inode, &at) < 7)
		return false;
	a->inode = inode;
	a->readable = perms[0] == 'r';
	a->writable = perms[1] == 'w';
	a->executable = perms[2] == 'x';
	a->shared = perms[3] == 's';
	snprintf(a->name, sizeof(a->name), "%s", line + at);
	a->name[strcspn(a->name, "\n")] = '\0';
	return true;
}

/* The slow way: read the map from its start. */
static bool area_from_text(const struct mm *mm, unsigned long addr, bool or_next,
			   struct seen_area *a)
{
	int fd = dup(mm->maps_fd);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	char line[4400];
	bool found = false;

	if (!f)
		return false;
	rewind(f);
	while (!found && fgets(line, sizeof(line), f))
		found = sample_parse_line(line, a) && a->end > addr;
	fclose(f);
	return found && (or_next || a->start <= addr) && strcmp(a->name, "[vsyscall]");
}

bool sample_area(const struct mm *mm, unsigned long addr, bool or_next, struct seen_area *a)
{
	struct procmap_query q = {
		.size = sizeof(q), .query_flags = or_next ? PROCMAP_OR_NEXT : 0, .query_addr = addr,
		.vma_name_size = sizeof(a->name), .vma_name_addr = (uintptr_t)a->name,
	};

	a->name[0] = '\0';
	if (ioctl(mm->maps_fd, PROCMAP_QUERY_IOCTL, &q)) {
		if (errno == ENOTTY)
			return area_from_text(mm, addr, or_next, a);
		return false;
	}
	a->start = q.vma_start;
	a->end = q.vma_end;
	a->offset = q.vma_offset;
	a->inode = q.inode;
	a->dev_major = q.dev_major;
	a->dev_minor = q.dev_minor;
	a->readable = q.vma_flags & 1;
	a->writable = q.vma_flags & 2;
	a->executable = q.vma_flags & 4;
	a->shared = q.vma_flags & 8;
	a->huge_pages = q.vma_page_size > PAGE;
	if (!q.vma_name_size)
		a->name[0] = '\0';
	return true;
}

/* The first page of [start, end) whose entry in pagemap is a page of the area's own, or @end. */
static unsigned long own_page_by_reading(const struct mm *mm, unsigned long start,
					 unsigned long end)
{
	uint64_t entries[512];

	for (unsigned long addr = start; addr < end;) {
		size_t want = (end - addr) / PAGE < 512 ? (end - addr) / PAGE : 512;
		ssize_t got = pread(mm->pagemap_fd, entries, want * 8, (off_t)(addr / PAGE * 8));

		if (got < 8)
			break;
		for (ssize_t i = 0; i < got / 8; i++, addr += PAGE) {
			bool there = entries[i] >> 62 & 3, of_file = entries[i] >> 61 & 1;

			/* The shared zero page counts as one here: its number is not told. */
			if (there && !of_file)
				return addr;
		}
	}
	return end;
}

static long scan(const struct mm *mm, struct scan_arg *arg, struct scan_region *found)
{
	arg->size = sizeof(*arg);
	arg->vec = (uintptr_t)found;
	arg->vec_len = 1;
	arg->max_pages = 1;
	arg->return_mask = SCAN_PRESENT;
	return ioctl(mm->pagemap_fd, PAGEMAP_SCAN_IOCTL, arg);
}

/* The first page of [start, end) that shows that the area has been written to, or @end. */
static unsigned long own_page(const struct mm *mm, unsigned long start, unsigned long end)
{
	struct scan_arg arg = {
		.start = start, .end = end, .category_inverted = SCAN_FILE | SCAN_ZERO | SCAN_GUARD,
		.category_mask = SCAN_FILE | SCAN_ZERO | SCAN_GUARD,
		.category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED,
	};
	struct scan_region found;
	long n = scan(mm, &arg, &found);

	if (n < 0 && errno == EINVAL) {		/* a kernel that knows no guards */
		arg.category_inverted = arg.category_mask = SCAN_FILE | SCAN_ZERO;
		n = scan(mm, &arg, &found);
	}
	if (n < 0 && errno == ENOTTY)
		return own_page_by_reading(mm, start, end);
	if (n > 0)
		return found.start;
	if (end - start < HUGE_PAGE)
		return end;
	/* A huge zero page is only mapped after the area was made ready for writing. */
	arg = (struct scan_arg){
		.start = start, .end = end,
		.category_mask = SCAN_PRESENT | SCAN_ZERO | SCAN_HUGE,
	};
	return scan(mm, &arg, &found) > 0 ? found.start : end;
}

static bool pages_by_reading(const struct mm *mm, unsigned long start, unsigned long end,
			     struct found_pages *found)
{
	uint64_t entries[512];

	found->start = found->end = 0;
	for (unsigned long addr = start; addr < end;) {
		size_t want = (end - addr) / PAGE < 512 ? (end - addr) / PAGE : 512;
		ssize_t got = pread(mm->pagemap_fd, entries, want * 8, (off_t)(addr / PAGE * 8));

		if (got < 8)
			break;
		for (ssize_t i = 0; i < got / 8; i++, addr += PAGE) {
			bool there = entries[i] >> 62 & 3;
			enum known_kind kind = entries[i] >> 61 & 1 ? KNOWN_FILE : KNOWN_OWN;

			if (found->end && (!there || kind != found->kind))
				return true;
			if (!there)
				continue;
			if (!found->end)
				found->start = addr;
			found->kind = kind;
			found->end = addr + PAGE;
		}
	}
	return found->end;
}

bool sample_pages(const struct mm *mm, unsigned long start, unsigned long end,
		  struct found_pages *found)
{
	struct scan_region region;
	struct scan_arg arg = {
		.size = sizeof(arg), .start = start, .end = end, .vec = (uintptr_t)&region,
		.vec_len = 1, .category_inverted = SCAN_GUARD, .category_mask = SCAN_GUARD,
		.category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED,
		.return_mask = SCAN_FILE | SCAN_ZERO,
	};
	long n = ioctl(mm->pagemap_fd, PAGEMAP_SCAN_IOCTL, &arg);

	if (n < 0 && errno == EINVAL) {		/* a kernel that knows no guards */
		arg.category_inverted = arg.category_mask = 0;
		n = ioctl(mm->pagemap_fd, PAGEMAP_SCAN_IOCTL, &arg);
	}
	if (n < 0 && errno == ENOTTY)
		return pages_by_reading(mm, start, end, found);
	if (n <= 0)
		return false;
	found->start = region.start;
	found->end = region.end;
	found->kind = region.categories & SCAN_ZERO ? KNOWN_ZERO :
		      region.categories & SCAN_FILE ? KNOWN_FILE : KNOWN_OWN;
	return true;
}

/* Is this one whose pages say nothing: shared, or the kernel's own? */
static bool never_touched(const struct seen_area *a)
{
	return a->shared || !strncmp(a->name, "[v", 2);
}

/* Looks at one area, leaving out [hole_start, hole_end). */
static void look_at(struct recorder *r, struct mm *mm, const struct seen_area *a,
		    unsigned long hole_start, unsigned long hole_end)
{
	unsigned long page = a->end;

	if (never_touched(a))
		return;
	if (ranges_meet(&mm->touched, a->start, a->end)) {
		/* What has joined a touched area since is part of it, and stays so if split off. */
		ranges_add(&mm->touched, a->start, a->end);
		return;
	}
	if (hole_start >= a->end || hole_end <= a->start) {
		page = own_page(mm, a->start, a->end);
	} else {
		if (a->start < hole_start)
			page = own_page(mm, a->start, hole_start);
		if ((page == a->end || page == hole_start) && hole_end < a->end)
			page = own_page(mm, hole_end, a->end);
		if (page == hole_start)
			page = a->end;
	}
	if (page == a->end)
		return;
	/* Before the fault: it copies what replay has in the page. */
	touch_page(r, mm, page);
	text_printf(r->out, "touch m%u 0x%lx\n", mm->id, page);
	ranges_add(&mm->touched, a->start, a->end);
}

/* How many areas beyond the ones that a call meets are looked at: see the top of the file. */
#define NEIGHBOURS	2

static void look_around(struct recorder *r, struct mm *mm, unsigned long start,
			unsigned long end, unsigned long hole_start, unsigned long hole_end)
{
	struct seen_area a;
	unsigned long first = start;

	for (int i = 0; i < NEIGHBOURS && first; i++) {
		if (!sample_area(mm, first - 1, false, &a))
			break;
		first = a.start;
	}
	for (int beyond = 0; beyond <= NEIGHBOURS;) {
		if (!sample_area(mm, first, true, &a))
			break;
		if (a.start >= end && (a.start != first || beyond == NEIGHBOURS))
			break;
		if (a.end > end)
			beyond++;
		look_at(r, mm, &a, hole_start, hole_end);
		first = a.end;
	}
}

void sample_around(struct recorder *r, struct mm *mm, unsigned long start, unsigned long end)
{
	start &= ~(PAGE - 1);
	end = (end + PAGE - 1) & ~(PAGE - 1);
	if (end < start)
		end = start;
	look_around(r, mm, start, end, 0, 0);
}

void sample_neighbours(struct recorder *r, struct mm *mm, unsigned long start, unsigned long end)
{
	look_around(r, mm, start, end, start, end);
}

void sample_all(struct recorder *r, struct mm *mm)
{
	struct seen_area a;

	for (unsigned long addr = 0; sample_area(mm, addr, true, &a); addr = a.end)
		look_at(r, mm, &a, 0, 0);
}

void sample_stacks(struct recorder *r, struct mm *mm)
{
	struct seen_area a;

	for (size_t i = 0; i < mm->stacks.nr; i++) {
		struct mm_range *stack = &mm->stacks.r[i];

		if (!sample_area(mm, stack->addr, false, &a)) {
			/* Unmapped, at least its lowest page: what is left grows no more. */
			ranges_remove(&mm->stacks, stack->addr, stack->addr + stack->len);
			i--;
			continue;
		}
		if (a.start >= stack->addr)
			continue;
		text_printf(r->out, "grow m%u 0x%lx\n", mm->id, a.start);
		ranges_add(&mm->touched, a.start, a.end);
		stack->len += stack->addr - a.start;
		stack->addr = a.start;
	}
}

/* ------------------------------------------------------------------------------ whole maps -- */

static char *read_whole(const char *path)
{
	size_t used = 0, room = 64 << 10;
	char *text = cli_alloc(room);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;

	while (fd >= 0 && (n = read(fd, text + used, room - used - 1)) > 0) {
		used += (size_t)n;
		if (room - used < 8192) {
			room *= 2;
			text = cli_realloc(text, room);
		}
	}
	if (fd >= 0)
		close(fd);
	text[used] = '\0';
	if (fd < 0 || n < 0 || !used) {
		free(text);
		return NULL;
	}
	return text;
}

void sample_write_map(struct recorder *r, const struct mm *mm, pid_t tid, enum map_when when)
{
	char path[64], *text, *save = NULL;

	snprintf(path, sizeof(path), "/proc/%d/maps", tid);
	text = read_whole(path);
	if (!text)
		return;
	files_names_changed(r, mm, text);
	text_printf(r->out, "map m%u %s\n", mm->id, map_when_names[when]);
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		text_printf(r->out, " %s\n", l);
	text_printf(r->out, "end\n");
	free(text);
}
