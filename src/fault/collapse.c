/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * MADV_COLLAPSE: 512 small pages become a block.
 *
 *	look at the entries	a page that others hold, or that is in swap though it was
 *				to be brought in for this (mm/madvise.c): -EAGAIN
 *	a limit of the mm	no room for what was no memory: -EBUSY
 *	a block			none: -ENOMEM
 *	a guard among them	-EINVAL
 *	detach the table	the 2 MiB are empty, and nobody has a translation
 *	freeze the pages	that may be written to: somebody else holds one: undo, -EAGAIN
 *	copy, install the leaf	no table to put aside: undo, -ENOFRAME
 *	drop the table		with its references to the pages
 *
 * The area is write-locked, so no fault is inside and none installs anything in the empty place.
 * Who is not kept out needs no VMA:
 *
 *	pin_mapped()	locks the table.  Before the table was detached: the page has a pin, and
 *			cannot be frozen.  After: there is no table, and the fault that follows
 *			waits for the VMA.
 *	gup_fast()	takes a reference, and looks again whether the entry is still the one for
 *			the address.  A reference that comes before the freeze makes that fail,
 *			whatever the second look says; one that comes after it is not to be had.
 *			So nobody holds a page, believing it the program's, whose bytes have been
 *			copied.
 *	a soft TLB	was invalidated with the table, and finds none in its place.
 *
 *	the reverse map	finds nothing in a table that is detached.  So the anon_vma lock is held
 *			for write, and nobody walks from a page.  A page that is on its way to
 *			another frame at that time, and one that somebody holds to walk from, are
 *			pages that others hold.
 *
 * A page that is not exclusive is not frozen: others have entries for it, but nobody may write to
 * it, and a reference for reading loses nothing when the program's page is another one.
 *
 * Nothing is there, or zeros: zeros are written.  So what was no memory becomes some, as in Linux.
 *
 * Results by 2 MiB, as Linux has them: one that others hold is passed over, and remembered; what
 * has no table, or a guard, ends the call, and so do want of memory and a limit.
 */
#include "base/str.h"
#include "phys/copy.h"
#include "fault/huge.h"
#include "rmap/rmap.h"
#include "fault/pages.h"
#include "reclaim/reclaim.h"
#include "vma/instance.h"
#include "vma/lock.h"
#include "vma/rmap_place.h"

/* One 2 MiB. */
struct collapse {
	struct vm_area_struct *vma;
	unsigned long start;
	struct page *table;			/* detached */
	struct page *head;			/* of the new block */
	unsigned long nr_pages;			/* in core */
	bool guard;				/* there is one, or its like */
};

/* The page of an entry that may be written to, and so has to keep still while it is copied. */
static struct page *own_page(const struct pgtable *pt, pte_t e)
{
	struct page *page;

	if (!pte_present(pt->format, e) || pte_special(pt->format, e))
		return NULL;
	page = pfn_page(pt->frames, pte_pfn(pt->format, e));
	return page_flags(page) & PG_EXCLUSIVE ? page : NULL;
}

/* A piece of a block has its count at the head, and can only be frozen when that comes apart. */
static bool is_held(const struct pt_slot *slot, struct page *page)
	__must_hold(slot)
{
	if (page_order(page) && !rmap_take_apart(slot, page_head(page), 0))
		return true;
	return page_refs(page) != 1;
}

/* Has the embedder a say about this page, so that it stays one by itself? */
static bool is_asked_for(const struct vm_area_struct *vma, pte_t e)
	__must_hold_shared(vma_stable)
{
	const struct pt_format *format = vma->vm_mm->pgt->format;

	if (!(vma->vm_flags & VM_UFFD_MASK))
		return false;
	return !pte_present(format, e) || pte_special(format, e) || pte_user_wp(format, e);
}

/* 0, or -EAGAIN. */
static int look_at_entries(struct collapse *c)
	__context_unsafe("the slot is on the stack")
{
	struct pgtable *pt = c->vma->vm_mm->pgt;
	struct pt_slot slot;
	int err = 0;

	if (!pt_slot_lock(pt, c->start, &slot))
		return -EINVAL;
	do {
		pte_t e = pt_slot_get(&slot);
		struct page *page = own_page(pt, e);

		if (page && is_held(&slot, page))
			err = -EAGAIN;
		if (pte_is_migrate(pt->format, e) ||
		    pte_soft_type(pt->format, e) == PT_SOFT_SWAP)
			err = -EAGAIN;
		else
			c->guard |= pte_is_soft(pt->format, e) || is_asked_for(c->vma, e);
		c->nr_pages += pte_present(pt->format, e) && !pte_special(pt->format, e);
	} while (!err && pt_slot_next(&slot));
	pt_slot_unlock(&slot);
	return err;
}

