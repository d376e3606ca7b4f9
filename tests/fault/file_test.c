/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Pages of files and of shared anonymous objects, mapped. */
#include "memory.h"

static struct file *open_file(struct memory *m, const struct file_operations *ops,
			      unsigned int flags, unsigned long bytes, void *data)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/f", .inode = 1, .ops = ops, .private_data = data,
		.flags = flags | FILE_READ | FILE_WRITE, .size_bytes = bytes,
	};
	struct file *file;

	assert_int_equal(file_create(m->s.v, &desc, &file), 0);
	return file;
}

static void shared_pages_are_the_files(void **state)
{
	struct mm_user *other;
	struct mm_stats stats;
	struct memory m;
	struct file *file;
	char c;

	memory_open(&m);
	file = open_file(&m, NULL, FILE_SHMEM, 8 * 4096, NULL);
	assert_int_equal(mm_create(m.s.v, &m.s.mm_config, &other), 0);
	assert_int_equal(space_map_file(&m.s, 0, 8, RW, MAP_SHARED, file, 0), 0);
	assert_int_equal(mm_mmap(other, at(0), 8 * 4096, PROT_READ, MAP_SHARED | MAP_FIXED, file,
				 0), at(0));
	assert_int_equal(mm_get(other, 3), 0);
	assert_int_equal(put(&m, 3, 33), MM_FAULT_DONE);
	assert_int_equal(mm_get(other, 3), 33);
	assert_int_equal(mm_frame(other, 3), mm_frame(m.s.mm, 3));
	assert_int_equal(mm_put(other, 3, 1), MM_FAULT_ACCERR);
	assert_int_equal(file_read(file, byte_at(3) - at(0), &c, 1), 1);
	assert_int_equal(c, 33);
	mm_get_stats(m.s.mm, &stats);
	assert_int_equal(stats.shmem_pages, 1);
	assert_int_equal(stats.anon_pages + stats.file_pages, 0);
	memory_validate(other);
	mmput(other);
	file_put(file);
	memory_close(&m);
}

static void private_writes_are_nobody_elses(void **state)
{
	struct mm_stats stats;
	struct memory m;
	struct file *file;
	unsigned char c = 5;

	memory_open(&m);
	file = open_file(&m, NULL, 0, 8 * 4096, NULL);
	assert_int_equal(file_write(file, byte_at(2) - at(0), &c, 1), 1);
	assert_int_equal(space_map_file(&m.s, 0, 8, RW, MAP_PRIVATE, file, 0), 0);
	assert_int_equal(space_map_file(&m.s, 16, 8, RW, MAP_SHARED, file, 0), 0);
	assert_int_equal(get(&m, 2), 5);
	assert_int_equal(mm_rss(m.s.mm), 1);
	/* Not copied yet: it sees what is written to the file. */
	assert_int_equal(put(&m, 18, 6), MM_FAULT_DONE);
	assert_int_equal(get(&m, 2), 6);
	assert_int_equal(put(&m, 2, 7), MM_FAULT_DONE);
	assert_int_equal(get(&m, 18), 6);
	assert_int_equal(put(&m, 18, 8), MM_FAULT_DONE);
	assert_int_equal(get(&m, 2), 7);
	/* Written to at once. */
	assert_int_equal(put(&m, 3, 9), MM_FAULT_DONE);
	assert_int_equal(get(&m, 19), 0);
	mm_get_stats(m.s.mm, &stats);
	assert_int_equal(stats.anon_pages, 2);
	assert_int_equal(stats.file_pages, 2);
	/* And what is thrown away is the file's again. */
	assert_int_equal(mm_madvise(m.s.mm, at(0), 8 * 4096, MADV_DONTNEED), 0);
	assert_int_equal(get(&m, 2), 8);
	file_put(file);
	memory_close(&m);
}

static void a_file_ends(void **state)
{
	unsigned char vec[4];
	struct memory m;
	struct file *file;

	memory_open(&m);
	file = open_file(&m, NULL, 0, 4096 + 10, NULL);
	assert_int_equal(space_map_file(&m.s, 0, 4, RW, MAP_SHARED, file, 0), 0);
	assert_int_equal(space_map_file(&m.s, 8, 4, RW, MAP_PRIVATE, file, 0), 0);
	assert_int_equal(get(&m, 1), 0);
	assert_int_equal(get(&m, 2), NO_BYTE(BUS));
	assert_int_equal(put(&m, 3, 1), MM_FAULT_BUS);
	assert_int_equal(put(&m, 10, 1), MM_FAULT_BUS);
	assert_int_equal(mm_madvise(m.s.mm, at(0), 4 * 4096, MADV_POPULATE_READ), -EFAULT);
	assert_int_equal(mm_mincore(m.s.mm, at(0), 4 * 4096, vec), 0);
	assert_memory_equal(vec, "\1\1\0\0", 4);
	/* In core, and not mapped here. */
	assert_int_equal(mm_mincore(m.s.mm, at(8), 4 * 4096, vec), 0);
	assert_memory_equal(vec, "\1\1\0\0", 4);
	file_set_size(file, 3 * 4096);
	assert_int_equal(get(&m, 2), 0);
	file_put(file);
	memory_close(&m);
}

