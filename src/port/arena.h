/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Memory for frames: see "Arenas" in port.h. */
#ifndef PORT_ARENA_H
#define PORT_ARENA_H

#include "base/compiler.h"

#define PORT_ARENA_ALIGN	(2ul << 20)

struct port_arena {
	void *base;			/* 1	of PORT_ARENA_ALIGN */
	size_t bytes;			/* 1	a multiple of PORT_ARENA_ALIGN */
	int fd;				/* 1	byte n of it is base[n]; -1: no files here */
};

int port_arena_create(struct port_arena *arena, size_t bytes, size_t private_bytes)
	__must_check __may_sleep;
void port_arena_destroy(struct port_arena *arena)		__may_sleep;
int port_arena_discard(struct port_arena *arena, size_t offset, size_t bytes) __must_check;

#endif