static void unfreeze(const struct collapse *c, unsigned long nr)
{
	const struct pgtable *pt = c->vma->vm_mm->pgt;

	for (unsigned long i = 0; i < nr; i++) {
		struct page *page = own_page(pt, pt_table_entries(c->table)[i]);

		if (page)
			page_unfreeze(page, 1);
	}
}

/* All or none. */
static bool freeze(const struct collapse *c)
{
	const struct pgtable *pt = c->vma->vm_mm->pgt;

	for (unsigned long i = 0; i < PT_ENTRIES; i++) {
		struct page *page = own_page(pt, pt_table_entries(c->table)[i]);

		if (page && !page_try_freeze(page, 1)) {
			unfreeze(c, i);
			return false;
		}
	}
	return true;
}

static void copy(const struct collapse *c)
{
	const struct pgtable *pt = c->vma->vm_mm->pgt;
	char *to = page_bytes(c->head);

	for (unsigned long i = 0; i < PT_ENTRIES; i++, to += PAGE_SIZE) {
		pte_t e = pt_table_entries(c->table)[i];

		if (pte_none(e) || pte_special(pt->format, e))
			memset(to, 0, PAGE_SIZE);
		else
			frame_copy(to, pfn_bytes(pt->frames, pte_pfn(pt->format, e)));
	}
}

/* 0, and the block is the area's; or -ENOFRAME. */
static int install(const struct collapse *c)
	__must_hold(vma_stable)
{
	struct pgtable *pt = c->vma->vm_mm->pgt;
	u32 attrs = area_rights(c->vma->vm_flags) | PT_USER | PT_ACCESSED | PT_DIRTY;

	page_make_anon(c->head, area_own(c->vma), vma_pgoff_at(c->vma, c->start));
	atomic_store_relaxed(page_map_counter(c->head, true), 1);
	return pt_install(pt, NULL, c->start, PT_PMD, PTE_NONE,
			  pte_leaf(pt->format, PT_PMD, page_pfn(c->head), attrs)) ? -ENOFRAME : 0;
}

/* The reference to c->head is used up in any case. */
static int replace_table(struct collapse *c)
	__must_hold(vma_stable)
{
	struct mm_struct *mm = c->vma->vm_mm;
	int err = -EAGAIN;

	c->table = pt_detach_table(mm->pgt, c->start);
	VM_BUG_ON(!c->table, "no table at %lx", c->start);
	if (freeze(c)) {
		copy(c);
		err = install(c);
		unfreeze(c, PT_ENTRIES);
	}
	if (!err) {
		pages_drop_table(mm, c->start, c->table);
		return 0;
	}
	pt_attach_table(mm->pgt, c->start, c->table);
	atomic_store_relaxed(page_map_counter(c->head, true), 0);
	page_put(c->head);
	return err;
}

/* The family's trees are locked for write. */
static int collapse(struct vm_area_struct *vma, unsigned long start)
	__must_hold(vma_stable)
{
	struct collapse c = { .vma = vma, .start = start };
	struct pgtable *pt = vma->vm_mm->pgt;
	unsigned int level;
	pte_t seen = pt_look(pt, start, &level);
	int err;

	if (level > PT_PTE)
		return level == PT_PMD && pte_present(pt->format, seen) ? 0 : -EINVAL;
	err = look_at_entries(&c);
	if (err)
		return err;
	if (mm_over_limit(vma->vm_mm, PT_ENTRIES - c.nr_pages))
		return -EBUSY;
	c.head = page_alloc(pt->arena, PAGE_MAX_ORDER, PAGE_ANYTHING);
	if (!c.head)
		return -ENOMEM;
	if (c.guard) {
		page_put(c.head);
		return -EINVAL;
	}
	return replace_table(&c);
}

int pages_collapse(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	int result = 0;

	if (!mm_has_pages(vma->vm_mm) || !vma_is_anonymous(vma))
		return 0;
	vma_lock_write(vma);
	end = ALIGN_DOWN(end, PMD_SIZE);
	for (start = ALIGN(start, PMD_SIZE); start < end; start += PMD_SIZE) {
		int err;

		rmap_hold_begin(vma->vm_mm, NULL, vma->anon);
		err = collapse(vma, start);
		rmap_hold_end(vma->vm_mm);
		if (err)
			result = err;
		if (err && err != -EAGAIN)
			break;
	}
	return result;
}
