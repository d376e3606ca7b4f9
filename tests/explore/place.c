/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The search for a free range against areas that grow into it.  Placement goes down from AT(16).
 *
 *	AT(8)                              AT(15) AT(16)
 *	 |.....................................|stack|
 */
#include "explore.h"

static long placed[2];

static void setup(void)
{
	stage_make();
	placed[0] = placed[1] = 0;
}

static void place(long *out)
{
	long addr = mm_mmap(mm, 0, PAGE, RW, ANON, NULL, 0);

	if (done(addr))
		*out = addr;
}

static void placer(void)
{
	place(&placed[0]);
}

static void placer_2(void)
{
	place(&placed[1]);
}

static void finish_apart(void)
{
	VT_CHECK(placed[0] != placed[1] || !placed[0], "both at %lx", placed[0]);
	stage_end();
}

const struct vt_scenario place_place = {
	.name = "place-place", .about = "two searches do not find the same range",
	.setup = setup, .finish = finish_apart, .flags = VT_NO_MEMORY,
	.threads = { THREAD(placer), THREAD(placer_2) },
};

static void setup_stack(void)
{
	setup();
	VT_CHECK(mm_mmap(mm, AT(15), PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, NULL, 0) ==
		 (long)AT(15));
}

/* Grows the stack, or finds the guard gap of one page taken by what was placed there. */
static void grow(unsigned long page)
{
	enum mm_fault fault = mm_touch(mm, AT(page), MM_ACCESS_WRITE);

	VT_CHECK(fault == MM_FAULT_DONE || fault == MM_FAULT_MAPERR ||
		 (fault == MM_FAULT_OOM && vt_memory_was_refused()));
}

/* Nothing is in the way. */
static void grow_freely(unsigned long page)
{
	enum mm_fault fault = mm_touch(mm, AT(page), MM_ACCESS_WRITE);

	VT_CHECK(fault == MM_FAULT_DONE || (fault == MM_FAULT_OOM && vt_memory_was_refused()));
}

static void near_grower(void)
{
	grow_freely(14);
}

static void far_grower(void)
{
	grow_freely(10);
}

static void grower(void)
{
	grow(14);
}

static void finish_stack(void)
{
	struct area_info info;
	long low;

	VT_CHECK(!mm_query(mm, AT(15), &info));
	low = (long)info.start;
	area_info_put(&info);
	for (int i = 0; i < 2; i++)
		VT_CHECK(!placed[i] || placed[i] + 2 * (long)PAGE <= low, "no gap: %lx, stack %lx",
			 placed[i], low);
	finish_apart();
}

const struct vt_scenario place_stack = {
	.name = "place-stack", .about = "the guard gap below a stack that grows stays free",
	.setup = setup_stack, .finish = finish_stack, .flags = VT_NO_MEMORY,
	.threads = { THREAD(placer), THREAD(grower) },
};

static void finish_grown(void)
{
	VT_CHECK(vt_memory_was_refused() || mm_range_ok(mm, AT(10), 6 * PAGE, RW));
	stage_end();
}

const struct vt_scenario stack_stack = {
	.name = "stack-stack", .about = "two faults grow one stack, the farther one counts",
	.setup = setup_stack, .finish = finish_grown, .flags = VT_NO_MEMORY,
	.threads = { THREAD(near_grower), THREAD(far_grower) },
};

/* The only hole below AT(16) is the page into which the other one grows. */
static void setup_hole(void)
{
	setup();
	stage_map(mm, 14, 1, RW);
}

static void extender(void)
{
	long addr = mm_mremap(mm, AT(14), PAGE, 2 * PAGE, 0, 0);

	if (addr != -ENOMEM && done(addr))
		placed[1] = (long)AT(15);
}

const struct vt_scenario place_mremap = {
	.name = "place-mremap", .about = "a search and mremap() want the same page",
	.setup = setup_hole, .finish = finish_apart, .flags = VT_NO_MEMORY,
	.threads = { THREAD(placer), THREAD(extender) },
};

const struct vt_scenario place_place_stack = {
	.name = "place-place-stack", .about = "two searches below a stack that grows",
	.setup = setup_stack, .finish = finish_stack, .flags = VT_NO_MEMORY,
	.threads = { THREAD(placer), THREAD(placer_2), THREAD(grower) },
};
