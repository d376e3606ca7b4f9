/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What a driver shows in a VMA: pages, and frames without a page; and takes out of all.
 *
 * A range must lie inside of the VMA, and a page or frame be one that the driver can have; all of a
 * row is looked at before any of it is shown.  See fault/driver_map.c for what the entries are.
 */
#include <vmarea/driver_fault.h>

#include "fault/pages.h"
#include "rmap/rmap.h"
#include "vma/handle.h"

/* 0, or what is wrong with the place of a row. */
static int check_place(const struct pages_row *row)
	__must_hold_shared(vma_stable)
{
	const struct vm_area_struct *area = row->vma;
	unsigned long last = area->vm_end - PAGE_SIZE;

	if (row->addr < area->vm_start || row->addr >= area->vm_end)
		return -EFAULT;
	if (!PAGE_ALIGNED(row->addr))
		return -EINVAL;
	if (row->nr && row->nr - 1 > (last - row->addr) >> PAGE_SHIFT)
		return -EFAULT;
	return mm_has_pages(area->vm_mm) ? 0 : -EOPNOTSUPP;
}

static bool has_shown(const struct pages_row *row)
	__must_hold_shared(vma_stable)
{
	const struct mm_struct *mm = row->vma->vm_mm;

	for (unsigned long i = 0; i < row->nr; i++) {
		if (VM_WARN_ON(row->pages && !row->pages[i], "driver %s: no page for %lx",
			       driver_name(row->vma), row->addr + i * PAGE_SIZE))
			return false;
		if (row->pages ? !driver_may_show(mm, row->pages[i]) :
				 !driver_may_show_pfn(mm, row->pfn + i))
			return false;
	}
	return true;
}

/* Has the area the flag that the type of its handle says?  A hook may have asked for both. */
static bool is_kind(const struct vm_area_struct *area, vm_flags_t flag)
	__must_hold_shared(vma_stable)
{
	return !VM_WARN_ON(!(area->vm_flags & flag),
			   "driver %s: the VMA at %lx is VM_%sMAP, and used as the other kind",
			   driver_name(area), area->vm_start,
			   area->vm_flags & VM_PFNMAP ? "PFN" : "MIXED");
}

static int show(struct pages_row *row)
	__must_hold_shared(vma_stable) __may_sleep
{
	int err = check_place(row);

	might_sleep();
	if (err)
		return err;
	return has_shown(row) ? pages_insert(row) : -EINVAL;
}

/* All or nothing, in a VMA that nobody else knows. */
static int show_all(struct pages_row *row)
	__must_hold(vma_stable) __may_sleep
{
	unsigned long start = row->addr;
	int err = show(row);

	if (err && row->addr > start)
		pages_zap(row->vma->vm_mm, start, row->addr, ZAP_PAGES);
	return err;
}

/* ------------------------------------------------------------------------- pages */

int vm_insert_page(struct vma_mixedmap *vma, unsigned long addr, struct page *page)
{
	struct pages_row row = {
		.vma = vma_from_mixedmap(vma), .addr = addr, .nr = 1, .pages = &page,
	};

	return is_kind(row.vma, VM_MIXEDMAP) ? show(&row) : -EINVAL;
}

int vm_insert_pages(struct vma_mixedmap *vma, unsigned long addr, struct page *const *pages,
		    unsigned long *nr)
{
	struct pages_row row = {
		.vma = vma_from_mixedmap(vma), .addr = addr, .nr = *nr, .pages = pages,
	};
	int err = is_kind(row.vma, VM_MIXEDMAP) ? show(&row) : -EINVAL;

	*nr = row.nr;
	return err;
}

int vm_map_pages(struct vma_new *vma, struct page *const *pages, unsigned long nr)
{
	const struct vm_area_struct *area = vma_from_new(vma);
	unsigned long first = vma_pgoff_at(area, area->vm_start);
	struct pages_row row = { .vma = area, .addr = area->vm_start, .nr = vma_pages(area) };

	if (first >= nr || row.nr > nr - first)
		return -ENXIO;
	row.pages = pages + first;
	vma_set_mixedmap(vma);
	return is_kind(area, VM_MIXEDMAP) ? show_all(&row) : -EINVAL;
}

