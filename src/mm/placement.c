/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Where a mapping goes: an address for a length.
 *
 * The program may have said where (MAP_FIXED: there or nowhere), may have said where it would like
 * it (a hint: there if it is free), or nothing.  Without a usable hint a free range is searched:
 *
 *	0      64K                     legacy_base        mmap_base   stack   task_size
 *	|------|----------------------------|------------------|-------|--------|
 *	       |<------------- top-down: the highest that fits |
 *	                                    | bottom-up: the lowest that fits ->|
 *	            |1G..2G| MAP_32BIT: bottom-up
 *
 * Top-down falls back to bottom-up if nothing fits.  A layout that is bottom-up (by the personality
 * at exec) is so from the start.  An unlimited stack at exec is no such layout: mmap_base is at a
 * sixth of task_size then.
 *
 * Guard gaps.  The pages just below a stack (VM_GROWSDOWN) are kept free for it: a search finds a
 * free range in the tree, which knows nothing of gaps, and then looks at the area above it.  If the
 * range reaches into that area's gap the search goes on beside it.  Linux is coarse here: bottom-up
 * it gives up the whole range below the stack, and so do we.  MAP_FIXED heeds no gap.
 *
 * Alignment.  A search for a length with an alignment asks for a range that holds it wherever it
 * begins, which is up to the alignment less a page too much: ranges that would just do are passed
 * over, as on Linux.  Who is aligned:
 *
 *	hugetlb files			to their page size
 *	FILE_PLACE_HUGE files		2 MiB, so that offset and address agree in their low bits,
 *	private /dev/zero		if a whole aligned huge page lies inside
 *	private anonymous memory	2 MiB, if there is no hint and the length is so, too
 *	all others			to the page
 *
 * The second and third rows are done by placing the length and 2 MiB more, and taking the part that
 * is aligned.  A hint is followed only if the padded length is free there.
 *
 * What is rejected: the random offset of up to 32 MiB that Linux adds for each MAP_32BIT call of a
 * randomised process.  Ours is the layout of a process that is not (ADDR_NO_RANDOMIZE).
 */
#include "mm/mm.h"

#define HUGE_2M_SIZE		(2ul << 20)
#define SIZE_4G			(4ul << 30)
#define RANGE_32BIT_START	(1ul << 30)
#define RANGE_32BIT_END		(2ul << 30)

/* What is asked of one search, in bytes. */
struct search {
	unsigned long len;
	unsigned long low, high;	/* the result lies inside */
	unsigned long align_mask;	/* 0: pages.  Bits in which the result is as align_offset */
	unsigned long align_offset;
};

/* One request, the same for each of the ways it may be tried. */
struct request {
	const struct mm_struct *mm;
	const struct file *file;
	unsigned long addr;		/* a hint, or 0; with MAP_FIXED the place */
	unsigned long len;
	unsigned long pgoff;
	unsigned long map_flags;
};

/* ------------------------------------------------------------ free ranges -- */

/* Nothing is searched, moved up to, or grown below it; MAP_FIXED may go lower. */
unsigned long vma_start_with_gap(const struct vm_area_struct *vma)
{
	unsigned long gap;

	if (!mm_is_stack(vma->vm_flags))
		return vma->vm_start;
	gap = (unsigned long)vma->vm_mm->instance->config.stack_guard_gap_pages << PAGE_SHIFT;
	return vma->vm_start > gap ? vma->vm_start - gap : 0;
}

static bool is_free(const struct mm_struct *mm, unsigned long addr, unsigned long len)
	__must_hold_shared(vma_stable)
{
	const struct vm_area_struct *next = vma_first(mm, addr);

	return !next || addr + len <= vma_start_with_gap(next);
}

/* The area above a free range, if it is one that keeps a gap. */
static const struct vm_area_struct *stack_above(const struct mm_struct *mm,
						const struct rt_range *range)
	__must_hold_shared(vma_stable)
{
	const struct vm_area_struct *next = vma_first(mm, range->start);

	return next && mm_is_stack(next->vm_flags) ? next : NULL;
}

