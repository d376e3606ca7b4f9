/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * madvise() and process_madvise().
 *
 * Each advice is a row of a table.  There are these kinds:
 *
 *	FLAGS	sets and clears flags of the areas, which are split and merged for it
 *	PAGES	is about pages: which a bookkeeping mm has none of, and there what remains is
 *		which areas it is refused for, and with what error
 *	GUARD	PAGES, and what it leaves on the area: all of it may have guard regions from then
 *		on, for good, and an anonymous one has an anon_vma (it is touched).  For each page
 *		of the range an entry that says so, in tables that are prepared first
 *	REMOVE	PAGES, in the file, which may refuse
 *	COLLAPSE	PAGES, with the mmap lock for write: faults have to wait.  What is in swap
 *		is brought in before
 *	READ	what the cache has not is read, without the lock; of areas without a file, swap
 *	TOUCH	makes the pages at once, as if each had been read or written
 *	POISON	for tests of memory failures: needs MM_CAP_SYS_ADMIN
 *
 * The first three go over a range area by area:
 *
 *	[ A ]   hole   [ B ]	both are advised, then -ENOMEM for the hole
 *	[ A ][ B ][ C ]		B refuses: A stays advised, C is not
 *
 * A split that the area limit forbids is -EAGAIN, where other calls say -ENOMEM.
 *
 * A sealed area refuses the advices that throw pages away, unless the program could have
 * overwritten those pages anyway: it is writable, or not anonymous.
 */
#include "base/atomic.h"
#include "fault/swap.h"
#include "file/filemap.h"
#include "mm/advise.h"
#include "reclaim/reclaim.h"

#define HUGE_PAGE	(1ul << 21)

enum advice_kind {
	ADVISE_FLAGS, ADVISE_PAGES, ADVISE_GUARD, ADVISE_REMOVE, ADVISE_COLLAPSE, ADVISE_READ,
	ADVISE_TOUCH, ADVISE_POISON,
};

/* What a check says if the advice is to be ignored for this area. */
#define IGNORED		1

struct advice {
	int number;			/* MADV_* */
	enum advice_kind kind;
	bool discards;			/* a seal may forbid it */
	bool remote;			/* may be given to another process */
	bool pages_out;			/* reclaimed after it, without a lock */
	unsigned int feature;		/* VMAREA_FEATURE_*, or 0 */
	vm_flags_t set, clear;		/* ADVISE_FLAGS */
	int (*check)(const struct area_part *part);	/* 0, IGNORED or -errno */
	void (*act)(const struct area_part *part);	/* ADVISE_PAGES: on its pages */
};

/* ----------------------------------------------------------------- checks -- */

static int check_dofork(const struct area_part *part)
	__must_hold_shared(vma_stable)
{
	return part->vma->vm_flags & VM_IO ? -EINVAL : 0;
}

static int check_wipeonfork(const struct area_part *part)
	__must_hold_shared(vma_stable)
{
	return part->vma->vm_file || (part->vma->vm_flags & VM_SHARED) ? -EINVAL : 0;
}

static int check_keeponfork(const struct area_part *part)
	__must_hold_shared(vma_stable)
{
	return part->vma->vm_flags & VM_DROPPABLE ? -EINVAL : 0;
}

static int check_dodump(const struct area_part *part)
	__must_hold_shared(vma_stable)
{
	vm_flags_t flags = part->vma->vm_flags;

	if (!(flags & VM_HUGETLB) && (flags & VM_SPECIAL))
		return -EINVAL;
	return flags & VM_DROPPABLE ? -EINVAL : 0;
}

static int check_mergeable(const struct area_part *part)
	__must_hold_shared(vma_stable)
{
	return mm_ksm_compatible(part->vma->vm_file, part->vma->vm_flags) ? 0 : IGNORED;
}

/* Huge pages go whole: the part must begin with one, and its end is rounded down. */
static int check_discard(const struct area_part *part, vm_flags_t refused)
	__must_hold_shared(vma_stable)
{
	const struct vm_area_struct *vma = part->vma;

	if (!(vma->vm_flags & VM_HUGETLB))
		return vma->vm_flags & refused ? -EINVAL : 0;
	return IS_ALIGNED(part->start, BIT(vma->vm_file->huge_shift)) ? 0 : -EINVAL;
}

