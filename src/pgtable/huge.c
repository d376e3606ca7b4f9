/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * 2 MiB: one leaf at the PMD, or 512 below it.
 *
 * A split cannot fail: the table was put aside when the leaf was made (table.h), so a part of a
 * leaf can be taken or changed anywhere and with any locks.
 *
 * It does not pass through "none": a fault that looks would make a table of its own.  The leaf
 * first loses its rights, so that the hardware has no translation when the smaller ones appear,
 * some machines being confused by two sizes at once; what it had noted until then goes to all 512.
 *
 * A driver's leaf is not split but taken out, as Linux does: who shows frames by 2 MiB is asked
 * for them again (vm_operations_struct.huge_fault).  One that may be written to is a driver's even
 * where it names the zero block, since the driver has freed what it shows: zeros never may.
 *
 * A collapse passes through "none", for its caller has to copy 512 pages in between, and holds the
 * locks under which nobody installs.
 */
#include "pgtable/table.h"

/* What entry number @i of 512 says if one at the PMD says @e. */
static pte_t part_of(const struct pgtable *pt, pte_t e, unsigned long i)
{
	const struct pt_format *f = pt->format;

	switch (pte_soft_type(f, e)) {
	case 0:
		if (pte_special(f, e) && arena_is_huge_zero(pt->arena, pte_pfn(f, e))) {
			e.raw = (e.raw & ~f->pfn_mask) |
				(u64)page_pfn(arena_zero_page(pt->arena)) << f->pfn_shift;
			i = 0;
		}
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

/* The PMD's lock is held. */
static void split(struct pgtable *pt, unsigned long start, pte_t *pmd)
{
	const struct pt_format *f = pt->format;
	struct page *table = spare_take(pt, pmd);
	pte_t *entries = pt_table_entries(table), e = pte_load(pmd);
	struct page *page = entry_page(pt, e);

	if (pte_valid(f, e)) {
		e = pte_take(pmd, pte_with_rights(f, e, 0));
		pt_invalidate(pt, start, start + PMD_SIZE, MMU_LEAVES);
	}
	if (page && pt->split_block)
		pt->split_block(page_head(page));
	else if (page)
		page_get_many(page_head(page), PT_ENTRIES - 1);
	for (unsigned long i = 0; i < PT_ENTRIES; i++)
		entries[i] = part_of(pt, e, i);
	table->index = PT_PTE;
	table->next = NULL;
	pte_store(pmd, pte_table(f, page_pfn(table)));		/* (A) */
	atomic_add_relaxed(&pt->nr_tables, 1);
}

/* Frames that nobody counts, and not the zeros. */
static bool is_drivers(const struct pgtable *pt, pte_t e)
{
	const struct pt_format *f = pt->format;

	return pte_present(f, e) && pte_special(f, e) &&
	       (pte_write(f, e) || !arena_is_huge_zero(pt->arena, pte_pfn(f, e)));
}

/* The PMD's lock is held.  The table that was put aside. */
static struct page *take_out(struct pgtable *pt, unsigned long start, pte_t *pmd)
{
	if (pte_in_use(pt, pte_take(pmd, PTE_NONE)))
		pt_invalidate(pt, start, start + PMD_SIZE, MMU_LEAVES);
	return spare_take(pt, pmd);
}

bool pt_split(struct pgtable *pt, unsigned long addr)
	__context_unsafe("which lock it is, the entry says")
{
	pte_t seen, *pmd = pt_find_pmd(pt, addr, &seen);
	unsigned long start = entry_start(addr, PT_PMD);
	struct page *spare = NULL;
	struct spinlock *lock;
	bool table;

	if (!pmd)
		return false;
	lock = entry_lock(pt, pmd, PT_PMD);
	spin_lock(lock);
	seen = pte_load(pmd);
	table = pte_is_table(pt->format, PT_PMD, seen);
	if (!table && is_drivers(pt, seen)) {
		spare = take_out(pt, start, pmd);
	} else if (!table && !pte_none(seen)) {
		split(pt, start, pmd);
		table = true;
	}
	spin_unlock(lock);
	if (spare)
		table_free(spare);
	return table;
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
