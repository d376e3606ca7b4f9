/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A VMA's readers against vma_start_write(), against detaching, and against its memory being used
 * again in another mm.
 */
#include "explore.h"

/* What the VMA lock guards, as a driver would have it. */
static long guarded;
static struct file *file;

static void setup(void)
{
	stage_make();
	stage_map(mm, 0, 2, PROT_READ);
	guarded = 0;
}

static void reader(void)
{
	struct vma_ref *vma = lock_vma_under_rcu(mm, AT(1));

	if (!vma)
		return;
	VT_CHECK(vma_start(vma) == AT(0) && vma_end(vma) == AT(2));
	VT_CHECK(guarded >= 0);
	vma_end_read(vma);
}

static void writer(void)
{
	struct mmap_write *lock = mmap_write_lock(mm);
	struct vma_mut *vma = vma_start_write(lock, vma_lookup(lock, AT(1)));

	guarded++;
	VT_CHECK(vma_start(vma) == AT(0));
	mmap_write_unlock(lock);
}

const struct vt_scenario reader_writer = {
	.name = "reader-writer", .about = "vma_start_write() waits for readers and keeps them out",
	.setup = setup, .finish = stage_end,
	.threads = { THREAD(reader), THREAD(writer) },
};

const struct vt_scenario two_readers_writer = {
	.name = "two-readers-writer", .about = "the same, and the last reader wakes the writer",
	.setup = setup, .finish = stage_end,
	.threads = { THREAD(reader), { "reader 2", reader }, THREAD(writer) },
};

const struct vt_scenario reader_two_writers = {
	.name = "reader-two-writers", .about = "each section write-locks the VMA anew",
	.setup = setup, .finish = stage_end,
	.threads = { THREAD(reader), THREAD(writer), { "writer 2", writer } },
};

/*
 * The VMA of a file goes straight back to the pool, and the other mm has just so many spare ones
 * that its next mapping takes it from there.
 */
static void setup_reuse(void)
{
	stage_make();
	stage_make_other();
	stage_map(mm, 8, 1, PROT_READ);
	stage_map(other, 8, 1, PROT_READ);
	file = stage_file(NULL);
	stage_map_file(mm, 0, 2, file);
}

static void reader_of_file(void)
{
	struct vma_ref *vma = lock_vma_under_rcu(mm, AT(1));

	if (!vma)
		return;
	VT_CHECK(mm_user_mm(vma_mm(vma)) == mm_user_mm(mm), "a VMA of another mm");
	VT_CHECK(vma_start(vma) == AT(0) && vma_end(vma) == AT(2) && vma_file(vma) == file);
	vma_end_read(vma);
}

static void user(void)
{
	if (done(mm_munmap(mm, AT(0), 2 * PAGE)))
		done(mm_mmap(other, AT(0), 2 * PAGE, PROT_READ, ANON | MAP_FIXED, NULL, 0));
}

static void reader_of_other(void)
{
	struct vma_ref *vma = lock_vma_under_rcu(other, AT(1));

	if (!vma)
		return;
	VT_CHECK(mm_user_mm(vma_mm(vma)) == mm_user_mm(other) && !vma_file(vma));
	vma_end_read(vma);
}

const struct vt_scenario reader_reuse = {
	.name = "reader-reuse", .about = "a reader never has a VMA of another mm",
	.setup = setup_reuse, .finish = stage_end, .flags = VT_NO_MEMORY,
	.threads = { THREAD(reader_of_file), THREAD(user) },
};

const struct vt_scenario reader_reuse_reader = {
	.name = "reader-reuse-reader", .about = "the same, and the other mm has a reader too",
	.setup = setup_reuse, .finish = stage_end, .flags = VT_NO_MEMORY,
	.threads = { THREAD(reader_of_file), THREAD(user), THREAD(reader_of_other) },
};