static int check_dontneed(const struct area_part *part)
	__must_hold_shared(vma_stable)
{
	return check_discard(part, VM_PFNMAP | VM_LOCKED);
}

static int check_dontneed_locked(const struct area_part *part)
	__must_hold_shared(vma_stable)
{
	return check_discard(part, VM_PFNMAP);
}

static int check_free(const struct area_part *part)
	__must_hold_shared(vma_stable)
{
	if (part->vma->vm_flags & (VM_PFNMAP | VM_LOCKED | VM_HUGETLB))
		return -EINVAL;
	return vma_is_anonymous(part->vma) ? 0 : -EINVAL;
}

static int check_reclaim(const struct area_part *part)
	__must_hold_shared(vma_stable)
{
	return part->vma->vm_flags & (VM_PFNMAP | VM_LOCKED | VM_HUGETLB) ? -EINVAL : 0;
}

/* Punches a hole into the file: which the area, and then the file, must allow. */
static int check_remove(const struct area_part *part)
	__must_hold_shared(vma_stable)
{
	const struct vm_area_struct *vma = part->vma;
	u32 flags;

	if ((vma->vm_flags & VM_LOCKED) || !vma->vm_file)
		return -EINVAL;
	if ((vma->vm_flags & (VM_SHARED | VM_MAYWRITE)) != (VM_SHARED | VM_MAYWRITE))
		return -EACCES;
	flags = file_flags(vma->vm_file);
	if ((flags & FILE_APPEND_ONLY) || (filemap_seals(vma->vm_file) & FILE_SEALS_WRITE))
		return -EPERM;
	/* A driver's file is no regular one. */
	if (vma->vm_ops != &file_vm_ops && !(flags & (FILE_SHMEM | FILE_HUGETLB)))
		return -ENODEV;
	return 0;
}

static int check_guard_remove(const struct area_part *part)
	__must_hold_shared(vma_stable)
{
	return part->vma->vm_flags & (VM_SPECIAL | VM_HUGETLB) ? -EINVAL : 0;
}

/* Locked ones may keep their guards, but get no new ones: their pages would have to go. */
static int check_guard_install(const struct area_part *part)
	__must_hold_shared(vma_stable)
{
	return part->vma->vm_flags & VM_LOCKED ? -EINVAL : check_guard_remove(part);
}

/*
 * Is there room in the area for one huge page, at a place where the file has one too?  Of an area
 * that ends below 2 MiB Linux believes it: the place wraps, and what follows finds no page to
 * collapse.
 */
static bool huge_page_fits(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	unsigned long last = ALIGN_DOWN(vma->vm_end - HUGE_PAGE, HUGE_PAGE);

	return last >= vma->vm_start && last + HUGE_PAGE <= vma->vm_end &&
	       (vma_is_anonymous(vma) || IS_ALIGNED(vma->vm_pgdelta, HUGE_PAGE >> PAGE_SHIFT));
}

/*
 * Memory that was never touched has nothing to collapse, ordinary files need a kernel that can, and
 * a part with no whole huge page in it fails, but for one that ends where the first would begin.
 * How much of the part has pages is not known without pages, nor is it for files: what may work is
 * said to.
 */
static int check_collapse(const struct area_part *part)
	__must_hold_shared(vma_stable)
{
	const struct vm_area_struct *vma = part->vma;
	unsigned long first = ALIGN(part->start, HUGE_PAGE);
	unsigned long end = ALIGN_DOWN(part->end, HUGE_PAGE);
	/* Relaxed: the area is not locked yet, so another thread may be touching it now. */
	bool touched = atomic_load_relaxed(&vma->anon);
	bool shmem = vma->vm_file && (file_flags(vma->vm_file) & FILE_SHMEM);

	if (vma->vm_mm->thp_disable || !huge_page_fits(vma) ||
	    (vma->vm_flags & (VM_NOHUGEPAGE | VM_SPECIAL | VM_HUGETLB)))
		return -EINVAL;
	if (vma_is_anonymous(vma) ? !touched : !shmem)
		return -EINVAL;
	if (end < first)
		return -EINVAL;
	/* A private copy of a file's page keeps the others from being mapped as one. */
	if (shmem && end > first &&
	    (touched || (vma_pgoff_at(vma, end) << PAGE_SHIFT) > file_size(vma->vm_file)))
		return -EINVAL;
	return 0;
}

