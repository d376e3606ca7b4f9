/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Page tables one operation at a time: results, hooks and their order, and memory that runs out. */
#include <errno.h>
#include <pthread.h>

#include "pgtable/table.h"
#include "space.h"

static struct space s;

static int setup(void **state)
{
	(void)state;
	space_make(&s, &machines[0], 32, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	space_end(&s);
	return 0;
}

#define FMT	(s.pt.format)
#define AT(n)	(0x40000000ul + (n) * PAGE_SIZE)

/* ------------------------------------------------------------------ entries -- */

/* Each right and mark comes back as it was given, in both formats, at both levels. */
static void test_attributes(void **state)
{
	static const struct pt_format *const formats[] = { &pt_format_x86_64, &pt_format_riscv };

	(void)state;
	for (int i = 0; i < 2; i++) {
		for (u32 attrs = 0; attrs < 256; attrs++) {
			for (unsigned int level = PT_PTE; level <= PT_PMD; level++) {
				pte_t e = pte_leaf(formats[i], level, 0x12345 << 9, attrs);
				u32 expected = attrs | (attrs & PT_WRITE ? PT_READ : 0);

				if (i == 0 && attrs & PT_EXEC)
					expected |= PT_READ;
				assert_true(pte_is_leaf(formats[i], level, e));
				assert_false(pte_is_table(formats[i], level, e));
				assert_false(pte_is_soft(formats[i], e));
				assert_int_equal(pte_pfn(formats[i], e), 0x12345 << 9);
				assert_int_equal(pte_attrs(formats[i], e), expected);
				assert_int_equal(pte_valid(formats[i], e), !!(attrs & PT_RIGHTS));
			}
		}
		for (unsigned int level = PT_PMD; level < PT_MAX_LEVELS; level++)
			assert_true(pte_is_table(formats[i], level, pte_table(formats[i], 77)));
	}
}

static void test_soft_entries(void **state)
{
	static const struct pt_format *const formats[] = { &pt_format_x86_64, &pt_format_riscv };

	(void)state;
	for (int i = 0; i < 2; i++) {
		for (unsigned int type = 1; type < PT_SOFT_TYPES; type++) {
			for (u64 number = 0; number < BIT(52); number = number * 5 + 1) {
				pte_t e = pte_soft(type, number);

				assert_true(pte_is_soft(formats[i], e));
				assert_false(pte_valid(formats[i], e));
				assert_int_equal(pte_soft_type(formats[i], e), type);
				assert_int_equal(pte_soft_number(e), number);
			}
		}
		assert_int_equal(pte_soft_type(formats[i], PTE_NONE), 0);
	}
}

static void test_levels(void **state)
{
	struct pgtable pt;

	(void)state;
	for (unsigned int levels = 0; levels < 8; levels++) {
		struct pt_config config = {
			.arena = s.arena, .format = FMT, .levels = levels,
		};

		if (levels < 3 || levels > 5) {
			assert_int_equal(pt_create(&pt, &config), -EINVAL);
			continue;
		}
		assert_int_equal(pt_create(&pt, &config), 0);
		assert_int_equal(pt_limit(&pt), 1ul << (11 + 9 * levels));
		/* A page needs one table for each level below the root, and no more. */
		map_new(&pt, pt_limit(&pt) - PAGE_SIZE, USER_RW);
		assert_int_equal(pt.nr_tables, levels - 1);
		empty(&pt);
		pt_destroy(&pt);
	}
}

/* ------------------------------------------------------------------ install -- */

static void test_look_again(void **state)
{
	struct page *page = map_new(&s.pt, AT(1), PT_READ | PT_USER);
	pte_t first = look(&s.pt, AT(1)), other;
	struct page *second;

	(void)state;
	second = page_alloc(s.arena, 0, PAGE_ANYTHING);
	other = pte_leaf(FMT, PT_PTE, page_pfn(second), USER_RW);
	/* Somebody was faster. */
	assert_int_equal(pt_install(&s.pt, NULL, AT(1), PT_PTE, PTE_NONE, other), -EAGAIN);
	assert_int_equal(pt_install(&s.pt, NULL, AT(2), PT_PTE, first, other), -EAGAIN);
	assert_int_equal(look(&s.pt, AT(1)).raw, first.raw);
	assert_true(pte_none(look(&s.pt, AT(2))));
	/* What the hardware notes is no change, and comes back. */
	page_get(page);
	atomic_or_relaxed((u64 *)(uintptr_t)(memory_of(&s) +
					     translate(&s, &s.pt, AT(1)).entry_pa), FMT->accessed);
	assert_int_equal(pt_install(&s.pt, NULL, AT(1), PT_PTE, first, other), 0);
	assert_int_equal(look(&s.pt, AT(1)).raw, other.raw);
	page_put_many(page, 2);
	assert_int_equal(page_refs(second), 1);
	/* A leaf where a table is needed, and the other way round. */
	assert_int_equal(pt_install(&s.pt, NULL, AT(0), PT_PMD, PTE_NONE, other), -EAGAIN);
	map_new_huge(&s.pt, AT(512), USER_RW);
	assert_int_equal(pt_install(&s.pt, NULL, AT(513), PT_PTE, PTE_NONE, other), -EAGAIN);
}

/* Two make the same table: the second keeps his, and goes on with the one that is there. */
static void test_second_table(void **state)
{
	struct page *mine = table_alloc(&s.pt);
	unsigned int level = PT_PTE;
	pte_t seen, *entry;

	(void)state;
	entry = pt_descend(&s.pt, AT(0), &level, &seen);
	assert_int_equal(level, PT_PGD - 1);
	map_new(&s.pt, AT(0), USER_RW);
	seen = pte_load(entry);
	assert_false(table_link(&s.pt, entry, level, mine));
	assert_int_equal(pte_load(entry).raw, seen.raw);
	assert_int_equal(s.pt.nr_tables, 3);
	table_free(mine);
}

static void test_slots(void **state)
{
	struct pt_slot slot;

	(void)state;
	assert_false(pt_slot_lock(&s.pt, AT(0), &slot));
	map_new(&s.pt, AT(510), USER_RW);
	assert_true(pt_slot_lock(&s.pt, AT(509) + 5, &slot));
	assert_int_equal(slot.level, PT_PTE);
	assert_int_equal(slot.addr, AT(509));
	assert_true(pte_none(pt_slot_get(&slot)));
	assert_true(pt_slot_next(&slot));
	assert_true(pte_present(FMT, pt_slot_get(&slot)));
	assert_true(pt_slot_next(&slot));
	assert_false(pt_slot_next(&slot));
	assert_int_equal(slot.addr, AT(511));
	pt_slot_unlock(&slot);
	assert_false(pt_slot_lock(&s.pt, AT(512), &slot));
	map_new_huge(&s.pt, AT(512), USER_RW);
	assert_true(pt_slot_lock(&s.pt, AT(700), &slot));
	assert_int_equal(slot.level, PT_PMD);
	assert_int_equal(slot.addr, AT(512));
	assert_false(pt_slot_next(&slot));
	pt_slot_unlock(&slot);
}

/* Swapped out and in again: the counts follow, and so do dirty bits. */
static void test_swap(void **state)
{
	struct page *page = page_alloc(s.arena, 0, PAGE_ANYTHING);
	struct pt_slot slot;
	pte_t old;

	(void)state;
	page_set_flags(page, PG_ANON);
	assert_int_equal(pt_install(&s.pt, NULL, AT(3), PT_PTE, PTE_NONE,
				    pte_leaf(FMT, PT_PTE, page_pfn(page), USER_RW | PT_DIRTY)), 0);
	assert_int_equal(pt_count(&s.pt, PT_ANON), 1);
	assert_true(pt_slot_lock(&s.pt, AT(3), &slot));
	old = pt_slot_exchange(&slot, pte_soft(PT_SOFT_SWAP, 99));
	pt_slot_unlock(&slot);
	assert_true(pte_dirty(FMT, old));
	assert_int_equal(pt_count(&s.pt, PT_ANON), 0);
	assert_int_equal(pt_count(&s.pt, PT_SWAP), 1);
	assert_int_equal(pt_install(&s.pt, NULL, AT(3), PT_PTE, pte_soft(PT_SOFT_SWAP, 99), old),
			 0);
	assert_int_equal(pt_count(&s.pt, PT_ANON), 1);
	assert_int_equal(pt_count(&s.pt, PT_SWAP), 0);
	assert_int_equal(page_refs(page), 1);
}

/* --------------------------------------------------- gup_fast, special pages -- */

static void test_gup(void **state)
{
	struct page *page = map_new(&s.pt, AT(0), PT_READ | PT_USER), *huge, *zero;

	(void)state;
	assert_ptr_equal(gup_fast(&s.pt, AT(0) + 123, PT_READ), page);
	assert_int_equal(page_refs(page), 2);
	page_put(page);
	assert_null(gup_fast(&s.pt, AT(0), PT_WRITE));
	assert_null(gup_fast(&s.pt, AT(1), PT_READ));
	assert_null(gup_fast(&s.pt, pt_limit(&s.pt), PT_READ));
	assert_null(gup_fast(&s.pt, ~0ul, PT_READ));
	map_new(&s.pt, AT(2), RW);		/* not the user's */
	assert_null(gup_fast(&s.pt, AT(2), PT_READ));
	pt_protect_range(&s.pt, AT(0), AT(1), 0);
	assert_null(gup_fast(&s.pt, AT(0), PT_READ));

	huge = map_new_huge(&s.pt, AT(512), USER_RW);
	assert_ptr_equal(gup_fast(&s.pt, AT(512 + 7), PT_WRITE), huge + 7);
	assert_int_equal(page_refs(huge), 2);
	page_put(huge);
	assert_true(pt_split(&s.pt, AT(600)));
	assert_ptr_equal(gup_fast(&s.pt, AT(512 + 7), PT_WRITE), huge + 7);
	assert_int_equal(page_refs(huge), 513);
	page_put(huge);

	zero = arena_zero_page(s.arena);
	assert_int_equal(pt_install(&s.pt, NULL, AT(5), PT_PTE, PTE_NONE,
				    pte_leaf(FMT, PT_PTE, page_pfn(zero),
					     PT_READ | PT_USER | PT_SPECIAL)), 0);
	assert_null(gup_fast(&s.pt, AT(5), PT_READ));
	zap(&s.pt, AT(5), AT(6));
	assert_int_equal(page_refs(zero), 1);
}

/* Frames that are no arena's: nobody looks for their struct. */
static void test_special(void **state)
{
	struct pgtable child;
	struct pt_config config = { .arena = s.arena, .format = FMT, .levels = 4 };
	pte_t device = pte_leaf(FMT, PT_PTE, BIT(39), USER_RW | PT_SPECIAL);

	(void)state;
	assert_int_equal(pt_install(&s.pt, NULL, AT(0), PT_PTE, PTE_NONE, device), 0);
	for (int i = 0; i < PT_COUNTS; i++)
		assert_int_equal(pt_count(&s.pt, (enum pt_count)i), 0);
	assert_null(gup_fast(&s.pt, AT(0), PT_READ));
	pt_protect_range(&s.pt, AT(0), AT(1), PT_READ);
	assert_int_equal(translate(&s, &s.pt, AT(0)).pa, BIT(51));
	assert_int_equal(pt_create(&child, &config), 0);
	pt_destroy(&child);
	zap(&s.pt, AT(0), AT(1));
}

/* -------------------------------------------------------------- the gather -- */

static struct {
	unsigned int nr_invalidated, nr_removed, nr_kept;
	unsigned long start, end;
	u32 refs_when_removed;
	bool removed_before_invalidated;
} events;

static void note_invalidate(struct pgtable *pt, unsigned long start, unsigned long end,
			    enum mmu_reach reach)
{
	(void)pt;
	(void)reach;
	events.nr_invalidated++;
	events.start = start;
	events.end = end;
}

static const struct mmu_ops note_ops = { .invalidate = note_invalidate };

static bool keep_guards(struct mmu_gather *gather, unsigned long addr, unsigned int level,
			pte_t entry)
{
	(void)addr;
	(void)level;
	if (pte_soft_type(gather->pt->format, entry) != PT_SOFT_GUARD)
		return false;
	events.nr_kept++;
	return true;
}

static void note_removed(struct mmu_gather *gather, const struct pt_zapped *zapped)
{
	assert_ptr_equal(gather->arg, &events);
	events.removed_before_invalidated |= !events.nr_invalidated;
	events.nr_removed++;
	if (zapped->page)
		events.refs_when_removed = page_refs(zapped->page);
}

static void test_gather(void **state)
{
	static const struct gather_ops ops = { .keep = keep_guards, .removed = note_removed };
	struct mmu_gather gather;
	struct page *page;

	(void)state;
	teardown(NULL);
	space_make(&s, &machines[0], 32, &note_ops);
	memset(&events, 0, sizeof(events));
	for (unsigned long i = 0; i < 200; i++)
		page = map_new(&s.pt, AT(i), USER_RW);
	assert_int_equal(pt_install(&s.pt, NULL, AT(300), PT_PTE, PTE_NONE,
				    pte_soft(PT_SOFT_GUARD, 0)), 0);
	assert_int_equal(pt_install(&s.pt, NULL, AT(301), PT_PTE, PTE_NONE,
				    pte_soft(PT_SOFT_SWAP, 4)), 0);
	assert_int_equal(events.nr_invalidated, 0);

	mmu_gather_init(&gather, &s.pt, &ops, &events);
	pt_zap_range(&gather, AT(0), AT(40));
	/* Nothing has happened yet but that the entries are gone. */
	assert_true(pte_none(look(&s.pt, AT(0))));
	assert_int_equal(events.nr_invalidated + events.nr_removed, 0);
	mmu_gather_flush(&gather);
	assert_int_equal(events.nr_invalidated, 1);
	assert_int_equal(events.start, AT(0));
	assert_int_equal(events.end, AT(40));
	assert_int_equal(events.nr_removed, 40);
	assert_int_equal(events.refs_when_removed, 1);
	assert_false(events.removed_before_invalidated);
	mmu_gather_flush(&gather);		/* empty: nothing */
	assert_int_equal(events.nr_invalidated, 1);

	pt_zap_range(&gather, AT(0), AT(512));
	mmu_gather_flush(&gather);
	assert_in_range(events.nr_invalidated, 1 + 160 / GATHER_ENTRIES, 5);
	assert_int_equal(events.nr_removed, 201);
	assert_int_equal(events.nr_kept, 1);
	assert_int_equal(look(&s.pt, AT(300)).raw, pte_soft(PT_SOFT_GUARD, 0).raw);
	assert_int_equal(page_refs(page), 0);
}

/* Which changes reach the MMU: those that forbid something, and no others. */
static void test_what_is_invalidated(void **state)
{
	struct pt_slot slot;

	(void)state;
	teardown(NULL);
	space_make(&s, &machines[0], 32, &note_ops);
	memset(&events, 0, sizeof(events));
	map_new(&s.pt, AT(9), PT_READ | PT_USER | PT_ACCESSED | PT_DIRTY);
	assert_int_equal(pt_protect_range(&s.pt, AT(0), AT(99), PT_READ | PT_EXEC), 1);
	assert_int_equal(pt_change_range(&s.pt, AT(0), AT(99),
					 (struct pt_change){ .clear = FMT->accessed }), 1);
	assert_int_equal(pt_change_range(&s.pt, AT(0), AT(99),
					 (struct pt_change){ .clear = FMT->accessed }), 0);
	assert_int_equal(events.nr_invalidated, 0);
	pt_change_range(&s.pt, AT(0), AT(99), (struct pt_change){ .clear = FMT->dirty });
	assert_int_equal(events.nr_invalidated, 1);
	assert_int_equal(events.start, AT(9));
	assert_int_equal(events.end, AT(10));
	pt_protect_range(&s.pt, AT(0), AT(99), PT_READ);
	assert_int_equal(events.nr_invalidated, 2);
	assert_true(pt_slot_lock(&s.pt, AT(9), &slot));
	pt_slot_exchange(&slot, pte_leaf(FMT, PT_PTE, pte_pfn(FMT, pt_slot_get(&slot)), USER_RW));
	assert_int_equal(events.nr_invalidated, 2);
	pt_slot_change(&slot, (struct pt_change){ .set = FMT->accessed });
	assert_int_equal(events.nr_invalidated, 2);
	pt_slot_change(&slot, (struct pt_change){ .clear = FMT->write });
	assert_int_equal(events.nr_invalidated, 3);
	pt_slot_unlock(&slot);
	pt_protect_range(&s.pt, AT(0), AT(99), 0);
	assert_int_equal(events.nr_invalidated, 4);
	zap(&s.pt, AT(0), AT(99));		/* nothing allowed: nobody can remember it */
	assert_int_equal(events.nr_invalidated, 4);
}

/*
 * A range loses all rights, and one thread is at its end.  Meanwhile another takes a page at its
 * start out, by the reverse map: from then on nobody may use the page, though its entry allows
 * nothing and the range is invalidated later.
 */
enum take_out { BY_EXCHANGE, BY_ZAP, BY_CLEANING };

static struct {
	enum take_out how;
	bool begun, told;
} other;

static void *take_out(void *arg)
{
	struct pt_slot slot;

	(void)arg;
	if (other.how == BY_ZAP) {
		zap(&s.pt, AT(0), AT(1));
		return NULL;
	}
	if (!pt_slot_lock(&s.pt, AT(0), &slot))
		return NULL;
	if (other.how == BY_EXCHANGE)
		page_put(pfn_page(s.pt.frames, pte_pfn(FMT, pt_slot_exchange(&slot, PTE_NONE))));
	else
		pt_slot_change(&slot, (struct pt_change){ .clear = FMT->dirty });
	pt_slot_unlock(&slot);
	return NULL;
}

/* The first call is for the block at the end of the range, which is being split. */
static void let_other_in(struct pgtable *pt, unsigned long start, unsigned long end,
			 enum mmu_reach reach)
{
	pthread_t thread;

	(void)pt;
	(void)reach;
	if (other.begun) {
		other.told |= start <= AT(0) && end > AT(0);
		return;
	}
	other.begun = true;
	assert_int_equal(start, AT(512));
	assert_int_equal(pthread_create(&thread, NULL, take_out, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(other.told);
}

static void test_taken_while_rights_go(void **state)
{
	static const struct mmu_ops ops = { .invalidate = let_other_in };

	(void)state;
	for (enum take_out how = BY_EXCHANGE; how <= BY_CLEANING; how++) {
		teardown(NULL);
		space_make(&s, &machines[0], 32, &ops);
		map_new(&s.pt, AT(0), USER_RW | PT_DIRTY);
		map_new_huge(&s.pt, AT(512), USER_RW);
		memset(&other, 0, sizeof(other));
		other.how = how;
		pt_protect_range(&s.pt, AT(0), AT(512 + 256), 0);
		assert_true(other.begun);
		assert_int_equal(s.pt.nr_hiding, 0);
	}
}

/* ---------------------------------------------------------------- free, stash -- */

static void free_hole(unsigned long floor, unsigned long ceiling)
{
	struct mmu_gather gather;

	mmu_gather_init(&gather, &s.pt, NULL, NULL);
	pt_free_tables(&gather, floor, ceiling);
	mmu_gather_flush(&gather);
}

static void test_free_tables(void **state)
{
	const unsigned long gib = 1ul << 30;

	(void)state;
	for (unsigned long i = 0; i < 4; i++)
		map_new(&s.pt, gib + i * PMD_SIZE, USER_RW);
	map_new(&s.pt, 600 * gib, USER_RW);
	assert_int_equal(s.pt.nr_tables, 2 + 4 + 3);	/* PUD PMD, 4 PTE; PUD PMD PTE */
	/* The tables at the ends serve neighbours. */
	zap(&s.pt, gib + PAGE_SIZE, 600 * gib);
	free_hole(gib + PAGE_SIZE, 600 * gib);
	assert_int_equal(s.pt.nr_tables, 2 + 1 + 3);
	free_hole(gib + PAGE_SIZE, gib + PMD_SIZE);
	assert_int_equal(s.pt.nr_tables, 6);
	zap(&s.pt, 600 * gib, 601 * gib);
	free_hole(600 * gib, 601 * gib);		/* its PMD and PTE tables, not the PUD's */
	assert_int_equal(s.pt.nr_tables, 4);
	free_hole(512 * gib, 1024 * gib);
	assert_int_equal(s.pt.nr_tables, 3);
	assert_true(pte_present(FMT, look(&s.pt, gib)));
}

/* A part of 2 MiB is taken with what was put aside when the leaf was made. */
static void test_cut_leaf(void **state)
{
	struct page *huge = map_new_huge(&s.pt, AT(512), USER_RW);

	(void)state;
	assert_int_equal(s.pt.nr_spare, 1);
	assert_int_equal(s.pt.nr_tables, 2);
	zap(&s.pt, AT(520), AT(530));
	assert_int_equal(s.pt.nr_spare, 0);
	assert_int_equal(s.pt.nr_tables, 3);
	assert_int_equal(page_refs(huge), PT_ENTRIES - 10);
	assert_true(pte_none(look(&s.pt, AT(529))));
	assert_int_equal(pte_pfn(FMT, look(&s.pt, AT(530))), page_pfn(huge) + 18);
	assert_true(pt_split(&s.pt, AT(530)));
	assert_false(pt_split(&s.pt, AT(0)));
	assert_int_equal(pt_count(&s.pt, PT_FILE), PT_ENTRIES - 10);
}

/* Tables that are whole in the range and empty. */
static void test_free_empty(void **state)
{
	struct mmu_gather gather;

	(void)state;
	map_new(&s.pt, AT(0), USER_RW);
	map_new(&s.pt, AT(512), USER_RW);
	map_new(&s.pt, AT(1024), USER_RW);
	zap(&s.pt, AT(0), AT(1024));
	mmu_gather_init(&gather, &s.pt, NULL, NULL);
	pt_free_empty(&gather, AT(1), AT(1536));
	mmu_gather_flush(&gather);
	assert_int_equal(s.pt.nr_tables, 2 + 2);
	assert_true(pte_present(FMT, look(&s.pt, AT(1024))));
}

/* Of a hole, only what reaches into the range that was left is looked at. */
static void test_free_tables_of(void **state)
{
	const unsigned long gib = 1ul << 30;
	struct pt_hole hole = { .start = 2 * gib + PAGE_SIZE, .end = 3 * gib - PAGE_SIZE,
				.floor = gib + PMD_SIZE, .ceiling = 600 * gib };
	struct mmu_gather gather;

	(void)state;
	map_new(&s.pt, gib, USER_RW);
	map_new(&s.pt, 2 * gib, USER_RW);
	map_new(&s.pt, 3 * gib - PAGE_SIZE, USER_RW);
	map_new(&s.pt, 5 * gib, USER_RW);
	assert_int_equal(s.pt.nr_tables, 1 + 3 + 4);	/* PUD, PMDs, PTE tables */
	zap(&s.pt, 2 * gib, 3 * gib);
	mmu_gather_init(&gather, &s.pt, NULL, NULL);
	pt_free_tables_of(&gather, &hole);
	mmu_gather_flush(&gather);
	assert_int_equal(s.pt.nr_tables, 1 + 2 + 2);
	/* Neither the other one in the hole, nor one that only reaches into it. */
	assert_true(pte_present(FMT, look(&s.pt, gib)));
	assert_true(pte_present(FMT, look(&s.pt, 5 * gib)));
	hole.end = hole.start;
	pt_free_tables_of(&gather, &hole);
	assert_int_equal(s.pt.nr_tables, 1 + 2 + 2);
}

static int next_address(void *arg, unsigned long addr, unsigned int level, pte_t entry)
{
	const unsigned long **next = arg;

	assert_int_equal(addr, *(*next)++);
	return 0;
}

/* What is stepped over is nothing, whatever the line of its table that a page is in. */
static void test_steps_over_nothing(void **state)
{
	static const unsigned long at[] = {
		0, 7 * PMD_SIZE, 8 * PMD_SIZE, 63 * PMD_SIZE, 64 * PMD_SIZE, 511 * PMD_SIZE,
		512 * PMD_SIZE, 7ul << 30, 8ul << 30, 511ul << 30, 512ul << 30, 60ul << 40,
	};
	const unsigned long *next = at;

	(void)state;
	for (unsigned long i = 0; i < ARRAY_SIZE(at); i++)
		map_new(&s.pt, at[i], USER_RW);
	assert_int_equal(pt_walk(&s.pt, 0, pt_limit(&s.pt), next_address, &next), 0);
	assert_ptr_equal(next, at + ARRAY_SIZE(at));
	/* From the middle, and up to the middle. */
	next = at + 3;
	assert_int_equal(pt_walk(&s.pt, 9 * PMD_SIZE, 64 * PMD_SIZE, next_address, &next), 0);
	assert_ptr_equal(next, at + 4);
	next = at + 4;
	assert_int_equal(pt_walk(&s.pt, 64 * PMD_SIZE, (8ul << 30) + PAGE_SIZE, next_address, &next),
			 0);
	assert_ptr_equal(next, at + 9);
	assert_int_equal(pt_walk(&s.pt, 65 * PMD_SIZE, 511 * PMD_SIZE, next_address, &next), 0);
	/* A place that is used again. */
	zap(&s.pt, 8 * PMD_SIZE, 9 * PMD_SIZE);
	map_new(&s.pt, 8 * PMD_SIZE, USER_RW);
	next = at + 1;
	assert_int_equal(pt_walk(&s.pt, PMD_SIZE, 9 * PMD_SIZE, next_address, &next), 0);
	assert_ptr_equal(next, at + 3);
}

/* Until a grace period has passed a freed table is nothing else. */
static void test_free_waits(void **state)
{
	unsigned long before;

	(void)state;
	map_new(&s.pt, AT(0), USER_RW);
	zap(&s.pt, AT(0), AT(1));
	before = frames_used(s.arena);
	rcu_read_lock();
	free_hole(0, pt_limit(&s.pt));
	assert_int_equal(s.pt.nr_tables, 0);
	assert_int_equal(frames_used(s.arena), before);
	rcu_read_unlock();
	port_rcu_barrier();
	assert_int_equal(frames_used(s.arena), before - 3);
}

static void test_prepare(void **state)
{
	struct pt_stash stash = { 0 };
	unsigned long used;

	(void)state;
	/* Across a border of everything: 2 of each below the root. */
	assert_int_equal(pt_prepare(&s.pt, &stash, (512ul << 30) - PAGE_SIZE,
				    (512ul << 30) + PAGE_SIZE, PT_PTE), 0);
	assert_int_equal(stash.nr, 6);
	used = frames_used(s.arena);
	for (int i = -1; i <= 0; i++) {
		unsigned long addr = (512ul << 30) + (unsigned long)i * PAGE_SIZE;

		assert_int_equal(pt_install(&s.pt, &stash, addr, PT_PTE, PTE_NONE,
					    pte_soft(PT_SOFT_GUARD, 0)), 0);
	}
	assert_int_equal(frames_used(s.arena), used);
	assert_int_equal(stash.nr, 0);
	/* What is there is not prepared twice. */
	assert_int_equal(pt_prepare(&s.pt, &stash, 512ul << 30, (512ul << 30) + 3 * PMD_SIZE,
				    PT_PTE), 0);
	assert_int_equal(stash.nr, 2);
	pt_stash_empty(&stash);
	assert_int_equal(frames_used(s.arena), used);
	/* More than there is: none of it. */
	assert_int_equal(pt_prepare(&s.pt, &stash, 0, 64ul << 30, PT_PTE), -ENOMEM);
	assert_int_equal(stash.nr, 0);
	assert_int_equal(frames_used(s.arena), used);
}

/* -------------------------------------------------------------- stop a copy -- */

static int stop_at_three(struct pt_copy *copy, unsigned long addr, unsigned int level, pte_t entry,
			 struct page *page)
{
	(void)level;
	(void)entry;
	(void)page;
	return addr == AT(3) && copy->arg ? -EBUSY : PT_COPY_COW;
}

/* A page that the child cannot share is for the caller to copy; then it goes on behind it. */
static void test_copy_stops(void **state)
{
	struct pt_config config = { .arena = s.arena, .format = FMT, .levels = 4 };
	struct pgtable child;
	struct pt_copy copy = { .from = &s.pt, .to = &child, .decide = stop_at_three, .arg = &s };

	(void)state;
	for (unsigned long i = 0; i < 6; i++)
		map_new(&s.pt, AT(i), USER_RW);
	assert_int_equal(pt_create(&child, &config), 0);
	assert_int_equal(pt_copy_range(&copy, AT(0), AT(600)), -EBUSY);
	assert_int_equal(copy.next, AT(3));
	map_new(&child, AT(3), USER_RW);
	assert_int_equal(pt_copy_range(&copy, AT(4), AT(600)), 0);
	for (unsigned long i = 0; i < 6; i++) {
		assert_int_equal(pte_write(FMT, look(&child, AT(i))), i == 3);
		assert_int_equal(pte_write(FMT, look(&s.pt, AT(i))), i == 3);
	}
	empty(&child);
	pt_destroy(&child);
}

/* ------------------------------------------------------- memory that runs out -- */

#ifdef CONFIG_VMAREA_DEBUG

/* All that can be seen: entries, counts, tables, frames. */
struct picture {
	u64 hash;
	unsigned long counts[PT_COUNTS];
	unsigned long nr_tables, nr_used;
};

static int hash_entry(void *arg, unsigned long addr, unsigned int level, pte_t entry)
{
	u64 *hash = arg;

	*hash = (*hash ^ addr ^ level ^ entry.raw) * 0x9e3779b97f4a7c15ull;
	*hash ^= *hash >> 29;
	return 0;
}

static struct picture picture_of(void)
{
	struct picture p = { 0 };

	port_rcu_barrier();
	pt_walk(&s.pt, 0, pt_limit(&s.pt), hash_entry, &p.hash);
	for (int i = 0; i < PT_COUNTS; i++)
		p.counts[i] = pt_count(&s.pt, (enum pt_count)i);
	p.nr_tables = (unsigned long)s.pt.nr_tables;
	p.nr_used = frames_used(s.arena);
	return p;
}

static int call_install(void)
{
	return pt_install(&s.pt, NULL, 700ul << 30, PT_PTE, PTE_NONE, pte_soft(PT_SOFT_GUARD, 0));
}

static int call_install_huge(void)
{
	return pt_install(&s.pt, NULL, 700ul << 30, PT_PMD, PTE_NONE, pte_soft(PT_SOFT_GUARD, 0));
}

static int call_prepare(void)
{
	struct pt_stash stash = { 0 };
	int err = pt_prepare(&s.pt, &stash, (512ul << 30) - PMD_SIZE, (512ul << 30) + PMD_SIZE,
			     PT_PTE);

	pt_stash_empty(&stash);
	return err;
}

static int call_move(void)
{
	struct pt_stash stash = { 0 };
	int err = pt_move_prepare(&s.pt, &stash, AT(0), (700ul << 30) + PAGE_SIZE, 8 * PAGE_SIZE);

	if (!err)
		pt_move_range(&s.pt, &stash, AT(0), (700ul << 30) + PAGE_SIZE, 8 * PAGE_SIZE);
	pt_stash_empty(&stash);
	return err;
}

static int share_all(struct pt_copy *copy, unsigned long addr, unsigned int level, pte_t entry,
		     struct page *page)
{
	(void)copy;
	(void)addr;
	(void)level;
	(void)entry;
	(void)page;
	return PT_COPY_SHARED;
}

static int call_copy(void)
{
	struct pt_config config = { .arena = s.arena, .format = FMT, .levels = 4 };
	struct pgtable child;
	struct pt_copy copy = { .from = &s.pt, .to = &child, .decide = share_all };
	int err = pt_create(&child, &config);

	if (err)
		return err;
	err = pt_copy_range(&copy, 0, pt_limit(&s.pt));
	empty(&child);
	pt_destroy(&child);
	return err;
}

static void crowd(void)
{
	for (unsigned long i = 0; i < 8; i++)
		map_new(&s.pt, AT(i), USER_RW);
	map_new_huge(&s.pt, AT(512), USER_RW);
	assert_int_equal(pt_install(&s.pt, NULL, AT(2000), PT_PTE, PTE_NONE,
				    pte_soft(PT_SOFT_SWAP, 1)), 0);
}

/* True if the n-th allocation was reached. */
static bool fail_nth(int (*call)(void), long n)
{
	unsigned long asked;
	struct picture before, after;
	bool reached;
	int err;

	setup(NULL);
	crowd();
	before = picture_of();
	asked = port_alloc_count();
	port_fail_nth(n);
	err = call();
	port_fail_nth(0);
	reached = port_alloc_count() - asked >= (unsigned long)n;
	after = picture_of();
	assert_int_equal(err, reached ? -ENOMEM : 0);
	if (reached)
		assert_memory_equal(&before, &after, sizeof(before));
	teardown(NULL);
	return reached;
}

static void test_every_allocation(void **state)
{
	static const struct {
		int (*call)(void);
		long nr;
	} calls[] = {
		{ call_install, 3 }, { call_install_huge, 3 }, { call_prepare, 5 },
		{ call_move, 3 }, { call_copy, 6 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		long n = 1;

		while (fail_nth(calls[i].call, n))
			n++;
		assert_int_equal(n - 1, calls[i].nr);
	}
}

#endif

#define SPACE_TEST(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_soft_entries),
		SPACE_TEST(test_levels),
		SPACE_TEST(test_look_again),
		SPACE_TEST(test_second_table),
		SPACE_TEST(test_slots),
		SPACE_TEST(test_swap),
		SPACE_TEST(test_gup),
		SPACE_TEST(test_special),
		SPACE_TEST(test_gather),
		SPACE_TEST(test_what_is_invalidated),
		SPACE_TEST(test_taken_while_rights_go),
		SPACE_TEST(test_free_tables),
		SPACE_TEST(test_cut_leaf),
		SPACE_TEST(test_free_empty),
		SPACE_TEST(test_free_tables_of),
		SPACE_TEST(test_steps_over_nothing),
		SPACE_TEST(test_free_waits),
		SPACE_TEST(test_prepare),
		SPACE_TEST(test_copy_stops),
#ifdef CONFIG_VMAREA_DEBUG
		cmocka_unit_test(test_every_allocation),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
