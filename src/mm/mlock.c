/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * mlock() and its kind, and populating: which areas keep their pages in memory, how many pages
 * that may be, and touching a range as MAP_POPULATE, mlock() and a locked area that grows do.
 *
 * A call has two halves, as in Linux:
 *
 *	write section	VM_LOCKED and VM_LOCKONFAULT on the range, up to the first error; what came
 *			before it stays changed (a hole: -ENOMEM)
 *	read section	the range is touched; mlock() reports what stopped it, all others do not
 *
 * Counting.  mm->locked_vm has each page of a VM_LOCKED area once.  Against RLIMIT_MEMLOCK counts
 * what would be locked if nothing of the range were, and only if that is too much the pages of the
 * range that are locked already are taken off: so a lock that is asked for again is never too much.
 *
 * Areas that cannot be locked (VM_SPECIAL, huge pages, MAP_DROPPABLE, DAX) are passed over: they
 * are no error, keep their flags and do not count.
 *
 * Touching.  What a page fault would leave behind in an area is its anon_vma: a private writable
 * area is written to, all others are read (touch.c says which reads leave one, too).  mlock() lays
 * in the anon_vmas that it may need before it changes anything, so that it either fails with
 * nothing changed or has the memory.  (Another thread's faults may take them between the two
 * halves; then the call may say -EAGAIN, as Linux does for want of memory in the second half.)
 */
#include "mm/mm.h"

/* ---------------------------------------------------------------- flags -- */

/* A limit of 0 forbids all locking, even of nothing. */
static bool may_lock_at_all(const struct mm_struct *mm)
{
	return mm_rlimit(mm, MM_RLIMIT_MEMLOCK) || mm_capable(mm, MM_CAP_IPC_LOCK);
}

static bool is_lockable(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	if (vma->vm_flags & (VM_SPECIAL | VM_HUGETLB | VM_DROPPABLE))
		return false;
	return !vma->vm_file || !(file_flags(vma->vm_file) & FILE_DAX);
}

/* [start, end) of @vma gets @lock_flags for those of VM_LOCKED_MASK it has. */
static int lock_piece(struct vm_area_struct *vma, unsigned long start, unsigned long end,
		      vm_flags_t lock_flags)
	__must_hold(vma_stable) __may_sleep
{
	struct mm_struct *mm = vma->vm_mm;
	struct vma_change to = vma_as_is(vma);
	vm_flags_t old = vma->vm_flags;
	unsigned long nr_pages = (end - start) >> PAGE_SHIFT;
	int err;

	to.flags = (old & ~VM_LOCKED_MASK) | lock_flags;
	if (to.flags == old || !is_lockable(vma))
		return 0;
	if (!vma_modify(vma, start, end, &to, &err))
		return err;
	if (!(lock_flags & VM_LOCKED))
		mm_sub(mm, locked_vm, nr_pages);
	else if (!(old & VM_LOCKED))
		mm_add(mm, locked_vm, nr_pages);
	return 0;
}

/* Stops at the first hole or error.  The reserve for [start, end) has been made. */
static int lock_range(struct mm_struct *mm, unsigned long start, unsigned long end,
		      vm_flags_t lock_flags)
	__must_hold(vma_stable) __may_sleep
{
	while (start < end) {
		struct vm_area_struct *vma = vma_at(mm, start);
		unsigned long piece_end;
		int err;

		if (!vma)
			return -ENOMEM;
		piece_end = min(vma->vm_end, end);
		err = lock_piece(vma, start, piece_end, lock_flags);
		if (err)
			return err;
		start = piece_end;
	}
	return 0;
}

/* Pages of [start, end) that are locked. */
static unsigned long count_locked(const struct mm_struct *mm, unsigned long start,
				  unsigned long end)
	__must_hold_shared(vma_stable)
{
	struct vm_area_struct *vma = vma_in(mm, start, end);
	unsigned long bytes = 0;

	for (; vma && vma->vm_start < end; vma = vma_after(vma)) {
		if (vma->vm_flags & VM_LOCKED)
			bytes += min(vma->vm_end, end) - max(vma->vm_start, start);
	}
	return bytes >> PAGE_SHIFT;
}

