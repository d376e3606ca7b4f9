/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Files of the host: what the library does to them, beside what the running kernel does to another
 * one that is mapped for real.
 */
#include <vmarea/host_file.h>
#include <vmarea/reclaim.h>
#include <vmarea/swap.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../sync/threads.h"
#include "file/file.h"
#include "memory.h"

#define PAGE		4096ul

static struct memory m;

/* -------------------------------------------------------------------------------- helpers -- */

/* A new file without a name: where the test runs, so on a disk if the sources are on one. */
static int host_fd(void)
{
	char name[] = "host-file-XXXXXX";
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	assert_int_equal(unlink(name), 0);
	return fd;
}

/* Each byte of page n is n + 1. */
static int host_fd_of_pages(unsigned long nr)
{
	int fd = host_fd();

	for (unsigned long i = 0; i < nr; i++) {
		unsigned char bytes[PAGE];

		memset(bytes, (int)i + 1, PAGE);
		assert_int_equal(pwrite(fd, bytes, PAGE, (off_t)(i * PAGE)), PAGE);
	}
	return fd;
}

static struct file *open_host(int fd, enum host_file_fd what)
{
	struct file *file;

	assert_int_equal(host_file_open(m.s.v, fd, what, &file), 0);
	return file;
}

static off_t host_size(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_size;
}

static int host_byte(int fd, unsigned long offset)
{
	unsigned char byte;

	return pread(fd, &byte, 1, (off_t)offset) == 1 ? byte : -1;
}

static void map(struct file *file, unsigned long page, unsigned long nr, int flags)
{
	assert_int_equal(space_map_file(&m.s, page, nr, RW, (unsigned long)flags, file, 0), 0);
}

/* ---------------------------------------------------------------------------------- open -- */

static void a_descriptor_is_copied_or_taken(void **state)
{
	int fd;
	struct file *file;

	memory_open(&m);
	fd = host_fd_of_pages(2);
	file = open_host(fd, HOST_FILE_DUP);
	assert_int_not_equal(host_file_fd(file), fd);
	assert_int_equal(file_size(file), 2 * PAGE);
	file_put(file);
	assert_true(fcntl(fd, F_GETFD) >= 0);
	file = open_host(fd, HOST_FILE_TAKE);
	assert_int_equal(host_file_fd(file), fd);
	file_put(file);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	memory_close(&m);
}

