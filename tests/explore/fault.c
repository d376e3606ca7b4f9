/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Page faults against one another and against the calls that take pages away.
 *
 * Where a page goes, who took it away puts another into its frame, so that a thread that still uses
 * the old one sees what is not its own, or spoils it.
 */
#include <vmarea/driver_fault.h>

#include "explore.h"

#define OLD	0x1111111111111111ull
#define NEW	0x2222222222222222ull
#define OTHERS	0x3333333333333333ull

#define HUGE	(2ul << 20)

static struct file *file;

static void setup(void)
{
	stage_make_with_frames();
	stage_map(mm, 0, 1, RW);
	stage_map(mm, 2, 1, RW);
}

/* Two pages, the second one touched: what faults in the first needs the VMA lock only. */
static void setup_beside(void)
{
	stage_make_with_frames();
	stage_map(mm, 0, 2, RW);
	stage_map(mm, 3, 1, RW);
	VT_CHECK(stage_put(mm, 1, OLD) == MM_FAULT_DONE);
}

static void setup_touched(void)
{
	setup();
	VT_CHECK(stage_put(mm, 0, OLD) == MM_FAULT_DONE);
}

static unsigned long nr_pages(void)
{
	struct mm_stats stats;

	mm_get_stats(mm, &stats);
	return stats.anon_pages + stats.file_pages + stats.shmem_pages;
}

/* The frame that has become free is a page of somebody else's, who has written to it. */
static void use_frame(void)
{
	fault_done(stage_put(mm, 2, OTHERS));
}

/* ---- two at one page */

static void storer_low(void)
{
	uint64_t value = OLD;
	enum mm_fault fault;

	VT_CHECK(mm_write(mm, AT(0), &value, 8, &fault) == 8 || !fault_done(fault));
}

static void storer_high(void)
{
	uint64_t value = NEW;
	enum mm_fault fault;

	VT_CHECK(mm_write(mm, AT(0) + 8, &value, 8, &fault) == 8 || !fault_done(fault));
}

static void loader(void)
{
	uint64_t value = ~0ull;

	if (fault_done(stage_get(mm, 0, &value)))
		VT_CHECK(!value);
}

static void finish_two(void)
{
	uint64_t words[2] = { 0, 0 };
	enum mm_fault fault;

	mm_read(mm, AT(0), words, sizeof(words), &fault);
	if (!vt_memory_was_refused()) {
		VT_CHECK(words[0] == OLD && words[1] == NEW);
		VT_CHECK(nr_pages() == 1);
	}
	stage_end();
}

static void finish_one(void)
{
	uint64_t word = 0;
	enum mm_fault fault;

	mm_read(mm, AT(0), &word, sizeof(word), &fault);
	VT_CHECK(word == OLD || vt_memory_was_refused());
	stage_end();
}

const struct vt_scenario fault_fault = {
	.name = "fault-fault", .about = "two stores make one page, with both words",
	.setup = setup, .finish = finish_two, .flags = VT_NO_MEMORY,
	.threads = { THREAD(storer_low), THREAD(storer_high) },
};

const struct vt_scenario fault_fault_read = {
	.name = "fault-fault-read", .about = "a store where another has the zero page put in",
	.setup = setup, .finish = finish_one, .flags = VT_NO_MEMORY,
	.threads = { THREAD(storer_low), THREAD(loader) },
};

/* ---- the area goes */

static void unmapper(void)
{
	if (!done(mm_munmap(mm, AT(0), PAGE)))
		return;
	use_frame();
}

static void reader(void)
{
	uint64_t value = 0;
	enum mm_fault fault = stage_get(mm, 0, &value);

	if (fault != MM_FAULT_MAPERR && fault_done(fault))
		VT_CHECK(value == OLD, "%llx", (unsigned long long)value);
}

static void beside_unmapper(void)
{
	done(mm_munmap(mm, AT(0), 2 * PAGE));
}

static void writer(void)
{
	enum mm_fault fault = stage_put(mm, 0, NEW);

	VT_CHECK(fault == MM_FAULT_MAPERR || fault == MM_FAULT_DONE ||
		 vt_memory_was_refused());
}

static void finish_nothing(void)
{
	VT_CHECK(!nr_pages() || vt_memory_was_refused());
	stage_end();
}

static void finish_unmapped(void)
{
	if (!vt_memory_was_refused()) {
		VT_CHECK(nr_pages() == 1);
		stage_expect(mm, 2, OTHERS);
	}
	stage_end();
}

const struct vt_scenario fault_unmap = {
	.name = "fault-unmap", .about = "a load gives the page's bytes, or there is no page",
	.setup = setup_touched, .finish = finish_unmapped, .flags = VT_NO_MEMORY,
	.threads = { THREAD(unmapper), THREAD(reader) },
};

