/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Rules about locks, sleeping and ownership, written so that a compiler can check them.
 *
 * The names are the ones Linux uses (compiler-context-analysis.h, cleanup.h), so code that is
 * written with them reads as kernel code does and can move there; the definitions are this
 * library's own.  To gcc, and to clang unless asked, every macro about locks is empty; in no
 * build do they cost an instruction.  To have them checked, compile with
 *
 *	clang-14	-DWARN_CONTEXT_ANALYSIS -Wthread-safety
 *	clang-19	the same, and -fexperimental-late-parse-attributes
 *	clang-22	the same, and -Wthread-safety-pointer
 *
 * A later clang sees more: 18 follows scope guards, 19 members named in attributes of other
 * members, 21 contexts that nest.
 *
 * Words.  A *context* is something a thread is in between two points of its code: it holds a
 * lock, or it must not sleep.  A context that is an object in memory is a *lock*
 * (context_lock_struct); one that is only a rule is a *token* (token_context_lock).
 */
#ifndef VMAREA_CONTEXT_H
#define VMAREA_CONTEXT_H

#include <stddef.h>

#if defined(WARN_CONTEXT_ANALYSIS) && defined(__clang__)
# define __vmarea_ctx(attr)	__attribute__((attr))
#else
# define __vmarea_ctx(attr)
#endif

/* ------------------------------------------- what a function needs, takes and gives back -- */

#define __must_hold(...)		__vmarea_ctx(requires_capability(__VA_ARGS__))
#define __must_hold_shared(...)		__vmarea_ctx(requires_shared_capability(__VA_ARGS__))
#define __must_not_hold(...)		__vmarea_ctx(locks_excluded(__VA_ARGS__))
#define __acquires(...)			__vmarea_ctx(acquire_capability(__VA_ARGS__))
#define __acquires_shared(...)		__vmarea_ctx(acquire_shared_capability(__VA_ARGS__))
#define __releases(...)			__vmarea_ctx(release_capability(__VA_ARGS__))
#define __releases_shared(...)		__vmarea_ctx(release_shared_capability(__VA_ARGS__))

/* Taken only if the function returns @ret: true, false, nonzero, 0, nonnull or NULL. */
#define __cond_acquires(ret, x)		__vmarea_ctx(try_acquire_capability(__vmarea_ctx_ret_##ret, x))
#define __cond_acquires_shared(ret, x)	__vmarea_ctx(try_acquire_shared_capability(__vmarea_ctx_ret_##ret, x))
#define __vmarea_ctx_ret_true			1
#define __vmarea_ctx_ret_nonzero		1
#define __vmarea_ctx_ret_nonnull		1
#define __vmarea_ctx_ret_false			0
#define __vmarea_ctx_ret_0			0
#define __vmarea_ctx_ret_NULL			0

/* A check at run time: past it, the analysis takes the lock for held. */
#define __assumes_ctx_lock(x)		__vmarea_ctx(assert_capability(x))
#define __assumes_shared_ctx_lock(x)	__vmarea_ctx(assert_shared_capability(x))

/* Not analysed: the inside of a lock, and what the analysis cannot follow.  Say why. */
#define __no_context_analysis		__vmarea_ctx(no_thread_safety_analysis)
#define __context_unsafe(why)		__no_context_analysis

/*
 * Data that only the holder of a lock may touch, and a lock that is taken only inside another.
 * An attribute of one member can name another member from clang 19 on.
 */
#if defined(__clang__) && __clang_major__ >= 19
# define __guarded_by(...)		__vmarea_ctx(guarded_by(__VA_ARGS__))
# define __pt_guarded_by(...)		__vmarea_ctx(pt_guarded_by(__VA_ARGS__))
# define __acquired_after(...)		__vmarea_ctx(acquired_after(__VA_ARGS__))
#else
# define __guarded_by(...)
# define __pt_guarded_by(...)
# define __acquired_after(...)
#endif

/* ------------------------------------------------------------------------ kinds of context -- */

/* context_lock_struct(rwsem) { ... };  defines struct rwsem, a lock. */
#define context_lock_struct(name, ...)	struct __vmarea_ctx(capability(#name)) __VA_ARGS__ name

/*
 * token_context_lock(vma_stable, );  defines a rule.  No object of that name exists.  What follows
 * the comma are attributes; ISO C wants the comma in any case.
 */
#define token_context_lock(name, ...)						\
	struct __vmarea_ctx(capability("context")) __VA_ARGS__ __vmarea_ctx_lock_##name;	\
	extern const struct __vmarea_ctx_lock_##name *const name

/* A context that one thread may enter again while it is in it. */
#if defined(WARN_CONTEXT_ANALYSIS) && defined(__has_attribute)
# if __has_attribute(reentrant_capability)
#  define __reentrant_ctx_lock		__attribute__((reentrant_capability))
#  define CONTEXT_ANALYSIS_REENTRANT	1
# endif
#endif
#ifndef __reentrant_ctx_lock
# define __reentrant_ctx_lock
#endif

/* ----------------------------------------------------------------- sleeping, and not to -- */

