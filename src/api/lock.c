/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The mmap lock and the VMA lock, as driver.h hands them out.
 *
 * The locks themselves are in vma/lock.c; here is what makes a handle of one: wait, try, give up at
 * a time or when killed.  Whoever gets the mmap lock for write by another way than mm_write_lock()
 * begins the write section with mm_write_begin().
 *
 * Being killed.  A wait that can be killed joins the mm's group first, so that mm_kill() finds it;
 * the uncontended case does not come that far.  A switch ends only waits: a lock that can be had at
 * once is given even to a dead man, as Linux does.
 */
#include "base/atomic.h"
#include "vma/handle.h"
#include "vma/lock.h"
#include "vma/map.h"

/* ------------------------------------------------------------- mmap lock */

struct mmap_read *mmap_read_lock(struct mm_user *user)
{
	struct mm_struct *mm = mm_from_user(user);

	mm_read_lock(mm);
	return handle_read(mm);
}

struct mmap_read *mmap_read_trylock(struct mm_user *user)
{
	struct mm_struct *mm = mm_from_user(user);

	return rwsem_read_trylock(&mm->mmap_lock) ? handle_read(mm) : NULL;
}

struct mmap_read *mmap_read_lock_killable(struct mm_user *user)
{
	struct mm_struct *mm = mm_from_user(user);
	struct kill_waiter waiter;
	int err;

	rwsem_may_wait(&mm->mmap_lock);
	if (rwsem_read_trylock(&mm->mmap_lock))
		return handle_read(mm);
	kill_group_join(&mm->kill, &waiter);
	err = rwsem_read_lock_killable(&mm->mmap_lock, &waiter.kill);
	kill_group_leave(&mm->kill, &waiter);
	return err ? NULL : handle_read(mm);
}

struct mmap_read *mmap_read_lock_until(struct mm_user *user, uint64_t deadline_ns)
{
	struct mm_struct *mm = mm_from_user(user);

	return rwsem_read_lock_until(&mm->mmap_lock, deadline_ns) ? NULL : handle_read(mm);
}

void mmap_read_unlock(struct mmap_read *lock)
{
	mm_read_unlock(mm_end_read(lock));
}

static struct mmap_write *begin_write(struct mm_struct *mm)
	__must_hold(vma_stable)
{
	mm_write_begin(mm);
	return handle_write(mm);
}

struct mmap_write *mmap_write_lock(struct mm_user *user)
{
	struct mm_struct *mm = mm_from_user(user);

	mm_write_lock(mm);
	return handle_write(mm);
}

struct mmap_write *mmap_write_trylock(struct mm_user *user)
{
	struct mm_struct *mm = mm_from_user(user);

	return rwsem_write_trylock(&mm->mmap_lock) ? begin_write(mm) : NULL;
}

struct mmap_write *mmap_write_lock_killable(struct mm_user *user)
{
	struct mm_struct *mm = mm_from_user(user);

	return mm_write_lock_killable(mm) ? NULL : handle_write(mm);
}

struct mmap_write *mmap_write_lock_until(struct mm_user *user, uint64_t deadline_ns)
{
	struct mm_struct *mm = mm_from_user(user);

	return rwsem_write_lock_until(&mm->mmap_lock, deadline_ns) ? NULL : begin_write(mm);
}

void mmap_write_unlock(struct mmap_write *lock)
{
	mm_write_unlock(mm_end_write(lock));
}

struct mmap_read *mmap_write_downgrade(struct mmap_write *lock)
	__context_unsafe("a token that is exclusive and then shared")
{
	struct mm_struct *mm = mm_end_write(lock);

	mm_write_downgrade(mm);
	return handle_read(mm);
}

void mm_kill(struct mm_user *user)
{
	kill_group_fire(&mm_from_user(user)->kill);
}

/* ----------------------------------------------------------- speculation */

bool mmap_lock_speculate_try_begin(struct mm_user *user, unsigned int *seq)
{
	/* Acquire pairs with the release at the end of a write section: what it wrote is seen. */
	*seq = atomic_load_acquire(&mm_from_user(user)->mm_lock_seq);
	return !(*seq & 1);
}

bool mmap_lock_speculate_retry(struct mm_user *user, unsigned int seq)
{
	/* Pairs with the fence in mm_write_begin(): who saw a write sees its number, or a later. */
	atomic_fence_acquire();
	return atomic_load_relaxed(&mm_from_user(user)->mm_lock_seq) != seq;
}

/* ----------------------------------------------------------- find a VMA */

struct vma_ref *vma_lookup(mmap_any lock, unsigned long addr)
{
	const struct mm_struct *mm = mm_from_any(lock);

	mm_assert_locked(mm);
	return handle_found(lock, vma_at(mm, addr));
}

struct vma_ref *vma_find(mmap_any lock, unsigned long addr)
{
	const struct mm_struct *mm = mm_from_any(lock);

	mm_assert_locked(mm);
	return handle_found(lock, vma_first(mm, addr));
}

struct vma_ref *lock_vma_under_rcu(struct mm_user *user, unsigned long addr)
{
	return handle_reader(vma_lock_read(mm_from_user(user), addr));
}

void vma_end_read(struct vma_ref *vma)
{
	vma_unlock_read(vma_end_ref(vma));
}

struct vma_mut *vma_start_write(struct mmap_write *lock, struct vma_ref *ref)
{
	struct vm_area_struct *vma = vma_from_ref(ref);

	section_match(lock, ref, HANDLE_FUNC);
	VM_BUG_ON(vma->vm_mm != mm_from_write(lock), "the VMA at %lx is of another mm",
		  vma->vm_start);
	vma_lock_write(vma);
	return handle_mut(lock, vma);
}
