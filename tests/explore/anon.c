/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* First writes to anonymous memory: areas under one lock for read, families without one. */
#include "explore.h"

static struct mm_user *child;

/* Two areas that differ in what they may be accessed for, and so should share an anon_vma. */
static void setup(void)
{
	stage_make();
	stage_map(mm, 0, 1, RW);
	stage_map(mm, 1, 1, RW | PROT_EXEC);
}

static void touch(unsigned long page)
{
	enum mm_fault fault = mm_touch(mm, AT(page), MM_ACCESS_WRITE);

	VT_CHECK(fault == MM_FAULT_DONE || (fault == MM_FAULT_OOM && vt_memory_was_refused()));
}

static void low(void)
{
	touch(0);
}

static void high(void)
{
	touch(1);
}

/* Once their protection is the same they join: they have the same anon_vma. */
static void finish_joined(void)
{
	struct mm_stats stats;

	VT_CHECK(!mm_mprotect(mm, AT(1), PAGE, RW));
	mm_get_stats(mm, &stats);
	VT_CHECK(stats.nr_areas == 1, "two anon_vmas");
	stage_end();
}

const struct vt_scenario anon_both = {
	.name = "anon-both", .about = "neighbours touched at once share an anon_vma",
	.setup = setup, .finish = finish_joined, .flags = VT_NO_MEMORY,
	.threads = { THREAD(low), THREAD(high) },
};

const struct vt_scenario anon_same = {
	.name = "anon-same", .about = "one area touched twice, and its neighbour",
	.setup = setup, .finish = finish_joined, .flags = VT_NO_MEMORY,
	.threads = { THREAD(low), { "low 2", low }, THREAD(high) },
};

/* Parent and child have no lock in common but that of their family. */
static void setup_chain(void)
{
	stage_make();
	stage_map(mm, 0, 2, RW);
	touch(0);
	VT_CHECK(!mm_fork(mm, &child));
}

static void splitter(void)
{
	done(mm_mprotect(mm, AT(0), PAGE, PROT_READ));
}

static void unmapper(void)
{
	done(mm_munmap(child, AT(0), 2 * PAGE));
}

/* It looks for an anon_vma of its parent's that no area has as its own; a split counts there. */
static void forker(void)
{
	struct mm_user *grandchild;

	if (done(mm_fork(child, &grandchild)))
		mmput(grandchild);
}

static void finish_chain(void)
{
	mmput(child);
	stage_end();
}

const struct vt_scenario anon_chain = {
	.name = "anon-chain", .about = "a split in the parent, an unmapping in the child",
	.setup = setup_chain, .finish = finish_chain, .flags = VT_NO_MEMORY,
	.threads = { THREAD(splitter), THREAD(unmapper) },
};

const struct vt_scenario anon_split_fork = {
	.name = "anon-split-fork", .about = "a split in the parent, a fork of the child",
	.setup = setup_chain, .finish = finish_chain, .flags = VT_NO_MEMORY,
	.threads = { THREAD(splitter), THREAD(forker) },
};
