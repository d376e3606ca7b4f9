/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * lock_vma_under_rcu() against each way in which an area changes: what it gives is what was there
 * before or what is there after, and stays so.
 */
#include "explore.h"

static struct shape {
	unsigned long start, end;	/* pages */
	vm_flags_t flags;		/* of VM_READ and VM_WRITE */
} before, after;
static unsigned long target;		/* the page that is looked up */
static long closed;			/* calls of close(), by the VMA lock */

static bool is(struct vma_ref *vma, const struct shape *shape)
{
	return vma_start(vma) == AT(shape->start) && vma_end(vma) == AT(shape->end) &&
	       (vma_flags(vma) & (VM_READ | VM_WRITE)) == shape->flags;
}

static void reader(void)
{
	struct vma_ref *vma = lock_vma_under_rcu(mm, AT(target));

	if (!vma)
		return;
	VT_CHECK(!closed, "the area is gone");
	VT_CHECK(is(vma, &before) || is(vma, &after), "%lx-%lx %lx", vma_start(vma), vma_end(vma),
		 vma_flags(vma));
	vma_end_read(vma);
}

/* One area of three pages and one beside it that differs. */
static void setup(void)
{
	stage_make();
	stage_map(mm, 0, 3, PROT_READ);
	stage_map(mm, 3, 1, RW);
	before = after = (struct shape){ 0, 3, VM_READ };
	target = 1;
	closed = 0;
}

static void setup_split(void)
{
	setup();
	target = 2;
	after = (struct shape){ 2, 3, VM_READ };
}

static void splitter(void)
{
	done(mm_mprotect(mm, AT(1), PAGE, RW));
}

static void setup_merge(void)
{
	setup();
	target = 3;
	before = (struct shape){ 3, 4, VM_READ | VM_WRITE };
	after = (struct shape){ 0, 4, VM_READ | VM_WRITE };
}

static void merger(void)
{
	done(mm_mprotect(mm, AT(0), 3 * PAGE, RW));
}

static void setup_grow(void)
{
	stage_make();
	stage_map(mm, 1, 1, PROT_READ);
	target = 1;
	closed = 0;
	before = (struct shape){ 1, 2, VM_READ };
	after = (struct shape){ 0, 2, VM_READ };
}

static void grower(void)
{
	done(mm_mmap(mm, AT(0), PAGE, PROT_READ, ANON | MAP_FIXED, NULL, 0));
}

static void setup_shrink(void)
{
	setup();
	target = 2;
	after = (struct shape){ 1, 3, VM_READ };
}

static void shrinker(void)
{
	done(mm_munmap(mm, AT(0), PAGE));
}

static void setup_fixed(void)
{
	setup();
	target = 2;
	after = (struct shape){ 2, 3, VM_READ };
}

static void replacer(void)
{
	done(mm_mmap(mm, AT(1), PAGE, PROT_NONE, ANON | MAP_FIXED, NULL, 0));
}

/* A driver's area, whose close() comes when its readers have left. */
static void area_close(struct vma_mut *vma)
{
	closed++;
}

static const struct vm_operations_struct area_ops = { .close = area_close };

static int area_mmap(struct file *file, struct vma_new *vma)
{
	vma_set_owner(vma, &area_ops, file);
	return 0;
}

static const struct file_operations file_ops = { .owner = "driver", .mmap = area_mmap };

static void setup_move(void)
{
	stage_make();
	stage_map_file(mm, 0, 3, stage_file(&file_ops));
	before = after = (struct shape){ 0, 3, VM_READ };
	target = 1;
	closed = 0;
}

static void mover(void)
{
	done(mm_mremap(mm, AT(0), 3 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, AT(8)));
}

static void setup_split_merge(void)
{
	setup();
	after = (struct shape){ 1, 2, VM_READ | VM_WRITE };
}

/* Page 1 becomes writable, then read-only again: its area is split off and joined. */
static void split_and_merge(void)
{
	if (done(mm_mprotect(mm, AT(1), PAGE, RW)))
		done(mm_mprotect(mm, AT(1), PAGE, PROT_READ));
}

static void asker(void)
{
	VT_CHECK(mm_range_ok(mm, AT(0), 3 * PAGE, PROT_READ));
}

#define LOOKUP(var, what, text, first, writer)					\
	const struct vt_scenario var = {					\
		.name = what, .about = text, .setup = first, .finish = stage_end, \
		.flags = VT_NO_MEMORY, .threads = { THREAD(reader), THREAD(writer) }, \
	}

LOOKUP(lookup_split, "lookup-split", "mprotect() of the middle", setup_split, splitter);
LOOKUP(lookup_merge, "lookup-merge", "mprotect() that joins two areas", setup_merge, merger);
LOOKUP(lookup_grow, "lookup-grow", "mmap() that joins on below", setup_grow, grower);
LOOKUP(lookup_shrink, "lookup-shrink", "munmap() of the first page", setup_shrink, shrinker);
LOOKUP(lookup_fixed, "lookup-fixed", "MAP_FIXED over the middle", setup_fixed, replacer);
LOOKUP(lookup_move, "lookup-move", "mremap() to another place", setup_move, mover);

const struct vt_scenario lookup_split_merge = {
	.name = "lookup-split-merge", .about = "split and joined again, beside a range question",
	.setup = setup_split_merge, .finish = stage_end, .flags = VT_NO_MEMORY,
	.threads = { THREAD(reader), THREAD(split_and_merge), THREAD(asker) },
};
