/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* mm_query(): its pin against unmapping and reuse of the VMA, names and files under RCU. */
#include <string.h>

#include "explore.h"

static struct file *low_file, *high_file;

static void setup_file(void)
{
	stage_make();
	low_file = stage_file(NULL);
	stage_map_file(mm, 0, 2, low_file);
}

static void asker(void)
{
	struct area_info info;
	int err = mm_query(mm, AT(1), &info);

	VT_CHECK(!err || err == -ENOENT);
	if (err)
		return;
	VT_CHECK(info.start == AT(0) && info.end == AT(2) && info.file == low_file &&
		 !info.pgoff);
	area_info_put(&info);
}

static void unmapper(void)
{
	done(mm_munmap(mm, AT(0), 2 * PAGE));
}

const struct vt_scenario query_munmap = {
	.name = "query-munmap", .about = "the file that a question gives is one that lives",
	.setup = setup_file, .finish = stage_end, .flags = VT_NO_MEMORY,
	.threads = { THREAD(asker), THREAD(unmapper) },
};

/* The VMA that goes is a spare one of its mm, and the next to be used. */
static void setup_reuse(void)
{
	stage_make();
	high_file = stage_file(NULL);
	stage_map(mm, 0, 2, PROT_READ);
}

static void asker_of_anon(void)
{
	struct area_info info;
	int err = mm_query(mm, AT(1), &info);

	VT_CHECK(!err || err == -ENOENT);
	if (err)
		return;
	VT_CHECK(info.start == AT(0) && info.end == AT(2));
	VT_CHECK(!info.file && info.pgoff == AT(0) / PAGE, "of another area, at %lx",
		 info.pgoff);
	area_info_put(&info);
}

static void user(void)
{
	if (done(mm_munmap(mm, AT(0), 2 * PAGE)))
		done(mm_mmap(mm, AT(8), PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, high_file, 0));
}

static void finish_reuse(void)
{
	file_put(high_file);
	stage_end();
}

const struct vt_scenario query_reuse = {
	.name = "query-reuse", .about = "a VMA that is another area by now is noticed",
	.setup = setup_reuse, .finish = finish_reuse, .flags = VT_NO_MEMORY,
	.threads = { THREAD(asker_of_anon), THREAD(user) },
};

const struct vt_scenario query_two_writers = {
	.name = "query-reuse-two", .about = "the same with two that ask",
	.setup = setup_reuse, .finish = finish_reuse, .flags = VT_NO_MEMORY,
	.threads = { THREAD(asker_of_anon), { "asker_of_anon 2", asker_of_anon }, THREAD(user) },
};

static void setup_name(void)
{
	stage_make();
	stage_map(mm, 0, 2, PROT_READ);
	VT_CHECK(!mm_set_anon_name(mm, AT(0), 2 * PAGE, "one"));
}

static void asker_of_name(void)
{
	struct area_info info;

	VT_CHECK(!mm_query(mm, AT(1), &info));
	VT_CHECK(!strcmp(info.name, "[anon:one]") || !strcmp(info.name, "[anon:two]"), "%s",
		 info.name);
	area_info_put(&info);
}

static void namer(void)
{
	done(mm_set_anon_name(mm, AT(0), 2 * PAGE, "two"));
}

const struct vt_scenario query_name = {
	.name = "query-name", .about = "the old name or the new one, whole",
	.setup = setup_name, .finish = stage_end, .flags = VT_NO_MEMORY,
	.threads = { THREAD(asker_of_name), THREAD(namer) },
};

/* Page by page, whatever the areas are: nothing is left out. */
static void walker(void)
{
	unsigned long addr = AT(0);
	struct area_info info;

	while (addr < AT(2)) {
		VT_CHECK(!mm_query_next(mm, addr, &info));
		VT_CHECK(info.start <= addr && info.end > addr, "a hole at %lx", addr);
		addr = info.end;
		area_info_put(&info);
	}
}

static void splitter(void)
{
	done(mm_mprotect(mm, AT(1), PAGE, RW));
}

const struct vt_scenario query_walk = {
	.name = "query-walk", .about = "a walk by questions beside a split",
	.setup = setup_name, .finish = stage_end, .flags = VT_NO_MEMORY,
	.threads = { THREAD(walker), THREAD(splitter) },
};
