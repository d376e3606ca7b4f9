/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Change: what an entry says about its page, and not which page it is.
 *
 * Each entry is changed by compare-and-swap, so that nothing that the hardware notes at the same
 * time is lost.  A range is invalidated once, at its end, from the first entry to the last that
 * says less than before; until the call returns a translation may still allow what the entry does
 * not.  Who takes an entry out by the reverse map meanwhile invalidates what he finds there, unless
 * it says that nobody has a translation: so a change that makes entries say so is counted (E).
 */
#include "pgtable/table.h"

struct change_op {
	struct pgtable *pt;
	struct pt_change change;
	u32 migrate_rights;			/* what migration entries keep of theirs */
	u32 migrate_clear, migrate_set;		/* marks of theirs */
	unsigned long nr;			/* entries that differ now */
	unsigned long start, end;		/* to invalidate; empty: start >= end */
};

static void change_soft(struct change_op *op, pte_t *entry, pte_t e)
{
	pte_t now;

	if (!pte_is_migrate(op->pt->format, e))
		return;
	now = pte_migrate_limit(op->pt->format, e, op->migrate_rights);
	now = pte_migrate_mark(now, op->migrate_clear, op->migrate_set);
	if (now.raw == e.raw)
		return;
	pte_store(entry, now);					/* (A) */
	op->nr++;
}

static void change_entry(struct change_op *op, unsigned long addr, unsigned int level, pte_t *entry)
{
	const struct pt_format *f = op->pt->format;
	pte_t old = pte_load(entry), now;

	if (!pte_present(f, old)) {
		change_soft(op, entry, old);
		return;
	}
	old = pte_apply(entry, op->change, &now);
	op->nr += old.raw != now.raw;
	if (pte_in_use(op->pt, old) && pte_is_less(f, old, now)) {
		op->start = min(op->start, addr);
		op->end = max(op->end, addr + level_reach(level));
	}
}

static void change_table(struct change_op *op, struct page *table, const struct pt_span *span)
{
	pte_t *entry = pt_table_entries(table) + entry_index(span->start, PT_PTE);

	for (unsigned long addr = span->start; addr < span->end; addr += PAGE_SIZE, entry++)
		change_entry(op, addr, PT_PTE, entry);
}

/* All of the entry.  False: by now there is a table. */
static bool change_pmd(struct change_op *op, const struct pt_span *span)
	__context_unsafe("which lock it is, the entry says")
{
	struct spinlock *lock = entry_lock(op->pt, span->pmd, PT_PMD);
	bool table;

	spin_lock(lock);
	table = pte_is_table(op->pt->format, PT_PMD, pte_load(span->pmd));
	if (!table && !pte_none(pte_load(span->pmd)))
		change_entry(op, span->start, PT_PMD, span->pmd);
	spin_unlock(lock);
	return !table;
}

static void change_span(struct change_op *op, const struct pt_span *span)
	__context_unsafe("see table_lock()")
{
	do {
		struct page *table = table_lock(op->pt, span->pmd, 0);

		if (table) {
			change_table(op, table, span);
			table_unlock(table);
			return;
		}
	} while (span_is_whole(span) ? !change_pmd(op, span) : pt_split(op->pt, span->start));
}

static unsigned long change_range(struct change_op *op, unsigned long start, unsigned long end)
{
	const bool hides = op->change.clear & ~op->change.set & op->pt->format->valid;
	unsigned long addr = start;
	struct pt_span span;

	op->start = ~0ul;
	if (hides)
		atomic_add_relaxed(&op->pt->nr_hiding, 1);
	while (pt_next_span(op->pt, &addr, end, &span))
		change_span(op, &span);
	if (op->start < op->end)
		pt_invalidate(op->pt, op->start, op->end, MMU_LEAVES);
	if (hides)
		atomic_sub_release(&op->pt->nr_hiding, 1);	/* (E) */
	return op->nr;
}

unsigned long pt_change_range(struct pgtable *pt, unsigned long start, unsigned long end,
			      struct pt_change change)
{
	struct change_op op = { .pt = pt, .change = change, .migrate_rights = PT_RIGHTS };

	return change_range(&op, start, end);
}

/* Where writing is allowed, the bit for it is left alone. */
unsigned long pt_protect_range(struct pgtable *pt, unsigned long start, unsigned long end,
			       u32 rights)
{
	const struct pt_format *f = pt->format;
	u32 granted = rights & PT_WRITE ? (rights & ~PT_WRITE) | PT_READ : rights;
	struct change_op op = {
		.pt = pt,
		.change = {
			.clear = f->rights_mask & ~(rights & PT_WRITE ? f->write : 0),
			.set = f->rights[granted & PT_RIGHTS],
		},
		.migrate_rights = rights,
	};

	return change_range(&op, start, end);
}

unsigned long pt_user_wp_range(struct pgtable *pt, unsigned long start, unsigned long end,
			       enum pt_user_wp on)
{
	const struct pt_format *f = pt->format;
	struct change_op protect = {
		.pt = pt, .change = { .clear = f->write, .set = f->user_wp },
		.migrate_rights = PT_RIGHTS & ~PT_WRITE, .migrate_set = PT_USER_WP,
	};
	struct change_op allow = {
		.pt = pt, .change = { .clear = f->user_wp },
		.migrate_rights = PT_RIGHTS, .migrate_clear = PT_USER_WP,
	};

	return change_range(on == PT_USER_PROTECT ? &protect : &allow, start, end);
}

pte_t pt_slot_change(struct pt_slot *slot, struct pt_change change)
{
	struct pgtable *pt = slot->pt;
	pte_t old = pte_load(slot->entry), now;

	if (!pte_present(pt->format, old))
		return old;
	old = pte_apply(slot->entry, change, &now);
	if (pte_in_use(pt, old) && pte_is_less(pt->format, old, now))
		pt_invalidate(pt, slot->addr, slot->addr + level_reach(slot->level), MMU_LEAVES);
	return old;
}
