/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Fault-around: a read fault on a page of a file also maps the pages around it that are at hand, so
 * that a program which goes on there does not fault for each.
 *
 *	   | 64 KiB, aligned |                 |
 *	   [ . m . m X m m . ]			X faulted; m are in the cache: mapped with it
 *	       |[ X m m . m m . . ]		an area begins inside: as many from there on
 *
 * What is mapped so is read-only, as after a read of its own, and counts as accessed.  How far it
 * goes is vmarea_config.fault_around_bytes; it ends with the area, with the table for 2 MiB, and
 * with the file.  An mm that might not have all of it gets the one page.
 *
 * The pages are found without a lock, each with a reference.  Then one table is locked, and each
 * page that has no entry there is locked by trying, looked at (filemap_is_at()) and mapped: what
 * filemap.h asks of who maps a page.  To try is all that may be done inside a table's lock, and all
 * that is wanted.
 */
#include "fault/fault.h"
#include "file/filemap.h"
#include "reclaim/reclaim.h"

/* Found at once, and mapped under one lock. */
#define BATCH		16u

struct batch {
	unsigned long addr;			/* of the first */
	unsigned int nr;
	unsigned int nr_found;
	struct page *page[BATCH];		/* with a reference; NULL: not at hand */
};

static void find(const struct fault *f, struct batch *b)
	__must_hold_shared(vma_stable)
{
	struct address_space *mapping = f->vma->vm_file->mapping;
	unsigned long pgoff = vma_pgoff_at(f->vma, b->addr);

	b->nr_found = 0;
	for (unsigned int i = 0; i < b->nr; i++) {
		b->page[i] = filemap_find_page(mapping, pgoff + i);
		b->nr_found += b->page[i] != NULL;
	}
}

/* The reference becomes the entry's.  False: it is not the file's any more, locked, or full. */
static bool map_one(struct fault *f, struct pt_slot *slot, struct page *page)
	__must_hold(slot) __must_hold_shared(vma_stable)
{
	struct vm_area_struct *vma = f->vma;
	bool mapped;

	if (!page_trylock(page))
		return false;
	mapped = filemap_is_at(page, vma->vm_file->mapping, vma_pgoff_at(vma, slot->addr)) &&
		 !page_is_full(page);
	if (mapped) {
		atomic_add_relaxed(&page->mapcount, 1);
		pt_slot_exchange(slot, pte_leaf(f->mm->pgt->format, PT_PTE, page_pfn(page),
						fault_attrs(f, false)));
	}
	page_unlock(page);
	return mapped;
}

/* True: f->addr is mapped by this. */
static bool map_found(struct fault *f, struct batch *b)
	__must_hold_shared(vma_stable)
	__context_unsafe("the slot is on the stack")
{
	struct pt_slot slot;
	unsigned int i = 0;
	bool done = false;

	if (pt_slot_make(f->mm->pgt, NULL, b->addr, PT_PTE, &slot))
		return false;
	do {
		if (b->page[i] && pte_none(pt_slot_get(&slot)) &&
		    map_one(f, &slot, b->page[i])) {
			b->page[i] = NULL;
			done |= slot.addr == f->addr;
		}
	} while (++i < b->nr && pt_slot_next(&slot));
	pt_slot_unlock(&slot);
	return done;
}

static bool map_batch(struct fault *f, struct batch *b)
	__must_hold_shared(vma_stable)
{
	bool done = false;

	find(f, b);
	if (b->nr_found)
		done = map_found(f, b);
	for (unsigned int i = 0; i < b->nr; i++)
		if (b->page[i])
			page_put(b->page[i]);
	return done;
}

/* Where the file ends, in this area. */
static unsigned long end_of_file(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	unsigned long end = mapping_end(vma->vm_file->mapping);
	unsigned long first = vma_pgoff_at(vma, vma->vm_start);

	return end > first ? vma->vm_start + min(vma->vm_end - vma->vm_start,
						 (end - first) << PAGE_SHIFT) : vma->vm_start;
}

/*
 * As on Linux not System V segments, whose ops have no map_pages(), nor huge pages; and where
 * somebody wants to be asked about each page, each page has a fault.
 */
static bool maps_around(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	return (vma->vm_ops == &file_vm_ops || vma->vm_ops == &shared_anon_vm_ops) &&
	       !(vma->vm_flags & (VM_HUGETLB | VM_UFFD_WP | VM_UFFD_MINOR));
}

bool file_map_around(struct fault *f)
{
	unsigned long bytes = f->mm->instance->config.fault_around_bytes;
	unsigned long start, end;
	bool done = false;

	if (bytes <= PAGE_SIZE || f->access == MM_ACCESS_WRITE || !maps_around(f->vma) ||
	    mm_over_limit(f->mm, bytes >> PAGE_SHIFT))
		return false;
	start = max(ALIGN_DOWN(f->addr, bytes), f->vma->vm_start);
	end = min(min(start + bytes, ALIGN_DOWN(start, PMD_SIZE) + PMD_SIZE),
		  end_of_file(f->vma));
	while (start < end) {
		struct batch b = { .addr = start };

		b.nr = (unsigned int)min((end - start) >> PAGE_SHIFT, (unsigned long)BATCH);
		done |= map_batch(f, &b);
		start += (unsigned long)b.nr << PAGE_SHIFT;
	}
	return done;
}
