/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Faults of areas whose driver is asked.
 *
 *	nothing there, read		the driver's page; writable by a later fault
 *	nothing there, written, shared	the driver's page; read-only at first, if page_mkwrite() is
 *					to be asked, so that it is asked in one place
 *	nothing there, written, private	a copy of the driver's page, anonymous from then on
 *	there, written, shared		page_mkwrite(), then writable
 *
 * A hook runs with a VMA stable and no lock of a table, as all that takes time does: what it was
 * asked about is looked at again before anything is changed (fault.c).
 *
 * A driver is somebody else's code.  What it answers is looked at before it is used, and a wrong
 * answer is reported with its name and ends as SIGBUS for the program: the mm stays as it was.  A
 * page can be shown if alloc_page() of this instance gave it out (PG_DRIVER), and no other: neither
 * a file's or a process's, which have an owner who counts on finding them, nor the zero page.
 */
#include "fault/fault.h"
#include "file/filemap.h"
#include "vma/fault_hooks.h"
#include "vma/map.h"

/* So often may what a driver says to be there be gone by the time somebody looks. */
#define MAX_IN_VAIN	1000u

#define AROUND_BYTES	(64ul << 10)

/* Reported the first time at each place. */
#define DRIVER_WARN(f, fmt, ...)						\
	VM_WARN_ON(true, "driver %s, page at %lx: " fmt, driver_name((f)->vma), (f)->addr,	\
		   ##__VA_ARGS__)

bool driver_may_show(const struct mm_struct *mm, const struct page *page)
{
	return (page_flags(page) & (PG_DRIVER | PG_LOOSE)) == PG_DRIVER &&
	       page_zeroth(page) == mm->pgt->frames;
}

bool driver_wants_notice(const struct vm_area_struct *vma, bool special)
{
	if (!(vma->vm_flags & VM_SHARED))
		return false;
	return special ? vma_has_op(vma, pfn_mkwrite) : vma_has_op(vma, page_mkwrite);
}

bool driver_may_show_pfn(const struct mm_struct *mm, unsigned long pfn)
{
	const struct pgtable *pt = mm->pgt;

	return pfn < arena_window(pt->arena)->bytes >> PAGE_SHIFT &&
	       driver_may_show(mm, pfn_page(pt->frames, pfn)) &&
	       page_refs(pfn_page(pt->frames, pfn));
}

enum mm_fault driver_check_special(const struct fault *f, pte_t seen)
{
	const struct pgtable *pt = f->mm->pgt;
	unsigned long pfn = pte_pfn(pt->format, seen);

	if (pfn == page_pfn(arena_zero_page(pt->arena)))
		return MM_FAULT_DONE;
	if (f->how & FAULT_KEEP)
		return MM_FAULT_ACCERR;
	if (driver_may_show_pfn(f->mm, pfn))
		return MM_FAULT_DONE;
	DRIVER_WARN(f, "frame %lx is shown, and was freed", pfn);
	return MM_FAULT_BUS;
}

static struct vm_fault vmf_of(const struct fault *f)
	__must_hold_shared(vma_stable)
{
	return (struct vm_fault){
		.address = f->addr, .pgoff = vma_pgoff_at(f->vma, f->addr),
		.flags = (f->access == MM_ACCESS_WRITE ? VMF_WRITE : 0) |
			 (f->access == MM_ACCESS_EXEC ? VMF_EXEC : 0) |
			 (f->how & (FAULT_REMOTE | FAULT_FORCED) ? VMF_REMOTE : 0) |
			 (f->lock == FAULT_VMA_LOCK ? VMF_MAY_RETRY : 0),
	};
}

/* The driver says that the entry is another than @seen by now.  Not for ever, if it is not. */
static enum mm_fault look_again(struct fault *f, const char *hook, pte_t seen)
	__must_hold_shared(vma_stable)
{
	unsigned int level;

	if (!pte_same(f->mm->pgt->format, seen, pt_look(f->mm->pgt, f->addr, &level)))
		f->nr_in_vain = 0;
	else if (++f->nr_in_vain > MAX_IN_VAIN) {
		DRIVER_WARN(f, "%s says VM_FAULT_NOPAGE, and nothing has changed", hook);
		return MM_FAULT_BUS;
	}
	return FAULT_AGAIN;
}

/* Any answer but VM_FAULT_DONE. */
static enum mm_fault take_answer(struct fault *f, const char *hook, vm_fault_t answer, pte_t seen)
	__must_hold_shared(vma_stable)
{
	switch (answer) {
	case VM_FAULT_NOPAGE:
		return look_again(f, hook, seen);
	case VM_FAULT_SIGBUS:
		return MM_FAULT_BUS;
	case VM_FAULT_OOM:
		return MM_FAULT_OOM;
	case VM_FAULT_RETRY:
		if (f->lock == FAULT_VMA_LOCK)
			return FAULT_RETRY;
		DRIVER_WARN(f, "%s says VM_FAULT_RETRY without VMF_MAY_RETRY", hook);
		return MM_FAULT_BUS;
	default:
		DRIVER_WARN(f, "%s answers %u", hook, answer);
		return MM_FAULT_BUS;
	}
}

/* A hook may change ->page only, and not that of page_mkwrite().  Nothing depends on the others. */
static bool has_changed(const struct vm_fault *vmf, const struct vm_fault *asked)
{
	return vmf->address != asked->address || vmf->pgoff != asked->pgoff ||
	       vmf->flags != asked->flags || (asked->page && vmf->page != asked->page);
}

static vm_fault_t ask(const struct fault *f, vma_fault_hook *hook, const char *name,
		      struct vm_fault *vmf)
	__must_hold_shared(vma_stable) __may_sleep
{
	const struct vm_fault asked = *vmf;
	vm_fault_t answer = vma_ops_fault(hook, name, f->vma, vmf);

	if (!has_changed(vmf, &asked))
		return answer;
	DRIVER_WARN(f, "%s has changed what it was asked", name);
	if (answer == VM_FAULT_DONE && !asked.page && vmf->page)
		page_put(vmf->page);
	return VM_FAULT_SIGBUS;
}

/* What is wrong with the page that fault() gave?  NULL: nothing. */
static const char *wrong_page(const struct fault *f, const struct page *page)
	__must_hold_shared(vma_stable)
{
	if (!page)
		return "fault() says VM_FAULT_DONE, and gives no page";
	if (f->vma->vm_flags & VM_PFNMAP)
		return "fault() gives a page for a VM_PFNMAP VMA";
	if (!driver_may_show(f->mm, page))
		return "fault() gives a page that is none of alloc_page() from this instance";
	return NULL;
}

/* map_pages(): is the page among what was at hand? */
static bool fault_around(struct fault *f)
	__must_hold_shared(vma_stable) __may_sleep
{
	const struct vm_fault asked = vmf_of(f);
	struct vm_fault vmf = asked;
	unsigned long first = ALIGN_DOWN(f->addr, AROUND_BYTES);
	unsigned int level;

	vma_ops_map_pages(f->vma, &vmf, max(first, f->vma->vm_start),
			  min(first + AROUND_BYTES, f->vma->vm_end));
	if (has_changed(&vmf, &asked))
		DRIVER_WARN(f, "map_pages() has changed what it was asked");
	return !pte_none(pt_look(f->mm->pgt, f->addr, &level));
}

enum mm_fault driver_missing(struct fault *f)
{
	struct vm_fault vmf = vmf_of(f);
	vm_fault_t answer;
	const char *wrong;

	if (f->access != MM_ACCESS_WRITE && vma_has_op(f->vma, map_pages) && fault_around(f))
		return FAULT_AGAIN;
	if (!vma_has_op(f->vma, fault))
		return file_missing(f);
	answer = ask(f, f->vma->vm_ops->fault, "fault()", &vmf);
	if (answer != VM_FAULT_DONE)
		return take_answer(f, "fault()", answer, PTE_NONE);
	wrong = wrong_page(f, vmf.page);
	if (!wrong)
		return file_map_page(f, vmf.page);
	DRIVER_WARN(f, "%s", wrong);
	if (vmf.page)
		page_put(vmf.page);
	return MM_FAULT_BUS;
}

enum mm_fault driver_make_writable(struct fault *f, pte_t seen, struct page *page)
{
	const char *name = page ? "page_mkwrite()" : "pfn_mkwrite()";
	struct pgtable *pt = f->mm->pgt;
	struct vm_fault vmf = vmf_of(f);
	vm_fault_t answer;
	int err;

	vmf.page = page;
	answer = ask(f, page ? f->vma->vm_ops->page_mkwrite : f->vma->vm_ops->pfn_mkwrite, name,
		     &vmf);
	if (answer != VM_FAULT_DONE)
		return take_answer(f, name, answer, seen);
	if (page)
		filemap_mark_dirty(page);
	err = pt_install(pt, NULL, f->addr, PT_PTE, seen,
			 pte_leaf(pt->format, PT_PTE, pte_pfn(pt->format, seen),
				  fault_attrs(f, true) | PT_DIRTY | (page ? 0 : PT_SPECIAL)));
	return err ? FAULT_AGAIN : MM_FAULT_DONE;
}

/* ------------------------------------------------------------------------------- access -- */

static long access_area(struct vm_area_struct *vma, unsigned long addr, void *buf, size_t len,
			bool write)
	__must_hold_shared(vma_stable) __may_sleep
{
	long done;

	if (!vma || vma->vm_start > addr || !(vma->vm_flags & (VM_IO | VM_PFNMAP)) ||
	    !vma_has_op(vma, access))
		return -EFAULT;
	len = min(len, vma->vm_end - addr);
	done = vma_ops_access(vma, addr, buf, len, write);
	if (VM_WARN_ON(done > (long)len || done < -MAX_ERRNO,
		       "driver %s: access() of %zu bytes says %ld", driver_name(vma), len, done))
		return -EFAULT;
	return done;
}

long driver_access(struct mm_struct *mm, unsigned long addr, void *buf, size_t len, bool write)
{
	long done;

	mm_read_lock(mm);
	done = access_area(vma_first(mm, addr), addr, buf, len, write);
	mm_read_unlock(mm);
	return done;
}
