/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A driver's hooks through the whole life of its areas: called as often as Linux calls them, in the
 * right state of locks, and obeyed when they refuse.
 */
#include <pthread.h>

#include "probe.h"

static struct space s;
static struct probe p;

static void begin(void)
{
	space_open(&s);
	probe_init(&p, &s);
}

/* All of its areas are gone by now, or go with the mm. */
static void end(void)
{
	space_unmap(&s, 0, SPACE_PAGES);
	assert_int_equal(probe_live(&p), 0);
	probe_put(&p);
	space_close(&s);
}

#define assert_calls(mmap, open, close, split, mremap, mprotect)		\
	do {									\
		assert_int_equal(p.nr_mmap, (mmap));				\
		assert_int_equal(p.nr_open, (open));				\
		assert_int_equal(p.nr_close, (close));				\
		assert_int_equal(p.nr_split, (split));				\
		assert_int_equal(p.nr_mremap, (mremap));			\
		assert_int_equal(p.nr_mprotect, (mprotect));			\
	} while (0)

static void forget_calls(void)
{
	p.nr_mmap = p.nr_open = p.nr_close = p.nr_split = p.nr_mremap = p.nr_mprotect = 0;
}

/* ------------------------------------------------------------ map, unmap */

static void whole_life(void **state)
{
	begin();
	assert_int_equal(probe_map(&p, &s, 0, 4, RW), 0);
	assert_int_equal(p.start, at(0));
	assert_int_equal(p.end, at(4));
	assert_calls(1, 0, 0, 0, 0, 0);
	assert_int_equal(space_unmap(&s, 0, 4), 0);
	assert_calls(1, 0, 1, 0, 0, 0);
	end();
}

static void unmap_parts(void **state)
{
	begin();
	assert_int_equal(probe_map(&p, &s, 0, 6, RW), 0);
	/* One end: a split and an end.  The middle: two splits. */
	assert_int_equal(space_unmap(&s, 5, 1), 0);
	assert_calls(1, 1, 1, 1, 0, 0);
	assert_int_equal(p.split_at, at(5));
	assert_int_equal(space_unmap(&s, 2, 1), 0);
	assert_calls(1, 3, 2, 3, 0, 0);
	assert_areas(&s, "[0..2)rw-s [3..5)rw-s");
	assert_int_equal(probe_live(&p), 2);
	/* Something else over both. */
	assert_int_equal(space_map(&s, 0, 6, RW, ANON), 0);
	assert_calls(1, 3, 4, 3, 0, 0);
	end();
}

static void refused_map(void **state)
{
	begin();
	p.mmap_error = -EXFULL;
	assert_int_equal(probe_map(&p, &s, 0, 2, RW), -EXFULL);
	assert_calls(1, 0, 0, 0, 0, 0);
	assert_areas(&s, "");
	/* What MAP_FIXED replaces is gone by the time the hook is asked, as in Linux. */
	assert_int_equal(space_map(&s, 0, 4, RW, ANON), 0);
	assert_int_equal(probe_map(&p, &s, 1, 2, RW), -EXFULL);
	assert_areas(&s, "[0..1)rw-p [3..4)rw-p");
	assert_calls(2, 0, 0, 0, 0, 0);
	forget_calls();
	end();
}

/* Adjacent, at the offset that follows, with equal flags: the area grows, without a second hook. */
static void joins_neighbour(void **state)
{
	begin();
	assert_int_equal(probe_map(&p, &s, 0, 2, RW), 0);
	assert_int_equal(space_map_file(&s, 2, 2, RW, MAP_SHARED, p.file, 2), 0);
	assert_areas(&s, "[0..4)rw-s");
	assert_calls(1, 0, 0, 0, 0, 0);
	/* Not so one that is like no other. */
	p.flags = VM_DONTEXPAND;
	assert_int_equal(space_map_file(&s, 10, 2, RW, MAP_SHARED, p.file, 10), 0);
	assert_int_equal(space_map_file(&s, 12, 2, RW, MAP_SHARED, p.file, 12), 0);
	assert_areas(&s, "[0..4)rw-s [10..12)rw-s [12..14)rw-s");
	assert_calls(3, 0, 0, 0, 0, 0);
	end();
}