/* ------------------------------------------------------------------ pages -- */

/* Where the last huge page ends that lies wholly in the part. */
static unsigned long whole_end(const struct area_part *part)
	__must_hold_shared(vma_stable)
{
	const struct vm_area_struct *vma = part->vma;

	if (vma->vm_flags & VM_HUGETLB)
		return ALIGN_DOWN(part->end, BIT(vma->vm_file->huge_shift));
	return part->end;
}

static void zap(const struct area_part *part, enum zap_what what)
	__must_hold_shared(vma_stable)
{
	unsigned long end = whole_end(part);

	if (part->start < end)
		pages_zap(part->vma->vm_mm, part->start, end, what);
}

/* Guards stay. */
static void act_dontneed(const struct area_part *part)
	__must_hold_shared(vma_stable)
{
	unsigned long end = whole_end(part);

	if (part->start < end)
		pages_discard(part->vma->vm_mm, part->start, end);
}

static void act_guard_remove(const struct area_part *part)
	__must_hold_shared(vma_stable)
{
	zap(part, ZAP_GUARDS);
}

/* From now on they say whether they were written to again. */
static void act_free(const struct area_part *part)
	__must_hold_shared(vma_stable)
{
	zap(part, ZAP_SWAPPED);
	pages_age(part->vma->vm_mm, part->start, part->end, PAGES_CLEAN);
}

static void act_cold(const struct area_part *part)
	__must_hold_shared(vma_stable)
{
	pages_age(part->vma->vm_mm, part->start, part->end, PAGES_OLD);
}

/* ------------------------------------------------------------------ table -- */

#define FLAGS_ADVICE(n, to_set, to_clear, ...) \
	{ .number = (n), .kind = ADVISE_FLAGS, .set = (to_set), .clear = (to_clear), __VA_ARGS__ }
#define PAGES_ADVICE(n, ...)	{ .number = (n), .kind = ADVISE_PAGES, __VA_ARGS__ }

static const struct advice advices[] = {
	FLAGS_ADVICE(MADV_NORMAL, 0, VM_RAND_READ | VM_SEQ_READ),
	FLAGS_ADVICE(MADV_RANDOM, VM_RAND_READ, VM_SEQ_READ),
	FLAGS_ADVICE(MADV_SEQUENTIAL, VM_SEQ_READ, VM_RAND_READ),
	FLAGS_ADVICE(MADV_DONTFORK, VM_DONTCOPY, 0, .discards = true),
	FLAGS_ADVICE(MADV_DOFORK, 0, VM_DONTCOPY, .check = check_dofork),
	FLAGS_ADVICE(MADV_WIPEONFORK, VM_WIPEONFORK, 0, .discards = true,
		     .check = check_wipeonfork),
	FLAGS_ADVICE(MADV_KEEPONFORK, 0, VM_WIPEONFORK, .check = check_keeponfork),
	FLAGS_ADVICE(MADV_DONTDUMP, VM_DONTDUMP, 0),
	FLAGS_ADVICE(MADV_DODUMP, 0, VM_DONTDUMP, .check = check_dodump),
	FLAGS_ADVICE(MADV_MERGEABLE, VM_MERGEABLE, 0, .check = check_mergeable,
		     .feature = VMAREA_FEATURE_KSM),
	FLAGS_ADVICE(MADV_UNMERGEABLE, 0, VM_MERGEABLE, .feature = VMAREA_FEATURE_KSM),
	FLAGS_ADVICE(MADV_HUGEPAGE, VM_HUGEPAGE, VM_NOHUGEPAGE, .feature = VMAREA_FEATURE_THP),
	FLAGS_ADVICE(MADV_NOHUGEPAGE, VM_NOHUGEPAGE, VM_HUGEPAGE, .feature = VMAREA_FEATURE_THP),

	PAGES_ADVICE(MADV_DONTNEED, .discards = true, .check = check_dontneed,
		     .act = act_dontneed),
	PAGES_ADVICE(MADV_DONTNEED_LOCKED, .discards = true, .check = check_dontneed_locked,
		     .act = act_dontneed),
	PAGES_ADVICE(MADV_FREE, .discards = true, .check = check_free, .act = act_free),
	PAGES_ADVICE(MADV_COLD, .remote = true, .check = check_reclaim, .act = act_cold),
	PAGES_ADVICE(MADV_PAGEOUT, .remote = true, .check = check_reclaim, .act = act_cold,
		     .pages_out = true),
	PAGES_ADVICE(MADV_GUARD_REMOVE, .check = check_guard_remove, .act = act_guard_remove),

	{ MADV_GUARD_INSTALL, .kind = ADVISE_GUARD, .discards = true,
	  .check = check_guard_install },
	{ MADV_WILLNEED, .kind = ADVISE_READ, .remote = true },
	{ MADV_REMOVE, .kind = ADVISE_REMOVE, .discards = true, .check = check_remove },
	{ MADV_COLLAPSE, .kind = ADVISE_COLLAPSE, .remote = true, .check = check_collapse,
	  .feature = VMAREA_FEATURE_THP },
	{ MADV_POPULATE_READ, .kind = ADVISE_TOUCH },
	{ MADV_POPULATE_WRITE, .kind = ADVISE_TOUCH },
	{ MADV_HWPOISON, .kind = ADVISE_POISON, .feature = VMAREA_FEATURE_MEMORY_FAILURE },
	{ MADV_SOFT_OFFLINE, .kind = ADVISE_POISON, .feature = VMAREA_FEATURE_MEMORY_FAILURE },
};

