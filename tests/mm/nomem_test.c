/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Each allocation inside each memory call is made to fail once: the call says so, and the map, the
 * totals and what is promised are what they were.
 *
 * Each try has an address space of its own, so that nothing kept from a try before saves an
 * allocation of this one.  A call that no longer makes as many allocations as are to succeed has
 * been tried with each of them.
 */
#include <errno.h>

#include "mm/mm.h"
#include "port/port.h"
#include "space.h"

#define HEAP	5000ul			/* page of start_brk in the window */

struct nomem_case {
	const char *name;
	long (*call)(struct space *s);	/* 0 or -errno */
};

static long bytes(unsigned long nr)
{
	return (long)(nr * SPACE_PAGE);
}

static long of_address(long ret)
{
	return ret > 0 ? 0 : ret;
}

static long of_fault(enum mm_fault fault)
{
	if (fault == MM_FAULT_OOM)
		return -ENOMEM;
	assert_int_equal(fault, MM_FAULT_DONE);
	return 0;
}

static long of_break(struct space *s, unsigned long page)
{
	return mm_brk(s->mm, at(page)) == at(page) ? 0 : -ENOMEM;
}

static long call_mmap(struct space *s)
{
	return of_address(mm_mmap(s->mm, 0, bytes(3), PROT_READ, ANON, NULL, 0));
}

static long call_mmap_shared(struct space *s)
{
	return of_address(mm_mmap(s->mm, 0, bytes(3), RW, MAP_SHARED | MAP_ANONYMOUS, NULL, 0));
}

static long call_mmap_fixed(struct space *s)
{
	return space_map(s, 1, 6, PROT_READ | PROT_EXEC, ANON);
}

static long call_mmap_huge(struct space *s)
{
	return of_address(mm_mmap(s->mm, 0, bytes(512), RW, ANON | MAP_HUGETLB | MAP_NORESERVE,
				  NULL, 0));
}

static long call_munmap(struct space *s)
{
	return space_unmap(s, 1, 6);
}

static long call_mprotect(struct space *s)
{
	return mm_mprotect(s->mm, at(1), bytes(5), PROT_READ | PROT_EXEC);
}

static long call_mremap_move(struct space *s)
{
	return of_address(mm_mremap(s->mm, at(1), bytes(2), bytes(2),
				    MREMAP_MAYMOVE | MREMAP_FIXED, at(100)));
}

static long call_mremap_grow(struct space *s)
{
	return of_address(mm_mremap(s->mm, at(0), bytes(4), bytes(9), MREMAP_MAYMOVE, 0));
}

static long call_mremap_shrink(struct space *s)
{
	return of_address(mm_mremap(s->mm, at(0), bytes(4), bytes(2), 0, 0));
}

static long call_madvise(struct space *s)
{
	return mm_madvise(s->mm, at(1), bytes(5), MADV_DONTFORK);
}

static long call_mlock(struct space *s)
{
	return mm_mlock(s->mm, at(9), bytes(2));
}

static long call_munlock(struct space *s)
{
	return mm_munlock(s->mm, at(21), bytes(1));
}

static long call_mseal(struct space *s)
{
	return mm_mseal(s->mm, at(1), bytes(5), 0);
}

static long call_anon_name(struct space *s)
{
	return mm_set_anon_name(s->mm, at(1), bytes(2), "name");
}

static long call_remap_file_pages(struct space *s)
{
	return mm_remap_file_pages(s->mm, at(31), bytes(1), 0, 3, 0);
}

static long call_brk_up(struct space *s)
{
	return of_break(s, HEAP + 9);
}

static long call_brk_down(struct space *s)
{
	return of_break(s, HEAP + 1);
}

static long call_shmdt(struct space *s)
{
	return mm_shmdt(s->mm, at(30));
}

static long call_fork(struct space *s)
{
	struct mm_user *child;
	int err = mm_fork(s->mm, &child);

	if (!err)
		mmput(child);
	return err;
}

static long call_touch(struct space *s)
{
	return of_fault(space_write(s, 9));
}

static long call_touch_below_a_stack(struct space *s)
{
	return of_fault(space_write(s, 1900));
}

static const struct nomem_case cases[] = {
	{ "mmap", call_mmap },
	{ "mmap of shared memory", call_mmap_shared },
	{ "mmap MAP_FIXED", call_mmap_fixed },
	{ "mmap MAP_HUGETLB", call_mmap_huge },
	{ "munmap", call_munmap },
	{ "mprotect", call_mprotect },
	{ "mremap MREMAP_FIXED", call_mremap_move },
	{ "mremap to a longer one", call_mremap_grow },
	{ "mremap to a shorter one", call_mremap_shrink },
	{ "madvise", call_madvise },
	{ "mlock", call_mlock },
	{ "munlock", call_munlock },
	{ "mseal", call_mseal },
	{ "anonymous name", call_anon_name },
	{ "remap_file_pages", call_remap_file_pages },
	{ "brk up", call_brk_up },
	{ "brk down", call_brk_down },
	{ "shmdt", call_shmdt },
	{ "fork", call_fork },
	{ "touch", call_touch },
	{ "touch below a stack", call_touch_below_a_stack },
};

