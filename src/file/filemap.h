/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The pages of a file.
 *
 * An address_space is what there is once for each inode, however often it is open: its size, its
 * pages, and the locks that guard both.  Its pages are frames of the instance's arena; without an
 * arena it has a size and no pages.
 *
 * The essay is in filemap.c.
 */
#ifndef FILE_FILEMAP_H
#define FILE_FILEMAP_H

#include <vmarea/file.h>

#include "ds/interval_tree.h"
#include "ds/page_index.h"
#include "file/file.h"
#include "file/item.h"
#include "instance/instance.h"
#include "phys/objects.h"
#include "phys/page_lock.h"
#include "sync/rcu.h"
#include "sync/rwsem.h"

/* Its bytes are those of the file.  Set once, before the first unlock. */
#define PG_UPTODATE		BIT(PG_FIRST_FREE_BIT)
/*
 * Somebody has written to it, if not by way of an entry that is there and dirty; or may do so
 * without a fault.  Set by filemap_mark_dirty(); a page in the index then has FILEMAP_DIRTY, too.
 */
#define PG_DIRTY		BIT(PG_FIRST_FREE_BIT + 1)

/* What read_page() would read is what it was filled with, or what was written back last. */
#define PG_BACKED		BIT(PG_FIRST_FREE_BIT + 2)

/* Marks of the index. */
#define FILEMAP_DIRTY		PI_MARK_0	/* to be written back */
#define FILEMAP_WRITEBACK	PI_MARK_1	/* being written back: it is locked */
#define FILEMAP_SWAPPED		PI_MARK_2	/* in swap: the item is a slot */

/* These say what the inode is, however it is opened. */
#define FILE_KINDS		(FILE_SHMEM | FILE_HUGETLB)

/* What guards a field: src/TAGS. */
struct address_space {
	struct vmarea *instance;		/* 1 */
	u32 kind;				/* 1	the FILE_* that are the inode's */
	u32 refs;				/* a	files that are open */
	u32 seals;				/* a	F_SEAL_*: seals.c */
	u32 writable_gate;			/* a	the same */
	u64 size_bytes;				/* a	shrinks under invalidate_lock, for write */
	struct rwsem invalidate_lock;		/* i	held for read: used pages stay */
	struct spinlock lock;			/* i	rank: mapping */
	struct page_index pages;		/* i	under lock; number -> page, or item.h */
	struct rwsem i_mmap_lock;		/* i */
	struct it_tree i_mmap;			/* i_mmap_lock	areas that map it */
	unsigned long nr_writable;		/* i_mmap_lock	of these may be stored through */
	unsigned long nr_areas_seen;		/* o	as in struct file */
	bool slots_seen;			/* o	the same, of what is in swap */
	struct list_head writers __guarded_by(&lock); /* lock	file.on_writers */
	int write_error __guarded_by(&lock);	/* lock	the last of them; -errno */
	u32 write_errors __guarded_by(&lock);	/* lock	so many; it wraps */
	u32 errors_told __guarded_by(&lock);	/* lock	so many when a sync told one last */
	struct port_rcu_head rcu;		/* o	the last put */
};

/* Which entries of page tables a change of a file takes out. */
enum unmap_what {
	UNMAP_SHARED,			/* those that show the file's own pages */
	UNMAP_COPIES,			/* private copies, too: the file has become shorter */
};

/*
 * Pages [first, end) of @mapping are leaving: takes what maps them out of every page table, as only
 * a higher room knows how (rmap/).  Called with the invalidate lock held for write: for the whole
 * range, and then, with its page lock held, for a page that a fault has mapped since; in the end
 * for the whole range again, if copies go, too.  It may sleep, and cannot fail.
 */
typedef void unmap_pages_fn(struct address_space *mapping, unsigned long first, unsigned long end,
			    enum unmap_what what);

/*
 * The write-back of a locked page begins: nobody stores to it any more without a fault, which calls
 * filemap_mark_dirty().  For who keeps the reverse map.  It may sleep, and cannot fail.  Returns
 * how many entries could have been stored to.
 */
typedef int mkclean_page_fn(struct page *page);

/*
 * There was no frame: takes some back.  True: try again.  *nr_tries starts at 0.  For who holds no
 * lock; above.
 */
