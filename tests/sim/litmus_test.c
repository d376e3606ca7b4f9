/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Litmus tests: for each small program exactly those outcomes that C11 allows, but for those that
 * need a load to see the future.  An outcome that is missing would be a defect that no search finds;
 * one too many would be a false alarm.
 */
#include "one.h"

static u32 x, y, z;
static u32 r[4];

static void begin(void)
{
	x = y = z = 0;
	memset(r, 0, sizeof(r));
}

static void set_x(void)
{
	atomic_store_relaxed(&x, 1);
}

/* The outcomes of @threads with so many stale loads allowed. */
static u64 outcomes(void (*const threads[])(void), u32 nr, void (*finish)(void), u32 stale)
{
	struct search_setting set = all_orders(stale);
	struct sim_scenario scenario = { .setup = begin, .finish = finish, .nr_threads = nr };
	enum sim_failure why;

	for (u32 i = 0; i < nr; i++) {
		scenario.threads[i] = threads[i];
		scenario.thread_names[i] = "t";
	}
	run_all(&scenario, &set, &why);
	if (why)
		fail_msg("%s", sim.report);
	return seen;
}

#define OUTCOMES_OF(stale, finish, ...)						\
	outcomes((void (*const[])(void)){ __VA_ARGS__ },			\
		 sizeof((void (*const[])(void)){ __VA_ARGS__ }) / sizeof(void *), finish, stale)

#define BIT_OF(n)	(1ull << (n))

static void two_bits(void)
{
	outcome(r[0] << 1 | r[1]);
}

/* ---- message passing: r[0] the flag, r[1] the message. */

static void send_release(void)
{
	atomic_store_relaxed(&x, 1);
	atomic_store_release(&y, 1);		/* with get_acquire() */
}

static void send_relaxed(void)
{
	atomic_store_relaxed(&x, 1);
	atomic_store_relaxed(&y, 1);
}

static void send_fence(void)
{
	atomic_store_relaxed(&x, 1);
	atomic_fence_release();			/* with get_fence() */
	atomic_store_relaxed(&y, 1);
}

static void get_acquire(void)
{
	r[0] = atomic_load_acquire(&y);		/* with send_release() */
	r[1] = atomic_load_relaxed(&x);
}

static void get_relaxed(void)
{
	r[0] = atomic_load_relaxed(&y);
	r[1] = atomic_load_relaxed(&x);
}

static void get_fence(void)
{
	r[0] = atomic_load_relaxed(&y);
	atomic_fence_acquire();			/* with send_fence() */
	r[1] = atomic_load_relaxed(&x);
}

/* Flag set and message missing is outcome 2. */
static void test_message_passing(void **state)
{
	const u64 ordered = BIT_OF(0) | BIT_OF(1) | BIT_OF(3);

	(void)state;
	assert_int_equal(OUTCOMES_OF(2, two_bits, send_release, get_acquire), ordered);
	assert_int_equal(OUTCOMES_OF(2, two_bits, send_fence, get_fence), ordered);
	assert_int_equal(OUTCOMES_OF(2, two_bits, send_release, get_fence), ordered);
	assert_int_equal(OUTCOMES_OF(2, two_bits, send_fence, get_acquire), ordered);
	assert_int_equal(OUTCOMES_OF(2, two_bits, send_relaxed, get_acquire), ordered | BIT_OF(2));
	assert_int_equal(OUTCOMES_OF(2, two_bits, send_release, get_relaxed), ordered | BIT_OF(2));
	/* Without stale loads memory is sequentially consistent. */
	assert_int_equal(OUTCOMES_OF(0, two_bits, send_relaxed, get_relaxed), ordered);
}

/* ---- store buffering. */

static void buffer_x(void)
{
	atomic_store_relaxed(&x, 1);
	r[0] = atomic_load_relaxed(&y);
}

static void buffer_y(void)
{
	atomic_store_relaxed(&y, 1);
	r[1] = atomic_load_relaxed(&x);
}

static void buffer_x_fence(void)
{
	atomic_store_relaxed(&x, 1);
	atomic_fence_seq_cst();			/* with buffer_y_fence() */
	r[0] = atomic_load_relaxed(&y);
}