const struct vt_scenario fault_unmap_write = {
	.name = "fault-unmap-write", .about = "a fault leaves no page where its area went",
	.setup = setup_beside, .finish = finish_nothing, .flags = VT_NO_MEMORY,
	.threads = { THREAD(beside_unmapper), THREAD(writer) },
};

/* ---- the right to write goes */

static void protector(void)
{
	done(mm_mprotect(mm, AT(0), PAGE, PROT_READ));
}

static void refused_writer(void)
{
	enum mm_fault fault = stage_put(mm, 0, NEW);

	VT_CHECK(fault == MM_FAULT_ACCERR || fault == MM_FAULT_DONE ||
		 vt_memory_was_refused());
}

const struct vt_scenario fault_protect = {
	.name = "fault-protect", .about = "no entry allows what its area does not any more",
	.setup = setup_beside, .finish = stage_end, .flags = VT_NO_MEMORY,
	.threads = { THREAD(protector), THREAD(refused_writer) },
};

/* ---- the page goes, and its frame becomes a driver's */

/* A row of one: what others do while a block is made into pages does not depend on how many. */
static void row_maker(void)
{
	struct page *row[1];

	if (!done(mm_madvise(mm, AT(0), PAGE, MADV_DONTNEED)))
		return;
	if (!alloc_contig_pages(machine, 0, row)) {
		VT_CHECK(vt_memory_was_refused());
		return;
	}
	*(uint64_t *)page_address(row[0]) = OTHERS;
	__free_page(row[0]);
}

static void peeker(void)
{
	uint64_t value = ~0ull;

	if (fault_done(stage_get(mm, 0, &value)))
		VT_CHECK(value == OLD || !value, "%llx", (unsigned long long)value);
}

const struct vt_scenario fault_row = {
	.name = "fault-row", .about = "a load may still hold the frame that a row is made of",
	.setup = setup_touched, .finish = stage_end, .flags = VT_NO_MEMORY,
	.threads = { THREAD(row_maker), THREAD(peeker) },
};

/* ---- the page goes, the area stays */

static void discarder(void)
{
	if (done(mm_madvise(mm, AT(0), PAGE, MADV_DONTNEED)))
		use_frame();
}

static void staying_writer(void)
{
	fault_done(stage_put(mm, 0, NEW));
}

static void finish_discarded(void)
{
	uint64_t value = NEW;

	if (fault_done(stage_get(mm, 0, &value)) && !vt_memory_was_refused()) {
		VT_CHECK(value == NEW || !value, "%llx", (unsigned long long)value);
		stage_expect(mm, 2, OTHERS);
	}
	stage_end();
}

const struct vt_scenario fault_dontneed = {
	.name = "fault-dontneed", .about = "a store is in the page or gone with it, nowhere else",
	.setup = setup_touched, .finish = finish_discarded, .flags = VT_NO_MEMORY,
	.threads = { THREAD(discarder), THREAD(staying_writer) },
};

/* ---- the page moves */

static void mover(void)
{
	done(mm_mremap(mm, AT(0), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, AT(4)));
}

static void either_reader(void)
{
	uint64_t value = 0;
	enum mm_fault fault = stage_get(mm, 0, &value);

	if (fault == MM_FAULT_MAPERR)
		fault = stage_get(mm, 4, &value);
	if (fault != MM_FAULT_MAPERR && fault_done(fault))
		VT_CHECK(value == OLD, "%llx", (unsigned long long)value);
	else
		VT_CHECK(vt_memory_was_refused());
}

static void finish_moved(void)
{
	if (!vt_memory_was_refused()) {
		stage_expect(mm, 4, OLD);
		VT_CHECK(nr_pages() == 1);
	}
	stage_end();
}

const struct vt_scenario fault_move = {
	.name = "fault-move", .about = "a page that moves is at the old place or at the new",
	.setup = setup_touched, .finish = finish_moved, .flags = VT_NO_MEMORY,
	.threads = { THREAD(mover), THREAD(either_reader) },
};

/* Where a whole table moves; AT(0) and AT(1024) are alike within 2 MiB. */
static void setup_table(void)
{
	stage_make_with_frames();
	stage_map(mm, 0, HUGE / PAGE, RW);
	VT_CHECK(!mm_madvise(mm, AT(0), HUGE, MADV_NOHUGEPAGE));
	VT_CHECK(stage_put(mm, 0, OLD) == MM_FAULT_DONE);
}

static void table_mover(void)
{
	done(mm_mremap(mm, AT(0), HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, AT(1024)));
}