static void what_cannot_be_mapped_is_refused(void **state)
{
	enum { ROOM = 64 };
	int fd, pipes[2], other, used[ROOM], nr;
	struct rlimit limit, none;
	struct file *file;

	memory_open(&m);
	fd = host_fd();
	assert_int_equal(host_file_open(m.s.v, -1, HOST_FILE_DUP, &file), -EBADF);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(host_file_open(m.s.v, pipes[0], HOST_FILE_TAKE, &file), -EINVAL);
	close(pipes[0]);
	close(pipes[1]);
	assert_int_equal(fcntl(fd, F_SETFL, O_APPEND), 0);
	assert_int_equal(host_file_open(m.s.v, fd, HOST_FILE_DUP, &file), -EINVAL);
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	other = open("/proc/self/exe", O_PATH);
	assert_true(other >= 0);
	assert_int_equal(host_file_open(m.s.v, other, HOST_FILE_TAKE, &file), -EBADF);
	close(other);
	other = open("/dev/null", O_WRONLY);
	assert_int_equal(host_file_open(m.s.v, other, HOST_FILE_DUP, &file), -EINVAL);
	close(other);
	/* No descriptor is left for a copy: those below the limit are in use, or will be. */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = (rlim_t)fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (nr = 0; nr < ROOM && (used[nr] = dup(fd)) >= 0; nr++)
		;
	assert_true(nr < ROOM);
	assert_int_equal(host_file_open(m.s.v, fd, HOST_FILE_DUP, &file), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	while (nr)
		close(used[--nr]);
	close(fd);
	memory_close(&m);
}

static void the_name_and_numbers_are_the_hosts(void **state)
{
	char name[] = "host-file-XXXXXX";
	int fd = mkstemp(name);
	struct file *file;
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	memory_open(&m);
	file = open_host(fd, HOST_FILE_DUP);
	assert_int_equal(file->inode, st.st_ino);
	assert_int_equal(file->dev_major, major(st.st_dev));
	assert_int_equal(file->dev_minor, minor(st.st_dev));
	assert_int_equal(file->name[0], '/');
	assert_string_equal(strrchr(file->name, '/') + 1, name);
	assert_int_equal(file_flags(file) & (FILE_READ | FILE_WRITE | FILE_DELETED),
			 FILE_READ | FILE_WRITE);
	file_put(file);
	assert_int_equal(unlink(name), 0);
	file = open_host(fd, HOST_FILE_TAKE);
	assert_string_equal(strrchr(file->name, '/') + 1, name);
	assert_true(file_flags(file) & FILE_DELETED);
	file_put(file);
	memory_close(&m);
}

static void one_inode_is_one_file(void **state)
{
	int fd, again;
	char path[64];
	struct file *a, *b;

	memory_open(&m);
	fd = host_fd_of_pages(2);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDONLY);
	assert_true(again >= 0);
	a = open_host(fd, HOST_FILE_TAKE);
	b = open_host(again, HOST_FILE_TAKE);
	map(a, 0, 2, MAP_SHARED);
	assert_int_equal(space_map_file(&m.s, 8, 2, PROT_READ, MAP_SHARED, b, 0), 0);
	assert_int_equal(put(&m, 1, 77), MM_FAULT_DONE);
	assert_int_equal(get(&m, 9), 77);
	assert_int_equal(mm_frame(m.s.mm, 1), mm_frame(m.s.mm, 9));
	assert_int_equal(file_truncate(a, PAGE), 0);
	assert_int_equal(file_size(b), PAGE);
	assert_int_equal(get(&m, 9), NO_BYTE(BUS));
	assert_int_equal(file_truncate(b, 0), -EINVAL);
	/* What was opened for reading reaches the host by way of the other. */
	assert_int_equal(put(&m, 0, 5), MM_FAULT_DONE);
	assert_int_equal(file_sync(b, 0, UINT64_MAX), 0);
	assert_int_equal(host_byte(again, byte_at(0) - at(0)), 5);
	file_put(a);
	file_put(b);
	memory_close(&m);
}

/* ------------------------------------------------------------------------ there and back -- */

static void pages_are_read_and_written_back(void **state)
{
	struct file *file;
	int fd;

	memory_open(&m);
	fd = host_fd_of_pages(3);
	file = open_host(fd, HOST_FILE_DUP);
	map(file, 0, 4, MAP_SHARED);
	map(file, 8, 4, MAP_PRIVATE);
	assert_int_equal(get(&m, 2), 3);
	assert_int_equal(put(&m, 2, 100), MM_FAULT_DONE);
	assert_int_equal(put(&m, 9, 200), MM_FAULT_DONE);
	assert_int_equal(host_byte(fd, byte_at(2) - at(0)), 3);
	assert_int_equal(mm_msync(m.s.mm, at(0), 3 * PAGE, MS_SYNC), 0);
	assert_int_equal(host_byte(fd, byte_at(2) - at(0)), 100);
	assert_int_equal(host_byte(fd, byte_at(1) - at(0)), 2);
	/* And again: the entry allows no store that nobody hears of. */
	assert_int_equal(put(&m, 2, 101), MM_FAULT_DONE);
	assert_int_equal(file_sync(file, 0, UINT64_MAX), 0);
	assert_int_equal(host_byte(fd, byte_at(2) - at(0)), 101);
	/* What is stored last goes with the last who could write it. */
	assert_int_equal(put(&m, 0, 55), MM_FAULT_DONE);
	file_put(file);
	assert_int_equal(mm_munmap(m.s.mm, at(0), 16 * PAGE), 0);
	assert_int_equal(host_byte(fd, byte_at(0) - at(0)), 55);
	close(fd);
	memory_close(&m);
}

