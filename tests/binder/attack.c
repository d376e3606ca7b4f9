/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The wrong-VMA attack: Binder remembers where the receiver's mapping is, the receiver puts another
 * one there, and a sender brings pages.
 *
 *	attack [--unchecked]
 *
 * Five ways to put another one there.  Each has to be refused, and the other mapping has no page.
 * --unchecked: of a build without the owner check, in which each has to succeed: so each way is a
 * way, and only the check is in it.
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

/* True if it was refused. */
static bool attack(size_t way)
{
	struct attack a = { 0 };
	int err, first_err;
	bool there, there_in_child;

	world_open(&a.w, 4ul << 20);
	a.mm = world_mm(&a.w);
	end_open(&a.w, a.mm, &a.end);
	CHECK(end_map(&a.end, a.mm, AT, NR_PAGES) == (long)AT, "mmap");
	use_once(&a);
	ways[way].place(&a);
	err = binder_range_use(range_of(&a), 3, 4);
	there = has_page(a.mm, VICTIM);
	there_in_child = a.child && has_page(a.child, VICTIM);
	printf("%-36s %s, %s\n", ways[way].name, err ? strerror(-err) : "accepted",
	       there ? "a page in a foreign VMA" : "no page there");
	CHECK(!there_in_child, "a page in the child's");
	CHECK(there == !err, "it says %d", err);
	if (!err)
		binder_range_stop(range_of(&a), 3, 4);
	/* What is Binder's still can be used still; nothing else can. */
	first_err = binder_range_use(range_of(&a), 0, 1);
	if (ways[way].place == split || !err)
		CHECK(!first_err, "the first page: %d", first_err);
	else
		CHECK(first_err == -ESRCH, "the first page: %d", first_err);
	if (!first_err)
		binder_range_stop(range_of(&a), 0, 1);
	if (a.child)
		mmput(a.child);
	mmput(a.mm);
	end_close(&a.end);
	if (a.other.proc)
		end_close(&a.other);
	world_close(&a.w);
	return err == -ESRCH && !there;
}

int main(int argc, char **argv)
{
	bool unchecked = argc == 2 && !strcmp(argv[1], "--unchecked");
	size_t nr_refused = 0;

	if (argc > 1 && !unchecked) {
		fprintf(stderr, "%s: unknown; the only option is --unchecked\n", argv[1]);
		return 2;
	}
	for (size_t way = 0; way < NR_WAYS; way++)
		nr_refused += attack(way);
	printf("%zu of %zu refused\n", nr_refused, NR_WAYS);
	return nr_refused == (unchecked ? 0 : NR_WAYS) ? 0 : 1;
}
