/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The walker's second half: the entries of an mm's page table, with every area write-locked.  Other
 * mms go on, and so do those who hold references: counts of a page are looked at only where these
 * can do nothing about them.
 *
 *	P1	an entry that is not none lies in an area, and is a leaf, a guard, bytes that
 *		are lost, or a page that is being moved, or is in a slot that is in use
 *	P2	a leaf allows no more than its area; writing to private memory only if its page
 *		is anonymous and exclusive
 *	P3	a special leaf is the zero page or the zero block, or what a driver shows, a frame
 *		or 512 in a row, and has not freed; any other's page is in use and counts as
 *		mapped, and an exclusive one is mapped once
 *	P4	the counts that RSS is read from are those of the leaves
 *	P5	a leaf of 2 MiB lies in one area, is a whole block or a driver's frames, and has a
 *		table put aside
 *	P6	a page knows its place: its file and the number in it, or an anon_vma of its area
 *		and the area's number; so a walk from it comes by here.  A driver's need not.
 *		Looked at where nobody calls anything: else it could be another's by now
 *
 * Who comes by a reverse map is not kept out: a page may be moved, or a file cut, between the look
 * at an entry and that at its page.  What is wrong is wrong at the next look, too.
 */
#include "file/file.h"
#include "report/walk.h"
#include "swap/swap.h"
#include "vma/anon.h"

/* Long enough for whoever has changed an entry, and not its count, to be given a CPU. */
#define LOOKS	5000

struct page_check {
	const struct mm_struct *mm;
	enum walk_beside beside;
	struct text *why;
	const struct pgtable *pt;
	unsigned long nr[PT_COUNTS];
	unsigned long nr_huge;
};

/* Says what is wrong at @addr; returns -EINVAL, for brevity's sake. */
static int wrong(struct page_check *p, unsigned long addr, const char *what)
{
	text_str(p->why, "page at 0x");
	text_hex(p->why, addr);
	text_str(p->why, ": ");
	text_str(p->why, what);
	return -EINVAL;
}

/* P3.  @page is the head if it is a leaf of 2 MiB. */
static int check_page(struct page_check *p, unsigned long addr, struct page *page, bool huge)
{
	const u32 flags = page_flags(page);
	const unsigned long nr = huge ? PT_ENTRIES : 1;

	if (!page_refs(page_head(page)) ||
	    atomic_load_relaxed(page_map_counter(page, huge)) < 1)
		return wrong(p, addr, "a page that is free or not mapped");
	for (unsigned long i = 0; (flags & PG_EXCLUSIVE) && i < nr; i++)
		if (!(flags & PG_ANON) || page_mapcount(page + i) != 1)
			return wrong(p, addr, "an exclusive page is mapped elsewhere");
	p->nr[flags & PG_ANON ? PT_ANON : flags & PG_SHMEM ? PT_SHMEM : PT_FILE] += nr;
	return 0;
}

/* P5 */
static int check_huge(struct page_check *p, const struct vm_area_struct *vma, unsigned long addr,
		      const struct page *page)
	__must_hold_shared(vma_stable)
{
	p->nr_huge++;
	if (addr < vma->vm_start || addr + PMD_SIZE > vma->vm_end)
		return wrong(p, addr, "a leaf of 2 MiB sticks out of its area");
	if (!IS_ALIGNED(addr, PMD_SIZE) || !IS_ALIGNED(page_pfn(page), PT_ENTRIES))
		return wrong(p, addr, "a leaf of 2 MiB that is not aligned");
	if (vma->vm_flags & VM_PFNMAP)
		return 0;
	if ((page_flags(page) & PG_TAIL) || page_order(page) != PAGE_MAX_ORDER)
		return wrong(p, addr, "a leaf of 2 MiB, and no block");
	return 0;
}

/* P6.  Of a block the first page knows, for all. */
static bool knows_place(const struct vm_area_struct *vma, unsigned long addr,
			const struct page *page)
	__must_hold_shared(vma_stable)
{
	const struct page *head = page_head((struct page *)page);
	void *of = atomic_load_relaxed(&head->mapping);

	if (page_flags(head) & PG_ANON) {
		if (!anon_chain_has(vma->anon, of))
			return false;
	} else if (page_flags(head) & PG_DRIVER) {
		return true;
	} else if (!vma->vm_file || of != vma->vm_file->mapping) {
		return false;
	}
	return head->index + (unsigned long)(page - head) == vma_pgoff_at(vma, addr);
}