/* ------------------------------------------------------------ split */

static void refused_split(void **state)
{
	begin();
	assert_int_equal(probe_map(&p, &s, 0, 4, RW), 0);
	p.split_error = -EXFULL;
	assert_int_equal(space_unmap(&s, 1, 1), -EXFULL);
	assert_int_equal(space_map(&s, 3, 4, RW, ANON), -EXFULL);
	assert_int_equal(mm_mprotect(s.mm, at(0), 2 * SPACE_PAGE, PROT_READ), -EXFULL);
	assert_int_equal(mm_madvise(s.mm, at(1), SPACE_PAGE, MADV_SEQUENTIAL), -EXFULL);
	assert_int_equal(mm_mlock(s.mm, at(1), SPACE_PAGE), -EXFULL);
	assert_int_equal(mm_mremap(s.mm, at(0), SPACE_PAGE, SPACE_PAGE,
				   MREMAP_MAYMOVE | MREMAP_FIXED, at(20)), -EXFULL);
	assert_areas(&s, "[0..4)rw-s");
	assert_int_equal(p.nr_open, 0);
	assert_int_equal(p.nr_close, 0);
	/* The whole of it may go. */
	assert_int_equal(space_unmap(&s, 0, 4), 0);
	end();
}

/* ------------------------------------------------------------ mprotect */

static void protect(void **state)
{
	begin();
	assert_int_equal(probe_map(&p, &s, 0, 6, RW), 0);
	assert_int_equal(mm_mprotect(s.mm, at(2), 2 * SPACE_PAGE, PROT_READ), 0);
	assert_calls(1, 2, 0, 2, 0, 1);
	assert_int_equal(p.start, at(2));
	assert_int_equal(p.end, at(4));
	assert_int_equal(p.new_flags & (VM_READ | VM_WRITE | VM_EXEC), VM_READ);
	assert_areas(&s, "[0..2)rw-s [2..4)r--s [4..6)rw-s");
	/* Back: its close() hook keeps them three. */
	assert_int_equal(mm_mprotect(s.mm, at(0), 6 * SPACE_PAGE, RW), 0);
	assert_calls(1, 2, 0, 2, 0, 4);
	assert_areas(&s, "[0..2)rw-s [2..4)rw-s [4..6)rw-s");
	end();
}

static void protect_joins_without_close(void **state)
{
	begin();
	p.ops = &probe_ops_without_close;
	assert_int_equal(probe_map(&p, &s, 0, 6, RW), 0);
	assert_int_equal(mm_mprotect(s.mm, at(2), 2 * SPACE_PAGE, PROT_READ), 0);
	assert_int_equal(mm_mprotect(s.mm, at(2), 2 * SPACE_PAGE, RW), 0);
	assert_areas(&s, "[0..6)rw-s");
	assert_calls(1, 2, 0, 2, 0, 2);
	assert_int_equal(space_unmap(&s, 0, 6), 0);
	forget_calls();
	end();
}

/* The second of three refuses: the first is changed, as after a hole. */
static void refused_protect(void **state)
{
	begin();
	assert_int_equal(space_map(&s, 0, 1, RW, ANON), 0);
	assert_int_equal(probe_map(&p, &s, 1, 2, RW), 0);
	assert_int_equal(space_map(&s, 3, 1, RW, ANON), 0);
	p.mprotect_error = -EXFULL;
	assert_int_equal(mm_mprotect(s.mm, at(0), 4 * SPACE_PAGE, PROT_READ), -EXFULL);
	assert_areas(&s, "[0..1)r--p [1..3)rw-s [3..4)rw-p");
	/* Before it splits. */
	assert_int_equal(mm_mprotect(s.mm, at(1), SPACE_PAGE, PROT_READ), -EXFULL);
	assert_calls(1, 0, 0, 0, 0, 2);
	end();
}

/* ------------------------------------------------------------ mremap */

