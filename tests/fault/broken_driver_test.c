/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Broken drivers: one row for each thing that a driver can do wrong.
 *
 * Each is reported with the driver's name, has the outcome that the row says, and leaves the mm, and
 * the machine, as a good driver would: after it both are validated, close() has been called as often
 * as mmap() and open(), the driver's pages are its own again, and no frame is lost.  A row that has
 * nothing to be reported is answered by an error number.
 *
 * Each row runs in a process of its own, since a place is reported once.
 */
#include <sys/wait.h>
#include <unistd.h>

#include <vmarea/debug.h>
#include <vmarea/driver_fault.h>
#include <vmarea/file.h>

#include "memory.h"
#include "sync/witness.h"

#define NAME		"careless"
#define NR_PAGES	4ul
#define HUGE		512ul

static struct memory m;
static struct file *file;
static struct page *pages[NR_PAGES];
static struct page *block[HUGE];		/* of BLOCK: 2 MiB of frames */
static struct page *other;		/* that fault() gives in place of its own */
static unsigned int nr_begun, nr_closed;
static int lock;			/* its address stands for one */

enum kind { PLAIN, MIXED, FRAMES, BLOCK, NR_KINDS };

/* What a row's hooks are; the others are good ones. */
struct row {
	const char *name;
	const char *report;		/* NULL: nothing is reported */
	enum kind kind;
	unsigned long flags;		/* of mmap(); 0: MAP_SHARED */
	struct vm_operations_struct ops;
	int (*in_mmap)(struct vma_new *vma);
	int (*read_page)(struct file *file, uint64_t offset, void *to, size_t bytes);
	int (*write_page)(struct file *file, uint64_t offset, const void *from, size_t bytes);
	int (*set_size)(struct file *file, uint64_t bytes);
	int (*punch_hole)(struct file *file, uint64_t offset, uint64_t bytes);
	int (*get_size)(struct file *file, uint64_t *bytes);
	void (*act)(void);
	bool debug;			/* seen by a debug build only */
};

static const struct row *row;
static struct vm_operations_struct ops;

/* --------------------------------------------------------------------------- the driver -- */

static void open_area(struct vma_mut *vma)
{
	nr_begun++;
	if (row->ops.open)
		row->ops.open(vma);
}

static void close_area(struct vma_mut *vma)
{
	nr_closed++;
	if (row->ops.close)
		row->ops.close(vma);
}

static vm_fault_t fault(struct vma_ref *vma, struct vm_fault *vmf)
{
	if (row->ops.fault)
		return row->ops.fault(vma, vmf);
	vmf->page = pages[vmf->pgoff];
	page_get(vmf->page);
	return VM_FAULT_DONE;
}

static int map(struct file *unused, struct vma_new *vma) __in_mmap_hook;
static int map(struct file *unused, struct vma_new *vma)
{
	int err = 0;

	if (row->kind == MIXED)
		vma_set_mixedmap(vma);
	if (row->kind == FRAMES || row->kind == BLOCK)
		assert_non_null(vma_set_pfnmap(vma));
	/* Pages of a file on a disk: the VMA has no hooks. */
	if (row->read_page)
		return 0;
	vma_set_owner(vma, &ops, &row);
	if (row->in_mmap)
		err = row->in_mmap(vma);
	nr_begun += !err;
	return err;
}

static long map_it(void)
{
	return space_map_file(&m.s, 0, row->kind == BLOCK ? HUGE : NR_PAGES, RW,
			      row->flags ? row->flags : MAP_SHARED, file, 0);
}

static void open_all(void)
{
	static struct file_operations file_ops;
	struct file_desc desc = {
		.size = sizeof(desc), .ops = &file_ops, .name = "/dev/careless",
		.flags = FILE_READ | FILE_WRITE, .size_bytes = NR_PAGES * PAGE_SIZE,
	};

	file_ops = (struct file_operations){
		.owner = NAME, .mmap = map, .read_page = row->read_page,
		.write_page = row->write_page, .set_size = row->set_size,
		.punch_hole = row->punch_hole, .get_size = row->get_size,
	};
	ops = row->ops;
	ops.open = open_area;
	ops.close = close_area;
	ops.fault = fault;
	memory_open(&m);
	for (unsigned long i = 0; i < NR_PAGES; i++)
		pages[i] = alloc_page(m.s.v);
	if (row->kind == BLOCK)
		assert_true(alloc_contig_pages(m.s.v, 9, block));
	assert_int_equal(file_create(m.s.v, &desc, &file), 0);
}

static void free_page(struct page *page)
{
	if (!page)
		return;
	assert_int_equal(page_refs(page), 1);
	assert_int_equal(page_mapcount(page), 0);
	__free_page(page);
}