static void table_reader(void)
{
	uint64_t value = 0;
	enum mm_fault fault = stage_get(mm, 0, &value);

	if (fault != MM_FAULT_MAPERR && fault_done(fault))
		VT_CHECK(value == OLD, "%llx", (unsigned long long)value);
}

static void finish_table(void)
{
	if (!vt_memory_was_refused()) {
		stage_expect(mm, 1024, OLD);
		VT_CHECK(nr_pages() == 1);
	}
	stage_end();
}

const struct vt_scenario fault_move_table = {
	.name = "fault-move-table", .about = "the same with its table",
	.setup = setup_table, .finish = finish_table, .flags = VT_NO_MEMORY,
	.threads = { THREAD(table_mover), THREAD(table_reader) },
};

/* ---- the file is cut off */

static void map_file(unsigned long flags)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/file", .flags = FILE_READ | FILE_WRITE | FILE_SHMEM,
		.size_bytes = PAGE,
	};

	stage_make_with_frames();
	VT_CHECK(!file_create(machine, &desc, &file));
	VT_CHECK(mm_mmap(mm, AT(0), PAGE, RW, flags | MAP_FIXED, file, 0) == (long)AT(0));
	stage_map(mm, 2, 1, RW);
}

static void setup_shared(void)
{
	map_file(MAP_SHARED);
	VT_CHECK(stage_put(mm, 0, OLD) == MM_FAULT_DONE);
	/* In the file, and not mapped. */
	VT_CHECK(!mm_madvise(mm, AT(0), PAGE, MADV_DONTNEED));
}

static void setup_private(void)
{
	const uint64_t old = OLD;

	map_file(MAP_PRIVATE);
	VT_CHECK(file_write(file, 128, &old, 8) == 8);
}

static void truncater(void)
{
	file_set_size(file, 0);
	use_frame();
}

static void file_reader(void)
{
	uint64_t value = 0;
	enum mm_fault fault = stage_get(mm, 0, &value);

	if (fault != MM_FAULT_BUS && fault_done(fault))
		VT_CHECK(value == OLD, "%llx", (unsigned long long)value);
}

static void file_writer(void)
{
	enum mm_fault fault = stage_put(mm, 0, NEW);

	VT_CHECK(fault == MM_FAULT_BUS || fault == MM_FAULT_DONE || vt_memory_was_refused());
}

/* What was mapped in time is gone, too; what comes when the file grows again is zeros. */
static void finish_truncated(void)
{
	uint64_t value = 0;

	VT_CHECK(stage_get(mm, 0, &value) == MM_FAULT_BUS || vt_memory_was_refused());
	file_set_size(file, PAGE);
	VT_CHECK(file_read(file, 128, &value, 8) == 8 && !value);
	file_put(file);
	stage_end();
}

const struct vt_scenario fault_truncate = {
	.name = "fault-truncate", .about = "a page of a file, or none: not one past the end",
	.setup = setup_shared, .finish = finish_truncated, .flags = VT_NO_MEMORY,
	.threads = { THREAD(truncater), THREAD(file_reader) },
};

const struct vt_scenario fault_truncate_private = {
	.name = "fault-truncate-private", .about = "the same for a copy",
	.setup = setup_private, .finish = finish_truncated, .flags = VT_NO_MEMORY,
	.threads = { THREAD(truncater), THREAD(file_writer) },
};

/* ---- and a page that came along with another */

static void setup_around(void)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/file", .flags = FILE_READ | FILE_WRITE | FILE_SHMEM,
		.size_bytes = 2 * PAGE,
	};
	const uint64_t old = OLD;

	stage_make_with_frames();
	VT_CHECK(!file_create(machine, &desc, &file));
	VT_CHECK(mm_mmap(mm, AT(0), 2 * PAGE, RW, MAP_SHARED | MAP_FIXED, file, 0) ==
		 (long)AT(0));
	stage_map(mm, 2, 1, RW);
	for (int i = 0; i < 2; i++)
		VT_CHECK(file_write(file, i * PAGE + 128, &old, 8) == 8);
}

static void truncater_of_one(void)
{
	file_set_size(file, PAGE);
	use_frame();
}

static void finish_around(void)
{
	uint64_t value = 0;

	VT_CHECK(stage_get(mm, 1, &value) == MM_FAULT_BUS, "%llx", (unsigned long long)value);
	file_put(file);
	stage_end();
}

const struct vt_scenario fault_around_truncate = {
	.name = "fault-around-truncate", .about = "the same for a page that came along",
	.setup = setup_around, .finish = finish_around, .flags = VT_NO_MEMORY,
	.threads = { THREAD(truncater_of_one), THREAD(file_reader) },
};
