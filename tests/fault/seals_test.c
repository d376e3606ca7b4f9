/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Seals: what each forbids, and the same calls on a memfd of the running kernel.
 */
#include <vmarea/file.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../sync/threads.h"
#include "file/filemap.h"
#include "memory.h"

#define PAGES		6ul
#define PLACES		3u
#define CALLS		4000

static struct memory m;

static struct file *make(unsigned int flags)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/memfd:s", .flags = flags | FILE_READ | FILE_WRITE,
		.placement = FILE_PLACE_SHMEM,
	};
	struct file *file;

	assert_int_equal(file_create(m.s.v, &desc, &file), 0);
	return file;
}

/* ---------------------------------------------------------------------------- who may seal */

static void not_every_file_is_sealed(void **state)
{
	struct file *file;

	memory_open(&m);
	file = make(0);
	assert_int_equal(file_get_seals(file), -EINVAL);
	assert_int_equal(file_add_seals(file, F_SEAL_GROW), -EINVAL);
	file_put(file);
	file = make(FILE_SHMEM);
	assert_int_equal(file_get_seals(file), F_SEAL_SEAL);
	assert_int_equal(file_add_seals(file, F_SEAL_GROW), -EPERM);
	file_put(file);
	file = make(FILE_SHMEM | FILE_SEALABLE);
	assert_int_equal(file_get_seals(file), 0);
	assert_int_equal(file_add_seals(file, 0x100), -EINVAL);
	assert_int_equal(file_add_seals(file, F_SEAL_GROW), 0);
	assert_int_equal(file_add_seals(file, F_SEAL_SEAL), 0);
	assert_int_equal(file_add_seals(file, F_SEAL_SHRINK), -EPERM);
	assert_int_equal(file_get_seals(file), F_SEAL_GROW | F_SEAL_SEAL);
	file_put(file);
	memory_close(&m);
}

static void a_pinned_page_keeps_it_open(void **state)
{
	struct file *file;
	struct pinned pin;

	memory_open(&m);
	file = make(FILE_SHMEM | FILE_SEALABLE);
	assert_int_equal(file_truncate(file, 2 * 4096), 0);
	assert_int_equal(space_map_file(&m.s, 0, 2, RW, MAP_SHARED, file, 0), 0);
	assert_int_equal(fault_pin(mm_from_user(m.s.mm), at(1), MM_ACCESS_WRITE, 0, &pin),
			 MM_FAULT_DONE);
	assert_int_equal(space_unmap(&m.s, 0, 2), 0);
	assert_int_equal(file_add_seals(file, F_SEAL_WRITE), -EBUSY);
	assert_int_equal(file_get_seals(file), 0);
	/* It left nothing closed. */
	assert_int_equal(space_map_file(&m.s, 0, 2, RW, MAP_SHARED, file, 0), 0);
	assert_int_equal(space_unmap(&m.s, 0, 2), 0);
	page_unpin(pin.page);
	assert_int_equal(file_add_seals(file, F_SEAL_WRITE), 0);
	file_put(file);
	memory_close(&m);
}

static long put_in(struct file *file, unsigned long page, vm_flags_t flags)
{
	return mm_add_area(m.s.mm, &(struct area_desc){
		.start = at(page), .end = at(page + 1), .file = file, .flags = flags });
}

static void an_area_put_in_is_sealed_off(void **state)
{
	const vm_flags_t shared = VM_READ | VM_MAYREAD | VM_SHARED | VM_MAYSHARE;
	struct file *file;

	memory_open(&m);
	file = make(FILE_SHMEM | FILE_SEALABLE);
	assert_int_equal(file_truncate(file, 4096), 0);
	/* It may be from before. */
	assert_int_equal(file_add_seals(file, F_SEAL_FUTURE_WRITE), 0);
	assert_int_equal(put_in(file, 0, shared | VM_WRITE | VM_MAYWRITE), 0);
	assert_int_equal(file_add_seals(file, F_SEAL_WRITE), -EBUSY);
	assert_int_equal(space_unmap(&m.s, 0, 1), 0);
	assert_int_equal(put_in(file, 0, shared | VM_MAYWRITE), 0);
	assert_int_equal(file_add_seals(file, F_SEAL_WRITE), -EBUSY);
	assert_int_equal(space_unmap(&m.s, 0, 1), 0);
	assert_int_equal(file_add_seals(file, F_SEAL_WRITE), 0);
	/* There is none. */
	assert_int_equal(put_in(file, 0, shared | VM_WRITE | VM_MAYWRITE), -EPERM);
	assert_int_equal(put_in(file, 0, shared | VM_MAYWRITE), -EPERM);
	assert_areas(&m.s, "");
	assert_int_equal(put_in(file, 0, shared & ~VM_SHARED), 0);
	assert_int_equal(put_in(file, 1, shared), 0);
	assert_int_equal(put_in(file, 2, VM_READ | VM_MAYREAD | VM_WRITE | VM_MAYWRITE), 0);
	assert_int_equal(put_in(file, 1, shared | VM_MAYWRITE), -EEXIST);
	file_put(file);
	memory_close(&m);
}

