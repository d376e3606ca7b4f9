/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Where mmap() puts what it is not told where to put.  Each case is a row of calls with the address
 * or errno that Linux 6.18 gives in a process whose areas are these and no others.
 */
#include <errno.h>

#include "space.h"

#define P		SPACE_PAGE
#define MIB		(1ul << 20)
#define GIB		(1ul << 30)
#define TOP		0x7ffff7fff000ul	/* mmap_base: not aligned to 2 MiB */
#define TASK_END	0x7ffffffff000ul
#define LOW		0x2aaaaaaab000ul	/* where bottom-up begins */

enum op { END, MAP, UNMAP };

enum kind {
	ANONYMOUS,		/* no file */
	PLAIN,			/* a file whose kind has no wish */
	EXT4,
	TMPFS,
	DEV_ZERO,
	NR_KINDS,
};

struct call {
	enum op op;
	unsigned long addr, len;
	unsigned long flags;	/* MAP_PRIVATE unless it says MAP_SHARED */
	enum kind kind;
	unsigned long pgoff;
	long result;
};

struct placement_case {
	const char *name;
	unsigned int caps;
	bool bottom_up;
	struct call call[8];
};

#define ANYWHERE(length, where)	{ MAP, 0, length, 0, ANONYMOUS, 0, (long)(where) }
#define HINT(hint, length, where) { MAP, hint, length, 0, ANONYMOUS, 0, (long)(where) }
#define FIXED(where, length)	{ MAP, where, length, MAP_FIXED, ANONYMOUS, 0, (long)(where) }
#define STACK(where, length)	\
	{ MAP, where, length, MAP_FIXED | MAP_GROWSDOWN, ANONYMOUS, 0, (long)(where) }
#define GONE(where, length)	{ UNMAP, where, length, 0, ANONYMOUS, 0, 0 }

