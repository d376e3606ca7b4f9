/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Anonymous memory by 2 MiB.  What is expected of Rss, AnonHugePages, mincore() and errors is what
 * a program measures on Linux 6.18 with transparent_hugepage/enabled at "madvise".
 */
#include <vmarea/reclaim.h>

#include "memory.h"

#define HUGE	512ul			/* pages in 2 MiB */

/* [0, nr * 2 MiB), advised. */
static void open_advised(struct memory *m, unsigned long nr)
{
	memory_open(m);
	assert_int_equal(space_map(&m->s, 0, nr * HUGE, RW, ANON), 0);
	assert_int_equal(mm_madvise(m->s.mm, at(0), nr * HUGE * 4096, MADV_HUGEPAGE), 0);
}

/* Pages in core, RSS and leaves (with those of zeros). */
#define assert_memory(mm, core, rss, leaves)					\
	do {									\
		assert_int_equal(mm_core(mm), (core));				\
		assert_int_equal(mm_rss(mm), (rss));				\
		assert_int_equal(mm_leaves(mm), (leaves));			\
		memory_validate(mm);						\
	} while (0)

static unsigned long mm_core(struct mm_user *mm)
{
	static unsigned char vec[4 * HUGE];
	unsigned long nr = 0;

	for (unsigned long i = 0; i < 4 * HUGE; i++) {
		if (mm_mincore(mm, at(i), 4096, &vec[i]) == 0)
			nr += vec[i] & 1;
	}
	return nr;
}

static long collapse(struct memory *m, unsigned long page, unsigned long nr)
{
	return mm_madvise(m->s.mm, at(page), nr * 4096, MADV_COLLAPSE);
}

static long advise(struct memory *m, unsigned long page, unsigned long nr, int advice)
{
	return mm_madvise(m->s.mm, at(page), nr * 4096, advice);
}

/* A value for each page, so that a page in the wrong place shows. */
static void fill(struct memory *m, unsigned long page, unsigned long nr)
{
	for (unsigned long i = page; i < page + nr; i++)
		assert_int_equal(put(m, i, (unsigned char)(i * 7 + 1)), MM_FAULT_DONE);
}

static void assert_filled(struct mm_user *mm, unsigned long page, unsigned long nr)
{
	for (unsigned long i = page; i < page + nr; i++)
		assert_int_equal(mm_get(mm, i), (unsigned char)(i * 7 + 1));
}

/* -------------------------------------------------------------------------------- policy -- */

static unsigned long leaves_with(enum vmarea_thp thp, int advice, bool disable)
{
	struct memory m;
	unsigned long leaves;

	memory_init(&m, MEMORY_BYTES);
	m.s.config.thp = thp;
	memory_create(&m);
	assert_int_equal(mm_set_thp_disable(m.s.mm, disable), 0);
	assert_int_equal(space_map(&m.s, 0, HUGE, RW, ANON), 0);
	if (advice)
		assert_int_equal(advise(&m, 0, HUGE, advice), 0);
	assert_int_equal(put(&m, 5, 1), MM_FAULT_DONE);
	leaves = mm_leaves(m.s.mm);
	assert_int_equal(mm_rss(m.s.mm), leaves ? HUGE : 1);
	memory_close(&m);
	return leaves;
}

static void the_policy_decides(void **state)
{
	assert_int_equal(leaves_with(VMAREA_THP_MADVISE, 0, false), 0);
	assert_int_equal(leaves_with(VMAREA_THP_MADVISE, MADV_HUGEPAGE, false), 1);
	assert_int_equal(leaves_with(VMAREA_THP_MADVISE, MADV_HUGEPAGE, true), 0);
	assert_int_equal(leaves_with(VMAREA_THP_ALWAYS, 0, false), 1);
	assert_int_equal(leaves_with(VMAREA_THP_ALWAYS, MADV_NOHUGEPAGE, false), 0);
	assert_int_equal(leaves_with(VMAREA_THP_ALWAYS, 0, true), 0);
	assert_int_equal(leaves_with(VMAREA_THP_NEVER, MADV_HUGEPAGE, false), 0);
}

static void a_policy_out_of_range_is_refused(void **state)
{
	struct space s;

	space_init(&s);
	s.config.thp = (enum vmarea_thp)3;
	assert_int_equal(vmarea_create(&s.config, &s.v), -EINVAL);
}

/* --------------------------------------------------------------------------------- fault -- */

