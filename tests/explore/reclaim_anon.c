/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Anonymous pages that the hand comes by: how old they are, and what MADV_FREE gave up. */
#include <vmarea/swap.h>

#include "explore.h"

#include "base/atomic.h"
#include "base/str.h"

#define OLD	0x1111111111111111ull
#define NEW	0x2222222222222222ull
#define OTHERS	0x3333333333333333ull

static unsigned char slot_bytes[PAGE];
static struct page *frame;		/* that had the page when the threads began */
static struct mm_user *kin;		/* made by the forker */
static uint64_t seen;			/* in the child, once it was there */
static u32 told;			/* atomic: a load has come to its end */

static int read_slot(void *private_data, uint64_t slot, void *to)
{
	memcpy(to, slot_bytes, PAGE);
	return 0;
}

static int write_slot(void *private_data, uint64_t slot, const void *from)
{
	memcpy(slot_bytes, from, PAGE);
	return 0;
}

static void setup_touched(void)
{
	stage_make_with_frames();
	stage_map(mm, 0, 1, RW);
	stage_map(mm, 2, 1, RW);
	VT_CHECK(stage_put(mm, 0, OLD) == MM_FAULT_DONE);
	frame = stage_frame(mm, 0);
	kin = NULL;
	told = 0;
}

static void setup_free(void)
{
	setup_touched();
	VT_CHECK(!mm_madvise(mm, AT(0), PAGE, MADV_FREE));
}

/* It was looked at once, and found to be used. */
static void setup_swap(void)
{
	static const struct swap_ops ops = { .read_page = read_slot, .write_page = write_slot };
	const struct swap_desc desc = {
		.size = sizeof(desc), .name = "slots", .ops = &ops, .nr_slots = 1,
	};
	unsigned int area;

	setup_touched();
	VT_CHECK(!vmarea_swapon(machine, &desc, &area));
	VT_CHECK(!stage_evict(frame, RECLAIM_OLD));
}

/* And once more from now on. */
static void setup_used(void)
{
	setup_swap();
	stage_expect(mm, 0, OLD);
}

static void hand(void)
{
	if (stage_evict(frame, RECLAIM_ANY))
		fault_done(stage_put(mm, 2, OTHERS));
}

static unsigned long nr_pages(void)
{
	struct mm_stats stats;

	mm_get_stats(mm, &stats);
	return stats.anon_pages;
}

/* ---- given up, and wanted after all */

static void storer(void)
{
	fault_done(stage_put(mm, 0, NEW));
}

static void finish_stored(void)
{
	if (!vt_memory_was_refused())
		stage_expect(mm, 0, NEW);
	stage_end();
}

const struct vt_scenario reclaim_free_store = {
	.name = "reclaim-free-store", .about = "what is stored after MADV_FREE is not given up",
	.setup = setup_free, .finish = finish_stored, .flags = VT_NO_MEMORY,
	.threads = { THREAD(hand), THREAD(storer) },
};

/* If he has the page and not zeros, it is the one that the program writes to. */
static void pinner(void)
{
	struct mm_translation t;
	uint64_t value;

	if (!fault_done(mm_translate(mm, AT(0) + 128, MM_ACCESS_READ, &t)))
		return;
	value = __atomic_load_n((uint64_t *)t.bytes, __ATOMIC_RELAXED);
	VT_CHECK(value == OLD || !value, "%llx", (unsigned long long)value);
	if (fault_done(stage_put(mm, 0, NEW)) && value)
		VT_CHECK(__atomic_load_n((uint64_t *)t.bytes, __ATOMIC_RELAXED) == NEW);
	mm_translation_put(&t);
}

const struct vt_scenario reclaim_free_pin = {
	.name = "reclaim-free-pin", .about = "a page that is pinned after MADV_FREE stays",
	.setup = setup_free, .finish = finish_stored, .flags = VT_NO_MEMORY,
	.threads = { THREAD(hand), THREAD(pinner) },
};

/* The child has it or zeros, and keeps that, whatever the parent does. */
static void forker(void)
{
	if (!done(mm_fork(mm, &kin)))
		return;
	other = kin;
	seen = OLD;
	if (fault_done(stage_get(kin, 0, &seen)))
		VT_CHECK(seen == OLD || !seen, "%llx", (unsigned long long)seen);
	storer();
}

