/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Swapoff: every page of an area is brought back, and the area ends.
 *
 *	close the area: no slot of it is taken any more
 *	as long as one is in use
 *	    for each file in memory, each page that is there: bring it in
 *	    for each mm of the instance, each swap entry of the area: bring in the page
 *	    wait for a moment, should nothing of it be left but what others work on
 *	remove it
 *
 * Entries are found by their mms, not by their slots, which do not know them.  An mm that is made
 * by a fork beside it is on its roll before or after the roll was gone through; it has entries of
 * the area only as long as its parent had, so a later round finds what is left.  The mmap lock is
 * held for read, for a few pages at a time.
 */
#include "fault/swap.h"
#include "file/swapped.h"
#include "mm/lifetime.h"
#include "mm/mm.h"
#include "reclaim/reclaim.h"
#include "vma/handle.h"

/* Then the mmap lock is let go of. */
#define PAGES_AT_ONCE	32u

/* Of [*addr, end); *addr is where it got.  -EAGAIN: there may be more; -ENOFRAME. */
static int bring_in_some(struct mm_struct *mm, unsigned long *addr, unsigned long end,
			 unsigned int id)
	__must_hold_shared(vma_stable) __may_sleep
{
	for (unsigned int i = 0; i < PAGES_AT_ONCE; i++) {
		struct fault f = {
			.mm = mm, .access = MM_ACCESS_READ, .lock = FAULT_MMAP_LOCK,
		};
		pte_t entry = swap_next_entry(mm->pgt, addr, end, id);
		int err;

		/* Who asks for a block asks for more than that. */
		if (pte_none(entry) || (id == SWAP_ANY && mm_over_limit(mm, 1)))
			return 0;
		f.addr = *addr;
		f.vma = vma_at(mm, *addr);
		VM_BUG_ON(!f.vma, "an entry at %lx lies in no area", *addr);
		err = swap_bring_in(&f, entry);
		/* The slot goes with a swapoff alone; else it may be read another time. */
		if (err == -EIO)
			err = id == SWAP_ANY ? 0 : swap_lose(&f, entry);
		if (err)
			return err == -ENOMEM ? -ENOFRAME : err;
		*addr += PAGE_SIZE;
	}
	return -EAGAIN;
}

int mm_swap_in(struct mm_struct *mm, unsigned long start, unsigned long end, unsigned int id)
{
	unsigned long at = start;
	unsigned int nr_tries = 0;
	long ret;

	if (!mm_has_pages(mm) || !pt_count(mm->pgt, PT_SWAP))
		return 0;
	end = min(end, pt_limit(mm->pgt));
	do {
		mm_read_lock(mm);
		ret = bring_in_some(mm, &start, end, id);
		mm_read_unlock(mm);
		if (start != at)
			nr_tries = 0;
		at = start;
	} while (ret == -EAGAIN || mm_call_again(mm->instance, &ret, &nr_tries));
	return (int)ret;
}

static int bring_in_files(struct instance_roll *roll, unsigned int id)
	__must_not_hold(vma_stable) __may_sleep
{
	struct file *file = NULL;
	int err = 0;

	while (!err && (file = file_next_on_roll(roll, file)))
		err = filemap_swapoff(file->mapping, id);
	if (file)
		file_put(file);
	return err;
}

static int bring_in_roll(struct instance_roll *roll, unsigned int id)
	__must_not_hold(vma_stable) __may_sleep
{
	struct mm_struct *mm = NULL;
	int err = 0;

	while (!err && (mm = mm_next_on_roll(roll, mm))) {
		struct mm_user *user = mmget_not_zero(mm);

		if (!user)
			continue;
		err = mm_swap_in(mm, 0, ~0ul, id);
		mmput(user);
	}
	if (mm)
		mmdrop(mm);
	return err;
}

static int bring_in_all(struct vmarea *instance, unsigned int id)
	__must_not_hold(vma_stable) __may_sleep
{
	int err = 0;

	for (unsigned int i = 0; !err && i < INSTANCE_ROLLS; i++) {
		err = bring_in_files(&instance->rolls[i], id);
		if (!err)
			err = bring_in_roll(&instance->rolls[i], id);
	}
	return err;
}

int vmarea_swapoff(struct vmarea *instance, unsigned int id)
	__context_unsafe("what it says of the mmap lock is for its own")
{
	witness_call();
	struct swap_space *space = instance->swap;
	int err;

	might_sleep();
	if (!space)
		return -EINVAL;
	err = swap_area_close(space, id);
	if (err)
		return err;
	while (!err && swap_area_is_used(space, id)) {
		u32 nr_freed = swap_area_nr_freed(space, id);

		err = bring_in_all(instance, id);
		if (!err && swap_area_is_used(space, id))
			swap_area_wait_freed(space, id, nr_freed);
	}
	if (err)
		swap_area_reopen(space, id);
	else
		swap_area_remove(space, id);
	return err;
}
