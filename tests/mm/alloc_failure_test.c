/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Every allocation inside every memory call fails once: the error is -ENOMEM, and the address space
 * is what it was, to the last flag and total.
 *
 * Each scenario is run on a fresh copy of one crowded address space, with the n-th allocation made
 * to fail, for n = 1, 2, ... until a run gets through without reaching the n-th.  The number of
 * cases is printed.  Debug builds only: a release build has no such sites.
 */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <vmarea/debug.h>

#include "port/port.h"

#define PAGE		4096ul
#define AT(page)	(0x10000000ul + (page) * PAGE)
#define RW		(PROT_READ | PROT_WRITE)
#define ANON		(MAP_PRIVATE | MAP_ANONYMOUS)

static struct vmarea *instance;
static struct file *file, *segment;

/* What can be seen of an address space, as text. */
struct picture {
	char *text;
	size_t len, room;
};

static int append(void *arg, const char *text, size_t bytes)
{
	struct picture *p = arg;

	if (p->len + bytes + 1 > p->room) {
		p->room = 2 * (p->len + bytes + 1);
		p->text = realloc(p->text, p->room);
		assert_non_null(p->text);
	}
	memcpy(p->text + p->len, text, bytes);
	p->len += bytes;
	p->text[p->len] = 0;
	return 0;
}

static struct picture picture_of(struct mm_user *mm)
{
	struct picture p = { 0 };
	struct mm_stats s;
	char line[256];
	int n;

	assert_int_equal(mm_report_smaps(mm, append, &p), 0);
	mm_get_stats(mm, &s);
	n = snprintf(line, sizeof(line), "areas %lu total %lu data %lu exec %lu stack %lu locked %lu "
		     "committed %lu brk %lx\n", s.nr_areas, s.total_pages, s.data_pages, s.exec_pages,
		     s.stack_pages, s.locked_pages, s.committed_pages, s.brk);
	append(&p, line, (size_t)n);
	return p;
}

static void must_map(struct mm_user *mm, unsigned long page, unsigned long nr, unsigned long prot,
		     unsigned long flags, struct file *what)
{
	assert_int_equal(mm_mmap(mm, AT(page), nr * PAGE, prot, flags | MAP_FIXED, what,
				 what ? page * PAGE : 0), AT(page));
}

/* A machine of its own for each case, so that no pool is warm. */
static void make_world(void)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;
	struct file_desc desc = {
		.size = sizeof(desc), .name = "/file", .inode = 1, .flags = FILE_READ | FILE_WRITE,
		.size_bytes = 1 << 20,
	};

	assert_int_equal(vmarea_create(&config, &instance), 0);
	assert_int_equal(file_create(instance, &desc, &file), 0);
	desc.name = "/SYSV00000000";
	desc.flags |= FILE_SHMEM | FILE_DELETED;
	desc.size_bytes = 4 * PAGE;
	assert_int_equal(file_create(instance, &desc, &segment), 0);
}

static void end_world(struct mm_user *mm)
{
	mmput(mm);
	file_put(file);
	file_put(segment);
	vmarea_destroy(instance);
	assert_int_equal(port_live_allocs(), 0);
}

/*
 * pages	0..8 touched, 8..16 fresh and read-only, 16..24 file, 24..32 shared, hole, 40..48
 * touched, 200..216 locked, a stack below 900, 300 + 2 i: forty single pages, so that the tree has
 * more than one node.
 */
static struct mm_user *crowded(void)
{
	struct mm_config config = MM_CONFIG_INIT;
	struct mm_user *mm;

	make_world();
	config.start_brk = config.brk = AT(1000);
	assert_int_equal(mm_create(instance, &config, &mm), 0);
	must_map(mm, 0, 8, RW, ANON, NULL);
	assert_int_equal(mm_touch(mm, AT(3), MM_ACCESS_WRITE), MM_FAULT_DONE);
	must_map(mm, 8, 8, PROT_READ, ANON, NULL);
	must_map(mm, 16, 8, RW, MAP_PRIVATE, file);
	must_map(mm, 24, 8, RW, MAP_SHARED | MAP_ANONYMOUS, NULL);
	must_map(mm, 40, 8, RW, ANON, NULL);
	assert_int_equal(mm_touch(mm, AT(41), MM_ACCESS_WRITE), MM_FAULT_DONE);
	must_map(mm, 899, 1, RW, ANON | MAP_GROWSDOWN, NULL);
	must_map(mm, 200, 16, RW, ANON | MAP_LOCKED, NULL);
	for (unsigned long i = 0; i < 40; i++)
		must_map(mm, 300 + 2 * i, 1, RW, ANON, NULL);
	return mm;
}

