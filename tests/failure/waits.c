/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Failures that are not an allocation of the calling thread: allocations in the background, threads
 * that cannot be had, memory that does not go back, no randomness, and waits that end for no reason.
 * None but the first can be seen from outside: what was to be done is done.
 *
 * Nobody sleeps to give another thread time.  Who waits for a thread to come to a site looks into
 * the table of sites.
 */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <vmarea/host_file.h>
#include <vmarea/shrinker.h>
#include <vmarea/user_fault.h>

#include "failure.h"
#include "base/atomic.h"
#include "file/filemap.h"
#include "mm/mm.h"
#include "mmu/soft.h"
#include "phys/page_lock.h"
#include "phys/phys.h"
#include "swap/swap.h"

/* All sites of @kind fail, and no others. */
static void fail_all(enum port_fail_kind kind)
{
	port_fail_kinds(1u << kind);
	port_fail_random(1, 1);
}

static void fail_none(void)
{
	port_fail_random(0, 0);
	port_fail_kinds(1u << PORT_FAIL_MEMORY);
}

static void close_world(const char *what)
{
	long left = world_close();

	if (left != tally.nr_left)
		fprintf(stderr, "%s: %ld allocations are left\n", what, left - tally.nr_left);
	tally.nr_leaks += (unsigned long)labs(left - tally.nr_left);
	tally.nr_left = left;
}

static void check(const char *what)
{
	char why[256] = "";

	if (!world_is_sound(why, sizeof(why)))
		tally_wrong("%s: %s\n", what, why);
}

/* --------------------------------------------------------------- threads -- */

/* Teardown and grace periods are left to a thread that never starts: who needs them does them. */
void no_background_thread(void **state)
{
	struct mm_user *child;

	fail_all(PORT_FAIL_THREAD);
	world_open();
	assert_int_equal(mm_fork(w.mm, &child), 0);
	mmput_async(child);
	check("no thread");
	close_world("no thread");
	assert_int_not_equal(failures_in("src/port/linux/bg.c", PORT_FAIL_THREAD).times, 0);
	fail_none();
	tally.nr_cases++;
	world_open();
	close_world("a thread at last");
}

/* ------------------------------------------------------------ background -- */

/* A file of the driver that nobody but a dying address space has. */
static struct mm_user *dying(void)
{
	struct mm_user *child;

	world_map_late_device(AT(660));
	assert_int_equal(mm_fork(w.mm, &child), 0);
	assert_int_equal(mm_munmap(w.mm, AT(660), PAGE), 0);
	w.release_works = true;
	return child;
}

/* The driver's release() makes an address space, in the background, and the n-th allocation fails. */
static bool background_fails_at(long n)
{
	unsigned long own, all;
	char *before, *after;
	struct mm_user *child;
	bool reached;

	world_open();
	child = dying();
	before = world_picture();
	own = port_alloc_count();
	all = port_alloc_count_of_all();
	port_fail_nth_of_all(n);
	mmput_async(child);
	port_work_flush();
	port_fail_nth_of_all(0);
	reached = port_alloc_count_of_all() - all >= (unsigned long)n;
	assert_int_equal(port_alloc_count(), own);
	assert_int_equal(w.nr_released, 1);
	w.nr_released = 0;
	w.release_works = false;
	/* The child's areas of the driver are closed. */
	after = world_picture();
	check("background");
	if (strncmp(before, after, (size_t)(strstr(before, "\nareas") - before)))
		tally_wrong("background, failing %ld: another picture\n%s\n%s\n", n, before, after);
	free(before);
	free(after);
	close_world("background");
	return reached;
}

void background_fails(void **state)
{
	long n = 1;

	while (background_fails_at(n))
		n++;
	assert_in_range(n - 1, 3, 100);
	tally.nr_cases += (unsigned long)n - 1;
	printf("%-28s %3ld sites %4ld cases\n", "background", n - 1, n - 1);
}

/* ---------------------------------------------------------- large blocks -- */

static int nothing(const struct area_info *info, void *arg)
{
	return 0;
}

