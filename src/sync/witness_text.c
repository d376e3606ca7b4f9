/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The text of the lock checker's reports.
 *
 * The first line says all in short, for a log.  The lines below are for who has to mend it: the
 * rule that was broken, where the thread is now, each lock in question with the place and the stack
 * where it was taken, and what to do.
 */
#include <stdarg.h>

#include "sync/witness_state.h"

#ifdef CONFIG_VMAREA_DEBUG

#define LINE_BYTES	160

void report_begin(struct report *r, struct witness *w)
{
	r->w = w;
	r->text = text_in(r->buf, sizeof(r->buf));
}

void report_say(struct report *r, ...)
{
	const char *s;
	va_list args;

	va_start(args, r);
	while ((s = va_arg(args, const char *)))
		text_str(&r->text, s);
	va_end(args);
}

static const char *mode_name(unsigned int mode)
{
	static const char *const names[] = {
		[WITNESS_SHARED] = "read", [WITNESS_EXCLUSIVE] = "write", [WITNESS_SPIN] = "spin",
	};

	return names[mode];
}

void report_lock(struct report *r, const void *lock, u32 class)
{
	report_say(r, order_class_name(class), " 0x", NULL);
	text_hex(&r->text, (uintptr_t)lock);
}

void report_held(struct report *r, const struct held *h)
{
	report_lock(r, h->lock, h->class);
	report_say(r, " (", mode_name(h->mode), ") taken at ", h->place, NULL);
}

void witness_describe_held(const void *state, char *buf, size_t bytes)
{
	const struct witness *w = state;
	struct report r;

	report_begin(&r, NULL);
	for (u32 i = 0; i < w->nr; i++) {
		if (!w->held[i].lock)
			continue;
		report_say(&r, "      holds ", NULL);
		report_held(&r, &w->held[i]);
		report_say(&r, "\n", NULL);
	}
	str_copy(buf, bytes, r.buf);
}

void report_rule(struct report *r, const char *rule)
{
	const char *driver = witness_self()->driver;

	if (driver)
		report_say(r, "\n  in a hook of driver ", driver, NULL);
	report_say(r, "\n  rule: ", rule, NULL);
}

void report_advice(struct report *r, const char *advice)
{
	report_say(r, "\n  what to do: ", advice, NULL);
}

static bool starts_with(const char *s, const char *prefix)
{
	while (*prefix)
		if (*s++ != *prefix++)
			return false;
	return true;
}

/* The checkers' own functions, which a stack that they took begins with. */
static bool is_checker(const char *name)
{
	return starts_with(name, "witness_") || starts_with(name, "report_") ||
	       starts_with(name, "order_") || starts_with(name, "guard_") ||
	       starts_with(name, "section_");
}

void report_stack(struct report *r, const struct witness_stack *stack)
{
	char line[LINE_BYTES];
	bool inside = true;

	for (u32 i = 0; i < stack->nr; i++) {
		port_describe_pc(stack->pcs[i], line, sizeof(line));
		inside = inside && is_checker(line);
		if (!inside)
			report_say(r, "\n      ", line, NULL);
	}
}

void report_held_with_stack(struct report *r, const struct held *h)
{
	report_say(r, "\n  held: ", NULL);
	report_held(r, h);
	report_stack(r, &h->stack);
}

void report_all_held(struct report *r)
{
	const struct witness *w = r->w;
	bool any = false;

	for (u32 i = 0; i < w->nr; i++) {
		if (!w->held[i].lock)
			continue;
		any = true;
		report_held_with_stack(r, &w->held[i]);
	}
	if (w->rcu_depth) {
		any = true;
		report_say(r, "\n  held: RCU read section entered at ", w->rcu_place, NULL);
		report_stack(r, &w->rcu_stack);
	}
	if (!any)
		report_say(r, "\n  held: nothing", NULL);
}

void report_now(struct report *r, const char *what, const char *place)
{
	struct witness_stack stack;

	witness_take_stack(&stack);
	report_say(r, "\n  now: ", what, NULL);
	if (place)
		report_say(r, " at ", place, NULL);
	report_say(r, ", thread ", NULL);
	text_dec(&r->text, port_thread_id());
	report_stack(r, &stack);
}

/* Line by line, the first one last: it is the one that says that the program ends. */
static void print(char *text)
{
	char *line = text;

	while (*line) {
		char *end = line;

		while (*end && *end != '\n')
			end++;
		if (!*end) {
			port_log("%s", line);
			return;
		}
		*end = 0;
		port_log("%s", line);
		line = end + 1;
	}
}

void report_send(struct report *r)
{
	struct witness *w = r->w;

	if (w->report) {
		w->report(w->report_arg, r->buf);
		return;
	}
	print(r->buf);
	/* What print() left of it is the first line. */
	port_panic("%s", r->buf);
}

#endif