static const struct placement_case cases[] = {
	{ .name = "top-down, the highest hole that fits", .call = {
		ANYWHERE(P, TOP - P),
		ANYWHERE(P, TOP - 2 * P),
		ANYWHERE(3 * P, TOP - 5 * P),
		GONE(TOP - 2 * P, P),
		ANYWHERE(2 * P, TOP - 7 * P),
		ANYWHERE(P, TOP - 2 * P),
	} },
	{ .name = "a multiple of 2 MiB is aligned, small maps take the slack", .call = {
		ANYWHERE(2 * MIB, 0x7ffff7c00000),
		ANYWHERE(2 * MIB + P, 0x7ffff7c00000 - 2 * MIB - P),
		ANYWHERE(P, TOP - P),
		ANYWHERE(2 * MIB - 2 * P, TOP - P - 2 * MIB + 2 * P),
	} },
	{ .name = "aligned ones lie side by side", .call = {
		ANYWHERE(4 * MIB, 0x7ffff7a00000),
		ANYWHERE(2 * MIB, 0x7ffff7800000),
		ANYWHERE(6 * MIB, 0x7ffff7200000),
	} },
	{ .name = "shared anonymous memory is packed", .call = {
		{ MAP, 0, 2 * MIB, MAP_SHARED, ANONYMOUS, 0, (long)(TOP - 2 * MIB) },
	} },
	{ .name = "a 2 MiB map with a hint is not aligned, honoured or not", .call = {
		HINT(5 * GIB + P, 2 * MIB, 5 * GIB + P),
		HINT(5 * GIB, 2 * MIB, TOP - 2 * MIB),
	} },
	{ .name = "files: packed, by offset, packed", .call = {
		{ MAP, 0, 2 * MIB, MAP_SHARED, PLAIN, 0, (long)(TOP - 2 * MIB) },
		{ MAP, 0, 2 * MIB, MAP_SHARED, TMPFS, 0, (long)(TOP - 4 * MIB) },
		{ MAP, 0, 4 * MIB + P, 0, EXT4, 0, 0x7ffff7600000 },
		{ MAP, 0, 2 * MIB, 0, EXT4, 1, (long)(0x7ffff7600000 - 2 * MIB) },
		{ MAP, 0, 4 * MIB, 0, EXT4, 1, 0x7ffff6e01000 },
		{ MAP, 0, 2 * MIB - P, 0, EXT4, 0, 0x7ffff7201000 },
	} },
	{ .name = "a hint for such a file needs room for 2 MiB more", .call = {
		FIXED(5 * GIB + 2 * MIB, P),
		{ MAP, 5 * GIB, 2 * MIB, 0, EXT4, 0, 0x7ffff7c00000 },
		{ MAP, 5 * GIB, 2 * MIB - P, 0, EXT4, 0, 5 * GIB },
		{ MAP, 6 * GIB + P, 2 * MIB, 0, EXT4, 0, 6 * GIB + P },
	} },
	{ .name = "/dev/zero: private as such a file, shared as memory", .call = {
		{ MAP, 0, 2 * MIB + P, 0, DEV_ZERO, 0, 0x7ffff7c00000 },
		{ MAP, 0, 2 * MIB, MAP_SHARED, DEV_ZERO, 0, (long)(0x7ffff7c00000 - 2 * MIB) },
	} },
	{ .name = "hints round down", .call = {
		HINT(5 * GIB + 10 * P + 123, P, 5 * GIB + 10 * P),
		HINT(5 * GIB + 10 * P, P, TOP - P),
		HINT(5 * GIB + 9 * P, 2 * P, TOP - 3 * P),
		HINT(1ul << 47, P, TOP - 4 * P),
		HINT(-P, P, TOP - 5 * P),
	} },
	{ .name = "the lowest hint is 64 KiB", .call = {
		HINT(P, P, 0x10000),
		HINT(0x20000, P, 0x20000),
		HINT(0x10001, P, TOP - P),
		HINT(0x3000, P, TOP - 2 * P),
		HINT(0xfff, P, TOP - 3 * P),
	} },
	{ .name = "the lowest fixed address is 4 KiB", .call = {
		{ MAP, 0, P, MAP_FIXED, ANONYMOUS, 0, -EPERM },
		FIXED(P, P),
		{ MAP, 0x8000, P, MAP_FIXED_NOREPLACE, ANONYMOUS, 0, 0x8000 },
	} },
	{ .name = "with the capability it is 0", .caps = MM_CAP_SYS_RAWIO, .call = {
		FIXED(0, P),
		HINT(P, P, 0x10000),
	} },
	{ .name = "fixed addresses", .call = {
		{ MAP, 0x10001, P, MAP_FIXED, ANONYMOUS, 0, -EINVAL },
		FIXED(TASK_END - P, P),
		{ MAP, TASK_END - P, 2 * P, MAP_FIXED, ANONYMOUS, 0, -ENOMEM },
		{ MAP, TASK_END, P, MAP_FIXED, ANONYMOUS, 0, -ENOMEM },
		{ MAP, 0xffff800000000000, P, MAP_FIXED, ANONYMOUS, 0, -ENOMEM },
		{ MAP, 0, TASK_END + P, 0, ANONYMOUS, 0, -ENOMEM },
		{ MAP, 0, TASK_END, 0, ANONYMOUS, 0, -ENOMEM },
	} },
	{ .name = "MAP_32BIT: the lowest in the second GiB, hints below 2 GiB", .call = {
		{ MAP, 0, P, MAP_32BIT, ANONYMOUS, 0, GIB },
		{ MAP, 0, P, MAP_32BIT, ANONYMOUS, 0, GIB + P },
		{ MAP, 0x100000, P, MAP_32BIT, ANONYMOUS, 0, 0x100000 },
		{ MAP, 2 * GIB - P, P, MAP_32BIT, ANONYMOUS, 0, 2 * GIB - P },
		{ MAP, 5 * GIB, 2 * P, MAP_32BIT, ANONYMOUS, 0, GIB + 2 * P },
		{ MAP, 0, 4 * MIB, MAP_32BIT, ANONYMOUS, 0, GIB + 2 * MIB },
		{ MAP, 0, GIB, MAP_32BIT, ANONYMOUS, 0, -ENOMEM },
		{ MAP, 0, 3 * GIB, MAP_32BIT, ANONYMOUS, 0, -ENOMEM },
	} },
	{ .name = "a full top falls back to bottom-up", .call = {
		FIXED(0x10000, TOP - 0x10000),
		ANYWHERE(P, TOP),
		/* The upper of the two aligned places, though it is the lowest that is sought. */
		ANYWHERE(2 * MIB, 0x7ffff8200000),
	} },
	{ .name = "MAP_ABOVE4G falls back to bottom-up, too", .call = {
		FIXED(4 * GIB, TOP - 4 * GIB),
		{ MAP, 0, P, MAP_ABOVE4G, ANONYMOUS, 0, TOP },
		ANYWHERE(P, 4 * GIB - P),
	} },
	{ .name = "bottom-up layout", .bottom_up = true, .call = {
		ANYWHERE(P, LOW),
		ANYWHERE(2 * P, LOW + P),
		GONE(LOW, P),
		ANYWHERE(2 * P, LOW + 3 * P),
		ANYWHERE(P, LOW),
		ANYWHERE(2 * MIB, 0x2aaaaac00000),
		HINT(5 * GIB, P, 5 * GIB),
		{ MAP, 0, P, MAP_32BIT, ANONYMOUS, 0, GIB },
	} },
	{ .name = "top-down keeps 256 pages below a stack", .call = {
		STACK(TOP - P, P),
		ANYWHERE(P, TOP - 258 * P),
		ANYWHERE(P, TOP - 259 * P),
	} },
	{ .name = "hints heed the gap, MAP_FIXED does not", .call = {
		STACK(5 * GIB, P),
		HINT(5 * GIB - P, P, TOP - P),
		HINT(5 * GIB - 260 * P, P, 5 * GIB - 260 * P),
		HINT(5 * GIB - 257 * P, P, 5 * GIB - 257 * P),
		HINT(5 * GIB - 256 * P, P, TOP - 2 * P),
		FIXED(5 * GIB - P, P),
	} },
	{ .name = "bottom-up passes over all that lies below a stack", .bottom_up = true, .call = {
		FIXED(LOW, P),
		STACK(LOW + 300 * P, P),
		ANYWHERE(43 * P, LOW + P),
		ANYWHERE(2 * P, LOW + 301 * P),
		GONE(LOW + P, 43 * P),
		ANYWHERE(44 * P, LOW + 303 * P),
		ANYWHERE(P, LOW + P),
	} },
	{ .name = "a new stack needs no room below it", .call = {
		FIXED(TOP - 2 * P, P),
		{ MAP, 0, P, MAP_GROWSDOWN, ANONYMOUS, 0, (long)(TOP - P) },
	} },
};

