/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Copy-on-write and pins: forks, stores on both sides, and who looks at a frame meanwhile. */
#include "explore.h"

#define OLD	0x1111111111111111ull
#define NEW	0x2222222222222222ull
#define KINS	0x3333333333333333ull
#define OTHERS	0x4444444444444444ull

static struct mm_user *kin;		/* made in set-up, or by the forker */
static uint64_t seen;			/* in the child, once it was there */

static void setup(void)
{
	stage_make_with_frames();
	stage_map(mm, 0, 1, RW);
	stage_map(mm, 2, 1, RW);
	kin = NULL;
}

/* Two words of the page: one for either side to write to. */
#define SECOND_AT	(AT(0) + 2048)

static void setup_touched(void)
{
	const uint64_t old = OLD;
	enum mm_fault fault;

	setup();
	VT_CHECK(stage_put(mm, 0, OLD) == MM_FAULT_DONE);
	VT_CHECK(mm_write(mm, SECOND_AT, &old, 8, &fault) == 8);
}

static void setup_forked(void)
{
	setup_touched();
	VT_CHECK(!mm_fork(mm, &kin));
	other = kin;
}

/* What the child has it keeps, whatever the parent does. */
static void forker(void)
{
	if (!done(mm_fork(mm, &kin)))
		return;
	other = kin;
	seen = OLD;
	VT_CHECK(!fault_done(stage_get(kin, 0, &seen)) || seen == OLD || seen == NEW || !seen);
}

static void writer(void)
{
	fault_done(stage_put(mm, 0, NEW));
}

static void finish_written(void)
{
	if (!vt_memory_was_refused())
		stage_expect(mm, 0, NEW);
	stage_end();
}

static void finish_forked(void)
{
	if (!vt_memory_was_refused())
		stage_expect(kin, 0, seen);
	finish_written();
}

const struct vt_scenario cow_fork = {
	.name = "cow-fork", .about = "a store comes before the fork, or the child does not see it",
	.setup = setup_touched, .finish = finish_forked, .flags = VT_NO_MEMORY,
	.threads = { THREAD(forker), THREAD(writer) },
};

const struct vt_scenario cow_fork_fresh = {
	.name = "cow-fork-fresh", .about = "the same for the first store to a page",
	.setup = setup, .finish = finish_forked, .flags = VT_NO_MEMORY,
	.threads = { THREAD(forker), THREAD(writer) },
};

/* ---- both write */

static void kin_writer(void)
{
	const uint64_t value = KINS;
	enum mm_fault fault;

	mm_write(kin, SECOND_AT, &value, 8, &fault);
	fault_done(fault);
}

static uint64_t second(struct mm_user *in)
{
	uint64_t value = 0;
	enum mm_fault fault;

	mm_read(in, SECOND_AT, &value, 8, &fault);
	return value;
}

static void finish_both(void)
{
	struct mm_stats stats;

	if (!vt_memory_was_refused()) {
		stage_expect(mm, 0, NEW);
		stage_expect(kin, 0, OLD);
		VT_CHECK(second(mm) == OLD && second(kin) == KINS);
		mm_get_stats(mm, &stats);
		VT_CHECK(stats.anon_pages == 1);
	}
	stage_end();
}

const struct vt_scenario cow_both = {
	.name = "cow-both", .about = "parent and child write to one page: each has its own",
	.setup = setup_forked, .finish = finish_both, .flags = VT_NO_MEMORY,
	.threads = { THREAD(writer), THREAD(kin_writer) },
};

/* ---- one has it alone again */

static void kin_unmapper(void)
{
	done(mm_munmap(kin, AT(0), PAGE));
}

static void kin_reader(void)
{
	uint64_t value = OLD;

	if (fault_done(stage_get(kin, 0, &value)))
		VT_CHECK(value == OLD, "%llx", (unsigned long long)value);
	kin_unmapper();
}

const struct vt_scenario cow_reuse = {
	.name = "cow-reuse", .about = "a page is taken for one's own after the last other has read",
	.setup = setup_forked, .finish = finish_written, .flags = VT_NO_MEMORY,
	.threads = { THREAD(writer), THREAD(kin_reader) },
};

/* ---- the page that is copied goes in both */

static void discarder(void)
{
	if (!done(mm_munmap(kin, AT(0), PAGE)) ||
	    !done(mm_madvise(mm, AT(0), PAGE, MADV_DONTNEED)))
		return;
	fault_done(stage_put(mm, 2, OTHERS));
}

static void finish_discarded(void)
{
	uint64_t value = NEW;

	if (!vt_memory_was_refused()) {
		VT_CHECK(stage_get(mm, 0, &value) == MM_FAULT_DONE);
		VT_CHECK((value == NEW && second(mm) == OLD) || (value == NEW && !second(mm)) ||
			 (!value && !second(mm)));
		stage_expect(mm, 2, OTHERS);
	}
	stage_end();
}

