/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Kill switches and groups of them against who waits.  Set-up takes the lock and does not give it
 * back before the end, so a waiter that does not hear of the kill waits for ever.
 */
#include "explore.h"
#include "sync/kill_group.h"
#include "sync/rwsem.h"

static struct rwsem sem;
static struct kill_switch own;
static struct kill_group group;
static u32 *gate;

static void setup(void)
{
	rwsem_init(&sem, LOCK_RANK_MMAP);
	kill_switch_init(&own);
	kill_group_init(&group);
	rwsem_write_lock(&sem);
}

static void finish(void)
{
	rwsem_write_unlock(&sem);
	VT_CHECK(!(sem.state & ~RWSEM_PHASE), "left as %llx", (unsigned long long)sem.state);
}

static void waiter(void)
{
	VT_CHECK(rwsem_write_lock_killable(&sem, &own) == -EINTR);
}

static void killer(void)
{
	kill_switch_fire(&own);
}

const struct vt_scenario kill_waiter = {
	.name = "kill-waiter", .about = "a kill is heard, whenever it comes",
	.setup = setup, .finish = finish, .threads = { THREAD(waiter), THREAD(killer) },
};

static void group_waiter(void)
{
	struct kill_waiter me;
	int err;

	kill_group_join(&group, &me);
	err = rwsem_read_lock_killable(&sem, &me.kill);
	kill_group_leave(&group, &me);
	VT_CHECK(err == -EINTR);
}

static void group_killer(void)
{
	kill_group_fire(&group);
}

const struct vt_scenario kill_group_waiter = {
	.name = "kill-group", .about = "a group's kill is heard before and after joining",
	.setup = setup, .finish = finish, .threads = { THREAD(group_waiter), THREAD(group_killer) },
};

const struct vt_scenario kill_join = {
	.name = "kill-group-two", .about = "two that wait in one group",
	.setup = setup, .finish = finish,
	.threads = { THREAD(group_waiter), { "group_waiter 2", group_waiter },
		     THREAD(group_killer) },
};

/* What was waited on may be freed after the wait, though the kill is still under way. */
static void setup_gate(void)
{
	kill_switch_init(&own);
	gate = port_alloc(sizeof(*gate));
	VT_CHECK(gate);
}

static void freeing_waiter(void)
{
	kill_switch_wait(&own, gate, 0, PORT_NO_DEADLINE);
	port_free(gate, sizeof(*gate));
}

static void nothing(void)
{
}

const struct vt_scenario kill_handover = {
	.name = "kill-free", .about = "no kill touches a gate after the wait is over",
	.setup = setup_gate, .finish = nothing,
	.threads = { THREAD(freeing_waiter), THREAD(killer) },
};

/* The same through the calls: done, or broken off and nothing changed. */
static void setup_mm(void)
{
	stage_make();
	stage_map(mm, 0, 1, PROT_READ);
}

static void holder(void)
{
	struct mmap_read *lock = mmap_read_lock(mm);

	VT_CHECK(vma_find(lock, 0) || mm_range_ok(mm, AT(0), 0, 0));
	mmap_read_unlock(lock);
}

static void unmapper(void)
{
	long ret = mm_munmap(mm, AT(0), PAGE);

	VT_CHECK(mm_range_ok(mm, AT(0), PAGE, PROT_READ) == (ret != 0));
	if (ret != -EINTR)
		done(ret);
}

static void mm_killer(void)
{
	mm_kill(mm);
}

const struct vt_scenario kill_mm = {
	.name = "kill-mm", .about = "mm_kill() beside a call that waits for a reader",
	.setup = setup_mm, .finish = stage_end, .flags = VT_NO_MEMORY,
	.threads = { THREAD(holder), THREAD(unmapper), THREAD(mm_killer) },
};
