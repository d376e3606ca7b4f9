/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * mremap(): resize in place, move, copy.
 *
 *	mm_mremap			arguments, the reserve
 *	  move_areas			MREMAP_FIXED, same size: one area after the other
 *	    move_to
 *	  move_to			MREMAP_FIXED or DONTUNMAP: what is at the target goes first
 *	    move
 *	  resize			shrink: unmap the rest; grow: in place, else
 *	    move			copy the area, unmap the source
 *	  mm_populate			what a locked area has grown by
 *
 * A move is a copy, and then the source is unmapped:
 *
 *	 source				target
 *	 SSSssssSSS	.........	SSSssssSSS	ssss		copy_area()
 *	 SSS    SSS			SSS....SSS	ssss		drop_source()
 *
 * The pages go over with their entries, and back if the driver's mremap() refuses: the tables that
 * takes are prepared first.
 *
 * The copy of a touched area keeps its file pages (vm_pgdelta makes up for the new address), so it
 * merges only where these fit; an untouched anonymous one is as if it had been made at the target.
 * The copy may merge with the source itself, so the source is looked up again after it.
 *
 * Promised memory.  What the source was promised goes over to the copy; only what the copy is
 * longer is promised anew, or all of it if the source stays (MREMAP_DONTUNMAP).
 *
 * Partial effects, all of them Linux's: an error after the target has been cleared leaves it
 * cleared; of several areas the first ones stay moved; the tail that a shrinking move cuts off is
 * gone.  Want of the host's memory is not among the errors that come so late: it is reserved at the
 * beginning, for all areas.  Want of a frame for a table is, and then the lock is let go of, pages
 * are taken back (retry.c), and the call goes on from there: with the area that it could not move,
 * and without the tail.  It is the one call that others may see half done.
 *
 * The area limit is looked at beforehand, for the worst case, and so a move can be refused that
 * would have fitted: there must be fewer than max_map_count - 5 areas for a move to a given
 * address, fewer than max_map_count - 3 for the others.
 */
#include "base/atomic.h"
#include "mm/mm.h"
#include "vma/handle.h"
#include "vma/rmap_place.h"

struct remap {
	struct mm_struct *mm;
	unsigned long addr, old_len;		/* bytes; shrinks with the source */
	unsigned long new_addr, new_len;
	unsigned long flags;			/* MREMAP_* */
	struct vm_area_struct *vma;		/* has addr; good until something is unmapped */
	unsigned long charged;			/* pages promised for the copy */
	unsigned long cut;			/* bytes that were cut off before the move */
	bool plain;				/* move_areas(): decided once, by what was asked */
	bool grows_locked;
	bool laid_in;				/* an anon chain, for what it grows by */
};

/* The target is named by the caller, in one way or another. */
static bool has_target(const struct remap *r)
{
	return r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP);
}

static bool keeps_source(const struct remap *r)
{
	return r->flags & MREMAP_DONTUNMAP;
}

/* Is there room below the area limit for @nr_more than there are? */
static bool has_room(const struct mm_struct *mm, long nr_more)
	__must_hold_shared(vma_stable)
{
	return (long)mm->map_count + nr_more < (long)mm->instance->config.max_map_count;
}

/* --------------------------------------------------------------- checks -- */

