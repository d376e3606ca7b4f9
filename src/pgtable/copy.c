/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Copy: what a fork gives to the child.
 *
 * The parent's mmap write lock is held, so nothing is installed in it meanwhile; but the reverse
 * map may take entries out, and the hardware may note things.  For each PTE table of the parent the
 * child gets one, and both are locked while entries are copied, the child's first.
 *
 * Shared by copy-on-write means that neither may write.  The parent loses the right by one atomic
 * step; what is accessed or dirty stays noted there and starts anew in the child.  The parent's
 * translations are invalidated at the end, before the copy can be used.
 */
#include "pgtable/table.h"

struct copy_op {
	struct pt_copy *copy;
	struct pt_stash stash;
	unsigned long start, end;		/* the parent's, to invalidate */
	struct pt_sums sums;			/* the child's */
};

static pte_t copy_leaf(struct copy_op *op, unsigned long addr, unsigned int level, pte_t *from,
		       pte_t e, int share)
{
	const struct pt_format *f = op->copy->from->format;

	/* Who answers in the parent is not asked in the child. */
	e.raw &= ~(f->accessed | f->user_wp);
	if (share != PT_COPY_COW) {
		e.raw &= ~f->dirty;
		return e;
	}
	if (pte_write(f, e)) {
		atomic_and_relaxed(&from->raw, ~f->write);
		if (pte_valid(f, e)) {
			op->start = min(op->start, addr);
			op->end = max(op->end, addr + level_reach(level));
		}
	}
	return pte_wrprotect(f, e);
}

static pte_t copy_soft(const struct copy_op *op, pte_t *from, pte_t e, int share)
{
	if (share == PT_COPY_COW && pte_is_migrate(op->copy->from->format, e)) {
		e = pte_migrate_limit(op->copy->from->format, e, PT_RIGHTS & ~PT_WRITE);
		pte_store(from, e);				/* (A) */
	}
	if (pte_is_migrate(op->copy->from->format, e))
		e = pte_migrate_mark(e, PT_USER_WP, 0);
	return e;
}

/* 0, or what decide() wants to stop for. */
static int copy_entry(struct copy_op *op, unsigned long addr, unsigned int level, pte_t *from,
		      pte_t *to)
{
	struct pt_copy *copy = op->copy;
	pte_t e = pte_load(from);
	struct page *page;
	int share;

	if (pte_none(e))
		return 0;
	page = entry_page(copy->from, e);
	share = copy->decide(copy, addr, level, e, page);
	if (share < 0 || share == PT_COPY_SKIP)
		return min(share, 0);
	if (pte_present(copy->from->format, e))
		e = copy_leaf(op, addr, level, from, e, share);
	else
		e = copy_soft(op, from, e, share);
	if (page)
		page_get(page_head(page));
	pte_store(to, e);					/* (A) */
	sums_add(&op->sums, copy->to, level, e, 1);
	return 0;
}

static int copy_table(struct copy_op *op, const struct pt_span *span, struct page *from,
		      pte_t *to)
{
	pte_t *entries = pt_table_entries(from);
	int err = 0;

	for (unsigned long addr = span->start; addr < span->end; addr += PAGE_SIZE, to++) {
		op->copy->next = addr;
		err = copy_entry(op, addr, PT_PTE, entries + entry_index(addr, PT_PTE), to);
		if (err)
			break;
	}
	return err;
}

/* Not an error: the parent's PMD entry has become one of the other kind. */
#define LOOK_AGAIN	1

static int copy_pmd(struct copy_op *op, const struct pt_span *span, pte_t *to,
		    struct page **spare)
	__context_unsafe("which lock it is, the entry says")
{
	struct pgtable *pt = op->copy->from;
	struct spinlock *lock = entry_lock(pt, span->pmd, PT_PMD);
	int ret = LOOK_AGAIN;

	spin_lock_nested(lock, 1);
	if (!pte_is_table(pt->format, PT_PMD, pte_load(span->pmd)))
		ret = copy_entry(op, span->start, PT_PMD, span->pmd, to);
	spin_unlock(lock);
	if (!pte_none(pte_load(to))) {
		spare_put(op->copy->to, to, *spare);
		*spare = NULL;
	}
	return ret;
}

static int copy_ptes(struct copy_op *op, const struct pt_span *span, pte_t *to)
	__context_unsafe("see table_lock()")
{
	struct page *from = table_lock(op->copy->from, span->pmd, 1);
	int ret;

	if (!from)
		return LOOK_AGAIN;
	ret = copy_table(op, span, from, to);
	table_unlock(from);
	return ret;
}

static int copy_span_table(struct copy_op *op, const struct pt_span *span)
	__context_unsafe("the slot is on the stack")
{
	struct pt_slot slot;
	int ret = pt_slot_make(op->copy->to, &op->stash, span->start, PT_PTE, &slot);

	if (ret)
		return ret;
	ret = copy_ptes(op, span, slot.entry);
	pt_slot_unlock(&slot);
	return ret;
}

/* The child's entry has a table put aside, too. */
static int copy_span_pmd(struct copy_op *op, const struct pt_span *span)
	__context_unsafe("the slot is on the stack")
{
	struct pgtable *to = op->copy->to;
	struct page *spare = table_alloc(to);
	struct pt_slot slot;
	int ret;

	if (!spare)
		return -ENOMEM;
	ret = pt_slot_make(to, &op->stash, span->start, PT_PMD, &slot);
	if (!ret) {
		ret = copy_pmd(op, span, slot.entry, &spare);
		pt_slot_unlock(&slot);
	}
	if (spare)
		table_free(spare);
	return ret;
}

/* With a table or with a PMD entry, whichever the parent has right now. */
static int copy_span(struct copy_op *op, const struct pt_span *span)
{
	struct pgtable *pt = op->copy->from;
	pte_t seen;
	int ret;

	op->copy->next = span->start;
	do {
		seen = pte_load_acquire(span->pmd);		/* (A) */
		if (pte_none(seen))
			return 0;
		if (pte_is_table(pt->format, PT_PMD, seen))
			ret = copy_span_table(op, span);
		else if (span_is_whole(span))
			ret = copy_span_pmd(op, span);
		else
			ret = pt_split(pt, span->start) ? LOOK_AGAIN : 0;
	} while (ret == LOOK_AGAIN);
	return ret;
}

int pt_copy_range(struct pt_copy *copy, unsigned long start, unsigned long end)
{
	struct copy_op op = { .copy = copy, .start = ~0ul };
	unsigned long addr = start;
	struct pt_span span;
	int err = 0;

	while (!err && pt_next_span(copy->from, &addr, end, &span))
		err = copy_span(&op, &span);
	if (!err)
		copy->next = end;
	pt_stash_empty(&op.stash);
	pt_add_sums(copy->to, &op.sums);
	if (op.start < op.end)
		pt_invalidate(copy->from, op.start, op.end, MMU_LEAVES);
	return err;
}
