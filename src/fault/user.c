/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * User faults: the embedder answers, as with userfaultfd(2).
 *
 * An *area is registered* with a struct user_faults for one or more *modes*, which are flags of the
 * area: VM_UFFD_MISSING and its kin.  A fault of such a mode is not served.  It *waits*: a struct
 * user_wait, which lies on the stack of the faulting thread inside its struct fault, goes on a
 * queue, and its message is read by somebody, the *handler*, who *answers*: puts a page there, or
 * wakes the waiter, which then faults anew.
 *
 *	      user_fault()         read             woken, killed
 *	fault ------------> unread ------> read -------------------> fault anew
 *	                      |           woken before that            ^
 *	                      +----------------------------------------+
 *
 * A wait is queued while the fault still has its lock (VMA or mmap), and waited for after that has
 * gone: FAULT_RETRY, fault_wait().  So the handler may take any lock, and any memory call may
 * change the area meanwhile.
 *
 * No wake-up is lost.  An answer changes the entry and then wakes:
 *
 *	fault:	queue it (under the lock); look at the entry again; wait
 *	answer:	install the entry; under the lock, wake who is queued
 *
 * If the answer's look at the queue comes first, the lock passes the entry on to the fault, whose
 * second look finds it: it does not wait.  If the queueing comes first, the answer finds it.
 *
 * Writes.  A page of an area with VM_UFFD_WP is protected by a mark in its entry, PT_USER_WP, which
 * never goes with PT_WRITE: so hardware, gup_fast() and pins meet a fault, which waits.  The mark
 * stays through mprotect(), a copy that a pin needs, a split and a move of the page to another
 * frame; a fork drops it for the child, and so does whoever makes the area another's or nobody's.
 *
 * Locking.  The queue's spinlock comes after all others, so that a memory call can wake; nothing is
 * called under it.  A waiter that was woken or gives up takes it once more before its stack is used
 * for something else: the waker is done with it then.
 *
 * Life.  Handles count, each waiter does, and the mm's list counts as one until the mm ends or the
 * last area is unregistered by closing: so area->user_faults needs no count of its own, and an area
 * that closing could not unregister, for want of memory, points to something that is there.
 *
 * Invariants
 *  1. An area with a VM_UFFD_* flag has user_faults, on its mm's list, and the other way round.
 *  2. The page of a waiter that nobody has woken lies in an area that is registered with whom it
 *     waits for: whoever unregisters, unmaps or moves one wakes.  (Linux leaves asleep who waits
 *     where something was unmapped or moved.)
 *  3. Nobody waits for what is shut.
 *  4. An entry with PT_USER_WP does not allow writing, and lies in an area with VM_UFFD_WP.
 *
 * Rejected
 *  - A queue of messages apart from those who wait: a message whose thread is gone would have to be
 *    found, and memory for it could be refused.
 *  - Waking only those whose page has come: what Linux wakes by a range, it wakes; a waiter looks
 *    for himself.
 */

#include "base/atomic.h"
#include "fault/user.h"
#include "vma/lock.h"

/* ---------------------------------------------------------------------------------- life -- */

void user_faults_init(struct user_faults *uf, struct mm_struct *mm,
		      const struct user_faults_config *config,
		      void (*free)(struct user_faults *uf))
{
	uf->mm = mm;
	uf->features = config->features;
	uf->notify = config->notify;
	uf->arg = config->arg;
	uf->free = free;
	uf->handles = 1;
	uf->refs = 1;
	uf->shut = 0;
	uf->gate = 0;
	spin_lock_init(&uf->lock, LOCK_RANK_INSTANCE);
	list_init(&uf->unread);
	list_init(&uf->read);
	list_init(&uf->on_mm);
}

struct user_faults *user_faults_hold(struct user_faults *uf)
{
	/* Relaxed: the caller has one, or the lock of the list that has. */
	u32 before = atomic_add_relaxed(&uf->refs, 1);

	VM_BUG_ON(!before, "those who answer are gone");
	return uf;
}

void user_faults_drop(struct user_faults *uf)
{
	/* Pairs with itself: what any holder did comes before it is freed. */
	u32 before = atomic_sub_acq_rel(&uf->refs, 1);

	VM_BUG_ON(!before, "a reference too many was put");
	if (before == 1)
		uf->free(uf);
}

/* ------------------------------------------------------------------------------- waiting -- */

/* In the gate of a waiter. */
#define GATE_OPEN	1u

static struct user_fault_msg message(const struct fault *f, vm_flags_t mode)
{
	const struct user_faults *uf = f->user.faults;

	return (struct user_fault_msg){
		.event = USER_FAULT_EVENT_PAGE,
		.flags = (f->access == MM_ACCESS_WRITE ? USER_FAULT_FLAG_WRITE : 0) |
			 (mode == VM_UFFD_MINOR ? USER_FAULT_FLAG_MINOR : 0) |
			 (mode == VM_UFFD_WP ? USER_FAULT_FLAG_WP : 0),
		.address = f->addr + (uf->features & USER_FAULTS_EXACT ? f->offset : 0),
		.thread = uf->features & USER_FAULTS_THREAD_ID ? port_thread_id() : 0,
	};
}

