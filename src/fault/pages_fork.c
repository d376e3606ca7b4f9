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
 *	swapped page		both name its slot
 *	guard			copied
 *
 * An area that has never had anonymous pages is not copied: what it maps is found again by faults.
 * Not so a driver's pages, and guards, which nobody could find.
 *
 * The copy for a pinned page needs a frame, and frames are not asked for under the tables' locks:
 * there the copying stops, the page is copied without a lock, and the copying goes on behind it.
 * Meanwhile no fault can change the parent's entry, since its area is write-locked; only the bytes
 * may change, which is in the nature of a pin.  Who comes by the reverse map when the pin has gone
 * may change it: then it is looked at again.
 *
 * How often.  A page that is shared so often that its count ends soon is not shared once more: the
 * fork is out of memory.  An anonymous page and its slot of swap turn into one another, so they
 * have one bound, together (swap_is_full()); and a leaf of 2 MiB counts as what it is when it is
 * split, which cannot fail.
 */
#include "phys/copy.h"
#include "fault/huge.h"
#include "fault/pages.h"
#include "swap/swap.h"
#include "vma/anon.h"

/* Not an error: the page at ->next is one to be copied at once. */
#define COPY_NOW	(-EBUSY)
/* There must be no more entries of it. */
#define COPY_NONE	(-EOVERFLOW)

/* The entry holds no reference to a page that is being moved, but counts as a mapping of it. */
static int share_moved(const struct pt_copy *copy, pte_t entry)
{
	struct page *page = pfn_page(copy->from->frames, pte_migrate_pfn(entry));

	atomic_add_relaxed(&page->mapcount, 1);
	if (!(page_flags(page) & PG_ANON))
		return PT_COPY_SHARED;
	page_clear_flags(page, PG_EXCLUSIVE);
	return PT_COPY_COW;
}

static int share_soft(const struct pt_copy *copy, pte_t entry)
{
	struct swap_space *space = copy->from->swap;

	if (pte_soft_type(copy->from->format, entry) != PT_SOFT_SWAP)
		return PT_COPY_SHARED;
	if (swap_is_full(space, pte_soft_number(entry)))
		return COPY_NONE;
	swap_get(space, pte_soft_number(entry));
	return PT_COPY_SHARED;
}

/* As many as there are when each leaf has been split. */
static bool anon_is_full(struct page *head)
{
	u64 leaves = (u64)page_nr_leaves(head);

	return page_refs(head) + leaves * (PT_ENTRIES - 1) >= SWAP_MOST_USERS;
}

/* Under the locks of both tables. */
static int decide(struct pt_copy *copy, unsigned long addr, unsigned int level, pte_t entry,
		  struct page *page)
{
	if (pte_is_migrate(copy->from->format, entry))
		return share_moved(copy, entry);
	if (!page)
		return share_soft(copy, entry);
	if (page_flags(page) & PG_ANON) {
		if ((page_flags(page) & PG_EXCLUSIVE) && page_is_pinned(page_head(page)))
			return COPY_NOW;
		if (anon_is_full(page_head(page)))
			return COPY_NONE;
		page_clear_flags(page, PG_EXCLUSIVE);
		atomic_add_relaxed(page_map_counter(page, level == PT_PMD), 1);
		return PT_COPY_COW;
	}
	if (page_is_full(page_head(page)))
		return COPY_NONE;
	atomic_add_relaxed(&page->mapcount, 1);
	return PT_COPY_SHARED;
}

/*
 * The page at @addr, held by a reference, and its entry.  NULL: what was there has become something
 * else, as the reverse map may make it, or a leaf was split: look again.
 */
static struct page *hold_page(struct pgtable *pt, unsigned long addr, pte_t *seen)
	__context_unsafe("the slot is on the stack")
{
	struct page *page = NULL;
	struct pt_slot slot;

	if (!pt_slot_lock(pt, addr, &slot))
		return NULL;
	*seen = pt_slot_get(&slot);
	if (slot.level == PT_PTE && pte_present(pt->format, *seen) &&
	    !pte_special(pt->format, *seen)) {
		page = pfn_page(pt->frames, pte_pfn(pt->format, *seen));
		page_get(page_head(page));
	}
	pt_slot_unlock(&slot);
	if (slot.level == PT_PMD)
		pt_split(pt, addr);
	return page;
}

/* A copy of @old, which @seen maps, for the child. */
static int install_copy(struct pt_copy *copy, const struct vm_area_struct *child, pte_t seen,
			struct page *old)
	__must_hold(vma_stable)
{
	const struct pt_format *format = copy->from->format;
	struct page *page = page_alloc(copy->to->arena, 0, PAGE_ANYTHING);
	unsigned long addr = copy->next;
	int err;

	if (!page)
		return -ENOMEM;
	frame_copy(page_bytes(page), page_bytes(old));
	page_make_anon(page, area_own(child), vma_pgoff_at(child, addr));
	atomic_store_relaxed(&page->mapcount, 1);
	/* As for what is shared: who answers in the parent is not asked in the child. */
	err = pt_install(copy->to, NULL, addr, PT_PTE, PTE_NONE,
			 pte_leaf(format, PT_PTE, page_pfn(page),
				  (pte_attrs(format, seen) & ~(u32)PT_USER_WP) | PT_DIRTY));
	if (err) {
		atomic_store_relaxed(&page->mapcount, 0);
		page_put(page);
	}
	return err;
}

/* The page at ->next, which then is behind it; or nothing yet. */
static int copy_now(struct pt_copy *copy, const struct vm_area_struct *child)
	__must_hold(vma_stable)
{
	pte_t seen;
	struct page *old = hold_page(copy->from, copy->next, &seen);
	int err;

	if (!old)
		return 0;
	err = install_copy(copy, child, seen, old);
	page_put(page_head(old));
	copy->next += PAGE_SIZE;
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
		err = copy_now(&copy, child);
	}
	if (err == COPY_NONE)
		return -ENOMEM;
	/* What tables and copies lie in, and nothing else. */
	return err ? -ENOFRAME : 0;
}