static bool is_within_limit(const struct mm_struct *mm, unsigned long start, unsigned long len)
	__must_hold_shared(vma_stable)
{
	unsigned long limit = mm_rlimit(mm, MM_RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	unsigned long nr_pages = mm->locked_vm + (len >> PAGE_SHIFT);
	unsigned long end;

	if (nr_pages <= limit || mm_capable(mm, MM_CAP_IPC_LOCK))
		return true;
	if (check_add_overflow(start, len, &end))
		end = ~0ul;
	return nr_pages - count_locked(mm, start, end) <= limit;
}

/* ---------------------------------------------------------------- touch -- */

/* Could populating @vma give it its first anon_vma?  In doubt, yes. */
static bool may_want_anon(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	return !vma->anon && !(vma->vm_flags & (VM_SHARED | VM_IO | VM_PFNMAP));
}

/* The host's memory for touching all of [start, end). */
static int reserve_anon(struct mm_struct *mm, unsigned long start, unsigned long end)
	__must_hold_shared(vma_stable) __may_sleep
{
	struct vm_area_struct *vma = vma_in(mm, start, end);
	unsigned long nr = 0;

	for (; vma && vma->vm_start < end; vma = vma_after(vma))
		nr += may_want_anon(vma);
	return anon_reserve(mm, nr);
}

/*
 * Writes to what is private and writable; else reads, even what must not be read.  -EAGAIN: the
 * lock was let go of, look again at f->addr.
 */
static int populate_area(struct fault *f, unsigned long end)
	__must_hold_shared(vma_stable) __may_sleep
{
	vm_flags_t flags = f->vma->vm_flags;
	bool write = (flags & (VM_WRITE | VM_SHARED)) == VM_WRITE;
	enum mm_fault fault;

	if (flags & (VM_LOCKONFAULT | VM_IO | VM_PFNMAP))
		return 0;
	f->access = write ? MM_ACCESS_WRITE : MM_ACCESS_READ;
	fault = fault_populate(f, end);
	return fault == FAULT_RETRY ? -EAGAIN : fault_errno(fault);
}

enum populate_mode {
	POPULATE_ALL,			/* past areas that cannot be touched */
	POPULATE_UP_TO_ERROR,
};

static int populate(struct mm_struct *mm, unsigned long start, unsigned long end,
		    enum populate_mode mode) __may_sleep
{
	struct fault f = { .mm = mm, .addr = start };
	int err = 0;

	mm_read_lock(mm);
	while (f.addr < end) {
		unsigned long area_end;

		f.vma = vma_in(mm, f.addr, end);
		if (!f.vma)
			break;
		f.addr = max(f.addr, f.vma->vm_start);
		area_end = min(f.vma->vm_end, end);
		err = populate_area(&f, area_end);
		if (err == -EAGAIN)
			continue;
		if (err && mode == POPULATE_UP_TO_ERROR)
			break;
		err = 0;
		f.addr = area_end;
	}
	fault_forget(&f);
	/* What the caller's write section laid in. */
	anon_unreserve(mm);
	mm_read_unlock(mm);
	return err;
}

void mm_populate(struct mm_struct *mm, unsigned long addr, unsigned long len)
{
	populate(mm, addr, addr + len, POPULATE_ALL);
}

/* ---------------------------------------------------------------- calls -- */

/* The first half of mlock().  @len in bytes, page-aligned, as @start. */
static int mlock_write_section(struct mm_struct *mm, unsigned long start, unsigned long len,
			       vm_flags_t lock_flags)
	__must_hold(vma_stable) __may_sleep
{
	unsigned long end = start + len;
	int err;

	if (!is_within_limit(mm, start, len))
		return -ENOMEM;
	if (end < start)
		return -EINVAL;
	err = map_reserve_range(mm, start, end, 0);
	/* Even with VM_LOCKONFAULT: an area that cannot be locked is touched all the same. */
	if (!err)
		err = reserve_anon(mm, start, end);
	if (err)
		return err;
	err = lock_range(mm, start, end, lock_flags);
	if (err)
		anon_unreserve(mm);
	return err;
}

/* POSIX has -ENOMEM for what is not mapped or not accessible, -EAGAIN for what is not to be had. */
static int posix_error(int err)
{
	if (err == -EFAULT)
		return -ENOMEM;
	return err == -ENOMEM ? -EAGAIN : err;
}

static long do_mlock(struct mm_struct *mm, unsigned long addr, unsigned long len,
		     vm_flags_t lock_flags) __may_sleep
{
	unsigned long start = PAGE_ALIGN_DOWN(addr);
	unsigned int nr_tries = 0;
	long ret;

	if (!may_lock_at_all(mm))
		return -EPERM;
	len = page_align(len + (addr - start));
	do {
		ret = mm_write_lock_killable(mm);
		if (ret)
			return ret;
		ret = mlock_write_section(mm, start, len, lock_flags);
		mm_write_unlock(mm);
	} while (mm_call_again(mm->instance, &ret, &nr_tries));
	return ret ? ret : posix_error(populate(mm, start, start + len, POPULATE_UP_TO_ERROR));
}

long mm_mlock(struct mm_user *user, unsigned long addr, unsigned long len)
{
	witness_call();

	return do_mlock(mm_of(user), addr, len, VM_LOCKED);
}

long mm_mlock2(struct mm_user *user, unsigned long addr, unsigned long len, int flags)
{
	witness_call();

	if (flags & ~MLOCK_ONFAULT)
		return -EINVAL;
	return do_mlock(mm_of(user), addr, len,
			flags & MLOCK_ONFAULT ? VM_LOCKED | VM_LOCKONFAULT : VM_LOCKED);
}

long mm_munlock(struct mm_user *user, unsigned long addr, unsigned long len)
{
	witness_call();
	struct mm_struct *mm = mm_of(user);
	unsigned long start = PAGE_ALIGN_DOWN(addr), end;
	int err;

	len = page_align(len + (addr - start));
	end = start + len;
	err = mm_write_lock_killable(mm);
	if (err)
		return err;
	err = end < start ? -EINVAL : map_reserve_range(mm, start, end, 0);
	if (!err)
		err = lock_range(mm, start, end, 0);
	mm_write_unlock(mm);
	return err;
}

/* Areas that cannot be changed are passed over. */
static void lock_all_areas(struct mm_struct *mm, vm_flags_t lock_flags)
	__must_hold(vma_stable) __may_sleep
{
	struct vm_area_struct *vma = vma_first(mm, 0);

	while (vma) {
		unsigned long end = vma->vm_end;

		lock_piece(vma, vma->vm_start, end, lock_flags);
		vma = vma_first(mm, end);
	}
}

/* MCL_FUTURE alone leaves what is there as it is. */
static int apply_mlockall(struct mm_struct *mm, int flags)
	__must_hold(vma_stable) __may_sleep
{
	vm_flags_t lock_flags = flags & MCL_ONFAULT ? VM_LOCKED | VM_LOCKONFAULT : VM_LOCKED;
	int err = map_reserve_range(mm, 0, mm->task_size, 0);

	/* Even with VM_LOCKONFAULT: an area that cannot be locked is touched all the same. */
	if (!err && (flags & MCL_CURRENT))
		err = reserve_anon(mm, 0, mm->task_size);
	if (err)
		return err;
	mm_set(mm, def_flags, mm->def_flags & ~VM_LOCKED_MASK);
	if (flags & MCL_FUTURE)
		mm_set(mm, def_flags, mm->def_flags | lock_flags);
	if (flags & MCL_CURRENT)
		lock_all_areas(mm, lock_flags);
	else if (!(flags & MCL_FUTURE))
		lock_all_areas(mm, 0);
	return 0;
}

long mm_mlockall(struct mm_user *user, int flags)
{
	witness_call();
	struct mm_struct *mm = mm_of(user);
	unsigned int nr_tries = 0;
	unsigned long limit;
	long ret;

	if (!flags || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) || flags == MCL_ONFAULT)
		return -EINVAL;
	if (!may_lock_at_all(mm))
		return -EPERM;
	limit = mm_rlimit(mm, MM_RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	do {
		ret = mm_write_lock_killable(mm);
		if (ret)
			return ret;
		if (!(flags & MCL_CURRENT) || mm->total_vm <= limit ||
		    mm_capable(mm, MM_CAP_IPC_LOCK))
			ret = apply_mlockall(mm, flags);
		else
			ret = -ENOMEM;
		mm_write_unlock(mm);
	} while (mm_call_again(mm->instance, &ret, &nr_tries));
	if (!ret && (flags & MCL_CURRENT))
		mm_populate(mm, 0, ~0ul);
	return ret;
}

long mm_munlockall(struct mm_user *user)
{
	witness_call();
	struct mm_struct *mm = mm_of(user);
	int err = mm_write_lock_killable(mm);

	if (err)
		return err;
	err = apply_mlockall(mm, 0);
	mm_write_unlock(mm);
	return err;
}
