/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Random calls on several mms, and after each few the question: does the reverse map of every frame
 * say what a look at every table says?  Bytes are a second witness: a page that is moved keeps them.
 */
#include "../ds/model.h"
#include "scan.h"

#define MMS		5u
#define WINDOW		48ul
#define FILE_PAGES	24ul
#define STEPS		6000u

static struct memory m;
static struct mm_user *mms[MMS];	/* NULL: none now; [0] is m.s.mm */
static struct file *files[2];		/* of a disk, so to speak, and of memory */
static struct rng rng;
static unsigned int nr_moved, nr_cut;

static unsigned long rnd(unsigned long below)
{
	return rng_below(&rng, below);
}

static struct mm_user *any_mm(void)
{
	struct mm_user *mm;

	do
		mm = mms[rnd(MMS)];
	while (!mm);
	return mm;
}

struct range {
	unsigned long addr, bytes;
};

static struct range any_range(unsigned long most)
{
	unsigned long nr = 1 + rnd(most), first = rnd(WINDOW - nr + 1);

	return (struct range){ at(first), nr * PAGE_SIZE };
}

static int any_prot(void)
{
	static const int prots[] = { PROT_NONE, PROT_READ, RW, RW, RW };

	return prots[rnd(5)];
}

static void op_map(void)
{
	struct range r = any_range(12);
	struct file *file = rnd(2) ? files[rnd(2)] : NULL;
	int flags = file && rnd(2) ? MAP_SHARED : MAP_PRIVATE;

	mm_mmap(any_mm(), r.addr, r.bytes, RW,
		(unsigned long)(flags | MAP_FIXED | (file ? 0 : MAP_ANONYMOUS)), file,
		file ? rnd(FILE_PAGES) * PAGE_SIZE : 0);
}

static void op_unmap(void)
{
	struct range r = any_range(6);

	mm_munmap(any_mm(), r.addr, r.bytes);
}

static void op_protect(void)
{
	struct range r = any_range(8);

	mm_mprotect(any_mm(), r.addr, r.bytes, (unsigned long)any_prot());
}

static void op_move(void)
{
	struct range from = any_range(6), to = any_range(8);
	unsigned long flags = MREMAP_MAYMOVE;

	if (rnd(3))
		flags |= MREMAP_FIXED;
	if (!rnd(4)) {
		flags |= MREMAP_DONTUNMAP;
		to.bytes = from.bytes;
	}
	if (rnd(3))
		to.bytes = from.bytes;
	mm_mremap(any_mm(), from.addr, from.bytes, to.bytes, flags, to.addr);
}

static void op_fork(void)
{
	struct mm_user *parent = any_mm(), *child;
	unsigned long i = 1 + rnd(MMS - 1);

	if (mms[i] == parent)
		return;
	assert_int_equal(mm_fork(parent, &child), 0);
	if (mms[i])
		mmput(mms[i]);
	mms[i] = child;
}

static void op_exit(void)
{
	unsigned long i = 1 + rnd(MMS - 1);

	if (!mms[i])
		return;
	mmput(mms[i]);
	mms[i] = NULL;
}

static void op_access(void)
{
	struct mm_user *mm = any_mm();
	unsigned long first = rnd(WINDOW);

	for (unsigned long i = first; i < min(first + 5, WINDOW); i++) {
		if (rnd(3))
			mm_put(mm, i, (unsigned char)rnd(256));
		else
			mm_get(mm, i);
	}
}

static void op_advise(void)
{
	static const int advice[] = {
		MADV_DONTNEED, MADV_DONTNEED, MADV_REMOVE, MADV_DONTFORK, MADV_DOFORK,
	};
	struct range r = any_range(6);

	mm_madvise(any_mm(), r.addr, r.bytes, advice[rnd(5)]);
}

/* Of the file's range no entry is left in any area, nor a copy if @copies. */
static void assert_gone(const struct file *file, unsigned long first, unsigned long end,
			bool copies)
	__context_unsafe("there is no other thread")
{
	for (unsigned int i = 0; i < MMS; i++) {
		struct mm_struct *mm = mms[i] ? mm_from_user(mms[i]) : NULL;
		struct vm_area_struct *vma = mm ? vma_first(mm, 0) : NULL;

		for (; vma; vma = vma_after(vma)) {
			if (vma->vm_file != file)
				continue;
			for (unsigned long a = vma->vm_start; a < vma->vm_end; a += PAGE_SIZE) {
				unsigned long pgoff = vma_pgoff_at(vma, a);
				unsigned int level;
				pte_t e = pt_look(mm->pgt, a, &level);

				if (pgoff < first || pgoff >= end || pte_none(e))
					continue;
				assert_false(copies);
				assert_true(page_flags(pfn_page(mm->pgt->frames,
						pte_pfn(mm->pgt->format, e))) & PG_ANON);
			}
		}
	}
}

