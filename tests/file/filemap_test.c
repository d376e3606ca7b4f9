/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The pages of a file, one call at a time: where they come from, when they go, who still has them. */
#include "pages.h"

static bool is_zero(const void *bytes, size_t n)
{
	const char *at = bytes;

	return !at[0] && !memcmp(at, at + 1, n - 1);
}

/* What is allocated next has other bytes in it. */
static void leave_dirty_frames(struct machine *m)
{
	struct page *pages[8];

	for (int i = 0; i < 8; i++) {
		pages[i] = page_alloc(m->v->arena, 0, PAGE_ANYTHING);
		assert_non_null(pages[i]);
		memset(page_bytes(pages[i]), 0xdd, PAGE);
	}
	for (int i = 0; i < 8; i++)
		page_put(pages[i]);
}

static bool is_at(struct page *page, struct file *file, unsigned long pgoff)
{
	bool yes;

	page_lock(page);
	yes = filemap_is_at(page, file->mapping, pgoff);
	page_unlock(page);
	return yes;
}

/* ----------------------------------------------------------------------------------- fill -- */

static void test_zeros(void **state)
{
	struct file *shm, *plain;
	struct machine m;
	struct page *page;

	machine_open(&m);
	shm = file_make(&m, FILE_SHMEM, NULL, 3 * PAGE, NULL);
	plain = file_make(&m, 0, NULL, 3 * PAGE, NULL);
	leave_dirty_frames(&m);
	assert_null(filemap_find_page(shm->mapping, 2));
	page = get(shm, 2);
	assert_true(is_zero(page_bytes(page), PAGE));
	assert_int_equal(page_flags(page) & (PG_SHMEM | PG_LOCKED), PG_SHMEM);
	assert_true(is_at(page, shm, 2));
	assert_int_equal(page_refs(page), 2);
	page_put(page);
	/* The same page again. */
	assert_ptr_equal(filemap_find_page(shm->mapping, 2), page);
	page_put(page);
	assert_int_equal(filemap_nr_pages(shm->mapping), 1);
	page = get(plain, 2);
	assert_int_equal(page_flags(page) & PG_SHMEM, 0);
	page_put(page);
	file_put(shm);
	file_put(plain);
	machine_close(&m);
}

static void test_filled_once(void **state)
{
	struct disk disk = { .salt = 7 };
	struct machine m;
	struct file *file;

	machine_open(&m);
	file = file_make(&m, 0, &disk, 2 * PAGE + 100, NULL);
	leave_dirty_frames(&m);
	assert_int_equal(byte_at(file, PAGE + 5), disk_byte(&disk, PAGE + 5));
	assert_int_equal(byte_at(file, 2 * PAGE - 1), disk_byte(&disk, 2 * PAGE - 1));
	assert_int_equal(disk.reads, 1);
	/* The rest of the last page is zero, whatever lay in the frame. */
	assert_int_equal(byte_at(file, 2 * PAGE + 99), disk_byte(&disk, 2 * PAGE + 99));
	assert_int_equal(byte_at(file, 2 * PAGE + 100), 0);
	assert_int_equal(byte_at(file, 3 * PAGE - 1), 0);
	assert_int_equal(disk.reads, 2);
	file_put(file);
	machine_close(&m);
}

static void test_past_the_end(void **state)
{
	struct page *page = NULL;
	struct machine m;
	struct file *file;

	machine_open(&m);
	file = file_make(&m, FILE_SHMEM, NULL, PAGE + 1, NULL);
	assert_int_equal(filemap_get_page(file, 2, FILEMAP_WAIT, &page), -EPASTEND);
	assert_int_equal(filemap_get_page(file, 2, FILEMAP_TRY, &page), -EPASTEND);
	assert_int_equal(filemap_get_page(file, ~0ul, FILEMAP_WAIT, &page), -EPASTEND);
	assert_null(page);
	page_put(get(file, 1));
	file_set_size(file, 0);
	assert_int_equal(filemap_get_page(file, 0, FILEMAP_WAIT, &page), -EPASTEND);
	file_put(file);
	machine_close(&m);
}