static void a_read_maps_zeros_and_a_write_memory(void **state)
{
	struct memory m;

	open_advised(&m, 2);
	assert_int_equal(get(&m, 1), 0);
	assert_memory(m.s.mm, HUGE, 0, 1);
	assert_int_equal(put(&m, 1, 7), MM_FAULT_DONE);
	assert_memory(m.s.mm, HUGE, HUGE, 1);
	assert_int_equal(get(&m, 1), 7);
	assert_int_equal(get(&m, 511), 0);
	assert_int_equal(put(&m, HUGE, 8), MM_FAULT_DONE);
	assert_memory(m.s.mm, 2 * HUGE, 2 * HUGE, 2);
	assert_int_equal(mm_frame(m.s.mm, 0) % HUGE, 0);
	memory_close(&m);
}

/* The 2 MiB at an end that are not all the area's are small. */
static void what_sticks_out_is_small(void **state)
{
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 1, 2 * HUGE, RW, ANON), 0);
	assert_int_equal(advise(&m, 1, 2 * HUGE, MADV_HUGEPAGE), 0);
	assert_int_equal(put(&m, 1, 1), MM_FAULT_DONE);
	assert_int_equal(put(&m, 2 * HUGE, 1), MM_FAULT_DONE);
	assert_memory(m.s.mm, 2, 2, 0);
	assert_int_equal(put(&m, HUGE, 1), MM_FAULT_DONE);
	assert_memory(m.s.mm, HUGE + 2, HUGE + 2, 1);
	memory_close(&m);
}

static void what_began_small_stays_small(void **state)
{
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, HUGE, RW, ANON), 0);
	assert_int_equal(put(&m, 0, 1), MM_FAULT_DONE);
	assert_int_equal(advise(&m, 0, HUGE, MADV_HUGEPAGE), 0);
	assert_int_equal(put(&m, 1, 1), MM_FAULT_DONE);
	assert_int_equal(get(&m, 2), 0);
	assert_memory(m.s.mm, 3, 2, 0);
	/* Until there is no table any more. */
	assert_int_equal(advise(&m, 0, HUGE, MADV_DONTNEED), 0);
	assert_int_equal(put(&m, 1, 1), MM_FAULT_DONE);
	assert_memory(m.s.mm, HUGE, HUGE, 1);
	memory_close(&m);
}

static void without_a_block_a_page_does(void **state)
{
	struct page *blocks[64];
	unsigned int nr = 0;
	struct memory m;

	open_advised(&m, 2);
	while (nr < 64 && (blocks[nr] = page_alloc(m.s.v->arena, PAGE_MAX_ORDER, PAGE_ANYTHING)))
		nr++;
	assert_int_equal(put(&m, 0, 1), MM_FAULT_DONE);
	assert_int_equal(get(&m, HUGE), 0);
	assert_memory(m.s.mm, 2, 1, 0);
	assert_int_equal(collapse(&m, 0, HUGE), -ENOMEM);
	page_put(blocks[--nr]);
	assert_int_equal(collapse(&m, 0, HUGE), 0);
	assert_memory(m.s.mm, HUGE + 1, HUGE, 1);
	while (nr)
		page_put(blocks[--nr]);
	memory_close(&m);
}

/* There are zeros, and no block to write to: they become small ones. */
static void zeros_are_written_to_without_a_block(void **state)
{
	struct page *blocks[64];
	unsigned int nr = 0;
	struct memory m;

	open_advised(&m, 1);
	assert_int_equal(get(&m, 0), 0);
	while (nr < 64 && (blocks[nr] = page_alloc(m.s.v->arena, PAGE_MAX_ORDER, PAGE_ANYTHING)))
		nr++;
	assert_int_equal(put(&m, 3, 1), MM_FAULT_DONE);
	assert_memory(m.s.mm, HUGE, 1, 0);
	assert_int_equal(get(&m, 4), 0);
	while (nr)
		page_put(blocks[--nr]);
	memory_close(&m);
}

static void populate_makes_leaves(void **state)
{
	struct memory m;

	open_advised(&m, 2);
	assert_int_equal(advise(&m, 0, 2 * HUGE, MADV_POPULATE_READ), 0);
	assert_memory(m.s.mm, 2 * HUGE, 0, 2);
	assert_int_equal(advise(&m, 0, HUGE, MADV_POPULATE_WRITE), 0);
	assert_memory(m.s.mm, 2 * HUGE, HUGE, 2);
	memory_close(&m);
}

