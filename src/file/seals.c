/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Seals: what can never be done to a file in memory any more, by nobody.
 *
 *	F_SEAL_SHRINK, _GROW	file_truncate(); and file_write() past the end
 *	F_SEAL_WRITE		file_write(), holes, and mappings that store; there must be none yet
 *	F_SEAL_FUTURE_WRITE	the same, but for the mappings that there are
 *	F_SEAL_SEAL		more seals; a file that is not FILE_SEALABLE begins with it
 *	F_SEAL_EXEC		its mode, which only the embedder knows
 *
 * They are the inode's, and there is no way to break one.  They are set with the invalidate lock
 * held for write, and looked at with it by what they forbid: so what has begun ends before.
 *
 * Mappings.  An area that may be stored through, now or after mprotect(), is in the inode's i_mmap
 * when it can be found, and counted there.  Who makes one looks at the seals before that; so until
 * the area is in the tree he is inside of a gate, which F_SEAL_WRITE closes before it looks:
 *
 *	mmap()				file_add_seals()
 *	in: the gate is open, +1	close it: nobody is inside
 *	the area goes into the tree	no such area is counted, no page is pinned
 *	out: -1				the seal; or it is opened again
 */
#include <vmarea/file.h>

#include "base/errno.h"
#include "file/filemap.h"
#include "sync/witness.h"

#define ALL_SEALS	(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE |	\
			 F_SEAL_FUTURE_WRITE | F_SEAL_EXEC)
#define GATE_CLOSED	BIT(31)

u32 seals_at_first(u32 flags)
{
	return flags & FILE_SEALABLE ? 0 : F_SEAL_SEAL;
}

bool filemap_enter_writable(struct address_space *mapping)
{
	u32 gate = atomic_load_relaxed(&mapping->writable_gate);

	do
		if (gate & GATE_CLOSED)
			return false;
	/* Relaxed: what comes of it is seen in the tree, under its lock; see the release below. */
	while (!atomic_cas_relaxed(&mapping->writable_gate, &gate, gate + 1));
	return true;
}

void filemap_leave_writable(struct address_space *mapping)
{
	/* Pairs with the acquire of who closes it: the area is in the tree. */
	atomic_sub_release(&mapping->writable_gate, 1);
}

static bool any_writable(struct address_space *mapping) __may_sleep
{
	bool any;

	rwsem_read_lock(&mapping->i_mmap_lock);
	any = mapping->nr_writable;
	rwsem_read_unlock(&mapping->i_mmap_lock);
	return any;
}

static bool any_pinned(struct address_space *mapping)
	__must_hold(&mapping->invalidate_lock)
{
	unsigned long index = 0;
	bool pinned = false;
	struct page *page;

	/* The lock keeps all pages where they are. */
	rcu_read_lock();
	for (; !pinned && (page = pi_find(&mapping->pages, &index, PI_PRESENT)); index++)
		pinned = item_is_page(page) && page_is_pinned(page);
	rcu_read_unlock();
	return pinned;
}

/* 0: nobody writes, and the gate is closed for good. */
static int deny_writable(struct address_space *mapping)
	__must_hold(&mapping->invalidate_lock) __may_sleep
{
	u32 open = 0;

	/* Pairs with filemap_leave_writable(). */
	if (!atomic_cas_acquire(&mapping->writable_gate, &open, GATE_CLOSED))
		return open & GATE_CLOSED ? 0 : -EBUSY;
	if (!any_writable(mapping) && !any_pinned(mapping))
		return 0;
	atomic_store_relaxed(&mapping->writable_gate, 0);
	return -EBUSY;
}

static int add_seals(struct file *file, u32 seals)
	__must_hold(&file->mapping->invalidate_lock) __may_sleep
{
	struct address_space *mapping = file->mapping;
	u32 now = atomic_load_relaxed(&mapping->seals);
	int err = 0;

	if (now & F_SEAL_SEAL)
		return -EPERM;
	/* What can be executed is to stay as it is. */
	if ((seals & F_SEAL_EXEC) && (file_flags(file) & FILE_EXECUTABLE))
		seals |= F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
	if (seals & ~now & F_SEAL_WRITE)
		err = deny_writable(mapping);
	/* Relaxed: what they forbid looks with the lock held, but for mmap(): the gate. */
	if (!err)
		atomic_or_relaxed(&mapping->seals, seals);
	return err;
}

int file_add_seals(struct file *file, unsigned int seals)
{
	struct address_space *mapping = file->mapping;
	int err;
	witness_call();

	if (!(file_flags(file) & FILE_WRITE))
		return -EPERM;
	if ((seals & ~ALL_SEALS) || !(mapping->kind & (FILE_SHMEM | FILE_HUGETLB)))
		return -EINVAL;
	rwsem_write_lock(&mapping->invalidate_lock);
	err = add_seals(file, seals);
	rwsem_write_unlock(&mapping->invalidate_lock);
	return err;
}

int file_get_seals(const struct file *file)
{
	const struct address_space *mapping = file->mapping;

	if (!(mapping->kind & (FILE_SHMEM | FILE_HUGETLB)))
		return -EINVAL;
	return (int)atomic_load_relaxed(&mapping->seals);
}
