/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Zap: from present to empty; and the gather that collects what was taken out.
 *
 * The order in which a page goes is the whole point (B):
 *
 *	1. the entry is taken out, under its lock, with what the hardware noted last
 *	2. every translation of it is invalidated
 *	3. the owner is told (reverse map, dirty, swap slot)
 *	4. the reference is put, and the frame may be used for something else
 *
 * 2 is dear, so it is done once for up to GATHER_ENTRIES of 1.  When the gather is full in the
 * middle of a table, the lock is given back and the rest of it is done after 4.
 */
#include "pgtable/table.h"

static const struct gather_ops no_ops;

static void forget_range(struct mmu_gather *gather)
{
	gather->start = ~0ul;
	gather->end = 0;
}

void mmu_gather_init(struct mmu_gather *gather, struct pgtable *pt, const struct gather_ops *ops,
		     void *arg)
{
	gather->pt = pt;
	gather->ops = ops ? ops : &no_ops;
	gather->arg = arg;
	gather->tables = NULL;
	gather->nr = 0;
	forget_range(gather);
}

static void free_tables_rcu(struct port_rcu_head *head)
{
	struct page *table = container_of(head, struct page, rcu);

	while (table) {
		struct page *next = table->next;

		table_free(table);
		table = next;
	}
}

static void report_zapped(struct mmu_gather *gather)
{
	for (unsigned int i = 0; i < gather->nr; i++) {
		const struct pt_zapped *zapped = &gather->zapped[i];

		if (gather->ops->removed)
			gather->ops->removed(gather, zapped);
		if (zapped->page)
			page_put(page_head(zapped->page));
	}
	gather->nr = 0;
}

void mmu_gather_flush(struct mmu_gather *gather)
{
	struct page *tables = gather->tables;

	if (gather->start < gather->end)
		pt_invalidate(gather->pt, gather->start, gather->end,
			      tables ? MMU_TABLES : MMU_LEAVES);
	forget_range(gather);
	report_zapped(gather);
	gather->tables = NULL;
	if (tables)
		port_call_rcu(&tables->rcu, free_tables_rcu);	/* (D) */
}

void gather_range(struct mmu_gather *gather, unsigned long start, unsigned long end)
{
	gather->start = min(gather->start, start);
	gather->end = max(gather->end, end);
}

/* Takes out one entry; the gather has room. */
static void zap_entry(struct mmu_gather *gather, struct pt_zapped at, pte_t *entry,
		      struct pt_sums *sums)
{
	struct pgtable *pt = gather->pt;
	pte_t e = pte_load(entry);

	if (pte_none(e))
		return;
	if (gather->ops->keep && gather->ops->keep(gather, at.addr, at.level, e))
		return;
	if (pte_in_use(pt, e)) {
		e = pte_take(entry, PTE_NONE);
		gather_range(gather, at.addr, at.addr + level_reach(at.level));
	} else {
		pte_store(entry, PTE_NONE);			/* (A) */
	}
	if (gather->ops->moved && pte_is_migrate(pt->format, e))
		gather->ops->moved(gather, e);
	sums_add(sums, pt, at.level, e, -1);
	at.entry = e;
	at.page = entry_page(pt, e);
	gather->zapped[gather->nr++] = at;
}

unsigned long zap_table(struct mmu_gather *gather, struct page *table, unsigned long start,
			unsigned long end)
{
	pte_t *entry = pt_table_entries(table) + entry_index(start, PT_PTE);
	struct pt_zapped at = { .addr = start, .level = PT_PTE };
	struct pt_sums sums = { 0 };

	for (; at.addr < end && gather->nr < GATHER_ENTRIES; at.addr += PAGE_SIZE, entry++)
		zap_entry(gather, at, entry, &sums);
	pt_add_sums(gather->pt, &sums);
	return at.addr;
}

/* A leaf or a soft entry at the PMD, all of it.  False: by now there is a table. */
static bool zap_pmd(struct mmu_gather *gather, const struct pt_span *span)
	__context_unsafe("which lock it is, the entry says")
{
	struct pt_zapped at = { .addr = span->start, .level = PT_PMD };
	struct pgtable *pt = gather->pt;
	struct spinlock *lock = entry_lock(pt, span->pmd, PT_PMD);
	struct pt_sums sums = { 0 };
	struct page *spare = NULL;
	bool table;

	spin_lock(lock);
	table = pte_is_table(pt->format, PT_PMD, pte_load(span->pmd));
	if (!table && !pte_none(pte_load(span->pmd))) {
		zap_entry(gather, at, span->pmd, &sums);
		if (pte_none(pte_load(span->pmd)))
			spare = spare_take(pt, span->pmd);
	}
	spin_unlock(lock);
	pt_add_sums(pt, &sums);
	if (spare)
		table_free(spare);
	return !table;
}

/* A part of such an entry.  False: now there is a table. */
static bool zap_pmd_part(struct mmu_gather *gather, const struct pt_span *span)
{
	pte_t e = pte_load_acquire(span->pmd);			/* (A) */

	if (!pte_is_table(gather->pt->format, PT_PMD, e) && gather->ops->keep &&
	    gather->ops->keep(gather, entry_start(span->start, PT_PMD), PT_PMD, e))
		return true;
	return !pt_split(gather->pt, span->start);
}

static void zap_span(struct mmu_gather *gather, const struct pt_span *span)
	__context_unsafe("see table_lock()")
{
	unsigned long at = span->start;

	while (at < span->end) {
		struct page *table;

		if (gather->nr == GATHER_ENTRIES)
			mmu_gather_flush(gather);
		table = table_lock(gather->pt, span->pmd, 0);
		if (table) {
			at = zap_table(gather, table, at, span->end);
			table_unlock(table);
		} else if (span_is_whole(span) ? zap_pmd(gather, span) :
						 zap_pmd_part(gather, span)) {
			return;
		}
	}
}

void pt_zap_range(struct mmu_gather *gather, unsigned long start, unsigned long end)
{
	unsigned long addr = start;
	struct pt_span span;

	while (pt_next_span(gather->pt, &addr, end, &span))
		zap_span(gather, &span);
}
