/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Drivers whose pages come when they are needed: asked once, under the lock that was promised, and
 * not believed.
 */
#include <pthread.h>

#include "driver.h"
#include "file/filemap.h"

static struct memory m;
static struct driver d;

static void begin(void)
{
	memory_open(&m);
	driver_open(&d, &m);
}

static void end(void)
{
	memory_validate(m.s.mm);
	driver_close(&d, &m);
	memory_close(&m);
}

/* ------------------------------------------------------------------------------- locks -- */

static void *try_read_lock(void *mm)
{
	struct mmap_read *lock = mmap_read_trylock(mm);

	if (lock)
		mmap_read_unlock(lock);
	return lock;
}

static bool read_locks[2];

static vm_fault_t notes_the_lock(struct vma_ref *vma, struct vm_fault *vmf)
	__must_hold_shared(vma_stable);
static vm_fault_t notes_the_lock(struct vma_ref *vma, struct vm_fault *vmf)
{
	pthread_t thread;
	void *lock;

	assert_int_equal(pthread_create(&thread, NULL, try_read_lock, m.s.mm), 0);
	assert_int_equal(pthread_join(thread, &lock), 0);
	read_locks[d.nr_fault] = lock;
	return driver_fault(vma, vmf);
}

/* As on Linux: mprotect() that makes a locked private area writable makes its copies at once. */
static void a_locked_area_asks_inside_mprotect(void **state)
{
	begin();
	d.ops.fault = notes_the_lock;
	assert_int_equal(driver_map(&d, &m, 0, 1, PROT_READ, MAP_PRIVATE), 0);
	assert_int_equal(mm_mlock(m.s.mm, at(0), SPACE_PAGE), 0);
	assert_int_equal(d.nr_fault, 1);
	assert_true(read_locks[0]);
	zap(&m, 0, 1);
	assert_int_equal(mm_mprotect(m.s.mm, at(0), SPACE_PAGE, RW), 0);
	assert_int_equal(d.nr_fault, 2);
	assert_false(read_locks[1]);
	assert_int_equal(d.flags_seen, VMF_WRITE);
	end();
}

/* ------------------------------------------------------------------------------ answers -- */

static void shared_pages_are_the_drivers(void **state)
{
	begin();
	assert_int_equal(space_map_file(&m.s, 0, 4, RW, MAP_SHARED, d.file, 2), 0);
	assert_int_equal(get(&m, 1), 4);
	assert_int_equal(d.address, at(1));
	assert_int_equal(d.pgoff, 3);
	assert_int_equal(d.flags_seen, VMF_MAY_RETRY);
	assert_int_equal(put(&m, 1, 77), MM_FAULT_DONE);
	assert_int_equal(driver_byte(&d, 3), 77);
	assert_int_equal(d.nr_fault, 1);
	assert_int_equal(put(&m, 2, 78), MM_FAULT_DONE);
	assert_int_equal(d.flags_seen, VMF_MAY_RETRY | VMF_WRITE);
	assert_int_equal(driver_byte(&d, 4), 78);
	assert_int_equal(d.nr_fault, 2);
	assert_int_equal(mm_rss(m.s.mm), 2);
	zap(&m, 1, 2);
	assert_int_equal(mm_rss(m.s.mm), 0);
	assert_int_equal(get(&m, 1), 77);
	assert_int_equal(d.nr_fault, 3);
	end();
}

static void private_writes_are_to_copies(void **state)
{
	begin();
	assert_int_equal(driver_map(&d, &m, 0, 4, RW, MAP_PRIVATE), 0);
	assert_int_equal(put(&m, 0, 70), MM_FAULT_DONE);
	assert_int_equal(get(&m, 0), 70);
	assert_int_equal(driver_byte(&d, 0), 1);
	assert_int_equal(get(&m, 1), 2);
	assert_int_equal(mm_frame(m.s.mm, 1), page_pfn(d.pages[1]));
	assert_int_equal(put(&m, 1, 71), MM_FAULT_DONE);
	assert_int_equal(driver_byte(&d, 1), 2);
	assert_int_equal(page_mapcount(d.pages[1]), 0);
	assert_int_equal(d.nr_fault, 2);
	assert_int_equal(d.nr_mkwrite, 0);
	end();
}

