/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Two virtual CPUs on one space, while others zap, protect and clean it, and frames are so few that
 * what is given back too early is somebody else's at once.
 *
 * Each page says in its first word for which place it was made; the rest is written to.  The thread
 * sanitizer sees a page zeroed for its next owner while an entry still leads to it.
 */
#include "../pgtable/space.h"
#include "../sync/threads.h"
#include "mmu/soft.h"

#define PAGES		600u
#define BASE		(PMD_SIZE * 3 - 300 * PAGE_SIZE)
#define ROUNDS		150000u
#define VCPUS		2u

static struct space s;
static struct mmu mmu;
static u32 done;
static unsigned long loads, refused;	/* atomic */

static u64 step(u64 *random)
{
	*random = *random * 6364136223846793005ull + 1442695040888963407ull;
	return *random >> 33;
}

static u64 stamp_of(unsigned long addr)
{
	return 0x5eed000000000000ull | addr;
}

static enum mm_fault resolve(struct mmu *m, unsigned long addr, enum mm_access access)
{
	struct pt_slot slot;
	struct page *page;

	(void)m;
	addr = ALIGN_DOWN(addr, PAGE_SIZE);
	if (pte_none(look(&s.pt, addr))) {
		page = page_alloc(s.arena, 0, PAGE_ZEROED);
		if (!page)
			return MM_FAULT_OOM;
		*(u64 *)page_bytes(page) = stamp_of(addr);
		if (pt_install(&s.pt, NULL, addr, PT_PTE, PTE_NONE,
			       pte_leaf(s.pt.format, PT_PTE, page_pfn(page), USER_RW)))
			page_put(page);
	} else if (access == MM_ACCESS_WRITE && pt_slot_lock(&s.pt, addr, &slot)) {
		pt_slot_change(&slot, (struct pt_change){ .set = s.pt.format->write });
		pt_slot_unlock(&slot);
	}
	return MM_FAULT_DONE;
}

static void *vcpu(void *arg)
{
	u64 random = (uintptr_t)arg, value;
	struct soft_tlb_space *space;
	struct soft_tlb *tlb;

	VM_BUG_ON(soft_tlb_create(6, &tlb) || soft_tlb_attach(tlb, &mmu, &space));
	soft_tlb_switch(tlb, space);
	soft_tlb_begin(tlb);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		unsigned long addr = BASE + step(&random) % PAGES * PAGE_SIZE;

		soft_tlb_poll(tlb);
		if (!soft_tlb_load(tlb, addr, &value, 8)) {
			VM_BUG_ON(tlb->fault != MM_FAULT_OOM, "%d", tlb->fault);
			atomic_add_relaxed(&refused, 1);
			continue;
		}
		VM_BUG_ON(value != stamp_of(addr), "%lx has %lx", addr, (unsigned long)value);
		/* A word of this thread's own; it may cross into a page whose first word it is not. */
		value = i;
		if (!soft_tlb_store(tlb, addr + 64 * (uintptr_t)arg, &value, 8))
			VM_BUG_ON(tlb->fault != MM_FAULT_OOM, "%d", tlb->fault);
		atomic_add_relaxed(&loads, 1);
		if (i % 1024 == 0) {
			soft_tlb_end(tlb);
			port_yield();
			soft_tlb_begin(tlb);
		}
	}
	soft_tlb_end(tlb);
	soft_tlb_detach(tlb, space);
	soft_tlb_destroy(tlb);
	return NULL;
}

static void *changer(void *arg)
{
	u64 random = (uintptr_t)arg;

	while (!atomic_load_relaxed(&done)) {
		unsigned long first = step(&random) % PAGES;
		unsigned long nr = step(&random) % (step(&random) % 4 ? 4 : 200);
		unsigned long start = BASE + first * PAGE_SIZE;
		unsigned long end = BASE + min(first + nr, (unsigned long)PAGES) * PAGE_SIZE;

		switch (step(&random) % 3) {
		case 0:
			pt_protect_range(&s.pt, start, end, PT_READ);
			break;
		case 1:
			pt_change_range(&s.pt, start, end, (struct pt_change){
					.clear = s.pt.format->accessed | s.pt.format->dirty });
			break;
		default:
			zap(&s.pt, start, end);
		}
	}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t vcpus[VCPUS], changers[2];

	(void)state;
	mmu_init(&mmu, &s.pt, resolve);
	/* Fewer frames than there are pages. */
	space_make(&s, &machines[0], 2, &mmu.ops);
	for (uintptr_t i = 0; i < 2; i++)
		changers[i] = start(changer, (void *)(i + 11));
	for (uintptr_t i = 0; i < VCPUS; i++)
		vcpus[i] = start(vcpu, (void *)(i + 1));
	for (unsigned int i = 0; i < VCPUS; i++)
		finish(vcpus[i]);
	raise_flag(&done);
	for (int i = 0; i < 2; i++)
		finish(changers[i]);
	print_message("%lu loads, %lu without a frame\n", loads, refused);
	assert_true(loads > ROUNDS / 2);
	mmu_end(&mmu);
	space_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_threads) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
