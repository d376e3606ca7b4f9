/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Walks over page tables for reports.  The essay is in counts.c. */
#ifndef REPORT_ENTRIES_H
#define REPORT_ENTRIES_H

#include <vmarea/report.h>

#include "mm/mm.h"

/* Tables that are walked before the mmap lock is let go of, and so at most 256 MiB of pages. */
#define ENTRIES_TABLES	128u
/* And areas. */
#define ENTRIES_AREAS	1024u

/* For an entry that is not none, under the lock of its table. */
typedef void entry_fn(void *arg, unsigned long addr, unsigned int level, pte_t entry);

/*
 * fn() for each entry of [start, end), in order: a PMD leaf may begin before @start and end after
 * @end.  Stops when *budget tables have been walked, and takes them off.  Returns the first address
 * that is not done.
 */
unsigned long report_entries(struct pgtable *pt, unsigned long start, unsigned long end,
			     unsigned int *budget, entry_fn *fn, void *arg)
	__must_hold_shared(vma_stable);

/* The page of a leaf, or of an entry that is being moved; NULL: special, or no page at all. */
struct page *report_page(const struct pgtable *pt, pte_t entry);

/* In how many places a page is mapped, and one at least: the entry that it was found in. */
u64 report_nr_mapped(struct page *page);

/* What of an area's block in smaps does not come from area_info. */
struct area_count {
	struct mm_page_counts pages;
	bool thp_eligible;		/* that of the area at the start */
};
void report_count(struct mm_struct *mm, unsigned long start, unsigned long end,
		  struct area_count *count)
	__must_not_hold(vma_stable) __may_sleep;

/* @sum += @more */
void report_add_counts(struct mm_page_counts *sum, const struct mm_page_counts *more);

/* The lines of smaps that count something, in their order. */
struct count_line {
	const char *label;		/* as smaps has it */
	const char *name;		/* as JSON has it */
	size_t offset;			/* of a uint64_t in struct mm_page_counts */
	enum count_unit { COUNT_BYTES, COUNT_PSS } unit;
	enum count_where { COUNT_EVERYWHERE, COUNT_ROLLUP } where;
};
#define NR_COUNT_LINES	22u
extern const struct count_line report_count_lines[NR_COUNT_LINES];

/* In bytes. */
u64 report_count_value(const struct mm_page_counts *counts, const struct count_line *line);

#endif
