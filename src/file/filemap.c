/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The pages of a file: finding them, and making them.
 *
 *	struct file  --+
 *	struct file  --+--> struct address_space --index--> struct page --> 4096 bytes
 *	                          size, locks       page->mapping, ->index lead back
 *
 * A page is in the index, and then its mapping and index say where, or it is not, and then its
 * mapping is NULL.  The index holds one reference.  Others hold more: entries of page tables, who
 * reads and writes.  So a page that is dropped stays as long as anybody has it, and is nobody's.
 *
 *	page_alloc  -->  added, locked  --fill-->  uptodate, unlocked  --drop-->  mapping NULL
 *	                      |                        ^
 *	                      +-- the fill failed: removed, mapping NULL, unlocked
 *	page_alloc, its bytes are known (zeros; a whole page written)  -->  added uptodate
 *
 * Where bytes come from.  The pages of FILE_SHMEM, of shared anonymous objects and of a file
 * without a read_page() hook begin as zeros: they are made by whoever comes first, and nobody waits
 * for them.  Other files' pages are filled by the hook, under the page lock.  Who wants the same
 * page meanwhile finds it in the index, not uptodate, and waits for the page lock: one fill serves
 * all.  If it fails, the first who waited tries again.
 *
 * Two locks keep pages where they are.  The *page lock* is of one page: whoever holds it, and has
 * looked at its mapping, knows that it stays.  The *invalidate lock* is of the file: held for read
 * no page leaves, so what is being made is made for the size that was looked at; truncation and
 * punching hold it for write.  Finding a page needs neither.
 *
 * Truncation (truncate.c):	1. the invalidate lock, for write: fills have ended
 *				2. the new size: who looks now is told -EPASTEND
 *				3. unmap() of the whole range
 *				4. for each page: its lock, unmap() if it is mapped again, mapping
 *				   NULL, out of the index
 *				5. unmap() of the whole range again: private copies do not count as
 *				   mappings of the page, and none can be made any more
 * A fault that found the page before 4 and locks it after sees the mapping; one that locked it
 * before 4 has mapped it, and 4 finds that, or 5 the copy.  A punched hole leaves copies alone.
 *
 * Memory.  Nodes of the index and pages come from the arena, so a fault that makes a page never
 * calls the host's allocator.  The address_space is ordinary memory, and goes after a grace period.
 *
 * Ordering
 *  (A) PG_UPTODATE is set by a release after the bytes, and read by an acquire, without a lock.
 *	A page that is uptodate when it is added is published by the index (ds/page_index.h, R3).
 *  (B) page_try_get() is an acquire: the slot is looked at again after the reference is there.  If
 *	it still holds the page, the page has been in it since: to leave, it would have lost the
 *	index's reference after the slot was cleared.  Or it has left and come back to the same
 *	place, which is as good.
 *  (C) Who finds a page whose count is frozen looks again, and would do so for as long as the one
 *	who has frozen it has no CPU.  So it is hidden first (item.h), and whoever looks for it
 *	waits for the index's lock.
 *
 *  (D) The size grows by a release, and is read by an acquire: who sees it sees the pages, and the
 *	bytes in them, that were written before it grew, and no hole in their place.
 *
 * Invariants
 *  1. Whenever `lock` is free, a page in the index has the mapping and the index of its place, and
 *     a page that has a mapping, and is known to others, is in the index.
 *  2. A page that is uptodate stays so.
 *  3. A page that is not uptodate is locked, by who fills it.
 *  4. Whenever the invalidate lock is free, no page of the index lies past the end of the file.
 *  5. A page in the index has PG_SHMEM if the file has FILE_SHMEM: how it is counted.
 *  6. Whenever `lock` is free, a page in the index that has no PG_SHMEM has PG_DIRTY if it has the
 *     mark FILEMAP_DIRTY, and only then.  One with FILEMAP_WRITEBACK is locked.
 *
 * Failure.  No frame, no frame for the index's nodes, an error of the hook: nothing stays behind,
 * neither a page nor an empty node.  Dropping needs no memory.
 *
 * Shared memory has nowhere to be read from again: its pages go to swap, and the index names a slot
 * in their place (swapped.c).
 *
 * A page that nobody uses may be evicted (reclaim/): it has the index's reference and the one of
 * who evicts, is clean, and can be read again (PG_BACKED).  With the invalidate lock held for read,
 * so a truncation does not meet it; so under that lock a page stays only for who has a reference.
 *
 * The reverse map, which is above, sets page_cache.unmap and page_cache.mkclean.
 *
 * Rejected
 *  - A room of its own.  A file's size and its pages change together and under one lock; what would
 *    be left of the file is a name.
 *  - Finding the inode by (device, number).  Embedders have files with made-up numbers, and none.
 *  - An inode that the embedder makes and counts beside its files: another object to get wrong.
 *  - Pages locked by everybody who looks: a lookup writes one counter, not two words.
 */
