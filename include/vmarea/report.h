/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What an address space looks like: /proc/PID/maps, smaps, smaps_rollup, statm and pagemap, in
 * Linux's text and numbers, and as JSON.
 *
 * Areas are those of one moment.  Their pages are counted area by area when a report gets there, in
 * pieces of at most some 256 MiB of mapped memory; each piece is of one moment, with the mmap lock
 * held for read, and what is in one page table is counted under its lock.  So what other threads
 * map, unmap or share meanwhile is seen in one piece and not in another, but no page is counted
 * twice at one address.  No lock is held while a caller's function runs.
 *
 * What is shared: a page that is mapped more than once, in this mm or others of the instance.  The
 * zero page, guards, and what a file has but nobody has mapped are in no count.
 *
 * A mm without pages has no counts: see each report.
 *
 * Sources: proc_pid_maps(5), proc_pid_smaps(5), proc_pid_statm(5), proc_pid_pagemap(5),
 * Documentation/admin-guide/mm/pagemap.rst, and what Linux 6.18 prints.
 */
#ifndef VMAREA_REPORT_H
#define VMAREA_REPORT_H

#include <vmarea/vmarea.h>

#ifdef __cplusplus
extern "C" {
#endif
__nonnull_begin

/* ------------------------------------------------------------------------------- numbers -- */

/*
 * The pages of a range, in bytes.  Those that begin with pss are in 1/4096 of a byte, as Linux adds
 * them up: a page that is mapped n times is a n-th of itself in each place.
 */
#define MM_PSS_SHIFT	12

struct mm_page_counts {
	uint64_t rss;				/* mapped; pages of MAP_HUGETLB are not in it */
	uint64_t pss, pss_dirty;
	uint64_t pss_anon, pss_file, pss_shmem;	/* these three make pss */
	uint64_t pss_locked;			/* in areas that are VM_LOCKED */
	/* These four make rss.  Dirty: the entry says so, or somebody has written to the page. */
	uint64_t shared_clean, shared_dirty, private_clean, private_dirty;
	uint64_t referenced;			/* the entry has been used since MADV_COLD or fork */
	uint64_t anonymous;
	uint64_t ksm;				/* always 0: pages are not merged */
	uint64_t lazy_free;			/* MADV_FREE, and not written to since */
	uint64_t anon_huge, shmem_huge, file_huge;	/* mapped by 2 MiB */
	uint64_t shared_hugetlb, private_hugetlb;	/* whole pages of the pool */
	uint64_t swap, swap_pss;		/* swap_pss in 1/4096 of a byte, too */
};

/*
 * All that is mapped in [@start, @end), which is rounded to whole pages: of one area, a part of it,
 * or with 0 and ~0ul of everything.  Of a mm without pages zeros.
 */
VMAREA_API void mm_count_pages(struct mm_user *mm, unsigned long start, unsigned long end,
			       struct mm_page_counts *counts) __may_sleep;

/* /proc/PID/statm, in pages; its other fields are always 0.  Of one moment. */
struct mm_statm {
	unsigned long size, resident, shared, text, data;
};
VMAREA_API void mm_get_statm(struct mm_user *mm, struct mm_statm *statm) __may_sleep;

/*
 * A word of /proc/PID/pagemap for each page from @addr on.  Returns how many of @nr_pages were
 * written to @words: fewer where the address space ends; 0 behind it.  -EINVAL: @addr is not
 * page-aligned; -EOPNOTSUPP: a mm without pages.  What is not mapped is 0.
 */
#define MM_PAGEMAP_FRAME	0x007fffffffffffffull	/* if present: its frame */
#define MM_PAGEMAP_SOFT_DIRTY	(1ull << 55)	/* VMAREA_FEATURE_SOFT_DIRTY */
#define MM_PAGEMAP_EXCLUSIVE	(1ull << 56)	/* mapped here and nowhere else */
#define MM_PAGEMAP_USER_WP	(1ull << 57)	/* user_faults_writeprotect() */
#define MM_PAGEMAP_GUARD	(1ull << 58)	/* MADV_GUARD_INSTALL; swapped as well, as on Linux */
#define MM_PAGEMAP_FILE		(1ull << 61)	/* a page of a file, or shared memory */
#define MM_PAGEMAP_SWAPPED	(1ull << 62)	/* bits 0-4 are its swap area, 5-54 its slot */
#define MM_PAGEMAP_PRESENT	(1ull << 63)

VMAREA_API long mm_pagemap_read(struct mm_user *mm, unsigned long addr, size_t nr_pages,
				uint64_t *words) __may_sleep;

/* ---------------------------------------------------------------------------------- text -- */

/*
 * @write gets text in pieces, not ended by a 0, and no lock is held; a return other than 0 ends the
 * report and is its result.
 */
typedef int (*mm_writer)(void *__nullable arg, const char *text, size_t bytes);

/* /proc/PID/maps of one consistent moment.  0; -ENOMEM; what @write returned. */
VMAREA_API int mm_report_maps(struct mm_user *mm, mm_writer write, void *__nullable arg) __may_sleep;
/*
 * /proc/PID/smaps.  0; -ENOMEM; what @write returned.  Of a mm without pages only the lines that
 * areas decide: that of maps, Size, page sizes, VmFlags.
 */
VMAREA_API int mm_report_smaps(struct mm_user *mm, mm_writer write, void *__nullable arg) __may_sleep;
/* /proc/PID/smaps_rollup.  0; what @write returned; -EOPNOTSUPP: a mm without pages. */
VMAREA_API int mm_report_smaps_rollup(struct mm_user *mm, mm_writer write, void *__nullable arg)
	__may_sleep;
/* /proc/PID/statm.  0; what @write returned.  A mm without pages has nothing resident. */
VMAREA_API int mm_report_statm(struct mm_user *mm, mm_writer write, void *__nullable arg)
	__may_sleep;
/*
 * All of these as one JSON object (RFC 8259):
 *
 *	{ "areas": [ { "start": "0x...", "end": "0x...", "perms": "rw-p", "offset": "0x0",
 *		"dev": "fe:00", "inode": 7, "name": "/bin/cat", "size": 4096, "page_size": 4096,
 *		"flags": ["rd", "wr", ...], "thp_eligible": false, "rss": 4096, "pss": 4096, ... },
 *		... ],
 *	  "rollup": { "rss": 4096, ... },
 *	  "statm": { "size": 1, "resident": 1, "shared": 0, "text": 0, "data": 1 } }
 *
 * Bytes but for statm, which is in pages.  The names of the counts are those of struct
 * mm_page_counts; "rollup" is the sum over "areas".  A byte of a name that is not UTF-8 becomes the
 * lone surrogate U+DC00 plus its value, as Python's "surrogateescape" has it.  A mm without pages
 * has no "rollup", and its areas end with "flags".  0; -ENOMEM; what @write returned.
 */
VMAREA_API int mm_report_json(struct mm_user *mm, mm_writer write, void *__nullable arg) __may_sleep;

/* "rd wr mr mw me ac ": VmFlags of @flags, ended by a 0.  Returns its length without that. */
VMAREA_API size_t vm_flags_format(vm_flags_t flags, char buf[128]);

__nonnull_end
#ifdef __cplusplus
}
#endif
#endif
