/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Each number of smaps, one state of pages for each: counts, the text and pagemap's words.  What
 * the numbers should be is Linux's answer to the same, which kernel_pages_test.c asks for.
 */
#include "../fault/memory.h"

#define KB	1024ul
#define PAGE	SPACE_PAGE

static struct mm_page_counts counts(struct mm_user *mm, unsigned long page, unsigned long nr)
{
	struct mm_page_counts c;

	memset(&c, 0xff, sizeof(c));
	mm_count_pages(mm, at(page), at(page + nr), &c);
	return c;
}

/* The counts are these, and all that are not named are 0. */
#define assert_counts(mm, page, nr, ...) do {						\
	const struct mm_page_counts want_ = { __VA_ARGS__ };				\
	const struct mm_page_counts have_ = counts((mm), (page), (nr));			\
	assert_same_counts(&have_, &want_, __LINE__);					\
} while (0)

static void assert_same_counts(const struct mm_page_counts *have, const struct mm_page_counts *want,
			       int line)
{
	const uint64_t *h = (const uint64_t *)have, *w = (const uint64_t *)want;

	for (size_t i = 0; i < sizeof(*have) / sizeof(*h); i++)
		if (h[i] != w[i])
			fail_msg("line %d: number %zu is %lu, should be %lu", line, i, h[i], w[i]);
}

#define PSS(bytes)	((uint64_t)(bytes) << MM_PSS_SHIFT)

/* One anonymous page, mapped @n times, of an area that is not locked. */
#define ANON_PAGES(nr, n)	.rss = (nr) * PAGE, .pss = PSS((nr) * PAGE) / (n),	\
	.pss_dirty = PSS((nr) * PAGE) / (n), .pss_anon = PSS((nr) * PAGE) / (n),	\
	.anonymous = (nr) * PAGE

static uint64_t word(struct mm_user *mm, unsigned long page)
{
	uint64_t word = 1;

	assert_int_equal(mm_pagemap_read(mm, at(page), 1, &word), 1);
	return word;
}

#define assert_word(mm, page, bits)							\
	assert_int_equal(word((mm), (page)), (bits) | mm_frame((mm), (page)))

#define EXCLUSIVE	MM_PAGEMAP_EXCLUSIVE
#define PRESENT		MM_PAGEMAP_PRESENT
#define PRESENT_FILE	(MM_PAGEMAP_PRESENT | MM_PAGEMAP_FILE)

static void nothing_and_zeros(void **state)
{
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 8, RW, ANON), 0);
	assert_counts(m.s.mm, 0, 8, .rss = 0);
	assert_int_equal(word(m.s.mm, 0), 0);
	assert_int_equal(get(&m, 3), 0);
	assert_counts(m.s.mm, 0, 8, .rss = 0);
	assert_word(m.s.mm, 3, PRESENT);
	memory_close(&m);
}

static void anonymous(void **state)
{
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 8, RW, ANON), 0);
	put(&m, 1, 1);
	put(&m, 2, 2);
	assert_counts(m.s.mm, 0, 8, ANON_PAGES(2, 1), .private_dirty = 2 * PAGE,
		      .referenced = 2 * PAGE);
	assert_word(m.s.mm, 1, PRESENT | EXCLUSIVE);
	/* Of a part of an area: rounded to pages. */
	mm_count_pages(m.s.mm, at(1) + 1, at(1) + 2, &(struct mm_page_counts){ 0 });
	assert_int_equal(counts(m.s.mm, 2, 1).rss, PAGE);
	assert_int_equal(counts(m.s.mm, 3, 5).rss, 0);
	/* Referenced until it is told cold; accessed through the entry again. */
	assert_int_equal(mm_madvise(m.s.mm, at(0), 8 * PAGE, MADV_COLD), 0);
	assert_int_equal(counts(m.s.mm, 0, 8).referenced, 0);
	memory_close(&m);
}

