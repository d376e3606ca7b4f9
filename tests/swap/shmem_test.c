/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Shared memory in swap: what every call finds of it, and that no slot is left. */
#include "../reclaim/disk.h"
#include "shmem.h"

#define NR	16ul

static struct memory m;
static struct store s;
static struct file *file;

static unsigned char byte_of(unsigned long page)
{
	return (unsigned char)(page * 3 + 1);
}

/* The file's pages 0 to @nr are mapped at page 0, and each has its byte. */
static void open_all(unsigned long arena_pages, u32 nr_slots, unsigned long nr)
{
	memory_open_with(&m, arena_pages * PAGE_SIZE);
	store_on(&s, m.s.v, nr_slots, 0);
	file = shmem_open(m.s.v, nr);
	assert_int_equal(space_map_file(&m.s, 0, nr, RW, MAP_SHARED, file, 0), 0);
	for (unsigned long i = 0; i < nr; i++)
		assert_int_equal(put(&m, i, byte_of(i)), MM_FAULT_DONE);
}

static void close_all(void)
{
	instance_validate(m.s.v);
	assert_int_equal(mm_munmap(m.s.mm, at(0), SPACE_PAGES * PAGE_SIZE), 0);
	file_put(file);
	assert_int_equal(store_used(&s, m.s.v), 0);
	store_off(&s, m.s.v);
	memory_close(&m);
}

static void send_all_out(unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++)
		assert_int_equal(shmem_send_out(file, i), 0);
	instance_validate(m.s.v);
}

static int read_byte(unsigned long page)
{
	unsigned char byte;
	long done = file_read(file, page * PAGE_SIZE + 123, &byte, 1);

	return done == 1 ? byte : (int)done;
}

static bool in_core(unsigned long page)
{
	unsigned char vec;

	assert_int_equal(mm_mincore(m.s.mm, at(page), PAGE_SIZE, &vec), 0);
	return vec;
}

static u64 smaps_swap(struct mm_user *mm)
{
	struct mm_page_counts counts;

	mm_count_pages(mm, 0, ~0ul, &counts);
	assert_int_equal(counts.swap_pss, 0);
	return counts.swap / PAGE_SIZE;
}

/* -------------------------------------------------------------------------------------- */

static void a_page_goes_and_comes_back(void **state)
{
	unsigned long frames;

	open_all(4096, 64, NR);
	frames = memory_free_frames(m.s.v);
	assert_int_equal(shmem_send_out(file, 3), 0);
	assert_int_equal(memory_free_frames(m.s.v), frames + 1);
	assert_int_equal(store_used(&s, m.s.v), 1);
	assert_false(in_core(3));
	assert_int_equal(mm_swapped(m.s.mm), 0);
	assert_int_equal(smaps_swap(m.s.mm), 1);
	assert_int_equal(mm_rss(m.s.mm), NR - 1);
	assert_int_equal(get(&m, 3), byte_of(3));
	assert_int_equal(store_used(&s, m.s.v), 0);
	assert_int_equal(smaps_swap(m.s.mm), 0);
	assert_int_equal(memory_free_frames(m.s.v), frames);
	close_all();
}

static void every_way_finds_it(void **state)
{
	unsigned char page[PAGE_SIZE], byte = 77;
	struct mm_translation t;
	struct mm_user *other;

	open_all(4096, 64, NR);
	assert_int_equal(mm_create(m.s.v, &m.s.mm_config, &other), 0);
	assert_int_equal(mm_mmap(other, at(0), NR * PAGE_SIZE, RW, MAP_SHARED | MAP_FIXED, file,
				 0), at(0));
	send_all_out(NR);
	assert_int_equal(smaps_swap(other), NR);
	assert_int_equal(mm_get(other, 0), byte_of(0));
	assert_int_equal(read_byte(1), byte_of(1));
	assert_int_equal(file_write(file, 2 * PAGE_SIZE + 200, &byte, 1), 1);
	assert_int_equal(read_byte(2), byte_of(2));
	memset(page, 9, sizeof(page));
	assert_int_equal(file_write(file, 3 * PAGE_SIZE, page, PAGE_SIZE), PAGE_SIZE);
	assert_int_equal(get(&m, 3), 9);
	assert_int_equal(mm_madvise(m.s.mm, at(4), 2 * PAGE_SIZE, MADV_WILLNEED), 0);
	assert_true(in_core(4) && in_core(5) && !in_core(6));
	assert_int_equal(mm_madvise(m.s.mm, at(6), PAGE_SIZE, MADV_POPULATE_READ), 0);
	assert_int_equal(mm_madvise(m.s.mm, at(7), PAGE_SIZE, MADV_POPULATE_WRITE), 0);
	assert_true(mm_frame(m.s.mm, 6) && mm_frame(m.s.mm, 7));
	assert_int_equal(mm_translate(m.s.mm, at(8), MM_ACCESS_READ, &t), MM_FAULT_DONE);
	assert_int_equal(((unsigned char *)t.bytes)[123], byte_of(8));
	assert_int_equal(shmem_send_out(file, 8), -EBUSY);
	mm_translation_put(&t);
	assert_int_equal(mm_mlock(m.s.mm, at(9), PAGE_SIZE), 0);
	assert_int_equal(shmem_send_out(file, 9), -EBUSY);
	assert_int_equal(get(&m, 9), byte_of(9));
	assert_int_equal(store_used(&s, m.s.v), NR - 10);
	mmput(other);
	close_all();
}

