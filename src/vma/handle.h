/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The only place where a handle becomes a struct and a struct a handle.
 *
 * A handle is the pointer to the mm or the VMA; its type says which lock is held (driver.h).  So
 * making one is a claim, and each maker here says what must be true.  Everybody who calls a
 * driver's hook, or is called by a driver, comes through here.
 */
#ifndef VMA_HANDLE_H
#define VMA_HANDLE_H

#include "vma/types.h"

/* ---- from a handle: always allowed. */

static inline struct mm_struct *mm_from_user(const struct mm_user *user)
{
	return (struct mm_struct *)user;
}

static inline struct mm_struct *mm_from_read(const struct mmap_read *lock)
{
	return (struct mm_struct *)lock;
}

static inline struct mm_struct *mm_from_write(const struct mmap_write *lock)
{
	return (struct mm_struct *)lock;
}

/* The members of the unions are one and the same pointer; the checkers see no union. */
#if defined(VMAREA_BORROWCK) || defined(__clang_analyzer__)
# define vma_any_pointer(any)	(any)
# define mmap_any_pointer(any)	(any)
#else
# define vma_any_pointer(any)	((any).ref)
# define mmap_any_pointer(any)	((any).read)
#endif

static inline struct mm_struct *mm_from_any(mmap_any lock)
{
	return (struct mm_struct *)mmap_any_pointer(lock);
}

static inline const struct vm_area_struct *vma_from_any(vma_any vma)
{
	return (const struct vm_area_struct *)vma_any_pointer(vma);
}

static inline struct vm_area_struct *vma_from_ref(const struct vma_ref *vma)
{
	return (struct vm_area_struct *)vma;
}

static inline struct vm_area_struct *vma_from_mixedmap(const struct vma_mixedmap *vma)
{
	return (struct vm_area_struct *)vma;
}

static inline struct vm_area_struct *vma_from_mut(const struct vma_mut *vma)
{
	return (struct vm_area_struct *)vma;
}

static inline struct vm_area_struct *vma_from_new(const struct vma_new *vma)
{
	return (struct vm_area_struct *)vma;
}

/* ---- to a handle: each a claim. */

/* mm_users is not 0, and this is one of them. */
static inline struct mm_user *handle_user(struct mm_struct *mm)
{
	return (struct mm_user *)mm;
}

/* This thread holds the mmap lock for read. */
static inline struct mmap_read *handle_read(struct mm_struct *mm)
	__must_hold_shared(vma_stable)
{
	return (struct mmap_read *)mm;
}

/* This thread holds the mmap lock for write. */
static inline struct mmap_write *handle_write(struct mm_struct *mm)
	__must_hold(vma_stable)
{
	return (struct mmap_write *)mm;
}

/* This thread holds the mmap lock in any mode, or the VMA's read lock. */
static inline struct vma_ref *handle_ref(struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	return (struct vma_ref *)vma;
}

/* The same, and VM_MIXEDMAP is set. */
static inline struct vma_mixedmap *handle_mixedmap(struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	return (struct vma_mixedmap *)vma;
}

/* This thread holds the mmap write lock and the VMA's write lock. */
static inline struct vma_mut *handle_mut(struct vm_area_struct *vma)
	__must_hold(vma_stable)
{
	return (struct vma_mut *)vma;
}

/* Its mmap() hook is about to be called: nobody else knows it. */
static inline struct vma_new *handle_new(struct vm_area_struct *vma)
	__must_hold(vma_stable)
{
	return (struct vma_new *)vma;
}

/* ---- the two hooks that every copy and every end of a VMA has to call. */

static inline void vma_ops_open(struct vm_area_struct *vma)	__must_hold(vma_stable)
{
	if (vma->vm_ops && vma->vm_ops->open)
		vma->vm_ops->open(handle_mut(vma));
}

static inline void vma_ops_close(struct vm_area_struct *vma)	__must_hold(vma_stable)
{
	if (vma->vm_ops && vma->vm_ops->close)
		vma->vm_ops->close(handle_mut(vma));
}

#endif
