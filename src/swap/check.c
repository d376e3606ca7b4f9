/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The walker's part: the invariants of swap.c, while nobody calls anything. */
#include "swap/swap.h"

void swap_see(struct swap_space *space, u64 number)
{
	struct swap_area *area;
	struct swap_slot *slot = swap_slot(space, number, &area);

	if (slot)
		slot->nr_seen++;
}

static const char *slot_wrong(const struct swap_space *space, const struct swap_slot *slot,
			      u64 number)
{
	const struct page *page;

	if (slot->users != slot->nr_seen)
		return "a slot has not as many users as entries name it";
	if (!slot->pfn)
		return NULL;
	if (!slot->users)
		return "a free slot has a page";
	if (slot->pfn == SWAP_OF_FILE)
		return NULL;
	page = pfn_page(space->frames, slot->pfn);
	if (!page_refs(page) || !(page_flags(page) & PG_SWAPPED) || page->private != number)
		return "the page of a slot is another's";
	return NULL;
}

static const char *area_wrong(const struct swap_space *space, struct swap_area *area, u64 number)
{
	const char *wrong = NULL;
	u32 nr_used = 0, in_group = 0;

	for (u32 i = 0; i < area->nr_slots; i++, number++) {
		struct swap_slot *slot = &area->slots[i];

		if (!wrong)
			wrong = slot_wrong(space, slot, number);
		slot->nr_seen = 0;
		nr_used += !!slot->users;
		in_group += !!slot->users;
		if ((i + 1) % SWAP_GROUP && i + 1 < area->nr_slots)
			continue;
		if (!wrong && in_group != area->groups[i / SWAP_GROUP])
			wrong = "a group of slots has another number in use";
		in_group = 0;
	}
	return !wrong && nr_used != area->nr_used ? "nr_used" : wrong;
}

bool swap_check(struct swap_space *space, const char **why)
	__context_unsafe("nobody calls anything")
{
	*why = NULL;
	for (unsigned int i = 0; i < VMAREA_SWAP_AREAS; i++) {
		const char *wrong = NULL;

		if (space->areas[i])
			wrong = area_wrong(space, space->areas[i], (u64)i << SWAP_AREA_SHIFT);
		if (wrong && !*why)
			*why = wrong;
	}
	return !*why;
}
