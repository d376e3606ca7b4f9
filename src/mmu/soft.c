/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Soft TLBs: the side of the virtual CPU.
 *
 * The table.  Direct-mapped: the page number selects one entry, which has a tag for each kind of
 * access and one number to add.
 *
 *	tag	| page number, 52 bits | ASID, 12 bits |	equal: the access is allowed
 *	addend	address of the frame here - address of the page there
 *
 * The tag that a hit compares with is made of the access's *last* byte, the entry selected by its
 * first: an access that crosses a page finds an entry of another page, and misses.  The three
 * tags of an entry are of one page or of none.  Read and execute have a tag where the table
 * allows it, write only where the entry is dirty besides: the first write misses, and notes that.
 *
 * ASIDs.  Each space that a TLB may run has one; the current one's is part of each tag that is
 * compared.  To forget a whole space is to give it a new one.  When all have been used the table is
 * emptied and they start again, without those that spaces have.
 *
 * Sections.  `section` is odd while the virtual CPU is in an access section.  In it a hit uses
 * plain loads and no fence; so whoever invalidates has to know three things: is it in a section,
 * may it be using the page, and when will it have stopped.
 *
 *	virtual CPU				who invalidates, after changing the entry
 *
 *	enter:	section odd			lock
 *		fence (E)			request + 1
 *		seen = request			fence (F)
 *		asid = current->asid		the page's entry, or all of the space: forget
 *	hit:	compare the tag			if there was one:
 *	miss:	look at the tables			request + 1
 *		tags = the page				fence (E)
 *		fence (F)				unsure = section
 *		request != seen: forget,	is section odd, and == unsure?
 *		    acknowledge, again		unlock
 *	poll:	request != seen:		if so: wait until it changes
 *		    leave, enter
 *	leave:	section even
 *		fence (W), wake
 *
 * Ordering
 *  (E) The virtual CPU writes section and then reads tags and ASID; the other forgets tags or
 *      changes the ASID and then reads section.  At least one sees the other: the section is seen
 *      and waited for, or it does not find what was forgotten.
 *  (F) The virtual CPU writes tags and then reads request; the other writes request and then
 *      reads tags.  Either the new entry is seen, or it is dropped before it is used.  And if
 *      request is read with what this change wrote there (acquire, with the release of the
 *      request), the tables are read as they are after it.
 *  (T) Tags are written with release and read by others with acquire: when an entry has made way
 *      for another, what was done through it is done.
 *  (S) section is written with release and read by others with acquire: when a section has ended or
 *      begun anew, what was done in the one before is done.
 *  (W) Leaving writes section and then reads waiters; a waiter counts itself and then reads
 *      section, the last time inside of the futex.  No wake-up is lost.
 *
 * Why a page that is in no entry is not in use: a pointer is good until the next call, and only a
 * miss replaces an entry.  There is one exception, an entry that somebody else's invalidation has
 * just taken out while the pointer is still used.  That is what `unsure` is for: the section that
 * was on when an entry was taken out.  Until it has ended every invalidation waits for it.
 *
 * Waiting.  The virtual CPU waits for nobody inside a section: a miss that needs the fault path
 * leaves before it.  So whoever waits for it may hold any lock.  It waits for as long as the
 * program needs to the next poll, spinning at first, sleeping on the section's word then.
 *
 * Invariants
 *  1. A tag that an access can match was in the tables when request had the value `seen`.
 *  2. A space's ASID is no other space's, nor that of any entry made for another space.
 *  3. Between two calls the virtual CPU uses at most the pages of entries that it has, or its
 *     section is `unsure`.
 *
 * Failure.  soft_tlb_create() and soft_tlb_attach() need memory; nothing else can fail.
 *
 * Rejected
 *  - A fence on each access, or sections around each: 10 times the cost of a hit.
 *  - Signals or membarrier() to make virtual CPUs stop: a system call for each changed entry,
 *    under a spinlock; what is saved is the poll, which an emulator has anyway.
 *  - A queue of ranges that the virtual CPU works off: it can overflow, and even a CPU that does
 *    not run would have to be woken to empty it.
 *  - Two ways: a hit costs a second compare, and 4 MiB or more of reach makes conflicts rare.
 */
#include "base/errno.h"
#include "base/str.h"
#include "mmu/soft.h"
#include "sync/rcu.h"

_Static_assert(sizeof(struct soft_tlb_entry) == 32, "soft_tlb_hit() shifts by 5");

/* ------------------------------------------------------------------------------ sections -- */

void soft_tlb_enter(struct soft_tlb *tlb)
{
	VM_DEBUG_ON(tlb->section & 1, "it is in a section");
	atomic_store_release(&tlb->section, tlb->section + 1);	/* (S) */
	atomic_fence_seq_cst();					/* (E) */
	tlb->seen = atomic_load_acquire(&tlb->request);		/* (F) */
	tlb->asid = atomic_load_relaxed(&tlb->current->asid);
}