/* As if nothing had been wrong. */
static void close_all(void)
{
	char why[256] = "";

	memory_validate(m.s.mm);
	if (vmarea_validate(m.s.v, why, sizeof(why)))
		fail_msg("%s", why);
	space_unmap(&m.s, 0, SPACE_PAGES);
	assert_int_equal(nr_closed, nr_begun);
	for (unsigned long i = 0; i < NR_PAGES; i++)
		free_page(pages[i]);
	for (unsigned long i = 0; i < HUGE; i++)
		free_page(block[i]);
	file_put(file);
	memory_close(&m);
}

/* ------------------------------------------------------------------------ mmap() hooks -- */

static int answers_7(struct vma_new *vma)		{ return 7; }
static int answers_too_little(struct vma_new *vma)	{ return -5000; }

static int sets_locked(struct vma_new *vma) __in_mmap_hook;
static int sets_locked(struct vma_new *vma)
{
	__vm_flags_set(vma, VM_LOCKED | VM_IO);
	return 0;
}

static int wants_frames_too(struct vma_new *vma) __in_mmap_hook;
static int wants_frames_too(struct vma_new *vma)
{
	assert_null(vma_set_pfnmap(vma));
	return 0;
}

static int wants_pages_too(struct vma_new *vma) __in_mmap_hook;
static int wants_pages_too(struct vma_new *vma)
{
	assert_int_equal(vm_insert_page(vma_set_mixedmap(vma), vma_start(vma), pages[0]), -EINVAL);
	return 0;
}

static int maps_beyond(struct vma_new *vma) __in_mmap_hook;
static int maps_beyond(struct vma_new *vma)
{
	return remap_pfn_range(vma, vma_start(vma), page_to_pfn(pages[0]), 64 * PAGE_SIZE);
}

static int maps_no_frame(struct vma_new *vma) __in_mmap_hook;
static int maps_no_frame(struct vma_new *vma)
{
	return remap_pfn_range(vma, vma_start(vma), ~0ul >> 20, PAGE_SIZE);
}

static int inserts_below(struct vma_new *vma) __in_mmap_hook;
static int inserts_below(struct vma_new *vma)
{
	return vm_insert_page(vma_set_mixedmap(vma), vma_start(vma) - PAGE_SIZE, pages[0]);
}

static void map_is_refused(void)	{ assert_int_equal(map_it(), -EINVAL); }
static void map_is_out_of_range(void)	{ assert_int_equal(map_it(), -EFAULT); }
static void map_goes(void)		{ assert_int_equal(map_it(), 0); }

static void map_is_not_locked(void)
{
	struct mmap_read *read;

	map_goes();
	read = mmap_read_lock(m.s.mm);
	assert_int_equal(vma_flags(vma_lookup(read, at(0))) & (VM_LOCKED | VM_IO), VM_IO);
	mmap_read_unlock(read);
}

/* -ERESTARTSYS of a driver that was ported. */
static unsigned int nr_asked;

static int restarts(struct vma_new *vma)
{
	nr_asked++;
	return -512;
}

static int split_restarts(struct vma_ref *vma, unsigned long addr)
{
	nr_asked++;
	return -512;
}

static void map_restarts(void)
{
	assert_int_equal(map_it(), -512);
	assert_int_equal(nr_asked, 1);
}

static void split_and_restart(void)
{
	map_goes();
	assert_int_equal(mm_mprotect(m.s.mm, at(1), PAGE_SIZE, PROT_READ), -512);
	assert_int_equal(nr_asked, 1);
}

/* ---------------------------------------------------------------------------- faults -- */

static vm_fault_t fault_99(struct vma_ref *vma, struct vm_fault *vmf)	{ return 99; }
static vm_fault_t retries(struct vma_ref *vma, struct vm_fault *vmf)	{ return VM_FAULT_RETRY; }
static vm_fault_t no_page(struct vma_ref *vma, struct vm_fault *vmf)	{ return VM_FAULT_NOPAGE; }
static vm_fault_t done(struct vma_ref *vma, struct vm_fault *vmf)	{ return VM_FAULT_DONE; }

static vm_fault_t gives(struct vm_fault *vmf, struct page *page)
{
	vmf->page = page;
	page_get(page);
	return VM_FAULT_DONE;
}

static vm_fault_t gives_other(struct vma_ref *vma, struct vm_fault *vmf)
{
	return gives(vmf, other);
}

static vm_fault_t gives_page(struct vma_ref *vma, struct vm_fault *vmf)
{
	return gives(vmf, pages[0]);
}

/* It has given all its references away: one to the library, and the rest back. */
static vm_fault_t gives_no_reference(struct vma_ref *vma, struct vm_fault *vmf)
{
	struct page *page = pages[vmf->pgoff];

	pages[vmf->pgoff] = NULL;
	vmf->page = page;
	return VM_FAULT_DONE;
}

/* It has forgotten that the reference it gives is the library's: the page is free. */
static vm_fault_t gives_freed(struct vma_ref *vma, struct vm_fault *vmf)
{
	vmf->page = other;
	return VM_FAULT_DONE;
}

static vm_fault_t gives_freed_and_more(struct vma_ref *vma, struct vm_fault *vmf)
{
	vmf->flags |= VMF_EXEC;
	return gives_freed(vma, vmf);
}