static void shared_by_fork(void **state)
{
	struct mm_user *child;
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 8, RW, ANON), 0);
	put(&m, 0, 1);
	put(&m, 1, 1);
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	assert_counts(m.s.mm, 0, 8, ANON_PAGES(2, 2), .shared_dirty = 2 * PAGE,
		      .referenced = 2 * PAGE);
	/* The child has not used them. */
	assert_counts(child, 0, 8, ANON_PAGES(2, 2), .shared_dirty = 2 * PAGE);
	assert_word(child, 0, PRESENT);
	mm_put(child, 1, 2);
	assert_counts(child, 0, 8, .rss = 2 * PAGE, .pss = PSS(6 * KB), .pss_dirty = PSS(6 * KB),
		      .pss_anon = PSS(6 * KB), .anonymous = 2 * PAGE, .shared_dirty = PAGE,
		      .private_dirty = PAGE, .referenced = PAGE);
	assert_word(child, 1, PRESENT | EXCLUSIVE);
	assert_word(m.s.mm, 1, PRESENT | EXCLUSIVE);
	mmput(child);
	assert_counts(m.s.mm, 0, 8, ANON_PAGES(2, 1), .private_dirty = 2 * PAGE,
		      .referenced = 2 * PAGE);
	memory_close(&m);
}

/* A third is not a whole number: each share is rounded down. */
static void shared_by_three(void **state)
{
	struct mm_user *child[2];
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 1, RW, ANON), 0);
	put(&m, 0, 1);
	for (int i = 0; i < 2; i++)
		assert_int_equal(mm_fork(m.s.mm, &child[i]), 0);
	assert_int_equal(counts(m.s.mm, 0, 1).pss, PSS(PAGE) / 3);
	for (int i = 0; i < 2; i++)
		mmput(child[i]);
	memory_close(&m);
}

static void lazily_freed(void **state)
{
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 8, RW, ANON), 0);
	put(&m, 0, 1);
	put(&m, 1, 1);
	assert_int_equal(mm_madvise(m.s.mm, at(0), PAGE, MADV_FREE), 0);
	assert_counts(m.s.mm, 0, 8, .rss = 2 * PAGE, .pss = PSS(2 * PAGE), .pss_dirty = PSS(PAGE),
		      .pss_anon = PSS(2 * PAGE), .anonymous = 2 * PAGE, .lazy_free = PAGE,
		      .private_clean = PAGE, .private_dirty = PAGE, .referenced = PAGE);
	put(&m, 0, 2);
	assert_int_equal(counts(m.s.mm, 0, 8).lazy_free, 0);
	memory_close(&m);
}

static void locked(void **state)
{
	struct mm_user *child;
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 4, RW, ANON), 0);
	assert_int_equal(mm_mlock(m.s.mm, at(1), 2 * PAGE), 0);
	put(&m, 0, 1);
	assert_counts(m.s.mm, 0, 4, ANON_PAGES(3, 1), .private_dirty = 3 * PAGE,
		      .referenced = 3 * PAGE, .pss_locked = PSS(2 * PAGE));
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	assert_int_equal(counts(m.s.mm, 0, 4).pss_locked, PSS(PAGE));
	/* Locks are not inherited. */
	assert_int_equal(counts(child, 0, 4).pss_locked, 0);
	mmput(child);
	memory_close(&m);
}

/* What a fault maps is the page that was asked for. */
static void open_page_by_page(struct memory *m)
{
	memory_init(m, MEMORY_BYTES);
	m->s.config.fault_around_bytes = 0;
	memory_create(m);
}