static long search_up(const struct mm_struct *mm, const struct search *s)
	__must_hold_shared(vma_stable)
{
	unsigned long low = max(s->low, mm_lowest_addr(mm));
	struct rt_range range;
	unsigned long span;

	if (check_add_overflow(s->len, s->align_mask, &span))
		return -ENOMEM;
	while (low < s->high && rt_gap_first(&mm->areas, low, s->high, span, &range)) {
		const struct vm_area_struct *stack = stack_above(mm, &range);
		unsigned long addr = range.start;

		addr += (s->align_offset - addr) & s->align_mask;
		if (!stack || vma_start_with_gap(stack) >= addr + span - 1)
			return (long)addr;
		low = stack->vm_end;
	}
	return -ENOMEM;
}

static long search_down(const struct mm_struct *mm, const struct search *s)
	__must_hold_shared(vma_stable)
{
	unsigned long low = max(s->low, mm_lowest_addr(mm));
	unsigned long high = s->high;
	struct rt_range range;
	unsigned long span;

	if (check_add_overflow(s->len, s->align_mask, &span))
		return -ENOMEM;
	while (low < high && rt_gap_last(&mm->areas, low, high, span, &range)) {
		const struct vm_area_struct *stack = stack_above(mm, &range);
		unsigned long addr = range.end - s->len;

		addr -= (addr - s->align_offset) & s->align_mask;
		if (!stack || vma_start_with_gap(stack) >= range.end)
			return (long)addr;
		high = vma_start_with_gap(stack);
	}
	return -ENOMEM;
}

/* ---------------------------------------------------------------- layouts -- */

static bool is_hugetlb(const struct file *file)
{
	return file && (file_flags(file) & FILE_HUGETLB);
}

static unsigned long align_mask_of(const struct file *file)
{
	return is_hugetlb(file) ? (BIT(file->huge_shift) - 1) & PAGE_MASK : 0;
}

static long place_bottom_up(const struct request *r)
	__must_hold_shared(vma_stable)
{
	const struct mm_struct *mm = r->mm;
	bool low_2g = r->map_flags & MAP_32BIT;
	struct search s = {
		.len = r->len,
		.low = low_2g ? RANGE_32BIT_START : mm->mmap_legacy_base,
		.high = low_2g ? RANGE_32BIT_END : mm->task_size,
		.align_mask = align_mask_of(r->file),
	};

	if (r->map_flags & MAP_FIXED)
		return (long)r->addr;
	if (r->len > s.high)
		return -ENOMEM;
	/* A hint may lie below where the search begins: MAP_32BIT only bounds it from above. */
	if (r->addr && r->addr <= s.high - r->len && is_free(mm, r->addr, r->len))
		return (long)r->addr;
	return search_up(mm, &s);
}

static long place_top_down(const struct request *r)
	__must_hold_shared(vma_stable)
{
	const struct mm_struct *mm = r->mm;
	struct search s = {
		.len = r->len,
		.low = r->map_flags & MAP_ABOVE4G ? SIZE_4G : PAGE_SIZE,
		.high = mm->mmap_base,
		.align_mask = align_mask_of(r->file),
	};
	long addr;

	if (r->len > mm->task_size)
		return -ENOMEM;
	if (r->map_flags & MAP_FIXED)
		return (long)r->addr;
	if (!(r->map_flags & MAP_32BIT)) {
		if (r->addr && r->addr <= mm->task_size - r->len && is_free(mm, r->addr, r->len))
			return (long)r->addr;
		addr = search_down(mm, &s);
		if (addr >= 0)
			return addr;
	}
	return place_bottom_up(r);
}

static long place_by_layout(const struct request *r)
	__must_hold_shared(vma_stable)
{
	return r->mm->bottom_up ? place_bottom_up(r) : place_top_down(r);
}

/* ---------------------------------------------------- 2 MiB, where it pays -- */

/* Is there a whole huge page in the file range?  Signed, as file offsets are on Linux. */
static bool holds_huge_page(const struct request *r)
{
	u64 start = (u64)r->pgoff << PAGE_SHIFT;
	s64 end = (s64)(start + r->len);
	s64 first = (s64)ALIGN(start, HUGE_2M_SIZE);

	return end > first && end - first >= (s64)HUGE_2M_SIZE;
}

