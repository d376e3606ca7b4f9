/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The scenarios, one file for each subject, and what they have in common. */
#ifndef EXPLORE_H
#define EXPLORE_H

#include <vmarea/testing.h>

#define PAGE		4096ul
#define AT(page)	(0x10000000ul + (page) * PAGE)
#define ANON		(MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)

extern const struct vt_scenario lookup_unmap;

#endif