static void moves(void **state)
{
	begin();
	assert_int_equal(probe_map(&p, &s, 0, 4, RW), 0);
	assert_int_equal(mm_mremap(s.mm, at(0), 4 * SPACE_PAGE, 4 * SPACE_PAGE,
				   MREMAP_MAYMOVE | MREMAP_FIXED, at(20)), (long)at(20));
	/* A copy comes, is told that it was moved, and the old one ends. */
	assert_calls(1, 1, 1, 0, 1, 0);
	assert_int_equal(p.start, at(20));
	assert_int_equal(p.end, at(24));
	/* The middle of it: two splits of the source, which is asked for both beforehand as well. */
	forget_calls();
	assert_int_equal(mm_mremap(s.mm, at(21), SPACE_PAGE, SPACE_PAGE,
				   MREMAP_MAYMOVE | MREMAP_FIXED, at(30)), (long)at(30));
	assert_areas(&s, "[20..21)rw-s [22..24)rw-s [30..31)rw-s");
	assert_calls(0, 3, 1, 4, 1, 0);
	/* Shorter: a split and an end.  Longer, in place: nobody is asked. */
	forget_calls();
	assert_int_equal(mm_mremap(s.mm, at(22), 2 * SPACE_PAGE, SPACE_PAGE, 0, 0), (long)at(22));
	assert_calls(0, 1, 1, 1, 0, 0);
	assert_int_equal(mm_mremap(s.mm, at(22), SPACE_PAGE, 3 * SPACE_PAGE, 0, 0), (long)at(22));
	assert_calls(0, 1, 1, 1, 0, 0);
	assert_areas(&s, "[20..21)rw-s [22..25)rw-s [30..31)rw-s");
	p.nr_mmap = 3 - probe_live(&p);
	end();
}

static void refused_move(void **state)
{
	begin();
	assert_int_equal(probe_map(&p, &s, 0, 4, RW), 0);
	p.mremap_error = -EXFULL;
	assert_int_equal(mm_mremap(s.mm, at(0), 4 * SPACE_PAGE, 4 * SPACE_PAGE,
				   MREMAP_MAYMOVE | MREMAP_FIXED, at(20)), -EXFULL);
	assert_areas(&s, "[0..4)rw-s");
	assert_calls(1, 1, 1, 0, 1, 0);
	end();
}

static void dontexpand_stops_growth(void **state)
{
	begin();
	p.flags = VM_DONTEXPAND;
	assert_int_equal(probe_map(&p, &s, 0, 2, RW), 0);
	assert_int_equal(mm_mremap(s.mm, at(0), 2 * SPACE_PAGE, 3 * SPACE_PAGE, 0, 0), -EFAULT);
	assert_int_equal(mm_mremap(s.mm, at(0), 2 * SPACE_PAGE, 3 * SPACE_PAGE, MREMAP_MAYMOVE, 0),
			 -EFAULT);
	assert_int_equal(mm_mremap(s.mm, at(0), 2 * SPACE_PAGE, 3 * SPACE_PAGE,
				   MREMAP_MAYMOVE | MREMAP_FIXED, at(20)), -EFAULT);
	assert_int_equal(mm_mremap(s.mm, at(0), 2 * SPACE_PAGE, 2 * SPACE_PAGE,
				   MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0), -EINVAL);
	assert_areas(&s, "[0..2)rw-s");
	/* It may move and shrink. */
	assert_int_equal(mm_mremap(s.mm, at(0), 2 * SPACE_PAGE, SPACE_PAGE,
				   MREMAP_MAYMOVE | MREMAP_FIXED, at(20)), (long)at(20));
	assert_areas(&s, "[20..21)rw-s");
	end();
}

/* ------------------------------------------------------------ fork, exec, exit */

