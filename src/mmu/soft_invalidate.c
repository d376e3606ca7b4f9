/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Soft TLBs: the side of those who invalidate.  Letters are those of soft.c, which draws it.
 */
#include "mmu/soft.h"

/* Up to so many pages are looked for one by one: three compares each, in one cache line. */
#define FEW_PAGES	32u

/* Longer than from one poll to the next, shorter than going to sleep and waking. */
#define SPIN_ROUNDS	PORT_SPIN_ROUNDS(256)

/* ------------------------------------------------------------------------------ forgetting -- */

/*
 * Takes out a tag if it is @tag.  By compare-and-swap: the virtual CPU may be putting another
 * page's there, and uses it.
 */
static bool forget_tag(u64 *at, u64 tag)
{
	u64 found = atomic_load_acquire(at);			/* (T) */

	return found == tag && atomic_cas_relaxed(at, &found, SOFT_TLB_NO_TAG);
}

/* Was there anything of [start, end)? */
static bool forget_pages(struct vcpu *vcpu, u32 asid, unsigned long start, unsigned long end)
{
	bool found = false;

	for (unsigned long addr = start; addr < end; addr += PAGE_SIZE) {
		struct soft_tlb_entry *entry = soft_tlb_slot(&vcpu->tlb, addr);

		for (int i = 0; i < 3; i++)
			found |= forget_tag(&entry->tag[i], addr | asid);
	}
	return found;
}

static bool asid_in_use(const struct vcpu *vcpu, u32 asid)
{
	for (unsigned int i = 0; i < SOFT_TLB_SPACES; i++)
		if (vcpu->spaces[i] && atomic_load_relaxed(&vcpu->spaces[i]->asid) == asid)
			return true;
	return false;
}

/* All spaces' entries, also one that is just in use. */
static void forget_everything(struct vcpu *vcpu)
{
	for (unsigned long i = 0; i < vcpu->nr_entries; i++)
		for (int access = 0; access < 3; access++)
			atomic_store_relaxed(&vcpu->tlb.entries[i].tag[access], SOFT_TLB_NO_TAG);
}

/* Says that something changes.  What was changed before is seen by who sees this. */
static void announce(struct vcpu *vcpu)
{
	u32 request = atomic_load_relaxed(&vcpu->tlb.request);

	atomic_store_release(&vcpu->tlb.request, request + 1);	/* (F) */
	atomic_fence_seq_cst();					/* (E), (F) */
}

/* The section that is on now may use what no entry has. */
static void become_unsure(struct vcpu *vcpu)
{
	announce(vcpu);
	vcpu->unsure = atomic_load_acquire(&vcpu->tlb.section);	/* (S) */
}

u32 soft_tlb_new_asid(struct vcpu *vcpu)
{
	for (;;) {
		if (vcpu->next_asid == ASID_END) {
			announce(vcpu);
			forget_everything(vcpu);
			become_unsure(vcpu);
			vcpu->next_asid = ASID_FIRST;
		}
		if (!asid_in_use(vcpu, vcpu->next_asid))
			return vcpu->next_asid++;
		vcpu->next_asid++;
	}
}

/* --------------------------------------------------------------------------------- waiting -- */

/* Is it the space that the section, if there is one, runs in? */
static bool is_running(struct vcpu *vcpu, const struct soft_tlb_space *space)
{
	/* Pairs with the release in soft_tlb_switch(). */
	return atomic_load_acquire(&vcpu->tlb.current) == space;
}

/* Until @section has ended or has been begun anew.  The virtual CPU waits for nothing in it. */
static void __context_unsafe("sleeps until the virtual CPU's next safepoint")
wait_for_section(struct soft_tlb *tlb, u32 section)
{
	for (int i = 0; i < SPIN_ROUNDS; i++) {
		if (atomic_load_acquire(&tlb->section) != section)	/* (S) */
			return;
		port_cpu_relax();
	}
	atomic_add_relaxed(&tlb->waiters, 1);
	atomic_fence_seq_cst();					/* (W) */
	while (atomic_load_acquire(&tlb->section) == section)	/* (S) */
		port_wait(&tlb->section, section, PORT_NO_DEADLINE);
	atomic_sub_relaxed(&tlb->waiters, 1);
}

void soft_tlb_invalidate(struct mmu_notifier *notifier, unsigned long start, unsigned long end)
{
	struct soft_tlb_space *space = container_of(notifier, struct soft_tlb_space, notifier);
	struct vcpu *vcpu = space->vcpu;
	u32 section;
	bool found;

	spin_lock(&vcpu->lock);
	announce(vcpu);
	found = end - start > FEW_PAGES * PAGE_SIZE;
	if (found)
		atomic_store_relaxed(&space->asid, soft_tlb_new_asid(vcpu));
	else
		found = forget_pages(vcpu, space->asid, start, end);
	if (found)
		announce(vcpu);
	if (found && is_running(vcpu, space))
		become_unsure(vcpu);
	section = atomic_load_acquire(&vcpu->tlb.section);	/* (S) */
	if (section != vcpu->unsure)
		section = 0;
	spin_unlock(&vcpu->lock);
	if (section & 1)
		wait_for_section(&vcpu->tlb, section);
}
