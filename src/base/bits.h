/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Powers of two, pages, and arithmetic that notices when it overflows.
 *
 * Addresses and sizes in bytes are unsigned long.  A page is 4 KiB; the larger ones of the
 * hardware are orders of it.
 */
#ifndef BASE_BITS_H
#define BASE_BITS_H

#include "base/compiler.h"

#define BIT(n)			(1ul << (n))

/* @a is a power of two, of any integer type: it is widened to that of @x first. */
#define ALIGN_DOWN(x, a)	((x) & ~((__typeof__(x))(a) - 1))
#define ALIGN(x, a)		ALIGN_DOWN((x) + ((__typeof__(x))(a) - 1), a)
#define IS_ALIGNED(x, a)	(((x) & ((__typeof__(x))(a) - 1)) == 0)

#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))

#ifndef PAGE_SHIFT
# define PAGE_SHIFT		12
# define PAGE_SIZE		(1ul << PAGE_SHIFT)
# define PAGE_MASK		(~(PAGE_SIZE - 1))
#endif

/* Rounds up and wraps to 0 above the last page: compare the result with what went in. */
#define PAGE_ALIGN(x)		ALIGN((unsigned long)(x), PAGE_SIZE)
#define PAGE_ALIGN_DOWN(x)	ALIGN_DOWN((unsigned long)(x), PAGE_SIZE)
#define PAGE_ALIGNED(x)		IS_ALIGNED((unsigned long)(x), PAGE_SIZE)

static inline bool is_power_of_2(unsigned long n)
{
	return n && !(n & (n - 1));
}

/* Number of the highest bit set, counted from 1; 0 for 0. */
static inline unsigned int fls64(u64 x)
{
	return x ? 64 - (unsigned int)__builtin_clzll(x) : 0;
}

/* Number of the lowest bit set, counted from 1; 0 for 0. */
static inline unsigned int ffs64(u64 x)
{
	return (unsigned int)__builtin_ffsll((long long)x);
}

/* floor(log2(n)); n is not 0. */
static inline unsigned int ilog2(u64 n)
{
	return fls64(n) - 1;
}

static inline unsigned int popcount64(u64 x)
{
	return (unsigned int)__builtin_popcountll(x);
}

/* The next power of two that is not less than @n; 0 if it does not fit. */
static inline unsigned long roundup_pow2(unsigned long n)
{
	if (n <= 1)
		return 1;
	return n > BIT(63) ? 0 : BIT(fls64(n - 1));
}

/* True if the exact result does not fit in *@res, which then holds the wrapped one. */
#define check_add_overflow(a, b, res)	__builtin_add_overflow((a), (b), (res))
#define check_sub_overflow(a, b, res)	__builtin_sub_overflow((a), (b), (res))
#define check_mul_overflow(a, b, res)	__builtin_mul_overflow((a), (b), (res))

#endif