/*
 *	0   4   8   12      20  23      30      34       2000       5000     5005
 *	rw  r-  rw          rw locked   shm (a file)     a stack    the heap
 *	touched, not, not
 */
static void fill(struct space *s)
{
	struct file *segment;
	struct mm_struct *mm;

	space_init(s);
	s->mm_config.start_brk = s->mm_config.brk = at(HEAP);
	space_create(s);
	segment = space_file(s, 4, FILE_SHMEM, FILE_PLACE_SHMEM);
	assert_int_equal(space_map(s, 0, 4, RW, ANON), 0);
	assert_int_equal(space_write(s, 0), MM_FAULT_DONE);
	assert_int_equal(space_map(s, 4, 4, PROT_READ, ANON), 0);
	assert_int_equal(space_map(s, 8, 4, RW, ANON), 0);
	assert_int_equal(space_map(s, 20, 3, RW, ANON | MAP_LOCKED), 0);
	assert_int_equal(mm_shmat(s->mm, segment, at(30), 0), at(30));
	assert_int_equal(space_map(s, 2000, 1, RW, ANON | MAP_GROWSDOWN), 0);
	assert_int_equal(of_break(s, HEAP + 5), 0);
	file_put(segment);
	/* The tree keeps nodes for the next call: it shall have to ask for them. */
	mm = mm_of(s->mm);
	mm_write_lock(mm);
	rt_trim(&mm->areas);
	mm_write_unlock(mm);
}

struct picture {
	char areas[4096];
	struct mm_stats stats;
	unsigned long committed;
};

static void take(struct space *s, struct picture *p)
{
	memset(p, 0, sizeof(*p));
	strcpy(p->areas, space_areas_in(s, SPACE_BASE, 0, 1ul << 47));
	mm_get_stats(s->mm, &p->stats);
	p->stats.bytes = 0;		/* what was prepared in vain is kept for the next call */
	p->committed = vmarea_committed_pages(s->v);
}

/* False if @c makes fewer than @n allocations. */
static bool fails_at(const struct nomem_case *c, long n)
{
	struct picture before, after;
	unsigned long count;
	struct space s;
	long ret;

	fill(&s);
	take(&s, &before);
	count = port_alloc_count();
	port_fail_nth(n);
	ret = c->call(&s);
	port_fail_nth(0);
	if (port_alloc_count() - count < (unsigned long)n) {
		if (ret)
			fail_msg("%s: %ld with all the memory it wants", c->name, ret);
		space_close(&s);
		return false;
	}
	take(&s, &after);
	if (ret != -ENOMEM)
		fail_msg("%s, allocation %ld: %ld", c->name, n, ret);
	if (strcmp(before.areas, after.areas))
		fail_msg("%s, allocation %ld: %s\nbecame %s", c->name, n, before.areas,
			 after.areas);
	if (memcmp(&before.stats, &after.stats, sizeof(before.stats)) ||
	    before.committed != after.committed)
		fail_msg("%s, allocation %ld: the totals have changed", c->name, n);
	space_close(&s);
	return true;
}

static void each_allocation_of_each_call(void **state)
{
	unsigned long tried = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (long n = 1; fails_at(&cases[i], n); n++)
			tried++;
	}
	/* Every call asks for something: the loop above has not ended at once for all. */
	assert_true(tried > 100);
}

/* shmat() apart: a try that fails must leave the segment with one reference. */
static void each_allocation_of_shmat(void **state)
{
	long ret = -ENOMEM;

	(void)state;
	for (long n = 1; ret == -ENOMEM; n++) {
		struct file *segment;
		struct space s;

		space_open(&s);
		segment = space_file(&s, 4, FILE_SHMEM, FILE_PLACE_SHMEM);
		port_fail_nth(n);
		ret = mm_shmat(s.mm, segment, at(0), 0);
		port_fail_nth(0);
		assert_areas(&s, ret == -ENOMEM ? "" : "[0..4)rw-s");
		file_put(segment);
		space_close(&s);
	}
	assert_int_equal(ret, at(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_allocation_of_each_call),
		cmocka_unit_test(each_allocation_of_shmat),
	};

	return cmocka_run_group_tests_name("mm/nomem", tests, NULL, NULL);
}
