/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The promises of the reader/writer lock, one by one.  The tests set a scene up by waiting until
 * the lock's state shows that the others have arrived in it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/errno.h"
#include "sync/rwsem.h"
#include "threads.h"

static struct rwsem sem;

static u64 waiting_writers(void)
{
	return (atomic_load_relaxed(&sem.state) & RWSEM_WWAIT_MASK) / RWSEM_WWAIT;
}

static u64 waiting_readers(void)
{
	return (atomic_load_relaxed(&sem.state) & RWSEM_RWAIT_MASK) / RWSEM_RWAIT;
}

static u64 readers_inside(void)
{
	return (atomic_load_relaxed(&sem.state) & RWSEM_IN_MASK) / RWSEM_IN;
}

/* Nobody inside, nobody waits, no flag left behind. */
static void assert_idle(void)
{
	assert_int_equal(atomic_load_relaxed(&sem.state) & ~RWSEM_PHASE, 0);
}

static int set_up(void **state)
{
	(void)state;
	rwsem_init(&sem, LOCK_RANK_MMAP);
	return 0;
}

/* One thread that takes the lock once, and what it is told and tells. */
struct actor {
	enum { READS, WRITES } what;
	struct kill_switch kill;
	u64 deadline_ns;		/* 0: none */
	u32 leave;			/* flag: may unlock */
	u32 inside;			/* flag */
	u32 place;			/* in the order of arrival, from 1 */
	int err;
	pthread_t thread;
};

static u32 arrivals;			/* atomic */

static void *act(void *arg)
{
	struct actor *a = arg;
	struct rwsem_patience patience = {
		.deadline_ns = a->deadline_ns ? a->deadline_ns : PORT_NO_DEADLINE,
		.kill = &a->kill,
	};

	if (a->what == READS)
		a->err = rwsem_read_lock_patient_at(&sem, patience, WITNESS_HERE);
	else
		a->err = rwsem_write_lock_patient_at(&sem, patience, WITNESS_HERE);
	if (a->err)
		return NULL;
	a->place = atomic_add_relaxed(&arrivals, 1) + 1;
	raise_flag(&a->inside);
	wait_for_flag(&a->leave);
	if (a->what == READS)
		rwsem_read_unlock(&sem);
	else
		rwsem_write_unlock(&sem);
	return NULL;
}

/* Starts an actor that will have to wait, and returns when it does. */
static void start_waiting(struct actor *a)
{
	u64 before = waiting_readers() + waiting_writers();

	a->thread = start(act, a);
	wait_until(waiting_readers() + waiting_writers() == before + 1);
}

static void leave_and_finish(struct actor *a)
{
	raise_flag(&a->leave);
	finish(a->thread);
}

static void test_who_excludes_whom(void **state)
{
	(void)state;
	assert_true(rwsem_read_trylock(&sem));
	assert_true(rwsem_is_locked(&sem));
	assert_false(rwsem_is_write_locked(&sem));
	assert_true(rwsem_read_trylock(&sem));
	assert_false(rwsem_write_trylock(&sem));
	rwsem_read_unlock(&sem);
	assert_false(rwsem_write_trylock(&sem));
	rwsem_read_unlock(&sem);
	assert_idle();
	assert_true(rwsem_write_trylock(&sem));
	assert_true(rwsem_is_write_locked(&sem));
	assert_false(rwsem_read_try(&sem));
	assert_false(rwsem_write_try(&sem));
	rwsem_write_unlock(&sem);
	assert_idle();
	assert_false(rwsem_is_locked(&sem));
}

/* F1 */
static void test_waiting_writer_holds_readers_back(void **state)
{
	struct actor writer = { .what = WRITES }, reader = { .what = READS };

	(void)state;
	rwsem_read_lock(&sem);
	assert_false(rwsem_is_contended(&sem));
	start_waiting(&writer);
	assert_true(rwsem_is_contended(&sem));
	assert_false(rwsem_read_trylock(&sem));
	start_waiting(&reader);
	assert_int_equal(readers_inside(), 1);
	rwsem_read_unlock(&sem);
	wait_for_flag(&writer.inside);
	assert_int_equal(waiting_readers(), 1);
	leave_and_finish(&writer);
	leave_and_finish(&reader);
	assert_true(writer.place < reader.place);
	assert_idle();
}

/* F2: all readers that wait enter together, before a writer that has waited longer. */
static void test_readers_enter_together(void **state)
{
	struct actor writer = { .what = WRITES }, readers[3] = { 0 };

	(void)state;
	rwsem_write_lock(&sem);
	start_waiting(&writer);
	for (int i = 0; i < 3; i++)
		start_waiting(&readers[i]);
	rwsem_write_unlock(&sem);
	for (int i = 0; i < 3; i++)
		wait_for_flag(&readers[i].inside);
	assert_int_equal(readers_inside(), 3);
	assert_int_equal(waiting_writers(), 1);
	for (int i = 0; i < 3; i++)
		leave_and_finish(&readers[i]);
	wait_for_flag(&writer.inside);
	leave_and_finish(&writer);
	for (int i = 0; i < 3; i++)
		assert_true(readers[i].place < writer.place);
	assert_idle();
}