static void test_failed_fill(void **state)
{
	struct disk disk = { .fails = 1 };
	struct page *page = NULL;
	unsigned long before;
	struct machine m;
	struct file *file;

	machine_open(&m);
	file = file_make(&m, 0, &disk, PAGE, NULL);
	before = free_frames(&m);
	assert_int_equal(filemap_get_page(file, 0, FILEMAP_WAIT, &page), -EIO);
	assert_null(page);
	assert_int_equal(filemap_nr_pages(file->mapping), 0);
	port_rcu_barrier();
	assert_int_equal(free_frames(&m), before);
	/* It is not remembered. */
	assert_int_equal(byte_at(file, 9), disk_byte(&disk, 9));
	assert_int_equal(disk.reads, 2);
	file_put(file);
	machine_close(&m);
}

/* What the library means by a number is not what a hook means by it. */
static void test_any_error_is_the_hooks(void **state)
{
	static const int errors[] = { -EEXIST, -ENXIO, -EAGAIN, -ENOENT, -EINTR, -EPERM };
	struct machine m;

	machine_open(&m);
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		struct disk disk = { .fails = 3, .error = errors[i] };
		struct file *file = file_make(&m, 0, &disk, PAGE, NULL);
		struct page *page = NULL;
		u8 byte;

		assert_int_equal(filemap_get_page(file, 0, FILEMAP_WAIT, &page), errors[i]);
		assert_null(page);
		assert_int_equal(disk.reads, 1);
		assert_int_equal(file_read(file, 9, &byte, 1), errors[i]);
		assert_int_equal(file_write(file, 9, "x", 1), errors[i]);
		assert_int_equal(disk.reads, 3);
		assert_int_equal(file_read(file, 9, &byte, 1), 1);
		assert_int_equal(byte, disk_byte(&disk, 9));
		file_put(file);
	}
	machine_close(&m);
}

/* Waits for nobody: zeros can be made, what somebody must be asked for cannot. */
static void test_try(void **state)
{
	struct page *page = NULL, *same;
	struct disk disk = { 0 };
	struct file *file, *shm;
	struct machine m;

	machine_open(&m);
	file = file_make(&m, 0, &disk, PAGE, NULL);
	shm = file_make(&m, FILE_SHMEM, NULL, PAGE, NULL);
	assert_int_equal(filemap_get_page(file, 0, FILEMAP_TRY, &page), -EAGAIN);
	assert_int_equal(filemap_get_page(shm, 0, FILEMAP_TRY, &page), 0);
	page_put(page);
	page_put(get(file, 0));
	assert_int_equal(filemap_get_page(file, 0, FILEMAP_TRY, &page), 0);
	page_put(page);
	/* While a truncation is under way it is found or not, but not waited for. */
	file_set_size(shm, 2 * PAGE);
	rwsem_write_lock(&shm->mapping->invalidate_lock);
	assert_int_equal(filemap_get_page(shm, 1, FILEMAP_TRY, &page), -EAGAIN);
	assert_int_equal(filemap_get_page(shm, 0, FILEMAP_TRY, &same), 0);
	page_put(same);
	rwsem_write_unlock(&shm->mapping->invalidate_lock);
	file_put(file);
	file_put(shm);
	machine_close(&m);
}

static void test_no_arena(void **state)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;
	struct page *page = NULL;
	struct disk disk = { 0 };
	struct file *file;
	struct machine m;
	char byte = 1;

	assert_int_equal(vmarea_create(&config, &m.v), 0);
	file = file_make(&m, 0, &disk, PAGE, NULL);
	assert_int_equal(filemap_get_page(file, 0, FILEMAP_WAIT, &page), -EOPNOTSUPP);
	assert_null(filemap_find_page(file->mapping, 0));
	assert_int_equal(file_read(file, 0, &byte, 1), -EOPNOTSUPP);
	assert_int_equal(file_write(file, 0, &byte, 1), -EOPNOTSUPP);
	assert_int_equal(file_punch_hole(file, 0, PAGE), 0);
	file_set_size(file, 7);
	assert_int_equal(file_size(file), 7);
	assert_int_equal(disk.reads, 0);
	file_put(file);
	vmarea_destroy(m.v);
}

