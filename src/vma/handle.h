/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The only place where a handle becomes a struct and a struct a handle, and where a driver's hooks
 * are called; but for those of faults, which are in fault_hooks.h.
 *
 * A handle is the pointer to the mm or the VMA; its type says which lock is held (driver.h).  So
 * making one is a claim, and each maker here says what must be true.  In a debug build a handle
 * also carries the number of the *section* that it came from, and every use looks whether that
 * section still runs, on this thread: see handle.c.
 */
#ifndef VMA_HANDLE_H
#define VMA_HANDLE_H

#include "file/file.h"
#include "vma/types.h"

/* What a handle may come from. */
enum section_kind {
	SECTION_USER,			/* a reference of mm_users */
	SECTION_READ,			/* the mmap lock for read */
	SECTION_WRITE,			/* the mmap lock for write */
	SECTION_VMA,			/* a VMA's read lock */
	SECTION_HOOK_READ,		/* a hook that gets a vma_ref */
	SECTION_HOOK_WRITE,		/* a hook that gets a vma_mut */
	SECTION_HOOK_NEW,		/* an mmap() hook */
};

#define __SECTION_BIT(kind)	(1u << SECTION_##kind)
#define SECTIONS_USER		__SECTION_BIT(USER)
#define SECTIONS_LOCK		(__SECTION_BIT(READ) | __SECTION_BIT(WRITE))
#define SECTIONS_MUT		(__SECTION_BIT(WRITE) | __SECTION_BIT(HOOK_WRITE))
#define SECTIONS_NEW		__SECTION_BIT(HOOK_NEW)
#define SECTIONS_VMA		(SECTIONS_LOCK | __SECTION_BIT(VMA) | SECTIONS_MUT |	\
				 SECTIONS_NEW | __SECTION_BIT(HOOK_READ))
#define SECTIONS_ANY		(SECTIONS_USER | SECTIONS_VMA)

/* Where the upper 16 bits of an address mean nothing. */
#if defined(CONFIG_VMAREA_DEBUG) && defined(__x86_64__)

# define HANDLE_FUNC		__func__

/* A section of @object begins, in @func: the handle of it. */
void *section_begin(enum section_kind kind, void *object, const char *func);
/* For a program that runs many small ones (vmarea/testing.h): no number is in use any more. */
void sections_forget(void);
/* A handle of @object from the section of the handle @owner.  NULL if @object is. */
void *section_share(const void *owner, void *object);
/* The object.  Reports a handle whose section does not run here, or is not one of @kinds. */
void *section_use(const void *handle, const char *type, unsigned int kinds, const char *func);
/* The same, and the section ends. */
void *section_end(const void *handle, const char *type, unsigned int kinds, const char *func);
/* Reports a VMA's handle that is not of @lock's section. */
void section_match(const void *lock, const void *vma, const char *func);

#else

# define HANDLE_FUNC		NULL

static inline void sections_forget(void)
{
}

static inline void *section_begin(enum section_kind kind, void *object, const char *func)
{
	return object;
}

static inline void *section_share(const void *owner, void *object)
{
	return object;
}

static inline void *section_use(const void *handle, const char *type, unsigned int kinds,
				const char *func)
{
	return (void *)handle;
}

static inline void *section_end(const void *handle, const char *type, unsigned int kinds,
				const char *func)
{
	return (void *)handle;
}

static inline void section_match(const void *lock, const void *vma, const char *func)
{
}

#endif

/* ---- from a handle: always allowed, while it lasts. */

static inline struct mm_struct *mm_from_user_in(const struct mm_user *user, const char *func)
{
	return section_use(user, "struct mm_user", SECTIONS_ANY, func);
}

/* The members of the unions are one and the same pointer; the checkers see no union. */
#if defined(VMAREA_BORROWCK) || defined(__clang_analyzer__)
# define vma_any_pointer(any)	(any)
# define mmap_any_pointer(any)	(any)
#else
# define vma_any_pointer(any)	((any).ref)
# define mmap_any_pointer(any)	((any).read)
#endif

static inline struct mm_struct *mm_from_any_in(mmap_any lock, const char *func)
{
	return section_use(mmap_any_pointer(lock), "mmap lock", SECTIONS_LOCK, func);
}

static inline struct mm_struct *mm_from_write_in(const struct mmap_write *lock, const char *func)
{
	return section_use(lock, "struct mmap_write", __SECTION_BIT(WRITE), func);
}

static inline const struct vm_area_struct *vma_from_any_in(vma_any vma, const char *func)
{
	return section_use(vma_any_pointer(vma), "VMA", SECTIONS_VMA, func);
}

static inline struct vm_area_struct *vma_from_ref_in(const struct vma_ref *vma, const char *func)
{
	return section_use(vma, "struct vma_ref", SECTIONS_VMA, func);
}

static inline struct vm_area_struct *vma_from_mixedmap_in(const struct vma_mixedmap *vma,
							  const char *func)
{
	return section_use(vma, "struct vma_mixedmap", SECTIONS_VMA, func);
}

