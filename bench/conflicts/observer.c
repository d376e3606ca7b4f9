/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Makes the calls of each pair one after the other on two threads, in a new world, and prints the
 * lines that one of them wrote and the other touched: JSON, which vmarea-conflicts names and shows.
 *
 * The second call finds what the first has left.  Where they commute that is no other state to it,
 * as far as it could say; but what both take from one pool is not the same thing, as it would be if
 * both began in one state.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "port/port.h"
#include "recorder.h"

#define NR_SIDES	2
#define MAIN_THREAD	(RECORDER_THREADS - 1)

extern const char __executable_start[], _end[];

static const char *const place_name[NR_PLACES] = { "mm", "mms", "instances" };


/* ------------------------------------------------ two threads that take turns -- */

static struct turn {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	const struct call *call;	/* NULL: nothing to do, or done */
	bool warm;			/* not the call, but what comes before it */
	struct side *side;
	bool over;
	const struct recorder_access *log;
	size_t nr_accesses;
} turns[NR_SIDES] = {
	{ .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER },
	{ .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER },
};

static void *side_main(void *arg)
{
	struct turn *turn = arg;

	pthread_mutex_lock(&turn->lock);
	recorder_enter((unsigned int)(turn - turns));
	for (;;) {
		while (!turn->call && !turn->over)
			pthread_cond_wait(&turn->changed, &turn->lock);
		if (turn->over)
			break;
		if (turn->warm) {
			world_warm(turn->side);
		} else {
			recorder_begin();
			turn->call->make(turn->side);
			turn->nr_accesses = recorder_end(&turn->log);
		}
		turn->call = NULL;
		pthread_cond_broadcast(&turn->changed);
	}
	pthread_mutex_unlock(&turn->lock);
	return NULL;
}

static void take_turn(struct turn *turn, const struct call *call, struct side *side, bool warm)
{
	pthread_mutex_lock(&turn->lock);
	turn->side = side;
	turn->warm = warm;
	turn->call = call;
	pthread_cond_broadcast(&turn->changed);
	while (turn->call)
		pthread_cond_wait(&turn->changed, &turn->lock);
	pthread_mutex_unlock(&turn->lock);
}

/* ------------------------------------------------------------- shared lines -- */

#define LINE_SHIFT	6
#define MAP_SLOTS	(1u << 15)

enum { WROTE = 1, READ = 2 };

/* What each side did to a line. */
static struct line {
	uintptr_t nr;			/* 0: an unused slot */
	unsigned char did[NR_SIDES];
} lines[MAP_SLOTS];

static struct line *line_at(uintptr_t addr)
{
	const uintptr_t nr = addr >> LINE_SHIFT;

	for (size_t at = nr * 0x9e3779b97f4a7c15ul >> 40;; at++) {
		struct line *line = &lines[at % MAP_SLOTS];

		if (line->nr == nr || !line->nr) {
			line->nr = nr;
			return line;
		}
	}
}

static uintptr_t last_byte(const struct recorder_access *a)
{
	return a->addr + a->bytes - 1;
}

static void fold(enum side_nr side)
{
	const struct turn *turn = &turns[side];

	for (size_t i = 0; i < turn->nr_accesses; i++) {
		const struct recorder_access *a = &turn->log[i];
		uintptr_t nr = a->addr >> LINE_SHIFT;

		for (; nr <= last_byte(a) >> LINE_SHIFT; nr++)
			line_at(nr << LINE_SHIFT)->did[side] |=
				(a->kind != RECORDER_READ ? WROTE : 0) |
				(a->kind != RECORDER_WRITE ? READ : 0);
	}
}

static bool is_shared(const struct line *line)
{
	return line->did[SIDE_A] && line->did[SIDE_B] &&
	       (line->did[SIDE_A] | line->did[SIDE_B]) & WROTE;
}

static bool meets_shared(const struct recorder_access *a)
{
	uintptr_t nr = a->addr >> LINE_SHIFT;

	for (; nr <= last_byte(a) >> LINE_SHIFT; nr++)
		if (is_shared(line_at(nr << LINE_SHIFT)))
			return true;
	return false;
}

/* -------------------------------------------------------------------- printing -- */

/* Addresses in the program are printed as the linker has them. */
static uintptr_t unmoved(uintptr_t addr)
{
	const uintptr_t start = (uintptr_t)__executable_start;

	return addr >= start && addr < (uintptr_t)_end ? addr - start : addr;
}

static void print_block(const struct recorder_block *block, const char *separator)
{
	printf("%s[%lu, %zu, [", separator, block->addr, block->bytes);
	if (block->label)
		printf("\"%s\"", block->label);
	for (int i = 0; !block->label && i < RECORDER_CALLERS && block->caller[i]; i++)
		printf("%s%lu", i ? ", " : "", unmoved(block->caller[i]));
	printf("]]");
}

/* The blocks that shared lines are in, perhaps more than once. */
static void print_blocks(void)
{
	const char *separator = "";

	for (size_t i = 0; i < MAP_SLOTS; i++) {
		const struct recorder_block *block;

		if (!is_shared(&lines[i]))
			continue;
		block = recorder_block_of(lines[i].nr << LINE_SHIFT);
		if (block) {
			print_block(block, separator);
			separator = ", ";
		}
	}
}

