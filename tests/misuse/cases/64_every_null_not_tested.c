/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Each pointer that may be NULL, used without a look at it.
 *
 * analyze22 17	Nullable pointer is passed to a callee that requires a non-null 1st parameter
 */
#include "misuse.h"

#ifdef FIXED
# define TESTED(p)	if (p)
#else
# define TESTED(p)
#endif

__nonnull_begin
void take(void *p);
__nonnull_end

void null_mmget_not_zero(struct mm_struct *m) __no_context_analysis;
void null_mmget_not_zero(struct mm_struct *m)
{
	struct mm_user *p = mmget_not_zero(m);

	TESTED(p)
		mmput_async(p);
}

void null_read_trylock(struct mm_user *mm) __no_context_analysis;
void null_read_trylock(struct mm_user *mm)
{
	struct mmap_read *p = mmap_read_trylock(mm);

	TESTED(p)
		mmap_read_unlock(p);
}

void null_read_killable(struct mm_user *mm) __no_context_analysis;
void null_read_killable(struct mm_user *mm)
{
	struct mmap_read *p = mmap_read_lock_killable(mm);

	TESTED(p)
		mmap_read_unlock(p);
}

void null_read_until(struct mm_user *mm) __no_context_analysis;
void null_read_until(struct mm_user *mm)
{
	struct mmap_read *p = mmap_read_lock_until(mm, 1);

	TESTED(p)
		mmap_read_unlock(p);
}

void null_write_trylock(struct mm_user *mm) __no_context_analysis;
void null_write_trylock(struct mm_user *mm)
{
	struct mmap_write *p = mmap_write_trylock(mm);

	TESTED(p)
		mmap_write_unlock(p);
}

void null_write_killable(struct mm_user *mm) __no_context_analysis;
void null_write_killable(struct mm_user *mm)
{
	struct mmap_write *p = mmap_write_lock_killable(mm);

	TESTED(p)
		mmap_write_unlock(p);
}

void null_write_until(struct mm_user *mm) __no_context_analysis;
void null_write_until(struct mm_user *mm)
{
	struct mmap_write *p = mmap_write_lock_until(mm, 1);

	TESTED(p)
		mmap_write_unlock(p);
}

void null_under_rcu(struct mm_user *mm) __no_context_analysis;
void null_under_rcu(struct mm_user *mm)
{
	struct vma_ref *p = lock_vma_under_rcu(mm, MIXED);

	TESTED(p)
		vma_end_read(p);
}

void null_lookup(struct mmap_read *lock) __no_context_analysis;
void null_lookup(struct mmap_read *lock)
{
	struct vma_ref *p = vma_lookup(lock, MIXED);

	TESTED(p)
		take(p);
}

void null_find(struct mmap_read *lock) __no_context_analysis;
void null_find(struct mmap_read *lock)
{
	struct vma_ref *p = vma_find(lock, MIXED);

	TESTED(p)
		take(p);
}

void null_file(struct vma_ref *vma) __no_context_analysis;
void null_file(struct vma_ref *vma)
{
	struct file *p = vma_file(vma);

	TESTED(p)
		take(p);
}

void null_private_data(struct vma_ref *vma) __no_context_analysis;
void null_private_data(struct vma_ref *vma)
{
	void *p = vma_private_data(vma);

	TESTED(p)
		take(p);
}

void null_as_mixedmap(struct vma_ref *vma) __no_context_analysis;
void null_as_mixedmap(struct vma_ref *vma)
{
	struct vma_mixedmap *p = vma_as_mixedmap(vma);

	TESTED(p)
		take(p);
}

void null_as_owned(struct vma_ref *vma) __no_context_analysis;
void null_as_owned(struct vma_ref *vma)
{
	struct vma_mixedmap *p = vma_as_owned_mixedmap(vma, NULL, a_page);

	TESTED(p)
		take(p);
}

void null_of_file(struct file *file) __no_context_analysis;
void null_of_file(struct file *file)
{
	void *p = file_private_data(file);

	TESTED(p)
		take(p);
}

void null_page(void) __no_context_analysis;
void null_page(void)
{
	struct page *p = alloc_page(instance);

	TESTED(p)
		__free_page(p);
}

void null_name(const struct vm_operations_struct *ops, struct vma_ref *vma);
void null_name(const struct vm_operations_struct *ops, struct vma_ref *vma)
{
	const char *p;

	if (!ops->name)
		return;
	p = ops->name(vma);
	TESTED(p)
		take((void *)p);
}

/* And each argument that may be NULL. */
void null_arguments(struct vma_ref *vma, struct vma_mut *mut, struct vma_new *new_vma)
	__no_context_analysis;
void null_arguments(struct vma_ref *vma, struct vma_mut *mut, struct vma_new *new_vma)
{
	sink = vma_is_owner(vma, NULL, NULL);
	sink = !!vma_as_owned_mixedmap(vma, NULL, NULL);
	sink = vma_set_anon_name(mut, NULL);
	vma_set_owner(new_vma, NULL, NULL);
}

/* And each hook that a driver may do without. */
void null_hooks(struct file_operations *file_ops, struct vm_operations_struct *ops);
void null_hooks(struct file_operations *file_ops, struct vm_operations_struct *ops)
{
	file_ops->mmap = NULL;
	file_ops->release = NULL;
	ops->open = NULL;
	ops->close = NULL;
	ops->may_split = NULL;
	ops->mremap = NULL;
	ops->mprotect = NULL;
	ops->name = NULL;
	ops->fault = NULL;
	ops->huge_fault = NULL;
	ops->page_mkwrite = NULL;
	ops->pfn_mkwrite = NULL;
	ops->map_pages = NULL;
	ops->access = NULL;
}
