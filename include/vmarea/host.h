/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A window: a part of this process's own address space in which an mm's memory appears, so that plain
 * code can use it.
 *
 *	struct host_window_config config = {
 *		.size = sizeof(config), .start = 0x10000000, .bytes = 1ul << 30,
 *	};
 *	host_window_create(mmu, &config, &window);
 *	p = host_window_at(window, addr);		where @addr of the mm is
 *	*(int *)p = 1;					faults once; then the host's own mapping serves
 *
 * A load or a store for which nothing is mapped raises SIGSEGV; the library's handler asks the mm,
 * takes its page fault, maps the frame there and returns to the access.  What the mm refuses ends as
 * the signal that Linux would have sent, or in refused() below.
 *
 * The process's mappings are used as a TLB is: made only from what the page tables say, and dropped at
 * any time, to stay below max_map_count above all.  Sixteen neighbours whose frames are neighbours,
 * too, are one mapping.  The tables' accessed and dirty bits are set when a page becomes accessible
 * or writable.
 *
 * What a window cannot do: a system call that is given an address whose page is not mapped just then
 * fails with EFAULT, as the kernel does not call the handler.  host_window_touch() before it helps,
 * unless the mapping is dropped again in between.
 *
 * Signals.  The first window installs handlers for SIGSEGV and SIGBUS; what was there before gets all
 * faults that are not in a window, and those that are refused.  A program that installs its own
 * afterwards has to call what it replaced, also when there was no window for a while.  They run on
 * the alternate stack, if the thread has one: 64 KiB will do.  A program's handler for an
 * asynchronous signal may touch a window unless it can interrupt a call of this library.  Drivers'
 * hooks for faults are called in them.
 *
 * Forks of the host: the child has the parent's mappings, of frames that both share.  It must leave
 * the window alone, as it must the instance.
 */
#ifndef VMAREA_HOST_H
#define VMAREA_HOST_H

#include <vmarea/mmu.h>

#ifdef __cplusplus
extern "C" {
#endif
__nonnull_begin

struct host_window;

#define HOST_WINDOW_ALIGN	(2ul << 20)

/* An access that the mm refused. */
struct host_fault {
	unsigned long addr;			/* in the mm */
	enum mm_access access;
	enum mm_fault why;			/* not MM_FAULT_DONE */
	void *signal_info, *signal_context;	/* siginfo_t *, ucontext_t * */
};

struct host_window_config {
	size_t size;				/* sizeof(struct host_window_config) */
	unsigned long start;			/* the mm's first address; of HOST_WINDOW_ALIGN */
	unsigned long bytes;			/* a multiple of HOST_WINDOW_ALIGN */
	void *__nullable base;			/* where it is to appear, so aligned; NULL: anywhere */
	unsigned long max_areas;		/* of the host; 0: half of what one process may have */
	/*
	 * Instead of the signal, on the thread that made the access, in a signal handler with the
	 * thread's own mask.  It may leave by siglongjmp().  True: try again; false: the signal after
	 * all.  NULL: always the signal; out of memory is a SIGBUS then.
	 */
	bool (*__nullable refused)(struct host_window *window, const struct host_fault *fault,
				   void *__nullable arg);
	void *__nullable arg;
};

/*
 * 0; -EINVAL: @config->size, alignment, an empty or wrapping range, max_areas below 64; -EEXIST:
 * something is at base; -ENOMEM; -EOPNOTSUPP: a host whose signals do not tell a store from a load.
 */
VMAREA_API int host_window_create(struct mmu *mmu, const struct host_window_config *config,
				  struct host_window **out) __may_sleep __must_check;
/* Nobody touches it any more. */
VMAREA_API void host_window_destroy(struct host_window *window)	__may_sleep;

/* Where @addr of the mm, a byte in the window, appears. */
VMAREA_API void *host_window_at(const struct host_window *window, unsigned long addr);

/* As if @addr of the mm, a byte in the window, were accessed: MM_FAULT_DONE once it is mapped. */
VMAREA_API enum mm_fault host_window_touch(struct host_window *window, unsigned long addr,
					   enum mm_access access) __may_sleep;

/* Drops every mapping: each page faults again.  No byte is lost. */
VMAREA_API void host_window_drop(struct host_window *window);

struct host_window_stats {
	unsigned long pages;			/* mapped now */
	unsigned long areas;			/* of the host, at most, for them */
	unsigned long max_areas;
	unsigned long maps;			/* system calls that mapped something, so far */
	unsigned long drops;			/* of 2 MiB, to make room */
};

VMAREA_API void host_window_get_stats(struct host_window *window, struct host_window_stats *stats);

__nonnull_end
#ifdef __cplusplus
}
#endif
#endif
