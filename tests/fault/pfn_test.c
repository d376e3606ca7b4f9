/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What a driver shows without being asked, frames without a page above all: nothing counts them,
 * nobody gets at them, and a write is never to a copy.
 */
#include "driver.h"

static struct memory m;
static struct driver d;

static void begin(void)
{
	memory_open(&m);
	driver_open(&d, &m);
	d.ops.fault = NULL;
}

static void end(void)
{
	memory_validate(m.s.mm);
	driver_close(&d, &m);
	memory_close(&m);
}

/* Eight frames with numbers in a row: they are the first that an empty arena gives. */
static struct page *row[8];

static unsigned long frames_in_row(void)
{
	struct page *block = page_alloc(m.s.v->arena, 3, PAGE_ZEROED);

	assert_non_null(block);
	assert_true(page_try_split(block, 1));
	for (int i = 0; i < 8; i++) {
		row[i] = block + i;
		page_set_flags(row[i], PG_DRIVER);
		((char *)page_address(row[i]))[123] = (char)(i + 1);
	}
	return page_to_pfn(block);
}

static void free_row(void)
{
	for (int i = 0; i < 8; i++) {
		assert_int_equal(page_refs(row[i]), 1);
		assert_int_equal(page_mapcount(row[i]), 0);
		__free_page(row[i]);
	}
}

static unsigned long first_pfn;
static int remap_error;

static int remap_all(struct driver *driver, struct vma_new *vma) __in_mmap_hook;
static int remap_all(struct driver *driver, struct vma_new *vma)
{
	remap_error = remap_pfn_range(vma, vma_start(vma), first_pfn + vma_pgoff(vma),
				      vma_end(vma) - vma_start(vma));
	return remap_error;
}

static int clear_and_remap(struct driver *driver, struct vma_new *vma) __in_mmap_hook;
static int clear_and_remap(struct driver *driver, struct vma_new *vma)
{
	int err = vma_try_clear_maywrite(vma);

	return err ? err : remap_all(driver, vma);
}

static int make_pfnmap(struct driver *driver, struct vma_new *vma) __in_mmap_hook;
static int make_pfnmap(struct driver *driver, struct vma_new *vma)
{
	return vma_set_pfnmap(vma) ? 0 : -EINVAL;
}

static int insert_pfn(unsigned long page, unsigned long pfn)
{
	struct mmap_read *lock = mmap_read_lock(m.s.mm);
	struct vma_ref *vma = vma_lookup(lock, at(page));
	int err = vm_insert_pfn(vma_as_pfnmap(vma), at(page), pfn);

	mmap_read_unlock(lock);
	return err;
}

static int insert_mixed(unsigned long page, unsigned long pfn)
{
	struct mmap_read *lock = mmap_read_lock(m.s.mm);
	struct vma_ref *vma = vma_lookup(lock, at(page));
	int err = vm_insert_mixed(vma_as_mixedmap(vma), at(page), pfn);

	mmap_read_unlock(lock);
	return err;
}

static int insert_many(unsigned long page, struct page *const *pages, unsigned long *nr)
{
	struct mmap_read *lock = mmap_read_lock(m.s.mm);
	struct vma_ref *vma = vma_lookup(lock, at(page));
	int err = vm_insert_pages(vma_as_mixedmap(vma), at(page), pages, nr);

	mmap_read_unlock(lock);
	return err;
}

static vm_flags_t flags_at(unsigned long page)
{
	struct mmap_read *lock = mmap_read_lock(m.s.mm);
	vm_flags_t flags = vma_flags(vma_lookup(lock, at(page)));

	mmap_read_unlock(lock);
	return flags;
}

/* ------------------------------------------------------------------------ PFN maps -- */