static int check_target(const struct remap *r)
	__must_hold_shared(vma_stable)
{
	if (r->new_addr > r->mm->task_size - r->new_len || !page_aligned(r->new_addr))
		return -EINVAL;
	if (!(r->flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if (keeps_source(r) && r->old_len != r->new_len)
		return -EINVAL;
	/* Source and target may not overlap. */
	if (r->addr + r->old_len > r->new_addr && r->new_addr + r->new_len > r->addr)
		return -EINVAL;
	return 0;
}

static int check_arguments(const struct remap *r)
	__must_hold_shared(vma_stable)
{
	if (r->flags & ~(unsigned long)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP))
		return -EINVAL;
	if (!page_aligned(r->addr) || !r->new_len || r->new_len > r->mm->task_size)
		return -EINVAL;
	return has_target(r) ? check_target(r) : 0;
}

/* Huge pages move as wholes, and never grow.  The target is looked at even if it is not used. */
static int round_to_huge(struct remap *r)
{
	unsigned long huge = BIT(r->vma->vm_file->huge_shift);

	r->old_len = ALIGN(r->old_len, huge);
	r->new_len = ALIGN(r->new_len, huge);
	if (!IS_ALIGNED(r->addr, huge) || !IS_ALIGNED(r->new_addr, huge))
		return -EINVAL;
	return r->new_len > r->old_len ? -EINVAL : 0;
}

static int check_growth(struct remap *r)
	__must_hold_shared(vma_stable)
{
	const struct vm_area_struct *vma = r->vma;
	unsigned long pgoff = vma_pgoff_at(vma, r->addr);
	unsigned long more = r->new_len - r->old_len;

	if (vma->vm_flags & VM_LOCKED)
		r->grows_locked = true;
	if (pgoff + (r->new_len >> PAGE_SHIFT) < pgoff)
		return -EINVAL;
	if (vma->vm_flags & (VM_DONTEXPAND | VM_PFNMAP))
		return -EFAULT;
	if (!mm_may_lock(r->mm, vma->vm_flags, more))
		return -EAGAIN;
	if (!mm_may_expand(r->mm, vma->vm_flags, more >> PAGE_SHIFT))
		return -ENOMEM;
	return 0;
}

/* What can be said against it by the source area alone.  Nothing has been changed yet. */
static int check_source(struct remap *r)
	__must_hold_shared(vma_stable)
{
	const struct vm_area_struct *vma = r->vma;
	unsigned long stays;

	if (!vma)
		return -EFAULT;
	if (vma->vm_flags & VM_SEALED)
		return -EPERM;
	if (vma->vm_flags & VM_HUGETLB) {
		int err = round_to_huge(r);

		if (err)
			return err;
	}
	if (!has_target(r)) {
		r->new_addr = r->addr;
		if (r->new_len <= r->old_len)
			return 0;
	}
	/* A length of 0 asks for another view of the same pages: there is none of private ones. */
	if (!r->old_len && !(vma->vm_flags & (VM_SHARED | VM_MAYSHARE)))
		return -EINVAL;
	if (keeps_source(r) && (vma->vm_flags & (VM_DONTEXPAND | VM_PFNMAP)))
		return -EINVAL;
	/* What is cut off may span areas, what stays or moves may not. */
	stays = min(r->old_len, r->new_len);
	if (stays > vma->vm_end - r->addr)
		return -EFAULT;
	return r->new_len > r->old_len ? check_growth(r) : 0;
}

/* ----------------------------------------------------------------- copy -- */

/*
 * Linux (6.18) asks for as much as was cut off before the move, too, as if the area grew by it.  It
 * then forgets that it has it; here only the refusal is followed.
 */
static int ask_for_cut(const struct remap *r)
	__must_hold_shared(vma_stable)
{
	unsigned long nr_pages = r->cut >> PAGE_SHIFT;
	int err = nr_pages ? mm_commit(r->mm, nr_pages) : 0;

	if (!err)
		mm_uncommit(r->mm, nr_pages);
	return err;
}

static int promise(struct remap *r)
	__must_hold_shared(vma_stable)
{
	int err;

	r->charged = 0;
	if (!(r->vma->vm_flags & VM_ACCOUNT))
		return 0;
	err = ask_for_cut(r);
	if (err)
		return err;
	r->charged = (keeps_source(r) ? r->new_len : r->new_len - r->old_len) >> PAGE_SHIFT;
	if (!r->charged)
		return 0;
	err = mm_commit(r->mm, r->charged);
	if (err)
		r->charged = 0;
	return err;
}

/* An area like the source at the target: a neighbour that grows, or a new one. */
static struct vm_area_struct *copy_area(const struct remap *r)
	__must_hold(vma_stable) __may_sleep
{
	const struct vm_area_struct *vma = r->vma;
	struct vma_proposal p = {
		.mm = r->mm, .start = r->new_addr, .end = r->new_addr + r->new_len,
		.flags = vma->vm_flags, .file = vma->vm_file, .name = vma->anon_name,
		.user_faults = vma->user_faults, .anon = vma->anon, .copied_from = vma,
	};
	struct vm_area_struct *copy;

	/* Untouched, it has no pages whose place would have to stay: also a private /dev/zero. */
	if (!vma_is_anonymous(vma) || vma->anon)
		p.pgdelta = vma_pgoff_at(vma, r->addr) - (r->new_addr >> PAGE_SHIFT);
	copy = vma_merge_new(&p);
	if (copy)
		return copy;
	copy = vma_copy(r->mm, vma);
	vma_init(copy, vm_start, p.start);
	vma_init(copy, vm_end, p.end);
	vma_init(copy, vm_pgdelta, p.pgdelta);
	vma_init(copy, anon, anon_chain_get(vma->anon));
	map_insert(copy);
	vma_ops_open(copy);
	return copy;
}

/*
 * Both of an area's ends are promised memory from now on.  A driver that forbids a split which it
 * had allowed a moment ago (may_split) keeps us from unmapping one of them; as in Linux it stays,
 * and more is promised than was asked for.
 */
static void promise_both(struct remap *r, bool accounted)
{
	if (accounted)
		atomic_add_relaxed(&r->mm->instance->committed,
				   (long)((r->new_len >> PAGE_SHIFT) - r->charged));
}

/* The driver did not want it there. */
static void drop_copy(struct remap *r, bool accounted)
	__must_hold(vma_stable) __may_sleep
{
	unsigned long start = r->new_addr, end = start + r->new_len;
	struct unmap_totals totals;

	if (mm_cut_locked(r->mm, start, end, &totals)) {
		promise_both(r, accounted);
		return;
	}
	mm_drop_cut_locked(r->mm, start, end);
	mm_uncommit(r->mm, r->charged);
}

/* The promise for the source is the copy's now. */
static void drop_source(struct remap *r, bool accounted)
	__must_hold(vma_stable) __may_sleep
{
	unsigned long start = r->addr, end = start + r->old_len;
	struct vm_area_struct *vma;
	struct unmap_totals totals;

	if (start == end)
		return;
	if (mm_cut_locked(r->mm, start, end, &totals)) {
		promise_both(r, accounted);
		return;
	}
	vma = vma_at(r->mm, start);
	/* As with the promise: the pool's pages are kept by the copy (shared_anon.c). */
	if (vma->vm_flags & VM_HUGETLB)
		vma_set(vma, vm_private_data, NULL);
	mm_drop_cut_locked(r->mm, start, end);
}

/*
 * MREMAP_DONTUNMAP: the source stays, without its pages.  All of its area stops being locked, also
 * what was not moved; and Linux goes on counting those pages as locked.
 */
static void leave_source_empty(struct remap *r, const struct vm_area_struct *copy)
	__must_hold(vma_stable) __may_sleep
{
	struct vm_area_struct *vma = vma_at(r->mm, r->addr);

	if (vma->vm_flags & VM_LOCKED) {
		map_set_flags(vma, vma->vm_flags & ~VM_LOCKED_MASK);
		mm_add(r->mm, locked_stray, vma_pages(vma));
	}
	/* No page of it is left that its anon_vma would be needed for. */
	if (vma != copy && vma->anon && vma->vm_start == r->addr &&
	    vma->vm_end == r->addr + r->old_len) {
		struct anon_chain *chain = vma->anon;

		vma_lock_write(vma);
		rmap_hold_begin(r->mm, vma->vm_file, chain);
		rmap_set_anon(vma, NULL);
		rmap_hold_end(r->mm);
		anon_chain_put(chain);
	}
}

enum move_way { TO_COPY, BACK };

/* Who looks for a page by its file or its anon_vma finds it at one of the two places. */
static void move_pages(const struct remap *r, struct pt_stash *stash,
		       const struct vm_area_struct *copy, enum move_way way)
	__must_hold(vma_stable) __may_sleep
{
	unsigned long from = way == TO_COPY ? r->addr : r->new_addr;
	unsigned long to = way == TO_COPY ? r->new_addr : r->addr;

	rmap_hold_begin(r->mm, copy->vm_file, copy->anon);
	pages_move(r->mm, stash, from, to, r->old_len);
	rmap_hold_end(r->mm);
}

static int ask_to_split(const struct remap *r)
	__must_hold_shared(vma_stable) __may_sleep
{
	struct vm_area_struct *vma = r->vma;
	unsigned long end = r->addr + r->old_len;
	int err = 0;

	if (vma->vm_start != r->addr)
		err = vma_ops_may_split(vma, r->addr);
	if (!err && vma->vm_end != end)
		err = vma_ops_may_split(vma, end);
	return err;
}

/* From [addr, old_len) of r->vma to the free range [new_addr, new_len). */
static long move(struct remap *r)
	__must_hold(vma_stable) __may_sleep
{
	const struct vm_operations_struct *ops = r->vma->vm_ops;
	bool accounted = r->vma->vm_flags & VM_ACCOUNT;
	vm_flags_t flags = r->vma->vm_flags;
	struct vm_area_struct *copy;
	struct pt_stash stash;
	int err;

	if (!has_room(r->mm, 3))
		return -ENOMEM;
	err = ask_to_split(r);
	if (err)
		return err;
	/* Faults inside would make tables that nothing was prepared for. */
	vma_lock_write(r->vma);
	err = pages_move_prepare(r->mm, &stash, r->addr, r->new_addr, r->old_len);
	if (err)
		return err;
	err = promise(r);
	if (err)
		goto out;

	copy = copy_area(r);
	move_pages(r, &stash, copy, TO_COPY);
	mm_account(r->mm, flags, (long)(r->new_len >> PAGE_SHIFT));
	if (flags & VM_LOCKED)
		mm_add(r->mm, locked_vm, r->new_len >> PAGE_SHIFT);
	if (ops && ops->mremap) {
		vma_lock_write(copy);
		err = vma_ops_mremap(ops, copy);
	}
	r->vma = NULL;
	if (err) {
		move_pages(r, &stash, copy, BACK);
		drop_copy(r, accounted);
	} else {
		/* Before the source goes, since the two may be one area. */
		if (copy->user_faults)
			user_faults_forget_area(copy);
		if (keeps_source(r))
			leave_source_empty(r, copy);
		else
			drop_source(r, accounted);
	}
out:
	pages_move_done(&stash);
	return err ? err : (long)r->new_addr;
}

/* --------------------------------------------------------------- places -- */

/* A hint for DONTUNMAP, a command for FIXED, else anywhere. */
static int choose_target(struct remap *r)
	__must_hold_shared(vma_stable)
{
	const struct vm_area_struct *vma = r->vma;
	unsigned long hint = has_target(r) ? r->new_addr : 0;
	unsigned long map_flags = 0;
	long place;

	if (r->flags & MREMAP_FIXED)
		map_flags |= MAP_FIXED;
	if (vma->vm_flags & VM_MAYSHARE)
		map_flags |= MAP_SHARED;
	place = mm_place_moved(r->mm, vma->vm_file, hint, r->new_len,
			       vma_pgoff_at(vma, r->addr), map_flags);
	if (place < 0)
		return place;
	r->new_addr = (unsigned long)place;
	return 0;
}

/* [start, end) goes; the reserve for it has been made. */
static int unmap(struct remap *r, unsigned long start, unsigned long len)
	__must_hold(vma_stable) __may_sleep
{
	if (start > r->mm->task_size || len > r->mm->task_size - start)
		return -EINVAL;
	r->vma = NULL;
	return mm_unmap_locked(r->mm, start, start + len);
}

static long move_to(struct remap *r)
	__must_hold(vma_stable) __may_sleep
{
	int err;

	if (r->flags & MREMAP_FIXED) {
		err = unmap(r, r->new_addr, r->new_len);
		if (err)
			return err;
		/* With old_len 0 the source may lie in the target, and be gone. */
		r->vma = vma_at(r->mm, r->addr);
		if (!r->vma)
			return -EFAULT;
	}
	if (r->old_len > r->new_len) {
		err = unmap(r, r->addr + r->new_len, r->old_len - r->new_len);
		if (err)
			return err;
		r->vma = vma_at(r->mm, r->addr);
		r->cut = r->old_len - r->new_len;
		r->old_len = r->new_len;
	}
	if (keeps_source(r) &&
	    !mm_may_expand(r->mm, r->vma->vm_flags, r->old_len >> PAGE_SHIFT))
		return -ENOMEM;
	err = choose_target(r);
	return err ? err : move(r);
}

/* Does the range end where its area does, and is there nothing behind? */
static bool can_grow_in_place(const struct remap *r)
	__must_hold_shared(vma_stable)
{
	const struct vm_area_struct *vma = r->vma;
	unsigned long end = vma->vm_end + (r->new_len - r->old_len);

	if (vma->vm_end - r->addr != r->old_len || end < vma->vm_end)
		return false;
	if (vma_in(r->mm, vma->vm_end, end))
		return false;
	return mm_place(r->mm, NULL, vma->vm_start, end - vma->vm_start, 0, MAP_FIXED) >= 0;
}

static long grow_in_place(struct remap *r)
	__must_hold(vma_stable) __may_sleep
{
	unsigned long more = r->new_len - r->old_len;
	vm_flags_t flags = r->vma->vm_flags;
	int err = promise(r);

	if (err)
		return err;
	/* Fails for VM_SPECIAL areas: like no other, they cannot be joined with their own tail. */
	if (!vma_merge_extend(r->vma, more)) {
		mm_uncommit(r->mm, r->charged);
		return -ENOMEM;
	}
	mm_account(r->mm, flags, (long)(more >> PAGE_SHIFT));
	if (flags & VM_LOCKED)
		mm_add(r->mm, locked_vm, more >> PAGE_SHIFT);
	return (long)r->addr;
}

/* No target is named. */
static long resize(struct remap *r)
	__must_hold(vma_stable) __may_sleep
{
	int err;

	if (r->new_len == r->old_len)
		return (long)r->addr;
	if (r->new_len < r->old_len) {
		err = unmap(r, r->addr + r->new_len, r->old_len - r->new_len);
		return err ? err : (long)r->addr;
	}
	if (can_grow_in_place(r))
		return grow_in_place(r);
	if (!(r->flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	err = choose_target(r);
	return err ? err : move(r);
}

/* -------------------------------------------------------- several areas -- */

/*
 * /dev/zero and SysV segments have their own idea of where things go, and who answers an area's
 * faults may want to hear that it moves: one area at a time only.
 */
static bool moves_with_others(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	const struct file *file = vma->vm_file;

	if (vma->user_faults)
		return false;
	return !file || (!(file_flags(file) & FILE_DEV_ZERO) && !shm_is_attach(file));
}

/*
 * MREMAP_FIXED without a change of size: every area of the range moves, and the holes between them
 * stay as wide as they are.  What is at the target beneath such a hole is not touched.
 */
static long move_areas(struct remap *r)
	__must_hold(vma_stable) __may_sleep
{
	unsigned long start = r->addr, end = start + r->old_len, at = start;
	unsigned long target = r->new_addr;
	struct vm_area_struct *vma = vma_in(r->mm, start, end);

	if (!vma || vma->vm_start > start)
		return -EFAULT;
	for (; vma; vma = vma_in(r->mm, at, end)) {
		unsigned long vma_end = vma->vm_end;
		long moved;

		r->vma = vma;
		r->addr = max(vma->vm_start, start);
		r->new_addr = target + (r->addr - start);
		r->old_len = r->new_len = min(vma_end, end) - r->addr;
		if (!moves_with_others(vma) && (at != start || vma_end < end))
			return -EFAULT;
		moved = check_source(r);
		if (!moved)
			moved = move_to(r);
		if (moved < 0)
			return moved;
		at = vma_end;
		if (at >= end)
			break;
	}
	return (long)target;
}

/* ----------------------------------------------------------------- call -- */

/*
 * The host's memory for all that follows.  An area that moves is one more, its source and its
 * target are split twice each; grown neighbours and all areas of both ranges are touched.
 */
static int reserve(struct remap *r)
	__must_hold(vma_stable) __may_sleep
{
	unsigned long end, nr_source, nr_target = 0, nr_moves;
	const struct vm_area_struct *vma;
	int err;

	if (check_add_overflow(r->addr, r->old_len, &end))
		end = ~0ul;
	nr_source = vma_count(r->mm, r->addr, end);
	if (r->flags & MREMAP_FIXED)
		nr_target = vma_count(r->mm, r->new_addr, r->new_addr + r->new_len);
	nr_moves = r->plain ? nr_source : 1;
	err = map_reserve(r->mm, 5 * nr_moves + 2, nr_source + nr_target + 6 * nr_moves + 4);
	/* What a locked area grows by is touched. */
	vma = vma_at(r->mm, r->addr);
	r->laid_in = !err && vma && (vma->vm_flags & VM_LOCKED) && r->new_len > r->old_len;
	return r->laid_in ? anon_reserve(r->mm, 1) : err;
}

static long remap_locked(struct remap *r)
	__must_hold(vma_stable) __may_sleep
{
	int err = check_arguments(r);

	if (err)
		return err;
	/* The target's clearing and the source's shrinking may each make an area more. */
	if (has_target(r) && !has_room(r->mm, 5))
		return -ENOMEM;
	err = reserve(r);
	if (err)
		return err;
	if (r->plain)
		return move_areas(r);
	r->vma = vma_at(r->mm, r->addr);
	err = check_source(r);
	if (err)
		return err;
	return has_target(r) ? move_to(r) : resize(r);
}

/* @r, which stopped for want of a frame, has done this much of @asked: what is left to ask for. */
static void ask_for_rest(struct remap *asked, const struct remap *r)
{
	if (asked->plain && r->vma) {
		asked->old_len -= r->addr - asked->addr;
		asked->new_len = asked->old_len;
		asked->addr = r->addr;
		asked->new_addr = r->new_addr;
	} else if (r->cut) {
		asked->old_len = asked->new_len;
		asked->cut = r->cut;
	}
}

static long remap_once(struct remap *r)
	__must_not_hold(vma_stable) __may_sleep
{
	struct mm_struct *mm = r->mm;
	long ret = mm_write_lock_killable(mm);

	if (ret)
		return ret;
	ret = remap_locked(r);
	if (r->laid_in && (ret < 0 || !r->grows_locked))
		anon_unreserve(mm);
	mm_write_unlock(mm);
	if (ret >= 0 && r->grows_locked)
		mm_populate(mm, (unsigned long)ret + r->old_len, r->new_len - r->old_len);
	return ret;
}

long mm_mremap(struct mm_user *user, unsigned long addr, unsigned long old_len,
	       unsigned long new_len, unsigned long flags, unsigned long new_addr)
{
	witness_call();
	struct mm_struct *mm = mm_of(user);
	struct remap asked = {
		.mm = mm, .addr = addr, .old_len = page_align(old_len),
		.new_len = page_align(new_len), .new_addr = new_addr, .flags = flags,
	}, r;
	unsigned int nr_tries = 0;
	long ret;

	asked.plain = (flags & MREMAP_FIXED) && asked.old_len == asked.new_len &&
		      has_feature(mm->instance, VMAREA_FEATURE_MULTI_MREMAP);
	do {
		r = asked;
		ret = remap_once(&r);
		if (ret == -ENOFRAME)
			ask_for_rest(&asked, &r);
	} while (mm_call_again(mm->instance, &ret, &nr_tries));
	return ret >= 0 && asked.plain ? (long)new_addr : ret;
}
