/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A driver that shows its frames by 2 MiB: when it is asked, what takes them away again, and that
 * nothing counts them.  Its device has two blocks; fault() shows the same frames one by one.
 */
#include <stdatomic.h>

#include <vmarea/driver_fault.h>
#include <vmarea/report.h>
#include <vmarea/soft_tlb.h>

#include "../sync/threads.h"
#include "memory.h"

#define HUGE		512ul
#define BLOCKS		2ul
#define NR_PAGES	(BLOCKS * HUGE)

static struct memory m;
static struct file *file;
static struct page *pages[NR_PAGES];
static struct vm_operations_struct ops;
static bool privately;			/* mmap() makes the VMA one that nobody ever writes to */

/* What huge_fault() does, and has seen. */
static vm_fault_t answer;		/* other than NOPAGE: just this */
static unsigned int forgets;		/* flags that it does not pass on */
static atomic_uint nr_huge, nr_fault, nr_mkwrite;
static atomic_uint flags_seen;

static unsigned long pfn_of(unsigned long page)
{
	return page_to_pfn(pages[page]);
}

static vm_fault_t show_block(struct vma_ref *vma, struct vm_fault *vmf, unsigned int order);
static vm_fault_t show_block(struct vma_ref *vma, struct vm_fault *vmf, unsigned int order)
{
	int err;

	nr_huge++;
	flags_seen |= vmf->flags;
	if (order != 9 || vmf->pgoff >= NR_PAGES || vmf->page)
		return VM_FAULT_SIGBUS;
	if (answer != VM_FAULT_NOPAGE)
		return answer;
	err = vm_insert_pfn_pmd(vma_as_pfnmap(vma), vmf->address & ~(HUGE * SPACE_PAGE - 1),
				pfn_of(vmf->pgoff & ~(HUGE - 1)), vmf->flags & ~forgets);
	if (err == -ENOMEM)
		return VM_FAULT_OOM;
	return err ? VM_FAULT_FALLBACK : VM_FAULT_NOPAGE;
}

static vm_fault_t show_page(struct vma_ref *vma, struct vm_fault *vmf);
static vm_fault_t show_page(struct vma_ref *vma, struct vm_fault *vmf)
{
	int err;

	nr_fault++;
	if (vmf->pgoff >= NR_PAGES)
		return VM_FAULT_SIGBUS;
	err = vm_insert_pfn(vma_as_pfnmap(vma), vmf->address, pfn_of(vmf->pgoff));
	return err == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_NOPAGE;
}

static vm_fault_t allow_page(struct vma_ref *vma, struct vm_fault *vmf);
static vm_fault_t allow_page(struct vma_ref *vma, struct vm_fault *vmf)
{
	nr_mkwrite++;
	return VM_FAULT_DONE;
}

static int map(struct file *unused, struct vma_new *vma) __in_mmap_hook;
static int map(struct file *unused, struct vma_new *vma)
{
	if (privately && vma_try_clear_maywrite(vma))
		return -EINVAL;
	vma_set_owner(vma, &ops, pages);
	return vma_set_pfnmap(vma) ? 0 : -EINVAL;
}

static void fill_pages(void)
{
	for (unsigned long i = 0; i < BLOCKS; i++)
		assert_true(alloc_contig_pages(m.s.v, 9, pages + i * HUGE));
	for (unsigned long i = 0; i < NR_PAGES; i++)
		((char *)page_address(pages[i]))[123] = (char)(i * 7 + 1);
}

static void begin(void)
{
	static const struct file_operations file_ops = { .owner = "blocks", .mmap = map };
	const struct file_desc desc = {
		.size = sizeof(desc), .ops = &file_ops, .name = "/dev/blocks",
		.flags = FILE_READ | FILE_WRITE,
	};

	ops = (struct vm_operations_struct){ .huge_fault = show_block, .fault = show_page };
	answer = VM_FAULT_NOPAGE;
	forgets = 0;
	privately = false;
	nr_huge = nr_fault = nr_mkwrite = flags_seen = 0;
	memory_open(&m);
	fill_pages();
	assert_int_equal(file_create(m.s.v, &desc, &file), 0);
}

