/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Threads on one space, each with the locks that its operation needs and no more:
 *
 *	faulters	install pages			the mmap lock for read
 *	the zapper	zap, protect, clean, drop	the mmap lock for read
 *	the mover	move, detach, free tables, fork	the mmap lock for write
 *	readers		gup_fast			nothing
 *
 * Each page says in its bytes for which place of a region it was made, and regions move as a whole:
 * so a reader that has a reference must find the place it asked for, and it must stay so until it
 * puts it.  Frames run short: what is freed too early is somebody else's at once.
 */
#include "../sync/threads.h"
#include "space.h"
#include "sync/rwsem.h"

#define REGION_PAGES	(2 * PT_ENTRIES)
#define REGIONS		2
#define ROUNDS		60000
#define FAULTERS	2
#define BASE		0x7fc00000ul

static struct space s;
static struct rwsem mmap_lock;
static u32 done;
static unsigned long hits;		/* atomic */

static unsigned long addr_of(unsigned long region, unsigned long i)
{
	return BASE + (region * REGION_PAGES + i) * PAGE_SIZE;
}

static u64 step(u64 *random)
{
	*random = *random * 6364136223846793005ull + 1442695040888963407ull;
	return *random >> 33;
}

/* Place within a region, so that it stays true when regions change places. */
static u64 stamp_of(unsigned long i)
{
	return 0x5eed000000000000ull | i;
}

static void fault(u64 *random)
{
	unsigned long region = step(random) % REGIONS, i = step(random) % REGION_PAGES;
	unsigned long addr = addr_of(region, i);
	struct page *page;
	unsigned int level;
	pte_t seen = pt_look(&s.pt, addr, &level);

	if (!pte_none(seen))
		return;
	page = page_alloc(s.arena, 0, PAGE_ZEROED);
	if (!page)
		return;
	*(u64 *)page_bytes(page) = stamp_of(i);
	if (pt_install(&s.pt, NULL, addr, PT_PTE, PTE_NONE,
		       pte_leaf(s.pt.format, PT_PTE, page_pfn(page), USER_RW)))
		page_put(page);
}

static void *faulter(void *arg)
{
	u64 random = (uintptr_t)arg;

	for (int round = 0; round < ROUNDS; round++) {
		rwsem_read_lock(&mmap_lock);
		fault(&random);
		rwsem_read_unlock(&mmap_lock);
	}
	return NULL;
}

/*
 * A table goes with all that it maps, while others install below the same PMD: who waits for its
 * lock has to find that it is the wrong one by now.
 */
static void drop_once(unsigned long addr)
{
	struct page *table = pt_detach_table(&s.pt, addr);
	struct mmu_gather gather;

	if (!table)
		return;
	mmu_gather_init(&gather, &s.pt, NULL, NULL);
	pt_drop_table(&gather, addr, table);
	mmu_gather_flush(&gather);
}

/* Out and in again: readers see nothing in between. */
static void detach_once(unsigned long addr)
{
	struct page *table = pt_detach_table(&s.pt, addr);

	if (table)
		pt_attach_table(&s.pt, addr, table);
}

static void *zapper(void *arg)
{
	u64 random = (uintptr_t)arg;

	while (!atomic_load_relaxed(&done)) {
		unsigned long first = step(&random) % (REGIONS * REGION_PAGES);
		unsigned long nr = step(&random) % 100;
		unsigned long start = addr_of(0, first);
		unsigned long end = min(start + nr * PAGE_SIZE, addr_of(REGIONS, 0));

		rwsem_read_lock(&mmap_lock);
		switch (step(&random) % 4) {
		case 0:
			drop_once(start);
			break;
		case 1:
			pt_protect_range(&s.pt, start, end, step(&random) % 2 ? RW : PT_READ);
			break;
		case 2:
			pt_change_range(&s.pt, start, end, (struct pt_change){
					.clear = s.pt.format->accessed | s.pt.format->dirty });
			break;
		default:
			zap(&s.pt, start, end);
		}
		rwsem_read_unlock(&mmap_lock);
	}
	return NULL;
}

static int share(struct pt_copy *copy, unsigned long addr, unsigned int level, pte_t entry,
		 struct page *page)
{
	(void)copy;
	(void)addr;
	(void)level;
	(void)entry;
	(void)page;
	return PT_COPY_COW;
}

static void fork_once(void)
{
	struct pt_config config = {
		.arena = s.arena, .format = s.pt.format, .levels = s.pt.levels,
	};
	struct pgtable child;
	struct pt_copy copy = { .from = &s.pt, .to = &child, .decide = share };

	if (pt_create(&child, &config))
		return;
	/* Without memory the child has a part. */
	if (pt_copy_range(&copy, BASE, addr_of(REGIONS, 0)))
		VM_BUG_ON(copy.next >= addr_of(REGIONS, 0), "%lx", copy.next);
	empty(&child);
	pt_destroy(&child);
}

/* Region 0 goes, region 1 takes its place: whole tables. */
static void move_once(void)
{
	struct pt_stash stash = { 0 };
	struct mmu_gather gather;
	const unsigned long bytes = REGION_PAGES * PAGE_SIZE;

	mmu_gather_init(&gather, &s.pt, NULL, NULL);
	pt_zap_range(&gather, BASE, BASE + bytes);
	pt_free_tables(&gather, BASE, BASE + bytes);
	mmu_gather_flush(&gather);
	if (!pt_move_prepare(&s.pt, &stash, BASE + bytes, BASE, bytes))
		pt_move_range(&s.pt, &stash, BASE + bytes, BASE, bytes);
	pt_stash_empty(&stash);
}

static void *mover(void *arg)
{
	u64 random = (uintptr_t)arg;

	while (!atomic_load_relaxed(&done)) {
		rwsem_write_lock(&mmap_lock);
		switch (step(&random) % 3) {
		case 0:
			fork_once();
			break;
		case 1:
			move_once();
			break;
		default:
			detach_once(addr_of(0, step(&random) % (REGIONS * REGION_PAGES)));
		}
		rwsem_write_unlock(&mmap_lock);
		port_yield();
	}
	return NULL;
}

static void *reader(void *arg)
{
	u64 random = (uintptr_t)arg;

	while (!atomic_load_relaxed(&done)) {
		unsigned long i = step(&random) % REGION_PAGES;
		struct page *page = gup_fast(&s.pt, addr_of(step(&random) % REGIONS, i), PT_READ);
		u64 *bytes;

		if (!page)
			continue;
		bytes = page_bytes(page);
		VM_BUG_ON(*bytes != stamp_of(i), "page %lu has %lx", i, (unsigned long)*bytes);
		page_put(page);
		atomic_add_relaxed(&hits, 1);
	}
	return NULL;
}

static void run(const struct machine *machine)
{
	pthread_t faulters[FAULTERS], others[3];

	/* Fewer frames than there are places. */
	space_make(&s, machine, 4, NULL);
	rwsem_init(&mmap_lock, LOCK_RANK_MMAP);
	done = 0;
	others[0] = start(zapper, (void *)11);
	others[1] = start(mover, (void *)12);
	others[2] = start(reader, (void *)13);
	for (uintptr_t i = 0; i < FAULTERS; i++)
		faulters[i] = start(faulter, (void *)(i + 1));
	for (int i = 0; i < FAULTERS; i++)
		finish(faulters[i]);
	raise_flag(&done);
	for (int i = 0; i < 3; i++)
		finish(others[i]);
	space_end(&s);
}

static void test_threads(void **state)
{
	(void)state;
	run(&machines[0]);
	run(&machines[3]);
	print_message("%lu pages found by gup_fast\n", hits);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_threads) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
