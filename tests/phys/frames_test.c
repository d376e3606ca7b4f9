/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Frames one at a time: identities, counts, bytes, exhaustion, memory given back to the host. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <vmarea/driver.h>
#include <vmarea/vmarea.h>

#include "phys/phys.h"

#define MIB	(1ul << 20)

static struct arena *arena_of(unsigned long bytes)
{
	struct arena *arena;

	assert_int_equal(arena_create(bytes, &arena), 0);
	return arena;
}

static struct arena_stats stats_of(struct arena *arena)
{
	struct arena_stats stats;

	arena_get_stats(arena, &stats);
	return stats;
}

/* What the host has really given to the arena, in bytes. */
static unsigned long resident(const struct arena *arena)
{
	struct stat st;

	assert_int_equal(fstat(arena_window(arena)->fd, &st), 0);
	return (unsigned long)st.st_blocks * 512;
}

static bool is_zero(const void *bytes, size_t n)
{
	const char *at = bytes;

	return !at[0] && !memcmp(at, at + 1, n - 1);
}

/* The process may have no file so long: that is no memory, and no signal. */
static void test_limit_of_files(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	assert_true(child >= 0);
	if (!child) {
		struct rlimit limit = { .rlim_cur = MIB, .rlim_max = MIB };
		struct arena *arena;

		signal(SIGXFSZ, SIG_DFL);
		setrlimit(RLIMIT_FSIZE, &limit);
		_exit(arena_create(16 * MIB, &arena) == -ENOMEM ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void test_sizes(void **state)
{
	struct arena *arena = NULL;

	(void)state;
	assert_int_equal(arena_create(0, &arena), -EINVAL);
	assert_int_equal(arena_create(MIB + 1, &arena), -EINVAL);
	assert_int_equal(arena_create(ARENA_MAX_BYTES + PAGE_SIZE, &arena), -EINVAL);
	assert_null(arena);
	for (unsigned long frames = 1; frames <= 2000; frames += 37) {
		arena = arena_of(frames * PAGE_SIZE);
		assert_int_equal(stats_of(arena).total, frames);
		arena_destroy(arena);
	}
}

/* Number, struct and address of a frame give one another; the file has the same bytes. */
static void test_identities(void **state)
{
	struct arena *arena = arena_of(64 * MIB);
	const struct port_arena *window = arena_window(arena);

	(void)state;
	for (unsigned int order = 0; order <= PAGE_MAX_ORDER; order++) {
		struct page *page = page_alloc(arena, order, PAGE_ANYTHING);
		unsigned long pfn = page_pfn(page);
		char *again;

		assert_true(pfn > 0 && IS_ALIGNED(pfn, BIT(order)));
		assert_int_equal(page_order(page), order);
		assert_ptr_equal(pfn_page(arena_frames(arena), pfn), page);
		assert_ptr_equal(page_bytes(page), (char *)window->base + pfn * PAGE_SIZE);
		assert_ptr_equal(page_arena(page), arena);
		for (unsigned long i = 0; i < BIT(order); i++) {
			assert_ptr_equal(page_head(page + i), page);
			assert_int_equal(page_pfn(page + i), pfn + i);
			assert_int_equal(page_refs(page + i), i == 0);
		}
		memset(page_bytes(page), 0x11, PAGE_SIZE);
		again = mmap(NULL, PAGE_SIZE, PROT_READ, MAP_SHARED, window->fd,
			     (off_t)(pfn * PAGE_SIZE));
		assert_true(again != MAP_FAILED);
		assert_memory_equal(again, page_bytes(page), PAGE_SIZE);
		munmap(again, PAGE_SIZE);
		page_put(page);
	}
	arena_destroy(arena);
}

static void test_counts(void **state)
{
	struct arena *arena = arena_of(4 * MIB);
	struct page *page = page_alloc(arena, 0, PAGE_ANYTHING), *again;

	(void)state;
	assert_int_equal(page_refs(page), 1);
	page_get(page);
	page_get_many(page, 3);
	assert_true(page_try_get(page));
	assert_int_equal(page_refs(page), 6);
	page_put_many(page, 5);
	page_put(page);
	assert_int_equal(page_refs(page), 0);
	assert_false(page_try_get(page));
	again = page_alloc(arena, 0, PAGE_ANYTHING);
	assert_ptr_equal(again, page);		/* the last one freed is the next one taken */
	page_put(again);
	arena_destroy(arena);
}

/* Fresh memory is not zeroed, dirty memory is; and what is zero says so. */
static void test_zeroed(void **state)
{
	struct arena *arena = arena_of(8 * MIB);

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (unsigned int order = 0; order <= PAGE_MAX_ORDER; order++) {
			struct page *page = page_alloc(arena, order, PAGE_ZEROED);

			assert_true(is_zero(page_bytes(page), PAGE_SIZE << order));
			memset(page_bytes(page), 0xff, PAGE_SIZE << order);
			page_put(page);
		}
	}
	arena_destroy(arena);

	arena = arena_of(512 * MIB);
	for (int i = 0; i < 8; i++)
		assert_non_null(page_alloc(arena, PAGE_MAX_ORDER, PAGE_ZEROED));
	/* 16 MiB of zeros are in use, and only the structs are memory. */
	assert_true(resident(arena) < 2 * MIB);
	for (unsigned long pfn = 0; pfn < (512 * MIB) >> PAGE_SHIFT; pfn++) {
		struct page *page = pfn_page(arena_frames(arena), pfn);

		if (page_refs(page) && page_order(page) == PAGE_MAX_ORDER)
			page_put(page);
	}
	arena_destroy(arena);
}

static void test_zero_page(void **state)
{
	struct arena *arena = arena_of(MIB);
	struct page *zero = arena_zero_page(arena);

	(void)state;
	assert_int_equal(page_refs(zero), 1);
	assert_true(is_zero(page_bytes(zero), PAGE_SIZE));
	arena_destroy(arena);
}

static void test_split(void **state)
{
	struct arena *arena = arena_of(4 * MIB);
	struct page *run = page_alloc(arena, 4, PAGE_ANYTHING);

	(void)state;
	/* Not while somebody else has it. */
	page_get(run);
	assert_false(page_try_split(run, 1));
	assert_int_equal(page_order(run), 4);
	page_put(run);
	run->index = 100;
	assert_true(page_try_split(run, 1));
	for (int i = 0; i < 16; i++) {
		assert_ptr_equal(page_head(run + i), run + i);
		assert_int_equal(page_order(run + i), 0);
		assert_int_equal(page_refs(run + i), 1);
		assert_int_equal(run[i].index, 100 + i);
	}
	for (int i = 15; i >= 0; i--)
		page_put(run + i);
	arena_destroy(arena);
}

/* Every frame can be had, once; what was freed can be had again, in any size. */
static void test_exhaustion(void **state)
{
	static struct page *pages[512];
	struct arena *arena = arena_of(2 * MIB);
	unsigned long nr = 0;

	(void)state;
	for (int round = 0; round < 3; round++) {
		struct page *page;

		for (nr = 0; (page = page_alloc(arena, 0, PAGE_ANYTHING)); nr++)
			pages[nr] = page;
		assert_int_equal(nr, 511);	/* and the zero page */
		assert_null(page_alloc(arena, 1, PAGE_ANYTHING));
		assert_int_equal(stats_of(arena).free + stats_of(arena).cached, 0);
		for (unsigned long i = 0; i < nr; i++)
			page_put(pages[i * 5 % nr]);
		assert_int_equal(stats_of(arena).free + stats_of(arena).cached, nr);
		/* Half of it lies in the cache: a block that needs those frames collects them. */
		page = page_alloc(arena, 8, PAGE_ANYTHING);
		assert_non_null(page);
		page_put(page);
	}
	arena_destroy(arena);
}

/* Free memory goes back to the host, and is zero when it comes again. */
static void test_trim(void **state)
{
	static struct page *pages[4096];
	struct arena *arena = arena_of(32 * MIB);
	unsigned long before;
	struct page *page;

	(void)state;
	for (int i = 0; i < 4096; i++) {
		pages[i] = page_alloc(arena, 0, PAGE_ANYTHING);
		memset(page_bytes(pages[i]), 0xee, PAGE_SIZE);
	}
	before = resident(arena);
	assert_true(before >= 16 * MIB);
	assert_int_equal(arena_trim(arena), 0);
	for (int i = 0; i < 4096; i++)
		page_put(pages[i]);
	/* One block has the zero page in it, and is given back in parts. */
	assert_in_range(arena_trim(arena), 4096 - 16, 4096 + 512);
	assert_true(resident(arena) < before - 15 * MIB);
	assert_int_equal(arena_trim(arena), 0);
	page = page_alloc(arena, PAGE_MAX_ORDER, PAGE_ZEROED);
	assert_true(is_zero(page_bytes(page), PAGE_SIZE << PAGE_MAX_ORDER));
	page_put(page);
	arena_destroy(arena);
}

/* A window of a TiB costs what is used of it. */
static void test_sparse(void **state)
{
	struct arena *arena;
	struct page *page;

	(void)state;
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
	skip();				/* their shadow leaves no room for such a window */
#endif
	arena = arena_of(1ul << 40);
	assert_int_equal(stats_of(arena).total, 1ul << 28);
	page = page_alloc(arena, 0, PAGE_ZEROED);
	memset(page_bytes(page), 1, PAGE_SIZE);
	assert_true(resident(arena) < MIB);
	page_put(page);
	arena_destroy(arena);
}

/* What a driver sees, with and without an arena. */
static void test_driver_pages(void **state)
{
	(void)state;
	for (unsigned long bytes = 0; bytes <= 4 * MIB; bytes += 4 * MIB) {
		struct vmarea_config config = VMAREA_CONFIG_INIT;
		struct vmarea *instance = NULL;
		struct page *page;

		config.arena_bytes = bytes | 1;
		assert_int_equal(vmarea_create(&config, &instance), -EINVAL);
		assert_null(instance);
		config.arena_bytes = bytes;
		assert_int_equal(vmarea_create(&config, &instance), 0);
		page = alloc_page(instance);
		assert_non_null(page);
		assert_true(is_zero(page_address(page), PAGE_SIZE));
		memset(page_address(page), 1, PAGE_SIZE);
		assert_int_equal(!!(page_flags(page) & PG_LOOSE), !bytes);
		__free_page(page);
		vmarea_destroy(instance);
	}
}

#ifdef CONFIG_VMAREA_DEBUG
static void test_failures(void **state)
{
	struct arena *arena = NULL;
	struct arena_stats before, after;
	struct page *page;
	long nth = 0;
	int err;

	(void)state;
	do {
		port_fail_nth(++nth);
		err = arena_create(4 * MIB, &arena);
		port_fail_nth(0);
		assert_true(!err || (err == -ENOMEM && !arena));
		assert_int_equal(port_live_allocs(), !err);
	} while (err);
	assert_int_equal(nth, 4);	/* the struct, the window, the zero page: then it works */
	before = stats_of(arena);
	port_fail_nth(1);
	assert_null(page_alloc(arena, 0, PAGE_ZEROED));
	after = stats_of(arena);
	assert_memory_equal(&before, &after, sizeof(before));
	page = page_alloc(arena, 0, PAGE_ZEROED);
	assert_non_null(page);
	page_put(page);
	arena_destroy(arena);
	assert_int_equal(port_live_allocs(), 0);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit_of_files),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_identities),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_zeroed),
		cmocka_unit_test(test_zero_page),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_exhaustion),
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_sparse),
		cmocka_unit_test(test_driver_pages),
#ifdef CONFIG_VMAREA_DEBUG
		cmocka_unit_test(test_failures),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
