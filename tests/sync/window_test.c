/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The narrow windows of the reader/writer lock, entered on purpose.
 *
 * Between a waiter's last look at the lock and its sleep, somebody else may act.  With real
 * threads that takes luck; here the code under test is compiled into the test with its
 * port_wait() and port_cpu_relax() replaced, and the other one acts inside of these, in the same
 * thread.  A port_wait() that would really sleep is a lost wake-up, and fails the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/errno.h"
#include "port/port.h"

static int window_wait(const u32 *word, u32 expected, u64 deadline_ns);
static void window_relax(void);

#undef port_wait
#define port_wait window_wait
#undef port_cpu_relax
#define port_cpu_relax window_relax
#include "sync/kill.c"
#include "sync/rwsem.c"

static struct rwsem sem;
static struct kill_switch kill;

/* What happens at the next sleeps, first to last; NULL: nothing.  And during the next spinning. */
static int (*at_wait[4])(void);
static int nr_waits;
static void (*at_relax)(void);

/* What an action returns to have the sleep end in its own way; 0: as the word says. */
#define WAKE_ANYWAY	1

static int window_wait(const u32 *word, u32 expected, u64 deadline_ns)
{
	int (*action)(void) = nr_waits < 4 ? at_wait[nr_waits] : NULL;
	int ret = action ? action() : 0;

	(void)deadline_ns;
	nr_waits++;
	if (ret)
		return ret == WAKE_ANYWAY ? 0 : ret;
	if (atomic_load_relaxed(word) == expected)
		fail_msg("sleep %d would never end, state %llx", nr_waits,
			 (unsigned long long)sem.state);
	return 0;
}

static void window_relax(void)
{
	void (*action)(void) = at_relax;

	at_relax = NULL;
	if (action)
		action();
}

static int set_up(void **state)
{
	(void)state;
	rwsem_init(&sem, LOCK_RANK_NONE);
	kill_switch_init(&kill);
	nr_waits = 0;
	at_relax = NULL;
	for (int i = 0; i < 4; i++)
		at_wait[i] = NULL;
	return 0;
}

static bool state_is(u64 wanted)
{
	return (sem.state & ~RWSEM_PHASE) == wanted;
}

/* ------------------------------------------------------------------- what the others do -- */

static int others_write_unlock(void)
{
	rwsem_write_wake(&sem);
	return 0;
}

/* Is woken for no reason at all. */
static int wakes_for_nothing(void)
{
	return WAKE_ANYWAY;
}

/* The lock is released, and taken by somebody who happens to pass. */
static void others_unlock_and_overtake(void)
{
	u64 s;

	rwsem_write_wake(&sem);
	s = sem.state;
	assert_false(s & (RWSEM_WRITER | RWSEM_IN_MASK | RWSEM_FRONT));
	sem.state = s | RWSEM_WRITER;
}

static int overtaken_at_wait(void)
{
	others_unlock_and_overtake();
	return 0;
}

static int released_as_time_is_up(void)
{
	rwsem_write_wake(&sem);
	return -ETIMEDOUT;
}

static int time_is_up(void)
{
	return -ETIMEDOUT;
}

static int is_killed(void)
{
	kill_switch_fire(&kill);
	return 0;
}

/* ------------------------------------------------------------------------------- readers -- */

/* Let in after the reader looked: the gate has moved, so it does not sleep. */
static void test_reader_let_in_before_sleep(void **state)
{
	(void)state;
	assert_true(rwsem_write_try(&sem));
	at_wait[0] = others_write_unlock;
	assert_int_equal(rwsem_read_wait(&sem, RWSEM_PATIENT), 0);
	assert_int_equal(nr_waits, 1);
	assert_true(state_is(RWSEM_IN));
}

static void others_unlock(void)
{
	rwsem_write_wake(&sem);
}

static void test_reader_let_in_while_spinning(void **state)
{
	(void)state;
	assert_true(rwsem_write_try(&sem));
	at_relax = others_unlock;
	assert_int_equal(rwsem_read_wait(&sem, RWSEM_PATIENT), 0);
	assert_int_equal(nr_waits, 0);
	assert_true(state_is(RWSEM_IN));
}

