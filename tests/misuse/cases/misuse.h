/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Every file beside this one is one misuse of the handles, and with -DFIXED the same code without
 * it.  A file's first lines say which checker must reject it and with which words (run.py reads
 * them):
 *
 *	 * gcc		text that the diagnostic contains
 *
 * Nothing here is ever run.  The locks below are a driver's own, as a driver would declare them.
 */
#ifndef MISUSE_H
#define MISUSE_H

#include <errno.h>
#include <stddef.h>

#include <vmarea/driver_fault.h>
#include <vmarea/vmarea.h>

#define PAGE_SIZE	4096ul
#define MIXED		0x400000ul	/* a VMA with VM_MIXEDMAP */
#define PLAIN		0x800000ul	/* one without */
#define NOWHERE		0x1000ul

context_lock_struct(spinlock) { unsigned int word; };
typedef struct spinlock spinlock_t;

void spin_lock_init(spinlock_t *lock)		__assumes_ctx_lock(lock);
void spin_lock(spinlock_t *lock)		__acquires(lock) __enters_atomic;
void spin_unlock(spinlock_t *lock)		__releases(lock) __leaves_atomic;
void rcu_read_lock(void)			__enters_atomic;
void rcu_read_unlock(void)			__leaves_atomic;

extern volatile unsigned long sink;	/* where results go */
extern volatile int one;
extern spinlock_t lock_a, lock_b;
extern struct page *a_page;
extern struct file *a_file;
extern struct vmarea *instance;

void hand_away(void *p);		/* somebody else's now, as far as anyone can see */

#define __maybe_unused	__attribute__((unused))

void misuse(struct mm_struct *m, struct mm_user *mm) __may_sleep;
#define MISUSE									\
	void misuse(struct mm_struct *m __maybe_unused, struct mm_user *mm __maybe_unused)

/* For mmap() hooks. */
typedef int hook_fn(struct file *file, struct vma_new *vma);
void run_hook(struct mm_struct *m, hook_fn *hook, vm_flags_t flags) __may_sleep;
#define HOOK									\
	static int hook(struct file *file __maybe_unused, struct vma_new *vma) __in_mmap_hook

#endif
