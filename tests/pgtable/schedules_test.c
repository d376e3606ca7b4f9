/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Races of page tables under the deterministic port: small cases, and schedules with a few switches
 * at places that the seed chooses; the same ones in every run.
 *
 * Each case ends by taking everything down: a frame or a table too many or too few is found there;
 * a page that is used by somebody else while a reader has it is a data race.
 */
#include "../sim/one.h"
#include "base/errno.h"
#include "pgtable/pgtable.h"

#define EXECUTIONS	100
#define STEPS		150		/* of the threads, about */
#define ADDR		0x40000000ul
#define ATTRS		(PT_READ | PT_WRITE | PT_USER)

static struct arena *arena;
static struct pgtable pt;
static int results[2];

static void begin(void)
{
	struct pt_config config = { .format = &pt_format_riscv, .levels = 3 };

	VM_BUG_ON(arena_create(BLOCK_FRAMES * PAGE_SIZE, &arena));
	config.arena = arena;
	VM_BUG_ON(pt_create(&pt, &config));
}

static void finish(void)
{
	struct mmu_gather gather;

	mmu_gather_init(&gather, &pt, NULL, NULL);
	pt_zap_range(&gather, 0, pt_limit(&pt));
	pt_free_tables(&gather, 0, pt_limit(&pt));
	mmu_gather_flush(&gather);
	pt_destroy(&pt);
	port_rcu_barrier();
	arena_destroy(arena);
}

static int install(unsigned long addr, u64 stamp)
{
	struct page *page = page_alloc(arena, 0, PAGE_ANYTHING);
	int err;

	VM_BUG_ON(!page);
	*(u64 *)page_bytes(page) = stamp;
	err = pt_install(&pt, NULL, addr, PT_PTE, PTE_NONE,
			 pte_leaf(pt.format, PT_PTE, page_pfn(page), ATTRS));
	if (err)
		page_put(page);
	return err;
}

static void zap(unsigned long addr)
{
	struct mmu_gather gather;

	mmu_gather_init(&gather, &pt, NULL, NULL);
	pt_zap_range(&gather, addr, addr + PAGE_SIZE);
	mmu_gather_flush(&gather);
}

static void begin_mapped(void)
{
	begin();
	VM_BUG_ON(install(ADDR, 1));
}

/* The bytes stay those of the page for the address, for as long as there is a reference. */
static void read_by_gup(void)
{
	struct page *page = gup_fast(&pt, ADDR, PT_READ);

	if (!page)
		return;
	VM_BUG_ON(*(u64 *)page_bytes(page) != 1);
	page_put(page);
}

/* ------------------------------------------------------------------ running -- */

static void run(struct sim_scenario *scenario)
{
	struct search_setting set = {
		.kind = SEARCH_PCT, .seed = 1, .depth = 4, .length = STEPS,
		.limit = { .preemptions = ~0u, .stale = 1 },
	};

	sim.max_steps = 20000;
	search_begin(&set);
	while (search_next() && search_executions() < EXECUTIONS) {
		bool good = sim_execute(scenario);

		search_end_of_execution();
		if (!good)
			fail_msg("%s", sim.report);
	}
}

#define SCENARIO(set_up, take_down, a, b)					\
	{ .setup = (set_up), .finish = (take_down), .nr_threads = 2,		\
	  .threads = { (a), (b) }, .thread_names = { #a, #b } }

/* ---- two faults at one address, with all its tables to be made */

static void fault_0(void) { results[0] = install(ADDR, 1); }
static void fault_1(void) { results[1] = install(ADDR, 2); }

static void one_won(void)
{
	VM_BUG_ON(results[0] + results[1] != -EAGAIN || (results[0] && results[1]),
		  "%d and %d", results[0], results[1]);
	VM_BUG_ON(pt_count(&pt, PT_FILE) != 1 || pt.nr_tables != 2);
	finish();
}

static void test_two_faults(void **state)
{
	struct sim_scenario s = SCENARIO(begin, one_won, fault_0, fault_1);

	(void)state;
	run(&s);
}

/* ---- a fault beside a table that is being taken out */

static void fault_beside(void) { results[0] = install(ADDR + PAGE_SIZE, 3); }

static void drop(void)
{
	struct page *table = pt_detach_table(&pt, ADDR);
	struct mmu_gather gather;

	mmu_gather_init(&gather, &pt, NULL, NULL);
	pt_drop_table(&gather, ADDR, table);
	mmu_gather_flush(&gather);
}

static void installed(void)
{
	VM_BUG_ON(results[0], "%d", results[0]);
	VM_BUG_ON(pt_count(&pt, PT_FILE) > 1);
	finish();
}

static void test_fault_and_drop(void **state)
{
	struct sim_scenario s = SCENARIO(begin_mapped, installed, fault_beside, drop);

	(void)state;
	run(&s);
}

/* ---- a lockless reader, and a page that goes and whose frame is used again */

static void zap_and_reuse(void)
{
	zap(ADDR);
	VM_BUG_ON(install(ADDR + PAGE_SIZE, 2));
}

static void test_gup_and_zap(void **state)
{
	struct sim_scenario s = SCENARIO(begin_mapped, finish, read_by_gup, zap_and_reuse);

	(void)state;
	run(&s);
}

/* ---- a lockless reader, and tables that go and come */

static void free_and_remap(void)
{
	struct mmu_gather gather;

	mmu_gather_init(&gather, &pt, NULL, NULL);
	pt_zap_range(&gather, ADDR, ADDR + PMD_SIZE);
	pt_free_tables(&gather, 0, pt_limit(&pt));
	mmu_gather_flush(&gather);
	VM_BUG_ON(install(ADDR + PMD_SIZE, 2));
}

static void test_gup_and_free(void **state)
{
	struct sim_scenario s = SCENARIO(begin_mapped, finish, read_by_gup, free_and_remap);

	(void)state;
	run(&s);
}

/* ---- a lockless reader, and a table that moves; another page comes to the old place */

static void move_and_remap(void)
{
	struct pt_stash stash = { 0 };

	VM_BUG_ON(pt_move_prepare(&pt, &stash, ADDR, ADDR + PMD_SIZE, PMD_SIZE));
	pt_move_range(&pt, &stash, ADDR, ADDR + PMD_SIZE, PMD_SIZE);
	pt_stash_empty(&stash);
	zap(ADDR + PMD_SIZE);
	VM_BUG_ON(install(ADDR + PMD_SIZE, 2));
}

static void test_gup_and_move(void **state)
{
	struct sim_scenario s = SCENARIO(begin_mapped, finish, read_by_gup, move_and_remap);

	(void)state;
	run(&s);
}

/* ---- two that take out the same page */

static void zap_0(void) { zap(ADDR); }
static void zap_1(void) { zap(ADDR); }

static void test_two_zaps(void **state)
{
	struct sim_scenario s = SCENARIO(begin_mapped, finish, zap_0, zap_1);

	(void)state;
	run(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_faults),
		cmocka_unit_test(test_fault_and_drop),
		cmocka_unit_test(test_gup_and_zap),
		cmocka_unit_test(test_gup_and_free),
		cmocka_unit_test(test_gup_and_move),
		cmocka_unit_test(test_two_zaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
