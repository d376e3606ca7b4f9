/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Open files as the embedder supplies them.  A file is counted; the count may be raised from a
 * pointer found under RCU (file_get_rcu), so the memory goes only after a grace period.
 *
 * What guards a field: src/TAGS.
 */
#ifndef FILE_FILE_H
#define FILE_FILE_H

#include <vmarea/driver.h>
#include <vmarea/vmarea.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/errno.h"
#include "base/list.h"
#include "instance/instance.h"
#include "port/port.h"

struct address_space;

struct file {
	const struct file_operations *ops;	/* 1	NULL: ordinary */
	void *private_data;			/* 1 */
	struct vmarea *instance;		/* 1 */
	struct address_space *mapping;		/* 1	its inode's; a reference */
	char *name;				/* 1	owned */
	u64 inode;				/* 1 */
	u32 dev_major, dev_minor;		/* 1 */
	u32 flags;				/* a	relaxed */
	u32 refs;				/* a	0: going */
	u32 huge_shift;				/* 1	log2 of the page size of FILE_HUGETLB */
	enum file_placement placement;		/* 1 */
	u64 max_bytes;				/* 1	0: 2^63 - 1 */
	unsigned long reserved;			/* a	relaxed: huge pages, for shared areas */
	struct roll_entry on_roll;		/* i	its instance's */
	struct list_head on_writers;		/* mapping->lock */
	u32 errors_told;			/* mapping->lock	of write_errors */
	unsigned long nr_areas_seen;		/* o	the walker's, while all is still */
	struct port_rcu_head rcu;		/* o	the last put */
};

/* From a pointer found under the RCU read lock: false if the last reference is gone. */
bool file_get_rcu(struct file *file);

/*
 * The file behind @file on a roll (NULL: the first), with a reference; that to @file is put.  NULL:
 * there is no more.
 */
struct file *file_next_on_roll(struct instance_roll *roll, struct file *file)
	__may_sleep __must_check;

/* FILE_HUGETLB: huge pages beyond the new end are kept no longer. */
void file_unreserve(struct file *file, u64 bytes);

/* For reports. */
static inline const char *file_driver(const struct file *file)
{
	return file->ops && file->ops->owner ? file->ops->owner : file->name;
}

/* What a hook answered that is asked for 0 or -errno; anything else is reported, and an error. */
#define FILE_ANSWER(file, hook, answer)						\
	(VM_WARN_ON((answer) > 0 || (answer) < -MAX_ERRNO,			\
		    "driver %s: " hook " answers %d", file_driver(file), (answer)) ?	\
	 -EINVAL : (answer))

static inline u32 file_flags(const struct file *file)
{
	return atomic_load_relaxed(&file->flags);
}

#endif
