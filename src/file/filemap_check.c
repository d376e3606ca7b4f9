/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The walker over the pages of one file; the numbers are those of filemap.c. */
#include "base/str.h"
#include "file/filemap.h"

static const char *page_wrong(const struct address_space *mapping, const struct page *page,
			      unsigned long index)
	__context_unsafe("nobody calls anything")
{
	u32 kind = mapping->kind & FILE_SHMEM ? PG_SHMEM : 0;
	bool swapped = pi_has_mark(&mapping->pages, index, FILEMAP_SWAPPED);

	if (index >= mapping_end(mapping))
		return "4: a page past the end";
	if (item_is_slot(page) != swapped)
		return "swapped, 2: in swap by its item, or by its mark";
	if (!item_is_page(page))
		return item_is_slot(page) || page == ITEM_LOST ? NULL : "swapped, 3: leaving";
	if (!page_refs(page))
		return "1: a page that is free";
	if (page->mapping != mapping || page->index != index)
		return "1: a page of another place";
	if (!(page_flags(page) & (PG_UPTODATE | PG_LOCKED)))
		return "3: not filled, and nobody does";
	if ((page_flags(page) & PG_SHMEM) != kind)
		return "5: a page of another kind";
	if (!kind && !(page_flags(page) & PG_DIRTY) !=
		     !pi_has_mark(&mapping->pages, index, FILEMAP_DIRTY))
		return "6: dirty by its flag, or by its mark";
	if (pi_has_mark(&mapping->pages, index, FILEMAP_WRITEBACK) &&
	    !(page_flags(page) & PG_LOCKED))
		return "6: written back by nobody";
	return NULL;
}

bool filemap_check(const struct address_space *mapping, char *why, size_t why_bytes)
{
	const char *wrong = NULL;
	unsigned long at = 0;
	struct page *page;

	if (!pi_check(&mapping->pages, why, why_bytes))
		return false;
	for (; !wrong && (page = pi_find(&mapping->pages, &at, PI_PRESENT)); at++)
		wrong = page_wrong(mapping, page, at);
	if (wrong) {
		struct text text = text_in(why, why_bytes);

		text_str(&text, wrong);
		text_str(&text, ": ");
		text_hex(&text, at - 1);
	}
	return !wrong;
}