static void a_child_asks_for_itself(void **state)
{
	struct mm_user *child;

	begin();
	assert_int_equal(driver_map(&d, &m, 0, 2, RW, MAP_SHARED), 0);
	assert_int_equal(put(&m, 0, 5), MM_FAULT_DONE);
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	assert_int_equal(mm_get(child, 0), 5);
	assert_int_equal(d.nr_fault, 2);
	assert_int_equal(mm_put(child, 0, 6), MM_FAULT_DONE);
	assert_int_equal(get(&m, 0), 6);
	memory_validate(child);
	mmput(child);
	end();
}

static void outcomes_are_the_programs(void **state)
{
	begin();
	assert_int_equal(driver_map(&d, &m, 0, 20, RW, MAP_SHARED), 0);
	d.answer = VM_FAULT_SIGBUS;
	assert_int_equal(get(&m, 0), NO_BYTE(BUS));
	d.answer = VM_FAULT_OOM;
	assert_int_equal(get(&m, 0), NO_BYTE(OOM));
	d.answer = VM_FAULT_DONE;
	assert_int_equal(get(&m, 17), NO_BYTE(BUS));
	forget(&d);
	/* First with the VMA lock, then with the mmap lock. */
	d.answer = VM_FAULT_RETRY;
	assert_int_equal(get(&m, 0), 1);
	assert_int_equal(d.nr_fault, 2);
	assert_int_equal(d.nr_retried, 1);
	/* Whoever holds the mmap lock already asks with that. */
	forget(&d);
	assert_int_equal(mm_madvise(m.s.mm, at(1), 2 * SPACE_PAGE, MADV_POPULATE_READ), 0);
	assert_int_equal(d.nr_fault, 2);
	assert_int_equal(d.flags_seen, 0);
	end();
}

static void a_driver_may_insert_instead(void **state)
{
	struct mm_user *child;

	begin();
	d.mixedmap = d.inserts = true;
	assert_int_equal(driver_map(&d, &m, 0, 4, RW, MAP_SHARED), 0);
	assert_int_equal(driver_map(&d, &m, 8, 4, RW, MAP_PRIVATE), 0);
	assert_int_equal(get(&m, 2), 3);
	assert_int_equal(put(&m, 3, 9), MM_FAULT_DONE);
	assert_int_equal(driver_byte(&d, 3), 9);
	assert_int_equal(put(&m, 10, 50), MM_FAULT_DONE);
	assert_int_equal(driver_byte(&d, 2), 3);
	assert_int_equal(get(&m, 10), 50);
	forget(&d);
	/* What was inserted a child has, too. */
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	assert_int_equal(mm_get(child, 2), 3);
	assert_int_equal(d.nr_fault, 0);
	mmput(child);
	end();
}

/* ------------------------------------------------------------------------- page_mkwrite -- */

static void writes_are_told_of_once(void **state)
{
	begin();
	d.ops.page_mkwrite = driver_mkwrite;
	assert_int_equal(driver_map(&d, &m, 0, 4, RW, MAP_SHARED), 0);
	assert_int_equal(get(&m, 0), 1);
	assert_int_equal(d.nr_mkwrite, 0);
	assert_int_equal(put(&m, 0, 60), MM_FAULT_DONE);
	assert_int_equal(d.nr_mkwrite, 1);
	assert_int_equal(put(&m, 0, 61), MM_FAULT_DONE);
	assert_int_equal(d.nr_mkwrite, 1);
	/* At once, where nothing was there. */
	assert_int_equal(put(&m, 1, 62), MM_FAULT_DONE);
	assert_int_equal(d.nr_mkwrite, 2);
	assert_int_equal(d.nr_fault, 2);
	assert_int_equal(driver_byte(&d, 1), 62);
	/* Anew when the right was taken away. */
	assert_int_equal(mm_mprotect(m.s.mm, at(0), SPACE_PAGE, PROT_READ), 0);
	assert_int_equal(mm_mprotect(m.s.mm, at(0), SPACE_PAGE, RW), 0);
	assert_int_equal(put(&m, 0, 63), MM_FAULT_DONE);
	assert_int_equal(d.nr_mkwrite, 3);
	end();
}

