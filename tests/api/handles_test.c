/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What handles do when they are used well, and what is reported when they are not.  That a wrong
 * use does not compile is shown in tests/misuse.
 */
#include <errno.h>
#include <pthread.h>

#include "../mm/space.h"
#include "base/bug.h"
#include "port/port.h"

/* A thread that does one thing, and an end to it. */
static void in_thread(void *(*fn)(void *), void *arg)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, fn, arg), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

/* ----------------------------------------------------------------- locks */

static void looks_up(void **state)
{
	struct mmap_read *lock;
	struct vma_ref *vma;
	unsigned long seen = 0, addr = 0;
	struct space s;

	space_open(&s);
	assert_int_equal(space_map(&s, 0, 2, RW, ANON), 0);
	assert_int_equal(space_map(&s, 4, 1, PROT_READ, ANON), 0);
	lock = mmap_read_lock(s.mm);
	assert_null(vma_lookup(lock, at(2)));
	assert_null(vma_lookup(lock, at(0) - 1));
	vma = vma_lookup(lock, at(1) + 5);
	assert_non_null(vma);
	assert_int_equal(vma_start(vma), at(0));
	assert_int_equal(vma_end(vma), at(2));
	assert_true(vma_flags(vma) & VM_WRITE);
	assert_ptr_equal(mm_user_mm(vma_mm(vma)), mm_user_mm(s.mm));
	assert_null(vma_file(vma));
	assert_null(vma_private_data(vma));
	assert_null(vma_as_mixedmap(vma));
	while ((vma = vma_find(lock, addr))) {
		addr = vma_end(vma);
		seen++;
	}
	assert_int_equal(seen, 2);
	assert_int_equal(addr, at(5));
	mmap_read_unlock(lock);
	space_close(&s);
}

static void *try_all(void *arg)
{
	struct space *s = arg;

	assert_null(mmap_write_trylock(s->mm));
	assert_null(mmap_write_lock_until(s->mm, port_now_ns()));
	return NULL;
}

static void *try_read(void *arg)
{
	struct space *s = arg;

	assert_null(mmap_read_trylock(s->mm));
	assert_null(mmap_read_lock_until(s->mm, port_now_ns()));
	return try_all(arg);
}

static void *read_beside_reader(void *arg)
{
	struct space *s = arg;
	struct mmap_read *lock = mmap_read_trylock(s->mm);

	assert_non_null(lock);
	mmap_read_unlock(lock);
	lock = mmap_read_lock_until(s->mm, port_now_ns());
	assert_non_null(lock);
	mmap_read_unlock(lock);
	lock = mmap_read_lock_killable(s->mm);
	assert_non_null(lock);
	mmap_read_unlock(lock);
	return try_all(arg);
}

static void tries(void **state)
{
	struct mmap_write *write;
	struct mmap_read *read;
	struct space s;

	space_open(&s);
	write = mmap_write_trylock(s.mm);
	assert_non_null(write);
	in_thread(try_read, &s);
	read = mmap_write_downgrade(write);
	in_thread(read_beside_reader, &s);
	mmap_read_unlock(read);
	write = mmap_write_lock_until(s.mm, port_now_ns());
	assert_non_null(write);
	mmap_write_unlock(write);
	write = mmap_write_lock_killable(s.mm);
	assert_non_null(write);
	mmap_write_unlock(write);
	space_close(&s);
}

static void *wait_to_read(void *arg)
{
	struct space *s = arg;

	assert_null(mmap_read_lock_killable(s->mm));
	return NULL;
}

static void *wait_to_write(void *arg)
{
	struct space *s = arg;

	assert_null(mmap_write_lock_killable(s->mm));
	return NULL;
}

