/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The part of a page fault that areas see.  For a mm without pages it is all there is: the embedder
 * says that a page was accessed, and the areas change as the kernel's would.
 *
 * Three things may happen: a stack grows, an area comes to have an anon_vma (it is *touched*: from
 * then on it merges with some and not with others), or the access is refused.  In this order, so a
 * stack has grown even if the access is then refused, and a private file area has been touched even
 * if the page lies beyond the end of the file.
 *
 * What touches an area:
 *	a write to private memory
 *	any access to private hugetlb memory, inside the file
 *	any access to anonymous memory in 2 MiB that would get a huge page (huge.c)
 * The last is Linux's first fault in those 2 MiB.  If small pages are there already, from before
 * the madvise(), a read does not touch; where there are no pages this is not known, and not
 * followed.
 *
 * Protection is x86's, where a page that may be accessed at all may be read: only writing and
 * executing have a bit of their own.
 */
#include "base/atomic.h"
#include "fault/fault.h"
#include "fault/huge.h"
#include "file/filemap.h"
#include "vma/anon.h"
#include "vma/instance.h"
#include "vma/limits.h"
#include "vma/map.h"

/* One access to [start, end), page-aligned, all inside @vma. */
struct access {
	struct vm_area_struct *vma;
	unsigned long start, end;
	enum mm_access kind;
};

static bool is_huge_private(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	return (vma->vm_flags & (VM_HUGETLB | VM_MAYSHARE)) == VM_HUGETLB;
}

/* Does one of the 2 MiB that the access meets lie wholly inside an area that wants huge pages? */
static bool meets_huge_page(const struct access *a)
	__must_hold_shared(vma_stable)
{
	const struct vm_area_struct *vma = a->vma;
	unsigned long first;

	if (!huge_wanted(vma))
		return false;
	first = max(ALIGN_DOWN(a->start, PMD_SIZE), ALIGN(vma->vm_start, PMD_SIZE));
	return first < a->end && first + PMD_SIZE <= vma->vm_end &&
	       (!mm_has_pages(vma->vm_mm) || huge_is_empty(vma->vm_mm, first));
}

static bool makes_anon(const struct access *a)
	__must_hold_shared(vma_stable)
{
	if (a->kind == MM_ACCESS_WRITE && !(a->vma->vm_flags & VM_SHARED))
		return true;
	return is_huge_private(a->vma) || meets_huge_page(a);
}

/* An access to a guard makes no page, and so an area no home of anonymous pages. */
static bool is_guarded(const struct access *a)
	__must_hold_shared(vma_stable)
{
	struct pgtable *pt = a->vma->vm_mm->pgt;
	unsigned int level;

	return pt && pte_soft_type(pt->format, pt_look(pt, a->start, &level)) == PT_SOFT_GUARD;
}

/* A driver with ops of its own knows what is behind its areas; all other files end somewhere. */
static bool beyond_end(const struct access *a)
{
	const struct file *file = a->vma->vm_file;
	unsigned long last = vma_pgoff_at(a->vma, a->end - PAGE_SIZE);

	if (!file || vma_is_anonymous(a->vma) ||
	    (a->vma->vm_ops != &file_vm_ops &&
	     !(file_flags(file) & (FILE_SHMEM | FILE_HUGETLB))))
		return false;
	return last >= mapping_end(file->mapping);
}

/*
 * Nothing was set aside for a mapping with MAP_NORESERVE: is there no huge page it could get?  What
 * another map of the same file may have set aside is not looked at.
 */
static bool pool_is_empty(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	const struct vmarea *instance = vma->vm_mm->instance;

	if ((vma->vm_flags & (VM_HUGETLB | VM_NORESERVE)) != (VM_HUGETLB | VM_NORESERVE))
		return false;
	return huge_pages_free(instance, vma->vm_file->huge_shift) <= 0;
}

/* What an area allows.  A debugger goes by what it could allow, and others by what it says. */
static enum mm_fault check_rights(const struct access *a, unsigned int how)
	__must_hold_shared(vma_stable)
{
	const vm_flags_t flags = a->vma->vm_flags;
	const bool write = a->kind == MM_ACCESS_WRITE;

	if ((how & (FAULT_FORCED | FAULT_REMOTE | FAULT_KEEP)) && (flags & (VM_IO | VM_PFNMAP)))
		return MM_FAULT_ACCERR;
	if (how & FAULT_FORCED) {
		if (write ? (flags & (VM_SHARED | VM_WRITE | VM_MAYWRITE)) == VM_MAYWRITE ||
			    (flags & VM_WRITE)
			  : flags & VM_MAYREAD)
			return MM_FAULT_DONE;
		return MM_FAULT_ACCERR;
	}
	if (how & FAULT_REMOTE)
		return flags & (write ? VM_WRITE : VM_READ) ? MM_FAULT_DONE : MM_FAULT_ACCERR;
	if (!(flags & VM_ACCESS_FLAGS) || (write && !(flags & VM_WRITE)))
		return MM_FAULT_ACCERR;
	return MM_FAULT_DONE;
}

