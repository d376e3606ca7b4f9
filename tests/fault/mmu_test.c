/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The pages of an mm through a virtual CPU's TLB and in a window of this process: what one writes the
 * others read, and what a memory call takes away is gone for all of them.  Public headers only, but for the second opinion at the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <vmarea/debug.h>
#include <vmarea/host.h>
#include <vmarea/soft_tlb.h>

#include "../walker/opinion.h"

#define PAGE		4096ul
#define WINDOW		0x10000000ul
#define WINDOW_BYTES	(4ul << 20)
#define AT(page)	(WINDOW + (page) * PAGE)
#define RW		(PROT_READ | PROT_WRITE)
#define ANON		(MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)

static struct vmarea *instance;
static struct mm_user *mm;
static struct soft_tlb *tlb;
static struct soft_tlb_space *space;
static struct host_window *window;
static struct host_fault last;
static sigjmp_buf back;

static bool refused(struct host_window *w, const struct host_fault *fault, void *arg)
{
	(void)w;
	(void)arg;
	last = *fault;
	siglongjmp(back, 1);
}

/* In the test itself: before each the harness puts its own signal handlers. */
static void open_machine(void)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;
	const struct mm_config mm_config = MM_CONFIG_INIT;
	struct host_window_config wc = { .size = sizeof(wc), .start = WINDOW, .bytes = WINDOW_BYTES,
					 .refused = refused };

	config.arena_bytes = 32ul << 20;
	assert_int_equal(vmarea_create(&config, &instance), 0);
	assert_int_equal(mm_create(instance, &mm_config, &mm), 0);
	assert_non_null(mm_mmu(mm));
	assert_int_equal(soft_tlb_create(SOFT_TLB_MIN_LOG2, &tlb), 0);
	assert_int_equal(soft_tlb_attach(tlb, mm_mmu(mm), &space), 0);
	soft_tlb_switch(tlb, space);
	assert_int_equal(host_window_create(mm_mmu(mm), &wc, &window), 0);
}

static void close_machine(void)
{
	char why[256];

	assert_int_equal(mm_validate(mm, why, sizeof(why)), 0);
	if (!opinion_of_mm(mm, why))
		fail_msg("%s", why);
	host_window_destroy(window);
	soft_tlb_detach(tlb, space);
	soft_tlb_destroy(tlb);
	mmput(mm);
	vmarea_destroy(instance);
}

static void must_map(unsigned long page, unsigned long nr, unsigned long prot)
{
	assert_int_equal(mm_mmap(mm, AT(page), nr * PAGE, prot, ANON, NULL, 0), AT(page));
}

/* By the virtual CPU: the byte, or -1 and why not. */
static int soft_get(unsigned long addr)
{
	const uint8_t *p;
	int value;

	soft_tlb_begin(tlb);
	p = soft_tlb_read(tlb, addr, 1);
	value = p ? *p : -1;
	soft_tlb_end(tlb);
	return value;
}

static bool soft_set(unsigned long addr, uint8_t value)
{
	uint8_t *p;

	soft_tlb_begin(tlb);
	p = soft_tlb_write(tlb, addr, 1);
	if (p)
		*p = value;
	soft_tlb_end(tlb);
	return p;
}

/* By plain C code in the window: the same. */
static volatile uint8_t *seen_at(unsigned long addr)
{
	return host_window_at(window, addr);
}

static int host_get(unsigned long addr)
{
	return sigsetjmp(back, 1) ? -1 : *seen_at(addr);
}

static bool host_set(unsigned long addr, uint8_t value)
{
	if (sigsetjmp(back, 1))
		return false;
	*seen_at(addr) = value;
	return true;
}