/* Whether a thread already waits or is still on its way makes no difference to how it ends. */
static void kill_ends_all_waits(void **state)
{
	pthread_t threads[4];
	struct mmap_write *lock;
	struct space s;

	space_open(&s);
	lock = mmap_write_lock(s.mm);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
						i % 2 ? wait_to_read : wait_to_write, &s), 0);
	mm_kill(s.mm);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	in_thread(wait_to_read, &s);
	mmap_write_unlock(lock);
	/* Nothing to wait for: nothing to be killed in. */
	lock = mmap_write_lock_killable(s.mm);
	assert_non_null(lock);
	mmap_write_unlock(lock);
	space_close(&s);
}

static void speculates(void **state)
{
	struct mmap_write *lock;
	unsigned int seq, other;
	struct space s;

	space_open(&s);
	assert_true(mmap_lock_speculate_try_begin(s.mm, &seq));
	assert_false(mmap_lock_speculate_retry(s.mm, seq));
	lock = mmap_write_lock(s.mm);
	assert_false(mmap_lock_speculate_try_begin(s.mm, &other));
	assert_true(mmap_lock_speculate_retry(s.mm, seq));
	mmap_write_unlock(lock);
	assert_true(mmap_lock_speculate_retry(s.mm, seq));
	assert_true(mmap_lock_speculate_try_begin(s.mm, &seq));
	assert_false(mmap_lock_speculate_retry(s.mm, seq));
	space_close(&s);
}

/* ------------------------------------------------------------ a VMA's own lock */

static void *no_vma_lock(void *arg)
{
	struct space *s = arg;

	assert_null(lock_vma_under_rcu(s->mm, at(0)));
	return NULL;
}

static void *vma_lock(void *arg)
{
	struct space *s = arg;
	struct vma_ref *vma = lock_vma_under_rcu(s->mm, at(4));

	assert_non_null(vma);
	assert_int_equal(vma_start(vma), at(4));
	vma_end_read(vma);
	return NULL;
}

static void write_lock_is_of_one_vma(void **state)
{
	struct mmap_write *lock;
	struct vma_mut *mut;
	struct space s;

	space_open(&s);
	assert_int_equal(space_map(&s, 0, 1, RW, ANON), 0);
	assert_int_equal(space_map(&s, 4, 1, RW, ANON), 0);
	assert_null(lock_vma_under_rcu(s.mm, at(2)));
	lock = mmap_write_lock(s.mm);
	mut = vma_start_write(lock, vma_lookup(lock, at(0)));
	assert_int_equal(vma_start(mut), at(0));
	in_thread(no_vma_lock, &s);
	in_thread(vma_lock, &s);
	/* It ends with the mmap lock, or when that is downgraded. */
	mmap_read_unlock(mmap_write_downgrade(lock));
	in_thread(vma_lock, &s);
	mmap_read_unlock(mmap_read_lock(s.mm));
	space_close(&s);
}

static void names_are_checked(void **state)
{
	char longest[81];
	struct mmap_write *lock;
	struct vma_mut *mut;
	struct file *file;
	struct space s;

	space_open(&s);
	file = space_file(&s, 4, 0, FILE_PLACE_ANY);
	assert_int_equal(space_map(&s, 0, 1, RW, ANON), 0);
	assert_int_equal(space_map_file(&s, 4, 1, PROT_READ, MAP_PRIVATE, file, 0), 0);
	lock = mmap_write_lock(s.mm);
	mut = vma_start_write(lock, vma_lookup(lock, at(4)));
	assert_int_equal(vma_set_anon_name(mut, "file"), -EBADF);
	mut = vma_start_write(lock, vma_lookup(lock, at(0)));
	assert_int_equal(vma_set_anon_name(mut, "a name"), 0);
	assert_int_equal(vma_set_anon_name(mut, "a[name"), -EINVAL);
	memset(longest, 'x', 80);
	longest[80] = 0;
	assert_int_equal(vma_set_anon_name(mut, longest), -EINVAL);
	longest[79] = 0;
	assert_int_equal(vma_set_anon_name(mut, longest), 0);
	assert_int_equal(vma_set_anon_name(mut, NULL), 0);
	assert_int_equal(vma_set_anon_name(mut, NULL), 0);
	mmap_write_unlock(lock);
	file_put(file);
	space_close(&s);
}

