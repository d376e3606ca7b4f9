/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "contents.h"

#include <string.h>

#define WORDS	(CONTENTS_BYTES / 8)
/* Odd, with bits everywhere: 2^64 divided by the golden ratio, and a prime. */
#define STEP	0x9e3779b97f4a7c15ul
#define FACTOR	0xd6e8feb86659fd93ul

void contents_stand_in(void *page, uint64_t number)
{
	uint64_t words[WORDS];

	for (unsigned int i = 0; i < WORDS; i++)
		words[i] = number ? number + i * STEP : 0;
	memcpy(page, words, sizeof(words));
}

uint64_t contents_number(const void *page)
{
	uint64_t words[WORDS], n = STEP, any = 0;
	bool stand_in = true;

	memcpy(words, page, sizeof(words));
	for (unsigned int i = 0; i < WORDS; i++) {
		any |= words[i];
		stand_in &= words[i] == words[0] + i * STEP;
		n = (n ^ words[i]) * FACTOR;
		n ^= n >> 32;
	}
	if (!any)
		return 0;
	if (stand_in)
		n = words[0];
	return n ? n : 1;
}
