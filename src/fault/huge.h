/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Anonymous memory by 2 MiB.  The essay is in huge.c. */
#ifndef FAULT_HUGE_H
#define FAULT_HUGE_H

#include "fault/fault.h"

/* Would the instance have faults in this area make blocks?  Its VMA is stable. */
bool huge_wanted(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable);
/* Are there neither pages nor a table for the 2 MiB around @addr? */
bool huge_is_empty(const struct mm_struct *mm, unsigned long addr);

/* Do the 2 MiB from @start on lie in the area? */
bool huge_fits(const struct vm_area_struct *vma, unsigned long start)
	__must_hold_shared(vma_stable);

/* Not with a block: with a page. */
#define FAULT_SMALL	((enum mm_fault)104)

/* Nothing is there, and no table for small pages. */
enum mm_fault huge_missing(struct fault *f)
	__must_hold_shared(vma_stable);
/*
 * A leaf says @seen, which does not allow what the area does, and its block cannot become the
 * area's own.  @zeros: it is the zero block.
 */
enum mm_fault huge_copy(struct fault *f, pte_t seen, bool zeros)
	__must_hold_shared(vma_stable);

/* pt_config.split_block */
void huge_split_block(struct page *head);

/* The block that stands for zeros, kept for @mm until that ends.  NULL: there is none. */
struct page *pages_huge_zero(struct mm_struct *mm);
/* If @from has it, so does @to from now on. */
void pages_inherit_huge_zero(struct mm_struct *to, struct mm_struct *from);

#endif