/* ------------------------------------------------------------- the scenarios -- */

#define SCENARIO(name, call)							\
	static long name(struct mm_user *mm) { return (call); }

SCENARIO(mmap_anywhere, mm_mmap(mm, 0, 8 * PAGE, RW, ANON, NULL, 0))
SCENARIO(mmap_inside, mm_mmap(mm, AT(2), 2 * PAGE, PROT_READ, ANON | MAP_FIXED, NULL, 0))
SCENARIO(mmap_over_many, mm_mmap(mm, AT(5), 30 * PAGE, RW, ANON | MAP_FIXED, NULL, 0))
SCENARIO(mmap_over_singles, mm_mmap(mm, AT(310), 50 * PAGE, RW, ANON | MAP_FIXED, NULL, 0))
SCENARIO(mmap_shared, mm_mmap(mm, AT(5), 8 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, NULL, 0))
SCENARIO(mmap_file, mm_mmap(mm, AT(5), 8 * PAGE, RW, MAP_SHARED | MAP_FIXED, file, 0))
SCENARIO(mmap_locked, mm_mmap(mm, AT(5), 8 * PAGE, RW, ANON | MAP_FIXED | MAP_LOCKED, NULL, 0))
SCENARIO(mmap_populate, mm_mmap(mm, AT(600), 8 * PAGE, RW, ANON | MAP_FIXED | MAP_POPULATE, NULL, 0))
SCENARIO(munmap_inside, mm_munmap(mm, AT(2), 2 * PAGE))
SCENARIO(munmap_over_many, mm_munmap(mm, AT(5), 38 * PAGE))
SCENARIO(munmap_singles, mm_munmap(mm, AT(300), 80 * PAGE))
SCENARIO(mprotect_inside, mm_mprotect(mm, AT(2), 2 * PAGE, PROT_READ))
SCENARIO(mprotect_over_many, mm_mprotect(mm, AT(5), 20 * PAGE, PROT_READ))
SCENARIO(mprotect_makes_writable, mm_mprotect(mm, AT(9), 3 * PAGE, RW))
SCENARIO(mprotect_locked, mm_mprotect(mm, AT(203), 3 * PAGE, PROT_READ))
SCENARIO(mremap_grow, mm_mremap(mm, AT(40), 8 * PAGE, 12 * PAGE, 0, 0))
SCENARIO(mremap_move, mm_mremap(mm, AT(2), 3 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, AT(20)))
SCENARIO(mremap_grow_away, mm_mremap(mm, AT(2), 3 * PAGE, 9 * PAGE, MREMAP_MAYMOVE, 0))
SCENARIO(mremap_many, mm_mremap(mm, AT(2), 28 * PAGE, 28 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, AT(600)))
SCENARIO(mremap_dontunmap, mm_mremap(mm, AT(2), 3 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0))
SCENARIO(mremap_duplicate, mm_mremap(mm, AT(24), 0, 4 * PAGE, MREMAP_MAYMOVE, 0))
SCENARIO(mremap_shrink, mm_mremap(mm, AT(0), 8 * PAGE, 3 * PAGE, 0, 0))
SCENARIO(madvise_dontfork, mm_madvise(mm, AT(2), 20 * PAGE, MADV_DONTFORK))
SCENARIO(madvise_random, mm_madvise(mm, AT(2), 2 * PAGE, MADV_RANDOM))
SCENARIO(madvise_populate, mm_madvise(mm, AT(300), PAGE, MADV_POPULATE_WRITE))
SCENARIO(madvise_guard, mm_madvise(mm, AT(300), PAGE, MADV_GUARD_INSTALL))
SCENARIO(mlock_inside, mm_mlock(mm, AT(2), 2 * PAGE))
SCENARIO(mlock_many, mm_mlock(mm, AT(2), 14 * PAGE))
SCENARIO(munlock_inside, mm_munlock(mm, AT(203), 2 * PAGE))
SCENARIO(mlockall_now, mm_mlockall(mm, MCL_CURRENT))
SCENARIO(munlockall_now, mm_munlockall(mm))
SCENARIO(mseal_inside, mm_mseal(mm, AT(2), 20 * PAGE, 0))
SCENARIO(name_inside, mm_set_anon_name(mm, AT(2), 2 * PAGE, "a name"))
SCENARIO(name_many, mm_set_anon_name(mm, AT(2), 12 * PAGE, "a name"))
SCENARIO(merge_any, mm_set_memory_merge(mm, true))
SCENARIO(remap_file, mm_remap_file_pages(mm, AT(25), 2 * PAGE, 0, 4, 0))
SCENARIO(shm_attach, mm_shmat(mm, segment, 0, 0))
SCENARIO(shm_attach_over, mm_shmat(mm, segment, AT(4), SHM_REMAP))
SCENARIO(process_madvise, mm_process_madvise(mm, &(struct mm_range){ AT(2), 2 * PAGE }, 1,
					     MADV_COLD, 0, true))

