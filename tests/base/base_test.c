/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Bits, overflow, lists, text and assertions. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/bug.h"
#include "base/list.h"
#include "base/str.h"

static void test_align(void **state)
{
	u32 small = 0x1001;

	(void)state;
	assert_int_equal(ALIGN(1ul, 4096), 4096);
	assert_int_equal(ALIGN(4096ul, 4096), 4096);
	assert_int_equal(ALIGN(0ul, 4096), 0);
	assert_int_equal(ALIGN_DOWN(8191ul, 4096), 4096);
	/* The alignment is an int and the value is not: no bits above 32 may be lost. */
	assert_int_equal(ALIGN_DOWN(0x123456789abcul, 0x1000), 0x123456789000ul);
	assert_int_equal(ALIGN(small, 0x1000), 0x2000);
	assert_true(IS_ALIGNED(0x7000ul, 0x1000));
	assert_false(IS_ALIGNED(0x7008ul, 0x1000));
	assert_int_equal(PAGE_ALIGN(1), PAGE_SIZE);
	assert_int_equal(PAGE_ALIGN(~0ul), 0);
	assert_int_equal(PAGE_MASK, ~0xffful);
}

static void test_powers(void **state)
{
	(void)state;
	assert_false(is_power_of_2(0));
	assert_true(is_power_of_2(1));
	assert_true(is_power_of_2(1ul << 63));
	assert_false(is_power_of_2(3));
	assert_int_equal(fls64(0), 0);
	assert_int_equal(fls64(1), 1);
	assert_int_equal(fls64(~0ull), 64);
	assert_int_equal(ffs64(0), 0);
	assert_int_equal(ffs64(0x80), 8);
	assert_int_equal(ilog2(4096), 12);
	assert_int_equal(ilog2(8191), 12);
	assert_int_equal(popcount64(0xf0f), 8);
	assert_int_equal(roundup_pow2(0), 1);
	assert_int_equal(roundup_pow2(4097), 8192);
	assert_int_equal(roundup_pow2(BIT(63)), BIT(63));
	assert_int_equal(roundup_pow2(BIT(63) + 1), 0);
}

static void test_overflow(void **state)
{
	unsigned long r;

	(void)state;
	assert_false(check_add_overflow(~0ul, 0ul, &r));
	assert_true(check_add_overflow(~0ul, 1ul, &r));
	assert_int_equal(r, 0);
	assert_true(check_sub_overflow(0ul, 1ul, &r));
	assert_true(check_mul_overflow(1ul << 32, 1ul << 32, &r));
}

struct item {
	int value;
	struct list_head link;
};

/* The values in order as decimal digits; also checks the way back. */
static long digits(struct list_head *head)
{
	struct item *item;
	long forward = 0, back = 0, scale = 1;

	list_for_each_entry(item, head, link)
		forward = forward * 10 + item->value;
	list_for_each_entry_reverse(item, head, link) {
		back += item->value * scale;
		scale *= 10;
	}
	assert_int_equal(forward, back);
	return forward;
}

static void test_list(void **state)
{
	struct list_head a, b;
	struct item items[6], *item, *tmp;

	(void)state;
	list_init(&a);
	list_init(&b);
	assert_true(list_empty(&a));
	for (int i = 0; i < 6; i++)
		items[i].value = i;
	list_add_tail(&items[1].link, &a);
	list_add_tail(&items[2].link, &a);
	list_add(&items[3].link, &a);
	assert_int_equal(digits(&a), 312);
	list_add(&items[4].link, &items[1].link);
	assert_int_equal(digits(&a), 3142);
	assert_ptr_equal(list_first_entry(&a, struct item, link), &items[3]);
	assert_ptr_equal(list_last_entry(&a, struct item, link), &items[2]);
	list_move_tail(&items[1].link, &a);
	assert_int_equal(digits(&a), 3421);
	list_del(&items[4].link);
	assert_ptr_equal(items[4].link.next, LIST_POISON);
	list_del_init(&items[2].link);
	assert_true(list_empty(&items[2].link));
	assert_int_equal(digits(&a), 31);
	list_add_tail(&items[5].link, &b);
	list_splice_tail_init(&a, &b);
	assert_true(list_empty(&a));
	assert_int_equal(digits(&b), 531);
	list_splice_tail_init(&a, &b);
	assert_int_equal(digits(&b), 531);
	list_for_each_entry_safe(item, tmp, &b, link)
		if (item->value == 3)
			list_del(&item->link);
	assert_int_equal(digits(&b), 51);
}

