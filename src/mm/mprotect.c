/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * mprotect(): new access rights for a range.
 *
 * The range is worked through area by area, and the first area that cannot be changed ends the
 * call: what came before stays changed.  Within an area either all of the part is changed or
 * nothing, but for a split near the area limit (see vma_modify()).
 *
 *	[ rw  ][ rw  ]        [ rw ]	mprotect(R) of all: the first two are changed, -ENOMEM
 *	[ rw  ][ r-- shared, opened for reading ][ rw ]	mprotect(RW): -EACCES at the second
 *
 * What has been promised.  VM_ACCOUNT says that an area's pages count as promised memory:
 *
 *	becomes writable, private	the promise is made now, but for NORESERVE
 *	becomes read-only, anonymous, untouched		it is taken back: there is no page to keep
 *	becomes read-only, anything else		it stays, since there may be private pages
 *
 * so the areas of the last case do not merge with fresh read-only ones.
 *
 * An area whose flags already are what is asked for is left alone, even if it could merge with its
 * neighbour: areas that fork() or a flag made alike stay apart until one of them really changes.
 *
 * Entries of page tables get the new rights, but none becomes writable: which page may be written
 * to, the next write's fault decides.
 *
 * Memory for all of it is reserved before the first area is changed, including what a locked area
 * needs that becomes writable: its private pages are made at once (it is touched).  That this may
 * fail, beyond the end of a file, is nothing that mprotect() tells.
 */
#include "mm/mm.h"
#include "vma/handle.h"

#define PROT_GROWS	((unsigned long)(PROT_GROWSDOWN | PROT_GROWSUP))
#define PROT_KNOWN	((unsigned long)(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM))

/* VM_MAYREAD is VM_READ four bits up, and so for the others: see driver.h. */
#define MAY_SHIFT	4

struct protect {
	struct mm_struct *mm;
	unsigned long start, end;
	unsigned long prot;		/* without PROT_GROWS* */
	unsigned long grows;
	bool read_implies_exec;
};

/* The part of @vma that is in the range now becomes this. */
struct protect_part {
	struct vm_area_struct *vma;
	unsigned long start, end;
	vm_flags_t flags;
};

/* A private locked area that becomes writable has its pages copied then and there. */
static bool is_touched_by(vm_flags_t old, vm_flags_t new)
{
	return (old & (VM_WRITE | VM_SHARED | VM_LOCKED)) == VM_LOCKED && (new & VM_WRITE) &&
	       !(old & (VM_LOCKONFAULT | VM_IO | VM_PFNMAP));
}

/* The host's memory for all that follows. */
static int reserve(const struct protect *p)
	__must_hold(vma_stable) __may_sleep
{
	struct vm_area_struct *vma = vma_in(p->mm, p->start, p->end);
	unsigned long nr_touched = 0;
	int err = map_reserve_range(p->mm, p->start, p->end, 0);

	if (err)
		return err;
	for (; vma && vma->vm_start < p->end; vma = vma_after(vma))
		nr_touched += !vma->anon && is_touched_by(vma->vm_flags, vm_flags_of_prot(p->prot));
	return anon_reserve(p->mm, nr_touched);
}

/* What the part would be, or the reason why not. */
static int new_flags(const struct protect *p, const struct vm_area_struct *vma, vm_flags_t *out)
	__must_hold_shared(vma_stable)
{
	unsigned long prot = p->prot;
	vm_flags_t flags;

	if (p->read_implies_exec && (vma->vm_flags & VM_MAYEXEC))
		prot |= PROT_EXEC;
	flags = vm_flags_of_prot(prot) | (vma->vm_flags & ~VM_ACCESS_FLAGS);
	if (flags & ~(flags >> MAY_SHIFT) & VM_ACCESS_FLAGS)
		return -EACCES;
	*out = flags;
	return 0;
}

/* The limits and the promise of a part that becomes writable, or no longer is. */
static int settle_promise(struct protect_part *part, unsigned long *charged)
	__must_hold_shared(vma_stable)
{
	struct vm_area_struct *vma = part->vma;
	struct mm_struct *mm = vma->vm_mm;
	unsigned long nr_pages = (part->end - part->start) >> PAGE_SHIFT;
	vm_flags_t old = vma->vm_flags;

	*charged = 0;
	if (!(part->flags & VM_WRITE)) {
		if ((old & VM_ACCOUNT) && vma_is_anonymous(vma) && !vma->anon)
			part->flags &= ~VM_ACCOUNT;
		return 0;
	}
	/* A mm that is over its limit already is not told so by this call. */
	if (!mm_may_expand(mm, part->flags, nr_pages) && mm_may_expand(mm, old, nr_pages))
		return -ENOMEM;
	if (old & (VM_ACCOUNT | VM_WRITE | VM_HUGETLB | VM_SHARED | VM_NORESERVE))
		return 0;
	if (mm_commit(mm, nr_pages))
		return -ENOMEM;
	*charged = nr_pages;
	part->flags |= VM_ACCOUNT;
	return 0;
}