/* --------------------------------------------------------------------------------- inodes -- */

static void test_two_files_of_one_inode(void **state)
{
	struct disk disk = { .salt = 3 };
	struct file_desc desc = { .size = sizeof(desc), .name = "/x", .flags = FILE_READ };
	struct file *one, *two, *other = NULL;
	struct machine m, n;
	struct page *page;

	machine_open(&m);
	machine_open(&n);
	one = file_make(&m, 0, &disk, 3 * PAGE, NULL);
	two = file_make(&m, 0, &disk, 12345, one);
	assert_int_equal(file_size(two), 3 * PAGE);
	page = get(one, 1);
	assert_ptr_equal(filemap_find_page(two->mapping, 1), page);
	page_put(page);
	file_set_size(two, PAGE);
	assert_int_equal(file_size(one), PAGE);
	assert_false(is_at(page, one, 1));
	page_put(page);
	/* The pages live as long as any of the two. */
	page_put(get(one, 0));
	file_put(one);
	assert_int_equal(filemap_nr_pages(two->mapping), 1);
	/* Another kind of inode, or another machine. */
	desc.same_inode = two;
	desc.flags |= FILE_SHMEM;
	assert_int_equal(file_create(m.v, &desc, &other), -EINVAL);
	desc.flags = FILE_READ;
	assert_int_equal(file_create(n.v, &desc, &other), -EINVAL);
	assert_null(other);
	file_put(two);
	machine_close(&m);
	machine_close(&n);
}

/* ------------------------------------------------------------------------ size and holes -- */

static void test_truncate(void **state)
{
	struct machine m;
	struct file *file;
	struct page *kept, *tail;

	machine_open(&m);
	file = file_make(&m, FILE_SHMEM, NULL, 300 * PAGE, NULL);
	for (unsigned long i = 0; i < 300; i++) {
		struct page *page = get(file, i);

		memset(page_bytes(page), 1 + (int)i % 255, PAGE);
		page_put(page);
	}
	kept = get(file, 200);
	tail = get(file, 10);
	file_set_size(file, 10 * PAGE + 1000);
	assert_int_equal(filemap_nr_pages(file->mapping), 11);
	/* Who has the page keeps its bytes; it is nobody's now. */
	assert_false(is_at(kept, file, 200));
	assert_null(kept->mapping);
	assert_int_equal(page_refs(kept), 1);
	assert_int_equal(((u8 *)page_bytes(kept))[17], 201);
	page_put(kept);
	/* The tail is cut off in place. */
	assert_true(is_at(tail, file, 10));
	assert_int_equal(((u8 *)page_bytes(tail))[999], 11);
	assert_true(is_zero((char *)page_bytes(tail) + 1000, PAGE - 1000));
	page_put(tail);
	file_set_size(file, 300 * PAGE);
	assert_int_equal(byte_at(file, 200 * PAGE), 0);
	file_put(file);
	machine_close(&m);
}

