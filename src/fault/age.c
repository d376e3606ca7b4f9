/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What a program says of its pages' age: MADV_COLD, MADV_FREE.
 *
 * First the bits of all entries, with one invalidation for many; then each page is told, under the
 * lock of its table, since the entry has to be one of the page still, and clean, for the page to be
 * marked as not needed.
 */
#include "fault/fault.h"
#include "fault/pages.h"

static int stop_here(void *arg, unsigned long addr, unsigned int level, pte_t entry)
{
	*(unsigned long *)arg = addr;
	return 1;
}

/* A page that others have, too, is theirs to say. */
static void tell_page(const struct pt_slot *slot, enum pages_age age)
	__must_hold(slot)
{
	const struct pt_format *f = slot->pt->format;
	pte_t e = pt_slot_get(slot);
	struct page *page;

	if (!pte_present(f, e) || pte_special(f, e))
		return;
	page = page_head(pfn_page(slot->pt->frames, pte_pfn(f, e)));
	if (page_mapcount(page) > 1)
		return;
	page_clear_flags(page, PG_TOUCHED | PG_CHANCE | PG_ACTIVE);
	/* What is stored by a pin from now on no entry tells. */
	if (age == PAGES_CLEAN && slot->level == PT_PTE && !page_order(page) &&
	    (page_flags(page) & PG_EXCLUSIVE) && !pte_dirty(f, e) && !page_is_pinned(page))
		page_set_flags(page, PG_LAZYFREE);
}

/* From @addr to the end of its table or of the range; returns where it got. */
static unsigned long tell_table(struct pgtable *pt, unsigned long addr, unsigned long end,
				enum pages_age age)
	__context_unsafe("the slot is on the stack")
{
	struct pt_slot slot;

	if (!pt_slot_lock(pt, addr, &slot))
		return addr;
	do {
		tell_page(&slot, age);
		addr = slot.addr + (slot.level == PT_PMD ? PMD_SIZE : PAGE_SIZE);
	} while (addr < end && pt_slot_next(&slot));
	pt_slot_unlock(&slot);
	return addr;
}

void pages_age(struct mm_struct *mm, unsigned long start, unsigned long end, enum pages_age age)
{
	struct pgtable *pt = mm->pgt;
	struct pt_change change;
	unsigned long first;

	if (!mm_has_pages(mm))
		return;
	change = (struct pt_change){
		.clear = pt->format->accessed | (age == PAGES_CLEAN ? pt->format->dirty : 0),
	};
	pt_change_range(pt, start, end, change);
	while (start < end && pt_walk(pt, start, end, stop_here, &first))
		start = tell_table(pt, max(start, first), end, age);
}