/* With @lock, as far as it reaches: FAULT_RETRY. */
static enum mm_fault admit(const struct access *a, unsigned int how, enum fault_lock lock)
	__must_hold_shared(vma_stable) __may_sleep
{
	const bool hugetlb = a->vma->vm_flags & VM_HUGETLB;
	enum mm_fault fault = check_rights(a, how);

	if (fault != MM_FAULT_DONE)
		return fault;
	/* hugetlb looks at the file before it thinks of memory, other files after. */
	if (hugetlb && beyond_end(a))
		return MM_FAULT_BUS;
	/* Relaxed: another thread may be here for the same area, with the mmap lock. */
	if (makes_anon(a) && !atomic_load_relaxed(&a->vma->anon)) {
		if (is_guarded(a))
			return MM_FAULT_MAPERR;
		if (lock == FAULT_VMA_LOCK)
			return FAULT_RETRY;
		if (anon_prepare(a->vma))
			return MM_FAULT_OOM;
	}
	return MM_FAULT_DONE;
}

static bool has_page(const struct access *a)
	__must_hold_shared(vma_stable)
{
	return !beyond_end(a) && !pool_is_empty(a->vma);
}

static struct access access_of(const struct fault *f)
{
	return (struct access){
		.vma = f->vma, .start = f->addr, .end = f->addr + PAGE_SIZE, .kind = f->access,
	};
}

enum mm_fault touch_admit(const struct fault *f)
{
	const struct access a = access_of(f);

	return admit(&a, f->how, f->lock);
}

bool touch_has_page(const struct fault *f)
{
	const struct access a = access_of(f);

	return has_page(&a);
}

static enum mm_fault touch_area(const struct access *whole)
	__must_hold_shared(vma_stable) __may_sleep
{
	struct access access = *whole, *a = &access;
	enum mm_fault fault;

	/* What may not be executed is refused at its first page, whatever the others are. */
	if (a->kind == MM_ACCESS_EXEC && !(a->vma->vm_flags & VM_EXEC))
		a->end = a->start + PAGE_SIZE;
	fault = admit(a, 0, FAULT_MMAP_LOCK);
	if (fault == MM_FAULT_DONE && !has_page(a))
		fault = MM_FAULT_BUS;
	/* The page is there now; that it may not be executed shows only at the second try. */
	if (fault == MM_FAULT_DONE && a->kind == MM_ACCESS_EXEC && !(a->vma->vm_flags & VM_EXEC))
		fault = MM_FAULT_ACCERR;
	return fault;
}

enum mm_fault mm_touch_locked(struct vm_area_struct *vma, unsigned long start, unsigned long end,
			      enum mm_access kind)
{
	const struct access a = { .vma = vma, .start = start, .end = end, .kind = kind };
	struct fault f = {
		.mm = vma->vm_mm, .vma = vma, .addr = start, .access = kind,
		.lock = FAULT_MMAP_LOCK,
	};
	enum mm_fault fault, result = MM_FAULT_DONE;

	if (!mm_has_pages(f.mm))
		return touch_area(&a);
	for (; f.addr < end; f.addr += PAGE_SIZE) {
		fault = fault_in_area(&f);
		if (fault == FAULT_RETRY) {
			fault_forget(&f);
			result = MM_FAULT_BUS;
		} else if (fault != MM_FAULT_DONE) {
			return fault == FAULT_FULL ? MM_FAULT_OOM : fault;
		}
	}
	return result;
}

/*
 * As far as the areas reach without growing one: *pos is where it stopped.  True if there is a
 * stack to be grown to *pos first.  Read lock.
 */
static bool touch_mapped(struct mm_struct *mm, unsigned long *pos, unsigned long end,
			 enum mm_access kind, enum mm_fault *fault)
	__must_hold_shared(vma_stable) __may_sleep
{
	*fault = MM_FAULT_DONE;
	while (*pos < end) {
		struct access a = { .vma = vma_first(mm, *pos), .start = *pos, .kind = kind };

		if (!a.vma || a.vma->vm_start > *pos) {
			*fault = MM_FAULT_MAPERR;
			return a.vma && mm_is_stack(a.vma->vm_flags);
		}
		a.end = min(end, a.vma->vm_end);
		*fault = touch_area(&a);
		if (*fault != MM_FAULT_DONE)
			return false;
		*pos = a.end;
	}
	return false;
}

enum mm_fault touch_areas(struct mm_struct *mm, unsigned long pos, unsigned long end,
			  enum mm_access kind)
{
	enum mm_fault fault;
	bool below_stack;

	do {
		mm_read_lock(mm);
		below_stack = touch_mapped(mm, &pos, end, kind, &fault);
		mm_read_unlock(mm);
		if (below_stack)
			fault = grow_stack(mm, pos);
	} while (below_stack && fault == MM_FAULT_DONE);
	return fault;
}