/* What lies past the end of the last page when the file grows: as Linux 6.18 has it. */
static void test_grow(void **state)
{
	struct disk disk = { 0 };
	struct file *shm, *file;
	struct machine m;
	struct page *page;
	char byte = 5;

	machine_open(&m);
	shm = file_make(&m, FILE_SHMEM, NULL, 100, NULL);
	file = file_make(&m, 0, &disk, 100, NULL);
	for (struct file *f = shm;; f = file) {
		page = get(f, 0);
		((char *)page_bytes(page))[200] = 'A';
		file_set_size(f, PAGE);
		assert_int_equal(((char *)page_bytes(page))[200], f == shm ? 'A' : 0);
		file_set_size(f, 100);
		assert_int_equal(((char *)page_bytes(page))[200], 0);
		((char *)page_bytes(page))[200] = 'A';
		assert_int_equal(file_write(f, 1000, &byte, 1), 1);
		assert_int_equal(((char *)page_bytes(page))[200], f == shm ? 'A' : 0);
		assert_int_equal(((char *)page_bytes(page))[1000], 5);
		page_put(page);
		file_put(f);
		if (f == file)
			break;
	}
	machine_close(&m);
}

static void test_punch(void **state)
{
	struct disk disk = { .salt = 1 };
	struct machine m;
	struct file *file;

	machine_open(&m);
	file = file_make(&m, 0, &disk, 8 * PAGE, NULL);
	for (unsigned long i = 0; i < 8; i++)
		page_put(get(file, i));
	assert_int_equal(file_punch_hole(file, 4000, 3 * PAGE), 0);
	assert_int_equal(filemap_nr_pages(file->mapping), 6);
	assert_int_equal(byte_at(file, 3999), disk_byte(&disk, 3999));
	assert_int_equal(byte_at(file, 4000), 0);
	assert_int_equal(byte_at(file, PAGE - 1), 0);
	assert_int_equal(byte_at(file, 3 * PAGE), 0);
	assert_int_equal(byte_at(file, 4000 + 3 * PAGE - 1), 0);
	assert_int_equal(byte_at(file, 4000 + 3 * PAGE), disk_byte(&disk, 4000 + 3 * PAGE));
	assert_int_equal(disk.reads, 8);
	/* Whole pages are asked for again. */
	disk.salt = 2;
	assert_int_equal(byte_at(file, PAGE), disk_byte(&disk, PAGE));
	assert_int_equal(disk.reads, 9);
	/* Inside of one page, up to the end of one, and more than there is. */
	assert_int_equal(file_punch_hole(file, 5 * PAGE + 10, 10), 0);
	assert_int_equal(file_punch_hole(file, 6 * PAGE - 10, 10), 0);
	assert_int_equal(filemap_nr_pages(file->mapping), 7);
	assert_int_equal(byte_at(file, 5 * PAGE + 10), 0);
	assert_int_equal(byte_at(file, 6 * PAGE - 1), 0);
	assert_int_not_equal(byte_at(file, 5 * PAGE + 9), 0);
	assert_int_not_equal(byte_at(file, 5 * PAGE + 20), 0);
	assert_int_equal(file_punch_hole(file, PAGE, INT64_MAX - PAGE), 0);
	assert_int_equal(filemap_nr_pages(file->mapping), 1);
	assert_int_equal(file_size(file), 8 * PAGE);
	assert_int_equal(file_punch_hole(file, PAGE, 0), -EINVAL);
	assert_int_equal(file_punch_hole(file, PAGE, INT64_MAX), -EFBIG);
	assert_int_equal(file_punch_hole(file, PAGE, UINT64_MAX), -EINVAL);
	file_set_flags(file, FILE_SEAL_WRITE, 0);
	assert_int_equal(file_punch_hole(file, PAGE, PAGE), -EPERM);
	file_put(file);
	machine_close(&m);
}

/* ------------------------------------------------------------------------ the reverse map -- */

static struct {
	unsigned long first[8], end[8];
	enum unmap_what what[8];
	u64 size[8];
	unsigned int nr;
	struct page *page;		/* mapped until its own range is asked for */
} asked;

static void note_unmap(struct address_space *mapping, unsigned long first, unsigned long end,
		       enum unmap_what what)
{
	assert_true(rwsem_is_write_locked(&mapping->invalidate_lock));
	asked.first[asked.nr] = first;
	asked.end[asked.nr] = end;
	asked.what[asked.nr] = what;
	asked.size[asked.nr++] = mapping_size(mapping);
	if (end - first == 1) {
		assert_true(page_is_locked(asked.page));
		atomic_store_relaxed(&asked.page->mapcount, 0);
	}
}

