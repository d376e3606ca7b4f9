/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The walker against entries written out by hand from the manuals, and the second opinion against
 * formats with one bit in the wrong place: the library is at one with itself about these, so nothing
 * else would find them.
 */
#include "../fault/memory.h"

/* ------------------------------------------------------------ entries by hand -- */

static uint64_t words[8][512];
static const struct hw_memory memory = { (const uint8_t *)words, sizeof(words) };

/* 0x1000 names frame 1.  The address has index 1 at the top, 2 below, and so on. */
#define VA4	((1ull << 39) | (2ull << 30) | (3ull << 21) | (4ull << 12) | 0x123)
#define VA5	((7ull << 48) | VA4)

static void by_hand_x86(void **state)
{
	struct hw_tables t = { &hw_x86, memory, 0x1000, 4 };
	struct hw_translation is;

	memset(words, 0, sizeof(words));
	words[1][1] = 0x2027;			/* P, R/W, U/S, A */
	words[2][2] = 0x3027;
	words[3][3] = 0x4027;
	words[4][4] = 0x8000000000abc065ull;	/* P, U/S, A, D, XD */
	is = hw_translate(&t, VA4);
	assert_int_equal(is.result, HW_MAPPED);
	assert_int_equal(is.pa, 0xabc123);
	assert_int_equal(is.page_bytes, 4096);
	assert_int_equal(is.entry_pa, 0x4020);
	assert_true(is.read && !is.write && !is.exec && is.user && is.accessed && is.dirty);
	assert_true(is.plain);
	words[4][4] |= 0x100;			/* G */
	assert_false(hw_translate(&t, VA4).plain);
	words[0][7] = 0x1027;
	t.root_pa = 0;
	t.levels = 5;
	assert_int_equal(hw_translate(&t, VA5).pa, 0xabc123);
	assert_int_equal(hw_translate(&t, VA4).result, HW_FAULT);
	words[2][2] = 0x3025;			/* no R/W on the way */
	words[3][3] = 0xc000a7;			/* PS */
	is = hw_translate(&t, VA5);
	assert_int_equal(is.page_bytes, 2 << 20);
	assert_int_equal(is.pa, 0xc00000 + (4 << 12) + 0x123);
	assert_true(!is.write && is.exec);
	words[3][3] = 0xc020a7;			/* bit 13: reserved in a large page */
	assert_int_equal(hw_translate(&t, VA5).result, HW_MALFORMED);
	words[1][1] = 0x80a7;			/* PS where there is none */
	assert_int_equal(hw_translate(&t, VA5).result, HW_MALFORMED);
	words[1][1] = 0x9027;			/* a table behind the end of memory */
	assert_int_equal(hw_translate(&t, VA5).result, HW_MALFORMED);
}

static void by_hand_riscv(void **state)
{
	struct hw_tables t = { &hw_riscv, memory, 0x2000, 3 };
	uint64_t va = VA4 & ((1ull << 39) - 1);
	struct hw_translation is;

	memset(words, 0, sizeof(words));
	words[1][1] = 2 << 10 | 1;
	words[2][2] = 3 << 10 | 1;
	words[3][3] = 4 << 10 | 1;
	words[4][4] = 0xabc << 10 | 0xd3;	/* D, A, U, R, V */
	is = hw_translate(&t, va);
	assert_int_equal(is.result, HW_MAPPED);
	assert_int_equal(is.pa, 0xabc123);
	assert_int_equal(is.entry_pa, 0x4020);
	assert_true(is.read && !is.write && !is.exec && is.user && is.accessed && is.dirty);
	t.root_pa = 0x1000;
	t.levels = 4;
	assert_int_equal(hw_translate(&t, VA4).pa, 0xabc123);
	words[4][4] = 0xabc << 10 | 0xd5;	/* W without R */
	assert_int_equal(hw_translate(&t, VA4).result, HW_MALFORMED);
	words[4][4] = 0xabc << 10 | 0x01;	/* a pointer at the last level */
	assert_int_equal(hw_translate(&t, VA4).result, HW_MALFORMED);
	words[3][3] = 0x400 << 10 | 0xdf;	/* a leaf of 2 MiB */
	is = hw_translate(&t, VA4);
	assert_int_equal(is.page_bytes, 2 << 20);
	assert_int_equal(is.pa, 0x404123);
	words[3][3] = 0x401 << 10 | 0xdf;	/* misaligned */
	assert_int_equal(hw_translate(&t, VA4).result, HW_MALFORMED);
	words[3][3] = 4 << 10 | 0x41;		/* a pointer with A */
	assert_int_equal(hw_translate(&t, VA4).result, HW_MALFORMED);
}

