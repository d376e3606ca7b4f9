/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* memory_bench: this library. */
#include <sys/mman.h>
#include <vmarea/host.h>
#include <vmarea/soft_tlb.h>

#include "memory_bench.h"
#include "pgtable/pgtable.h"
#include "vma/handle.h"

#define RW		(PROT_READ | PROT_WRITE)
#define ANON		(MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

#define ONE_AREA	0x100000000ul
#define OWN_AREAS	0x140000000ul
#define LOADED		0x180000000ul
#define SCATTERED_AREA	0x190000000ul
#define BESIDE_AREA	(SCATTERED_AREA + 2 * MIB)
#define FIRST_AREA	(SCATTERED_AREA + 4 * MIB)
#define FILE_AREA	0x1c0000000l
#define FORKED		0x200000000ul
#define HOLES		0x1000000000ul

static struct vmarea *instance;
static struct mm_user *mm;
static struct soft_tlb *tlb, *store_tlb;
static struct soft_tlb_space *space, *store_space;
static struct host_window *window;
static volatile uint64_t sink;

static void map_at(unsigned long at, size_t bytes)
{
	must(mm_mmap(mm, at, bytes, RW, ANON | MAP_FIXED, NULL, 0) == (long)at);
}

static void touch(unsigned long at, size_t bytes, enum mm_access access)
{
	for (unsigned long end = at + bytes; at < end; at += PAGE)
		must(mm_handle_fault(mm, at, access) == MM_FAULT_DONE);
}

static void zap(unsigned long at, size_t bytes)
{
	must(!mm_madvise(mm, at, bytes, MADV_DONTNEED));
}

/* -------------------------------------------------------------------------------- faults -- */

static void fault_and_zap(unsigned long at, double *ns)
{
	uint64_t start;

	touch(at, FAULT_BYTES, MM_ACCESS_WRITE);
	zap(at, FAULT_BYTES);
	start = cpu_ns();
	for (int i = 0; i < FAULT_TIMES; i++) {
		touch(at, FAULT_BYTES, MM_ACCESS_WRITE);
		lap(&ns[WRITE], &start, FAULT_TIMES * FAULT_PAGES);
		zap(at, FAULT_BYTES);
		lap(&ns[ZAP], &start, FAULT_TIMES * FAULT_PAGES);
	}
	for (int i = 0; i < FAULT_TIMES / 4; i++) {
		start = cpu_ns();
		touch(at, FAULT_BYTES, MM_ACCESS_READ);
		lap(&ns[READ], &start, FAULT_TIMES / 4 * FAULT_PAGES);
		zap(at, FAULT_BYTES);
	}
}

static void same_work(unsigned int nth, double *ns)
{
	fault_and_zap(ONE_AREA + nth * FAULT_BYTES, ns);
}

static void own_work(unsigned int nth, double *ns)
{
	fault_and_zap(OWN_AREAS + 2 * nth * FAULT_BYTES, ns);
}

/* The store of an emulator's guest: a miss, the fault, the entry, the store. */
static double store_all(unsigned long at, size_t bytes)
{
	uint64_t start = cpu_ns();
	char value = 1;
	double ns = 0;

	soft_tlb_begin(store_tlb);
	for (unsigned long end = at + bytes; at < end; at += PAGE) {
		soft_tlb_poll(store_tlb);
		must(soft_tlb_store(store_tlb, at, &value, 1));
	}
	soft_tlb_end(store_tlb);
	lap(&ns, &start, (double)(bytes / PAGE));
	return ns;
}

static void one_work(unsigned int nth, double *ns)
{
	same_work(nth, ns);
	ns[STORE] = store_all(ONE_AREA, FAULT_BYTES);
	zap(ONE_AREA, FAULT_BYTES);
}

void our_faults_one(double *ns)
{
	run_threads(1, one_work, ns);
}

void our_faults_same(double *ns)
{
	run_threads(2, same_work, ns);
}

void our_faults_own(double *ns)
{
	run_threads(2, own_work, ns);
}

/* --------------------------------------------------------------------------------- files -- */

