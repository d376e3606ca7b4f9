/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * pagemap: a word for each page.
 *
 *	63	present				61	a page of a file or of shared memory
 *	62	swapped				56	mapped in one place
 *	58	a guard, and then 62, too	55	soft-dirty: the entry or the area
 *	0-54	the frame if present; if swapped 0-4 the area, and 5-54 which slot of it
 *
 * The words are made in a buffer on the stack and copied out without a lock: the caller's memory
 * may be a window of an mm, where a store is a fault.
 */
#include "base/str.h"
#include "report/entries.h"
#include "swap/swap.h"

#define WORDS_AT_ONCE	128u

struct pagemap {
	const struct pgtable *pt;
	unsigned long start, end;
	u64 words[WORDS_AT_ONCE];
};

static u64 word_of(const struct pgtable *pt, pte_t e, unsigned long nr)
{
	struct page *page = report_page(pt, e);
	u64 word;

	if (pte_present(pt->format, e)) {
		word = MM_PAGEMAP_PRESENT | (pte_pfn(pt->format, e) + nr);
		if (page && report_nr_mapped(page + nr) == 1)
			word |= MM_PAGEMAP_EXCLUSIVE;
		if (pte_attrs(pt->format, e) & PT_SOFT_DIRTY)
			word |= MM_PAGEMAP_SOFT_DIRTY;
		if (pte_user_wp(pt->format, e))
			word |= MM_PAGEMAP_USER_WP;
	} else {
		word = MM_PAGEMAP_SWAPPED;
		if (pte_soft_type(pt->format, e) == PT_SOFT_GUARD)
			word |= MM_PAGEMAP_GUARD;
		if (pte_soft_type(pt->format, e) == PT_SOFT_SWAP)
			word |= swap_area_of(pte_soft_number(e)) |
				(u64)swap_offset_of(pte_soft_number(e)) << 5;
	}
	if (page && !(page_flags(page) & PG_ANON))
		word |= MM_PAGEMAP_FILE;
	return word;
}

static void note_entry(void *arg, unsigned long addr, unsigned int level, pte_t entry)
{
	struct pagemap *p = arg;
	unsigned long end = min(addr + (level == PT_PMD ? PMD_SIZE : PAGE_SIZE), p->end);

	for (unsigned long at = max(addr, p->start); at < end; at += PAGE_SIZE)
		p->words[(at - p->start) >> PAGE_SHIFT] |=
			word_of(p->pt, entry, (at - addr) >> PAGE_SHIFT);
}

static void mark_soft_dirty(struct pagemap *p, const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	unsigned long end = min(p->end, vma->vm_end);

	if (!(vma->vm_flags & VM_SOFTDIRTY))
		return;
	for (unsigned long at = max(p->start, vma->vm_start); at < end; at += PAGE_SIZE)
		p->words[(at - p->start) >> PAGE_SHIFT] |= MM_PAGEMAP_SOFT_DIRTY;
}

/* [p->start, p->end), of one moment. */
static void read_words(struct mm_struct *mm, struct pagemap *p) __may_sleep
{
	unsigned int budget = ENTRIES_TABLES;		/* more than there are */
	struct vm_area_struct *vma;

	memset(p->words, 0, sizeof(p->words));
	mm_read_lock(mm);
	for (vma = vma_in(mm, p->start, p->end); vma && vma->vm_start < p->end;
	     vma = vma_after(vma))
		mark_soft_dirty(p, vma);
	report_entries(mm->pgt, p->start, p->end, &budget, note_entry, p);
	mm_read_unlock(mm);
}

long mm_pagemap_read(struct mm_user *user, unsigned long addr, size_t nr_pages, uint64_t *words)
{
	witness_call();
	struct mm_struct *mm = mm_from_user(user);
	struct pagemap p = { .pt = mm->pgt };
	unsigned long limit;
	size_t done = 0;

	if (!page_aligned(addr))
		return -EINVAL;
	if (!mm_has_pages(mm))
		return -EOPNOTSUPP;
	limit = pt_limit(mm->pgt);
	if (addr >= limit)
		return 0;
	nr_pages = min(nr_pages, (size_t)((limit - addr) >> PAGE_SHIFT));
	while (done < nr_pages) {
		size_t nr = min(nr_pages - done, (size_t)WORDS_AT_ONCE);

		p.start = addr + (done << PAGE_SHIFT);
		p.end = p.start + (nr << PAGE_SHIFT);
		read_words(mm, &p);
		memcpy(words + done, p.words, nr * sizeof(*words));
		done += nr;
	}
	return (long)done;
}
