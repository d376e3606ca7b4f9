/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Pages of files, shared anonymous objects among them.
 *
 *	shared, read		the file's page, read-only until somebody writes
 *	shared, written		the file's page, writable and dirty
 *	private, read		the file's page, read-only for good
 *	private, written	a copy of it, anonymous from then on (anon.c)
 *
 * The page is found without a lock, and locked while its entry is made: if it is still the file's
 * then, a truncation that comes later finds it mapped.  A page lock comes before a VMA lock and may
 * not be waited for inside one: then the fault comes again with the mmap lock, which comes before.
 *
 * What of a file's other pages near by is at hand is mapped by a read fault, too: around.c.
 *
 * A page that is not there may have to be read, from the file or from swap: that is waited for
 * without any lock (fault_wait()), with a reference to the file, since its area may go meanwhile.
 */
#include "fault/swap.h"
#include "fault/user.h"
#include "phys/copy.h"
#include "file/swapped.h"

bool vma_maps_file(const struct vm_area_struct *vma)
{
	if (!vma->vm_file || (vma->vm_flags & (VM_IO | VM_PFNMAP | VM_MIXEDMAP)))
		return false;
	return vma->vm_ops == &file_vm_ops ||
	       (file_flags(vma->vm_file) & (FILE_SHMEM | FILE_HUGETLB));
}

static enum mm_fault outcome_of(int err)
{
	return err == -ENOMEM ? MM_FAULT_OOM : MM_FAULT_BUS;
}

/* With a reference.  FAULT_RETRY: f->wait says for what. */
static enum mm_fault find_page(struct fault *f, struct page **page)
	__must_hold_shared(vma_stable) __may_sleep
{
	struct file *file = f->vma->vm_file;
	unsigned long pgoff = vma_pgoff_at(f->vma, f->addr);
	int err = filemap_get_page(file, pgoff, FILEMAP_TRY, page);

	if (!err)
		return MM_FAULT_DONE;
	if (err != -EAGAIN)
		return outcome_of(err);
	f->wait_file = file_get(file);
	f->wait_pgoff = pgoff;
	return FAULT_RETRY;
}

static bool lock_page(const struct fault *f, struct page *page)
	__cond_acquires(true, page) __may_sleep
{
	if (f->lock == FAULT_VMA_LOCK)
		return page_trylock(page);
	page_lock(page);
	return true;
}

enum mm_fault file_map_page(struct fault *f, struct page *page)
{
	bool write = f->access == MM_ACCESS_WRITE, told = driver_wants_notice(f->vma, false);
	enum mm_fault outcome;

	if (write && !(f->vma->vm_flags & VM_SHARED)) {
		outcome = anon_copy_of(f, PTE_NONE, page);
		page_put(page);
		return outcome;
	}
	/* A driver that is to be asked is asked about what is there: then look again. */
	if (write && !told)
		filemap_mark_dirty(page);
	outcome = fault_install(f, pte_leaf(f->mm->pgt->format, PT_PTE, page_pfn(page),
					    fault_attrs(f, write && !told) |
					    (write && !told ? PT_DIRTY : 0)), page);
	if (outcome != MM_FAULT_DONE)
		page_put(page);
	return outcome == MM_FAULT_DONE && write && told ? FAULT_AGAIN : outcome;
}

/* Of shared memory: is the embedder asked for the page, or whether to map the one there is? */
vm_flags_t user_mode_of(const struct fault *f)
{
	if (vma_is_anonymous(f->vma))
		return VM_UFFD_MISSING;
	if (likely(!(f->vma->vm_flags & (VM_UFFD_MISSING | VM_UFFD_MINOR))))
		return 0;
	return filemap_has(f->vma->vm_file->mapping, vma_pgoff_at(f->vma, f->addr)) ?
	       VM_UFFD_MINOR : VM_UFFD_MISSING;
}

enum mm_fault file_missing(struct fault *f)
{
	enum mm_fault outcome;
	struct page *page;
	vm_flags_t mode;

	if (!vma_maps_file(f->vma))
		return MM_FAULT_BUS;
	/* Also if there is no page for this one: as on Linux the others are mapped. */
	if (file_map_around(f))
		return MM_FAULT_DONE;
	if (!touch_has_page(f))
		return MM_FAULT_BUS;
	mode = user_mode_of(f);
	if (user_wants(f->vma, mode))
		return user_fault(f, mode);
	outcome = find_page(f, &page);
	if (outcome != MM_FAULT_DONE)
		return outcome;
	if (!lock_page(f, page)) {
		page_put(page);
		return FAULT_RETRY;
	}
	if (!filemap_is_at(page, f->vma->vm_file->mapping, vma_pgoff_at(f->vma, f->addr))) {
		page_unlock(page);
		page_put(page);
		return FAULT_AGAIN;
	}
	/* Ours may be the last reference, and the unlock comes after it. */
	page_get(page);
	outcome = file_map_page(f, page);
	page_unlock(page);
	page_put(page);
	return outcome;
}

enum mm_fault fault_wait(struct fault *f)
{
	struct page *page = NULL;
	int err;

	if (!f->wait_swap && !f->user.faults && !f->wait_file)
		return MM_FAULT_DONE;
	fault_let_go(f);
	if (f->wait_swap)
		return swap_wait(f);
	if (f->user.faults)
		return user_wait(f);
	err = filemap_get_page(f->wait_file, f->wait_pgoff, FILEMAP_WAIT, &page);
	fault_forget(f);
	if (!err)
		f->held = page;
	/* If it is past the end by now, that is for the next look to say. */
	return !err || err == -EPASTEND ? MM_FAULT_DONE : outcome_of(err);
}

void fault_forget(struct fault *f)
{
	if (f->wait_file)
		file_put(f->wait_file);
	f->wait_file = NULL;
	f->wait_swap = 0;
	user_wait_end(&f->user);
	fault_let_go(f);
}

/* ---------------------------------------------------------------------------- questions -- */

void file_in_core(const struct vm_area_struct *vma, unsigned long start, unsigned long end,
		  unsigned char *vec)
{
	if (!vma_maps_file(vma))
		return;
	for (unsigned long addr = start; addr < end; addr += PAGE_SIZE, vec++) {
		struct page *page = filemap_find_page(vma->vm_file->mapping,
						      vma_pgoff_at(vma, addr));

		*vec = page != NULL;
		if (page)
			page_put(page);
	}
}

struct file *file_to_read(const struct vm_area_struct *vma)
{
	if (!vma_maps_file(vma) || !mm_has_pages(vma->vm_mm))
		return NULL;
	return file_get(vma->vm_file);
}

int file_remove(const struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	u64 offset = (u64)vma_pgoff_at(vma, start) << PAGE_SHIFT;
	int err;

	if (start >= end || !vma_maps_file(vma))
		return 0;
	/* An area that has grown may reach further than any file does. */
	err = filemap_check_hole(vma->vm_file, offset, end - start);
	if (err || !mm_has_pages(vma->vm_mm))
		return err;
	return filemap_punch(vma->vm_file, offset, offset + (end - start));
}