static vm_fault_t changes_address(struct vma_ref *vma, struct vm_fault *vmf)
{
	vmf->address += PAGE_SIZE;
	return VM_FAULT_NOPAGE;
}

static vm_fault_t changes_flags(struct vma_ref *vma, struct vm_fault *vmf)
{
	vmf->flags |= VMF_MAY_RETRY | VMF_EXEC;
	return VM_FAULT_NOPAGE;
}

static vm_fault_t changes_pgoff(struct vma_ref *vma, struct vm_fault *vmf)
{
	vmf->pgoff = 77;
	return VM_FAULT_NOPAGE;
}

static vm_fault_t changes_page(struct vma_ref *vma, struct vm_fault *vmf)
{
	vmf->page = pages[3];
	return VM_FAULT_DONE;
}

/* What it is asked about it takes away; fault() shows it again. */
static vm_fault_t takes_away(struct vma_ref *vma, struct vm_fault *vmf)
	__must_hold_shared(vma_stable) __may_sleep;
static vm_fault_t takes_away(struct vma_ref *vma, struct vm_fault *vmf)
{
	zap_vma_range(vma, vmf->address, PAGE_SIZE);
	return VM_FAULT_NOPAGE;
}

static vm_fault_t takes_away_and_allows(struct vma_ref *vma, struct vm_fault *vmf)
	__must_hold_shared(vma_stable) __may_sleep;
static vm_fault_t takes_away_and_allows(struct vma_ref *vma, struct vm_fault *vmf)
{
	takes_away(vma, vmf);
	return VM_FAULT_DONE;
}

/* In a row of pages, and alone. */
static vm_fault_t inserts_nothing(struct vma_ref *vma, struct vm_fault *vmf)
	__must_hold_shared(vma_stable) __may_sleep;
static vm_fault_t inserts_nothing(struct vma_ref *vma, struct vm_fault *vmf)
{
	struct page *volatile none = NULL;
	struct page *const row_of_two[2] = { pages[0], none };
	unsigned long nr = 2;

	assert_int_equal(vm_insert_page(vma_as_mixedmap(vma), vmf->address, none), -EINVAL);
	assert_int_equal(vm_insert_pages(vma_as_mixedmap(vma), vmf->address, row_of_two, &nr),
			 -EINVAL);
	assert_int_equal(nr, 2);
	return VM_FAULT_SIGBUS;
}

static vm_fault_t inserts_page(struct vma_ref *vma, struct vm_fault *vmf)
{
	struct vma_pfnmap *frames = vma_as_pfnmap(vma);

	assert_null(vma_as_mixedmap(vma));
	assert_int_equal(vm_insert_pfn(frames, vmf->address + 8 * PAGE_SIZE, page_to_pfn(pages[0])),
			 -EFAULT);
	return VM_FAULT_SIGBUS;
}

/* By 2 MiB. */

static vm_fault_t huge_99(struct vma_ref *vma, struct vm_fault *vmf, unsigned int order)
{
	return 99;
}

static vm_fault_t huge_retries(struct vma_ref *vma, struct vm_fault *vmf, unsigned int order)
{
	return VM_FAULT_RETRY;
}

static vm_fault_t huge_no_page(struct vma_ref *vma, struct vm_fault *vmf, unsigned int order)
{
	return VM_FAULT_NOPAGE;
}

static vm_fault_t huge_done(struct vma_ref *vma, struct vm_fault *vmf, unsigned int order)
{
	return VM_FAULT_DONE;
}

static vm_fault_t huge_gives_page(struct vma_ref *vma, struct vm_fault *vmf, unsigned int order)
{
	return gives(vmf, pages[0]);
}

static vm_fault_t huge_changes_address(struct vma_ref *vma, struct vm_fault *vmf,
				       unsigned int order)
{
	vmf->address &= ~(HUGE * PAGE_SIZE - 1);
	return VM_FAULT_FALLBACK;
}

/* Never an answer but of huge_fault(). */
static vm_fault_t falls_back(struct vma_ref *vma, struct vm_fault *vmf)	{ return VM_FAULT_FALLBACK; }

static vm_fault_t inserts_block(struct vma_ref *vma, unsigned long addr, unsigned long pfn, int err)
	__must_hold_shared(vma_stable) __may_sleep;
static vm_fault_t inserts_block(struct vma_ref *vma, unsigned long addr, unsigned long pfn, int err)
{
	assert_int_equal(vm_insert_pfn_pmd(vma_as_pfnmap(vma), addr, pfn, VMF_WRITE), err);
	return VM_FAULT_SIGBUS;
}

static vm_fault_t huge_inserts_askew(struct vma_ref *vma, struct vm_fault *vmf, unsigned int order)
{
	return inserts_block(vma, vma_start(vma), page_to_pfn(block[1]), -EINVAL);
}

static vm_fault_t huge_inserts_beside(struct vma_ref *vma, struct vm_fault *vmf, unsigned int order)
{
	return inserts_block(vma, vmf->address, page_to_pfn(block[0]), -EFAULT);
}

