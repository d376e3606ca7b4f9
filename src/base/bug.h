/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Assertions, for our own mistakes.  What the world does wrong is an error number.
 *
 *	VM_BUG_ON(cond)		always compiled in, so cond must be cheap.  True: report, abort.
 *	VM_WARN_ON(cond)	always compiled in.  True: reported the first time at this place;
 *				the value is cond, so that the caller can refuse to go on.
 *	VM_DEBUG_ON(cond)	VM_BUG_ON in a debug build; in others it is compiled, not run.
 *
 * Each takes a printf format and values after the condition:
 *
 *	VM_BUG_ON(start >= end, "start %lx end %lx", start, end);
 *
 * Where the text goes is the port's business.  The functions it must supply for that are
 * declared here, since assertions are needed below the port too.
 */
#ifndef BASE_BUG_H
#define BASE_BUG_H

#include "base/compiler.h"

#ifdef CONFIG_VMAREA_DEBUG
# define VMAREA_DEBUG		1
#else
# define VMAREA_DEBUG		0
#endif

struct bug_site {
	const char *cond;
	const char *file;
	const char *func;
	int line;
};

/* Prints a line to the error log and ends the process with SIGABRT. */
__attribute__((noreturn)) __cold void port_panic(const char *fmt, ...) __printf(1, 2);

/* Prints a line to the error log. */
__cold void port_log(const char *fmt, ...) __printf(1, 2);

/* The same for a failed assertion at @site.  port_warn() prints each site once. */
__attribute__((noreturn)) __cold void port_bug(const struct bug_site *site, const char *fmt, ...)
	__printf(2, 3);
__cold void port_warn(const struct bug_site *site, const char *fmt, ...) __printf(2, 3);

/* Number of port_warn() calls so far: a test that expects none compares before and after. */
unsigned long port_warn_count(void);

/* The blank keeps an empty format from being warned of. */
#define __BUG_SITE(text)							\
	static const struct bug_site __bug_site = {				\
		.cond = text, .file = __FILE__, .func = __func__, .line = __LINE__, \
	}

#define VM_BUG_ON(cond, ...)							\
	do {									\
		if (unlikely(cond)) {						\
			__BUG_SITE(#cond);					\
			port_bug(&__bug_site, " " __VA_ARGS__);			\
		}								\
	} while (0)

#define VM_WARN_ON(cond, ...)							\
	({									\
		bool __warn = !!(cond);						\
		if (unlikely(__warn)) {						\
			__BUG_SITE(#cond);					\
			port_warn(&__bug_site, " " __VA_ARGS__);		\
		}								\
		unlikely(__warn);						\
	})

/* The condition of a release build must compile, and names its variables as used. */
#define VM_DEBUG_ON(cond, ...)							\
	do {									\
		if (VMAREA_DEBUG)						\
			VM_BUG_ON(cond, ##__VA_ARGS__);				\
	} while (0)

#endif
