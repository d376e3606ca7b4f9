/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Pages that the embedder puts where somebody waits for them.
 *
 * A page is made, with all of its bytes, while no lock is held: where these come from may be
 * anything.  Then the area is locked as a fault locks it, looked at, and the entry installed if
 * there is none yet.
 *
 *	anonymous, or shared memory mapped privately
 *		bytes		a new anonymous page, exclusive
 *		zeros		the zero page
 *
 * Entries that only say something about a page that is not there (guards, lost bytes) give way to
 * bytes, as on Linux, and not to zeros.
 */
#include "base/str.h"
#include "fault/user.h"
#include "file/filemap.h"
#include "vma/map.h"

/* Is it shared memory, whether mapped shared or not? */
static bool is_shmem(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	return vma_maps_file(vma) && (file_flags(vma->vm_file) & FILE_SHMEM);
}

/* 0, or why the area cannot be filled as far as fill->end. */
static int check_area(const struct user_fill *fill, const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	if (vma->vm_end < fill->end || !vma->user_faults)
		return -ENOENT;
	if (vma_is_anonymous(vma))
		return 0;
	return is_shmem(vma) && !(vma->vm_flags & VM_SHARED) ? 0 : -EINVAL;
}

static bool gives_way(const struct user_fill *fill, const struct pgtable *pt, pte_t seen)
{
	unsigned int type = pte_soft_type(pt->format, seen);

	if (pte_none(seen))
		return true;
	return fill->kind != USER_FILL_ZERO && (type == PT_SOFT_GUARD || type == PT_SOFT_POISON);
}

/* 0, or -errno: then the reference to @page is the caller's still. */
static int install(const struct user_fill *fill, const struct fault *f, pte_t leaf)
	__must_hold_shared(vma_stable)
{
	struct pgtable *pt = f->mm->pgt;
	int err;

	do {
		unsigned int level;
		pte_t seen = pt_look(pt, f->addr, &level);

		if (!gives_way(fill, pt, seen))
			return -EEXIST;
		err = pt_install(pt, NULL, f->addr, PT_PTE, seen, leaf);
	} while (err == -EAGAIN);
	return err;
}

static int install_anon(const struct user_fill *fill, const struct fault *f, struct page *page)
	__must_hold_shared(vma_stable)
{
	int err;

	page_make_anon(page, area_own(f->vma), vma_pgoff_at(f->vma, f->addr));
	atomic_store_relaxed(&page->mapcount, 1);
	err = install(fill, f, pte_leaf(f->mm->pgt->format, PT_PTE, page_pfn(page),
					fault_attrs(f, true) | PT_DIRTY));
	if (err)
		atomic_store_relaxed(&page->mapcount, 0);
	return err;
}

static int install_zero(const struct user_fill *fill, const struct fault *f)
	__must_hold_shared(vma_stable)
{
	const struct pgtable *pt = f->mm->pgt;

	return install(fill, f, pte_leaf(pt->format, PT_PTE,
					 page_pfn(arena_zero_page(pt->arena)),
					 fault_attrs(f, false) | PT_SPECIAL));
}

/* Past the end of its file? */
static bool is_past_end(const struct fault *f)
	__must_hold_shared(vma_stable)
{
	return !vma_is_anonymous(f->vma) &&
	       vma_pgoff_at(f->vma, f->addr) >= mapping_end(f->vma->vm_file->mapping);
}

/* -EAGAIN: with the mmap lock.  A reference to @page passes to the entry. */
static int fill_area(const struct user_fill *fill, const struct fault *f, struct page *page)
	__must_hold_shared(vma_stable) __may_sleep
{
	struct vm_area_struct *vma = f->vma;
	int err = check_area(fill, vma);

	if (err)
		return err;
	/* Relaxed: another thread's fault may be here, with the mmap lock. */
	if (!atomic_load_relaxed(&vma->anon)) {
		if (f->lock == FAULT_VMA_LOCK)
			return -EAGAIN;
		err = anon_prepare(vma);
	}
	if (!err && is_past_end(f))
		err = -EFAULT;
	if (err)
		return err;
	return page ? install_anon(fill, f, page) : install_zero(fill, f);
}

static int fill_vma_locked(const struct user_fill *fill, struct fault *f, struct page *page)
	__must_not_hold(vma_stable) __may_sleep
{
	struct vm_area_struct *vma = vma_lock_read(f->mm, f->addr);
	int err;

	if (!vma)
		return -EAGAIN;
	f->vma = vma;
	f->lock = FAULT_VMA_LOCK;
	err = fill_area(fill, f, page);
	vma_unlock_read(vma);
	return err;
}

static int fill_mmap_locked(const struct user_fill *fill, struct fault *f, struct page *page)
	__must_not_hold(vma_stable) __may_sleep
{
	int err = -ENOENT;

	mm_read_lock(f->mm);
	f->vma = vma_at(f->mm, f->addr);
	f->lock = FAULT_MMAP_LOCK;
	if (f->vma)
		err = fill_area(fill, f, page);
	mm_read_unlock(f->mm);
	return err;
}

int user_fill_page(struct user_fill *fill)
{
	struct fault f = { .mm = fill->mm, .addr = fill->addr, .access = MM_ACCESS_WRITE };
	struct page *page = NULL;
	int err;

	if (fill->kind == USER_FILL_COPY) {
		page = page_alloc(fill->mm->pgt->arena, 0, PAGE_ANYTHING);
		if (!page)
			return -ENOMEM;
		memcpy(page_bytes(page), fill->from, PAGE_SIZE);
	}
	err = fill_vma_locked(fill, &f, page);
	if (err == -EAGAIN)
		err = fill_mmap_locked(fill, &f, page);
	if (err && page)
		page_put(page);
	return err;
}
