/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * For fuzzers of what reads files: an input as a file that has a name, and nothing printed.
 */
#ifndef FUZZ_READER_H
#define FUZZ_READER_H

#include <stddef.h>
#include <stdint.h>

/* The name of a file that holds the input, each time the same.  An error ends the program. */
const char *reader_file(const uint8_t *data, size_t size);

/* What is printed in between is formatted and thrown away. */
void reader_silence(void);
void reader_speak(void);

#endif