/*
 * Atomic context is the time in which a thread holds a spinlock or is inside an RCU read
 * section.  Nothing may sleep there.
 *
 *	__may_sleep	this function may sleep
 *	__in_atomic	this function is called in atomic context
 *	__may_sleep_after_unlock
 *			this function is called in atomic context, leaves it, and may sleep then
 *
 * One build of the analysis cannot check both directions.  Contexts that nest (clang 21) show
 * that no function marked __may_sleep is called in atomic context.  But after a release they
 * count "not held" as proven, and so would not miss the mark on a function that locks, unlocks
 * and then sleeps.  The other build, -DCONTEXT_SLEEP_MARKS or any older clang, knows nothing
 * of atomic context and asks instead that each caller of a function that may sleep says so of
 * itself, up to the first function of the thread.
 */
token_context_lock(atomic_context, __reentrant_ctx_lock);
#define __may_sleep			__must_hold(!atomic_context)
#if defined(CONTEXT_ANALYSIS_REENTRANT) && !defined(CONTEXT_SLEEP_MARKS)
# define __in_atomic			__must_hold_shared(atomic_context)
# define __enters_atomic		__acquires_shared(atomic_context)
# define __leaves_atomic		__releases_shared(atomic_context)
# define __may_sleep_after_unlock	__releases_shared(atomic_context)
# define __cond_enters_atomic		__cond_acquires_shared(nonzero, atomic_context)
# define __cond_enters_atomic_on_0	__cond_acquires_shared(0, atomic_context)
#else
# define __in_atomic
# define __enters_atomic
# define __leaves_atomic
# define __may_sleep_after_unlock	__may_sleep
# define __cond_enters_atomic
# define __cond_enters_atomic_on_0
#endif

/* ------------------------------------------------------------------- results and pointers -- */

#ifndef __must_check
# define __must_check			__attribute__((warn_unused_result))
#endif
#ifndef __always_inline
# define __always_inline		inline __attribute__((always_inline))
#endif

/*
 * __ended_by(fn): what this function returns is good until it is given to @fn, whose first
 * parameter is marked by __consumes_arg on its prototype.  gcc then warns of a use after @fn
 * and of the wrong @fn; clang --analyze (22) of a missing @fn.
 */
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 11
# define __ended_by(fn)			__attribute__((malloc(fn, 1)))
# define __consumes_arg
#elif defined(__clang_analyzer__) && __clang_major__ >= 22
# define __ended_by(fn)			__attribute__((ownership_returns(handle)))
# define __consumes_arg			__attribute__((ownership_takes(handle, 1)))
#else
# define __ended_by(fn)
# define __consumes_arg
#endif

/*
 * struct vma *__nullable f(): may return NULL, and clang --analyze sees to it that somebody
 * looks.  Between __nonnull_begin and __nonnull_end everything else may not be NULL.
 */
#ifdef __clang__
# define __nullable			_Nullable
# define __nonnull_begin						\
	_Pragma("clang diagnostic push")				\
	_Pragma("clang diagnostic ignored \"-Wnullability-completeness\"") \
	_Pragma("clang diagnostic ignored \"-Wnullability-extension\"")	\
	_Pragma("clang assume_nonnull begin")
# define __nonnull_end							\
	_Pragma("clang assume_nonnull end")				\
	_Pragma("clang diagnostic pop")
#else
# define __nullable
# define __nonnull_begin
# define __nonnull_end
#endif

/* --------------------------------------------------------------------- cleanup by scope -- */

/* The static analyzer does not see cleanups run, and would call everything leaked. */
#ifdef __clang_analyzer__
# define __cleanup(fn)			__attribute__((suppress))
#else
# define __cleanup(fn)			__attribute__((cleanup(fn)))
#endif

/*
 * DEFINE_FREE(mmput, struct mm_user *, if (_T) mmput(_T))
 *
 *	struct mm_user *mm __free(mmput) = mmget_not_zero(...);	mmput() at the end of the block
 *	return no_free_ptr(mm);					not this time
 *
 * What follows the body are the attributes of the function that runs it.
 */
#define DEFINE_FREE(name, type, body, ...)					\
	static inline void __free_##name(void *__slot) __VA_ARGS__		\
	{ type _T = *(type *)__slot; body; }
#define __free(name)			__cleanup(__free_##name)
#define no_free_ptr(p)								\
	({ __typeof__(p) __kept = (p); (p) = NULL; __kept; })

/*
 * CLASS(mmap_read, lock)(mm): a variable made by class_mmap_read_constructor(mm) and ended by
 * class_mmap_read_destructor(&lock).  Until clang 18 the analysis does not see the destructor,
 * so there the constructor only asserts the lock; the marks for the two are __scope_*.
 */
#define CLASS(name, var)							\
	class_##name##_t var __cleanup(class_##name##_destructor) =		\
		class_##name##_constructor

#if defined(__clang__) && __clang_major__ < 18
# define __scope_acquires(x)		__assumes_ctx_lock(x) __no_context_analysis
# define __scope_acquires_shared(x)	__assumes_shared_ctx_lock(x) __no_context_analysis
# define __scope_releases(x)		__no_context_analysis
# define __scope_releases_shared(x)	__no_context_analysis
#else
# define __scope_acquires(x)		__acquires(x)
# define __scope_acquires_shared(x)	__acquires_shared(x)
# define __scope_releases(x)		__releases(x)
# define __scope_releases_shared(x)	__releases_shared(x)
#endif

#endif
