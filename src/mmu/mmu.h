/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The translations of one address space, and who hears of their end.  The essay is in mmu.c.
 */
#ifndef MMU_MMU_H
#define MMU_MMU_H

#include <vmarea/mmu.h>

#include "pgtable/pgtable.h"

/*
 * Makes an access possible, or says why it is not: the fault path.  It may sleep, takes what
 * locks it needs, and may return MM_FAULT_DONE although the entry is gone again: then it is
 * called again.  A signal handler calls it (host.c).
 */
typedef enum mm_fault mmu_resolve_fn(struct mmu *mmu, unsigned long addr, enum mm_access access);

/* 1 written by mmu_init(); i has its own lock. */
struct mmu {
	struct mmu_ops ops;			/* 1	for struct pt_config */
	struct pgtable *pt;			/* 1 */
	mmu_resolve_fn *resolve;		/* 1 */
	struct spinlock lock;			/* i	rank: mmu */
	struct mmu_notifier *first;		/* lock	RCU to read */
};

/* Before pt_create(), which is given &mmu->ops. */
void mmu_init(struct mmu *mmu, struct pgtable *pt, mmu_resolve_fn *resolve);
/* Nobody hears any more. */
void mmu_end(struct mmu *mmu);

/* The PT_* right that an access needs. */
static inline u32 mmu_rights(enum mm_access access)
{
	return access == MM_ACCESS_WRITE ? PT_WRITE :
	       access == MM_ACCESS_EXEC ? PT_EXEC : PT_READ;
}

#endif
