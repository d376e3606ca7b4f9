/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A fault on a swap entry.
 *
 *	find the page in the cache	not there: read it, without any lock (fault_wait()), and
 *					hold it until its lock is there
 *	try its page lock		taken: it is being read or written; wait, without any lock
 *	look again: is it the slot's?
 *	lock the table, look again
 *	    the only user, and nobody	out of the cache, and exclusive: as if it had never
 *	    else has the page		been gone
 *	    others, and it is read	read-only, and left in the cache for them
 *	    others, and it is written	a copy, made without the table's lock (anon_copy_of())
 *	the entry's use of the slot ends
 *
 * What a page is part of.  A page that was read back knows no anon_vma.  One with a single user is
 * made in the area where it comes back.  Of one that several may map it is the root of their
 * family, which all have in their chains.  One that never left the cache keeps what it had: its
 * entries came by fork from areas that had that.
 *
 * Every leaf that is made here is dirty, whatever the slot has: a clean anonymous page is one that
 * MADV_FREE has given up.
 */
#include "fault/swap.h"
#include "rmap/rmap.h"
#include "vma/anon.h"

/* What the page belongs to from now on.  Before it is mapped. */
static void adopt(const struct fault *f, struct page *page, bool exclusive)
	__must_hold(page) __must_hold_shared(vma_stable)
{
	/* Pairs with the release of vma_set_anon(). */
	const struct anon_chain *chain = atomic_load_acquire(&f->vma->anon);
	void *now = exclusive ? anon_own(chain) : anon_root(chain);

	if (!page->mapping)
		page->index = vma_pgoff_at(f->vma, f->addr);
	if (exclusive)
		page_set_flags(page, PG_EXCLUSIVE);
	/* Release pairs with anon_get(). */
	if (exclusive || !page->mapping)
		atomic_store_release(&page->mapping, now);
}

/* The entry becomes a leaf of the page, which others may have, too, unless it is @exclusive. */
static void make_leaf(const struct fault *f, struct pt_slot *slot, struct page *page,
		      bool exclusive)
	__must_hold(slot) __must_hold(page) __must_hold_shared(vma_stable)
{
	adopt(f, page, exclusive);
	page_get(page);
	atomic_add_relaxed(&page->mapcount, 1);
	pt_slot_exchange(slot, pte_leaf(f->mm->pgt->format, PT_PTE, page_pfn(page),
					fault_attrs(f, exclusive) | PT_DIRTY));
}

static bool needs_own(const struct fault *f)
	__must_hold_shared(vma_stable)
{
	return f->access == MM_ACCESS_WRITE || (f->how & FAULT_UNSHARE);
}

/* @seen is there.  FAULT_AGAIN: it is not; FAULT_COPY: a copy has to be made. */
#define FAULT_COPY	((enum mm_fault)103)
static enum mm_fault map_in(const struct fault *f, struct pt_slot *slot, pte_t seen,
			    struct page *page)
	__must_hold(slot) __must_hold(page) __must_hold_shared(vma_stable)
{
	bool exclusive;

	if (pt_slot_get(slot).raw != seen.raw)
		return FAULT_AGAIN;
	exclusive = swap_claim_page(f->mm->pgt->swap, page, pte_soft_number(seen));
	if (!exclusive && needs_own(f))
		return FAULT_COPY;
	make_leaf(f, slot, page, exclusive);
	return MM_FAULT_DONE;
}

/* FAULT_AGAIN: it is not the page, or not the entry. */
static enum mm_fault map_page(struct fault *f, pte_t seen, struct page *page)
	__must_hold(page) __must_hold_shared(vma_stable)
	__context_unsafe("the slot is on the stack")
{
	const u64 number = pte_soft_number(seen);
	enum mm_fault outcome;
	struct pt_slot slot;

	if (!swap_is_at(page, number) || !pt_slot_lock(f->mm->pgt, f->addr, &slot))
		return FAULT_AGAIN;
	outcome = map_in(f, &slot, seen, page);
	pt_slot_unlock(&slot);
	if (outcome == FAULT_COPY)
		outcome = anon_copy_of(f, seen, page);
	if (outcome == MM_FAULT_DONE)
		swap_put(f->mm->pgt->swap, number);
	return outcome;
}