static void end(void)
{
	memory_validate(m.s.mm);
	space_unmap(&m.s, 0, SPACE_PAGES);
	assert_int_equal(mm_leaves(m.s.mm), 0);
	for (unsigned long i = 0; i < NR_PAGES; i++) {
		assert_int_equal(page_refs(pages[i]), 1);
		assert_int_equal(page_mapcount(pages[i]), 0);
		__free_page(pages[i]);
	}
	file_put(file);
	memory_close(&m);
}

static void map_blocks(unsigned long page, unsigned long nr, unsigned long pgoff)
{
	assert_int_equal(space_map_file(&m.s, page, nr, RW, MAP_SHARED, file, pgoff), 0);
}

/* Both blocks, shown by 2 MiB, and to be written to. */
static void begin_shown(void)
{
	begin();
	map_blocks(0, NR_PAGES, 0);
	assert_int_equal(put(&m, 5, 1), MM_FAULT_DONE);
	assert_int_equal(put(&m, HUGE + 5, 1), MM_FAULT_DONE);
	assert_int_equal(mm_leaves(m.s.mm), 2);
	nr_huge = 0;
}

static unsigned char byte_of(unsigned long page)
{
	return (unsigned char)(page * 7 + 1);
}

/* The hooks' calls since the last look, and leaves. */
#define assert_calls(huge, fault, leaves)					\
	do {									\
		assert_int_equal(atomic_exchange(&nr_huge, 0), (huge));		\
		assert_int_equal(atomic_exchange(&nr_fault, 0), (fault));	\
		assert_int_equal(mm_leaves(m.s.mm), (leaves));			\
		memory_validate(m.s.mm);					\
	} while (0)

static int insert(unsigned long page, unsigned long pfn, unsigned int flags)
{
	struct mmap_read *lock = mmap_read_lock(m.s.mm);
	int err = vm_insert_pfn_pmd(vma_as_pfnmap(vma_lookup(lock, at(page))), at(page), pfn,
				    flags);

	mmap_read_unlock(lock);
	return err;
}

static void zap(unsigned long page, unsigned long nr)
{
	struct mmap_read *lock = mmap_read_lock(m.s.mm);

	zap_vma_range(vma_lookup(lock, at(page)), at(page), nr * SPACE_PAGE);
	mmap_read_unlock(lock);
}

static int protect(unsigned long page, unsigned long nr, unsigned long prot)
{
	return mm_mprotect(m.s.mm, at(page), nr * SPACE_PAGE, prot);
}

static long move(unsigned long page, unsigned long nr, unsigned long to)
{
	return mm_mremap(m.s.mm, at(page), nr * SPACE_PAGE, nr * SPACE_PAGE,
			 MREMAP_MAYMOVE | MREMAP_FIXED, at(to)) - (long)at(to);
}

/* ------------------------------------------------------------------------------- asked -- */

static void one_fault_shows_512_pages(void **state)
{
	static unsigned char core[HUGE];
	static uint64_t words[HUGE];

	begin();
	map_blocks(0, NR_PAGES, 0);
	assert_int_equal(get(&m, 5), byte_of(5));
	assert_int_equal(flags_seen & VMF_WRITE, 0);
	assert_calls(1, 0, 1);
	for (unsigned long i = 0; i < HUGE; i++)
		assert_int_equal(get(&m, i), byte_of(i));
	/* Nobody counts them, and everybody sees them. */
	assert_int_equal(mm_rss(m.s.mm), 0);
	assert_int_equal(page_refs(pages[7]), 1);
	assert_int_equal(mm_mincore(m.s.mm, at(0), HUGE * SPACE_PAGE, core), 0);
	assert_int_equal(mm_pagemap_read(m.s.mm, at(0), HUGE, words), HUGE);
	for (unsigned long i = 0; i < HUGE; i++) {
		assert_int_equal(core[i] & 1, 1);
		assert_true(words[i] & MM_PAGEMAP_PRESENT);
		assert_int_equal(words[i] & MM_PAGEMAP_FRAME, pfn_of(i));
	}
	/* It was asked about a load: the first store asks once more, for all of them. */
	assert_calls(0, 0, 1);
	assert_int_equal(put(&m, 6, 60), MM_FAULT_DONE);
	assert_true(flags_seen & VMF_WRITE);
	assert_int_equal(put(&m, 511, 61), MM_FAULT_DONE);
	assert_calls(1, 0, 1);
	assert_int_equal(((char *)page_address(pages[511]))[123], 61);
	/* A store first: asked once. */
	assert_int_equal(put(&m, HUGE, 62), MM_FAULT_DONE);
	assert_int_equal(put(&m, HUGE + 9, 63), MM_FAULT_DONE);
	assert_calls(1, 0, 2);
	end();
}

