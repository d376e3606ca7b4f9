/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The wrong-VMA attack: Binder remembers where the receiver's mapping is, the receiver puts another
 * one there, and a sender brings pages.
 *
 *	attack [--by insert | fault] [--unchecked]
 *
 * Five ways to put another one there.  The other mapping must have no page.
 *
 * By insert the sender has to be refused each time.  --unchecked: of a build without the owner check,
 * in which each way has to get in: so each is a way, and only the check is in it.
 *
 * By fault nobody asks what is at the address: the sender's page is the file's, and is seen where the
 * file is, which is what the first page shows.  The one check is for a fork's copy of the VMA, and so
 * --unchecked lets that way in, and no other.
 */
#include <errno.h>
#include <string.h>

#include "world.h"

#define NR_PAGES	8ul
#define ELSEWHERE	0x20000000ul
/* The page that is attacked. */
#define VICTIM		(AT + 3 * PAGE)

struct attack {
	struct world w;
	struct mm_user *mm, *child;
	struct end end, other;
};

/* Another mapping comes where Binder's was. */
static void unmap_and_map(struct attack *a)
{
	CHECK(!mm_munmap(a->mm, AT, NR_PAGES * PAGE), "munmap");
	CHECK(foreign_map(&a->w, a->mm, AT, NR_PAGES) == (long)AT, "mmap");
}

/* One that was elsewhere is moved over it. */
static void move_over(struct attack *a)
{
	CHECK(foreign_map(&a->w, a->mm, ELSEWHERE, NR_PAGES) == (long)ELSEWHERE, "mmap");
	CHECK(mm_mremap(a->mm, ELSEWHERE, NR_PAGES * PAGE, NR_PAGES * PAGE,
			MREMAP_MAYMOVE | MREMAP_FIXED, AT) == (long)AT, "mremap");
}

/* A child has Binder's mapping at the same address; its parent has it no more. */
static void fork_child(struct attack *a)
{
	CHECK(!mm_madvise(a->mm, AT, NR_PAGES * PAGE, MADV_DOFORK), "madvise");
	CHECK(!mm_fork(a->mm, &a->child), "fork");
	unmap_and_map(a);
}

/* The ends are Binder's still, the middle is not. */
static void split(struct attack *a)
{
	CHECK(!mm_munmap(a->mm, VICTIM, PAGE), "munmap");
	CHECK(foreign_map(&a->w, a->mm, VICTIM, 1) == (long)VICTIM, "mmap");
}

/* A mapping of Binder's, of the same process, and of another open file. */
static void another_instance(struct attack *a)
{
	end_open(&a->w, a->mm, &a->other);
	CHECK(end_map(&a->other, a->mm, AT, NR_PAGES) == (long)AT, "mmap");
}

static const struct {
	const char *name;
	void (*place)(struct attack *a);
} ways[] = {
	{ "unmap, and map at the same address", unmap_and_map },
	{ "mremap() over it", move_over },
	{ "a child after fork()", fork_child },
	{ "split, and map in the middle", split },
	{ "the VMA of another Binder", another_instance },
};

#define NR_WAYS	(sizeof(ways) / sizeof(ways[0]))

static struct binder_range *range_of(struct attack *a)
{
	return binder_proc_range(a->end.proc);
}

/* Brings pages while they are wanted, before; and gives them back. */
static void use_once(struct attack *a)
{
	int err = binder_range_use(range_of(a), 0, NR_PAGES);

	CHECK(!err, "before the attack: %d", err);
	CHECK(has_page(a->mm, VICTIM), "before the attack");
	binder_range_stop(range_of(a), 0, NR_PAGES);
	world_reclaim(&a->w);
	CHECK(!has_page(a->mm, VICTIM), "after reclaim");
}

struct result {
	int err;			/* what the sender is told */
	bool got_in;			/* a page of ours in a mapping that is not */
};

static struct result bring(struct attack *a)
{
	struct result r = { .err = binder_range_use(range_of(a), 3, 4) };

	r.got_in = has_page(a->mm, VICTIM) || (a->child && has_page(a->child, VICTIM));
	if (!r.err)
		binder_range_stop(range_of(a), 3, 4);
	return r;
}

/* What is the range's still can be used still, and is seen; nothing else is. */
static void look_at_first(struct attack *a, const struct result *r, bool ours)
{
	int err = binder_range_use(range_of(a), 0, 1);

	if (world_by_fault()) {
		CHECK(!err, "%d", err);
		CHECK(has_page(a->mm, AT) == ours, "the first page");
	} else {
		CHECK(err == (ours || !r->err ? 0 : -ESRCH), "the first page: %d", err);
	}
	if (!err)
		binder_range_stop(range_of(a), 0, 1);
	world_reclaim(&a->w);
	CHECK(r->got_in || !has_page(a->mm, AT), "after reclaim");
}

static bool refused(const struct result *r)
{
	return !r->got_in && r->err == (world_by_fault() ? 0 : -ESRCH);
}

static bool attack(size_t way)
{
	struct attack a = { 0 };
	struct result r;

	world_open(&a.w, 4ul << 20);
	a.mm = world_mm(&a.w);
	end_open(&a.w, a.mm, &a.end);
	CHECK(end_map(&a.end, a.mm, AT, NR_PAGES) == (long)AT, "mmap");
	use_once(&a);
	ways[way].place(&a);
	r = bring(&a);
	printf("%-36s %s, %s\n", ways[way].name, r.err ? strerror(-r.err) : "no error",
	       r.got_in ? "a page in a foreign VMA" : "no page there");
	look_at_first(&a, &r, ways[way].place == split);
	if (a.child)
		mmput(a.child);
	mmput(a.mm);
	end_close(&a.end);
	if (a.other.proc)
		end_close(&a.other);
	world_close(&a.w);
	return refused(&r);
}

int main(int argc, char **argv)
{
	size_t nr_refused = 0, expected = NR_WAYS;

	world_choose(&argc, argv);
	if (argc == 2 && !strcmp(argv[1], "--unchecked")) {
		expected = world_by_fault() ? NR_WAYS - 1 : 0;
	} else if (argc > 1) {
		fprintf(stderr, "usage: attack [--by insert | fault] [--unchecked]\n");
		return 2;
	}
	for (size_t way = 0; way < NR_WAYS; way++)
		nr_refused += attack(way);
	printf("%zu of %zu kept out\n", nr_refused, NR_WAYS);
	return nr_refused == expected ? 0 : 1;
}
