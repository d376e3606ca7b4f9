/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Page tables: from an address to an entry.
 *
 * The room knows addresses, entries and frames, and no VMA: who calls says which range, and answers
 * for the locks.  The four operations are kept apart, since they need different ones:
 *
 *	traverse	pt_look, pt_walk, pt_slot_lock, gup_fast, pt_translate
 *			needs what keeps the range's VMA stable; the last two need nothing
 *	install		pt_install, pt_slot_make, pt_copy_range
 *			needs the mmap or the VMA lock; an rmap lock alone will not do
 *	zap		pt_zap_range
 *			needs what keeps the VMA stable
 *	free		pt_free_tables
 *			needs that nobody can find the range: out of the tree and out of every rmap,
 *			zapped, and no fault can start
 *	move		pt_move_range
 *			needs the mmap and the VMA write lock and all rmap locks
 *
 * and `change` (pt_change_range, pt_protect_range, pt_slot_change), which leaves alone what an
 * entry names: an rmap lock is enough for it.
 *
 * Addresses are in bytes, page-aligned unless said otherwise, and below pt_limit().  A *table* is a
 * frame with 512 entries.  A *leaf* of level PT_PMD maps 2 MiB.  The essay is in pgtable.c.
 */
#ifndef PGTABLE_PGTABLE_H
#define PGTABLE_PGTABLE_H

#include "base/errno.h"
#include "pgtable/format.h"
#include "phys/phys.h"
#include "sync/rcu.h"

struct pgtable;
struct swap_space;

/* ----------------------------------------------------------------------- who looks at it -- */

enum mmu_reach {
	MMU_LEAVES,			/* translations */
	MMU_TABLES,			/* and what is remembered of tables on the way */
};

/*
 * Entries of [start, end) are gone, name something else or allow less.  When it returns, nobody
 * uses what they said before.  It may be called under table locks: it does not sleep, takes no
 * lock of rank `table` or before, and cannot fail.
 */
typedef void mmu_invalidate_fn(struct pgtable *pt, unsigned long start, unsigned long end,
			       enum mmu_reach reach);

/* What a change does outside of the tables: a soft TLB, mappings of the host, a machine's TLB. */
struct mmu_ops {
	mmu_invalidate_fn *invalidate;		/* 1 */
};

/* ---------------------------------------------------------------------- the table itself -- */

/* Frames that leaves map, and swap entries: what a process is charged for. */
enum pt_count { PT_ANON, PT_FILE, PT_SHMEM, PT_SWAP, PT_COUNTS };

/* Threads that fault at the same time count on different lines. */
#define PT_SHARDS	8u

struct pt_shard {
	long nr[PT_COUNTS];			/* a */
} __cacheline_aligned;

/* What guards a field: src/TAGS.  Written once is by pt_create(). */
struct pgtable {
	const struct pt_format *format;		/* 1 */
	struct page *frames;			/* 1	the struct of the arena's frame 0 */
	struct arena *arena;			/* 1 */
	struct page *root;			/* 1	pfn: what the hardware is given */
	const struct mmu_ops *mmu;		/* 1	NULL: nobody */
	unsigned int levels;			/* 1 */
	u32 nr_hiding;				/* a	changes that take all rights, under way */
	long nr_tables;				/* a	without the root */
	long nr_spare;				/* a	put aside for leaves that may be split */
	void (*split_block)(struct page *head);	/* 1	see pt_config */
	struct swap_space *swap;		/* 1	who counts what swap entries name */
	struct spinlock lock;			/* i	page_table_lock: PUD, P4D, PGD entries */
	struct pt_shard shards[PT_SHARDS];	/* i */
};

struct pt_config {
	struct arena *arena;
	const struct pt_format *format;
	unsigned int levels;
	const struct mmu_ops *mmu;
	/*
	 * A leaf's block is about to be mapped by 512 entries, and no translation of the leaf is
	 * left: takes the references that they need, one being there, and counts for the reverse
	 * map.  Under the PMD's lock.  NULL: 511 references, and no more.
	 */
	void (*split_block)(struct page *head);
	struct swap_space *swap;
};

/* 0; -EINVAL: the format has no such number of levels; -ENOMEM: no frame for the root. */
int pt_create(struct pgtable *pt, const struct pt_config *config)	__must_check;
/* Everything zapped, all tables freed, and nobody left who could look. */
void pt_destroy(struct pgtable *pt);