static void asked_only_where_2_mib_can_be(void **state)
{
	begin();
	/* The area ends before, begins behind, or shows the file's pages askew. */
	map_blocks(0, HUGE - 1, 0);
	map_blocks(4 * HUGE + 1, HUGE - 1, 1);
	map_blocks(8 * HUGE, HUGE, 1);
	assert_int_equal(get(&m, 5), byte_of(5));
	assert_int_equal(get(&m, 4 * HUGE + 5), byte_of(5));
	assert_int_equal(get(&m, 8 * HUGE + 5), byte_of(6));
	assert_calls(0, 3, 0);
	/* The program does not want it, for an area or at all. */
	map_blocks(0, HUGE, 0);
	assert_int_equal(mm_madvise(m.s.mm, at(0), HUGE * SPACE_PAGE, MADV_NOHUGEPAGE), 0);
	assert_int_equal(get(&m, 5), byte_of(5));
	assert_calls(0, 1, 0);
	map_blocks(0, HUGE, 0);
	assert_int_equal(mm_set_thp_disable(m.s.mm, true), 0);
	assert_int_equal(get(&m, 5), byte_of(5));
	assert_calls(0, 1, 0);
	assert_int_equal(mm_set_thp_disable(m.s.mm, false), 0);
	/* Pages are there. */
	assert_int_equal(get(&m, 6), byte_of(6));
	assert_calls(0, 1, 0);
	map_blocks(0, HUGE, 0);
	assert_int_equal(get(&m, 6), byte_of(6));
	assert_calls(1, 0, 1);
	end();
}

static void falls_back_to_pages(void **state)
{
	begin();
	map_blocks(0, NR_PAGES, 0);
	answer = VM_FAULT_FALLBACK;
	assert_int_equal(put(&m, 5, 1), MM_FAULT_DONE);
	assert_int_equal(get(&m, 6), byte_of(6));
	assert_calls(1, 2, 0);
	answer = VM_FAULT_SIGBUS;
	assert_int_equal(get(&m, HUGE), NO_BYTE(BUS));
	answer = VM_FAULT_OOM;
	assert_int_equal(get(&m, HUGE), NO_BYTE(OOM));
	assert_true(nr_huge >= 2);
	nr_huge = 0;
	assert_calls(0, 0, 0);
	/* With no hook for a page there is none. */
	answer = VM_FAULT_FALLBACK;
	ops.fault = NULL;
	assert_int_equal(get(&m, HUGE), NO_BYTE(BUS));
	assert_calls(1, 0, 0);
	answer = VM_FAULT_NOPAGE;
	assert_int_equal(get(&m, HUGE), byte_of(HUGE));
	assert_calls(1, 0, 1);
	end();
}

static vm_fault_t not_with_the_vma_lock(struct vma_ref *vma, struct vm_fault *vmf,
					unsigned int order);
static vm_fault_t not_with_the_vma_lock(struct vma_ref *vma, struct vm_fault *vmf,
					unsigned int order)
{
	if (!(vmf->flags & VMF_MAY_RETRY))
		return show_block(vma, vmf, order);
	nr_huge++;
	return VM_FAULT_RETRY;
}

static void comes_again_with_the_mmap_lock(void **state)
{
	begin();
	ops.huge_fault = not_with_the_vma_lock;
	map_blocks(0, NR_PAGES, 0);
	assert_int_equal(put(&m, 5, 1), MM_FAULT_DONE);
	assert_calls(2, 0, 1);
	end();
}