/* ------------------------------------------------------- frames without a page */

unsigned long page_to_pfn(const struct page *page)
{
	return page_pfn(page);
}

struct vma_pfnmap *vma_set_pfnmap(struct vma_new *vma)
{
	struct vm_area_struct *area = vma_from_new(vma);

	if (VM_WARN_ON(area->vm_flags & VM_MIXEDMAP,
		       "driver %s: VM_PFNMAP for a VM_MIXEDMAP VMA at %lx", driver_name(area),
		       area->vm_start))
		return NULL;
	if (vma_copies_writes(area))
		return NULL;
	vma_init(area, vm_flags,
		 area->vm_flags | VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP);
	return handle_pfnmap(vma, area);
}

int remap_pfn_range(struct vma_new *vma, unsigned long addr, unsigned long pfn, unsigned long size)
{
	struct pages_row row = {
		.vma = vma_from_new(vma), .addr = addr, .nr = size >> PAGE_SHIFT, .pfn = pfn,
	};

	if (!size || !PAGE_ALIGNED(size) || !vma_set_pfnmap(vma))
		return -EINVAL;
	return show_all(&row);
}

int vm_insert_pfn(struct vma_pfnmap *vma, unsigned long addr, unsigned long pfn)
{
	struct pages_row row = {
		.vma = vma_from_pfnmap(vma), .addr = addr, .nr = 1, .pfn = pfn,
	};

	return is_kind(row.vma, VM_PFNMAP) ? show(&row) : -EINVAL;
}

/* What is wrong with 2 MiB in this place?  Else NULL. */
static const char *wrong_block(const struct pages_row *row, int err)
	__must_hold_shared(vma_stable)
{
	if (err == -EFAULT)
		return "they reach out of the VMA";
	if (!IS_ALIGNED(row->addr, PMD_SIZE))
		return "the address is no multiple of 2 MiB";
	if (!IS_ALIGNED(row->pfn, PT_ENTRIES))
		return "the first frame's number is no multiple of 512";
	if (!vma_has_op(row->vma, huge_fault))
		return "the VMA has no huge_fault(), which is asked when a part of them was taken";
	return NULL;
}

int vm_insert_pfn_pmd(struct vma_pfnmap *vma, unsigned long addr, unsigned long pfn,
		      unsigned int flags)
{
	const struct pages_row row = {
		.vma = vma_from_pfnmap(vma), .addr = addr, .nr = PT_ENTRIES, .pfn = pfn,
	};
	const char *wrong;
	int err;

	might_sleep();
	if (!is_kind(row.vma, VM_PFNMAP))
		return -EINVAL;
	err = check_place(&row);
	wrong = wrong_block(&row, err);
	if (VM_WARN_ON(wrong, "driver %s: 2 MiB of frames from %lx on at %lx: %s",
		       driver_name(row.vma), pfn, addr, wrong))
		return err == -EFAULT ? err : -EINVAL;
	if (err)
		return err;
	if (!has_shown(&row))
		return -EINVAL;
	return pages_insert_block(&row, flags & VMF_WRITE ? BLOCK_WRITABLE : BLOCK_READ_ONLY);
}

int vm_insert_mixed(struct vma_mixedmap *vma, unsigned long addr, unsigned long pfn)
{
	struct pages_row row = {
		.vma = vma_from_mixedmap(vma), .addr = addr, .nr = 1, .pfn = pfn,
	};

	return is_kind(row.vma, VM_MIXEDMAP) && !vma_copies_writes(row.vma) ? show(&row) : -EINVAL;
}

/* ------------------------------------------------------ out of every mm at once */

static unsigned long end_of_pages(unsigned long first, unsigned long nr)
{
	return nr > ~0ul - first ? ~0ul : first + nr;
}

void unmap_mapping_pages(struct file *file, unsigned long first, unsigned long nr)
{
	might_sleep();
	unmap_mapping_range(file->mapping, first, end_of_pages(first, nr), UNMAP_SHARED);
}

bool unmap_mapping_pages_try(struct file *file, unsigned long first, unsigned long nr)
{
	return unmap_mapping_range_try(file->mapping, first, end_of_pages(first, nr), UNMAP_SHARED);
}
