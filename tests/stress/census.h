/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Who holds each frame, while nobody calls anything: census_begin(), census_mm() of each mm that
 * there is, census_pin() of each pin, census_end().  The essay is in census.c.
 */
#ifndef TESTS_STRESS_CENSUS_H
#define TESTS_STRESS_CENSUS_H

#include <stdio.h>
#include <stdlib.h>

#include <vmarea/debug.h>
#include <vmarea/vmarea.h>

extern unsigned long seed;

/* What must hold. */
#define CHECK(cond, fmt, ...)							\
	do {									\
		if (!(cond)) {							\
			fprintf(stderr, "%s:%d: %s: " fmt " (seed %lu)\n", __FILE__, \
				__LINE__, #cond, ##__VA_ARGS__, seed);		\
			abort();						\
		}								\
	} while (0)

void census_begin(struct vmarea *v);
void census_mm(struct mm_user *mm);
void census_pin(struct page *page);
/* How many leaves of 2 MiB there are. */
unsigned long census_end(struct vmarea *v);

#endif