enum mm_fault swap_missing(struct fault *f, pte_t seen)
{
	struct page *page = swap_find(f->mm->pgt->swap, pte_soft_number(seen));
	enum mm_fault outcome = FAULT_RETRY;

	if (page && page_trylock(page)) {
		/* Its lock keeps it, too, and who claims it has to be alone. */
		fault_let_go(f);
		outcome = map_page(f, seen, page);
		page_unlock(page);
	} else {
		f->wait_swap = pte_soft_number(seen) + 1;
	}
	if (page)
		page_put(page);
	return outcome;
}

/* As of now, and of whatever area is there. */
static bool is_there(const struct fault *f, u64 number)
{
	unsigned int level;
	pte_t e = pt_look(f->mm->pgt, f->addr, &level);

	return pte_soft_type(f->mm->pgt->format, e) == PT_SOFT_SWAP && pte_soft_number(e) == number;
}

enum mm_fault swap_wait(struct fault *f)
{
	const u64 number = f->wait_swap - 1;
	struct page *page;
	int err = swap_read_page(f->mm->pgt->swap, number, &page);

	f->wait_swap = 0;
	if (!err)
		f->held = page;
	if (err == -ENOMEM)
		return MM_FAULT_OOM;
	/* Where the slot is not wanted any more there is another entry to look at, or none. */
	return err == -EIO && is_there(f, number) ? MM_FAULT_BUS : MM_FAULT_DONE;
}

/* --------------------------------------------------------------------- without an access -- */

int swap_lose(const struct fault *f, pte_t seen)
{
	int err = pt_install(f->mm->pgt, NULL, f->addr, PT_PTE, seen, pte_soft(PT_SOFT_POISON, 0));

	if (!err)
		swap_put(f->mm->pgt->swap, pte_soft_number(seen));
	return err == -ENOMEM ? err : 0;
}

int swap_bring_in(struct fault *f, pte_t seen)
{
	struct page *page;
	int err = swap_read_page(f->mm->pgt->swap, pte_soft_number(seen), &page);

	if (err)
		return err == -ENOENT ? 0 : err;
	page_lock(page);
	/* If it is another entry by now, somebody else has brought it in, or taken it away. */
	map_page(f, seen, page);
	page_unlock(page);
	page_put(page);
	return 0;
}

struct entry_search {
	const struct pgtable *pt;
	unsigned int id;
	unsigned long addr;
	pte_t found;
};

static int is_wanted(void *arg, unsigned long addr, unsigned int level, pte_t e)
{
	struct entry_search *search = arg;

	if (pte_soft_type(search->pt->format, e) != PT_SOFT_SWAP ||
	    (search->id != SWAP_ANY && swap_area_of(pte_soft_number(e)) != search->id))
		return 0;
	search->addr = addr;
	search->found = e;
	return 1;
}

pte_t swap_next_entry(struct pgtable *pt, unsigned long *addr, unsigned long end, unsigned int id)
{
	struct entry_search search = { .pt = pt, .id = id };

	if (!pt_walk(pt, *addr, end, is_wanted, &search))
		return PTE_NONE;
	*addr = search.addr;
	return search.found;
}

void swap_will_need(const struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	struct pgtable *pt = vma->vm_mm->pgt;

	if (!pt || !pt_count(pt, PT_SWAP))
		return;
	for (; start < end; start += PAGE_SIZE) {
		pte_t e = swap_next_entry(pt, &start, end, SWAP_ANY);
		struct page *page;
		int err;

		if (pte_none(e))
			return;
		err = swap_read_page(pt->swap, pte_soft_number(e), &page);
		if (!err)
			page_put(page);
		if (err == -ENOMEM)
			return;
	}
}
