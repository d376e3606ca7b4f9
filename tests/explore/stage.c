/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Set-up and end that scenarios have in common. */
#include <vmarea/debug.h>

#include "explore.h"

struct vmarea *machine;
struct mm_user *mm, *other;

static struct mm_user *make_mm(void)
{
	struct mm_config config = MM_CONFIG_INIT;
	struct mm_user *made;

	config.mmap_base = AT(16);
	VT_CHECK(!mm_create(machine, &config, &made));
	return made;
}

void stage_make(void)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;

	config.stack_guard_gap_pages = 1;
	VT_CHECK(!vmarea_create(&config, &machine));
	mm = make_mm();
	other = NULL;
}

void stage_make_other(void)
{
	other = make_mm();
}

void stage_map(struct mm_user *in, unsigned long first, unsigned long nr, unsigned long prot)
{
	long addr = mm_mmap(in, AT(first), nr * PAGE, prot, ANON | MAP_FIXED, NULL, 0);

	VT_CHECK(addr == (long)AT(first));
}

struct file *stage_file(const struct file_operations *ops)
{
	struct file_desc desc = { .size = sizeof(desc), .name = "/file", .ops = ops,
				  .flags = FILE_READ | FILE_WRITE, .size_bytes = 1 << 20 };
	struct file *file;

	VT_CHECK(!file_create(machine, &desc, &file));
	return file;
}

void stage_map_file(struct mm_user *in, unsigned long first, unsigned long nr, struct file *file)
{
	long addr = mm_mmap(in, AT(first), nr * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, file, 0);

	VT_CHECK(addr == (long)AT(first));
	file_put(file);
}

void stage_check(void)
{
	char why[200];

	VT_CHECK(!mm || !mm_validate(mm, why, sizeof(why)), "%s", why);
	VT_CHECK(!other || !mm_validate(other, why, sizeof(why)), "%s", why);
}

void stage_end(void)
{
	stage_check();
	if (mm)
		mmput(mm);
	if (other)
		mmput(other);
	vmarea_destroy(machine);
}

bool done(long ret)
{
	VT_CHECK(ret >= 0 || (ret == -ENOMEM && vt_memory_was_refused()), "%ld", ret);
	return ret >= 0;
}
