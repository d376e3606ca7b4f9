/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A field of the driver's own, without the driver's own lock.
 *
 * tsa19,tsa22,marks22	reading variable 'vma_addr' requires holding spinlock '&range::lock'
 */
#include "misuse.h"

struct range { spinlock_t lock; unsigned long vma_addr __guarded_by(&lock); };
static unsigned long addr_of(struct range *r)
{
	unsigned long addr;

#ifdef FIXED
	spin_lock(&r->lock);
	addr = r->vma_addr;
	spin_unlock(&r->lock);
#else
	addr = r->vma_addr;
#endif
	return addr;
}

MISUSE
{
	struct range r = { .vma_addr = MIXED };

	spin_lock_init(&r.lock);
	sink = addr_of(&r);
}
