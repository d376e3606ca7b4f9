/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Each run-time rule about locks is broken once, through the public headers where a driver can break
 * it, and the report is read: what, where, the stacks, what to do.
 */
#include <pthread.h>

#include <vmarea/debug.h>

#include "../mm/space.h"
#include "mm/mm.h"
#include "reports.h"
#include "sync/rcu.h"

static struct space s;

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

static struct mm_struct *the_mm(void)
{
	return mm_user_mm(s.mm);
}

static void run_thread(void *(*fn)(void *arg), void *arg)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, fn, arg), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

/* -------------------------------------------------------------------- mmap lock, VMA lock */

/* Not really taken: with a writer about, the second would wait for ever. */
static __attribute__((noinline)) void want_mmap_lock(void)
{
	witness_before(&the_mm()->mmap_lock, LOCK_RANK_MMAP, 0, WITNESS_HERE);
}

static void mmap_lock_under_vma_lock(void **state)
{
	struct vma_ref *vma = lock_vma_under_rcu(s.mm, at(1));

	(void)state;
	assert_non_null(vma);
	want_mmap_lock();
	expect_report("lock order: mmap lock 0x", ", while holding vma lock 0x", "(read) taken at ",
		      "rule: the mmap lock is not taken while holding a VMA read lock: a writer",
		      "now: about to wait for it", "want_mmap_lock+0x",
		      "held: vma lock", "vma_lock_read+0x", "lock_vma_under_rcu+0x",
		      "what to do: call vma_end_read() first");
	vma_end_read(vma);
}

static void memory_call_under_mmap_lock(void **state)
{
	struct mmap_read *lock = mmap_read_lock(s.mm);

	(void)state;
	witness_before(&the_mm()->mmap_lock, LOCK_RANK_MMAP, 0, WITNESS_HERE);
	expect_report("lock recursion: mmap lock 0x", "while holding mmap lock 0x", "(read)",
		      "rule: no lock is taken twice by one thread, for reading neither",
		      "now: taking it again", "held: mmap lock", "mmap_read_lock+0x",
		      "what to do: give it back before");
	mmap_read_unlock(lock);
}

static void two_mmap_locks(void **state)
{
	struct mmap_read *lock = mmap_read_lock(s.mm);
	struct mm_user *child;

	(void)state;
	mmap_read_unlock(lock);
	assert_int_equal(mm_fork(s.mm, &child), 0);
	lock = mmap_read_lock(s.mm);
	witness_before(&mm_user_mm(child)->mmap_lock, LOCK_RANK_MMAP, 0, WITNESS_HERE);
	expect_report("lock order: mmap lock", "while holding mmap lock",
		      "rule: two locks of one class", "what to do: if there is a fixed order");
	mmap_read_unlock(lock);
	mmput(child);
}

/* With nobody about they would all get the lock at once: it is the order that is reported. */
static void maps_under_vma_lock(void)
{
	struct vma_ref *vma = lock_vma_under_rcu(s.mm, at(1));

	if (vma)
		space_map(&s, 10, 1, RW, ANON);
}

static void reads_under_vma_lock(void)
{
	struct vma_ref *vma = lock_vma_under_rcu(s.mm, at(1));
	struct mmap_read *lock;

	if (!vma)
		return;
	lock = mmap_read_lock_killable(s.mm);
	if (lock)
		mmap_read_unlock(lock);
}

/* A trylock is allowed there.  What then waits for the readers of that VMA is not. */
static void writes_what_it_reads(void)
{
	struct vma_ref *vma = lock_vma_under_rcu(s.mm, at(1));
	struct mmap_write *lock = mmap_write_trylock(s.mm);

	if (vma && lock && vma_start_write(lock, vma_lookup(lock, at(1))))
		mmap_write_unlock(lock);
}

static void calls_under_vma_lock(void **state)
{
	(void)state;
	expect_death(maps_under_vma_lock, "lock order: mmap lock 0x", "while holding vma lock",
		     "mm_write_lock_killable", "mm_mmap", "what to do: call vma_end_read() first");
	expect_death(reads_under_vma_lock, "lock order: mmap lock 0x", "while holding vma lock",
		     "mmap_read_lock_killable");
	expect_death(writes_what_it_reads, "lock recursion: vma lock 0x", "vma_start_write",
		     "held: vma lock", "lock_vma_under_rcu");
}

/* -------------------------------------------------------------------------- wrong release */

static void *releases(void *arg)
{
	struct spinlock *lock = arg;

	note_reports();
	witness_release(lock, witness_label(lock), WITNESS_SPIN, WITNESS_HERE);
	stop_noting();
	return NULL;
}

