/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Both sides of a kill switch.  The letters are those of kill.h. */

#include "sync/kill.h"
#include "base/errno.h"

void kill_switch_fire(struct kill_switch *ks)
{
	u32 *gate;

	atomic_add_relaxed(&ks->busy, 1);
	atomic_store_relaxed(&ks->fired, 1);
	atomic_fence_seq_cst();				/* a, b */
	gate = atomic_load_acquire(&ks->word);		/* with the release in kill_switch_wait() */
	if (gate) {
		/* Others sleep there too, and go back to sleep.  Kills are rare. */
		atomic_add_relaxed(gate, 2);
		port_wake(gate, PORT_WAKE_ALL);
	}
	atomic_sub_release(&ks->busy, 1);		/* with the acquire in leave() */
}

static void leave(struct kill_switch *ks)
{
	atomic_store_relaxed(&ks->word, NULL);
	atomic_fence_seq_cst();				/* b */
	/* Pairs with the release in kill_switch_fire(): it is done with the gate. */
	while (unlikely(atomic_load_acquire(&ks->busy)))
		port_yield();
}

int kill_switch_wait(struct kill_switch *ks, u32 *gate, u32 seen, u64 deadline_ns)
{
	int err = 0;

	if (!ks)
		return port_wait(gate, seen, deadline_ns);
	VM_DEBUG_ON(atomic_load_relaxed(&ks->word), "one switch, two waiters");
	/* Pairs with the acquire in kill_switch_fire(): the gate is what it was before we came. */
	atomic_store_release(&ks->word, gate);
	atomic_fence_seq_cst();				/* a */
	if (!kill_switch_fired(ks))
		err = port_wait(gate, seen, deadline_ns);
	leave(ks);
	return kill_switch_fired(ks) ? -EINTR : err;
}
