/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Write-back under every schedule: a sync beside another sync, a store, a truncation, and the end of
 * the last file that can write.
 */
#include <vmarea/file.h>
#include <vmarea/testing.h>

#include "base/str.h"
#include "file/filemap.h"

#define PAGE		((unsigned long)PAGE_SIZE)

static struct vmarea *instance;
static struct file *file, *reader;
static u8 kept[2];			/* a: of each page the first byte */

static int read_page(struct file *f, uint64_t offset, void *to, size_t bytes)
{
	memset(to, 0, bytes);
	((u8 *)to)[0] = atomic_load_relaxed(&kept[offset >> PAGE_SHIFT]);
	return 0;
}

static int write_page(struct file *f, uint64_t offset, const void *from, size_t bytes)
{
	atomic_store_relaxed(&kept[offset >> PAGE_SHIFT], atomic_load_relaxed((const u8 *)from));
	return 0;
}

static const struct file_operations ops = {
	.owner = "scenario", .read_page = read_page, .write_page = write_page,
};

static struct file *make(unsigned int flags, struct file *same_inode)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/x", .flags = FILE_READ | flags, .ops = &ops,
		.size_bytes = 2 * PAGE, .same_inode = same_inode,
	};
	struct file *made;

	VT_CHECK(!file_create(instance, &desc, &made));
	return made;
}

/* Page 1 is dirty. */
static void setup(void)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;

	config.arena_bytes = 32 * PAGE;
	VT_CHECK(!vmarea_create(&config, &instance));
	kept[0] = 0;
	kept[1] = 0;
	file = make(FILE_WRITE, NULL);
	reader = make(0, file);
	VT_CHECK(file_write(file, PAGE, "a", 1) == 1);
}

static void check(void)
{
	char why[128] = "";

	VT_CHECK(filemap_check(reader->mapping, why, sizeof(why)), "%s", why);
}

static void finish(void)
{
	check();
	file_put(file);
	file_put(reader);
	vmarea_destroy(instance);
}

/* Whoever writes it, it is kept afterwards. */
static void sync_it(void)
{
	VT_CHECK(!file_sync(file, PAGE, 2 * PAGE));
	VT_CHECK(atomic_load_relaxed(&kept[1]) == 'a', "a sync is over and the byte is not there");
}

static void sync_by_reader(void)
{
	VT_CHECK(!file_sync(reader, 0, UINT64_MAX));
	VT_CHECK(atomic_load_relaxed(&kept[1]) == 'a', "a sync is over and the byte is not there");
}

static const struct vt_scenario two_syncs = {
	.name = "two-syncs", .about = "a sync waits for what another is writing",
	.setup = setup, .finish = finish,
	.threads = { { "one", sync_it }, { "two", sync_by_reader } },
};

/* By way of the frame, as an entry lets it. */
static void store(void)
{
	struct page *page = filemap_find_page(file->mapping, 1);

	VT_CHECK(page);
	atomic_store_relaxed((u8 *)page_bytes(page), 'b');
	filemap_mark_dirty(page);
	page_put(page);
}

static void sync_beside_store(void)
{
	VT_CHECK(!file_sync(file, 0, 2 * PAGE));
}

static void finish_store(void)
{
	check();
	VT_CHECK(!file_sync(file, 0, 2 * PAGE));
	VT_CHECK(atomic_load_relaxed(&kept[1]) == 'b', "a store is lost");
	finish();
}

static const struct vt_scenario store_sync = {
	.name = "store-sync", .about = "a store beside a write-back is in it, or the page is dirty",
	.setup = setup, .finish = finish_store,
	.threads = { { "store", store }, { "sync", sync_beside_store } },
};

static void cut_short(void)
{
	file_set_size(file, PAGE);
	/* It was written before, or will not be. */
	atomic_store_relaxed(&kept[1], 'x');
}

static void finish_cut(void)
{
	VT_CHECK(atomic_load_relaxed(&kept[1]) == 'x', "a page past the end was written");
	finish();
}

static const struct vt_scenario truncate_sync = {
	.name = "truncate-sync", .about = "nothing past the end is written after a truncation",
	.setup = setup, .finish = finish_cut,
	.threads = { { "truncate", cut_short }, { "sync", sync_beside_store } },
};

/* It may find nobody who writes for it. */
static void sync_late(void)
{
	VT_CHECK(!file_sync(reader, 0, UINT64_MAX));
}

static void put_writer(void)
{
	file_put(file);
}

static void finish_put(void)
{
	VT_CHECK(atomic_load_relaxed(&kept[1]) == 'a', "the last writer left a dirty page");
	check();
	file_put(reader);
	vmarea_destroy(instance);
}

static const struct vt_scenario put_sync = {
	.name = "put-sync", .about = "the last file that can write does, also if it is borrowed",
	.setup = setup, .finish = finish_put,
	.threads = { { "put", put_writer }, { "sync", sync_late } },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, (const struct vt_scenario *const[]){
		&two_syncs, &store_sync, &truncate_sync, &put_sync, NULL });
}
