/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The census: while nobody calls anything, who holds each frame?
 *
 *	references	one for each entry that maps the frame, of any mm; one if a file has it;
 *			PIN_BIAS for each pin; one if it is a page table; the zero page's own; and
 *			frames of small objects, whose pools must have as many as these hold
 *	mapcount	entries that map it
 *
 * and nothing else: a frame that nobody of these knows has to be free.  So what is lost is found in
 * the round in which it is lost.  Before that each mm and the machine are validated, each mm's tables
 * are read back by the hardware's walker, and what a device remembers must still be so.
 */
#include <string.h>

#include "../walker/opinion.h"
#include "pages.h"

#include "fault/fault.h"
#include "file/filemap.h"
#include "vma/anon.h"
#include "vma/handle.h"

struct holders {
	unsigned int refs, maps;
	bool table;
};

static struct holders *holders;
static unsigned long nr_frames;

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
	if (!pte_present(pt->format, e) || pte_special(pt->format, e))
		return 0;
	page = pfn_page(pt->frames, pte_pfn(pt->format, e));
	holders_of(page_head(page))->refs++;
	for (unsigned long i = 0; i < (level == PT_PMD ? PT_ENTRIES : 1); i++)
		holders[page_pfn(page) + i].maps++;
	return 0;
}

static void count_table(void *arg, uint64_t table_pa, int level)
{
	(void)arg;
	(void)level;
	CHECK(table_pa / PAGE < nr_frames, "a table at %#lx", (unsigned long)table_pa);
	holders[table_pa / PAGE].refs++;
	holders[table_pa / PAGE].table = true;
}

static void count_mm(struct mm_user *mm)
{
	const struct hw_visitor visitor = { .table = count_table };
	struct pgtable *pt = mm_from_user(mm)->pgt;
	struct mm_page_table given;
	struct hw_tables tables;

	CHECK(mm_get_page_table(mm, &given), "an mm without pages");
	tables = hw_tables_of(pt, given.format == MM_TABLE_RISCV ? &hw_riscv : &hw_x86);
	count_table(NULL, given.root * PAGE, 0);
	hw_each(&tables, &visitor);
	pt_walk(pt, 0, pt_limit(pt), count_entry, pt);
}

/* Shared anonymous objects are files, too.  Files that are open on one inode share its pages. */
static void count_files(struct vmarea *v)
	__context_unsafe("nobody calls anything")
{
	for (unsigned int i = 0; i < INSTANCE_ROLLS; i++) {
		struct file *file;

		list_for_each_entry(file, &v->rolls[i].files, on_roll.link) {
			unsigned long at = 0;
			struct page *page;

			for (; (page = pi_find(&file->mapping->pages, &at, PI_PRESENT)); at++)
				holders_of(page_head(page))->refs++;
		}
	}
}

static void count_pins(void)
{
	for (unsigned int t = 0; t < NR_THREADS; t++)
		for (unsigned int i = 0; i < NR_PINS; i++)
			if (threads[t].pins[i].page)
				holders_of(page_head(threads[t].pins[i].page))->refs += PIN_BIAS;
}

/* ------------------------------------------------------------------------------ judging -- */

/* A frame that nobody has a claim to, and is in use: if it is one with small objects, how many. */
static unsigned long objects_in(const struct page *page)
{
	CHECK(page_refs(page) == 1 && !(page_flags(page) & ~PG_ZERO) && page->private &&
	      page->private <= PAGE / sizeof(void *),
	      "frame %lu is lost: %u references, flags %#x, mapcount %d", page_pfn(page),
	      page_refs(page), page_flags(page), page->mapcount);
	return page->private;
}

static unsigned long objects_used(struct vmarea *v)
	__context_unsafe("nobody calls anything")
{
	return v->cache->nodes.nr_used + v->anon_pool->nr_used;
}

static void judge(struct vmarea *v)
{
	struct page *frames = arena_frames(v->arena);
	unsigned long nr_objects = 0;

	for (unsigned long pfn = 0; pfn < nr_frames; pfn++) {
		const struct page *page = frames + pfn;
		const struct holders *h = &holders[pfn];

		/* The structs' own frames, and what has never been used. */
		if (!page->pfn) {
			CHECK(!h->refs && !h->maps, "frame %lu has no struct, and %u holders", pfn,
			      h->refs);
			continue;
		}
		CHECK(page->mapcount == (int)h->maps, "frame %lu is mapped %u times, and counts %d",
		      pfn, h->maps, page->mapcount);
		CHECK(!h->table || (page_flags(page) & PG_TABLE), "frame %lu is no table", pfn);
		if (!h->refs && page_refs(page))
			nr_objects += objects_in(page);
		else
			CHECK(page_refs(page) == h->refs,
			      "frame %lu has %u holders, and %u references; flags %#x", pfn, h->refs,
			      page_refs(page), page_flags(page));
	}
	CHECK(nr_objects == objects_used(v), "%lu objects are in frames, the pools say %lu",
	      nr_objects, objects_used(v));
}

/* ------------------------------------------------------------------------------- others -- */

static void check_shadow(struct space *s)
{
	struct pgtable *pt = mm_from_user(s->mm)->pgt;

	for (unsigned long group = 0; group < NR_PAGES / SHADOW_GROUP; group++) {
		unsigned long pfn = (uint32_t)s->shadow[group];
		unsigned long i = group * SHADOW_GROUP + (s->shadow[group] >> 32) % SHADOW_GROUP;
		unsigned int level;
		pte_t e;

		if (!pfn)
			continue;
		e = pt_look(pt, addr_of(i), &level);
		CHECK(pte_present(pt->format, e) &&
		      pte_pfn(pt->format, e) + (level == PT_PMD ? i % PT_ENTRIES : 0) == pfn,
		      "nobody told the device that page %lu is not frame %lu any more", i, pfn);
	}
}

void take_census(void)
{
	struct vmarea *v = instance;
	char why[256] = "";

	CHECK(!vmarea_validate(v, why, sizeof(why)), "%s", why);
	/* Tables and nodes that are on their way to be freed. */
	port_rcu_barrier();
	nr_frames = arena_window(v->arena)->bytes / PAGE;
	holders = calloc(nr_frames, sizeof(*holders));
	CHECK(holders, "calloc");
	for (struct space *s = all_spaces; s; s = s->next) {
		CHECK(opinion_of_mm(s->mm, why), "%s", why);
		check_shadow(s);
		count_mm(s->mm);
	}
	count_files(v);
	count_pins();
	holders_of(arena_zero_page(v->arena))->refs++;
	judge(v);
	free(holders);
}