static void a_write_makes_the_host_longer_at_the_sync(void **state)
{
	struct file *file;
	int fd;

	memory_open(&m);
	fd = host_fd_of_pages(1);
	file = open_host(fd, HOST_FILE_DUP);
	assert_int_equal(file_write(file, 2 * PAGE + 10, "abc", 3), 3);
	assert_int_equal(file_size(file), 2 * PAGE + 13);
	assert_int_equal(host_size(fd), PAGE);
	/* That the host is shorter is nobody else's doing. */
	assert_int_equal(file_refresh(file), 0);
	assert_int_equal(file_size(file), 2 * PAGE + 13);
	assert_int_equal(file_sync(file, 0, UINT64_MAX), 0);
	assert_int_equal(host_size(fd), 2 * PAGE + 13);
	assert_int_equal(host_byte(fd, 2 * PAGE + 11), 'b');
	assert_int_equal(host_byte(fd, PAGE + 1), 0);
	assert_int_equal(file_refresh(file), 0);
	assert_int_equal(file_size(file), 2 * PAGE + 13);
	file_put(file);
	close(fd);
	memory_close(&m);
}

/* ---------------------------------------------------------------------------------- size -- */

static void a_truncation_reaches_host_and_mappings(void **state)
{
	struct file *file;
	char tail[8];
	int fd;

	memory_open(&m);
	fd = host_fd_of_pages(4);
	file = open_host(fd, HOST_FILE_DUP);
	map(file, 0, 8, MAP_SHARED);
	map(file, 8, 8, MAP_PRIVATE);
	for (unsigned long i = 0; i < 4; i++) {
		assert_int_equal(put(&m, i, 90), MM_FAULT_DONE);
		assert_int_equal(put(&m, 8 + i, 91), MM_FAULT_DONE);
	}
	assert_int_equal(file_truncate(file, 2 * PAGE + 4), 0);
	assert_int_equal(host_size(fd), 2 * PAGE + 4);
	assert_int_equal(get(&m, 3), NO_BYTE(BUS));
	assert_int_equal(get(&m, 11), NO_BYTE(BUS));
	assert_int_equal(get(&m, 10), 91);
	assert_int_equal(get(&m, 2), 0);
	assert_int_equal(mm_read(m.s.mm, at(2), tail, 8, &(enum mm_fault){ 0 }), 8);
	assert_memory_equal(tail, "\3\3\3\3\0\0\0\0", 8);
	/* Nothing of it comes back, neither here nor there. */
	assert_int_equal(file_truncate(file, 4 * PAGE), 0);
	assert_int_equal(get(&m, 3), 0);
	assert_int_equal(get(&m, 11), 0);
	assert_int_equal(file_sync(file, 0, UINT64_MAX), 0);
	assert_int_equal(host_size(fd), 4 * PAGE);
	assert_int_equal(host_byte(fd, byte_at(3) - at(0)), 0);
	assert_int_equal(host_byte(fd, byte_at(2) - at(0)), 0);
	assert_int_equal(host_byte(fd, byte_at(1) - at(0)), 90);
	assert_int_equal(file_truncate(file, 1ul << 63), -EINVAL);
	file_put(file);
	close(fd);
	memory_close(&m);
}

