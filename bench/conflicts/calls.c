/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The calls that are compared, each in a few lines; in the order in which they are printed.
 *
 * What the library writes for its caller goes to the stack, which is not recorded.
 */
#include <stdio.h>
#include <stdlib.h>

#include "calls.h"

#define must(ok)	do { if (!(ok)) failed(#ok, __LINE__); } while (0)

__attribute__((noreturn)) static void failed(const char *what, int line)
{
	fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, line, what);
	exit(3);
}

/* ----------------------------------------------------------- without a lock -- */

static void range_ok(struct side *s)
{
	must(mm_range_ok(s->mm, s->shared, AREA_BYTES, RW));
}

static void speculate(struct side *s)
{
	unsigned int seq;

	must(mmap_lock_speculate_try_begin(s->mm, &seq));
	must(!mmap_lock_speculate_retry(s->mm, seq));
}

static void look_up(struct mm_user *mm, unsigned long addr)
{
	struct vma_ref *vma = lock_vma_under_rcu(mm, addr);

	must(vma);
	vma_end_read(vma);
}

static void lookup_one(struct side *s)
{
	look_up(s->mm, s->shared);
}

static void lookup_near(struct side *s)
{
	look_up(s->mm, s->near);
}

static void lookup_far(struct side *s)
{
	look_up(s->mm, s->own);
}

static void ask(struct mm_user *mm, unsigned long addr)
{
	struct area_info info;

	must(!mm_query(mm, addr, &info));
	area_info_put(&info);
}

static void query(struct side *s)
{
	ask(s->mm, s->own);
}

static void query_near(struct side *s)
{
	ask(s->mm, s->near);
}

static void query_file(struct side *s)
{
	ask(s->mm, s->mapped);
}

static void query_next(struct side *s)
{
	struct area_info info;

	must(!mm_query_next(s->mm, s->own - PAGE, &info));
	must(info.start == s->own);
	area_info_put(&info);
}

/* ---------------------------------------------------- the mmap lock, for read -- */

static void read_lock(struct side *s)
{
	struct mmap_read *lock = mmap_read_lock(s->mm);

	must(vma_lookup(lock, s->own));
	mmap_read_unlock(lock);
}

static int count(const struct area_info *info, void *arg)
{
	++*(unsigned int *)arg;
	return 0;
}

static void for_each(struct side *s)
{
	unsigned int nr = 0;

	must(!mm_for_each_area(s->mm, s->own, s->mapped + AREA_BYTES, count, &nr));
	must(nr == NR_FILE - NR_OWN + 1);
}

static int swallow(void *arg, const char *text, size_t bytes)
{
	return 0;
}

static void maps(struct side *s)
{
	must(!mm_report_maps(s->mm, swallow, NULL));
}

static void touch(struct side *s)
{
	must(mm_touch(s->mm, s->own, MM_ACCESS_WRITE) == MM_FAULT_DONE);
}

static void touch_again(struct side *s)
{
	must(mm_touch(s->mm, s->touched, MM_ACCESS_WRITE) == MM_FAULT_DONE);
}

static void dontneed(struct side *s)
{
	must(!mm_madvise(s->mm, s->touched, AREA_BYTES, MADV_DONTNEED));
}

/* ------------------------------------------------------------ with pages -- */

static void fault(struct mm_user *mm, unsigned long addr, enum mm_access access)
{
	must(mm_handle_fault(mm, addr, access) == MM_FAULT_DONE);
}

static void fault_first(struct side *s)
{
	fault(s->mm, s->own, MM_ACCESS_WRITE);
}

static void fault_far(struct side *s)
{
	fault(s->mm, s->touched + PAGE, MM_ACCESS_WRITE);
}

static void fault_one(struct side *s)
{
	fault(s->mm, s->of_shared, MM_ACCESS_WRITE);
}

static void fault_near(struct side *s)
{
	fault(s->mm, s->near + PAGE, MM_ACCESS_WRITE);
}

static void fault_read(struct side *s)
{
	fault(s->mm, s->own, MM_ACCESS_READ);
}

