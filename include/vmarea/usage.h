/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Who uses what: for who got MM_FAULT_OOM or -ENOMEM and has to end a program, or to say why.
 *
 *	struct vmarea_usage usage;
 *
 *	vmarea_get_usage(v, &usage, NULL, 0);
 *	mm_kill(whose_is(usage.most.number));
 *
 * At any time, from any number of threads, beside faults, forks and exits.  Nothing is allocated,
 * neither of the host's memory nor a frame: it is meant for when there is none.  No lock of any mm
 * is taken, so nobody who waits for memory with one is waited for.  Counts are read one after the
 * other: each is right at its own moment, and they add up if nothing changes meanwhile.  The
 * structs of all frames are gone past, some milliseconds for a GiB.
 *
 * An mm that is looked at has one more user for that moment.  If its last one goes just then, the
 * thread that asks tears it down, as mmput() says, hooks included.
 */
#ifndef VMAREA_USAGE_H
#define VMAREA_USAGE_H

#include <vmarea/report.h>

#ifdef __cplusplus
extern "C" {
#endif
__nonnull_begin

/*
 * Which of the instance's mms it is: from 1 on, and never that of another.  mm_exec() keeps it, and
 * a child has its own.
 */
VMAREA_API uint64_t mm_number(struct mm_user *mm);

/*
 * What one mm uses, in pages of 4096 bytes.  What is mapped by several mms counts in each.  How much
 * is locked mm_get_stats() tells, which takes the mmap lock.
 */
struct mm_usage {
	uint64_t number;			/* mm_number() */
	uint64_t total;				/* the sum of the next five */
	uint64_t anon, file, shmem;		/* mapped, as mm_get_stats() has them */
	uint64_t swap;				/* entries that name a slot */
	uint64_t tables;			/* frames that are page tables */
	uint64_t limit;				/* mm_set_limit(); 0: none */
};

/*
 * The instance's memory, in frames of 4096 bytes.  Those that are free and the next six kinds are
 * all there are, but for what is on its way from one to another.
 */
struct vmarea_usage {
	uint64_t frames;			/* of the arena; 0: it has none */
	uint64_t limit;				/* vmarea_set_limit(); no more are handed out */
	uint64_t free;				/* those that the limit keeps back, too */
	uint64_t anon;				/* anonymous memory; of swap, what has been read in */
	uint64_t file, shmem;			/* pages of files, be they mapped or not */
	uint64_t tables;			/* of all mms, and those that wait for readers */
	uint64_t driver;			/* alloc_page() */
	uint64_t other;				/* the zero page, objects of the library's */
	uint64_t pinned;			/* of anon, file and shmem: they stay where they are */
	uint64_t swap_slots, swap_used;		/* of all swap areas */
	uint64_t nr_mms;			/* that have users */
	/*
	 * The mm whose total is the greatest, of equals the oldest: its end would give back most, if
	 * it shares no more than others do.  number is 0: there is no mm.
	 */
	struct mm_usage most;
};

/*
 * Also the @nr_mms mms that use most, in @mms, the greatest total first.  Returns how many these
 * are: fewer if there are no more.  Those that have no user any more are in the instance's numbers
 * alone, until they are torn down.
 */
VMAREA_API size_t vmarea_get_usage(struct vmarea *instance, struct vmarea_usage *usage,
				   struct mm_usage *__nullable mms, size_t nr_mms)
	__may_sleep;

/*
 * The same as text, a line for each mm, the greatest total first; with swap and mms without limits:
 *
 *	frames: total 4096, limit 4096, free 0, anon 3800, file 100, shmem 50, tables 40, ...
 *	swap: total 64, used 64
 *	mms: 3, most used by 2
 *	[    mm]     total      anon      file     shmem      swap    tables     limit
 *	[     2]      3020      3000         0         0         0        20         0
 *	...
 *
 * Mms are sorted and written 32 at a time; where there are more, one whose use changes meanwhile
 * may be in it twice or not at all.  @write is called with nothing held.  0; what @write returned.
 */
VMAREA_API int vmarea_report_usage(struct vmarea *instance, mm_writer write, void *__nullable arg)
	__may_sleep;
/*
 * And as one JSON object (RFC 8259):
 *
 *	{ "frames": { "total": 4096, "limit": 4096, "free": 0, "anon": 3800, ... },
 *	  "swap": { "total": 64, "used": 64 },
 *	  "nr_mms": 3, "most": 2,
 *	  "mms": [ { "mm": 2, "total": 3020, "anon": 3000, "file": 0, ... }, ... ] }
 */
VMAREA_API int vmarea_report_usage_json(struct vmarea *instance, mm_writer write,
					void *__nullable arg) __may_sleep;

__nonnull_end
#ifdef __cplusplus
}
#endif
#endif