typedef bool reclaim_for_file_fn(struct vmarea *instance, unsigned int *nr_tries);

/* What the files of one instance have in common. */
struct page_cache {
	struct pi_memory memory;		/* 1 */
	struct objects nodes;			/* i	of the indexes */
	struct spinlock host_lock;		/* i */
	struct list_head host_files __guarded_by(&host_lock); /* host_lock	host_file.link */
	u32 host_changes;			/* a	of the list: to wait for */
	unmap_pages_fn *unmap;			/* 1	the reverse map's */
	mkclean_page_fn *mkclean;		/* 1	the reverse map's */
	reclaim_for_file_fn *reclaim;		/* 1	of reclaim/ */
};

/* For an instance with an arena.  0; -ENOMEM. */
int page_cache_create(struct vmarea *instance)			__may_sleep __must_check;
/* All files are gone, and so is what they left to RCU. */
void page_cache_destroy(struct vmarea *instance)		__may_sleep;

/* With one reference; NULL: no memory.  @flags: the FILE_* of the first file. */
struct address_space *mapping_create(struct vmarea *instance, u32 flags, u64 size_bytes)
	__may_sleep __must_check;
static inline struct address_space *mapping_get(struct address_space *mapping);
/* The last one lets go of the pages.  May sleep, as file_put() may. */
void mapping_put(struct address_space *mapping);

/* -------------------------------------------------------------------------------- lookup -- */

/*
 * The page of the file at @pgoff if it is in memory and filled, with a reference; NULL: it is not.
 * Takes no lock, waits for nobody, and may be called in a signal handler.
 *
 * About truncation it promises what filemap_get_page() does.
 */
static inline struct page *filemap_find_page(struct address_space *mapping, unsigned long pgoff)
	__must_check;

/* How far filemap_get_page() goes for a page that is not there. */
enum filemap_get {
	FILEMAP_TRY,			/* waits for nobody: makes what is zero, calls no hook */
	FILEMAP_WAIT,			/* as far as needed: no mmap lock, no VMA lock held */
};

/*
 * The page of @file at @pgoff, filled, with a reference.  0; or
 *
 * -EPASTEND	it begins at or past the end of the file: SIGBUS
 * -EAGAIN	FILEMAP_TRY only: it would have to wait.  Let go of the locks (the VMA lock comes
 *		after the page lock) and come again with FILEMAP_WAIT
 * -ENOMEM	no frame, nor one for the index
 * -EOPNOTSUPP	the instance has no arena
 * -errno	what read_page() returned, or -EIO: it is in swap and cannot be read: SIGBUS
 *
 * After an error there is no more of the page than before.
 *
 * What is true of the page that was got:
 *	P1  It was the file's page at @pgoff at some moment during the call.
 *	P2  While its lock is held and filemap_is_at() says so, it still is, and stays so.  Who
 *	    drops it takes that lock, and then asks page_cache.unmap() if it is mapped by now.
 *	P3  The frame and its bytes are there as long as the reference, whether it is the file's or
 *	    not.
 * So who maps it locks it, looks, maps it, and unlocks it:
 *
 *	page_lock(page), or page_trylock(page) under a VMA lock;
 *	if (filemap_is_at(page, file->mapping, pgoff))
 *		install the entry;		it will be found and taken out by a truncation
 *	page_unlock(page);
 */
int filemap_get_page(struct file *file, unsigned long pgoff, enum filemap_get how,
		     struct page **out)	__may_sleep __must_check;

/* The hook, which the file has.  0 or -errno; -EIO, and it is reported: its answer is none. */
int file_ops_read_page(struct file *file, u64 offset, void *to, size_t bytes)
	__may_sleep __must_check;

/*
 * Pages [first, end) that are not there are read, as far as the file and its bytes, and memory, go.
 * Of files whose pages begin as zeros nothing is made, but what is in swap is read back.
 */
void filemap_read_in(struct file *file, unsigned long first, unsigned long end)
	__may_sleep;

/* Is the locked page that of @mapping at @pgoff? */
static inline bool filemap_is_at(const struct page *page, const struct address_space *mapping,
				 unsigned long pgoff) __must_hold(page);