/* -------------------------------------------------------- formats with a defect -- */

static u64 swapped(u64 bits, unsigned int a, unsigned int b)
{
	u64 differ = ((bits >> a) ^ (bits >> b)) & 1;

	return bits ^ (differ << a | differ << b);
}

/* Wherever the format has one bit it has the other, and the other way round. */
static void swap_bits(struct pt_format *f, unsigned int a, unsigned int b)
{
	u64 *const single[] = {
		&f->present, &f->table, &f->valid, &f->rights_mask, &f->read, &f->write, &f->exec,
		&f->exec_flip, &f->user, &f->accessed, &f->dirty, &f->special, &f->soft_dirty,
	};

	for (size_t i = 0; i < ARRAY_SIZE(single); i++)
		*single[i] = swapped(*single[i], a, b);
	for (int i = 0; i < PT_MAX_LEVELS; i++) {
		f->leaf[i] = swapped(f->leaf[i], a, b);
		f->leaf_mark[i] = swapped(f->leaf_mark[i], a, b);
	}
	for (size_t i = 0; i < ARRAY_SIZE(f->rights); i++)
		f->rights[i] = swapped(f->rights[i], a, b);
}

static struct page *map(struct pgtable *pt, unsigned long addr, enum pt_level level, u32 attrs)
{
	struct page *page = page_alloc(pt->arena, level == PT_PMD ? PAGE_MAX_ORDER : 0, PAGE_ZEROED);

	assert_non_null(page);
	assert_int_equal(pt_install(pt, NULL, addr, level, PTE_NONE,
				    pte_leaf(pt->format, level, page_pfn(page), attrs)), 0);
	return page;
}

/* Entries of every kind by @format; what the second opinion is.  NULL: the same as the library's. */
static const char *opinion_on(const struct pt_format *format, const struct hw_machine *machine)
{
	static char why[OPINION_BYTES];
	struct pt_config config = { .format = format, .levels = 4 };
	struct mmu_gather gather;
	struct hw_tables tables;
	struct pgtable pt;
	bool same;

	assert_int_equal(arena_create(32ul << 20, &config.arena), 0);
	assert_int_equal(pt_create(&pt, &config), 0);
	for (u32 rights = 0; rights <= PT_RIGHTS; rights++)
		for (u32 marks = 0; marks < 8; marks++)
			map(&pt, PAGE_SIZE * (1 + rights * 8 + marks), PT_PTE,
			    rights | marks * PT_USER);
	map(&pt, 8 * PMD_SIZE, PT_PMD, PT_READ | PT_WRITE | PT_USER);
	map(&pt, 9 * PMD_SIZE, PT_PMD, PT_READ | PT_EXEC | PT_USER | PT_ACCESSED | PT_DIRTY);
	assert_int_equal(pt_install(&pt, NULL, 0, PT_PTE, PTE_NONE, pte_soft(PT_SOFT_GUARD, 0)), 0);
	tables = hw_tables_of(&pt, machine);
	same = opinion_of_tables(&pt, &tables, why);
	mmu_gather_init(&gather, &pt, NULL, NULL);
	pt_zap_range(&gather, 0, pt_limit(&pt));
	pt_free_tables(&gather, 0, pt_limit(&pt));
	mmu_gather_flush(&gather);
	pt_destroy(&pt);
	port_rcu_barrier();
	arena_destroy(config.arena);
	return same ? NULL : why;
}

/* Every bit to which hardware gives a meaning trades places with one to which it gives none. */
static void a_bit_in_the_wrong_place(void **state)
{
	static const struct {
		const struct pt_format *format;
		const struct hw_machine *machine;
		unsigned int ignored, bits[8], nr;
	} cases[] = {
		{ &pt_format_x86_64, &hw_x86, 9, { 0, 1, 2, 5, 6, 7, 63 }, 7 },
		{ &pt_format_riscv, &hw_riscv, 8, { 0, 1, 2, 3, 4, 6, 7 }, 7 },
	};

	for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
		assert_null(opinion_on(cases[c].format, cases[c].machine));
		for (unsigned int i = 0; i < cases[c].nr; i++) {
			struct pt_format bad = *cases[c].format;
			const char *why;

			swap_bits(&bad, cases[c].bits[i], cases[c].ignored);
			why = opinion_on(&bad, cases[c].machine);
			if (!why)
				fail_msg("%s: bit %u is elsewhere, and nobody sees it", bad.name,
					 cases[c].bits[i]);
			print_message("%s, bit %u: %s\n", bad.name, cases[c].bits[i], why);
		}
	}
}

