/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * fork(): what the child gets of an area's pages.
 *
 *	anonymous page		both map it, neither may write: whoever does first gets a copy, and
 *				whoever is alone then has it back (anon.c)
 *	anonymous and pinned	a copy for the child at once; the parent keeps the page and its
 *				right to write, since somebody works on its frame (pin.c).  Of a
 *				block each page is copied by itself: the leaf is split
 *	zeros, a file's page	as they are
 *	guard			copied
 *
 * An area that has never had anonymous pages is not copied: what it maps is found again by faults.
 * Not so a driver's pages, and guards, which nobody could find.
 *
 * The copy for a pinned page needs a frame, and frames are not asked for under the tables' locks:
 * there the copying stops, the page is copied without a lock, and the copying goes on behind it.
 * Meanwhile no fault can change the parent's entry, since its area is write-locked; only the bytes
 * may change, which is in the nature of a pin.
 */
#include "fault/copy.h"
#include "fault/huge.h"
#include "fault/pages.h"

/* Not an error: the page at ->next is one to be copied at once. */
#define COPY_NOW	(-EBUSY)

/* Under the locks of both tables. */
static int decide(struct pt_copy *copy, unsigned long addr, unsigned int level, pte_t entry,
		  struct page *page)
{
	if (!page)
		return PT_COPY_SHARED;
	if (page_flags(page) & PG_ANON) {
		if ((page_flags(page) & PG_EXCLUSIVE) && page_is_pinned(page_head(page)))
			return COPY_NOW;
		page_clear_flags(page, PG_EXCLUSIVE);
		atomic_add_relaxed(page_map_counter(page, level == PT_PMD), 1);
		return PT_COPY_COW;
	}
	atomic_add_relaxed(&page->mapcount, 1);
	return PT_COPY_SHARED;
}

/* The page at ->next, which then is behind it; of a leaf the first one, next time. */
static int copy_now(struct pt_copy *copy)
{
	const struct pt_format *format = copy->from->format;
	unsigned long addr = copy->next;
	unsigned int level;
	pte_t seen = pt_look(copy->from, addr, &level);
	struct page *old = pfn_page(copy->from->frames, pte_pfn(format, seen)), *page;
	int err;

	if (level == PT_PMD) {
		pt_split(copy->from, addr);
		return 0;
	}
	page = page_alloc(copy->to->arena, 0, PAGE_ANYTHING);
	if (!page)
		return -ENOMEM;
	copy->next += PAGE_SIZE;
	frame_copy(page_bytes(page), page_bytes(old));
	page_set_flags(page, PG_ANON | PG_EXCLUSIVE);
	page->index = old->index;
	atomic_store_relaxed(&page->mapcount, 1);
	err = pt_install(copy->to, NULL, addr, PT_PTE, PTE_NONE,
			 pte_leaf(format, PT_PTE, page_pfn(page),
				  pte_attrs(format, seen) | PT_DIRTY));
	if (err) {
		atomic_store_relaxed(&page->mapcount, 0);
		page_put(page);
	}
	return err;
}

static bool needs_copy(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	return vma->anon || (vma->vm_flags & (VM_PFNMAP | VM_MIXEDMAP | VM_MAYBE_GUARD));
}

int pages_fork(struct vm_area_struct *child, struct vm_area_struct *vma)
{
	struct pt_copy copy = {
		.from = vma->vm_mm->pgt, .to = child->vm_mm->pgt, .decide = decide,
		.next = vma->vm_start,
	};
	int err = 0;

	if (!mm_has_pages(vma->vm_mm) || (vma->vm_flags & VM_WIPEONFORK) || !needs_copy(vma))
		return 0;
	pages_inherit_huge_zero(child->vm_mm, vma->vm_mm);
	while (!err && copy.next < vma->vm_end) {
		err = pt_copy_range(&copy, copy.next, vma->vm_end);
		if (err != COPY_NOW)
			continue;
		err = copy_now(&copy);
	}
	return err;
}