/* The first address above what user space can have: the lower half of the hardware's. */
static inline unsigned long pt_limit(const struct pgtable *pt)
{
	return BIT(PAGE_SHIFT + PT_INDEX_BITS * pt->levels - 1);
}

/* Now, of a moving target; never negative. */
unsigned long pt_count(const struct pgtable *pt, enum pt_count what);

/* ------------------------------------------------------------------------------ traverse -- */

/*
 * The entry that decides about @addr (any byte), and its level: the leaf or soft entry there, or
 * the PTE_NONE that was met first.  As of now: nothing keeps it.
 */
pte_t pt_look(struct pgtable *pt, unsigned long addr, unsigned int *level);

/*
 * fn() for each entry of [start, end) that is not none, in order, until it returns other than 0,
 * which is the result.  @addr is where the entry starts: for a PMD leaf perhaps before @start.
 * Called in an RCU read section, without locks: the entry is a copy.
 */
typedef int pt_walk_fn(void *arg, unsigned long addr, unsigned int level, pte_t entry);
int pt_walk(struct pgtable *pt, unsigned long start, unsigned long end, pt_walk_fn *fn, void *arg);

/*
 * The page mapped at @addr (any byte) for user space, with a reference on its head: page_put()
 * that. NULL: not mapped so, special, or just being changed; then take the slow way.  Needs no
 * lock, may be called in a signal handler.  @rights: those of PT_READ, PT_WRITE, PT_EXEC that the
 * entry must have.
 */
struct page *gup_fast(struct pgtable *pt, unsigned long addr, u32 rights)	__must_check;

/*
 * What hardware does that has no translation: the leaf that maps @addr (any byte) for user space
 * and allows @need (PT_READ, PT_WRITE, PT_EXEC), with its level; and notes in it that it is
 * accessed, and with PT_WRITE that it is dirty.  PTE_NONE: there is none such.  Needs no lock,
 * but an RCU read section.  Nothing keeps the entry: it may be used until the next
 * mmu_ops.invalidate(), if who implements that can tell whether one has come.
 */
pte_t pt_translate(struct pgtable *pt, unsigned long addr, u32 need, unsigned int *level);

/* ---------------------------------------------------------------------------- one entry -- */

/* An entry whose table is locked. */
context_lock_struct(pt_slot) {
	struct pgtable *pt;
	unsigned long addr;			/* where the entry starts */
	pte_t *entry;
	struct page *table;
	unsigned int level;			/* PT_PTE or PT_PMD */
};

/*
 * Locks the entry that decides about @addr: in the PTE table, or the PMD's leaf or soft entry.
 * False: there is neither, and nothing is locked.
 */
bool pt_slot_lock(struct pgtable *pt, unsigned long addr, struct pt_slot *slot)
	__cond_acquires(true, slot) __cond_enters_atomic __must_check;

/*
 * Locks the entry of @level, PT_PTE or PT_PMD, for @addr, and makes the tables on the way: from
 * @stash, and if that is NULL or used up, from the arena.  0; -ENOMEM: nothing changed; -EAGAIN: at
 * the PMD is a leaf or a soft entry where a table is needed, or the other way round: look again.
 */
struct pt_stash;
int pt_slot_make(struct pgtable *pt, struct pt_stash *stash, unsigned long addr,
		 enum pt_level level, struct pt_slot *slot)
	__cond_acquires(0, slot) __cond_enters_atomic_on_0 __must_check;

void pt_slot_unlock(struct pt_slot *slot)	__releases(slot) __leaves_atomic;

/* The next entry of the same PTE table; false: there is none, and the slot is where it was. */
bool pt_slot_next(struct pt_slot *slot)		__must_hold(slot);

static inline pte_t pt_slot_get(const struct pt_slot *slot)	__must_hold(slot);
static inline pte_t pt_slot_get(const struct pt_slot *slot)
{
	return (pte_t){ atomic_load_relaxed(&slot->entry->raw) };
}

/*
 * Puts @now there and returns what was there, with what the hardware had noted.  If that allowed
 * more or named something else, nobody uses it any more; in between the entry is none.  Where the
 * frame stays the same, what is noted stays, too.  Counts leaves and swap entries; references to
 * frames are the caller's, from and to.  At the PMD none stays none: pt_install() does the rest.
 */
