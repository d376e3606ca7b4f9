/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Pages that come back from swap.  The essay is in swap.c. */
#ifndef FAULT_SWAP_H
#define FAULT_SWAP_H

#include "fault/fault.h"
#include "swap/swap.h"

/* A swap entry, @seen, is there. */
enum mm_fault swap_missing(struct fault *f, pte_t seen)
	__must_hold_shared(vma_stable);

/* fault_wait() for f->wait_swap: the page is in the cache then. */
enum mm_fault swap_wait(struct fault *f)	__must_not_hold(vma_stable) __may_sleep;

/*
 * For who wants no access but the page: makes the swap entry @seen at f->addr a leaf.  0, also if
 * it is another by now; -ENOMEM; -EIO: its bytes cannot be read.
 */
int swap_bring_in(struct fault *f, pte_t seen)
	__must_hold_shared(vma_stable) __may_sleep __must_check;
/* Its bytes will never be read: makes it an entry that says so.  0, as above; -ENOMEM. */
int swap_lose(const struct fault *f, pte_t seen)
	__must_hold_shared(vma_stable) __must_check;

/*
 * The first swap entry of [addr, end) that is of area @id (SWAP_ANY: of any), and where.  PTE_NONE:
 * there is none.
 */
#define SWAP_ANY	(~0u)
pte_t swap_next_entry(struct pgtable *pt, unsigned long *addr, unsigned long end, unsigned int id);

/* Swapped pages of the range are read, and found by the faults to come.  As many as can be had. */
void swap_will_need(const struct vm_area_struct *vma, unsigned long start, unsigned long end)
	__must_hold_shared(vma_stable) __may_sleep;

#endif
