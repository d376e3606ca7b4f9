/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Plain accesses: data races, and use after free.
 *
 * Every four bytes of watched memory (the heap, and the program's own data) have a *cell* that
 * remembers the last write and each thread's last read, as counts of the threads' clocks.  An
 * access races if it conflicts with a remembered one that the thread's clock does not include.  The
 * counts say so whichever of the two came first in this execution, so that one execution shows the
 * race whatever its order was.
 *
 * An atomic access conflicts with a plain one, not with another atomic one.  Freeing is a write to
 * all of the block; from then on its cells are *freed*, and any access is an error.
 *
 * Limits: a cell keeps one write and a mask of its bytes, so a race with an older write to other
 * bytes of the same four can be missed; none is reported that is not there.  Memory on stacks is
 * not watched.
 */
#include <string.h>
#include <sys/mman.h>

#include "port/sim/sim.h"

#define CELL_BYTES	4

struct cell {
	u32 gen;
	bool freed;
	bool w_atomic;
	u8 w_thread, w_mask;
	u32 w_clock;			/* 0: not written */
	u8 r_atomic;			/* a bit for each thread */
	u8 r_mask[SIM_THREADS];
	u32 r_clock[SIM_THREADS];
	const void *w_pc, *r_pc[SIM_THREADS];
};

/* The program's data: from the linker. */
extern char __data_start[], _end[];

static struct cell *heap_cells, *data_cells;

static struct cell *map_cells(size_t bytes)
{
	size_t size = bytes / CELL_BYTES * sizeof(struct cell);
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		port_panic("no memory to watch %zu bytes", bytes);
	return p;
}

void race_reset(void)
{
	if (heap_cells)
		return;
	heap_cells = map_cells(SIM_WATCHED_BYTES);
	data_cells = map_cells((size_t)(_end - __data_start) + CELL_BYTES);
}

static struct cell *cell_of(uintptr_t at)
{
	struct cell *cell;

	if (at - SIM_HEAP_BASE < SIM_WATCHED_BYTES)
		cell = &heap_cells[(at - SIM_HEAP_BASE) / CELL_BYTES];
	else if (at - (uintptr_t)__data_start < (uintptr_t)(_end - __data_start))
		cell = &data_cells[(at - (uintptr_t)__data_start) / CELL_BYTES];
	else
		return NULL;
	if (cell->gen != sim.gen) {
		memset(cell, 0, sizeof(*cell));
		cell->gen = sim.gen;
	}
	return cell;
}

bool race_watched(const void *p)
{
	return cell_of((uintptr_t)p);
}

static const char *access_name(bool writes, bool atomic)
{
	return writes ? atomic ? "atomic write" : "write" : atomic ? "atomic read" : "read";
}

static void report_race(uintptr_t at, const char *what, const void *pc, u32 other,
			const char *other_what, const void *other_pc)
{
	const struct sim_thread *me = sim.current;
	char object[160], where[256], other_where[256];

	heap_describe((void *)at, object, sizeof(object));
	port_describe_pc(pc, where, sizeof(where));
	port_describe_pc(other_pc, other_where, sizeof(other_where));
	sim_fail(FAIL_RACE,
		 "%s\n  %s by T%u %s at %s\n  %s by T%u %s at %s\n  nothing orders the two",
		 object, what, me->id, me->name, where, other_what, other,
		 sim.thread[other].name, other_where);
}

static void check_freed(const struct cell *cell, uintptr_t at, const char *what)
{
	char object[160], where[256] = "?";

	if (!cell->freed)
		return;
	heap_describe((void *)at, object, sizeof(object));
	if (cell->w_pc)
		port_describe_pc(cell->w_pc, where, sizeof(where));
	sim_fail(FAIL_MEMORY, "use after free: %s of %s\n  freed by T%u %s at %s", what, object,
		 cell->w_thread, sim.thread[cell->w_thread].name, where);
}

static void check_write(const struct cell *cell, uintptr_t at, u8 mask, bool writes, bool atomic,
			const void *pc)
{
	const struct sim_thread *me = sim.current;

	if (!cell->w_clock || !(cell->w_mask & mask) || cell->w_thread == me->id ||
	    (atomic && cell->w_atomic) || cell->w_clock <= me->clock.at[cell->w_thread])
		return;
	report_race(at, access_name(writes, atomic), pc, cell->w_thread,
		    access_name(true, cell->w_atomic), cell->w_pc);
}

static void check_reads(const struct cell *cell, uintptr_t at, u8 mask, bool atomic,
			const void *pc)
{
	const struct sim_thread *me = sim.current;

	for (u32 i = 0; i < SIM_THREADS; i++) {
		bool r_atomic = cell->r_atomic & (1u << i);

		if (i == me->id || !(cell->r_mask[i] & mask) || (atomic && r_atomic) ||
		    cell->r_clock[i] <= me->clock.at[i])
			continue;
		report_race(at, access_name(true, atomic), pc, i, access_name(false, r_atomic),
			    cell->r_pc[i]);
	}
}

static void note_write(struct cell *cell, u8 mask, bool atomic, const void *pc)
{
	const struct sim_thread *me = sim.current;
	bool same = cell->w_thread == me->id && cell->w_atomic == atomic;

	cell->w_mask = same ? cell->w_mask | mask : mask;
	cell->w_thread = (u8)me->id;
	cell->w_atomic = atomic;
	cell->w_clock = me->clock.at[me->id];
	cell->w_pc = pc;
}

static void note_read(struct cell *cell, u8 mask, bool atomic, const void *pc)
{
	const struct sim_thread *me = sim.current;
	u32 now = me->clock.at[me->id];
	u8 bit = (u8)(1u << me->id);

	if (cell->r_clock[me->id] != now) {
		cell->r_mask[me->id] = 0;
		cell->r_atomic |= bit;
	}
	cell->r_clock[me->id] = now;
	cell->r_mask[me->id] |= mask;
	cell->r_pc[me->id] = pc;
	if (!atomic)
		cell->r_atomic &= (u8)~bit;
}

static void access_cell(uintptr_t at, u8 mask, bool writes, bool atomic, const void *pc)
{
	struct cell *cell = cell_of(at);

	if (!cell)
		return;
	check_freed(cell, at, access_name(writes, atomic));
	check_write(cell, at, mask, writes, atomic, pc);
	if (writes) {
		check_reads(cell, at, mask, atomic, pc);
		note_write(cell, mask, atomic, pc);
	} else {
		note_read(cell, mask, atomic, pc);
	}
}

static void access_range(const void *p, size_t bytes, bool writes, bool atomic, const void *pc)
{
	uintptr_t at = (uintptr_t)p, end = at + bytes;

	while (at < end) {
		uintptr_t next = min((at | (CELL_BYTES - 1)) + 1, end);
		u32 shift = at % CELL_BYTES;

		access_cell(at, (u8)(((1u << (next - at)) - 1) << shift), writes, atomic, pc);
		at = next;
	}
}

void race_plain(const void *p, u32 bytes, bool writes, const void *pc)
{
	if (sim_racing())
		access_range(p, bytes, writes, false, pc);
}

void race_atomic(const void *p, u32 bytes, bool writes, const void *pc)
{
	if (sim_racing())
		access_range(p, bytes, writes, true, pc);
}

void race_freed(const void *p, size_t bytes, const void *pc)
{
	uintptr_t at = (uintptr_t)p;

	if (sim_racing())
		access_range(p, bytes, true, false, pc);
	for (size_t done = 0; done < bytes; done += CELL_BYTES) {
		struct cell *cell = cell_of(at + done);

		if (!cell)
			continue;
		cell->freed = true;
		cell->w_thread = (u8)sim.current->id;
		cell->w_pc = pc;
	}
}