#include "base/str.h"
#include "file/swapped.h"

/* ----------------------------------------------------------------------------- instance -- */

static struct page_cache *cache_of(struct pi_memory *memory)
{
	return container_of(memory, struct page_cache, memory);
}

static struct pi_node *node_alloc(struct pi_memory *memory)
{
	return objects_alloc(&cache_of(memory)->nodes);
}

static void node_free(struct pi_memory *memory, struct pi_node *node)
{
	objects_free(&cache_of(memory)->nodes, node);
}

int page_cache_create(struct vmarea *instance)
	__context_unsafe("nobody else knows it yet")
{
	struct page_cache *cache = port_alloc(sizeof(*cache));

	if (!cache)
		return -ENOMEM;
	cache->memory = (struct pi_memory){ .alloc = node_alloc, .free = node_free };
	spin_lock_init(&cache->host_lock, LOCK_RANK_INSTANCE);
	list_init(&cache->host_files);
	objects_init(&cache->nodes, instance->arena, sizeof(struct pi_node));
	instance->cache = cache;
	return 0;
}

void page_cache_destroy(struct vmarea *instance)
{
	objects_destroy(&instance->cache->nodes);
	port_free(instance->cache, sizeof(*instance->cache));
	instance->cache = NULL;
}

/* -------------------------------------------------------------------------------- inodes -- */

struct address_space *mapping_create(struct vmarea *instance, u32 flags, u64 size_bytes)
{
	struct address_space *mapping = port_alloc(sizeof(*mapping));

	if (!mapping)
		return NULL;
	mapping->instance = instance;
	mapping->kind = flags & FILE_KINDS;
	mapping->seals = seals_at_first(flags);
	mapping->refs = 1;
	mapping->size_bytes = size_bytes;
	rwsem_init(&mapping->invalidate_lock, LOCK_RANK_INVALIDATE);
	spin_lock_init(&mapping->lock, LOCK_RANK_MAPPING);
	rwsem_init(&mapping->i_mmap_lock, LOCK_RANK_I_MMAP);
	list_init(&mapping->writers);
	mapping->write_error = 0;
	mapping->write_errors = 0;
	mapping->errors_told = 0;
	mapping->slots_seen = false;
	pi_init(&mapping->pages, instance->cache ? &instance->cache->memory : NULL);
	return mapping;
}

static void mapping_free_rcu(struct port_rcu_head *head)
{
	struct address_space *mapping = container_of(head, struct address_space, rcu);

	port_free(mapping, sizeof(*mapping));
}

void mapping_put(struct address_space *mapping)
	__context_unsafe("as the last file_put(), which may do what release() does")
{
	/* Pairs with itself: what was done by any file comes before its pages go. */
	u32 before = atomic_sub_acq_rel(&mapping->refs, 1);

	if (before != 1)
		return;
	if (filemap_nr_pages(mapping))
		filemap_drop_all(mapping);
	port_call_rcu(&mapping->rcu, mapping_free_rcu);
}

/* ------------------------------------------------------------------------ in, and out -- */

int filemap_add(struct address_space *mapping, unsigned long pgoff, struct page *page)
{
	struct pi_stash stash = { 0 };
	int err;

	if (mapping->kind & FILE_SHMEM)
		page_set_flags(page, PG_SHMEM);
	/* Relaxed, here and where it leaves: filemap_mark_dirty() asks the index, too. */
	atomic_store_relaxed(&page->mapping, (void *)mapping);
	page->index = pgoff;
	page_get(page);
	do {
		err = pi_prepare(&mapping->pages, &stash, pgoff);
		if (err)
			break;
		spin_lock(&mapping->lock);
		err = pi_insert(&mapping->pages, &stash, pgoff, page);
		spin_unlock(&mapping->lock);
	} while (err == -EAGAIN);
	pi_stash_empty(&mapping->pages, &stash);
	if (err) {
		atomic_store_relaxed(&page->mapping, NULL);
		page_put(page);
	}
	return err;
}

void filemap_remove(struct address_space *mapping, struct page *page)
{
	spin_lock(&mapping->lock);
	pi_erase(&mapping->pages, page->index);
	spin_unlock(&mapping->lock);
	atomic_store_relaxed(&page->mapping, NULL);
	page_put(page);
}