static void op_cut(void)
{
	struct file *file = files[rnd(2)];
	unsigned long first = rnd(FILE_PAGES), nr = 1 + rnd(FILE_PAGES - first);

	nr_cut++;
	switch (rnd(4)) {
	case 0:
		file_set_size(file, first * PAGE_SIZE + 17);
		assert_gone(file, first + 1, ~0ul, true);
		file_set_size(file, FILE_PAGES * PAGE_SIZE);
		break;
	case 1:
		assert_int_equal(file_punch_hole(file, first * PAGE_SIZE, nr * PAGE_SIZE), 0);
		assert_gone(file, first, first + nr, false);
		break;
	case 2:
		unmap_mapping_range(file->mapping, first, first + nr, UNMAP_COPIES);
		assert_gone(file, first, first + nr, true);
		break;
	default:
		assert_true(unmap_mapping_range_try(file->mapping, first, first + nr,
						    UNMAP_SHARED));
		assert_gone(file, first, first + nr, false);
	}
}

/* A page that is behind some address: most addresses have none. */
static struct page *any_page(void)
{
	for (unsigned int tries = 0; tries < 16; tries++) {
		unsigned long frame = mm_frame(any_mm(), rnd(WINDOW));
		struct page *page = pfn_page(arena_frames(m.s.v->arena), frame);

		if (frame && page != arena_zero_page(m.s.v->arena))
			return page;
	}
	return NULL;
}

/* Moved, cleaned, aged, or taken out. */
static void op_page(void)
{
	struct page *page = any_page(), *to;
	struct rmap_unmap how = { .leave = RMAP_LEAVE_NONE };
	unsigned char bytes[PAGE_SIZE];
	s32 mapcount;

	if (!page)
		return;
	page_get(page);
	mapcount = page->mapcount;
	page_lock(page);
	if (!rnd(4))
		rmap_referenced(page, rnd(2) ? RMAP_WAIT : RMAP_TRY);
	if (!rnd(4) && !(page_flags(page) & PG_ANON))
		rmap_mkclean(page);
	if (!rnd(4) && !(page_flags(page) & PG_ANON)) {
		assert_int_equal(rmap_unmap(page, &how), 0);
		assert_int_equal(how.nr, mapcount);
	}
	mapcount = page->mapcount;
	page_unlock(page);
	to = page_alloc(m.s.v->arena, 0, PAGE_ANYTHING);
	assert_non_null(to);
	memcpy(bytes, page_bytes(page), PAGE_SIZE);
	assert_int_equal(rmap_migrate(page, to), 0);
	nr_moved++;
	assert_memory_equal(bytes, page_bytes(to), PAGE_SIZE);
	assert_int_equal(to->mapcount, mapcount);
	assert_int_equal(page->mapcount, 0);
	assert_int_equal(page_refs(page), 1);
	page_put(page);
	page_put(to);
}

static void check_all(void)
{
	static struct scan all;
	char why[256] = "";

	all.nr = 0;
	for (unsigned int i = 0; i < MMS; i++)
		if (mms[i])
			scan_mm(&all, mms[i]);
	scan_sort(&all);
	scan_check(&all);
	if (vmarea_validate(m.s.v, why, sizeof(why)))
		fail_msg("%s", why);
}

static void step(void)
{
	static void (*const ops[])(void) = {
		op_map, op_map, op_unmap, op_protect, op_protect, op_move, op_move, op_fork,
		op_exit, op_access, op_access, op_access, op_access, op_advise, op_cut, op_page,
	};

	ops[rnd(ARRAY_SIZE(ops))]();
}

static void test_model(void **state)
{
	rng = rng_start("rmap model");
	memory_open(&m);
	mms[0] = m.s.mm;
	files[0] = space_file(&m.s, FILE_PAGES, 0, FILE_PLACE_ANY);
	files[1] = space_file(&m.s, FILE_PAGES, FILE_SHMEM, FILE_PLACE_ANY);
	for (unsigned int i = 0; i < STEPS; i++) {
		step();
		if (i % 4 == 0)
			check_all();
	}
	assert_true(nr_moved > 50 && nr_cut > 50);
	for (unsigned int i = 1; i < MMS; i++)
		if (mms[i])
			mmput(mms[i]);
	file_put(files[0]);
	file_put(files[1]);
	memory_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_model) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
