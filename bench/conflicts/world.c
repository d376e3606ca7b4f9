/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ds/range_tree_node.h"
#include "port/linux/bg.h"
#include "recorder.h"
#include "vma/handle.h"
#include "vma/types.h"
#include "world.h"

/* Where nothing stays mapped. */
#define WARM_AT		0x800000000ul
#define WARM_ROUNDS	12
#define WARM_PAGES	64

/* Enough for all, and for the caches of the threads. */
#define ARENA_BYTES	(32ul << 20)

/* By side, if the sides do not share it. */
static struct {
	unsigned int nr_instances, nr_mms;
	struct vmarea *instance[2];
	struct file *file[2];
	struct mm_user *mm[2];
	struct mm_user *child[2];		/* NULL: it was not asked for, or is lent */
	unsigned int near;			/* number of the first of two neighbours */
} world;

#define must(ok)	do { if (!(ok)) failed(#ok, __LINE__); } while (0)

__attribute__((noreturn)) static void failed(const char *what, int line)
{
	fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, line, what);
	exit(3);
}

/* ------------------------------------------------------------------ making -- */

static void make_instance(unsigned int nr, unsigned int needs)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/data", .inode = 1, .flags = FILE_READ | FILE_WRITE,
		.size_bytes = 1ul << 30,
	};

	config.arena_bytes = needs & NEEDS_PAGES ? ARENA_BYTES : 0;
	must(!vmarea_create(&config, &world.instance[nr]));
	must(!file_create(world.instance[nr], &desc, &world.file[nr]));
}

static void map_region(struct mm_user *mm, unsigned int region, struct file *file)
{
	for (unsigned int i = 0; i < REGION_AREAS; i++) {
		const unsigned long addr = AREA_AT(region, i);

		if (i == NR_FILE)
			must(mm_mmap(mm, addr, AREA_BYTES, RW, MAP_PRIVATE | MAP_FIXED, file,
				     region * AREA_BYTES) > 0);
		else
			must(mm_mmap(mm, addr, AREA_BYTES, RW, ANON | MAP_FIXED, NULL, 0) > 0);
		if (i != NR_OWN)
			must(mm_touch(mm, addr, MM_ACCESS_WRITE) == MM_FAULT_DONE);
		recorder_settle();
	}
}

/* Calls of all kinds, until pools have what calls need. */
static void warm_up(struct mm_user *mm)
{
	for (int i = 0; i < WARM_ROUNDS; i++) {
		must(mm_mmap(mm, WARM_AT, 16 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) > 0);
		recorder_settle();
		must(!mm_mprotect(mm, WARM_AT + 4 * PAGE, PAGE, PROT_READ));
		recorder_settle();
		must(!mm_mprotect(mm, WARM_AT + 4 * PAGE, PAGE, RW));
		recorder_settle();
		must(!mm_munmap(mm, WARM_AT, 16 * PAGE));
		recorder_settle();
	}
}

static void make_mm(unsigned int nr, unsigned int instance)
{
	struct mm_config config = MM_CONFIG_INIT;

	config.start_brk = HEAP_START;
	config.brk = HEAP_START;
	must(!mm_create(world.instance[instance], &config, &world.mm[nr]));
	must(mm_brk(world.mm[nr], HEAP_END) == HEAP_END);
	for (unsigned int region = 0; region < 2; region++)
		map_region(world.mm[nr], region, world.file[instance]);
	warm_up(world.mm[nr]);
}

/* The leaf that leads to @addr. */
static const struct rt_node *leaf_of(struct mm_user *mm, unsigned long addr)
{
	const struct rt_node *node = mm_from_user(mm)->areas.root;

	while (node->level)
		node = node->inner.child[rt_inner_rank(node, rt_search_bound(addr))];
	return node;
}

static const struct vm_area_struct *vma_of(struct mm_user *mm, unsigned long addr)
{
	struct rt_entry entry;

	must(rt_leaf_find(leaf_of(mm, addr), addr, rt_search_bound(addr), &entry));
	return entry.item;
}

