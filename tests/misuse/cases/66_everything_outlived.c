/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Each handle that lives by another one, used when that is gone.
 *
 * borrowck 10	pointer 'p' used after 'mmput_async'
 * borrowck 2	pointer 'p' used after 'mmap_read_unlock'
 * borrowck	pointer 'p' used after 'mmap_write_unlock'
 * borrowck 3	pointer 'p' used after 'vma_end_read'
 */
#include "misuse.h"

/* In the order of the handles: one is ended, what came from it is used. */
#ifdef FIXED
# define AFTER(use, end)	do { use; end; } while (0)
#else
# define AFTER(use, end)	do { end; use; } while (0)
#endif

void after_read(struct mm_user *mm) __no_context_analysis;
void after_read(struct mm_user *mm)
{
	struct mmap_read *p = mmap_read_lock(mm);

	if (p)
		AFTER(mmap_read_unlock(p), mmput_async(mm));
	else
		mmput_async(mm);
}

void after_read_try(struct mm_user *mm) __no_context_analysis;
void after_read_try(struct mm_user *mm)
{
	struct mmap_read *p = mmap_read_trylock(mm);

	if (p)
		AFTER(mmap_read_unlock(p), mmput_async(mm));
	else
		mmput_async(mm);
}

void after_read_killable(struct mm_user *mm) __no_context_analysis;
void after_read_killable(struct mm_user *mm)
{
	struct mmap_read *p = mmap_read_lock_killable(mm);

	if (p)
		AFTER(mmap_read_unlock(p), mmput_async(mm));
	else
		mmput_async(mm);
}

void after_read_until(struct mm_user *mm) __no_context_analysis;
void after_read_until(struct mm_user *mm)
{
	struct mmap_read *p = mmap_read_lock_until(mm, 1);

	if (p)
		AFTER(mmap_read_unlock(p), mmput_async(mm));
	else
		mmput_async(mm);
}

void after_write(struct mm_user *mm) __no_context_analysis;
void after_write(struct mm_user *mm)
{
	struct mmap_write *p = mmap_write_lock(mm);

	if (p)
		AFTER(mmap_write_unlock(p), mmput_async(mm));
	else
		mmput_async(mm);
}

void after_write_try(struct mm_user *mm) __no_context_analysis;
void after_write_try(struct mm_user *mm)
{
	struct mmap_write *p = mmap_write_trylock(mm);

	if (p)
		AFTER(mmap_write_unlock(p), mmput_async(mm));
	else
		mmput_async(mm);
}

void after_write_killable(struct mm_user *mm) __no_context_analysis;
void after_write_killable(struct mm_user *mm)
{
	struct mmap_write *p = mmap_write_lock_killable(mm);

	if (p)
		AFTER(mmap_write_unlock(p), mmput_async(mm));
	else
		mmput_async(mm);
}

void after_write_until(struct mm_user *mm) __no_context_analysis;
void after_write_until(struct mm_user *mm)
{
	struct mmap_write *p = mmap_write_lock_until(mm, 1);

	if (p)
		AFTER(mmap_write_unlock(p), mmput_async(mm));
	else
		mmput_async(mm);
}

void after_under_rcu(struct mm_user *mm) __no_context_analysis;
void after_under_rcu(struct mm_user *mm)
{
	struct vma_ref *p = lock_vma_under_rcu(mm, MIXED);

	if (p)
		AFTER(vma_end_read(p), mmput_async(mm));
	else
		mmput_async(mm);
}

void after_user_mm(struct mm_user *mm) __no_context_analysis;
void after_user_mm(struct mm_user *mm)
{
	struct mm_struct *p = mm_user_mm(mm);

	if (p)
		AFTER(mmgrab(p), mmput_async(mm));
	else
		mmput_async(mm);
}

void after_lookup(struct mmap_read *lock) __no_context_analysis;
void after_lookup(struct mmap_read *lock)
{
	struct vma_ref *p = vma_lookup(lock, MIXED);

	if (p)
		AFTER(sink = vma_start(p), mmap_read_unlock(lock));
	else
		mmap_read_unlock(lock);
}

void after_find(struct mmap_read *lock) __no_context_analysis;
void after_find(struct mmap_read *lock)
{
	struct vma_ref *p = vma_find(lock, MIXED);

	if (p)
		AFTER(sink = vma_start(p), mmap_read_unlock(lock));
	else
		mmap_read_unlock(lock);
}

void after_start_write(struct mmap_write *lock, struct vma_ref *vma) __no_context_analysis;
void after_start_write(struct mmap_write *lock, struct vma_ref *vma)
{
	struct vma_mut *p = vma_start_write(lock, vma);

	if (p)
		AFTER(sink = vma_end(p), mmap_write_unlock(lock));
	else
		mmap_write_unlock(lock);
}

void after_as_mixedmap(struct vma_ref *vma) __no_context_analysis;
void after_as_mixedmap(struct vma_ref *vma)
{
	struct vma_mixedmap *p = vma_as_mixedmap(vma);

	if (p)
		AFTER(sink = vma_end(p), vma_end_read(vma));
	else
		vma_end_read(vma);
}

void after_as_owned(struct vma_ref *vma) __no_context_analysis;
void after_as_owned(struct vma_ref *vma)
{
	struct vma_mixedmap *p = vma_as_owned_mixedmap(vma, NULL, a_page);

	if (p)
		AFTER(sink = vma_end(p), vma_end_read(vma));
	else
		vma_end_read(vma);
}

void after_mm(struct vma_ref *vma) __no_context_analysis;
void after_mm(struct vma_ref *vma)
{
	struct mm_user *p = vma_mm(vma);

	if (p)
		AFTER(hand_away(p), vma_end_read(vma));
	else
		vma_end_read(vma);
}