/* Hidden, (C): nobody else has it, and nobody can get it, while its count is 0. */
static int evict_hidden(struct address_space *mapping, struct page *page)
	__must_hold(page) __must_hold(&mapping->lock)
{
	bool dirty;

	if (!page_try_freeze(page, 2))
		return -EAGAIN;
	/* Of the last put of who used it: what that stored made it dirty before. */
	dirty = page_flags(page) & PG_DIRTY;
	if (!dirty) {
		pi_erase(&mapping->pages, page->index);
		atomic_store_relaxed(&page->mapping, NULL);
	}
	page_unfreeze(page, dirty ? 2 : 1);
	return dirty ? -EBUSY : 0;
}

static int evict_locked(struct address_space *mapping, struct page *page)
	__must_hold(page) __must_hold(&mapping->lock)
{
	int err;

	if ((page_flags(page) & (PG_BACKED | PG_DIRTY)) != PG_BACKED)
		return -EBUSY;
	pi_replace(&mapping->pages, page->index, item_of_leaving(page));
	err = evict_hidden(mapping, page);
	if (err)
		pi_replace(&mapping->pages, page->index, page);
	return err;
}

int filemap_evict(struct page *page)
{
	struct address_space *mapping = page->mapping;
	int err;

	/* A truncation counts on it that what it found is there. */
	if (!rwsem_read_trylock(&mapping->invalidate_lock))
		return -EAGAIN;
	/* It may be the last page, and nobody waits for the locks of a file that has none. */
	rcu_read_lock();
	spin_lock(&mapping->lock);
	err = evict_locked(mapping, page);
	spin_unlock(&mapping->lock);
	rwsem_read_unlock(&mapping->invalidate_lock);
	rcu_read_unlock();
	return err;
}

/* Hidden, (C). */
static int replace_hidden(struct address_space *mapping, struct page *page, struct page *to,
			  u32 kept)
	__must_hold(page) __must_hold(&mapping->lock)
{
	if (!page_try_freeze(page, 2))
		return -EAGAIN;
	memcpy(page_bytes(to), page_bytes(page), PAGE_SIZE);
	page_set_flags(to, page_flags(page) & kept);
	to->index = page->index;
	atomic_store_relaxed(&to->mapping, (void *)mapping);
	page_get(to);
	pi_replace(&mapping->pages, page->index, to);
	page_unfreeze(page, 2);
	return 0;
}

int filemap_replace(struct address_space *mapping, struct page *page, struct page *to, u32 kept)
{
	int err;

	spin_lock(&mapping->lock);
	pi_replace(&mapping->pages, page->index, item_of_leaving(page));
	err = replace_hidden(mapping, page, to, kept);
	if (err)
		pi_replace(&mapping->pages, page->index, page);
	spin_unlock(&mapping->lock);
	return err;
}

/* ---------------------------------------------------------------------------------- fill -- */

int file_ops_read_page(struct file *file, u64 offset, void *to, size_t bytes)
{
	int err = file->ops->read_page(file, offset, to, bytes);

	return VM_WARN_ON(err > 0 || err < -MAX_ERRNO, "driver %s: read_page() says %d",
			  file_driver(file), err) ? -EIO : err;
}

/* What the hook has, and zeros where the file has no more. */
static int fill(struct file *file, struct page *page) __must_hold(page) __may_sleep
{
	u64 offset = (u64)page->index << PAGE_SHIFT;
	u64 size = file_size(file);
	size_t bytes = offset < size ? min(size - offset, (u64)PAGE_SIZE) : 0;
	char *to = page_bytes(page);
	int err = bytes ? file_ops_read_page(file, offset, to, bytes) : 0;

	if (err)
		return err;
	memset(to + bytes, 0, PAGE_SIZE - bytes);
	page_set_flags(page, PG_BACKED);
	/* (A): pairs with filemap_is_uptodate(). */
	atomic_or_release(&page->flags, PG_UPTODATE);
	return 0;
}

/* A page that only the caller knows.  -ECHANGED: somebody else was first.  No hook can say that. */
static int add_new(struct address_space *mapping, unsigned long pgoff, struct page *page)
	__must_hold(page) __must_hold_shared(&mapping->invalidate_lock) __may_sleep
{
	int err = filemap_add(mapping, pgoff, page);

	return err == -EEXIST ? -ECHANGED : err;
}

/*
 * A page of zeros.  Locked, as long as others do not know yet what it is: who looks for pages by
 * their frames waits with his judgement.  Nobody has it for longer than a look at that.
 */
