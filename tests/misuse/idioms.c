/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Correct code in many shapes: no checker may complain of any of it.
 */
#include "misuse.h"

/* goto out */
int goto_out(struct mm_user *mm) __may_sleep;
int goto_out(struct mm_user *mm)
{
	struct mmap_read *lock = mmap_read_lock(mm);
	struct vma_ref *vma;
	int err = -ENOENT;

	vma = vma_lookup(lock, MIXED);
	if (!vma)
		goto out;
	if (vma_flags(vma) & VM_IO) {
		err = -EINVAL;
		goto out;
	}
	sink = vma_start(vma);
	err = 0;
out:
	mmap_read_unlock(lock);
	return err;
}

/* A test for NULL after the unlock: only the pointer's value is looked at. */
int test_after_unlock(struct mm_user *mm) __may_sleep;
int test_after_unlock(struct mm_user *mm)
{
	struct mmap_read *lock = mmap_read_lock(mm);
	struct vma_ref *vma = vma_lookup(lock, MIXED);

	if (vma)
		sink = vma_start(vma);
	mmap_read_unlock(lock);
	return vma ? 0 : -ENOENT;
}

/* A loop that locks anew each time. */
int loop(struct mm_user *mm, int n) __may_sleep;
int loop(struct mm_user *mm, int n)
{
	int found = 0;

	for (int i = 0; i < n; i++) {
		struct mmap_read *lock = mmap_read_lock(mm);
		struct vma_ref *vma = vma_lookup(lock, MIXED + (unsigned long)i * PAGE_SIZE);

		if (!vma) {
			mmap_read_unlock(lock);
			continue;
		}
		found += vma_start(vma) == MIXED;
		mmap_read_unlock(lock);
		if (found > 3)
			break;
	}
	return found;
}

/* Many lookups in one section. */
unsigned long walk(struct mm_user *mm) __may_sleep;
unsigned long walk(struct mm_user *mm)
{
	CLASS(mmap_read, lock)(mm);
	unsigned long sum = 0, addr = 0;
	struct vma_ref *vma;

	while ((vma = vma_find(lock, addr))) {
		sum += vma_end(vma) - vma_start(vma);
		addr = vma_end(vma);
	}
	return sum;
}

/* Try, then wait. */
unsigned long retry(struct mm_user *mm) __may_sleep;
unsigned long retry(struct mm_user *mm)
{
	struct mmap_read *lock = mmap_read_trylock(mm);
	struct vma_ref *vma;
	unsigned long start = 0;

	if (!lock)
		lock = mmap_read_lock(mm);
	vma = vma_lookup(lock, MIXED);
	if (vma)
		start = vma_start(vma);
	mmap_read_unlock(lock);
	return start;
}

/* Killed while it waited. */
int killable(struct mm_user *mm) __may_sleep;
int killable(struct mm_user *mm)
{
	struct mmap_write *lock = mmap_write_lock_killable(mm);

	if (!lock)
		return -EINTR;
	mmap_write_unlock(lock);
	return 0;
}

/* Change, downgrade, look up again, read. */
int downgrade(struct mm_user *mm) __may_sleep;
int downgrade(struct mm_user *mm)
{
	struct mmap_write *w = mmap_write_lock(mm);
	struct vma_ref *vma = vma_lookup(w, PLAIN);
	struct mmap_read *r;
	int err;

	if (!vma) {
		mmap_write_unlock(w);
		return -ENOENT;
	}
	err = vma_set_anon_name(vma_start_write(w, vma), "x");
	r = mmap_write_downgrade(w);
	vma = vma_lookup(r, PLAIN);
	if (vma)
		sink = vma_end(vma);
	mmap_read_unlock(r);
	return err;
}

/* Either lock, and the unlock that belongs to it. */
int either(struct mm_user *mm) __may_sleep;
int either(struct mm_user *mm)
{
	struct vma_ref *vma = lock_vma_under_rcu(mm, MIXED);
	struct mmap_read *lock = NULL;

	if (!vma) {
		lock = mmap_read_lock(mm);
		vma = vma_lookup(lock, MIXED);
	}
	if (vma)
		sink = vma_start(vma);
	if (lock)
		mmap_read_unlock(lock);
	else
		vma_end_read(vma);
	return 0;
}

/* A function that takes a lock for its caller, and one that gives it back. */
static struct mmap_read *begin(struct mm_user *mm)
	__must_not_hold(vma_stable) __acquires_shared(vma_stable) __may_sleep __must_check;
static struct mmap_read *begin(struct mm_user *mm)
{
	sink++;
	return mmap_read_lock(mm);
}

static void finish(struct mmap_read *lock) __releases_shared(vma_stable)
{
	sink--;
	mmap_read_unlock(lock);
}

void begin_finish(struct mm_user *mm) __may_sleep;
void begin_finish(struct mm_user *mm)
{
	struct mmap_read *lock = begin(mm);
	struct vma_ref *vma = vma_lookup(lock, MIXED);

	if (vma)
		sink = vma_start(vma);
	finish(lock);
}

