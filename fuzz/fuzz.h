/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What each fuzzer supplies, for libFuzzer or for driver.c.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* One input.  0; it does not return if something is wrong. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