static bool are_neighbours(struct mm_user *mm, unsigned long low, unsigned long high)
{
	return leaf_of(mm, low) == leaf_of(mm, high) && vma_of(mm, high) == vma_of(mm, low) + 1;
}

static unsigned int find_neighbours(struct mm_user *mm)
{
	for (unsigned int i = 1; i + 1 < NR_OWN; i++)
		if (are_neighbours(mm, AREA_AT(0, i), AREA_AT(0, i + 1)))
			return i;
	failed("two areas are neighbours in a leaf and in memory", __LINE__);
}

static unsigned int mm_of_side(enum side_nr nr)
{
	return nr < world.nr_mms ? nr : 0;
}

static unsigned int instance_of_side(enum side_nr nr)
{
	return nr < world.nr_instances ? nr : 0;
}

void world_make(enum place place, unsigned int needs)
{
	memset(&world, 0, sizeof(world));
	world.nr_instances = place == PLACE_INSTANCES ? 2 : 1;
	world.nr_mms = place == PLACE_MM ? 1 : 2;
	for (unsigned int i = 0; i < world.nr_instances; i++)
		make_instance(i, needs);
	for (unsigned int i = 0; i < world.nr_mms; i++)
		make_mm(i, instance_of_side(i));
	for (unsigned int i = 0; (needs & NEEDS_CHILD) && i < 2; i++)
		must(!mm_fork(world.mm[mm_of_side(i)], &world.child[i]));
	recorder_settle();
	world.near = find_neighbours(world.mm[0]);
	must(leaf_of(world.mm[0], AREA_AT(0, NR_OWN)) != leaf_of(world.mm[0], AREA_AT(1, NR_OWN)));
}

void world_side(enum side_nr nr, struct side *side)
{
	const unsigned int instance = instance_of_side(nr);

	*side = (struct side){
		.instance = world.instance[instance],
		.mm = world.mm[mm_of_side(nr)],
		.file = world.file[instance],
		.child = world.child[nr],
		.shared = AREA_AT(0, NR_SHARED),
		.of_shared = AREA_AT(0, NR_SHARED) + (1 + nr) * PAGE,
		.near = AREA_AT(0, world.near + nr),
		.own = AREA_AT(nr, NR_OWN),
		.touched = AREA_AT(nr, NR_TOUCHED),
		.mapped = AREA_AT(nr, NR_FILE),
		.brk = HEAP_END + (1 + nr) * PAGE,
	};
	world.child[nr] = NULL;
}

void world_warm(struct side *side)
{
	must(mm_mmap(side->mm, WARM_AT, WARM_PAGES * PAGE, RW, ANON | MAP_FIXED, NULL, 0) > 0);
	must(mm_touch_range(side->mm, WARM_AT, WARM_PAGES * PAGE, MM_ACCESS_WRITE) == MM_FAULT_DONE);
	must(!mm_munmap(side->mm, WARM_AT, WARM_PAGES * PAGE));
}

/* -------------------------------------------------------------------- ending -- */

static void until_asleep(struct port_bg *bg)
{
	while (!__atomic_load_n(&bg->bell, __ATOMIC_RELAXED))
		sched_yield();
}

void world_quiet(void)
{
	port_work_flush();
	port_rcu_barrier();
	until_asleep(&port_work_bg);
	until_asleep(&port_rcu_bg);
}

void world_end(struct side sides[2])
{
	for (unsigned int i = 0; i < 2; i++) {
		if (sides[i].child)
			mmput(sides[i].child);
		if (sides[i].made)
			mmput(sides[i].made);
	}
	for (unsigned int i = 0; i < world.nr_mms; i++)
		mmput(world.mm[i]);
	for (unsigned int i = 0; i < world.nr_instances; i++)
		file_put(world.file[i]);
	recorder_settle();
	for (unsigned int i = 0; i < world.nr_instances; i++)
		vmarea_destroy(world.instance[i]);
}
