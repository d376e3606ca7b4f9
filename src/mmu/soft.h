/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Inside of the room: a soft TLB as both sides see it.  The essay is in soft.c. */
#ifndef MMU_SOFT_H
#define MMU_SOFT_H

#include <vmarea/soft_tlb.h>

#include "mmu/mmu.h"

#define SOFT_TLB_SPACES		64u

/* ASIDs are the low 12 bits of a tag, without 0 and what SOFT_TLB_NO_TAG has there. */
#define ASID_NONE		0u
#define ASID_FIRST		1u
#define ASID_END		0xfffu

struct vcpu;

/* An address space as one TLB has it.  1 written by soft_tlb_attach(); a atomic. */
struct soft_tlb_space {
	u32 asid;				/* a	written under the TLB's lock */
	struct vcpu *vcpu;			/* 1 */
	struct mmu *mmu;			/* 1	NULL: the space where nothing is */
	struct mmu_notifier notifier;		/* 1 */
};

/* What the header does not show.  1 written at creation; i its own lock. */
struct vcpu {
	struct soft_tlb tlb;			/* i	tags in vmarea/soft_tlb.h */
	unsigned long nr_entries;		/* 1 */
	struct soft_tlb_space nowhere;		/* 1 */
	struct spinlock lock;			/* i	rank: mmu */
	u32 next_asid;				/* lock	from here on none has been used */
	u32 unsure;				/* lock	this section may use what no entry has */
	struct soft_tlb_space *spaces[SOFT_TLB_SPACES]; /* lock */
};

static inline struct vcpu *vcpu_of(struct soft_tlb *tlb)
{
	return container_of(tlb, struct vcpu, tlb);
}

/* soft_invalidate.c */
void soft_tlb_invalidate(struct mmu_notifier *notifier, unsigned long start, unsigned long end);
u32 soft_tlb_new_asid(struct vcpu *vcpu) __must_hold(&vcpu->lock);

static inline struct soft_tlb_entry *soft_tlb_slot(const struct soft_tlb *tlb, u64 addr)
{
	return (struct soft_tlb_entry *)((char *)tlb->entries +
		((addr >> (SOFT_TLB_PAGE_SHIFT - 5)) & tlb->index_mask));
}

#endif