/* ------------------------------------------------------------------------ beside the kernel */

static struct sides {
	struct file *file;
	int fd;
	void *theirs[PLACES];
	bool mapped[PLACES];
	u64 seed;
	u64 call;
	unsigned int seals;
} s;

static unsigned long chance(unsigned long below)
{
	s.seed = s.seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned long)(s.seed >> 33) % below;
}

static long theirs(long result)
{
	return result < 0 ? -errno : result;
}

static void same(long ours, long kernel, const char *what)
{
	if (ours != kernel)
		fail_msg("call %lu, %s, seals %x: the library %ld, the kernel %ld",
			 (unsigned long)s.call, what, s.seals, ours, kernel);
}

static void map_one(unsigned int place)
{
	static const int types[] = { MAP_SHARED, MAP_SHARED, MAP_PRIVATE };
	int prot = chance(2) ? RW : PROT_READ, type = types[chance(3)];
	void *got = mmap(s.theirs[place], PAGES * 4096, prot, type | MAP_FIXED, s.fd, 0);

	same(space_map_file(&m.s, place * PAGES, PAGES, (unsigned long)prot, (unsigned long)type,
			    s.file, 0),
	     got == MAP_FAILED ? -errno : 0, "mmap");
	s.mapped[place] = got != MAP_FAILED;
}

static void change_one(unsigned int place)
{
	unsigned long byte = place * PAGES * 4096;
	int prot = chance(2) ? RW : PROT_READ;

	if (!s.mapped[place])
		return;
	if (chance(3)) {
		same(mm_mprotect(m.s.mm, at(0) + byte, PAGES * 4096, (unsigned long)prot),
		     theirs(mprotect(s.theirs[place], PAGES * 4096, prot)), "mprotect");
	} else {
		same(mm_madvise(m.s.mm, at(0) + byte, 4096, MADV_REMOVE),
		     theirs(madvise(s.theirs[place], 4096, MADV_REMOVE)), "remove");
	}
}