/* --------------------------------------------------------------------------------- split -- */

/* A touched leaf, and a call that meets a part of it. */
static void split_by(long (*call)(struct memory *m), unsigned long core, unsigned long rss)
{
	struct memory m;

	open_advised(&m, 1);
	fill(&m, 0, HUGE);
	assert_memory(m.s.mm, HUGE, HUGE, 1);
	assert_int_equal(call(&m), 0);
	assert_memory(m.s.mm, core, rss, 0);
	assert_filled(m.s.mm, 0, 8);
	assert_filled(m.s.mm, 16, HUGE - 16);
	memory_close(&m);
}

static long unmap_part(struct memory *m)
{
	return space_unmap(&m->s, 8, 8);
}

static long discard_part(struct memory *m)
{
	return advise(m, 8, 8, MADV_DONTNEED);
}

static long guard_part(struct memory *m)
{
	return advise(m, 8, 8, MADV_GUARD_INSTALL);
}

static long map_over_part(struct memory *m)
{
	return space_map(&m->s, 8, 8, RW, ANON);
}

static long protect_part(struct memory *m)
{
	return mm_mprotect(m->s.mm, at(8), 8 * 4096, PROT_READ);
}

static long lock_part(struct memory *m)
{
	return mm_mlock(m->s.mm, at(8), 8 * 4096);
}

static long advise_part(struct memory *m)
{
	return advise(m, 8, 8, MADV_NOHUGEPAGE);
}

static long age_part(struct memory *m)
{
	return advise(m, 8, 8, MADV_COLD);
}

static long move_part(struct memory *m)
{
	long to = mm_mremap(m->s.mm, at(8), 8 * 4096, 8 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED,
			    at(4 * HUGE));

	return to < 0 ? to : 0;
}

static void a_part_splits(void **state)
{
	split_by(unmap_part, HUGE - 8, HUGE - 8);
	split_by(discard_part, HUGE - 8, HUGE - 8);
	split_by(guard_part, HUGE - 8, HUGE - 8);
	split_by(map_over_part, HUGE - 8, HUGE - 8);
	split_by(protect_part, HUGE, HUGE);
	split_by(lock_part, HUGE, HUGE);
	split_by(advise_part, HUGE, HUGE);
	split_by(age_part, HUGE, HUGE);
	split_by(move_part, HUGE - 8, HUGE);
}

/* Nothing but whole leaves is met. */
static void the_whole_does_not_split(void **state)
{
	struct memory m;

	open_advised(&m, 2);
	fill(&m, 0, 2 * HUGE);
	assert_int_equal(mm_mprotect(m.s.mm, at(0), HUGE * 4096, PROT_READ), 0);
	assert_int_equal(put(&m, 1, 1), MM_FAULT_ACCERR);
	assert_memory(m.s.mm, 2 * HUGE, 2 * HUGE, 2);
	assert_int_equal(mm_mprotect(m.s.mm, at(0), HUGE * 4096, RW), 0);
	fill(&m, 0, 1);
	assert_int_equal(advise(&m, 0, HUGE, MADV_NOHUGEPAGE), 0);
	assert_int_equal(advise(&m, 3, 5, MADV_GUARD_REMOVE), 0);
	assert_memory(m.s.mm, 2 * HUGE, 2 * HUGE, 2);
	assert_filled(m.s.mm, 0, 2 * HUGE);
	assert_int_equal(advise(&m, HUGE, HUGE, MADV_DONTNEED), 0);
	assert_memory(m.s.mm, HUGE, HUGE, 1);
	assert_int_equal(advise(&m, 0, HUGE, MADV_GUARD_INSTALL), 0);
	assert_memory(m.s.mm, 0, 0, 0);
	memory_close(&m);
}

/* What is unmapped of a block that nobody else has is free at once. */
static void parts_of_a_block_come_back(void **state)
{
	unsigned long before;
	struct memory m;

	open_advised(&m, 1);
	fill(&m, 0, HUGE);
	before = memory_free_frames(m.s.v);
	assert_int_equal(advise(&m, 1, HUGE - 1, MADV_DONTNEED), 0);
	assert_int_equal(memory_free_frames(m.s.v), before + HUGE - 1);
	memory_close(&m);
}

