/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The totals of an mm and what bounds them: see limits.c.  Lengths in pages unless said.
 */
#ifndef VMA_LIMITS_H
#define VMA_LIMITS_H

#include "file/file.h"
#include "vma/types.h"

/* Wraps to less than @len for the last page of all: callers look for that. */
static inline unsigned long page_align(unsigned long len)
{
	return (len + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}

static inline bool page_aligned(unsigned long addr)
{
	return !(addr & (PAGE_SIZE - 1));
}

unsigned long mm_rlimit(const struct mm_struct *mm, enum mm_rlimit which);	/* bytes */
bool mm_capable(const struct mm_struct *mm, unsigned int cap);
/* RLIMIT_AS and, for private writable memory that is no stack, RLIMIT_DATA. */
bool mm_may_expand(const struct mm_struct *mm, vm_flags_t flags, unsigned long nr_pages)
	__must_hold_shared(vma_stable);
/* Adds to total_vm and to the one of exec, stack and data that the flags name. */
void mm_account(struct mm_struct *mm, vm_flags_t flags, long nr_pages)
	__must_hold(vma_stable);
/* Promises memory by the overcommit mode: 0 or -ENOMEM. */
int mm_commit(struct mm_struct *mm, unsigned long nr_pages)
	__must_hold_shared(vma_stable) __must_check;
void mm_uncommit(struct mm_struct *mm, unsigned long nr_pages);
/* Pages of all areas with VM_ACCOUNT: what this mm's areas were promised. */
unsigned long mm_count_committed(const struct mm_struct *mm);
/* If the flags say VM_LOCKED: does RLIMIT_MEMLOCK (or the capability) allow @bytes more? */
bool mm_may_lock(const struct mm_struct *mm, vm_flags_t flags, unsigned long bytes)
	__must_hold_shared(vma_stable);
/* Is the mapping one whose pages must be promised: private and writable, not hugetlb? */
bool mm_is_accountable(const struct file *file, vm_flags_t flags);
bool mm_is_data(vm_flags_t flags);
bool mm_is_stack(vm_flags_t flags);

/* Bytes.  No hint, search or stack gets below it; MAP_FIXED may. */
unsigned long mm_lowest_addr(const struct mm_struct *mm);

#endif
