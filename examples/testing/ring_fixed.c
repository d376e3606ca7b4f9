/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "ring.h"

#include <errno.h>

static void ring_put(struct ring *ring)
{
	if (atomic_fetch_sub(&ring->users, 1) == 1)
		__free_page(ring->page);
}

/* ---- hooks: the mmap lock is held for write */

static void ring_vma_open(struct vma_mut *vma)	__must_hold(vma_stable);
static void ring_vma_close(struct vma_mut *vma)	__must_hold(vma_stable);
static int ring_mmap(struct file *file, struct vma_new *vma)	__in_mmap_hook __may_sleep;

/* fork() has made a copy. */
static void ring_vma_open(struct vma_mut *vma)
{
	struct ring *ring = vma_private_data(vma);

	atomic_fetch_add(&ring->users, 1);
}

static void ring_vma_close(struct vma_mut *vma)
{
	ring_put(vma_private_data(vma));
}

static const struct vm_operations_struct ring_vm_ops = {
	.open = ring_vma_open, .close = ring_vma_close,
};

static int ring_set_up(struct ring *ring, struct mm_struct *mm, unsigned long addr) __may_sleep
{
	if (ring->mm)
		return -EBUSY;
	ring->page = alloc_page(ring->machine);
	if (!ring->page)
		return -ENOMEM;
	mmgrab(mm);
	ring->mm = mm;
	ring->addr = addr;
	atomic_store(&ring->users, 1);
	return 0;
}

static int ring_mmap(struct file *file, struct vma_new *vma)
{
	struct ring *ring = file_private_data(file);
	int err;

	if (vma_end(vma) - vma_start(vma) != RING_BYTES)
		return -EINVAL;
	pthread_mutex_lock(&ring->lock);
	err = ring_set_up(ring, mm_user_mm(vma_mm(vma)), vma_start(vma));
	pthread_mutex_unlock(&ring->lock);
	if (!err)
		vma_set_owner(vma, &ring_vm_ops, ring);
	return err;
}

static void ring_release(struct file *file)
{
	struct ring *ring = file_private_data(file);

	if (ring->mm)
		mmdrop(ring->mm);
}

const struct file_operations ring_fops = {
	.owner = "ring", .mmap = ring_mmap, .release = ring_release,
};

/* ---- sending */

/* Is it still our VMA there?  Then the page is, for as long as @vma is stable. */
static bool ring_get(struct ring *ring, struct vma_ref *vma)	__must_hold_shared(vma_stable)
{
	if (!vma_is_owner(vma, &ring_vm_ops, ring))
		return false;
	atomic_fetch_add(&ring->users, 1);
	return true;
}

static bool ring_find(struct ring *ring, struct mm_user *mm, unsigned long addr) __may_sleep
{
	struct vma_ref *vma = lock_vma_under_rcu(mm, addr);
	bool found;

	if (vma) {
		found = ring_get(ring, vma);
		vma_end_read(vma);
	} else {
		struct mmap_read *lock = mmap_read_lock(mm);

		vma = vma_lookup(lock, addr);
		found = vma && ring_get(ring, vma);
		mmap_read_unlock(lock);
	}
	return found;
}

/* Who sends at the same time writes into different slots. */
static void ring_write(struct ring *ring, unsigned long number)
{
	unsigned long *slots = page_address(ring->page);

	pthread_mutex_lock(&ring->lock);
	slots[ring->sent++ % RING_SLOTS] = number;
	pthread_mutex_unlock(&ring->lock);
}

int ring_send(struct ring *ring, unsigned long number) __may_sleep
{
	struct mm_user *mm = NULL;
	unsigned long addr;
	bool found;

	pthread_mutex_lock(&ring->lock);
	addr = ring->addr;
	if (ring->mm)
		mm = mmget_not_zero(ring->mm);
	pthread_mutex_unlock(&ring->lock);
	if (!mm)
		return -ENOTCONN;
	found = ring_find(ring, mm, addr);
	mmput_async(mm);
	if (!found)
		return -EPIPE;
	ring_write(ring, number);
	ring_put(ring);
	return 0;
}