static void zeros_are_split_into_zeros(void **state)
{
	struct memory m;

	open_advised(&m, 1);
	assert_int_equal(get(&m, 0), 0);
	assert_int_equal(discard_part(&m), 0);
	assert_memory(m.s.mm, HUGE - 8, 0, 0);
	assert_int_equal(put(&m, 0, 1), MM_FAULT_DONE);
	assert_memory(m.s.mm, HUGE - 8, 1, 0);
	memory_close(&m);
}

static void leaves_move_whole_or_in_pieces(void **state)
{
	struct memory m;

	open_advised(&m, 1);
	fill(&m, 0, HUGE);
	assert_int_equal(mm_mremap(m.s.mm, at(0), HUGE * 4096, HUGE * 4096,
				   MREMAP_MAYMOVE | MREMAP_FIXED, at(HUGE)), at(HUGE));
	assert_memory(m.s.mm, HUGE, HUGE, 1);
	assert_int_equal(get(&m, HUGE + 3), 3 * 7 + 1);
	assert_int_equal(mm_mremap(m.s.mm, at(HUGE), HUGE * 4096, HUGE * 4096,
				   MREMAP_MAYMOVE | MREMAP_FIXED, at(2 * HUGE + 1)),
			 at(2 * HUGE + 1));
	assert_memory(m.s.mm, HUGE, HUGE, 0);
	assert_int_equal(get(&m, 2 * HUGE + 1 + 3), 3 * 7 + 1);
	assert_int_equal(get(&m, 3 * HUGE), (unsigned char)(511 * 7 + 1));
	memory_close(&m);
}

/* ---------------------------------------------------------------------------------- fork -- */

static struct mm_user *fork_of(struct memory *m)
{
	struct mm_user *child;

	assert_int_equal(mm_fork(m->s.mm, &child), 0);
	memory_validate(m->s.mm);
	memory_validate(child);
	return child;
}

static void a_fork_shares_the_leaf(void **state)
{
	struct mm_user *child;
	struct memory m;

	open_advised(&m, 1);
	fill(&m, 0, HUGE);
	child = fork_of(&m);
	assert_memory(child, HUGE, HUGE, 1);
	assert_memory(m.s.mm, HUGE, HUGE, 1);
	assert_int_equal(mm_frame(child, 0), mm_frame(m.s.mm, 0));
	/* One page is copied, and the rest in pieces. */
	assert_int_equal(mm_put(child, 9, 99), MM_FAULT_DONE);
	assert_memory(child, HUGE, HUGE, 0);
	assert_memory(m.s.mm, HUGE, HUGE, 1);
	assert_int_equal(mm_get(child, 9), 99);
	assert_filled(m.s.mm, 0, HUGE);
	assert_filled(child, 0, 9);
	assert_filled(child, 10, HUGE - 10);
	assert_int_equal(mm_frame(child, 10), mm_frame(m.s.mm, 0) + 10);
	/* The other side splits as well. */
	assert_int_equal(put(&m, 11, 77), MM_FAULT_DONE);
	assert_memory(m.s.mm, HUGE, HUGE, 0);
	assert_int_equal(mm_get(child, 11), (unsigned char)(11 * 7 + 1));
	assert_int_equal(get(&m, 11), 77);
	mmput(child);
	/* Pieces that nobody else has are taken back, not copied. */
	assert_int_equal(put(&m, 12, 55), MM_FAULT_DONE);
	memory_close(&m);
}

static void the_last_has_the_leaf_back(void **state)
{
	unsigned long frame, free;
	struct mm_user *child;
	struct memory m;

	open_advised(&m, 1);
	fill(&m, 0, HUGE);
	frame = mm_frame(m.s.mm, 0);
	child = fork_of(&m);
	mmput(child);
	assert_int_equal(put(&m, 3, 1), MM_FAULT_DONE);
	assert_int_equal(mm_frame(m.s.mm, 0), frame);
	assert_memory(m.s.mm, HUGE, HUGE, 1);

	/* In pieces, since it wrote while there was a child: nothing is copied after that. */
	child = fork_of(&m);
	assert_int_equal(put(&m, 3, 2), MM_FAULT_DONE);
	mmput(child);
	free = memory_free_frames(m.s.v);
	for (unsigned long i = 4; i < HUGE; i++) {
		assert_int_equal(put(&m, i, 2), MM_FAULT_DONE);
		assert_int_equal(mm_frame(m.s.mm, i), frame + i);
	}
	/* And the frame that the copy was made of is free. */
	assert_int_equal(memory_free_frames(m.s.v), free + 1);
	memory_close(&m);
}

