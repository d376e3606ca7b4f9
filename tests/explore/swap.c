/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Swap: a page that goes beside a store, a fork or a pin; entries that come back beside others. */
#include <vmarea/swap.h>

#include "explore.h"

#include "base/errno.h"
#include "base/str.h"
#include "mm/mm.h"
#include "reclaim/swap_out.h"
#include "rmap/rmap.h"

#define OLD	0x1111111111111111ull
#define NEW	0x2222222222222222ull
#define KINS	0x3333333333333333ull
#define OTHERS	0x4444444444444444ull

/* One: the next page to go takes what the last has left. */
#define SLOTS	1

static unsigned char slots[SLOTS][PAGE];
static unsigned int area;
static struct mm_user *kin;		/* made in set-up, or by the forker */
static uint64_t seen;			/* in the child, once it was there */
static unsigned int nr_reads;		/* of slots */
static u64 number;			/* of the slot that page 0 is in */

static int read_slot(void *private_data, uint64_t slot, void *to)
{
	memcpy(to, slots[slot], PAGE);
	nr_reads++;
	return 0;
}

static int write_slot(void *private_data, uint64_t slot, const void *from)
{
	memcpy(slots[slot], from, PAGE);
	return 0;
}

static void setup(void)
{
	static const struct swap_ops ops = { .read_page = read_slot, .write_page = write_slot };
	const struct swap_desc desc = {
		.size = sizeof(desc), .name = "slots", .ops = &ops, .nr_slots = SLOTS,
	};

	stage_make_with_frames();
	VT_CHECK(!vmarea_swapon(machine, &desc, &area));
	stage_map(mm, 0, 1, RW);
	stage_map(mm, 2, 1, RW);
	VT_CHECK(stage_put(mm, 0, OLD) == MM_FAULT_DONE);
	VT_CHECK(stage_put(mm, 2, OTHERS) == MM_FAULT_DONE);
	kin = NULL;
	nr_reads = 0;
}

/* 0, or why not. */
static int out(struct mm_user *in, unsigned long page)
{
	struct page *p = gup_fast(mm_from_user(in)->pgt, AT(page), 0);
	int err;

	if (!p)
		return -ENOENT;
	page_lock(p);
	err = swap_out(machine, p, RMAP_WAIT);
	page_unlock(p);
	page_put(p);
	VT_CHECK(!err || err == -EAGAIN || err == -EBUSY || err == -ENOSPC, "%d", err);
	return err;
}

static void setup_swapped(void)
{
	setup();
	VT_CHECK(!out(mm, 0));
}

static void setup_forked(void)
{
	setup();
	VT_CHECK(!mm_fork(mm, &kin));
	other = kin;
	VT_CHECK(!out(mm, 0));
}

