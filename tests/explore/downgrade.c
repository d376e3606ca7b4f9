/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * mmap_write_downgrade(): readers come in, writers do not, what was written is seen, and the VMA
 * write locks have ended.
 */
#include "explore.h"
#include "base/atomic.h"

static long guarded;			/* written under the mmap lock for write */
static long inside;			/* atomic: the downgraded section is under way */

static void setup(void)
{
	stage_make();
	stage_map(mm, 0, 1, PROT_READ);
	guarded = inside = 0;
}

static void downgrader(void)
{
	struct mmap_write *lock = mmap_write_lock(mm);
	struct mmap_read *now;
	struct vma_ref *vma;
	long mine;

	(void)!vma_start_write(lock, vma_lookup(lock, AT(0)));
	mine = ++guarded;
	now = mmap_write_downgrade(lock);
	atomic_store_relaxed(&inside, 1);
	/* The write lock of the VMA is over: it can be had for read. */
	vma = lock_vma_under_rcu(mm, AT(0));
	VT_CHECK(vma);
	vma_end_read(vma);
	VT_CHECK(guarded == mine, "a writer came between");
	atomic_store_relaxed(&inside, 0);
	mmap_read_unlock(now);
}

static void reader(void)
{
	struct mmap_read *lock = mmap_read_lock(mm);

	VT_CHECK(guarded >= 0);
	mmap_read_unlock(lock);
}

static void vma_reader(void)
{
	struct vma_ref *vma = lock_vma_under_rcu(mm, AT(0));

	if (vma) {
		VT_CHECK(guarded >= 0);
		vma_end_read(vma);
	}
}

static void writer(void)
{
	struct mmap_write *lock = mmap_write_lock(mm);

	VT_CHECK(!atomic_load_relaxed(&inside), "beside a reader");
	guarded++;
	mmap_write_unlock(lock);
}

const struct vt_scenario downgrade_reader = {
	.name = "downgrade-reader", .about = "a VMA reader sees what was written before",
	.setup = setup, .finish = stage_end,
	.threads = { THREAD(downgrader), THREAD(vma_reader) },
};

const struct vt_scenario downgrade_writer = {
	.name = "downgrade-writer", .about = "no writer between write and read",
	.setup = setup, .finish = stage_end,
	.threads = { THREAD(downgrader), THREAD(writer) },
};

const struct vt_scenario downgrade_readers_writer = {
	.name = "downgrade-readers-writer", .about = "readers are let in, the writer after them",
	.setup = setup, .finish = stage_end,
	.threads = { THREAD(downgrader), THREAD(reader), { "reader 2", reader }, THREAD(writer) },
};