static void released_by_another_thread(void **state)
{
	struct spinlock *lock = &the_mm()->page_table_lock;
	char thread[64];
	int line;

	(void)state;
	spin_lock(lock); line = __LINE__;
	snprintf(thread, sizeof(thread), "held by thread %u, taken at ", (unsigned int)gettid());
	run_thread(releases, lock);
	expect_report("release of a lock that is not held: page_table_lock 0x", thread, LINE(line),
		      "rule: whoever takes a lock gives it back", "now: giving it back",
		      "releases+0x", "held: nothing",
		      "what to do: release it on the thread that took it");
	spin_unlock(lock);
}

static void released_in_the_wrong_mode(void **state)
{
	struct rwsem *sem = &the_mm()->mmap_lock;

	(void)state;
	rwsem_read_lock(sem);
	witness_release(sem, witness_label(sem), WITNESS_EXCLUSIVE, WITNESS_HERE);
	expect_report("release in the wrong mode: mmap lock", "(read) taken at ",
		      "rule: a lock is given back in the mode", "held: mmap lock",
		      "what to do: use the unlock for readers");
	witness_after(sem, LOCK_RANK_MMAP, 0, WITNESS_SHARED, WITNESS_HERE);
	rwsem_read_unlock(sem);
}

/* Who needs a lock asks whether this thread has it, not whether anybody has. */
static void *looks_up(void *arg)
{
	note_reports();
	mm_assert_locked(arg);
	stop_noting();
	return NULL;
}

static void held_by_another_thread(void **state)
{
	struct mmap_read *lock = mmap_read_lock(s.mm);

	(void)state;
	run_thread(looks_up, the_mm());
	expect_report("needed and not held: mmap lock 0x", "held by this thread", "looks_up+0x",
		      "held: nothing", "what to do: take it before");
	mmap_read_unlock(lock);
}

/* ---------------------------------------------------------------------- atomic context */

static void sleeps_under_a_spinlock(void **state)
{
	struct spinlock *lock = &the_mm()->page_table_lock;
	int line;

	(void)state;
	spin_lock(lock); line = __LINE__;
	might_sleep();
	expect_report("sleeping in atomic context at ", "while holding page_table_lock 0x",
		      LINE(line), "rule: a thread that holds a spinlock does not sleep",
		      "now: about to sleep", "sleeps_under_a_spinlock+0x", "atomic since:",
		      "held: page_table_lock", "sleeps_under_a_spinlock+0x",
		      "what to do: drop the page_table_lock first");
	spin_unlock(lock);
}

static void sleeps_in_a_read_section(void **state)
{
	int line;

	(void)state;
	rcu_read_lock(); line = __LINE__;
	might_sleep();
	expect_report("sleeping in atomic context at ", "in the RCU read section entered at ",
		      LINE(line), "rule: a thread in an RCU read section does not sleep",
		      "about to sleep", "atomic since: rcu_read_lock()",
		      "sleeps_in_a_read_section+0x", "what to do: take a reference or a lock");
	rcu_read_unlock();
}

/* All that may sleep says so, before it does. */
static void allocates(void)
{
	struct page *page = alloc_page(s.v);

	if (page)
		__free_page(page);
}

static void creates_file(void)
{
	const struct file_desc desc = { .size = sizeof(desc), .name = "f", .flags = FILE_READ };
	struct file *file;

	if (!file_create(s.v, &desc, &file))
		file_put(file);
}

static struct vmarea *created;

static void creates_instance(void)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;

	assert_int_equal(vmarea_create(&config, &created), 0);
}

static void creates_mm(void)
{
	struct mm_user *mm;

	if (!mm_create(s.v, &s.mm_config, &mm))
		mmput(mm);
}

static void puts_mm(void)
{
	mmput(mmget(s.mm));
}

static void makes_name(void)
{
	anon_name_put(anon_name_create("name"));
}

static void waits_for_lock(void)
{
	mmap_read_unlock(mmap_read_lock(s.mm));
}

static void every_sleeper_asks(void **state)
{
	static const struct sleeper {
		const char *name;
		void (*fn)(void);
	} sleepers[] = {
		{ "alloc_page", allocates }, { "file_create", creates_file },
		{ "vmarea_create", creates_instance }, { "mm_create", creates_mm },
		{ "mmput", puts_mm }, { "anon_name_create", makes_name },
		{ "mmap_read_lock", waits_for_lock },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(sleepers) / sizeof(sleepers[0]); i++) {
		rcu_read_lock();
		sleepers[i].fn();
		rcu_read_unlock();
		if (!reports.nr || !strstr(reports.text[0], "sleeping in atomic context") ||
		    !strstr(reports.text[0], sleepers[i].name))
			fail_msg("%s: %s", sleepers[i].name, reports.nr ? reports.text[0] : "");
		reports.nr = 0;
	}
	vmarea_destroy(created);
}