/* Let in and out of time at once: it has the lock, and must say so. */
static void test_reader_let_in_as_time_is_up(void **state)
{
	(void)state;
	assert_true(rwsem_write_try(&sem));
	at_wait[0] = released_as_time_is_up;
	assert_int_equal(rwsem_read_wait(&sem, RWSEM_PATIENT), 0);
	assert_true(state_is(RWSEM_IN));
}

static void test_reader_gives_up(void **state)
{
	(void)state;
	assert_true(rwsem_write_try(&sem));
	at_wait[0] = time_is_up;
	assert_int_equal(rwsem_read_wait(&sem, RWSEM_PATIENT), -ETIMEDOUT);
	assert_true(state_is(RWSEM_WRITER));
}

static void test_reader_killed_before_sleep(void **state)
{
	struct rwsem_patience patience = { PORT_NO_DEADLINE, &kill };

	(void)state;
	assert_true(rwsem_write_try(&sem));
	at_wait[0] = is_killed;
	assert_int_equal(rwsem_read_wait(&sem, patience), -EINTR);
	assert_true(state_is(RWSEM_WRITER));
}

/* ------------------------------------------------------------------------------- writers -- */

static void test_writer_released_before_sleep(void **state)
{
	(void)state;
	assert_true(rwsem_write_try(&sem));
	at_wait[0] = others_write_unlock;
	assert_int_equal(rwsem_write_wait(&sem, RWSEM_PATIENT), 0);
	assert_int_equal(nr_waits, 1);
	assert_true(state_is(RWSEM_WRITER));
}

/*
 * The wake-up comes while the writer spins, and the lock is taken by a passer-by.  The wake-up has
 * been used up without anybody having been woken: the passer-by's unlock must make another.
 */
static void test_writer_overtaken_while_spinning(void **state)
{
	struct write_wait w = { .front = false };
	u32 seen;

	(void)state;
	sem.state = RWSEM_WRITER | RWSEM_WWAIT;
	others_unlock_and_overtake();
	assert_true(sem.state & RWSEM_WOKEN);
	/* Here rwsem_write_wait() reads the gate, looks a last time, and goes to sleep. */
	seen = sem.writers_gate;
	assert_false(write_take_or_arm(&sem, &w));
	others_unlock();
	assert_int_not_equal(sem.writers_gate, seen);
}

/* Woken, overtaken, and so the front writer: then nobody passes any more. */
static void test_overtaken_writer_is_front(void **state)
{
	(void)state;
	assert_true(rwsem_write_try(&sem));
	at_wait[0] = overtaken_at_wait;
	at_wait[1] = others_write_unlock;
	assert_int_equal(rwsem_write_wait(&sem, RWSEM_PATIENT), 0);
	assert_int_equal(nr_waits, 2);
	assert_true(state_is(RWSEM_WRITER));
}

static int passer_by_is_refused(void)
{
	assert_true(sem.state & RWSEM_FRONT);
	rwsem_write_wake(&sem);
	assert_false(rwsem_write_try(&sem));
	assert_false(write_spin_in(&sem));
	return 0;
}

static void test_nobody_passes_front_writer(void **state)
{
	(void)state;
	assert_true(rwsem_write_try(&sem));
	at_wait[0] = wakes_for_nothing;
	at_wait[1] = passer_by_is_refused;
	assert_int_equal(rwsem_write_wait(&sem, RWSEM_PATIENT), 0);
	assert_true(state_is(RWSEM_WRITER));
}

/* The front writer is another one: this one leaves a free lock alone, and its turn comes. */
static int front_writer_comes_and_goes(void)
{
	assert_false(sem.state & RWSEM_WRITER);
	sem.state = (sem.state & ~RWSEM_FRONT) - RWSEM_WWAIT + RWSEM_WRITER;
	rwsem_write_wake(&sem);
	return 0;
}

static void test_free_lock_is_the_front_writers(void **state)
{
	(void)state;
	sem.state = RWSEM_WWAIT | RWSEM_FRONT;
	at_wait[0] = front_writer_comes_and_goes;
	assert_int_equal(rwsem_write_wait(&sem, RWSEM_PATIENT), 0);
	assert_int_equal(nr_waits, 1);
	assert_true(state_is(RWSEM_WRITER));
}

/* Free at the moment its time is up: it takes it. */
static void test_writer_released_as_time_is_up(void **state)
{
	(void)state;
	assert_true(rwsem_write_try(&sem));
	at_wait[0] = released_as_time_is_up;
	assert_int_equal(rwsem_write_wait(&sem, RWSEM_PATIENT), 0);
	assert_true(state_is(RWSEM_WRITER));
}

