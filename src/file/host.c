/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Files of the host: the hooks of driver.h by the port's calls, and one inode here for each there.
 *
 *	struct file --private--> host_file { fd } --+
 *	struct file --private--> host_file { fd } --+--> host_inode { how long it is there }
 *
 * All that are open are in a list, by device and number.  An entry is *live* while its struct file
 * can be had; before, it is being opened, and after, its last reference is gone, and what is dirty
 * is on its way to the host.  Who opens the same inode joins a live one, and if there are only
 * others, waits until one is live or all are gone: two inodes here, one of which reads what the
 * other has not written yet, there never are.
 *
 * How long the file is.  The library's size and the host's differ while what made the file longer
 * has not been written back.  So the host's is remembered as it should be: as it was found, and as
 * pwrite() and ftruncate() made it.  If it is another when it is asked for, others have changed it.
 * It is compared with the invalidate lock held for write, so no pwrite() is under way.
 *
 * O_DIRECT.  Whole pages go by the descriptor as it was given.  The page that the file ends in has
 * fewer bytes to be read and written, which such a descriptor refuses; they go by one of its own,
 * through the host's cache.  Linux keeps the two ways in step.
 *
 * Ordering
 *  (A) The count of changes grows by a release after the list has changed, and is read by an
 *      acquire before it is looked at: who finds nothing to join sleeps until it is another.
 */

#include <vmarea/host_file.h>

#include "base/atomic.h"
#include "base/str.h"
#include "file/filemap.h"
#include "sync/witness.h"

struct host_inode {
	u32 refs;				/* a	host_files */
	u64 bytes;				/* a	relaxed: how long it should be there */
};

struct host_file {
	int fd;					/* 1 */
	int fd_for_parts;			/* 1	of pages; @fd, but for O_DIRECT */
	struct host_inode *inode;		/* 1 */
	struct page_cache *cache;		/* 1 */
	u64 number;				/* 1	of the host's inode */
	u32 dev_major, dev_minor;		/* 1 */
	struct file *file;			/* cache->host_lock	NULL: it is being opened */
	struct list_head link;			/* cache->host_lock */
};

/* -------------------------------------------------------------------------------- hooks -- */

static int fd_of(struct file *file)
{
	const struct host_file *host = file->private_data;

	return host->fd;
}

static int fd_for(struct file *file, size_t bytes)
{
	const struct host_file *host = file->private_data;

	return bytes == PAGE_SIZE ? host->fd : host->fd_for_parts;
}

static struct host_inode *inode_of(struct file *file)
{
	const struct host_file *host = file->private_data;

	return host->inode;
}

/* Any may be mapped. */
static int host_mmap(struct file *file, struct vma_new *vma) __in_mmap_hook;
static int host_mmap(struct file *file, struct vma_new *vma)
{
	return 0;
}

static int host_read_page(struct file *file, uint64_t offset, void *to, size_t bytes) __may_sleep
{
	return port_file_read(fd_for(file, bytes), offset, to, bytes);
}

static int host_write_page(struct file *file, uint64_t offset, const void *from, size_t bytes)
	__may_sleep
{
	struct host_inode *inode = inode_of(file);
	int err = port_file_write(fd_for(file, bytes), offset, from, bytes);
	u64 long_as = atomic_load_relaxed(&inode->bytes);

	if (err)
		return err;
	while (long_as < offset + bytes &&
	       !atomic_cas_relaxed(&inode->bytes, &long_as, offset + bytes))
		;
	return 0;
}

static int host_set_size(struct file *file, uint64_t bytes) __may_sleep
{
	int err = port_file_set_bytes(fd_of(file), bytes);

	if (!err)
		atomic_store_relaxed(&inode_of(file)->bytes, bytes);
	return err;
}

/*
 * What would have made the file longer there may be in the hole: so that comes first.  By how long
 * it is there now: others may have made it longer, and what is theirs is not to be cut.
 */
static int host_punch_hole(struct file *file, uint64_t offset, uint64_t bytes) __may_sleep
{
	u64 size = file_size(file), now;
	int err = port_file_get_bytes(fd_of(file), &now);

	if (!err && now < size)
		err = host_set_size(file, size);
	return err ? err : port_file_punch(fd_of(file), offset, bytes);
}

