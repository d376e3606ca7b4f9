/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What a hook of a fault must not do, done once each, and the report.
 */
#include <vmarea/debug.h>
#include <vmarea/driver_fault.h>
#include <vmarea/shrinker.h>

#include "../mm/space.h"
#include "reports.h"

static struct vmarea_lock_class device_class = VMAREA_LOCK_CLASS("the device's lock");

static struct space s;
static struct file *file;
static struct page *page;
static int device;			/* its address stands for a lock */
static struct vma_ref *kept;
static vm_fault_t (*what)(struct vma_ref *vma, struct vm_fault *vmf);

static vm_fault_t fault(struct vma_ref *vma, struct vm_fault *vmf)
{
	return what(vma, vmf);
}

static const struct vm_operations_struct ops = { .fault = fault };

static int map(struct file *unused, struct vma_new *vma) __in_mmap_hook;
static int map(struct file *unused, struct vma_new *vma)
{
	vma_set_mixedmap(vma);
	vma_set_owner(vma, &ops, &device);
	return 0;
}

static const struct file_operations file_ops = { .owner = "careless", .mmap = map };

static int set_up(void **state)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .ops = &file_ops, .name = "/dev/careless",
		.flags = FILE_READ | FILE_WRITE,
	};

	space_init(&s);
	s.config.arena_bytes = 8ul << 20;
	assert_int_equal(vmarea_create(&s.config, &s.v), 0);
	assert_int_equal(mm_create(s.v, &s.mm_config, &s.mm), 0);
	assert_int_equal(file_create(s.v, &desc, &file), 0);
	assert_int_equal(space_map_file(&s, 0, 4, RW, MAP_SHARED, file, 0), 0);
	page = alloc_page(s.v);
	note_reports();
	return 0;
}

static int tear_down(void **state)
{
	stop_noting();
	__free_page(page);
	file_put(file);
	space_close(&s);
	return 0;
}

static enum mm_fault touch(vm_fault_t (*hook)(struct vma_ref *vma, struct vm_fault *vmf))
{
	what = hook;
	return mm_handle_fault(s.mm, at(1), MM_ACCESS_READ);
}

/* ------------------------------------------------------------------------------- rules -- */

static vm_fault_t sleeps_in_atomic(struct vma_ref *vma, struct vm_fault *vmf)
{
	int err;

	vmarea_lock_acquired(&device, &device_class, VMAREA_LOCK_SPIN);
	err = vm_insert_page(vma_as_mixedmap(vma), vmf->address, page);
	vmarea_lock_released(&device, VMAREA_LOCK_SPIN);
	return err ? VM_FAULT_OOM : VM_FAULT_NOPAGE;
}

static void sleeping_under_a_spinlock(void **state)
{
	assert_int_equal(touch(sleeps_in_atomic), MM_FAULT_DONE);
	expect_report("sleeping in atomic context", "now: ", "sleeps_in_atomic+0x",
		      "held: the device's lock");
}

static vm_fault_t keeps_its_lock(struct vma_ref *vma, struct vm_fault *vmf)
{
	vmarea_lock_acquired(&device, &device_class, VMAREA_LOCK_EXCLUSIVE);
	return VM_FAULT_SIGBUS;
}

static void returning_with_a_lock(void **state)
{
	assert_int_equal(touch(keeps_its_lock), MM_FAULT_BUS);
	/* By the hook, and then by the call that it was in. */
	assert_int_equal(reports.nr, 2);
	check_report(reports.text[0], PARTS("still held at the return of vma_ops_fault()",
					    "the device's lock", "keeps_its_lock+0x"));
	check_report(reports.text[1], PARTS("still held at the return of mm_handle_fault()"));
	vmarea_lock_released(&device, VMAREA_LOCK_EXCLUSIVE);
}

static vm_fault_t keeps_the_vma(struct vma_ref *vma, struct vm_fault *vmf)
{
	kept = vma;
	return VM_FAULT_SIGBUS;
}

static void keeping_the_vma(void **state)
{
	assert_int_equal(touch(keeps_the_vma), MM_FAULT_BUS);
	assert_int_equal(vma_start(kept), at(0));
	expect_report("stale handle: VMA", "after its call of a hook has ended in fault()");
}

static vm_fault_t maps_something(struct vma_ref *vma, struct vm_fault *vmf)
{
	struct mmap_read *lock = mmap_read_lock(vma_mm(vma));

	mmap_read_unlock(lock);
	return VM_FAULT_SIGBUS;
}

static void taking_the_mmap_lock(void **state)
{
	assert_int_equal(touch(maps_something), MM_FAULT_BUS);
	expect_report("lock order: mmap lock", "while holding vma lock", "maps_something+0x");
}

