/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Inside of the room: entries, tables, and the way down to them.  See pgtable.c for (A) to (D). */
#ifndef PGTABLE_TABLE_H
#define PGTABLE_TABLE_H

#include "pgtable/pgtable.h"

/* ------------------------------------------------------------------------------- entries -- */

/* Of an entry whose table's lock is held; the hardware may still note something in it. */
static inline pte_t pte_load(const pte_t *entry)
{
	return (pte_t){ atomic_load_relaxed(&entry->raw) };
}

/* Without a lock: what the entry names is complete. */
static inline pte_t pte_load_acquire(const pte_t *entry)
{
	return (pte_t){ atomic_load_acquire(&entry->raw) };	/* (A) */
}

/* In whole, and after what it names is complete. */
static inline void pte_store(pte_t *entry, pte_t e)
{
	atomic_store_release(&entry->raw, e.raw);		/* (A) */
}

/* Takes what is there with what was noted last. */
static inline pte_t pte_take(pte_t *entry, pte_t leave)
{
	return (pte_t){ atomic_xchg_acq_rel(&entry->raw, leave.raw) };	/* (A) */
}

/*
 * Loaded under its table's lock: may a translation of it be in use?  One without rights has none,
 * once the change that took them has ended.
 */
static inline bool pte_in_use(const struct pgtable *pt, pte_t e)
{
	/* (E) */
	return pte_valid(pt->format, e) ||
	       (pte_present(pt->format, e) && atomic_load_acquire(&pt->nr_hiding));
}

/* Applies @change in one step; returns what was there. */
static inline pte_t pte_apply(pte_t *entry, struct pt_change change, pte_t *now)
{
	u64 old = atomic_load_relaxed(&entry->raw), new;

	do {
		new = (old & ~change.clear) | change.set;
		/* Release: pairs with (A), since this puts the entry of another there again. */
	} while (new != old && !atomic_cas_release(&entry->raw, &old, new));
	now->raw = new;
	return (pte_t){ old };
}

/* -------------------------------------------------------------------------------- levels -- */

static inline unsigned int level_shift(unsigned int level)
{
	return PAGE_SHIFT + PT_INDEX_BITS * level;
}

/* How much one entry of @level reaches over. */
static inline unsigned long level_reach(unsigned int level)
{
	return BIT(level_shift(level));
}

static inline unsigned long entry_start(unsigned long addr, unsigned int level)
{
	return ALIGN_DOWN(addr, level_reach(level));
}

/* Where the next entry of @level starts, but not above @end. */
static inline unsigned long entry_end(unsigned long addr, unsigned int level, unsigned long end)
{
	unsigned long next = entry_start(addr, level) + level_reach(level);

	return next < end ? next : end;
}

static inline unsigned long entry_index(unsigned long addr, unsigned int level)
{
	return (addr >> level_shift(level)) % PT_ENTRIES;
}

/* -------------------------------------------------------------------------------- tables -- */

/* The entries of the table that @e points to. */
static inline pte_t *table_entries(const struct pgtable *pt, pte_t e)
{
	return pfn_bytes(pt->frames, pte_pfn(pt->format, e));
}

static inline struct page *table_of(const struct pgtable *pt, pte_t e)
{
	return pfn_page(pt->frames, pte_pfn(pt->format, e));
}

/* The table that @entry lies in. */
static inline struct page *table_around(const struct pgtable *pt, const pte_t *entry)
{
	return pfn_page(pt->frames, (unsigned long)((char *)entry - (char *)pt->frames) >>
				    PAGE_SHIFT);
}

/* The lock that guards an entry of @level. */
static inline struct spinlock *entry_lock(struct pgtable *pt, const pte_t *entry,
					  unsigned int level)
{
	return level >= PT_PUD ? &pt->lock : &table_around(pt, entry)->table_lock;
}

/*
 * Goes down to the entry of level *@level for @addr, or to the first on the way that does not point
 * to a table; *@level and *@seen are then what was found there.
 */
static inline pte_t *pt_descend(const struct pgtable *pt, unsigned long addr, unsigned int *level,
				pte_t *seen)
{
	pte_t *entries = page_bytes(pt->root);

	for (unsigned int at = pt->levels - 1;; at--) {
		pte_t *entry = entries + entry_index(addr, at);
		pte_t e = pte_load_acquire(entry);

		if (at == *level || !pte_is_table(pt->format, at, e)) {
			*level = at;
			*seen = e;
			return entry;
		}
		entries = table_entries(pt, e);
	}
}

/* The PMD entry for @addr; NULL: there is no PMD table. */
static inline pte_t *pt_find_pmd(const struct pgtable *pt, unsigned long addr, pte_t *seen)
{
	unsigned int level = PT_PMD;
	pte_t *pmd = pt_descend(pt, addr, &level, seen);

	return level == PT_PMD ? pmd : NULL;
}

