/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Pages that the embedder puts where somebody waits for them.
 *
 * A page for a copy is made, with all of its bytes, while no lock is held: where these come from
 * may be anything.  Then the area is locked as a fault locks it, looked at, and the entry installed
 * if there is none yet.
 *
 *		anonymous, or shared		shared memory,
 *		memory mapped privately		mapped shared
 *	copy	a new page, exclusive		a new page of the file
 *	zero	the zero page			a new page of the file
 *	continue	the file's page, read-only	the file's page
 *	poison	an entry that says so, in each
 *
 * A page becomes the file's first and is mapped then, both under its lock, and is not uptodate
 * before: who finds it waits for the lock.  So if something else is mapped there, it is taken out
 * of the file again before anybody has read it or stored to it.
 *
 * Entries that only say something about a page that is not there (guards, lost bytes) give way to
 * pages, as on Linux, but not to zeros and poison.
 */
#include "base/str.h"
#include "fault/user.h"
#include "file/swapped.h"
#include "reclaim/reclaim.h"
#include "vma/map.h"

/* Is it shared memory, in whichever way it is mapped? */
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
	if (fill->protect && !(vma->vm_flags & VM_UFFD_WP))
		return -EINVAL;
	if (vma_is_anonymous(vma))
		return fill->kind == USER_FILL_CONTINUE ? -EINVAL : 0;
	return is_shmem(vma) ? 0 : -EINVAL;
}

/* -------------------------------------------------------------------------------- entries -- */

static bool gives_way(const struct user_fill *fill, const struct pgtable *pt, pte_t seen)
{
	unsigned int type = pte_soft_type(pt->format, seen);

	if (pte_none(seen))
		return true;
	return (type == PT_SOFT_GUARD || type == PT_SOFT_POISON) &&
	       (fill->kind == USER_FILL_COPY || fill->kind == USER_FILL_CONTINUE);
}

/* 0; -EEXIST, -ENOMEM. */
static int install(const struct user_fill *fill, const struct fault *f, pte_t entry)
	__must_hold_shared(vma_stable)
{
	struct pgtable *pt = f->mm->pgt;
	int err;

	do {
		unsigned int level;
		pte_t seen = pt_look(pt, f->addr, &level);

		if (!gives_way(fill, pt, seen))
			return -EEXIST;
		err = pt_install(pt, NULL, f->addr, PT_PTE, seen, entry);
	} while (err == -EAGAIN);
	return err;
}

/* The reference to @page passes to the entry, if there is no error.  It counts as a fault's. */
static int install_page(const struct user_fill *fill, const struct fault *f, struct page *page,
			u32 attrs)
	__must_hold_shared(vma_stable)
{
	int err;

	if (mm_over_limit(f->mm, 1))
		return -ENOMEM;
	if (page_is_full(page))
		return -EOVERFLOW;
	atomic_add_relaxed(&page->mapcount, 1);
	err = install(fill, f, pte_leaf(f->mm->pgt->format, PT_PTE, page_pfn(page), attrs));
	if (err)
		atomic_sub_relaxed(&page->mapcount, 1);
	return err;
}

