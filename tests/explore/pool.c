/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The memory of VMAs, which is all that two mms of a machine share. */
#include "explore.h"

static void setup(void)
{
	stage_make();
	stage_make_other();
	stage_map_file(mm, 0, 1, stage_file(NULL));
}

static void unmapper(void)
{
	done(mm_munmap(mm, AT(0), PAGE));
}

static void mapper(void)
{
	done(mm_mmap(other, AT(0), PAGE, PROT_READ, ANON | MAP_FIXED, NULL, 0));
}

const struct vt_scenario pool_two_mms = {
	.name = "pool-two-mms", .about = "one gives VMAs back, the other takes some",
	.setup = setup, .finish = stage_end, .flags = VT_NO_MEMORY,
	.threads = { THREAD(unmapper), THREAD(mapper) },
};
