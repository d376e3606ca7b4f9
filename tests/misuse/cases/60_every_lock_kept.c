/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Each way to take a lock, and no unlock.
 *
 * tsa14 3	mutex 'vma_stable' is still held at the end of function
 * tsa14 7	mutex 'vma_stable' is not held on every path through here
 * tsa19,tsa22,marks22 3	context 'vma_stable' is still held at the end of function
 * tsa19,tsa22,marks22 7	context 'vma_stable' is not held on every path through here
 * analyze22 8	Potential leak of memory pointed to by 'lock'
 * analyze22	Potential leak of memory pointed to by 'read'
 * analyze22	Potential leak of memory pointed to by 'vma'
 */
#include "misuse.h"

void read_lock(struct mm_user *mm) __may_sleep;
void read_lock(struct mm_user *mm)
{
	struct mmap_read *lock = mmap_read_lock(mm);

	(void)lock;
#ifdef FIXED
	mmap_read_unlock(lock);
#endif
}

void read_trylock(struct mm_user *mm) __may_sleep;
void read_trylock(struct mm_user *mm)
{
	struct mmap_read *lock = mmap_read_trylock(mm);

	if (!lock)
		return;
#ifdef FIXED
	mmap_read_unlock(lock);
#endif
}

void read_lock_killable(struct mm_user *mm) __may_sleep;
void read_lock_killable(struct mm_user *mm)
{
	struct mmap_read *lock = mmap_read_lock_killable(mm);

	if (!lock)
		return;
#ifdef FIXED
	mmap_read_unlock(lock);
#endif
}

void read_lock_until(struct mm_user *mm) __may_sleep;
void read_lock_until(struct mm_user *mm)
{
	struct mmap_read *lock = mmap_read_lock_until(mm, 1);

	if (!lock)
		return;
#ifdef FIXED
	mmap_read_unlock(lock);
#endif
}

void write_lock(struct mm_user *mm) __may_sleep;
void write_lock(struct mm_user *mm)
{
	struct mmap_write *lock = mmap_write_lock(mm);

	(void)lock;
#ifdef FIXED
	mmap_write_unlock(lock);
#endif
}

void write_trylock(struct mm_user *mm) __may_sleep;
void write_trylock(struct mm_user *mm)
{
	struct mmap_write *lock = mmap_write_trylock(mm);

	if (!lock)
		return;
#ifdef FIXED
	mmap_write_unlock(lock);
#endif
}

void write_lock_killable(struct mm_user *mm) __may_sleep;
void write_lock_killable(struct mm_user *mm)
{
	struct mmap_write *lock = mmap_write_lock_killable(mm);

	if (!lock)
		return;
#ifdef FIXED
	mmap_write_unlock(lock);
#endif
}

void write_lock_until(struct mm_user *mm) __may_sleep;
void write_lock_until(struct mm_user *mm)
{
	struct mmap_write *lock = mmap_write_lock_until(mm, 1);

	if (!lock)
		return;
#ifdef FIXED
	mmap_write_unlock(lock);
#endif
}

void downgrade(struct mmap_write *lock) __releases(vma_stable) __may_sleep;
void downgrade(struct mmap_write *lock)
{
	struct mmap_read *read = mmap_write_downgrade(lock);

	(void)read;
#ifdef FIXED
	mmap_read_unlock(read);
#endif
}

void under_rcu(struct mm_user *mm);
void under_rcu(struct mm_user *mm)
{
	struct vma_ref *vma = lock_vma_under_rcu(mm, MIXED);

	if (!vma)
		return;
#ifdef FIXED
	vma_end_read(vma);
#endif
}