pte_t pt_slot_exchange(struct pt_slot *slot, pte_t now)		__must_hold(slot);

/*
 * look, lock, look again: puts @now at @addr if @before is still there, compared without accessed
 * and dirty.  0; -EAGAIN: it is not, or pt_slot_make() says so; -ENOMEM.  The reference to the
 * frame of @now passes to the entry, that of @before comes back to the caller.
 */
int pt_install(struct pgtable *pt, struct pt_stash *stash, unsigned long addr, enum pt_level level,
	       pte_t before, pte_t now)		__must_check;

/* ---------------------------------------------------------- all or nothing: tables ahead -- */

/* Tables that are not in use yet.  Start with { 0 }, end with pt_stash_empty(). */
struct pt_stash {
	struct page *first;
	unsigned long nr;
};

/*
 * Prepare, before anything is changed: so many tables that entries of @level can be made everywhere
 * in [start, end) without another allocation.  -ENOMEM: the stash is as it was.
 */
int pt_prepare(struct pgtable *pt, struct pt_stash *stash, unsigned long start, unsigned long end,
	       enum pt_level level)		__must_check;
void pt_stash_empty(struct pt_stash *stash);

/* -------------------------------------------------------------------------- zap and free -- */

/* An entry that was taken out. */
struct pt_zapped {
	unsigned long addr;
	pte_t entry;				/* leaf or soft, with what was noted last */
	struct page *page;			/* NULL: soft or special */
	unsigned int level;
};

struct mmu_gather;

struct gather_ops {
	/* Is this entry to stay?  Under the table lock, or asked before a split.  NULL: none is. */
	bool (*keep)(struct mmu_gather *gather, unsigned long addr, unsigned int level,
		     pte_t entry);
	/*
	 * After the invalidation, without locks: for the reverse map, dirty bits and swap slots.
	 * The reference that the entry held is put afterwards.  NULL: nothing else to do.
	 */
	void (*removed)(struct mmu_gather *gather, const struct pt_zapped *zapped);
	/*
	 * A migration entry was taken out, under its table's lock: it has no reference to its
	 * frame, so that may be gone when the lock is.
	 */
	void (*moved)(struct mmu_gather *gather, pte_t entry);
};

/*
 * Collects what was taken out, so that one invalidation serves for many entries, and nothing is
 * reused before it.  No memory, no failure.  Not inside of a spinlock, except for its owner's
 * hooks.
 */
#define GATHER_ENTRIES	64u

struct mmu_gather {
	struct pgtable *pt;
	const struct gather_ops *ops;		/* NULL: { 0 } */
	void *arg;				/* for ops */
	unsigned long start, end;		/* not invalidated yet; empty: start >= end */
	struct page *tables;			/* unlinked, not freed yet */
	unsigned int nr;
	struct pt_zapped zapped[GATHER_ENTRIES];
};

void mmu_gather_init(struct mmu_gather *gather, struct pgtable *pt, const struct gather_ops *ops,
		     void *arg);
/* Invalidates, reports, puts, and hands tables to RCU: empty after it, and can be used again. */
void mmu_gather_flush(struct mmu_gather *gather);

/* Every entry of [start, end).  A PMD leaf that sticks out of it is split. */
void pt_zap_range(struct mmu_gather *gather, unsigned long start, unsigned long end);

/* What a range [start, end) left, which was zapped, between its neighbours. */
struct pt_hole {
	unsigned long start, end;
	unsigned long floor, ceiling;		/* where the one below ends, the one above starts */
};

/*
 * Every table that reaches into the range and serves only addresses of [floor, ceiling).  Their
 * memory is used again after a grace period.
 */
void pt_free_tables_of(struct mmu_gather *gather, const struct pt_hole *hole);

/* The same where the range is all of the hole. */
static inline void pt_free_tables(struct mmu_gather *gather, unsigned long floor,
				  unsigned long ceiling)
{
	const struct pt_hole hole = { floor, ceiling, floor, ceiling };

	pt_free_tables_of(gather, &hole);
}

/*
 * PTE tables for whole 2 MiB of [start, end) that have no entry: they can be made again, so what
 * keeps the VMA stable is enough.
 */
void pt_free_empty(struct mmu_gather *gather, unsigned long start, unsigned long end);

/* -------------------------------------------------------------------------------- change -- */

/* Bits of raw entries; those of `clear` that are also in `set` end up set. */
struct pt_change {
	u64 clear, set;
};

