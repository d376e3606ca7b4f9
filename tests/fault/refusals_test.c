/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A driver that refuses now and then, at random, whatever it is asked, beside random memory calls of
 * processes that fork: after each call there are as many of its areas as were begun and not closed,
 * no area is wrong, and at the end nothing is left.
 *
 * Half of the runs have an area limit so low that calls stop at it half way.
 */
#include <errno.h>

#include <vmarea/driver_fault.h>

#include "memory.h"

#define NR_MMS		3
#define NR_PAGES	64ul			/* of the driver */
#define NR_RUNS		12
#define NR_STEPS	600
#define LOW_LIMIT	12
#define WINDOW		32			/* pages that calls are about */

static struct memory m;
static struct mm_user *mms[NR_MMS];
static struct file *files[2];			/* of one driver: their areas do not merge */
static struct page *pages[NR_PAGES];
static struct vm_operations_struct ops;
static long begun, closed;
static unsigned long seed;

static unsigned int draw(unsigned int n)
{
	seed = seed * 6364136223846793005ul + 1442695040888963407ul;
	return (unsigned int)(seed >> 33) % n;
}

static int refusal(void)
{
	static const int errors[] = { -EINVAL, -ENOMEM, -EPERM, -EAGAIN };

	return draw(4) ? 0 : errors[draw(4)];
}

/* ---------------------------------------------------------------------------- the driver -- */

static void count_open(struct vma_mut *vma)		{ begun++; }
static void count_close(struct vma_mut *vma)		{ closed++; }
static int may_move(struct vma_mut *vma)		{ return refusal(); }

static int may_split(struct vma_ref *vma, unsigned long addr)
{
	assert_true(addr > vma_start(vma) && addr < vma_end(vma) && !(addr % SPACE_PAGE));
	return refusal();
}

static int may_protect(struct vma_mut *vma, unsigned long start, unsigned long end, vm_flags_t flags)
{
	assert_true(start >= vma_start(vma) && start < end && end <= vma_end(vma));
	return refusal();
}

static vm_fault_t fault(struct vma_ref *vma, struct vm_fault *vmf)
{
	if (vmf->pgoff >= NR_PAGES || refusal())
		return VM_FAULT_SIGBUS;
	if ((vmf->flags & VMF_MAY_RETRY) && !draw(4))
		return VM_FAULT_RETRY;
	vmf->page = pages[vmf->pgoff];
	page_get(vmf->page);
	return VM_FAULT_DONE;
}

static vm_fault_t allow_write(struct vma_ref *vma, struct vm_fault *vmf)
{
	return refusal() ? VM_FAULT_SIGBUS : VM_FAULT_DONE;
}

/* Its areas are of several kinds, and some have pages before it says no. */
static int map(struct file *file, struct vma_new *vma) __in_mmap_hook;
static int map(struct file *file, struct vma_new *vma)
{
	int err = 0;

	vma_set_owner(vma, &ops, &ops);
	switch (draw(5)) {
	case 0:
		vma_set_dontcopy(vma);
		break;
	case 1:
		vma_set_dontexpand(vma);
		break;
	case 2:
		err = vm_map_pages(vma, pages, NR_PAGES);
		break;
	}
	if (!err)
		err = refusal();
	begun += !err;
	return err;
}

static const struct file_operations file_ops = { .owner = "fickle", .mmap = map };
static struct vm_operations_struct ops = {
	.open = count_open, .close = count_close, .may_split = may_split, .mremap = may_move,
	.mprotect = may_protect, .fault = fault, .page_mkwrite = allow_write,
};

/* --------------------------------------------------------------------------------- calls -- */

static unsigned long bytes(unsigned int nr_pages)
{
	return nr_pages * SPACE_PAGE;
}

static void touch(struct mm_user *mm, unsigned long first, unsigned int nr)
{
	for (unsigned long page = first; page < first + nr; page++) {
		if (draw(2))
			mm_put(mm, page, 1);
		else
			mm_get(mm, page);
	}
}

/* The last one stays. */
static void fork_or_end(struct mm_user *mm)
{
	struct mm_user **place = &mms[draw(NR_MMS)];

	if (!*place) {
		if (mm_fork(mm, place))
			*place = NULL;
	} else if (*place != mm) {
		mmput(*place);
		*place = NULL;
	}
}

