/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Files: what is refused, who holds one, and when it goes.
 */
#include <errno.h>

#include "../mm/space.h"
#include "base/bug.h"
#include "file/file.h"

static int released;

static int plain_mmap(struct file *file, struct vma_new *vma)
{
	return 0;
}

static void note_release(struct file *file)
{
	assert_string_equal(file_private_data(file), "the driver's word");
	released++;
}

static const struct file_operations counting_ops = {
	.owner = "test", .mmap = plain_mmap, .release = note_release,
};

static const struct file_desc good = {
	.size = sizeof(good), .name = "/a/file", .flags = FILE_READ | FILE_WRITE,
	.ops = &counting_ops, .private_data = (void *)"the driver's word",
	.size_bytes = 5,
};

static void refuses(void **state)
{
	struct file_desc desc = good;
	struct file *file = NULL;
	struct space s;

	space_open(&s);
	desc.size--;
	assert_int_equal(file_create(s.v, &desc, &file), -EINVAL);
	desc = good;
	desc.flags |= 0x80000000u;
	assert_int_equal(file_create(s.v, &desc, &file), -EINVAL);
	desc = good;
	desc.placement = (enum file_placement)77;
	assert_int_equal(file_create(s.v, &desc, &file), -EINVAL);
	assert_null(file);
	space_close(&s);
}

static void released_once_by_last_holder(void **state)
{
	struct file *file;
	struct space s;

	space_open(&s);
	released = 0;
	assert_int_equal(file_create(s.v, &good, &file), 0);
	assert_ptr_equal(file_get(file), file);
	file_put(file);
	assert_int_equal(released, 0);
	/* Two areas and a hole: each piece holds the file for itself. */
	assert_int_equal(space_map_file(&s, 0, 3, PROT_READ, MAP_PRIVATE, file, 0), 0);
	file_put(file);
	assert_int_equal(space_unmap(&s, 1, 1), 0);
	assert_int_equal(space_unmap(&s, 0, 1), 0);
	assert_int_equal(released, 0);
	assert_int_equal(space_unmap(&s, 2, 1), 0);
	assert_int_equal(released, 1);
	space_close(&s);
	assert_int_equal(released, 1);
}

static void late_reader_gets_nothing(void **state)
{
	struct file *file;
	struct space s;

	space_open(&s);
	assert_int_equal(file_create(s.v, &good, &file), 0);
	port_rcu_read_lock();
	assert_true(file_get_rcu(file));
	file_put(file);
	file_put(file);
	/* The memory is there until the section ends; the file is not. */
	assert_false(file_get_rcu(file));
	port_rcu_read_unlock();
	space_close(&s);
}

static void changes_while_open(void **state)
{
	unsigned long warned = port_warn_count();
	struct file *file;
	struct space s;

	space_open(&s);
	assert_int_equal(file_create(s.v, &good, &file), 0);
	assert_int_equal(file_size(file), 5);
	file_set_size(file, 1ul << 40);
	assert_int_equal(file_size(file), 1ul << 40);
	file_set_flags(file, FILE_DELETED | FILE_SEAL_WRITE, 0);
	assert_int_equal(file_flags(file), FILE_READ | FILE_WRITE | FILE_DELETED | FILE_SEAL_WRITE);
	file_set_flags(file, 0, FILE_DELETED);
	assert_int_equal(file_flags(file), FILE_READ | FILE_WRITE | FILE_SEAL_WRITE);
	assert_int_equal(port_warn_count(), warned);
	/* What a file was opened for stays. */
	file_set_flags(file, FILE_SHMEM, 0);
	assert_int_equal(port_warn_count(), warned + 1);
	assert_int_equal(file_flags(file), FILE_READ | FILE_WRITE | FILE_SEAL_WRITE);
	file_put(file);
	space_close(&s);
}

#ifdef CONFIG_VMAREA_DEBUG
static void fails_whole(void **state)
{
	struct file *file = NULL;
	struct space s;

	space_open(&s);
	for (long n = 1; n <= 3; n++) {
		long live = port_live_allocs();

		port_fail_nth(n);
		assert_int_equal(file_create(s.v, &good, &file), -ENOMEM);
		assert_int_equal(port_live_allocs(), live);
		assert_null(file);
	}
	port_fail_nth(0);
	space_close(&s);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses),
		cmocka_unit_test(released_once_by_last_holder),
		cmocka_unit_test(late_reader_gets_nothing),
		cmocka_unit_test(changes_while_open),
#ifdef CONFIG_VMAREA_DEBUG
		cmocka_unit_test(fails_whole),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