/* Pages that there are now, those in swap among them. */
static inline unsigned long filemap_nr_pages(const struct address_space *mapping)
{
	return pi_count(&mapping->pages);
}

/* ------------------------------------------------------------------------ size and holes -- */

static inline u64 mapping_size(const struct address_space *mapping)
{
	/* (D), with whoever makes it longer. */
	return atomic_load_acquire(&mapping->size_bytes);
}

/* The file is at least so long.  The invalidate lock, for read. */
static inline void mapping_grow(struct address_space *mapping, u64 bytes)
	__must_hold_shared(&mapping->invalidate_lock)
{
	u64 size = mapping_size(mapping);

	/* (D): pairs with mapping_size(). */
	while (size < bytes && !atomic_cas_release(&mapping->size_bytes, &size, bytes))
		;
}

/* The first page that is wholly past the end. */
static inline unsigned long mapping_end(const struct address_space *mapping)
{
	u64 size = mapping_size(mapping);

	return (size >> PAGE_SHIFT) + !!(size % PAGE_SIZE);
}

/* file_set_size(), for all that are open. */
void filemap_set_size(struct address_space *mapping, u64 bytes)	__may_sleep;
/* Could there be such a hole?  0; -EINVAL: not by its numbers; -EFBIG: not in this file. */
int filemap_check_hole(const struct file *file, u64 offset, u64 bytes)	__must_check;
/*
 * The bytes [start, end) become a hole: whole pages leave, parts of pages become zero.  0, or what
 * punch_hole() of @file or a seal says: nothing changed.
 */
int filemap_punch(struct file *file, u64 start, u64 end)	__may_sleep __must_check;

/*
 * The walker: every invariant, while nobody calls anything.  True; or false and the first violation
 * in @why, @why_bytes long.
 */
bool filemap_check(const struct address_space *mapping, char *why, size_t why_bytes);

/* --------------------------------------------------------------------------- write-back -- */

/*
 * The page has been stored to, or may be from now on.  Call it after the store, or before an entry
 * allows it and under that entry's table lock or the page lock.  The caller has a reference or the
 * entry has.  A page that is no file's, or is not any more, has the flag alone.
 */
void filemap_mark_dirty(struct page *page);

/*
 * Who can write back pages of @mapping, with a reference that is put when no page is locked any
 * more; NULL: nobody.
 */
struct file *filemap_get_writer(struct address_space *mapping)	__must_check;
/*
 * Writes back the locked page, if it is dirty, by way of that.  0; or write_page()'s error, which
 * is counted for a sync to tell, and the page stays dirty.
 */
int filemap_write_back(struct file *writer, struct page *page)
	__must_hold(page) __may_sleep;

/*
 * The locked page, which the caller has a reference to, leaves its file: it can be read again.  0;
 * -EBUSY: it is dirty, or cannot be read; -EAGAIN: somebody uses it, or changes the file.  Never
 * waits.
 */
int filemap_evict(struct page *page)	__must_hold(page) __must_check;

/* ------------------------------------------------------------------------------- seals -- */

#define FILE_SEALS_WRITE	(F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)

/* FILE_SEAL_WRITE is as if somebody had set it. */
static inline u32 filemap_seals(const struct file *file)
{
	return atomic_load_relaxed(&file->mapping->seals) |
	       (file_flags(file) & FILE_SEAL_WRITE ? F_SEAL_WRITE : 0);
}

/*
 * An area is being made through which the file may be stored to: between the two its seals are
 * looked at, and it goes into i_mmap.  False: F_SEAL_WRITE is set, or is being set.
 */
bool filemap_enter_writable(struct address_space *mapping)	__must_check;
void filemap_leave_writable(struct address_space *mapping);

/* ------------------------------------------------------------------- inside of the room -- */

u32 seals_at_first(u32 flags);

/* A file is made: it will be told of errors that nobody has been told of, and of later ones. */
void writeback_open(struct file *file);
/* Its last reference is gone: if nobody else can, it writes back what is dirty. */
void writeback_close(struct file *file);

