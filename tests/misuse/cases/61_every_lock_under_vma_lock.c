/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Each lock that may wait for the mmap lock, by a function that is called with a VMA locked.
 *
 * tsa		cannot call function 'mmap_read_lock' while context 'vma_stable' is held
 * tsa14,tsa19 6	acquiring context 'vma_stable' that is already held
 * tsa14 6	expecting mutex 'vma_stable' to be held at the end of function
 * tsa		cannot call function 'mmap_read_lock_killable' while context 'vma_stable' is held
 * tsa14 4	mutex 'vma_stable' is not held on every path through here
 * tsa		cannot call function 'mmap_read_lock_until' while context 'vma_stable' is held
 * tsa		cannot call function 'mmap_write_lock' while context 'vma_stable' is held
 * tsa 3	releasing context 'vma_stable' using exclusive access, expected shared access
 * tsa		cannot call function 'mmap_write_lock_killable' while context 'vma_stable' is held
 * tsa		cannot call function 'mmap_write_lock_until' while context 'vma_stable' is held
 * tsa19 6	expecting context 'vma_stable' to be held at the end of function
 * tsa19 4	context 'vma_stable' is not held on every path through here
 * tsa22,marks22 3	acquiring context 'vma_stable' that is already held
 * tsa22,marks22 3	expecting context 'vma_stable' to be held at the end of function
 * tsa22,marks22 2	context 'vma_stable' is not held on every path through here
 */
#include "misuse.h"

#ifdef FIXED
# define IN_VMA
#else
# define IN_VMA		__must_hold_shared(vma_stable)
#endif

void read_lock(struct mm_user *mm) IN_VMA __may_sleep;
void read_lock(struct mm_user *mm)
{
	struct mmap_read *lock = mmap_read_lock(mm);

	mmap_read_unlock(lock);
}

void read_lock_killable(struct mm_user *mm) IN_VMA __may_sleep;
void read_lock_killable(struct mm_user *mm)
{
	struct mmap_read *lock = mmap_read_lock_killable(mm);

	if (!lock)
		return;
	mmap_read_unlock(lock);
}

void read_lock_until(struct mm_user *mm) IN_VMA __may_sleep;
void read_lock_until(struct mm_user *mm)
{
	struct mmap_read *lock = mmap_read_lock_until(mm, 1);

	if (!lock)
		return;
	mmap_read_unlock(lock);
}

void write_lock(struct mm_user *mm) IN_VMA __may_sleep;
void write_lock(struct mm_user *mm)
{
	struct mmap_write *lock = mmap_write_lock(mm);

	mmap_write_unlock(lock);
}

void write_lock_killable(struct mm_user *mm) IN_VMA __may_sleep;
void write_lock_killable(struct mm_user *mm)
{
	struct mmap_write *lock = mmap_write_lock_killable(mm);

	if (!lock)
		return;
	mmap_write_unlock(lock);
}

void write_lock_until(struct mm_user *mm) IN_VMA __may_sleep;
void write_lock_until(struct mm_user *mm)
{
	struct mmap_write *lock = mmap_write_lock_until(mm, 1);

	if (!lock)
		return;
	mmap_write_unlock(lock);
}