static void a_fork_inherits_zeros(void **state)
{
	struct mm_user *child;
	struct memory m;

	open_advised(&m, 1);
	assert_int_equal(get(&m, 0), 0);
	child = fork_of(&m);
	assert_memory(child, HUGE, 0, 1);
	assert_int_equal(mm_put(child, 0, 1), MM_FAULT_DONE);
	assert_memory(child, HUGE, HUGE, 1);
	assert_int_equal(get(&m, 0), 0);
	mmput(m.s.mm);
	m.s.mm = child;
	memory_close(&m);
}

/* A pin stays on the program's page over a fork, a split and writes. */
static void a_pinned_leaf_is_copied_by_the_fork(void **state)
{
	struct mm_translation t;
	struct mm_user *child;
	struct memory m;

	open_advised(&m, 1);
	fill(&m, 0, HUGE);
	assert_int_equal(mm_translate(m.s.mm, byte_at(9), MM_ACCESS_WRITE, &t), MM_FAULT_DONE);
	assert_int_equal(t.frame, mm_frame(m.s.mm, 0) + 9);
	child = fork_of(&m);
	assert_memory(m.s.mm, HUGE, HUGE, 0);
	assert_memory(child, HUGE, HUGE, 0);
	*(char *)t.bytes = 99;
	assert_int_equal(get(&m, 9), 99);
	assert_filled(child, 0, HUGE);
	assert_int_equal(put(&m, 9, 98), MM_FAULT_DONE);
	assert_int_equal(*(char *)t.bytes, 98);
	assert_int_equal(collapse(&m, 0, HUGE), -EAGAIN);
	mm_translation_put(&t);
	assert_int_equal(collapse(&m, 0, HUGE), 0);
	assert_int_equal(get(&m, 9), 98);
	mmput(child);
	memory_close(&m);
}

/* A pin for reading, of a shared leaf, is of a page that is the program's alone. */
static void a_pin_for_reading_unshares(void **state)
{
	struct mm_translation t;
	struct mm_user *child;
	struct memory m;

	open_advised(&m, 1);
	fill(&m, 0, HUGE);
	child = fork_of(&m);
	assert_int_equal(mm_translate(m.s.mm, byte_at(9), MM_ACCESS_READ, &t), MM_FAULT_DONE);
	assert_int_not_equal(t.frame, mm_frame(child, 0) + 9);
	assert_int_equal(put(&m, 9, 98), MM_FAULT_DONE);
	assert_int_equal(*(char *)t.bytes, 98);
	mm_translation_put(&t);
	mmput(child);
	memory_close(&m);
}

/* The pin outlives the memory. */
static void a_pin_keeps_the_block(void **state)
{
	struct mm_translation t;
	struct memory m;

	open_advised(&m, 1);
	fill(&m, 0, HUGE);
	assert_int_equal(mm_translate(m.s.mm, byte_at(9), MM_ACCESS_WRITE, &t), MM_FAULT_DONE);
	assert_int_equal(discard_part(&m), 0);
	assert_int_equal(space_unmap(&m.s, 0, HUGE), 0);
	assert_int_equal(*(char *)t.bytes, 9 * 7 + 1);
	mm_translation_put(&t);
	memory_close(&m);
}

/* ------------------------------------------------------------------------------ collapse -- */

static void open_small(struct memory *m, unsigned long nr)
{
	memory_open(m);
	assert_int_equal(space_map(&m->s, 0, nr * HUGE, RW, ANON), 0);
}

static void collapse_keeps_the_bytes(void **state)
{
	struct memory m;

	open_small(&m, 2);
	fill(&m, 0, 300);
	assert_int_equal(get(&m, 400), 0);		/* the zero page */
	assert_int_equal(collapse(&m, 0, HUGE), 0);
	assert_memory(m.s.mm, HUGE, HUGE, 1);
	assert_filled(m.s.mm, 0, 300);
	for (unsigned long i = 300; i < HUGE; i++)
		assert_int_equal(get(&m, i), 0);
	fill(&m, 300, HUGE - 300);
	assert_filled(m.s.mm, 0, HUGE);
	assert_int_equal(collapse(&m, 0, HUGE), 0);	/* it is one already */
	memory_close(&m);
}