/*
 * First the range, under the new size; then the page that a fault has mapped since, locked; and the
 * range again, for copies that a fault has made since.
 */
static void test_unmaps(void **state)
{
	struct machine m;
	struct file *file;

	machine_open(&m);
	memset(&asked, 0, sizeof(asked));
	m.v->cache->unmap = note_unmap;
	file = file_make(&m, FILE_SHMEM, NULL, 9 * PAGE, NULL);
	for (unsigned long i = 0; i < 9; i++)
		page_put(get(file, i));
	asked.page = get(file, 6);
	atomic_store_relaxed(&asked.page->mapcount, 1);
	file_set_size(file, 4 * PAGE + 1);
	assert_int_equal(asked.nr, 3);
	assert_int_equal(asked.first[0], 5);
	assert_true(asked.end[0] > INT64_MAX >> PAGE_SHIFT);
	assert_int_equal(asked.size[0], 4 * PAGE + 1);
	assert_int_equal(asked.first[1], 6);
	assert_int_equal(asked.first[2], 5);
	for (int i = 0; i < 3; i++)
		assert_int_equal(asked.what[i], UNMAP_COPIES);
	assert_int_equal(filemap_nr_pages(file->mapping), 5);
	assert_int_equal(page_refs(asked.page), 1);
	page_put(asked.page);
	assert_int_equal(file_punch_hole(file, PAGE, 2 * PAGE + 1), 0);
	assert_int_equal(asked.nr, 4);
	assert_int_equal(asked.first[3], 1);
	assert_int_equal(asked.end[3], 3);
	assert_int_equal(asked.what[3], UNMAP_SHARED);
	file_put(file);
	assert_int_equal(asked.nr, 4);
	machine_close(&m);
}

/* -------------------------------------------------------------------------- read and write -- */

static void test_read(void **state)
{
	struct disk disk = { .salt = 9, .fails = 0 };
	static u8 bytes[5 * 4096];
	struct machine m;
	struct file *file;

	machine_open(&m);
	file = file_make(&m, 0, &disk, 3 * PAGE + 7, NULL);
	assert_int_equal(file_read(file, 100, bytes, sizeof(bytes)), 3 * PAGE + 7 - 100);
	for (u64 i = 100; i < 3 * PAGE + 7; i++)
		assert_int_equal(bytes[i - 100], disk_byte(&disk, i));
	assert_int_equal(file_read(file, 3 * PAGE + 7, bytes, 1), 0);
	assert_int_equal(file_read(file, INT64_MAX, bytes, 1), 0);
	assert_int_equal(file_read(file, 1ul + INT64_MAX, bytes, 1), -EINVAL);
	/* An error is told only if there is nothing else to tell. */
	file_set_size(file, 5 * PAGE);
	disk.fails = 2;
	assert_int_equal(file_read(file, 3 * PAGE, bytes, 2 * PAGE), PAGE);
	assert_int_equal(file_read(file, 4 * PAGE, bytes, PAGE), -EIO);
	assert_int_equal(file_read(file, 4 * PAGE, bytes, PAGE), PAGE);
	file_put(file);
	machine_close(&m);
}

