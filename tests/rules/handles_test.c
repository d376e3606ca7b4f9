/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Handles that are used where they are not good any more, or never were: with the public headers
 * alone, as a driver would, and as no compiler sees it.
 */
#include <pthread.h>

#include "../mm/space.h"
#include "reports.h"
#include "vma/handle.h"

#if defined(__x86_64__)

/* The same pointer; gcc, which warns of these mistakes, does not see that it is. */
#define alias(p)								\
	({ __typeof__(p) __alias = (p); __asm__("" : "+r"(__alias)); __alias; })

static struct space s;

static struct {
	struct vma_mut *opened;
	struct vma_new *mapped;
	struct mm_user *lent;
} kept;

static int hook_mmap(struct file *file, struct vma_new *vma)
{
	(void)file;
	kept.mapped = vma;
	vma_set_io(vma);
	assert_int_equal(vma_start(vma), at(20));
	return 0;
}

static void hook_open(struct vma_mut *vma)
{
	kept.opened = vma;
	assert_true(vma_end(vma) > vma_start(vma));
}

static const struct vm_operations_struct ops = { .open = hook_open };

static int hook_mmap_ops(struct file *file, struct vma_new *vma)
{
	vma_set_owner(vma, &ops, NULL);
	return hook_mmap(file, vma);
}

static void map_driver(void)
{
	static const struct file_operations file_ops = { .owner = "test", .mmap = hook_mmap_ops };
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "f", .ops = &file_ops,
		.flags = FILE_READ | FILE_WRITE,
	};
	struct file *file;

	assert_int_equal(file_create(s.v, &desc, &file), 0);
	assert_int_equal(space_map_file(&s, 20, 4, RW, MAP_SHARED, file, 0), 0);
	file_put(file);
}

static int set_up(void **state)
{
	(void)state;
	space_open(&s);
	assert_int_equal(space_map(&s, 0, 4, RW, ANON), 0);
	note_reports();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	stop_noting();
	space_close(&s);
	return 0;
}

/* ------------------------------------------------------------------------------- stale */

static __attribute__((noinline)) struct vma_ref *find(struct mmap_read *lock)
{
	return vma_lookup(lock, at(1));
}

static void after_unlock(void **state)
{
	struct mmap_read *lock = mmap_read_lock(s.mm);
	struct vma_ref *vma = find(lock);

	(void)state;
	assert_int_equal(vma_start(vma), at(0));
	mmap_read_unlock(lock);
	assert_int_equal(vma_start(vma), at(0));
	expect_report("stale handle: VMA 0x", "in vma_start(), after its mmap lock section (read) "
		      "has ended in mmap_read_unlock",
		      "rule: a handle is gone with the lock", "now: used", "after_unlock+0x",
		      "begun: mmap_read_lock()", "after_unlock+0x",
		      "ended: mmap_read_unlock()", "after_unlock+0x", "held: nothing",
		      "what to do: look the VMA up again");
}

static void after_relock(void **state)
{
	struct mmap_read *lock = mmap_read_lock(s.mm);
	struct vma_ref *vma = find(lock);

	(void)state;
	mmap_read_unlock(lock);
	lock = mmap_read_lock(s.mm);
	assert_int_equal(vma_end(vma), at(4));
	expect_report("stale handle: VMA", "in vma_end()", "mmap_read_unlock", "held: mmap lock");
	vma = find(lock);
	assert_int_equal(vma_end(vma), at(4));
	mmap_read_unlock(lock);
	expect_no_report();
}

static void after_end_read(void **state)
{
	struct vma_ref *vma = lock_vma_under_rcu(s.mm, at(1));

	(void)state;
	assert_non_null(vma);
	assert_int_equal(vma_start(vma), at(0));
	vma_end_read(alias(vma));
	vma_flags(vma);
	expect_report("stale handle: VMA", "in vma_flags(), after its VMA read lock section has "
		      "ended in vma_end_read", "begun: lock_vma_under_rcu()",
		      "ended: vma_end_read()");
}