/* NULL: a machine like this has no such advice. */
static const struct advice *find_advice(const struct vmarea *instance, int number)
{
	for (size_t i = 0; i < ARRAY_SIZE(advices); i++) {
		const struct advice *a = &advices[i];

		if (a->number == number)
			return !a->feature || has_feature(instance, a->feature) ? a : NULL;
	}
	return NULL;
}

/* ------------------------------------------------------------ area by area -- */

int mm_advise_range(struct mm_struct *mm, unsigned long start, unsigned long end,
		    area_advisor advise, const void *arg)
{
	struct vm_area_struct *vma = vma_first(mm, start);
	int result = 0;

	for (; vma && vma->vm_start < end; vma = vma_first(mm, start)) {
		struct area_part part = { vma, max(vma->vm_start, start), min(vma->vm_end, end) };
		int err;

		if (start < vma->vm_start)
			result = -ENOMEM;
		err = advise(&part, arg);
		if (err)
			return err;
		start = part.vma->vm_end;
		if (start >= end)
			return result;
	}
	return -ENOMEM;
}

int mm_change_part(struct area_part *part, const struct vma_change *to)
{
	struct vm_area_struct *vma;
	int err;

	if (to->flags == part->vma->vm_flags && anon_name_same(to->name, part->vma->anon_name))
		return 0;
	vma = vma_modify(part->vma, part->start, part->end, to, &err);
	if (!vma)
		return err == -ENOMEM ? -EAGAIN : err;
	part->vma = vma;
	return 0;
}

/* 0: go on; IGNORED or -errno: this area has been dealt with. */
static int check_part(const struct area_part *part, const struct advice *advice)
	__must_hold_shared(vma_stable)
{
	const struct vm_area_struct *vma = part->vma;

	if (advice->discards && (vma->vm_flags & VM_SEALED) && vma_is_anonymous(vma) &&
	    !(vma->vm_flags & VM_WRITE))
		return -EPERM;
	return advice->check ? advice->check(part) : 0;
}

static int advise_pages(struct area_part *part, const void *arg)
	__must_hold_shared(vma_stable)
{
	const struct advice *advice = arg;
	int err = check_part(part, advice);

	if (!err && advice->act)
		advice->act(part);
	return err;
}

static int change_flags(struct area_part *part, const void *arg)
	__must_hold(vma_stable) __may_sleep
{
	const struct advice *advice = arg;
	struct vma_change to = vma_as_is(part->vma);
	int err = check_part(part, advice);

	if (err)
		return err == IGNORED ? 0 : err;
	to.flags = (to.flags & ~advice->clear) | advice->set;
	return mm_change_part(part, &to);
}

/*
 * Does it get an anon_vma with its guards?  A kernel that marks no areas gives each one, whatever
 * it maps: that is how fork() knows there that page tables must be copied.
 */
static bool guard_touches(const struct vm_area_struct *vma)
{
	return vma_is_anonymous(vma) ||
	       !has_feature(vma->vm_mm->instance, VMAREA_FEATURE_GUARD_FLAG);
}

