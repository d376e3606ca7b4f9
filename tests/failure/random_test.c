/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Random calls on a family of address spaces, one allocation in so many refused:
 *
 *	random_test [--seed SEED] [--calls CALLS] [--one-in K]
 *
 * After each call the walkers find nothing; and if an allocation was refused inside it, it said
 * -ENOMEM and left everything as it was (mm_touch_range(): from there on).  In the end nothing is
 * left.  The seed is printed, and taken from VMAREA_SEED too; it gives the same run again.  Exit
 * codes: 0 good, 1 a check failed, 2 wrong usage.
 */
#include "world.h"

static unsigned long long seed;
static unsigned long nr_calls = 4000;
static long one_in = 40;

static u64 rng;
static unsigned long nr_failed_calls, nr_wrong;
static char what[160];			/* the call, as text */

/* Marsaglia's xorshift64: repeats with the seed, whatever the port's is. */
static unsigned long below(unsigned long bound)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (unsigned long)(rng >> 16) % bound;
}

static unsigned long pick(const unsigned long *from, size_t nr)
{
	return from[below(nr)];
}
#define PICK(...)	pick((const unsigned long[]){ __VA_ARGS__ },		\
			     sizeof((const unsigned long[]){ __VA_ARGS__ }) / sizeof(long))

/* ------------------------------------------------------------- one call -- */

struct range {
	unsigned long addr, len;
};

/* Mostly within the crowd, by pages; sometimes by huge pages. */
static struct range some_range(void)
{
	if (!below(12))
		return (struct range){ HUGE_AT(below(8)), (1 + below(2)) * HUGE };
	return (struct range){ AT(below(72)), (1 + below(20)) * PAGE };
}

static struct file *some_file(void)
{
	struct file *files[] = { w.file, w.zero, w.device, w.file };

	return files[below(4)];
}

static long some_mmap(struct mm_user *mm)
{
	struct range r = some_range();
	unsigned long prot = PICK(PROT_NONE, PROT_READ, RW, RW, RW | PROT_EXEC);
	unsigned long type = PICK(MAP_PRIVATE, MAP_PRIVATE, MAP_SHARED);
	unsigned long more = PICK(0, 0, 0, MAP_LOCKED, MAP_POPULATE, MAP_NORESERVE);
	unsigned long place = PICK(MAP_FIXED, MAP_FIXED, 0);

	if (r.len >= HUGE)
		return mm_mmap(mm, r.addr, r.len, RW, type | place | MAP_ANONYMOUS | MAP_HUGETLB,
			       NULL, 0);
	if (!below(3))
		return mm_mmap(mm, r.addr, r.len, prot, type | place | more, some_file(),
			       below(16) * PAGE);
	return mm_mmap(mm, r.addr, r.len, prot, type | place | more | MAP_ANONYMOUS, NULL, 0);
}

static long some_mremap(struct mm_user *mm)
{
	struct range r = some_range();
	unsigned long new_len = below(2) ? r.len : (1 + below(24)) * PAGE;
	unsigned long flags = PICK(0, MREMAP_MAYMOVE, MREMAP_MAYMOVE | MREMAP_FIXED,
				   MREMAP_MAYMOVE | MREMAP_FIXED,
				   MREMAP_MAYMOVE | MREMAP_DONTUNMAP);

	return mm_mremap(mm, r.addr, r.len, new_len, flags, AT(below(72)));
}

static long some_madvise(struct mm_user *mm)
{
	struct range r = some_range(), also = some_range();
	const struct mm_range ranges[] = { { r.addr, r.len }, { also.addr, also.len } };
	int advice = (int)PICK(MADV_RANDOM, MADV_NORMAL, MADV_DONTFORK, MADV_DOFORK,
			       MADV_WIPEONFORK, MADV_KEEPONFORK, MADV_MERGEABLE,
			       MADV_GUARD_INSTALL, MADV_POPULATE_READ, MADV_POPULATE_WRITE,
			       MADV_HUGEPAGE, MADV_DONTNEED);

	if (below(3))
		return mm_madvise(mm, r.addr, r.len, advice);
	return mm_process_madvise(mm, ranges, 2, advice, 0, true);
}