static void a_size_that_others_change_is_learnt(void **state)
{
	struct file *file;
	int fd;

	memory_open(&m);
	fd = host_fd_of_pages(4);
	assert_int_equal(ftruncate(fd, 3 * PAGE + 100), 0);
	file = open_host(fd, HOST_FILE_DUP);
	map(file, 0, 8, MAP_SHARED);
	assert_int_equal(get(&m, 3), 0);
	assert_int_equal(put(&m, 1, 33), MM_FAULT_DONE);
	assert_int_equal(get(&m, 2), 3);
	/* Shorter. */
	assert_int_equal(ftruncate(fd, PAGE + 10), 0);
	assert_int_equal(get(&m, 2), 3);
	assert_int_equal(file_refresh(file), 0);
	assert_int_equal(file_size(file), PAGE + 10);
	assert_int_equal(get(&m, 2), NO_BYTE(BUS));
	assert_int_equal(get(&m, 1), 0);
	/* Longer, with new bytes in the page that was the last. */
	assert_int_equal(pwrite(fd, "x", 1, (off_t)(byte_at(1) - at(0))), 1);
	assert_int_equal(pwrite(fd, "y", 1, (off_t)(byte_at(5) - at(0))), 1);
	assert_int_equal(get(&m, 5), NO_BYTE(BUS));
	assert_int_equal(file_refresh(file), 0);
	assert_int_equal(get(&m, 1), 'x');
	assert_int_equal(get(&m, 5), 'y');
	assert_int_equal(get(&m, 2), 0);
	assert_int_equal(file_sync(file, 0, UINT64_MAX), 0);
	assert_int_equal(host_byte(fd, byte_at(1) - at(0)), 'x');
	assert_int_equal(host_byte(fd, 2 * PAGE), 0);
	file_put(file);
	/* One that has nobody to ask. */
	assert_int_equal(file_create(m.s.v, &(struct file_desc){
		.size = sizeof(struct file_desc), .name = "memfd:a", .flags = FILE_SHMEM }, &file), 0);
	assert_int_equal(file_refresh(file), -EOPNOTSUPP);
	file_put(file);
	close(fd);
	memory_close(&m);
}

/* All frames that there are. */
static size_t take_frames(struct page **pages, size_t most)
{
	size_t nr = 0;

	while (nr < most && (pages[nr] = page_alloc(m.s.v->arena, 0, PAGE_ANYTHING)))
		nr++;
	assert_true(nr < most);
	return nr;
}

/* The rest of the last page cannot be read: nothing has changed, and the next call finds it. */
static void a_size_that_could_not_be_learnt_is_learnt_later(void **state)
{
	static struct page *pages[4096];
	struct file *file;
	size_t nr;
	int fd;

	memory_open_with(&m, 4096 * PAGE);
	vmarea_set_reclaim_when(m.s.v, VMAREA_RECLAIM_WHEN_ASKED);
	fd = host_fd_of_pages(1);
	assert_int_equal(ftruncate(fd, 100), 0);
	file = open_host(fd, HOST_FILE_DUP);
	map(file, 0, 8, MAP_SHARED);
	assert_int_equal(get(&m, 0), 0);
	assert_int_equal(pwrite(fd, "x", 1, (off_t)(byte_at(0) - at(0))), 1);
	assert_int_equal(pwrite(fd, "y", 1, (off_t)(byte_at(1) - at(0))), 1);
	nr = take_frames(pages, ARRAY_SIZE(pages));
	assert_int_equal(file_refresh(file), -ENOMEM);
	assert_int_equal(file_size(file), 100);
	/* With nothing free but what can be taken back: the page itself. */
	vmarea_set_reclaim_when(m.s.v, VMAREA_RECLAIM_AT_LIMITS);
	assert_int_equal(file_refresh(file), 0);
	assert_int_equal(file_size(file), host_size(fd));
	while (nr)
		page_put(pages[--nr]);
	assert_int_equal(get(&m, 0), 'x');
	assert_int_equal(get(&m, 1), 'y');
	file_put(file);
	close(fd);
	memory_close(&m);
}