/* The file's page is shared at 0 and private at @last: what has its copy of a write to all between? */
static int byte_of_copy(unsigned long last, unsigned int flags)
{
	size_t len = last * 4096 + 200;
	char *bytes = malloc(len);
	enum mm_fault fault;
	struct memory m;
	struct file *file;
	int found;

	memory_open(&m);
	file = open_file(&m, NULL, 0, 4096, NULL);
	assert_int_equal(space_map_file(&m.s, 0, 1, RW, MAP_SHARED, file, 0), 0);
	assert_int_equal(space_map(&m.s, 1, last - 1, RW, MAP_PRIVATE | MAP_ANONYMOUS), 0);
	assert_int_equal(space_map_file(&m.s, last, 1, RW, MAP_PRIVATE, file, 0), 0);
	assert_non_null(bytes);
	memset(bytes, 9, len);
	bytes[len - 1] = 7;
	assert_int_equal(mm_access(m.s.mm, at(0) + 50, bytes, len, MM_REMOTE_WRITE | flags, &fault),
			 len);
	assert_int_equal(fault, MM_FAULT_DONE);
	memset(bytes, 0, len);
	assert_int_equal(mm_access(m.s.mm, at(0) + 50, bytes, len, flags, &fault), len);
	for (size_t i = 0; i + 1 < len; i++)
		assert_int_equal(bytes[i], 9);
	assert_int_equal(bytes[len - 1], 7);
	assert_int_equal(mm_read(m.s.mm, at(last) + 1000, bytes, 1, &fault), 1);
	found = bytes[0];
	/* Not past what cannot be had, and all before it. */
	assert_int_equal(space_unmap(&m.s, last, 1), 0);
	memset(bytes, 5, len);
	assert_int_equal(mm_access(m.s.mm, at(0) + 50, bytes, len, MM_REMOTE_WRITE | flags, &fault),
			 last * 4096 - 50);
	assert_int_equal(fault, MM_FAULT_MAPERR);
	assert_int_equal(get(&m, 0), 5);
	assert_int_equal(get(&m, last - 1), 5);
	file_put(file);
	free(bytes);
	memory_close(&m);
	return found;
}

/* process_vm_writev() has up to 1,024 pages before it stores to the first; a debugger has one. */
static void remote_writes_have_their_pages_first(void **state)
{
	assert_int_equal(byte_of_copy(2, 0), 0);
	assert_int_equal(byte_of_copy(16, 0), 0);
	assert_int_equal(byte_of_copy(1023, 0), 0);
	assert_int_equal(byte_of_copy(1024, 0), 9);
	assert_int_equal(byte_of_copy(2, MM_REMOTE_FORCED), 9);
}

/* ------------------------------------------------------------------------ filled by a hook -- */

struct source {
	int nr_read, error;
};

static int plain_mmap(struct file *file, struct vma_new *vma) __in_mmap_hook;
static int plain_mmap(struct file *file, struct vma_new *vma)
{
	return 0;
}

static int read_page(struct file *file, uint64_t offset, void *to, size_t bytes)
{
	struct source *source = file_private_data(file);

	source->nr_read++;
	if (source->error)
		return source->error;
	memset(to, (int)(offset >> 12) + 1, bytes);
	return 0;
}

static const struct file_operations source_ops = {
	.owner = "source", .mmap = plain_mmap, .read_page = read_page,
};

