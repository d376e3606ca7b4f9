/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Write-back beside stores and truncations.  What is promised: a store that came before a sync is
 * where the bytes are kept when that returns, whoever wrote it there; and at the end all are.
 */
#include <vmarea/file.h>

#include "../ds/model.h"
#include "../sync/threads.h"
#include "phys/copy.h"
#include "store.h"

#define WRITERS		3
#define ROUNDS		4000

static struct machine m;
static struct file *file;
static struct store store;
static u32 done;

/* Word n of page p is writer n's: how often it has stored there.  Two words may be seen apart. */
static int write_page(struct file *f, uint64_t offset, const void *from, size_t bytes)
{
	const u32 *in = from;
	u32 *out = (u32 *)(store.bytes + offset);

	VM_BUG_ON(bytes < WRITERS * sizeof(u32), "%zu bytes", bytes);
	for (int i = 0; i < WRITERS; i++)
		atomic_store_relaxed(&out[i], atomic_load_relaxed(&in[i]));
	return 0;
}

static int read_page(struct file *f, uint64_t offset, void *to, size_t bytes)
{
	frame_load(to, store.bytes + offset, bytes);
	return 0;
}

static const struct file_operations ops = {
	.owner = "test", .read_page = read_page, .write_page = write_page,
};

/* By way of the frame, as an entry would let it. */
static void store_word(unsigned long pgoff, unsigned int which, u32 value)
{
	struct page *page = get(file, pgoff);

	atomic_store_relaxed((u32 *)page_bytes(page) + which, value);
	filemap_mark_dirty(page);
	page_put(page);
}

static u32 kept(unsigned long pgoff, unsigned int which)
{
	return atomic_load_relaxed((u32 *)(store.bytes + pgoff * PAGE) + which);
}

static void *write_and_sync(void *arg)
{
	unsigned int which = (unsigned int)(uintptr_t)arg;
	struct rng rng = { .state = 1 + which };
	u32 count[4] = { 0 };

	for (int i = 0; i < ROUNDS; i++) {
		unsigned long pgoff = rng_below(&rng, 4);

		store_word(pgoff, which, ++count[pgoff]);
		if (rng_below(&rng, 3))
			continue;
		VM_BUG_ON(file_sync(file, pgoff * PAGE, (pgoff + 1) * PAGE), "sync");
		VM_BUG_ON(kept(pgoff, which) != count[pgoff], "page %lu: %u, and %u is kept",
			  pgoff, count[pgoff], kept(pgoff, which));
	}
	return NULL;
}

/* Pages behind those come and go, dirty. */
static void *change_size(void *arg)
{
	struct rng rng = { .state = 77 };

	while (!atomic_load_relaxed(&done)) {
		store_word(4 + rng_below(&rng, 4), 0, 1);
		file_set_size(file, (4 + rng_below(&rng, 5)) * PAGE);
		file_set_size(file, 8 * PAGE);
		VM_BUG_ON(filemap_nr_pages(file->mapping) > 8, "too many pages");
		port_yield();
	}
	return NULL;
}

static void test_nothing_is_lost(void **state)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/f", .flags = FILE_READ | FILE_WRITE, .ops = &ops,
		.size_bytes = 8 * PAGE,
	};
	pthread_t writers[WRITERS], changer;
	char why[128];

	machine_open(&m);
	assert_int_equal(file_create(m.v, &desc, &file), 0);
	changer = start(change_size, NULL);
	for (uintptr_t i = 0; i < WRITERS; i++)
		writers[i] = start(write_and_sync, (void *)i);
	for (int i = 0; i < WRITERS; i++)
		finish(writers[i]);
	raise_flag(&done);
	finish(changer);
	if (!filemap_check(file->mapping, why, sizeof(why)))
		fail_msg("%s", why);
	for (unsigned long i = 0; i < 4; i++)
		store_word(i, 0, ~0u);
	file_put(file);
	for (unsigned long i = 0; i < 4; i++)
		assert_int_equal(kept(i, 0), ~0u);
	machine_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_nothing_is_lost) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