static void private_areas_have_what_is_in_swap(void **state)
{
	struct mm_user *child;

	open_all(4096, 64, NR);
	assert_int_equal(space_map_file(&m.s, 100, NR, RW, MAP_PRIVATE, file, 0), 0);
	assert_int_equal(put(&m, 101, 50), MM_FAULT_DONE);
	assert_int_equal(get(&m, 102), byte_of(2));
	send_all_out(NR);
	/* All of the shared area, and of the private one what is not its own. */
	assert_int_equal(smaps_swap(m.s.mm), NR + NR - 1);
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	assert_int_equal(get(&m, 101), 50);
	assert_int_equal(mm_get(child, 101), 50);
	assert_int_equal(get(&m, 102), byte_of(2));
	assert_int_equal(put(&m, 103, 51), MM_FAULT_DONE);
	assert_int_equal(mm_get(child, 103), byte_of(3));
	assert_int_equal(get(&m, 3), byte_of(3));
	assert_int_equal(mm_put(child, 4, 52), MM_FAULT_DONE);
	assert_int_equal(get(&m, 4), 52);
	assert_int_equal(get(&m, 104), 52);
	assert_int_equal(mm_mremap(m.s.mm, at(0), NR * PAGE_SIZE, NR * PAGE_SIZE,
				   MREMAP_MAYMOVE | MREMAP_FIXED, at(200)), at(200));
	for (unsigned long i = 5; i < NR; i++)
		assert_int_equal(get(&m, 200 + i), byte_of(i));
	mmput(child);
	close_all();
}

static void what_is_cut_is_gone(void **state)
{
	open_all(4096, 64, NR);
	send_all_out(NR);
	/* The rest of page 5, and all behind it. */
	assert_int_equal(file_truncate(file, 5 * PAGE_SIZE + 123), 0);
	assert_int_equal(store_used(&s, m.s.v), 5);
	assert_int_equal(file_truncate(file, NR * PAGE_SIZE), 0);
	for (unsigned long i = 5; i < NR; i++)
		assert_int_equal(get(&m, i), 0);
	/* From the middle of page 1 to that of page 3. */
	assert_int_equal(file_punch_hole(file, PAGE_SIZE + 124, 2 * PAGE_SIZE), 0);
	assert_int_equal(get(&m, 1), byte_of(1));
	assert_int_equal(get(&m, 2), 0);
	assert_int_equal(get(&m, 3), 0);
	assert_int_equal(store_used(&s, m.s.v), 2);
	assert_int_equal(mm_madvise(m.s.mm, at(4), PAGE_SIZE, MADV_REMOVE), 0);
	assert_int_equal(get(&m, 4), 0);
	file_set_size(file, 0);
	assert_int_equal(store_used(&s, m.s.v), 0);
	assert_int_equal(filemap_nr_pages(file->mapping), 0);
	close_all();
}

static void the_last_put_frees_slots(void **state)
{
	open_all(4096, 64, NR);
	send_all_out(NR);
	assert_int_equal(store_used(&s, m.s.v), NR);
	/* What close_all() looks at. */
	close_all();
}

