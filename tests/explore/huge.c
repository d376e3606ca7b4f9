/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Leaves of 2 MiB: made of pages, and split, beside faults and who walks without a lock. */
#include "explore.h"

#define OLD	0x1111111111111111ull
#define NEW	0x2222222222222222ull

#define NR	512ul
#define HUGE	(NR * PAGE)
/* The first page of 2 MiB: AT(0) is one, too. */
#define FIRST	NR

static void setup(void)
{
	stage_make_with_arena(8ul << 20);
	stage_map(mm, FIRST, NR, RW);
	VT_CHECK(!mm_madvise(mm, AT(FIRST), HUGE, MADV_NOHUGEPAGE));
	VT_CHECK(stage_put(mm, FIRST, OLD) == MM_FAULT_DONE);
	VT_CHECK(!mm_madvise(mm, AT(FIRST), HUGE, MADV_HUGEPAGE));
}

static void setup_leaf(void)
{
	stage_make_with_arena(8ul << 20);
	stage_map(mm, FIRST, NR, RW);
	VT_CHECK(!mm_madvise(mm, AT(FIRST), HUGE, MADV_HUGEPAGE));
	VT_CHECK(stage_put(mm, FIRST, OLD) == MM_FAULT_DONE);
}

/* It may give up: somebody holds a page.  (That it has no memory is for tests/failure.) */
static void collapser(void)
{
	long ret = mm_madvise(mm, AT(FIRST), HUGE, MADV_COLLAPSE);

	VT_CHECK(!ret || ret == -EAGAIN || ret == -EBUSY || vt_memory_was_refused(), "%ld", ret);
}

static void writer(void)
{
	fault_done(stage_put(mm, FIRST + 1, NEW));
}

static void peeker(void)
{
	stage_expect(mm, FIRST, OLD);
}

/* What is written by the frame's number is written to the program's memory. */
static void pinner(void)
{
	struct mm_translation t;

	if (!fault_done(mm_translate(mm, AT(FIRST) + 128, MM_ACCESS_WRITE, &t)))
		return;
	__atomic_store_n((uint64_t *)t.bytes, NEW, __ATOMIC_RELAXED);
	mm_translation_put(&t);
}

static void finish_pinned(void)
{
	if (!vt_memory_was_refused())
		stage_expect(mm, FIRST, NEW);
	stage_end();
}

static void finish_written(void)
{
	if (!vt_memory_was_refused()) {
		stage_expect(mm, FIRST, OLD);
		stage_expect(mm, FIRST + 1, NEW);
	}
	stage_end();
}

static void finish_read(void)
{
	stage_expect(mm, FIRST, OLD);
	stage_end();
}

const struct vt_scenario huge_collapse_fault = {
	.name = "huge-collapse-fault", .about = "a store beside what becomes a leaf is in it",
	.setup = setup, .finish = finish_written,
	.threads = { THREAD(collapser), THREAD(writer) },
};

const struct vt_scenario huge_collapse_peek = {
	.name = "huge-collapse-peek", .about = "a page that becomes part of a leaf has its bytes",
	.setup = setup, .finish = finish_read,
	.threads = { THREAD(collapser), THREAD(peeker) },
};

const struct vt_scenario huge_collapse_pin = {
	.name = "huge-collapse-pin", .about = "a page that is pinned does not become part of a leaf",
	.setup = setup, .finish = finish_pinned,
	.threads = { THREAD(collapser), THREAD(pinner) },
};

static void unmapper(void)
{
	done(mm_munmap(mm, AT(FIRST + 2), PAGE));
}

const struct vt_scenario huge_split_fault = {
	.name = "huge-split-fault", .about = "a store into a leaf that is split is not lost",
	.setup = setup_leaf, .finish = finish_written, .flags = VT_NO_MEMORY,
	.threads = { THREAD(unmapper), THREAD(writer) },
};