static void other_wrong_formats(void **state)
{
	struct pt_format bad;

	bad = pt_format_x86_64;			/* the table denies writes */
	bad.table &= ~BIT(1);
	assert_non_null(opinion_on(&bad, &hw_x86));
	bad = pt_format_x86_64;			/* and is the supervisor's */
	bad.table &= ~BIT(2);
	assert_non_null(opinion_on(&bad, &hw_x86));
	bad = pt_format_x86_64;			/* PROT_NONE that hardware sees */
	bad.rights[0] |= BIT(0);
	assert_non_null(opinion_on(&bad, &hw_x86));
	bad = pt_format_x86_64;			/* global pages */
	bad.leaf_mark[PT_PTE] = BIT(8);
	assert_non_null(opinion_on(&bad, &hw_x86));
	bad = pt_format_x86_64;			/* a large page without PS: a table */
	bad.leaf[PT_PMD] = BIT(11);
	bad.leaf_mark[PT_PMD] = BIT(11);
	assert_non_null(opinion_on(&bad, &hw_x86));
	bad = pt_format_riscv;			/* x86's place for the frame */
	bad.pfn_shift = 12;
	assert_non_null(opinion_on(&bad, &hw_riscv));
	bad = pt_format_riscv;			/* A in a pointer */
	bad.table |= BIT(6);
	assert_non_null(opinion_on(&bad, &hw_riscv));
	bad = pt_format_riscv;			/* W without R */
	bad.rights[PT_WRITE] &= ~BIT(1);
	assert_non_null(opinion_on(&bad, &hw_riscv));
}

/* -------------------------------------------------------------- an mm with a defect -- */

static void assert_opinion(struct mm_user *mm, const char *expected)
{
	char why[OPINION_BYTES];

	if (opinion_of_mm(mm, why) != !expected || (expected && !strstr(why, expected)))
		fail_msg("'%s' and not '%s'", why, expected ? expected : "");
}

static void defects_of_an_mm(void **state)
{
	struct memory m;
	struct pgtable *pt;
	struct pt_slot slot;
	pte_t was;

	memory_open(&m);
	pt = mm_from_user(m.s.mm)->pgt;
	assert_int_equal(space_map(&m.s, 0, 8, RW, ANON), 0);
	assert_int_equal(space_map(&m.s, 8, 8, PROT_READ, ANON), 0);
	assert_int_equal(put(&m, 3, 3), MM_FAULT_DONE);
	assert_int_equal(get(&m, 9), 0);
	assert_opinion(m.s.mm, NULL);
	/* A page where no area is. */
	map(pt, at(16), PT_PTE, PT_READ | PT_USER)->mapcount = 1;
	assert_opinion(m.s.mm, "in no area");
	pages_zap(mm_from_user(m.s.mm), at(16), at(17), ZAP_ALL);
	/* More than its area allows, or not for user space. */
	assert_true(pt_slot_lock(pt, at(9), &slot));
	was = pt_slot_exchange(&slot, pte_with_rights(pt->format, pt_slot_get(&slot),
						      PT_READ | PT_WRITE));
	pt_slot_unlock(&slot);
	assert_opinion(m.s.mm, "more rights than the area");
	assert_true(pt_slot_lock(pt, at(9), &slot));
	pt_slot_exchange(&slot, (pte_t){ was.raw & ~pt->format->user });
	pt_slot_unlock(&slot);
	assert_opinion(m.s.mm, "not for user space");
	assert_true(pt_slot_lock(pt, at(9), &slot));
	pt_slot_exchange(&slot, was);
	pt_slot_unlock(&slot);
	/* A table too many. */
	pt->nr_tables++;
	assert_opinion(m.s.mm, "tables");
	pt->nr_tables--;
	assert_opinion(m.s.mm, NULL);
	memory_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_hand_x86),
		cmocka_unit_test(by_hand_riscv),
		cmocka_unit_test(a_bit_in_the_wrong_place),
		cmocka_unit_test(other_wrong_formats),
		cmocka_unit_test(defects_of_an_mm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
