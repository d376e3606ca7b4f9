/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A range of a file, out of every page table.
 *
 * By places and not by pages: what an area shows of the range goes, whatever it is.  So a driver's
 * pages go, too, that no file has, and nothing has to be known of them.
 *
 *	UNMAP_SHARED		the file's own pages, and what is neither his nor private
 *	UNMAP_COPIES		copies that private areas have made of them, too
 *
 * Guards stay: they are the program's.
 *
 * The i_mmap lock for read keeps areas, bounds and tables.  Parents come before their children in
 * the tree, so what a fork copies at the same time is found in one of the two: rmap.c, (A).
 */
#include "rmap/rmap.h"
#include "vma/types.h"

static bool is_copy(const struct pgtable *pt, pte_t e)
{
	switch (pte_soft_type(pt->format, e)) {
	case 0:
		return !pte_special(pt->format, e) &&
		       (page_flags(page_head(pfn_page(pt->frames, pte_pfn(pt->format, e)))) &
			PG_ANON);
	case PT_SOFT_MIGRATE_READ:
	case PT_SOFT_MIGRATE_WRITE:
		return page_flags(pfn_page(pt->frames, pte_migrate_pfn(e))) & PG_ANON;
	default:
		return true;
	}
}

static bool is_guard(const struct mmu_gather *gather, pte_t e)
{
	return pte_soft_type(gather->pt->format, e) == PT_SOFT_GUARD;
}

static bool keep_guards(struct mmu_gather *gather, unsigned long addr, unsigned int level, pte_t e)
{
	return is_guard(gather, e);
}

static bool keep_copies(struct mmu_gather *gather, unsigned long addr, unsigned int level, pte_t e)
{
	return is_copy(gather->pt, e);
}

static const struct gather_ops unmap_ops[] = {
	[UNMAP_SHARED] = { .removed = rmap_gone, .moved = rmap_moved_gone, .keep = keep_copies },
	[UNMAP_COPIES] = { .removed = rmap_gone, .moved = rmap_moved_gone, .keep = keep_guards },
};

/* What @vma, which meets the range, shows of it. */
static void unmap_in(struct vm_area_struct *vma, struct it_span span, enum unmap_what what)
	__context_unsafe("the i_mmap lock keeps its bounds")
{
	const struct it_node *node = &vma->file_place;
	unsigned long first = max(span.first, node->first), last = min(span.last, node->last);
	unsigned long start = vma->vm_start + ((first - node->first) << PAGE_SHIFT);
	struct mmu_gather gather;

	mmu_gather_init(&gather, vma->vm_mm->pgt, &unmap_ops[what], NULL);
	pt_zap_range(&gather, start, start + ((last - first + 1) << PAGE_SHIFT));
	mmu_gather_flush(&gather);
}

static void unmap_all(struct address_space *mapping, unsigned long first, unsigned long end,
		      enum unmap_what what)
	__must_hold_shared(&mapping->i_mmap_lock)
{
	const struct it_span span = { .first = first, .last = end - 1 };
	struct it_node *node;

	for (node = it_first(&mapping->i_mmap, span); node; node = it_next(node, span))
		unmap_in(container_of(node, struct vm_area_struct, file_place), span, what);
}

void unmap_mapping_range(struct address_space *mapping, unsigned long first, unsigned long end,
			 enum unmap_what what)
{
	if (first >= end)
		return;
	rwsem_read_lock(&mapping->i_mmap_lock);
	unmap_all(mapping, first, end, what);
	rwsem_read_unlock(&mapping->i_mmap_lock);
}

bool unmap_mapping_range_try(struct address_space *mapping, unsigned long first, unsigned long end,
			     enum unmap_what what)
{
	if (first >= end)
		return true;
	if (!rwsem_read_trylock(&mapping->i_mmap_lock))
		return false;
	unmap_all(mapping, first, end, what);
	rwsem_read_unlock(&mapping->i_mmap_lock);
	return true;
}