static void what_is_read_wrong_stays(void **state)
{
	unsigned char page[PAGE_SIZE];

	open_all(4096, 64, NR);
	send_all_out(NR);
	atomic_store_relaxed(&s.fail_reads, 1);
	assert_int_equal(get(&m, 0), NO_BYTE(BUS));
	assert_int_equal(read_byte(0), -EIO);
	memset(page, 9, sizeof(page));
	assert_int_equal(file_write(file, 0, page, PAGE_SIZE), -EIO);
	assert_int_equal(file_write(file, 5, page, 1), -EIO);
	assert_int_equal(mm_madvise(m.s.mm, at(0), PAGE_SIZE, MADV_WILLNEED), 0);
	instance_validate(m.s.v);
	assert_int_equal(store_used(&s, m.s.v), NR);
	atomic_store_relaxed(&s.fail_reads, 0);
	assert_int_equal(get(&m, 0), byte_of(0));
	assert_int_equal(read_byte(0), byte_of(0));
	atomic_store_relaxed(&s.fail_writes, 1);
	assert_int_equal(shmem_send_out(file, 0), -EIO);
	assert_int_equal(store_used(&s, m.s.v), NR - 1);
	assert_int_equal(get(&m, 0), byte_of(0));
	atomic_store_relaxed(&s.fail_writes, 0);
	close_all();
}

static void swapoff_brings_it_back(void **state)
{
	open_all(4096, 64, NR);
	send_all_out(NR);
	assert_int_equal(vmarea_swapoff(m.s.v, s.id), 0);
	store_free(&s);
	instance_validate(m.s.v);
	for (unsigned long i = 0; i < NR; i++)
		assert_int_equal(get(&m, i), byte_of(i));
	assert_int_equal(shmem_send_out(file, 0), -ENOSPC);

	/* And what cannot be read is lost, until it is cut. */
	store_on(&s, m.s.v, 64, 0);
	assert_int_equal(shmem_send_out(file, 1), 0);
	assert_int_equal(shmem_send_out(file, 2), 0);
	atomic_store_relaxed(&s.fail_reads, 1);
	assert_int_equal(vmarea_swapoff(m.s.v, s.id), 0);
	store_free(&s);
	store_on(&s, m.s.v, 64, 0);
	instance_validate(m.s.v);
	assert_int_equal(get(&m, 1), NO_BYTE(BUS));
	assert_int_equal(read_byte(2), -EIO);
	assert_int_equal(file_punch_hole(file, PAGE_SIZE, PAGE_SIZE), 0);
	assert_int_equal(get(&m, 1), 0);
	close_all();
}

/* A page of which a part is to be zero cannot be read: it does not come back with what was there. */
static void what_is_cut_does_not_come_back(void **state)
{
	open_all(4096, 64, NR);
	send_all_out(NR);
	atomic_store_relaxed(&s.fail_reads, 1);
	assert_int_equal(file_truncate(file, 5 * PAGE_SIZE + 100), -EIO);
	assert_int_equal(file_size(file), NR * PAGE_SIZE);
	assert_int_equal(file_punch_hole(file, 3 * PAGE_SIZE + 100, PAGE_SIZE), -EIO);
	/* Whole pages need not be read. */
	assert_int_equal(file_punch_hole(file, PAGE_SIZE, PAGE_SIZE), 0);
	assert_int_equal(file_truncate(file, 8 * PAGE_SIZE), 0);
	atomic_store_relaxed(&s.fail_reads, 0);
	assert_int_equal(get(&m, 3), byte_of(3));
	assert_int_equal(get(&m, 1), 0);
	assert_int_equal(file_truncate(file, 5 * PAGE_SIZE + 100), 0);
	assert_int_equal(file_truncate(file, 8 * PAGE_SIZE), 0);
	assert_int_equal(get(&m, 5), 0);
	/* But what is lost for good is no obstacle. */
	atomic_store_relaxed(&s.fail_reads, 1);
	assert_int_equal(vmarea_swapoff(m.s.v, s.id), 0);
	store_free(&s);
	assert_int_equal(file_truncate(file, 4 * PAGE_SIZE + 100), 0);
	assert_int_equal(file_truncate(file, 5 * PAGE_SIZE), 0);
	assert_int_equal(read_byte(4), -EIO);
	store_on(&s, m.s.v, 64, 0);
	close_all();
}

