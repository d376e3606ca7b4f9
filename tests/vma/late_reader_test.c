/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Readers that come late: memory that was a VMA of one mm when they found it is one of another mm
 * by the time they count themselves.
 */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#include "../embed/probe.h"

#include "base/atomic.h"
#include "vma/handle.h"
#include "vma/lock.h"

static struct vm_area_struct *counted;
static sem_t closed;

/*
 * After the teardown has write-locked the VMA, which waits for those counted before.  The mm makes
 * no difference to the count: one of its own stands for the late one of another.
 */
static void count_in_close(struct probe *probe, struct vma_mut *vma)
{
	counted = vma_from_mut(vma);
	assert_true(vma_pin_rcu(counted));
	sem_post(&closed);
}

static void *put_mm(void *mm)
{
	mmput(mm);
	return NULL;
}

/* An mm goes while one of its VMAs is counted: that one leaves first, and its count is 0 then. */
static void teardown_waits_for_late_readers(void **state)
{
	static struct space s;
	struct probe p;
	pthread_t thread;
	u32 refcnt;

	space_open(&s);
	probe_init(&p, &s);
	p.in_close = count_in_close;
	assert_int_equal(sem_init(&closed, 0, 0), 0);
	assert_int_equal(probe_map(&p, &s, 0, 2, RW), 0);
	assert_int_equal(pthread_create(&thread, NULL, put_mm, s.mm), 0);
	sem_wait(&closed);
	/* It waits for us, or has forgotten us: both are seen, so nobody has to be fast. */
	while ((refcnt = atomic_load_relaxed(&counted->vm_refcnt)) != VMA_WRITER + 1 && refcnt)
		sched_yield();
	assert_int_equal(refcnt, VMA_WRITER + 1);
	vma_unpin(counted);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(atomic_load_relaxed(&counted->vm_refcnt), 0);
	probe_put(&p);
	vmarea_destroy(s.v);
	sem_destroy(&closed);
}

/*
 * The numbers of sections have wrapped, and the one in which the VMA was last written to comes
 * again: it is not write-locked, or its writer would not wait for readers.
 */
static void an_old_number_comes_again(void **state)
{
	static struct space s;
	struct vm_area_struct *vma;
	struct mm_struct *mm;
	u32 old;

	space_open(&s);
	mm = mm_from_user(s.mm);
	assert_int_equal(space_map(&s, 0, 2, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS), 0);
	vma = vma_lock_read(mm, at(0));
	assert_non_null(vma);
	vma_unlock_read(vma);
	old = atomic_load_relaxed(&vma->vm_lock_seq);
	/* As after 2^31 calls that have left it alone. */
	atomic_store_relaxed(&mm->mm_lock_seq, UINT32_MAX - 1);
	do {
		mm_write_lock(mm);
		assert_int_not_equal(atomic_load_relaxed(&vma->vm_lock_seq),
				     atomic_load_relaxed(&mm->mm_lock_seq));
		mm_write_unlock(mm);
	} while (atomic_load_relaxed(&mm->mm_lock_seq) != old + 1);
	assert_ptr_equal(vma_lock_read(mm, at(0)), vma);
	vma_unlock_read(vma);
	space_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(teardown_waits_for_late_readers),
		cmocka_unit_test(an_old_number_comes_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
