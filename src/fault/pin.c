/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Pins: a page that stays the one at its address while somebody works on its frame.
 *
 * Who writes to a frame by its number, and not through the page table, must not be fooled by a
 * copy: the page he holds has to stay the program's page.  So an anonymous page is pinned only
 * while it is exclusive, and as long as it is pinned
 *
 *	fork		gives the child a copy at once, and the parent keeps the page, exclusive
 *	a write fault	reuses an exclusive page, whoever else holds references
 *
 * Both look at the count under the lock of the page's table, and so does the pin: it is taken
 * either before the fork sees the entry, or after it took the right away, and then a fault comes
 * first.  munmap() and its kind take the page away all the same; the pin keeps the frame.
 *
 * The zero page is pinned for reading like any other.  A device's memory (VM_IO, VM_PFNMAP) is not
 * pinned: of a page that a driver shows the area has to be asked.  A copy to or from it, as the
 * program itself would make it, holds the frame for that long.
 *
 * Who only copies the bytes out needs neither: a reference to a page that others share, too
 * (FAULT_PEEK).
 */
#include "fault/fault.h"

/* May the page, or the head, of this entry be pinned for the access?  Its table is locked. */
static bool allows_pin(const struct fault *f, pte_t e, const struct page *page)
{
	const u32 attrs = pte_attrs(f->mm->pgt->format, e);
	const bool anon = page_flags(page) & PG_ANON;

	if (f->access == MM_ACCESS_WRITE && (attrs & PT_USER_WP))
		return false;
	/* A page that nobody else has is as good as writable to a debugger. */
	if (f->access == MM_ACCESS_WRITE && !(attrs & PT_WRITE) &&
	    !((f->how & FAULT_FORCED) && anon))
		return false;
	if (!(attrs & PT_READ) && !(f->how & FAULT_FORCED))
		return false;
	if (f->access == MM_ACCESS_EXEC && !(attrs & PT_EXEC))
		return false;
	return !anon || (page_flags(page) & PG_EXCLUSIVE) || (f->how & FAULT_PEEK);
}

/* The hardware's part: an access is noted. */
static void note_access(const struct fault *f, struct pt_slot *slot)
	__must_hold(slot)
{
	const struct pt_format *format = f->mm->pgt->format;

	pt_slot_change(slot, (struct pt_change){
		.set = format->accessed | (f->access == MM_ACCESS_WRITE ? format->dirty : 0),
	});
}

/*
 * References to the page of an entry, whose table is locked.  A frame without a page has none by
 * that entry: its driver may just be freeing it.
 */
static bool get_refs(const struct fault *f, const struct pt_slot *slot, pte_t e, struct page *page)
{
	const struct pgtable *pt = f->mm->pgt;
	u32 refs = pin_refs(f->how);
	bool zeros = slot->level == PT_PTE ? page == arena_zero_page(pt->arena) :
					     arena_is_huge_zero(pt->arena, pte_pfn(pt->format, e));

	if (!pte_special(pt->format, e) || zeros) {
		page_get_many(page_head(page), refs);
		return true;
	}
	if ((f->how & FAULT_KEEP) || !page_try_get(page))
		return false;
	if (refs > 1)
		page_get_many(page, refs - 1);
	return true;
}

static enum mm_fault pin_slot(const struct fault *f, struct pt_slot *slot, struct pinned *out)
	__must_hold(slot)
{
	const struct pgtable *pt = f->mm->pgt;
	pte_t e = pt_slot_get(slot);
	struct page *page;

	if (!pte_present(pt->format, e))
		return FAULT_AGAIN;
	page = pfn_page(pt->frames, pte_pfn(pt->format, e));
	if (!allows_pin(f, e, page))
		return FAULT_AGAIN;
	/* Which area it is in is known by who comes by a fault. */
	if ((f->how & FAULT_KEEP) && !f->vma && (page_flags(page) & PG_DRIVER))
		return FAULT_AGAIN;
	page += (f->addr - slot->addr) >> PAGE_SHIFT;
	if (!(f->how & FAULT_PEEK) && page_is_full(page_head(page)))
		return FAULT_FULL;
	if (!get_refs(f, slot, e, page))
		return FAULT_AGAIN;
	note_access(f, slot);
	*out = (struct pinned){ .page = page, .rights = pte_attrs(pt->format, e) & PT_RIGHTS };
	return MM_FAULT_DONE;
}

/* RCU keeps the tables on the way; nothing need keep the VMA. */
enum mm_fault pin_mapped(const struct fault *f, struct pinned *out)
	__context_unsafe("the slot is on the stack")
{
	enum mm_fault outcome = FAULT_AGAIN;
	struct pt_slot slot;

	rcu_read_lock();
	if (pt_slot_lock(f->mm->pgt, f->addr, &slot)) {
		outcome = pin_slot(f, &slot, out);
		pt_slot_unlock(&slot);
	}
	rcu_read_unlock();
	return outcome;
}

enum mm_fault fault_pin(struct mm_struct *mm, unsigned long addr, enum mm_access access,
			unsigned int how, struct pinned *out)
{
	struct fault f = {
		.mm = mm, .addr = PAGE_ALIGN_DOWN(addr), .offset = addr % PAGE_SIZE,
		.access = access,
		.how = how & FAULT_PEEK ? how : how | FAULT_UNSHARE, .pin = out,
	};
	enum mm_fault outcome = FAULT_AGAIN;

	mm_may_read_lock(mm);
	if (f.addr >= pt_limit(mm->pgt))
		return MM_FAULT_MAPERR;
	/* By another's rights, or by more than the program has: the area has to be asked. */
	if (!(how & (FAULT_FORCED | FAULT_REMOTE)))
		outcome = pin_mapped(&f, out);
	if (outcome == FAULT_AGAIN)
		outcome = fault_run(&f);
	return outcome == FAULT_FULL ? MM_FAULT_OOM : outcome;
}

void page_unpin(struct page *page)
{
	page_put_many(page_head(page), PIN_BIAS);
}