static void test_write(void **state)
{
	struct disk disk = { .salt = 9 };
	static u8 bytes[3 * 4096], back[3 * 4096];
	struct machine m;
	struct file *file;

	machine_open(&m);
	file = file_make(&m, 0, &disk, 2 * PAGE + 50, NULL);
	memset(bytes, 'w', sizeof(bytes));
	/* The first page is read, the second need not be; the third grows. */
	assert_int_equal(file_write(file, 1000, bytes, 2 * PAGE), 2 * PAGE);
	assert_int_equal(disk.reads, 2);
	assert_int_equal(file_size(file), 2 * PAGE + 1000);
	assert_int_equal(byte_at(file, 999), disk_byte(&disk, 999));
	assert_int_equal(byte_at(file, 1000), 'w');
	assert_int_equal(file_read(file, 1000, back, sizeof(back)), 2 * PAGE);
	assert_memory_equal(back, bytes, 2 * PAGE);
	/* Far behind, a hole between. */
	assert_int_equal(file_write(file, 100 * PAGE, bytes, PAGE), PAGE);
	assert_int_equal(file_size(file), 101 * PAGE);
	assert_int_equal(filemap_nr_pages(file->mapping), 4);
	assert_int_equal(byte_at(file, 101 * PAGE - 1), 'w');
	assert_int_equal(file_write(file, 0, bytes, 0), 0);
	file_set_flags(file, FILE_SEAL_WRITE, 0);
	assert_int_equal(file_write(file, 0, bytes, 1), -EPERM);
	file_put(file);
	machine_close(&m);
}

static void test_modes_and_limits(void **state)
{
	struct file_desc desc = { .size = sizeof(desc), .name = "/x", .flags = FILE_READ,
				  .max_bytes = PAGE + 10 };
	struct file *file;
	struct machine m;
	u8 bytes[20] = { 0 };

	machine_open(&m);
	assert_int_equal(file_create(m.v, &desc, &file), 0);
	assert_int_equal(file_write(file, 0, bytes, 1), -EBADF);
	assert_int_equal(file_write(file, 1ul << 63, bytes, 1), -EINVAL);
	assert_int_equal(file_punch_hole(file, 0, 1), -EBADF);
	assert_int_equal(file_punch_hole(file, PAGE, INT64_MAX), -EBADF);
	assert_int_equal(file_punch_hole(file, 1ul << 63, 1), -EINVAL);
	file_put(file);
	desc.flags = FILE_WRITE;
	assert_int_equal(file_create(m.v, &desc, &file), 0);
	assert_int_equal(file_read(file, 0, bytes, 1), -EBADF);
	assert_int_equal(file_read(file, 1ul << 63, bytes, 1), -EINVAL);
	assert_int_equal(file_punch_hole(file, 0, 0), -EINVAL);
	assert_int_equal(file_punch_hole(file, 0, 1ul << 63), -EINVAL);
	assert_int_equal(file_punch_hole(file, PAGE, INT64_MAX), -EFBIG);
	assert_int_equal(file_punch_hole(file, PAGE, 11), -EFBIG);
	assert_int_equal(file_punch_hole(file, PAGE, 10), 0);
	assert_int_equal(file_truncate(file, PAGE + 11), -EFBIG);
	assert_int_equal(file_write(file, PAGE, bytes, 20), 10);
	assert_int_equal(file_write(file, PAGE + 10, bytes, 1), -EFBIG);
	assert_int_equal(file_write(file, 1ul << 63, bytes, 1), -EINVAL);
	file_put(file);
	desc.flags = FILE_WRITE | FILE_APPEND_ONLY;
	assert_int_equal(file_create(m.v, &desc, &file), 0);
	assert_int_equal(file_punch_hole(file, 0, 1), -EPERM);
	assert_int_equal(file_punch_hole(file, PAGE, 11), -EPERM);
	assert_int_equal(file_truncate(file, PAGE + 11), -EPERM);
	file_put(file);
	machine_close(&m);
}