static void collapse_is_refused_as_linux_does(void **state)
{
	struct memory m;

	open_small(&m, 3);
	assert_int_equal(collapse(&m, 0, HUGE), -EINVAL);	/* untouched */
	fill(&m, HUGE, 1);
	assert_int_equal(collapse(&m, 0, 2 * HUGE), -EINVAL);	/* the first has no table */
	assert_memory(m.s.mm, 1, 1, 0);
	assert_int_equal(collapse(&m, 1, HUGE), 0);		/* no whole one in it */
	assert_int_equal(collapse(&m, 1, HUGE - 2), -EINVAL);
	assert_memory(m.s.mm, 1, 1, 0);
	fill(&m, 0, 1);
	assert_int_equal(advise(&m, 8, 1, MADV_GUARD_INSTALL), 0);
	assert_int_equal(collapse(&m, 0, 2 * HUGE), -EINVAL);
	assert_memory(m.s.mm, 2, 2, 0);
	assert_int_equal(collapse(&m, 1, 2 * HUGE - 1), 0);
	assert_memory(m.s.mm, HUGE + 1, HUGE + 1, 1);
	assert_int_equal(advise(&m, 0, HUGE, MADV_GUARD_REMOVE), 0);
	assert_int_equal(mm_set_thp_disable(m.s.mm, true), 0);
	assert_int_equal(collapse(&m, 0, HUGE), -EINVAL);
	assert_int_equal(mm_set_thp_disable(m.s.mm, false), 0);
	assert_int_equal(advise(&m, 0, HUGE, MADV_NOHUGEPAGE), 0);
	assert_int_equal(collapse(&m, 0, HUGE), -EINVAL);
	memory_close(&m);
}

static void collapse_needs_no_rights(void **state)
{
	struct memory m;

	open_small(&m, 1);
	fill(&m, 0, 9);
	assert_int_equal(mm_mprotect(m.s.mm, at(0), HUGE * 4096, PROT_NONE), 0);
	assert_int_equal(collapse(&m, 0, HUGE), 0);
	assert_memory(m.s.mm, HUGE, HUGE, 1);
	assert_int_equal(get(&m, 0), NO_BYTE(ACCERR));
	assert_int_equal(mm_mprotect(m.s.mm, at(0), HUGE * 4096, RW), 0);
	fill(&m, 9, 1);
	assert_filled(m.s.mm, 0, 10);
	assert_memory(m.s.mm, HUGE, HUGE, 1);
	memory_close(&m);
}

/* The pages of a fork are copied, and the other side keeps them. */
static void collapse_of_shared_pages(void **state)
{
	struct mm_user *child;
	struct memory m;

	open_small(&m, 1);
	fill(&m, 0, 20);
	child = fork_of(&m);
	assert_int_equal(collapse(&m, 0, HUGE), 0);
	assert_memory(m.s.mm, HUGE, HUGE, 1);
	assert_memory(child, 20, 20, 0);
	fill(&m, 30, 1);
	assert_filled(child, 0, 20);
	assert_int_equal(mm_put(child, 0, 9), MM_FAULT_DONE);
	assert_filled(m.s.mm, 0, 20);
	mmput(child);
	memory_close(&m);
}

/* The child has the leaf, the parent pieces of it, and makes a block of its own. */
static void collapse_of_pieces(void **state)
{
	struct mm_user *child;
	struct memory m;

	open_advised(&m, 1);
	fill(&m, 0, HUGE);
	child = fork_of(&m);
	assert_int_equal(put(&m, 1, 9), MM_FAULT_DONE);
	assert_int_equal(collapse(&m, 0, HUGE), 0);
	assert_memory(m.s.mm, HUGE, HUGE, 1);
	assert_memory(child, HUGE, HUGE, 1);
	assert_int_equal(get(&m, 1), 9);
	assert_filled(m.s.mm, 2, HUGE - 2);
	assert_filled(child, 0, HUGE);
	mmput(child);
	memory_close(&m);
}

