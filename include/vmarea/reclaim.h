/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Memory taken back: limits, and what happens at them.
 *
 * When a fault or a call finds no frame, for a page, a page table or what is kept beside them, or a
 * fault's mm has as much as it may, pages that have not been used for long are taken away from
 * whoever has them, and it goes on:
 *
 *	a file's page, clean		dropped: read_page() will be asked again
 *	a file's page, dirty		written back by write_page(), then dropped
 *	an anonymous page, or one	written to swap (vmarea/swap.h), if there is any
 *	of shared memory
 *	after MADV_FREE, not written	dropped: zeros
 *	what shrinkers keep		given back, in proportion (vmarea/shrinker.h)
 *
 * What stays: pages of locked areas, pinned pages, pages of FILE_HUGETLB and of files that are no
 * memory and have no read_page(), drivers' pages, page tables.  If that is all there is, it is
 * MM_FAULT_OOM, or -ENOMEM, and vmarea/usage.h tells who has it all.
 *
 * There is no thread of the library's.  Who finds nothing does the work; an embedder who would
 * rather have frames free before they are needed has a thread that calls vmarea_reclaim().
 *
 * A memory call that finds nothing undoes what it has begun, lets go of its locks, takes pages back
 * and begins anew, until it has what it needs or nothing more goes: then it is -ENOMEM, as for all
 * other reasons, for which it takes nothing.  To others it is a call that came later.  Hooks that
 * tell a driver what has happened are called once; may_split() may be asked again.
 *
 * Drivers.  alloc_page(), vm_insert_page() and their kind take nothing back: the driver may hold
 * locks.  In fault() that is VM_FAULT_OOM, and the fault takes pages; in mmap() it is the program's
 * -ENOMEM; anywhere else, with no lock of an mm held, vmarea_reclaim(), and once more.
 *
 * Hooks.  write_page(), those of swap areas and shrinkers are called by any thread that faults or
 * makes a call, with no lock of an mm held, but perhaps with one of a driver that made the call.
 * They do not access the memory of an mm, which may be what is waiting for them.
 */
#ifndef VMAREA_RECLAIM_H
#define VMAREA_RECLAIM_H

#include <stdint.h>

#include <vmarea/vmarea.h>

#ifdef __cplusplus
extern "C" {
#endif
__nonnull_begin

/*
 * When pages are taken.  An embedder who wants to know which pages are in core takes them
 * when he wants to, and is out of memory when there is none.
 */
enum vmarea_reclaim_when {
	VMAREA_RECLAIM_AT_LIMITS,		/* as above: so it begins */
	VMAREA_RECLAIM_WHEN_ASKED,		/* by the calls below and MADV_PAGEOUT alone */
};
VMAREA_API void vmarea_set_reclaim_when(struct vmarea *instance, enum vmarea_reclaim_when when);

/*
 * At most @bytes of the arena are used, in whole pages; 0: all of it.  Of who has more than a new
 * limit allows, pages are taken at once as far as they can be; what is left over stays, and nobody
 * gets a page until it is less.  Whatever lies in frames counts: pages, page tables, what the
 * library keeps beside them.  0; -EOPNOTSUPP: the instance has no frames.
 */
VMAREA_API int vmarea_set_limit(struct vmarea *instance, uint64_t bytes)
	__must_not_hold(vma_stable) __may_sleep;
/* What holds now, the arena's size at most; 0: the instance has no frames. */
VMAREA_API uint64_t vmarea_limit(struct vmarea *instance);

/*
 * At most @bytes resident (anonymous, file and shared memory, as mm_get_stats() counts them) in
 * this mm; 0: no limit, as at first, and in a child of fork().  Faults of the mm that would go past
 * it, and answers to its user faults, take pages of the mm's own first; a MADV_COLLAPSE that would
 * is -EBUSY.  A read of memory that nobody has written to needs no page.  Pages are taken at once if
 * it has more.  Threads that fault at the same time may go past it by a page each, and so may who
 * cannot be refused: a swapoff, and a driver that inserts pages.  0; -EOPNOTSUPP: the mm has no
 * pages.
 */
VMAREA_API int mm_set_limit(struct mm_user *mm, uint64_t bytes)
	__must_not_hold(vma_stable) __may_sleep;
VMAREA_API uint64_t mm_limit(struct mm_user *mm);

/*
 * Takes back @nr_pages, be frames short or not, and asks shrinkers for their part.  How many pages
 * were freed: perhaps fewer, perhaps more.  Any number of threads at once; none of them holds a
 * lock of an mm.
 */
VMAREA_API unsigned long vmarea_reclaim(struct vmarea *instance, unsigned long nr_pages)
	__must_not_hold(vma_stable) __may_sleep;
/* The same from one mm.  Pages that others map, too, go from those as well. */
VMAREA_API unsigned long mm_reclaim(struct mm_user *mm, unsigned long nr_pages)
	__must_not_hold(vma_stable) __may_sleep;

/* Since the instance was made, in pages.  Each a count of its own; they need not add up. */
struct vmarea_reclaim_stats {
	uint64_t scanned;			/* looked at: how long ago they were used */
	uint64_t kept;				/* used lately, and left */
	uint64_t dropped;			/* of files */
	uint64_t written;			/* of files, before that */
	uint64_t swapped;
	uint64_t split;				/* blocks of 2 MiB, into pages */
	uint64_t discarded;			/* after MADV_FREE */
	uint64_t shrunk;			/* objects of shrinkers */
	uint64_t refused;			/* old enough, and in use or nowhere to go */
	uint64_t waits;				/* tries of faults and calls that had to reclaim */
};
VMAREA_API void vmarea_get_reclaim_stats(const struct vmarea *instance,
					 struct vmarea_reclaim_stats *stats);

__nonnull_end
#ifdef __cplusplus
}
#endif
#endif
