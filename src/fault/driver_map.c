/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What a driver shows without being asked: pages, and frames without a page.
 *
 *	page		an entry as any other: a reference, counted as mapped and in RSS
 *	frame		PT_SPECIAL: nothing is counted, and nobody gets a reference by way of it.
 *			Copied by fork as it is; never in memory that copies are made of
 *	2 MiB of them	the same at the PMD.  Who takes or changes a part takes out all, by
 *			pt_split(), and the driver is asked again: it has to have huge_fault()
 *
 * The frames are those of the arena, since nothing else has a number that an entry could name; and
 * of these, such as a driver has by alloc_page().  It answers for them: no entry keeps them.  One
 * that is free is reported and not shown to anybody who faults (driver.c), and the walker looks for
 * such entries.
 */
#include "fault/fault.h"
#include "fault/pages.h"

static pte_t leaf_of(const struct pages_row *row)
	__must_hold_shared(vma_stable)
{
	const struct vm_area_struct *vma = row->vma;
	u32 attrs = area_rights(vma->vm_flags) | PT_USER | PT_ACCESSED;

	/* Who is to be asked first, or given a copy, comes by a write fault. */
	if (!(vma->vm_flags & VM_SHARED) || driver_wants_notice(vma, !row->pages))
		attrs &= ~PT_WRITE;
	if (!row->pages)
		attrs |= PT_SPECIAL;
	return pte_leaf(vma->vm_mm->pgt->format, PT_PTE,
			row->pages ? page_pfn(*row->pages) : row->pfn, attrs);
}

static void step(struct pages_row *row)
{
	row->addr += PAGE_SIZE;
	row->nr--;
	if (row->pages)
		row->pages++;
	else
		row->pfn++;
}

/* As far as the table of the slot goes. */
static int insert_in_table(struct pages_row *row, struct pt_slot *slot)
	__must_hold(slot) __must_hold_shared(vma_stable)
{
	do {
		if (!pte_none(pt_slot_get(slot)))
			return -EBUSY;
		if (row->pages) {
			if (page_is_full(page_head(*row->pages)))
				return -ENOMEM;
			page_get(page_head(*row->pages));
			atomic_add_relaxed(&(*row->pages)->mapcount, 1);
		}
		pt_slot_exchange(slot, leaf_of(row));
		step(row);
	} while (row->nr && pt_slot_next(slot));
	return 0;
}

int pages_insert(struct pages_row *row)
	__context_unsafe("the slot is on the stack")
{
	struct pgtable *pt = row->vma->vm_mm->pgt;
	struct pt_slot slot;
	int err = 0;

	while (row->nr && !err) {
		err = pt_slot_make(pt, NULL, row->addr, PT_PTE, &slot);
		if (err)
			break;
		err = insert_in_table(row, &slot);
		pt_slot_unlock(&slot);
	}
	return err == -EAGAIN ? -EBUSY : err;
}

/* Is it the frames of @now that this leaf shows? */
static bool shows(const struct pt_format *f, pte_t leaf, pte_t now)
{
	return pte_is_leaf(f, PT_PMD, leaf) && pte_special(f, leaf) &&
	       pte_pfn(f, leaf) == pte_pfn(f, now);
}

int pages_insert_block(const struct pages_row *row, enum block_rights rights)
{
	const struct vm_area_struct *vma = row->vma;
	struct pgtable *pt = vma->vm_mm->pgt;
	u32 attrs = area_rights(vma->vm_flags) | PT_USER | PT_ACCESSED | PT_SPECIAL;
	bool write = rights == BLOCK_WRITABLE && (vma->vm_flags & VM_SHARED) && (attrs & PT_WRITE);
	pte_t now = pte_leaf(pt->format, PT_PMD, row->pfn,
			     write ? attrs | PT_DIRTY : attrs & ~PT_WRITE);
	int err;

	do {
		unsigned int level;
		pte_t seen = pt_look(pt, row->addr, &level);

		if (level == PT_PTE)
			return -EBUSY;
		if (!pte_none(seen) && !shows(pt->format, seen, now))
			return -EBUSY;
		if (!pte_none(seen) && (!write || pte_write(pt->format, seen)))
			return 0;
		err = pt_install(pt, NULL, row->addr, PT_PMD, seen, now);
	} while (err == -EAGAIN);
	return err;
}