static int install_guard(struct area_part *part, const void *arg)
	__must_hold(vma_stable) __may_sleep
{
	struct vm_area_struct *vma = part->vma;
	int err = check_part(part, arg);

	if (!err && guard_touches(vma))
		err = anon_prepare(vma);
	if (!err) {
		vma_lock_write(vma);
		err = pages_guard(vma->vm_mm, part->start, part->end);
	}
	if (!err && has_feature(vma->vm_mm->instance, VMAREA_FEATURE_GUARD_FLAG))
		map_set_flags(vma, vma->vm_flags | VM_MAYBE_GUARD);
	return err;
}

static int remove_part(struct area_part *part, const void *arg)
	__must_hold_shared(vma_stable) __may_sleep
{
	int err = check_part(part, arg);

	return err ? err : file_remove(part->vma, part->start, part->end);
}

static int collapse_part(struct area_part *part, const void *arg)
	__must_hold(vma_stable) __may_sleep
{
	int err = check_part(part, arg);

	return err ? err : pages_collapse(part->vma, part->start, part->end);
}

/* -------------------------------------------------------------------- calls -- */

static bool changes_areas(const struct advice *advice)
{
	return advice->kind == ADVISE_FLAGS || advice->kind == ADVISE_GUARD;
}

static bool needs_write_lock(const struct advice *advice)
{
	return changes_areas(advice) || advice->kind == ADVISE_COLLAPSE;
}

static bool may_touch(const struct advice *advice)
{
	return advice->kind == ADVISE_GUARD || advice->kind == ADVISE_TOUCH;
}

/* The host's memory that a call may need, over all its ranges. */
struct need {
	unsigned long nr_new, nr_changed, nr_touched;
};

/* As map_reserve_range(): a split at each end, and the neighbours on both sides. */
static void add_need(struct need *need, const struct mm_struct *mm, unsigned long start,
		     unsigned long end, const struct advice *advice)
	__must_hold_shared(vma_stable)
{
	const struct vm_area_struct *vma;

	if (changes_areas(advice)) {
		need->nr_new += 2;
		need->nr_changed += vma_count(mm, start, end) + 4;
	}
	if (!may_touch(advice))
		return;
	for (vma = vma_in(mm, start, end); vma && vma->vm_start < end; vma = vma_after(vma))
		/* Relaxed: another thread's fault may come first. */
		need->nr_touched += !atomic_load_relaxed(&vma->anon);
}

static int reserve(struct mm_struct *mm, const struct need *need)
	__must_hold_shared(vma_stable) __may_sleep
	__context_unsafe("areas are reserved only where lock_for() locks for writing")
{
	int err = need->nr_new ? map_reserve(mm, need->nr_new, need->nr_changed) : 0;

	return err ? err : anon_reserve(mm, need->nr_touched);
}

/* With the lock that the advice needs, and the reserve made.  [start, end) is not empty. */
static int apply(struct mm_struct *mm, unsigned long start, unsigned long end,
		 const struct advice *advice)
	__must_hold_shared(vma_stable) __may_sleep
{
	switch (advice->kind) {
	case ADVISE_FLAGS:
		return mm_advise_range(mm, start, end, change_flags, advice);
	case ADVISE_PAGES:
		return mm_advise_range(mm, start, end, advise_pages, advice);
	case ADVISE_GUARD:
		return mm_advise_range(mm, start, end, install_guard, advice);
	case ADVISE_REMOVE:
		return mm_advise_range(mm, start, end, remove_part, advice);
	case ADVISE_COLLAPSE:
		return mm_advise_range(mm, start, end, collapse_part, advice);
	case ADVISE_READ:
		return mm_advise_read(mm, start, end);
	case ADVISE_TOUCH:
		return mm_advise_touch(mm, start, end, advice->number == MADV_POPULATE_WRITE ?
				       MM_ACCESS_WRITE : MM_ACCESS_READ);
	case ADVISE_POISON:
		return mm_advise_poison(mm, start, end);
	}
	return -EINVAL;
}

static int lock_for(struct mm_struct *mm, const struct advice *advice)
	__cond_acquires_shared(0, vma_stable) __may_sleep
{
	if (needs_write_lock(advice))
		return mm_write_lock_killable(mm);
	mm_read_lock(mm);
	return 0;
}