static inline struct vm_area_struct *vma_from_pfnmap_in(const struct vma_pfnmap *vma,
							const char *func)
{
	return section_use(vma, "struct vma_pfnmap", SECTIONS_VMA, func);
}

static inline struct vm_area_struct *vma_from_mut_in(const struct vma_mut *vma, const char *func)
{
	return section_use(vma, "struct vma_mut", SECTIONS_MUT, func);
}

static inline struct vm_area_struct *vma_from_new_in(const struct vma_new *vma, const char *func)
{
	return section_use(vma, "struct vma_new", SECTIONS_NEW, func);
}

#define mm_from_user(user)	mm_from_user_in((user), HANDLE_FUNC)
#define mm_from_any(lock)	mm_from_any_in((lock), HANDLE_FUNC)
#define mm_from_write(lock)	mm_from_write_in((lock), HANDLE_FUNC)
#define vma_from_any(vma)	vma_from_any_in((vma), HANDLE_FUNC)
#define vma_from_ref(vma)	vma_from_ref_in((vma), HANDLE_FUNC)
#define vma_from_mixedmap(vma)	vma_from_mixedmap_in((vma), HANDLE_FUNC)
#define vma_from_pfnmap(vma)	vma_from_pfnmap_in((vma), HANDLE_FUNC)
#define vma_from_mut(vma)	vma_from_mut_in((vma), HANDLE_FUNC)
#define vma_from_new(vma)	vma_from_new_in((vma), HANDLE_FUNC)

/* ---- the last use of a handle, and of all that came from it. */

static inline struct mm_struct *mm_end_user_in(const struct mm_user *user, const char *func)
{
	return section_end(user, "struct mm_user", SECTIONS_USER, func);
}

static inline struct mm_struct *mm_end_read_in(const struct mmap_read *lock, const char *func)
{
	return section_end(lock, "struct mmap_read", __SECTION_BIT(READ), func);
}

static inline struct mm_struct *mm_end_write_in(const struct mmap_write *lock, const char *func)
{
	return section_end(lock, "struct mmap_write", __SECTION_BIT(WRITE), func);
}

static inline struct vm_area_struct *vma_end_ref_in(const struct vma_ref *vma, const char *func)
{
	return section_end(vma, "struct vma_ref", __SECTION_BIT(VMA), func);
}

#define mm_end_user(user)	mm_end_user_in((user), HANDLE_FUNC)
#define mm_end_read(lock)	mm_end_read_in((lock), HANDLE_FUNC)
#define mm_end_write(lock)	mm_end_write_in((lock), HANDLE_FUNC)
#define vma_end_ref(vma)	vma_end_ref_in((vma), HANDLE_FUNC)

/* ---- to a handle: each a claim. */

/* mm_users is not 0, and this is one of them, for this handle alone. */
static inline struct mm_user *handle_user_in(struct mm_struct *mm, const char *func)
{
	return section_begin(SECTION_USER, mm, func);
}

/* This thread has taken the mmap lock for read. */
static inline struct mmap_read *handle_read_in(struct mm_struct *mm, const char *func)
	__must_hold_shared(vma_stable)
{
	return section_begin(SECTION_READ, mm, func);
}

/* This thread has taken the mmap lock for write. */
static inline struct mmap_write *handle_write_in(struct mm_struct *mm, const char *func)
	__must_hold(vma_stable)
{
	return section_begin(SECTION_WRITE, mm, func);
}

/* This thread has taken the VMA's read lock.  NULL if @vma is. */
static inline struct vma_ref *handle_reader_in(struct vm_area_struct *vma, const char *func)
	__must_hold_shared(vma_stable)
{
	return vma ? section_begin(SECTION_VMA, vma, func) : NULL;
}

#define handle_user(mm)		handle_user_in((mm), HANDLE_FUNC)
#define handle_read(mm)		handle_read_in((mm), HANDLE_FUNC)
#define handle_write(mm)	handle_write_in((mm), HANDLE_FUNC)
#define handle_reader(vma)	handle_reader_in((vma), HANDLE_FUNC)

/* ---- from one handle to another of the same section. */

/* The mm of a VMA: a user for as long as the VMA is stable. */
static inline struct mm_user *handle_mm_of(vma_any vma)
	__must_hold_shared(vma_stable)
{
	struct vm_area_struct *area = section_use(vma_any_pointer(vma), "VMA", SECTIONS_VMA,
						  "vma_mm");

	return section_share(vma_any_pointer(vma), area->vm_mm);
}

/* Found under @lock.  NULL if @vma is. */
static inline struct vma_ref *handle_found(mmap_any lock, struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	return section_share(mmap_any_pointer(lock), vma);
}

/* VM_MIXEDMAP is set. */
static inline struct vma_mixedmap *handle_mixedmap(vma_any owner, const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	return section_share(vma_any_pointer(owner), (struct vm_area_struct *)vma);
}

/* VM_PFNMAP is set. */
static inline struct vma_pfnmap *handle_pfnmap(vma_any owner, const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	return section_share(vma_any_pointer(owner), (struct vm_area_struct *)vma);
}

/* The VMA's write lock is held. */
static inline struct vma_mut *handle_mut(struct mmap_write *lock, struct vm_area_struct *vma)
	__must_hold(vma_stable)
{
	return section_share(lock, vma);
}

