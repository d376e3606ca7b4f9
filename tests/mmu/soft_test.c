/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Soft TLBs, one thread: every access gives what a model of areas and bytes says, after each kind of
 * change to the tables, in two spaces, with a table so small that entries are replaced all the time.
 */
#include "../pgtable/space.h"
#include "mmu/soft.h"

#define PAGES		96u
#define SPACES		2u
#define BASE		(PMD_SIZE * 5 - 40 * PAGE_SIZE)		/* over a boundary of tables */
#define ROUNDS		200000u

struct world {
	struct mmu mmu;			/* first: resolve() is given it */
	struct space space;
	u32 rights[PAGES];		/* PT_*, 0: no area */
	u8 bytes[PAGES * PAGE_SIZE];
	unsigned long resolved;
};

static struct world worlds[SPACES];
static struct soft_tlb *tlb;
static struct soft_tlb_space *spaces[SPACES];

static u64 step(u64 *random)
{
	*random = *random * 6364136223846793005ull + 1442695040888963407ull;
	return *random >> 33;
}

static enum mm_fault may(const struct world *w, u64 addr, enum mm_access access)
{
	u64 i = (addr - BASE) >> PAGE_SHIFT;

	if (addr < BASE || i >= PAGES || !w->rights[i])
		return MM_FAULT_MAPERR;
	return w->rights[i] & mmu_rights(access) ? MM_FAULT_DONE : MM_FAULT_ACCERR;
}

static enum mm_fault resolve(struct mmu *mmu, unsigned long addr, enum mm_access access)
{
	struct world *w = container_of(mmu, struct world, mmu);
	struct pgtable *pt = &w->space.pt;
	enum mm_fault outcome = may(w, addr, access);
	struct pt_slot slot;
	u32 rights;

	w->resolved++;
	if (outcome != MM_FAULT_DONE)
		return outcome;
	rights = w->rights[(addr - BASE) >> PAGE_SHIFT] | PT_USER;
	addr = ALIGN_DOWN(addr, PAGE_SIZE);
	if (pte_none(look(pt, addr))) {
		map_new(pt, addr, rights);
		return MM_FAULT_DONE;
	}
	assert_true(pt_slot_lock(pt, addr, &slot));
	pt_slot_change(&slot, (struct pt_change){ .set = pt->format->rights[rights & PT_RIGHTS] });
	pt_slot_unlock(&slot);
	return MM_FAULT_DONE;
}

static void worlds_make(unsigned int machine)
{
	for (unsigned int i = 0; i < SPACES; i++) {
		struct world *w = &worlds[i];

		memset(w, 0, sizeof(*w));
		mmu_init(&w->mmu, &w->space.pt, resolve);
		space_make(&w->space, &machines[machine], 4, &w->mmu.ops);
		assert_int_equal(soft_tlb_attach(tlb, &w->mmu, &spaces[i]), 0);
	}
	soft_tlb_switch(tlb, spaces[0]);
}

static void worlds_end(void)
{
	for (unsigned int i = 0; i < SPACES; i++) {
		soft_tlb_detach(tlb, spaces[i]);
		mmu_end(&worlds[i].mmu);
		space_end(&worlds[i].space);
	}
}

/* The first byte of the access that may not be had. */
static enum mm_fault expect(const struct world *w, u64 addr, unsigned int bytes,
			    enum mm_access access, u64 *at)
{
	enum mm_fault outcome = may(w, addr, access);

	*at = addr;
	if (outcome == MM_FAULT_DONE) {
		*at = ALIGN_DOWN(addr + bytes - 1, PAGE_SIZE);
		outcome = may(w, addr + bytes - 1, access);
	}
	return outcome;
}

