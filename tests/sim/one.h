/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Tiny programs of two to four threads, run under a search, and the set of outcomes that they had.
 *
 * An outcome is a small number that the scenario's finish() makes of what the threads have read.
 */
#ifndef TESTS_SIM_ONE_H
#define TESTS_SIM_ONE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "port/sim/search.h"

#define OUTCOMES	64

static u64 seen;			/* a bit for each outcome */

static inline void outcome(unsigned int n)
{
	seen |= 1ull << (n % OUTCOMES);
}

static inline struct search_setting all_orders(u32 stale)
{
	return (struct search_setting){
		.kind = SEARCH_ALL, .limit = { .stale = stale, .preemptions = ~0u },
	};
}

/* The number of executions; *why: the first failure, which ends the search. */
static inline u64 run_all(const struct sim_scenario *scenario, const struct search_setting *set,
			  enum sim_failure *why)
{
	seen = 0;
	*why = FAIL_NONE;
	sim.max_steps = 2000;
	search_begin(set);
	while (search_next()) {
		bool good = sim_execute(scenario);

		search_end_of_execution();
		if (!good) {
			*why = sim.failure;
			break;
		}
		assert_true(search_executions() < 1000000);
	}
	return search_executions();
}

#endif
