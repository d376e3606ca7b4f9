/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Faults that the embedder answers.  The essay is in user.c; who is registered where, and the calls
 * that embedders make, are in mm/user_fault.c.
 */
#ifndef FAULT_USER_H
#define FAULT_USER_H

#include <vmarea/user_fault.h>

#include "fault/fault.h"

/* What guards a field: src/TAGS.  Written once is before it is put on its mm's list. */
struct user_faults {
	struct mm_struct *mm;			/* 1	an mm_count */
	unsigned int features;			/* 1 */
	void (*notify)(void *arg);		/* 1 */
	void *arg;				/* 1 */
	void (*free)(struct user_faults *uf);	/* 1 */
	u32 handles;				/* a	the embedder's */
	u32 refs;				/* a	all handles, who waits, mm->faults_list */
	u32 shut;				/* a	0; or why there are no more messages */
	u32 gate;				/* a	of readers: counted up with each message */
	struct spinlock lock;			/* i	rank: instance */
	struct list_head unread __guarded_by(&lock); /* lock	user_wait.link */
	struct list_head read __guarded_by(&lock); /* lock	the same, after that */
	struct list_head on_mm;			/* list->lock	mm->faults_list */
};

/* Not closed: areas that could not be unregistered, for want of memory, are as if they were. */
static inline bool user_faults_open(const struct user_faults *uf)
{
	/* Relaxed: who must see it is woken afterwards, under the lock. */
	return !atomic_load_relaxed(&uf->shut);
}

/* With whom the area is registered, or NULL. */
static inline struct user_faults *area_user_faults(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	return vma->user_faults && user_faults_open(vma->user_faults) ? vma->user_faults : NULL;
}

/* Do faults of @mode, a VM_UFFD_*, go to somebody? */
static inline bool user_wants(const struct vm_area_struct *vma, vm_flags_t mode)
	__must_hold_shared(vma_stable)
{
	return unlikely(vma->vm_flags & mode) && area_user_faults(vma);
}

/* ---- the fault's side */

/* Whose a fault is where there is no entry: a mode, or 0.  For user_wants(). */
vm_flags_t user_mode_of(const struct fault *f)	__must_hold_shared(vma_stable);

/*
 * The fault is @mode's, for which user_wants().  FAULT_RETRY: f->user is on the queue, fault_wait()
 * without the locks; FAULT_AGAIN: somebody was faster; MM_FAULT_BUS: this one cannot wait.
 */
enum mm_fault user_fault(struct fault *f, vm_flags_t mode)
	__must_hold_shared(vma_stable) __must_check;
/* Until it is woken: MM_FAULT_DONE, or MM_FAULT_KILLED. */
enum mm_fault user_wait(struct fault *f)	__must_not_hold(vma_stable) __may_sleep;
/* Off the queue. */
void user_wait_end(struct user_wait *wait);

/* ---- the other side */

/* With one reference.  @free: the last one has gone; the mm's struct is still there. */
void user_faults_init(struct user_faults *uf, struct mm_struct *mm,
		      const struct user_faults_config *config,
		      void (*free)(struct user_faults *uf));
struct user_faults *user_faults_hold(struct user_faults *uf);
void user_faults_drop(struct user_faults *uf);

/* There will be no more messages, because of @reason, an errno; who waits goes on. */
void user_faults_shut(struct user_faults *uf, u32 reason);

/* Who waits for a page of [start, end) goes on. */
void user_faults_wake_range(struct user_faults *uf, unsigned long start, unsigned long end);
/* Its pages of [start, end) are about to be nobody's: the area goes, or is registered no more. */
void user_area_leaves(const struct vm_area_struct *vma, unsigned long start, unsigned long end)
	__must_hold(vma_stable);

/* ---- user_fill.c */

enum user_fill_kind {
	USER_FILL_COPY, USER_FILL_ZERO, USER_FILL_CONTINUE, USER_FILL_POISON,
};

/* Pages that are being put there. */
struct user_fill {
	struct mm_struct *mm;
	unsigned long addr, end;		/* what is left */
	const char *from;			/* USER_FILL_COPY */
	enum user_fill_kind kind;
	bool protect;				/* writes are asked for */
	struct page *page;			/* for the next, with a reference, or NULL */
};

/* The page at fill->addr: 0 or -errno; -ENOFRAME. */
int user_fill_page(struct user_fill *fill)	__must_not_hold(vma_stable) __may_sleep;

#endif