/* The address, or 0 if it has to be tried without the padding. */
static unsigned long place_padded(const struct request *r)
	__must_hold_shared(vma_stable)
{
	struct request padded = *r;
	unsigned long offset = r->pgoff << PAGE_SHIFT;
	unsigned long addr, off_by;
	long ret;

	if (!holds_huge_page(r) || check_add_overflow(r->len, HUGE_2M_SIZE, &padded.len) ||
	    offset + padded.len < offset)
		return 0;
	ret = place_by_layout(&padded);
	if (ret < 0)
		return 0;
	addr = (unsigned long)ret;
	if (addr == r->addr)
		return addr;
	off_by = (offset - addr) & (HUGE_2M_SIZE - 1);
	/* Of two aligned places in the padded range top-down takes the upper. */
	if (!off_by && !r->mm->bottom_up)
		return addr + HUGE_2M_SIZE;
	return addr + off_by;
}

static long place_huge(const struct request *r)
	__must_hold_shared(vma_stable)
{
	unsigned long addr = place_padded(r);

	return addr ? (long)addr : place_by_layout(r);
}

/* Both the hint and a fixed place are in whole huge pages; hints round up here. */
static long place_hugetlb(const struct request *r)
	__must_hold_shared(vma_stable)
{
	unsigned long size = BIT(r->file->huge_shift);
	struct request aligned = *r;

	if (r->len & (size - 1))
		return -EINVAL;
	if ((r->map_flags & MAP_FIXED) && (r->addr & (size - 1)))
		return -EINVAL;
	aligned.addr = ALIGN(r->addr, size);
	return place_by_layout(&aligned);
}

/* By what is mapped.  Shared memory without a file is placed as shmem is: by the page. */
static long place_by_kind(const struct request *r)
	__must_hold_shared(vma_stable)
{
	bool thp = has_feature(r->mm->instance, VMAREA_FEATURE_THP);

	if (is_hugetlb(r->file))
		return place_hugetlb(r);
	if (!thp)
		return place_by_layout(r);
	if (!r->file) {
		/* MAP_SHARED is a bit of MAP_SHARED_VALIDATE too. */
		if (!(r->map_flags & MAP_SHARED) && !r->addr && IS_ALIGNED(r->len, HUGE_2M_SIZE))
			return place_huge(r);
		return place_by_layout(r);
	}
	if (file_flags(r->file) & FILE_DEV_ZERO)
		return r->map_flags & MAP_SHARED ? place_by_layout(r) : place_huge(r);
	return r->file->placement == FILE_PLACE_HUGE ? place_huge(r) : place_by_layout(r);
}

/* ------------------------------------------------------------- the answer -- */

long mm_place_moved(const struct mm_struct *mm, const struct file *file, unsigned long addr,
		    unsigned long len, unsigned long pgoff, unsigned long map_flags)
{
	struct request r = {
		.mm = mm, .file = file, .addr = addr, .len = len,
		.pgoff = file ? pgoff : 0, .map_flags = map_flags,
	};
	long ret;

	if (len > mm->task_size)
		return -ENOMEM;
	ret = place_by_kind(&r);
	/* A fixed address of the upper half is negative and no error number: it fails below. */
	if ((unsigned long)ret >= -4095ul)
		return ret;
	addr = (unsigned long)ret;
	if (addr > mm->task_size - len)
		return -ENOMEM;
	if (!page_aligned(addr))
		return -EINVAL;
	if (addr < mm->instance->config.mmap_min_addr && !mm_capable(mm, MM_CAP_SYS_RAWIO))
		return -EPERM;
	return ret;
}

long mm_place(const struct mm_struct *mm, const struct file *file, unsigned long addr,
	      unsigned long len, unsigned long pgoff, unsigned long map_flags)
{
	if (!(map_flags & MAP_FIXED)) {
		addr = PAGE_ALIGN_DOWN(addr);
		if (addr)
			addr = max(addr, mm_lowest_addr(mm));
	}
	return mm_place_moved(mm, file, addr, len, pgoff, map_flags);
}