/*
 * Changes each leaf of [start, end), in one atomic step each, and invalidates where one says less
 * than before.  Returns how many entries differ now.  A PMD leaf that sticks out is split.
 */
unsigned long pt_change_range(struct pgtable *pt, unsigned long start, unsigned long end,
			      struct pt_change change);

/*
 * mprotect(): leaves get @rights, except that none becomes writable: that is for a write fault to
 * decide, which knows what may be written to.  Migration entries are made to match.
 */
unsigned long pt_protect_range(struct pgtable *pt, unsigned long start, unsigned long end,
			       u32 rights);

/*
 * Leaves get PT_USER_WP, and lose PT_WRITE; or lose the first, and then none becomes writable.
 * Migration entries are made to match.
 */
enum pt_user_wp { PT_USER_ALLOW, PT_USER_PROTECT };
unsigned long pt_user_wp_range(struct pgtable *pt, unsigned long start, unsigned long end,
			       enum pt_user_wp on);

/*
 * The same for one entry; returns what it was.  Clearing `accessed` alone invalidates nothing: that
 * a page looks unused although it was used is a matter of luck, as on any machine.
 */
pte_t pt_slot_change(struct pt_slot *slot, struct pt_change change)	__must_hold(slot);

/* --------------------------------------------------------------------------- copy (fork) -- */

enum pt_share {
	PT_COPY_SKIP,			/* the child gets nothing here */
	PT_COPY_SHARED,			/* both may write as before */
	PT_COPY_COW,			/* neither may write: the first who does copies */
};

/*
 * For each entry of the parent's range decide() says what the child gets, called under the table
 * locks of both.  @page is NULL for soft and special entries.  It counts for the reverse map; the
 * reference is taken after it.  -errno stops the copy.
 */
struct pt_copy {
	struct pgtable *from, *to;
	int (*decide)(struct pt_copy *copy, unsigned long addr, unsigned int level, pte_t entry,
		      struct page *page);
	void *arg;
	unsigned long next;			/* out: the first address not done */
};

/*
 * 0; -ENOMEM: no frame for a table; or what decide() returned, and it can go on at ->next.  After
 * an error the child has what came before ->next, and the parent's entries may be write-protected.
 */
int pt_copy_range(struct pt_copy *copy, unsigned long start, unsigned long end)	__must_check;

/* ---------------------------------------------------------------------------------- move -- */

/* Prepare: splits leaves that cannot move whole, and fills @stash.  -ENOMEM: as pt_prepare(). */
int pt_move_prepare(struct pgtable *pt, struct pt_stash *stash, unsigned long from,
		    unsigned long to, unsigned long bytes)	__must_check;

/*
 * Moves all entries of [from, from + bytes) to @to, which is zapped and does not overlap.  Whole
 * tables and PMD leaves where both places are aligned to 2 MiB.  @stash is from pt_move_prepare(),
 * the locks held since then; so it cannot fail.
 */
void pt_move_range(struct pgtable *pt, struct pt_stash *stash, unsigned long from, unsigned long to,
		   unsigned long bytes);

/* -------------------------------------------------------------------------- 2 MiB leaves -- */

/*
 * A PMD leaf (or soft entry) around @addr becomes a table of 512 entries that say the same; the
 * zeros of the arena's huge zero block become those of the zero page.  It needs no memory: the
 * table was put aside when the leaf was made.  A driver's leaf, special and not the zeros, is taken
 * out instead.  True: a table is there now, perhaps as before; else nothing is.
 */
bool pt_split(struct pgtable *pt, unsigned long addr);

/*
 * Collapse: take the PTE table of the 2 MiB at @addr out of the tree, use what it names, install a
 * PMD leaf (which needs no memory now), and drop the table; or attach it again.  In between the
 * range is empty, and the caller's locks keep it so.  NULL: there is no PTE table.
 */
struct page *pt_detach_table(struct pgtable *pt, unsigned long addr)	__must_check;
void pt_attach_table(struct pgtable *pt, unsigned long addr, struct page *table);
/* Zaps what a detached table maps, and frees it. */
void pt_drop_table(struct mmu_gather *gather, unsigned long addr, struct page *table);

/* The 512 entries of a detached table; they are nobody else's. */
static inline pte_t *pt_table_entries(const struct page *table)
{
	return page_bytes(table);
}

#endif
