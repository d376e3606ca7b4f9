/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Four threads on one mm: they fault, unmap, remap, protect, discard, guard, pin, populate and fork
 * on overlapping ranges, and the walker looks now and then.
 *
 * What each may find.  A page that was written to says which place of a region it is (its stamp),
 * and how often it was written to; regions move as wholes, so the place stays right.  A load finds
 * zeros or such a word.  A child of a fork is one thread's alone: what it has read there once, it
 * must read again, whatever the others do to the parent.
 *
 * The last region is a file's, shared: there only the stamp stays what it is.
 *
 * Then the same with regions of 2 MiB, in an instance that makes huge pages wherever it can, and
 * with collapses.
 */
#include "../sync/crew.h"
#include "memory.h"

#define SMALL_REGION	160ul
#define HUGE_REGION	512ul
#define REGIONS		4ul
#define SHARED_REGION	(REGIONS - 1)
#define THREADS		4

static struct memory m;
static unsigned long region_pages;
static int rounds;
static struct file *file;
static u64 counter;			/* atomic */

static u64 stamp(unsigned long page)
{
	return 0x5eed0000u + page % region_pages;
}

static bool is_expected(u64 word, unsigned long page)
{
	return !word || (word & 0xffffffffu) == stamp(page);
}

static bool is_outcome(enum mm_fault fault)
{
	return fault == MM_FAULT_DONE || fault == MM_FAULT_MAPERR || fault == MM_FAULT_ACCERR;
}

static enum mm_fault load(struct mm_user *mm, unsigned long page, u64 *word)
{
	enum mm_fault fault;

	mm_read(mm, at(page) + 8, word, sizeof(*word), &fault);
	check(is_outcome(fault));
	if (fault == MM_FAULT_DONE)
		check(is_expected(*word, page));
	return fault;
}

static void store(struct mm_user *mm, unsigned long page)
{
	u64 word = stamp(page) | atomic_add_relaxed(&counter, 1) << 32;
	enum mm_fault fault;

	mm_write(mm, at(page) + 8, &word, sizeof(word), &fault);
	check(is_outcome(fault));
}

static void map_region(unsigned long region)
{
	unsigned long addr = at(region * region_pages), bytes = region_pages * 4096;
	bool shared = region == SHARED_REGION;

	check(mm_mmap(m.s.mm, addr, bytes, RW,
		      MAP_FIXED | (shared ? MAP_SHARED : ANON), shared ? file : NULL, 0) ==
	      (long)addr);
}

static void fork_and_look(struct worker *w)
{
	unsigned long first = pick(w, SHARED_REGION) * region_pages + pick(w, region_pages - 16);
	struct mm_user *child;
	u64 before[16], after;
	enum mm_fault fault[16];

	if (mm_fork(m.s.mm, &child))
		return;
	for (unsigned long i = 0; i < 16; i++)
		fault[i] = load(child, first + i, &before[i]);
	for (unsigned long i = 0; i < 16; i++)
		store(m.s.mm, first + i);
	for (unsigned long i = 0; i < 16; i++) {
		check(load(child, first + i, &after) == fault[i]);
		check(fault[i] != MM_FAULT_DONE || before[i] == after);
	}
	store(child, first);
	if (!pick(w, 8)) {
		char why[256] = "";

		check(!mm_validate(child, why, sizeof(why)));
		if (why[0])
			port_log("child: %s", why);
	}
	mmput(child);
}

static void pin_and_write(struct worker *w, unsigned long page)
{
	struct mm_translation t;

	if (mm_translate(m.s.mm, at(page) + 8, MM_ACCESS_WRITE, &t) != MM_FAULT_DONE)
		return;
	check(is_expected(atomic_load_relaxed((u64 *)t.bytes), page));
	atomic_store_relaxed((u64 *)t.bytes, stamp(page));
	if (pick(w, 2))
		store(m.s.mm, page);
	mm_translation_put(&t);
}

static void call(struct worker *w)
{
	unsigned long region = pick(w, REGIONS), nr = 1 + pick(w, 24);
	unsigned long page = region * region_pages + pick(w, region_pages - nr);
	unsigned long to = pick(w, SHARED_REGION), bytes = nr * 4096;
	char why[256] = "";

	switch (pick(w, region_pages == HUGE_REGION ? 15 : 12)) {
	case 0:
		mm_munmap(m.s.mm, at(page), bytes);
		break;
	case 1:
		map_region(region);
		break;
	case 2:
		mm_mprotect(m.s.mm, at(page), bytes, pick(w, 3) ? RW : PROT_READ);
		break;
	case 3:
		if (region != SHARED_REGION && region != to) {
			mm_mremap(m.s.mm, at(region * region_pages), region_pages * 4096,
				  region_pages * 4096, MREMAP_MAYMOVE | MREMAP_FIXED,
				  at(to * region_pages));
			map_region(region);
		}
		break;
	case 4:
		fork_and_look(w);
		break;
	case 5:
		mm_madvise(m.s.mm, at(page), bytes,
			   pick(w, 2) ? MADV_GUARD_INSTALL : MADV_GUARD_REMOVE);
		break;
	case 6:
		mm_madvise(m.s.mm, at(page), bytes,
			   pick(w, 2) ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
		break;
	case 7:
		pin_and_write(w, page);
		break;
	case 8:
		if (w->nr == 0 && mm_validate(m.s.mm, why, sizeof(why))) {
			port_log("%s", why);
			check(false);
		}
		break;
	case 12 ... 13:
		mm_madvise(m.s.mm, at(region * region_pages), region_pages * 4096, MADV_COLLAPSE);
		break;
	case 14:
		mm_madvise(m.s.mm, at(region * region_pages), region_pages * 4096, MADV_DONTNEED);
		break;
	default:
		mm_madvise(m.s.mm, at(page), bytes, pick(w, 3) ? MADV_DONTNEED : MADV_FREE);
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < rounds; i++) {
		unsigned long page = pick(w, REGIONS * region_pages);
		u64 word;

		switch (pick(w, 16)) {
		case 0:
			call(w);
			break;
		case 1 ... 8:
			store(m.s.mm, page);
			break;
		default:
			load(m.s.mm, page, &word);
		}
	}
	return NULL;
}

static void run(unsigned long pages, int nr_rounds, enum vmarea_thp thp)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/shared", .flags = FILE_READ | FILE_WRITE,
		.size_bytes = pages * 4096,
	};
	static void *(*const crew[THREADS])(void *arg) = { work, work, work, work };

	region_pages = pages;
	rounds = nr_rounds;
	memory_init(&m, 256ul << 20);
	m.s.config.thp = thp;
	memory_create(&m);
	assert_int_equal(file_create(m.s.v, &desc, &file), 0);
	for (unsigned long i = 0; i < REGIONS; i++)
		map_region(i);
	crew_run(crew, THREADS, THREADS);
	file_put(file);
	memory_close(&m);
}

static void threads_on_overlapping_ranges(void **state)
{
	run(SMALL_REGION, 60000, VMAREA_THP_NEVER);
}

static void and_with_huge_pages(void **state)
{
	run(HUGE_REGION, 20000, VMAREA_THP_ALWAYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_on_overlapping_ranges),
		cmocka_unit_test(and_with_huge_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
