/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Pages that drivers allocate.
 *
 * A page is a reference count beside its bytes.  Both are the host's ordinary memory: a mm that
 * keeps regions only has no frames to number.  Each counts in a word of its instance, so that an
 * instance that is destroyed with pages outstanding can say so.
 *
 * A put is a release and the last one an acquire, so that whatever any holder did to the bytes is
 * before they are freed.
 */
#include "base/atomic.h"
#include "base/bits.h"
#include "base/bug.h"
#include "phys/phys.h"
#include "port/port.h"
#include "sync/witness.h"

struct page {
	void *bytes;				/* 1	PAGE_SIZE, owned */
	u32 *live;				/* 1	the instance's count */
	u32 refs;				/* a */
};

struct page *page_alloc(u32 *live)
{
	struct page *page;

	might_sleep();
	page = port_alloc(sizeof(*page));
	if (!page)
		return NULL;
	page->bytes = port_alloc(PAGE_SIZE);
	if (!page->bytes) {
		port_free(page, sizeof(*page));
		return NULL;
	}
	page->live = live;
	page->refs = 1;
	atomic_add_relaxed(live, 1);
	return page;
}

void page_put(struct page *page)
{
	u32 *live = page->live;		/* not after the put: another's may be the last */
	/* Pairs with itself: every earlier put is before the free. */
	u32 before = atomic_sub_acq_rel(&page->refs, 1);

	VM_BUG_ON(!before, "page %p freed twice", (void *)page);
	if (before != 1)
		return;
	port_free(page->bytes, PAGE_SIZE);
	port_free(page, sizeof(*page));
	atomic_sub_release(live, 1);	/* pairs with the load in vmarea_destroy() */
}

void *page_bytes(struct page *page)
{
	return page->bytes;
}
