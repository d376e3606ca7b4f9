/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Each thing that is taken, given back by a function that is not for it.
 *
 * gcc 18	'__free_page' called on pointer returned from a mismatched allocation function
 * gcc		'mmput_async' called on pointer returned from a mismatched allocation function
 */
#include "misuse.h"

/* Each is ended by a function for something else, which void * lets pass. */
#ifdef FIXED
# define END(right, wrong, p)	right(p)
#else
# define END(right, wrong, p)	wrong((void *)(p))
#endif

#define downgrade(p)	mmap_read_unlock(mmap_write_downgrade(p))

void end_get(struct mm_struct *m) __no_context_analysis;
void end_get(struct mm_struct *m)
{
	struct mm_user *p = mmget_not_zero(m);

	if (p)
		END(mmput, __free_page, p);
}

void end_get_async(struct mm_struct *m) __no_context_analysis;
void end_get_async(struct mm_struct *m)
{
	struct mm_user *p = mmget_not_zero(m);

	if (p)
		END(mmput_async, __free_page, p);
}

void end_again(struct mm_user *mm) __no_context_analysis;
void end_again(struct mm_user *mm)
{
	struct mm_user *p = mmget(mm);

	if (p)
		END(mmput, __free_page, p);
}

void end_again_async(struct mm_user *mm) __no_context_analysis;
void end_again_async(struct mm_user *mm)
{
	struct mm_user *p = mmget(mm);

	if (p)
		END(mmput_async, __free_page, p);
}

void end_read(struct mm_user *mm) __no_context_analysis;
void end_read(struct mm_user *mm)
{
	struct mmap_read *p = mmap_read_lock(mm);

	if (p)
		END(mmap_read_unlock, __free_page, p);
}

void end_read_try(struct mm_user *mm) __no_context_analysis;
void end_read_try(struct mm_user *mm)
{
	struct mmap_read *p = mmap_read_trylock(mm);

	if (p)
		END(mmap_read_unlock, __free_page, p);
}

void end_read_killable(struct mm_user *mm) __no_context_analysis;
void end_read_killable(struct mm_user *mm)
{
	struct mmap_read *p = mmap_read_lock_killable(mm);

	if (p)
		END(mmap_read_unlock, __free_page, p);
}

void end_read_until(struct mm_user *mm) __no_context_analysis;
void end_read_until(struct mm_user *mm)
{
	struct mmap_read *p = mmap_read_lock_until(mm, 1);

	if (p)
		END(mmap_read_unlock, __free_page, p);
}

void end_downgraded(struct mmap_write *w) __no_context_analysis;
void end_downgraded(struct mmap_write *w)
{
	struct mmap_read *p = mmap_write_downgrade(w);

	if (p)
		END(mmap_read_unlock, __free_page, p);
}

void end_write(struct mm_user *mm) __no_context_analysis;
void end_write(struct mm_user *mm)
{
	struct mmap_write *p = mmap_write_lock(mm);

	if (p)
		END(mmap_write_unlock, __free_page, p);
}

void end_write_try(struct mm_user *mm) __no_context_analysis;
void end_write_try(struct mm_user *mm)
{
	struct mmap_write *p = mmap_write_trylock(mm);

	if (p)
		END(mmap_write_unlock, __free_page, p);
}

void end_write_killable(struct mm_user *mm) __no_context_analysis;
void end_write_killable(struct mm_user *mm)
{
	struct mmap_write *p = mmap_write_lock_killable(mm);

	if (p)
		END(mmap_write_unlock, __free_page, p);
}

void end_write_until(struct mm_user *mm) __no_context_analysis;
void end_write_until(struct mm_user *mm)
{
	struct mmap_write *p = mmap_write_lock_until(mm, 1);

	if (p)
		END(mmap_write_unlock, __free_page, p);
}

void end_write_down(struct mm_user *mm) __no_context_analysis;
void end_write_down(struct mm_user *mm)
{
	struct mmap_write *p = mmap_write_lock(mm);

	if (p)
		END(downgrade, __free_page, p);
}

void end_try_down(struct mm_user *mm) __no_context_analysis;
void end_try_down(struct mm_user *mm)
{
	struct mmap_write *p = mmap_write_trylock(mm);

	if (p)
		END(downgrade, __free_page, p);
}

void end_killable_down(struct mm_user *mm) __no_context_analysis;
void end_killable_down(struct mm_user *mm)
{
	struct mmap_write *p = mmap_write_lock_killable(mm);

	if (p)
		END(downgrade, __free_page, p);
}

void end_until_down(struct mm_user *mm) __no_context_analysis;
void end_until_down(struct mm_user *mm)
{
	struct mmap_write *p = mmap_write_lock_until(mm, 1);

	if (p)
		END(downgrade, __free_page, p);
}

void end_under_rcu(struct mm_user *mm) __no_context_analysis;
void end_under_rcu(struct mm_user *mm)
{
	struct vma_ref *p = lock_vma_under_rcu(mm, MIXED);

	if (p)
		END(vma_end_read, __free_page, p);
}

void end_page(void) __no_context_analysis;
void end_page(void)
{
	struct page *p = alloc_page(instance);

	if (p)
		END(__free_page, mmput_async, p);
}