/* ---- hooks.  Each is a section: what it was given is gone when it returns. */

/* For reports: whose area is it? */
static inline const char *driver_name(const struct vm_area_struct *vma)
{
	return vma->vm_file ? file_driver(vma->vm_file) : "without a file";
}

/* What a hook answered that is asked for 0 or -errno; anything else is reported, and an error. */
#define HOOK_ANSWER(vma, hook, answer)						\
	(VM_WARN_ON((answer) > 0 || (answer) < -MAX_ERRNO,			\
		    "driver %s, VMA at %lx: " hook " answers %d", driver_name(vma),	\
		    (vma)->vm_start, (answer)) ? -EINVAL : (answer))

/* The ops have the hook. */
#define vma_has_op(vma, op)	((vma)->vm_ops && (vma)->vm_ops->op)

/* Every copy of a VMA has to call it. */
static inline void vma_ops_open(struct vm_area_struct *vma)
	__must_hold(vma_stable) __may_sleep
{
	witness_hook(driver_name(vma));
	struct vma_mut *handle;

	if (!vma_has_op(vma, open))
		return;
	might_sleep();
	handle = section_begin(SECTION_HOOK_WRITE, vma, "open()");
	vma->vm_ops->open(handle);
	section_end(handle, "struct vma_mut", SECTIONS_MUT, "open()");
}

/* And every end of one. */
static inline void vma_ops_close(struct vm_area_struct *vma)
	__must_hold(vma_stable) __may_sleep
{
	witness_hook(driver_name(vma));
	struct vma_mut *handle;

	if (!vma_has_op(vma, close))
		return;
	might_sleep();
	handle = section_begin(SECTION_HOOK_WRITE, vma, "close()");
	vma->vm_ops->close(handle);
	section_end(handle, "struct vma_mut", SECTIONS_MUT, "close()");
}

/* 0 if nobody is to be asked. */
static inline int vma_ops_may_split(struct vm_area_struct *vma, unsigned long addr)
	__must_hold_shared(vma_stable) __may_sleep
{
	witness_hook(driver_name(vma));
	struct vma_ref *handle;
	int err;

	if (!vma_has_op(vma, may_split))
		return 0;
	might_sleep();
	handle = section_begin(SECTION_HOOK_READ, vma, "may_split()");
	err = vma->vm_ops->may_split(handle, addr);
	section_end(handle, "struct vma_ref", SECTIONS_VMA, "may_split()");
	return HOOK_ANSWER(vma, "may_split()", err);
}

/* @ops, with that hook, are those of the area that moved; the new one is write-locked. */
static inline int vma_ops_mremap(const struct vm_operations_struct *ops,
				 struct vm_area_struct *vma)
	__must_hold(vma_stable) __may_sleep
{
	witness_hook(driver_name(vma));
	struct vma_mut *handle;
	int err;

	might_sleep();
	handle = section_begin(SECTION_HOOK_WRITE, vma, "mremap()");
	err = ops->mremap(handle);
	section_end(handle, "struct vma_mut", SECTIONS_MUT, "mremap()");
	return HOOK_ANSWER(vma, "mremap()", err);
}

/* The VMA's write lock is held.  vma_has_op(). */
static inline int vma_ops_mprotect(struct vm_area_struct *vma, unsigned long start,
				   unsigned long end, vm_flags_t flags)
	__must_hold(vma_stable) __may_sleep
{
	witness_hook(driver_name(vma));
	struct vma_mut *handle;
	int err;

	might_sleep();
	handle = section_begin(SECTION_HOOK_WRITE, vma, "mprotect()");
	err = vma->vm_ops->mprotect(handle, start, end, flags);
	section_end(handle, "struct vma_mut", SECTIONS_MUT, "mprotect()");
	return HOOK_ANSWER(vma, "mprotect()", err);
}

/* NULL if it has none of its own. */
static inline const char *vma_ops_name(struct vm_area_struct *vma)
	__must_hold_shared(vma_stable) __may_sleep
{
	witness_hook(driver_name(vma));
	struct vma_ref *handle;
	const char *name;

	if (!vma_has_op(vma, name))
		return NULL;
	might_sleep();
	handle = section_begin(SECTION_HOOK_READ, vma, "name()");
	name = vma->vm_ops->name(handle);
	section_end(handle, "struct vma_ref", SECTIONS_VMA, "name()");
	return name;
}

/* The VMA is new and nobody else knows it.  0 if the file has no such hook. */
static inline int file_ops_mmap(struct file *file, struct vm_area_struct *vma)
	__must_hold(vma_stable) __may_sleep
{
	witness_hook(driver_name(vma));
	struct vma_new *handle;
	int err;

	if (!file->ops || !file->ops->mmap)
		return 0;
	might_sleep();
	handle = section_begin(SECTION_HOOK_NEW, vma, "mmap()");
	err = file->ops->mmap(file, handle);
	section_end(handle, "struct vma_new", SECTIONS_NEW, "mmap()");
	return HOOK_ANSWER(vma, "mmap()", err);
}

#endif