static void sender(void)
{
	out(mm, 0);
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

static void finish_old(void)
{
	if (!vt_memory_was_refused())
		stage_expect(mm, 0, OLD);
	stage_end();
}

const struct vt_scenario swap_out_write = {
	.name = "swap-out-write", .about = "a store to a page that goes is in what comes back",
	.setup = setup, .finish = finish_written, .flags = VT_NO_MEMORY,
	.threads = { THREAD(sender), THREAD(writer) },
};

/* ---- a fork of a page that goes */

static void forker(void)
{
	if (!done(mm_fork(mm, &kin)))
		return;
	other = kin;
	seen = OLD;
	if (fault_done(stage_get(kin, 0, &seen)))
		VT_CHECK(seen == OLD);
	fault_done(stage_put(mm, 0, NEW));
}

static void finish_forked(void)
{
	if (!vt_memory_was_refused())
		stage_expect(kin, 0, OLD);
	finish_written();
}

const struct vt_scenario swap_out_fork = {
	.name = "swap-out-fork", .about = "a page that goes while it is forked is in both, and of each",
	.setup = setup, .finish = finish_forked, .flags = VT_NO_MEMORY,
	.threads = { THREAD(sender), THREAD(forker) },
};

const struct vt_scenario swap_fork_swapped = {
	.name = "swap-fork-swapped", .about = "of a page that is in swap each has its own after a fork",
	.setup = setup_swapped, .finish = finish_forked, .flags = VT_NO_MEMORY,
	.threads = { THREAD(forker), THREAD(sender) },
};

/* ---- a pin of one that goes */

static void pinner(void)
{
	struct mm_translation t;

	if (!fault_done(mm_translate(mm, AT(0) + 128, MM_ACCESS_WRITE, &t)))
		return;
	__atomic_store_n((uint64_t *)t.bytes, NEW, __ATOMIC_RELAXED);
	stage_expect(mm, 0, NEW);
	mm_translation_put(&t);
}

const struct vt_scenario swap_out_pin = {
	.name = "swap-out-pin", .about = "what is written to a pinned frame is the program's",
	.setup = setup, .finish = finish_written, .flags = VT_NO_MEMORY,
	.threads = { THREAD(sender), THREAD(pinner) },
};

/* ---- two that come back to one page */

static void kin_writer(void)
{
	fault_done(stage_put(kin, 0, KINS));
}

static void finish_both(void)
{
	if (!vt_memory_was_refused())
		stage_expect(kin, 0, KINS);
	finish_written();
}

const struct vt_scenario swap_in_both = {
	.name = "swap-in-both", .about = "two come back to one page, and each has its own",
	.setup = setup_forked, .finish = finish_both, .flags = VT_NO_MEMORY,
	.threads = { THREAD(writer), THREAD(kin_writer) },
};

/* ---- a slot that is another's while somebody comes back by it */

static void kin_reader(void)
{
	uint64_t value = OLD;

	if (fault_done(stage_get(kin, 0, &value)))
		VT_CHECK(value == OLD, "%llx", (unsigned long long)value);
}

static void discarder(void)
{
	if (done(mm_munmap(mm, AT(0), PAGE)))
		out(mm, 2);
}

static void finish_discarded(void)
{
	if (!vt_memory_was_refused())
		stage_expect(mm, 2, OTHERS);
	stage_end();
}

const struct vt_scenario swap_in_zap = {
	.name = "swap-in-zap", .about = "a slot stays as long as anybody names it",
	.setup = setup_forked, .finish = finish_discarded, .flags = VT_NO_MEMORY,
	.threads = { THREAD(kin_reader), THREAD(discarder) },
};

const struct vt_scenario swap_out_zap = {
	.name = "swap-out-zap", .about = "a slot is nobody else's until its write is over",
	.setup = setup, .finish = finish_discarded, .flags = VT_NO_MEMORY,
	.threads = { THREAD(sender), THREAD(discarder) },
};

static void own_reader(void)
{
	uint64_t value = OLD;
	enum mm_fault fault = stage_get(mm, 0, &value);

	if (fault != MM_FAULT_MAPERR && fault_done(fault))
		VT_CHECK(value == OLD, "%llx", (unsigned long long)value);
}

const struct vt_scenario swap_in_reused = {
	.name = "swap-in-reused", .about = "who comes too late for a slot does not see its next page",
	.setup = setup_swapped, .finish = finish_discarded, .flags = VT_NO_MEMORY,
	.threads = { THREAD(own_reader), THREAD(discarder) },
};

/* ---- one that is taken as soon as it has been read */

static void setup_awaited(void)
{
	unsigned int level;

	setup_swapped();
	number = pte_soft_number(pt_look(mm_from_user(mm)->pgt, AT(0), &level));
}

static void toucher(void)
{
	if (fault_done(mm_touch(mm, AT(0), MM_ACCESS_READ)))
		VT_CHECK(nr_reads == 1, "read %u times", nr_reads);
}

static void hand(void)
{
	struct page *page = swap_find(machine->swap, number);

	if (!page)
		return;
	page_put(page);
	stage_evict(page, RECLAIM_ANY);
}

const struct vt_scenario swap_in_awaited = {
	.name = "swap-in-awaited", .about = "nobody takes what another has waited for",
	.setup = setup_awaited, .finish = finish_old, .flags = VT_NO_MEMORY,
	.threads = { THREAD(toucher), THREAD(hand) },
};

/* ---- swapoff */

static void off(void)
{
	int err = vmarea_swapoff(machine, area);

	VT_CHECK(!err || (err == -ENOMEM && vt_memory_was_refused()), "%d", err);
}

const struct vt_scenario swap_off_write = {
	.name = "swap-off-write", .about = "a store beside a swapoff comes to the page that is there",
	.setup = setup_swapped, .finish = finish_written, .flags = VT_NO_MEMORY,
	.threads = { THREAD(off), THREAD(writer) },
};
