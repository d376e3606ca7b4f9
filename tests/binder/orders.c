/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The page range under every schedule: a sender, a shrinker, and a receiver that reads, goes or maps
 * something else.  Two pages; what can be done before the threads start is done in set-up.
 *
 *	orders [--by insert | fault] [OPTIONS]
 */
#include <errno.h>

#include <vmarea/testing.h>

#include "world.h"

#define NR_PAGES	2ul

static struct world w;
static struct mm_user *mm;
static struct end end;

static struct binder_range *range(void)
{
	return binder_proc_range(end.proc);
}

static void setup(void)
{
	world_open(&w, 2ul << 20);
	mm = world_mm(&w);
	end_open(&w, mm, &end);
	VT_CHECK(end_map(&end, mm, AT, NR_PAGES) == (long)AT);
}

/* The first page is there, and idle. */
static void setup_idle(void)
{
	setup();
	VT_CHECK(!binder_range_use(range(), 0, 1));
	binder_range_stop(range(), 0, 1);
}

static void finish(void)
{
	if (mm)
		mmput(mm);
	if (end.proc)
		end_close(&end);
	world_close(&w);
}

/* What is used is there, and is the frame that was written to. */
static void sender(void)
{
	int err = binder_range_use(range(), 0, 1);
	enum mm_fault fault;
	char found = 0;

	VT_CHECK(!err, "%d", err);
	binder_range_write(range(), 8, "x", 1);
	VT_CHECK(mm_read(mm, AT + 8, &found, 1, &fault) == 1 && found == 'x');
	binder_range_stop(range(), 0, 1);
}

static void shrinker(void)
{
	vmarea_shrink(w.v, ~0ul);
}

static const struct vt_scenario use_shrink = {
	.name = "use-shrink", .about = "a used page stays, and there is one at a time",
	.setup = setup_idle, .finish = finish,
	.threads = { { "sender", sender }, { "shrinker", shrinker } },
};

static const struct vt_scenario use_use = {
	.name = "use-use", .about = "two senders bring one page",
	.setup = setup, .finish = finish,
	.threads = { { "sender", sender }, { "sender 2", sender } },
};

/* What is there at the end is another's, and empty. */
static void sender_to_nobody(void)
{
	int err = binder_range_use(range(), 0, 1);

	VT_CHECK(!err || err == -ESRCH, "%d", err);
	if (!err)
		binder_range_stop(range(), 0, 1);
}

static void remapper(void)
{
	VT_CHECK(foreign_map(&w, mm, AT, NR_PAGES) == (long)AT);
}

static void finish_foreign(void)
{
	VT_CHECK(!has_page(mm, AT), "a page in a foreign VMA");
	finish();
}

static const struct vt_scenario use_remap = {
	.name = "use-remap", .about = "no page comes to what is mapped over the range",
	.setup = setup, .finish = finish_foreign,
	.threads = { { "sender", sender_to_nobody }, { "remapper", remapper } },
};

static const struct vt_scenario shrink_remap = {
	.name = "shrink-remap", .about = "an idle page is freed once, whoever zaps it",
	.setup = setup_idle, .finish = finish_foreign,
	.threads = { { "shrinker", shrinker }, { "remapper", remapper } },
};

/* What the receiver sees, whenever it looks, is the page that is written to. */
static void reuser(void)
{
	vmarea_shrink(w.v, ~0ul);
	VT_CHECK(!binder_range_use(range(), 0, 1));
	binder_range_write(range(), 8, "y", 1);
	binder_range_stop(range(), 0, 1);
}

static void receiver(void)
{
	has_page(mm, AT);
}

static void finish_reused(void)
{
	enum mm_fault fault;
	char found = 0;

	VT_CHECK(mm_read(mm, AT + 8, &found, 1, &fault) == 1 && found == 'y', "%d", found);
	finish();
}

static const struct vt_scenario read_reuse = {
	.name = "read-reuse", .about = "no page is shown that has been taken away",
	.setup = setup_idle, .finish = finish_reused,
	.threads = { { "receiver", receiver }, { "reuser", reuser } },
};

/* The first page is seen; the second goes, and the VMA becomes shorter. */
static void setup_seen(void)
{
	setup_idle();
	VT_CHECK(has_page(mm, AT));
}

static void cutter(void)
{
	VT_CHECK(!mm_munmap(mm, AT + PAGE, PAGE));
}

static void finish_cut(void)
{
	bool there = binder_range_state(range(), 0) != BINDER_PAGE_NONE;

	VT_CHECK(has_page(mm, AT) == there, "%d", there);
	finish();
}

static const struct vt_scenario shrink_cut = {
	.name = "shrink-cut", .about = "a page goes out of slot and sight, or out of neither",
	.setup = setup_seen, .finish = finish_cut,
	.threads = { { "shrinker", shrinker }, { "cutter", cutter } },
};

/* The file, the range with it, goes with the last of both. */
static void leaver(void)
{
	end_close(&end);
	end.proc = NULL;
	mmput(mm);
	mm = NULL;
}

static const struct vt_scenario shrink_exit = {
	.name = "shrink-exit", .about = "a range that goes is not looked at any more",
	.setup = setup_idle, .finish = finish,
	.threads = { { "shrinker", shrinker }, { "leaver", leaver } },
};

/* The file goes, and a sender has the range still. */
static void closer(void)
{
	file_put(end.file);
	mmput(mm);
}

static void finish_closed(void)
{
	binder_proc_put(end.proc);
	world_close(&w);
}

static const struct vt_scenario shrink_close = {
	.name = "shrink-close", .about = "a file that goes is not looked at any more",
	.setup = setup_idle, .finish = finish_closed,
	.threads = { { "shrinker", shrinker }, { "closer", closer } },
};

/* A shrinker that leaves while it is asked; its memory is another's after that. */
static struct shrinker *leaving;

static unsigned long count(struct shrinker *shrinker)
{
	return 1;
}

static unsigned long scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	return SHRINK_STOP;
}

static void setup_leaving(void)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;

	VT_CHECK(!vmarea_create(&config, &w.v));
	leaving = malloc(sizeof(*leaving));
	VT_CHECK(leaving);
	*leaving = (struct shrinker){ .name = "leaving", .count = count, .scan = scan };
	shrinker_register(w.v, leaving);
}

static void unregisterer(void)
{
	shrinker_unregister(leaving);
	free(leaving);
}

static void finish_leaving(void)
{
	vmarea_destroy(w.v);
}

static const struct vt_scenario shrink_leave = {
	.name = "shrink-leave", .about = "nobody is in a hook after shrinker_unregister()",
	.setup = setup_leaving, .finish = finish_leaving,
	.threads = { { "shrinker", shrinker }, { "unregisterer", unregisterer } },
};

int main(int argc, char **argv)
{
	world_choose(&argc, argv);
	return vt_main(argc, argv, (const struct vt_scenario *const[]){
		&use_shrink, &use_use, &use_remap, &read_reuse, &shrink_remap, &shrink_cut,
		&shrink_exit, &shrink_close, &shrink_leave, NULL });
}
