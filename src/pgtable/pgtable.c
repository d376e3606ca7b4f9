/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Page tables.
 *
 * The tree.  A table is one frame with 512 entries; the root is the table of the highest level in
 * use.  Bits of the address select an entry at each level:
 *
 *	address   | PGD 56..48 | P4D 47..39 | PUD 38..30 | PMD 29..21 | PTE 20..12 | byte 11..0 |
 *
 *	root -> [ .. e .. ] -> [ .. e .. ] -> [ .. e .. ] -> [ .. e .. ]
 *	                                          PMD leaf: 2 MiB    PTE leaf: 4 KiB
 *
 * Levels are numbered from the bottom and a space of 4 or 3 of them starts its root lower down: the
 * loop that goes down starts there, so an upper level that is folded is neither stored nor passed.
 *
 * Entries are in a format of real hardware (format.h), hold frame numbers and lie in frames of the
 * arena: a machine whose physical memory is the arena's file could walk them.  Nothing else is kept
 * beside them: what a table needs besides, its lock above all, is in its frame's struct page.
 *
 * Files: pgtable.c (the tree, its tables and counts), walk.c (traverse), install.c (one entry),
 * zap.c (gather, zap), free.c, change.c, copy.c, move.c, huge.c (2 MiB), format.c.
 *
 * Locking.
 *
 *	PUD, P4D, PGD entries	pt->lock, the page_table_lock
 *	PMD entries		the lock of the PMD table that they are in
 *	PTE entries		the lock of the PTE table that they are in
 *	a PMD entry that points to a PTE table is changed under both of the latter
 *
 * Two tables: a PMD table before a PTE table below it (subclass 1); of two PMD tables or two PTE
 * tables the one of the lower address; in a copy the child's first, which nobody else holds while
 * waiting for a parent's.  An address space's tables stay linked while a VMA is stable that they
 * serve, except for PTE tables: these can be taken out at any time (collapse, move).  So a PTE
 * table is entered like this:
 *
 *	rcu_read_lock()			it may be unlinked, and is not freed
 *	look: the PMD entry points to the table
 *	lock the table
 *	look again: does it still?	if not, from the start
 *	rcu_read_unlock()		who wants to unlink it needs its lock
 *
 * An upper table is made before any lock is taken and linked under the lock of the entry; whoever
 * comes second keeps his table for the next level or gives it back.
 *
 * The hardware may note accessed and dirty in a valid entry at any time, without a lock.  So a
 * valid entry is taken out by an exchange, changed by compare-and-swap, read once and written as a
 * whole. Entries that point to tables are in a form in which it notes nothing.
 *
 * Ordering
 *  (A) An entry is stored with release after what it names is complete (the table's entries, the
 *      frame's bytes), and loaded with acquire by who has no lock.
 *  (B) Taking out, then invalidating, then putting the reference: a frame is not used for anything
 *      else while somebody has a translation to it.
 *  (C) gup_fast takes the reference, then looks at the entry again.  If that is unchanged, whoever
 *      takes it out comes later, and so does the put after it: the frame was not freed in between.
 *  (D) A table that was unlinked is freed after a grace period, and until then its entries are what
 *      they were: a reader inside sees old entries, none of which is another's.
 *  (E) A change that takes all rights counts itself in nr_hiding, changes entries under their
 *      locks, invalidates, and counts itself out, with release.  Who then has such a lock and finds
 *      an entry without rights reads the count, with acquire: 0 says that it was invalidated.
 *
 * Invariants
 *  1. A table is linked from one entry, and is of the level below it.
 *  2. A leaf that is not special holds one reference to its frame's head.
 *  3. A PMD leaf's frame number is a multiple of 512.
 *  4. nr_tables is the number of tables below the root; the counts are those of the leaves.
 *  5. A table that is handed to RCU is empty, or was dropped by its owner.
 *  6. A PMD table has as many tables put aside as it has entries that are neither none nor a table.
 *  7. Above PTE tables, used_lines has the bit of each cache line that has an entry.
 *
 * Nothing costs next to nothing.  Who looks for what a range has passes over entries that are none,
 * 1 GiB or 512 GiB in one step: used_lines of a table above the PTE tables says for each of its 64
 * cache lines whether it ever had an entry.  A bit is set before the entry is stored and never
 * cleared, since the table goes soon after its last entry does.
 *
 * Counts of leaves are kept by shards, by thread: each fault changes one, and all faults of an mm
 * would otherwise meet in one line.  To read one is to add up eight.  What a leaf is counted as,
 * anonymous, shared memory or file, is in the flags of its page, and does not change while it is
 * mapped.
 *
 * Failure.  Only tables need memory.  What changes many entries can be prepared: a *stash* of
 * tables is filled first, all or none, and then nothing can fail.  pt_install() does so for its
 * few.  The table that a leaf of 2 MiB may be split into is had when the leaf is made, and put
 * aside: so whoever wants to take or change a part of it always can, whatever he holds.
 *
 * Rejected
 *  - Types and functions for each level (pgd_t, pud_t, ...), with macros that fold them: five times
 *    the code, and the loop is as fast.
 *  - Formats as tables of functions: an indirect call for each look at an entry.
 *  - A pointer from each table to its parent: moves and splits would keep it up to date, and only
 *    the way down is ever needed.
 *  - Counting the used entries of each table, to free it when it is empty: a table's neighbour
 *  fault
 *    makes it again, and who empties many (munmap) knows the range anyway.
 *  - Leaves of 1 GiB: no allocator here makes such blocks.
 */
#include "pgtable/table.h"

_Static_assert(sizeof(pte_t) * PT_ENTRIES == PAGE_SIZE, "a table is a frame");

/* -------------------------------------------------------------------------------- tables -- */

struct page *table_alloc(struct pgtable *pt)
{
	struct page *table = page_alloc(pt->arena, 0, PAGE_ZEROED);

	if (!table)
		return NULL;
	page_set_flags(table, PG_TABLE);
	atomic_store_relaxed(&table->used_lines, 0);
	spin_lock_init(&table->table_lock, LOCK_RANK_TABLE);
	return table;
}

void table_free(struct page *table)
{
	page_put(table);
}

struct page *table_lock(struct pgtable *pt, pte_t *pmd, unsigned int subclass)
	__context_unsafe("which lock it is, the entry says")
{
	struct page *table;
	pte_t seen;

	rcu_read_lock();
	for (;;) {
		seen = pte_load_acquire(pmd);			/* (A) */
		table = NULL;
		if (!pte_is_table(pt->format, PT_PMD, seen))
			break;
		table = table_of(pt, seen);
		spin_lock_nested(&table->table_lock, subclass);
		if (likely(pte_load(pmd).raw == seen.raw))
			break;
		spin_unlock(&table->table_lock);
	}
	rcu_read_unlock();
	return table;
}

void spare_put(struct pgtable *pt, const pte_t *pmd, struct page *table)
{
	struct page *around = table_around(pt, pmd);

	table->next = around->next;
	around->next = table;
	atomic_add_relaxed(&pt->nr_spare, 1);
}

struct page *spare_take(struct pgtable *pt, const pte_t *pmd)
{
	struct page *around = table_around(pt, pmd), *table = around->next;

	VM_BUG_ON(!table, "a PMD entry of table %lu has no table put aside", page_pfn(around));
	around->next = table->next;
	atomic_sub_relaxed(&pt->nr_spare, 1);
	return table;
}

void table_unlock(struct page *table)
	__context_unsafe("see table_lock()")
{
	spin_unlock(&table->table_lock);
}

bool table_link(struct pgtable *pt, pte_t *entry, unsigned int level, struct page *table)
	__context_unsafe("which lock it is, the level says")
{
	struct spinlock *lock = entry_lock(pt, entry, level);
	bool linked;

	table->index = level - 1;
	table->next = NULL;
	note_used(pt, entry);
	spin_lock(lock);
	linked = pte_none(pte_load(entry));
	if (linked)
		pte_store(entry, pte_table(pt->format, page_pfn(table)));	/* (A) */
	spin_unlock(lock);
	if (linked)
		atomic_add_relaxed(&pt->nr_tables, 1);
	return linked;
}

unsigned long next_used(const struct page *table, unsigned long from, unsigned long end)
{
	const pte_t *entries = pt_table_entries(table);
	u64 lines = atomic_load_relaxed(&table->used_lines);

	while (from < end) {
		u64 left = lines >> from / LINE_ENTRIES;

		if (!left)
			return end;
		if (!(left & 1))
			from = ALIGN_DOWN(from, LINE_ENTRIES) + (ffs64(left) - 1) * LINE_ENTRIES;
		else if (pte_none(pte_load(entries + from)))
			from++;
		else
			return from;
	}
	return end;
}

/* Where the entries from @entry on, of @level and for @addr, end to be none; not above @end. */
static unsigned long skip_none(const struct pgtable *pt, const pte_t *entry, unsigned long addr,
			       unsigned int level, unsigned long end)
{
	unsigned long first = entry_index(addr, level), start = entry_start(addr, level);
	unsigned long nr = DIV_ROUND_UP(end - start, level_reach(level)), used;

	used = next_used(table_around(pt, entry), first, min(first + nr, PT_ENTRIES));
	return min(start + (used - first) * level_reach(level), end);
}

bool pt_next_span(struct pgtable *pt, unsigned long *addr, unsigned long end, struct pt_span *span)
{
	while (*addr < end) {
		unsigned int level = PT_PMD;

		span->start = *addr;
		span->pmd = pt_descend(pt, *addr, &level, &span->seen);
		if (!pte_none(span->seen)) {
			span->end = *addr = entry_end(*addr, level, end);
			return true;
		}
		*addr = skip_none(pt, span->pmd, *addr, level, end);
	}
	return false;
}

/* -------------------------------------------------------------------------------- counts -- */

bool entry_count(const struct pgtable *pt, unsigned int level, pte_t e, enum pt_count *what,
		 long *nr)
{
	struct page *page = entry_page(pt, e);
	u32 flags;

	*nr = level == PT_PMD ? PT_ENTRIES : 1;
	if (!page) {
		*what = PT_SWAP;
		return pte_soft_type(pt->format, e) == PT_SOFT_SWAP;
	}
	flags = page_flags(page_head(page));
	*what = flags & PG_ANON ? PT_ANON : flags & PG_SHMEM ? PT_SHMEM : PT_FILE;
	return true;
}

void pt_add_sums(struct pgtable *pt, const struct pt_sums *sums)
{
	struct pt_shard *shard = &pt->shards[port_thread_id() % PT_SHARDS];

	for (int i = 0; i < PT_COUNTS; i++)
		if (sums->nr[i])
			atomic_add_relaxed(&shard->nr[i], sums->nr[i]);
}

unsigned long pt_count(const struct pgtable *pt, enum pt_count what)
{
	long sum = 0;

	for (unsigned int i = 0; i < PT_SHARDS; i++)
		sum += atomic_load_relaxed(&pt->shards[i].nr[what]);
	return sum > 0 ? (unsigned long)sum : 0;
}

/* ------------------------------------------------------------------------ the whole tree -- */

int pt_create(struct pgtable *pt, const struct pt_config *config)
{
	const struct pt_format *format = config->format;
	struct page *root;

	if (config->levels < format->min_levels || config->levels > format->max_levels)
		return -EINVAL;
	*pt = (struct pgtable){
		.format = format, .arena = config->arena, .mmu = config->mmu,
		.levels = config->levels, .frames = arena_frames(config->arena),
		.split_block = config->split_block, .swap = config->swap,
	};
	root = table_alloc(pt);
	if (!root)
		return -ENOMEM;
	root->index = config->levels - 1;
	spin_lock_init(&pt->lock, LOCK_RANK_MM_TABLES);
	pt->root = root;
	return 0;
}

void pt_destroy(struct pgtable *pt)
{
	VM_BUG_ON(atomic_load_relaxed(&pt->nr_tables), "%ld tables are left", pt->nr_tables);
	VM_BUG_ON(atomic_load_relaxed(&pt->nr_spare), "%ld spare tables are left", pt->nr_spare);
	for (int i = 0; i < PT_COUNTS; i++)
		VM_DEBUG_ON(pt_count(pt, (enum pt_count)i), "%lu frames are mapped",
			    pt_count(pt, (enum pt_count)i));
	table_free(pt->root);
	pt->root = NULL;
}
