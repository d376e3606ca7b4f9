/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * How long things live: an address space by its users, its struct by who grabbed it, a file by its
 * areas and by who asked for it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "probe.h"

static struct space s;
static struct probe p;

static void begin(void)
{
	space_open(&s);
	probe_init(&p, &s);
	assert_int_equal(probe_map(&p, &s, 0, 1, PROT_READ), 0);
}

static void gone_after_the_last_put(void **state)
{
	struct mm_struct *mm;
	struct mm_user *user, *second;

	begin();
	mm = mm_user_mm(s.mm);
	mmgrab(mm);
	user = mmget_not_zero(mm);
	assert_ptr_equal(mm_user_mm(user), mm);
	mmput(s.mm);
	assert_true(mm_range_ok(user, at(0), 1, PROT_READ));
	second = mmget(user);
	assert_ptr_equal(mm_user_mm(second), mm);
	mmput(user);
	assert_int_equal(p.nr_close, 0);
	mmput(second);
	assert_int_equal(p.nr_close, 1);
	/* The struct is there, and says no for ever. */
	for (int i = 0; i < 3; i++)
		assert_null(mmget_not_zero(mm));
	mmgrab(mm);
	mmdrop(mm);
	assert_null(mmget_not_zero(mm));
	mmdrop(mm);
	probe_put(&p);
	vmarea_destroy(s.v);
}

/* ------------------------------------------------------------ by another thread */

static pthread_t closer;

static void note_closer(struct probe *probe, struct vma_mut *vma)
{
	closer = pthread_self();
}

static void async_put_is_carried_out_elsewhere(void **state)
{
	struct mm_struct *mm;

	begin();
	p.in_close = note_closer;
	mm = mm_user_mm(s.mm);
	mmgrab(mm);
	mmput_async(mmget(s.mm));
	assert_int_equal(p.nr_close, 0);
	mmput_async(s.mm);
	/* Dead at once, torn down soon: in the end vmarea_destroy() waits for it. */
	assert_null(mmget_not_zero(mm));
	mmdrop(mm);
	file_put(p.file);
	vmarea_destroy(s.v);
	assert_int_equal(p.nr_close, 1);
	assert_int_equal(p.nr_release, 1);
	assert_false(pthread_equal(closer, pthread_self()));
}

/* From a hook, under an mmap lock: the teardown of the other mm calls the same hook. */
static _Atomic(struct mm_user *) given_to_hook;

static void put_in_close(struct probe *probe, struct vma_mut *vma)
{
	struct mm_user *mm = atomic_exchange(&given_to_hook, NULL);

	if (mm)
		mmput_async(mm);
}

static void async_put_under_the_lock(void **state)
{
	struct mm_user *child;

	begin();
	assert_int_equal(mm_fork(s.mm, &child), 0);
	p.in_close = put_in_close;
	given_to_hook = child;
	assert_int_equal(space_unmap(&s, 0, 1), 0);
	assert_null(given_to_hook);
	mmput(s.mm);
	file_put(p.file);
	vmarea_destroy(s.v);
	assert_int_equal(p.nr_close, 2);
	assert_int_equal(p.nr_release, 1);
}

/* ------------------------------------------------------------ who is last */

#define NR_ROUNDS	300
#define NR_THREADS	3

static struct mm_struct *shared_mm;
static atomic_int round_nr, nr_arrived, nr_done, used_dead;

/* Gets in while it can, not for ever; each reference works for as long as it is held. */
static void come_and_go(void)
{
	struct mm_user *user;

	for (int i = 0; i < 20 && (user = mmget_not_zero(shared_mm)); i++) {
		if (!mm_range_ok(user, at(0), 1, PROT_READ))
			used_dead++;
		mmput(user);
	}
}

static void *visitor(void *arg)
{
	for (int i = 1; i <= NR_ROUNDS; i++) {
		while (round_nr < i)
			sched_yield();
		nr_arrived++;
		come_and_go();
		nr_done++;
	}
	return NULL;
}

/* However the puts fall, exactly one is the last, and its teardown comes once. */
static void one_is_the_last(void **state)
{
	pthread_t threads[NR_THREADS];
	struct mm_config config = MM_CONFIG_INIT;

	begin();
	for (int i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, visitor, NULL), 0);
	for (int i = 1; i <= NR_ROUNDS; i++) {
		shared_mm = mm_user_mm(s.mm);
		mmgrab(shared_mm);
		nr_arrived = nr_done = 0;
		round_nr = i;
		while (nr_arrived < NR_THREADS)
			sched_yield();
		if (i % 2)
			mmput(s.mm);
		else
			mmput_async(s.mm);
		while (nr_done < NR_THREADS)
			sched_yield();
		assert_null(mmget_not_zero(shared_mm));
		mmdrop(shared_mm);
		assert_int_equal(mm_create(s.v, &config, &s.mm), 0);
		assert_int_equal(probe_map(&p, &s, 0, 1, PROT_READ), 0);
	}
	for (int i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	mmput(s.mm);
	file_put(p.file);
	vmarea_destroy(s.v);
	assert_int_equal(used_dead, 0);
	assert_int_equal(p.nr_mmap, NR_ROUNDS + 1);
	assert_int_equal(p.nr_close, NR_ROUNDS + 1);
	assert_int_equal(p.nr_release, 1);
}

/* ------------------------------------------------------------ files */

static void a_question_keeps_the_file(void **state)
{
	struct area_info info;

	begin();
	assert_int_equal(mm_query(s.mm, at(0), &info), 0);
	file_put(p.file);
	mmput(s.mm);
	assert_int_equal(p.nr_close, 1);
	assert_int_equal(p.nr_release, 0);
	assert_ptr_equal(file_private_data(info.file), &p);
	area_info_put(&info);
	assert_int_equal(p.nr_release, 1);
	assert_null(info.file);
	area_info_put(&info);
	vmarea_destroy(s.v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gone_after_the_last_put),
		cmocka_unit_test(async_put_is_carried_out_elsewhere),
		cmocka_unit_test(async_put_under_the_lock),
		cmocka_unit_test(one_is_the_last),
		cmocka_unit_test(a_question_keeps_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
