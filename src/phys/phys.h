/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Pages: 4096 bytes of the host's memory and a count of who uses them.
 */
#ifndef PHYS_PHYS_H
#define PHYS_PHYS_H

#include "base/compiler.h"

struct page;

/*
 * A zeroed page with one reference.  @live counts it until the last reference is gone; NULL: no
 * memory, and nothing counted.
 */
struct page *page_alloc(u32 *live)			__may_sleep __must_check;
void page_put(struct page *page);
void *page_bytes(struct page *page);

#endif