static void a_refused_write_is_not_done(void **state)
{
	begin();
	d.ops.page_mkwrite = driver_mkwrite;
	assert_int_equal(driver_map(&d, &m, 0, 4, RW, MAP_SHARED), 0);
	d.mkwrite_answer = VM_FAULT_SIGBUS;
	assert_int_equal(put(&m, 0, 60), MM_FAULT_BUS);
	assert_int_equal(get(&m, 0), 1);
	d.mkwrite_answer = VM_FAULT_OOM;
	assert_int_equal(put(&m, 0, 60), MM_FAULT_OOM);
	assert_int_equal(driver_byte(&d, 0), 1);
	assert_false(mm_attrs(m.s.mm, 0) & PT_WRITE);
	d.mkwrite_answer = VM_FAULT_DONE;
	assert_int_equal(put(&m, 0, 60), MM_FAULT_DONE);
	assert_int_equal(driver_byte(&d, 0), 60);
	end();
}

static void inserted_pages_are_told_of(void **state)
{
	begin();
	d.ops.page_mkwrite = driver_mkwrite;
	d.mixedmap = d.inserts = true;
	assert_int_equal(driver_map(&d, &m, 0, 4, RW, MAP_SHARED), 0);
	assert_int_equal(get(&m, 0), 1);
	assert_false(mm_attrs(m.s.mm, 0) & PT_WRITE);
	assert_int_equal(put(&m, 0, 60), MM_FAULT_DONE);
	assert_int_equal(d.nr_mkwrite, 1);
	end();
}

/* ---------------------------------------------------------------------- broken drivers -- */

static void wrong_answers_are_reported(void **state)
{
	begin();
	assert_int_equal(driver_map(&d, &m, 0, 4, RW, MAP_SHARED), 0);
	log_begin();
	d.answer = 99;
	assert_int_equal(get(&m, 0), NO_BYTE(BUS));
	log_end("driver model, page at");
	d.answer = VM_FAULT_RETRY;
	d.ops.page_mkwrite = driver_mkwrite;
	d.mkwrite_answer = VM_FAULT_RETRY;
	log_begin();
	assert_int_equal(put(&m, 0, 1), MM_FAULT_BUS);
	log_end("page_mkwrite() says VM_FAULT_RETRY without VMF_MAY_RETRY");
	end();
}

static void nothing_for_ever_is_reported(void **state)
{
	begin();
	assert_int_equal(driver_map(&d, &m, 0, 4, RW, MAP_SHARED), 0);
	d.answer = VM_FAULT_NOPAGE;
	log_begin();
	assert_int_equal(get(&m, 0), NO_BYTE(BUS));
	log_end("the access is still to be made");
	end();
}