static void unlock_for(struct mm_struct *mm, const struct advice *advice)
	__releases_shared(vma_stable) __may_sleep
	__context_unsafe("which lock it is depends on the advice")
{
	if (may_touch(advice))
		anon_unreserve(mm);
	if (needs_write_lock(advice))
		mm_write_unlock(mm);
	else
		mm_read_unlock(mm);
}

/* A block is made of pages that are there. */
static int swap_in_for(struct mm_struct *mm, const struct advice *advice, unsigned long start,
		       unsigned long end)
	__must_not_hold(vma_stable) __may_sleep
{
	return advice->kind == ADVISE_COLLAPSE ? mm_swap_in(mm, start, end, SWAP_ANY) : 0;
}

/* The next part of [start, end), not empty, with an area.  False: there is none, or it refuses. */
static bool next_part(struct mm_struct *mm, unsigned long start, unsigned long end,
		      const struct advice *advice, struct reclaim_from *range)
	__must_not_hold(vma_stable) __may_sleep
{
	struct area_part part;
	bool found;

	mm_read_lock(mm);
	part.vma = vma_in(mm, start, end);
	found = part.vma;
	if (found) {
		part.start = range->start = max(part.vma->vm_start, start);
		part.end = range->end = min(part.vma->vm_end, end);
		found = !check_part(&part, advice);
	}
	mm_read_unlock(mm);
	return found;
}

/*
 * MADV_PAGEOUT, as far as the areas have allowed it; each is asked once more.  False: one refuses,
 * or there is a hole.
 */
static bool page_out(struct mm_struct *mm, unsigned long start, unsigned long end,
		     const struct advice *advice)
	__must_not_hold(vma_stable) __may_sleep
{
	struct reclaim_from range = { .mm = mm };
	bool whole = true;

	while (start < end && next_part(mm, start, end, advice, &range)) {
		if (range.start != start)
			whole = false;
		reclaim_pages(mm->instance, range, 0);
		start = range.end;
	}
	return whole && start >= end;
}

static int advise_once(struct mm_struct *mm, unsigned long start, unsigned long end,
		       const struct advice *advice)
	__must_not_hold(vma_stable) __may_sleep
{
	struct need need = { 0 };
	int err = swap_in_for(mm, advice, start, end);

	if (err)
		return err;
	err = lock_for(mm, advice);
	if (err)
		return err;
	add_need(&need, mm, start, end, advice);
	err = reserve(mm, &need);
	if (!err)
		err = apply(mm, start, end, advice);
	unlock_for(mm, advice);
	return err;
}

long mm_madvise(struct mm_user *user, unsigned long addr, unsigned long len, int number)
{
	witness_call();
	struct mm_struct *mm = mm_of(user);
	const struct advice *advice = find_advice(mm->instance, number);
	unsigned int nr_tries = 0;
	unsigned long end;
	long ret;

	if (!advice)
		return -EINVAL;
	ret = mm_check_advised(addr, len, &end);
	if (ret)
		return ret < 0 ? ret : 0;
	do
		ret = advise_once(mm, addr, end, advice);
	while (mm_call_again(mm->instance, &ret, &nr_tries));
	if (advice->pages_out && mm_has_pages(mm))
		page_out(mm, addr, end, advice);
	return ret;
}

/* What a call may transfer in all, as Linux limits it for readv() and its kind. */
#define MAX_ADVISED_BYTES	(0x7ffffffful & PAGE_MASK)
#define MAX_RANGES		1024

/* The checks that the kernel makes when it copies a vector in; *total is capped. */
static int check_ranges(const struct mm_struct *mm, const struct mm_range *ranges,
			size_t nr_ranges, unsigned long *total)
{
	if (nr_ranges > MAX_RANGES)
		return -EINVAL;
	for (size_t i = 0; i < nr_ranges; i++) {
		if ((long)ranges[i].len < 0)
			return -EINVAL;
	}
	*total = 0;
	for (size_t i = 0; i < nr_ranges; i++) {
		unsigned long len = ranges[i].len, end;

		/* A single one is cut to size before it is looked at. */
		if (nr_ranges == 1)
			len = min(len, MAX_ADVISED_BYTES);
		if (check_add_overflow(ranges[i].addr, len, &end) ||
		    end > atomic_load_relaxed(&mm->task_size))
			return -EFAULT;
		*total += min(len, MAX_ADVISED_BYTES - *total);
	}
	return 0;
}

