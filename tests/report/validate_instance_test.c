/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * vmarea_validate() finds what it says it looks for: each invariant of validate_instance.c is broken
 * by hand, found, and mended.  And an instance that is destroyed with memory promised says so.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broken.h"
#include "base/atomic.h"
#include "file/file.h"
#include "mm/mm.h"
#include "vma/handle.h"

static struct mm_struct *mm;
static struct mm_user *child;
static struct file *file;

static int walk(char *why, size_t why_bytes)
{
	return vmarea_validate(s.v, why, why_bytes);
}

/* Two mms that map a file, a shared object and huge pages. */
static int setup(void **state)
{
	space_init(&s);
	s.config.nr_huge_2m_pages = 8;
	space_create(&s);
	mm = mm_from_user(s.mm);
	file = space_file(&s, 8, 0, FILE_PLACE_ANY);
	assert_int_equal(space_map_file(&s, 0, 2, RW, MAP_PRIVATE, file, 0), 0);
	assert_int_equal(space_map_file(&s, 4, 2, PROT_READ, MAP_PRIVATE, file, 0), 0);
	assert_int_equal(space_map(&s, 8, 3, RW, MAP_SHARED | MAP_ANONYMOUS), 0);
	assert_int_equal(space_map(&s, 512, 512, RW, ANON | MAP_HUGETLB), 0);
	assert_int_equal(space_map(&s, 1024, 1024, RW,
				   MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB), 0);
	assert_int_equal(mm_fork(s.mm, &child), 0);
	assert_sound();
	return 0;
}

static int teardown(void **state)
{
	mmput(child);
	file_put(file);
	assert_sound();
	space_close(&s);
	return 0;
}

static void i13_mms(void **state)
{
	struct mm_struct *dead = mm_user_mm(child);
	struct space other;

	space_open(&other);
	assert_broken(mm->instance, other.v, "mm 0: of another instance");
	space_close(&other);
	assert_broken(mm->total_vm, 1, "mm 0: total_vm is 1, should be 1543");
	assert_broken(mm->areas.published.count, 9, "mm 0: 7: entries: 9, 5");
	mmgrab(dead);
	mmput(child);
	assert_sound();
	assert_broken(dead->map_count, 1, "mm 1: no user, and areas");
	assert_broken(dead->nr_spare, 1, "mm 1: no user, and spare VMAs");
	assert_int_equal(mm_fork(s.mm, &child), 0);
	mmdrop(dead);
	assert_sound();
}

static void i14_files(void **state)
{
	struct file *unused = space_file(&s, 1, 0, FILE_PLACE_ANY);
	struct space other;

	/* Two areas in each mm, and ours. */
	assert_broken(file->refs, 3, "file /f: references is 3, should be 4");
	space_open(&other);
	assert_broken(unused->instance, other.v, "a file of another instance");
	space_close(&other);
	assert_broken(unused->refs, 0, "file /f: references is 0, should be 0");
	file_put(unused);
}

static void i15_promises(void **state)
{
	/* Two pages of a private writable mapping in each mm, and three of an object. */
	assert_int_equal(vmarea_committed_pages(s.v), 7);
	assert_broken(s.v->committed, 8, "committed is 8, should be 7");
	assert_broken(s.v->committed, 0, "committed is 0, should be 7");
}

static void i16_huge_pages(void **state)
{
	assert_int_equal(s.v->huge_free[0], 8 - 1 - 2);
	assert_broken(s.v->huge_free[0], 6, "huge_free[0] is 6, should be 5");
	assert_broken(s.v->huge_free[1], 1, "huge_free[1] is 1, should be 0");
}

static void i17_vmas(void **state)
{
	struct vm_area_struct *vma;
	char expected[80];
	unsigned long nr = 0;

	assert_broken(s.v->pool->vm_refcnt, 1, "an attached VMA is in the pool");
	for (vma = s.v->pool; vma; vma = vma->next_free)
		nr++;
	nr += mm->nr_spare + mm_user_mm(child)->nr_spare;
	snprintf(expected, sizeof(expected), "VMAs in the pool or spare is %lu, should be %lu",
		 nr - 1, nr);
	vma = vma_pool_alloc(s.v);
	assert_says(expected);
	vma->vm_refcnt = 1;
	assert_says("attached VMAs is 11, should be 10");
	vma->vm_refcnt = 0;
	vma_pool_free(s.v, vma);
	assert_sound();
	/* A ring has more than there are. */
	snprintf(expected, sizeof(expected), "VMAs in the pool or spare is %lu, should be %lu",
		 nr + 1, nr);
	assert_broken(vma->next_free, vma, expected);
}

static void i18_objects(void **state)
{
	/* Two mms; our file, an object, two files of huge pages. */
	assert_int_equal(s.v->nr_objects, 6);
	assert_broken(s.v->nr_objects, 5, "nr_objects is 5, should be 6");
}

static void i19_locks(void **state)
{
	assert_broken(s.v->rolls[0].lock.word, SPIN_HELD, "the lock of a roll is held");
	assert_broken(s.v->rolls[INSTANCE_ROLLS - 1].lock.word, SPIN_HELD,
		      "the lock of a roll is held");
	assert_broken(s.v->pool_lock.word, SPIN_HELD, "the pool's lock is held");
}

/* What another run of this program says that destroys a machine in which @what was lost. */
static void assert_dies(const char *what, const char *word)
{
	char text[400] = "";
	int status, ends[2];
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (!pid) {
		dup2(ends[1], STDERR_FILENO);
		execl("/proc/self/exe", "validate_instance_test", what, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_non_null(strstr(text, word));
	close(ends[0]);
	close(ends[1]);
}

static int destroy_after_losing(const char *what)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;
	struct vmarea *v;

	config.nr_huge_2m_pages = 2;
	if (vmarea_create(&config, &v))
		return 2;
	if (!strcmp(what, "promise"))
		v->committed = 17;
	else
		v->huge_free[0]--;
	vmarea_destroy(v);
	return 0;
}

static void destroy_says_what_is_left(void **state)
{
	assert_dies("promise", "17 pages are still promised");
	assert_dies("huge page", "1 of 2 huge pages came back");
}

#define BREAKS(test)	cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		BREAKS(i13_mms),
		BREAKS(i14_files),
		BREAKS(i15_promises),
		BREAKS(i16_huge_pages),
		BREAKS(i17_vmas),
		BREAKS(i18_objects),
		BREAKS(i19_locks),
		cmocka_unit_test(destroy_says_what_is_left),
	};

	if (argc > 1)
		return destroy_after_losing(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