static int host_get_size(struct file *file, uint64_t *bytes)
{
	struct host_inode *inode = inode_of(file);
	u64 now, was = atomic_load_relaxed(&inode->bytes);
	int err = port_file_get_bytes(fd_of(file), &now);

	if (err)
		return err;
	atomic_store_relaxed(&inode->bytes, now);
	/*
	 * Longer there does not make it shorter here, where more may have been written.  Also if it
	 * was so long before: who asked then may have failed to make it so here.
	 */
	*bytes = now < was ? now : max(*bytes, now);
	return 0;
}

/* --------------------------------------------------------------------------------- list -- */

static void list_changed(struct page_cache *cache)
{
	atomic_add_release(&cache->host_changes, 1);	/* (A) */
	port_wake(&cache->host_changes, PORT_WAKE_ALL);
}

static void leave_list(struct host_file *host)
{
	spin_lock(&host->cache->host_lock);
	list_del(&host->link);
	spin_unlock(&host->cache->host_lock);
	list_changed(host->cache);
}

/* True: on the list.  *other: a live one of the same inode, with a reference, or NULL. */
static bool join_list(struct host_file *host, struct file **other)
{
	struct page_cache *cache = host->cache;
	bool found = false;
	struct list_head *at;

	*other = NULL;
	spin_lock(&cache->host_lock);
	for (at = cache->host_files.next; at != &cache->host_files && !*other; at = at->next) {
		const struct host_file *open = container_of(at, struct host_file, link);

		if (open->number != host->number || open->dev_major != host->dev_major ||
		    open->dev_minor != host->dev_minor)
			continue;
		found = true;
		/* It leaves the list before its memory goes. */
		if (open->file && file_get_rcu(open->file))
			*other = open->file;
	}
	if (*other || !found)
		list_add_tail(&host->link, &cache->host_files);
	spin_unlock(&cache->host_lock);
	return *other || !found;
}

static void become_live(struct host_file *host, struct file *file)
{
	spin_lock(&host->cache->host_lock);
	host->file = file;
	spin_unlock(&host->cache->host_lock);
	list_changed(host->cache);
}

static void inode_put(struct host_inode *inode)
{
	/* Pairs with itself: the last one frees it. */
	if (inode && atomic_sub_acq_rel(&inode->refs, 1) == 1)
		port_free(inode, sizeof(*inode));
}

static void close_for_parts(const struct host_file *host)
{
	if (host->fd_for_parts != host->fd)
		port_file_close(host->fd_for_parts);
}

static void host_release(struct file *file)
{
	struct host_file *host = file->private_data;

	leave_list(host);
	close_for_parts(host);
	port_file_close(host->fd);
	inode_put(host->inode);
	port_free(host, sizeof(*host));
}

static const struct file_operations host_ops = {
	.owner = "host file", .mmap = host_mmap, .release = host_release,
	.read_page = host_read_page, .write_page = host_write_page, .set_size = host_set_size,
	.punch_hole = host_punch_hole, .get_size = host_get_size,
};

/* --------------------------------------------------------------------------------- open -- */

static unsigned int flags_of(u32 what)
{
	return (what & PORT_FILE_READ ? FILE_READ : 0) | (what & PORT_FILE_WRITE ? FILE_WRITE : 0) |
	       (what & PORT_FILE_NOEXEC ? FILE_NOEXEC : 0) |
	       (what & PORT_FILE_DELETED ? FILE_DELETED : 0) |
	       (what & PORT_FILE_KNOWS_SYNC ? FILE_MAP_SYNC : 0) |
	       (what & PORT_FILE_DAX ? FILE_DAX : 0);
}

static enum file_placement placement_of(u32 what)
{
	if (what & PORT_FILE_MEMORY)
		return FILE_PLACE_SHMEM;
	return what & PORT_FILE_PLACED_HUGE ? FILE_PLACE_HUGE : FILE_PLACE_ANY;
}

/* Now that nobody writes to it on the library's behalf. */
static int new_inode(struct host_file *host, u64 *bytes) __may_sleep
{
	int err = port_file_get_bytes(host->fd, bytes);

	if (err)
		return err;
	host->inode = port_alloc(sizeof(*host->inode));
	if (!host->inode)
		return -ENOMEM;
	host->inode->refs = 1;
	host->inode->bytes = *bytes;
	return 0;
}