static vm_fault_t huge_inserts_outside(struct vma_ref *vma, struct vm_fault *vmf,
				       unsigned int order)
{
	return inserts_block(vma, vma_end(vma), page_to_pfn(block[0]), -EFAULT);
}

static vm_fault_t huge_inserts_strangers(struct vma_ref *vma, struct vm_fault *vmf,
					 unsigned int order)
{
	return inserts_block(vma, vma_start(vma), 0, -EINVAL);
}

/* Without a hook for 2 MiB. */
static vm_fault_t inserts_unasked(struct vma_ref *vma, struct vm_fault *vmf)
{
	return inserts_block(vma, vma_start(vma), page_to_pfn(block[0]), -EINVAL);
}

/* A page first, and then all of them over its table. */
static vm_fault_t huge_inserts_over(struct vma_ref *vma, struct vm_fault *vmf, unsigned int order)
{
	assert_int_equal(vm_insert_pfn(vma_as_pfnmap(vma), vmf->address, page_to_pfn(block[0])), 0);
	inserts_block(vma, vma_start(vma), page_to_pfn(block[0]), -EBUSY);
	return VM_FAULT_NOPAGE;
}

/* Whatever it was asked for. */
static vm_fault_t huge_read_only(struct vma_ref *vma, struct vm_fault *vmf, unsigned int order)
{
	assert_int_equal(vm_insert_pfn_pmd(vma_as_pfnmap(vma), vma_start(vma),
					   page_to_pfn(block[0]), 0), 0);
	return VM_FAULT_NOPAGE;
}

static void maps_around(struct vma_ref *vma, struct vm_fault *vmf, unsigned long start,
			unsigned long end)
{
	vmf->address = vmf->pgoff = vmf->flags = 0;
	assert_int_equal(vm_insert_page(vma_as_mixedmap(vma), end, pages[0]), -EFAULT);
}

static long reads_too_much(struct vma_ref *vma, unsigned long addr, void *buf, size_t len, bool write)
{
	return (long)len + 1;
}

static long reads_too_little(struct vma_ref *vma, unsigned long addr, void *buf, size_t len,
			     bool write)
{
	return -5000;
}

static void load_is_refused(void)
{
	map_goes();
	assert_int_equal(get(&m, 1), NO_BYTE(BUS));
}

static void store_is_refused(void)
{
	map_goes();
	assert_int_equal(put(&m, 1, 1), MM_FAULT_BUS);
}

static void load_goes(void)
{
	map_goes();
	assert_int_equal(get(&m, 1), 0);
}

/* A process's page. */
static void page_of_a_process(void)
{
	assert_int_equal(space_map(&m.s, 20, 1, RW, ANON), 0);
	assert_int_equal(mm_pin_pages(m.s.mm, at(20), 1, MM_ACCESS_WRITE, &other), 1);
	load_is_refused();
	mm_unpin_pages(&other, 1);
}

static void page_of_another_machine(void)
{
	struct vmarea *elsewhere;

	assert_int_equal(vmarea_create(&m.s.config, &elsewhere), 0);
	other = alloc_page(elsewhere);
	load_is_refused();
	assert_int_equal(page_refs(other), 1);
	__free_page(other);
	vmarea_destroy(elsewhere);
}

/* Nobody has it, and nobody puts it once more. */
static void freed_before_it_is_given(void)
{
	other = pages[1];
	__free_page(other);
	pages[1] = NULL;
	load_is_refused();
	assert_int_equal(page_refs(other), 0);
}

/* The library's reference is the only one: all goes well, and the page goes with the entry. */
static void given_away(void)
{
	load_goes();
	space_unmap(&m.s, 0, NR_PAGES);
}

static void put_too_often(void)
{
	load_goes();
	__free_page(pages[1]);
	__free_page(pages[1]);
	pages[1] = NULL;
	assert_int_equal(get(&m, 1), 0);
}

static void freed_while_shown(void)
{
	struct mmap_read *read;
	struct vma_ref *vma;

	map_goes();
	read = mmap_read_lock(m.s.mm);
	vma = vma_lookup(read, at(1));
	assert_int_equal(vm_insert_pfn(vma_as_pfnmap(vma), at(1), page_to_pfn(pages[1])), 0);
	__free_page(pages[1]);
	pages[1] = NULL;
	mmap_read_unlock(read);
	assert_int_equal(get(&m, 1), NO_BYTE(BUS));
	/* The walker says so, too, until the entry is gone. */
	read = mmap_read_lock(m.s.mm);
	zap_vma_range(vma_lookup(read, at(1)), at(1), PAGE_SIZE);
	mmap_read_unlock(read);
}

/* One of 512 is enough. */
static void block_freed_while_shown(void)
{
	load_goes();
	__free_page(block[500]);
	block[500] = NULL;
	assert_int_equal(put(&m, 1, 1), MM_FAULT_BUS);
	space_unmap(&m.s, 0, HUGE);
}

