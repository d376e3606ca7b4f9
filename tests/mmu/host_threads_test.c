/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Threads that use a window by plain loads and stores, while others zap, protect and clean what is in
 * it, and the budget is so small that regions are dropped all the time.
 *
 * The first word of each page says for which place it was made, and frames run short: a page that is
 * still shown although its frame was given back has the word of another place, or 0.
 */
#include "../sync/threads.h"
#include "window.h"

#define PAGES		(6 * 512u)
#define ROUNDS		6000u
#define USERS		2u

static struct world w;
static u32 done;

static u64 step(u64 *random)
{
	*random = *random * 6364136223846793005ull + 1442695040888963407ull;
	return *random >> 33;
}

static u64 stamp_of(unsigned long page)
{
	return 0x5eed000000000000ull | page;
}

/* As world_resolve(), with a stamp; waits for a frame. */
static enum mm_fault resolve(struct mmu *mmu, unsigned long addr, enum mm_access access)
{
	struct pgtable *pt = &w.space.pt;
	struct page *page;

	addr = ALIGN_DOWN(addr, PAGE_SIZE);
	if (!pte_none(look(pt, addr)))
		return world_resolve(mmu, addr, access);
	page = page_alloc(pt->arena, 0, PAGE_ZEROED);
	if (!page) {
		port_yield();
		return MM_FAULT_DONE;
	}
	*(u64 *)page_bytes(page) = stamp_of((addr - START) >> PAGE_SHIFT);
	if (pt_install(pt, NULL, addr, PT_PTE, PTE_NONE,
		       pte_leaf(pt->format, PT_PTE, page_pfn(page), USER_RW)))
		page_put(page);
	return MM_FAULT_DONE;
}

static void *user(void *arg)
{
	u64 random = (uintptr_t)arg;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		unsigned long page = step(&random) % PAGES;
		volatile u64 *word = word_at(&w, page);
		u64 found = *word;

		VM_BUG_ON(found != stamp_of(page), "page %lu has %lx", page, (unsigned long)found);
		/* A word of this thread's own. */
		word[8 * (uintptr_t)arg] = i;
	}
	return NULL;
}

static void *changer(void *arg)
{
	u64 random = (uintptr_t)arg;

	while (!atomic_load_relaxed(&done)) {
		unsigned long first = step(&random) % PAGES;
		unsigned long nr = 1 + step(&random) % (step(&random) % 4 ? 4 : 1200);
		unsigned long start = addr_at(first), end = addr_at(min(first + nr, 0ul + PAGES));

		switch (step(&random) % 4) {
		case 0:
			pt_protect_range(&w.space.pt, start, end, PT_READ);
			break;
		case 1:
			pt_change_range(&w.space.pt, start, end, (struct pt_change){
					.clear = w.space.pt.format->dirty });
			break;
		default:
			zap(&w.space.pt, start, end);
		}
	}
	return NULL;
}

static void test_threads(void **state)
{
	static const struct host_window_config small = { .max_areas = MIN_AREAS };
	struct host_window_stats stats;
	pthread_t users[USERS], other;

	(void)state;
	/* Fewer frames than there are pages. */
	world_make(&w, PAGES, 4, &small);
	w.mmu.resolve = resolve;
	allow(&w, 0, PAGES, RW);
	other = start(changer, (void *)11);
	for (uintptr_t i = 0; i < USERS; i++)
		users[i] = start(user, (void *)(i + 1));
	for (unsigned int i = 0; i < USERS; i++)
		finish(users[i]);
	raise_flag(&done);
	finish(other);
	stats = stats_of(&w);
	print_message("%lu mappings made, %lu regions dropped\n", stats.maps, stats.drops);
	assert_true(stats.areas <= stats.max_areas);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_threads) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
