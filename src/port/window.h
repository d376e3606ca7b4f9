/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Places where frames appear at real addresses: see "Windows" in port.h. */
#ifndef PORT_WINDOW_H
#define PORT_WINDOW_H

#include "port/arena.h"

#define PORT_WINDOW_ALIGN	(2ul << 20)

/* What a page in a window allows. */
#define PORT_SHOW_READ		0x1u
#define PORT_SHOW_WRITE		0x2u		/* implies reading */
#define PORT_SHOW_EXEC		0x4u

enum port_access { PORT_ACCESS_READ, PORT_ACCESS_WRITE, PORT_ACCESS_EXEC };
enum port_refusal {
	PORT_REFUSE_MAPERR, PORT_REFUSE_ACCERR,
	PORT_REFUSE_BUS,
	PORT_REFUSE_MEMORY,			/* no memory: to the program a bus error */
};

/* An access that the host's mappings did not allow. */
struct port_window_fault {
	void *addr;
	enum port_access access;
	bool host_memory;			/* allowed, but the host has no memory for it */
	enum port_refusal refusal;		/* out, by fault() */
	void *signal_info, *signal_context;	/* as the host's handler has them */
};

struct port_window;
typedef bool port_window_fault_fn(struct port_window *window, struct port_window_fault *fault);
typedef bool port_window_refused_fn(struct port_window *window,
				    const struct port_window_fault *fault);

struct port_window {
	void *base;				/* 1	of PORT_WINDOW_ALIGN */
	size_t bytes;				/* 1	a multiple of it */
	port_window_fault_fn *fault;		/* 1 */
	port_window_refused_fn *refused;	/* 1 */
	struct port_window *next;		/* windows_lock	RCU to read */
};

int port_window_create(struct port_window *window, void *base, size_t bytes)
	__must_check __may_sleep;
void port_window_destroy(struct port_window *window)		__may_sleep;
int port_window_show(void *at, size_t bytes, const struct port_arena *arena, size_t offset,
		     unsigned int allow) __must_check;
int port_window_show_zeros(void *at, size_t bytes)		__must_check;
int port_window_hide(void *at, size_t bytes)			__must_check;
void port_window_hide_all(struct port_window *window);
unsigned long port_window_max_areas(void)			__may_sleep;

#endif