static void test_text(void **state)
{
	char buf[32], tiny[6];
	struct text t = text_in(buf, sizeof(buf));

	(void)state;
	text_str(&t, "at ");
	text_hex(&t, 0xdeadbeefcafeull);
	text_char(&t, ' ');
	text_dec(&t, UINT64_MAX);
	assert_true(t.cut);
	assert_string_equal(buf, "at deadbeefcafe 184467440737095");

	t = text_in(tiny, sizeof(tiny));
	text_number(&t, 0x1f, 16, 4);
	assert_string_equal(tiny, "001f");
	assert_false(t.cut);
	text_dec(&t, 0);
	assert_string_equal(tiny, "001f0");
	text_dec(&t, 1);
	assert_string_equal(tiny, "001f0");
	assert_true(t.cut);
}

static void test_str(void **state)
{
	char to[4];

	(void)state;
	assert_int_equal(str_len(""), 0);
	assert_int_equal(str_len("abc"), 3);
	assert_true(str_eq("abc", "abc"));
	assert_false(str_eq("abc", "ab"));
	assert_false(str_eq("ab", "abc"));
	assert_true(str_copy(to, sizeof(to), "abc"));
	assert_string_equal(to, "abc");
	assert_false(str_copy(to, sizeof(to), "abcd"));
	assert_string_equal(to, "abc");
	assert_false(str_copy(to, 0, "a"));
}

/* What fn() prints on stderr in a child, which must end by @signal (0: normally). */
static void output_of(void (*fn)(void), int signal, char *out, size_t out_bytes)
{
	int fds[2], status;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct sigaction dfl = { .sa_handler = SIG_DFL };

		sigaction(SIGABRT, &dfl, NULL);
		dup2(fds[1], STDERR_FILENO);
		fn();
		_exit(0);
	}
	close(fds[1]);
	while ((n = read(fds[0], out + len, out_bytes - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = 0;
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WIFSIGNALED(status) ? WTERMSIG(status) : 0, signal);
}

static volatile unsigned long five = 5;

static void bug_with_values(void)
{
	VM_BUG_ON(five > 4, "five %lu", five);
}

static void bug_without_values(void)
{
	VM_BUG_ON(five != 6);
}

static void no_bug(void)
{
	VM_BUG_ON(five == 6);
}

static void warn_twice(void)
{
	for (int i = 0; i < 2; i++)
		if (!VM_WARN_ON(five == 5, "warned %d", i))
			_exit(3);
	if (VM_WARN_ON(five == 6))
		_exit(4);
	if (port_warn_count() != 2)
		_exit(5);
}

static void debug_bug(void)
{
	VM_DEBUG_ON(five++ == 5, "in a debug build");
	/* In any other the condition is not even evaluated. */
	if (five != 5)
		_exit(6);
}

static void test_bug(void **state)
{
	char out[1024];

	(void)state;
	output_of(bug_with_values, SIGABRT, out, sizeof(out));
	assert_non_null(strstr(out, "base_test.c:"));
	assert_non_null(strstr(out, "bug_with_values()"));
	assert_non_null(strstr(out, "five > 4"));
	assert_non_null(strstr(out, "five 5\n"));
	output_of(bug_without_values, SIGABRT, out, sizeof(out));
	assert_non_null(strstr(out, "five != 6"));
	output_of(no_bug, 0, out, sizeof(out));
	assert_string_equal(out, "");
}

static void test_warn(void **state)
{
	char out[1024], *first;

	(void)state;
	output_of(warn_twice, 0, out, sizeof(out));
	first = strstr(out, "WARNING");
	assert_non_null(first);
	assert_non_null(strstr(out, "warned 0"));
	assert_null(strstr(first + 1, "WARNING"));
}

static void test_debug_on(void **state)
{
	char out[1024];

	(void)state;
	output_of(debug_bug, VMAREA_DEBUG ? SIGABRT : 0, out, sizeof(out));
	assert_true(!!strstr(out, "in a debug build") == VMAREA_DEBUG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_align),
		cmocka_unit_test(test_powers),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_str),
		cmocka_unit_test(test_bug),
		cmocka_unit_test(test_warn),
		cmocka_unit_test(test_debug_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
