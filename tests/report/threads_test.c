/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Reports beside threads that fault, discard, unmap, move and fork: what is one piece adds up, and
 * every report comes to an end.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "core_image.h"

#define AREA		64ul		/* pages of each area */
#define NR_AREAS	8ul
#define CHANGES		10000u

static atomic_uint changes;	/* made so far */

static void act(struct memory *m, unsigned int random)
{
	const unsigned long area = random % NR_AREAS, page = area * AREA;
	struct mm_user *child;

	switch (random / NR_AREAS % 8) {
	case 0:
		assert_int_equal(space_map(&m->s, page, AREA, RW,
					   random & 1024 ? ANON : MAP_SHARED | MAP_ANONYMOUS), 0);
		break;
	case 1:
		mm_madvise(m->s.mm, at(page), AREA * SPACE_PAGE, MADV_DONTNEED);
		break;
	case 2:
		assert_int_equal(space_unmap(&m->s, page, AREA / 2), 0);
		break;
	case 3:
		if (mm_fork(m->s.mm, &child))
			break;
		mm_handle_fault(child, at(page), MM_ACCESS_WRITE);
		mmput(child);
		break;
	default:
		for (unsigned long i = 0; i < AREA; i += 3)
			mm_handle_fault(m->s.mm, at(page + i), random & 512 ? MM_ACCESS_WRITE
									    : MM_ACCESS_READ);
	}
}

static void *change(void *arg)
{
	unsigned long x = 88172645463325252ul;

	while (atomic_fetch_add(&changes, 1) < CHANGES) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		act(arg, (unsigned int)(x >> 20));
	}
	return NULL;
}

static int ignore(void *arg, const char *text, size_t bytes)
{
	*(size_t *)arg += bytes;
	return 0;
}

/* Whatever goes meanwhile, the file is as long as its header says. */
static void look_at_core(struct memory *m)
{
	struct image image = core_of(m->s.mm, MM_CORE_FILTER_DEFAULT);

	check_segments(&image);
	free(image.bytes);
}

static void look(struct memory *m)
{
	struct mm_page_counts n;
	uint64_t words[AREA];
	size_t bytes = 0;

	mm_count_pages(m->s.mm, at(0), at(AREA * NR_AREAS), &n);
	assert_true(n.rss <= AREA * NR_AREAS * SPACE_PAGE);
	assert_int_equal(n.rss, n.shared_clean + n.shared_dirty + n.private_clean + n.private_dirty);
	assert_int_equal(n.pss, n.pss_anon + n.pss_file + n.pss_shmem);
	assert_true(n.anonymous <= n.rss && n.referenced <= n.rss && n.pss >> MM_PSS_SHIFT <= n.rss);
	/* Each anonymous page here is dirty from the first. */
	assert_int_equal(n.lazy_free, 0);
	assert_int_equal(mm_pagemap_read(m->s.mm, at(0), AREA, words), AREA);
	for (unsigned long i = 0; i < AREA; i++)
		assert_true(!words[i] || (words[i] & MM_PAGEMAP_PRESENT));
	assert_int_equal(mm_report_smaps(m->s.mm, ignore, &bytes), 0);
	assert_int_equal(mm_report_smaps_rollup(m->s.mm, ignore, &bytes), 0);
	assert_int_equal(mm_report_json(m->s.mm, ignore, &bytes), 0);
	assert_true(bytes > 0);
	look_at_core(m);
}

static void beside_changes(void **state)
{
	pthread_t thread;
	struct memory m;

	memory_open(&m);
	atomic_store(&changes, 0);
	assert_int_equal(pthread_create(&thread, NULL, change, &m), 0);
	while (atomic_load(&changes) < CHANGES)
		look(&m);
	pthread_join(thread, NULL);
	memory_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(beside_changes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
