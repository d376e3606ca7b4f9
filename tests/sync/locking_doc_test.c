/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The table of lock ranks in docs/LOCKING.md is the list in src/sync/rank.h.
 *
 *	locking_doc_test		compares
 *	locking_doc_test --print	prints the table as it has to be
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bug.h"
#include "sync/rank.h"

#define BEGIN	"<!-- ranks: begin -->\n"
#define END	"<!-- ranks: end -->\n"

static char wanted[8192], found[8192];

static void make_table(void)
{
	int at = snprintf(wanted, sizeof(wanted),
			  "| rank | lock | kind | guards |\n|---|---|---|---|\n");

	for (int rank = LOCK_RANK_NONE + 1; rank < LOCK_RANK_NR; rank++)
		at += snprintf(wanted + at, sizeof(wanted) - (size_t)at,
			       "| %d | %s | %s | %s |\n", rank, lock_ranks[rank].name,
			       lock_ranks[rank].kind, lock_ranks[rank].guards);
}

/* What lies between the two marks. */
static void read_table(void)
{
	static char text[65536];
	FILE *file = fopen(LOCKING_MD, "r");
	char *begin, *end;
	size_t len;

	assert_non_null(file);
	len = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[len] = 0;
	begin = strstr(text, BEGIN);
	assert_non_null(begin);
	begin += strlen(BEGIN);
	end = strstr(begin, END);
	assert_non_null(end);
	snprintf(found, sizeof(found), "%.*s", (int)(end - begin), begin);
}

static void test_table(void **state)
{
	(void)state;
	make_table();
	read_table();
	if (strcmp(wanted, found))
		fail_msg("%s differs from src/sync/rank.h; it has to be:\n%s", LOCKING_MD, wanted);
}

/* A rank without a name would print as (null), or not be checked at all. */
static void test_all_ranks_named(void **state)
{
	(void)state;
	for (int rank = 0; rank < LOCK_RANK_NR; rank++) {
		assert_non_null(lock_ranks[rank].name);
		assert_non_null(lock_ranks[rank].kind);
		assert_non_null(lock_ranks[rank].guards);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_all_ranks_named),
	};

	if (argc > 1 && !strcmp(argv[1], "--print")) {
		make_table();
		fputs(wanted, stdout);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