static void load_or_store(struct world *w, u64 *random)
{
	unsigned int bytes = 1 + step(random) % 16;
	u64 addr = BASE + step(random) % (PAGES * PAGE_SIZE), at, value[2], was[2];
	bool store = step(random) % 2, done;
	enum mm_fault outcome;

	if (step(random) % 4 == 0)
		addr = ALIGN(addr, PAGE_SIZE) - 1 - step(random) % 8;
	outcome = expect(w, addr, bytes, store ? MM_ACCESS_WRITE : MM_ACCESS_READ, &at);
	value[0] = was[0] = step(random) << 20;
	value[1] = was[1] = step(random);
	done = store ? soft_tlb_store(tlb, addr, value, bytes) :
		       soft_tlb_load(tlb, addr, value, bytes);
	assert_int_equal(done, outcome == MM_FAULT_DONE);
	if (!done) {
		assert_int_equal(tlb->fault, outcome);
		assert_int_equal(tlb->fault_addr, at);
		assert_memory_equal(value, was, sizeof(value));
	} else if (store) {
		memcpy(&w->bytes[addr - BASE], value, bytes);
		assert_true(pte_dirty(w->space.pt.format, look(&w->space.pt, addr)));
	} else {
		assert_memory_equal(value, &w->bytes[addr - BASE], bytes);
		assert_true(pte_accessed(w->space.pt.format, look(&w->space.pt, addr)));
	}
}

/* Every change that says less, on a random range, outside and inside of few pages. */
static void change(struct world *w, u64 *random)
{
	const struct pt_format *f = w->space.pt.format;
	unsigned long first = step(random) % PAGES;
	unsigned long nr = 1 + step(random) % (step(random) % 4 ? 3 : PAGES - first);
	unsigned long end = min(first + nr, (unsigned long)PAGES);
	static const u32 rights[] = { PT_READ, RW, RW, RW | PT_EXEC };
	u32 now = rights[step(random) % 4];

	switch (step(random) % 4) {
	case 0:
		zap(&w->space.pt, BASE + first * PAGE_SIZE, BASE + end * PAGE_SIZE);
		for (unsigned long i = first; i < end; i++)
			w->rights[i] = 0;
		memset(&w->bytes[first * PAGE_SIZE], 0, (end - first) * PAGE_SIZE);
		break;
	case 1:
		pt_protect_range(&w->space.pt, BASE + first * PAGE_SIZE, BASE + end * PAGE_SIZE,
				 now);
		for (unsigned long i = first; i < end; i++)
			w->rights[i] = w->rights[i] ? now : 0;
		break;
	case 2:
		pt_change_range(&w->space.pt, BASE + first * PAGE_SIZE, BASE + end * PAGE_SIZE,
				(struct pt_change){ .clear = f->dirty });
		break;
	default:
		for (unsigned long i = first; i < end; i++)
			w->rights[i] = w->rights[i] ? w->rights[i] : now;
	}
}

static u64 seed(void)
{
	const char *text = getenv("VMAREA_SEED");

	return text ? strtoull(text, NULL, 0) : 1;
}

static void test_model(void **state)
{
	(void)state;
	print_message("VMAREA_SEED=%llu\n", (unsigned long long)seed());
	for (unsigned int machine = 0; machine < ARRAY_SIZE(machines); machine++) {
		u64 random = seed() + machine;
		unsigned int at = 0;

		assert_int_equal(soft_tlb_create(machine % 2 ? 4 : 8, &tlb), 0);
		worlds_make(machine);
		soft_tlb_begin(tlb);
		for (unsigned int i = 0; i < ROUNDS / ARRAY_SIZE(machines); i++) {
			soft_tlb_poll(tlb);
			if (step(&random) % 8)
				load_or_store(&worlds[at], &random);
			if (step(&random) % 8)
				continue;
			soft_tlb_end(tlb);
			change(&worlds[step(&random) % SPACES], &random);
			if (step(&random) % 4 == 0) {
				at = step(&random) % SPACES;
				soft_tlb_switch(tlb, spaces[at]);
			}
			soft_tlb_begin(tlb);
		}
		soft_tlb_end(tlb);
		worlds_end();
		soft_tlb_destroy(tlb);
	}
}

