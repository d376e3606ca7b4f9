/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What an execution did, in words: the trace, stacks, and messages of the library.
 *
 * Code addresses become file:line by addr2line, in one run of it for a whole trace.  Programs that
 * use this port are linked at a fixed address, so the same sources give the same text.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "port/sim/sim.h"
#include "base/bug.h"

/* ----------------------------------------------------------------------- code addresses -- */

#define PCS_MAX		4096

struct place {
	const void *pc;
	char *text;			/* "file:line", with "function " before it */
};

static struct place places[PCS_MAX];
static u32 nr_places;

static const char *without_folder(const char *path)
{
	const char *cut = strstr(path, "/../");

	while (cut) {
		path = cut + 4;
		cut = strstr(path, "/../");
	}
	if (!strncmp(path, "../", 3))
		path += 3;
	return path;
}

/* addr2line -f prints two lines: function, file:line. */
static char *read_place(FILE *in)
{
	char function[256], line[1024], text[1400];
	const char *at;

	if (!fgets(function, sizeof(function), in) || !fgets(line, sizeof(line), in))
		return NULL;
	function[strcspn(function, "\n")] = 0;
	line[strcspn(line, "\n (")] = 0;
	at = without_folder(line);
	snprintf(text, sizeof(text), "%s %s", function, *at ? at : "?");
	return strdup(text);
}

/* Asks for all that have no text yet.  A return address is behind its call: one less is inside. */
static void resolve_places(void)
{
	char command[1 << 15];
	size_t len;
	u32 first = 0, asked;
	FILE *in;

	while (first < nr_places && places[first].text)
		first++;
	while (first < nr_places) {
		len = (size_t)snprintf(command, sizeof(command), "addr2line -f -C -e /proc/%d/exe",
				       (int)getpid());
		for (asked = first; asked < nr_places && len < sizeof(command) - 40; asked++)
			len += (size_t)snprintf(command + len, sizeof(command) - len, " %#lx",
						(unsigned long)places[asked].pc - 1);
		in = popen(command, "r");
		for (; first < asked; first++) {
			places[first].text = in ? read_place(in) : NULL;
			if (!places[first].text)
				places[first].text = strdup("? ?");
		}
		if (in)
			pclose(in);
	}
}

static struct place *place_of(const void *pc)
{
	for (u32 i = 0; i < nr_places; i++)
		if (places[i].pc == pc)
			return &places[i];
	if (nr_places == PCS_MAX)
		return &places[PCS_MAX - 1];
	places[nr_places].pc = pc;
	return &places[nr_places++];
}

void port_describe_pc(const void *pc, char *buf, size_t bytes)
{
	struct place *place = place_of(pc);
	char *gap;

	if (!place->text)
		resolve_places();
	gap = strchr(place->text, ' ');
	snprintf(buf, bytes, "%s (%.*s)", gap + 1, (int)(gap - place->text), place->text);
}

/* ------------------------------------------------------------------------------ stacks -- */

static u32 walk_frames(const struct sim_thread *t, const void **frame, const void **pcs, u32 max)
{
	uintptr_t low = (uintptr_t)t->stack, high = low + SIM_STACK_BYTES;
	u32 nr = 0;

	while (nr < max && (uintptr_t)frame >= low && (uintptr_t)frame + 16 <= high && frame[1]) {
		pcs[nr++] = frame[1];
		if ((const void **)frame[0] <= frame)
			break;
		frame = (const void **)frame[0];
	}
	return nr;
}

unsigned int port_backtrace(const void **pcs, unsigned int max)
{
	return sim.current ? walk_frames(sim.current, __builtin_frame_address(0), pcs, max) : 0;
}

/* A thread that does not run is in sim_point(). */
static u32 stack_of_thread(const struct sim_thread *t, const void **pcs, u32 max)
{
	const void **frame = t->frame;

	if (t == sim.current && !sim.crashed)
		frame = __builtin_frame_address(0);
	return frame ? walk_frames(t, frame, pcs, max) : 0;
}

static bool is_ours(const char *text)
{
	return strstr(text, "src/port/sim/");
}

void trace_stack(u32 thread)
{
	const void *pcs[24];
	u32 nr = stack_of_thread(&sim.thread[thread], pcs, ARRAY_SIZE(pcs));
	char text[512];

	for (u32 i = 0; i < nr; i++)
		place_of(pcs[i]);
	resolve_places();
	for (u32 i = 0; i < nr; i++) {
		port_describe_pc(pcs[i], text, sizeof(text));
		if (!is_ours(text) && strncmp(text, "??", 2))
			sim_report("      at %s\n", text);
	}
}

/* ------------------------------------------------------------------------------- trace -- */

struct step {
	u32 nr, thread;
	struct sim_op op;
	u64 value;
	char note[96];			/* instead of a step */
	char object[128];
};

static struct step *steps;
static u32 nr_steps, room_steps;

/* The C library's own: realloc() is malloc.c's inside an execution, reallocarray() calls it. */
void *__libc_realloc(void *p, size_t bytes);

static struct step *new_step(void)
{
	if (nr_steps == room_steps) {
		room_steps = room_steps ? 2 * room_steps : 1024;
		steps = __libc_realloc(steps, room_steps * sizeof(*steps));
		if (!steps)
			port_panic("no memory for a trace");
	}
	memset(&steps[nr_steps], 0, sizeof(*steps));
	return &steps[nr_steps++];
}

