/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A virtual CPU with an entry in its TLB, against calls of its mm.  Whoever took the page or the
 * right away may be sure, once the call has returned, that no access goes by what the entry said.
 * (What the TLB itself does is in tests/mmu/explore.c.)
 */
#include <vmarea/mmu.h>
#include <vmarea/soft_tlb.h>

#include "explore.h"

#define OLD	0x1111111111111111ull
#define NEW	0x2222222222222222ull
#define OTHERS	0x3333333333333333ull

static struct soft_tlb *tlb;
static struct soft_tlb_space *space;

/* The page is in the TLB, to be written to. */
static void setup(void)
{
	const uint64_t old = OLD;

	stage_make_with_frames();
	stage_map(mm, 0, 1, RW);
	stage_map(mm, 2, 1, RW);
	VT_CHECK(!soft_tlb_create(SOFT_TLB_MIN_LOG2, &tlb));
	VT_CHECK(!soft_tlb_attach(tlb, mm_mmu(mm), &space));
	soft_tlb_switch(tlb, space);
	soft_tlb_begin(tlb);
	VT_CHECK(soft_tlb_store(tlb, AT(0) + 128, &old, 8));
	soft_tlb_end(tlb);
}

static void finish(void)
{
	soft_tlb_detach(tlb, space);
	soft_tlb_destroy(tlb);
	stage_end();
}

/* One hit, by a pointer as it is handed out. */
static void storer(void)
{
	uint64_t *p;

	soft_tlb_begin(tlb);
	p = soft_tlb_hit(tlb, AT(0) + 128, 8, MM_ACCESS_WRITE);
	if (p)
		__atomic_store_n(p, NEW, __ATOMIC_RELAXED);
	soft_tlb_end(tlb);
}

static void unmapper(void)
{
	if (!done(mm_munmap(mm, AT(0), PAGE)))
		return;
	fault_done(stage_put(mm, 2, OTHERS));
}

static void finish_unmapped(void)
{
	if (!vt_memory_was_refused())
		stage_expect(mm, 2, OTHERS);
	finish();
}

const struct vt_scenario tlb_unmap = {
	.name = "tlb-unmap", .about = "no store into a page that was unmapped",
	.setup = setup, .finish = finish_unmapped, .flags = VT_NO_MEMORY,
	.threads = { THREAD(unmapper), THREAD(storer) },
};

static void expect_stable(struct mm_user *in)
{
	uint64_t before = 0, after = 0;

	if (!fault_done(stage_get(in, 0, &before)) || !fault_done(stage_get(in, 0, &after)))
		return;
	VT_CHECK(before == after && (before == OLD || before == NEW));
}

static void protector(void)
{
	if (done(mm_mprotect(mm, AT(0), PAGE, PROT_READ)))
		expect_stable(mm);
}

const struct vt_scenario tlb_protect = {
	.name = "tlb-protect", .about = "no store once mprotect() has returned",
	.setup = setup, .finish = finish, .flags = VT_NO_MEMORY,
	.threads = { THREAD(protector), THREAD(storer) },
};

/* Neither by the address that it had, nor in what comes after it. */
static void mover(void)
{
	long addr = mm_mremap(mm, AT(0), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, AT(4));

	if (!done(addr) || !done(mm_munmap(mm, AT(4), PAGE)))
		return;
	fault_done(stage_put(mm, 2, OTHERS));
}

const struct vt_scenario tlb_move = {
	.name = "tlb-move", .about = "no store by the address that a page had",
	.setup = setup, .finish = finish_unmapped, .flags = VT_NO_MEMORY,
	.threads = { THREAD(mover), THREAD(storer) },
};

/* Shared with a child, and in the TLB to be read. */
static void setup_shared(void)
{
	setup();
	VT_CHECK(!mm_fork(mm, &other));
	soft_tlb_begin(tlb);
	VT_CHECK(soft_tlb_read(tlb, AT(0) + 128, 8));
	soft_tlb_end(tlb);
}

/* The last who has the old page lets go of it; its frame is somebody else's. */
static void copier(void)
{
	if (!fault_done(stage_put(mm, 0, NEW)) || !done(mm_munmap(other, AT(0), PAGE)))
		return;
	fault_done(stage_put(mm, 2, OTHERS));
}

static void loader(void)
{
	const uint64_t *p;
	uint64_t value;

	soft_tlb_begin(tlb);
	p = soft_tlb_hit(tlb, AT(0) + 128, 8, MM_ACCESS_READ);
	value = p ? __atomic_load_n(p, __ATOMIC_RELAXED) : OLD;
	soft_tlb_end(tlb);
	VT_CHECK(value == OLD || value == NEW, "%llx", (unsigned long long)value);
}

const struct vt_scenario tlb_copy = {
	.name = "tlb-copy", .about = "no load of a page of which there is a copy now",
	.setup = setup_shared, .finish = finish, .flags = VT_NO_MEMORY,
	.threads = { THREAD(copier), THREAD(loader) },
};

static void forker(void)
{
	struct mm_user *child;

	if (!done(mm_fork(mm, &child)))
		return;
	other = child;
	expect_stable(child);
}

const struct vt_scenario tlb_fork = {
	.name = "tlb-fork", .about = "no store into what the child shares",
	.setup = setup, .finish = finish, .flags = VT_NO_MEMORY,
	.threads = { THREAD(forker), THREAD(storer) },
};