static int add_zeros(struct file *file, unsigned long pgoff, enum filemap_get how,
		     struct page *page)
	__must_hold_shared(&file->mapping->invalidate_lock) __may_sleep
{
	int err;

	if (how == FILEMAP_WAIT)
		page_lock(page);
	else if (!page_trylock(page))
		return -EAGAIN;
	page_set_flags(page, PG_UPTODATE);
	err = add_new(file->mapping, pgoff, page);
	page_unlock(page);
	return err;
}

/* A page that has its bytes from elsewhere. */
static int add_filled(struct file *file, unsigned long pgoff, struct page *page)
	__must_hold_shared(&file->mapping->invalidate_lock) __may_sleep
{
	int err;

	page_lock(page);
	err = add_new(file->mapping, pgoff, page);
	if (!err) {
		err = fill(file, page);
		if (err)
			filemap_remove(file->mapping, page);
	}
	page_unlock(page);
	return err;
}

/* -ECHANGED: somebody else was first. */
static int make_page(struct file *file, unsigned long pgoff, enum filemap_get how,
		     struct page **out)
	__must_hold_shared(&file->mapping->invalidate_lock) __may_sleep
{
	bool zeros = filemap_is_zero_filled(file);
	struct page *page = page_alloc(file->instance->arena, 0,
				       zeros ? PAGE_ZEROED : PAGE_ANYTHING);
	int err;

	if (!page)
		return -ENOMEM;
	err = zeros ? add_zeros(file, pgoff, how, page) : add_filled(file, pgoff, page);
	if (err)
		page_put(page);
	else
		*out = page;
	return err;
}

bool filemap_wait_filled(struct page *page)
{
	page_lock(page);
	page_unlock(page);
	return filemap_is_uptodate(page);
}

/* There is no page in memory.  -ECHANGED: there is by now. */
static int get_missing(struct file *file, unsigned long pgoff, enum filemap_get how,
		       struct page **out)
	__must_hold_shared(&file->mapping->invalidate_lock) __may_sleep
{
	int err = filemap_swap_in(file->mapping, pgoff, how, out);

	if (err != -ENOENT)
		return err;
	if (how == FILEMAP_TRY && !filemap_is_zero_filled(file))
		return -EAGAIN;
	return make_page(file, pgoff, how, out);
}

int filemap_get_locked(struct file *file, unsigned long pgoff, enum filemap_get how,
		       enum filemap_reach reach, struct page **out)
{
	int err;

	do {
		struct page *page;

		if (reach == FILEMAP_INSIDE && pgoff >= mapping_end(file->mapping))
			return -EPASTEND;
		page = filemap_find_any(file->mapping, pgoff);
		if (!page) {
			err = get_missing(file, pgoff, how, out);
		} else if (filemap_is_uptodate(page) ||
			   (how == FILEMAP_WAIT && filemap_wait_filled(page))) {
			*out = page;
			err = 0;
		} else {
			page_put(page);
			err = how == FILEMAP_TRY ? -EAGAIN : -ECHANGED;
		}
	} while (err == -ECHANGED);
	return err;
}

static int get_slow(struct file *file, unsigned long pgoff, enum filemap_get how,
		    struct page **out) __may_sleep
{
	struct address_space *mapping = file->mapping;
	int err;

	if (!file->instance->arena)
		return -EOPNOTSUPP;
	if (how == FILEMAP_WAIT)
		rwsem_read_lock(&mapping->invalidate_lock);
	else if (!rwsem_read_trylock(&mapping->invalidate_lock))
		return -EAGAIN;
	err = filemap_get_locked(file, pgoff, how, FILEMAP_INSIDE, out);
	rwsem_read_unlock(&mapping->invalidate_lock);
	return err;
}

int filemap_get_page(struct file *file, unsigned long pgoff, enum filemap_get how,
		     struct page **out)
{
	struct page *page;

	if (unlikely(pgoff >= mapping_end(file->mapping)))
		return -EPASTEND;
	page = filemap_find_page(file->mapping, pgoff);
	if (unlikely(!page))
		return get_slow(file, pgoff, how, out);
	*out = page;
	return 0;
}

void filemap_read_in(struct file *file, unsigned long first, unsigned long end)
{
	struct page *page;

	if (file->mapping->kind & FILE_SHMEM)
		filemap_will_need(file->mapping, first, end);
	if (filemap_is_zero_filled(file))
		return;
	for (; first < end; first++) {
		if (filemap_get_page(file, first, FILEMAP_WAIT, &page))
			break;
		page_put(page);
	}
}