/* A hole behind the host's end makes its file longer first, but not shorter than others have. */
static void a_hole_leaves_what_others_have_appended(void **state)
{
	struct file *file;
	int fd;

	memory_open(&m);
	fd = host_fd_of_pages(2);
	file = open_host(fd, HOST_FILE_DUP);
	assert_int_equal(file_write(file, 3 * PAGE - 1, "w", 1), 1);
	assert_int_equal(pwrite(fd, "z", 1, 9 * PAGE), 1);
	assert_int_equal(file_punch_hole(file, PAGE, PAGE), 0);
	assert_int_equal(host_size(fd), 9 * PAGE + 1);
	assert_int_equal(host_byte(fd, 9 * PAGE), 'z');
	assert_int_equal(host_byte(fd, PAGE), 0);
	assert_int_equal(file_refresh(file), 0);
	assert_int_equal(file_size(file), 9 * PAGE + 1);
	file_put(file);
	close(fd);
	memory_close(&m);
}

static void a_hole_is_one_there_too(void **state)
{
	struct file *file;
	int fd;

	memory_open(&m);
	fd = host_fd_of_pages(4);
	file = open_host(fd, HOST_FILE_DUP);
	map(file, 0, 4, MAP_SHARED);
	for (unsigned long i = 0; i < 4; i++)
		assert_int_equal(put(&m, i, 90), MM_FAULT_DONE);
	assert_int_equal(file_punch_hole(file, PAGE, PAGE), 0);
	assert_int_equal(host_byte(fd, PAGE), 0);
	assert_int_equal(get(&m, 1), 0);
	assert_int_equal(mm_madvise(m.s.mm, at(2), PAGE, MADV_REMOVE), 0);
	assert_int_equal(get(&m, 2), 0);
	assert_int_equal(file_sync(file, 0, UINT64_MAX), 0);
	assert_int_equal(host_byte(fd, byte_at(1) - at(0)), 0);
	assert_int_equal(host_byte(fd, byte_at(2) - at(0)), 0);
	assert_int_equal(host_byte(fd, byte_at(3) - at(0)), 90);
	assert_int_equal(host_size(fd), 4 * PAGE);
	file_put(file);
	close(fd);
	memory_close(&m);
}

/* Where the file system knows MAP_SYNC and the file is no DAX, and where it does not. */
static void sync_mappings_are_refused_as_there(void **state)
{
	static const int types[] = { MAP_SHARED_VALIDATE, MAP_SHARED, MAP_PRIVATE };
	struct file *file;
	int fd;

	memory_open(&m);
	fd = host_fd_of_pages(1);
	file = open_host(fd, HOST_FILE_DUP);
	for (int i = 0; i < 3; i++) {
		void *theirs = mmap(NULL, PAGE, RW, types[i] | MAP_SYNC, fd, 0);

		assert_int_equal(space_map_file(&m.s, 0, 1, RW, (unsigned long)types[i] | MAP_SYNC,
						file, 0), theirs == MAP_FAILED ? -errno : 0);
		if (theirs != MAP_FAILED)
			assert_int_equal(munmap(theirs, PAGE), 0);
	}
	file_put(file);
	close(fd);
	memory_close(&m);
}

/* ------------------------------------------------------------------------------ in advance -- */