static void pages_are_read_once(void **state)
{
	struct source source = { 0 };
	struct memory m;
	struct file *file;

	memory_open(&m);
	file = open_file(&m, &source_ops, 0, 8 * 4096, &source);
	assert_int_equal(space_map_file(&m.s, 0, 8, RW, MAP_PRIVATE, file, 0), 0);
	assert_int_equal(space_map_file(&m.s, 8, 8, RW, MAP_SHARED, file, 0), 0);
	assert_int_equal(get(&m, 2), 3);
	assert_int_equal(get(&m, 10), 3);
	assert_int_equal(put(&m, 3, 77), MM_FAULT_DONE);
	assert_int_equal(source.nr_read, 2);
	assert_int_equal(get(&m, 3), 77);
	assert_int_equal(get(&m, 11), 4);
	source.error = -EIO;
	assert_int_equal(get(&m, 4), NO_BYTE(BUS));
	assert_int_equal(put(&m, 12, 1), MM_FAULT_BUS);
	source.error = -ENOMEM;
	assert_int_equal(get(&m, 4), NO_BYTE(OOM));
	source.error = 0;
	assert_int_equal(get(&m, 4), 5);
	assert_int_equal(mm_madvise(m.s.mm, at(0), 8 * 4096, MADV_POPULATE_READ), 0);
	/* And a few times more when there was said to be no memory, and what was given back then. */
	assert_in_range(source.nr_read, 2 + 3 + 1 + 5, 2 + 3 + 1 + 5 + 6 + 4);
	assert_int_equal(mm_mlock(m.s.mm, at(8), 8 * 4096), 0);
	assert_int_equal(mm_rss(m.s.mm), 16);
	file_put(file);
	memory_close(&m);
}

/* What is not there is left to its first access; what lies behind it is copied. */
static void what_is_locked_and_becomes_writable_is_copied(void **state)
{
	struct source source = { 0 };
	struct mm_stats stats;
	struct memory m;
	struct file *file;

	memory_open(&m);
	file = open_file(&m, &source_ops, 0, 8 * 4096, &source);
	assert_int_equal(space_map_file(&m.s, 0, 8, PROT_READ, MAP_PRIVATE, file, 0), 0);
	assert_int_equal(mm_mlock(m.s.mm, at(0), 8 * 4096), 0);
	assert_int_equal(file_punch_hole(file, 2 * 4096, 4096), 0);
	assert_int_equal(mm_mprotect(m.s.mm, at(0), 8 * 4096, RW), 0);
	mm_get_stats(m.s.mm, &stats);
	assert_int_equal(stats.anon_pages, 7);
	assert_int_equal(mm_frame(m.s.mm, 2), 0);
	assert_int_equal(get(&m, 2), 3);
	file_put(file);
	memory_close(&m);
}

/* ----------------------------------------------------------------------------- anonymous -- */

static void shared_anonymous_memory_is_shared_with_children(void **state)
{
	struct mm_user *child;
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 4, RW, MAP_SHARED | MAP_ANONYMOUS), 0);
	assert_int_equal(put(&m, 0, 1), MM_FAULT_DONE);
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	assert_int_equal(mm_get(child, 0), 1);
	assert_int_equal(mm_put(child, 1, 2), MM_FAULT_DONE);
	assert_int_equal(get(&m, 1), 2);
	assert_int_equal(put(&m, 0, 3), MM_FAULT_DONE);
	assert_int_equal(mm_get(child, 0), 3);
	memory_validate(child);
	mmput(child);
	/* Thrown away here, it is still the object's. */
	assert_int_equal(mm_madvise(m.s.mm, at(0), 4 * 4096, MADV_DONTNEED), 0);
	assert_int_equal(mm_rss(m.s.mm), 0);
	assert_int_equal(get(&m, 1), 2);
	assert_int_equal(mm_madvise(m.s.mm, at(0), 2 * 4096, MADV_REMOVE), 0);
	assert_int_equal(get(&m, 1), 0);
	assert_int_equal(mm_mprotect(m.s.mm, at(0), 4096, PROT_READ), 0);
	assert_int_equal(put(&m, 0, 1), MM_FAULT_ACCERR);
	assert_int_equal(mm_mprotect(m.s.mm, at(0), 4096, RW), 0);
	assert_int_equal(put(&m, 0, 4), MM_FAULT_DONE);
	assert_int_equal(get(&m, 0), 4);
	/* A second view of the same pages. */
	assert_int_equal(mm_mremap(m.s.mm, at(0), 0, 4 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED,
				   at(64)), at(64));
	assert_int_equal(get(&m, 64), 4);
	memory_close(&m);
}

