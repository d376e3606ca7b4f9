/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Pages of a file that are taken back while somebody loads, stores, pins or cuts the file off.
 *
 * The hand comes by the frame, as a sweep does, and takes what is there whatever its age.  What it
 * got is another page at once, so who still uses the old one spoils it, or sees what is not his.
 */
#include <vmarea/file.h>
#include <vmarea/mmu.h>
#include <vmarea/soft_tlb.h>

#include "explore.h"

#include "base/str.h"
#include "file/filemap.h"
#include "phys/copy.h"

#define OLD	0x1111111111111111ull
#define NEW	0x2222222222222222ull
#define OTHERS	0x3333333333333333ull

static unsigned char kept[PAGE];	/* where the file's bytes are kept */
static struct file *file;
static struct page *frame;		/* that had the file's page when the threads began */
static bool stored;			/* by who could not know before whether it would */
static unsigned int nr_reads;

static int read_kept(struct file *of, uint64_t offset, void *to, size_t bytes)
{
	memcpy(to, kept, bytes);
	nr_reads++;
	return 0;
}

/* Others may be storing to the page. */
static int write_kept(struct file *of, uint64_t offset, const void *from, size_t bytes)
{
	frame_load(kept, from, bytes);
	return 0;
}

static int map_kept(struct file *mapped, struct vma_new *vma)
{
	return 0;
}

static uint64_t kept_word(void)
{
	uint64_t word;

	memcpy(&word, kept + 128, sizeof(word));
	return word;
}

static void map_file(struct mm_user *in)
{
	VT_CHECK(mm_mmap(in, AT(0), PAGE, RW, MAP_SHARED | MAP_FIXED, file, 0) == (long)AT(0));
}

/* The page is mapped in both to be read, clean. */
static void setup_clean(void)
{
	static const struct file_operations ops = {
		.owner = "driver", .mmap = map_kept, .read_page = read_kept,
		.write_page = write_kept,
	};
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/file", .ops = &ops,
		.flags = FILE_READ | FILE_WRITE, .size_bytes = PAGE,
	};
	const uint64_t old = OLD;

	stage_make_with_frames();
	memset(kept, 0, PAGE);
	memcpy(kept + 128, &old, sizeof(old));
	VT_CHECK(!file_create(machine, &desc, &file));
	map_file(mm);
	stage_map(mm, 2, 1, RW);
	stage_expect(mm, 0, OLD);
	frame = stage_frame(mm, 0);
	stored = false;
}

/* The same in one more mm, which has not asked for the page yet. */
static void setup_other(void)
{
	setup_clean();
	stage_make_other();
	map_file(other);
}

/* Stored to, and not written back. */
static void setup_dirty(void)
{
	setup_clean();
	VT_CHECK(stage_put(mm, 0, OLD) == MM_FAULT_DONE);
}

static void hand(void)
{
	if (stage_evict(frame, RECLAIM_ANY))
		fault_done(stage_put(mm, 2, OTHERS));
}

/* Loads, syncs, takes the page once more: the word is @value wherever one looks. */
static void expect_kept(uint64_t value)
{
	stage_expect(mm, 0, value);
	VT_CHECK(!file_sync(file, 0, UINT64_MAX));
	VT_CHECK(kept_word() == value, "%llx", (unsigned long long)kept_word());
	VT_CHECK(stage_evict(stage_frame(mm, 0), RECLAIM_ANY) == 1);
	VT_CHECK(!filemap_nr_pages(file->mapping));
	stage_expect(mm, 0, value);
}

static void end(void)
{
	struct mm_stats stats;
	uint64_t others = OTHERS;

	mm_get_stats(mm, &stats);
	VT_CHECK(stats.file_pages <= 1);
	/* There only if the hand got the frame. */
	VT_CHECK(!fault_done(stage_get(mm, 2, &others)) || others == OTHERS || !others, "%llx",
		 (unsigned long long)others);
	file_put(file);
	stage_end();
}

static void finish_old(void)
{
	if (!vt_memory_was_refused())
		expect_kept(OLD);
	end();
}

static void finish_new(void)
{
	if (!vt_memory_was_refused())
		expect_kept(NEW);
	end();
}

/* ---- a load */

static void expect_old(struct mm_user *in)
{
	uint64_t value = OLD;

	if (fault_done(stage_get(in, 0, &value)))
		VT_CHECK(value == OLD, "%llx", (unsigned long long)value);
}

static void loader(void)
{
	expect_old(mm);
}

static void other_loader(void)
{
	expect_old(other);
}

const struct vt_scenario reclaim_load = {
	.name = "reclaim-load", .about = "a load of a page that goes gives its bytes",
	.setup = setup_clean, .finish = finish_old, .flags = VT_NO_MEMORY,
	.threads = { THREAD(hand), THREAD(loader) },
};

const struct vt_scenario reclaim_fault = {
	.name = "reclaim-fault", .about = "a page that goes stays, or is read again, for who maps it",
	.setup = setup_other, .finish = finish_old, .flags = VT_NO_MEMORY,
	.threads = { THREAD(hand), THREAD(other_loader) },
};

/* ---- the file is cut off */

static void truncater(void)
{
	file_set_size(file, 0);
}

static void finish_truncated(void)
{
	uint64_t value = 0;

	VT_CHECK(stage_get(mm, 0, &value) == MM_FAULT_BUS);
	VT_CHECK(!filemap_nr_pages(file->mapping));
	end();
}

const struct vt_scenario reclaim_truncate = {
	.name = "reclaim-truncate", .about = "a page that goes twice goes once",
	.setup = setup_clean, .finish = finish_truncated, .flags = VT_NO_MEMORY,
	.threads = { THREAD(hand), THREAD(truncater) },
};

