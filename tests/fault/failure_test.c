/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Every frame, and every other piece of memory, that a fault or a call asks for is refused once:
 * afterwards the memory is what it was, or, where Linux leaves a part done, every byte is what it
 * was and the walker is content.
 *
 * Each scenario is run on a fresh world, with the n-th request refused, for n = 1, 2, ... until a
 * run gets through.  Then the same with an arena that is full.
 */
#include "driver.h"

#define PAGES	1200ul		/* what is looked at: three tables */

/* A page as the page table has it. */
struct look {
	unsigned char value;
	bool present;
	unsigned char soft;
};

struct picture {
	struct look pages[PAGES];
	struct mm_stats stats;
};

struct scenario {
	const char *name;
	long (*run)(struct memory *m);	/* 0; -ENOMEM, or -MM_FAULT_OOM: no memory */
	bool partial;			/* pages may have come, or areas have gone */
};

static struct file *file;
static struct driver driver;

static struct look look_at(struct mm_user *user, unsigned long page)
{
	struct pgtable *pt = mm_from_user(user)->pgt;
	unsigned int level;
	pte_t e = pt_look(pt, at(page), &level);
	struct look look = { .soft = (unsigned char)pte_soft_type(pt->format, e) };

	if (!pte_present(pt->format, e))
		return look;
	look.present = true;
	look.value = ((unsigned char *)pfn_bytes(pt->frames, pte_pfn(pt->format, e)))[123];
	return look;
}

static void take_picture(struct memory *m, struct picture *p)
{
	memset(p, 0, sizeof(*p));
	for (unsigned long i = 0; i < PAGES; i++)
		p->pages[i] = look_at(m->s.mm, i);
	mm_get_stats(m->s.mm, &p->stats);
	p->stats.table_pages = 0;
	p->stats.bytes = 0;
}

/*
 * 0..8 touched, 8..16 fresh, 16..24 the file privately and 24..32 shared, 32..40 read-only and
 * touched, 500..520 touched over a table's end, a stack at 1100, a driver's shared at 1160 and
 * privately at 1170.
 */
static void make_world(struct memory *m)
{
	memory_open_with(m, 4ul << 20);
	file = space_file(&m->s, 64, FILE_SHMEM, FILE_PLACE_ANY);
	assert_int_equal(space_map(&m->s, 0, 8, RW, ANON), 0);
	assert_int_equal(space_map(&m->s, 8, 8, PROT_READ | PROT_WRITE | PROT_EXEC, ANON), 0);
	assert_int_equal(space_map_file(&m->s, 16, 8, RW, MAP_PRIVATE, file, 16), 0);
	assert_int_equal(space_map_file(&m->s, 24, 8, RW, MAP_SHARED, file, 24), 0);
	assert_int_equal(space_map(&m->s, 32, 8, RW, ANON), 0);
	assert_int_equal(space_map(&m->s, 500, 20, RW, ANON), 0);
	assert_int_equal(space_map(&m->s, 1100, 1, RW, ANON | MAP_GROWSDOWN), 0);
	for (unsigned long i = 0; i < 1101; i++)
		if (i < 8 || (i >= 32 && i < 40) || (i >= 500 && i < 520))
			assert_int_equal(put(m, i, (unsigned char)(i + 1)), MM_FAULT_DONE);
	assert_int_equal(put(m, 17, 99), MM_FAULT_DONE);
	assert_int_equal(get(m, 18), 0);
	assert_int_equal(mm_mprotect(m->s.mm, at(32), 8 * 4096, PROT_READ), 0);
	driver_open(&driver, m);
	driver.ops.page_mkwrite = driver_mkwrite;
	assert_int_equal(driver_map(&driver, m, 1160, 4, RW, MAP_SHARED), 0);
	assert_int_equal(driver_map(&driver, m, 1170, 4, RW, MAP_PRIVATE), 0);
}

static void end_world(struct memory *m)
{
	file_put(file);
	driver_close(&driver, m);
	memory_close(m);
	assert_int_equal(port_live_allocs(), 0);
}

#define SCENARIO(name, call)							\
	static long name(struct memory *m) { return (call); }
