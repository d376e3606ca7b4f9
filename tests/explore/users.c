/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The two counts of an mm: who comes in while the last one leaves, and who frees the struct. */
#include "explore.h"
#include "base/atomic.h"

static struct mm_struct *grabbed;
static struct mm_user *second_user;
static long gone;			/* atomic */

static void setup(void)
{
	stage_make();
	stage_map(mm, 0, 2, PROT_READ);
	grabbed = mm_user_mm(mm);
	mmgrab(grabbed);
	gone = 0;
}

static void setup_two_users(void)
{
	setup();
	second_user = mmget(mm);
}

/* Who has only the struct. */
static void getter(void)
{
	struct mm_user *user = mmget_not_zero(grabbed);

	if (user) {
		done(mm_munmap(user, AT(0), PAGE));
		VT_CHECK(mm_range_ok(user, AT(1), PAGE, PROT_READ), "torn down");
		mmput(user);
	}
	mmdrop(grabbed);
}

static void putter(void)
{
	mmput(mm);
}

static void async_putter(void)
{
	mmput_async(mm);
}

static void finish(void)
{
	vmarea_destroy(machine);
}

static void second_putter(void)
{
	mmput_async(second_user);
}

const struct vt_scenario get_last_put = {
	.name = "get-last-put", .about = "mmget_not_zero() beside the last mmput()",
	.setup = setup, .finish = finish, .flags = VT_NO_MEMORY,
	.threads = { THREAD(getter), THREAD(putter) },
};

const struct vt_scenario get_last_async = {
	.name = "get-last-async", .about = "the same with mmput_async()",
	.setup = setup, .finish = finish, .flags = VT_NO_MEMORY,
	.threads = { THREAD(getter), THREAD(async_putter) },
};

const struct vt_scenario get_put_put = {
	.name = "get-put-put", .about = "two put, in both ways, beside one that gets",
	.setup = setup_two_users, .finish = finish, .flags = VT_NO_MEMORY,
	.threads = { THREAD(getter), THREAD(putter), THREAD(second_putter) },
};

/* Two hold the struct of an mm that is dead. */
static void setup_dead(void)
{
	setup();
	mmgrab(grabbed);
	mmput(mm);
}

static void dropper(void)
{
	VT_CHECK(!mmget_not_zero(grabbed));
	mmdrop(grabbed);
}

const struct vt_scenario grab_drop = {
	.name = "grab-drop", .about = "the last mmdrop() frees what the others have left",
	.setup = setup_dead, .finish = finish,
	.threads = { THREAD(dropper), { "dropper 2", dropper } },
};

/* Whoever is the second to have put its mm destroys the machine. */
static void setup_destroy(void)
{
	stage_make();
	stage_make_other();
	stage_map(mm, 0, 1, PROT_READ);
	gone = 0;
}

static void destroy_if_second(void)
{
	/* Pairs with itself. */
	if (atomic_sub_acq_rel(&gone, 1) == -1)
		vmarea_destroy(machine);
}

static void first(void)
{
	mmput_async(mm);
	destroy_if_second();
}

static void second(void)
{
	mmput_async(other);
	destroy_if_second();
}

static void nothing(void)
{
}

const struct vt_scenario async_destroy = {
	.name = "async-destroy", .about = "vmarea_destroy() waits for what mmput_async() left",
	.setup = setup_destroy, .finish = nothing,
	.threads = { THREAD(first), THREAD(second) },
};

/* The end of one address space is the last put of another, by the file that it mapped. */
static int link_mmap(struct file *file, struct vma_new *vma)
{
	return 0;
}

static void link_release(struct file *file)
{
	mmput_async(file_private_data(file));
}

static void setup_chain(void)
{
	static const struct file_operations ops = {
		.owner = "link", .mmap = link_mmap, .release = link_release,
	};
	struct file_desc desc = {
		.size = sizeof(desc), .ops = &ops, .name = "link", .flags = FILE_READ,
	};
	struct file *file;

	stage_make();
	stage_make_other();
	desc.private_data = other;
	VT_CHECK(!file_create(machine, &desc, &file));
	VT_CHECK(mm_mmap(mm, AT(0), PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0) == (long)AT(0));
	file_put(file);
}

static void put_and_destroy(void)
{
	mmput_async(mm);
	vmarea_destroy(machine);
}

const struct vt_scenario async_destroy_chain = {
	.name = "async-destroy-chain", .about = "and for a put that is made by what it waits for",
	.setup = setup_chain, .finish = nothing,
	.threads = { THREAD(put_and_destroy) },
};
