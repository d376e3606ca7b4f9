/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Backends: who uses what page tables say.
 *
 * The tables are the truth.  Whatever remembers a part of it, to be faster, is a *backend*: it
 * may forget anything at any time and ask again, and it must forget what the tables do not say
 * any more. For that there is one way, pt->mmu->invalidate(), and one kind of listener:
 *
 *	pt_zap_range(), pt_slot_exchange(), pt_change_range() ...
 *	    change the entry, then
 *	    mmu_ops.invalidate
 *	        for each notifier of this space:
 *	            soft.c	one for each soft TLB that may run it
 *	            host.c	one for each window of the host
 *	            a JIT's, a device's
 *	    and then put the frame
 *
 * Since a backend only ever makes an entry from what the tables say, there is nothing to take
 * back when it fails: it has no entry, and the access faults once more.  So a change to the
 * tables is one transaction with its backends, in which only the tables can refuse.
 *
 * Files: mmu.c (who hears), soft.c and soft_invalidate.c (soft TLBs), host.c and host_map.c (the
 * host's own mappings as a TLB).
 *
 * Locking.  The list of notifiers is changed under mmu->lock and read in RCU read sections.
 * invalidate() is called under table locks: all locks here are of rank `mmu`, after those, and none
 * is held while another thread is waited for.
 *
 * Ordering
 *  (N) Who changes an entry does so before the fence in mmu_invalidate(), and reads the list
 *      after it; who adds a notifier publishes it before the fence in mmu_notifier_add(), and
 *      reads entries after it.  So of the two at least one sees the other: the notifier hears of
 *      the change, or it never sees the old entry.
 *
 * Rejected
 *  - start and end of an invalidation as two calls, between which nobody may make an entry: needed
 *    where the tables change in between.  Here a backend is called after the change, and finds out
 *    itself whether it was reading at the wrong moment; in each case that costs it a compare.
 *  - Notifiers that may sleep: they could not be called under table locks, and each change to an
 *    entry would have to be split in two.
 */
#include "mmu/mmu.h"
#include "sync/rcu.h"

static void mmu_invalidate(struct pgtable *pt, unsigned long start, unsigned long end,
			   enum mmu_reach reach)
{
	const struct mmu *mmu = container_of(pt->mmu, struct mmu, ops);

	/* No backend remembers a table. */
	(void)reach;
	atomic_fence_seq_cst();					/* (N) */
	rcu_read_lock();
	/* Pairs with the release in mmu_notifier_add(). */
	for (struct mmu_notifier *n = port_rcu_dereference(mmu->first); n;
	     n = port_rcu_dereference(n->next))
		n->invalidate(n, start, end);
	rcu_read_unlock();
}

void mmu_init(struct mmu *mmu, struct pgtable *pt, mmu_resolve_fn *resolve)
{
	*mmu = (struct mmu){
		.ops = { .invalidate = mmu_invalidate }, .pt = pt, .resolve = resolve,
	};
	spin_lock_init(&mmu->lock, LOCK_RANK_MMU);
}

void mmu_end(struct mmu *mmu)
{
	VM_BUG_ON(mmu->first, "a notifier is left");
}

void mmu_notifier_add(struct mmu *mmu, struct mmu_notifier *notifier)
{
	spin_lock(&mmu->lock);
	notifier->next = mmu->first;
	port_rcu_assign(mmu->first, notifier);
	spin_unlock(&mmu->lock);
	atomic_fence_seq_cst();					/* (N) */
}

void mmu_notifier_del(struct mmu *mmu, struct mmu_notifier *notifier)
{
	struct mmu_notifier **link = &mmu->first;

	spin_lock(&mmu->lock);
	while (*link != notifier) {
		VM_BUG_ON(!*link, "not in the list");
		link = &(*link)->next;
	}
	port_rcu_assign(*link, notifier->next);
	spin_unlock(&mmu->lock);
	port_synchronize_rcu();
}
