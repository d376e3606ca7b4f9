/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Transactions: what arrives, who may give it back, and what is left when a process goes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

#define NR_PAGES	16ul

static struct world w;
static struct mm_user *mm;
static struct end end;

static int open_world(void **state)
{
	world_open(&w, 4ul << 20);
	mm = world_mm(&w);
	end_open(&w, mm, &end);
	assert_int_equal(end_map(&end, mm, AT, NR_PAGES), (long)AT);
	return 0;
}

static int close_world(void **state)
{
	if (mm)
		mmput(mm);
	end_close(&end);
	world_close(&w);
	return 0;
}

static int send_text(const char *text)
{
	struct binder_message m = { .data = text, .bytes = strlen(text) + 1, .sender = 42 };

	return binder_send(end.proc, &m);
}

static void expect_text(const struct binder_delivery *d, const char *text)
{
	enum mm_fault fault;
	char found[64] = "";

	assert_int_equal(d->bytes, strlen(text) + 1);
	assert_int_equal(d->sender, 42);
	assert_int_equal(mm_read(mm, d->address, found, d->bytes, &fault), d->bytes);
	assert_string_equal(found, text);
}

static void arrives_in_order(void **state)
{
	struct binder_delivery first, second, none;

	assert_false(binder_receive(end.proc, &none));
	assert_int_equal(send_text("first"), 0);
	assert_int_equal(send_text("second"), 0);
	assert_true(binder_receive(end.proc, &first));
	assert_true(binder_receive(end.proc, &second));
	assert_false(binder_receive(end.proc, &none));
	expect_text(&first, "first");
	/* What is not given back stays, whatever is asked for. */
	world_reclaim(&w);
	expect_text(&second, "second");
	assert_int_equal(binder_done(end.proc, second.address), 0);
	expect_text(&first, "first");
	assert_int_equal(binder_done(end.proc, first.address), 0);
}

/* An address is a word of the process's: only what it has received goes by it, and once. */
static void gives_back_what_it_has(void **state)
{
	struct binder_delivery d;

	assert_int_equal(send_text("mine"), 0);
	assert_int_equal(binder_done(end.proc, AT), -EINVAL);
	assert_true(binder_receive(end.proc, &d));
	assert_int_equal(binder_done(end.proc, d.address + 1), -EINVAL);
	assert_int_equal(binder_done(end.proc, 0), -EINVAL);
	assert_int_equal(binder_done(end.proc, d.address), 0);
	assert_int_equal(binder_done(end.proc, d.address), -EINVAL);
}

static void cannot_be_written_by_the_receiver(void **state)
{
	struct binder_delivery d;
	enum mm_fault fault;

	assert_int_equal(send_text("yours"), 0);
	assert_true(binder_receive(end.proc, &d));
	assert_int_equal(mm_write(mm, d.address, "z", 1, &fault), 0);
	assert_int_equal(fault, MM_FAULT_ACCERR);
	expect_text(&d, "yours");
	assert_int_equal(binder_done(end.proc, d.address), 0);
}

static void full(void **state)
{
	char large[4 * PAGE] = { 0 };
	struct binder_message m = { .data = large, .bytes = sizeof(large) };
	struct binder_delivery d;
	unsigned int nr = 0;
	int err;

	while (!(err = binder_send(end.proc, &m)))
		nr++;
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(nr, 4);
	assert_true(binder_receive(end.proc, &d));
	assert_int_equal(binder_done(end.proc, d.address), 0);
	assert_int_equal(binder_send(end.proc, &m), 0);
	for (unsigned int i = 0; i < nr; i++) {
		assert_true(binder_receive(end.proc, &d));
		assert_int_equal(binder_done(end.proc, d.address), 0);
	}
}

/* Somebody else has the page still, as a device might, when the process goes and its file. */
static void cleared_with_the_process(void **state)
{
	struct binder_message m = { .data = "secret", .bytes = 7, .clear = true };
	struct mm_user *other = world_mm(&w);
	struct binder_delivery d;
	struct page *page;
	struct end gone;

	end_open(&w, other, &gone);
	assert_int_equal(end_map(&gone, other, AT, NR_PAGES), (long)AT);
	assert_int_equal(binder_send(gone.proc, &m), 0);
	assert_true(binder_receive(gone.proc, &d));
	assert_int_equal(d.address, AT);
	assert_int_equal(mm_handle_fault(other, AT, MM_ACCESS_READ), MM_FAULT_DONE);
	assert_int_equal(mm_pin_pages(other, AT, 1, MM_ACCESS_READ, &page), 1);
	assert_string_equal(page_address(page), "secret");
	mmput(other);
	end_close(&gone);
	assert_memory_equal(page_address(page), (char[7]){ 0 }, 7);
	mm_unpin_pages(&page, 1);
}

/* The last one: messages that nobody has read, and one that nobody has given back. */
static void receiver_dies(void **state)
{
	char large[6 * PAGE] = { 0 };
	struct binder_message m = { .data = large, .bytes = sizeof(large) };
	struct binder_delivery d;

	/* What needs no new page would still be taken: its file is open. */
	world_reclaim(&w);
	assert_int_equal(send_text("read"), 0);
	assert_true(binder_receive(end.proc, &d));
	assert_int_equal(send_text("not read"), 0);
	mmput(mm);
	mm = NULL;
	assert_int_equal(binder_send(end.proc, &m), world_by_fault() ? 0 : -ESRCH);
	world_reclaim(&w);
	assert_int_equal(binder_done(end.proc, d.address), 0);
	assert_int_equal(vmarea_shrink(w.v, 1), 0);		/* shared with the unread one */
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arrives_in_order),
		cmocka_unit_test(gives_back_what_it_has),
		cmocka_unit_test(cannot_be_written_by_the_receiver),
		cmocka_unit_test(full),
		cmocka_unit_test(cleared_with_the_process),
		cmocka_unit_test(receiver_dies),
	};

	world_choose(&argc, argv);
	return cmocka_run_group_tests(tests, open_world, close_world);
}