/*
 * The next PMD entry in [*addr, end) that is not none, and the part of the range that it reaches
 * over; *addr goes behind that.  NULL: there is none left.
 */
struct pt_span {
	unsigned long start, end;
	pte_t *pmd;
	pte_t seen;
};
static inline bool span_is_whole(const struct pt_span *span)
{
	return span->end - span->start == PMD_SIZE;
}

bool pt_next_span(struct pgtable *pt, unsigned long *addr, unsigned long end,
		  struct pt_span *span);

/*
 * Which of entries [from, end) of a table above the PTE tables is the first that is not none, or
 * @end.
 */
unsigned long next_used(const struct page *table, unsigned long from, unsigned long end);

#define LINE_ENTRIES	(CACHELINE_BYTES / sizeof(pte_t))

/* There will be something at @entry, of PT_PMD or above. */
static inline void note_used(struct pgtable *pt, const pte_t *entry)
{
	struct page *table = table_around(pt, entry);
	u64 line = BIT((uintptr_t)entry % PAGE_SIZE / CACHELINE_BYTES);

	/* Relaxed: who must see the entry sees what came before it. */
	if (!(atomic_load_relaxed(&table->used_lines) & line))
		atomic_or_relaxed(&table->used_lines, line);
}

/* A table with no entry, for nobody yet.  NULL: no frame. */
struct page *table_alloc(struct pgtable *pt);
/* Of a table that no reader can have seen. */
void table_free(struct page *table);

/*
 * look, lock, look again: locks the PTE table under @pmd.  NULL: there is none; else with that, the
 * table stays there until it is unlocked.  The first of two, or by subclass the second.
 */
struct page *table_lock(struct pgtable *pt, pte_t *pmd, unsigned int subclass)
	__cond_enters_atomic;
void table_unlock(struct page *table) __leaves_atomic;

/*
 * Each entry at a PMD that is neither none nor a table has a table put aside, so that it can always
 * be split: in a chain at the PMD table, whose lock is held.  spare_put() with the entry,
 * spare_take() when it becomes none or a table.
 */
void spare_put(struct pgtable *pt, const pte_t *pmd, struct page *table);
struct page *spare_take(struct pgtable *pt, const pte_t *pmd);

/* The tables that are missing for entries at ascending addresses. */
struct pt_missing {
	unsigned long nr;
	unsigned long until[PT_MAX_LEVELS];	/* where the last one counted ends, by level */
};
void missing_add(struct pgtable *pt, struct pt_missing *missing, unsigned long addr,
		 unsigned int level);

/* @nr more, or none: -ENOMEM. */
int stash_fill(struct pgtable *pt, struct pt_stash *stash, unsigned long nr);

/*
 * The entry of @level for @addr, making the tables above it from @stash.  NULL: the stash is used
 * up, or a leaf or a soft entry is where a table is needed.
 */
pte_t *make_tables(struct pgtable *pt, struct pt_stash *stash, unsigned long addr,
		   unsigned int level);

/* Points @entry to @table, unless there is something else by now: then false. */
bool table_link(struct pgtable *pt, pte_t *entry, unsigned int level, struct page *table);

/* -------------------------------------------------------------------------- count, flush -- */

/* What an entry counts as, in frames.  False: as nothing. */
bool entry_count(const struct pgtable *pt, unsigned int level, pte_t e, enum pt_count *what,
		 long *nr);

/* Sums for many entries, then added at once. */
struct pt_sums {
	long nr[PT_COUNTS];
};

static inline void sums_add(struct pt_sums *sums, const struct pgtable *pt, unsigned int level,
			    pte_t e, long sign)
{
	enum pt_count what;
	long nr;

	if (entry_count(pt, level, e, &what, &nr))
		sums->nr[what] += sign * nr;
}

void pt_add_sums(struct pgtable *pt, const struct pt_sums *sums);

/* The gather will invalidate this range; and free this table, which reaches over it. */
void gather_range(struct mmu_gather *gather, unsigned long start, unsigned long end);
void gather_table(struct mmu_gather *gather, struct page *table, unsigned long start,
		  unsigned long end);

/* Takes out what a locked table has for [start, end), until the gather is full.  How far it got. */
unsigned long zap_table(struct mmu_gather *gather, struct page *table, unsigned long start,
			unsigned long end);

/* The frame of a leaf, if its references are counted; else NULL. */
static inline struct page *entry_page(const struct pgtable *pt, pte_t e)
{
	if (!pte_present(pt->format, e) || pte_special(pt->format, e))
		return NULL;
	return pfn_page(pt->frames, pte_pfn(pt->format, e));
}

static inline void pt_invalidate(struct pgtable *pt, unsigned long start, unsigned long end,
				 enum mmu_reach reach)
{
	if (pt->mmu)
		pt->mmu->invalidate(pt, start, end, reach);
}

#endif
