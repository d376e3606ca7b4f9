/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Calls on an mm some pages of which are in swap. */
#include <vmarea/swap.h>

#include "scenario.h"

#include "base/errno.h"
#include "mm/mm.h"
#include "reclaim/swap_out.h"

#define SLOTS		32

static unsigned char slots[SLOTS][PAGE];
static unsigned int area;

static int read_slot(void *private_data, uint64_t slot, void *to)
{
	memcpy(to, slots[slot], PAGE);
	return 0;
}

static int write_slot(void *private_data, uint64_t slot, const void *from)
{
	memcpy(slots[slot], from, PAGE);
	return 0;
}

static const struct swap_ops slot_ops = { .read_page = read_slot, .write_page = write_slot };

static long on(unsigned int *id)
{
	const struct swap_desc desc = {
		.size = sizeof(desc), .name = "slots", .ops = &slot_ops, .nr_slots = SLOTS,
	};

	return vmarea_swapon(w.v, &desc, id);
}

static void out(unsigned long page)
{
	struct page *p = gup_fast(mm_from_user(w.mm)->pgt, AT(page), 0);

	assert_non_null(p);
	page_lock(p);
	assert_int_equal(swap_out(w.v, p, RMAP_WAIT), 0);
	page_unlock(p);
	page_put(p);
}

/* 0, 1, 5 are this mm's, 40, 41, 45, 47 the child's, too. */
static void some_swapped(void)
{
	static const unsigned long pages[] = { 0, 1, 5, 40, 41, 45, 47 };

	assert_int_equal(on(&area), 0);
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		out(pages[i]);
}

static long by_fault(enum mm_fault fault)
{
	return fault == MM_FAULT_OOM ? -ENOMEM : (long)fault;
}

static long add_area(struct mm_user *mm)
{
	unsigned int id;
	long ret = on(&id);

	return ret ? ret : vmarea_swapoff(w.v, id);
}

static long swap_fork(struct mm_user *mm)
{
	struct mm_user *child;
	char why[128] = "";
	int err = mm_fork(mm, &child);

	if (err)
		return err;
	if (mm_validate(child, why, sizeof(why)))
		fail_msg("child: %s", why);
	mmput(child);
	return 0;
}

static long swap_pin(struct mm_user *mm)
{
	struct page *pinned[2];
	long nr = mm_pin_pages(mm, AT(40), 2, MM_ACCESS_READ, pinned);

	if (nr > 0)
		mm_unpin_pages(pinned, (unsigned long)nr);
	return nr >= 0 && nr < 2 ? -ENOMEM : nr;
}

#define FAULT(name, page, access)						\
	CALL(name, by_fault(mm_handle_fault(mm, AT(page), MM_ACCESS_##access)))

FAULT(swap_read, 0, READ)
FAULT(swap_write, 0, WRITE)
FAULT(swap_read_shared, 41, READ)
FAULT(swap_write_shared, 41, WRITE)
CALL(swap_unmap, mm_munmap(mm, AT(0), 48 * PAGE))
CALL(swap_discard, mm_madvise(mm, AT(0), 6 * PAGE, MADV_DONTNEED))
CALL(swap_free, mm_madvise(mm, AT(0), 6 * PAGE, MADV_FREE))
CALL(swap_will_need, mm_madvise(mm, AT(40), 6 * PAGE, MADV_WILLNEED))
CALL(swap_move, mm_mremap(mm, AT(40), 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			  HUGE_AT(30)))
CALL(swap_protect, mm_mprotect(mm, AT(40), 8 * PAGE, PROT_READ))
CALL(swap_lock, mm_mlock(mm, AT(40), 2 * PAGE))
CALL(swap_off, vmarea_swapoff(w.v, area))

#define S(name)		{ #name, name, some_swapped }

const struct scenario swap_calls[] = {
	S(add_area), S(swap_fork), S(swap_pin), S(swap_read), S(swap_write), S(swap_read_shared),
	S(swap_write_shared), S(swap_unmap), S(swap_discard), S(swap_free), S(swap_will_need),
	S(swap_move), S(swap_protect), S(swap_lock), S(swap_off),
};

const size_t nr_swap_calls = sizeof(swap_calls) / sizeof(swap_calls[0]);