static void frames_are_shown_and_not_counted(void **state)
{
	const vm_flags_t set = VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP;
	struct mm_user *child;

	begin();
	first_pfn = frames_in_row();
	d.in_mmap = remap_all;
	assert_int_equal(space_map_file(&m.s, 0, 4, RW, MAP_SHARED, d.file, 2), 0);
	assert_int_equal(flags_at(0) & (set | VM_MIXEDMAP), set);
	assert_int_equal(get(&m, 0), 3);
	assert_int_equal(put(&m, 3, 50), MM_FAULT_DONE);
	assert_int_equal(((char *)page_address(row[5]))[123], 50);
	assert_int_equal(page_refs(row[5]), 1);
	assert_int_equal(page_mapcount(row[5]), 0);
	assert_int_equal(mm_rss(m.s.mm), 0);
	/* Both see the same, as the parent does. */
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	memory_validate(child);
	assert_int_equal(mm_put(child, 3, 51), MM_FAULT_DONE);
	assert_int_equal(get(&m, 3), 51);
	mmput(child);
	/* They move with their area, and stay when rights come and go. */
	assert_int_equal(mm_mremap(m.s.mm, at(0), 4 * SPACE_PAGE, 4 * SPACE_PAGE,
				   MREMAP_MAYMOVE | MREMAP_FIXED, at(32)), at(32));
	assert_int_equal(get(&m, 35), 51);
	assert_int_equal(mm_mprotect(m.s.mm, at(32), 4 * SPACE_PAGE, PROT_READ), 0);
	assert_int_equal(put(&m, 35, 1), MM_FAULT_ACCERR);
	assert_int_equal(mm_mprotect(m.s.mm, at(32), 4 * SPACE_PAGE, RW), 0);
	assert_int_equal(put(&m, 35, 52), MM_FAULT_DONE);
	assert_int_equal(((char *)page_address(row[5]))[123], 52);
	/* VM_DONTEXPAND, and VM_DONTDUMP for good. */
	assert_int_equal(mm_mremap(m.s.mm, at(32), 4 * SPACE_PAGE, 5 * SPACE_PAGE, MREMAP_MAYMOVE,
				   0), -EFAULT);
	assert_int_equal(mm_madvise(m.s.mm, at(32), SPACE_PAGE, MADV_DODUMP), -EINVAL);
	/* What was taken away nobody brings back. */
	zap(&m, 32, 4);
	assert_int_equal(get(&m, 35), NO_BYTE(BUS));
	assert_int_equal(insert_pfn(35, first_pfn), 0);
	assert_int_equal(insert_pfn(35, first_pfn), -EBUSY);
	assert_int_equal(get(&m, 35), 1);
	memory_validate(m.s.mm);
	space_unmap(&m.s, 0, SPACE_PAGES);
	free_row();
	end();
}

/* Private memory: not if it may ever be written to. */
static void no_copies_of_frames(void **state)
{
	begin();
	first_pfn = frames_in_row();
	d.in_mmap = remap_all;
	assert_int_equal(driver_map(&d, &m, 0, 4, RW, MAP_PRIVATE), -EINVAL);
	assert_int_equal(driver_map(&d, &m, 0, 4, PROT_READ, MAP_PRIVATE), -EINVAL);
	d.in_mmap = clear_and_remap;
	assert_int_equal(driver_map(&d, &m, 0, 4, RW, MAP_PRIVATE), -EINVAL);
	assert_int_equal(driver_map(&d, &m, 0, 4, PROT_READ, MAP_PRIVATE), 0);
	assert_int_equal(get(&m, 3), 4);
	assert_int_equal(mm_mprotect(m.s.mm, at(0), SPACE_PAGE, RW), -EACCES);
	memory_validate(m.s.mm);
	/* Between pages the same. */
	d.in_mmap = NULL;
	d.mixedmap = true;
	assert_int_equal(driver_map(&d, &m, 8, 4, RW, MAP_PRIVATE), 0);
	assert_int_equal(insert_mixed(8, first_pfn), -EINVAL);
	assert_int_equal(driver_map(&d, &m, 16, 4, RW, MAP_SHARED), 0);
	assert_int_equal(insert_mixed(16, first_pfn + 1), 0);
	assert_int_equal(put(&m, 16, 9), MM_FAULT_DONE);
	assert_int_equal(((char *)page_address(row[1]))[123], 9);
	memory_validate(m.s.mm);
	space_unmap(&m.s, 0, SPACE_PAGES);
	free_row();
	end();
}