/* Pages that are somebody's: a process's, zeros, none. */
static void wrong_pages_are_reported(void **state)
{
	struct vmarea *elsewhere;
	struct page *pinned;

	begin();
	assert_int_equal(driver_map(&d, &m, 0, 4, RW, MAP_SHARED), 0);
	assert_int_equal(space_map(&m.s, 20, 2, RW, ANON), 0);
	d.no_page = true;
	log_begin();
	assert_int_equal(get(&m, 0), NO_BYTE(BUS));
	log_end("gives no page");
	d.no_page = false;
	for (int write = 0; write < 2; write++) {
		assert_int_equal(mm_pin_pages(m.s.mm, at(20), 1, write ? MM_ACCESS_WRITE :
					      MM_ACCESS_READ, &pinned), 1);
		d.other = pinned;
		driver_log.warned = port_warn_count();
		assert_int_equal(put(&m, 0, 1), MM_FAULT_BUS);
		assert_int_equal(port_warn_count(), driver_log.warned + 1);
		mm_unpin_pages(&pinned, 1);
	}
	assert_int_equal(vmarea_create(&m.s.config, &elsewhere), 0);
	d.other = alloc_page(elsewhere);
	assert_int_equal(get(&m, 0), NO_BYTE(BUS));
	assert_int_equal(page_refs(d.other), 1);
	__free_page(d.other);
	vmarea_destroy(elsewhere);
	d.other = NULL;
	assert_int_equal(get(&m, 0), 1);
	end();
}

/* What a hook has inserted goes with the VMA that does not come to be. */
static int insert_and_fail(struct driver *driver, struct vma_new *vma) __in_mmap_hook;
static int insert_and_fail(struct driver *driver, struct vma_new *vma)
{
	struct vma_mixedmap *mixed = vma_set_mixedmap(vma);

	assert_int_equal(vm_insert_page(mixed, vma_start(vma), driver->pages[0]), 0);
	return -EXFULL;
}

static void a_failing_hook_leaves_nothing(void **state)
{
	begin();
	d.in_mmap = insert_and_fail;
	assert_int_equal(driver_map(&d, &m, 0, 4, RW, MAP_SHARED), -EXFULL);
	assert_int_equal(page_refs(d.pages[0]), 1);
	assert_int_equal(mm_frame(m.s.mm, 0), 0);
	end();
}

/* ------------------------------------------------------------------------------ threads -- */

#define ROUNDS	3000

static atomic_bool stop;

static void *take_away(void *arg)
{
	while (!stop)
		zap(&m, 0, NR_PAGES);
	return NULL;
}

static void *use(void *arg)
{
	unsigned long nth = (unsigned long)arg;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		unsigned long page = i % NR_PAGES;

		if (i % 3 == nth)
			assert_int_equal(put(&m, page, (unsigned char)(page + 1)), MM_FAULT_DONE);
		else
			assert_int_equal(get(&m, page), page + 1);
	}
	return NULL;
}

/* Two mms, two places in one, shared and private: none shows it any more, and each may again. */
static void pages_are_taken_out_of_every_mm(void **state)
{
	struct mm_user *child;

	begin();
	assert_int_equal(driver_map(&d, &m, 0, 4, RW, MAP_SHARED), 0);
	assert_int_equal(space_map_file(&m.s, 8, 4, RW, MAP_PRIVATE, d.file, 2), 0);
	assert_int_equal(put(&m, 2, 77), MM_FAULT_DONE);
	assert_int_equal(get(&m, 3), 4);
	assert_int_equal(get(&m, 8), 77);
	assert_int_equal(put(&m, 9, 78), MM_FAULT_DONE);
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	assert_int_equal(mm_get(child, 2), 77);
	unmap_mapping_pages(d.file, 2, 1);
	assert_int_equal(page_refs(d.pages[2]), 1);
	assert_int_equal(mm_frame(m.s.mm, 3), page_pfn(d.pages[3]));
	forget(&d);
	assert_int_equal(mm_get(child, 2), 77);
	assert_int_equal(get(&m, 8), 77);
	assert_int_equal(d.nr_fault, 2);
	/* All of it, and what is past the last number; copies stay. */
	assert_true(unmap_mapping_pages_try(d.file, 0, ~0ul));
	unmap_mapping_pages(d.file, 4, 0);
	assert_int_equal(page_refs(d.pages[2]), 1);
	assert_int_equal(page_refs(d.pages[3]), 1);
	forget(&d);
	assert_int_equal(get(&m, 9), 78);
	assert_int_equal(mm_get(child, 9), 78);
	assert_int_equal(d.nr_fault, 0);
	mmput(child);
	end();
}

