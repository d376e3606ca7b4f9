/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A device with one page, which its client maps and into which the threads of the driver's side
 * send numbers, one behind the other, around and around.
 *
 * It is the example of docs/TESTING-YOUR-DRIVER.md.  ring.c has three mistakes; the patches beside
 * it take them out one by one, and what comes out is ring_fixed.c.
 */
#ifndef RING_H
#define RING_H

#include <pthread.h>
#include <stdatomic.h>
#include <vmarea/driver.h>

#define RING_BYTES	4096ul
#define RING_SLOTS	(RING_BYTES / sizeof(unsigned long))

/* The word of a file with ring_fops.  Who opens the file sets the first two. */
struct ring {
	struct vmarea *machine;
	pthread_mutex_t lock;
	struct mm_struct *mm;		/* lock; who mapped it, once in the life of the file */
	unsigned long addr;		/* lock; where */
	unsigned long sent;		/* lock */
	struct page *page;		/* from mmap() until users is 0 again */
	atomic_uint users;		/* VMAs, and senders that write into the page */
};

extern const struct file_operations ring_fops;

/* 0; -ENOTCONN: not mapped yet, or by one that is dead now; -EPIPE: not mapped any more. */
int ring_send(struct ring *ring, unsigned long number) __may_sleep;

#endif
