/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * malloc() and its kind for code under test, so that what it allocates is watched like everything
 * else: races, use after free, double free, leaks; and refused when memory is to run out.
 *
 * These stand before the C library's in the program.  Whom a call comes from decides: the program's
 * own code during an execution gets memory of the execution, everybody else, the C library too,
 * gets what the C library has.  A block knows by its address where it came from.
 *
 * What is fresh from malloc() is filled with a pattern, the same in each execution.
 */
#include <stdlib.h>
#include <string.h>

#include "port/sim/sim.h"

#define FILL	0xa5

/* The C library's, under the names that nobody takes. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t nr, size_t bytes);
void *__libc_realloc(void *p, size_t bytes);
void __libc_free(void *p);

/* The program's code: from the linker. */
extern const char __executable_start[], etext[];

static bool is_under_test(const void *pc)
{
	return sim_running() && (uintptr_t)pc - (uintptr_t)__executable_start <
				(uintptr_t)etext - (uintptr_t)__executable_start;
}

void *malloc(size_t bytes)
{
	const void *pc = __builtin_return_address(0);
	void *p;

	if (!is_under_test(pc))
		return __libc_malloc(bytes);
	p = heap_alloc(bytes, pc);
	if (p)
		memset(p, FILL, bytes);
	return p;
}

void *calloc(size_t nr, size_t bytes)
{
	const void *pc = __builtin_return_address(0);
	size_t all;

	if (!is_under_test(pc))
		return __libc_calloc(nr, bytes);
	return __builtin_mul_overflow(nr, bytes, &all) ? NULL : heap_alloc(all, pc);
}

/* Always moves, which is what finds old pointers. */
void *realloc(void *old, size_t bytes)
{
	const void *pc = __builtin_return_address(0);
	size_t old_bytes = old ? heap_bytes(old) : 0;
	void *p;

	if (old ? !old_bytes : !is_under_test(pc))
		return __libc_realloc(old, bytes);
	p = heap_alloc(bytes, pc);
	if (p && old) {
		memcpy(p, old, min(bytes, old_bytes));
		heap_free(old, pc);
	}
	return p;
}

void free(void *p)
{
	if (p && heap_bytes(p))
		heap_free(p, __builtin_return_address(0));
	else
		__libc_free(p);
}
