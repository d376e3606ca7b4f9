/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Calls on an mm with pages that leave a part done when there is no memory, as Linux does.  All
 * others leave everything as it was.
 *
 * Who populates stops at the page for which there was no frame, and keeps what came before it.
 */
#include "frames.h"
#include "scenario.h"


/* man-pages 6, mmap(2) and mlockall(2); for the others the same code of Linux's populates. */
#define MAPS	LEFT_FIRST, .areas = true, .in_success = true,				\
		.words = "mm_mmap(): pages that MAP_POPULATE or MAP_LOCKED finds no memory for "	\
			 "are no error"
#define LOCKS_ALL LEFT_FIRST_OF_AREA, .areas = true, .in_success = true,			\
		.words = "mm_mlockall() passes over what cannot be locked"
#define LOCKS	LEFT_FIRST, .error = -EAGAIN, .areas = true,				\
		.words = "mm_mlock(): -EAGAIN: no memory for a page. What came before the "	\
			 "error is locked"
#define ADVISES	LEFT_FIRST,								\
		.words = "mm_madvise(): MADV_POPULATE_* stop there"
#define COLLAPSES LEFT_FIRST,								\
		.words = "mm_madvise(): what came before the error is advised"
#define FALLS_BACK LEFT_SOME, .in_success = true,					\
		.words = "transhuge.rst: without a block the fault takes a page instead"
#define ADVISES_RANGES LEFT_FIRST, .in_success = true,					\
		.words = "process_madvise(): the bytes advised up to the first error"
#define TOUCHES	LEFT_FIRST,								\
		.words = "mm_touch_range(): those before it have been touched"
#define COPIES	LEFT_FIRST,								\
		.words = "mm_read(): returns how many bytes were copied"
#define PINS	LEFT_FIRST,								\
		.words = "mm_pin_pages(): how many were pinned"
#define GROWS	LEFT_FIRST, .areas = true,						\
		.words = "mm_handle_fault(): a stack that has grown stays so"
#define STARTS	LEFT_NOTHING, .areas = true,						\
		.words = "mm_handle_fault(): a private area that was written to stays touched"
#define READS	LEFT_CACHE,								\
		.words = "mm_handle_fault(): a page of a file stays in the file's memory"
#define DUMPS	LEFT_CACHE, .in_success = true,						\
		.words = "mm_report_core(): a page that cannot be had is zeros: no error"
#define FORKS	LEFT_RIGHTS,								\
		.words = "mm_fork(): the next store to a page may take a fault"
#define ACCESSES LEFT_SOME,								\
		.words = "mm_handle_fault(), one access after the other"

#define READS_AHEAD LEFT_CACHE, .in_success = true,					\
		.words = "madvise(2): MADV_WILLNEED is advice, and reads what there is room for"
#define CACHES	LEFT_CACHE,								\
		.words = "mm_handle_fault(): one of swap stays in the swap cache"
#define BRINGS_IN LEFT_SOME,								\
		.words = "vmarea_swapoff(): -ENOMEM: the area is in use as before"

static const struct partial partials[] = {
	{ "mmap_locked", MAPS }, { "mmap_populate", MAPS }, { "mmap_populate_file", MAPS },
	{ "mmap_populate_huge", MAPS }, { "mmap_locked_in_future", MAPS },
	{ "map_populate_over", MAPS }, { "remap_file", MAPS }, { "shm_locked", MAPS },
	{ "shm_readable_locked", MAPS }, { "mremap_grow_locked", MAPS },
	{ "mremap_move_locked", MAPS }, { "mremap_grow_untouched", MAPS },
	{ "mprotect_touches", MAPS }, { "brk_locked", MAPS }, { "brk_locked_pages", MAPS },
	{ "mlockall_now", LOCKS_ALL }, { "mlockall_both", LOCKS_ALL },
	{ "mlockall_onfault", LOCKS_ALL },
	{ "mlock_inside", LOCKS }, { "mlock_many", LOCKS }, { "mlock_untouched", LOCKS },
	{ "madvise_populate_many", ADVISES }, { "madvise_populate_read", ADVISES },
	{ "advise_populate_read", ADVISES }, { "advise_populate_write", ADVISES },
	{ "advise_populate_forked", ADVISES }, { "process_madvise_populate", ADVISES_RANGES },
	{ "advise_collapse", COLLAPSES }, { "huge_fault", FALLS_BACK },
	{ "touch_range", TOUCHES }, { "touch_two", TOUCHES },
	{ "write_areas", COPIES }, { "write_file", COPIES }, { "write_forked", COPIES },
	{ "write_segment", COPIES }, { "read_areas", COPIES }, { "read_file", COPIES },
	{ "access_write", COPIES }, { "access_read", COPIES }, { "access_forced", COPIES },
	{ "access_write_many", COPIES, .in_success = true },
	{ "pin_fresh", PINS }, { "pin_forked", PINS }, { "pin_file", PINS },
	{ "touch_stack", GROWS }, { "touch_stack_range", GROWS }, { "fault_stack", GROWS },
	{ "fault_heap", STARTS },
	{ "fault_file_write", READS }, { "fault_huge_private", READS }, { "fault_huge_file", READS },
	{ "report_core", DUMPS },
	{ "fork_it", FORKS }, { "fork_old_family", FORKS }, { "fork_not_all", FORKS },
	{ "fork_and_leave", FORKS }, { "fork_wiped", FORKS }, { "fork_far", FORKS },
	{ "huge_fork", FORKS },
	{ "advise_willneed", READS_AHEAD },
	{ "swap_read", CACHES }, { "swap_write", CACHES }, { "swap_read_shared", CACHES },
	{ "swap_write_shared", CACHES }, { "swap_will_need", CACHES, .in_success = true },
	{ "swap_pin", PINS }, { "swap_lock", LOCKS }, { "swap_off", BRINGS_IN },
	{ "swap_fork", FORKS },
	{ "access_kin", ACCESSES }, { "use_window", ACCESSES },
};

const struct partial *partial_of(const char *name)
{
	for (size_t i = 0; i < sizeof(partials) / sizeof(partials[0]); i++)
		if (!strcmp(partials[i].name, name))
			return &partials[i];
	return NULL;
}
