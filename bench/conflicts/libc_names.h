/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Included before the first line of each source of the library in its observed build.
 *
 * The thread sanitizer's pass leaves mem*() alone, and the compiler makes moves of them that nobody
 * sees.  So they are calls of the recorder here; as are the two by which the port has memory, so
 * that each run finds its objects at the same addresses.
 */
#ifndef LIBC_NAMES_H
#define LIBC_NAMES_H

#include "recorder.h"

#define memcpy			observed_memcpy
#define memmove			observed_memmove
#define memset			observed_memset
#define memcmp			observed_memcmp
#define __builtin_memcpy	observed_memcpy
#define __builtin_memmove	observed_memmove
#define __builtin_memset	observed_memset
#define posix_memalign		observed_memalign
#define free			observed_free

#endif