static void what_the_insertion_says(void **state)
{
	struct page *page;

	begin();
	map_blocks(0, NR_PAGES, 0);
	assert_int_equal(insert(0, pfn_of(0), 0), 0);
	assert_int_equal(insert(0, pfn_of(0), 0), 0);
	assert_int_equal(mm_attrs(m.s.mm, 0) & PT_WRITE, 0);
	assert_int_equal(insert(0, pfn_of(0), VMF_WRITE), 0);
	assert_int_equal(insert(0, pfn_of(0), 0), 0);
	assert_int_equal(mm_attrs(m.s.mm, 0) & PT_WRITE, PT_WRITE);
	assert_int_equal(insert(0, pfn_of(HUGE), VMF_WRITE), -EBUSY);
	assert_calls(0, 0, 1);
	/* A page, and the table that it leaves. */
	answer = VM_FAULT_FALLBACK;
	assert_int_equal(get(&m, HUGE + 3), byte_of(HUGE + 3));
	assert_int_equal(insert(HUGE, pfn_of(HUGE), 0), -EBUSY);
	zap(HUGE, HUGE);
	assert_int_equal(insert(HUGE, pfn_of(HUGE), 0), -EBUSY);
	assert_calls(1, 1, 1);
	/* Frames that are not all the driver's. */
	map_blocks(0, NR_PAGES, 0);
	assert_int_equal(insert(0, 0, 0), -EINVAL);
	assert_int_equal(insert(0, ~511ul, 0), -EINVAL);
	page = pages[HUGE - 1];
	page_clear_flags(page, PG_DRIVER);
	assert_int_equal(insert(0, pfn_of(0), 0), -EINVAL);
	page_set_flags(page, PG_DRIVER);
	assert_calls(0, 0, 0);
	end();
}

static void rows_of_frames(void **state)
{
	struct page *row[8], *more[512];
	unsigned long nr = 0;

	begin();
	assert_true(alloc_contig_pages(m.s.v, 3, row));
	assert_int_equal(page_to_pfn(row[0]) % 8, 0);
	for (unsigned long i = 0; i < 8; i++) {
		assert_int_equal(page_to_pfn(row[i]), page_to_pfn(row[0]) + i);
		assert_int_equal(page_refs(row[i]), 1);
		__free_page(row[i]);
	}
	assert_true(alloc_contig_pages(m.s.v, 0, row));
	__free_page(row[0]);
	assert_false(alloc_contig_pages(m.s.v, 10, more));
	/* As many as there are. */
	while (nr < 64 && alloc_contig_pages(m.s.v, 9, more)) {
		for (unsigned long i = 1; i < 512; i++)
			__free_page(more[i]);
		row[0] = more[0];
		nr++;
		/* One page of each block stays: chained, to be freed below. */
		*(struct page **)page_address(row[0]) = nr > 1 ? row[1] : NULL;
		row[1] = row[0];
	}
	assert_in_range(nr, 8, 32);
	for (struct page *page = row[1]; page;) {
		struct page *next = *(struct page **)page_address(page);

		__free_page(page);
		page = next;
	}
	end();
}

/* --------------------------------------------------------------------- a part is taken -- */

static void a_part_takes_all_of_it(void **state)
{
	begin_shown();
	/* Zapped, by the VMA or by the file: asked for 2 MiB again. */
	zap(3, 2);
	assert_calls(0, 0, 1);
	assert_int_equal(get(&m, 9), byte_of(9));
	assert_calls(1, 0, 2);
	unmap_mapping_pages(file, HUGE - 1, 2);
	assert_calls(0, 0, 0);
	assert_int_equal(get(&m, 9), byte_of(9));
	assert_int_equal(get(&m, HUGE), byte_of(HUGE));
	assert_true(unmap_mapping_pages_try(file, 0, HUGE));
	assert_calls(2, 0, 1);
	/* Unmapped or protected: a bound lies in it, and what is left comes by pages. */
	assert_int_equal(get(&m, 9), byte_of(9));
	space_unmap(&m.s, 100, 1);
	assert_calls(1, 0, 1);
	assert_int_equal(get(&m, 9), byte_of(9));
	assert_int_equal(get(&m, 100), NO_BYTE(MAPERR));
	assert_int_equal(get(&m, 101), byte_of(101));
	assert_calls(0, 2, 1);
	assert_int_equal(protect(HUGE + 4, 3, PROT_READ), 0);
	assert_calls(0, 0, 0);
	assert_int_equal(put(&m, HUGE + 5, 1), MM_FAULT_ACCERR);
	assert_int_equal(get(&m, HUGE + 5), 1);
	assert_int_equal(put(&m, HUGE + 8, 1), MM_FAULT_DONE);
	assert_calls(0, 2, 0);
	/* Its bounds are gone: pages are still there. */
	assert_int_equal(protect(HUGE + 4, 3, RW), 0);
	assert_int_equal(put(&m, HUGE + 5, 2), MM_FAULT_DONE);
	assert_calls(0, 0, 0);
	end();
}