static void pages_are_had_in_advance(void **state)
{
	unsigned char vec[8];
	struct file *file;

	memory_open(&m);
	file = open_host(host_fd_of_pages(6), HOST_FILE_TAKE);
	map(file, 0, 8, MAP_SHARED);
	/* In the cache, and not mapped; what is past the end is no error. */
	assert_int_equal(mm_madvise(m.s.mm, at(1), 7 * PAGE, MADV_WILLNEED), 0);
	assert_int_equal(mm_mincore(m.s.mm, at(0), 8 * PAGE, vec), 0);
	assert_memory_equal(vec, "\0\1\1\1\1\1\0\0", 8);
	assert_int_equal(mm_rss(m.s.mm), 0);
	assert_int_equal(space_unmap(&m.s, 4, 1), 0);
	assert_int_equal(mm_madvise(m.s.mm, at(0), 8 * PAGE, MADV_WILLNEED), -ENOMEM);
	assert_int_equal(mm_mincore(m.s.mm, at(0), PAGE, vec), 0);
	assert_int_equal(vec[0], 1);
	/* Mapped. */
	map(file, 16, 6, MAP_PRIVATE | MAP_POPULATE);
	assert_int_equal(mm_rss(m.s.mm), 6);
	assert_int_equal(mm_msync(m.s.mm, at(0), 4 * PAGE, MS_SYNC), 0);
	map(file, 32, 8, MAP_SHARED);
	assert_int_equal(mm_madvise(m.s.mm, at(32), 6 * PAGE, MADV_POPULATE_WRITE), 0);
	assert_int_equal(mm_attrs(m.s.mm, 37) & PT_WRITE, PT_WRITE);
	assert_int_equal(mm_madvise(m.s.mm, at(32), 7 * PAGE, MADV_POPULATE_READ), -EFAULT);
	assert_int_equal(mm_mlock(m.s.mm, at(32), 6 * PAGE), 0);
	assert_int_equal(mm_mlock(m.s.mm, at(32), 7 * PAGE), -ENOMEM);
	file_put(file);
	memory_close(&m);
}

/* -------------------------------------------------------------------------------- errors -- */

/* Nothing is at address 0, so this is a regular file whose first page cannot be read. */
static void a_page_that_cannot_be_read_is_a_bus_error(void **state)
{
	struct file *file;
	int fd = open("/proc/self/mem", O_RDONLY);

	assert_true(fd >= 0);
	memory_open(&m);
	file = open_host(fd, HOST_FILE_TAKE);
	file_set_size(file, PAGE);
	assert_int_equal(space_map_file(&m.s, 0, 1, PROT_READ, MAP_SHARED, file, 0), 0);
	assert_int_equal(get(&m, 0), NO_BYTE(BUS));
	assert_int_equal(file_read(file, 0, &(char){ 0 }, 1), -EIO);
	file_put(file);
	memory_close(&m);
}

static volatile sig_atomic_t nr_signals;

static void note_signal(int number)
{
	(void)number;
	nr_signals++;
}

static void a_page_that_cannot_be_written_is_told_once(void **state)
{
	struct rlimit limit, none;
	struct file *file, *other;
	int fd;

	memory_open(&m);
	fd = host_fd_of_pages(2);
	file = open_host(fd, HOST_FILE_DUP);
	other = open_host(fd, HOST_FILE_DUP);
	map(file, 0, 2, MAP_SHARED);
	assert_int_equal(put(&m, 1, 90), MM_FAULT_DONE);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	none = limit;
	none.rlim_cur = PAGE;
	signal(SIGXFSZ, note_signal);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(file_sync(file, 0, UINT64_MAX), -EFBIG);
	assert_int_equal(file_truncate(file, 4 * PAGE), -EFBIG);
	assert_int_equal(file_size(file), 2 * PAGE);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(host_byte(fd, byte_at(1) - at(0)), 2);
	/* It has stayed dirty; the error is told once to each. */
	assert_int_equal(file_sync(file, 0, UINT64_MAX), 0);
	assert_int_equal(file_sync(other, 0, UINT64_MAX), -EFBIG);
	assert_int_equal(file_sync(other, 0, UINT64_MAX), 0);
	assert_int_equal(host_byte(fd, byte_at(1) - at(0)), 90);
	assert_int_equal(nr_signals, 0);
	file_put(file);
	file_put(other);
	close(fd);
	memory_close(&m);
}