/* False: it has been shut meanwhile. */
static bool enqueue(struct fault *f, struct user_faults *uf, vm_flags_t mode)
{
	struct user_wait *wait = &f->user;
	bool open;

	VM_BUG_ON(wait->faults, "a fault at %lx that waits already", f->addr);
	wait->faults = user_faults_hold(uf);
	wait->addr = f->addr;
	wait->gate = 0;
	wait->msg = message(f, mode);
	list_init(&wait->link);
	spin_lock(&uf->lock);
	open = user_faults_open(uf);
	if (open)
		list_add_tail(&wait->link, &uf->unread);
	spin_unlock(&uf->lock);
	return open;
}

void user_wait_end(struct user_wait *wait)
{
	struct user_faults *uf = wait->faults;

	if (!uf)
		return;
	spin_lock(&uf->lock);
	list_del_init(&wait->link);
	spin_unlock(&uf->lock);
	wait->faults = NULL;
	user_faults_drop(uf);
}

/* Is the answer still to come? */
static bool must_wait(const struct fault *f, vm_flags_t mode)
{
	const struct pt_format *format = f->mm->pgt->format;
	unsigned int level;
	pte_t seen = pt_look(f->mm->pgt, f->addr, &level);

	if (mode == VM_UFFD_WP)
		return pte_present(format, seen) && pte_user_wp(format, seen);
	return pte_none(seen);
}

enum mm_fault user_fault(struct fault *f, vm_flags_t mode)
{
	struct user_faults *uf = area_user_faults(f->vma);

	if (!uf)
		return FAULT_AGAIN;
	if ((uf->features & USER_FAULTS_SIGBUS) || (f->how & FAULT_FORCED))
		return MM_FAULT_BUS;
	if (enqueue(f, uf, mode) && must_wait(f, mode))
		return FAULT_RETRY;
	user_wait_end(&f->user);
	return FAULT_AGAIN;
}

static void tell(struct user_faults *uf)
{
	/* Relaxed: who looks takes the lock. */
	atomic_add_relaxed(&uf->gate, 1);
	port_wake(&uf->gate, 1);
	if (uf->notify)
		uf->notify(uf->arg);
}

enum mm_fault user_wait(struct fault *f)
{
	struct user_wait *wait = &f->user;
	struct kill_waiter waiter;
	int err = 0;

	might_sleep();
	tell(wait->faults);
	kill_group_join(&f->mm->kill, &waiter);
	while (!err) {
		/* Relaxed: what the waker did is seen by way of the lock, in user_wait_end(). */
		u32 seen = atomic_load_relaxed(&wait->gate);

		if (seen & GATE_OPEN)
			break;
		err = kill_switch_wait(&waiter.kill, &wait->gate, seen, PORT_NO_DEADLINE);
	}
	kill_group_leave(&f->mm->kill, &waiter);
	user_wait_end(wait);
	return err ? MM_FAULT_KILLED : MM_FAULT_DONE;
}

/* -------------------------------------------------------------------------------- waking -- */

static void wake_in(struct list_head *queue, unsigned long start, unsigned long end)
{
	struct user_wait *wait, *next;

	list_for_each_entry_safe(wait, next, queue, link) {
		if (wait->addr < start || wait->addr >= end)
			continue;
		list_del_init(&wait->link);
		/* Relaxed: see user_wait(). */
		atomic_or_relaxed(&wait->gate, GATE_OPEN);
		port_wake(&wait->gate, PORT_WAKE_ALL);
	}
}

void user_faults_wake_range(struct user_faults *uf, unsigned long start, unsigned long end)
{
	spin_lock(&uf->lock);
	wake_in(&uf->unread, start, end);
	wake_in(&uf->read, start, end);
	spin_unlock(&uf->lock);
}

void user_area_leaves(const struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	if (vma->user_faults)
		user_faults_wake_range(vma->user_faults, start, end);
}

void user_faults_shut(struct user_faults *uf, u32 reason)
{
	spin_lock(&uf->lock);
	if (!uf->shut)
		atomic_store_relaxed(&uf->shut, reason);
	atomic_add_relaxed(&uf->gate, 1);
	spin_unlock(&uf->lock);
	port_wake(&uf->gate, PORT_WAKE_ALL);
	user_faults_wake_range(uf, 0, ~0ul);
}

/* ------------------------------------------------------------------------------- reading -- */

/* *seen: what the gate said when there was nothing. */
static long take(struct user_faults *uf, struct user_fault_msg *msgs, size_t nr, u32 *seen)
{
	long done = 0;

	spin_lock(&uf->lock);
	while (done < (long)nr && !list_empty(&uf->unread)) {
		struct user_wait *wait = list_first_entry(&uf->unread, struct user_wait, link);

		list_move_tail(&wait->link, &uf->read);
		msgs[done++] = wait->msg;
	}
	if (!done && uf->shut)
		done = -(long)uf->shut;
	*seen = atomic_load_relaxed(&uf->gate);
	spin_unlock(&uf->lock);
	return done;
}

long user_faults_try_read(struct user_faults *uf, struct user_fault_msg *msgs, size_t nr)
{
	u32 seen;
	long done = nr ? take(uf, msgs, nr, &seen) : -EINVAL;

	return done ? done : -EAGAIN;
}

long user_faults_read(struct user_faults *uf, struct user_fault_msg *msgs, size_t nr)
{
	long done;
	u32 seen;

	if (!nr)
		return -EINVAL;
	might_sleep();
	while (!(done = take(uf, msgs, nr, &seen)))
		port_wait(&uf->gate, seen, PORT_NO_DEADLINE);
	return done;
}