static void after_downgrade(void **state)
{
	struct mmap_write *lock = mmap_write_lock(s.mm);
	struct vma_mut *vma = vma_start_write(lock, vma_lookup(lock, at(1)));
	struct mmap_read *read;

	(void)state;
	assert_int_equal(vma_set_anon_name(vma, "one"), 0);
	read = mmap_write_downgrade(lock);
	vma_start(vma);
	expect_report("stale handle: VMA", "mmap lock section (write)", "mmap_write_downgrade");
	mmap_read_unlock(read);
}

static void the_lock_itself(void **state)
{
	struct mmap_read *lock = mmap_read_lock(s.mm);
	struct mmap_read *again;

	(void)state;
	mmap_read_unlock(alias(lock));
	again = mmap_read_lock(s.mm);
	assert_non_null(vma_lookup(lock, at(1)));
	expect_report("stale handle: mmap lock 0x", "in vma_lookup()");
	mmap_read_unlock(again);
}

/* ----------------------------------------------------------------------------- foreign */

static void *looks(void *arg)
{
	note_reports();
	vma_start((struct vma_ref *)arg);
	stop_noting();
	return NULL;
}

static void on_another_thread(void **state)
{
	struct mmap_read *lock = mmap_read_lock(s.mm);
	struct vma_ref *vma = find(lock);
	char thread[64];
	pthread_t other;

	(void)state;
	assert_int_equal(pthread_create(&other, NULL, looks, vma), 0);
	assert_int_equal(pthread_join(other, NULL), 0);
	snprintf(thread, sizeof(thread), "of the mmap lock section (read) of thread %u",
		 (unsigned int)gettid());
	expect_report("foreign handle: VMA 0x", "in vma_start(), ", thread,
		      "rule: a handle is for the thread that holds the lock", "now: used",
		      "looks+0x", "begun: mmap_read_lock()", "on_another_thread+0x",
		      "held: nothing");
	mmap_read_unlock(lock);
}

/* The VMA's reader, and not the write lock's: it would wait for itself. */
static void of_another_lock(void **state)
{
	struct vma_ref *vma = lock_vma_under_rcu(s.mm, at(1));
	struct mmap_write *lock;
	struct mm_user *other;

	(void)state;
	assert_non_null(vma);
	assert_int_equal(mm_create(s.v, &s.mm_config, &other), 0);
	lock = mmap_write_trylock(other);
	assert_non_null(lock);
	section_match(lock, vma, "vma_start_write");
	expect_report("foreign handle: VMA 0x", "in vma_start_write(), of the VMA read lock section",
		      "for calls under that lock", "begun: lock_vma_under_rcu()");
	mmap_write_unlock(lock);
	vma_end_read(vma);
	mmput(other);
}

/* ------------------------------------------------------------------------------- wrong */

static void by_a_cast(void **state)
{
	struct mmap_read *lock = mmap_read_lock(s.mm);
	struct vma_ref *vma = find(lock);

	(void)state;
	vma_from_mut((struct vma_mut *)vma);
	expect_report("wrong handle: struct vma_mut 0x", "in by_a_cast(), which is from a mmap lock "
		      "section (read)", "rule: the type of a handle says what is held",
		      "begun: mmap_read_lock()", "what to do: take the lock or the reference");
	mmap_read_unlock(lock);
}

static void made_up(void **state)
{
	(void)state;
	mm_from_user((struct mm_user *)mm_user_mm(s.mm));
	expect_report("unknown handle: struct mm_user 0x", "which no function returned",
		      "what to do: pass what the lock, the lookup or the hook gave");
}

/* ------------------------------------------------------------------------------- hooks */

