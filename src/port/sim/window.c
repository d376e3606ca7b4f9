/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* There are no windows here: an arena has no file, and no access is a signal. */
#include "base/errno.h"
#include "port/sim/sim.h"

int port_window_create(struct port_window *window, void *base, size_t bytes)
{
	(void)window;
	(void)base;
	(void)bytes;
	return -EOPNOTSUPP;
}

/* Nobody has a window to call these with. */
void port_window_destroy(struct port_window *window)
{
	port_panic("window %p: there are none", (void *)window);
}

int port_window_show(void *at, size_t bytes, const struct port_arena *arena, size_t offset,
		     unsigned int allow)
{
	(void)bytes;
	(void)arena;
	(void)offset;
	(void)allow;
	port_panic("window at %p: there are none", at);
}

int port_window_show_zeros(void *at, size_t bytes)
{
	(void)bytes;
	port_panic("window at %p: there are none", at);
}

int port_window_hide(void *at, size_t bytes)
{
	(void)bytes;
	port_panic("window at %p: there are none", at);
}

void port_window_hide_all(struct port_window *window)
{
	port_panic("window %p: there are none", (void *)window);
}

unsigned long port_window_max_areas(void)
{
	return 0;
}
