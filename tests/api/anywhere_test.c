/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * mm_range_ok() and mm_query() where nothing else may be called: in the middle of a write section,
 * in a signal handler, in the child of a fork that left a write section behind.
 *
 * A driver's mmap() hook is the way into a write section.  Each test replaces an area by a
 * driver's with MAP_FIXED: when the hook runs the old area has been taken out of the tree, and the
 * new one is not in yet, but none of this has been published.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../mm/space.h"

static struct space s;

/* The old area is there, whole; its new neighbour is not. */
static bool sees_old_map(void)
{
	struct area_info info;
	bool ok = mm_range_ok(s.mm, at(0), 4 * SPACE_PAGE, RW) &&
		  !mm_range_ok(s.mm, at(4), 1, PROT_NONE) && !mm_query(s.mm, at(1), &info);

	if (!ok)
		return false;
	ok = info.start == at(0) && info.end == at(4) && !info.file && (info.flags & VM_WRITE);
	area_info_put(&info);
	return ok;
}

/* --------------------------------------------------------------- the hook */

static void (*in_section)(void);
static bool section_ran;

static int hook_mmap(struct file *file, struct vma_new *vma)
{
	in_section();
	section_ran = true;
	return 0;
}

static const struct file_operations hook_ops = { .owner = "hook", .mmap = hook_mmap };

/* Maps a driver's area over the middle of an anonymous one, and calls @fn meanwhile. */
static void run_in_section(void (*fn)(void))
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/dev/hook", .ops = &hook_ops,
		.flags = FILE_READ | FILE_WRITE,
	};
	struct area_info info;
	struct file *file;

	space_open(&s);
	assert_int_equal(file_create(s.v, &desc, &file), 0);
	assert_int_equal(space_map(&s, 0, 4, RW, ANON), 0);
	in_section = fn;
	section_ran = false;
	assert_int_equal(space_map_file(&s, 1, 5, PROT_READ, MAP_SHARED, file, 0), 0);
	assert_true(section_ran);
	/* And now all of the new one at once. */
	assert_false(mm_range_ok(s.mm, at(0), 4 * SPACE_PAGE, RW));
	assert_true(mm_range_ok(s.mm, at(0), 6 * SPACE_PAGE, PROT_READ));
	assert_int_equal(mm_query(s.mm, at(1), &info), 0);
	assert_ptr_equal(info.file, file);
	area_info_put(&info);
	file_put(file);
	space_close(&s);
}

static void look(void)
{
	assert_true(sees_old_map());
}

static void in_write_section(void **state)
{
	run_in_section(look);
}

/* -------------------------------------------------------- signal handlers */

static atomic_int handled, wrong;

static void handler(int signal)
{
	if (!sees_old_map())
		wrong++;
	handled++;
}

static void handle_usr1(void (*fn)(int signal))
{
	struct sigaction action = { .sa_handler = fn, .sa_flags = SA_RESTART };

	sigemptyset(&action.sa_mask);
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
}

static void raise_it(void)
{
	raise(SIGUSR1);
}

static void in_signal_handler(void **state)
{
	handled = 0;
	wrong = 0;
	handle_usr1(handler);
	run_in_section(raise_it);
	assert_int_equal(handled, 1);
	assert_int_equal(wrong, 0);
}

/* ------------------------------------------------------------ a host fork */

static int child_status;

static void fork_it(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	/* The section never ends here: its lock is held for ever. */
	if (!pid)
		_exit(sees_old_map() ? 42 : 1);
	assert_int_equal(waitpid(pid, &child_status, 0), pid);
}

static void in_forked_child(void **state)
{
	child_status = 0;
	run_in_section(fork_it);
	assert_true(WIFEXITED(child_status));
	assert_int_equal(WEXITSTATUS(child_status), 42);
}

/* ---------------------------------------------- signals at any instruction */

#define NR_SIGNALS	2000

static struct file *storm_file;

/*
 * Pages 0 to 8 are always mapped, as one area or three, and page 4 is always readable.  Pages 20
 * and 21 come and go together, with a file.
 */
static void storm_handler(int signal)
{
	struct area_info info;

	if (!mm_range_ok(s.mm, at(0), 8 * SPACE_PAGE, PROT_READ))
		wrong++;
	if (mm_query(s.mm, at(4), &info)) {
		wrong++;
	} else {
		bool whole = info.start == at(0) && info.end == at(8);
		bool part = info.start == at(3) && info.end == at(5) && !(info.flags & VM_WRITE);

		if (!whole && !part)
			wrong++;
		area_info_put(&info);
	}
	if (!mm_query(s.mm, at(20), &info)) {
		if (info.file != storm_file || info.end != at(22) || info.pgoff != 6)
			wrong++;
		area_info_put(&info);
	}
	handled++;
}

static atomic_int storm_done;

/* One signal at a time: the next when the last has been handled. */
static void *storm(void *arg)
{
	pthread_t target = *(pthread_t *)arg;

	for (int i = 0; i < NR_SIGNALS; i++) {
		pthread_kill(target, SIGUSR1);
		while (handled <= i)
			sched_yield();
	}
	atomic_store(&storm_done, 1);
	return NULL;
}

static void at_any_instruction(void **state)
{
	pthread_t self = pthread_self(), thread;

	handled = 0;
	wrong = 0;
	atomic_store(&storm_done, 0);
	space_open(&s);
	storm_file = space_file(&s, 100, 0, FILE_PLACE_ANY);
	assert_int_equal(space_map(&s, 0, 8, RW, ANON), 0);
	handle_usr1(storm_handler);
	assert_int_equal(pthread_create(&thread, NULL, storm, &self), 0);
	while (!atomic_load(&storm_done)) {
		assert_int_equal(mm_mprotect(s.mm, at(3), 2 * SPACE_PAGE, PROT_READ), 0);
		assert_int_equal(mm_mprotect(s.mm, at(3), 2 * SPACE_PAGE, RW), 0);
		assert_int_equal(space_map_file(&s, 20, 2, PROT_READ, MAP_PRIVATE, storm_file, 6),
				 0);
		assert_int_equal(space_unmap(&s, 20, 2), 0);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(handled, NR_SIGNALS);
	assert_int_equal(wrong, 0);
	file_put(storm_file);
	space_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_write_section),
		cmocka_unit_test(in_signal_handler),
		cmocka_unit_test(in_forked_child),
		cmocka_unit_test(at_any_instruction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
