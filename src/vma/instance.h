/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The machine that mms live on: limits, the count of promised pages, and the pool of VMA memory,
 * which stays VMA memory for as long as the instance is (a reader may come late).
 */
#ifndef VMA_INSTANCE_H
#define VMA_INSTANCE_H

#include "vma/types.h"

struct vma_slab;

struct vmarea {
	struct vmarea_config config;		/* 1 */
	long committed;				/* a	pages promised; relaxed, a statistic that is checked */
	long huge_free[2];			/* a	2 MiB, 1 GiB pages not reserved */
	struct spinlock pool_lock;		/* i */
	struct vm_area_struct *pool;		/* pool_lock */
	struct vma_slab *slabs;			/* pool_lock */
	u32 nr_objects;				/* a	mms and files alive: 0 at destroy */
	u64 next_inode;				/* a	for shared anonymous objects */
};

static inline bool has_feature(const struct vmarea *instance, unsigned int feature)
{
	return instance->config.features & feature;
}

/* A VMA's memory, detached (vm_refcnt 0); NULL: no memory. */
struct vm_area_struct *vma_pool_alloc(struct vmarea *instance) __may_sleep;
void vma_pool_free(struct vmarea *instance, struct vm_area_struct *vma);
void vma_pool_destroy(struct vmarea *instance);

#endif