/* Do pages of this file begin as zeros, without anyone being asked? */
static inline bool filemap_is_zero_filled(const struct file *file)
{
	return (file_flags(file) & (FILE_SHMEM | FILE_HUGETLB)) || !file->ops ||
	       !file->ops->read_page;
}

/* For its filling to end.  True: it is filled. */
bool filemap_wait_filled(struct page *page)	__may_sleep;

/* There was no frame: true if one may be had now.  *nr_tries starts at 0; no lock is held. */
bool filemap_try_again(const struct address_space *mapping, int err, unsigned int *nr_tries)
	__may_sleep;

/* May the page begin past the end of the file? */
enum filemap_reach { FILEMAP_INSIDE, FILEMAP_EXTEND };

/* As filemap_get_page(), but the lock is the caller's: so the page stays the file's. */
int filemap_get_locked(struct file *file, unsigned long pgoff, enum filemap_get how,
		       enum filemap_reach reach, struct page **out)
	__must_hold_shared(&file->mapping->invalidate_lock) __may_sleep __must_check;

/*
 * Puts a page that only the caller knows at @pgoff, and takes a reference for the index.  It is
 * locked, at least until it is there and has its bytes.  0; -EEXIST: there is one, be it in swap;
 * -ENOMEM.
 */
int filemap_add(struct address_space *mapping, unsigned long pgoff, struct page *page)
	__must_hold(page) __must_hold_shared(&mapping->invalidate_lock) __may_sleep __must_check;

/*
 * @to, which nobody else has, gets the bytes of the locked @page and @kept of its flags, and is in
 * the file from now on; @page, which the caller has a reference to, has that and the index's left,
 * and its mapping.  0; -EAGAIN: somebody else has a reference.
 */
int filemap_replace(struct address_space *mapping, struct page *page, struct page *to, u32 kept)
	__must_hold(page) __must_hold_shared(&mapping->invalidate_lock) __must_check;

/* Takes a page out again: it is nobody's, and the index's reference is put. */
void filemap_remove(struct address_space *mapping, struct page *page)	__must_hold(page);

/* Lets go of every page: no file is left. */
void filemap_drop_all(struct address_space *mapping)		__may_sleep;
/* Before a write at @offset makes the file longer: what was stored from its end to there goes. */
void filemap_zero_gap(struct address_space *mapping, u64 offset)	__may_sleep;
/* Before pages [first, last) are written back: what was stored past the end goes from them. */
void filemap_end_in_zeros(struct address_space *mapping, unsigned long first, unsigned long last)
	__may_sleep;

/* -------------------------------------------------------------------------- definitions -- */

static inline struct address_space *mapping_get(struct address_space *mapping)
{
	/* Relaxed: the caller's file keeps it. */
	u32 before = atomic_add_relaxed(&mapping->refs, 1);

	VM_BUG_ON(!before, "an inode that is gone");
	return mapping;
}

/* The page at @pgoff, filled or not, with a reference.  NULL: none, or it is in swap. */
static inline struct page *filemap_find_any(struct address_space *mapping, unsigned long pgoff)
{
	struct page *page = NULL;
	void *const *slot;

	rcu_read_lock();
	slot = pi_slot(&mapping->pages, pgoff);
	while (slot) {
		page = pi_slot_item(slot);
		if (unlikely(!item_is_page(page)))
			page = NULL;
		if (!page)
			break;
		/* It may have left, and be free or another's by now: look again. */
		if (likely(page_try_get(page))) {
			if (likely(pi_slot_item(slot) == page))
				break;
			page_put(page);
		}
	}
	rcu_read_unlock();
	return page;
}

static inline bool filemap_is_uptodate(const struct page *page)
{
	/* Pairs with the release in fill(). */
	return atomic_load_acquire(&page->flags) & PG_UPTODATE;
}

static inline struct page *filemap_find_page(struct address_space *mapping, unsigned long pgoff)
{
	struct page *page = filemap_find_any(mapping, pgoff);

	if (likely(!page || filemap_is_uptodate(page)))
		return page;
	page_put(page);
	return NULL;
}

static inline bool filemap_is_at(const struct page *page, const struct address_space *mapping,
				 unsigned long pgoff)
{
	return atomic_load_relaxed(&page->mapping) == mapping && page->index == pgoff;
}

#endif