static void private_file(void **state)
{
	struct memory m;
	struct file *file;

	open_page_by_page(&m);
	file = space_file(&m.s, 4, 0, FILE_PLACE_ANY);
	assert_int_equal(space_map_file(&m.s, 0, 4, RW, MAP_PRIVATE, file, 0), 0);
	get(&m, 0);
	get(&m, 1);
	assert_counts(m.s.mm, 0, 4, .rss = 2 * PAGE, .pss = PSS(2 * PAGE), .pss_file = PSS(2 * PAGE),
		      .private_clean = 2 * PAGE, .referenced = 2 * PAGE);
	assert_word(m.s.mm, 0, PRESENT_FILE | EXCLUSIVE);
	/* A copy is anonymous. */
	put(&m, 1, 1);
	assert_counts(m.s.mm, 0, 4, .rss = 2 * PAGE, .pss = PSS(2 * PAGE), .pss_file = PSS(PAGE),
		      .pss_anon = PSS(PAGE), .pss_dirty = PSS(PAGE), .private_clean = PAGE,
		      .private_dirty = PAGE, .referenced = 2 * PAGE, .anonymous = PAGE);
	assert_word(m.s.mm, 1, PRESENT | EXCLUSIVE);
	/* Twice in one mm is shared as well. */
	assert_int_equal(space_map_file(&m.s, 8, 4, PROT_READ, MAP_PRIVATE, file, 0), 0);
	get(&m, 8);
	assert_counts(m.s.mm, 8, 4, .rss = PAGE, .pss = PSS(2 * KB), .pss_file = PSS(2 * KB),
		      .shared_clean = PAGE, .referenced = PAGE);
	assert_word(m.s.mm, 8, PRESENT_FILE);
	/* What somebody has written to the file is dirty for all who map it. */
	assert_int_equal(file_write(file, 0, "x", 1), 1);
	assert_int_equal(counts(m.s.mm, 8, 4).shared_dirty, PAGE);
	file_put(file);
	memory_close(&m);
}

static void shared_memory(void **state)
{
	struct memory m;
	struct file *file;

	open_page_by_page(&m);
	file = space_file(&m.s, 4, FILE_SHMEM, FILE_PLACE_SHMEM);
	assert_int_equal(space_map_file(&m.s, 0, 4, RW, MAP_SHARED, file, 0), 0);
	assert_int_equal(space_map_file(&m.s, 8, 4, RW, MAP_SHARED, file, 0), 0);
	get(&m, 0);
	put(&m, 1, 1);
	assert_counts(m.s.mm, 0, 4, .rss = 2 * PAGE, .pss = PSS(2 * PAGE), .pss_dirty = PSS(PAGE),
		      .pss_shmem = PSS(2 * PAGE), .private_clean = PAGE, .private_dirty = PAGE,
		      .referenced = 2 * PAGE);
	/* The page is dirty, not only the entry that it was written through. */
	get(&m, 9);
	assert_counts(m.s.mm, 8, 4, .rss = PAGE, .pss = PSS(2 * KB), .pss_dirty = PSS(2 * KB),
		      .pss_shmem = PSS(2 * KB), .shared_dirty = PAGE, .referenced = PAGE);
	assert_int_equal(space_unmap(&m.s, 0, 4), 0);
	assert_int_equal(counts(m.s.mm, 8, 4).private_dirty, PAGE);
	/* A page that was read first and is written then. */
	get(&m, 8);
	assert_int_equal(counts(m.s.mm, 8, 1).private_clean, PAGE);
	put(&m, 8, 1);
	assert_int_equal(counts(m.s.mm, 8, 1).private_dirty, PAGE);
	assert_int_equal(space_map_file(&m.s, 0, 4, RW, MAP_SHARED, file, 0), 0);
	get(&m, 0);
	assert_int_equal(counts(m.s.mm, 0, 1).shared_clean, PAGE);
	assert_int_equal(space_unmap(&m.s, 8, 1), 0);
	assert_int_equal(counts(m.s.mm, 0, 1).private_dirty, PAGE);
	file_put(file);
	memory_close(&m);
}

/* What is cleared of a page is written, where nobody else has its bytes. */
static void holes_are_written(void **state)
{
	struct memory m;
	struct file *file;

	open_page_by_page(&m);
	file = space_file(&m.s, 4, FILE_SHMEM, FILE_PLACE_SHMEM);
	assert_int_equal(space_map_file(&m.s, 0, 4, PROT_READ, MAP_SHARED, file, 0), 0);
	for (int i = 0; i < 4; i++)
		get(&m, i);
	assert_int_equal(counts(m.s.mm, 0, 4).private_clean, 4 * PAGE);
	assert_int_equal(file_punch_hole(file, 1, 2 * PAGE), 0);
	assert_counts(m.s.mm, 0, 4, .rss = 3 * PAGE, .pss = PSS(3 * PAGE),
		      .pss_dirty = PSS(2 * PAGE), .pss_shmem = PSS(3 * PAGE),
		      .private_clean = PAGE, .private_dirty = 2 * PAGE, .referenced = 3 * PAGE);
	file_set_size(file, 3 * PAGE + 1);
	assert_int_equal(counts(m.s.mm, 0, 4).private_dirty, 3 * PAGE);
	file_put(file);
	memory_close(&m);
}

