/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Pages that are on their way to swap while who has them ends, or wants them back.
 *
 *	shared memory	"leaving" in the index: a load, a store, a call, a truncation beside it
 *	anonymous	munmap() and the end of an mm beside the walk that takes the entry out
 *
 * The hand comes by the frame, as a sweep does.  What it got is another page at once.
 */
#include <vmarea/debug.h>
#include <vmarea/file.h>
#include <vmarea/swap.h>

#include "explore.h"

#include "base/str.h"
#include "file/filemap.h"

#define OLD	0x1111111111111111ull
#define NEW	0x2222222222222222ull
#define OTHERS	0x3333333333333333ull

static unsigned char slots[2][PAGE];
static unsigned int area;
static struct file *file;
static struct page *frame;		/* that had the page when the threads began */

static int read_slot(void *private_data, uint64_t slot, void *to)
{
	memcpy(to, slots[slot], PAGE);
	return 0;
}

static int write_slot(void *private_data, uint64_t slot, const void *from)
{
	memcpy(slots[slot], from, PAGE);
	return 0;
}

static void setup_swap(void)
{
	static const struct swap_ops ops = { .read_page = read_slot, .write_page = write_slot };
	const struct swap_desc desc = {
		.size = sizeof(desc), .name = "slots", .ops = &ops, .nr_slots = 2,
	};

	stage_make_with_frames();
	VT_CHECK(!vmarea_swapon(machine, &desc, &area));
	stage_map(mm, 2, 1, RW);
	file = NULL;
}

static void hand(void)
{
	if (stage_evict(frame, RECLAIM_ANY))
		fault_done(stage_put(mm, 2, OTHERS));
}

static void expect_slots(unsigned int nr)
{
	struct swap_info info;

	VT_CHECK(!vmarea_swap_info(machine, area, &info));
	VT_CHECK(info.nr_used == nr, "%llu slots and not %u", (unsigned long long)info.nr_used,
		 nr);
}

/* Nothing is left of the page, in swap or elsewhere. */
static void finish_gone(void)
{
	char why[200];
	uint64_t others = OTHERS;

	VT_CHECK(!vmarea_validate(machine, why, sizeof(why)), "%s", why);
	expect_slots(0);
	/* There only if the hand got the frame. */
	VT_CHECK(!fault_done(stage_get(mm, 2, &others)) || others == OTHERS || !others, "%llx",
		 (unsigned long long)others);
	if (file)
		file_put(file);
	stage_end();
}

/* ---- shared memory */

static void setup_shared(void)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/memfd:leaving", .size_bytes = PAGE,
		.flags = FILE_READ | FILE_WRITE | FILE_SHMEM,
	};

	setup_swap();
	VT_CHECK(!file_create(machine, &desc, &file));
	VT_CHECK(mm_mmap(mm, AT(0), PAGE, RW, MAP_SHARED | MAP_FIXED, file, 0) == (long)AT(0));
	VT_CHECK(stage_put(mm, 0, OLD) == MM_FAULT_DONE);
	frame = stage_frame(mm, 0);
}

/* And it is in swap. */
static void setup_shared_swapped(void)
{
	setup_shared();
	VT_CHECK(stage_evict(frame, RECLAIM_ANY) == 1);
}

/* The word is @value, here and in swap. */
static void finish_kept(uint64_t value)
{
	if (!vt_memory_was_refused()) {
		stage_expect(mm, 0, value);
		expect_slots(0);
		VT_CHECK(stage_evict(stage_frame(mm, 0), RECLAIM_ANY) == 1);
		expect_slots(1);
		stage_expect(mm, 0, value);
	}
	file_set_size(file, 0);
	finish_gone();
}

static void finish_old(void)
{
	finish_kept(OLD);
}

static void finish_new(void)
{
	finish_kept(NEW);
}

static void loader(void)
{
	uint64_t value = OLD;

	if (fault_done(stage_get(mm, 0, &value)))
		VT_CHECK(value == OLD, "%llx", (unsigned long long)value);
}

const struct vt_scenario leaving_load = {
	.name = "swap-leaving-load", .about = "a load of shared memory that leaves gives its bytes",
	.setup = setup_shared, .finish = finish_old, .flags = VT_NO_MEMORY,
	.threads = { THREAD(hand), THREAD(loader) },
};

static void storer(void)
{
	fault_done(stage_put(mm, 0, NEW));
}

const struct vt_scenario leaving_store = {
	.name = "swap-leaving-store", .about = "a store to shared memory that leaves is not lost",
	.setup = setup_shared, .finish = finish_new, .flags = VT_NO_MEMORY,
	.threads = { THREAD(hand), THREAD(storer) },
};