static int walk_all(void)
{
	return mm_for_each_area(w.mm, 0, ~0ul, nothing, NULL);
}

/* Above a megabyte memory comes from the kernel, which may also refuse to take it back. */
void large_copy_fails(void **state)
{
	world_open();
	for (unsigned long i = 0; i < 20000; i++)
		assert_true(mm_mmap(w.mm, AT(10000 + 2 * i), PAGE, RW, ANON | MAP_FIXED, NULL,
				    0) > 0);
	port_fail_nth(1);
	assert_int_equal(walk_all(), -ENOMEM);
	port_fail_nth(0);
	assert_int_equal(walk_all(), 0);
	fail_all(PORT_FAIL_UNMAP);
	assert_int_equal(walk_all(), 0);
	fail_none();
	assert_int_equal(walk_all(), 0);
	assert_int_not_equal(failures_in("src/port/linux/port_linux.c", PORT_FAIL_UNMAP).times, 0);
	check("large copy");
	close_world("large copy");
	tally.nr_cases += 2;
}

/* Frames that the host will not take back stay, and are free. */
void frames_stay(void **state)
{
	struct arena *arena;
	struct page *page;

	assert_int_equal(arena_create(4ul << 20, &arena), 0);
	page = page_alloc(arena, 4, PAGE_ANYTHING);
	assert_non_null(page);
	page_put(page);
	fail_all(PORT_FAIL_UNMAP);
	assert_int_equal(arena_trim(arena), 0);
	fail_none();
	assert_true(arena_trim(arena) >= 16);
	arena_destroy(arena);
	assert_int_not_equal(failures_in("src/port/linux/arena.c", PORT_FAIL_UNMAP).times, 0);
	tally.nr_cases++;
}

static void *ask_for_chance(void *arg)
{
	*(u64 *)arg = port_random();
	return NULL;
}

static void run_thread(pthread_t *thread, void *(*fn)(void *arg), void *arg)
{
	assert_int_equal(pthread_create(thread, NULL, fn, arg), 0);
}

void no_entropy(void **state)
{
	u64 number = 0;
	pthread_t thread;

	fail_all(PORT_FAIL_ENTROPY);
	run_thread(&thread, ask_for_chance, &number);
	pthread_join(thread, NULL);
	fail_none();
	assert_int_not_equal(number, 0);
	tally.nr_cases++;
}

/* ----------------------------------------------------------------- waits -- */

static void until_woken_for_nothing(const char *path, unsigned long before)
{
	while (failures_in(path, PORT_FAIL_WAKE).times == before)
		port_yield();
	tally.nr_cases++;
}

static struct spinlock lock;
static int guarded;			/* lock */

static void *count_locked(void *arg)
{
	spin_lock(&lock);
	guarded++;
	spin_unlock(&lock);
	return NULL;
}

static void spinlock_wakes(void)
{
	const char *path = "src/sync/spinlock.c";
	unsigned long before = failures_in(path, PORT_FAIL_WAKE).times;
	pthread_t thread;

	spin_lock_init(&lock, LOCK_RANK_ARENA);
	spin_lock(&lock);
	run_thread(&thread, count_locked, NULL);
	until_woken_for_nothing(path, before);
	assert_int_equal(guarded, 0);
	spin_unlock(&lock);
	pthread_join(thread, NULL);
	assert_int_equal(guarded, 1);
}

static u32 done;			/* atomic */

static void *touch_it(void *arg)
{
	assert_int_equal(mm_touch(w.mm, AT(300), MM_ACCESS_WRITE), MM_FAULT_DONE);
	atomic_add_relaxed(&done, 1);
	return NULL;
}

static void *protect_it(void *arg)
{
	assert_int_equal(mm_mprotect(w.mm, AT(50), 2 * PAGE, PROT_READ), 0);
	atomic_add_relaxed(&done, 1);
	return NULL;
}