/* An inode that may only be appended to is open with O_APPEND: pwrite() goes to the end then. */
static void test_appends(void **state)
{
	struct file_desc desc = { .size = sizeof(desc), .name = "/log", .size_bytes = PAGE - 2,
				  .flags = FILE_READ | FILE_WRITE | FILE_SHMEM | FILE_SEALABLE |
					   FILE_APPEND_ONLY, .max_bytes = 2 * PAGE };
	static u8 bytes[PAGE_SIZE];
	struct file *file;
	struct machine m;
	u8 seen[8];

	machine_open(&m);
	assert_int_equal(file_create(m.v, &desc, &file), 0);
	memset(bytes, 'w', sizeof(bytes));
	assert_int_equal(file_write(file, 1ul << 63, "abcd", 4), -EINVAL);
	assert_int_equal(file_write(file, 0, "abcd", 4), 4);
	assert_int_equal(file_size(file), PAGE + 2);
	assert_int_equal(file_write(file, 5 * PAGE, "ef", 2), 2);
	assert_int_equal(file_write(file, 5 * PAGE, "ef", 0), 0);
	assert_int_equal(file_size(file), PAGE + 4);
	assert_int_equal(byte_at(file, 0), 0);
	assert_int_equal(file_read(file, PAGE - 3, seen, sizeof(seen)), 7);
	assert_memory_equal(seen, "\0abcdef", 7);
	/* As far as it can be long; and not at all. */
	assert_int_equal(file_write(file, 0, bytes, PAGE), PAGE - 4);
	assert_int_equal(byte_at(file, 2 * PAGE - 1), 'w');
	assert_int_equal(file_write(file, 0, bytes, 1), -EFBIG);
	file_put(file);
	desc.size_bytes = 1;
	assert_int_equal(file_create(m.v, &desc, &file), 0);
	assert_int_equal(file_add_seals(file, F_SEAL_GROW), 0);
	assert_int_equal(file_write(file, 0, bytes, 1), -EPERM);
	assert_int_equal(file_size(file), 1);
	file_put(file);
	machine_close(&m);
}

/* Near 2^62: a path of nodes, a page, and nothing for what lies before. */
static void test_sparse(void **state)
{
	const u64 far = (1ul << 62) + 123;
	struct machine m;
	struct file *file;
	u8 bytes[64];

	machine_open(&m);
	file = file_make(&m, FILE_SHMEM, NULL, 0, NULL);
	assert_int_equal(file_write(file, far, "far away", 8), 8);
	assert_int_equal(file_size(file), far + 8);
	assert_int_equal(file_read(file, far - 8, bytes, 64), 16);
	assert_memory_equal(bytes, "\0\0\0\0\0\0\0\0far away", 16);
	/* Reading a hole makes no page. */
	assert_int_equal(file_read(file, far / 2, bytes, 64), 64);
	assert_true(is_zero(bytes, 64));
	assert_int_equal(filemap_nr_pages(file->mapping), 1);
	page_put(get(file, 0));
	file_set_size(file, INT64_MAX);
	page_put(get(file, INT64_MAX >> PAGE_SHIFT));
	assert_int_equal(filemap_nr_pages(file->mapping), 3);
	file_set_size(file, far - 123);
	assert_int_equal(filemap_nr_pages(file->mapping), 1);
	file_put(file);
	machine_close(&m);
}

/* Each invariant broken once: the walker over the instance says which, and of which file. */
static void test_walker(void **state)
{
	struct machine m;
	struct file *file;
	struct page *page;
	char why[128];

	machine_open(&m);
	file = file_make(&m, FILE_SHMEM, NULL, 9 * PAGE, NULL);
	page_put(get(file, 8));
	page = get(file, 4);
	page_put(page);
	assert_int_equal(vmarea_validate(m.v, why, sizeof(why)), 0);
#define BROKEN(field, value, what)						\
	do {									\
		__typeof__(field) kept = (field);				\
		(field) = (value);						\
		assert_int_equal(vmarea_validate(m.v, why, sizeof(why)), -EINVAL); \
		assert_string_equal(why, "file /test: " what);			\
		(field) = kept;							\
		assert_int_equal(vmarea_validate(m.v, why, sizeof(why)), 0);	\
	} while (0)
	BROKEN(page->refs, 0, "1: a page that is free: 4");
	BROKEN(page->mapping, NULL, "1: a page of another place: 4");
	BROKEN(page->index, 5, "1: a page of another place: 4");
	BROKEN(page->flags, PG_SHMEM, "3: not filled, and nobody does: 4");
	BROKEN(page->flags, PG_UPTODATE, "5: a page of another kind: 4");
	BROKEN(file->mapping->size_bytes, PAGE, "4: a page past the end: 4");
	BROKEN(file->mapping->pages.nr, 1, "5: entries: 2");
#undef BROKEN
	file_put(file);
	machine_close(&m);
}

