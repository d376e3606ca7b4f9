/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The mmap lock of an mm and the lock of each VMA: see lock.c for the protocol.
 *
 * What a write section does to the tree becomes visible when it ends, all at once.
 *
 * To the analysis of locks the mmap lock is the token vma_stable (driver.h), exclusive or shared,
 * and so is a VMA's read lock: it knows that the thread has a lock, not of which mm.
 */
#ifndef VMA_LOCK_H
#define VMA_LOCK_H

#include "vma/guard.h"
#include "vma/types.h"

/* Set in vm_refcnt while a writer waits for the readers; it keeps new ones out. */
#define VMA_WRITER	0x40000000u

void mm_read_lock(struct mm_struct *mm)
	__must_not_hold(vma_stable) __acquires_shared(vma_stable) __may_sleep;
void mm_read_unlock(struct mm_struct *mm)	__releases_shared(vma_stable);
/*
 * What mostly does without the mmap lock, and perhaps waits for it: debug builds report a caller
 * who must not each time, and not only when it comes to that.
 */
#define mm_may_read_lock(mm)							\
	witness_before(&(mm)->mmap_lock, witness_class_of(&(mm)->mmap_lock), 0, WITNESS_HERE)
void mm_write_lock(struct mm_struct *mm)
	__must_not_hold(vma_stable) __acquires(vma_stable) __may_sleep;
/* -EINTR, and not locked, once mm_kill() was called. */
int mm_write_lock_killable(struct mm_struct *mm)
	__must_not_hold(vma_stable) __cond_acquires(0, vma_stable) __may_sleep __must_check;
/*
 * Publishes, ends all VMA write locks, frees what was removed, unlocks.  Waits for who has a pin on
 * what was removed.
 */
void mm_write_unlock(struct mm_struct *mm)	__releases(vma_stable) __may_sleep;
/* The same, and goes on with the lock for read.  No area may have been removed. */
void mm_write_downgrade(struct mm_struct *mm)
	__releases(vma_stable) __acquires_shared(vma_stable) __may_sleep;
/* For who took mm->mmap_lock for write by another way (try, killable): begins the section. */
void mm_write_begin(struct mm_struct *mm)	__must_hold(vma_stable);
void mm_assert_locked(const struct mm_struct *mm)	__must_hold_shared(vma_stable);
void mm_assert_write_locked(const struct mm_struct *mm)	__must_hold(vma_stable);

/* Waits for this VMA's readers and keeps new ones out until the mmap write lock ends. */
void vma_lock_write(struct vm_area_struct *vma)	__must_hold(vma_stable) __may_sleep;

/* Read-locked, or NULL.  The RCU read lock must not be needed by the caller: it is taken here. */
struct vm_area_struct *vma_lock_read(struct mm_struct *mm, unsigned long addr)
	__cond_acquires_shared(nonnull, vma_stable);
void vma_unlock_read(struct vm_area_struct *vma)	__releases_shared(vma_stable);

/*
 * A pin keeps the VMA's memory from being used again, and no more: a writer may be at work.  Good
 * for the fields of class 1.  Under the RCU read lock; false if the VMA is detached.
 */
bool vma_pin_rcu(struct vm_area_struct *vma);
void vma_unpin(struct vm_area_struct *vma);

/* A new VMA becomes one that can be found: write-locked.  Its mm's mmap write lock is held. */
void vma_attach(struct vm_area_struct *vma)	__must_hold(vma_stable);
/*
 * The opposite, for one that no published tree leads to any more: waits until nobody is counted.
 * Even then there may be some, of another mm: readers that found it before it was this mm's.
 */
void vma_detach(struct vm_area_struct *vma)	__may_sleep;

#endif
