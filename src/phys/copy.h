/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Bytes of frames.
 *
 * Several programs' threads may load and store the same frame at once, as they may on any machine:
 * their race is theirs and not ours.  So frames that others can see are read and written with
 * relaxed atomic accesses, eight bytes at a time where the place in the frame is so aligned: a
 * load or store of up to eight aligned bytes is never seen half done.
 */
#ifndef PHYS_COPY_H
#define PHYS_COPY_H

#include "base/atomic.h"
#include "base/bits.h"
#include "base/str.h"

/* A whole frame, into one that nobody else can see. */
static inline void frame_copy(void *to, const void *from)
{
	u64 *out = to;
	const u64 *in = from;

	for (unsigned long i = 0; i < PAGE_SIZE / sizeof(u64); i++)
		out[i] = atomic_load_relaxed(&in[i]);
}

/* How much of @bytes the next access takes, at @at in a frame: 8, 4, 2 or 1. */
static inline unsigned long frame_step(unsigned long at, unsigned long bytes)
{
	unsigned long step = 8;

	while (at % step || step > bytes)
		step /= 2;
	return step;
}

static inline void frame_load(void *to, const void *frame, unsigned long bytes)
{
	const char *from = frame;

	for (unsigned long done = 0, step; done < bytes; done += step) {
		const void *at = from + done;
		u64 word;

		step = frame_step((unsigned long)at, bytes - done);
		word = step == 8 ? atomic_load_relaxed((const u64 *)at) :
		       step == 4 ? atomic_load_relaxed((const u32 *)at) :
		       step == 2 ? atomic_load_relaxed((const u16 *)at) :
				   atomic_load_relaxed((const u8 *)at);
		memcpy((char *)to + done, &word, step);
	}
}

static inline void frame_store(void *frame, const void *from, unsigned long bytes)
{
	char *to = frame;

	for (unsigned long done = 0, step; done < bytes; done += step) {
		void *at = to + done;
		u64 word = 0;

		step = frame_step((unsigned long)at, bytes - done);
		memcpy(&word, (const char *)from + done, step);
		if (step == 8)
			atomic_store_relaxed((u64 *)at, word);
		else if (step == 4)
			atomic_store_relaxed((u32 *)at, (u32)word);
		else if (step == 2)
			atomic_store_relaxed((u16 *)at, (u16)word);
		else
			atomic_store_relaxed((u8 *)at, (u8)word);
	}
}

static inline void frame_zero(void *frame, unsigned long bytes)
{
	char *to = frame;

	for (unsigned long done = 0, step; done < bytes; done += step) {
		const u64 zero = 0;

		step = frame_step((unsigned long)(to + done), bytes - done);
		frame_store(to + done, &zero, step);
	}
}

#endif