static void forks(void **state)
{
	struct mm_user *child;

	begin();
	assert_int_equal(probe_map(&p, &s, 0, 2, RW), 0);
	assert_int_equal(probe_map(&p, &s, 4, 2, RW), 0);
	assert_int_equal(mm_fork(s.mm, &child), 0);
	assert_calls(2, 2, 0, 0, 0, 0);
	mmput(child);
	assert_calls(2, 2, 2, 0, 0, 0);
	/* Not told of, since it does not happen. */
	p.flags = VM_DONTCOPY;
	assert_int_equal(probe_map(&p, &s, 8, 2, RW), 0);
	assert_int_equal(mm_fork(s.mm, &child), 0);
	assert_calls(3, 4, 2, 0, 0, 0);
	assert_true(mm_range_ok(child, at(0), 2 * SPACE_PAGE, RW));
	assert_false(mm_range_ok(child, at(8), SPACE_PAGE, PROT_NONE));
	mmput(child);
	assert_calls(3, 4, 4, 0, 0, 0);
	end();
}

/* The process takes VM_DONTCOPY back with MADV_DOFORK, unless VM_IO is set too. */
static void who_may_take_flags_back(void **state)
{
	begin();
	p.flags = VM_DONTCOPY | VM_DONTDUMP;
	assert_int_equal(probe_map(&p, &s, 0, 1, RW), 0);
	assert_int_equal(mm_madvise(s.mm, at(0), SPACE_PAGE, MADV_DOFORK), 0);
	assert_int_equal(mm_madvise(s.mm, at(0), SPACE_PAGE, MADV_DODUMP), 0);
	p.flags |= VM_IO;
	assert_int_equal(probe_map(&p, &s, 4, 1, RW), 0);
	assert_int_equal(mm_madvise(s.mm, at(4), SPACE_PAGE, MADV_DOFORK), -EINVAL);
	assert_int_equal(mm_madvise(s.mm, at(4), SPACE_PAGE, MADV_DODUMP), -EINVAL);
	end();
}

static void exec_and_exit(void **state)
{
	begin();
	assert_int_equal(probe_map(&p, &s, 0, 2, RW), 0);
	assert_int_equal(probe_map(&p, &s, 4, 2, RW), 0);
	assert_int_equal(mm_exec(s.mm, &s.mm_config), 0);
	assert_calls(2, 0, 2, 0, 0, 0);
	assert_areas(&s, "");
	assert_int_equal(probe_map(&p, &s, 0, 2, RW), 0);
	mmput(s.mm);
	assert_calls(3, 0, 3, 0, 0, 0);
	probe_put(&p);
	vmarea_destroy(s.v);
}

/* ------------------------------------------------------------ VM_MAY* */

static void cleared_for_ever(void **state)
{
	struct mm_user *child;

	begin();
	p.clear_may = true;
	assert_int_equal(probe_map(&p, &s, 0, 4, PROT_READ), 0);
	assert_int_equal(mm_mprotect(s.mm, at(0), SPACE_PAGE, RW), -EACCES);
	assert_int_equal(mm_mprotect(s.mm, at(0), SPACE_PAGE, PROT_EXEC), -EACCES);
	/* Not after it has been split, moved, or copied either. */
	assert_int_equal(mm_mprotect(s.mm, at(0), SPACE_PAGE, PROT_NONE), 0);
	assert_int_equal(mm_mprotect(s.mm, at(0), SPACE_PAGE, RW), -EACCES);
	assert_int_equal(mm_mprotect(s.mm, at(0), SPACE_PAGE, PROT_READ), 0);
	assert_int_equal(mm_mremap(s.mm, at(1), SPACE_PAGE, SPACE_PAGE,
				   MREMAP_MAYMOVE | MREMAP_FIXED, at(20)), (long)at(20));
	assert_int_equal(mm_mprotect(s.mm, at(20), SPACE_PAGE, RW), -EACCES);
	assert_int_equal(mm_fork(s.mm, &child), 0);
	assert_int_equal(mm_mprotect(child, at(20), SPACE_PAGE, RW), -EACCES);
	assert_int_equal(mm_mprotect(child, at(2), SPACE_PAGE, PROT_EXEC), -EACCES);
	mmput(child);
	/* Mapped without any right, none can be had. */
	assert_int_equal(probe_map(&p, &s, 30, 1, PROT_NONE), 0);
	assert_int_equal(mm_mprotect(s.mm, at(30), SPACE_PAGE, PROT_READ), -EACCES);
	end();
}

