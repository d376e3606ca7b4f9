/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The machine that mms live on: limits, the count of promised pages, and the pool of VMA memory.
 *
 * There are no globals in the library: what two mms share, they share through this.
 *
 * What guards a field: 1 written once at creation; a atomic; i has its own lock; else the lock's
 * name.
 */
#ifndef INSTANCE_INSTANCE_H
#define INSTANCE_INSTANCE_H

#include <vmarea/vmarea.h>

#include "base/compiler.h"
#include "sync/spinlock.h"

struct vm_area_struct;
struct vma_slab;

struct vmarea {
	struct vmarea_config config;		/* 1 */
	long committed;				/* a	pages promised; relaxed: a count to check */
	long huge_free[2];			/* a	2 MiB, 1 GiB pages not reserved; relaxed */
	u32 nr_objects;				/* a	mms and files alive: 0 at destroy */
	u64 next_inode;				/* a	for shared anonymous objects; relaxed */

	struct spinlock pool_lock;		/* i */
	struct port_fork_guard fork_guard;	/* 1	keeps pool_lock free in forked children */
	struct vm_area_struct *pool __guarded_by(&pool_lock); /* pool_lock	see vma/pool.c */
	struct vma_slab *slabs __guarded_by(&pool_lock); /* pool_lock */
};

static inline bool has_feature(const struct vmarea *instance, unsigned int feature)
{
	return instance->config.features & feature;
}

#endif
