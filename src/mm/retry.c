/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Memory calls that found no frame.
 *
 * A call wants frames for page tables (fork, mremap, a guard), for anon_vmas, for a copy of a
 * pinned page.  Where there is none, pages are taken back from whoever does not use them, as for a
 * fault.  That must not be done where the frame is wanted: reclaim waits for hooks and for those
 * who look at the reverse map, which may wait for what the call has locked.  So, as a fault does:
 *
 *	do
 *		take the locks, do all of it or nothing, release the locks
 *	while (mm_call_again(instance, &ret, &nr_tries));
 *
 * Which want is meant.  -ENOMEM is a program's word for many things: a limit, no place, overcommit,
 * the host's malloc().  None of these gets better when pages go.  So what finds no frame says
 * -ENOFRAME, which exists between the rooms alone, and of which mm_call_again() makes -ENOMEM for
 * the program when there is nothing to be had.  The rooms below fault/ do not know it: in pgtable/
 * there is one kind of want.
 *
 * What a second try finds is the map as the first did, or as others have made it since.  To them it
 * is a call that came later.
 *	most calls	ask for their frames before they change anything
 *	fork		throws the child away, of which nobody has heard
 *	mremap		may have cleared its target, cut off a tail, moved some areas; the next try
 *			goes on there (mremap.c)
 *	madvise		has advised some areas, guards and collapses; they are advised once more,
 *			which changes nothing
 *
 * Hooks.  What tells a driver that something has happened comes after the last frame: a call that
 * is made again has called none of open(), mmap(), mremap(), mprotect(), and close() of nothing but
 * what went for good.  may_split(), a question, is asked again.  A mmap() hook that says -ENOMEM
 * has said it to the program: whether it was for a frame is not known, and it would be called
 * twice.
 *
 * Failure.  A call gives up as a fault does (reclaim/limit.c), after a finite number of tries.
 *
 * Rejected
 *  - A mark in the mm, set where a frame is missing: faults and drivers in the same mm miss frames
 *    at the same time, and a call that was refused by a limit would take their mark for its own.
 *  - To count the frames first and to take them before the locks: what a call needs is known under
 *    its locks alone.
 */
#include "mm/mm.h"
#include "reclaim/reclaim.h"

bool mm_call_again(struct vmarea *instance, long *ret, unsigned int *nr_tries)
{
	if (likely(*ret != -ENOFRAME))
		return false;
	if (reclaim_for_call(instance, nr_tries))
		return true;
	*ret = -ENOMEM;
	return false;
}