static void store_to_frame_is_refused(void)
{
	struct mmap_read *read;

	map_goes();
	read = mmap_read_lock(m.s.mm);
	assert_int_equal(vm_insert_pfn(vma_as_pfnmap(vma_lookup(read, at(1))), at(1),
				       page_to_pfn(pages[1])), 0);
	mmap_read_unlock(read);
	assert_int_equal(put(&m, 1, 1), MM_FAULT_BUS);
}

static void debugger_is_refused(void)
{
	enum mm_fault why;
	char byte;

	map_goes();
	assert_int_equal(mm_access(m.s.mm, at(1), &byte, 1, MM_REMOTE_FORCED, &why), 0);
}

/* ------------------------------------------------------------------------ other hooks -- */

static int split_3(struct vma_ref *vma, unsigned long addr)	{ return 3; }
static int remap_3(struct vma_mut *vma)				{ return 3; }

static int protect_3(struct vma_mut *vma, unsigned long start, unsigned long end, vm_flags_t flags)
{
	return 3;
}

static void split_is_refused(void)
{
	map_goes();
	assert_int_equal(mm_munmap(m.s.mm, at(1), PAGE_SIZE), -EINVAL);
	assert_int_equal(get(&m, 1), 0);
}

static void move_is_refused(void)
{
	map_goes();
	assert_int_equal(mm_mremap(m.s.mm, at(0), NR_PAGES * PAGE_SIZE, NR_PAGES * PAGE_SIZE,
				   MREMAP_MAYMOVE | MREMAP_FIXED, at(40)), -EINVAL);
	assert_int_equal(get(&m, 1), 0);
}

static void protect_is_refused(void)
{
	map_goes();
	assert_int_equal(mm_mprotect(m.s.mm, at(0), NR_PAGES * PAGE_SIZE, PROT_READ), -EINVAL);
	assert_int_equal(put(&m, 1, 1), MM_FAULT_DONE);
}

static int read_5(struct file *f, uint64_t offset, void *to, size_t bytes)		{ return 5; }
static int read_well(struct file *f, uint64_t offset, void *to, size_t bytes)
{
	memset(to, 0, bytes);
	return 0;
}

static int write_5(struct file *f, uint64_t offset, const void *from, size_t bytes)	{ return 5; }

static void sync_is_refused(void)
{
	map_goes();
	assert_int_equal(put(&m, 1, 1), MM_FAULT_DONE);
	assert_int_equal(file_sync(file, 0, UINT64_MAX), -EIO);
	assert_int_equal(get(&m, 1), 1);
}

static int size_5(struct file *f, uint64_t bytes)				{ return 5; }
static int hole_5(struct file *f, uint64_t offset, uint64_t bytes)		{ return 5; }
static int is_5_long(struct file *f, uint64_t *bytes)				{ return 5; }

static int is_endless(struct file *f, uint64_t *bytes)
{
	*bytes = UINT64_MAX;
	return 0;
}

static int read_well_once(struct file *f, uint64_t offset, void *to, size_t bytes)
{
	return nr_asked++ ? 5 : read_well(f, offset, to, bytes);
}

static int is_longer(struct file *f, uint64_t *bytes)
{
	*bytes = 2 * NR_PAGES * PAGE_SIZE;
	return 0;
}

static void same_size(unsigned long bytes)
{
	assert_int_equal(file_size(file), bytes);
	assert_int_equal(get(&m, 1), 0);
}

static void truncate_is_refused(void)
{
	load_goes();
	assert_int_equal(file_truncate(file, PAGE_SIZE), -EINVAL);
	same_size(NR_PAGES * PAGE_SIZE);
}

static void hole_is_refused(void)
{
	map_goes();
	assert_int_equal(put(&m, 1, 1), MM_FAULT_DONE);
	assert_int_equal(file_punch_hole(file, 0, 2 * PAGE_SIZE), -EINVAL);
	assert_int_equal(mm_madvise(m.s.mm, at(0), 2 * PAGE_SIZE, MADV_REMOVE), -EINVAL);
	assert_int_equal(get(&m, 1), 1);
}

static void refresh_is_refused(void)
{
	load_goes();
	assert_int_equal(file_refresh(file), -EINVAL);
	same_size(NR_PAGES * PAGE_SIZE);
}

/* The page that the file ends in is here; what others have put behind it has to be read. */
static void longer_is_refused(void)
{
	load_goes();
	assert_int_equal(file_truncate(file, PAGE_SIZE + 200), 0);
	assert_int_equal(get(&m, 1), 0);
	assert_int_equal(file_refresh(file), -EIO);
	same_size(PAGE_SIZE + 200);
}

/* ------------------------------------------------------------------------------- zaps -- */

static void zap(unsigned long page, unsigned long bytes)
{
	struct mmap_read *read = mmap_read_lock(m.s.mm);

	zap_vma_range(vma_lookup(read, at(page)), at(page), bytes);
	mmap_read_unlock(read);
}

static void zaps_beyond(void)
{
	load_goes();
	zap(1, NR_PAGES * PAGE_SIZE);
	assert_int_equal(page_mapcount(pages[1]), 1);
}