/* On success part->vma is the area that the part is in now, which may reach beyond it. */
static int change_part(struct mm_struct *mm, struct protect_part *part)
	__must_hold(vma_stable) __may_sleep
{
	unsigned long nr_pages = (part->end - part->start) >> PAGE_SHIFT;
	struct vma_change to = vma_as_is(part->vma);
	vm_flags_t old = part->vma->vm_flags;
	struct vm_area_struct *vma;
	unsigned long charged;
	int err;

	if (old & VM_SEALED)
		return -EPERM;
	if (part->flags == old)
		return 0;
	err = settle_promise(part, &charged);
	if (err)
		return err;
	to.flags = part->flags;
	vma = vma_modify(part->vma, part->start, part->end, &to, &err);
	if (!vma) {
		mm_uncommit(mm, charged);
		return err;
	}
	part->vma = vma;
	if ((old & VM_ACCOUNT) && !(part->flags & VM_ACCOUNT))
		mm_uncommit(mm, nr_pages);
	pages_protect(mm, part->start, part->end, part->flags);
	if (is_touched_by(old, part->flags))
		mm_touch_locked(vma, part->start, part->end, MM_ACCESS_WRITE);
	mm_account(mm, old, -(long)nr_pages);
	mm_account(mm, part->flags, (long)nr_pages);
	return 0;
}

static int ask_driver(const struct protect_part *part)
	__must_hold(vma_stable) __may_sleep
{
	struct vm_area_struct *vma = part->vma;

	if (!vma_has_op(vma, mprotect))
		return 0;
	vma_lock_write(vma);
	return vma_ops_mprotect(vma, part->start, part->end, part->flags);
}

/* From @vma on, which contains p->start, up to the first hole or refusal. */
static int change_range(const struct protect *p, struct vm_area_struct *vma)
	__must_hold(vma_stable) __may_sleep
{
	unsigned long done = p->start;

	for (; vma && vma->vm_start <= done; vma = vma_after(vma)) {
		struct protect_part part = {
			.vma = vma, .start = done, .end = min(vma->vm_end, p->end),
		};
		int err = new_flags(p, vma, &part.flags);

		if (!err)
			err = ask_driver(&part);
		if (!err)
			err = change_part(p->mm, &part);
		if (err)
			return err;
		vma = part.vma;
		done = vma->vm_end;
		if (done >= p->end)
			return 0;
	}
	return -ENOMEM;
}

/* Where the range begins: PROT_GROWSDOWN moves it down to the start of a stack. */
static int find_first(struct protect *p, struct vm_area_struct **out)
	__must_hold_shared(vma_stable)
{
	struct vm_area_struct *vma = vma_in(p->mm, p->start, p->end);

	if (!vma)
		return -ENOMEM;
	if (p->grows & PROT_GROWSDOWN) {
		if (!(vma->vm_flags & VM_GROWSDOWN))
			return -EINVAL;
		p->start = vma->vm_start;
	} else {
		if (vma->vm_start > p->start)
			return -ENOMEM;
		/* No area of this machine grows up. */
		if (p->grows & PROT_GROWSUP)
			return -EINVAL;
	}
	*out = vma;
	return 0;
}

/* 1: nothing to do, 0 or -errno.  Linux's order. */
static int check_args(struct protect *p, unsigned long len)
{
	if (p->grows == PROT_GROWS || !page_aligned(p->start))
		return -EINVAL;
	if (!len)
		return 1;
	p->end = p->start + page_align(len);
	if (p->end <= p->start)
		return -ENOMEM;
	return p->prot & ~PROT_KNOWN ? -EINVAL : 0;
}

static int protect_once(struct protect *p)
	__must_not_hold(vma_stable) __may_sleep
{
	struct vm_area_struct *vma;
	int err = mm_write_lock_killable(p->mm);

	if (err)
		return err;
	err = find_first(p, &vma);
	if (!err)
		err = reserve(p);
	if (!err)
		err = change_range(p, vma);
	anon_unreserve(p->mm);
	mm_write_unlock(p->mm);
	return err;
}

long mm_pkey_mprotect(struct mm_user *user, unsigned long addr, unsigned long len,
		      unsigned long prot, int pkey)
{
	witness_call();
	struct mm_struct *mm = mm_of(user);
	struct protect p = {
		.mm = mm, .start = addr, .prot = prot & ~PROT_GROWS, .grows = prot & PROT_GROWS,
	};
	long ret = check_args(&p, len);
	unsigned int nr_tries = 0;

	if (ret)
		return ret < 0 ? ret : 0;
	/* No key can be allocated, so none can be used. */
	if (pkey != -1)
		return -EINVAL;
	/* Relaxed: a new personality counts from the next call on. */
	p.read_implies_exec = (prot & PROT_READ) &&
			      (atomic_load_relaxed(&mm->personality) & MM_PERS_READ_IMPLIES_EXEC);
	do
		ret = protect_once(&p);
	while (mm_call_again(mm->instance, &ret, &nr_tries));
	return ret;
}

long mm_mprotect(struct mm_user *user, unsigned long addr, unsigned long len, unsigned long prot)
{
	return mm_pkey_mprotect(user, addr, len, prot, -1);
}