static void huge_areas_have_small_pages(void **state)
{
	struct memory m;

	space_init(&m.s);
	m.s.config.arena_bytes = MEMORY_BYTES;
	m.s.config.nr_huge_2m_pages = 4;
	assert_int_equal(vmarea_create(&m.s.config, &m.s.v), 0);
	m.frames = memory_free_frames(m.s.v);
	assert_int_equal(mm_create(m.s.v, &m.s.mm_config, &m.s.mm), 0);
	assert_int_equal(space_map(&m.s, 0, 512, RW, ANON | MAP_HUGETLB), 0);
	assert_int_equal(space_map(&m.s, 512, 512, RW,
				   MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB), 0);
	assert_int_equal(get(&m, 0), 0);
	for (unsigned long i = 0; i < 1024; i += 100)
		assert_int_equal(put(&m, i, (unsigned char)i), MM_FAULT_DONE);
	for (unsigned long i = 0; i < 1024; i += 100)
		assert_int_equal(get(&m, i), (unsigned char)i);
	assert_int_equal(mm_madvise(m.s.mm, at(0), 512 * 4096, MADV_DONTNEED), 0);
	assert_int_equal(get(&m, 100), 0);
	memory_close(&m);
}

/* What is thrown away goes by huge pages; a hole in the file has the bytes that were named. */
static void a_hole_in_a_huge_file_is_no_larger_and_no_smaller(void **state)
{
	struct memory m;

	memory_init(&m, MEMORY_BYTES);
	m.s.config.nr_huge_2m_pages = 2;
	memory_create(&m);
	assert_int_equal(space_map(&m.s, 0, 1024, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB), 0);
	for (unsigned long i = 509; i < 516; i++)
		assert_int_equal(put(&m, i, 7), MM_FAULT_DONE);
	assert_int_equal(mm_madvise(m.s.mm, at(510), 4 * 4096, MADV_REMOVE), 0);
	assert_int_equal(mm_madvise(m.s.mm, at(600), 4096, MADV_REMOVE), 0);
	for (unsigned long i = 509; i < 516; i++)
		assert_int_equal(get(&m, i), i >= 510 && i < 514 ? 0 : 7);
	memory_close(&m);
}

/* As on Linux the area may grow beyond what a file can be, and there it has no holes. */
static void no_hole_where_no_file_is(void **state)
{
	const unsigned long last = (1ul << 51) - 2;
	struct memory m;
	struct file *file;

	memory_open(&m);
	file = open_file(&m, NULL, FILE_SHMEM, INT64_MAX, NULL);
	assert_int_equal(space_map_file(&m.s, 0, 1, RW, MAP_SHARED, file, last), 0);
	assert_int_equal(mm_mremap(m.s.mm, at(0), 4096, 4 * 4096, 0, 0), at(0));
	assert_int_equal(put(&m, 0, 1), MM_FAULT_DONE);
	assert_int_equal(put(&m, 1, 1), MM_FAULT_DONE);
	assert_int_equal(put(&m, 2, 1), MM_FAULT_BUS);
	assert_int_equal(mm_madvise(m.s.mm, at(0), 3 * 4096, MADV_REMOVE), -EFBIG);
	assert_int_equal(mm_madvise(m.s.mm, at(1), 4096, MADV_REMOVE), -EFBIG);
	assert_int_equal(mm_madvise(m.s.mm, at(2), 4096, MADV_REMOVE), -EINVAL);
	assert_int_equal(get(&m, 0), 1);
	assert_int_equal(mm_madvise(m.s.mm, at(0), 4096, MADV_REMOVE), 0);
	assert_int_equal(get(&m, 0), 0);
	file_put(file);
	memory_close(&m);
}

/* Of a device, say: wherever one looks there is a page. */
static void a_file_need_not_end(void **state)
{
	struct memory m;
	struct file *file;

	memory_open(&m);
	file = open_file(&m, NULL, FILE_SHMEM, UINT64_MAX, NULL);
	assert_int_equal(space_map_file(&m.s, 0, 1, RW, MAP_SHARED, file, 0), 0);
	assert_int_equal(put(&m, 0, 1), MM_FAULT_DONE);
	assert_int_equal(get(&m, 0), 1);
	file_set_size(file, 0);
	assert_int_equal(get(&m, 0), NO_BYTE(BUS));
	file_set_size(file, UINT64_MAX);
	assert_int_equal(get(&m, 0), 0);
	file_put(file);
	memory_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shared_pages_are_the_files),
		cmocka_unit_test(private_writes_are_nobody_elses),
		cmocka_unit_test(a_file_ends),
		cmocka_unit_test(remote_writes_have_their_pages_first),
		cmocka_unit_test(a_file_need_not_end),
		cmocka_unit_test(no_hole_where_no_file_is),
		cmocka_unit_test(pages_are_read_once),
		cmocka_unit_test(what_is_locked_and_becomes_writable_is_copied),
		cmocka_unit_test(shared_anonymous_memory_is_shared_with_children),
		cmocka_unit_test(huge_areas_have_small_pages),
		cmocka_unit_test(a_hole_in_a_huge_file_is_no_larger_and_no_smaller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