static int install_anon(struct user_fill *fill, const struct fault *f)
	__must_hold_shared(vma_stable)
{
	int err;

	page_make_anon(fill->page, area_own(f->vma), vma_pgoff_at(f->vma, f->addr));
	err = install_page(fill, f, fill->page,
			   fault_attrs(f, !fill->protect) | PT_DIRTY |
			   (fill->protect ? PT_USER_WP : 0));
	if (!err)
		fill->page = NULL;
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

/* --------------------------------------------------------------------------------- shared -- */

/*
 * Of the file in whose area f->addr lies, while its invalidate lock is held: nothing past the end
 * appears after a truncation has looked there.
 */

/* fill->page, or zeros, becomes the file's and is mapped. */
static int fill_shared(struct user_fill *fill, const struct fault *f,
		       struct address_space *mapping)
	__must_hold_shared(vma_stable) __must_hold_shared(&mapping->invalidate_lock) __may_sleep
{
	struct page *page = fill->page;
	int err;

	if (!page)
		page = fill->page = page_alloc(f->mm->pgt->arena, 0, PAGE_ZEROED);
	if (!page)
		return -ENOMEM;
	page_lock(page);
	err = filemap_add(mapping, vma_pgoff_at(f->vma, f->addr), page);
	if (!err) {
		filemap_mark_dirty(page);
		err = install_page(fill, f, page, fault_attrs(f, true) | PT_DIRTY);
		if (err)
			filemap_remove(mapping, page);
		else
			/* Pairs with filemap_is_uptodate(). */
			atomic_or_release(&page->flags, PG_UPTODATE);
	}
	page_unlock(page);
	if (!err)
		fill->page = NULL;
	return err;
}

/* The page that is in the file is mapped, read back from swap if it is there. */
static int fill_continue(const struct user_fill *fill, const struct fault *f,
			 struct address_space *mapping)
	__must_hold_shared(vma_stable) __must_hold_shared(&mapping->invalidate_lock) __may_sleep
{
	unsigned long pgoff = vma_pgoff_at(f->vma, f->addr);
	bool write = f->vma->vm_flags & VM_SHARED;
	struct page *page;
	int err = filemap_get_kept(mapping, pgoff, &page);

	if (err)
		return err == -ENOMEM ? err : -EFAULT;
	page_lock(page);
	if (write)
		filemap_mark_dirty(page);
	err = install_page(fill, f, page, fault_attrs(f, write) | (write ? PT_DIRTY : 0));
	page_unlock(page);
	if (err)
		page_put(page);
	return err;
}

/* ---------------------------------------------------------------------------------- locks -- */

static int fill_anon(struct user_fill *fill, const struct fault *f)
	__must_hold_shared(vma_stable)
{
	if (fill->kind == USER_FILL_POISON)
		return install(fill, f, pte_soft(PT_SOFT_POISON, 0));
	return fill->page ? install_anon(fill, f) : install_zero(fill, f);
}

static int fill_file(struct user_fill *fill, const struct fault *f)
	__must_hold_shared(vma_stable) __may_sleep
{
	struct address_space *mapping = f->vma->vm_file->mapping;
	int err;

	rwsem_read_lock(&mapping->invalidate_lock);
	if (vma_pgoff_at(f->vma, f->addr) >= mapping_end(mapping))
		err = fill->kind == USER_FILL_CONTINUE ? -EINVAL : -EFAULT;
	else if (fill->kind == USER_FILL_CONTINUE)
		err = fill_continue(fill, f, mapping);
	else if ((f->vma->vm_flags & VM_SHARED) && fill->kind != USER_FILL_POISON)
		err = fill_shared(fill, f, mapping);
	else
		err = fill_anon(fill, f);
	rwsem_read_unlock(&mapping->invalidate_lock);
	return err;
}

/* -EAGAIN: with the mmap lock.  A file's locks come between that and a VMA lock. */
static int fill_area(struct user_fill *fill, const struct fault *f)
	__must_hold_shared(vma_stable) __may_sleep
{
	struct vm_area_struct *vma = f->vma;
	/* Relaxed: another thread's fault may be here, with the mmap lock. */
	bool touches = !(vma->vm_flags & VM_SHARED) && !atomic_load_relaxed(&vma->anon);
	int err = 0;

	if (f->lock == FAULT_VMA_LOCK && (touches || !vma_is_anonymous(vma)))
		return -EAGAIN;
	/* Linux touches the area before it looks whether that is registered. */
	if (touches)
		err = anon_prepare(vma);
	if (!err)
		err = check_area(fill, vma);
	if (err)
		return err;
	return vma_is_anonymous(vma) ? fill_anon(fill, f) : fill_file(fill, f);
}

static int fill_vma_locked(struct user_fill *fill, struct fault *f)
	__must_not_hold(vma_stable) __may_sleep
{
	struct vm_area_struct *vma;
	int err;

	mm_may_read_lock(f->mm);
	vma = vma_lock_read(f->mm, f->addr);
	if (!vma)
		return -EAGAIN;
	f->vma = vma;
	f->lock = FAULT_VMA_LOCK;
	err = fill_area(fill, f);
	vma_unlock_read(vma);
	return err;
}

static int fill_mmap_locked(struct user_fill *fill, struct fault *f)
	__must_not_hold(vma_stable) __may_sleep
{
	int err = -ENOENT;

	mm_read_lock(f->mm);
	f->vma = vma_at(f->mm, f->addr);
	f->lock = FAULT_MMAP_LOCK;
	if (f->vma)
		err = fill_area(fill, f);
	mm_read_unlock(f->mm);
	return err;
}

int user_fill_page(struct user_fill *fill)
{
	struct fault f = { .mm = fill->mm, .addr = fill->addr, .access = MM_ACCESS_WRITE };
	int err;

	if (fill->kind == USER_FILL_COPY) {
		fill->page = page_alloc(fill->mm->pgt->arena, 0, PAGE_ANYTHING);
		if (!fill->page)
			return -ENOFRAME;
		memcpy(page_bytes(fill->page), fill->from, PAGE_SIZE);
	}
	err = fill_vma_locked(fill, &f);
	if (err == -EAGAIN)
		err = fill_mmap_locked(fill, &f);
	if (fill->page)
		page_put(fill->page);
	fill->page = NULL;
	if (err == -EOVERFLOW)
		return -ENOMEM;
	/* Pages, tables, nodes of the file's index: all lies in frames.  Or it is one too many. */
	return err == -ENOMEM ? -ENOFRAME : err;
}