static void all_of_it_keeps_it(void **state)
{
	begin_shown();
	assert_int_equal(protect(0, HUGE, PROT_READ), 0);
	assert_int_equal(put(&m, 5, 2), MM_FAULT_ACCERR);
	assert_int_equal(get(&m, 5), 1);
	assert_int_equal(protect(0, HUGE, PROT_NONE), 0);
	assert_int_equal(get(&m, 5), NO_BYTE(ACCERR));
	assert_int_equal(protect(0, HUGE, RW), 0);
	assert_int_equal(get(&m, 5), 1);
	assert_calls(0, 0, 2);
	/* The right to write comes by the driver. */
	flags_seen = 0;
	assert_int_equal(put(&m, 5, 2), MM_FAULT_DONE);
	assert_true(flags_seen & VMF_WRITE);
	assert_calls(1, 0, 2);
	space_unmap(&m.s, 0, HUGE);
	assert_calls(0, 0, 1);
	end();
}

/* huge_fault() does not want to have all of it written to: then pages, with pfn_mkwrite(). */
static void a_store_falls_back(void **state)
{
	begin();
	ops.pfn_mkwrite = allow_page;
	map_blocks(0, NR_PAGES, 0);
	assert_int_equal(get(&m, 5), byte_of(5));
	assert_calls(1, 0, 1);
	answer = VM_FAULT_FALLBACK;
	assert_int_equal(put(&m, 5, 2), MM_FAULT_DONE);
	assert_int_equal(nr_mkwrite, 1);
	assert_calls(1, 1, 0);
	/* The program has said meanwhile that it does not want 2 MiB: not asked. */
	answer = VM_FAULT_NOPAGE;
	assert_int_equal(get(&m, HUGE), byte_of(HUGE));
	assert_calls(1, 0, 1);
	assert_int_equal(mm_set_thp_disable(m.s.mm, true), 0);
	assert_int_equal(put(&m, HUGE, 2), MM_FAULT_DONE);
	assert_calls(0, 1, 0);
	assert_int_equal(mm_set_thp_disable(m.s.mm, false), 0);
	end();
}

/* -------------------------------------------------------------------------- fork, mremap -- */

static void forks_copy_it(void **state)
{
	struct mm_user *child;

	begin_shown();
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	assert_int_equal(mm_leaves(child), 2);
	memory_validate(child);
	assert_int_equal(mm_put(child, 5, 77), MM_FAULT_DONE);
	assert_int_equal(get(&m, 5), 77);
	assert_calls(0, 0, 2);
	/* Each has its own. */
	assert_int_equal(mm_munmap(child, at(7), SPACE_PAGE), 0);
	assert_int_equal(mm_leaves(child), 1);
	assert_int_equal(mm_get(child, 6), byte_of(6));
	memory_validate(child);
	assert_calls(0, 1, 2);
	unmap_mapping_pages(file, 0, NR_PAGES);
	assert_int_equal(mm_leaves(child), 0);
	memory_validate(child);
	assert_calls(0, 0, 0);
	mmput(child);
	end();
}

static void moves_take_it_along(void **state)
{
	begin_shown();
	assert_int_equal(move(0, NR_PAGES, 8 * HUGE), 0);
	assert_int_equal(put(&m, 8 * HUGE + 5, 2), MM_FAULT_DONE);
	assert_int_equal(put(&m, 9 * HUGE + 5, 2), MM_FAULT_DONE);
	assert_calls(0, 0, 2);
	/* Askew: taken out, and found again by pages; with the first bound in it, too. */
	assert_int_equal(move(8 * HUGE, HUGE, 4 * HUGE + 3), 0);
	assert_calls(0, 0, 1);
	assert_int_equal(get(&m, 4 * HUGE + 3 + 5), 2);
	assert_calls(0, 1, 1);
	/* A part: the rest is asked for anew. */
	assert_int_equal(move(9 * HUGE, 4, 20 * HUGE), 0);
	assert_calls(0, 0, 0);
	assert_int_equal(get(&m, 20 * HUGE + 1), byte_of(HUGE + 1));
	assert_int_equal(get(&m, 9 * HUGE + 5), 2);
	assert_calls(0, 2, 0);
	end();
}

/* ---------------------------------------------------------------------- who gets at them -- */