static void buffer_y_fence(void)
{
	atomic_store_relaxed(&y, 1);
	atomic_fence_seq_cst();			/* with buffer_x_fence() */
	r[1] = atomic_load_relaxed(&x);
}

static void buffer_x_rel(void)
{
	atomic_store_release(&x, 1);		/* with the loads of y's side, in vain */
	r[0] = atomic_load_acquire(&y);		/* the same */
}

static void test_store_buffering(void **state)
{
	const u64 ordered = BIT_OF(1) | BIT_OF(2) | BIT_OF(3);

	(void)state;
	assert_int_equal(OUTCOMES_OF(2, two_bits, buffer_x, buffer_y), ordered | BIT_OF(0));
	assert_int_equal(OUTCOMES_OF(2, two_bits, buffer_x_fence, buffer_y_fence), ordered);
	assert_int_equal(OUTCOMES_OF(2, two_bits, buffer_x_fence, buffer_y), ordered | BIT_OF(0));
	assert_int_equal(OUTCOMES_OF(2, two_bits, buffer_x_rel, buffer_y), ordered | BIT_OF(0));
	assert_int_equal(OUTCOMES_OF(0, two_bits, buffer_x, buffer_y), ordered);
}

/* ---- coherence: one location does not go back. */

static void read_twice(void)
{
	r[0] = atomic_load_relaxed(&x);
	r[1] = atomic_load_relaxed(&x);
}

static void write_then_read(void)
{
	atomic_store_relaxed(&x, 2);
	r[0] = atomic_load_relaxed(&x);
}

static void two_values(void)
{
	outcome(r[0] * 4 + r[1]);
}

static void test_coherence(void **state)
{
	(void)state;
	assert_int_equal(OUTCOMES_OF(2, two_bits, set_x, read_twice),
			 BIT_OF(0) | BIT_OF(1) | BIT_OF(3));
	/* Its own store, or what came after it: never 0. */
	assert_int_equal(OUTCOMES_OF(2, two_values, set_x, write_then_read), BIT_OF(4) | BIT_OF(8));
}

/* What one thread has read, and then published, the next may not read the past of. */
static void read_and_publish(void)
{
	r[0] = atomic_load_relaxed(&x);
	atomic_store_release(&y, 1);		/* with get_after() */
}

static void get_after(void)
{
	r[1] = atomic_load_acquire(&y);		/* with read_and_publish() */
	r[2] = atomic_load_relaxed(&x);
}

static void read_past(void)
{
	outcome(r[0] && r[1] && !r[2]);
}

static void test_reads_are_passed_on(void **state)
{
	(void)state;
	assert_int_equal(OUTCOMES_OF(3, read_past, set_x, read_and_publish, get_after), BIT_OF(0));
}

/* ---- four threads: two writers, two readers that disagree about who was first. */

static void set_y(void)
{
	atomic_store_relaxed(&y, 1);
}

static void read_xy(void)
{
	r[0] = atomic_load_acquire(&x);		/* with nothing: the stores are relaxed */
	r[1] = atomic_load_acquire(&y);		/* the same */
}

static void read_yx(void)
{
	r[2] = atomic_load_acquire(&y);		/* the same */
	r[3] = atomic_load_acquire(&x);		/* the same */
}

static void read_xy_fence(void)
{
	r[0] = atomic_load_relaxed(&x);
	atomic_fence_seq_cst();			/* with read_yx_fence() */
	r[1] = atomic_load_relaxed(&y);
}

static void read_yx_fence(void)
{
	r[2] = atomic_load_relaxed(&y);
	atomic_fence_seq_cst();			/* with read_xy_fence() */
	r[3] = atomic_load_relaxed(&x);
}

static void disagree(void)
{
	outcome(r[0] && !r[1] && r[2] && !r[3]);
}

static void test_independent_reads(void **state)
{
	(void)state;
	assert_int_equal(OUTCOMES_OF(2, disagree, set_x, set_y, read_xy, read_yx),
			 BIT_OF(0) | BIT_OF(1));
	assert_int_equal(OUTCOMES_OF(2, disagree, set_x, set_y, read_xy_fence, read_yx_fence),
			 BIT_OF(0));
}

/* ---- read-modify-writes. */

static void add_x(void)
{
	atomic_add_relaxed(&x, 1);
}

static void sum(void)
{
	outcome(x);
}