/* F3: a writer that was woken for nothing is next; nobody overtakes it after that. */
static void test_front_writer_is_next(void **state)
{
	struct actor front = { .what = WRITES }, others[2] = { { .what = WRITES },
							       { .what = WRITES } };

	(void)state;
	rwsem_write_lock(&sem);
	start_waiting(&front);
	wait_until((port_wake(&sem.writers_gate, 1),
		    atomic_load_relaxed(&sem.state) & RWSEM_FRONT));
	start_waiting(&others[0]);
	start_waiting(&others[1]);
	rwsem_write_unlock(&sem);
	/* Free or not: it is kept for the front writer. */
	assert_false(rwsem_write_trylock(&sem));
	wait_for_flag(&front.inside);
	leave_and_finish(&front);
	for (int i = 0; i < 2; i++)
		leave_and_finish(&others[i]);
	assert_true(front.place < others[0].place);
	assert_true(front.place < others[1].place);
	assert_idle();
}

static void test_downgrade(void **state)
{
	struct actor writer = { .what = WRITES }, reader = { .what = READS };

	(void)state;
	rwsem_write_lock(&sem);
	rwsem_downgrade(&sem);
	assert_int_equal(readers_inside(), 1);
	assert_true(rwsem_read_try(&sem));
	atomic_sub_release(&sem.state, RWSEM_IN);
	rwsem_read_unlock(&sem);
	assert_idle();

	rwsem_write_lock(&sem);
	start_waiting(&writer);
	start_waiting(&reader);
	rwsem_downgrade(&sem);
	wait_for_flag(&reader.inside);
	assert_int_equal(readers_inside(), 2);
	assert_int_equal(waiting_writers(), 1);
	/* The writer still holds new readers back. */
	assert_false(rwsem_read_try(&sem));
	leave_and_finish(&reader);
	assert_int_equal(atomic_load_relaxed(&writer.inside), 0);
	rwsem_read_unlock(&sem);
	leave_and_finish(&writer);
	assert_idle();
}

static void *expire(void *arg)
{
	*(int *)arg = rwsem_read_lock_until(&sem, 0) + 1000 * rwsem_write_lock_until(&sem, 0);
	return NULL;
}

static void test_time_limit(void **state)
{
	int err = 0;

	(void)state;
	/* Free: had at once, whatever the limit. */
	assert_int_equal(rwsem_read_lock_until(&sem, 0), 0);
	rwsem_read_unlock(&sem);
	assert_int_equal(rwsem_write_lock_until(&sem, 0), 0);
	finish(start(expire, &err));
	assert_int_equal(err, -ETIMEDOUT * 1001);
	assert_int_equal(atomic_load_relaxed(&sem.state) & ~RWSEM_PHASE, RWSEM_WRITER);
	rwsem_write_unlock(&sem);
	assert_idle();
}

static void test_time_limit_in_the_future(void **state)
{
	struct actor late = { .what = WRITES }, early = { .what = READS };

	(void)state;
	rwsem_write_lock(&sem);
	late.deadline_ns = port_now_ns() + 3600ull * 1000 * 1000 * 1000;
	early.deadline_ns = port_now_ns() + 1000 * 1000;
	start_waiting(&late);
	early.thread = start(act, &early);
	finish(early.thread);
	assert_int_equal(early.err, -ETIMEDOUT);
	assert_true(port_now_ns() >= early.deadline_ns);
	rwsem_write_unlock(&sem);
	wait_for_flag(&late.inside);
	leave_and_finish(&late);
	assert_int_equal(late.err, 0);
	assert_idle();
}

static void test_kill_before(void **state)
{
	struct actor reader = { .what = READS }, writer = { .what = WRITES };

	(void)state;
	kill_switch_fire(&reader.kill);
	kill_switch_fire(&writer.kill);
	assert_true(kill_switch_fired(&writer.kill));
	/* Free: a dead man may have it, as he need not sleep for it. */
	assert_int_equal(rwsem_read_lock_killable(&sem, &reader.kill), 0);
	rwsem_read_unlock(&sem);
	assert_int_equal(rwsem_write_lock_killable(&sem, &writer.kill), 0);
	reader.thread = start(act, &reader);
	writer.thread = start(act, &writer);
	finish(reader.thread);
	finish(writer.thread);
	assert_int_equal(reader.err, -EINTR);
	assert_int_equal(writer.err, -EINTR);
	rwsem_write_unlock(&sem);
	assert_idle();
}

