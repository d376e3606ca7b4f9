/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the files of the lock checker share: see witness.c. */
#ifndef SYNC_WITNESS_STATE_H
#define SYNC_WITNESS_STATE_H

#include "base/str.h"
#include "sync/witness.h"

#ifdef CONFIG_VMAREA_DEBUG

#define WITNESS_MAX_HELD	32
/* Enough to come from a lock through a memory call to the program's function that made it. */
#define WITNESS_FRAMES		12

struct witness_stack {
	u32 nr;					/* o */
	const void *pcs[WITNESS_FRAMES];	/* o	innermost first */
};

struct held {
	const void *lock;		/* NULL: an empty entry */
	const char *place;		/* where it was taken */
	u32 class;
	u8 subclass;
	u8 mode;
	struct witness_stack stack;
};

struct witness {
	struct held held[WITNESS_MAX_HELD];
	u32 nr;				/* entries in use, empty ones among them */
	u32 rcu_depth;
	const char *rcu_place;		/* of the outermost rcu_read_lock() */
	struct witness_stack rcu_stack;
	void (*report)(void *arg, const char *text);
	void *report_arg;
	const char *driver;		/* whose hook runs; NULL: none */
	bool armed;			/* the check at the end of the thread is set up */
};

/* One lock that a thread wants. */
struct wanted {
	const void *lock;
	u32 class;
	unsigned int subclass;
	const char *place;
};

struct witness *witness_self(void);

static __always_inline void witness_take_stack(struct witness_stack *stack)
{
	stack->nr = port_backtrace(stack->pcs, WITNESS_FRAMES);
}

/* ------------------------------------------------------------------------- witness_text.c -- */

/*
 * A report on its way.  The first line is the whole of it in short, and has no break; below it come
 * the rule, the stacks, what to do.
 */
#define REPORT_BYTES		8192

struct report {
	struct witness *w;
	struct text text;
	char buf[REPORT_BYTES];
};

void report_begin(struct report *r, struct witness *w);
/* Appends strings, up to a NULL. */
void report_say(struct report *r, ...);
void report_lock(struct report *r, const void *lock, u32 class);
/* "<lock> (<mode>) taken at <place>" */
void report_held(struct report *r, const struct held *h);
/* Lines of their own, after the first; and whose hook the thread is in. */
void report_rule(struct report *r, const char *rule);
void report_stack(struct report *r, const struct witness_stack *stack);
void report_held_with_stack(struct report *r, const struct held *h);
void report_all_held(struct report *r);
/* What to do, in words; the text may go on with report_say(). */
void report_advice(struct report *r, const char *advice);
/* "  now: <what> at <place>", and the calling thread's stack. */
void report_now(struct report *r, const char *what, const char *place);
/* Hands it to the thread's receiver, or prints it and ends the program. */
void report_send(struct report *r);

/* ------------------------------------------------------------------------ witness_order.c -- */

const char *order_class_name(u32 class);
/* Notes that @want is waited for while @h is held.  False if it has been the other way round. */
bool order_learn(const struct held *h, const struct wanted *want);
/* After that: each step of the way from @want's class to @h's, with its stacks. */
void order_report_way(struct report *r, const struct held *h, const struct wanted *want);

#endif
#endif
