/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The contents of a page, and the number that stands for them in recordings.
 *
 * A *stand-in* is a page made from a number, for contents whose bytes a recording does not carry.
 * Its number is the one it was made from, so recorder and replay agree about it: all that is asked
 * of a page that nobody looks into is that it comes back from where it was put.
 */
#ifndef TOOLS_CONTENTS_H
#define TOOLS_CONTENTS_H

#include <stdbool.h>
#include <stdint.h>

#define CONTENTS_BYTES	4096u

/* 64 bits; 0 for a page of zeros and for no other. */
uint64_t contents_number(const void *page);
void contents_stand_in(void *page, uint64_t number);

#endif