static void nobody_gets_at_frames(void **state)
{
	struct mm_translation translation;
	struct page *pages[2];
	enum mm_fault fault;
	char buf[4];

	begin();
	first_pfn = frames_in_row();
	d.in_mmap = remap_all;
	assert_int_equal(driver_map(&d, &m, 0, 4, RW, MAP_SHARED), 0);
	assert_int_equal(mm_pin_pages(m.s.mm, at(0), 2, MM_ACCESS_READ, pages), -EFAULT);
	assert_int_equal(mm_translate(m.s.mm, at(0), MM_ACCESS_WRITE, &translation),
			 MM_FAULT_ACCERR);
	assert_int_equal(mm_access(m.s.mm, at(0), buf, 4, 0, &fault), 0);
	assert_int_equal(fault, MM_FAULT_ACCERR);
	assert_int_equal(mm_access(m.s.mm, at(0), buf, 4, MM_REMOTE_FORCED, &fault), 0);
	assert_int_equal(fault, MM_FAULT_ACCERR);
	assert_int_equal(mm_madvise(m.s.mm, at(0), SPACE_PAGE, MADV_POPULATE_READ), -EINVAL);
	assert_int_equal(mm_madvise(m.s.mm, at(0), SPACE_PAGE, MADV_DONTNEED), -EINVAL);
	/* Between pages it is the frame that cannot be had, and the pages can. */
	d.in_mmap = NULL;
	d.mixedmap = true;
	assert_int_equal(driver_map(&d, &m, 8, 4, RW, MAP_SHARED), 0);
	assert_int_equal(insert_mixed(9, first_pfn), 0);
	assert_int_equal(insert_many(8, &row[1], &(unsigned long){ 1 }), 0);
	assert_int_equal(mm_pin_pages(m.s.mm, at(8), 2, MM_ACCESS_WRITE, pages), 1);
	assert_ptr_equal(pages[0], row[1]);
	mm_unpin_pages(pages, 1);
	/* VM_IO: pages as well. */
	d.flags = VM_IO;
	assert_int_equal(driver_map(&d, &m, 16, 4, RW, MAP_SHARED), 0);
	assert_int_equal(insert_many(16, row, &(unsigned long){ 2 }), 0);
	assert_int_equal(mm_pin_pages(m.s.mm, at(16), 1, MM_ACCESS_READ, pages), -EFAULT);
	assert_int_equal(get(&m, 17), 2);
	space_unmap(&m.s, 0, SPACE_PAGES);
	free_row();
	end();
}

static void wrong_frames_are_refused(void **state)
{
	struct arena_stats stats;

	begin();
	arena_get_stats(m.s.v->arena, &stats);
	d.in_mmap = make_pfnmap;
	assert_int_equal(driver_map(&d, &m, 0, 4, RW, MAP_SHARED), 0);
	assert_int_equal(get(&m, 0), NO_BYTE(BUS));
	assert_int_equal(insert_pfn(0, stats.total + 1000000), -EINVAL);
	assert_int_equal(insert_pfn(0, page_pfn(arena_zero_page(m.s.v->arena))), -EINVAL);
	assert_int_equal(insert_pfn(0, page_pfn(mm_from_user(m.s.mm)->pgt->root)), -EINVAL);
	assert_int_equal(insert_pfn(0, ~0ul), -EINVAL);
	/* In a row one that is wrong is enough, and none is shown. */
	first_pfn = frames_in_row();
	page_clear_flags(row[6], PG_DRIVER);
	d.in_mmap = remap_all;
	assert_int_equal(driver_map(&d, &m, 8, 8, RW, MAP_SHARED), -EINVAL);
	page_set_flags(row[6], PG_DRIVER);
	assert_int_equal(driver_map(&d, &m, 8, 8, RW, MAP_SHARED), 0);
	space_unmap(&m.s, 0, SPACE_PAGES);
	free_row();
	end();
}