/* F4: the last waiting writer gives up, so the readers behind it need not wait any more. */
static void test_killed_writer_lets_readers_in(void **state)
{
	struct actor writer = { .what = WRITES }, readers[2] = { 0 };

	(void)state;
	rwsem_read_lock(&sem);
	start_waiting(&writer);
	start_waiting(&readers[0]);
	start_waiting(&readers[1]);
	kill_switch_fire(&writer.kill);
	finish(writer.thread);
	assert_int_equal(writer.err, -EINTR);
	for (int i = 0; i < 2; i++)
		wait_for_flag(&readers[i].inside);
	assert_int_equal(readers_inside(), 3);
	for (int i = 0; i < 2; i++)
		leave_and_finish(&readers[i]);
	rwsem_read_unlock(&sem);
	assert_idle();
}

/* F4: somebody in the middle gives up; those before and behind it do not notice. */
static void test_killed_in_the_middle(void **state)
{
	struct actor actors[5] = {
		{ .what = WRITES }, { .what = READS }, { .what = WRITES }, { .what = READS },
		{ .what = WRITES },
	};

	(void)state;
	for (int victim = 0; victim < 5; victim++) {
		rwsem_write_lock(&sem);
		for (int i = 0; i < 5; i++) {
			actors[i] = (struct actor){ .what = i % 2 ? READS : WRITES };
			start_waiting(&actors[i]);
		}
		kill_switch_fire(&actors[victim].kill);
		finish(actors[victim].thread);
		assert_int_equal(actors[victim].err, -EINTR);
		for (int i = 0; i < 5; i++)
			raise_flag(&actors[i].leave);
		rwsem_write_unlock(&sem);
		for (int i = 0; i < 5; i++) {
			if (i == victim)
				continue;
			finish(actors[i].thread);
			assert_int_equal(actors[i].err, 0);
		}
		assert_idle();
	}
}

/*
 * F4 again, in the narrow place: a writer is woken and killed at once.  Its wake-up must reach
 * the writer behind it, in whatever order the two happen.
 */
static void test_kill_races_with_wake(void **state)
{
	(void)state;
	for (int i = 0; i < 300; i++) {
		struct actor victim = { .what = WRITES }, next = { .what = WRITES };

		raise_flag(&victim.leave);
		raise_flag(&next.leave);
		rwsem_write_lock(&sem);
		start_waiting(&victim);
		start_waiting(&next);
		if (i % 2)
			kill_switch_fire(&victim.kill);
		rwsem_write_unlock(&sem);
		if (!(i % 2))
			kill_switch_fire(&victim.kill);
		finish(victim.thread);
		finish(next.thread);
		assert_true(!victim.err || victim.err == -EINTR);
		assert_int_equal(next.err, 0);
		assert_idle();
	}
}

/* The lock in memory that two processes share. */
struct common {
	struct rwsem sem;
	long a, b;
};

static void add_in_turns(struct common *c)
{
	for (int i = 0; i < 5000; i++) {
		if (i % 3) {
			rwsem_write_lock(&c->sem);
			c->a++;
			c->b++;
			rwsem_write_unlock(&c->sem);
		} else {
			rwsem_read_lock(&c->sem);
			VM_BUG_ON(c->a != c->b);
			rwsem_read_unlock(&c->sem);
		}
	}
}

static void test_between_processes(void **state)
{
	struct common *c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	(void)state;
	assert_ptr_not_equal(c, MAP_FAILED);
	rwsem_init(&c->sem, LOCK_RANK_MMAP);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		alarm(60);
		add_in_turns(c);
		_exit(0);
	}
	add_in_turns(c);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(c->a, 2 * 3333);
	assert_int_equal(c->b, 2 * 3333);
	munmap(c, sizeof(*c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_who_excludes_whom, set_up),
		cmocka_unit_test_setup(test_waiting_writer_holds_readers_back, set_up),
		cmocka_unit_test_setup(test_readers_enter_together, set_up),
		cmocka_unit_test_setup(test_front_writer_is_next, set_up),
		cmocka_unit_test_setup(test_downgrade, set_up),
		cmocka_unit_test_setup(test_time_limit, set_up),
		cmocka_unit_test_setup(test_time_limit_in_the_future, set_up),
		cmocka_unit_test_setup(test_kill_before, set_up),
		cmocka_unit_test_setup(test_killed_writer_lets_readers_in, set_up),
		cmocka_unit_test_setup(test_killed_in_the_middle, set_up),
		cmocka_unit_test_setup(test_kill_races_with_wake, set_up),
		cmocka_unit_test_setup(test_between_processes, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