/* @call would have to wait for the mmap lock, and is woken for nothing. */
static void mmap_lock_wakes(void *(*call)(void *arg))
{
	const char *path = "src/sync/kill.c";
	unsigned long before = failures_in(path, PORT_FAIL_WAKE).times;
	struct mmap_write *held = mmap_write_lock(w.mm);
	pthread_t thread;

	run_thread(&thread, call, NULL);
	until_woken_for_nothing(path, before);
	assert_int_equal(atomic_load_relaxed(&done), 0);
	mmap_write_unlock(held);
	pthread_join(thread, NULL);
	assert_int_equal(atomic_load_relaxed(&done), 1);
	done = 0;
}

/* A writer of one VMA waits for its reader. */
static void vma_lock_wakes(void)
{
	const char *path = "src/vma/lock.c";
	unsigned long before = failures_in(path, PORT_FAIL_WAKE).times;
	struct vma_ref *vma = lock_vma_under_rcu(w.mm, AT(50));
	pthread_t thread;

	assert_non_null(vma);
	run_thread(&thread, protect_it, NULL);
	until_woken_for_nothing(path, before);
	assert_int_equal(atomic_load_relaxed(&done), 0);
	vma_end_read(vma);
	pthread_join(thread, NULL);
	assert_int_equal(atomic_load_relaxed(&done), 1);
	done = 0;
}

static void *lock_page(void *arg)
{
	page_lock(arg);
	atomic_add_relaxed(&done, 1);
	page_unlock(arg);
	return NULL;
}

/* Somebody fills a page, and another wants it. */
static void page_lock_wakes(void)
{
	const char *path = "src/phys/page_lock.c";
	unsigned long before = failures_in(path, PORT_FAIL_WAKE).times;
	struct page *page = alloc_page(w.v);
	pthread_t thread;

	assert_non_null(page);
	page_lock(page);
	run_thread(&thread, lock_page, page);
	until_woken_for_nothing(path, before);
	assert_int_equal(atomic_load_relaxed(&done), 0);
	page_unlock(page);
	pthread_join(thread, NULL);
	assert_int_equal(atomic_load_relaxed(&done), 1);
	__free_page(page);
	done = 0;
}

static struct port_rcu_head callback;
static u32 pending;			/* atomic: it is queued */

static void has_run(struct port_rcu_head *head)
{
	/* Pairs with the acquire of who queues it again. */
	atomic_store_release(&pending, 0);
}

/* Something for the background thread to do, unless it has that already. */
static void keep_busy(void)
{
	/* Pairs with the release in has_run(). */
	if (atomic_load_acquire(&pending))
		return;
	atomic_store_relaxed(&pending, 1);
	port_call_rcu(&callback, has_run);
}

/*
 * The background thread sleeps; it naps when there is something to do and nobody waits for it; and
 * it is waited for.
 */
static void background_wakes(void)
{
	const char *path = "src/port/linux/bg.c";

	while (failures_in(path, PORT_FAIL_WAKE).sites < 2) {
		keep_busy();
		port_yield();
	}
	while (failures_in(path, PORT_FAIL_WAKE).sites < 3)
		port_rcu_barrier();
	port_rcu_barrier();
	tally.nr_cases += 3;
}

/* Threads that get in each other's way, half of their waits cut short. */
static void *some_calls(void *arg)
{
	unsigned long nr = (unsigned long)arg;

	for (unsigned long i = 0; i < 2000; i++) {
		struct vma_ref *vma;

		mm_mprotect(w.mm, AT(50 + (i + nr) % 8), PAGE, i % 2 ? PROT_READ : RW);
		mm_touch(w.mm, AT(300 + 2 * ((i + nr) % 40)), MM_ACCESS_WRITE);
		vma = lock_vma_under_rcu(w.mm, AT(50 + i % 8));
		if (vma)
			vma_end_read(vma);
		mm_mmap(w.mm, AT(600 + i % 16), PAGE, RW, ANON | MAP_FIXED, NULL, 0);
		mm_munmap(w.mm, AT(600 + (i + nr) % 16), PAGE);
	}
	return NULL;
}