/* A lookup that hands on VMA and lock, or neither. */
static struct vma_ref *find_and_lock(struct mm_user *mm, unsigned long addr)
	__cond_acquires_shared(nonnull, vma_stable)
{
	struct vma_ref *vma = lock_vma_under_rcu(mm, addr);

	if (!vma)
		return NULL;
	if (vma_flags(vma) & VM_IO) {
		vma_end_read(vma);
		return NULL;
	}
	return vma;
}

void use_find_and_lock(struct mm_user *mm);
void use_find_and_lock(struct mm_user *mm)
{
	struct vma_ref *vma = find_and_lock(mm, MIXED);

	if (!vma)
		return;
	sink = vma_start(vma);
	vma_end_read(vma);
}

/* All the types that are at least a vma_ref. */
unsigned long upcasts(struct vma_ref *r, struct vma_mixedmap *x, struct vma_mut *w,
		      const struct vma_ref *c)
	__must_hold_shared(vma_stable);
unsigned long upcasts(struct vma_ref *r, struct vma_mixedmap *x, struct vma_mut *w,
		      const struct vma_ref *c)
{
	return vma_start(r) + vma_start(x) + vma_start(w) + vma_start(c);
}

/* A page that goes into a struct. */
struct holder {
	struct page *page;
};

int hand_over(struct holder *h) __may_sleep;
int hand_over(struct holder *h)
{
	struct page *page __free(free_page) = alloc_page(instance);

	if (!page)
		return -ENOMEM;
	if (h->page)
		return -EBUSY;
	h->page = no_free_ptr(page);
	return 0;
}

/* A page for an address that was remembered: the owner is part of the question. */
int fill(struct mm_struct *m, const struct vm_operations_struct *ops, void *range) __may_sleep;
int fill(struct mm_struct *m, const struct vm_operations_struct *ops, void *range)
{
	struct mm_user *mm __free(mmput) = mmget_not_zero(m);
	struct vma_mixedmap *mixed;
	struct vma_ref *vma;

	if (!mm)
		return -ENOENT;
	CLASS(mmap_read, lock)(mm);
	vma = vma_lookup(lock, MIXED);
	if (!vma)
		return -ENOENT;
	mixed = vma_as_owned_mixedmap(vma, ops, range);
	if (!mixed)
		return -ENOENT;
	return vm_insert_page(mixed, MIXED, a_page);
}

/* Spinlocks, nested, and sleeping after them. */
void nested(struct mm_user *mm) __may_sleep;
void nested(struct mm_user *mm)
{
	struct mmap_read *lock;

	spin_lock(&lock_a);
	spin_lock(&lock_b);
	spin_unlock(&lock_b);
	spin_unlock(&lock_a);
	lock = mmap_read_lock(mm);
	spin_lock(&lock_a);
	sink++;
	spin_unlock(&lock_a);
	mmap_read_unlock(lock);
}

/*
 * A reclaimer comes from the inner lock and tries the outer one.  The analysis follows that from
 * clang 21 on, where contexts nest.
 */
#if defined(CONTEXT_ANALYSIS_REENTRANT) || !defined(WARN_CONTEXT_ANALYSIS)
void reclaim(struct mm_user *mm) __must_hold_shared(vma_stable);
void reclaim(struct mm_user *mm)
{
	struct mmap_read *lock = mmap_read_trylock(mm);

	if (!lock)
		return;
	sink++;
	mmap_read_unlock(lock);
}
#endif

/* Puts that are allowed where sleeping is not. */
void put_in_atomic(struct mm_struct *m);
void put_in_atomic(struct mm_struct *m)
{
	struct mm_user *mm = mmget_not_zero(m);

	spin_lock(&lock_a);
	if (mm)
		mmput_async(mm);
	spin_unlock(&lock_a);
}

/* Look without a lock, and believe it only if nothing changed. */
unsigned long speculate(struct mm_user *mm);
unsigned long speculate(struct mm_user *mm)
{
	unsigned int seq;

	if (!mmap_lock_speculate_try_begin(mm, &seq))
		return 0;
	sink++;
	return mmap_lock_speculate_retry(mm, seq) ? 0 : sink;
}

/* Everything that a hook may do. */
int hook(struct file *file, struct vma_new *vma) __in_mmap_hook;
int hook(struct file *file, struct vma_new *vma)
{
	struct vma_mixedmap *mixed;

	if (vma_flags(vma) & VM_SHARED)
		return -EINVAL;
	vm_flags_set(vma, VM_IO | VM_DONTEXPAND | VM_DONTCOPY | VM_DONTDUMP);
	mixed = vma_set_mixedmap(vma);
	sink = vma_end(mixed) - vma_start(vma);
	vma_set_owner(vma, NULL, file);
	if (vma_try_clear_mayread(vma))
		sink = 0;
	return vma_try_clear_mayexec(vma);
}
