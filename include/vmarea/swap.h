/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Swap: where the bytes of anonymous and shared memory go when its frames are needed for something
 * else.
 *
 *	struct swap_desc desc = {
 *		.size = sizeof(desc), .name = "/var/swap", .nr_slots = bytes / 4096,
 *		.ops = swap_fd_ops(), .private_data = swap_fd(fd),
 *	};
 *	vmarea_swapon(instance, &desc, &id);
 *
 * A *swap area* is a row of slots, each with room for one page.  What a slot is, the embedder
 * says: a piece of a file (swap_fd_ops()), of a device, of memory that is packed.  An instance with
 * frames may have up to VMAREA_SWAP_AREAS of them; bookkeeping has none.
 */
#ifndef VMAREA_SWAP_H
#define VMAREA_SWAP_H

#include <stdint.h>

#include <vmarea/context.h>
#include <vmarea/driver.h>

#ifdef __cplusplus
extern "C" {
#endif
__nonnull_begin

struct vmarea;

#define VMAREA_SWAP_AREAS	32u

/*
 * All are called without a lock of any mm but for read: a page that a swapoff brings in, or that
 * MADV_WILLNEED or user_faults_continue() asks for, is read with the mmap lock held for read.  They
 * may sleep, and may come from any number of threads at once, never two for one slot.  They must not
 * touch memory that the library backs, nor call it: who waits for the page may be anybody.
 */
struct swap_ops {
	/*
	 * The 4096 bytes that were last written to @slot.  0 or -errno: whoever accesses the page
	 * gets MM_FAULT_BUS, or -EIO from file_read(), and a later access tries again.
	 */
	int (*read_page)(void *__nullable private_data, uint64_t slot, void *to);
	/* 0 or -errno: the page stays in memory. */
	int (*write_page)(void *__nullable private_data, uint64_t slot, const void *from);
	/* No call will come any more.  NULL: nothing to do. */
	void (*__nullable release)(void *__nullable private_data);
};

struct swap_desc {
	size_t size;				/* sizeof(struct swap_desc) */
	const struct swap_ops *ops;		/* not copied: stays until release() */
	void *__nullable private_data;
	const char *name;			/* copied, up to 63 bytes */
	uint64_t nr_slots;			/* 1 to 2^32 - 1 */
	int priority;				/* the highest that has room is used; of equals each in turn */
};

/*
 * *id names the area from now on.  0; -EINVAL: @desc->size, an op or the name missing, nr_slots;
 * -EOPNOTSUPP: the instance has no frames; -EPERM: there are VMAREA_SWAP_AREAS already; -ENOMEM: 12
 * bytes are needed for each slot.
 */
VMAREA_API int vmarea_swapon(struct vmarea *instance, const struct swap_desc *desc,
			     unsigned int *id) __may_sleep __must_check;

/*
 * Brings back every page that is in the area, while the programs go on, and ends it.  What cannot
 * be read is lost: an access is MM_FAULT_BUS, or -EIO, from then on.  No lock of an mm is held.
 * 0; -EINVAL: no such area; -EBUSY: another thread is doing it; -ENOMEM: not enough frames for all
 * of it, and the area is in use as before.
 */
VMAREA_API int vmarea_swapoff(struct vmarea *instance, unsigned int id)	__may_sleep __must_check;

/* Of one moment. */
struct swap_info {
	char name[64];
	uint64_t nr_slots, nr_used;
	int priority;
	uint64_t nr_reads, nr_writes, nr_errors;	/* pages, since it is in use */
};
/* 0; -ENOENT: no such area.  Ids are below VMAREA_SWAP_AREAS. */
VMAREA_API int vmarea_swap_info(struct vmarea *instance, unsigned int id, struct swap_info *info)
	__must_check;

/*
 * Slot n is byte n * 4096 of a file of the host that is open for reading and writing, and which
 * nobody else writes to.  With O_APPEND every write is -EINVAL: it would go to the end.  The file
 * grows as it is needed, past RLIMIT_FSIZE with -EFBIG and no SIGXFSZ; the descriptor stays the
 * embedder's.
 */
VMAREA_API const struct swap_ops *swap_fd_ops(void);
static inline void *swap_fd(int fd)
{
	return (void *)(intptr_t)fd;
}

__nonnull_end
#ifdef __cplusplus
}
#endif

#endif
