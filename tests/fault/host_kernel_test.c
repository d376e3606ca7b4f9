/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The same calls by the library on one file of the host, and by the running kernel on another: loads
 * and stores by way of shared and private mappings, reads and writes, truncations by us and by
 * others, holes.  Each result, each signal, each size, and in the end each byte must agree.
 *
 * Nothing is stored past the end of the file, in its last page: how long that is seen depends on when
 * the kernel writes the page.
 */
#include <vmarea/file.h>
#include <vmarea/host_file.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"

#define PAGES		24ul
#define BYTES		(PAGES * 4096)
#define PRIVATE		PAGES			/* where the private mapping begins, in pages */
#define CALLS		6000

static struct memory m;

static struct sides {
	struct file *file;			/* ours */
	int our_fd, their_fd;
	volatile unsigned char *shared, *private;	/* theirs */
	u64 seed;
	u64 call;
} s;

static unsigned long chance(unsigned long below)
{
	s.seed = s.seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned long)(s.seed >> 33) % below;
}

/* -------------------------------------------------------------------------------- theirs -- */

static sigjmp_buf fault_env;

static void on_bus(int signal)
{
	siglongjmp(fault_env, signal);
}

/* The byte, or -1: SIGBUS. */
static int their_load(volatile unsigned char *at)
{
	return sigsetjmp(fault_env, 1) ? -1 : *at;
}

static int their_store(volatile unsigned char *at, unsigned char value)
{
	if (sigsetjmp(fault_env, 1))
		return -1;
	*at = value;
	return 0;
}

/* ---------------------------------------------------------------------------------- both -- */

static void same(long ours, long theirs, const char *what, u64 where)
{
	if (ours != theirs)
		fail_msg("call %lu, %s at %lx: the library %ld, the kernel %ld", (unsigned long)s.call,
			 what, (unsigned long)where, ours, theirs);
}

static volatile unsigned char *their_place(unsigned long byte, bool is_private)
{
	return (is_private ? s.private : s.shared) + byte;
}

static unsigned long our_place(unsigned long byte, bool is_private)
{
	return at(is_private ? PRIVATE : 0) + byte;
}

static int outcome(enum mm_fault fault, int value)
{
	assert_true(fault == MM_FAULT_DONE || fault == MM_FAULT_BUS);
	return fault == MM_FAULT_DONE ? value : -1;
}

static void load(unsigned long byte, bool is_private)
{
	unsigned char value = 0;
	enum mm_fault fault;

	assert_true(mm_read(m.s.mm, our_place(byte, is_private), &value, 1, &fault) <= 1);
	same(outcome(fault, value), their_load(their_place(byte, is_private)), "load", byte);
}

static void store(unsigned long byte, bool is_private)
{
	unsigned char value = (unsigned char)chance(256);
	enum mm_fault fault;

	if (byte >= file_size(s.file) && byte < ALIGN(file_size(s.file), 4096))
		return;
	assert_true(mm_write(m.s.mm, our_place(byte, is_private), &value, 1, &fault) <= 1);
	same(outcome(fault, 0), their_store(their_place(byte, is_private), value), "store", byte);
}

static void write_bytes(unsigned long byte)
{
	static unsigned char bytes[3 * 4096];
	size_t nr = 1 + chance(sizeof(bytes));

	nr = min(nr, BYTES - byte);
	memset(bytes, (int)chance(256), nr);
	same(file_write(s.file, byte, bytes, nr), pwrite(s.their_fd, bytes, nr, (off_t)byte), "write",
	     byte);
}

static void read_bytes(unsigned long byte)
{
	static unsigned char ours[3 * 4096], theirs[3 * 4096];
	size_t nr = 1 + chance(sizeof(ours));
	long done = file_read(s.file, byte, ours, nr);

	same(done, pread(s.their_fd, theirs, nr, (off_t)byte), "read", byte);
	assert_memory_equal(ours, theirs, done);
}

static void truncate_it(unsigned long byte)
{
	same(file_truncate(s.file, byte), ftruncate(s.their_fd, (off_t)byte), "truncate", byte);
}

static void punch(unsigned long byte)
{
	unsigned long nr = 1 + chance(4 * 4096);

	same(file_punch_hole(s.file, byte, nr),
	     fallocate(s.their_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)byte,
		       (off_t)nr), "punch", byte);
}

static void remove_pages(unsigned long byte)
{
	unsigned long page = byte / 4096, nr = 1 + chance(4);

	nr = min(nr, PAGES - page);
	same(mm_madvise(m.s.mm, at(page), nr * 4096, MADV_REMOVE),
	     madvise((void *)(s.shared + page * 4096), nr * 4096, MADV_REMOVE), "remove", byte);
}

/* By somebody who does not know of the library. */
static void truncate_outside(unsigned long byte)
{
	/* What is not there yet would be longer than what is cut. */
	assert_int_equal(file_sync(s.file, 0, UINT64_MAX), 0);
	assert_int_equal(ftruncate(s.our_fd, (off_t)byte), 0);
	assert_int_equal(ftruncate(s.their_fd, (off_t)byte), 0);
	assert_int_equal(file_refresh(s.file), 0);
}

