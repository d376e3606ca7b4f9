/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The mmap lock and the VMA locks.
 *
 * Terms
 *
 *   A *write section* is the time from mm_write_lock() to mm_write_unlock() or
 *   mm_write_downgrade().  A VMA is *attached* from map_insert() until the write section that
 *   removed it ends.  A *reader* of a VMA holds its VMA lock for read.  A *pin* keeps a VMA's
 *   memory and its class-1 fields (types.h), and nothing else.
 *
 * The protocol
 *
 *   mm->mm_lock_seq is odd in a write section and even outside.  To write-lock a VMA is to wait
 *   for its readers and then to write the mm's number into it: vm_lock_seq == mm_lock_seq means
 *   "write-locked".  The end of the section changes the mm's number and so ends all VMA write
 *   locks at once: nobody needs to remember which were taken.
 *
 *   vm_refcnt is 0 for a detached VMA and 1 for an attached one; each reader and each pin adds
 *   one.  A writer that waits sets VMA_WRITER, which turns new readers away, and sleeps on the
 *   word until the count is down to the attachment's own.
 *
 *	reader					writer
 *	tree lookup under RCU
 *	vm_lock_seq == mm_lock_seq? give up	mm_lock_seq++			(H)
 *	vm_refcnt++ unless 0 or VMA_WRITER (A)	vm_refcnt |= VMA_WRITER		(B)
 *	vm_mm is the mm?			wait until only attached	(C)
 *	vm_lock_seq == mm_lock_seq? undo  (D)	vm_lock_seq = mm_lock_seq
 *	address inside? else undo		vm_refcnt &= ~VMA_WRITER	(E)
 *	... read ...				... write, publish the tree ...
 *	vm_refcnt--			  (F)	mm_lock_seq++			(G)
 *
 *   (A) and (B) are read-modify-writes of one word, so one comes first.  If (A), the writer sees
 *   the reader at (C) and waits for (F), release to acquire.  If (B), the reader is turned away, or
 *   comes after (E), release to acquire, and finds the VMA write-locked at (D); unless (G) has
 *   been, and then its acquire load at (D) makes all that was written visible.  What it loads may
 *   already be the number of a later section, whose writer has not come to this VMA yet and will
 *   wait for the reader: so (H) is a release as well.  The mmap lock brought it what (G) published.
 *
 *   The memory is type-stable: between the lookup and (A) the VMA may have been removed and used
 *   again, even in another mm.  Hence vm_mm and the range are looked at after (A).  They do not
 *   change while a reader is counted: to detach is to wait for (F) as well.  It also means that a
 *   VMA may be counted by somebody for whom its mm does not exist: nobody may set vm_refcnt back
 *   without having waited, not even who tears down an mm that has no users left.
 *
 * The end of a write section, in this order
 *
 *   1. The tree is published, with one store: lookups see all of the section or nothing.
 *   2. Removed VMAs are detached: pins are waited for, the count goes to 0 for good.  Not before
 *      1: a VMA that a lookup can find in the published tree is always attached, so a pin fails
 *      only if there is a newer tree to look in.
 *   3. mm_lock_seq is made even: VMA write locks end.
 *   4. The mmap lock is released (or downgraded).
 *   5. References of removed VMAs to files are dropped: that calls the embedder, so it comes after
 *      the unlock.  A section that is downgraded is a driver's, and has removed nothing.
 *
 * The numbers are 32 bits and wrap.  A VMA that nobody has written to for 2^31 sections would look
 * write-locked in the next: to its writer, who would not wait for readers.  So the first section
 * after a wrap, which costs nothing by the time it comes, takes back the numbers of all VMAs; 0 is
 * no section's.  (Linux does not, and has that hole.)
 *
 * Rejected: a lock word in each VMA that the end of the section walks over (cost by the number of
 * areas touched), and hazard pointers (a store and a fence on the reader's side).
 */
#include "base/atomic.h"
#include "file/file.h"
#include "port/port.h"
#include "sync/rcu.h"
#include "sync/witness.h"
#include "vma/anon.h"
#include "vma/instance.h"
#include "vma/lock.h"
#include "vma/map.h"

/*
 * VMAs that an mm keeps for its next split, removed ones or those that a call reserved and did not
 * need; the rest go back to the pool.
 */
#define MAX_SPARE	8u

void mm_read_lock(struct mm_struct *mm)
	__context_unsafe("makes the token of a lock")
{
	rwsem_read_lock(&mm->mmap_lock);
}

void mm_read_unlock(struct mm_struct *mm)
	__context_unsafe("ends the token of a lock")
{
	rwsem_read_unlock(&mm->mmap_lock);
}

void mm_assert_locked(const struct mm_struct *mm)
{
	witness_assert_held(&mm->mmap_lock, WITNESS_SHARED);
}

void mm_assert_write_locked(const struct mm_struct *mm)
{
	witness_assert_held(&mm->mmap_lock, WITNESS_EXCLUSIVE);
}

/* Those of a new mm are none.  A reader who finds 0 on both sides takes the mmap lock. */
static void forget_numbers(struct mm_struct *mm)
	__must_hold(vma_stable)
{
	struct rt_entry entry;
	struct rt_iter it;

	rt_iter_init(&it, rt_working(&mm->areas), 0);
	while (rt_iter_next(&it, &entry)) {
		struct vm_area_struct *vma = entry.item;

		/* Relaxed: nobody's lock begins or ends by it. */
		atomic_store_relaxed(&vma->vm_lock_seq, 0);
	}
}

void mm_write_begin(struct mm_struct *mm)
{
	u32 seq = atomic_load_relaxed(&mm->mm_lock_seq);

	VM_DEBUG_ON(seq & 1, "mm_lock_seq %u", seq);
	if (unlikely(!seq))
		forget_numbers(mm);
	/*
	 * Pairs with (D), as (G) does: a reader that finds this number, and not the one that (G) of
	 * the section before wrote, takes that section's changes for done just the same.
	 */
	atomic_store_release(&mm->mm_lock_seq, seq + 1);
	/* Pairs with the fence of mmap_lock_speculate_retry(): who saw a write sees this number. */
	atomic_fence_release();
}

void mm_write_lock(struct mm_struct *mm)
	__context_unsafe("makes the token of a lock")
{
	rwsem_write_lock(&mm->mmap_lock);
	mm_write_begin(mm);
}

int mm_write_lock_killable(struct mm_struct *mm)
{
	struct kill_waiter waiter;
	int err = 0;

	rwsem_may_wait(&mm->mmap_lock);
	if (!rwsem_write_trylock(&mm->mmap_lock)) {
		kill_group_join(&mm->kill, &waiter);
		err = rwsem_write_lock_killable(&mm->mmap_lock, &waiter.kill);
		kill_group_leave(&mm->kill, &waiter);
	}
	if (!err)
		mm_write_begin(mm);
	return err;
}

/* Returns once nobody is counted but @keep; the word has VMA_WRITER set. */
static void wait_for_readers(struct vm_area_struct *vma, u32 keep) __may_sleep
{
	u32 refcnt;

	/* Acquire pairs with the release of vma_put_count(). */
	while ((refcnt = atomic_load_acquire(&vma->vm_refcnt)) != VMA_WRITER + keep)
		port_wait(&vma->vm_refcnt, refcnt, PORT_NO_DEADLINE);
}

void vma_lock_write(struct vm_area_struct *vma)
{
	struct mm_struct *mm = vma->vm_mm;
	u32 seq = atomic_load_relaxed(&mm->mm_lock_seq);

	might_sleep();
	mm_assert_write_locked(mm);
	/* Only this thread writes either number now. */
	if (atomic_load_relaxed(&vma->vm_lock_seq) == seq)
		return;
	/* This thread may be a reader of it. */
	witness_before(vma, LOCK_RANK_VMA, 0, WITNESS_HERE);
	/* (B): acquire pairs with the release of the last reader, if there was one. */
	if (atomic_add_acquire(&vma->vm_refcnt, VMA_WRITER) != 1)
		wait_for_readers(vma, 1);
	atomic_store_relaxed(&vma->vm_lock_seq, seq);
	/* (E): pairs with the acquire at (A). */
	atomic_sub_release(&vma->vm_refcnt, VMA_WRITER);
}

/* (F), and the same for a pin: wakes the writer if it was the last. */
static void vma_put_count(struct vm_area_struct *vma)
{
	/* Pairs with the acquires of (B), (C) and vma_detach(): what the reader read is read. */
	u32 left = atomic_sub_release(&vma->vm_refcnt, 1) - 1;

	/* 1: vma_lock_write() waits; 0: vma_detach() does.  The memory is a VMA's for ever. */
	if (unlikely(left == VMA_WRITER + 1 || left == VMA_WRITER))
		port_wake(&vma->vm_refcnt, 1);
}

/* (A): one more reader.  False if the VMA is detached or a writer is waiting. */
static bool vma_get_reader(struct vm_area_struct *vma)
{
	u32 refcnt = atomic_load_relaxed(&vma->vm_refcnt);

	do {
		if (!refcnt || (refcnt & VMA_WRITER))
			return false;
		/* Acquire pairs with vma_attach() and with (E). */
	} while (!atomic_cas_acquire(&vma->vm_refcnt, &refcnt, refcnt + 1));
	return true;
}

static bool vma_start_read(struct mm_struct *mm, struct vm_area_struct *vma, unsigned long addr)
	__context_unsafe("reads the bounds under the lock that it is taking")
{
	/* Unreliable, and cheap: most writers are noticed here. */
	if (atomic_load_relaxed(&vma->vm_lock_seq) == atomic_load_relaxed(&mm->mm_lock_seq))
		return false;
	if (!vma_get_reader(vma))
		return false;
	/* (D): acquire pairs with (G), (H).  The mm's number is loaded for its own VMAs only. */
	if (likely(vma->vm_mm == mm &&
		   atomic_load_relaxed(&vma->vm_lock_seq) !=
			   atomic_load_acquire(&mm->mm_lock_seq) &&
		   vma->vm_start <= addr && addr < vma->vm_end))
		return true;
	vma_put_count(vma);
	return false;
}

struct vm_area_struct *vma_lock_read(struct mm_struct *mm, unsigned long addr)
{
	struct vm_area_struct *vma = NULL;
	struct rt_entry entry;

	rcu_read_lock();
	if (rt_lookup_rcu(&mm->areas, addr, &entry) && vma_start_read(mm, entry.item, addr))
		vma = entry.item;
	rcu_read_unlock();
	/* Never waits, so the witness is not asked before; but nobody may wait outwards with it. */
	if (vma)
		witness_after(vma, LOCK_RANK_VMA, 0, WITNESS_SHARED, WITNESS_HERE);
	return vma;
}

void vma_unlock_read(struct vm_area_struct *vma)
	__context_unsafe("ends the token of a lock")
{
	witness_release(vma, NULL, WITNESS_SHARED, WITNESS_HERE);
	vma_put_count(vma);
}

bool vma_pin_rcu(struct vm_area_struct *vma)
{
	u32 refcnt = atomic_load_relaxed(&vma->vm_refcnt);

	do {
		if (!(refcnt & ~VMA_WRITER))
			return false;
		/* Acquire pairs with vma_attach(): the class-1 fields are there. */
	} while (!atomic_cas_acquire(&vma->vm_refcnt, &refcnt, refcnt + 1));
	return true;
}

void vma_unpin(struct vm_area_struct *vma)
{
	vma_put_count(vma);
}

void vma_attach(struct vm_area_struct *vma)
{
	VM_DEBUG_ON(atomic_load_relaxed(&vma->vm_refcnt));
	atomic_store_relaxed(&vma->vm_lock_seq, atomic_load_relaxed(&vma->vm_mm->mm_lock_seq));
	/* Pairs with the acquire in vma_get_reader() and vma_pin_rcu(). */
	atomic_store_release(&vma->vm_refcnt, 1);
}

/* The attachment's own count is given up; then only pins and late readers can be left. */
void vma_detach(struct vm_area_struct *vma)
{
	might_sleep();
	/* Acquire pairs with the release of the last of them. */
	if (atomic_add_acquire(&vma->vm_refcnt, VMA_WRITER - 1) != 1)
		wait_for_readers(vma, 0);
	/* Count 0 lets nobody in, with VMA_WRITER or without: no ordering needed to clear it. */
	atomic_store_relaxed(&vma->vm_refcnt, 0);
}

/*
 * Step 2.  Returns those that still hold a file, for step 5; the others are spare or in the pool.
 */
static struct vm_area_struct *detach_dead(struct mm_struct *mm)
	__must_hold(vma_stable) __may_sleep
{
	struct vm_area_struct *dead = mm->dead, *late = NULL;

	mm_set(mm, dead, NULL);
	while (dead) {
		struct vm_area_struct *vma = dead;

		dead = vma->next_free;
		vma_detach(vma);
		anon_chain_put(vma->anon);
		anon_name_put(vma->anon_name);
		if (vma->vm_file) {
			vma_set_next(vma, &mm->mmap_lock, late);
			late = vma;
		} else if (mm->nr_spare < MAX_SPARE) {
			vma_set_next(vma, &mm->mmap_lock, mm->spare);
			mm_set(mm, spare, vma);
			mm_add(mm, nr_spare, 1);
		} else {
			vma_pool_free(mm->instance, vma);
		}
	}
	return late;
}

/* Steps 1 to 3. */
static struct vm_area_struct *mm_write_end(struct mm_struct *mm)
	__must_hold(vma_stable) __may_sleep
{
	struct vm_area_struct *late;
	u32 seq = atomic_load_relaxed(&mm->mm_lock_seq);

	VM_DEBUG_ON(!(seq & 1), "mm_lock_seq %u", seq);
	rt_publish(&mm->areas);
	late = detach_dead(mm);
	/* A call over many areas has reserved for the worst. */
	map_unreserve(mm, MAX_SPARE);
	/* (G): pairs with (D) and with the acquire load of mmap_lock_speculate_try_begin(). */
	atomic_store_release(&mm->mm_lock_seq, seq + 1);
	return late;
}

/* Step 5: no lock is held. */
static void put_late(struct vmarea *instance, struct vm_area_struct *late)
{
	while (late) {
		struct vm_area_struct *vma = late;

		late = vma->next_free;
		file_put(vma->vm_file);
		vma_pool_free(instance, vma);
	}
}

void mm_write_unlock(struct mm_struct *mm)
	__context_unsafe("ends the token of a lock")
{
	struct vmarea *instance = mm->instance;
	struct vm_area_struct *late;

	might_sleep();
	late = mm_write_end(mm);
	rwsem_write_unlock(&mm->mmap_lock);
	put_late(instance, late);
}

void mm_write_downgrade(struct mm_struct *mm)
	__context_unsafe("ends the token of a lock")
{
	might_sleep();
	/* Their files would be put under the read lock, where release() may not be called. */
	VM_BUG_ON(mm->dead, "areas were removed in a section that is downgraded");
	mm_write_end(mm);
	rwsem_downgrade(&mm->mmap_lock);
}