/* For each range that will be looked at, whatever comes of those before it. */
static int reserve_ranges(struct mm_struct *mm, const struct mm_range *ranges, unsigned long left,
			  const struct advice *advice)
	__must_hold_shared(vma_stable) __may_sleep
{
	struct need need = { 0 };

	for (size_t i = 0; left; i++) {
		unsigned long len = min(ranges[i].len, left), end;

		if (!mm_check_advised(ranges[i].addr, len, &end))
			add_need(&need, mm, ranges[i].addr, end, advice);
		left -= len;
	}
	return reserve(mm, &need);
}

/*
 * Up to the first error; an empty range is looked at only if it comes first, as in Linux.  *left is
 * what was not advised, of *left bytes.
 */
static int advise_ranges(struct mm_struct *mm, const struct mm_range *ranges, unsigned long *left,
			 const struct advice *advice)
	__must_hold_shared(vma_stable) __may_sleep
{
	for (size_t i = 0; *left; i++) {
		unsigned long len = min(ranges[i].len, *left), end;
		int err;

		if (!len && i)
			continue;
		err = mm_check_advised(ranges[i].addr, len, &end);
		if (!err)
			err = apply(mm, ranges[i].addr, end, advice);
		if (err < 0)
			return err;
		*left -= len;
	}
	return 0;
}

static int advise_together(struct mm_struct *mm, const struct mm_range *ranges,
			   unsigned long *left, const struct advice *advice)
	__must_not_hold(vma_stable) __may_sleep
{
	int err = lock_for(mm, advice);

	if (err)
		return err;
	err = reserve_ranges(mm, ranges, *left, advice);
	if (!err)
		err = advise_ranges(mm, ranges, left, advice);
	unlock_for(mm, advice);
	return err;
}

/* As advise_ranges(), but what comes before a range's lock is not done for those behind it. */
static int advise_one_by_one(struct mm_struct *mm, const struct mm_range *ranges,
			     unsigned long *left, const struct advice *advice)
	__must_not_hold(vma_stable) __may_sleep
{
	for (size_t i = 0; *left; i++) {
		unsigned long len = min(ranges[i].len, *left), end;
		int err;

		if (!len && i)
			continue;
		err = mm_check_advised(ranges[i].addr, len, &end);
		if (!err)
			err = advise_once(mm, ranges[i].addr, end, advice);
		if (err < 0)
			return err;
		*left -= len;
	}
	return 0;
}

/* As advise_ranges() has gone: the range that it ended in, too, as far as the areas allow. */
static void page_out_ranges(struct mm_struct *mm, const struct mm_range *ranges, unsigned long left,
			    const struct advice *advice)
	__must_not_hold(vma_stable) __may_sleep
{
	for (size_t i = 0; left; i++) {
		unsigned long len = min(ranges[i].len, left), end;
		int err;

		if (!len && i)
			continue;
		err = mm_check_advised(ranges[i].addr, len, &end);
		if (err < 0 || (!err && !page_out(mm, ranges[i].addr, end, advice)))
			return;
		left -= len;
	}
}

long mm_process_madvise(struct mm_user *user, const struct mm_range *ranges, size_t nr_ranges,
			int number, unsigned int flags, bool self)
{
	witness_call();
	struct mm_struct *mm = mm_of(user);
	const struct advice *advice = find_advice(mm->instance, number);
	unsigned long total, left;
	unsigned int nr_tries = 0;
	long ret;

	if (flags)
		return -EINVAL;
	ret = check_ranges(mm, ranges, nr_ranges, &total);
	if (ret)
		return ret;
	if (!self && (!advice || !advice->remote))
		return -EINVAL;
	/* Linux asks if there is such an advice when it comes to a range. */
	if (!advice)
		return total ? -EINVAL : 0;
	do {
		left = total;
		ret = advice->kind == ADVISE_COLLAPSE ?
		      advise_one_by_one(mm, ranges, &left, advice) :
		      advise_together(mm, ranges, &left, advice);
	} while (mm_call_again(mm->instance, &ret, &nr_tries));
	if (left < total || !ret)
		ret = (long)(total - left);
	if (advice->pages_out && mm_has_pages(mm))
		page_out_ranges(mm, ranges, total, advice);
	return ret;
}
