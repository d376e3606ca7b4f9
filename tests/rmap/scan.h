/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Where frames are mapped, found by looking at every entry of every table; and by their reverse
 * map.  The two have to say the same.
 */
#ifndef TESTS_RMAP_SCAN_H
#define TESTS_RMAP_SCAN_H

#include <stdlib.h>

#include "../fault/memory.h"
#include "rmap/rmap.h"
#include "vma/map.h"

struct place {
	struct page *page;
	struct pgtable *pt;
	unsigned long addr;
};

#define SCAN_MOST	20000u

struct scan {
	struct place at[SCAN_MOST];
	unsigned int nr;
	struct pgtable *pt;		/* being looked at */
};

static inline void scan_add(struct scan *s, struct place place)
{
	assert_true(s->nr < SCAN_MOST);
	s->at[s->nr++] = place;
}

static inline int scan_entry(void *arg, unsigned long addr, unsigned int level, pte_t e)
{
	struct scan *s = arg;
	struct page *page;

	if (!pte_present(s->pt->format, e) || pte_special(s->pt->format, e))
		return 0;
	page = pfn_page(s->pt->frames, pte_pfn(s->pt->format, e));
	for (unsigned long i = 0; i < (level == PT_PMD ? PT_ENTRIES : 1); i++)
		scan_add(s, (struct place){ page + i, s->pt, addr + i * PAGE_SIZE });
	return 0;
}

/* Every mapping of anything in @user, added to what is there. */
static inline void scan_mm(struct scan *s, struct mm_user *user)
{
	s->pt = mm_from_user(user)->pgt;
	pt_walk(s->pt, 0, pt_limit(s->pt), scan_entry, s);
}

static inline int scan_compare(const void *va, const void *vb)
{
	const struct place *a = va, *b = vb;

	if (a->page != b->page)
		return a->page < b->page ? -1 : 1;
	if (a->pt != b->pt)
		return a->pt < b->pt ? -1 : 1;
	return a->addr < b->addr ? -1 : a->addr > b->addr;
}

static inline void scan_sort(struct scan *s)
{
	qsort(s->at, s->nr, sizeof(s->at[0]), scan_compare);
}

static inline bool scan_found(struct rmap_walk *walk, struct pt_slot *slot)
{
	const struct pgtable *pt = slot->pt;
	unsigned long first = pte_pfn(pt->format, pt_slot_get(slot));

	scan_add(walk->arg, (struct place){
		walk->page, slot->pt, slot->addr + ((walk->page->pfn - first) << PAGE_SHIFT),
	});
	return true;
}

static inline void scan_walk(struct scan *found, struct page *page, enum rmap_order order)
{
	struct rmap_walk walk = { .page = page, .fn = scan_found, .arg = found, .order = order };
	struct page *head = page_head(page);

	found->nr = 0;
	page_get(head);
	page_lock(head);
	assert_int_equal(rmap_walk(&walk), 0);
	page_unlock(head);
	page_put(head);
	assert_int_equal(walk.nr_entries, found->nr);
	scan_sort(found);
}

/* For each page of @s, which is sorted and has all there is: its walk finds it, and no more. */
static inline void scan_check(const struct scan *s)
{
	static struct scan found;

	for (unsigned int i = 0, nr; i < s->nr; i += nr) {
		const struct place *at = &s->at[i];

		for (nr = 1; i + nr < s->nr && at[nr].page == at->page; nr++)
			;
		assert_int_equal(page_mapcount(at->page), nr);
		for (int order = 0; order < 2; order++) {
			scan_walk(&found, at->page, (enum rmap_order)order);
			assert_int_equal(found.nr, nr);
			assert_memory_equal(found.at, at, nr * sizeof(*at));
		}
	}
}

#endif
