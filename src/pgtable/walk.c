/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Traverse: to look, and to lock one entry.  Nothing here makes or frees a table.
 */
#include "pgtable/table.h"

pte_t pt_look(struct pgtable *pt, unsigned long addr, unsigned int *level)
{
	pte_t seen;

	*level = PT_PTE;
	rcu_read_lock();
	pt_descend(pt, addr, level, &seen);
	rcu_read_unlock();
	return seen;
}

/* Each entry of one PTE table that is not none. */
static int walk_table(const pte_t *entries, unsigned long start, unsigned long end, pt_walk_fn *fn,
		      void *arg)
{
	for (unsigned long addr = start; addr < end; addr += PAGE_SIZE) {
		pte_t e = pte_load_acquire(entries + entry_index(addr, PT_PTE));	/* (A) */
		int ret = pte_none(e) ? 0 : fn(arg, addr, PT_PTE, e);

		if (ret)
			return ret;
	}
	return 0;
}

int pt_walk(struct pgtable *pt, unsigned long start, unsigned long end, pt_walk_fn *fn, void *arg)
{
	unsigned long addr = start;
	struct pt_span span;
	int ret = 0;

	while (!ret && pt_next_span(pt, &addr, end, &span)) {
		pte_t seen;

		rcu_read_lock();
		seen = pte_load_acquire(span.pmd);		/* (A); after the RCU lock */
		if (pte_is_table(pt->format, PT_PMD, seen))
			ret = walk_table(table_entries(pt, seen), span.start, span.end, fn, arg);
		else if (!pte_none(seen))
			ret = fn(arg, entry_start(span.start, PT_PMD), PT_PMD, seen);
		rcu_read_unlock();
	}
	return ret;
}

/* ------------------------------------------------------------------------------ gup_fast -- */

/* The frame at @addr of a leaf that allows @rights; NULL: it does not. */
static struct page *gup_page(const struct pgtable *pt, unsigned long addr, unsigned int level,
			     pte_t e, u32 rights)
{
	const u32 need = rights | PT_USER;

	if (!pte_is_leaf(pt->format, level, e) || pte_special(pt->format, e) ||
	    (pte_attrs(pt->format, e) & need) != need)
		return NULL;
	return pfn_page(pt->frames, pte_pfn(pt->format, e)) +
	       ((addr & (level_reach(level) - 1)) >> PAGE_SHIFT);
}

/*
 * The entry is the same, and is still the one for the address: a PTE table may have moved, or made
 * way for a leaf.  (C): these loads come after the reference was taken.
 */
static bool gup_unchanged(const struct pgtable *pt, unsigned long addr, unsigned int level,
			  const pte_t *entry, pte_t seen)
{
	unsigned int level_now = PT_PTE;
	pte_t now;

	return pt_descend(pt, addr, &level_now, &now) == entry && level_now == level &&
	       pte_same(pt->format, seen, now);
}

struct page *gup_fast(struct pgtable *pt, unsigned long addr, u32 rights)
{
	unsigned int level = PT_PTE;
	struct page *page, *head;
	pte_t *entry, seen;

	if (addr >= pt_limit(pt))
		return NULL;
	rcu_read_lock();
	entry = pt_descend(pt, addr, &level, &seen);
	page = gup_page(pt, addr, level, seen, rights);
	if (page) {
		head = page_head(page);
		/* (C): acquire, so the second look is after it. */
		if (!page_try_get(head)) {
			page = NULL;
		} else if (!gup_unchanged(pt, addr, level, entry, seen) ||
			   page_head(page) != head) {
			page_put(head);
			page = NULL;
		}
	}
	rcu_read_unlock();
	return page;
}

/* ------------------------------------------------------------------ as the hardware does -- */

pte_t pt_translate(struct pgtable *pt, unsigned long addr, u32 need, unsigned int *level)
{
	const struct pt_format *f = pt->format;
	const u64 note = f->accessed | (need & PT_WRITE ? f->dirty : 0);
	pte_t seen, *entry;

	if (addr >= pt_limit(pt))
		return PTE_NONE;
	need |= PT_USER;
	*level = PT_PTE;
	entry = pt_descend(pt, addr, level, &seen);
	for (;; seen = pte_load_acquire(entry)) {		/* (A) */
		if (!pte_is_leaf(f, *level, seen) || (pte_attrs(f, seen) & need) != need)
			return PTE_NONE;
		/* Release: pairs with (A), since this puts the entry of another there again. */
		if ((seen.raw & note) == note ||
		    atomic_cas_release(&entry->raw, &seen.raw, seen.raw | note))
			return (pte_t){ seen.raw | note };
	}
}

/* --------------------------------------------------------------------------------- slots -- */

static void slot_fill(struct pt_slot *slot, struct pgtable *pt, unsigned long addr,
		      unsigned int level, struct page *table)
	__context_unsafe("makes the handle of a lock")
{
	slot->pt = pt;
	slot->addr = entry_start(addr, level);
	slot->level = level;
	slot->table = table;
	slot->entry = pt_table_entries(table) + entry_index(addr, level);
}

/* A leaf or a soft entry at the PMD. */
static bool slot_lock_pmd(struct pgtable *pt, unsigned long addr, pte_t *pmd, struct pt_slot *slot)
	__context_unsafe("makes the handle of a lock")
{
	struct page *table = table_around(pt, pmd);
	pte_t e;

	spin_lock(&table->table_lock);
	e = pte_load(pmd);
	if (!pte_none(e) && !pte_is_table(pt->format, PT_PMD, e)) {
		slot_fill(slot, pt, addr, PT_PMD, table);
		return true;
	}
	spin_unlock(&table->table_lock);
	return false;
}

bool pt_slot_lock(struct pgtable *pt, unsigned long addr, struct pt_slot *slot)
	__context_unsafe("makes the handle of a lock")
{
	pte_t seen, *pmd = pt_find_pmd(pt, addr, &seen);
	struct page *table;

	if (!pmd)
		return false;
	while (!pte_none(seen)) {
		table = table_lock(pt, pmd, 0);
		if (table) {
			slot_fill(slot, pt, addr, PT_PTE, table);
			return true;
		}
		if (slot_lock_pmd(pt, addr, pmd, slot))
			return true;
		seen = pte_load(pmd);
	}
	return false;
}

void pt_slot_unlock(struct pt_slot *slot)
	__context_unsafe("ends the handle of a lock")
{
	spin_unlock(&slot->table->table_lock);
}

bool pt_slot_next(struct pt_slot *slot)
{
	if (slot->level != PT_PTE || entry_index(slot->addr, PT_PTE) == PT_ENTRIES - 1)
		return false;
	slot->addr += PAGE_SIZE;
	slot->entry++;
	return true;
}