static void zaps_parts_of_pages(void)
{
	struct mmap_read *read;

	load_goes();
	zap(1, PAGE_SIZE / 2);
	read = mmap_read_lock(m.s.mm);
	zap_vma_range(vma_lookup(read, at(0)), at(0) + PAGE_SIZE / 2, PAGE_SIZE);
	mmap_read_unlock(read);
	assert_int_equal(page_mapcount(pages[1]), 1);
}

static void zaps_round_the_end(void)
{
	load_goes();
	zap(1, ~0ul - PAGE_SIZE + 1);
	assert_int_equal(page_mapcount(pages[1]), 1);
}

/* The driver's VMA has gone, and the program has mapped its own memory there. */
static void zaps_a_strangers(void)
{
	load_goes();
	space_unmap(&m.s, 0, NR_PAGES);
	assert_int_equal(space_map(&m.s, 0, NR_PAGES, RW, ANON), 0);
	assert_int_equal(put(&m, 1, 9), MM_FAULT_DONE);
	zap(1, PAGE_SIZE);
	assert_int_equal(get(&m, 1), 9);
}

/* A fork, and a move: each copy has its open() and its close(). */
static void copies_and_ends(void)
{
	struct mm_user *child;

	load_goes();
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	assert_int_equal(mm_munmap(child, at(1), PAGE_SIZE), 0);
	mmput(child);
	assert_int_equal(mm_mremap(m.s.mm, at(0), NR_PAGES * PAGE_SIZE, NR_PAGES * PAGE_SIZE,
				   MREMAP_MAYMOVE | MREMAP_FIXED, at(40)), (long)at(40));
	assert_int_equal(nr_begun, nr_closed + 1);
}

/* ----------------------------------------------------------- what debug builds see -- */

static struct vmarea_lock_class lock_class = VMAREA_LOCK_CLASS("the device's lock");

static vm_fault_t sleeps(struct vma_ref *vma, struct vm_fault *vmf)
{
	int err;

	vmarea_lock_acquired(&lock, &lock_class, VMAREA_LOCK_SPIN);
	err = vm_insert_page(vma_as_mixedmap(vma), vmf->address, pages[vmf->pgoff]);
	vmarea_lock_released(&lock, VMAREA_LOCK_SPIN);
	return err ? VM_FAULT_SIGBUS : VM_FAULT_NOPAGE;
}

static vm_fault_t locks_the_mm(struct vma_ref *vma, struct vm_fault *vmf)
{
	mmap_read_unlock(mmap_read_lock(vma_mm(vma)));
	return VM_FAULT_SIGBUS;
}

static void keeps_a_lock(struct vma_mut *vma)
{
	vmarea_lock_acquired(&lock, &lock_class, VMAREA_LOCK_EXCLUSIVE);
}

static void gives_it_back(struct vma_mut *vma)
{
	if (nr_closed == 1)
		vmarea_lock_released(&lock, VMAREA_LOCK_EXCLUSIVE);
}

static void open_returns_with_a_lock(void)
{
	struct mm_user *child;

	map_goes();
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	mmput(child);
}

/* ------------------------------------------------------------------------------- rows -- */

#define REPORT		"driver " NAME