static void after_the_hook(void **state)
{
	(void)state;
	map_driver();
	vma_start(kept.mapped);
	expect_report("stale handle: VMA", "in vma_start(), after its call of an mmap() hook has "
		      "ended in mmap()", "begun: mmap()", "mm_mmap", "ended: mmap()",
		      "what to do: use it inside the hook");
	vma_from_new(kept.mapped);
	expect_report("stale handle: struct vma_new");
	assert_int_equal(space_unmap(&s, 21, 1), 0);
	expect_no_report();
	vma_start(kept.opened);
	expect_report("stale handle: VMA", "after its call of a hook has ended in open()",
		      "begun: open()", "mm_munmap");
}

/* ----------------------------------------------------------------------- references */

static __attribute__((noinline)) void used_after_put(void)
{
	struct mm_user *user = mmget(s.mm);

	mmput(alias(user));
	mm_range_ok(user, at(0), 1, PROT_READ);
}

static __attribute__((noinline)) void put_twice(void)
{
	struct mm_user *user = mmget(s.mm);

	mmput(alias(user));
	mmput_async(user);
}

/* What vma_mm() gives is the VMA's to lend. */
static __attribute__((noinline)) void lent_and_put(void)
{
	struct mmap_read *lock = mmap_read_lock(s.mm);

	mmput(vma_mm(find(lock)));
}

static void lent_and_kept(void **state)
{
	struct mmap_read *lock = mmap_read_lock(s.mm);

	(void)state;
	kept.lent = vma_mm(find(lock));
	assert_ptr_equal(mm_user_mm(kept.lent), mm_user_mm(s.mm));
	mmap_read_unlock(lock);
	assert_true(mm_range_ok(kept.lent, at(0), 1, PROT_READ));
	expect_report("stale handle: struct mm_user 0x", "in mm_range_ok(), after its mmap lock "
		      "section (read) has ended");
}

static void references(void **state)
{
	(void)state;
	expect_death(used_after_put, "stale handle: struct mm_user 0x", "in mm_range_ok(), after its "
		     "reference to the mm has ended in mmput", "begun: mmget()", "used_after_put+0x",
		     "ended: mmput()", "used_after_put+0x",
		     "what to do: mmget() a reference for each who uses the mm");
	expect_death(put_twice, "stale handle: struct mm_user 0x", "in mmput_async()", "mmput()");
	expect_death(lent_and_put, "wrong handle: struct mm_user 0x", "in mmput()",
		     "lent (vma_mm()) and was put");
}

/* Another thread may use a reference, and so may a signal handler of any. */
static void *uses_reference(void *arg)
{
	note_reports();
	assert_true(mm_range_ok(arg, at(0), 1, PROT_READ));
	stop_noting();
	return NULL;
}

static void references_are_shared(void **state)
{
	pthread_t other;

	(void)state;
	assert_int_equal(pthread_create(&other, NULL, uses_reference, s.mm), 0);
	assert_int_equal(pthread_join(other, NULL), 0);
	expect_no_report();
}

/* ------------------------------------------------------------------------------- numbers */

/* More sections than there are places and numbers; the reference of the mm runs all the while. */
static void numbers_come_round(void **state)
{
	struct vma_ref *old = lock_vma_under_rcu(s.mm, at(1));

	(void)state;
	assert_non_null(old);
	vma_end_read(alias(old));
	for (int i = 0; i < 5000; i++)
		vma_end_read(lock_vma_under_rcu(s.mm, at(1)));
	expect_no_report();
	vma_start(old);
	expect_report("stale handle: VMA", "of a section that ended long ago");
	for (int i = 0; i < 66000; i++)
		vma_end_read(lock_vma_under_rcu(s.mm, at(1)));
	expect_no_report();
}

#define TEST(fn)	cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(after_unlock),
		TEST(after_relock),
		TEST(after_end_read),
		TEST(after_downgrade),
		TEST(the_lock_itself),
		TEST(on_another_thread),
		TEST(of_another_lock),
		TEST(by_a_cast),
		TEST(made_up),
		TEST(after_the_hook),
		TEST(lent_and_kept),
		TEST(references),
		TEST(references_are_shared),
		TEST(numbers_come_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

/* Handles are numbered on x86-64 only. */
int main(void)
{
	return 77;
}

#endif