/* Where no frame is free it takes some from who does not need them. */
static void swapoff_takes_pages_back(void **state)
{
	struct disk disk;
	struct file *kept;
	unsigned char byte;

	open_all(512, 64, NR);
	send_all_out(NR);
	kept = disk_open(&disk, m.s.v, 1000);
	for (unsigned long i = 0; i < 1000; i++)
		assert_int_equal(file_read(kept, i * PAGE_SIZE, &byte, 1), 1);
	/* Whatever the last one had left. */
	for (unsigned long i = 1000; memory_free_frames(m.s.v);)
		assert_int_equal(file_read(kept, --i * PAGE_SIZE, &byte, 1), 1);
	assert_int_equal(vmarea_swapoff(m.s.v, s.id), 0);
	store_free(&s);
	for (unsigned long i = 0; i < NR; i++)
		assert_int_equal(get(&m, i), byte_of(i));
	disk_close(&disk, kept);
	store_on(&s, m.s.v, 64, 0);
	close_all();
}

/* Who has a reference keeps it, and so does who waits for it. */
static void what_is_used_stays(void **state)
{
	struct page *page;

	open_all(4096, 64, NR);
	page = filemap_find_page(file->mapping, 0);
	assert_int_equal(shmem_send_out(file, 0), -EAGAIN);
	page_put(page);
	assert_int_equal(store_used(&s, m.s.v), 0);
	assert_int_equal(get(&m, 0), byte_of(0));
	assert_int_equal(shmem_send_out(file, 0), 0);
	close_all();
}

static void what_is_broken_is_noticed(void **state)
{
	char why[256];

	open_all(4096, 64, NR);
	send_all_out(2);
	pi_clear_mark(&file->mapping->pages, 0, FILEMAP_SWAPPED);
	assert_int_equal(vmarea_validate(m.s.v, why, sizeof(why)), -EINVAL);
	pi_set_mark(&file->mapping->pages, 0, FILEMAP_SWAPPED);
	pi_set_mark(&file->mapping->pages, 5, FILEMAP_SWAPPED);
	assert_false(filemap_check(file->mapping, why, sizeof(why)));
	assert_non_null(strstr(why, "swapped, 2"));
	pi_clear_mark(&file->mapping->pages, 5, FILEMAP_SWAPPED);
	close_all();
}

/* Four times what there is room for: by load, by call, and by another mm. */
static void memory_larger_than_the_arena(void **state)
{
	const unsigned long nr = 2000;
	struct mm_user *other;

	open_all(512, 4000, nr);
	assert_true(reclaim_stats(&m).swapped > nr - 512);
	for (unsigned long i = 0; i < nr; i++)
		assert_int_equal(get(&m, i), byte_of(i));
	for (unsigned long i = 0; i < nr; i++)
		assert_int_equal(read_byte(i), byte_of(i));
	/* An mm needs frames that are free at once. */
	assert_true(vmarea_reclaim(m.s.v, 64) >= 64);
	assert_int_equal(mm_create(m.s.v, &m.s.mm_config, &other), 0);
	assert_int_equal(mm_mmap(other, at(0), nr * PAGE_SIZE, RW, MAP_SHARED | MAP_FIXED, file,
				 0), at(0));
	for (unsigned long i = nr; i-- > 0;)
		assert_int_equal(mm_get(other, i), byte_of(i));
	for (unsigned long i = 0; i < nr; i++)
		assert_int_equal(mm_put(other, i, (unsigned char)(byte_of(i) ^ 1)), MM_FAULT_DONE);
	for (unsigned long i = 0; i < nr; i++)
		assert_int_equal(get(&m, i), (unsigned char)(byte_of(i) ^ 1));
	mmput(other);
	/* A part of a page that is in swap is cut where no frame is free. */
	for (unsigned long i = nr; i-- > 1;)
		assert_int_equal(file_truncate(file, i * PAGE_SIZE + 123), 0);
	assert_int_equal(get(&m, 1), 0);
	close_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_goes_and_comes_back),
		cmocka_unit_test(every_way_finds_it),
		cmocka_unit_test(private_areas_have_what_is_in_swap),
		cmocka_unit_test(what_is_cut_is_gone),
		cmocka_unit_test(the_last_put_frees_slots),
		cmocka_unit_test(what_is_read_wrong_stays),
		cmocka_unit_test(swapoff_brings_it_back),
		cmocka_unit_test(what_is_cut_does_not_come_back),
		cmocka_unit_test(swapoff_takes_pages_back),
		cmocka_unit_test(what_is_used_stays),
		cmocka_unit_test(what_is_broken_is_noticed),
		cmocka_unit_test(memory_larger_than_the_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
