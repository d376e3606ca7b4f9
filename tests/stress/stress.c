/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Threads at random on one address space, and on the forks of it.
 *
 * Writers map, unmap, protect, move, advise, lock, touch and fork in a small window, so that they
 * meet.  Readers look without the mmap lock.  What is checked while they run:
 *
 *	1  a VMA that lock_vma_under_rcu() returned contains the address and stays as it is until
 *	   vma_end_read(): start, end and flags are the same when read again;
 *	2  mm_query() returns an area that contains the address, with a file whose count is held;
 *	3  the *ground*, a range that writers only ever replace as a whole or reprotect, is mapped at
 *	   every moment: mm_range_ok() says so each time, and mm_for_each_area() sees no hole in it;
 *	4  mm_validate() holds, in the parent and in each child;
 *	5  at the end nothing is left.
 *
 *	stress [--ops N] [--threads N] [--seed N]
 */
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <vmarea/debug.h>

#define PAGE		4096ul
#define WINDOW		0x10000000ul
#define WINDOW_PAGES	96u
#define GROUND		0x20000000ul
#define GROUND_PAGES	24u

static struct vmarea *instance;
static struct mm_user *mm;
static struct file *file;
static unsigned long ops_each;
static unsigned long seed;
static atomic_ulong counts[16];