/* --------------------------------------------------------------------------- left behind */

static struct vmarea_lock_class forgotten_class = VMAREA_LOCK_CLASS("forgotten lock");
static int forgotten;

static int forgets_lock(struct file *file, struct vma_new *vma)
{
	(void)file;
	(void)vma;
	vmarea_lock_acquired(&forgotten, &forgotten_class, VMAREA_LOCK_EXCLUSIVE);
	return 0;
}

static void hook_leaves_its_lock(void **state)
{
	static const struct file_operations ops = { .owner = "test", .mmap = forgets_lock };
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "f", .ops = &ops, .flags = FILE_READ | FILE_WRITE,
	};
	struct file *file;

	(void)state;
	assert_int_equal(file_create(s.v, &desc, &file), 0);
	assert_int_equal(space_map_file(&s, 10, 1, RW, MAP_SHARED, file, 0), 0);
	/* By the hook, and then by the call that it was in. */
	assert_int_equal(reports.nr, 2);
	check_report(reports.text[0],
		     PARTS("still held at the return of file_ops_mmap(): forgotten lock 0x",
			   "(write) taken at ", "locks_test.c:", "in a hook of driver test",
			   "rule: a thread gives back what it took", "held: forgotten lock",
			   "forgets_lock+0x", "mm_mmap", "what to do: look for the path"));
	check_report(reports.text[1], PARTS("still held at the return of mm_mmap()"));
	reports.nr = 0;
	vmarea_lock_released(&forgotten, VMAREA_LOCK_EXCLUSIVE);
	file_put(file);
}

static void *ends_with_lock(void *arg)
{
	note_reports();
	rwsem_read_lock(arg);
	return NULL;
}

static void thread_ends_with_a_lock(void **state)
{
	struct rwsem sem;

	(void)state;
	rwsem_init(&sem, LOCK_RANK_I_MMAP);
	run_thread(ends_with_lock, &sem);
	expect_report("still held at the end of the thread: i_mmap lock", "ends_with_lock+0x");
}

/* --------------------------------------------------------------------- learned orders */

static struct vmarea_lock_class classes[8];
static int locks[8];

static __attribute__((noinline)) void take(int i)
{
	vmarea_lock_acquiring(&locks[i], &classes[i]);
	vmarea_lock_acquired(&locks[i], &classes[i], VMAREA_LOCK_EXCLUSIVE);
}

static void drop(int i)
{
	vmarea_lock_released(&locks[i], VMAREA_LOCK_EXCLUSIVE);
}

static __attribute__((noinline)) void first_order(void)
{
	take(0);
	take(1);
	drop(1);
	drop(0);
}

static __attribute__((noinline)) void other_order(void)
{
	take(1);
	take(0);
	drop(0);
	drop(1);
}

/* One thread, no waiting: the order alone is enough, and both stacks of both are shown. */
static void drivers_locks_both_ways(void **state)
{
	(void)state;
	vmarea_lock_class_init(&classes[0], "cache lock");
	vmarea_lock_class_init(&classes[1], "queue lock");
	first_order();
	first_order();
	expect_no_report();
	other_order();
	expect_report("lock order: cache lock 0x", "while holding queue lock 0x",
		      "before it was the other way round",
		      "rule: locks of two classes are taken in one order everywhere",
		      "now: about to wait for it", "take+0x", "other_order+0x",
		      "held: queue lock", "other_order+0x",
		      "before: queue lock was waited for at ", "first_order+0x",
		      "while holding cache lock", "first_order+0x",
		      "what to do: take the cache lock before the queue lock");
}

/* 2 then 3, 3 then 4, and now 4 then 2: no two of them were ever taken both ways. */
static void circle_of_three(void **state)
{
	(void)state;
	vmarea_lock_class_init(&classes[2], "lock A");
	vmarea_lock_class_init(&classes[3], "lock B");
	vmarea_lock_class_init(&classes[4], "lock C");
	take(2), take(3), drop(3), drop(2);
	take(3), take(4), drop(4), drop(3);
	expect_no_report();
	take(4), take(2), drop(2), drop(4);
	expect_report("lock order: lock A", "while holding lock C",
		      "before: lock B was waited for", "while holding lock A",
		      "before: lock C was waited for", "while holding lock B",
		      "what to do: take the lock A before the lock C");
}