/* Calls whose failure is not a number: translated. */
static long brk_up(struct mm_user *mm)
{
	return mm_brk(mm, AT(1004)) == AT(1004) ? 0 : -ENOMEM;
}

static long touch_fresh(struct mm_user *mm)
{
	enum mm_fault fault = mm_touch(mm, AT(300), MM_ACCESS_WRITE);

	return fault == MM_FAULT_OOM ? -ENOMEM : fault == MM_FAULT_DONE ? 0 : -EFAULT;
}

static long touch_stack(struct mm_user *mm)
{
	enum mm_fault fault = mm_touch(mm, AT(897), MM_ACCESS_WRITE);

	return fault == MM_FAULT_OOM ? -ENOMEM : fault == MM_FAULT_DONE ? 0 : -EFAULT;
}

static long fork_it(struct mm_user *mm)
{
	struct mm_user *child;
	int err = mm_fork(mm, &child);

	if (!err)
		mmput(child);
	return err;
}

static long add_area(struct mm_user *mm)
{
	return mm_add_area(mm, &(struct area_desc){
		.start = AT(700), .end = AT(701), .flags = VM_READ | VM_WRITE | VM_MAYREAD |
		VM_MAYWRITE | VM_MAYEXEC | VM_ACCOUNT, .pgoff = AT(700) / PAGE, .touched = true });
}

#define S(name)	{ #name, name }
static const struct scenario {
	const char *name;
	long (*call)(struct mm_user *mm);
} scenarios[] = {
	S(mmap_anywhere), S(mmap_inside), S(mmap_over_many), S(mmap_over_singles), S(mmap_shared),
	S(mmap_file), S(mmap_locked), S(mmap_populate), S(munmap_inside), S(munmap_over_many),
	S(munmap_singles), S(mprotect_inside), S(mprotect_over_many), S(mprotect_makes_writable),
	S(mprotect_locked), S(mremap_grow), S(mremap_move), S(mremap_grow_away), S(mremap_many),
	S(mremap_dontunmap), S(mremap_duplicate), S(mremap_shrink), S(madvise_dontfork),
	S(madvise_random), S(madvise_populate), S(madvise_guard), S(mlock_inside), S(mlock_many),
	S(munlock_inside), S(mlockall_now), S(munlockall_now), S(mseal_inside), S(name_inside),
	S(name_many), S(merge_any), S(remap_file), S(shm_attach), S(shm_attach_over),
	S(process_madvise), S(brk_up), S(touch_fresh), S(touch_stack), S(fork_it), S(add_area),
};

/* True if the n-th allocation was reached. */
static bool fail_nth(const struct scenario *s, long n)
{
	struct mm_user *mm = crowded();
	struct picture before = picture_of(mm), after;
	unsigned long asked = port_alloc_count();
	char why[256] = "";
	bool reached;
	long ret;

	port_fail_nth(n);
	ret = s->call(mm);
	port_fail_nth(0);
	reached = port_alloc_count() - asked >= (unsigned long)n;
	after = picture_of(mm);
	if (mm_validate(mm, why, sizeof(why)))
		fail_msg("%s, allocation %ld: %s", s->name, n, why);
	if (!reached && ret < 0)
		fail_msg("%s: %ld without a failure", s->name, ret);
	if (reached && ret != -ENOMEM)
		fail_msg("%s, allocation %ld: %ld, not -ENOMEM", s->name, n, ret);
	if (reached && strcmp(before.text, after.text))
		fail_msg("%s, allocation %ld: before\n%safter\n%s", s->name, n, before.text, after.text);
	free(before.text);
	free(after.text);
	end_world(mm);
	return reached;
}

static void test_every_allocation(void **state)
{
	unsigned long cases = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		long n = 1;

		while (fail_nth(&scenarios[i], n))
			n++;
		cases += (unsigned long)n - 1;
		print_message("%-24s %ld allocations\n", scenarios[i].name, n - 1);
	}
	print_message("%lu cases\n", cases);
	assert_true(cases > 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_allocation) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