/* A driver that frees what it shows: whoever faults on it does not get it, and the walker sees it. */
static void a_freed_frame_is_found(void **state)
{
	char why[256];
	struct page *page;

	begin();
	d.in_mmap = make_pfnmap;
	assert_int_equal(driver_map(&d, &m, 0, 4, RW, MAP_SHARED), 0);
	page = alloc_page(m.s.v);
	assert_int_equal(insert_pfn(0, page_to_pfn(page)), 0);
	assert_int_equal(mm_validate(m.s.mm, why, sizeof(why)), 0);
	__free_page(page);
	assert_int_equal(mm_validate(m.s.mm, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "a frame that its driver has freed"));
	log_begin();
	assert_int_equal(put(&m, 0, 1), MM_FAULT_BUS);
	log_end("driver model, page at");
	zap(&m, 0, 1);
	end();
}

static vm_fault_t pfn_notice(struct vma_ref *vma, struct vm_fault *vmf);
static vm_fault_t pfn_notice(struct vma_ref *vma, struct vm_fault *vmf)
{
	assert_null(vmf->page);
	d.nr_mkwrite++;
	return d.mkwrite_answer;
}

static void writes_to_frames_are_told_of(void **state)
{
	begin();
	d.ops.pfn_mkwrite = pfn_notice;
	first_pfn = frames_in_row();
	d.in_mmap = remap_all;
	assert_int_equal(driver_map(&d, &m, 0, 4, RW, MAP_SHARED), 0);
	assert_int_equal(get(&m, 1), 2);
	assert_int_equal(d.nr_mkwrite, 0);
	d.mkwrite_answer = VM_FAULT_SIGBUS;
	assert_int_equal(put(&m, 1, 3), MM_FAULT_BUS);
	d.mkwrite_answer = VM_FAULT_DONE;
	assert_int_equal(put(&m, 1, 3), MM_FAULT_DONE);
	assert_int_equal(put(&m, 1, 4), MM_FAULT_DONE);
	assert_int_equal(d.nr_mkwrite, 2);
	memory_validate(m.s.mm);
	space_unmap(&m.s, 0, SPACE_PAGES);
	free_row();
	end();
}

/* --------------------------------------------------------------------- both kinds at once -- */

static int pfnmap_then_mixedmap(struct driver *driver, struct vma_new *vma) __in_mmap_hook;
static int pfnmap_then_mixedmap(struct driver *driver, struct vma_new *vma)
{
	struct vma_mixedmap *mixed;

	assert_non_null(vma_set_pfnmap(vma));
	log_begin();
	mixed = vma_set_mixedmap(vma);
	log_end("driver model: VM_MIXEDMAP for a VM_PFNMAP VMA");
	log_begin();
	assert_int_equal(vm_insert_page(mixed, vma_start(vma), driver->pages[0]), -EINVAL);
	log_end("driver model: the VMA at");
	return 0;
}

static int mixedmap_then_pfnmap(struct driver *driver, struct vma_new *vma) __in_mmap_hook;
static int mixedmap_then_pfnmap(struct driver *driver, struct vma_new *vma)
{
	vma_set_mixedmap(vma);
	log_begin();
	assert_null(vma_set_pfnmap(vma));
	log_end("driver model: VM_PFNMAP for a VM_MIXEDMAP VMA");
	return 0;
}

static vm_fault_t give_page(struct vma_ref *vma, struct vm_fault *vmf);
static vm_fault_t give_page(struct vma_ref *vma, struct vm_fault *vmf)
{
	vmf->page = d.pages[0];
	page_get(vmf->page);
	return VM_FAULT_DONE;
}