static void load(struct side *s)
{
	enum mm_fault why;
	char byte;

	must(mm_read(s->mm, s->touched, &byte, 1, &why) == 1);
}

static void store(struct side *s)
{
	enum mm_fault why;

	must(mm_write(s->mm, s->touched, "", 1, &why) == 1);
}

/* --------------------------------------------------- the mmap lock, for write -- */

static void mmap_hole(struct side *s)
{
	must(mm_mmap(s->mm, s->own + 2 * AREA_BYTES, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, NULL,
		     0) > 0);
}

static void mmap_file(struct side *s)
{
	must(mm_mmap(s->mm, s->own + 2 * AREA_BYTES, PAGE, RW,
		     MAP_PRIVATE | MAP_FIXED_NOREPLACE, s->file, 0) > 0);
}

static void munmap_area(struct side *s)
{
	must(!mm_munmap(s->mm, s->touched, AREA_BYTES));
}

static void mprotect_area(struct side *s)
{
	must(!mm_mprotect(s->mm, s->touched, AREA_BYTES, PROT_READ));
}

static void mprotect_part(struct side *s)
{
	must(!mm_mprotect(s->mm, s->touched + PAGE, PAGE, PROT_READ));
}

static void madvise_area(struct side *s)
{
	must(!mm_madvise(s->mm, s->touched, AREA_BYTES, MADV_RANDOM));
}

static void mlock_area(struct side *s)
{
	must(!mm_mlock(s->mm, s->touched, AREA_BYTES));
}

static void grow_heap(struct side *s)
{
	must(mm_brk(s->mm, s->brk) == s->brk);
}

/* --------------------------------------------------------- mms and references -- */

static void fork_mm(struct side *s)
{
	struct mm_user *child;

	must(!mm_fork(s->mm, &child));
	s->made = child;
}

static void exit_mm(struct side *s)
{
	mmput(s->child);
	s->child = NULL;
}

static void create(struct side *s)
{
	const struct mm_config config = MM_CONFIG_INIT;
	struct mm_user *mm;

	must(!mm_create(s->instance, &config, &mm));
	s->made = mm;
}

static void get_put(struct side *s)
{
	mmput(mmget(s->mm));
}

static void grab_drop(struct side *s)
{
	mmgrab(mm_user_mm(s->mm));
	mmdrop(mm_user_mm(s->mm));
}

static void file_get_put(struct side *s)
{
	file_put(file_get(s->file));
}

const struct call calls[] = {
	{ "range_ok", range_ok },
	{ "speculate", speculate },
	{ "lookup_one", lookup_one },
	{ "lookup_near", lookup_near },
	{ "lookup_far", lookup_far },
	{ "query", query },
	{ "query_near", query_near },
	{ "query_file", query_file },
	{ "query_next", query_next },
	{ "read_lock", read_lock },
	{ "for_each", for_each },
	{ "maps", maps },
	{ "touch", touch },
	{ "touch_again", touch_again },
	{ "dontneed", dontneed },
	{ "fault_first", fault_first, .needs = NEEDS_PAGES },
	{ "fault_far", fault_far, .needs = NEEDS_PAGES },
	{ "fault_near", fault_near, .needs = NEEDS_PAGES },
	{ "fault_one", fault_one, .needs = NEEDS_PAGES },
	{ "fault_read", fault_read, .needs = NEEDS_PAGES },
	{ "load", load, .needs = NEEDS_PAGES },
	{ "store", store, .needs = NEEDS_PAGES },
	{ "zap", dontneed, .needs = NEEDS_PAGES },
	{ "mmap", mmap_hole },
	{ "mmap_file", mmap_file },
	{ "munmap", munmap_area },
	{ "mprotect", mprotect_area },
	{ "mprotect_part", mprotect_part },
	{ "madvise", madvise_area },
	{ "mlock", mlock_area },
	{ "brk", grow_heap },
	{ "fork", fork_mm },
	{ "exit", exit_mm, .needs = NEEDS_CHILD },
	{ "create", create },
	{ "mmget", get_put },
	{ "mmgrab", grab_drop },
	{ "file_get", file_get_put },
};
const unsigned int nr_calls = sizeof(calls) / sizeof(calls[0]);