static void print_accesses(enum side_nr side)
{
	const struct turn *turn = &turns[side];
	const char *separator = "";

	for (size_t i = 0; i < turn->nr_accesses; i++) {
		const struct recorder_access *a = &turn->log[i];

		if (!meets_shared(a))
			continue;
		printf("%s[%lu, %u, \"%c\", %lu]", separator, unmoved(a->addr), a->bytes, a->kind,
		       unmoved(a->pc));
		separator = ", ";
	}
}

static void print_pair(const struct call *const call[NR_SIDES], enum place place)
{
	memset(lines, 0, sizeof(lines));
	fold(SIDE_A);
	fold(SIDE_B);
	printf("{\"pair\": [\"%s\", \"%s\"], \"place\": \"%s\", ", call[SIDE_A]->name,
	       call[SIDE_B]->name, place_name[place]);
	printf("\"made\": [%zu, %zu], \"blocks\": [", turns[SIDE_A].nr_accesses,
	       turns[SIDE_B].nr_accesses);
	print_blocks();
	printf("], \"A\": [");
	print_accesses(SIDE_A);
	printf("], \"B\": [");
	print_accesses(SIDE_B);
	printf("]}\n");
}

static void print_known(const char *what, uintptr_t addr, size_t bytes)
{
	printf("{\"known\": \"%s\", \"addr\": %lu, \"bytes\": %zu}\n", what, unmoved(addr), bytes);
}

static void print_liburcu(void)
{
	print_known("liburcu's grace period", (uintptr_t)&port_urcu_gp, sizeof(port_urcu_gp));
	print_known("liburcu's membarrier flag", (uintptr_t)&port_urcu_membarrier,
		    sizeof(port_urcu_membarrier));
	print_known("A's reader slot", recorder_rcu_slot(SIDE_A), sizeof(long));
	print_known("B's reader slot", recorder_rcu_slot(SIDE_B), sizeof(long));
}

/* ---------------------------------------------------------------------- worlds -- */

/* Worlds of one kind are alike, to the address. */
static void check_world(enum place place, unsigned int needs)
{
	static uint64_t first[NR_PLACES][NEEDS_ALL + 1];
	const uint64_t now = recorder_fingerprint();

	if (first[place][needs] && first[place][needs] != now) {
		fprintf(stderr, "observer: one world is not like the other\n");
		exit(3);
	}
	first[place][needs] = now;
}

static void observe(const struct call *x, const struct call *y, enum place place)
{
	const struct call *const call[NR_SIDES] = { x, y };
	const unsigned int needs = x->needs | y->needs;
	struct side sides[NR_SIDES];

	recorder_reset();
	world_make(place, needs);
	check_world(place, needs);
	for (unsigned int i = 0; i < NR_SIDES; i++)
		world_side(i, &sides[i]);
	for (unsigned int i = 0; needs & NEEDS_PAGES && i < NR_SIDES; i++) {
		take_turn(&turns[i], call[i], &sides[i], true);
		recorder_settle();
	}
	for (unsigned int i = 0; i < NR_SIDES; i++) {
		world_quiet();
		take_turn(&turns[i], call[i], &sides[i], false);
	}
	print_pair(call, place);
	world_end(sides);
}

static void observe_all(void)
{
	for (unsigned int place = 0; place < NR_PLACES; place++)
		for (unsigned int x = 0; x < nr_calls; x++)
			for (unsigned int y = x; y < nr_calls; y++)
				observe(&calls[x], &calls[y], place);
}

static const struct call *find_call(const char *name)
{
	for (unsigned int i = 0; i < nr_calls; i++)
		if (!strcmp(calls[i].name, name))
			return &calls[i];
	fprintf(stderr, "%s: no such call: they are at the end of calls.c\n", name);
	exit(2);
}

static enum place find_place(const char *name)
{
	for (unsigned int i = 0; i < NR_PLACES; i++)
		if (!strcmp(place_name[i], name))
			return i;
	fprintf(stderr, "%s: no such place: mm, mms or instances\n", name);
	exit(2);
}

static void start(struct turn *turn)
{
	if (pthread_create(&turn->thread, NULL, side_main, turn)) {
		fprintf(stderr, "observer: no thread\n");
		exit(3);
	}
}

static void end(struct turn *turn)
{
	pthread_mutex_lock(&turn->lock);
	turn->over = true;
	pthread_cond_broadcast(&turn->changed);
	pthread_mutex_unlock(&turn->lock);
	pthread_join(turn->thread, NULL);
}

int main(int argc, char **argv)
{
	if (argc != 1 && argc != 4) {
		fprintf(stderr, "usage: %s [CALL CALL PLACE]; vmarea-conflicts runs it\n", argv[0]);
		return 2;
	}
	recorder_enter(MAIN_THREAD);
	for (unsigned int i = 0; i < NR_SIDES; i++)
		start(&turns[i]);
	if (argc == 4)
		observe(find_call(argv[1]), find_call(argv[2]), find_place(argv[3]));
	else
		observe_all();
	for (unsigned int i = 0; i < NR_SIDES; i++)
		end(&turns[i]);
	print_liburcu();
	return 0;
}
