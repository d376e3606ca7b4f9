/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Swap areas: how they come, and how they go.
 *
 *	swapon --> open --close--> no slot is taken any more --nobody uses one--> removed
 *	                  <--reopen--
 *
 * An area is found by its place in the space's array, in an RCU read section, or by who uses one of
 * its slots: as long as one is used it stays.
 */
#include "swap/swap.h"

/* A swapoff that finds nothing to bring in, but slots in use, looks again after that time. */
#define WAIT_NS		5000000ull

int swap_space_create(struct vmarea *instance)
	__context_unsafe("nobody else knows it yet")
{
	struct swap_space *space = port_alloc(sizeof(*space));

	if (!space)
		return -ENOMEM;
	spin_lock_init(&space->lock, LOCK_RANK_SWAP);
	space->arena = instance->arena;
	space->frames = arena_frames(instance->arena);
	instance->swap = space;
	return 0;
}

static size_t area_bytes(u64 nr_slots)
{
	return sizeof(struct swap_area) + nr_slots * sizeof(struct swap_slot) +
	       DIV_ROUND_UP(nr_slots, SWAP_GROUP) * sizeof(u16);
}

static void area_free(struct swap_area *area) __may_sleep
{
	if (area->ops->release)
		area->ops->release(area->private_data);
	port_free(area, area_bytes(area->nr_slots));
}

void swap_space_destroy(struct vmarea *instance)
	__context_unsafe("nobody else is left")
{
	struct swap_space *space = instance->swap;

	for (unsigned int i = 0; i < VMAREA_SWAP_AREAS; i++) {
		struct swap_area *area = space->areas[i];

		if (!area)
			continue;
		VM_BUG_ON(area->nr_used, "swap area %s: %u slots are in use", area->name,
			  area->nr_used);
		area_free(area);
	}
	port_free(space, sizeof(*space));
	instance->swap = NULL;
}

/* ---------------------------------------------------------------------------- swapon -- */

static struct swap_area *area_create(const struct swap_desc *desc) __may_sleep
{
	struct swap_area *area = port_alloc(area_bytes(desc->nr_slots));

	if (!area)
		return NULL;
	area->ops = desc->ops;
	area->private_data = desc->private_data;
	area->nr_slots = (u32)desc->nr_slots;
	area->priority = desc->priority;
	area->groups = (u16 *)(area->slots + desc->nr_slots);
	area->open = true;
	for (size_t i = 0; desc->name[i] && i < sizeof(area->name) - 1; i++)
		area->name[i] = desc->name[i];
	return area;
}

static int publish(struct swap_space *space, struct swap_area *area, unsigned int *id)
{
	int err = -EPERM;

	spin_lock(&space->lock);
	for (unsigned int i = 0; i < VMAREA_SWAP_AREAS; i++) {
		if (space->areas[i])
			continue;
		/* Pairs with swap_slot(). */
		atomic_store_release(&space->areas[i], area);
		*id = i;
		err = 0;
		break;
	}
	spin_unlock(&space->lock);
	return err;
}

int vmarea_swapon(struct vmarea *instance, const struct swap_desc *desc, unsigned int *id)
{
	witness_call();
	struct swap_area *area;
	int err;

	if (desc->size != sizeof(*desc) || !desc->ops || !desc->ops->read_page ||
	    !desc->ops->write_page || !desc->name || !desc->nr_slots ||
	    desc->nr_slots > UINT32_MAX)
		return -EINVAL;
	if (!instance->swap)
		return -EOPNOTSUPP;
	might_sleep();
	area = area_create(desc);
	if (!area)
		return -ENOMEM;
	err = publish(instance->swap, area, id);
	if (err)
		port_free(area, area_bytes(area->nr_slots));
	return err;
}

int vmarea_swap_info(struct vmarea *instance, unsigned int id, struct swap_info *info)
{
	const struct swap_area *area = NULL;

	rcu_read_lock();
	if (instance->swap && id < VMAREA_SWAP_AREAS)
		/* Pairs with publish(). */
		area = atomic_load_acquire(&instance->swap->areas[id]);
	if (area) {
		*info = (struct swap_info){
			.nr_slots = area->nr_slots, .priority = area->priority,
			.nr_used = atomic_load_relaxed(&area->nr_used),
			.nr_reads = atomic_load_relaxed(&area->nr_reads),
			.nr_writes = atomic_load_relaxed(&area->nr_writes),
			.nr_errors = atomic_load_relaxed(&area->nr_errors),
		};
		for (size_t i = 0; i < sizeof(info->name); i++)
			info->name[i] = area->name[i];
	}
	rcu_read_unlock();
	return area ? 0 : -ENOENT;
}

/* --------------------------------------------------------------------------- swapoff -- */

int swap_area_close(struct swap_space *space, unsigned int id)
{
	struct swap_area *area;
	int err = -EINVAL;

	if (id >= VMAREA_SWAP_AREAS)
		return -EINVAL;
	spin_lock(&space->lock);
	area = space->areas[id];
	if (area) {
		err = atomic_load_relaxed(&area->open) ? 0 : -EBUSY;
		atomic_store_relaxed(&area->open, false);
	}
	spin_unlock(&space->lock);
	return err;
}

void swap_area_reopen(struct swap_space *space, unsigned int id)
{
	spin_lock(&space->lock);
	atomic_store_relaxed(&space->areas[id]->open, true);
	spin_unlock(&space->lock);
}

/* Acquire-free: that the last user is gone is seen under the lock before the area is. */
bool swap_area_is_used(struct swap_space *space, unsigned int id)
{
	return atomic_load_relaxed(&space->areas[id]->nr_used);
}

u32 swap_area_nr_freed(struct swap_space *space, unsigned int id)
{
	return atomic_load_relaxed(&space->areas[id]->nr_freed);
}

void swap_area_wait_freed(struct swap_space *space, unsigned int id, u32 seen)
{
	might_sleep();
	port_wait(&space->areas[id]->nr_freed, seen, port_now_ns() + WAIT_NS);
}

void swap_area_remove(struct swap_space *space, unsigned int id)
{
	struct swap_area *area;

	spin_lock(&space->lock);
	area = space->areas[id];
	VM_BUG_ON(atomic_load_relaxed(&area->nr_used), "swap area %s: %u slots are in use",
		  area->name, area->nr_used);
	atomic_store_relaxed(&space->areas[id], NULL);
	spin_unlock(&space->lock);
	/* Those who look for a page without a lock. */
	port_synchronize_rcu();
	area_free(area);
}

bool swap_has_room(const struct swap_space *space)
{
	bool room = false;

	rcu_read_lock();
	for (unsigned int id = 0; id < VMAREA_SWAP_AREAS && !room; id++) {
		/* Pairs with publish(). */
		const struct swap_area *area = atomic_load_acquire(&space->areas[id]);

		room = area && atomic_load_relaxed(&area->open) &&
		       atomic_load_relaxed(&area->nr_used) < area->nr_slots;
	}
	rcu_read_unlock();
	return room;
}
