/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Transactions between address spaces: what is sent is copied once, by the sender, to where the
 * receiver can read it.
 *
 *	struct file_desc desc = { ..., .ops = &binder_file_ops, .private_data = proc };
 *
 *	binder_pool_create(instance, &pool);
 *	binder_proc_create(pool, mm_user_mm(mm), &binder_by_insert, &proc);
 *	file_create(instance, &desc, &file);			takes over the reference to proc
 *	mm_mmap(mm, 0, 1 << 20, PROT_READ, MAP_PRIVATE, file, 0);
 *
 *	binder_send(proc, &message);				from any thread
 *
 *	if (binder_receive(proc, &delivery)) {
 *		... mm_read(mm, delivery.address, ...) ...
 *		binder_done(proc, delivery.address);
 *	}
 */
#ifndef BINDER_BINDER_H
#define BINDER_BINDER_H

#include "space.h"

struct binder_proc;

/* Their private_data is a struct binder_proc: release() puts it. */
extern const struct file_operations binder_file_ops;

/* One reference.  @ops: how its pages are shown.  0; -ENOMEM. */
int binder_proc_create(struct binder_pool *pool, struct mm_struct *mm,
		       const struct binder_range_ops *ops, struct binder_proc **out)
	__may_sleep __must_check;
struct binder_proc *binder_proc_get(struct binder_proc *proc);
void binder_proc_put(struct binder_proc *proc)		__may_sleep;

struct binder_message {
	const void *data;
	size_t bytes;
	bool oneway, clear;
	long sender;
};

struct binder_delivery {
	unsigned long address;		/* in the receiver's mm */
	size_t bytes;
	long sender;
	bool spam;			/* the sender floods */
};

/* 0; -ESRCH: nobody is there, any more or yet; or what binder_space_alloc() says. */
int binder_send(struct binder_proc *target, const struct binder_message *message)
	__must_not_hold(vma_stable) __may_sleep __must_check;
/* The oldest that is waiting.  False: none. */
bool binder_receive(struct binder_proc *proc, struct binder_delivery *out);
/* The receiver has read it.  0; -EINVAL: nothing was delivered to there. */
int binder_done(struct binder_proc *proc, unsigned long address);

/* For tests. */
struct binder_range *binder_proc_range(struct binder_proc *proc);
struct binder_space *binder_proc_space(struct binder_proc *proc);

#endif