static void nobody_gets_at_them(void **state)
{
	struct mm_translation translation;
	struct page *got[2];
	enum mm_fault fault;
	char buf[4];

	begin_shown();
	assert_int_equal(mm_pin_pages(m.s.mm, at(5), 2, MM_ACCESS_READ, got), -EFAULT);
	assert_int_equal(mm_translate(m.s.mm, at(5), MM_ACCESS_WRITE, &translation),
			 MM_FAULT_ACCERR);
	assert_int_equal(mm_access(m.s.mm, at(5), buf, 4, 0, &fault), 0);
	assert_int_equal(mm_access(m.s.mm, at(5), buf, 4, MM_REMOTE_FORCED, &fault), 0);
	assert_int_equal(fault, MM_FAULT_ACCERR);
	assert_int_equal(mm_madvise(m.s.mm, at(0), SPACE_PAGE, MADV_POPULATE_READ), -EINVAL);
	assert_int_equal(mm_madvise(m.s.mm, at(0), SPACE_PAGE, MADV_DONTNEED), -EINVAL);
	assert_int_equal(mm_madvise(m.s.mm, at(0), HUGE * SPACE_PAGE, MADV_COLLAPSE), -EINVAL);
	assert_int_equal(mm_mlock(m.s.mm, at(0), HUGE * SPACE_PAGE), 0);
	assert_calls(0, 0, 2);
	end();
}

/* By a virtual CPU, which has to lose what is taken out. */
static void a_soft_tlb_sees_them(void **state)
{
	struct soft_tlb_space *space;
	struct soft_tlb *tlb;
	const uint8_t *p;

	begin_shown();
	assert_int_equal(soft_tlb_create(SOFT_TLB_MIN_LOG2, &tlb), 0);
	assert_int_equal(soft_tlb_attach(tlb, mm_mmu(m.s.mm), &space), 0);
	soft_tlb_switch(tlb, space);
	soft_tlb_begin(tlb);
	p = soft_tlb_read(tlb, byte_at(9), 1);
	assert_non_null(p);
	assert_int_equal(*p, byte_of(9));
	soft_tlb_end(tlb);
	zap(100, 1);
	assert_calls(0, 0, 1);
	answer = VM_FAULT_SIGBUS;
	soft_tlb_begin(tlb);
	assert_null(soft_tlb_read(tlb, byte_at(9), 1));
	soft_tlb_end(tlb);
	soft_tlb_detach(tlb, space);
	soft_tlb_destroy(tlb);
	end();
}

static void a_private_area_only_reads(void **state)
{
	begin();
	privately = true;
	assert_int_equal(space_map_file(&m.s, 0, HUGE, PROT_READ, MAP_PRIVATE, file, 0), 0);
	assert_int_equal(get(&m, 5), byte_of(5));
	assert_int_equal(insert(0, pfn_of(0), VMF_WRITE), 0);
	assert_int_equal(mm_attrs(m.s.mm, 0) & PT_WRITE, 0);
	assert_int_equal(protect(0, HUGE, RW), -EACCES);
	assert_calls(1, 0, 1);
	end();
}

/* Nothing of it is resident; and 2 MiB are possible, where there is room and the program agrees. */
static int smaps_text(void *arg, const char *text, size_t len);
static int smaps_text(void *arg, const char *text, size_t len)
{
	char *all = arg;
	size_t have = strlen(all);

	assert_true(have + len < 8192);
	memcpy(all + have, text, len);
	return 0;
}

static bool smaps_has(const char *line)
{
	static char text[8192];

	memset(text, 0, sizeof(text));
	assert_int_equal(mm_report_smaps(m.s.mm, smaps_text, text), 0);
	return strstr(text, line);
}

static void smaps_knows(void **state)
{
	begin_shown();
	assert_true(smaps_has("Rss:                   0 kB\n"));
	assert_true(smaps_has("FilePmdMapped:         0 kB\n"));
	assert_true(smaps_has("THPeligible:           1\n"));
	assert_int_equal(mm_madvise(m.s.mm, at(0), NR_PAGES * SPACE_PAGE, MADV_NOHUGEPAGE), 0);
	assert_true(smaps_has("THPeligible:           0\n"));
	assert_calls(0, 0, 2);
	end();
}

/*
 * A driver that frees its block while it is shown, and the block becomes the one of zeros: nobody
 * writes to that, whoever takes the leaf apart.
 */