/* ------------------------------------------------------------------------------ exhaustion -- */

static void test_no_frames(void **state)
{
	struct page *page = NULL;
	unsigned long nr = 0;
	struct machine m;
	struct file *file;
	int err;

	machine_open(&m);
	file = file_make(&m, FILE_SHMEM, NULL, INT64_MAX, NULL);
	while (!(err = filemap_get_page(file, nr, FILEMAP_WAIT, &page))) {
		page_put(page);
		nr++;
	}
	assert_int_equal(err, -ENOMEM);
	assert_int_equal(filemap_nr_pages(file->mapping), nr);
	assert_int_equal(file_write(file, nr * PAGE, "x", 1), -ENOMEM);
	/* Room again: what is left of the file is all there. */
	assert_int_equal(file_punch_hole(file, 0, nr / 2 * PAGE), 0);
	assert_int_equal(byte_at(file, nr * PAGE), 0);
	file_put(file);
	machine_close(&m);
}

#ifdef CONFIG_VMAREA_DEBUG
/* Each allocation fails once: nothing is left behind, and the next attempt succeeds. */
static void test_each_failure(void **state)
{
	struct disk disk = { .salt = 4 };
	struct machine m;

	machine_open(&m);
	for (int zeros = 0; zeros < 2; zeros++) {
		struct file *file = file_make(&m, zeros ? FILE_SHMEM : 0, &disk, INT64_MAX, NULL);
		unsigned long before = free_frames(&m);
		struct page *page = NULL;
		int err = -ENOMEM;

		for (long n = 1; err; n++) {
			assert_true(n < 50);
			port_fail_nth(n);
			err = filemap_get_page(file, 1ul << 50, FILEMAP_WAIT, &page);
			port_fail_nth(0);
			if (!err)
				break;
			assert_int_equal(err, -ENOMEM);
			assert_int_equal(filemap_nr_pages(file->mapping), 0);
			assert_int_equal(free_frames(&m), before);
		}
		page_put(page);
		file_put(file);
	}
	/* What these files were goes after a grace period. */
	port_rcu_barrier();
	for (long n = 1;; n++) {
		long live = port_live_allocs();
		struct vmarea_config config = VMAREA_CONFIG_INIT;
		struct vmarea *v;
		int err;

		config.arena_bytes = 16 * PAGE;
		port_fail_nth(n);
		err = vmarea_create(&config, &v);
		port_fail_nth(0);
		if (!err) {
			vmarea_destroy(v);
			break;
		}
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(port_live_allocs(), live);
	}
	machine_close(&m);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zeros),
		cmocka_unit_test(test_filled_once),
		cmocka_unit_test(test_past_the_end),
		cmocka_unit_test(test_failed_fill),
		cmocka_unit_test(test_any_error_is_the_hooks),
		cmocka_unit_test(test_try),
		cmocka_unit_test(test_no_arena),
		cmocka_unit_test(test_two_files_of_one_inode),
		cmocka_unit_test(test_truncate),
		cmocka_unit_test(test_grow),
		cmocka_unit_test(test_punch),
		cmocka_unit_test(test_unmaps),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_modes_and_limits),
		cmocka_unit_test(test_appends),
		cmocka_unit_test(test_sparse),
		cmocka_unit_test(test_walker),
		cmocka_unit_test(test_no_frames),
#ifdef CONFIG_VMAREA_DEBUG
		cmocka_unit_test(test_each_failure),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