/*
 * Who stores by way of the page makes the page dirty, and so does who has it populated; a program's
 * own store the entry, if that was there.
 */
static void remote_stores_are_the_pages(void **state)
{
	enum mm_fault fault;
	struct memory m;
	struct file *file;

	open_page_by_page(&m);
	file = space_file(&m.s, 4, FILE_SHMEM, FILE_PLACE_SHMEM);
	assert_int_equal(space_map_file(&m.s, 0, 4, RW, MAP_SHARED, file, 0), 0);
	assert_int_equal(space_map_file(&m.s, 8, 4, PROT_READ, MAP_SHARED, file, 0), 0);
	for (int i = 0; i < 4; i++) {
		get(&m, i);
		get(&m, 8 + i);
	}
	put(&m, 0, 1);
	assert_int_equal(mm_access(m.s.mm, at(1), "x", 1, MM_REMOTE_WRITE, &fault), 1);
	assert_int_equal(mm_access(m.s.mm, at(2), "x", 1, MM_REMOTE_WRITE | MM_REMOTE_FORCED,
				   &fault), 1);
	assert_int_equal(counts(m.s.mm, 8, 4).shared_dirty, 2 * PAGE);
	assert_int_equal(mm_madvise(m.s.mm, at(0), 4 * PAGE, MADV_POPULATE_WRITE), 0);
	assert_int_equal(counts(m.s.mm, 8, 4).shared_dirty, 3 * PAGE);
	assert_int_equal(counts(m.s.mm, 8, 1).shared_clean, PAGE);
	file_put(file);
	memory_close(&m);
}

static void guards(void **state)
{
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 4, RW, ANON), 0);
	put(&m, 0, 1);
	assert_int_equal(mm_madvise(m.s.mm, at(1), PAGE, MADV_GUARD_INSTALL), 0);
	assert_counts(m.s.mm, 0, 4, ANON_PAGES(1, 1), .private_dirty = PAGE, .referenced = PAGE);
	assert_int_equal(word(m.s.mm, 1), MM_PAGEMAP_GUARD | MM_PAGEMAP_SWAPPED);
	memory_close(&m);
}

static void pool_pages(void **state)
{
	struct mm_user *child;
	struct memory m;

	space_init(&m.s);
	m.s.config.nr_huge_2m_pages = 2;
	m.s.config.arena_bytes = MEMORY_BYTES;
	space_create(&m.s);
	m.frames = memory_free_frames(m.s.v);
	assert_int_equal(space_map(&m.s, 0, 1024, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB), 0);
	put(&m, 5, 1);
	put(&m, 6, 1);
	assert_counts(m.s.mm, 0, 1024, .private_hugetlb = 2 << 20);
	put(&m, 512, 1);
	assert_counts(m.s.mm, 0, 1024, .private_hugetlb = 4 << 20);
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	mm_put(child, 5, 1);
	assert_counts(child, 0, 1024, .shared_hugetlb = 2 << 20);
	mmput(child);
	space_close(&m.s);
}

/* ------------------------------------------------------------------------------------------ */

struct report {
	char text[1 << 16];
	size_t len;
};

static int collect(void *arg, const char *text, size_t bytes)
{
	struct report *r = arg;

	assert_true(r->len + bytes < sizeof(r->text));
	memcpy(r->text + r->len, text, bytes);
	r->len += bytes;
	r->text[r->len] = 0;
	return 0;
}

/* Two areas with something of each kind in them. */
static void fill(struct memory *m)
{
	assert_int_equal(space_map(&m->s, 0, 4, RW, ANON), 0);
	assert_int_equal(space_map(&m->s, 8, 4, RW, MAP_SHARED | MAP_ANONYMOUS), 0);
	assert_int_equal(mm_mlock2(m->s.mm, at(8), 4 * PAGE, MLOCK_ONFAULT), 0);
	put(m, 0, 1);
	put(m, 1, 1);
	get(m, 2);
	get(m, 9);
}

