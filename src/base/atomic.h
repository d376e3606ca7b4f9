/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The only file in src/ that uses C11 atomics.  Everybody else names the operation and its
 * ordering here, so that the deterministic port can make each one a schedule point.
 *
 * Objects are plain integers and pointers: `atomic_load_acquire(&mm->seq)`.  A name without an
 * ordering does not exist; "relaxed" has to be written, and means that a torn or invented value
 * is excluded and nothing else.  Each acquire or release says in a comment what it pairs with.
 */
#ifndef BASE_ATOMIC_H
#define BASE_ATOMIC_H

#include "base/compiler.h"

/*
 * The thread sanitizer executes fences and draws no order from them, which gcc warns of.  Fences
 * here serve the store-buffering pattern, from which no order of data follows either, and
 * speculation (mmap_lock_speculate_retry()), whose data the speculator loads atomically.
 */
#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
# pragma GCC diagnostic ignored "-Wtsan"
#endif

#define atomic_load_relaxed(p)		__atomic_load_n((p), __ATOMIC_RELAXED)
#define atomic_load_acquire(p)		__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define atomic_store_relaxed(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define atomic_store_release(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELEASE)

/* Read-modify-write: return the value from before. */
#define atomic_add_relaxed(p, v)	__atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
#define atomic_add_acquire(p, v)	__atomic_fetch_add((p), (v), __ATOMIC_ACQUIRE)
#define atomic_add_release(p, v)	__atomic_fetch_add((p), (v), __ATOMIC_RELEASE)
#define atomic_sub_relaxed(p, v)	__atomic_fetch_sub((p), (v), __ATOMIC_RELAXED)
#define atomic_sub_release(p, v)	__atomic_fetch_sub((p), (v), __ATOMIC_RELEASE)
#define atomic_sub_acq_rel(p, v)	__atomic_fetch_sub((p), (v), __ATOMIC_ACQ_REL)
#define atomic_or_relaxed(p, v)		__atomic_fetch_or((p), (v), __ATOMIC_RELAXED)
#define atomic_or_release(p, v)		__atomic_fetch_or((p), (v), __ATOMIC_RELEASE)
#define atomic_and_relaxed(p, v)	__atomic_fetch_and((p), (v), __ATOMIC_RELAXED)
#define atomic_and_acquire(p, v)		__atomic_fetch_and((p), (v), __ATOMIC_ACQUIRE)
#define atomic_and_release(p, v)	__atomic_fetch_and((p), (v), __ATOMIC_RELEASE)
#define atomic_xchg_acquire(p, v)	__atomic_exchange_n((p), (v), __ATOMIC_ACQUIRE)
#define atomic_xchg_release(p, v)	__atomic_exchange_n((p), (v), __ATOMIC_RELEASE)
#define atomic_xchg_acq_rel(p, v)	__atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL)

/*
 * Compare and exchange: true if *p was *old and is now new; else *old is what was found.  A
 * failure orders nothing.
 */
#define atomic_cas_relaxed(p, old, new)						\
	__atomic_compare_exchange_n((p), (old), (new), false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
#define atomic_cas_acquire(p, old, new)						\
	__atomic_compare_exchange_n((p), (old), (new), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)
#define atomic_cas_release(p, old, new)						\
	__atomic_compare_exchange_n((p), (old), (new), false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)
#define atomic_cas_acq_rel(p, old, new)						\
	__atomic_compare_exchange_n((p), (old), (new), false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)

/* A full barrier for the store-buffering pattern: my store before my load, as others see it. */
#define atomic_fence_seq_cst()		__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define atomic_fence_acquire()		__atomic_thread_fence(__ATOMIC_ACQUIRE)
#define atomic_fence_release()		__atomic_thread_fence(__ATOMIC_RELEASE)

#endif
