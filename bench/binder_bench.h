/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What binder_bench's two files share: samples of rounds, and what is made of them. */
#ifndef BINDER_BENCH_H
#define BINDER_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#define MAX_ROUNDS	15u

extern unsigned int rounds;
extern bool quick;

static inline void must(bool ok)
{
	if (!ok)
		abort();
}

static inline uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	must(!clock_gettime(clock, &now));
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

struct spread {
	double least, middle, most;
};

/* Of one figure in each round. */
struct spread spread_of(const double *samples);

/* unmap_mapping_pages() of a page that so many mms map: by how many. */
void unmap_measure(int round);
void unmap_print(void);

#endif