static void the_first_kind_counts(void **state)
{
	begin();
	d.in_mmap = pfnmap_then_mixedmap;
	assert_int_equal(driver_map(&d, &m, 0, 4, RW, MAP_SHARED), 0);
	assert_int_equal(flags_at(0) & (VM_PFNMAP | VM_MIXEDMAP), VM_PFNMAP);
	d.ops.fault = give_page;
	log_begin();
	assert_int_equal(get(&m, 0), NO_BYTE(BUS));
	log_end("fault() gives a page for a VM_PFNMAP VMA");
	d.ops.fault = NULL;
	d.in_mmap = mixedmap_then_pfnmap;
	assert_int_equal(driver_map(&d, &m, 8, 4, RW, MAP_SHARED), 0);
	assert_int_equal(flags_at(8) & (VM_PFNMAP | VM_MIXEDMAP), VM_MIXEDMAP);
	end();
}

/* ------------------------------------------------------------------------- many pages -- */

static int map_all(struct driver *driver, struct vma_new *vma) __in_mmap_hook;
static int map_all(struct driver *driver, struct vma_new *vma)
{
	return vm_map_pages(vma, driver->pages, NR_PAGES);
}

static void pages_in_a_row(void **state)
{
	struct page *pages[NR_PAGES];
	unsigned long nr = 4;

	begin();
	d.mixedmap = true;
	/* Over the end of a page table, too. */
	assert_int_equal(driver_map(&d, &m, 508, NR_PAGES, RW, MAP_SHARED), 0);
	assert_int_equal(insert_many(509, d.pages, &nr), 0);
	assert_int_equal(nr, 0);
	assert_int_equal(get(&m, 512), 4);
	assert_int_equal(mm_rss(m.s.mm), 4);
	/* Up to what is there already. */
	nr = 4;
	zap(&m, 509, 2);
	assert_int_equal(insert_many(509, d.pages, &nr), -EBUSY);
	assert_int_equal(nr, 2);
	/* None at all of what cannot be. */
	nr = 13;
	assert_int_equal(insert_many(513, d.pages, &nr), -EFAULT);
	assert_int_equal(nr, 13);
	memcpy(pages, d.pages, sizeof(pages));
	pages[2] = arena_zero_page(m.s.v->arena);
	nr = 4;
	assert_int_equal(insert_many(513, pages, &nr), -EINVAL);
	assert_int_equal(nr, 4);
	assert_int_equal(get(&m, 513), NO_BYTE(BUS));
	nr = 0;
	assert_int_equal(insert_many(513, pages, &nr), 0);
	/* All of a VMA. */
	d.mixedmap = false;
	d.in_mmap = map_all;
	assert_int_equal(driver_map(&d, &m, 100, NR_PAGES + 1, RW, MAP_SHARED), -ENXIO);
	assert_int_equal(space_map_file(&m.s, 100, 1, RW, MAP_SHARED, d.file, NR_PAGES), -ENXIO);
	assert_int_equal(space_map_file(&m.s, 100, 3, RW, MAP_SHARED, d.file, NR_PAGES - 3), 0);
	assert_true(flags_at(100) & VM_MIXEDMAP);
	assert_int_equal(get(&m, 102), NR_PAGES);
	end();
}

static void map_around(struct vma_ref *vma, struct vm_fault *vmf, unsigned long start,
		       unsigned long finish);
static void map_around(struct vma_ref *vma, struct vm_fault *vmf, unsigned long start,
		       unsigned long finish)
{
	unsigned long first = vma_pgoff(vma) + (start - vma_start(vma)) / SPACE_PAGE;
	unsigned long nr = (finish - start) / SPACE_PAGE;

	assert_true(vma_start(vma) <= start && start <= vmf->address && vmf->address < finish &&
		    finish <= vma_end(vma));
	assert_false(vmf->flags & VMF_WRITE);
	d.nr_retried++;
	/* All but the last page. */
	if (first + nr > NR_PAGES - 1)
		nr = NR_PAGES - 1 - first;
	if (vm_insert_pages(vma_as_mixedmap(vma), start, d.pages + first, &nr) == -EBUSY)
		d.nr_mkwrite++;
}