static long place(struct space *s, struct file *const *file, const struct call *c)
{
	unsigned long flags = c->flags;

	if (!(flags & MAP_SHARED))
		flags |= MAP_PRIVATE;
	if (c->kind == ANONYMOUS)
		flags |= MAP_ANONYMOUS;
	return mm_mmap(s->mm, c->addr, c->len, PROT_READ, flags, file[c->kind], c->pgoff * P);
}

static void run_case(const struct placement_case *pc)
{
	struct file *file[NR_KINDS] = { NULL };
	struct space s;

	space_init(&s);
	s.mm_config.caps = pc->caps;
	s.mm_config.bottom_up = pc->bottom_up;
	space_create(&s);
	file[PLAIN] = space_file(&s, 4096, 0, FILE_PLACE_ANY);
	file[EXT4] = space_file(&s, 4096, 0, FILE_PLACE_HUGE);
	file[TMPFS] = space_file(&s, 4096, FILE_SHMEM, FILE_PLACE_SHMEM);
	file[DEV_ZERO] = space_file(&s, 0, FILE_DEV_ZERO, FILE_PLACE_ANY);
	for (const struct call *c = pc->call; c < pc->call + 8 && c->op != END; c++) {
		long ret = c->op == MAP ? place(&s, file, c) : mm_munmap(s.mm, c->addr, c->len);

		if (ret != c->result)
			fail_msg("%s: call %ld: %#lx, not %#lx", pc->name, (long)(c - pc->call) + 1,
				 (unsigned long)ret, (unsigned long)c->result);
	}
	for (int kind = PLAIN; kind < NR_KINDS; kind++)
		file_put(file[kind]);
	space_close(&s);
}

static void each_case_is_placed_as_linux_does(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		run_case(&cases[i]);
}

/* Huge pages: MAP_NORESERVE needs none in the pool. */
static void huge_pages_are_aligned(void **state)
{
	const unsigned long flags = ANON | MAP_HUGETLB | MAP_NORESERVE;
	struct space s;

	(void)state;
	space_open(&s);
	assert_int_equal(mm_mmap(s.mm, 0, P, RW, flags, NULL, 0), 0x7ffff7c00000);
	assert_int_equal(mm_mmap(s.mm, 0, 2 * MIB, RW, flags, NULL, 0), 0x7ffff7a00000);
	assert_int_equal(mm_mmap(s.mm, 5 * GIB + P, 2 * MIB, RW, flags, NULL, 0),
			 5 * GIB + 2 * MIB);
	assert_int_equal(mm_mmap(s.mm, P, 2 * MIB, RW, flags, NULL, 0), 2 * MIB);
	assert_int_equal(mm_mmap(s.mm, 5 * GIB + P, 2 * MIB, RW, flags | MAP_FIXED, NULL, 0),
			 -EINVAL);
	assert_int_equal(mm_mmap(s.mm, 0, 2 * MIB, RW, flags | MAP_32BIT, NULL, 0), GIB);
	assert_int_equal(mm_mmap(s.mm, -P, 2 * MIB, RW, flags, NULL, 0), 0x7ffff7800000);
	space_close(&s);
}

static void without_thp_all_is_packed(void **state)
{
	struct space s;
	struct file *file;

	(void)state;
	space_init(&s);
	s.config.features &= ~VMAREA_FEATURE_THP;
	space_create(&s);
	file = space_file(&s, 4096, 0, FILE_PLACE_HUGE);
	assert_int_equal(mm_mmap(s.mm, 0, 2 * MIB, RW, ANON, NULL, 0), TOP - 2 * MIB);
	assert_int_equal(mm_mmap(s.mm, 0, 4 * MIB, RW, MAP_PRIVATE, file, 0), TOP - 6 * MIB);
	file_put(file);
	space_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_case_is_placed_as_linux_does),
		cmocka_unit_test(huge_pages_are_aligned),
		cmocka_unit_test(without_thp_all_is_packed),
	};

	return cmocka_run_group_tests_name("mm/placement", tests, NULL, NULL);
}