void soft_tlb_leave(struct soft_tlb *tlb)
{
	VM_DEBUG_ON(!(tlb->section & 1), "it is in no section");
	atomic_store_release(&tlb->section, tlb->section + 1);	/* (S) */
	atomic_fence_seq_cst();					/* (W) */
	if (unlikely(atomic_load_relaxed(&tlb->waiters)))
		port_wake(&tlb->section, INT32_MAX);
}

void soft_tlb_acknowledge(struct soft_tlb *tlb)
{
	soft_tlb_leave(tlb);
	soft_tlb_enter(tlb);
}

/* ---------------------------------------------------------------------------------- miss -- */

static void set_tag(struct soft_tlb_entry *entry, enum mm_access access, u64 tag)
{
	atomic_store_release(&entry->tag[access], tag);		/* (T) */
}

static void forget_entry(struct soft_tlb_entry *entry)
{
	for (int access = MM_ACCESS_READ; access <= MM_ACCESS_EXEC; access++)
		set_tag(entry, (enum mm_access)access, SOFT_TLB_NO_TAG);
}

/* The frame of @addr's page in a leaf. */
static void *leaf_bytes(const struct pgtable *pt, u64 addr, unsigned int level, pte_t leaf)
{
	unsigned long first = pte_pfn(pt->format, leaf);
	unsigned long nth = level == PT_PMD ? (addr >> PAGE_SHIFT) % PT_ENTRIES : 0;

	return pfn_bytes(pt->frames, first + nth);
}

/* False: an invalidation came in between, and the entry is gone again. */
static bool fill_entry(struct soft_tlb *tlb, u64 addr, void *bytes, u32 attrs)
{
	struct soft_tlb_entry *entry = soft_tlb_slot(tlb, addr);
	const u64 page = addr & SOFT_TLB_PAGE_MASK, tag = page | tlb->asid;
	const u32 writable = PT_WRITE | PT_DIRTY;

	forget_entry(entry);
	entry->addend = (u64)(uintptr_t)bytes - page;
	if (attrs & PT_READ)
		set_tag(entry, MM_ACCESS_READ, tag);
	if ((attrs & writable) == writable)
		set_tag(entry, MM_ACCESS_WRITE, tag);
	if (attrs & PT_EXEC)
		set_tag(entry, MM_ACCESS_EXEC, tag);
	atomic_fence_seq_cst();					/* (F) */
	if (likely(atomic_load_relaxed(&tlb->request) == tlb->seen))
		return true;
	forget_entry(entry);
	return false;
}

/* PTE_NONE: the tables do not allow it. */
static pte_t walk(struct pgtable *pt, u64 addr, enum mm_access access, unsigned int *level)
{
	pte_t leaf;

	rcu_read_lock();
	leaf = pt_translate(pt, addr, mmu_rights(access), level);
	rcu_read_unlock();
	return leaf;
}

/* Outside of the section: it takes locks, and may invalidate what this TLB has. */
static enum mm_fault resolve(struct soft_tlb *tlb, struct mmu *mmu, u64 addr,
			     enum mm_access access)
{
	enum mm_fault outcome;

	soft_tlb_leave(tlb);
	outcome = mmu->resolve(mmu, addr, access);
	soft_tlb_enter(tlb);
	return outcome;
}

static void *refuse(struct soft_tlb *tlb, u64 addr, enum mm_fault why)
{
	tlb->fault = why;
	tlb->fault_addr = addr;
	return NULL;
}

void *soft_tlb_miss(struct soft_tlb *tlb, uint64_t addr, unsigned int bytes, enum mm_access access)
{
	struct mmu *mmu = tlb->current->mmu;

	if ((addr + bytes - 1) >> PAGE_SHIFT != addr >> PAGE_SHIFT)
		return refuse(tlb, addr, MM_FAULT_DONE);
	if (!mmu)
		return refuse(tlb, addr, MM_FAULT_MAPERR);
	for (;;) {
		enum mm_fault outcome;
		unsigned int level;
		pte_t leaf;

		soft_tlb_poll(tlb);
		leaf = walk(mmu->pt, addr, access, &level);
		if (likely(!pte_none(leaf))) {
			char *frame = leaf_bytes(mmu->pt, addr, level, leaf);

			if (fill_entry(tlb, addr, frame, pte_attrs(mmu->pt->format, leaf)))
				return frame + addr % PAGE_SIZE;
			continue;
		}
		outcome = resolve(tlb, mmu, addr, access);
		if (outcome != MM_FAULT_DONE)
			return refuse(tlb, addr, outcome);
	}
}

static void copy(void *guest, void *buf, unsigned int bytes, enum mm_access access)
{
	if (access == MM_ACCESS_WRITE)
		memcpy(guest, buf, bytes);
	else
		memcpy(buf, guest, bytes);
}

/* Both pages have to be there at once: a hit of each, without a miss in between. */
bool soft_tlb_copy_slow(struct soft_tlb *tlb, uint64_t addr, void *buf, unsigned int bytes,
			enum mm_access access)
{
	unsigned int first = (unsigned int)(PAGE_SIZE - addr % PAGE_SIZE), rest;
	void *low, *high;