void trace_step(const struct sim_op *op, u64 value)
{
	struct step *s;

	if (!sim.trace || !sim_racing())
		return;
	s = new_step();
	s->nr = sim.steps;
	s->thread = sim.current->id;
	s->op = *op;
	s->value = value;
	if (op->pc)
		place_of(op->pc);
	if (op->object && op->kind != OP_FENCE)
		heap_describe(op->object, s->object, sizeof(s->object));
}

void trace_note(const char *fmt, ...)
{
	struct step *s;
	va_list args;

	if (!sim.trace)
		return;
	s = new_step();
	va_start(args, fmt);
	vsnprintf(s->note, sizeof(s->note), fmt, args);
	va_end(args);
}

static const char *op_name(enum sim_op_kind kind)
{
	static const char *const names[] = {
		[OP_START] = "start", [OP_EXIT] = "exit", [OP_JOIN] = "join",
		[OP_LOAD] = "load", [OP_STORE] = "store", [OP_RMW] = "rmw", [OP_FENCE] = "fence",
		[OP_WAIT] = "wait", [OP_ASLEEP] = "awake", [OP_WAKE] = "wake", [OP_RELAX] = "relax",
		[OP_RCU_LOCK] = "rcu-lock", [OP_RCU_UNLOCK] = "rcu-unlock",
		[OP_RCU_CALL] = "call-rcu", [OP_RCU_SYNC] = "grace-begin", [OP_GRACE] = "grace-end",
		[OP_RCU_BARRIER] = "rcu-barrier", [OP_CALLBACK] = "rcu-callback",
		[OP_WORK_PUSH] = "work-push", [OP_WORK] = "work", [OP_WORK_FLUSH] = "work-flush",
		[OP_MUTEX_LOCK] = "mutex-lock", [OP_MUTEX_TRYLOCK] = "mutex-trylock",
		[OP_MUTEX_UNLOCK] = "mutex-unlock", [OP_COND_WAIT] = "cond-wait",
		[OP_COND_WAKE] = "cond-wake", [OP_ALLOC] = "alloc", [OP_FREE] = "free",
	};

	return names[kind];
}

static const char *order_name(const struct sim_op *op)
{
	static const char *const names[] = { "rlx", "acq", "rel", "a+r", "sc" };

	return op->kind >= OP_LOAD && op->kind <= OP_FENCE ? names[op->order] : "";
}

/* The source line, if the sources are here: it says what the object is better than any name. */
static const char *source_line(const char *where, char *buf, size_t bytes)
{
	char path[512];
	const char *colon = strrchr(where, ':');
	FILE *in;
	int line;

	buf[0] = 0;
	if (!colon || (size_t)(colon - where) >= sizeof(path))
		return buf;
	snprintf(path, sizeof(path), "%.*s", (int)(colon - where), where);
	line = atoi(colon + 1);
	in = fopen(path, "r");
	if (!in)
		return buf;
	while (line-- > 0 && fgets(buf, (int)bytes, in))
		;
	fclose(in);
	buf[strcspn(buf, "\n")] = 0;
	return buf + strspn(buf, " \t");
}

static void print_step(const struct step *s)
{
	char buf[256];
	const char *where = "", *text;

	if (s->note[0]) {
		fprintf(sim.trace, "      -- %s\n", s->note);
		return;
	}
	if (s->op.pc) {
		text = place_of(s->op.pc)->text;
		where = strchr(text, ' ') + 1;
		if (!strncmp(where, "??", 2))
			where = "";
	} else if (s->op.place) {
		where = without_folder(s->op.place);
	}
	fprintf(sim.trace, "%5u T%u %-12s %-12s %-3s %-38s = %-6llx %-24s %s\n", s->nr, s->thread,
		sim.thread[s->thread].name, op_name(s->op.kind), order_name(&s->op), s->object,
		(unsigned long long)s->value, where, source_line(where, buf, sizeof(buf)));
}

void trace_flush(void)
{
	if (!sim.trace)
		return;
	resolve_places();
	for (u32 i = 0; i < nr_steps; i++)
		print_step(&steps[i]);
	nr_steps = 0;
}

/* ---------------------------------------------------------------------------- messages -- */

void port_log(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

/* Ends the execution, or outside of one the program. */
__attribute__((noreturn)) static void fail_or_abort(const char *text)
{
	if (sim_running())
		sim_fail(FAIL_BUG, "%s", text);
	fprintf(stderr, "%s\n", text);
	abort();
}

void port_panic(const char *fmt, ...)
{
	char text[4096];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fail_or_abort(text);
}

static void site_text(char *buf, size_t bytes, const struct bug_site *site, const char *fmt,
		      va_list args)
{
	int n = snprintf(buf, bytes, "%s:%d: %s(): %s ", without_folder(site->file), site->line,
			 site->func, site->cond);

	vsnprintf(buf + n, bytes - (size_t)n, fmt, args);
}

void port_bug(const struct bug_site *site, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	site_text(text, sizeof(text), site, fmt, args);
	va_end(args);
	fail_or_abort(text);
}

/* A mistake that the library survives: in a scenario it is a failure unless that says otherwise. */
void port_warn(const struct bug_site *site, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	sim.warnings++;
	va_start(args, fmt);
	site_text(text, sizeof(text), site, fmt, args);
	va_end(args);
	if (sim.warnings_fail)
		fail_or_abort(text);
	trace_note("warning: %.80s", text);
}

unsigned long port_warn_count(void)
{
	return sim.warnings;
}
