/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Anonymous memory, and copies of anything.
 *
 *	nothing there, read		the zero page, special and read-only
 *	nothing there, write		a zeroed frame, exclusive
 *	zero page, write		the same
 *	another's page, write		a frame with a copy of it (copy-on-write)
 *	anonymous and exclusive, or	the same page, made writable (reuse): fork or mprotect had
 *	with no other reference		taken the right away, and nobody is left to see the write
 *
 * PG_EXCLUSIVE is set while a page is in one page table and may be written to there; it is set and
 * cleared under the lock of that table.  Counting references alone would not do: a pin is one, and
 * a page that is pinned and was write-protected by mprotect() must be the same page after the next
 * write, or who pinned it would look at another from then on.
 *
 * A copy is made without a lock, from a page that is held by a reference and that nobody may write
 * to: all its entries are write-protected, or it is a file's page, whose bytes may change at any
 * time and of which a copy is of no moment in particular.  Before the entry is changed it is looked
 * at again; the reference also keeps the frame from coming back as another page in between.
 */
#include "base/str.h"
#include "phys/copy.h"
#include "fault/fault.h"
#include "file/filemap.h"
#include "fault/huge.h"
#include "fault/user.h"
#include "file/filemap.h"
#include "reclaim/reclaim.h"
#include "rmap/rmap.h"
#include "vma/anon.h"

/* A compile-time choice: see meson_options.txt. */
#ifdef VMAREA_PLANT_FORK_REUSE
# define SOLE_REFS	2
#else
# define SOLE_REFS	1
#endif

u32 fault_attrs(const struct fault *f, bool writable)
{
	u32 attrs = area_rights(f->vma->vm_flags) | PT_USER | PT_ACCESSED;

	return writable ? attrs : attrs & ~PT_WRITE;
}

/* The outcome of an attempt to change an entry. */
static enum mm_fault outcome_of(int err)
{
	if (!err)
		return MM_FAULT_DONE;
	return err == -ENOMEM ? MM_FAULT_OOM : FAULT_AGAIN;
}

enum mm_fault fault_install(struct fault *f, pte_t leaf, struct page *page)
{
	int err;

	if (page && page_is_full(page_head(page)))
		return FAULT_FULL;
	if (page)
		atomic_add_relaxed(&page->mapcount, 1);
	err = pt_install(f->mm->pgt, NULL, f->addr, PT_PTE, PTE_NONE, leaf);
	if (err && page)
		atomic_sub_relaxed(&page->mapcount, 1);
	return outcome_of(err);
}

/* A frame that is to be this area's at f->addr.  NULL: there is none. */
static struct page *anon_page(const struct fault *f, enum page_fill fill)
{
	struct page *page = page_alloc(f->mm->pgt->arena, 0, fill);

	if (page)
		page_make_anon(page, area_own(f->vma), vma_pgoff_at(f->vma, f->addr));
	return page;
}

/* Is @seen still to be read only, by the embedder's will?  It was asked about writes before. */
static bool stays_protected(const struct fault *f, pte_t seen)
{
	return pte_present(f->mm->pgt->format, seen) && pte_user_wp(f->mm->pgt->format, seen) &&
	       f->access != MM_ACCESS_WRITE;
}

/* Writable if the area is: a debugger writes to areas that are not. */
static pte_t anon_leaf(const struct fault *f, pte_t seen, const struct page *page)
	__must_hold_shared(vma_stable)
{
	bool protected = stays_protected(f, seen);

	return pte_leaf(f->mm->pgt->format, PT_PTE, page_pfn(page),
			fault_attrs(f, !protected) | PT_DIRTY | (protected ? PT_USER_WP : 0));
}

static pte_t zero_leaf(const struct fault *f)
	__must_hold_shared(vma_stable)
{
	const struct pgtable *pt = f->mm->pgt;

	return pte_leaf(pt->format, PT_PTE, page_pfn(arena_zero_page(pt->arena)),
			fault_attrs(f, false) | PT_SPECIAL);
}

