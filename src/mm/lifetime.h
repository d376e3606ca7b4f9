/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Making and unmaking an mm: what mm_create(), fork and exec share.  See lifetime.c.
 */
#ifndef MM_LIFETIME_H
#define MM_LIFETIME_H

#include "fault/pages.h"
#include "instance/instance.h"
#include "vma/types.h"

/* An mm without areas, limits and layout; one user.  0; -ENOMEM: the host's memory; -ENOFRAME. */
int mm_alloc(struct vmarea *instance, struct pages_shape shape, struct mm_struct **out)
	__may_sleep __must_check;

/* From now on others find it. */
void mm_publish(struct mm_struct *mm);
/* The mm behind @mm on the roll (NULL: the first), with an mm_count; @mm's is given back. */
struct mm_struct *mm_next_on_roll(struct instance_roll *roll, struct mm_struct *mm) __must_check;

/* Throws away an mm that only the caller knows.  No close() hook is called. */
void mm_discard(struct mm_struct *mm) __may_sleep;

/* Is the layout in @config one that an mm of @instance, with pages of @shape, can have? */
bool mm_layout_valid(const struct vmarea *instance, struct pages_shape shape,
		     const struct mm_config *config);
/* Everything of @config but limits, capabilities and personality.  The mmap write lock. */
void mm_set_layout(struct mm_struct *mm, const struct mm_config *config)
	__must_hold(vma_stable);

#endif