static void one_memory(void **state)
{
	enum mm_fault fault;
	uint8_t byte = 0;

	(void)state;
	open_machine();
	must_map(0, 8, RW);
	assert_int_equal(soft_get(AT(1)), 0);
	assert_true(host_set(AT(1), 7));
	assert_int_equal(soft_get(AT(1)), 7);
	assert_true(soft_set(AT(1) + 1, 8));
	assert_int_equal(host_get(AT(1) + 1), 8);
	assert_int_equal(mm_read(mm, AT(1) + 1, &byte, 1, &fault), 1);
	assert_int_equal(byte, 8);
	close_machine();
}

static void what_goes_is_gone(void **state)
{
	(void)state;
	open_machine();
	must_map(16, 2, RW);
	assert_true(soft_set(AT(16), 1));
	assert_int_equal(host_get(AT(16)), 1);
	assert_int_equal(mm_munmap(mm, AT(16), PAGE), 0);
	assert_int_equal(soft_get(AT(16)), -1);
	assert_int_equal(tlb->fault, MM_FAULT_MAPERR);
	assert_int_equal(host_get(AT(16)), -1);
	assert_int_equal(last.why, MM_FAULT_MAPERR);
	assert_int_equal(last.addr, AT(16));
	/* The same place again is other memory. */
	must_map(16, 1, RW);
	assert_int_equal(host_get(AT(16)), 0);
	assert_int_equal(soft_get(AT(16)), 0);
	close_machine();
}

static void rights_are_taken_at_once(void **state)
{
	(void)state;
	open_machine();
	must_map(32, 1, RW);
	assert_true(soft_set(AT(32), 3));
	assert_true(host_set(AT(32) + 1, 4));
	assert_int_equal(mm_mprotect(mm, AT(32), PAGE, PROT_READ), 0);
	assert_false(soft_set(AT(32), 5));
	assert_int_equal(tlb->fault, MM_FAULT_ACCERR);
	assert_false(host_set(AT(32), 5));
	assert_int_equal(last.why, MM_FAULT_ACCERR);
	assert_int_equal(soft_get(AT(32)), 3);
	assert_int_equal(host_get(AT(32) + 1), 4);
	assert_int_equal(mm_mprotect(mm, AT(32), PAGE, RW), 0);
	assert_true(host_set(AT(32), 6));
	assert_int_equal(soft_get(AT(32)), 6);
	close_machine();
}

/* A fork takes the right to write away from both: what either writes then is its own. */
static void fork_copies_on_write(void **state)
{
	struct mm_user *child;
	enum mm_fault fault;
	uint8_t byte = 0;

	(void)state;
	open_machine();
	must_map(48, 2, RW);
	assert_true(soft_set(AT(48), 10));
	assert_true(host_set(AT(49), 11));
	assert_int_equal(mm_fork(mm, &child), 0);
	assert_true(soft_set(AT(48), 20));
	assert_true(host_set(AT(49), 21));
	assert_int_equal(mm_read(child, AT(48), &byte, 1, &fault), 1);
	assert_int_equal(byte, 10);
	assert_int_equal(mm_read(child, AT(49), &byte, 1, &fault), 1);
	assert_int_equal(byte, 11);
	assert_int_equal(host_get(AT(48)), 20);
	assert_int_equal(soft_get(AT(49)), 21);
	mmput(child);
	close_machine();
}

static void areas_only_have_none(void **state)
{
	const struct vmarea_config config = VMAREA_CONFIG_INIT;
	const struct mm_config mm_config = MM_CONFIG_INIT;
	struct vmarea *other;
	struct mm_user *areas;

	(void)state;
	assert_int_equal(vmarea_create(&config, &other), 0);
	assert_int_equal(mm_create(other, &mm_config, &areas), 0);
	assert_null(mm_mmu(areas));
	mmput(areas);
	vmarea_destroy(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_memory),
		cmocka_unit_test(what_goes_is_gone),
		cmocka_unit_test(rights_are_taken_at_once),
		cmocka_unit_test(fork_copies_on_write),
		cmocka_unit_test(areas_only_have_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
