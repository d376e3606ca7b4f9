/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the tests of page tables share: the machines, a space on an arena, pages for it. */
#ifndef TESTS_PGTABLE_SPACE_H
#define TESTS_PGTABLE_SPACE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../walker/opinion.h"
#include "pgtable/pgtable.h"

#define RW	(PT_READ | PT_WRITE)
#define USER_RW	(RW | PT_USER)

static const struct machine {
	const char *name;
	const struct pt_format *format;
	const struct hw_machine *hw;
	unsigned int levels;
} machines[] = {
	{ "x86-64, 4 levels", &pt_format_x86_64, &hw_x86, 4 },
	{ "x86-64, 5 levels", &pt_format_x86_64, &hw_x86, 5 },
	{ "x86-64, 3 levels", &pt_format_x86_64, &hw_x86, 3 },
	{ "Sv39", &pt_format_riscv, &hw_riscv, 3 },
	{ "Sv48", &pt_format_riscv, &hw_riscv, 4 },
	{ "Sv57", &pt_format_riscv, &hw_riscv, 5 },
};

struct space {
	const struct machine *machine;
	struct arena *arena;
	struct pgtable pt;
};

static inline void space_make(struct space *s, const struct machine *machine, unsigned long mib,
			      const struct mmu_ops *mmu)
{
	struct pt_config config = {
		.format = machine->format, .levels = machine->levels, .mmu = mmu,
	};

	s->machine = machine;
	assert_int_equal(arena_create(mib << 20, &s->arena), 0);
	config.arena = s->arena;
	assert_int_equal(pt_create(&s->pt, &config), 0);
}

static inline void zap(struct pgtable *pt, unsigned long start, unsigned long end)
{
	struct mmu_gather gather;

	mmu_gather_init(&gather, pt, NULL, NULL);
	pt_zap_range(&gather, start, end);
	mmu_gather_flush(&gather);
}

/* Everything goes, with its tables. */
static inline void empty(struct pgtable *pt)
{
	struct mmu_gather gather;

	mmu_gather_init(&gather, pt, NULL, NULL);
	pt_zap_range(&gather, 0, pt_limit(pt));
	pt_free_tables(&gather, 0, pt_limit(pt));
	mmu_gather_flush(&gather);
	assert_int_equal(pt->nr_tables, 0);
}

static inline unsigned long frames_used(struct arena *arena)
{
	struct arena_stats stats;

	arena_get_stats(arena, &stats);
	return stats.total - stats.free - stats.cached;
}

/* The hardware and the library agree about every entry. */
static inline void check_opinion(const struct space *s, struct pgtable *pt)
{
	const struct hw_tables tables = hw_tables_of(pt, s->machine->hw);
	char why[OPINION_BYTES];

	if (!opinion_of_tables(pt, &tables, why))
		fail_msg("%s: %s", s->machine->name, why);
}

static inline void space_end(struct space *s)
{
	check_opinion(s, &s->pt);
	empty(&s->pt);
	pt_destroy(&s->pt);
	port_rcu_barrier();
	assert_int_equal(frames_used(s->arena), 1);	/* the zero page */
	arena_destroy(s->arena);
}

static inline const uint8_t *memory_of(const struct space *s)
{
	return arena_window(s->arena)->base;
}

static inline struct hw_translation translate(const struct space *s, const struct pgtable *pt,
					      unsigned long addr)
{
	const struct hw_tables tables = hw_tables_of(pt, s->machine->hw);

	return hw_translate(&tables, addr);
}

/* Maps a new page; the entry has its only reference. */
static inline struct page *map_new(struct pgtable *pt, unsigned long addr, u32 attrs)
{
	struct page *page = page_alloc(pt->arena, 0, PAGE_ZEROED);

	assert_non_null(page);
	assert_int_equal(pt_install(pt, NULL, addr, PT_PTE, PTE_NONE,
				    pte_leaf(pt->format, PT_PTE, page_pfn(page), attrs)), 0);
	return page;
}

static inline struct page *map_new_huge(struct pgtable *pt, unsigned long addr, u32 attrs)
{
	struct page *page = page_alloc(pt->arena, PAGE_MAX_ORDER, PAGE_ANYTHING);

	assert_non_null(page);
	assert_int_equal(pt_install(pt, NULL, addr, PT_PMD, PTE_NONE,
				    pte_leaf(pt->format, PT_PMD, page_pfn(page), attrs)), 0);
	return page;
}

static inline pte_t look(struct pgtable *pt, unsigned long addr)
{
	unsigned int level;

	return pt_look(pt, addr, &level);
}

#endif
