/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The wrong-VMA attack: a driver remembers where its VMA is, the process puts another one there,
 * and the driver inserts a page.  Each way to put another one there, and a driver that refuses
 * each time, by the mmap lock and by the VMA lock.
 *
 * An mm without pages lets nobody insert: -EOPNOTSUPP is what a driver gets that would have.
 */
#include <pthread.h>

#include "probe.h"

#define ACCEPTED	(-EOPNOTSUPP)
#define REFUSED		(-ESRCH)

static struct space s;
static struct probe p, other;

/* What a driver keeps: an mm that may be dead by now, and an address. */
struct remembered {
	struct mm_struct *mm;
	unsigned long addr;
	struct page *page;
};

static struct remembered mine;

static int insert_owned(struct vma_ref *vma)
{
	struct vma_mixedmap *mixed = vma_as_owned_mixedmap(vma, &probe_ops, &p);

	return mixed ? vm_insert_page(mixed, mine.addr, mine.page) : REFUSED;
}

static int insert_under_mmap_lock(struct mm_user *mm)
{
	struct mmap_read *lock = mmap_read_lock(mm);
	struct vma_ref *vma = vma_lookup(lock, mine.addr);
	int err = vma ? insert_owned(vma) : REFUSED;

	mmap_read_unlock(lock);
	return err;
}

static int insert_under_vma_lock(struct mm_user *mm)
{
	struct vma_ref *vma = lock_vma_under_rcu(mm, mine.addr);
	int err;

	if (!vma)
		return REFUSED;
	err = insert_owned(vma);
	vma_end_read(vma);
	return err;
}

/* The driver's whole way, from what it remembers. */
static int insert(void)
{
	struct mm_user *mm = mmget_not_zero(mine.mm);
	int err;

	if (!mm)
		return REFUSED;
	err = insert_under_mmap_lock(mm);
	assert_int_equal(insert_under_vma_lock(mm), err);
	mmput(mm);
	return err;
}

static void begin(void)
{
	space_open(&s);
	probe_init(&p, &s);
	probe_init(&other, &s);
	p.mixedmap = other.mixedmap = true;
	assert_int_equal(probe_map(&p, &s, 0, 4, PROT_READ), 0);
	mine = (struct remembered){ .mm = mm_user_mm(s.mm), .addr = at(1),
				    .page = alloc_page(s.v) };
	mmgrab(mine.mm);
	assert_non_null(mine.page);
	assert_int_equal(insert(), ACCEPTED);
}

static void end(void)
{
	__free_page(mine.page);
	mmdrop(mine.mm);
	space_unmap(&s, 0, SPACE_PAGES);
	probe_put(&p);
	probe_put(&other);
	space_close(&s);
}

static void unmapped(void **state)
{
	begin();
	assert_int_equal(space_unmap(&s, 0, 4), 0);
	assert_int_equal(insert(), REFUSED);
	end();
}

static void something_else_mapped(void **state)
{
	struct file *file;

	begin();
	file = space_file(&s, 10, 0, FILE_PLACE_ANY);
	assert_int_equal(space_unmap(&s, 0, 4), 0);
	assert_int_equal(space_map(&s, 0, 4, RW, ANON), 0);
	assert_int_equal(insert(), REFUSED);
	assert_int_equal(space_map(&s, 0, 4, RW, MAP_SHARED | MAP_ANONYMOUS), 0);
	assert_int_equal(insert(), REFUSED);
	assert_int_equal(space_map_file(&s, 0, 4, PROT_READ, MAP_SHARED, file, 0), 0);
	assert_int_equal(insert(), REFUSED);
	file_put(file);
	end();
}

/* Another open of the same device: the same ops, other data. */
static void another_instance_mapped(void **state)
{
	begin();
	assert_int_equal(probe_map(&other, &s, 0, 4, PROT_READ), 0);
	assert_int_equal(insert(), REFUSED);
	/* The same data with other ops. */
	p.ops = &probe_ops_without_close;
	assert_int_equal(probe_map(&p, &s, 0, 4, PROT_READ), 0);
	assert_int_equal(insert(), REFUSED);
	/* Its own again, but one that may not have pages. */
	p.ops = &probe_ops;
	p.mixedmap = false;
	assert_int_equal(probe_map(&p, &s, 0, 4, PROT_READ), 0);
	assert_int_equal(insert(), REFUSED);
	p.mixedmap = true;
	assert_int_equal(probe_map(&p, &s, 0, 4, PROT_READ), 0);
	assert_int_equal(insert(), ACCEPTED);
	end();
}

static void something_moved_over(void **state)
{
	begin();
	assert_int_equal(space_map(&s, 20, 4, RW, ANON), 0);
	assert_int_equal(mm_mremap(s.mm, at(20), 4 * SPACE_PAGE, 4 * SPACE_PAGE,
				   MREMAP_MAYMOVE | MREMAP_FIXED, at(0)), (long)at(0));
	assert_int_equal(insert(), REFUSED);
	assert_int_equal(probe_map(&other, &s, 20, 4, PROT_READ), 0);
	assert_int_equal(mm_mremap(s.mm, at(20), 4 * SPACE_PAGE, 4 * SPACE_PAGE,
				   MREMAP_MAYMOVE | MREMAP_FIXED, at(0)), (long)at(0));
	assert_int_equal(insert(), REFUSED);
	end();
}

