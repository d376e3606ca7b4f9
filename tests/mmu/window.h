/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the tests of windows share: an mm of rights alone, whose pages come with the first access. */
#ifndef TESTS_MMU_WINDOW_H
#define TESTS_MMU_WINDOW_H

#include "../pgtable/space.h"
#include "mmu/host.h"

#define START		(PMD_SIZE * 7)

/* Rights by page, 0: no area. */
struct world {
	struct mmu mmu;
	struct space space;
	struct host_window *window;
	unsigned long nr_pages;
	u32 *rights;			/* atomic: PT_* */
	bool zeros;			/* reads get the zero page */
	unsigned long resolved;		/* atomic */
};

static inline u32 *rights_at(struct world *w, unsigned long addr)
{
	unsigned long i = (addr - START) >> PAGE_SHIFT;

	return addr >= START && i < w->nr_pages ? &w->rights[i] : NULL;
}

/* A fault, as far as it is needed here: pages at first access, copied from the zero page by a write. */
static inline enum mm_fault world_resolve(struct mmu *mmu, unsigned long addr,
					  enum mm_access access)
{
	struct world *w = container_of(mmu, struct world, mmu);
	struct pgtable *pt = &w->space.pt;
	u32 *rights = rights_at(w, addr), now = rights ? atomic_load_relaxed(rights) : 0;
	struct page *page;
	struct pt_slot slot;
	pte_t seen;

	atomic_add_relaxed(&w->resolved, 1);
	if (!now)
		return MM_FAULT_MAPERR;
	if (!(now & mmu_rights(access)))
		return MM_FAULT_ACCERR;
	addr = ALIGN_DOWN(addr, PAGE_SIZE);
	seen = look(pt, addr);
	if (pte_present(pt->format, seen) && !pte_special(pt->format, seen)) {
		if (!pt_slot_lock(pt, addr, &slot))
			return MM_FAULT_DONE;
		if (pte_same(pt->format, seen, pt_slot_get(&slot)))
			pt_slot_change(&slot, (struct pt_change){
				       .set = pt->format->rights[now & PT_RIGHTS] });
		pt_slot_unlock(&slot);
		return MM_FAULT_DONE;
	}
	if (w->zeros && access == MM_ACCESS_READ) {
		if (pt_install(pt, NULL, addr, PT_PTE, seen,
			       pte_leaf(pt->format, PT_PTE, page_pfn(arena_zero_page(pt->arena)),
					PT_READ | PT_USER | PT_SPECIAL)) == -ENOMEM)
			return MM_FAULT_OOM;
		return MM_FAULT_DONE;
	}
	page = page_alloc(pt->arena, 0, PAGE_ZEROED);
	if (!page)
		return MM_FAULT_OOM;
	if (pt_install(pt, NULL, addr, PT_PTE, seen,
		       pte_leaf(pt->format, PT_PTE, page_pfn(page), now | PT_USER)))
		page_put(page);
	return MM_FAULT_DONE;
}

static inline void world_make(struct world *w, unsigned long nr_pages, unsigned long arena_mib,
			      const struct host_window_config *more)
{
	struct host_window_config config = *more;

	memset(w, 0, sizeof(*w));
	w->nr_pages = nr_pages;
	w->rights = calloc(nr_pages, sizeof(w->rights[0]));
	assert_non_null(w->rights);
	mmu_init(&w->mmu, &w->space.pt, world_resolve);
	space_make(&w->space, &machines[0], arena_mib, &w->mmu.ops);
	config.size = sizeof(config);
	config.start = START;
	config.bytes = ALIGN(nr_pages * PAGE_SIZE, HOST_WINDOW_ALIGN);
	assert_int_equal(host_window_create(&w->mmu, &config, &w->window), 0);
}

static inline void world_end(struct world *w)
{
	host_window_destroy(w->window);
	mmu_end(&w->mmu);
	space_end(&w->space);
	free(w->rights);
}

static inline void allow(struct world *w, unsigned long first, unsigned long nr, u32 rights)
{
	for (unsigned long i = first; i < first + nr; i++)
		atomic_store_relaxed(&w->rights[i], rights);
}

static inline unsigned long addr_at(unsigned long page)
{
	return START + page * PAGE_SIZE;
}

/* A plain word of a page, as a program sees it. */
static inline volatile u64 *word_at(struct world *w, unsigned long page)
{
	return host_window_at(w->window, addr_at(page));
}

/* The same in the arena. */
static inline u64 *frame_at(struct world *w, unsigned long page)
{
	pte_t e = look(&w->space.pt, addr_at(page));

	assert_true(pte_present(w->space.pt.format, e));
	return pfn_bytes(w->space.pt.frames, pte_pfn(w->space.pt.format, e));
}

static inline struct host_window_stats stats_of(struct world *w)
{
	struct host_window_stats stats;

	host_window_get_stats(w->window, &stats);
	return stats;
}

#endif
