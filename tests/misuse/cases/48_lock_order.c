/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The inner lock first.
 *
 * tsa19,tsa22,marks22	spinlock 'outer' must be acquired before 'inner'
 */
#include "misuse.h"

struct range { spinlock_t outer; spinlock_t inner __acquired_after(&outer); };
static struct range r;
static void work(void)
{
#ifdef FIXED
	spin_lock(&r.outer);
	spin_lock(&r.inner);
	spin_unlock(&r.inner);
	spin_unlock(&r.outer);
#else
	spin_lock(&r.inner);
	spin_lock(&r.outer);
	spin_unlock(&r.outer);
	spin_unlock(&r.inner);
#endif
}

MISUSE
{
	spin_lock_init(&r.outer);
	spin_lock_init(&r.inner);
	work();
}
