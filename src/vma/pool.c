/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Memory for VMAs that stays memory for VMAs: type-stable.
 *
 * A reader without a lock may hold a pointer to a VMA that was removed a moment ago, look at its
 * vm_refcnt and vm_lock_seq, and turn away.  So what once was a VMA is never anything else while
 * the instance lives, and those two fields always make sense in it.  Slabs are therefore given
 * back only when the instance is destroyed.
 *
 * The pool's lock, and those of the rolls and of the shrinkers, are what address spaces of an
 * instance share.  Another thread may have one at the moment the host forks, and would never give
 * it back in the child: a fork waits for it.
 */
#include "port/port.h"
#include "vma/guard.h"
#include "vma/instance.h"

static struct vm_area_struct *pool_pop(struct vmarea *instance)
{
	struct vm_area_struct *vma;

	spin_lock(&instance->pool_lock);
	vma = instance->pool;
	if (vma)
		instance->pool = vma->next_free;
	spin_unlock(&instance->pool_lock);
	return vma;
}

/* The first VMA of a new slab is the caller's, the others go to the pool. */
static struct vm_area_struct *pool_grow(struct vmarea *instance) __may_sleep
{
	struct vma_slab *slab;

	might_sleep();
	slab = port_alloc(sizeof(*slab));
	if (!slab)
		return NULL;
	for (int i = 1; i < SLAB_VMAS - 1; i++)
		vma_init(&slab->vma[i], next_free, &slab->vma[i + 1]);
	spin_lock(&instance->pool_lock);
	slab->next = instance->slabs;
	instance->slabs = slab;
	vma_set_next(&slab->vma[SLAB_VMAS - 1], &instance->pool_lock, instance->pool);
	instance->pool = &slab->vma[1];
	spin_unlock(&instance->pool_lock);
	return &slab->vma[0];
}

struct vm_area_struct *vma_pool_alloc(struct vmarea *instance)
{
	struct vm_area_struct *vma = pool_pop(instance);

	return vma ? vma : pool_grow(instance);
}

void vma_pool_free(struct vmarea *instance, struct vm_area_struct *vma)
{
	spin_lock(&instance->pool_lock);
	vma_set_next(vma, &instance->pool_lock, instance->pool);
	instance->pool = vma;
	spin_unlock(&instance->pool_lock);
}

static void hold_locks(struct port_fork_guard *guard)
{
	struct vmarea *instance = container_of(guard, struct vmarea, fork_guard);

	spin_hold_over_fork(&instance->pool_lock);
	for (unsigned int i = 0; i < INSTANCE_ROLLS; i++)
		spin_hold_over_fork(&instance->rolls[i].lock);
	spin_hold_over_fork(&instance->shrinker_lock);
}

static void let_go_locks(struct port_fork_guard *guard)
{
	struct vmarea *instance = container_of(guard, struct vmarea, fork_guard);

	spin_let_go_after_fork(&instance->shrinker_lock);
	for (unsigned int i = 0; i < INSTANCE_ROLLS; i++)
		spin_let_go_after_fork(&instance->rolls[i].lock);
	spin_let_go_after_fork(&instance->pool_lock);
}

void vma_pool_init(struct vmarea *instance)
{
	spin_lock_init(&instance->pool_lock, LOCK_RANK_ARENA);
	instance->fork_guard.hold = hold_locks;
	instance->fork_guard.let_go = let_go_locks;
	port_fork_guard_add(&instance->fork_guard);
}

void vma_pool_destroy(struct vmarea *instance)
	__context_unsafe("nobody else is left")
{
	struct vma_slab *slab = instance->slabs;

	port_fork_guard_del(&instance->fork_guard);
	while (slab) {
		struct vma_slab *next = slab->next;

		port_free(slab, sizeof(*slab));
		slab = next;
	}
	instance->slabs = NULL;
	instance->pool = NULL;
}