/* ------------------------------------------------------------ names */

static int count_named(const struct area_info *info, void *arg)
{
	int *nr = arg;

	*nr += !strcmp(info->name, "[probe]");
	return 0;
}

static void names(void **state)
{
	struct area_info info;
	int nr = 0;

	begin();
	assert_int_equal(probe_map(&p, &s, 0, 2, RW), 0);
	assert_int_equal(probe_map(&p, &s, 4, 2, RW), 0);
	assert_int_equal(mm_for_each_area(s.mm, 0, ~0ul, count_named, &nr), 0);
	assert_int_equal(nr, 2);
	assert_true(p.nr_name >= 2);
	/* The question that may be asked anywhere cannot ask a driver. */
	p.nr_name = 0;
	assert_int_equal(mm_query(s.mm, at(0), &info), 0);
	assert_string_equal(info.name, "");
	assert_ptr_equal(info.file, p.file);
	area_info_put(&info);
	assert_int_equal(p.nr_name, 0);
	end();
}

/* ------------------------------------------------------------ locks */

static struct vma_ref *found_by_reader;

static void *read_at_zero(void *arg)
{
	found_by_reader = lock_vma_under_rcu(s.mm, at(0));
	if (found_by_reader)
		vma_end_read(found_by_reader);
	return NULL;
}

/* In a hook that gets a vma_mut nobody reads that VMA, and nobody begins to. */
static void look_from_another_thread(struct probe *probe, struct vma_mut *vma)
{
	pthread_t thread;

	found_by_reader = NULL;
	assert_int_equal(pthread_create(&thread, NULL, read_at_zero, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_null(found_by_reader);
}

static void closes_without_readers(void **state)
{
	begin();
	p.in_close = look_from_another_thread;
	assert_int_equal(probe_map(&p, &s, 0, 2, RW), 0);
	assert_int_equal(space_unmap(&s, 0, 2), 0);
	assert_int_equal(p.nr_close, 1);
	assert_int_equal(probe_map(&p, &s, 0, 2, RW), 0);
	assert_int_equal(space_map(&s, 0, 2, RW, ANON), 0);
	assert_int_equal(p.nr_close, 2);
	assert_int_equal(probe_map(&p, &s, 0, 2, RW), 0);
	assert_int_equal(mm_exec(s.mm, &s.mm_config), 0);
	assert_int_equal(p.nr_close, 3);
	end();
}

/* release() is called without a lock: it may make any call, on the mm that had the file too. */
static void call_from_release(struct probe *probe)
{
	assert_int_equal(space_map(&s, 50, 1, RW, ANON), 0);
	assert_int_equal(space_unmap(&s, 50, 1), 0);
}

static void release_may_call(void **state)
{
	begin();
	p.in_release = call_from_release;
	assert_int_equal(probe_map(&p, &s, 0, 2, RW), 0);
	file_put(p.file);
	assert_int_equal(p.nr_release, 0);
	assert_int_equal(space_unmap(&s, 0, 2), 0);
	assert_int_equal(p.nr_release, 1);
	space_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_life),
		cmocka_unit_test(unmap_parts),
		cmocka_unit_test(refused_map),
		cmocka_unit_test(joins_neighbour),
		cmocka_unit_test(refused_split),
		cmocka_unit_test(protect),
		cmocka_unit_test(protect_joins_without_close),
		cmocka_unit_test(refused_protect),
		cmocka_unit_test(moves),
		cmocka_unit_test(refused_move),
		cmocka_unit_test(dontexpand_stops_growth),
		cmocka_unit_test(forks),
		cmocka_unit_test(who_may_take_flags_back),
		cmocka_unit_test(exec_and_exit),
		cmocka_unit_test(cleared_for_ever),
		cmocka_unit_test(names),
		cmocka_unit_test(closes_without_readers),
		cmocka_unit_test(release_may_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
