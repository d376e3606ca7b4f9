/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * unmap_mapping_pages() of a page of a file that many mms map: ns for each mapping.
 *
 * "shown": each mm has the page in its tables, as after a read.  "not shown": each maps the file, and
 * nobody has looked.  CPU time of the calling thread, of many calls together, each for one page, since
 * to ask for that time costs as much as a short call.
 */
#include <stdio.h>

#include <vmarea/driver_fault.h>
#include <vmarea/vmarea.h>

#include "binder_bench.h"

#define AT		0x10000000ul
#define BYTES		(1ul << 20)
#define MAX_MMS		1000u
#define NR_PAGES	(BYTES / 4096)

static const unsigned int counts[] = { 1, 10, 100, MAX_MMS };

#define NR_COUNTS	(sizeof(counts) / sizeof(counts[0]))

static double shown[NR_COUNTS][MAX_ROUNDS], not_shown[NR_COUNTS][MAX_ROUNDS];

static struct {
	struct vmarea *v;
	struct file *file;
	struct page *page;
	struct mm_user *mms[MAX_MMS];
} u;

static vm_fault_t give_page(struct vma_ref *vma, struct vm_fault *vmf)
	__must_hold_shared(vma_stable) __may_sleep;

static vm_fault_t give_page(struct vma_ref *vma, struct vm_fault *vmf)
{
	struct vma_mixedmap *mixed = vma_as_mixedmap(vma);

	return mixed && !vm_insert_page(mixed, vmf->address, u.page) ? VM_FAULT_NOPAGE :
								       VM_FAULT_OOM;
}

static const struct vm_operations_struct vm_ops = { .fault = give_page };

static int map(struct file *file, struct vma_new *vma) __in_mmap_hook;
static int map(struct file *file, struct vma_new *vma)
{
	vma_set_owner(vma, &vm_ops, NULL);
	vma_set_mixedmap(vma);
	return 0;
}

static const struct file_operations ops = { .owner = "bench", .mmap = map };

static void look(unsigned int nth, unsigned long nr_pages)
{
	enum mm_fault fault;
	char byte;

	for (unsigned long page = 0; page < nr_pages; page++)
		must(mm_read(u.mms[nth], AT + page * 4096, &byte, 1, &fault) == 1);
}

/* ns for each of @nr mappings. */
static double time_unmaps(unsigned int nr, bool looked)
{
	unsigned long nr_pages = nr < NR_PAGES ? NR_PAGES / nr : 1;
	uint64_t start;

	for (unsigned int nth = 0; looked && nth < nr; nth++)
		look(nth, nr_pages);
	start = now_ns(CLOCK_THREAD_CPUTIME_ID);
	for (unsigned long page = 0; page < nr_pages; page++)
		unmap_mapping_pages(u.file, page, 1);
	return (double)(now_ns(CLOCK_THREAD_CPUTIME_ID) - start) / (double)nr_pages / nr;
}

static void open_all(void)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;
	struct file_desc desc = { .size = sizeof(desc), .ops = &ops, .name = "/dev/bench",
				  .flags = FILE_READ };

	config.arena_bytes = 64ul << 20;
	must(!vmarea_create(&config, &u.v));
	must(!file_create(u.v, &desc, &u.file));
	u.page = alloc_page(u.v);
	must(u.page);
}

static void close_all(void)
{
	for (unsigned int i = 0; i < MAX_MMS; i++)
		mmput(u.mms[i]);
	__free_page(u.page);
	file_put(u.file);
	vmarea_destroy(u.v);
}

static void add_mm(unsigned int nth)
{
	struct mm_config config = MM_CONFIG_INIT;

	must(!mm_create(u.v, &config, &u.mms[nth]));
	must(mm_mmap(u.mms[nth], AT, BYTES, PROT_READ, MAP_PRIVATE | MAP_FIXED, u.file, 0) ==
	     (long)AT);
	/* Tables for it are there in any case. */
	look(nth, 1);
}

void unmap_measure(int round)
{
	unsigned int nr = 0;

	open_all();
	for (unsigned int c = 0; c < NR_COUNTS; c++) {
		double with, without;

		while (nr < counts[c])
			add_mm(nr++);
		with = time_unmaps(nr, true);
		without = time_unmaps(nr, false);
		if (round >= 0) {
			shown[c][round] = with;
			not_shown[c][round] = without;
		}
	}
	close_all();
}

void unmap_print(void)
{
	printf("unmap_mapping_pages() of a page, ns for each mapping of the file\n");
	for (unsigned int c = 0; c < NR_COUNTS; c++) {
		struct spread with = spread_of(shown[c]), without = spread_of(not_shown[c]);

		printf("  %4u mapping%s  shown %7.1f [%.1f..%.1f]   not shown %7.1f [%.1f..%.1f]\n",
		       counts[c], counts[c] == 1 ? " " : "s", with.middle, with.least, with.most,
		       without.middle, without.least, without.most);
	}
}
