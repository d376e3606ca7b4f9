/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * System V segments: where they are attached, what joins, what a detach takes.
 */
#include <errno.h>

#include "space.h"

static struct file *segment(struct space *s, unsigned long nr_pages)
{
	return space_file(s, nr_pages, FILE_SHMEM | FILE_DELETED, FILE_PLACE_SHMEM);
}

static void addresses(void **state)
{
	struct file *seg;
	struct space s;

	(void)state;
	space_open(&s);
	seg = segment(&s, 4);
	assert_int_equal(mm_shmat(s.mm, seg, 0, 0), 0x7ffff7ffb000);
	assert_int_equal(mm_shmat(s.mm, seg, at(0) + 1, 0), -EINVAL);
	assert_int_equal(mm_shmat(s.mm, seg, at(0) + 1, SHM_RND), at(0));
	assert_int_equal(mm_shmat(s.mm, seg, at(3), 0), -EINVAL);
	assert_int_equal(mm_shmat(s.mm, seg, at(3), SHM_REMAP), at(3));
	assert_areas(&s, "[0..3)rw-s [3..7)rw-s");
	assert_int_equal(mm_shmat(s.mm, seg, 0, SHM_REMAP), -EINVAL);
	assert_int_equal(mm_shmat(s.mm, seg, 5, SHM_REMAP | SHM_RND), -EINVAL);
	assert_int_equal(mm_shmat(s.mm, seg, 5, SHM_RND), -EPERM);
	assert_int_equal(mm_shmat(s.mm, seg, -SPACE_PAGE, 0), -EINVAL);
	assert_int_equal(mm_shmat(s.mm, seg, -SPACE_PAGE, SHM_REMAP), -ENOMEM);
	file_put(seg);
	space_close(&s);
}

static void modes(void **state)
{
	struct file *seg, *read_only;
	struct space s;
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/SYSV00000000", .size_bytes = SPACE_PAGE,
		.flags = FILE_READ | FILE_SHMEM,
	};

	(void)state;
	space_open(&s);
	seg = segment(&s, 1);
	assert_int_equal(mm_shmat(s.mm, seg, at(0), SHM_RDONLY), at(0));
	assert_int_equal(mm_shmat(s.mm, seg, at(2), SHM_EXEC), at(2));
	assert_areas(&s, "[0..1)r--s [2..3)rwxs");
	assert_int_equal(mm_mprotect(s.mm, at(0), SPACE_PAGE, PROT_WRITE), -EACCES);

	assert_int_equal(file_create(s.v, &desc, &read_only), 0);
	assert_int_equal(mm_shmat(s.mm, read_only, at(4), 0), -EACCES);
	assert_int_equal(mm_shmat(s.mm, read_only, at(4) + 1, 0), -EINVAL);
	assert_int_equal(mm_shmat(s.mm, read_only, at(4), SHM_RDONLY), at(4));
	file_put(read_only);
	file_put(seg);
	space_close(&s);
}

/* Beside each other, split, and put together again: nothing joins. */
static void what_is_split_stays_split(void **state)
{
	struct file *seg;
	struct space s;

	(void)state;
	space_open(&s);
	seg = segment(&s, 4);
	assert_int_equal(mm_shmat(s.mm, seg, at(0), 0), at(0));
	assert_int_equal(mm_shmat(s.mm, seg, at(4), 0), at(4));
	assert_areas(&s, "[0..4)rw-s [4..8)rw-s");
	assert_int_equal(mm_mprotect(s.mm, at(1), SPACE_PAGE, PROT_READ), 0);
	assert_areas(&s, "[0..1)rw-s [1..2)r--s [2..4)rw-s [4..8)rw-s");
	assert_int_equal(mm_mprotect(s.mm, at(1), SPACE_PAGE, RW), 0);
	assert_areas(&s, "[0..1)rw-s [1..2)rw-s [2..4)rw-s [4..8)rw-s");
	assert_int_equal(mm_shmdt(s.mm, at(0)), 0);
	assert_areas(&s, "[4..8)rw-s");
	file_put(seg);
	space_close(&s);
}

