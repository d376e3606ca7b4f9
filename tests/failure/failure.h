/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the parts of failure_test share. */
#ifndef TESTS_FAILURE_FAILURE_H
#define TESTS_FAILURE_FAILURE_H

#include "world.h"

struct tally {
	unsigned long nr_sites, nr_cases, nr_wrong, nr_leaks;
	unsigned long nr_page_cases;	/* of the cases: in worlds with frames */
	long nr_left;			/* allocations that leaked earlier */
};

extern struct tally tally;

/* A state that should not be: said, counted, and gone on from. */
void tally_wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* sites.c: how many sites of the sources have not failed; each is named.  Sets tally.nr_sites. */
unsigned long check_source_sites(void);
/* Of the sites of @kind in src/...: how many have failed so far, and how often. */
struct failures {
	unsigned long sites, times;
};
struct failures failures_in(const char *path, enum port_fail_kind kind);

/* waits.c: what is not an allocation in the calling thread. */
void no_background_thread(void **state);
void background_fails(void **state);
void large_copy_fails(void **state);
void frames_stay(void **state);
void no_entropy(void **state);
void waits_end_for_no_reason(void **state);

#endif
