/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The sequence of write sections against who only looks whether one has been. */
#include "explore.h"
#include "base/atomic.h"

static long x, y;			/* atomic, written as one under the mmap lock */

static void setup(void)
{
	stage_make();
	stage_map(mm, 0, 1, PROT_READ);
	stage_map(mm, 2, 1, PROT_READ);
	x = y = 0;
}

static void speculator(void)
{
	unsigned int seq;
	long seen_x, seen_y;

	if (!mmap_lock_speculate_try_begin(mm, &seq))
		return;
	seen_x = atomic_load_relaxed(&x);
	seen_y = atomic_load_relaxed(&y);
	if (!mmap_lock_speculate_retry(mm, seq))
		VT_CHECK(seen_x == seen_y, "x %ld, y %ld", seen_x, seen_y);
}

static void writer(void)
{
	struct mmap_write *lock = mmap_write_lock(mm);
	long next = atomic_load_relaxed(&x) + 1;

	atomic_store_relaxed(&x, next);
	atomic_store_relaxed(&y, next);
	mmap_write_unlock(lock);
}

const struct vt_scenario speculate = {
	.name = "speculate", .about = "what is seen without a retry was true at one moment",
	.setup = setup, .finish = stage_end,
	.threads = { THREAD(speculator), THREAD(writer) },
};

const struct vt_scenario speculate_writers = {
	.name = "speculate-writers", .about = "the same beside two writers",
	.setup = setup, .finish = stage_end,
	.threads = { THREAD(speculator), THREAD(writer), { "writer 2", writer } },
};

/* Both go in one section, so one answer holds for both. */
static void range_speculator(void)
{
	unsigned int seq;
	bool low, high;

	if (!mmap_lock_speculate_try_begin(mm, &seq))
		return;
	low = mm_range_ok(mm, AT(0), PAGE, PROT_READ);
	high = mm_range_ok(mm, AT(2), PAGE, PROT_READ);
	if (!mmap_lock_speculate_retry(mm, seq))
		VT_CHECK(low == high);
}

static void unmapper(void)
{
	done(mm_munmap(mm, AT(0), 3 * PAGE));
}

const struct vt_scenario speculate_range = {
	.name = "speculate-range", .about = "two range questions beside munmap() of both",
	.setup = setup, .finish = stage_end, .flags = VT_NO_MEMORY,
	.threads = { THREAD(range_speculator), THREAD(unmapper) },
};