static void smaps_text(void **state)
{
	struct report r = { .len = 0 };
	struct memory m;

	memory_open(&m);
	fill(&m);
	assert_int_equal(mm_report_smaps(m.s.mm, collect, &r), 0);
	assert_string_equal(r.text,
"200000000000-200000004000 rw-p 00000000 00:00 0 \n"
"Size:                 16 kB\n"
"KernelPageSize:        4 kB\n"
"MMUPageSize:           4 kB\n"
"Rss:                   8 kB\n"
"Pss:                   8 kB\n"
"Pss_Dirty:             8 kB\n"
"Shared_Clean:          0 kB\n"
"Shared_Dirty:          0 kB\n"
"Private_Clean:         0 kB\n"
"Private_Dirty:         8 kB\n"
"Referenced:            8 kB\n"
"Anonymous:             8 kB\n"
"KSM:                   0 kB\n"
"LazyFree:              0 kB\n"
"AnonHugePages:         0 kB\n"
"ShmemPmdMapped:        0 kB\n"
"FilePmdMapped:         0 kB\n"
"Shared_Hugetlb:        0 kB\n"
"Private_Hugetlb:       0 kB\n"
"Swap:                  0 kB\n"
"SwapPss:               0 kB\n"
"Locked:                0 kB\n"
"THPeligible:           0\n"
"VmFlags: rd wr mr mw me ac \n"
"200000008000-20000000c000 rw-s 00000000 00:01 1                          /dev/zero (deleted)\n"
"Size:                 16 kB\n"
"KernelPageSize:        4 kB\n"
"MMUPageSize:           4 kB\n"
"Rss:                   4 kB\n"
"Pss:                   4 kB\n"
"Pss_Dirty:             0 kB\n"
"Shared_Clean:          0 kB\n"
"Shared_Dirty:          0 kB\n"
"Private_Clean:         4 kB\n"
"Private_Dirty:         0 kB\n"
"Referenced:            4 kB\n"
"Anonymous:             0 kB\n"
"KSM:                   0 kB\n"
"LazyFree:              0 kB\n"
"AnonHugePages:         0 kB\n"
"ShmemPmdMapped:        0 kB\n"
"FilePmdMapped:         0 kB\n"
"Shared_Hugetlb:        0 kB\n"
"Private_Hugetlb:       0 kB\n"
"Swap:                  0 kB\n"
"SwapPss:               0 kB\n"
"Locked:                4 kB\n"
"THPeligible:           0\n"
"VmFlags: rd wr sh mr mw me ms lo lf \n");
	memory_close(&m);
}

static void rollup_and_statm(void **state)
{
	struct report r = { .len = 0 };
	char empty[128];
	struct memory m;

	memory_open(&m);
	assert_int_equal(mm_report_smaps_rollup(m.s.mm, collect, &r), 0);
	snprintf(empty, sizeof(empty), "%-73s[rollup]\nRss:                   0 kB\n",
		 "00000000-00000000 ---p 00000000 00:00 0");
	assert_memory_equal(r.text, empty, strlen(empty));
	fill(&m);
	r.len = 0;
	assert_int_equal(mm_report_smaps_rollup(m.s.mm, collect, &r), 0);
	assert_string_equal(r.text,
"200000000000-20000000c000 ---p 00000000 00:00 0                          [rollup]\n"
"Rss:                  12 kB\n"
"Pss:                  12 kB\n"
"Pss_Dirty:             8 kB\n"
"Pss_Anon:              8 kB\n"
"Pss_File:              0 kB\n"
"Pss_Shmem:             4 kB\n"
"Shared_Clean:          0 kB\n"
"Shared_Dirty:          0 kB\n"
"Private_Clean:         4 kB\n"
"Private_Dirty:         8 kB\n"
"Referenced:           12 kB\n"
"Anonymous:             8 kB\n"
"KSM:                   0 kB\n"
"LazyFree:              0 kB\n"
"AnonHugePages:         0 kB\n"
"ShmemPmdMapped:        0 kB\n"
"FilePmdMapped:         0 kB\n"
"Shared_Hugetlb:        0 kB\n"
"Private_Hugetlb:       0 kB\n"
"Swap:                  0 kB\n"
"SwapPss:               0 kB\n"
"Locked:                4 kB\n");
	r.len = 0;
	assert_int_equal(mm_report_statm(m.s.mm, collect, &r), 0);
	assert_string_equal(r.text, "8 3 1 0 0 4 0\n");
	memory_close(&m);
}