static struct mmu mmu;
static struct pgtable pt = { .mmu = &mmu.ops };

static void *invalidate_all(void *arg)
{
	mmu.ops.invalidate(&pt, 0, 1ul << 30, MMU_LEAVES);
	return NULL;
}

/* Who takes pages away waits for the access section of a virtual CPU. */
static void section_wakes(void)
{
	const char *path = "src/mmu/soft_invalidate.c";
	unsigned long before = failures_in(path, PORT_FAIL_WAKE).times;
	struct soft_tlb_space *space;
	struct soft_tlb *tlb;
	pthread_t thread;

	mmu_init(&mmu, &pt, NULL);
	assert_int_equal(soft_tlb_create(SOFT_TLB_MIN_LOG2, &tlb), 0);
	assert_int_equal(soft_tlb_attach(tlb, &mmu, &space), 0);
	soft_tlb_switch(tlb, space);
	soft_tlb_begin(tlb);
	run_thread(&thread, invalidate_all, NULL);
	until_woken_for_nothing(path, before);
	soft_tlb_end(tlb);
	pthread_join(thread, NULL);
	soft_tlb_detach(tlb, space);
	soft_tlb_destroy(tlb);
	mmu_end(&mmu);
}

static void *read_until_closed(void *arg)
{
	struct user_fault_msg msg;

	assert_int_equal(user_faults_read(arg, &msg, 1), -EBADF);
	return NULL;
}

/* Who reads messages of user faults, and there is none. */
static void reader_wakes(void)
{
	const char *path = "src/fault/user.c";
	unsigned long before = failures_in(path, PORT_FAIL_WAKE).times;
	struct user_faults_config config = USER_FAULTS_CONFIG_INIT;
	struct user_faults *uf;
	pthread_t thread;

	assert_int_equal(user_faults_create(w.mm, &config, &uf), 0);
	run_thread(&thread, read_until_closed, uf);
	until_woken_for_nothing(path, before);
	user_faults_close(uf);
	pthread_join(thread, NULL);
	user_faults_put(uf);
}

static u32 asked, go_on;		/* atomic */

static unsigned long count_late(struct shrinker *shrinker)
{
	atomic_store_relaxed(&asked, 1);
	while (!atomic_load_relaxed(&go_on))
		port_yield();
	return 0;
}

static unsigned long scan_none(struct shrinker *shrinker, struct shrink_control *sc)
{
	return SHRINK_STOP;
}

static void *shrink(void *arg)
{
	vmarea_shrink(w.v, 1);
	return NULL;
}

static void *unregister(void *arg)
{
	shrinker_unregister(arg);
	atomic_add_relaxed(&done, 1);
	return NULL;
}

/* Who leaves waits for who is in a hook. */
static void shrinker_wakes(void)
{
	const char *path = "src/reclaim/shrinker.c";
	unsigned long before = failures_in(path, PORT_FAIL_WAKE).times;
	struct shrinker slow = { .name = "slow", .count = count_late, .scan = scan_none };
	pthread_t asks, leaves;

	shrinker_register(w.v, &slow);
	run_thread(&asks, shrink, NULL);
	while (!atomic_load_relaxed(&asked))
		port_yield();
	run_thread(&leaves, unregister, &slow);
	until_woken_for_nothing(path, before);
	assert_int_equal(atomic_load_relaxed(&done), 0);
	atomic_store_relaxed(&go_on, 1);
	pthread_join(asks, NULL);
	pthread_join(leaves, NULL);
	assert_int_equal(atomic_load_relaxed(&done), 1);
	done = 0;
}

static struct vmarea *machine;
static int host_fd;

static void *put_last(void *arg)
{
	file_put(arg);
	return NULL;
}

static void *open_again(void *arg)
{
	struct file *file;

	assert_int_equal(host_file_open(machine, host_fd, HOST_FILE_DUP, &file), 0);
	atomic_add_relaxed(&done, 1);
	file_put(file);
	return NULL;
}