/* -------------------------------------------------------------- drivers */

static const struct vm_operations_struct driver_ops, other_ops;
static int driver_data, other_data;
static unsigned long clear_results;

static int driver_mmap(struct file *file, struct vma_new *vma)
{
	struct vma_mixedmap *mixed;

	assert_ptr_equal(vma_file(vma), file);
	vma_set_io(vma);
	vma_set_dontexpand(vma);
	vma_set_dontcopy(vma);
	vma_set_dontdump(vma);
	vma_set_owner(vma, &driver_ops, file_private_data(file));
	mixed = vma_set_mixedmap(vma);
	assert_int_equal(vma_end(mixed), vma_end(vma));
	clear_results = (vma_try_clear_mayread(vma) == -EINVAL) |
			(vma_try_clear_maywrite(vma) == -EINVAL) << 1 |
			(vma_try_clear_mayexec(vma) == -EINVAL) << 2;
	return 0;
}

static const struct file_operations driver_file_ops = { .owner = "driver", .mmap = driver_mmap };

static struct file *driver_file(struct space *s, const struct file_operations *ops)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/dev/driver", .ops = ops,
		.private_data = &driver_data, .flags = FILE_READ | FILE_WRITE,
	};
	struct file *file;

	assert_int_equal(file_create(s->v, &desc, &file), 0);
	return file;
}

static void hook_configures(void **state)
{
	struct mmap_read *lock;
	struct vma_ref *vma;
	struct file *file;
	struct space s;

	space_open(&s);
	file = driver_file(&s, &driver_file_ops);
	assert_int_equal(space_map_file(&s, 0, 2, PROT_READ, MAP_SHARED, file, 3), 0);
	/* Readable: VM_MAYREAD stays; the other two are gone for good. */
	assert_int_equal(clear_results, 1);
	assert_int_equal(mm_mprotect(s.mm, at(0), SPACE_PAGE, RW), -EACCES);
	assert_int_equal(mm_mprotect(s.mm, at(0), SPACE_PAGE, PROT_EXEC), -EACCES);
	lock = mmap_read_lock(s.mm);
	vma = vma_lookup(lock, at(0));
	assert_non_null(vma);
	assert_int_equal(vma_flags(vma), VM_READ | VM_SHARED | VM_MAYREAD | VM_MAYSHARE | VM_IO |
			 VM_DONTEXPAND | VM_DONTCOPY | VM_DONTDUMP | VM_MIXEDMAP);
	assert_int_equal(vma_pgoff(vma), 3);
	assert_ptr_equal(vma_file(vma), file);
	assert_ptr_equal(vma_private_data(vma), &driver_data);
	assert_true(vma_is_owner(vma, &driver_ops, &driver_data));
	assert_false(vma_is_owner(vma, &other_ops, &driver_data));
	assert_false(vma_is_owner(vma, &driver_ops, &other_data));
	assert_false(vma_is_owner(vma, NULL, &driver_data));
	mmap_read_unlock(lock);
	file_put(file);
	space_close(&s);
}

static const struct vm_operations_struct *next_ops;
static void *next_data;

static int owning_mmap(struct file *file, struct vma_new *vma)
{
	vma_set_owner(vma, next_ops, next_data);
	return 0;
}

static const struct file_operations owning_file_ops = { .owner = "owning", .mmap = owning_mmap };

static void assert_owner(struct space *s, unsigned long page,
			 const struct vm_operations_struct *ops, const void *data)
{
	struct mmap_read *lock = mmap_read_lock(s->mm);
	struct vma_ref *vma = vma_lookup(lock, at(page));

	assert_non_null(vma);
	assert_true(vma_is_owner(vma, ops, data));
	mmap_read_unlock(lock);
}