/* Whatever they say is right, as long as what is there then is. */
static void call(struct mm_user *mm)
{
	static const unsigned long prots[] = { PROT_READ, RW, PROT_NONE };
	static const int advice[] = { MADV_DONTFORK, MADV_DOFORK, MADV_DONTNEED, MADV_RANDOM };
	unsigned long addr = at(draw(WINDOW)), there = at(draw(WINDOW));
	unsigned long len = bytes(1 + draw(8)), len_there = bytes(1 + draw(8));
	unsigned long move = MREMAP_MAYMOVE | (draw(2) ? MREMAP_FIXED : 0);

	switch (draw(10)) {
	case 0:
	case 1:
		mm_mmap(mm, addr, len, prots[draw(3)],
			(draw(2) ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED, files[draw(2)],
			draw(3) ? addr - at(0) : bytes(draw(40)));
		break;
	case 2:
		mm_mmap(mm, addr, len, RW, ANON | MAP_FIXED, NULL, 0);
		break;
	case 3:
		mm_munmap(mm, addr, len);
		break;
	case 4:
		mm_mremap(mm, addr, len, draw(2) ? len : len_there, move, there);
		break;
	case 5:
		mm_mremap(mm, addr, len, len, move | MREMAP_DONTUNMAP, there);
		break;
	case 6:
		mm_mprotect(mm, addr, len, prots[draw(3)]);
		break;
	case 7:
		mm_madvise(mm, addr, len, advice[draw(4)]);
		break;
	case 8:
		fork_or_end(mm);
		break;
	case 9:
		touch(mm, (addr - at(0)) / SPACE_PAGE, 8);
		break;
	}
}

/* ---------------------------------------------------------------------------------- runs -- */

static long count_areas(struct mm_user *mm)
{
	struct mmap_read *lock = mmap_read_lock(mm);
	struct vma_ref *vma;
	long nr = 0;

	for (unsigned long addr = 0; (vma = vma_find(lock, addr)); addr = vma_end(vma))
		nr += vma_is_owner(vma, &ops, &ops);
	mmap_read_unlock(lock);
	return nr;
}

static void check(void)
{
	long nr = 0;

	for (int i = 0; i < NR_MMS; i++) {
		if (!mms[i])
			continue;
		memory_validate(mms[i]);
		nr += count_areas(mms[i]);
	}
	assert_int_equal(nr, begun - closed);
}

static void begin(unsigned int limit)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .ops = &file_ops, .name = "/dev/fickle",
		.flags = FILE_READ | FILE_WRITE,
	};

	memory_init(&m, MEMORY_BYTES);
	if (limit)
		m.s.config.max_map_count = limit;
	memory_create(&m);
	begun = closed = 0;
	mms[0] = m.s.mm;
	for (int i = 0; i < 2; i++)
		assert_int_equal(file_create(m.s.v, &desc, &files[i]), 0);
	for (unsigned long i = 0; i < NR_PAGES; i++)
		pages[i] = alloc_page(m.s.v);
}

/* The mm that is left is memory_close()'s. */
static void end(void)
{
	m.s.mm = NULL;
	for (int i = 0; i < NR_MMS; i++) {
		if (mms[i] && m.s.mm)
			mmput(mms[i]);
		else if (mms[i])
			m.s.mm = mms[i];
		mms[i] = NULL;
	}
	while (mm_exec(m.s.mm, &m.s.mm_config))
		;
	assert_int_equal(begun, closed);
	for (unsigned long i = 0; i < NR_PAGES; i++) {
		assert_int_equal(page_refs(pages[i]), 1);
		assert_int_equal(page_mapcount(pages[i]), 0);
		__free_page(pages[i]);
	}
	file_put(files[0]);
	file_put(files[1]);
	memory_close(&m);
}

static void each_beginning_has_an_end(void **state)
{
	long nr = 0;

	for (unsigned int i = 0; i < NR_RUNS; i++) {
		seed = i;
		begin(i % 2 ? LOW_LIMIT : 0);
		for (unsigned int step = 0; step < NR_STEPS; step++) {
			struct mm_user *mm = mms[draw(NR_MMS)];

			if (!mm)
				continue;
			call(mm);
			check();
		}
		nr += begun;
		end();
	}
	print_message("%ld areas of the driver's\n", nr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_beginning_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