/* Whoever else has the open file can make it one that is appended to: then no page is in its place. */
static void what_is_open_to_append_is_not_written(void **state)
{
	struct file *file;
	int fd;

	memory_open(&m);
	fd = host_fd_of_pages(2);
	file = open_host(fd, HOST_FILE_DUP);
	map(file, 0, 2, MAP_SHARED);
	assert_int_equal(put(&m, 0, 90), MM_FAULT_DONE);
	assert_int_equal(fcntl(fd, F_SETFL, O_APPEND), 0);
	assert_int_equal(file_sync(file, 0, UINT64_MAX), -EINVAL);
	assert_int_equal(host_size(fd), 2 * PAGE);
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	assert_int_equal(file_sync(file, 0, UINT64_MAX), 0);
	assert_int_equal(host_size(fd), 2 * PAGE);
	assert_int_equal(host_byte(fd, byte_at(0) - at(0)), 90);
	file_put(file);
	close(fd);
	memory_close(&m);
}

/* Whole blocks are all that such a descriptor takes: on file systems where it means anything. */
static void a_direct_file_has_a_last_page(void **state)
{
	struct file *file, *shorter;
	char path[64], bytes[3] = { 0 };
	int fd, direct, unused;

	memory_open(&m);
	fd = host_fd_of_pages(3);
	unused = dup(fd);
	close(unused);
	assert_int_equal(ftruncate(fd, 2 * PAGE + 100), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	direct = open(path, O_RDWR | O_DIRECT);
	if (direct < 0) {
		assert_int_equal(errno, EINVAL);
		close(fd);
		memory_close(&m);
		skip();
	}
	file = open_host(direct, HOST_FILE_TAKE);
	assert_int_equal(host_file_fd(file), direct);
	map(file, 0, 4, MAP_SHARED);
	assert_int_equal(file_read(file, 2 * PAGE + 98, bytes, 3), 2);
	assert_memory_equal(bytes, "\3\3\0", 3);
	assert_int_equal(put(&m, 0, 90), MM_FAULT_DONE);
	assert_int_equal(file_write(file, 2 * PAGE + 99, "ab", 2), 2);
	assert_int_equal(file_sync(file, 0, UINT64_MAX), 0);
	assert_int_equal(host_size(fd), 2 * PAGE + 101);
	assert_int_equal(host_byte(fd, 2 * PAGE + 98), 3);
	assert_int_equal(host_byte(fd, 2 * PAGE + 100), 'b');
	assert_int_equal(host_byte(fd, byte_at(0) - at(0)), 90);
	/* What others open has it, too, and both descriptors go with the file. */
	shorter = open_host(fd, HOST_FILE_DUP);
	assert_int_equal(file_truncate(shorter, PAGE + 7), 0);
	assert_int_equal(file_write(shorter, PAGE + 6, "c", 1), 1);
	file_put(shorter);
	assert_int_equal(file_sync(file, 0, UINT64_MAX), 0);
	assert_int_equal(host_byte(fd, PAGE + 6), 'c');
	assert_int_equal(host_size(fd), PAGE + 7);
	assert_int_equal(space_unmap(&m.s, 0, 4), 0);
	file_put(file);
	assert_int_equal(dup(fd), unused);
	close(unused);
	close(fd);
	memory_close(&m);
}

static bool is_pending(int number)
{
	sigset_t pending;

	return !sigpending(&pending) && sigismember(&pending, number) == 1;
}

/* The signal of a file that is too long is nobody's but the program's that sent it to itself. */
static void a_file_too_long_is_no_signal(void **state)
{
	struct rlimit limit, none;
	struct file *file;
	sigset_t xfsz;
	int fd;

	memory_open(&m);
	fd = host_fd_of_pages(2);
	file = open_host(fd, HOST_FILE_DUP);
	assert_int_equal(file_write(file, PAGE - 1, "ab", 2), 2);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	none = limit;
	none.rlim_cur = PAGE + 1;
	nr_signals = 0;
	signal(SIGXFSZ, note_signal);
	sigemptyset(&xfsz);
	sigaddset(&xfsz, SIGXFSZ);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	/* Up to the limit it is written, as pwrite() does. */
	assert_int_equal(file_sync(file, 0, UINT64_MAX), -EFBIG);
	assert_int_equal(host_byte(fd, PAGE), 'b');
	assert_int_equal(swap_fd_ops()->write_page(swap_fd(fd), 1, &m), -EFBIG);
	assert_false(is_pending(SIGXFSZ));
	/* The thread has it blocked: nothing comes when it is let in again. */
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &xfsz, NULL), 0);
	assert_int_equal(file_truncate(file, 4 * PAGE), -EFBIG);
	assert_false(is_pending(SIGXFSZ));
	/* It waits for one already: that stays. */
	pthread_kill(pthread_self(), SIGXFSZ);
	assert_int_equal(file_truncate(file, 4 * PAGE), -EFBIG);
	assert_int_equal(sigtimedwait(&xfsz, NULL, &(struct timespec){ 0 }), SIGXFSZ);
	assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &xfsz, NULL), 0);
	assert_int_equal(nr_signals, 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(file_sync(file, 0, UINT64_MAX), 0);
	file_put(file);
	close(fd);
	memory_close(&m);
}