static void detach(void **state)
{
	struct file *seg, *other;
	struct space s;

	(void)state;
	space_open(&s);
	seg = segment(&s, 4);
	other = segment(&s, 4);
	assert_int_equal(mm_shmdt(s.mm, at(0)), -EINVAL);
	assert_int_equal(mm_shmdt(s.mm, at(0) + 1), -EINVAL);
	assert_int_equal(space_map(&s, 0, 1, RW, MAP_SHARED | MAP_ANONYMOUS), 0);
	assert_int_equal(mm_shmdt(s.mm, at(0)), -EINVAL);
	assert_int_equal(space_unmap(&s, 0, 1), 0);

	/* Not from its middle; from its start also when the start is gone. */
	assert_int_equal(mm_shmat(s.mm, seg, at(0), 0), at(0));
	assert_int_equal(mm_shmdt(s.mm, at(1)), -EINVAL);
	assert_int_equal(space_unmap(&s, 0, 2), 0);
	assert_int_equal(mm_shmdt(s.mm, at(0)), 0);
	assert_areas(&s, "");

	/* A page of another segment at a fitting offset stays, and a private one. */
	assert_int_equal(mm_shmat(s.mm, seg, at(0), 0), at(0));
	assert_int_equal(mm_shmat(s.mm, other, at(8), 0), at(8));
	assert_int_equal(mm_mremap(s.mm, at(9), SPACE_PAGE, SPACE_PAGE,
				   MREMAP_MAYMOVE | MREMAP_FIXED, at(1)), at(1));
	assert_int_equal(space_map(&s, 2, 1, RW, ANON), 0);
	assert_int_equal(mm_shmdt(s.mm, at(0)), 0);
	assert_areas(&s, "[1..2)rw-s [2..3)rw-p [8..9)rw-s [10..12)rw-s");
	assert_int_equal(mm_shmdt(s.mm, at(8)), 0);
	assert_areas(&s, "[1..2)rw-s [2..3)rw-p");
	file_put(seg);
	file_put(other);
	space_close(&s);
}

static void a_sealed_piece_stays(void **state)
{
	struct file *seg;
	struct space s;

	(void)state;
	space_open(&s);
	seg = segment(&s, 4);
	assert_int_equal(mm_shmat(s.mm, seg, at(0), 0), at(0));
	assert_int_equal(mm_mseal(s.mm, at(1), SPACE_PAGE, 0), 0);
	assert_int_equal(mm_shmdt(s.mm, at(0)), 0);
	assert_areas(&s, "[1..2)rw-s");
	file_put(seg);
	space_close(&s);
}

static void many_pieces_go_at_once(void **state)
{
	struct file *seg;
	struct space s;

	(void)state;
	space_open(&s);
	seg = segment(&s, 200);
	assert_int_equal(mm_shmat(s.mm, seg, at(0), 0), at(0));
	for (unsigned long page = 0; page < 200; page += 2)
		assert_int_equal(mm_mprotect(s.mm, at(page), SPACE_PAGE, PROT_READ), 0);
	assert_int_equal(mm_shmdt(s.mm, at(0)), 0);
	assert_areas(&s, "");
	file_put(seg);
	space_close(&s);
}

static int released;

static void count_release(struct file *file)
{
	(void)file;
	released++;
}

/* The segment is kept by what is attached, in whatever mm that is. */
static void a_segment_lives_while_it_is_attached(void **state)
{
	static const struct file_operations ops = { .owner = "test", .release = count_release };
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/SYSV00000000", .size_bytes = 4 * SPACE_PAGE,
		.flags = FILE_READ | FILE_WRITE | FILE_SHMEM, .ops = &ops,
	};
	struct mm_user *child;
	struct file *seg;
	struct space s;

	(void)state;
	released = 0;
	space_open(&s);
	assert_int_equal(file_create(s.v, &desc, &seg), 0);
	assert_int_equal(mm_shmat(s.mm, seg, at(0), 0), at(0));
	file_put(seg);
	assert_int_equal(space_unmap(&s, 1, 1), 0);
	assert_int_equal(mm_fork(s.mm, &child), 0);
	assert_int_equal(mm_shmdt(s.mm, at(0)), 0);
	assert_int_equal(released, 0);
	mmput(child);
	assert_int_equal(released, 1);
	space_close(&s);
}

static void each_has_the_pages_of_the_segment(void **state)
{
	struct file *seg;
	struct space s;

	(void)state;
	space_open(&s);
	seg = segment(&s, 2);
	assert_int_equal(mm_shmat(s.mm, seg, at(0), 0), at(0));
	assert_int_equal(mm_mremap(s.mm, at(0), 2 * SPACE_PAGE, 3 * SPACE_PAGE, 0, 0), at(0));
	assert_int_equal(space_write(&s, 1), MM_FAULT_DONE);
	assert_int_equal(space_write(&s, 2), MM_FAULT_BUS);
	file_put(seg);
	space_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(modes),
		cmocka_unit_test(what_is_split_stays_split),
		cmocka_unit_test(detach),
		cmocka_unit_test(a_sealed_piece_stays),
		cmocka_unit_test(many_pieces_go_at_once),
		cmocka_unit_test(a_segment_lives_while_it_is_attached),
		cmocka_unit_test(each_has_the_pages_of_the_segment),
	};

	return cmocka_run_group_tests_name("mm/shm", tests, NULL, NULL);
}