/* What joins is one driver's, and of one thing of it: whatever else is the same. */
static void owners_stay_apart(void **state)
{
	static const struct {
		const struct vm_operations_struct *ops;
		void *data;
	} others[] = { { &driver_ops, &other_data }, { &other_ops, &driver_data } };
	struct file *file;
	struct space s;

	for (size_t i = 0; i < 2; i++) {
		space_open(&s);
		file = driver_file(&s, &owning_file_ops);
		next_ops = &driver_ops;
		next_data = &driver_data;
		assert_int_equal(space_map_file(&s, 0, 1, RW, MAP_SHARED, file, 0), 0);
		assert_int_equal(space_map_file(&s, 8, 1, RW, MAP_SHARED, file, 8), 0);
		next_ops = others[i].ops;
		next_data = others[i].data;
		/* A change in place. */
		assert_int_equal(space_map_file(&s, 1, 1, PROT_READ, MAP_SHARED, file, 1), 0);
		assert_int_equal(mm_mprotect(s.mm, at(1), SPACE_PAGE, RW), 0);
		assert_areas(&s, "[0..1)rw-s [1..2)rw-s [8..9)rw-s");
		/* A hole between two: part of the left one. */
		assert_int_equal(space_map_file(&s, 3, 1, RW, MAP_SHARED, file, 3), 0);
		assert_int_equal(space_map_file(&s, 4, 4, RW, MAP_SHARED, file, 4), 0);
		assert_areas(&s, "[0..1)rw-s [1..2)rw-s [3..8)rw-s [8..9)rw-s");
		/* A move, and growing where another begins. */
		assert_int_equal(mm_mremap(s.mm, at(8), SPACE_PAGE, SPACE_PAGE,
					   MREMAP_MAYMOVE | MREMAP_FIXED, at(20)), at(20));
		assert_int_equal(mm_mremap(s.mm, at(7), SPACE_PAGE, SPACE_PAGE,
					   MREMAP_MAYMOVE | MREMAP_FIXED, at(19)), at(19));
		assert_int_equal(mm_mremap(s.mm, at(0), SPACE_PAGE, SPACE_PAGE,
					   MREMAP_MAYMOVE | MREMAP_FIXED, at(12)), at(12));
		assert_int_equal(mm_mremap(s.mm, at(19), SPACE_PAGE, SPACE_PAGE,
					   MREMAP_MAYMOVE | MREMAP_FIXED, at(30)), at(30));
		assert_areas(&s, "[1..2)rw-s [3..7)rw-s [12..13)rw-s [20..21)rw-s [30..31)rw-s");
		assert_owner(&s, 1, others[i].ops, others[i].data);
		assert_owner(&s, 6, others[i].ops, others[i].data);
		assert_owner(&s, 12, &driver_ops, &driver_data);
		assert_owner(&s, 20, &driver_ops, &driver_data);
		assert_owner(&s, 30, others[i].ops, others[i].data);
		file_put(file);
		space_close(&s);
	}
}

static int greedy_mmap(struct file *file, struct vma_new *vma)
{
	__vm_flags_set(vma, VM_PFNMAP | VM_MAYWRITE | VM_IO);
	return 0;
}

static const struct file_operations greedy_file_ops = { .owner = "greedy", .mmap = greedy_mmap };

static void hook_cannot_set_other_flags(void **state)
{
	unsigned long warned = port_warn_count();
	struct mmap_read *lock;
	struct vma_ref *vma;
	struct file *file;
	struct space s;

	space_open(&s);
	file = driver_file(&s, &greedy_file_ops);
	assert_int_equal(space_map_file(&s, 0, 1, PROT_READ, MAP_SHARED, file, 0), 0);
	assert_int_equal(port_warn_count(), warned + 1);
	lock = mmap_read_lock(s.mm);
	vma = vma_lookup(lock, at(0));
	assert_non_null(vma);
	assert_int_equal(vma_flags(vma) & (VM_PFNMAP | VM_IO), VM_IO);
	/* An owner is somebody who said so: two NULLs are everybody's. */
	assert_false(vma_is_owner(vma, NULL, NULL));
	mmap_read_unlock(lock);
	file_put(file);
	space_close(&s);
}

