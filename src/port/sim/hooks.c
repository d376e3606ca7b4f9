/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the compiler calls for code that is built with -fsanitize=thread: each plain access, each
 * atomic one, each entry and exit of a function.  The sanitizer's own library is not linked; these
 * take its place.
 *
 * Outside of an execution (a test's main(), a report) they do what the access says and no more.
 */
#include "port/sim/sim.h"

#define HERE	__builtin_return_address(0)

/* The compiler declares none of these. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

void __tsan_init(void)
{
}

void __tsan_func_entry(void *pc)
{
	(void)pc;
}

void __tsan_func_exit(void)
{
}

/* ------------------------------------------------------------------------------- plain -- */

#define PLAIN(bytes)								\
	void __tsan_read##bytes(void *p) { race_plain(p, bytes, false, HERE); }	\
	void __tsan_write##bytes(void *p) { race_plain(p, bytes, true, HERE); }	\
	void __tsan_unaligned_read##bytes(void *p) { race_plain(p, bytes, false, HERE); } \
	void __tsan_unaligned_write##bytes(void *p) { race_plain(p, bytes, true, HERE); } \
	void __tsan_volatile_read##bytes(void *p) { race_plain(p, bytes, false, HERE); } \
	void __tsan_volatile_write##bytes(void *p) { race_plain(p, bytes, true, HERE); }

PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

void __tsan_read_range(void *p, unsigned long bytes)
{
	race_plain(p, (u32)bytes, false, HERE);
}

void __tsan_write_range(void *p, unsigned long bytes)
{
	race_plain(p, (u32)bytes, true, HERE);
}

/* A C++ object's table of functions. */
void __tsan_vptr_read(void **p)
{
	race_plain(p, sizeof(*p), false, HERE);
}

void __tsan_vptr_update(void **p, void *value)
{
	(void)value;
	race_plain(p, sizeof(*p), true, HERE);
}

/* What clang makes of the three functions that it knows. */
void *__tsan_memcpy(void *to, const void *from, size_t bytes)
{
	race_plain(from, (u32)bytes, false, HERE);
	race_plain(to, (u32)bytes, true, HERE);
	return __builtin_memcpy(to, from, bytes);
}

void *__tsan_memmove(void *to, const void *from, size_t bytes)
{
	race_plain(from, (u32)bytes, false, HERE);
	race_plain(to, (u32)bytes, true, HERE);
	return __builtin_memmove(to, from, bytes);
}

/* More than that would take longer than all the rest: then the first word only. */
#define WATCHED_BYTES	(4u * 4096u)

/* gcc calls memset() itself: meson.build renames it. */
void *__tsan_memset(void *to, int byte, size_t bytes)
{
	race_plain(to, bytes <= WATCHED_BYTES ? (u32)bytes : (u32)sizeof(u64), true, HERE);
	return __builtin_memset(to, byte, bytes);
}

/* ------------------------------------------------------------------------------ atomic -- */

/* The compiler's numbers: relaxed, consume, acquire, release, acq_rel, seq_cst. */
static enum sim_order order_of(int compiler_order)
{
	static const enum sim_order orders[] = {
		ORDER_RELAXED, ORDER_ACQUIRE, ORDER_ACQUIRE, ORDER_RELEASE, ORDER_ACQ_REL,
		ORDER_SEQ_CST,
	};

	return orders[(unsigned int)compiler_order % ARRAY_SIZE(orders)];
}

#define ATOMIC_RMW(bits, name, how)						\
	u##bits __tsan_atomic##bits##_##name(u##bits *p, u##bits v, int mo)	\
	{									\
		return (u##bits)memory_rmw(p, bits / 8, how, v, order_of(mo), HERE); \
	}

#define ATOMIC_CAS(bits, name)							\
	int __tsan_atomic##bits##_compare_exchange_##name(u##bits *p, u##bits *expected, \
							  u##bits v, int mo, int fail_mo) \
	{									\
		u##bits old = (u##bits)memory_cas(p, bits / 8, *expected, v, order_of(mo), HERE); \
										\
		(void)fail_mo;							\
		if (old == *expected)						\
			return 1;						\
		*expected = old;						\
		return 0;							\
	}

#define ATOMIC(bits)								\
	u##bits __tsan_atomic##bits##_load(const u##bits *p, int mo)		\
	{									\
		return (u##bits)memory_load(p, bits / 8, order_of(mo), HERE);	\
	}									\
	void __tsan_atomic##bits##_store(u##bits *p, u##bits v, int mo)		\
	{									\
		memory_store(p, bits / 8, v, order_of(mo), HERE);		\
	}									\
	ATOMIC_RMW(bits, exchange, RMW_XCHG)					\
	ATOMIC_RMW(bits, fetch_add, RMW_ADD)					\
	ATOMIC_RMW(bits, fetch_sub, RMW_SUB)					\
	ATOMIC_RMW(bits, fetch_and, RMW_AND)					\
	ATOMIC_RMW(bits, fetch_or, RMW_OR)					\
	ATOMIC_RMW(bits, fetch_xor, RMW_XOR)					\
	ATOMIC_RMW(bits, fetch_nand, RMW_NAND)					\
	ATOMIC_CAS(bits, strong)						\
	ATOMIC_CAS(bits, weak)							\
	u##bits __tsan_atomic##bits##_compare_exchange_val(u##bits *p, u##bits expected, \
							   u##bits v, int mo, int fail_mo) \
	{									\
		(void)fail_mo;							\
		return (u##bits)memory_cas(p, bits / 8, expected, v, order_of(mo), HERE); \
	}

ATOMIC(8)
ATOMIC(16)
ATOMIC(32)
ATOMIC(64)

void __tsan_atomic_thread_fence(int mo)
{
	if (sim_racing())
		memory_fence(order_of(mo), HERE);
}

/* Orders a thread with its own signal handlers, which are not modelled. */
void __tsan_atomic_signal_fence(int mo)
{
	(void)mo;
}
