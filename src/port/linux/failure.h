/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Failure injection: what the world may refuse is refused on request.  Debug builds only; in a
 * release build a site is the constant false.
 *
 * A *site* is a place in the sources where the world can say no: each port_alloc(), each
 * port_wait(), and what asks port_fail_site() or port_fail_kind().  It has a name, "file:line", a
 * kind, and two counts: how often it was asked, and how often it failed.
 *
 *	kind		what failing means		what must come of it
 *	MEMORY		an allocation gets NULL		-ENOMEM, nothing changed
 *	UNMAP		memory does not go back		nothing: it goes back later, or is kept
 *	THREAD		no thread can be started	nothing: who waits does the work
 *	WAKE		port_wait() returns at once	nothing: it may, at any time
 *	ENTROPY		the host has no randomness	nothing: another seed is taken
 *
 * Sites of the kinds that port_fail_kinds() named last, MEMORY at first, are *counted*.  One fails
 * if any of these says so:
 *
 *	port_fail_nth(n)		it is the n-th that this thread comes to from now on
 *	port_fail_both(n, m)		it is the n-th or the m-th
 *	port_fail_nth_of_all(n)		it is the n-th that any thread comes to
 *	port_fail_random(seed, k)	chance, one in k, in any thread.  The seed decides about the
 *					first, second, third... site asked: with one thread all
 *					runs of a seed are the same
 *
 * n, m and k below 1: none.  Each call replaces what the same call said before.
 */
#ifndef PORT_LINUX_FAILURE_H
#define PORT_LINUX_FAILURE_H

#include "base/compiler.h"

enum port_fail_kind {
	PORT_FAIL_MEMORY,
	PORT_FAIL_UNMAP,
	PORT_FAIL_THREAD,
	PORT_FAIL_WAKE,
	PORT_FAIL_ENTROPY,
	PORT_NR_FAIL_KINDS,
};

#ifdef CONFIG_VMAREA_DEBUG

#define __PORT_STR(x)		#x
#define __PORT_LINE(x)		__PORT_STR(x)
#define PORT_HERE		(__FILE__ ":" __PORT_LINE(__LINE__))

void port_fail_kinds(unsigned int mask);		/* of 1u << kind */
void port_fail_nth(long n);
void port_fail_both(long n, long m);
void port_fail_nth_of_all(long n);
void port_fail_random(u64 seed, long one_in);

/* Counted sites that the calling thread, and that all threads, have come to: the bound for n. */
unsigned long port_alloc_count(void);
unsigned long port_alloc_count_of_all(void);

struct port_site {
	const char *here;			/* as the compiler names the file */
	enum port_fail_kind kind;
	unsigned long asked, failed;		/* counted or not */
};

/* Copies out up to @room of the sites met so far, in no order.  Returns how many there are. */
size_t port_fail_sites(struct port_site *sites, size_t room);

/* One site: true if it is to fail.  Takes no lock; in a signal handler, too. */
bool port_fail_kind_at(enum port_fail_kind kind, const char *here)	__must_check;

static inline bool port_fail_site_at(const char *here) __must_check;
static inline bool port_fail_site_at(const char *here)
{
	return port_fail_kind_at(PORT_FAIL_MEMORY, here);
}

# define port_fail_kind(kind)	port_fail_kind_at((kind), PORT_HERE)
# define port_fail_site()	port_fail_site_at(PORT_HERE)

# define port_alloc(bytes)	port_alloc_at((bytes), PORT_HERE)
/* Not a call of itself: a name is not replaced within what replaces it. */
# define port_wait(word, expected, deadline_ns)					\
	(port_fail_kind(PORT_FAIL_WAKE) ? 0 :					\
	 port_wait((word), (expected), (deadline_ns)))

#else

static inline bool port_fail_kind(enum port_fail_kind kind)
{
	return false;
}

static inline bool port_fail_site(void)
{
	return false;
}

#endif
#endif