static void moved_away(void **state)
{
	struct mmap_read *lock;
	struct vma_ref *vma;

	begin();
	assert_int_equal(mm_mremap(s.mm, at(0), 4 * SPACE_PAGE, 4 * SPACE_PAGE,
				   MREMAP_MAYMOVE | MREMAP_FIXED, at(20)), (long)at(20));
	assert_int_equal(insert(), REFUSED);
	/* It is still the driver's, and the remembered address is outside of it. */
	lock = mmap_read_lock(s.mm);
	vma = vma_lookup(lock, at(21));
	assert_non_null(vma);
	assert_true(vma_is_owner(vma, &probe_ops, &p));
	assert_int_equal(insert_owned(vma), -EFAULT);
	mmap_read_unlock(lock);
	end();
}

/* The hole in the middle is filled by somebody else; the two ends are the driver's. */
static void split(void **state)
{
	struct mmap_read *lock;
	struct vma_ref *vma;

	begin();
	assert_int_equal(space_map(&s, 1, 2, RW, ANON), 0);
	assert_int_equal(insert(), REFUSED);
	lock = mmap_read_lock(s.mm);
	vma = vma_lookup(lock, at(0));
	assert_non_null(vma);
	assert_int_equal(insert_owned(vma), -EFAULT);
	vma = vma_lookup(lock, at(3));
	assert_non_null(vma);
	assert_int_equal(insert_owned(vma), -EFAULT);
	mmap_read_unlock(lock);
	mine.addr = at(3);
	assert_int_equal(insert(), ACCEPTED);
	end();
}

/* A hook that names the owner and then fails leaves nothing to be owner of. */
static void half_made(void **state)
{
	begin();
	p.mmap_error = -ENOSPC;
	assert_int_equal(probe_map(&p, &s, 0, 4, PROT_READ), -ENOSPC);
	assert_int_equal(insert(), REFUSED);
	end();
}

/* The parent is dead, its child has a VMA of the driver at the same address. */
static void fork_child(void **state)
{
	struct mm_user *child;
	struct mmap_read *lock;
	struct vma_ref *vma;

	begin();
	p.flags = VM_DONTCOPY;
	assert_int_equal(probe_map(&p, &s, 10, 1, PROT_READ), 0);
	assert_int_equal(mm_fork(s.mm, &child), 0);
	lock = mmap_read_lock(child);
	assert_null(vma_lookup(lock, at(10)));
	/* Copied, it is owned as well: it is another mm, which is what a driver compares. */
	vma = vma_lookup(lock, at(1));
	assert_non_null(vma);
	assert_true(vma_is_owner(vma, &probe_ops, &p));
	assert_ptr_equal(mm_user_mm(vma_mm(vma)), mm_user_mm(child));
	assert_ptr_not_equal(mm_user_mm(vma_mm(vma)), mine.mm);
	mmap_read_unlock(lock);
	mmput(s.mm);
	assert_int_equal(insert(), REFUSED);
	s.mm = child;
	end();
}

/* ------------------------------------------------------------ all at once */

#define NR_ROUNDS	4000

static atomic_bool attacked;
static atomic_int wrong_vma, nr_granted;

static void check_granted(struct vma_ref *vma)
{
	struct vma_mixedmap *mixed = vma_as_owned_mixedmap(vma, &probe_ops, &p);

	if (!mixed)
		return;
	nr_granted++;
	if (vma_file(mixed) != p.file || !(vma_flags(mixed) & VM_MIXEDMAP) ||
	    vma_start(mixed) > mine.addr || vma_end(mixed) <= mine.addr ||
	    vm_insert_page(mixed, mine.addr, mine.page) != ACCEPTED)
		wrong_vma++;
}

static void *insert_all_the_time(void *arg)
{
	while (!attacked || !nr_granted) {
		struct vma_ref *vma = lock_vma_under_rcu(s.mm, mine.addr);
		struct mmap_read *lock;

		if (vma) {
			check_granted(vma);
			vma_end_read(vma);
		}
		lock = mmap_read_lock(s.mm);
		vma = vma_lookup(lock, mine.addr);
		if (vma)
			check_granted(vma);
		mmap_read_unlock(lock);
	}
	return NULL;
}

static void beside_an_inserting_driver(void **state)
{
	pthread_t thread;

	begin();
	assert_int_equal(space_map(&s, 20, 4, RW, ANON), 0);
	assert_int_equal(pthread_create(&thread, NULL, insert_all_the_time, NULL), 0);
	for (int i = 0; i < NR_ROUNDS; i++) {
		assert_int_equal(space_unmap(&s, 0, 4), 0);
		assert_int_equal(space_map(&s, 0, 4, RW, ANON), 0);
		assert_int_equal(probe_map(&other, &s, 0, 4, PROT_READ), 0);
		assert_int_equal(probe_map(&p, &s, 0, 4, PROT_READ), 0);
		assert_int_equal(space_unmap(&s, 1, 2), 0);
		assert_int_equal(probe_map(&p, &s, 0, 4, PROT_READ), 0);
	}
	attacked = true;
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(wrong_vma, 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unmapped),
		cmocka_unit_test(something_else_mapped),
		cmocka_unit_test(another_instance_mapped),
		cmocka_unit_test(something_moved_over),
		cmocka_unit_test(moved_away),
		cmocka_unit_test(split),
		cmocka_unit_test(half_made),
		cmocka_unit_test(fork_child),
		cmocka_unit_test(beside_an_inserting_driver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
