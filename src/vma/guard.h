/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Writing the fields of struct vm_area_struct and struct mm_struct.
 *
 * The letter at a field (types.h) says what guards it; the accessor says why this write is allowed.
 * In a release build each is the assignment that it looks like.  In a debug build it first checks
 * that the calling thread itself holds what it must, and reports the field, what it needs and what
 * is held.
 *
 *	vma_init(vma, field, to)		1 V p f	nobody can find the VMA yet: it is detached
 *	vma_set(vma, field, to)			V	its mm's mmap write lock, and the VMA's
 *	vma_set_release(vma, field, to)		V	the same, for readers without a lock
 *	vma_set_anon(vma, to)			p	as V, or page_table_lock and the mmap lock
 *	vma_set_next(vma, lock, to)		f	the lock of the chain that it goes on
 *
 *	mm_init(mm, field, to)			1	nobody else knows the mm
 *	mm_set(mm, field, to)			m w	its mmap write lock; or as mm_init()
 *	mm_add(mm, field, n), mm_sub()		m w	the same
 *	mm_set_relaxed(mm, field, to)		m	the same, for readers without a lock
 *	mm_set_ptl(mm, field, to)		t	its page_table_lock
 *
 * tests/layers holds src/ to it: no such field is written in another way, and none by an accessor
 * that is not for its letter.
 */
#ifndef VMA_GUARD_H
#define VMA_GUARD_H

#include "base/atomic.h"
#include "vma/types.h"

#ifdef CONFIG_VMAREA_DEBUG

struct guard_site {
	const char *field;
	const char *place;
};

void guard_vma_init(const struct vm_area_struct *vma, struct guard_site site);
void guard_vma_set(const struct vm_area_struct *vma, struct guard_site site);
void guard_vma_anon(const struct vm_area_struct *vma, struct guard_site site);
void guard_vma_next(const struct vm_area_struct *vma, const void *lock, struct guard_site site);
void guard_mm_init(const struct mm_struct *mm, struct guard_site site);
void guard_mm_set(const struct mm_struct *mm, struct guard_site site);
void guard_mm_ptl(const struct mm_struct *mm, struct guard_site site);

# define __GUARD(what, object, name)						\
	guard_##what((object), (struct guard_site){ .field = #name, .place = WITNESS_HERE })
# define __GUARD_NEXT(vma, lock)						\
	guard_vma_next((vma), (lock),						\
		       (struct guard_site){ .field = "next_free", .place = WITNESS_HERE })

/* From here on, and until mm_make_known(), only the calling thread reaches the mm's own fields. */
static inline void mm_make_private(struct mm_struct *mm)
{
	atomic_store_relaxed(&mm->known_to, port_thread_id());
}

static inline void mm_make_known(struct mm_struct *mm)
{
	atomic_store_relaxed(&mm->known_to, 0);
}

#else

# define __GUARD(what, object, name)	((void)0)
# define __GUARD_NEXT(vma, lock)	((void)0)

static inline void mm_make_private(struct mm_struct *mm) { }
static inline void mm_make_known(struct mm_struct *mm) { }

#endif

/* Each mentions the object twice: it must have no side effects. */
#define __guarded(what, object, field, write)					\
	do {									\
		__GUARD(what, object, field);					\
		write;								\
	} while (0)

#define vma_init(vma, field, to)						\
	__guarded(vma_init, vma, field, (vma)->field = (to))
#define vma_set(vma, field, to)							\
	__guarded(vma_set, vma, field, (vma)->field = (to))
#define vma_set_relaxed(vma, field, to)						\
	__guarded(vma_set, vma, field, atomic_store_relaxed(&(vma)->field, (to)))
/* Whoever uses it says what it pairs with. */
#define vma_set_release(vma, field, to)						\
	__guarded(vma_set, vma, field,						\
		  atomic_store_release(&(vma)->field, (to)))	/* pairs as the caller says */
/* Pairs with the acquire of a fault that has the VMA lock alone: see (A) in anon.c. */
#define vma_set_anon(vma, to)							\
	__guarded(vma_anon, vma, anon,						\
		  atomic_store_release(&(vma)->anon, (to)))	/* pairs as said above */
#define vma_set_next(vma, lock, to)						\
	do {									\
		__GUARD_NEXT(vma, lock);					\
		(vma)->next_free = (to);					\
	} while (0)

#define mm_init(mm, field, to)							\
	__guarded(mm_init, mm, field, (mm)->field = (to))
#define mm_set(mm, field, to)							\
	__guarded(mm_set, mm, field, (mm)->field = (to))
#define mm_add(mm, field, n)							\
	__guarded(mm_set, mm, field, (mm)->field += (n))
#define mm_sub(mm, field, n)							\
	__guarded(mm_set, mm, field, (mm)->field -= (n))
#define mm_set_relaxed(mm, field, to)						\
	__guarded(mm_set, mm, field, atomic_store_relaxed(&(mm)->field, (to)))
#define mm_set_ptl(mm, field, to)						\
	__guarded(mm_ptl, mm, field, (mm)->field = (to))

#endif