static void unmap_one(unsigned int place)
{
	same(space_unmap(&m.s, place * PAGES, PAGES),
	     theirs(munmap(s.theirs[place], PAGES * 4096)), "munmap");
	s.mapped[place] = false;
	/* Theirs is kept for ours. */
	assert_true(mmap(s.theirs[place], PAGES * 4096, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == s.theirs[place]);
}

static void write_some(void)
{
	static char bytes[2 * 4096];
	unsigned long at = chance(PAGES * 4096), nr = chance(sizeof(bytes));

	same(file_write(s.file, at, bytes, nr), theirs(pwrite(s.fd, bytes, nr, (off_t)at)),
	     "write");
}

static void truncate_some(void)
{
	unsigned long bytes = chance(PAGES * 4096);

	same(file_truncate(s.file, bytes), theirs(ftruncate(s.fd, (off_t)bytes)), "truncate");
}

static void punch_some(void)
{
	unsigned long at = chance(PAGES * 4096), bytes = chance(3 * 4096);

	same(file_punch_hole(s.file, at, bytes),
	     theirs(fallocate(s.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at,
			      (off_t)bytes)), "punch");
}

/* Of all, also those that there are not; F_SEAL_SEAL seldom, for it ends the round. */
static void seal_some(void)
{
	unsigned int seals = 1u << (1 + chance(5));

	if (!chance(4))
		seals |= 1u << (1 + chance(6));
	if (!chance(20))
		seals |= F_SEAL_SEAL;
	same(file_add_seals(s.file, seals), theirs(fcntl(s.fd, F_ADD_SEALS, seals)), "seal");
	s.seals = (unsigned int)file_get_seals(s.file);
	same(s.seals, fcntl(s.fd, F_GET_SEALS), "seals");
}

static void step(void)
{
	unsigned int place = (unsigned int)chance(PLACES);

	switch (chance(16)) {
	case 0: case 1: case 2: map_one(place); break;
	case 3: case 4: change_one(place); break;
	case 5: case 6: case 7: unmap_one(place); break;
	case 8: case 9: write_some(); break;
	case 10: case 11: truncate_some(); break;
	case 12: punch_some(); break;
	case 13: seal_some(); break;
	default: break;
	}
}

static void new_files(void)
{
	/* A mode without an x for every other: what F_SEAL_EXEC means hangs on it. */
	bool executable = chance(2);

	s.file = make(FILE_SHMEM | FILE_SEALABLE | (executable ? FILE_EXECUTABLE : 0));
	s.fd = memfd_create("s", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	assert_true(s.fd >= 0);
	assert_int_equal(fchmod(s.fd, executable ? 0700 : 0600), 0);
	s.seals = 0;
	for (unsigned int i = 0; i < PLACES; i++)
		unmap_one(i);
}

static void end_files(void)
{
	for (unsigned int i = 0; i < PLACES; i++)
		unmap_one(i);
	file_put(s.file);
	close(s.fd);
}

static void ours_and_theirs_agree(void **state)
{
	char *room = mmap(NULL, PLACES * PAGES * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			  0);

	assert_true(room != MAP_FAILED);
	for (unsigned int i = 0; i < PLACES; i++)
		s.theirs[i] = room + i * PAGES * 4096;
	memory_open(&m);
	s.seed = 7;
	new_files();
	for (s.call = 0; s.call < CALLS; s.call++) {
		step();
		if (s.call % 40 == 39) {
			end_files();
			new_files();
		}
	}
	end_files();
	assert_int_equal(munmap(room, PLACES * PAGES * 4096), 0);
	memory_close(&m);
}

/* ------------------------------------------------------------------------------- threads -- */

static struct file *raced;
static u32 go, sealed;			/* atomic */

static void *map_for_ever(void *arg)
{
	struct mm_user *mm = arg;
	unsigned char byte = 1;
	enum mm_fault fault;

	raise_flag(&go);
	for (;;) {
		/* Acquire pairs with who seals: what is stored from now on must not be seen. */
		bool late = atomic_load_acquire(&sealed);
		long addr = mm_mmap(mm, 0, 4096, RW, MAP_SHARED, raced, 0);

		if (addr < 0) {
			assert_int_equal(addr, -EPERM);
			break;
		}
		assert_false(late);
		assert_int_equal(mm_write(mm, (unsigned long)addr, &byte, 1, &fault), 1);
		assert_int_equal(mm_munmap(mm, (unsigned long)addr, 4096), 0);
	}
	return NULL;
}

static void a_seal_and_a_mapping_exclude_each_other(void **state)
{
	memory_open(&m);
	for (unsigned int i = 0; i < 40; i++) {
		pthread_t thread;
		int err;

		raced = make(FILE_SHMEM | FILE_SEALABLE);
		assert_int_equal(file_truncate(raced, 4096), 0);
		atomic_store_relaxed(&sealed, 0);
		atomic_store_relaxed(&go, 0);
		thread = start(map_for_ever, m.s.mm);
		wait_for_flag(&go);
		do
			err = file_add_seals(raced, F_SEAL_WRITE);
		while (err == -EBUSY);
		assert_int_equal(err, 0);
		atomic_store_release(&sealed, 1);	/* pairs with the acquire above */
		finish(thread);
		file_put(raced);
	}
	memory_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(not_every_file_is_sealed),
		cmocka_unit_test(a_pinned_page_keeps_it_open),
		cmocka_unit_test(an_area_put_in_is_sealed_off),
		cmocka_unit_test(ours_and_theirs_agree),
		cmocka_unit_test(a_seal_and_a_mapping_exclude_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
