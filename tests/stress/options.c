/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "census.h"
#include "options.h"

#define MOST_LONGER	10

unsigned long seed;

static unsigned long number(const char *option, const char *text, unsigned long most)
{
	char *end;
	unsigned long n = strtoul(text, &end, 0);

	if (*end || end == text || !n || n > most) {
		fprintf(stderr, "--%s: %s: a number from 1 to %lu\n", option, text, most);
		exit(2);
	}
	return n;
}

void stress_options_read(struct stress_options *o, int argc, char **argv)
{
	static const struct option options[] = {
		{ "seconds", required_argument, NULL, 's' }, { "rounds", required_argument, NULL, 'r' },
		{ "arena", required_argument, NULL, 'a' }, { "seed", required_argument, NULL, 'e' },
		{ 0 },
	};
	const char *text = getenv("VMAREA_SEED");
	int opt;

	seed = text ? strtoul(text, NULL, 0) : (unsigned long)time(NULL);
	while ((opt = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (opt == 's') {
			time_t seconds = (time_t)number("seconds", optarg, 1000000);

			o->end_time = time(NULL) + seconds;
			o->last_time = time(NULL) + MOST_LONGER * seconds;
		} else if (opt == 'r') {
			o->nr_rounds = number("rounds", optarg, 1000000000);
		} else if (opt == 'a') {
			o->arena_mib = number("arena", optarg, 4096);
		} else if (opt == 'e') {
			seed = strtoul(optarg, NULL, 0);
		} else {
			exit(2);
		}
	}
	printf("VMAREA_SEED=%lu\n", seed);
	fflush(stdout);
}

bool stress_is_over(const struct stress_options *o, unsigned long round, bool tested)
{
	if (o->end_time)
		return time(NULL) >= (tested ? o->end_time : o->last_time);
	return round + 1 >= (tested ? 1 : MOST_LONGER) * o->nr_rounds;
}
