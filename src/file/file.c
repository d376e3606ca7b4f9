/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Open files.
 *
 * A struct file stands for what a program got from open(): the embedder says what it is (identity,
 * size, mode, hooks), areas hold references to it, and two areas are of one file if the pointers
 * are equal.
 *
 * Life.  The count starts at 1.  file_get() needs a reference, file_get_rcu() only a pointer that
 * was found inside the RCU read section; it fails once the count has been 0, so a file is never
 * brought back.  The put that makes it 0 calls release(), drops the file from the instance's count
 * of objects, and leaves the memory to RCU, because a reader may be about to look at the count.
 *
 * Ordering.
 *  (A) a put is a release, and the last one an acquire: whatever any holder did to the file is
 *      before release().
 *  (B) file_get_rcu() is relaxed.  What it reads of the file was written before the file could be
 *      found; the acquire that found the pointer orders that.
 *
 * Flags and size may change while the file is mapped; each is one relaxed word, read once by
 * whoever decides something by it.  The size is the inode's, and so are the pages: filemap.c.
 */
#include "base/bug.h"
#include "base/errno.h"
#include "base/str.h"
#include "file/filemap.h"
#include "sync/witness.h"

#define FILE_KNOWN_FLAGS						\
	(FILE_READ | FILE_WRITE | FILE_APPEND_ONLY | FILE_NOEXEC |	\
	 FILE_DELETED | FILE_SHMEM | FILE_DEV_ZERO | FILE_HUGETLB |	\
	 FILE_DAX | FILE_SEAL_WRITE | FILE_SEALABLE | FILE_EXECUTABLE | FILE_MAP_SYNC)
#define FILE_MAY_CHANGE		(FILE_DELETED | FILE_SEAL_WRITE)
/* The inode of @desc, with a reference. */
static struct address_space *mapping_for(struct vmarea *instance, const struct file_desc *desc)
	__may_sleep
{
	if (desc->same_inode)
		return mapping_get(desc->same_inode->mapping);
	return mapping_create(instance, desc->flags, desc->size_bytes);
}

static struct file *file_alloc(struct vmarea *instance, const struct file_desc *desc) __may_sleep
{
	size_t name_bytes = str_len(desc->name) + 1;
	struct file *file;

	might_sleep();
	file = port_alloc(sizeof(*file));
	if (!file)
		return NULL;
	file->name = port_alloc(name_bytes);
	if (file->name)
		file->mapping = mapping_for(instance, desc);
	if (!file->mapping) {
		port_free(file->name, name_bytes);
		port_free(file, sizeof(*file));
		return NULL;
	}
	memcpy(file->name, desc->name, name_bytes);
	file->instance = instance;
	file->ops = desc->ops;
	file->private_data = desc->private_data;
	file->inode = desc->inode;
	file->dev_major = desc->dev_major;
	file->dev_minor = desc->dev_minor;
	file->flags = desc->flags;
	file->placement = desc->placement;
	file->max_bytes = desc->max_bytes;
	/* One that does not say is of the default size. */
	file->huge_shift = desc->flags & FILE_HUGETLB ? HUGE_SHIFT_2M : 0;
	file->refs = 1;
	writeback_open(file);
	/* Relaxed: vmarea_destroy() is called after all of this by its contract. */
	atomic_add_relaxed(&instance->nr_objects, 1);
	instance_enlist_file(instance, &file->on_roll);
	return file;
}

static bool same_inode_valid(const struct vmarea *instance, const struct file_desc *desc)
{
	const struct file *other = desc->same_inode;

	return !other || (other->instance == instance &&
			  other->mapping->kind == (desc->flags & FILE_KINDS));
}

int file_create(struct vmarea *instance, const struct file_desc *desc, struct file **out)
{
	struct file *file;

	if (desc->size != sizeof(*desc) || (desc->flags & ~FILE_KNOWN_FLAGS) || !desc->name ||
	    (unsigned int)desc->placement > FILE_PLACE_SHMEM || !same_inode_valid(instance, desc))
		return -EINVAL;
	file = file_alloc(instance, desc);
	if (!file)
		return -ENOMEM;
	*out = file;
	return 0;
}

struct file *file_get(struct file *file)
{
	/* Relaxed: the caller's own reference keeps it. */
	u32 before = atomic_add_relaxed(&file->refs, 1);

	VM_BUG_ON(!before, "file %s is gone", file->name);
	return file;
}

bool file_get_rcu(struct file *file)
{
	u32 refs = atomic_load_relaxed(&file->refs);

	while (refs) {
		if (atomic_cas_relaxed(&file->refs, &refs, refs + 1))	/* (B) */
			return true;
	}
	return false;
}

struct file *file_next_on_roll(struct instance_roll *roll, struct file *file)
{
	struct file *next = NULL;
	struct list_head *link;

	spin_lock(&roll->lock);
	link = file ? file->on_roll.link.next : roll->files.next;
	for (; link != &roll->files && !next; link = link->next) {
		next = list_entry(link, struct file, on_roll.link);
		/* It leaves the roll before its memory goes. */
		if (!file_get_rcu(next))
			next = NULL;
	}
	spin_unlock(&roll->lock);
	if (file)
		file_put(file);
	return next;
}

static void file_free_rcu(struct port_rcu_head *head)
{
	struct file *file = container_of(head, struct file, rcu);

	port_free(file->name, str_len(file->name) + 1);
	port_free(file, sizeof(*file));
}

void file_put(struct file *file)
{
	struct vmarea *instance = file->instance;
	u32 before = atomic_sub_acq_rel(&file->refs, 1);		/* (A) */

	VM_BUG_ON(!before, "file %s put once too often", file->name);
	if (before != 1)
		return;
	writeback_close(file);
	if (file->ops && file->ops->release)
		file->ops->release(file);
	/* Relaxed, as (A) orders it: what shared mappings made it keep. */
	if (file_flags(file) & FILE_HUGETLB)
		huge_pages_put(instance, file->huge_shift,
			       (long)atomic_load_relaxed(&file->reserved));
	instance_delist(&file->on_roll);
	mapping_put(file->mapping);
	port_call_rcu(&file->rcu, file_free_rcu);
	atomic_sub_release(&instance->nr_objects, 1);	/* pairs with vmarea_destroy() */
}

void file_unreserve(struct file *file, u64 bytes)
{
	unsigned long pages = (bytes + (1ul << file->huge_shift) - 1) >> file->huge_shift;
	unsigned long kept = atomic_load_relaxed(&file->reserved);

	if (!(file_flags(file) & FILE_HUGETLB))
		return;
	while (kept > pages && !atomic_cas_relaxed(&file->reserved, &kept, pages))
		;
	if (kept > pages)
		huge_pages_put(file->instance, file->huge_shift, (long)(kept - pages));
}

void file_set_size(struct file *file, uint64_t bytes)
{
	file_unreserve(file, bytes);
	filemap_set_size(file->mapping, bytes);
}

uint64_t file_size(const struct file *file)
{
	return mapping_size(file->mapping);
}

void file_set_flags(struct file *file, unsigned int set, unsigned int clear)
{
	if (VM_WARN_ON((set | clear) & ~FILE_MAY_CHANGE, "file %s: flags %x", file->name,
		       set | clear))
		return;
	atomic_or_relaxed(&file->flags, set);
	if (clear)
		atomic_and_relaxed(&file->flags, ~clear);
}

void *file_private_data(struct file *file)
{
	return file->private_data;
}