static const struct row rows[] = {
	/* mmap() */
	{ "mmap() answers 7", REPORT ", VMA at", .in_mmap = answers_7, .act = map_is_refused },
	{ "mmap() answers -5000", REPORT ", VMA at", .in_mmap = answers_too_little,
	  .act = map_is_refused },
	{ "flags that are not its own", REPORT ": a hook sets flags", .in_mmap = sets_locked,
	  .act = map_is_not_locked },
	{ "pages, and then frames", REPORT ": VM_PFNMAP for a VM_MIXEDMAP VMA", MIXED,
	  .in_mmap = wants_frames_too, .act = map_goes },
	{ "frames, and then pages", REPORT ": VM_MIXEDMAP for a VM_PFNMAP VMA", FRAMES,
	  .in_mmap = wants_pages_too, .act = map_goes },
	{ "frames beyond the VMA", NULL, .in_mmap = maps_beyond, .act = map_is_out_of_range },
	{ "frames that there are not", NULL, .in_mmap = maps_no_frame, .act = map_is_refused },
	{ "a page below the VMA", NULL, .in_mmap = inserts_below, .act = map_is_out_of_range },

	/* fault() */
	{ "fault() answers 99", REPORT ", page at", .ops.fault = fault_99, .act = load_is_refused },
	{ "fault() retries for ever", REPORT ", page at", .ops.fault = retries,
	  .act = load_is_refused },
	{ "fault() says no page for ever", REPORT ", page at", .ops.fault = no_page,
	  .act = load_is_refused },
	{ "fault() gives nothing", REPORT ", page at", .ops.fault = done, .act = load_is_refused },
	{ "fault() gives a page to a VM_PFNMAP VMA", REPORT ", page at", FRAMES,
	  .ops.fault = gives_page, .act = load_is_refused },
	{ "fault() gives a process's page", REPORT ", page at", .ops.fault = gives_other,
	  .act = page_of_a_process },
	{ "fault() gives another machine's page", REPORT ", page at", .ops.fault = gives_other,
	  .act = page_of_another_machine },
	{ "fault() gives its last reference", NULL, .ops.fault = gives_no_reference,
	  .act = given_away },
	{ "fault() gives a page that it has freed", REPORT ", page at", .ops.fault = gives_freed,
	  .act = freed_before_it_is_given },
	{ "the same, and changes what it was asked", REPORT ", page at",
	  .ops.fault = gives_freed_and_more, .act = freed_before_it_is_given },
	{ "fault() inserts no page at all", REPORT ": no page for", MIXED,
	  .ops.fault = inserts_nothing, .act = load_is_refused },
	{ "fault() changes the address", REPORT ", page at", .ops.fault = changes_address,
	  .act = load_is_refused },
	{ "fault() changes the place in the file", REPORT ", page at", .ops.fault = changes_pgoff,
	  .act = load_is_refused },
	{ "fault() changes the flags", REPORT ", page at", .ops.fault = changes_flags,
	  .act = load_is_refused },
	{ "fault() inserts outside", NULL, FRAMES, .ops.fault = inserts_page,
	  .act = load_is_refused },

	{ "fault() falls back", REPORT ", page at", .ops.fault = falls_back,
	  .act = load_is_refused },

	/* huge_fault() */
	{ "huge_fault() answers 99", REPORT ", page at", BLOCK, .ops.huge_fault = huge_99,
	  .act = load_is_refused },
	{ "huge_fault() retries for ever", REPORT ", page at", BLOCK,
	  .ops.huge_fault = huge_retries, .act = load_is_refused },
	{ "huge_fault() says no page for ever", REPORT ", page at", BLOCK,
	  .ops.huge_fault = huge_no_page, .act = load_is_refused },
	{ "huge_fault() gives nothing", REPORT ", page at", BLOCK, .ops.huge_fault = huge_done,
	  .act = load_is_refused },
	{ "huge_fault() gives a page", REPORT ", page at", BLOCK,
	  .ops.huge_fault = huge_gives_page, .act = load_is_refused },
	{ "huge_fault() changes the address", REPORT ", page at", BLOCK,
	  .ops.huge_fault = huge_changes_address, .act = load_is_refused },
	{ "huge_fault() never lets it be written to", REPORT ", page at", BLOCK,
	  .ops.huge_fault = huge_read_only, .act = store_is_refused },
	{ "2 MiB of frames from an odd one on", REPORT ": 2 MiB of frames", BLOCK,
	  .ops.huge_fault = huge_inserts_askew, .act = load_is_refused },
	{ "2 MiB of frames at an odd address", REPORT ": 2 MiB of frames", BLOCK,
	  .ops.huge_fault = huge_inserts_beside, .act = load_is_refused },
	{ "2 MiB of frames behind the VMA", REPORT ": 2 MiB of frames", BLOCK,
	  .ops.huge_fault = huge_inserts_outside, .act = load_is_refused },
	{ "2 MiB of frames, and no huge_fault()", REPORT ": 2 MiB of frames", BLOCK,
	  .ops.fault = inserts_unasked, .act = load_is_refused },
	{ "2 MiB of frames that are not its own", NULL, BLOCK,
	  .ops.huge_fault = huge_inserts_strangers, .act = load_is_refused },
	{ "2 MiB of frames over a page", NULL, BLOCK, .ops.huge_fault = huge_inserts_over,
	  .act = load_goes },
	{ "a frame of 2 MiB freed while they are shown", REPORT ", page at", BLOCK,
	  .ops.huge_fault = huge_read_only, .act = block_freed_while_shown },

	/* The other hooks of faults. */
	{ "page_mkwrite() answers 99", REPORT ", page at", .ops.page_mkwrite = fault_99,
	  .act = store_is_refused },
	{ "page_mkwrite() retries for ever", REPORT ", page at", .ops.page_mkwrite = retries,
	  .act = store_is_refused },
	{ "page_mkwrite() says no page for ever", REPORT ", page at", .ops.page_mkwrite = no_page,
	  .act = store_is_refused },
	{ "page_mkwrite() takes the page away for ever", REPORT ", page at",
	  .ops.page_mkwrite = takes_away, .act = store_is_refused },
	{ "page_mkwrite() allows what it takes away", REPORT ", page at",
	  .ops.page_mkwrite = takes_away_and_allows, .act = store_is_refused },
	{ "page_mkwrite() changes the page", REPORT ", page at", .ops.page_mkwrite = changes_page,
	  .act = store_is_refused },
	{ "pfn_mkwrite() answers 99", REPORT ", page at", FRAMES, .ops.pfn_mkwrite = fault_99,
	  .act = store_to_frame_is_refused },
	{ "map_pages() changes what it was asked", REPORT ", page at", MIXED,
	  .ops.map_pages = maps_around, .act = load_goes },
	{ "access() says more", REPORT ": access() of", FRAMES, .ops.access = reads_too_much,
	  .act = debugger_is_refused },
	{ "access() answers -5000", REPORT ": access() of", FRAMES, .ops.access = reads_too_little,
	  .act = debugger_is_refused },

	/* Hooks of the memory calls. */
	{ "may_split() answers 3", REPORT ", VMA at", .ops.may_split = split_3,
	  .act = split_is_refused },
	{ "mremap() answers 3", REPORT ", VMA at", .ops.mremap = remap_3, .act = move_is_refused },
	{ "mprotect() answers 3", REPORT ", VMA at", .ops.mprotect = protect_3,
	  .act = protect_is_refused },
	{ "read_page() answers 5", REPORT ": read_page() says 5", .read_page = read_5,
	  .act = load_is_refused },
	{ "write_page() answers 5", REPORT ": write_page() says 5", .read_page = read_well,
	  .write_page = write_5, .act = sync_is_refused },

	{ "set_size() answers 5", REPORT ": set_size() answers 5", .read_page = read_well,
	  .set_size = size_5, .act = truncate_is_refused },
	{ "punch_hole() answers 5", REPORT ": punch_hole() answers 5", .read_page = read_well,
	  .punch_hole = hole_5, .act = hole_is_refused },
	{ "get_size() answers 5", REPORT ": get_size() answers 5", .read_page = read_well,
	  .get_size = is_5_long, .act = refresh_is_refused },
	{ "get_size() says more than a file can have", REPORT ": get_size() says",
	  .read_page = read_well, .get_size = is_endless, .act = refresh_is_refused },
	{ "read_page() answers 5 for the rest of a page", REPORT ": read_page() says 5",
	  .read_page = read_well_once, .get_size = is_longer, .act = longer_is_refused },

	/* Linux's own numbers, which no program sees there, are a driver's as others. */
	{ "mmap() answers -512", NULL, .in_mmap = restarts, .act = map_restarts },
	{ "may_split() answers -512", NULL, .ops.may_split = split_restarts,
	  .act = split_and_restart },

	/* Pages and ranges that are not its own. */
	{ "a page put too often", "entries show it: a driver has put it too often",
	  .act = put_too_often },
	{ "a frame freed while it is shown", REPORT ", page at", FRAMES, .act = freed_while_shown },
	{ "a zap beyond the VMA", REPORT ": zap [", .act = zaps_beyond },
	{ "a zap of parts of pages", REPORT ": zap [", .act = zaps_parts_of_pages },
	{ "a zap round the end", REPORT ": zap ", .act = zaps_round_the_end },
	{ "a zap of the program's memory", "of a VMA that no driver has set up",
	  .act = zaps_a_strangers },
	{ "open() and close() after forks, splits, moves", NULL, .act = copies_and_ends },

	/* What only a debug build sees. */
	{ "sleeping in atomic context", "in a hook of driver " NAME, MIXED, .ops.fault = sleeps,
	  .act = load_goes, .debug = true },
	{ "taking the mmap lock", "in a hook of driver " NAME, .ops.fault = locks_the_mm,
	  .act = load_is_refused, .debug = true },
	{ "open() returns with a lock", "in a hook of driver " NAME, .ops.open = keeps_a_lock,
	  .ops.close = gives_it_back, .act = open_returns_with_a_lock, .debug = true },
};