	if (bytes <= first) {
		low = soft_tlb_access(tlb, addr, bytes, access);
		if (low)
			copy(low, buf, bytes, access);
		return low;
	}
	rest = bytes - first;
	do {
		if (!soft_tlb_access(tlb, addr, first, access))
			return false;
		high = soft_tlb_access(tlb, addr + first, rest, access);
		if (!high)
			return false;
		low = soft_tlb_hit(tlb, addr, first, access);
	} while (!low);
	copy(low, buf, first, access);
	copy(high, (char *)buf + first, rest, access);
	return true;
}

/* ----------------------------------------------------------------------- creation, spaces -- */

static unsigned long table_bytes(unsigned long nr_entries)
{
	return nr_entries * sizeof(struct soft_tlb_entry);
}

int soft_tlb_create(unsigned int log2_entries, struct soft_tlb **out)
{
	unsigned long nr = 1ul << log2_entries % 64;
	struct vcpu *vcpu;

	if (log2_entries < SOFT_TLB_MIN_LOG2 || log2_entries > SOFT_TLB_MAX_LOG2)
		return -EINVAL;
	vcpu = port_alloc(sizeof(*vcpu));
	if (!vcpu)
		return -ENOMEM;
	vcpu->tlb.entries = port_alloc(table_bytes(nr));
	if (!vcpu->tlb.entries) {
		port_free(vcpu, sizeof(*vcpu));
		return -ENOMEM;
	}
	vcpu->nr_entries = nr;
	vcpu->tlb.index_mask = table_bytes(nr - 1);
	for (unsigned long i = 0; i < nr; i++)
		forget_entry(&vcpu->tlb.entries[i]);
	spin_lock_init(&vcpu->lock, LOCK_RANK_MMU);
	vcpu->next_asid = ASID_FIRST;
	vcpu->nowhere.vcpu = vcpu;
	vcpu->tlb.current = &vcpu->nowhere;
	*out = &vcpu->tlb;
	return 0;
}

void soft_tlb_destroy(struct soft_tlb *tlb)
{
	struct vcpu *vcpu = vcpu_of(tlb);

	VM_BUG_ON(tlb->section & 1, "it is in a section");
	for (unsigned int i = 0; i < SOFT_TLB_SPACES; i++)
		VM_BUG_ON(vcpu->spaces[i], "a space is attached");
	port_free(tlb->entries, table_bytes(vcpu->nr_entries));
	port_free(vcpu, sizeof(*vcpu));
}

/* A place for @space and an ASID; false: all places are taken. */
static bool enlist(struct vcpu *vcpu, struct soft_tlb_space *space)
{
	unsigned int i = 0;

	spin_lock(&vcpu->lock);
	while (i < SOFT_TLB_SPACES && vcpu->spaces[i])
		i++;
	if (i < SOFT_TLB_SPACES) {
		space->asid = soft_tlb_new_asid(vcpu);
		vcpu->spaces[i] = space;
	}
	spin_unlock(&vcpu->lock);
	return i < SOFT_TLB_SPACES;
}

int soft_tlb_attach(struct soft_tlb *tlb, struct mmu *mmu, struct soft_tlb_space **out)
{
	struct vcpu *vcpu = vcpu_of(tlb);
	struct soft_tlb_space *space = port_alloc(sizeof(*space));

	if (!space)
		return -ENOMEM;
	space->vcpu = vcpu;
	space->mmu = mmu;
	space->notifier.invalidate = soft_tlb_invalidate;
	if (!enlist(vcpu, space)) {
		port_free(space, sizeof(*space));
		return -ENOSPC;
	}
	mmu_notifier_add(mmu, &space->notifier);
	*out = space;
	return 0;
}

void soft_tlb_detach(struct soft_tlb *tlb, struct soft_tlb_space *space)
{
	struct vcpu *vcpu = vcpu_of(tlb);

	VM_BUG_ON(space->vcpu != vcpu || space == &vcpu->nowhere, "a space of another TLB");
	if (tlb->current == space)
		soft_tlb_switch(tlb, &vcpu->nowhere);
	mmu_notifier_del(space->mmu, &space->notifier);
	spin_lock(&vcpu->lock);
	for (unsigned int i = 0; i < SOFT_TLB_SPACES; i++)
		if (vcpu->spaces[i] == space)
			vcpu->spaces[i] = NULL;
	spin_unlock(&vcpu->lock);
	port_free(space, sizeof(*space));
}

void soft_tlb_switch(struct soft_tlb *tlb, struct soft_tlb_space *space)
{
	VM_BUG_ON(tlb->section & 1, "it is in a section");
	VM_BUG_ON(space->vcpu != vcpu_of(tlb), "a space of another TLB");
	/* Pairs with the acquire in is_running(): what was done in the space before is done. */
	atomic_store_release(&tlb->current, space);
}
