/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Who makes the choices of an execution.  search.c tells how. */
#ifndef PORT_SIM_SEARCH_H
#define PORT_SIM_SEARCH_H

#include "port/sim/sim.h"

enum search_kind {
	SEARCH_RANDOM,			/* each choice by the seed */
	SEARCH_PCT,			/* priorities by the seed, changed at a few points */
	SEARCH_ALL,			/* every order that differs */
	SEARCH_BOUNDED,			/* every schedule with at most so many preemptions */
	SEARCH_PATH,			/* the choices that are given */
};

#define SEARCH_TOKEN_BYTES	8192

struct search_setting {
	enum search_kind kind;
	u64 seed;
	u32 depth;			/* PCT: points at which the first becomes the last, + 1 */
	u32 length;			/* PCT: steps that an execution has, about */
	struct sim_budget limit;
	const char *path;		/* PATH: "17=2,40=1": choice 17 is 2; all others are 0 */
};

/* Forgets everything and begins. */
void search_begin(const struct search_setting *setting);
/* Before each execution.  False: there is none left (ALL, BOUNDED). */
bool search_next(void);
/* After it: what was learned. */
void search_end_of_execution(void);
/* The execution just run, as a path for SEARCH_PATH. */
void search_token(char *buf, size_t bytes);
/* Executions so far; of these, cut short since another one was the same. */
u64 search_executions(void);
u64 search_pruned(void);

#endif