/*
 * Woken with another writer waiting behind it, overtaken, and out of time: the one behind must be
 * woken when the lock is next released.
 */
static int overtaken_as_time_is_up(void)
{
	others_unlock_and_overtake();
	return -ETIMEDOUT;
}

static void test_woken_writer_gives_up(void **state)
{
	u32 seen;

	(void)state;
	assert_true(rwsem_write_try(&sem));
	sem.state += RWSEM_WWAIT;
	at_wait[0] = overtaken_as_time_is_up;
	assert_int_equal(rwsem_write_wait(&sem, RWSEM_PATIENT), -ETIMEDOUT);
	assert_true(state_is(RWSEM_WRITER | RWSEM_WWAIT));
	seen = sem.writers_gate;
	others_unlock();
	assert_int_not_equal(sem.writers_gate, seen);
}

/* The front writer gives up: the flag goes with it. */
static void test_front_writer_gives_up(void **state)
{
	u32 seen;

	(void)state;
	assert_true(rwsem_write_try(&sem));
	sem.state += RWSEM_WWAIT;
	at_wait[0] = wakes_for_nothing;
	at_wait[1] = time_is_up;
	assert_int_equal(rwsem_write_wait(&sem, RWSEM_PATIENT), -ETIMEDOUT);
	assert_int_equal(nr_waits, 2);
	assert_true(state_is(RWSEM_WRITER | RWSEM_WWAIT));
	seen = sem.writers_gate;
	others_unlock();
	assert_int_not_equal(sem.writers_gate, seen);
}

/*
 * The last waiting writer gives up while readers are inside, with a reader waiting behind it:
 * nobody inside will let that reader in, so it must be woken to enter by itself.
 */
static void test_writer_gives_up_before_reader(void **state)
{
	u32 seen;

	(void)state;
	assert_true(rwsem_read_try(&sem));
	sem.state += RWSEM_RWAIT;
	seen = sem.readers_gate;
	at_wait[0] = time_is_up;
	assert_int_equal(rwsem_write_wait(&sem, RWSEM_PATIENT), -ETIMEDOUT);
	assert_true(state_is(RWSEM_IN | RWSEM_RWAIT));
	assert_int_not_equal(sem.readers_gate, seen);
	assert_true(read_enter_waiting(&sem, sem.state));
	assert_true(state_is(2 * RWSEM_IN));
}

static void test_writer_killed_before_sleep(void **state)
{
	struct rwsem_patience patience = { PORT_NO_DEADLINE, &kill };

	(void)state;
	assert_true(rwsem_write_try(&sem));
	at_wait[0] = is_killed;
	assert_int_equal(rwsem_write_wait(&sem, patience), -EINTR);
	assert_true(state_is(RWSEM_WRITER));
	assert_null(kill.word);
}

/* Killed before it even asks: it does not sleep at all. */
static void test_killed_before(void **state)
{
	struct rwsem_patience patience = { PORT_NO_DEADLINE, &kill };

	(void)state;
	kill_switch_fire(&kill);
	assert_true(rwsem_write_try(&sem));
	assert_int_equal(rwsem_write_wait(&sem, patience), -EINTR);
	assert_int_equal(rwsem_read_wait(&sem, patience), -EINTR);
	assert_int_equal(nr_waits, 0);
	assert_true(state_is(RWSEM_WRITER));
}

#define TEST(fn)	cmocka_unit_test_setup(fn, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_reader_let_in_before_sleep),
		TEST(test_reader_let_in_while_spinning),
		TEST(test_reader_let_in_as_time_is_up),
		TEST(test_reader_gives_up),
		TEST(test_reader_killed_before_sleep),
		TEST(test_writer_released_before_sleep),
		TEST(test_writer_overtaken_while_spinning),
		TEST(test_overtaken_writer_is_front),
		TEST(test_nobody_passes_front_writer),
		TEST(test_free_lock_is_the_front_writers),
		TEST(test_writer_released_as_time_is_up),
		TEST(test_woken_writer_gives_up),
		TEST(test_front_writer_gives_up),
		TEST(test_writer_gives_up_before_reader),
		TEST(test_writer_killed_before_sleep),
		TEST(test_killed_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