/* A release goes on through the read-modify-writes of others. */
static void add_y(void)
{
	atomic_add_relaxed(&y, 1);
}

static void get_two(void)
{
	r[0] = atomic_load_acquire(&y) == 2;	/* with send_release(), through add_y() */
	r[1] = atomic_load_relaxed(&x);
}

static void cas_x(void)
{
	u32 old = 0;

	if (atomic_cas_relaxed(&x, &old, 1))
		atomic_add_relaxed(&z, 1);
}

static void winners(void)
{
	outcome(z);
}

static void test_read_modify_write(void **state)
{
	(void)state;
	assert_int_equal(OUTCOMES_OF(2, sum, add_x, add_x, add_x), BIT_OF(3));
	assert_int_equal(OUTCOMES_OF(2, two_bits, send_release, add_y, get_two) & BIT_OF(2), 0);
	assert_int_equal(OUTCOMES_OF(2, winners, cas_x, cas_x, cas_x), BIT_OF(1));
}

/* ---- RCU: who unpublishes and waits has no reader left; and the publish is seen after. */

static void rcu_read_both(void)
{
	port_rcu_read_lock();
	r[0] = atomic_load_relaxed(&x);
	r[1] = atomic_load_relaxed(&y);
	port_rcu_read_unlock();
}

static void rcu_write_both(void)
{
	atomic_store_relaxed(&x, 1);
	port_synchronize_rcu();
	atomic_store_relaxed(&y, 1);
}

/* y new and x old would be a section on both sides of the grace period. */
static void test_grace_period(void **state)
{
	(void)state;
	assert_int_equal(OUTCOMES_OF(3, two_bits, rcu_read_both, rcu_write_both),
			 BIT_OF(0) | BIT_OF(2) | BIT_OF(3));
}

static struct port_rcu_head head;

static void called(struct port_rcu_head *unused)
{
	(void)unused;
	atomic_store_relaxed(&y, 1);
}

static void rcu_call(void)
{
	atomic_store_relaxed(&x, 1);
	port_call_rcu(&head, called);
	r[2] = atomic_load_relaxed(&y);
}

static void with_callback(void)
{
	outcome(r[2] << 2 | r[0] << 1 | r[1]);
}

/* The callback runs before, between and after, and never inside of a section that was open. */
static void test_callback_is_early_and_late(void **state)
{
	u64 got = OUTCOMES_OF(3, with_callback, rcu_read_both, rcu_call);

	(void)state;
	assert_int_equal(got & (BIT_OF(1) | BIT_OF(5)), 0);
	assert_true(got & BIT_OF(4));
	assert_true(got & BIT_OF(0));
	assert_true(got & BIT_OF(7));
	assert_true(got & BIT_OF(3));
}

/* ---- waiting. */

static void sleeper(void)
{
	while (!atomic_load_acquire(&x))	/* with waker() */
		port_wait(&x, 0, PORT_NO_DEADLINE);
	r[0] = atomic_load_relaxed(&y);
}

static void waker(void)
{
	atomic_store_relaxed(&y, 1);
	atomic_store_release(&x, 1);		/* with sleeper() */
	port_wake(&x, 1);
}

static void just_r0(void)
{
	outcome(r[0]);
}

static void test_wait_and_wake(void **state)
{
	(void)state;
	assert_int_equal(OUTCOMES_OF(2, just_r0, sleeper, waker), BIT_OF(1));
}

static void sleeper_with_deadline(void)
{
	r[0] = port_wait(&z, 0, port_now_ns() + 1000) != 0;
}

static void test_deadline_passes_when_nothing_else_happens(void **state)
{
	(void)state;
	assert_int_equal(OUTCOMES_OF(0, just_r0, sleeper_with_deadline, set_x), BIT_OF(1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message_passing),
		cmocka_unit_test(test_store_buffering),
		cmocka_unit_test(test_coherence),
		cmocka_unit_test(test_reads_are_passed_on),
		cmocka_unit_test(test_independent_reads),
		cmocka_unit_test(test_read_modify_write),
		cmocka_unit_test(test_grace_period),
		cmocka_unit_test(test_callback_is_early_and_late),
		cmocka_unit_test(test_wait_and_wake),
		cmocka_unit_test(test_deadline_passes_when_nothing_else_happens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
