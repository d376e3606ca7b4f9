/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Faults of areas whose driver is asked.
 *
 *	nothing there, nor a table	huge_fault() first, if the 2 MiB are the area's
 *	nothing there, read		the driver's page; writable by a later fault
 *	nothing there, written, shared	the driver's page; read-only at first, if page_mkwrite() is
 *					to be asked, so that it is asked in one place
 *	nothing there, written, private	a copy of the driver's page, anonymous from then on
 *	there, written, shared		page_mkwrite(), then writable
 *	2 MiB there, written		huge_fault() again; if it does not want to, they are taken
 *					out, and the fault is one for a page
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
#include "fault/huge.h"
#include "file/filemap.h"
#include "vma/fault_hooks.h"
#include "vma/map.h"

/*
 * So often may a driver be asked for one access: what it says to be there may be gone again.  It
 * may be the driver that takes it away each time, or another thread, and who is faster than a hook
 * that sleeps is faster often: a thousand times in a row have been seen on a busy machine.
 */
#define MAX_IN_VAIN	100000u

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

static bool is_zeros(const struct pgtable *pt, unsigned int level, unsigned long pfn)
{
	return level == PT_PMD ? arena_is_huge_zero(pt->arena, pfn) :
				 pfn == page_pfn(arena_zero_page(pt->arena));
}

enum mm_fault driver_check_special(const struct fault *f, unsigned int level, pte_t seen)
{
	const struct pgtable *pt = f->mm->pgt;
	unsigned long pfn = pte_pfn(pt->format, seen);
	unsigned long end = pfn + (level == PT_PMD ? PT_ENTRIES : 1);

	/* No area of frames has zeros: a block that was freed may have become theirs. */
	if (!(f->vma->vm_flags & VM_PFNMAP) && is_zeros(pt, level, pfn))
		return MM_FAULT_DONE;
	if (f->how & FAULT_KEEP)
		return MM_FAULT_ACCERR;
	while (pfn < end && driver_may_show_pfn(f->mm, pfn))
		pfn++;
	if (pfn == end)
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

/* The entry is another by now, or so the driver says: look again, but not for ever. */
static enum mm_fault look_again(struct fault *f, const char *hook)
	__must_hold_shared(vma_stable)
{
	if (++f->nr_in_vain <= MAX_IN_VAIN)
		return FAULT_AGAIN;
	DRIVER_WARN(f, "%s was asked, the last of %u times, and the access is still to be made",
		    hook, MAX_IN_VAIN);
	return MM_FAULT_BUS;
}

/* Any answer but VM_FAULT_DONE. */
static enum mm_fault take_answer(struct fault *f, const char *hook, vm_fault_t answer)
	__must_hold_shared(vma_stable)
{
	switch (answer) {
	case VM_FAULT_NOPAGE:
		return look_again(f, hook);
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

/* The page of an answer that does not hold.  One that is free had no reference to be given. */
static void put_given(struct page *page)
{
	if (page && page_try_get(page_head(page)))
		page_put_many(page_head(page), 2);
}

/* The answer, if what was asked is still the same. */
static vm_fault_t as_asked(const struct fault *f, const char *name, const struct vm_fault *asked,
			   struct vm_fault *vmf, vm_fault_t answer)
	__must_hold_shared(vma_stable)
{
	if (!has_changed(vmf, asked))
		return answer;
	DRIVER_WARN(f, "%s has changed what it was asked", name);
	if (answer == VM_FAULT_DONE && !asked->page)
		put_given(vmf->page);
	return VM_FAULT_SIGBUS;
}

static vm_fault_t ask(const struct fault *f, vma_fault_hook *hook, const char *name,
		      struct vm_fault *vmf)
	__must_hold_shared(vma_stable) __may_sleep
{
	const struct vm_fault asked = *vmf;

	return as_asked(f, name, &asked, vmf, vma_ops_fault(hook, name, f->vma, vmf));
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

/* -------------------------------------------------------------------------------- 2 MiB -- */

/* As Linux: the instance's policy is for memory that nobody asked the driver about. */
bool driver_has_blocks(const struct vm_area_struct *vma)
{
	return vma_has_op(vma, huge_fault) && !(vma->vm_flags & VM_NOHUGEPAGE) &&
	       !atomic_load_relaxed(&vma->vm_mm->thp_disable);
}

/* Could they be one leaf, by their place in the area and in the file? */
static bool wants_block(const struct fault *f)
	__must_hold_shared(vma_stable)
{
	unsigned long start = ALIGN_DOWN(f->addr, PMD_SIZE);

	return !f->by_page && driver_has_blocks(f->vma) && huge_fits(f->vma, start) &&
	       IS_ALIGNED(vma_pgoff_at(f->vma, start), PT_ENTRIES);
}

/* FAULT_SMALL: not by 2 MiB, and while we have this lock it is not asked again. */
static enum mm_fault ask_for_block(struct fault *f)
	__must_hold_shared(vma_stable) __may_sleep
{
	const struct vm_fault asked = vmf_of(f);
	struct vm_fault vmf = asked;
	vm_fault_t answer = vma_ops_huge_fault(f->vma, &vmf, PAGE_MAX_ORDER);

	answer = as_asked(f, "huge_fault()", &asked, &vmf, answer);
	if (answer == VM_FAULT_FALLBACK) {
		f->by_page = true;
		return FAULT_SMALL;
	}
	if (answer != VM_FAULT_DONE)
		return take_answer(f, "huge_fault()", answer);
	DRIVER_WARN(f, "huge_fault() says VM_FAULT_DONE, and has to insert what it shows");
	put_given(vmf.page);
	return MM_FAULT_BUS;
}

enum mm_fault driver_make_block_writable(struct fault *f)
{
	enum mm_fault outcome = wants_block(f) ? ask_for_block(f) : FAULT_SMALL;

	if (outcome != FAULT_SMALL)
		return outcome;
	f->by_page = true;
	pt_split(f->mm->pgt, f->addr);
	return FAULT_AGAIN;
}

/* ------------------------------------------------------------------------------- a page -- */

enum mm_fault driver_missing(struct fault *f, unsigned int level)
{
	struct vm_fault vmf = vmf_of(f);
	vm_fault_t answer;
	const char *wrong;

	if (level > PT_PTE && wants_block(f)) {
		enum mm_fault outcome = ask_for_block(f);

		if (outcome != FAULT_SMALL)
			return outcome;
	}
	if (f->access != MM_ACCESS_WRITE && vma_has_op(f->vma, map_pages) && fault_around(f))
		return FAULT_AGAIN;
	if (!vma_has_op(f->vma, fault))
		return file_missing(f);
	answer = ask(f, f->vma->vm_ops->fault, "fault()", &vmf);
	if (answer != VM_FAULT_DONE)
		return take_answer(f, "fault()", answer);
	wrong = wrong_page(f, vmf.page);
	if (!wrong)
		return file_map_page(f, vmf.page);
	DRIVER_WARN(f, "%s", wrong);
	put_given(vmf.page);
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
		return take_answer(f, name, answer);
	if (page)
		filemap_mark_dirty(page);
	err = pt_install(pt, NULL, f->addr, PT_PTE, seen,
			 pte_leaf(pt->format, PT_PTE, pte_pfn(pt->format, seen),
				  fault_attrs(f, true) | PT_DIRTY | (page ? 0 : PT_SPECIAL)));
	return err ? look_again(f, name) : MM_FAULT_DONE;
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