/* ------------------------------------------------------------------------------- running -- */

#ifdef CONFIG_VMAREA_DEBUG
static void print_report(void *arg, const char *text)
{
	(void)!write(STDERR_FILENO, text, strlen(text));
}
#endif

static void in_child(const struct row *r)
{
	row = r;
#ifdef CONFIG_VMAREA_DEBUG
	if (r->debug)
		witness_set_report(print_report, NULL);
#endif
	open_all();
	r->act();
	close_all();
	if (!r->debug && !port_warn_count() != !r->report) {
		fprintf(stderr, "%lu reports\n", port_warn_count());
		_exit(1);
	}
	_exit(0);
}

static void run_row(const struct row *r)
{
	static char out[1 << 16];
	size_t nr = 0;
	ssize_t got;
	int fds[2], status;
	pid_t pid;

	fflush(NULL);
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		dup2(fds[1], STDERR_FILENO);
		in_child(r);
	}
	close(fds[1]);
	while ((got = read(fds[0], out + nr, sizeof(out) - 1 - nr)) > 0)
		nr += (size_t)got;
	out[nr] = 0;
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status)
		fail_msg("%s: status %x: %s", r->name, status, out);
	if (r->report ? !strstr(out, r->report) : nr)
		fail_msg("%s: no \"%s\" in: %s", r->name, r->report ? r->report : "", out);
}

static void each_is_reported_and_changes_nothing(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (VMAREA_DEBUG || !rows[i].debug)
			run_row(&rows[i]);
	print_message("%zu things that a driver can do wrong\n", ARRAY_SIZE(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_reported_and_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
