/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The census: while nobody calls anything, who holds each frame?
 *
 *	references	one for each entry that maps the frame, or the block it is of, of any mm;
 *			one if a file has it, or the swap cache; PIN_BIAS for each pin; one if it is
 *			a page table
 *	mapcount	entries that map it by itself
 *
 * and nothing else, but the zero page's own, one block of zeros, as many tables put aside as there are
 * leaves of 2 MiB, and frames of small objects, whose pools must have as many as these hold.  Any
 * other frame has to be free.  So what is lost is found in the round in which it is lost.  Before
 * that the machine is validated, and each mm's tables are read back by the hardware's walker.
 */
#include <stdlib.h>

#include "../walker/opinion.h"
#include "census.h"

#include "fault/fault.h"
#include "file/filemap.h"
#include "vma/anon.h"
#include "vma/handle.h"

struct holders {
	unsigned int refs, maps;
	bool table;
};

static struct holders *holders;
static unsigned long nr_frames, nr_leaves;

/* In use by one more than was counted, and it is known why. */
struct unclaimed {
	unsigned long nr_objects, nr_tables, nr_zero_blocks;
};

static struct holders *holders_of(const struct page *page)
{
	CHECK(page_pfn(page) < nr_frames, "frame %lu", page_pfn(page));
	return &holders[page_pfn(page)];
}

/* ------------------------------------------------------------------------ who has what -- */

static int count_entry(void *arg, unsigned long addr, unsigned int level, pte_t e)
{
	const struct pgtable *pt = arg;
	struct page *page;

	(void)addr;
	if (!pte_present(pt->format, e))
		return 0;
	nr_leaves += level == PT_PMD;
	if (pte_special(pt->format, e))
		return 0;
	page = pfn_page(pt->frames, pte_pfn(pt->format, e));
	holders_of(page_head(page))->refs++;
	holders_of(page)->maps += level == PT_PTE;
	return 0;
}

static void count_table(void *arg, uint64_t table_pa, int level)
{
	(void)arg;
	(void)level;
	CHECK(table_pa / PAGE_SIZE < nr_frames, "a table at %#lx", (unsigned long)table_pa);
	holders[table_pa / PAGE_SIZE].refs++;
	holders[table_pa / PAGE_SIZE].table = true;
}

void census_mm(struct mm_user *mm)
{
	const struct hw_visitor visitor = { .table = count_table };
	struct pgtable *pt = mm_from_user(mm)->pgt;
	struct mm_page_table given;
	struct hw_tables tables;
	char why[256] = "";

	CHECK(opinion_of_mm(mm, why), "%s", why);
	CHECK(mm_get_page_table(mm, &given), "an mm without pages");
	tables = hw_tables_of(pt, given.format == MM_TABLE_RISCV ? &hw_riscv : &hw_x86);
	count_table(NULL, given.root * PAGE_SIZE, 0);
	hw_each(&tables, &visitor);
	pt_walk(pt, 0, pt_limit(pt), count_entry, pt);
}

/* The first of those that are open on its inode: what shares its pages is counted once. */
static bool is_first(struct vmarea *v, const struct file *file)
	__context_unsafe("nobody calls anything")
{
	for (unsigned int i = 0; i < INSTANCE_ROLLS; i++) {
		const struct file *f;

		list_for_each_entry(f, &v->rolls[i].files, on_roll.link)
			if (f->mapping == file->mapping)
				return f == file;
	}
	return false;
}

/* Shared anonymous objects are files, too. */
static void count_files(struct vmarea *v)
	__context_unsafe("nobody calls anything")
{
	for (unsigned int i = 0; i < INSTANCE_ROLLS; i++) {
		struct file *file;

		list_for_each_entry(file, &v->rolls[i].files, on_roll.link) {
			unsigned long at = 0;
			struct page *page;

			if (!is_first(v, file))
				continue;
			for (; (page = pi_find(&file->mapping->pages, &at, PI_PRESENT)); at++)
				if (item_is_page(page))
					holders_of(page_head(page))->refs++;
		}
	}
}

void census_pin(struct page *page)
{
	holders_of(page_head(page))->refs += PIN_BIAS;
}

/* ------------------------------------------------------------------------------ judging -- */

static bool is_zero(const struct page *block)
{
	const uint64_t *word = page_bytes(block);

	for (unsigned long i = 0; i < PT_ENTRIES * PAGE_SIZE / sizeof(*word); i++)
		if (word[i])
			return false;
	return true;
}

static void claim(const struct page *page, unsigned int refs, struct unclaimed *u)
{
	const u32 flags = page_flags(page) & ~PG_ZERO;
	bool one = page_refs(page) - refs == 1;

	if (one && !refs && (flags & PG_TABLE)) {
		u->nr_tables++;
	} else if (one && flags == PAGE_MAX_ORDER && is_zero(page)) {
		u->nr_zero_blocks++;
	} else {
		CHECK(one && !refs && !flags && page->private &&
		      page->private <= PAGE_SIZE / sizeof(void *),
		      "frame %lu: %u references, %u holders, flags %#x, mapcount %d",
		      page_pfn(page), page_refs(page), refs, flags, page->mapcount);
		u->nr_objects += page->private;
	}
}

static unsigned long objects_used(struct vmarea *v)
	__context_unsafe("nobody calls anything")
{
	return v->cache->nodes.nr_used + v->anon_pool->nr_used;
}

static void judge(struct vmarea *v)
{
	struct page *frames = arena_frames(v->arena);
	struct unclaimed u = { 0 };

	for (unsigned long pfn = 0; pfn < nr_frames; pfn++) {
		const struct page *page = frames + pfn;
		const struct holders *h = &holders[pfn];
		unsigned int refs;

		/* The structs' own frames, and what has never been used. */
		if (!page->pfn) {
			CHECK(!h->refs && !h->maps, "frame %lu has no struct, and %u holders", pfn,
			      h->refs);
			continue;
		}
		CHECK(page->mapcount == (int)h->maps, "frame %lu is mapped %u times, and counts %d",
		      pfn, h->maps, page->mapcount);
		CHECK(!h->table || (page_flags(page) & PG_TABLE), "frame %lu is no table", pfn);
		refs = h->refs + !!(page_flags(page) & PG_SWAPPED);
		if (page_refs(page) != refs)
			claim(page, refs, &u);
	}
	CHECK(u.nr_objects == objects_used(v), "%lu objects are in frames, the pools say %lu",
	      u.nr_objects, objects_used(v));
	CHECK(u.nr_tables == nr_leaves, "%lu tables are put aside, for %lu leaves of 2 MiB",
	      u.nr_tables, nr_leaves);
	CHECK(u.nr_zero_blocks <= 1, "%lu blocks of zeros", u.nr_zero_blocks);
}

/* -------------------------------------------------------------------------------- steps -- */

void census_begin(struct vmarea *v)
{
	char why[256] = "";

	CHECK(!vmarea_validate(v, why, sizeof(why)), "%s", why);
	/* Tables and nodes that are on their way to be freed. */
	port_rcu_barrier();
	nr_frames = arena_window(v->arena)->bytes / PAGE_SIZE;
	nr_leaves = 0;
	holders = calloc(nr_frames, sizeof(*holders));
	CHECK(holders, "calloc");
}

unsigned long census_end(struct vmarea *v)
{
	count_files(v);
	holders_of(arena_zero_page(v->arena))->refs++;
	judge(v);
	free(holders);
	return nr_leaves;
}
