/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * 2 MiB: one leaf at the PMD, or 512 below it.
 *
 * A split does not pass through "none": a fault that looks would make a table of its own.  The leaf
 * first loses its rights, so that the hardware has no translation when the smaller ones appear,
 * some machines being confused by two sizes at once; what it had noted until then goes to all 512.
 *
 * A collapse passes through "none", for its caller has to copy 512 pages in between, and holds the
 * locks under which nobody installs.
 */
#include "pgtable/table.h"

/* What entry number @i of 512 says if one at the PMD says @e. */
static pte_t part_of(const struct pt_format *f, pte_t e, unsigned long i)
{
	switch (pte_soft_type(f, e)) {
	case 0:
		return (pte_t){ ((e.raw & ~f->leaf_mark[PT_PMD]) | f->leaf_mark[PT_PTE]) +
				(i << f->pfn_shift) };
	case PT_SOFT_SWAP:
	case PT_SOFT_MIGRATE_READ:
	case PT_SOFT_MIGRATE_WRITE:
		return (pte_t){ e.raw + (i << PT_SOFT_NUMBER_SHIFT) };
	default:
		return e;
	}
}

static bool can_split(const struct pgtable *pt, pte_t e)
{
	return !pte_none(e) && !pte_is_table(pt->format, PT_PMD, e);
}

/* The PMD's lock is held, and @table is nobody's yet. */
static void split(struct pgtable *pt, unsigned long start, pte_t *pmd, struct page *table)
{
	const struct pt_format *f = pt->format;
	pte_t *entries = pt_table_entries(table), e = pte_load(pmd);
	struct page *page = entry_page(pt, e);

	if (pte_valid(f, e)) {
		e = pte_take(pmd, pte_with_rights(f, e, 0));
		pt_invalidate(pt, start, start + PMD_SIZE, MMU_LEAVES);
	}
	if (page)
		page_get_many(page_head(page), PT_ENTRIES - 1);
	for (unsigned long i = 0; i < PT_ENTRIES; i++)
		entries[i] = part_of(f, e, i);
	table->index = PT_PTE;
	pte_store(pmd, pte_table(f, page_pfn(table)));		/* (A) */
	atomic_add_relaxed(&pt->nr_tables, 1);
}

int pt_split(struct pgtable *pt, unsigned long addr)
	__context_unsafe("which lock it is, the entry says")
{
	pte_t seen, *pmd = pt_find_pmd(pt, addr, &seen);
	struct spinlock *lock;
	struct page *table;

	if (!pmd || !can_split(pt, seen))
		return 0;
	table = table_alloc(pt);
	if (!table)
		return -ENOMEM;
	lock = entry_lock(pt, pmd, PT_PMD);
	spin_lock(lock);
	if (can_split(pt, pte_load(pmd))) {
		split(pt, entry_start(addr, PT_PMD), pmd, table);
		table = NULL;
	}
	spin_unlock(lock);
	if (table)
		table_free(table);
	return 0;
}

int pt_split_edges(struct pgtable *pt, unsigned long start, unsigned long end)
{
	if (!IS_ALIGNED(start, PMD_SIZE) && pt_split(pt, start))
		return -ENOMEM;
	if (!IS_ALIGNED(end, PMD_SIZE) && pt_split(pt, end))
		return -ENOMEM;
	return 0;
}

/* ------------------------------------------------------------------------------ collapse -- */

struct page *pt_detach_table(struct pgtable *pt, unsigned long addr)
	__context_unsafe("which locks they are, the entry says")
{
	pte_t seen, *pmd = pt_find_pmd(pt, addr, &seen);
	unsigned long start = entry_start(addr, PT_PMD);
	struct page *table = NULL;
	struct spinlock *lock;

	if (!pmd)
		return NULL;
	lock = entry_lock(pt, pmd, PT_PMD);
	spin_lock(lock);
	seen = pte_load(pmd);
	if (pte_is_table(pt->format, PT_PMD, seen)) {
		table = table_of(pt, seen);
		spin_lock_nested(&table->table_lock, 1);
		pte_store(pmd, PTE_NONE);			/* (A) */
		spin_unlock(&table->table_lock);
	}
	spin_unlock(lock);
	if (table)
		pt_invalidate(pt, start, start + PMD_SIZE, MMU_TABLES);
	return table;
}

void pt_attach_table(struct pgtable *pt, unsigned long addr, struct page *table)
	__context_unsafe("which lock it is, the entry says")
{
	pte_t seen, *pmd = pt_find_pmd(pt, addr, &seen);
	struct spinlock *lock = entry_lock(pt, pmd, PT_PMD);

	spin_lock(lock);
	VM_BUG_ON(!pte_none(pte_load(pmd)), "something is at %lx", addr);
	pte_store(pmd, pte_table(pt->format, page_pfn(table)));	/* (A) */
	spin_unlock(lock);
}

void pt_drop_table(struct mmu_gather *gather, unsigned long addr, struct page *table)
{
	unsigned long at = entry_start(addr, PT_PMD), end = at + PMD_SIZE;

	while (at < end) {
		if (gather->nr == GATHER_ENTRIES)
			mmu_gather_flush(gather);
		spin_lock(&table->table_lock);
		at = zap_table(gather, table, at, end);
		spin_unlock(&table->table_lock);
	}
	gather_table(gather, table, end - PMD_SIZE, end);
}