const struct vt_scenario reclaim_dirty_truncate = {
	.name = "reclaim-dirty-truncate", .about = "the same while it is written",
	.setup = setup_dirty, .finish = finish_truncated, .flags = VT_NO_MEMORY,
	.threads = { THREAD(hand), THREAD(truncater) },
};

/* ---- a pin */

static void looker(void)
{
	struct mm_translation t;
	uint64_t value;

	if (!fault_done(mm_translate(mm, AT(0) + 128, MM_ACCESS_READ, &t)))
		return;
	value = __atomic_load_n((uint64_t *)t.bytes, __ATOMIC_RELAXED);
	VT_CHECK(value == OLD, "%llx", (unsigned long long)value);
	mm_translation_put(&t);
}

static void pinner(void)
{
	struct mm_translation t;

	if (!fault_done(mm_translate(mm, AT(0) + 128, MM_ACCESS_WRITE, &t)))
		return;
	__atomic_store_n((uint64_t *)t.bytes, NEW, __ATOMIC_RELAXED);
	stage_expect(mm, 0, NEW);
	mm_translation_put(&t);
}

const struct vt_scenario reclaim_pin = {
	.name = "reclaim-pin", .about = "a frame that is held is nobody else's",
	.setup = setup_clean, .finish = finish_old, .flags = VT_NO_MEMORY,
	.threads = { THREAD(hand), THREAD(looker) },
};

const struct vt_scenario reclaim_dirty_pin = {
	.name = "reclaim-dirty-pin", .about = "what is written to a pinned frame is in the file",
	.setup = setup_dirty, .finish = finish_new, .flags = VT_NO_MEMORY,
	.threads = { THREAD(hand), THREAD(pinner) },
};

/* ---- a store */

static void storer(void)
{
	fault_done(stage_put(mm, 0, NEW));
}

const struct vt_scenario reclaim_store = {
	.name = "reclaim-store", .about = "the first store to a page that goes is in the file",
	.setup = setup_clean, .finish = finish_new, .flags = VT_NO_MEMORY,
	.threads = { THREAD(hand), THREAD(storer) },
};

const struct vt_scenario reclaim_dirty_store = {
	.name = "reclaim-dirty-store", .about = "a store to a page that is written is in the file",
	.setup = setup_dirty, .finish = finish_new, .flags = VT_NO_MEMORY,
	.threads = { THREAD(hand), THREAD(storer) },
};

/* By a call: it needs no entry, and no page lock. */
static void caller(void)
{
	const uint64_t value = NEW;
	long put = file_write(file, 128, &value, sizeof(value));

	VT_CHECK(put == sizeof(value) || (put == -ENOMEM && vt_memory_was_refused()), "%ld", put);
}

const struct vt_scenario reclaim_call = {
	.name = "reclaim-call", .about = "what is written by a call to a page that goes is in the file",
	.setup = setup_clean, .finish = finish_new, .flags = VT_NO_MEMORY,
	.threads = { THREAD(hand), THREAD(caller) },
};

/* ---- a page that is taken as soon as it has been read */

static void setup_awaited(void)
{
	setup_clean();
	VT_CHECK(stage_evict(frame, RECLAIM_ANY) == 1);
	nr_reads = 0;
}

static void toucher(void)
{
	if (fault_done(mm_touch(mm, AT(0), MM_ACCESS_READ)))
		VT_CHECK(nr_reads == 1, "read %u times", nr_reads);
}

static void follower(void)
{
	struct page *page = filemap_find_page(file->mapping, 0);

	if (!page)
		return;
	page_put(page);
	stage_evict(page, RECLAIM_ANY);
}

const struct vt_scenario reclaim_awaited = {
	.name = "reclaim-awaited", .about = "nobody takes what another has waited for",
	.setup = setup_awaited, .finish = finish_old, .flags = VT_NO_MEMORY,
	.threads = { THREAD(toucher), THREAD(follower) },
};

/* ---- a translation */

static struct soft_tlb *tlb;
static struct soft_tlb_space *space;

/* The page is in the TLB, to be written to. */
static void setup_tlb(void)
{
	const uint64_t old = OLD;

	setup_clean();
	VT_CHECK(!soft_tlb_create(SOFT_TLB_MIN_LOG2, &tlb));
	VT_CHECK(!soft_tlb_attach(tlb, mm_mmu(mm), &space));
	soft_tlb_switch(tlb, space);
	soft_tlb_begin(tlb);
	VT_CHECK(soft_tlb_store(tlb, AT(0) + 128, &old, 8));
	soft_tlb_end(tlb);
}

static void tlb_storer(void)
{
	uint64_t *p;

	soft_tlb_begin(tlb);
	p = soft_tlb_hit(tlb, AT(0) + 128, 8, MM_ACCESS_WRITE);
	if (p)
		__atomic_store_n(p, NEW, __ATOMIC_RELAXED);
	soft_tlb_end(tlb);
	stored = p;
}

static void finish_tlb(void)
{
	soft_tlb_detach(tlb, space);
	soft_tlb_destroy(tlb);
	if (!vt_memory_was_refused())
		expect_kept(stored ? NEW : OLD);
	end();
}

const struct vt_scenario reclaim_tlb = {
	.name = "reclaim-tlb", .about = "no store by a translation to a page that is being written",
	.setup = setup_tlb, .finish = finish_tlb, .flags = VT_NO_MEMORY,
	.threads = { THREAD(hand), THREAD(tlb_storer) },
};
