/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the thread sanitizer has to be told.
 *
 * liburcu is not instrumented, so the sanitizer sees neither that a grace period orders a
 * reader before a callback, nor that a queue hands an object over.  port_tsan_release(p)
 * publishes what this thread has done so far under the name p; port_tsan_acquire(p) orders
 * this thread after everything published under it.  In other builds both are nothing.
 */
#ifndef PORT_TSAN_H
#define PORT_TSAN_H

#if defined(__SANITIZE_THREAD__)
# define PORT_TSAN	1
#elif defined(__has_feature)
# if __has_feature(thread_sanitizer)
#  define PORT_TSAN	1
# endif
#endif

#ifdef PORT_TSAN
void __tsan_acquire(void *name);
void __tsan_release(void *name);
# define port_tsan_acquire(p)	__tsan_acquire(p)
# define port_tsan_release(p)	__tsan_release(p)
#else
# define port_tsan_acquire(p)	((void)(p))
# define port_tsan_release(p)	((void)(p))
#endif

#endif
