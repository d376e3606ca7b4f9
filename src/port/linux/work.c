/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Background work: functions that may sleep, run one after another by one thread. */
#include "port/linux/bg.h"
#include "base/errno.h"

static void work_run(struct port_item *item)
{
	struct port_work *w = container_of(item, struct port_work, item);
	void (*fn)(struct port_work *w) = w->fn;

	/* Pairs with the exchange in queue(): from here on w can be queued again, or freed. */
	atomic_store_release(&w->queued, 0);
	fn(w);
}

struct port_bg port_work_bg = PORT_BG_INIT(port_work_bg, work_run, NULL, 0, "vmarea-work");

static int queue(struct port_work *w, void (*fn)(struct port_work *w), enum port_bg_kind kind)
{
	/* Pairs with the release in work_run(): its reads of w come before our writes. */
	if (atomic_xchg_acq_rel(&w->queued, 1))
		return -EBUSY;
	w->fn = fn;
	port_bg_push(&port_work_bg, &w->item, kind);
	return 0;
}

int port_work(struct port_work *w, void (*fn)(struct port_work *w))
{
	return queue(w, fn, PORT_BG_OWN);
}

int port_work_shared(struct port_work *w, void (*fn)(struct port_work *w))
{
	return queue(w, fn, PORT_BG_SHARED);
}

void port_work_flush(void)
{
	port_bg_flush(&port_work_bg);
}
