/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The spinlock whose waiters sleep in the end. */
#include "explore.h"
#include "sync/spinlock.h"

static struct spinlock lock;
static long guarded;			/* by lock */

static void setup(void)
{
	spin_lock_init(&lock, LOCK_RANK_INSTANCE);
	guarded = 0;
}

static void finish(void)
{
	VT_CHECK(!spin_is_locked(&lock));
}

static void holder(void)
{
	spin_lock(&lock);
	guarded++;
	spin_unlock(&lock);
}

static void trier(void)
{
	if (!spin_trylock(&lock))
		return;
	guarded++;
	spin_unlock(&lock);
}

const struct vt_scenario spin_two = {
	.name = "spin-two", .about = "exclusion, and the sleeper is woken",
	.setup = setup, .finish = finish, .threads = { THREAD(holder), { "holder 2", holder } },
};

const struct vt_scenario spin_three = {
	.name = "spin-three", .about = "two sleep, each is woken in its turn",
	.setup = setup, .finish = finish,
	.threads = { THREAD(holder), { "holder 2", holder }, { "holder 3", holder } },
};

const struct vt_scenario spin_trier = {
	.name = "spin-try", .about = "one only tries",
	.setup = setup, .finish = finish, .threads = { THREAD(holder), THREAD(trier) },
};