enum mm_fault anon_missing(struct fault *f)
{
	if (f->access != MM_ACCESS_WRITE)
		return fault_install(f, zero_leaf(f), NULL);
	return anon_copy_of(f, PTE_NONE, NULL);
}

/* ---------------------------------------------------------------------- copy-on-write -- */

enum mm_fault anon_copy_of(struct fault *f, pte_t seen, struct page *old)
{
	struct page *page = anon_page(f, old ? PAGE_ANYTHING : PAGE_ZEROED);
	int err;

	if (!page)
		return MM_FAULT_OOM;
	if (old)
		frame_copy(page_bytes(page), page_bytes(old));
	atomic_store_relaxed(&page->mapcount, 1);
	err = pt_install(f->mm->pgt, NULL, f->addr, PT_PTE, seen, anon_leaf(f, seen, page));
	if (err) {
		atomic_store_relaxed(&page->mapcount, 0);
		page_put(page);
	}
	return outcome_of(err);
}

/* The same, and what the entry held comes back to us. */
static enum mm_fault replace_by_copy(struct fault *f, pte_t seen, struct page *old)
	__must_hold_shared(vma_stable)
{
	enum mm_fault outcome;

	/* Zeros were nobody's page. */
	if (!old && mm_over_limit(f->mm, 1))
		return MM_FAULT_OOM;
	outcome = anon_copy_of(f, seen, old);
	if (outcome == MM_FAULT_DONE && old) {
		atomic_sub_relaxed(&old->mapcount, 1);
		page_put(page_head(old));
	}
	return outcome;
}

/* Is it ours alone?  Then it is from now on, too. */
static bool claim_exclusive(const struct fault *f, const struct pt_slot *slot, struct page *page)
	__must_hold(slot)
{
	u32 flags = page_flags(page);

	if (!(flags & PG_ANON))
		return false;
	if (flags & PG_EXCLUSIVE)
		return true;
	if (slot->level == PT_PTE && page_order(page))
		rmap_take_apart(slot, page_head(page), 0);
	/* Acquire pairs with the last put of another: it has read what it wanted to. */
	if (atomic_load_acquire(&page_head(page)->refs) > SOLE_REFS)
		return false;
	page_set_flags(page, PG_EXCLUSIVE);
	/*
	 * Found by fewer steps now.  A leaf is all of its block, but of a block in pieces the head
	 * says it for all.  Release pairs with anon_get().
	 */
	if (slot->level == PT_PMD || !page_order(page))
		atomic_store_release(&page->mapping, (void *)area_own(f->vma));
	return true;
}

/* Must the page be this area's own, whatever the entry says now? */
static bool needs_own(const struct fault *f, pte_t seen, const struct page *page)
	__must_hold_shared(vma_stable)
{
	if (f->vma->vm_flags & VM_SHARED)
		return false;
	if (f->access == MM_ACCESS_WRITE)
		return !pte_write(f->mm->pgt->format, seen);
	return (f->how & FAULT_UNSHARE) && page && (page_flags(page) & PG_ANON);
}

/*
 * Does a page that may be stored to become dirty now?  Of shared memory Linux learns that from the
 * entry, when that goes; but what is only populated makes the page dirty, where the entry is clean.
 */
static bool is_told_now(const struct fault *f, pte_t seen, const struct page *page)
{
	u32 flags = page_flags(page);

	if (flags & (PG_ANON | PG_DIRTY))
		return false;
	return !(flags & PG_SHMEM) ||
	       ((f->how & FAULT_POPULATE) && !pte_dirty(f->mm->pgt->format, seen));
}

/*
 * Does the entry do, or can it be made to?  Then true.  False: *copied must be copied first (NULL:
 * zeros); it is held by a reference.  Of a leaf of 2 MiB the page is the head of its block.
 */
