/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* mm_fork() against lookups, questions and first writes in the parent. */
#include "explore.h"

static long guarded;			/* by the VMA lock: a driver's idea of its area */
static struct mm_user *heir;		/* made in set-up */

static void area_open(struct vma_mut *vma)
{
	VT_CHECK(guarded >= 0);
}

static const struct vm_operations_struct area_ops = { .open = area_open };

static int area_mmap(struct file *file, struct vma_new *vma)
{
	vma_set_owner(vma, &area_ops, file);
	return 0;
}

static const struct file_operations file_ops = { .owner = "driver", .mmap = area_mmap };

static void setup(void)
{
	stage_make();
	stage_map_file(mm, 0, 2, stage_file(&file_ops));
	guarded = 0;
}

static void setup_anon(void)
{
	stage_make();
	stage_map(mm, 0, 2, RW);
}

static void reader(void)
{
	struct vma_ref *vma = lock_vma_under_rcu(mm, AT(1));

	if (!vma)
		return;
	VT_CHECK(mm_user_mm(vma_mm(vma)) == mm_user_mm(mm));
	guarded++;
	vma_end_read(vma);
}

/* The child becomes the other mm, for the walker at the end. */
static void forker(void)
{
	struct mm_user *child;

	if (!done(mm_fork(mm, &child)))
		return;
	VT_CHECK(mm_range_ok(child, AT(0), 2 * PAGE, PROT_READ));
	other = child;
}

static void toucher(void)
{
	enum mm_fault fault = mm_touch(mm, AT(0), MM_ACCESS_WRITE);

	VT_CHECK(fault == MM_FAULT_DONE ||
		 (fault == MM_FAULT_OOM && vt_memory_was_refused()));
}

static void asker(void)
{
	struct area_info info;

	VT_CHECK(!mm_query(mm, AT(1), &info));
	VT_CHECK(info.start == AT(0) && info.end == AT(2) && info.file);
	area_info_put(&info);
}

const struct vt_scenario fork_reader = {
	.name = "fork-reader", .about = "the moment of the copy is one without readers",
	.setup = setup, .finish = stage_end, .flags = VT_NO_MEMORY,
	.threads = { THREAD(forker), THREAD(reader) },
};

const struct vt_scenario fork_touch = {
	.name = "fork-touch", .about = "the first write in the parent, before or after the copy",
	.setup = setup_anon, .finish = stage_end, .flags = VT_NO_MEMORY,
	.threads = { THREAD(forker), THREAD(toucher) },
};

const struct vt_scenario fork_query = {
	.name = "fork-query", .about = "a question and a reader beside the copy",
	.setup = setup, .finish = stage_end, .flags = VT_NO_MEMORY,
	.threads = { THREAD(forker), THREAD(asker), THREAD(reader) },
};

/* A family of anonymous memory: one mm leaves it while another forks and a third writes. */
static void setup_family(void)
{
	setup_anon();
	VT_CHECK(mm_touch(mm, AT(0), MM_ACCESS_WRITE) == MM_FAULT_DONE);
	VT_CHECK(!mm_fork(mm, &heir));
}

static void leaver(void)
{
	mmput(heir);
}

const struct vt_scenario fork_put_touch = {
	.name = "fork-put", .about = "fork in one mm, the end of another of the same family",
	.setup = setup_family, .finish = stage_end, .flags = VT_NO_MEMORY,
	.threads = { THREAD(forker), THREAD(leaver) },
};