static void make_file_area(void)
{
	static const char zeros[PAGE];
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/memfd:bench", .size_bytes = FAULT_BYTES,
		.flags = FILE_READ | FILE_WRITE | FILE_SHMEM,
	};
	struct file *file;

	must(!file_create(instance, &desc, &file));
	for (size_t at = 0; at < FAULT_BYTES; at += PAGE)
		must(file_write(file, at, zeros, PAGE) == PAGE);
	must(mm_mmap(mm, FILE_AREA, FAULT_BYTES, PROT_READ, MAP_SHARED | MAP_FIXED, file, 0) ==
	     FILE_AREA);
	file_put(file);
}

void our_files(double *ns)
{
	uint64_t start = cpu_ns();

	for (int i = 0; i < FAULT_TIMES; i++) {
		for (size_t at = 0; at < FAULT_BYTES; at += AROUND_BYTES)
			must(mm_handle_fault(mm, FILE_AREA + at, MM_ACCESS_READ) == MM_FAULT_DONE);
		lap(&ns[AROUND], &start, FAULT_TIMES * FAULT_PAGES);
		zap(FILE_AREA, FAULT_BYTES);
		lap(&ns[UNMAPPED], &start, FAULT_TIMES * FAULT_PAGES);
	}
}

/* -------------------------------------------------------------------------------- munmap -- */

static double unmap_holes(size_t bytes)
{
	double ns = 0;
	uint64_t start;

	for (unsigned long i = 0; i < NR_HOLES; i++) {
		unsigned long at = HOLES + i * HOLE_STRIDE + HOLE_OFFSET;

		map_at(at, PAGE);
		map_at(at + 2 * PAGE, bytes);
		map_at(at + 3 * PAGE + bytes, PAGE);
		touch(at, PAGE, MM_ACCESS_WRITE);
		touch(at + 3 * PAGE + bytes, PAGE, MM_ACCESS_WRITE);
	}
	start = cpu_ns();
	for (unsigned long i = 0; i < NR_HOLES; i++)
		must(!mm_munmap(mm, HOLES + i * HOLE_STRIDE + HOLE_OFFSET + 2 * PAGE, bytes));
	lap(&ns, &start, NR_HOLES);
	must(!mm_munmap(mm, HOLES, NR_HOLES * HOLE_STRIDE));
	return ns;
}

void our_unmaps(double *ns)
{
	uint64_t start;

	ns[SMALL] = unmap_holes(PAGE);
	ns[LARGE] = unmap_holes(GIB);
	start = cpu_ns();
	for (unsigned int i = 0; i < MAP_TIMES; i++) {
		long at = mm_mmap(mm, 0, PAGE, RW, ANON, NULL, 0);

		must(at > 0);
		touch((unsigned long)at, PAGE, MM_ACCESS_WRITE);
		must(!mm_munmap(mm, (unsigned long)at, PAGE));
	}
	lap(&ns[TOUCHED], &start, MAP_TIMES);
}

/* ---------------------------------------------------------------------------------- fork -- */

void our_fork(double *ns)
{
	const size_t bytes = fork_bytes();
	struct mm_user *child;
	uint64_t start;

	touch(FORKED, bytes, MM_ACCESS_WRITE);
	start = cpu_ns();
	must(!mm_fork(mm, &child));
	lap(&ns[COPY], &start, (double)(bytes / PAGE));
	touch(FORKED, COW_BYTES, MM_ACCESS_WRITE);
	lap(&ns[COW], &start, COW_BYTES / PAGE);
	must(!mm_munmap(child, FORKED, bytes));
	lap(&ns[EXIT], &start, (double)(bytes / PAGE));
	mmput(child);
	start = cpu_ns();
	touch(FORKED + COW_BYTES, COW_BYTES, MM_ACCESS_WRITE);
	lap(&ns[REUSE], &start, COW_BYTES / PAGE);
}

/* ------------------------------------------------------------------------------ soft TLB -- */

#define A_BLOCK		8u			/* accesses from one safepoint to the next */

void our_loads(double *ns)
{
	uint64_t at = 1, sum = 0, value = 0, start;

	soft_tlb_begin(tlb);
	start = cpu_ns();
	for (unsigned int i = 0; i < NR_LOADS; i++) {
		if (i % A_BLOCK == 0)
			soft_tlb_poll(tlb);
		must(soft_tlb_load(tlb, LOADED + random_offset(&at), &value, 8));
		sum += value;
	}
	lap(&ns[RANDOM], &start, NR_LOADS);
	for (unsigned int i = 0; i < NR_LOADS; i++) {
		if (i % A_BLOCK == 0)
			soft_tlb_poll(tlb);
		must(soft_tlb_load(tlb, LOADED + i * 8, &value, 8));
		sum += value;
	}
	lap(&ns[SEQUENTIAL], &start, NR_LOADS);
	soft_tlb_end(tlb);
	sink = sum;
}

