/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Page faults.
 *
 * A fault is one access to one page that the page table does not allow: by the program (through
 * whatever plays its processor), by a helper that copies for it, or by a debugger.  It makes the
 * access possible, or says which signal the program gets.
 *
 * How one goes, from top to bottom:
 *
 *	fault_run		the locks
 *	  the VMA lock		lock_vma_under_rcu(); what cannot be done with it comes again
 *	  the mmap lock		for read; here a stack is seen to grow (for write: stack.c)
 *	  no lock		to wait for a page of a file, or of swap, or an answer (user.c);
 *				the page is held until the fault has come again
 *	fault_in_area		one VMA, stable
 *	  touch_admit		rights, the end of the file, an anon_vma: all that areas decide
 *	  look at the entry
 *	    none		huge_missing, anon_missing, file_missing, driver_missing;
 *				or user_fault
 *	    soft		a guard: MAPERR; lost bytes: BUS; a page that is moved: wait;
 *				one that is in swap: swap_missing()
 *	    present		fault_present: reuse, copy, or nothing to do
 *	  execution		asked last: the page is there by then, as on the machine
 *	take the pin		of f->pin, before the lock goes
 *
 * Look, lock, look again.  An entry is looked at without its lock; then comes what takes time, with
 * no lock of the table: a frame is had, zeroed, filled.  Then the table is locked, and if the entry
 * is not what it was, the work is thrown away and the fault looks again (FAULT_AGAIN).  So nothing
 * sleeps or allocates under a table's lock, and of two threads that fault on one page one wins.
 *
 * Which lock.  The VMA lock keeps start, end, flags, file and, once it is set, the anon chain.  It
 * does not keep the neighbours, which a first write fault looks at (anon_prepare), nor may anybody
 * wait for a page lock inside it.  Such a fault says FAULT_RETRY, and comes again with the mmap
 * lock, or after having waited without any.  Taking the mmap lock while the VMA lock is held would
 * deadlock: it is dropped first, and the VMA is looked up anew.
 *
 * Progress.  Whoever has waited for a page has it when it comes again: reclaim does not take what
 * others hold, so where frames are few each of two that take them from one another is done after
 * its turn, and does not find again and again that the other has taken what it had read.  Nobody
 * holds one while it asks for a frame outside of the locks: that may be the one that is missing.
 *
 * Ordering
 *  (A) What is written to a new frame comes before its entry (pgtable's (A)), so who sees the entry
 *      sees the bytes.
 *  (B) Whoever takes pages from an area write-locks it first and so waits for the faults inside; a
 *      fault that comes later finds no such area, or waits for the mmap lock.
 *
 * Invariants, for an mm between two write sections
 *  1. A present entry lies in an area and allows no more than the area does.
 *  2. It allows writing to private memory only if the page is PG_ANON and PG_EXCLUSIVE.
 *  3. A page with PG_EXCLUSIVE is mapped once.
 *  4. An entry that is not special counts once in the frame's references and once where its kind
 *     of entry counts for the reverse map (huge.c); of a page that is being moved, in that alone.
 *  5. A leaf of 2 MiB lies in one area.
 *
 * Failure.  No frame is an outcome like others, MM_FAULT_OOM, and nothing has changed but what
 * Linux changes too: a stack that has grown, an area that has an anon_vma now, tables without
 * entries.  So is a page more than the mm may have.  Outside of the locks frames are taken back
 * from whoever does not use them (reclaim/), and the fault comes again; only if there are none is
 * it out of memory.
 *
 * What is called here uses no stdio and no thread-local storage of its own, and no memory but
 * frames (an anon_vma is made in one, too); with one exception, the growth of a stack, which asks
 * for nodes of the range tree.
 *
 * Rejected
 *  - Holding the table's lock over the copy of a page: it would bar all 512 pages from faulting.
 */
#include "base/atomic.h"
#include "fault/fault.h"
#include "fault/huge.h"
#include "fault/swap.h"
#include "fault/user.h"
#include "phys/page_lock.h"
#include "reclaim/reclaim.h"
#include "vma/handle.h"
#include "vma/limits.h"
#include "vma/map.h"

/* ------------------------------------------------------------------------ inside one VMA -- */

/* @level: where the way down ended. */
static enum mm_fault missing(struct fault *f, unsigned int level)
	__must_hold_shared(vma_stable) __may_sleep
{
	enum mm_fault outcome;

	if (vma_has_op(f->vma, fault) || vma_has_op(f->vma, map_pages) ||
	    vma_has_op(f->vma, huge_fault))
		return driver_missing(f, level);
	if (!vma_is_anonymous(f->vma))
		return file_missing(f);
	if (user_wants(f->vma, VM_UFFD_MISSING))
		return user_fault(f, VM_UFFD_MISSING);
	outcome = level > PT_PTE ? huge_missing(f) : FAULT_SMALL;
	return outcome == FAULT_SMALL ? anon_missing(f) : outcome;
}

/* The page is being moved.  A page lock comes before a VMA lock. */
static enum mm_fault wait_moved(const struct fault *f, pte_t seen)
	__must_hold_shared(vma_stable) __may_sleep
{
	if (f->lock == FAULT_VMA_LOCK)
		return FAULT_RETRY;
	page_wait_unlocked(pfn_page(f->mm->pgt->frames, pte_migrate_pfn(seen)));
	return FAULT_AGAIN;
}

static enum mm_fault soft(struct fault *f, pte_t seen)
	__must_hold_shared(vma_stable) __may_sleep
{
	switch (pte_soft_type(f->mm->pgt->format, seen)) {
	case PT_SOFT_GUARD:
		return MM_FAULT_MAPERR;
	case PT_SOFT_POISON:
		return MM_FAULT_BUS;
	case PT_SOFT_SWAP:
		return swap_missing(f, seen);
	case PT_SOFT_MIGRATE_READ:
	case PT_SOFT_MIGRATE_WRITE:
		return wait_moved(f, seen);
	default:
		return FAULT_AGAIN;
	}
}

/*
 * Will there be one more in core?  Zeros are nobody's page, nor are frames that a driver shows; and
 * who is asked for a page has not given it yet.
 */
static bool adds_page(const struct fault *f, pte_t seen)
	__must_hold_shared(vma_stable)
{
	if (pte_none(seen) && user_wants(f->vma, user_mode_of(f)))
		return false;
	if (pte_none(seen) && vma_is_anonymous(f->vma))
		return f->access == MM_ACCESS_WRITE;
	if (pte_none(seen))
		return !(f->vma->vm_flags & VM_PFNMAP) && touch_has_page(f);
	return pte_soft_type(f->mm->pgt->format, seen) == PT_SOFT_SWAP;
}

static enum mm_fault fault_entry(struct fault *f)
	__must_hold_shared(vma_stable) __may_sleep
{
	struct pgtable *pt = f->mm->pgt;
	enum mm_fault outcome;

	do {
		unsigned int level;
		pte_t seen = pt_look(pt, f->addr, &level);

		if (mm_over_limit(f->mm, 1) && adds_page(f, seen))
			return MM_FAULT_OOM;
		if (pte_none(seen))
			outcome = missing(f, level);
		else if (pte_is_soft(pt->format, seen))
			outcome = soft(f, seen);
		else
			outcome = fault_present(f);
	} while (outcome == FAULT_AGAIN);
	return outcome;
}

/* For who does not look what to do about it. */
static enum mm_fault plainly(enum mm_fault outcome)
{
	return outcome == FAULT_FULL ? MM_FAULT_OOM : outcome;
}

enum mm_fault fault_in_area(struct fault *f)
{
	enum mm_fault outcome = touch_admit(f);

	f->by_page = false;
	f->nr_in_vain = 0;
	if (outcome == MM_FAULT_DONE)
		outcome = fault_entry(f);
	if (outcome == MM_FAULT_DONE && f->access == MM_ACCESS_EXEC &&
	    !(f->vma->vm_flags & VM_EXEC))
		outcome = MM_FAULT_ACCERR;
	return outcome;
}

/* ------------------------------------------------------------------------------- locks -- */

/* A VMA is stable.  A pin that others were faster to spoil is tried for again. */
static enum mm_fault fault_and_pin(struct fault *f)
	__must_hold_shared(vma_stable) __may_sleep
{
	enum mm_fault outcome;

	do {
		outcome = fault_in_area(f);
		if (outcome == MM_FAULT_DONE && f->pin)
			outcome = pin_mapped(f, f->pin);
	} while (outcome == FAULT_AGAIN);
	return outcome;
}

static enum mm_fault run_vma_locked(struct fault *f)
	__must_not_hold(vma_stable) __may_sleep
{
	struct vm_area_struct *vma;
	enum mm_fault outcome;

	mm_may_read_lock(f->mm);
	vma = vma_lock_read(f->mm, f->addr);
	if (!vma)
		return FAULT_RETRY;
	f->vma = vma;
	f->lock = FAULT_VMA_LOCK;
	outcome = fault_and_pin(f);
	vma_unlock_read(vma);
	return outcome;
}

/* Nobody's stack grows because another looks, unless that is a debugger. */
static bool may_grow_stack(const struct fault *f)
{
	return (f->how & (FAULT_REMOTE | FAULT_FORCED)) != FAULT_REMOTE;
}

/* *below_stack: there is nothing at the address, but a stack above it that is to grow. */
static enum mm_fault run_mmap_locked(struct fault *f, bool *below_stack)
	__must_not_hold(vma_stable) __may_sleep
{
	enum mm_fault outcome;

	*below_stack = false;
	mm_read_lock(f->mm);
	f->vma = vma_first(f->mm, f->addr);
	f->lock = FAULT_MMAP_LOCK;
	if (f->vma && f->vma->vm_start <= f->addr) {
		outcome = fault_and_pin(f);
	} else {
		outcome = MM_FAULT_MAPERR;
		*below_stack = f->vma && mm_is_stack(f->vma->vm_flags) && may_grow_stack(f);
	}
	mm_read_unlock(f->mm);
	return outcome;
}

static enum mm_fault run_once(struct fault *f)
	__must_not_hold(vma_stable) __may_sleep
{
	enum mm_fault outcome = run_vma_locked(f);
	bool below_stack;

	while (outcome == FAULT_RETRY) {
		outcome = fault_wait(f);
		if (outcome != MM_FAULT_DONE)
			break;
		outcome = run_mmap_locked(f, &below_stack);
		if (!below_stack)
			continue;
		outcome = grow_stack(f->mm, f->addr);
		if (outcome == MM_FAULT_DONE)
			outcome = FAULT_RETRY;
	}
	fault_let_go(f);
	return outcome;
}

enum mm_fault fault_run(struct fault *f)
{
	unsigned int nr_tries = 0;
	enum mm_fault outcome;

	do
		outcome = run_once(f);
	while (outcome == MM_FAULT_OOM && reclaim_for_retry(f->mm, &nr_tries));
	return plainly(outcome);
}

/* ---------------------------------------------------------------------------- populate -- */

/* For a page of a file, or for frames. */
static enum mm_fault wait_unlocked(struct fault *f, enum mm_fault outcome)
	__must_hold_shared(vma_stable) __may_sleep
	__context_unsafe("lets go of the lock in between")
{
	mm_read_unlock(f->mm);
	f->vma = NULL;
	if (outcome == FAULT_RETRY)
		outcome = fault_wait(f);
	else
		fault_let_go(f);
	if (outcome == MM_FAULT_OOM && reclaim_for_retry(f->mm, &f->nr_reclaims))
		outcome = MM_FAULT_DONE;
	mm_read_lock(f->mm);
	return outcome == MM_FAULT_DONE ? FAULT_RETRY : outcome;
}

enum mm_fault fault_populate(struct fault *f, unsigned long end)
{
	enum mm_fault outcome = MM_FAULT_DONE;

	f->lock = FAULT_MMAP_LOCK;
	if (!mm_has_pages(f->mm)) {
		outcome = mm_touch_locked(f->vma, f->addr, end, f->access);
		f->addr = end;
		return outcome;
	}
	while (f->addr < end) {
		outcome = fault_in_area(f);
		if (outcome != MM_FAULT_DONE)
			break;
		fault_let_go(f);
		f->addr += PAGE_SIZE;
		f->nr_reclaims = 0;
	}
	if (outcome == FAULT_RETRY || outcome == MM_FAULT_OOM)
		return wait_unlocked(f, outcome);
	return plainly(outcome);
}

/* ------------------------------------------------------------------------------- calls -- */

enum mm_fault mm_handle_fault(struct mm_user *user, unsigned long addr, enum mm_access access)
{
	witness_call();
	struct mm_struct *mm = mm_from_user(user);
	struct fault f = {
		.mm = mm, .addr = PAGE_ALIGN_DOWN(addr), .offset = addr % PAGE_SIZE,
		.access = access,
	};

	if (f.addr + PAGE_SIZE < f.addr)
		return MM_FAULT_MAPERR;
	if (!mm_has_pages(mm))
		return touch_areas(mm, f.addr, f.addr + PAGE_SIZE, access);
	return fault_run(&f);
}

enum mm_fault mm_touch(struct mm_user *user, unsigned long addr, enum mm_access access)
{
	return mm_handle_fault(user, addr, access);
}

enum mm_fault mm_touch_range(struct mm_user *user, unsigned long addr, unsigned long len,
			     enum mm_access access)
{
	witness_call();
	struct mm_struct *mm = mm_from_user(user);
	struct fault f = { .mm = mm, .addr = PAGE_ALIGN_DOWN(addr), .access = access };
	enum mm_fault outcome = MM_FAULT_DONE;
	unsigned long end;

	if (!len)
		return MM_FAULT_DONE;
	if (check_add_overflow(addr, len, &end) || page_align(end) < end)
		return MM_FAULT_MAPERR;
	end = page_align(end);
	if (!mm_has_pages(mm))
		return touch_areas(mm, f.addr, end, access);
	for (; outcome == MM_FAULT_DONE && f.addr < end; f.addr += PAGE_SIZE)
		outcome = fault_run(&f);
	return outcome;
}