static void freed_block_becomes_zeros(enum mm_access access)
{
	struct page *zeros;
	char why[256];

	begin();
	map_blocks(0, NR_PAGES, 0);
	assert_int_equal(mm_handle_fault(m.s.mm, at(5), access), MM_FAULT_DONE);
	for (unsigned long i = 0; i < HUGE; i++)
		__free_page(pages[i]);
	arena_collect(m.s.v->arena);
	zeros = arena_huge_zero_get(m.s.v->arena);
	assert_non_null(zeros);
	assert_int_equal(mm_validate(m.s.mm, why, sizeof(why)), -EINVAL);
	assert_int_equal(mm_handle_fault(m.s.mm, at(5), MM_ACCESS_WRITE), MM_FAULT_BUS);
	zap(9, 1);
	assert_int_equal(mm_leaves(m.s.mm), 0);
	assert_int_equal(mm_attrs(m.s.mm, 5) & PT_WRITE, 0);
	for (unsigned long i = 0; i < HUGE * SPACE_PAGE; i += SPACE_PAGE)
		assert_int_equal(((char *)page_bytes(zeros))[i + 123], 0);
	answer = VM_FAULT_SIGBUS;
	assert_int_equal(put(&m, 5, 1), MM_FAULT_BUS);
	arena_huge_zero_put(m.s.v->arena);
	space_unmap(&m.s, 0, SPACE_PAGES);
	assert_true(alloc_contig_pages(m.s.v, 9, pages));
	end();
}

static void a_freed_block_becomes_zeros(void **state)
{
	freed_block_becomes_zeros(MM_ACCESS_READ);
	freed_block_becomes_zeros(MM_ACCESS_WRITE);
}

/* ------------------------------------------------------------------------------ threads -- */

#define ROUNDS		300

static atomic_uint failures;

#define check(cond)	((void)((cond) || failures++))

static void access_all(void)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		unsigned long page = i * 37 % NR_PAGES;
		enum mm_fault fault;
		char byte = 0;

		mm_write(m.s.mm, byte_at(page), &byte, 1, &fault);
		check(fault == MM_FAULT_DONE || fault == MM_FAULT_ACCERR);
		mm_read(m.s.mm, byte_at(NR_PAGES - 1 - page) + 1, &byte, 1, &fault);
		check(fault == MM_FAULT_DONE && !byte);
	}
}

static void take_all(void)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		if (i % 3)
			unmap_mapping_pages(file, i * 61 % NR_PAGES, i % 2 ? 1 : NR_PAGES);
		else
			zap(i * 13 % HUGE, 1 + i % HUGE);
	}
}

static void change_all(void)
{
	for (unsigned int i = 0; i < ROUNDS / 4; i++) {
		unsigned long page = i % 2 ? 0 : i * 29 % HUGE;
		struct mm_user *child;

		check(!protect(page, HUGE, PROT_READ));
		check(!protect(page, HUGE, RW));
		if (mm_fork(m.s.mm, &child))
			continue;
		check(mm_put(child, HUGE + 1, 0) == MM_FAULT_DONE);
		mmput(child);
	}
}

static void *run(void *arg)
{
	static void (*const what[])(void) = { access_all, access_all, take_all, change_all };

	what[(uintptr_t)arg]();
	return NULL;
}

static void threads_take_and_ask(void **state)
{
	pthread_t threads[4];

	begin();
	for (unsigned long i = 0; i < NR_PAGES; i++)
		((char *)page_address(pages[i]))[123] = 0;
	map_blocks(0, NR_PAGES, 0);
	for (uintptr_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run, (void *)i), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(failures, 0);
	assert_true(nr_huge > 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_fault_shows_512_pages),
		cmocka_unit_test(asked_only_where_2_mib_can_be),
		cmocka_unit_test(falls_back_to_pages),
		cmocka_unit_test(comes_again_with_the_mmap_lock),
		cmocka_unit_test(what_the_insertion_says),
		cmocka_unit_test(rows_of_frames),
		cmocka_unit_test(a_part_takes_all_of_it),
		cmocka_unit_test(all_of_it_keeps_it),
		cmocka_unit_test(a_store_falls_back),
		cmocka_unit_test(forks_copy_it),
		cmocka_unit_test(moves_take_it_along),
		cmocka_unit_test(nobody_gets_at_them),
		cmocka_unit_test(a_soft_tlb_sees_them),
		cmocka_unit_test(a_private_area_only_reads),
		cmocka_unit_test(smaps_knows),
		cmocka_unit_test(a_freed_block_becomes_zeros),
		cmocka_unit_test(threads_take_and_ask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