static int refuse(void *arg, const char *text, size_t bytes)
{
	return -7;
}

static void without_pages(void **state)
{
	struct report r = { .len = 0 };
	uint64_t one = 1;
	struct space s;

	space_open(&s);
	assert_int_equal(space_map(&s, 0, 4, RW, ANON), 0);
	assert_counts(s.mm, 0, 4, .rss = 0);
	assert_int_equal(mm_pagemap_read(s.mm, at(0), 1, &one), -EOPNOTSUPP);
	assert_int_equal(mm_report_smaps_rollup(s.mm, collect, &r), -EOPNOTSUPP);
	assert_int_equal(mm_report_statm(s.mm, collect, &r), 0);
	assert_string_equal(r.text, "4 0 0 0 0 4 0\n");
	space_close(&s);
}

static void pagemap_ranges(void **state)
{
	uint64_t words[400];
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 300, RW, ANON), 0);
	for (unsigned long i = 1; i < 300; i += 3)
		put(&m, i, 1);
	memset(words, 0xff, sizeof(words));
	assert_int_equal(mm_pagemap_read(m.s.mm, at(0), 400, words), 400);
	for (unsigned long i = 0; i < 400; i++)
		assert_int_equal(words[i], i < 300 && i % 3 == 1 ?
				 PRESENT | EXCLUSIVE | mm_frame(m.s.mm, i) : 0);
	assert_int_equal(mm_pagemap_read(m.s.mm, at(0) + 8, 1, words), -EINVAL);
	assert_int_equal(mm_pagemap_read(m.s.mm, at(0), 0, words), 0);
	assert_int_equal(mm_pagemap_read(m.s.mm, (1ul << 47) - 2 * PAGE, 8, words), 2);
	assert_int_equal(mm_pagemap_read(m.s.mm, 1ul << 47, 8, words), 0);
	assert_int_equal(mm_pagemap_read(m.s.mm, -PAGE, 8, words), 0);
	memory_close(&m);
}

static void soft_dirty(void **state)
{
	struct memory m;

	space_init(&m.s);
	m.s.config.features |= VMAREA_FEATURE_SOFT_DIRTY;
	m.s.config.arena_bytes = MEMORY_BYTES;
	space_create(&m.s);
	assert_int_equal(space_map(&m.s, 0, 2, RW, ANON), 0);
	assert_int_equal(word(m.s.mm, 0), MM_PAGEMAP_SOFT_DIRTY);
	assert_int_equal(word(m.s.mm, 2), 0);
	put(&m, 1, 1);
	assert_word(m.s.mm, 1, PRESENT | EXCLUSIVE | MM_PAGEMAP_SOFT_DIRTY);
	space_close(&m.s);
}

static void thp_line(void **state)
{
	struct report r = { .len = 0 };
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 512, RW, ANON), 0);
	assert_int_equal(mm_madvise(m.s.mm, at(0), 512 * PAGE, MADV_HUGEPAGE), 0);
	assert_int_equal(mm_report_smaps(m.s.mm, collect, &r), 0);
	assert_non_null(strstr(r.text, "THPeligible:           1\n"));
	assert_int_equal(space_unmap(&m.s, 511, 1), 0);
	r.len = 0;
	assert_int_equal(mm_report_smaps(m.s.mm, collect, &r), 0);
	assert_non_null(strstr(r.text, "THPeligible:           0\n"));
	memory_close(&m);
}