/* The process unmaps the driver's VMA and maps something else there. */
static void wrong_vma_attack_fails(void **state)
{
	struct mmap_read *lock;
	struct vma_ref *vma;
	struct file *file;
	struct space s;

	space_open(&s);
	file = driver_file(&s, &driver_file_ops);
	assert_int_equal(space_map_file(&s, 0, 2, PROT_READ, MAP_SHARED, file, 0), 0);
	lock = mmap_read_lock(s.mm);
	vma = vma_lookup(lock, at(0));
	assert_non_null(vma);
	assert_non_null(vma_as_owned_mixedmap(vma, &driver_ops, &driver_data));
	assert_null(vma_as_owned_mixedmap(vma, &driver_ops, &other_data));
	mmap_read_unlock(lock);
	assert_int_equal(space_map(&s, 0, 2, RW, ANON), 0);
	lock = mmap_read_lock(s.mm);
	vma = vma_lookup(lock, at(0));
	assert_non_null(vma);
	assert_null(vma_as_owned_mixedmap(vma, &driver_ops, &driver_data));
	mmap_read_unlock(lock);
	file_put(file);
	space_close(&s);
}

static void pages_and_ranges(void **state)
{
	unsigned long warned = port_warn_count();
	struct vma_mixedmap *mixed;
	struct mmap_read *lock;
	struct vma_ref *vma;
	struct page *page;
	struct file *file;
	struct space s;
	char *bytes;

	space_open(&s);
	page = alloc_page(s.v);
	assert_non_null(page);
	bytes = page_address(page);
	for (unsigned long i = 0; i < SPACE_PAGE; i++)
		assert_int_equal(bytes[i], 0);
	memset(bytes, 0x55, SPACE_PAGE);
	file = driver_file(&s, &driver_file_ops);
	assert_int_equal(space_map_file(&s, 0, 2, PROT_READ, MAP_SHARED, file, 0), 0);
	lock = mmap_read_lock(s.mm);
	vma = vma_lookup(lock, at(0));
	assert_non_null(vma);
	mixed = vma_as_mixedmap(vma);
	assert_non_null(mixed);
	assert_int_equal(vm_insert_page(mixed, at(2), page), -EFAULT);
	assert_int_equal(vm_insert_page(mixed, at(0) - 1, page), -EFAULT);
	assert_int_equal(vm_insert_page(mixed, at(0) + 1, page), -EINVAL);
	assert_int_equal(vm_insert_page(mixed, at(1), page), -EOPNOTSUPP);
	zap_vma_range(vma, at(0), 2 * SPACE_PAGE);
	zap_vma_range(vma, at(1), SPACE_PAGE);
	assert_int_equal(port_warn_count(), warned);
	zap_vma_range(vma, at(1), 2 * SPACE_PAGE);
	zap_vma_range(vma, at(1), ~0ul);
	assert_int_equal(port_warn_count(), warned + 2);
	mmap_read_unlock(lock);
	file_put(file);
	__free_page(page);
	space_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(looks_up),
		cmocka_unit_test(tries),
		cmocka_unit_test(kill_ends_all_waits),
		cmocka_unit_test(speculates),
		cmocka_unit_test(write_lock_is_of_one_vma),
		cmocka_unit_test(names_are_checked),
		cmocka_unit_test(hook_configures),
		cmocka_unit_test(owners_stay_apart),
		cmocka_unit_test(hook_cannot_set_other_flags),
		cmocka_unit_test(wrong_vma_attack_fails),
		cmocka_unit_test(pages_and_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