/* One that somebody holds is passed over; the others are done. */
static void collapse_passes_over_what_is_held(void **state)
{
	struct mm_translation t;
	struct page *page;
	struct memory m;

	open_small(&m, 2);
	fill(&m, 0, 9);
	fill(&m, HUGE, 9);
	assert_int_equal(mm_translate(m.s.mm, byte_at(3), MM_ACCESS_READ, &t), MM_FAULT_DONE);
	assert_int_equal(collapse(&m, 0, 2 * HUGE), -EAGAIN);
	assert_memory(m.s.mm, HUGE + 9, HUGE + 9, 1);
	mm_translation_put(&t);
	page = gup_fast(mm_from_user(m.s.mm)->pgt, at(4), PT_READ);
	assert_int_equal(collapse(&m, 0, 2 * HUGE), -EAGAIN);
	page_put(page);
	assert_int_equal(collapse(&m, 0, 2 * HUGE), 0);
	assert_memory(m.s.mm, 2 * HUGE, 2 * HUGE, 2);
	assert_filled(m.s.mm, 0, 9);
	assert_filled(m.s.mm, HUGE, 9);
	memory_close(&m);
}

static void collapse_of_a_table_that_is_empty(void **state)
{
	struct memory m;

	open_small(&m, 1);
	fill(&m, 0, 9);
	assert_int_equal(advise(&m, 0, HUGE - 1, MADV_DONTNEED), 0);	/* the table stays */
	assert_int_equal(collapse(&m, 0, HUGE), 0);
	assert_memory(m.s.mm, HUGE, HUGE, 1);
	assert_int_equal(get(&m, 3), 0);
	memory_close(&m);
}

#ifdef CONFIG_VMAREA_DEBUG

/* Each frame that a collapse and a fork ask for is refused once: every byte stays what it was. */
static void what_is_refused_changes_nothing(void **state)
{
	long err = -ENOMEM, n;
	struct mm_user *child;
	struct memory m;

	open_small(&m, 1);
	vmarea_set_reclaim_when(m.s.v, VMAREA_RECLAIM_WHEN_ASKED);
	fill(&m, 0, 20);
	for (n = 1; err; n++) {
		port_fail_nth(n);
		err = collapse(&m, 0, HUGE);
		port_fail_nth(0);
		assert_true(!err || err == -ENOMEM);
		assert_memory(m.s.mm, err ? 20 : HUGE, err ? 20 : HUGE, err ? 0 : 1);
		assert_filled(m.s.mm, 0, 20);
	}
	assert_true(n > 3);		/* the block, and the table beside it */
	for (err = -ENOMEM, n = 1; err; n++) {
		port_fail_nth(n);
		err = mm_fork(m.s.mm, &child);
		port_fail_nth(0);
		assert_true(!err || err == -ENOMEM);
		assert_memory(m.s.mm, HUGE, HUGE, 1);
		assert_filled(m.s.mm, 0, 20);
	}
	assert_memory(child, HUGE, HUGE, 1);
	mmput(child);
	memory_close(&m);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_policy_decides),
		cmocka_unit_test(a_policy_out_of_range_is_refused),
		cmocka_unit_test(a_read_maps_zeros_and_a_write_memory),
		cmocka_unit_test(what_sticks_out_is_small),
		cmocka_unit_test(what_began_small_stays_small),
		cmocka_unit_test(without_a_block_a_page_does),
		cmocka_unit_test(zeros_are_written_to_without_a_block),
		cmocka_unit_test(populate_makes_leaves),
		cmocka_unit_test(a_part_splits),
		cmocka_unit_test(the_whole_does_not_split),
		cmocka_unit_test(parts_of_a_block_come_back),
		cmocka_unit_test(zeros_are_split_into_zeros),
		cmocka_unit_test(leaves_move_whole_or_in_pieces),
		cmocka_unit_test(a_fork_shares_the_leaf),
		cmocka_unit_test(the_last_has_the_leaf_back),
		cmocka_unit_test(a_fork_inherits_zeros),
		cmocka_unit_test(a_pinned_leaf_is_copied_by_the_fork),
		cmocka_unit_test(a_pin_for_reading_unshares),
		cmocka_unit_test(a_pin_keeps_the_block),
		cmocka_unit_test(collapse_keeps_the_bytes),
		cmocka_unit_test(collapse_is_refused_as_linux_does),
		cmocka_unit_test(collapse_needs_no_rights),
		cmocka_unit_test(collapse_of_shared_pages),
		cmocka_unit_test(collapse_of_pieces),
		cmocka_unit_test(collapse_passes_over_what_is_held),
		cmocka_unit_test(collapse_of_a_table_that_is_empty),
#ifdef CONFIG_VMAREA_DEBUG
		cmocka_unit_test(what_is_refused_changes_nothing),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
