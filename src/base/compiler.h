/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the rest of src/ expects of the compiler, and nothing else: hints, layout, and the two
 * macros that C should have had.
 */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#include <vmarea/context.h>

#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)

#define __cold			__attribute__((cold))
#define __printf(fmt, first)	__attribute__((format(printf, fmt, first)))

/* Both machines this is tuned for fetch 64-byte lines, in pairs. */
#define CACHELINE_BYTES		64
#define __cacheline_aligned	__attribute__((aligned(CACHELINE_BYTES)))

#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))

#define container_of(ptr, type, member)					\
	((type *)((char *)(ptr) - offsetof(type, member)))

#define min(a, b)								\
	({ __typeof__(a) __a = (a); __typeof__(b) __b = (b); __a < __b ? __a : __b; })
#define max(a, b)								\
	({ __typeof__(a) __a = (a); __typeof__(b) __b = (b); __a > __b ? __a : __b; })

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

/* Keeps the compiler, not the CPU, from moving accesses across. */
#define barrier()	__asm__ __volatile__("" ::: "memory")

#endif