/* A second access to a page asks nobody; one that crosses has no pointer. */
static void test_hit(void **state)
{
	struct world *w = &worlds[0];

	(void)state;
	assert_int_equal(soft_tlb_create(4, &tlb), 0);
	worlds_make(0);
	w->rights[0] = w->rights[1] = RW;
	soft_tlb_begin(tlb);
	assert_null(soft_tlb_hit(tlb, BASE, 1, MM_ACCESS_READ));
	assert_non_null(soft_tlb_read(tlb, BASE, 8));
	assert_int_equal(w->resolved, 1);
	assert_non_null(soft_tlb_hit(tlb, BASE + PAGE_SIZE - 8, 8, MM_ACCESS_READ));
	/* Written to first: the entry is not dirty, and the fault path is not asked. */
	assert_null(soft_tlb_hit(tlb, BASE, 1, MM_ACCESS_WRITE));
	assert_non_null(soft_tlb_write(tlb, BASE, 1));
	assert_non_null(soft_tlb_hit(tlb, BASE, 1, MM_ACCESS_READ));
	assert_int_equal(w->resolved, 1);
	assert_null(soft_tlb_exec(tlb, BASE, 4));
	assert_int_equal(tlb->fault, MM_FAULT_ACCERR);
	assert_non_null(soft_tlb_read(tlb, BASE + PAGE_SIZE, 1));
	assert_null(soft_tlb_read(tlb, BASE + PAGE_SIZE - 1, 2));
	assert_int_equal(tlb->fault, MM_FAULT_DONE);
	/* The ends of what an address can be. */
	assert_null(soft_tlb_read(tlb, ~0ull, 1));
	assert_int_equal(tlb->fault, MM_FAULT_MAPERR);
	assert_null(soft_tlb_read(tlb, 1ull << 56, 1));
	assert_int_equal(tlb->fault, MM_FAULT_MAPERR);
	assert_false(soft_tlb_load(tlb, ~0ull, &(u64){ 0 }, 8));
	soft_tlb_end(tlb);
	worlds_end();
	soft_tlb_destroy(tlb);
}

/* 2 MiB leaves: each page of one its own entry, and an invalidation of all of them. */
static void test_huge(void **state)
{
	struct world *w = &worlds[0];
	const unsigned long at = 8 * PMD_SIZE;
	struct page *page;

	(void)state;
	assert_int_equal(soft_tlb_create(10, &tlb), 0);
	worlds_make(0);
	page = map_new_huge(&w->space.pt, at, USER_RW);
	soft_tlb_begin(tlb);
	for (unsigned long i = 0; i < PT_ENTRIES; i++)
		assert_ptr_equal(soft_tlb_write(tlb, at + i * PAGE_SIZE + 5, 1),
				 (char *)page_bytes(page) + i * PAGE_SIZE + 5);
	soft_tlb_end(tlb);
	zap(&w->space.pt, at, at + PMD_SIZE);
	soft_tlb_begin(tlb);
	for (unsigned long i = 0; i < PT_ENTRIES; i++)
		assert_null(soft_tlb_read(tlb, at + i * PAGE_SIZE, 1));
	soft_tlb_end(tlb);
	worlds_end();
	soft_tlb_destroy(tlb);
}

/* ASIDs are used up, several times over, while another space keeps its own. */
static void test_asids(void **state)
{
	struct world *w = &worlds[0];

	(void)state;
	assert_int_equal(soft_tlb_create(4, &tlb), 0);
	worlds_make(0);
	w->rights[0] = worlds[1].rights[0] = RW;
	soft_tlb_switch(tlb, spaces[1]);
	soft_tlb_begin(tlb);
	assert_true(soft_tlb_store(tlb, BASE, &(u64){ 1 }, 8));
	soft_tlb_end(tlb);
	soft_tlb_switch(tlb, spaces[0]);
	for (u64 i = 2; i < 10000; i++) {
		u64 value;

		soft_tlb_begin(tlb);
		assert_true(soft_tlb_store(tlb, BASE, &i, 8));
		soft_tlb_end(tlb);
		w->mmu.ops.invalidate(&w->space.pt, 0, PMD_SIZE * 16, MMU_LEAVES);
		assert_in_range(spaces[0]->asid, ASID_FIRST, ASID_END - 1);
		assert_int_not_equal(spaces[0]->asid, spaces[1]->asid);
		soft_tlb_begin(tlb);
		assert_null(soft_tlb_hit(tlb, BASE, 8, MM_ACCESS_READ));
		assert_true(soft_tlb_load(tlb, BASE, &value, 8));
		assert_int_equal(value, i);
		soft_tlb_end(tlb);
		if (i % 512)
			continue;
		soft_tlb_switch(tlb, spaces[1]);
		soft_tlb_begin(tlb);
		assert_true(soft_tlb_load(tlb, BASE, &value, 8));
		assert_int_equal(value, 1);
		soft_tlb_end(tlb);
		soft_tlb_switch(tlb, spaces[0]);
	}
	worlds_end();
	soft_tlb_destroy(tlb);
}