static long some_lock(struct mm_user *mm)
{
	struct range r = some_range();

	switch (below(6)) {
	case 0:
		return mm_mlock(mm, r.addr, r.len);
	case 1:
		return mm_mlock2(mm, r.addr, r.len, MLOCK_ONFAULT);
	case 2:
		return mm_munlock(mm, r.addr, r.len);
	case 3:
		return mm_mlockall(mm, (int)PICK(MCL_CURRENT, MCL_FUTURE,
						 MCL_CURRENT | MCL_ONFAULT));
	case 4:
		return mm_munlockall(mm);
	default:
		return mm_set_memory_merge(mm, below(2));
	}
}

static long some_touch(struct mm_user *mm)
{
	struct range r = some_range();
	enum mm_fault fault;

	if (below(8) == 0)
		r = (struct range){ AT(899 - below(4)), PAGE };
	fault = mm_touch_range(mm, r.addr, r.len, (enum mm_access)below(3));
	return fault == MM_FAULT_OOM ? -ENOMEM : (long)fault;
}

static long some_brk(struct mm_user *mm)
{
	unsigned long brk = AT(1000 + below(8));

	return mm_brk(mm, brk) == brk ? 0 : -ENOMEM;
}

static long some_shm(struct mm_user *mm)
{
	struct range r = some_range();

	if (below(2))
		return mm_shmdt(mm, r.addr);
	return mm_shmat(mm, w.segment, below(2) ? r.addr : 0, (int)PICK(0, SHM_REMAP, SHM_RDONLY));
}

static long some_name(struct mm_user *mm)
{
	struct range r = some_range();

	return mm_set_anon_name(mm, r.addr, r.len, below(3) ? "a name" : NULL);
}

static long some_munmap(struct mm_user *mm)
{
	struct range r = some_range();

	return mm_munmap(mm, r.addr, r.len);
}

static long some_mprotect(struct mm_user *mm)
{
	struct range r = some_range();

	return mm_mprotect(mm, r.addr, r.len, PICK(PROT_NONE, PROT_READ, RW, RW));
}

/* A child for one of the places, and who was there goes; in the background, now and then. */
static long some_fork(struct mm_user *mm)
{
	struct mm_user **place = &w.ancestors[below(NR_ANCESTORS)], *child;
	int err = mm_fork(mm, &child);

	if (err)
		return err;
	if (*place && below(2))
		mmput(*place);
	else if (*place)
		mmput_async(*place);
	*place = child;
	return 0;
}

static const struct {
	const char *name;
	unsigned int weight;
	long (*call)(struct mm_user *mm);
} kinds[] = {
	{ "mmap", 6, some_mmap }, { "munmap", 2, some_munmap }, { "mprotect", 5, some_mprotect },
	{ "mremap", 4, some_mremap }, { "madvise", 4, some_madvise }, { "lock", 2, some_lock },
	{ "touch", 4, some_touch }, { "brk", 1, some_brk }, { "shm", 1, some_shm },
	{ "name", 1, some_name }, { "fork", 1, some_fork },
};
#define NR_KINDS	(sizeof(kinds) / sizeof(kinds[0]))

/* ----------------------------------------------------------------- checks -- */

static void wrong(unsigned long nr, long ret, const char *why)
{
	fprintf(stderr, "call %lu, %s, result %ld: %s (--seed %llu --calls %lu --one-in %ld)\n", nr,
		what, ret, why, seed, nr + 1, one_in);
	nr_wrong++;
}

