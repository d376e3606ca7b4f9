/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Arenas of an execution: windows cut one behind the other from a part of the watched memory, which
 * is empty again before the next execution.  There is no file behind them, so nothing can be mapped
 * elsewhere.
 */
#include <sys/mman.h>

#include "base/bits.h"
#include "base/errno.h"
#include "port/sim/sim.h"

static uintptr_t next;

void arena_reset(void)
{
	static bool mapped;
	void *want = (void *)SIM_ARENA_BASE;

	if (!mapped) {
		if (mmap(want, SIM_ARENA_BYTES, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
			 0) != want)
			port_panic("no memory at %p for arenas", want);
		mapped = true;
	} else if (next > SIM_ARENA_BASE) {
		/* What was touched reads as zero again. */
		if (madvise(want, next - SIM_ARENA_BASE, MADV_DONTNEED))
			port_panic("no fresh memory at %p for arenas", want);
	}
	next = SIM_ARENA_BASE;
}

int port_arena_create(struct port_arena *arena, size_t bytes, size_t private_bytes)
{
	VM_BUG_ON(!bytes || !IS_ALIGNED(bytes, PORT_ARENA_ALIGN) || private_bytes > bytes);
	if (port_fail_site_at("arena") || bytes > SIM_ARENA_BASE + SIM_ARENA_BYTES - next)
		return -ENOMEM;
	*arena = (struct port_arena){ .base = (void *)next, .bytes = bytes, .fd = -1 };
	next += bytes;
	return 0;
}

void port_arena_destroy(struct port_arena *arena)
{
	arena->base = NULL;
}

int port_arena_discard(struct port_arena *arena, size_t offset, size_t bytes)
{
	__builtin_memset((char *)arena->base + offset, 0, bytes);
	return 0;
}