static void huge_pages(void **state)
{
	const unsigned long huge = 512 * PAGE;
	struct mm_user *child;
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 1024, RW, ANON), 0);
	assert_int_equal(mm_madvise(m.s.mm, at(0), 2 * huge, MADV_HUGEPAGE), 0);
	/* The huge zero page is no more counted than the small one. */
	get(&m, 513);
	assert_counts(m.s.mm, 0, 1024, .rss = 0);
	put(&m, 5, 1);
	assert_counts(m.s.mm, 0, 1024, ANON_PAGES(512, 1), .private_dirty = huge, .referenced = huge,
		      .anon_huge = huge);
	assert_int_equal(word(m.s.mm, 7), PRESENT | EXCLUSIVE | (mm_frame(m.s.mm, 0) + 7));
	/* A part of it. */
	assert_int_equal(counts(m.s.mm, 500, 100).anon_huge, 12 * PAGE);
	assert_int_equal(counts(m.s.mm, 500, 100).rss, 12 * PAGE);
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	assert_counts(child, 0, 1024, ANON_PAGES(512, 2), .shared_dirty = huge, .anon_huge = huge);
	assert_int_equal(word(child, 7), PRESENT | (mm_frame(m.s.mm, 0) + 7));
	/* One page is the child's own now, and the others are shared by a leaf and by entries. */
	mm_put(child, 5, 2);
	assert_int_equal(counts(child, 0, 1024).private_dirty, PAGE);
	assert_int_equal(counts(child, 0, 1024).shared_dirty, 511 * PAGE);
	assert_int_equal(counts(child, 0, 1024).anon_huge, 0);
	assert_int_equal(counts(m.s.mm, 0, 1024).private_dirty, PAGE);
	assert_int_equal(counts(m.s.mm, 0, 1024).shared_dirty, 511 * PAGE);
	assert_int_equal(counts(m.s.mm, 0, 1024).pss, PSS(511 * PAGE) / 2 + PSS(PAGE));
	mmput(child);
	assert_int_equal(space_unmap(&m.s, 1, 1), 0);
	assert_counts(m.s.mm, 0, 512, ANON_PAGES(511, 1), .private_dirty = 511 * PAGE,
		      .referenced = 511 * PAGE);
	memory_close(&m);
}

/* More than one piece, and areas enough to end one. */
static void pieces(void **state)
{
	struct memory m;

	memory_open(&m);
	for (unsigned long i = 0; i < 200; i++) {
		assert_int_equal(space_map(&m.s, i * 512, 2, RW, ANON), 0);
		put(&m, i * 512, 1);
	}
	for (unsigned long i = 0; i < 3000; i++)
		assert_int_equal(space_map(&m.s, 200 * 512 + 2 * i, 1, RW, ANON), 0);
	put(&m, 200 * 512 + 5998, 1);
	assert_counts(m.s.mm, 0, SPACE_PAGES, ANON_PAGES(201, 1), .private_dirty = 201 * PAGE,
		      .referenced = 201 * PAGE);
	memory_close(&m);
}

static void writer_can_stop(void **state)
{
	struct memory m;

	memory_open(&m);
	fill(&m);
	assert_int_equal(mm_report_smaps(m.s.mm, refuse, NULL), -7);
	assert_int_equal(mm_report_smaps_rollup(m.s.mm, refuse, NULL), -7);
	assert_int_equal(mm_report_statm(m.s.mm, refuse, NULL), -7);
	assert_int_equal(mm_report_json(m.s.mm, refuse, NULL), -7);
	memory_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_and_zeros),
		cmocka_unit_test(anonymous),
		cmocka_unit_test(shared_by_fork),
		cmocka_unit_test(shared_by_three),
		cmocka_unit_test(lazily_freed),
		cmocka_unit_test(locked),
		cmocka_unit_test(private_file),
		cmocka_unit_test(shared_memory),
		cmocka_unit_test(holes_are_written),
		cmocka_unit_test(remote_stores_are_the_pages),
		cmocka_unit_test(guards),
		cmocka_unit_test(pool_pages),
		cmocka_unit_test(smaps_text),
		cmocka_unit_test(rollup_and_statm),
		cmocka_unit_test(without_pages),
		cmocka_unit_test(pagemap_ranges),
		cmocka_unit_test(soft_dirty),
		cmocka_unit_test(thp_line),
		cmocka_unit_test(huge_pages),
		cmocka_unit_test(pieces),
		cmocka_unit_test(writer_can_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