const struct vt_scenario cow_discard = {
	.name = "cow-discard", .about = "what is copied stays until it is copied",
	.setup = setup_forked, .finish = finish_discarded, .flags = VT_NO_MEMORY,
	.threads = { THREAD(writer), THREAD(discarder) },
};

/* ---- pins */

/* What is written to the frame is in the program's memory, also if it forks in between. */
static void pinner(void)
{
	struct mm_translation t;

	if (!fault_done(mm_translate(mm, AT(0) + 128, MM_ACCESS_WRITE, &t)))
		return;
	__atomic_store_n((uint64_t *)t.bytes, NEW, __ATOMIC_RELAXED);
	stage_expect(mm, 0, NEW);
	mm_translation_put(&t);
}

const struct vt_scenario cow_pin_fork = {
	.name = "cow-pin-fork", .about = "a pinned page stays the parent's, and the child has a copy",
	.setup = setup_touched, .finish = finish_forked, .flags = VT_NO_MEMORY,
	.threads = { THREAD(forker), THREAD(pinner) },
};

/* To be read only, of a page that is shared: it must be the program's own from then on. */
static void shared_pinner(void)
{
	struct mm_translation t;

	if (!fault_done(mm_translate(mm, AT(0) + 128, MM_ACCESS_READ, &t)))
		return;
	if (fault_done(stage_put(mm, 0, NEW)))
		VT_CHECK(__atomic_load_n((uint64_t *)t.bytes, __ATOMIC_RELAXED) == NEW);
	mm_translation_put(&t);
}

const struct vt_scenario cow_pin_shared = {
	.name = "cow-pin-shared", .about = "what is pinned is the page that the program writes to",
	.setup = setup_forked, .finish = finish_written, .flags = VT_NO_MEMORY,
	.threads = { THREAD(shared_pinner), THREAD(kin_reader) },
};

/* A page that goes is another's at once, who writes to it: not while it is pinned. */
static void looker(void)
{
	struct mm_translation t;
	enum mm_fault fault = mm_translate(mm, AT(0) + 128, MM_ACCESS_READ, &t);
	uint64_t value;

	if (fault == MM_FAULT_MAPERR || !fault_done(fault))
		return;
	value = __atomic_load_n((uint64_t *)t.bytes, __ATOMIC_RELAXED);
	VT_CHECK(value == OLD, "%llx", (unsigned long long)value);
	mm_translation_put(&t);
}

static void use_frame(void)
{
	fault_done(stage_put(mm, 2, OTHERS));
}

static void unmapper(void)
{
	if (done(mm_munmap(mm, AT(0), PAGE)))
		use_frame();
}

const struct vt_scenario cow_pin_zap = {
	.name = "cow-pin-zap", .about = "a frame that is held is nobody else's",
	.setup = setup_touched, .finish = stage_end, .flags = VT_NO_MEMORY,
	.threads = { THREAD(unmapper), THREAD(looker) },
};

/* The tables of AT(0) go with it, and their frames are used for other tables. */
static void setup_alone(void)
{
	stage_make_with_frames();
	stage_map(mm, 0, 1, RW);
	VT_CHECK(stage_put(mm, 0, OLD) == MM_FAULT_DONE);
	kin = NULL;
}

static void remapper(void)
{
	long addr;

	if (!done(mm_munmap(mm, AT(0), PAGE)))
		return;
	addr = mm_mmap(mm, AT(1 << 20), PAGE, RW, ANON | MAP_FIXED, NULL, 0);
	if (done(addr))
		fault_done(stage_put(mm, 1 << 20, OTHERS));
}

static void peeker(void)
{
	uint64_t value = OLD;
	enum mm_fault fault = stage_get(mm, 0, &value);

	if (fault != MM_FAULT_MAPERR && fault_done(fault))
		VT_CHECK(value == OLD, "%llx", (unsigned long long)value);
}

const struct vt_scenario cow_pin_tables = {
	.name = "cow-pin-tables", .about = "who walks without a lock walks no table that is gone",
	.setup = setup_alone, .finish = stage_end, .flags = VT_NO_MEMORY,
	.threads = { THREAD(remapper), THREAD(peeker) },
};

/* A reference for a moment, no pin, may make a store copy: the reader has the old page. */
static void kin_peeker(void)
{
	uint64_t value = OLD;

	if (fault_done(stage_get(kin, 0, &value)))
		VT_CHECK(value == OLD, "%llx", (unsigned long long)value);
}

const struct vt_scenario cow_peek_write = {
	.name = "cow-peek-write", .about = "the child never sees what the parent writes",
	.setup = setup_forked, .finish = finish_written, .flags = VT_NO_MEMORY,
	.threads = { THREAD(writer), THREAD(kin_peeker) },
};