/* It needs no entry and no page lock. */
static void caller(void)
{
	const uint64_t value = NEW;
	long put = file_write(file, 128, &value, sizeof(value));

	VT_CHECK(put == sizeof(value) || (put == -ENOMEM && vt_memory_was_refused()), "%ld", put);
}

const struct vt_scenario leaving_call = {
	.name = "swap-leaving-call", .about = "what a call writes to a page that leaves is not lost",
	.setup = setup_shared, .finish = finish_new, .flags = VT_NO_MEMORY,
	.threads = { THREAD(hand), THREAD(caller) },
};

static void any_loader(void)
{
	uint64_t value = OLD;

	if (fault_done(stage_get(mm, 0, &value)))
		VT_CHECK(value == OLD || value == NEW, "%llx", (unsigned long long)value);
}

const struct vt_scenario coming_both = {
	.name = "swap-coming-both", .about = "two who bring shared memory back bring one page",
	.setup = setup_shared_swapped, .finish = finish_new, .flags = VT_NO_MEMORY,
	.threads = { THREAD(caller), THREAD(any_loader) },
};

static void truncater(void)
{
	file_set_size(file, 0);
}

static void finish_truncated(void)
{
	uint64_t value = 0;

	VT_CHECK(stage_get(mm, 0, &value) == MM_FAULT_BUS);
	VT_CHECK(!filemap_nr_pages(file->mapping));
	finish_gone();
}

const struct vt_scenario leaving_truncate = {
	.name = "swap-leaving-truncate", .about = "of a page that leaves a file that is cut off nothing stays",
	.setup = setup_shared, .finish = finish_truncated, .flags = VT_NO_MEMORY,
	.threads = { THREAD(hand), THREAD(truncater) },
};

/* The bytes, or the end of the file. */
static void late_loader(void)
{
	uint64_t value = OLD;
	enum mm_fault fault = stage_get(mm, 0, &value);

	if (fault != MM_FAULT_BUS && fault_done(fault))
		VT_CHECK(value == OLD, "%llx", (unsigned long long)value);
}

const struct vt_scenario coming_truncate = {
	.name = "swap-coming-truncate", .about = "the same of one that comes back",
	.setup = setup_shared_swapped, .finish = finish_truncated, .flags = VT_NO_MEMORY,
	.threads = { THREAD(late_loader), THREAD(truncater) },
};

/* ---- anonymous */

static void setup_own(void)
{
	setup_swap();
	stage_map(mm, 0, 1, RW);
	VT_CHECK(stage_put(mm, 0, OLD) == MM_FAULT_DONE);
	frame = stage_frame(mm, 0);
}

static void unmapper(void)
{
	done(mm_munmap(mm, AT(0), PAGE));
}

/* Once more, if there was no memory for it. */
static void finish_unmapped(void)
{
	VT_CHECK(!mm_munmap(mm, AT(0), PAGE));
	finish_gone();
}

const struct vt_scenario leaving_unmap = {
	.name = "swap-leaving-unmap", .about = "a page that goes to swap beside munmap() is nowhere",
	.setup = setup_own, .finish = finish_unmapped, .flags = VT_NO_MEMORY,
	.threads = { THREAD(hand), THREAD(unmapper) },
};

/* Both have it, and one ends. */
static void setup_kin(void)
{
	setup_own();
	VT_CHECK(!mm_fork(mm, &other));
}

static void ender(void)
{
	mmput(other);
	other = NULL;
}

/* What the other had, nobody else is to miss, nor to keep. */
static void finish_ended(void)
{
	if (!vt_memory_was_refused())
		stage_expect(mm, 0, OLD);
	VT_CHECK(!mm_munmap(mm, AT(0), PAGE));
	finish_gone();
}

const struct vt_scenario leaving_end = {
	.name = "swap-leaving-end", .about = "a page that goes to swap while one who has it ends stays the other's",
	.setup = setup_kin, .finish = finish_ended, .flags = VT_NO_MEMORY,
	.threads = { THREAD(hand), THREAD(ender) },
};

/* It alone has it. */
static void setup_last(void)
{
	setup_kin();
	VT_CHECK(!mm_munmap(mm, AT(0), PAGE));
}

const struct vt_scenario leaving_last_end = {
	.name = "swap-leaving-last-end", .about = "a page that goes to swap beside the end of its mm is nowhere",
	.setup = setup_last, .finish = finish_gone, .flags = VT_NO_MEMORY,
	.threads = { THREAD(hand), THREAD(ender) },
};