/* The same class is taken before the mmap lock elsewhere: that could deadlock, and need not. */
static vm_fault_t takes_the_device(struct vma_ref *vma, struct vm_fault *vmf)
{
	vmarea_lock_acquiring(&device, &device_class);
	vmarea_lock_acquired(&device, &device_class, VMAREA_LOCK_EXCLUSIVE);
	vmarea_lock_released(&device, VMAREA_LOCK_EXCLUSIVE);
	return vmf->flags & VMF_MAY_RETRY ? VM_FAULT_RETRY : VM_FAULT_SIGBUS;
}

static void the_other_order(void **state)
{
	struct mmap_read *lock;

	assert_int_equal(touch(takes_the_device), MM_FAULT_BUS);
	expect_no_report();
	vmarea_lock_acquired(&device, &device_class, VMAREA_LOCK_EXCLUSIVE);
	lock = mmap_read_lock(s.mm);
	expect_report("lock order: mmap lock", "while holding the device's lock");
	mmap_read_unlock(lock);
	vmarea_lock_released(&device, VMAREA_LOCK_EXCLUSIVE);
}

/* It would get by without the mmap lock, the page being there: until a writer waits. */
static void accesses_under_a_vma_lock(void **state)
{
	struct mm_translation translation;
	enum mm_fault fault;
	struct vma_ref *vma;
	char byte = 1;

	assert_int_equal(space_map(&s, 10, 1, RW, ANON), 0);
	assert_int_equal(mm_write(s.mm, at(10), &byte, 1, &fault), 1);
	vma = lock_vma_under_rcu(s.mm, at(10));
	assert_non_null(vma);
	assert_int_equal(mm_handle_fault(s.mm, at(10), MM_ACCESS_READ), MM_FAULT_DONE);
	expect_report("lock order: mmap lock", "while holding vma lock", "mm_handle_fault+0x");
	assert_int_equal(mm_read(s.mm, at(10), &byte, 1, &fault), 1);
	expect_report("lock order: mmap lock", "while holding vma lock", "mm_read+0x");
	assert_int_equal(mm_translate(s.mm, at(10), MM_ACCESS_READ, &translation), MM_FAULT_DONE);
	mm_translation_put(&translation);
	expect_report("lock order: mmap lock", "while holding vma lock", "mm_translate+0x");
	vma_end_read(vma);
}

/* ---------------------------------------------------------------------------- shrinkers -- */

static void unregisters_itself(struct shrinker *shrinker);

static unsigned long one(struct shrinker *shrinker)
{
	return 1;
}

static unsigned long until_reported(struct shrinker *shrinker)
{
	return !reports.nr;
}

static unsigned long leaves(struct shrinker *shrinker, struct shrink_control *sc)
{
	unregisters_itself(shrinker);
	return SHRINK_STOP;
}

static struct shrinker leaving = { .name = "hasty", .count = until_reported, .scan = leaves };
static jmp_buf out_of_unregister;

/* It would wait for ever: what comes after the report is not tried. */
static void leave_at_report(void *arg, const char *text)
{
	note_report(arg, text);
	longjmp(out_of_unregister, 1);
}

static void unregisters_itself(struct shrinker *shrinker)
{
	witness_set_report(leave_at_report, NULL);
	if (!setjmp(out_of_unregister))
		shrinker_unregister(shrinker);
	witness_set_report(note_report, NULL);
}

static void unregistering_itself(void **state)
{
	shrinker_register(s.v, &leaving);
	vmarea_shrink(s.v, 1);
	expect_report("lock recursion: shrinker's run", "in a hook of driver hasty",
		      "shrinker_unregister+0x");
	shrinker_unregister(&leaving);
}

static unsigned long waits_for_the_device(struct shrinker *shrinker, struct shrink_control *sc)
{
	vmarea_lock_acquiring(&device, &device_class);
	vmarea_lock_acquired(&device, &device_class, VMAREA_LOCK_EXCLUSIVE);
	vmarea_lock_released(&device, VMAREA_LOCK_EXCLUSIVE);
	return SHRINK_STOP;
}

static void unregistering_under_its_lock(void **state)
{
	static struct vmarea_lock_class class = VMAREA_LOCK_CLASS("the shrinker's lock");
	struct shrinker waits = { .name = "waiting", .count = one, .scan = waits_for_the_device };

	device_class = class;
	shrinker_register(s.v, &waits);
	vmarea_shrink(s.v, 1);
	expect_no_report();
	vmarea_lock_acquired(&device, &device_class, VMAREA_LOCK_EXCLUSIVE);
	shrinker_unregister(&waits);
	expect_report("lock order: shrinker's run", "while holding the shrinker's lock");
	vmarea_lock_released(&device, VMAREA_LOCK_EXCLUSIVE);
}

int main(void)
{
#define RULE(test)	cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		RULE(sleeping_under_a_spinlock),
		RULE(returning_with_a_lock),
		RULE(keeping_the_vma),
		RULE(taking_the_mmap_lock),
		RULE(the_other_order),
		RULE(accesses_under_a_vma_lock),
		RULE(unregistering_itself),
		RULE(unregistering_under_its_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