#define FAULT(name, page, access)						\
	SCENARIO(name, -(long)mm_handle_fault(m->s.mm, at(page), MM_ACCESS_##access))

FAULT(read_fault, 9, READ)
FAULT(write_fault, 9, WRITE)
FAULT(private_file_read, 20, READ)
FAULT(private_file_write, 20, WRITE)
FAULT(private_file_copy, 18, WRITE)
FAULT(shared_file_write, 26, WRITE)
FAULT(stack_growth, 1000, WRITE)
FAULT(exec_fault, 9, EXEC)
FAULT(driver_read, 1160, READ)
FAULT(driver_write, 1161, WRITE)
FAULT(driver_private_write, 1171, WRITE)
SCENARIO(map_and_touch, ({
	long err = space_map(&m->s, 1150, 4, RW, ANON);

	err ? err : -(long)mm_handle_fault(m->s.mm, at(1150), MM_ACCESS_WRITE);
}))
SCENARIO(map_shared, space_map(&m->s, 1150, 4, RW, MAP_SHARED | MAP_ANONYMOUS))
SCENARIO(map_over, space_map(&m->s, 2, 500, RW, ANON))
SCENARIO(unmap, space_unmap(&m->s, 4, 600))
SCENARIO(protect, mm_mprotect(m->s.mm, at(2), 8 * 4096, PROT_READ))
SCENARIO(move_pages, mm_mremap(m->s.mm, at(500), 20 * 4096, 20 * 4096,
			       MREMAP_MAYMOVE | MREMAP_FIXED, at(1020)) < 0 ? -ENOMEM : 0)
SCENARIO(move_far, mm_mremap(m->s.mm, at(500), 20 * 4096, 20 * 4096,
			     MREMAP_MAYMOVE | MREMAP_FIXED, at(1ul << 19)) < 0 ? -ENOMEM : 0)
SCENARIO(move_over, mm_mremap(m->s.mm, at(500), 20 * 4096, 20 * 4096,
			      MREMAP_MAYMOVE | MREMAP_FIXED, at(2)) < 0 ? -ENOMEM : 0)
SCENARIO(grow_by_moving, mm_mremap(m->s.mm, at(0), 8 * 4096, 4096 * 4096, MREMAP_MAYMOVE, 0) < 0 ?
			 -ENOMEM : 0)
SCENARIO(guard, mm_madvise(m->s.mm, at(2), 4 * 4096, MADV_GUARD_INSTALL))
SCENARIO(guard_many, mm_madvise(m->s.mm, at(505), 10 * 4096, MADV_GUARD_INSTALL))
SCENARIO(populate, mm_madvise(m->s.mm, at(0), 32 * 4096, MADV_POPULATE_WRITE))
SCENARIO(lock_pages, ({
	long err = mm_mlock(m->s.mm, at(0), 32 * 4096);

	err == -EAGAIN ? -ENOMEM : err;
}))
SCENARIO(discard, mm_madvise(m->s.mm, at(0), 32 * 4096, MADV_DONTNEED))

static long fork_once(struct memory *m)
{
	struct mm_user *child;
	int err = mm_fork(m->s.mm, &child);

	if (err)
		return err;
	for (unsigned long i = 0; i < 8; i++)
		assert_int_equal(look_at(child, i).value, i + 1);
	memory_validate(child);
	mmput(child);
	return 0;
}

static long fork_with_a_pin(struct memory *m)
{
	struct mm_translation t;
	enum mm_fault fault = mm_translate(m->s.mm, byte_at(3), MM_ACCESS_WRITE, &t);
	long ret;

	if (fault != MM_FAULT_DONE)
		return -(long)fault;
	ret = fork_once(m);
	mm_translation_put(&t);
	return ret;
}

static long write_after_fork(struct memory *m)
{
	struct mm_user *child;
	enum mm_fault fault;
	int err = mm_fork(m->s.mm, &child);

	if (err)
		return err;
	fault = mm_handle_fault(m->s.mm, at(3), MM_ACCESS_WRITE);
	assert_int_equal(look_at(child, 3).value, 4);
	mmput(child);
	return -(long)fault;
}

/* All of an area from its hook, over the end of a page table. */
static int map_all(struct driver *d, struct vma_new *vma) __in_mmap_hook;
static int map_all(struct driver *d, struct vma_new *vma)
{
	return vm_map_pages(vma, d->pages, NR_PAGES);
}

static int map_frame(struct driver *d, struct vma_new *vma) __in_mmap_hook;
static int map_frame(struct driver *d, struct vma_new *vma)
{
	return remap_pfn_range(vma, vma_start(vma), page_to_pfn(d->pages[0]), SPACE_PAGE);
}

static long driver_maps_all(struct memory *m)
{
	driver.in_mmap = map_all;
	return driver_map(&driver, m, 1528, NR_PAGES, RW, MAP_SHARED);
}

static long driver_maps_frame(struct memory *m)
{
	driver.in_mmap = map_frame;
	return driver_map(&driver, m, 1528, 1, RW, MAP_SHARED);
}

static const struct scenario scenarios[] = {
	{ "read_fault", read_fault }, { "write_fault", write_fault },
	{ "private_file_read", private_file_read }, { "private_file_write", private_file_write },
	{ "private_file_copy", private_file_copy }, { "shared_file_write", shared_file_write },
	{ "stack_growth", stack_growth, true }, { "exec_fault", exec_fault },
	{ "map_and_touch", map_and_touch, true }, { "map_shared", map_shared },
	{ "map_over", map_over }, { "unmap", unmap }, { "protect", protect },
	{ "move_pages", move_pages }, { "move_far", move_far }, { "move_over", move_over, true },
	{ "grow_by_moving", grow_by_moving }, { "guard", guard }, { "guard_many", guard_many },
	{ "populate", populate, true }, { "lock_pages", lock_pages, true },
	{ "discard", discard }, { "fork_once", fork_once }, { "fork_with_a_pin", fork_with_a_pin },
	{ "write_after_fork", write_after_fork },
	{ "driver_read", driver_read }, { "driver_write", driver_write },
	{ "driver_private_write", driver_private_write, true },
	{ "driver_maps_all", driver_maps_all }, { "driver_maps_frame", driver_maps_frame },
};

/* Every byte that was there is there, unless move_over() cleared its place. */
static void assert_as_before(const struct scenario *s, const struct picture *before,
			     const struct picture *after, long n)
{
	for (unsigned long i = 0; i < PAGES; i++) {
		const struct look *was = &before->pages[i], *is = &after->pages[i];

		if (s->run == move_over && i >= 2 && i < 22)
			continue;
		if (was->value != is->value || was->soft != is->soft ||
		    (!s->partial && was->present != is->present))
			fail_msg("%s, n %ld: page %lu", s->name, n, i);
	}
	if (!s->partial && memcmp(&before->stats, &after->stats, sizeof(before->stats)))
		fail_msg("%s, n %ld: totals", s->name, n);
}

/* False: nothing was refused. */
static bool run_once(const struct scenario *s, long n)
{
	static struct picture before, after;
	unsigned long asked;
	struct memory m;
	long ret;

	make_world(&m);
	take_picture(&m, &before);
	asked = port_alloc_count();
	port_fail_nth(n);
	ret = s->run(&m);
	port_fail_nth(0);
	asked = port_alloc_count() - asked;
	memory_validate(m.s.mm);
	if (ret) {
		if (ret != -ENOMEM && ret != -(long)MM_FAULT_OOM)
			fail_msg("%s, n %ld: %ld", s->name, n, ret);
		take_picture(&m, &after);
		assert_as_before(s, &before, &after, n);
		/* And then it works. */
		assert_int_equal(s->run(&m), 0);
	}
	end_world(&m);
	return asked >= (unsigned long)n;
}

static void each_request_refused_once(void **state)
{
	unsigned long cases = 0;

	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		for (long n = 1; run_once(&scenarios[i], n); n++)
			cases++;
	print_message("%lu cases\n", cases);
}

static void in_a_full_arena(void **state)
{
	static struct picture before, after;
	static struct page *hoard[4096];

	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		const struct scenario *s = &scenarios[i];
		unsigned long nr = 0;
		struct memory m;
		long ret;

		make_world(&m);
		take_picture(&m, &before);
		while ((hoard[nr] = page_alloc(m.s.v->arena, 0, PAGE_ANYTHING)))
			nr++;
		ret = s->run(&m);
		memory_validate(m.s.mm);
		if (ret) {
			assert_true(ret == -ENOMEM || ret == -(long)MM_FAULT_OOM);
			take_picture(&m, &after);
			assert_as_before(s, &before, &after, -1);
		}
		while (nr)
			page_put(hoard[--nr]);
		if (ret)
			assert_int_equal(s->run(&m), 0);
		end_world(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_request_refused_once),
		cmocka_unit_test(in_a_full_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
