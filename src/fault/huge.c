/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Anonymous memory by 2 MiB.
 *
 * A *block* is 512 frames that were allocated as one: a head and 511 tails.  A *leaf* is an entry
 * of the PMD that maps a block.  A *piece* is one frame of a block that an entry of a PTE table
 * maps by itself.
 *
 * When a leaf is made.  An area wants blocks if the instance's policy, its own advice and the
 * switch of its mm say so (huge_wanted()).  A fault in it, where the 2 MiB around the address lie
 * inside of the area and there is no table for small pages yet, makes a leaf: of a zeroed block
 * that is written to, of the zero block that is read.  If there is no block, a small page does, and
 * the table that it needs keeps the 2 MiB small from then on, until MADV_COLLAPSE (collapse.c) or
 * until MADV_DONTNEED has taken the table.
 *
 * When it ends.  Whoever takes or changes a part of a leaf splits it first: pt_split(), which
 * cannot fail.  A bound of an area that moves into it does, too, so a leaf lies in one area.
 *
 * What is counted
 *
 *	leaf	one reference to the head		one of the block's nr_leaves
 *	piece	one reference to the head		one of that frame's mapcount
 *	pin	PIN_BIAS references to the head, whichever frame is meant
 *
 * A frame is mapped mapcount + nr_leaves times, and the memory comes back with the last reference
 * to the head.  So that it need not wait for the last piece, a block that is split comes apart if
 * the leaf had its only reference: what is left are 512 ordinary pages.  It has to stay a block
 * while somebody else has a reference, the leaf of a child or a pin, say, since that is counted at
 * the head and nobody knows for which frame.  It comes apart later if a write fault on a piece
 * finds that its table has all references (rmap_take_apart()); else it goes as a whole.
 *
 *	block, leaf --split, only reference--> 512 pages
 *	     |
 *	     +--split, others have references--> block, 512 pieces --the table has all--> pages
 *
 * Reverse map.  While a block is one, its head's mapping and index are those of all 512: a frame's
 * number is index + its place.  When it comes apart each page has its own.  Who holds a reference,
 * as those who walk from a page do, keeps a block whole; its leaves may be split meanwhile.
 *
 * PG_ANON and PG_EXCLUSIVE.  While a block is mapped by leaves they are the head's, and are of all
 * of it.  With the split each piece has its own; PG_EXCLUSIVE is handed down, so pages that were
 * pinned stay the ones that a write goes to.
 *
 * Copy-on-write.  After a fork both leaves are write-protected, and the block is nobody's alone.  A
 * write takes it back if the leaf's reference is the only one.  Else the leaf is split and a copy
 * made of the one page that is written to, as in Linux: copying 2 MiB for one store would cost the
 * child of a fork that is about to exec more than it ever gains.  A write to the zero block makes
 * a block of the area's own, or where there is none, splits into zero pages.
 *
 * A driver's frames by 2 MiB (driver_map.c) are a leaf as well, but no block of this essay: it is
 * special, not counted, and taken out where a block would be split.
 *
 * The zero block is one for an arena, is mapped special (not counted), and kept by each mm that has
 * mapped it until the mm ends.
 *
 * Rejected
 *  - Counting a leaf in the mapcount of all 512 frames: a fork would write 32 KiB of structs for
 *    each entry that it copies.
 *  - Keeping a split block whole until its last piece goes: one page that stays would keep 2 MiB,
 *    and nothing here comes by later to take it apart.
 */
#include "base/atomic.h"
#include "fault/huge.h"
#include "reclaim/reclaim.h"
#include "vma/instance.h"

/* -------------------------------------------------------------------------------- policy -- */

bool huge_wanted(const struct vm_area_struct *vma)
{
	const struct vmarea *instance = vma->vm_mm->instance;

	if (!has_feature(instance, VMAREA_FEATURE_THP) || !vma_is_anonymous(vma) ||
	    (vma->vm_flags & (VM_SPECIAL | VM_HUGETLB | VM_NOHUGEPAGE)) ||
	    atomic_load_relaxed(&vma->vm_mm->thp_disable))
		return false;
	switch (instance->config.thp) {
	case VMAREA_THP_ALWAYS:
		return true;
	case VMAREA_THP_MADVISE:
		return vma->vm_flags & VM_HUGEPAGE;
	default:
		return false;
	}
}