static bool settle(struct fault *f, struct pt_slot *slot, pte_t seen, struct page **copied)
	__must_hold(slot) __must_hold_shared(vma_stable)
{
	const struct pt_format *format = f->mm->pgt->format;
	struct page *page = pte_special(format, seen) ? NULL :
			    pfn_page(f->mm->pgt->frames, pte_pfn(format, seen));
	bool write = f->access == MM_ACCESS_WRITE;
	u32 marks = (write ? PT_DIRTY : 0) | (page ? 0 : PT_SPECIAL) |
		    (stays_protected(f, seen) ? PT_USER_WP : 0);

	if (needs_own(f, seen, page) && (!page || !claim_exclusive(f, slot, page))) {
		*copied = page;
		if (page)
			page_get(page_head(page));
		return false;
	}
	if (write && page && is_told_now(f, seen, page))
		filemap_mark_dirty(page);
	pt_slot_exchange(slot, pte_leaf(format, slot->level, pte_pfn(format, seen),
					fault_attrs(f, write || pte_write(format, seen)) | marks));
	return true;
}

/* A driver's leaf of 2 MiB; its kind of area has no other. */
static bool is_drivers_block(const struct fault *f, const struct pt_slot *slot)
	__must_hold_shared(vma_stable)
{
	return slot->level == PT_PMD && (f->vma->vm_flags & VM_PFNMAP);
}

/* Is the area's driver to be asked before this entry allows the write? */
static bool needs_notice(const struct fault *f, const struct pt_slot *slot, pte_t seen)
	__must_hold_shared(vma_stable)
{
	const struct pt_format *format = f->mm->pgt->format;

	return f->access == MM_ACCESS_WRITE && !pte_write(format, seen) &&
	       (is_drivers_block(f, slot) ||
		driver_wants_notice(f->vma, pte_special(format, seen)));
}

/* The table is locked, and unlocked here: a driver may take its time. */
static enum mm_fault give_notice(struct fault *f, struct pt_slot *slot, pte_t seen)
	__must_hold_shared(vma_stable) __may_sleep
	__context_unsafe("the slot is the caller's")
{
	struct page *page = pte_special(f->mm->pgt->format, seen) ? NULL :
			    pfn_page(f->mm->pgt->frames, pte_pfn(f->mm->pgt->format, seen));
	enum mm_fault outcome;

	if (page)
		page_get(page_head(page));
	pt_slot_unlock(slot);
	outcome = is_drivers_block(f, slot) ? driver_make_block_writable(f) :
					      driver_make_writable(f, seen, page);
	if (page)
		page_put(page_head(page));
	return outcome;
}

enum mm_fault fault_present(struct fault *f)
	__context_unsafe("the slot is on the stack")
{
	struct page *copied = NULL;
	enum mm_fault outcome;
	struct pt_slot slot;
	bool settled;
	pte_t seen;

	if (!pt_slot_lock(f->mm->pgt, f->addr, &slot))
		return FAULT_AGAIN;
	seen = pt_slot_get(&slot);
	if (!pte_present(f->mm->pgt->format, seen)) {
		pt_slot_unlock(&slot);
		return FAULT_AGAIN;
	}
	if (pte_special(f->mm->pgt->format, seen)) {
		outcome = driver_check_special(f, slot.level, seen);
		if (outcome != MM_FAULT_DONE) {
			pt_slot_unlock(&slot);
			return outcome;
		}
	}
	if (f->access == MM_ACCESS_WRITE && pte_user_wp(f->mm->pgt->format, seen) &&
	    user_wants(f->vma, VM_UFFD_WP)) {
		pt_slot_unlock(&slot);
		return user_fault(f, VM_UFFD_WP);
	}
	if (needs_notice(f, &slot, seen))
		return give_notice(f, &slot, seen);
	settled = settle(f, &slot, seen, &copied);
	pt_slot_unlock(&slot);
	if (settled)
		return MM_FAULT_DONE;
	outcome = slot.level == PT_PMD ? huge_copy(f, seen, !copied) :
					 replace_by_copy(f, seen, copied);
	if (copied)
		page_put(page_head(copied));
	return outcome;
}