static void test_limits(void **state)
{
	struct soft_tlb_space *more[SOFT_TLB_SPACES], *refused = NULL;
	struct soft_tlb *none = NULL;

	(void)state;
	assert_int_equal(soft_tlb_create(SOFT_TLB_MIN_LOG2 - 1, &none), -EINVAL);
	assert_int_equal(soft_tlb_create(SOFT_TLB_MAX_LOG2 + 1, &none), -EINVAL);
	assert_null(none);
	assert_int_equal(soft_tlb_create(SOFT_TLB_MAX_LOG2, &tlb), 0);
	worlds_make(0);
	for (unsigned int i = SPACES; i < SOFT_TLB_SPACES; i++)
		assert_int_equal(soft_tlb_attach(tlb, &worlds[0].mmu, &more[i]), 0);
	assert_int_equal(soft_tlb_attach(tlb, &worlds[0].mmu, &refused), -ENOSPC);
	assert_null(refused);
	for (unsigned int i = SPACES; i < SOFT_TLB_SPACES; i++)
		soft_tlb_detach(tlb, more[i]);
	worlds_end();
	/* Nothing attached: nothing is there. */
	soft_tlb_begin(tlb);
	assert_null(soft_tlb_read(tlb, BASE, 1));
	assert_int_equal(tlb->fault, MM_FAULT_MAPERR);
	soft_tlb_end(tlb);
	soft_tlb_destroy(tlb);
#ifdef CONFIG_VMAREA_DEBUG
	for (long n = 1; n <= 2; n++) {
		port_fail_nth(n);
		assert_int_equal(soft_tlb_create(4, &none), -ENOMEM);
		assert_null(none);
	}
#endif
}

/* ------------------------------------------------------------------------------- notifiers -- */

struct listener {
	struct mmu_notifier notifier;
	unsigned int calls;
	unsigned long start, end;
};

static void hear(struct mmu_notifier *notifier, unsigned long start, unsigned long end)
{
	struct listener *l = container_of(notifier, struct listener, notifier);

	l->calls++;
	l->start = start;
	l->end = end;
}

static void test_notifiers(void **state)
{
	struct listener l[3] = { { { hear } }, { { hear } }, { { hear } } };
	static struct world w;

	(void)state;
	mmu_init(&w.mmu, &w.space.pt, resolve);
	space_make(&w.space, &machines[0], 4, &w.mmu.ops);
	for (int i = 0; i < 3; i++)
		mmu_notifier_add(&w.mmu, &l[i].notifier);
	map_new(&w.space.pt, BASE, USER_RW);
	map_new(&w.space.pt, BASE + 7 * PAGE_SIZE, USER_RW);
	assert_int_equal(l[0].calls, 0);
	/* One call for a range, from its first entry to its last; none for what says more. */
	zap(&w.space.pt, BASE - 64 * PAGE_SIZE, BASE + 64 * PAGE_SIZE);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(l[i].calls, 1);
		assert_int_equal(l[i].start, BASE);
		assert_int_equal(l[i].end, BASE + 8 * PAGE_SIZE);
	}
	mmu_notifier_del(&w.mmu, &l[1].notifier);
	map_new(&w.space.pt, BASE, USER_RW);
	assert_int_equal(pt_protect_range(&w.space.pt, BASE, BASE + PAGE_SIZE, PT_READ), 1);
	assert_int_equal(l[0].calls, 2);
	assert_int_equal(l[1].calls, 1);
	assert_int_equal(l[2].calls, 2);
	pt_protect_range(&w.space.pt, BASE, BASE + PAGE_SIZE, PT_READ | PT_EXEC);
	assert_int_equal(l[0].calls, 2);
	mmu_notifier_del(&w.mmu, &l[0].notifier);
	mmu_notifier_del(&w.mmu, &l[2].notifier);
	mmu_end(&w.mmu);
	space_end(&w.space);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hit), cmocka_unit_test(test_model),
		cmocka_unit_test(test_huge), cmocka_unit_test(test_asids),
		cmocka_unit_test(test_limits), cmocka_unit_test(test_notifiers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