static void finish_forked(void)
{
	if (!vt_memory_was_refused())
		stage_expect(kin, 0, seen);
	finish_stored();
}

const struct vt_scenario reclaim_free_fork = {
	.name = "reclaim-free-fork", .about = "a page that is forked after MADV_FREE goes from all or none",
	.setup = setup_free, .finish = finish_forked, .flags = VT_NO_MEMORY,
	.threads = { THREAD(hand), THREAD(forker) },
};

/* ---- the frame is another page before the hand has its lock */

static void unmapper(void)
{
	if (done(mm_munmap(mm, AT(0), PAGE)))
		fault_done(stage_put(mm, 2, OTHERS));
}

static void finish_unmapped(void)
{
	if (!vt_memory_was_refused()) {
		VT_CHECK(nr_pages() <= 1);
		stage_expect(mm, 2, OTHERS);
	}
	stage_end();
}

static void old_hand(void)
{
	stage_evict(frame, RECLAIM_ANY);
}

const struct vt_scenario reclaim_free_unmap = {
	.name = "reclaim-free-unmap", .about = "the page that comes after one of MADV_FREE is kept",
	.setup = setup_free, .finish = finish_unmapped, .flags = VT_NO_MEMORY,
	.threads = { THREAD(old_hand), THREAD(unmapper) },
};

/* ---- age */

static void look(void)
{
	VT_CHECK(!stage_evict(frame, RECLAIM_OLD));
}

static void look_too(void)
{
	look();
}

/* Used twice: one look finds that, the next that it is not used a third time. */
static void finish_looked(void)
{
	VT_CHECK(nr_pages() == 1);
	stage_expect(mm, 0, OLD);
	stage_end();
}

const struct vt_scenario reclaim_two_looks = {
	.name = "reclaim-two-looks", .about = "two looks at once make a page no older than two in turn",
	.setup = setup_used, .finish = finish_looked, .threads = { THREAD(look), THREAD(look_too) },
};

static void loader(void)
{
	uint64_t value = OLD;

	if (fault_done(stage_get(mm, 0, &value)))
		VT_CHECK(value == OLD, "%llx", (unsigned long long)value);
	/* Pairs with the hand. */
	atomic_store_release(&told, 1);
}

/* A load that is over has made the page young. */
static void old_looker(void)
{
	/* Pairs with the loader. */
	bool before = atomic_load_acquire(&told);
	unsigned long nr = stage_evict(frame, RECLAIM_OLD);

	VT_CHECK(!before || !nr || vt_memory_was_refused());
}

static void finish_loaded(void)
{
	if (!vt_memory_was_refused())
		stage_expect(mm, 0, OLD);
	stage_end();
}

const struct vt_scenario reclaim_used = {
	.name = "reclaim-used", .about = "a page that was used since the last look stays",
	.setup = setup_swap, .finish = finish_loaded, .flags = VT_NO_MEMORY,
	.threads = { THREAD(old_looker), THREAD(loader) },
};

/* ---- frames on their way back */

#define FAR	(AT(0) + (1ul << 30))

/* What there is in use is all there may be; what is far has no table yet. */
static void setup_tables(void)
{
	struct arena_stats stats;

	stage_make_with_frames();
	stage_map(mm, 0, 1, RW);
	VT_CHECK(mm_mmap(mm, FAR, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0) ==
		 (long)FAR);
	VT_CHECK(stage_put(mm, 0, OLD) == MM_FAULT_DONE);
	arena_get_stats(machine->arena, &stats);
	VT_CHECK(!vmarea_set_limit(machine, (stats.total - stats.free - stats.cached) * PAGE));
}

static void mover(void)
{
	VT_CHECK(!mm_munmap(mm, AT(0), PAGE));
	VT_CHECK(mm_handle_fault(mm, FAR, MM_ACCESS_WRITE) == MM_FAULT_DONE);
}

const struct vt_scenario reclaim_tables = {
	.name = "reclaim-tables", .about = "a fault is not out of memory while tables are on their way back",
	.setup = setup_tables, .finish = stage_end,
	.threads = { THREAD(mover) },
};