/* -------------------------------------------------------------------------------- window -- */

static double store_in_window(unsigned long area)
{
	volatile char *at = host_window_at(window, area);
	uint64_t start = cpu_ns();
	double ns = 0;

	for (unsigned long i = 0; i < WINDOW_PAGES; i++)
		at[i * PAGE] = 1;
	lap(&ns, &start, WINDOW_PAGES);
	host_window_drop(window);
	return ns;
}

void our_window(double *ns)
{
	/* A fork has taken away the right to write. */
	touch(SCATTERED_AREA, 2 * WINDOW_PAGES * PAGE, MM_ACCESS_WRITE);
	zap(FIRST_AREA, WINDOW_PAGES * PAGE);
	ns[FIRST] = store_in_window(FIRST_AREA);
	ns[SCATTERED] = store_in_window(SCATTERED_AREA);
	ns[BESIDE] = store_in_window(BESIDE_AREA);
}

/* ------------------------------------------------------------------------------ gup_fast -- */

void our_gup(double *ns)
{
	struct pgtable *pt = mm_from_user(mm)->pgt;
	uint64_t start = cpu_ns();

	for (unsigned long at = LOADED; at < LOADED + WORKING_SET; at += PAGE) {
		struct page *page = gup_fast(pt, at, PT_READ);

		must(page != NULL);
		page_put(page);
	}
	lap(&ns[0], &start, WORKING_SET / PAGE);
}

/* -------------------------------------------------------------------------------- set-up -- */

struct memory_cost our_cost(void)
{
	const struct pgtable *pt = mm_from_user(mm)->pgt;
	long before = pt->nr_tables;

	must(!mm_munmap(mm, FORKED, fork_bytes()));
	return (struct memory_cost){
		.tables_a_mib = (double)((before - pt->nr_tables) * (long)PAGE) /
				(double)(fork_bytes() / MIB),
		.structs_a_mib = (double)(sizeof(struct page) * MIB / PAGE),
	};
}

static void make_areas(void)
{
	map_at(ONE_AREA, 2 * FAULT_BYTES);
	map_at(OWN_AREAS, FAULT_BYTES);
	map_at(OWN_AREAS + 2 * FAULT_BYTES, FAULT_BYTES);
	map_at(LOADED, WORKING_SET);
	touch(LOADED, WORKING_SET, MM_ACCESS_WRITE);
	map_at(SCATTERED_AREA, 6 * MIB);
	for (unsigned long i = 0; i < WINDOW_PAGES; i++)
		touch(SCATTERED_AREA + i * WINDOW_STRIDE % WINDOW_PAGES * PAGE, PAGE,
		      MM_ACCESS_WRITE);
	touch(BESIDE_AREA, WINDOW_PAGES * PAGE, MM_ACCESS_WRITE);
	map_at(FORKED, fork_bytes());
}

void make_ours(void)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;
	struct mm_config mm_config = MM_CONFIG_INIT;
	struct host_window_config window_config = {
		.size = sizeof(window_config), .start = SCATTERED_AREA, .bytes = 64 * MIB,
	};

	config.arena_bytes = fork_bytes() + GIB / 2;
	must(!vmarea_create(&config, &instance));
	must(!mm_create(instance, &mm_config, &mm));
	make_areas();
	make_file_area();
	must(!soft_tlb_create(10, &tlb) && !soft_tlb_create(10, &store_tlb));
	must(!soft_tlb_attach(tlb, mm_mmu(mm), &space));
	must(!soft_tlb_attach(store_tlb, mm_mmu(mm), &store_space));
	soft_tlb_switch(tlb, space);
	soft_tlb_switch(store_tlb, store_space);
	must(!host_window_create(mm_mmu(mm), &window_config, &window));
}

void end_ours(void)
{
	host_window_destroy(window);
	soft_tlb_detach(tlb, space);
	soft_tlb_detach(store_tlb, store_space);
	soft_tlb_destroy(tlb);
	soft_tlb_destroy(store_tlb);
	mmput(mm);
	vmarea_destroy(instance);
}
