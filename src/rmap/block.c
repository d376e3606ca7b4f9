/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A block of 2 MiB becomes pages: see the essay of fault/huge.c for what is counted. */
#include "rmap/rmap.h"

static u32 count_pieces(const struct pt_slot *slot, const struct page *head)
	__must_hold(slot)
{
	const struct pt_format *format = slot->pt->format;
	const pte_t *entry = pt_table_entries(slot->table);
	u32 nr = 0;

	for (unsigned long i = 0; i < PT_ENTRIES; i++, entry++) {
		pte_t e = { atomic_load_relaxed(&entry->raw) };

		nr += pte_present(format, e) &&
		      pte_pfn(format, e) - page_pfn(head) < PT_ENTRIES;
	}
	return nr;
}

bool rmap_take_apart(const struct pt_slot *slot, struct page *head, u32 own)
{
	/* At a glance: a leaf, or more references than a table has entries? */
	if (page_nr_leaves(head) || page_refs(head) > PT_ENTRIES + own ||
	    !page_try_split(head, count_pieces(slot, head) + own))
		return false;
	/* Each frame has one reference now: its entry's, or the caller's, or nobody's. */
	if (own && atomic_load_relaxed(&head->mapcount))
		page_get_many(head, own);
	for (unsigned long i = own ? 1 : 0; i < PT_ENTRIES; i++)
		if (!atomic_load_relaxed(&head[i].mapcount))
			page_put(head + i);
	return true;
}

static bool take_apart_here(struct rmap_walk *walk, struct pt_slot *slot)
	__must_hold(slot)
{
	*(bool *)walk->arg = rmap_take_apart(slot, page_head(walk->page), 1);
	return false;
}

/* One that an entry is found by. */
static struct page *first_mapped(struct page *head)
{
	for (unsigned long i = 0; i < PT_ENTRIES; i++)
		if (page_mapcount(head + i))
			return head + i;
	return head;
}

bool rmap_split_block(struct page *head, enum rmap_wait wait)
{
	bool done = false;
	struct rmap_walk walk = {
		.page = first_mapped(head), .fn = take_apart_here, .arg = &done, .wait = wait,
		.by_pieces = true,
	};

	return !rmap_walk(&walk) && done;
}
