/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The buffers in a page range: which bytes of it are whose.  space.c has the rules.
 */
#ifndef BINDER_SPACE_H
#define BINDER_SPACE_H

#include "range.h"

#define BINDER_ALIGN		8ul

struct binder_space;
struct binder_buffer;

struct binder_request {
	/* Three parts, one after the other, each from a multiple of 8 on. */
	size_t data_bytes, offsets_bytes, extra_bytes;
	bool oneway;			/* nobody waits for an answer */
	bool clear;			/* its bytes are zeroed when it is freed */
	long sender;			/* who, for the detection of spam */
};

int binder_space_create(struct binder_range *range, struct binder_space **out)
	__may_sleep __must_check;
/* All buffers are freed with it. */
void binder_space_destroy(struct binder_space *space)	__may_sleep;
/* From the mmap() hook, after binder_range_mmap(): there is something to give. */
void binder_space_mapped(struct binder_space *space);

/*
 * A buffer whose pages are there.  0; -EINVAL: the sizes do not add up; -ENOSPC: no free piece is
 * so large, or more is asked for without an answer than is left of that half; or what
 * binder_range_use() says.
 */
int binder_space_alloc(struct binder_space *space, const struct binder_request *request,
		       struct binder_buffer **out)
	__must_not_hold(vma_stable) __may_sleep __must_check;
void binder_space_free(struct binder_space *space, struct binder_buffer *buffer);

unsigned long binder_buffer_offset(const struct binder_buffer *buffer);
size_t binder_buffer_bytes(const struct binder_buffer *buffer);
/* This one made its sender be one that floods: said of one buffer until there is room again. */
bool binder_buffer_is_spam(const struct binder_buffer *buffer);

/*
 * For tests.  Of one moment: free pieces, the largest of them, bytes left for those without an answer.
 * 0; -EINVAL: a piece is not where it should be, or the sums are not right.
 */
struct binder_space_stats {
	unsigned long nr_free, nr_used;
	size_t largest_free, oneway_left;
};
int binder_space_check(struct binder_space *space, struct binder_space_stats *out);

#endif