#define CHECK(cond)								\
	do {									\
		if (!(cond)) {							\
			fprintf(stderr, "%s:%d: %s (seed %lu)\n", __FILE__, __LINE__, #cond, seed); \
			abort();						\
		}								\
	} while (0)

struct thread {
	pthread_t id;
	unsigned long rng;
	unsigned int nr;
};

static unsigned long pick(struct thread *t, unsigned long below)
{
	t->rng ^= t->rng << 13;
	t->rng ^= t->rng >> 7;
	t->rng ^= t->rng << 17;
	return (t->rng >> 11) % below;
}

static unsigned long some_addr(struct thread *t)
{
	return WINDOW + pick(t, WINDOW_PAGES) * PAGE;
}

static unsigned long some_len(struct thread *t)
{
	return (1 + pick(t, 12)) * PAGE;
}

static unsigned long some_prot(struct thread *t)
{
	static const unsigned long prots[] = {
		PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE,
	};

	return prots[pick(t, 4)];
}

static void validate(struct mm_user *user)
{
	char why[256] = "";

	if (mm_validate(user, why, sizeof(why))) {
		fprintf(stderr, "mm_validate: %s (seed %lu)\n", why, seed);
		abort();
	}
}

/* ---------------------------------------------------------------- readers -- */

static void read_locked(struct thread *t)
{
	unsigned long addr = some_addr(t);
	struct vma_ref *vma = lock_vma_under_rcu(mm, addr);

	if (vma) {
		unsigned long start = vma_start(vma), end = vma_end(vma);
		vm_flags_t flags = vma_flags(vma);

		CHECK(start <= addr && addr < end);
		CHECK(mm_user_mm(vma_mm(vma)) == mm_user_mm(mm));
		CHECK(vma_start(vma) == start && vma_end(vma) == end && vma_flags(vma) == flags);
		vma_end_read(vma);
		counts[0]++;
	} else {
		struct mmap_read *lock = mmap_read_lock(mm);

		vma = vma_lookup(lock, addr);
		CHECK(!vma || (vma_start(vma) <= addr && addr < vma_end(vma)));
		mmap_read_unlock(lock);
		counts[1]++;
	}
}

static void read_range(struct thread *t)
{
	unsigned long first = pick(t, GROUND_PAGES);
	unsigned long nr = 1 + pick(t, GROUND_PAGES - first);

	CHECK(mm_range_ok(mm, GROUND + first * PAGE, nr * PAGE, PROT_READ));
	(void)mm_range_ok(mm, some_addr(t), some_len(t), PROT_READ);
	counts[2]++;
}

static void read_query(struct thread *t)
{
	unsigned long addr = some_addr(t);
	struct area_info info;

	if (!mm_query(mm, addr, &info)) {
		CHECK(info.start <= addr && addr < info.end);
		CHECK(!info.file || file_size(info.file) <= 1 << 20);
		area_info_put(&info);
	}
	counts[3]++;
}

static int see_ground(const struct area_info *info, void *arg)
{
	unsigned long *at = arg;

	CHECK(info->start <= *at && info->end > *at);
	*at = info->end;
	return 0;
}

static void read_walk(void)
{
	unsigned long at = GROUND;

	CHECK(!mm_for_each_area(mm, GROUND, GROUND + GROUND_PAGES * PAGE, see_ground, &at));
	CHECK(at >= GROUND + GROUND_PAGES * PAGE);
	counts[4]++;
}

static void read_something(struct thread *t)
{
	unsigned long what = pick(t, 64);

	if (what < 30)
		read_locked(t);
	else if (what < 50)
		read_range(t);
	else if (what < 63)
		read_query(t);
	else
		read_walk();
}

/* ---------------------------------------------------------------- writers -- */

static void map_something(struct thread *t)
{
	unsigned long flags = MAP_FIXED, addr = some_addr(t), len = some_len(t);
	struct file *what = NULL;

	switch (pick(t, 5)) {
	case 0:
		flags |= MAP_SHARED | MAP_ANONYMOUS;
		break;
	case 1:
		flags |= MAP_SHARED;
		what = file;
		break;
	case 2:
		flags |= MAP_PRIVATE;
		what = file;
		break;
	default:
		flags |= MAP_PRIVATE | MAP_ANONYMOUS;
	}
	CHECK(mm_mmap(mm, addr, len, some_prot(t), flags, what,
		      what ? (addr - WINDOW) / 2 / PAGE * PAGE : 0) == (long)addr);
	counts[5]++;
}

static void change_ground(struct thread *t)
{
	unsigned long first = pick(t, GROUND_PAGES);
	unsigned long nr = 1 + pick(t, GROUND_PAGES - first);

	if (pick(t, 2))
		CHECK(!mm_mprotect(mm, GROUND + first * PAGE, nr * PAGE,
				   PROT_READ | (pick(t, 2) ? PROT_WRITE : 0)));
	else
		CHECK(mm_mmap(mm, GROUND + first * PAGE, nr * PAGE, PROT_READ,
			      MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0) > 0);
	counts[6]++;
}

static void fork_something(struct thread *t)
{
	struct mm_user *child;

	CHECK(!mm_fork(mm, &child));
	validate(child);
	(void)mm_touch(child, some_addr(t), MM_ACCESS_WRITE);
	(void)mm_munmap(child, some_addr(t), some_len(t));
	validate(child);
	if (pick(t, 2))
		mmput(child);
	else
		mmput_async(child);
	counts[7]++;
}

static void advise(struct thread *t)
{
	static const int advices[] = {
		MADV_DONTFORK, MADV_DOFORK, MADV_DONTDUMP, MADV_DODUMP, MADV_RANDOM, MADV_NORMAL,
		MADV_WIPEONFORK, MADV_KEEPONFORK, MADV_DONTNEED,
	};

	(void)mm_madvise(mm, some_addr(t), some_len(t), advices[pick(t, 9)]);
}

static void write_something(struct thread *t)
{
	unsigned long what = pick(t, 256);

	if (what < 70)
		map_something(t);
	else if (what < 110)
		CHECK(!mm_munmap(mm, some_addr(t), some_len(t)));
	else if (what < 150)
		(void)mm_mprotect(mm, some_addr(t), some_len(t), some_prot(t));
	else if (what < 180)
		change_ground(t);
	else if (what < 200)
		(void)mm_touch(mm, some_addr(t), MM_ACCESS_WRITE);
	else if (what < 220)
		(void)mm_mremap(mm, some_addr(t), some_len(t), some_len(t),
				MREMAP_MAYMOVE | MREMAP_FIXED, some_addr(t));
	else if (what < 235)
		advise(t);
	else if (what < 243)
		(void)mm_mlock(mm, some_addr(t), some_len(t));
	else if (what < 251)
		(void)mm_munlock(mm, some_addr(t), some_len(t));
	else if (what < 254)
		validate(mm);
	else
		fork_something(t);
}

/* Even threads write one time in four, odd ones one in 64. */
static void *run(void *arg)
{
	struct thread *t = arg;
	unsigned long one_in = t->nr & 1 ? 64 : 4;

	for (unsigned long i = 0; i < ops_each; i++) {
		if (pick(t, one_in))
			read_something(t);
		else
			write_something(t);
	}
	return NULL;
}

static void setup(void)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;
	struct mm_config mm_config = MM_CONFIG_INIT;
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/file", .inode = 1,
		.flags = FILE_READ | FILE_WRITE, .size_bytes = 1 << 20,
	};

	CHECK(!vmarea_create(&config, &instance));
	CHECK(!mm_create(instance, &mm_config, &mm));
	CHECK(!file_create(instance, &desc, &file));
	CHECK(mm_mmap(mm, GROUND, GROUND_PAGES * PAGE, PROT_READ,
		      MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0) > 0);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "ops", required_argument, NULL, 'o' }, { "threads", required_argument, NULL, 't' },
		{ "seed", required_argument, NULL, 's' }, { 0 },
	};
	unsigned long ops = 200000, nr_threads = 4;
	struct thread threads[16];
	int opt;

	seed = getenv("VMAREA_SEED") ? strtoul(getenv("VMAREA_SEED"), NULL, 0)
				     : (unsigned long)time(NULL);
	while ((opt = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (opt == 'o')
			ops = strtoul(optarg, NULL, 0);
		else if (opt == 't')
			nr_threads = strtoul(optarg, NULL, 0);
		else if (opt == 's')
			seed = strtoul(optarg, NULL, 0);
		else
			return 2;
	}
	if (!nr_threads || nr_threads > 16) {
		fprintf(stderr, "--threads: %lu: from 1 to 16\n", nr_threads);
		return 2;
	}
	printf("seed %lu, %lu operations, %lu threads\n", seed, ops, nr_threads);
	fflush(stdout);
	setup();
	ops_each = ops / nr_threads;
	for (unsigned int i = 0; i < nr_threads; i++) {
		threads[i] = (struct thread){ .nr = i, .rng = (seed + 1) * 0x9e3779b97f4a7c15ul + i };
		pthread_create(&threads[i].id, NULL, run, &threads[i]);
	}
	for (unsigned int i = 0; i < nr_threads; i++)
		pthread_join(threads[i].id, NULL);
	validate(mm);
	mmput(mm);
	file_put(file);
	vmarea_destroy(instance);
	printf("locked under RCU %lu, fell back %lu, range_ok %lu, queries %lu, walks %lu, "
	       "maps %lu, ground changes %lu, forks %lu\n", counts[0], counts[1], counts[2],
	       counts[3], counts[4], counts[5], counts[6], counts[7]);
	return 0;
}