/* On the list.  An inode that is left over after an error is the caller's to put. */
static int make_file(struct vmarea *instance, struct host_file *host,
		     const struct port_file_info *info, struct file *other, struct file **out)
	__may_sleep
{
	struct file_desc desc = {
		.size = sizeof(desc), .ops = &host_ops, .private_data = host, .name = info->name,
		.inode = info->inode, .dev_major = info->dev_major, .dev_minor = info->dev_minor,
		.flags = flags_of(info->what), .placement = placement_of(info->what),
		.same_inode = other,
	};

	if (other) {
		host->inode = inode_of(other);
		/* Relaxed: the other file keeps it. */
		atomic_add_relaxed(&host->inode->refs, 1);
	} else {
		int err = new_inode(host, &desc.size_bytes);

		if (err)
			return err;
	}
	return file_create(instance, &desc, out);
}

static int open_listed(struct vmarea *instance, struct host_file *host,
		       const struct port_file_info *info, struct file *other, struct file **out)
	__may_sleep
{
	struct file *file;
	int err = make_file(instance, host, info, other, &file);

	if (other)
		file_put(other);
	if (err) {
		inode_put(host->inode);
		leave_list(host);
		return err;
	}
	become_live(host, file);
	*out = file;
	return 0;
}

static struct file *wait_for_list(struct host_file *host) __may_sleep
{
	struct page_cache *cache = host->cache;
	struct file *other;

	for (;;) {
		u32 seen = atomic_load_acquire(&cache->host_changes);	/* (A) */

		if (join_list(host, &other))
			return other;
		port_wait(&cache->host_changes, seen, PORT_NO_DEADLINE);
	}
}

static int open_fd(struct vmarea *instance, int fd, const struct port_file_info *info,
		   struct file **out) __may_sleep
{
	struct host_file *host = port_alloc(sizeof(*host));
	int err;

	if (!host)
		return -ENOMEM;
	host->fd = fd;
	host->fd_for_parts = info->what & PORT_FILE_DIRECT ? port_file_open_for_parts(fd) : fd;
	if (host->fd_for_parts < 0) {
		err = host->fd_for_parts;
		port_free(host, sizeof(*host));
		return err;
	}
	host->cache = instance->cache;
	host->number = info->inode;
	host->dev_major = info->dev_major;
	host->dev_minor = info->dev_minor;
	err = open_listed(instance, host, info, wait_for_list(host), out);
	if (err) {
		close_for_parts(host);
		port_free(host, sizeof(*host));
	}
	return err;
}

static bool can_be_mapped(u32 what)
{
	return (what & (PORT_FILE_REGULAR | PORT_FILE_READ)) ==
	       (PORT_FILE_REGULAR | PORT_FILE_READ) &&
	       (what & (PORT_FILE_WRITE | PORT_FILE_APPEND)) !=
	       (PORT_FILE_WRITE | PORT_FILE_APPEND);
}

/* What is known of the file it takes from the heap: names are long. */
static int look_and_open(struct vmarea *instance, int fd, enum host_file_fd what,
			 struct port_file_info *info, struct file **out) __may_sleep
{
	int own = fd, err = port_file_look(fd, info);

	if (err)
		return err;
	if (!can_be_mapped(info->what))
		return -EINVAL;
	if (what == HOST_FILE_DUP)
		own = port_file_dup(fd);
	if (own < 0)
		return own;
	err = open_fd(instance, own, info, out);
	if (err && what == HOST_FILE_DUP)
		port_file_close(own);
	return err;
}

int host_file_open(struct vmarea *instance, int fd, enum host_file_fd what, struct file **out)
{
	struct port_file_info *info;
	int err;
	witness_call();

	if (!instance->arena)
		return -EOPNOTSUPP;
	info = port_alloc(sizeof(*info));
	if (!info)
		return -ENOMEM;
	err = look_and_open(instance, fd, what, info, out);
	port_free(info, sizeof(*info));
	return err;
}

int host_file_fd(const struct file *file)
{
	const struct host_file *host = file->private_data;

	return file->ops == &host_ops ? host->fd : -1;
}
