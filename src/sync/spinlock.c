/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The slow path of spinlock.h: spin for a while, then sleep. */
#include "sync/spinlock.h"

/* One to three microseconds: longer than a section, shorter than going to sleep and waking. */
#define SPIN_ROUNDS	PORT_SPIN_ROUNDS(64)

/*
 * The sleep below is not one in the sense of __may_sleep: it lasts as long as another holder's
 * section, which is short, and at worst until the host runs that holder again.
 */
void __context_unsafe("sleeps while a holder is off its CPU") spin_lock_wait(struct spinlock *lock)
{
	for (int i = 0; i < SPIN_ROUNDS; i++) {
		if (atomic_load_relaxed(&lock->word) == SPIN_FREE && spin_try(lock))
			return;
		port_cpu_relax();
	}
	/* Pairs with the release in spin_unlock_at(). */
	while (atomic_xchg_acquire(&lock->word, SPIN_WAITED_FOR) != SPIN_FREE)
		port_wait(&lock->word, SPIN_WAITED_FOR, PORT_NO_DEADLINE);
}
