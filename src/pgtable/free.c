/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Free: tables that serve nobody any more.
 *
 * A table goes if all of what it reaches over lies in the hole [floor, ceiling) that a range left:
 *
 *	      floor                                    ceiling
 *	VMA |   .  start   range that was zapped   end    .   | VMA
 *	 | PTE table | PTE table | PTE table | PTE table | PTE table |
 *	   stays       goes        goes        goes         stays
 *
 * Only tables that reach into the range are looked at.  All others serve an area, or did when the
 * last range that they reached into was left: no table is made that serves none.  So it costs what
 * the range has in tables, however large the hole is.
 *
 * The two at the ends serve the neighbours as well, whose faults may install in them right now.
 * From the bottom up: what a table points to goes before it.  Nobody can find the range, so nobody
 * installs in what goes; but a lockless reader may be inside, and the hardware may remember the
 * way: hence the gather.
 */
#include "pgtable/table.h"

static void check_empty(const struct page *table)
{
	if (!VMAREA_DEBUG)
		return;
	for (unsigned long i = 0; i < PT_ENTRIES; i++)
		VM_BUG_ON(!pte_none(pte_load(pt_table_entries(table) + i)),
			  "table %lu is freed with entry %lu", page_pfn(table), i);
}

void gather_table(struct mmu_gather *gather, struct page *table, unsigned long start,
		  unsigned long end)
{
	table->next = gather->tables;
	gather->tables = table;
	gather_range(gather, start, end);
	atomic_sub_relaxed(&gather->pt->nr_tables, 1);
}

/* A PTE table's own lock as well: who waits for it looks at the PMD entry again. */
static void unlink(struct mmu_gather *gather, pte_t *entry, unsigned int level, unsigned long start)
	__context_unsafe("which lock it is, the level says")
{
	struct pgtable *pt = gather->pt;
	struct spinlock *lock = entry_lock(pt, entry, level);
	struct page *table = table_of(pt, pte_load(entry));

	check_empty(table);
	VM_BUG_ON(table->next, "table %lu is freed with tables put aside", page_pfn(table));
	spin_lock(lock);
	if (level == PT_PMD)
		spin_lock_nested(&table->table_lock, 1);
	pte_store(entry, PTE_NONE);				/* (A) */
	if (level == PT_PMD)
		spin_unlock(&table->table_lock);
	spin_unlock(lock);
	gather_table(gather, table, start, start + level_reach(level));
}

/* The tables below @table, of @level, whose first entry is for @base. */
static void free_below(struct mmu_gather *gather, struct page *table, unsigned int level,
		       unsigned long base, const struct pt_hole *hole)
{
	const struct pgtable *pt = gather->pt;
	const unsigned long reach = level_reach(level);
	pte_t *entries = pt_table_entries(table);
	unsigned long nth = hole->start > base ? entry_index(hole->start, level) : 0;
	unsigned long end = min(DIV_ROUND_UP(hole->end - base, reach), PT_ENTRIES);

	while ((nth = next_used(table, nth, end)) < end) {
		unsigned long start = base + nth * reach;
		pte_t e = pte_load_acquire(entries + nth);	/* (A) */

		if (pte_is_table(pt->format, level, e)) {
			if (level > PT_PMD)
				free_below(gather, table_of(pt, e), level - 1, start, hole);
			if (start >= hole->floor && start + reach <= hole->ceiling)
				unlink(gather, entries + nth, level, start);
		}
		nth++;
	}
}

void pt_free_tables_of(struct mmu_gather *gather, const struct pt_hole *hole)
{
	const struct pgtable *pt = gather->pt;

	if (hole->start < hole->end)
		free_below(gather, pt->root, pt->levels - 1, 0, hole);
}

static bool is_empty(const struct page *table)
{
	const pte_t *entry = pt_table_entries(table);

	for (unsigned long i = 0; i < PT_ENTRIES; i++)
		if (!pte_none(pte_load(entry + i)))
			return false;
	return true;
}

/* Both locks: nobody installs in the table, and who waits for it looks at the PMD entry again. */
static void free_if_empty(struct mmu_gather *gather, const struct pt_span *span)
	__context_unsafe("which locks they are, the entry says")
{
	struct pgtable *pt = gather->pt;
	struct spinlock *lock = entry_lock(pt, span->pmd, PT_PMD);
	struct page *table = NULL;
	pte_t seen;

	spin_lock(lock);
	seen = pte_load(span->pmd);
	if (pte_is_table(pt->format, PT_PMD, seen)) {
		struct page *below = table_of(pt, seen);

		spin_lock_nested(&below->table_lock, 1);
		if (is_empty(below)) {
			pte_store(span->pmd, PTE_NONE);		/* (A) */
			table = below;
		}
		spin_unlock(&below->table_lock);
	}
	spin_unlock(lock);
	if (table)
		gather_table(gather, table, span->start, span->end);
}

void pt_free_empty(struct mmu_gather *gather, unsigned long start, unsigned long end)
{
	unsigned long addr = start;
	struct pt_span span;

	while (pt_next_span(gather->pt, &addr, end, &span))
		if (span_is_whole(&span))
			free_if_empty(gather, &span);
}
