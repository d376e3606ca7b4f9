/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* [--seconds N | --rounds N] [--arena MIB] [--seed N], and VMAREA_SEED */
#ifndef TESTS_STRESS_OPTIONS_H
#define TESTS_STRESS_OPTIONS_H

#include <stdbool.h>
#include <time.h>

struct stress_options {
	unsigned long nr_rounds, arena_mib;
	time_t end_time;		/* 0: after nr_rounds */
	time_t last_time;		/* or later, while something has not been tested */
};

/* What is not said stays as it is in @o.  Sets and prints `seed`; ends the program on wrong words. */
void stress_options_read(struct stress_options *o, int argc, char **argv);

/*
 * After @round, which counts from 0.  While not everything was @tested, what a slow machine may not
 * have come to by then, it goes on for up to ten times as long.
 */
bool stress_is_over(const struct stress_options *o, unsigned long round, bool tested);

#endif