/* Who opens a file of the host waits for who writes back the last of it. */
static void host_file_wakes(void)
{
	const char *path = "src/file/host.c";
	unsigned long before = failures_in(path, PORT_FAIL_WAKE).times;
	struct vmarea_config config = VMAREA_CONFIG_INIT;
	char name[] = "waits-XXXXXX";
	struct address_space *mapping;
	pthread_t puts, opens;
	struct file *file;

	host_fd = mkstemp(name);
	assert_true(host_fd >= 0);
	assert_int_equal(unlink(name), 0);
	config.arena_bytes = 8ul << 20;
	assert_int_equal(vmarea_create(&config, &machine), 0);
	assert_int_equal(host_file_open(machine, host_fd, HOST_FILE_DUP, &file), 0);
	assert_int_equal(file_write(file, 0, "late", 4), 4);
	mapping = mapping_get(file->mapping);
	rwsem_write_lock(&mapping->invalidate_lock);
	run_thread(&puts, put_last, file);
	while (atomic_load_relaxed(&file->refs))
		port_yield();
	run_thread(&opens, open_again, NULL);
	until_woken_for_nothing(path, before);
	assert_int_equal(atomic_load_relaxed(&done), 0);
	rwsem_write_unlock(&mapping->invalidate_lock);
	pthread_join(puts, NULL);
	pthread_join(opens, NULL);
	assert_int_equal(atomic_load_relaxed(&done), 1);
	mapping_put(mapping);
	vmarea_destroy(machine);
	close(host_fd);
	done = 0;
}

static int no_io(void *private_data, uint64_t slot, void *to)
{
	return 0;
}

static int no_output(void *private_data, uint64_t slot, const void *from)
{
	return 0;
}

static void *swap_off(void *arg)
{
	struct vmarea *v = arg;

	assert_int_equal(vmarea_swapoff(v, 0), 0);
	atomic_add_relaxed(&done, 1);
	return NULL;
}

/* Who turns an area off waits for who works on a slot of it. */
static void swapoff_wakes(void)
{
	static const struct swap_ops ops = { .read_page = no_io, .write_page = no_output };
	const struct swap_desc desc = {
		.size = sizeof(desc), .name = "none", .ops = &ops, .nr_slots = 4,
	};
	const char *path = "src/swap/area.c";
	unsigned long before = failures_in(path, PORT_FAIL_WAKE).times;
	struct vmarea_config config = VMAREA_CONFIG_INIT;
	struct vmarea *v;
	struct page *page;
	pthread_t thread;
	unsigned int id;
	u64 number;

	config.arena_bytes = 4ul << 20;
	assert_int_equal(vmarea_create(&config, &v), 0);
	assert_int_equal(vmarea_swapon(v, &desc, &id), 0);
	page = page_alloc(v->arena, 0, PAGE_ANYTHING);
	page_lock(page);
	assert_int_equal(swap_hold_page(v->swap, page, &number), 0);
	page_unlock(page);
	run_thread(&thread, swap_off, v);
	until_woken_for_nothing(path, before);
	assert_int_equal(atomic_load_relaxed(&done), 0);
	swap_put(v->swap, number);
	pthread_join(thread, NULL);
	assert_int_equal(atomic_load_relaxed(&done), 1);
	done = 0;
	page_put(page);
	vmarea_destroy(v);
}

static void calls_beside_one_another(void)
{
	pthread_t threads[3];

	for (unsigned long i = 0; i < 3; i++)
		run_thread(&threads[i], some_calls, (void *)i);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	check("waits that end for no reason");
}

void waits_end_for_no_reason(void **state)
{
	world_open();
	fail_all(PORT_FAIL_WAKE);
	spinlock_wakes();
	mmap_lock_wakes(touch_it);
	mmap_lock_wakes(protect_it);
	vma_lock_wakes();
	page_lock_wakes();
	background_wakes();
	section_wakes();
	reader_wakes();
	shrinker_wakes();
	host_file_wakes();
	swapoff_wakes();
	port_fail_random(2, 2);
	calls_beside_one_another();
	close_world("waits");
	fail_none();
}