static void discard(unsigned long byte)
{
	unsigned long page = byte / 4096;

	same(mm_madvise(m.s.mm, at(PRIVATE + page), 4096, MADV_DONTNEED),
	     madvise((void *)(s.private + page * 4096), 4096, MADV_DONTNEED), "discard", byte);
}

static void populate(unsigned long byte)
{
	unsigned long page = byte / 4096, nr = 1 + chance(4);
	bool is_private = chance(2);
	int advice = chance(2) ? MADV_POPULATE_READ : MADV_POPULATE_WRITE;
	long theirs;

	nr = min(nr, PAGES - page);
	theirs = madvise((void *)their_place(page * 4096, is_private), nr * 4096, advice) ?
		 -errno : 0;
	same(mm_madvise(m.s.mm, our_place(page * 4096, is_private), nr * 4096, advice), theirs,
	     "populate", byte);
}

static void will_need(unsigned long byte)
{
	unsigned long page = byte / 4096, nr = 1 + chance(8);

	nr = min(nr, PAGES - page);
	same(mm_madvise(m.s.mm, at(page), nr * 4096, MADV_WILLNEED),
	     madvise((void *)(s.shared + page * 4096), nr * 4096, MADV_WILLNEED), "will need", byte);
}

/* -------------------------------------------------------------------------------- rounds -- */

static int new_file(void)
{
	char name[] = "host-kernel-XXXXXX";
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	assert_int_equal(unlink(name), 0);
	for (unsigned long i = 0; i < 3000; i++)
		assert_int_equal(pwrite(fd, &i, 8, (off_t)(i * 16)), 8);
	return fd;
}

static void begin(u64 seed)
{
	s.seed = seed;
	s.our_fd = new_file();
	s.their_fd = new_file();
	assert_int_equal(host_file_open(m.s.v, s.our_fd, HOST_FILE_DUP, &s.file), 0);
	assert_int_equal(space_map_file(&m.s, 0, PAGES, RW, MAP_SHARED, s.file, 0), 0);
	assert_int_equal(space_map_file(&m.s, PRIVATE, PAGES, RW, MAP_PRIVATE, s.file, 0), 0);
	s.shared = mmap(NULL, BYTES, RW, MAP_SHARED, s.their_fd, 0);
	s.private = mmap(NULL, BYTES, RW, MAP_PRIVATE, s.their_fd, 0);
	assert_true(s.shared != MAP_FAILED && s.private != MAP_FAILED);
}

static void compare_files(void)
{
	static unsigned char ours[BYTES], theirs[BYTES];
	struct stat st;
	ssize_t n;

	assert_int_equal(file_sync(s.file, 0, UINT64_MAX), 0);
	assert_int_equal(fstat(s.our_fd, &st), 0);
	same(st.st_size, lseek(s.their_fd, 0, SEEK_END), "size", 0);
	n = pread(s.our_fd, ours, BYTES, 0);
	same(n, pread(s.their_fd, theirs, BYTES, 0), "host's read", 0);
	for (ssize_t i = 0; i < n; i++)
		same(ours[i], theirs[i], "host's byte", (u64)i);
	for (unsigned long i = 0; i < BYTES; i += 509) {
		load(i, false);
		load(i, true);
	}
}

static void step(void)
{
	unsigned long byte = chance(BYTES);

	switch (chance(24)) {
	case 0: truncate_it(byte); break;
	case 1: truncate_outside(byte); break;
	case 2: truncate_it(ALIGN(byte, 4096)); break;
	case 3: punch(byte); break;
	case 4: remove_pages(byte); break;
	case 5: discard(byte); break;
	case 6: populate(byte); break;
	case 7: will_need(byte); break;
	case 8: case 9: write_bytes(byte); break;
	case 10: case 11: read_bytes(byte); break;
	case 12: case 13: case 14: case 15: case 16: store(byte, false); break;
	case 17: case 18: case 19: store(byte, true); break;
	case 20: load(byte, true); break;
	default: load(byte, false); break;
	}
}

static void end(void)
{
	assert_int_equal(mm_munmap(m.s.mm, at(0), 2 * BYTES), 0);
	assert_int_equal(munmap((void *)s.shared, BYTES), 0);
	assert_int_equal(munmap((void *)s.private, BYTES), 0);
	file_put(s.file);
	close(s.our_fd);
	close(s.their_fd);
}

static void ours_and_theirs_agree(void **state)
{
	const struct sigaction action = { .sa_handler = on_bus };

	assert_int_equal(sigaction(SIGBUS, &action, NULL), 0);
	memory_open(&m);
	for (u64 seed = 1; seed <= 4; seed++) {
		begin(seed);
		for (s.call = 0; s.call < CALLS; s.call++) {
			step();
			if (s.call % 256 == 255)
				compare_files();
		}
		compare_files();
		memory_validate(m.s.mm);
		end();
	}
	signal(SIGBUS, SIG_DFL);
	memory_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ours_and_theirs_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