/* The library's locks are in the same order: a lock inside the VMA lock is not one outside. */
static void circle_through_the_table(void **state)
{
	struct mmap_read *lock;
	struct vma_ref *vma;

	(void)state;
	vmarea_lock_class_init(&classes[5], "driver lock");
	vma = lock_vma_under_rcu(s.mm, at(0));
	assert_non_null(vma);
	take(5), drop(5);
	vma_end_read(vma);
	expect_no_report();
	take(5);
	lock = mmap_read_lock(s.mm);
	expect_report("lock order: mmap lock 0x", "while holding driver lock",
		      "before: mmap lock comes before vma lock, by the table",
		      "before: driver lock was waited for", "while holding vma lock",
		      "what to do: take the mmap lock before the driver lock");
	mmap_read_unlock(lock);
	drop(5);
}

static void trylock_teaches_nothing(void **state)
{
	(void)state;
	vmarea_lock_class_init(&classes[6], "tried lock");
	vmarea_lock_class_init(&classes[7], "inner lock");
	take(6), take(7), drop(7), drop(6);
	take(7);
	vmarea_lock_acquired(&locks[6], &classes[6], VMAREA_LOCK_EXCLUSIVE);
	drop(6);
	drop(7);
	expect_no_report();
}

static void two_of_one_class(void **state)
{
	static struct vmarea_lock_class class = VMAREA_LOCK_CLASS("node lock");
	int low = 0, high = 0;

	(void)state;
	vmarea_lock_acquired(&low, &class, VMAREA_LOCK_EXCLUSIVE);
	vmarea_lock_acquiring_at(&high, &class, 1, __VMAREA_HERE);
	expect_no_report();
	vmarea_lock_acquiring(&high, &class);
	expect_report("lock order: node lock", "while holding node lock",
		      "rule: two locks of one class", "a subclass of 1 or more");
	vmarea_lock_released(&low, VMAREA_LOCK_EXCLUSIVE);
}

/* A driver's own spinlock is atomic context to every call of the library. */
static void sleeps_under_a_drivers_spinlock(void **state)
{
	static struct vmarea_lock_class class = VMAREA_LOCK_CLASS("irq lock");
	int lock = 0;

	(void)state;
	vmarea_lock_acquired(&lock, &class, VMAREA_LOCK_SPIN);
	mmap_read_unlock(mmap_read_lock(s.mm));
	expect_report("sleeping in atomic context", "while holding irq lock",
		      "mmap_read_lock+0x", "what to do: drop the irq lock first");
	vmarea_lock_released(&lock, VMAREA_LOCK_SPIN);
}

/* Locks without rank and name are of one class with those made at the same place. */
static void unranked_locks(void **state)
{
	struct spinlock a, b;
	int line_a, line_b;

	(void)state;
	spin_lock_init(&a, LOCK_RANK_NONE); line_a = __LINE__;
	spin_lock_init(&b, LOCK_RANK_NONE); line_b = __LINE__;
	spin_lock(&a);
	spin_lock(&b);
	spin_unlock(&b);
	spin_unlock(&a);
	expect_no_report();
	spin_lock(&b);
	spin_lock(&a);
	expect_report("lock order: lock made at ", LINE(line_a), "while holding lock made at ",
		      LINE(line_b));
	spin_unlock(&a);
	spin_unlock(&b);
}

/* ------------------------------------------------------------------------------- output */

static void breaks_order(void)
{
	struct vma_ref *vma = lock_vma_under_rcu(s.mm, at(1));

	if (vma)
		want_mmap_lock();
}

/* To a terminal: a line for each, the first one again at the end, as the reason why it stops. */
static void printed_line_by_line(void **state)
{
	(void)state;
	expect_death(breaks_order, "vmarea: lock order: mmap lock", "\nvmarea:   rule: ",
		     "\nvmarea:   now: ", "\nvmarea:       want_mmap_lock+0x",
		     "\nvmarea:   held: vma lock", "\nvmarea:   what to do: ",
		     "\nvmarea: panic: lock order: mmap lock");
}

#define TEST(fn)	cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(mmap_lock_under_vma_lock),
		TEST(calls_under_vma_lock),
		TEST(memory_call_under_mmap_lock),
		TEST(two_mmap_locks),
		TEST(released_by_another_thread),
		TEST(released_in_the_wrong_mode),
		TEST(held_by_another_thread),
		TEST(sleeps_under_a_spinlock),
		TEST(sleeps_in_a_read_section),
		TEST(every_sleeper_asks),
		TEST(hook_leaves_its_lock),
		TEST(thread_ends_with_a_lock),
		TEST(drivers_locks_both_ways),
		TEST(circle_of_three),
		TEST(circle_through_the_table),
		TEST(trylock_teaches_nothing),
		TEST(two_of_one_class),
		TEST(sleeps_under_a_drivers_spinlock),
		TEST(unranked_locks),
		TEST(printed_line_by_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
