/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * An instance's pool of VMA memory, which stays VMA memory for as long as the instance is: a reader
 * may come late.
 */
#ifndef VMA_INSTANCE_H
#define VMA_INSTANCE_H

#include "instance/instance.h"
#include "vma/types.h"

/* About a page: 29 areas are what a small process has. */
#define SLAB_VMAS	29

struct vma_slab {
	struct vma_slab *next;			/* pool_lock */
	struct vm_area_struct vma[SLAB_VMAS];	/* i	each for itself */
};

/*
 * At the beginning and the end of an instance; the second when no mm and no reader is left.  The
 * rolls are the caller's.
 */
void vma_pool_init(struct vmarea *instance) __may_sleep;
void vma_pool_destroy(struct vmarea *instance) __may_sleep;

/* A VMA's memory, detached (vm_refcnt 0); NULL: no memory. */
struct vm_area_struct *vma_pool_alloc(struct vmarea *instance) __may_sleep;
void vma_pool_free(struct vmarea *instance, struct vm_area_struct *vma);

#endif