bool huge_is_empty(const struct mm_struct *mm, unsigned long addr)
{
	unsigned int level;

	return pte_none(pt_look(mm->pgt, addr, &level)) && level > PT_PTE;
}

bool huge_fits(const struct vm_area_struct *vma, unsigned long start)
{
	return start >= vma->vm_start && start + PMD_SIZE <= vma->vm_end;
}

/* --------------------------------------------------------------------------------- fault -- */

/* No table to put aside: then none for small pages either, but let that be found there. */
static enum mm_fault outcome_of(int err)
{
	if (!err)
		return MM_FAULT_DONE;
	return err == -ENOMEM ? FAULT_SMALL : FAULT_AGAIN;
}

static enum mm_fault map_zeros(struct fault *f, unsigned long start)
	__must_hold_shared(vma_stable)
{
	struct pgtable *pt = f->mm->pgt;
	const struct page *zeros = pages_huge_zero(f->mm);

	if (!zeros)
		return FAULT_SMALL;
	return outcome_of(pt_install(pt, NULL, start, PT_PMD, PTE_NONE,
				     pte_leaf(pt->format, PT_PMD, page_pfn(zeros),
					      fault_attrs(f, false) | PT_SPECIAL)));
}

/* A zeroed block in the place of @seen. */
static enum mm_fault map_block(struct fault *f, unsigned long start, pte_t seen)
	__must_hold_shared(vma_stable)
{
	struct pgtable *pt = f->mm->pgt;
	struct page *head = mm_over_limit(f->mm, PT_ENTRIES) ? NULL :
			    page_alloc(pt->arena, PAGE_MAX_ORDER, PAGE_ZEROED);
	int err;

	if (!head)
		return FAULT_SMALL;
	page_make_anon(head, area_own(f->vma), vma_pgoff_at(f->vma, start));
	atomic_store_relaxed(page_map_counter(head, true), 1);
	err = pt_install(pt, NULL, start, PT_PMD, seen,
			 pte_leaf(pt->format, PT_PMD, page_pfn(head),
				  fault_attrs(f, true) | PT_DIRTY));
	if (err) {
		atomic_store_relaxed(page_map_counter(head, true), 0);
		page_put(head);
	}
	return outcome_of(err);
}

enum mm_fault huge_missing(struct fault *f)
{
	unsigned long start = ALIGN_DOWN(f->addr, PMD_SIZE);

	if (!huge_wanted(f->vma) || !huge_fits(f->vma, start))
		return FAULT_SMALL;
	if (f->access != MM_ACCESS_WRITE)
		return map_zeros(f, start);
	return map_block(f, start, PTE_NONE);
}

enum mm_fault huge_copy(struct fault *f, pte_t seen, bool zeros)
{
	if (zeros) {
		enum mm_fault outcome = map_block(f, ALIGN_DOWN(f->addr, PMD_SIZE), seen);

		if (outcome != FAULT_SMALL)
			return outcome;
	}
	pt_split(f->mm->pgt, f->addr);
	return FAULT_AGAIN;
}

/* -------------------------------------------------------------------------------- blocks -- */

/* The leaf has no rights any more, so no reference can be had by it (pgtable's (C)). */
void huge_split_block(struct page *head)
{
	const u32 flags = page_flags(head) & (PG_ANON | PG_EXCLUSIVE);

	for (unsigned long i = 0; i < PT_ENTRIES; i++) {
		page_set_flags(head + i, flags);
		atomic_add_relaxed(&head[i].mapcount, 1);
	}
	/* Release pairs with page_nr_leaves(): a frame that is mapped is always seen to be. */
	atomic_sub_release(page_map_counter(head, true), 1);
	if (!page_try_split(head, 1))
		page_get_many(head, PT_ENTRIES - 1);
}
