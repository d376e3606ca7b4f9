/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Move: entries to another address, for mremap().
 *
 * The pages stay where they are, so no reference is taken or put.  Where both addresses are alike
 * within 2 MiB, a whole PMD entry moves, table or leaf:
 *
 *	from    |  PMD  |  PMD  |  PMD  |		to    |  PMD  |  PMD  |  PMD  |
 *	           a       b       c     	               a       b       c
 *
 * else single entries do, into tables of the new place.
 *
 * The caller holds everything, so nobody installs, zaps or finds the range by the reverse map; but
 * lockless readers look, and the hardware notes.  Both tables are locked, the one of the lower
 * address first.  The old place is invalidated at the end: until then a write by its address still
 * reaches the page, which the locks of the reverse map keep from being freed.
 */
#include "pgtable/table.h"

/* Is there room at @to for the PMD entry itself? */
static bool moves_whole(struct pgtable *pt, const struct pt_span *span, unsigned long to)
{
	pte_t seen, *pmd;

	if (span->end - span->start != PMD_SIZE || !IS_ALIGNED(to, PMD_SIZE))
		return false;
	pmd = pt_find_pmd(pt, to, &seen);
	return !pmd || pte_none(seen);
}

int pt_move_prepare(struct pgtable *pt, struct pt_stash *stash, unsigned long from,
		    unsigned long to, unsigned long bytes)
{
	struct pt_missing missing = { 0 };
	unsigned long addr = from;
	struct pt_span span;

	while (pt_next_span(pt, &addr, from + bytes, &span)) {
		unsigned long there = span.start - from + to;
		unsigned long last = span.end - 1 - from + to;

		if (moves_whole(pt, &span, there)) {
			missing_add(pt, &missing, there, PT_PMD);
			continue;
		}
		pt_split(pt, span.start);
		missing_add(pt, &missing, there, PT_PTE);
		missing_add(pt, &missing, last, PT_PTE);
	}
	return stash_fill(pt, stash, missing.nr);
}

static pte_t take(const struct pgtable *pt, pte_t *entry)
{
	pte_t e = pte_load(entry);

	if (pte_valid(pt->format, e))
		return pte_take(entry, PTE_NONE);
	pte_store(entry, PTE_NONE);				/* (A) */
	return e;
}

/*
 * The table below is locked as well: who waits for it looks at the PMD entry again.  A leaf has its
 * spare table with it.
 */
static void move_pmd(struct pgtable *pt, const struct pt_span *span, pte_t *to, bool up)
	__context_unsafe("which locks they are, the entries say")
{
	struct spinlock *ours = entry_lock(pt, span->pmd, PT_PMD);
	struct spinlock *theirs = entry_lock(pt, to, PT_PMD);
	struct spinlock *first = up ? ours : theirs, *second = up ? theirs : ours;
	struct page *table = NULL;

	spin_lock(first);
	if (second != first)
		spin_lock_nested(second, 1);
	if (pte_is_table(pt->format, PT_PMD, pte_load(span->pmd))) {
		table = table_of(pt, pte_load(span->pmd));
		spin_lock_nested(&table->table_lock, 2);
	}
	VM_BUG_ON(!pte_none(pte_load(to)), "something is at the new place");
	pte_store(to, take(pt, span->pmd));			/* (A) */
	if (table)
		spin_unlock(&table->table_lock);
	else if (!pte_none(pte_load(to)))
		spare_put(pt, to, spare_take(pt, span->pmd));
	if (second != first)
		spin_unlock(second);
	spin_unlock(first);
}

/* The part of a span that goes to one PTE table. */
struct piece {
	unsigned long from, to, bytes;
};

static void move_ptes(struct pgtable *pt, const struct piece *piece, pte_t *from, pte_t *to)
{
	for (unsigned long done = 0; done < piece->bytes; done += PAGE_SIZE, from++, to++) {
		if (pte_none(pte_load(from)))
			continue;
		VM_BUG_ON(!pte_none(pte_load(to)), "something is at %lx", piece->to + done);
		pte_store(to, take(pt, from));			/* (A) */
	}
}

/* A table that serves both places may have been made a moment ago, for what has moved already. */
static bool is_empty(const struct pgtable *pt, const struct piece *piece)
{
	unsigned int level = PT_PTE;
	pte_t seen, *from = pt_descend(pt, piece->from, &level, &seen);

	for (unsigned long i = 0; i < piece->bytes >> PAGE_SHIFT; i++)
		if (!pte_none(pte_load(from + i)))
			return false;
	return true;
}

static void move_piece(struct pgtable *pt, struct pt_stash *stash, const struct piece *piece)
	__context_unsafe("see table_lock()")
{
	pte_t seen, *there = make_tables(pt, stash, piece->to, PT_PTE);
	pte_t *ours = pt_find_pmd(pt, piece->from, &seen);
	pte_t *theirs = pt_find_pmd(pt, piece->to, &seen);
	bool up = piece->from < piece->to;
	struct page *first = table_lock(pt, up ? ours : theirs, 0);
	struct page *second = ours == theirs ? first : table_lock(pt, up ? theirs : ours, 1);

	VM_BUG_ON(!there || !first || !second, "nothing was prepared at %lx", piece->to);
	move_ptes(pt, piece, pt_table_entries(up ? first : second) +
			     entry_index(piece->from, PT_PTE), there);
	if (second != first)
		table_unlock(second);
	table_unlock(first);
}

/*
 * Where there was a table there is one afterwards, entries or not: as on Linux, where a fault then
 * finds no room for 2 MiB.  @ahead: the table was there when the move was prepared.
 */
static void move_span(struct pgtable *pt, struct pt_stash *stash, const struct pt_span *span,
		      unsigned long to, bool ahead)
{
	struct piece piece = { .from = span->start, .to = to };

	for (; piece.from < span->end; piece.from += piece.bytes, piece.to += piece.bytes) {
		piece.bytes = min(span->end - piece.from,
				  entry_end(piece.to, PT_PMD, ~0ul) - piece.to);
		if (!is_empty(pt, &piece))
			move_piece(pt, stash, &piece);
		else if (ahead && !make_tables(pt, stash, piece.to, PT_PTE))
			VM_BUG_ON(true, "nothing was prepared at %lx", piece.to);
	}
}

/* A table that reaches into the new place may be one that the move has made. */
static bool was_ahead(const struct pt_span *span, unsigned long to, unsigned long bytes)
{
	return entry_end(span->start, PT_PMD, ~0ul) <= to ||
	       entry_start(span->start, PT_PMD) >= to + bytes;
}

void pt_move_range(struct pgtable *pt, struct pt_stash *stash, unsigned long from, unsigned long to,
		   unsigned long bytes)
{
	enum mmu_reach reach = MMU_LEAVES;
	unsigned long addr = from;
	struct pt_span span;

	while (pt_next_span(pt, &addr, from + bytes, &span)) {
		unsigned long there = span.start - from + to;

		if (moves_whole(pt, &span, there)) {
			pte_t *pmd = make_tables(pt, stash, there, PT_PMD);

			VM_BUG_ON(!pmd, "nothing was prepared at %lx", there);
			move_pmd(pt, &span, pmd, from < to);
			reach = MMU_TABLES;
		} else {
			move_span(pt, stash, &span, there, was_ahead(&span, to, bytes));
		}
	}
	pt_invalidate(pt, from, from + bytes, reach);
}