static void neighbours_come_along(void **state)
{
	begin();
	d.ops.fault = driver_fault;
	d.ops.map_pages = map_around;
	d.mixedmap = true;
	assert_int_equal(driver_map(&d, &m, 8, NR_PAGES, RW, MAP_SHARED), 0);
	assert_int_equal(put(&m, 8, 20), MM_FAULT_DONE);
	assert_int_equal(d.nr_retried, 0);
	zap(&m, 8, 1);
	/* Page 16 begins 64 KiB: the window ends there. */
	assert_int_equal(get(&m, 10), 3);
	assert_int_equal(d.nr_fault, 1);
	assert_int_equal(mm_rss(m.s.mm), 8);
	assert_int_equal(get(&m, 16), 9);
	assert_int_equal(mm_rss(m.s.mm), 15);
	assert_int_equal(d.nr_fault, 1);
	/* What is not at hand is asked for. */
	assert_int_equal(get(&m, 23), 16);
	assert_int_equal(d.nr_fault, 2);
	end();
}

/* ----------------------------------------------------------------------------- access() -- */

static long answer_access;

static long access_frames(struct vma_ref *vma, unsigned long addr, void *buf, size_t len,
			  bool write);
static long access_frames(struct vma_ref *vma, unsigned long addr, void *buf, size_t len,
			  bool write)
{
	unsigned long at_byte = addr - vma_start(vma);
	char *bytes = (char *)page_address(row[at_byte / SPACE_PAGE]) + at_byte % SPACE_PAGE;

	assert_true(addr + len <= vma_end(vma));
	if (answer_access)
		return answer_access;
	memcpy(write ? bytes : buf, write ? buf : bytes, len);
	return (long)len;
}

static void a_debugger_goes_by_the_driver(void **state)
{
	static char in[2 * 4096], out[2 * 4096];
	enum mm_fault fault;

	begin();
	d.ops.access = access_frames;
	first_pfn = frames_in_row();
	d.in_mmap = remap_all;
	assert_int_equal(driver_map(&d, &m, 0, 4, RW, MAP_SHARED), 0);
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (char)(i * 7 + 1);
	assert_int_equal(mm_access(m.s.mm, at(1) + 100, in, sizeof(in),
				   MM_REMOTE_WRITE | MM_REMOTE_FORCED, &fault), sizeof(in));
	assert_int_equal(fault, MM_FAULT_DONE);
	assert_int_equal(mm_access(m.s.mm, at(1) + 100, out, sizeof(out), MM_REMOTE_FORCED, &fault),
			 sizeof(out));
	assert_memory_equal(in, out, sizeof(in));
	assert_int_equal(get(&m, 1), (unsigned char)in[23]);
	/* Up to the end, and not past it. */
	assert_int_equal(mm_access(m.s.mm, at(4) - 10, out, 20, MM_REMOTE_FORCED, &fault), 10);
	assert_int_equal(fault, MM_FAULT_MAPERR);
	/* Another process is no debugger. */
	assert_int_equal(mm_access(m.s.mm, at(1), out, 4, 0, &fault), 0);
	assert_int_equal(fault, MM_FAULT_ACCERR);
	answer_access = -EIO;
	assert_int_equal(mm_access(m.s.mm, at(1), out, 4, MM_REMOTE_FORCED, &fault), 0);
	assert_int_equal(fault, MM_FAULT_ACCERR);
	answer_access = 1000;
	log_begin();
	assert_int_equal(mm_access(m.s.mm, at(1), out, 4, MM_REMOTE_FORCED, &fault), 0);
	log_end("driver model: access() of 4 bytes says 1000");
	answer_access = 0;
	space_unmap(&m.s, 0, SPACE_PAGES);
	free_row();
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_shown_and_not_counted),
		cmocka_unit_test(no_copies_of_frames),
		cmocka_unit_test(nobody_gets_at_frames),
		cmocka_unit_test(wrong_frames_are_refused),
		cmocka_unit_test(a_freed_frame_is_found),
		cmocka_unit_test(writes_to_frames_are_told_of),
		cmocka_unit_test(the_first_kind_counts),
		cmocka_unit_test(pages_in_a_row),
		cmocka_unit_test(neighbours_come_along),
		cmocka_unit_test(a_debugger_goes_by_the_driver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
