/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A virtual CPU against those who take its pages away, in every order.
 *
 * Who takes a page out of the tables writes to its frame as soon as nobody is said to use it: plainly,
 * so that an access that nothing orders before it is a data race, in whatever order the two came.
 *
 * The twins do the same without telling the TLB: a search that does not find those finds nothing.
 */
#include <vmarea/testing.h>

#include "mmu/soft.h"

#define ADDR	(3ul << 21)
#define RW	(PT_READ | PT_WRITE | PT_USER | PT_ACCESSED | PT_DIRTY)
#define OLD	0x1111111111111111ull

static struct arena *arena;
static struct pgtable pt;
static struct mmu mmu;
static struct soft_tlb *tlb;
static struct soft_tlb_space *space;
static struct page *page;

/* What was taken out is not there again. */
static enum mm_fault resolve(struct mmu *m, unsigned long addr, enum mm_access access)
{
	(void)m;
	(void)addr;
	(void)access;
	return MM_FAULT_MAPERR;
}

static void make(const struct mmu_ops *ops)
{
	struct pt_config config = { .format = &pt_format_x86_64, .levels = 3, .mmu = ops };

	VT_CHECK(!arena_create(2ul << 20, &arena));
	config.arena = arena;
	mmu_init(&mmu, &pt, resolve);
	VT_CHECK(!pt_create(&pt, &config));
	page = page_alloc(arena, 0, PAGE_ZEROED);
	VT_CHECK(page);
	*(u64 *)page_bytes(page) = OLD;
	page_get(page);
	VT_CHECK(!pt_install(&pt, NULL, ADDR, PT_PTE, PTE_NONE,
			     pte_leaf(pt.format, PT_PTE, page_pfn(page), RW)));
	VT_CHECK(!soft_tlb_create(SOFT_TLB_MIN_LOG2, &tlb));
	VT_CHECK(!soft_tlb_attach(tlb, &mmu, &space));
	soft_tlb_switch(tlb, space);
}

static void setup(void)
{
	make(&mmu.ops);
}

static void setup_untold(void)
{
	make(NULL);
}

/* The entry is there already: the access will hit, without a fence before it. */
static void warm_up(void)
{
	setup();
	soft_tlb_begin(tlb);
	VT_CHECK(soft_tlb_read(tlb, ADDR, 8));
	soft_tlb_end(tlb);
}

static void warm_up_untold(void)
{
	setup_untold();
	soft_tlb_begin(tlb);
	VT_CHECK(soft_tlb_read(tlb, ADDR, 8));
	soft_tlb_end(tlb);
}

static void finish(void)
{
	struct mmu_gather gather;

	mmu_gather_init(&gather, &pt, NULL, NULL);
	pt_zap_range(&gather, 0, pt_limit(&pt));
	pt_free_tables(&gather, 0, pt_limit(&pt));
	mmu_gather_flush(&gather);
	soft_tlb_detach(tlb, space);
	soft_tlb_destroy(tlb);
	mmu_end(&mmu);
	pt_destroy(&pt);
	page_put(page);
	port_rcu_barrier();
	arena_destroy(arena);
}

/* ------------------------------------------------------------------------------- the threads -- */

static void load(void)
{
	const u64 *p = soft_tlb_read(tlb, ADDR, 8);

	if (p)
		VT_CHECK(*p == OLD, "%llx", (unsigned long long)*p);
	else
		VT_CHECK(tlb->fault == MM_FAULT_MAPERR, "%d", tlb->fault);
}

static void run(void)
{
	soft_tlb_begin(tlb);
	load();
	soft_tlb_poll(tlb);
	load();
	soft_tlb_end(tlb);
}

/* Two sections, with nothing in between. */
static void run_twice(void)
{
	soft_tlb_begin(tlb);
	load();
	soft_tlb_end(tlb);
	soft_tlb_begin(tlb);
	load();
	soft_tlb_end(tlb);
}

static pte_t take_out(void)
{
	struct pt_slot slot;
	pte_t was = PTE_NONE;

	if (pt_slot_lock(&pt, ADDR, &slot)) {
		was = pt_slot_exchange(&slot, PTE_NONE);
		pt_slot_unlock(&slot);
	}
	return was;
}

/* The frame has another owner. */
static void zap(void)
{
	if (pte_none(take_out()))
		return;
	*(u64 *)page_bytes(page) = ~OLD;
	page_put(page);
}

/*
 * The right to write goes: the page's entry is taken out as well, and no frame is reused.  The table
 * is not locked any more while the TLB is told, so another may be telling it the same.
 */
static void protect(void)
{
	pt_protect_range(&pt, ADDR, ADDR + PAGE_SIZE, PT_READ);
}

/* A range so large that the space gets a new ASID. */
static void zap_all(void)
{
	struct mmu_gather gather;

	mmu_gather_init(&gather, &pt, NULL, NULL);
	pt_zap_range(&gather, ADDR, ADDR + PAGE_SIZE);
	gather.start = 0;
	mmu_gather_flush(&gather);
	*(u64 *)page_bytes(page) = ~OLD;
}

static const struct vt_scenario hit_zap = {
	.name = "hit-zap", .about = "a hit is over before the frame is another's",
	.setup = warm_up, .finish = finish,
	.threads = { { "vcpu", run }, { "zap", zap } },
};

static const struct vt_scenario miss_zap = {
	.name = "miss-zap", .about = "an entry is not made of what was just taken out",
	.setup = setup, .finish = finish,
	.threads = { { "vcpu", run }, { "zap", zap } },
};

static const struct vt_scenario sections_zap = {
	.name = "sections-zap", .about = "entering sees what was forgotten outside",
	.setup = warm_up, .finish = finish,
	.threads = { { "vcpu", run_twice }, { "zap", zap } },
};

static const struct vt_scenario hit_zap_all = {
	.name = "hit-zap-all", .about = "the same, for a space that gets a new ASID",
	.setup = warm_up, .finish = finish,
	.threads = { { "vcpu", run }, { "zap", zap_all } },
};

static const struct vt_scenario protect_zap = {
	.name = "protect-zap",
	.about = "an entry that another has taken out may still be used: it is waited for",
	.setup = warm_up, .finish = finish,
	.threads = { { "vcpu", run }, { "zap", zap }, { "protect", protect } },
};

static const struct vt_scenario twin_hit = {
	.name = "twin-hit", .about = "not told: must be found",
	.setup = warm_up_untold, .finish = finish,
	.threads = { { "vcpu", run }, { "zap", zap } },
};

static const struct vt_scenario twin_miss = {
	.name = "twin-miss", .about = "not told: must be found",
	.setup = setup_untold, .finish = finish,
	.threads = { { "vcpu", run }, { "zap", zap } },
};

int main(int argc, char **argv)
{
	static const struct vt_scenario *const all[] = {
		&hit_zap, &miss_zap, &sections_zap, &hit_zap_all, &protect_zap, &twin_hit, &twin_miss,
		NULL,
	};

	return vt_main(argc, argv, all);
}