static unsigned long nr_failures(void)
{
	struct port_site sites[256];
	size_t nr = port_fail_sites(sites, 256);
	unsigned long failed = 0;

	for (size_t i = 0; i < nr; i++)
		failed += sites[i].failed;
	return failed;
}

/* Another of the family has its turn. */
static void change_sides(void)
{
	struct mm_user **other = &w.ancestors[below(NR_ANCESTORS)], *mm = w.mm;

	if (!*other)
		return;
	w.mm = *other;
	*other = mm;
}

static void one_call(unsigned long nr)
{
	unsigned long total = 0, at, failed = nr_failures();
	char *before = world_picture(), *after, why[256] = "";
	size_t kind = 0;
	long ret;

	for (size_t i = 0; i < NR_KINDS; i++)
		total += kinds[i].weight;
	for (at = below(total); at >= kinds[kind].weight; kind++)
		at -= kinds[kind].weight;
	snprintf(what, sizeof(what), "%s", kinds[kind].name);
	world_trim();
	port_fail_random(seed + nr, one_in);
	ret = kinds[kind].call(w.mm);
	port_fail_random(0, 0);
	/* What a call has left to the background is part of it. */
	port_work_flush();
	after = world_picture();
	if (!world_is_sound(why, sizeof(why)))
		wrong(nr, ret, why);
	if (nr_failures() != failed) {
		nr_failed_calls++;
		if (ret != -ENOMEM)
			wrong(nr, ret, "an allocation was refused, and it does not say so");
		else if (kinds[kind].call != some_touch && strcmp(before, after)) {
			wrong(nr, ret, "an allocation was refused, and something changed");
			world_print_difference(before, after);
		}
	}
	free(before);
	free(after);
}

/* Nobody may run out of areas, or the family would come to a standstill. */
static void start_anew(void)
{
	const struct mm_config config = MM_CONFIG_INIT;

	assert_int_equal(mm_munmap(w.mm, 0, config.task_size), 0);
	assert_int_equal(mm_munlockall(w.mm), 0);
}

static void random_calls(void **state)
{
	long left;

	printf("seed %llu\n", seed);
	/* Not 0, where xorshift stays. */
	rng = seed * 2 + 1;
	world_open();
	for (unsigned long nr = 0; nr < nr_calls && nr_wrong < 10; nr++) {
		one_call(nr);
		if (!below(8))
			change_sides();
		if (!below(500))
			start_anew();
	}
	left = world_close();
	printf("%lu calls, in %lu of them an allocation was refused (1 in %ld), %lu wrong states, "
	       "%ld leaks\n", nr_calls, nr_failed_calls, one_in, nr_wrong, left);
	assert_int_equal(nr_wrong, 0);
	assert_int_equal(left, 0);
	/* Of a long run: a test in which nothing fails shows nothing. */
	assert_true(nr_calls < 1000 || nr_failed_calls);
}

/* ---------------------------------------------------------------- options -- */

static int usage(const char *option, const char *value)
{
	fprintf(stderr, "%s: %s: expected --seed, --calls or --one-in, and a number above 0\n",
		option, value);
	return 2;
}

static bool read_options(int argc, char **argv)
{
	for (int i = 1; i < argc; i += 2) {
		char *end;
		unsigned long long value;

		if (i + 1 == argc)
			return usage(argv[i], "nothing") == 0;
		value = strtoull(argv[i + 1], &end, 0);
		if (!value || *end)
			return usage(argv[i], argv[i + 1]) == 0;
		if (!strcmp(argv[i], "--seed"))
			seed = value;
		else if (!strcmp(argv[i], "--calls"))
			nr_calls = value;
		else if (!strcmp(argv[i], "--one-in"))
			one_in = (long)value;
		else
			return usage(argv[i], argv[i + 1]) == 0;
	}
	return true;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(random_calls) };
	const char *given = getenv("VMAREA_SEED");

	seed = given ? strtoull(given, NULL, 0) : port_random() >> 32;
	if (!read_options(argc, argv))
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