/* P3 */
static int check_special(struct page_check *p, const struct vm_area_struct *vma, unsigned long addr,
			 bool huge, pte_t e)
	__must_hold_shared(vma_stable)
{
	const unsigned long pfn = pte_pfn(p->pt->format, e);
	const bool zeros = huge ? arena_is_huge_zero(p->pt->arena, pfn) :
				  pfn == page_pfn(arena_zero_page(p->pt->arena));

	if (zeros && !(vma->vm_flags & VM_PFNMAP) && !pte_write(p->pt->format, e))
		return 0;
	if (!(vma->vm_flags & (huge ? VM_PFNMAP : VM_PFNMAP | VM_MIXEDMAP)))
		return wrong(p, addr, "a special entry, and no zero page");
	if (vma_copies_writes(vma))
		return wrong(p, addr, "a frame without a page, where writes are to copies");
	for (unsigned long i = 0; i < (huge ? PT_ENTRIES : 1); i++)
		if (!driver_may_show_pfn(p->mm, pfn + i))
			return wrong(p, addr, "a frame that its driver has freed");
	return 0;
}

/* P2, P3, P6 */
static int check_leaf(struct page_check *p, const struct vm_area_struct *vma, unsigned long addr,
		      bool huge, pte_t e)
	__must_hold_shared(vma_stable)
{
	const u32 rights = pte_attrs(p->pt->format, e) & PT_RIGHTS;
	const unsigned long pfn = pte_pfn(p->pt->format, e);
	struct page *page = pfn_page(p->pt->frames, pfn);
	const u32 own = PG_ANON | PG_EXCLUSIVE;

	if (huge && check_huge(p, vma, addr, page))
		return -EINVAL;
	if (rights & ~area_rights(vma->vm_flags))
		return wrong(p, addr, "an entry allows more than its area");
	if (pte_user_wp(p->pt->format, e) && ((rights & PT_WRITE) || !(vma->vm_flags & VM_UFFD_WP)))
		return wrong(p, addr, "writes are asked for, and allowed, or asked nobody");
	if (pte_special(p->pt->format, e))
		return check_special(p, vma, addr, huge, e);
	if ((rights & PT_WRITE) && !(vma->vm_flags & VM_SHARED) && (page_flags(page) & own) != own)
		return wrong(p, addr, "others would see a private write");
	if (p->beside == WALK_ALONE && !knows_place(vma, addr, page))
		return wrong(p, addr, "a page that cannot be found from its frame");
	return check_page(p, addr, page, huge);
}

/* P1 */
static int check_soft(struct page_check *p, unsigned long addr, pte_t e)
{
	switch (pte_soft_type(p->pt->format, e)) {
	case PT_SOFT_GUARD:
	case PT_SOFT_POISON:
	case PT_SOFT_MIGRATE_READ:
	case PT_SOFT_MIGRATE_WRITE:
		return 0;
	case PT_SOFT_SWAP:
		p->nr[PT_SWAP]++;
		if (swap_users(p->pt->swap, pte_soft_number(e)))
			return 0;
		return wrong(p, addr, "an entry names a slot that nobody uses");
	default:
		return wrong(p, addr, "an entry of an unknown kind");
	}
}

/* P1 */
static int check_entry(void *arg, unsigned long addr, unsigned int level, pte_t e)
	__context_unsafe("a callback: the caller holds all locks")
{
	struct page_check *p = arg;
	const struct vm_area_struct *vma = vma_at(p->mm, addr);

	if (!vma)
		return wrong(p, addr, "an entry in no area");
	if (pte_present(p->pt->format, e))
		return check_leaf(p, vma, addr, level == PT_PMD, e);
	return check_soft(p, addr, e);
}

static int look_once(struct mm_struct *mm, enum walk_beside beside, struct text *why)
	__must_hold(vma_stable)
{
	static const char *const names[PT_COUNTS] = {
		[PT_ANON] = "anonymous pages", [PT_FILE] = "pages of files",
		[PT_SHMEM] = "pages of shared memory", [PT_SWAP] = "swapped pages",
	};
	struct page_check p = { .mm = mm, .beside = beside, .why = why, .pt = mm->pgt };
	int err = pt_walk(mm->pgt, 0, pt_limit(p.pt), check_entry, &p);
	for (int i = 0; !err && i < PT_COUNTS; i++)
		if (p.nr[i] != pt_count(p.pt, (enum pt_count)i))
			err = walk_wrong_count(why, names[i], pt_count(p.pt, (enum pt_count)i),
					       p.nr[i]);
	if (!err && p.nr_huge != (unsigned long)atomic_load_relaxed(&p.pt->nr_spare))
		err = walk_wrong_count(why, "tables put aside",
				       (unsigned long)atomic_load_relaxed(&p.pt->nr_spare),
				       p.nr_huge);
	return err;
}

int walk_pages(struct mm_struct *mm, enum walk_beside beside, struct text *why)
{
	const struct text before = *why;
	struct vm_area_struct *vma;
	int err, looks = 0;

	if (!mm_has_pages(mm))
		return 0;
	for (vma = vma_first(mm, 0); vma; vma = vma_after(vma))
		vma_lock_write(vma);
	for (;;) {
		*why = before;
		why->buf[why->len] = 0;
		err = look_once(mm, beside, why);
		if (!err || ++looks == LOOKS)
			return err;
		port_yield();
	}
}