static int show_and_take_out(struct driver *driver, struct vma_new *vma) __in_mmap_hook;
static int show_and_take_out(struct driver *driver, struct vma_new *vma)
{
	int err = vm_map_pages(vma, driver->pages, NR_PAGES);

	unmap_mapping_pages(driver->file, 0, NR_PAGES);
	return err;
}

/* As on Linux a VMA can be found by its file from the end of the hook on. */
static void what_a_hook_shows_is_found_later(void **state)
{
	begin();
	d.ops.fault = NULL;
	d.in_mmap = show_and_take_out;
	assert_int_equal(driver_map(&d, &m, 0, 4, RW, MAP_SHARED), 0);
	assert_int_equal(page_mapcount(d.pages[1]), 1);
	assert_int_equal(get(&m, 1), 2);
	unmap_mapping_pages(d.file, 0, NR_PAGES);
	assert_int_equal(page_mapcount(d.pages[1]), 0);
	assert_int_equal(get(&m, 1), NO_BYTE(BUS));
	end();
}

/* Who changes what maps the file keeps a shrinker out, and not the others from waiting. */
static void taking_out_may_be_tried(void **state)
{
	begin();
	assert_int_equal(driver_map(&d, &m, 0, 4, RW, MAP_SHARED), 0);
	assert_int_equal(get(&m, 1), 2);
	rwsem_write_lock(&d.file->mapping->i_mmap_lock);
	assert_false(unmap_mapping_pages_try(d.file, 0, 4));
	rwsem_write_unlock(&d.file->mapping->i_mmap_lock);
	assert_int_equal(page_refs(d.pages[1]), 2);
	assert_true(unmap_mapping_pages_try(d.file, 0, 4));
	assert_int_equal(page_refs(d.pages[1]), 1);
	end();
}

/* The pages come and go, are written to and told of; the bytes are always those of the driver. */
static void faults_beside_zaps(void **state)
{
	pthread_t users[2], zapper;

	begin();
	d.ops.page_mkwrite = driver_mkwrite;
	d.answer = VM_FAULT_RETRY;
	assert_int_equal(driver_map(&d, &m, 0, NR_PAGES, RW, MAP_SHARED), 0);
	stop = false;
	pthread_create(&zapper, NULL, take_away, NULL);
	for (unsigned long i = 0; i < 2; i++)
		pthread_create(&users[i], NULL, use, (void *)i);
	for (int i = 0; i < 2; i++)
		pthread_join(users[i], NULL);
	stop = true;
	pthread_join(zapper, NULL);
	assert_true(d.nr_fault >= NR_PAGES);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_locked_area_asks_inside_mprotect),
		cmocka_unit_test(shared_pages_are_the_drivers),
		cmocka_unit_test(private_writes_are_to_copies),
		cmocka_unit_test(a_child_asks_for_itself),
		cmocka_unit_test(outcomes_are_the_programs),
		cmocka_unit_test(a_driver_may_insert_instead),
		cmocka_unit_test(writes_are_told_of_once),
		cmocka_unit_test(a_refused_write_is_not_done),
		cmocka_unit_test(inserted_pages_are_told_of),
		cmocka_unit_test(wrong_answers_are_reported),
		cmocka_unit_test(nothing_for_ever_is_reported),
		cmocka_unit_test(wrong_pages_are_reported),
		cmocka_unit_test(a_failing_hook_leaves_nothing),
		cmocka_unit_test(pages_are_taken_out_of_every_mm),
		cmocka_unit_test(what_a_hook_shows_is_found_later),
		cmocka_unit_test(taking_out_may_be_tried),
		cmocka_unit_test(faults_beside_zaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