/* ------------------------------------------------------------------------------- threads -- */

#define ROUNDS		300u

static int raced_fd;

/*
 * Each has a byte of its own in one page, and closes after each change: often it is the last, while
 * the others open.  Who did not find the page of before would write back old bytes.
 */
static void *count_up(void *arg)
{
	u64 place = 100 * (u64)(uintptr_t)arg;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct file *file;
		unsigned char byte;

		assert_int_equal(host_file_open(m.s.v, raced_fd, HOST_FILE_DUP, &file), 0);
		assert_int_equal(file_read(file, place, &byte, 1), 1);
		assert_int_equal(byte, (unsigned char)i);
		byte++;
		assert_int_equal(file_write(file, place, &byte, 1), 1);
		file_put(file);
	}
	return NULL;
}

static void the_last_who_closes_is_waited_for(void **state)
{
	pthread_t thread[3];

	memory_open(&m);
	raced_fd = host_fd();
	assert_int_equal(ftruncate(raced_fd, PAGE), 0);
	for (uintptr_t i = 0; i < 3; i++)
		thread[i] = start(count_up, (void *)(i + 1));
	for (int i = 0; i < 3; i++)
		finish(thread[i]);
	for (unsigned long i = 1; i <= 3; i++)
		assert_int_equal(host_byte(raced_fd, 100 * i), ROUNDS % 256);
	close(raced_fd);
	memory_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_descriptor_is_copied_or_taken),
		cmocka_unit_test(what_cannot_be_mapped_is_refused),
		cmocka_unit_test(the_name_and_numbers_are_the_hosts),
		cmocka_unit_test(one_inode_is_one_file),
		cmocka_unit_test(pages_are_read_and_written_back),
		cmocka_unit_test(a_write_makes_the_host_longer_at_the_sync),
		cmocka_unit_test(a_truncation_reaches_host_and_mappings),
		cmocka_unit_test(a_size_that_others_change_is_learnt),
		cmocka_unit_test(a_size_that_could_not_be_learnt_is_learnt_later),
		cmocka_unit_test(a_hole_leaves_what_others_have_appended),
		cmocka_unit_test(a_hole_is_one_there_too),
		cmocka_unit_test(sync_mappings_are_refused_as_there),
		cmocka_unit_test(pages_are_had_in_advance),
		cmocka_unit_test(a_page_that_cannot_be_read_is_a_bus_error),
		cmocka_unit_test(a_page_that_cannot_be_written_is_told_once),
		cmocka_unit_test(what_is_open_to_append_is_not_written),
		cmocka_unit_test(a_direct_file_has_a_last_page),
		cmocka_unit_test(a_file_too_long_is_no_signal),
		cmocka_unit_test(the_last_who_closes_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
