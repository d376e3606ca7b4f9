/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The pages of a file under every schedule: a frame that is recycled under who looks at it, a
 * truncation between the look and the entry, one fill for two, and an index that grows and shrinks.
 */
#include <vmarea/testing.h>

#include "file/filemap.h"

#define PAGE		((unsigned long)PAGE_SIZE)

static struct vmarea *instance;
static struct file *file, *other;

static int fill_page(struct file *f, uint64_t offset, void *to, size_t bytes);
static const struct file_operations filled_ops = { .owner = "scenario", .read_page = fill_page };

static struct file *make(unsigned int flags, const struct file_operations *ops, u64 size)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/x", .flags = FILE_READ | FILE_WRITE | flags,
		.ops = ops, .size_bytes = size,
	};
	struct file *made;

	VT_CHECK(!file_create(instance, &desc, &made));
	return made;
}

static void setup(void)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;

	config.arena_bytes = 32 * PAGE;
	VT_CHECK(!vmarea_create(&config, &instance));
	file = make(FILE_SHMEM, NULL, 2 * PAGE);
	other = make(FILE_SHMEM, NULL, PAGE);
}

static void finish(void)
{
	file_put(file);
	file_put(other);
	vmarea_destroy(instance);
}

/* ------------------------------------------------------------------------------ read-recycle -- */

static void setup_written(void)
{
	setup();
	VT_CHECK(file_write(file, PAGE, "b", 1) == 1);
}

static void read_it(void)
{
	char byte = 0;
	long n = file_read(file, PAGE, &byte, 1);

	VT_CHECK(n == 0 || (n == 1 && byte == 'b'), "%ld: %c", n, byte);
}

/* The frame that went is the next to be taken. */
static void truncate_and_write_other(void)
{
	file_set_size(file, PAGE);
	VT_CHECK(file_write(other, 0, "x", 1) == 1);
}

static const struct vt_scenario read_recycle = {
	.name = "read-recycle", .about = "a page that is read is the file's, whoever has its frame next",
	.setup = setup_written, .finish = finish,
	.threads = { { "reader", read_it }, { "truncate", truncate_and_write_other } },
};

/* ----------------------------------------------------------------------------- fault-truncate -- */

static struct page *mapped;		/* under its lock: what an entry names */

static void unmap(struct address_space *mapping, unsigned long first, unsigned long end,
		  enum unmap_what what)
{
	/* The entry is found by the range first, which does not have the page lock. */
	struct page *page = first <= 1 && 1 < end ? atomic_xchg_acq_rel(&mapped, NULL) : NULL;

	if (!page)
		return;
	atomic_sub_relaxed(&page->mapcount, 1);
	page_put(page);
}

static void setup_unmap(void)
{
	setup();
	mapped = NULL;
	instance->cache->unmap = unmap;
}

static void fault(void)
{
	struct page *page;

	if (filemap_get_page(file, 1, FILEMAP_WAIT, &page))
		return;
	page_lock(page);
	if (filemap_is_at(page, file->mapping, 1)) {
		page_get(page);
		atomic_add_relaxed(&page->mapcount, 1);
		atomic_store_release(&mapped, page);
	}
	page_unlock(page);
	page_put(page);
}

static void cut_short(void)
{
	file_set_size(file, PAGE);
	VT_CHECK(!atomic_load_acquire(&mapped), "mapped past the end");
	VT_CHECK(!filemap_nr_pages(file->mapping), "a page past the end");
}

static void finish_unmap(void)
{
	VT_CHECK(!mapped && !filemap_nr_pages(file->mapping));
	finish();
}

static const struct vt_scenario fault_truncate = {
	.name = "fault-truncate", .about = "after a truncation nothing is there or mapped past the end",
	.setup = setup_unmap, .finish = finish_unmap,
	.threads = { { "fault", fault }, { "truncate", cut_short } },
};

/* ---------------------------------------------------------------------------------- two-fills -- */

static u32 fills;

static int fill_page(struct file *f, uint64_t offset, void *to, size_t bytes)
{
	atomic_add_relaxed(&fills, 1);
	((char *)to)[0] = 'f';
	return 0;
}

static void setup_fill(void)
{
	setup();
	fills = 0;
	file_put(file);
	file = make(0, &filled_ops, PAGE);
}

/* The bytes are looked at here, where that they are there is watched. */
static void read_filled(void)
{
	struct page *page;
	int err = filemap_get_page(file, 0, FILEMAP_WAIT, &page);

	VT_CHECK(!err || (err == -ENOMEM && vt_memory_was_refused()), "%d", err);
	if (err)
		return;
	VT_CHECK(((char *)page_bytes(page))[0] == 'f');
	page_put(page);
}

static void finish_fill(void)
{
	VT_CHECK(fills == 1 || vt_memory_was_refused(), "%u fills", fills);
	finish();
}

static const struct vt_scenario two_fills = {
	.name = "two-fills", .about = "two who want the same page have it filled once",
	.setup = setup_fill, .finish = finish_fill, .flags = VT_NO_MEMORY,
	.threads = { { "one", read_filled }, { "two", read_filled } },
};

/* ------------------------------------------------------------------------------- grow-shrink -- */

/* The root grows and shrinks over an entry that stays, and a leaf beside it comes and goes. */
static void setup_index(void)
{
	setup();
	file_set_size(file, INT64_MAX);
	VT_CHECK(file_write(file, 0, "s", 1) == 1);
}

static void look_for_it(void)
{
	unsigned long at = 0;
	struct page *page;

	rcu_read_lock();
	page = pi_find(&file->mapping->pages, &at, PI_PRESENT);
	VT_CHECK(page && at == 0, "the entry that stays is not found");
	VT_CHECK(pi_load(&file->mapping->pages, 0) == page);
	at = 1;
	page = pi_find(&file->mapping->pages, &at, PI_PRESENT);
	VT_CHECK(!page || at == 64, "an entry at %lx", at);
	rcu_read_unlock();
}

static void far_and_back(void)
{
	VT_CHECK(file_write(file, 64 * PAGE, "f", 1) == 1);
	VT_CHECK(!file_punch_hole(file, PAGE, INT64_MAX - PAGE));
}

static const struct vt_scenario grow_shrink = {
	.name = "grow-shrink", .about = "an entry is found while the index grows and shrinks over it",
	.setup = setup_index, .finish = finish,
	.threads = { { "reader", look_for_it }, { "writer", far_and_back } },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, (const struct vt_scenario *const[]){
		&read_recycle, &fault_truncate, &two_fills, &grow_shrink, NULL });
}
